/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A catalog over the commits of a repository, with the documents of the last walk as a store: what is read again, and
 * that a document which cannot be read is never a deletion.
 */
#include "git_fixture.h"
#include "definition/definition.h"

#define HEAD "apiVersion: styrmin.io/v1\nkind: "
#define DEPLOYMENT(name)                                                                                               \
    HEAD "Deployment\nmetadata: {name: " name "}\nspec: {environment: production, driver: {name: web, version: 2}}\n"
#define CLUSTER(name, site) HEAD "Cluster\nmetadata: {name: " name ", labels: {site: " site "}}\nspec: {}\n"

enum { MOST = 64 };

/* What the ledger keeps of a walk, in memory. */
struct memory {
    struct sty_document rows[MOST];
    size_t count;
    const char *unreadable[MOST];
    size_t unreadable_count;
};

static bool is_asked(const struct sty_document *row, const struct sty_document *like)
{
    return row->kind == like->kind && (!like->key || strcmp(row->key, like->key) == 0);
}

static void copy_rows(struct sty_document **out, size_t *count, struct sty_arena *arena, const struct memory *memory,
                      bool (*wanted)(const struct sty_document *row, const void *what), const void *what)
{
    *out = sty_arena_alloc(arena, (memory->count + 1) * sizeof **out);
    *count = 0;
    for (size_t i = 0; i < memory->count; i++)
        if (wanted(&memory->rows[i], what))
            (*out)[(*count)++] = memory->rows[i];
}

static bool in_that_file(const struct sty_document *row, const void *path)
{
    return strcmp(row->path, path) == 0;
}

static bool like_that(const struct sty_document *row, const void *like)
{
    return is_asked(row, like);
}

static bool of_that_environment(const struct sty_document *row, const void *environment)
{
    size_t n = strlen(environment);
    return row->kind == STY_KIND_DEPLOYMENT && strncmp(row->key, environment, n) == 0 && row->key[n] == '/';
}

static int in_file(void *self, struct sty_document **out, size_t *count, struct sty_arena *arena, const char *path,
                   struct sty_error *err)
{
    (void)err;
    copy_rows(out, count, arena, self, in_that_file, path);
    return 0;
}

static int find(void *self, struct sty_document **out, size_t *count, struct sty_arena *arena,
                const struct sty_document *like, struct sty_error *err)
{
    (void)err;
    copy_rows(out, count, arena, self, like_that, like);
    return 0;
}

static int of_environment(void *self, struct sty_document **out, size_t *count, struct sty_arena *arena,
                          const char *environment, struct sty_error *err)
{
    (void)err;
    copy_rows(out, count, arena, self, of_that_environment, environment);
    return 0;
}

static int unreadable(void *self, const char ***out, size_t *count, struct sty_arena *arena, struct sty_error *err)
{
    struct memory *memory = self;
    (void)arena, (void)err;
    *out = memory->unreadable;
    *count = memory->unreadable_count;
    return 0;
}

/* Its text only, as a ledger has it. */
static struct sty_document as_stored(const struct sty_document *document)
{
    struct sty_document row = *document;
    row.value = row.marks = NULL;
    row.owned = false;
    return row;
}

/* As the header of the catalog says what the store should hold from now on. */
static void keep(struct memory *memory, const struct sty_catalog *catalog)
{
    size_t files = 0, paths = 0;
    const struct sty_catalog_file *file = sty_catalog_files(&files, catalog);
    for (; files; files--, file++) {
        size_t kept = 0;
        for (size_t i = 0; i < memory->count; i++) {
            bool here = strcmp(memory->rows[i].path, file->path) == 0;
            memory->rows[i].stale = here ? !file->readable : memory->rows[i].stale;
            if (!here || (file->blob && !file->readable))
                memory->rows[kept++] = memory->rows[i];
        }
        for (size_t i = 0; file->readable && i < file->count; i++)
            memory->rows[kept++] = as_stored(&file->documents[i]);
        memory->count = kept;
    }
    const char *const *list = sty_catalog_unreadable(&paths, catalog);
    for (size_t i = 0; i < paths; i++)
        memory->unreadable[i] = list[i];
    memory->unreadable_count = paths;
}

