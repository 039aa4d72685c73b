/* SPDX-License-Identifier: Apache-2.0 */
/* pipe_child: speaking with a child, its complaints, and its end, whether it wants to or not. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdbool.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/memory.h"
#include "base/process.h"

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct sty_pipe_child *start(const char *script, int64_t timeout_ms)
{
    struct sty_error err;
    struct sty_pipe_child *child = NULL;
    const char *argv[] = {"sh", "-c", script, NULL};
    struct sty_process_spec spec = {.argv = argv, .timeout_ms = timeout_ms};
    assert_int_equal(sty_pipe_child_start(&child, &spec, &err), 0);
    return child;
}

static void expect(struct sty_pipe_child *child, const char *text)
{
    struct sty_error err;
    char buffer[256];
    size_t length = 0, got;
    while (length < strlen(text)) {
        assert_int_equal(sty_pipe_child_read(&got, child, buffer + length, strlen(text) - length, 10000, &err), 0);
        assert_true(got > 0);
        length += got;
    }
    assert_memory_equal(buffer, text, length);
}

static void expect_end(struct sty_pipe_child *child)
{
    struct sty_error err;
    char byte;
    size_t got = 7;
    assert_int_equal(sty_pipe_child_read(&got, child, &byte, 1, 10000, &err), 0);
    assert_int_equal(got, 0);
}

static void say(struct sty_pipe_child *child, const char *text)
{
    struct sty_error err;
    assert_int_equal(sty_pipe_child_write(child, text, strlen(text), 10000, &err), 0);
}

static void test_conversation(void **state)
{
    (void)state;
    struct sty_pipe_child *child = start("while read x; do echo \"got $x\"; [ $x = end ] && exit; done", 20000);
    say(child, "one\n");
    expect(child, "got one\n");
    say(child, "two\n");
    expect(child, "got two\n");
    say(child, "end\n");
    expect(child, "got end\n");
    expect_end(child);
    sty_pipe_child_free(child);
    sty_pipe_child_free(NULL);
}

static void test_not_started(void **state)
{
    struct sty_error err = {0};
    struct sty_pipe_child *child = NULL;
    const char *argv[] = {"no-such-program-anywhere", NULL};
    struct sty_process_spec spec = {.argv = argv, .timeout_ms = 1000};
    (void)state;
    assert_int_equal(sty_pipe_child_start(&child, &spec, &err), -1);
    assert_int_equal(err.code, STY_NOT_FOUND);
    assert_null(child);
}

static void test_stall(void **state)
{
    struct sty_error err = {0};
    char byte;
    size_t got = 7;
    (void)state;
    struct sty_pipe_child *child = start("read x", 20000);
    int64_t begin = now_ms();
    assert_int_equal(sty_pipe_child_read(&got, child, &byte, 1, 100, &err), -1);
    assert_int_equal(err.code, STY_TIMEOUT);
    assert_int_equal(got, 7);
    assert_true(now_ms() - begin >= 100);
    sty_pipe_child_free(child);
}

/* A child that dribbles never stalls, yet its whole time ends. */
static void test_whole_time(void **state)
{
    struct sty_error err = {0};
    char byte;
    size_t got = 1;
    (void)state;
    struct sty_pipe_child *child = start("while :; do printf x; sleep 0.02; done", 300);
    int64_t begin = now_ms();
    int result = 0;
    while (result == 0 && now_ms() - begin < 5000)
        result = sty_pipe_child_read(&got, child, &byte, 1, 1000, &err);
    assert_int_equal(result, -1);
    assert_int_equal(err.code, STY_TIMEOUT);
    sty_pipe_child_free(child);
}

static void test_write_stalls(void **state)
{
    struct sty_error err = {0};
    size_t size = 1 << 20;
    (void)state;
    sty_auto_free char *bytes = sty_calloc(1, size);
    struct sty_pipe_child *child = start("sleep 0.5", 20000);
    assert_int_equal(sty_pipe_child_write(child, bytes, size, 100, &err), -1);
    assert_int_equal(err.code, STY_TIMEOUT);
    sty_pipe_child_free(child);
}

static void test_write_to_the_dead(void **state)
{
    struct sty_error err = {0};
    size_t size = 1 << 20;
    (void)state;
    signal(SIGPIPE, SIG_DFL);
    sty_auto_free char *bytes = sty_calloc(1, size);
    struct sty_pipe_child *child = start("echo 'no such repository' >&2; exit 1", 20000);
    assert_int_equal(sty_pipe_child_write(child, bytes, size, 5000, &err), -1);
    assert_int_equal(err.code, STY_UNREACHABLE);
    assert_string_equal(sty_pipe_child_complaint(child), "no such repository");
    sty_pipe_child_free(child);
}

static void test_complaint(void **state)
{
    static const struct {
        const char *script, *complaint;
    } rows[] = {{"true", ""},
                {"printf 'one\\r\\ntwo\\r\\n' >&2", "one\ntwo"},
                {"printf '\\033[31mred\\n' >&2", "\\x1b[31mred"},
                {"printf 'a\\rb' >&2", "a\\x0db"},
                {"printf '\\r\\n\\n' >&2", ""}};
    (void)state;
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        struct sty_pipe_child *child = start(rows[i].script, 20000);
        expect_end(child);
        assert_string_equal(sty_pipe_child_complaint(child), rows[i].complaint);
        sty_pipe_child_free(child);
    }
}

/* More than a pipe holds: the child must not block on it, and the last 4 KiB are kept. */
static void test_long_complaint(void **state)
{
    (void)state;
    struct sty_pipe_child *child =
        start("head -c 300000 /dev/zero | tr '\\0' x >&2; printf END >&2; echo ready", 20000);
    expect(child, "ready\n");
    expect_end(child);
    const char *complaint = sty_pipe_child_complaint(child);
    assert_int_equal(strlen(complaint), 4096);
    assert_string_equal(complaint + 4093, "END");
    sty_pipe_child_free(child);
}

static void test_end_by_itself(void **state)
{
    (void)state;
    struct sty_pipe_child *child = start("cat >/dev/null", 20000);
    int64_t begin = now_ms();
    sty_pipe_child_free(child);
    assert_true(now_ms() - begin < 1500);
}

static void test_end_of_the_stubborn(void **state)
{
    (void)state;
    struct sty_pipe_child *child = start("trap '' TERM; echo ready; while :; do sleep 1; done", 20000);
    expect(child, "ready\n");
    int64_t begin = now_ms();
    sty_pipe_child_free(child);
    assert_true(now_ms() - begin < 8000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversation),  cmocka_unit_test(test_not_started),
        cmocka_unit_test(test_stall),         cmocka_unit_test(test_whole_time),
        cmocka_unit_test(test_write_stalls),  cmocka_unit_test(test_write_to_the_dead),
        cmocka_unit_test(test_complaint),     cmocka_unit_test(test_long_complaint),
        cmocka_unit_test(test_end_by_itself), cmocka_unit_test(test_end_of_the_stubborn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
