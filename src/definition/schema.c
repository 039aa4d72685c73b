/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding and checking by JSON Schema (draft 2020-12), limited to the keywords that schemas/ uses; a test holds the
 * schemas to that. The schema says what a plain scalar is: where a string is wanted its own text is taken.
 */
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/embed.h"
#include "base/map.h"
#include "definition/schema_internal.h"

extern const struct sty_embedded sty_embedded_schemas[];

static json_t *schemas; /* by name, read once */
static struct sty_map patterns = STY_MAP_INIT;
static pthread_mutex_t patterns_lock = PTHREAD_MUTEX_INITIALIZER;

static void load(void)
{
    schemas = json_object();
    for (const struct sty_embedded *file = sty_embedded_schemas; file->name; file++) {
        struct sty_error err;
        json_t *schema = NULL;
        if (sty_json_parse(&schema, file->bytes, file->length, &err) < 0) {
            fprintf(stderr, "styrmin: %s: %s\n", file->name, err.text);
            abort();
        }
        const char *start = strchr(file->name, '/') + 1;
        sty_auto_free char *name = sty_strndup(start, strlen(start) - strlen(".json"));
        json_object_set_new(schemas, name, schema);
    }
}

const json_t *sty_schema_get(const char *name)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    return json_object_get(schemas, name);
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
} words[] = {{"object", "a map"},    {"array", "a list"},          {"string", "text"}, {"integer", "a whole number"},
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

/* ---- what is nearest to a mistyped name ---- */

static size_t least(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

static size_t distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b), row[65];
    if (n > 64 || m > 64)
        return 64;
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t above = row[j];
            row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[m];
}

const char *sty_schema_nearest(const json_t *properties, const char *name)
{
    const char *best = NULL;
    size_t limit = strlen(name) / 3 + 1;
    for (void *at = json_object_iter((json_t *)properties); at; at = json_object_iter_next((json_t *)properties, at)) {
        size_t d = distance(name, json_object_iter_key(at));
        if (d <= limit) {
            limit = d - (d > 0);
            best = json_object_iter_key(at);
        }
    }
    return best;
}
