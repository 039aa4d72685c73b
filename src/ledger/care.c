/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Care: an online copy of the ledger, and what of it may be forgotten.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "ledger/ledger_internal.h"

static int copy_all(sqlite3 *to, struct sty_ledger *ledger)
{
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", ledger->db, "main");
    if (!backup)
        return SQLITE_ERROR;
    int code = sqlite3_backup_step(backup, -1);
    int finished = sqlite3_backup_finish(backup);
    return code == SQLITE_DONE ? finished : code;
}

/* The name is durable when its folder is. */
static int sync_folder_of(const char *path, struct sty_error *err)
{
    const char *slash = strrchr(path, '/');
    sty_auto_free char *folder = slash ? sty_strndup(path, (size_t)(slash - path) + 1) : sty_strdup(".");
    sty_auto_fd fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && fsync(fd) == 0 ? 0 : sty_error_errno(err, STY_IO, errno, "%s", folder);
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
    int result = code != SQLITE_OK ? sty_error_set(err, STY_IO, "copying the ledger to %s: %s", path,
                                                   code == SQLITE_FULL ? "disk full" : sqlite3_errstr(code))
                 : fsync(fd) < 0 ? sty_error_errno(err, STY_IO, errno, "%s", path)
                                   : sync_folder_of(path, err);
    if (result < 0)
        unlink(path);
    return result;
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

/* Up to the first that stays, whatever a clock set back has left behind it. */
static const char old_events[] = "SELECT seq, hash FROM events WHERE seq < coalesce((SELECT min(seq) FROM events WHERE "
                                 "at >= ?), 9223372036854775807)"
                                 " ORDER BY seq DESC LIMIT 1";

static int prune_events(json_t *summary, struct sty_ledger *ledger, int64_t before, struct sty_error *err)
{
    json_auto_t *last = NULL;
    if (sty_ledger_row(&last, ledger, err, old_events, "i", before) < 0)
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
