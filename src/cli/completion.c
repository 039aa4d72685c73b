/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Completions for bash, zsh and fish, printed from the command table: commands, options, and the values of those whose
 * row lists them ("text|json") or says what they are (FILE, DIR).
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli_internal.h"

enum value_kind { VALUE_NONE, VALUE_ANY, VALUE_FILE, VALUE_DIRECTORY, VALUE_CHOICE };

static enum value_kind kind_of(const struct sty_option *o)
{
    if (!o->value)
        return VALUE_NONE;
    if (strchr(o->value, '|'))
        return VALUE_CHOICE;
    return sty_streq(o->value, "FILE") ? VALUE_FILE : sty_streq(o->value, "DIR") ? VALUE_DIRECTORY : VALUE_ANY;
}

/* "text|json" -> "text json". */
static void print_choices(const char *value)
{
    for (; *value; value++)
        putchar(*value == '|' ? ' ' : *value);
}

/* What an argument of the command may be, where it is one of few. */
static void print_arguments(const struct sty_command *c)
{
    if (sty_streq(c->name, "help"))
        for (const struct sty_command *each = sty_commands; each->name; each++)
            printf("%s%s", each == sty_commands ? "" : " ", each->name);
    else if (sty_streq(c->name, "completion"))
        fputs("bash zsh fish", stdout);
}

static bool has_arguments(const struct sty_command *c)
{
    return sty_streq(c->name, "help") || sty_streq(c->name, "completion");
}

/* Text in single quotes for any of the three shells; `also` are characters to put a backslash before. */
static void print_quoted(const char *text, const char *also)
{
    putchar('\'');
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\''", stdout);
        else if (strchr(also, *text))
            printf("\\%c", *text);
        else
            putchar(*text);
    }
    putchar('\'');
}

/* ---- bash ---- */

static void bash_names(const struct sty_option *options)
{
    for (const struct sty_option *o = options; o && o->name; o++) {
        if (o->letter)
            printf(" -%c", o->letter);
        printf(" --%s", o->name);
    }
}

static void bash_pattern(const char *command, const struct sty_option *o)
{
    printf("    %s:--%s", command, o->name);
    if (o->letter)
        printf(" | %s:-%c", command, o->letter);
    fputs(") ", stdout);
}

static void bash_values(const char *command, const struct sty_option *options)
{
    for (const struct sty_option *o = options; o && o->name; o++) {
        enum value_kind kind = kind_of(o);
        if (kind == VALUE_NONE)
            continue;
        bash_pattern(command, o);
        if (kind == VALUE_FILE || kind == VALUE_DIRECTORY)
            printf("COMPREPLY=($(compgen -%c -- \"$cur\")); return ;;\n", kind == VALUE_FILE ? 'f' : 'd');
        else if (kind == VALUE_ANY)
            puts("COMPREPLY=(); return ;;");
        else {
            fputs("COMPREPLY=($(compgen -W '", stdout);
            print_choices(o->value);
            puts("' -- \"$cur\")); return ;;");
        }
    }
}

static void bash_words(void)
{
    fputs("    case $command in\n    '') words='", stdout);
    for (const struct sty_command *c = sty_commands; c->name; c++)
        printf("%s%s", c == sty_commands ? "" : " ", c->name);
    puts("' ;;");
    for (const struct sty_command *c = sty_commands; c->name; c++) {
        if (!c->options && !has_arguments(c))
            continue;
        printf("    %s)", c->name);
        if (c->options) {
            fputs(" options+='", stdout);
            bash_names(c->options);
            fputs("'", stdout);
        }
        if (has_arguments(c)) {
            fputs(c->options ? "; words='" : " words='", stdout);
            print_arguments(c);
            fputs("'", stdout);
        }
        puts(" ;;");
    }
    puts("    esac");
}

static void bash_value_options(void)
{
    const char *between = "        ";
    for (const struct sty_option *o = sty_global_options; o->name; o++) {
        if (!o->value)
            continue;
        printf("%s--%s", between, o->name);
        between = " | ";
        if (o->letter)
            printf(" | -%c", o->letter);
    }
    puts(") i=$((i + 1)) ;;");
}

/* The command is the first word that is neither an option nor an option's value, as in sty_cli_main(). */
static void complete_bash(void)
{
    puts("# completions of styrmin for bash\n_styrmin() {\n"
         "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= words= options= i\n"
         "    for ((i = 1; i < COMP_CWORD; i++)); do\n        case ${COMP_WORDS[i]} in");
    bash_value_options();
    puts("        -*) ;;\n        *) command=${COMP_WORDS[i]}; break ;;\n        esac\n    done");
    puts("    case $command:$prev in");
    bash_values("*", sty_global_options);
    for (const struct sty_command *c = sty_commands; c->name; c++)
        bash_values(c->name, c->options);
    fputs("    esac\n    options='", stdout);
    bash_names(sty_global_options);
    puts("'");
    bash_words();
    puts("    case $cur in\n    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$cur\")) ;;\n"
         "    *) COMPREPLY=($(compgen -W \"$words\" -- \"$cur\")) ;;\n    esac\n}\n"
         "complete -o default -F _styrmin styrmin");
}

/* ---- zsh ---- */

