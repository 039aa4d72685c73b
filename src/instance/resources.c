/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A component's resources: templates rendered, checked by the strict schema of their type, spelled in one way, named.
 * One row of the table is one type.
 */
#include <string.h>
#include "base/file.h"
#include "instance/instance_internal.h"

#define STOP_TIMEOUT_MS 10000
#define COMMAND_TIMEOUT_MS 300000

static int directory_normal(json_t *spec, struct sty_error *err)
{
    sty_normal_null(spec, "owner");
    sty_normal_null(spec, "group");
    return sty_normal_path(spec, "path", err) < 0 ? -1 : sty_normal_mode(spec, "0755", err);
}

static int file_normal(json_t *spec, struct sty_error *err)
{
    static const struct sty_typed typed[] = {{"validate", JSON_ARRAY}};
    if (sty_normal_types(spec, typed, STY_COUNT(typed), err) < 0)
        return -1;
    sty_normal_null(spec, "owner");
    sty_normal_null(spec, "group");
    sty_normal_null(spec, "validate");
    return sty_normal_path(spec, "path", err) < 0 ? -1 : sty_normal_mode(spec, "0644", err);
}

static int symlink_normal(json_t *spec, struct sty_error *err)
{
    return sty_normal_path(spec, "path", err);
}

static int process_normal(json_t *spec, struct sty_error *err)
{
    static const struct sty_typed typed[] = {{"command", JSON_ARRAY}};
    if (sty_normal_types(spec, typed, STY_COUNT(typed), err) < 0 ||
        sty_normal_env(json_object_get(spec, "env"), err) < 0)
        return -1;
    sty_normal_default(spec, "env", json_object());
    sty_normal_null(spec, "user");
    sty_normal_null(spec, "directory");
    sty_normal_default(spec, "stop_signal", json_string("SIGTERM"));
    return sty_normal_duration(spec, "stop_timeout", "stop_timeout_ms", STOP_TIMEOUT_MS, err);
}

static int command_normal(json_t *spec, struct sty_error *err)
{
    static const struct sty_typed typed[] = {{"check", JSON_ARRAY}, {"apply", JSON_ARRAY}, {"remove", JSON_ARRAY}};
    if (sty_normal_types(spec, typed, STY_COUNT(typed), err) < 0 ||
        sty_normal_env(json_object_get(spec, "env"), err) < 0)
        return -1;
    sty_normal_default(spec, "env", json_object());
    sty_normal_default(spec, "remove", json_array());
    sty_normal_null(spec, "user");
    return sty_normal_duration(spec, "timeout", "timeout_ms", COMMAND_TIMEOUT_MS, err);
}

static const struct resource_type {
    const char *name, *schema;
    int (*normal)(json_t *spec, struct sty_error *err);
    const char *id_prefix, *id_key; /* the id is this of the spec; NULL: the component it belongs to */
} types[] = {
    {"directory", "driver#/$defs/directorySpec", directory_normal, "file", "path"},
    {"file", "driver#/$defs/fileSpec", file_normal, "file", "path"},
    {"symlink", "driver#/$defs/symlinkSpec", symlink_normal, "file", "path"},
    {"unit", "driver#/$defs/unitSpec", sty_normal_unit, "unit", "name"},
    {"process", "driver#/$defs/processSpec", process_normal, NULL, NULL},
    {"command", "driver#/$defs/commandSpec", command_normal, NULL, NULL},
};

static const struct resource_type *find_type(const char *name)
{
    for (size_t i = 0; i < STY_COUNT(types); i++)
        if (sty_streq(types[i].name, name))
            return &types[i];
    return NULL;
}

/* That there is a text in place is what the schema wants to know. */
static void mark_content(json_t *spec, const struct sty_content_pattern *content)
{
    if (sty_streq(content->key, "content"))
        json_object_set_new(spec, "content", json_string(""));
}

/* The spec as the schema sees it; NULL after a mistake. */
static json_t *render_spec(struct sty_work *work, const struct sty_resource_pattern *resource, json_t *texts)
{
    struct sty_pattern_use use = sty_work_use(work);
    json_auto_t *spec = json_object();
    bool whole = true;
    for (size_t i = 0; i < resource->spec.count; i++) {
        const char *key = resource->spec.keys[i];
        const struct sty_pattern *pattern = &resource->spec.items[i];
        json_t *value =
            sty_streq(key, "env") ? sty_pattern_render_env(pattern, &use, texts) : sty_pattern_render(pattern, &use);
        whole = whole && value;
        json_object_set_new(spec, key, value ? value : json_null());
    }
    mark_content(spec, &resource->content);
    for (size_t i = 0; i < resource->drop_in_count; i++)
        mark_content(json_array_get(json_object_get(spec, "drop_ins"), i), &resource->drop_ins[i]);
    return whole ? sty_take(spec) : NULL;
}

