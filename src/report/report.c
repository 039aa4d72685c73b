/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is reported, and its way out: rows of the outbox inside the transaction that ends the work, notes in the mirror
 * and at the remote afterwards, as often as it takes.
 */
#include "report/report.h"

#include <string.h>

#include "report/report_internal.h"

enum { BATCH = 1000, RETRY_MS = 30000, RETRY_LIMIT_MS = 3600000 };

static int enqueue(struct sty_ledger *ledger, const char *commit, const char *text, const json_t *record,
                   struct sty_error *err)
{
    sty_auto_free char *line = sty_json_canonical_text(record);
    json_auto_t *payload = json_pack("{s:o, s:s}", "text", sty_json_string_or_null(text), "record", line);
    return sty_ledger_exec(ledger, err, "INSERT INTO outbox (kind, key, payload, created_at) VALUES ('note', ?, ?, ?)",
                           "sji", commit, payload, sty_ledger_now(ledger));
}

static json_t *record_base(struct sty_ledger *ledger, const char *kind, const char *commit)
{
    char at[32];
    return json_pack("{s:i, s:s, s:s, s:s}", "format", 1, "kind", kind, "commit", commit, "at",
                     sty_time_text(at, sty_ledger_now(ledger)));
}

int sty_report_commit(struct sty_ledger *ledger, const char *commit, const json_t *blocked, struct sty_error *err)
{
    json_auto_t *row = NULL, *remediations = NULL, *targets = json_array();
    if (sty_ledger_row(&row, ledger, err, "SELECT * FROM commits WHERE oid = ?", "s", commit) < 0 ||
        sty_ledger_rows(
            &remediations, ledger, err,
            "SELECT * FROM remediations WHERE commit_oid = ? AND kind NOT IN ('heal', 'restore') AND request IS NULL AND"
            " state <> 'superseded' ORDER BY seq",
            "s", commit) < 0)
        return -1;
    if (!row)
        return sty_error_set(err, STY_INTERNAL, "commit %.12s is not in the ledger", commit);
    for (size_t i = 0; i < json_array_size(remediations); i++) {
        json_t *part = NULL;
        if (sty_record_target(&part, ledger, json_array_get(remediations, i), err) < 0)
            return -1;
        json_array_append_new(targets, part);
    }
    json_auto_t *record = record_base(ledger, "commit", commit);
    json_object_set(record, "state", json_object_get(row, "state"));
    json_object_set(record, "plan", json_object_get(row, "plan"));
    json_object_set(record, "targets", targets);
    json_object_set_new(record, "blocked", blocked ? json_deep_copy(blocked) : json_array());
    char digest[STY_DIGEST_SIZE];
    if (sty_ledger_record(digest, ledger, commit, record, err) < 0)
        return -1;
    sty_auto(str) text = STY_STR_INIT;
    sty_note_text(&text, row, remediations, blocked, digest);
    return enqueue(ledger, commit, text.data, record, err);
}

int sty_report_superseded(struct sty_ledger *ledger, const char *commit, const char *by, struct sty_error *err)
{
    json_auto_t *record = record_base(ledger, "commit", commit);
    json_object_set_new(record, "state", json_string("superseded"));
    json_object_set_new(record, "by", json_string(by));
    char digest[STY_DIGEST_SIZE];
    if (sty_ledger_record(digest, ledger, commit, record, err) < 0)
        return -1;
    sty_auto_free char *text = sty_sprintf("superseded by %.12s\n\nStyrmin-Record: %s\n", by, digest);
    return enqueue(ledger, commit, text, record, err);
}

int sty_report_event(struct sty_ledger *ledger, const char *kind, const json_t *body, struct sty_error *err)
{
    json_auto_t *source = NULL;
    if (sty_ledger_row(&source, ledger, err, "SELECT walked FROM sources WHERE id = 1", "") < 0)
        return -1;
    const char *commit = sty_json_text(source, "walked", NULL);
    if (!commit)
        return 0;
    json_auto_t *record = record_base(ledger, kind, commit);
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)body, key, value)
        json_object_set(record, key, value);
    char digest[STY_DIGEST_SIZE];
    if (sty_ledger_record(digest, ledger, commit, record, err) < 0)
        return -1;
    return enqueue(ledger, commit, NULL, record, err);
}

