/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of a remediation: pre, core (the driver's, or the built-in one), what the planner always adds, post, and
 * what post moved brought back. A delete and a heal have shapes of their own.
 */
#include "plan/plan_internal.h"

#include <string.h>

static const char *const hooks[] = {
    [STY_REMEDY_CREATE] = "setup",        [STY_REMEDY_UPDATE] = "update",   [STY_REMEDY_UPGRADE] = "upgrade",
    [STY_REMEDY_DOWNGRADE] = "downgrade", [STY_REMEDY_START] = "start",     [STY_REMEDY_STOP] = "stop",
    [STY_REMEDY_DELETE] = "teardown",     [STY_REMEDY_RESTORE] = "restore", [STY_REMEDY_HEAL] = "heal",
};

/* ---- what vanishes ---- */

static const char *component_at(const json_t *removals, size_t i)
{
    return sty_json_text(json_array_get(removals, i), "component", "");
}

/* One step for each run of removals of one component; `running`: only what has a run state. */
static void each_removal(struct sty_script *script, const char *type, bool running)
{
    size_t count = json_array_size(script->removals);
    for (size_t i = 0, end; i < count; i = end) {
        json_auto_t *ids = json_array();
        struct sty_script_component named = {.name = component_at(script->removals, i)};
        for (end = i; end < count && strcmp(component_at(script->removals, end), named.name) == 0; end++) {
            json_t *id = json_object_get(json_array_get(script->removals, end), "id");
            if (!running || sty_script_id_runs(json_string_value(id)))
                json_array_append(ids, id);
        }
        if (json_array_size(ids))
            sty_script_add(script, type, &named, "inventory", json_pack("{s:O}", "resources", ids));
    }
}

/* ---- the built-in core ---- */

static bool any_touched(struct sty_script *script, const json_t *names)
{
    for (size_t i = 0; i < json_array_size(names); i++) {
        const struct sty_script_component *c = sty_script_find(script, json_string_value(json_array_get(names, i)));
        if (c && c->touched)
            return true;
    }
    return false;
}

static const char *needed(struct sty_script *script, const struct sty_script_component *c)
{
    if (!c->runs || !c->wanted)
        return NULL;
    if (c->state == STY_SCRIPT_STOPPED)
        return "start";
    if (c->touched || any_touched(script, json_object_get(c->fresh, "restart_on")))
        return "restart";
    return any_touched(script, json_object_get(c->fresh, "reload_on")) ? "reload" : NULL;
}

static void turn(struct sty_script *script, struct sty_script_component *c)
{
    const char *type = needed(script, c);
    if (c->touched)
        sty_script_apply(script, c, false);
    if (type)
        sty_script_move(script, c, type);
    if (c->wanted && (c->touched || type))
        sty_script_wait(script, c);
}

static void stop_unwanted(struct sty_script *script)
{
    for (size_t i = script->count; i > 0; i--) {
        struct sty_script_component *c = &script->components[i - 1];
        if (c->fresh && c->runs && !c->wanted && c->state != STY_SCRIPT_STOPPED)
            sty_script_stop(script, c);
    }
}

static void builtin(struct sty_script *script)
{
    each_removal(script, "stop", true);
    stop_unwanted(script);
    for (size_t i = 0; i < script->count; i++)
        if (script->components[i].fresh)
            turn(script, &script->components[i]);
}

/* ---- what is always added ---- */

static void settle(struct sty_script *script)
{
    script->action = "builtin";
    stop_unwanted(script);
    for (size_t i = 0; i < script->count; i++) {
        struct sty_script_component *c = &script->components[i];
        if (c->wanted && c->runs && c->state != STY_SCRIPT_RUNNING)
            sty_script_move(script, c, "start");
    }
    for (size_t i = 0; i < script->count; i++)
        if (script->components[i].wanted && !script->components[i].waited)
            sty_script_wait(script, &script->components[i]);
}

/* ---- the shapes ---- */

static void write_full(struct sty_script *script)
{
    sty_script_declared(script, "pre");
    if (!sty_script_declared(script, "core"))
        builtin(script);
    settle(script);
    each_removal(script, "remove", false);
    if (sty_script_declared(script, "post"))
        settle(script);
}

static void write_delete(struct sty_script *script)
{
    sty_script_declared(script, "pre");
    sty_script_declared(script, "core");
    script->action = "builtin";
    each_removal(script, "stop", true);
    each_removal(script, "remove", false);
    sty_script_declared(script, "post");
}

/* Only what drifted, and as the run states say, not the lifecycle: a heal moves nobody. */
static void write_heal(struct sty_script *script)
{
    for (size_t i = 0; i < script->count; i++) {
        struct sty_script_component *c = &script->components[i];
        c->wanted = c->state == STY_SCRIPT_RUNNING;
        if (c->touched)
            c->state = STY_SCRIPT_UNKNOWN;
    }
    builtin(script);
}

json_t *sty_script_write(struct sty_script *script)
{
    enum sty_remedy kind = script->item->kind;
    if (kind == STY_REMEDY_ADOPT || kind == STY_REMEDY_RELEASE)
        return json_array();
    script->hook = hooks[kind];
    sty_script_init(script);
    if (kind == STY_REMEDY_DELETE)
        write_delete(script);
    else if (kind == STY_REMEDY_HEAL)
        write_heal(script);
    else
        write_full(script);
    return script->steps;
}
