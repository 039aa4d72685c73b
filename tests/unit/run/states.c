/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of states are what their drawings say, and the failure table holds its laws. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "base/file.h"
#include "run/run_internal.h"

static void print_graph(struct sty_str *out, const char *name, const struct sty_state *table)
{
    sty_str_appendf(out, " * digraph %s {\n", name);
    for (; table->name; table++)
        for (size_t i = 0; table->next[i]; i++)
            sty_str_appendf(out, " *   %s -> %s\n", table->name, table->next[i]);
    sty_str_append(out, " * }\n");
}

static void test_drawings(void **state)
{
    (void)state;
    sty_auto(str) source = STY_STR_INIT;
    sty_auto(str) remediation = STY_STR_INIT;
    sty_auto(str) step = STY_STR_INIT;
    struct sty_error err;
    assert_int_equal(sty_file_read(&source, STYRMIN_ROOT "/src/run/states.c", 1 << 20, &err), 0);
    print_graph(&remediation, "remediation", sty_remediation_states);
    print_graph(&step, "step", sty_step_states);
    assert_non_null(strstr(source.data, remediation.data));
    assert_non_null(strstr(source.data, step.data));
}

/* Every state that can be reached is in the table. */
static void check_closed(const struct sty_state *table)
{
    for (const struct sty_state *state = table; state->name; state++)
        for (size_t i = 0; state->next[i]; i++) {
            bool known = false;
            for (const struct sty_state *other = table; other->name; other++)
                known = known || strcmp(other->name, state->next[i]) == 0;
            assert_true(known);
        }
}

static void test_closed(void **state)
{
    (void)state;
    check_closed(sty_remediation_states);
    check_closed(sty_step_states);
}

static void test_moves(void **state)
{
    (void)state;
    assert_true(sty_state_allows(sty_remediation_states, "planned", "running"));
    assert_false(sty_state_allows(sty_remediation_states, "planned", "succeeded"));
    assert_false(sty_state_allows(sty_remediation_states, "failed", "running"));
    assert_false(sty_state_allows(sty_remediation_states, "nonsense", "running"));
    assert_true(sty_state_allows(sty_step_states, "unknown", "running"));
    assert_false(sty_state_allows(sty_step_states, "unknown", "failed"));
    assert_true(sty_state_ended(sty_remediation_states, "superseded"));
    assert_false(sty_state_ended(sty_remediation_states, "waiting"));
    assert_true(sty_state_ended(sty_step_states, "skipped"));
    assert_false(sty_state_ended(sty_step_states, "unknown"));
}

static struct sty_verdict judge(const char *kind, const char *on_failure, int64_t attempt, bool answers, bool active)
{
    struct sty_error err;
    json_auto_t *settings = NULL;
    assert_int_equal(sty_json_parse(&settings, on_failure, strlen(on_failure), &err), 0);
    struct sty_failure failure = {kind, settings, attempt, answers, active};
    return sty_failure_judge(&failure);
}

static const struct {
    const char *kind, *on_failure;
    int64_t attempt;
    bool answers, active;
    bool again, quarantine, restore;
} failures[] = {
    {"create", "{}", 1, false, false, false, true, false},
    {"create", "{\"attempts\":3}", 2, false, false, true, false, false},
    {"create", "{\"attempts\":3}", 3, false, false, false, true, false},
    {"update", "{}", 1, false, true, false, true, true},
    {"update", "{\"update\":\"restore\"}", 1, false, false, false, true, false},
    {"update", "{\"update\":\"hold\"}", 1, false, true, false, true, false},
    {"update", "{\"attempts\":2}", 1, false, true, true, false, false},
    {"upgrade", "{}", 1, false, true, false, true, false},
    {"upgrade", "{\"upgrade\":\"restore\"}", 1, false, true, false, true, true},
    {"downgrade", "{\"upgrade\":\"restore\"}", 1, false, true, false, true, false},
    {"downgrade", "{\"downgrade\":\"restore\"}", 1, false, true, false, true, true},
    {"start", "{}", 1, false, true, false, true, false},
    {"stop", "{}", 1, false, true, false, true, false},
    {"heal", "{\"attempts\":5}", 1, false, true, false, false, false},
    {"delete", "{}", 7, false, true, true, false, false},
    {"restore", "{}", 1, false, true, true, false, false},
    {"restore", "{}", 1, true, true, false, false, false},
    {"adopt", "{}", 1, false, false, false, false, false},
};

static void test_failures(void **state)
{
    (void)state;
    for (size_t i = 0; i < STY_COUNT(failures); i++) {
        struct sty_verdict verdict = judge(failures[i].kind, failures[i].on_failure, failures[i].attempt,
                                           failures[i].answers, failures[i].active);
        print_message("%zu: %s %s\n", i, failures[i].kind, failures[i].on_failure);
        assert_int_equal(verdict.again, failures[i].again);
        assert_int_equal(verdict.quarantine, failures[i].quarantine);
        assert_int_equal(verdict.restore, failures[i].restore);
        assert_false(verdict.again && (verdict.quarantine || verdict.restore));
    }
}

static void test_delays_grow_and_stop_growing(void **state)
{
    (void)state;
    int64_t before = 0;
    for (int64_t attempt = 1; attempt < 40; attempt++) {
        struct sty_verdict verdict = judge("delete", "{}", attempt, false, true);
        assert_true(verdict.delay_ms >= before && verdict.delay_ms > 0);
        before = verdict.delay_ms;
    }
    assert_int_equal(before, 60 * 60 * 1000);
    assert_int_equal(sty_unreachable_delay(1000, 1000), 5000);
    assert_int_equal(sty_unreachable_delay(100000, 0), 50000);
    assert_int_equal(sty_unreachable_delay(INT64_MAX / 2, 0), 10 * 60 * 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drawings),
        cmocka_unit_test(test_closed),
        cmocka_unit_test(test_moves),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_delays_grow_and_stop_growing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
