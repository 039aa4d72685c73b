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
    sty_print_styled(cli, style, sty_arena_printf(cli->arena, "  %s %s", sign, text ? text : ""));
    putchar('\n');
}

static void print_change(const struct sty_cli *cli, const char *path, const json_t *from, const json_t *to)
{
    sty_print_styled(cli, STY_STYLE_BOLD, path);
    putchar('\n');
    print_value(cli, "-", from, STY_STYLE_BAD);
    print_value(cli, "+", to, STY_STYLE_GOOD);
}

/* A list of resources is compared whole; people are told resource by resource instead. */
static bool is_list_of_resources(const char *path)
{
    return sty_starts_with(path, "/components/") && sty_ends_with(path, "/resources");
}

static void print_entries(const struct sty_cli *cli, const json_t *entries)
{
    size_t i;
    json_t *entry;
    json_array_foreach (entries, i, entry) {
        const char *path = sty_json_text(entry, "path", "");
        if (!is_list_of_resources(path))
            print_change(cli, path, json_object_get(entry, "from"), json_object_get(entry, "to"));
    }
}

static void print_inside(const struct sty_cli *cli, const char *path, const json_t *from, const json_t *to)
{
    if (from && to && json_equal((json_t *)from, (json_t *)to))
        return;
    if (!json_is_object(from) || !json_is_object(to)) {
        print_change(cli, path, from, to);
        return;
    }
    json_auto_t *both = json_object();
    json_object_update(both, (json_t *)from);
    json_object_update_missing(both, (json_t *)to);
    for (const char **key = sty_json_keys(cli->arena, both); *key; key++)
        print_inside(cli, sty_arena_printf(cli->arena, "%s/%s", path, *key), json_object_get(from, *key),
                     json_object_get(to, *key));
}

static void print_resources(const struct sty_cli *cli, const json_t *resources, const struct sty_instance *from,
                            const struct sty_instance *to)
{
    size_t i;
    json_t *resource;
    json_array_foreach (resources, i, resource) {
        const char *action = sty_json_text(resource, "action", ""), *id = sty_json_text(resource, "id", "");
        const char *component = NULL;
        bool made = strcmp(action, "create") == 0, gone = strcmp(action, "delete") == 0;
        sty_print_styled(cli, made ? STY_STYLE_GOOD : gone ? STY_STYLE_BAD : STY_STYLE_WARN, action);
        sty_print_visible(sty_arena_printf(cli->arena, " %s\n", id));
        if (!made && !gone)
            print_inside(cli, "  ", sty_instance_resource(&component, from, id),
                         sty_instance_resource(&component, to, id));
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
    print_resources(cli, diff.resources, from, to);
    if (json_array_size(diff.entries) == 0 && !cli->quiet)
        puts("no difference");
    return STY_EXIT_OK;
}
