/* SPDX-License-Identifier: Apache-2.0 */
#include "git_fixture.h"

struct seen {
    struct sty_str text;
    int stop_after;
};

static int note_entry(void *self, const struct sty_entry *entry, struct sty_error *err)
{
    static const char kinds[] = {[STY_ENTRY_FILE] = 'f',
                                 [STY_ENTRY_EXECUTABLE] = 'x',
                                 [STY_ENTRY_SYMLINK] = 'l',
                                 [STY_ENTRY_TREE] = 'd',
                                 [STY_ENTRY_SUBMODULE] = 's'};
    struct seen *seen = self;
    sty_str_appendf(&seen->text, "%c %s\n", kinds[entry->kind], entry->path);
    if (seen->stop_after && --seen->stop_after == 0)
        return sty_error_set(err, STY_CANCELLED, "enough");
    return 0;
}

static int note_change(void *self, const struct sty_change *change, struct sty_error *err)
{
    static const char kinds[] = {[STY_CHANGE_ADDED] = '+', [STY_CHANGE_REMOVED] = '-', [STY_CHANGE_MODIFIED] = '~'};
    struct seen *seen = self;
    (void)err;
    sty_str_appendf(&seen->text, "%c %s\n", kinds[change->kind], change->path);
    assert_int_equal(change->from.oid[0] == '\0', change->kind == STY_CHANGE_ADDED);
    assert_int_equal(change->to.oid[0] == '\0', change->kind == STY_CHANGE_REMOVED);
    return 0;
}

static struct sty_snapshot snapshot_of(struct git_fixture *fixture, const git_oid *tree)
{
    struct sty_snapshot out = {.repo = NULL};
    if (!fixture->mirror)
        must(fixture, sty_repo_open(&fixture->mirror, fixture->remote_path, true, &fixture->err));
    out.repo = fixture->mirror;
    git_oid_tostr(out.tree, STY_OID_SIZE, tree);
    return out;
}

static const struct git_fixture_file files[] = {
    {"deployments/shop.yaml", "shop", 0},
    {"deployments/eu/shop.yaml", "eu", 0},
    {"drivers/web/1/run.sh", "#!/bin/sh", GIT_FILEMODE_BLOB_EXECUTABLE},
    {"drivers/web/1/link", "/etc/passwd", GIT_FILEMODE_LINK},
    {"README", "read me", 0},
    {0},
};

static void test_walk(void **state)
{
    struct git_fixture *fixture = *state;
    git_oid tree = git_fixture_tree(fixture->remote, NULL, files);
    struct sty_snapshot snapshot = snapshot_of(fixture, &tree);
    static const struct {
        const char *path, *expected;
    } rows[] = {
        {"", "f README\nf deployments/eu/shop.yaml\nf deployments/shop.yaml\nl drivers/web/1/link\n"
             "x drivers/web/1/run.sh\n"},
        {"deployments", "f deployments/eu/shop.yaml\nf deployments/shop.yaml\n"},
        {"drivers/web/1", "l drivers/web/1/link\nx drivers/web/1/run.sh\n"},
        {"README", "f README\n"},
        {"absent", ""},
        {"deployments/absent/deeper", ""},
    };
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        struct seen seen = {.text = STY_STR_INIT};
        must(fixture, sty_tree_walk(&snapshot, rows[i].path, note_entry, &seen, &fixture->err));
        assert_string_equal(seen.text.data, rows[i].expected);
        sty_str_clear(&seen.text);
    }
    struct seen stopped = {.text = STY_STR_INIT, .stop_after = 2};
    must_fail(fixture, STY_CANCELLED, sty_tree_walk(&snapshot, "", note_entry, &stopped, &fixture->err));
    assert_string_equal(stopped.text.data, "f README\nf deployments/eu/shop.yaml\n");
    sty_str_clear(&stopped.text);
}

