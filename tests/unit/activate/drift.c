/* SPDX-License-Identifier: Apache-2.0 */
/* Drift over real files and a launcher that only remembers: what is found, what may be healed, what is written. */
#include "instances.h"

#include <sys/stat.h>
#include <unistd.h>

#include "../ledger/ledger_fixture.h"
#include "activate/activate.h"
#include "base/digest.h"

static struct sty_ledger *ledger;
static char files[128], private[128];
static const char *allow[] = {files, NULL};
static int64_t now_ms;
static enum sty_launch_state process;

static int64_t fake_now(void *self)
{
    (void)self;
    return now_ms;
}

static int no_bytes(void *self, char **bytes, size_t *length, const char *digest, struct sty_error *e)
{
    (void)self;
    (void)bytes;
    (void)length;
    return sty_error_set(e, STY_INTERNAL, "content of %s was read", digest);
}

static int secret(void *self, char **bytes, size_t *length, const json_t *reference, struct sty_error *e)
{
    (void)self;
    (void)bytes;
    (void)length;
    return sty_error_set(e, STY_DENIED, "%s is not allowed", sty_json_text(reference, "from_env", "?"));
}

static int status(void *self, struct sty_launch_status *out, const char *token, struct sty_error *e)
{
    (void)self;
    (void)token;
    (void)e;
    *out = (struct sty_launch_status){.state = process, .exit_status = 3};
    return 0;
}

static const struct sty_launch launch = {.status = status};
static struct sty_host host = {.allow = allow, .blob = no_bytes, .secret = secret, .launch = &launch};

static int begin(void **state)
{
    if (setup(state) < 0)
        return -1;
    ledger = *state;
    now_ms = 100000000;
    process = STY_LAUNCH_RUNNING;
    sty_ledger_set_clock(ledger, fake_now, NULL);
    snprintf(files, sizeof(files), "%s/files", folder);
    snprintf(private, sizeof(private), "%s/private", folder);
    host.state_dir = private;
    return mkdir(files, 0755) < 0 || mkdir(private, 0700) < 0 ? -1 : 0;
}

static void put(const char *name, const char *text)
{
    sty_auto_free char *path = sty_sprintf("%s/%s", files, name);
    ok(sty_file_replace(path, text, strlen(text), 0644, &err));
}

static void drop(const char *name)
{
    sty_auto_free char *path = sty_sprintf("%s/%s", files, name);
    unlink(path);
}

static json_t *file_resource(const char *name, const char *text)
{
    char digest[STY_DIGEST_SIZE];
    sty_digest(digest, text, strlen(text));
    sty_auto_free char *path = sty_sprintf("%s/%s", files, name);
    return json_pack("{s:s, s:s, s:n, s:n, s:{s:s, s:i, s:[]}, s:n}", "path", path, "mode", "0644", "owner", "group",
                     "content", "digest", digest, "size", (int)strlen(text), "holes", "validate");
}

static void add_file(json_t *resources, const char *name, const char *text)
{
    sty_auto_free char *id = sty_sprintf("file:%s/%s", files, name);
    json_object_set_new(resources, id, file_resource(name, text));
}

/* Target of `resources` (stolen) in one component `web` with this drift policy, active. Its id. */
static int64_t activate(const char *cluster, const char *name, const char *drift, json_t *resources)
{
    int64_t id = 0;
    json_auto_t *body = json_pack("{s:o, s:o}", "resources", resources, "drift", relaxed_json(drift));
    json_auto_t *whole = json_pack("{s:{s:O}}", "components", "web", body);
    sty_auto_free char *text = json_dumps(whole, 0);
    sty_auto_ptr(instance) instance = instance_of(name, text);
    sty_auto_free char *bytes = sty_json_canonical_text(sty_instance_json(instance));
    const char *digest = sty_instance_digest(instance);
    ok(sty_ledger_instance_put(ledger, digest, bytes, strlen(bytes), &err));
    ok(sty_ledger_exec(
        ledger, &err,
        "INSERT INTO targets (cluster, environment, deployment, wanted, desired) VALUES (?, 'e', ?, 1, ?)", "sss",
        cluster, name, digest));
    ok(sty_ledger_number(&id, ledger, &err, "SELECT max(id) FROM targets", ""));
    ok(sty_ledger_exec(
        ledger, &err,
        "INSERT INTO active (target, instance, commit_oid, since, remediation) VALUES (?, ?, 'c', 0, 'r')", "is", id,
        digest));
    return id;
}

