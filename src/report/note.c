/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text note: what `git log` shows a person below the commit.
 */
#include <string.h>

#include "report/report_internal.h"

enum { SUSPECTS_MOST = 10, VALUE_MOST = 60 };

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

static int count(const json_t *remediations, const char *kind, const char *state)
{
    int n = 0;
    size_t i;
    json_t *r;
    json_array_foreach (remediations, i, r)
        n +=
            sty_streq(sty_json_text(r, "state", ""), state) && (!kind || sty_streq(sty_json_text(r, "kind", ""), kind));
    return n;
}

/* "1 created, 2 updated" over those that succeeded, then what did not. */
static void summarise(struct sty_str *out, const json_t *remediations, size_t blocked)
{
    static const char *const others[] = {"failed", "cancelled", "superseded", "waiting", "running", "planned"};
    const char *separator = "";
    for (size_t v = 0; v < STY_COUNT(verbs); v++) {
        int n = count(remediations, verbs[v].kind, "succeeded");
        if (n)
            sty_str_appendf(out, "%s%d %s", separator, n, verbs[v].past);
        separator = n ? ", " : separator;
    }
    for (size_t i = 0; i < STY_COUNT(others); i++) {
        int n = count(remediations, NULL, others[i]);
        if (n)
            sty_str_appendf(out, "%s%d %s", separator, n, others[i]);
        separator = n ? ", " : separator;
    }
    if (blocked)
        sty_str_appendf(out, "%s%zu blocked", separator, blocked);
    else if (!*separator)
        sty_str_append(out, "nothing to do");
}

/* In one line, without what could move a terminal's cursor. */
static void append_words(struct sty_str *out, const char *text)
{
    sty_str_append_visible(out, text, strlen(text), false);
}

/* " 1.4.0 -> 1.5.0" where the application's version moved. */
static void append_versions(struct sty_str *out, const json_t *r)
{
    const char *from = sty_json_text(r, "from_version", NULL), *to = sty_json_text(r, "to_version", NULL);
    if (!from || !to || strcmp(from, to) == 0)
        return;
    sty_str_append_char(out, ' ');
    append_words(out, from);
    sty_str_append(out, " -> ");
    append_words(out, to);
}

/* ---- the suspects of a failure ---- */

/* A value that a line has room for; a secret is its reference here. */
static void append_value(struct sty_str *out, const json_t *value)
{
    sty_auto_free char *text = value ? sty_json_canonical_text(value) : NULL;
    if (!value || json_is_null(value))
        sty_str_append(out, "(none)");
    else if (strlen(text) > VALUE_MOST)
        sty_str_append(out, "...");
    else
        append_words(out, text);
}

/* Resources follow from values, which are told. */
static bool is_suspect(const json_t *entry)
{
    const char *path = sty_json_text(entry, "path", ""), *last = strrchr(path, '/');
    return !(sty_starts_with(path, "/components/") && sty_streq(last, "/resources"));
}

static void append_suspect(struct sty_str *out, const json_t *entry)
{
    const json_t *origin = json_object_get(entry, "origin");
    sty_str_append(out, "    ");
    append_words(out, sty_json_text(entry, "path", ""));
    sty_str_append(out, ": ");
    append_value(out, json_object_get(entry, "from"));
    sty_str_append(out, " -> ");
    append_value(out, json_object_get(entry, "to"));
    if (json_is_object(origin)) {
        sty_str_append(out, " (");
        append_words(out, sty_json_text(origin, "file", ""));
        sty_str_appendf(out, ":%lld)", (long long)sty_json_int(origin, "line", 0));
    }
    sty_str_append_char(out, '\n');
}

