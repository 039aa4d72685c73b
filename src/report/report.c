/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is reported, and its way out: rows of the outbox inside the transaction that ends the work, notes in the mirror
 * and at the remote afterwards, as often as it takes.
 */
#include "report/report.h"

#include <stdio.h>
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

/*
 * What the commit's walk planned, each target's newest: a retry stands for what it tries again, as does taking over what
 * was in the way. What a person asked for
 * otherwise, and what only keeps things as they are, is no outcome of the commit.
 */
static int outcome(json_t **out, struct sty_ledger *ledger, const char *commit, struct sty_error *err)
{
    return sty_ledger_rows(
        out, ledger, err,
        "WITH o AS (SELECT r.*, max(r.seq) AS newest FROM remediations r LEFT JOIN requests q ON q.id = r.request WHERE"
        " r.commit_oid = ? AND r.kind NOT IN ('heal', 'restore') AND (r.request IS NULL OR q.kind IN ('retry',"
        " 'adopt')) AND r.state <> 'superseded' GROUP BY r.cluster, r.environment, r.deployment), v AS NOT MATERIALIZED"
        " (SELECT digest, json_extract(CAST(bytes AS TEXT), '$.application.version') AS version FROM instances) SELECT"
        " o.*, a.instance AS good, a.since AS good_since,"
        " a.commit_oid AS good_commit, (SELECT version FROM v WHERE digest = from_instance AND kind IN ('upgrade',"
        " 'downgrade')) AS from_version, (SELECT version FROM v WHERE digest = to_instance AND kind IN ('upgrade',"
        " 'downgrade')) AS to_version FROM o LEFT JOIN active a ON a.target = o.target ORDER BY o.seq",
        "s", commit);
}

static int target_parts(json_t *targets, struct sty_ledger *ledger, const json_t *remediations, struct sty_error *err)
{
    for (size_t i = 0; i < json_array_size(remediations); i++) {
        json_t *part = NULL;
        if (sty_record_target(&part, ledger, json_array_get(remediations, i), err) < 0)
            return -1;
        json_array_append_new(targets, part);
    }
    return 0;
}

