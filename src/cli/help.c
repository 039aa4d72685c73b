/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Help, manual page and completions, all printed from the command table, so that none of them can be out of date.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli_internal.h"

static void print_options(const struct sty_option *options)
{
    for (const struct sty_option *o = options; o && o->name; o++) {
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
        if (o->letter)
            printf("  -%c, %-22s %s\n", o->letter, left, o->help);
        else
            printf("      %-22s %s\n", left, o->help);
    }
}

static int help_on(const char *name, struct sty_error *err)
{
    for (const struct sty_command *c = sty_commands; c->name; c++) {
        if (strcmp(c->name, name) != 0)
            continue;
        printf("styrmin %s %s\n\n%s\n", c->name, c->synopsis, c->summary);
        if (c->options) {
            puts("\nOptions:");
            print_options(c->options);
        }
        puts("\nOptions of every command:");
        print_options(sty_global_options);
        return STY_EXIT_OK;
    }
    return sty_error_set(err, STY_USAGE, "no command '%s'; `styrmin help` lists them", name);
}

static void overview(void)
{
    puts("styrmin: makes a machine be what a git repository says, and writes what it did back onto the commit\n");
    puts("usage: styrmin COMMAND [ARGUMENT...] [OPTION...]\n\nCommands:");
    for (const struct sty_command *c = sty_commands; c->name; c++)
        printf("  %-11s %s\n", c->name, c->summary);
    puts("\nOptions of every command:");
    print_options(sty_global_options);
}

/* mdoc, with the characters that roff reads escaped. */
static void roff(const char *text)
{
    for (const char *at = text; *at; at++) {
        if (*at == '\\')
            fputs("\\e", stdout);
        else if (*at == '-')
            fputs("\\-", stdout);
        else if ((*at == '.' || *at == '\'') && at == text)
            printf("\\&%c", *at);
        else
            putchar(*at);
    }
}

static void man_options(const struct sty_option *options)
{
    if (!options)
        return;
    puts(".Bl -tag -width Ds");
    for (const struct sty_option *o = options; o->name; o++) {
        fputs(".It ", stdout);
        if (o->letter)
            printf("Fl %c , ", o->letter);
        printf("Fl -%s%s%s\n", o->name, o->value ? " Ar " : "", o->value ? o->value : "");
        roff(o->help);
        putchar('\n');
    }
    puts(".El");
}

static const struct {
    int code;
    const char *meaning;
} exits[] = {{STY_EXIT_OK, "done, in sync"},
             {STY_EXIT_FAILED, "something failed, now or still"},
             {STY_EXIT_USAGE, "wrong usage, configuration or definitions"},
             {STY_EXIT_CHANGES, "with --exit-code: changes or drift are there"},
             {STY_EXIT_WAITS, "nothing failed, but something waits for a person"},
             {STY_EXIT_BUSY, "another process holds the state directory"}};

static void manual(void)
{
    puts(
        ".Dd $Mdocdate$\n.Dt STYRMIN 1\n.Os\n.Sh NAME\n.Nm styrmin\n.Nd declarative deployments from a git repository");
    puts(".Sh SYNOPSIS\n.Nm\n.Ar command\n.Op Ar argument ...\n.Op Ar option ...\n.Sh DESCRIPTION");
    puts("Styrmin makes a machine be what the newest commit of a git repository says, keeps it so, and writes what it "
         "did");
    puts("back onto the commit.\n.Sh COMMANDS");
    for (const struct sty_command *c = sty_commands; c->name; c++) {
        printf(".Ss %s ", c->name);
        roff(c->synopsis);
        putchar('\n');
        roff(c->summary);
        putchar('\n');
        man_options(c->options);
    }
    puts(".Sh OPTIONS");
    man_options(sty_global_options);
    puts(".Sh EXIT STATUS\n.Bl -tag -width Ds");
    for (size_t i = 0; i < STY_COUNT(exits); i++) {
        printf(".It %d\n", exits[i].code);
        roff(exits[i].meaning);
        putchar('\n');
    }
    puts(".El");
}

int sty_command_help(struct sty_cli *cli, struct sty_error *err)
{
    if (cli->argument_count > 0)
        return help_on(cli->arguments[0], err);
    if (sty_streq(cli->command->name, "help") && sty_cli_option(cli, "man"))
        manual();
    else
        overview();
    return STY_EXIT_OK;
}

int sty_command_version(struct sty_cli *cli, struct sty_error *err)
{
    json_auto_t *document =
        json_pack("{s:s, s:s, s:i}", "kind", "Version", "version", STYRMIN_VERSION, "format", STY_INSTANCE_FORMAT);
    if (cli->json)
        return sty_print_json(document, err);
    puts("styrmin " STYRMIN_VERSION);
    return STY_EXIT_OK;
}

static void complete_bash(void)
{
    puts("_styrmin() {\n    local cur=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]}\n    if [ \"$COMP_CWORD\" = 1 "
         "]; then");
    fputs("        COMPREPLY=($(compgen -W \"", stdout);
    for (const struct sty_command *c = sty_commands; c->name; c++)
        printf("%s ", c->name);
    puts("\" -- \"$cur\"))\n        return\n    fi\n    local options=\"");
    for (const struct sty_option *o = sty_global_options; o->name; o++)
        printf("--%s ", o->name);
    puts("\"\n    case $command in");
    for (const struct sty_command *c = sty_commands; c->name; c++) {
        if (!c->options)
            continue;
        printf("    %s) options=\"$options", c->name);
        for (const struct sty_option *o = c->options; o->name; o++)
            printf(" --%s", o->name);
        puts("\" ;;");
    }
    puts("    esac\n    case $cur in -*) COMPREPLY=($(compgen -W \"$options\" -- \"$cur\")) ;; esac\n}");
    puts("complete -o default -F _styrmin styrmin");
}

static void complete_fish(void)
{
    for (const struct sty_command *c = sty_commands; c->name; c++) {
        printf("complete -c styrmin -n __fish_use_subcommand -a %s -d '%s'\n", c->name, c->summary);
        for (const struct sty_option *o = c->options; o && o->name; o++)
            printf("complete -c styrmin -n '__fish_seen_subcommand_from %s' -l %s%s\n", c->name, o->name,
                   o->value ? " -r" : "");
    }
}

int sty_command_completion(struct sty_cli *cli, struct sty_error *err)
{
    const char *shell = cli->argument_count == 1 ? cli->arguments[0] : "";
    if (sty_streq(shell, "zsh"))
        puts("autoload -U +X bashcompinit && bashcompinit");
    if (sty_streq(shell, "bash") || sty_streq(shell, "zsh"))
        complete_bash();
    else if (sty_streq(shell, "fish"))
        complete_fish();
    else
        return sty_error_set(err, STY_USAGE, "completion wants bash, zsh or fish");
    return STY_EXIT_OK;
}
