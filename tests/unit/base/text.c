/* SPDX-License-Identifier: Apache-2.0 */
/* text: equality, UTF-8, names, and bytes made harmless. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdbool.h>
#include <cmocka.h>
#include <string.h>
#include "base/memory.h"
#include "base/str.h"

static void test_compare(void **state)
{
    (void)state;
    assert_true(sty_streq("a", "a"));
    assert_false(sty_streq("a", "b"));
    assert_true(sty_streq(NULL, NULL));
    assert_false(sty_streq(NULL, "a"));
    assert_false(sty_streq("a", NULL));
    assert_true(sty_starts_with("abc", "ab"));
    assert_true(sty_starts_with("abc", ""));
    assert_false(sty_starts_with("ab", "abc"));
    assert_true(sty_ends_with("abc", "bc"));
    assert_true(sty_ends_with("abc", ""));
    assert_false(sty_ends_with("bc", "abc"));
    assert_false(sty_ends_with("abc", "bd"));
}

static const struct {
    const char *bytes;
    size_t length;
    bool valid;
} utf8_rows[] = {
    {"", 0, true},
    {"plain", 5, true},
    {"a\0b", 3, true},
    {"\xC2\x80", 2, true},
    {"\xDF\xBF", 2, true},
    {"\xE0\xA0\x80", 3, true},
    {"\xED\x9F\xBF", 3, true},
    {"\xEE\x80\x80", 3, true},
    {"\xEF\xBF\xBF", 3, true},
    {"\xF0\x90\x80\x80", 4, true},
    {"\xF4\x8F\xBF\xBF", 4, true},
    {"\x80", 1, false}, /* continuation alone */
    {"\xBF", 1, false},
    {"\xC0\xAF", 2, false}, /* overlong */
    {"\xC1\xBF", 2, false},
    {"\xE0\x9F\xBF", 3, false},
    {"\xF0\x8F\xBF\xBF", 4, false},
    {"\xED\xA0\x80", 3, false}, /* surrogates */
    {"\xED\xBF\xBF", 3, false},
    {"\xF4\x90\x80\x80", 4, false}, /* above U+10FFFF */
    {"\xF5\x80\x80\x80", 4, false},
    {"\xFE", 1, false},
    {"\xFF", 1, false},
    {"\xC2", 1, false}, /* cut */
    {"\xE2\x82", 2, false},
    {"\xF0\x9F\x98", 3, false},
    {"\xE2\x28\xA1", 3, false}, /* wrong continuation */
    {"\xC2\x41", 2, false},
};

static void test_utf8(void **state)
{
    (void)state;
    for (size_t i = 0; i < STY_COUNT(utf8_rows); i++)
        assert_int_equal(sty_utf8_valid(utf8_rows[i].bytes, utf8_rows[i].length), utf8_rows[i].valid);
}

static void test_decode(void **state)
{
    static const struct {
        const char *bytes;
        uint32_t point;
        size_t size;
    } rows[] = {{"A", 'A', 1},
                {"\xC3\xA9", 0xE9, 2},
                {"\xE2\x82\xAC", 0x20AC, 3},
                {"\xF0\x9F\x98\x82", 0x1F602, 4},
                {"\xF4\x8F\xBF\xBF", 0x10FFFF, 4}};
    (void)state;
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        uint32_t point = 0;
        assert_int_equal(sty_utf8_decode(&point, rows[i].bytes, strlen(rows[i].bytes)), rows[i].size);
        assert_int_equal(point, rows[i].point);
    }
    uint32_t untouched = 7;
    assert_int_equal(sty_utf8_decode(&untouched, "", 0), 0);
    assert_int_equal(sty_utf8_decode(&untouched, "\xFF", 1), 0);
    assert_int_equal(untouched, 7);
}

static void test_names(void **state)
{
    static const char *const good[] = {
        "a", "0", "web", "web-1", "1web", "a--b", "a23456789012345678901234567890123456789012345678901234567890123"};
    static const char *const bad[] = {
        "",    "-a",  "a-",       "Web", "a_b",
        "a.b", "a b", "\xC3\xA9", "a/b", "a234567890123456789012345678901234567890123456789012345678901234"};
    (void)state;
    for (size_t i = 0; i < STY_COUNT(good); i++)
        assert_true(sty_name_valid(good[i]));
    for (size_t i = 0; i < STY_COUNT(bad); i++)
        assert_false(sty_name_valid(bad[i]));
}

static const struct {
    const char *bytes;
    const char *line;
    const char *multiline;
} visible_rows[] = {
    {"plain text", "plain text", "plain text"},
    {"a\nb\tc", "a\\x0ab\\x09c", "a\nb\tc"},
    {"\x1b[31mred", "\\x1b[31mred", "\\x1b[31mred"},
    {"cr\rover", "cr\\x0dover", "cr\\x0dover"},
    {"\x7f", "\\x7f", "\\x7f"},
    {"\xC2\x9B"
     "31m",
     "\\x9b31m", "\\x9b31m"},
    {"bad \xFF\xC3 byte", "bad \\xff\\xc3 byte", "bad \\xff\\xc3 byte"},
    {"\xE2\x82", "\\xe2\\x82", "\\xe2\\x82"},
    {"\xE2\x80\xAE"
     "txt",
     "\\u{202e}txt", "\\u{202e}txt"},
    {"\xE2\x81\xA6\xE2\x80\x8F\xD8\x9C", "\\u{2066}\\u{200f}\\u{061c}", "\\u{2066}\\u{200f}\\u{061c}"},
    {"\xE2\x80\xA8", "\\u{2028}", "\\u{2028}"},
    {"gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80", "gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80",
     "gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80"},
    {"", "", ""},
};

static void test_visible(void **state)
{
    (void)state;
    for (size_t i = 0; i < STY_COUNT(visible_rows); i++) {
        sty_auto(str) line = STY_STR_INIT;
        sty_auto(str) lines = STY_STR_INIT;
        sty_str_append_visible(&line, visible_rows[i].bytes, strlen(visible_rows[i].bytes), false);
        sty_str_append_visible(&lines, visible_rows[i].bytes, strlen(visible_rows[i].bytes), true);
        assert_string_equal(line.data, visible_rows[i].line);
        assert_string_equal(lines.data, visible_rows[i].multiline);
    }
}

/* Whatever the bytes are, the result is printable UTF-8. */
static void test_visible_any_byte(void **state)
{
    (void)state;
    for (int a = 0; a < 256; a++) {
        for (int b = 0; b < 256; b++) {
            const char bytes[] = {(char)a, (char)b, 'x'};
            sty_auto(str) out = STY_STR_INIT;
            sty_str_append_visible(&out, bytes, sizeof(bytes), false);
            assert_true(sty_utf8_valid(out.data, out.length));
            assert_int_equal(strlen(out.data), out.length);
            assert_null(strpbrk(out.data, "\n\r\t\x1b\x7f"));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare), cmocka_unit_test(test_utf8),    cmocka_unit_test(test_decode),
        cmocka_unit_test(test_names),   cmocka_unit_test(test_visible), cmocka_unit_test(test_visible_any_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
