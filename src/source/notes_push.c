/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notes_push: our notes and the remote's made one. Nobody's push is ever overwritten: what somebody else put there
 * first is fetched, ours is added on top of it, and the push tried again. A refusal while the remote's ref stands still
 * means that we may not; a refusal while it moved means that we were late.
 */
#include "source/source_internal.h"
#include "base/failpoint.h"
#include <stdio.h>
#include <string.h>

#define ATTEMPTS 5

/* ---- local and remote ---- */

int sty_notes_follow(struct sty_repo *repo, const struct sty_notes_refs *refs, struct sty_error *err)
{
    for (int kind = 0; kind < STY_NOTES_KINDS; kind++) {
        git_oid local = {0}, remote = {0};
        bool has_local = false, has_remote = false, behind = true;
        if (sty_ref_read(&has_local, &local, repo, refs->local[kind], err) < 0 ||
            sty_ref_read(&has_remote, &remote, repo, refs->remote[kind], err) < 0)
            return -1;
        if (!has_remote || (has_local && git_oid_equal(&local, &remote)))
            continue;
        if (has_local && sty_descends(&behind, repo, &remote, &local, err) < 0)
            return -1;
        if (behind && sty_notes_move(repo, refs->local[kind], &remote, err) < 0)
            return -1;
    }
    return 0;
}

/* True if the local ref holds what the remote's, as last seen, does not. */
static int ahead(bool *out, struct sty_repo *repo, const struct sty_notes_refs *refs, enum sty_notes_kind kind,
                 struct sty_error *err)
{
    git_oid local = {0}, remote = {0};
    bool has_local = false, has_remote = false, known = false;
    if (sty_ref_read(&has_local, &local, repo, refs->local[kind], err) < 0 ||
        sty_ref_read(&has_remote, &remote, repo, refs->remote[kind], err) < 0)
        return -1;
    if (has_local && has_remote && sty_descends(&known, repo, &remote, &local, err) < 0)
        return -1;
    *out = has_local && !known;
    return 0;
}

int sty_notes_unpushed(bool *out, struct sty_repo *repo, const char *name, struct sty_error *err)
{
    struct sty_notes_refs refs;
    bool records = false, text = false;
    if (sty_notes_refs(&refs, name, err) < 0 || ahead(&records, repo, &refs, STY_NOTES_RECORDS, err) < 0 ||
        ahead(&text, repo, &refs, STY_NOTES_TEXT, err) < 0)
        return -1;
    *out = records || text;
    return 0;
}

/* ---- ours on top of theirs ---- */

static int add_ours(void *self, const struct sty_change *change, struct sty_error *err)
{
    struct sty_notes_edit *edit = self;
    char commit[STY_OID_SIZE];
    sty_auto(str) bytes = STY_STR_INIT;
    if (change->kind == STY_CHANGE_REMOVED || !sty_notes_path_commit(commit, change->path))
        return 0;
    if (sty_blob_read(&bytes, edit->repo, change->to.oid, STY_NOTE_LIMIT, err) < 0)
        return -1;
    return sty_notes_edit_add(edit, commit, bytes.data, err);
}

/* What we wrote is what the local tree has and the last common one has not. */
static int put_on_top(struct sty_repo *repo, const char *name, enum sty_notes_kind kind, git_oid sides[2],
                      struct sty_error *err)
{
    const git_oid *local = &sides[0], *remote = &sides[1];
    sty_auto(notes_edit) edit = STY_NOTES_EDIT_INIT(repo, kind);
    struct sty_notes_refs refs;
    char ours[STY_OID_SIZE], theirs[STY_OID_SIZE], common[STY_OID_SIZE] = "";
    git_oid base = {0}, made = {0};
    bool changed = false;
    int code = git_merge_base(&base, repo->git, local, remote);
    if (code < 0 && code != GIT_ENOTFOUND)
        return sty_git_error(err, STY_CORRUPT, "notes in %s", repo->directory);
    if ((code == 0 && sty_notes_tree(common, repo, &base, err) < 0) || sty_notes_tree(ours, repo, local, err) < 0 ||
        sty_notes_tree(theirs, repo, remote, err) < 0 || sty_notes_edit_base(&edit, theirs, err) < 0 ||
        sty_tree_diff(repo, common, ours, add_ours, &edit, err) < 0)
        return -1;
    struct sty_notes_commit commit = {remote, name};
    if (sty_notes_edit_commit(&changed, &made, &edit, &commit, err) < 0 || sty_notes_refs(&refs, name, err) < 0)
        return -1;
    return sty_notes_move(repo, refs.local[kind], changed ? &made : remote, err);
}

