/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * launcher_internal: the files by which the two sides of the launcher know each other. Below <state_dir>/run, per token:
 *
 *   TOKEN.spec   what to start, written by who asks
 *   TOKEN.claim  the same, renamed by the launcher that took it and locked while that one lives. Whoever wants the start
 *                not to happen unlinks TOKEN.spec: exactly one of the two wins
 *   TOKEN.pid    launcher and program, each by pid and start time, and the boot they belong to; before exec
 *   TOKEN.exit   how the program ended
 */
#include "base/digest.h"
#include "run/run_internal.h"

#define STY_SPEC_LIMIT (4 << 20)

struct sty_launcher {
    struct sty_launch interface;
    char *directory; /* <state_dir>/run */
    char *program;
};

/* A process by what no other process ever has. */
struct sty_identity {
    pid_t pid;
    int64_t started; /* field 22 of /proc/PID/stat */
};
struct sty_launched {
    struct sty_identity launcher, program;
    bool this_boot;
    bool lets_go; /* what is not in the session is not ours any more */
};
struct sty_process_stat {
    pid_t pid, parent, session;
    int64_t started;
    char state;
};
/* False when there is no such process. */
bool sty_process_stat(struct sty_process_stat *out, pid_t pid);
/* Alive: there, the same one, and no zombie. */
bool sty_identity_alive(const struct sty_identity *identity);
/* The running kernel's boot id; "" where it cannot be read. */
void sty_boot_id(char out[64]);

char *sty_launcher_path(const char *directory, const char *token, const char *suffix);
bool sty_token_valid(const char *token);
/* Written by the launcher, read by the others. *found false: it is not there. */
int sty_launched_write(const char *path, const struct sty_launched *launched, struct sty_error *err);
int sty_launched_read(struct sty_launched *out, bool *found, const char *path, struct sty_error *err);
/* *found false: it has not ended in the launcher's sight. */
int sty_exit_read(int *status, bool *found, const char *path, struct sty_error *err);

int sty_launch_status_of(void *self, struct sty_launch_status *out, const char *token, struct sty_error *err);
int sty_launch_end(void *self, const char *token, int signal, int64_t grace_ms, struct sty_error *err);
/* The claim's launcher is gone or has written who it is; waits for the one or the other. */
int sty_claim_settle(struct sty_launcher *launcher, const char *token, struct sty_error *err);
/* Real time: what a launcher waits for does not follow a test's clock. */
int64_t sty_launch_clock(void);
void sty_launch_sleep(int64_t ms);

/* ---- launcher_output.c: the file that a program's words go to ---- */

struct sty_launch_output {
    char *path; /* NULL: nothing is kept */
    int64_t limit, length;
    int fd;
};
void sty_launch_output_open(struct sty_launch_output *output, const char *path, int64_t limit);
void sty_launch_output_write(struct sty_launch_output *output, const char *bytes, size_t length);
/* Down to its last `limit` bytes. */
void sty_launch_output_close(struct sty_launch_output *output);
