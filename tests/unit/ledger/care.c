/* SPDX-License-Identifier: Apache-2.0 */
/* Backups, and what pruning takes and leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>
#include <sys/stat.h>

#include "ledger_fixture.h"

static int64_t now;

static int64_t fake_clock(void *self)
{
    (void)self;
    return now;
}

static int64_t number(struct sty_ledger *ledger, const char *sql)
{
    int64_t n = -1;
    ok(sty_ledger_number(&n, ledger, &err, sql, ""));
    return n;
}

static size_t problems_of(struct sty_ledger *ledger)
{
    json_auto_t *problems = NULL;
    ok(sty_ledger_check(&problems, ledger, &err));
    return json_array_size(problems);
}

static void add_events(struct sty_ledger *ledger, const int64_t *times, size_t count)
{
    struct sty_event event = {.kind = "test.happened"};
    sty_ledger_set_clock(ledger, fake_clock, NULL);
    ok(sty_ledger_begin(ledger, &err));
    for (size_t i = 0; i < count; i++) {
        now = times[i];
        ok(sty_ledger_event(ledger, &event, &err));
    }
    ok(sty_ledger_commit(ledger, &err));
}

static void test_backup(void **state)
{
    struct sty_ledger *ledger = *state, *copy = NULL;
    struct stat status;
    add_events(ledger, (int64_t[]){1, 2, 3}, 3);
    ok(sty_directory_make(ledger_file("copy"), 0700, &err));
    ok(sty_ledger_backup(ledger, ledger_file("copy/ledger.db"), &err));
    add_events(ledger, (int64_t[]){4}, 1);
    assert_int_equal(stat(ledger_file("copy/ledger.db"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(sty_ledger_backup(ledger, ledger_file("copy/ledger.db"), &err), -1);
    assert_int_equal(err.code, STY_EXISTS);
    assert_int_equal(sty_ledger_backup(ledger, ledger_file("nowhere/ledger.db"), &err), -1);
    assert_int_equal(err.code, STY_IO);
    ok(sty_ledger_open(&copy, ledger_file("copy"), STY_LEDGER_WRITE, &err));
    assert_string_equal(sty_ledger_installation(copy), sty_ledger_installation(ledger));
    assert_int_equal(number(copy, "SELECT count(*) FROM events"), 3);
    assert_int_equal(problems_of(copy), 0);
    sty_ledger_close(copy);
}

static void test_prune_events(void **state)
{
    static const struct {
        int64_t before, gone, checkpoint;
    } rounds[] = {
        {5, 0, 0},    /* nothing is older */
        {25, 2, 2},   /* 10 20 | 30 15 40: what stays keeps what came after it, whatever its clock said */
        {25, 0, 2},   /* again */
        {1000, 3, 5}, /* all: the checkpoint carries the chain on */
    };
    struct sty_ledger *ledger = *state;
    add_events(ledger, (int64_t[]){10, 20, 30, 15, 40}, 5);
    for (size_t i = 0; i < STY_COUNT(rounds); i++) {
        json_auto_t *summary = NULL;
        ok(sty_ledger_prune(&summary, ledger, rounds[i].before, 50, &err));
        assert_int_equal(sty_json_int(summary, "events", -1), rounds[i].gone);
        assert_int_equal(number(ledger, "SELECT coalesce(max(seq), 0) FROM checkpoints"), rounds[i].checkpoint);
        assert_int_equal(problems_of(ledger), 0);
    }
    add_events(ledger, (int64_t[]){50, 60}, 2);
    assert_int_equal(number(ledger, "SELECT min(seq) FROM events"), 6);
    assert_int_equal(problems_of(ledger), 0);
    assert_int_equal(sty_ledger_exec(ledger, &err, "DELETE FROM events", ""), -1);
    behind("DROP TRIGGER events_no_delete; DELETE FROM events WHERE seq = 6");
    assert_int_equal(problems_of(ledger), 2);
}

