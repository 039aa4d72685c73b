/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the reading commands ask of the ledger: one statement each, so that ten thousand targets cost one walk over a
 * few tables, and no Instance is opened. The state a target shows is the first that holds (design.md section 15): the
 * order of the CASE is that sentence.
 */
#include <string.h>

#include "cli/ledger_view_internal.h"

#define MATCHES(t)                                                                                                     \
    " (?2 IS NULL OR EXISTS (SELECT 1 FROM json_each(?2) AS wanted WHERE wanted.value IN (" t ".deployment, " t        \
    ".environment || '/' || " t ".deployment, " t ".cluster || '/' || " t ".environment || '/' || " t ".deployment)))" \
    " AND (?3 IS NULL OR " t ".environment = ?3) AND (?4 IS NULL OR " t ".cluster = ?4)"
#define LABELS                                                                                                         \
    " AND (?5 IS NULL OR NOT EXISTS (SELECT 1 FROM json_each(?5) AS wanted WHERE NOT EXISTS (SELECT 1 FROM"            \
    " json_each(t.policy, '$.labels') AS label WHERE label.key = wanted.key AND label.value = wanted.value)))"

/* What is out of the ordinary stands in `more`: most targets have none of it, and then it costs nothing. */
static const char status_sql[] =
    "WITH open AS (SELECT target, min(seq), id, kind, state, coalesce(error, wait_reason) AS reason, due"
    "  FROM remediations WHERE state IN ('planned', 'running', 'waiting') GROUP BY target),"
    " found AS (SELECT target, max(state = 'unknown' AND policy <> 'ignore') AS unknown, max(flapping) AS flapping,"
    "  max(policy <> 'ignore') AS standing, json_group_array(id) AS ids FROM drift GROUP BY target),"
    " healed AS (SELECT DISTINCT target FROM heals WHERE at > ?1 - 3600000),"
    " facts AS (SELECT t.*, a.instance, a.commit_oid, a.since, a.driver, a.version,"
    "  coalesce(a.lifecycle, json_extract(t.policy, '$.lifecycle'), 'running') AS lifecycle,"
    "  open.id AS open_id, open.kind AS open_kind, open.state AS open_state, open.reason AS open_reason, open.due,"
    "  found.unknown, found.flapping, found.standing, found.ids, healed.target IS NOT NULL AS healed,"
    "  json_extract(t.policy, '$.suspend') AS suspend, json_extract(t.policy, '$.observe') AS observe,"
    "  coalesce(t.suspended_until > ?1, 0) AS held,"
    "  json_extract(t.blocked, '$.reason') AS block"
    "  FROM targets AS t LEFT JOIN active AS a ON a.target = t.id LEFT JOIN open ON open.target = t.id"
    "  LEFT JOIN found ON found.target = t.id LEFT JOIN healed ON healed.target = t.id"
    "  WHERE (t.wanted OR a.target IS NOT NULL OR EXISTS (SELECT 1 FROM resources WHERE target = t.id)) AND" MATCHES(
        "t") LABELS "),"
                    " shown AS (SELECT cluster, environment, deployment, CASE"
                    "   WHEN open_state = 'running' THEN 'progressing'"
                    "   WHEN unknown THEN 'unknown'"
                    "   WHEN held OR suspend IS NOT NULL THEN 'suspended'"
                    "   WHEN open_state = 'waiting'"
                    "    OR block NOT IN ('quarantined', 'suspended', 'pinned', 'observed') THEN 'blocked'"
                    "   WHEN tainted OR quarantined IS NOT NULL OR standing THEN 'degraded'"
                    "   WHEN open_state = 'planned' THEN 'progressing'"
                    "   WHEN instance IS NULL THEN 'unknown'"
                    "   WHEN lifecycle = 'stopped' THEN 'stopped'"
                    "   ELSE 'healthy' END AS state,"
                    "  lifecycle, instance AS active, commit_oid AS active_commit, driver, version, desired,"
                    "  desired_commit, CASE"
                    "   WHEN tainted OR held OR unknown IS NOT NULL OR healed OR observe OR NOT wanted OR instance IS"
                    "    NULL OR coalesce(quarantined, pinned, suspend, blocked, open_id) IS NOT NULL"
                    "   THEN json_object('id', id, 'wanted', wanted, 'tainted', tainted, 'quarantined', quarantined,"
                    "    'pin', iif(pinned IS NULL, NULL, (SELECT json_object('instance', pinned, 'actor', max(actor),"
                    "      'reason', max(reason)) FROM requests WHERE requests.id = pin_request)),"
                    "    'suspend', json(suspend),"
                    "    'suspended', iif(held, (SELECT json_object('until', suspended_until, 'actor', max(actor),"
                    "      'reason', max(reason)) FROM requests WHERE requests.id = suspend_request), NULL),"
                    "    'blocked', json(blocked), 'observe', observe, 'healed', healed,"
                    "    'remediation', iif(open_id IS NULL, NULL, json_object('id', open_id, 'kind', open_kind,"
                    "      'state', open_state, 'reason', open_reason, 'due', due)),"
                    "    'drift', iif(ids IS NULL, NULL, json_object('ids', json(ids), 'unknown', unknown, 'flapping',"
                    "      flapping, 'standing', standing))) END AS more, since FROM facts)"
                    " SELECT * FROM shown WHERE ?6 IS NULL OR state = ?6 ORDER BY cluster, environment, deployment";

