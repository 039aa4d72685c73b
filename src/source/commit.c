/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commit: what a commit says and how commits stand to each other. "The way of the branch" is the line of first
 * parents: what a merge brought in was never by itself what the branch asked for.
 */
#include "source/source_internal.h"
#include "base/json.h"
#include <string.h>

#define MESSAGE_LIMIT ((size_t)256 * 1024)
#define LAST_CHANGE_LIMIT 1000

int sty_commit_load(git_commit **out, struct sty_repo *repo, const char *oid, struct sty_error *err)
{
    git_oid id = {0};
    if (sty_oid_parse(&id, oid, err) < 0)
        return -1;
    int code = git_commit_lookup(out, repo->git, &id);
    if (code == GIT_ENOTFOUND)
        return sty_error_set(err, STY_NOT_FOUND, "no commit %s in %s", oid, repo->directory);
    return code < 0 ? sty_git_error(err, STY_CORRUPT, "commit %s in %s", oid, repo->directory) : 0;
}

/* Valid UTF-8 whatever the commit holds: what is not becomes U+FFFD. */
static const char *clean(struct sty_arena *arena, const char *text)
{
    sty_auto_free char *cut = sty_strndup(text ? text : "", MESSAGE_LIMIT);
    if (sty_utf8_valid(cut, strlen(cut)))
        return sty_arena_strdup(arena, cut);
    json_auto_t *repaired = sty_json_string(cut);
    return sty_arena_strdup(arena, json_string_value(repaired));
}

static struct sty_commit describe(struct sty_arena *arena, git_commit *commit)
{
    const git_signature *author = git_commit_author(commit);
    struct sty_commit out = {
        .time_ms = (int64_t)git_commit_time(commit) * 1000,
        .author = clean(arena, author ? author->name : NULL),
        .email = clean(arena, author ? author->email : NULL),
        .subject = clean(arena, git_commit_summary(commit)),
        .message = clean(arena, git_commit_message(commit)),
    };
    sty_oid_text(out.oid, git_commit_id(commit));
    return out;
}

int sty_repo_commit(struct sty_commit *out, struct sty_arena *arena, struct sty_repo *repo, const char *oid,
                    struct sty_error *err)
{
    sty_auto_git(commit) commit = NULL;
    if (sty_commit_load(&commit, repo, oid, err) < 0)
        return -1;
    *out = describe(arena, commit);
    return 0;
}

/* `*commit` becomes its first parent; NULL behind the first commit of all. */
static int step_back(git_commit **commit, struct sty_repo *repo, struct sty_error *err)
{
    git_commit *parent = NULL;
    if (git_commit_parentcount(*commit) && git_commit_parent(&parent, *commit, 0) < 0)
        return sty_git_error(err, STY_CORRUPT, "a parent of commit %s in %s", git_oid_tostr_s(git_commit_id(*commit)),
                             repo->directory);
    git_commit_free(*commit);
    *commit = parent;
    return 0;
}

/* The line of first parents from `to`, newest first, at most limit; ends before `from` where it meets it. */
struct line {
    git_oid *oids;
    size_t count;
    bool met;
};

static int follow_line(struct line *line, struct sty_repo *repo, const struct sty_commit_range *range,
                       const git_oid *from, struct sty_error *err)
{
    sty_auto_git(commit) commit = NULL;
    size_t capacity = 0;
    if (sty_commit_load(&commit, repo, range->to, err) < 0)
        return -1;
    while (commit && line->count < range->limit) {
        line->met = from && git_oid_equal(git_commit_id(commit), from);
        if (line->met)
            return 0;
        if (line->count == capacity) {
            capacity = capacity ? capacity * 2 : 64;
            line->oids = sty_realloc(line->oids, capacity * sizeof(*line->oids));
        }
        line->oids[line->count++] = *git_commit_id(commit);
        if (!from)
            return 0;
        if (step_back(&commit, repo, err) < 0)
            return -1;
    }
    return 0;
}

/*
 * Where the line does not meet `from` (it came in as another parent of a merge), its older part may still be known
 * from there: ancestors of `from` are all at the line's end, so a binary search finds where they begin.
 */
static int cut_known(struct line *line, struct sty_repo *repo, const git_oid *from, struct sty_error *err)
{
    size_t low = 0, high = line->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        bool known = false;
        if (sty_descends(&known, repo, from, &line->oids[middle], err) < 0)
            return -1;
        high = known ? middle : high;
        low = known ? low : middle + 1;
    }
    line->count = low;
    return 0;
}

