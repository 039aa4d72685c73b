/* SPDX-License-Identifier: Apache-2.0 */
/* lock: one holder at a time, named to who waits, released by its end. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdbool.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include "scratch.h"

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void test_take(void **state)
{
    struct sty_error err = {0};
    sty_auto_fd first = -1;
    int second = -7;
    char expected[64];
    (void)state;
    assert_int_equal(sty_lock_take(&first, "lock", 0, &err), 0);
    assert_true(fcntl(first, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(sty_lock_take(&second, "lock", 0, &err), -1);
    assert_int_equal(err.code, STY_BUSY);
    assert_int_equal(second, -7);
    snprintf(expected, sizeof(expected), "held by process %ld", (long)getpid());
    assert_non_null(strstr(err.text, expected));
    sty_close_fd(&first);
    assert_int_equal(sty_lock_take(&second, "lock", 0, &err), 0);
    close(second);
}

static void test_wait_ends(void **state)
{
    struct sty_error err = {0};
    sty_auto_fd first = -1;
    int second = -1;
    (void)state;
    assert_int_equal(sty_lock_take(&first, "lock", 0, &err), 0);
    int64_t start = now_ms();
    assert_int_equal(sty_lock_take(&second, "lock", 80, &err), -1);
    assert_int_equal(err.code, STY_BUSY);
    assert_true(now_ms() - start >= 80);
}

/* Killed without a chance to let go. */
static void test_holder_dies(void **state)
{
    struct sty_error err = {0};
    int ready[2];
    char byte;
    (void)state;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        int fd;
        if (sty_lock_take(&fd, "lock", 0, &err) == 0 && write(ready[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    sty_auto_fd mine = -1;
    assert_int_equal(sty_lock_take(&mine, "lock", 0, &err), -1);
    assert_int_equal(err.code, STY_BUSY);
    kill(child, SIGKILL);
    assert_int_equal(sty_lock_take(&mine, "lock", 5000, &err), 0);
    waitpid(child, NULL, 0);
    close(ready[0]);
    close(ready[1]);
}

static void test_fails(void **state)
{
    struct sty_error err = {0};
    int fd = -1;
    (void)state;
    assert_int_equal(sty_lock_take(&fd, "absent/lock", 0, &err), -1);
    assert_int_equal(err.code, STY_NOT_FOUND);
    assert_int_equal(symlink("elsewhere", "link"), 0);
    assert_int_equal(sty_lock_take(&fd, "link", 0, &err), -1);
    assert_int_equal(access("elsewhere", F_OK), -1);
    assert_int_equal(fd, -1);
}

/* What stands in a lock file may be anything: it is shown only where it is a number. */
static void test_strange_content(void **state)
{
    struct sty_error err = {0};
    sty_auto_fd first = -1;
    int second = -1;
    (void)state;
    assert_int_equal(sty_lock_take(&first, "lock", 0, &err), 0);
    assert_int_equal(pwrite(first, "\x1b[31m not a pid", 15, 0), 15);
    assert_int_equal(sty_lock_take(&second, "lock", 0, &err), -1);
    assert_string_equal(err.text, "'lock' is held by another process");
}

static void test_look(void **state)
{
    struct sty_error err = {0};
    sty_auto_fd first = -1;
    char holder[24], expected[24];
    (void)state;
    assert_false(sty_lock_is_held(holder, "lock"));
    assert_int_equal(access("lock", F_OK), -1);
    assert_int_equal(sty_lock_take(&first, "lock", 0, &err), 0);
    snprintf(expected, sizeof(expected), "%ld", (long)getpid());
    assert_true(sty_lock_is_held(holder, "lock"));
    assert_string_equal(holder, expected);
    assert_int_equal(pwrite(first, "who?", 4, 0), 4);
    assert_true(sty_lock_is_held(holder, "lock"));
    assert_string_equal(holder, "");
    sty_close_fd(&first);
    assert_false(sty_lock_is_held(holder, "lock"));
    assert_int_equal(sty_lock_take(&first, "lock", 0, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_take, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_wait_ends, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_holder_dies, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_fails, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_strange_content, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_look, scratch_make, scratch_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
