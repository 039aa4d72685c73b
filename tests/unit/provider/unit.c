/* SPDX-License-Identifier: Apache-2.0 */
/* unit: names, the form of a text, and a system bus that is away or silent. With a real systemd: tests/e2e/test_unit.py. */
#include <sys/socket.h>
#include <sys/un.h>
#include "fixture.h"
#include "provider/unit_internal.h"

static void test_names(void **state)
{
    (void)state;
    static const char *const good[] = {"a.service",        "a@.service",   "a@b.service", "a-b_c:d.timer",
                                       "dev-x\\x2dy.swap", "a@b@c.socket", "x.automount"};
    static const char *const bad[] = {"",           "a",           ".service",   "@.service",        "a/b.service",
                                      "a.device",   "a b.service", "a.service/", "\xc3\xa9.service", "a.scope",
                                      "a\n.service"};
    for (size_t i = 0; i < STY_COUNT(good); i++)
        assert_true(sty_unit_name_valid(good[i]));
    for (size_t i = 0; i < STY_COUNT(bad); i++)
        assert_false(sty_unit_name_valid(bad[i]));
    char longest[257];
    memset(longest, 'a', sizeof(longest));
    memcpy(longest + 247, ".service", 9);
    assert_true(sty_unit_name_valid(longest));
    memcpy(longest + 248, ".service", 9);
    assert_false(sty_unit_name_valid(longest));
    assert_true(sty_unit_is_template("a@.service"));
    assert_false(sty_unit_is_template("a@b.service"));
    assert_false(sty_unit_is_template("a.service"));
    assert_true(sty_drop_in_name_valid("10-a.conf"));
    assert_false(sty_drop_in_name_valid(".a.conf"));
    assert_false(sty_drop_in_name_valid("a.conf.bak"));
    assert_false(sty_drop_in_name_valid("../a.conf"));
}

static void test_texts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words; /* NULL: good */
    } rows[] = {
        {"[Unit]\n# a\n; b\n\nA=b\nC =\n[X-More]\nA=\\\n  more \\\n# in between\n\\\n  last\n", NULL},
        {"\t[Service]\r\nExecStart=/bin/true\r\n", NULL},
        {"", "no section"},
        {"# only words\n", "no section"},
        {"A=b\n[Unit]\n", "line 1: a section"},
        {"[Unit]\nA\n", "line 2: wanted Name=value"},
        {"[Unit]\n=b\n", "line 2: wanted Name=value"},
        {"[Unit\n", "line 1: a section is [Name]"},
        {"[]\n", "line 1: a section is [Name]"},
        {"[Unit]\nA=b\\\nc\nsecret\n", "line 4: wanted Name=value"},
    };
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        struct sty_error err = {0};
        int result = sty_unit_text_check(rows[i].text, strlen(rows[i].text), &err);
        if ((result == 0) != !rows[i].words || (rows[i].words && !strstr(err.text, rows[i].words)))
            fail_msg("%s: %d %s", rows[i].text, result, err.text);
        assert_null(strstr(err.text, "secret"));
    }
    struct sty_error err;
    assert_int_equal(sty_unit_text_check("[A]\n\0", 5, &err), -1);
}

static json_t *unit(struct fixture *f, const char *name, const char *text)
{
    char digest[STY_DIGEST_SIZE];
    f->blob = text;
    sty_digest(digest, text, strlen(text));
    return resource_of("unit", json_pack("{s:s, s:{s:s, s:i, s:[]}, s:[], s:s, s:s, s:i}", "name", name, "content",
                                         "digest", digest, "size", (int)strlen(text), "holes", "drop_ins", "enabled",
                                         "keep", "state", "started", "timeout_ms", 1000));
}

static void assert_away(struct fixture *f, const char *words)
{
    struct sty_error err = {0};
    struct sty_observation seen;
    struct sty_applied done;
    bool healthy = true;
    json_auto_t *resource = unit(f, "a.service", "[Service]\n");
    const struct sty_provider_call call = call_of(f, resource);
    const struct sty_provider *provider = provider_of(&call);
    assert_int_equal(provider->check(&call, &err), -1);
    assert_int_equal(err.code, STY_UNREACHABLE);
    assert_non_null(strstr(err.text, words));
    assert_int_equal(provider->observe(&seen, &call, &err), 0);
    assert_int_equal(seen.state, STY_OBSERVED_UNKNOWN);
    assert_non_null(strstr(seen.message, words));
    int (*const operations[])(const struct sty_provider_call *, struct sty_error *) = {
        provider->start, provider->stop, provider->reload, provider->remove};
    for (size_t i = 0; i < STY_COUNT(operations); i++) {
        assert_int_equal(operations[i](&call, &err), -1);
        assert_int_equal(err.code, STY_UNREACHABLE);
    }
    assert_int_equal(provider->apply(&done, &call, &err), -1);
    assert_int_equal(err.code, STY_UNREACHABLE);
    assert_int_equal(provider->health(&healthy, &call, &err), -1);
    assert_false(healthy);
}

static void test_no_bus(void **state)
{
    struct fixture *f = *state;
    sty_auto_free char *address = sty_sprintf("unix:path=%s/bus", f->path);
    setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
    assert_away(f, "system bus");
}

/* It takes connections and says nothing. */
static void test_silent_bus(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path, sizeof(name.sun_path), "%s/bus", f->path);
    sty_auto_fd server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server, (const struct sockaddr *)&name, sizeof(name)), 0);
    assert_int_equal(listen(server, 16), 0);
    sty_auto_free char *address = sty_sprintf("unix:path=%s", name.sun_path);
    setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
    struct sty_error err = {0};
    sty_auto(systemd) systemd = STY_SYSTEMD_INIT;
    const struct sty_world *world = sty_world_real();
    int64_t before = world->monotonic_ms(world->self);
    assert_int_equal(sty_systemd_open(&systemd, &f->host, &err), -1);
    int64_t took = world->monotonic_ms(world->self) - before;
    assert_int_equal(err.code, STY_UNREACHABLE);
    assert_string_equal(err.text, "systemd: the system bus does not answer");
    assert_true(took >= 4000 && took < 15000);
}

static void test_check_refuses(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *name, *text, *words;
    } rows[] = {{"../a.service", "[Service]\n", "cannot be the name of a unit"},
                {"a@.service", "[Service]\n", "only its instances run"},
                {"a.service", "nothing\n", "a.service: line 1: a section"}};
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        struct sty_error err = {0};
        json_auto_t *resource = unit(f, rows[i].name, rows[i].text);
        const struct sty_provider_call call = call_of(f, resource);
        assert_int_equal(provider_of(&call)->check(&call, &err), -1);
        assert_int_equal(err.code, STY_INVALID);
        assert_non_null(strstr(err.text, rows[i].words));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_texts),
        cmocka_unit_test_setup_teardown(test_no_bus, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_silent_bus, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_check_refuses, fixture_make, fixture_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
