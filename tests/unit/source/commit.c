/* SPDX-License-Identifier: Apache-2.0 */
#include "git_fixture.h"

static git_oid step(struct git_fixture *fixture, const git_oid *parent, const char *text)
{
    const struct git_fixture_file files[] = {{"file", text, 0}, {0}};
    return git_fixture_commit(fixture, parent, files, text);
}

static void open_remote(struct git_fixture *fixture)
{
    must(fixture, sty_repo_open(&fixture->mirror, fixture->remote_path, true, &fixture->err));
}

static void test_commit(void **state)
{
    struct git_fixture *fixture = *state;
    git_oid oid = step(fixture, NULL, "Upgrade shop\n\nBody.\n\nStyrmin-Allow: delete=2\n");
    git_oid strange = step(fixture, &oid, "caf\xe9 \x80");
    struct sty_commit commit;
    open_remote(fixture);
    must(fixture, sty_repo_commit(&commit, fixture->arena, fixture->mirror, hex(&oid), &fixture->err));
    assert_string_equal(commit.oid, hex(&oid));
    assert_string_equal(commit.author, "Anna");
    assert_string_equal(commit.email, "anna@example.com");
    assert_string_equal(commit.subject, "Upgrade shop");
    assert_non_null(strstr(commit.message, "Styrmin-Allow: delete=2"));
    assert_int_equal(commit.time_ms, 1700000000000);
    must(fixture, sty_repo_commit(&commit, fixture->arena, fixture->mirror, hex(&strange), &fixture->err));
    assert_true(sty_utf8_valid(commit.message, strlen(commit.message)));
    assert_non_null(strstr(commit.message, "caf\xef\xbf\xbd"));
    must_fail(fixture, STY_INVALID, sty_repo_commit(&commit, fixture->arena, fixture->mirror, "main", &fixture->err));
}

static void between(struct git_fixture *fixture, const struct sty_commit_range *range, const char *expected)
{
    struct sty_commit *commits = NULL;
    size_t count = 0;
    sty_auto(str) subjects = STY_STR_INIT;
    must(fixture, sty_repo_commits_between(&commits, &count, fixture->arena, fixture->mirror, range, &fixture->err));
    for (size_t i = 0; i < count; i++)
        sty_str_appendf(&subjects, "%s%s", i ? " " : "", commits[i].subject);
    assert_string_equal(subjects.data, expected);
}

static void test_between(void **state)
{
    struct git_fixture *fixture = *state;
    git_oid a = step(fixture, NULL, "a"), b = step(fixture, &a, "b"), c = step(fixture, &b, "c");
    git_oid side = step(fixture, &a, "side");
    git_oid parents[] = {c, side};
    git_commit *c_commit = NULL;
    git_ok(git_commit_lookup(&c_commit, fixture->remote, &c));
    git_oid tree = *git_commit_tree_id(c_commit);
    git_commit_free(c_commit);
    git_oid merge = git_fixture_commit_tree(fixture, &tree, parents, 2, "merge");
    git_oid d = step(fixture, &merge, "d");
    open_remote(fixture);
    between(fixture, &(struct sty_commit_range){hex(&a), hex(&d), 100}, "b c merge d");
    between(fixture, &(struct sty_commit_range){hex(&c), hex(&d), 100}, "merge d");
    between(fixture, &(struct sty_commit_range){hex(&a), hex(&d), 2}, "merge d");
    between(fixture, &(struct sty_commit_range){hex(&d), hex(&d), 100}, "");
    between(fixture, &(struct sty_commit_range){NULL, hex(&d), 100}, "d");
    between(fixture, &(struct sty_commit_range){hex(&a), hex(&d), 0}, "");
    /* What was accepted came in as the second parent: what it knew already is not told again. */
    between(fixture, &(struct sty_commit_range){hex(&side), hex(&d), 100}, "b c merge d");
    /* A `from` that is not there (rewritten away): the whole line. */
    git_oid gone = {{7}};
    between(fixture, &(struct sty_commit_range){hex(&gone), hex(&c), 100}, "a b c");
}

static void test_descends(void **state)
{
    struct git_fixture *fixture = *state;
    git_oid a = step(fixture, NULL, "a"), b = step(fixture, &a, "b"), other = step(fixture, &a, "other");
    git_oid gone = {{9}};
    open_remote(fixture);
    const struct {
        const git_oid *young, *old;
        bool expected;
    } rows[] = {{&b, &a, true}, {&a, &b, false}, {&a, &a, true}, {&b, &other, false}, {&b, &gone, false}};
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        bool descends = !rows[i].expected;
        must(fixture,
             sty_repo_descends(&descends, fixture->mirror, hex(rows[i].young), hex(rows[i].old), &fixture->err));
        assert_int_equal(descends, rows[i].expected);
    }
}

