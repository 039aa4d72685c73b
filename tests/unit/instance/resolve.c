/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolving as the walk sees it: inputs by object id, the same bytes from the same files, where values come from, and
 * what a driver's folder may hold.
 */
#include "repository.h"

#define WEB STYRMIN_TESTS "/cases/instance/web/in"
#define HEAD "apiVersion: styrmin.io/v1\nkind: "

static const struct sty_target shop = {"edge-1", "production", "shop"};

/* ---- inputs ---- */

static void inputs_name_objects(void **state)
{
    static const char *const keys[] = {"production/shop", "production", "edge-1", "web/2"};
    static const char *const paths[] = {"deployments/team/shop.yaml", "environments/production.yaml",
                                        "clusters/edge.yaml", "drivers/web/2"};
    static const enum sty_kind kinds[] = {STY_KIND_DEPLOYMENT, STY_KIND_ENVIRONMENT, STY_KIND_CLUSTER, STY_KIND_DRIVER};
    struct sty_repository repository;
    struct sty_resolved resolved = {0};
    (void)state;
    sty_repository_open(&repository, WEB);
    sty_repository_resolve(&resolved, &repository, &shop, false);
    assert_int_equal(resolved.input_count, 4);
    for (size_t i = 0; i < 4; i++) {
        struct sty_entry entry;
        struct sty_error err;
        assert_int_equal(sty_tree_entry(&entry, &repository.snapshot, paths[i], &err), 0);
        assert_int_equal(resolved.inputs[i].kind, kinds[i]);
        assert_string_equal(resolved.inputs[i].key, keys[i]);
        assert_string_equal(resolved.inputs[i].oid, entry.oid);
    }
    assert_null(resolved.origins);
    sty_resolved_clear(&resolved);
    sty_repository_clear(&repository);
}

static void absent_inputs_are_told(void **state)
{
    struct sty_repository repository;
    struct sty_resolved resolved = {0};
    (void)state;
    sty_repository_open(&repository, WEB);
    sty_repository_resolve(&resolved, &repository, &(struct sty_target){"edge-9", "lab", "gone"}, true);
    assert_null(resolved.instance);
    assert_null(resolved.origins);
    assert_int_equal(resolved.input_count, 3);
    assert_string_equal(resolved.inputs[0].key, "lab/gone");
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(resolved.inputs[i].oid, "");
    assert_string_equal(resolved.message, "there is no Deployment lab/gone in this commit");
    sty_resolved_clear(&resolved);
    sty_repository_clear(&repository);
}

/* ---- the same bytes ---- */

static char *bytes_of(const char *folder, const struct sty_target *target, const struct sty_target *before)
{
    struct sty_repository repository;
    struct sty_resolved resolved = {0};
    size_t length = 0;
    sty_repository_open(&repository, folder);
    if (before)
        sty_repository_resolve(&resolved, &repository, before, true);
    sty_resolved_clear(&resolved);
    sty_repository_resolve(&resolved, &repository, target, before);
    assert_non_null(resolved.instance);
    char *bytes = sty_strdup(sty_instance_bytes(&length, resolved.instance));
    assert_int_equal(strlen(bytes), length);
    sty_resolved_clear(&resolved);
    sty_repository_clear(&repository);
    return bytes;
}

static void same_files_same_bytes(void **state)
{
    static const struct sty_target other = {"edge-2", "production", "shop"};
    (void)state;
    sty_auto_free char *alone = bytes_of(WEB, &shop, NULL);
    sty_auto_free char *behind = bytes_of(WEB, &shop, &other);
    sty_auto_free char *else_where = bytes_of(WEB, &other, &shop);
    assert_string_equal(alone, behind);
    assert_string_not_equal(alone, else_where);
}

static const char *const plain_deployment[] = {
    HEAD "Deployment\nmetadata: {name: d}\nspec:\n  environment: e\n  driver: {name: w, version: \"1\"}\n"
         "  version: \"1\"\n  parameters: {b: 1, a: x}\n",
    "# a comment, other order, other style\n---\nkind: Deployment\napiVersion: styrmin.io/v1\nspec:\n  parameters:\n"
    "    a: \"x\"\n    b: 0x1\n  version: 1\n  driver: {version: 1, name: w}\n  environment: e\nmetadata:\n  name: d\n",
};

static void write_small(const char *folder, const char *deployment, const char *path)
{
    sty_folder_write(folder, "clusters/c.yaml", HEAD "Cluster\nmetadata: {name: c}\nspec: {kind: host}\n");
    sty_folder_write(folder, "environments/e.yaml", HEAD "Environment\nmetadata: {name: e}\nspec: {cluster: c}\n");
    sty_folder_write(folder, path, deployment);
    sty_folder_write(folder, "drivers/w/1/driver.styrmin.yml",
                     HEAD "ApplicationDriver\nmetadata: {name: w}\nspec:\n  version: \"1\"\n  parameters:\n"
                          "    - {name: a, kind: string, default: y}\n    - {name: b, kind: integer, default: 2}\n"
                          "  components:\n    m:\n      resources:\n"
                          "        - file: {path: /m, content: \"{{parameters.a}}\"}\n");
}

