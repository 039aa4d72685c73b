/* SPDX-License-Identifier: Apache-2.0 */
/* Versions of the schema: steps up, what is kept, what is refused, and files that are no ledger. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "ledger/ledger_internal.h"
#include "ledger_fixture.h"

static const char *const good_steps[] = {
    "CREATE TABLE second (a INTEGER) STRICT; INSERT INTO second VALUES (2)",
    "ALTER TABLE second ADD COLUMN b INTEGER; UPDATE second SET b = a + 1",
};
static const struct sty_ledger_schema good = {good_steps, 3};

static int64_t number(struct sty_ledger *ledger, const char *sql)
{
    int64_t n = -1;
    ok(sty_ledger_number(&n, ledger, &err, sql, ""));
    return n;
}

static void test_steps_run_in_order(void **state)
{
    struct sty_ledger *ledger = *state;
    ok(sty_ledger_prepare(ledger, ledger_file("ledger.db"), &good, &err));
    assert_int_equal(number(ledger, "PRAGMA user_version"), 3);
    assert_int_equal(number(ledger, "SELECT b FROM second"), 3);
    assert_int_equal(number(ledger, "PRAGMA foreign_keys"), 1);
    ok(sty_ledger_prepare(ledger, ledger_file("ledger.db"), &good, &err));
    assert_int_equal(number(ledger, "SELECT count(*) FROM second"), 1);
}

static void test_the_old_file_is_kept(void **state)
{
    struct sty_ledger *ledger = *state, *old = NULL;
    struct stat status;
    ok(sty_ledger_meta_set(ledger, "colour", "blue", &err));
    /* what a crash left of an earlier attempt */
    ok(sty_file_replace(ledger_file("ledger.db.v1.bak.part"), "half", 4, 0600, &err));
    ok(sty_ledger_prepare(ledger, ledger_file("ledger.db"), &good, &err));
    assert_int_equal(access(ledger_file("ledger.db.v1.bak.part"), F_OK), -1);
    assert_int_equal(stat(ledger_file("ledger.db.v1.bak"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    ok(sty_directory_make(ledger_file("old"), 0700, &err));
    assert_int_equal(rename(ledger_file("ledger.db.v1.bak"), ledger_file("old/ledger.db")), 0);
    ok(sty_ledger_open(&old, ledger_file("old"), STY_LEDGER_WRITE, &err));
    sty_auto_free char *value = NULL;
    ok(sty_ledger_meta_get(&value, old, "colour", &err));
    assert_string_equal(value, "blue");
    assert_string_equal(sty_ledger_installation(old), sty_ledger_installation(ledger));
    sty_ledger_close(old);
}

/* Each of these fails as a whole: the ledger is what it was, and usable. */
static void test_a_failing_migration_changes_nothing(void **state)
{
    static const struct {
        const char *steps[2];
        const char *says;
    } cases[] = {
        {{"CREATE TABLE second (a)", "nonsense"}, "from version 2"},
        {{"nonsense", "SELECT 1"}, "from version 1"},
        {{"CREATE TABLE second (a REFERENCES targets)", "INSERT INTO second VALUES (7)"}, "not there"},
    };
    struct sty_ledger *ledger = *state;
    for (size_t i = 0; i < STY_COUNT(cases); i++) {
        struct sty_ledger_schema schema = {cases[i].steps, 3};
        assert_int_equal(sty_ledger_prepare(ledger, ledger_file("ledger.db"), &schema, &err), -1);
        if (!strstr(err.text, cases[i].says))
            fail_msg("case %zu: %s", i, err.text);
        assert_int_equal(number(ledger, "PRAGMA user_version"), 1);
        assert_int_equal(number(ledger, "PRAGMA foreign_keys"), 1);
        assert_int_equal(number(ledger, "SELECT count(*) FROM sqlite_schema WHERE name = 'second'"), 0);
        ok(sty_ledger_meta_set(ledger, "after", "1", &err));
    }
}

static void test_a_step_may_rebuild_a_table_that_others_refer_to(void **state)
{
    static const char *const steps[] = {
        "CREATE TABLE blobs2 (digest TEXT PRIMARY KEY, bytes BLOB NOT NULL, more TEXT) STRICT, WITHOUT ROWID;"
        "INSERT INTO blobs2 SELECT digest, bytes, 'x' FROM blobs; DROP TABLE blobs; ALTER TABLE blobs2 RENAME TO "
        "blobs"};
    static const struct sty_ledger_schema schema = {steps, 2};
    struct sty_ledger *ledger = *state;
    ok(sty_ledger_blob_put(ledger, "b", "x", 1, &err));
    ok(sty_ledger_instance_put(ledger, "i", "x", 1, &err));
    ok(sty_ledger_instance_blob(ledger, "i", "b", &err));
    ok(sty_ledger_prepare(ledger, ledger_file("ledger.db"), &schema, &err));
    assert_int_equal(number(ledger, "SELECT count(*) FROM instance_blobs JOIN blobs ON blob = blobs.digest"), 1);
    assert_int_equal(number(ledger, "SELECT count(*) FROM blobs WHERE more = 'x'"), 1);
}

static void test_a_reader_leaves_an_older_one_as_it_is(void **state)
{
    static const enum sty_ledger_mode modes[] = {STY_LEDGER_READ, STY_LEDGER_HAND};
    (void)state;
    for (size_t i = 0; i < STY_COUNT(modes); i++) {
        struct sty_ledger *reader = NULL;
        ok(sty_ledger_open(&reader, folder, modes[i], &err));
        ok(sty_ledger_prepare(reader, ledger_file("ledger.db"), &good, &err));
        assert_int_equal(number(reader, "PRAGMA user_version"), 1);
        sty_ledger_close(reader);
    }
    assert_int_equal(access(ledger_file("ledger.db.v1.bak"), F_OK), -1);
}

static void test_a_newer_one_is_refused(void **state)
{
    static const enum sty_ledger_mode modes[] = {STY_LEDGER_WRITE, STY_LEDGER_READ, STY_LEDGER_HAND};
    (void)state;
    behind("PRAGMA user_version = 99");
    for (size_t i = 0; i < STY_COUNT(modes); i++) {
        struct sty_ledger *other = NULL;
        assert_int_equal(sty_ledger_open(&other, folder, modes[i], &err), -1);
        assert_int_equal(err.code, STY_CORRUPT);
        assert_non_null(strstr(err.text, "schema 99"));
        assert_non_null(strstr(err.text, "ledger.db.v1.bak"));
        assert_null(other);
    }
}

/* Made in a folder of its own, opened in every mode, and not changed by that. */
static void test_what_is_no_ledger(void **state)
{
    static const struct {
        const char *sql; /* NULL: bytes that are no database */
        enum sty_code writing, reading;
    } cases[] = {
        {NULL, STY_CORRUPT, STY_CORRUPT},
        {"CREATE TABLE song (title TEXT)", STY_CORRUPT, STY_CORRUPT},
        {"CREATE TABLE song (title TEXT); PRAGMA user_version = 1", STY_CORRUPT, STY_CORRUPT},
        {"CREATE TABLE meta (key TEXT, value TEXT); PRAGMA user_version = 1", STY_CORRUPT, STY_CORRUPT},
        {"CREATE TABLE meta (key TEXT, value TEXT); PRAGMA user_version = -1", STY_CORRUPT, STY_CORRUPT},
        {"", STY_OK, STY_NOT_FOUND},
    };
    (void)state;
    for (size_t i = 0; i < STY_COUNT(cases); i++) {
        struct sty_ledger *other = NULL;
        ok(sty_directory_remove(ledger_file("x"), &err));
        ok(sty_directory_make(ledger_file("x"), 0700, &err));
        if (cases[i].sql)
            sql_on("x/ledger.db", cases[i].sql);
        else
            ok(sty_file_replace(ledger_file("x/ledger.db"), "no database, but long enough to be looked at", 44, 0600,
                                &err));
        assert_int_equal(sty_ledger_open(&other, ledger_file("x"), STY_LEDGER_READ, &err), -1);
        assert_int_equal(err.code, cases[i].reading);
        int result = sty_ledger_open(&other, ledger_file("x"), STY_LEDGER_WRITE, &err);
        assert_int_equal(result < 0 ? err.code : STY_OK, cases[i].writing);
        sty_ledger_close(other);
    }
}

static void test_files_and_symlinks(void **state)
{
    struct sty_ledger *other = NULL;
    struct stat status;
    (void)state;
    assert_int_equal(stat(ledger_file("ledger.db"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(stat(ledger_file("ledger.db-wal"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    ok(sty_directory_make(ledger_file("real"), 0700, &err));
    assert_int_equal(symlink("real", ledger_file("behind")), 0);
    ok(sty_ledger_open(&other, ledger_file("behind"), STY_LEDGER_WRITE, &err));
    sty_ledger_close(other);
    ok(sty_directory_make(ledger_file("trap"), 0700, &err));
    assert_int_equal(symlink("../real/ledger.db", ledger_file("trap/ledger.db")), 0);
    assert_int_equal(sty_ledger_open(&other, ledger_file("trap"), STY_LEDGER_WRITE, &err), -1);
    assert_int_equal(sty_ledger_open(&other, ledger_file("nowhere"), STY_LEDGER_WRITE, &err), -1);
    assert_int_equal(err.code, STY_IO);
    assert_int_equal(sty_ledger_open(&other, ledger_file("nowhere"), STY_LEDGER_HAND, &err), -1);
    assert_int_equal(err.code, STY_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_steps_run_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_old_file_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_failing_migration_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_step_may_rebuild_a_table_that_others_refer_to, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_reader_leaves_an_older_one_as_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_newer_one_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_no_ledger, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files_and_symlinks, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
