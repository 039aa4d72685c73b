/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * ledger: the local SQLite database of what was seen, decided and done. It knows rows and digests, not stages; the
 * tables and their meaning stand in schema.sql.
 *
 * Calling sequence: sty_ledger_open(); reads at any time; writes inside sty_ledger_begin() .. sty_ledger_commit();
 * sty_ledger_close(). One connection, shared by threads: a transaction holds the ledger's lock until it ends, reads
 * outside one take it per call. Whoever begins must end on the same thread. Every write is durable when commit returns
 * (WAL, synchronous=FULL). A write that fails leaves the transaction to be rolled back by its owner.
 *
 * Rows come back as JSON objects with the column names as keys (NULL as null, columns that hold JSON stay text): what
 * readers print and stages look up is the same thing, and a column added later breaks nobody.
 */
#include <stdbool.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/json.h"
#include "base/memory.h"
#include "styrmin/error.h"

struct sty_ledger;

enum sty_ledger_mode {
    STY_LEDGER_WRITE, /* make it if absent, migrate it (the old file is kept as .v<N>.bak) */
    STY_LEDGER_READ,  /* STY_NOT_FOUND if absent; an older one is read as it is, never migrated or written */
    STY_LEDGER_EMPTY, /* one of its own in memory that holds nothing: for planning where nothing was ever done */
    STY_LEDGER_HAND   /* as READ, but rows of `requests` may be written (a person's hand, without the lock);
                       * writing anything else is STY_DENIED */
};
/*
 * Open <state_dir>/ledger.db (0600). A newer schema than this program's is STY_CORRUPT, naming both and what to do; so
 * is a file that is no ledger. STY_IO for the disk.
 */
int sty_ledger_open(struct sty_ledger **out, const char *state_dir, enum sty_ledger_mode mode, struct sty_error *err);
void sty_ledger_close(struct sty_ledger *ledger); /* NULL is a no-op; rolls back what is open */
static inline void sty_ledger_free(struct sty_ledger *ledger)
{
    sty_ledger_close(ledger);
}
STY_DEFINE_AUTO_PTR(ledger)
/* Times in rows come from this; default: the wall clock. */
void sty_ledger_set_clock(struct sty_ledger *ledger, int64_t (*now_ms)(void *self), void *self);
int64_t sty_ledger_now(const struct sty_ledger *ledger);

/* Transactions do not nest: begin inside one is a mistake in Styrmin (aborts). rollback outside one is a no-op. */
int sty_ledger_begin(struct sty_ledger *ledger, struct sty_error *err);
int sty_ledger_commit(struct sty_ledger *ledger, struct sty_error *err); /* on failure it was rolled back */
void sty_ledger_rollback(struct sty_ledger *ledger);

/*
 * One statement with its values, in order, by `format`: s text (NULL: null), i int64_t, b bool, n nothing (null),
 * B (const void *, size_t) blob, j json_t * (stored as canonical text; borrowed; NULL: null).
 *
 *     sty_ledger_exec(ledger, err, "UPDATE targets SET tainted = ? WHERE id = ?", "bi", true, id)
 *     sty_ledger_rows(&rows, ledger, err, "SELECT * FROM steps WHERE remediation = ?", "s", id)
 *
 * SQL is a constant of the caller; values never go into its text. rows: a new JSON array of objects; bytes
 * that are no text are read by sty_ledger_blob_get() and sty_ledger_instance_get(). exec outside a transaction is a
 * transaction of its own. Out-of-space and I/O errors are STY_IO and say "disk full" where it is.
 */
int sty_ledger_exec(struct sty_ledger *ledger, struct sty_error *err, const char *sql, const char *format, ...);
int sty_ledger_rows(json_t **out, struct sty_ledger *ledger, struct sty_error *err, const char *sql, const char *format,
                    ...);
/* The first row, or NULL in *out when there is none. A new reference. */
int sty_ledger_row(json_t **out, struct sty_ledger *ledger, struct sty_error *err, const char *sql, const char *format,
                   ...);
