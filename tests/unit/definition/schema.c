/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding by schema, and its messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "definition/definition_internal.h"

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

static const char driver[] = "apiVersion: styrmin.io/v1\nkind: ApplicationDriver\nmetadata: {name: web}\n"
                             "spec:\n  version: 2.10\n  components:\n    site:\n";

static const json_t *resource(const struct decoded *d, const char *type)
{
    const json_t *list = sty_json_pointer(d->documents[0].decoded.value, "/spec/components/site/resources");
    return json_object_get(json_array_get(list, 0), type);
}

static void test_modes_and_durations_are_text(void **state)
{
    (void)state;
    static const struct {
        const char *type, *spec, *key, *text;
    } rows[] = {
        {"directory", "path: /a, mode: 0644", "mode", "0644"},
        {"directory", "path: /a, mode: 644", "mode", "644"},
        {"directory", "path: /a, mode: \"{{parameters.mode}}\"", "mode", "{{parameters.mode}}"},
        {"process", "command: [a], stop_timeout: 1h30m", "stop_timeout", "1h30m"},
        {"process", "command: [a], stop_timeout: 250ms", "stop_timeout", "250ms"},
        {"process", "command: [a], user: 1000", "user", "1000"},
    };
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        sty_auto_free char *text = sty_sprintf("%s      resources: [{%s: {%s}}]\n", driver, rows[i].type, rows[i].spec);
        struct decoded d = decode(text);
        assert_int_equal(d.problems.count, 0);
        assert_string_equal(sty_json_text(resource(&d, rows[i].type), rows[i].key, ""), rows[i].text);
        assert_string_equal(sty_json_text(json_object_get(d.documents[0].decoded.value, "spec"), "version", ""),
                            "2.10");
        sty_arena_free(d.arena);
    }
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
    for (size_t i = 0; i < d.problems.count && !found; i++)
        found = strstr(d.problems.items[i].message, words) && d.problems.items[i].line == line;
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
        {"  lifecycel: running\n", "did you mean 'lifecycle'?"},
        {"  lifecycle: sleeping\n", "wanted running or stopped, got 'sleeping'"},
        {"  suspend: maybe\n", "wanted true or false, got 'maybe'"},
        {"  depends_on: database\n", "wanted a list"},
        {"  depends_on: [Data_Base]\n", "is not a DNS-1123 label"},
        {"  parameters: 3\n", "wanted a map"},
    };
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        sty_auto_free char *text = sty_sprintf("%s%s", deployment, rows[i].line);
        wants(text, 7, rows[i].words, true);
    }
}

static void test_messages_of_a_driver(void **state)
{
    (void)state;
    static const struct {
        const char *resource, *words;
    } rows[] = {
        {"directory: {path: /a, mode: 0o644}", "'0o644' is not three or four octal digits, as 0644"},
        {"directory: {path: /a, mode: 0888}", "'0888' is not three or four octal digits, as 0644"},
        {"process: {command: [a], stop_timeout: 30}", "'30' is not a duration such as 30s"},
        {"process: {command: [a], stop_timeout: 30s1h}", "'30s1h' is not a duration such as 30s"},
        {"process: {command: [a], stop_timeout: \"\"}", "stop_timeout: must not be empty"},
        {"process: {command: [a], stop_signal: TERM}", "'TERM' is not the name of a signal, as SIGTERM"},
        {"process: {command: []}", "command: wanted at least 1 entry, got 0"},
        {"process: {command: {{x}}}", "{{x}} without quotes is a map in YAML"},
        {"unit: {content: x}", "name"},
        {"unit: {name: a}", "'a' is not the name of a unit"},
        {"unit: {name: a/b.service}", "'a/b.service' is not the name of a unit"},
        {"unit: {name: \"@.service\"}", "'@.service' is not the name of a unit"},
        {"unit: {name: a.device}", "'a.device' is not the name of a unit"},
        {"unit: {name: a.service, content: x, file: y}", "give one of template, file and content"},
        {"unit: {name: a.service, enabled: sometimes}", "sometimes"},
        {"unit: {name: a.service, state: running}", "running"},
        {"unit: {name: a.service, drop_ins: [{name: a, content: x}]}", "'a' is not the name of a drop-in"},
        {"unit: {name: a.service, drop_ins: [{name: ../a.conf, content: x}]}", "is not the name of a drop-in"},
        {"unit: {name: a.service, drop_ins: [{name: a.conf}]}",
         "wanted exactly one of 'template', 'file' and 'content'"},
        {"helm: {chart: a}", "this program cannot deploy to Kubernetes yet"},
        {"filee: {path: /a}", "unknown field 'filee'; did you mean 'file'?"},
        {"file: {path: /a, content: x}, directory: {path: /a}", "wanted at most 1 key, got 2"},
    };
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        sty_auto_free char *text = sty_sprintf("%s      resources:\n        - {%s}\n", driver, rows[i].resource);
        wants(text, 9, rows[i].words, true);
    }
}

static void test_names_decide_readability(void **state)
{
    (void)state;
    wants("kind: Deployment\nmetadata: {name: UPPER}\nspec: {environment: a, driver: {name: a, version: 1}}\n", 2,
          "is not a DNS-1123 label", false);
    wants("kind: Deployment\nmetadata: {name: shop}\nspec: {driver: {name: a, version: 1}}\n", 3, "environment", false);
    wants("kind: Nothing\n", 1, "kind", false);
    wants("kind: Cluster\nmetadata: {name: a}\nspec: {kind: moon}\n", 3, "wanted host or kubernetes, got 'moon'", true);
}

