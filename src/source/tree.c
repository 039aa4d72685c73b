/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree: walking and comparing trees that somebody else wrote. Every tree is checked before it is used (names, order),
 * depth and number of entries are bounded, because a kilobyte of git objects can stand for a billion files. Equal
 * subtrees are never opened when two trees are compared: cost follows the change.
 */
#include "source/source_internal.h"
#include <stdlib.h>
#include <string.h>

#define DEPTH_LIMIT 32
#define ENTRY_LIMIT 1000000
#define PATH_LIMIT 4096

static bool name_valid(const char *name)
{
    return *name && !sty_streq(name, ".") && !sty_streq(name, "..") && !strchr(name, '/');
}

/* Names that could leave the tree, doubles and disorder: git writes none of them. */
static bool tree_valid(const git_tree *tree)
{
    size_t count = git_tree_entrycount(tree);
    const git_tree_entry *before = NULL;
    for (size_t i = 0; i < count; i++) {
        const git_tree_entry *entry = git_tree_entry_byindex(tree, i);
        if (!name_valid(git_tree_entry_name(entry)) || (before && git_tree_entry_cmp(before, entry) >= 0))
            return false;
        before = entry;
    }
    return true;
}

static int open_tree(git_tree **out, struct sty_repo *repo, const git_oid *oid, struct sty_error *err)
{
    char text[STY_OID_SIZE];
    sty_auto_git(tree) tree = NULL;
    sty_oid_text(text, oid);
    if (git_tree_lookup(&tree, repo->git, oid) < 0)
        return sty_git_error(err, STY_CORRUPT, "tree %s", text);
    if (!tree_valid(tree))
        return sty_error_set(err, STY_INVALID, "tree %s is malformed: names with '/', '..', doubled or unsorted", text);
    *out = sty_take(tree);
    return 0;
}

static enum sty_entry_kind entry_kind(const git_tree_entry *entry)
{
    switch (git_tree_entry_filemode(entry)) {
    case GIT_FILEMODE_TREE:
        return STY_ENTRY_TREE;
    case GIT_FILEMODE_COMMIT:
        return STY_ENTRY_SUBMODULE;
    case GIT_FILEMODE_LINK:
        return STY_ENTRY_SYMLINK;
    case GIT_FILEMODE_BLOB_EXECUTABLE:
        return STY_ENTRY_EXECUTABLE;
    case GIT_FILEMODE_UNREADABLE:
    case GIT_FILEMODE_BLOB:
    default:
        return STY_ENTRY_FILE;
    }
}

static struct sty_entry describe(const git_tree_entry *entry, const char *path)
{
    struct sty_entry out = {.path = path, .kind = entry_kind(entry)};
    sty_oid_text(out.oid, git_tree_entry_id(entry));
    return out;
}

/* One walk or comparison under way. */
struct walk {
    struct sty_repo *repo;
    struct sty_str path;
    size_t entries;
    sty_entry_visit *visit;
    sty_change_visit *compare;
    void *self;
    struct sty_error *err;
};

/* Count the entry and put its name behind the path; the length to go back to, or -1. */
static ssize_t enter(struct walk *walk, const git_tree_entry *entry)
{
    size_t length = walk->path.length;
    if (++walk->entries > ENTRY_LIMIT)
        return sty_error_set(walk->err, STY_LIMIT, "the tree holds more than %d entries", ENTRY_LIMIT);
    if (length)
        sty_str_append_char(&walk->path, '/');
    sty_str_append(&walk->path, git_tree_entry_name(entry));
    if (walk->path.length > PATH_LIMIT)
        return sty_error_set(walk->err, STY_LIMIT, "a path in the tree is longer than %d bytes", PATH_LIMIT);
    return (ssize_t)length;
}

static void leave(struct walk *walk, ssize_t length)
{
    walk->path.length = (size_t)length;
    walk->path.data[length] = '\0';
}

static int too_deep(struct walk *walk)
{
    return sty_error_set(walk->err, STY_LIMIT, "the tree is deeper than %d folders", DEPTH_LIMIT);
}

