/* SPDX-License-Identifier: Apache-2.0 */
/* What the success of each kind of remediation settles, and what it leaves alone. */
#include "instances.h"

#include "../ledger/ledger_fixture.h"
#include "activate/activate.h"

#define ONE "{'components': {'web': {'resources': {'file:/a': {}, 'file:/b': {}}}}}"
#define TWO "{'application': {'name': 'web', 'version': '2.0'}, 'components': {'site': {'resources': {'file:/a': {}}}}}"
#define TARGET 7

static struct sty_ledger *ledger;
static char one[STY_DIGEST_SIZE], two[STY_DIGEST_SIZE];
static int64_t now_ms;

static int64_t fake_now(void *self)
{
    (void)self;
    return now_ms;
}

static void run_sql(const char *sql)
{
    ok(sty_ledger_exec(ledger, &err, sql, ""));
}

static void store(char digest[STY_DIGEST_SIZE], const char *text)
{
    sty_auto_ptr(instance) instance = instance_of("shop", text);
    sty_auto_free char *bytes = sty_json_canonical_text(sty_instance_json(instance));
    snprintf(digest, STY_DIGEST_SIZE, "%s", sty_instance_digest(instance));
    ok(sty_ledger_instance_put(ledger, digest, bytes, strlen(bytes), &err));
}

/* A target whose create of `one` has begun: inventory of both, a mark, a run state, tainted. */
static int begin(void **state)
{
    if (setup(state) < 0)
        return -1;
    ledger = *state;
    now_ms = 1000;
    sty_ledger_set_clock(ledger, fake_now, NULL);
    store(one, ONE);
    store(two, TWO);
    ok(sty_ledger_exec(ledger, &err,
                       "INSERT INTO targets (id, cluster, environment, deployment, wanted, desired, tainted, unsettled)"
                       " VALUES (7, 'c', 'e', 'shop', 1, ?, 1, 1), (8, 'c', 'e', 'other', 1, NULL, 0, 0)",
                       "s", one));
    ok(sty_ledger_exec(ledger, &err,
                       "INSERT INTO resources (place, id, target, component, instance) VALUES ('host', 'file:/a', 7,"
                       " 'web', ?1), ('host', 'file:/b', 7, 'web', ?1), ('host', 'file:/c', 8, 'web', ?1)",
                       "s", one));
    run_sql(
        "INSERT INTO marks (target, digest, state, at) VALUES (7, 'sha256:m', 'done', 1), (8, 'sha256:m', 'done', 1)");
    run_sql("INSERT INTO run_states (target, component, running) VALUES (7, 'web', 1), (8, 'web', 1)");
    return 0;
}

static void succeed(const char *kind, const char *to, const char *commit)
{
    json_auto_t *row =
        json_pack("{s:s, s:i, s:s, s:s?, s:s, s:s}", "id", kind, "target", TARGET, "kind", kind, "to_instance", to,
                  "commit_oid", commit, "document", "{\"resources\":[{\"id\":\"file:/a\"},{\"id\":\"file:/b\"}]}");
    ok(sty_ledger_begin(ledger, &err));
    ok(sty_activate(ledger, row, &err));
    ok(sty_ledger_commit(ledger, &err));
    now_ms += 1000;
}

/* The first row, its columns joined by spaces; "" for none. */
static void expect(const char *sql, const char *wanted)
{
    json_auto_t *row = NULL;
    sty_auto(str) text = STY_STR_INIT;
    const char *key;
    json_t *value;
    ok(sty_ledger_row(&row, ledger, &err, sql, ""));
    json_object_foreach (row, key, value) {
        sty_str_append(&text, text.length ? " " : "");
        if (json_is_integer(value))
            sty_str_appendf(&text, "%lld", (long long)json_integer_value(value));
        else
            sty_str_append(&text, json_is_string(value) ? json_string_value(value) : "-");
    }
    if (strcmp(text.length ? text.data : "", wanted) != 0)
        fail_msg("%s: '%s', wanted '%s'", sql, text.length ? text.data : "", wanted);
}

static void expect_active(const char *instance, const char *commit, int64_t since)
{
    sty_auto_free char *wanted = sty_sprintf("%s %s %lld", instance, commit, (long long)since);
    expect("SELECT instance, commit_oid, since FROM active WHERE target = 7", wanted);
}

static void set_desired(const char *digest)
{
    ok(sty_ledger_exec(ledger, &err, "UPDATE targets SET desired = ?, unsettled = 1 WHERE id = 7", "s", digest));
}

static void fail_with(const char *digest)
{
    ok(sty_ledger_exec(ledger, &err, "UPDATE targets SET tainted = 1, quarantined = ?, unsettled = 1 WHERE id = 7", "s",
                       digest));
}

