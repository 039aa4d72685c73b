/* SPDX-License-Identifier: Apache-2.0 */
/* file, directory, symlink: what is made, what is seen to drift, and what no resource may touch. */
#include "fixture.h"

static json_t *content(struct fixture *f, const char *text, const char *holes)
{
    char digest[STY_DIGEST_SIZE];
    f->blob = text;
    sty_digest(digest, text, strlen(text));
    return json_pack("{s:s, s:i, s:o}", "digest", digest, "size", (int)strlen(text), "holes",
                     json_loads(holes, 0, NULL));
}

static json_t *file(struct fixture *f, const char *path, const char *text)
{
    return resource_of("file", json_pack("{s:s, s:s, s:n, s:n, s:o, s:n}", "path", at(f, path), "mode", "0640", "owner",
                                         "group", "content", content(f, text, "[]"), "validate"));
}

static json_t *spec_of(json_t *resource)
{
    return json_object_get(resource, "spec");
}

static void remove_well(const struct sty_provider_call *call)
{
    struct sty_error err = {0};
    if (provider_of(call)->remove(call, &err) < 0)
        fail_msg("%s", err.text);
}

static void test_file_life(void **state)
{
    struct fixture *f = *state;
    json_auto_t *resource = file(f, "root/a", "one\n");
    struct sty_provider_call call = call_of(f, resource);
    const char *path = at(f, "root/a");
    assert_observed(&call, STY_OBSERVED_MISSING, "");
    assert_applied(&call, true);
    assert_applied(&call, false);
    assert_file(path, "one\n");
    put_file(path, "two\n", 0640);
    assert_observed(&call, STY_OBSERVED_DIFFERENT, "/content");
    assert_int_equal(chmod(path, 0600), 0);
    assert_observed(&call, STY_OBSERVED_DIFFERENT, "/mode /content");
    assert_applied(&call, true);
    remove_well(&call);
    assert_false(exists(path));
    remove_well(&call);
}

/* What a crash leaves between writing and renaming is gone with the next apply, and at the latest with the file. */
static void test_leftover(void **state)
{
    struct fixture *f = *state;
    char temp[STY_TEMP_SIZE];
    json_auto_t *resource = file(f, "root/a", "one\n");
    struct sty_provider_call call = call_of(f, resource);
    sty_file_temp_name(temp, "a");
    sty_auto_free char *name = sty_sprintf("root/%s", temp);
    const char *left = at(f, name);
    put_file(left, "half", 0600);
    assert_applied(&call, true);
    assert_false(exists(left));
    put_file(left, "half", 0600);
    assert_applied(&call, false);
    assert_false(exists(left));
    put_file(left, "half", 0600);
    remove_well(&call);
    assert_false(exists(left));
    put_file(left, "half", 0600);
    remove_well(&call);
    assert_false(exists(left));
}

static void test_file_owner(void **state)
{
    struct fixture *f = *state;
    json_auto_t *resource = file(f, "root/a", "one\n");
    struct sty_provider_call call = call_of(f, resource);
    json_object_set_new(spec_of(resource), "owner", json_string("no-such-user"));
    assert_refused(&call, STY_FAILED, "no-such-user");
    if (geteuid() != 0)
        return;
    json_object_set_new(spec_of(resource), "owner", json_string("nobody"));
    json_object_set_new(spec_of(resource), "group", json_string("nogroup"));
    assert_applied(&call, true);
    assert_int_equal(chown(at(f, "root/a"), 0, 0), 0);
    assert_observed(&call, STY_OBSERVED_DIFFERENT, "/owner /group");
    assert_applied(&call, true);
    /* Who is not named keeps the file. */
    json_object_set_new(spec_of(resource), "owner", json_null());
    json_object_set_new(spec_of(resource), "mode", json_string("0600"));
    assert_applied(&call, true);
    struct stat status;
    assert_int_equal(stat(at(f, "root/a"), &status), 0);
    assert_true(status.st_uid != 0);
}

static void test_refused_paths(void **state)
{
    static const struct {
        const char *path;
        enum sty_code code;
    } rows[] = {{"root/state", STY_DENIED},   {"root/state/x", STY_DENIED},     {"outside", STY_DENIED},
                {"rootless", STY_DENIED},     {"root/../outside", STY_INVALID}, {"root//x", STY_INVALID},
                {"root/alias/x", STY_DENIED}, {"root/inside/x", STY_DENIED},    {"root/up/x", STY_DENIED},
                {"root/plain/x", STY_DENIED}, {"root/none/x", STY_NOT_FOUND}};
    struct fixture *f = *state;
    assert_int_equal(mkdir(at(f, "root/real"), 0755), 0);
    assert_int_equal(symlink("state", at(f, "root/alias")), 0);
    assert_int_equal(symlink("real", at(f, "root/inside")), 0);
    assert_int_equal(symlink("../driver", at(f, "root/up")), 0);
    put_file(at(f, "root/plain"), "", 0644);
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        json_auto_t *resource = file(f, rows[i].path, "x");
        struct sty_provider_call call = call_of(f, resource);
        assert_refused(&call, rows[i].code, "");
    }
    assert_false(exists(at(f, "driver/x")));
    assert_false(exists(at(f, "root/real/x")));
    assert_false(exists(at(f, "root/state/x")));
}

