/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding by schema, its messages, and that the schemas use no keyword which the validator does not know. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/embed.h"
#include "definition/definition_internal.h"

extern const struct sty_embedded sty_embedded_schemas[];

struct decoded {
    struct sty_arena *arena;
    struct sty_problems problems;
    struct sty_stream_document *documents;
    size_t count;
    bool read;
};

static struct decoded decode(const char *text)
{
    struct decoded d = {.arena = sty_arena_new()};
    struct sty_stream stream = {"x.yaml", text, strlen(text)};
    sty_problems_init(&d.problems, d.arena);
    d.read = sty_stream_decode(&d.documents, &d.count, &stream, NULL, &d.problems);
    return d;
}

static const char deployment[] = "apiVersion: styrmin.io/v1\nkind: Deployment\nmetadata: {name: shop}\n"
                                 "spec:\n  environment: production\n  driver: {name: web, version: 1.10}\n";

static void test_text_where_text_is_wanted(void **state)
{
    (void)state;
    sty_auto_free char *text = sty_sprintf("%s  version: 1.10\n  config: {a: 1.10, b: no, c: 012}\n", deployment);
    struct decoded d = decode(text);
    assert_true(d.read && d.count == 1 && d.documents[0].valid);
    const json_t *spec = json_object_get(d.documents[0].decoded.value, "spec");
    assert_string_equal(sty_json_text(spec, "version", ""), "1.10");
    assert_string_equal(sty_json_text(json_object_get(spec, "driver"), "version", ""), "1.10");
    const json_t *config = json_object_get(spec, "config");
    assert_true(json_is_real(json_object_get(config, "a")));
    assert_string_equal(sty_json_text(config, "b", ""), "no");
    assert_int_equal(sty_json_int(config, "c", 0), 12);
    const json_t *mark = json_object_get(d.documents[0].decoded.marks, "/spec/config/a");
    assert_int_equal(json_integer_value(json_array_get(mark, 0)), 8);
    assert_string_equal(json_string_value(json_array_get(mark, 2)), "1.10");
    sty_arena_free(d.arena);
}

static void test_defaults(void **state)
{
    (void)state;
    struct decoded d = decode(deployment);
    const json_t *spec = json_object_get(d.documents[0].decoded.value, "spec");
    assert_string_equal(sty_json_text(spec, "lifecycle", ""), "running");
    assert_string_equal(sty_json_text(spec, "deletion", ""), "delete");
    assert_true(json_is_array(json_object_get(spec, "depends_on")));
    assert_true(json_is_object(json_object_get(spec, "parameters")));
    sty_arena_free(d.arena);
}

static void wants(const char *text, int line, const char *words, bool read)
{
    struct decoded d = decode(text);
    assert_int_equal(d.read, read);
    assert_true(d.problems.errors > 0);
    bool found = false;
    for (size_t i = 0; i < d.problems.count; i++)
        found = found || (strstr(d.problems.items[i].message, words) && d.problems.items[i].line == line);
    if (!found)
        fail_msg("no '%s' at line %d, but line %d: %s", words, line, d.problems.items[0].line,
                 d.problems.items[0].message);
    sty_arena_free(d.arena);
}

static void test_messages(void **state)
{
    (void)state;
    static const struct {
        const char *line, *words;
    } rows[] = {
        {"  lifecycel: running\n", "did you mean 'lifecycle'?"},     {"  lifecycle: sleeping\n", "wanted one of"},
        {"  suspend: maybe\n", "wanted true or false, got 'maybe'"}, {"  depends_on: database\n", "wanted a list"},
        {"  depends_on: [Data_Base]\n", "is not a DNS-1123 label"},  {"  parameters: 3\n", "wanted a map"},
    };
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        sty_auto_free char *text = sty_sprintf("%s%s", deployment, rows[i].line);
        wants(text, 7, rows[i].words, true);
    }
}

