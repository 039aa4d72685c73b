/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each kind of request does. At once where the ledger alone changes; what has to be planned and run becomes a wish
 * of the next walk, and is answered after it.
 */
#include "reconcile/hands_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum sty_hand_verdict sty_hand_answer(struct sty_hand *hand, enum sty_hand_verdict verdict, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(hand->answer, sizeof(hand->answer), format, args);
    va_end(args);
    return verdict;
}

static int64_t id_of(const struct sty_hand *hand)
{
    return sty_json_int(hand->target, "id", 0);
}

static const char *request_id(const struct sty_hand *hand)
{
    return sty_json_text(hand->request, "id", "");
}

/* ---- suspend, resume ---- */

int sty_hand_suspend(enum sty_hand_verdict *out, struct sty_hand *hand, struct sty_error *err)
{
    char text[32];
    int64_t until = sty_json_int(hand->arguments, "until", INT64_MAX);
    *out = until == INT64_MAX ? sty_hand_answer(hand, STY_HAND_DONE, "suspended until `resume`")
                              : sty_hand_answer(hand, STY_HAND_DONE, "suspended until %s", sty_time_text(text, until));
    return sty_ledger_exec(hand->ledger, err,
                           "UPDATE targets SET suspended_until = ?, suspend_request = ?, unsettled = 1 WHERE id = ?",
                           "isi", until, request_id(hand), id_of(hand));
}

/* What was planned or waits for another wish is given up; what runs goes on. */
static int give_up_waiting(struct sty_hand *hand, struct sty_error *err)
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

int sty_hand_resume(enum sty_hand_verdict *out, struct sty_hand *hand, struct sty_error *err)
{
    const json_t *suspend = json_object_get(hand->policy, "suspend");
    bool in_git = json_is_object(suspend) && sty_json_int(hand->target, "wanted", 0);
    bool pinned = sty_json_text(hand->target, "pinned", NULL) != NULL;
    bool suspended = sty_json_int(hand->target, "suspended_until", 0) > sty_ledger_now(hand->ledger) ||
                     (json_is_object(suspend) && !in_git);
    const char *ended = suspended && pinned ? "no longer suspended, no longer pinned"
                        : suspended         ? "no longer suspended"
                        : pinned            ? "no longer pinned"
                                            : "";
    if (in_git)
        *out = sty_hand_answer(hand, pinned || suspended ? STY_HAND_DONE : STY_HAND_REFUSED,
                               "%s%s%s:%d suspends it: change that with a commit", ended, *ended ? "; " : "",
                               sty_json_text(suspend, "file", ""), (int)sty_json_int(suspend, "line", 0));
    else if (!*ended)
        *out = sty_hand_answer(hand, STY_HAND_REFUSED, "it is neither suspended nor pinned by hand");
    else
        *out = sty_hand_answer(hand, STY_HAND_DONE, "%s", ended);
    if (*out == STY_HAND_REFUSED || (pinned && give_up_waiting(hand, err) < 0))
        return *out == STY_HAND_REFUSED ? 0 : -1;
    return sty_ledger_exec(hand->ledger, err,
                           "UPDATE targets SET suspended_until = NULL, suspend_request = NULL, pinned = NULL,"
                           " pin_request = NULL, unsettled = 1,"
                           " policy = iif(wanted, policy, json_remove(policy, '$.suspend')) WHERE id = ?",
                           "i", id_of(hand));
}

/* ---- retry ---- */

/* On a suspended target and in an observed environment nothing starts. */
static bool held_back(enum sty_hand_verdict *out, struct sty_hand *hand)
{
    const json_t *suspend = json_object_get(hand->policy, "suspend");
    if (sty_json_bool(hand->policy, "observe", false))
        *out = sty_hand_answer(hand, STY_HAND_REFUSED, "environment %s is only observed: nothing starts in it",
                               sty_json_text(hand->target, "environment", ""));
    else if (json_is_object(suspend))
        *out = sty_hand_answer(hand, STY_HAND_REFUSED, "%s:%d suspends it: nothing starts",
                               sty_json_text(suspend, "file", ""), (int)sty_json_int(suspend, "line", 0));
    else if (sty_json_int(hand->target, "suspended_until", 0) > sty_ledger_now(hand->ledger))
        *out = sty_hand_answer(hand, STY_HAND_REFUSED, "it is suspended: `styrmin resume` first");
    else
        return false;
    return true;
}

static int settle_marks(struct sty_hand *hand, bool done, struct sty_error *err)
{
    return done ? sty_ledger_exec(hand->ledger, err,
                                  "UPDATE marks SET state = 'done' WHERE target = ? AND state = 'begun'", "i",
                                  id_of(hand))
                : sty_ledger_exec(hand->ledger, err, "DELETE FROM marks WHERE target = ? AND state = 'begun'", "i",
                                  id_of(hand));
}

