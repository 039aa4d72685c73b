/* SPDX-License-Identifier: Apache-2.0 */
/* The launcher with real programs: this test is its own `styrmin launch`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "run/launcher_internal.h"

static char folder[64], program[4096];
static struct sty_launcher *launcher;
static const struct sty_launch *launch;
static struct sty_error err;

#define ok(call)                                                                                                       \
    do {                                                                                                               \
        if ((call) != 0)                                                                                               \
            fail_msg("%s: %s", #call, err.text);                                                                       \
    } while (0)

static const char *const environment[] = {"PATH=/usr/bin:/bin", "COLOUR=blue", NULL};

static char *in_folder(const char *name)
{
    return sty_sprintf("%s/%s", folder, name);
}

static char *read_text(const char *name)
{
    sty_auto_free char *path = in_folder(name);
    struct sty_str text = STY_STR_INIT;
    struct sty_error ignored;
    if (sty_file_read(&text, path, 1 << 22, &ignored) < 0)
        return sty_strdup("");
    return text.length ? sty_str_take(&text) : sty_strdup("");
}

static bool exists(const char *name)
{
    sty_auto_free char *path = in_folder(name);
    return access(path, F_OK) == 0;
}

static bool wait_file(const char *name)
{
    for (int i = 0; i < 1000 && !exists(name); i++)
        sty_launch_sleep(5);
    return exists(name);
}

static bool leaves_daemons;

static int start_shell(char token[STY_ID_SIZE], const char *script, const char *output, int64_t limit)
{
    const char *argv[] = {"sh", "-c", script, NULL};
    sty_id_new(token);
    struct sty_launch_spec spec = {.token = token,
                                   .argv = argv,
                                   .environment = environment,
                                   .directory = folder,
                                   .output = output,
                                   .output_limit = limit,
                                   .leaves_daemons = leaves_daemons};
    return launch->start(launch->self, &spec, &err);
}

static struct sty_launch_status wait_for(const char *token, int64_t ms)
{
    struct sty_launch_status status;
    ok(launch->wait(launch->self, &status, token, ms, NULL, &err));
    return status;
}

static struct sty_launch_status status_of(const char *token)
{
    struct sty_launch_status status;
    ok(launch->status(launch->self, &status, token, &err));
    return status;
}

static pid_t pid_in(const char *name)
{
    for (int i = 0; i < 1000; i++) {
        sty_auto_free char *text = read_text(name);
        if (strchr(text, '\n'))
            return (pid_t)strtol(text, NULL, 10);
        sty_launch_sleep(5);
    }
    fail_msg("no pid in %s", name);
    return 0;
}

static bool alive(pid_t pid)
{
    struct sty_process_stat stat;
    return sty_process_stat(&stat, pid) && stat.state != 'Z';
}

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/styrmin-launch-XXXXXX");
    if (!mkdtemp(folder) || sty_launcher_open(&launcher, folder, program, &err) < 0)
        return -1;
    launch = sty_launcher_interface(launcher);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sty_launcher_free(launcher);
    launcher = NULL;
    return sty_directory_remove(folder, &err);
}

static void test_exit_statuses(void **state)
{
    static const struct {
        const char *script;
        int status;
    } cases[] = {{"exit 0", 0}, {"exit 3", 3}, {"kill -TERM $$", 143}, {"kill -KILL $$", 137}};
    (void)state;
    for (size_t i = 0; i < STY_COUNT(cases); i++) {
        char token[STY_ID_SIZE];
        ok(start_shell(token, cases[i].script, NULL, 0));
        struct sty_launch_status status = wait_for(token, 10000);
        assert_int_equal(status.state, STY_LAUNCH_ENDED);
        assert_int_equal(status.exit_status, cases[i].status);
        ok(launch->end(launch->self, token, SIGTERM, 100, &err));
        assert_int_equal(status_of(token).exit_status, cases[i].status);
        launch->forget(launch->self, token);
        assert_int_equal(status_of(token).state, STY_LAUNCH_ABSENT);
    }
}

static void test_program_gets_what_was_asked(void **state)
{
    char token[STY_ID_SIZE];
    (void)state;
    sty_auto_free char *output = in_folder("out");
    ok(start_shell(token, "echo $COLOUR; pwd; echo err >&2; env | wc -l; cat; ls /proc/self/fd | wc -l", output,
                   65536));
    assert_int_equal(wait_for(token, 10000).exit_status, 0);
    ok(launch->end(launch->self, token, SIGTERM, 100, &err));
    sty_auto_free char *said = read_text("out");
    sty_auto_free char *wanted = sty_sprintf("blue\n%s\nerr\n", folder);
    assert_memory_equal(said, wanted, strlen(wanted));
    /* stdin, stdout, stderr, and the folder that ls reads */
    assert_true(sty_ends_with(said, "\n4\n"));
}

