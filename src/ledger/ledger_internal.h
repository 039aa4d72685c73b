/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* ledger_internal: the connection, and statements on it. */
#include <pthread.h>
#include <sqlite3.h>
#include <stdarg.h>

#include "base/map.h"
#include "ledger/ledger.h"

struct sty_ledger {
    sqlite3 *db;
    pthread_mutex_t lock;      /* recursive: held by a transaction from begin to its end */
    struct sty_map statements; /* SQL -> sqlite3_stmt, prepared once */
    enum sty_ledger_mode mode;
    bool open; /* a transaction is */
    int64_t changed;
    int64_t (*now_ms)(void *self);
    void *clock;
    char installation[STY_ID_SIZE];
};

void sty_ledger_lock(struct sty_ledger *ledger);
void sty_ledger_unlock(struct sty_ledger *ledger);
/* err from the connection's state, "disk full" where it is. */
int sty_ledger_fail(struct sty_ledger *ledger, const char *what, struct sty_error *err);
/* A prepared statement with its values bound; reset it when done. Under the lock. */
sqlite3_stmt *sty_ledger_statement(struct sty_ledger *ledger, const char *sql, const char *format, va_list *values,
                                   struct sty_error *err);
/* SQL without values, any number of statements. */
int sty_ledger_script(struct sty_ledger *ledger, const char *sql, struct sty_error *err);
/* What `previous` is where nothing comes before. */
extern const char sty_ledger_genesis[STY_DIGEST_SIZE];
/* The hash of an event's row, its `hash` left out. STY_INVALID for a row that Styrmin cannot have written. */
int sty_event_hash(char out[STY_DIGEST_SIZE], const json_t *row, struct sty_error *err);

/* The way to the newest version: steps[i] is a script that takes version i + 1 to i + 2. */
struct sty_ledger_schema {
    const char *const *steps;
    int64_t version;
};
/* Make the schema, or bring the file's to `schema`, as the mode allows; what is no ledger is refused. */
int sty_ledger_prepare(struct sty_ledger *ledger, const char *path, const struct sty_ledger_schema *schema,
                       struct sty_error *err);
