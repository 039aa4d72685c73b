/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The assertions of a schema on one value, and how a person is told what was wanted.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "definition/schema_internal.h"

static void append_value(struct sty_str *why, const json_t *value)
{
    if (json_is_null(value)) {
        sty_str_append(why, ", got nothing");
        return;
    }
    sty_auto_free char *text = json_is_string(value) ? sty_strdup(json_string_value(value))
                               : json_is_object(value) || json_is_array(value)
                                   ? sty_strdup(sty_schema_people(sty_schema_type_name(value)))
                                   : json_dumps(value, JSON_ENCODE_ANY);
    sty_str_appendf(why, json_is_object(value) || json_is_array(value) ? ", got %s" : ", got '%.100s'", text);
}

/* "an integer from 1 to 65535" */
static void append_wanted(struct sty_str *why, const json_t *schema)
{
    const json_t *types = json_object_get(schema, "type");
    const json_t *minimum = json_object_get(schema, "minimum"), *maximum = json_object_get(schema, "maximum");
    sty_str_append(why, "wanted ");
    if (json_is_string(types))
        sty_str_append(why, sty_schema_people(json_string_value(types)));
    for (size_t i = 0; i < json_array_size(types); i++)
        sty_str_appendf(why, "%s%s", i ? " or " : "", sty_schema_people(json_string_value(json_array_get(types, i))));
    if (!types)
        sty_str_append(why, "a number");
    if (minimum)
        sty_str_appendf(why, " from %.15g", json_number_value(minimum));
    if (maximum)
        sty_str_appendf(why, "%s to %.15g", minimum ? "" : " up", json_number_value(maximum));
}

/* Text that would be of another type without its quotes. */
static bool quoted(const json_t *value)
{
    json_auto_t *plain = json_is_string(value) ? json_loads(json_string_value(value), JSON_DECODE_ANY, NULL) : NULL;
    return json_is_boolean(plain) || json_is_number(plain);
}

static bool holds_type(struct sty_str *why, const json_t *value, const json_t *schema)
{
    double number = json_number_value(value);
    if (sty_schema_allows(schema, sty_schema_type_name(value)) ||
        (json_is_real(value) && floor(number) == number && sty_schema_allows(schema, "integer")))
        return true;
    append_wanted(why, schema);
    append_value(why, value);
    sty_str_append(why, quoted(value) ? ", which is text" : "");
    return false;
}

/* 1 and 1.0 are the same, in JSON Schema as in the canonical form. */
static bool same(const json_t *a, const json_t *b)
{
    struct sty_error err;
    sty_auto(str) x = STY_STR_INIT;
    sty_auto(str) y = STY_STR_INIT;
    if (sty_json_canonical(&x, a, &err) < 0 || sty_json_canonical(&y, b, &err) < 0)
        return json_equal(a, b);
    return strcmp(x.data, y.data) == 0;
}

static bool one_of(const json_t *choices, const json_t *value)
{
    for (size_t i = 0; i < json_array_size(choices); i++)
        if (same(json_array_get(choices, i), value))
            return true;
    return false;
}

static void append_choices(struct sty_str *why, const json_t *choices)
{
    size_t count = json_array_size(choices);
    for (size_t i = 0; i < count; i++) {
        const json_t *choice = json_array_get(choices, i);
        sty_auto_free char *text =
            json_is_string(choice) ? sty_strdup(json_string_value(choice)) : json_dumps(choice, JSON_ENCODE_ANY);
        sty_str_appendf(why, "%s%s", i == 0 ? "wanted " : i + 1 == count ? " or " : ", ", text);
    }
}

static bool holds_choice(struct sty_str *why, const json_t *value, const json_t *schema)
{
    json_t *constant = json_object_get(schema, "const");
    json_auto_t *single = constant ? json_pack("[O]", constant) : NULL;
    const json_t *choices = constant ? single : json_object_get(schema, "enum");
    if (!choices || one_of(choices, value))
        return true;
    append_choices(why, choices);
    append_value(why, value);
    if (json_is_string(value))
        sty_schema_suggest(why, choices, json_string_value(value));
    return false;
}

static bool holds_range(struct sty_str *why, const json_t *value, const json_t *schema)
{
    const json_t *minimum = json_object_get(schema, "minimum"), *maximum = json_object_get(schema, "maximum");
    double n = json_number_value(value);
    bool low = minimum && n < json_number_value(minimum), high = maximum && n > json_number_value(maximum);
    if (!json_is_number(value) || (!low && !high))
        return true;
    append_wanted(why, schema);
    append_value(why, value);
    return false;
}

