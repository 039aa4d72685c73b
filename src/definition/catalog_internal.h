/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* catalog_internal: the catalog's memory, shared by loading and looking up. */
#include "base/map.h"
#include "definition/definition_internal.h"

struct sty_chain { /* documents under one kind and key, in touched files */
    const struct sty_document *document;
    struct sty_chain *next;
};
struct sty_catalog_found {
    const struct sty_document **holders;
    size_t count;
};
struct sty_catalog {
    struct sty_arena *arena;
    const struct sty_snapshot *snapshot;
    const struct sty_document_store *store; /* NULL: nothing is known */
    struct sty_problems *problems;
    struct sty_catalog_file *files; /* touched, in the tree's order */
    size_t file_count, file_capacity;
    struct sty_map by_path; /* -> index into files, plus one */
    struct sty_map by_key;  /* "kind key" -> struct sty_chain */
    struct sty_map found;   /* "kind key" -> struct sty_catalog_found: what was asked for already */
    struct sty_map changed; /* "kind key" -> struct sty_catalog_change */
    struct sty_map drivers; /* "name/version" of touched driver folders */
    struct sty_catalog_change *changes;
    size_t change_count;
    const char **unreadable;
    size_t unreadable_count;
    size_t parsed;
};

char *sty_catalog_slot(enum sty_kind kind, const char *key); /* malloc'd */
void sty_catalog_note_change(struct sty_catalog *catalog, enum sty_kind kind, const char *key);
/* The touched file of that path; NULL: the commit did not touch it. */
const struct sty_catalog_file *sty_catalog_touched(const struct sty_catalog *catalog, const char *path);
/* Read one touched file; gone when entry is NULL. */
int sty_catalog_touch(struct sty_catalog *catalog, const char *path, const struct sty_entry *entry,
                      struct sty_error *err);
/* All documents under the kind and key of `like`, in touched files and in those of the store that still count. Looked up
 * once. */
int sty_catalog_holders(const struct sty_catalog_found **out, const struct sty_catalog *catalog,
                        const struct sty_document *like, struct sty_error *err);
