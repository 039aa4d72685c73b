/* SPDX-License-Identifier: Apache-2.0 */
/* The difference of two Instances: what changed, in which order, and of what class it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "diff/diff.h"

static const char base[] =
    "{\"actions\":[],\"application\":{\"name\":\"web\",\"version\":\"1.4.0\"},\"cluster\":\"c\",\"components\":{"
    "\"server\":{\"depends_on\":[\"site\"],\"drift\":{},\"health\":null,\"reload_on\":[],\"resources\":[{\"id\":"
    "\"process:x\","
    "\"spec\":{\"command\":[\"a\"]},\"type\":\"process\"}],\"restart_on\":[]},"
    "\"site\":{\"depends_on\":[],\"drift\":{},\"health\":null,\"reload_on\":[],\"resources\":[{\"id\":\"file:/"
    "a\",\"spec\":{"
    "\"mode\":\"0644\"},\"type\":\"file\"},{\"id\":\"file:/b\",\"spec\":{},\"type\":\"file\"}],\"restart_on\":[]}},"
    "\"context\":{\"app\":{\"version\":\"1.4.0\"},\"parameters\":{\"port\":80}},\"deployment\":\"d\",\"driver\":{"
    "\"files\":"
    "\"sha256:x\",\"name\":\"web\",\"version\":\"1\"},\"environment\":\"e\",\"format\":1,\"lifecycle\":\"running\","
    "\"on_failure\":{}}";

/* The base with the value at each pointer replaced: pointer, JSON, ..., NULL. */
static struct sty_instance *instance(const char *pointer, const char *value, const char *pointer2, const char *value2)
{
    struct sty_error err;
    struct sty_instance *made = NULL;
    json_t *tree = NULL;
    assert_int_equal(sty_json_parse(&tree, base, strlen(base), &err), 0);
    const char *changes[][2] = {{pointer, value}, {pointer2, value2}};
    for (size_t i = 0; i < 2 && changes[i][0]; i++) {
        sty_auto_free char *parent = sty_strdup(changes[i][0]);
        char *slash = strrchr(parent, '/');
        *slash = '\0';
        json_t *fresh = json_loads(changes[i][1], JSON_DECODE_ANY, NULL);
        assert_non_null(fresh);
        assert_int_equal(json_object_set_new(sty_json_pointer(tree, parent), slash + 1, fresh), 0);
    }
    sty_auto_free char *bytes = sty_json_canonical_text(tree);
    json_decref(tree);
    assert_int_equal(sty_instance_parse(&made, bytes, strlen(bytes), NULL, &err), 0);
    return made;
}

static void expect(const struct sty_diff *diff, const char *entries, const char *resources)
{
    sty_auto(str) e = STY_STR_INIT;
    sty_auto(str) r = STY_STR_INIT;
    for (size_t i = 0; i < json_array_size(diff->entries); i++) {
        const json_t *entry = json_array_get(diff->entries, i);
        sty_str_appendf(&e, "%s %s;", sty_json_text(entry, "op", ""), sty_json_text(entry, "path", ""));
    }
    for (size_t i = 0; i < json_array_size(diff->resources); i++) {
        const json_t *entry = json_array_get(diff->resources, i);
        sty_str_appendf(&r, "%s %s;", sty_json_text(entry, "action", ""), sty_json_text(entry, "id", ""));
    }
    assert_string_equal(e.data, entries);
    assert_string_equal(r.data, resources);
}

static void test_same(void **state)
{
    (void)state;
    sty_auto_ptr(instance) a = instance(NULL, NULL, NULL, NULL);
    sty_auto_ptr(instance) b = instance(NULL, NULL, NULL, NULL);
    sty_auto(diff) diff = {0};
    sty_diff(&diff, a, b, NULL);
    expect(&diff, "", "");
    assert_int_equal(sty_diff_class(&diff), STY_CHANGE_NONE);
}

static void test_classes(void **state)
{
    (void)state;
    static const struct {
        const char *pointer, *value;
        enum sty_change_class wanted;
    } rows[] = {
        {"/lifecycle", "\"stopped\"", STY_CHANGE_LIFECYCLE},
        {"/context/parameters/port", "81", STY_CHANGE_CONTENT},
        {"/application/version", "\"1.5.0\"", STY_CHANGE_NEWER},
        {"/application/version", "\"1.3.9\"", STY_CHANGE_OLDER},
        {"/application/version", "\"nightly\"", STY_CHANGE_NEWER},
        {"/driver/version", "\"2\"", STY_CHANGE_NEWER},
        {"/driver/version", "\"0.9\"", STY_CHANGE_OLDER},
        {"/driver/name", "\"other\"", STY_CHANGE_NEWER},
        {"/driver/files", "\"sha256:y\"", STY_CHANGE_CONTENT},
        {"/components/site/restart_on", "[\"server\"]", STY_CHANGE_CONTENT},
    };
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        sty_auto_ptr(instance) a = instance(NULL, NULL, NULL, NULL);
        sty_auto_ptr(instance) b = instance(rows[i].pointer, rows[i].value, NULL, NULL);
        sty_auto(diff) diff = {0};
        sty_diff(&diff, a, b, NULL);
        assert_int_equal(sty_diff_class(&diff), rows[i].wanted);
        assert_int_equal(json_array_size(diff.entries), 1);
        assert_string_equal(sty_json_text(json_array_get(diff.entries, 0), "path", ""), rows[i].pointer);
    }
}

