/* SPDX-License-Identifier: Apache-2.0 */
/* explain TARGET: everything the ledger knows that makes a target what it is now, and what to do about it. */
#include <stdio.h>
#include <string.h>

#include "cli/ledger_view_internal.h"

/* All references are held by the arena. */
struct facts {
    const struct sty_view_row *row;
    const json_t *more;   /* of that row */
    const json_t *target; /* the row of targets */
    const json_t *policy;
    const json_t *step;    /* of the open remediation, the first that is not done; NULL: none */
    const json_t *drift;   /* rows */
    const json_t *failure; /* the last remediation that failed; NULL: none */
    const char *failed_step;
};

static const json_t *first_not_done(const json_t *steps)
{
    size_t i;
    json_t *row;
    const json_t *found = NULL;
    int64_t attempt = sty_json_int(json_array_get(steps, json_array_size(steps) - 1), "attempt", 1);
    json_array_foreach (steps, i, row) {
        const char *state = sty_json_text(row, "state", "");
        bool done = strcmp(state, "succeeded") == 0 || strcmp(state, "skipped") == 0;
        if (!found && !done && sty_json_int(row, "attempt", 1) == attempt)
            found = row;
    }
    return found;
}

static int read_step(const json_t **step, struct sty_cli *cli, const char *id, struct sty_error *err)
{
    json_auto_t *remediation = NULL;
    json_t *steps = NULL;
    *step = NULL;
    if (sty_ledger_row(&remediation, cli->ledger, err, "SELECT id, document FROM remediations WHERE id = ?", "s", id) <
        0)
        return -1;
    if (!remediation)
        return 0;
    if (sty_view_steps(&steps, cli->ledger, remediation, err) < 0)
        return -1;
    *step = first_not_done(sty_json_own(cli->arena, steps));
    return 0;
}

static int read_work(struct facts *facts, struct sty_cli *cli, int64_t id, struct sty_error *err)
{
    json_t *failure = NULL, *drift = NULL;
    const json_t *open = json_object_get(facts->more, "remediation"), *failed = NULL;
    if (sty_ledger_rows(&drift, cli->ledger, err,
                        "SELECT id, state, policy, flapping, found_at, json(diff) AS diff FROM drift WHERE target = ?"
                        " ORDER BY id",
                        "i", id) < 0)
        return -1;
    facts->drift = sty_json_own(cli->arena, drift);
    if (sty_ledger_row(&failure, cli->ledger, err,
                       "SELECT id, kind, to_instance, commit_oid, error, finished_at FROM remediations WHERE target = ?"
                       " AND state = 'failed' ORDER BY seq DESC LIMIT 1",
                       "i", id) < 0)
        return -1;
    facts->failure = failure ? sty_json_own(cli->arena, failure) : NULL;
    if (failure && read_step(&failed, cli, sty_json_text(failure, "id", ""), err) < 0)
        return -1;
    facts->failed_step = failed ? sty_step_words(cli->arena, failed) : NULL;
    return json_is_object(open) ? read_step(&facts->step, cli, sty_json_text(open, "id", ""), err) : 0;
}

static int read_facts(struct facts *facts, struct sty_cli *cli, const char *pattern, struct sty_error *err)
{
    struct sty_view_rows rows = {.arena = cli->arena};
    json_t *target = NULL, *policy = NULL;
    if (sty_name_target(&target, cli->ledger, pattern, err) < 0)
        return -1;
    facts->target = sty_json_own(cli->arena, target);
    const char *name = sty_json_text(target, "name", ""), *text = sty_json_text(target, "policy", "{}");
    const struct sty_listing listing = {.targets = sty_json_own(cli->arena, json_pack("[s]", name))};
    if (sty_view_status(&rows, cli->ledger, &listing, err) < 0)
        return -1;
    if (rows.count == 0)
        return sty_error_set(err, STY_NOT_FOUND, "%s is gone: git does not want it, and nothing of it is left", name);
    facts->row = rows.items;
    if (sty_json_parse(&policy, text, strlen(text), err) < 0)
        return -1;
    facts->policy = sty_json_own(cli->arena, policy);
    facts->more = sty_people_more(cli->arena, facts->row);
    return read_work(facts, cli, sty_json_int(target, "id", 0), err);
}

/* ---- what to do ---- */

