/* SPDX-License-Identifier: Apache-2.0 */
/* version: the precedence of semver.org, and constraints. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdbool.h>
#include <cmocka.h>
#include "base/memory.h"
#include "base/version.h"

/* Section 11 of the specification, and more of its kind, ascending. */
static const char *const ascending[] = {"0.0.0-0",
                                        "0.0.0",
                                        "0.0.1",
                                        "0.1.0",
                                        "1.0.0-0",
                                        "1.0.0-9",
                                        "1.0.0-10",
                                        "1.0.0-99999999999999999999999999",
                                        "1.0.0--",
                                        "1.0.0-A",
                                        "1.0.0-alpha",
                                        "1.0.0-alpha.1",
                                        "1.0.0-alpha.beta",
                                        "1.0.0-beta",
                                        "1.0.0-beta.2",
                                        "1.0.0-beta.11",
                                        "1.0.0-rc.1",
                                        "1.0.0",
                                        "1.0.1",
                                        "1.2.0",
                                        "1.10.0",
                                        "2.0.0",
                                        "2.1.0",
                                        "2.1.1",
                                        "10.0.0",
                                        "99999999999999999999999.0.0",
                                        "100000000000000000000000.0.0"};

static void test_precedence(void **state)
{
    (void)state;
    for (size_t i = 0; i < STY_COUNT(ascending); i++) {
        for (size_t j = 0; j < STY_COUNT(ascending); j++) {
            enum sty_version_order expected = j > i ? STY_VERSION_NEWER : j < i ? STY_VERSION_OLDER : STY_VERSION_SAME;
            assert_int_equal(sty_version_compare(ascending[i], ascending[j]), expected);
        }
    }
}

static void test_kindness(void **state)
{
    static const struct {
        const char *a, *b;
        enum sty_version_order order;
    } rows[] = {{"v1.2.3", "1.2.3", STY_VERSION_SAME},
                {"1.4", "1.4.0", STY_VERSION_SAME},
                {"1", "v1.0.0", STY_VERSION_SAME},
                {"1.4-rc", "1.4", STY_VERSION_NEWER},
                {"1.0.0+build.1", "1.0.0+build.2", STY_VERSION_SAME},
                {"1.0.0-a+001", "1.0.0-a", STY_VERSION_SAME},
                {"1.4", "1.5", STY_VERSION_NEWER},
                {"latest", "latest", STY_VERSION_SAME},
                {"", "", STY_VERSION_SAME},
                {"latest", "1.0", STY_VERSION_NO_ORDER},
                {"1.0", "latest", STY_VERSION_NO_ORDER}};
    (void)state;
    for (size_t i = 0; i < STY_COUNT(rows); i++)
        assert_int_equal(sty_version_compare(rows[i].a, rows[i].b), rows[i].order);
}

static void test_no_version(void **state)
{
    static const char *const rows[] = {"",           "v",      "vv1",        "1.",       "1..2",
                                       "1.2.3.4",    "01.0.0", "1.02.3",     "1.2.3-",   "1.2.3-01",
                                       "1.2.3-a..b", "1.2.3+", "1.2.3+a..b", "1.2.3-+b", "1.2.3-a_b",
                                       " 1.2.3",     "1.2.3 ", "-1.2.3",     "a1",       "1.2.3-\xC3\xA9",
                                       "1.x",        "*",      "1.2.3-a."};
    (void)state;
    for (size_t i = 0; i < STY_COUNT(rows); i++)
        assert_int_equal(sty_version_compare(rows[i], "1.2.3-other"), STY_VERSION_NO_ORDER);
}