static void test_create(void **state)
{
    (void)state;
    succeed("create", one, "c1");
    expect_active(one, "c1", 1000);
    expect("SELECT tainted, unsettled, tried = desired FROM targets WHERE id = 7", "0 0 1");
    expect("SELECT count(*) FROM marks WHERE target = 7", "0");
    expect("SELECT count(*) FROM marks WHERE target = 8", "1");
    expect("SELECT name, version, files FROM drivers", "web 1 sha256:one");
}

static void test_kinds_and_marks(void **state)
{
    static const struct {
        const char *kind, *marks;
    } kinds[] = {{"create", "0"}, {"update", "0"},  {"upgrade", "0"}, {"downgrade", "0"}, {"start", "1"},
                 {"stop", "1"},   {"restore", "1"}, {"heal", "1"},    {"adopt", "1"}};
    (void)state;
    for (size_t i = 0; i < STY_COUNT(kinds); i++) {
        run_sql(
            "INSERT INTO marks (target, digest, state, at) VALUES (7, 'sha256:m', 'done', 1) ON CONFLICT DO NOTHING");
        run_sql("UPDATE targets SET tainted = 1, unsettled = 1");
        succeed(kinds[i].kind, one, "c1");
        expect("SELECT count(*) FROM marks WHERE target = 7", kinds[i].marks);
        expect("SELECT tainted, unsettled FROM targets WHERE id = 7", "0 0");
    }
    json_auto_t *strange = json_pack("{s:i, s:s}", "target", TARGET, "kind", "dance");
    assert_int_equal(sty_activate(ledger, strange, &err), -1);
    assert_int_equal(err.code, STY_INTERNAL);
}

/* What the new one holds points at it; what it does not is still the old one's, until it is removed. */
static void test_inventory_follows(void **state)
{
    (void)state;
    succeed("create", one, "c1");
    set_desired(two);
    succeed("upgrade", two, "c2");
    expect_active(two, "c2", 2000);
    sty_auto_free char *moved = sty_sprintf("site %s", two);
    sty_auto_free char *kept = sty_sprintf("web %s", one);
    expect("SELECT component, instance FROM resources WHERE id = 'file:/a'", moved);
    expect("SELECT component, instance FROM resources WHERE id = 'file:/b'", kept);
    expect("SELECT component, instance FROM resources WHERE id = 'file:/c'", kept);
}

static void test_since_only_moves_with_the_instance(void **state)
{
    (void)state;
    succeed("create", one, "c1");
    succeed("heal", one, "c2");
    succeed("restore", one, "c3");
    succeed("adopt", one, "c4");
    expect_active(one, "c1", 1000);
    expect("SELECT remediation FROM active", "create");
}

static void test_quarantine(void **state)
{
    (void)state;
    succeed("create", one, "c1");
    set_desired(two);
    fail_with(two);
    /* The restore that answers: the taint ends, what failed is not tried again. */
    succeed("restore", one, "c1");
    expect("SELECT tainted, quarantined = desired, unsettled FROM targets WHERE id = 7", "0 1 1");
    succeed("heal", one, "c1");
    expect("SELECT quarantined = desired, unsettled FROM targets WHERE id = 7", "1 1");
    /* A retry reaches it. */
    succeed("upgrade", two, "c2");
    expect("SELECT tainted, quarantined, unsettled FROM targets WHERE id = 7", "0 - 0");
}

static void test_quarantine_of_what_nobody_wants(void **state)
{
    (void)state;
    succeed("create", one, "c1");
    fail_with(two);
    succeed("restore", one, "c1"); /* git went back to one */
    expect("SELECT tainted, quarantined, unsettled FROM targets WHERE id = 7", "0 - 0");
}

static void test_pin(void **state)
{
    (void)state;
    succeed("create", one, "c1");
    set_desired(two);
    fail_with(two);
    ok(sty_ledger_exec(ledger, &err, "UPDATE targets SET pinned = ? WHERE id = 7", "s", one));
    succeed("restore", one, "c1");
    /* Where it is pinned to it is; what git wants is still the one that failed. */
    expect("SELECT quarantined = desired, unsettled FROM targets WHERE id = 7", "1 1");
    run_sql("UPDATE targets SET quarantined = NULL WHERE id = 7");
    succeed("restore", one, "c1");
    expect("SELECT unsettled FROM targets WHERE id = 7", "1");
    /* Once git wants what it is pinned to, there is nothing to look after. */
    set_desired(one);
    succeed("restore", one, "c1");
    expect("SELECT unsettled FROM targets WHERE id = 7", "0");
    set_desired(two);
    /* A pinned one that failed stays quarantined, although git wants another. */
    fail_with(one);
    ok(sty_ledger_exec(ledger, &err, "UPDATE active SET instance = ? WHERE target = 7", "s", two));
    succeed("restore", two, "c1");
    expect("SELECT quarantined = pinned, unsettled FROM targets WHERE id = 7", "1 1");
}