/* A bound that schemas write as a whole number, at times as 2.0. */
static size_t bound(const json_t *schema, const char *keyword, size_t otherwise)
{
    const json_t *value = json_object_get(schema, keyword);
    return value ? (size_t)json_number_value(value) : otherwise;
}

static size_t characters(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static bool holds_text(struct sty_str *why, const json_t *value, const json_t *schema)
{
    const char *text = json_string_value(value), *pattern = sty_json_text(schema, "pattern", NULL);
    if (!text)
        return true;
    size_t n = characters(text), low = bound(schema, "minLength", 0), high = bound(schema, "maxLength", SIZE_MAX);
    if (n < low) {
        sty_str_append(why, n ? "too short" : "must not be empty");
        return false;
    }
    if (n > high) {
        sty_str_appendf(why, "longer than %zu characters", high);
        return false;
    }
    if (pattern && !sty_schema_matches(pattern, text)) {
        const char *words = sty_json_text(schema, "description", NULL);
        sty_str_appendf(why, words ? "'%.100s' is not %s" : "'%.100s' is not of the form %s", text,
                        words ? words : pattern);
        return false;
    }
    return true;
}

static bool holds_count(struct sty_str *why, const json_t *value, const json_t *schema)
{
    bool map = json_is_object(value);
    size_t n = map ? json_object_size(value) : json_array_size(value);
    size_t low = bound(schema, map ? "minProperties" : "minItems", 0);
    size_t high = bound(schema, map ? "maxProperties" : "maxItems", SIZE_MAX);
    if ((!map && !json_is_array(value)) || (n >= low && n <= high))
        return true;
    const char *things = map ? "key" : n < low && low == 1 ? "entry" : "entries";
    bool many = map && (n < low ? low : high) != 1;
    sty_str_appendf(why, "wanted at %s %zu %s%s, got %zu", n < low ? "least" : "most", n < low ? low : high, things,
                    many ? "s" : "", n);
    return false;
}

static bool holds_required(struct sty_str *why, const json_t *value, const json_t *schema)
{
    const json_t *required = json_object_get(schema, "required");
    bool ok = true;
    for (size_t i = 0; json_is_object(value) && i < json_array_size(required); i++) {
        const char *name = json_string_value(json_array_get(required, i));
        if (json_object_get(value, name))
            continue;
        sty_str_appendf(why, "%s'%s'", ok ? "missing " : ", ", name);
        ok = false;
    }
    return ok;
}

bool sty_schema_holds(struct sty_str *why, const json_t *value, const json_t *schema)
{
    if (json_is_false(schema)) {
        sty_str_append(why, "must not be here");
        return false;
    }
    return holds_type(why, value, schema) && holds_choice(why, value, schema) && holds_range(why, value, schema) &&
           holds_text(why, value, schema) && holds_count(why, value, schema) && holds_required(why, value, schema);
}

/* ---- anyOf, oneOf, not ---- */

/* The one name that an alternative requires, when that is all it says; NULL: it says something else. */
static const char *only_requires(const json_t *choice)
{
    const json_t *required = json_object_get(choice, "required");
    bool only = json_object_size(choice) == 1 && json_array_size(required) == 1;
    return only ? json_string_value(json_array_get(required, 0)) : NULL;
}

static void append_names(struct sty_str *why, const char *quantity, const json_t *choices)
{
    size_t count = json_array_size(choices);
    for (size_t i = 0; i < count; i++)
        if (!only_requires(json_array_get(choices, i))) {
            sty_str_appendf(why, "wanted %s of the forms that are known here", quantity);
            return;
        }
    sty_str_appendf(why, "wanted %s of", quantity);
    for (size_t i = 0; i < count; i++)
        sty_str_appendf(why, "%s'%s'",
                        i == 0           ? " "
                        : i + 1 == count ? " and "
                                         : ", ",
                        only_requires(json_array_get(choices, i)));
}

static size_t count_fits(const json_t *choices, const json_t *value, const json_t *root)
{
    size_t fits = 0;
    for (size_t i = 0; i < json_array_size(choices); i++)
        fits += sty_schema_fits(value, json_array_get(choices, i), root);
    return fits;
}

bool sty_schema_chooses(struct sty_str *why, const json_t *value, const json_t *schema, const json_t *root)
{
    const json_t *any = json_object_get(schema, "anyOf"), *one = json_object_get(schema, "oneOf");
    const json_t *never = json_object_get(schema, "not");
    if (any && count_fits(any, value, root) == 0) {
        append_names(why, "one", any);
        return false;
    }
    if (one && count_fits(one, value, root) != 1) {
        append_names(why, "exactly one", one);
        return false;
    }
    if (never && sty_schema_fits(value, never, root)) {
        sty_str_append(why, sty_json_text(never, "description", "must not be here"));
        return false;
    }
    return true;
}
