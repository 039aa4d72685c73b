/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a commit stands: by the remediations that its walk planned, the newest of each target, and by what was blocked.
 * Said again when a retry changes it.
 */
#include "reconcile/reconcile_internal.h"

#include <string.h>

#include "report/report.h"

/* Heals, restores and what a person asked for belong to no commit's outcome; a retry, or what was in the way and is
 * taken over, belongs to what it tries again. */
#define OF_COMMIT(r, oid)                                                                                              \
    r ".commit_oid = " oid " AND " r ".kind NOT IN ('heal', 'restore') AND (" r ".request IS NULL OR EXISTS (SELECT 1" \
      " FROM requests q WHERE q.id = " r ".request AND q.kind IN ('retry', 'adopt')))"

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

/* Does it wait for a person, or for another target? What is only held back on purpose does not count. */
static bool waits(const json_t *entry)
{
    static const char *const reasons[] = {"guard", "review", "claim", "mistake", "dependency", "waiting"};
    for (size_t i = 0; i < STY_COUNT(reasons); i++)
        if (sty_streq(sty_json_text(entry, "reason", ""), reasons[i]))
            return true;
    return false;
}

static bool is_blocked(const json_t *blocked)
{
    for (size_t i = 0; i < json_array_size(blocked); i++)
        if (waits(json_array_get(blocked, i)))
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

/* ---- what its walk found ---- */

/* Its own remediation of that target says how it stands: that it failed, or is not finished, is not said twice. */
static int is_said(bool *out, struct sty_ledger *ledger, const char *oid, const json_t *entry, struct sty_error *err)
{
    const char *reason = sty_json_text(entry, "reason", "");
    int64_t own = 0;
    *out = false;
    if (!sty_streq(reason, "quarantined") && !sty_streq(reason, "waiting"))
        return 0;
    if (sty_ledger_number(&own, ledger, err,
                          "SELECT count(*) FROM remediations r WHERE " OF_COMMIT(
                              "r", "?") " AND state <> 'superseded' AND cluster"
                                        " || '/' || environment || '/' || deployment = ?",
                          "ss", oid, sty_json_text(entry, "target", "")) < 0)
        return -1;
    *out = own > 0;
    return 0;
}

static json_t *of_target(const json_t *blocked, const json_t *target)
{
    for (size_t i = 0; i < json_array_size(blocked); i++)
        if (json_equal(json_object_get(json_array_get(blocked, i), "target"), target))
            return json_array_get(blocked, i);
    return NULL;
}

static int findings(json_t **out, struct sty_ledger *ledger, const char *oid, const json_t *blocked,
                    const json_t *before, struct sty_error *err)
{
    json_auto_t *kept = json_array();
    for (size_t i = 0; i < json_array_size(blocked); i++) {
        json_t *entry = json_array_get(blocked, i);
        bool said = false;
        if (sty_json_bool(entry, "own", false))
            entry = of_target(before, json_object_get(entry, "target"));
        if (!entry)
            continue;
        if (is_said(&said, ledger, oid, entry, err) < 0)
            return -1;
        if (!said)
            json_array_append(kept, entry);
    }
    *out = json_incref(kept);
    return 0;
}

static json_t *waiting_of(const json_t *blocked)
{
    json_t *list = json_array();
    for (size_t i = 0; i < json_array_size(blocked); i++)
        if (waits(json_array_get(blocked, i)))
            json_array_append(list, json_array_get(blocked, i));
    return list;
}

/* Held back or let go by hand later is no other outcome of the commit; what it waits for is. */
static bool is_news(const json_t *before, const json_t *now)
{
    json_auto_t *old = waiting_of(before), *fresh = waiting_of(now);
    return !json_equal(old, fresh);
}

int sty_commit_findings(struct sty_ledger *ledger, const char *oid, const json_t *blocked, const char *plan,
                        struct sty_error *err)
{
    json_auto_t *row = NULL, *before = NULL, *found = NULL;
    int64_t planned = 0;
    if (sty_ledger_row(&row, ledger, err, "SELECT blocked FROM commits WHERE oid = ?", "s", oid) < 0 ||
        sty_ledger_number(&planned, ledger, err,
                          "SELECT count(*) FROM remediations r WHERE " OF_COMMIT("r", "?") " AND state = 'planned'",
                          "s", oid) < 0)
        return -1;
    const char *text = sty_json_text(row, "blocked", "[]");
    if (sty_json_parse(&before, text, strlen(text), err) < 0)
        return sty_error_wrap(err, "ledger: commit %.12s", oid);
    if (findings(&found, ledger, oid, blocked, before, err) < 0)
        return -1;
    bool news = planned || is_news(before, found);
    if (!news && sty_json_text(row, "blocked", NULL))
        return 0;
    return sty_ledger_exec(ledger, err,
                           "UPDATE commits SET blocked = ?1, plan = CASE WHEN plan IS NULL OR ?2 THEN ?3 ELSE plan END,"
                           " state = CASE WHEN ?4 THEN 'running' ELSE state END WHERE oid = ?5",
                           "jbsbs", found, planned > 0, plan, news, oid);
}

/* ---- how it stands ---- */

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

/* Another commit that was walked in the meantime found it waiting, and need not say so any longer. */
static int release_walked(struct sty_ledger *ledger, const json_t *remediation, struct sty_error *err)
{
    json_auto_t *source = NULL;
    sty_auto_free char *name =
        sty_sprintf("%s/%s/%s", sty_json_text(remediation, "cluster", ""),
                    sty_json_text(remediation, "environment", ""), sty_json_text(remediation, "deployment", ""));
    if (sty_ledger_row(&source, ledger, err, "SELECT walked FROM sources WHERE id = 1", "") < 0)
        return -1;
    const char *walked = sty_json_text(source, "walked", NULL);
    if (!walked || sty_streq(walked, sty_json_text(remediation, "commit_oid", "")))
        return 0;
    if (sty_ledger_exec(ledger, err,
                        "UPDATE commits SET state = 'running', blocked = (SELECT json_group_array(json(value)) FROM"
                        " json_each(blocked) WHERE (value ->> 'target', value ->> 'reason') IS NOT (?1, 'waiting'))"
                        " WHERE oid = ?2 AND state = 'blocked' AND EXISTS (SELECT 1 FROM json_each(blocked) WHERE value"
                        " ->> 'target' = ?1 AND value ->> 'reason' = 'waiting')",
                        "ss", name, walked) < 0)
        return -1;
    return sty_ledger_changed(ledger) ? sty_commit_settle(ledger, walked, false, err) : 0;
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
    if (release_walked(ledger, remediation, err) < 0)
        return -1;
    if (!own)
        return sty_report_remediation(ledger, remediation, err);
    if (take_refusal(ledger, remediation, err) < 0 ||
        sty_ledger_exec(ledger, err, "UPDATE commits SET state = 'running' WHERE oid = ? AND state <> 'superseded'",
                        "s", oid) < 0)
        return -1;
    return sty_commit_settle(ledger, oid, false, err);
}
