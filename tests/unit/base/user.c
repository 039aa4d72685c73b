/* SPDX-License-Identifier: Apache-2.0 */
/* sty_user_find: by name and for ourselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "base/process.h"

static void test_root(void **state)
{
    struct sty_user user;
    struct sty_error err;
    (void)state;
    assert_int_equal(sty_user_find(&user, "root", &err), 0);
    assert_int_equal(user.uid, 0);
    assert_int_equal(user.gid, 0);
    assert_int_equal(user.home[0], '/');
}

static void test_ourselves(void **state)
{
    struct sty_user user;
    struct sty_error err;
    (void)state;
    assert_int_equal(sty_user_find(&user, NULL, &err), 0);
    assert_int_equal(user.uid, geteuid());
    assert_int_equal(user.home[0], '/');
}

static void test_nobody_of_that_name(void **state)
{
    struct sty_user user = {.uid = 77};
    struct sty_error err;
    (void)state;
    assert_int_equal(sty_user_find(&user, "no-such-user-here", &err), -1);
    assert_int_equal(err.code, STY_NOT_FOUND);
    assert_non_null(strstr(err.text, "no-such-user-here"));
    assert_int_equal(user.uid, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_root),
        cmocka_unit_test(test_ourselves),
        cmocka_unit_test(test_nobody_of_that_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
