/* SPDX-License-Identifier: Apache-2.0 */
/* path: folders made and removed without following links, and paths as text. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdbool.h>
#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include "scratch.h"

static void test_make(void **state)
{
    struct sty_error err;
    struct stat status;
    (void)state;
    umask(022);
    assert_int_equal(sty_directory_make("a/b//c/", 0700, &err), 0);
    assert_int_equal(sty_directory_make("a/b/c", 0755, &err), 0);
    assert_int_equal(stat("a/b/c", &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700); /* left as it was */
    assert_int_equal(symlink("a/b", "link"), 0);
    assert_int_equal(sty_directory_make("link/d", 0700, &err), 0);
    assert_int_equal(stat("a/b/d", &status), 0);
    assert_int_equal(sty_directory_make("/", 0700, &err), 0);
}

static void make_fails(const char *path, enum sty_code code)
{
    struct sty_error err = {0};
    assert_int_equal(sty_directory_make(path, 0700, &err), -1);
    assert_int_equal(err.code, code);
}

static void test_make_fails(void **state)
{
    struct sty_error err;
    (void)state;
    assert_int_equal(sty_file_replace("file", "x", 1, 0600, &err), 0);
    assert_int_equal(symlink("nowhere", "dangling"), 0);
    make_fails("", STY_INVALID);
    make_fails("file", STY_EXISTS);
    make_fails("file/below", STY_NOT_FOUND);
    make_fails("dangling", STY_IO);
}

static bool there(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

static void test_remove(void **state)
{
    struct sty_error err;
    (void)state;
    assert_int_equal(sty_directory_make("keep/inner", 0700, &err), 0);
    assert_int_equal(sty_file_replace("keep/file", "x", 1, 0600, &err), 0);
    assert_int_equal(sty_directory_make("gone/a/b", 0700, &err), 0);
    assert_int_equal(sty_file_replace("gone/a/file", "x", 1, 0400, &err), 0);
    assert_int_equal(symlink("../keep", "gone/link"), 0);
    assert_int_equal(symlink("nowhere", "gone/a/dangling"), 0);
    assert_int_equal(mkfifo("gone/fifo", 0600), 0);
    assert_int_equal(sty_directory_remove("gone", &err), 0);
    assert_false(there("gone"));
    assert_true(there("keep/file"));
    assert_int_equal(sty_directory_remove("gone", &err), 0);
}

static void test_remove_link_itself(void **state)
{
    struct sty_error err;
    (void)state;
    assert_int_equal(sty_directory_make("keep/inner", 0700, &err), 0);
    assert_int_equal(symlink("keep", "link"), 0);
    assert_int_equal(sty_directory_remove("link//", &err), 0);
    assert_false(there("link"));
    assert_true(there("keep/inner"));
}

static void test_remove_file(void **state)
{
    struct sty_error err;
    (void)state;
    assert_int_equal(sty_file_replace("file", "x", 1, 0600, &err), 0);
    assert_int_equal(sty_directory_remove("file", &err), 0);
    assert_false(there("file"));
}

static void test_remove_refuses(void **state)
{
    static const char *const rows[] = {"", "/", "///"};
    (void)state;
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        struct sty_error err = {0};
        assert_int_equal(sty_directory_remove(rows[i], &err), -1);
        assert_int_equal(err.code, STY_INVALID);
    }
}

static void test_remove_depth(void **state)
{
    struct sty_error err = {0};
    (void)state;
    assert_int_equal(mkdir("deep", 0700), 0);
    sty_auto_fd at = open("deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(mkdirat(at, "d", 0700), 0);
        int next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close(at);
        at = next;
    }
    assert_int_equal(sty_directory_remove("deep", &err), -1);
    assert_int_equal(err.code, STY_LIMIT);
    for (int i = 0; i < 2; i++) { /* from the middle it can be ended, for the tidying up */
        sty_auto(str) path = STY_STR_INIT;
        sty_str_append(&path, "deep");
        for (int level = 0; level < 100; level++)
            sty_str_append(&path, "/d");
        sty_directory_remove(i == 0 ? path.data : "deep", &err);
    }
    assert_false(there("deep"));
}

static void test_normalise(void **state)
{
    static const struct {
        const char *path, *normal;
    } rows[] = {{"/", "/"},       {"//", "/"},
                {"/.", "/"},      {"/a", "/a"},
                {"/a/", "/a"},    {"/a/./b//c", "/a/b/c"},
                {"/...", "/..."}, {"/..a/b..", "/..a/b.."},
                {"/a b", "/a b"}, {"/gr\xC3\xBC", "/gr\xC3\xBC"}};
    (void)state;
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        struct sty_error err;
        sty_auto(str) out = STY_STR_INIT;
        sty_str_append(&out, ">");
        assert_int_equal(sty_path_normalise(&out, rows[i].path, &err), 0);
        assert_string_equal(out.data + 1, rows[i].normal);
    }
}

static void test_normalise_refuses(void **state)
{
    static const char *const rows[] = {"",      "a",    "./a",  "~/a",   "/..",     "/a/../b",
                                       "/a/..", "../a", "/a\n", "/\x7f", "/\x1b[0m"};
    (void)state;
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        struct sty_error err = {0};
        sty_auto(str) out = STY_STR_INIT;
        assert_int_equal(sty_path_normalise(&out, rows[i], &err), -1);
        assert_int_equal(err.code, STY_INVALID);
        assert_int_equal(out.length, 0);
        assert_null(strpbrk(err.text, "\n\x1b\x7f"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_make, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_make_fails, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_remove, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_remove_link_itself, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_remove_file, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_remove_refuses, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_remove_depth, scratch_make, scratch_remove),
        cmocka_unit_test(test_normalise),
        cmocka_unit_test(test_normalise_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
