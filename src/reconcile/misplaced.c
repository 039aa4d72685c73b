/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moved to an Environment that does not exist: a slip in a name must not delete what runs. What no document names any
 * more is kept while a Deployment of the same name stands in an Environment without a document.
 */
#include "reconcile/reconcile_internal.h"

#include <string.h>

static bool has_name(const char *key, const char *name)
{
    const char *slash = strchr(key, '/');
    return slash && strcmp(slash + 1, name) == 0;
}

static int look(const char **out, struct sty_walk *walk, const char *key, struct sty_error *err)
{
    const struct sty_document *document = NULL;
    bool twice = false, homeless = false;
    if (sty_catalog_find(&document, &twice, walk->catalog, STY_KIND_DEPLOYMENT, key, err) < 0)
        return -1;
    if (document && sty_catalog_homeless(&homeless, walk->catalog, document, NULL, err) < 0)
        return -1;
    if (homeless)
        *out = sty_arena_printf(walk->arena, "%s: Deployment %s stands in an Environment that has no document",
                                document->path, key);
    return 0;
}

int sty_walk_misplaced(const char **out, struct sty_walk *walk, const char *name, struct sty_error *err)
{
    json_auto_t *rows = NULL;
    *out = NULL;
    for (size_t i = 0; i < walk->changed.used && !*out; i++) {
        const char *key = walk->changed.entries[i].key;
        if (key && has_name(key, name) && look(out, walk, key, err) < 0)
            return -1;
    }
    if (*out)
        return 0;
    if (sty_ledger_rows(&rows, walk->ledger, err,
                        "SELECT DISTINCT key FROM documents WHERE kind = ? AND substr(key, instr(key, '/') + 1) = ?",
                        "is", (int64_t)STY_KIND_DEPLOYMENT, name) < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(rows) && !*out; i++)
        if (look(out, walk, sty_json_text(json_array_get(rows, i), "key", ""), err) < 0)
            return -1;
    return 0;
}
