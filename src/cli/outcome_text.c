/* SPDX-License-Identifier: Apache-2.0 */
/* What a sync did and what a plan would do, as text for people. Everything out of git or a program is made visible. */
#include <stdio.h>
#include <string.h>

#include "cli/acting.h"
#include "cli/ledger_view_internal.h"

enum { MOST_CHANGES = 12 };

const char *sty_target_words(const struct sty_cli *cli, const json_t *entry)
{
    const char *full = sty_json_text(entry, "target", ""), *slash = strchr(full, '/');
    bool many = json_object_size(json_object_get(cli->configuration.value, "clusters")) > 1;
    return many || !slash ? full : slash + 1;
}

static void say(const struct sty_cli *cli, enum sty_style style, const char *text)
{
    sty_print_styled(cli, style, text);
}

/* ---- blocked and standing, alike for both ---- */

static void print_blocked(const struct sty_cli *cli, const json_t *entry)
{
    const char *remedy = sty_json_text(entry, "remedy", NULL), *kind = sty_json_text(entry, "kind", NULL);
    say(cli, STY_STYLE_WARN, "blocked  ");
    printf("%s%s%s (%s): ", kind ? kind : "", kind ? " " : "", sty_target_words(cli, entry),
           sty_json_text(entry, "reason", ""));
    sty_print_visible(sty_json_text(entry, "message", ""));
    putchar('\n');
    if (remedy) {
        fputs("         to go on: ", stdout);
        sty_print_visible(remedy);
        putchar('\n');
    }
}

static void print_blocked_list(const struct sty_cli *cli, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        print_blocked(cli, json_array_get(list, i));
}

static void print_standing(const struct sty_cli *cli, const json_t *entry)
{
    const char *error = sty_json_text(entry, "error", NULL);
    bool tainted = sty_json_bool(entry, "tainted", false), quarantined = sty_json_bool(entry, "quarantined", false);
    say(cli, STY_STYLE_BAD, "standing ");
    printf("%s is %s%s%s", sty_target_words(cli, entry), tainted ? "half done" : "",
           tainted && quarantined ? " and " : "", quarantined ? "quarantined" : "");
    if (error) {
        fputs(": ", stdout);
        sty_print_visible(error);
    }
    printf("\n         to go on: a commit that changes it, or styrmin retry %s -m REASON\n",
           sty_target_words(cli, entry));
}

/* ---- sync ---- */

static enum sty_style style_of(const char *state)
{
    if (sty_streq(state, "succeeded") || sty_streq(state, "unchanged"))
        return STY_STYLE_GOOD;
    return sty_streq(state, "waiting") || sty_streq(state, "blocked") ? STY_STYLE_WARN : STY_STYLE_BAD;
}

static void print_remediation(const struct sty_cli *cli, const json_t *entry)
{
    char took[24];
    const char *state = sty_json_text(entry, "state", ""), *error = sty_json_text(entry, "error", NULL);
    say(cli, style_of(state), sty_arena_printf(cli->arena, "%-10s", state));
    printf("%s %s", sty_json_text(entry, "kind", ""), sty_target_words(cli, entry));
    if (!sty_streq(state, "waiting"))
        printf(" in %s", sty_duration_text(took, sizeof(took), sty_json_int(entry, "duration_ms", 0)));
    if (error) {
        fputs(": ", stdout);
        sty_print_visible(error);
    }
    putchar('\n');
    if (error)
        printf("         what it printed: styrmin logs %.8s\n", sty_json_text(entry, "id", ""));
}

static bool nothing_to_say(const json_t *document)
{
    static const char *const lists[] = {"remediations", "blocked", "standing", "superseded"};
    for (size_t i = 0; i < STY_COUNT(lists); i++)
        if (json_array_size(json_object_get(document, lists[i])))
            return false;
    return sty_json_int(document, "mistakes", 0) == 0;
}

void sty_print_sync(const struct sty_cli *cli, const json_t *document)
{
    char took[24];
    const json_t *remediations = json_object_get(document, "remediations");
    const json_t *standing = json_object_get(document, "standing");
    size_t superseded = json_array_size(json_object_get(document, "superseded"));
    bool quiet = nothing_to_say(document);
    if (quiet && !cli->color)
        return;
    const char *state = sty_json_text(document, "state", "");
    printf("commit %.12s  ", sty_json_text(document, "commit", "none"));
    say(cli, style_of(state), state);
    printf(" in %s", sty_duration_text(took, sizeof(took), sty_json_int(document, "duration_ms", 0)));
    if (superseded)
        printf(", %zu commit%s superseded", superseded, superseded == 1 ? "" : "s");
    putchar('\n');
    for (size_t i = 0; i < json_array_size(remediations); i++)
        print_remediation(cli, json_array_get(remediations, i));
    print_blocked_list(cli, json_object_get(document, "blocked"));
    for (size_t i = 0; i < json_array_size(standing); i++)
        print_standing(cli, json_array_get(standing, i));
    if (sty_json_int(document, "mistakes", 0))
        printf("mistakes in %lld place%s of the definitions: styrmin check names them\n",
               (long long)sty_json_int(document, "mistakes", 0), sty_json_int(document, "mistakes", 0) == 1 ? "" : "s");
}

