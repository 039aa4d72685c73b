/* SPDX-License-Identifier: Apache-2.0 */
#include "git_fixture.h"
#include <fcntl.h>
#include <sys/stat.h>

static void put(struct git_fixture *fixture, const char *path, const char *text, mode_t mode)
{
    sty_auto_free char *full = sty_sprintf("%s/tree/%s", fixture->root, path);
    sty_auto_free char *folder = sty_strndup(full, (size_t)(strrchr(full, '/') - full));
    must(fixture, sty_directory_make(folder, 0755, &fixture->err));
    must(fixture, sty_file_replace(full, text, strlen(text), mode, &fixture->err));
}

static char *top(const struct git_fixture *fixture)
{
    return sty_sprintf("%s/tree", fixture->root);
}

static int list(void *self, const struct sty_entry *entry, struct sty_error *err)
{
    (void)err;
    sty_str_appendf(self, "%s ", entry->path);
    return 0;
}

static void test_same_ids_as_git(void **state)
{
    struct git_fixture *fixture = *state;
    const struct git_fixture_file files[] = {
        {"clusters/a.yaml", "a\r\n", 0},
        {"deployments/x/y.yaml", "y", 0},
        {"drivers/web/1/run.sh", "run", GIT_FILEMODE_BLOB_EXECUTABLE},
        {"drivers/web/1/link", "../../../../secret", GIT_FILEMODE_LINK},
        {0},
    };
    git_oid expected = git_fixture_tree(fixture->remote, NULL, files);
    char tree[STY_OID_SIZE];
    sty_auto_free char *directory = top(fixture);
    sty_auto_free char *link = sty_sprintf("%s/drivers/web/1/link", directory);
    put(fixture, "clusters/a.yaml", "a\r\n", 0644);
    put(fixture, "deployments/x/y.yaml", "y", 0600);
    put(fixture, "drivers/web/1/run.sh", "run", 0755);
    put(fixture, "README", "not a definition", 0644);
    put(fixture, "deployments/.git/config", "[core]", 0644);
    put(fixture, ".gitignore", "*", 0644);
    assert_int_equal(symlink("../../../../secret", link), 0);
    sty_auto_free char *hollow = sty_sprintf("%s/environments/hollow", directory);
    must(fixture, sty_directory_make(hollow, 0755, &fixture->err));
    must(fixture, sty_repo_open_directory(&fixture->mirror, tree, directory, &fixture->err));
    assert_string_equal(tree, hex(&expected));

    struct sty_snapshot snapshot = {.repo = fixture->mirror};
    struct sty_entry entry;
    sty_auto(str) paths = STY_STR_INIT;
    sty_auto(str) bytes = STY_STR_INIT;
    memcpy(snapshot.tree, tree, STY_OID_SIZE);
    must(fixture, sty_tree_walk(&snapshot, "", list, &paths, &fixture->err));
    assert_string_equal(paths.data, "clusters/a.yaml deployments/x/y.yaml drivers/web/1/link drivers/web/1/run.sh ");
    must(fixture, sty_tree_entry(&entry, &snapshot, "drivers/web/1/link", &fixture->err));
    assert_int_equal(entry.kind, STY_ENTRY_SYMLINK);
    must(fixture, sty_blob_read(&bytes, fixture->mirror, entry.oid, 100, &fixture->err));
    assert_string_equal(bytes.data, "../../../../secret");
}

static void test_empty_and_absent(void **state)
{
    struct git_fixture *fixture = *state;
    char tree[STY_OID_SIZE] = "untouched";
    sty_auto_free char *directory = top(fixture);
    sty_auto(str) paths = STY_STR_INIT;
    must_fail(fixture, STY_NOT_FOUND, sty_repo_open_directory(&fixture->mirror, tree, directory, &fixture->err));
    assert_string_equal(tree, "untouched");
    put(fixture, "README", "x", 0644);
    must(fixture, sty_repo_open_directory(&fixture->mirror, tree, directory, &fixture->err));
    assert_string_equal(tree, "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
    struct sty_snapshot snapshot = {.repo = fixture->mirror};
    memcpy(snapshot.tree, tree, STY_OID_SIZE);
    must(fixture, sty_tree_walk(&snapshot, "", list, &paths, &fixture->err));
    assert_string_equal(paths.data, "");
}

static void test_links_at_the_top_are_not_followed(void **state)
{
    struct git_fixture *fixture = *state;
    char tree[STY_OID_SIZE];
    sty_auto_free char *directory = top(fixture);
    sty_auto_free char *link = sty_sprintf("%s/deployments", directory);
    put(fixture, "elsewhere/a.yaml", "x", 0644);
    assert_int_equal(symlink("elsewhere", link), 0);
    must(fixture, sty_repo_open_directory(&fixture->mirror, tree, directory, &fixture->err));
    struct sty_snapshot snapshot = {.repo = fixture->mirror};
    struct sty_entry entry;
    memcpy(snapshot.tree, tree, STY_OID_SIZE);
    must(fixture, sty_tree_entry(&entry, &snapshot, "deployments", &fixture->err));
    assert_int_equal(entry.kind, STY_ENTRY_SYMLINK);
}

static void test_limits(void **state)
{
    struct git_fixture *fixture = *state;
    char tree[STY_OID_SIZE];
    sty_auto_free char *directory = top(fixture);
    sty_auto_free char *large = sty_sprintf("%s/drivers/large", directory);
    sty_auto_free char *fifo = sty_sprintf("%s/drivers/fifo", directory);
    put(fixture, "drivers/large", "", 0644);
    assert_int_equal(truncate(large, (16 << 20) + 1), 0);
    must_fail(fixture, STY_LIMIT, sty_repo_open_directory(&fixture->mirror, tree, directory, &fixture->err));
    assert_non_null(strstr(fixture->err.text, "drivers/large"));
    assert_int_equal(unlink(large), 0);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    must_fail(fixture, STY_INVALID, sty_repo_open_directory(&fixture->mirror, tree, directory, &fixture->err));
    assert_int_equal(unlink(fifo), 0);
    sty_auto(str) deep = STY_STR_INIT;
    sty_str_append(&deep, "drivers");
    for (int i = 0; i < 31; i++)
        sty_str_append(&deep, "/d");
    sty_auto_free char *fits = sty_sprintf("%s/f", deep.data);
    put(fixture, fits, "x", 0644);
    must(fixture, sty_repo_open_directory(&fixture->mirror, tree, directory, &fixture->err));
    sty_repo_free(sty_take(fixture->mirror));
    sty_auto_free char *below = sty_sprintf("%s/d/f", deep.data);
    put(fixture, below, "x", 0644);
    must_fail(fixture, STY_LIMIT, sty_repo_open_directory(&fixture->mirror, tree, directory, &fixture->err));
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, git_fixture_setup, git_fixture_teardown)
    const struct CMUnitTest tests[] = {TEST(test_same_ids_as_git), TEST(test_empty_and_absent),
                                       TEST(test_links_at_the_top_are_not_followed), TEST(test_limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