static void test_older_wins_over_another_driver(void **state)
{
    (void)state;
    sty_auto_ptr(instance) a = instance(NULL, NULL, NULL, NULL);
    sty_auto_ptr(instance) b = instance("/driver/name", "\"other\"", "/application/version", "\"1.0.0\"");
    sty_auto(diff) diff = {0};
    sty_diff(&diff, a, b, NULL);
    assert_int_equal(sty_diff_class(&diff), STY_CHANGE_OLDER);
    assert_true(diff.driver_replaced);
}

static void test_resources(void **state)
{
    (void)state;
    sty_auto_ptr(instance) a = instance(NULL, NULL, NULL, NULL);
    sty_auto_ptr(instance) b =
        instance("/components/site/resources",
                 "[{\"id\":\"file:/a\",\"spec\":{\"mode\":\"0600\"},\"type\":\"file\"},{\"id\":\"file:/c\",\"spec\":{},"
                 "\"type\":\"file\"}]",
                 "/components/server/resources", "[]");
    sty_auto(diff) diff = {0};
    sty_diff(&diff, a, b, NULL);
    expect(&diff, "replace /components/server/resources;replace /components/site/resources;",
           "update file:/a;create file:/c;delete process:x;delete file:/b;");
}

static void test_from_and_to_nothing(void **state)
{
    (void)state;
    sty_auto_ptr(instance) a = instance(NULL, NULL, NULL, NULL);
    sty_auto(diff) created = {0};
    sty_auto(diff) deleted = {0};
    sty_diff(&created, NULL, a, NULL);
    sty_diff(&deleted, a, NULL, NULL);
    assert_int_equal(json_array_size(created.entries), 11);
    assert_int_equal(json_array_size(deleted.entries), 11);
    assert_int_equal(json_array_size(created.resources), 3);
    assert_string_equal(sty_json_text(json_array_get(deleted.resources, 0), "id", ""), "process:x");
    assert_string_equal(sty_json_text(json_array_get(deleted.resources, 2), "id", ""), "file:/a");
    assert_true(json_is_null(json_object_get(json_array_get(created.entries, 0), "from")));
}

static void test_origins(void **state)
{
    (void)state;
    sty_auto_ptr(instance) a = instance(NULL, NULL, NULL, NULL);
    sty_auto_ptr(instance) b = instance("/context/parameters/port", "81", NULL, NULL);
    json_auto_t *origins = json_pack("{s:[s, i, i]}", "/context/parameters/port", "deployments/shop.yaml", 8, 22);
    sty_auto(diff) diff = {0};
    sty_diff(&diff, a, b, origins);
    const json_t *entry = json_array_get(diff.entries, 0), *origin = json_object_get(entry, "origin");
    assert_int_equal(sty_json_int(entry, "from", 0), 80);
    assert_int_equal(sty_json_int(entry, "to", 0), 81);
    assert_string_equal(sty_json_text(origin, "file", ""), "deployments/shop.yaml");
    assert_int_equal(sty_json_int(origin, "line", 0), 8);
}

static void test_the_nearest_origin(void **state)
{
    (void)state;
    static const struct {
        const char *pointer, *value, *origins;
        int line; /* 0: none */
    } rows[] = {
        {"/context/parameters", "{\"port\":[1]}", "{\"/context/parameters/port/0\":[\"a\",3,1]}", 3},
        {"/components/site/resources", "[]", "{\"/components/site\":[\"a\",4,1]}", 4},
        {"/context/parameters/port", "81", "{\"/context/parameter\":[\"a\",5,1]}", 0},
    };
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        sty_auto_ptr(instance) a = instance(NULL, NULL, NULL, NULL);
        sty_auto_ptr(instance) b = instance(rows[i].pointer, rows[i].value, NULL, NULL);
        json_auto_t *origins = json_loads(rows[i].origins, 0, NULL);
        sty_auto(diff) diff = {0};
        sty_diff(&diff, a, b, origins);
        const json_t *origin = json_object_get(json_array_get(diff.entries, 0), "origin");
        assert_int_equal(sty_json_int(origin, "line", 0), rows[i].line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_resources),
        cmocka_unit_test(test_older_wins_over_another_driver),
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_the_nearest_origin),
        cmocka_unit_test(test_from_and_to_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
