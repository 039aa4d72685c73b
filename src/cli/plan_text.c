/* SPDX-License-Identifier: Apache-2.0 */
/* What a plan would do, as text for people and as Markdown. Everything out of git or a program is made visible. */
#include <stdio.h>
#include <string.h>

#include "cli/acting.h"

enum { MOST_CHANGES = 12 };

static void say_bold(const struct sty_cli *cli, const char *text)
{
    sty_print_styled(cli, STY_STYLE_BOLD, text);
}

static const char *short_value(struct sty_arena *arena, const json_t *value)
{
    if (!value || json_is_null(value))
        return "";
    sty_auto_free char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    sty_auto(str) clean = STY_STR_INIT;
    sty_str_append_visible(&clean, text ? text : "", strlen(text ? text : ""), false);
    return clean.length > 40 ? sty_arena_printf(arena, "%.37s...", clean.data) : sty_arena_strdup(arena, clean.data);
}

static const char *place_of(struct sty_arena *arena, const json_t *origin)
{
    const char *file = sty_json_text(origin, "file", NULL);
    if (json_is_array(origin))
        return sty_arena_printf(arena, "%s:%lld", json_string_value(json_array_get(origin, 0)),
                                (long long)json_integer_value(json_array_get(origin, 1)));
    return file ? sty_arena_printf(arena, "%s:%lld", file, (long long)sty_json_int(origin, "line", 0)) : "";
}

/* "parameters.port", as explain takes it. */
static const char *path_words(struct sty_arena *arena, const char *pointer)
{
    bool context = sty_starts_with(pointer, "/context/");
    char *words = sty_arena_strdup(arena, pointer + (context ? strlen("/context/") : *pointer == '/'));
    for (char *slash = words; (slash = strchr(slash, '/'));)
        *slash = '.';
    return words;
}

static const char *change_words(struct sty_arena *arena, const json_t *entry)
{
    const json_t *from = json_object_get(entry, "from"), *to = json_object_get(entry, "to");
    if (json_is_array(from) || json_is_array(to) || json_is_object(from) || json_is_object(to))
        return "";
    const char *before = short_value(arena, from), *after = short_value(arena, to);
    return sty_arena_printf(arena, "%s%s%s", before, *before && *after ? " -> " : "", after);
}

static char sign_of(const char *op)
{
    return sty_streq(op, "add") || sty_streq(op, "create")      ? '+'
           : sty_streq(op, "remove") || sty_streq(op, "delete") ? '-'
                                                                : '~';
}

/* The value and where it was written, on one line where that can be read. */
static void print_change(const struct sty_cli *cli, const json_t *entry)
{
    const char *place = place_of(cli->arena, json_object_get(entry, "origin"));
    const char *words =
        sty_arena_printf(cli->arena, "  %c %s  %s", sign_of(sty_json_text(entry, "op", "")),
                         path_words(cli->arena, sty_json_text(entry, "path", "")), change_words(cli->arena, entry));
    bool together = strlen(words) + strlen(place) + 3 <= STY_TEXT_WIDTH;
    sty_print_visible(words);
    if (*place) {
        fputs(together ? "   " : "\n      ", stdout);
        sty_print_styled(cli, STY_STYLE_DIM, place);
    }
    putchar('\n');
}

/* Resources have lines of their own. */
static bool is_value(const json_t *entry)
{
    const char *path = sty_json_text(entry, "path", ""), *last = strrchr(path, '/');
    return !(sty_starts_with(path, "/components/") && sty_streq(last, "/resources"));
}

static void print_changes(const struct sty_cli *cli, const json_t *diff)
{
    size_t said = 0, left = 0;
    for (size_t i = 0; i < json_array_size(diff); i++) {
        const json_t *entry = json_array_get(diff, i);
        if (!is_value(entry))
            continue;
        if (said++ < MOST_CHANGES)
            print_change(cli, entry);
        else
            left++;
    }
    if (left)
        printf("    and %zu more; -o json has them all\n", left);
}

