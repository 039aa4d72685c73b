/* SPDX-License-Identifier: Apache-2.0 */
/* json_pointer: the vectors of RFC 6901 section 5 and RFC 7396 appendix A. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdbool.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "base/json.h"

static json_t *parsed(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(value);
    return value;
}

static void same(const json_t *value, const char *text)
{
    sty_auto_free char *got = sty_json_canonical_text(value);
    assert_string_equal(got, text);
}

static const char document[] =
    "{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,"
    "\"i\\\\j\":5,\"k\\\"l\":6,\" \":7,\"m~n\":8,\"deep\":{\"x\":{\"y\":[[1,2],{\"z\":null}]}}}";

static const struct {
    const char *pointer;
    const char *value; /* NULL: nothing stands there */
} pointers[] = {
    {"/foo", "[\"bar\",\"baz\"]"},
    {"/foo/0", "\"bar\""},
    {"/foo/1", "\"baz\""},
    {"/", "0"},
    {"/a~1b", "1"},
    {"/c%d", "2"},
    {"/e^f", "3"},
    {"/g|h", "4"},
    {"/i\\j", "5"},
    {"/k\"l", "6"},
    {"/ ", "7"},
    {"/m~0n", "8"},
    {"/deep/x/y/0/1", "2"},
    {"/deep/x/y/1/z", "null"},
    {"/foo/2", NULL},
    {"/foo/-", NULL},
    {"/foo/00", NULL},
    {"/foo/01", NULL},
    {"/foo/+1", NULL},
    {"/foo/", NULL},
    {"/foo/99999999999999999999999", NULL},
    {"/foo/18446744073709551616", NULL},
    {"/foo/0/x", NULL},
    {"/absent", NULL},
    {"/absent/more", NULL},
    {"foo", NULL},
    {"/m~n", NULL},
    {"/m~2n", NULL},
    {"/m~", NULL},
};

static void test_pointer(void **state)
{
    (void)state;
    json_auto_t *value = parsed(document);
    assert_ptr_equal(sty_json_pointer(value, ""), value);
    for (size_t i = 0; i < STY_COUNT(pointers); i++) {
        json_t *got = sty_json_pointer(value, pointers[i].pointer);
        if (pointers[i].value)
            same(got, pointers[i].value);
        else
            assert_null(got);
    }
    assert_null(sty_json_pointer(NULL, "/a"));
}

static void test_append(void **state)
{
    static const char *const tokens[] = {"", "a/b", "m~n", "~1", "/", "plain"};
    (void)state;
    sty_auto(str) all = STY_STR_INIT;
    for (size_t i = 0; i < STY_COUNT(tokens); i++) {
        sty_auto(str) pointer = STY_STR_INIT;
        json_auto_t *object = json_object();
        json_object_set_new(object, tokens[i], json_integer(1));
        sty_json_pointer_append(&pointer, tokens[i]);
        assert_non_null(sty_json_pointer(object, pointer.data));
        sty_json_pointer_append(&all, tokens[i]);
    }
    assert_string_equal(all.data, "//a~1b/m~0n/~01/~1/plain");
}

static void test_remove(void **state)
{
    static const struct {
        const char *pointer;
        bool removed;
        const char *left;
    } rows[] = {{"/a/b", true, "{\"a\":{},\"l\":[1,2,3]}"},
                {"/a", true, "{\"l\":[1,2,3]}"},
                {"/l/1", true, "{\"a\":{\"b\":1},\"l\":[1,3]}"},
                {"/l/3", false, NULL},
                {"/x", false, NULL},
                {"/x/y", false, NULL},
                {"", false, NULL},
                {"a", false, NULL},
                {"/a/b/c", false, NULL},
                {"/l/~", false, NULL}};
    static const char before[] = "{\"a\":{\"b\":1},\"l\":[1,2,3]}";
    (void)state;
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        json_auto_t *value = parsed(before);
        assert_int_equal(sty_json_pointer_remove(value, rows[i].pointer), rows[i].removed);
        same(value, rows[i].left ? rows[i].left : before);
    }
}

static const struct {
    const char *target;
    const char *patch;
    const char *result;
} patches[] = {
    {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
    {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
    {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
    {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
    {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
    {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
    {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
    {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
    {"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"},
    {"{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"},
    {"{\"a\":\"foo\"}", "null", "null"},
    {"{\"a\":\"foo\"}", "\"bar\"", "\"bar\""},
    {"{\"e\":null}", "{\"a\":1}", "{\"a\":1,\"e\":null}"},
    {"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
    {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
    {NULL, "{\"a\":{\"b\":null,\"c\":1}}", "{\"a\":{\"c\":1}}"},
    {"{\"a\":{\"x\":{\"p\":1},\"y\":2}}", "{\"a\":{\"x\":{\"q\":3}}}", "{\"a\":{\"x\":{\"p\":1,\"q\":3},\"y\":2}}"},
};

static void test_merge_patch(void **state)
{
    (void)state;
    for (size_t i = 0; i < STY_COUNT(patches); i++) {
        json_auto_t *target = patches[i].target ? parsed(patches[i].target) : NULL;
        json_auto_t *patch = parsed(patches[i].patch);
        json_auto_t *result = sty_json_merge_patch(target, patch);
        same(result, patches[i].result);
        if (target) {
            json_auto_t *before = parsed(patches[i].target);
            assert_true(json_equal(target, before));
        }
        json_auto_t *patch_before = parsed(patches[i].patch);
        assert_true(json_equal(patch, patch_before));
    }
}

/* What comes back shares nothing with what went in: changing it changes neither. */
static void test_merge_patch_shares_nothing(void **state)
{
    (void)state;
    json_auto_t *target = parsed("{\"keep\":{\"x\":1}}");
    json_auto_t *patch = parsed("{\"add\":{\"y\":[1]}}");
    json_auto_t *result = sty_json_merge_patch(target, patch);
    json_object_set_new(json_object_get(result, "keep"), "x", json_integer(9));
    json_array_append_new(sty_json_pointer(result, "/add/y"), json_integer(2));
    same(target, "{\"keep\":{\"x\":1}}");
    same(patch, "{\"add\":{\"y\":[1]}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pointer),
        cmocka_unit_test(test_append),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_merge_patch),
        cmocka_unit_test(test_merge_patch_shares_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
