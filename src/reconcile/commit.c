/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a commit stands: by the remediations that its walk planned, the newest of each target, and by what was blocked.
 * Said again when a retry changes it.
 */
#include "reconcile/reconcile_internal.h"

#include <string.h>

#include "report/report.h"

/* Heals, restores and what a person asked for belong to no commit's outcome; a retry belongs to what it tries again. */
#define OF_COMMIT(r, oid)                                                                                              \
    r ".commit_oid = " oid " AND " r ".kind NOT IN ('heal', 'restore') AND (" r ".request IS NULL OR EXISTS (SELECT 1" \
      " FROM requests q WHERE q.id = " r ".request AND q.kind = 'retry'))"

struct standing {
    int64_t begun, waiting, failed, succeeded;
};

static int count(struct standing *out, struct sty_ledger *ledger, const char *oid, struct sty_error *err)
{
    json_auto_t *row = NULL;
    if (sty_ledger_row(&row, ledger, err,
                       "SELECT coalesce(sum(state IN ('planned', 'running')), 0) AS begun,"
                       " coalesce(sum(state = 'waiting'), 0) AS waiting,"
                       " coalesce(sum(state IN ('failed', 'cancelled')), 0) AS failed,"
                       " coalesce(sum(state = 'succeeded'), 0) AS succeeded FROM (SELECT state, row_number() OVER"
                       " (PARTITION BY target ORDER BY seq DESC) AS n FROM remediations r WHERE " OF_COMMIT(
                           "r", "?") " AND state <> 'superseded') WHERE n = 1",
                       "s", oid) < 0)
        return -1;
    *out = (struct standing){sty_json_int(row, "begun", 0), sty_json_int(row, "waiting", 0),
                             sty_json_int(row, "failed", 0), sty_json_int(row, "succeeded", 0)};
    return 0;
}

/* Is the newest of some target not at its end? Asked after each one, so that it must not cost what count() does. */
static int is_open(bool *out, struct sty_ledger *ledger, const char *oid, struct sty_error *err)
{
    int64_t open = 0;
    if (sty_ledger_number(
            &open, ledger, err,
            "SELECT EXISTS (SELECT 1 FROM remediations r WHERE r.state IN ('planned', 'running', 'waiting') "
            "AND " OF_COMMIT(
                "r", "?1") " AND NOT EXISTS (SELECT 1 FROM remediations n WHERE n.target = r.target AND n.seq > r.seq"
                           " AND n.state <> 'superseded' AND " OF_COMMIT("n", "?1") "))",
            "s", oid) < 0)
        return -1;
    *out = open;
    return 0;
}

/* Does anything of it wait for a person, or for another target? What is only held back on purpose does not count. */
static bool is_blocked(const json_t *blocked)
{
    static const char *const waits[] = {"guard", "review", "claim", "mistake", "dependency", "waiting"};
    for (size_t i = 0; i < json_array_size(blocked); i++)
        for (size_t w = 0; w < STY_COUNT(waits); w++)
            if (sty_streq(sty_json_text(json_array_get(blocked, i), "reason", ""), waits[w]))
                return true;
    return false;
}

static const char *state_of(const struct standing *s, bool blocked)
{
    if (s->failed)
        return s->succeeded ? "partial" : "failed";
    if (blocked || s->waiting || s->begun)
        return "blocked";
    return s->succeeded ? "succeeded" : "unchanged";
}

int sty_commit_settle(struct sty_ledger *ledger, const char *oid, bool pause, struct sty_error *err)
{
    json_auto_t *row = NULL, *blocked = NULL;
    struct standing standing;
    bool open = false;
    if (!pause && is_open(&open, ledger, oid, err) < 0)
        return -1;
    if (open)
        return 0;
    if (sty_ledger_row(&row, ledger, err, "SELECT blocked FROM commits WHERE oid = ? AND state = 'running'", "s", oid) <
            0 ||
        count(&standing, ledger, oid, err) < 0)
        return -1;
    if (!row)
        return 0;
    const char *text = sty_json_text(row, "blocked", "[]");
    if (sty_json_parse(&blocked, text, strlen(text), err) < 0)
        return sty_error_wrap(err, "ledger: commit %.12s", oid);
    if (sty_ledger_exec(ledger, err, "UPDATE commits SET state = ?, finished_at = ? WHERE oid = ?", "sis",
                        state_of(&standing, is_blocked(blocked)), sty_ledger_now(ledger), oid) < 0)
        return -1;
    return sty_report_commit(ledger, oid, blocked, err);
}

/* Refused before its first act: what stands against it is a block of the commit that wanted it. */
static int take_refusal(struct sty_ledger *ledger, const json_t *remediation, struct sty_error *err)
{
    if (!sty_streq(sty_json_text(remediation, "state", ""), "superseded"))
        return 0;
    return sty_ledger_exec(
        ledger, err,
        "UPDATE commits SET blocked = json_insert(coalesce(blocked, '[]'), '$[#]', json_patch((SELECT blocked FROM"
        " targets WHERE id = ?1), json_object('target', ?2 || '/' || ?3 || '/' || ?4, 'deployment', ?4, 'environment',"
        " ?3, 'cluster', ?2))) WHERE oid = ?5 AND (SELECT blocked FROM targets WHERE id = ?1) IS NOT NULL",
        "issss", sty_json_int(remediation, "target", 0), sty_json_text(remediation, "cluster", ""),
        sty_json_text(remediation, "environment", ""), sty_json_text(remediation, "deployment", ""),
        sty_json_text(remediation, "commit_oid", ""));
}

int sty_commit_ended(struct sty_ledger *ledger, const json_t *remediation, void *self, struct sty_error *err)
{
    const char *oid = sty_json_text(remediation, "commit_oid", "");
    int64_t own = 0;
    (void)self;
    if (sty_ledger_number(&own, ledger, err,
                          "SELECT count(*) FROM remediations r WHERE r.id = ? AND " OF_COMMIT("r", "?"), "ss",
                          sty_json_text(remediation, "id", ""), oid) < 0)
        return -1;
    if (!own)
        return sty_report_remediation(ledger, remediation, err);
    if (take_refusal(ledger, remediation, err) < 0 ||
        sty_ledger_exec(ledger, err, "UPDATE commits SET state = 'running' WHERE oid = ? AND state <> 'superseded'",
                        "s", oid) < 0)
        return -1;
    return sty_commit_settle(ledger, oid, false, err);
}
