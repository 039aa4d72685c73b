/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Help as text, printed from the command table, so that it cannot be out of date; man.c and completion.c do the same.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli_internal.h"

enum { LINE = 100, INDENT = 30 };

/* Words of `text` from column INDENT on, broken before LINE. */
static void print_wrapped(const char *text)
{
    size_t column = INDENT;
    for (const char *at = text; *at;) {
        size_t word = strcspn(at, " ");
        if (column > INDENT && column + 1 + word > LINE) {
            printf("\n%*s", INDENT, "");
            column = INDENT;
        } else if (column > INDENT) {
            putchar(' ');
            column++;
        }
        printf("%.*s", (int)word, at);
        column += word;
        at += word;
        at += strspn(at, " ");
    }
    putchar('\n');
}

/* `left`, then `text` at INDENT: below it where `left` is too long. */
static void print_item(const char *left, const char *text)
{
    int width = printf("  %s", left);
    if (width + 2 > INDENT)
        printf("\n%*s", INDENT, "");
    else
        printf("%*s", INDENT - width, "");
    print_wrapped(text);
}

static void print_options(const struct sty_option *options)
{
    for (const struct sty_option *o = options; o && o->name; o++) {
        sty_auto(str) left = STY_STR_INIT;
        if (o->letter)
            sty_str_appendf(&left, "-%c, ", o->letter);
        else
            sty_str_append(&left, "    ");
        sty_str_appendf(&left, "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
        print_item(left.data, o->help);
    }
}

static int help_on(const char *name, struct sty_error *err)
{
    for (const struct sty_command *c = sty_commands; c->name; c++) {
        if (strcmp(c->name, name) != 0)
            continue;
        printf("styrmin %s%s%s\n\n%s\n", c->name, *c->synopsis ? " " : "", c->synopsis, c->summary);
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
        print_item(c->name, c->summary);
    puts("\nOptions of every command:");
    print_options(sty_global_options);
    puts("\nExit status:");
    for (const struct sty_exit_meaning *e = sty_exit_meanings; e->meaning; e++) {
        char code[16];
        snprintf(code, sizeof code, "%d", e->code);
        print_item(code, e->meaning);
    }
    puts("\n`styrmin help COMMAND` says more on one; `styrmin init DIR` makes something to begin with.");
}

int sty_command_help(struct sty_cli *cli, struct sty_error *err)
{
    bool man = sty_streq(cli->command->name, "help") && sty_cli_option(cli, "man");
    if (cli->argument_count > 1 || (man && cli->argument_count))
        return sty_error_set(err, STY_USAGE, "help takes one command, or --man");
    if (cli->argument_count > 0)
        return help_on(cli->arguments[0], err);
    if (man)
        return sty_manual_print(err);
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
