/* SPDX-License-Identifier: Apache-2.0 */
/* Remediations executed over a real ledger with real providers and programs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "run_fixture.h"

#define APPLY "{'type':'apply','component':'site','instance':'to','args':{}}"
#define RUN(args) "{'type':'run','component':null,'instance':'to','args':{'command':['./act']," args "}}"
#define TIME "'timeout_ms':20000"

static struct made site(const char *content, const char *const *scripts)
{
    json_t *components = json_object();
    json_object_set_new(components, "site", file_component("page", content));
    return make_instance("shop", content, components, scripts);
}

static void test_create(void **state)
{
    (void)state;
    int64_t target = add_target("shop", "{}");
    struct made made = site("hello", NULL);
    struct recorded create = record(target, "create", NULL, &made, "[" APPLY "]");
    assert_state(&create, "planned");
    execute(&create);
    assert_state(&create, "succeeded");
    assert_steps(&create, "succeeded");
    assert_file("page", "hello");
    assert_int_equal(number("SELECT count(*) FROM resources WHERE place = 'host' AND component = 'site'"), 1);
    assert_string_equal(column("SELECT instance FROM resources WHERE component = ?", "site"), made.digest);
    assert_int_equal(number("SELECT tainted FROM targets"), 0);
    assert_int_equal(number("SELECT running FROM run_states"), 1);
    assert_string_equal(column("SELECT group_concat(kind, ' ') FROM (SELECT kind FROM events WHERE remediation = ?"
                               " ORDER BY seq)",
                               create.id),
                        "remediation.planned remediation.running step.running step.succeeded remediation.succeeded");
    /* What has ended is not touched again. */
    put("page", "changed");
    execute(&create);
    assert_file("page", "changed");
}

static void test_not_ours(void **state)
{
    (void)state;
    int64_t target = add_target("shop", "{}");
    struct made made = site("hello", NULL);
    put("page", "somebody else's");
    struct recorded create = record(target, "create", NULL, &made, "[" APPLY "]");
    execute(&create);
    assert_state(&create, "superseded");
    assert_file("page", "somebody else's");
    assert_int_equal(number("SELECT tainted FROM targets"), 0);
    assert_int_equal(number("SELECT quarantined IS NULL FROM targets"), 1);
    assert_int_equal(number("SELECT count(*) FROM resources"), 0);
    assert_non_null(strstr(column("SELECT blocked FROM targets WHERE deployment = ?", "shop"), "\"reason\":\"claim\""));
    assert_non_null(strstr(column("SELECT blocked FROM targets WHERE deployment = ?", "shop"), "/content"));
    /* Equal: taken over. */
    put("page", "hello");
    struct recorded again = record(target, "create", NULL, &made, "[" APPLY "]");
    execute(&again);
    assert_state(&again, "succeeded");
}

static void test_adopt(void **state)
{
    (void)state;
    int64_t target = add_target("shop", "{}");
    struct made made = site("hello", NULL);
    struct recorded adopt = record(target, "adopt", NULL, &made, "[]");
    execute(&adopt);
    assert_state(&adopt, "superseded");
    put("page", "hello");
    struct recorded again = record(target, "adopt", NULL, &made, "[]");
    execute(&again);
    assert_state(&again, "succeeded");
    assert_int_equal(number("SELECT count(*) FROM resources"), 1);
}

