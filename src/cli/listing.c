/* SPDX-License-Identifier: Apache-2.0 */
/* The options that listings share: which targets, which time, how many, and whether to look again. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/ledger_view_internal.h"

enum { USUAL_LIMIT = 50, WATCH_SECONDS = 2 };

/* Each argument has to mean something, so that a slip of the finger is no empty answer. */
static int read_targets(struct sty_listing *out, struct sty_cli *cli, struct sty_error *err)
{
    json_t *targets = sty_json_own(cli->arena, json_array());
    for (size_t i = 0; i < cli->argument_count; i++) {
        int64_t known = 0;
        if (sty_ledger_number(&known, cli->ledger, err,
                              "SELECT EXISTS (SELECT 1 FROM (SELECT cluster, environment, deployment FROM targets UNION"
                              " ALL SELECT cluster, environment, deployment FROM remediations) WHERE ?1 IN (deployment,"
                              " environment || '/' || deployment, cluster || '/' || environment || '/' || deployment))",
                              "s", cli->arguments[i]) < 0)
            return -1;
        if (!known)
            return sty_error_set(err, STY_NOT_FOUND, "no target '%.128s' in the ledger", cli->arguments[i]);
        json_array_append_new(targets, sty_json_string(cli->arguments[i]));
    }
    out->targets = cli->argument_count ? targets : NULL;
    return 0;
}

static int read_labels(struct sty_listing *out, struct sty_cli *cli, struct sty_error *err)
{
    const char **given = sty_cli_option_values(cli, "label");
    json_t *labels = sty_json_own(cli->arena, json_object());
    for (size_t i = 0; given[i]; i++) {
        const char *equals = strchr(given[i], '=');
        if (!equals || equals == given[i])
            return sty_error_set(err, STY_USAGE, "-l wants KEY=VALUE, not '%.128s'", given[i]);
        const char *key = sty_arena_strndup(cli->arena, given[i], (size_t)(equals - given[i]));
        if (json_object_set_new(labels, key, sty_json_string(equals + 1)) < 0)
            return sty_error_set(err, STY_USAGE, "-l '%.128s' is no text", given[i]);
    }
    out->labels = given[0] ? labels : NULL;
    return 0;
}

/* A point in time, or how long ago. */
static int read_time(int64_t *out, const struct sty_cli *cli, const char *option, struct sty_error *err)
{
    const char *text = sty_cli_option(cli, option);
    struct sty_error no_duration;
    int64_t ago = 0;
    if (!text)
        return 0;
    if (sty_duration_parse(&ago, text, &no_duration) == 0) {
        *out = sty_ledger_now(cli->ledger) - ago;
        return 0;
    }
    if (sty_time_parse(out, text, err) < 0)
        return err->code = STY_USAGE, sty_error_wrap(err, "--%s", option);
    return 0;
}

static int check_state(const char *state, const char *const *states, struct sty_error *err)
{
    for (size_t i = 0; states[i]; i++)
        if (!state || strcmp(states[i], state) == 0)
            return 0;
    return sty_error_set(err, STY_USAGE, "--state: nothing is ever '%.64s'", state);
}

int sty_listing_read(struct sty_listing *out, struct sty_cli *cli, const char *const *states, struct sty_error *err)
{
    const char *limit = sty_cli_option(cli, "limit");
    struct sty_listing listing = {.environment = sty_cli_option(cli, "environment"),
                                  .cluster = sty_cli_option(cli, "cluster"),
                                  .state = sty_cli_option(cli, "state"),
                                  .until = INT64_MAX,
                                  .limit = USUAL_LIMIT,
                                  .watch = sty_cli_option(cli, "watch") != NULL};
    if (check_state(listing.state, states, err) < 0 || read_targets(&listing, cli, err) < 0 ||
        read_labels(&listing, cli, err) < 0 || read_time(&listing.since, cli, "since", err) < 0 ||
        read_time(&listing.until, cli, "until", err) < 0)
        return -1;
    if (limit && sty_number_parse(&listing.limit, limit, 1, INT32_MAX, err) < 0)
        return err->code = STY_USAGE, sty_error_wrap(err, "--limit");
    *out = listing;
    return 0;
}

int sty_listing_run(struct sty_cli *cli, const struct sty_listing *listing, sty_listing_print *print,
                    struct sty_error *err)
{
    bool terminal = isatty(STDOUT_FILENO);
    int code = STY_EXIT_OK;
    do {
        if (listing->watch && terminal)
            fputs("\x1b[H\x1b[J", stdout);
        code = print(cli, listing, err);
        if (!listing->watch || code < 0)
            return code;
        struct timespec rest = {WATCH_SECONDS, 0};
        if (fflush(stdout) != 0)
            return sty_error_set(err, STY_IO, "nobody reads stdout any more");
        nanosleep(&rest, NULL);
    } while (code == STY_EXIT_OK);
    return code;
}
