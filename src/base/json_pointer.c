/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_pointer: naming a place in a value (RFC 6901) and changing a value by another (RFC 7396). Recursion goes as deep
 * as the patch, which sty_json_parse() or the canonical form keep to 128.
 */
#include "base/json_internal.h"
#include <stdlib.h>
#include <string.h>

/* The token at *pointer, which stands on '/', unescaped; moves behind it. False where '~' stands alone. */
static bool take_token(struct sty_str *token, const char **pointer)
{
    const char *at = *pointer + 1;
    sty_str_reset(token);
    for (; *at && *at != '/'; at++) {
        if (*at != '~') {
            sty_str_append_char(token, *at);
            continue;
        }
        at++;
        if (*at != '0' && *at != '1')
            return false;
        sty_str_append_char(token, *at == '0' ? '~' : '/');
    }
    *pointer = at;
    return true;
}

/* RFC 6901 section 4: digits without a leading zero. */
static bool array_index(size_t *index, const json_t *array, const char *token)
{
    size_t value = 0;
    if (!*token || (token[0] == '0' && token[1]))
        return false;
    for (; *token; token++) {
        if (*token < '0' || *token > '9')
            return false;
        value = value * 10 + (size_t)(*token - '0');
        if (value >= json_array_size(array))
            return false;
    }
    *index = value;
    return true;
}

static json_t *child(const json_t *value, const char *token)
{
    size_t index;
    if (json_is_object(value))
        return json_object_get(value, token);
    if (json_is_array(value) && array_index(&index, value, token))
        return json_array_get(value, index);
    return NULL;
}

json_t *sty_json_pointer(const json_t *value, const char *pointer)
{
    sty_auto(str) token = STY_STR_INIT;
    while (value && *pointer) {
        if (*pointer != '/' || !take_token(&token, &pointer))
            return NULL;
        value = child(value, token.data);
    }
    return (json_t *)value;
}

void sty_json_pointer_append(struct sty_str *pointer, const char *token)
{
    sty_str_append_char(pointer, '/');
    for (; *token; token++) {
        if (*token == '~')
            sty_str_append(pointer, "~0");
        else if (*token == '/')
            sty_str_append(pointer, "~1");
        else
            sty_str_append_char(pointer, *token);
    }
}

bool sty_json_pointer_remove(json_t *value, const char *pointer)
{
    sty_auto(str) token = STY_STR_INIT;
    const char *last = strrchr(pointer, '/');
    size_t index;
    if (!last)
        return false;
    sty_auto_free char *above = sty_strndup(pointer, (size_t)(last - pointer));
    json_t *parent = sty_json_pointer(value, above);
    if (!parent || !take_token(&token, &last))
        return false;
    if (json_is_object(parent))
        return json_object_del(parent, token.data) == 0;
    return json_is_array(parent) && array_index(&index, parent, token.data) && json_array_remove(parent, index) == 0;
}

static json_t *copied(const json_t *value)
{
    json_t *copy = json_deep_copy(value);
    if (!copy)
        abort();
    return copy;
}

/* Steals `own`, a copy that nobody else sees (or NULL), and changes it in place. */
static json_t *patched(json_t *own, const json_t *patch)
{
    const char *key;
    json_t *value;
    if (!json_is_object(patch)) {
        json_decref(own);
        return copied(patch);
    }
    if (!json_is_object(own)) {
        json_decref(own);
        own = json_object();
    }
    json_object_foreach ((json_t *)patch, key, value) {
        if (json_is_null(value)) {
            json_object_del(own, key);
            continue;
        }
        json_t *changed = patched(json_incref(json_object_get(own, key)), value);
        if (json_object_set_new_nocheck(own, key, changed) < 0)
            abort();
    }
    return own;
}

json_t *sty_json_merge_patch(const json_t *target, const json_t *patch)
{
    return patched(json_is_object(target) ? copied(target) : NULL, patch);
}