static void test_entry_and_blob(void **state)
{
    struct git_fixture *fixture = *state;
    git_oid tree = git_fixture_tree(fixture->remote, NULL, files);
    struct sty_snapshot snapshot = snapshot_of(fixture, &tree);
    struct sty_entry entry;
    sty_auto(str) bytes = STY_STR_INIT;
    must(fixture, sty_tree_entry(&entry, &snapshot, "deployments/shop.yaml", &fixture->err));
    assert_int_equal(entry.kind, STY_ENTRY_FILE);
    must(fixture, sty_blob_read(&bytes, fixture->mirror, entry.oid, 4, &fixture->err));
    assert_string_equal(bytes.data, "shop");
    must_fail(fixture, STY_LIMIT, sty_blob_read(&bytes, fixture->mirror, entry.oid, 3, &fixture->err));
    must_fail(fixture, STY_CORRUPT,
              sty_blob_read(&bytes, fixture->mirror, "1111111111111111111111111111111111111111", 9, &fixture->err));
    must_fail(fixture, STY_CORRUPT, sty_blob_read(&bytes, fixture->mirror, snapshot.tree, 999, &fixture->err));
    must_fail(fixture, STY_INVALID, sty_blob_read(&bytes, fixture->mirror, "HEAD", 9, &fixture->err));
    assert_string_equal(bytes.data, "shop");
    must(fixture, sty_tree_entry(&entry, &snapshot, "", &fixture->err));
    assert_string_equal(entry.oid, snapshot.tree);
    must(fixture, sty_tree_entry(&entry, &snapshot, "drivers/web", &fixture->err));
    assert_int_equal(entry.kind, STY_ENTRY_TREE);
    must_fail(fixture, STY_NOT_FOUND, sty_tree_entry(&entry, &snapshot, "drivers/db", &fixture->err));
    must_fail(fixture, STY_NOT_FOUND, sty_tree_entry(&entry, &snapshot, "README/x", &fixture->err));
}

static void test_diff(void **state)
{
    struct git_fixture *fixture = *state;
    static const struct {
        struct git_fixture_file change[4];
        const char *expected, *back;
    } rows[] = {
        {{{0}}, "", ""},
        {{{"deployments/shop.yaml", "new", 0}, {0}}, "~ deployments/shop.yaml\n", "~ deployments/shop.yaml\n"},
        {{{"a/b/c", "new", 0}, {0}}, "+ a/b/c\n", "- a/b/c\n"},
        {{{"deployments/eu/shop.yaml", NULL, 0}, {0}}, "- deployments/eu/shop.yaml\n", "+ deployments/eu/shop.yaml\n"},
        {{{"README", "read me", GIT_FILEMODE_BLOB_EXECUTABLE}, {0}}, "~ README\n", "~ README\n"},
        {{{"README", "read me", GIT_FILEMODE_LINK}, {0}}, "~ README\n", "~ README\n"},
        {{{"README", NULL, 0}, {"README/now", "a folder", 0}, {0}},
         "- README\n+ README/now\n",
         "+ README\n- README/now\n"},
    };
    git_oid base = git_fixture_tree(fixture->remote, NULL, files);
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        git_oid half = base, changed;
        /* A file that becomes a folder takes two steps. */
        for (size_t j = 0; rows[i].change[j].path; j++) {
            const struct git_fixture_file one[] = {rows[i].change[j], {0}};
            half = git_fixture_tree(fixture->remote, &half, one);
        }
        changed = half;
        struct sty_snapshot from = snapshot_of(fixture, &base), to = snapshot_of(fixture, &changed);
        struct seen there = {.text = STY_STR_INIT}, back = {.text = STY_STR_INIT};
        must(fixture, sty_tree_diff(fixture->mirror, from.tree, to.tree, note_change, &there, &fixture->err));
        must(fixture, sty_tree_diff(fixture->mirror, to.tree, from.tree, note_change, &back, &fixture->err));
        assert_string_equal(there.text.data, rows[i].expected);
        assert_string_equal(back.text.data, rows[i].back);
        sty_str_clear(&there.text);
        sty_str_clear(&back.text);
    }
    struct seen all = {.text = STY_STR_INIT};
    must(fixture,
         sty_tree_diff(fixture->mirror, "", snapshot_of(fixture, &base).tree, note_change, &all, &fixture->err));
    assert_string_equal(all.text.data, "+ README\n+ deployments/eu/shop.yaml\n+ deployments/shop.yaml\n"
                                       "+ drivers/web/1/link\n+ drivers/web/1/run.sh\n");
    sty_str_clear(&all.text);
}

static void refuse(struct git_fixture *fixture, const git_oid *tree, enum sty_code code)
{
    struct seen seen = {.text = STY_STR_INIT};
    struct sty_snapshot snapshot = snapshot_of(fixture, tree);
    must_fail(fixture, code, sty_tree_walk(&snapshot, "", note_entry, &seen, &fixture->err));
    must_fail(fixture, code, sty_tree_diff(fixture->mirror, "", snapshot.tree, note_change, &seen, &fixture->err));
    sty_str_clear(&seen.text);
}

