/* SPDX-License-Identifier: Apache-2.0 */
/* plan: what a sync would do, as text, as JSON, or as Markdown for a pull request. The ledger is only read. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "cli/acting.h"

/* The newest there is, if nobody else is at it: fetching needs the lock and moves nothing but the mirror. */
static int refresh(struct sty_cli *cli, const struct sty_acting *acting, struct sty_error *err)
{
    const struct sty_configuration *configuration = &cli->configuration;
    sty_auto_free char *lock = sty_sprintf("%s/lock", configuration->state_dir);
    sty_auto_free char *mirror = sty_sprintf("%s/source.git", configuration->state_dir);
    sty_auto_fd held = -1;
    sty_auto_ptr(repo) repo = NULL;
    struct sty_fetch_result fetched;
    struct sty_error trouble;
    json_auto_t *row = NULL;
    if (sty_ledger_row(&row, acting->ledger, err, "SELECT accepted FROM sources WHERE id = 1 AND branch = ?", "s",
                       configuration->source.branch) < 0)
        return -1;
    if (sty_directory_make(configuration->state_dir, 0700, err) < 0)
        return -1;
    if (sty_lock_take(&held, lock, 0, &trouble) < 0)
        return 0;
    if (sty_repo_open(&repo, mirror, false, err) < 0)
        return -1;
    if (sty_repo_fetch(&fetched, repo, &configuration->source, sty_json_text(row, "accepted", NULL), &trouble) == 0)
        return 0;
    char tip[STY_OID_SIZE];
    if (sty_repo_tip(tip, repo, configuration->source.branch, err) < 0) {
        *err = trouble;
        return -1;
    }
    sty_log(STY_LOG_WARNING, "source.fetch", "%s; planning what the mirror has", trouble.text);
    return 0;
}

static int open_mirror(struct sty_repo **out, const struct sty_cli *cli, struct sty_error *err)
{
    sty_auto_free char *mirror = sty_sprintf("%s/source.git", cli->configuration.state_dir);
    if (sty_repo_open(out, mirror, true, err) < 0)
        return err->code != STY_NOT_FOUND
                   ? -1
                   : sty_error_set(err, STY_NOT_FOUND, "nothing was fetched yet: `styrmin sync` first, or --tree DIR");
    return 0;
}

/* A folder of files, a revision of the mirror, or its tip. */
static int choose(struct sty_snapshot *snapshot, struct sty_repo **repo, const struct sty_cli *cli,
                  struct sty_error *err)
{
    const char *tree = sty_cli_option(cli, "tree"), *revision = sty_cli_option(cli, "revision");
    const struct sty_source_config *source = &cli->configuration.source;
    char commit[STY_OID_SIZE];
    if (tree) {
        *snapshot = (struct sty_snapshot){0};
        if (sty_repo_open_directory(repo, snapshot->tree, tree, err) < 0)
            return -1;
        snapshot->repo = *repo;
        return 0;
    }
    if (open_mirror(repo, cli, err) < 0)
        return -1;
    int result =
        revision ? sty_repo_resolve(commit, *repo, revision, err) : sty_repo_tip(commit, *repo, source->branch, err);
    return result < 0 ? -1 : sty_repo_snapshot(snapshot, *repo, commit, source->path, err);
}

static json_t *entry_at(const void *planned, size_t i)
{
    return sty_planned_get(planned, i);
}

static int say(struct sty_cli *cli, const struct sty_outcome *plan, struct sty_error *err)
{
    const struct sty_json_list remediations = {"remediations", plan->planned, sty_planned_count(plan->planned),
                                               entry_at};
    if (cli->json)
        return sty_print_json_list(plan->document, &remediations, err);
    if (sty_streq(sty_cli_option(cli, "output"), "markdown"))
        sty_print_plan_markdown(plan);
    else
        sty_print_plan(cli, plan);
    return 0;
}

int sty_command_plan(struct sty_cli *cli, struct sty_error *err)
{
    sty_auto(acting) before = {.lock = -1};
    sty_auto(acting) acting = {.lock = -1};
    sty_auto(outcome) outcome = {0};
    sty_auto_ptr(repo) repo = NULL;
    struct sty_snapshot snapshot;
    bool own = !sty_cli_option(cli, "tree") && !sty_cli_option(cli, "revision");
    if (sty_cli_option(cli, "tree") && sty_cli_option(cli, "revision"))
        return sty_error_set(err, STY_USAGE, "either --tree or --revision");
    if ((own && (sty_acting_look(&before, cli, err) < 0 || refresh(cli, &before, err) < 0)) ||
        sty_acting_look(&acting, cli, err) < 0 || choose(&snapshot, &repo, cli, err) < 0)
        return -1;
    struct sty_plan_options options = {
        .snapshot = &snapshot, .foreign = sty_cli_option(cli, "tree"), .targets = cli->arguments};
    if (sty_reconcile_plan(&outcome, &acting.installation, &options, err) < 0 || say(cli, &outcome, err) < 0)
        return -1;
    return sty_cli_option(cli, "exit-code") && outcome.changes ? STY_EXIT_CHANGES : STY_EXIT_OK;
}
