/* SPDX-License-Identifier: Apache-2.0 */
/* The engine: order, parallelism, what follows a failure, cancel, and going on after it was killed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "run_fixture.h"

/* ./act WORD: "begin WORD" and "end WORD" in the log. */
static const char act[] =
    "act\n#!/bin/sh\necho \"begin $1\" >> $TO/log; sleep ${2:-0.05}; echo \"end $1\" >> $TO/log\n";
static const char *const acts[] = {act, NULL};

static struct made empty(const char *deployment, const char *version, const char *const *scripts)
{
    return make_instance(deployment, version, json_object(), scripts);
}

static char *run_step(const char *word, const char *side, const char *more)
{
    return sty_sprintf("{'type':'run','component':null,'instance':'%s','args':{'command':['./act','%s'],'timeout_ms':"
                       "60000,'env':{'TO':'%s'}%s}}",
                       side, word, files_dir, more);
}

static struct recorded record_run(int64_t target, const char *kind, const struct made *from, const struct made *to,
                                  const char *word)
{
    sty_auto_free char *step = run_step(word, to ? "to" : "from", "");
    sty_auto_free char *steps = sty_sprintf("[%s]", step);
    return record(target, kind, from, to, steps);
}

static void run_engine(int parallelism)
{
    ok(sty_engine_run(&world, parallelism, &err));
}

static const struct chain {
    const char *name, *policy;
} chain[] = {{"web", "{'depends_on':['app']}"}, {"app", "{'depends_on':['db']}"}, {"db", "{}"}};

static void test_order(void **state)
{
    (void)state;
    int64_t targets[3];
    struct made made[3];
    for (size_t i = 0; i < 3; i++) {
        targets[i] = add_target(chain[i].name, chain[i].policy);
        made[i] = empty(chain[i].name, "1", acts);
        record_run(targets[i], "create", NULL, &made[i], chain[i].name);
    }
    run_engine(4);
    assert_file("log", "begin db\nend db\nbegin app\nend app\nbegin web\nend web\n");
    /* What others stand on goes last. */
    put("log", "");
    for (size_t i = 3; i > 0; i--)
        record_run(targets[i - 1], "delete", &made[i - 1], NULL, chain[i - 1].name);
    run_engine(4);
    assert_file("log", "begin web\nend web\nbegin app\nend app\nbegin db\nend db\n");
    assert_int_equal(number("SELECT count(*) FROM remediations WHERE state = 'succeeded'"), 6);
    assert_no_litter();
}

/* What stands on something that failed does not begin. */
static void test_failed_dependency(void **state)
{
    (void)state;
    static const char *const bad[] = {"act\n#!/bin/sh\nexit 1\n", NULL};
    int64_t app = add_target("app", chain[1].policy), db = add_target("db", "{}");
    struct made above = empty("app", "1", acts), below = empty("db", "1", bad);
    struct recorded second = record_run(app, "create", NULL, &above, "app");
    struct recorded first = record_run(db, "create", NULL, &below, "db");
    run_engine(2);
    assert_state(&first, "failed");
    assert_state(&second, "planned");
}

/* Each waits until all four are there. */
static void test_parallel(void **state)
{
    (void)state;
    static const char *const meet[] = {"act\n#!/bin/sh\ntouch $TO/here-$1; n=0\nwhile [ $(ls $TO/here-* | wc -l) -lt 4"
                                       " ] && [ $n -lt 300 ]; do sleep 0.05; n=$((n+1)); done; [ $n -lt 300 ]\n",
                                       NULL};
    static const char *const names[] = {"a", "b", "c", "d"};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct made made = empty(names[i], "1", meet);
        record_run(add_target(names[i], "{}"), "create", NULL, &made, names[i]);
    }
    run_engine(4);
    assert_int_equal(number("SELECT count(*) FROM remediations WHERE state = 'succeeded'"), 4);
}

static void test_one_at_a_time(void **state)
{
    (void)state;
    int64_t target = add_target("shop", "{}");
    struct made one = empty("shop", "1", acts), two = empty("shop", "2", acts);
    record_run(target, "create", NULL, &one, "1");
    record_run(target, "update", &one, &two, "2");
    record_run(target, "update", &two, &one, "3");
    run_engine(4);
    assert_file("log", "begin 1\nend 1\nbegin 2\nend 2\nbegin 3\nend 3\n");
    assert_string_equal(column("SELECT instance FROM active WHERE commit_oid = ?", "c"), one.digest);
}

