/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Templates: the rules of Mustache as case files (tests/cases/mustache), the escaping by target as a table, what a
 * hostile template must not be able to do, and the holes that secrets leave.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>
#include "base/file.h"
#include "instance/template.h"

static int partial_of(void *self, const char **text, size_t *length, const char *name, struct sty_error *err)
{
    *text = sty_json_text(self, name, NULL);
    if (!*text)
        return sty_error_set(err, STY_NOT_FOUND, "there is no partial '%s'", name);
    *length = strlen(*text);
    return 0;
}

static struct sty_template template_of(const char *text, enum sty_escape escape)
{
    return (struct sty_template){
        .file = "t", .line = 1, .column = 1, .text = text, .length = strlen(text), .escape = escape};
}

/* ---- Mustache ---- */

static bool run_case(const json_t *one)
{
    json_auto_t *nothing = json_object();
    const json_t *data = json_object_get(one, "data");
    struct sty_template template = template_of(sty_json_text(one, "template", ""), STY_ESCAPE_HTML);
    struct sty_template_world world = {
        .context = data ? data : nothing, .partial = partial_of, .self = json_object_get(one, "partials")};
    sty_auto(str) out = STY_STR_INIT;
    struct sty_error err = {0};
    const char *error = sty_json_text(one, "error", NULL);
    int status = sty_template_render(&out, NULL, &template, &world, &err);
    const char *got = status < 0 ? err.text : out.data;
    const char *wanted = error ? error : sty_json_text(one, "expected", "");
    bool good = (status < 0) == (error != NULL) && sty_ends_with(got, wanted) && (error || sty_streq(got, wanted));
    if (!good)
        print_error("%s: got '%s', wanted '%s'\n", sty_json_text(one, "name", ""), got, wanted);
    return good;
}

static void mustache_cases(void **state)
{
    static const char *const names[] = {"comments", "delimiters", "interpolation", "inverted", "partials", "sections"};
    size_t bad = 0, run = 0;
    (void)state;
    for (size_t i = 0; i < STY_COUNT(names); i++) {
        sty_auto_free char *path = sty_sprintf(STYRMIN_TESTS "/cases/mustache/%s.json", names[i]);
        sty_auto(str) text = STY_STR_INIT;
        struct sty_error err;
        json_auto_t *cases = NULL;
        assert_int_equal(sty_file_read(&text, path, 1 << 20, &err), 0);
        assert_int_equal(sty_json_parse(&cases, text.data, text.length, &err), 0);
        for (size_t j = 0; j < json_array_size(cases); j++, run++)
            bad += !run_case(json_array_get(cases, j));
    }
    assert_true(run > 100);
    assert_int_equal(bad, 0);
}

/* ---- escaping by target ---- */

static const char values[] =
    "{\"s\": \"plain.text/1\", \"n\": 8080, \"f\": 1.5, \"b\": true, \"z\": null, \"e\": \"\","
    "\"q\": \"it's \\\"x\\\" \\\\ a: b # c\", \"nl\": \"a\\nb\\t\", \"no\": \"no\","
    "\"l\": [1, \"a b\"], \"m\": {\"k\": \"v w\", \"a\": null}, \"c1\": \"\\u0085\\u007f\\u2028\","
    "\"k\": \"key\"}";

struct escape_case {
    enum sty_escape escape;
    const char *template, *expected; /* expected "!..." : an error that has this */
};