static int combine(struct sty_repo *repo, const char *name, const struct sty_notes_refs *refs, enum sty_notes_kind kind,
                   struct sty_error *err)
{
    git_oid sides[2] = {0};
    bool has_local = false, has_remote = false, on_top = false;
    if (sty_ref_read(&has_local, &sides[0], repo, refs->local[kind], err) < 0 ||
        sty_ref_read(&has_remote, &sides[1], repo, refs->remote[kind], err) < 0)
        return -1;
    if (!has_local || !has_remote)
        return 0;
    if (sty_descends(&on_top, repo, &sides[0], &sides[1], err) < 0)
        return -1;
    return on_top ? 0 : put_on_top(repo, name, kind, sides, err);
}

/* ---- pushing ---- */

struct push {
    struct sty_transfer transfer;
    struct sty_notes_refs refs;
    struct sty_remote_tips seen; /* before the last attempt */
    bool refused[STY_NOTES_KINDS];
    char reason[256];
};

static void push_clear(struct push *push)
{
    sty_transfer_clear(&push->transfer);
}

static int on_status(const char *ref, const char *status, void *self)
{
    /* The payload of all callbacks is the transfer, the first member. */
    struct push *push = self;
    for (int kind = 0; kind < STY_NOTES_KINDS; kind++) {
        if (!status || !sty_streq(ref, push->refs.local[kind]))
            continue;
        sty_auto(str) visible = STY_STR_INIT;
        sty_str_append_visible(&visible, status, strlen(status), false);
        snprintf(push->reason, sizeof(push->reason), "%s", visible.data);
        push->refused[kind] = true;
    }
    return 0;
}

static bool moved(const struct push *push, const struct sty_remote_tips *now, int kind)
{
    return push->seen.has_notes[kind] != now->has_notes[kind] ||
           (now->has_notes[kind] && !git_oid_equal(&push->seen.notes[kind], &now->notes[kind]));
}

static int check_refusal(const struct push *push, const struct sty_remote_tips *now, struct sty_error *err)
{
    for (int kind = 0; kind < STY_NOTES_KINDS; kind++) {
        if (!push->refused[kind] || moved(push, now, kind))
            continue;
        return sty_error_set(err, STY_DENIED, "%.200s refused %s: %s%s%s", push->transfer.url.text,
                             push->refs.local[kind], push->reason, *push->transfer.said ? ": " : "",
                             push->transfer.said);
    }
    return 0;
}

static int fetch_notes(struct push *push, struct sty_error *err)
{
    sty_auto_git(remote) remote = NULL;
    struct sty_remote_tips tips;
    if (sty_transfer_connect(&remote, &push->transfer, GIT_DIRECTION_FETCH, err) < 0 ||
        sty_transfer_tips(&tips, &push->transfer, remote, &push->refs, err) < 0)
        return -1;
    tips.has_branch = false;
    return sty_transfer_download(&push->transfer, remote, &tips, &push->refs, err);
}

static bool has_all(const struct sty_repo *repo, const struct sty_remote_tips *tips)
{
    bool complete = true;
    for (int kind = 0; kind < STY_NOTES_KINDS; kind++)
        complete = complete && (!tips->has_notes[kind] || git_odb_exists(repo->odb, &tips->notes[kind]));
    return complete;
}

/*
 * Connected for the push, all that the remote lists of our notes in the mirror. The list of this very connection is
 * what the push is compared with over there. `*out` stays NULL where the remote keeps moving.
 */
