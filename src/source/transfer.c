/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transfer: one fetch or push: its address, its secret, its limits of time and size, and the first thing that went
 * wrong. libgit2 reports errors of a transport as its own text; what the transport met is kept here and told instead.
 * The transport is handed to libgit2 per call, not registered for the process, so that two repositories never mix.
 */
#include "source/source_internal.h"
#include "base/file.h"
#include "styrmin/world.h"
#include <stdio.h>
#include <string.h>

#define PASSWORD_LIMIT 65536
#define PACK_LIMIT ((uint64_t)4 << 30)
#define LIST_LIMIT ((uint64_t)128 << 20)

int64_t sty_monotonic_ms(void)
{
    const struct sty_world *world = sty_world_real();
    return world->monotonic_ms(world->self);
}

static int read_password(struct sty_str *out, const char *file, struct sty_error *err)
{
    if (sty_file_read(out, file, PASSWORD_LIMIT, err) < 0)
        return sty_error_wrap(err, "source.auth.password_file");
    while (out->length && strchr("\r\n", out->data[out->length - 1]))
        out->data[--out->length] = '\0';
    if (strlen(out->data) != out->length || strpbrk(out->data, "\r\n"))
        return sty_error_set(err, STY_USAGE, "source.auth.password_file %s holds more than one line", file);
    return 0;
}

static int check_config(const struct sty_source_config *config, const struct sty_remote_url *url, struct sty_error *err)
{
    if (config->branch) {
        sty_auto(str) ref = STY_STR_INIT;
        sty_str_appendf(&ref, "refs/heads/%s", config->branch);
        if (!git_reference_is_valid_name(ref.data))
            return sty_error_set(err, STY_USAGE, "source.branch '%.128s' is no name of a branch", config->branch);
    }
    if (url->kind == STY_REMOTE_SSH && !config->known_hosts_file)
        return sty_error_set(err, STY_USAGE, "source.auth.known_hosts_file is required for ssh");
    if (config->username && strchr(config->username, ':'))
        return sty_error_set(err, STY_USAGE, "source.auth.username holds a ':'");
    return 0;
}

int sty_transfer_begin(struct sty_transfer *transfer, struct sty_repo *repo, const struct sty_source_config *config,
                       struct sty_error *err)
{
    int64_t total = config->total_timeout_ms > 0 ? config->total_timeout_ms : 600000;
    transfer->repo = repo;
    transfer->config = config;
    transfer->connect_ms = config->connect_timeout_ms > 0 ? config->connect_timeout_ms : 10000;
    transfer->stall_ms = config->stall_timeout_ms > 0 ? config->stall_timeout_ms : 30000;
    transfer->deadline = sty_monotonic_ms() + total;
    if (sty_remote_url_parse(&transfer->url, config->url, err) < 0 || check_config(config, &transfer->url, err) < 0)
        return -1;
    if (transfer->url.kind == STY_REMOTE_HTTP && config->password_file)
        return read_password(&transfer->password, config->password_file, err);
    return 0;
}

void sty_transfer_clear(struct sty_transfer *transfer)
{
    if (transfer->password.capacity)
        explicit_bzero(transfer->password.data, transfer->password.capacity);
    sty_str_clear(&transfer->password);
    sty_remote_url_clear(&transfer->url);
}

int sty_transfer_patience(int64_t *ms, const struct sty_transfer *transfer, struct sty_error *err)
{
    int64_t left = transfer->deadline - sty_monotonic_ms();
    if (left <= 0)
        return sty_error_set(err, STY_TIMEOUT, "not done within the time limit");
    *ms = left < transfer->stall_ms ? left : transfer->stall_ms;
    return 0;
}

int sty_transfer_received(struct sty_transfer *transfer, size_t bytes, struct sty_error *err)
{
    uint64_t limit = transfer->listing ? LIST_LIMIT : PACK_LIMIT;
    transfer->received += bytes;
    if (transfer->received <= limit)
        return 0;
    return sty_error_set(err, STY_LIMIT, "it sent more than %llu MiB", (unsigned long long)(limit >> 20));
}

int sty_transfer_fail(struct sty_transfer *transfer, const struct sty_error *error)
{
    if (!transfer->failed)
        transfer->error = *error;
    transfer->failed = true;
    git_error_set_str(GIT_ERROR_NET, transfer->error.text);
    return -1;
}