static void test_names_decide_readability(void **state)
{
    (void)state;
    wants("kind: Deployment\nmetadata: {name: UPPER}\nspec: {environment: a, driver: {name: a, version: 1}}\n", 2,
          "is not a DNS-1123 label", false);
    wants("kind: Deployment\nmetadata: {name: shop}\nspec: {driver: {name: a, version: 1}}\n", 3, "environment", false);
    wants("kind: Nothing\n", 1, "kind", false);
    wants("kind: Cluster\nmetadata: {name: a}\nspec: {kind: moon}\n", 3, "wanted one of", true);
}

static void test_all_mistakes_at_once(void **state)
{
    (void)state;
    sty_auto_free char *text =
        sty_sprintf("%s  suspend: 3\n  lifecycle: x\n---\n%s  deletion: never\n", deployment, deployment);
    struct decoded d = decode(text);
    assert_int_equal(d.count, 2);
    assert_int_equal(d.problems.errors, 3);
    sty_arena_free(d.arena);
}

static void test_check_after_templates(void **state)
{
    (void)state;
    sty_auto_ptr(arena) arena = sty_arena_new();
    struct sty_problems problems;
    struct sty_problem where = {.file = "driver.styrmin.yml", .line = 3, .column = 1};
    sty_problems_init(&problems, arena);
    json_auto_t *spec = json_pack("{s:[s, i], s:s}", "command", "server", 8080, "stop_timeout", "5s");
    assert_true(sty_schema_check(spec, "driver#/$defs/processSpec", &where, &problems));
    assert_string_equal(json_string_value(json_array_get(json_object_get(spec, "command"), 1)), "8080");
    json_auto_t *bad = json_pack("{s:s, s:b}", "path", "/srv/x", "mode", 1);
    assert_false(sty_schema_check(bad, "driver#/$defs/directorySpec", &where, &problems));
    assert_int_equal(problems.errors, 1);
    assert_non_null(strstr(problems.items[0].message, "/mode"));
    json_auto_t *unknown = json_pack("{s:s, s:s}", "path", "/srv/x", "moed", "0755");
    assert_false(sty_schema_check(unknown, "driver#/$defs/directorySpec", &where, &problems));
    assert_non_null(strstr(problems.items[1].message, "did you mean 'mode'"));
}

/* ---- the schemas keep to what the validator knows ---- */

static const char *const known[] = {
    "$schema",  "$id",      "title",   "description", "type",    "properties", "required",      "items",
    "enum",     "const",    "pattern", "minimum",     "maximum", "minLength",  "maxLength",     "additionalProperties",
    "minItems", "maxItems", "anyOf",   "$ref",        "$defs",   "default",    "minProperties", "maxProperties"};

static void only_known(const json_t *schema, const char *file)
{
    const char *key, *name;
    json_t *value, *child;
    json_object_foreach ((json_t *)schema, key, value) {
        bool found = false;
        for (size_t i = 0; i < STY_COUNT(known); i++)
            found = found || strcmp(known[i], key) == 0;
        if (!found)
            fail_msg("%s uses '%s'", file, key);
        bool named = strcmp(key, "properties") == 0 || strcmp(key, "$defs") == 0;
        bool one = strcmp(key, "items") == 0 || strcmp(key, "additionalProperties") == 0;
        if (one && json_is_object(value))
            only_known(value, file);
        if (named)
            json_object_foreach (value, name, child)
                only_known(child, file);
        for (size_t i = 0; strcmp(key, "anyOf") == 0 && i < json_array_size(value); i++)
            only_known(json_array_get(value, i), file);
    }
}

static void test_schemas_use_known_keywords(void **state)
{
    (void)state;
    size_t files = 0;
    for (const struct sty_embedded *file = sty_embedded_schemas; file->name; file++, files++) {
        json_t *schema = json_loadb(file->bytes, file->length, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(schema);
        only_known(schema, file->name);
        json_decref(schema);
    }
    assert_true(files >= 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_where_text_is_wanted),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_names_decide_readability),
        cmocka_unit_test(test_all_mistakes_at_once),
        cmocka_unit_test(test_check_after_templates),
        cmocka_unit_test(test_schemas_use_known_keywords),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
