/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock: one process at a time. flock() rather than a pid file decides, because the kernel takes it back when the holder
 * dies, however it dies; the pid inside is only for the person who wants to know who it is.
 */
#include "base/file.h"
#include "base/file_internal.h"
#include "base/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define POLL_MS 20

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* 1 taken, 0 somebody has it, -1 errno. */
static int try_lock(int fd)
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return 1;
    return errno == EWOULDBLOCK || errno == EINTR ? 0 : -1;
}

static int wait_for(int fd, int64_t wait_ms)
{
    const struct timespec pause = {.tv_nsec = POLL_MS * 1000000};
    int64_t end = now_ms() + wait_ms;
    int taken = try_lock(fd);
    while (taken == 0 && now_ms() < end) {
        nanosleep(&pause, NULL);
        taken = try_lock(fd);
    }
    return taken;
}

/* The number that the holder left; "" where something else stands. */
static void read_holder(char pid[24], int fd)
{
    ssize_t got = pread(fd, pid, 23, 0);
    pid[got > 0 ? got : 0] = '\0';
    pid[strspn(pid, "0123456789")] = '\0';
}

static int busy(struct sty_error *err, int fd, const char *path)
{
    char pid[24] = "";
    read_holder(pid, fd);
    return sty_error_set(err, STY_BUSY, "'%s' is held by %s%s", path, *pid ? "process " : "another process", pid);
}

int sty_lock_take(int *fd, const char *path, int64_t wait_ms, struct sty_error *err)
{
    sty_auto_fd lock = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    char pid[24];
    if (lock < 0)
        return sty_file_error(err, errno, "lock", path);
    int taken = wait_for(lock, wait_ms);
    if (taken < 0)
        return sty_file_error(err, errno, "lock", path);
    if (taken == 0)
        return busy(err, lock, path);
    int length = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    if (ftruncate(lock, 0) < 0 || pwrite(lock, pid, (size_t)length, 0) != length)
        return sty_file_error(err, errno, "lock", path);
    *fd = lock;
    lock = -1;
    return 0;
}

bool sty_lock_is_held(char holder[24], const char *path)
{
    sty_auto_fd lock = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool held = lock >= 0 && flock(lock, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    holder[0] = '\0';
    if (held)
        read_holder(holder, lock);
    return held;
}
