/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notes: what Styrmin attaches to commits, in the mirror. A notes tree maps commit ids to blobs, with folders of two
 * digits where it grows large; any fan-out that git may have made of it is read, new notes get one folder, so that a
 * tree with ten thousand of them stays cheap to change.
 */
#include "source/source_internal.h"
#include "base/failpoint.h"
#include "base/map.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FANOUT_LIMIT 3

int sty_notes_refs(struct sty_notes_refs *out, const char *name, struct sty_error *err)
{
    static const char *const folders[STY_NOTES_KINDS] = {"styrmin-records", "styrmin"};
    if (!name || !sty_name_valid(name))
        return sty_error_set(err, STY_USAGE, "the name of this installation is not set, or none of a-z 0-9 '-'");
    for (int kind = 0; kind < STY_NOTES_KINDS; kind++) {
        snprintf(out->local[kind], sizeof(out->local[kind]), "refs/notes/%s/%s", folders[kind], name);
        snprintf(out->remote[kind], sizeof(out->remote[kind]), "refs/styrmin/notes-remote/%s/%s", folders[kind], name);
    }
    return 0;
}

int sty_notes_tree(char tree[STY_OID_SIZE], struct sty_repo *repo, const git_oid *commit, struct sty_error *err)
{
    sty_auto_git(commit) found = NULL;
    if (git_commit_lookup(&found, repo->git, commit) < 0)
        return sty_git_error(err, STY_CORRUPT, "notes %s in %s", git_oid_tostr_s(commit), repo->directory);
    sty_oid_text(tree, git_commit_tree_id(found));
    return 0;
}

/* "" where the ref is not there. */
static int tree_of_ref(char tree[STY_OID_SIZE], struct sty_repo *repo, const char *ref, struct sty_error *err)
{
    git_oid oid = {0};
    bool found = false;
    tree[0] = '\0';
    if (sty_ref_read(&found, &oid, repo, ref, err) < 0)
        return -1;
    return found ? sty_notes_tree(tree, repo, &oid, err) : 0;
}

/* ---- reading ---- */

bool sty_notes_path_commit(char commit[STY_OID_SIZE], const char *path)
{
    size_t length = 0;
    for (; *path; path++) {
        if (*path == '/')
            continue;
        if (length == GIT_OID_HEXSZ || !strchr("0123456789abcdef", *path))
            return false;
        commit[length++] = *path;
    }
    commit[length] = '\0';
    return length == GIT_OID_HEXSZ;
}

/* "abcd..." with `folders` folders of two digits in front. */
static void note_path(char out[STY_OID_SIZE + FANOUT_LIMIT], const char *commit, int folders)
{
    size_t at = 0;
    for (int i = 0; commit[i]; i++) {
        if (i > 0 && i % 2 == 0 && i / 2 <= folders)
            out[at++] = '/';
        out[at++] = commit[i];
    }
    out[at] = '\0';
}

/* The note's place in the tree, and its blob; *found false and the place for a new one when there is none. */
static int find_note(bool *found, git_oid *blob, char path[STY_OID_SIZE + FANOUT_LIMIT], const git_tree *tree,
                     const char *commit)
{
    for (int folders = 0; tree && folders <= FANOUT_LIMIT; folders++) {
        sty_auto_git(tree_entry) entry = NULL;
        note_path(path, commit, folders);
        int code = git_tree_entry_bypath(&entry, tree, path);
        if (code < 0 && code != GIT_ENOTFOUND)
            return -1;
        if (code < 0 || git_tree_entry_type(entry) != GIT_OBJECT_BLOB)
            continue;
        *blob = *git_tree_entry_id(entry);
        *found = true;
        return 0;
    }
    note_path(path, commit, 1);
    *found = false;
    return 0;
}

static int load_tree(git_tree **out, struct sty_repo *repo, const char *hex, struct sty_error *err)
{
    git_oid oid = {0};
    if (!*hex)
        return 0;
    if (sty_oid_parse(&oid, hex, err) < 0)
        return -1;
    return git_tree_lookup(out, repo->git, &oid) < 0 ? sty_git_error(err, STY_CORRUPT, "notes in %s", repo->directory)
                                                     : 0;
}