static void test_refused_before_the_first_act(void **state)
{
    (void)state;
    static const char *const scripts[] = {"act\n#!/bin/sh\ntouch ../../../../files/acted\n", NULL};
    int64_t target = add_target("shop", "{}");
    struct made made = site("hello", scripts);
    static const struct {
        const char *steps, *word;
    } cases[] = {
        {"[" RUN(TIME) ",{'type':'dance','component':'site','args':{}}]", "dance"},
        {"[" RUN(TIME ",'user':'nobody-has-this-name'") "]", "nobody-has-this-name"},
        {"[" RUN(TIME) "," RUN(TIME ",'secrets':{'key':{'from_env':'HOME'}}") "]", "HOME"},
        {"[" RUN(TIME) "," RUN(TIME ",'secrets':{'key':{'from_file':'/etc/passwd'}}") "]", "/etc/passwd"},
    };
    for (size_t i = 0; i < STY_COUNT(cases); i++) {
        struct recorded create = record(target, "create", NULL, &made, cases[i].steps);
        execute(&create);
        assert_state(&create, "superseded");
        assert_non_null(strstr(column("SELECT blocked FROM targets WHERE deployment = ?", "shop"), cases[i].word));
        assert_string_equal(column("SELECT group_concat(DISTINCT state) FROM steps WHERE remediation = ?", create.id),
                            "pending");
    }
    assert_int_equal(number("SELECT tainted FROM targets"), 0);
    allow[0] = "/nowhere";
    struct recorded create = record(target, "create", NULL, &made, "[" APPLY "]");
    execute(&create);
    allow[0] = files_dir;
    assert_state(&create, "superseded");
    assert_non_null(strstr(column("SELECT blocked FROM targets WHERE deployment = ?", "shop"), "host.allow"));
}

/* An update fails: quarantine, and a restore of its own. */
static void test_failure_is_answered(void **state)
{
    (void)state;
    static const char *const scripts[] = {"act\n#!/bin/sh\necho no luck; exit 7\n", NULL};
    int64_t target = add_target("shop", "{}");
    struct made old = site("old", NULL), fresh = site("new", scripts);
    struct recorded create = record(target, "create", NULL, &old, "[" APPLY "]");
    execute(&create);
    struct recorded update = record(target, "update", &old, &fresh, "[" APPLY "," RUN(TIME) "," APPLY "]");
    execute(&update);
    assert_state(&update, "failed");
    assert_steps(&update, "succeeded failed pending");
    assert_string_equal(column("SELECT output FROM steps WHERE remediation = ? AND seq = 2", update.id), "no luck\n");
    assert_string_equal(column("SELECT exit_status FROM steps WHERE remediation = ? AND seq = 2", update.id), "7");
    assert_file("page", "new");
    assert_string_equal(column("SELECT quarantined FROM targets WHERE deployment = ?", "shop"), fresh.digest);
    assert_int_equal(number("SELECT tainted FROM targets"), 1);
    assert_string_equal(column("SELECT kind FROM remediations WHERE parent = ?", update.id), "restore");
    ok(sty_engine_run(&world, 2, &err));
    assert_string_equal(column("SELECT state FROM remediations WHERE parent = ?", update.id), "succeeded");
    assert_file("page", "old");
    assert_int_equal(number("SELECT tainted FROM targets"), 0);
    assert_string_equal(column("SELECT quarantined FROM targets WHERE deployment = ?", "shop"), fresh.digest);
    assert_no_litter();
}

/* A delete that fails is tried again, later, from step 1, with rows of its own. */
static void test_next_attempt(void **state)
{
    (void)state;
    static const char *const scripts[] = {"act\n#!/bin/sh\n[ -e ../../../../../files/now ]\n", NULL};
    int64_t target = add_target("shop", "{}");
    struct made made = site("hello", scripts);
    struct recorded create = record(target, "create", NULL, &made, "[" APPLY "]");
    execute(&create);
    struct recorded delete = record(target, "delete", &made, NULL,
                                    "[{'type':'run','instance':'from','args':{'command':['./act'],'timeout_ms':20000}},"
                                    "{'type':'remove','component':'site','instance':'inventory','args':{}}]");
    execute(&delete);
    assert_state(&delete, "waiting");
    ok(sty_engine_run(&world, 1, &err));
    assert_state(&delete, "waiting");
    clock_ms += 31000;
    put("now", "");
    ok(sty_engine_run(&world, 1, &err));
    assert_state(&delete, "succeeded");
    assert_string_equal(column("SELECT attempt FROM remediations WHERE id = ?", delete.id), "2");
    assert_int_equal(number("SELECT count(*) FROM steps WHERE attempt = 1 AND state = 'failed'"), 1);
    assert_file("page", "(none)");
    assert_int_equal(number("SELECT count(*) FROM resources"), 0);
    assert_int_equal(number("SELECT count(*) FROM run_states"), 0);
}

