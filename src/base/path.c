/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path: folders, and paths as text. Removing walks by descriptors and never follows a link, so that somebody who swaps
 * a folder for a symlink while we walk loses only the link.
 */
#include "base/file.h"
#include "base/file_internal.h"
#include "base/memory.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REMOVE_DEPTH 128

static int remove_entry(int parent, const char *name, int depth, struct sty_error *err);

int sty_directory_make(const char *path, mode_t mode, struct sty_error *err)
{
    struct stat status;
    if (!*path)
        return sty_error_set(err, STY_INVALID, "the folder has an empty path");
    sty_auto_free char *partial = sty_strdup(path);
    for (char *at = partial + 1; *at; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        if (mkdir(partial, mode) < 0 && errno != EEXIST && access(partial, F_OK) < 0)
            return sty_file_error(err, errno, "make folder", partial);
        *at = '/';
    }
    if (mkdir(path, mode) == 0)
        return 0;
    int number = errno;
    if (stat(path, &status) < 0)
        return sty_file_error(err, number, "make folder", path);
    if (!S_ISDIR(status.st_mode))
        return sty_error_set(err, STY_EXISTS, "make folder '%s': something else has this name", path);
    return 0;
}

static int remove_children(int directory, int depth, struct sty_error *err)
{
    int own = fcntl(directory, F_DUPFD_CLOEXEC, 3);
    DIR *entries = own < 0 ? NULL : fdopendir(own);
    if (!entries) {
        sty_close_fd(&own);
        return sty_error_errno(err, STY_IO, errno, "list folder");
    }
    int result = 0;
    struct dirent *entry;
    while (result == 0 && (entry = readdir(entries))) {
        if (!sty_streq(entry->d_name, ".") && !sty_streq(entry->d_name, ".."))
            result = remove_entry(directory, entry->d_name, depth + 1, err);
    }
    closedir(entries);
    return result;
}

static int remove_entry(int parent, const char *name, int depth, struct sty_error *err)
{
    if (depth > REMOVE_DEPTH)
        return sty_error_set(err, STY_LIMIT, "remove '%s': deeper than %d folders", name, REMOVE_DEPTH);
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return sty_file_error(err, errno, "remove", name);
    int refused = errno;
    sty_auto_fd directory = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory < 0 && errno == ENOENT)
        return 0;
    if (directory < 0)
        return sty_file_error(err, errno == ENOTDIR || errno == ELOOP ? refused : errno, "remove", name);
    if (remove_children(directory, depth, err) < 0)
        return sty_error_wrap(err, "in '%s'", name);
    if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return sty_file_error(err, errno, "remove folder", name);
    return 0;
}

int sty_directory_remove(const char *path, struct sty_error *err)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') /* "link/" would follow the link */
        length--;
    sty_auto_free char *plain = sty_strndup(path, length);
    if (!length || sty_streq(plain, "/"))
        return sty_error_set(err, STY_INVALID, "'%s' is never removed", path);
    return remove_entry(AT_FDCWD, plain, 0, err);
}

static int append_component(struct sty_str *out, const char *at, size_t length)
{
    if (length == 0 || (length == 1 && at[0] == '.'))
        return 0;
    if (length == 2 && at[0] == '.' && at[1] == '.')
        return -1;
    sty_str_append_char(out, '/');
    sty_str_append_bytes(out, at, length);
    return 0;
}

int sty_path_normalise(struct sty_str *out, const char *path, struct sty_error *err)
{
    sty_auto(str) normal = STY_STR_INIT;
    sty_auto(str) shown = STY_STR_INIT;
    bool good = *path == '/';
    for (const char *at = path; good && *at; at++)
        good = (unsigned char)*at >= 0x20 && *at != 0x7F;
    for (const char *at = path; good && *at;) {
        size_t length = strcspn(at, "/");
        good = append_component(&normal, at, length) == 0;
        at += length + (at[length] == '/');
    }
    if (!good) {
        sty_str_append_visible(&shown, path, strnlen(path, 200), false);
        return sty_error_set(err, STY_INVALID, "'%s' is not an absolute path without '..' and control characters",
                             shown.data);
    }
    sty_str_append(out, normal.length ? normal.data : "/");
    return 0;
}