/* The other side has words only: ssh exits with 255 whatever happened, git with 128. The first that fits decides. */
static const struct {
    const char *needle;
    enum sty_code code;
} complaints[] = {
    {"Host key verification failed", STY_DENIED},
    {"REMOTE HOST IDENTIFICATION HAS CHANGED", STY_DENIED},
    {"Permission denied", STY_DENIED},
    {"Too many authentication failures", STY_DENIED},
    {"dubious ownership", STY_DENIED},
    {"does not appear to be a git repository", STY_NOT_FOUND},
    {"not a git repository", STY_NOT_FOUND},
    {"Repository not found", STY_NOT_FOUND},
    {"No such file or directory", STY_NOT_FOUND},
    {"access denied", STY_DENIED},
    {"read-only", STY_DENIED},
    {"read only", STY_DENIED},
    {"timed out", STY_TIMEOUT},
    {"Bad configuration option", STY_USAGE},
};

enum sty_code sty_complaint_code(const char *said, enum sty_code otherwise)
{
    for (size_t i = 0; i < STY_COUNT(complaints); i++) {
        if (strcasestr(said, complaints[i].needle))
            return complaints[i].code;
    }
    return otherwise;
}

int sty_transfer_error(struct sty_transfer *transfer, struct sty_error *err)
{
    const git_error *reason = git_error_last();
    if (transfer->failed) {
        *err = transfer->error;
        return sty_error_wrap(err, "%.200s", transfer->url.text);
    }
    if (reason && reason->message && sty_starts_with(reason->message, "remote error: "))
        return sty_git_error(err, sty_complaint_code(reason->message, STY_FAILED), "%.200s", transfer->url.text);
    if (reason && reason->klass == GIT_ERROR_NET)
        return sty_git_error(err, STY_INVALID,
                             "%.200s: not an answer that can be used (shallow and SHA-256 repositories "
                             "are not supported)",
                             transfer->url.text);
    return sty_git_error(err, STY_FAILED, "%.200s", transfer->url.text);
}

static int make_transport(git_transport **out, git_remote *owner, void *self)
{
    struct sty_transfer *transfer = self;
    bool http = transfer->url.kind == STY_REMOTE_HTTP;
    git_smart_subtransport_definition definition = {http ? sty_transport_http : sty_transport_pipe, http, transfer};
    return git_transport_smart(out, owner, &definition);
}

/* Called while a pack is indexed, which no transport sees. */
static int on_progress(const git_indexer_progress *progress, void *self)
{
    struct sty_transfer *transfer = self;
    struct sty_error error;
    int64_t left;
    (void)progress;
    return sty_transfer_patience(&left, transfer, &error) < 0 ? sty_transfer_fail(transfer, &error) : 0;
}

/* What a hook of the other side prints comes here, a line or a piece of one at a time. */
static int on_words(const char *bytes, int length, void *self)
{
    struct sty_transfer *transfer = self;
    sty_auto(str) visible = STY_STR_INIT;
    while (length > 0 && strchr("\r\n ", bytes[length - 1]))
        length--;
    size_t start = (size_t)length;
    while (start > 0 && !strchr("\r\n", bytes[start - 1]))
        start--;
    sty_str_append_visible(&visible, bytes + start, (size_t)length - start, false);
    if (visible.length)
        snprintf(transfer->said, sizeof(transfer->said), "%s", visible.data);
    return 0;
}

git_remote_callbacks sty_transfer_callbacks(struct sty_transfer *transfer)
{
    git_remote_callbacks callbacks;
    git_remote_init_callbacks(&callbacks, GIT_REMOTE_CALLBACKS_VERSION);
    callbacks.transport = make_transport;
    callbacks.transfer_progress = on_progress;
    callbacks.sideband_progress = on_words;
    callbacks.payload = transfer;
    return callbacks;
}

int sty_transfer_connect(git_remote **out, struct sty_transfer *transfer, git_direction direction,
                         struct sty_error *err)
{
    sty_auto_git(remote) remote = NULL;
    git_remote_create_options create;
    git_remote_create_options_init(&create, GIT_REMOTE_CREATE_OPTIONS_VERSION);
    create.repository = transfer->repo->git;
    create.flags = GIT_REMOTE_CREATE_SKIP_INSTEADOF | GIT_REMOTE_CREATE_SKIP_DEFAULT_FETCHSPEC;
    if (git_remote_create_with_opts(&remote, transfer->url.text, &create) < 0)
        return sty_git_error(err, STY_USAGE, "source.url");
    git_remote_callbacks callbacks = sty_transfer_callbacks(transfer);
    transfer->listing = true;
    transfer->received = 0;
    if (git_remote_connect(remote, direction, &callbacks, NULL, NULL) < 0)
        return sty_transfer_error(transfer, err);
    transfer->listing = false;
    transfer->received = 0;
    *out = sty_take(remote);
    return 0;
}
