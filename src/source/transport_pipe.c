/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport_pipe: git's protocol over a child's stdin and stdout: `ssh` for another machine, git's own programs for a
 * path on this one. libgit2's ssh knows neither today's RSA keys nor revoked hosts, and its way of pushing to a path
 * loses races without a word.
 */
#include "source/source_internal.h"
#include "base/process.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pipe_transport {
    git_smart_subtransport parent;
    git_smart_subtransport_stream stream;
    struct sty_transfer *transfer;
    struct sty_pipe_child *child;
};

static struct pipe_transport *of_stream(git_smart_subtransport_stream *stream)
{
    return (struct pipe_transport *)(void *)((char *)stream - offsetof(struct pipe_transport, stream));
}

/* ---- what to run ---- */

struct command {
    const char *argv[40];
    size_t count;
    struct sty_arena *arena;
};

static void add(struct command *command, const char *argument)
{
    if (command->count + 1 >= STY_COUNT(command->argv))
        abort();
    command->argv[command->count++] = argument;
    command->argv[command->count] = NULL;
}

static void add_option(struct command *command, const char *option)
{
    add(command, "-o");
    add(command, option);
}

/* For the other side's shell: nothing in single quotes is special but the quote itself, and '!' in csh. */
static const char *quote(struct sty_arena *arena, const char *text)
{
    sty_auto(str) quoted = STY_STR_INIT;
    sty_str_append_char(&quoted, '\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '!')
            sty_str_appendf(&quoted, "'\\%c'", *text);
        else
            sty_str_append_char(&quoted, *text);
    }
    sty_str_append_char(&quoted, '\'');
    return sty_arena_strdup(arena, quoted.data);
}

/* ssh expands %-tokens in file names and splits at blanks outside of double quotes. */
static int ssh_file(const char **out, struct command *command, const char *file, struct sty_error *err)
{
    sty_auto(str) text = STY_STR_INIT;
    if (strpbrk(file, "\"\\\r\n") || file[0] != '/')
        return sty_error_set(err, STY_USAGE, "source.auth: '%.200s' is no absolute path that ssh can be given", file);
    for (; *file; file++)
        sty_str_append(&text, *file == '%' ? "%%" : (char[]){*file, '\0'});
    *out = sty_arena_strdup(command->arena, text.data);
    return 0;
}

static int add_ssh_trust(struct command *command, const struct sty_source_config *config, struct sty_error *err)
{
    const char *file = NULL;
    if (access(config->known_hosts_file, R_OK) < 0)
        return sty_error_set(err, STY_USAGE, "source.auth.known_hosts_file %s cannot be read",
                             config->known_hosts_file);
    if (ssh_file(&file, command, config->known_hosts_file, err) < 0)
        return -1;
    add_option(command, "StrictHostKeyChecking=yes");
    add_option(command, "GlobalKnownHostsFile=/dev/null");
    add_option(command, "UpdateHostKeys=no");
    add_option(command, sty_arena_printf(command->arena, "UserKnownHostsFile=\"%s\"", file));
    if (!config->ssh_key_file)
        return 0;
    if (access(config->ssh_key_file, R_OK) < 0)
        return sty_error_set(err, STY_USAGE, "source.auth.ssh_key_file %s cannot be read", config->ssh_key_file);
    if (ssh_file(&file, command, config->ssh_key_file, err) < 0)
        return -1;
    add_option(command, "IdentitiesOnly=yes");
    add_option(command, sty_arena_printf(command->arena, "IdentityFile=\"%s\"", file));
    return 0;
}

static int ssh_command(struct command *command, const struct sty_transfer *transfer, const char *service,
                       struct sty_error *err)
{
    const struct sty_remote_url *url = &transfer->url;
    add(command, "ssh");
    add(command, "-T");
    add(command, "-x");
    add_option(command, "BatchMode=yes");
    add_option(command, "ClearAllForwardings=yes");
    add_option(command, "ForwardAgent=no");
    add_option(command, "PermitLocalCommand=no");
    add_option(command,
               sty_arena_printf(command->arena, "ConnectTimeout=%lld", (long long)(transfer->connect_ms + 999) / 1000));
    if (add_ssh_trust(command, transfer->config, err) < 0)
        return -1;
    if (url->port) {
        add(command, "-p");
        add(command, url->port);
    }
    if (url->user) {
        add(command, "-l");
        add(command, url->user);
    }
    add(command, "--");
    add(command, url->host);
    add(command, sty_arena_printf(command->arena, "%s %s", service, quote(command->arena, url->path)));
    return 0;
}

/* Ours without git's variables: one set by a hook we run in would point the child at another repository, GIT_PROTOCOL
 * would make it speak a protocol that libgit2 does not. */
static const char **child_environment(struct sty_arena *arena)
{
    size_t count = 0, kept = 0;
    while (environ[count])
        count++;
    const char **out = sty_arena_alloc(arena, (count + 2) * sizeof(*out));
    for (size_t i = 0; i < count; i++) {
        if (!sty_starts_with(environ[i], "GIT_") && !sty_starts_with(environ[i], "LC_ALL="))
            out[kept++] = environ[i];
    }
    out[kept] = "LC_ALL=C"; /* what it complains about is looked at below */
    return out;
}

