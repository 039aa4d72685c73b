/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * cli: the command line as one table; a command is thin, and help, manual page and completions are printed from its row.
 *
 * Calling sequence: sty_cli_main() from main(). A command gets a struct sty_cli with its options parsed and what its row
 * says it needs (configuration, ledger) opened; it returns an exit code of enum sty_exit.
 */
#include <stdbool.h>
#include <stddef.h>
#include "base/json.h"
#include "ledger/ledger.h"
#include "source/source.h"
#include "styrmin/error.h"

enum sty_exit {
    STY_EXIT_OK = 0,
    STY_EXIT_FAILED = 1,  /* something failed, now or still */
    STY_EXIT_USAGE = 2,   /* wrong usage, configuration, definitions */
    STY_EXIT_CHANGES = 3, /* with --exit-code: changes or drift */
    STY_EXIT_WAITS = 4,   /* nothing failed, something waits for a person */
    STY_EXIT_BUSY = 75    /* another process holds the state directory */
};

struct sty_option {
    const char *name;  /* long, without dashes */
    char letter;       /* 0: none */
    const char *value; /* "FILE": takes one; NULL: a flag */
    const char *help;
};

struct sty_given {
    const struct sty_option *option;
    const char *value; /* "" for a flag */
};

/* styrmin.yaml, decoded by schemas/configuration.json; everything in the arena. */
struct sty_configuration {
    const char *file;    /* NULL: none was found */
    const json_t *value; /* defaults filled in */
    struct sty_source_config source;
    const char *state_dir;
    const char *const *allow; /* host.allow */
    const json_t *secrets;    /* {"files","env","commands"}, paths absolute */
};

enum sty_needs { STY_NEEDS_CONFIGURATION = 1, STY_NEEDS_LEDGER = 2 };

struct sty_cli {
    struct sty_arena *arena;
    const struct sty_command *command;
    const char **arguments; /* what is no option; NULL-terminated */
    size_t argument_count;
    struct sty_given *given; /* the options that were given, in order; ended by one without an option */
    bool json, quiet, verbose, color;
    struct sty_configuration configuration; /* STY_NEEDS_CONFIGURATION */
    struct sty_ledger *ledger;              /* STY_NEEDS_LEDGER: opened for reading */
};

struct sty_command {
    const char *name;
    const char *synopsis;                                   /* "[DIR] [--revision REV]" */
    const char *summary;                                    /* one line */
    int (*run)(struct sty_cli *cli, struct sty_error *err); /* enum sty_exit; -1 with err: the code decides */
    unsigned needs;
    const struct sty_option *options; /* ended by a row without a name; NULL: none */
};

int sty_cli_main(int argc, char **argv);

/* The table, ended by a row without a name; the global options likewise. */
extern const struct sty_command sty_commands[];
extern const struct sty_option sty_global_options[];
