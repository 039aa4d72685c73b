/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One target from documents to Instance. START HERE: sty_resolve() finds the four documents, builds the context, then
 * components and actions, and freezes them. Definitions that are wrong are an answer, not a failure.
 */
#include <stdlib.h>
#include <string.h>
#include "base/version.h"
#include "instance/instance_internal.h"

int sty_resolver_new(struct sty_resolver **out, const struct sty_catalog *catalog, struct sty_blobs *blobs,
                     struct sty_error *err)
{
    (void)err;
    struct sty_resolver *resolver = sty_calloc(1, sizeof(*resolver));
    resolver->catalog = catalog;
    resolver->blobs = blobs;
    resolver->arena = sty_arena_new();
    *out = resolver;
    return 0;
}

void sty_resolver_free(struct sty_resolver *resolver)
{
    if (!resolver)
        return;
    sty_map_clear(&resolver->clusters);
    sty_map_clear(&resolver->environments);
    sty_map_clear(&resolver->drivers);
    sty_arena_free(resolver->arena);
    free(resolver);
}

void sty_resolved_clear(struct sty_resolved *resolved)
{
    sty_instance_free(resolved->instance);
    json_decref(resolved->origins);
    *resolved = (struct sty_resolved){0};
}

static bool choose_version(struct sty_work *work)
{
    const struct sty_driver *driver = &work->driver->driver;
    const struct sty_deployment *deployment = &work->deployment;
    work->application = deployment->application ? deployment->application : driver->name;
    work->version = deployment->version ? deployment->version : sty_json_text(driver->spec, "default_version", NULL);
    if (!work->version)
        sty_work_mistake(work, "/spec", "no version: give spec.version, as driver %s %s has no default_version",
                         driver->name, driver->version);
    return work->version;
}

/* A version that the driver does not support is a guard: the document may be right and the driver too old. */
static void check_supported(struct sty_work *work)
{
    const struct sty_driver *driver = &work->driver->driver;
    const char *supported = sty_json_text(driver->spec, "supported_versions", NULL);
    bool fits = true;
    struct sty_error err;
    if (!supported)
        return;
    if (sty_version_satisfies(&fits, work->version, supported, &err) < 0) {
        sty_driver_mistake(work, "/spec/supported_versions", "%s", err.text);
        return;
    }
    if (fits)
        return;
    struct sty_problem place = sty_place_in(work->found.document, "/spec/version");
    work->guard = "supported_versions";
    work->message = sty_arena_printf(
        work->resolver->arena, "%s:%d:%d: driver %s %s supports versions %s of the application, not %s", place.file,
        place.line, place.column, driver->name, driver->version, supported, work->version);
    work->remedy = "pin a driver version that supports this application version, or choose another version";
}

static json_t *on_failure(const struct sty_work *work)
{
    const json_t *given = json_object_get(work->driver->driver.spec, "on_failure");
    return json_pack("{s:s, s:s, s:s, s:I}", "update", sty_json_text(given, "update", "restore"), "upgrade",
                     sty_json_text(given, "upgrade", "hold"), "downgrade", sty_json_text(given, "downgrade", "hold"),
                     "attempts", (json_int_t)sty_json_int(given, "attempts", 1));
}

static json_t *instance_value(struct sty_work *work)
{
    const struct sty_target *target = work->target;
    const struct sty_driver *driver = &work->driver->driver;
    json_t *out = json_pack("{s:i, s:s, s:s, s:s}", "format", STY_INSTANCE_FORMAT, "cluster", target->cluster,
                            "environment", target->environment, "deployment", target->deployment);
    json_object_set_new(out, "driver",
                        json_pack("{s:s, s:s, s:s}", "name", driver->name, "version", driver->version, "files",
                                  work->driver->files.list->digest));
    json_object_set_new(out, "application",
                        json_pack("{s:s, s:s}", "name", work->application, "version", work->version));
    json_object_set_new(out, "lifecycle", json_string(work->deployment.stopped ? "stopped" : "running"));
    json_object_set(out, "context", work->context);
    json_object_set_new(out, "components", sty_components_build(work));
    json_object_set_new(out, "on_failure", on_failure(work));
    json_object_set_new(out, "actions", sty_actions_build(work));
    return out;
}

/* False: mistakes were found. Afterwards work->context is there. */
static bool build_context(struct sty_work *work)
{
    sty_problems_join(&work->problems, &work->driver->problems);
    if (work->problems.errors || !choose_version(work))
        return false;
    check_supported(work);
    return sty_context_build(work) == 0;
}

static void build(struct sty_resolved *out, struct sty_work *work, bool want_origins)
{
    if (!build_context(work))
        return;
    json_auto_t *value = instance_value(work);
    if (work->problems.errors)
        return;
    if (want_origins)
        out->origins = sty_origins_build(work, value);
    out->instance = sty_instance_make(sty_take(value));
}

static void conclude(struct sty_resolved *out, struct sty_work *work)
{
    const char *first = sty_problems_first(work->resolver->arena, &work->problems);
    out->message = first ? first : work->message;
    out->guard = first ? NULL : work->guard;
    out->remedy = work->remedy;
    if (first && (work->guard || !out->remedy))
        out->remedy = "correct it; `styrmin check` names every mistake";
}

static void work_init(struct sty_work *work, struct sty_resolver *resolver, const struct sty_target *target)
{
    *work = (struct sty_work){.resolver = resolver, .target = target, .arena = sty_arena_new()};
    sty_problems_init(&work->problems, work->arena);
}

static void sty_work_clear(struct sty_work *work)
{
    json_decref(work->context);
    json_decref(work->secrets);
    sty_arena_free(work->arena);
}

int sty_resolve(struct sty_resolved *out, struct sty_resolver *resolver, const struct sty_target *target,
                bool want_origins, struct sty_problems *problems, struct sty_error *err)
{
    sty_auto(work) work;
    work_init(&work, resolver, target);
    struct sty_resolved resolved = {0};
    bool complete = false;
    if (sty_work_open(&work, &resolved, &complete, problems, err) < 0)
        return -1;
    if (complete)
        build(&resolved, &work, want_origins);
    conclude(&resolved, &work);
    sty_problems_join(problems, &work.problems);
    *out = resolved;
    return 0;
}

int sty_resolve_explain(json_t **out, struct sty_resolver *resolver, const struct sty_target *target, const char *path,
                        struct sty_error *err)
{
    sty_auto(work) work;
    work_init(&work, resolver, target);
    struct sty_resolved resolved = {0};
    bool complete = false;
    if (sty_work_open(&work, &resolved, &complete, NULL, err) < 0)
        return -1;
    if (!complete || !build_context(&work)) {
        conclude(&resolved, &work);
        return sty_error_set(err, STY_INVALID, "%s", resolved.message);
    }
    json_t *explanation = sty_explanation_build(&work, path, err);
    if (!explanation)
        return -1;
    *out = explanation;
    return 0;
}
