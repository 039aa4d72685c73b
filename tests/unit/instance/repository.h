/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * repository: a folder of files as a commit's definitions, opened down to a resolver, for tests of the instance stage.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/file.h"
#include "instance/instance.h"

struct sty_repository {
    struct sty_arena *arena;
    struct sty_repo *repo;
    struct sty_snapshot snapshot;
    struct sty_catalog *catalog;
    struct sty_problems problems;
    struct sty_blobs blobs;
    struct sty_resolver *resolver;
};

static inline void sty_repository_open(struct sty_repository *out, const char *directory)
{
    struct sty_error err = {0};
    struct sty_catalog_base nothing = {0};
    *out = (struct sty_repository){.arena = sty_arena_new()};
    sty_problems_init(&out->problems, out->arena);
    sty_blobs_init(&out->blobs, out->arena);
    if (sty_repo_open_directory(&out->repo, out->snapshot.tree, directory, &err) < 0)
        fail_msg("%s: %s", directory, err.text);
    out->snapshot.repo = out->repo;
    if (sty_catalog_load(&out->catalog, out->arena, &out->snapshot, &nothing, &out->problems, &err) < 0)
        fail_msg("%s: %s", directory, err.text);
    if (sty_resolver_new(&out->resolver, out->catalog, &out->blobs, &err) < 0)
        fail_msg("%s: %s", directory, err.text);
}

static inline void sty_repository_clear(struct sty_repository *repository)
{
    sty_resolver_free(repository->resolver);
    sty_blobs_clear(&repository->blobs);
    sty_repo_free(repository->repo);
    sty_arena_free(repository->arena);
    *repository = (struct sty_repository){0};
}

static inline void sty_repository_resolve(struct sty_resolved *out, struct sty_repository *repository,
                                          const struct sty_target *target, bool origins)
{
    struct sty_error err = {0};
    if (sty_resolve(out, repository->resolver, target, origins, &repository->problems, &err) < 0)
        fail_msg("%s/%s/%s: %s", target->cluster, target->environment, target->deployment, err.text);
}

/* "edge-1/production/shop" to its parts; the memory is the arena's. */
static inline struct sty_target sty_repository_target(struct sty_repository *repository, const char *text)
{
    char *copy = sty_arena_strdup(repository->arena, text);
    struct sty_target target = {.cluster = strsep(&copy, "/")};
    target.environment = strsep(&copy, "/");
    target.deployment = copy;
    return target;
}

/* ---- a folder made by the test ---- */

static inline char *sty_folder_make(void)
{
    const char *parent = getenv("TMPDIR");
    char *folder = sty_sprintf("%s/styrmin-instance-XXXXXX", parent ? parent : "/tmp");
    assert_non_null(mkdtemp(folder));
    return folder;
}

static inline void sty_folder_write(const char *folder, const char *path, const char *text)
{
    struct sty_error err = {0};
    sty_auto_free char *full = sty_sprintf("%s/%s", folder, path);
    sty_auto_free char *parent = sty_strndup(full, (size_t)(strrchr(full, '/') - full));
    if (sty_directory_make(parent, 0755, &err) < 0 ||
        sty_file_replace(full, text, strlen(text), sty_ends_with(path, ".run") ? 0755 : 0644, &err) < 0)
        fail_msg("%s: %s", full, err.text);
}

static inline void sty_folder_free(char *folder)
{
    struct sty_error err;
    sty_directory_remove(folder, &err);
    free(folder);
}
