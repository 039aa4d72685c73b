/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json: strict reading and small conveniences over jansson. What jansson passes silently (duplicate keys, text behind
 * the value, two thousand levels) is refused here, because two readers of the same bytes must not see two things.
 */
#include "base/json_internal.h"
#include <stdlib.h>
#include <string.h>

static bool too_deep(const json_t *value, int left)
{
    size_t i;
    const char *key;
    json_t *child;
    if (!json_is_object(value) && !json_is_array(value))
        return false;
    if (left == 0)
        return true;
    json_array_foreach (value, i, child) {
        if (too_deep(child, left - 1))
            return true;
    }
    json_object_foreach ((json_t *)value, key, child) {
        if (too_deep(child, left - 1))
            return true;
    }
    return false;
}

/* jansson quotes the document in its text: cut that off, it may be a secret. */
static int parse_error(struct sty_error *err, const json_error_t *error)
{
    const char *quote = strstr(error->text, " near ");
    int length = quote ? (int)(quote - error->text) : (int)strlen(error->text);
    return sty_error_set(err, STY_INVALID, "line %d, column %d: %.*s", error->line, error->column, length, error->text);
}

int sty_json_parse(json_t **out, const char *bytes, size_t length, struct sty_error *err)
{
    json_error_t error;
    json_auto_t *value = json_loadb(bytes, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!value)
        return parse_error(err, &error);
    if (too_deep(value, STY_JSON_DEPTH))
        return sty_error_set(err, STY_INVALID, "line %d, column %d: nested deeper than %d", 1, 1, STY_JSON_DEPTH);
    *out = sty_take(value);
    return 0;
}

const char *sty_json_text(const json_t *object, const char *key, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : otherwise;
}

int64_t sty_json_int(const json_t *object, const char *key, int64_t otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

bool sty_json_bool(const json_t *object, const char *key, bool otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

char **sty_json_argv(struct sty_arena *arena, const json_t *array)
{
    size_t count = json_array_size(array);
    char **argv = sty_arena_alloc(arena, (count + 1) * sizeof(*argv));
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(array, i));
        argv[i] = sty_arena_strdup(arena, text ? text : "");
    }
    return argv;
}

static json_t *made(json_t *value)
{
    if (!value)
        abort();
    return value;
}

json_t *sty_json_string(const char *text)
{
    sty_auto(str) repaired = STY_STR_INIT;
    size_t length = strlen(text);
    uint32_t point;
    if (sty_utf8_valid(text, length))
        return made(json_stringn_nocheck(text, length));
    for (size_t i = 0; i < length;) {
        size_t size = sty_utf8_decode(&point, text + i, length - i);
        if (size)
            sty_str_append_bytes(&repaired, text + i, size);
        else
            sty_str_append(&repaired, "\xEF\xBF\xBD");
        i += size ? size : 1;
    }
    return made(json_stringn_nocheck(repaired.data, repaired.length));
}

json_t *sty_json_string_or_null(const char *text)
{
    return text ? sty_json_string(text) : json_null();
}

bool sty_json_has(const json_t *array, const char *text)
{
    size_t i;
    const json_t *value;
    json_array_foreach (array, i, value) {
        if (sty_streq(json_string_value(value), text))
            return true;
    }
    return false;
}

static void drop(void *value)
{
    json_decref(value);
}

json_t *sty_json_own(struct sty_arena *arena, json_t *value)
{
    sty_arena_own(arena, value, drop);
    return value;
}
