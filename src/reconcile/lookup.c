/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the plan has to look up about targets that are not in the walk, out of the ledger.
 */
#include "reconcile/reconcile_internal.h"

#include <string.h>

#define FULL_NAME "t.cluster || '/' || t.environment || '/' || t.deployment"
#define IS_TARGET "t.cluster = ? AND t.environment = ? AND t.deployment = ?"

static bool split(struct sty_target *out, struct sty_arena *arena, const char *name)
{
    char *text = sty_arena_strdup(arena, name), *first = strchr(text, '/');
    char *second = first ? strchr(first + 1, '/') : NULL;
    if (!second)
        return false;
    *first = *second = '\0';
    *out = (struct sty_target){text, first + 1, second + 1};
    return true;
}

static int owner(void *self, struct sty_plan_owner *out, const char *place, const char *id, struct sty_error *err)
{
    struct sty_walk *walk = self;
    json_t *row = NULL;
    *out = (struct sty_plan_owner){0};
    if (walk->no_owners)
        return 0;
    if (sty_ledger_row(&row, walk->ledger, err,
                       "SELECT " FULL_NAME " AS name, EXISTS (SELECT 1 FROM active a WHERE a.target = t.id) AS holds"
                       " FROM resources r JOIN targets t ON t.id = r.target WHERE r.place = ? AND r.id = ?",
                       "ss", place, id) < 0)
        return -1;
    if (!row)
        return 0;
    sty_walk_own(walk, row);
    *out = (struct sty_plan_owner){sty_json_text(row, "name", NULL), sty_json_int(row, "holds", 0)};
    return 0;
}

static int other(void *self, struct sty_plan_other *out, const char *target, struct sty_error *err)
{
    struct sty_walk *walk = self;
    struct sty_target names;
    json_auto_t *row = NULL;
    json_t *policy = NULL;
    *out = (struct sty_plan_other){0};
    if (!split(&names, walk->arena, target))
        return 0;
    if (sty_ledger_row(
            &row, walk->ledger, err,
            "SELECT t.policy, t.tainted, EXISTS (SELECT 1 FROM active a WHERE a.target = t.id) AS active,"
            " EXISTS (SELECT 1 FROM remediations r WHERE r.target = t.id AND r.state IN ('planned', 'running',"
            " 'waiting')) AS unfinished FROM targets t WHERE " IS_TARGET,
            "sss", names.cluster, names.environment, names.deployment) < 0)
        return -1;
    const char *text = sty_json_text(row, "policy", "{}");
    if (!row || sty_json_parse(&policy, text, strlen(text), err) < 0)
        return row ? -1 : 0;
    sty_walk_own(walk, policy);
    *out = (struct sty_plan_other){.known = true,
                                   .active = sty_json_int(row, "active", 0),
                                   .tainted = sty_json_int(row, "tainted", 0),
                                   .unfinished = sty_json_int(row, "unfinished", 0),
                                   .depends_on = json_object_get(policy, "depends_on")};
    return 0;
}

static int dependents(void *self, const char *const **out, const char *target, struct sty_error *err)
{
    struct sty_walk *walk = self;
    struct sty_target names;
    json_auto_t *rows = NULL;
    if (!split(&names, walk->arena, target))
        names = (struct sty_target){"", "", ""};
    if (sty_ledger_rows(&rows, walk->ledger, err,
                        "SELECT " FULL_NAME " AS name FROM targets t, json_each(t.policy, '$.depends_on') d WHERE"
                        " t.cluster = ? AND t.environment = ? AND d.value = ? AND t.wanted = 1",
                        "sss", names.cluster, names.environment, names.deployment) < 0)
        return -1;
    const char **list = sty_arena_alloc(walk->arena, (json_array_size(rows) + 1) * sizeof(*list));
    for (size_t i = 0; i < json_array_size(rows); i++)
        list[i] = sty_arena_strdup(walk->arena, sty_json_text(json_array_get(rows, i), "name", ""));
    *out = list;
    return 0;
}

static int approved(void *self, enum sty_plan_approval *out, const char *digest, struct sty_error *err)
{
    struct sty_walk *walk = self;
    json_auto_t *row = NULL;
    *out = walk->whole_approved ? STY_PLAN_APPROVED : STY_PLAN_UNAPPROVED;
    if (walk->no_approvals || walk->whole_approved)
        return 0;
    if (sty_ledger_row(&row, walk->ledger, err,
                       "SELECT EXISTS (SELECT 1 FROM requests q WHERE q.id = request) AS by_hand FROM approvals WHERE"
                       " digest = ?",
                       "s", digest) < 0)
        return -1;
    if (row)
        *out = sty_json_int(row, "by_hand", 0) ? STY_PLAN_APPROVED : STY_PLAN_GRANTED;
    return 0;
}

/* Plans of pull requests are not made yet, so nothing was shown on one. */
static int shown(void *self, bool *out, const char *digest, struct sty_error *err)
{
    (void)self;
    (void)digest;
    (void)err;
    *out = false;
    return 0;
}

int sty_walk_lookup(struct sty_plan_lookup *out, struct sty_walk *walk, struct sty_error *err)
{
    int64_t owners = 0, approvals = 0;
    if (sty_ledger_number(&owners, walk->ledger, err, "SELECT EXISTS (SELECT 1 FROM resources)", "") < 0 ||
        sty_ledger_number(&approvals, walk->ledger, err, "SELECT EXISTS (SELECT 1 FROM approvals)", "") < 0)
        return -1;
    walk->no_owners = owners == 0;
    walk->no_approvals = approvals == 0;
    *out = (struct sty_plan_lookup){walk, owner, other, dependents, approved, shown};
    return 0;
}