/* The first column of the first row as a number; `*out` stays when there is no row. */
int sty_ledger_number(int64_t *out, struct sty_ledger *ledger, struct sty_error *err, const char *sql,
                      const char *format, ...);
/*
 * Every row in turn, for answers of many thousand rows: its columns as text, NULL where null, borrowed during the call.
 * The visitor may not use the ledger; where it fails, so does this.
 */
struct sty_ledger_visitor {
    int (*visit)(void *self, const char *const *columns, struct sty_error *err);
    void *self;
};
int sty_ledger_each(struct sty_ledger *ledger, const struct sty_ledger_visitor *visitor, struct sty_error *err,
                    const char *sql, const char *format, ...);
/* Rows changed by the last exec on this connection. */
int64_t sty_ledger_changed(const struct sty_ledger *ledger);

/* ---- meta ---- */

/* malloc'd, or NULL in *out when the key is absent. */
int sty_ledger_meta_get(char **out, struct sty_ledger *ledger, const char *key, struct sty_error *err);
int sty_ledger_meta_set(struct sty_ledger *ledger, const char *key, const char *value, struct sty_error *err);
/* This installation's random id, made with the ledger. Borrowed. */
const char *sty_ledger_installation(const struct sty_ledger *ledger);
#define STY_DIGEST_KEY_SIZE 65 /* 64 hex digits and the NUL */
/* The cluster's key of keyed digests of secrets; made when first asked for, which needs a ledger open for writing. */
int sty_ledger_digest_key(char out[STY_DIGEST_KEY_SIZE], struct sty_ledger *ledger, const char *cluster,
                          struct sty_error *err);

/* ---- content by digest ---- */

/* Already there: nothing happens. */
int sty_ledger_blob_put(struct sty_ledger *ledger, const char *digest, const void *bytes, size_t length,
                        struct sty_error *err);
int sty_ledger_instance_put(struct sty_ledger *ledger, const char *digest, const void *bytes, size_t length,
                            struct sty_error *err);
int sty_ledger_instance_blob(struct sty_ledger *ledger, const char *instance, const char *blob, struct sty_error *err);
/* malloc'd bytes, verified against the digest (STY_CORRUPT). STY_NOT_FOUND. Thread-safe. */
int sty_ledger_blob_get(char **bytes, size_t *length, struct sty_ledger *ledger, const char *digest,
                        struct sty_error *err);
int sty_ledger_instance_get(char **bytes, size_t *length, struct sty_ledger *ledger, const char *digest,
                            struct sty_error *err);

/* ---- events ---- */

struct sty_event {
    const char *kind;        /* stable id, "remediation.failed" */
    const char *target;      /* full name, or NULL */
    const char *remediation; /* id, or NULL */
    const char *commit;      /* or NULL */
    json_t *data;            /* borrowed; NULL: {} */
};
/* Append to the chain, inside the caller's transaction. */
int sty_ledger_event(struct sty_ledger *ledger, const struct sty_event *event, struct sty_error *err);

/* ---- records ---- */

/*
 * Number `record` (an object; sequence, previous and installation are set here), append it to the chain and return its
 * digest: SHA-256 of its canonical bytes. Inside the caller's transaction.
 */
int sty_ledger_record(char digest[STY_DIGEST_SIZE], struct sty_ledger *ledger, const char *commit, json_t *record,
                      struct sty_error *err);

/* ---- care ---- */

/* Every violation found in chain, foreign keys, contents and integrity_check, as a JSON array of texts. */
int sty_ledger_check(json_t **problems, struct sty_ledger *ledger, struct sty_error *err);
/* Online copy to a new file (STY_EXISTS if there is one), durable when it returns. */
int sty_ledger_backup(struct sty_ledger *ledger, const char *path, struct sty_error *err);
/* Delete events older than `events_before` behind a checkpoint, Instances and blobs nothing refers to beyond the
 * newest `instances` per target, delivered outbox rows. Active, pinned, tried, inventory and unfinished stay. */
int sty_ledger_prune(json_t **summary, struct sty_ledger *ledger, int64_t events_before, int64_t instances,
                     struct sty_error *err);
