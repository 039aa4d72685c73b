/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver's folder as the commit has it: every file is a blob, and the list of them is what makes a driver version
 * immutable. Nothing may point out of the folder, because all of it is laid out on the machines that run steps.
 */
#include <stdlib.h>
#include <string.h>
#include "instance/instance_internal.h"

#define FILE_LIMIT ((size_t)16 << 20)
#define DRIVER_LIMIT ((size_t)64 << 20)
#define COUNT_LIMIT 10000

struct walk {
    const struct sty_files_source *source;
    struct sty_driver_file *items;
    size_t count, capacity, bytes;
    bool over;
};

static void mistake(const struct sty_files_source *source, const char *path, const char *message)
{
    sty_auto(str) file = STY_STR_INIT;
    sty_str_append(&file, source->folder);
    sty_str_append(&file, *path ? "/" : "");
    sty_str_append_visible(&file, path, strlen(path), false);
    sty_problems_add(source->problems, &(struct sty_problem){.file = file.data, .document = source->label}, "%s",
                     message);
}

static const char *mode_of(enum sty_entry_kind kind)
{
    return kind == STY_ENTRY_EXECUTABLE ? "0755" : kind == STY_ENTRY_SYMLINK ? "symlink" : "0644";
}

static int visit(void *self, const struct sty_entry *entry, struct sty_error *err)
{
    struct walk *walk = self;
    const char *path = entry->path + strlen(walk->source->folder) + 1;
    if (entry->kind == STY_ENTRY_SUBMODULE) {
        mistake(walk->source, path, "a submodule cannot be part of a driver: commit the files themselves");
        return 0;
    }
    if (!sty_utf8_valid(path, strlen(path))) {
        mistake(walk->source, path, "the name of a driver's file must be UTF-8");
        return 0;
    }
    if (walk->count == COUNT_LIMIT) {
        walk->over = true;
        return sty_error_set(err, STY_LIMIT, "too many files");
    }
    if (walk->count == walk->capacity) {
        walk->capacity = walk->capacity ? walk->capacity * 2 : 16;
        walk->items = sty_realloc(walk->items, walk->capacity * sizeof(*walk->items));
    }
    struct sty_driver_file *file = &walk->items[walk->count++];
    *file = (struct sty_driver_file){.path = sty_arena_strdup(walk->source->arena, path), .mode = mode_of(entry->kind)};
    memcpy(file->oid, entry->oid, sizeof(file->oid));
    return 0;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct sty_driver_file *)a)->path, ((const struct sty_driver_file *)b)->path);
}

/*
 * Leading ".." leave real folders, as no folder of a tree is a symlink, and may not be more than there are. Behind a
 * name, which may be another symlink, ".." could lead anywhere.
 */
static bool stays_inside(const char *path, const char *target)
{
    size_t depth = 0;
    bool named = false;
    for (const char *p = strchr(path, '/'); p; p = strchr(p + 1, '/'))
        depth++;
    sty_auto_free char *copy = sty_strdup(target);
    char *rest = copy;
    for (char *part = strsep(&rest, "/"); part && *target != '/'; part = strsep(&rest, "/")) {
        bool up = sty_streq(part, "..");
        if (up && (named || depth == 0))
            return false;
        depth -= up;
        named = named || (!up && *part && !sty_streq(part, "."));
    }
    return *target && *target != '/';
}

/* False: a mistake was found, and said. */
static int read_file(bool *good, struct walk *walk, struct sty_driver_file *file, struct sty_error *err)
{
    sty_auto(str) bytes = STY_STR_INIT;
    *good = false;
    if (sty_blob_read(&bytes, walk->source->snapshot->repo, file->oid, FILE_LIMIT, err) < 0) {
        if (err->code != STY_LIMIT)
            return sty_error_wrap(err, "%s/%s", walk->source->folder, file->path);
        mistake(walk->source, file->path, "this file is larger than 16 MiB");
        return 0;
    }
    walk->bytes += bytes.length;
    if (walk->bytes > DRIVER_LIMIT) {
        mistake(walk->source, "", "the files of this driver are larger than 64 MiB in all");
        return 0;
    }
    bool link = sty_streq(file->mode, "symlink");
    if (link && (strlen(bytes.data) != bytes.length || !stays_inside(file->path, bytes.data))) {
        mistake(walk->source, file->path, "this symlink leaves the driver's folder");
        return 0;
    }
    file->blob = sty_blobs_add(walk->source->blobs, bytes.data, bytes.length);
    *good = true;
    return 0;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("._-", c));
}

