/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command table, and the one way from argv to a command: options by getopt from the rows, what the row needs opened
 * once, errors printed once, exit codes from one place.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/cli_internal.h"

const struct sty_option sty_global_options[] = {
    {"config", 'c', "FILE",
     "configuration; else $STYRMIN_CONFIG, ./styrmin.yaml, ~/.config/styrmin/styrmin.yaml, "
     "/etc/styrmin/styrmin.yaml"},
    {"directory", 'C', "DIR", "go there first"},
    {"state-dir", 0, "DIR", "instead of the configuration's state_dir"},
    {"output", 'o', "text|json", "what to print on stdout"},
    {"quiet", 'q', NULL, "print nothing but errors"},
    {"verbose", 'v', NULL, "say more on stderr"},
    {"no-color", 0, NULL, "no colour (as NO_COLOR does)"},
    {"help", 'h', NULL, "help on the command"},
    {0},
};

static const struct sty_option check_options[] = {
    {"revision", 0, "REV", "a commit, branch or tag instead of the files as they are"}, {0}};
static const struct sty_option render_options[] = {
    {"tree", 0, "DIR", "the folder to read; default: this one"},
    {"revision", 0, "REV", "a commit, branch or tag instead of the files as they are"},
    {"content", 0, NULL, "print the text of each rendered file"},
    {0}};
static const struct sty_option explain_options[] = {
    {"tree", 0, "DIR", "the folder to read; default: this one, or what was last synced where it holds no clusters/"},
    {"revision", 0, "REV", "a commit, branch or tag instead of the files as they are"},
    {0}};
#define LISTING_OPTIONS(states)                                                                                        \
    {"environment", 'e', "NAME", "only of this environment"},                                                          \
        {"label", 'l', "KEY=VALUE", "only with this label; may be repeated"},                                          \
        {"cluster", 0, "NAME", "only on this cluster"}, {"state", 0, "STATE", "only in this state: " states},          \
    {                                                                                                                  \
        "watch", 'w', NULL, "look again every 2 seconds"                                                               \
    }
static const struct sty_option status_options[] = {
    LISTING_OPTIONS("progressing, unknown, suspended, blocked, degraded, stopped or healthy"), {0}};
static const struct sty_option history_options[] = {
    LISTING_OPTIONS("planned, running, waiting, succeeded, failed, cancelled or superseded"),
    {"since", 0, "TIME", "from then on: 2026-03-01, 2026-03-01T10:00:00Z, or how long ago: 2h"},
    {"until", 0, "TIME", "before then"},
    {"limit", 0, "N", "at most so many, the newest; default: 50"},
    {0}};
static const struct sty_option logs_options[] = {
    {"step", 0, "N", "only this step"}, {"follow", 'f', NULL, "go on until it has ended"}, {0}};
static const struct sty_option plan_options[] = {{"tree", 0, "DIR", "uncommitted work: the folder as it is"},
                                                 {"revision", 0, "REV", "a commit, branch or tag that the mirror has"},
                                                 {"exit-code", 0, NULL, "exit 3 where there is something to do"},
                                                 {0}};
static const struct sty_option sync_options[] = {
    {"plan", 0, "DIGEST", "only this plan; another one is refused"},
    {"no-fetch", 0, NULL, "walk what the mirror has"},
    {"heal", 0, NULL, "one drift pass afterwards, what may be healed is healed"},
    {"wait", 0, "DURATION", "wait so long for whoever holds the state directory"},
    {"splay", 0, "DURATION", "begin at a moment by chance within this time"},
    {"fresh", 0, NULL, "the ledger was lost: begin a new chain of records"},
    {0}};
static const struct sty_option drift_options[] = {
    {"heal", 0, NULL, "put right what may be healed"}, {"exit-code", 0, NULL, "exit 3 where drift stands"}, {0}};
#define REASON                                                                                                         \
    {                                                                                                                  \
        "message", 'm', "REASON", "why: it stands in history, events and records"                                      \
    }
static const struct sty_option hand_options[] = {REASON, {0}};
static const struct sty_option retry_options[] = {REASON,
                                                  {"done", 0, NULL, "the step that must happen once did happen"},
                                                  {"again", 0, NULL, "it did not: run it"},
                                                  {0}};
