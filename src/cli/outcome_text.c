/* SPDX-License-Identifier: Apache-2.0 */
/* What a sync did, as text for people. Everything out of git or a program is made visible. */
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

void sty_print_blocked_list(const struct sty_cli *cli, const json_t *list)
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
    sty_print_blocked_list(cli, json_object_get(document, "blocked"));
    for (size_t i = 0; i < json_array_size(standing); i++)
        print_standing(cli, json_array_get(standing, i));
    if (sty_json_int(document, "mistakes", 0))
        printf("mistakes in %lld place%s of the definitions: styrmin check names them\n",
               (long long)sty_json_int(document, "mistakes", 0), sty_json_int(document, "mistakes", 0) == 1 ? "" : "s");
}
