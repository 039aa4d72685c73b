/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Deployment's parameters by the driver's declarations. Where a driver wants a string, a plain YAML scalar's own text
 * is taken, which its mark keeps when it is not what the value prints as: 1.10 is "1.10". A secret stays a reference.
 */
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "instance/instance_internal.h"

#define PATTERN_LIMIT 512
#define TEXT_LIMIT 65536
#define REPEAT_LIMIT 1000

struct parameter {
    struct sty_work *work;
    const json_t *declared;
    const char *name, *kind;
    const struct sty_document *document; /* where the value stands */
    const char *label;
    char *pointer; /* of the value, in that document */
};

typedef json_t *convert(const struct parameter *parameter, const json_t *value);

static json_t *mistake(const struct parameter *parameter, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static json_t *mistake(const struct parameter *parameter, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    char message[400];
    vsnprintf(message, sizeof(message), format, list);
    va_end(list);
    struct sty_problem place = sty_place_in(parameter->document, parameter->pointer);
    place.document = parameter->label;
    sty_problems_add(&parameter->work->problems, &place, "parameter '%s' %s", parameter->name, message);
    return NULL;
}

static const char *type_name(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "a map";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
        break;
    }
    return "nothing";
}

static json_t *wrong_type(const struct parameter *parameter, const char *wanted, const json_t *value)
{
    return mistake(parameter, "wants %s, not %s", wanted, type_name(value));
}

/* The text of a scalar as it stands in the document; NULL: not a scalar. */
static char *scalar_text(const struct parameter *parameter, const json_t *value)
{
    if (json_is_string(value))
        return sty_strdup(json_string_value(value));
    if (json_is_object(value) || json_is_array(value) || json_is_null(value))
        return NULL;
    const json_t *mark = json_object_get(parameter->document->marks, parameter->pointer);
    const json_t *written = json_array_get(mark, 2);
    return json_is_string(written) ? sty_strdup(json_string_value(written)) : sty_json_canonical_text(value);
}

/* ---- patterns ---- */

/* Nested repetitions multiply and eat memory when compiled; back-references can take for ever. */
static bool pattern_is_modest(const char *pattern)
{
    long product = 1;
    for (const char *brace = strchr(pattern, '{'); brace; brace = strchr(brace + 1, '{')) {
        char *end = NULL;
        long first = strtol(brace + 1, &end, 10);
        long second = *end == ',' ? strtol(end + 1, &end, 10) : 0;
        long most = first > second ? first : second;
        most = most < 1 ? 1 : most;
        if (most > REPEAT_LIMIT || product * most > REPEAT_LIMIT)
            return false;
        product *= most;
    }
    for (const char *slash = strchr(pattern, '\\'); slash && slash[1]; slash = strchr(slash + 2, '\\'))
        if (slash[1] >= '1' && slash[1] <= '9')
            return false;
    return strlen(pattern) <= PATTERN_LIMIT;
}

static bool matches(const struct parameter *parameter, const char *pattern, const char *text)
{
    regex_t regex;
    if (!pattern_is_modest(pattern) || regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0) {
        mistake(parameter, "has a pattern that cannot be used: '%s'", pattern);
        return false;
    }
    bool fits = strlen(text) <= TEXT_LIMIT && regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    if (!fits)
        mistake(parameter, "does not match the pattern '%s'", pattern);
    return fits;
}

/* ---- one function a kind ---- */

static json_t *to_string(const struct parameter *parameter, const json_t *value)
{
    sty_auto_free char *text = scalar_text(parameter, value);
    const char *pattern = sty_json_text(parameter->declared, "pattern", NULL);
    if (!text)
        return wrong_type(parameter, "a string", value);
    return pattern && !matches(parameter, pattern, text) ? NULL : sty_json_string(text);
}

static int compare(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b))
        return (json_integer_value(a) > json_integer_value(b)) - (json_integer_value(a) < json_integer_value(b));
    return (json_number_value(a) > json_number_value(b)) - (json_number_value(a) < json_number_value(b));
}

static json_t *in_range(const struct parameter *parameter, const json_t *value)
{
    const json_t *minimum = json_object_get(parameter->declared, "minimum");
    const json_t *maximum = json_object_get(parameter->declared, "maximum");
    bool low = json_is_number(minimum) && compare(value, minimum) < 0;
    bool high = json_is_number(maximum) && compare(value, maximum) > 0;
    if (!low && !high)
        return json_deep_copy(value);
    sty_auto_free char *given = sty_json_canonical_text(value);
    sty_auto_free char *bound = sty_json_canonical_text(low ? minimum : maximum);
    return mistake(parameter, "is %s; the %s is %s", given, low ? "minimum" : "maximum", bound);
}

static json_t *to_integer(const struct parameter *parameter, const json_t *value)
{
    return json_is_integer(value) ? in_range(parameter, value) : wrong_type(parameter, "an integer", value);
}

static json_t *to_number(const struct parameter *parameter, const json_t *value)
{
    return json_is_number(value) ? in_range(parameter, value) : wrong_type(parameter, "a number", value);
}

static json_t *to_boolean(const struct parameter *parameter, const json_t *value)
{
    return json_is_boolean(value) ? json_deep_copy(value) : wrong_type(parameter, "a boolean", value);
}

