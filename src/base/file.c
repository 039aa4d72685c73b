/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file: whole files, in and out. A file that Styrmin writes is complete under its name or not there: everything that
 * can fail, from a full disk to a refused owner, fails on a temp file.
 */
#include "base/file.h"
#include "base/digest.h"
#include "base/failpoint.h"
#include "base/file_internal.h"
#include "base/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_STEP ((size_t)64 * 1024)

int sty_file_error(struct sty_error *err, int number, const char *what, const char *path)
{
    enum sty_code code = STY_IO;
    if (number == ENOENT || number == ENOTDIR)
        code = STY_NOT_FOUND;
    else if (number == EACCES || number == EPERM)
        code = STY_DENIED;
    return sty_error_errno(err, code, number, "%s '%s'", what, path);
}

static int too_big(struct sty_error *err, const char *path, size_t limit)
{
    return sty_error_set(err, STY_LIMIT, "'%s' is larger than %zu bytes", path, limit);
}

/* Until the end of file: the size that fstat() tells may be 0 (/proc) or out of date. */
static int read_all(struct sty_str *out, int fd, size_t expected, const char *path, size_t limit, struct sty_error *err)
{
    size_t before = out->length;
    size_t step = expected < limit ? expected + 1 : limit + 1;
    for (;;) {
        size_t left = limit - (out->length - before);
        size_t room = step <= left ? step : left + 1;
        char *end = sty_str_reserve(out, room);
        ssize_t got = read(fd, end, room);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return sty_file_error(err, errno, "read", path);
        if (got == 0)
            return 0;
        if ((size_t)got > left)
            return too_big(err, path, limit);
        out->length += (size_t)got;
        out->data[out->length] = '\0';
        step = READ_STEP;
    }
}

int sty_file_read_at(struct sty_str *out, int directory, const char *path, size_t limit, struct sty_error *err)
{
    /* Not blocking: a FIFO put in a file's place must not stop us. */
    sty_auto_fd fd = openat(directory, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0)
        return sty_file_error(err, errno, "open", path);
    if (!S_ISREG(status.st_mode) && !S_ISCHR(status.st_mode))
        return sty_error_set(err, STY_IO, "open '%s': not a file", path);
    if (status.st_size > 0 && (uint64_t)status.st_size > limit)
        return too_big(err, path, limit);
    size_t before = out->length;
    if (read_all(out, fd, (size_t)status.st_size, path, limit, err) == 0)
        return 0;
    out->length = before;
    out->data[before] = '\0';
    return -1;
}

int sty_file_read(struct sty_str *out, const char *path, size_t limit, struct sty_error *err)
{
    return sty_file_read_at(out, AT_FDCWD, path, limit, err);
}

void sty_file_temp_name(char temp[STY_TEMP_SIZE], const char *name)
{
    char digest[STY_DIGEST_SIZE];
    sty_digest(digest, name, strlen(name));
    snprintf(temp, STY_TEMP_SIZE, ".styrmin-%.16s", digest + strlen("sha256:"));
}

static int write_all(int fd, const char *bytes, size_t length)
{
    while (length) {
        ssize_t put = write(fd, bytes, length);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        bytes += put;
        length -= (size_t)put;
    }
    return 0;
}

/* The owner first: changing it takes set-id bits away. */
static int fill(int fd, const void *bytes, size_t length, const struct sty_file_attributes *attributes)
{
    bool own = attributes->uid != (uid_t)-1 || attributes->gid != (gid_t)-1;
    if (own && fchown(fd, attributes->uid, attributes->gid) < 0)
        return -1;
    if (write_all(fd, bytes, length) < 0 || fchmod(fd, attributes->mode & 07777) < 0)
        return -1;
    return fsync(fd);
}

int sty_file_stage_at(const char *temp, int directory, const void *bytes, size_t length,
                      const struct sty_file_attributes *attributes, struct sty_error *err)
{
    int number = sty_failpoint(file_stage);
    if (number)
        return sty_file_error(err, number, "write", "temp file");
    sty_file_drop_at(directory, temp);
    sty_auto_fd fd = openat(directory, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return sty_file_error(err, errno, "create", temp);
    if (fill(fd, bytes, length, attributes) < 0) {
        sty_file_error(err, errno, "write", temp);
        sty_file_drop_at(directory, temp);
        return -1;
    }
    return 0;
}

/* Some file systems cannot sync a folder (EINVAL), and an O_PATH descriptor must be opened for it first (EBADF). */
static int sync_directory(int directory)
{
    if (directory != AT_FDCWD && fsync(directory) == 0)
        return 0;
    if (directory != AT_FDCWD && errno != EBADF)
        return errno == EINVAL ? 0 : -1;
    sty_auto_fd fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 || (fsync(fd) < 0 && errno != EINVAL) ? -1 : 0;
}

int sty_file_commit_at(int directory, const char *temp, const char *name, struct sty_error *err)
{
    int number = sty_failpoint(file_commit);
    if (!number && renameat(directory, temp, directory, name) < 0)
        number = errno;
    if (number) {
        sty_file_drop_at(directory, temp);
        return sty_file_error(err, number, "replace", name);
    }
    number = sty_failpoint(file_committed);
    if (number)
        return sty_file_error(err, number, "sync the folder of", name);
    if (sync_directory(directory) < 0)
        return sty_file_error(err, errno, "sync the folder of", name);
    return 0;
}

void sty_file_drop_at(int directory, const char *temp)
{
    int kept = errno;
    unlinkat(directory, temp, 0);
    errno = kept;
}

static bool plain_name(const char *name)
{
    return *name && !strchr(name, '/') && !sty_streq(name, ".") && !sty_streq(name, "..");
}

int sty_file_replace_at(int directory, const char *name, const void *bytes, size_t length,
                        const struct sty_file_attributes *attributes, struct sty_error *err)
{
    char temp[STY_TEMP_SIZE];
    if (!plain_name(name))
        return sty_error_set(err, STY_INVALID, "'%s' is not a file name", name);
    sty_file_temp_name(temp, name);
    if (sty_file_stage_at(temp, directory, bytes, length, attributes, err) < 0)
        return sty_error_wrap(err, "'%s'", name);
    return sty_file_commit_at(directory, temp, name, err);
}

int sty_file_replace(const char *path, const void *bytes, size_t length, mode_t mode, struct sty_error *err)
{
    const struct sty_file_attributes attributes = {mode, (uid_t)-1, (gid_t)-1};
    const char *slash = strrchr(path, '/');
    size_t above = slash == path ? 1 : slash ? (size_t)(slash - path) : 0;
    sty_auto_free char *folder = above ? sty_strndup(path, above) : sty_strdup(".");
    sty_auto_fd directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return sty_file_error(err, errno, "open", folder);
    if (sty_file_replace_at(directory, slash ? slash + 1 : path, bytes, length, &attributes, err) < 0)
        return sty_error_wrap(err, "in '%s'", folder);
    return 0;
}
