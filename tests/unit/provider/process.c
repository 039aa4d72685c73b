/* SPDX-License-Identifier: Apache-2.0 */
/* process: wanted and found run state, changed specs and secrets, and what is left when it goes. */
#include <signal.h>
#include "fixture.h"

static json_t *process(void)
{
    return resource_of("process", json_pack("{s:[s,s], s:{s:s}, s:n, s:n, s:i, s:s}", "command", "/usr/bin/server",
                                            "./server.conf", "env", "TZ", "UTC", "user", "directory", "stop_timeout_ms",
                                            2000, "stop_signal", "SIGINT"));
}

static void set_secret(json_t *resource)
{
    json_t *env = json_object_get(json_object_get(resource, "spec"), "env");
    json_object_set_new(
        env, "API_KEY",
        json_loads("{\"text\":\"k=\",\"holes\":[{\"n\":0,\"offset\":2,\"reference\":{\"from_env\":\"K\"},"
                   "\"escape\":\"none\"}]}",
                   0, NULL));
}

static void test_life(void **state)
{
    struct fixture *f = *state;
    struct sty_error err;
    json_auto_t *resource = process();
    struct sty_provider_call call = call_of(f, resource);
    const struct sty_provider *provider = provider_of(&call);
    assert_int_equal(provider->check(&call, &err), 0);
    assert_observed(&call, STY_OBSERVED_MISSING, "");
    assert_applied(&call, true);
    assert_applied(&call, false);
    assert_int_equal(f->launcher.starts, 1);
    sty_auto_free char *argv = sty_sprintf("/usr/bin/server\n%s/server.conf\n", f->driver);
    assert_string_equal(f->launcher.argv, argv);
    assert_non_null(strstr(f->launcher.environment, "TZ=UTC\n"));
    assert_int_equal(provider->start(&call, &err), 0);
    assert_int_equal(f->launcher.starts, 1);
    assert_int_equal(provider->stop(&call, &err), 0);
    assert_int_equal(f->launcher.signal, SIGINT);
    assert_observed(&call, STY_OBSERVED_MISSING, "");
    assert_int_equal(provider->start(&call, &err), 0);
    assert_int_equal(f->launcher.starts, 2);
    assert_int_equal(provider->remove(&call, &err), 0);
    assert_int_equal(f->launcher.state, STY_LAUNCH_ABSENT);
    assert_int_equal(provider->remove(&call, &err), 0);
}

static void test_stopped(void **state)
{
    struct fixture *f = *state;
    struct sty_error err;
    json_auto_t *resource = process();
    struct sty_provider_call call = call_of(f, resource);
    call.running = false;
    assert_applied(&call, false);
    assert_int_equal(f->launcher.starts, 0);
    assert_int_equal(provider_of(&call)->start(&call, &err), 0);
    assert_observed(&call, STY_OBSERVED_DIFFERENT, "/running");
    assert_applied(&call, true);
    assert_int_equal(f->launcher.state, STY_LAUNCH_ENDED);
}

static void test_changed_spec(void **state)
{
    static const struct {
        const char *key, *value, *path;
    } rows[] = {{"command", "[\"/usr/bin/server\"]", "/command"},
                {"env", "{}", "/env"},
                {"user", "\"nobody\"", "/user"},
                {"directory", "\"/tmp\"", "/directory"},
                {"stop_timeout_ms", "1", ""},
                {"stop_signal", "\"SIGQUIT\"", ""}};
    struct fixture *f = *state;
    json_auto_t *resource = process();
    struct sty_provider_call call = call_of(f, resource);
    assert_applied(&call, true);
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        bool change = rows[i].path[0];
        json_object_set_new(json_object_get(resource, "spec"), rows[i].key,
                            json_loads(rows[i].value, JSON_DECODE_ANY, NULL));
        assert_observed(&call, change ? STY_OBSERVED_DIFFERENT : STY_OBSERVED_SAME, rows[i].path);
        assert_applied(&call, change);
    }
    assert_int_equal(f->launcher.starts, 5);
    assert_string_equal(f->launcher.user, "nobody");
}

static void test_rotation(void **state)
{
    struct fixture *f = *state;
    struct sty_error err;
    struct sty_applied done = {0};
    json_auto_t *resource = process();
    struct sty_provider_call call = call_of(f, resource);
    set_secret(resource);
    assert_int_equal(provider_of(&call)->apply(&done, &call, &err), 0);
    assert_true(sty_digest_valid(done.filled));
    assert_non_null(strstr(f->launcher.environment, "API_KEY=k=top secret\n"));
    assert_observed(&call, STY_OBSERVED_SAME, "");
    sty_auto_free char *record = sty_sprintf("%s/run/process-%s.json", f->state, f->launcher.token);
    sty_auto(str) text = STY_STR_INIT;
    assert_int_equal(sty_file_read(&text, record, 1 << 20, &err), 0);
    assert_null(strstr(text.data, "top secret"));
    f->secret = "top secret 2";
    assert_observed(&call, STY_OBSERVED_DIFFERENT, "/env");
    assert_applied(&call, true);
    assert_int_equal(f->launcher.starts, 2);
    f->secret = NULL;
    assert_observed(&call, STY_OBSERVED_UNKNOWN, "");
    assert_refused(&call, STY_DENIED, "API_KEY");
    assert_int_equal(f->launcher.state, STY_LAUNCH_RUNNING);
}

static void test_lost_record(void **state)
{
    struct fixture *f = *state;
    json_auto_t *resource = process();
    struct sty_provider_call call = call_of(f, resource);
    assert_applied(&call, true);
    sty_auto_free char *record = sty_sprintf("%s/run/process-%s.json", f->state, f->launcher.token);
    put_file(record, "{", 0600);
    assert_observed(&call, STY_OBSERVED_DIFFERENT, "/command");
    assert_applied(&call, true);
}

static void test_dies_at_once(void **state)
{
    struct fixture *f = *state;
    struct sty_error err = {0};
    bool healthy = true;
    json_auto_t *resource = process();
    struct sty_provider_call call = call_of(f, resource);
    f->launcher.dies = true;
    struct sty_applied done;
    assert_int_equal(provider_of(&call)->apply(&done, &call, &err), -1);
    assert_non_null(strstr(err.text, "status 7: cannot bind"));
    assert_int_equal(provider_of(&call)->health(&healthy, &call, &err), 0);
    assert_false(healthy);
    assert_non_null(strstr(err.text, "status 7"));
    set_secret(resource);
    assert_refused(&call, STY_FAILED, "status 7");
}

static void test_check(void **state)
{
    static const struct {
        const char *signal;
        int result;
    } rows[] = {{"SIGTERM", 0}, {"TERM", 0}, {"SIGNONE", -1}, {"", -1}, {"9", -1}};
    struct fixture *f = *state;
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        json_auto_t *resource = process();
        struct sty_provider_call call = call_of(f, resource);
        struct sty_error err;
        json_object_set_new(json_object_get(resource, "spec"), "stop_signal", json_string(rows[i].signal));
        assert_int_equal(provider_of(&call)->check(&call, &err), rows[i].result);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_make, fixture_remove)
    const struct CMUnitTest tests[] = {TEST(test_life),     TEST(test_stopped),     TEST(test_changed_spec),
                                       TEST(test_rotation), TEST(test_lost_record), TEST(test_dies_at_once),
                                       TEST(test_check)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
