/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every folder of tests/cases/instance: in/ is a desired-state repository, each expect.*.json names a target and holds
 * what resolving it must give, with the text of every rendered file. STYRMIN_UPDATE=1 writes the expectations anew (a
 * new one is a file with "target" alone): read the difference before you commit it.
 */
#include <dirent.h>
#include "repository.h"

static void add_texts(json_t *out, const struct sty_repository *repository, const struct sty_instance *instance)
{
    const char **digests = sty_instance_blobs(repository->arena, instance);
    for (size_t i = 0; digests[i]; i++) {
        const struct sty_blob *blob = sty_blobs_get(&repository->blobs, digests[i]);
        assert_non_null(blob);
        json_object_set_new(out, digests[i], sty_json_string(blob->bytes));
    }
}

static void set_text(json_t *out, const char *key, const char *text)
{
    if (text)
        json_object_set_new(out, key, sty_json_string(text));
}

static json_t *result_of(struct sty_repository *repository, const json_t *expected)
{
    const char *name = sty_json_text(expected, "target", "");
    struct sty_target target = sty_repository_target(repository, name);
    struct sty_resolved resolved = {0};
    json_t *out = json_pack("{s:s}", "target", name);
    sty_repository_resolve(&resolved, repository, &target, json_object_get(expected, "origins"));
    set_text(out, "message", resolved.message);
    set_text(out, "guard", resolved.guard);
    set_text(out, "remedy", resolved.remedy);
    if (resolved.origins)
        json_object_set(out, "origins", resolved.origins);
    if (resolved.instance) {
        json_t *texts = json_object();
        json_object_set(out, "instance", (json_t *)sty_instance_json(resolved.instance));
        json_object_set_new(out, "contents", texts);
        add_texts(texts, repository, resolved.instance);
    }
    sty_resolved_clear(&resolved);
    return out;
}

static void update(const char *path, const json_t *result)
{
    struct sty_error err;
    sty_auto(str) out = STY_STR_INIT;
    sty_auto_free char *text = json_dumps(result, JSON_INDENT(1) | JSON_SORT_KEYS);
    sty_str_append(&out, text);
    sty_str_append(&out, "\n");
    assert_int_equal(sty_file_replace(path, out.data, out.length, 0644, &err), 0);
}

static bool run_expectation(struct sty_repository *repository, const char *path)
{
    struct sty_error err;
    sty_auto(str) text = STY_STR_INIT;
    json_auto_t *expected = NULL;
    assert_int_equal(sty_file_read(&text, path, 1 << 20, &err), 0);
    if (sty_json_parse(&expected, text.data, text.length, &err) < 0)
        fail_msg("%s: %s", path, err.text);
    json_auto_t *result = result_of(repository, expected);
    if (getenv("STYRMIN_UPDATE"))
        update(path, result);
    else if (!json_equal(result, expected)) {
        sty_auto_free char *got = json_dumps(result, JSON_INDENT(1) | JSON_SORT_KEYS);
        print_error("%s: got\n%s\n", path, got);
        return false;
    }
    return true;
}

static size_t run_case(const char *folder, size_t *run)
{
    sty_auto_free char *in = sty_sprintf("%s/in", folder);
    struct sty_repository repository;
    size_t bad = 0;
    sty_repository_open(&repository, in);
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
        if (!sty_starts_with(entry->d_name, "expect.") || !sty_ends_with(entry->d_name, ".json"))
            continue;
        sty_auto_free char *path = sty_sprintf("%s/%s", folder, entry->d_name);
        bad += !run_expectation(&repository, path);
        *run += 1;
    }
    closedir(directory);
    sty_repository_clear(&repository);
    return bad;
}

static void all_cases(void **state)
{
    DIR *directory = opendir(STYRMIN_TESTS "/cases/instance");
    size_t bad = 0, run = 0;
    (void)state;
    assert_non_null(directory);
    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
        sty_auto_free char *folder = sty_sprintf(STYRMIN_TESTS "/cases/instance/%s", entry->d_name);
        if (entry->d_name[0] != '.')
            bad += run_case(folder, &run);
    }
    closedir(directory);
    assert_true(run >= 4);
    assert_int_equal(bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_cases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
