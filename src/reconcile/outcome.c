/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a sync came to, as the document of design.md section 15, and what its exit code follows from.
 */
#include "reconcile/reconcile_internal.h"

#include <string.h>

/* Reasons that wait for a person, or for what a person does elsewhere. */
bool sty_reason_waits(const char *reason)
{
    static const char *const reasons[] = {"guard", "review", "claim", "mistake", "dependency"};
    for (size_t i = 0; i < STY_COUNT(reasons); i++)
        if (sty_streq(reason, reasons[i]))
            return true;
    return false;
}

void sty_outcome_clear(struct sty_outcome *outcome)
{
    json_decref(outcome->document);
    sty_planned_free(outcome->planned);
    *outcome = (struct sty_outcome){0};
}

#define TARGET_NAME(t) t ".cluster || '/' || " t ".environment || '/' || " t ".deployment"

/* The newest state of each remediation that moved since the sync began. */
static int moved(json_t **out, struct sty_ledger *ledger, int64_t event, struct sty_error *err)
{
    json_auto_t *rows = NULL;
    if (sty_ledger_rows(
            &rows, ledger, err,
            "SELECT r.id, " TARGET_NAME(
                "r") " AS target, r.deployment, r.kind, r.state, r.error,"
                     " r.commit_oid, r.wait_reason, r.due, coalesce(r.finished_at - r.started_at, 0) AS duration_ms "
                     "FROM"
                     " remediations r WHERE r.id IN (SELECT remediation FROM events WHERE seq > ? AND kind IN"
                     " ('remediation.running', 'remediation.succeeded', 'remediation.failed', 'remediation.cancelled',"
                     " 'remediation.waiting')) ORDER BY r.seq",
            "i", event) < 0)
        return -1;
    *out = json_incref(rows);
    return 0;
}

static json_t *blocked_entry(const json_t *row)
{
    static const char *const names[] = {"target", "deployment", "environment", "cluster"};
    const char *text = sty_json_text(row, "blocked", "");
    json_t *entry = NULL;
    struct sty_error ignored;
    if (sty_json_parse(&entry, text, strlen(text), &ignored) < 0)
        return json_object();
    for (size_t i = 0; i < STY_COUNT(names); i++)
        json_object_set(entry, names[i], json_object_get(row, names[i]));
    return entry;
}

/* Blocked now; what is quarantined is of the past and stands. */
static int read_blocked(json_t *blocked, bool *waits, struct sty_ledger *ledger, struct sty_error *err)
{
    json_auto_t *rows = NULL;
    if (sty_ledger_rows(
            &rows, ledger, err,
            "SELECT " TARGET_NAME("t") " AS target, t.deployment, t.environment, t.cluster, t.blocked FROM"
                                       " targets t WHERE t.unsettled = 1 AND t.blocked IS NOT NULL ORDER BY 1",
            "") < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_auto_t *entry = blocked_entry(json_array_get(rows, i));
        const char *reason = sty_json_text(entry, "reason", "");
        if (sty_streq(reason, "quarantined"))
            continue;
        *waits = *waits || sty_reason_waits(reason);
        json_array_append(blocked, entry);
    }
    return 0;
}

static json_t *way_on(const json_t *row)
{
    char at[32];
    const char *target = sty_json_text(row, "target", "");
    const json_t *due = json_object_get(row, "due");
    bool waiting = sty_streq(sty_json_text(row, "state", ""), "waiting");
    sty_auto_free char *text =
        waiting && json_is_integer(due)
            ? sty_sprintf("nothing: it is tried again at %s; sooner with: styrmin retry %s -m REASON",
                          sty_time_text(at, json_integer_value(due)), target)
        : waiting && sty_json_int(row, "doubts", 0)
            ? sty_sprintf(
                  "look whether it happened, then: styrmin retry %1$s --done -m REASON, or: styrmin retry %1$s --again"
                  " -m REASON",
                  target)
            : sty_sprintf("a commit that changes it, or: styrmin retry %s -m REASON", target);
    return sty_json_string(text);
}

