/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schema's versions. A migration is one transaction after the old file was copied whole, so that a crash at any
 * point leaves either the old ledger or the new one, and the old program has its file to go back to.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/embed.h"
#include "ledger/ledger_internal.h"

extern const struct sty_embedded sty_embedded_ledger_sql[];

static int create(struct sty_ledger *ledger, struct sty_error *err)
{
    char id[STY_ID_SIZE];
    sty_id_new(id);
    if (sty_ledger_begin(ledger, err) < 0)
        return -1;
    if (sty_ledger_script(ledger, sty_embedded_ledger_sql[0].bytes, err) < 0 ||
        sty_ledger_meta_set(ledger, "installation", id, err) < 0) {
        sty_ledger_rollback(ledger);
        return -1;
    }
    return sty_ledger_commit(ledger, err);
}

/* Under another name until it is whole: a copy that a crash cut short is never taken for the old ledger. */
static int keep_old(struct sty_ledger *ledger, const char *path, int64_t version, struct sty_error *err)
{
    sty_auto_free char *kept = sty_sprintf("%s.v%lld.bak", path, (long long)version);
    sty_auto_free char *part = sty_sprintf("%s.part", kept);
    if (access(kept, F_OK) == 0)
        return 0;
    unlink(part);
    if (sty_ledger_backup(ledger, part, err) < 0)
        return sty_error_wrap(err, "keeping the ledger of before its migration");
    return rename(part, kept) == 0 ? 0 : sty_error_errno(err, STY_IO, errno, "%s", kept);
}

static int run_steps(struct sty_ledger *ledger, const struct sty_ledger_schema *schema, int64_t version,
                     struct sty_error *err)
{
    sty_auto_free char *stamp = sty_sprintf("PRAGMA user_version = %lld", (long long)schema->version);
    json_auto_t *broken = NULL;
    for (int64_t at = version; at < schema->version; at++)
        if (sty_ledger_script(ledger, schema->steps[at - 1], err) < 0)
            return sty_error_wrap(err, "migrating from version %lld", (long long)at);
    if (sty_ledger_script(ledger, stamp, err) < 0 ||
        sty_ledger_rows(&broken, ledger, err, "PRAGMA foreign_key_check", "") < 0)
        return -1;
    if (json_array_size(broken))
        return sty_error_set(err, STY_CORRUPT, "after migrating, %zu rows refer to what is not there",
                             json_array_size(broken));
    return 0;
}

static int migrate(struct sty_ledger *ledger, const struct sty_ledger_schema *schema, int64_t version,
                   struct sty_error *err)
{
    if (sty_ledger_begin(ledger, err) < 0)
        return -1;
    if (run_steps(ledger, schema, version, err) < 0) {
        sty_ledger_rollback(ledger);
        return -1;
    }
    return sty_ledger_commit(ledger, err);
}

/* A step may rebuild a table that others refer to, which is only possible while that is not looked at. */
static int migrate_unreferenced(struct sty_ledger *ledger, const struct sty_ledger_schema *schema, int64_t version,
                                struct sty_error *err)
{
    struct sty_error second;
    if (sty_ledger_script(ledger, "PRAGMA foreign_keys = OFF", err) < 0)
        return -1;
    int result = migrate(ledger, schema, version, err);
    int again = sty_ledger_script(ledger, "PRAGMA foreign_keys = ON", result < 0 ? &second : err);
    return result < 0 ? result : again;
}

/* Version 0 of an empty file is a ledger to be made; anything else has our tables. */
static int recognise(int64_t *version, struct sty_ledger *ledger, const char *path, struct sty_error *err)
{
    int64_t found = 0, tables = 0, meta = 0;
    if (sty_ledger_number(&found, ledger, err, "PRAGMA user_version", "") < 0 ||
        sty_ledger_number(&tables, ledger, err, "SELECT count(*) FROM sqlite_schema", "") < 0 ||
        sty_ledger_number(&meta, ledger, err, "SELECT count(*) FROM sqlite_schema WHERE name = 'meta'", "") < 0)
        return -1;
    if (found < 0 || (found == 0 && tables) || (found && !meta))
        return sty_error_set(err, STY_CORRUPT, "%s is no ledger of Styrmin", path);
    *version = found;
    return 0;
}

int sty_ledger_prepare(struct sty_ledger *ledger, const char *path, const struct sty_ledger_schema *schema,
                       struct sty_error *err)
{
    int64_t version = 0;
    if (recognise(&version, ledger, path, err) < 0)
        return -1;
    if (version > schema->version)
        return sty_error_set(err, STY_CORRUPT,
                             "schema %lld is newer than this program's, %lld: run the newer Styrmin, or put back"
                             " %s.v%lld.bak",
                             (long long)version, (long long)schema->version, path, (long long)schema->version);
    if (ledger->mode != STY_LEDGER_WRITE && ledger->mode != STY_LEDGER_EMPTY)
        return version ? 0 : sty_error_set(err, STY_NOT_FOUND, "the ledger is empty: no sync has run yet");
    if (sty_ledger_script(ledger, "PRAGMA journal_mode = WAL", err) < 0)
        return -1;
    if (version == 0)
        return create(ledger, err);
    if (version == schema->version)
        return 0;
    return keep_old(ledger, path, version, err) < 0 ? -1 : migrate_unreferenced(ledger, schema, version, err);
}
