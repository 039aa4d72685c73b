/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref: names and where they point. What a person types is looked up as a name or an id and never parsed as a revision
 * expression: libgit2's parser of those leaks, and a regular expression from outside is nobody's wish.
 */
#include "source/source_internal.h"
#include <string.h>

int sty_ref_read(bool *found, git_oid *out, struct sty_repo *repo, const char *ref, struct sty_error *err)
{
    int code = git_reference_name_to_id(out, repo->git, ref);
    if (code < 0 && code != GIT_ENOTFOUND)
        return sty_git_error(err, STY_CORRUPT, "%s: %s", repo->directory, ref);
    *found = code == 0;
    return 0;
}

int sty_ref_write(struct sty_repo *repo, const char *ref, const git_oid *oid, struct sty_error *err)
{
    git_oid now = {0};
    bool there = false;
    if (sty_ref_read(&there, &now, repo, ref, err) < 0)
        return -1;
    if (there == (oid != NULL) && (!oid || git_oid_equal(&now, oid)))
        return 0;
    sty_auto_git(reference) made = NULL;
    int code = oid ? git_reference_create(&made, repo->git, ref, oid, 1, NULL) : git_reference_remove(repo->git, ref);
    return code < 0 ? sty_git_error(err, STY_IO, "%s: %s", repo->directory, ref) : 0;
}

int sty_repo_tip(char out[STY_OID_SIZE], struct sty_repo *repo, const char *branch, struct sty_error *err)
{
    sty_auto(str) ref = STY_STR_INIT;
    git_oid oid = {0};
    bool found = false;
    sty_str_appendf(&ref, "refs/heads/%s", branch);
    if (!git_reference_is_valid_name(ref.data))
        return sty_error_set(err, STY_USAGE, "'%.128s' is no name of a branch", branch);
    if (sty_ref_read(&found, &oid, repo, ref.data, err) < 0)
        return -1;
    if (!found)
        return sty_error_set(err, STY_NOT_FOUND, "branch '%.128s' was not fetched yet", branch);
    sty_oid_text(out, &oid);
    return 0;
}

/* A name in one of the places that names live in; `*out` stays NULL when it is in none. */
static int named_commit(git_object **out, struct sty_repo *repo, const char *name, struct sty_error *err)
{
    bool whole = sty_streq(name, "HEAD") || sty_starts_with(name, "refs/");
    static const char *const places[] = {"refs/tags/", "refs/heads/", ""};
    for (size_t i = 0; i < STY_COUNT(places) - !whole; i++) {
        sty_auto(str) ref = STY_STR_INIT;
        sty_auto_git(reference) found = NULL;
        sty_str_appendf(&ref, "%s%s", places[i], name);
        if (!git_reference_is_valid_name(ref.data) || git_reference_lookup(&found, repo->git, ref.data) < 0)
            continue;
        if (git_reference_peel(out, found, GIT_OBJECT_COMMIT) < 0)
            return sty_git_error(err, STY_INVALID, "'%.128s' leads to no commit", name);
        return 0;
    }
    return 0;
}

static int commit_by_prefix(git_object **out, struct sty_repo *repo, const char *digits, struct sty_error *err)
{
    git_oid oid = {0};
    size_t length = strlen(digits);
    if (git_oid_fromstrn(&oid, digits, length) < 0)
        return sty_git_error(err, STY_INVALID, "'%s'", digits);
    sty_auto_git(object) found = NULL;
    int code = git_object_lookup_prefix(&found, repo->git, &oid, length, GIT_OBJECT_ANY);
    if (code == GIT_EAMBIGUOUS)
        return sty_error_set(err, STY_INVALID, "'%s' is the beginning of several ids: give more digits", digits);
    if (code < 0)
        return sty_error_set(err, STY_NOT_FOUND, "no commit '%s' in %s", digits, repo->directory);
    if (git_object_peel(out, found, GIT_OBJECT_COMMIT) < 0)
        return sty_error_set(err, STY_INVALID, "'%s' is no commit", digits);
    return 0;
}

int sty_repo_resolve(char out[STY_OID_SIZE], struct sty_repo *repo, const char *revision, struct sty_error *err)
{
    sty_auto_git(object) commit = NULL;
    size_t digits = strspn(revision, "0123456789abcdefABCDEF");
    bool is_id = !revision[digits] && digits >= 4 && digits <= GIT_OID_HEXSZ;
    if (!(is_id && digits == GIT_OID_HEXSZ) && named_commit(&commit, repo, revision, err) < 0)
        return -1;
    if (!commit && is_id && commit_by_prefix(&commit, repo, revision, err) < 0)
        return -1;
    if (!commit)
        return sty_error_set(err, STY_NOT_FOUND,
                             "'%.128s' is no commit id, branch or tag here (revision expressions are not taken)",
                             revision);
    sty_oid_text(out, git_object_id(commit));
    return 0;
}