static const struct escape_case escapes[] = {
    {STY_ESCAPE_YAML, "a: {{s}}\n", "a: \"plain.text/1\"\n"},
    {STY_ESCAPE_YAML, "a: {{n}}\nb: {{f}}\nc: {{b}}\nd: {{z}}\n", "a: 8080\nb: 1.5\nc: true\nd: null\n"},
    {STY_ESCAPE_YAML, "a: {{no}}", "a: \"no\""},
    {STY_ESCAPE_YAML, "a: {{q}} # why\n", "a: \"it's \\\"x\\\" \\\\ a: b # c\" # why\n"},
    {STY_ESCAPE_YAML, "a: {{l}}\nb: {{m}}\n", "a: [1,\"a b\"]\nb: {\"a\":null,\"k\":\"v w\"}\n"},
    {STY_ESCAPE_YAML, "- {{l}}\n-   {{s}}\n", "- [1,\"a b\"]\n-   \"plain.text/1\"\n"},
    {STY_ESCAPE_YAML, "a: {x: {{n}}, y: {{s}} }\n", "a: {x: 8080, y: \"plain.text/1\" }\n"},
    {STY_ESCAPE_YAML, "a: [{{#l}}{{.}},{{/l}}]\n", "a: [1,\"a b\",]\n"},
    {STY_ESCAPE_YAML, "a: x-{{s}}\n", "a: x-plain.text/1\n"},
    {STY_ESCAPE_YAML, "a: {{s}}-{{n}}\n", "a: plain.text/1-8080\n"},
    {STY_ESCAPE_YAML, "{{k}}: 1\n", "key: 1\n"},
    {STY_ESCAPE_YAML, "a: x {{q}}\n", "!the text of 'q' needs quotes around the tag"},
    {STY_ESCAPE_YAML, "{{q}}: 1\n", "!the text of 'q' needs quotes"},
    {STY_ESCAPE_YAML, "a: x {{l}}\n", "!'l' is a list and cannot be written as text"},
    {STY_ESCAPE_YAML, "a: \"x {{q}} {{n}}\"\n", "a: \"x it's \\\"x\\\" \\\\ a: b # c 8080\"\n"},
    {STY_ESCAPE_YAML, "a: \"\\\"{{nl}}\\\\\"\nb: {{n}}\n", "a: \"\\\"a\\nb\\t\\\\\"\nb: 8080\n"},
    {STY_ESCAPE_YAML, "a: \"{{m}}\"\n", "!'m' is a map and cannot be written as text"},
    {STY_ESCAPE_YAML, "a: 'x {{q}}'\n", "a: 'x it''s \"x\" \\ a: b # c'\n"},
    {STY_ESCAPE_YAML, "a: 'it''s {{q}}'\n", "a: 'it''s it''s \"x\" \\ a: b # c'\n"},
    {STY_ESCAPE_YAML, "a: '{{nl}}'\n", "!has a line break"},
    {STY_ESCAPE_YAML, "a: \"{{c1}}\"", "a: \"\\u0085\\u007f\\u2028\""},
    {STY_ESCAPE_YAML, "a: {{c1}}", "a: \"\\u0085\\u007f\\u2028\""},
    {STY_ESCAPE_YAML, "a: |\n  echo {{q}}\n  {{s}}\nb: {{s}}\n",
     "a: |\n  echo it's \"x\" \\ a: b # c\n  plain.text/1\nb: \"plain.text/1\"\n"},
    {STY_ESCAPE_YAML, "- a: >-\n    x {{s}}\n  b: {{s}}\n", "- a: >-\n    x plain.text/1\n  b: \"plain.text/1\"\n"},
    {STY_ESCAPE_YAML, "- |\n  x {{s}}\n- {{s}}\n", "- |\n  x plain.text/1\n- \"plain.text/1\"\n"},
    {STY_ESCAPE_YAML, "a: |\n  {{nl}}\n", "!has a line break"},
    {STY_ESCAPE_YAML, "# for {{q}}\na: 1\n", "# for it's \"x\" \\ a: b # c\na: 1\n"},
    {STY_ESCAPE_YAML, "# for {{nl}}\n", "!has a line break"},
    {STY_ESCAPE_YAML, "a: &x {{s}}\n", "a: &x \"plain.text/1\"\n"},
    {STY_ESCAPE_YAML, "a: {{{q}}}\n", "a: it's \"x\" \\ a: b # c\n"},
    {STY_ESCAPE_YAML, "{{#b}}\na: {{s}}\n{{/b}}\n", "a: \"plain.text/1\"\n"},
    {STY_ESCAPE_YAML, "a: {{#b}}{{s}}{{/b}}\n", "a: \"plain.text/1\"\n"},
    {STY_ESCAPE_JSON, "{\"a\": {{s}}, \"b\":{{n}}, \"c\" : {{l}}}",
     "{\"a\": \"plain.text/1\", \"b\":8080, \"c\" : [1,\"a b\"]}"},
    {STY_ESCAPE_JSON, "{{m}}", "{\"a\":null,\"k\":\"v w\"}"},
    {STY_ESCAPE_JSON, "{ {{k}}: 1}", "{ \"key\": 1}"},
    {STY_ESCAPE_JSON, "{\"a\": \"<{{q}}>\"}", "{\"a\": \"<it's \\\"x\\\" \\\\ a: b # c>\"}"},
    {STY_ESCAPE_JSON, "[\n {{z}}\n]", "[\n null\n]"},
    {STY_ESCAPE_JSON, "[1{{q}}]", "!needs quotes"},
    {STY_ESCAPE_JSON, "[\"\\\\\", {{q}}]", "[\"\\\\\", \"it's \\\"x\\\" \\\\ a: b # c\"]"},
    {STY_ESCAPE_SHELL, "echo {{q}} {{n}} {{e}}\n", "echo 'it'\\''s \"x\" \\ a: b # c' '8080' ''\n"},
    {STY_ESCAPE_SHELL, "{{{q}}}", "it's \"x\" \\ a: b # c"},
    {STY_ESCAPE_SHELL, "x {{l}}", "!is a list"},
    {STY_ESCAPE_HTML, "<p>{{q}}</p>", "<p>it&#39;s &quot;x&quot; \\ a: b # c</p>"},
    {STY_ESCAPE_NONE, "{{q}} {{n}}", "it's \"x\" \\ a: b # c 8080"},
    {STY_ESCAPE_NONE, "{{m}}", "!is a map"},
};

