/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a failure means. The table decides for each kind of remediation; its laws (tested): only what tries a desired
 * Instance quarantines it; what must succeed in the end (delete, restore by the table) is tried again for ever; a
 * restore that answers a failure is never answered by another.
 */
#include <string.h>
#include "run/run_internal.h"

#define AGAIN_FIRST_MS 30000
#define AGAIN_MOST_MS (60 * 60 * 1000)
#define UNREACHABLE_FIRST_MS 5000
#define UNREACHABLE_MOST_MS (10 * 60 * 1000)

enum again { NEVER, ATTEMPTS, FOREVER };
static const struct {
    const char *kind;
    bool quarantines;
    const char *on_failure; /* its key; NULL: hold */
    enum again again;
} failures[] = {
    /* kind        quarantines on_failure    again */
    {"create", true, NULL, ATTEMPTS},       {"update", true, "update", ATTEMPTS},
    {"upgrade", true, "upgrade", ATTEMPTS}, {"downgrade", true, "downgrade", ATTEMPTS},
    {"start", true, NULL, ATTEMPTS},        {"stop", true, NULL, ATTEMPTS},
    {"heal", false, NULL, NEVER}, /* the taint it leaves makes the next walk restore */
    {"delete", false, NULL, FOREVER},       {"restore", false, NULL, FOREVER},
    {"adopt", false, NULL, NEVER},          {"release", false, NULL, FOREVER},
};

static int64_t doubled(int64_t first, int64_t times, int64_t most)
{
    while (times-- > 0 && first < most)
        first *= 2;
    return first < most ? first : most;
}

struct sty_verdict sty_failure_judge(const struct sty_failure *failure)
{
    struct sty_verdict verdict = {0};
    size_t i = 0;
    while (i < STY_COUNT(failures) && strcmp(failures[i].kind, failure->kind) != 0)
        i++;
    if (i == STY_COUNT(failures))
        return verdict;
    int64_t attempts = sty_json_int(failure->on_failure, "attempts", 1);
    verdict.again = (failures[i].again == FOREVER && !failure->answers) ||
                    (failures[i].again == ATTEMPTS && failure->attempt < attempts);
    verdict.delay_ms = doubled(AGAIN_FIRST_MS, failure->attempt - 1, AGAIN_MOST_MS);
    verdict.quarantine = failures[i].quarantines && !verdict.again;
    const char *key = failures[i].on_failure;
    const char *otherwise = key && strcmp(key, "update") == 0 ? "restore" : "hold";
    verdict.restore = key && !verdict.again && failure->active &&
                      strcmp(sty_json_text(failure->on_failure, key, otherwise), "restore") == 0;
    return verdict;
}

/* Half of how long it has been away: waits grow with it, and nothing has to be counted. */
int64_t sty_unreachable_delay(int64_t now, int64_t since)
{
    int64_t delay = (now - since) / 2;
    delay = delay > UNREACHABLE_FIRST_MS ? delay : UNREACHABLE_FIRST_MS;
    return delay < UNREACHABLE_MOST_MS ? delay : UNREACHABLE_MOST_MS;
}

int sty_execution_ended(struct sty_execution *execution, struct sty_error *err)
{
    json_auto_t *row = NULL;
    if (!execution->world->ended)
        return 0;
    if (sty_remediation_row(&row, execution->ledger, execution->id, err) < 0)
        return -1;
    return execution->world->ended(execution->ledger, row, execution->world->self, err);
}

static int quarantine(struct sty_execution *execution, struct sty_error *err)
{
    return sty_ledger_exec(execution->ledger, err, "UPDATE targets SET quarantined = ?, unsettled = 1 WHERE id = ?",
                           "si", sty_json_text(execution->row, "to_instance", NULL), execution->target);
}

static int64_t attempt_now(struct sty_execution *execution)
{
    int64_t attempt = sty_json_int(execution->row, "attempt", 1);
    struct sty_error ignored;
    sty_ledger_number(&attempt, execution->ledger, &ignored, "SELECT attempt FROM remediations WHERE id = ?", "s",
                      execution->id);
    return attempt;
}

int sty_execution_fail(struct sty_execution *execution, const struct sty_error *why, struct sty_error *err)
{
    const struct sty_instance *instance = execution->to ? execution->to : execution->from;
    int64_t active = 0;
    if (sty_ledger_number(&active, execution->ledger, err, "SELECT count(*) FROM active WHERE target = ?", "i",
                          execution->target) < 0)
        return -1;
    struct sty_failure failure = {.kind = sty_json_text(execution->row, "kind", ""),
                                  .on_failure =
                                      instance ? json_object_get(sty_instance_json(instance), "on_failure") : NULL,
                                  .attempt = attempt_now(execution),
                                  .answers = sty_json_text(execution->row, "parent", NULL) != NULL,
                                  .active = active > 0};
    struct sty_verdict verdict = sty_failure_judge(&failure);
    if (verdict.again)
        return sty_remediation_wait(execution->ledger, execution->id,
                                    sty_ledger_now(execution->ledger) + verdict.delay_ms, why->text, err);
    if (sty_remediation_move(execution->ledger, execution->id, "failed", why->text, err) < 0 ||
        (verdict.quarantine && quarantine(execution, err) < 0) ||
        (verdict.restore && sty_restore_record(execution, err) < 0))
        return -1;
    return sty_execution_ended(execution, err);
}

int sty_execution_cancel(struct sty_execution *execution, const struct sty_error *why, struct sty_error *err)
{
    struct sty_failure failure = {.kind = sty_json_text(execution->row, "kind", ""), .attempt = 1};
    if (sty_remediation_move(execution->ledger, execution->id, "cancelled", why->text, err) < 0 ||
        (sty_failure_judge(&failure).quarantine && quarantine(execution, err) < 0))
        return -1;
    return sty_execution_ended(execution, err);
}

int sty_remediation_cancel(const struct sty_run_world *world, const char *id, const char *why, struct sty_error *err)
{
    json_auto_t *row = NULL, *ended = NULL;
    if (sty_remediation_row(&row, world->ledger, id, err) < 0)
        return -1;
    bool waits = strcmp(sty_json_text(row, "state", ""), "waiting") == 0;
    struct sty_failure failure = {.kind = sty_json_text(row, "kind", ""), .attempt = 1};
    if (waits && sty_remediation_move(world->ledger, id, "running", NULL, err) < 0)
        return -1;
    if (waits && sty_failure_judge(&failure).quarantine &&
        sty_ledger_exec(world->ledger, err, "UPDATE targets SET quarantined = ?, unsettled = 1 WHERE id = ?", "si",
                        sty_json_text(row, "to_instance", NULL), sty_json_int(row, "target", 0)) < 0)
        return -1;
    if (sty_remediation_move(world->ledger, id, waits ? "cancelled" : "superseded", why, err) < 0 ||
        sty_remediation_row(&ended, world->ledger, id, err) < 0)
        return -1;
    return world->ended ? world->ended(world->ledger, ended, world->self, err) : 0;
}
