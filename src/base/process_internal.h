/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* process_internal: starting, feeding and ending a child, shared by process.c and pipe_child.c. */
#include "base/process.h"

/* A child in a session of its own. Our ends of its pipes do not block; -1 where closed or not there. */
struct sty_child {
    pid_t pid;  /* 0: not there or reaped */
    int pidfd;  /* -1 where the kernel has none */
    int input;  /* we write */
    int output; /* we read */
    int error;  /* we read */
};
#define STY_CHILD_INIT                                                                                                 \
    {                                                                                                                  \
        0, -1, -1, -1, -1                                                                                              \
    }

/* With `input` false its stdin is /dev/null. */
int sty_child_start(struct sty_child *child, const struct sty_process_spec *spec, bool input, struct sty_error *err);
/* write() that cannot raise SIGPIPE. */
ssize_t sty_child_write(int fd, const void *bytes, size_t length);
/* True when it has ended; it is not reaped. */
bool sty_child_ended(const struct sty_child *child);
/* Wait until it has ended, at most until `deadline` (sty_child_clock()); true when it has. */
bool sty_child_wait(const struct sty_child *child, int64_t deadline);
/* To its whole process group. Only before it is reaped: the group's number is ours until then. */
void sty_child_signal(const struct sty_child *child, int number);
/* Reaps it: exit status, or 128 + signal. Blocks until it ends. */
int sty_child_reap(struct sty_child *child);
/* Closes pipes and pidfd. */
void sty_child_close(struct sty_child *child);
int64_t sty_child_clock(void);
/* What poll() may wait until `deadline`: less where only polling shows that the child ended. */
int sty_child_patience(const struct sty_child *child, int64_t deadline);