static void escape_cases(void **state)
{
    struct sty_error err;
    json_auto_t *context = NULL;
    (void)state;
    assert_int_equal(sty_json_parse(&context, values, strlen(values), &err), 0);
    for (size_t i = 0; i < STY_COUNT(escapes); i++) {
        sty_auto(str) out = STY_STR_INIT;
        struct sty_template template = template_of(escapes[i].template, escapes[i].escape);
        struct sty_template_world world = {.context = context};
        const char *wanted = escapes[i].expected;
        if (sty_template_render(&out, NULL, &template, &world, &err) == 0) {
            assert_string_equal(out.data, wanted);
            continue;
        }
        if (*wanted != '!' || !strstr(err.text, wanted + 1))
            fail_msg("'%s': %s", escapes[i].template, err.text);
        assert_int_equal(err.code, STY_INVALID);
    }
}

static void escape_by_name(void **state)
{
    static const struct {
        const char *path;
        enum sty_escape escape;
    } names[] = {{"/etc/a.yaml", STY_ESCAPE_YAML},    {"a.yml.mustache", STY_ESCAPE_YAML},
                 {"a.json", STY_ESCAPE_JSON},         {"run.sh", STY_ESCAPE_SHELL},
                 {"i.html", STY_ESCAPE_HTML},         {"i.htm", STY_ESCAPE_HTML},
                 {"x.xml.mustache", STY_ESCAPE_HTML}, {"a.conf", STY_ESCAPE_NONE},
                 {"yaml", STY_ESCAPE_NONE},           {"a.yaml.mustache.x", STY_ESCAPE_NONE}};
    (void)state;
    for (size_t i = 0; i < STY_COUNT(names); i++)
        assert_int_equal(sty_escape_for(names[i].path), names[i].escape);
}

/* ---- hostile ---- */

static json_t *long_list(size_t count, const char *item)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(item));
    return list;
}

static void render_fails(const char *text, const json_t *context, const json_t *partials, const char *wanted)
{
    struct sty_template template = template_of(text, STY_ESCAPE_NONE);
    struct sty_template_world world = {.context = context, .partial = partial_of, .self = (void *)partials};
    sty_auto(str) out = STY_STR_INIT;
    struct sty_error err = {0};
    sty_str_append(&out, "before");
    assert_int_equal(sty_template_render(&out, NULL, &template, &world, &err), -1);
    assert_int_equal(err.code, STY_INVALID);
    if (!strstr(err.text, wanted))
        fail_msg("%s", err.text);
    assert_string_equal(out.data, "before");
}

static void hostile_templates(void **state)
{
    sty_auto_free char *big = sty_calloc(1, 70000);
    (void)state;
    memset(big, 'x', 69999);
    json_auto_t *context = json_pack("{s:o, s:o}", "many", long_list(1000, big), "short", long_list(1000, ""));
    json_auto_t *partials =
        json_pack("{s:s, s:s, s:s}", "self", "{{>self}}", "ping", "x{{>pong}}", "pong", "{{#many}}{{>ping}}{{/many}}");
    render_fails("{{#many}}{{.}}{{/many}}", context, partials, "larger than 16 MiB");
    render_fails("{{#many}}{{#many}}{{.}}{{/many}}{{/many}}", context, partials, "larger than 16 MiB");
    render_fails("{{#short}}{{#short}}{{#short}}{{.}}{{/short}}{{/short}}{{/short}}", context, partials,
                 "takes too many steps");
    render_fails("{{>self}}", context, partials, "deeper than 32");
    render_fails("{{>ping}}", context, partials, "deeper than 32");
}

