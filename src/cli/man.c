/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manual page (mdoc), printed from the command table; the build writes styrmin.1 with it. What no row says (files,
 * environment, examples) stands here. Its date is SOURCE_DATE_EPOCH's where that is set, so that builds can be
 * repeated.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli_internal.h"

const struct sty_exit_meaning sty_exit_meanings[] = {
    {STY_EXIT_OK, "done, in sync"},
    {STY_EXIT_FAILED, "something failed, now or still"},
    {STY_EXIT_USAGE, "wrong usage, configuration or definitions"},
    {STY_EXIT_CHANGES, "with --exit-code: changes or drift are there"},
    {STY_EXIT_WAITS, "nothing failed, but something waits for a person"},
    {STY_EXIT_BUSY, "another process holds the state directory"},
    {0, NULL}};

/* Text with the characters that roff reads escaped. */
static void roff(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\\')
            fputs("\\e", stdout);
        else if (text[i] == '-')
            fputs("\\-", stdout);
        else if ((text[i] == '.' || text[i] == '\'') && i == 0)
            printf("\\&%c", text[i]);
        else
            putchar(text[i]);
    }
}

static void line(const char *text)
{
    roff(text, strlen(text));
    putchar('\n');
}

/* An argument of a macro: quoted, because "|" and "." alone mean something to mdoc. */
static void argument(const char *text, size_t length)
{
    fputs(" \"", stdout);
    roff(text, length);
    putchar('"');
}

static void man_option(const struct sty_option *o)
{
    fputs(".It ", stdout);
    if (o->letter)
        printf("Fl %c , ", o->letter);
    printf("Fl Fl ");
    roff(o->name, strlen(o->name));
    if (o->value) {
        fputs(" Ar", stdout);
        argument(o->value, strlen(o->value));
    }
    putchar('\n');
    line(o->help);
}

static void man_options(const struct sty_option *options)
{
    if (!options)
        return;
    puts(".Bl -tag -width Ds");
    for (const struct sty_option *o = options; o->name; o++)
        man_option(o);
    puts(".El");
}

/* Upper case is a placeholder, what begins with '-' an option. */
static const char *macro_of(const char *word, size_t length)
{
    if (word[0] == '-')
        return "Fl";
    for (size_t i = 0; i < length; i++)
        if (islower((unsigned char)word[i]))
            return "Cm";
    return "Ar";
}

static void man_word(const char *word, size_t length)
{
    const char *macro = macro_of(word, length);
    size_t dash = sty_streq(macro, "Fl");
    printf(".%s", macro);
    argument(word + dash, length - dash);
    putchar('\n');
}

static void man_synopsis(const struct sty_command *c)
{
    printf(".Nm\n.Cm ");
    line(c->name);
    for (const char *at = c->synopsis; *at;) {
        size_t word = strcspn(at, "[]| ");
        if (word)
            man_word(at, word);
        else if (*at != ' ')
            puts(*at == '[' ? ".Oo" : *at == ']' ? ".Oc" : ".No \\(ba");
        at += word ? word : 1;
    }
}

static void man_date(void)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    struct sty_error ignored;
    int64_t seconds = 0;
    char text[64];
    struct tm day;
    if (!epoch || sty_number_parse(&seconds, epoch, 0, INT32_MAX, &ignored) < 0)
        seconds = time(NULL);
    const time_t at = (time_t)seconds;
    gmtime_r(&at, &day);
    strftime(text, sizeof text, "%B %d, %Y", &day);
    printf(".Dd %s\n", text);
}

static void man_places(void)
{
    puts(".Sh ENVIRONMENT\n.Bl -tag -width Ds\n"
         ".It Ev STYRMIN_CONFIG\nThe configuration, where\n.Fl c\nnames none.\n"
         ".It Ev NO_COLOR\nNo colour, whatever the terminal.\n"
         ".It Ev http_proxy , Ev https_proxy , Ev no_proxy\nFor the source, where source.proxy names none.\n.El");
    puts(".Sh FILES\n.Bl -tag -width Ds\n"
         ".It Pa ./styrmin.yaml , Pa ~/.config/styrmin/styrmin.yaml , Pa /etc/styrmin/styrmin.yaml\n"
         "The configuration: the first that is there.\n"
         ".It Pa /var/lib/styrmin\n"
         "The state directory, unless state_dir names another one: ledger, mirror of the source, lock.\n.El");
}

static void man_exits(void)
{
    puts(".Sh EXIT STATUS\n.Bl -tag -width Ds");
    for (const struct sty_exit_meaning *e = sty_exit_meanings; e->meaning; e++) {
        printf(".It %d\n", e->code);
        line(e->meaning);
    }
    puts(".El");
}

static void man_examples(void)
{
    puts(".Sh EXAMPLES\nBegin with a working example:\n.Bd -literal -offset indent\n"
         "styrmin init demo\ncd demo\nstyrmin check platform\nstyrmin doctor\n.Ed\n.Pp\n"
         "Where does a value come from?\n"
         ".Dl styrmin explain hello parameters.greeting \\-\\-tree platform");
}

int sty_manual_print(struct sty_error *err)
{
    man_date();
    puts(".Dt STYRMIN 1\n.Os\n.Sh NAME\n.Nm styrmin\n.Nd declarative deployments from a git repository");
    puts(".Sh SYNOPSIS\n.Nm\n.Ar command\n.Op Ar argument ...\n.Op Ar option ...\n.Sh DESCRIPTION");
    puts(".Nm\nmakes a machine be what the newest commit of a git repository says, keeps it so,\n"
         "and writes what it did back onto the commit, where\n.Xr git-log 1\nshows it.\n.Sh COMMANDS");
    for (const struct sty_command *c = sty_commands; c->name; c++) {
        fputs(".Ss", stdout);
        argument(c->name, strlen(c->name));
        putchar('\n');
        man_synopsis(c);
        puts(".Pp");
        line(c->summary);
        man_options(c->options);
    }
    puts(".Sh OPTIONS\nEvery command takes these:");
    man_options(sty_global_options);
    man_places();
    man_exits();
    man_examples();
    puts(".Sh SEE ALSO\n.Xr git 1 ,\n.Xr git-notes 1");
    return ferror(stdout) ? sty_error_set(err, STY_IO, "writing to stdout") : STY_EXIT_OK;
}
