/* SPDX-License-Identifier: Apache-2.0 */
/* failpoint: kills or fails at the named turn only. Each setting has a process of its own, as it is read once. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdbool.h>
#include <cmocka.h>
#include <errno.h>
#include <glob.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include "base/failpoint.h"
#include "scratch.h"

#ifdef STYRMIN_FAILPOINTS
#define COMPILED_IN true
#else
#define COMPILED_IN false
#endif

/* Runs `act` in a child with this setting: its exit status, or 128 + signal. */
static int with(const char *setting, int (*act)(void))
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(99);
        setenv("STYRMIN_FAILPOINT", setting, 1);
        exit(act());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int replace_twice(void)
{
    struct sty_error err = {0};
    if (sty_file_replace("a", "one", 3, 0600, &err) < 0)
        return strstr(err.text, "No space left on device") ? 10 : 11;
    if (sty_file_replace("a", "two", 3, 0600, &err) < 0)
        return strstr(err.text, "No space left on device") ? 20 : 21;
    return 0;
}

static const struct {
    const char *setting;
    int status;
    const char *left; /* what stands in "a", NULL: nothing */
    size_t temps;
} rows[] = {
    {"", 0, "two", 0},
    {"file.stage:1:ENOSPC", 10, NULL, 0},
    {"file.stage:2:ENOSPC", 20, "one", 0},
    {"file.stage:3:ENOSPC", 0, "two", 0},
    {"file.commit:1:ENOSPC", 10, NULL, 0},
    {"file.commit:2:EIO", 21, "one", 0},
    {"file.committed:2:EROFS", 21, "two", 0},
    {"file.stage:2:kill", 128 + SIGKILL, "one", 0},
    {"file.commit:2:kill", 128 + SIGKILL, "one", 1},
    {"file.committed:2:kill", 128 + SIGKILL, "two", 0},
    {"ledger.begin:1:kill", 0, "two", 0},
    {"no.such.place:1:kill", 128 + SIGABRT, NULL, 0},
    {"file.stage:0:kill", 128 + SIGABRT, NULL, 0},
    {"file.stage:1:EWHAT", 128 + SIGABRT, NULL, 0},
    {"file.stage", 128 + SIGABRT, NULL, 0},
    {"file.stage:x:kill", 128 + SIGABRT, NULL, 0},
};

static void check_left(const char *left, size_t temps)
{
    struct sty_error err;
    sty_auto(str) text = STY_STR_INIT;
    glob_t found = {0};
    assert_int_equal(sty_file_read(&text, "a", 100, &err), left ? 0 : -1);
    if (left)
        assert_string_equal(text.data, left);
    glob(".styrmin-*", 0, NULL, &found);
    assert_int_equal(found.gl_pathc, temps);
    for (size_t i = 0; i < found.gl_pathc; i++)
        unlink(found.gl_pathv[i]);
    globfree(&found);
    unlink("a");
}

static void test_files(void **state)
{
    (void)state;
    if (!COMPILED_IN)
        skip();
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        assert_int_equal(with(rows[i].setting, replace_twice), rows[i].status);
        check_left(rows[i].left, rows[i].temps);
    }
}

static int count_and_end(void)
{
    setenv("STYRMIN_FAILPOINT_COUNT", "counts", 1);
    return replace_twice();
}

static void test_counts(void **state)
{
    struct sty_error err;
    (void)state;
    if (!COMPILED_IN)
        skip();
    sty_auto(str) text = STY_STR_INIT;
    assert_int_equal(with("", count_and_end), 0);
    assert_int_equal(with("file.commit:2:ENOSPC", count_and_end), 20);
    assert_int_equal(sty_file_read(&text, "counts", 1000, &err), 0);
    assert_string_equal(text.data, "file.stage 2\nfile.commit 2\nfile.committed 2\n"
                                   "file.stage 2\nfile.commit 2\nfile.committed 1\n");
}

static void test_names_are_unique(void **state)
{
    static const char *const names[] = {
#define NAME(id, name) name,
        STY_FAILPOINTS(NAME)
#undef NAME
    };
    (void)state;
    assert_int_equal(STY_COUNT(names), STY_FAILPOINT_COUNT);
    for (size_t i = 0; i < STY_COUNT(names); i++) {
        assert_null(strchr(names[i], ':'));
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(names[i], names[j]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_files, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_counts, scratch_make, scratch_remove),
        cmocka_unit_test(test_names_are_unique),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
