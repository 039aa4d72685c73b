/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of remediations and steps: how they are born and the only way they move. A row and the event that tells of it are
 * written together, so that the history has no holes.
 */
#include <string.h>
#include "run/run_internal.h"

int sty_steps_record(struct sty_ledger *ledger, const char *id, int64_t attempt, const json_t *steps,
                     struct sty_error *err)
{
    size_t i;
    json_t *step;
    json_array_foreach (steps, i, step)
        if (sty_ledger_exec(ledger, err,
                            "INSERT INTO steps (remediation, attempt, seq, state) VALUES (?, ?, ?, 'pending')", "sii",
                            id, attempt, sty_json_int(step, "seq", (int64_t)i + 1)) < 0)
            return -1;
    return 0;
}

static int tell(struct sty_ledger *ledger, const json_t *row, const char *kind, json_t *data, struct sty_error *err)
{
    sty_auto_free char *name = sty_sprintf("%s/%s/%s", sty_json_text(row, "cluster", ""),
                                           sty_json_text(row, "environment", ""), sty_json_text(row, "deployment", ""));
    struct sty_event event = {.kind = kind,
                              .target = name,
                              .remediation = sty_json_text(row, "id", NULL),
                              .commit = sty_json_text(row, "commit_oid", NULL),
                              .data = data};
    return sty_ledger_event(ledger, &event, err);
}

int sty_remediation_row(json_t **out, struct sty_ledger *ledger, const char *id, struct sty_error *err)
{
    json_t *row = NULL;
    if (sty_ledger_row(&row, ledger, err, "SELECT * FROM remediations WHERE id = ?", "s", id) < 0)
        return -1;
    if (!row)
        return sty_error_set(err, STY_NOT_FOUND, "there is no remediation '%s'", id);
    *out = row;
    return 0;
}

static json_t *short_data(const json_t *row, const char *error)
{
    json_t *data = json_object();
    json_object_set(data, "kind", json_object_get(row, "kind"));
    json_object_set(data, "from", json_object_get(row, "from_instance"));
    json_object_set(data, "to", json_object_get(row, "to_instance"));
    if (error)
        json_object_set_new(data, "error", sty_json_string(error));
    return data;
}

int sty_remediation_record(char id[STY_ID_SIZE], struct sty_ledger *ledger, const struct sty_remediation_new *fresh,
                           struct sty_error *err)
{
    const json_t *document = fresh->document;
    char made[STY_ID_SIZE];
    sty_id_new(made);
    if (sty_ledger_exec(
            ledger, err,
            "INSERT INTO remediations (id, seq, target, cluster, environment, deployment, kind,"
            " from_instance, to_instance, digest, document, commit_oid, request, parent, state, created_at)"
            " VALUES (?, (SELECT coalesce(max(seq), 0) + 1 FROM remediations), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
            " ?, ?, 'planned', ?)",
            "sisssssssjsssi", made, fresh->target, fresh->names->cluster, fresh->names->environment,
            fresh->names->deployment, sty_json_text(document, "kind", ""), sty_json_text(document, "from", NULL),
            sty_json_text(document, "to", NULL), sty_json_text(document, "digest", ""), document, fresh->commit,
            fresh->request, fresh->parent, sty_ledger_now(ledger)) < 0)
        return -1;
    if (sty_steps_record(ledger, made, 1, json_object_get(document, "steps"), err) < 0)
        return -1;
    json_auto_t *row = NULL;
    if (sty_remediation_row(&row, ledger, made, err) < 0)
        return -1;
    json_auto_t *data = short_data(row, NULL);
    if (tell(ledger, row, "remediation.planned", data, err) < 0)
        return -1;
    memcpy(id, made, sizeof(made));
    return 0;
}

static int refuse_move(const char *what, const char *from, const char *to, struct sty_error *err)
{
    return sty_error_set(err, STY_INTERNAL, "%s does not go from '%s' to '%s'", what, from, to);
}

int sty_remediation_move(struct sty_ledger *ledger, const char *id, const char *state, const char *error,
                         struct sty_error *err)
{
    json_auto_t *row = NULL;
    if (sty_remediation_row(&row, ledger, id, err) < 0)
        return -1;
    const char *from = sty_json_text(row, "state", "");
    if (!sty_state_allows(sty_remediation_states, from, state))
        return refuse_move("a remediation", from, state, err);
    int64_t now = sty_ledger_now(ledger);
    bool running = strcmp(state, "running") == 0, ended = sty_state_ended(sty_remediation_states, state);
    if (sty_ledger_exec(ledger, err,
                        "UPDATE remediations SET state = ?1, error = CASE WHEN ?3 THEN error ELSE ?2 END,"
                        " started_at = CASE WHEN ?3 THEN coalesce(started_at, ?4) ELSE started_at END,"
                        " finished_at = CASE WHEN ?5 THEN ?4 END,"
                        " due = NULL, wait_reason = NULL WHERE id = ?6",
                        "ssbibs", state, error, running, now, ended, id) < 0)
        return -1;
    sty_auto_free char *kind = sty_sprintf("remediation.%s", state);
    json_auto_t *data = short_data(row, error);
    return tell(ledger, row, kind, data, err);
}

