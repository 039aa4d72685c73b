/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What commands that only read definitions look at: a folder as it is, or a revision of the repository around it.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli_internal.h"

void sty_view_clear(struct sty_view *view)
{
    sty_repo_free(view->repo);
    view->repo = NULL;
}

static int open_snapshot(struct sty_view *view, struct sty_arena *arena, const char *directory, const char *revision,
                         struct sty_error *err)
{
    view->folder = "";
    if (!revision) {
        view->snapshot.commit[0] = '\0';
        return sty_repo_open_directory(&view->repo, view->snapshot.tree, directory, err);
    }
    const char *prefix = "";
    char commit[STY_OID_SIZE];
    if (sty_repo_open_existing(&view->repo, &prefix, arena, directory, err) < 0 ||
        sty_repo_resolve(commit, view->repo, revision, err) < 0)
        return -1;
    view->folder = prefix;
    return sty_repo_snapshot(&view->snapshot, view->repo, commit, *prefix ? prefix : ".", err);
}

static int load(struct sty_view *view, struct sty_arena *arena, struct sty_error *err)
{
    const struct sty_catalog_base nothing = {NULL, NULL};
    view->snapshot.repo = view->repo;
    struct sty_snapshot *snapshot = sty_arena_memdup(arena, &view->snapshot, sizeof view->snapshot);
    return sty_catalog_load(&view->catalog, arena, snapshot, &nothing, &view->problems, err);
}

int sty_view_open(struct sty_view *out, struct sty_arena *arena, const char *directory, const char *revision,
                  struct sty_error *err)
{
    struct sty_view view = {0};
    sty_problems_init(&view.problems, arena);
    if (open_snapshot(&view, arena, directory, revision, err) < 0 || load(&view, arena, err) < 0) {
        sty_view_clear(&view);
        return -1;
    }
    *out = view;
    return 0;
}

int sty_view_open_mirror(struct sty_view *out, struct sty_arena *arena, const struct sty_configuration *configuration,
                         const char *commit, struct sty_error *err)
{
    struct sty_view view = {0};
    const char *mirror = sty_arena_printf(arena, "%s/source.git", configuration->state_dir);
    const char *folder = configuration->source.path;
    while (sty_starts_with(folder, "./"))
        folder += 2;
    view.folder = sty_streq(folder, ".") ? "" : folder;
    sty_problems_init(&view.problems, arena);
    if (sty_repo_open(&view.repo, mirror, true, err) < 0)
        return -1;
    if (sty_repo_snapshot(&view.snapshot, view.repo, commit, configuration->source.path, err) < 0 ||
        load(&view, arena, err) < 0) {
        sty_view_clear(&view);
        return -1;
    }
    *out = view;
    return 0;
}

struct targets {
    struct sty_target *items;
    size_t count, capacity;
};

static void add(struct targets *targets, struct sty_arena *arena, const struct sty_target *target)
{
    if (targets->count == targets->capacity) {
        size_t capacity = targets->capacity ? targets->capacity * 2 : 64;
        struct sty_target *items = sty_arena_alloc(arena, capacity * sizeof *items);
        if (targets->count)
            memcpy(items, targets->items, targets->count * sizeof *items);
        targets->items = items;
        targets->capacity = capacity;
    }
    targets->items[targets->count++] = *target;
}

static int add_environment(struct targets *targets, struct sty_arena *arena, const struct sty_view *view,
                           const struct sty_document *document, struct sty_error *err)
{
    struct sty_environment environment;
    const char **clusters = NULL;
    const struct sty_document **deployments = NULL;
    size_t cluster_count = 0, count = 0;
    bool complete = true;
    sty_environment_read(&environment, document);
    if (sty_catalog_place(&clusters, &cluster_count, &complete, view->catalog, &environment, err) < 0 ||
        sty_catalog_list(&deployments, &count, view->catalog, STY_KIND_DEPLOYMENT, environment.name, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        const char *name = strchr(deployments[i]->key, '/') + 1;
        for (size_t c = 0; deployments[i]->valid && c < cluster_count; c++)
            add(targets, arena, &(struct sty_target){clusters[c], environment.name, name});
    }
    return 0;
}

static int none_matches(const struct targets *targets, struct sty_arena *arena, const char *pattern,
                        struct sty_error *err)
{
    sty_auto(str) known = STY_STR_INIT;
    for (size_t i = 0; i < targets->count && i < 5; i++)
        sty_str_appendf(&known, "%s%s", i ? ", " : "", sty_target_text(arena, &targets->items[i]));
    return sty_error_set(err, STY_NOT_FOUND, "no target '%s'; there %s %zu: %s%s", pattern,
                         targets->count == 1 ? "is" : "are", targets->count, known.data,
                         targets->count > 5 ? ", ..." : "");
}

int sty_view_targets(struct sty_target **out, size_t *count, struct sty_arena *arena, const struct sty_view *view,
                     const char *pattern, struct sty_error *err)
{
    const struct sty_document **environments = NULL;
    size_t environment_count = 0, kept = 0;
    struct targets all = {0};
    if (sty_catalog_list(&environments, &environment_count, view->catalog, STY_KIND_ENVIRONMENT, NULL, err) < 0)
        return -1;
    for (size_t i = 0; i < environment_count; i++)
        if (environments[i]->valid && add_environment(&all, arena, view, environments[i], err) < 0)
            return -1;
    struct sty_target *matching = sty_arena_alloc(arena, (all.count + 1) * sizeof *matching);
    for (size_t i = 0; i < all.count; i++)
        if (!pattern || sty_target_matches(&all.items[i], pattern))
            matching[kept++] = all.items[i];
    if (pattern && kept == 0)
        return none_matches(&all, arena, pattern, err);
    *out = matching;
    *count = kept;
    return 0;
}

void sty_print_problems(const struct sty_problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct sty_problem *p = &problems->items[i];
        sty_auto(str) line = STY_STR_INIT;
        sty_str_append_visible(&line, p->file, strlen(p->file), false);
        if (p->line)
            sty_str_appendf(&line, ":%d:%d", p->line, p->column);
        sty_str_append(&line, p->warning ? ": warning: " : ": ");
        sty_str_append_visible(&line, p->message, strlen(p->message), false);
        fprintf(stderr, "%s\n", line.data);
    }
}
