/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program says, kept without growing for ever: to its last bytes for a step, in two files for a process that
 * lives for months. A full disk loses words, it does not stop the program.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "run/launcher_internal.h"

#define ROTATE_AT (1 << 20)
#define LIMIT_MOST (16 << 20)

static void reopen(struct sty_launch_output *output, int flags)
{
    struct stat status;
    output->fd = open(output->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    output->length = output->fd >= 0 && fstat(output->fd, &status) == 0 ? status.st_size : 0;
}

void sty_launch_output_open(struct sty_launch_output *output, const char *path, int64_t limit)
{
    *output = (struct sty_launch_output){.fd = -1, .limit = limit < LIMIT_MOST ? limit : LIMIT_MOST};
    if (!path)
        return;
    output->path = sty_strdup(path);
    reopen(output, 0);
}

static void keep_last(struct sty_launch_output *output)
{
    size_t keep = (size_t)output->limit;
    sty_auto_free char *tail = sty_malloc(keep + 1);
    ssize_t got = pread(output->fd, tail, keep, output->length - output->limit);
    if (got < 0 || ftruncate(output->fd, 0) < 0)
        return;
    ssize_t put = write(output->fd, tail, (size_t)got);
    output->length = put > 0 ? put : 0;
}

static void rotate(struct sty_launch_output *output)
{
    sty_auto_free char *old = sty_sprintf("%s.1", output->path);
    if (rename(output->path, old) < 0)
        return;
    sty_close_fd(&output->fd);
    reopen(output, O_TRUNC);
}

void sty_launch_output_write(struct sty_launch_output *output, const char *bytes, size_t length)
{
    while (output->fd >= 0 && length > 0) {
        ssize_t put = write(output->fd, bytes, length);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return;
        bytes += put;
        length -= (size_t)put;
        output->length += put;
    }
    if (output->fd >= 0 && output->limit > 0 && output->length > 2 * output->limit + 4096)
        keep_last(output);
    if (output->fd >= 0 && output->limit <= 0 && output->length > ROTATE_AT)
        rotate(output);
}

void sty_launch_output_close(struct sty_launch_output *output)
{
    if (output->fd >= 0 && output->limit > 0 && output->length > output->limit)
        keep_last(output);
    sty_close_fd(&output->fd);
    output->fd = -1;
    free(output->path);
    output->path = NULL;
}
