/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One spelling for each thing, so that two ways to say the same give the same digest: durations in milliseconds, modes
 * in four octal digits, normalised paths, nothing left out.
 */
#include <string.h>
#include "base/file.h"
#include "instance/instance_internal.h"

int sty_normal_duration(json_t *object, const char *from, const char *to, int64_t otherwise, struct sty_error *err)
{
    const json_t *value = json_object_get(object, from);
    int64_t ms = otherwise;
    if (json_is_string(value)) {
        if (sty_duration_parse(&ms, json_string_value(value), err) < 0)
            return sty_error_wrap(err, "%s", from);
    } else if (value && !json_is_null(value)) {
        return sty_error_set(err, STY_INVALID, "%s: a duration has a unit, as in 30s", from);
    }
    json_object_del(object, from);
    if (ms >= 0)
        json_object_set_new(object, to, json_integer(ms));
    return 0;
}

int sty_normal_mode(json_t *object, const char *otherwise, struct sty_error *err)
{
    const json_t *value = json_object_get(object, "mode");
    const char *text = json_is_string(value) ? json_string_value(value) : otherwise;
    size_t length = strlen(text);
    if ((value && !json_is_string(value)) || length < 3 || length > 4 || strspn(text, "01234567") != length)
        return sty_error_set(err, STY_INVALID, "mode: '%.40s' is not three or four octal digits", text);
    char mode[5] = "0000";
    memcpy(mode + 4 - length, text, length);
    json_object_set_new(object, "mode", json_string(mode));
    return 0;
}

int sty_normal_path(json_t *object, const char *key, struct sty_error *err)
{
    sty_auto(str) path = STY_STR_INIT;
    if (sty_path_normalise(&path, sty_json_text(object, key, ""), err) < 0)
        return sty_error_wrap(err, "%s", key);
    json_object_set_new(object, key, sty_json_string(path.data));
    return 0;
}

static const char *type_name(json_type type)
{
    return type == JSON_ARRAY ? "a list" : type == JSON_INTEGER ? "an integer" : "a boolean";
}

int sty_normal_types(const json_t *object, const struct sty_typed *typed, size_t count, struct sty_error *err)
{
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_object_get(object, typed[i].key);
        bool boolean = typed[i].type == JSON_TRUE && json_is_boolean(value);
        if (value && !boolean && json_typeof(value) != typed[i].type)
            return sty_error_set(err, STY_INVALID, "%s: wants %s", typed[i].key, type_name(typed[i].type));
    }
    return 0;
}

int sty_normal_env(const json_t *env, struct sty_error *err)
{
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)env, name, value) {
        if (!*name || strchr(name, '='))
            return sty_error_set(err, STY_INVALID, "'%s' cannot be the name of an environment variable", name);
    }
    return 0;
}

int sty_normal_secrets(const json_t *secrets, struct sty_error *err)
{
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)secrets, name, value) {
        if (!*name || *name == '.' || strchr(name, '/'))
            return sty_error_set(err, STY_INVALID, "'%s' cannot be the name of a secret's file", name);
    }
    return 0;
}

void sty_normal_null(json_t *object, const char *key)
{
    if (!json_object_get(object, key))
        json_object_set_new(object, key, json_null());
}

void sty_normal_default(json_t *object, const char *key, json_t *otherwise)
{
    const json_t *value = json_object_get(object, key);
    if (value && !json_is_null(value))
        json_decref(otherwise);
    else
        json_object_set_new(object, key, otherwise);
}
