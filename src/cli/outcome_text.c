/* SPDX-License-Identifier: Apache-2.0 */
/* What a sync did, as text for people, and what is blocked. Everything out of git or a program is made visible. */
#include <stdio.h>
#include <string.h>

#include "cli/acting.h"
#include "cli/ledger_view_internal.h"

const char *sty_target_words(const struct sty_cli *cli, const json_t *entry)
{
    const char *full = sty_json_text(entry, "target", ""), *slash = strchr(full, '/');
    bool many = json_object_size(json_object_get(cli->configuration.value, "clusters")) > 1;
    return many || !slash ? full : slash + 1;
}

enum { INDENT = 13 };

/* "  failed     update production/shop", without the line's end. */
static void print_head(const struct sty_cli *cli, const char *state, enum sty_style style, const json_t *entry)
{
    const char *kind = sty_streq(state, "standing") ? NULL : sty_json_text(entry, "kind", NULL);
    fputs("  ", stdout);
    sty_print_styled(cli, style, sty_arena_printf(cli->arena, "%-10s", state));
    printf(" %s%s%s", kind ? kind : "", kind ? " " : "", sty_target_words(cli, entry));
}

/* ---- blocked and standing, alike for both ---- */

/* Each way on on a line of its own that is never broken, so that a command can be copied whole. */
static void print_remedy(const char *remedy)
{
    static const char between[] = ", or: ";
    for (const char *label = "to go on: "; remedy; label = "or: ") {
        const char *end = strstr(remedy, between);
        sty_auto_free char *way = end ? sty_strndup(remedy, (size_t)(end - remedy)) : sty_strdup(remedy);
        printf("%*s%s", INDENT, "", label);
        sty_print_visible(way);
        putchar('\n');
        remedy = end ? end + strlen(between) : NULL;
    }
}

static void print_blocked(const struct sty_cli *cli, const json_t *entry)
{
    const char *remedy = sty_json_text(entry, "remedy", NULL);
    print_head(cli, "blocked", STY_STYLE_WARN, entry);
    printf(": %s\n", sty_json_text(entry, "reason", ""));
    sty_print_paragraph(INDENT, "", sty_json_text(entry, "message", ""));
    if (remedy)
        print_remedy(remedy);
}

void sty_print_blocked(const struct sty_cli *cli, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        print_blocked(cli, json_array_get(list, i));
}

/* Its error is told once: here, unless `failed_now`. */
static void print_standing(const struct sty_cli *cli, const json_t *entry, bool failed_now)
{
    const char *error = sty_json_text(entry, "error", NULL);
    bool tainted = sty_json_bool(entry, "tainted", false), quarantined = sty_json_bool(entry, "quarantined", false);
    print_head(cli, "standing", STY_STYLE_BAD, entry);
    printf(" is %s%s%s\n", tainted ? "half done" : "", tainted && quarantined ? " and " : "",
           quarantined ? "quarantined" : "");
    if (error && !failed_now)
        sty_print_paragraph(INDENT, "", error);
    print_remedy(sty_json_text(entry, "remedy", ""));
}

static bool failed_now(const json_t *remediations, const json_t *standing)
{
    for (size_t i = 0; i < json_array_size(remediations); i++) {
        const json_t *entry = json_array_get(remediations, i);
        if (sty_streq(sty_json_text(entry, "target", ""), sty_json_text(standing, "target", "")) &&
            sty_json_text(entry, "error", NULL))
            return true;
    }
    return false;
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
    print_head(cli, state, style_of(state), entry);
    if (!sty_streq(state, "waiting"))
        printf(" in %s", sty_duration_text(took, sizeof(took), sty_json_int(entry, "duration_ms", 0)));
    putchar('\n');
    if (!error)
        return;
    sty_print_paragraph(INDENT, "", error);
    printf("%*swhat it printed: styrmin logs %.8s\n", INDENT, "", sty_json_text(entry, "id", ""));
}

/* Held back by somebody who knows: cron need not be told every minute. */
static bool is_meant(const json_t *blocked)
{
    static const char *const reasons[] = {"suspended", "pinned", "observed"};
    for (size_t i = 0; i < STY_COUNT(reasons); i++)
        if (sty_streq(sty_json_text(blocked, "reason", ""), reasons[i]))
            return true;
    return false;
}

static bool nothing_to_say(const json_t *document)
{
    static const char *const lists[] = {"remediations", "standing", "superseded"};
    const json_t *blocked = json_object_get(document, "blocked");
    for (size_t i = 0; i < json_array_size(blocked); i++)
        if (!is_meant(json_array_get(blocked, i)))
            return false;
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
    printf("commit %.8s ", sty_json_text(document, "commit", "none"));
    sty_print_styled(cli, style_of(state), state);
    printf(" in %s", sty_duration_text(took, sizeof(took), sty_json_int(document, "duration_ms", 0)));
    if (superseded)
        printf(", %zu commit%s superseded", superseded, superseded == 1 ? "" : "s");
    putchar('\n');
    for (size_t i = 0; i < json_array_size(remediations); i++)
        print_remediation(cli, json_array_get(remediations, i));
    sty_print_blocked(cli, json_object_get(document, "blocked"));
    for (size_t i = 0; i < json_array_size(standing); i++)
        print_standing(cli, json_array_get(standing, i), failed_now(remediations, json_array_get(standing, i)));
    if (sty_json_int(document, "mistakes", 0))
        printf("mistakes in %lld place%s of the definitions: styrmin check names them\n",
               (long long)sty_json_int(document, "mistakes", 0), sty_json_int(document, "mistakes", 0) == 1 ? "" : "s");
}
