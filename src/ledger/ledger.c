/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening and locking the ledger. One connection shared by threads; a transaction holds it.
 */
#include "ledger/ledger_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/failpoint.h"

/* A change of schema.sql is a higher version and one more step. */
static const char *const steps[] = {NULL};
static const struct sty_ledger_schema newest = {.steps = steps, .version = 1};

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

/* A hand without the lock adds requests, and marks its own; nothing else. */
static int hand_may(void *self, int action, const char *table, const char *b, const char *c, const char *d)
{
    (void)self, (void)b, (void)c, (void)d;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_FUNCTION:
    case SQLITE_RECURSIVE:
    case SQLITE_PRAGMA:
    case SQLITE_TRANSACTION:
        return SQLITE_OK;
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
        return strcmp(table, "requests") == 0 ? SQLITE_OK : SQLITE_DENY;
    default:
        return SQLITE_DENY;
    }
}

static int setup(struct sty_ledger *ledger, const char *path, struct sty_error *err)
{
    static const char pragmas[] = "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"
                                  "PRAGMA temp_store = MEMORY;";
    sty_auto_free char *installation = NULL;
    sqlite3_busy_timeout(ledger->db, 5000);
    if (sty_ledger_script(ledger, pragmas, err) < 0 || sty_ledger_prepare(ledger, path, &newest, err) < 0 ||
        sty_ledger_meta_get(&installation, ledger, "installation", err) < 0)
        return sty_error_wrap(err, "%s", path);
    if (!installation)
        return sty_error_set(err, STY_CORRUPT, "%s is no ledger of Styrmin", path);
    snprintf(ledger->installation, sizeof ledger->installation, "%s", installation);
    if (ledger->mode == STY_LEDGER_HAND)
        sqlite3_set_authorizer(ledger->db, hand_may, NULL);
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

/*
 * The file's own descriptor settles its mode and that it is no symlink (SQLite's own flag would refuse one anywhere in
 * the path, and state directories often stand behind one).
 */
static int settle_file(const char *path, enum sty_ledger_mode mode, struct sty_error *err)
{
    int flags = O_CLOEXEC | O_NOFOLLOW | (mode == STY_LEDGER_READ ? O_RDONLY : O_RDWR);
    sty_auto_fd fd = open(path, flags | (mode == STY_LEDGER_WRITE ? O_CREAT : 0), 0600);
    if (fd >= 0)
        return 0;
    if (errno == ENOENT && mode != STY_LEDGER_WRITE)
        return sty_error_set(err, STY_NOT_FOUND, "there is no ledger at %s: no sync has run yet", path);
    return sty_error_errno(err, errno == EACCES ? STY_DENIED : STY_IO, errno, "%s", path);
}

int sty_ledger_open(struct sty_ledger **out, const char *state_dir, enum sty_ledger_mode mode, struct sty_error *err)
{
    bool memory = mode == STY_LEDGER_EMPTY;
    sty_auto_free char *path = memory ? sty_strdup(":memory:") : sty_sprintf("%s/ledger.db", state_dir);
    if (!memory && settle_file(path, mode, err) < 0)
        return -1;
    sty_auto_ptr(ledger) ledger = new_ledger(mode);
    int flags = SQLITE_OPEN_FULLMUTEX | (mode == STY_LEDGER_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
    int code = sqlite3_open_v2(path, &ledger->db, flags, NULL);
    if (code != SQLITE_OK)
        return sty_error_set(err, STY_IO, "%s: %s", path, sqlite3_errstr(code));
    if (setup(ledger, path, err) < 0)
        return -1;
    *out = sty_take(ledger);
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
    return number
               ? sty_error_errno(err, STY_IO, number, "ledger: %s (%s)", number == ENOSPC ? "disk full" : "disk", what)
               : 0;
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
    (void)sty_failpoint(ledger_committed);
    return 0;
}

void sty_ledger_rollback(struct sty_ledger *ledger)
{
    sty_ledger_lock(ledger);
    if (ledger->open) {
        sqlite3_exec(ledger->db, "ROLLBACK", NULL, NULL, NULL);
        ledger->open = false;
        sty_ledger_unlock(ledger);
    }
    sty_ledger_unlock(ledger);
}

const char *sty_ledger_installation(const struct sty_ledger *ledger)
{
    return ledger->installation;
}
