/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * process: run a program to its end, by argv, never a shell (posix_spawn: cost does not grow with our memory).
 *
 * For helpers that Styrmin itself needs (ssh, git). Steps and managed processes start through run/launcher instead,
 * because they must survive us.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/str.h"
#include "styrmin/error.h"

struct sty_process_spec {
    const char *const *argv;        /* argv[0] is looked up in PATH of `environment` when it has no '/' */
    const char *const *environment; /* NULL: ours */
    const char *directory;          /* NULL: ours */
    const void *input;              /* written to its stdin; NULL: /dev/null */
    size_t input_length;
    size_t output_limit; /* stdout and stderr are each kept up to this; the rest is read and dropped */
    int64_t timeout_ms;  /* then its whole session is killed; 0 is not allowed */
};
struct sty_process_result {
    int status; /* exit status, or 128 + signal */
    bool timed_out;
    struct sty_str output;
    struct sty_str error;
};
void sty_process_result_clear(struct sty_process_result *result);
/* Fails (STY_NOT_FOUND, STY_IO, STY_TIMEOUT) when it could not be started or ran out of time; a non-zero exit is no failure. */
int sty_process_run(struct sty_process_result *result, const struct sty_process_spec *spec, struct sty_error *err);

/* A child with pipes on both sides, for protocols spoken over its stdin and stdout (stderr kept, last 4 KiB). */
struct sty_pipe_child;
int sty_pipe_child_start(struct sty_pipe_child **out, const struct sty_process_spec *spec, struct sty_error *err);
/* At most `length` bytes, 0 at the end; waits at most `stall_ms` (STY_TIMEOUT). */
int sty_pipe_child_read(size_t *got, struct sty_pipe_child *child, void *buffer, size_t length, int64_t stall_ms,
                        struct sty_error *err);
int sty_pipe_child_write(struct sty_pipe_child *child, const void *bytes, size_t length, int64_t stall_ms,
                         struct sty_error *err);
/* What it said on stderr so far, made visible (sty_str_append_visible); borrowed. */
const char *sty_pipe_child_complaint(struct sty_pipe_child *child);
/* Closes its stdin, ends it if it does not end by itself, reaps it, frees. NULL is a no-op. */
void sty_pipe_child_free(struct sty_pipe_child *child);

struct sty_user {
    uid_t uid;
    gid_t gid;
    char home[256]; /* "/" where there is none */
};
/* Who `name` is; NULL: whom we run as, whether or not that one has a name. STY_NOT_FOUND. */
int sty_user_find(struct sty_user *out, const char *name, struct sty_error *err);

/* Looks `name` up in PATH. STY_NOT_FOUND. */
int sty_program_find(struct sty_str *path, const char *name, struct sty_error *err);