static void test_environment_is_in_no_file(void **state)
{
    char token[STY_ID_SIZE];
    (void)state;
    ok(start_shell(token, "sleep 100", NULL, 0));
    sty_auto_free char *pid_name = sty_sprintf("run/%s.pid", token);
    sty_auto_free char *claim_name = sty_sprintf("run/%s.claim", token);
    assert_true(exists(pid_name));
    sty_auto_free char *claim = read_text(claim_name);
    assert_non_null(strstr(claim, "sleep 100"));
    assert_null(strstr(claim, "blue"));
    ok(launch->end(launch->self, token, SIGTERM, 1000, &err));
}

static void test_cannot_start(void **state)
{
    static const char *const argv[] = {"/nowhere/nothing", NULL};
    char token[STY_ID_SIZE];
    (void)state;
    sty_id_new(token);
    struct sty_launch_spec spec = {.token = token, .argv = argv, .environment = environment, .directory = "/"};
    assert_int_equal(launch->start(launch->self, &spec, &err), -1);
    assert_int_equal(err.code, STY_FAILED);
    assert_non_null(strstr(err.text, "/nowhere/nothing"));
    assert_int_equal(status_of(token).state, STY_LAUNCH_ABSENT);
    spec.argv = (const char *const[]){"true", NULL};
    spec.directory = "/nowhere";
    assert_int_equal(launch->start(launch->self, &spec, &err), -1);
    assert_non_null(strstr(err.text, "/nowhere"));
    spec.directory = "/";
    spec.user = "nobody-has-this-name";
    assert_int_equal(launch->start(launch->self, &spec, &err), -1);
    assert_non_null(strstr(err.text, "nobody-has-this-name"));
    spec.token = "../../etc/passwd";
    assert_int_equal(launch->start(launch->self, &spec, &err), -1);
    assert_int_equal(err.code, STY_INTERNAL);
}

static void test_launcher_missing(void **state)
{
    char token[STY_ID_SIZE];
    (void)state;
    sty_launcher_free(launcher);
    ok(sty_launcher_open(&launcher, folder, "/bin/true", &err));
    launch = sty_launcher_interface(launcher);
    assert_int_equal(start_shell(token, "exit 0", NULL, 0), -1);
    assert_int_equal(err.code, STY_FAILED);
    sty_launcher_free(launcher);
    ok(sty_launcher_open(&launcher, folder, "/nowhere/styrmin", &err));
    launch = sty_launcher_interface(launcher);
    assert_int_equal(start_shell(token, "exit 0", NULL, 0), -1);
}

static void test_wait_times_out_and_is_cancelled(void **state)
{
    char token[STY_ID_SIZE];
    struct sty_launch_status status;
    bool cancel = true;
    (void)state;
    ok(start_shell(token, "sleep 100", NULL, 0));
    assert_int_equal(wait_for(token, 50).state, STY_LAUNCH_RUNNING);
    ok(launch->wait(launch->self, &status, token, INT64_MAX, &cancel, &err));
    assert_int_equal(status.state, STY_LAUNCH_RUNNING);
    assert_true(alive((pid_t)status.pid));
    ok(launch->end(launch->self, token, SIGTERM, 5000, &err));
    assert_int_equal(status_of(token).state, STY_LAUNCH_ENDED);
    assert_int_equal(status_of(token).exit_status, 143);
}

/* What ran away twice, into a session of its own, with every signal ignored, ends all the same. */
static void test_end_reaches_everything(void **state)
{
    char token[STY_ID_SIZE];
    (void)state;
    ok(start_shell(
        token,
        "trap '' TERM HUP INT; (setsid sh -c 'trap \"\" TERM; echo $$ > away; while :; do sleep 0.05; done' &) "
        "; echo $$ > here; while :; do sleep 0.05; done",
        NULL, 0));
    pid_t away = pid_in("away"), here = pid_in("here");
    assert_true(alive(away) && alive(here));
    int64_t before = sty_launch_clock();
    ok(launch->end(launch->self, token, SIGTERM, 200, &err));
    assert_true(sty_launch_clock() - before >= 200);
    assert_false(alive(away));
    assert_false(alive(here));
    assert_int_equal(status_of(token).exit_status, 137);
    ok(launch->end(launch->self, token, SIGTERM, 200, &err));
}

