/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trust: which commits must be signed before a tip may be followed, and what to say of the first that is not. What was
 * accepted stays accepted, so that verification can be turned on at any time and signers can go; what is new is all
 * that the tip reaches and the accepted commit does not, whichever parent it came in by.
 */
#include <stdlib.h>
#include <string.h>

#include "source/source_internal.h"

#define COMMITS_LIMIT 10000

STY_DEFINE_AUTO_GIT(revwalk)

struct commits {
    git_oid *oids; /* oldest first */
    size_t count;
};

static void commits_clear(struct commits *commits)
{
    free(commits->oids);
}

static void add(struct commits *commits, const git_oid *oid)
{
    if ((commits->count & (commits->count - 1)) == 0)
        commits->oids = sty_realloc(commits->oids, (commits->count ? commits->count * 2 : 1) * sizeof *commits->oids);
    commits->oids[commits->count++] = *oid;
}

static int list_new(struct commits *out, struct sty_repo *repo, const git_oid *tip, const git_oid *base,
                    struct sty_error *err)
{
    sty_auto_git(revwalk) walk = NULL;
    git_oid oid;
    int code = git_revwalk_new(&walk, repo->git);
    if (code == 0)
        code = git_revwalk_sorting(walk, GIT_SORT_TOPOLOGICAL | GIT_SORT_REVERSE);
    if (code == 0)
        code = git_revwalk_push(walk, tip);
    if (code == 0)
        code = git_revwalk_hide(walk, base);
    while (code == 0 && (code = git_revwalk_next(&oid, walk)) == 0) {
        if (out->count == COMMITS_LIMIT)
            return sty_error_set(err, STY_LIMIT,
                                 "more than %d commits are new: too many to verify each; set source.verify.mode: head"
                                 " until they are accepted",
                                 COMMITS_LIMIT);
        add(out, &oid);
    }
    return code == GIT_ITEROVER ? 0 : sty_git_error(err, STY_CORRUPT, "history in %s", repo->directory);
}

static int refuse(const struct sty_verifier *verifier, const git_oid *oid, const char *why, struct sty_error *err)
{
    sty_auto_ptr(arena) arena = sty_arena_new();
    sty_auto(str) author = STY_STR_INIT;
    struct sty_commit commit;
    char text[STY_OID_SIZE];
    sty_oid_text(text, oid);
    if (sty_repo_commit(&commit, arena, verifier->repo, text, err) < 0)
        return -1;
    sty_str_append_visible(&author, commit.author, strnlen(commit.author, 60), false);
    sty_str_append(&author, " <");
    sty_str_append_visible(&author, commit.email, strnlen(commit.email, 60), false);
    return sty_error_set(err, STY_DENIED,
                         "commit %s by %.120s> is not trusted: %s; %s that an allowed signer signed, or see"
                         " source.verify in the configuration",
                         text, author.data, why,
                         verifier->config->verify == STY_VERIFY_EVERY ? "replace it by one" : "push one on top of it");
}

static int check_each(const struct sty_verifier *verifier, const struct commits *commits, const git_oid *base,
                      struct sty_error *err)
{
    for (size_t i = 0; i < commits->count; i++) {
        const char *why = NULL;
        bool known = false;
        if (sty_verifier_judge(&why, verifier, &commits->oids[i], err) < 0)
            return -1;
        if (why && base && sty_descends(&known, verifier->repo, base, &commits->oids[i], err) < 0)
            return -1;
        if (why && !known)
            return refuse(verifier, &commits->oids[i], why, err);
    }
    return 0;
}

/* Without a base there is no past that was accepted, and the tip answers for it. */
static int check(struct sty_repo *repo, const struct sty_source_config *config, const git_oid *tip, const git_oid *base,
                 struct sty_error *err)
{
    sty_auto(verifier) verifier = {0};
    __attribute__((cleanup(commits_clear))) struct commits commits = {0};
    bool all = config->verify == STY_VERIFY_EVERY && base && git_odb_exists(repo->odb, base);
    if (all && list_new(&commits, repo, tip, base, err) < 0)
        return -1;
    bool alone = commits.count == 0;
    if (alone)
        add(&commits, tip);
    return sty_verifier_open(&verifier, repo, config, err) < 0
               ? -1
               : check_each(&verifier, &commits, alone ? NULL : base, err);
}

int sty_repo_verify(struct sty_repo *repo, const struct sty_source_config *config, const char *tip,
                    const char *accepted, struct sty_error *err)
{
    struct sty_verified now = {0};
    if (config->verify == STY_VERIFY_NONE || sty_streq(tip, accepted))
        return 0;
    if (sty_oid_parse(&now.tip, tip, err) < 0 || (accepted && sty_oid_parse(&now.base, accepted, err) < 0))
        return -1;
    if (git_oid_equal(&repo->verified.tip, &now.tip) && git_oid_equal(&repo->verified.base, &now.base))
        return 0;
    if (check(repo, config, &now.tip, accepted ? &now.base : NULL, err) < 0)
        return -1;
    repo->verified = now;
    return 0;
}
