/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process: a helper run to its end. Its output is read while it runs, so that it never waits for us, and kept only up
 * to a limit. What a grandchild that outlives it says later is not waited for (ssh keeps stderr open in a master).
 */
#include "base/process.h"
#include "base/process_internal.h"
#include "base/memory.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

struct run {
    const struct sty_process_spec *spec;
    struct sty_child child;
    size_t written;
    int64_t deadline;
    struct sty_process_result result;
};

static void run_clear(struct run *run)
{
    sty_child_close(&run->child);
    sty_process_result_clear(&run->result);
}

void sty_process_result_clear(struct sty_process_result *result)
{
    sty_str_clear(&result->output);
    sty_str_clear(&result->error);
}

/* Reads what is there; closes at the end. At most `rounds` buffers, so that a flood in one pipe starves no deadline. */
static void drain(int *fd, struct sty_str *out, size_t limit, int rounds)
{
    char buffer[16384];
    while (*fd >= 0 && rounds-- > 0) {
        ssize_t got = read(*fd, buffer, sizeof(buffer));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0) {
            sty_close_fd(fd);
            return;
        }
        size_t room = limit - out->length;
        sty_str_append_bytes(out, buffer, (size_t)got < room ? (size_t)got : room);
    }
}

/* A child that does not want its input is no failure: its exit status tells. */
static void feed(struct run *run)
{
    size_t left = run->spec->input_length - run->written;
    ssize_t put = left ? sty_child_write(run->child.input, (const char *)run->spec->input + run->written, left) : 0;
    if (put < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    run->written += put > 0 ? (size_t)put : 0;
    if (put < 0 || run->written == run->spec->input_length)
        sty_close_fd(&run->child.input);
}

/* True when it has ended, false at the deadline. */
static bool attend(struct run *run)
{
    struct sty_child *child = &run->child;
    while (sty_child_clock() < run->deadline) {
        struct pollfd polled[] = {{child->pidfd, POLLIN, 0},
                                  {child->output, POLLIN, 0},
                                  {child->error, POLLIN, 0},
                                  {child->input, POLLOUT, 0}};
        poll(polled, STY_COUNT(polled), sty_child_patience(child, run->deadline));
        bool ended = sty_child_ended(child);
        drain(&child->output, &run->result.output, run->spec->output_limit, ended ? 64 : 4);
        drain(&child->error, &run->result.error, run->spec->output_limit, ended ? 64 : 4);
        if (ended)
            return true;
        if (child->input >= 0 && polled[3].revents)
            feed(run);
    }
    return false;
}

int sty_process_run(struct sty_process_result *result, const struct sty_process_spec *spec, struct sty_error *err)
{
    __attribute__((cleanup(run_clear))) struct run run = {
        .spec = spec, .child = STY_CHILD_INIT, .result = {0, false, STY_STR_INIT, STY_STR_INIT}};
    if (sty_child_start(&run.child, spec, spec->input != NULL, err) < 0)
        return -1;
    run.deadline = sty_child_clock() + spec->timeout_ms;
    run.result.timed_out = !attend(&run);
    if (run.result.timed_out)
        sty_child_signal(&run.child, SIGKILL);
    run.result.status = sty_child_reap(&run.child);
    *result = run.result;
    run.result = (struct sty_process_result){0, false, STY_STR_INIT, STY_STR_INIT};
    if (result->timed_out)
        return sty_error_set(err, STY_TIMEOUT, "'%s' did not end within %lld ms", spec->argv[0],
                             (long long)spec->timeout_ms);
    return 0;
}