static void test_nothing_starts(void **state)
{
    static const char *const policies[] = {"{'suspend':{'file':'x.yaml','line':3}}", "{'suspend':true}",
                                           "{'suspend':null,'observe':true}"};
    (void)state;
    int64_t target = add_target("shop", "{}");
    struct made made = empty("shop", "1", acts);
    struct recorded create = record_run(target, "create", NULL, &made, "1");
    for (size_t i = 0; i < STY_COUNT(policies); i++) {
        json_auto_t *policy = parse("%s", policies[i]);
        ok(sty_ledger_exec(ledger, &err, "UPDATE targets SET policy = ?", "j", policy));
        run_engine(1);
        assert_state(&create, "planned");
    }
    ok(sty_ledger_exec(ledger, &err,
                       "UPDATE targets SET policy = '{\"suspend\":null,\"observe\":false}',"
                       " suspended_until = ?",
                       "i", clock_ms + 1000));
    run_engine(1);
    assert_state(&create, "planned");
    clock_ms += 1000;
    run_engine(1);
    assert_state(&create, "succeeded");
}

/* In one run: the update fails, its restore is recorded and done. */
static void test_restore_follows(void **state)
{
    static const char *const bad[] = {"act\n#!/bin/sh\nexit 3\n", NULL};
    (void)state;
    int64_t target = add_target("shop", "{}");
    json_t *old = json_object(), *new = json_object();
    json_object_set_new(old, "site", file_component("page", "old"));
    json_object_set_new(new, "site", file_component("page", "new"));
    struct made one = make_instance("shop", "1", old, NULL), two = make_instance("shop", "2", new, bad);
    struct recorded create =
        record(target, "create", NULL, &one, "[{'type':'apply','component':'site','instance':'to','args':{}}]");
    sty_auto_free char *step = run_step("x", "to", "");
    sty_auto_free char *steps = sty_sprintf("[{'type':'apply','component':'site','instance':'to','args':{}},%s]", step);
    struct recorded update = record(target, "update", &one, &two, steps);
    run_engine(2);
    assert_state(&create, "succeeded");
    assert_state(&update, "failed");
    assert_string_equal(column("SELECT kind || ' ' || state FROM remediations WHERE parent = ?", update.id),
                        "restore succeeded");
    assert_file("page", "old");
    assert_int_equal(number("SELECT tainted FROM targets"), 0);
    assert_string_equal(column("SELECT quarantined FROM targets WHERE deployment = ?", "shop"), two.digest);
}

/* The same Instance, with so many attempts. */
static struct made with_attempts(const struct made *made, int attempts)
{
    struct made out;
    sty_auto_free char *bytes = NULL;
    size_t length = 0;
    json_auto_t *value = NULL;
    ok(sty_ledger_instance_get(&bytes, &length, ledger, made->digest, &err));
    ok(sty_json_parse(&value, bytes, length, &err));
    json_object_set_new(json_object_get(value, "on_failure"), "attempts", json_integer(attempts));
    sty_auto_free char *text = sty_json_canonical_text(value);
    sty_digest(out.digest, text, strlen(text));
    ok(sty_ledger_instance_put(ledger, out.digest, text, strlen(text), &err));
    return out;
}

static void test_attempts(void **state)
{
    static const char *const bad[] = {"act\n#!/bin/sh\necho x >> $TO/log; exit 1\n", NULL};
    (void)state;
    struct made once = empty("shop", "1", bad), twice = with_attempts(&once, 2);
    struct recorded create = record_run(add_target("shop", "{}"), "create", NULL, &twice, "1");
    run_engine(1);
    assert_state(&create, "waiting");
    assert_int_equal(number("SELECT quarantined IS NULL AND tainted FROM targets"), 1);
    int64_t due = number("SELECT due FROM remediations");
    assert_true(due > clock_ms);
    run_engine(1);
    assert_file("log", "x\n");
    clock_ms = due;
    run_engine(1);
    assert_state(&create, "failed");
    assert_file("log", "x\nx\n");
    assert_int_equal(number("SELECT attempt FROM remediations"), 2);
    assert_string_equal(column("SELECT quarantined FROM targets WHERE deployment = ?", "shop"), twice.digest);
}

