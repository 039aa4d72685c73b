/* SPDX-License-Identifier: Apache-2.0 */
/* What stands against a remediation, and what to do about it. */
#include "bench.h"

#define ONE "{'components': {'a': {'resources': {'file:/one': {}}}}}"
#define TWO "{'components': {'a': {'resources': {'file:/one': {'mode': '0600'}}}}}"
#define NEWER "{'application': {'name': 'web', 'version': '2.0'}}"
#define EMPTY(n) "{'context': {'n': " #n "}}"

static void test_one_block(void **state)
{
    struct bench *b = *state;
    struct sty_plan_target *t = bench_target(b, "shop", ONE, TWO);
    expect_plan(b, "shop update; ");
    t->suspended = "suspended by anna";
    expect_plan(b, "shop update!suspended; ");
    assert_string_equal(b->plan->blocked[0].why.message, "suspended by anna");
    assert_non_null(b->plan->blocked[0].digest);
    t->unfinished = "an update runs";
    expect_plan(b, "shop update!waiting; ");
    t->suspended = t->unfinished = NULL;
    t->driver_changed = true;
    expect_plan(b, "shop update!guard; ");
    t->quarantined = sty_instance_digest(t->desired);
    expect_plan(b, "shop update!quarantined; ");
    t->found = (struct sty_plan_block){"mistake", "shop.yaml:3:1: no", "mend it"};
    expect_plan(b, "shop update!mistake; ");
    t->found.reason = NULL;
    b->environment.observe = true;
    expect_plan(b, "shop update!observed; ");
}

static void test_nothing_to_do_is_not_blocked(void **state)
{
    struct bench *b = *state;
    struct sty_plan_target *t = bench_target(b, "shop", ONE, ONE);
    t->suspended = "suspended by anna";
    expect_plan(b, "");
    assert_int_equal(b->plan->unchanged, 1);
    struct sty_plan_target *gone = bench_target(b, "gone", NULL, NULL);
    gone->found = (struct sty_plan_block){"mistake", "a file cannot be read", NULL};
    expect_plan(b, "");
    assert_int_equal(b->plan->unchanged, 1);
}

static void test_a_quarantine_is_of_one_digest(void **state)
{
    struct bench *b = *state;
    struct sty_plan_target *t = bench_target(b, "shop", ONE, TWO);
    t->quarantined = sty_instance_digest(t->active);
    expect_plan(b, "shop update; ");
}

static void test_downgrade_is_refused(void **state)
{
    struct bench *b = *state;
    struct sty_plan_target *t = bench_target(b, "shop", NEWER, ONE);
    expect_plan(b, "shop downgrade!guard; ");
    assert_non_null(strstr(b->plan->blocked[0].why.remedy, "allow_downgrade"));
    t->allow_downgrade = true;
    expect_plan(b, "shop downgrade; ");
}

static void test_pin(void **state)
{
    struct bench *b = *state;
    struct sty_plan_target *t = bench_target(b, "shop", ONE, ONE);
    t->pinned = "pinned by anna";
    t->git_wants = sty_instance_digest(t->desired);
    expect_plan(b, "");
    t->git_wants = "sha256:other";
    expect_plan(b, "shop none!pinned; ");
    t->tainted = true;
    expect_plan(b, "shop restore; ");
}

static void test_review(void **state)
{
    struct bench *b = *state;
    struct sty_plan_target *t = bench_target(b, "shop", ONE, TWO);
    b->environment.review_required = true;
    expect_plan(b, "shop update!review; ");
    json_array_append_new(b->shown, json_string(b->plan->blocked[0].digest));
    expect_plan(b, "shop update; ");
    assert_true(b->plan->remediations[0].shown);
    json_array_clear(b->shown);
    t->requested = true;
    expect_plan(b, "shop update; ");
    assert_false(b->plan->remediations[0].shown);
}

static void put_changes(struct bench *b, size_t count)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f"};
    for (size_t i = 0; i < count; i++)
        bench_target(b, names[i], EMPTY(1), EMPTY(2));
}

static void test_budget(void **state)
{
    struct bench *b = *state;
    put_changes(b, 3);
    b->environment.budget = (struct sty_budget){.deletes = 1, .changes = 25, .changes_percent = true};
    expect_plan(b, "a update; b update; c update; ");
    b->environment.active = 8;
    expect_plan(b, "a update!guard; b update!guard; c update!guard; ");
    assert_non_null(strstr(b->plan->blocked[0].why.remedy, "Styrmin-Allow: change=3"));
    b->environment.allow_changes = 3;
    expect_plan(b, "a update; b update; c update; ");
    b->environment.allow_changes = -1;
    b->targets[0].requested = true;
    expect_plan(b, "a update; b update; c update; ");
    b->targets[0].requested = false;
    b->targets[1].suspended = "by anna";
    expect_plan(b, "a update; c update; b update!suspended; ");
}

static void test_percent_is_never_below_one(void **state)
{
    struct bench *b = *state;
    put_changes(b, 1);
    b->environment.active = 1;
    b->environment.budget.changes = 1;
    b->environment.budget.changes_percent = true;
    expect_plan(b, "a update; ");
    b->environment.budget = (struct sty_budget){.deletes = -1, .changes = 0};
    expect_plan(b, "a update!guard; ");
}

