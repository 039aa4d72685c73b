/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong in definitions is said with its place, for exactly the targets it touches. Each row changes one text
 * of a small good repository and names what must then be said.
 */
#include "repository.h"

#define HEAD "apiVersion: styrmin.io/v1\nkind: "
#define DRIVER HEAD "ApplicationDriver\nmetadata: {name: web}\nspec:\n  version: \"2\"\n"
#define DEPLOYMENT HEAD "Deployment\nmetadata: {name: shop}\nspec:\n  environment: production\n"
#define PINNED DEPLOYMENT "  driver: {name: web, version: \"2\"}\n  version: 1.4.0\n"
#define ONE_FILE "  components:\n    site:\n      resources:\n        - file: {path: /srv/a, content: x}\n"
#define STEPS(text)                                                                                                    \
    DRIVER ONE_FILE "  actions:\n    - name: go\n      hook: upgrade\n      steps:\n        - " text "\n"
#define RESOURCE(text) DRIVER "  components:\n    site:\n      resources:\n        - " text "\n"
#define PARAMETER(text) DRIVER "  parameters:\n    - {name: p, " text "}\n" ONE_FILE
#define GIVEN(text) PINNED "  parameters: {p: " text "}\n"

static const struct {
    const char *path, *text;
} good[] = {
    {"clusters/edge-1.yaml", HEAD "Cluster\nmetadata: {name: edge-1}\nspec: {kind: host}\n"},
    {"environments/production.yaml", HEAD "Environment\nmetadata: {name: production}\nspec:\n  cluster: edge-1\n"},
    {"deployments/shop.yaml", PINNED},
    {"drivers/web/2/driver.styrmin.yml", DRIVER ONE_FILE},
    {"drivers/web/2/files/page.html.mustache", "<p>{{parameters.p}}</p>\n{{#app}}{{nothing}}{{/app}}\n"},
};

struct mistake {
    const char *driver, *deployment; /* NULL: the good one; "": none */
    const char *message;             /* NULL: resolves */
};

