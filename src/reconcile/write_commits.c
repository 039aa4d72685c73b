/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commits of a walk and what was found about the newest one: its plan, what is blocked, and mistakes that stop no
 * target that is known, which would otherwise go unsaid.
 */
#include "reconcile/reconcile_internal.h"

#include <string.h>

#include "report/report.h"

enum { MISTAKES_MOST = 10 }; /* told of a commit, beside what they block */

static int insert_commit(struct sty_ledger *ledger, const struct sty_commit *commit, const char *state,
                         struct sty_error *err)
{
    return sty_ledger_exec(ledger, err,
                           "INSERT INTO commits (oid, seq, time, author, subject, state, seen_at) VALUES (?, (SELECT"
                           " coalesce(max(seq), 0) + 1 FROM commits), ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                           "sisssi", commit->oid, commit->time_ms, commit->author, commit->subject, state,
                           sty_ledger_now(ledger));
}

/* On the first walk the tip alone counts; later what came between was superseded by it. */
int sty_walk_write_commits(struct sty_walk *walk, struct sty_error *err)
{
    bool first = !sty_json_text(walk->source, "walked", NULL);
    for (size_t i = 0; i < walk->commit_count; i++) {
        const struct sty_commit *commit = &walk->commits[i];
        bool tip = strcmp(commit->oid, walk->snapshot.commit) == 0;
        if (first && !tip)
            continue;
        if (insert_commit(walk->ledger, commit, tip ? "running" : "superseded", err) < 0 ||
            (!tip && sty_report_superseded(walk->ledger, commit->oid, walk->snapshot.commit, err) < 0))
            return -1;
    }
    return 0;
}

/* Does what is blocked name this file already? */
static bool is_told(const json_t *list, const char *file)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strstr(sty_json_text(json_array_get(list, i), "message", ""), file))
            return true;
    return false;
}

/* A mistake that stops no target that is known is the commit's all the same: nobody knows what it keeps from being. */
static void add_mistakes(json_t *list, const struct sty_walk *walk)
{
    for (size_t i = 0, told = 0; i < walk->problems.count && told < MISTAKES_MOST; i++) {
        const struct sty_problem *p = &walk->problems.items[i];
        if (p->warning || is_told(list, p->file))
            continue;
        sty_auto_free char *text = sty_sprintf("%s:%d:%d: %s", p->file, p->line, p->column, p->message);
        json_array_append_new(list, json_pack("{s:o, s:o, s:s, s:o, s:s}", "target", sty_json_string(p->file), "file",
                                              sty_json_string(p->file), "reason", "mistake", "message",
                                              sty_json_string(text), "remedy", "styrmin check"));
        told++;
    }
}

/* What is read again at the same commit is less than what it touched: its mistakes stay. */
static int keep_mistakes(json_t *list, const struct sty_walk *walk, struct sty_error *err)
{
    json_auto_t *row = NULL, *before = NULL;
    if (sty_ledger_row(&row, walk->ledger, err, "SELECT blocked FROM commits WHERE oid = ?", "s",
                       walk->snapshot.commit) < 0)
        return -1;
    const char *text = sty_json_text(row, "blocked", "[]");
    if (sty_json_parse(&before, text, strlen(text), err) < 0)
        return sty_error_wrap(err, "ledger: commit %.12s", walk->snapshot.commit);
    for (size_t i = 0; i < json_array_size(before); i++)
        if (json_object_get(json_array_get(before, i), "file"))
            json_array_append(list, json_array_get(before, i));
    return 0;
}

static void add_block(json_t *list, const struct sty_walk *walk, const struct sty_plan_blocked *blocked)
{
    const json_t *wish = sty_walk_wish(walk, sty_walk_subject(walk, blocked->target)->id);
    json_t *entry = sty_plan_blocked_json(blocked);
    if (sty_json_bool(wish, "own", false))
        json_object_set_new(entry, "own", json_true());
    json_array_append_new(list, entry);
}

static int blocked_list(json_t *list, const struct sty_walk *walk, struct sty_error *err)
{
    for (size_t i = 0; i < walk->plan->blocked_count; i++)
        add_block(list, walk, &walk->plan->blocked[i]);
    if (walk->commit_count == 0)
        return keep_mistakes(list, walk, err);
    add_mistakes(list, walk);
    return 0;
}

int sty_walk_write_findings(struct sty_walk *walk, struct sty_error *err)
{
    json_auto_t *blocked = json_array();
    json_auto_t *data = json_pack("{s:s, s:I, s:I, s:I}", "plan", walk->plan->digest, "remediations",
                                  (json_int_t)walk->plan->count, "blocked", (json_int_t)walk->plan->blocked_count,
                                  "superseded", (json_int_t)(walk->commit_count ? walk->commit_count - 1 : 0));
    struct sty_event event = {.kind = "commit.walked", .commit = walk->snapshot.commit, .data = data};
    if (blocked_list(blocked, walk, err) < 0)
        return -1;
    if ((walk->commit_count || walk->plan->count) && sty_ledger_event(walk->ledger, &event, err) < 0)
        return -1;
    return sty_commit_findings(walk->ledger, walk->snapshot.commit, blocked, walk->plan->digest, err);
}