/* What was good, since when, and what is another since then. */
static void append_suspects(struct sty_str *out, const json_t *commit, const json_t *r)
{
    char since[32];
    struct sty_error ignored;
    json_auto_t *document = NULL;
    const char *text = sty_json_text(r, "document", "{}"), *good = sty_json_text(r, "good", NULL);
    if (!good || sty_json_parse(&document, text, strlen(text), &ignored) < 0)
        return;
    sty_str_appendf(out, "  last good: %.19s since %s, commit %.12s\n", good,
                    sty_time_text(since, sty_json_int(r, "good_since", 0)), sty_json_text(r, "good_commit", ""));
    const json_t *diff = json_object_get(document, "diff");
    size_t size = 0, left = 0;
    for (size_t i = 0; i < json_array_size(diff); i++)
        size += is_suspect(json_array_get(diff, i));
    if (size == 0)
        return;
    sty_str_appendf(out, "  changed since, up to commit %.12s by ", sty_json_text(commit, "oid", ""));
    append_words(out, sty_json_text(commit, "author", ""));
    sty_str_append(out, ":\n");
    left = size;
    for (size_t i = 0; left && i < json_array_size(diff) && size - left < SUSPECTS_MOST; i++)
        if (is_suspect(json_array_get(diff, i))) {
            append_suspect(out, json_array_get(diff, i));
            left--;
        }
    if (left)
        sty_str_appendf(out, "    and %zu more\n", left);
}

/* ---- the whole ---- */

static void append_succeeded(struct sty_str *out, const json_t *r)
{
    char took[32];
    sty_duration_text(took, sizeof took, sty_json_int(r, "finished_at", 0) - sty_json_int(r, "started_at", 0));
    sty_str_appendf(out, "%s %s/%s", past_of(sty_json_text(r, "kind", "")), sty_json_text(r, "environment", ""),
                    sty_json_text(r, "deployment", ""));
    append_versions(out, r);
    sty_str_appendf(out, " in %s\n", took);
}

static void append_remediation(struct sty_str *out, const json_t *commit, const json_t *r)
{
    const char *state = sty_json_text(r, "state", "");
    if (sty_streq(state, "succeeded")) {
        append_succeeded(out, r);
        return;
    }
    const char *error = sty_json_text(r, "error", NULL);
    sty_str_appendf(out, "%s %s/%s %s%s", sty_json_text(r, "kind", ""), sty_json_text(r, "environment", ""),
                    sty_json_text(r, "deployment", ""), state, error ? ": " : "");
    append_words(out, error ? error : "");
    sty_str_append_char(out, '\n');
    if (sty_streq(state, "failed"))
        append_suspects(out, commit, r);
}

/* That a failed Instance is not tried again need not be said beside its failure. */
static bool told_as_failed(const json_t *remediations, const json_t *blocked)
{
    size_t i;
    json_t *r;
    if (!sty_streq(sty_json_text(blocked, "reason", ""), "quarantined"))
        return false;
    json_array_foreach (remediations, i, r) {
        sty_auto_free char *target =
            sty_sprintf("%s/%s/%s", sty_json_text(r, "cluster", ""), sty_json_text(r, "environment", ""),
                        sty_json_text(r, "deployment", ""));
        if (sty_streq(sty_json_text(r, "state", ""), "failed") &&
            sty_streq(target, sty_json_text(blocked, "target", "")))
            return true;
    }
    return false;
}

static void append_blocked(struct sty_str *out, const json_t *entry)
{
    const char *target = sty_json_text(entry, "target", ""), *slash = strchr(target, '/');
    sty_str_appendf(out, "blocked %s (%s): ", slash ? slash + 1 : target, sty_json_text(entry, "reason", ""));
    append_words(out, sty_json_text(entry, "message", ""));
    sty_str_append_char(out, '\n');
}

void sty_note_text(struct sty_str *out, const json_t *commit, const json_t *remediations, const json_t *blocked,
                   const char *record_digest)
{
    sty_auto(str) waiting = STY_STR_INIT;
    size_t count_blocked = 0;
    for (size_t i = 0; i < json_array_size(blocked); i++)
        if (!told_as_failed(remediations, json_array_get(blocked, i))) {
            append_blocked(&waiting, json_array_get(blocked, i));
            count_blocked++;
        }
    sty_str_appendf(out, "%s: ", sty_json_text(commit, "state", ""));
    summarise(out, remediations, count_blocked);
    sty_str_append_char(out, '\n');
    for (size_t i = 0; i < json_array_size(remediations); i++)
        append_remediation(out, commit, json_array_get(remediations, i));
    sty_str_append_bytes(out, waiting.data ? waiting.data : "", waiting.length);
    sty_str_appendf(out, "\nStyrmin-Record: %s\n", record_digest);
}
