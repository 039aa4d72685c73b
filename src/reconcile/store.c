/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The documents of the last walk, out of the ledger, as the catalog asks for them: what a commit did not touch is not
 * parsed from YAML again.
 */
#include "reconcile/reconcile_internal.h"

#include <string.h>

static void take_row(struct sty_document *out, struct sty_arena *arena, const json_t *row)
{
    const char *body = sty_json_text(row, "body", NULL);
    *out = (struct sty_document){.kind = (enum sty_kind)sty_json_int(row, "kind", 0),
                                 .key = sty_arena_strdup(arena, sty_json_text(row, "key", "")),
                                 .path = sty_arena_strdup(arena, sty_json_text(row, "path", "")),
                                 .blob = sty_arena_strdup(arena, sty_json_text(row, "blob", "")),
                                 .index = (int)sty_json_int(row, "idx", 0),
                                 .valid = sty_json_int(row, "valid", 0),
                                 .stale = sty_json_int(row, "stale", 0),
                                 .text = body ? sty_arena_strdup(arena, body) : NULL};
}

static void take_rows(struct sty_document **out, size_t *count, struct sty_arena *arena, const json_t *rows)
{
    size_t n = json_array_size(rows);
    struct sty_document *documents = sty_arena_alloc(arena, (n + 1) * sizeof(*documents));
    for (size_t i = 0; i < n; i++)
        take_row(&documents[i], arena, json_array_get(rows, i));
    *out = documents;
    *count = n;
}

static int in_file(void *self, struct sty_document **out, size_t *count, struct sty_arena *arena, const char *path,
                   struct sty_error *err)
{
    json_auto_t *rows = NULL;
    if (sty_ledger_rows(&rows, self, err, "SELECT * FROM documents WHERE path = ? ORDER BY idx", "s", path) < 0)
        return -1;
    take_rows(out, count, arena, rows);
    return 0;
}

static int find(void *self, struct sty_document **out, size_t *count, struct sty_arena *arena,
                const struct sty_document *like, struct sty_error *err)
{
    json_auto_t *rows = NULL;
    int result = like->key ? sty_ledger_rows(&rows, self, err, "SELECT * FROM documents WHERE kind = ? AND key = ?",
                                             "is", (int64_t)like->kind, like->key)
                           : sty_ledger_rows(&rows, self, err, "SELECT * FROM documents WHERE kind = ?", "i",
                                             (int64_t)like->kind);
    if (result == 0)
        take_rows(out, count, arena, rows);
    return result;
}

static int of_environment(void *self, struct sty_document **out, size_t *count, struct sty_arena *arena,
                          const char *environment, struct sty_error *err)
{
    json_auto_t *rows = NULL;
    if (sty_ledger_rows(&rows, self, err, "SELECT * FROM documents WHERE environment = ?", "s", environment) < 0)
        return -1;
    take_rows(out, count, arena, rows);
    return 0;
}

static int unreadable(void *self, const char ***out, size_t *count, struct sty_arena *arena, struct sty_error *err)
{
    json_auto_t *rows = NULL;
    if (sty_ledger_rows(&rows, self, err, "SELECT path FROM unreadable ORDER BY path", "") < 0)
        return -1;
    *count = json_array_size(rows);
    *out = sty_arena_alloc(arena, (*count + 1) * sizeof(**out));
    for (size_t i = 0; i < *count; i++)
        (*out)[i] = sty_arena_strdup(arena, sty_json_text(json_array_get(rows, i), "path", ""));
    return 0;
}

void sty_store_init(struct sty_document_store *out, struct sty_ledger *ledger)
{
    *out = (struct sty_document_store){ledger, in_file, find, of_environment, unreadable};
}