static int64_t activate_file(const char *cluster, const char *name, const char *drift)
{
    json_t *resources = json_object();
    add_file(resources, name, "good\n");
    put(name, "good\n");
    return activate(cluster, name, drift, resources);
}

#define HEAL "{'policy': 'heal', 'ignore_fields': []}"

static json_t *look_with(const int64_t *targets, size_t count, bool record)
{
    json_t *out = NULL;
    struct sty_drift_options options = {
        .host = &host, .targets = targets, .target_count = count, .flap_limit = 2, .record = record};
    ok(sty_drift_look(&out, ledger, &options, &err));
    assert_string_equal(sty_json_text(out, "kind", ""), "Drift");
    return out;
}

/* "NAME STATE [RESOURCE-STATE heal|no ...]; ..." of everything. */
static void expect_look(bool record, const char *wanted)
{
    json_auto_t *out = look_with(NULL, 0, record);
    sty_auto(str) text = STY_STR_INIT;
    size_t i, j;
    json_t *target, *found;
    json_array_foreach (json_object_get(out, "deployments"), i, target) {
        sty_str_appendf(&text, "%s%s %s", i ? "; " : "", sty_json_text(target, "target", ""),
                        sty_json_text(target, "state", ""));
        json_array_foreach (json_object_get(target, "resources"), j, found)
            sty_str_appendf(&text, " %s:%s", sty_json_text(found, "state", ""),
                            sty_json_bool(found, "heal", false)       ? "heal"
                            : sty_json_bool(found, "flapping", false) ? "flapping"
                                                                      : "no");
    }
    assert_string_equal(text.data, wanted);
}

static int64_t number(const char *sql)
{
    int64_t out = -1;
    ok(sty_ledger_number(&out, ledger, &err, sql, ""));
    return out;
}

static void run_sql(const char *sql)
{
    ok(sty_ledger_exec(ledger, &err, sql, ""));
}

static void test_found_and_closed(void **state)
{
    (void)state;
    activate_file("c", "a", HEAL);
    expect_look(true, "c/e/a in_sync");
    assert_int_equal(number("SELECT count(*) FROM events"), 0);
    put("a", "bad\n");
    expect_look(false, "c/e/a drifted drifted:heal");
    assert_int_equal(number("SELECT count(*) FROM drift"), 0);
    expect_look(true, "c/e/a drifted drifted:heal");
    assert_int_equal(number("SELECT count(*) FROM drift WHERE state = 'drifted' AND found_at = 100000000"), 1);
    assert_int_equal(number("SELECT count(*) FROM events WHERE kind = 'drift.found' AND target = 'c/e/a'"), 1);
    /* The same again writes nothing. */
    now_ms += 60000;
    expect_look(true, "c/e/a drifted drifted:heal");
    assert_int_equal(number("SELECT count(*) FROM events"), 1);
    assert_int_equal(number("SELECT found_at FROM drift"), 100000000);
    drop("a");
    expect_look(true, "c/e/a drifted missing:heal");
    assert_int_equal(number("SELECT count(*) FROM events"), 2);
    put("a", "good\n");
    expect_look(true, "c/e/a in_sync");
    assert_int_equal(number("SELECT count(*) FROM drift"), 0);
    assert_int_equal(number("SELECT count(*) FROM events WHERE kind = 'drift.closed'"), 1);
    expect_look(true, "c/e/a in_sync");
    assert_int_equal(number("SELECT count(*) FROM events"), 3);
}