static const struct sty_option rollback_options[] = {
    REASON,
    {"to", 0, "INSTANCE", "an Instance, as `diff` takes it; default: the one before the active one"},
    {"allow-downgrade", 0, NULL, "also where a version gets older and the driver has no way back"},
    {0}};
static const struct sty_option suspend_options[] = {
    REASON, {"for", 0, "DURATION", "until then; default: until `resume`"}, {0}};
static const struct sty_option adopt_options[] = {
    REASON, {"update", 0, NULL, "also where it differs: then change it to what is wanted"}, {0}};
static const struct sty_option git_setup_options[] = {{"name", 0, "NAME", "show the notes of this installation alone"},
                                                      {0}};
static const struct sty_option verify_options[] = {{"name", 0, "NAME", "the installation whose records they are"}, {0}};
static const struct sty_option token_options[] = {
    {"scope", 0, "read|operate|agent", "what its bearer may do"},
    {"cluster", 0, "CLUSTER", "with --scope agent: the cluster that the agent works for"},
    {0}};
static const struct sty_option help_options[] = {{"man", 0, NULL, "print the manual page (mdoc)"}, {0}};

enum { READS = STY_NEEDS_CONFIGURATION | STY_NEEDS_LEDGER, ACTS = STY_NEEDS_CONFIGURATION };

const struct sty_command sty_commands[] = {
    {"init", "[DIR]", "a new desired-state repository with a working example, and a styrmin.yaml beside it",
     sty_command_init, 0, NULL},
    {"check", "[DIR] [--revision REV]", "every mistake in a working tree or revision, as file:line:column: message",
     sty_command_check, 0, check_options},
    {"render", "TARGET [--tree DIR] [--revision REV] [--content]", "the Instance of a target and its resources",
     sty_command_render, 0, render_options},
    {"plan", "[TARGET...] [--tree DIR | --revision REV] [--exit-code]",
     "what a sync would do; -o markdown for pull requests", sty_command_plan, ACTS, plan_options},
    {"sync", "[--plan DIGEST] [--no-fetch] [--heal] [--wait D] [--splay D] [--fresh]",
     "fetch, plan, run and report: one full walk", sty_command_sync, ACTS, sync_options},
    {"status", "[TARGET...]", "declared and observed state, side by side", sty_command_status, READS, status_options},
    {"history", "[TARGET...]", "what was done, the newest first", sty_command_history, READS, history_options},
    {"show", "ID", "a remediation with its steps, an Instance or a commit", sty_command_show, READS, NULL},
    {"diff", "A B", "what differs between two Instances: shop@active, shop@desired, shop@{1}, shop@{2026-03-01}, ids",
     sty_command_diff, READS, NULL},
    {"logs", "TARGET|ID [--step N] [-f]", "what the steps of a remediation printed", sty_command_logs, READS,
     logs_options},
    {"explain", "TARGET [PATH] [--tree DIR] [--revision REV]",
     "why a target is as it is; with PATH where a value came from: file, line and layers", sty_command_explain, 0,
     explain_options},
    {"drift", "[TARGET...] [--heal] [--exit-code]", "what is really there, compared with the active Instances",
     sty_command_drift, ACTS, drift_options},
    {"retry", "TARGET [--done | --again] -m REASON", "try again what failed or waits", sty_command_hand, ACTS,
     retry_options},
    {"rollback", "TARGET [--to INSTANCE] [--allow-downgrade] -m REASON", "apply an earlier Instance and pin it",
     sty_command_hand, ACTS, rollback_options},
    {"suspend", "TARGET [--for DURATION] -m REASON", "stop changing, deleting and healing; go on looking",
     sty_command_hand, ACTS, suspend_options},
    {"resume", "TARGET -m REASON", "end suspension and pin", sty_command_hand, ACTS, hand_options},
    {"approve", "DIGEST -m REASON", "let a blocked remediation pass", sty_command_hand, ACTS, hand_options},
    {"adopt", "TARGET [--update] -m REASON", "take over what is there already", sty_command_hand, ACTS, adopt_options},
    {"cancel", "ID -m REASON", "end a remediation that runs or waits", sty_command_hand, ACTS, hand_options},
    {"release", "TARGET -m REASON", "forget a target, touching nothing", sty_command_hand, ACTS, hand_options},
    {"ledger", "check | backup FILE | prune | export", "care for the local ledger", sty_command_ledger, ACTS, NULL},
    {"verify", "REPO --name NAME", "check an installation's records with nothing but a clone", sty_command_verify, 0,
     verify_options},
    {"doctor", "", "everything the configuration needs, tried, with a remedy for what is wrong", sty_command_doctor, 0,
     NULL},
    {"git-setup", "[DIR] [--name NAME]", "make git log in a clone show what became of each commit",
     sty_command_git_setup, 0, git_setup_options},
    {"token", "NAME --scope SCOPE [--cluster CLUSTER]", "a new token for the HTTP API and its row for tokens_file",
     sty_command_token, 0, token_options},
    {"completion", "SHELL", "completions for bash, zsh or fish", sty_command_completion, 0, NULL},
    {"help", "[COMMAND]", "this, or a command's options", sty_command_help, 0, help_options},
    {"version", "", "version of the program", sty_command_version, 0, NULL},
    {0},
};