int sty_remediation_wait(struct sty_ledger *ledger, const char *id, int64_t due, const char *reason,
                         struct sty_error *err)
{
    if (sty_remediation_move(ledger, id, "waiting", reason, err) < 0)
        return -1;
    return due ? sty_ledger_exec(ledger, err, "UPDATE remediations SET due = ?, wait_reason = ? WHERE id = ?", "iss",
                                 due, reason, id)
               : sty_ledger_exec(ledger, err, "UPDATE remediations SET due = NULL, wait_reason = ? WHERE id = ?", "ss",
                                 reason, id);
}

int sty_remediation_retry(struct sty_ledger *ledger, const char *id, struct sty_error *err)
{
    return sty_remediation_wait(ledger, id, sty_ledger_now(ledger), "a person wants it tried again", err);
}

int sty_step_token(struct sty_ledger *ledger, const json_t *step_row, const char *token, struct sty_error *err)
{
    return sty_ledger_exec(ledger, err, "UPDATE steps SET token = ? WHERE remediation = ? AND attempt = ? AND seq = ?",
                           "ssii", token, sty_json_text(step_row, "remediation", ""),
                           sty_json_int(step_row, "attempt", 0), sty_json_int(step_row, "seq", 0));
}

static int step_state(char state[16], struct sty_ledger *ledger, const json_t *step_row, struct sty_error *err)
{
    json_auto_t *row = NULL;
    if (sty_ledger_row(&row, ledger, err, "SELECT state FROM steps WHERE remediation = ? AND attempt = ? AND seq = ?",
                       "sii", sty_json_text(step_row, "remediation", ""), sty_json_int(step_row, "attempt", 0),
                       sty_json_int(step_row, "seq", 0)) < 0)
        return -1;
    if (!row)
        return sty_error_set(err, STY_NOT_FOUND, "there is no such step");
    snprintf(state, 16, "%s", sty_json_text(row, "state", ""));
    return 0;
}

static int write_step(struct sty_ledger *ledger, const json_t *step_row, const char *state, const json_t *result,
                      struct sty_error *err)
{
    json_auto_t *none = json_object();
    const json_t *from = result ? result : none;
    const json_t *status = json_object_get(from, "exit_status");
    sty_auto_free char *number =
        json_is_integer(status) ? sty_sprintf("%lld", (long long)json_integer_value(status)) : NULL;
    bool running = strcmp(state, "running") == 0, ended = sty_state_ended(sty_step_states, state);
    return sty_ledger_exec(ledger, err,
                           "UPDATE steps SET state = ?1, started_at = CASE WHEN ?2 THEN ?3 ELSE started_at END,"
                           " finished_at = CASE WHEN ?4 THEN ?3 ELSE NULL END, exit_status = CAST(?5 AS INTEGER),"
                           " output = coalesce(?6, output), error = ?7 WHERE remediation = ?8 AND attempt = ?9 AND"
                           " seq = ?10",
                           "sbibssssii", state, running, sty_ledger_now(ledger), ended, number,
                           sty_json_text(from, "output", NULL), sty_json_text(from, "error", NULL),
                           sty_json_text(step_row, "remediation", ""), sty_json_int(step_row, "attempt", 0),
                           sty_json_int(step_row, "seq", 0));
}

int sty_step_move(struct sty_ledger *ledger, const json_t *step_row, const char *state, const json_t *result,
                  struct sty_error *err)
{
    char from[16];
    if (step_state(from, ledger, step_row, err) < 0)
        return -1;
    if (!sty_state_allows(sty_step_states, from, state))
        return refuse_move("a step", from, state, err);
    if (write_step(ledger, step_row, state, result, err) < 0)
        return -1;
    json_auto_t *row = NULL;
    if (sty_remediation_row(&row, ledger, sty_json_text(step_row, "remediation", ""), err) < 0)
        return -1;
    json_auto_t *data = json_object();
    json_object_set(data, "attempt", json_object_get(step_row, "attempt"));
    json_object_set(data, "seq", json_object_get(step_row, "seq"));
    if (result && json_object_get(result, "exit_status"))
        json_object_set(data, "exit_status", json_object_get(result, "exit_status"));
    if (result && json_object_get(result, "error"))
        json_object_set(data, "error", json_object_get(result, "error"));
    sty_auto_free char *kind = sty_sprintf("step.%s", state);
    return tell(ledger, row, kind, data, err);
}