static int64_t real_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t wished_at;

/* When the long one has begun, a person wants it ended. */
static void *wish_cancel(void *id)
{
    struct sty_error ignored;
    while (access(at("log"), F_OK) < 0)
        usleep(10000);
    wished_at = real_ms();
    sty_ledger_exec(ledger, &ignored, "UPDATE remediations SET cancel = 1 WHERE id = ?", "s", id);
    return NULL;
}

/* However busy the engine is with others. */
static void test_cancel_within_a_second(void **state)
{
    static const char *const slow[] = {"act\n#!/bin/sh\necho x >> $TO/log; sleep 50; echo late >> $TO/log\n", NULL};
    static int64_t ended_at;
    pthread_t person;
    (void)state;
    struct made made = empty("slow", "1", slow), other = empty("busy", "1", NULL);
    struct recorded create = record_run(add_target("slow", "{}"), "create", NULL, &made, "1");
    int64_t busy = add_target("busy", "{}");
    record(busy, "create", NULL, &other, "[]");
    for (int i = 0; i < 200; i++)
        record(busy, "restore", &other, &other, "[]");
    assert_int_equal(pthread_create(&person, NULL, wish_cancel, create.id), 0);
    run_engine(2);
    ended_at = real_ms();
    pthread_join(person, NULL);
    assert_state(&create, "cancelled");
    assert_steps(&create, "failed");
    assert_file("log", "x\n");
    if (ended_at - wished_at > 5000)
        fail_msg("it took %lld ms", (long long)(ended_at - wished_at));
    assert_int_equal(number("SELECT count(*) FROM remediations WHERE state = 'succeeded'"), 201);
    assert_no_litter();
}

/* ---- killed ---- */

#ifdef STYRMIN_FAILPOINTS

/* `engine FOLDER` */
static int engine_main(const char *base)
{
    name_folders(base);
    clock_ms = 1000000;
    return open_ledger() < 0 ? 3 : sty_engine_run(&world, 2, &err) < 0 ? 4 : 5;
}

