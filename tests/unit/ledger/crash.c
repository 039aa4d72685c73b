/* SPDX-License-Identifier: Apache-2.0 */
/* Kills and failing disks at the ledger's failpoints: what a child leaves, read by its parent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ledger_fixture.h"

enum { DONE = 10, BEGIN_FAILED, COMMIT_FAILED, OTHER };

/* The first transaction of a new ledger makes it, the second is ours; then one more to see that it is usable. */
static int write_twice(void)
{
    sty_auto_ptr(ledger) ledger = NULL;
    if (sty_ledger_open(&ledger, folder, STY_LEDGER_WRITE, &err) < 0)
        return OTHER;
    int result = DONE;
    if (sty_ledger_begin(ledger, &err) < 0)
        result = BEGIN_FAILED;
    else if (sty_ledger_meta_set(ledger, "first", "1", &err) < 0)
        return OTHER;
    else if (sty_ledger_commit(ledger, &err) < 0)
        result = COMMIT_FAILED;
    if (result != DONE && (err.code != STY_IO || !strstr(err.text, "disk full")))
        return OTHER;
    if (sty_ledger_begin(ledger, &err) < 0 || sty_ledger_meta_set(ledger, "second", "1", &err) < 0 ||
        sty_ledger_commit(ledger, &err) < 0)
        return OTHER;
    return result;
}

static int run_child(const char *failpoint)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        setenv("STYRMIN_FAILPOINT", failpoint, 1);
        _exit(write_twice());
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* Not through the ledger: its failpoints must first be reached in the children. */
static int count(const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    int n = -1;
    assert_int_equal(sqlite3_open(ledger_file("ledger.db"), &db), SQLITE_OK);
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
        n = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return n;
}

static int new_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/styrmin-ledger-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return sty_directory_remove(folder, &err);
}

static const struct {
    const char *failpoint;
    int exit;          /* 0: killed */
    int tables;        /* 0: no ledger was made */
    int first, second; /* what was written */
} cases[] = {
    {"ledger.begin:1:kill", 0, 0, -1, -1},
    {"ledger.commit:1:kill", 0, 0, -1, -1},
    {"ledger.committed:1:kill", 0, 1, 0, 0},
    {"ledger.begin:2:kill", 0, 1, 0, 0},
    {"ledger.commit:2:kill", 0, 1, 0, 0},
    {"ledger.committed:2:kill", 0, 1, 1, 0},
    {"ledger.begin:2:ENOSPC", BEGIN_FAILED, 1, 0, 1},
    {"ledger.commit:2:ENOSPC", COMMIT_FAILED, 1, 0, 1},
    {"ledger.committed:2:ENOSPC", DONE, 1, 1, 1},
    {"ledger.commit:1:ENOSPC", OTHER, 0, -1, -1},
};

static void test_each_point(void **state)
{
#ifndef STYRMIN_FAILPOINTS
    skip();
#endif
    for (size_t i = 0; i < STY_COUNT(cases); i++) {
        assert_int_equal(new_folder(state), 0);
        int status = run_child(cases[i].failpoint);
        bool as_told = cases[i].exit ? WIFEXITED(status) && WEXITSTATUS(status) == cases[i].exit
                                     : WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        if (!as_told || (count("SELECT count(*) FROM sqlite_schema") > 0) != cases[i].tables ||
            count("SELECT count(*) FROM meta WHERE key = 'first'") != cases[i].first ||
            count("SELECT count(*) FROM meta WHERE key = 'second'") != cases[i].second)
            fail_msg("%s: status %x", cases[i].failpoint, (unsigned)status);
        /* and the next start finds what it can go on with */
        assert_int_equal(WEXITSTATUS(run_child("")), DONE);
        assert_int_equal(remove_folder(state), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