static const char *steps_line(struct sty_arena *arena, const json_t *steps)
{
    sty_auto(str) text = STY_STR_INIT;
    for (size_t i = 0; i < json_array_size(steps); i++) {
        const json_t *step = json_array_get(steps, i);
        const char *component = sty_json_text(step, "component", NULL);
        const char *program =
            json_string_value(json_array_get(json_object_get(json_object_get(step, "args"), "command"), 0));
        sty_str_appendf(&text, "%s%s%s%s", i ? ", " : "", sty_json_text(step, "type", ""),
                        component || program ? " " : "",
                        component ? component
                        : program ? program
                                  : "");
    }
    return sty_arena_strdup(arena, text.data);
}

/* What comes or goes as a whole differs in everything: its resources say it all. */
static const json_t *telling_diff(const json_t *entry)
{
    bool whole = !sty_json_text(entry, "from", NULL) || !sty_json_text(entry, "to", NULL);
    return whole ? NULL : json_object_get(entry, "diff");
}

static void print_planned(const struct sty_cli *cli, const json_t *entry)
{
    const json_t *resources = json_object_get(entry, "resources"), *steps = json_object_get(entry, "steps");
    const char *kind = sty_json_text(entry, "kind", ""), *reason = sty_json_text(entry, "reason", "");
    say_bold(cli, sty_arena_printf(cli->arena, "%s %s", kind, sty_target_words(cli, entry)));
    printf("%s%s\n", *reason ? ": " : "", reason);
    print_changes(cli, telling_diff(entry));
    for (size_t i = 0; i < json_array_size(resources); i++) {
        const json_t *resource = json_array_get(resources, i);
        const char *action = sty_json_text(resource, "action", "");
        printf("  %c ", sign_of(action));
        sty_print_visible(sty_json_text(resource, "id", ""));
        printf("%s\n", sty_streq(action, "release") ? "  released, not touched" : "");
    }
    if (json_array_size(steps))
        sty_print_paragraph(2, "steps: ", steps_line(cli->arena, steps));
    putchar('\n');
}

/* "2 to update, 1 to upgrade, 7 unchanged, 1 blocked" */
static void summarise(struct sty_str *out, const struct sty_outcome *plan)
{
    static const char *const kinds[] = {"create", "update",  "upgrade", "downgrade", "start",  "stop",
                                        "delete", "restore", "heal",    "adopt",     "release"};
    const json_t *document = plan->document;
    size_t total = sty_planned_count(plan->planned);
    for (size_t k = 0; k < STY_COUNT(kinds); k++) {
        size_t count = 0;
        for (size_t i = 0; i < total; i++)
            count += sty_streq(sty_planned_kind(plan->planned, i), kinds[k]);
        if (count)
            sty_str_appendf(out, "%zu to %s, ", count, kinds[k]);
    }
    sty_str_appendf(out, "%lld unchanged", (long long)sty_json_int(document, "unchanged", 0));
    if (json_array_size(json_object_get(document, "blocked")))
        sty_str_appendf(out, ", %zu blocked", json_array_size(json_object_get(document, "blocked")));
}

void sty_print_plan(const struct sty_cli *cli, const struct sty_outcome *plan)
{
    const json_t *document = plan->document, *problems = json_object_get(document, "problems");
    size_t total = sty_planned_count(plan->planned);
    sty_auto(str) summary = STY_STR_INIT;
    summarise(&summary, plan);
    for (size_t i = 0; i < total; i++) {
        json_auto_t *entry = sty_planned_get(plan->planned, i);
        sty_auto_ptr(arena) arena = sty_arena_new();
        struct sty_cli one = *cli;
        one.arena = arena;
        print_planned(&one, entry);
    }
    sty_print_blocked(cli, json_object_get(document, "blocked"));
    for (size_t i = 0; i < json_array_size(problems); i++) {
        const json_t *p = json_array_get(problems, i);
        printf("%s:%lld:%lld: ", sty_json_text(p, "file", ""), (long long)sty_json_int(p, "line", 0),
               (long long)sty_json_int(p, "column", 0));
        sty_print_visible(sty_json_text(p, "message", ""));
        putchar('\n');
    }
    puts(summary.data);
    if (json_array_size(json_object_get(document, "blocked")) > 1)
        printf("to approve all of it at once:\n  styrmin approve %s -m REASON\n", sty_json_text(document, "whole", ""));
    if (total)
        printf("to run exactly this:\n  styrmin sync --plan %s\n", sty_json_text(document, "digest", ""));
}

