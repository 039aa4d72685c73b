/* SPDX-License-Identifier: Apache-2.0 */
/* file: whole files read with a cap and replaced as one, with nothing left behind when something fails. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdbool.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include "scratch.h"

static void put(const char *path, const char *text)
{
    struct sty_error err;
    assert_int_equal(sty_file_replace(path, text, strlen(text), 0644, &err), 0);
}

static void holds(const char *path, const char *text)
{
    struct sty_error err;
    sty_auto(str) got = STY_STR_INIT;
    assert_int_equal(sty_file_read(&got, path, 1 << 20, &err), 0);
    assert_string_equal(got.data, text);
}

static int entries(const char *path)
{
    int count = 0;
    DIR *directory = opendir(path);
    assert_non_null(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count - 2;
}

static void test_read(void **state)
{
    struct sty_error err;
    (void)state;
    put("a", "hello");
    sty_auto(str) text = STY_STR_INIT;
    sty_str_append(&text, "say ");
    assert_int_equal(sty_file_read(&text, "a", 5, &err), 0);
    assert_string_equal(text.data, "say hello");
    sty_auto(str) empty = STY_STR_INIT;
    put("empty", "");
    assert_int_equal(sty_file_read(&empty, "empty", 0, &err), 0);
    assert_int_equal(empty.length, 0);
    assert_int_equal(sty_file_read(&empty, "/dev/null", 10, &err), 0);
}

static void test_read_large(void **state)
{
    struct sty_error err;
    size_t size = 300000;
    (void)state;
    sty_auto_free char *bytes = sty_malloc(size);
    memset(bytes, 'q', size);
    assert_int_equal(sty_file_replace("large", bytes, size, 0600, &err), 0);
    sty_auto(str) text = STY_STR_INIT;
    assert_int_equal(sty_file_read(&text, "large", size, &err), 0);
    assert_int_equal(text.length, size);
    assert_memory_equal(text.data, bytes, size);
}

static void read_fails(const char *path, size_t limit, enum sty_code code)
{
    struct sty_error err = {0};
    sty_auto(str) text = STY_STR_INIT;
    sty_str_append(&text, "kept");
    assert_int_equal(sty_file_read(&text, path, limit, &err), -1);
    assert_int_equal(err.code, code);
    assert_string_equal(text.data, "kept");
    assert_int_equal(text.length, 4);
}

static void test_read_fails(void **state)
{
    (void)state;
    put("five", "12345");
    assert_int_equal(mkdir("folder", 0700), 0);
    assert_int_equal(mkfifo("fifo", 0600), 0);
    read_fails("five", 4, STY_LIMIT);
    read_fails("five", 0, STY_LIMIT);
    read_fails("absent", 10, STY_NOT_FOUND);
    read_fails("five/below", 10, STY_NOT_FOUND);
    read_fails("folder", 10, STY_IO);
    read_fails("fifo", 10, STY_IO);
    read_fails("/dev/zero", 1000, STY_LIMIT); /* no size tells that it is too large */
    if (geteuid() != 0) {
        assert_int_equal(chmod("five", 0), 0);
        read_fails("five", 10, STY_DENIED);
    }
}

static void test_read_proc(void **state)
{
    struct sty_error err;
    (void)state;
    sty_auto(str) text = STY_STR_INIT;
    assert_int_equal(sty_file_read(&text, "/proc/self/status", 1 << 20, &err), 0);
    assert_true(text.length > 0); /* though its size is 0 */
}

static void test_replace(void **state)
{
    struct stat after;
    char old[4] = "";
    (void)state;
    umask(077);
    put("a", "one");
    sty_auto_fd reader = open("a", O_RDONLY | O_CLOEXEC);
    put("a", "two, which is longer");
    put("./a", "three");
    holds("a", "three");
    assert_int_equal(stat("a", &after), 0);
    assert_int_equal(after.st_mode & 07777, 0644); /* whatever the umask */
    assert_int_equal(read(reader, old, 3), 3);     /* who had it open goes on with the old one */
    assert_string_equal(old, "one");
    assert_int_equal(entries("."), 1);
}

