/* SPDX-License-Identifier: Apache-2.0 */
/* explain: where a value came from, by the definitions; without a path why a target is as it is, by the ledger. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/ledger_view_internal.h"

static void print_origin(const json_t *origin)
{
    const char *commit = sty_json_text(origin, "commit", NULL);
    if (json_is_object(origin))
        printf("%s:%lld:%lld", sty_json_text(origin, "file", ""), (long long)sty_json_int(origin, "line", 0),
               (long long)sty_json_int(origin, "column", 0));
    else
        fputs("(computed)", stdout);
    if (commit) {
        printf("  (%.8s by ", commit);
        sty_print_visible(sty_json_text(origin, "author", ""));
        fputs(")", stdout);
    }
}

/* Beside file and line, the commit that last changed the file, where there are commits. */
static void add_commit(json_t *origin, struct sty_arena *arena, const struct sty_view *view)
{
    const char *file = sty_json_text(origin, "file", NULL);
    struct sty_commit commit;
    struct sty_error unknown;
    if (!file)
        return;
    const char *path = *view->folder ? sty_arena_printf(arena, "%s/%s", view->folder, file) : file;
    bool known = view->snapshot.commit[0] &&
                 sty_repo_last_change(&commit, arena, view->repo, view->snapshot.commit, path, &unknown) == 0;
    json_object_set_new(origin, "commit", known ? json_string(commit.oid) : json_null());
    json_object_set_new(origin, "author", known ? sty_json_string(commit.author) : json_null());
}

static void add_commits(json_t *document, struct sty_arena *arena, const struct sty_view *view)
{
    const json_t *layers = json_object_get(document, "layers");
    add_commit(json_object_get(document, "origin"), arena, view);
    for (size_t i = 0; i < json_array_size(layers); i++)
        add_commit(json_object_get(json_array_get(layers, i), "origin"), arena, view);
}

static void print_explanation(const struct sty_cli *cli, const json_t *document)
{
    sty_auto_free char *value =
        json_dumps(json_object_get(document, "value"), JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_SORT_KEYS);
    sty_print_styled(cli, STY_STYLE_BOLD, sty_json_text(document, "path", ""));
    fputs(" = ", stdout);
    sty_print_visible(value ? value : "null");
    fputs("\n  from ", stdout);
    print_origin(json_object_get(document, "origin"));
    putchar('\n');
    const json_t *layers = json_object_get(document, "layers");
    for (size_t i = 0; i < json_array_size(layers); i++) {
        const json_t *layer = json_array_get(layers, i);
        sty_auto_free char *text = json_dumps(json_object_get(layer, "value"), JSON_ENCODE_ANY | JSON_COMPACT);
        printf("  %-12s ", sty_json_text(layer, "layer", ""));
        sty_print_visible(text ? text : "-");
        fputs("  ", stdout);
        print_origin(json_object_get(layer, "origin"));
        putchar('\n');
    }
}

/* The folder that was named, this one where it holds definitions, or else what was last synced. */
static int open_view(struct sty_view *view, struct sty_cli *cli, struct sty_error *err)
{
    const char *tree = sty_cli_option(cli, "tree"), *revision = sty_cli_option(cli, "revision");
    json_auto_t *source = NULL;
    if (tree || revision || access("clusters", F_OK) == 0)
        return sty_view_open(view, cli->arena, tree ? tree : ".", revision, err);
    if (sty_cli_prepare(cli, STY_NEEDS_CONFIGURATION | STY_NEEDS_LEDGER, err) < 0)
        return err->code == STY_USAGE ? sty_error_wrap(err, "no clusters/ in this folder") : -1;
    if (sty_view_source(&source, cli->ledger, err) < 0)
        return -1;
    const char *walked = sty_json_text(source, "walked", NULL);
    if (!walked)
        return sty_error_set(err, STY_NOT_FOUND, "nothing was synced yet: styrmin sync (state directory %s)",
                             cli->configuration.state_dir);
    return sty_view_open_mirror(view, cli->arena, &cli->configuration, walked, err);
}

static int explain_value(struct sty_cli *cli, const char *path, struct sty_error *err)
{
    sty_auto(view) view = {0};
    sty_auto(blobs) blobs;
    sty_blobs_init(&blobs, cli->arena);
    sty_auto_ptr(resolver) resolver = NULL;
    struct sty_target target;
    json_auto_t *document = NULL;
    if (open_view(&view, cli, err) < 0 || sty_view_argument(&target, cli, &view, err) < 0 ||
        sty_resolver_new(&resolver, view.catalog, &blobs, err) < 0 ||
        sty_resolve_explain(&document, resolver, &target, path, err) < 0)
        return -1;
    add_commits(document, cli->arena, &view);
    json_object_set_new(document, "kind", json_string("Explanation"));
    json_object_set_new(document, "target", json_string(sty_target_text(cli->arena, &target)));
    json_object_set_new(document, "deployment", json_string(target.deployment));
    if (cli->json)
        return sty_print_json(document, err);
    print_explanation(cli, document);
    return STY_EXIT_OK;
}

int sty_command_explain(struct sty_cli *cli, struct sty_error *err)
{
    bool definitions = sty_cli_option(cli, "tree") || sty_cli_option(cli, "revision");
    if (cli->argument_count < 1 || cli->argument_count > 2)
        return sty_error_set(err, STY_USAGE,
                             "explain wants a target and a path, such as shop instance.config.log_level");
    if (cli->argument_count == 2 || definitions)
        return explain_value(cli, cli->argument_count == 2 ? cli->arguments[1] : "", err);
    if (sty_cli_prepare(cli, STY_NEEDS_CONFIGURATION | STY_NEEDS_LEDGER, err) < 0)
        return err->code == STY_USAGE ? sty_error_wrap(err, "explain without a path reads the ledger") : -1;
    return sty_explain_target(cli, cli->arguments[0], err);
}