/* What a removed component left is taken by its row in the inventory. */
static void test_remove_by_inventory(void **state)
{
    (void)state;
    int64_t target = add_target("shop", "{}");
    json_t *both = json_object();
    json_object_set_new(both, "site", file_component("page", "page"));
    json_object_set_new(both, "extra", file_component("more", "more"));
    struct made old = make_instance("shop", "1", both, NULL), fresh = site("page", NULL);
    struct recorded create = record(target, "create", NULL, &old,
                                    "[" APPLY ",{'type':'apply','component':'extra','instance':'to','args':{}}]");
    execute(&create);
    assert_file("more", "more");
    struct recorded update = record(target, "update", &old, &fresh,
                                    "[" APPLY ",{'type':'remove','component':'extra','instance':'inventory','args':{}},"
                                    "{'type':'remove','component':'site','instance':'inventory','args':{}}]");
    execute(&update);
    assert_state(&update, "succeeded");
    assert_file("more", "(none)");
    assert_file("page", "page");
    assert_int_equal(number("SELECT count(*) FROM resources"), 1);
    assert_int_equal(number("SELECT count(*) FROM run_states"), 1);
}

static void test_run_gets_what_it_needs(void **state)
{
    (void)state;
    static const char *const scripts[] = {
        "act\n#!/bin/sh\nset -e\ncat sub/note > \"$TO/note\"; cp \"$STYRMIN_CONTEXT\" \"$TO/context\"\n"
        "cat \"$STYRMIN_SECRETS/key\" > \"$TO/key\"; stat -c %a \"$STYRMIN_SECRETS\" > \"$TO/mode\"\n"
        "echo \"$STYRMIN_SECRETS\" > \"$TO/where\"; echo \"said $(cat $STYRMIN_SECRETS/key) and $TOKEN\"\n"
        "printf 'bad \\377 byte\\n'; echo \"${STYRMIN_TEST_SECRET:-unset}\"; rm -r sub\n",
        "sub/note\nremember\n", NULL};
    int64_t target = add_target("shop", "{}");
    struct made made = site("hello", scripts);
    put("secret", "hush-hush\n");
    setenv("STYRMIN_TEST_SECRET", "quiet-please", 1);
    sty_auto_free char *steps = sty_sprintf(
        "[" RUN(TIME ",'env':{'TO':'%s','TOKEN':{'text':'','holes':[{'n':0,'offset':0,'reference':{'from_env':"
                     "'STYRMIN_TEST_SECRET'},'escape':'none'}]}},'secrets':{'key':{'from_file':'%s/secret'}}") "]",
        files_dir, files_dir);
    struct recorded create = record(target, "create", NULL, &made, steps);
    execute(&create);
    assert_state(&create, "succeeded");
    assert_file("note", "remember\n");
    assert_file("key", "hush-hush");
    assert_file("mode", "700\n");
    assert_string_equal(column("SELECT output FROM steps WHERE remediation = ?", create.id),
                        "said *** and ***\nbad \xef\xbf\xbd byte\nunset\n");
    sty_auto_free char *where = text_of("where");
    where[strcspn(where, "\n")] = '\0';
    assert_int_equal(access(where, F_OK), -1);
    sty_auto_free char *context = text_of("context");
    json_auto_t *document = parse("%s", context);
    assert_string_equal(json_string_value(sty_json_pointer(document, "/context/deployment/name")), "shop");
    assert_string_equal(json_string_value(sty_json_pointer(document, "/to/instance")), made.digest);
    assert_true(json_is_null(json_object_get(document, "from")));
    assert_no_litter();
    unsetenv("STYRMIN_TEST_SECRET");
}

static void test_timeout_ends_the_session(void **state)
{
    (void)state;
    static const char *const scripts[] = {
        "act\n#!/bin/sh\n(setsid sh -c 'echo $$ > '$TO'/away; sleep 100' &)\ntrap '' HUP\nsleep 100\n", NULL};
    int64_t target = add_target("shop", "{}");
    struct made made = site("hello", scripts);
    sty_auto_free char *steps = sty_sprintf(
        "[{'type':'run','instance':'to','args':{'command':['./act'],'timeout_ms':700,'env':{'TO':'%s'}}}]", files_dir);
    struct recorded create = record(target, "create", NULL, &made, steps);
    execute(&create);
    assert_state(&create, "failed");
    assert_non_null(strstr(column("SELECT error FROM remediations WHERE id = ?", create.id), "700 ms"));
    sty_auto_free char *away = text_of("away");
    sty_auto_free char *path = sty_sprintf("/proc/%ld", strtol(away, NULL, 10));
    assert_int_equal(access(path, F_OK), -1);
    assert_no_litter();
}