static void test_deletes_have_a_budget_of_their_own(void **state)
{
    struct bench *b = *state;
    bench_target(b, "a", ONE, NULL)->depends_on = NULL;
    bench_target(b, "b", EMPTY(1), NULL);
    put_changes(b, 0);
    b->environment.budget = (struct sty_budget){.deletes = 1, .changes = -1};
    expect_plan(b, "a delete!guard; b delete!guard; ");
    json_array_append_new(b->approved, json_string(b->plan->blocked[0].digest));
    expect_plan(b, "a delete; b delete; ");
    json_array_clear(b->approved);
    b->targets[1].retain = true;
    expect_plan(b, "a delete; b release; ");
}

/* A trailer counts in one walk; what it covers and what waits for something else is to be remembered by the caller. */
static void test_a_trailer_is_granted(void **state)
{
    struct bench *b = *state;
    bench_target(b, "a", ONE, NULL);
    bench_target(b, "b", EMPTY(1), NULL)->found = (struct sty_plan_block){"waiting", "for something", NULL};
    b->environment.budget = (struct sty_budget){.deletes = 1, .changes = -1};
    expect_plan(b, "a delete!guard; b delete!waiting; ");
    assert_false(b->plan->blocked[1].granted);
    b->environment.allow_deletes = 1;
    expect_plan(b, "a delete!guard; b delete!waiting; ");
    assert_false(b->plan->blocked[1].granted);
    b->environment.allow_deletes = 2;
    expect_plan(b, "a delete; b delete!waiting; ");
    assert_true(b->plan->blocked[0].granted);
    json_array_append_new(b->granted, json_string(b->plan->blocked[0].digest));
    b->environment.allow_deletes = -1;
    b->environment.budget.deletes = 0;
    b->targets[0].wanted = true;
    b->targets[1].found = (struct sty_plan_block){0};
    expect_plan(b, "b delete; ");
    /* It lets a budget pass, no review. */
    b->environment.review_required = true;
    expect_plan(b, "b delete!review; ");
}

static void test_creates_and_restores_are_free(void **state)
{
    struct bench *b = *state;
    b->environment.budget = (struct sty_budget){.deletes = 0, .changes = 0};
    bench_target(b, "fresh", NULL, ONE);
    bench_target(b, "half", EMPTY(1), EMPTY(1))->tainted = true;
    expect_plan(b, "fresh create; half restore; ");
}

static void test_wishes(void **state)
{
    struct bench *b = *state;
    struct sty_plan_target *t = bench_target(b, "shop", NULL, ONE);
    t->wish = STY_PLAN_ADOPT;
    b->environment.observe = true;
    expect_plan(b, "shop adopt; ");
    t->wish = STY_PLAN_RELEASE;
    expect_plan(b, "shop release!guard; ");
    t->suspended = "by anna";
    expect_plan(b, "shop release; ");
    assert_null(b->plan->remediations[0].to);
    t->wish = STY_PLAN_ADOPT;
    t->desired = NULL;
    expect_plan(b, "shop adopt!guard; ");
}

static void test_heal_only_where_nothing_else_is_to_be_done(void **state)
{
    struct bench *b = *state;
    static const char *const drifted[] = {"file:/one", NULL};
    struct sty_plan_target *t = bench_target(b, "shop", ONE, TWO);
    t->wish = STY_PLAN_HEAL;
    t->drifted = drifted;
    expect_plan(b, "shop update; ");
    t->quarantined = sty_instance_digest(t->desired);
    expect_plan(b, "shop heal; shop update!quarantined; ");
    assert_string_equal(b->plan->remediations[0].from, b->plan->remediations[0].to);
    t->suspended = "by anna";
    expect_plan(b, "shop update!suspended; ");
    t->suspended = NULL;
    t->tainted = true;
    expect_plan(b, "shop update!quarantined; ");
}

static void test_lookup_failures_are_passed_on(void **state)
{
    struct bench *b = *state;
    bench_target(b, "shop", NULL, ONE);
    struct sty_plan_lookup lookup = {b, bench_owner, bench_other, bench_dependents, bench_approved, bench_shown};
    struct sty_plan_input input = {b->targets, b->count, &b->environment, 1, &lookup, false};
    struct sty_error err;
    b->broken = true;
    assert_int_equal(sty_plan_make(&b->plan, &input, &err), -1);
    assert_int_equal(err.code, STY_IO);
    assert_null(b->plan);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_one_block),
        CASE(test_nothing_to_do_is_not_blocked),
        CASE(test_a_quarantine_is_of_one_digest),
        CASE(test_downgrade_is_refused),
        CASE(test_pin),
        CASE(test_review),
        CASE(test_budget),
        CASE(test_percent_is_never_below_one),
        CASE(test_deletes_have_a_budget_of_their_own),
        CASE(test_a_trailer_is_granted),
        CASE(test_creates_and_restores_are_free),
        CASE(test_wishes),
        CASE(test_heal_only_where_nothing_else_is_to_be_done),
        CASE(test_lookup_failures_are_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
