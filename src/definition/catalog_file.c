/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One touched file of a commit, read into documents. A file that cannot be read down to kind and names keeps what was
 * last read from it: that is never a deletion.
 */
#include <string.h>

#include "definition/catalog_internal.h"

enum { LARGEST = 1 << 20 };

static const struct {
    const char *kind, *folder;
} homes[STY_KIND_COUNT] = {[STY_KIND_CLUSTER] = {"Cluster", "clusters/"},
                           [STY_KIND_ENVIRONMENT] = {"Environment", "environments/"},
                           [STY_KIND_DEPLOYMENT] = {"Deployment", "deployments/"},
                           [STY_KIND_DRIVER] = {"ApplicationDriver", "drivers/"}};

static void problem(struct sty_catalog *catalog, const char *path, int line, const char *message)
{
    struct sty_problem where = {.file = path, .line = line, .column = line ? 1 : 0};
    sty_problems_add(catalog->problems, &where, "%s", message);
}

static bool kind_of(enum sty_kind *out, const char *name)
{
    for (int k = 0; k < STY_KIND_COUNT; k++)
        if (sty_streq(homes[k].kind, name)) {
            *out = (enum sty_kind)k;
            return true;
        }
    return false;
}

/* "drivers/web/2" of "drivers/web/2/driver.styrmin.yml". */
static const char *folder_of(struct sty_catalog *catalog, const char *path)
{
    return sty_arena_strndup(catalog->arena, path, (size_t)(strrchr(path, '/') - path));
}

/* The folder is the driver's identity; the manifest must say the same. */
static bool driver_fits(struct sty_catalog *catalog, struct sty_document *document, const char *name)
{
    const char *version = sty_json_text(json_object_get(document->value, "spec"), "version", "");
    document->folder = folder_of(catalog, document->path);
    document->key = document->folder + strlen(homes[STY_KIND_DRIVER].folder);
    if (!document->value || strcmp(document->key, sty_arena_printf(catalog->arena, "%s/%s", name, version)) == 0)
        return true;
    problem(catalog, document->path, 1,
            sty_arena_printf(catalog->arena, "this is driver %s version %s, its folder says %s", name, version,
                             document->key));
    return false;
}

static void add_by_key(struct sty_catalog *catalog, const struct sty_document *document)
{
    sty_auto_free char *slot = sty_catalog_slot(document->kind, document->key);
    struct sty_chain *link = sty_arena_alloc(catalog->arena, sizeof *link);
    *link = (struct sty_chain){document, sty_map_get(&catalog->by_key, slot)};
    sty_map_set(&catalog->by_key, slot, link);
    sty_catalog_note_change(catalog, document->kind, document->key);
}

/* False when kind or names could not be read. */
static bool take(struct sty_catalog *catalog, struct sty_document *out, struct sty_stream_document *read)
{
    enum sty_kind kind;
    if (!kind_of(&kind, read->kind) || !read->name || (kind == STY_KIND_DEPLOYMENT && !read->environment))
        return false;
    out->kind = kind;
    out->valid = read->valid;
    sty_document_adopt(out, catalog->arena, &read->decoded);
    out->key = read->name;
    if (kind == STY_KIND_DEPLOYMENT)
        out->key = sty_arena_printf(catalog->arena, "%s/%s", read->environment, read->name);
    if (!sty_starts_with(out->path, homes[kind].folder)) {
        problem(catalog, out->path, read->decoded.line,
                sty_arena_printf(catalog->arena, "a document of kind %s stands below %s", homes[kind].kind,
                                 homes[kind].folder));
        out->valid = false;
    } else if (kind == STY_KIND_DRIVER && !driver_fits(catalog, out, read->name)) {
        out->valid = false;
    }
    return true;
}