static void test_blocked(void **state)
{
    (void)state;
    run_sql("UPDATE targets SET blocked = '{\"reason\":\"claim\"}' WHERE id = 7");
    succeed("adopt", one, "c1");
    expect("SELECT blocked, unsettled FROM targets WHERE id = 7", "- 0");
    /* What stands against another Instance stands. */
    set_desired(two);
    run_sql("UPDATE targets SET blocked = '{\"reason\":\"guard\"}' WHERE id = 7");
    succeed("heal", one, "c1");
    expect("SELECT blocked IS NOT NULL, unsettled FROM targets WHERE id = 7", "1 1");
    set_desired(one);
    run_sql("UPDATE targets SET wanted = 0 WHERE id = 7");
    succeed("heal", one, "c1");
    expect("SELECT blocked IS NOT NULL, unsettled FROM targets WHERE id = 7", "1 1");
}

static void test_delete(void **state)
{
    (void)state;
    succeed("create", one, "c1");
    /* Handed over while it was deleted: it is the other's. */
    run_sql("UPDATE resources SET target = 8 WHERE id = 'file:/b'");
    run_sql("INSERT INTO heals (target, id, at) VALUES (7, 'file:/a', 1)");
    run_sql("INSERT INTO drift (target, id, state, diff, policy, found_at) VALUES (7, 'file:/a', 'missing', '[]', "
            "'heal', 1)");
    run_sql("UPDATE targets SET wanted = 0, tainted = 1, unsettled = 1 WHERE id = 7");
    succeed("delete", NULL, "c2");
    expect("SELECT id FROM targets WHERE id = 7", "");
    expect("SELECT group_concat(id, ' ') FROM resources", "file:/b file:/c");
    expect("SELECT (SELECT count(*) FROM active), (SELECT count(*) FROM heals), (SELECT count(*) FROM drift)", "0 0 0");
    expect("SELECT (SELECT count(*) FROM marks), (SELECT count(*) FROM run_states)", "1 1");
    json_auto_t *problems = NULL;
    ok(sty_ledger_check(&problems, ledger, &err));
    assert_int_equal(json_array_size(problems), 0);
}

/* Wanted again before its delete was done. */
static void test_delete_of_what_is_wanted_again(void **state)
{
    (void)state;
    succeed("create", one, "c1");
    ok(sty_ledger_exec(ledger, &err, "UPDATE targets SET quarantined = ?1, pinned = ?1, tainted = 1 WHERE id = 7", "s",
                       two));
    succeed("delete", NULL, "c2");
    expect("SELECT wanted, tainted, tried, quarantined, pinned, unsettled FROM targets WHERE id = 7", "1 0 - - - 1");
    expect("SELECT count(*) FROM resources WHERE target = 7", "0");
}

static void test_release(void **state)
{
    (void)state;
    succeed("create", one, "c1");
    run_sql("UPDATE targets SET wanted = 0 WHERE id = 7");
    succeed("release", NULL, "c2");
    expect("SELECT count(*) FROM resources WHERE target = 7", "0");
    expect("SELECT id FROM targets WHERE id = 7", "");
}

static void test_heals_count(void **state)
{
    (void)state;
    succeed("create", one, "c1");
    expect("SELECT count(*) FROM heals", "0");
    succeed("heal", one, "c1");
    expect("SELECT group_concat(id || '@' || at, ' ') FROM heals WHERE target = 7", "file:/a@2000 file:/b@2000");
    /* What no limit counts any more is forgotten. */
    now_ms += 2 * 86400000LL;
    succeed("heal", one, "c1");
    expect("SELECT count(*) FROM heals", "2");
}

static void test_driver_is_frozen_once(void **state)
{
    (void)state;
    succeed("create", one, "c1");
    run_sql("UPDATE drivers SET files = 'sha256:first'");
    succeed("update", one, "c1");
    expect("SELECT files FROM drivers", "sha256:first");
}

int main(void)
{
#define with_target(name) cmocka_unit_test_setup_teardown(name, begin, teardown)
    const struct CMUnitTest tests[] = {
        with_target(test_create),
        with_target(test_kinds_and_marks),
        with_target(test_inventory_follows),
        with_target(test_since_only_moves_with_the_instance),
        with_target(test_quarantine),
        with_target(test_quarantine_of_what_nobody_wants),
        with_target(test_pin),
        with_target(test_blocked),
        with_target(test_delete),
        with_target(test_delete_of_what_is_wanted_again),
        with_target(test_release),
        with_target(test_heals_count),
        with_target(test_driver_is_frozen_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