static json_t *to_enum(const struct parameter *parameter, const json_t *value)
{
    const json_t *values = json_object_get(parameter->declared, "values");
    sty_auto_free char *text = scalar_text(parameter, value);
    sty_auto(str) known = STY_STR_INIT;
    for (size_t i = 0; i < json_array_size(values); i++) {
        const json_t *allowed = json_array_get(values, i);
        if (json_equal(allowed, value) || (text && sty_streq(json_string_value(allowed), text)))
            return json_deep_copy(allowed);
        sty_str_append(&known, i ? ", " : "");
        sty_escape_text(&known, allowed);
    }
    return mistake(parameter, "is '%s', not one of: %s", text ? text : type_name(value), known.data);
}

static json_t *to_list(const struct parameter *parameter, const json_t *value)
{
    return json_is_array(value) ? json_deep_copy(value) : wrong_type(parameter, "a list", value);
}

static json_t *to_map(const struct parameter *parameter, const json_t *value)
{
    return json_is_object(value) ? json_deep_copy(value) : wrong_type(parameter, "a map", value);
}

static bool is_argv(const json_t *value)
{
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!json_is_string(json_array_get(value, i)))
            return false;
    return json_array_size(value) > 0;
}

static json_t *to_secret(const struct parameter *parameter, const json_t *value)
{
    const char *file = sty_json_text(value, "from_file", NULL), *env = sty_json_text(value, "from_env", NULL);
    bool good = (file && *file == '/') || (env && *env) || is_argv(json_object_get(value, "from_command"));
    if (good && json_object_size(value) == 1)
        return json_deep_copy(value);
    return mistake(parameter, "is a secret: give where it is, as {from_file: /path}, {from_env: NAME} or "
                              "{from_command: [program, ...]}, never the secret itself");
}

static const struct {
    const char *kind;
    convert *convert;
} kinds[] = {{"string", to_string}, {"integer", to_integer}, {"number", to_number}, {"boolean", to_boolean},
             {"enum", to_enum},     {"list", to_list},       {"map", to_map},       {"secret", to_secret}};

static json_t *convert_value(const struct parameter *parameter, const json_t *value)
{
    if (json_is_null(value))
        return mistake(parameter, "has no value");
    for (size_t i = 0; i < STY_COUNT(kinds); i++)
        if (sty_streq(kinds[i].kind, parameter->kind))
            return kinds[i].convert(parameter, value);
    return mistake(parameter, "is of an unknown kind '%s'", parameter->kind);
}

/* ---- all of them ---- */

static char *value_pointer(struct sty_arena *arena, const char *name)
{
    sty_auto(str) pointer = STY_STR_INIT;
    sty_str_append(&pointer, "/spec/parameters");
    if (name)
        sty_json_pointer_append(&pointer, name);
    return sty_arena_strdup(arena, pointer.data);
}

static json_t *build_one(struct sty_work *work, const json_t *declared, size_t index)
{
    struct parameter parameter = {.work = work,
                                  .declared = declared,
                                  .name = sty_json_text(declared, "name", ""),
                                  .kind = sty_json_text(declared, "kind", ""),
                                  .document = work->found.document,
                                  .label = work->label};
    const json_t *value = json_object_get(work->deployment.parameters, parameter.name);
    parameter.pointer = value_pointer(work->arena, parameter.name);
    if (value)
        return convert_value(&parameter, value);
    value = json_object_get(declared, "default");
    if (!value) {
        parameter.pointer = value_pointer(work->arena, NULL);
        return mistake(&parameter, "is missing: driver %s %s needs it", work->driver->driver.name,
                       work->driver->driver.version);
    }
    parameter.document = work->driver->found.document;
    parameter.pointer = sty_arena_printf(work->arena, "/spec/parameters/%zu/default", index);
    return convert_value(&parameter, value);
}

static void check_unknown(struct sty_work *work, const struct sty_map *declared)
{
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)work->deployment.parameters, name, value) {
        if (!sty_map_has(declared, name))
            sty_work_mistake(work, value_pointer(work->arena, name), "driver %s %s has no parameter '%s'",
                             work->driver->driver.name, work->driver->driver.version, name);
    }
}

static void note_secret(json_t *secrets, const char *name, const json_t *reference)
{
    sty_auto(str) pointer = STY_STR_INIT;
    sty_str_append(&pointer, "/parameters");
    sty_json_pointer_append(&pointer, name);
    json_object_set_new(secrets, pointer.data, json_deep_copy(reference));
}

json_t *sty_parameters_build(struct sty_work *work, json_t *secrets)
{
    const json_t *declared = json_object_get(work->driver->driver.spec, "parameters");
    struct sty_map names = STY_MAP_INIT;
    json_t *out = json_object();
    for (size_t i = 0; i < json_array_size(declared); i++) {
        const json_t *one = json_array_get(declared, i);
        const char *name = sty_json_text(one, "name", "");
        sty_map_set(&names, name, (void *)name);
        json_t *value = build_one(work, one, i);
        if (value && sty_streq(sty_json_text(one, "kind", ""), "secret"))
            note_secret(secrets, name, value);
        if (value)
            json_object_set_new(out, name, value);
    }
    check_unknown(work, &names);
    sty_map_clear(&names);
    return out;
}