static const struct sty_target small = {"c", "e", "d"};

static void comments_and_places_do_not_matter(void **state)
{
    char *first = sty_folder_make(), *second = sty_folder_make();
    (void)state;
    write_small(first, plain_deployment[0], "deployments/d.yaml");
    write_small(second, plain_deployment[1], "deployments/elsewhere/renamed.yml");
    sty_auto_free char *a = bytes_of(first, &small, NULL);
    sty_auto_free char *b = bytes_of(second, &small, NULL);
    assert_string_equal(a, b);
    sty_folder_free(first);
    sty_folder_free(second);
}

/* ---- a driver's folder ---- */

static char *files_of(const char *folder)
{
    struct sty_repository repository;
    struct sty_resolved resolved = {0};
    sty_repository_open(&repository, folder);
    sty_repository_resolve(&resolved, &repository, &small, false);
    const char *digest =
        resolved.instance ? sty_json_text(json_object_get(sty_instance_json(resolved.instance), "driver"), "files", "")
                          : resolved.message;
    const struct sty_blob *list = sty_blobs_get(&repository.blobs, digest);
    char *out = sty_strdup(list ? list->bytes : digest);
    sty_resolved_clear(&resolved);
    sty_repository_clear(&repository);
    return out;
}

static void pages_nothing_uses_are_exempt(void **state)
{
    char *folder = sty_folder_make();
    (void)state;
    write_small(folder, plain_deployment[0], "deployments/d.yaml");
    sty_auto_free char *without = files_of(folder);
    sty_folder_write(folder, "drivers/w/1/README.md", "read me\n");
    sty_folder_write(folder, "drivers/w/1/docs/help.md", "see README.md\n");
    sty_auto_free char *with = files_of(folder);
    assert_string_equal(with, without);
    sty_folder_write(folder, "drivers/w/1/go.run", "#!/bin/sh\ncat docs/help.md\n");
    sty_auto_free char *used = files_of(folder);
    assert_non_null(strstr(used, "[\"docs/help.md\",\"0644\""));
    assert_non_null(strstr(used, "[\"go.run\",\"0755\""));
    assert_null(strstr(used, "README.md"));
    sty_folder_write(folder, "drivers/w/1/all.run", "cat *.md\n");
    sty_auto_free char *all = files_of(folder);
    assert_non_null(strstr(all, "[\"README.md\",\"0644\""));
    sty_folder_free(folder);
}

static void symlinks_stay_inside(void **state)
{
    static const struct {
        const char *target;
        bool good;
    } rows[] = {{"b.run", true},    {"../a", true},         {"x/../b", false},
                {"../../a", false}, {"/etc/passwd", false}, {"../sub/../../x", false},
                {"./../a", true},   {"..", true},           {"../..", false}};
    char *folder = sty_folder_make();
    (void)state;
    write_small(folder, plain_deployment[0], "deployments/d.yaml");
    sty_folder_write(folder, "drivers/w/1/sub/b.run", "x");
    sty_auto_free char *path = sty_sprintf("%s/drivers/w/1/sub/link", folder);
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        unlink(path);
        assert_int_equal(symlink(rows[i].target, path), 0);
        sty_auto_free char *files = files_of(folder);
        const char *wanted = rows[i].good ? "[\"sub/link\",\"symlink\",\"sha256:"
                                          : "drivers/w/1/sub/link: this symlink leaves the driver's folder";
        if (!strstr(files, wanted))
            fail_msg("%s: %s", rows[i].target, files);
    }
    sty_folder_free(folder);
}

static void big_drivers_are_refused(void **state)
{
    char *folder = sty_folder_make();
    (void)state;
    write_small(folder, plain_deployment[0], "deployments/d.yaml");
    sty_auto_free char *big = sty_malloc(((size_t)15 << 20) + 1);
    memset(big, 'x', (size_t)15 << 20);
    big[(size_t)15 << 20] = 0;
    for (int i = 0; i < 5; i++) {
        sty_auto_free char *path = sty_sprintf("drivers/w/1/big-%d", i);
        big[0] = (char)('a' + i);
        sty_folder_write(folder, path, big);
    }
    sty_auto_free char *files = files_of(folder);
    assert_string_equal(files, "drivers/w/1: the files of this driver are larger than 64 MiB in all");
    sty_folder_free(folder);
}

static void many_files_are_refused(void **state)
{
    char *folder = sty_folder_make();
    (void)state;
    write_small(folder, plain_deployment[0], "deployments/d.yaml");
    for (int i = 0; i < 10000; i++) {
        sty_auto_free char *path = sty_sprintf("%s/drivers/w/1/%d", folder, i);
        assert_int_equal(symlink("0", path), 0);
    }
    sty_auto_free char *files = files_of(folder);
    assert_string_equal(files, "drivers/w/1: a driver has at most 10000 files");
    sty_folder_free(folder);
}

