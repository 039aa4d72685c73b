/* SPDX-License-Identifier: Apache-2.0 */
/* fill, environment: holes and their escapes, mistakes in them, argv below the driver's files. */
#include "fixture.h"

#define HOLE(offset, escape)                                                                                           \
    "{\"n\":0,\"offset\":" #offset ",\"reference\":{\"from_env\":\"K\"},\"escape\":\"" escape "\"}"

static void test_texts(void **state)
{
    static const struct {
        const char *text, *secret, *filled;
    } rows[] = {{"\"plain\"", NULL, "plain"},
                {"{\"text\":\"a b\",\"holes\":[]}", NULL, "a b"},
                {"{\"text\":\"[]\",\"holes\":[" HOLE(1, "none") "]}", "x'y", "[x'y]"},
                {"{\"text\":\"\",\"holes\":[" HOLE(0, "none") "]}", "all", "all"},
                {"{\"text\":\"ab\",\"holes\":[" HOLE(1, "none") "," HOLE(1, "json") "," HOLE(2, "none") "]}", "\"",
                 "a\"\\\"b\""},
                {"{\"text\":\"''\",\"holes\":[" HOLE(1, "shell") "]}", "it's", "'it'\\''s'"},
                {"{\"text\":\"''\",\"holes\":[" HOLE(1, "yaml") "]}", "it's", "'it''s'"},
                {"{\"text\":\"<b>\",\"holes\":[" HOLE(3, "html") "]}", "a<b>", "<b>a&lt;b&gt;"}};
    struct fixture *f = *state;
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        json_auto_t *text = json_loads(rows[i].text, JSON_DECODE_ANY, NULL);
        struct sty_error err;
        sty_auto_free char *out = NULL;
        f->secret = rows[i].secret;
        assert_int_equal(sty_text_fill(&out, &f->host, text, &err), 0);
        assert_string_equal(out, rows[i].filled);
    }
}

static void test_mistakes(void **state)
{
    static const struct {
        const char *text;
        enum sty_code code;
    } rows[] = {{"7", STY_CORRUPT},
                {"{\"holes\":[]}", STY_CORRUPT},
                {"{\"text\":\"ab\",\"holes\":[" HOLE(3, "none") "]}", STY_CORRUPT},
                {"{\"text\":\"ab\",\"holes\":[" HOLE(-1, "none") "]}", STY_CORRUPT},
                {"{\"text\":\"ab\",\"holes\":[" HOLE(2, "none") "," HOLE(1, "none") "]}", STY_CORRUPT}};
    struct fixture *f = *state;
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        json_auto_t *text = json_loads(rows[i].text, JSON_DECODE_ANY, NULL);
        struct sty_error err;
        char *out = NULL;
        assert_int_equal(sty_text_fill(&out, &f->host, text, &err), -1);
        assert_int_equal(err.code, rows[i].code);
        assert_null(strstr(err.text, "top secret"));
        assert_null(out);
    }
}

static const char *find(char **environment, const char *name)
{
    for (; *environment; environment++)
        if (sty_starts_with(*environment, name) && (*environment)[strlen(name)] == '=')
            return *environment + strlen(name) + 1;
    return NULL;
}

static void test_environment(void **state)
{
    struct fixture *f = *state;
    struct sty_error err;
    char **made = NULL;
    sty_auto_ptr(arena) arena = sty_arena_new();
    assert_int_equal(sty_environment_make(&made, arena, &f->host, NULL, &err), 0);
    assert_non_null(find(made, "PATH"));
    assert_non_null(find(made, "HOME"));
    assert_null(made[3]);
    json_auto_t *env = json_pack("{s:s, s:o}", "PATH", "/opt/bin", "KEY",
                                 json_loads("{\"text\":\"<>\",\"holes\":[" HOLE(1, "none") "]}", 0, NULL));
    assert_int_equal(sty_environment_make(&made, arena, &f->host, env, &err), 0);
    assert_string_equal(find(made, "PATH"), "/opt/bin");
    assert_string_equal(find(made, "KEY"), "<top secret>");
    assert_null(made[4]);
    f->secret = NULL;
    assert_int_equal(sty_environment_make(&made, arena, &f->host, env, &err), -1);
    assert_int_equal(err.code, STY_DENIED);
    assert_non_null(strstr(err.text, "variable KEY"));
    json_auto_t *bad = json_pack("{s:s}", "A=B", "x");
    assert_int_equal(sty_environment_make(&made, arena, &f->host, bad, &err), -1);
}

static void test_argv(void **state)
{
    static const struct {
        const char *argv, *words; /* D is the driver's folder */
    } rows[] = {{"[\"sh\",\"a/b\",\"./c\",\"/d\"]", "sh a/b D/c /d"},
                {"[\"./actions/go\",\".\"]", "D/actions/go ."},
                {"[\"actions/go\"]", "D/actions/go"},
                {"[\"/bin/true\"]", "/bin/true"},
                {"[]", NULL},
                {"[\"\"]", NULL}};
    struct fixture *f = *state;
    struct sty_provider_call call = call_of(f, NULL);
    snprintf(f->driver, sizeof(f->driver), "D");
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        sty_auto_ptr(arena) arena = sty_arena_new();
        json_auto_t *argv = json_loads(rows[i].argv, 0, NULL);
        sty_auto(str) joined = STY_STR_INIT;
        struct sty_error err;
        char **words = NULL;
        assert_int_equal(sty_argv_make(&words, arena, &call, argv, &err), rows[i].words ? 0 : -1);
        for (size_t n = 0; words && words[n]; n++)
            sty_str_appendf(&joined, "%s%s", n ? " " : "", words[n]);
        assert_string_equal(joined.data, rows[i].words ? rows[i].words : "");
    }
}

static void test_find(void **state)
{
    static const char *const types[] = {"directory", "file", "symlink", "unit", "process", "command"};
    (void)state;
    for (size_t i = 0; i < STY_COUNT(types); i++)
        assert_string_equal(sty_provider_find(types[i])->type, types[i]);
    assert_null(sty_provider_find("nothing"));
    assert_null(sty_provider_find(NULL));
}

static void test_tail(void **state)
{
    char out[8];
    (void)state;
    sty_tail_visible(out, sizeof(out), "three\ntwo\n\n", 11);
    assert_string_equal(out, "ree two");
    sty_tail_visible(out, sizeof(out), "x\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 9);
    assert_string_equal(out, "\xc3\xa9\xc3\xa9\xc3\xa9");
    sty_tail_visible(out, sizeof(out), "", 0);
    assert_string_equal(out, "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_make, fixture_remove)
    const struct CMUnitTest tests[] = {TEST(test_texts), TEST(test_mistakes), TEST(test_environment),
                                       TEST(test_argv),  TEST(test_find),     TEST(test_tail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
