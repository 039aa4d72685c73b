/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole files: read with a cap, replaced durably (temp, fsync, rename, fsync of the folder), so that a reader and a
 * power cut see the old file or the new one.
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/failpoint.h"
#include "base/memory.h"

static enum sty_code code_of(int number)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR:
        return STY_NOT_FOUND;
    case EACCES:
    case EPERM:
        return STY_DENIED;
    default:
        return STY_IO;
    }
}

int sty_file_read_at(struct sty_str *out, int directory, const char *path, size_t limit, struct sty_error *err)
{
    sty_auto_fd fd = openat(directory, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat info;
    if (fd < 0 || fstat(fd, &info) < 0)
        return sty_error_errno(err, code_of(errno), errno, "%s", path);
    if (S_ISDIR(info.st_mode))
        return sty_error_errno(err, STY_IO, EISDIR, "%s", path);
    sty_auto(str) text = STY_STR_INIT;
    char buffer[16384];
    for (;;) {
        ssize_t n = read(fd, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return sty_error_errno(err, STY_IO, errno, "%s", path);
        if (n == 0)
            break;
        if (text.length + (size_t)n > limit)
            return sty_error_set(err, STY_LIMIT, "%s: larger than %zu bytes", path, limit);
        sty_str_append_bytes(&text, buffer, (size_t)n);
    }
    sty_str_append_bytes(out, text.data, text.length);
    return 0;
}

int sty_file_read(struct sty_str *out, const char *path, size_t limit, struct sty_error *err)
{
    return sty_file_read_at(out, AT_FDCWD, path, limit, err);
}

static int write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, bytes, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        bytes += n;
        length -= (size_t)n;
    }
    return 0;
}

static int fill(int fd, const void *bytes, size_t length, const struct sty_file_attributes *attributes)
{
    bool owned = attributes->uid != (uid_t)-1 || attributes->gid != (gid_t)-1;
    if (write_all(fd, bytes, length) < 0)
        return -1;
    if (owned && fchown(fd, attributes->uid, attributes->gid) < 0)
        return -1;
    if (fchmod(fd, attributes->mode) < 0)
        return -1;
    return fsync(fd);
}

int sty_file_stage_at(char temp[64], int directory, const void *bytes, size_t length,
                      const struct sty_file_attributes *attributes, struct sty_error *err)
{
    char id[STY_ID_SIZE], name[64];
    sty_id_new(id);
    snprintf(name, sizeof name, ".styrmin-%.16s", id);
    int fault = sty_failpoint(file_stage);
    if (fault)
        return sty_error_errno(err, STY_IO, fault, "writing a temporary file");
    sty_auto_fd fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return sty_error_errno(err, code_of(errno), errno, "making a temporary file");
    if (fill(fd, bytes, length, attributes) < 0) {
        int number = errno;
        unlinkat(directory, name, 0);
        return sty_error_errno(err, code_of(number), number, "writing a temporary file");
    }
    memcpy(temp, name, sizeof name);
    return 0;
}

int sty_file_commit_at(int directory, const char *temp, const char *name, struct sty_error *err)
{
    int fault = sty_failpoint(file_commit);
    int failed = fault ? fault : renameat(directory, temp, directory, name) < 0 ? errno : 0;
    if (failed) {
        unlinkat(directory, temp, 0);
        return sty_error_errno(err, code_of(failed), failed, "replacing %s", name);
    }
    if (fsync(directory) < 0)
        return sty_error_errno(err, STY_IO, errno, "syncing the folder of %s", name);
    fault = sty_failpoint(file_committed);
    return fault ? sty_error_errno(err, STY_IO, fault, "replacing %s", name) : 0;
}

void sty_file_drop_at(int directory, const char *temp)
{
    unlinkat(directory, temp, 0);
}

int sty_file_replace_at(int directory, const char *name, const void *bytes, size_t length,
                        const struct sty_file_attributes *attributes, struct sty_error *err)
{
    char temp[64];
    if (sty_file_stage_at(temp, directory, bytes, length, attributes, err) < 0)
        return sty_error_wrap(err, "%s", name);
    return sty_file_commit_at(directory, temp, name, err);
}

int sty_file_replace(const char *path, const void *bytes, size_t length, mode_t mode, struct sty_error *err)
{
    sty_auto_free char *for_folder = sty_strdup(path);
    sty_auto_free char *for_name = sty_strdup(path);
    sty_auto_fd directory = open(dirname(for_folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return sty_error_errno(err, code_of(errno), errno, "folder of %s", path);
    struct sty_file_attributes attributes = {mode, (uid_t)-1, (gid_t)-1};
    return sty_file_replace_at(directory, basename(for_name), bytes, length, &attributes, err);
}

int sty_directory_make(const char *path, mode_t mode, struct sty_error *err)
{
    sty_auto_free char *copy = sty_strdup(path);
    for (char *at = copy + 1; *copy; at++) {
        bool last = *at == '\0';
        if (*at != '/' && !last)
            continue;
        *at = '\0';
        if (mkdir(copy, mode) < 0 && errno != EEXIST)
            return sty_error_errno(err, code_of(errno), errno, "making folder %s", copy);
        if (last)
            break;
        *at = '/';
    }
    struct stat info;
    if (stat(path, &info) < 0 || !S_ISDIR(info.st_mode))
        return sty_error_set(err, STY_IO, "%s is not a folder", path);
    return 0;
}

int sty_lock_take(int *fd, const char *path, int64_t wait_ms, struct sty_error *err)
{
    sty_auto_fd lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock < 0)
        return sty_error_errno(err, code_of(errno), errno, "lock %s", path);
    for (int64_t waited = 0; flock(lock, LOCK_EX | LOCK_NB) < 0; waited += 20) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return sty_error_errno(err, STY_IO, errno, "lock %s", path);
        char holder[32] = "";
        ssize_t n = pread(lock, holder, sizeof holder - 1, 0);
        if (waited >= wait_ms)
            return sty_error_set(err, STY_BUSY, "%s is held by process %.*s", path, n > 0 ? (int)strcspn(holder, "\n") : 1,
                                 n > 0 ? holder : "?");
        usleep(20000);
    }
    char text[32];
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(lock, 0) < 0 || pwrite(lock, text, (size_t)n, 0) < 0)
        return sty_error_errno(err, STY_IO, errno, "lock %s", path);
    *fd = lock;
    lock = -1;
    return 0;
}