static int retry_waiting(enum sty_hand_verdict *out, struct sty_hand *hand, const json_t *row, struct sty_error *err)
{
    bool done = sty_json_bool(hand->arguments, "done", false), again = sty_json_bool(hand->arguments, "again", false);
    int64_t doubtful = 0;
    if (sty_ledger_number(&doubtful, hand->ledger, err,
                          "SELECT count(*) FROM marks WHERE target = ? AND state = 'begun'", "i", id_of(hand)) < 0)
        return -1;
    if (doubtful && !json_is_integer(json_object_get(row, "due")) && !done && !again) {
        *out =
            sty_hand_answer(hand, STY_HAND_REFUSED,
                            "nobody knows whether a step that must happen once did: look, then say --done or --again");
        return 0;
    }
    if ((done || again) && settle_marks(hand, done, err) < 0)
        return -1;
    json_object_set(hand->wish, "remediation", json_object_get(row, "id"));
    *out = sty_hand_answer(hand, STY_HAND_WALK, "%s", "");
    return sty_ledger_exec(hand->ledger, err, "UPDATE remediations SET due = ? WHERE id = ?", "is",
                           sty_ledger_now(hand->ledger), sty_json_text(row, "id", ""));
}

/* Failed, and what it would do now is what it did then: the same remediation, one attempt more. */
static int retry_failed(bool *same, struct sty_hand *hand, struct sty_error *err)
{
    json_auto_t *row = NULL;
    *same = false;
    if (sty_ledger_row(
            &row, hand->ledger, err,
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

int sty_hand_retry(enum sty_hand_verdict *out, struct sty_hand *hand, struct sty_error *err)
{
    json_auto_t *waiting = NULL;
    bool same = false;
    if (held_back(out, hand))
        return 0;
    if (sty_ledger_row(&waiting, hand->ledger, err,
                       "SELECT id, due FROM remediations WHERE target = ? AND state = 'waiting' ORDER BY seq LIMIT 1",
                       "i", id_of(hand)) < 0)
        return -1;
    if (waiting)
        return retry_waiting(out, hand, waiting, err);
    if (!sty_json_text(hand->target, "quarantined", NULL) && !sty_json_int(hand->target, "tainted", 0)) {
        *out = sty_hand_answer(hand, STY_HAND_REFUSED, "nothing of it failed or waits");
        return 0;
    }
    if (sty_json_bool(hand->arguments, "done", false) && settle_marks(hand, true, err) < 0)
        return -1;
    if (sty_json_bool(hand->arguments, "again", false) && settle_marks(hand, false, err) < 0)
        return -1;
    *out = sty_hand_answer(hand, STY_HAND_WALK, "%s", "");
    json_object_set_new(hand->wish, "requested", json_true());
    if (retry_failed(&same, hand, err) < 0)
        return -1;
    return sty_ledger_exec(hand->ledger, err, "UPDATE targets SET quarantined = NULL, unsettled = 1 WHERE id = ?", "i",
                           id_of(hand));
}

/* ---- rollback, adopt, release ---- */

static int earlier_instance(json_t **out, struct sty_hand *hand, struct sty_error *err)
{
    const char *to = sty_json_text(hand->arguments, "to", NULL);
    return to ? sty_ledger_row(out, hand->ledger, err, "SELECT digest FROM instances WHERE digest = ?", "s", to)
              : sty_ledger_row(out, hand->ledger, err,
                               "SELECT from_instance AS digest FROM remediations WHERE target = ?1 AND state ="
                               " 'succeeded' AND from_instance <> to_instance AND to_instance = (SELECT instance FROM"
                               " active WHERE target = ?1) ORDER BY seq DESC LIMIT 1",
                               "i", id_of(hand));
}

int sty_hand_rollback(enum sty_hand_verdict *out, struct sty_hand *hand, struct sty_error *err)
{
    json_auto_t *row = NULL;
    if (held_back(out, hand))
        return 0;
    if (earlier_instance(&row, hand, err) < 0)
        return -1;
    const char *digest = sty_json_text(row, "digest", NULL);
    if (!digest) {
        *out = sty_hand_answer(hand, STY_HAND_REFUSED, "there is no earlier Instance of it in the ledger");
        return 0;
    }
    json_object_set_new(hand->wish, "requested", json_true());
    json_object_set(hand->wish, "allow_downgrade", json_object_get(hand->arguments, "allow_downgrade"));
    json_object_set_new(hand->wish, "own", json_true());
    json_object_set(hand->wish, "pinned", json_object_get(hand->target, "pinned"));
    json_object_set(hand->wish, "pin_request", json_object_get(hand->target, "pin_request"));
    *out = sty_hand_answer(hand, STY_HAND_WALK, "pinned to %.13s", digest);
    if (give_up_waiting(hand, err) < 0)
        return -1;
    return sty_ledger_exec(hand->ledger, err,
                           "UPDATE targets SET pinned = ?1, pin_request = ?2, unsettled = 1, quarantined = CASE WHEN"
                           " quarantined = ?1 THEN NULL ELSE quarantined END WHERE id = ?3",
                           "ssi", digest, request_id(hand), id_of(hand));
}

/* With --update what is there becomes ours as it is, and is changed by the create or update that follows. */
static int claim_all(struct sty_hand *hand, struct sty_error *err)
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
            if (sty_ledger_exec(
                    hand->ledger, err,
                    "INSERT INTO resources (place, id, target, component, instance) VALUES ('host', ?, ?, ?,"
                    " ?) ON CONFLICT DO NOTHING",
                    "siss", sty_json_text(json_array_get(resources, i), "id", ""), id_of(hand), name, digest) < 0)
                return -1;
    }
    return 0;
}

int sty_hand_adopt(enum sty_hand_verdict *out, struct sty_hand *hand, struct sty_error *err)
{
    bool update = sty_json_bool(hand->arguments, "update", false);
    if (update && held_back(out, hand))
        return 0;
    *out = sty_hand_answer(hand, STY_HAND_WALK, "%s", "");
    if (give_up_waiting(hand, err) < 0 ||
        sty_ledger_exec(hand->ledger, err, "UPDATE targets SET unsettled = 1 WHERE id = ?", "i", id_of(hand)) < 0)
        return -1;
    json_object_set_new(hand->wish, "requested", json_true());
    if (update)
        return claim_all(hand, err);
    json_object_set_new(hand->wish, "own", json_true());
    return json_object_set_new(hand->wish, "wish", json_string("adopt"));
}

int sty_hand_release(enum sty_hand_verdict *out, struct sty_hand *hand, struct sty_error *err)
{
    *out = sty_hand_answer(hand, STY_HAND_WALK, "%s", "");
    if (give_up_waiting(hand, err) < 0)
        return -1;
    json_object_set_new(hand->wish, "own", json_true());
    return json_object_set_new(hand->wish, "wish", json_string("release"));
}

/* ---- approve, cancel ---- */

/* What waits is named by the beginning of its digest; a whole digest is taken as it is. */
int sty_hand_approve(enum sty_hand_verdict *out, struct sty_hand *hand, struct sty_error *err)
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
        *out = sty_hand_answer(hand, STY_HAND_REFUSED,
                               json_array_size(rows) ? "'%s' is the beginning of more than one digest"
                                                     : "nothing that is blocked has the digest '%s'",
                               given);
        return 0;
    }
    *out = sty_hand_answer(hand, STY_HAND_DONE, "approved %.19s", digest);
    return sty_ledger_exec(hand->ledger, err,
                           "INSERT INTO approvals (digest, request, at) VALUES (?, ?, ?) ON CONFLICT (digest) DO"
                           " UPDATE SET request = excluded.request, at = excluded.at",
                           "ssi", digest, request_id(hand), sty_ledger_now(hand->ledger));
}

