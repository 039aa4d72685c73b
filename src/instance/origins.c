/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where each value of an Instance came from. One table says which documents a part of the context can come from,
 * weakest first; origins and `explain` both read it.
 */
#include <string.h>
#include "instance/instance_internal.h"

enum layer_kind { CLUSTER, ENVIRONMENT, DEPLOYMENT, DRIVER };
static const char *const layer_names[] = {"cluster", "environment", "deployment", "driver"};

static const struct layer_row {
    const char *context, *pointer;
    enum layer_kind layer;
} rows[] = {
    {"/cluster/name", "/metadata/name", CLUSTER},
    {"/cluster/config", "/spec/config", CLUSTER},
    {"/environment/name", "/metadata/name", ENVIRONMENT},
    {"/environment/config", "/spec/config", ENVIRONMENT},
    {"/deployment/name", "/metadata/name", DEPLOYMENT},
    {"/deployment/config", "/spec/config", DEPLOYMENT},
    {"/instance/config", "/spec/config", CLUSTER},
    {"/instance/config", "/spec/config", ENVIRONMENT},
    {"/instance/config", "/spec/config", DEPLOYMENT},
    {"/instance/namespace", "/metadata/name", DEPLOYMENT},
    {"/instance/namespace", "/spec/namespace", DEPLOYMENT},
    {"/instance/release", "/metadata/name", DEPLOYMENT},
    {"/app/name", "/metadata/name", DRIVER},
    {"/app/name", "/spec/application", DEPLOYMENT},
    {"/app/version", "/spec/default_version", DRIVER},
    {"/app/version", "/spec/version", DEPLOYMENT},
    {"/driver/name", "/spec/driver/name", DEPLOYMENT},
    {"/driver/version", "/spec/driver/version", DEPLOYMENT},
    {"/components", "/spec/components", DEPLOYMENT},
    {"/parameters", "/spec/parameters", DRIVER},
    {"/parameters", "/spec/parameters", DEPLOYMENT},
    {"/services", "/spec/services", DRIVER},
};

static const struct sty_document *document_of(const struct sty_work *work, enum layer_kind layer)
{
    switch (layer) {
    case CLUSTER:
        return work->cluster->found.document;
    case ENVIRONMENT:
        return work->environment->found.document;
    case DRIVER:
        return work->driver->found.document;
    case DEPLOYMENT:
        break;
    }
    return work->found.document;
}

/* What is behind `prefix`, if that is a whole part of `pointer`. */
static const char *rest_behind(const char *pointer, const char *prefix)
{
    size_t length = strlen(prefix);
    bool part = sty_starts_with(pointer, prefix) && (pointer[length] == '/' || !pointer[length]);
    return part ? pointer + length : NULL;
}

/* The driver's lists are maps in the context: "/port/x" is "/2/default/x" where the third has this name. */
static char *in_driver_list(struct sty_arena *arena, const struct sty_work *work, const struct layer_row *row,
                            const char *rest)
{
    const json_t *list = sty_json_pointer(document_of(work, DRIVER)->value, row->pointer);
    bool parameters = sty_streq(row->context, "/parameters");
    for (size_t i = 0; i < json_array_size(list); i++) {
        sty_auto(str) name = STY_STR_INIT;
        sty_json_pointer_append(&name, sty_json_text(json_array_get(list, i), "name", ""));
        const char *behind = rest_behind(rest, name.data);
        if (behind)
            return sty_arena_printf(arena, "%s/%zu%s%s", row->pointer, i, parameters ? "/default" : "", behind);
    }
    return sty_arena_strdup(arena, "/-");
}

size_t sty_layers_of(struct sty_layer layers[3], const struct sty_work *work, const char *context_pointer)
{
    size_t count = 0;
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        const char *rest = rest_behind(context_pointer, rows[i].context);
        if (!rest || count == 3)
            continue;
        bool listed = rows[i].layer == DRIVER && *rest;
        layers[count++] =
            (struct sty_layer){.name = layer_names[rows[i].layer],
                               .document = document_of(work, rows[i].layer),
                               .pointer = listed ? in_driver_list(work->arena, work, &rows[i], rest)
                                                 : sty_arena_printf(work->arena, "%s%s", rows[i].pointer, rest)};
    }
    return count;
}

