/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver's program that runs to its end. One that changes something starts through the launcher under a token that
 * follows from its resource: whoever comes after a crash ends what still runs before it begins again. One that only
 * looks runs as our child, unless it is to run as another user, which the launcher does. A daemon that it made when all
 * went well stays: that is how containers are started.
 */
#include "provider/provider_internal.h"
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/process.h"

#define OUTPUT_LIMIT ((size_t)64 * 1024)
#define TAIL 2048
#define GRACE_MS 5000

struct prepared {
    char **argv, **environment;
    const char *directory;
};

void sty_tail_visible(char *out, size_t size, const char *text, size_t length)
{
    sty_auto(str) visible = STY_STR_INIT;
    while (length && isspace((unsigned char)text[length - 1]))
        length--;
    size_t skip = length > TAIL ? length - TAIL : 0;
    sty_str_append_visible(&visible, text + skip, length - skip, true);
    for (size_t i = 0; i < visible.length; i++)
        if (visible.data[i] == '\n' || visible.data[i] == '\t')
            visible.data[i] = ' ';
    size_t from = visible.length >= size ? visible.length - size + 1 : 0;
    /* Not in the middle of a character. */
    while (from && ((unsigned char)visible.data[from] & 0xc0U) == 0x80)
        from++;
    snprintf(out, size, "%s", visible.data + from);
}

int sty_program_failed(const struct sty_program_result *result, const char *what, struct sty_error *err)
{
    const char *between = result->output[0] ? ": " : "";
    if (result->status < 0)
        return sty_error_set(err, STY_FAILED, "%s ended, nobody saw how%s%s", what, between, result->output);
    return sty_error_set(err, STY_FAILED, "%s ended with status %d%s%s", what, result->status, between, result->output);
}

static char **with_last(struct sty_arena *arena, char **argv, const char *last)
{
    size_t count = 0;
    bool replaced = false;
    for (; argv[count]; count++) {
        bool here = last && sty_streq(argv[count], "{}");
        replaced = replaced || here;
        if (here)
            argv[count] = sty_arena_strdup(arena, last);
    }
    if (!last || replaced)
        return argv;
    char **longer = sty_arena_alloc(arena, (count + 2) * sizeof(*longer));
    memcpy(longer, argv, count * sizeof(*longer));
    longer[count] = sty_arena_strdup(arena, last);
    return longer;
}

static int prepare(struct prepared *out, struct sty_arena *arena, const struct sty_program *program,
                   struct sty_error *err)
{
    const struct sty_host *host = program->call->host;
    *out = (struct prepared){.directory = "/"};
    if (sty_argv_make(&out->argv, arena, program->call, program->argv, err) < 0 ||
        sty_environment_make(&out->environment, arena, host, program->env, err) < 0)
        return -1;
    out->argv = with_last(arena, out->argv, program->last);
    if (program->call->driver_files &&
        host->driver_files(host->self, &out->directory, program->call->driver_files, err) < 0)
        return sty_error_wrap(err, "files of the driver");
    return 0;
}

static void keep_output(struct sty_program_result *out, const struct sty_program *program, const struct sty_str *text)
{
    if (program->secret)
        snprintf(out->output, sizeof(out->output), "%s", "(what it said is not shown: it was given secrets)");
    else
        sty_tail_visible(out->output, sizeof(out->output), text->data, text->length);
}

static int run_child(struct sty_program_result *out, const struct sty_program *program, const struct prepared *prepared,
                     struct sty_error *err)
{
    sty_auto(process_result) result = {0};
    const struct sty_process_spec spec = {.argv = (const char *const *)prepared->argv,
                                          .environment = (const char *const *)prepared->environment,
                                          .directory = prepared->directory,
                                          .output_limit = OUTPUT_LIMIT,
                                          .timeout_ms = program->timeout_ms};
    if (sty_process_run(&result, &spec, err) < 0)
        return -1;
    *out = (struct sty_program_result){.status = result.status};
    keep_output(out, program, result.error.length ? &result.error : &result.output);
    return 0;
}