static int walk_tree(struct walk *walk, const git_oid *oid, int depth)
{
    sty_auto_git(tree) tree = NULL;
    if (depth > DEPTH_LIMIT)
        return too_deep(walk);
    if (open_tree(&tree, walk->repo, oid, walk->err) < 0)
        return -1;
    for (size_t i = 0; i < git_tree_entrycount(tree); i++) {
        const git_tree_entry *entry = git_tree_entry_byindex(tree, i);
        ssize_t length = enter(walk, entry);
        if (length < 0)
            return -1;
        struct sty_entry found = describe(entry, walk->path.data);
        int result = found.kind == STY_ENTRY_TREE ? walk_tree(walk, git_tree_entry_id(entry), depth + 1)
                                                  : walk->visit(walk->self, &found, walk->err);
        if (result != 0)
            return -1;
        leave(walk, length);
    }
    return 0;
}

int sty_tree_entry(struct sty_entry *out, const struct sty_snapshot *snapshot, const char *path, struct sty_error *err)
{
    git_oid oid = {0};
    sty_auto_git(tree) tree = NULL;
    sty_auto_git(tree_entry) entry = NULL;
    if (sty_oid_parse(&oid, snapshot->tree, err) < 0 || open_tree(&tree, snapshot->repo, &oid, err) < 0)
        return -1;
    if (!*path) {
        struct sty_entry top = {.path = path, .kind = STY_ENTRY_TREE};
        sty_oid_text(top.oid, &oid);
        *out = top;
        return 0;
    }
    int code = git_tree_entry_bypath(&entry, tree, path);
    if (code == GIT_ENOTFOUND)
        return sty_error_set(err, STY_NOT_FOUND, "'%.256s' is not in tree %s", path, snapshot->tree);
    if (code < 0)
        return sty_git_error(err, STY_CORRUPT, "'%.256s' in tree %s", path, snapshot->tree);
    *out = describe(entry, path);
    return 0;
}

int sty_tree_walk(const struct sty_snapshot *snapshot, const char *path, sty_entry_visit *visit, void *self,
                  struct sty_error *err)
{
    struct sty_entry from;
    struct sty_error absent;
    if (sty_tree_entry(&from, snapshot, path, &absent) < 0) {
        *err = absent;
        return absent.code == STY_NOT_FOUND ? 0 : -1;
    }
    if (from.kind != STY_ENTRY_TREE)
        return visit(self, &from, err) == 0 ? 0 : -1;
    struct walk walk = {.repo = snapshot->repo, .path = STY_STR_INIT, .visit = visit, .self = self, .err = err};
    git_oid oid = {0};
    sty_str_append(&walk.path, path);
    int result = sty_oid_parse(&oid, from.oid, err) < 0 ? -1 : walk_tree(&walk, &oid, 1);
    sty_str_clear(&walk.path);
    return result;
}

/* ---- difference ---- */

static int diff_trees(struct walk *walk, const git_oid *from, const git_oid *to, int depth);

static bool is_tree(const git_tree_entry *entry)
{
    return entry && git_tree_entry_filemode(entry) == GIT_FILEMODE_TREE;
}

static int report(struct walk *walk, const git_tree_entry *from, const git_tree_entry *to)
{
    struct sty_change change = {.path = walk->path.data};
    change.kind = !from ? STY_CHANGE_ADDED : !to ? STY_CHANGE_REMOVED : STY_CHANGE_MODIFIED;
    change.from = from ? describe(from, change.path) : (struct sty_entry){.path = change.path};
    change.to = to ? describe(to, change.path) : (struct sty_entry){.path = change.path};
    return walk->compare(walk->self, &change, walk->err) == 0 ? 0 : -1;
}