static void test_check_touches_nothing(void **state)
{
    static const struct {
        const char *path;
        int result;
    } rows[] = {{"root/x", 0}, {"root/deep/x", 0}, {"root", 0}, {"outside", -1}, {"root/state", -1}};
    struct fixture *f = *state;
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        json_auto_t *resource = file(f, rows[i].path, "x");
        struct sty_provider_call call = call_of(f, resource);
        struct sty_error err;
        assert_int_equal(provider_of(&call)->check(&call, &err), rows[i].result);
    }
    assert_false(exists(at(f, "root/x")));
}

static void test_roots(void **state)
{
    struct fixture *f = *state;
    json_auto_t *resource = file(f, "root/a", "x");
    struct sty_provider_call call = call_of(f, resource);
    f->allow[0] = NULL;
    assert_refused(&call, STY_DENIED, "host.allow");
    assert_int_equal(symlink("root", at(f, "link")), 0);
    f->allow[0] = at(f, "link");
    json_object_set_new(spec_of(resource), "path", json_string(at(f, "link/a")));
    assert_refused(&call, STY_DENIED, "symlinks");
    json_object_set_new(spec_of(resource), "path", json_string(at(f, "link/state/a")));
    assert_refused(&call, STY_DENIED, "");
    f->allow[0] = "/";
    json_object_set_new(spec_of(resource), "path", json_string(at(f, "root/a")));
    assert_applied(&call, true);
}

static void test_symlink_in_place(void **state)
{
    struct fixture *f = *state;
    json_auto_t *resource = file(f, "root/a", "ours\n");
    struct sty_provider_call call = call_of(f, resource);
    put_file(at(f, "outside"), "theirs\n", 0644);
    assert_int_equal(symlink("../outside", at(f, "root/a")), 0);
    assert_observed(&call, STY_OBSERVED_DIFFERENT, "/type");
    remove_well(&call);
    assert_true(exists(at(f, "root/a")));
    assert_applied(&call, true);
    assert_file(at(f, "outside"), "theirs\n");
    assert_file(at(f, "root/a"), "ours\n");
}

static void test_holes(void **state)
{
    struct fixture *f = *state;
    struct sty_error err;
    struct sty_applied first = {0}, second = {0};
    json_auto_t *resource = file(f, "root/a", "");
    const char *holes = "[{\"n\":0,\"offset\":6,\"reference\":{\"from_env\":\"KEY\"},\"escape\":\"json\"}]";
    struct sty_provider_call call = call_of(f, resource);
    json_object_set_new(spec_of(resource), "content", content(f, "{\"k\":\"\"}\n", holes));
    f->secret = "top secret\"\n";
    assert_int_equal(provider_of(&call)->apply(&first, &call, &err), 0);
    assert_file(at(f, "root/a"), "{\"k\":\"top secret\\\"\\n\"}\n");
    assert_true(sty_digest_valid(first.filled));
    assert_applied(&call, false);
    f->secret = "top secret, rotated";
    assert_observed(&call, STY_OBSERVED_DIFFERENT, "/content");
    assert_int_equal(provider_of(&call)->apply(&second, &call, &err), 0);
    assert_string_not_equal(first.filled, second.filled);
    f->secret = NULL;
    assert_observed(&call, STY_OBSERVED_UNKNOWN, "");
    assert_refused(&call, STY_DENIED, "KEY");
    assert_file(at(f, "root/a"), "{\"k\":\"top secret, rotated\"}\n");
}

static int entries(const char *folder)
{
    sty_auto_free char *script = sty_sprintf("ls -A %s | wc -l", folder);
    const char *argv[] = {"sh", "-c", script, NULL};
    sty_auto(process_result) result = {0};
    struct sty_error err;
    const struct sty_process_spec spec = {.argv = argv, .output_limit = 100, .timeout_ms = 20000};
    assert_int_equal(sty_process_run(&result, &spec, &err), 0);
    return (int)strtol(result.output.data, NULL, 10);
}

static void test_validate(void **state)
{
    static const struct {
        const char *validate;
        bool well;
    } rows[] = {{"[\"grep\",\"-q\",\"good\"]", true},
                {"[\"grep\",\"{}\",\"-qe\",\"good\"]", true},
                {"[\"./check\"]", true},
                {"[\"grep\",\"-q\",\"better\"]", false},
                {"[\"sh\",\"-c\",\"echo line 3 is bad >&2; exit 2\"]", false},
                {"[\"/no/such/program\"]", false}};
    struct fixture *f = *state;
    put_file(at(f, "driver/check"), "#!/bin/sh\ngrep -q good \"$1\"\n", 0755);
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        json_auto_t *resource = file(f, "root/a", "good\n");
        struct sty_provider_call call = call_of(f, resource);
        json_object_set_new(spec_of(resource), "validate", json_loads(rows[i].validate, 0, NULL));
        put_file(at(f, "root/a"), "old\n", 0640);
        if (rows[i].well)
            assert_applied(&call, true);
        else
            assert_refused(&call, i == 4 ? STY_FAILED : i == 5 ? STY_NOT_FOUND : STY_FAILED, i == 4 ? "line 3" : "");
        assert_file(at(f, "root/a"), rows[i].well ? "good\n" : "old\n");
        assert_int_equal(entries(f->root), 2);
    }
}

