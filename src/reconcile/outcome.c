/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a plan or a sync came to, as the documents of design.md section 15, and what its exit code follows from.
 */
#include "reconcile/reconcile_internal.h"

#include <string.h>

/* Reasons that wait for a person, or for what a person does elsewhere. */
static bool waits_for_person(const char *reason)
{
    static const char *const reasons[] = {"guard", "review", "claim", "mistake", "dependency"};
    for (size_t i = 0; i < STY_COUNT(reasons); i++)
        if (sty_streq(reason, reasons[i]))
            return true;
    return false;
}

void sty_outcome_clear(struct sty_outcome *outcome)
{
    json_decref(outcome->document);
    *outcome = (struct sty_outcome){0};
}

#define TARGET_NAME(t) t ".cluster || '/' || " t ".environment || '/' || " t ".deployment"

/* The newest state of each remediation that moved since the sync began. */
static int moved(json_t **out, struct sty_ledger *ledger, int64_t event, struct sty_error *err)
{
    json_auto_t *rows = NULL;
    if (sty_ledger_rows(
            &rows, ledger, err,
            "SELECT r.id, " TARGET_NAME(
                "r") " AS target, r.deployment, r.kind, r.state, r.error,"
                     " r.commit_oid, r.wait_reason, r.due, coalesce(r.finished_at - r.started_at, 0) AS duration_ms "
                     "FROM"
                     " remediations r WHERE r.id IN (SELECT remediation FROM events WHERE seq > ? AND kind IN"
                     " ('remediation.running', 'remediation.succeeded', 'remediation.failed', 'remediation.cancelled',"
                     " 'remediation.waiting')) ORDER BY r.seq",
            "i", event) < 0)
        return -1;
    *out = json_incref(rows);
    return 0;
}

static json_t *blocked_entry(const json_t *row)
{
    static const char *const names[] = {"target", "deployment", "environment", "cluster"};
    const char *text = sty_json_text(row, "blocked", "");
    json_t *entry = NULL;
    struct sty_error ignored;
    if (sty_json_parse(&entry, text, strlen(text), &ignored) < 0)
        return json_object();
    for (size_t i = 0; i < STY_COUNT(names); i++)
        json_object_set(entry, names[i], json_object_get(row, names[i]));
    return entry;
}

/* Blocked now; what is quarantined is of the past and stands. */
static int read_blocked(json_t *blocked, bool *waits, struct sty_ledger *ledger, struct sty_error *err)
{
    json_auto_t *rows = NULL;
    if (sty_ledger_rows(
            &rows, ledger, err,
            "SELECT " TARGET_NAME("t") " AS target, t.deployment, t.environment, t.cluster, t.blocked FROM"
                                       " targets t WHERE t.unsettled = 1 AND t.blocked IS NOT NULL ORDER BY 1",
            "") < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_auto_t *entry = blocked_entry(json_array_get(rows, i));
        const char *reason = sty_json_text(entry, "reason", "");
        if (sty_streq(reason, "quarantined"))
            continue;
        *waits = *waits || waits_for_person(reason);
        json_array_append(blocked, entry);
    }
    return 0;
}

static json_t *way_on(const json_t *row)
{
    char at[32];
    const char *target = sty_json_text(row, "target", "");
    const json_t *due = json_object_get(row, "due");
    bool waiting = sty_streq(sty_json_text(row, "state", ""), "waiting");
    sty_auto_free char *text =
        waiting && json_is_integer(due)
            ? sty_sprintf("nothing: it is tried again at %s; sooner with: styrmin retry %s -m REASON",
                          sty_time_text(at, json_integer_value(due)), target)
        : waiting && sty_json_int(row, "doubts", 0)
            ? sty_sprintf("look whether it happened, then say: styrmin retry %s --done -m REASON, or --again", target)
            : sty_sprintf("a commit that changes it, or: styrmin retry %s -m REASON", target);
    return sty_json_string(text);
}

