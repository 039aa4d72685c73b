/* SPDX-License-Identifier: Apache-2.0 */
/* The positioned tree, core typing, and the limits that hostile YAML meets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "definition/definition_internal.h"

struct fixture {
    struct sty_arena *arena;
    struct sty_problems problems;
    struct sty_yaml yaml;
    bool ok;
};

static struct fixture parse_bytes(const char *bytes, size_t length)
{
    struct fixture f = {.arena = sty_arena_new()};
    sty_problems_init(&f.problems, f.arena);
    struct sty_stream stream = {"x.yaml", bytes, length};
    f.ok = sty_yaml_parse(&f.yaml, f.arena, &stream, &f.problems);
    return f;
}

static struct fixture parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

static void refused(const char *bytes, size_t length, const char *words)
{
    struct fixture f = parse_bytes(bytes, length);
    assert_false(f.ok);
    assert_int_equal(f.problems.count, 1);
    if (!strstr(f.problems.items[0].message, words))
        fail_msg("wanted '%s' in '%s'", words, f.problems.items[0].message);
    sty_arena_free(f.arena);
}

static void test_positions(void **state)
{
    (void)state;
    struct fixture f = parse("a: 1\nb:\n  - x\n  - {c: y}\n---\nd: 2\n");
    assert_true(f.ok);
    assert_int_equal(f.yaml.count, 2);
    const struct sty_node *root = f.yaml.documents[0], *list = root->items[1];
    assert_int_equal(root->count, 2);
    assert_int_equal(list->items[0]->line, 3);
    assert_int_equal(list->items[0]->column, 5);
    assert_string_equal(list->items[1]->keys[0]->text, "c");
    assert_int_equal(f.yaml.documents[1]->line, 6);
    sty_arena_free(f.arena);
}

static void test_core_schema(void **state)
{
    (void)state;
    static const struct {
        const char *text, *json;
    } rows[] = {{"no", "\"no\""},   {"012", "12"},          {"0o14", "12"},
                {"0xff", "255"},    {"1.10", "1.1"},        {"~", "null"},
                {"true", "true"},   {"Yes", "\"Yes\""},     {"-3", "-3"},
                {"1e3", "1000"},    {"'1'", "\"1\""},       {"\"a\"", "\"a\""},
                {".5", "0.5"},      {"1.2.3", "\"1.2.3\""}, {"+12", "12"},
                {"0o9", "\"0o9\""}, {"!!str 1", "\"1\""},   {"9007199254740991", "9007199254740991"}};
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        struct fixture f = parse(rows[i].text);
        const char *why = NULL;
        assert_true(f.ok);
        json_auto_t *value = sty_core_value(f.yaml.documents[0], &why);
        assert_non_null(value);
        sty_auto_free char *text = sty_json_canonical_text(value);
        assert_string_equal(text, rows[i].json);
        sty_arena_free(f.arena);
    }
}

static void test_core_refuses(void **state)
{
    (void)state;
    static const char *const rows[] = {"9007199254740992",       "-9007199254740992", ".inf", ".nan", "1e999",
                                       "99999999999999999999999"};
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        struct fixture f = parse(rows[i]);
        const char *why = NULL;
        assert_true(f.ok);
        assert_null(sty_core_value(f.yaml.documents[0], &why));
        assert_non_null(why);
        sty_arena_free(f.arena);
    }
}

static char *repeat(const char *piece, size_t times)
{
    struct sty_str out = STY_STR_INIT;
    for (size_t i = 0; i < times; i++)
        sty_str_append(&out, piece);
    return sty_str_take(&out);
}

static void test_hostile(void **state)
{
    (void)state;
    sty_auto_free char *brackets = repeat("[", 200000), *shallow = repeat("[", 100), *dashes = repeat("- ", 100);
    sty_auto_free char *many = repeat("- 1\n", 100001), *big = repeat("a", (1 << 20) + 1);
    refused(brackets, strlen(brackets), "deeper than 64");
    refused(shallow, strlen(shallow), "deeper than 64");
    refused(dashes, strlen(dashes), "deeper than 64");
    refused(many, strlen(many), "100000");
    refused(big, strlen(big), "1 MiB");
    refused("%TAG ! tag:x,2000:\n---\na\n", 25, "directives");
    refused("a\0b", 3, "NUL");
    refused("a: \xff", 4, "UTF-8");
    refused("a: *x", 5, "anchor");
    refused("a: &x [*x]", 10, "anchor");
    refused("a:\tb: c: d", 10, "a ':' where no key can stand");
    refused("a: 1\n\tb: 2\n", 11, "a tab where YAML wants spaces");
    refused("a: @x\n", 6, "'@' cannot begin a value");
    refused("a: {{x}}/y\n", 11, "put the value in quotes");
    refused("\xff\xfe"
            "a",
            3, "UTF-16");
}

/* What can be gone past is told once and leaves the rest readable. */
static void test_goes_on_behind_a_mistake(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
        int line, column;
    } rows[] = {
        {"x: {y: 1, y: 2}\nz: 3\n", "key 'y' stands twice", 1, 11},
        {"x: {{parameters.port}}\nz: 3\n", "{{parameters.port}} without quotes is a map", 1, 4},
        {"x:\n  - {{{a}}}\nz: 3\n", "without quotes is a map in YAML", 2, 6},
        {"x: {? [a] : 1}\nz: 3\n", "a key is text, not a list", 1, 4},
        {"x: !!binary aGk=\nz: 3\n", "tags other than", 1, 4},
        {"x: !thing {a: 1}\nz: 3\n", "tags other than", 1, 4},
        {"x: !!map [a]\nz: 3\n", "tags other than", 1, 4},
        {"x: \"\\0\"\nz: 3\n", "NUL", 1, 4},
    };
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        struct fixture f = parse(rows[i].text);
        assert_true(f.ok);
        assert_int_equal(f.problems.count, 1);
        const struct sty_problem *told = &f.problems.items[0];
        if (!strstr(told->message, rows[i].words))
            fail_msg("wanted '%s' in '%s'", rows[i].words, told->message);
        assert_int_equal(told->line, rows[i].line);
        assert_int_equal(told->column, rows[i].column);
        const struct sty_node *root = f.yaml.documents[0];
        assert_int_equal(root->kind, STY_NODE_MAP);
        assert_int_equal(root->count, 2);
        assert_string_equal(root->items[1]->text, "3");
        sty_arena_free(f.arena);
    }
}

