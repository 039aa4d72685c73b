/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding and checking by JSON Schema (draft 2020-12), limited to the keywords that schemas/ uses; a test holds the
 * schemas to that. The schema says what a plain scalar is: where a string is wanted its own text is taken.
 */
#include <math.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/embed.h"
#include "base/map.h"
#include "definition/schema_internal.h"

extern const struct sty_embedded sty_embedded_schemas[];

static struct sty_map schemas = STY_MAP_INIT; /* by name, each read when it is first needed */
static pthread_mutex_t schemas_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sty_map patterns = STY_MAP_INIT;
static pthread_mutex_t patterns_lock = PTHREAD_MUTEX_INITIALIZER;

static json_t *load(const char *name)
{
    sty_auto_free char *wanted = sty_sprintf("schemas/%s.json", name);
    const struct sty_embedded *file = sty_embedded_schemas;
    while (file->name && strcmp(file->name, wanted) != 0)
        file++;
    struct sty_error err;
    json_t *schema = NULL;
    if (file->name && sty_json_parse(&schema, file->bytes, file->length, &err) < 0) {
        fprintf(stderr, "styrmin: %s: %s\n", file->name, err.text);
        abort();
    }
    return schema;
}

const json_t *sty_schema_get(const char *name)
{
    pthread_mutex_lock(&schemas_lock);
    json_t *schema = sty_map_get(&schemas, name);
    if (!schema) {
        schema = load(name);
        if (schema)
            sty_map_set(&schemas, name, schema);
    }
    pthread_mutex_unlock(&schemas_lock);
    return schema;
}

bool sty_schema_matches(const char *pattern, const char *text)
{
    pthread_mutex_lock(&patterns_lock);
    regex_t *regex = sty_map_get(&patterns, pattern);
    if (!regex) {
        regex = sty_malloc(sizeof *regex);
        if (regcomp(regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
            abort();
        sty_map_set(&patterns, pattern, regex);
    }
    bool matches = regexec(regex, text, 0, NULL, 0) == 0;
    pthread_mutex_unlock(&patterns_lock);
    return matches;
}

const json_t *sty_schema_follow(const json_t *root, const json_t *schema)
{
    const char *reference;
    for (int hops = 0; hops < 16 && (reference = sty_json_text(schema, "$ref", NULL)); hops++)
        schema = sty_json_pointer(root, reference + 1);
    return schema;
}

bool sty_schema_is_template(const json_t *schema)
{
    return sty_streq(sty_json_text(schema, "pattern", ""), "\\{\\{");
}

const char *sty_schema_type_name(const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "object", [JSON_ARRAY] = "array",  [JSON_STRING] = "string", [JSON_INTEGER] = "integer",
        [JSON_REAL] = "number",   [JSON_TRUE] = "boolean", [JSON_FALSE] = "boolean", [JSON_NULL] = "null"};
    return names[json_typeof(value)];
}

static const struct {
    const char *type, *people;
} words[] = {{"object", "a map"},    {"array", "a list"},          {"string", "text"}, {"integer", "an integer"},
             {"number", "a number"}, {"boolean", "true or false"}, {"null", "nothing"}};

const char *sty_schema_people(const char *type)
{
    for (size_t i = 0; i < STY_COUNT(words); i++)
        if (strcmp(words[i].type, type) == 0)
            return words[i].people;
    return type;
}

bool sty_schema_allows(const json_t *schema, const char *type)
{
    const json_t *types = json_object_get(schema, "type");
    if (!types)
        return true;
    const char *one = json_string_value(types);
    bool number = strcmp(type, "integer") == 0;
    if (one)
        return strcmp(one, type) == 0 || (number && strcmp(one, "number") == 0);
    return sty_json_has(types, type) || (number && sty_json_has(types, "number"));
}

json_t *sty_schema_number_as(const json_t *value, const json_t *schema, const char *text)
{
    double number = json_number_value(value);
    if (!json_is_number(value) || !json_object_get(schema, "type") ||
        sty_schema_allows(schema, sty_schema_type_name(value)))
        return NULL;
    if (json_is_real(value) && sty_schema_allows(schema, "integer") && fabs(number) < 9e15 && floor(number) == number)
        return json_integer((json_int_t)number);
    return sty_schema_allows(schema, "string") ? sty_json_string(text) : NULL;
}

void sty_schema_fill(json_t *object, const json_t *schema, const json_t *root)
{
    const char *name;
    json_t *one;
    if (!json_is_object(object))
        return;
    json_object_foreach (json_object_get(schema, "properties"), name, one) {
        const json_t *target = sty_schema_follow(root, one), *otherwise = json_object_get(one, "default");
        otherwise = otherwise ? otherwise : json_object_get(target, "default");
        if (!otherwise || json_object_get(object, name))
            continue;
        json_t *value = json_deep_copy(otherwise);
        json_object_set_new(object, name, value);
        sty_schema_fill(value, target, root);
    }
}