static json_t *place_json(const struct sty_document *document, const char *pointer)
{
    struct sty_problem place = sty_place_in(document, pointer);
    return json_pack("[o, i, i]", sty_json_string(place.file), place.line, place.column);
}

json_t *sty_layer_origin(const json_t **value, const struct sty_layer *layer)
{
    *value = sty_json_pointer(layer->document->value, layer->pointer);
    if (!*value || !json_object_get(layer->document->marks, layer->pointer))
        return NULL;
    return place_json(layer->document, layer->pointer);
}

static void add_origin(json_t *origins, const struct sty_work *work, const char *instance_pointer,
                       const char *context_pointer)
{
    struct sty_layer layers[3];
    const json_t *value;
    size_t count = sty_layers_of(layers, work, context_pointer);
    json_t *origin = NULL;
    for (size_t i = count; !origin && i-- > 0;)
        origin = sty_layer_origin(&value, &layers[i]);
    if (!origin && count)
        origin = place_json(layers[count - 1].document, layers[count - 1].pointer);
    if (origin)
        json_object_set_new(origins, instance_pointer, origin);
}

struct leaves {
    json_t *origins;
    const struct sty_work *work;
    struct sty_str *pointer; /* in the Instance: "/context/..." */
};

static void walk_leaves(const struct leaves *leaves, const json_t *value)
{
    size_t length = leaves->pointer->length;
    const char *key;
    json_t *member;
    if (!json_object_size(value) && !json_array_size(value))
        add_origin(leaves->origins, leaves->work, leaves->pointer->data, leaves->pointer->data + strlen("/context"));
    json_object_foreach ((json_t *)value, key, member) {
        sty_json_pointer_append(leaves->pointer, key);
        walk_leaves(leaves, member);
        leaves->pointer->length = length;
        leaves->pointer->data[length] = 0;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        sty_str_appendf(leaves->pointer, "/%zu", i);
        walk_leaves(leaves, json_array_get(value, i));
        leaves->pointer->length = length;
        leaves->pointer->data[length] = 0;
    }
}

static void add_manifest(json_t *origins, const struct sty_work *work)
{
    const struct sty_loaded_driver *driver = work->driver;
    for (size_t i = 0; i < driver->component_count; i++) {
        const struct sty_component_pattern *component = &driver->components[i];
        sty_auto(str) pointer = STY_STR_INIT;
        sty_str_append(&pointer, "/components");
        sty_json_pointer_append(&pointer, component->name);
        sty_auto_free char *manifest = sty_sprintf("/spec%s", pointer.data);
        json_object_set_new(origins, pointer.data, place_json(driver->found.document, manifest));
        for (size_t j = 0; j < component->count; j++) {
            sty_auto_free char *key = sty_sprintf("%s/resources/%zu", pointer.data, j);
            json_object_set_new(origins, key, place_json(driver->found.document, component->resources[j].pointer));
        }
    }
    for (size_t i = 0; i < driver->action_count; i++) {
        sty_auto_free char *key = sty_sprintf("/actions/%zu", i);
        sty_auto_free char *manifest = sty_sprintf("/spec%s", key);
        json_object_set_new(origins, key, place_json(driver->found.document, manifest));
    }
}

json_t *sty_origins_build(const struct sty_work *work, const json_t *instance)
{
    json_t *origins = json_object();
    sty_auto(str) pointer = STY_STR_INIT;
    sty_str_append(&pointer, "/context");
    walk_leaves(&(struct leaves){origins, work, &pointer}, json_object_get(instance, "context"));
    add_origin(origins, work, "/application/name", "/app/name");
    add_origin(origins, work, "/application/version", "/app/version");
    add_origin(origins, work, "/driver/name", "/driver/name");
    add_origin(origins, work, "/driver/version", "/driver/version");
    json_object_set_new(origins, "/lifecycle", place_json(work->found.document, "/spec/lifecycle"));
    json_object_set_new(origins, "/on_failure", place_json(work->driver->found.document, "/spec/on_failure"));
    add_manifest(origins, work);
    return origins;
}
