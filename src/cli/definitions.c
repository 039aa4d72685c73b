/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check and render: the way walked up to the Instance, with nothing but a folder or a revision.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli_internal.h"

/* What was read of it is not needed any more. */
static int let_go(const struct sty_view *view, const struct sty_target *target, struct sty_error *err)
{
    const struct sty_document *document = NULL;
    bool twice = false;
    sty_auto_free char *key = sty_sprintf("%s/%s", target->environment, target->deployment);
    if (sty_catalog_find(&document, &twice, view->catalog, STY_KIND_DEPLOYMENT, key, err) < 0)
        return -1;
    if (document)
        sty_document_fold(document);
    return 0;
}

static int check_environments(struct sty_view *view, struct sty_error *err)
{
    const struct sty_document **deployments = NULL;
    size_t count = 0;
    bool homeless = false;
    if (sty_catalog_list(&deployments, &count, view->catalog, STY_KIND_DEPLOYMENT, NULL, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (deployments[i]->valid &&
            sty_catalog_homeless(&homeless, view->catalog, deployments[i], &view->problems, err) < 0)
            return -1;
    return 0;
}

/* Resolve every target, so that mistakes in templates are found too. */
static int check_targets(struct sty_view *view, struct sty_arena *arena, struct sty_error *err)
{
    sty_auto(blobs) blobs;
    sty_blobs_init(&blobs, arena);
    sty_auto_ptr(resolver) resolver = NULL;
    struct sty_target *targets = NULL;
    size_t count = 0;
    if (sty_resolver_new(&resolver, view->catalog, &blobs, err) < 0 ||
        sty_view_targets(&targets, &count, arena, view, NULL, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        sty_auto(resolved) resolved = {0};
        size_t before = view->problems.errors;
        if (sty_resolve(&resolved, resolver, &targets[i], false, &view->problems, err) < 0)
            return -1;
        if (resolved.message && view->problems.errors == before) {
            const char *name = sty_target_text(arena, &targets[i]);
            struct sty_problem where = {.file = "deployments", .document = name};
            sty_problems_add(&view->problems, &where, "%s: %s", name, resolved.message);
        }
        if (let_go(view, &targets[i], err) < 0)
            return -1;
    }
    return 0;
}

int sty_command_check(struct sty_cli *cli, struct sty_error *err)
{
    const char *revision = sty_cli_option(cli, "revision");
    sty_auto(view) view = {0};
    size_t documents = 0;
    if (cli->argument_count > 1)
        return sty_error_set(err, STY_USAGE, "check takes one folder");
    if (sty_view_open(&view, cli->arena, cli->argument_count ? cli->arguments[0] : ".", revision, err) < 0 ||
        check_environments(&view, err) < 0 || check_targets(&view, cli->arena, err) < 0)
        return -1;
    documents = sty_catalog_parsed(view.catalog);
    sty_problems_sort(&view.problems);
    int code = view.problems.errors ? STY_EXIT_USAGE : STY_EXIT_OK;
    if (cli->json) {
        json_auto_t *document = json_pack("{s:s, s:o, s:b, s:I, s:o}", "kind", "Check", "revision",
                                          sty_json_string_or_null(*view.snapshot.commit ? view.snapshot.commit : NULL),
                                          "ok", view.problems.errors == 0, "documents", (json_int_t)documents,
                                          "problems", sty_problems_json(&view.problems));
        return sty_print_json(document, err) < 0 ? -1 : code;
    }
    sty_print_problems(&view.problems);
    if (!cli->quiet && view.problems.errors)
        printf("%zu mistake%s in %zu documents\n", view.problems.errors, view.problems.errors == 1 ? "" : "s",
               documents);
    else if (!cli->quiet)
        printf("%zu documents, no mistakes\n", documents);
    return code;
}

int sty_view_argument(struct sty_target *out, const struct sty_cli *cli, const struct sty_view *view,
                      struct sty_error *err)
{
    struct sty_target *targets = NULL;
    size_t count = 0;
    if (sty_view_targets(&targets, &count, cli->arena, view, cli->arguments[0], err) < 0)
        return -1;
    if (count > 1)
        return sty_error_set(err, STY_USAGE, "'%s' names %zu targets, among them %s and %s", cli->arguments[0], count,
                             sty_target_text(cli->arena, &targets[0]), sty_target_text(cli->arena, &targets[1]));
    *out = targets[0];
    return 0;
}

/* A text without secrets; NULL: it has some, or there is none. */
static const char *text_of(const json_t *holder, const struct sty_blobs *blobs)
{
    const json_t *content = json_object_get(holder, "content");
    const struct sty_blob *blob = sty_blobs_get(blobs, sty_json_text(content, "digest", ""));
    return blob && json_array_size(json_object_get(content, "holes")) == 0 ? blob->bytes : NULL;
}

/* A unit's drop-ins stand behind its own text, each under its name. */
static void add_text(json_t *resource, const struct sty_blobs *blobs)
{
    const json_t *spec = json_object_get(resource, "spec"), *drop_ins = json_object_get(spec, "drop_ins");
    const char *own = text_of(spec, blobs);
    sty_auto(str) text = STY_STR_INIT;
    sty_str_append(&text, own ? own : "");
    for (size_t i = 0; i < json_array_size(drop_ins); i++) {
        const json_t *drop_in = json_array_get(drop_ins, i);
        const char *more = text_of(drop_in, blobs);
        if (more)
            sty_str_appendf(&text, "%s# %s.d/%s\n%s", text.length ? "\n" : "", sty_json_text(spec, "name", ""),
                            sty_json_text(drop_in, "name", ""), more);
    }
    if (own || text.length)
        json_object_set_new(resource, "content", sty_json_string(text.data));
}

static void add_content(json_t *document, const struct sty_blobs *blobs)
{
    const char *name;
    json_t *component;
    json_object_foreach (json_object_get(document, "components"), name, component) {
        json_t *resources = json_object_get(component, "resources");
        for (size_t i = 0; i < json_array_size(resources); i++)
            add_text(json_array_get(resources, i), blobs);
    }
}

json_t *sty_instance_document(const struct sty_instance *instance, const char *commit, const char *path)
{
    json_t *document = json_deep_copy(sty_instance_json(instance));
    json_object_set_new(document, "kind", json_string("Instance"));
    json_object_set_new(document, "digest", json_string(sty_instance_digest(instance)));
    json_object_set_new(
        document, "source",
        json_pack("{s:o, s:o}", "commit", sty_json_string_or_null(commit), "path", sty_json_string(path)));
    return document;
}

void sty_print_instance(const struct sty_cli *cli, const json_t *document)
{
    sty_print_styled(cli, STY_STYLE_BOLD, sty_json_text(document, "deployment", ""));
    printf("  %s\n", sty_json_text(document, "digest", ""));
    const char *name;
    json_t *component;
    json_object_foreach (json_object_get(document, "components"), name, component) {
        printf("\n%s\n", name);
        json_t *resources = json_object_get(component, "resources");
        for (size_t i = 0; i < json_array_size(resources); i++) {
            const json_t *resource = json_array_get(resources, i);
            const char *content = sty_json_text(resource, "content", NULL);
            fputs("  ", stdout);
            sty_print_visible(sty_json_text(resource, "id", ""));
            putchar('\n');
            if (content) {
                sty_print_visible(content);
                putchar('\n');
            }
        }
    }
}

/* What a resolved target says when there is no Instance. */
static int refused(const struct sty_resolved *resolved, const struct sty_view *view, struct sty_error *err)
{
    sty_print_problems(&view->problems);
    return sty_error_set(err, STY_INVALID, "%s%s%s", resolved->message ? resolved->message : "not resolved",
                         resolved->remedy ? "; " : "", resolved->remedy ? resolved->remedy : "");
}

int sty_command_render(struct sty_cli *cli, struct sty_error *err)
{
    const char *tree = sty_cli_option(cli, "tree");
    sty_auto(view) view = {0};
    sty_auto(blobs) blobs;
    sty_blobs_init(&blobs, cli->arena);
    sty_auto_ptr(resolver) resolver = NULL;
    sty_auto(resolved) resolved = {0};
    struct sty_target target;
    if (cli->argument_count != 1)
        return sty_error_set(err, STY_USAGE, "render wants one target, such as production/shop");
    if (sty_view_open(&view, cli->arena, tree ? tree : ".", sty_cli_option(cli, "revision"), err) < 0 ||
        sty_view_argument(&target, cli, &view, err) < 0 || sty_resolver_new(&resolver, view.catalog, &blobs, err) < 0 ||
        sty_resolve(&resolved, resolver, &target, false, &view.problems, err) < 0)
        return -1;
    if (!resolved.instance)
        return refused(&resolved, &view, err);
    json_auto_t *document =
        sty_instance_document(resolved.instance, *view.snapshot.commit ? view.snapshot.commit : NULL, ".");
    if (sty_cli_option(cli, "content"))
        add_content(document, &blobs);
    if (cli->json)
        return sty_print_json(document, err);
    sty_print_instance(cli, document);
    return STY_EXIT_OK;
}
