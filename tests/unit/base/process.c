/* SPDX-License-Identifier: Apache-2.0 */
/* process: run to the end, with input, limits, a clean child, and a time limit for all it started. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdbool.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <sys/stat.h>
#include "base/process.h"
#include "scratch.h"

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct sty_process_spec shell(const char *script)
{
    static const char *argv[4];
    argv[0] = "sh", argv[1] = "-c", argv[2] = script, argv[3] = NULL;
    return (struct sty_process_spec){.argv = argv, .output_limit = 1 << 20, .timeout_ms = 20000};
}

static void run(struct sty_process_result *result, const struct sty_process_spec *spec)
{
    struct sty_error err;
    assert_int_equal(sty_process_run(result, spec, &err), 0);
    assert_false(result->timed_out);
}

static void test_results(void **state)
{
    static const struct {
        const char *script;
        int status;
        const char *output, *error;
    } rows[] = {{"echo out; echo err >&2; exit 3", 3, "out\n", "err\n"},
                {"true", 0, "", ""},
                {"kill -TERM $$", 128 + SIGTERM, "", ""},
                {"kill -KILL $$", 128 + SIGKILL, "", ""},
                {"printf 'a\\0b'", 0, "a", ""},
                {"cat", 0, "", ""}}; /* stdin is /dev/null */
    (void)state;
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        sty_auto(process_result) result = {0};
        struct sty_process_spec spec = shell(rows[i].script);
        run(&result, &spec);
        assert_int_equal(result.status, rows[i].status);
        assert_string_equal(result.output.data, rows[i].output);
        assert_string_equal(result.error.data, rows[i].error);
    }
}

static void test_input(void **state)
{
    size_t size = 1 << 20;
    (void)state;
    sty_auto_free char *bytes = sty_malloc(size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)('a' + i % 23);
    sty_auto(process_result) result = {0};
    struct sty_process_spec spec = shell("cat");
    spec.input = bytes;
    spec.input_length = size;
    spec.output_limit = size;
    run(&result, &spec);
    assert_int_equal(result.output.length, size);
    assert_memory_equal(result.output.data, bytes, size);
}

static void test_empty_input(void **state)
{
    (void)state;
    sty_auto(process_result) result = {0};
    struct sty_process_spec spec = shell("wc -c");
    spec.input = "";
    run(&result, &spec);
    assert_int_equal(result.output.data[0], '0');
}

/* A child that goes without reading must not kill us by SIGPIPE. */
static void test_input_not_wanted(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_DFL);
    size_t size = 1 << 20;
    sty_auto_free char *bytes = sty_calloc(1, size);
    sty_auto(process_result) result = {0};
    struct sty_process_spec spec = shell("exec <&-; sleep 0.2; exit 4");
    spec.input = bytes;
    spec.input_length = size;
    run(&result, &spec);
    assert_int_equal(result.status, 4);
}

static void test_output_limit(void **state)
{
    (void)state;
    sty_auto(process_result) result = {0};
    struct sty_process_spec spec = shell("head -c 3000000 /dev/zero | tr '\\0' x; echo done >&2");
    spec.output_limit = 1000;
    run(&result, &spec);
    assert_int_equal(result.output.length, 1000);
    assert_string_equal(result.error.data, "done\n");
}

static void test_large_last_words(void **state)
{
    (void)state;
    sty_auto(process_result) result = {0};
    struct sty_process_spec spec = shell("head -c 60000 /dev/zero | tr '\\0' x");
    run(&result, &spec);
    assert_int_equal(result.output.length, 60000);
}

static void test_directory_and_environment(void **state)
{
    static const char *const environment[] = {"PATH=/usr/bin:/bin", "GREETING=hello", NULL};
    (void)state;
    assert_int_equal(mkdir("inside", 0700), 0);
    sty_auto(process_result) result = {0};
    struct sty_process_spec spec = shell("echo \"$GREETING${HOME-none}\"; basename \"$PWD\"");
    spec.directory = "inside";
    spec.environment = environment;
    run(&result, &spec);
    assert_string_equal(result.output.data, "hellonone\ninside\n");
}