static int read_note(struct sty_str *out, struct sty_repo *repo, const git_tree *tree, const char *commit,
                     struct sty_error *err)
{
    char path[STY_OID_SIZE + FANOUT_LIMIT], hex[STY_OID_SIZE];
    git_oid blob = {0};
    bool found = false;
    if (find_note(&found, &blob, path, tree, commit) < 0)
        return sty_git_error(err, STY_CORRUPT, "notes in %s", repo->directory);
    sty_oid_text(hex, &blob);
    return found ? sty_blob_read(out, repo, hex, STY_NOTE_LIMIT, err) : 0;
}

int sty_notes_read(struct sty_str *text, struct sty_str *records, struct sty_repo *repo, const char *name,
                   const char *commit, struct sty_error *err)
{
    struct sty_notes_refs refs;
    struct sty_str *outs[STY_NOTES_KINDS] = {[STY_NOTES_TEXT] = text, [STY_NOTES_RECORDS] = records};
    git_oid oid = {0};
    if (sty_notes_refs(&refs, name, err) < 0 || sty_oid_parse(&oid, commit, err) < 0)
        return -1;
    for (int kind = 0; kind < STY_NOTES_KINDS; kind++) {
        char hex[STY_OID_SIZE];
        sty_auto_git(tree) tree = NULL;
        if (!outs[kind])
            continue;
        if (tree_of_ref(hex, repo, refs.local[kind], err) < 0 || load_tree(&tree, repo, hex, err) < 0 ||
            read_note(outs[kind], repo, tree, commit, err) < 0)
            return -1;
    }
    return 0;
}

struct note_walk {
    struct sty_repo *repo;
    sty_note_visit *visit;
    void *self;
};

static int visit_note(void *self, const struct sty_entry *entry, struct sty_error *err)
{
    const struct note_walk *walk = self;
    char commit[STY_OID_SIZE];
    sty_auto(str) bytes = STY_STR_INIT;
    bool file = entry->kind == STY_ENTRY_FILE || entry->kind == STY_ENTRY_EXECUTABLE;
    if (!file || !sty_notes_path_commit(commit, entry->path))
        return 0;
    if (sty_blob_read(&bytes, walk->repo, entry->oid, STY_NOTE_LIMIT, err) < 0)
        return -1;
    return walk->visit(walk->self, commit, bytes.data, bytes.length, err);
}

int sty_notes_walk(struct sty_repo *repo, const char *tree, sty_note_visit *visit, void *self, struct sty_error *err)
{
    struct note_walk walk = {repo, visit, self};
    struct sty_snapshot snapshot = {.repo = repo};
    if (!*tree)
        return 0;
    memcpy(snapshot.tree, tree, STY_OID_SIZE);
    return sty_tree_walk(&snapshot, "", visit_note, &walk, err);
}

int sty_notes_records(struct sty_repo *repo, const char *name, sty_note_visit *visit, void *self, struct sty_error *err)
{
    struct sty_notes_refs refs;
    char tree[STY_OID_SIZE];
    if (sty_notes_refs(&refs, name, err) < 0 || tree_of_ref(tree, repo, refs.local[STY_NOTES_RECORDS], err) < 0)
        return -1;
    return sty_notes_walk(repo, tree, visit, self, err);
}

/* ---- changing a tree ---- */

void sty_notes_edit_clear(struct sty_notes_edit *edit)
{
    git_tree_free(edit->base);
    for (size_t i = 0; i < edit->count; i++)
        free((char *)(uintptr_t)edit->updates[i].path);
    free(edit->updates);
}

int sty_notes_edit_base(struct sty_notes_edit *edit, const char *tree, struct sty_error *err)
{
    return load_tree(&edit->base, edit->repo, tree, err);
}

