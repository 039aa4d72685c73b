/* SPDX-License-Identifier: Apache-2.0 */
/*
 * directory: a folder of files taken as if it were committed, so that uncommitted work walks the same way as a commit.
 * Objects live in memory; the ids are those git would give. Symlinks are never followed, whatever else is no file or
 * folder is an error, and size and number are bounded.
 */
#include "source/source_internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <git2/sys/mempack.h>
#include <git2/sys/odb_backend.h>
#include <git2/sys/repository.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_LIMIT 100000
#define FILE_BYTES ((off_t)16 << 20)
#define TOTAL_BYTES ((uint64_t)512 << 20)
#define DEPTH_LIMIT 32

struct intake {
    struct sty_repo *repo;
    size_t files;
    uint64_t bytes;
    struct sty_str path; /* below the directory, for texts */
    int depth;
    struct sty_error *err;
};

static int blame(struct intake *intake, const char *name)
{
    return sty_error_errno(intake->err, STY_IO, errno, "%s%s%s", intake->path.data, intake->path.length ? "/" : "",
                           name);
}

static int store_blob(git_oid *out, struct intake *intake, const void *bytes, size_t length)
{
    intake->bytes += length;
    if (++intake->files > FILE_LIMIT)
        return sty_error_set(intake->err, STY_LIMIT, "more than %d files", FILE_LIMIT);
    if (intake->bytes > TOTAL_BYTES)
        return sty_error_set(intake->err, STY_LIMIT, "more than %u MiB of files", (unsigned)(TOTAL_BYTES >> 20));
    if (git_odb_write(out, intake->repo->odb, bytes, length, GIT_OBJECT_BLOB) < 0)
        return sty_git_error(intake->err, STY_IO, "keep a file in memory");
    return 0;
}

static int read_all(struct sty_str *out, int fd, size_t size)
{
    char *room = sty_str_reserve(out, size);
    while (out->length < size) {
        ssize_t got = read(fd, room + out->length, size - out->length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        out->length += (size_t)got;
    }
    out->data[out->length] = '\0';
    return 0;
}

static int take_file(git_oid *out, git_filemode_t *mode, struct intake *intake, int folder, const char *name)
{
    sty_auto_fd fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    sty_auto(str) bytes = STY_STR_INIT;
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0)
        return blame(intake, name);
    if (!S_ISREG(status.st_mode))
        return sty_error_set(intake->err, STY_INVALID, "%s/%s is no file any more", intake->path.data, name);
    if (status.st_size > FILE_BYTES)
        return sty_error_set(intake->err, STY_LIMIT, "%s/%s is larger than %u MiB", intake->path.data, name,
                             (unsigned)(FILE_BYTES >> 20));
    if (read_all(&bytes, fd, (size_t)status.st_size) < 0)
        return blame(intake, name);
    *mode = status.st_mode & S_IXUSR ? GIT_FILEMODE_BLOB_EXECUTABLE : GIT_FILEMODE_BLOB;
    return store_blob(out, intake, bytes.data, bytes.length);
}

static int take_link(git_oid *out, git_filemode_t *mode, struct intake *intake, int folder, const char *name)
{
    char target[PATH_MAX];
    ssize_t length = readlinkat(folder, name, target, sizeof(target));
    if (length < 0)
        return blame(intake, name);
    *mode = GIT_FILEMODE_LINK;
    return store_blob(out, intake, target, (size_t)length);
}

static int take_folder(git_oid *out, bool *empty, struct intake *intake, int fd);

static int take_subfolder(git_oid *out, bool *empty, struct intake *intake, int folder, const char *name)
{
    size_t length = intake->path.length;
    sty_auto_fd fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return blame(intake, name);
    if (length)
        sty_str_append_char(&intake->path, '/');
    sty_str_append(&intake->path, name);
    intake->depth++;
    int result = take_folder(out, empty, intake, fd);
    intake->depth--;
    intake->path.length = length;
    intake->path.data[length] = '\0';
    return result;
}

/* `*empty`: nothing that git would keep. */
static int take_entry(git_treebuilder *tree, struct intake *intake, int folder, const char *name)
{
    struct stat status;
    git_oid oid = {0};
    git_filemode_t mode = GIT_FILEMODE_TREE;
    bool empty = false;
    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return blame(intake, name);
    int result = 0;
    if (S_ISDIR(status.st_mode))
        result = take_subfolder(&oid, &empty, intake, folder, name);
    else if (S_ISLNK(status.st_mode))
        result = take_link(&oid, &mode, intake, folder, name);
    else if (S_ISREG(status.st_mode))
        result = take_file(&oid, &mode, intake, folder, name);
    else
        return sty_error_set(intake->err, STY_INVALID, "%s/%s is no file, folder or symlink", intake->path.data, name);
    if (result < 0 || empty)
        return result;
    if (git_treebuilder_insert(NULL, tree, name, &oid, mode) < 0)
        return sty_git_error(intake->err, STY_INVALID, "%s/%s", intake->path.data, name);
    return 0;
}

