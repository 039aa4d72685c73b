/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a person asked for. A request is a row, carried out by whoever holds the lock: at once where the ledger alone
 * changes, by the next walk where something has to be planned and run. Each leaves an event and a record with who, via
 * what and why. What each kind does is in hands.c.
 */
#include "reconcile/hands_internal.h"

#include <stdio.h>
#include <string.h>

#include "report/report.h"

/* ---- the table ---- */

static const struct {
    const char *kind;
    bool on_target;
    int (*carry_out)(enum sty_hand_verdict *out, struct sty_hand *hand, struct sty_error *err);
} kinds[] = {
    {"retry", true, sty_hand_retry},    {"rollback", true, sty_hand_rollback}, {"suspend", true, sty_hand_suspend},
    {"resume", true, sty_hand_resume},  {"approve", false, sty_hand_approve},  {"adopt", true, sty_hand_adopt},
    {"cancel", false, sty_hand_cancel}, {"release", true, sty_hand_release},
};

static int find_target(struct sty_hand *hand, struct sty_error *err)
{
    const char *name = sty_json_text(hand->request, "target", "");
    if (sty_ledger_row(&hand->target, hand->ledger, err,
                       "SELECT * FROM targets WHERE cluster || '/' || environment || '/' || deployment = ?", "s",
                       name) < 0)
        return -1;
    const char *text = sty_json_text(hand->target, "policy", "{}");
    return sty_json_parse(&hand->policy, text, strlen(text), err);
}

static int carry_out(enum sty_hand_verdict *out, struct sty_hand *hand, struct sty_error *err)
{
    const char *kind = sty_json_text(hand->request, "kind", "");
    size_t i = 0;
    while (i < STY_COUNT(kinds) && strcmp(kinds[i].kind, kind) != 0)
        i++;
    if (i == STY_COUNT(kinds)) {
        *out = sty_hand_answer(hand, STY_HAND_REFUSED, "this program knows no request '%s'", kind);
        return 0;
    }
    if (kinds[i].on_target && find_target(hand, err) < 0)
        return -1;
    if (kinds[i].on_target && !hand->target) {
        *out = sty_hand_answer(hand, STY_HAND_REFUSED, "there is no target '%s' any more",
                               sty_json_text(hand->request, "target", ""));
        return 0;
    }
    json_object_set_new(hand->wish, "target", json_integer(sty_json_int(hand->target, "id", 0)));
    json_object_set_new(hand->wish, "request", json_string(sty_json_text(hand->request, "id", "")));
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
                        done ? "done" : "refused", text, sty_ledger_now(ledger),
                        sty_json_text(request, "id", "")) < 0 ||
        sty_ledger_event(ledger, &event, err) < 0)
        return -1;
    return sty_report_event(ledger, "request", body, err);
}

static int take_one(void *self, struct sty_ledger *ledger, struct sty_error *err)
{
    struct sty_hand *hand = self;
    enum sty_hand_verdict verdict = STY_HAND_REFUSED;
    (void)ledger;
    if (carry_out(&verdict, hand, err) < 0)
        return -1;
    if (verdict == STY_HAND_WALK)
        return 0;
    json_object_clear(hand->wish);
    return close_request(hand->ledger, hand->request, verdict == STY_HAND_DONE, hand->answer, err);
}

static void hand_clear(struct sty_hand *hand)
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
    __attribute__((cleanup(hand_clear))) struct sty_hand hand = {.installation = installation,
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
    if (sty_ledger_rows(&rows, installation->ledger, err, "SELECT * FROM requests WHERE state = 'pending' ORDER BY seq",
                        "") < 0)
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
        sty_ledger_row(
            &target, ledger, err,
            "SELECT json_extract(blocked, '$.message') AS message, json_extract(blocked, '$.kind') AS kind FROM"
            " targets WHERE id = ?",
            "i", sty_json_int(wish, "target", 0)) < 0)
        return -1;
    const char *state = sty_json_text(row, "state", NULL), *blocked = sty_json_text(target, "message", NULL);
    bool pins = json_object_get(wish, "pinned");
    const char *error = sty_json_text(row, "error", sty_json_text(row, "wait_reason", NULL));
    *done = state ? !sty_streq(state, "superseded") : !blocked;
    if (state && *done)
        snprintf(text, 512, "%s %s%s%s", sty_json_text(row, "kind", ""), state, error ? ": " : "", error ? error : "");
    else
        snprintf(text, 512, "%s%s", blocked ? blocked : "nothing had to be done",
                 blocked && pins && sty_streq(sty_json_text(target, "kind", ""), "downgrade")
                     ? "; with --allow-downgrade it is done all the same"
                     : "");
    return 0;
}

/* What was not let through leaves nothing behind: the next walk looks at the target as if it had not been asked. */
static int take_back(struct sty_ledger *ledger, const json_t *wish, struct sty_error *err)
{
    int64_t target = sty_json_int(wish, "target", 0);
    if (!sty_json_bool(wish, "own", false))
        return 0;
    if (json_object_get(wish, "pinned") &&
        sty_ledger_exec(ledger, err, "UPDATE targets SET pinned = ?, pin_request = ? WHERE id = ?", "ssi",
                        sty_json_text(wish, "pinned", NULL), sty_json_text(wish, "pin_request", NULL), target) < 0)
        return -1;
    return sty_ledger_exec(ledger, err, "UPDATE targets SET blocked = NULL, unsettled = 1 WHERE id = ?", "i", target);
}

static int answer_one(void *self, struct sty_ledger *ledger, struct sty_error *err)
{
    const json_t *wish = self;
    json_auto_t *request = NULL;
    char text[512];
    bool done = false;
    if (sty_ledger_row(&request, ledger, err, "SELECT * FROM requests WHERE id = ? AND state = 'pending'", "s",
                       sty_json_text(wish, "request", "")) < 0 ||
        outcome_of(&done, text, ledger, wish, err) < 0 || (!done && take_back(ledger, wish, err) < 0))
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
    if (sty_ledger_rows(
            &rows, ledger, err,
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