/* Failed earlier and not put right: quarantined or tainted. */
static int read_standing(json_t *standing, struct sty_ledger *ledger, struct sty_error *err)
{
    json_auto_t *rows = NULL;
    if (sty_ledger_rows(
            &rows, ledger, err,
            "SELECT " TARGET_NAME("t") " AS target, t.deployment, t.environment, t.cluster, t.tainted, t.quarantined,"
            " r.id AS remediation, r.kind, r.state, r.due, r.error, r.commit_oid AS 'commit', (SELECT count(*) FROM marks"
            " WHERE target = t.id AND marks.state = 'begun') AS doubts FROM targets t LEFT JOIN remediations r ON"
            " r.seq = (SELECT max(seq) FROM remediations WHERE target = t.id AND state IN ('failed', 'cancelled',"
            " 'waiting')) WHERE t.unsettled = 1 AND (t.tainted OR t.quarantined IS NOT NULL) ORDER BY 1",
            "") < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        json_object_set_new(row, "tainted", json_boolean(sty_json_int(row, "tainted", 0)));
        json_object_set_new(row, "quarantined", json_boolean(sty_json_text(row, "quarantined", NULL) != NULL));
        json_object_set_new(row, "remedy", way_on(row));
        json_object_del(row, "doubts");
        json_array_append(standing, row);
    }
    return 0;
}

/* In the documents as they stand, also in those that this sync had no reason to look at again. */
static int count_mistakes(int64_t *out, struct sty_ledger *ledger, const struct sty_walk *walk, struct sty_error *err)
{
    int64_t found = walk ? (int64_t)walk->problems.errors : 0, standing = 0;
    if (sty_ledger_number(&standing, ledger, err,
                          "SELECT (SELECT count(*) FROM unreadable) + (SELECT count(*) FROM documents WHERE valid = 0"
                          " AND stale = 0)",
                          "") < 0)
        return -1;
    *out = found > standing ? found : standing;
    return 0;
}

static const char *sync_state(const json_t *remediations, bool waits)
{
    size_t failed = 0, succeeded = 0, open = 0;
    for (size_t i = 0; i < json_array_size(remediations); i++) {
        const char *state = sty_json_text(json_array_get(remediations, i), "state", "");
        failed += sty_streq(state, "failed") || sty_streq(state, "cancelled");
        succeeded += sty_streq(state, "succeeded");
        open += sty_streq(state, "waiting");
    }
    if (failed)
        return succeeded ? "partial" : "failed";
    if (open || waits)
        return "blocked";
    return succeeded ? "succeeded" : "unchanged";
}

static json_t *superseded(const struct sty_walk *walk)
{
    json_t *list = json_array();
    bool first = !walk || !sty_json_text(walk->source, "walked", NULL);
    for (size_t i = 0; !first && i + 1 < walk->commit_count; i++)
        json_array_append_new(list, json_string(walk->commits[i].oid));
    return list;
}

int sty_outcome_sync(struct sty_outcome *out, const struct sty_installation *installation,
                     const struct sty_before *before, const struct sty_walk *walk, struct sty_error *err)
{
    json_auto_t *remediations = NULL, *blocked = json_array(), *standing = json_array(), *source = NULL;
    int64_t mistakes = 0;
    if (count_mistakes(&mistakes, installation->ledger, walk, err) < 0)
        return -1;
    bool waits = mistakes > 0;
    if (moved(&remediations, installation->ledger, before->event, err) < 0 ||
        read_blocked(blocked, &waits, installation->ledger, err) < 0 ||
        read_standing(standing, installation->ledger, err) < 0 ||
        sty_ledger_row(&source, installation->ledger, err, "SELECT walked FROM sources WHERE id = 1", "") < 0)
        return -1;
    const char *state = sync_state(remediations, waits);
    int64_t now = installation->world->monotonic_ms(installation->world->self);
    out->waits = waits;
    out->failed = sty_streq(state, "failed") || sty_streq(state, "partial") || json_array_size(standing);
    out->changes = json_array_size(remediations) > 0;
    out->document =
        json_pack("{s:s, s:O?, s:s?, s:s, s:I, s:O, s:O, s:O, s:o, s:I}", "kind", "Sync", "commit",
                  json_object_get(source, "walked"), "plan", walk ? walk->plan->digest : NULL, "state", state,
                  "duration_ms", (json_int_t)(now - before->started), "remediations", remediations, "blocked", blocked,
                  "standing", standing, "superseded", superseded(walk), "mistakes", (json_int_t)mistakes);
    return 0;
}

/* ---- plan ---- */