static const char *remedy(const struct facts *facts, struct sty_arena *arena)
{
    const char *state = facts->row->state, *name = sty_json_text(facts->target, "name", "");
    const json_t *suspend = json_object_get(facts->more, "suspend");
    if (strcmp(state, "blocked") == 0)
        return sty_json_text(json_object_get(facts->more, "blocked"), "remedy", NULL);
    if (strcmp(state, "suspended") == 0 && json_is_object(suspend))
        return sty_arena_printf(arena, "take out suspend in %s:%lld", sty_json_text(suspend, "file", ""),
                                (long long)sty_json_int(suspend, "line", 0));
    if (strcmp(state, "suspended") == 0)
        return sty_arena_printf(arena, "styrmin resume %s -m REASON", name);
    if (json_is_string(json_object_get(facts->more, "quarantined")))
        return sty_arena_printf(arena, "commit a change, or: styrmin retry %s -m REASON", name);
    return NULL;
}

/* ---- for programs ---- */

static json_t *copy(const json_t *row, const char *key)
{
    json_t *value = json_object_get(row, key);
    return value ? json_incref(value) : json_null();
}

static json_t *drift_json(const json_t *rows)
{
    json_t *out = json_array(), *row;
    size_t i;
    json_array_foreach (rows, i, row) {
        const char *text = sty_json_text(row, "diff", "[]");
        json_t *diff = NULL;
        struct sty_error ignored;
        if (sty_json_parse(&diff, text, strlen(text), &ignored) < 0)
            diff = json_array();
        json_array_append_new(out, json_pack("{s:o, s:o, s:o, s:b, s:o, s:o}", "id", copy(row, "id"), "state",
                                             copy(row, "state"), "policy", copy(row, "policy"), "flapping",
                                             sty_json_int(row, "flapping", 0) != 0, "found_at",
                                             sty_people_when(row, "found_at"), "diff", diff));
    }
    return out;
}

static json_t *failure_json(const struct facts *facts)
{
    const json_t *row = facts->failure;
    if (!row)
        return json_null();
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", copy(row, "id"), "kind", copy(row, "kind"), "to",
                     copy(row, "to_instance"), "commit", copy(row, "commit_oid"), "error", copy(row, "error"), "step",
                     sty_json_string_or_null(facts->failed_step), "finished_at", sty_people_when(row, "finished_at"));
}

static json_t *suspension_json(const json_t *more)
{
    const json_t *by_git = json_object_get(more, "suspend"), *by_hand = json_object_get(more, "suspended");
    if (!json_is_object(by_git) && !json_is_object(by_hand))
        return json_null();
    bool forever = sty_json_int(by_hand, "until", 0) == INT64_MAX;
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "until", forever ? json_null() : sty_people_when(by_hand, "until"),
                     "actor", copy(by_hand, "actor"), "reason", copy(by_hand, "reason"), "file", copy(by_git, "file"),
                     "line", copy(by_git, "line"));
}

static json_t *document_of(const struct facts *facts, const struct sty_cli *cli)
{
    json_t *out = sty_status_entry(cli->arena, facts->row, sty_ledger_now(cli->ledger));
    json_t *labels = json_object_get(facts->policy, "labels"), *open = json_object_get(out, "remediation");
    json_object_set_new(out, "kind", json_string("Target"));
    json_object_set_new(out, "remedy", sty_json_string_or_null(remedy(facts, cli->arena)));
    json_object_set_new(out, "wanted", json_boolean(sty_json_int(facts->target, "wanted", 0)));
    json_object_set_new(out, "document", copy(facts->policy, "path"));
    json_object_set_new(out, "labels", labels ? json_incref(labels) : json_object());
    json_object_set_new(out, "quarantined", copy(facts->target, "quarantined"));
    json_object_set_new(out, "blocked", copy(facts->more, "blocked"));
    json_object_set_new(out, "suspended", suspension_json(facts->more));
    if (json_is_object(open))
        json_object_set_new(open, "step", facts->step ? sty_step_entry(facts->step) : json_null());
    json_object_set_new(out, "drift", drift_json(facts->drift));
    json_object_set_new(out, "last_failure", failure_json(facts));
    return out;
}

/* ---- for people ---- */

static void line(const char *label, const char *text)
{
    if (!text || !*text)
        return;
    char padded[16];
    snprintf(padded, sizeof padded, "%-12s ", label);
    sty_print_paragraph(2, padded, text);
}