/* The engine in a program of its own that dies at `failpoint`; then its ledger is ours again. */
static void engine_dies(const char *failpoint)
{
    int status = 0;
    sty_ledger_close(ledger);
    ledger = NULL;
    pid_t child = fork();
    if (child == 0) {
        setenv("STYRMIN_FAILPOINT", failpoint, 1);
        execl(program, program, "engine", folder, (char *)NULL);
        _exit(6);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    ok(open_ledger());
}

/* Three steps; killed at each place of the middle one. */
static void test_resume(void **state)
{
    static const char *const places[] = {"step.begin:2:kill", "launch.spawn:2:kill", "launch.spawned:2:kill",
                                         "launch.ended:3:kill", "step.acted:2:kill"};
    (void)state;
    for (size_t i = 0; i < STY_COUNT(places); i++) {
        sty_auto_free char *name = sty_sprintf("shop-%zu", i);
        struct made made = empty(name, "1", acts);
        sty_auto_free char *one = run_step("1", "to", "");
        sty_auto_free char *two = run_step("2", "to", "");
        sty_auto_free char *three = run_step("3", "to", "");
        sty_auto_free char *steps = sty_sprintf("[%s,%s,%s]", one, two, three);
        struct recorded create = record(add_target(name, "{}"), "create", NULL, &made, steps);
        put("log", "");
        engine_dies(places[i]);
        assert_state(&create, "running");
        run_engine(2);
        assert_state(&create, "succeeded");
        assert_steps(&create, "succeeded succeeded succeeded");
        sty_auto_free char *log = text_of("log");
        /* What was done is not repeated. */
        char *first = strstr(log, "begin 1");
        if (!first || strstr(first + 1, "begin 1"))
            fail_msg("%s: %s", places[i], log);
        assert_non_null(strstr(log, "end 2\nbegin 3\nend 3\n"));
        assert_no_litter();
    }
}

static struct recorded record_once(const char *name, const char *const *scripts, const char *verify)
{
    struct made made = empty(name, "1", scripts);
    sty_auto_free char *step = run_step("1", "to", verify);
    sty_auto_free char *steps = sty_sprintf("[%s]", step);
    return record(add_target(name, "{}"), "create", NULL, &made, steps);
}

/* Killed when it had acted: its end is there to be seen, and counts. */
static void test_once_is_done_once(void **state)
{
    (void)state;
    struct recorded create = record_once("shop", acts, ",'once':true");
    engine_dies("launch.ended:1:kill");
    run_engine(1);
    assert_state(&create, "succeeded");
    assert_file("log", "begin 1\nend 1\n");
    assert_string_equal(column("SELECT state FROM marks WHERE target <> ?", "0"), "done");
}

/* Killed before the program was started: nobody but `verify` can know. */
static void test_verify_is_asked(void **state)
{
    static const struct {
        const char *exit, *log;
    } answers[] = {{"0", "verify\n"}, {"1", "verify\nbegin 1\nend 1\n"}};
    (void)state;
    for (size_t i = 0; i < STY_COUNT(answers); i++) {
        sty_auto_free char *name = sty_sprintf("shop-%zu", i);
        sty_auto_free char *verify =
            sty_sprintf("verify\n#!/bin/sh\necho verify >> $TO/log; exit %s\n", answers[i].exit);
        const char *const scripts[] = {act, verify, NULL};
        struct recorded create = record_once(name, scripts, ",'once':true,'verify':['./verify']");
        put("log", "");
        engine_dies("step.begin:1:kill");
        run_engine(1);
        assert_state(&create, "succeeded");
        assert_file("log", answers[i].log);
        assert_no_litter();
    }
}

/* Without one a person is asked, and the engine goes on with the answer. */
/* Ended in the middle by us, nobody knows what it did. */
static void test_a_person_is_asked(void **state)
{
    static const char *const long_acts[] = {"act\n#!/bin/sh\nsleep 100\n", NULL};
    (void)state;
    struct recorded create = record_once("shop", long_acts, ",'once':true");
    engine_dies("launch.spawned:1:kill");
    run_engine(1);
    assert_state(&create, "waiting");
    assert_int_equal(number("SELECT due IS NULL FROM remediations"), 1);
    clock_ms += 86400000;
    run_engine(1);
    assert_file("log", "(none)");
    ok(sty_ledger_exec(ledger, &err, "UPDATE marks SET state = 'done'", "")); /* retry --done */
    ok(sty_ledger_exec(ledger, &err, "UPDATE remediations SET due = ?", "i", clock_ms));
    run_engine(1);
    assert_state(&create, "succeeded");
    assert_file("log", "(none)");
}

/* Killed while verify ran: it is ended before it is asked again. */
static void test_killed_while_verifying(void **state)
{
    static const char *const scripts[] = {
        act, "verify\n#!/bin/sh\necho $$ >> $TO/verifiers; [ $(wc -l < $TO/verifiers) -gt 1 ] || sleep 100\n", NULL};
    (void)state;
    struct recorded create = record_once("shop", scripts, ",'once':true,'verify':['./verify']");
    engine_dies("step.begin:1:kill");
    engine_dies("launch.spawned:1:kill");
    while (access(at("verifiers"), F_OK) < 0)
        usleep(10000);
    run_engine(1);
    assert_state(&create, "succeeded");
    sty_auto_free char *verifiers = text_of("verifiers");
    sty_auto_free char *first = sty_sprintf("/proc/%ld", strtol(verifiers, NULL, 10));
    assert_int_equal(access(first, F_OK), -1);
    assert_no_litter();
}

#endif

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "launch") == 0)
        return sty_launcher_main(argc, argv);
    find_program();
#ifdef STYRMIN_FAILPOINTS
    if (argc > 1 && strcmp(argv[1], "engine") == 0)
        return engine_main(argv[2]);
#endif
#define with_ledger(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        with_ledger(test_order),
        with_ledger(test_failed_dependency),
        with_ledger(test_parallel),
        with_ledger(test_one_at_a_time),
        with_ledger(test_nothing_starts),
        with_ledger(test_restore_follows),
        with_ledger(test_attempts),
        with_ledger(test_cancel_within_a_second),
#ifdef STYRMIN_FAILPOINTS
        with_ledger(test_resume),
        with_ledger(test_once_is_done_once),
        with_ledger(test_verify_is_asked),
        with_ledger(test_a_person_is_asked),
        with_ledger(test_killed_while_verifying),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