enum { MOST_OPTIONS = 32 };

/* Both option tables as one. */
static size_t gather(const struct sty_option *out[MOST_OPTIONS], const struct sty_command *command)
{
    size_t n = 0;
    for (const struct sty_option *o = sty_global_options; o->name; o++)
        out[n++] = o;
    for (const struct sty_option *o = command ? command->options : NULL; o && o->name; o++)
        out[n++] = o;
    return n;
}

const char *sty_cli_option(const struct sty_cli *cli, const char *name)
{
    const char *value = NULL;
    for (const struct sty_given *given = cli->given; given && given->option; given++)
        if (strcmp(given->option->name, name) == 0)
            value = given->value;
    return value;
}

const char **sty_cli_option_values(const struct sty_cli *cli, const char *name)
{
    size_t count = 0, kept = 0;
    while (cli->given[count].option)
        count++;
    const char **values = sty_arena_alloc(cli->arena, (count + 1) * sizeof *values);
    for (size_t i = 0; i < count; i++)
        if (strcmp(cli->given[i].option->name, name) == 0)
            values[kept++] = cli->given[i].value;
    return values;
}

static const struct sty_command *find_command(const char *name)
{
    for (const struct sty_command *c = sty_commands; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

/* The first word that is no option is the command's name; -c, -C and -o take the next word with them. */
static const struct sty_command *command_of(int argc, char **argv, int *at)
{
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-') {
            *at = i;
            return find_command(argv[i]);
        }
        bool alone = strcmp(argv[i], "--config") == 0 || strcmp(argv[i], "--directory") == 0 ||
                     strcmp(argv[i], "--state-dir") == 0 || strcmp(argv[i], "--output") == 0;
        bool letter = argv[i][1] && !argv[i][2] && strchr("cCo", argv[i][1]);
        i += alone || letter;
    }
    *at = 0;
    return NULL;
}

/* No argument gives more options than it has letters. */
static size_t most_given(int argc, char **argv)
{
    size_t most = 1;
    for (int i = 1; i < argc; i++)
        most += strlen(argv[i]);
    return most;
}

static int parse(struct sty_cli *cli, int argc, char **argv, struct sty_error *err)
{
    const struct sty_option *options[MOST_OPTIONS];
    struct option longs[MOST_OPTIONS + 1] = {{0}};
    sty_auto(str) letters = STY_STR_INIT;
    size_t n = gather(options, cli->command);
    sty_str_append(&letters, ":");
    for (size_t i = 0; i < n; i++) {
        longs[i] =
            (struct option){options[i]->name, options[i]->value ? required_argument : no_argument, NULL, 256 + (int)i};
        if (options[i]->letter)
            sty_str_appendf(&letters, options[i]->value ? "%c:" : "%c", options[i]->letter);
    }
    cli->given = sty_arena_alloc(cli->arena, most_given(argc, argv) * sizeof *cli->given);
    size_t given = 0;
    optind = 1;
    for (int got; (got = getopt_long(argc, argv, letters.data, longs, NULL)) != -1;) {
        if (got == '?' || got == ':')
            return sty_error_set(err, STY_USAGE, got == '?' ? "unknown option '%s'" : "option '%s' wants a value",
                                 argv[optind - 1]);
        for (size_t i = 0; i < n; i++)
            if (got == 256 + (int)i || got == options[i]->letter)
                cli->given[given++] = (struct sty_given){options[i], optarg ? optarg : ""};
    }
    cli->argument_count = (size_t)(argc - optind);
    cli->arguments = sty_arena_alloc(cli->arena, (cli->argument_count + 1) * sizeof *cli->arguments);
    for (size_t i = 0; i < cli->argument_count; i++)
        cli->arguments[i] = argv[optind + (int)i];
    return 0;
}

