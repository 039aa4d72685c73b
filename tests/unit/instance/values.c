/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values that are right: what each kind of parameter takes and becomes, how layers of config merge, where services are.
 */
#include "repository.h"

#define HEAD "apiVersion: styrmin.io/v1\nkind: "

static const struct sty_target target = {"c", "e", "d"};

/* Four documents from their varying parts. */
struct parts {
    const char *cluster, *environment, *deployment, *driver; /* lines of spec, indented by two */
};

static json_t *resolve(const struct parts *parts, const char *pointer)
{
    char *folder = sty_folder_make();
    sty_auto_free char *cluster = sty_sprintf(HEAD "Cluster\nmetadata: {name: c}\nspec:\n%s", parts->cluster);
    sty_auto_free char *environment =
        sty_sprintf(HEAD "Environment\nmetadata: {name: e}\nspec:\n  cluster: c\n%s", parts->environment);
    sty_auto_free char *deployment = sty_sprintf(HEAD "Deployment\nmetadata: {name: d}\nspec:\n  environment: e\n"
                                                      "  driver: {name: w, version: \"1\"}\n  version: \"5\"\n%s",
                                                 parts->deployment);
    sty_auto_free char *driver = sty_sprintf(HEAD "ApplicationDriver\nmetadata: {name: w}\nspec:\n  version: \"1\"\n"
                                                  "  components: {m: {}}\n%s",
                                             parts->driver);
    sty_folder_write(folder, "clusters/c.yaml", cluster);
    sty_folder_write(folder, "environments/e.yaml", environment);
    sty_folder_write(folder, "deployments/d.yaml", deployment);
    sty_folder_write(folder, "drivers/w/1/driver.styrmin.yml", driver);
    struct sty_repository repository;
    struct sty_resolved resolved = {0};
    sty_repository_open(&repository, folder);
    sty_repository_resolve(&resolved, &repository, &target, true);
    if (!resolved.instance)
        fail_msg("%s", resolved.message);
    assert_non_null(json_object_get(resolved.origins, "/application/version"));
    json_t *value = json_deep_copy(sty_json_pointer(sty_instance_json(resolved.instance), pointer));
    sty_resolved_clear(&resolved);
    sty_repository_clear(&repository);
    sty_folder_free(folder);
    return value;
}

static void check(const struct parts *parts, const char *pointer, const char *wanted)
{
    json_auto_t *value = resolve(parts, pointer);
    sty_auto_free char *got = value ? sty_json_canonical_text(value) : sty_strdup("nothing");
    if (strcmp(got, wanted) != 0)
        fail_msg("%s%s%s: got %s, wanted %s", parts->deployment, parts->driver, pointer, got, wanted);
}

/* ---- parameters ---- */

static const struct {
    const char *declared, *given, *wanted; /* given NULL: the default */
} parameters[] = {
    {"kind: string", "abc", "\"abc\""},
    {"kind: string", "1.10", "\"1.10\""},
    {"kind: string", "012", "\"012\""},
    {"kind: string", "0x1F", "\"0x1F\""},
    {"kind: string", "true", "\"true\""},
    {"kind: string", "no", "\"no\""},
    {"kind: string", "\"\"", "\"\""},
    {"kind: string", "1e3", "\"1e3\""},
    {"kind: string, pattern: \"^[0-9]+\\\\.[0-9]+$\"", "1.50", "\"1.50\""},
    {"kind: string, default: 2.50", NULL, "\"2.50\""},
    {"kind: integer", "42", "42"},
    {"kind: integer", "012", "12"},
    {"kind: integer, minimum: 1, maximum: 1", "1", "1"},
    {"kind: integer, default: 7", NULL, "7"},
    {"kind: number", "1.50", "1.5"},
    {"kind: number", "3", "3"},
    {"kind: boolean", "true", "true"},
    {"kind: boolean, default: false", NULL, "false"},
    {"kind: enum, values: [small, large]", "large", "\"large\""},
    {"kind: enum, values: [\"1.10\", \"2\"]", "1.10", "\"1.10\""},
    {"kind: list", "[1, a, [b], {c: null}]", "[1,\"a\",[\"b\"],{\"c\":null}]"},
    {"kind: list, default: []", NULL, "[]"},
    {"kind: map", "{a: {b: 1}}", "{\"a\":{\"b\":1}}"},
    {"kind: secret", "{from_env: KEY}", "{\"from_env\":\"KEY\"}"},
    {"kind: secret", "{from_command: [pass, show, x]}", "{\"from_command\":[\"pass\",\"show\",\"x\"]}"},
    {"kind: secret, default: {from_file: /run/x}", NULL, "{\"from_file\":\"/run/x\"}"},
};

static void parameters_become_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < STY_COUNT(parameters); i++) {
        sty_auto_free char *driver = sty_sprintf("  parameters: [{name: p, %s}]\n", parameters[i].declared);
        sty_auto_free char *given =
            parameters[i].given ? sty_sprintf("  parameters: {p: %s}\n", parameters[i].given) : sty_strdup("");
        struct parts parts = {"  kind: host\n", "", given, driver};
        check(&parts, "/context/parameters/p", parameters[i].wanted);
    }
}

/* ---- config (RFC 7396) ---- */

