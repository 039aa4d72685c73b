/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The restore that answers a failure: the active Instance as it says it is, by built-in steps only. It is made here, in
 * the transaction of the failure, because there may be no walk for a long time.
 */
#include <string.h>
#include "run/run_internal.h"

static void add(json_t *steps, const char *type, const char *component, const char *whose)
{
    json_t *step = json_object();
    json_object_set_new(step, "seq", json_integer((json_int_t)json_array_size(steps) + 1));
    json_object_set_new(step, "hook", json_string("restore"));
    json_object_set_new(step, "mode", json_string("core"));
    json_object_set_new(step, "action", json_null());
    json_object_set_new(step, "type", json_string(type));
    json_object_set_new(step, "component", json_string(component));
    json_object_set_new(step, "instance", json_string(whose));
    json_object_set_new(step, "args", json_object());
    json_array_append_new(steps, step);
}

/* Names of components in `leftovers`, each once. */
static json_t *components_of(const json_t *leftovers)
{
    json_t *out = json_array(), *row;
    size_t i;
    json_array_foreach (leftovers, i, row) {
        const char *name = sty_json_text(row, "component", "");
        if (!sty_json_has(out, name))
            json_array_append_new(out, json_string(name));
    }
    return out;
}

static json_t *make_steps(const struct sty_instance *active, const json_t *leftovers)
{
    const json_t *whole = sty_instance_json(active);
    bool running = strcmp(sty_json_text(whole, "lifecycle", "running"), "running") == 0;
    sty_auto_ptr(arena) arena = sty_arena_new();
    const char **names = sty_instance_component_order(arena, active);
    json_auto_t *vanishing = components_of(leftovers);
    json_t *steps = json_array(), *name;
    size_t i;
    json_array_foreach (vanishing, i, name)
        if (!json_object_get(json_object_get(whole, "components"), json_string_value(name)))
            add(steps, "stop", json_string_value(name), "inventory");
    for (i = 0; names[i]; i++) {
        add(steps, "apply", names[i], "to");
        add(steps, running ? "restart" : "stop", names[i], "to");
        if (running)
            add(steps, "wait", names[i], "to");
    }
    json_array_foreach (vanishing, i, name)
        add(steps, "remove", json_string_value(name), "inventory");
    return steps;
}

static json_t *ids_of(const json_t *leftovers)
{
    json_t *out = json_array(), *row;
    size_t i;
    json_array_foreach (leftovers, i, row)
        json_array_append(out, json_object_get(row, "id"));
    return out;
}

static json_t *resources_of(const struct sty_instance *active, const json_t *leftovers)
{
    json_t *out = json_array(), *component, *resource, *row;
    const char *name;
    size_t i;
    json_object_foreach (json_object_get(sty_instance_json(active), "components"), name, component)
        json_array_foreach (json_object_get(component, "resources"), i, resource)
            json_array_append_new(out,
                                  json_pack("{s:O,s:s}", "id", json_object_get(resource, "id"), "action", "update"));
    json_array_foreach (leftovers, i, row)
        json_array_append_new(out, json_pack("{s:O,s:s}", "id", json_object_get(row, "id"), "action", "delete"));
    return out;
}

json_t *sty_restore_document(const struct sty_instance *active, const char *target, const char *reason,
                             const json_t *leftovers)
{
    static const char *const digested[] = {"target", "kind", "from", "to", "removals", "steps"};
    char digest[STY_DIGEST_SIZE];
    json_t *out = json_object();
    json_object_set_new(out, "target", sty_json_string(target));
    json_object_set_new(out, "kind", json_string("restore"));
    json_object_set_new(out, "from", json_string(sty_instance_digest(active)));
    json_object_set_new(out, "to", json_string(sty_instance_digest(active)));
    json_object_set_new(out, "removals", ids_of(leftovers));
    json_object_set_new(out, "steps", make_steps(active, leftovers));
    json_auto_t *identity = json_object();
    for (size_t i = 0; i < STY_COUNT(digested); i++)
        json_object_set(identity, digested[i], json_object_get(out, digested[i]));
    sty_json_digest(digest, identity);
    json_object_set_new(out, "digest", json_string(digest));
    json_object_set_new(out, "reason", sty_json_string(reason));
    json_object_set_new(out, "diff", json_array());
    json_object_set_new(out, "resources", resources_of(active, leftovers));
    return out;
}