static const struct {
    const char *version, *constraints;
    bool satisfied;
} satisfied_rows[] = {
    {"1.4.0", "1.4", true},
    {"1.4.1", "1.4", false},
    {"v1.4.0", "=1.4.0", true},
    {"1.4.0+b", "= 1.4.0", true},
    {"1.4.0", "!=1.4", false},
    {"1.4.0-rc", "!=1.4", true},
    {"1.9.9", "<2.0", true},
    {"2.0.0", "<2.0", false},
    {"2.0.0-rc", "<2.0", false},
    {"2.0.0-rc.1", "<2.0.0-rc.2", true},
    {"2.0.0-rc.2", "<2.0.0-rc.2", false},
    {"1.9.0-rc", "<2.0", true},
    {"2.0.0-rc", "<=2.0", true},
    {"2.0.0", "<=2.0", true},
    {"2.0.1", "<=2.0", false},
    {"2.0.0-rc", ">1.0", true},
    {"1.0.0", ">1.0", false},
    {"1.0.0-rc", ">=1.0", false},
    {"1.0.0", ">=1.0", true},
    {"1.5.0", ">=1.4, <2.0", true},
    {"2.5.0", ">=1.4,<2.0", false},
    {"1.4.9", "~1.4.2", true},
    {"1.4.1", "~1.4.2", false},
    {"1.5.0", "~1.4.2", false},
    {"1.5.0-rc", "~1.4.2", false},
    {"1.4.7", "~1.4", true},
    {"1.5.0", "~1.4", false},
    {"1.9.0", "~1", true},
    {"2.0.0", "~1", false},
    {"1.9.0", "^1.2.3", true},
    {"1.2.2", "^1.2.3", false},
    {"2.0.0", "^1.2.3", false},
    {"2.0.0-rc", "^1.2.3", false},
    {"0.2.9", "^0.2.3", true},
    {"0.3.0", "^0.2.3", false},
    {"0.0.3", "^0.0.3", true},
    {"0.0.4", "^0.0.3", false},
    {"0.0.9", "^0.0", true},
    {"0.1.0", "^0.0", false},
    {"0.9.0", "^0", true},
    {"1.0.0", "^0", false},
    {"1.2.3-beta.2", "^1.2.3-beta.1", true},
    {"latest", "=latest", true},
    {"latest", "!=latest", false},
    {"latest", "!=1.0", true},
    {"latest", "=1.0", false},
    {"latest", "1.0", false},
    {"latest", ">=0", false},
    {"latest", "<99", false},
    {"latest", "~1", false},
    {"1.0", "=latest", false},
    {"1.0", "!=latest", true},
    {"1.0", "!=latest, >=1", true},
    {"1.0.0", "  >=  1.0  ,  <  2  ", true},
};

static void test_satisfies(void **state)
{
    (void)state;
    for (size_t i = 0; i < STY_COUNT(satisfied_rows); i++) {
        struct sty_error err = {0};
        bool out = !satisfied_rows[i].satisfied;
        assert_int_equal(sty_version_satisfies(&out, satisfied_rows[i].version, satisfied_rows[i].constraints, &err),
                         0);
        assert_int_equal(out, satisfied_rows[i].satisfied);
    }
}

static void test_bad_constraints(void **state)
{
    static const struct {
        const char *constraints, *named;
    } rows[] = {{"", "''"},
                {",", "''"},
                {">=1.0,", "''"},
                {">=1.0,,<2", "''"},
                {">=", "'>='"},
                {"=>1.0", "'=>1.0'"},
                {"1.x", "'1.x'"},
                {"*", "'*'"},
                {"<latest", "'<latest'"},
                {">=1.0, bad", "'bad'"},
                {"1.0 2.0", "'1.0 2.0'"},
                {"==1.0", "'==1.0'"},
                {"=", "'='"},
                {"= a b", "'= a b'"}};
    (void)state;
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        struct sty_error err = {0};
        bool out = true;
        assert_int_equal(sty_version_satisfies(&out, "1.0.0", rows[i].constraints, &err), -1);
        assert_int_equal(err.code, STY_INVALID);
        assert_true(out);
        assert_memory_equal(err.text, rows[i].named, __builtin_strlen(rows[i].named));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_precedence), cmocka_unit_test(test_kindness),        cmocka_unit_test(test_no_version),
        cmocka_unit_test(test_satisfies),  cmocka_unit_test(test_bad_constraints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
