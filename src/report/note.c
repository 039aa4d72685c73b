/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text note: what `git log` shows a person below the commit.
 */
#include <string.h>

#include "report/report_internal.h"

static const struct {
    const char *kind, *past;
} verbs[] = {{"create", "created"}, {"update", "updated"}, {"upgrade", "upgraded"}, {"downgrade", "downgraded"},
             {"start", "started"},  {"stop", "stopped"},   {"delete", "deleted"},   {"restore", "restored"},
             {"heal", "healed"},    {"adopt", "adopted"},  {"release", "released"}};

static const char *past_of(const char *kind)
{
    for (size_t i = 0; i < STY_COUNT(verbs); i++)
        if (sty_streq(verbs[i].kind, kind))
            return verbs[i].past;
    return kind;
}

/* "1 created, 2 updated" over those that succeeded, then what did not. */
static void summarise(struct sty_str *out, const json_t *remediations, size_t blocked)
{
    const char *separator = "";
    for (size_t v = 0; v < STY_COUNT(verbs); v++) {
        int n = 0;
        for (size_t i = 0; i < json_array_size(remediations); i++) {
            const json_t *r = json_array_get(remediations, i);
            n += sty_streq(sty_json_text(r, "kind", ""), verbs[v].kind) &&
                 sty_streq(sty_json_text(r, "state", ""), "succeeded");
        }
        if (n) {
            sty_str_appendf(out, "%s%d %s", separator, n, verbs[v].past);
            separator = ", ";
        }
    }
    int failed = 0;
    for (size_t i = 0; i < json_array_size(remediations); i++)
        failed += sty_streq(sty_json_text(json_array_get(remediations, i), "state", ""), "failed");
    if (failed) {
        sty_str_appendf(out, "%s%d failed", separator, failed);
        separator = ", ";
    }
    if (blocked) {
        sty_str_appendf(out, "%s%zu blocked", separator, blocked);
        separator = ", ";
    }
    if (!*separator)
        sty_str_append(out, "nothing to do");
}

/* " 1.4.0 -> 1.5.0" where the application's version moved. */
static void append_versions(struct sty_str *out, const json_t *remediation)
{
    json_auto_t *document = NULL;
    struct sty_error ignored;
    const char *text = sty_json_text(remediation, "document", "{}");
    if (sty_json_parse(&document, text, strlen(text), &ignored) < 0)
        return;
    json_t *diff = json_object_get(document, "diff");
    for (size_t i = 0; i < json_array_size(diff); i++) {
        const json_t *entry = json_array_get(diff, i);
        const char *from = sty_json_text(entry, "from", NULL), *to = sty_json_text(entry, "to", NULL);
        if (sty_streq(sty_json_text(entry, "path", ""), "/application/version") && from && to)
            sty_str_appendf(out, " %s -> %s", from, to);
    }
}

static void append_remediation(struct sty_str *out, const json_t *r)
{
    char took[32];
    const char *state = sty_json_text(r, "state", ""), *kind = sty_json_text(r, "kind", "");
    const char *name = sty_json_text(r, "deployment", ""), *environment = sty_json_text(r, "environment", "");
    const char *error = sty_json_text(r, "error", NULL);
    sty_duration_text(took, sizeof took, sty_json_int(r, "finished_at", 0) - sty_json_int(r, "started_at", 0));
    if (sty_streq(state, "succeeded")) {
        sty_str_appendf(out, "%s %s/%s", past_of(kind), environment, name);
        append_versions(out, r);
        sty_str_appendf(out, " in %s\n", took);
        return;
    }
    sty_str_appendf(out, "%s %s/%s %s", kind, environment, name, state);
    if (error) {
        sty_str_append(out, ": ");
        sty_str_append_visible(out, error, strlen(error), false);
    }
    sty_str_append_char(out, '\n');
}

void sty_note_text(struct sty_str *out, const json_t *commit, const json_t *remediations, const json_t *blocked,
                   const char *record_digest)
{
    sty_str_appendf(out, "%s: ", sty_json_text(commit, "state", ""));
    summarise(out, remediations, json_array_size(blocked));
    sty_str_append_char(out, '\n');
    for (size_t i = 0; i < json_array_size(remediations); i++)
        append_remediation(out, json_array_get(remediations, i));
    for (size_t i = 0; i < json_array_size(blocked); i++) {
        const json_t *b = json_array_get(blocked, i);
        const char *message = sty_json_text(b, "message", "");
        sty_str_appendf(out, "blocked %s (%s): ", sty_json_text(b, "target", ""), sty_json_text(b, "reason", ""));
        sty_str_append_visible(out, message, strlen(message), false);
        sty_str_append_char(out, '\n');
    }
    sty_str_appendf(out, "\nStyrmin-Record: %s\n", record_digest);
}
