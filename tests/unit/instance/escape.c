/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a template writes must be read back as the value it wrote, by the readers of that language: our YAML and JSON
 * decoders and a real sh. Texts are a table of the worst and a fixed sequence of random ones.
 */
#include "repository.h"
#include "base/process.h"

#define RANDOM_TEXTS 300

static const char *const worst[] = {"",
                                    " ",
                                    "a",
                                    "no",
                                    "yes",
                                    "null",
                                    "~",
                                    "1.10",
                                    "0x1f",
                                    "1e3",
                                    "-",
                                    "- a",
                                    "? a",
                                    ": a",
                                    "a: b",
                                    "a #b",
                                    "#a",
                                    "@a",
                                    "`a",
                                    "%a",
                                    "&a",
                                    "*a",
                                    "!a",
                                    "|",
                                    ">",
                                    "[",
                                    "]",
                                    "{",
                                    "}",
                                    ",",
                                    "'",
                                    "''",
                                    "\"",
                                    "\\",
                                    "\\\\\"",
                                    "a\nb",
                                    "\n",
                                    "a\n",
                                    "\ta",
                                    "a\r\nb",
                                    "---",
                                    "...",
                                    "{{x}}",
                                    "$HOME",
                                    "$(id)",
                                    "`id`",
                                    "a'b\"c",
                                    "\x7f",
                                    "\xc2\x85",
                                    "\xe2\x80\xa8",
                                    "\xef\xbb\xbfx",
                                    "\xf0\x9f\x98\x80",
                                    "\xc3\xa4",
                                    "<<",
                                    "=",
                                    "\x01",
                                    "a\x1b[31m"};

static void random_text(struct sty_str *out, unsigned *seed)
{
    static const char *const pieces[] = {"a",        "B",
                                         "7",        " ",
                                         "\n",       "\"",
                                         "'",        "\\",
                                         ":",        "#",
                                         "-",        "{",
                                         "}",        "[",
                                         "]",        ",",
                                         "&",        "*",
                                         "!",        "|",
                                         ">",        "%",
                                         "@",        "`",
                                         "$",        "\t",
                                         "\r",       "\x7f",
                                         "\xc2\x85", "\xe2\x80\xa9",
                                         "\xc3\xa4", "\xf0\x9f\x98\x80",
                                         ": ",       " #",
                                         "{{",       "}}"};
    sty_str_reset(out);
    *seed = *seed * 1103515245u + 12345u;
    for (unsigned n = *seed >> 16 & 15; n > 0; n--) {
        *seed = *seed * 1103515245u + 12345u;
        sty_str_append(out, pieces[(*seed >> 16) % STY_COUNT(pieces)]);
    }
}

static char *render(const char *text, enum sty_escape escape, const json_t *value)
{
    json_auto_t *context = json_pack("{s:O}", "v", value);
    struct sty_template template = {
        .file = "t", .line = 1, .column = 1, .text = text, .length = strlen(text), .escape = escape};
    struct sty_template_world world = {.context = context};
    sty_auto(str) out = STY_STR_INIT;
    struct sty_error err;
    return sty_template_render(&out, NULL, &template, &world, &err) < 0 ? NULL : sty_str_take(&out);
}

/* ---- YAML, by way of a Cluster's free-form config ---- */

static const char yaml_head[] =
    "apiVersion: styrmin.io/v1\nkind: Cluster\nmetadata: {name: c}\nspec:\n  kind: host\n  config:\n";

static json_t *read_yaml(const char *config)
{
    sty_auto_ptr(arena) arena = sty_arena_new();
    struct sty_problems problems;
    struct sty_stream_document *documents = NULL;
    size_t count = 0;
    sty_problems_init(&problems, arena);
    sty_auto_free char *text = sty_sprintf("%s%s", yaml_head, config);
    struct sty_stream stream = {.file = "t.yaml", .bytes = text, .length = strlen(text)};
    sty_stream_decode(&documents, &count, &stream, NULL, &problems);
    if (count != 1 || problems.errors)
        fail_msg("%s: %s", text, problems.errors ? problems.items[0].message : "no document");
    return json_deep_copy(sty_json_pointer(documents[0].decoded.value, "/spec/config/a"));
}

static void yaml_reads(const char *template, const json_t *value, const json_t *wanted)
{
    sty_auto_free char *text = render(template, STY_ESCAPE_YAML, value);
    if (!text)
        fail_msg("%s", template);
    json_auto_t *read = read_yaml(text);
    sty_auto_free char *got = sty_json_canonical_text(read);
    sty_auto_free char *expected = sty_json_canonical_text(wanted);
    if (strcmp(got, expected) != 0)
        fail_msg("%s: got %s, wanted %s", text, got, expected);
}