/* One commit after another, as a daemon walks them. */
struct walk {
    struct git_fixture *fixture;
    struct memory memory;
    struct sty_document_store store;
    git_oid tree;
    char from[STY_OID_SIZE];
    struct sty_snapshot snapshot;
    struct sty_problems problems;
    struct sty_catalog *catalog;
};

static void begin(struct walk *walk, struct git_fixture *fixture)
{
    *walk = (struct walk){.fixture = fixture};
    walk->store = (struct sty_document_store){&walk->memory, in_file, find, of_environment, unreadable};
    must(fixture, sty_repo_open(&fixture->mirror, fixture->remote_path, true, &fixture->err));
    walk->snapshot.repo = fixture->mirror;
}

static void step_to(struct walk *walk, const git_oid *tree)
{
    struct git_fixture *fixture = walk->fixture;
    if (walk->catalog)
        keep(&walk->memory, walk->catalog);
    struct sty_catalog_base base = {walk->from[0] ? walk->from : NULL, walk->from[0] ? &walk->store : NULL};
    git_oid_tostr(walk->snapshot.tree, STY_OID_SIZE, tree);
    sty_problems_init(&walk->problems, fixture->arena);
    must(fixture,
         sty_catalog_load(&walk->catalog, fixture->arena, &walk->snapshot, &base, &walk->problems, &fixture->err));
    snprintf(walk->from, sizeof walk->from, "%s", walk->snapshot.tree);
    walk->tree = *tree;
}

static void step(struct walk *walk, const struct git_fixture_file *files)
{
    git_oid tree = git_fixture_tree(walk->fixture->remote, walk->from[0] ? &walk->tree : NULL, files);
    step_to(walk, &tree);
}

static const struct sty_document *found(const struct walk *walk, enum sty_kind kind, const char *key)
{
    const struct sty_document *out = NULL;
    bool twice;
    must(walk->fixture, sty_catalog_find(&out, &twice, walk->catalog, kind, key, &walk->fixture->err));
    return out;
}

/* "deployments/a.yaml deployments/b.yaml " */
static const char *blocked_by(const struct walk *walk)
{
    size_t count = 0;
    const char *const *paths = sty_catalog_unreadable(&count, walk->catalog);
    const char *text = "";
    for (size_t i = 0; i < count; i++)
        text = sty_arena_printf(walk->fixture->arena, "%s%s ", text, paths[i]);
    return text;
}

static const struct git_fixture_file first[] = {
    {"clusters/edge.yaml", CLUSTER("edge", "oslo"), 0},
    {"environments/production.yaml",
     HEAD "Environment\nmetadata: {name: production}\nspec: {clusters: {labels: {site: oslo}}}\n", 0},
    {"deployments/shop.yaml", DEPLOYMENT("shop"), 0},
    {"deployments/team/cart.yaml", DEPLOYMENT("cart"), 0},
    {"deployments/team/mail.yaml", DEPLOYMENT("mail"), 0},
    {0},
};

static void test_only_what_changed_is_read(void **state)
{
    struct walk walk;
    begin(&walk, *state);
    step(&walk, first);
    assert_int_equal(sty_catalog_parsed(walk.catalog), 5);
    step(&walk, (struct git_fixture_file[]){{"deployments/shop.yaml", DEPLOYMENT("shop") "# more\n", 0}, {0}});
    assert_int_equal(sty_catalog_parsed(walk.catalog), 1);
    assert_int_equal(walk.problems.count, 0);
    assert_non_null(found(&walk, STY_KIND_DEPLOYMENT, "production/cart"));
    const struct sty_document **all = NULL;
    size_t count = 0;
    must(walk.fixture,
         sty_catalog_list(&all, &count, walk.catalog, STY_KIND_DEPLOYMENT, "production", &walk.fixture->err));
    assert_int_equal(count, 3);
}

