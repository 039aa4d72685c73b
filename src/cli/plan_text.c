/* SPDX-License-Identifier: Apache-2.0 */
/* What a sync would do, as text for people and as Markdown. Everything out of git is made visible. */
#include <stdio.h>
#include <string.h>

#include "cli/acting.h"

enum { MOST_CHANGES = 12 };

static const char *short_value(struct sty_arena *arena, const json_t *value)
{
    if (!value || json_is_null(value))
        return "";
    sty_auto_free char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    sty_auto(str) clean = STY_STR_INIT;
    sty_str_append_visible(&clean, text ? text : "", strlen(text ? text : ""), false);
    return clean.length > 60 ? sty_arena_printf(arena, "%.57s...", clean.data) : sty_arena_strdup(arena, clean.data);
}

static const char *place_of(struct sty_arena *arena, const json_t *origin)
{
    const char *file = sty_json_text(origin, "file", NULL);
    if (json_is_array(origin))
        return sty_arena_printf(arena, "%s:%lld", json_string_value(json_array_get(origin, 0)),
                                (long long)json_integer_value(json_array_get(origin, 1)));
    return file ? sty_arena_printf(arena, "%s:%lld", file, (long long)sty_json_int(origin, "line", 0)) : "";
}

static const char *change_line(struct sty_arena *arena, const json_t *entry)
{
    const char *op = sty_json_text(entry, "op", ""), *place = place_of(arena, json_object_get(entry, "origin"));
    const char *from = short_value(arena, json_object_get(entry, "from"));
    const char *to = short_value(arena, json_object_get(entry, "to"));
    bool both = *from && *to;
    return sty_arena_printf(arena, "%c %s  %s%s%s%s%s",
                            sty_streq(op, "add")      ? '+'
                            : sty_streq(op, "remove") ? '-'
                                                      : '~',
                            sty_json_text(entry, "path", ""), from, both ? " -> " : "", to, *place ? "   " : "", place);
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

static void print_planned(const struct sty_cli *cli, const json_t *entry)
{
    const json_t *diff = json_object_get(entry, "diff"), *resources = json_object_get(entry, "resources");
    sty_auto_ptr(arena) arena = sty_arena_new();
    sty_print_styled(cli, STY_STYLE_BOLD,
                     sty_arena_printf(arena, "%-9s%s", sty_json_text(entry, "kind", ""), sty_target_words(cli, entry)));
    printf("  %s\n", sty_json_text(entry, "reason", ""));
    bool create = sty_streq(sty_json_text(entry, "kind", ""), "create");
    for (size_t i = 0; !create && i < json_array_size(diff) && i < MOST_CHANGES; i++) {
        fputs("    ", stdout);
        sty_print_visible(change_line(arena, json_array_get(diff, i)));
        putchar('\n');
    }
    if (!create && json_array_size(diff) > MOST_CHANGES)
        printf("    and %zu more; -o json has them all\n", json_array_size(diff) - MOST_CHANGES);
    for (size_t i = 0; i < json_array_size(resources); i++) {
        const json_t *resource = json_array_get(resources, i);
        printf("    %-8s", sty_json_text(resource, "action", ""));
        sty_print_visible(sty_json_text(resource, "id", ""));
        putchar('\n');
    }
    if (json_array_size(json_object_get(entry, "steps"))) {
        printf("    %zu steps: ", json_array_size(json_object_get(entry, "steps")));
        sty_print_visible(steps_line(arena, json_object_get(entry, "steps")));
        putchar('\n');
    }
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
        print_planned(cli, entry);
    }
    sty_print_blocked_list(cli, json_object_get(document, "blocked"));
    for (size_t i = 0; i < json_array_size(problems); i++) {
        const json_t *p = json_array_get(problems, i);
        printf("%s:%lld:%lld: ", sty_json_text(p, "file", ""), (long long)sty_json_int(p, "line", 0),
               (long long)sty_json_int(p, "column", 0));
        sty_print_visible(sty_json_text(p, "message", ""));
        putchar('\n');
    }
    printf("%s%s\n", total ? "\n" : "", summary.data);
    if (total)
        printf("to run exactly this: styrmin sync --plan %s\n", sty_json_text(document, "digest", ""));
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
    const json_t *diff = json_object_get(entry, "diff");
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
