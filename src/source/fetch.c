/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch: what the remote has of our branch and our notes, and what of it the mirror takes over. Nothing new costs one
 * list of refs. Objects and the refs that follow the remote are stored first; the branch itself moves last, and only
 * forward from what was accepted and to what is trusted, so that a rewritten branch or a commit without the signature
 * that is asked for is seen and refused however often it is fetched.
 */
#include "source/source_internal.h"
#include "base/failpoint.h"
#include <string.h>

static void incoming_ref(struct sty_str *out, const char *branch)
{
    sty_str_appendf(out, "refs/styrmin/incoming/%s", branch);
}

static void branch_ref(struct sty_str *out, const char *branch)
{
    sty_str_appendf(out, "refs/heads/%s", branch);
}

/* ---- what the remote has ---- */

int sty_transfer_tips(struct sty_remote_tips *out, struct sty_transfer *transfer, git_remote *remote,
                      const struct sty_notes_refs *refs, struct sty_error *err)
{
    const git_remote_head **heads = NULL;
    size_t count = 0;
    struct sty_remote_tips tips = {0};
    sty_auto(str) branch = STY_STR_INIT;
    branch_ref(&branch, transfer->config->branch ? transfer->config->branch : "");
    if (git_remote_ls(&heads, &count, remote) < 0)
        return sty_transfer_error(transfer, err);
    for (size_t i = 0; i < count; i++) {
        if (sty_streq(heads[i]->name, branch.data)) {
            tips.branch = heads[i]->oid;
            tips.has_branch = true;
        }
        for (int kind = 0; refs && kind < STY_NOTES_KINDS; kind++) {
            if (!sty_streq(heads[i]->name, refs->local[kind]))
                continue;
            tips.notes[kind] = heads[i]->oid;
            tips.has_notes[kind] = true;
        }
    }
    *out = tips;
    return 0;
}

/* Says which branches there are: most often the name is wrong. */
static int no_branch(struct sty_transfer *transfer, git_remote *remote, struct sty_error *err)
{
    const git_remote_head **heads = NULL;
    size_t count = 0, shown = 0;
    sty_auto(str) names = STY_STR_INIT;
    if (git_remote_ls(&heads, &count, remote) < 0)
        return sty_transfer_error(transfer, err);
    for (size_t i = 0; i < count && shown < 5; i++) {
        if (!sty_starts_with(heads[i]->name, "refs/heads/"))
            continue;
        const char *name = heads[i]->name + strlen("refs/heads/");
        sty_str_append(&names, shown++ ? ", " : "");
        sty_str_append_visible(&names, name, strnlen(name, 40), false);
    }
    return sty_error_set(err, STY_NOT_FOUND, "%.200s has no branch '%.64s' (%s%s)", transfer->url.text,
                         transfer->config->branch, shown ? "it has: " : "nothing was pushed to it yet", names.data);
}

int sty_repo_probe(char tip[STY_OID_SIZE], struct sty_repo *repo, const struct sty_source_config *config,
                   struct sty_error *err)
{
    sty_auto(transfer) transfer = {.password = STY_STR_INIT};
    sty_auto_git(remote) remote = NULL;
    struct sty_remote_tips tips;
    if (sty_transfer_begin(&transfer, repo, config, err) < 0 ||
        sty_transfer_connect(&remote, &transfer, GIT_DIRECTION_FETCH, err) < 0 ||
        sty_transfer_tips(&tips, &transfer, remote, NULL, err) < 0)
        return -1;
    if (!tips.has_branch)
        return no_branch(&transfer, remote, err);
    sty_oid_text(tip, &tips.branch);
    return 0;
}

/* ---- taking it over ---- */

static bool lacks(const struct sty_repo *repo, bool there, const git_oid *oid)
{
    return there && !git_odb_exists(repo->odb, oid);
}

static bool needs_pack(const struct sty_repo *repo, const struct sty_remote_tips *tips)
{
    bool needed = lacks(repo, tips->has_branch, &tips->branch);
    for (int kind = 0; kind < STY_NOTES_KINDS; kind++)
        needed = needed || lacks(repo, tips->has_notes[kind], &tips->notes[kind]);
    return needed;
}

static int download_pack(struct sty_transfer *transfer, git_remote *remote, const struct sty_remote_tips *tips,
                         const struct sty_notes_refs *refs, struct sty_error *err)
{
    sty_auto(str) branch = STY_STR_INIT;
    char *specs[1 + STY_NOTES_KINDS];
    git_strarray wanted = {specs, 0};
    git_fetch_options options;
    git_fetch_options_init(&options, GIT_FETCH_OPTIONS_VERSION);
    branch_ref(&branch, transfer->config->branch ? transfer->config->branch : "");
    if (tips->has_branch)
        specs[wanted.count++] = branch.data;
    for (int kind = 0; refs && kind < STY_NOTES_KINDS; kind++) {
        if (tips->has_notes[kind])
            specs[wanted.count++] = (char *)(uintptr_t)refs->local[kind];
    }
    options.callbacks = sty_transfer_callbacks(transfer);
    options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
    options.prune = GIT_FETCH_NO_PRUNE;
    options.update_fetchhead = 0;
    int number = sty_failpoint(mirror_write);
    if (number)
        return sty_error_errno(err, STY_IO, number, "%s", transfer->repo->directory);
    if (git_remote_download(remote, &wanted, &options) < 0)
        return sty_transfer_error(transfer, err);
    return git_odb_refresh(transfer->repo->odb) < 0 ? sty_git_error(err, STY_IO, "%s", transfer->repo->directory) : 0;
}

