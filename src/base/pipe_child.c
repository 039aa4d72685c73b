/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipe_child: a child that a protocol is spoken with. Each wait is bounded twice, by the stall the caller allows and by
 * the child's whole time; its stderr is read all along, because a child that cannot complain stops.
 */
#include "base/process.h"
#include "base/process_internal.h"
#include "base/memory.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMPLAINT_LIMIT 4096
#define COMPLAINT_MS 200
#define GRACE_MS 2000 /* to end by itself when its stdin closed, then again after SIGTERM */

struct sty_pipe_child {
    struct sty_child child;
    int64_t deadline;
    char *name;
    struct sty_str complaint; /* raw, the last COMPLAINT_LIMIT bytes */
    struct sty_str visible;
};

int sty_pipe_child_start(struct sty_pipe_child **out, const struct sty_process_spec *spec, struct sty_error *err)
{
    struct sty_child child = STY_CHILD_INIT;
    if (sty_child_start(&child, spec, true, err) < 0)
        return -1;
    struct sty_pipe_child *made = sty_calloc(1, sizeof(*made));
    made->child = child;
    made->deadline = sty_child_clock() + spec->timeout_ms;
    made->name = sty_strdup(spec->argv[0]);
    made->complaint = made->visible = (struct sty_str)STY_STR_INIT;
    *out = made;
    return 0;
}

static void keep_last(struct sty_str *text)
{
    if (text->length <= COMPLAINT_LIMIT)
        return;
    memmove(text->data, text->data + text->length - COMPLAINT_LIMIT, COMPLAINT_LIMIT + 1);
    text->length = COMPLAINT_LIMIT;
}

static void hear_complaint(struct sty_pipe_child *child)
{
    char buffer[COMPLAINT_LIMIT];
    for (int rounds = 0; child->child.error >= 0 && rounds < 16; rounds++) {
        ssize_t got = read(child->child.error, buffer, sizeof(buffer));
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got <= 0) {
            sty_close_fd(&child->child.error);
            return;
        }
        sty_str_append_bytes(&child->complaint, buffer, (size_t)got);
        keep_last(&child->complaint);
    }
}

/* Until `fd` is ready for `events` or the time is over. */
static int wait_ready(struct sty_pipe_child *child, int fd, short events, int64_t stall_ms, struct sty_error *err)
{
    int64_t end = sty_child_clock() + stall_ms;
    if (end > child->deadline)
        end = child->deadline;
    for (;;) {
        struct pollfd polled[] = {{fd, events, 0}, {child->child.error, POLLIN, 0}};
        int64_t left = end - sty_child_clock();
        int ready = poll(polled, STY_COUNT(polled), left < 0 ? 0 : left < 60000 ? (int)left : 60000);
        if (ready < 0 && errno != EINTR)
            return sty_error_errno(err, STY_IO, errno, "wait for '%s'", child->name);
        if (ready > 0 && polled[1].revents)
            hear_complaint(child);
        if (ready > 0 && polled[0].revents)
            return 0;
        if (sty_child_clock() >= end)
            return sty_error_set(err, STY_TIMEOUT, "'%s' did not answer in time", child->name);
    }
}

int sty_pipe_child_read(size_t *got, struct sty_pipe_child *child, void *buffer, size_t length, int64_t stall_ms,
                        struct sty_error *err)
{
    for (;;) {
        ssize_t read_now = read(child->child.output, buffer, length);
        if (read_now >= 0) {
            *got = (size_t)read_now;
            return 0;
        }
        if (errno != EAGAIN && errno != EINTR)
            return sty_error_errno(err, STY_IO, errno, "read from '%s'", child->name);
        if (wait_ready(child, child->child.output, POLLIN, stall_ms, err) < 0)
            return -1;
    }
}

int sty_pipe_child_write(struct sty_pipe_child *child, const void *bytes, size_t length, int64_t stall_ms,
                         struct sty_error *err)
{
    const char *at = bytes;
    while (length) {
        ssize_t put = sty_child_write(child->child.input, at, length);
        if (put < 0 && errno != EAGAIN && errno != EINTR)
            return sty_error_errno(err, errno == EPIPE ? STY_UNREACHABLE : STY_IO, errno, "write to '%s'", child->name);
        if (put < 0 && wait_ready(child, child->child.input, POLLOUT, stall_ms, err) < 0)
            return -1;
        at += put > 0 ? put : 0;
        length -= put > 0 ? (size_t)put : 0;
    }
    return 0;
}

/* Whoever asks has seen it fail: what it says about that may still be on its way. */
static void await_complaint(struct sty_pipe_child *child)
{
    int64_t end = sty_child_clock() + COMPLAINT_MS;
    hear_complaint(child);
    while (child->child.error >= 0 && !child->complaint.length && sty_child_clock() < end) {
        struct pollfd polled = {child->child.error, POLLIN, 0};
        poll(&polled, 1, COMPLAINT_MS);
        hear_complaint(child);
    }
}

const char *sty_pipe_child_complaint(struct sty_pipe_child *child)
{
    await_complaint(child);
    const struct sty_str *raw = &child->complaint;
    size_t end = raw->length;
    while (end > 0 && strchr("\r\n", raw->data[end - 1]))
        end--;
    sty_str_reset(&child->visible);
    for (size_t at = 0; at < end;) { /* ssh ends its lines in "\r\n" */
        const char *cr = memmem(raw->data + at, end - at, "\r\n", 2);
        size_t length = cr ? (size_t)(cr - raw->data) - at : end - at;
        sty_str_append_visible(&child->visible, raw->data + at, length, true);
        at += length + (cr ? 1 : 0);
    }
    return child->visible.data;
}

/* Hears its complaints on the way: who writes one into a closed pipe is killed by it, before cleaning up. */
static bool end_within(struct sty_pipe_child *child, int64_t ms)
{
    int64_t end = sty_child_clock() + ms;
    while (!sty_child_ended(&child->child)) {
        struct pollfd polled[] = {{child->child.pidfd, POLLIN, 0}, {child->child.error, POLLIN, 0}};
        if (sty_child_clock() >= end)
            return false;
        poll(polled, STY_COUNT(polled), sty_child_patience(&child->child, end));
        hear_complaint(child);
    }
    return true;
}

void sty_pipe_child_free(struct sty_pipe_child *child)
{
    if (!child)
        return;
    sty_close_fd(&child->child.input);
    sty_close_fd(&child->child.output);
    if (!end_within(child, GRACE_MS)) {
        sty_child_signal(&child->child, SIGTERM);
        if (!end_within(child, GRACE_MS))
            sty_child_signal(&child->child, SIGKILL);
    }
    sty_child_reap(&child->child);
    sty_child_close(&child->child);
    sty_str_clear(&child->complaint);
    sty_str_clear(&child->visible);
    free(child->name);
    free(child);
}
