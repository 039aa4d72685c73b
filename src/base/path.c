/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths and folder trees.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"

enum { DEPTH = 64 };

int sty_path_normalise(struct sty_str *out, const char *path, struct sty_error *err)
{
    sty_auto(str) clean = STY_STR_INIT;
    if (path[0] != '/')
        return sty_error_set(err, STY_INVALID, "path '%.200s' is not absolute", path);
    for (const char *at = path; *at;) {
        at += strspn(at, "/");
        size_t n = strcspn(at, "/");
        if (n == 2 && at[0] == '.' && at[1] == '.')
            return sty_error_set(err, STY_INVALID, "path '%.200s' holds '..'", path);
        for (size_t i = 0; i < n; i++)
            if ((unsigned char)at[i] < 0x20 || at[i] == 0x7f)
                return sty_error_set(err, STY_INVALID, "a path holds a control character");
        if (n > 0 && !(n == 1 && at[0] == '.')) {
            sty_str_append_char(&clean, '/');
            sty_str_append_bytes(&clean, at, n);
        }
        at += n;
    }
    sty_str_append(out, clean.length ? clean.data : "/");
    return 0;
}

static int remove_below(int parent, const char *name, int depth);

static int remove_entries(DIR *directory, int depth)
{
    struct dirent *entry;
    errno = 0;
    while ((entry = readdir(directory))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (remove_below(dirfd(directory), entry->d_name, depth + 1) < 0)
            return -1;
        errno = 0;
    }
    return errno ? -1 : 0;
}

static int remove_below(int parent, const char *name, int depth)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -1;
    if (depth > DEPTH) {
        errno = ELOOP;
        return -1;
    }
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -1;
    DIR *directory = fdopendir(fd);
    if (!directory) {
        close(fd);
        return -1;
    }
    int result = remove_entries(directory, depth);
    int number = errno;
    closedir(directory);
    errno = number;
    return result < 0 ? -1 : unlinkat(parent, name, AT_REMOVEDIR);
}

int sty_directory_remove(const char *path, struct sty_error *err)
{
    if (remove_below(AT_FDCWD, path, 0) < 0)
        return sty_error_errno(err, STY_IO, errno, "removing %s", path);
    return 0;
}