/* Failed earlier and not put right: quarantined or tainted. */
static int read_standing(json_t *standing, struct sty_ledger *ledger, struct sty_error *err)
{
    json_auto_t *rows = NULL;
    if (sty_ledger_rows(
            &rows, ledger, err,
            "SELECT " TARGET_NAME(
                "t") " AS target, t.deployment, t.environment, t.cluster, t.tainted, t.quarantined,"
                     " r.id AS remediation, r.kind, r.state, r.due, r.error, r.commit_oid AS 'commit', (SELECT "
                     "count(*) FROM marks"
                     " WHERE target = t.id AND marks.state = 'begun') AS doubts FROM targets t LEFT JOIN remediations "
                     "r ON"
                     " r.seq = (SELECT max(seq) FROM remediations WHERE target = t.id AND state IN ('failed', "
                     "'cancelled',"
                     " 'waiting')) WHERE t.unsettled = 1 AND (t.tainted OR t.quarantined IS NOT NULL) ORDER BY 1",
            "") < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        json_object_set_new(row, "tainted", json_boolean(sty_json_int(row, "tainted", 0)));
        json_object_set_new(row, "quarantined", json_boolean(sty_json_text(row, "quarantined", NULL) != NULL));
        json_object_set_new(row, "remedy", way_on(row));
        json_object_del(row, "doubts");
        json_array_append(standing, row);
    }
    return 0;
}

/* In the documents as they stand, also in those that this sync had no reason to look at again. */
static int count_mistakes(int64_t *out, struct sty_ledger *ledger, const struct sty_walk *walk, struct sty_error *err)
{
    int64_t found = walk ? (int64_t)walk->problems.errors : 0, standing = 0;
    if (sty_ledger_number(
            &standing, ledger, err,
            "SELECT (SELECT count(*) FROM unreadable) + (SELECT count(*) FROM documents WHERE valid = 0"
            " AND stale = 0) + (SELECT count(*) FROM documents d WHERE kind = ?1 AND valid = 1 AND NOT EXISTS"
            " (SELECT 1 FROM documents e WHERE e.kind = ?2 AND e.key = d.environment))",
            "ii", (int64_t)STY_KIND_DEPLOYMENT, (int64_t)STY_KIND_ENVIRONMENT) < 0)
        return -1;
    *out = found > standing ? found : standing;
    return 0;
}

static const char *sync_state(const json_t *remediations, bool waits)
{
    size_t failed = 0, succeeded = 0, open = 0;
    for (size_t i = 0; i < json_array_size(remediations); i++) {
        const char *state = sty_json_text(json_array_get(remediations, i), "state", "");
        failed += sty_streq(state, "failed") || sty_streq(state, "cancelled");
        succeeded += sty_streq(state, "succeeded");
        open += sty_streq(state, "waiting");
    }
    if (failed)
        return succeeded ? "partial" : "failed";
    if (open || waits)
        return "blocked";
    return succeeded ? "succeeded" : "unchanged";
}

static json_t *superseded(const struct sty_walk *walk)
{
    json_t *list = json_array();
    bool first = !walk || !sty_json_text(walk->source, "walked", NULL);
    for (size_t i = 0; !first && i + 1 < walk->commit_count; i++)
        json_array_append_new(list, json_string(walk->commits[i].oid));
    return list;
}

int sty_outcome_sync(struct sty_outcome *out, const struct sty_installation *installation,
                     const struct sty_before *before, const struct sty_walk *walk, struct sty_error *err)
{
    json_auto_t *remediations = NULL, *blocked = json_array(), *standing = json_array(), *source = NULL;
    int64_t mistakes = 0;
    if (count_mistakes(&mistakes, installation->ledger, walk, err) < 0)
        return -1;
    bool waits = mistakes > 0;
    if (moved(&remediations, installation->ledger, before->event, err) < 0 ||
        read_blocked(blocked, &waits, installation->ledger, err) < 0 ||
        read_standing(standing, installation->ledger, err) < 0 ||
        sty_ledger_row(&source, installation->ledger, err, "SELECT walked FROM sources WHERE id = 1", "") < 0)
        return -1;
    const char *state = sync_state(remediations, waits);
    int64_t now = installation->world->monotonic_ms(installation->world->self);
    out->waits = waits;
    out->failed = sty_streq(state, "failed") || sty_streq(state, "partial") || json_array_size(standing);
    out->changes = json_array_size(remediations) > 0;
    out->document =
        json_pack("{s:s, s:O?, s:s?, s:s, s:I, s:O, s:O, s:O, s:o, s:I}", "kind", "Sync", "commit",
                  json_object_get(source, "walked"), "plan", walk ? walk->plan->digest : NULL, "state", state,
                  "duration_ms", (json_int_t)(now - before->started), "remediations", remediations, "blocked", blocked,
                  "standing", standing, "superseded", superseded(walk), "mistakes", (json_int_t)mistakes);
    return 0;
}