/* PATH of the child's environment decides, and an entry that is not absolute never does. */
static void test_path_of_child(void **state)
{
    const char *environment[] = {NULL, NULL};
    struct sty_error err;
    (void)state;
    assert_int_equal(mkdir("bin", 0700), 0);
    assert_int_equal(sty_file_replace("bin/tool", "#!/bin/sh\necho tool\n", 20, 0755, &err), 0);
    sty_auto_free char *good = sty_sprintf("PATH=relative::%s/bin", (char *)*state);
    const char *argv[] = {"tool", NULL};
    struct sty_process_spec spec = {.argv = argv, .environment = environment, .output_limit = 100, .timeout_ms = 20000};
    environment[0] = good;
    sty_auto(process_result) result = {0};
    run(&result, &spec);
    assert_string_equal(result.output.data, "tool\n");
    environment[0] = "PATH=bin:.:";
    struct sty_process_result none = {.status = 77};
    assert_int_equal(sty_process_run(&none, &spec, &err), -1);
    assert_int_equal(err.code, STY_NOT_FOUND);
    assert_int_equal(none.status, 77);
}

static void test_not_started(void **state)
{
    static const struct {
        const char *program, *directory;
        enum sty_code code;
    } rows[] = {{"no-such-program-anywhere", NULL, STY_NOT_FOUND},
                {"/no/such/program", NULL, STY_NOT_FOUND},
                {"/bin/sh", "/no/such/folder", STY_NOT_FOUND},
                {"/etc/passwd", NULL, STY_IO},
                {"", NULL, STY_INVALID}};
    (void)state;
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        struct sty_error err = {0};
        const char *argv[] = {rows[i].program, NULL};
        struct sty_process_spec spec = {.argv = argv, .directory = rows[i].directory, .timeout_ms = 1000};
        struct sty_process_result result = {0};
        assert_int_equal(sty_process_run(&result, &spec, &err), -1);
        assert_int_equal(err.code, rows[i].code);
    }
}

static void test_no_time_limit_is_a_mistake(void **state)
{
    struct sty_error err = {0};
    (void)state;
    struct sty_process_result result = {0};
    struct sty_process_spec spec = shell("true");
    spec.timeout_ms = 0;
    assert_int_equal(sty_process_run(&result, &spec, &err), -1);
    assert_int_equal(err.code, STY_INTERNAL);
}

/* The grandchild goes, too. */
static void test_timeout(void **state)
{
    struct sty_error err = {0};
    (void)state;
    sty_auto(process_result) result = {0};
    struct sty_process_spec spec = shell("sleep 60 & echo $!; trap '' TERM HUP; wait; sleep 60");
    spec.timeout_ms = 300;
    int64_t start = now_ms();
    assert_int_equal(sty_process_run(&result, &spec, &err), -1);
    assert_true(now_ms() - start < 10000);
    assert_int_equal(err.code, STY_TIMEOUT);
    assert_true(result.timed_out);
    assert_int_equal(result.status, 128 + SIGKILL);
    int64_t pid = 0;
    result.output.data[result.output.length - 1] = '\0';
    assert_int_equal(sty_number_parse(&pid, result.output.data, 2, INT32_MAX, &err), 0);
    char path[64];
    char text = 'Z';
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    for (int i = 0; i < 100; i++) { /* gone, or dead and not yet reaped by init */
        sty_auto_file stat_file = fopen(path, "re");
        if (!stat_file || fscanf(stat_file, "%*d %*s %c", &text) != 1 || text == 'Z')
            return;
        usleep(20000);
    }
    fail_msg("the grandchild runs on");
}

/* Someone in the background who keeps stdout open does not keep us. */
static void test_background(void **state)
{
    (void)state;
    sty_auto(process_result) result = {0};
    struct sty_process_spec spec = shell("sleep 3 & echo started");
    int64_t start = now_ms();
    run(&result, &spec);
    assert_true(now_ms() - start < 2500);
    assert_string_equal(result.output.data, "started\n");
}

