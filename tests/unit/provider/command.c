/* SPDX-License-Identifier: Apache-2.0 */
/* command: check, apply and remove run as the driver says, and what they say reaches people but for secrets. */
#include "fixture.h"

static json_t *command(const char *check, const char *apply, const char *remove)
{
    return resource_of("command", json_pack("{s:[sss], s:[sss], s:[sss], s:i, s:{s:s}, s:n}", "check", "sh", "-c",
                                            check, "apply", "sh", "-c", apply, "remove", "sh", "-c", remove,
                                            "timeout_ms", 10000, "env", "NAME", "mark", "user"));
}

static void test_life(void **state)
{
    struct fixture *f = *state;
    struct sty_error err;
    json_auto_t *resource = command("test -e $NAME", "touch $NAME", "rm $NAME");
    struct sty_provider_call call = call_of(f, resource);
    f->launcher.real = true;
    assert_int_equal(provider_of(&call)->check(&call, &err), 0);
    assert_observed(&call, STY_OBSERVED_MISSING, "");
    assert_applied(&call, true);
    assert_applied(&call, false);
    assert_true(exists(at(f, "driver/mark")));
    assert_string_equal(f->launcher.directory, f->driver);
    assert_int_equal(provider_of(&call)->remove(&call, &err), 0);
    assert_false(exists(at(f, "driver/mark")));
    assert_int_equal(provider_of(&call)->remove(&call, &err), -1);
    json_object_set_new(json_object_get(resource, "spec"), "remove", json_array());
    assert_int_equal(provider_of(&call)->remove(&call, &err), 0);
}

static void test_failures(void **state)
{
    static const struct {
        const char *check, *apply, *words;
        enum sty_code code;
    } rows[] = {{"exit 1", "echo no such table; exit 3", "apply ended with status 3: no such table", STY_FAILED},
                {"exit 1", "printf 'a\\033[31mb'; exit 1", "a\\x1b[31mb", STY_FAILED},
                {"exit 1", "head -c 100000 /dev/zero | tr '\\0' x; echo the end; exit 1", "the end", STY_FAILED},
                {"sleep 60", "true", "check", STY_TIMEOUT}};
    struct fixture *f = *state;
    f->launcher.real = true;
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        json_auto_t *resource = command(rows[i].check, rows[i].apply, "true");
        struct sty_provider_call call = call_of(f, resource);
        if (rows[i].code == STY_TIMEOUT)
            json_object_set_new(json_object_get(resource, "spec"), "timeout_ms", json_integer(100));
        assert_refused(&call, rows[i].code, rows[i].words);
        assert_observed(&call, rows[i].code == STY_TIMEOUT ? STY_OBSERVED_UNKNOWN : STY_OBSERVED_MISSING, "");
    }
}

static void test_clean_environment(void **state)
{
    struct fixture *f = *state;
    json_auto_t *resource = command("env | sort > found; test -e done", "touch done", "true");
    struct sty_provider_call call = call_of(f, resource);
    f->launcher.real = true;
    setenv("STYRMIN_TOKEN", "ours", 1);
    assert_applied(&call, true);
    unsetenv("STYRMIN_TOKEN");
    sty_auto(str) found = STY_STR_INIT;
    struct sty_error err;
    assert_int_equal(sty_file_read(&found, at(f, "driver/found"), 65536, &err), 0);
    assert_non_null(strstr(found.data, "LANG=C.UTF-8\nNAME=mark\n"));
    assert_null(strstr(found.data, "STYRMIN_TOKEN"));
}

static void test_secret(void **state)
{
    static const char text[] = "{\"text\":\"\",\"holes\":[{\"n\":0,\"offset\":0,\"reference\":{\"from_env\":\"K\"},"
                               "\"escape\":\"none\"}]}";
    struct fixture *f = *state;
    struct sty_error err;
    struct sty_applied done = {0};
    json_auto_t *resource = command("test -e mark", "printf %s \"$KEY\" > mark", "true");
    json_t *spec = json_object_get(resource, "spec");
    struct sty_provider_call call = call_of(f, resource);
    f->launcher.real = true;
    json_object_set_new(json_object_get(spec, "env"), "KEY", json_loads(text, 0, NULL));
    assert_int_equal(provider_of(&call)->apply(&done, &call, &err), 0);
    assert_file(at(f, "driver/mark"), "top secret");
    call.filled = done.filled;
    assert_observed(&call, STY_OBSERVED_SAME, "");
    f->secret = "top secret 2";
    assert_observed(&call, STY_OBSERVED_DIFFERENT, "/env");
    json_object_set_new(spec, "apply", json_loads("[\"sh\",\"-c\",\"echo $KEY; exit 1\"]", 0, NULL));
    assert_refused(&call, STY_FAILED, "not shown");
}

static void test_user_and_survivor(void **state)
{
    struct fixture *f = *state;
    struct sty_error err;
    struct sty_applied done;
    json_auto_t *resource = command("exit 1", "true", "true");
    struct sty_provider_call call = call_of(f, resource);
    struct sty_observation seen;
    json_object_set_new(json_object_get(resource, "spec"), "user", json_string("nobody"));
    f->launcher.real = true;
    assert_int_equal(provider_of(&call)->observe(&seen, &call, &err), 0);
    assert_string_equal(f->launcher.user, "nobody");
    json_object_set_new(json_object_get(resource, "spec"), "user", json_null());
    assert_int_equal(provider_of(&call)->apply(&done, &call, &err), 0);
    /* An apply that outlived us is ended before the next one. */
    f->launcher.state = STY_LAUNCH_RUNNING;
    f->launcher.ends = 0;
    assert_int_equal(provider_of(&call)->apply(&done, &call, &err), 0);
    assert_true(f->launcher.ends >= 1);
}

static void test_cancel(void **state)
{
    struct fixture *f = *state;
    json_auto_t *resource = command("exit 1", "true", "true");
    struct sty_provider_call call = call_of(f, resource);
    assert_refused(&call, STY_TIMEOUT, "10000 ms");
    f->cancel = true;
    assert_refused(&call, STY_CANCELLED, "cancelled");
    assert_int_equal(f->launcher.state, STY_LAUNCH_ABSENT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_make, fixture_remove)
    const struct CMUnitTest tests[] = {TEST(test_life),   TEST(test_failures),          TEST(test_clean_environment),
                                       TEST(test_secret), TEST(test_user_and_survivor), TEST(test_cancel)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
