/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Instance as an object: its canonical bytes are what it is; the decoded form is a convenience that can be dropped
 * and made again.
 */
#include <stdlib.h>
#include <string.h>
#include "instance/instance_internal.h"

struct sty_instance {
    char *bytes;
    size_t length;
    char digest[STY_DIGEST_SIZE];
    json_t *json; /* NULL: folded */
};

struct sty_instance *sty_instance_make(json_t *value)
{
    struct sty_instance *instance = sty_calloc(1, sizeof(*instance));
    char *text = sty_json_canonical_text(value);
    instance->length = strlen(text);
    instance->bytes = sty_realloc(text, instance->length + 1);
    instance->json = value;
    sty_digest(instance->digest, instance->bytes, instance->length);
    return instance;
}

static int check_form(const json_t *value, struct sty_error *err)
{
    int64_t format = sty_json_int(value, "format", 0);
    if (format > STY_INSTANCE_FORMAT)
        return sty_error_set(err, STY_INVALID, "this Instance has format %lld, made by a newer program",
                             (long long)format);
    if (format < 1 || !json_is_object(json_object_get(value, "components")))
        return sty_error_set(err, STY_CORRUPT, "these bytes are not an Instance");
    return 0;
}

int sty_instance_parse(struct sty_instance **out, const char *bytes, size_t length, const char *digest,
                       struct sty_error *err)
{
    char actual[STY_DIGEST_SIZE];
    sty_digest(actual, bytes, length);
    if (digest && !sty_streq(actual, digest))
        return sty_error_set(err, STY_CORRUPT, "an Instance's bytes do not have its digest %s", digest);
    json_auto_t *value = NULL;
    if (sty_json_parse(&value, bytes, length, err) < 0) {
        err->code = STY_CORRUPT;
        return sty_error_wrap(err, "Instance %s", actual);
    }
    if (check_form(value, err) < 0)
        return -1;
    struct sty_instance *instance = sty_calloc(1, sizeof(*instance));
    instance->bytes = sty_strndup(bytes, length);
    instance->length = length;
    instance->json = sty_take(value);
    memcpy(instance->digest, actual, sizeof(actual));
    *out = instance;
    return 0;
}

void sty_instance_free(struct sty_instance *instance)
{
    if (!instance)
        return;
    json_decref(instance->json);
    free(instance->bytes);
    free(instance);
}

const char *sty_instance_digest(const struct sty_instance *instance)
{
    return instance->digest;
}

const char *sty_instance_bytes(size_t *length, const struct sty_instance *instance)
{
    *length = instance->length;
    return instance->bytes;
}

const json_t *sty_instance_json(const struct sty_instance *instance)
{
    struct sty_instance *cache = (struct sty_instance *)instance;
    struct sty_error err;
    if (!cache->json && sty_json_parse(&cache->json, cache->bytes, cache->length, &err) < 0)
        abort();
    return cache->json;
}

void sty_instance_fold(struct sty_instance *instance)
{
    json_decref(instance->json);
    instance->json = NULL;
}

struct blob_list {
    const char **items;
    size_t count;
};

static void add_content(struct blob_list *list, struct sty_arena *arena, const json_t *holder)
{
    const char *digest = sty_json_text(json_object_get(holder, "content"), "digest", NULL);
    if (digest)
        list->items[list->count++] = sty_arena_strdup(arena, digest);
}

static const json_t *drop_ins_of(const json_t *resource)
{
    return json_object_get(json_object_get(resource, "spec"), "drop_ins");
}

static void add_contents(struct blob_list *list, struct sty_arena *arena, const json_t *component)
{
    const json_t *resources = json_object_get(component, "resources");
    for (size_t i = 0; i < json_array_size(resources); i++) {
        const json_t *resource = json_array_get(resources, i), *drop_ins = drop_ins_of(resource);
        add_content(list, arena, json_object_get(resource, "spec"));
        for (size_t d = 0; d < json_array_size(drop_ins); d++)
            add_content(list, arena, json_array_get(drop_ins, d));
    }
}

static size_t contents_at_most(const json_t *component)
{
    const json_t *resources = json_object_get(component, "resources");
    size_t most = json_array_size(resources);
    for (size_t i = 0; i < json_array_size(resources); i++)
        most += json_array_size(drop_ins_of(json_array_get(resources, i)));
    return most;
}

const char **sty_instance_blobs(struct sty_arena *arena, const struct sty_instance *instance)
{
    const json_t *value = sty_instance_json(instance);
    const json_t *components = json_object_get(value, "components");
    const char *name;
    json_t *component;
    size_t most = 2;
    json_object_foreach ((json_t *)components, name, component)
        most += contents_at_most(component);
    struct blob_list list = {.items = sty_arena_alloc(arena, most * sizeof(*list.items))};
    json_object_foreach ((json_t *)components, name, component)
        add_contents(&list, arena, component);
    const char *files = sty_json_text(json_object_get(value, "driver"), "files", NULL);
    if (files)
        list.items[list.count] = sty_arena_strdup(arena, files);
    return list.items;
}

static const json_t *resource_in(const json_t *component, const char *id)
{
    const json_t *resources = json_object_get(component, "resources");
    for (size_t i = 0; i < json_array_size(resources); i++) {
        const json_t *resource = json_array_get(resources, i);
        if (sty_streq(sty_json_text(resource, "id", NULL), id))
            return resource;
    }
    return NULL;
}

const json_t *sty_instance_resource(const char **component, const struct sty_instance *instance, const char *id)
{
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)json_object_get(sty_instance_json(instance), "components"), name, value) {
        const json_t *resource = resource_in(value, id);
        if (!resource)
            continue;
        if (component)
            *component = name;
        return resource;
    }
    return NULL;
}

const char **sty_instance_component_order(struct sty_arena *arena, const struct sty_instance *instance)
{
    const json_t *components = json_object_get(sty_instance_json(instance), "components");
    const char **names = sty_json_keys(arena, components);
    const char *cycle = NULL;
    const char **order = sty_order(arena, names, components, &cycle);
    return order ? order : names;
}
