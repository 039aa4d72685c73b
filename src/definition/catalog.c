/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalog: what the commit touched is read, all else is as the store had it. Cost follows the change.
 */
#include "definition/catalog_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char manifest[] = "driver.styrmin.yml";

char *sty_catalog_slot(enum sty_kind kind, const char *key)
{
    return sty_sprintf("%d %s", (int)kind, key);
}

void sty_catalog_note_change(struct sty_catalog *catalog, enum sty_kind kind, const char *key)
{
    sty_auto_free char *slot = sty_catalog_slot(kind, key);
    if (sty_map_has(&catalog->changed, slot))
        return;
    struct sty_catalog_change *change = sty_arena_alloc(catalog->arena, sizeof *change);
    *change = (struct sty_catalog_change){kind, sty_arena_strdup(catalog->arena, key)};
    sty_map_set(&catalog->changed, slot, change);
}

const struct sty_catalog_file *sty_catalog_touched(const struct sty_catalog *catalog, const char *path)
{
    uintptr_t place = (uintptr_t)sty_map_get(&catalog->by_path, path);
    return place ? &catalog->files[place - 1] : NULL;
}

static const char *const document_folders[] = {"clusters", "environments", "deployments"};

static bool below_folder(bool *whole, const char *path)
{
    for (size_t i = 0; i < STY_COUNT(document_folders); i++) {
        size_t n = strlen(document_folders[i]);
        *whole = strcmp(path, document_folders[i]) == 0;
        if (*whole || (strncmp(path, document_folders[i], n) == 0 && path[n] == '/'))
            return true;
    }
    return false;
}

/*
 * A document is expected here: a YAML file, or what can hide whole folders of them: a submodule, a symlink in place of a
 * folder. No entry: nothing.
 */
static bool stands_for_documents(const struct sty_entry *entry)
{
    bool whole = false;
    if (!entry || !below_folder(&whole, entry->path))
        return false;
    const char *name = strrchr(entry->path, '/');
    bool yaml = sty_ends_with(entry->path, ".yaml") || sty_ends_with(entry->path, ".yml");
    bool link = entry->kind == STY_ENTRY_SYMLINK && (whole || !strchr(name, '.'));
    return entry->kind == STY_ENTRY_SUBMODULE || link || (yaml && !whole);
}

/* "web/2" of "drivers/web/2/...", NULL for what is not that deep. */
static const char *driver_of(struct sty_arena *arena, const char *path)
{
    if (!sty_starts_with(path, "drivers/"))
        return NULL;
    const char *start = path + strlen("drivers/"), *slash = strchr(start, '/');
    const char *end = slash ? strchr(slash + 1, '/') : NULL;
    return end ? sty_arena_strndup(arena, start, (size_t)(end - start)) : NULL;
}

static int touch_driver(struct sty_catalog *catalog, const char *path, const struct sty_entry *entry,
                        struct sty_error *err)
{
    const char *key = driver_of(catalog->arena, path);
    if (!key)
        return 0;
    sty_catalog_note_change(catalog, STY_KIND_DRIVER, key);
    sty_map_set(&catalog->drivers, key, catalog);
    bool is_manifest = strcmp(path + strlen("drivers/") + strlen(key) + 1, manifest) == 0;
    return is_manifest ? sty_catalog_touch(catalog, path, entry, err) : 0;
}

static int visit_entry(void *self, const struct sty_entry *entry, struct sty_error *err)
{
    return stands_for_documents(entry) ? sty_catalog_touch(self, entry->path, entry, err)
                                       : touch_driver(self, entry->path, entry, err);
}

static int visit_change(void *self, const struct sty_change *change, struct sty_error *err)
{
    const struct sty_entry *from = change->kind == STY_CHANGE_ADDED ? NULL : &change->from;
    const struct sty_entry *to = change->kind == STY_CHANGE_REMOVED ? NULL : &change->to;
    if (stands_for_documents(to))
        return sty_catalog_touch(self, change->path, to, err);
    return stands_for_documents(from) ? sty_catalog_touch(self, change->path, NULL, err)
                                      : touch_driver(self, change->path, to, err);
}

/* 1: it is there; 0: it is not. */
static int stands(const struct sty_catalog *catalog, const char *path, bool folder, struct sty_error *err)
{
    struct sty_entry entry;
    if (sty_tree_entry(&entry, catalog->snapshot, path, err) < 0)
        return err->code == STY_NOT_FOUND ? 0 : -1;
    return (entry.kind == STY_ENTRY_TREE) == folder;
}

/* Each touched driver folder that is still there has a manifest. */
static int check_drivers(struct sty_catalog *catalog, struct sty_error *err)
{
    for (size_t i = 0; i < catalog->drivers.used; i++) {
        const char *folder = sty_arena_printf(catalog->arena, "drivers/%s", catalog->drivers.entries[i].key);
        const char *path = sty_arena_printf(catalog->arena, "%s/%s", folder, manifest);
        int there = stands(catalog, folder, true, err), described = stands(catalog, path, false, err);
        struct sty_problem where = {.file = folder};
        if (there < 0 || described < 0)
            return -1;
        if (there && !described)
            sty_problems_add(catalog->problems, &where, "a driver's folder without %s", manifest);
    }
    return 0;
}