static void put(struct sty_ledger *ledger, const char *name, char digest[STY_DIGEST_SIZE])
{
    sty_digest(digest, name, strlen(name));
    ok(sty_ledger_blob_put(ledger, digest, name, strlen(name), &err));
    ok(sty_ledger_instance_put(ledger, digest, name, strlen(name), &err));
    ok(sty_ledger_instance_blob(ledger, digest, digest, &err));
}

static void remediation(struct sty_ledger *ledger, int64_t seq, const char *state, const char *to)
{
    sty_auto_free char *id = sty_sprintf("r%lld", (long long)seq);
    ok(sty_ledger_exec(ledger, &err,
                       "INSERT INTO remediations (id, seq, target, cluster, environment, deployment, kind, to_instance,"
                       " digest, document, commit_oid, state, created_at)"
                       " VALUES (?, ?, 1, 'c', 'e', 'd', 'update', ?, '', '{}', '', ?, 0)",
                       "siss", id, seq, to, state));
    ok(sty_ledger_exec(ledger, &err,
                       "INSERT INTO steps (remediation, attempt, seq, state) VALUES (?, 1, 1, 'succeeded')", "s", id));
}

/* One Instance for each way to be held, and two that nothing holds. */
static void test_prune_contents(void **state)
{
    static const char *const held[] = {"desired", "tried",  "pinned",    "active",   "inventory",
                                       "waiting", "newest", "before it", "outdated", "loose"};
    struct sty_ledger *ledger = *state;
    char d[STY_COUNT(held)][STY_DIGEST_SIZE];
    json_auto_t *summary = NULL, *left = NULL;
    for (size_t i = 0; i < STY_COUNT(held); i++)
        put(ledger, held[i], d[i]);
    ok(sty_ledger_exec(ledger, &err,
                       "INSERT INTO targets (id, cluster, environment, deployment, desired, tried, pinned)"
                       " VALUES (1, 'c', 'e', 'd', ?, ?, ?)",
                       "sss", d[0], d[1], d[2]));
    ok(sty_ledger_exec(ledger, &err, "INSERT INTO active VALUES (1, ?, '', 0, '', 'web/2', '1.0', 'running')", "s",
                       d[3]));
    ok(sty_ledger_exec(ledger, &err, "INSERT INTO resources VALUES ('host', 'file:/x', 1, 'c', ?, NULL)", "s", d[4]));
    remediation(ledger, 1, "waiting", d[5]);
    remediation(ledger, 2, "succeeded", d[8]);
    remediation(ledger, 3, "failed", d[7]);
    remediation(ledger, 4, "succeeded", d[6]);
    ok(sty_ledger_exec(ledger, &err,
                       "INSERT INTO outbox (kind, key, payload, created_at, delivered_at)"
                       " VALUES ('note', 'a', '', 0, 1), ('note', 'b', '', 0, NULL)",
                       ""));
    ok(sty_ledger_prune(&summary, ledger, 0, 2, &err));
    assert_int_equal(sty_json_int(summary, "remediations", -1), 1);
    assert_int_equal(sty_json_int(summary, "instances", -1), 2);
    assert_int_equal(sty_json_int(summary, "blobs", -1), 2);
    for (size_t i = 0; i < STY_COUNT(held); i++) {
        int64_t n = 0;
        ok(sty_ledger_number(&n, ledger, &err,
                             "SELECT count(*) FROM instances JOIN instance_blobs ON instance = instances.digest"
                             " JOIN blobs ON blobs.digest = blob WHERE instances.digest = ?",
                             "s", d[i]));
        if (n != (i < 8))
            fail_msg("%s: %lld", held[i], (long long)n);
    }
    assert_int_equal(number(ledger, "SELECT count(*) FROM steps"), 3);
    ok(sty_ledger_rows(&left, ledger, &err, "SELECT key FROM outbox", ""));
    assert_int_equal(json_array_size(left), 1);
    assert_string_equal(sty_json_text(json_array_get(left, 0), "key", ""), "b");
    assert_int_equal(problems_of(ledger), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_backup, setup, teardown),
        cmocka_unit_test_setup_teardown(test_prune_events, setup, teardown),
        cmocka_unit_test_setup_teardown(test_prune_contents, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
