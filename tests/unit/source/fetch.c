/* SPDX-License-Identifier: Apache-2.0 */
#include "git_fixture.h"
#include <fcntl.h>
#include <sys/stat.h>

static git_oid step(struct git_fixture *fixture, const git_oid *parent, const char *text)
{
    const struct git_fixture_file files[] = {{"deployments/file", text, 0}, {0}};
    return git_fixture_commit(fixture, parent, files, text);
}

static bool mirror_has(const struct git_fixture *fixture, const char *path)
{
    sty_auto_free char *full = sty_sprintf("%s/%s", fixture->mirror_path, path);
    return access(full, F_OK) == 0;
}

static void mirror_put(struct git_fixture *fixture, const char *path)
{
    sty_auto_free char *full = sty_sprintf("%s/%s", fixture->mirror_path, path);
    must(fixture, sty_file_replace(full, "left over", 9, 0644, &fixture->err));
}

static void test_clone_and_fetch(void **state)
{
    struct git_fixture *fixture = *state;
    char tip[STY_OID_SIZE];
    git_oid a = step(fixture, NULL, "a");
    git_fixture_ref(fixture->remote, "refs/heads/other", &a);
    git_fixture_ref(fixture->remote, "refs/tags/v1", &a);
    git_fixture_open(fixture);
    must_fail(fixture, STY_NOT_FOUND, sty_repo_tip(tip, fixture->mirror, "main", &fixture->err));
    struct sty_fetch_result result = git_fixture_fetch(fixture, NULL);
    assert_true(result.changed);
    assert_false(result.notes_changed);
    assert_string_equal(result.tip, hex(&a));
    must(fixture, sty_repo_tip(tip, fixture->mirror, "main", &fixture->err));
    assert_string_equal(tip, hex(&a));
    assert_false(mirror_has(fixture, "refs/heads/other"));
    assert_false(mirror_has(fixture, "refs/tags/v1"));
    assert_false(mirror_has(fixture, "FETCH_HEAD"));
    result = git_fixture_fetch(fixture, hex(&a));
    assert_false(result.changed);

    git_oid b = step(fixture, &a, "b"), c = step(fixture, &b, "c");
    result = git_fixture_fetch(fixture, hex(&a));
    assert_true(result.changed);
    assert_string_equal(result.tip, hex(&c));
    struct sty_commit *commits = NULL;
    size_t count = 0;
    struct sty_commit_range range = {hex(&a), result.tip, 10};
    must(fixture, sty_repo_commits_between(&commits, &count, fixture->arena, fixture->mirror, &range, &fixture->err));
    assert_int_equal(count, 2);
}

static void test_rewind(void **state)
{
    struct git_fixture *fixture = *state;
    char tip[STY_OID_SIZE];
    git_oid a = step(fixture, NULL, "a"), b = step(fixture, &a, "b");
    git_fixture_fetch(fixture, NULL);
    git_oid other = step(fixture, &a, "other");
    struct sty_fetch_result untouched = {.tip = "untouched"};
    const git_oid *const rewritten[] = {&other, &a};
    for (size_t i = 0; i < STY_COUNT(rewritten); i++) {
        git_fixture_ref(fixture->remote, "refs/heads/main", rewritten[i]);
        for (int again = 0; again < 2; again++) {
            must_fail(fixture, STY_REWOUND,
                      sty_repo_fetch(&untouched, fixture->mirror, &fixture->config, hex(&b), &fixture->err));
            assert_non_null(strstr(fixture->err.text, hex(&b)));
            assert_non_null(strstr(fixture->err.text, hex(rewritten[i])));
            must(fixture, sty_repo_tip(tip, fixture->mirror, "main", &fixture->err));
            assert_string_equal(tip, hex(&b));
        }
    }
    assert_string_equal(untouched.tip, "untouched");
    fixture->config.accept_rewind = true;
    assert_true(git_fixture_fetch(fixture, hex(&b)).changed);
    must(fixture, sty_repo_tip(tip, fixture->mirror, "main", &fixture->err));
    assert_string_equal(tip, hex(&a));
}