static const struct mistake mistakes[] = {
    {NULL, NULL, NULL},
    /* missing documents */
    {NULL, "", "there is no Deployment production/shop in this commit"},
    {"", NULL, "deployments/shop.yaml:6:11: there is no driver web 2 in this commit: drivers/web/2/driver.styrmin.yml"},
    {NULL, DEPLOYMENT "  driver: {name: web, version: \"3\"}\n", "there is no driver web 3"},
    {NULL, DEPLOYMENT "  driver: {name: web, version: \"2\"}\n",
     "deployments/shop.yaml:5:3: no version: give spec.version, as driver web 2 has no default_version"},
    {NULL, "kind: [\n", "there is no Deployment"},
    {"kind: Nonsense\n", NULL, "drivers/web/2/driver.styrmin.yml"},
    /* parameters */
    {PARAMETER("kind: integer"), NULL, "deployments/shop.yaml:5:3: parameter 'p' is missing: driver web 2 needs it"},
    {PARAMETER("kind: integer"), GIVEN("many"),
     "deployments/shop.yaml:8:19: parameter 'p' wants an integer, not a string"},
    {PARAMETER("kind: integer"), GIVEN("1.5"), "wants an integer, not a number"},
    {PARAMETER("kind: integer, maximum: 10"), GIVEN("11"), "parameter 'p' is 11; the maximum is 10"},
    {PARAMETER("kind: integer, minimum: 1"), GIVEN("0"), "parameter 'p' is 0; the minimum is 1"},
    {PARAMETER("kind: number, minimum: 0.5"), GIVEN("0.25"), "parameter 'p' is 0.25; the minimum is 0.5"},
    {PARAMETER("kind: number"), GIVEN("yes"), "wants a number, not a string"},
    {PARAMETER("kind: boolean"), GIVEN("\"true\""), "wants a boolean, not a string"},
    {PARAMETER("kind: string"), GIVEN("[a]"), "wants a string, not a list"},
    {PARAMETER("kind: string"), GIVEN("null"), "has no value"},
    {PARAMETER("kind: string, pattern: \"^[A-Z]\""), GIVEN("abc"), "does not match the pattern '^[A-Z]'"},
    {PARAMETER("kind: string, pattern: \"((a{1,255}){1,255}){1,255}\""), GIVEN("a"), "a pattern that cannot be used"},
    {PARAMETER("kind: string, pattern: \"(a)\\\\1\""), GIVEN("aa"), "a pattern that cannot be used"},
    {PARAMETER("kind: string, pattern: \"(\""), GIVEN("aa"), "a pattern that cannot be used"},
    {PARAMETER("kind: enum, values: [small, large]"), GIVEN("huge"), "is 'huge', not one of: small, large"},
    {PARAMETER("kind: list"), GIVEN("{a: 1}"), "wants a list, not a map"},
    {PARAMETER("kind: map"), GIVEN("[a]"), "wants a map, not a list"},
    {PARAMETER("kind: secret"), GIVEN("hunter2"), "parameter 'p' is a secret: give where it is"},
    {PARAMETER("kind: secret"), GIVEN("{from_file: x}"), "is a secret: give where it is"},
    {PARAMETER("kind: secret"), GIVEN("{from_file: /x, from_env: Y}"), "is a secret: give where it is"},
    {PARAMETER("kind: integer, default: x"), NULL,
     "drivers/web/2/driver.styrmin.yml:7:41: parameter 'p' wants an integer, not a string"},
    {PARAMETER("kind: integer}\n    - {name: p, kind: string"), NULL, "a parameter of this name is there already"},
    {NULL, GIVEN("1"), "deployments/shop.yaml:8:19: driver web 2 has no parameter 'p'"},
    {NULL, PINNED "  components: {nope: {args: [a]}}\n", "driver web 2 has no component 'nope'"},
    /* templates */
    {RESOURCE("file: {path: \"/srv/{{parameters.no}}\", content: x}"), NULL,
     "drivers/web/2/driver.styrmin.yml:9:29: 'parameters.no' is not known"},
    {RESOURCE("file: {path: \"/srv/{{no\", content: x}"), NULL, "this tag is not closed"},
    {RESOURCE("file: {path: /srv/a.html, template: files/page.html.mustache}"), NULL,
     "drivers/web/2/files/page.html.mustache:1:4: 'parameters.p' is not known"},
    {PARAMETER("kind: string, default: x") "        - file: {path: /b, template: files/page.html.mustache}\n", NULL,
     "drivers/web/2/files/page.html.mustache:2:9: 'nothing' is not known"},
    {RESOURCE("file: {path: /srv/a, template: files/none}"), NULL, "the driver has no file 'files/none'"},
    {RESOURCE("file: {path: /srv/a, file: ../../x}"), NULL, "the driver has no file '../../x'"},
    {RESOURCE("file: {path: /srv/a, content: \"{{>none}}\"}"), NULL,
     "the driver has no file 'none' or 'none.mustache'"},
    /* resources */
    {RESOURCE("file: {path: srv/a, content: x}"), NULL, "path"},
    {RESOURCE("file: {path: /srv/../a, content: x}"), NULL, "path"},
    {PARAMETER("kind: string, default: rw") "        - directory: {path: /b, mode: \"{{parameters.p}}\"}\n", NULL,
     "mode"},
    {RESOURCE("directory: {path: /srv/a}\n        - symlink: {path: /srv//a, target: b}"), NULL,
     "file:/srv/a is a resource of component 'site' already"},
    {RESOURCE("process: {command: [a]}\n        - process: {command: [b]}"), NULL,
     "process:edge-1/production/shop/site is a resource of component 'site' already"},
    {PARAMETER("kind: integer, default: 1") "        - process: {command: \"{{parameters.p}}\"}\n", NULL, "command"},
    {RESOURCE("process: {command: [a], stop_timeout: \"{{app.version}}\"}"), NULL, "stop_timeout"},
    {PARAMETER("kind: integer, default: 70000") "      health: {tcp: {host: a, port: \"{{parameters.p}}\"}}\n", NULL,
     "port: wanted an integer from 1 to 65535, got '70000'"},
    /* components */
    {DRIVER ONE_FILE "      depends_on: [other]\n", NULL, "there is no component 'other' in this driver"},
    {DRIVER ONE_FILE "      restart_on: [site]\n", NULL, "component 'site' depends on itself"},
    {DRIVER ONE_FILE "      depends_on: [b]\n    b: {reload_on: [site]}\n", NULL, "depends on itself"},
    {DRIVER ONE_FILE "  services:\n    - {name: s, kind: http, component: none}\n", NULL,
     "there is no component 'none'"},
    {DRIVER ONE_FILE "  services:\n    - {name: s, kind: http}\n    - {name: s, kind: http}\n", NULL,
     "a service of the name 's' is there already"},
    /* steps */
    {STEPS("stop: [none]"), NULL, "drivers/web/2/driver.styrmin.yml:14:17: there is no component 'none'"},
    {STEPS("apply: none"), NULL, "there is no component 'none'"},
    {STEPS("wait: {component: none}"), NULL, "there is no component 'none'"},
    {STEPS("run: {command: [a], once: \"{{app.name}}\"}"), NULL, "once"},
    {STEPS("run: {command: \"{{app.name}}\"}"), NULL, "command"},
    {STEPS("run: {command: [a], env: {\"A=B\": x}}"), NULL, "'A=B' cannot be the name of an environment variable"},
    {STEPS("apply: all\n    - name: go\n      hook: start\n      steps: [apply: all]"), NULL,
     "an action of this name is there already"},
    /* secrets in places that would show them */
    {PARAMETER("kind: secret") "        - process: {command: [a, \"{{parameters.p}}\"]}\n", GIVEN("{from_env: K}"),
     "'parameters.p' is a secret: it can stand in file content"},
    {PARAMETER("kind: secret") "        - directory: {path: \"/srv/{{parameters.p}}\"}\n", GIVEN("{from_env: K}"),
     "'parameters.p' is a secret"},
    {PARAMETER("kind: secret") "        - file: {path: /b, content: \"{{#parameters.p}}x{{/parameters.p}}\"}\n",
     GIVEN("{from_env: K}"), "is a secret and cannot be a section"},
    {PARAMETER("kind: secret") "        - file: {path: /b.yaml, content: \"a: {{parameters}}\"}\n",
     GIVEN("{from_env: K}"), "'parameters' holds a secret"},
    {PARAMETER("kind: secret") "      health: {command: [\"{{parameters.p}}\"]}\n", GIVEN("{from_env: K}"),
     "'parameters.p' is a secret"},
    {PARAMETER("kind: string, default: x") "  actions:\n    - name: go\n      hook: start\n      steps:\n"
                                           "        - run: {command: [a], secrets: {k: \"{{parameters.p}}\"}}\n",
     NULL, "a step's secret is one tag that names a parameter of kind secret"},
    {PARAMETER("kind: secret") "  actions:\n    - name: go\n      hook: start\n      steps:\n"
                               "        - run: {command: [a], secrets: {../k: \"{{parameters.p}}\"}}\n",
     GIVEN("{from_env: K}"), "'../k' cannot be the name of a secret's file"},
};

