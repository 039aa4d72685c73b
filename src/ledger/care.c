/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Care: what is wrong with the ledger, an online copy of it, and what may be forgotten.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ledger/ledger_internal.h"

static void add(json_t *problems, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(json_t *problems, const char *format, ...)
{
    char text[512];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    json_array_append_new(problems, sty_json_string(text));
}

static void check_event(json_t *problems, const json_t *row, int64_t *seq, char previous[STY_DIGEST_SIZE])
{
    char hash[STY_DIGEST_SIZE];
    int64_t here = sty_json_int(row, "seq", 0);
    const char *written = sty_json_text(row, "hash", "");
    sty_event_hash(hash, row);
    if (*seq && here != *seq + 1)
        add(problems, "events: %lld follows %lld", (long long)here, (long long)*seq);
    if (previous[0] && strcmp(sty_json_text(row, "previous", ""), previous) != 0)
        add(problems, "events: %lld does not follow from the one before it", (long long)here);
    if (strcmp(hash, written) != 0)
        add(problems, "events: %lld is not what was written", (long long)here);
    *seq = here;
    snprintf(previous, STY_DIGEST_SIZE, "%s", written);
}

static int check_chain(json_t *problems, struct sty_ledger *ledger, struct sty_error *err)
{
    char previous[STY_DIGEST_SIZE] = "";
    json_auto_t *checkpoint = NULL;
    if (sty_ledger_row(&checkpoint, ledger, err, "SELECT seq, hash FROM checkpoints ORDER BY seq DESC LIMIT 1", "") < 0)
        return -1;
    int64_t seq = sty_json_int(checkpoint, "seq", 0), at = seq;
    snprintf(previous, sizeof previous, "%s", sty_json_text(checkpoint, "hash", ""));
    for (;;) {
        json_auto_t *rows = NULL;
        if (sty_ledger_rows(&rows, ledger, err, "SELECT * FROM events WHERE seq > ? ORDER BY seq LIMIT 1000", "i", at) <
            0)
            return -1;
        if (json_array_size(rows) == 0)
            return 0;
        for (size_t i = 0; i < json_array_size(rows); i++)
            check_event(problems, json_array_get(rows, i), &seq, previous);
        at = seq;
    }
}

static int check_records(json_t *problems, struct sty_ledger *ledger, struct sty_error *err)
{
    json_auto_t *rows = NULL;
    char digest[STY_DIGEST_SIZE], previous[STY_DIGEST_SIZE] = "";
    if (sty_ledger_rows(&rows, ledger, err, "SELECT seq, digest, previous, body FROM records ORDER BY seq", "") < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const char *body = sty_json_text(row, "body", "");
        sty_digest(digest, body, strlen(body));
        if (strcmp(digest, sty_json_text(row, "digest", "")) != 0)
            add(problems, "records: %lld is not what was written", (long long)sty_json_int(row, "seq", 0));
        if (previous[0] && strcmp(previous, sty_json_text(row, "previous", "")) != 0)
            add(problems, "records: %lld does not follow from the one before it",
                (long long)sty_json_int(row, "seq", 0));
        snprintf(previous, sizeof previous, "%s", sty_json_text(row, "digest", ""));
    }
    return 0;
}

static int check_contents(json_t *problems, struct sty_ledger *ledger, const char *list, bool instances,
                          struct sty_error *err)
{
    json_auto_t *rows = NULL;
    if (sty_ledger_rows(&rows, ledger, err, list, "") < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const char *digest = sty_json_text(json_array_get(rows, i), "digest", "");
        sty_auto_free char *bytes = NULL;
        size_t length = 0;
        int result = instances ? sty_ledger_instance_get(&bytes, &length, ledger, digest, err)
                               : sty_ledger_blob_get(&bytes, &length, ledger, digest, err);
        if (result < 0 && err->code != STY_CORRUPT)
            return -1;
        if (result < 0)
            add(problems, "%s", err->text);
    }
    return 0;
}

static int check_file(json_t *problems, struct sty_ledger *ledger, struct sty_error *err)
{
    json_auto_t *integrity = NULL, *keys = NULL;
    if (sty_ledger_rows(&integrity, ledger, err, "PRAGMA integrity_check", "") < 0 ||
        sty_ledger_rows(&keys, ledger, err, "PRAGMA foreign_key_check", "") < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(integrity); i++) {
        const char *text = sty_json_text(json_array_get(integrity, i), "integrity_check", "");
        if (strcmp(text, "ok") != 0)
            add(problems, "file: %s", text);
    }
    for (size_t i = 0; i < json_array_size(keys); i++)
        add(problems, "foreign keys: a row of %s refers to one of %s that is not there",
            sty_json_text(json_array_get(keys, i), "table", "?"),
            sty_json_text(json_array_get(keys, i), "parent", "?"));
    return 0;
}

int sty_ledger_check(json_t **problems, struct sty_ledger *ledger, struct sty_error *err)
{
    json_auto_t *found = json_array();
    if (check_file(found, ledger, err) < 0 || check_chain(found, ledger, err) < 0 ||
        check_records(found, ledger, err) < 0 ||
        check_contents(found, ledger, "SELECT digest FROM instances ORDER BY digest", true, err) < 0 ||
        check_contents(found, ledger, "SELECT digest FROM blobs ORDER BY digest", false, err) < 0)
        return -1;
    *problems = json_incref(found);
    return 0;
}

static int copy_all(sqlite3 *to, struct sty_ledger *ledger)
{
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", ledger->db, "main");
    if (!backup)
        return SQLITE_ERROR;
    int code = sqlite3_backup_step(backup, -1);
    int finished = sqlite3_backup_finish(backup);
    return code == SQLITE_DONE ? finished : code;
}

int sty_ledger_backup(struct sty_ledger *ledger, const char *path, struct sty_error *err)
{
    sty_auto_fd fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    sqlite3 *to = NULL;
    if (fd < 0)
        return sty_error_errno(err, errno == EEXIST ? STY_EXISTS : STY_IO, errno, "%s", path);
    sty_ledger_lock(ledger);
    int code = sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE, NULL);
    if (code == SQLITE_OK)
        code = copy_all(to, ledger);
    sqlite3_close(to);
    sty_ledger_unlock(ledger);
    if (code != SQLITE_OK || fsync(fd) < 0) {
        unlink(path);
        return sty_error_set(err, STY_IO, "copying the ledger to %s: %s", path, sqlite3_errstr(code));
    }
    return 0;
}