static void append_line(struct sty_str *out, const char *line, size_t length)
{
    if (out->length && out->data[out->length - 1] != '\n')
        sty_str_append_char(out, '\n');
    sty_str_append_bytes(out, line, length);
    sty_str_append_char(out, '\n');
}

/* Lines of `more` that are not in `text` yet. */
static void append_new_lines(struct sty_str *text, const char *more)
{
    struct sty_map seen = STY_MAP_INIT;
    sty_auto_free char *before = sty_strdup(text->data);
    const char *const sources[] = {before, more};
    for (size_t i = 0; i < STY_COUNT(sources); i++) {
        for (const char *line = sources[i]; *line;) {
            size_t length = strcspn(line, "\n");
            sty_auto_free char *key = sty_strndup(line, length);
            if (i == 1 && length && !sty_map_has(&seen, key))
                append_line(text, line, length);
            if (length)
                sty_map_set(&seen, key, text);
            line += length + (line[length] == '\n');
        }
    }
    sty_map_clear(&seen);
}

static git_tree_update *updated(struct sty_notes_edit *edit, const char *path)
{
    for (size_t i = 0; i < edit->count; i++) {
        if (sty_streq(edit->updates[i].path, path))
            return &edit->updates[i];
    }
    return NULL;
}

static void record_update(struct sty_notes_edit *edit, const char *path, const git_oid *blob)
{
    git_tree_update *update = updated(edit, path);
    if (!update) {
        if (edit->count == edit->capacity) {
            edit->capacity = edit->capacity ? edit->capacity * 2 : 16;
            edit->updates = sty_realloc(edit->updates, edit->capacity * sizeof(*edit->updates));
        }
        update = &edit->updates[edit->count++];
        *update = (git_tree_update){GIT_TREE_UPDATE_UPSERT, {{0}}, GIT_FILEMODE_BLOB, sty_strdup(path)};
    }
    update->id = *blob;
}

int sty_notes_edit_add(struct sty_notes_edit *edit, const char *commit, const char *bytes, struct sty_error *err)
{
    char path[STY_OID_SIZE + FANOUT_LIMIT], hex[STY_OID_SIZE];
    git_oid blob = {0}, oid = {0};
    bool found = false;
    sty_auto(str) content = STY_STR_INIT;
    if (sty_oid_parse(&oid, commit, err) < 0)
        return -1;
    if (find_note(&found, &blob, path, edit->base, commit) < 0)
        return sty_git_error(err, STY_CORRUPT, "notes in %s", edit->repo->directory);
    const git_tree_update *pending = updated(edit, path);
    sty_oid_text(hex, pending ? &pending->id : &blob);
    if (edit->kind == STY_NOTES_RECORDS) {
        if ((found || pending) && sty_blob_read(&content, edit->repo, hex, STY_NOTE_LIMIT, err) < 0)
            return -1;
        append_new_lines(&content, bytes);
    } else {
        sty_str_append(&content, bytes);
    }
    if (git_blob_create_from_buffer(&oid, edit->repo->git, content.data, content.length) < 0)
        return sty_git_error(err, STY_IO, "note on %s", commit);
    if (pending || !found || !git_oid_equal(&oid, &blob))
        record_update(edit, path, &oid);
    return 0;
}

static int empty_tree(git_tree **out, struct sty_repo *repo, struct sty_error *err)
{
    git_oid oid = {0};
    sty_auto_git(treebuilder) builder = NULL;
    if (git_treebuilder_new(&builder, repo->git, NULL) < 0 || git_treebuilder_write(&oid, builder) < 0 ||
        git_tree_lookup(out, repo->git, &oid) < 0)
        return sty_git_error(err, STY_IO, "notes in %s", repo->directory);
    return 0;
}