static void test_replace_replaces_a_link(void **state)
{
    struct stat status;
    (void)state;
    put("target", "untouched");
    assert_int_equal(symlink("target", "link"), 0);
    put("link", "new");
    holds("target", "untouched");
    assert_int_equal(lstat("link", &status), 0);
    assert_true(S_ISREG(status.st_mode));
}

static void test_replace_attributes(void **state)
{
    struct sty_error err;
    struct stat status;
    const struct sty_file_attributes attributes = {04750, getuid(), getgid()};
    (void)state;
    sty_auto_fd directory = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(sty_file_replace_at(directory, "a", "x", 1, &attributes, &err), 0);
    assert_int_equal(stat("a", &status), 0);
    assert_int_equal(status.st_mode & 07777, 04750);
    assert_int_equal(status.st_uid, getuid());
}

static void test_replace_by_opath(void **state)
{
    struct sty_error err;
    const struct sty_file_attributes attributes = {0600, (uid_t)-1, (gid_t)-1};
    (void)state;
    sty_auto_fd directory = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(sty_file_replace_at(directory, "a", "x", 1, &attributes, &err), 0);
    holds("a", "x");
}

static void test_replace_bad_names(void **state)
{
    static const char *const names[] = {"", ".", "..", "a/b", "/a"};
    const struct sty_file_attributes attributes = {0600, (uid_t)-1, (gid_t)-1};
    (void)state;
    for (size_t i = 0; i < STY_COUNT(names); i++) {
        struct sty_error err = {0};
        assert_int_equal(sty_file_replace_at(AT_FDCWD, names[i], "x", 1, &attributes, &err), -1);
        assert_int_equal(err.code, STY_INVALID);
    }
    assert_int_equal(entries("."), 0);
}

static void test_replace_fails_clean(void **state)
{
    struct sty_error err = {0};
    (void)state;
    assert_int_equal(mkdir("taken", 0700), 0);
    assert_int_equal(sty_file_replace("taken", "x", 1, 0600, &err), -1);
    assert_int_equal(err.code, STY_IO);
    assert_int_equal(sty_file_replace("absent/a", "x", 1, 0600, &err), -1);
    assert_int_equal(err.code, STY_NOT_FOUND);
    assert_int_equal(entries("."), 1);
}

/* A file that cannot be written to its end: the old one stands, no temp stays. */
static void test_replace_out_of_room(void **state)
{
    struct sty_error err = {0};
    struct rlimit before, small;
    static char bytes[8192];
    (void)state;
    put("a", "old");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 4096;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int result = sty_file_replace("a", bytes, sizeof(bytes), 0600, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(result, -1);
    assert_int_equal(err.code, STY_IO);
    holds("a", "old");
    assert_int_equal(entries("."), 1);
}

static void test_stage(void **state)
{
    struct sty_error err;
    char temp[STY_TEMP_SIZE], other[STY_TEMP_SIZE];
    const struct sty_file_attributes attributes = {0640, (uid_t)-1, (gid_t)-1};
    (void)state;
    sty_auto_fd directory = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    sty_file_temp_name(temp, "a");
    sty_file_temp_name(other, "b");
    assert_int_equal(sty_file_stage_at(temp, directory, "left by a crash", 15, &attributes, &err), 0);
    assert_int_equal(sty_file_stage_at(temp, directory, "new", 3, &attributes, &err), 0);
    assert_int_equal(sty_file_stage_at(other, directory, "no", 2, &attributes, &err), 0);
    assert_memory_equal(temp, ".styrmin-", 9);
    assert_int_equal(strlen(temp), 25);
    assert_string_not_equal(temp, other);
    holds(temp, "new");
    sty_file_drop_at(directory, other);
    assert_int_equal(sty_file_commit_at(directory, temp, "a", &err), 0);
    holds("a", "new");
    assert_int_equal(entries("."), 1);
}

int main(void)
{
    signal(SIGXFSZ, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_read, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_read_large, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_read_fails, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_read_proc, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_replace, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_replace_replaces_a_link, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_replace_attributes, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_replace_by_opath, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_replace_bad_names, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_replace_fails_clean, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_replace_out_of_room, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_stage, scratch_make, scratch_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
