/* SPDX-License-Identifier: Apache-2.0 */
/* time: durations, points in time and numbers, read strictly and written for people. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdbool.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/memory.h"
#include "base/str.h"

static void test_durations(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {{"30s", 30000}, {"10m", 600000},           {"1h30m", 5400000}, {"250ms", 250}, {"400d", 34560000000},
                {"0s", 0},      {"1d2h3m4s5ms", 93784005}, {"1m500ms", 60500}, {"007s", 7000}};
    struct sty_error err;
    (void)state;
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        int64_t ms = -1;
        assert_int_equal(sty_duration_parse(&ms, rows[i].text, &err), 0);
        assert_int_equal(ms, rows[i].ms);
    }
}

static void test_bad_durations(void **state)
{
    static const char *const rows[] = {"",
                                       "30",
                                       "s",
                                       "-1s",
                                       "+1s",
                                       "1.5s",
                                       "1s ",
                                       " 1s",
                                       "1 s",
                                       "30m1h",
                                       "1s1s",
                                       "1ms1s",
                                       "1w",
                                       "1S",
                                       "1s\n",
                                       "9223372036854775807d",
                                       "99999999999999999999s"};
    (void)state;
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        struct sty_error err = {0};
        int64_t ms = -7;
        assert_int_equal(sty_duration_parse(&ms, rows[i], &err), -1);
        assert_int_equal(err.code, STY_INVALID);
        assert_int_equal(ms, -7);
    }
}

static void test_duration_text(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {{0, "0ms"},
                {999, "999ms"},
                {1000, "1s"},
                {4200, "4.2s"},
                {4299, "4.2s"},
                {59999, "59.9s"},
                {60000, "1m"},
                {90000, "1m30s"},
                {3599999, "59m59s"},
                {3600000, "1h"},
                {5400000, "1h30m"},
                {86399999, "23h59m"},
                {86400000, "1d"},
                {97200000, "1d3h"},
                {-4200, "-4.2s"},
                {INT64_MIN, "-106751991167d7h"},
                {INT64_MAX, "106751991167d7h"}};
    char out[24];
    (void)state;
    for (size_t i = 0; i < STY_COUNT(rows); i++)
        assert_string_equal(sty_duration_text(out, sizeof(out), rows[i].ms), rows[i].text);
}

static void test_times(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
        const char *back; /* NULL: the same */
    } rows[] = {{"1970-01-01T00:00:00.000Z", 0, NULL},
                {"2026-03-01T10:00:00.123Z", 1772359200123, NULL},
                {"2026-03-01", 1772323200000, "2026-03-01T00:00:00.000Z"},
                {"2026-03-01T10:00:00Z", 1772359200000, "2026-03-01T10:00:00.000Z"},
                {"2026-03-01t10:00:00.1239z", 1772359200123, "2026-03-01T10:00:00.123Z"},
                {"2026-03-01T12:00:00.5+02:00", 1772359200500, "2026-03-01T10:00:00.500Z"},
                {"2026-03-01T08:30:00-01:30", 1772359200000, "2026-03-01T10:00:00.000Z"},
                {"2024-02-29", 1709164800000, "2024-02-29T00:00:00.000Z"},
                {"1969-12-31T23:59:59.999Z", -1, NULL},
                {"0000-01-01T00:00:00.000Z", -62167219200000, NULL},
                {"9999-12-31T23:59:59.999Z", 253402300799999, NULL}};
    (void)state;
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        struct sty_error err;
        char out[32];
        int64_t ms = 0;
        assert_int_equal(sty_time_parse(&ms, rows[i].text, &err), 0);
        assert_int_equal(ms, rows[i].ms);
        assert_string_equal(sty_time_text(out, ms), rows[i].back ? rows[i].back : rows[i].text);
    }
}

static void test_bad_times(void **state)
{
    static const char *const rows[] = {"",
                                       "2026",
                                       "2026-3-1",
                                       "2026-02-30",
                                       "2025-02-29",
                                       "2026-13-01",
                                       "2026-00-01",
                                       "2026-01-00",
                                       "2026-03-01T",
                                       "2026-03-01T10:00Z",
                                       "2026-03-01T10:00:00",
                                       "2026-03-01T24:00:00Z",
                                       "2026-03-01T10:60:00Z",
                                       "2026-03-01T10:00:61Z",
                                       "2026-03-01T10:00:00.Z",
                                       "2026-03-01T10:00:00Zx",
                                       "2026-03-01T10:00:00+2:00",
                                       "2026-03-01x",
                                       "-026-03-01",
                                       " 2026-03-01"};
    (void)state;
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        struct sty_error err = {0};
        int64_t ms = 5;
        assert_int_equal(sty_time_parse(&ms, rows[i], &err), -1);
        assert_int_equal(err.code, STY_INVALID);
        assert_int_equal(ms, 5);
    }
}

static void test_time_is_clamped(void **state)
{
    char out[32];
    (void)state;
    assert_string_equal(sty_time_text(out, INT64_MIN), "0000-01-01T00:00:00.000Z");
    assert_string_equal(sty_time_text(out, INT64_MAX), "9999-12-31T23:59:59.999Z");
}

static void test_time_zone_does_not_matter(void **state)
{
    struct sty_error err;
    char out[32];
    int64_t ms = 0;
    (void)state;
    setenv("TZ", "Pacific/Auckland", 1);
    tzset();
    assert_int_equal(sty_time_parse(&ms, "2026-03-01T10:00:00Z", &err), 0);
    assert_int_equal(ms, 1772359200000);
    assert_string_equal(sty_time_text(out, ms), "2026-03-01T10:00:00.000Z");
    unsetenv("TZ");
    tzset();
}

static void test_numbers(void **state)
{
    static const struct {
        const char *text;
        int64_t minimum, maximum, value;
        bool good;
    } rows[] = {{"0", 0, 10, 0, true},     {"10", 0, 10, 10, true},
                {"-5", -10, 10, -5, true}, {"9223372036854775807", 0, INT64_MAX, INT64_MAX, true},
                {"-0", 0, 1, 0, true},     {"11", 0, 10, 0, false},
                {"-1", 0, 10, 0, false},   {"9223372036854775808", 0, INT64_MAX, 0, false},
                {"", 0, 10, 0, false},     {"-", -10, 10, 0, false},
                {"+1", 0, 10, 0, false},   {" 1", 0, 10, 0, false},
                {"1 ", 0, 10, 0, false},   {"1x", 0, 10, 0, false},
                {"0x1", 0, 10, 0, false},  {"1.0", 0, 10, 0, false}};
    (void)state;
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        struct sty_error err = {0};
        int64_t value = 77;
        int result = sty_number_parse(&value, rows[i].text, rows[i].minimum, rows[i].maximum, &err);
        assert_int_equal(result, rows[i].good ? 0 : -1);
        assert_int_equal(value, rows[i].good ? rows[i].value : 77);
        if (!rows[i].good)
            assert_int_equal(err.code, STY_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations),     cmocka_unit_test(test_bad_durations),
        cmocka_unit_test(test_duration_text), cmocka_unit_test(test_times),
        cmocka_unit_test(test_bad_times),     cmocka_unit_test(test_time_is_clamped),
        cmocka_unit_test(test_numbers),       cmocka_unit_test(test_time_zone_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