int sty_hand_cancel(enum sty_hand_verdict *out, struct sty_hand *hand, struct sty_error *err)
{
    json_auto_t *rows = NULL;
    const char *given = sty_json_text(hand->arguments, "id", "");
    if (sty_ledger_rows(&rows, hand->ledger, err,
                        "SELECT id, state FROM remediations WHERE substr(id, 1, length(?1)) = ?1 LIMIT 2", "s",
                        given) < 0)
        return -1;
    const json_t *row = json_array_get(rows, 0);
    const char *state = sty_json_text(row, "state", "");
    if (json_array_size(rows) != 1)
        *out =
            sty_hand_answer(hand, STY_HAND_REFUSED,
                            row ? "'%s' is the beginning of more than one id" : "there is no remediation '%s'", given);
    else if (strcmp(state, "planned") == 0 || strcmp(state, "waiting") == 0 || strcmp(state, "cancelled") == 0)
        *out = sty_hand_answer(hand, STY_HAND_DONE, "cancelled");
    else
        *out = sty_hand_answer(hand, STY_HAND_REFUSED, "it has %s already", state);
    if (*out != STY_HAND_DONE || strcmp(state, "cancelled") == 0)
        return 0;
    struct sty_run_world world;
    sty_run_world_init(&world, hand->installation);
    return sty_remediation_cancel(&world, sty_json_text(row, "id", ""), "cancelled by hand", err);
}
