/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The validator and JSON Schema: our schemas use no keyword that it does not know, and each one it knows means what the
 * JSON-Schema-Test-Suite says. A group of the suite that uses another keyword is left out, and only such a group.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/embed.h"
#include "base/file.h"
#include "definition/schema_internal.h"

#define SUITE "/usr/share/json-schema-test-suite/tests/draft7/"

extern const struct sty_embedded sty_embedded_schemas[];

/* What stands below a keyword. */
enum below { VALUE, SCHEMA, SCHEMAS, NAMED };

static const struct {
    const char *name;
    enum below below;
    const char *suite; /* the suite's file on it; NULL: none */
    size_t at_least;   /* groups of that file which use nothing else */
} known[] = {
    {"$schema", VALUE, NULL, 0},
    {"$id", VALUE, NULL, 0},
    {"title", VALUE, NULL, 0},
    {"description", VALUE, NULL, 0},
    {"default", VALUE, "default", 2},
    {"type", VALUE, "type", 8},
    {"enum", VALUE, "enum", 3},
    {"const", VALUE, "const", 4},
    {"pattern", VALUE, "pattern", 2},
    {"minimum", VALUE, "minimum", 1},
    {"maximum", VALUE, "maximum", 1},
    {"minLength", VALUE, "minLength", 1},
    {"maxLength", VALUE, "maxLength", 1},
    {"minItems", VALUE, "minItems", 1},
    {"maxItems", VALUE, "maxItems", 1},
    {"minProperties", VALUE, "minProperties", 1},
    {"maxProperties", VALUE, "maxProperties", 1},
    {"required", VALUE, "required", 3},
    {"items", SCHEMA, "items", 3},
    {"properties", NAMED, "properties", 2},
    {"additionalProperties", SCHEMA, "additionalProperties", 3},
    {"anyOf", SCHEMAS, "anyOf", 6},
    {"oneOf", SCHEMAS, "oneOf", 7},
    {"not", SCHEMA, "not", 6},
    {"$ref", VALUE, "ref", 6},
    {"$defs", NAMED, NULL, 0},
    {"definitions", NAMED, NULL, 0}, /* the suite's name for it, in draft 7 */
};

static const char *unknown_keyword(const json_t *schema);

static const char *unknown_below(const json_t *value, enum below below)
{
    const char *name, *unknown = NULL;
    json_t *child;
    size_t i;
    if (below == SCHEMA)
        return json_is_array(value) ? "items (a list)" : unknown_keyword(value);
    if (below == SCHEMAS)
        json_array_foreach (value, i, child)
            unknown = unknown ? unknown : unknown_keyword(child);
    if (below == NAMED)
        json_object_foreach ((json_t *)value, name, child)
            unknown = unknown ? unknown : unknown_keyword(child);
    return unknown;
}

static const char *unknown_keyword(const json_t *schema)
{
    const char *key, *unknown = NULL;
    json_t *value;
    json_object_foreach ((json_t *)schema, key, value) {
        size_t i = 0;
        while (i < STY_COUNT(known) && strcmp(known[i].name, key) != 0)
            i++;
        if (i == STY_COUNT(known))
            return key;
        unknown = unknown ? unknown : unknown_below(value, known[i].below);
    }
    return unknown;
}

static void test_schemas_use_known_keywords(void **state)
{
    (void)state;
    size_t files = 0, outputs = 0;
    for (const struct sty_embedded *file = sty_embedded_schemas; file->name; file++, files++) {
        json_auto_t *schema = json_loadb(file->bytes, file->length, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(schema);
        if (unknown_keyword(schema))
            fail_msg("%s uses '%s'", file->name, unknown_keyword(schema));
        outputs += strstr(file->name, "output/") != NULL;
    }
    assert_true(files - outputs >= 5 && outputs >= 3);
}

static void test_unknown_keywords_are_found(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "{\"format\": \"date\"}",
        "{\"items\": {\"contains\": {}}}",
        "{\"properties\": {\"type\": {\"allOf\": []}}}",
        "{\"$defs\": {\"x\": {\"if\": {}}}}",
        "{\"anyOf\": [{}, {\"uniqueItems\": true}]}",
        "{\"not\": {\"propertyNames\": {}}}",
    };
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        json_auto_t *schema = json_loads(rows[i], 0, NULL);
        assert_non_null(unknown_keyword(schema));
    }
}