/* The state directory was lost, what was accepted is known from elsewhere, and the branch was rewritten meanwhile. */
static void test_rewind_in_a_fresh_mirror(void **state)
{
    struct git_fixture *fixture = *state;
    char tip[STY_OID_SIZE];
    git_oid a = step(fixture, NULL, "a"), b = step(fixture, &a, "b");
    struct sty_fetch_result result;
    git_fixture_open(fixture);
    git_fixture_ref(fixture->remote, "refs/heads/main", &a);
    must_fail(fixture, STY_REWOUND, sty_repo_fetch(&result, fixture->mirror, &fixture->config, hex(&b), &fixture->err));
    must_fail(fixture, STY_NOT_FOUND, sty_repo_tip(tip, fixture->mirror, "main", &fixture->err));
    git_fixture_ref(fixture->remote, "refs/heads/main", &b);
    assert_true(git_fixture_fetch(fixture, hex(&a)).changed);
}

static void test_refusals(void **state)
{
    struct git_fixture *fixture = *state;
    struct sty_fetch_result result;
    char tip[STY_OID_SIZE];
    const struct {
        const char *url, *branch, *name;
        enum sty_code code;
    } rows[] = {
        {fixture->remote_path, "main", "edge-1", STY_NOT_FOUND}, /* nothing was pushed yet */
        {"/nowhere/at/all.git", "main", "edge-1", STY_NOT_FOUND},
        {"relative.git", "main", "edge-1", STY_USAGE},
        {fixture->remote_path, NULL, "edge-1", STY_USAGE},
        {fixture->remote_path, "a..b", "edge-1", STY_USAGE},
        {fixture->remote_path, "main", "Edge/1", STY_USAGE},
        {"git@host:repo", "main", "edge-1", STY_USAGE}, /* no known_hosts */
    };
    git_fixture_open(fixture);
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        struct sty_source_config config = {.url = rows[i].url, .branch = rows[i].branch, .name = rows[i].name};
        must_fail(fixture, rows[i].code, sty_repo_fetch(&result, fixture->mirror, &config, NULL, &fixture->err));
    }
    git_oid a = step(fixture, NULL, "a");
    must(fixture, sty_repo_probe(tip, fixture->mirror, &fixture->config, &fixture->err));
    assert_string_equal(tip, hex(&a));
    fixture->config.branch = "nope";
    must_fail(fixture, STY_NOT_FOUND, sty_repo_probe(tip, fixture->mirror, &fixture->config, &fixture->err));
    assert_non_null(strstr(fixture->err.text, "it has: main"));
    fixture->config.branch = "main";
    must_fail(fixture, STY_INVALID,
              sty_repo_fetch(&result, fixture->mirror, &fixture->config, "not an id", &fixture->err));
}

static void test_a_branch_that_is_no_commit(void **state)
{
    struct git_fixture *fixture = *state;
    struct sty_fetch_result result;
    git_oid blob = git_fixture_blob(fixture->remote, "x");
    sty_auto_free char *ref = sty_sprintf("%s/refs/heads/main", fixture->remote_path);
    sty_auto_free char *line = sty_sprintf("%s\n", hex(&blob));
    must(fixture, sty_file_replace(ref, line, strlen(line), 0644, &fixture->err));
    git_fixture_open(fixture);
    assert_int_equal(sty_repo_fetch(&result, fixture->mirror, &fixture->config, NULL, &fixture->err), -1);
}

static void test_leftovers_of_a_kill(void **state)
{
    struct git_fixture *fixture = *state;
    git_oid a = step(fixture, NULL, "a");
    git_fixture_fetch(fixture, NULL);
    sty_repo_free(sty_take(fixture->mirror));
    mirror_put(fixture, "refs/heads/main.lock");
    mirror_put(fixture, "refs/styrmin/incoming/main.lock");
    mirror_put(fixture, "packed-refs.lock");
    mirror_put(fixture, "objects/pack/pack_git2_a1b2c3");
    git_oid b = step(fixture, &a, "b");
    assert_string_equal(git_fixture_fetch(fixture, hex(&a)).tip, hex(&b));
    assert_false(mirror_has(fixture, "refs/heads/main.lock"));
    assert_false(mirror_has(fixture, "objects/pack/pack_git2_a1b2c3"));
}

