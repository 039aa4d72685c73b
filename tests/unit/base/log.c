/* SPDX-License-Identifier: Apache-2.0 */
/* log: one harmless line per entry, in text and JSON, below the level only. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdbool.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include "base/json.h"
#include "base/log.h"
#include "scratch.h"

static int kept;

static int capture(void **state)
{
    if (scratch_make(state) < 0)
        return -1;
    kept = dup(STDERR_FILENO);
    int fd = open("stderr", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int result = dup2(fd, STDERR_FILENO);
    close(fd);
    return result < 0 ? -1 : 0;
}

static int release(void **state)
{
    dup2(kept, STDERR_FILENO);
    close(kept);
    sty_log_configure(STY_LOG_WARNING, false);
    return scratch_remove(state);
}

static void logged(struct sty_str *out)
{
    struct sty_error err;
    assert_int_equal(sty_file_read(out, "stderr", 1 << 20, &err), 0);
    assert_int_equal(truncate("stderr", 0), 0);
}

static void test_text(void **state)
{
    (void)state;
    sty_auto(str) out = STY_STR_INIT;
    sty_log(STY_LOG_WARNING, "notes.push", "not pushed: %s", "denied\n\x1b[31m");
    logged(&out);
    assert_string_equal(out.data, "styrmin: warning: not pushed: denied\\x0a\\x1b[31m [notes.push]\n");
}

static void test_json(void **state)
{
    struct sty_error err;
    (void)state;
    sty_auto(str) out = STY_STR_INIT;
    sty_log_configure(STY_LOG_INFO, true);
    sty_log(STY_LOG_ERROR, "run.failed", "a \"quoted\"\n%s", "\xFF");
    logged(&out);
    assert_ptr_equal(strchr(out.data, '\n'), out.data + out.length - 1);
    json_auto_t *entry = NULL;
    assert_int_equal(sty_json_parse(&entry, out.data, out.length, &err), 0);
    assert_string_equal(sty_json_text(entry, "level", ""), "error");
    assert_string_equal(sty_json_text(entry, "event", ""), "run.failed");
    assert_string_equal(sty_json_text(entry, "message", ""), "a \"quoted\"\\x0a\\xff");
    int64_t when = 0;
    assert_int_equal(sty_time_parse(&when, sty_json_text(entry, "time", ""), &err), 0);
}

static void test_levels(void **state)
{
    (void)state;
    for (int threshold = STY_LOG_ERROR; threshold <= STY_LOG_DEBUG; threshold++) {
        sty_auto(str) out = STY_STR_INIT;
        sty_log_configure((enum sty_log_level)threshold, false);
        for (int level = STY_LOG_ERROR; level <= STY_LOG_DEBUG; level++)
            sty_log((enum sty_log_level)level, "e", "m");
        logged(&out);
        int lines = 0;
        for (size_t i = 0; i < out.length; i++)
            lines += out.data[i] == '\n';
        assert_int_equal(lines, threshold + 1);
    }
}

static void test_long(void **state)
{
    (void)state;
    sty_auto(str) out = STY_STR_INIT;
    sty_log(STY_LOG_ERROR, "e", "%0100000d", 1);
    logged(&out);
    assert_true(out.length < 5000);
    assert_true(sty_ends_with(out.data, "... [e]\n"));
}

static void test_errno_is_kept(void **state)
{
    (void)state;
    errno = ENOSPC;
    sty_log(STY_LOG_ERROR, "e", "m");
    assert_int_equal(errno, ENOSPC);
}

static void *log_often(void *name)
{
    for (int i = 0; i < 200; i++)
        sty_log(STY_LOG_ERROR, "e", "%s%s%s%s", (char *)name, (char *)name, (char *)name, (char *)name);
    return NULL;
}

static void test_lines_do_not_mix(void **state)
{
    static char names[4][2] = {"a", "b", "c", "d"};
    pthread_t threads[4];
    (void)state;
    for (size_t i = 0; i < STY_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_often, names[i]), 0);
    for (size_t i = 0; i < STY_COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    sty_auto(str) out = STY_STR_INIT;
    logged(&out);
    int lines = 0;
    for (const char *at = out.data; *at; at = strchr(at, '\n') + 1, lines++) {
        char c = at[strlen("styrmin: error: ")];
        const char expected[] = {c, c, c, c, ' ', '[', 'e', ']', '\n'};
        assert_memory_equal(at + strlen("styrmin: error: "), expected, sizeof(expected));
    }
    assert_int_equal(lines, 800);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_text, capture, release),
        cmocka_unit_test_setup_teardown(test_json, capture, release),
        cmocka_unit_test_setup_teardown(test_levels, capture, release),
        cmocka_unit_test_setup_teardown(test_long, capture, release),
        cmocka_unit_test_setup_teardown(test_errno_is_kept, capture, release),
        cmocka_unit_test_setup_teardown(test_lines_do_not_mix, capture, release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
