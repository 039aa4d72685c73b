/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* ledger_fixture: a ledger in a folder of its own, and SQL on its file behind its back. Included by one .c each. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "ledger/ledger.h"

static char folder[64];
static struct sty_error err;

#define ok(call)                                                                                                       \
    do {                                                                                                               \
        if ((call) < 0)                                                                                                \
            fail_msg("%s: %s", #call, err.text);                                                                       \
    } while (0)

/* Path below the folder; good for the next three calls. */
static inline const char *ledger_file(const char *name)
{
    static char paths[4][256];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static inline void sql_on(const char *name, const char *sql)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    assert_int_equal(sqlite3_open(ledger_file(name), &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s", message);
    sqlite3_close(db);
}

static inline void behind(const char *sql)
{
    sql_on("ledger.db", sql);
}

static inline int setup(void **state)
{
    struct sty_ledger *ledger = NULL;
    snprintf(folder, sizeof folder, "/tmp/styrmin-ledger-XXXXXX");
    if (!mkdtemp(folder) || sty_ledger_open(&ledger, folder, STY_LEDGER_WRITE, &err) < 0)
        return -1;
    *state = ledger;
    return 0;
}

static inline int teardown(void **state)
{
    sty_ledger_close(*state);
    return sty_directory_remove(folder, &err);
}