static json_t *resource_id(const struct sty_work *work, const struct resource_type *type, const json_t *spec,
                           const char *component, const char *name)
{
    const struct sty_target *target = work->target;
    sty_auto(str) id = STY_STR_INIT;
    if (type->id_key)
        sty_str_appendf(&id, "%s:%s", type->id_prefix, sty_json_text(spec, type->id_key, ""));
    else
        sty_str_appendf(&id, "%s:%s/%s/%s/%s%s%s", type->name, target->cluster, target->environment, target->deployment,
                        component, name ? "/" : "", name ? name : "");
    return sty_json_string(id.data);
}

static bool put_contents(struct sty_work *work, const struct sty_resource_pattern *resource,
                         const struct resource_type *type, json_t *spec)
{
    bool whole = true;
    if (resource->content.pointer)
        whole = sty_content_put(work, &resource->content, spec, sty_json_text(spec, type->id_key, ""));
    for (size_t i = 0; i < resource->drop_in_count; i++) {
        json_t *drop_in = json_array_get(json_object_get(spec, "drop_ins"), i);
        whole = sty_content_put(work, &resource->drop_ins[i], drop_in, sty_json_text(drop_in, "name", "")) && whole;
    }
    return whole;
}

static json_t *build_spec(struct sty_work *work, const struct sty_resource_pattern *resource,
                          const struct resource_type *type)
{
    json_auto_t *texts = json_object();
    json_auto_t *spec = render_spec(work, resource, texts);
    if (!spec)
        return NULL;
    struct sty_problem place = sty_place_in(work->driver->found.document, resource->pointer);
    place.document = work->label;
    if (!sty_schema_check(spec, type->schema, &place, &work->problems))
        return NULL;
    struct sty_error err;
    if (type->normal(spec, &err) < 0) {
        sty_problems_add(&work->problems, &place, "%s", err.text);
        return NULL;
    }
    if (json_object_size(texts))
        json_object_update(json_object_get(spec, "env"), texts);
    return put_contents(work, resource, type, spec) ? sty_take(spec) : NULL;
}

/* A content is a template unless it is named by "file". */
static bool is_fixed_content(const struct sty_content_pattern *content)
{
    return !content->key || sty_streq(content->key, "file");
}

static bool is_fixed(const struct sty_resource_pattern *resource)
{
    bool fixed = resource->spec.fixed && is_fixed_content(&resource->content);
    for (size_t i = 0; i < resource->drop_in_count; i++)
        fixed = fixed && is_fixed_content(&resource->drop_ins[i]);
    return fixed;
}

static json_t *spec_of(struct sty_work *work, struct sty_resource_pattern *resource, const struct resource_type *type)
{
    if (resource->built)
        return json_incref(resource->built);
    json_t *spec = build_spec(work, resource, type);
    if (spec && is_fixed(resource))
        sty_work_keep(work, &resource->built, spec);
    return spec;
}

static json_t *build_resource(struct sty_work *work, const struct sty_component_pattern *component,
                              struct sty_resource_pattern *resource)
{
    const struct resource_type *type = find_type(resource->type);
    if (!type) {
        sty_driver_mistake(work, resource->pointer, "resources of type '%s' cannot be deployed by this program",
                           resource->type);
        return NULL;
    }
    json_t *spec = spec_of(work, resource, type);
    if (!spec)
        return NULL;
    json_t *id = resource_id(work, type, spec, component->name, resource->name);
    return json_pack("{s:o, s:s, s:o}", "id", id, "type", type->name, "spec", spec);
}

json_t *sty_resources_build(struct sty_work *work, const struct sty_component_pattern *component)
{
    json_auto_t *resources = json_array();
    bool whole = true;
    for (size_t i = 0; i < component->count; i++) {
        json_t *resource = build_resource(work, component, &component->resources[i]);
        whole = whole && resource;
        json_array_append_new(resources, resource ? resource : json_null());
    }
    return whole ? sty_take(resources) : NULL;
}