static void test_what_cannot_be_read_stays(void **state)
{
    static const char *const broken[] = {
        "kind: [\n",
        HEAD "Deployment\nmetadata: {name: shop, name: store}\nspec: {environment: production}\n",
        HEAD "Deployment\nmetadata: {name: {{name}}}\nspec: {environment: production}\n",
        HEAD "Deployment\nmetadata: {name: shop}\nspec: {environment: !e production}\n",
        HEAD "Deployment\nmetadata: {name: shop}\n",
        DEPLOYMENT("shop") "---\nkind: Unknown\n",
        "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
    };
    struct walk walk;
    begin(&walk, *state);
    step(&walk, first);
    for (size_t i = 0; i < STY_COUNT(broken); i++) {
        step(&walk, (struct git_fixture_file[]){{"deployments/shop.yaml", broken[i], 0}, {0}});
        const struct sty_document *shop = found(&walk, STY_KIND_DEPLOYMENT, "production/shop");
        assert_non_null(shop);
        assert_true(shop->stale);
        assert_string_equal(blocked_by(&walk), "deployments/shop.yaml ");
        assert_true(walk.problems.errors > 0);
    }
    step(&walk, (struct git_fixture_file[]){{"deployments/team/mail.yaml", NULL, 0}, {0}});
    assert_true(found(&walk, STY_KIND_DEPLOYMENT, "production/shop")->stale);
    assert_string_equal(blocked_by(&walk), "deployments/shop.yaml ");
    step(&walk, (struct git_fixture_file[]){{"deployments/shop.yaml", DEPLOYMENT("shop"), 0}, {0}});
    assert_false(found(&walk, STY_KIND_DEPLOYMENT, "production/shop")->stale);
    assert_string_equal(blocked_by(&walk), "");
}

static void test_what_is_removed_is_gone(void **state)
{
    struct walk walk;
    begin(&walk, *state);
    step(&walk, first);
    step(&walk, (struct git_fixture_file[]){{"deployments/shop.yaml", NULL, 0}, {0}});
    assert_null(found(&walk, STY_KIND_DEPLOYMENT, "production/shop"));
    assert_string_equal(blocked_by(&walk), "");
    size_t count = 0;
    const struct sty_catalog_change *changes = sty_catalog_changes(&count, walk.catalog);
    assert_int_equal(count, 1);
    assert_string_equal(changes[0].key, "production/shop");
}

/* A mistake beside the names: the document is known and has one, nothing waits for it. */
static void test_a_mistake_beside_the_names(void **state)
{
    struct walk walk;
    begin(&walk, *state);
    step(&walk, first);
    step(&walk, (struct git_fixture_file[]){{"deployments/shop.yaml", DEPLOYMENT("shop") "x: 1\nx: 2\n", 0}, {0}});
    const struct sty_document *shop = found(&walk, STY_KIND_DEPLOYMENT, "production/shop");
    assert_false(shop->valid);
    assert_false(shop->stale);
    assert_string_equal(blocked_by(&walk), "");
}

/* A tree with an entry of that mode and name, which git_fixture_tree() cannot make, in place of what is there. */
static git_oid with_entry(struct walk *walk, const git_oid *base, const char *name, git_filemode_t mode)
{
    git_treebuilder *builder = NULL;
    git_tree *tree = NULL;
    git_oid out, target = mode == GIT_FILEMODE_LINK ? git_fixture_blob(walk->fixture->remote, "elsewhere") : *base;
    git_ok(git_tree_lookup(&tree, walk->fixture->remote, base));
    git_ok(git_treebuilder_new(&builder, walk->fixture->remote, tree));
    git_ok(git_treebuilder_insert(NULL, builder, name, &target, mode));
    git_ok(git_treebuilder_write(&out, builder));
    git_treebuilder_free(builder);
    git_tree_free(tree);
    return out;
}

static git_oid below(struct walk *walk, const char *folder)
{
    git_tree *tree = NULL;
    git_ok(git_tree_lookup(&tree, walk->fixture->remote, &walk->tree));
    git_oid out = *git_tree_entry_id(git_tree_entry_byname(tree, folder));
    git_tree_free(tree);
    return out;
}

static git_oid with_folder(struct walk *walk, const char *folder, const git_oid *oid)
{
    git_treebuilder *builder = NULL;
    git_tree *tree = NULL;
    git_oid out;
    git_ok(git_tree_lookup(&tree, walk->fixture->remote, &walk->tree));
    git_ok(git_treebuilder_new(&builder, walk->fixture->remote, tree));
    git_ok(git_treebuilder_insert(NULL, builder, folder, oid, GIT_FILEMODE_TREE));
    git_ok(git_treebuilder_write(&out, builder));
    git_treebuilder_free(builder);
    git_tree_free(tree);
    return out;
}

