/* SPDX-License-Identifier: Apache-2.0 */
/* Who goes before whom, whose a resource is, and that the plan's digest says what it should. */
#include "bench.h"

#define ONE "{'components': {'a': {'resources': {'file:/one': {}}}}}"
#define EMPTY "{}"
#define NEXT "{'context': {'n': 2}}"

static void depend(struct bench *b, struct sty_plan_target *t, const char *names)
{
    t->depends_on = bench_json(b, names);
}

static void test_depends_on(void **state)
{
    struct bench *b = *state;
    struct sty_plan_target *shop = bench_target(b, "shop", NULL, EMPTY), *db = bench_target(b, "db", NULL, EMPTY);
    depend(b, shop, "['db']");
    expect_plan(b, "db create; shop create<db; ");
    db->suspended = "by anna";
    expect_plan(b, "db create!suspended; shop create!dependency; ");
    db->suspended = NULL;
    db->active = bench_instance(b, "db", EMPTY);
    expect_plan(b, "shop create; ");
    db->tainted = true;
    expect_plan(b, "db restore; shop create<db; ");
    db->suspended = "by anna";
    expect_plan(b, "db restore!suspended; shop create!dependency; ");
}

static void test_a_block_travels(void **state)
{
    struct bench *b = *state;
    depend(b, bench_target(b, "a", NULL, EMPTY), "['b']");
    depend(b, bench_target(b, "b", NULL, EMPTY), "['c']");
    bench_target(b, "c", NULL, EMPTY)->suspended = "by anna";
    expect_plan(b, "a create!dependency; b create!dependency; c create!suspended; ");
}

static void test_others_and_missing(void **state)
{
    struct bench *b = *state;
    depend(b, bench_target(b, "shop", EMPTY, NEXT), "['db']");
    expect_plan(b, "shop update!dependency; ");
    assert_non_null(strstr(b->plan->blocked[0].why.message, "c/e/db, which is not there"));
    json_object_set_new(b->others, "c/e/db", json_string("tainted"));
    expect_plan(b, "shop update!dependency; ");
    json_object_set_new(b->others, "c/e/db", json_string("sound"));
    expect_plan(b, "shop update; ");
}

static void test_cycle(void **state)
{
    struct bench *b = *state;
    depend(b, bench_target(b, "a", EMPTY, NEXT), "['b']");
    depend(b, bench_target(b, "b", EMPTY, NEXT), "['a']");
    depend(b, bench_target(b, "c", EMPTY, NEXT), "['a']");
    expect_plan(b, "c update; a update!dependency; b update!dependency; ");
}

static void test_deletes_go_in_reverse(void **state)
{
    struct bench *b = *state;
    struct sty_plan_target *shop = bench_target(b, "shop", EMPTY, NULL), *db = bench_target(b, "db", NEXT, NULL);
    depend(b, shop, "['db']");
    expect_plan(b, "db delete<shop; shop delete; ");
    shop->suspended = "by anna";
    expect_plan(b, "db delete!dependency; shop delete!suspended; ");
    shop->suspended = NULL;
    shop->desired = shop->active;
    shop->wanted = true;
    expect_plan(b, "db delete!dependency; ");
    db->retain = true;
    expect_plan(b, "db release!dependency; ");
    shop->depends_on = NULL;
    expect_plan(b, "db release; ");
}

static void test_who_is_not_in_the_walk_depends_too(void **state)
{
    struct bench *b = *state;
    bench_target(b, "db", EMPTY, NULL);
    json_object_set_new(b->needy, "c/e/db", json_string("c/e/shop"));
    expect_plan(b, "db delete!dependency; ");
}

static void test_a_move_creates_before_it_deletes(void **state)
{
    struct bench *b = *state;
    struct sty_plan_target *here = bench_target(b, "shop", ONE, NULL), *there = bench_target(b, "shop", NULL, ONE);
    there->names.environment = "f";
    json_object_set_new(b->owners, "host file:/one", json_string("c/e/shop!"));
    expect_plan(b, "shop create; shop delete!waiting; ");
    there->active = there->desired;
    json_object_clear(b->owners);
    json_object_set_new(b->owners, "host file:/one", json_string("c/f/shop!"));
    here->inventory_count = 0;
    expect_plan(b, "shop delete; ");
}

static void test_claims(void **state)
{
    struct bench *b = *state;
    bench_target(b, "b", NULL, ONE);
    bench_target(b, "a", NULL, ONE);
    expect_plan(b, "a create; b create!claim; ");
    assert_non_null(strstr(b->plan->blocked[0].why.message, "file:/one belongs to c/e/a"));
    json_object_set_new(b->owners, "host file:/one", json_string("c/e/z!"));
    expect_plan(b, "a create!claim; b create!claim; ");
    json_object_set_new(b->owners, "host file:/one", json_string("c/e/z"));
    expect_plan(b, "a create; b create!claim; ");
    b->targets[0].place = "elsewhere";
    expect_plan(b, "a create; b create; ");
}