/* ---- Markdown, where text of others must not become markup ---- */

static void cell(struct sty_str *out, const char *text)
{
    sty_auto(str) clean = STY_STR_INIT;
    sty_str_append_visible(&clean, text, strlen(text), false);
    for (size_t i = 0; i < clean.length; i++) {
        char c = clean.data[i];
        if (c == '<' || c == '>' || c == '&')
            sty_str_append(out, c == '<' ? "&lt;" : c == '>' ? "&gt;" : "&amp;");
        else if (strchr("\\`*_{}[]()#+!|~@$", c))
            sty_str_appendf(out, "\\%c", c);
        else
            sty_str_append_char(out, c);
    }
}

static void markdown_remediation(struct sty_str *out, const json_t *entry)
{
    sty_auto_ptr(arena) arena = sty_arena_new();
    const json_t *diff = telling_diff(entry);
    sty_str_appendf(out, "### %s ", sty_json_text(entry, "kind", ""));
    cell(out, sty_json_text(entry, "target", ""));
    sty_str_append(out, "\n\n");
    cell(out, sty_json_text(entry, "reason", ""));
    sty_str_append(out, "\n\n");
    if (json_array_size(diff))
        sty_str_append(out, "| path | from | to | where |\n| --- | --- | --- | --- |\n");
    for (size_t i = 0; i < json_array_size(diff) && i < 4 * (size_t)MOST_CHANGES; i++) {
        const json_t *d = json_array_get(diff, i);
        const char *cells[] = {sty_json_text(d, "path", ""), short_value(arena, json_object_get(d, "from")),
                               short_value(arena, json_object_get(d, "to")),
                               place_of(arena, json_object_get(d, "origin"))};
        for (size_t c = 0; c < STY_COUNT(cells); c++) {
            sty_str_append(out, "| ");
            cell(out, cells[c]);
            sty_str_append_char(out, ' ');
        }
        sty_str_append(out, "|\n");
    }
    sty_str_append(out, json_array_size(diff) ? "\nSteps: " : "Steps: ");
    cell(out, steps_line(arena, json_object_get(entry, "steps")));
    sty_str_append(out, "\n\n");
}

void sty_print_plan_markdown(const struct sty_outcome *plan)
{
    sty_auto(str) out = STY_STR_INIT;
    const json_t *document = plan->document, *blocked = json_object_get(document, "blocked");
    sty_str_append(&out, "## Plan: ");
    summarise(&out, plan);
    sty_str_appendf(&out, "\n\nDigest `%s`\n\n", sty_json_text(document, "digest", ""));
    for (size_t i = 0; i < sty_planned_count(plan->planned); i++) {
        json_auto_t *entry = sty_planned_get(plan->planned, i);
        markdown_remediation(&out, entry);
    }
    for (size_t i = 0; i < json_array_size(blocked); i++) {
        const json_t *entry = json_array_get(blocked, i);
        sty_str_append(&out, "- **blocked** ");
        cell(&out, sty_json_text(entry, "target", ""));
        sty_str_appendf(&out, " \\(%s\\): ", sty_json_text(entry, "reason", ""));
        cell(&out, sty_json_text(entry, "message", ""));
        sty_str_append_char(&out, '\n');
    }
    fwrite(out.data, 1, out.length, stdout);
}
