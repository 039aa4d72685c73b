/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of every kind of remediation: what is touched, in which order, and what is left alone. */
#include "bench.h"

#define SITE(mode) "'site': {'resources': {'directory:/a': {}, 'file:/a/b': {'mode': '" mode "'}}}"
#define SERVER "'server': {'depends_on': ['site'], 'restart_on': ['site'], 'resources': {'process:s': {}}}"
#define SIDE "'side': {'resources': {'process:side': {}}, 'health': {'timeout_ms': 7000}}"
#define WEB(mode, more) "{'components': {" SITE(mode) ", " SERVER ", " SIDE "}" more "}"
#define STOPPED ", 'lifecycle': 'stopped'"

static void test_create(void **state)
{
    struct bench *b = *state;
    bench_target(b, "shop", NULL, WEB("0644", ""));
    expect_steps(b, "core apply side to process:side\n"
                    "core start side to\n"
                    "core wait side to\n"
                    "core apply site to file:/a file:/a/b\n"
                    "core apply server to process:s\n"
                    "core start server to\n"
                    "core wait server to\n");
}

static void test_create_stopped(void **state)
{
    struct bench *b = *state;
    bench_target(b, "shop", NULL, WEB("0644", STOPPED));
    expect_steps(b, "core apply side to process:side\n"
                    "core apply site to file:/a file:/a/b\n"
                    "core apply server to process:s\n");
}

static void test_update_touches_what_changed_and_who_restarts_on_it(void **state)
{
    struct bench *b = *state;
    bench_target(b, "shop", WEB("0644", ""), WEB("0600", ""));
    expect_steps(b, "core apply site to file:/a/b\n"
                    "core restart server to\n"
                    "core wait server to\n"
                    "core wait side to\n");
}

static void test_update_of_a_stopped_one_starts_nothing(void **state)
{
    struct bench *b = *state;
    bench_target(b, "shop", WEB("0644", STOPPED), WEB("0600", STOPPED));
    expect_steps(b, "core apply site to file:/a/b\n");
}

static void test_update_brings_back_what_was_stopped(void **state)
{
    struct bench *b = *state;
    static const struct sty_plan_run_state stopped[] = {{"side", false}, {"server", true}};
    struct sty_plan_target *t = bench_target(b, "shop", WEB("0644", ""), WEB("0600", ""));
    t->run_states = stopped;
    t->run_state_count = 2;
    expect_steps(b, "core start side to\n"
                    "core wait side to\n"
                    "core apply site to file:/a/b\n"
                    "core restart server to\n"
                    "core wait server to\n");
}

static void test_start_and_stop(void **state)
{
    struct bench *b = *state;
    bench_target(b, "shop", WEB("0644", ""), WEB("0644", STOPPED));
    expect_steps(b, "core stop server from\ncore stop side from\n");
    b->targets[0].active = bench_instance(b, "shop", WEB("0644", STOPPED));
    b->targets[0].desired = bench_instance(b, "shop", WEB("0644", ""));
    expect_steps(b, "core start side to\ncore wait side to\ncore start server to\ncore wait server to\n");
}

static void test_what_vanishes_is_stopped_first_and_removed_last(void **state)
{
    struct bench *b = *state;
    bench_target(b, "shop", WEB("0644", ""), "{'components': {" SITE("0644") "}}");
    expect_steps(b, "core stop server inventory process:s\n"
                    "core stop side inventory process:side\n"
                    "core remove server inventory process:s\n"
                    "core remove side inventory process:side\n");
}

static void test_delete(void **state)
{
    struct bench *b = *state;
    bench_target(b, "shop",
                 WEB("0644", ", 'actions': [{'name': 'save', 'hook': 'teardown', 'mode': 'pre', 'steps': [{'type':"
                             " 'run', 'args': {'command': ['./save'], 'once': false}}]}]"),
                 NULL);
    expect_steps(b, "pre run - from\n"
                    "core stop server inventory process:s\n"
                    "core stop side inventory process:side\n"
                    "core remove server inventory process:s\n"
                    "core remove site inventory file:/a/b file:/a\n"
                    "core remove side inventory process:side\n");
}

static void test_delete_of_what_was_only_tried(void **state)
{
    struct bench *b = *state;
    static const struct sty_plan_row rows[] = {{"file:/a", "site", "sha256:x"}, {"file:/gone", "old", "sha256:y"}};
    struct sty_plan_target *t = bench_target(b, "shop", NULL, NULL);
    t->tried = bench_instance(b, "shop", "{'components': {" SITE("0644") "}}");
    t->inventory = rows;
    t->inventory_count = 2;
    t->tainted = true;
    expect_steps(b, "core remove old inventory file:/gone\ncore remove site inventory file:/a\n");
    assert_string_equal(b->plan->remediations[0].from, sty_instance_digest(t->tried));
}

static void test_tainted_is_all_changed(void **state)
{
    struct bench *b = *state;
    struct sty_plan_target *t = bench_target(b, "shop", WEB("0644", ""), WEB("0644", ""));
    static const struct sty_plan_row extra = {"file:/leftover", "site", "sha256:x"};
    b->rows[0][t->inventory_count++] = extra;
    t->tainted = true;
    expect_steps(b, "core apply side to process:side\n"
                    "core restart side to\n"
                    "core wait side to\n"
                    "core apply site to file:/a file:/a/b\n"
                    "core apply server to process:s\n"
                    "core restart server to\n"
                    "core wait server to\n"
                    "core remove site inventory file:/leftover\n");
    assert_int_equal(b->plan->remediations[0].kind, STY_REMEDY_RESTORE);
}