/* The program is over, what it left behind is not. */
static void test_leftovers(void **state)
{
    char token[STY_ID_SIZE];
    (void)state;
    ok(start_shell(token,
                   "(setsid sh -c 'echo $$ > left; sleep 100' &); while ! [ -s left ]; do sleep 0.01; done; exit 5",
                   NULL, 0));
    assert_int_equal(wait_for(token, 10000).exit_status, 5);
    pid_t left = pid_in("left");
    assert_true(alive(left));
    ok(launch->end(launch->self, token, SIGTERM, 2000, &err));
    assert_false(alive(left));
    assert_int_equal(status_of(token).exit_status, 5);
}

/* What made itself a daemon stays when the program ended well and may leave some; what only lingers in its session ends. */
static void test_daemons(void **state)
{
    static const char *const script =
        "(setsid sh -c 'echo $$ > %s; sleep 100' >&- 2>&- &); (echo $$ > %s.it; exec sleep 100) & "
        "while ! [ -s %s ] || ! [ -s %s.it ]; do sleep 0.01; done; exit %d";
    char token[STY_ID_SIZE];
    (void)state;
    leaves_daemons = true;
    for (int code = 0; code < 2; code++) {
        const char *name = code ? "bad" : "good";
        sty_auto_free char *text = sty_sprintf(script, name, name, name, name, code);
        ok(start_shell(token, text, NULL, 0));
        assert_int_equal(wait_for(token, 10000).exit_status, code);
        sty_auto_free char *member = sty_sprintf("%s.it", name);
        pid_t daemon = pid_in(name), lingers = pid_in(member);
        ok(launch->end(launch->self, token, SIGTERM, 2000, &err));
        assert_int_equal(alive(daemon), code == 0);
        assert_false(alive(lingers));
        kill(daemon, SIGKILL);
        assert_int_equal(status_of(token).exit_status, code);
    }
    leaves_daemons = false;
}

/* A killed launcher leaves the program, and it is still found. */
static void test_launcher_killed(void **state)
{
    char token[STY_ID_SIZE];
    struct sty_launched launched;
    bool found = false;
    (void)state;
    ok(start_shell(token, "trap '' TERM; echo $$ > here; while :; do sleep 0.05; done", NULL, 0));
    pid_t here = pid_in("here");
    sty_auto_free char *path = sty_launcher_path(launcher->directory, token, "pid");
    ok(sty_launched_read(&launched, &found, path, &err));
    assert_true(found && launched.this_boot);
    assert_int_equal(launched.program.pid, here);
    kill(launched.launcher.pid, SIGKILL);
    while (sty_identity_alive(&launched.launcher))
        sty_launch_sleep(2);
    assert_int_equal(status_of(token).state, STY_LAUNCH_RUNNING);
    ok(launch->end(launch->self, token, SIGTERM, 50, &err));
    assert_false(alive(here));
    assert_int_equal(status_of(token).state, STY_LAUNCH_ENDED);
    assert_int_equal(status_of(token).exit_status, -1);
}

/* A pid file that names a process which is somebody else by now harms nobody. */
static void test_reused_pid(void **state)
{
    char token[STY_ID_SIZE];
    struct sty_process_stat stat;
    (void)state;
    pid_t innocent = fork();
    if (innocent == 0) {
        setsid();
        for (;;)
            pause();
    }
    while (!sty_process_stat(&stat, innocent) || stat.session != innocent)
        sty_launch_sleep(2);
    sty_id_new(token);
    struct sty_launched launched = {.launcher = {innocent, stat.started - 1}, .program = {innocent, stat.started - 1}};
    sty_auto_free char *path = sty_launcher_path(launcher->directory, token, "pid");
    ok(sty_launched_write(path, &launched, &err));
    assert_int_equal(status_of(token).state, STY_LAUNCH_ENDED);
    ok(launch->end(launch->self, token, SIGKILL, 0, &err));
    assert_true(alive(innocent));
    /* The same names of another boot. */
    sty_auto_free char *text = sty_sprintf("{\"boot\":\"other\",\"launcher\":{\"pid\":%d,\"started\":%lld},\"program\":"
                                           "{\"pid\":%d,\"started\":%lld}}",
                                           innocent, (long long)stat.started, innocent, (long long)stat.started);
    ok(sty_file_replace(path, text, strlen(text), 0600, &err));
    assert_int_equal(status_of(token).state, STY_LAUNCH_ENDED);
    ok(launch->end(launch->self, token, SIGKILL, 0, &err));
    assert_true(alive(innocent));
    kill(innocent, SIGKILL);
    waitpid(innocent, NULL, 0);
}