static int spawn(struct pipe_transport *transport, const char *service, struct sty_error *err)
{
    sty_auto_ptr(arena) arena = sty_arena_new();
    struct command command = {.arena = arena};
    const struct sty_transfer *transfer = transport->transfer;
    if (transfer->url.kind == STY_REMOTE_SSH && ssh_command(&command, transfer, service, err) < 0)
        return -1;
    if (transfer->url.kind == STY_REMOTE_LOCAL) {
        add(&command, service);
        add(&command, transfer->url.path);
    }
    int64_t left = transfer->deadline - sty_monotonic_ms();
    struct sty_process_spec spec = {.argv = command.argv,
                                    .environment = child_environment(arena),
                                    .output_limit = 4096,
                                    .timeout_ms = left > 0 ? left : 1};
    return sty_pipe_child_start(&transport->child, &spec, err);
}

static int explain_end(struct pipe_transport *transport, struct sty_error *err)
{
    const char *said = sty_pipe_child_complaint(transport->child);
    bool ssh = transport->transfer->url.kind == STY_REMOTE_SSH;
    const char *who = ssh ? "ssh" : "git";
    enum sty_code code = sty_complaint_code(said, ssh ? STY_UNREACHABLE : STY_FAILED);
    sty_auto(str) line = STY_STR_INIT;
    size_t length = strlen(said);
    for (const char *at = length > 300 ? said + length - 300 : said; *at; at++)
        sty_str_append(&line, *at == '\n' ? "; " : (char[]){*at, '\0'});
    return sty_error_set(err, code, "%s ended before it was done: %s", who,
                         line.length ? line.data : "it gave no reason");
}

/* ---- stream ---- */

static int stream_read(git_smart_subtransport_stream *stream, char *buffer, size_t size, size_t *got)
{
    struct pipe_transport *transport = of_stream(stream);
    struct sty_transfer *transfer = transport->transfer;
    struct sty_error error;
    int64_t ms = 0;
    if (sty_transfer_patience(&ms, transfer, &error) < 0 ||
        sty_pipe_child_read(got, transport->child, buffer, size, ms, &error) < 0 ||
        sty_transfer_received(transfer, *got, &error) < 0)
        return sty_transfer_fail(transfer, &error);
    if (*got == 0) {
        explain_end(transport, &error);
        return sty_transfer_fail(transfer, &error);
    }
    return 0;
}

/* A failed write tells less than what the child said before it went. */
static int stream_write(git_smart_subtransport_stream *stream, const char *buffer, size_t length)
{
    struct pipe_transport *transport = of_stream(stream);
    struct sty_error error;
    int64_t ms = 0;
    if (sty_transfer_patience(&ms, transport->transfer, &error) == 0 &&
        sty_pipe_child_write(transport->child, buffer, length, ms, &error) == 0)
        return 0;
    if (error.code == STY_UNREACHABLE)
        explain_end(transport, &error);
    return sty_transfer_fail(transport->transfer, &error);
}

static void stream_free(git_smart_subtransport_stream *stream)
{
    (void)stream; /* lives in the transport */
}

/* ---- subtransport ---- */

static int transport_action(git_smart_subtransport_stream **out, git_smart_subtransport *parent, const char *url,
                            git_smart_service_t action)
{
    struct pipe_transport *transport = (struct pipe_transport *)parent;
    bool begin = action == GIT_SERVICE_UPLOADPACK_LS || action == GIT_SERVICE_RECEIVEPACK_LS;
    bool fetch = action == GIT_SERVICE_UPLOADPACK_LS || action == GIT_SERVICE_UPLOADPACK;
    struct sty_error error;
    (void)url;
    if (begin) {
        sty_pipe_child_free(sty_take(transport->child));
        if (spawn(transport, fetch ? "git-upload-pack" : "git-receive-pack", &error) < 0)
            return sty_transfer_fail(transport->transfer, &error);
    }
    if (!transport->child)
        return -1;
    transport->stream = (git_smart_subtransport_stream){parent, stream_read, stream_write, stream_free};
    *out = &transport->stream;
    return 0;
}

static int transport_close(git_smart_subtransport *parent)
{
    struct pipe_transport *transport = (struct pipe_transport *)parent;
    sty_pipe_child_free(sty_take(transport->child));
    return 0;
}

static void transport_free(git_smart_subtransport *parent)
{
    transport_close(parent);
    free(parent);
}

int sty_transport_pipe(git_smart_subtransport **out, git_transport *owner, void *transfer)
{
    struct pipe_transport *transport = sty_calloc(1, sizeof(*transport));
    (void)owner;
    transport->parent = (git_smart_subtransport){transport_action, transport_close, transport_free};
    transport->transfer = transfer;
    *out = &transport->parent;
    return 0;
}