static bool is_page(const struct sty_driver_file *file)
{
    return sty_ends_with(file->path, ".md");
}

struct pages {
    struct sty_map used; /* base names of pages -> "" when mentioned, NULL when not yet */
    bool all;
};

/* Mark the pages whose name stands in this file; "*.md" means all of them. */
static void mark_mentions(struct pages *pages, const struct sty_blob *blob)
{
    static char yes[] = "";
    const char *at = blob->bytes, *end = blob->bytes + blob->length, *last = at;
    while ((at = memmem(at, (size_t)(end - at), ".md", 3))) {
        const char *begin = at;
        while (begin > last && is_name_char(begin[-1]))
            begin--;
        at += 3;
        last = at;
        sty_auto_free char *word = sty_strndup(begin, (size_t)(at - begin));
        pages->all = pages->all || sty_streq(word, ".md");
        if (sty_map_has(&pages->used, word))
            sty_map_set(&pages->used, word, yes);
    }
}

static bool is_used(const struct pages *pages, const struct sty_driver_file *file)
{
    const char *name = base_name(file->path);
    for (const char *c = name; *c; c++)
        if (!is_name_char(*c))
            return true;
    return pages->all || sty_map_get(&pages->used, name);
}

/* Take the pages that nothing uses out: a driver's README may be corrected without a new version. */
static size_t drop_pages(struct sty_driver_file *items, size_t count)
{
    struct pages pages = {.used = STY_MAP_INIT};
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (is_page(&items[i]))
            sty_map_set(&pages.used, base_name(items[i].path), NULL);
    for (size_t i = 0; i < count && pages.used.count; i++)
        if (!is_page(&items[i]))
            mark_mentions(&pages, items[i].blob);
    for (size_t i = 0; i < count; i++)
        if (!is_page(&items[i]) || is_used(&pages, &items[i]))
            items[kept++] = items[i];
    sty_map_clear(&pages.used);
    return kept;
}

static const struct sty_blob *list_blob(const struct sty_driver_files *files, struct sty_blobs *blobs)
{
    json_auto_t *list = json_array();
    for (size_t i = 0; i < files->count; i++) {
        const struct sty_driver_file *file = &files->items[i];
        json_array_append_new(list, json_pack("[s, s, s]", file->path, file->mode, file->blob->digest));
    }
    sty_auto_free char *text = sty_json_canonical_text(list);
    return sty_blobs_add(blobs, text, strlen(text));
}

static int read_files(struct walk *walk, struct sty_error *err)
{
    bool whole = true;
    for (size_t i = 0; i < walk->count && walk->bytes <= DRIVER_LIMIT; i++) {
        bool good = false;
        if (read_file(&good, walk, &walk->items[i], err) < 0)
            return -1;
        whole = whole && good;
    }
    if (!whole)
        walk->count = 0;
    return 0;
}

int sty_driver_files_load(struct sty_driver_files *out, const struct sty_files_source *source, struct sty_error *err)
{
    struct walk walk = {.source = source};
    int status = sty_tree_walk(source->snapshot, source->folder, visit, &walk, err);
    sty_auto_free struct sty_driver_file *items = walk.items;
    if (walk.over) {
        mistake(source, "", "a driver has at most 10000 files");
        return 0;
    }
    if (status < 0 || read_files(&walk, err) < 0)
        return -1;
    if (!walk.count)
        return 0;
    qsort(items, walk.count, sizeof(*items), by_path);
    walk.count = drop_pages(items, walk.count);
    struct sty_driver_files files = {.count = walk.count};
    files.items = sty_arena_memdup(source->arena, items, walk.count * sizeof(*items));
    files.list = list_blob(&files, source->blobs);
    *out = files;
    return 0;
}

struct sty_driver_file *sty_driver_files_find(const struct sty_driver_files *files, const char *path)
{
    if (!files->count)
        return NULL;
    struct sty_driver_file key = {.path = sty_starts_with(path, "./") ? path + 2 : path};
    return bsearch(&key, files->items, files->count, sizeof(key), by_path);
}
