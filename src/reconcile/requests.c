/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a person asked for. A request is a row, carried out by whoever holds the lock: at once where the ledger alone
 * changes, by the next walk where something has to be planned and run. Each leaves an event and a record with who, via
 * what and why.
 *
 *   retry    {"done":bool,"again":bool}                  rollback {"to":digest|null,"allow_downgrade":bool}
 *   suspend  {"until":ms|null}                           adopt    {"update":bool}
 *   approve  {"digest":digest or its beginning}          cancel   {"id":id or its beginning}
 *   resume, release {}
 */
#include "reconcile/reconcile_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/report.h"

enum verdict { DONE, REFUSED, WALK }; /* WALK: answered after the walk that it needs */

struct hand {
    const struct sty_installation *installation;
    struct sty_ledger *ledger;
    const json_t *request, *arguments;
    json_t *target; /* its row, or NULL */
    json_t *policy;
    json_t *wish; /* what the walk is to do; target and request are set */
    char answer[512];
};

static enum verdict answer(struct hand *hand, enum verdict verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static enum verdict answer(struct hand *hand, enum verdict verdict, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(hand->answer, sizeof(hand->answer), format, args);
    va_end(args);
    return verdict;
}

static int64_t id_of(const struct hand *hand)
{
    return sty_json_int(hand->target, "id", 0);
}

static const char *request_id(const struct hand *hand)
{
    return sty_json_text(hand->request, "id", "");
}

/* ---- suspend, resume ---- */

static int suspend(enum verdict *out, struct hand *hand, struct sty_error *err)
{
    char text[32];
    int64_t until = sty_json_int(hand->arguments, "until", INT64_MAX);
    *out = until == INT64_MAX ? answer(hand, DONE, "suspended until `resume`")
                              : answer(hand, DONE, "suspended until %s", sty_time_text(text, until));
    return sty_ledger_exec(hand->ledger, err,
                           "UPDATE targets SET suspended_until = ?, suspend_request = ?, unsettled = 1 WHERE id = ?",
                           "isi", until, request_id(hand), id_of(hand));
}

/* What was planned or waits for another wish is given up; what runs goes on. */
static int give_up_waiting(struct hand *hand, struct sty_error *err)
{
    json_auto_t *rows = NULL;
    if (sty_ledger_rows(&rows, hand->ledger, err,
                        "SELECT id FROM remediations WHERE target = ? AND state IN ('planned', 'waiting')", "i",
                        id_of(hand)) < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(rows); i++)
        if (sty_remediation_move(hand->ledger, sty_json_text(json_array_get(rows, i), "id", ""), "superseded", NULL,
                                 err) < 0)
            return -1;
    return 0;
}

static int resume(enum verdict *out, struct hand *hand, struct sty_error *err)
{
    const json_t *suspend = json_object_get(hand->policy, "suspend");
    bool in_git = json_is_object(suspend) && sty_json_int(hand->target, "wanted", 0);
    bool pinned = sty_json_text(hand->target, "pinned", NULL) != NULL;
    bool suspended = sty_json_int(hand->target, "suspended_until", 0) > 0 || (json_is_object(suspend) && !in_git);
    if (in_git)
        *out = answer(hand, pinned || suspended ? DONE : REFUSED, "%s:%d suspends it: change that with a commit",
                      sty_json_text(suspend, "file", ""), (int)sty_json_int(suspend, "line", 0));
    else if (!pinned && !suspended)
        *out = answer(hand, REFUSED, "it is neither suspended nor pinned by hand");
    else
        *out = answer(hand, DONE, "%s%s%s", suspended ? "no longer suspended" : "", suspended && pinned ? ", " : "",
                      pinned ? "no longer pinned" : "");
    if (*out == REFUSED || (pinned && give_up_waiting(hand, err) < 0))
        return *out == REFUSED ? 0 : -1;
    return sty_ledger_exec(hand->ledger, err,
                           "UPDATE targets SET suspended_until = NULL, suspend_request = NULL, pinned = NULL,"
                           " pin_request = NULL, unsettled = 1,"
                           " policy = iif(wanted, policy, json_remove(policy, '$.suspend')) WHERE id = ?",
                           "i", id_of(hand));
}

/* ---- retry ---- */

/* On a suspended target and in an observed environment nothing starts. */
static bool held_back(enum verdict *out, struct hand *hand)
{
    const json_t *suspend = json_object_get(hand->policy, "suspend");
    if (sty_json_bool(hand->policy, "observe", false))
        *out = answer(hand, REFUSED, "environment %s is only observed: nothing starts in it",
                      sty_json_text(hand->target, "environment", ""));
    else if (json_is_object(suspend))
        *out = answer(hand, REFUSED, "%s:%d suspends it: nothing starts", sty_json_text(suspend, "file", ""),
                      (int)sty_json_int(suspend, "line", 0));
    else if (sty_json_int(hand->target, "suspended_until", 0) > sty_ledger_now(hand->ledger))
        *out = answer(hand, REFUSED, "it is suspended: `styrmin resume` first");
    else
        return false;
    return true;
}

static int settle_marks(struct hand *hand, bool done, struct sty_error *err)
{
    return done ? sty_ledger_exec(hand->ledger, err,
                                  "UPDATE marks SET state = 'done' WHERE target = ? AND state = 'begun'", "i",
                                  id_of(hand))
                : sty_ledger_exec(hand->ledger, err, "DELETE FROM marks WHERE target = ? AND state = 'begun'", "i",
                                  id_of(hand));
}

static int retry_waiting(enum verdict *out, struct hand *hand, const json_t *row, struct sty_error *err)
{
    bool done = sty_json_bool(hand->arguments, "done", false), again = sty_json_bool(hand->arguments, "again", false);
    int64_t doubtful = 0;
    if (sty_ledger_number(&doubtful, hand->ledger, err,
                          "SELECT count(*) FROM marks WHERE target = ? AND state = 'begun'", "i", id_of(hand)) < 0)
        return -1;
    if (doubtful && !json_is_integer(json_object_get(row, "due")) && !done && !again) {
        *out = answer(hand, REFUSED,
                      "nobody knows whether a step that must happen once did: look, then say --done or --again");
        return 0;
    }
    if ((done || again) && settle_marks(hand, done, err) < 0)
        return -1;
    json_object_set(hand->wish, "remediation", json_object_get(row, "id"));
    *out = answer(hand, WALK, "%s", "");
    return sty_ledger_exec(hand->ledger, err, "UPDATE remediations SET due = ? WHERE id = ?", "is",
                           sty_ledger_now(hand->ledger), sty_json_text(row, "id", ""));
}

/* Failed, and what it would do now is what it did then: the same remediation, one attempt more. */
static int retry_failed(bool *same, struct hand *hand, struct sty_error *err)
{
    json_auto_t *row = NULL;
    *same = false;
    if (sty_ledger_row(&row, hand->ledger, err,
                       "SELECT r.id, r.state FROM remediations r JOIN targets t ON t.id = r.target WHERE r.target = ? AND"
                       " r.kind NOT IN ('heal', 'restore') AND r.state <> 'superseded' AND r.to_instance IS coalesce("
                       "t.pinned, t.desired) AND r.from_instance IS (SELECT instance FROM active WHERE target = t.id)"
                       " AND NOT EXISTS (SELECT 1 FROM resources s WHERE s.target = t.id AND s.instance NOT IN"
                       " (coalesce(r.from_instance, ''), coalesce(r.to_instance, ''))) ORDER BY r.seq DESC LIMIT 1",
                       "i", id_of(hand)) < 0)
        return -1;
    const char *state = sty_json_text(row, "state", "");
    if (strcmp(state, "failed") != 0 && strcmp(state, "cancelled") != 0)
        return 0;
    *same = true;
    json_object_set(hand->wish, "remediation", json_object_get(row, "id"));
    return sty_remediation_retry(hand->ledger, sty_json_text(row, "id", ""), err);
}

static int retry(enum verdict *out, struct hand *hand, struct sty_error *err)
{
    json_auto_t *waiting = NULL;
    bool same = false;
    if (held_back(out, hand))
        return 0;
    if (sty_ledger_row(&waiting, hand->ledger, err,
                       "SELECT id, due FROM remediations WHERE target = ? AND state = 'waiting' ORDER BY seq LIMIT 1", "i",
                       id_of(hand)) < 0)
        return -1;
    if (waiting)
        return retry_waiting(out, hand, waiting, err);
    if (!sty_json_text(hand->target, "quarantined", NULL) && !sty_json_int(hand->target, "tainted", 0)) {
        *out = answer(hand, REFUSED, "nothing of it failed or waits");
        return 0;
    }
    if (sty_json_bool(hand->arguments, "done", false) && settle_marks(hand, true, err) < 0)
        return -1;
    if (sty_json_bool(hand->arguments, "again", false) && settle_marks(hand, false, err) < 0)
        return -1;
    *out = answer(hand, WALK, "%s", "");
    json_object_set_new(hand->wish, "requested", json_true());
    if (retry_failed(&same, hand, err) < 0)
        return -1;
    return sty_ledger_exec(hand->ledger, err, "UPDATE targets SET quarantined = NULL, unsettled = 1 WHERE id = ?", "i",
                           id_of(hand));
}

/* ---- rollback, adopt, release ---- */

static int earlier_instance(json_t **out, struct hand *hand, struct sty_error *err)
{
    const char *to = sty_json_text(hand->arguments, "to", NULL);
    return to ? sty_ledger_row(out, hand->ledger, err, "SELECT digest FROM instances WHERE digest = ?", "s", to)
              : sty_ledger_row(out, hand->ledger, err,
                               "SELECT from_instance AS digest FROM remediations WHERE target = ?1 AND state ="
                               " 'succeeded' AND from_instance <> to_instance AND to_instance = (SELECT instance FROM"
                               " active WHERE target = ?1) ORDER BY seq DESC LIMIT 1",
                               "i", id_of(hand));
}

static int rollback(enum verdict *out, struct hand *hand, struct sty_error *err)
{
    json_auto_t *row = NULL;
    if (held_back(out, hand))
        return 0;
    if (earlier_instance(&row, hand, err) < 0)
        return -1;
    const char *digest = sty_json_text(row, "digest", NULL);
    if (!digest) {
        *out = answer(hand, REFUSED, "there is no earlier Instance of it in the ledger");
        return 0;
    }
    json_object_set_new(hand->wish, "requested", json_true());
    json_object_set(hand->wish, "allow_downgrade", json_object_get(hand->arguments, "allow_downgrade"));
    *out = answer(hand, WALK, "pinned to %.13s", digest);
    if (give_up_waiting(hand, err) < 0)
        return -1;
    return sty_ledger_exec(hand->ledger, err,
                           "UPDATE targets SET pinned = ?1, pin_request = ?2, unsettled = 1, quarantined = CASE WHEN"
                           " quarantined = ?1 THEN NULL ELSE quarantined END WHERE id = ?3",
                           "ssi", digest, request_id(hand), id_of(hand));
}

/* With --update what is there becomes ours as it is, and is changed by the create or update that follows. */
static int claim_all(struct hand *hand, struct sty_error *err)
{
    sty_auto_free char *bytes = NULL;
    size_t length = 0;
    sty_auto_ptr(instance) instance = NULL;
    const char *digest = sty_json_text(hand->target, "desired", NULL), *name;
    json_t *component;
    if (!digest)
        return 0;
    if (sty_ledger_instance_get(&bytes, &length, hand->ledger, digest, err) < 0 ||
        sty_instance_parse(&instance, bytes, length, digest, err) < 0)
        return -1;
    json_object_foreach (json_object_get(sty_instance_json(instance), "components"), name, component) {
        const json_t *resources = json_object_get(component, "resources");
        for (size_t i = 0; i < json_array_size(resources); i++)
            if (sty_ledger_exec(hand->ledger, err,
                                "INSERT INTO resources (place, id, target, component, instance) VALUES ('host', ?, ?, ?,"
                                " ?) ON CONFLICT DO NOTHING",
                                "siss", sty_json_text(json_array_get(resources, i), "id", ""), id_of(hand), name,
                                digest) < 0)
                return -1;
    }
    return 0;
}

static int adopt(enum verdict *out, struct hand *hand, struct sty_error *err)
{
    bool update = sty_json_bool(hand->arguments, "update", false);
    if (update && held_back(out, hand))
        return 0;
    *out = answer(hand, WALK, "%s", "");
    if (give_up_waiting(hand, err) < 0 ||
        sty_ledger_exec(hand->ledger, err, "UPDATE targets SET unsettled = 1 WHERE id = ?", "i", id_of(hand)) < 0)
        return -1;
    json_object_set_new(hand->wish, "requested", json_true());
    if (update)
        return claim_all(hand, err);
    return json_object_set_new(hand->wish, "wish", json_string("adopt"));
}

static int release(enum verdict *out, struct hand *hand, struct sty_error *err)
{
    *out = answer(hand, WALK, "%s", "");
    if (give_up_waiting(hand, err) < 0)
        return -1;
    return json_object_set_new(hand->wish, "wish", json_string("release"));
}

/* ---- approve, cancel ---- */

/* What waits is named by the beginning of its digest; a whole digest is taken as it is. */
static int approve(enum verdict *out, struct hand *hand, struct sty_error *err)
{
    json_auto_t *rows = NULL;
    const char *given = sty_json_text(hand->arguments, "digest", "");
    const char *hex = sty_starts_with(given, "sha256:") ? given + strlen("sha256:") : given;
    sty_auto_free char *start = sty_sprintf("sha256:%s", hex);
    if (sty_ledger_rows(&rows, hand->ledger, err,
                        "SELECT DISTINCT json_extract(blocked, '$.digest') AS digest FROM targets WHERE blocked IS NOT"
                        " NULL AND substr(json_extract(blocked, '$.digest'), 1, length(?1)) = ?1",
                        "s", start) < 0)
        return -1;
    const char *digest = json_array_size(rows) == 1 ? sty_json_text(json_array_get(rows, 0), "digest", NULL)
                         : sty_digest_valid(start)  ? start
                                                    : NULL;
    if (!digest) {
        *out = answer(hand, REFUSED, json_array_size(rows) ? "'%s' is the beginning of more than one digest"
                                                           : "nothing that is blocked has the digest '%s'",
                      given);
        return 0;
    }
    *out = answer(hand, DONE, "approved %.19s", digest);
    return sty_ledger_exec(hand->ledger, err,
                           "INSERT INTO approvals (digest, request, at) VALUES (?, ?, ?) ON CONFLICT (digest) DO"
                           " UPDATE SET request = excluded.request, at = excluded.at",
                           "ssi", digest, request_id(hand), sty_ledger_now(hand->ledger));
}

static int cancel(enum verdict *out, struct hand *hand, struct sty_error *err)
{
    json_auto_t *rows = NULL;
    const char *given = sty_json_text(hand->arguments, "id", "");
    if (sty_ledger_rows(&rows, hand->ledger, err,
                        "SELECT id, state FROM remediations WHERE substr(id, 1, length(?1)) = ?1 LIMIT 2", "s", given) <
        0)
        return -1;
    const json_t *row = json_array_get(rows, 0);
    const char *state = sty_json_text(row, "state", "");
    if (json_array_size(rows) != 1)
        *out = answer(hand, REFUSED, row ? "'%s' is the beginning of more than one id" : "there is no remediation '%s'",
                      given);
    else if (strcmp(state, "planned") == 0 || strcmp(state, "waiting") == 0 || strcmp(state, "cancelled") == 0)
        *out = answer(hand, DONE, "cancelled");
    else
        *out = answer(hand, REFUSED, "it has %s already", state);
    if (*out != DONE || strcmp(state, "cancelled") == 0)
        return 0;
    struct sty_run_world world;
    sty_run_world_init(&world, hand->installation);
    return sty_remediation_cancel(&world, sty_json_text(row, "id", ""), "cancelled by hand", err);
}

/* ---- the table ---- */

static const struct {
    const char *kind;
    bool on_target;
    int (*carry_out)(enum verdict *out, struct hand *hand, struct sty_error *err);
} kinds[] = {
    {"retry", true, retry},     {"rollback", true, rollback}, {"suspend", true, suspend}, {"resume", true, resume},
    {"approve", false, approve}, {"adopt", true, adopt},      {"cancel", false, cancel},  {"release", true, release},
};

static int find_target(struct hand *hand, struct sty_error *err)
{
    const char *name = sty_json_text(hand->request, "target", "");
    if (sty_ledger_row(&hand->target, hand->ledger, err,
                       "SELECT * FROM targets WHERE cluster || '/' || environment || '/' || deployment = ?", "s",
                       name) < 0)
        return -1;
    const char *text = sty_json_text(hand->target, "policy", "{}");
    return sty_json_parse(&hand->policy, text, strlen(text), err);
}

static int carry_out(enum verdict *out, struct hand *hand, struct sty_error *err)
{
    const char *kind = sty_json_text(hand->request, "kind", "");
    size_t i = 0;
    while (i < STY_COUNT(kinds) && strcmp(kinds[i].kind, kind) != 0)
        i++;
    if (i == STY_COUNT(kinds)) {
        *out = answer(hand, REFUSED, "this program knows no request '%s'", kind);
        return 0;
    }
    if (kinds[i].on_target && find_target(hand, err) < 0)
        return -1;
    if (kinds[i].on_target && !hand->target) {
        *out = answer(hand, REFUSED, "there is no target '%s' any more", sty_json_text(hand->request, "target", ""));
        return 0;
    }
    json_object_set_new(hand->wish, "target", json_integer(id_of(hand)));
    json_object_set_new(hand->wish, "request", json_string(request_id(hand)));
    return kinds[i].carry_out(out, hand, err);
}

static int close_request(struct sty_ledger *ledger, const json_t *request, bool done, const char *text,
                         struct sty_error *err)
{
    static const char *const kept[] = {"kind", "target", "actor", "via", "reason"};
    json_auto_t *body = json_pack("{s:O, s:s, s:o}", "request", json_object_get(request, "id"), "state",
                                  done ? "done" : "refused", "answer", sty_json_string(text));
    for (size_t i = 0; i < STY_COUNT(kept); i++)
        json_object_set(body, i ? kept[i] : "what", json_object_get(request, kept[i]));
    struct sty_event event = {.kind = done ? "request.done" : "request.refused",
                              .target = sty_json_text(request, "target", NULL),
                              .data = body};
    if (sty_ledger_exec(ledger, err, "UPDATE requests SET state = ?, answer = ?, finished_at = ? WHERE id = ?", "ssis",
                        done ? "done" : "refused", text, sty_ledger_now(ledger), sty_json_text(request, "id", "")) <
            0 ||
        sty_ledger_event(ledger, &event, err) < 0)
        return -1;
    return sty_report_event(ledger, "request", body, err);
}

static int take_one(void *self, struct sty_ledger *ledger, struct sty_error *err)
{
    struct hand *hand = self;
    enum verdict verdict = REFUSED;
    (void)ledger;
    if (carry_out(&verdict, hand, err) < 0)
        return -1;
    if (verdict == WALK)
        return 0;
    json_object_clear(hand->wish);
    return close_request(hand->ledger, hand->request, verdict == DONE, hand->answer, err);
}

static void hand_clear(struct hand *hand)
{
    json_decref(hand->target);
    json_decref(hand->policy);
    json_decref(hand->wish);
}

static int take(json_t *wishes, const struct sty_installation *installation, const json_t *request,
                struct sty_error *err)
{
    json_auto_t *arguments = NULL;
    const char *text = sty_json_text(request, "arguments", "{}");
    if (sty_json_parse(&arguments, text, strlen(text), err) < 0)
        return sty_error_wrap(err, "ledger: request %s", sty_json_text(request, "id", ""));
    __attribute__((cleanup(hand_clear))) struct hand hand = {.installation = installation,
                                                             .ledger = installation->ledger,
                                                             .request = request,
                                                             .arguments = arguments,
                                                             .wish = json_object()};
    if (sty_in_transaction(installation->ledger, take_one, &hand, err) < 0)
        return -1;
    if (json_object_size(hand.wish))
        json_array_append(wishes, hand.wish);
    return 0;
}

int sty_requests_take(json_t *wishes, const struct sty_installation *installation, struct sty_error *err)
{
    json_auto_t *rows = NULL;
    if (sty_ledger_rows(&rows, installation->ledger, err,
                        "SELECT * FROM requests WHERE state = 'pending' ORDER BY seq", "") < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(rows); i++)
        if (take(wishes, installation, json_array_get(rows, i), err) < 0)
            return -1;
    return 0;
}

/* ---- after the walk ---- */

static int outcome_of(bool *done, char text[512], struct sty_ledger *ledger, const json_t *wish, struct sty_error *err)
{
    json_auto_t *row = NULL, *target = NULL;
    if (sty_ledger_row(&row, ledger, err,
                       "SELECT kind, state, error, wait_reason FROM remediations WHERE request = ? OR id = ? ORDER BY"
                       " parent IS NOT NULL, seq DESC LIMIT 1",
                       "ss", sty_json_text(wish, "request", ""), sty_json_text(wish, "remediation", "")) < 0 ||
        sty_ledger_row(&target, ledger, err,
                       "SELECT json_extract(blocked, '$.message') AS message FROM targets WHERE id = ?", "i",
                       sty_json_int(wish, "target", 0)) < 0)
        return -1;
    const char *state = sty_json_text(row, "state", NULL), *blocked = sty_json_text(target, "message", NULL);
    const char *error = sty_json_text(row, "error", sty_json_text(row, "wait_reason", NULL));
    *done = state ? !sty_streq(state, "superseded") : !blocked;
    if (state && *done)
        snprintf(text, 512, "%s %s%s%s", sty_json_text(row, "kind", ""), state, error ? ": " : "", error ? error : "");
    else
        snprintf(text, 512, "%s", blocked ? blocked : "nothing had to be done");
    return 0;
}

static int answer_one(void *self, struct sty_ledger *ledger, struct sty_error *err)
{
    const json_t *wish = self;
    json_auto_t *request = NULL;
    char text[512];
    bool done = false;
    if (sty_ledger_row(&request, ledger, err, "SELECT * FROM requests WHERE id = ? AND state = 'pending'", "s",
                       sty_json_text(wish, "request", "")) < 0 ||
        outcome_of(&done, text, ledger, wish, err) < 0)
        return -1;
    return request ? close_request(ledger, request, done, text, err) : 0;
}

int sty_requests_answer(const json_t *wishes, const struct sty_installation *installation, struct sty_error *err)
{
    for (size_t i = 0; i < json_array_size(wishes); i++)
        if (sty_in_transaction(installation->ledger, answer_one, json_array_get(wishes, i), err) < 0)
            return -1;
    return 0;
}

/* ---- written without the lock ---- */

int sty_request_add(char id[STY_ID_SIZE], struct sty_ledger *ledger, const struct sty_request *request,
                    struct sty_error *err)
{
    json_auto_t *none = json_object();
    char made[STY_ID_SIZE];
    sty_id_new(made);
    if (sty_ledger_exec(ledger, err,
                        "INSERT INTO requests (id, seq, kind, target, arguments, actor, via, reason, created_at, state)"
                        " VALUES (?, (SELECT coalesce(max(seq), 0) + 1 FROM requests), ?, ?, ?, ?, ?, ?, ?, 'pending')",
                        "sssjsssi", made, request->kind, request->target,
                        request->arguments ? request->arguments : none, request->actor, request->via, request->reason,
                        sty_ledger_now(ledger)) < 0)
        return -1;
    memcpy(id, made, sizeof(made));
    return 0;
}

int sty_request_get(json_t **out, struct sty_ledger *ledger, const char *id, struct sty_error *err)
{
    json_t *row = NULL;
    if (sty_ledger_row(&row, ledger, err, "SELECT * FROM requests WHERE id = ?", "s", id) < 0)
        return -1;
    if (!row)
        return sty_error_set(err, STY_NOT_FOUND, "there is no request '%s'", id);
    *out = row;
    return 0;
}

int sty_target_find(char **out, struct sty_ledger *ledger, const char *name, struct sty_error *err)
{
    json_auto_t *rows = NULL;
    sty_auto(str) list = STY_STR_INIT;
    if (sty_ledger_rows(&rows, ledger, err,
                        "SELECT cluster || '/' || environment || '/' || deployment AS name FROM targets WHERE"
                        " substr('/' || cluster || '/' || environment || '/' || deployment, -1 - length(?1)) = '/' || ?1"
                        " ORDER BY 1",
                        "s", name) < 0)
        return -1;
    size_t count = json_array_size(rows);
    for (size_t i = 0; i < count && i < 5; i++)
        sty_str_appendf(&list, "%s%s", i ? ", " : "", sty_json_text(json_array_get(rows, i), "name", ""));
    if (count == 0)
        return sty_error_set(err, STY_NOT_FOUND, "no target '%s'; `styrmin status` lists them", name);
    if (count > 1)
        return sty_error_set(err, STY_USAGE, "'%s' names %zu targets: %s%s", name, count, list.data,
                             count > 5 ? ", ..." : "");
    *out = sty_strdup(sty_json_text(json_array_get(rows, 0), "name", ""));
    return 0;
}
