/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The components of an Instance: resources, edges, health and what drift does. One id stands once in an Instance, as
 * an id is a claim on a real thing.
 */
#include <string.h>
#include "instance/instance_internal.h"

#define HEALTH_TIMEOUT_MS 60000
#define HEALTH_INTERVAL_MS 1000

static int health_types(const json_t *health, struct sty_error *err)
{
    static const struct sty_typed command[] = {{"command", JSON_ARRAY}};
    static const struct sty_typed status[] = {{"status", JSON_INTEGER}};
    static const struct sty_typed port[] = {{"port", JSON_INTEGER}};
    const json_t *http = json_object_get(health, "http"), *tcp = json_object_get(health, "tcp");
    return sty_normal_types(health, command, 1, err) < 0 || sty_normal_types(http, status, 1, err) < 0 ||
                   sty_normal_types(tcp, port, 1, err) < 0
               ? -1
               : 0;
}

static int health_normal(json_t *health, struct sty_error *err)
{
    json_t *http = json_object_get(health, "http");
    if (health_types(health, err) < 0)
        return -1;
    if (json_is_object(http))
        sty_normal_default(http, "status", json_integer(200));
    if (sty_normal_duration(health, "timeout", "timeout_ms", HEALTH_TIMEOUT_MS, err) < 0)
        return -1;
    return sty_normal_duration(health, "interval", "interval_ms", HEALTH_INTERVAL_MS, err);
}

json_t *sty_health_build(struct sty_work *work, const struct sty_component_pattern *component)
{
    if (!component->health.literal)
        return json_null();
    struct sty_pattern_use use = sty_work_use(work);
    json_auto_t *health = sty_pattern_render(&component->health, &use);
    if (!health)
        return NULL;
    sty_auto(str) pointer = STY_STR_INIT;
    sty_str_append(&pointer, "/spec/components");
    sty_json_pointer_append(&pointer, component->name);
    sty_str_append(&pointer, "/health");
    struct sty_problem place = sty_place_in(work->driver->found.document, pointer.data);
    place.document = work->label;
    if (!sty_schema_check(health, "driver#/$defs/healthSpec", &place, &work->problems))
        return NULL;
    struct sty_error err;
    if (health_normal(health, &err) < 0) {
        sty_problems_add(&work->problems, &place, "health: %s", err.text);
        return NULL;
    }
    return sty_take(health);
}

static json_t *list_of(const json_t *manifest, const char *key)
{
    const json_t *list = json_object_get(manifest, key);
    return list ? json_deep_copy(list) : json_array();
}

static json_t *drift_of(const json_t *manifest)
{
    const json_t *drift = json_object_get(manifest, "drift");
    return json_pack("{s:s, s:o}", "policy", sty_json_text(drift, "policy", "heal"), "ignore_fields",
                     list_of(drift, "ignore_fields"));
}

static json_t *build_component(struct sty_work *work, const struct sty_component_pattern *component)
{
    json_t *resources = sty_resources_build(work, component);
    json_t *health = sty_health_build(work, component);
    json_t *out = json_object();
    json_object_set_new(out, "resources", resources ? resources : json_null());
    json_object_set_new(out, "health", health ? health : json_null());
    json_object_set_new(out, "depends_on", list_of(component->manifest, "depends_on"));
    json_object_set_new(out, "restart_on", list_of(component->manifest, "restart_on"));
    json_object_set_new(out, "reload_on", list_of(component->manifest, "reload_on"));
    json_object_set_new(out, "drift", drift_of(component->manifest));
    return out;
}

static void check_ids(struct sty_work *work, const struct sty_component_pattern *component, const json_t *built,
                      struct sty_map *ids)
{
    const json_t *resources = json_object_get(built, "resources");
    for (size_t i = 0; i < json_array_size(resources); i++) {
        const char *id = sty_json_text(json_array_get(resources, i), "id", NULL);
        const char *other = id ? sty_map_set(ids, id, (void *)component->name) : NULL;
        if (other)
            sty_driver_mistake(work, component->resources[i].pointer,
                               "%s is a resource of component '%s' already; several processes or commands in one "
                               "component need a name each",
                               id, other);
    }
}

json_t *sty_components_build(struct sty_work *work)
{
    struct sty_map ids = STY_MAP_INIT;
    json_t *components = json_object();
    for (size_t i = 0; i < work->driver->component_count; i++) {
        const struct sty_component_pattern *component = &work->driver->components[i];
        json_t *built = build_component(work, component);
        check_ids(work, component, built, &ids);
        json_object_set_new(components, component->name, built);
    }
    sty_map_clear(&ids);
    return components;
}