static bool is_named(const struct sty_target *names, const char *const *patterns)
{
    for (size_t i = 0; patterns && patterns[i]; i++)
        if (sty_target_matches(names, patterns[i]))
            return true;
    return !patterns || !patterns[0];
}

static int check_patterns(const struct sty_walk *walk, const char *const *patterns, struct sty_error *err)
{
    for (size_t p = 0; patterns && patterns[p]; p++) {
        int64_t known = 0;
        bool found = false;
        for (size_t i = 0; i < walk->count && !found; i++)
            found = sty_target_matches(&walk->facts[i].names, patterns[p]);
        if (!found && sty_ledger_number(&known, walk->ledger, err,
                                        "SELECT count(*) FROM targets t WHERE substr('/' || " TARGET_NAME(
                                            "t") ", -1 - length(?1)) = '/' || ?1",
                                        "s", patterns[p]) < 0)
            return -1;
        if (!found && !known)
            return sty_error_set(err, STY_NOT_FOUND, "no target '%s'", patterns[p]);
    }
    return 0;
}

/* The named targets' part of the plan; its digest stays that of the whole, which is what a sync would run. */
static void keep_named(json_t *document, const char *const *patterns)
{
    static const char *const lists[] = {"remediations", "blocked"};
    for (size_t l = 0; l < STY_COUNT(lists); l++) {
        json_t *list = json_object_get(document, lists[l]);
        for (size_t i = json_array_size(list); i > 0; i--) {
            const json_t *entry = json_array_get(list, i - 1);
            struct sty_target names = {sty_json_text(entry, "cluster", ""), sty_json_text(entry, "environment", ""),
                                       sty_json_text(entry, "deployment", "")};
            if (!is_named(&names, patterns))
                json_array_remove(list, i - 1);
        }
    }
}

static json_t *problems_of(const struct sty_walk *walk)
{
    json_t *list = json_array();
    for (size_t i = 0; i < walk->problems.count; i++) {
        const struct sty_problem *p = &walk->problems.items[i];
        json_array_append_new(list, json_pack("{s:o, s:i, s:i, s:s, s:o, s:o}", "file", sty_json_string(p->file),
                                              "line", p->line, "column", p->column, "severity",
                                              p->warning ? "warning" : "error", "message", sty_json_string(p->message),
                                              "document", sty_json_string_or_null(p->document)));
    }
    return list;
}

/* Settled targets outside the walk are unchanged too. */
static int count_unchanged(json_t *document, const struct sty_walk *walk, struct sty_error *err)
{
    int64_t settled = 0;
    json_int_t inside = json_integer_value(json_object_get(document, "unchanged"));
    if (sty_ledger_number(&settled, walk->ledger, err, "SELECT count(*) FROM targets WHERE wanted = 1", "") < 0)
        return -1;
    for (size_t i = 0; i < walk->count; i++)
        settled -= walk->subjects[i].row && sty_json_int(walk->subjects[i].row, "wanted", 0);
    return json_object_set_new(document, "unchanged", json_integer(inside + settled));
}

int sty_reconcile_plan(struct sty_outcome *out, const struct sty_installation *installation,
                       const struct sty_plan_options *options, struct sty_error *err)
{
    sty_auto_ptr(walk) walk = NULL;
    struct sty_walk_options what = {.snapshot = options->snapshot, .foreign = options->foreign, .want_diff = true};
    if (sty_walk_make(&walk, installation, &what, err) < 0 || check_patterns(walk, options->targets, err) < 0)
        return -1;
    const char *commit = walk->snapshot.commit[0] ? walk->snapshot.commit : NULL;
    json_auto_t *document = sty_plan_document(walk->plan, commit, sty_json_text(walk->source, "walked", NULL));
    if (count_unchanged(document, walk, err) < 0)
        return -1;
    keep_named(document, options->targets);
    json_object_set_new(document, "problems", problems_of(walk));
    const json_t *blocked = json_object_get(document, "blocked");
    for (size_t i = 0; i < json_array_size(blocked); i++)
        out->waits = out->waits || waits_for_person(sty_json_text(json_array_get(blocked, i), "reason", ""));
    out->changes = json_array_size(json_object_get(document, "remediations")) > 0;
    out->document = json_incref(document);
    return 0;
}
