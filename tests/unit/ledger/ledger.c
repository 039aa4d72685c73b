/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger: chains, transactions, content, what it refuses, and what survives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "ledger/ledger.h"

static char folder[64];
static struct sty_error err;

static int setup(void **state)
{
    struct sty_ledger *ledger = NULL;
    snprintf(folder, sizeof folder, "/tmp/styrmin-ledger-XXXXXX");
    if (!mkdtemp(folder) || sty_ledger_open(&ledger, folder, STY_LEDGER_WRITE, &err) < 0)
        return -1;
    *state = ledger;
    return 0;
}

static int teardown(void **state)
{
    sty_ledger_close(*state);
    return sty_directory_remove(folder, &err);
}

#define ok(call)                                                                                                       \
    do {                                                                                                               \
        if ((call) < 0)                                                                                                \
            fail_msg("%s: %s", #call, err.text);                                                                       \
    } while (0)

/* SQL on the file behind the ledger's back. */
static void behind(const char *sql)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    sty_auto_free char *path = sty_sprintf("%s/ledger.db", folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s", message);
    sqlite3_close(db);
}

static void add_event(struct sty_ledger *ledger, const char *kind)
{
    struct sty_event event = {.kind = kind, .target = "c/e/d"};
    ok(sty_ledger_begin(ledger, &err));
    ok(sty_ledger_event(ledger, &event, &err));
    ok(sty_ledger_commit(ledger, &err));
}

static size_t problems_of(struct sty_ledger *ledger)
{
    json_auto_t *problems = NULL;
    ok(sty_ledger_check(&problems, ledger, &err));
    return json_array_size(problems);
}

static void test_event_chain(void **state)
{
    struct sty_ledger *ledger = *state;
    for (int i = 0; i < 5; i++)
        add_event(ledger, "test.happened");
    assert_int_equal(problems_of(ledger), 0);
    assert_int_equal(sty_ledger_exec(ledger, &err, "UPDATE events SET kind = 'x'", ""), -1);
    assert_int_equal(sty_ledger_exec(ledger, &err, "DELETE FROM events", ""), -1);
    behind("DROP TRIGGER events_no_update; UPDATE events SET data = '{\"a\":1}' WHERE seq = 3");
    assert_int_equal(problems_of(ledger), 1);
    behind("DROP TRIGGER events_no_delete; DELETE FROM events WHERE seq = 3");
    assert_int_equal(problems_of(ledger), 2);
}

static void test_transactions(void **state)
{
    struct sty_ledger *ledger = *state;
    int64_t n = 0;
    ok(sty_ledger_begin(ledger, &err));
    ok(sty_ledger_meta_set(ledger, "a", "1", &err));
    sty_ledger_rollback(ledger);
    ok(sty_ledger_number(&n, ledger, &err, "SELECT count(*) FROM meta WHERE key = ?", "s", "a"));
    assert_int_equal(n, 0);
    ok(sty_ledger_begin(ledger, &err));
    ok(sty_ledger_meta_set(ledger, "a", "1", &err));
    ok(sty_ledger_commit(ledger, &err));
    sty_auto_free char *value = NULL;
    ok(sty_ledger_meta_get(&value, ledger, "a", &err));
    assert_string_equal(value, "1");
}

static void test_values(void **state)
{
    struct sty_ledger *ledger = *state;
    json_auto_t *object = json_pack("{s:i, s:i}", "b", 1, "a", 2), *row = NULL;
    ok(sty_ledger_row(&row, ledger, &err, "SELECT ? AS s, ? AS nul, ? AS i, ? AS b, ? AS j", "snibj", "it's",
                      (int64_t)1 << 40, true, object));
    assert_string_equal(sty_json_text(row, "s", ""), "it's");
    assert_true(json_is_null(json_object_get(row, "nul")));
    assert_true(sty_json_int(row, "i", 0) == (int64_t)1 << 40);
    assert_int_equal(sty_json_int(row, "b", 0), 1);
    assert_string_equal(sty_json_text(row, "j", ""), "{\"a\":2,\"b\":1}");
    json_auto_t *none = NULL;
    ok(sty_ledger_row(&none, ledger, &err, "SELECT * FROM targets", ""));
    assert_null(none);
    assert_int_equal(sty_ledger_exec(ledger, &err, "SELECT nonsense", ""), -1);
}

static void test_content(void **state)
{
    struct sty_ledger *ledger = *state;
    char digest[STY_DIGEST_SIZE];
    static const char bytes[] = "a\0b";
    sty_digest(digest, bytes, 3);
    ok(sty_ledger_blob_put(ledger, digest, bytes, 3, &err));
    ok(sty_ledger_blob_put(ledger, digest, bytes, 3, &err));
    sty_auto_free char *read = NULL;
    size_t length = 0;
    ok(sty_ledger_blob_get(&read, &length, ledger, digest, &err));
    assert_int_equal(length, 3);
    assert_memory_equal(read, bytes, 3);
    sty_auto_free char *nothing = NULL;
    assert_int_equal(sty_ledger_instance_get(&nothing, &length, ledger, digest, &err), -1);
    assert_int_equal(err.code, STY_NOT_FOUND);
    behind("UPDATE blobs SET bytes = x'00'");
    assert_int_equal(sty_ledger_blob_get(&nothing, &length, ledger, digest, &err), -1);
    assert_int_equal(err.code, STY_CORRUPT);
    assert_int_equal(problems_of(ledger), 1);
}

static void test_records(void **state)
{
    struct sty_ledger *ledger = *state;
    char first[STY_DIGEST_SIZE], second[STY_DIGEST_SIZE];
    json_auto_t *a = json_pack("{s:s}", "kind", "commit"), *b = json_pack("{s:s}", "kind", "commit");
    ok(sty_ledger_record(first, ledger, "c1", a, &err));
    ok(sty_ledger_record(second, ledger, "c2", b, &err));
    assert_string_equal(sty_json_text(b, "previous", ""), first);
    assert_int_equal(sty_json_int(b, "sequence", 0), 2);
    assert_string_equal(sty_json_text(b, "installation", ""), sty_ledger_installation(ledger));
    assert_int_equal(problems_of(ledger), 0);
    behind("UPDATE records SET body = '{}' WHERE seq = 1");
    assert_int_equal(problems_of(ledger), 1);
}

static void test_newer_schema_is_refused(void **state)
{
    struct sty_ledger *other = NULL;
    (void)state;
    behind("PRAGMA user_version = 99");
    assert_int_equal(sty_ledger_open(&other, folder, STY_LEDGER_READ, &err), -1);
    assert_int_equal(err.code, STY_CORRUPT);
    assert_non_null(strstr(err.text, "99"));
}

static void test_reading(void **state)
{
    struct sty_ledger *reader = NULL;
    add_event(*state, "test.happened");
    ok(sty_ledger_open(&reader, folder, STY_LEDGER_READ, &err));
    int64_t n = 0;
    ok(sty_ledger_number(&n, reader, &err, "SELECT count(*) FROM events", ""));
    assert_int_equal(n, 1);
    assert_int_equal(sty_ledger_exec(reader, &err, "DELETE FROM meta", ""), -1);
    sty_ledger_close(reader);
    struct sty_ledger *absent = NULL;
    assert_int_equal(sty_ledger_open(&absent, "/nonexistent", STY_LEDGER_READ, &err), -1);
    assert_int_equal(err.code, STY_NOT_FOUND);
}

static void test_not_a_ledger(void **state)
{
    (void)state;
    struct sty_ledger *other = NULL;
    sty_auto_free char *path = sty_sprintf("%s/x", folder), *file = sty_sprintf("%s/x/ledger.db", folder);
    ok(sty_directory_make(path, 0700, &err));
    ok(sty_file_replace(file, "this is no database, but long enough to be looked at as one", 59, 0600, &err));
    assert_int_equal(sty_ledger_open(&other, path, STY_LEDGER_WRITE, &err), -1);
    assert_int_equal(err.code, STY_CORRUPT);
}

static void test_backup_and_prune(void **state)
{
    struct sty_ledger *ledger = *state, *copy = NULL;
    for (int i = 0; i < 3; i++)
        add_event(ledger, "test.happened");
    sty_auto_free char *path = sty_sprintf("%s/copy", folder), *file = sty_sprintf("%s/copy/ledger.db", folder);
    ok(sty_directory_make(path, 0700, &err));
    ok(sty_ledger_backup(ledger, file, &err));
    assert_int_equal(sty_ledger_backup(ledger, file, &err), -1);
    assert_int_equal(err.code, STY_EXISTS);
    ok(sty_ledger_open(&copy, path, STY_LEDGER_READ, &err));
    assert_int_equal(problems_of(copy), 0);
    sty_ledger_close(copy);
    json_auto_t *summary = NULL;
    ok(sty_ledger_prune(&summary, ledger, sty_ledger_now(ledger) + 1000, 50, &err));
    assert_int_equal(sty_json_int(summary, "events", 0), 3);
    add_event(ledger, "test.after");
    int64_t seq = 0;
    ok(sty_ledger_number(&seq, ledger, &err, "SELECT max(seq) FROM events", ""));
    assert_int_equal(seq, 4);
    assert_int_equal(problems_of(ledger), 0);
    assert_int_equal(sty_ledger_exec(ledger, &err, "DELETE FROM events", ""), -1);
}

static void test_full_disk(void **state)
{
    struct sty_ledger *ledger = *state;
    sty_auto_free char *big = sty_calloc(1, 1 << 20);
    int64_t n = 1;
    ok(sty_ledger_exec(ledger, &err, "PRAGMA max_page_count = 60", ""));
    ok(sty_ledger_begin(ledger, &err));
    assert_int_equal(sty_ledger_blob_put(ledger, "sha256:x", big, 1 << 20, &err), -1);
    assert_int_equal(err.code, STY_IO);
    assert_non_null(strstr(err.text, "disk full"));
    sty_ledger_rollback(ledger);
    ok(sty_ledger_number(&n, ledger, &err, "SELECT count(*) FROM blobs", ""));
    assert_int_equal(n, 0);
    assert_int_equal(problems_of(ledger), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_event_chain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transactions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_content, setup, teardown),
        cmocka_unit_test_setup_teardown(test_records, setup, teardown),
        cmocka_unit_test_setup_teardown(test_newer_schema_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reading, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_a_ledger, setup, teardown),
        cmocka_unit_test_setup_teardown(test_backup_and_prune, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