/* ---- explain ---- */

static void explain_fails(struct sty_repository *repository, const char *path, const char *wanted)
{
    json_t *out = NULL;
    struct sty_error err = {0};
    assert_int_equal(sty_resolve_explain(&out, repository->resolver, &shop, path, &err), -1);
    assert_int_equal(err.code, STY_NOT_FOUND);
    assert_string_equal(err.text, wanted);
    assert_null(out);
}

struct explained {
    const char *path, *expected;
};
static const struct explained explained[] = {
    {"instance.config.log_level",
     "{\"layers\":[{\"layer\":\"cluster\",\"origin\":{\"column\":54,\"file\":\"clusters/edge.yaml\",\"line\":6},"
     "\"value\":\"error\"},{\"layer\":\"environment\",\"origin\":{\"column\":23,\"file\":\"environments/"
     "production.yaml\","
     "\"line\":6},\"value\":\"warning\"},{\"layer\":\"deployment\",\"origin\":{\"column\":23,\"file\":"
     "\"deployments/team/shop.yaml\",\"line\":13},\"value\":\"debug\"}],\"origin\":{\"column\":23,\"file\":"
     "\"deployments/team/shop.yaml\",\"line\":13},\"path\":\"instance.config.log_level\",\"value\":\"debug\"}"},
    {"parameters.size",
     "{\"layers\":[{\"layer\":\"driver\",\"origin\":{\"column\":65,\"file\":\"drivers/web/2/"
     "driver.styrmin.yml\",\"line\":12},"
     "\"value\":\"small\"}],\"origin\":{\"column\":65,\"file\":\"drivers/web/2/driver.styrmin.yml\",\"line\":12},"
     "\"path\":\"parameters.size\",\"value\":\"small\"}"},
    {"parameters.admins.1",
     "{\"layers\":[{\"layer\":\"deployment\",\"origin\":{\"column\":20,\"file\":\"deployments/team/"
     "shop.yaml\",\"line\":11},"
     "\"value\":\"bo b\"}],\"origin\":{\"column\":20,\"file\":\"deployments/team/shop.yaml\",\"line\":11},"
     "\"path\":\"parameters.admins.1\",\"value\":\"bo b\"}"},
    {"components.idle.env", "{\"layers\":[],\"origin\":null,\"path\":\"components.idle.env\",\"value\":{}}"},
};

static void values_are_explained(void **state)
{
    struct sty_repository repository;
    (void)state;
    sty_repository_open(&repository, WEB);
    for (size_t i = 0; i < STY_COUNT(explained); i++) {
        json_auto_t *out = NULL;
        struct sty_error err;
        assert_int_equal(sty_resolve_explain(&out, repository.resolver, &shop, explained[i].path, &err), 0);
        sty_auto_free char *text = sty_json_canonical_text(out);
        assert_string_equal(text, explained[i].expected);
    }
    json_auto_t *all = NULL;
    struct sty_error err;
    assert_int_equal(sty_resolve_explain(&all, repository.resolver, &shop, "", &err), 0);
    assert_non_null(sty_json_pointer(all, "/value/parameters/port"));
    explain_fails(&repository, "nope.x",
                  "there is no 'nope.x'; the context begins with cluster, environment, deployment, "
                  "instance, app, driver, parameters, components, services");
    explain_fails(&repository, "instance.config.proxy.prt",
                  "there is no 'instance.config.proxy.prt'; there is 'instance.config.proxy', which has host, port");
    explain_fails(&repository, "parameters.admins.2",
                  "there is no 'parameters.admins.2'; there is 'parameters.admins'");
    sty_repository_clear(&repository);
}

static void what_has_mistakes_is_not_explained(void **state)
{
    struct sty_repository repository;
    json_t *out = NULL;
    struct sty_error err;
    (void)state;
    sty_repository_open(&repository, WEB);
    struct sty_target gone = {"edge-1", "production", "gone"};
    assert_int_equal(sty_resolve_explain(&out, repository.resolver, &gone, "", &err), -1);
    assert_int_equal(err.code, STY_INVALID);
    assert_string_equal(err.text, "there is no Deployment production/gone in this commit");
    sty_repository_clear(&repository);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inputs_name_objects),           cmocka_unit_test(absent_inputs_are_told),
        cmocka_unit_test(same_files_same_bytes),         cmocka_unit_test(comments_and_places_do_not_matter),
        cmocka_unit_test(pages_nothing_uses_are_exempt), cmocka_unit_test(symlinks_stay_inside),
        cmocka_unit_test(big_drivers_are_refused),       cmocka_unit_test(many_files_are_refused),
        cmocka_unit_test(values_are_explained),          cmocka_unit_test(what_has_mistakes_is_not_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
