/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meta, and content by digest: Instances and blobs, verified whenever they are read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/ledger_internal.h"

int sty_ledger_meta_get(char **out, struct sty_ledger *ledger, const char *key, struct sty_error *err)
{
    json_auto_t *row = NULL;
    if (sty_ledger_row(&row, ledger, err, "SELECT value FROM meta WHERE key = ?", "s", key) < 0)
        return -1;
    const char *value = sty_json_text(row, "value", NULL);
    *out = value ? sty_strdup(value) : NULL;
    return 0;
}

int sty_ledger_meta_set(struct sty_ledger *ledger, const char *key, const char *value, struct sty_error *err)
{
    return sty_ledger_exec(ledger, err,
                           "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value ="
                           " excluded.value",
                           "ss", key, value);
}

static void fresh_key(char out[STY_DIGEST_KEY_SIZE])
{
    unsigned char bytes[32];
    sty_random_bytes(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

int sty_ledger_digest_key(char out[STY_DIGEST_KEY_SIZE], struct sty_ledger *ledger, const char *cluster,
                          struct sty_error *err)
{
    sty_auto_free char *name = sty_sprintf("digest_key:%s", cluster);
    sty_auto_free char *value = NULL;
    char fresh[STY_DIGEST_KEY_SIZE];
    if (sty_ledger_meta_get(&value, ledger, name, err) < 0)
        return -1;
    if (!value) {
        /* Whoever is first makes it; all others read the same. */
        fresh_key(fresh);
        if (sty_ledger_exec(ledger, err, "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO NOTHING", "ss",
                            name, fresh) < 0 ||
            sty_ledger_meta_get(&value, ledger, name, err) < 0)
            return -1;
    }
    if (!value || strlen(value) != STY_DIGEST_KEY_SIZE - 1)
        return sty_error_set(err, STY_CORRUPT, "ledger: meta '%s' is no key", name);
    memcpy(out, value, STY_DIGEST_KEY_SIZE);
    return 0;
}

int sty_ledger_blob_put(struct sty_ledger *ledger, const char *digest, const void *bytes, size_t length,
                        struct sty_error *err)
{
    return sty_ledger_exec(ledger, err, "INSERT INTO blobs (digest, bytes) VALUES (?, ?) ON CONFLICT DO NOTHING", "sB",
                           digest, bytes, length);
}

int sty_ledger_instance_put(struct sty_ledger *ledger, const char *digest, const void *bytes, size_t length,
                            struct sty_error *err)
{
    return sty_ledger_exec(ledger, err,
                           "INSERT INTO instances (digest, bytes, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                           "sBi", digest, bytes, length, sty_ledger_now(ledger));
}

int sty_ledger_instance_blob(struct sty_ledger *ledger, const char *instance, const char *blob, struct sty_error *err)
{
    return sty_ledger_exec(ledger, err,
                           "INSERT INTO instance_blobs (instance, blob) VALUES (?, ?) ON CONFLICT DO NOTHING", "ss",
                           instance, blob);
}

static sqlite3_stmt *select_bytes(struct sty_ledger *ledger, struct sty_error *err, const char *sql, const char *format,
                                  ...)
{
    va_list values;
    va_start(values, format);
    sqlite3_stmt *statement = sty_ledger_statement(ledger, sql, format, &values, err);
    va_end(values);
    return statement;
}

struct content {
    char *bytes;
    size_t length;
};

static int read_locked(struct content *out, struct sty_ledger *ledger, const char *sql, const char *digest,
                       struct sty_error *err)
{
    sqlite3_stmt *statement = select_bytes(ledger, err, sql, "s", digest);
    if (!statement)
        return -1;
    int code = sqlite3_step(statement), result = 0;
    if (code == SQLITE_ROW) {
        const void *bytes = sqlite3_column_blob(statement, 0);
        out->length = (size_t)sqlite3_column_bytes(statement, 0);
        out->bytes = sty_malloc(out->length + 1);
        if (out->length)
            memcpy(out->bytes, bytes, out->length);
        out->bytes[out->length] = '\0';
    } else {
        result = code == SQLITE_DONE ? sty_error_set(err, STY_NOT_FOUND, "%.19s is not in the ledger", digest)
                                     : sty_ledger_fail(ledger, "reading content", err);
    }
    sqlite3_reset(statement);
    return result;
}

static int get(struct content *out, struct sty_ledger *ledger, const char *sql, const char *digest,
               struct sty_error *err)
{
    char found[STY_DIGEST_SIZE];
    struct content content = {NULL, 0};
    sty_ledger_lock(ledger);
    int result = read_locked(&content, ledger, sql, digest, err);
    sty_ledger_unlock(ledger);
    if (result < 0)
        return -1;
    sty_digest(found, content.bytes, content.length);
    if (strcmp(found, digest) != 0) {
        free(content.bytes);
        return sty_error_set(err, STY_CORRUPT, "ledger: content %.19s is not what was written", digest);
    }
    *out = content;
    return 0;
}

int sty_ledger_blob_get(char **bytes, size_t *length, struct sty_ledger *ledger, const char *digest,
                        struct sty_error *err)
{
    struct content content;
    if (get(&content, ledger, "SELECT bytes FROM blobs WHERE digest = ?", digest, err) < 0)
        return -1;
    *bytes = content.bytes;
    *length = content.length;
    return 0;
}

int sty_ledger_instance_get(char **bytes, size_t *length, struct sty_ledger *ledger, const char *digest,
                            struct sty_error *err)
{
    struct content content;
    if (get(&content, ledger, "SELECT bytes FROM instances WHERE digest = ?", digest, err) < 0)
        return -1;
    *bytes = content.bytes;
    *length = content.length;
    return 0;
}
