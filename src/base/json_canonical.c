/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_canonical: the writer of RFC 8785. A digest of an Instance is a digest of these bytes, so that two machines and
 * two versions of Styrmin agree on what is the same.
 *
 * What this writes must read back as the same value: a whole number outside +-(2^53-1) is refused also where it came
 * as a real, because it would read back as an integer that has no canonical form.
 */
#include "base/json_internal.h"
#include "base/digest.h"
#include <stdio.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int write_value(struct sty_str *out, const json_t *value, int depth, struct sty_error *err);

static const char *short_escape(unsigned char c)
{
    switch (c) {
    case '\b':
        return "\\b";
    case '\t':
        return "\\t";
    case '\n':
        return "\\n";
    case '\f':
        return "\\f";
    case '\r':
        return "\\r";
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    default:
        return NULL;
    }
}

static void write_escape(struct sty_str *out, unsigned char c)
{
    const char *escape = short_escape(c);
    if (escape)
        sty_str_append(out, escape);
    else
        sty_str_appendf(out, "\\u%04x", c);
}

static int write_text(struct sty_str *out, const char *text, size_t length, struct sty_error *err)
{
    if (!sty_utf8_valid(text, length))
        return sty_error_set(err, STY_INVALID, "a text is not valid UTF-8");
    size_t plain = 0;
    sty_str_append_char(out, '"');
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        sty_str_append_bytes(out, text + plain, i - plain);
        write_escape(out, c);
        plain = i + 1;
    }
    sty_str_append_bytes(out, text + plain, length - plain);
    sty_str_append_char(out, '"');
    return 0;
}

static int write_integer(struct sty_str *out, json_int_t number, struct sty_error *err)
{
    if (number > STY_JSON_SAFE_INTEGER || number < -STY_JSON_SAFE_INTEGER)
        return sty_error_set(err, STY_INVALID, "the integer %" JSON_INTEGER_FORMAT " is outside +-(2^53-1)", number);
    sty_str_appendf(out, "%" JSON_INTEGER_FORMAT, number);
    return 0;
}

static int write_real(struct sty_str *out, double number, struct sty_error *err)
{
    char text[32];
    if (!isfinite(number))
        return sty_error_set(err, STY_INVALID, "a number is not finite");
    sty_json_number_text(text, number);
    if (fabs(number) > (double)STY_JSON_SAFE_INTEGER && !strchr(text, 'e') && !strchr(text, '.'))
        return sty_error_set(err, STY_INVALID, "the integer %s is outside +-(2^53-1)", text);
    sty_str_append(out, text);
    return 0;
}

/* U+E000 to U+FFFF begin with 0xEE or 0xEF and stand behind the surrogate pairs, which begin with 0xF0 and up. */
static int unit_rank(unsigned char c)
{
    return c == 0xEE || c == 0xEF ? c + 0x10 : c;
}

int sty_json_key_compare(const char *a, const char *b)
{
    const unsigned char *x = (const unsigned char *)a, *y = (const unsigned char *)b;
    while (*x && *x == *y)
        x++, y++;
    return unit_rank(*x) - unit_rank(*y);
}

struct member {
    const char *key;
    const json_t *value;
};

static int member_compare(const void *a, const void *b)
{
    return sty_json_key_compare(((const struct member *)a)->key, ((const struct member *)b)->key);
}

static size_t collect_members(struct member *members, const json_t *object)
{
    size_t count = 0;
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)object, key, value)
        members[count++] = (struct member){key, value};
    return count;
}

static int write_object(struct sty_str *out, const json_t *object, int depth, struct sty_error *err)
{
    sty_auto_free struct member *members = sty_calloc(json_object_size(object), sizeof(*members));
    size_t count = collect_members(members, object);
    for (size_t i = 0; i < count; i++) {
        if (!sty_utf8_valid(members[i].key, strlen(members[i].key)))
            return sty_error_set(err, STY_INVALID, "a key is not valid UTF-8");
    }
    qsort(members, count, sizeof(*members), member_compare);
    sty_str_append_char(out, '{');
    for (size_t i = 0; i < count; i++) {
        if (i)
            sty_str_append_char(out, ',');
        if (write_text(out, members[i].key, strlen(members[i].key), err) < 0)
            return -1;
        sty_str_append_char(out, ':');
        if (write_value(out, members[i].value, depth + 1, err) < 0)
            return -1;
    }
    sty_str_append_char(out, '}');
    return 0;
}

static int write_array(struct sty_str *out, const json_t *array, int depth, struct sty_error *err)
{
    size_t i;
    json_t *value;
    sty_str_append_char(out, '[');
    json_array_foreach (array, i, value) {
        if (i)
            sty_str_append_char(out, ',');
        if (write_value(out, value, depth + 1, err) < 0)
            return -1;
    }
    sty_str_append_char(out, ']');
    return 0;
}

static int write_value(struct sty_str *out, const json_t *value, int depth, struct sty_error *err)
{
    if (!value)
        return sty_error_set(err, STY_INVALID, "there is no value");
    if (depth > STY_JSON_DEPTH && (json_is_object(value) || json_is_array(value)))
        return sty_error_set(err, STY_LIMIT, "nested deeper than %d", STY_JSON_DEPTH);
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return write_object(out, value, depth, err);
    case JSON_ARRAY:
        return write_array(out, value, depth, err);
    case JSON_STRING:
        return write_text(out, json_string_value(value), json_string_length(value), err);
    case JSON_INTEGER:
        return write_integer(out, json_integer_value(value), err);
    case JSON_REAL:
        return write_real(out, json_real_value(value), err);
    case JSON_TRUE:
        sty_str_append(out, "true");
        return 0;
    case JSON_FALSE:
        sty_str_append(out, "false");
        return 0;
    case JSON_NULL:
        sty_str_append(out, "null");
        return 0;
    }
    return sty_error_set(err, STY_INTERNAL, "a JSON value has no type");
}

int sty_json_canonical(struct sty_str *out, const json_t *value, struct sty_error *err)
{
    size_t before = out->length;
    if (write_value(out, value, 1, err) == 0)
        return 0;
    out->length = before;
    if (out->capacity)
        out->data[before] = '\0';
    return -1;
}

char *sty_json_canonical_text(const json_t *value)
{
    sty_auto(str) text = STY_STR_INIT;
    struct sty_error err;
    if (sty_json_canonical(&text, value, &err) < 0) {
        fprintf(stderr, "styrmin: a value of our own has no canonical form: %s\n", err.text);
        abort();
    }
    return sty_str_take(&text);
}

void sty_json_digest(char out[72], const json_t *value)
{
    sty_auto_free char *text = sty_json_canonical_text(value);
    sty_digest(out, text, strlen(text));
}

static int key_compare(const void *a, const void *b)
{
    return sty_json_key_compare(*(const char *const *)a, *(const char *const *)b);
}

const char **sty_json_keys(struct sty_arena *arena, const json_t *object)
{
    const char **keys = sty_arena_alloc(arena, (json_object_size(object) + 1) * sizeof(*keys));
    size_t count = 0;
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)object, key, value)
        keys[count++] = key;
    qsort(keys, count, sizeof(*keys), key_compare);
    return keys;
}
