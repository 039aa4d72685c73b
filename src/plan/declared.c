/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver's own actions, expanded so that every step is about one component: what changes in dependency order, what
 * stops in reverse. One row of the table is one type of step.
 */
#include "plan/plan_internal.h"

#include <string.h>

/* teardown and downgrade are the active one's: the newer driver knows the way back. */
static bool is_old_ones(const struct sty_script *script)
{
    return !script->to || strcmp(script->hook, "downgrade") == 0;
}

static const char *whose(const struct sty_script *script)
{
    return is_old_ones(script) ? "from" : "to";
}

static const struct sty_instance *actor(const struct sty_script *script)
{
    return is_old_ones(script) ? script->from : script->to;
}

bool sty_script_has_hook(const struct sty_instance *instance, const char *hook)
{
    const json_t *actions = json_object_get(sty_instance_json(instance), "actions");
    for (size_t i = 0; i < json_array_size(actions); i++)
        if (sty_streq(sty_json_text(json_array_get(actions, i), "hook", ""), hook))
            return true;
    return false;
}

static bool is_there(const struct sty_script *script, const struct sty_script_component *c)
{
    return script->to ? c->fresh != NULL : c->old != NULL;
}

static void expand_apply(struct sty_script *script, const json_t *args, const char *type)
{
    const json_t *names = json_object_get(args, "components");
    bool changed = sty_streq(json_string_value(names), "changed"), all = sty_streq(json_string_value(names), "all");
    (void)type;
    for (size_t i = 0; i < script->count; i++) {
        struct sty_script_component *c = &script->components[i];
        if (is_there(script, c) && (all || (changed && c->touched) || sty_json_has(names, c->name)))
            sty_script_apply(script, c, !changed);
    }
}

static void expand_stop(struct sty_script *script, const json_t *args, const char *type)
{
    (void)type;
    for (size_t i = script->count; i > 0; i--)
        if (sty_json_has(json_object_get(args, "components"), script->components[i - 1].name))
            sty_script_stop(script, &script->components[i - 1]);
}

/* What a driver starts is waited for, whatever the lifecycle. */
static void expand_move(struct sty_script *script, const json_t *args, const char *type)
{
    for (size_t i = 0; i < script->count; i++) {
        struct sty_script_component *c = &script->components[i];
        if (!is_there(script, c) || !sty_json_has(json_object_get(args, "components"), c->name))
            continue;
        sty_script_move(script, c, type);
        if (strcmp(type, "reload") != 0)
            sty_script_wait(script, c);
    }
}

static void expand_wait(struct sty_script *script, const json_t *args, const char *type)
{
    const char *name = sty_json_text(args, "component", NULL);
    json_t *kept = json_copy((json_t *)args);
    struct sty_script_component *c = name ? sty_script_find(script, name) : NULL;
    json_object_del(kept, "component");
    if (name && (!c || !is_there(script, c))) {
        json_decref(kept);
        return;
    }
    sty_script_add(script, type, c, c ? sty_script_side(script) : whose(script), kept);
    if (c)
        c->waited = true;
}

static void expand_http(struct sty_script *script, const json_t *args, const char *type)
{
    sty_script_add(script, type, NULL, whose(script), json_deep_copy(args));
}

static void expand_run(struct sty_script *script, const json_t *args, const char *type)
{
    json_t *kept = json_deep_copy(args);
    if (sty_json_bool(args, "once", false)) {
        const json_t *driver = json_object_get(sty_instance_json(actor(script)), "driver");
        json_auto_t *mark = json_pack("{s:O, s:s}", "step", args, "files", sty_json_text(driver, "files", ""));
        char digest[STY_DIGEST_SIZE];
        sty_json_digest(digest, mark);
        json_object_set_new(kept, "once_digest", json_string(digest));
    }
    sty_script_add(script, type, NULL, whose(script), kept);
}

static const struct {
    const char *type;
    void (*expand)(struct sty_script *script, const json_t *args, const char *type);
} types[] = {
    {"apply", expand_apply}, {"stop", expand_stop}, {"start", expand_move}, {"restart", expand_move},
    {"reload", expand_move}, {"run", expand_run},   {"http", expand_http},  {"wait", expand_wait},
};

static void expand(struct sty_script *script, const json_t *step)
{
    const char *type = sty_json_text(step, "type", "");
    for (size_t i = 0; i < STY_COUNT(types); i++)
        if (strcmp(types[i].type, type) == 0)
            types[i].expand(script, json_object_get(step, "args"), types[i].type);
}

bool sty_script_declared(struct sty_script *script, const char *mode)
{
    const struct sty_instance *instance = actor(script);
    const json_t *actions = instance ? json_object_get(sty_instance_json(instance), "actions") : NULL;
    bool any = false;
    script->mode = mode;
    for (size_t i = 0; i < json_array_size(actions); i++) {
        const json_t *action = json_array_get(actions, i), *steps = json_object_get(action, "steps");
        if (!sty_streq(sty_json_text(action, "hook", ""), script->hook) ||
            !sty_streq(sty_json_text(action, "mode", ""), mode))
            continue;
        any = true;
        script->action = sty_json_text(action, "name", "");
        for (size_t s = 0; s < json_array_size(steps); s++)
            expand(script, json_array_get(steps, s));
    }
    script->action = "builtin";
    return any;
}