/* What the schema refuses blocks the target; the mistake itself stands among the catalog's problems. */
static const struct mistake refused[] = {
    {RESOURCE("file: {path: /srv/a, file: files/page.html.mustache, content: x}"), NULL,
     "file: wanted exactly one of 'template', 'file' and 'content'"},
    {RESOURCE("file: {path: /srv/a}"), NULL, "file: wanted exactly one of 'template', 'file' and 'content'"},
    {DRIVER ONE_FILE "      health: {http: {url: x}, tcp: {host: a, port: 1}}\n", NULL,
     "health: give one of http, tcp and command"},
    {DRIVER ONE_FILE "      health: {tcp: {host: a, port: 70000}}\n", NULL,
     "port: wanted an integer from 1 to 65535, got '70000'"},
    {STEPS("wait: {component: site, duration: 1s}"), NULL, "wait: give one of component and duration"},
    {STEPS("wait: {timeout: 1s}"), NULL, "wait: wanted one of 'component' and 'duration'"},
};

static void write_good(const char *folder, const struct mistake *mistake)
{
    for (size_t i = 0; i < STY_COUNT(good); i++) {
        const char *text = good[i].text;
        if (sty_ends_with(good[i].path, "driver.styrmin.yml") && mistake->driver)
            text = mistake->driver;
        if (sty_starts_with(good[i].path, "deployments/") && mistake->deployment)
            text = mistake->deployment;
        if (*text)
            sty_folder_write(folder, good[i].path, text);
    }
}

static bool is_right(const struct sty_resolved *resolved, const struct mistake *mistake)
{
    if (!mistake->message)
        return resolved->instance && !resolved->message;
    return !resolved->instance && resolved->message && strstr(resolved->message, mistake->message);
}