/* What a real schema may hold and ours must not: a reference that leads nowhere. */
static void each_reference(const json_t *root, const json_t *at, const char *file)
{
    const char *key;
    json_t *child;
    size_t i;
    const char *reference = sty_json_text(at, "$ref", NULL);
    if (reference && (reference[0] != '#' || !sty_schema_follow(root, at)))
        fail_msg("%s: $ref %s leads nowhere", file, reference);
    json_object_foreach ((json_t *)at, key, child)
        each_reference(root, child, file);
    json_array_foreach (at, i, child)
        each_reference(root, child, file);
}

static void test_references_lead_somewhere(void **state)
{
    (void)state;
    for (const struct sty_embedded *file = sty_embedded_schemas; file->name; file++) {
        json_auto_t *schema = json_loadb(file->bytes, file->length, JSON_REJECT_DUPLICATES, NULL);
        each_reference(schema, schema, file->name);
    }
}

/* ---- the suite ---- */

/* What draft 7 means otherwise, and references to elsewhere. */
static bool not_ours(const json_t *group)
{
    static const char *const others[] = {
        "ref overrides any sibling keywords",   /* not so in 2020-12 */
        "remote ref, containing refs itself",   /* nothing is fetched */
        "Recursive references between schemas", /* $id inside */
    };
    const char *description = sty_json_text(group, "description", "");
    for (size_t i = 0; i < STY_COUNT(others); i++)
        if (sty_starts_with(description, others[i]))
            return true;
    return unknown_keyword(json_object_get(group, "schema")) != NULL;
}

static void run_group(const json_t *group, const char *file)
{
    const json_t *schema = json_object_get(group, "schema");
    json_t *test;
    size_t i;
    json_array_foreach (json_object_get(group, "tests"), i, test) {
        bool valid = sty_json_bool(test, "valid", false);
        if (sty_schema_fits(json_object_get(test, "data"), schema, schema) != valid)
            fail_msg("%s: %s: %s: wanted %s", file, sty_json_text(group, "description", ""),
                     sty_json_text(test, "description", ""), valid ? "valid" : "invalid");
    }
}

static size_t run_file(const char *name)
{
    struct sty_error err;
    sty_auto(str) text = STY_STR_INIT;
    sty_auto_free char *path = sty_sprintf(SUITE "%s.json", name);
    if (sty_file_read(&text, path, 1 << 20, &err) < 0)
        fail_msg("%s (package json-schema-test-suite)", err.text);
    json_auto_t *groups = json_loadb(text.data, text.length, 0, NULL);
    json_t *group;
    size_t i, ran = 0;
    assert_non_null(groups);
    json_array_foreach (groups, i, group) {
        if (not_ours(group))
            continue;
        run_group(group, name);
        ran++;
    }
    return ran;
}

static void test_keywords_mean_what_the_suite_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < STY_COUNT(known); i++) {
        size_t ran = known[i].suite ? run_file(known[i].suite) : 0;
        if (ran < known[i].at_least)
            fail_msg("%s: %zu groups ran, wanted %zu", known[i].name, ran, known[i].at_least);
    }
    assert_int_equal(run_file("boolean_schema"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schemas_use_known_keywords),
        cmocka_unit_test(test_unknown_keywords_are_found),
        cmocka_unit_test(test_references_lead_somewhere),
        cmocka_unit_test(test_keywords_mean_what_the_suite_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