/* Neither of two values is taken, so that a name which stands twice is no name. */
static void test_twice_is_no_value(void **state)
{
    (void)state;
    struct fixture f = parse("a: 1\nb: 2\na: 3\n");
    const struct sty_node *root = f.yaml.documents[0];
    assert_true(f.ok);
    assert_int_equal(root->count, 2);
    assert_int_equal(root->items[0]->kind, STY_NODE_BROKEN);
    assert_int_equal(root->items[1]->kind, STY_NODE_SCALAR);
    sty_arena_free(f.arena);
}

static void test_tags_of_the_core_schema(void **state)
{
    (void)state;
    static const struct {
        const char *text, *json; /* NULL: refused */
    } rows[] = {{"!!int \"12\"", "12"}, {"!!float 12", "12"}, {"!!bool true", "true"}, {"!!null ~", "null"},
                {"!!str 12", "\"12\""}, {"! 12", "\"12\""},   {"!!int x", NULL},       {"!!bool 1", NULL}};
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        struct fixture f = parse(rows[i].text);
        const char *why = NULL;
        assert_true(f.ok);
        json_auto_t *value = sty_core_value(f.yaml.documents[0], &why);
        sty_auto_free char *text = value ? sty_json_canonical_text(value) : NULL;
        if (rows[i].json)
            assert_string_equal(text, rows[i].json);
        else
            assert_string_equal(why, "not what its tag says");
        sty_arena_free(f.arena);
    }
}

static void test_alias_budget(void **state)
{
    (void)state;
    struct fixture f = parse("a: &a [1, 2]\nb: [*a, *a]\n");
    assert_true(f.ok);
    sty_arena_free(f.arena);
    const char *laughs = "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
                         "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
                         "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n";
    refused(laughs, strlen(laughs), "aliases");
}

static void test_line_ends_and_marks(void **state)
{
    (void)state;
    struct fixture f = parse("\xef\xbb\xbf"
                             "a: 1\r\nb: 2\r\n");
    assert_true(f.ok);
    assert_int_equal(f.yaml.documents[0]->count, 2);
    assert_string_equal(f.yaml.documents[0]->items[1]->text, "2");
    sty_arena_free(f.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_core_schema),
        cmocka_unit_test(test_core_refuses),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_goes_on_behind_a_mistake),
        cmocka_unit_test(test_twice_is_no_value),
        cmocka_unit_test(test_tags_of_the_core_schema),
        cmocka_unit_test(test_alias_budget),
        cmocka_unit_test(test_line_ends_and_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