static void deep_nesting(void **state)
{
    sty_auto(str) text = STY_STR_INIT;
    json_auto_t *context = json_pack("{s:b}", "a", 1);
    (void)state;
    for (int i = 0; i < 100000; i++)
        sty_str_append(&text, "{{#a}}");
    render_fails(text.data, context, NULL, "nested deeper than 32");
    sty_str_reset(&text);
    for (int i = 0; i < 100001; i++)
        sty_str_append(&text, "{{a}}");
    render_fails(text.data, context, NULL, "more than 100000 tags");
}

static void indentation_bomb(void **state)
{
    sty_auto(str) lines = STY_STR_INIT;
    sty_auto(str) text = STY_STR_INIT;
    json_auto_t *context = json_object();
    (void)state;
    for (int i = 0; i < 400000; i++)
        sty_str_append(&lines, "\n");
    for (int i = 0; i < 4000; i++)
        sty_str_append(&text, " ");
    sty_str_append(&text, "{{>p}}\n");
    json_auto_t *partials = json_pack("{s:s}", "p", lines.data);
    render_fails(text.data, context, partials, "partials are larger than 64 MiB in all");
}

static void bytes_that_are_no_text(void **state)
{
    static const char text[] = "a\0b{{v}}\0\xff";
    struct sty_template template = template_of("", STY_ESCAPE_NONE);
    json_auto_t *context = json_pack("{s:s}", "v", "x");
    struct sty_template_world world = {.context = context};
    sty_auto(str) out = STY_STR_INIT;
    struct sty_error err;
    (void)state;
    template.text = text;
    template.length = sizeof(text) - 1;
    assert_int_equal(sty_template_render(&out, NULL, &template, &world, &err), 0);
    assert_int_equal(out.length, 6);
    assert_memory_equal(out.data, "a\0bx\0\xff", 6);
}

/* ---- secrets ---- */

static json_t *secret_context(json_t **secrets)
{
    *secrets = json_pack("{s:{s:s}}", "/p/key", "from_env", "KEY");
    return json_pack("{s:{s:{s:s}, s:{s:s}}}", "p", "key", "from_env", "KEY", "other", "from_env", "KEY");
}

struct secret_case {
    enum sty_escape escape;
    const char *template, *text;
    int offset;
    const char *how; /* NULL: text is an error's */
};
static const struct secret_case secret_cases[] = {
    {STY_ESCAPE_NONE, "key = {{p.key}}\n", "key = \n", 6, "none"},
    {STY_ESCAPE_NONE, "{{#p}}{{key}}{{/p}}", "", 0, "none"},
    {STY_ESCAPE_YAML, "key: {{p.key}}\n", "key: \"\"\n", 6, "json"},
    {STY_ESCAPE_YAML, "key: \"a{{p.key}}b\"\n", "key: \"ab\"\n", 7, "json"},
    {STY_ESCAPE_YAML, "key: 'a{{p.key}}'\n", "key: 'a'\n", 7, "yaml"},
    {STY_ESCAPE_YAML, "key: a{{p.key}}\n", "must be a whole value or stand in quotes", 0, NULL},
    {STY_ESCAPE_JSON, "[{{p.key}}]", "[\"\"]", 2, "json"},
    {STY_ESCAPE_SHELL, "x={{p.key}}", "x=''", 3, "shell"},
    {STY_ESCAPE_HTML, "<b>{{p.key}}</b>", "<b></b>", 3, "html"},
    {STY_ESCAPE_HTML, "<b>{{{p.key}}}</b>", "<b></b>", 3, "none"},
    {STY_ESCAPE_NONE, "{{#p.key}}x{{/p.key}}", "is a secret and cannot be a section", 0, NULL},
    {STY_ESCAPE_NONE, "{{^p.key}}x{{/p.key}}", "is a secret and cannot be a section", 0, NULL},
    {STY_ESCAPE_NONE, "{{p.key.from_env}}", "goes into a secret", 0, NULL},
    {STY_ESCAPE_YAML, "a: {{p}}", "holds a secret", 0, NULL},
    {STY_ESCAPE_NONE, "{{{p}}}", "holds a secret", 0, NULL},
};

