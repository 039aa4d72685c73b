/* SPDX-License-Identifier: Apache-2.0 */
/* error: texts are complete or visibly cut, codes stay, and an error may be an argument of itself. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdbool.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include "base/memory.h"
#include "base/str.h"
#include "styrmin/error.h"

static void fill(char *out, size_t size, char c)
{
    memset(out, c, size - 1);
    out[size - 1] = '\0';
}

static void test_set(void **state)
{
    struct sty_error err = {0};
    (void)state;
    assert_int_equal(sty_error_set(&err, STY_LIMIT, "%d entries, at most %d", 5, 4), -1);
    assert_int_equal(err.code, STY_LIMIT);
    assert_string_equal(err.text, "5 entries, at most 4");
}

static void test_set_from_itself(void **state)
{
    struct sty_error err = {0};
    (void)state;
    sty_error_set(&err, STY_IO, "inner");
    sty_error_set(&err, STY_FAILED, "outer (%s)", err.text);
    assert_string_equal(err.text, "outer (inner)");
    sty_error_wrap(&err, "again %s", err.text);
    assert_string_equal(err.text, "again outer (inner): outer (inner)");
}

static void test_set_too_long(void **state)
{
    struct sty_error err = {0};
    char text[2000];
    (void)state;
    fill(text, sizeof(text), 'x');
    sty_error_set(&err, STY_INVALID, "%s", text);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_true(sty_ends_with(err.text, "x..."));
}

/* A cut never leaves half a character, wherever the boundary falls. */
static void test_cut_keeps_utf8(void **state)
{
    (void)state;
    for (int shift = 0; shift < 4; shift++) {
        struct sty_error err = {0};
        sty_auto(str) text = STY_STR_INIT;
        for (int i = 0; i < shift; i++)
            sty_str_append_char(&text, 'a');
        for (int i = 0; i < 300; i++)
            sty_str_append(&text, "\xF0\x9F\x98\x80");
        sty_error_set(&err, STY_INVALID, "%s", text.data);
        assert_true(sty_utf8_valid(err.text, strlen(err.text)));
        assert_true(sty_ends_with(err.text, "..."));
        sty_error_wrap(&err, "in %s", "a file");
        assert_true(sty_utf8_valid(err.text, strlen(err.text)));
    }
}

static void test_errno(void **state)
{
    static const struct {
        int number;
        const char *text;
    } rows[] = {{ENOSPC, "write 'a': No space left on device"},
                {EIO, "write 'a': Input/output error"},
                {EROFS, "write 'a': Read-only file system"},
                {99999, "write 'a': errno 99999"}};
    (void)state;
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        struct sty_error err = {0};
        assert_int_equal(sty_error_errno(&err, STY_IO, rows[i].number, "write '%s'", "a"), -1);
        assert_string_equal(err.text, rows[i].text);
        assert_int_equal(err.code, STY_IO);
    }
}

static void test_errno_survives_long_context(void **state)
{
    struct sty_error err = {0};
    char text[700];
    (void)state;
    fill(text, sizeof(text), 'y');
    sty_error_errno(&err, STY_IO, ENOSPC, "%s", text);
    assert_true(sty_ends_with(err.text, "y...: No space left on device"));
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

static void test_wrap(void **state)
{
    struct sty_error err = {0};
    (void)state;
    sty_error_set(&err, STY_NOT_FOUND, "no such file");
    assert_int_equal(sty_error_wrap(&err, "deployment '%s'", "web"), -1);
    assert_int_equal(sty_error_wrap(&err, "check"), -1);
    assert_string_equal(err.text, "check: deployment 'web': no such file");
    assert_int_equal(err.code, STY_NOT_FOUND);
}

static void test_wrap_keeps_both_sides(void **state)
{
    struct sty_error err = {0};
    char text[600];
    (void)state;
    fill(text, sizeof(text), 'z');
    sty_error_set(&err, STY_IO, "the reason");
    sty_error_wrap(&err, "%s", text);
    assert_true(sty_ends_with(err.text, "z...: the reason"));
    for (int i = 0; i < 200; i++)
        sty_error_wrap(&err, "level %d", i);
    assert_true(sty_starts_with(err.text, "level 199: level 198"));
    assert_true(strlen(err.text) < sizeof(err.text));
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(sty_code_name(STY_OK), "ok");
    assert_string_equal(sty_code_name(STY_NOT_FOUND), "not found");
    assert_string_equal(sty_code_name(STY_INTERNAL), "internal");
    assert_string_equal(sty_code_name((enum sty_code)1000), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set),          cmocka_unit_test(test_set_from_itself),
        cmocka_unit_test(test_set_too_long), cmocka_unit_test(test_cut_keeps_utf8),
        cmocka_unit_test(test_errno),        cmocka_unit_test(test_errno_survives_long_context),
        cmocka_unit_test(test_wrap),         cmocka_unit_test(test_wrap_keeps_both_sides),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