static int add_row(void *self, const char *const *columns, struct sty_error *err)
{
    struct sty_view_rows *rows = self;
    struct sty_view_row row = {0};
    const char **const texts[] = {&row.names.cluster,    &row.names.environment,
                                  &row.names.deployment, &row.state,
                                  &row.lifecycle,        &row.active,
                                  &row.active_commit,    &row.driver,
                                  &row.version,          &row.desired,
                                  &row.desired_commit,   &row.more};
    for (size_t i = 0; i < STY_COUNT(texts); i++)
        *texts[i] = columns[i] ? sty_arena_strdup(rows->arena, columns[i]) : NULL;
    const char *since = columns[STY_COUNT(texts)];
    if (since && sty_number_parse(&row.since, since, INT64_MIN, INT64_MAX, err) < 0)
        return -1;
    if (rows->count == rows->capacity) {
        size_t capacity = rows->capacity ? rows->capacity * 2 : 64;
        struct sty_view_row *items = sty_arena_alloc(rows->arena, capacity * sizeof *items);
        if (rows->count)
            memcpy(items, rows->items, rows->count * sizeof *items);
        rows->items = items;
        rows->capacity = capacity;
    }
    rows->items[rows->count++] = row;
    return 0;
}

int sty_view_status(struct sty_view_rows *rows, struct sty_ledger *ledger, const struct sty_listing *listing,
                    struct sty_error *err)
{
    const struct sty_ledger_visitor visitor = {add_row, rows};
    return sty_ledger_each(ledger, &visitor, err, status_sql, "ijssjs", sty_ledger_now(ledger), listing->targets,
                           listing->environment, listing->cluster, listing->labels, listing->state);
}

int sty_view_history(json_t **rows, struct sty_ledger *ledger, const struct sty_listing *listing, struct sty_error *err)
{
    return sty_ledger_rows(
        rows, ledger, err,
        "SELECT r.id, r.cluster, r.environment, r.deployment, r.kind, r.state, r.commit_oid, r.from_instance,"
        " r.to_instance, r.created_at, r.started_at, r.finished_at, r.due, r.error, r.parent, r.request, r.attempt"
        " FROM remediations AS r LEFT JOIN targets AS t ON t.id = r.target WHERE r.created_at >= ?1 AND"
        " r.created_at < ?7 AND (?6 IS NULL OR r.state = ?6) AND" MATCHES("r") LABELS " ORDER BY r.seq DESC LIMIT ?8",
        "ijssjsii", listing->since, listing->targets, listing->environment, listing->cluster, listing->labels,
        listing->state, listing->until, listing->limit);
}

int sty_view_source(json_t **row, struct sty_ledger *ledger, struct sty_error *err)
{
    return sty_ledger_row(row, ledger, err,
                          "SELECT url, branch, path, name, accepted, walked, fetched_at, error FROM sources", "");
}

static const json_t *planned_step(const json_t *steps, int64_t seq)
{
    for (size_t i = 0; i < json_array_size(steps); i++)
        if (sty_json_int(json_array_get(steps, i), "seq", (int64_t)i + 1) == seq)
            return json_array_get(steps, i);
    return NULL;
}

int sty_view_steps(json_t **rows, struct sty_ledger *ledger, const json_t *remediation, struct sty_error *err)
{
    json_auto_t *document = NULL, *found = NULL;
    const char *text = sty_json_text(remediation, "document", "");
    if (sty_json_parse(&document, text, strlen(text), err) < 0 ||
        sty_ledger_rows(&found, ledger, err,
                        "SELECT attempt, seq, state, started_at, finished_at, exit_status, output, error FROM steps"
                        " WHERE remediation = ? ORDER BY attempt, seq",
                        "s", sty_json_text(remediation, "id", "")) < 0)
        return -1;
    size_t i;
    json_t *row;
    json_array_foreach (found, i, row) {
        const json_t *plan = planned_step(json_object_get(document, "steps"), sty_json_int(row, "seq", 0));
        json_object_set_new(row, "plan", plan ? json_deep_copy(plan) : json_object());
    }
    *rows = json_incref(found);
    return 0;
}
