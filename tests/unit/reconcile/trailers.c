/* SPDX-License-Identifier: Apache-2.0 */
/* What a commit's message allows, and what only looks like it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/memory.h"
#include "reconcile/reconcile_internal.h"

static const struct {
    const char *message;
    int64_t deletes, changes;
} cases[] = {
    {"a subject\n\nStyrmin-Allow: delete=3\n", 3, -1},
    {"a subject\n\nStyrmin-Allow: delete=3, change=40", 3, 40},
    {"a subject\n\nstyrmin-allow:change=40,delete=3\n\n\n", 3, 40},
    {"a subject\r\n\r\nbody\r\n\r\nSigned-off-by: A\r\nStyrmin-Allow: delete=3\r\n", 3, -1},
    {"a subject\n \t\nStyrmin-Allow: delete=0\nReviewed-by: B\n", 0, -1},
    {"\n\na subject\n\nStyrmin-Allow: delete=2\nStyrmin-Allow: delete=5\nStyrmin-Allow: delete=4\n", 5, -1},
    /* Not the last paragraph, not a line's beginning, not below a subject. */
    {"a subject\n\nStyrmin-Allow: delete=3\n\nAnd then some words.\n", -1, -1},
    {"a subject\n\nNo Styrmin-Allow: delete=3 is needed\n", -1, -1},
    {"Styrmin-Allow: delete=3\n", -1, -1},
    {"a subject\nStyrmin-Allow: delete=3\n", -1, -1},
    {"\n\nStyrmin-Allow: delete=3\n", -1, -1},
    /* Not a number of anything. */
    {"a subject\n\nStyrmin-Allow: delete=all, change=-1\n", -1, -1},
    {"a subject\n\nStyrmin-Allow: delete=3x, delete=, delete\n", -1, -1},
    {"a subject\n\nStyrmin-Allow: delete=99999999999999999999\n", -1, -1},
    {"a subject\n\nStyrmin-Allows: delete=3\n", -1, -1},
    {"", -1, -1},
    {"\n", -1, -1},
};

static void test_messages(void **state)
{
    (void)state;
    for (size_t i = 0; i < STY_COUNT(cases); i++) {
        struct sty_allowance allowance = {-1, -1};
        sty_allowance_read(&allowance, cases[i].message);
        if (allowance.deletes != cases[i].deletes || allowance.changes != cases[i].changes)
            fail_msg("%s: delete=%lld change=%lld", cases[i].message, (long long)allowance.deletes,
                     (long long)allowance.changes);
    }
}

static void test_the_largest_of_all_commits(void **state)
{
    (void)state;
    struct sty_allowance allowance = {-1, -1};
    sty_allowance_read(&allowance, "a\n\nStyrmin-Allow: delete=3");
    sty_allowance_read(&allowance, "b");
    sty_allowance_read(&allowance, "c\n\nStyrmin-Allow: delete=2, change=1");
    sty_allowance_read(&allowance, "d\n\nStyrmin-Allow: delete=9\n\nno trailer");
    assert_int_equal(allowance.deletes, 3);
    assert_int_equal(allowance.changes, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_the_largest_of_all_commits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
