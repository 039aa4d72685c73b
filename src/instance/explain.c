/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `styrmin explain TARGET PATH`: a value of the context, and what each layer says of it.
 */
#include <string.h>
#include "instance/instance_internal.h"

struct search {
    const json_t *value;
    struct sty_str *pointer;
    const char *rest; /* of the path, not found yet */
};

/* The longest key that the rest begins with: keys may have dots in them. */
static const char *next_key(const json_t *object, const char *rest)
{
    const char *key, *best = NULL;
    json_t *value;
    json_object_foreach ((json_t *)object, key, value) {
        size_t length = strlen(key);
        bool fits = sty_starts_with(rest, key) && (rest[length] == '.' || !rest[length]);
        if (fits && (!best || length > strlen(best)))
            best = key;
    }
    return best;
}

static bool step_into_list(struct search *search)
{
    size_t length = strcspn(search->rest, ".");
    sty_auto_free char *text = sty_strndup(search->rest, length);
    int64_t index = 0;
    struct sty_error err;
    if (sty_number_parse(&index, text, 0, INT32_MAX, &err) < 0)
        return false;
    const json_t *value = json_array_get(search->value, (size_t)index);
    if (!value)
        return false;
    sty_str_appendf(search->pointer, "/%lld", (long long)index);
    search->value = value;
    search->rest += length;
    return true;
}

static bool step(struct search *search)
{
    if (json_is_array(search->value))
        return step_into_list(search);
    const char *key = next_key(search->value, search->rest);
    if (!key)
        return false;
    sty_json_pointer_append(search->pointer, key);
    search->value = json_object_get(search->value, key);
    search->rest += strlen(key);
    return true;
}

static int not_there(const struct search *search, const char *path, struct sty_error *err)
{
    size_t found = (size_t)(search->rest - path);
    if (!found)
        return sty_error_set(err, STY_NOT_FOUND,
                             "there is no '%s'; the context begins with cluster, environment, "
                             "deployment, instance, app, driver, parameters, components, services",
                             path);
    sty_auto(str) keys = STY_STR_INIT;
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)search->value, key, value)
        sty_str_appendf(&keys, "%s%s", keys.length ? ", " : ", which has ", key);
    return sty_error_set(err, STY_NOT_FOUND, "there is no '%s'; there is '%.*s'%s", path, (int)found - 1, path,
                         keys.data);
}

static int search_path(struct search *search, const char *path, struct sty_error *err)
{
    while (*search->rest) {
        if (!step(search))
            return not_there(search, path, err);
        search->rest += *search->rest == '.';
    }
    return 0;
}

static json_t *origin_object(json_t *place)
{
    if (!place)
        return json_null();
    json_t *origin = json_pack("{s:O, s:O, s:O}", "file", json_array_get(place, 0), "line", json_array_get(place, 1),
                               "column", json_array_get(place, 2));
    json_decref(place);
    return origin;
}

static json_t *explanation(const struct sty_work *work, const char *path, const struct search *search)
{
    struct sty_layer layers[3];
    size_t count = sty_layers_of(layers, work, search->pointer->data);
    json_t *list = json_array();
    json_t *last = json_null();
    for (size_t i = 0; i < count; i++) {
        const json_t *value = NULL;
        json_t *place = sty_layer_origin(&value, &layers[i]);
        if (!place)
            continue;
        last = origin_object(place);
        json_array_append_new(list,
                              json_pack("{s:s, s:O, s:o}", "layer", layers[i].name, "value", value, "origin", last));
    }
    return json_pack("{s:o, s:O, s:O, s:o}", "path", sty_json_string(path), "value", search->value, "origin", last,
                     "layers", list);
}

json_t *sty_explanation_build(const struct sty_work *work, const char *path, struct sty_error *err)
{
    sty_auto(str) pointer = STY_STR_INIT;
    struct search search = {.value = work->context, .pointer = &pointer, .rest = path};
    return search_path(&search, path, err) < 0 ? NULL : explanation(work, path, &search);
}
