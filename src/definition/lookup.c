/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a name means in this commit: documents of touched files, and of the store for all other files.
 */
#include <stdlib.h>
#include <string.h>

#include "definition/catalog_internal.h"

/* A row of the store counts unless its file was read again, or is gone. */
static bool still_counts(const struct sty_catalog *catalog, struct sty_document *row)
{
    const struct sty_catalog_file *file = sty_catalog_touched(catalog, row->path);
    if (!file)
        return true;
    row->stale = file->blob && !file->readable;
    return row->stale;
}

static int find_holders(struct sty_catalog_found *out, const struct sty_catalog *catalog, const char *slot,
                        const struct sty_document *like, struct sty_error *err)
{
    const struct sty_chain *chain = sty_map_get(&catalog->by_key, slot);
    const struct sty_document asked = {.kind = like->kind, .key = like->key};
    struct sty_document *rows = NULL;
    size_t row_count = 0, links = 0, n = 0;
    if (catalog->store &&
        catalog->store->find(catalog->store->self, &rows, &row_count, catalog->arena, &asked, err) < 0)
        return -1;
    for (const struct sty_chain *link = chain; link; link = link->next)
        links++;
    const struct sty_document **holders = sty_arena_alloc(catalog->arena, (links + row_count + 1) * sizeof *holders);
    for (; chain; chain = chain->next)
        holders[n++] = chain->document;
    for (size_t i = 0; i < row_count; i++)
        if (still_counts(catalog, &rows[i]))
            holders[n++] = &rows[i];
    *out = (struct sty_catalog_found){holders, n};
    return 0;
}

int sty_catalog_holders(const struct sty_catalog_found **out, const struct sty_catalog *catalog,
                        const struct sty_document *like, struct sty_error *err)
{
    sty_auto_free char *slot = sty_catalog_slot(like->kind, like->key);
    struct sty_catalog_found *found = sty_map_get(&catalog->found, slot);
    if (!found) {
        found = sty_arena_alloc(catalog->arena, sizeof *found);
        if (find_holders(found, catalog, slot, like, err) < 0)
            return -1;
        sty_map_set(&((struct sty_catalog *)catalog)->found, slot, found);
    }
    *out = found;
    return 0;
}

int sty_catalog_find(const struct sty_document **out, bool *twice, const struct sty_catalog *catalog,
                     enum sty_kind kind, const char *key, struct sty_error *err)
{
    const struct sty_document like = {.kind = kind, .key = key};
    const struct sty_catalog_found *found = NULL;
    if (sty_catalog_holders(&found, catalog, &like, err) < 0)
        return -1;
    const struct sty_document *one = found->count == 1 ? found->holders[0] : NULL;
    if (one && sty_document_open((struct sty_document *)one, catalog->arena, err) < 0)
        return -1;
    *twice = found->count > 1;
    *out = one;
    return 0;
}

struct list {
    const struct sty_document **items;
    size_t count;
    bool twice; /* some stood more than once, and were left out */
};

static bool of_environment(const struct sty_document *document, const char *environment)
{
    size_t n = environment ? strlen(environment) : 0;
    return !environment || (strncmp(document->key, environment, n) == 0 && document->key[n] == '/');
}

static int compare(const void *a, const void *b)
{
    return strcmp((*(const struct sty_document *const *)a)->key, (*(const struct sty_document *const *)b)->key);
}

/* Ordered by key, without those that stand more than once. */
static void settle(struct list *list)
{
    size_t kept = 0;
    if (list->count)
        qsort(list->items, list->count, sizeof *list->items, compare);
    for (size_t i = 0; i < list->count;) {
        size_t end = i + 1;
        while (end < list->count && strcmp(list->items[end]->key, list->items[i]->key) == 0)
            end++;
        if (end == i + 1)
            list->items[kept++] = list->items[i];
        else
            list->twice = true;
        i = end;
    }
    list->count = kept;
}

struct rows {
    struct sty_document *items;
    size_t count;
};