static void test_malformed_trees(void **state)
{
    struct git_fixture *fixture = *state;
    git_oid blob = git_fixture_blob(fixture->remote, "x");
    const struct git_fixture_raw rows[][2] = {
        {{"100644", "..", blob}, {"100644", "z", blob}},      {{"100644", ".", blob}, {"100644", "z", blob}},
        {{"100644", "a/b", blob}, {"100644", "z", blob}},     {{"100644", "../../etc", blob}, {"100644", "z", blob}},
        {{"100644", "same", blob}, {"100644", "same", blob}}, {{"100644", "z", blob}, {"100644", "a", blob}},
    };
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        git_oid tree = git_fixture_raw_tree(fixture->remote, rows[i], 2);
        refuse(fixture, &tree, STY_INVALID);
    }
    /* A blob where a tree should be, and a tree that is not there. */
    const struct git_fixture_raw wrong[] = {{"40000", "d", blob}};
    git_oid tree = git_fixture_raw_tree(fixture->remote, wrong, 1);
    refuse(fixture, &tree, STY_CORRUPT);
    git_oid absent = {{1}};
    refuse(fixture, &absent, STY_CORRUPT);
}

static void test_bombs(void **state)
{
    struct git_fixture *fixture = *state;
    git_oid tree = git_fixture_blob(fixture->remote, "x");
    char names[10][2];
    /* Ten files, each folder ten times the one below: ten thousand million paths in ten objects. */
    for (int level = 0; level < 10; level++) {
        struct git_fixture_raw entries[10];
        for (int i = 0; i < 10; i++) {
            snprintf(names[i], sizeof(names[i]), "%d", i);
            entries[i] = (struct git_fixture_raw){level ? "40000" : "100644", names[i], tree};
        }
        tree = git_fixture_raw_tree(fixture->remote, entries, 10);
    }
    refuse(fixture, &tree, STY_LIMIT);
    tree = git_fixture_blob(fixture->remote, "x");
    for (int level = 0; level < 34; level++) {
        const struct git_fixture_raw entry = {level ? "40000" : "100644", "d", tree};
        tree = git_fixture_raw_tree(fixture->remote, &entry, 1);
    }
    refuse(fixture, &tree, STY_LIMIT);
    char name[5000];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    const struct git_fixture_raw entry = {"100644", name, git_fixture_blob(fixture->remote, "x")};
    tree = git_fixture_raw_tree(fixture->remote, &entry, 1);
    refuse(fixture, &tree, STY_LIMIT);
}

static void test_snapshot(void **state)
{
    struct git_fixture *fixture = *state;
    git_oid commit = git_fixture_commit(fixture, NULL, files, "one");
    git_oid root = git_fixture_tree(fixture->remote, NULL, files);
    struct sty_snapshot top = snapshot_of(fixture, &root), out;
    static const char *const tops[] = {NULL, "", ".", "./", "/"};
    for (size_t i = 0; i < STY_COUNT(tops); i++) {
        must(fixture, sty_repo_snapshot(&out, fixture->mirror, hex(&commit), tops[i], &fixture->err));
        assert_string_equal(out.tree, top.tree);
        assert_string_equal(out.commit, hex(&commit));
    }
    static const char *const inner[] = {"drivers/web", "./drivers/web", "drivers/web/", "././drivers/web//"};
    struct sty_entry entry;
    must(fixture, sty_tree_entry(&entry, &top, "drivers/web", &fixture->err));
    for (size_t i = 0; i < STY_COUNT(inner); i++) {
        must(fixture, sty_repo_snapshot(&out, fixture->mirror, hex(&commit), inner[i], &fixture->err));
        assert_string_equal(out.tree, entry.oid);
    }
    must_fail(fixture, STY_NOT_FOUND, sty_repo_snapshot(&out, fixture->mirror, hex(&commit), "nope", &fixture->err));
    assert_non_null(strstr(fixture->err.text, "source.path 'nope'"));
    must_fail(fixture, STY_NOT_FOUND, sty_repo_snapshot(&out, fixture->mirror, hex(&commit), "README", &fixture->err));
    git_oid absent = {{2}};
    must_fail(fixture, STY_NOT_FOUND, sty_repo_snapshot(&out, fixture->mirror, hex(&absent), NULL, &fixture->err));
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, git_fixture_setup, git_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_walk),  TEST(test_entry_and_blob), TEST(test_diff), TEST(test_malformed_trees),
        TEST(test_bombs), TEST(test_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