static void zsh_option(const struct sty_option *o)
{
    sty_auto(str) spec = STY_STR_INIT;
    static const char *const actions[] = {"", ":value:", ":file:_files", ":folder:_files -/", ":value:("};
    enum value_kind kind = kind_of(o);
    for (const char *at = o->help; *at; at++)
        sty_str_appendf(&spec, strchr("[]\\:'", *at) ? *at == '\'' ? "'\\%c'" : "\\%c" : "%c", *at);
    for (int letter = 0; letter <= (o->letter != 0); letter++) {
        fputs("        '", stdout);
        if (o->letter)
            printf("(-%c --%s)", o->letter, o->name);
        if (letter)
            printf("-%c", o->letter);
        else
            printf("--%s", o->name);
        printf("[%s]%s", spec.data, actions[kind]);
        if (kind == VALUE_CHOICE) {
            print_choices(o->value);
            putchar(')');
        }
        puts("'");
    }
}

static void zsh_options(const struct sty_option *options)
{
    for (const struct sty_option *o = options; o && o->name; o++)
        zsh_option(o);
}

static void zsh_command(const struct sty_command *c)
{
    if (!c->options && !has_arguments(c))
        return;
    printf("        (%s)\n        specs+=(\n", c->name);
    zsh_options(c->options);
    if (has_arguments(c)) {
        fputs("        '2:argument:(", stdout);
        print_arguments(c);
        puts(")'");
    }
    puts("        )\n        ;;");
}

static void complete_zsh(void)
{
    puts("#compdef styrmin\n# completions of styrmin for zsh\n_styrmin() {\n    local -a commands specs\n"
         "    local command word skip=\n    commands=(");
    for (const struct sty_command *c = sty_commands; c->name; c++) {
        fputs("        ", stdout);
        sty_auto(str) row = STY_STR_INIT;
        sty_str_appendf(&row, "%s:%s", c->name, c->summary);
        print_quoted(row.data, "");
        putchar('\n');
    }
    puts("    )\n    specs=(");
    zsh_options(sty_global_options);
    puts("    )\n    for word in ${words[2,CURRENT-1]}; do\n"
         "        if [[ -n $skip ]]; then\n            skip=\n            continue\n        fi\n"
         "        case $word in");
    fputs("        (", stdout);
    const char *between = "";
    for (const struct sty_option *o = sty_global_options; o->name; o++) {
        if (!o->value)
            continue;
        printf("%s--%s", between, o->name);
        between = "|";
        if (o->letter)
            printf("|-%c", o->letter);
    }
    puts(") skip=1 ;;\n        (-*) ;;\n        (*) command=$word; break ;;\n        esac\n    done\n"
         "    case $command in");
    for (const struct sty_command *c = sty_commands; c->name; c++)
        zsh_command(c);
    puts("    esac\n    specs+=('1:command:{_describe command commands}' '*:argument:_files')\n"
         "    _arguments -s -S $specs\n}\n"
         "if [[ $funcstack[1] == _styrmin ]]; then\n    _styrmin \"$@\"\nelse\n    compdef _styrmin styrmin\nfi");
}

/* ---- fish ---- */

static void fish_option(const char *command, const struct sty_option *o)
{
    enum value_kind kind = kind_of(o);
    fputs("complete -c styrmin", stdout);
    if (command)
        printf(" -n '__fish_seen_subcommand_from %s'", command);
    printf(" -l %s", o->name);
    if (o->letter)
        printf(" -s %c", o->letter);
    if (kind == VALUE_FILE)
        fputs(" -r -F", stdout);
    else if (kind == VALUE_DIRECTORY)
        fputs(" -x -a '(__fish_complete_directories)'", stdout);
    else if (kind == VALUE_ANY)
        fputs(" -x", stdout);
    else if (kind == VALUE_CHOICE) {
        fputs(" -x -a '", stdout);
        print_choices(o->value);
        putchar('\'');
    }
    fputs(" -d ", stdout);
    print_quoted(o->help, "");
    putchar('\n');
}

static void complete_fish(void)
{
    puts("# completions of styrmin for fish");
    for (const struct sty_option *o = sty_global_options; o->name; o++)
        fish_option(NULL, o);
    for (const struct sty_command *c = sty_commands; c->name; c++) {
        printf("complete -c styrmin -n __fish_use_subcommand -f -a %s -d ", c->name);
        print_quoted(c->summary, "");
        putchar('\n');
        for (const struct sty_option *o = c->options; o && o->name; o++)
            fish_option(c->name, o);
        if (has_arguments(c)) {
            printf("complete -c styrmin -n '__fish_seen_subcommand_from %s' -f -a '", c->name);
            print_arguments(c);
            puts("'");
        }
    }
}

int sty_command_completion(struct sty_cli *cli, struct sty_error *err)
{
    static const struct {
        const char *shell;
        void (*print)(void);
    } shells[] = {{"bash", complete_bash}, {"zsh", complete_zsh}, {"fish", complete_fish}};
    for (size_t i = 0; i < STY_COUNT(shells) && cli->argument_count == 1; i++) {
        if (sty_streq(shells[i].shell, cli->arguments[0])) {
            shells[i].print();
            return STY_EXIT_OK;
        }
    }
    return sty_error_set(err, STY_USAGE, "completion wants bash, zsh or fish");
}
