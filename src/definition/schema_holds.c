/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The assertions of a schema on one value, and how a person is told what was wanted.
 */
#include <string.h>

#include "definition/schema_internal.h"

static void append_value(struct sty_str *why, const json_t *value)
{
    sty_auto_free char *text = json_is_string(value) ? sty_strdup(json_string_value(value))
                               : json_is_object(value) || json_is_array(value)
                                   ? sty_strdup(sty_schema_people(sty_schema_type_name(value)))
                                   : sty_json_canonical_text(value);
    sty_str_appendf(why, ", got '%.100s'", text);
}

static bool holds_type(struct sty_str *why, const json_t *value, const json_t *schema)
{
    const json_t *types = json_object_get(schema, "type");
    if (sty_schema_allows(schema, sty_schema_type_name(value)))
        return true;
    sty_str_append(why, "wanted ");
    if (json_is_string(types))
        sty_str_append(why, sty_schema_people(json_string_value(types)));
    for (size_t i = 0; i < json_array_size(types); i++)
        sty_str_appendf(why, "%s%s", i ? " or " : "", sty_schema_people(json_string_value(json_array_get(types, i))));
    append_value(why, value);
    return false;
}

static bool holds_choice(struct sty_str *why, const json_t *value, const json_t *schema)
{
    const json_t *constant = json_object_get(schema, "const"), *choices = json_object_get(schema, "enum");
    bool ok = !constant || json_equal(constant, value);
    bool found = choices == NULL;
    for (size_t i = 0; i < json_array_size(choices) && !found; i++)
        found = json_equal(json_array_get(choices, i), value);
    if (ok && found)
        return true;
    sty_auto_free char *wanted = sty_json_canonical_text(constant ? constant : choices);
    sty_str_appendf(why, constant ? "wanted %s" : "wanted one of %s", wanted);
    append_value(why, value);
    return false;
}

static bool holds_range(struct sty_str *why, const json_t *value, const json_t *schema)
{
    const json_t *minimum = json_object_get(schema, "minimum"), *maximum = json_object_get(schema, "maximum");
    double n = json_number_value(value);
    bool low = minimum && n < json_number_value(minimum), high = maximum && n > json_number_value(maximum);
    if (!json_is_number(value) || (!low && !high))
        return true;
    sty_str_append(why, "wanted a number");
    if (minimum)
        sty_str_appendf(why, " from %g", json_number_value(minimum));
    if (maximum)
        sty_str_appendf(why, " to %g", json_number_value(maximum));
    append_value(why, value);
    return false;
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
    size_t n = characters(text);
    if (n < (size_t)sty_json_int(schema, "minLength", 0)) {
        sty_str_append(why, "must not be empty");
        return false;
    }
    if (n > (size_t)sty_json_int(schema, "maxLength", INT64_MAX)) {
        sty_str_appendf(why, "longer than %lld characters", (long long)sty_json_int(schema, "maxLength", 0));
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
    const char *low = map ? "minProperties" : "minItems", *high = map ? "maxProperties" : "maxItems";
    if (!map && !json_is_array(value))
        return true;
    if (n < (size_t)sty_json_int(schema, low, 0)) {
        sty_str_appendf(why, "wanted at least %lld %s", (long long)sty_json_int(schema, low, 0), map ? "key" : "entry");
        return false;
    }
    if (n > (size_t)sty_json_int(schema, high, INT64_MAX)) {
        sty_str_appendf(why, "wanted at most %lld %s", (long long)sty_json_int(schema, high, 0),
                        map ? "key" : "entries");
        return false;
    }
    return true;
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
    return holds_type(why, value, schema) && holds_choice(why, value, schema) && holds_range(why, value, schema) &&
           holds_text(why, value, schema) && holds_count(why, value, schema) && holds_required(why, value, schema);
}