static void yaml_text(const char *text)
{
    json_auto_t *value = json_string(text);
    json_auto_t *list = json_pack("[O, i, O]", value, 1, value);
    json_auto_t *map = json_pack("{s:O, s:{s:O}}", "k", value, "m", text, value);
    sty_auto_free char *around = sty_sprintf("<%s>", text);
    json_auto_t *inside = json_string(around);
    yaml_reads("    a: {{v}}\n", value, value);
    yaml_reads("    a: {{v}}   # why\n    b: 1\n", value, value);
    yaml_reads("    a: \"{{v}}\"\n", value, value);
    yaml_reads("    a: \"<{{v}}>\"\n", value, inside);
    yaml_reads("    a: {{v}}\n", list, list);
    yaml_reads("    a: {{v}}\n", map, map);
    yaml_reads("    a:\n      - {{#v}}{{.}}{{/v}}\n      - 1\n      - {{v}}\n", value, list);
    yaml_reads("    a: [{{v}}, 1, {{v}}]\n", value, list);
}

static void single_quotes(const char *text)
{
    static const char unprintable[] = "\x01\x1b\x7f\xc2\xe2\xef";
    json_auto_t *value = json_string(text);
    if (!strpbrk(text, "\r\n\t") && !strpbrk(text, unprintable))
        yaml_reads("    a: '{{v}}'\n", value, value);
}

static void yaml_round_trip(void **state)
{
    unsigned seed = 1;
    sty_auto(str) text = STY_STR_INIT;
    (void)state;
    for (size_t i = 0; i < STY_COUNT(worst); i++) {
        yaml_text(worst[i]);
        single_quotes(worst[i]);
    }
    for (size_t i = 0; i < RANDOM_TEXTS; i++) {
        random_text(&text, &seed);
        yaml_text(text.data);
        single_quotes(text.data);
    }
}

/* A plain scalar gets the text or an error, never something else. */
static void plain_scalars(void **state)
{
    unsigned seed = 7;
    sty_auto(str) text = STY_STR_INIT;
    (void)state;
    for (size_t i = 0; i < RANDOM_TEXTS; i++) {
        random_text(&text, &seed);
        json_auto_t *value = json_string(text.data);
        sty_auto_free char *out = render("    a: x{{v}}y\n", STY_ESCAPE_YAML, value);
        bool safe =
            strspn(text.data, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-") == text.length;
        assert_int_equal(out != NULL, safe);
        if (!out)
            continue;
        sty_auto_free char *around = sty_sprintf("x%sy", text.data);
        json_auto_t *wanted = json_string(around);
        json_auto_t *read = read_yaml(out);
        assert_true(json_equal(read, wanted));
    }
}

/* ---- JSON ---- */

static void json_text(const char *text)
{
    json_auto_t *value = json_string(text);
    sty_auto_free char *out = render("{\"a\": {{v}}, \"b\": \"<{{v}}>\", \"c\": [{{v}}]}", STY_ESCAPE_JSON, value);
    sty_auto_free char *around = sty_sprintf("<%s>", text);
    json_auto_t *wanted = json_pack("{s:O, s:s, s:[O]}", "a", value, "b", around, "c", value);
    json_auto_t *read = NULL;
    struct sty_error err;
    if (!out || sty_json_parse(&read, out, strlen(out), &err) < 0)
        fail_msg("%s", out ? out : text);
    assert_true(json_equal(read, wanted));
}

static void json_round_trip(void **state)
{
    unsigned seed = 3;
    sty_auto(str) text = STY_STR_INIT;
    (void)state;
    for (size_t i = 0; i < STY_COUNT(worst); i++)
        json_text(worst[i]);
    for (size_t i = 0; i < RANDOM_TEXTS; i++) {
        random_text(&text, &seed);
        json_text(text.data);
    }
}

/* ---- sh ---- */

static void shell_round_trip(void **state)
{
    sty_auto(str) script = STY_STR_INIT;
    sty_auto(str) wanted = STY_STR_INIT;
    (void)state;
    for (size_t i = 0; i < STY_COUNT(worst); i++) {
        json_auto_t *value = json_string(worst[i]);
        sty_auto_free char *line = render("printf '%s|' {{v}}\n", STY_ESCAPE_SHELL, value);
        assert_non_null(line);
        sty_str_append(&script, line);
        sty_str_appendf(&wanted, "%s|", worst[i]);
    }
    const char *const argv[] = {"/bin/sh", "-c", script.data, NULL};
    struct sty_process_spec spec = {.argv = argv, .output_limit = 65536, .timeout_ms = 10000};
    struct sty_process_result result = {.output = STY_STR_INIT, .error = STY_STR_INIT};
    struct sty_error err;
    assert_int_equal(sty_process_run(&result, &spec, &err), 0);
    assert_int_equal(result.status, 0);
    assert_string_equal(result.output.data, wanted.data);
    sty_process_result_clear(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(yaml_round_trip), cmocka_unit_test(plain_scalars),
                                       cmocka_unit_test(json_round_trip), cmocka_unit_test(shell_round_trip)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
