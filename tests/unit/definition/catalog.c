/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalog over folders of files, and tests/cases/definition: in/ is a desired-state folder, expect.check the
 * mistakes that are to be found in it.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "definition/definition.h"

struct loaded {
    struct sty_arena *arena;
    struct sty_repo *repo;
    struct sty_snapshot snapshot;
    struct sty_problems problems;
    struct sty_catalog *catalog;
};

static void load(struct loaded *l, const char *folder)
{
    struct sty_error err;
    const struct sty_catalog_base nothing = {NULL, NULL};
    *l = (struct loaded){.arena = sty_arena_new()};
    sty_problems_init(&l->problems, l->arena);
    if (sty_repo_open_directory(&l->repo, l->snapshot.tree, folder, &err) < 0)
        fail_msg("%s", err.text);
    l->snapshot.repo = l->repo;
    if (sty_catalog_load(&l->catalog, l->arena, &l->snapshot, &nothing, &l->problems, &err) < 0)
        fail_msg("%s", err.text);
    sty_problems_sort(&l->problems);
}

static void unload(struct loaded *l)
{
    sty_arena_free(l->arena);
    sty_repo_free(l->repo);
}

static void one_case(const char *name)
{
    struct loaded l;
    struct sty_error err;
    sty_auto(str) found = STY_STR_INIT;
    sty_auto(str) wanted = STY_STR_INIT;
    sty_auto_free char *in = sty_sprintf("%s/cases/definition/%s/in", STYRMIN_TESTS, name);
    sty_auto_free char *expect = sty_sprintf("%s/cases/definition/%s/expect.check", STYRMIN_TESTS, name);
    load(&l, in);
    for (size_t i = 0; i < l.problems.count; i++) {
        const struct sty_problem *p = &l.problems.items[i];
        sty_str_appendf(&found, "%s:%d:%d: %s\n", p->file, p->line, p->column, p->message);
    }
    if (sty_file_read(&wanted, expect, 1 << 20, &err) < 0)
        fail_msg("%s", err.text);
    if (strcmp(found.data, wanted.data) != 0) {
        fprintf(stderr, "ERROR: %s\nwanted:\n%sfound:\n%s\n[", name, wanted.data, found.data);
        fail();
    }
    unload(&l);
}

static void test_cases(void **state)
{
    (void)state;
    DIR *folder = opendir(STYRMIN_TESTS "/cases/definition");
    struct dirent *entry;
    int cases = 0;
    assert_non_null(folder);
    while ((entry = readdir(folder)))
        if (entry->d_name[0] != '.') {
            one_case(entry->d_name);
            cases++;
        }
    closedir(folder);
    assert_true(cases >= 5);
}

static void test_quickstart_has_no_mistakes(void **state)
{
    (void)state;
    struct loaded l;
    struct sty_error err;
    const struct sty_document *shop = NULL;
    bool twice = true;
    load(&l, STYRMIN_ROOT "/examples/quickstart/platform");
    assert_int_equal(l.problems.count, 0);
    assert_int_equal(sty_catalog_parsed(l.catalog), 5);
    assert_int_equal(sty_catalog_find(&shop, &twice, l.catalog, STY_KIND_DEPLOYMENT, "production/shop", &err), 0);
    assert_non_null(shop);
    assert_false(twice);
    struct sty_deployment deployment;
    sty_deployment_read(&deployment, shop);
    assert_string_equal(deployment.driver, "web");
    assert_string_equal(deployment.namespace, "shop");
    size_t changes = 0;
    sty_catalog_changes(&changes, l.catalog);
    assert_int_equal(changes, 5);
    unload(&l);
}

static void test_placement(void **state)
{
    (void)state;
    static const struct {
        const char *environment, *clusters;
        bool complete;
    } rows[] = {{"one", "edge-1 ", true}, {"list", "edge-1 edge-2 missing ", true}, {"labels", "edge-1 edge-2 ", true}};
    struct loaded l;
    load(&l, STYRMIN_TESTS "/cases/definition/placement/in");
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        const struct sty_document *document = NULL;
        struct sty_environment environment;
        const char **names = NULL;
        size_t count = 0;
        bool twice, complete = false;
        struct sty_error err;
        sty_auto(str) text = STY_STR_INIT;
        assert_int_equal(
            sty_catalog_find(&document, &twice, l.catalog, STY_KIND_ENVIRONMENT, rows[i].environment, &err), 0);
        assert_non_null(document);
        sty_environment_read(&environment, document);
        assert_int_equal(sty_catalog_place(&names, &count, &complete, l.catalog, &environment, &err), 0);
        for (size_t n = 0; n < count; n++)
            sty_str_appendf(&text, "%s ", names[n]);
        assert_string_equal(text.data, rows[i].clusters);
        assert_int_equal(complete, rows[i].complete);
    }
    unload(&l);
}

static void test_unreadable_is_known(void **state)
{
    (void)state;
    struct loaded l;
    size_t count = 0;
    load(&l, STYRMIN_TESTS "/cases/definition/syntax/in");
    const char *const *paths = sty_catalog_unreadable(&count, l.catalog);
    assert_int_equal(count, 1);
    assert_string_equal(paths[0], "deployments/broken.yaml");
    unload(&l);
}

static void test_pack_and_unpack(void **state)
{
    (void)state;
    struct loaded l;
    struct sty_error err;
    const struct sty_document *found = NULL;
    bool twice;
    load(&l, STYRMIN_ROOT "/examples/quickstart/platform");
    assert_int_equal(sty_catalog_find(&found, &twice, l.catalog, STY_KIND_DRIVER, "web/2", &err), 0);
    assert_non_null(found);
    assert_string_equal(found->folder, "drivers/web/2");
    struct sty_document *again = sty_arena_alloc(l.arena, sizeof *again);
    *again = (struct sty_document){.kind = found->kind, .key = found->key, .path = found->path, .text = found->text};
    assert_int_equal(sty_document_open(again, l.arena, &err), 0);
    assert_true(json_equal(again->value, found->value));
    assert_true(json_equal(again->marks, found->marks));
    assert_string_equal(again->folder, "drivers/web/2");
    unload(&l);
}

static void test_folded_until_asked_for(void **state)
{
    (void)state;
    struct loaded l;
    struct sty_error err;
    const struct sty_document *found = NULL, *again = NULL, **list = NULL;
    size_t count = 0;
    bool twice;
    load(&l, STYRMIN_ROOT "/examples/quickstart/platform");
    assert_int_equal(sty_catalog_list(&list, &count, l.catalog, STY_KIND_DEPLOYMENT, NULL, &err), 0);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++)
        assert_null(list[i]->value);
    assert_int_equal(sty_catalog_find(&found, &twice, l.catalog, STY_KIND_DEPLOYMENT, list[0]->key, &err), 0);
    assert_ptr_equal(found, list[0]);
    json_auto_t *value = json_incref(found->value), *marks = json_incref(found->marks);
    sty_document_fold(found);
    assert_null(found->value);
    assert_int_equal(sty_catalog_find(&again, &twice, l.catalog, STY_KIND_DEPLOYMENT, list[0]->key, &err), 0);
    assert_ptr_equal(again, found);
    assert_true(json_equal(again->value, value));
    assert_true(json_equal(again->marks, marks));
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),           cmocka_unit_test(test_quickstart_has_no_mistakes),
        cmocka_unit_test(test_placement),       cmocka_unit_test(test_unreadable_is_known),
        cmocka_unit_test(test_pack_and_unpack), cmocka_unit_test(test_folded_until_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
