/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* process_internal: what running to the end and speaking over pipes share. */
#include "base/process.h"

struct sty_child {
    pid_t pid;
    int input, output, error; /* our ends, non-blocking, close-on-exec; -1: closed */
};
/* Start in a session of its own. input is -1 when the spec has none and `keep_input` is false. */
int sty_child_start(struct sty_child *out, const struct sty_process_spec *spec, bool keep_input, struct sty_error *err);
/* SIGKILL to the session, close, reap. */
void sty_child_end(struct sty_child *child);