int sty_report_remediation(struct sty_ledger *ledger, const json_t *remediation, struct sty_error *err)
{
    json_t *target = NULL;
    if (sty_record_target(&target, ledger, remediation, err) < 0)
        return -1;
    json_auto_t *body = json_pack("{s:[o]}", "targets", target);
    return sty_report_event(ledger, sty_json_text(remediation, "kind", ""), body, err);
}

/* ---- delivery ---- */

/* The notes of a batch of rows, in order; strings borrowed from `payloads`. */
static int notes_of(struct sty_note *notes, json_t *payloads, const json_t *rows, struct sty_arena *arena,
                    struct sty_error *err)
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const char *text = sty_json_text(row, "payload", "");
        json_t *payload = NULL;
        if (sty_json_parse(&payload, text, strlen(text), err) < 0)
            return sty_error_wrap(err, "outbox row %lld", (long long)sty_json_int(row, "id", 0));
        json_array_append_new(payloads, payload);
        notes[i] = (struct sty_note){sty_json_text(row, "key", ""), sty_json_text(payload, "text", NULL),
                                     sty_arena_printf(arena, "%s\n", sty_json_text(payload, "record", ""))};
    }
    return 0;
}

static int mark(struct sty_ledger *ledger, const json_t *rows, const char *error, struct sty_error *err)
{
    if (sty_ledger_begin(ledger, err) < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        int64_t now = sty_ledger_now(ledger), attempts = sty_json_int(row, "attempts", 0);
        int64_t wait = attempts < 7 ? (int64_t)RETRY_MS << attempts : RETRY_LIMIT_MS;
        int result = error
                         ? sty_ledger_exec(ledger, err,
                                           "UPDATE outbox SET attempts = attempts + 1, error = ?, due = ? WHERE id = ?",
                                           "sii", error, now + wait, sty_json_int(row, "id", 0))
                         : sty_ledger_exec(ledger, err, "UPDATE outbox SET delivered_at = ?, error = NULL WHERE id = ?",
                                           "ii", now, sty_json_int(row, "id", 0));
        if (result < 0) {
            sty_ledger_rollback(ledger);
            return -1;
        }
    }
    return sty_ledger_commit(ledger, err);
}

int sty_report_deliver(struct sty_delivery *out, struct sty_ledger *ledger, struct sty_repo *repo,
                       const struct sty_source_config *config, bool push, struct sty_error *err)
{
    struct sty_delivery done = {0};
    json_auto_t *rows = NULL, *payloads = json_array();
    sty_auto_ptr(arena) arena = sty_arena_new();
    if (sty_ledger_rows(&rows, ledger, err,
                        "SELECT * FROM outbox WHERE kind = 'note' AND delivered_at IS NULL ORDER BY id LIMIT ?", "i",
                        (int64_t)BATCH) < 0)
        return -1;
    size_t count = json_array_size(rows);
    if (count == 0) {
        done.pushed = true;
        *out = done;
        return 0;
    }
    struct sty_note *notes = sty_arena_alloc(arena, count * sizeof *notes);
    if (notes_of(notes, payloads, rows, arena, err) < 0 || sty_notes_write(repo, config->name, notes, count, err) < 0)
        return -1;
    done.written = (int)count;
    struct sty_error refused;
    if (push && sty_notes_push(repo, config, &refused) < 0) {
        memcpy(done.error, refused.text, sizeof done.error);
        if (mark(ledger, rows, refused.text, err) < 0)
            return -1;
    } else {
        done.pushed = push;
        if (mark(ledger, rows, NULL, err) < 0)
            return -1;
    }
    *out = done;
    return 0;
}