static bool read_documents(struct sty_catalog *catalog, struct sty_catalog_file *file, const struct sty_str *text)
{
    struct sty_stream stream = {file->path, text->data, text->length};
    struct sty_stream_document *read = NULL;
    size_t count = 0;
    bool whole = sty_stream_decode(&read, &count, &stream, NULL, catalog->problems);
    struct sty_document *documents = sty_arena_alloc(catalog->arena, (count + 1) * sizeof *documents);
    for (size_t i = 0; i < count; i++) {
        documents[i] = (struct sty_document){.path = file->path, .blob = file->blob, .index = (int)i};
        whole = take(catalog, &documents[i], &read[i]) && whole;
        sty_document_pack(&documents[i], catalog->arena);
        if (documents[i].kind == STY_KIND_DEPLOYMENT)
            sty_document_fold(&documents[i]);
    }
    catalog->parsed += count;
    file->documents = documents;
    file->count = count;
    return whole;
}

static bool lfs_pointer(const struct sty_str *text)
{
    return sty_starts_with(text->data, "version https://git-lfs.github.com/spec/");
}

static int read_blob(bool *readable, struct sty_catalog *catalog, struct sty_catalog_file *file,
                     const struct sty_entry *entry, struct sty_error *err)
{
    sty_auto(str) text = STY_STR_INIT;
    *readable = false;
    if (entry->kind != STY_ENTRY_FILE && entry->kind != STY_ENTRY_EXECUTABLE) {
        problem(catalog, file->path, 0, "wanted a file; a symlink or a submodule is not read");
        return 0;
    }
    if (sty_blob_read(&text, catalog->snapshot->repo, entry->oid, LARGEST, err) < 0) {
        if (err->code != STY_LIMIT)
            return sty_error_wrap(err, "%s", file->path);
        problem(catalog, file->path, 0, "larger than 1 MiB");
    } else if (lfs_pointer(&text)) {
        problem(catalog, file->path, 1,
                "an LFS pointer stands where the document should: definitions are not kept in LFS");
    } else {
        *readable = read_documents(catalog, file, &text);
    }
    return 0;
}

/* What the store had from this file may mean something else now. */
static int note_previous(struct sty_catalog *catalog, const char *path, struct sty_error *err)
{
    struct sty_document *before = NULL;
    size_t count = 0;
    if (!catalog->store)
        return 0;
    if (catalog->store->in_file(catalog->store->self, &before, &count, catalog->arena, path, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        sty_catalog_note_change(catalog, before[i].kind, before[i].key);
    return 0;
}

static struct sty_catalog_file *new_file(struct sty_catalog *catalog, const char *path)
{
    if (catalog->file_count == catalog->file_capacity) {
        size_t capacity = catalog->file_capacity ? catalog->file_capacity * 2 : 64;
        struct sty_catalog_file *files = sty_arena_alloc(catalog->arena, capacity * sizeof *files);
        if (catalog->file_count)
            memcpy(files, catalog->files, catalog->file_count * sizeof *files);
        catalog->files = files;
        catalog->file_capacity = capacity;
    }
    struct sty_catalog_file *file = &catalog->files[catalog->file_count++];
    *file = (struct sty_catalog_file){.path = sty_arena_strdup(catalog->arena, path), .readable = true};
    sty_map_set(&catalog->by_path, file->path, (void *)(uintptr_t)catalog->file_count);
    return file;
}

int sty_catalog_touch(struct sty_catalog *catalog, const char *path, const struct sty_entry *entry,
                      struct sty_error *err)
{
    struct sty_catalog_file *file = new_file(catalog, path);
    if (note_previous(catalog, file->path, err) < 0)
        return -1;
    if (!entry)
        return 0;
    file->blob = sty_arena_strdup(catalog->arena, entry->oid);
    if (read_blob(&file->readable, catalog, file, entry, err) < 0)
        return -1;
    for (size_t i = 0; file->readable && i < file->count; i++)
        add_by_key(catalog, &file->documents[i]);
    return 0;
}