/* Whoever takes the spec away before the launcher has it wins: nothing starts. */
static void test_unwanted_start(void **state)
{
    char token[STY_ID_SIZE];
    (void)state;
    sty_id_new(token);
    sty_auto_free char *path = sty_launcher_path(launcher->directory, token, "spec");
    sty_auto_free char *claim = sty_launcher_path(launcher->directory, token, "claim");
    static const char text[] = "{\"argv\":[\"touch\",\"started\"]}";
    ok(sty_file_replace(path, text, strlen(text), 0600, &err));
    assert_int_equal(status_of(token).state, STY_LAUNCH_ABSENT);
    ok(launch->end(launch->self, token, SIGTERM, 0, &err));
    assert_int_equal(access(path, F_OK), -1);
    /* Claimed by a launcher that died before it said who it is. */
    ok(sty_file_replace(claim, text, strlen(text), 0600, &err));
    assert_int_equal(status_of(token).state, STY_LAUNCH_ENDED);
    assert_int_equal(status_of(token).exit_status, -1);
    ok(launch->end(launch->self, token, SIGTERM, 0, &err));
}

static void test_output_is_kept_to_its_end(void **state)
{
    char token[STY_ID_SIZE];
    (void)state;
    sty_auto_free char *output = in_folder("out");
    ok(start_shell(token, "i=0; while [ $i -lt 40000 ]; do echo line $i; i=$((i+1)); done; echo last", output, 4096));
    assert_int_equal(wait_for(token, 60000).exit_status, 0);
    ok(launch->end(launch->self, token, SIGTERM, 100, &err));
    sty_auto_free char *said = read_text("out");
    assert_true(strlen(said) <= 4096 && strlen(said) > 2048);
    assert_true(sty_ends_with(said, "line 39999\nlast\n"));
}

static void test_output_is_rotated(void **state)
{
    char token[STY_ID_SIZE];
    struct stat status;
    (void)state;
    sty_auto_free char *output = in_folder("log");
    sty_auto_free char *old = in_folder("log.1");
    ok(start_shell(token, "head -c 3000000 /dev/zero; echo end", output, 0));
    assert_int_equal(wait_for(token, 60000).exit_status, 0);
    ok(launch->end(launch->self, token, SIGTERM, 100, &err));
    assert_int_equal(stat(output, &status), 0);
    assert_true(status.st_size < 2 << 20);
    assert_int_equal(stat(old, &status), 0);
    assert_true(status.st_size < 2 << 20);
}

/* Who asked is killed; the program goes on, and the next one to look finds out how it ended. */
static void test_survives_its_maker(void **state)
{
    char token[STY_ID_SIZE];
    (void)state;
    sty_id_new(token);
    pid_t maker = fork();
    if (maker == 0) {
        const char *argv[] = {"sh", "-c", "echo $$ > here; while ! [ -e go ]; do sleep 0.01; done; exit 9", NULL};
        struct sty_launch_spec spec = {.token = token, .argv = argv, .environment = environment, .directory = folder};
        if (launch->start(launch->self, &spec, &err) == 0)
            for (;;)
                pause();
        _exit(1);
    }
    pid_t here = pid_in("here");
    kill(maker, SIGKILL);
    waitpid(maker, NULL, 0);
    assert_true(alive(here));
    assert_int_equal(status_of(token).state, STY_LAUNCH_RUNNING);
    sty_auto_free char *go = in_folder("go");
    ok(sty_file_replace(go, "", 0, 0600, &err));
    assert_int_equal(wait_for(token, 10000).exit_status, 9);
    assert_true(wait_file("here"));
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "launch") == 0)
        return sty_launcher_main(argc, argv);
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    program[length > 0 ? length : 0] = '\0';
#define with_folder(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        with_folder(test_exit_statuses),
        with_folder(test_program_gets_what_was_asked),
        with_folder(test_environment_is_in_no_file),
        with_folder(test_cannot_start),
        with_folder(test_launcher_missing),
        with_folder(test_wait_times_out_and_is_cancelled),
        with_folder(test_end_reaches_everything),
        with_folder(test_leftovers),
        with_folder(test_daemons),
        with_folder(test_launcher_killed),
        with_folder(test_reused_pid),
        with_folder(test_unwanted_start),
        with_folder(test_output_is_kept_to_its_end),
        with_folder(test_output_is_rotated),
        with_folder(test_survives_its_maker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
