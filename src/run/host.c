/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What providers get to work with: contents out of the ledger, secrets as allowed, the driver's files in a folder, and
 * the launcher. Thread-safe, because resources of several targets are worked on at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "base/map.h"
#include "run/run_internal.h"

struct sty_run_host {
    struct sty_host host;
    const struct sty_run_world *world;
    struct sty_launcher *launcher;
    char *state_dir;      /* its real path: what may not be written to is known by name */
    struct stat state;    /* and by identity */
    char *folder;         /* <state_dir>/run/files */
    pthread_mutex_t lock; /* of paths, and of making what they name */
    struct sty_map paths; /* files digest -> path */
};

static int blob(void *self, char **bytes, size_t *length, const char *digest, struct sty_error *err)
{
    struct sty_run_host *host = self;
    return sty_ledger_blob_get(bytes, length, host->world->ledger, digest, err);
}

static int secret(void *self, char **bytes, size_t *length, const json_t *reference, struct sty_error *err)
{
    struct sty_run_host *host = self;
    return sty_secret_read(bytes, length, host->world->secrets, reference, err);
}

static int sync_folder(const char *path, struct sty_error *err)
{
    sty_auto_fd fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || syncfs(fd) < 0)
        return sty_error_errno(err, STY_IO, errno, "%s", path);
    return 0;
}

/* Complete before it has its name: whoever finds the name finds all files. */
static int make_files(struct sty_run_host *host, const char *path, const char *digest, struct sty_error *err)
{
    char id[STY_ID_SIZE];
    struct sty_error ignored;
    sty_id_new(id);
    sty_auto_free char *made = sty_sprintf("%s/.%s", host->folder, id);
    if (sty_directory_make(host->folder, 0755, err) < 0)
        return -1;
    int result = sty_driver_files_write(made, host->world->ledger, digest, err);
    if (result == 0)
        result = sync_folder(made, err);
    if (result == 0 && rename(made, path) < 0 && errno != EEXIST && errno != ENOTEMPTY)
        result = sty_error_errno(err, STY_IO, errno, "%s", path);
    sty_directory_remove(made, &ignored);
    return result == 0 ? sync_folder(host->folder, err) : -1;
}

static int find_files(struct sty_run_host *host, const char **path, const char *digest, struct sty_error *err)
{
    struct stat status;
    if (!sty_digest_valid(digest))
        return sty_error_set(err, STY_INTERNAL, "the driver's files have no digest");
    *path = sty_map_get(&host->paths, digest);
    if (*path)
        return 0;
    sty_auto_free char *fresh = sty_sprintf("%s/%s", host->folder, digest + strlen("sha256:"));
    if (stat(fresh, &status) < 0 && make_files(host, fresh, digest, err) < 0)
        return -1;
    *path = fresh;
    sty_map_set(&host->paths, digest, sty_take(fresh));
    return 0;
}

static int driver_files(void *self, const char **path, const char *digest, struct sty_error *err)
{
    struct sty_run_host *host = self;
    pthread_mutex_lock(&host->lock);
    int result = find_files(host, path, digest, err);
    pthread_mutex_unlock(&host->lock);
    return result;
}

int sty_run_host_open(struct sty_run_host **out, const struct sty_run_world *world, struct sty_error *err)
{
    struct sty_launcher *launcher = NULL;
    if (sty_launcher_open(&launcher, world->state_dir, world->program, err) < 0)
        return -1;
    struct sty_run_host *host = sty_calloc(1, sizeof(*host));
    host->world = world;
    host->launcher = launcher;
    char *real = realpath(world->state_dir, NULL);
    host->state_dir = real ? real : sty_strdup(world->state_dir);
    host->folder = sty_sprintf("%s/run/files", world->state_dir);
    pthread_mutex_init(&host->lock, NULL);
    host->host = (struct sty_host){.world = world->world,
                                   .state_dir = host->state_dir,
                                   .state = stat(host->state_dir, &host->state) == 0 ? &host->state : NULL,
                                   .allow = world->allow,
                                   .blob = blob,
                                   .secret = secret,
                                   .driver_files = driver_files,
                                   .self = host,
                                   .launch = sty_launcher_interface(launcher)};
    *out = host;
    return 0;
}

const struct sty_host *sty_run_host_get(struct sty_run_host *host)
{
    return &host->host;
}

void sty_run_host_free(struct sty_run_host *host)
{
    if (!host)
        return;
    for (size_t i = 0; i < host->paths.used; i++)
        if (host->paths.entries[i].key)
            free(host->paths.entries[i].value);
    sty_map_clear(&host->paths);
    sty_launcher_free(host->launcher);
    pthread_mutex_destroy(&host->lock);
    free(host->folder);
    free(host->state_dir);
    free(host);
}
