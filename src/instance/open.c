/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The four documents of a target. Which ones were looked for, and under which object ids they were found, is told in
 * every case: that is how a walk knows whom the next commit concerns.
 */
#include <string.h>
#include "instance/instance_internal.h"

static void add_input(struct sty_resolved *out, enum sty_kind kind, const struct sty_found *found)
{
    out->inputs[out->input_count++] = (struct sty_input){.kind = kind, .key = found->key, .oid = found->oid};
}

static void block(struct sty_work *work, const char *remedy, const char *message)
{
    if (work->message || work->remedy)
        return;
    work->message = message;
    work->remedy = remedy;
}

static void advise(struct sty_work *work, const char *remedy)
{
    if (!work->message && !work->remedy)
        work->remedy = remedy;
}

/* The first mistake that the walk found in this document already. */
static const char *known_mistake(struct sty_arena *arena, const struct sty_problems *problems, const char *file,
                                 const char *label)
{
    for (size_t i = 0; problems && i < problems->count; i++) {
        const struct sty_problem *problem = &problems->items[i];
        if (!problem->warning && sty_streq(problem->file, file) &&
            (!problem->document || sty_streq(problem->document, label)))
            return sty_arena_printf(arena, "%s:%d:%d: %s", file, problem->line, problem->column, problem->message);
    }
    return NULL;
}

/* True if the document can be used; a document that is absent altogether is the caller's to report. */
static bool is_good(struct sty_work *work, const struct sty_found *found, enum sty_kind kind,
                    const struct sty_problems *problems)
{
    struct sty_arena *arena = work->resolver->arena;
    const struct sty_document *document = found->document;
    const char *label = sty_arena_printf(arena, "%s %s", sty_kind_name(kind), found->key);
    if (found->twice)
        block(work, "keep one of them; `styrmin check` says where they are",
              sty_arena_printf(arena, "%s stands more than once", label));
    if (!document)
        return false;
    if (document->valid && !document->stale)
        return true;
    const char *known = known_mistake(arena, problems, document->path, label);
    block(work, "correct it; `styrmin check` names every mistake",
          known
              ? known
              : sty_arena_printf(
                    arena, document->stale ? "%s: %s stands in a file that cannot be read now" : "%s: %s has mistakes",
                    document->path, label));
    return false;
}

static bool open_environment(struct sty_work *work, const struct sty_problems *problems)
{
    const struct sty_found *found = &work->environment->found;
    if (is_good(work, found, STY_KIND_ENVIRONMENT, problems))
        return true;
    if (found->document || found->twice || !work->found.document || !work->found.document->valid)
        return false;
    advise(work, sty_arena_printf(work->resolver->arena, "add environments/%s.yaml, or correct spec.environment",
                                  found->key));
    sty_work_mistake(work, "/spec/environment", "there is no Environment '%s'", found->key);
    return false;
}

static bool open_cluster(struct sty_work *work, const struct sty_problems *problems)
{
    const struct sty_found *found = &work->cluster->found;
    if (is_good(work, found, STY_KIND_CLUSTER, problems))
        return true;
    const struct sty_document *environment = work->environment->found.document;
    if (found->document || found->twice || !environment || !environment->valid)
        return false;
    struct sty_problem place = sty_place_in(
        environment, sty_json_pointer(environment->value, "/spec/cluster") ? "/spec/cluster" : "/spec/clusters");
    place.document = work->label;
    advise(work,
           sty_arena_printf(work->resolver->arena, "add clusters/%s.yaml, or correct spec.cluster of environment %s",
                            found->key, work->environment->found.key));
    sty_problems_add(&work->problems, &place, "there is no Cluster '%s'", found->key);
    return false;
}

static bool open_driver(struct sty_work *work, const struct sty_problems *problems)
{
    const struct sty_found *found = &work->driver->found;
    if (is_good(work, found, STY_KIND_DRIVER, problems))
        return true;
    if (found->document || found->twice)
        return false;
    advise(work,
           sty_arena_printf(work->resolver->arena,
                            "add drivers/%s with a driver.styrmin.yml, or pin a version that is there", found->key));
    sty_work_mistake(work, "/spec/driver", "there is no driver %s %s in this commit: drivers/%s/driver.styrmin.yml",
                     work->deployment.driver, work->deployment.driver_version, found->key);
    return false;
}

static int find_deployment(struct sty_work *work, const char *key, struct sty_error *err)
{
    struct sty_arena *arena = work->resolver->arena;
    work->label = sty_arena_printf(arena, "%s %s", sty_kind_name(STY_KIND_DEPLOYMENT), key);
    return sty_found_load(&work->found, work->resolver, STY_KIND_DEPLOYMENT, key, err);
}

static int find_driver(struct sty_work *work, struct sty_resolved *out, struct sty_error *err)
{
    sty_deployment_read(&work->deployment, work->found.document);
    sty_auto_free char *key = sty_sprintf("%s/%s", work->deployment.driver, work->deployment.driver_version);
    if (sty_load_driver(&work->driver, work->resolver, key, err) < 0)
        return -1;
    add_input(out, STY_KIND_DRIVER, &work->driver->found);
    return 0;
}

/* Whose place it takes cannot be there beside it. */
static int check_rename(struct sty_work *work, struct sty_error *err)
{
    const char *old = work->deployment.renamed_from;
    struct sty_found found;
    if (!old)
        return 0;
    sty_auto_free char *key = sty_sprintf("%s/%s", work->target->environment, old);
    if (sty_found_load(&found, work->resolver, STY_KIND_DEPLOYMENT, key, err) < 0)
        return -1;
    if (found.document || found.twice) {
        advise(work, "remove the old document, or take renamed_from out");
        sty_work_mistake(work, "/metadata/renamed_from", "renamed_from names '%s', which is still there", old);
    }
    return 0;
}

int sty_work_open(struct sty_work *work, struct sty_resolved *out, bool *complete, const struct sty_problems *problems,
                  struct sty_error *err)
{
    const struct sty_target *target = work->target;
    struct sty_resolver *resolver = work->resolver;
    sty_auto_free char *key = sty_sprintf("%s/%s", target->environment, target->deployment);
    if (find_deployment(work, key, err) < 0 ||
        sty_load_environment(&work->environment, resolver, target->environment, err) < 0 ||
        sty_load_cluster(&work->cluster, resolver, target->cluster, err) < 0)
        return -1;
    add_input(out, STY_KIND_DEPLOYMENT, &work->found);
    add_input(out, STY_KIND_ENVIRONMENT, &work->environment->found);
    add_input(out, STY_KIND_CLUSTER, &work->cluster->found);
    bool good = is_good(work, &work->found, STY_KIND_DEPLOYMENT, problems);
    if (good && (find_driver(work, out, err) < 0 || check_rename(work, err) < 0))
        return -1;
    if (!good && !work->found.document && !work->found.twice)
        block(work, NULL, sty_arena_printf(resolver->arena, "there is no %s in this commit", work->label));
    bool environment = open_environment(work, problems);
    bool cluster = open_cluster(work, problems);
    *complete = good && open_driver(work, problems) && environment && cluster;
    return 0;
}