static int meet(git_remote **out, struct push *push, struct sty_remote_tips *tips, struct sty_error *err)
{
    struct sty_transfer *transfer = &push->transfer;
    for (int round = 0; round < 2; round++) {
        sty_auto_git(remote) remote = NULL;
        if (sty_transfer_connect(&remote, transfer, GIT_DIRECTION_PUSH, err) < 0 ||
            sty_transfer_tips(tips, transfer, remote, &push->refs, err) < 0)
            return -1;
        tips->has_branch = false;
        if (has_all(transfer->repo, tips)) {
            *out = sty_take(remote);
            return sty_transfer_download(transfer, *out, tips, &push->refs, err);
        }
        git_remote_free(sty_take(remote));
        if (round == 0 && fetch_notes(push, err) < 0)
            return -1;
    }
    return 0;
}

static int send(struct push *push, git_remote *remote, git_strarray *specs, struct sty_error *err)
{
    git_push_options options;
    git_push_options_init(&options, GIT_PUSH_OPTIONS_VERSION);
    options.callbacks = sty_transfer_callbacks(&push->transfer);
    options.callbacks.push_update_reference = on_status;
    int number = sty_failpoint(notes_push);
    if (number)
        return sty_error_errno(err, STY_IO, number, "%.200s", push->transfer.url.text);
    int code = git_remote_push(remote, specs, &options);
    if (code == 0)
        return 0;
    if (push->transfer.failed)
        return sty_transfer_error(&push->transfer, err);
    return sty_error_set(err, STY_DENIED, "%.200s could not store what was pushed (read only, full?)%s%s",
                         push->transfer.url.text, *push->transfer.said ? ": " : "", push->transfer.said);
}

static int settle(bool *done, struct push *push, const bool wanted[STY_NOTES_KINDS], struct sty_error *err)
{
    struct sty_repo *repo = push->transfer.repo;
    *done = true;
    for (int kind = 0; kind < STY_NOTES_KINDS; kind++) {
        git_oid local = {0};
        bool there = false;
        *done = *done && !push->refused[kind];
        if (!wanted[kind] || push->refused[kind])
            continue;
        if (sty_ref_read(&there, &local, repo, push->refs.local[kind], err) < 0 ||
            sty_ref_write(repo, push->refs.remote[kind], &local, err) < 0)
            return -1;
    }
    return 0;
}

static int attempt(bool *done, struct push *push, struct sty_error *err)
{
    struct sty_repo *repo = push->transfer.repo;
    sty_auto_git(remote) remote = NULL;
    struct sty_remote_tips tips;
    char text[STY_NOTES_KINDS][272];
    char *pointers[STY_NOTES_KINDS];
    bool wanted[STY_NOTES_KINDS] = {0};
    git_strarray specs = {pointers, 0};
    if (meet(&remote, push, &tips, err) < 0 || check_refusal(push, &tips, err) < 0)
        return -1;
    if (!remote)
        return 0;
    push->seen = tips;
    for (int kind = 0; kind < STY_NOTES_KINDS; kind++) {
        push->refused[kind] = false;
        if (combine(repo, push->transfer.config->name, &push->refs, (enum sty_notes_kind)kind, err) < 0 ||
            ahead(&wanted[kind], repo, &push->refs, (enum sty_notes_kind)kind, err) < 0)
            return -1;
        snprintf(text[kind], sizeof(text[kind]), "%s:%s", push->refs.local[kind], push->refs.local[kind]);
        pointers[specs.count] = text[kind];
        specs.count += wanted[kind];
    }
    if (specs.count && send(push, remote, &specs, err) < 0)
        return -1;
    return settle(done, push, wanted, err);
}

int sty_notes_push(struct sty_repo *repo, const struct sty_source_config *config, struct sty_error *err)
{
    __attribute__((cleanup(push_clear))) struct push push = {.transfer = {.password = STY_STR_INIT}};
    bool done = false;
    if (repo->read_only)
        return sty_error_set(err, STY_INTERNAL, "push from a repository that is open for reading");
    if (sty_notes_refs(&push.refs, config->name, err) < 0 || sty_transfer_begin(&push.transfer, repo, config, err) < 0)
        return -1;
    sty_repo_tidy(repo);
    for (int i = 0; i < ATTEMPTS && !done; i++) {
        if (attempt(&done, &push, err) < 0)
            return -1;
    }
    if (!done)
        return sty_error_set(err, STY_CONFLICT, "notes at %.200s changed under every one of %d attempts",
                             push.transfer.url.text, ATTEMPTS);
    return 0;
}