int sty_report_commit(struct sty_ledger *ledger, const char *commit, const json_t *blocked, struct sty_error *err)
{
    json_auto_t *row = NULL, *remediations = NULL, *targets = json_array();
    if (sty_ledger_row(&row, ledger, err, "SELECT * FROM commits WHERE oid = ?", "s", commit) < 0 ||
        outcome(&remediations, ledger, commit, err) < 0 || target_parts(targets, ledger, remediations, err) < 0)
        return -1;
    if (!row)
        return sty_error_set(err, STY_INTERNAL, "commit %.12s is not in the ledger", commit);
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
    json_object_update_missing(record, (json_t *)body);
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

struct sending {
    struct sty_ledger *ledger;
    struct sty_repo *repo;
    const struct sty_source_config *config;
    int64_t last; /* id of the newest row written to the mirror */
    int written;
};

/* A batch, one row a commit: its newest text, its records in order. */
static int read_batch(json_t **out, const struct sending *sending, struct sty_error *err)
{
    return sty_ledger_rows(
        out, sending->ledger, err,
        "WITH batch AS MATERIALIZED (SELECT id, key, payload ->> 'text' AS text, payload ->> 'record' AS record FROM"
        " outbox WHERE kind = 'note' AND delivered_at IS NULL AND id > ? ORDER BY id LIMIT ?) SELECT key, max(id) AS"
        " last, count(*) AS rows, group_concat(record, char(10)) AS records, (SELECT text FROM batch t WHERE t.key ="
        " o.key AND text IS NOT NULL ORDER BY id DESC LIMIT 1) AS text FROM (SELECT * FROM batch ORDER BY key, id) o"
        " GROUP BY key",
        "ii", sending->last, (int64_t)BATCH);
}

/* One batch of what is undelivered after `last`; *more: there may be others. */
static int write_batch(bool *more, struct sending *sending, struct sty_error *err)
{
    json_auto_t *rows = NULL;
    sty_auto_ptr(arena) arena = sty_arena_new();
    if (read_batch(&rows, sending, err) < 0)
        return -1;
    size_t count = json_array_size(rows);
    int64_t taken = 0, last = sending->last;
    struct sty_note *notes = sty_arena_alloc(arena, (count + 1) * sizeof *notes);
    for (size_t i = 0; i < count; i++) {
        const json_t *row = json_array_get(rows, i);
        notes[i] = (struct sty_note){sty_json_text(row, "key", ""), sty_json_text(row, "text", NULL),
                                     sty_json_text(row, "records", NULL)};
        taken += sty_json_int(row, "rows", 0);
        last = sty_json_int(row, "last", 0) > last ? sty_json_int(row, "last", 0) : last;
    }
    if (count && sty_notes_write(sending->repo, sending->config->name, notes, count, err) < 0)
        return -1;
    *more = taken == BATCH;
    sending->last = last;
    sending->written += (int)taken;
    return 0;
}

/*
 * All that is undelivered as soon as any of it is due: an older text must not be written over a newer one of the same
 * commit.
 */
static int write_due(struct sending *sending, struct sty_error *err)
{
    int64_t due = 0;
    if (sty_ledger_number(&due, sending->ledger, err,
                          "SELECT count(*) FROM outbox WHERE kind = 'note' AND delivered_at IS NULL AND due <= ?", "i",
                          sty_ledger_now(sending->ledger)) < 0)
        return -1;
    bool more = due > 0;
    while (more)
        if (write_batch(&more, sending, err) < 0)
            return -1;
    return 0;
}

static int mark_delivered(const struct sending *sending, struct sty_error *err)
{
    return sty_ledger_exec(sending->ledger, err,
                           "UPDATE outbox SET delivered_at = ?, error = NULL WHERE kind = 'note' AND delivered_at IS"
                           " NULL AND id <= ?",
                           "ii", sty_ledger_now(sending->ledger), sending->last);
}

static int mark_refused(const struct sending *sending, const char *error, struct sty_error *err)
{
    return sty_ledger_exec(sending->ledger, err,
                           "UPDATE outbox SET attempts = attempts + 1, error = ?, due = ? + min(?, ? << min(attempts,"
                           " 20)) WHERE kind = 'note' AND delivered_at IS NULL AND id <= ?",
                           "siiii", error, sty_ledger_now(sending->ledger), (int64_t)RETRY_LIMIT_MS, (int64_t)RETRY_MS,
                           sending->last);
}

/* Without a new row there may still be what was written while nothing was to be pushed. */
static int is_worth_a_push(bool *out, const struct sending *sending, struct sty_error *err)
{
    int64_t waiting = 0;
    *out = sending->written > 0;
    if (*out)
        return 0;
    if (sty_ledger_number(&waiting, sending->ledger, err,
                          "SELECT count(*) FROM outbox WHERE kind = 'note' AND delivered_at IS NULL", "") < 0)
        return -1;
    return waiting ? 0 : sty_notes_unpushed(out, sending->repo, sending->config->name, err);
}

static int send(struct sty_delivery *done, const struct sending *sending, struct sty_error *err)
{
    struct sty_error refused;
    bool worth = false;
    if (is_worth_a_push(&worth, sending, err) < 0)
        return -1;
    if (worth && sty_notes_push(sending->repo, sending->config, &refused) < 0) {
        snprintf(done->error, sizeof(done->error), "%s", refused.text);
        return mark_refused(sending, refused.text, err);
    }
    return worth ? mark_delivered(sending, err) : 0;
}

static int all_delivered(bool *out, const struct sending *sending, struct sty_error *err)
{
    json_auto_t *row = NULL;
    if (sty_ledger_row(&row, sending->ledger, err,
                       "SELECT id FROM outbox WHERE kind = 'note' AND delivered_at IS NULL LIMIT 1", "") < 0)
        return -1;
    *out = row == NULL;
    return 0;
}

int sty_report_deliver(struct sty_delivery *out, struct sty_ledger *ledger, struct sty_repo *repo,
                       const struct sty_source_config *config, bool push, struct sty_error *err)
{
    struct sty_delivery done = {0};
    struct sending sending = {.ledger = ledger, .repo = repo, .config = config};
    if (write_due(&sending, err) < 0)
        return -1;
    if ((push ? send(&done, &sending, err) : mark_delivered(&sending, err)) < 0)
        return -1;
    if (push && !done.error[0] && all_delivered(&done.pushed, &sending, err) < 0)
        return -1;
    done.written = sending.written;
    *out = done;
    return 0;
}
