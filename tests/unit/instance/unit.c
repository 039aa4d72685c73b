/* SPDX-License-Identifier: Apache-2.0 */
/* unit resources: their ids, defaults, contents and drop-ins as they stand in an Instance, and what is refused. */
#include "repository.h"

#define HEAD "apiVersion: styrmin.io/v1\nkind: "

static const struct sty_target shop = {"here", "production", "shop"};

static char *folder_with(const char *units)
{
    char *folder = sty_folder_make();
    sty_folder_write(folder, "clusters/here.yaml", HEAD "Cluster\nmetadata: {name: here}\nspec: {}\n");
    sty_folder_write(folder, "environments/production.yaml",
                     HEAD "Environment\nmetadata: {name: production}\nspec: {cluster: here}\n");
    sty_folder_write(folder, "deployments/shop.yaml",
                     HEAD "Deployment\nmetadata: {name: shop}\nspec: {environment: production, driver: {name: web,"
                          " version: \"1\"}, version: 1.0.0, parameters: {key: {from_env: KEY}}}\n");
    sty_folder_write(folder, "drivers/web/1/plain.service", "[Service]\n# {{as it is}}\n");
    sty_folder_write(folder, "drivers/web/1/unit.mustache", "[Service]\n# {{app.version}}\n");
    sty_auto_free char *driver =
        sty_sprintf(HEAD "ApplicationDriver\nmetadata: {name: web}\nspec:\n  version: \"1\"\n  parameters: [{name: key,"
                         " kind: secret}]\n  components:\n    a:\n      resources:\n%s",
                    units);
    sty_folder_write(folder, "drivers/web/1/driver.styrmin.yml", driver);
    return folder;
}

static void assert_text(const struct sty_repository *repository, const json_t *holder, const char *text)
{
    const json_t *content = json_object_get(holder, "content");
    const struct sty_blob *blob = sty_blobs_get(&repository->blobs, sty_json_text(content, "digest", ""));
    assert_non_null(blob);
    assert_string_equal(blob->bytes, text);
    assert_int_equal(sty_json_int(content, "size", -1), strlen(text));
}

static void assert_blobs(const struct sty_instance *instance, const json_t *holder)
{
    sty_auto_ptr(arena) arena = sty_arena_new();
    const char *digest = sty_json_text(json_object_get(holder, "content"), "digest", "");
    for (const char **blob = sty_instance_blobs(arena, instance); *blob; blob++)
        if (strcmp(*blob, digest) == 0)
            return;
    fail_msg("%s is not among the Instance's blobs", digest);
}

static void test_units_in_an_instance(void **state)
{
    (void)state;
    char *folder = folder_with(
        "        - unit: {name: \"{{deployment.name}}.service\", template: unit.mustache, enabled: true, timeout: "
        "10s}\n"
        "        - unit: {name: \"w@.service\", file: plain.service}\n"
        "        - unit:\n            name: nginx.service\n            state: keep\n            drop_ins:\n"
        "              - {name: \"10-{{deployment.name}}.conf\", content: \"[Service]\\n#{{parameters.key}}.\\n\"}\n"
        "              - {name: 20.conf, file: plain.service}\n");
    struct sty_repository repository;
    struct sty_resolved resolved = {0};
    const char *component;
    sty_repository_open(&repository, folder);
    sty_repository_resolve(&resolved, &repository, &shop, true);
    if (!resolved.instance)
        fail_msg("%s", resolved.message);

    const json_t *own =
        json_object_get(sty_instance_resource(&component, resolved.instance, "unit:shop.service"), "spec");
    assert_text(&repository, own, "[Service]\n# 1.0.0\n");
    assert_true(json_is_true(json_object_get(own, "enabled")));
    assert_string_equal(sty_json_text(own, "state", ""), "started");
    assert_int_equal(sty_json_int(own, "timeout_ms", 0), 10000);
    assert_int_equal(json_array_size(json_object_get(own, "drop_ins")), 0);
    assert_null(json_object_get(own, "template"));

    const json_t *template =
        json_object_get(sty_instance_resource(&component, resolved.instance, "unit:w@.service"), "spec");
    assert_text(&repository, template, "[Service]\n# {{as it is}}\n");
    assert_string_equal(sty_json_text(template, "state", ""), "keep");
    assert_string_equal(sty_json_text(template, "enabled", ""), "keep");
    assert_int_equal(sty_json_int(template, "timeout_ms", 0), 300000);

    const json_t *other =
        json_object_get(sty_instance_resource(&component, resolved.instance, "unit:nginx.service"), "spec");
    const json_t *drop_ins = json_object_get(other, "drop_ins"), *first = json_array_get(drop_ins, 0);
    assert_true(json_is_null(json_object_get(other, "content")));
    assert_int_equal(json_array_size(drop_ins), 2);
    assert_string_equal(sty_json_text(first, "name", ""), "10-shop.conf");
    assert_text(&repository, first, "[Service]\n#.\n");
    const json_t *holes = json_object_get(json_object_get(first, "content"), "holes");
    assert_int_equal(sty_json_int(json_array_get(holes, 0), "offset", 0), strlen("[Service]\n#"));
    assert_text(&repository, json_array_get(drop_ins, 1), "[Service]\n# {{as it is}}\n");
    assert_blobs(resolved.instance, own);
    assert_blobs(resolved.instance, first);
    assert_blobs(resolved.instance, json_array_get(drop_ins, 1));
    sty_resolved_clear(&resolved);
    sty_repository_clear(&repository);
    sty_folder_free(folder);
}

static void test_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *unit, *words;
    } rows[] = {
        {"name: \"{{app.version}}\"", "'1.0.0' is not the name of a unit"},
        {"name: \"w@.service\", state: started", "a template is neither started nor stopped"},
        {"name: a.service, enabled: \"{{app.version}}\"", "enabled"},
        {"name: a.service, state: \"{{app.version}}\"", "state"},
        {"name: a.service, template: gone", "the driver has no file 'gone'"},
        {"name: a.service, drop_ins: [{name: a.conf, file: gone}]", "the driver has no file 'gone'"},
        {"name: a.service, drop_ins: [{name: a.conf, content: \"{{nobody}}\"}]", "nobody"},
        {"name: a.service, drop_ins: [{name: a.conf, content: x}, {name: a.conf, content: y}]",
         "two drop-ins are called 'a.conf'"},
        {"name: a.service}\n        - unit: {name: a.service", "unit:a.service is a resource of component 'a' already"},
    };
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        struct sty_repository repository;
        struct sty_resolved resolved = {0};
        sty_auto_free char *units = sty_sprintf("        - unit: {%s}\n", rows[i].unit);
        char *folder = folder_with(units);
        sty_repository_open(&repository, folder);
        sty_repository_resolve(&resolved, &repository, &shop, false);
        assert_null(resolved.instance);
        if (!strstr(resolved.message, rows[i].words))
            fail_msg("%s: %s", rows[i].unit, resolved.message);
        sty_resolved_clear(&resolved);
        sty_repository_clear(&repository);
        sty_folder_free(folder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units_in_an_instance),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