static void test_who_has_it_keeps_it(void **state)
{
    struct bench *b = *state;
    bench_target(b, "b", ONE, ONE);
    bench_target(b, "a", NULL, ONE);
    json_object_set_new(b->owners, "host file:/one", json_string("c/e/b!"));
    expect_plan(b, "a create!claim; ");
}

static void test_handover(void **state)
{
    struct bench *b = *state;
    struct sty_plan_target *giver = bench_target(b, "a", ONE, EMPTY);
    bench_target(b, "b", NULL, ONE);
    json_object_set_new(b->owners, "host file:/one", json_string("c/e/a!"));
    expect_plan(b, "a update; b create; ");
    json_auto_t *document = sty_plan_remediation_json(&b->plan->remediations[0]);
    assert_int_equal(json_array_size(json_object_get(document, "removals")), 0);
    const json_t *moved = json_array_get(json_object_get(document, "resources"), 0);
    assert_string_equal(sty_json_text(moved, "action", ""), "release");
    giver->suspended = "by anna";
    expect_plan(b, "a update!suspended; b create!claim; ");
    giver->suspended = NULL;
    b->environment.budget.changes = 0;
    expect_plan(b, "a update!guard; b create!claim; ");
}

static void test_restamp(void **state)
{
    struct bench *b = *state;
    bench_target(b, "shop", EMPTY, "{'context': {'app': {'name': 'web'}}}");
    expect_plan(b, "");
    assert_int_equal(b->plan->restamped_count, 1);
    assert_ptr_equal(b->plan->restamped[0], &b->targets[0]);
}

static void test_digests(void **state)
{
    struct bench *b = *state;
    struct sty_plan_target *a = bench_target(b, "a", EMPTY, NEXT), *other = bench_target(b, "b", NULL, ONE);
    char first[STY_DIGEST_SIZE], one[STY_DIGEST_SIZE];
    bench_plan(b);
    memcpy(first, b->plan->digest, sizeof first);
    memcpy(one, b->plan->remediations[0].digest, sizeof one);
    struct sty_plan_target swapped = *a;
    *a = *other;
    *other = swapped;
    b->targets[1].requested = true;
    bench_plan(b);
    assert_string_equal(b->plan->digest, first);
    b->targets[1].tainted = true;
    bench_plan(b);
    assert_string_equal(b->plan->remediations[0].name, "c/e/a");
    assert_string_equal(b->plan->remediations[0].digest, one);
    json_auto_t *digests = json_pack("[s, s]", b->plan->remediations[0].digest, b->plan->remediations[1].digest);
    char whole[STY_DIGEST_SIZE];
    sty_json_digest(whole, digests);
    assert_string_equal(b->plan->digest, whole);
}

static void test_documents(void **state)
{
    struct bench *b = *state;
    depend(b, bench_target(b, "shop", EMPTY, NEXT), "['db']");
    bench_target(b, "db", NULL, ONE);
    bench_target(b, "old", EMPTY, NEXT)->suspended = "by anna";
    b->targets[0].active = NULL;
    bench_plan(b);
    json_auto_t *document = sty_plan_document(b->plan, "c0ffee", NULL);
    json_t *covered = sty_plan_remediation_json(&b->plan->remediations[1]);
    assert_string_equal(sty_json_text(document, "kind", ""), "Plan");
    assert_true(json_is_null(json_object_get(document, "base")));
    assert_string_equal(json_string_value(json_array_get(json_object_get(covered, "after"), 0)), "c/e/db");
    assert_true(json_array_size(json_object_get(covered, "diff")) > 0);
    const json_t *blocked = json_array_get(json_object_get(document, "blocked"), 0);
    assert_string_equal(sty_json_text(blocked, "reason", ""), "suspended");
    assert_string_equal(sty_json_text(blocked, "kind", ""), "update");
    static const char *const beside[] = {"digest", "deployment", "environment", "cluster",
                                         "reason", "after",      "resources",   "diff"};
    for (size_t i = 0; i < STY_COUNT(beside); i++)
        assert_int_equal(json_object_del(covered, beside[i]), 0);
    char digest[STY_DIGEST_SIZE];
    sty_json_digest(digest, covered);
    assert_string_equal(digest, b->plan->remediations[1].digest);
    json_decref(covered);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_depends_on),
        CASE(test_a_block_travels),
        CASE(test_others_and_missing),
        CASE(test_cycle),
        CASE(test_deletes_go_in_reverse),
        CASE(test_who_is_not_in_the_walk_depends_too),
        CASE(test_a_move_creates_before_it_deletes),
        CASE(test_claims),
        CASE(test_who_has_it_keeps_it),
        CASE(test_handover),
        CASE(test_restamp),
        CASE(test_digests),
        CASE(test_documents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