/* All but the newest ? of each target; unfinished ones stay. */
static const char old_remediations[] =
    "DELETE FROM remediations WHERE state NOT IN ('planned', 'running', 'waiting') AND seq NOT IN (SELECT seq FROM"
    " (SELECT seq, row_number() OVER (PARTITION BY target ORDER BY seq DESC) AS n FROM remediations) WHERE n <= ?)";
static const char loose_instances[] = "DELETE FROM instances WHERE digest NOT IN (SELECT instance FROM active UNION "
                                      "SELECT desired FROM targets WHERE desired"
                                      " IS NOT NULL UNION SELECT tried FROM targets WHERE tried IS NOT NULL UNION "
                                      "SELECT pinned FROM targets WHERE pinned IS"
                                      " NOT NULL UNION SELECT instance FROM resources UNION SELECT from_instance FROM "
                                      "remediations WHERE from_instance IS NOT"
                                      " NULL UNION SELECT to_instance FROM remediations WHERE to_instance IS NOT NULL)";

static int prune_events(json_t *summary, struct sty_ledger *ledger, int64_t before, struct sty_error *err)
{
    json_auto_t *last = NULL;
    if (sty_ledger_row(&last, ledger, err, "SELECT seq, hash FROM events WHERE at < ? ORDER BY seq DESC LIMIT 1", "i",
                       before) < 0)
        return -1;
    int64_t seq = sty_json_int(last, "seq", 0);
    if (seq &&
        (sty_ledger_exec(ledger, err, "INSERT INTO checkpoints (seq, hash, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                         "isi", seq, sty_json_text(last, "hash", ""), sty_ledger_now(ledger)) < 0 ||
         sty_ledger_exec(ledger, err, "DELETE FROM events WHERE seq <= ?", "i", seq) < 0))
        return -1;
    return json_object_set_new(summary, "events", json_integer(seq ? sty_ledger_changed(ledger) : 0));
}

static int prune_contents(json_t *summary, struct sty_ledger *ledger, int64_t instances, struct sty_error *err)
{
    if (sty_ledger_exec(ledger, err, old_remediations, "i", instances) < 0)
        return -1;
    json_object_set_new(summary, "remediations", json_integer(sty_ledger_changed(ledger)));
    if (sty_ledger_exec(ledger, err, "PRAGMA defer_foreign_keys = ON", "") < 0 ||
        sty_ledger_exec(ledger, err, loose_instances, "") < 0)
        return -1;
    json_object_set_new(summary, "instances", json_integer(sty_ledger_changed(ledger)));
    if (sty_ledger_exec(ledger, err, "DELETE FROM instance_blobs WHERE instance NOT IN (SELECT digest FROM instances)",
                        "") < 0 ||
        sty_ledger_exec(ledger, err, "DELETE FROM blobs WHERE digest NOT IN (SELECT blob FROM instance_blobs)", "") < 0)
        return -1;
    json_object_set_new(summary, "blobs", json_integer(sty_ledger_changed(ledger)));
    return sty_ledger_exec(ledger, err, "DELETE FROM outbox WHERE delivered_at IS NOT NULL", "");
}

int sty_ledger_prune(json_t **summary, struct sty_ledger *ledger, int64_t events_before, int64_t instances,
                     struct sty_error *err)
{
    json_auto_t *counts = json_object();
    if (sty_ledger_begin(ledger, err) < 0)
        return -1;
    if (prune_events(counts, ledger, events_before, err) < 0 || prune_contents(counts, ledger, instances, err) < 0) {
        sty_ledger_rollback(ledger);
        return -1;
    }
    if (sty_ledger_commit(ledger, err) < 0)
        return -1;
    *summary = json_incref(counts);
    return 0;
}
