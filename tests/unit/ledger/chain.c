/* SPDX-License-Identifier: Apache-2.0 */
/* What `ledger check` finds when somebody was at the file, for both chains and the contents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "ledger_fixture.h"

#define NO_TRIGGERS "DROP TRIGGER events_no_update; DROP TRIGGER events_no_delete; "

static void fill(struct sty_ledger *ledger)
{
    json_auto_t *data = json_pack("{s:s, s:i}", "text", "na\xC3\xAFve", "count", 3);
    char digest[STY_DIGEST_SIZE];
    ok(sty_ledger_begin(ledger, &err));
    for (int i = 1; i <= 5; i++) {
        struct sty_event event = {"test.happened", "c/e/d", i % 2 ? "remediation" : NULL, NULL, i % 2 ? data : NULL};
        json_auto_t *record = json_pack("{s:s, s:i}", "kind", "commit", "n", i);
        ok(sty_ledger_event(ledger, &event, &err));
        ok(sty_ledger_record(digest, ledger, "commit", record, &err));
        assert_int_equal(sty_json_int(record, "sequence", 0), i);
    }
    sty_digest(digest, "bytes", 5);
    ok(sty_ledger_blob_put(ledger, digest, "bytes", 5, &err));
    ok(sty_ledger_instance_put(ledger, digest, "bytes", 5, &err));
    ok(sty_ledger_instance_blob(ledger, digest, digest, &err));
    ok(sty_ledger_commit(ledger, &err));
}

static json_t *problems_of(struct sty_ledger *ledger)
{
    json_t *problems = NULL;
    ok(sty_ledger_check(&problems, ledger, &err));
    return problems;
}

static const struct tampering {
    const char *name, *sql, *finding; /* finding: begins one of the problems; NULL: none */
    size_t count;
} tamperings[] = {
    {"nothing", "SELECT 1", NULL, 0},
    {"event data", NO_TRIGGERS "UPDATE events SET data = '{\"a\":1}' WHERE seq = 3", "events: 3 is not what", 1},
    {"event time", NO_TRIGGERS "UPDATE events SET at = at + 1 WHERE seq = 5", "events: 5 is not what", 1},
    {"event number out of JSON's range", NO_TRIGGERS "UPDATE events SET at = 9223372036854775807 WHERE seq = 2",
     "events: 2 is not what", 1},
    {"event target", NO_TRIGGERS "UPDATE events SET target = NULL WHERE seq = 1", "events: 1 is not what", 1},
    {"event hash", NO_TRIGGERS "UPDATE events SET hash = 'x' WHERE seq = 3", "events: 4 does not follow", 2},
    {"event bytes that are no text", NO_TRIGGERS "UPDATE events SET kind = CAST(x'ff' AS TEXT) WHERE seq = 3",
     "events: 3 is not what", 1},
    {"event in the middle gone", NO_TRIGGERS "DELETE FROM events WHERE seq = 3", "events: 4 follows 2", 2},
    {"first events gone", NO_TRIGGERS "DELETE FROM events WHERE seq < 3", "events: 3 follows 0", 2},
    {"events swapped",
     NO_TRIGGERS "UPDATE events SET seq = 99 WHERE seq = 2; UPDATE events SET seq = 2 WHERE seq = 3;"
                 "UPDATE events SET seq = 3 WHERE seq = 99",
     "events: 2 does not follow", 5},
    {"a checkpoint that never was",
     "INSERT INTO checkpoints VALUES (2, 'sha256:0', 0); DELETE FROM events WHERE seq < 3", "events: 3 does not follow",
     1},
    {"record body", "UPDATE records SET body = '{}' WHERE seq = 1", "records: 1 is not what", 1},
    {"record gone", "DELETE FROM records WHERE seq = 2", "records: 3 follows 1", 2},
    {"first record gone", "DELETE FROM records WHERE seq = 1", "records: 2 follows 0", 2},
    {"record link moved beside its body", "UPDATE records SET previous = 'x' WHERE seq = 4", "records: 4 is not what",
     2},
    {"content of an Instance", "UPDATE instances SET bytes = x'00'", "ledger: content", 1},
    {"content of a blob", "UPDATE blobs SET bytes = x''", "ledger: content", 1},
    {"a blob gone", "PRAGMA foreign_keys = OFF; DELETE FROM blobs", "foreign keys: a row of instance_blobs", 1},
    {"an index that lacks a row",
     "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'target, seq', 'kind, seq')"
     " WHERE name = 'events_by_target'",
     "file: row 1 missing from index events_by_target", 5},
};