static bool skipped(const char *name)
{
    return sty_streq(name, ".") || sty_streq(name, "..") || sty_streq(name, ".git");
}

static int take_names(git_treebuilder *tree, struct intake *intake, DIR *listing)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(listing);
        if (!entry)
            return errno ? blame(intake, "") : 0;
        if (!skipped(entry->d_name) && take_entry(tree, intake, dirfd(listing), entry->d_name) < 0)
            return -1;
    }
}

static int write_tree(git_oid *out, bool *empty, struct intake *intake, git_treebuilder *tree)
{
    *empty = git_treebuilder_entrycount(tree) == 0;
    if (git_treebuilder_write(out, tree) < 0)
        return sty_git_error(intake->err, STY_IO, "keep a folder in memory");
    return 0;
}

static int take_folder(git_oid *out, bool *empty, struct intake *intake, int fd)
{
    sty_auto_git(treebuilder) tree = NULL;
    if (intake->depth > DEPTH_LIMIT)
        return sty_error_set(intake->err, STY_LIMIT, "%.128s...: deeper than %d folders", intake->path.data,
                             DEPTH_LIMIT);
    if (git_treebuilder_new(&tree, intake->repo->git, NULL) < 0)
        return sty_git_error(intake->err, STY_INTERNAL, "a tree in memory");
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    DIR *listing = own < 0 ? NULL : fdopendir(own);
    if (!listing) {
        sty_close_fd(&own);
        return blame(intake, "");
    }
    int result = take_names(tree, intake, listing);
    closedir(listing);
    return result < 0 ? -1 : write_tree(out, empty, intake, tree);
}

/* The top: only the folders that hold definitions. */
static int take_top(git_oid *out, struct intake *intake, int fd)
{
    static const char *const folders[] = {"clusters", "environments", "deployments", "drivers"};
    sty_auto_git(treebuilder) tree = NULL;
    bool empty;
    if (git_treebuilder_new(&tree, intake->repo->git, NULL) < 0)
        return sty_git_error(intake->err, STY_INTERNAL, "a tree in memory");
    for (size_t i = 0; i < STY_COUNT(folders); i++) {
        struct stat status;
        if (fstatat(fd, folders[i], &status, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
            continue;
        if (take_entry(tree, intake, fd, folders[i]) < 0)
            return -1;
    }
    return write_tree(out, &empty, intake, tree);
}

static int open_memory(struct sty_repo **out, const char *directory, struct sty_error *err)
{
    sty_auto_git(odb) odb = NULL;
    git_odb_backend *memory = NULL;
    git_repository *git = NULL;
    sty_git_start();
    if (git_odb_new(&odb) < 0 || git_mempack_new(&memory) < 0 || git_odb_add_backend(odb, memory, 1) < 0 ||
        git_repository_wrap_odb(&git, odb) < 0)
        return sty_git_error(err, STY_INTERNAL, "a repository in memory");
    struct sty_repo *repo = sty_calloc(1, sizeof(*repo));
    *repo = (struct sty_repo){.git = git, .odb = sty_take(odb), .directory = sty_strdup(directory), .read_only = true};
    *out = repo;
    return 0;
}

int sty_repo_open_directory(struct sty_repo **out, char tree[STY_OID_SIZE], const char *directory,
                            struct sty_error *err)
{
    sty_auto_ptr(repo) repo = NULL;
    git_oid top = {0};
    sty_auto_fd fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return sty_error_errno(err, errno == ENOENT || errno == ENOTDIR ? STY_NOT_FOUND : STY_IO, errno, "%s",
                               directory);
    if (open_memory(&repo, directory, err) < 0)
        return -1;
    struct intake intake = {.repo = repo, .path = STY_STR_INIT, .err = err};
    int result = take_top(&top, &intake, fd);
    sty_str_clear(&intake.path);
    if (result < 0)
        return sty_error_wrap(err, "%s", directory);
    sty_oid_text(tree, &top);
    *out = sty_take(repo);
    return 0;
}