static void test_heal(void **state)
{
    struct bench *b = *state;
    static const char *const file[] = {"file:/a/b", NULL}, *const process[] = {"process:side", NULL};
    static const struct sty_plan_run_state stopped = {"side", false};
    struct sty_plan_target *t = bench_target(b, "shop", WEB("0644", ""), WEB("0644", ""));
    t->wish = STY_PLAN_HEAL;
    t->drifted = file;
    expect_steps(b, "core apply site to file:/a/b\ncore restart server to\ncore wait server to\n");
    t->drifted = process;
    expect_steps(b, "core apply side to process:side\ncore restart side to\ncore wait side to\n");
    t->run_states = &stopped;
    t->run_state_count = 1;
    expect_steps(b, "core stop side from\ncore apply side to process:side\n");
}

static void test_declared_core_replaces_the_built_in_one(void **state)
{
    struct bench *b = *state;
    bench_target(b, "shop", WEB("0644", ""),
                 WEB("0600", ", 'application': {'name': 'web', 'version': '2.0'}, 'actions': ["
                             "{'name': 'migrate', 'hook': 'upgrade', 'mode': 'core', 'steps': ["
                             "{'type': 'stop', 'args': {'components': ['site', 'server']}},"
                             "{'type': 'run', 'args': {'command': ['./migrate'], 'once': true}},"
                             "{'type': 'apply', 'args': {'components': 'changed'}},"
                             "{'type': 'apply', 'args': {'components': ['side']}},"
                             "{'type': 'wait', 'args': {'duration_ms': 5}}]},"
                             "{'name': 'after', 'hook': 'upgrade', 'mode': 'post', 'steps': ["
                             "{'type': 'stop', 'args': {'components': ['side']}},"
                             "{'type': 'http', 'args': {'url': 'http://127.0.0.1/', 'status': 200}}]}]"));
    expect_steps(b, "core stop server from\n"
                    "core stop site from\n"
                    "core run - to\n"
                    "core apply site to file:/a/b\n"
                    "core apply side to process:side\n"
                    "core wait - to\n"
                    "core start server to\n"
                    "core wait side to\n"
                    "core wait server to\n"
                    "post stop side from\n"
                    "post http - to\n"
                    "post start side to\n"
                    "post wait side to\n");
    json_auto_t *document = sty_plan_remediation_json(&b->plan->remediations[0]);
    const json_t *args = json_object_get(json_array_get(json_object_get(document, "steps"), 2), "args");
    assert_true(sty_digest_valid(sty_json_text(args, "once_digest", "")));
}

static void test_a_declared_start_is_real_and_undone(void **state)
{
    struct bench *b = *state;
    bench_target(b, "shop", NULL,
                 WEB("0644", STOPPED ", 'actions': [{'name': 'seed', 'hook': 'setup', 'mode': 'core', 'steps': ["
                                     "{'type': 'apply', 'args': {'components': 'all'}},"
                                     "{'type': 'start', 'args': {'components': ['side']}}]}]"));
    expect_steps(b, "core apply side to process:side\n"
                    "core apply site to file:/a file:/a/b\n"
                    "core apply server to process:s\n"
                    "core start side to\n"
                    "core wait side to\n"
                    "core stop side to\n");
}

static void test_downgrade_is_the_active_drivers(void **state)
{
    struct bench *b = *state;
    bench_target(b, "shop",
                 WEB("0644", ", 'application': {'name': 'web', 'version': '2.0'}, 'actions': [{'name': 'back', 'hook':"
                             " 'downgrade', 'mode': 'pre', 'steps': [{'type': 'stop', 'args': {'components':"
                             " ['server']}}, {'type': 'run', 'args': {'command': ['./back'], 'once': false}},"
                             " {'type': 'reload', 'args': {'components': ['side']}}]}]"),
                 "{'components': {" SITE("0644") ", " SERVER "}}");
    expect_steps(b, "pre stop server from\n"
                    "pre run - from\n"
                    "core stop side inventory process:side\n"
                    "core start server to\n"
                    "core wait server to\n"
                    "core remove side inventory process:side\n");
}

static void test_driver_files_change_what_uses_them(void **state)
{
    struct bench *b = *state;
    bench_target(b, "shop",
                 "{'components': {'a': {'resources': {'command:x': {'check': ['./check']}, 'command:y': {'check':"
                 " ['/bin/true']}}}}}",
                 "{'components': {'a': {'resources': {'command:x': {'check': ['./check']}, 'command:y': {'check':"
                 " ['/bin/true']}}}}, 'driver': {'name': 'web', 'version': '2', 'files': 'sha256:two'}}");
    expect_steps(b, "core apply a to command:x\n");
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_create),
        CASE(test_create_stopped),
        CASE(test_update_touches_what_changed_and_who_restarts_on_it),
        CASE(test_update_of_a_stopped_one_starts_nothing),
        CASE(test_update_brings_back_what_was_stopped),
        CASE(test_start_and_stop),
        CASE(test_what_vanishes_is_stopped_first_and_removed_last),
        CASE(test_delete),
        CASE(test_delete_of_what_was_only_tried),
        CASE(test_tainted_is_all_changed),
        CASE(test_heal),
        CASE(test_declared_core_replaces_the_built_in_one),
        CASE(test_a_declared_start_is_real_and_undone),
        CASE(test_downgrade_is_the_active_drivers),
        CASE(test_driver_files_change_what_uses_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
