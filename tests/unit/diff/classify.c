/* SPDX-License-Identifier: Apache-2.0 */
/* The table of remediations: every row of design.md section 6, and its laws over every combination of facts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "diff/diff.h"

static void test_rows(void **state)
{
    (void)state;
    static const struct {
        struct sty_facts facts;
        const char *remedy;
    } rows[] = {
        {{.desired = true}, "create"},
        {{.desired = true, .tainted = true, .inventory = true}, "create"},
        {{.active = true}, "delete"},
        {{.inventory = true}, "delete"},
        {{.active = true, .retain = true}, "release"},
        {{.active = true, .desired = true}, "none"},
        {{.active = true, .desired = true, .tainted = true}, "restore"},
        {{.active = true, .desired = true, .change = STY_CHANGE_OLDER}, "downgrade"},
        {{.active = true, .desired = true, .change = STY_CHANGE_NEWER}, "upgrade"},
        {{.active = true, .desired = true, .change = STY_CHANGE_NEWER, .tainted = true}, "upgrade"},
        {{.active = true, .desired = true, .change = STY_CHANGE_LIFECYCLE}, "start"},
        {{.active = true, .desired = true, .change = STY_CHANGE_LIFECYCLE, .stopping = true}, "stop"},
        {{.active = true, .desired = true, .change = STY_CHANGE_LIFECYCLE, .stopping = true, .tainted = true},
         "update"},
        {{.active = true, .desired = true, .change = STY_CHANGE_CONTENT}, "update"},
    };
    for (size_t i = 0; i < STY_COUNT(rows); i++)
        assert_string_equal(sty_remedy_name(sty_classify(&rows[i].facts)), rows[i].remedy);
}

static void obey(const struct sty_facts *f)
{
    enum sty_remedy remedy = sty_classify(f);
    bool there = f->active || f->inventory || f->tainted;
    if (!f->desired && !there)
        assert_int_equal(remedy, STY_REMEDY_NONE);
    if (f->tainted)
        assert_int_not_equal(remedy, STY_REMEDY_NONE);
    if (f->active && f->desired && f->change == STY_CHANGE_NONE && !f->tainted)
        assert_int_equal(remedy, STY_REMEDY_NONE);
    if (f->active && f->desired && f->change != STY_CHANGE_NONE)
        assert_int_not_equal(remedy, STY_REMEDY_NONE);
    if (!f->desired && f->retain)
        assert_int_not_equal(remedy, STY_REMEDY_DELETE);
    if (f->desired)
        assert_true(remedy != STY_REMEDY_DELETE && remedy != STY_REMEDY_RELEASE);
    if (f->tainted)
        assert_true(remedy != STY_REMEDY_START && remedy != STY_REMEDY_STOP);
}

static void test_laws(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 64; bits++)
        for (int change = STY_CHANGE_NONE; change <= STY_CHANGE_OLDER; change++) {
            struct sty_facts facts = {bits & 1,
                                      (bits & 2) != 0,
                                      (bits & 4) != 0,
                                      (bits & 8) != 0,
                                      (bits & 16) != 0,
                                      (bits & 32) != 0,
                                      (enum sty_change_class)change};
            obey(&facts);
        }
}

static void test_names(void **state)
{
    (void)state;
    for (int r = STY_REMEDY_NONE; r <= STY_REMEDY_RELEASE; r++) {
        enum sty_remedy parsed = STY_REMEDY_HEAL;
        assert_true(sty_remedy_parse(&parsed, sty_remedy_name((enum sty_remedy)r)));
        assert_int_equal((int)parsed, r);
    }
    enum sty_remedy untouched = STY_REMEDY_HEAL;
    assert_false(sty_remedy_parse(&untouched, "explode"));
    assert_int_equal(untouched, STY_REMEDY_HEAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_laws),
                                       cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