int sty_repo_commits_between(struct sty_commit **out, size_t *count, struct sty_arena *arena, struct sty_repo *repo,
                             const struct sty_commit_range *range, struct sty_error *err)
{
    struct line line = {0};
    git_oid from = {0};
    if (range->from && sty_oid_parse(&from, range->from, err) < 0)
        return -1;
    int result = follow_line(&line, repo, range, range->from ? &from : NULL, err);
    sty_auto_free git_oid *oids = line.oids;
    if (result == 0 && range->from && !line.met && git_odb_exists(repo->odb, &from))
        result = cut_known(&line, repo, &from, err);
    if (result < 0)
        return -1;
    struct sty_commit *commits = sty_arena_alloc(arena, (line.count + 1) * sizeof(*commits));
    for (size_t i = 0; i < line.count; i++) {
        char text[STY_OID_SIZE];
        sty_oid_text(text, &oids[line.count - 1 - i]);
        if (sty_repo_commit(&commits[i], arena, repo, text, err) < 0)
            return -1;
    }
    *out = commits;
    *count = line.count;
    return 0;
}

int sty_descends(bool *out, struct sty_repo *repo, const git_oid *descendant, const git_oid *ancestor,
                 struct sty_error *err)
{
    bool same = git_oid_equal(descendant, ancestor);
    if (same || !git_odb_exists(repo->odb, ancestor)) {
        *out = same;
        return 0;
    }
    int code = git_graph_descendant_of(repo->git, descendant, ancestor);
    if (code < 0)
        return sty_git_error(err, STY_CORRUPT, "history in %s", repo->directory);
    *out = code == 1;
    return 0;
}

int sty_repo_descends(bool *out, struct sty_repo *repo, const char *descendant, const char *ancestor,
                      struct sty_error *err)
{
    git_oid young = {0}, old = {0};
    if (sty_oid_parse(&young, descendant, err) < 0 || sty_oid_parse(&old, ancestor, err) < 0)
        return -1;
    return sty_descends(out, repo, &young, &old, err);
}

/* What stands at `path` in the commit; all zero where nothing does. */
static int oid_at(git_oid *out, git_commit *commit, const char *path, struct sty_error *err)
{
    sty_auto_git(tree) tree = NULL;
    sty_auto_git(tree_entry) entry = NULL;
    if (git_commit_tree(&tree, commit) < 0)
        return sty_git_error(err, STY_CORRUPT, "the tree of commit %s", git_oid_tostr_s(git_commit_id(commit)));
    int code = git_tree_entry_bypath(&entry, tree, path);
    if (code < 0 && code != GIT_ENOTFOUND)
        return sty_git_error(err, STY_CORRUPT, "'%.256s' in commit %s", path, git_oid_tostr_s(git_commit_id(commit)));
    *out = entry ? *git_tree_entry_id(entry) : (git_oid){0};
    return 0;
}

int sty_repo_last_change(struct sty_commit *out, struct sty_arena *arena, struct sty_repo *repo, const char *from,
                         const char *path, struct sty_error *err)
{
    sty_auto_git(commit) commit = NULL;
    git_oid wanted = {0}, now = {0};
    if (sty_commit_load(&commit, repo, from, err) < 0 || oid_at(&wanted, commit, path, err) < 0)
        return -1;
    for (int i = 0; i < LAST_CHANGE_LIMIT; i++) {
        struct sty_commit candidate = describe(arena, commit);
        if (step_back(&commit, repo, err) < 0 || (commit && oid_at(&now, commit, path, err) < 0))
            return -1;
        if (commit ? !git_oid_equal(&now, &wanted) : !git_oid_is_zero(&wanted)) {
            *out = candidate;
            return 0;
        }
        if (!commit)
            break;
    }
    return sty_error_set(err, STY_NOT_FOUND, "no change of '%.256s' among %d commits before %s", path,
                         LAST_CHANGE_LIMIT, from);
}

/* ---- snapshot ---- */

static bool is_top(const char *path)
{
    return !path || !*path || sty_streq(path, ".") || sty_streq(path, "./") || sty_streq(path, "/");
}

/* git knows "a/b"; people write "./a/b/". */
static char *plain_path(const char *path)
{
    while (sty_starts_with(path, "./"))
        path += 2;
    size_t length = strlen(path);
    while (length && path[length - 1] == '/')
        length--;
    return sty_strndup(path, length);
}

int sty_repo_snapshot(struct sty_snapshot *out, struct sty_repo *repo, const char *commit, const char *path,
                      struct sty_error *err)
{
    sty_auto_git(commit) found = NULL;
    struct sty_snapshot top = {.repo = repo};
    if (sty_commit_load(&found, repo, commit, err) < 0)
        return -1;
    sty_oid_text(top.commit, git_commit_id(found));
    sty_oid_text(top.tree, git_commit_tree_id(found));
    if (!is_top(path)) {
        sty_auto_free char *plain = plain_path(path);
        struct sty_entry entry = {0};
        int result = sty_tree_entry(&entry, &top, plain, err);
        if (result < 0 && err->code != STY_NOT_FOUND)
            return -1;
        if (result < 0 || entry.kind != STY_ENTRY_TREE)
            return sty_error_set(err, STY_NOT_FOUND, "source.path '%.256s' is %s in commit %s", path,
                                 result < 0 ? "not" : "no folder", commit);
        memcpy(top.tree, entry.oid, STY_OID_SIZE);
    }
    *out = top;
    return 0;
}