static int stored(struct rows *rows, const struct sty_catalog *catalog, enum sty_kind kind, const char *environment,
                  struct sty_error *err)
{
    const struct sty_document_store *store = catalog->store;
    const struct sty_document like = {.kind = kind};
    if (!store)
        return 0;
    if (kind == STY_KIND_DEPLOYMENT && environment)
        return store->of_environment(store->self, &rows->items, &rows->count, catalog->arena, environment, err);
    return store->find(store->self, &rows->items, &rows->count, catalog->arena, &like, err);
}

static int list_kind(struct list *out, const struct sty_catalog *catalog, enum sty_kind kind, const char *environment,
                     struct sty_error *err)
{
    struct rows rows = {NULL, 0};
    size_t touched = 0;
    if (stored(&rows, catalog, kind, environment, err) < 0)
        return -1;
    for (size_t i = 0; i < catalog->file_count; i++)
        touched += catalog->files[i].readable ? catalog->files[i].count : 0;
    struct list list = {.items = sty_arena_alloc(catalog->arena, (rows.count + touched + 1) * sizeof(void *))};
    for (size_t i = 0; i < rows.count; i++)
        if (still_counts(catalog, &rows.items[i]))
            list.items[list.count++] = &rows.items[i];
    for (size_t f = 0; f < catalog->file_count; f++) {
        const struct sty_catalog_file *file = &catalog->files[f];
        for (size_t i = 0; file->readable && i < file->count; i++)
            if (file->documents[i].kind == kind && of_environment(&file->documents[i], environment))
                list.items[list.count++] = &file->documents[i];
    }
    settle(&list);
    for (size_t i = 0; kind != STY_KIND_DEPLOYMENT && i < list.count; i++)
        if (sty_document_open((struct sty_document *)list.items[i], catalog->arena, err) < 0)
            return -1;
    *out = list;
    return 0;
}

int sty_catalog_list(const struct sty_document ***out, size_t *count, const struct sty_catalog *catalog,
                     enum sty_kind kind, const char *environment, struct sty_error *err)
{
    struct list list;
    if (list_kind(&list, catalog, kind, environment, err) < 0)
        return -1;
    *out = list.items;
    *count = list.count;
    return 0;
}

static bool has_labels(const json_t *labels, const json_t *wanted)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)wanted, key, value) {
        if (!json_equal(json_object_get(labels, key), value))
            return false;
    }
    return true;
}

static int place_by_labels(const char ***out, size_t *count, bool *complete, const struct sty_catalog *catalog,
                           const struct sty_environment *environment, struct sty_error *err)
{
    struct list clusters;
    size_t kept = 0;
    if (list_kind(&clusters, catalog, STY_KIND_CLUSTER, NULL, err) < 0)
        return -1;
    const char **names = sty_arena_alloc(catalog->arena, (clusters.count + 1) * sizeof *names);
    *complete = !clusters.twice;
    for (size_t i = 0; i < clusters.count; i++) {
        const struct sty_document *document = clusters.items[i];
        *complete = *complete && document->valid && !document->stale;
        if (!document->valid)
            continue;
        struct sty_cluster cluster;
        sty_cluster_read(&cluster, document);
        if (has_labels(cluster.labels, environment->cluster_labels))
            names[kept++] = cluster.name;
    }
    for (size_t i = 0; i < catalog->unreadable_count; i++)
        *complete = *complete && !sty_starts_with(catalog->unreadable[i], "clusters");
    *out = names;
    *count = kept;
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int sty_catalog_place(const char ***out, size_t *count, bool *complete, const struct sty_catalog *catalog,
                      const struct sty_environment *environment, struct sty_error *err)
{
    *complete = true;
    if (environment->cluster_labels)
        return place_by_labels(out, count, complete, catalog, environment, err);
    const json_t *clusters = environment->clusters;
    size_t n = json_is_string(clusters) ? 1 : json_array_size(clusters), kept = 0;
    const char **names = sty_arena_alloc(catalog->arena, (n + 1) * sizeof *names);
    for (size_t i = 0; i < n; i++)
        names[i] = json_string_value(json_is_string(clusters) ? clusters : json_array_get(clusters, i));
    if (n)
        qsort(names, n, sizeof *names, compare_names);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(names[i], names[i - 1]) != 0)
            names[kept++] = names[i];
    *out = names;
    *count = kept;
    return 0;
}