static int apply_globals(struct sty_cli *cli, struct sty_error *err)
{
    const char *output = sty_cli_option(cli, "output"), *directory = sty_cli_option(cli, "directory");
    if (output && strcmp(output, "json") != 0 && strcmp(output, "text") != 0 && strcmp(output, "markdown") != 0)
        return sty_error_set(err, STY_USAGE, "-o wants text or json, not '%s'", output);
    cli->json = output && strcmp(output, "json") == 0;
    cli->quiet = sty_cli_option(cli, "quiet") != NULL;
    cli->verbose = sty_cli_option(cli, "verbose") != NULL;
    cli->color = isatty(STDOUT_FILENO) && !sty_cli_option(cli, "no-color") && !getenv("NO_COLOR");
    sty_log_configure(cli->verbose ? STY_LOG_INFO : STY_LOG_WARNING, false);
    if (directory && chdir(directory) < 0)
        return sty_error_set(err, STY_USAGE, "-C %s: %m", directory);
    return 0;
}

int sty_cli_prepare(struct sty_cli *cli, unsigned needs, struct sty_error *err)
{
    const char *state_dir = sty_cli_option(cli, "state-dir");
    if ((needs & STY_NEEDS_CONFIGURATION) &&
        sty_configuration_load(&cli->configuration, cli->arena, sty_cli_option(cli, "config"), state_dir, err) < 0)
        return -1;
    if (!(needs & STY_NEEDS_LEDGER) ||
        sty_ledger_open(&cli->ledger, cli->configuration.state_dir, STY_LEDGER_READ, err) == 0)
        return 0;
    if (err->code == STY_NOT_FOUND)
        return sty_error_set(err, STY_NOT_FOUND, "nothing was synced yet: styrmin sync (state directory %s)",
                             cli->configuration.state_dir);
    return -1;
}

static int exit_code(const struct sty_error *err)
{
    switch ((int)err->code) {
    case STY_USAGE:
    case STY_INVALID:
        return STY_EXIT_USAGE;
    case STY_BLOCKED:
        return STY_EXIT_WAITS;
    case STY_BUSY:
        return STY_EXIT_BUSY;
    default:
        return STY_EXIT_FAILED;
    }
}

static int run(struct sty_cli *cli, int argc, char **argv, struct sty_error *err)
{
    int at = 0;
    cli->command = command_of(argc, argv, &at);
    if (at && !cli->command)
        return sty_error_set(err, STY_USAGE, "no command '%s'; `styrmin help` lists them", argv[at]);
    bool version = argc == 2 && strcmp(argv[1], "--version") == 0;
    if (!cli->command)
        cli->command = find_command(version ? "version" : "help");
    for (int i = at; at && i > 1; i--)
        argv[i] = argv[i - 1];
    if (parse(cli, at ? argc - 1 : version ? 1 : argc, at ? argv + 1 : argv, err) < 0 || apply_globals(cli, err) < 0)
        return -1;
    if (sty_cli_option(cli, "help")) {
        cli->arguments = (const char *[]){cli->command->name, NULL};
        cli->argument_count = sty_streq(cli->command->name, "help") ? 0 : 1;
        return sty_command_help(cli, err);
    }
    return sty_cli_prepare(cli, cli->command->needs, err) < 0 ? -1 : cli->command->run(cli, err);
}

int sty_cli_main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    struct sty_error err = {STY_OK, ""};
    struct sty_cli cli = {.arena = sty_arena_new()};
    int code = run(&cli, argc, argv, &err);
    if (code < 0) {
        sty_auto(str) text = STY_STR_INIT;
        sty_str_append_visible(&text, err.text, strlen(err.text), true);
        fflush(stdout);
        fprintf(stderr, "styrmin: %s\n", text.data);
        code = exit_code(&err);
    }
    sty_ledger_close(cli.ledger);
    sty_arena_free(cli.arena);
    if (fflush(stdout) != 0 && code == STY_EXIT_OK)
        code = STY_EXIT_FAILED;
    return code;
}
