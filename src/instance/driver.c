/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver's manifest, taken apart once: components and their resources, actions and their steps, each as a pattern.
 * What can be wrong without knowing a target (a component that is not there, a cycle, two actions of one name) is said
 * here.
 */
#include <string.h>
#include "instance/instance_internal.h"

static void mistake(const struct sty_pattern_source *source, const char *pointer, const char *message)
{
    struct sty_problem place = sty_place_in(source->document, pointer);
    place.document = source->label;
    sty_problems_add(source->problems, &place, "%s", message);
}

static const char *pointer_of(struct sty_arena *arena, const char *parent, const char *key)
{
    sty_auto(str) pointer = STY_STR_INIT;
    sty_str_append(&pointer, parent);
    sty_json_pointer_append(&pointer, key);
    return sty_arena_strdup(arena, pointer.data);
}

static const char *item_of(struct sty_arena *arena, const char *parent, size_t index)
{
    return sty_arena_printf(arena, "%s/%zu", parent, index);
}

/* A content comes from one of three keys; the schema sees to it that there are not two. Its text in place is no part of
 * the pattern that `spec` becomes. */
static void compile_content(struct sty_content_pattern *out, const struct sty_pattern_source *source, json_t *spec,
                            const char *pointer)
{
    static const char *const keys[] = {"template", "file", "content"};
    *out = (struct sty_content_pattern){.pointer = pointer};
    for (size_t i = 0; i < STY_COUNT(keys); i++)
        if (json_object_get(spec, keys[i]))
            out->key = keys[i];
    const char *text = sty_arena_strdup(source->arena, sty_json_text(spec, "content", ""));
    json_object_del(spec, "content");
    if (!sty_streq(out->key, "content"))
        return;
    struct sty_problem place = sty_place_in(source->document, pointer_of(source->arena, out->pointer, "content"));
    bool block = strchr(text, '\n');
    struct sty_template template = {.file = place.file,
                                    .line = place.line + block,
                                    .column = block ? 1 : place.column,
                                    .text = text,
                                    .length = strlen(text)};
    struct sty_parsed *parsed = NULL;
    struct sty_error err;
    if (sty_template_parse(&parsed, source->arena, &template, &err) < 0)
        sty_problem_from_error(source->problems, source->label, &err);
    out->parsed = parsed;
}

static void compile_drop_ins(struct sty_resource_pattern *out, const struct sty_pattern_source *source, json_t *spec)
{
    json_t *drop_ins = json_object_get(spec, "drop_ins");
    const char *pointer = pointer_of(source->arena, out->pointer, "drop_ins");
    out->drop_in_count = json_array_size(drop_ins);
    out->drop_ins = sty_arena_alloc(source->arena, (out->drop_in_count + 1) * sizeof(*out->drop_ins));
    for (size_t i = 0; i < out->drop_in_count; i++)
        compile_content(&out->drop_ins[i], source, json_array_get(drop_ins, i), item_of(source->arena, pointer, i));
}

static void compile_resource(struct sty_resource_pattern *out, const struct sty_pattern_source *source,
                             const json_t *entry, const char *pointer)
{
    const char *type = json_object_iter_key(json_object_iter((json_t *)entry));
    const json_t *spec = json_object_get(entry, type);
    bool unit = sty_streq(type, "unit");
    *out = (struct sty_resource_pattern){.type = sty_arena_strdup(source->arena, type),
                                         .name = unit ? NULL : sty_json_text(spec, "name", NULL),
                                         .pointer = pointer_of(source->arena, pointer, type)};
    json_t *rest = json_deep_copy(spec);
    sty_json_own(source->arena, rest);
    if (unit || sty_streq(type, "file"))
        compile_content(&out->content, source, rest, out->pointer);
    if (unit)
        compile_drop_ins(out, source, rest);
    else
        json_object_del(rest, "name");
    sty_pattern_compile_map(&out->spec, source, rest, out->pointer);
}

static void compile_component(struct sty_component_pattern *out, const struct sty_pattern_source *source,
                              const char *name, const json_t *manifest)
{
    const char *pointer = pointer_of(source->arena, "/spec/components", name);
    const char *resources = pointer_of(source->arena, pointer, "resources");
    const json_t *entries = json_object_get(manifest, "resources");
    *out = (struct sty_component_pattern){.name = name, .manifest = manifest, .count = json_array_size(entries)};
    out->resources = sty_arena_alloc(source->arena, (out->count + 1) * sizeof(*out->resources));
    for (size_t i = 0; i < out->count; i++)
        compile_resource(&out->resources[i], source, json_array_get(entries, i), item_of(source->arena, resources, i));
    const json_t *health = json_object_get(manifest, "health");
    if (health && !json_is_null(health))
        sty_pattern_compile(&out->health, source, health, pointer_of(source->arena, pointer, "health"));
}

static void compile_components(struct sty_loaded_driver *driver, const struct sty_pattern_source *source)
{
    const json_t *components = json_object_get(driver->driver.spec, "components");
    const char **names = sty_json_keys(source->arena, components);
    driver->component_count = json_object_size(components);
    driver->components = sty_arena_alloc(source->arena, (driver->component_count + 1) * sizeof(*driver->components));
    for (size_t i = 0; i < driver->component_count; i++)
        compile_component(&driver->components[i], source, names[i], json_object_get(components, names[i]));
}

