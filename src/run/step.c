/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kinds of steps in one table, and what each needs to know: whose step it is, and which resources it is about.
 */
#include <string.h>
#include "run/run_internal.h"

static const struct sty_step_kind *const kinds[] = {
    &sty_step_apply,  &sty_step_remove, &sty_step_start, &sty_step_stop, &sty_step_restart,
    &sty_step_reload, &sty_step_run,    &sty_step_http,  &sty_step_wait,
};

const struct sty_step_kind *sty_step_kind_find(const char *type)
{
    for (size_t i = 0; i < STY_COUNT(kinds); i++)
        if (strcmp(kinds[i]->type, type) == 0)
            return kinds[i];
    return NULL;
}

int sty_step_init(struct sty_step *step, struct sty_execution *execution, const json_t *document, const json_t *row,
                  struct sty_error *err)
{
    const char *whose = sty_json_text(document, "instance", "to");
    const json_t *args = json_object_get(document, "args");
    *step = (struct sty_step){.execution = execution,
                              .document = document,
                              .row = row,
                              .args = args,
                              .type = sty_json_text(document, "type", ""),
                              .component = sty_json_text(document, "component", sty_json_text(args, "component", NULL)),
                              .exit_status = -1,
                              .output = STY_STR_INIT,
                              .filled = json_object()};
    if (strcmp(whose, "from") == 0)
        step->instance = execution->from;
    else if (strcmp(whose, "to") == 0)
        step->instance = execution->to;
    if (sty_step_kind_find(step->type))
        return 0;
    return sty_error_set(err, STY_INVALID, "this program knows no step '%s'", step->type);
}

void sty_step_clear(struct sty_step *step)
{
    sty_str_clear(&step->output);
    json_decref(step->filled);
}

static const char *driver_files_of(const struct sty_instance *instance)
{
    return sty_json_text(json_object_get(sty_instance_json(instance), "driver"), "files", "");
}

static const char *keep(struct sty_execution *execution, const char *text)
{
    return text ? sty_arena_strdup(execution->arena, text) : NULL;
}

static int filled_of(const char **out, struct sty_step *step, const char *id, struct sty_error *err)
{
    json_auto_t *row = NULL;
    if (sty_ledger_row(&row, step->execution->ledger, err,
                       "SELECT filled FROM resources WHERE place = 'host' AND id = ?", "s", id) < 0)
        return -1;
    *out = row ? keep(step->execution, sty_json_text(row, "filled", NULL)) : NULL;
    return 0;
}

/* A step may say which resources of its component it is about. */
static bool named(const struct sty_step *step, const char *id)
{
    const json_t *ids = json_object_get(step->args, "resources");
    return !json_is_array(ids) || sty_json_has(ids, id);
}

static int from_instance(struct sty_step_resources *out, struct sty_step *step, const json_t *resources,
                         struct sty_error *err)
{
    struct sty_step_resources found = {0};
    found.items = sty_arena_alloc(step->execution->arena, (json_array_size(resources) + 1) * sizeof(*found.items));
    size_t i;
    json_t *resource;
    json_array_foreach (resources, i, resource) {
        if (!named(step, sty_json_text(resource, "id", "")))
            continue;
        struct sty_step_resource *item = &found.items[found.count++];
        *item = (struct sty_step_resource){.resource = resource,
                                           .driver_files = driver_files_of(step->instance),
                                           .instance = sty_instance_digest(step->instance)};
        if (filled_of(&item->filled, step, sty_json_text(resource, "id", ""), err) < 0)
            return -1;
    }
    *out = found;
    return 0;
}

static int from_row(struct sty_step_resource *out, struct sty_step *step, const json_t *row, struct sty_error *err)
{
    const struct sty_instance *instance;
    const char *component, *id = sty_json_text(row, "id", "");
    if (sty_execution_instance(&instance, step->execution, sty_json_text(row, "instance", ""), err) < 0)
        return -1;
    const json_t *resource = sty_instance_resource(&component, instance, id);
    if (!resource)
        return sty_error_set(err, STY_CORRUPT, "inventory: '%s' is not in the Instance it names", id);
    *out = (struct sty_step_resource){.resource = resource,
                                      .driver_files = driver_files_of(instance),
                                      .instance = sty_instance_digest(instance),
                                      .filled = keep(step->execution, sty_json_text(row, "filled", NULL))};
    return 0;
}

static bool wanted(const struct sty_step *step, const char *id)
{
    const char *component;
    return step->execution->to && sty_instance_resource(&component, step->execution->to, id);
}

/* In the order that the step names them in. */
static int from_inventory(struct sty_step_resources *out, struct sty_step *step, bool all, struct sty_error *err)
{
    json_auto_t *rows = NULL;
    struct sty_step_resources found = {0};
    if (sty_ledger_rows(&rows, step->execution->ledger, err,
                        "SELECT r.id, r.instance, r.filled FROM resources AS r LEFT JOIN json_each(?3) AS named ON"
                        " named.value = r.id WHERE r.place = 'host' AND r.target = ?1 AND (?2 IS NULL OR r.component ="
                        " ?2) ORDER BY named.key IS NULL, named.key, r.id DESC",
                        "isj", step->execution->target, step->component, json_object_get(step->args, "resources")) < 0)
        return -1;
    found.items = sty_arena_alloc(step->execution->arena, (json_array_size(rows) + 1) * sizeof(*found.items));
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
        const char *id = sty_json_text(row, "id", "");
        if (!named(step, id) || (!all && wanted(step, id)))
            continue;
        if (from_row(&found.items[found.count], step, row, err) < 0)
            return -1;
        found.count++;
    }
    *out = found;
    return 0;
}

int sty_step_resources(struct sty_step_resources *out, struct sty_step *step, struct sty_error *err)
{
    const json_t *components = step->instance ? json_object_get(sty_instance_json(step->instance), "components") : NULL;
    const json_t *component = step->component ? json_object_get(components, step->component) : NULL;
    if (component)
        return from_instance(out, step, json_object_get(component, "resources"), err);
    return from_inventory(out, step, true, err);
}

int sty_step_leftovers(struct sty_step_resources *out, struct sty_step *step, struct sty_error *err)
{
    return from_inventory(out, step, false, err);
}

int sty_run_state_get(bool *running, struct sty_execution *execution, const char *component, struct sty_error *err)
{
    const struct sty_instance *instance = execution->to ? execution->to : execution->from;
    const char *lifecycle = instance ? sty_json_text(sty_instance_json(instance), "lifecycle", "running") : "stopped";
    int64_t state = strcmp(lifecycle, "running") == 0;
    if (component && sty_ledger_number(&state, execution->ledger, err,
                                       "SELECT running FROM run_states WHERE target = ? AND component = ?", "is",
                                       execution->target, component) < 0)
        return -1;
    *running = state != 0;
    return 0;
}

int sty_step_call(struct sty_provider_call *out, struct sty_step *step, const struct sty_step_resource *resource,
                  struct sty_error *err)
{
    bool running;
    if (sty_run_state_get(&running, step->execution, step->component, err) < 0)
        return -1;
    *out = (struct sty_provider_call){.host = &step->execution->host,
                                      .resource = resource->resource,
                                      .driver_files = resource->driver_files,
                                      .running = running,
                                      .filled = resource->filled,
                                      .digest_key = step->execution->digest_key};
    return 0;
}
