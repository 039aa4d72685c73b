/* SPDX-License-Identifier: Apache-2.0 */
/* str: growing, taking, and strings that were only zeroed. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdbool.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "base/str.h"

static void test_empty(void **state)
{
    (void)state;
    sty_auto(str) text = STY_STR_INIT;
    assert_string_equal(text.data, "");
    sty_str_append(&text, "");
    sty_str_append_bytes(&text, NULL, 0);
    assert_int_equal(text.length, 0);
    sty_auto_free char *taken = sty_str_take(&text);
    assert_string_equal(taken, "");
    assert_int_equal(sty_str_empty[0], '\0');
}

static void test_append(void **state)
{
    (void)state;
    sty_auto(str) text = STY_STR_INIT;
    sty_str_append(&text, "a");
    sty_str_append_char(&text, 'b');
    sty_str_append_bytes(&text, "c\0d", 3);
    sty_str_appendf(&text, "%d", 42);
    assert_int_equal(text.length, 7);
    assert_memory_equal(text.data, "abc\0d42", 8);
}

static void test_grows(void **state)
{
    (void)state;
    sty_auto(str) text = STY_STR_INIT;
    for (int i = 0; i < 5000; i++)
        sty_str_append_char(&text, (char)('a' + i % 26));
    assert_int_equal(text.length, 5000);
    assert_int_equal(strlen(text.data), 5000);
    assert_int_equal(text.data[4999], 'a' + 4999 % 26);
}

/* Around the size of the buffer that short texts are formatted in. */
static void test_appendf_sizes(void **state)
{
    (void)state;
    for (int width = 250; width < 262; width++) {
        sty_auto(str) text = STY_STR_INIT;
        sty_str_append(&text, "x");
        sty_str_appendf(&text, "%0*d", width, 1);
        assert_int_equal(text.length, width + 1);
        assert_int_equal(strlen(text.data), width + 1);
        assert_int_equal(text.data[width], '1');
    }
}

static void test_reset_and_take(void **state)
{
    (void)state;
    sty_auto(str) text = STY_STR_INIT;
    sty_str_reset(&text);
    sty_str_append(&text, "first");
    sty_str_reset(&text);
    assert_string_equal(text.data, "");
    sty_str_append(&text, "second");
    sty_auto_free char *taken = sty_str_take(&text);
    assert_string_equal(taken, "second");
    assert_string_equal(text.data, "");
    sty_str_append(&text, "third");
    assert_string_equal(text.data, "third");
    sty_str_clear(&text);
    sty_str_clear(&text);
    assert_string_equal(text.data, "");
}

static void test_zeroed(void **state)
{
    struct sty_str text = {0};
    (void)state;
    sty_str_reset(&text);
    assert_string_equal(text.data, "");
    text = (struct sty_str){0};
    sty_str_append(&text, "works");
    assert_string_equal(text.data, "works");
    sty_str_clear(&text);
    text = (struct sty_str){0};
    sty_str_clear(&text);
}

static void test_reserve(void **state)
{
    (void)state;
    sty_auto(str) text = STY_STR_INIT;
    sty_str_append(&text, "ab");
    char *end = sty_str_reserve(&text, 1000);
    assert_ptr_equal(end, text.data + 2);
    assert_true(text.capacity > 1002);
    assert_string_equal(text.data, "ab");
    memset(end, 'c', 1000);
    end[1000] = '\0';
    text.length += 1000;
    assert_int_equal(strlen(text.data), 1002);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),         cmocka_unit_test(test_append),         cmocka_unit_test(test_grows),
        cmocka_unit_test(test_appendf_sizes), cmocka_unit_test(test_reset_and_take), cmocka_unit_test(test_zeroed),
        cmocka_unit_test(test_reserve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