static void compile_action(struct sty_action_pattern *out, const struct sty_pattern_source *source,
                           const json_t *manifest, const char *pointer)
{
    const json_t *steps = json_object_get(manifest, "steps");
    const char *parent = pointer_of(source->arena, pointer, "steps");
    *out = (struct sty_action_pattern){.manifest = manifest, .count = json_array_size(steps)};
    out->steps = sty_arena_alloc(source->arena, (out->count + 1) * sizeof(*out->steps));
    for (size_t i = 0; i < out->count; i++) {
        const json_t *entry = json_array_get(steps, i);
        const char *type = json_object_iter_key(json_object_iter((json_t *)entry));
        struct sty_step_pattern *step = &out->steps[i];
        step->type = sty_arena_strdup(source->arena, type);
        step->pointer = pointer_of(source->arena, item_of(source->arena, parent, i), type);
        sty_pattern_compile_map(&step->args, source, json_object_get(entry, type), step->pointer);
    }
}

static void compile_actions(struct sty_loaded_driver *driver, const struct sty_pattern_source *source)
{
    const json_t *actions = json_object_get(driver->driver.spec, "actions");
    struct sty_map names = STY_MAP_INIT;
    driver->action_count = json_array_size(actions);
    driver->actions = sty_arena_alloc(source->arena, (driver->action_count + 1) * sizeof(*driver->actions));
    for (size_t i = 0; i < driver->action_count; i++) {
        const json_t *manifest = json_array_get(actions, i);
        const char *pointer = item_of(source->arena, "/spec/actions", i);
        compile_action(&driver->actions[i], source, manifest, pointer);
        const char *name = sty_json_text(manifest, "name", "");
        if (sty_map_set(&names, name, (void *)name))
            mistake(source, pointer, "an action of this name is there already");
    }
    sty_map_clear(&names);
}

/* ---- what needs no target to be wrong ---- */

static void check_edges(const struct sty_loaded_driver *driver, const struct sty_pattern_source *source,
                        const char *name, const char *edge)
{
    const json_t *components = json_object_get(driver->driver.spec, "components");
    const json_t *names = json_object_get(json_object_get(components, name), edge);
    const char *pointer = pointer_of(source->arena, pointer_of(source->arena, "/spec/components", name), edge);
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *other = json_string_value(json_array_get(names, i));
        if (!json_object_get(components, other))
            mistake(source, item_of(source->arena, pointer, i),
                    sty_arena_printf(source->arena, "there is no component '%s' in this driver", other));
    }
}

static void check_order(const struct sty_loaded_driver *driver, const struct sty_pattern_source *source)
{
    static const char *const edges[] = {"depends_on", "restart_on", "reload_on"};
    const json_t *components = json_object_get(driver->driver.spec, "components");
    const char **names = sty_json_keys(source->arena, components);
    size_t before = source->problems->errors;
    for (size_t i = 0; names[i]; i++)
        for (size_t e = 0; e < STY_COUNT(edges); e++)
            check_edges(driver, source, names[i], edges[e]);
    const char *cycle = NULL;
    if (source->problems->errors == before && !sty_order(source->arena, names, components, &cycle))
        mistake(source, pointer_of(source->arena, "/spec/components", cycle),
                sty_arena_printf(source->arena, "component '%s' depends on itself, by way of others or not", cycle));
}

static void check_parameters(const struct sty_loaded_driver *driver, const struct sty_pattern_source *source)
{
    const json_t *parameters = json_object_get(driver->driver.spec, "parameters");
    struct sty_map names = STY_MAP_INIT;
    for (size_t i = 0; i < json_array_size(parameters); i++) {
        const char *name = sty_json_text(json_array_get(parameters, i), "name", "");
        if (sty_map_set(&names, name, (void *)name))
            mistake(source, item_of(source->arena, "/spec/parameters", i), "a parameter of this name is there already");
    }
    sty_map_clear(&names);
}

static void check_services(const struct sty_loaded_driver *driver, const struct sty_pattern_source *source)
{
    const json_t *services = json_object_get(driver->driver.spec, "services");
    const json_t *components = json_object_get(driver->driver.spec, "components");
    for (size_t i = 0; i < json_array_size(services); i++) {
        const char *component = sty_json_text(json_array_get(services, i), "component", NULL);
        if (component && !strstr(component, "{{") && !json_object_get(components, component))
            mistake(source, pointer_of(source->arena, item_of(source->arena, "/spec/services", i), "component"),
                    sty_arena_printf(source->arena, "there is no component '%s' in this driver", component));
    }
}

void sty_driver_compile(struct sty_loaded_driver *driver, const struct sty_pattern_source *source)
{
    compile_components(driver, source);
    compile_actions(driver, source);
    const json_t *services = json_object_get(driver->driver.spec, "services");
    if (services)
        sty_pattern_compile(&driver->services, source, services, "/spec/services");
    check_order(driver, source);
    check_parameters(driver, source);
    check_services(driver, source);
}

int sty_driver_partial(void *self, const char **text, size_t *length, const char *name, struct sty_error *err)
{
    const struct sty_loaded_driver *driver = self;
    sty_auto_free char *longer = sty_sprintf("%s.mustache", name);
    const struct sty_driver_file *file = sty_driver_files_find(&driver->files, name);
    if (!file)
        file = sty_driver_files_find(&driver->files, longer);
    if (!file || sty_streq(file->mode, "symlink"))
        return sty_error_set(err, STY_NOT_FOUND, "the driver has no file '%s' or '%s.mustache'", name, name);
    *text = file->blob->bytes;
    *length = file->blob->length;
    return 0;
}