static void test_retries(void **state)
{
    (void)state;
    static const char *const scripts[] = {"act\n#!/bin/sh\necho x >> $TO/tries\n[ $(wc -l < $TO/tries) -ge 3 ]\n",
                                          NULL};
    int64_t target = add_target("shop", "{}");
    struct made made = site("hello", scripts);
    sty_auto_free char *few = sty_sprintf("[" RUN(TIME ",'env':{'TO':'%s'},'retries':1") "]", files_dir);
    sty_auto_free char *many = sty_sprintf("[" RUN(TIME ",'env':{'TO':'%s'},'retries':5") "]", files_dir);
    struct recorded first = record(target, "create", NULL, &made, few);
    execute(&first);
    assert_state(&first, "failed");
    assert_file("tries", "x\nx\n");
    struct recorded second = record(target, "create", NULL, &made, many);
    execute(&second);
    assert_state(&second, "succeeded");
    assert_file("tries", "x\nx\nx\n");
}

static void test_run_states(void **state)
{
    (void)state;
    int64_t target = add_target("shop", "{}");
    json_t *components = json_object();
    json_object_set_new(
        components, "server",
        parse("{'resources':[{'id':'process:c/e/shop/"
              "server','type':'process','spec':{'command':['sleep','1000'],'env':{},"
              "'user':null,'directory':'/','stop_timeout_ms':2000,'stop_signal':'SIGTERM'}}],'depends_on':[],"
              "'restart_on':[],'reload_on':[],'health':null,'drift':{'policy':'heal','ignore_fields':[]}}"));
    struct made made = make_instance("shop", "1", components, NULL);
    struct recorded create =
        record(target, "create", NULL, &made,
               "[{'type':'apply','component':'server','instance':'to','args':{}},{'type':'stop','component':'server',"
               "'instance':'to','args':{}},{'type':'apply','component':'server','instance':'to','args':{}}]");
    execute(&create);
    assert_state(&create, "succeeded");
    assert_int_equal(number("SELECT running FROM run_states"), 0);
    struct recorded start =
        record(target, "start", &made, &made,
               "[{'type':'start','component':'server','instance':'to','args':{}},{'type':'wait','component':'server',"
               "'instance':'to','args':{'timeout_ms':5000}},{'type':'restart','component':'server','instance':'to',"
               "'args':{}},{'type':'reload','component':'server','instance':'to','args':{}},{'type':'wait','component':"
               "null,'args':{'duration_ms':50}}]");
    execute(&start);
    assert_state(&start, "succeeded");
    assert_int_equal(number("SELECT running FROM run_states"), 1);
    struct recorded delete =
        record(target, "delete", &made, NULL,
               "[{'type':'stop','component':'server','instance':'from','args':{}},{'type':'remove',"
               "'component':'server','instance':'inventory','args':{}}]");
    execute(&delete);
    assert_state(&delete, "succeeded");
    assert_no_litter();
}

static json_t *process_resource(const char *name)
{
    return parse(
        "{'id':'process:c/e/shop/server/%s','type':'process','spec':{'command':['sh','-c','echo $$ >> %s/%s; exec"
        " sleep 1000'],'env':{},'user':null,'directory':'/','stop_timeout_ms':2000,'stop_signal':'SIGTERM'}}",
        name, files_dir, name);
}

static bool runs(const char *name)
{
    sty_auto_free char *pid = text_of(name);
    sty_auto_free char *path = sty_sprintf("/proc/%ld", strtol(pid, NULL, 10));
    return access(path, F_OK) == 0;
}

static json_t *servers(const char *second)
{
    json_t *components = json_object(), *server = file_component("page", "x");
    json_t *resources = json_array();
    json_array_append_new(resources, process_resource("a"));
    if (second)
        json_array_append_new(resources, process_resource(second));
    json_object_set_new(server, "resources", resources);
    json_object_set_new(components, "server", server);
    return components;
}

