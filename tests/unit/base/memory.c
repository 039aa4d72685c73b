/* SPDX-License-Identifier: Apache-2.0 */
/* memory: cleanup at the end of a scope, and arenas: zeroed, aligned, owned objects ended in reverse. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdbool.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/memory.h"

static void test_zero_sizes(void **state)
{
    (void)state;
    sty_auto_free void *a = sty_malloc(0);
    sty_auto_free void *b = sty_calloc(0, 8);
    sty_auto_free void *c = sty_realloc(NULL, 0);
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
}

static void test_strings(void **state)
{
    (void)state;
    sty_auto_free char *a = sty_strdup("one");
    sty_auto_free char *b = sty_strndup("three", 2);
    sty_auto_free char *c = sty_sprintf("%s-%d", "n", 7);
    assert_string_equal(a, "one");
    assert_string_equal(b, "th");
    assert_string_equal(c, "n-7");
}

static char *given(void)
{
    sty_auto_free char *text = sty_strdup("mine");
    return sty_take(text);
}

static void test_take(void **state)
{
    (void)state;
    sty_auto_free char *text = given();
    assert_string_equal(text, "mine");
}

static bool open_fd(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void test_fd(void **state)
{
    int seen;
    (void)state;
    {
        sty_auto_fd fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        seen = fd;
    }
    assert_false(open_fd(seen));
    int none = -1;
    errno = ENOSPC;
    sty_close_fd(&none);
    assert_int_equal(errno, ENOSPC);
}

static void test_file(void **state)
{
    int seen;
    (void)state;
    {
        sty_auto_file file = fopen("/dev/null", "re");
        assert_non_null(file);
        seen = fileno(file);
    }
    assert_false(open_fd(seen));
    sty_auto_file nothing = NULL;
    assert_null(nothing);
}

static void test_arena_sizes(void **state)
{
    static const size_t sizes[] = {0, 1, 7, 8, 15, 16, 17, 100, 255, 256, 257, 1024, 5000, 70000, 300000, 1};
    unsigned char *seen[STY_COUNT(sizes)];
    (void)state;
    sty_auto_ptr(arena) arena = sty_arena_new();
    for (size_t i = 0; i < STY_COUNT(sizes); i++) {
        seen[i] = sty_arena_alloc(arena, sizes[i]);
        assert_int_equal((uintptr_t)seen[i] % _Alignof(max_align_t), 0);
        for (size_t at = 0; at < sizes[i]; at++)
            assert_int_equal(seen[i][at], 0);
        memset(seen[i], (int)i + 1, sizes[i]);
    }
    for (size_t i = 0; i < STY_COUNT(sizes); i++) {
        for (size_t at = 0; at < sizes[i]; at++)
            assert_int_equal(seen[i][at], i + 1);
    }
}

static void test_arena_used(void **state)
{
    (void)state;
    sty_auto_ptr(arena) arena = sty_arena_new();
    assert_int_equal(sty_arena_used(arena), 0);
    for (int i = 0; i < 1000; i++)
        sty_arena_alloc(arena, 32);
    assert_int_equal(sty_arena_used(arena), 32000);
}

static void test_arena_text(void **state)
{
    (void)state;
    sty_auto_ptr(arena) arena = sty_arena_new();
    char *long_text = sty_arena_printf(arena, "%0500d", 3);
    assert_string_equal(sty_arena_strdup(arena, "abc"), "abc");
    assert_memory_equal(sty_arena_memdup(arena, "a\0b", 3), "a\0b", 3);
    assert_non_null(sty_arena_memdup(arena, NULL, 0));
    assert_int_equal(strlen(long_text), 500);
    assert_string_equal(sty_arena_printf(arena, "%s/%d", "x", 4), "x/4");
}

static int order[3];
static int ended;

static void end(void *object)
{
    order[ended++] = *(int *)object;
}

static void test_arena_owns(void **state)
{
    int one = 1, two = 2, three = 3;
    (void)state;
    struct sty_arena *arena = sty_arena_new();
    sty_arena_own(arena, &one, end);
    sty_arena_own(arena, &two, end);
    sty_arena_own(arena, &three, end);
    assert_int_equal(ended, 0);
    sty_arena_free(arena);
    assert_int_equal(ended, 3);
    assert_int_equal(order[0], 3);
    assert_int_equal(order[1], 2);
    assert_int_equal(order[2], 1);
    sty_arena_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zero_sizes), cmocka_unit_test(test_strings),    cmocka_unit_test(test_take),
        cmocka_unit_test(test_fd),         cmocka_unit_test(test_file),       cmocka_unit_test(test_arena_sizes),
        cmocka_unit_test(test_arena_used), cmocka_unit_test(test_arena_text), cmocka_unit_test(test_arena_owns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