/* ---- plan ---- */

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
                            sty_streq(op, "add") ? '+' : sty_streq(op, "remove") ? '-' : '~',
                            sty_json_text(entry, "path", ""), from, both ? " -> " : "", to, *place ? "   " : "", place);
}

static const char *steps_line(struct sty_arena *arena, const json_t *steps)
{
    sty_auto(str) text = STY_STR_INIT;
    for (size_t i = 0; i < json_array_size(steps); i++) {
        const json_t *step = json_array_get(steps, i);
        const char *component = sty_json_text(step, "component", NULL);
        const char *program = json_string_value(
            json_array_get(json_object_get(json_object_get(step, "args"), "command"), 0));
        sty_str_appendf(&text, "%s%s%s%s", i ? ", " : "", sty_json_text(step, "type", ""),
                        component || program ? " " : "", component ? component : program ? program : "");
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
    const json_t *diff = telling_diff(entry), *resources = json_object_get(entry, "resources");
    say(cli, STY_STYLE_BOLD, sty_arena_printf(cli->arena, "%-9s%s", sty_json_text(entry, "kind", ""),
                                              sty_target_words(cli, entry)));
    printf("  %s\n", sty_json_text(entry, "reason", ""));
    for (size_t i = 0; i < json_array_size(diff) && i < MOST_CHANGES; i++) {
        fputs("    ", stdout);
        sty_print_visible(change_line(cli->arena, json_array_get(diff, i)));
        putchar('\n');
    }
    if (json_array_size(diff) > MOST_CHANGES)
        printf("    and %zu more; -o json has them all\n", json_array_size(diff) - MOST_CHANGES);
    for (size_t i = 0; i < json_array_size(resources); i++) {
        const json_t *resource = json_array_get(resources, i);
        printf("    %-8s", sty_json_text(resource, "action", ""));
        sty_print_visible(sty_json_text(resource, "id", ""));
        putchar('\n');
    }
    if (json_array_size(json_object_get(entry, "steps"))) {
        printf("    %zu steps: ", json_array_size(json_object_get(entry, "steps")));
        sty_print_visible(steps_line(cli->arena, json_object_get(entry, "steps")));
        putchar('\n');
    }
}

/* "2 to update, 1 to upgrade, 7 unchanged, 1 blocked" */
static void summarise(struct sty_str *out, const json_t *document)
{
    static const char *const kinds[] = {"create", "update", "upgrade", "downgrade", "start", "stop",
                                        "delete", "restore", "heal",   "adopt",     "release"};
    const json_t *remediations = json_object_get(document, "remediations");
    for (size_t k = 0; k < STY_COUNT(kinds); k++) {
        size_t count = 0;
        for (size_t i = 0; i < json_array_size(remediations); i++)
            count += sty_streq(sty_json_text(json_array_get(remediations, i), "kind", ""), kinds[k]);
        if (count)
            sty_str_appendf(out, "%zu to %s, ", count, kinds[k]);
    }
    sty_str_appendf(out, "%lld unchanged", (long long)sty_json_int(document, "unchanged", 0));
    if (json_array_size(json_object_get(document, "blocked")))
        sty_str_appendf(out, ", %zu blocked", json_array_size(json_object_get(document, "blocked")));
}

void sty_print_plan(const struct sty_cli *cli, const json_t *document)
{
    const json_t *remediations = json_object_get(document, "remediations");
    const json_t *problems = json_object_get(document, "problems");
    sty_auto(str) summary = STY_STR_INIT;
    summarise(&summary, document);
    for (size_t i = 0; i < json_array_size(remediations); i++)
        print_planned(cli, json_array_get(remediations, i));
    print_blocked_list(cli, json_object_get(document, "blocked"));
    for (size_t i = 0; i < json_array_size(problems); i++) {
        const json_t *p = json_array_get(problems, i);
        printf("%s:%lld:%lld: ", sty_json_text(p, "file", ""), (long long)sty_json_int(p, "line", 0),
               (long long)sty_json_int(p, "column", 0));
        sty_print_visible(sty_json_text(p, "message", ""));
        putchar('\n');
    }
    printf("%s%s\n", json_array_size(remediations) ? "\n" : "", summary.data);
    if (json_array_size(remediations))
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

static void markdown_remediation(struct sty_str *out, struct sty_arena *arena, const json_t *entry)
{
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
                               short_value(arena, json_object_get(d, "to")), place_of(arena, json_object_get(d, "origin"))};
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

void sty_print_plan_markdown(const json_t *document)
{
    sty_auto_ptr(arena) arena = sty_arena_new();
    sty_auto(str) out = STY_STR_INIT;
    const json_t *remediations = json_object_get(document, "remediations"), *blocked = json_object_get(document, "blocked");
    sty_str_append(&out, "## Plan: ");
    summarise(&out, document);
    sty_str_appendf(&out, "\n\nDigest `%s`\n\n", sty_json_text(document, "digest", ""));
    for (size_t i = 0; i < json_array_size(remediations); i++)
        markdown_remediation(&out, arena, json_array_get(remediations, i));
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
