/* SPDX-License-Identifier: Apache-2.0 */
/* What is written onto commits, and how it gets to a real remote. */
#include "git_fixture.h"

#include <sys/stat.h>

#include "ledger/ledger.h"
#include "report/report.h"

#define ONE "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define TWO "sha256:2222222222222222222222222222222222222222222222222222222222222222"

static struct git_fixture *f;
static struct sty_ledger *ledger;
static struct sty_error err;
static int64_t now_ms;
static char tip[STY_OID_SIZE];

#define ok(call)                                                                                                       \
    do {                                                                                                               \
        if ((call) < 0)                                                                                                \
            fail_msg("%s: %s", #call, err.text);                                                                       \
    } while (0)
#define in_transaction(call)                                                                                           \
    do {                                                                                                               \
        ok(sty_ledger_begin(ledger, &err));                                                                            \
        ok(call);                                                                                                      \
        ok(sty_ledger_commit(ledger, &err));                                                                           \
    } while (0)

static int64_t fake_now(void *self)
{
    (void)self;
    return now_ms;
}

static void run_sql(const char *sql)
{
    ok(sty_ledger_exec(ledger, &err, sql, ""));
}

static int64_t number(const char *sql)
{
    int64_t out = -1;
    ok(sty_ledger_number(&out, ledger, &err, sql, ""));
    return out;
}

static void open_ledger(const char *name)
{
    sty_auto_free char *path = sty_sprintf("%s/%s", f->root, name);
    assert_int_equal(mkdir(path, 0700), 0);
    ok(sty_ledger_open(&ledger, path, STY_LEDGER_WRITE, &err));
    sty_ledger_set_clock(ledger, fake_now, NULL);
    ok(sty_ledger_exec(
        ledger, &err,
        "INSERT INTO sources (id, url, branch, path, name, walked) VALUES (1, 'u', 'main', '', 'edge-1', ?)", "s",
        tip));
    ok(sty_ledger_exec(ledger, &err,
                       "INSERT INTO commits (oid, seq, time, author, subject, state, plan, seen_at) VALUES (?, 1, 1,"
                       " 'Anna', 'a', 'succeeded', 'sha256:plan', 1)",
                       "s", tip));
}

static int begin(void **state)
{
    static const struct git_fixture_file files[] = {{"file", "a", 0}, {0}};
    if (git_fixture_setup(state) < 0)
        return -1;
    f = *state;
    now_ms = 1767225600000; /* 2026-01-01 */
    git_oid oid = git_fixture_commit(f, NULL, files, "a");
    snprintf(tip, sizeof(tip), "%s", hex(&oid));
    git_fixture_fetch(f, NULL);
    open_ledger("state");
    return 0;
}

static int end(void **state)
{
    sty_ledger_close(ledger);
    return git_fixture_teardown(state);
}

/* A remediation of `deployment` that ended so after 42 seconds, and its target. */
static void ended(const char *deployment, const char *kind, const char *state, const char *error)
{
    ok(sty_ledger_exec(
        ledger, &err,
        "INSERT INTO targets (cluster, environment, deployment, wanted) VALUES ('c', 'production', ?, 1) ON"
        " CONFLICT DO NOTHING",
        "s", deployment));
    ok(sty_ledger_exec(
        ledger, &err,
        "INSERT INTO remediations (id, seq, target, cluster, environment, deployment, kind, from_instance,"
        " to_instance, digest, document, commit_oid, state, error, created_at, started_at, finished_at)"
        " SELECT 'r' || n, n, t.id, 'c', 'production', t.deployment, ?2, ?3, ?4, 'sha256:d', '{}', ?5, ?6,"
        " ?7, ?8, ?8, ?8 + 42000 FROM (SELECT 1 + count(*) AS n FROM remediations), targets t WHERE"
        " t.deployment = ?1",
        "sssssssi", deployment, kind, ONE, TWO, tip, state, error, now_ms));
}

static json_t *report(const json_t *blocked)
{
    json_auto_t *row = NULL;
    json_t *payload = NULL;
    in_transaction(sty_report_commit(ledger, tip, blocked, &err));
    ok(sty_ledger_row(&row, ledger, &err, "SELECT payload FROM outbox ORDER BY id DESC LIMIT 1", ""));
    const char *text = sty_json_text(row, "payload", "");
    ok(sty_json_parse(&payload, text, strlen(text), &err));
    return payload;
}

/* The text without its last two lines, which name the record. */
static void expect_text(const json_t *blocked, const char *wanted)
{
    json_auto_t *payload = report(blocked);
    char digest[STY_DIGEST_SIZE];
    const char *record = sty_json_text(payload, "record", "");
    sty_digest(digest, record, strlen(record));
    sty_auto_free char *whole = sty_sprintf("%s\nStyrmin-Record: %s\n", wanted, digest);
    assert_string_equal(sty_json_text(payload, "text", ""), whole);
}

static void add_version(const char *digest, const char *version)
{
    sty_auto_free char *bytes = sty_sprintf("{\"application\":{\"version\":\"%s\"}}", version);
    ok(sty_ledger_instance_put(ledger, digest, bytes, strlen(bytes), &err));
}

static void test_text(void **state)
{
    (void)state;
    add_version(ONE, "1.4.0");
    add_version(TWO, "1.5.0");
    ended("new", "create", "succeeded", NULL);
    ended("one", "update", "succeeded", NULL);
    ended("two", "update", "succeeded", NULL);
    expect_text(NULL, "succeeded: 1 created, 2 updated\ncreated production/new in 42s\nupdated production/one in 42s\n"
                      "updated production/two in 42s\n");
    run_sql("DELETE FROM remediations");
    ended("shop", "upgrade", "succeeded", NULL);
    ended("web", "update", "failed", "step 2:\nexit status 1\x1b[2J");
    ended("old", "delete", "waiting", NULL);
    json_auto_t *blocked = json_pack("[{s:s, s:s, s:s}]", "target", "c/production/x", "reason", "claim", "message",
                                     "file:/a is\nanother's");
    run_sql("UPDATE commits SET state = 'partial'");
    expect_text(blocked, "partial: 1 upgraded, 1 failed, 1 waiting, 1 blocked\n"
                         "upgraded production/shop 1.4.0 -> 1.5.0 in 42s\n"
                         "update production/web failed: step 2:\\x0aexit status 1\\x1b[2J\n"
                         "delete production/old waiting\n"
                         "blocked production/x (claim): file:/a is\\x0aanother's\n");
    json_auto_t *again =
        json_pack("[{s:s, s:s, s:s}, {s:s, s:s, s:s}]", "target", "c/production/web", "reason", "quarantined",
                  "message", "tried", "target", "c/production/shop", "reason", "quarantined", "message", "tried");
    expect_text(again, "partial: 1 upgraded, 1 failed, 1 waiting, 1 blocked\n"
                       "upgraded production/shop 1.4.0 -> 1.5.0 in 42s\n"
                       "update production/web failed: step 2:\\x0aexit status 1\\x1b[2J\n"
                       "delete production/old waiting\n"
                       "blocked production/shop (quarantined): tried\n"); /* web's failure says it already */
    run_sql("DELETE FROM remediations");
    run_sql("UPDATE commits SET state = 'unchanged'");
    expect_text(NULL, "unchanged: nothing to do\n");
    assert_int_equal(sty_report_commit(ledger, "0123456789", NULL, &err), -1);
}

/* Heals, restores and what a person asked for are not the commit's; a retry is, in place of what it tries again. */
static void test_what_counts(void **state)
{
    (void)state;
    ended("a", "update", "failed", "no luck");
    ended("a", "restore", "succeeded", NULL);
    ended("b", "heal", "succeeded", NULL);
    ended("b", "downgrade", "succeeded", NULL);
    run_sql("INSERT INTO requests (id, seq, kind, arguments, actor, via, reason, created_at, state) VALUES ('q1', 1,"
            " 'rollback', '{}', 'anna', 'cli', '', 1, 'done'), ('q2', 2, 'retry', '{}', 'anna', 'cli', '', 1, 'done')");
    run_sql("UPDATE remediations SET request = 'q1' WHERE kind = 'downgrade'");
    expect_text(NULL, "succeeded: 1 failed\nupdate production/a failed: no luck\n");
    ended("a", "update", "succeeded", NULL);
    run_sql("UPDATE remediations SET request = 'q2' WHERE seq = (SELECT max(seq) FROM remediations)");
    expect_text(NULL, "succeeded: 1 updated\nupdated production/a in 42s\n");
}

static void test_suspects(void **state)
{
    (void)state;
    ok(sty_ledger_instance_put(ledger, ONE, "{}", 2, &err));
    ended("shop", "update", "failed", "no luck");
    json_auto_t *document =
        json_pack("{s:[{s:s, s:i, s:i, s:{s:s, s:i, s:i}}, {s:s, s:n, s:{s:s}, s:n}]}", "diff", "path", "/context/port",
                  "from", 80, "to", 90, "origin", "file", "deployments/shop.yaml", "line", 12, "column", 3, "path",
                  "/context/key", "from", "to", "from_env", "KEY", "origin");
    ok(sty_ledger_exec(ledger, &err, "UPDATE remediations SET document = ?", "j", document));
    expect_text(NULL, "succeeded: 1 failed\nupdate production/shop failed: no luck\n"); /* nothing was good yet */
    ok(sty_ledger_exec(ledger, &err,
                       "INSERT INTO active (target, instance, commit_oid, since, remediation) SELECT id, ?, "
                       "'abcdef0123456789', ?, 'r0' FROM targets",
                       "si", ONE, now_ms));
    sty_auto_free char *known = sty_sprintf(
        "succeeded: 1 failed\nupdate production/shop failed: no luck\n"
        "  last good: sha256:111111111111 since 2026-01-01T00:00:00.000Z, commit abcdef012345\n"
        "  changed since, up to commit %.12s by Anna:\n    /context/port: 80 -> 90 (deployments/shop.yaml:12)\n"
        "    /context/key: (none) -> {\"from_env\":\"KEY\"}\n",
        tip);
    expect_text(NULL, known);
    json_t *diff = json_object_get(document, "diff");
    json_array_insert_new(diff, 0, json_pack("{s:s, s:[], s:[]}", "path", "/components/site/resources", "from", "to"));
    ok(sty_ledger_exec(ledger, &err, "UPDATE remediations SET document = ?", "j", document));
    expect_text(NULL, known); /* resources follow from values */
    json_array_remove(diff, 0);
    for (int i = 0; i < 20; i++)
        json_array_append(diff, json_array_get(diff, 0));
    ok(sty_ledger_exec(ledger, &err, "UPDATE remediations SET document = ?", "j", document));
    json_auto_t *payload = report(NULL);
    assert_non_null(strstr(sty_json_text(payload, "text", ""), "    and 12 more\n"));
}

/* The whole row of facts, so that a ledger can be made anew from records. */
static void test_record(void **state)
{
    (void)state;
    ended("shop", "update", "failed", "no luck");
    run_sql("UPDATE targets SET tainted = 1, quarantined = 'sha256:q', suspended_until = 5");
    run_sql("INSERT INTO marks (target, digest, state, at) SELECT id, 'sha256:m', 'begun', 1 FROM targets");
    run_sql("INSERT INTO steps (remediation, attempt, seq, state, exit_status) VALUES ('r1', 1, 1, 'failed', 7)");
    json_auto_t *payload = report(NULL);
    json_auto_t *records = NULL;
    const char *line = sty_json_text(payload, "record", "");
    ok(sty_records_parse(&records, line, strlen(line), &err));
    const json_t *record = json_array_get(records, 0);
    assert_string_equal(sty_json_text(record, "commit", ""), tip);
    assert_string_equal(sty_json_text(record, "plan", ""), "sha256:plan");
    assert_int_equal(sty_json_int(record, "sequence", 0), 1);
    sty_auto_free char *target = sty_json_canonical_text(json_array_get(json_object_get(record, "targets"), 0));
    assert_string_equal(
        target, "{\"active\":null,\"attempt\":1,\"digest\":\"sha256:d\",\"duration_ms\":42000,\"error\":\"no luck\","
                "\"from\":\"" ONE "\",\"kind\":\"update\",\"marks\":[{\"digest\":\"sha256:m\",\"state\":\"begun\"}],"
                "\"pinned\":null,\"quarantined\":\"sha256:q\",\"remediation\":\"r1\",\"state\":\"failed\",\"steps\":[{"
                "\"exit_status\":7,\"finished_at\":null,\"seq\":1,\"started_at\":null,\"state\":\"failed\"}],"
                "\"suspended_until\":5,\"tainted\":1,\"target\":\"c/production/shop\",\"to\":\"" TWO "\"}");
}

/* Without an end: a number that JSON could not carry. */
static void test_record_of_a_suspended_one(void **state)
{
    (void)state;
    ended("shop", "update", "succeeded", NULL);
    run_sql("UPDATE targets SET suspended_until = 9223372036854775807");
    json_auto_t *payload = report(NULL);
    assert_non_null(strstr(sty_json_text(payload, "record", ""), "\"suspended_until\":-1,"));
}

static void test_event(void **state)
{
    (void)state;
    json_auto_t *body = json_pack("{s:s, s:s, s:s}", "actor", "anna", "reason", "why", "commit", "forged");
    in_transaction(sty_report_event(ledger, "request", body, &err));
    json_auto_t *row = NULL;
    ok(sty_ledger_row(&row, ledger, &err, "SELECT key, payload FROM outbox", ""));
    assert_string_equal(sty_json_text(row, "key", ""), tip);
    assert_non_null(strstr(sty_json_text(row, "payload", ""), "\"text\":null"));
    assert_int_equal(
        number("SELECT count(*) FROM records WHERE body ->> 'actor' = 'anna' AND body ->> 'kind' = 'request'"
               " AND body ->> 'commit' <> 'forged'"),
        1);
    run_sql("UPDATE sources SET walked = NULL");
    in_transaction(sty_report_event(ledger, "request", body, &err));
    assert_int_equal(number("SELECT count(*) FROM outbox"), 1);
    in_transaction(sty_report_superseded(ledger, tip, "0123456789abcdef", &err));
    assert_int_equal(number("SELECT count(*) FROM outbox WHERE payload ->> 'text' LIKE 'superseded by 0123456789ab%'"),
                     1);
}

/* ---- delivery ---- */

static struct sty_delivery deliver(bool push)
{
    struct sty_delivery out = {0};
    ok(sty_report_deliver(&out, ledger, f->mirror, &f->config, push, &err));
    return out;
}

static size_t lines_at(const char *path)
{
    sty_auto_ptr(repo) repo = NULL;
    sty_auto(str) records = STY_STR_INIT;
    size_t lines = 0;
    ok(sty_repo_open(&repo, path, true, &err));
    ok(sty_notes_read(NULL, &records, repo, "edge-1", tip, &err));
    for (size_t i = 0; i < records.length; i++)
        lines += records.data[i] == '\n';
    return lines;
}

static void event(const char *reason)
{
    json_auto_t *body = json_pack("{s:s}", "reason", reason);
    in_transaction(sty_report_event(ledger, "request", body, &err));
}

static void test_delivery(void **state)
{
    (void)state;
    struct sty_delivery none = deliver(true);
    assert_true(none.pushed && none.written == 0);
    json_auto_t *payload = report(NULL);
    struct sty_delivery one = deliver(true);
    assert_true(one.pushed && one.written == 1 && !one.error[0]);
    assert_int_equal(lines_at(f->remote_path), 1);
    assert_int_equal(number("SELECT count(*) FROM outbox WHERE delivered_at IS NULL"), 0);
    assert_int_equal(deliver(true).written, 0);
}

static void test_many(void **state)
{
    (void)state;
    ok(sty_ledger_begin(ledger, &err));
    json_auto_t *body = json_pack("{s:s}", "reason", "many");
    for (int i = 0; i < 2100; i++)
        ok(sty_report_event(ledger, "request", body, &err));
    ok(sty_ledger_commit(ledger, &err));
    struct sty_delivery all = deliver(true);
    assert_true(all.pushed);
    assert_int_equal(all.written, 2100);
    assert_int_equal(lines_at(f->remote_path), 2100);
}

/* Away, then back: nothing is lost or doubled, and nobody is asked before time. */
static void test_remote_away(void **state)
{
    (void)state;
    sty_auto_free char *aside = sty_sprintf("%s.aside", f->remote_path);
    event("one");
    assert_int_equal(rename(f->remote_path, aside), 0);
    struct sty_delivery refused = deliver(true);
    assert_true(!refused.pushed && refused.written == 1 && refused.error[0]);
    assert_int_equal(number("SELECT attempts FROM outbox WHERE delivered_at IS NULL AND error IS NOT NULL"), 1);
    assert_int_equal(number("SELECT due FROM outbox"), now_ms + 30000);
    struct sty_delivery early = deliver(true);
    assert_true(!early.pushed && early.written == 0 && !early.error[0]);
    now_ms += 30000;
    assert_true(deliver(true).error[0]);
    assert_int_equal(number("SELECT due FROM outbox"), now_ms + 60000);
    run_sql("UPDATE outbox SET attempts = 40, due = 0");
    assert_true(deliver(true).error[0]);
    assert_int_equal(number("SELECT due FROM outbox"), now_ms + 3600000);
    assert_int_equal(rename(aside, f->remote_path), 0);
    event("two"); /* what is new takes along what waits */
    struct sty_delivery both = deliver(true);
    assert_true(both.pushed && both.written == 2);
    assert_int_equal(lines_at(f->remote_path), 2);
    assert_int_equal(lines_at(f->mirror_path), 2);
}

/* An older text that waits is not written over the newer one. */
static void test_texts_in_order(void **state)
{
    (void)state;
    sty_auto_free char *aside = sty_sprintf("%s.aside", f->remote_path);
    sty_auto(str) text = STY_STR_INIT;
    json_auto_t *first = report(NULL);
    assert_int_equal(rename(f->remote_path, aside), 0);
    assert_true(deliver(true).error[0]);
    assert_int_equal(rename(aside, f->remote_path), 0);
    run_sql("UPDATE commits SET state = 'failed'");
    json_auto_t *second = report(NULL);
    assert_true(deliver(true).pushed);
    now_ms += 86400000;
    assert_true(deliver(true).pushed);
    ok(sty_notes_read(&text, NULL, f->mirror, "edge-1", tip, &err));
    assert_string_equal(text.data, sty_json_text(second, "text", ""));
}

static void test_push_when_wanted(void **state)
{
    (void)state;
    event("one");
    struct sty_delivery local = deliver(false);
    assert_true(!local.pushed && local.written == 1 && !local.error[0]);
    assert_int_equal(lines_at(f->mirror_path), 1);
    assert_int_equal(lines_at(f->remote_path), 0);
    assert_int_equal(number("SELECT count(*) FROM outbox WHERE delivered_at IS NULL"), 0);
    assert_true(deliver(true).pushed);
    assert_int_equal(lines_at(f->remote_path), 1);
}

/* ---- the chain under our name ---- */

static int verify(char last[STY_DIGEST_SIZE])
{
    return sty_report_verify(last, ledger, f->mirror, "edge-1", &err);
}

/* The ledger is lost and begun anew; the old one's records are in the mirror. */
static void lose_ledger(const char *fresh)
{
    sty_ledger_close(ledger);
    open_ledger(fresh);
}

static void test_verify(void **state)
{
    char last[STY_DIGEST_SIZE], found[STY_DIGEST_SIZE];
    (void)state;
    ok(verify(last));
    assert_string_equal(last, "");
    for (int i = 0; i < 3; i++)
        event("ours");
    ok(verify(last));
    deliver(true);
    ok(verify(last));
    assert_int_equal(number("SELECT count(*) FROM records"), 3);
    lose_ledger("second");
    assert_int_equal(verify(found), -1);
    assert_int_equal(err.code, STY_NOT_FOUND);
    assert_string_equal(found, last);
    /* Another installation that has begun already: two of one name. */
    event("theirs");
    assert_int_equal(verify(found), -1);
    assert_int_equal(err.code, STY_CONFLICT);
}

static void test_fresh(void **state)
{
    char last[STY_DIGEST_SIZE];
    (void)state;
    for (int i = 0; i < 3; i++)
        event("first");
    deliver(true);
    for (const char *const *name = (const char *const[]){"second", "third", NULL}; *name; name++) {
        lose_ledger(*name);
        assert_int_equal(verify(last), -1);
        assert_int_equal(err.code, STY_NOT_FOUND);
        ok(sty_ledger_meta_set(ledger, "records_after", last, &err));
        ok(verify(last));
        event(*name);
        deliver(true);
        ok(verify(last));
        json_auto_t *problems = NULL;
        ok(sty_ledger_check(&problems, ledger, &err));
        assert_int_equal(json_array_size(problems), 0);
    }
    assert_int_equal(lines_at(f->remote_path), 5);
}

/* Fewer than ours, so that the newest one by number is ours: still somebody else's. */
static void test_foreign_among_ours(void **state)
{
    char last[STY_DIGEST_SIZE];
    (void)state;
    event("theirs");
    deliver(true);
    lose_ledger("ours");
    for (int i = 0; i < 3; i++)
        event("ours");
    deliver(true);
    assert_int_equal(verify(last), -1);
    assert_int_equal(err.code, STY_CONFLICT);
}

static void test_ledger_put_back(void **state)
{
    char last[STY_DIGEST_SIZE];
    (void)state;
    event("one");
    event("two");
    deliver(true);
    run_sql("DELETE FROM records WHERE seq = 2");
    assert_int_equal(verify(last), -1);
    assert_int_equal(err.code, STY_CONFLICT);
    assert_non_null(strstr(err.text, "copy"));
}

static void test_parse(void **state)
{
    static const char one[] = "{\"installation\":\"i\",\"previous\":\"p\",\"sequence\":1}";
    static const char *const bad[] = {"{}", "[]", "x", "{\"installation\":\"i\",\"previous\":\"p\",\"sequence\": 1}",
                                      "{\"sequence\":1,\"previous\":\"p\",\"installation\":\"i\"}"};
    char digest[STY_DIGEST_SIZE];
    (void)state;
    sty_digest(digest, one, strlen(one));
    for (int i = 0; i < 2; i++) {
        json_auto_t *records = NULL;
        sty_auto_free char *text = sty_sprintf("%s\n\n{\"installation\":\"i\",\"previous\":\"%s\",\"sequence\":2}\n",
                                               one, i ? "sha256:other" : digest);
        int result = sty_records_parse(&records, text, strlen(text), &err);
        assert_int_equal(result, i ? -1 : 0);
        assert_int_equal(json_array_size(records), i ? 0 : 2);
    }
    assert_int_equal(err.code, STY_CORRUPT);
    for (size_t i = 0; i < STY_COUNT(bad); i++) {
        json_t *records = NULL;
        assert_int_equal(sty_records_parse(&records, bad[i], strlen(bad[i]), &err), -1);
        assert_int_equal(err.code, STY_CORRUPT);
    }
}

int main(void)
{
#define with_remote(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        with_remote(test_text),
        with_remote(test_what_counts),
        with_remote(test_suspects),
        with_remote(test_record),
        with_remote(test_record_of_a_suspended_one),
        with_remote(test_event),
        with_remote(test_delivery),
        with_remote(test_many),
        with_remote(test_remote_away),
        with_remote(test_texts_in_order),
        with_remote(test_push_when_wanted),
        with_remote(test_verify),
        with_remote(test_fresh),
        with_remote(test_foreign_among_ours),
        with_remote(test_ledger_put_back),
        cmocka_unit_test(test_parse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