static void test_policies(void **state)
{
    (void)state;
    activate_file("c", "a", "{'policy': 'report', 'ignore_fields': []}");
    activate_file("c", "b", "{'policy': 'ignore', 'ignore_fields': []}");
    activate_file("c", "d", "{'policy': 'heal', 'ignore_fields': ['/mode']}");
    activate_file("c", "f", "{'policy': 'heal', 'ignore_fields': ['/content', '/mo']}");
    put("a", "bad\n");
    put("b", "bad\n");
    for (const char *const *name = (const char *const[]){"d", "f", NULL}; *name; name++) {
        sty_auto_free char *path = sty_sprintf("%s/%s", files, *name);
        assert_int_equal(chmod(path, 0600), 0);
    }
    /* A field is ignored as a whole, not by how its name begins. */
    expect_look(true, "c/e/a drifted drifted:no; c/e/b in_sync; c/e/d in_sync; c/e/f drifted drifted:heal");
    put("d", "bad\n");
    json_auto_t *out = look_with(NULL, 0, false);
    const json_t *found =
        json_array_get(json_object_get(json_array_get(json_object_get(out, "deployments"), 2), "resources"), 0);
    assert_int_equal(json_array_size(json_object_get(found, "diff")), 1);
    assert_string_equal(sty_json_text(json_array_get(json_object_get(found, "diff"), 0), "path", ""), "/content");
    assert_string_equal(sty_json_text(found, "component", ""), "web");
    assert_string_equal(sty_json_text(found, "policy", ""), "heal");
}

static void test_flapping(void **state)
{
    (void)state;
    int64_t id = activate_file("c", "a", HEAL);
    sty_auto_free char *name = sty_sprintf("file:%s/a", files);
    put("a", "bad\n");
    expect_look(true, "c/e/a drifted drifted:heal");
    for (int64_t i = 0; i < 2; i++)
        ok(sty_ledger_exec(ledger, &err, "INSERT INTO heals VALUES (?, ?, ?)", "isi", id, name, now_ms + i));
    now_ms += 60000;
    expect_look(true, "c/e/a drifted drifted:flapping");
    assert_int_equal(number("SELECT flapping FROM drift"), 1);
    assert_int_equal(number("SELECT count(*) FROM events"), 2);
    now_ms += 3600000 - 60000; /* the first of the two is out of the hour */
    expect_look(true, "c/e/a drifted drifted:heal");
}

static void test_unknown(void **state)
{
    (void)state;
    json_t *resources = json_object();
    json_object_set_new(
        resources, "file:/elsewhere/x",
        relaxed_json("{'path': '/elsewhere/x', 'mode': '0644', 'content': {'digest': 'sha256:x', 'size':"
                     " 1, 'holes': []}}"));
    activate("c", "a", HEAL, resources);
    expect_look(true, "c/e/a unknown unknown:no");
    json_auto_t *out = look_with(NULL, 0, false);
    const json_t *found =
        json_array_get(json_object_get(json_array_get(json_object_get(out, "deployments"), 0), "resources"), 0);
    assert_non_null(strstr(sty_json_text(found, "message", ""), "host.allow"));
    assert_int_equal(number("SELECT count(*) FROM drift WHERE state = 'unknown'"), 1);
}

/* Looked at and recorded, not healed. */
static void test_not_free(void **state)
{
    static const char *const hindrances[] = {
        "UPDATE targets SET tainted = 1",
        "UPDATE targets SET suspended_until = 100000001",
        "UPDATE targets SET policy = '{\"suspend\":{\"file\":\"x.yaml\",\"line\":3},\"observe\":false}'",
        "UPDATE targets SET policy = '{\"suspend\":true}'",
        "UPDATE targets SET policy = '{\"suspend\":null,\"observe\":true}'",
        "UPDATE targets SET blocked = '{\"reason\":\"claim\",\"message\":\"\"}'",
    };
    (void)state;
    activate_file("c", "a", HEAL);
    put("a", "bad\n");
    for (size_t i = 0; i < STY_COUNT(hindrances); i++) {
        run_sql(hindrances[i]);
        expect_look(true, "c/e/a drifted drifted:no");
        run_sql("UPDATE targets SET tainted = 0, suspended_until = NULL, policy = '{}', blocked = NULL");
        expect_look(true, "c/e/a drifted drifted:heal");
    }
    assert_int_equal(number("SELECT count(*) FROM drift"), 1);
    /* What is over or of no matter hinders nothing. */
    run_sql("UPDATE targets SET suspended_until = 100000000, policy = '{\"suspend\":null,\"observe\":false}',"
            " blocked = '{\"reason\":\"guard\"}'");
    expect_look(true, "c/e/a drifted drifted:heal");
}

