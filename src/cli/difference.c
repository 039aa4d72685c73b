/* SPDX-License-Identifier: Apache-2.0 */
/* diff: what differs between two Instances, path by path. */
#include <stdio.h>
#include <string.h>

#include "cli/ledger_view_internal.h"
#include "diff/diff.h"

static void print_value(const struct sty_cli *cli, const char *sign, const json_t *value, enum sty_style style)
{
    if (!value || json_is_null(value))
        return;
    sty_auto_free char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
    sty_print_styled(cli, style, sty_arena_printf(cli->arena, "%s %s", sign, text ? text : ""));
    putchar('\n');
}

/* The resources of a component, which are told one by one. */
static bool is_resources(const char *path)
{
    const char *last = strrchr(path, '/');
    return sty_starts_with(path, "/components/") && sty_streq(last, "/resources");
}

static void print_entries(const struct sty_cli *cli, const json_t *entries)
{
    size_t i;
    json_t *entry;
    json_array_foreach (entries, i, entry) {
        if (is_resources(sty_json_text(entry, "path", "")))
            continue;
        sty_print_styled(cli, STY_STYLE_BOLD, sty_json_text(entry, "path", ""));
        putchar('\n');
        print_value(cli, "  -", json_object_get(entry, "from"), STY_STYLE_BAD);
        print_value(cli, "  +", json_object_get(entry, "to"), STY_STYLE_GOOD);
    }
}

/* Spec of the resource `id` on `side`, "from" or "to"; NULL: it is not there. */
static const json_t *spec_of(const json_t *entries, const char *side, const char *id)
{
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i), *list = json_object_get(entry, side);
        if (!is_resources(sty_json_text(entry, "path", "")))
            continue;
        for (size_t r = 0; r < json_array_size(list); r++)
            if (sty_streq(sty_json_text(json_array_get(list, r), "id", ""), id))
                return json_object_get(json_array_get(list, r), "spec");
    }
    return NULL;
}

/* Which fields of an updated resource differ; of content, the beginning of its digest. */
static void print_fields(const struct sty_cli *cli, const json_t *from, const json_t *to)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)to, key, value) {
        const json_t *before = json_object_get(from, key);
        if (json_equal(before, value))
            continue;
        const char *old = sty_json_text(before, "digest", NULL), *new = sty_json_text(value, "digest", NULL);
        printf("  %s", key);
        if (old && new)
            printf("  %s -> %s", sty_people_short(cli->arena, old), sty_people_short(cli->arena, new));
        putchar('\n');
        print_value(cli, "    -", old && new ? json_null() : before, STY_STYLE_BAD);
        print_value(cli, "    +", old && new ? json_null() : value, STY_STYLE_GOOD);
    }
}

static void print_resources(const struct sty_cli *cli, const json_t *resources, const json_t *entries)
{
    size_t i;
    json_t *resource;
    json_array_foreach (resources, i, resource) {
        const char *action = sty_json_text(resource, "action", ""), *id = sty_json_text(resource, "id", "");
        const json_t *from = spec_of(entries, "from", id), *to = spec_of(entries, "to", id);
        sty_print_styled(cli,
                         strcmp(action, "create") == 0   ? STY_STYLE_GOOD
                         : strcmp(action, "delete") == 0 ? STY_STYLE_BAD
                                                         : STY_STYLE_WARN,
                         action);
        putchar(' ');
        sty_print_visible(id);
        putchar('\n');
        if (from && to)
            print_fields(cli, from, to);
    }
}

static json_t *side(const struct sty_instance *instance)
{
    const json_t *tree = sty_instance_json(instance);
    sty_auto_free char *target =
        sty_sprintf("%s/%s/%s", sty_json_text(tree, "cluster", ""), sty_json_text(tree, "environment", ""),
                    sty_json_text(tree, "deployment", ""));
    return json_pack("{s:s, s:s}", "target", target, "instance", sty_instance_digest(instance));
}

int sty_command_diff(struct sty_cli *cli, struct sty_error *err)
{
    sty_auto_ptr(instance) from = NULL;
    sty_auto_ptr(instance) to = NULL;
    sty_auto(diff) diff = {0};
    if (cli->argument_count != 2)
        return sty_error_set(err, STY_USAGE, "diff wants two Instances, such as shop@{1} and shop@active");
    if (sty_name_instance_open(&from, cli->ledger, cli->arguments[0], err) < 0 ||
        sty_name_instance_open(&to, cli->ledger, cli->arguments[1], err) < 0)
        return -1;
    sty_diff(&diff, from, to, NULL);
    if (cli->json) {
        json_auto_t *document = json_pack("{s:s, s:o, s:o, s:O, s:O}", "kind", "Diff", "from", side(from), "to",
                                          side(to), "diff", diff.entries, "resources", diff.resources);
        return sty_print_json(document, err);
    }
    print_entries(cli, diff.entries);
    print_resources(cli, diff.resources, diff.entries);
    if (json_array_size(diff.entries) == 0 && !cli->quiet)
        puts("no difference");
    return STY_EXIT_OK;
}
