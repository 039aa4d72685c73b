/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Instance as an object, blobs and targets: what later stages hold in their hands.
 */
#include "repository.h"

static const char text[] =
    "{\"components\":{"
    "\"api\":{\"depends_on\":[\"db\"],\"reload_on\":[],\"resources\":[{\"id\":\"process:c/e/d/api\",\"spec\":{},"
    "\"type\":\"process\"}],\"restart_on\":[\"web\"]},"
    "\"db\":{\"depends_on\":[],\"reload_on\":[],\"resources\":[{\"id\":\"file:/db\",\"spec\":{\"content\":{\"digest\":"
    "\"sha256:aa\",\"holes\":[],\"size\":1}},\"type\":\"file\"}],\"restart_on\":[]},"
    "\"aux\":{\"depends_on\":[],\"reload_on\":[\"web\"],\"resources\":[],\"restart_on\":[]},"
    "\"web\":{\"depends_on\":[],\"reload_on\":[],\"resources\":[],\"restart_on\":[]}},"
    "\"driver\":{\"files\":\"sha256:bb\"},\"format\":1}";

static struct sty_instance *parse(const char *bytes)
{
    struct sty_instance *instance = NULL;
    struct sty_error err;
    if (sty_instance_parse(&instance, bytes, strlen(bytes), NULL, &err) < 0)
        fail_msg("%s", err.text);
    return instance;
}

static void bytes_are_kept(void **state)
{
    sty_auto_ptr(instance) instance = parse(text);
    char digest[STY_DIGEST_SIZE];
    size_t length = 0;
    (void)state;
    sty_digest(digest, text, strlen(text));
    assert_string_equal(sty_instance_digest(instance), digest);
    assert_string_equal(sty_instance_bytes(&length, instance), text);
    assert_int_equal(length, strlen(text));
}

static void folded_and_unfolded(void **state)
{
    sty_auto_ptr(instance) instance = parse(text);
    json_auto_t *before = json_deep_copy(sty_instance_json(instance));
    (void)state;
    sty_instance_fold(instance);
    assert_true(json_equal(before, sty_instance_json(instance)));
}

static void bad_bytes_are_refused(void **state)
{
    static const struct {
        const char *bytes, *digest;
        enum sty_code code;
    } rows[] = {{"{\"format\":1}", NULL, STY_CORRUPT},
                {"{\"format\":2,\"components\":{}}", NULL, STY_INVALID},
                {"{\"format\":1,\"components\":{}} x", NULL, STY_CORRUPT},
                {"[]", NULL, STY_CORRUPT},
                {"", NULL, STY_CORRUPT},
                {"{\"format\":1,\"components\":{}}", "sha256:00", STY_CORRUPT}};
    (void)state;
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        struct sty_instance *out = NULL;
        struct sty_error err;
        assert_int_equal(sty_instance_parse(&out, rows[i].bytes, strlen(rows[i].bytes), rows[i].digest, &err), -1);
        assert_int_equal(err.code, rows[i].code);
        assert_null(out);
    }
}

static void resources_are_found(void **state)
{
    sty_auto_ptr(instance) instance = parse(text);
    const char *component = NULL;
    (void)state;
    const json_t *resource = sty_instance_resource(&component, instance, "file:/db");
    assert_string_equal(sty_json_text(resource, "type", ""), "file");
    assert_string_equal(component, "db");
    assert_null(sty_instance_resource(&component, instance, "file:/none"));
}

static void blobs_are_listed(void **state)
{
    sty_auto_ptr(instance) instance = parse(text);
    sty_auto_ptr(arena) arena = sty_arena_new();
    const char **digests = sty_instance_blobs(arena, instance);
    (void)state;
    assert_string_equal(digests[0], "sha256:aa");
    assert_string_equal(digests[1], "sha256:bb");
    assert_null(digests[2]);
}

static void components_are_ordered(void **state)
{
    static const char *const wanted[] = {"db", "web", "api", "aux"};
    sty_auto_ptr(instance) instance = parse(text);
    sty_auto_ptr(arena) arena = sty_arena_new();
    const char **order = sty_instance_component_order(arena, instance);
    (void)state;
    for (size_t i = 0; i < STY_COUNT(wanted); i++)
        assert_string_equal(order[i], wanted[i]);
    assert_null(order[STY_COUNT(wanted)]);
}

static void targets_by_suffix(void **state)
{
    static const struct {
        const char *text;
        bool matches;
    } rows[] = {
        {"shop", true},    {"production/shop", true}, {"edge-1/production/shop", true},    {"op", false},
        {"", false},       {"/shop", false},          {"x/edge-1/production/shop", false}, {"production", false},
        {"n/shop", false}, {"edge-1/shop", false}};
    static const struct sty_target target = {"edge-1", "production", "shop"};
    sty_auto_ptr(arena) arena = sty_arena_new();
    (void)state;
    assert_string_equal(sty_target_text(arena, &target), "edge-1/production/shop");
    for (size_t i = 0; i < STY_COUNT(rows); i++)
        assert_int_equal(sty_target_matches(&target, rows[i].text), rows[i].matches);
}

static void blobs_are_kept_once(void **state)
{
    sty_auto_ptr(arena) arena = sty_arena_new();
    struct sty_blobs blobs;
    (void)state;
    sty_blobs_init(&blobs, arena);
    const struct sty_blob *first = sty_blobs_add(&blobs, "a\0b", 3);
    const struct sty_blob *again = sty_blobs_add(&blobs, "a\0b", 3);
    const struct sty_blob *empty = sty_blobs_add(&blobs, "", 0);
    assert_ptr_equal(first, again);
    assert_ptr_not_equal(first, empty);
    assert_int_equal(first->length, 3);
    assert_memory_equal(first->bytes, "a\0b", 4);
    assert_ptr_equal(sty_blobs_get(&blobs, first->digest), first);
    assert_null(sty_blobs_get(&blobs, "sha256:none"));
    sty_blobs_clear(&blobs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_kept),        cmocka_unit_test(folded_and_unfolded),
        cmocka_unit_test(bad_bytes_are_refused), cmocka_unit_test(resources_are_found),
        cmocka_unit_test(blobs_are_listed),      cmocka_unit_test(components_are_ordered),
        cmocka_unit_test(targets_by_suffix),     cmocka_unit_test(blobs_are_kept_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