static int make_commit(git_oid *out, struct sty_repo *repo, const git_oid *tree, const struct sty_notes_commit *commit,
                       struct sty_error *err)
{
    sty_auto_git(signature) author = NULL;
    sty_auto_git(tree) content = NULL;
    sty_auto_git(commit) parent = NULL;
    sty_auto(str) email = STY_STR_INIT;
    sty_str_appendf(&email, "styrmin@%s", commit->name);
    if (git_signature_now(&author, "Styrmin", email.data) < 0 || git_tree_lookup(&content, repo->git, tree) < 0 ||
        (commit->parent && git_commit_lookup(&parent, repo->git, commit->parent) < 0))
        return sty_git_error(err, STY_CORRUPT, "notes in %s", repo->directory);
    const git_commit *parents[] = {parent};
    if (git_commit_create(out, repo->git, NULL, author, author, "UTF-8", "Notes by Styrmin\n", content, parent != NULL,
                          parents) < 0)
        return sty_git_error(err, STY_IO, "notes in %s", repo->directory);
    return 0;
}

int sty_notes_edit_commit(bool *changed, git_oid *out, struct sty_notes_edit *edit,
                          const struct sty_notes_commit *commit, struct sty_error *err)
{
    git_oid tree = {0};
    *changed = edit->count > 0;
    if (!edit->count)
        return 0;
    if (!edit->base && empty_tree(&edit->base, edit->repo, err) < 0)
        return -1;
    if (git_tree_create_updated(&tree, edit->repo->git, edit->base, edit->count, edit->updates) < 0)
        return sty_git_error(err, STY_IO, "notes in %s", edit->repo->directory);
    return make_commit(out, edit->repo, &tree, commit, err);
}

/* ---- writing ---- */

int sty_notes_move(struct sty_repo *repo, const char *ref, const git_oid *oid, struct sty_error *err)
{
    int number = sty_failpoint(notes_write);
    if (number)
        return sty_error_errno(err, STY_IO, number, "notes in %s", repo->directory);
    return sty_ref_write(repo, ref, oid, err);
}

/* One writing: what for which refs, and the commits that come of it. */
struct writing {
    struct sty_repo *repo;
    const char *name;
    const struct sty_note *notes;
    size_t count;
    struct sty_notes_refs refs;
    git_oid made[STY_NOTES_KINDS];
    bool changed[STY_NOTES_KINDS];
};

static int write_kind(struct writing *writing, enum sty_notes_kind kind, struct sty_error *err)
{
    sty_auto(notes_edit) edit = STY_NOTES_EDIT_INIT(writing->repo, kind);
    git_oid parent = {0};
    bool there = false;
    char tree[STY_OID_SIZE] = "";
    if (sty_ref_read(&there, &parent, writing->repo, writing->refs.local[kind], err) < 0 ||
        (there && sty_notes_tree(tree, writing->repo, &parent, err) < 0) || sty_notes_edit_base(&edit, tree, err) < 0)
        return -1;
    for (size_t i = 0; i < writing->count; i++) {
        const struct sty_note *note = &writing->notes[i];
        const char *bytes = kind == STY_NOTES_TEXT ? note->text : note->records;
        if (bytes && sty_notes_edit_add(&edit, note->commit, bytes, err) < 0)
            return -1;
    }
    struct sty_notes_commit commit = {there ? &parent : NULL, writing->name};
    return sty_notes_edit_commit(&writing->changed[kind], &writing->made[kind], &edit, &commit, err);
}

int sty_notes_write(struct sty_repo *repo, const char *name, const struct sty_note *notes, size_t count,
                    struct sty_error *err)
{
    struct writing writing = {.repo = repo, .name = name, .notes = notes, .count = count};
    if (repo->read_only)
        return sty_error_set(err, STY_INTERNAL, "notes written to a repository that is open for reading");
    if (sty_notes_refs(&writing.refs, name, err) < 0)
        return -1;
    sty_repo_tidy(repo);
    if (write_kind(&writing, STY_NOTES_RECORDS, err) < 0 || write_kind(&writing, STY_NOTES_TEXT, err) < 0)
        return -1;
    for (int kind = 0; kind < STY_NOTES_KINDS; kind++) {
        if (writing.changed[kind] && sty_notes_move(repo, writing.refs.local[kind], &writing.made[kind], err) < 0)
            return -1;
    }
    return 0;
}