static int add_twice(struct sty_catalog *catalog, const struct sty_document *document,
                     const struct sty_document *const *holders, struct sty_error *err)
{
    struct sty_problem where = {.file = document->path};
    const struct sty_document *other = holders[0] == document ? holders[1] : holders[0];
    if (sty_document_open((struct sty_document *)document, catalog->arena, err) < 0)
        return -1;
    sty_marks_find(&where.line, &where.column, document->marks, "/metadata/name");
    sty_problems_add(catalog->problems, &where, "%s '%s' stands more than once; also in %s",
                     sty_kind_name(document->kind), document->key, other->path);
    return 0;
}

static int check_twice(struct sty_catalog *catalog, struct sty_error *err)
{
    for (size_t i = 0; i < catalog->by_key.used; i++) {
        const struct sty_chain *chain = catalog->by_key.entries[i].value;
        const struct sty_catalog_found *found = NULL;
        if (sty_catalog_holders(&found, catalog, chain->document, err) < 0)
            return -1;
        for (; found->count > 1 && chain; chain = chain->next)
            if (add_twice(catalog, chain->document, found->holders, err) < 0)
                return -1;
    }
    return 0;
}

static int find_unreadable(struct sty_catalog *catalog, struct sty_error *err)
{
    const char **before = NULL;
    size_t count = 0, n = 0;
    if (catalog->store && catalog->store->unreadable(catalog->store->self, &before, &count, catalog->arena, err) < 0)
        return -1;
    catalog->unreadable = sty_arena_alloc(catalog->arena, (count + catalog->file_count + 1) * sizeof(char *));
    for (size_t i = 0; i < count; i++)
        if (!sty_catalog_touched(catalog, before[i]) && !sty_starts_with(before[i], "drivers/"))
            catalog->unreadable[n++] = before[i];
    for (size_t i = 0; i < catalog->file_count; i++)
        if (!catalog->files[i].readable && !sty_starts_with(catalog->files[i].path, "drivers/"))
            catalog->unreadable[n++] = catalog->files[i].path;
    catalog->unreadable_count = n;
    return 0;
}

static int compare_changes(const void *a, const void *b)
{
    const struct sty_catalog_change *x = a, *y = b;
    return x->kind != y->kind ? (x->kind > y->kind) - (x->kind < y->kind) : strcmp(x->key, y->key);
}

static void order_changes(struct sty_catalog *catalog)
{
    catalog->changes = sty_arena_alloc(catalog->arena, (catalog->changed.count + 1) * sizeof *catalog->changes);
    for (size_t i = 0; i < catalog->changed.used; i++)
        catalog->changes[catalog->change_count++] =
            *(const struct sty_catalog_change *)catalog->changed.entries[i].value;
    if (catalog->change_count)
        qsort(catalog->changes, catalog->change_count, sizeof *catalog->changes, compare_changes);
}

static int read_tree(struct sty_catalog *catalog, const char *from, struct sty_error *err)
{
    if (from)
        return sty_tree_diff(catalog->snapshot->repo, from, catalog->snapshot->tree, visit_change, catalog, err);
    for (size_t i = 0; i < STY_COUNT(document_folders); i++)
        if (sty_tree_walk(catalog->snapshot, document_folders[i], visit_entry, catalog, err) < 0)
            return -1;
    return sty_tree_walk(catalog->snapshot, "drivers", visit_entry, catalog, err);
}

static void destroy(void *self)
{
    struct sty_catalog *catalog = self;
    sty_map_clear(&catalog->by_path);
    sty_map_clear(&catalog->by_key);
    sty_map_clear(&catalog->found);
    sty_map_clear(&catalog->changed);
    sty_map_clear(&catalog->drivers);
}

int sty_catalog_load(struct sty_catalog **out, struct sty_arena *arena, const struct sty_snapshot *snapshot,
                     const struct sty_catalog_base *base, struct sty_problems *problems, struct sty_error *err)
{
    struct sty_catalog *catalog = sty_arena_alloc(arena, sizeof *catalog);
    *catalog = (struct sty_catalog){.arena = arena, .snapshot = snapshot, .store = base->store, .problems = problems};
    sty_arena_own(arena, catalog, destroy);
    bool same = base->tree && strcmp(base->tree, snapshot->tree) == 0;
    if (!same && read_tree(catalog, base->tree, err) < 0)
        return -1;
    if (check_drivers(catalog, err) < 0 || check_twice(catalog, err) < 0 || find_unreadable(catalog, err) < 0)
        return -1;
    order_changes(catalog);
    *out = catalog;
    return 0;
}

const struct sty_snapshot *sty_catalog_snapshot(const struct sty_catalog *catalog)
{
    return catalog->snapshot;
}

const struct sty_catalog_file *sty_catalog_files(size_t *count, const struct sty_catalog *catalog)
{
    *count = catalog->file_count;
    return catalog->files;
}

const struct sty_catalog_change *sty_catalog_changes(size_t *count, const struct sty_catalog *catalog)
{
    *count = catalog->change_count;
    return catalog->changes;
}

const char *const *sty_catalog_unreadable(size_t *count, const struct sty_catalog *catalog)
{
    *count = catalog->unreadable_count;
    return catalog->unreadable;
}

size_t sty_catalog_parsed(const struct sty_catalog *catalog)
{
    return catalog->parsed;
}