/* A name that cannot be known leaves the file unreadable; a mistake beside it does not. */
static void test_names_that_stand_in_a_mistake(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int line;
        const char *words;
        bool read;
    } rows[] = {
        {"kind: Cluster\nkind: Cluster\nmetadata: {name: a}\n", 2, "stands twice", false},
        {"kind: Cluster\nmetadata: {name: a, name: b}\n", 2, "stands twice", false},
        {"kind: Cluster\nmetadata: {name: {{x}}}\n", 2, "without quotes", false},
        {"kind: Cluster\nmetadata: !x {name: a}\n", 2, "tags other", false},
        {"kind: Cluster\nmetadata: {name: a}\nmetadata: {name: b}\n", 3, "stands twice", false},
        {"kind: Cluster\nmetadata: {name: a}\nspec: {config: {x: 1, x: 2}}\n", 3, "stands twice", true},
        {"kind: Cluster\nmetadata: {name: a}\nspec: {config: {x: {{y}}}}\n", 3, "without quotes", true},
        {"kind: Cluster\nmetadata: {name: a}\nspec: {config: !x {}}\n", 3, "tags other", true},
        {"kind: Clutser\nmetadata: {name: a}\n", 1, "did you mean 'Cluster'?", false},
        {"kind: Configuration\nname: a\n", 1, "there is no kind 'Configuration' of document", false},
        {"[]\n", 1, "wanted a map with kind", false},
    };
    for (size_t i = 0; i < STY_COUNT(rows); i++)
        wants(rows[i].text, rows[i].line, rows[i].words, rows[i].read);
}

/* What the design has and this program has not is said, instead of being left out in silence. */
static void test_what_is_not_there_yet(void **state)
{
    (void)state;
    static const struct {
        const char *line, *words;
    } rows[] = {
        {"http: {listen: 127.0.0.1:8787}\n", "there is no server yet"},
        {"clusters: {a: {engine: prefect}}\n", "only 'embedded' is possible"},
        {"clusters: {a: {kubeconfig: /x}}\n", "cannot deploy to Kubernetes yet"},
        {"engines: {prefect: {api_url: x}}\n", "this engine is not there yet"},
        {"report: {commit_status: {kind: gitea}}\n", "commit statuses cannot be sent yet"},
    };
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        sty_auto_ptr(arena) arena = sty_arena_new();
        sty_auto_free char *text = sty_sprintf("apiVersion: styrmin.io/v1\nkind: Configuration\nname: a\n"
                                               "source: {url: x}\n%s",
                                               rows[i].line);
        struct sty_problems problems;
        struct sty_stream_document *documents = NULL;
        size_t count = 0;
        struct sty_stream stream = {"styrmin.yaml", text, strlen(text)};
        sty_problems_init(&problems, arena);
        assert_true(sty_stream_decode(&documents, &count, &stream, "configuration", &problems));
        assert_int_equal(problems.count, 1);
        assert_int_equal(problems.items[0].line, 5);
        if (!strstr(problems.items[0].message, rows[i].words))
            fail_msg("wanted '%s' in '%s'", rows[i].words, problems.items[0].message);
    }
}

static void test_who_may_sign(void **state)
{
    (void)state;
    static const struct {
        const char *verify, *words; /* NULL: no mistake */
    } rows[] = {
        {"{mode: none}", NULL},
        {"{signers_file: a}", NULL},
        {"{mode: head, signers_file: a}", NULL},
        {"{mode: every, keyring_file: a}", NULL},
        {"{mode: every, keyring_file: a, signers_file: b}", NULL},
        {"{mode: head}", "name who may sign: signers_file, for SSH, or keyring_file, for GPG"},
        {"{mode: every}", "name who may sign"},
        {"{mode: all, signers_file: a}", "wanted none, head or every, got 'all'"},
        {"{mode: head, signers_file: \"\"}", "must not be empty"},
    };
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        sty_auto_ptr(arena) arena = sty_arena_new();
        sty_auto_free char *text = sty_sprintf("apiVersion: styrmin.io/v1\nkind: Configuration\nname: a\n"
                                               "source: {url: x, verify: %s}\n",
                                               rows[i].verify);
        struct sty_problems problems;
        struct sty_stream_document *documents = NULL;
        size_t count = 0;
        struct sty_stream stream = {"styrmin.yaml", text, strlen(text)};
        sty_problems_init(&problems, arena);
        assert_true(sty_stream_decode(&documents, &count, &stream, "configuration", &problems));
        assert_int_equal(problems.count, rows[i].words ? 1 : 0);
        if (rows[i].words && !strstr(problems.items[0].message, rows[i].words))
            fail_msg("wanted '%s' in '%s'", rows[i].words, problems.items[0].message);
    }
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_where_text_is_wanted),
        cmocka_unit_test(test_modes_and_durations_are_text),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_messages_of_a_driver),
        cmocka_unit_test(test_names_decide_readability),
        cmocka_unit_test(test_all_mistakes_at_once),
        cmocka_unit_test(test_check_after_templates),
        cmocka_unit_test(test_names_that_stand_in_a_mistake),
        cmocka_unit_test(test_what_is_not_there_yet),
        cmocka_unit_test(test_who_may_sign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