/* 32 hex digits that follow from resource and purpose. */
static void token_of(char token[STY_ID_SIZE], const struct sty_program *program)
{
    char digest[STY_DIGEST_SIZE];
    if (!program->purpose) {
        sty_id_new(token);
        return;
    }
    sty_auto_free char *name = sty_sprintf("program %s", sty_call_id(program->call));
    sty_digest(digest, name, strlen(name));
    snprintf(token, STY_ID_SIZE, "%.32s", digest + strlen("sha256:"));
}

static int wait_for(struct sty_program_result *out, const struct sty_program *program, const char *token,
                    struct sty_error *err)
{
    const struct sty_host *host = program->call->host;
    const struct sty_launch *launch = host->launch;
    struct sty_launch_status status;
    struct sty_error ignored;
    int failed = launch->wait(launch->self, &status, token, program->timeout_ms, host->cancel, err);
    if (failed == 0 && status.state != STY_LAUNCH_RUNNING) {
        out->status = status.state == STY_LAUNCH_ENDED ? status.exit_status : -1;
        /* What it left behind in its session ends with it. */
        launch->end(launch->self, token, SIGTERM, GRACE_MS, &ignored);
        return 0;
    }
    if (failed == 0 && sty_host_cancelled(host))
        sty_error_set(err, STY_CANCELLED, "cancelled");
    else if (failed == 0)
        sty_error_set(err, STY_TIMEOUT, "not done after %lld ms", (long long)program->timeout_ms);
    launch->end(launch->self, token, SIGTERM, GRACE_MS, &ignored);
    return -1;
}

static int launch_and_wait(struct sty_program_result *out, const struct sty_program *program,
                           const struct sty_launch_spec *spec, struct sty_error *err)
{
    const struct sty_launch *launch = program->call->host->launch;
    sty_auto(str) said = STY_STR_INIT;
    struct sty_error ignored;
    if (launch->end(launch->self, spec->token, SIGTERM, GRACE_MS, err) < 0)
        return -1;
    launch->forget(launch->self, spec->token);
    unlink(spec->output);
    if (launch->start(launch->self, spec, err) < 0)
        return -1;
    int failed = wait_for(out, program, spec->token, err);
    if (failed == 0 && sty_file_read(&said, spec->output, OUTPUT_LIMIT * 2, &ignored) < 0)
        sty_str_reset(&said);
    keep_output(out, program, &said);
    unlink(spec->output);
    launch->forget(launch->self, spec->token);
    return failed;
}

static int run_launched(struct sty_program_result *out, const struct sty_program *program,
                        const struct prepared *prepared, struct sty_error *err)
{
    const struct sty_host *host = program->call->host;
    struct sty_program_result result = {0};
    char token[STY_ID_SIZE];
    token_of(token, program);
    sty_auto_free char *directory = sty_sprintf("%s/run", host->state_dir);
    sty_auto_free char *output = sty_sprintf("%s/%s.log", directory, token);
    const struct sty_launch_spec spec = {.token = token,
                                         .argv = (const char *const *)prepared->argv,
                                         .environment = (const char *const *)prepared->environment,
                                         .directory = prepared->directory,
                                         .user = program->user,
                                         .output = output,
                                         .output_limit = OUTPUT_LIMIT,
                                         .leaves_daemons = true};
    if (sty_directory_make(directory, 0700, err) < 0 || launch_and_wait(&result, program, &spec, err) < 0)
        return -1;
    *out = result;
    return 0;
}

int sty_program_run(struct sty_program_result *out, const struct sty_program *program, struct sty_error *err)
{
    struct prepared prepared;
    sty_auto_ptr(arena) arena = sty_arena_new();
    if (prepare(&prepared, arena, program, err) < 0)
        return -1;
    int failed = program->purpose || program->user ? run_launched(out, program, &prepared, err)
                                                   : run_child(out, program, &prepared, err);
    return failed ? sty_error_wrap(err, "'%s'", prepared.argv[0]) : 0;
}