static bool run_mistake(const struct mistake *mistake)
{
    char *folder = sty_folder_make();
    struct sty_repository repository;
    struct sty_resolved resolved = {0};
    struct sty_target target = {"edge-1", "production", "shop"};
    write_good(folder, mistake);
    sty_repository_open(&repository, folder);
    sty_repository_resolve(&resolved, &repository, &target, false);
    bool right = is_right(&resolved, mistake);
    if (!right)
        print_error("wanted '%s', got '%s'\n", mistake->message ? mistake->message : "an Instance",
                    resolved.message ? resolved.message : "an Instance");
    sty_resolved_clear(&resolved);
    sty_repository_clear(&repository);
    sty_folder_free(folder);
    return right;
}

static void mistakes_are_said(void **state)
{
    size_t bad = 0;
    (void)state;
    for (size_t i = 0; i < STY_COUNT(mistakes); i++)
        bad += !run_mistake(&mistakes[i]);
    assert_int_equal(bad, 0);
}

static void refused_by_the_schema(void **state)
{
    (void)state;
    for (size_t i = 0; i < STY_COUNT(refused); i++) {
        char *folder = sty_folder_make();
        struct sty_repository repository;
        struct sty_resolved resolved = {0};
        struct sty_target target = {"edge-1", "production", "shop"};
        write_good(folder, &refused[i]);
        sty_repository_open(&repository, folder);
        assert_int_equal(repository.problems.count, 1);
        assert_string_equal(repository.problems.items[0].message, refused[i].message);
        sty_repository_resolve(&resolved, &repository, &target, false);
        assert_null(resolved.instance);
        assert_non_null(strstr(resolved.message, "ApplicationDriver web/2 has mistakes"));
        sty_resolved_clear(&resolved);
        sty_repository_clear(&repository);
        sty_folder_free(folder);
    }
}

/* ---- documents above the Deployment ---- */

static void resolve_good(struct sty_resolved *out, struct sty_repository *repository, const char *folder,
                         const struct sty_target *target)
{
    sty_repository_open(repository, folder);
    sty_repository_resolve(out, repository, target, false);
}

static void missing_above(void **state)
{
    static const struct {
        const char *path, *text, *message, *remedy; /* text NULL: the file is not there */
    } rows[] = {
        {"environments/production.yaml", NULL, "deployments/shop.yaml:5:16: there is no Environment 'production'",
         "add environments/production.yaml, or correct spec.environment"},
        {"clusters/edge-1.yaml", NULL, "environments/production.yaml:5:12: there is no Cluster 'edge-1'",
         "add clusters/edge-1.yaml, or correct spec.cluster of environment production"},
        {"environments/production.yaml",
         HEAD "Environment\nmetadata: {name: production}\nspec: {cluster: 1x, nope: 2}\n",
         "environments/production.yaml:", "correct it; `styrmin check` names every mistake"},
    };
    (void)state;
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        char *folder = sty_folder_make();
        struct sty_repository repository;
        struct sty_resolved resolved = {0};
        for (size_t j = 0; j < STY_COUNT(good); j++) {
            bool changed = sty_streq(good[j].path, rows[i].path);
            if (!changed || rows[i].text)
                sty_folder_write(folder, good[j].path, changed ? rows[i].text : good[j].text);
        }
        resolve_good(&resolved, &repository, folder, &(struct sty_target){"edge-1", "production", "shop"});
        assert_null(resolved.instance);
        if (!strstr(resolved.message, rows[i].message))
            fail_msg("%s", resolved.message);
        assert_string_equal(resolved.remedy, rows[i].remedy);
        assert_int_equal(resolved.input_count, 4);
        sty_resolved_clear(&resolved);
        sty_repository_clear(&repository);
        sty_folder_free(folder);
    }
}

static void said_once(void **state)
{
    char *folder = sty_folder_make();
    struct mistake mistake = {.driver = RESOURCE("file: {path: \"/srv/{{no}}\", content: x}")};
    struct sty_repository repository;
    struct sty_resolved resolved = {0};
    struct sty_target target = {"edge-1", "production", "shop"};
    (void)state;
    write_good(folder, &mistake);
    resolve_good(&resolved, &repository, folder, &target);
    size_t before = repository.problems.count;
    sty_resolved_clear(&resolved);
    sty_repository_resolve(&resolved, &repository, &target, false);
    assert_int_equal(repository.problems.count, before);
    assert_true(before > 0);
    sty_resolved_clear(&resolved);
    sty_repository_clear(&repository);
    sty_folder_free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_said),
        cmocka_unit_test(refused_by_the_schema),
        cmocka_unit_test(missing_above),
        cmocka_unit_test(said_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
