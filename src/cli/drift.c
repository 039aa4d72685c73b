/* SPDX-License-Identifier: Apache-2.0 */
/* drift: look now at what is really there, and with --heal put it right. */
#include <stdio.h>
#include <string.h>

#include "cli/acting.h"

static enum sty_style style_of(size_t column, const char *cell)
{
    if (column != 2)
        return STY_STYLE_PLAIN;
    return sty_streq(cell, "healed") ? STY_STYLE_GOOD : sty_streq(cell, "unknown") ? STY_STYLE_WARN : STY_STYLE_BAD;
}

/* A value as short as people compare it: of a digest its beginning, of a long text too. */
static const char *value_words(struct sty_arena *arena, const json_t *value)
{
    const char *text = json_string_value(value);
    if (!value || json_is_null(value))
        return "nothing";
    if (text)
        return sty_starts_with(text, "sha256:") ? sty_arena_printf(arena, "%.8s", text + strlen("sha256:"))
                                                : sty_arena_printf(arena, "%.60s", text);
    sty_auto_free char *dumped = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    return sty_arena_printf(arena, "%.60s", dumped ? dumped : "");
}

static const char *difference(struct sty_arena *arena, const json_t *resource)
{
    const json_t *diff = json_object_get(resource, "diff");
    const char *message = sty_json_text(resource, "message", "");
    sty_auto(str) text = STY_STR_INIT;
    for (size_t i = 0; i < json_array_size(diff) && i < 3; i++) {
        const json_t *entry = json_array_get(diff, i);
        const char *path = sty_json_text(entry, "path", "");
        sty_str_appendf(&text, "%s%s is %s, wanted %s", i ? "; " : "", path + (*path == '/'),
                        value_words(arena, json_object_get(entry, "to")),
                        value_words(arena, json_object_get(entry, "from")));
    }
    if (!text.length)
        sty_str_append(&text, message);
    return sty_arena_strdup(arena, text.data);
}

static size_t count_rows(const json_t *deployments)
{
    size_t rows = 1;
    for (size_t i = 0; i < json_array_size(deployments); i++)
        rows += json_array_size(json_object_get(json_array_get(deployments, i), "resources"));
    return rows;
}

static void say(const struct sty_cli *cli, const json_t *document)
{
    enum { COLUMNS = 4 };
    const json_t *deployments = json_object_get(document, "deployments");
    size_t rows = count_rows(deployments), at = COLUMNS;
    const char **cells = sty_arena_alloc(cli->arena, rows * COLUMNS * sizeof(*cells));
    static const char *const heading[COLUMNS] = {"TARGET", "RESOURCE", "STATE", "DIFFERENCE"};
    memcpy(cells, heading, sizeof(heading));
    for (size_t i = 0; i < json_array_size(deployments); i++) {
        const json_t *deployment = json_array_get(deployments, i),
                     *resources = json_object_get(deployment, "resources");
        for (size_t r = 0; r < json_array_size(resources); r++) {
            const json_t *resource = json_array_get(resources, r);
            bool healed = sty_json_bool(resource, "healed", false);
            cells[at++] = sty_target_words(cli, deployment);
            cells[at++] = sty_json_text(resource, "id", "");
            cells[at++] = healed                                       ? "healed"
                          : sty_json_bool(resource, "flapping", false) ? "flapping"
                                                                       : sty_json_text(resource, "state", "");
            cells[at++] = difference(cli->arena, resource);
        }
    }
    if (rows > 1)
        sty_print_table(cli, &(struct sty_table){COLUMNS, rows, cells, style_of});
    else
        printf("%zu target%s as the active Instance%s\n", json_array_size(deployments),
               json_array_size(deployments) == 1 ? " is" : "s are",
               json_array_size(deployments) == 1 ? " says" : "s say");
}

int sty_command_drift(struct sty_cli *cli, struct sty_error *err)
{
    sty_auto(acting) acting = {.lock = -1};
    sty_auto(outcome) outcome = {0};
    struct sty_drift_wish wish = {.targets = cli->arguments, .heal = sty_cli_option(cli, "heal")};
    int opened = wish.heal ? sty_acting_open(&acting, cli, 0, err) : sty_acting_look(&acting, cli, err);
    if (opened < 0 || sty_reconcile_drift(&outcome, &acting.installation, &wish, err) < 0)
        return -1;
    if (cli->json && sty_print_json(outcome.document, err) < 0)
        return -1;
    if (!cli->json && !cli->quiet)
        say(cli, outcome.document);
    return sty_cli_option(cli, "exit-code") && outcome.changes ? STY_EXIT_CHANGES : STY_EXIT_OK;
}
