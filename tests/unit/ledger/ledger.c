/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger: transactions, values, content, who may write, a full disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "ledger_fixture.h"

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

static void test_a_hand_writes_requests_alone(void **state)
{
    static const struct {
        const char *sql;
        bool may;
    } cases[] = {
        {"INSERT INTO requests (id, seq, kind, arguments, actor, via, reason, created_at, state)"
         " VALUES ('r', 1, 'retry', '{}', 'ada', 'cli', '', 0, 'pending')",
         true},
        {"UPDATE requests SET state = 'done' WHERE id = 'r'", true},
        {"SELECT max(seq) FROM requests", true},
        {"DELETE FROM requests", false},
        {"INSERT INTO meta VALUES ('a', 'b')", false},
        {"UPDATE targets SET tainted = 0", false},
        {"DELETE FROM events", false},
        {"DROP TABLE events", false},
        {"DROP TRIGGER events_no_delete", false},
        {"CREATE TABLE mine (a)", false},
        {"ATTACH 'other' AS other", false},
    };
    struct sty_ledger *hand = NULL;
    int64_t n = 0;
    ok(sty_ledger_open(&hand, folder, STY_LEDGER_HAND, &err));
    ok(sty_ledger_begin(hand, &err));
    for (size_t i = 0; i < STY_COUNT(cases); i++) {
        int result = sty_ledger_exec(hand, &err, cases[i].sql, "");
        if ((result == 0) != cases[i].may || (result < 0 && err.code != STY_DENIED))
            fail_msg("%s: %s", cases[i].sql, result < 0 ? err.text : "was let");
    }
    ok(sty_ledger_commit(hand, &err));
    sty_ledger_close(hand);
    ok(sty_ledger_number(&n, *state, &err, "SELECT count(*) FROM requests WHERE state = ?", "s", "done"));
    assert_int_equal(n, 1);
}

/* The other connection sees what was committed, and nothing before; it can write when it is its turn. */
static void test_two_connections(void **state)
{
    struct sty_ledger *one = *state, *two = NULL;
    int64_t n = 7;
    ok(sty_ledger_open(&two, folder, STY_LEDGER_WRITE, &err));
    assert_string_equal(sty_ledger_installation(one), sty_ledger_installation(two));
    ok(sty_ledger_begin(one, &err));
    ok(sty_ledger_meta_set(one, "a", "1", &err));
    ok(sty_ledger_number(&n, two, &err, "SELECT count(*) FROM meta WHERE key = 'a'", ""));
    assert_int_equal(n, 0);
    ok(sty_ledger_exec(two, &err, "PRAGMA busy_timeout = 1", ""));
    assert_int_equal(sty_ledger_begin(two, &err), -1);
    assert_int_equal(err.code, STY_BUSY);
    ok(sty_ledger_commit(one, &err));
    add_event(two, "from.two");
    add_event(one, "from.one");
    ok(sty_ledger_number(&n, two, &err, "SELECT max(seq) FROM events", ""));
    assert_int_equal(n, 2);
    assert_int_equal(problems_of(two), 0);
    sty_ledger_close(two);
}

enum { ROUNDS = 50 };

static void *add_many(void *self)
{
    struct sty_ledger *ledger = self;
    struct sty_event event = {.kind = "test.thread"};
    struct sty_error mine;
    for (int i = 0; i < ROUNDS; i++) {
        sty_ledger_rollback(ledger); /* of nothing: the other thread's transaction goes on */
        if (sty_ledger_begin(ledger, &mine) < 0 || sty_ledger_event(ledger, &event, &mine) < 0 ||
            sty_ledger_commit(ledger, &mine) < 0)
            return self;
    }
    return NULL;
}

static void test_threads_take_turns(void **state)
{
    pthread_t threads[3];
    int64_t n = 0;
    ok(sty_ledger_exec(*state, &err, "PRAGMA synchronous = OFF", ""));
    for (size_t i = 0; i < STY_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, *state), 0);
    for (size_t i = 0; i < STY_COUNT(threads); i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    ok(sty_ledger_number(&n, *state, &err, "SELECT count(*) FROM events", ""));
    assert_int_equal(n, (int)STY_COUNT(threads) * ROUNDS);
    assert_int_equal(problems_of(*state), 0);
}

static void test_close_rolls_back(void **state)
{
    struct sty_ledger *other = NULL;
    int64_t n = 7;
    ok(sty_ledger_open(&other, folder, STY_LEDGER_WRITE, &err));
    ok(sty_ledger_begin(other, &err));
    ok(sty_ledger_meta_set(other, "a", "1", &err));
    sty_ledger_close(other);
    sty_ledger_close(NULL);
    ok(sty_ledger_number(&n, *state, &err, "SELECT count(*) FROM meta WHERE key = 'a'", ""));
    assert_int_equal(n, 0);
}

/* SQLite may end a transaction by itself; what its owner still writes must not stand alone. */
static void test_writes_after_a_lost_transaction(void **state)
{
    struct sty_ledger *ledger = *state;
    int64_t n = 7;
    ok(sty_ledger_begin(ledger, &err));
    ok(sty_ledger_exec(ledger, &err, "ROLLBACK", ""));
    assert_int_equal(sty_ledger_meta_set(ledger, "a", "1", &err), -1);
    assert_int_equal(err.code, STY_IO);
    assert_int_equal(sty_ledger_commit(ledger, &err), -1);
    ok(sty_ledger_number(&n, ledger, &err, "SELECT count(*) FROM meta WHERE key = 'a'", ""));
    assert_int_equal(n, 0);
    ok(sty_ledger_meta_set(ledger, "a", "1", &err));
}

struct seen {
    int rows;
    int stop_after; /* 0: never */
    char last[32];
};

static int see(void *self, const char *const *columns, struct sty_error *e)
{
    struct seen *seen = self;
    snprintf(seen->last, sizeof seen->last, "%s %s", columns[0], columns[1] ? columns[1] : "null");
    seen->rows++;
    return seen->rows == seen->stop_after ? sty_error_set(e, STY_LIMIT, "enough") : 0;
}

static void test_visiting_rows(void **state)
{
    static const char sql[] = "SELECT column1, iif(column1 = ?, NULL, 'b') FROM (VALUES (1), (2), (3))";
    struct sty_ledger *ledger = *state;
    struct seen all = {0}, some = {.stop_after = 2};
    const struct sty_ledger_visitor everything = {see, &all}, a_part = {see, &some};
    ok(sty_ledger_each(ledger, &everything, &err, sql, "i", (int64_t)3));
    assert_int_equal(all.rows, 3);
    assert_string_equal(all.last, "3 null");
    assert_int_equal(sty_ledger_each(ledger, &a_part, &err, sql, "i", (int64_t)3), -1);
    assert_int_equal(err.code, STY_LIMIT);
    assert_string_equal(some.last, "2 b");
    assert_int_equal(sty_ledger_each(ledger, &everything, &err, "SELECT nothing", ""), -1);
    ok(sty_ledger_each(ledger, &everything, &err, sql, "i", (int64_t)1));
    assert_string_equal(all.last, "3 b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_transactions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_content, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reading, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_hand_writes_requests_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_connections, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threads_take_turns, setup, teardown),
        cmocka_unit_test_setup_teardown(test_close_rolls_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_writes_after_a_lost_transaction, setup, teardown),
        cmocka_unit_test_setup_teardown(test_visiting_rows, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