static void secrets_make_holes(void **state)
{
    json_t *secrets = NULL;
    json_auto_t *context = secret_context(&secrets);
    struct sty_template_world world = {.context = context, .secrets = secrets};
    (void)state;
    for (size_t i = 0; i < STY_COUNT(secret_cases); i++) {
        const struct secret_case *one = &secret_cases[i];
        struct sty_template template = template_of(one->template, one->escape);
        sty_auto(str) out = STY_STR_INIT;
        json_auto_t *holes = json_array();
        struct sty_error err;
        int status = sty_template_render(&out, holes, &template, &world, &err);
        assert_int_equal(status, one->how ? 0 : -1);
        if (!one->how && !strstr(err.text, one->text))
            fail_msg("%s", err.text);
        if (!one->how)
            continue;
        const json_t *hole = json_array_get(holes, 0);
        assert_string_equal(out.data, one->text);
        assert_int_equal(json_array_size(holes), 1);
        assert_int_equal(sty_json_int(hole, "n", -1), 0);
        assert_int_equal(sty_json_int(hole, "offset", -1), one->offset);
        assert_string_equal(sty_json_text(hole, "escape", ""), one->how);
        assert_string_equal(sty_json_text(json_object_get(hole, "reference"), "from_env", ""), "KEY");
    }
    json_decref(secrets);
}

static void secrets_need_holes(void **state)
{
    json_t *secrets = NULL;
    json_auto_t *context = secret_context(&secrets);
    struct sty_template_world world = {.context = context, .secrets = secrets};
    struct sty_template template = template_of("{{p.key}}", STY_ESCAPE_NONE);
    sty_auto(str) out = STY_STR_INIT;
    struct sty_error err;
    (void)state;
    assert_int_equal(sty_template_render(&out, NULL, &template, &world, &err), -1);
    assert_non_null(strstr(err.text, "'p.key' is a secret"));
    struct sty_template look_alike = template_of("{{p.other.from_env}}", STY_ESCAPE_NONE);
    assert_int_equal(sty_template_render(&out, NULL, &look_alike, &world, &err), 0);
    assert_string_equal(out.data, "KEY");
    json_decref(secrets);
}

static void several_holes_are_numbered(void **state)
{
    json_t *secrets = NULL;
    json_auto_t *context = secret_context(&secrets);
    struct sty_template_world world = {.context = context, .secrets = secrets};
    struct sty_template template = template_of("a={{p.key}}\nb={{p.key}}\n", STY_ESCAPE_NONE);
    sty_auto(str) out = STY_STR_INIT;
    json_auto_t *holes = json_array();
    struct sty_error err;
    (void)state;
    assert_int_equal(sty_template_render(&out, holes, &template, &world, &err), 0);
    assert_string_equal(out.data, "a=\nb=\n");
    assert_int_equal(sty_json_int(json_array_get(holes, 1), "n", -1), 1);
    assert_int_equal(sty_json_int(json_array_get(holes, 1), "offset", -1), 5);
    json_decref(secrets);
}

static void holes_are_escaped(void **state)
{
    static const struct {
        const char *how, *expected;
    } table[] = {{"none", "a'\"<\n"},
                 {"json", "a'\\\"<\\n"},
                 {"shell", "a'\\''\"<\n"},
                 {"yaml", "a''\"<\n"},
                 {"html", "a&#39;&quot;&lt;\n"}};
    (void)state;
    for (size_t i = 0; i < STY_COUNT(table); i++) {
        sty_auto(str) out = STY_STR_INIT;
        sty_escape_append(&out, table[i].how, "a'\"<\n", 5);
        assert_string_equal(out.data, table[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mustache_cases),         cmocka_unit_test(escape_cases),
        cmocka_unit_test(escape_by_name),         cmocka_unit_test(hostile_templates),
        cmocka_unit_test(deep_nesting),           cmocka_unit_test(indentation_bomb),
        cmocka_unit_test(secrets_make_holes),     cmocka_unit_test(secrets_need_holes),
        cmocka_unit_test(bytes_that_are_no_text), cmocka_unit_test(several_holes_are_numbered),
        cmocka_unit_test(holes_are_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
