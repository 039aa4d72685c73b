/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening, migrating and locking the ledger. One connection shared by threads; a transaction holds it.
 */
#include "ledger/ledger_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/embed.h"
#include "base/failpoint.h"
#include "base/file.h"

extern const struct sty_embedded sty_embedded_ledger_sql[];

enum { SCHEMA = 1 };

/* From version i + 1 to i + 2, each one script; the schema file always holds the newest. */
static const char *const migrations[] = {NULL};

static int64_t wall_clock(void *self)
{
    (void)self;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void sty_ledger_set_clock(struct sty_ledger *ledger, int64_t (*now_ms)(void *self), void *self)
{
    ledger->now_ms = now_ms;
    ledger->clock = self;
}

int64_t sty_ledger_now(const struct sty_ledger *ledger)
{
    return ledger->now_ms(ledger->clock);
}

static int version_of(int64_t *out, struct sty_ledger *ledger, struct sty_error *err)
{
    return sty_ledger_number(out, ledger, err, "PRAGMA user_version", "");
}

static int create(struct sty_ledger *ledger, struct sty_error *err)
{
    char id[STY_ID_SIZE];
    sty_id_new(id);
    if (sty_ledger_begin(ledger, err) < 0)
        return -1;
    if (sty_ledger_script(ledger, sty_embedded_ledger_sql[0].bytes, err) < 0 ||
        sty_ledger_exec(ledger, err, "INSERT INTO meta (key, value) VALUES ('installation', ?)", "s", id) < 0) {
        sty_ledger_rollback(ledger);
        return -1;
    }
    return sty_ledger_commit(ledger, err);
}

static int migrate(struct sty_ledger *ledger, const char *path, int64_t version, struct sty_error *err)
{
    sty_auto_free char *kept = sty_sprintf("%s.v%lld.bak", path, (long long)version);
    if (access(kept, F_OK) != 0 && sty_ledger_backup(ledger, kept, err) < 0)
        return sty_error_wrap(err, "before migrating the ledger");
    if (sty_ledger_begin(ledger, err) < 0)
        return -1;
    for (int64_t v = version; v < SCHEMA; v++)
        if (sty_ledger_script(ledger, migrations[v - 1], err) < 0) {
            sty_ledger_rollback(ledger);
            return -1;
        }
    sty_auto_free char *stamp = sty_sprintf("PRAGMA user_version = %d", SCHEMA);
    if (sty_ledger_script(ledger, stamp, err) < 0) {
        sty_ledger_rollback(ledger);
        return -1;
    }
    return sty_ledger_commit(ledger, err);
}

static int prepare_schema(struct sty_ledger *ledger, const char *path, struct sty_error *err)
{
    int64_t version = 0;
    if (version_of(&version, ledger, err) < 0)
        return -1;
    if (version > SCHEMA)
        return sty_error_set(
            err, STY_CORRUPT,
            "%s has schema %lld, this program knows %d: run the newer Styrmin, or restore its .bak file", path,
            (long long)version, SCHEMA);
    if (version == SCHEMA)
        return 0;
    if (ledger->mode != STY_LEDGER_WRITE)
        return version ? 0 : sty_error_set(err, STY_NOT_FOUND, "%s is empty: no sync has run yet", path);
    return version == 0 ? create(ledger, err) : migrate(ledger, path, version, err);
}

int sty_ledger_setup(struct sty_ledger *ledger, const char *path, struct sty_error *err)
{
    static const char pragmas[] = "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"
                                  "PRAGMA temp_store = MEMORY;";
    sqlite3_busy_timeout(ledger->db, 5000);
    if (sty_ledger_script(ledger, pragmas, err) < 0 ||
        (ledger->mode == STY_LEDGER_WRITE && sty_ledger_script(ledger, "PRAGMA journal_mode = WAL", err) < 0) ||
        prepare_schema(ledger, path, err) < 0)
        return -1;
    sty_auto_free char *installation = NULL;
    if (sty_ledger_meta_get(&installation, ledger, "installation", err) < 0)
        return -1;
    if (!installation)
        return sty_error_set(err, STY_CORRUPT, "%s is no ledger of Styrmin", path);
    snprintf(ledger->installation, sizeof ledger->installation, "%s", installation);
    return 0;
}

static struct sty_ledger *new_ledger(enum sty_ledger_mode mode)
{
    struct sty_ledger *ledger = sty_calloc(1, sizeof *ledger);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&ledger->lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
    ledger->mode = mode;
    ledger->now_ms = wall_clock;
    return ledger;
}

int sty_ledger_open(struct sty_ledger **out, const char *state_dir, enum sty_ledger_mode mode, struct sty_error *err)
{
    sty_auto_free char *path = sty_sprintf("%s/ledger.db", state_dir);
    bool make = mode == STY_LEDGER_WRITE;
    if (!make && access(path, F_OK) != 0)
        return sty_error_set(err, STY_NOT_FOUND, "there is no ledger at %s: no sync has run yet", path);
    int flags = (make                      ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                 : mode == STY_LEDGER_HAND ? SQLITE_OPEN_READWRITE
                                           : SQLITE_OPEN_READONLY) |
                SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_NOFOLLOW;
    mode_t before = umask(0077);
    struct sty_ledger *ledger = new_ledger(mode);
    int code = sqlite3_open_v2(path, &ledger->db, flags, NULL);
    int result = code == SQLITE_OK ? sty_ledger_setup(ledger, path, err)
                                   : sty_error_set(err, STY_IO, "%s: %s", path, sqlite3_errstr(code));
    umask(before);
    if (result < 0) {
        sty_ledger_close(ledger);
        return -1;
    }
    *out = ledger;
    return 0;
}

void sty_ledger_close(struct sty_ledger *ledger)
{
    if (!ledger)
        return;
    sty_ledger_rollback(ledger);
    for (size_t i = 0; i < ledger->statements.used; i++)
        sqlite3_finalize(ledger->statements.entries[i].value);
    sty_map_clear(&ledger->statements);
    sqlite3_close(ledger->db);
    pthread_mutex_destroy(&ledger->lock);
    free(ledger);
}

/* A failpoint that wants an error gives it as the disk would. */
static int fault(int number, const char *what, struct sty_error *err)
{
    return number ? sty_error_errno(err, STY_IO, number, "ledger: %s", what) : 0;
}

int sty_ledger_begin(struct sty_ledger *ledger, struct sty_error *err)
{
    sty_ledger_lock(ledger);
    if (ledger->open)
        abort();
    if (fault(sty_failpoint(ledger_begin), "begin", err) < 0 || sty_ledger_script(ledger, "BEGIN IMMEDIATE", err) < 0) {
        sty_ledger_unlock(ledger);
        return -1;
    }
    ledger->open = true;
    return 0;
}

int sty_ledger_commit(struct sty_ledger *ledger, struct sty_error *err)
{
    if (!ledger->open)
        abort();
    if (fault(sty_failpoint(ledger_commit), "commit", err) < 0 || sty_ledger_script(ledger, "COMMIT", err) < 0) {
        sty_ledger_rollback(ledger);
        return -1;
    }
    ledger->open = false;
    sty_ledger_unlock(ledger);
    return fault(sty_failpoint(ledger_committed), "after commit", err);
}

void sty_ledger_rollback(struct sty_ledger *ledger)
{
    if (!ledger->open)
        return;
    sqlite3_exec(ledger->db, "ROLLBACK", NULL, NULL, NULL);
    ledger->open = false;
    sty_ledger_unlock(ledger);
}

const char *sty_ledger_installation(const struct sty_ledger *ledger)
{
    return ledger->installation;
}