static void one_tampering(const struct tampering *t)
{
    struct sty_ledger *ledger = NULL;
    const char *found = NULL;
    ok(sty_ledger_open(&ledger, folder, STY_LEDGER_READ, &err));
    json_auto_t *problems = problems_of(ledger);
    sty_ledger_close(ledger);
    for (size_t i = 0; t->finding && i < json_array_size(problems); i++) {
        const char *text = json_string_value(json_array_get(problems, i));
        if (strncmp(text, t->finding, strlen(t->finding)) == 0)
            found = text;
    }
    if (json_array_size(problems) != t->count || (t->finding && !found)) {
        sty_auto_free char *all = json_dumps(problems, JSON_INDENT(1));
        fail_msg("%s: %s", t->name, all);
    }
}

static void test_tampering_is_found(void **state)
{
    fill(*state);
    ok(sty_ledger_backup(*state, ledger_file("clean"), &err));
    sty_ledger_close(*state);
    *state = NULL;
    for (size_t i = 0; i < STY_COUNT(tamperings); i++) {
        sty_auto(str) clean = STY_STR_INIT;
        ok(sty_file_read(&clean, ledger_file("clean"), 1 << 24, &err));
        ok(sty_file_replace(ledger_file("ledger.db"), clean.data, clean.length, 0600, &err));
        behind(tamperings[i].sql);
        one_tampering(&tamperings[i]);
    }
}

/* A page of rubbish: found and told, and the other parts are looked at nevertheless. */
static void test_a_damaged_page(void **state)
{
    struct sty_ledger *ledger = *state;
    int64_t page = 0, size = 0;
    fill(ledger);
    behind("DELETE FROM records WHERE seq = 2; PRAGMA wal_checkpoint(TRUNCATE)");
    ok(sty_ledger_number(&page, ledger, &err, "SELECT rootpage FROM sqlite_schema WHERE name = 'events'", ""));
    ok(sty_ledger_number(&size, ledger, &err, "PRAGMA page_size", ""));
    sty_ledger_close(ledger);
    *state = NULL;
    sty_auto(str) file = STY_STR_INIT;
    ok(sty_file_read(&file, ledger_file("ledger.db"), 1 << 24, &err));
    memset(file.data + (page - 1) * size, 0x5a, (size_t)size);
    ok(sty_file_replace(ledger_file("ledger.db"), file.data, file.length, 0600, &err));
    ok(sty_ledger_open(&ledger, folder, STY_LEDGER_READ, &err));
    json_auto_t *problems = problems_of(ledger);
    sty_auto_free char *all = json_dumps(problems, 0);
    assert_non_null(strstr(all, "records: 3 follows 1"));
    assert_non_null(strstr(all, "malformed"));
    sty_ledger_close(ledger);
}

static void test_triggers(void **state)
{
    static const char *const refused[] = {"UPDATE events SET kind = 'x' WHERE seq = 1", "DELETE FROM events",
                                          "DELETE FROM events WHERE seq = 5"};
    int64_t n = 0;
    fill(*state);
    for (size_t i = 0; i < STY_COUNT(refused); i++) {
        assert_int_equal(sty_ledger_exec(*state, &err, refused[i], ""), -1);
        assert_non_null(strstr(err.text, "events"));
    }
    ok(sty_ledger_number(&n, *state, &err, "SELECT count(*) FROM events", ""));
    assert_int_equal(n, 5);
}

/* More than the check reads at once. */
static void test_a_long_chain(void **state)
{
    struct sty_event event = {.kind = "test.happened"};
    ok(sty_ledger_begin(*state, &err));
    for (int i = 0; i < 2100; i++)
        ok(sty_ledger_event(*state, &event, &err));
    ok(sty_ledger_commit(*state, &err));
    json_auto_t *none = problems_of(*state);
    assert_int_equal(json_array_size(none), 0);
    behind(NO_TRIGGERS "UPDATE events SET kind = 'x' WHERE seq IN (1000, 1001, 2100)");
    json_auto_t *problems = problems_of(*state);
    assert_int_equal(json_array_size(problems), 3);
}

static void test_records_go_on_after_others(void **state)
{
    char first[STY_DIGEST_SIZE], second[STY_DIGEST_SIZE];
    json_auto_t *a = json_pack("{s:s}", "kind", "commit"), *b = json_pack("{s:s}", "kind", "commit");
    ok(sty_ledger_meta_set(*state, "records_after", "sha256:before", &err));
    ok(sty_ledger_record(first, *state, "c1", a, &err));
    ok(sty_ledger_record(second, *state, "c2", b, &err));
    assert_string_equal(sty_json_text(a, "previous", ""), "sha256:before");
    assert_string_equal(sty_json_text(b, "previous", ""), first);
    assert_string_equal(sty_json_text(b, "installation", ""), sty_ledger_installation(*state));
    json_auto_t *problems = problems_of(*state);
    assert_int_equal(json_array_size(problems), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tampering_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_damaged_page, setup, teardown),
        cmocka_unit_test_setup_teardown(test_triggers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_long_chain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_records_go_on_after_others, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
