/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notes_probe: whether we may push notes, found out by pushing. git has no dry run that reaches a server's hooks and
 * permissions, and pushing our own refs unchanged sends nothing, so a ref of its own is made and deleted again.
 */
#include "source/source_internal.h"
#include <stdio.h>
#include <string.h>

struct probe {
    struct sty_transfer transfer; /* first: the payload of all callbacks */
    char ref[128];
    char refused[256]; /* the remote's reason; "" */
};

static void probe_clear(struct probe *probe)
{
    sty_transfer_clear(&probe->transfer);
}

static int on_status(const char *ref, const char *status, void *self)
{
    struct probe *probe = self;
    sty_auto(str) visible = STY_STR_INIT;
    if (!status || !sty_streq(ref, probe->ref))
        return 0;
    sty_str_append_visible(&visible, status, strlen(status), false);
    snprintf(probe->refused, sizeof(probe->refused), "%s", *visible.data ? visible.data : "refused");
    return 0;
}

/* A commit that holds nothing, under the ref here: what is pushed must stand in our own repository. */
static int make_ref(struct probe *probe, const char *name, struct sty_error *err)
{
    struct sty_repo *repo = probe->transfer.repo;
    sty_auto_git(treebuilder) builder = NULL;
    sty_auto_git(tree) tree = NULL;
    sty_auto_git(signature) us = NULL;
    git_oid empty = {0}, commit = {0};
    sty_auto_free char *email = sty_sprintf("styrmin@%s", name);
    if (git_treebuilder_new(&builder, repo->git, NULL) < 0 || git_treebuilder_write(&empty, builder) < 0 ||
        git_tree_lookup(&tree, repo->git, &empty) < 0 || git_signature_now(&us, "Styrmin", email) < 0 ||
        git_commit_create(&commit, repo->git, NULL, us, us, NULL, "Can notes be written?\n", tree, 0, NULL) < 0)
        return sty_git_error(err, STY_IO, "%s", repo->directory);
    return sty_ref_write(repo, probe->ref, &commit, err);
}

/* `from` "": the ref is deleted there. */
static int push(struct probe *probe, const char *from, struct sty_error *err)
{
    struct sty_transfer *transfer = &probe->transfer;
    sty_auto_git(remote) remote = NULL;
    sty_auto_free char *spec = sty_sprintf("+%s:%s", from, probe->ref);
    const git_strarray specs = {&spec, 1};
    git_push_options options;
    git_push_options_init(&options, GIT_PUSH_OPTIONS_VERSION);
    if (sty_transfer_connect(&remote, transfer, GIT_DIRECTION_PUSH, err) < 0)
        return -1;
    options.callbacks = sty_transfer_callbacks(transfer);
    options.callbacks.push_update_reference = on_status;
    int code = git_remote_push(remote, &specs, &options);
    if (code < 0 && transfer->failed)
        return sty_transfer_error(transfer, err);
    if (code == 0 && !*probe->refused)
        return 0;
    return sty_error_set(err, STY_DENIED, "%.200s: %s%s%s", transfer->url.text,
                         *probe->refused ? probe->refused : "could not store what was pushed (read only, full?)",
                         *transfer->said ? ": " : "", transfer->said);
}

int sty_notes_probe(struct sty_repo *repo, const struct sty_source_config *config, struct sty_error *err)
{
    __attribute__((cleanup(probe_clear))) struct probe probe = {.transfer = {.password = STY_STR_INIT}};
    struct sty_notes_refs refs;
    if (repo->read_only)
        return sty_error_set(err, STY_INTERNAL, "probe from a repository that is open for reading");
    if (sty_notes_refs(&refs, config->name, err) < 0 || sty_transfer_begin(&probe.transfer, repo, config, err) < 0)
        return -1;
    snprintf(probe.ref, sizeof(probe.ref), "refs/notes/styrmin-probe/%s", config->name);
    if (make_ref(&probe, config->name, err) < 0)
        return -1;
    int result = push(&probe, probe.ref, err);
    struct sty_error ignored;
    sty_ref_write(repo, probe.ref, NULL, &ignored);
    if (result < 0)
        return -1;
    if (push(&probe, "", err) == 0)
        return 0;
    err->code = STY_CONFLICT;
    return sty_error_wrap(err, "%s was made and cannot be deleted", probe.ref);
}