/* A folder of documents that became a submodule or a symlink hides them: nothing may be deleted for that. */
static void test_what_hides_a_folder(void **state)
{
    static const git_filemode_t modes[] = {GIT_FILEMODE_COMMIT, GIT_FILEMODE_LINK};
    struct walk walk;
    begin(&walk, *state);
    for (size_t i = 0; i < STY_COUNT(modes); i++) {
        step(&walk, first);
        git_oid before = walk.tree, deployments = below(&walk, "deployments");
        git_oid inner = with_entry(&walk, &deployments, "team", modes[i]);
        git_oid tree = with_folder(&walk, "deployments", &inner);
        step_to(&walk, &tree);
        assert_string_equal(blocked_by(&walk), "deployments/team ");
        assert_int_equal(walk.problems.errors, 1);
        step_to(&walk, &before);
        assert_string_equal(blocked_by(&walk), "");
        tree = with_entry(&walk, &before, "deployments", modes[i]);
        step_to(&walk, &tree);
        assert_string_equal(blocked_by(&walk), "deployments ");
        struct walk fresh = {.fixture = walk.fixture, .snapshot = walk.snapshot};
        step_to(&fresh, &tree);
        assert_string_equal(blocked_by(&fresh), "deployments ");
        step_to(&walk, &before);
        assert_non_null(found(&walk, STY_KIND_DEPLOYMENT, "production/cart"));
    }
}

static void test_twice_over_two_walks(void **state)
{
    struct walk walk;
    begin(&walk, *state);
    step(&walk, first);
    step(&walk, (struct git_fixture_file[]){{"deployments/again.yaml", DEPLOYMENT("shop"), 0}, {0}});
    assert_null(found(&walk, STY_KIND_DEPLOYMENT, "production/shop"));
    assert_int_equal(walk.problems.count, 1);
    assert_string_equal(walk.problems.items[0].message,
                        "Deployment 'production/shop' stands more than once; also in deployments/shop.yaml");
    step(&walk, (struct git_fixture_file[]){{"deployments/shop.yaml", NULL, 0}, {0}});
    assert_string_equal(found(&walk, STY_KIND_DEPLOYMENT, "production/shop")->path, "deployments/again.yaml");
}

/* Placement by labels is complete only while every Cluster document can be read and stands once. */
static void test_placement_that_is_not_complete(void **state)
{
    static const struct git_fixture_file rows[][2] = {
        {{"clusters/edge.yaml", "kind: [\n", 0}, {0}},
        {{"clusters/other.yaml", "kind: [\n", 0}, {0}},
        {{"clusters/other.yaml", CLUSTER("edge", "oslo"), 0}, {0}},
        {{"clusters/other.yaml", HEAD "Cluster\nmetadata: {name: other}\nspec: {nope: 1}\n", 0}, {0}},
        {{"clusters/other.yaml", CLUSTER("other", "rome"), 0}, {0}},
    };
    struct walk walk;
    begin(&walk, *state);
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        struct sty_environment environment;
        const char **names = NULL;
        size_t count = 0;
        bool complete = false;
        git_oid base = git_fixture_tree(walk.fixture->remote, NULL, first);
        step_to(&walk, &base);
        step(&walk, rows[i]);
        sty_environment_read(&environment, found(&walk, STY_KIND_ENVIRONMENT, "production"));
        must(walk.fixture,
             sty_catalog_place(&names, &count, &complete, walk.catalog, &environment, &walk.fixture->err));
        assert_int_equal(complete, i == STY_COUNT(rows) - 1);
    }
}

#define one(test) cmocka_unit_test_setup_teardown(test, git_fixture_setup, git_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        one(test_only_what_changed_is_read),
        one(test_what_cannot_be_read_stays),
        one(test_what_is_removed_is_gone),
        one(test_a_mistake_beside_the_names),
        one(test_what_hides_a_folder),
        one(test_twice_over_two_walks),
        one(test_placement_that_is_not_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