static const struct {
    const char *cluster, *environment, *deployment, *wanted;
} merges[] = {
    {"{}", "{}", "{}", "{}"},
    {"{a: 1}", "{}", "{}", "{\"a\":1}"},
    {"{a: 1}", "{a: 2}", "{a: 3}", "{\"a\":3}"},
    {"{a: {b: 1, c: 2}}", "{a: {c: 3}}", "{a: {d: 4}}", "{\"a\":{\"b\":1,\"c\":3,\"d\":4}}"},
    {"{a: [1, 2]}", "{a: [3]}", "{}", "{\"a\":[3]}"},
    {"{a: {b: 1}}", "{a: x}", "{a: {c: 1}}", "{\"a\":{\"c\":1}}"},
    {"{a: 1, b: 2}", "{a: null}", "{}", "{\"b\":2}"},
    {"{a: 1}", "{a: null}", "{a: 2}", "{\"a\":2}"},
    {"{a: null}", "{}", "{b: {c: null}}", "{\"b\":{}}"},
};

static void configs_merge(void **state)
{
    (void)state;
    for (size_t i = 0; i < STY_COUNT(merges); i++) {
        sty_auto_free char *cluster = sty_sprintf("  kind: host\n  config: %s\n", merges[i].cluster);
        sty_auto_free char *environment = sty_sprintf("  config: %s\n", merges[i].environment);
        sty_auto_free char *deployment = sty_sprintf("  config: %s\n", merges[i].deployment);
        check(&(struct parts){cluster, environment, deployment, ""}, "/context/instance/config", merges[i].wanted);
    }
}

/* ---- services ---- */

static const struct {
    const char *cluster, *scope, *wanted;
} hosts[] = {
    {"  kind: host\n", "internal", "\"127.0.0.1\""},
    {"  kind: host\n", "external", "\"127.0.0.1\""},
    {"  kind: host\n  config: {fqdn_suffix: x.org}\n", "internal", "\"127.0.0.1\""},
    {"  kind: host\n  config: {fqdn_suffix: x.org}\n", "external", "\"web.d.x.org\""},
    {"  kind: kubernetes\n", "internal", "\"web.d.svc\""},
    {"  kind: kubernetes\n  config: {fqdn_suffix: x.org}\n", "external", "\"web.d.x.org\""},
};

static void services_have_hosts(void **state)
{
    (void)state;
    for (size_t i = 0; i < STY_COUNT(hosts); i++) {
        sty_auto_free char *driver = sty_sprintf("  services: [{name: web, kind: http, scope: %s}]\n", hosts[i].scope);
        check(&(struct parts){hosts[i].cluster, "", "", driver}, "/context/services/web/host", hosts[i].wanted);
    }
}

/* ---- the rest of the context, and what has defaults ---- */

static const struct {
    const char *deployment, *driver, *pointer, *wanted;
} rest[] = {
    {"", "", "/context/app", "{\"name\":\"w\",\"version\":\"5\"}"},
    {"  application: shop\n", "", "/application", "{\"name\":\"shop\",\"version\":\"5\"}"},
    {"", "", "/context/driver", "{\"name\":\"w\",\"version\":\"1\"}"},
    {"  namespace: ns\n", "", "/context/instance/namespace", "\"ns\""},
    {"", "", "/context/instance/namespace", "\"d\""},
    {"", "", "/context/instance/release", "\"d\""},
    {"", "", "/context/components", "{\"m\":{\"args\":[],\"env\":{}}}"},
    {"  components: {m: {command: [a], args: [b], env: {C: 1}}}\n", "", "/context/components/m",
     "{\"args\":[\"b\"],\"command\":[\"a\"],\"env\":{\"C\":\"1\"}}"},
    {"", "", "/lifecycle", "\"running\""},
    {"  lifecycle: stopped\n", "", "/lifecycle", "\"stopped\""},
    {"", "", "/on_failure", "{\"attempts\":1,\"downgrade\":\"hold\",\"update\":\"restore\",\"upgrade\":\"hold\"}"},
    {"", "  on_failure: {upgrade: restore, attempts: 2}\n", "/on_failure",
     "{\"attempts\":2,\"downgrade\":\"hold\",\"update\":\"restore\",\"upgrade\":\"restore\"}"},
    {"", "", "/components/m/drift", "{\"ignore_fields\":[],\"policy\":\"heal\"}"},
    {"", "", "/components/m/health", "null"},
    {"", "", "/actions", "[]"},
    {"  suspend: true\n  depends_on: [x]\n  deletion: retain\n  allow_downgrade: true\n", "", "/suspend", "nothing"},
};

static void the_rest_is_filled(void **state)
{
    (void)state;
    for (size_t i = 0; i < STY_COUNT(rest); i++)
        check(&(struct parts){"  kind: host\n", "", rest[i].deployment, rest[i].driver}, rest[i].pointer,
              rest[i].wanted);
}

/* Policy is not in the Instance: changing it changes no digest. */
static void policy_changes_no_digest(void **state)
{
    static const char *const policies[] = {"  suspend: true\n", "  depends_on: [x]\n", "  deletion: retain\n",
                                           "  allow_downgrade: true\n"};
    struct parts plain = {"  kind: host\n", "", "", ""};
    json_auto_t *wanted = resolve(&plain, "");
    (void)state;
    for (size_t i = 0; i < STY_COUNT(policies); i++) {
        struct parts parts = {"  kind: host\n", "", policies[i], ""};
        json_auto_t *got = resolve(&parts, "");
        assert_true(json_equal(got, wanted));
    }
    struct parts environment = {"  kind: host\n", "  budget: {change: 25%}\n  mode: observe\n  review: require\n", "",
                                ""};
    json_auto_t *got = resolve(&environment, "");
    assert_true(json_equal(got, wanted));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_become_values), cmocka_unit_test(configs_merge),
        cmocka_unit_test(services_have_hosts),      cmocka_unit_test(the_rest_is_filled),
        cmocka_unit_test(policy_changes_no_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