static void test_clean_child(void **state)
{
    sigset_t blocked, before;
    (void)state;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    signal(SIGPIPE, SIG_IGN);
    int leaked = dup(0); /* without close-on-exec */
    sty_auto(process_result) result = {0};
    struct sty_process_spec spec = shell("grep -E 'SigBlk|SigIgn' /proc/self/status; ls /proc/$$/fd | tr '\\n' ' ';"
                                         "[ $(ps -o sid= -p $$ 2>/dev/null || echo $$) = $$ ] && echo leader");
    run(&result, &spec);
    sigprocmask(SIG_SETMASK, &before, NULL);
    signal(SIGPIPE, SIG_DFL);
    close(leaked);
    assert_non_null(strstr(result.output.data, "SigBlk:\t0000000000000000"));
    const char *ignored = strstr(result.output.data, "SigIgn:\t");
    assert_non_null(ignored);
    assert_int_equal(strtoull(ignored + 8, NULL, 16) & (1u << (SIGPIPE - 1)), 0);
    assert_non_null(strstr(result.output.data, "\n0 1 2 "));
    assert_non_null(strstr(result.output.data, "leader"));
}

static void test_closed_stdio(void **state)
{
    (void)state;
    int kept = dup(0);
    assert_true(kept > 2);
    close(0);
    sty_auto(process_result) result = {0};
    struct sty_process_spec spec = shell("cat; echo err >&2");
    spec.input = "in";
    spec.input_length = 2;
    run(&result, &spec);
    dup2(kept, 0);
    close(kept);
    assert_string_equal(result.output.data, "in");
    assert_string_equal(result.error.data, "err\n");
}

static int open_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void test_no_descriptor_is_left(void **state)
{
    struct sty_error err;
    (void)state;
    int before = open_descriptors();
    for (int i = 0; i < 3; i++) {
        sty_auto(process_result) result = {0};
        struct sty_process_spec spec = shell(i == 1 ? "sleep 9" : "true");
        spec.timeout_ms = i == 1 ? 50 : 20000;
        sty_process_run(&result, &spec, &err);
        const char *argv[] = {"no-such-program-anywhere", NULL};
        spec.argv = argv;
        struct sty_process_result none = {0};
        assert_int_equal(sty_process_run(&none, &spec, &err), -1);
    }
    assert_int_equal(open_descriptors(), before);
}

static void test_find(void **state)
{
    struct sty_error err;
    (void)state;
    sty_auto(str) path = STY_STR_INIT;
    assert_int_equal(sty_program_find(&path, "sh", &err), 0);
    assert_int_equal(path.data[0], '/');
    assert_true(sty_ends_with(path.data, "/sh"));
    sty_str_reset(&path);
    assert_int_equal(sty_program_find(&path, "/bin/sh", &err), 0);
    assert_string_equal(path.data, "/bin/sh");
    sty_str_reset(&path);
    assert_int_equal(sty_program_find(&path, "no-such-program-anywhere", &err), -1);
    assert_int_equal(err.code, STY_NOT_FOUND);
    assert_int_equal(sty_program_find(&path, "/etc/passwd", &err), -1);
    assert_int_equal(sty_program_find(&path, "", &err), -1);
    assert_int_equal(path.length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_input),
        cmocka_unit_test(test_empty_input),
        cmocka_unit_test(test_input_not_wanted),
        cmocka_unit_test(test_output_limit),
        cmocka_unit_test(test_large_last_words),
        cmocka_unit_test_setup_teardown(test_directory_and_environment, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_path_of_child, scratch_make, scratch_remove),
        cmocka_unit_test(test_not_started),
        cmocka_unit_test(test_no_time_limit_is_a_mistake),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_background),
        cmocka_unit_test(test_clean_child),
        cmocka_unit_test(test_closed_stdio),
        cmocka_unit_test(test_no_descriptor_is_left),
        cmocka_unit_test(test_find),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