static void test_open(void **state)
{
    struct git_fixture *fixture = *state;
    struct sty_fetch_result result;
    must_fail(fixture, STY_NOT_FOUND, sty_repo_open(&fixture->mirror, fixture->mirror_path, true, &fixture->err));
    assert_null(fixture->mirror);
    /* Half made: a folder without content, and one whose HEAD was never written. */
    assert_int_equal(mkdir(fixture->mirror_path, 0755), 0);
    git_fixture_open(fixture);
    sty_repo_free(sty_take(fixture->mirror));
    sty_auto_free char *head = sty_sprintf("%s/HEAD", fixture->mirror_path);
    assert_int_equal(unlink(head), 0);
    git_fixture_open(fixture);
    assert_int_equal(access(head, F_OK), 0);
    step(fixture, NULL, "a");
    git_fixture_fetch(fixture, NULL);
    sty_repo_free(sty_take(fixture->mirror));
    /* With something in it, it is not thrown away. */
    assert_int_equal(unlink(head), 0);
    must_fail(fixture, STY_CORRUPT, sty_repo_open(&fixture->mirror, fixture->mirror_path, false, &fixture->err));
    must_fail(fixture, STY_NOT_FOUND, sty_repo_open(&fixture->mirror, fixture->mirror_path, true, &fixture->err));
    must(fixture, sty_file_replace(head, "ref: refs/heads/master\n", 23, 0644, &fixture->err));
    must(fixture, sty_repo_open(&fixture->mirror, fixture->mirror_path, true, &fixture->err));
    must_fail(fixture, STY_INTERNAL, sty_repo_fetch(&result, fixture->mirror, &fixture->config, NULL, &fixture->err));
}

static void test_open_existing(void **state)
{
    struct git_fixture *fixture = *state;
    sty_auto_free char *work = sty_sprintf("%s/work", fixture->root);
    sty_auto_free char *inner = sty_sprintf("%s/work/platform/eu", fixture->root);
    git_repository *git = NULL;
    const char *prefix = NULL;
    git_ok(git_repository_init(&git, work, 0));
    git_repository_free(git);
    must(fixture, sty_directory_make(inner, 0755, &fixture->err));
    const struct {
        const char *directory, *prefix;
    } rows[] = {{work, ""}, {inner, "platform/eu"}, {fixture->remote_path, ""}};
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        must(fixture,
             sty_repo_open_existing(&fixture->mirror, &prefix, fixture->arena, rows[i].directory, &fixture->err));
        assert_string_equal(prefix, rows[i].prefix);
        sty_repo_free(sty_take(fixture->mirror));
    }
    must_fail(fixture, STY_NOT_FOUND,
              sty_repo_open_existing(&fixture->mirror, &prefix, fixture->arena, "/nowhere", &fixture->err));
}

#ifdef STYRMIN_FAILPOINTS
static void test_full_disk(void **state)
{
    struct git_fixture *fixture = *state;
    struct sty_fetch_result result;
    char tip[STY_OID_SIZE];
    step(fixture, NULL, "a");
    git_fixture_open(fixture);
    setenv("STYRMIN_FAILPOINT", "mirror.write:1:ENOSPC", 1);
    must_fail(fixture, STY_IO, sty_repo_fetch(&result, fixture->mirror, &fixture->config, NULL, &fixture->err));
    unsetenv("STYRMIN_FAILPOINT");
    assert_non_null(strstr(fixture->err.text, "No space left"));
    must_fail(fixture, STY_NOT_FOUND, sty_repo_tip(tip, fixture->mirror, "main", &fixture->err));
    git_fixture_fetch(fixture, NULL);
}
#endif

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, git_fixture_setup, git_fixture_teardown)
    const struct CMUnitTest tests[] = {
#ifdef STYRMIN_FAILPOINTS
        TEST(test_full_disk), /* first: the environment is read once */
#endif
        TEST(test_clone_and_fetch),
        TEST(test_rewind),
        TEST(test_rewind_in_a_fresh_mirror),
        TEST(test_refusals),
        TEST(test_a_branch_that_is_no_commit),
        TEST(test_leftovers_of_a_kill),
        TEST(test_open),
        TEST(test_open_existing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
