/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files below the roots of host.allow. The repository chooses the path, so the way from the root to the folder is
 * walked segment by segment and no symlink on it is followed: what a name says is where it is. The state directory is
 * refused by name and by identity, whatever the roots are.
 */
#include "provider/provider_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define FOLDER (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

void sty_place_at_clear(struct sty_place_at *place)
{
    sty_close_fd(&place->directory);
    place->directory = -1;
}

int sty_place_error(struct sty_error *err, int number, const char *what, const char *path)
{
    enum sty_code code = STY_FAILED;
    if (number == ENOENT)
        code = STY_NOT_FOUND;
    else if (number == EACCES || number == EPERM || number == ELOOP)
        code = STY_DENIED;
    return sty_error_errno(err, code, number, "%s '%s'", what, path);
}

/* `path` is `root` or stands below it; both normalised. */
static bool is_within(const char *path, const char *root)
{
    size_t length = strlen(root);
    while (length > 1 && root[length - 1] == '/')
        length--;
    if (length == 1 && root[0] == '/')
        return path[0] == '/';
    return strncmp(path, root, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

static bool is_state(const struct sty_host *host, const char *path)
{
    return host->state_dir && is_within(path, host->state_dir);
}

static const char *find_root(const struct sty_host *host, const char *path)
{
    const char *found = NULL;
    for (size_t i = 0; host->allow && host->allow[i]; i++)
        if (host->allow[i][0] == '/' && is_within(path, host->allow[i]) &&
            (!found || strlen(host->allow[i]) > strlen(found)))
            found = host->allow[i];
    return found;
}

int sty_place_check(const struct sty_host *host, const char *path, struct sty_error *err)
{
    sty_auto(str) normal = STY_STR_INIT;
    if (sty_path_normalise(&normal, path, err) < 0)
        return -1;
    if (!sty_streq(normal.data, path) || sty_streq(path, "/"))
        return sty_error_set(err, STY_INVALID, "'%s' is no path of a file", path);
    if (is_state(host, path))
        return sty_error_set(err, STY_DENIED, "'%s' is in the state directory", path);
    if (!find_root(host, path))
        return sty_error_set(err, STY_DENIED, "'%s' is not below a folder that host.allow names", path);
    return 0;
}

/* One segment down; `*fd` becomes the folder below. */
static int descend(int *fd, const char *segment, bool make, const char *path, struct sty_error *err)
{
    int next = openat(*fd, segment, FOLDER);
    if (next < 0 && errno == ENOENT && make) {
        if (mkdirat(*fd, segment, 0755) < 0 && errno != EEXIST)
            return sty_place_error(err, errno, "make a folder for", path);
        fsync(*fd);
        next = openat(*fd, segment, FOLDER);
    }
    if (next < 0 && (errno == ELOOP || errno == ENOTDIR))
        return sty_error_set(err, STY_DENIED,
                             "'%s' of '%s' is no folder (symlinks are not followed: name the real path)", segment,
                             path);
    if (next < 0)
        return sty_place_error(err, errno, "open the folder of", path);
    sty_close_fd(fd);
    *fd = next;
    return 0;
}

struct walk {
    const struct sty_host *host;
    const char *path, *name; /* name: the last segment */
    bool make, guarded;      /* guarded: there is a state directory */
    struct stat state;
};

static int refuse_found(const struct walk *walk, const struct stat *found, struct sty_error *err)
{
    if (walk->guarded && found->st_dev == walk->state.st_dev && found->st_ino == walk->state.st_ino)
        return sty_error_set(err, STY_DENIED, "'%s' is in the state directory", walk->path);
    return 0;
}

/* `name` in the folder `fd`, or the folder itself with "". */
static int refuse_state(const struct walk *walk, int fd, const char *name, struct sty_error *err)
{
    struct stat found;
    if (walk->guarded && fstatat(fd, name, &found, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) == 0)
        return refuse_found(walk, &found, err);
    return 0;
}

/* From the open root down to the folder of the last segment. */
static int walk_down(int *fd, const struct walk *walk, const char *rest, struct sty_error *err)
{
    if (refuse_state(walk, *fd, "", err) < 0)
        return -1;
    while (rest < walk->name) {
        const char *end = strchrnul(rest, '/');
        sty_auto_free char *segment = sty_strndup(rest, (size_t)(end - rest));
        if (*segment && descend(fd, segment, walk->make, walk->path, err) < 0)
            return -1;
        if (*segment && refuse_state(walk, *fd, "", err) < 0)
            return -1;
        rest = end + 1;
    }
    return 0;
}

/* The last segment: what stands there now. */
static int look_at_name(struct sty_place_at *place, const struct walk *walk, struct sty_error *err)
{
    place->found = fstatat(place->directory, place->name, &place->status, AT_SYMLINK_NOFOLLOW) == 0;
    if (!place->found && errno != ENOENT)
        return sty_place_error(err, errno, "look at", walk->path);
    return place->found ? refuse_found(walk, &place->status, err) : 0;
}

/* The folder a root stands in is the configuration's choice and followed as it is named. */
static int open_above(const struct walk *walk)
{
    size_t length = (size_t)(walk->name - walk->path);
    sty_auto_free char *above = sty_strndup(walk->path, length > 1 ? length - 1 : 1);
    return open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int place_open(struct sty_place_at *out, const struct walk *walk, struct sty_error *err)
{
    if (sty_place_check(walk->host, walk->path, err) < 0)
        return -1;
    const char *root = find_root(walk->host, walk->path);
    size_t length = strlen(root);
    while (length > 1 && root[length - 1] == '/')
        length--;
    bool itself = length > 1 && walk->path[length] == '\0';
    sty_auto_fd fd = itself ? open_above(walk) : open(root, FOLDER);
    if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
        return sty_error_set(err, STY_DENIED, "'%s' of host.allow is no folder (symlinks are not followed)", root);
    if (fd < 0)
        return sty_place_error(err, errno, "open", root);
    if (walk_down(&fd, walk, itself ? walk->name : walk->path + length, err) < 0)
        return -1;
    sty_auto(place_at) place = {.directory = fd, .name = walk->name};
    fd = -1;
    if (look_at_name(&place, walk, err) < 0)
        return -1;
    *out = place;
    place.directory = -1;
    return 0;
}

static struct walk walk_to(const struct sty_host *host, const char *path, bool make)
{
    const char *slash = strrchr(path, '/');
    struct walk walk = {.host = host, .path = path, .name = slash ? slash + 1 : path, .make = make};
    if (host->state)
        walk.state = *host->state;
    walk.guarded = host->state || (host->state_dir && stat(host->state_dir, &walk.state) == 0);
    return walk;
}

int sty_place_open(struct sty_place_at *out, const struct sty_host *host, const char *path, struct sty_error *err)
{
    const struct walk walk = walk_to(host, path, false);
    return place_open(out, &walk, err);
}

int sty_place_make(struct sty_place_at *out, const struct sty_host *host, const char *path, struct sty_error *err)
{
    const struct walk walk = walk_to(host, path, true);
    return place_open(out, &walk, err);
}

int sty_place_look(struct sty_place_at *out, const struct sty_host *host, const char *path, struct sty_error *err)
{
    sty_auto(place_at) place = STY_PLACE_AT_INIT;
    if (sty_place_open(&place, host, path, err) < 0 && err->code != STY_NOT_FOUND)
        return -1;
    *out = place;
    place.directory = -1;
    return 0;
}

/* What a crash left beside it while it was written. */
static void tidy(const struct sty_place_at *place)
{
    char temp[STY_TEMP_SIZE];
    sty_file_temp_name(temp, place->name);
    sty_file_drop_at(place->directory, temp);
}

int sty_place_tidy(const struct sty_host *host, const char *path, struct sty_error *err)
{
    sty_auto(place_at) place = STY_PLACE_AT_INIT;
    if (sty_place_open(&place, host, path, err) < 0)
        return -1;
    tidy(&place);
    return 0;
}

int sty_place_remove(const struct sty_host *host, const char *path, mode_t type, struct sty_error *err)
{
    sty_auto(place_at) place = STY_PLACE_AT_INIT;
    if (sty_place_open(&place, host, path, err) < 0)
        return err->code == STY_NOT_FOUND ? 0 : -1;
    tidy(&place);
    if (!place.found || (place.status.st_mode & S_IFMT) != type)
        return 0;
    if (unlinkat(place.directory, place.name, type == S_IFDIR ? AT_REMOVEDIR : 0) < 0) {
        bool in_use = type == S_IFDIR && (errno == ENOTEMPTY || errno == EEXIST || errno == EBUSY);
        return in_use || errno == ENOENT ? 0 : sty_place_error(err, errno, "remove", path);
    }
    if (fsync(place.directory) < 0 && errno != EINVAL)
        return sty_place_error(err, errno, "sync the folder of", path);
    return 0;
}
