/* SPDX-License-Identifier: Apache-2.0 */
/* json: strict reading, getters, argv and repaired text. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdbool.h>
#include <cmocka.h>
#include <string.h>
#include "base/json_internal.h"

static int parse(json_t **out, const char *text, struct sty_error *err)
{
    return sty_json_parse(out, text, strlen(text), err);
}

static void test_parse(void **state)
{
    static const char *const rows[] = {"{}", "[1, 2.5, \"x\", null]", "3", "\"text\"", " true ", "\"\\ud83d\\ude00\""};
    (void)state;
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        struct sty_error err;
        json_auto_t *value = NULL;
        assert_int_equal(parse(&value, rows[i], &err), 0);
        assert_non_null(value);
    }
}

static void test_parse_refuses(void **state)
{
    static const char *const rows[] = {"",
                                       " ",
                                       "{\"a\":1,\"a\":2}",
                                       "{\"a\":{\"b\":1,\"b\":1}}",
                                       "{} {}",
                                       "{}x",
                                       "[1,]",
                                       "{'a':1}",
                                       "[01]",
                                       "[NaN]",
                                       "[1e999]",
                                       "[99999999999999999999]",
                                       "\"\\u0000\"",
                                       "\"\\ud800\"",
                                       "\"\\udc00x\"",
                                       "\"\xFF\"",
                                       "\"\xED\xA0\x80\"",
                                       "\xEF\xBB\xBF{}",
                                       "\"a\nb\"",
                                       "// comment\n{}",
                                       "tru"};
    (void)state;
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        struct sty_error err = {0};
        json_t *value = NULL;
        assert_int_equal(parse(&value, rows[i], &err), -1);
        assert_int_equal(err.code, STY_INVALID);
        assert_null(value);
    }
}

static void test_parse_nul_and_length(void **state)
{
    struct sty_error err = {0};
    json_t *value = NULL;
    (void)state;
    assert_int_equal(sty_json_parse(&value, "{}\0", 3, &err), -1);
    assert_int_equal(sty_json_parse(&value, "[\0]", 3, &err), -1);
    assert_int_equal(sty_json_parse(&value, "\"a\0b\"", 5, &err), -1);
    assert_null(value);
    assert_int_equal(sty_json_parse(&value, "[1]garbage", 3, &err), 0);
    json_decref(value);
}

static void test_parse_says_where(void **state)
{
    struct sty_error err = {0};
    json_t *value = NULL;
    (void)state;
    assert_int_equal(parse(&value, "{\n  \"a\": hunter2\n}", &err), -1);
    assert_non_null(strstr(err.text, "line 2, column "));
    assert_null(strstr(err.text, "hunter2"));
}

static void test_parse_depth(void **state)
{
    (void)state;
    for (int depth = STY_JSON_DEPTH; depth <= STY_JSON_DEPTH + 1; depth++) {
        struct sty_error err = {0};
        sty_auto(str) text = STY_STR_INIT;
        json_auto_t *value = NULL;
        for (int i = 0; i < depth; i++)
            sty_str_append(&text, "[");
        for (int i = 0; i < depth; i++)
            sty_str_append(&text, "]");
        assert_int_equal(sty_json_parse(&value, text.data, text.length, &err), depth == STY_JSON_DEPTH ? 0 : -1);
    }
    struct sty_error err = {0};
    sty_auto(str) bomb = STY_STR_INIT;
    json_t *value = NULL;
    for (int i = 0; i < 100000; i++)
        sty_str_append(&bomb, "[");
    assert_int_equal(sty_json_parse(&value, bomb.data, bomb.length, &err), -1);
    assert_int_equal(err.code, STY_INVALID);
}

static void test_getters(void **state)
{
    struct sty_error err;
    json_auto_t *value = NULL;
    (void)state;
    assert_int_equal(parse(&value, "{\"t\":\"x\",\"n\":7,\"r\":1.5,\"yes\":true,\"no\":false,\"null\":null}", &err), 0);
    assert_string_equal(sty_json_text(value, "t", "-"), "x");
    assert_string_equal(sty_json_text(value, "n", "-"), "-");
    assert_null(sty_json_text(value, "absent", NULL));
    assert_null(sty_json_text(NULL, "t", NULL));
    assert_int_equal(sty_json_int(value, "n", -1), 7);
    assert_int_equal(sty_json_int(value, "r", -1), -1);
    assert_int_equal(sty_json_int(value, "t", -1), -1);
    assert_int_equal(sty_json_int(NULL, "n", -1), -1);
    assert_true(sty_json_bool(value, "yes", false));
    assert_false(sty_json_bool(value, "no", true));
    assert_true(sty_json_bool(value, "null", true));
    assert_false(sty_json_bool(NULL, "yes", false));
}

static void test_argv(void **state)
{
    struct sty_error err;
    json_auto_t *value = NULL;
    (void)state;
    sty_auto_ptr(arena) arena = sty_arena_new();
    assert_int_equal(parse(&value, "[\"a\",\"\",\"c d\"]", &err), 0);
    char **argv = sty_json_argv(arena, value);
    assert_string_equal(argv[0], "a");
    assert_string_equal(argv[1], "");
    assert_string_equal(argv[2], "c d");
    assert_null(argv[3]);
    assert_null(sty_json_argv(arena, NULL)[0]);
}

static void test_string(void **state)
{
    static const struct {
        const char *in;
        const char *out;
    } rows[] = {{"", ""},
                {"gr\xC3\xBC", "gr\xC3\xBC"},
                {"a\xFF"
                 "b",
                 "a\xEF\xBF\xBD"
                 "b"},
                {"\xE2\x82", "\xEF\xBF\xBD\xEF\xBF\xBD"},
                {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}};
    (void)state;
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        json_auto_t *value = sty_json_string(rows[i].in);
        assert_string_equal(json_string_value(value), rows[i].out);
    }
    json_auto_t *nothing = sty_json_string_or_null(NULL);
    json_auto_t *something = sty_json_string_or_null("x");
    assert_true(json_is_null(nothing));
    assert_true(json_is_string(something));
}

static void test_has(void **state)
{
    struct sty_error err;
    json_auto_t *value = NULL;
    (void)state;
    assert_int_equal(parse(&value, "[1,\"a\",null,\"b\"]", &err), 0);
    assert_true(sty_json_has(value, "b"));
    assert_false(sty_json_has(value, "c"));
    assert_false(sty_json_has(NULL, "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_parse_nul_and_length),
        cmocka_unit_test(test_parse_says_where),
        cmocka_unit_test(test_parse_depth),
        cmocka_unit_test(test_getters),
        cmocka_unit_test(test_argv),
        cmocka_unit_test(test_string),
        cmocka_unit_test(test_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
