/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A child that speaks a protocol over its stdin and stdout (ssh, git-upload-pack): reads and writes with a stall
 * limit, while what it says on stderr is kept for the error text.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/process_internal.h"

enum { COMPLAINT = 4096, GRACE_MS = 2000 };

struct sty_pipe_child {
    struct sty_child child;
    struct sty_str complaint, visible;
};

int sty_pipe_child_start(struct sty_pipe_child **out, const struct sty_process_spec *spec, struct sty_error *err)
{
    struct sty_child child;
    if (sty_child_start(&child, spec, true, err) < 0)
        return -1;
    *out = sty_calloc(1, sizeof **out);
    **out = (struct sty_pipe_child){child, STY_STR_INIT, STY_STR_INIT};
    return 0;
}

static void listen_to_complaints(struct sty_pipe_child *child)
{
    char buffer[1024];
    ssize_t n = read(child->child.error, buffer, sizeof buffer);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        sty_close_fd(&child->child.error);
    if (n > 0 && child->complaint.length < COMPLAINT)
        sty_str_append_bytes(&child->complaint, buffer, (size_t)n);
}

/* Wait until `fd` is ready for `event`. */
static int await(struct sty_pipe_child *child, int fd, short event, int64_t stall_ms, struct sty_error *err)
{
    for (;;) {
        struct pollfd polls[2] = {{fd, event, 0}, {child->child.error, POLLIN, 0}};
        int n = poll(polls, 2, stall_ms > 0 && stall_ms < 2147483647 ? (int)stall_ms : 2147483647);
        if (n == 0)
            return sty_error_set(err, STY_TIMEOUT, "nothing moved for %lld ms", (long long)stall_ms);
        if (n < 0 && errno != EINTR)
            return sty_error_errno(err, STY_IO, errno, "poll");
        if (n > 0 && polls[1].revents)
            listen_to_complaints(child);
        if (n > 0 && polls[0].revents)
            return 0;
    }
}

int sty_pipe_child_read(size_t *got, struct sty_pipe_child *child, void *buffer, size_t length, int64_t stall_ms,
                        struct sty_error *err)
{
    for (;;) {
        if (await(child, child->child.output, POLLIN, stall_ms, err) < 0)
            return -1;
        ssize_t n = read(child->child.output, buffer, length);
        if (n >= 0) {
            *got = (size_t)n;
            return 0;
        }
        if (errno != EAGAIN && errno != EINTR)
            return sty_error_errno(err, STY_IO, errno, "reading from a child process");
    }
}

/* A write that may meet a closed pipe: SIGPIPE is held back on this thread and taken away again. */
static ssize_t write_quietly(int fd, const void *bytes, size_t length)
{
    sigset_t pipe_signal, before;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    ssize_t n = write(fd, bytes, length);
    int number = errno;
    if (n < 0 && number == EPIPE)
        sigtimedwait(&pipe_signal, NULL, &(struct timespec){0, 0});
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = number;
    return n;
}

int sty_pipe_child_write(struct sty_pipe_child *child, const void *bytes, size_t length, int64_t stall_ms,
                         struct sty_error *err)
{
    for (size_t done = 0; done < length;) {
        if (await(child, child->child.input, POLLOUT, stall_ms, err) < 0)
            return -1;
        ssize_t n = write_quietly(child->child.input, (const char *)bytes + done, length - done);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return sty_error_errno(err, STY_UNREACHABLE, errno, "writing to a child process");
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

const char *sty_pipe_child_complaint(struct sty_pipe_child *child)
{
    for (int i = 0; i < 8 && child->child.error >= 0; i++) {
        struct pollfd wait = {child->child.error, POLLIN, 0};
        if (poll(&wait, 1, 50) <= 0)
            break;
        listen_to_complaints(child);
    }
    sty_str_reset(&child->visible);
    size_t n = child->complaint.length;
    while (n > 0 && (child->complaint.data[n - 1] == '\n' || child->complaint.data[n - 1] == '\r'))
        n--;
    sty_str_append_visible(&child->visible, child->complaint.data, n, false);
    return child->visible.data;
}

void sty_pipe_child_free(struct sty_pipe_child *child)
{
    if (!child)
        return;
    sty_close_fd(&child->child.input);
    for (int waited = 0; waited < GRACE_MS; waited += 2) {
        siginfo_t info = {0};
        if (waitid(P_PID, (id_t)child->child.pid, &info, WEXITED | WNOWAIT | WNOHANG) < 0 || info.si_pid != 0)
            break;
        usleep(2000);
    }
    sty_child_end(&child->child);
    sty_str_clear(&child->complaint);
    sty_str_clear(&child->visible);
    free(child);
}