static void test_validate_tells_no_secret(void **state)
{
    struct fixture *f = *state;
    json_auto_t *resource = file(f, "root/a", "");
    struct sty_provider_call call = call_of(f, resource);
    json_object_set_new(spec_of(resource), "content",
                        content(f, "k=\n", "[{\"n\":0,\"offset\":2,\"reference\":{},\"escape\":\"none\"}]"));
    json_object_set_new(spec_of(resource), "validate", json_loads("[\"sh\",\"-c\",\"cat $0; exit 1\"]", 0, NULL));
    assert_refused(&call, STY_FAILED, "not shown");
    assert_false(exists(at(f, "root/a")));
}

static void test_full_disk(void **state)
{
#ifdef STYRMIN_FAILPOINTS
    struct fixture *f = *state;
    json_auto_t *resource = file(f, "root/a", "new\n");
    struct sty_provider_call call = call_of(f, resource);
    assert_refused(&call, STY_IO, strerror(ENOSPC));
    assert_false(exists(at(f, "root/a")));
    assert_int_equal(entries(f->root), 1);
    assert_applied(&call, true);
#else
    (void)state;
#endif
}

static json_t *directory(struct fixture *f, const char *path)
{
    return resource_of("directory",
                       json_pack("{s:s, s:s, s:n, s:n}", "path", at(f, path), "mode", "0750", "owner", "group"));
}

static void test_directory(void **state)
{
    struct fixture *f = *state;
    json_auto_t *resource = directory(f, "root/a/b");
    struct sty_provider_call call = call_of(f, resource);
    assert_observed(&call, STY_OBSERVED_MISSING, "");
    assert_applied(&call, true);
    assert_applied(&call, false);
    assert_int_equal(chmod(at(f, "root/a/b"), 0777), 0);
    assert_observed(&call, STY_OBSERVED_DIFFERENT, "/mode");
    assert_applied(&call, true);
    put_file(at(f, "root/a/b/theirs"), "", 0644);
    remove_well(&call);
    assert_true(exists(at(f, "root/a/b/theirs")));
    assert_int_equal(unlink(at(f, "root/a/b/theirs")), 0);
    remove_well(&call);
    assert_false(exists(at(f, "root/a/b")));
    remove_well(&call);
    put_file(at(f, "root/a/b"), "", 0644);
    assert_observed(&call, STY_OBSERVED_DIFFERENT, "/type");
    assert_refused(&call, STY_FAILED, "");
}

static void test_directory_is_root(void **state)
{
    struct fixture *f = *state;
    json_auto_t *resource = directory(f, "fresh");
    struct sty_provider_call call = call_of(f, resource);
    f->allow[1] = at(f, "fresh");
    assert_observed(&call, STY_OBSERVED_MISSING, "");
    assert_applied(&call, true);
    remove_well(&call);
    assert_int_equal(symlink("driver", at(f, "fresh")), 0);
    assert_observed(&call, STY_OBSERVED_DIFFERENT, "/type");
    assert_refused(&call, STY_FAILED, "");
}

static void test_symlink(void **state)
{
    struct fixture *f = *state;
    json_auto_t *resource =
        resource_of("symlink", json_pack("{s:s, s:s}", "path", at(f, "root/current"), "target", "releases/1"));
    struct sty_provider_call call = call_of(f, resource);
    assert_observed(&call, STY_OBSERVED_MISSING, "");
    assert_applied(&call, true);
    assert_applied(&call, false);
    json_object_set_new(spec_of(resource), "target", json_string("/etc"));
    assert_observed(&call, STY_OBSERVED_DIFFERENT, "/target");
    assert_applied(&call, true);
    remove_well(&call);
    assert_false(exists(at(f, "root/current")));
    put_file(at(f, "root/current"), "", 0644);
    assert_observed(&call, STY_OBSERVED_DIFFERENT, "/type");
    remove_well(&call);
    assert_true(exists(at(f, "root/current")));
    assert_applied(&call, true);
    assert_int_equal(entries(f->root), 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_make, fixture_remove)
    /* The first write of the first test is the one that meets the full disk. */
    setenv("STYRMIN_FAILPOINT", "file.stage:1:ENOSPC", 1);
    const struct CMUnitTest tests[] = {TEST(test_full_disk),
                                       TEST(test_file_life),
                                       TEST(test_leftover),
                                       TEST(test_file_owner),
                                       TEST(test_refused_paths),
                                       TEST(test_check_touches_nothing),
                                       TEST(test_roots),
                                       TEST(test_symlink_in_place),
                                       TEST(test_holes),
                                       TEST(test_validate),
                                       TEST(test_validate_tells_no_secret),
                                       TEST(test_directory),
                                       TEST(test_directory_is_root),
                                       TEST(test_symlink)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