int sty_transfer_download(struct sty_transfer *transfer, git_remote *remote, const struct sty_remote_tips *tips,
                          const struct sty_notes_refs *refs, struct sty_error *err)
{
    struct sty_repo *repo = transfer->repo;
    sty_auto(str) incoming = STY_STR_INIT;
    if (needs_pack(repo, tips) && download_pack(transfer, remote, tips, refs, err) < 0)
        return -1;
    if (needs_pack(repo, tips))
        return sty_error_set(err, STY_INVALID, "%.200s did not send the commits that it listed", transfer->url.text);
    if (tips->has_branch) {
        incoming_ref(&incoming, transfer->config->branch);
        if (sty_ref_write(repo, incoming.data, &tips->branch, err) < 0)
            return -1;
    }
    for (int kind = 0; refs && kind < STY_NOTES_KINDS; kind++) {
        const git_oid *oid = tips->has_notes[kind] ? &tips->notes[kind] : NULL;
        if (sty_ref_write(repo, refs->remote[kind], oid, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- fetch ---- */

static int check_forward(struct sty_repo *repo, const struct sty_source_config *config, const git_oid *tip,
                         const char *accepted, struct sty_error *err)
{
    bool forward = false;
    git_oid before = {0};
    if (!accepted || config->accept_rewind)
        return 0;
    if (sty_oid_parse(&before, accepted, err) < 0 || sty_descends(&forward, repo, tip, &before, err) < 0)
        return -1;
    if (forward)
        return 0;
    return sty_error_set(err, STY_REWOUND,
                         "branch '%.64s' was rewritten: %s at the remote does not descend from %s, the last accepted "
                         "commit; set source.rewind: accept once if that was meant",
                         config->branch, git_oid_tostr_s(tip), accepted);
}

static int check_is_commit(struct sty_repo *repo, const git_oid *tip, struct sty_error *err)
{
    size_t size = 0;
    git_object_t type = GIT_OBJECT_INVALID;
    if (git_odb_read_header(&size, &type, repo->odb, tip) < 0)
        return sty_git_error(err, STY_CORRUPT, "%s", repo->directory);
    if (type != GIT_OBJECT_COMMIT)
        return sty_error_set(err, STY_INVALID, "the branch at the remote points at %s, which is no commit",
                             git_oid_tostr_s(tip));
    return 0;
}

static int move_branch(struct sty_fetch_result *result, struct sty_repo *repo, const struct sty_source_config *config,
                       const git_oid *tip, struct sty_error *err)
{
    sty_auto(str) ref = STY_STR_INIT;
    git_oid before = {0};
    bool there = false;
    branch_ref(&ref, config->branch);
    if (sty_ref_read(&there, &before, repo, ref.data, err) < 0 || sty_ref_write(repo, ref.data, tip, err) < 0)
        return -1;
    result->changed = !there || !git_oid_equal(&before, tip);
    sty_oid_text(result->tip, tip);
    return 0;
}

static int notes_differ(bool *out, struct sty_repo *repo, const struct sty_remote_tips *tips,
                        const struct sty_notes_refs *refs, struct sty_error *err)
{
    bool differ = false;
    for (int kind = 0; kind < STY_NOTES_KINDS; kind++) {
        git_oid before = {0};
        bool there = false;
        if (sty_ref_read(&there, &before, repo, refs->remote[kind], err) < 0)
            return -1;
        bool same = there == tips->has_notes[kind] && (!there || git_oid_equal(&before, &tips->notes[kind]));
        differ = differ || !same;
    }
    *out = differ;
    return 0;
}

/* The branch must be a commit, before anything follows it. */
static int take_over(struct sty_fetch_result *result, struct sty_transfer *transfer, git_remote *remote,
                     const struct sty_notes_refs *refs, struct sty_error *err)
{
    struct sty_remote_tips tips;
    struct sty_repo *repo = transfer->repo;
    if (sty_transfer_tips(&tips, transfer, remote, refs, err) < 0)
        return -1;
    if (!tips.has_branch)
        return no_branch(transfer, remote, err);
    if (refs && notes_differ(&result->notes_changed, repo, &tips, refs, err) < 0)
        return -1;
    if (sty_transfer_download(transfer, remote, &tips, refs, err) < 0)
        return -1;
    if (refs && sty_notes_follow(repo, refs, err) < 0)
        return -1;
    sty_oid_text(result->tip, &tips.branch);
    return check_is_commit(repo, &tips.branch, err);
}

int sty_repo_fetch(struct sty_fetch_result *out, struct sty_repo *repo, const struct sty_source_config *config,
                   const char *accepted, struct sty_error *err)
{
    sty_auto(transfer) transfer = {.password = STY_STR_INIT};
    sty_auto_git(remote) remote = NULL;
    struct sty_notes_refs refs;
    struct sty_fetch_result result = {0};
    git_oid tip = {0};
    if (repo->read_only)
        return sty_error_set(err, STY_INTERNAL, "fetch into a repository that is open for reading");
    if (!config->branch)
        return sty_error_set(err, STY_USAGE, "source.branch is not set");
    if (config->name && sty_notes_refs(&refs, config->name, err) < 0)
        return -1;
    sty_repo_tidy(repo);
    if (sty_transfer_begin(&transfer, repo, config, err) < 0 ||
        sty_transfer_connect(&remote, &transfer, GIT_DIRECTION_FETCH, err) < 0 ||
        take_over(&result, &transfer, remote, config->name ? &refs : NULL, err) < 0)
        return -1;
    if (sty_oid_parse(&tip, result.tip, err) < 0 || check_forward(repo, config, &tip, accepted, err) < 0 ||
        sty_repo_verify(repo, config, result.tip, accepted, err) < 0 ||
        move_branch(&result, repo, config, &tip, err) < 0)
        return -1;
    *out = result;
    return 0;
}
