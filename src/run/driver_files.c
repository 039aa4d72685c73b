/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver's files, out of the ledger into a folder. Names come from git: each is walked by descriptors without following
 * a symlink, and symlinks, which may not leave the tree, are made last, so that nothing is written through one.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "run/run_internal.h"

#define DEPTH_MOST 64

static int bad(const char *path, struct sty_error *err)
{
    return sty_error_set(err, STY_INVALID, "driver file '%.200s' leads out of the driver", path);
}

/* Opens the folder that `path` stands in, making it; `*name` is the last word. */
static int enter(int *out, const char **name, int root, const char *path, struct sty_error *err)
{
    sty_auto_fd at = fcntl(root, F_DUPFD_CLOEXEC, 3);
    for (int depth = 0; at >= 0; depth++) {
        size_t length = strcspn(path, "/");
        sty_auto_free char *word = sty_strndup(path, length);
        if (length == 0 || depth > DEPTH_MOST || strcmp(word, ".") == 0 || strcmp(word, "..") == 0)
            return bad(path, err);
        if (!path[length]) {
            *name = path;
            *out = at;
            at = -1;
            return 0;
        }
        if (mkdirat(at, word, 0755) < 0 && errno != EEXIST)
            break;
        int next = openat(at, word, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        sty_close_fd(&at);
        at = next;
        path += length + 1;
    }
    return sty_error_errno(err, STY_IO, errno, "driver file '%s'", path);
}

static int write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
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

/* A target that stays in the tree: relative, and never above its root on the way. */
static bool stays(const char *path, const char *target)
{
    int depth = 0;
    for (const char *at = path; (at = strchr(at, '/')); at++)
        depth++;
    if (target[0] == '/' || !target[0])
        return false;
    for (const char *at = target; *at;) {
        size_t length = strcspn(at, "/");
        if (length == 2 && strncmp(at, "..", 2) == 0)
            depth--;
        else if (length > 0 && !(length == 1 && *at == '.'))
            depth++;
        if (depth < 0)
            return false;
        at += length + (at[length] == '/');
    }
    return true;
}

struct driver_entry {
    const char *path, *mode;
    const char *bytes;
    size_t length;
};

static int write_link(int directory, const char *name, const struct driver_entry *entry, struct sty_error *err)
{
    if (memchr(entry->bytes, '\0', entry->length) || !stays(entry->path, entry->bytes))
        return bad(entry->path, err);
    if (symlinkat(entry->bytes, directory, name) < 0)
        return sty_error_errno(err, STY_IO, errno, "driver file '%s'", entry->path);
    return 0;
}

static int write_file(int directory, const char *name, const struct driver_entry *entry, struct sty_error *err)
{
    mode_t mode = strcmp(entry->mode, "0755") == 0 ? 0755 : 0644;
    sty_auto_fd fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || write_all(fd, entry->bytes, entry->length) < 0 || fchmod(fd, mode) < 0)
        return sty_error_errno(err, STY_IO, errno, "driver file '%s'", entry->path);
    return 0;
}

static int write_entry(int root, struct sty_ledger *ledger, const json_t *row, bool links, struct sty_error *err)
{
    struct driver_entry entry = {.path = json_string_value(json_array_get(row, 0)),
                                 .mode = json_string_value(json_array_get(row, 1))};
    const char *digest = json_string_value(json_array_get(row, 2)), *name = NULL;
    sty_auto_free char *bytes = NULL;
    sty_auto_fd directory = -1;
    if (!entry.path || !entry.mode || !digest)
        return sty_error_set(err, STY_CORRUPT, "a list of driver files is not one");
    if ((strcmp(entry.mode, "symlink") == 0) != links)
        return 0;
    if (sty_ledger_blob_get(&bytes, &entry.length, ledger, digest, err) < 0)
        return sty_error_wrap(err, "driver file '%s'", entry.path);
    sty_auto_free char *terminated = sty_strndup(bytes, links ? entry.length : 0);
    entry.bytes = links ? terminated : bytes;
    if (enter(&directory, &name, root, entry.path, err) < 0)
        return -1;
    return links ? write_link(directory, name, &entry, err) : write_file(directory, name, &entry, err);
}

int sty_driver_files_write(const char *path, struct sty_ledger *ledger, const char *digest, struct sty_error *err)
{
    sty_auto_free char *bytes = NULL;
    size_t length = 0, i;
    json_auto_t *list = NULL;
    json_t *row;
    if (sty_ledger_blob_get(&bytes, &length, ledger, digest, err) < 0 || sty_json_parse(&list, bytes, length, err) < 0)
        return sty_error_wrap(err, "the driver's files");
    if (mkdir(path, 0755) < 0)
        return sty_error_errno(err, STY_IO, errno, "%s", path);
    sty_auto_fd root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return sty_error_errno(err, STY_IO, errno, "%s", path);
    for (int links = 0; links < 2; links++)
        json_array_foreach (list, i, row)
            if (write_entry(root, ledger, row, links, err) < 0)
                return -1;
    return 0;
}
