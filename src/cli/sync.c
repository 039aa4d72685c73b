/* SPDX-License-Identifier: Apache-2.0 */
/* sync: one full walk, for cron and for people. Says nothing where there is nothing to say and nobody watches. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "cli/acting.h"

/* A moment by chance, so that a fleet's timers do not all come at once. */
static int splay(const struct sty_cli *cli, struct sty_error *err)
{
    const char *most = sty_cli_option(cli, "splay");
    const struct sty_world *world = sty_world_real();
    int64_t ms = 0;
    uint32_t chance;
    if (!most)
        return 0;
    if (sty_duration_parse(&ms, most, err) < 0)
        return err->code = STY_USAGE, sty_error_wrap(err, "--splay");
    sty_random_bytes(&chance, sizeof(chance));
    world->sleep_ms(world->self, (int64_t)((double)ms * chance / UINT32_MAX));
    return 0;
}

static int read_wait(int64_t *ms, const struct sty_cli *cli, struct sty_error *err)
{
    const char *wait = sty_cli_option(cli, "wait");
    *ms = 0;
    if (wait && sty_duration_parse(ms, wait, err) < 0)
        return err->code = STY_USAGE, sty_error_wrap(err, "--wait");
    return 0;
}

int sty_command_sync(struct sty_cli *cli, struct sty_error *err)
{
    sty_auto(acting) acting = {.lock = -1};
    sty_auto(outcome) outcome = {0};
    struct sty_sync_options options = {.no_fetch = sty_cli_option(cli, "no-fetch"),
                                       .heal = sty_cli_option(cli, "heal"),
                                       .fresh = sty_cli_option(cli, "fresh"),
                                       .plan = sty_cli_option(cli, "plan")};
    int64_t wait_ms = 0;
    if (cli->argument_count)
        return sty_error_set(err, STY_USAGE, "sync takes no arguments");
    if (read_wait(&wait_ms, cli, err) < 0 || splay(cli, err) < 0 || sty_acting_open(&acting, cli, wait_ms, err) < 0)
        return -1;
    struct sty_progress *progress = sty_progress_new(cli);
    acting.installation.progress = progress ? sty_progress_tell : NULL;
    acting.installation.self = progress;
    int result = sty_reconcile(&outcome, &acting.installation, &options, err);
    sty_progress_free(progress);
    if (result < 0)
        return -1;
    if (cli->json && sty_print_json(outcome.document, err) < 0)
        return -1;
    if (!cli->json && !cli->quiet)
        sty_print_sync(cli, outcome.document);
    return outcome.failed ? STY_EXIT_FAILED : outcome.waits ? STY_EXIT_WAITS : STY_EXIT_OK;
}
