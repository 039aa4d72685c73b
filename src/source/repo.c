/* SPDX-License-Identifier: Apache-2.0 */
/*
 * repo: opening. Our mirror is made beside its place and renamed into it, so that a crash leaves none or a whole one.
 * What a process that was killed may leave inside (ref locks, half packs) is dropped before the next write, because
 * git would otherwise wait for the dead for ever: writers hold the lock on the state directory.
 */
#include "source/source_internal.h"
#include "base/file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int refuse(int code, const char *what, const char *directory, struct sty_error *err)
{
    if (code == GIT_ENOTFOUND)
        return sty_error_set(err, STY_NOT_FOUND, "%s%s", what, directory);
    return sty_git_error(err, STY_CORRUPT, "%s", directory);
}

/* Takes `git` over. */
static int wrap(struct sty_repo **out, git_repository **git, const char *directory, struct sty_error *err)
{
    git_odb *odb = NULL;
    if (git_repository_odb(&odb, *git) < 0)
        return sty_git_error(err, STY_CORRUPT, "%s", directory);
    struct sty_repo *repo = sty_calloc(1, sizeof(*repo));
    repo->git = sty_take(*git);
    repo->odb = odb;
    repo->directory = sty_strdup(directory);
    *out = repo;
    return 0;
}

void sty_repo_free(struct sty_repo *repo)
{
    if (!repo)
        return;
    sty_http_free(repo->http);
    git_odb_free(repo->odb);
    git_repository_free(repo->git);
    free(repo->directory);
    free(repo);
}

static int sync_path(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)walk;
    sty_auto_fd fd = kind == FTW_F || kind == FTW_DP ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    return kind != FTW_SL && (fd < 0 || fsync(fd) < 0);
}

static int make_mirror(const char *git_dir, struct sty_error *err)
{
    sty_auto(str) fresh = STY_STR_INIT;
    sty_auto_git(repository) git = NULL;
    sty_str_appendf(&fresh, "%s.new", git_dir);
    if (sty_directory_remove(fresh.data, err) < 0)
        return -1;
    git_repository_init_options options;
    git_repository_init_options_init(&options, GIT_REPOSITORY_INIT_OPTIONS_VERSION);
    options.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKPATH | GIT_REPOSITORY_INIT_NO_REINIT;
    if (git_repository_init_ext(&git, fresh.data, &options) < 0)
        return sty_git_error(err, STY_IO, "make the mirror %s", git_dir);
    if (nftw(fresh.data, sync_path, 16, FTW_PHYS | FTW_DEPTH) != 0)
        return sty_error_errno(err, STY_IO, errno, "make the mirror %s", git_dir);
    if (rename(fresh.data, git_dir) < 0)
        return sty_error_errno(err, STY_IO, errno, "make the mirror %s", git_dir);
    return 0;
}

/* A mirror that cannot be opened and never got an object may be thrown away; anything else may hold notes of ours. */
static bool worthless(const char *git_dir)
{
    static const char *const places[] = {"objects/pack", "refs/heads", "refs/notes/styrmin"};
    for (size_t i = 0; i < STY_COUNT(places); i++) {
        sty_auto_free char *path = sty_sprintf("%s/%s", git_dir, places[i]);
        if (rmdir(path) < 0 && errno != ENOENT)
            return false;
    }
    return true;
}

static int make_anew(const char *git_dir, struct sty_error *err)
{
    struct stat status;
    if (lstat(git_dir, &status) < 0)
        return errno == ENOENT ? make_mirror(git_dir, err) : sty_error_errno(err, STY_IO, errno, "%s", git_dir);
    if (!S_ISDIR(status.st_mode) || !worthless(git_dir))
        return sty_error_set(err, STY_CORRUPT, "%s is there and is no git repository: move it away", git_dir);
    if (sty_directory_remove(git_dir, err) < 0)
        return -1;
    return make_mirror(git_dir, err);
}

int sty_repo_open(struct sty_repo **out, const char *git_dir, bool read_only, struct sty_error *err)
{
    sty_auto_git(repository) git = NULL;
    sty_git_start();
    int code = git_repository_open_bare(&git, git_dir);
    if (code < 0 && read_only)
        return refuse(code, "nothing was fetched yet: there is no mirror at ", git_dir, err);
    if (code < 0 && make_anew(git_dir, err) < 0)
        return -1;
    if (code < 0 && git_repository_open_bare(&git, git_dir) < 0)
        return sty_git_error(err, STY_CORRUPT, "%s", git_dir);
    if (wrap(out, &git, git_dir, err) < 0)
        return -1;
    (*out)->read_only = read_only;
    return 0;
}

/* Where `directory` is below the top of its working tree; "" for the top and for a bare repository. */
static char *prefix_below(struct sty_arena *arena, git_repository *git, const char *directory)
{
    sty_auto_free char *top = git_repository_workdir(git) ? realpath(git_repository_workdir(git), NULL) : NULL;
    sty_auto_free char *here = realpath(directory, NULL);
    size_t length = top ? strlen(top) : 0;
    if (!top || !here || !sty_starts_with(here, top) || here[length] != '/')
        return sty_arena_strdup(arena, "");
    return sty_arena_strdup(arena, here + length + 1);
}

int sty_repo_open_existing(struct sty_repo **out, const char **prefix, struct sty_arena *arena, const char *directory,
                           struct sty_error *err)
{
    sty_auto_git(repository) git = NULL;
    sty_git_start();
    int code = git_repository_open_ext(&git, directory, 0, NULL);
    if (code < 0)
        return refuse(code, "no git repository at or above ", directory, err);
    const char *below = prefix_below(arena, git, directory);
    if (wrap(out, &git, directory, err) < 0)
        return -1;
    (*out)->read_only = true;
    *prefix = below;
    return 0;
}

/* ---- leftovers ---- */

static int drop_lock(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)walk;
    if (kind == FTW_F && sty_ends_with(path, ".lock"))
        unlink(path);
    return 0;
}

static void drop_half_packs(const char *git_dir)
{
    sty_auto_free char *path = sty_sprintf("%s/objects/pack", git_dir);
    DIR *folder = opendir(path);
    if (!folder)
        return;
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (strstr(entry->d_name, "_git2_"))
            unlinkat(dirfd(folder), entry->d_name, 0);
    }
    closedir(folder);
}

void sty_repo_tidy(struct sty_repo *repo)
{
    if (repo->tidy)
        return;
    sty_auto_free char *refs = sty_sprintf("%s/refs", repo->directory);
    sty_auto_free char *packed = sty_sprintf("%s/packed-refs.lock", repo->directory);
    nftw(refs, drop_lock, 16, FTW_PHYS);
    unlink(packed);
    drop_half_packs(repo->directory);
    repo->tidy = true;
}
