/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A remediation's steps as they are written, one component each. What every step does to a component's run state is
 * followed along, so that the steps which the planner adds are those that are still needed.
 */
#include "plan/plan_internal.h"

#include <string.h>

enum { HEALTH_TIMEOUT_MS = 60000 };

bool sty_script_id_runs(const char *id)
{
    return !sty_starts_with(id, "file:") && !sty_starts_with(id, "command:");
}

static bool body_runs(const json_t *body)
{
    const json_t *resources = json_object_get(body, "resources");
    for (size_t i = 0; i < json_array_size(resources); i++)
        if (sty_script_id_runs(sty_json_text(json_array_get(resources, i), "id", "")))
            return true;
    return false;
}

static bool has_rows(const struct sty_plan_target *target, const char *component)
{
    for (size_t i = 0; i < target->inventory_count; i++)
        if (strcmp(target->inventory[i].component, component) == 0)
            return true;
    return false;
}

static const char *lifecycle_of(const struct sty_instance *instance)
{
    return instance ? sty_json_text(sty_instance_json(instance), "lifecycle", "running") : "stopped";
}

static enum sty_script_state state_of(const struct sty_script *script, const struct sty_script_component *component)
{
    const struct sty_plan_target *target = script->item->target;
    if (!component->old && !has_rows(target, component->name))
        return STY_SCRIPT_STOPPED;
    if (target->tainted)
        return STY_SCRIPT_UNKNOWN;
    for (size_t i = 0; i < target->run_state_count; i++)
        if (strcmp(target->run_states[i].component, component->name) == 0)
            return target->run_states[i].running ? STY_SCRIPT_RUNNING : STY_SCRIPT_STOPPED;
    return strcmp(lifecycle_of(script->from), "running") == 0 ? STY_SCRIPT_RUNNING : STY_SCRIPT_STOPPED;
}

static bool is_touched(const struct sty_script *script, const struct sty_script_component *component)
{
    const json_t *resources = json_object_get(component->fresh, "resources");
    for (size_t i = 0; i < json_array_size(resources); i++)
        if (sty_map_has(script->touched, sty_json_text(json_array_get(resources, i), "id", "")))
            return true;
    for (size_t i = 0; i < json_array_size(script->removals); i++)
        if (sty_streq(sty_json_text(json_array_get(script->removals, i), "component", ""), component->name))
            return true;
    return script->all || !component->old;
}

static void add_component(struct sty_script *script, const char *name)
{
    struct sty_script_component *c = &script->components[script->count];
    const json_t *from = script->from ? json_object_get(sty_instance_json(script->from), "components") : NULL;
    const json_t *to = script->to ? json_object_get(sty_instance_json(script->to), "components") : NULL;
    if (sty_script_find(script, name))
        return;
    *c = (struct sty_script_component){
        .name = name, .old = json_object_get(from, name), .fresh = json_object_get(to, name)};
    c->runs = body_runs(c->fresh ? c->fresh : c->old);
    c->touched = is_touched(script, c);
    c->state = state_of(script, c);
    c->wanted = c->fresh && strcmp(lifecycle_of(script->to), "running") == 0;
    script->count++;
}

struct sty_script_component *sty_script_find(struct sty_script *script, const char *name)
{
    for (size_t i = 0; i < script->count; i++)
        if (strcmp(script->components[i].name, name) == 0)
            return &script->components[i];
    return NULL;
}

void sty_script_init(struct sty_script *script)
{
    const struct sty_instance *sides[] = {script->to, script->from};
    size_t room = 1;
    for (size_t i = 0; i < STY_COUNT(sides); i++)
        room += sides[i] ? json_object_size(json_object_get(sty_instance_json(sides[i]), "components")) : 0;
    script->components = sty_arena_alloc(script->arena, room * sizeof(*script->components));
    script->steps = json_array();
    script->mode = "core";
    script->action = "builtin";
    for (size_t i = 0; i < STY_COUNT(sides); i++)
        for (const char **name = sides[i] ? sty_instance_component_order(script->arena, sides[i]) : NULL; name && *name;
             name++)
            add_component(script, *name);
}

const char *sty_script_side(const struct sty_script *script)
{
    return script->to ? "to" : "from";
}

void sty_script_add(struct sty_script *script, const char *type, const struct sty_script_component *component,
                    const char *instance, json_t *args)
{
    json_int_t seq = (json_int_t)json_array_size(script->steps) + 1;
    json_array_append_new(script->steps,
                          json_pack("{s:I, s:s, s:s, s:s, s:s, s:s?, s:s, s:o}", "seq", seq, "hook", script->hook,
                                    "mode", script->mode, "action", script->action, "type", type, "component",
                                    component ? component->name : NULL, "instance", instance, "args", args));
}

/* The resources that come or change, or, of a new component, with `whole`, all. */
void sty_script_apply(struct sty_script *script, struct sty_script_component *component, bool whole)
{
    const json_t *body = component->fresh ? component->fresh : component->old;
    const json_t *resources = json_object_get(body, "resources");
    json_auto_t *ids = json_array();
    for (size_t i = 0; i < json_array_size(resources); i++) {
        json_t *id = json_object_get(json_array_get(resources, i), "id");
        if (whole || script->all || !component->old || sty_map_has(script->touched, json_string_value(id)))
            json_array_append(ids, id);
    }
    if (json_array_size(ids) == 0)
        return;
    sty_script_add(script, "apply", component, sty_script_side(script), json_pack("{s:O}", "resources", ids));
    component->waited = false;
}

void sty_script_stop(struct sty_script *script, struct sty_script_component *component)
{
    sty_script_add(script, "stop", component, component->old ? "from" : "to", json_object());
    component->state = STY_SCRIPT_STOPPED;
}

void sty_script_move(struct sty_script *script, struct sty_script_component *component, const char *type)
{
    sty_script_add(script, type, component, sty_script_side(script), json_object());
    if (strcmp(type, "reload") != 0)
        component->state = STY_SCRIPT_RUNNING;
    component->waited = false;
}

/* Nothing to wait for where nothing runs and nothing is said about health. */
void sty_script_wait(struct sty_script *script, struct sty_script_component *component)
{
    const json_t *health = json_object_get(component->fresh ? component->fresh : component->old, "health");
    component->waited = true;
    if (!component->runs && !json_is_object(health))
        return;
    json_int_t timeout = sty_json_int(health, "timeout_ms", HEALTH_TIMEOUT_MS);
    sty_script_add(script, "wait", component, sty_script_side(script), json_pack("{s:I}", "timeout_ms", timeout));
}