static void test_last_change(void **state)
{
    struct git_fixture *fixture = *state;
    const struct git_fixture_file one[] = {{"d/a", "1", 0}, {"d/b", "1", 0}, {0}};
    const struct git_fixture_file two[] = {{"d/a", "2", 0}, {0}};
    const struct git_fixture_file three[] = {{"d/b", NULL, 0}, {0}};
    const struct git_fixture_file four[] = {{"x", "4", 0}, {0}};
    git_oid a = git_fixture_commit(fixture, NULL, one, "one");
    git_oid b = git_fixture_commit(fixture, &a, two, "two");
    git_oid c = git_fixture_commit(fixture, &b, three, "three");
    git_oid d = git_fixture_commit(fixture, &c, four, "four");
    static const struct {
        const char *path, *subject;
    } rows[] = {{"d/a", "two"}, {"d/b", "three"}, {"x", "four"}, {"d", "three"}};
    struct sty_commit commit;
    open_remote(fixture);
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        must(fixture,
             sty_repo_last_change(&commit, fixture->arena, fixture->mirror, hex(&d), rows[i].path, &fixture->err));
        assert_string_equal(commit.subject, rows[i].subject);
    }
    must(fixture, sty_repo_last_change(&commit, fixture->arena, fixture->mirror, hex(&b), "d/b", &fixture->err));
    assert_string_equal(commit.subject, "one");
    must_fail(fixture, STY_NOT_FOUND,
              sty_repo_last_change(&commit, fixture->arena, fixture->mirror, hex(&d), "never", &fixture->err));
}

static void test_last_change_is_bounded(void **state)
{
    struct git_fixture *fixture = *state;
    const struct git_fixture_file first[] = {{"old", "1", 0}, {0}};
    git_oid tip = git_fixture_commit(fixture, NULL, first, "old");
    git_commit *commit = NULL;
    git_ok(git_commit_lookup(&commit, fixture->remote, &tip));
    git_oid tree = *git_commit_tree_id(commit);
    git_commit_free(commit);
    for (int i = 0; i < 1000; i++)
        tip = git_fixture_commit_tree(fixture, &tree, &tip, 1, "same");
    struct sty_commit out;
    open_remote(fixture);
    must_fail(fixture, STY_NOT_FOUND,
              sty_repo_last_change(&out, fixture->arena, fixture->mirror, hex(&tip), "old", &fixture->err));
}

static void test_resolve(void **state)
{
    struct git_fixture *fixture = *state;
    git_oid a = step(fixture, NULL, "a"), b = step(fixture, &a, "b"), tag;
    git_signature *anna = NULL;
    git_object *target = NULL;
    git_ok(git_signature_new(&anna, "Anna", "anna@example.com", 1700000000, 0));
    git_ok(git_object_lookup(&target, fixture->remote, &a, GIT_OBJECT_COMMIT));
    git_ok(git_tag_create(&tag, fixture->remote, "v1.0", target, anna, "tagged", 0));
    git_object_free(target);
    git_signature_free(anna);
    git_fixture_ref(fixture->remote, "refs/heads/feature/x", &a);
    git_fixture_ref(fixture->remote, "refs/heads/deadbeef", &a);
    git_oid blob = git_fixture_blob(fixture->remote, "no commit");
    git_fixture_ref(fixture->remote, "refs/tags/blob", &blob);
    open_remote(fixture);
    char small[8], out[STY_OID_SIZE];
    snprintf(small, sizeof(small), "%.7s", hex(&b));
    const struct {
        const char *revision;
        const git_oid *expected;
    } rows[] = {{hex(&a), &a},         {small, &b},    {"main", &b},     {"v1.0", &a},
                {"feature/x", &a},     {"HEAD", NULL}, {"deadbeef", &a}, {"refs/heads/main", &b},
                {"refs/tags/v1.0", &a}};
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        if (!rows[i].expected)
            continue;
        must(fixture, sty_repo_resolve(out, fixture->mirror, rows[i].revision, &fixture->err));
        assert_string_equal(out, hex(rows[i].expected));
    }
    static const char *const absent[] = {"",          "nope",    "main~1",  "main^",           "HEAD@{1}", ":/a",
                                         "main:file", "^main",   "abc",     "0000000",         "a..b",     "--help",
                                         "refs/x",    "main\nx", "v1.0^{}", "0123456789abcdef"};
    for (size_t i = 0; i < STY_COUNT(absent); i++)
        must_fail(fixture, STY_NOT_FOUND, sty_repo_resolve(out, fixture->mirror, absent[i], &fixture->err));
    must_fail(fixture, STY_INVALID, sty_repo_resolve(out, fixture->mirror, "blob", &fixture->err));
    must_fail(fixture, STY_INVALID, sty_repo_resolve(out, fixture->mirror, hex(&blob), &fixture->err));
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, git_fixture_setup, git_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_commit),
        TEST(test_between),
        TEST(test_descends),
        TEST(test_last_change),
        TEST(test_last_change_is_bounded),
        TEST(test_resolve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
