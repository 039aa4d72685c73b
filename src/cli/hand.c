/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A person's hand: retry, rollback, suspend, resume, approve, adopt, cancel, release. Each writes a request; whoever
 * holds the lock carries it out. If nobody does, we do, before we return.
 */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/acting.h"
#include "cli/ledger_view_internal.h"

static bool given(const struct sty_cli *cli, const char *name)
{
    return sty_cli_option(cli, name) != NULL;
}

static int no_arguments(json_t *out, struct sty_cli *cli, struct sty_error *err)
{
    (void)out, (void)cli, (void)err;
    return 0;
}

static int retry_arguments(json_t *out, struct sty_cli *cli, struct sty_error *err)
{
    if (given(cli, "done") && given(cli, "again"))
        return sty_error_set(err, STY_USAGE, "either --done or --again");
    json_object_set_new(out, "done", json_boolean(given(cli, "done")));
    json_object_set_new(out, "again", json_boolean(given(cli, "again")));
    return 0;
}

static int rollback_arguments(json_t *out, struct sty_cli *cli, struct sty_error *err)
{
    const char *to = sty_cli_option(cli, "to");
    char digest[STY_DIGEST_SIZE];
    json_object_set_new(out, "allow_downgrade", json_boolean(given(cli, "allow-downgrade")));
    if (to && sty_name_instance(digest, cli->ledger, to, err) < 0)
        return sty_error_wrap(err, "--to");
    return json_object_set_new(out, "to", to ? json_string(digest) : json_null());
}

static int suspend_arguments(json_t *out, struct sty_cli *cli, struct sty_error *err)
{
    const char *duration = sty_cli_option(cli, "for");
    int64_t ms = 0;
    if (!duration)
        return 0;
    if (sty_duration_parse(&ms, duration, err) < 0)
        return err->code = STY_USAGE, sty_error_wrap(err, "--for");
    return json_object_set_new(out, "until", json_integer(sty_ledger_now(cli->ledger) + ms));
}

static int adopt_arguments(json_t *out, struct sty_cli *cli, struct sty_error *err)
{
    (void)err;
    return json_object_set_new(out, "update", json_boolean(given(cli, "update")));
}

static int approve_arguments(json_t *out, struct sty_cli *cli, struct sty_error *err)
{
    (void)err;
    return json_object_set_new(out, "digest", json_string(cli->arguments[0]));
}

static int cancel_arguments(json_t *out, struct sty_cli *cli, struct sty_error *err)
{
    json_auto_t *row = NULL;
    if (sty_name_remediation(&row, cli->ledger, cli->arguments[0], err) < 0)
        return -1;
    return json_object_set(out, "id", json_object_get(row, "id"));
}

static const struct {
    const char *kind;
    bool on_target;
    int (*arguments)(json_t *out, struct sty_cli *cli, struct sty_error *err);
} hands[] = {
    {"retry", true, retry_arguments},    {"rollback", true, rollback_arguments}, {"suspend", true, suspend_arguments},
    {"resume", true, no_arguments},      {"approve", false, approve_arguments},  {"adopt", true, adopt_arguments},
    {"cancel", false, cancel_arguments}, {"release", true, no_arguments},
};

/* Who it is that asks: behind sudo, the person in front of it. */
static const char *actor(struct sty_arena *arena)
{
    const char *sudo = getenv("SUDO_USER");
    const struct passwd *user = getpwuid(getuid());
    if (sudo && *sudo)
        return sudo;
    return user ? sty_arena_strdup(arena, user->pw_name) : sty_arena_printf(arena, "uid %u", (unsigned)getuid());
}

static int write_request(char id[STY_ID_SIZE], struct sty_cli *cli, struct sty_error *err)
{
    json_auto_t *arguments = json_object();
    sty_auto_free char *target = NULL;
    size_t i = 0;
    while (strcmp(hands[i].kind, cli->command->name) != 0)
        i++;
    const char *reason = sty_cli_option(cli, "message");
    if (cli->argument_count != 1)
        return sty_error_set(err, STY_USAGE, "%s wants: %s", hands[i].kind, cli->command->synopsis);
    if (!reason || !*reason)
        return sty_error_set(err, STY_USAGE, "say why with -m REASON: it stands in the history and in the records");
    if (sty_ledger_open(&cli->ledger, cli->configuration.state_dir, STY_LEDGER_HAND, err) < 0 ||
        (hands[i].on_target && sty_target_find(&target, cli->ledger, cli->arguments[0], err) < 0) ||
        hands[i].arguments(arguments, cli, err) < 0)
        return -1;
    struct sty_request request = {.kind = hands[i].kind,
                                  .target = target,
                                  .actor = actor(cli->arena),
                                  .via = "command line",
                                  .reason = reason,
                                  .arguments = arguments};
    return sty_request_add(id, cli->ledger, &request, err);
}

static int say(const struct sty_cli *cli, const json_t *row, const json_t *sync, struct sty_error *err)
{
    if (cli->json) {
        json_auto_t *document =
            json_pack("{s:s, s:O, s:O, s:O, s:O, s:O, s:O?}", "kind", "Request", "id", json_object_get(row, "id"),
                      "request", json_object_get(row, "kind"), "target", json_object_get(row, "target"), "state",
                      json_object_get(row, "state"), "answer", json_object_get(row, "answer"), "sync", sync);
        return sty_print_json(document, err);
    }
    const char *target = sty_json_text(row, "target", NULL);
    const char *answer = sty_json_text(row, "answer", "left to the process that holds the state directory");
    if (cli->quiet)
        return 0;
    sty_print_visible(target ? target : sty_json_text(row, "kind", ""));
    fputs(": ", stdout);
    sty_print_visible(answer);
    putchar('\n');
    return 0;
}

static int carry_out(struct sty_acting *acting, const struct sty_cli *cli, const char *id, struct sty_error *err)
{
    const struct sty_sync_options options = {.no_fetch = true};
    sty_auto(outcome) outcome = {0};
    json_auto_t *row = NULL;
    struct sty_progress *progress = sty_progress_new(cli);
    acting->installation.progress = progress ? sty_progress_tell : NULL;
    acting->installation.self = progress;
    int result = sty_reconcile(&outcome, &acting->installation, &options, err);
    sty_progress_free(progress);
    if (result < 0 || sty_request_get(&row, acting->ledger, id, err) < 0 || say(cli, row, outcome.document, err) < 0)
        return -1;
    if (sty_streq(sty_json_text(row, "state", ""), "refused"))
        return STY_EXIT_USAGE;
    return outcome.failed ? STY_EXIT_FAILED : outcome.waits ? STY_EXIT_WAITS : STY_EXIT_OK;
}

int sty_command_hand(struct sty_cli *cli, struct sty_error *err)
{
    sty_auto(acting) acting = {.lock = -1};
    char id[STY_ID_SIZE];
    if (write_request(id, cli, err) < 0)
        return -1;
    if (sty_acting_open(&acting, cli, 0, err) == 0)
        return carry_out(&acting, cli, id, err);
    if (err->code != STY_BUSY)
        return -1;
    json_auto_t *row = NULL;
    return sty_request_get(&row, cli->ledger, id, err) < 0 || say(cli, row, NULL, err) < 0 ? -1 : STY_EXIT_OK;
}