/* Entries of the same place (either may be absent); they differ. Two of one name are both folders or neither is. */
static int diff_entries(struct walk *walk, const git_tree_entry *from, const git_tree_entry *to, int depth)
{
    ssize_t length = enter(walk, from ? from : to);
    if (length < 0)
        return -1;
    int result = 0;
    if (is_tree(from ? from : to))
        result = diff_trees(walk, from ? git_tree_entry_id(from) : NULL, to ? git_tree_entry_id(to) : NULL, depth + 1);
    else
        result = report(walk, from, to);
    leave(walk, length);
    return result;
}

static bool same(const git_tree_entry *a, const git_tree_entry *b)
{
    return git_oid_equal(git_tree_entry_id(a), git_tree_entry_id(b)) &&
           git_tree_entry_filemode(a) == git_tree_entry_filemode(b);
}

static int merge_entries(struct walk *walk, const git_tree *from, const git_tree *to, int depth)
{
    size_t i = 0, j = 0;
    size_t from_count = from ? git_tree_entrycount(from) : 0, to_count = to ? git_tree_entrycount(to) : 0;
    while (i < from_count || j < to_count) {
        const git_tree_entry *a = i < from_count ? git_tree_entry_byindex(from, i) : NULL;
        const git_tree_entry *b = j < to_count ? git_tree_entry_byindex(to, j) : NULL;
        int order = !a ? 1 : !b ? -1 : git_tree_entry_cmp(a, b);
        a = order <= 0 ? a : NULL;
        b = order >= 0 ? b : NULL;
        i += a != NULL;
        j += b != NULL;
        if (a && b && same(a, b))
            continue;
        if (diff_entries(walk, a, b, depth) < 0)
            return -1;
    }
    return 0;
}

static int diff_trees(struct walk *walk, const git_oid *from, const git_oid *to, int depth)
{
    sty_auto_git(tree) a = NULL;
    sty_auto_git(tree) b = NULL;
    if (from && to && git_oid_equal(from, to))
        return 0;
    if (depth > DEPTH_LIMIT)
        return too_deep(walk);
    if ((from && open_tree(&a, walk->repo, from, walk->err) < 0) ||
        (to && open_tree(&b, walk->repo, to, walk->err) < 0))
        return -1;
    return merge_entries(walk, a, b, depth);
}

int sty_tree_diff(struct sty_repo *repo, const char *from_tree, const char *to_tree, sty_change_visit *visit,
                  void *self, struct sty_error *err)
{
    git_oid from = {0}, to = {0};
    if ((*from_tree && sty_oid_parse(&from, from_tree, err) < 0) || (*to_tree && sty_oid_parse(&to, to_tree, err) < 0))
        return -1;
    struct walk walk = {.repo = repo, .path = STY_STR_INIT, .compare = visit, .self = self, .err = err};
    int result = diff_trees(&walk, *from_tree ? &from : NULL, *to_tree ? &to : NULL, 1);
    sty_str_clear(&walk.path);
    return result;
}

/* ---- blobs ---- */

int sty_blob_read(struct sty_str *out, struct sty_repo *repo, const char *oid, size_t limit, struct sty_error *err)
{
    git_oid id = {0};
    size_t size = 0;
    git_object_t type = GIT_OBJECT_INVALID;
    sty_auto_git(odb_object) blob = NULL;
    if (sty_oid_parse(&id, oid, err) < 0)
        return -1;
    if (git_odb_read_header(&size, &type, repo->odb, &id) < 0)
        return sty_git_error(err, STY_CORRUPT, "blob %s in %s", oid, repo->directory);
    if (type != GIT_OBJECT_BLOB)
        return sty_error_set(err, STY_CORRUPT, "%s in %s is no blob", oid, repo->directory);
    if (size > limit)
        return sty_error_set(err, STY_LIMIT, "blob %s has %zu bytes, at most %zu", oid, size, limit);
    if (git_odb_read(&blob, repo->odb, &id) < 0)
        return sty_git_error(err, STY_CORRUPT, "blob %s in %s", oid, repo->directory);
    sty_str_append_bytes(out, git_odb_object_data(blob), git_odb_object_size(blob));
    return 0;
}