static const char *instance_words(const struct facts *facts, const struct sty_cli *cli, bool active)
{
    struct sty_arena *arena = cli->arena;
    const struct sty_view_row *row = facts->row;
    const char *digest = active ? row->active : row->desired;
    const char *commit = active ? row->active_commit : row->desired_commit;
    char when[40];
    if (!digest)
        return "none";
    if (!active)
        return sty_arena_printf(arena, "%s of commit %s%s", sty_people_short(arena, digest),
                                sty_people_short(arena, commit),
                                sty_streq(digest, row->active) ? ", the active one" : "");
    return sty_arena_printf(arena, "%s of commit %s, driver %s, version %s, since %s", sty_people_short(arena, digest),
                            sty_people_short(arena, commit), row->driver ? row->driver : "-",
                            row->version ? row->version : "-",
                            sty_people_time(when, sty_ledger_now(cli->ledger), row->since));
}

static void print_drift(const struct facts *facts, struct sty_arena *arena)
{
    size_t i;
    json_t *row;
    json_array_foreach (facts->drift, i, row)
        line("drift", sty_arena_printf(arena, "%s: %s, policy %s%s", sty_json_text(row, "id", ""),
                                       sty_json_text(row, "state", ""), sty_json_text(row, "policy", ""),
                                       sty_json_int(row, "flapping", 0) ? ", again and again" : ""));
}

static void print_work(const struct facts *facts, const struct sty_cli *cli)
{
    struct sty_arena *arena = cli->arena;
    const json_t *open = json_object_get(facts->more, "remediation"), *failed = facts->failure;
    int64_t now = sty_ledger_now(cli->ledger);
    char when[40];
    if (json_is_object(open))
        line("remediation",
             sty_arena_printf(arena, "%s %s, %s%s%s", sty_people_short(arena, sty_json_text(open, "id", NULL)),
                              sty_json_text(open, "kind", ""), sty_json_text(open, "state", ""),
                              facts->step ? ", at step " : "", facts->step ? sty_step_words(arena, facts->step) : ""));
    if (!failed)
        return;
    const char *id = sty_people_short(arena, sty_json_text(failed, "id", NULL));
    line("last failure",
         sty_arena_printf(arena, "%s %s, %s%s%s", sty_json_text(failed, "kind", ""), id,
                          sty_people_time(when, now, sty_json_int(failed, "finished_at", 0)),
                          facts->failed_step ? ", at " : "", facts->failed_step ? facts->failed_step : ""));
    line("", sty_json_text(failed, "error", ""));
    line("", sty_arena_printf(arena, "styrmin logs %s shows what it printed", id));
}

static void print_facts(const struct facts *facts, const struct sty_cli *cli)
{
    struct sty_arena *arena = cli->arena;
    const char *state = facts->row->state;
    const json_t *suspend = json_object_get(facts->more, "suspend");
    sty_print_styled(cli, STY_STYLE_BOLD, sty_json_text(facts->target, "name", ""));
    fputs("  ", stdout);
    sty_print_styled(cli, sty_people_style(state), state);
    putchar('\n');
    line("because", sty_people_reason(arena, facts->row, facts->more, sty_ledger_now(cli->ledger)));
    line("to do", remedy(facts, arena));
    line("declared in", sty_json_text(facts->policy, "path", NULL));
    line("desired", instance_words(facts, cli, false));
    line("active", instance_words(facts, cli, true));
    if (facts->row->active && facts->row->desired && !sty_streq(facts->row->active, facts->row->desired))
        line("difference",
             sty_arena_printf(arena, "styrmin diff %s@active %s@desired shows it",
                              sty_json_text(facts->target, "name", ""), sty_json_text(facts->target, "name", "")));
    if (sty_json_int(facts->more, "tainted", 0))
        line("tainted", "a remediation began and did not succeed");
    if (json_is_string(json_object_get(facts->target, "quarantined")))
        line("quarantined", sty_people_short(arena, sty_json_text(facts->target, "quarantined", NULL)));
    if (json_is_object(suspend))
        line("suspended", sty_arena_printf(arena, "by %s:%lld", sty_json_text(suspend, "file", ""),
                                           (long long)sty_json_int(suspend, "line", 0)));
    line("blocked", sty_json_text(json_object_get(facts->more, "blocked"), "message", NULL));
    print_work(facts, cli);
    print_drift(facts, arena);
}

int sty_explain_target(struct sty_cli *cli, const char *pattern, struct sty_error *err)
{
    struct facts facts = {0};
    if (read_facts(&facts, cli, pattern, err) < 0)
        return -1;
    if (cli->json) {
        json_auto_t *document = document_of(&facts, cli);
        return sty_print_json(document, err);
    }
    print_facts(&facts, cli);
    return STY_EXIT_OK;
}