/* One of a component's processes goes: the others run on, and are to run. */
static void test_stop_of_what_goes(void **state)
{
    (void)state;
    int64_t target = add_target("shop", "{}");
    struct made two = make_instance("shop", "1", servers("b"), NULL),
                one = make_instance("shop", "2", servers(NULL), NULL);
    struct recorded create =
        record(target, "create", NULL, &two, "[{'type':'apply','component':'server','instance':'to','args':{}}]");
    execute(&create);
    assert_state(&create, "succeeded");
    while (access(at("a"), F_OK) < 0 || access(at("b"), F_OK) < 0)
        usleep(10000);
    assert_true(runs("a") && runs("b"));
    sty_auto_free char *before = text_of("a");
    struct recorded update = record(target, "update", &two, &one,
                                    "[{'type':'stop','component':'server','instance':'inventory','args':{'resources':['"
                                    "process:c/e/shop/server/b']}},"
                                    "{'type':'apply','component':'server','instance':'to','args':{}},"
                                    "{'type':'remove','component':'server','instance':'inventory','args':{'resources':["
                                    "'process:c/e/shop/server/b']}}]");
    execute(&update);
    assert_state(&update, "succeeded");
    assert_false(runs("b"));
    assert_true(runs("a"));
    assert_file("a", before);
    assert_int_equal(number("SELECT running FROM run_states"), 1);
    struct recorded delete = record(
        target, "delete", &one, NULL,
        "[{'type':'stop','component':'server','instance':'inventory','args':{'resources':['process:c/e/shop/server/"
        "a']}},{'type':'remove','component':'server','instance':'inventory','args':{}}]");
    execute(&delete);
    assert_state(&delete, "succeeded");
    assert_false(runs("a"));
}

static void test_cancel(void **state)
{
    (void)state;
    static const char *const scripts[] = {"act\n#!/bin/sh\nsleep 100\n", NULL};
    int64_t target = add_target("shop", "{}");
    struct made made = site("hello", scripts);
    struct recorded create = record(target, "create", NULL, &made, "[" RUN(TIME) "]");
    ok(sty_ledger_exec(ledger, &err, "UPDATE remediations SET cancel = 1", ""));
    execute(&create);
    assert_state(&create, "cancelled");
    assert_string_equal(column("SELECT quarantined FROM targets WHERE deployment = ?", "shop"), made.digest);
    assert_int_equal(number("SELECT tainted FROM targets"), 1);
    assert_steps(&create, "pending");
}

static void test_illegal_moves(void **state)
{
    (void)state;
    int64_t target = add_target("shop", "{}");
    struct made made = site("hello", NULL);
    struct recorded create = record(target, "create", NULL, &made, "[" APPLY "]");
    assert_int_equal(sty_remediation_move(ledger, create.id, "succeeded", NULL, &err), -1);
    assert_int_equal(err.code, STY_INTERNAL);
    assert_int_equal(sty_remediation_move(ledger, "nobody", "running", NULL, &err), -1);
    assert_int_equal(err.code, STY_NOT_FOUND);
    json_auto_t *row = NULL;
    ok(sty_ledger_row(&row, ledger, &err, "SELECT * FROM steps", ""));
    assert_int_equal(sty_step_move(ledger, row, "succeeded", NULL, &err), -1);
    ok(sty_step_move(ledger, row, "skipped", NULL, &err));
    assert_int_equal(sty_step_move(ledger, row, "running", NULL, &err), -1);
    assert_state(&create, "planned");
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "launch") == 0)
        return sty_launcher_main(argc, argv);
    find_program();
#define with_ledger(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        with_ledger(test_create),
        with_ledger(test_not_ours),
        with_ledger(test_adopt),
        with_ledger(test_refused_before_the_first_act),
        with_ledger(test_failure_is_answered),
        with_ledger(test_next_attempt),
        with_ledger(test_remove_by_inventory),
        with_ledger(test_run_gets_what_it_needs),
        with_ledger(test_timeout_ends_the_session),
        with_ledger(test_retries),
        with_ledger(test_run_states),
        with_ledger(test_stop_of_what_goes),
        with_ledger(test_cancel),
        with_ledger(test_illegal_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