static void test_busy(void **state)
{
    (void)state;
    activate_file("c", "a", HEAL);
    put("a", "bad\n");
    run_sql("INSERT INTO remediations (id, seq, target, cluster, environment, deployment, kind, digest, document,"
            " commit_oid, state, created_at) SELECT 'r', 1, id, 'c', 'e', 'a', 'update', 'd', '{}', 'c', 'waiting', 1"
            " FROM targets");
    expect_look(true, "c/e/a drifted drifted:no");
    assert_int_equal(number("SELECT count(*) FROM drift"), 0);
    run_sql("UPDATE remediations SET state = 'failed'");
    expect_look(true, "c/e/a drifted drifted:heal");
    assert_int_equal(number("SELECT count(*) FROM drift"), 1);
}

static void test_processes(void **state)
{
    (void)state;
    activate(
        "c", "a", HEAL,
        relaxed_json("{'process:c/e/a/web': {'command': ['/bin/x'], 'env': {}, 'user': null, 'directory': null}}"));
    process = STY_LAUNCH_ENDED;
    expect_look(true, "c/e/a drifted missing:heal");
    run_sql("INSERT INTO run_states SELECT id, 'web', 0 FROM targets");
    expect_look(true, "c/e/a in_sync");
    process = STY_LAUNCH_RUNNING; /* what is stopped runs */
    expect_look(true, "c/e/a drifted drifted:heal");
}

static void test_chosen_targets(void **state)
{
    (void)state;
    activate_file("c", "a", HEAL);
    int64_t chosen[] = {activate_file("c", "b", HEAL), 4711};
    activate_file("d", "a", HEAL);
    json_auto_t *out = look_with(chosen, 2, false);
    assert_int_equal(json_array_size(json_object_get(out, "deployments")), 1);
    assert_string_equal(sty_json_text(json_array_get(json_object_get(out, "deployments"), 0), "name", ""), "b");
    json_auto_t *none = look_with(chosen, 0, false);
    assert_int_equal(json_array_size(json_object_get(none, "deployments")), 0);
}

/* Each cluster has a key of its own; an unreadable secret is unknown, and only said so. */
static void test_keys_of_clusters(void **state)
{
    (void)state;
    const char *spec = "{'process:x': {'command': ['/bin/x'], 'env': {'A': {'text': '', 'holes': [{'n': 1, 'offset': 0,"
                       " 'escape': 'none', 'reference': {'from_env': 'A'}}]}}}}";
    activate("c", "a", HEAL, relaxed_json(spec));
    activate("d", "a", HEAL, relaxed_json(spec));
    expect_look(false, "c/e/a unknown unknown:no; d/e/a unknown unknown:no");
    assert_int_equal(number("SELECT count(DISTINCT value) FROM meta WHERE key IN ('digest_key:c', 'digest_key:d')"), 2);
}

int main(void)
{
#define with_ledger(name) cmocka_unit_test_setup_teardown(name, begin, teardown)
    const struct CMUnitTest tests[] = {
        with_ledger(test_found_and_closed), with_ledger(test_policies),       with_ledger(test_flapping),
        with_ledger(test_unknown),          with_ledger(test_not_free),       with_ledger(test_busy),
        with_ledger(test_processes),        with_ledger(test_chosen_targets), with_ledger(test_keys_of_clusters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
