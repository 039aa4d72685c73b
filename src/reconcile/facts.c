/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the ledger knows of a target, as facts for the plan.
 */
#include "reconcile/reconcile_internal.h"

#include <stdlib.h>
#include <string.h>

static void drop_instance(void *instance)
{
    sty_instance_free(instance);
}

int sty_walk_instance(struct sty_instance **out, struct sty_walk *walk, const char *digest, struct sty_error *err)
{
    sty_auto_free char *bytes = NULL;
    size_t length = 0;
    if (sty_ledger_instance_get(&bytes, &length, walk->ledger, digest, err) < 0 ||
        sty_instance_parse(out, bytes, length, digest, err) < 0)
        return -1;
    sty_arena_own(walk->arena, *out, drop_instance);
    return 0;
}

static int optional_instance(struct sty_instance **out, struct sty_walk *walk, const char *digest,
                             struct sty_error *err)
{
    return digest ? sty_walk_instance(out, walk, digest, err) : 0;
}

const json_t *sty_walk_wish(const struct sty_walk *walk, int64_t target)
{
    const json_t *wishes = walk->options->wishes;
    for (size_t i = json_array_size(wishes); i > 0; i--) {
        const json_t *wish = json_array_get(wishes, i - 1);
        if (sty_json_int(wish, "target", 0) == target)
            return wish;
    }
    return NULL;
}

static int read_inventory(struct sty_plan_target *facts, struct sty_walk *walk, int64_t id, struct sty_error *err)
{
    json_t *rows = NULL;
    if (sty_ledger_rows(&rows, walk->ledger, err,
                        "SELECT id, component, instance FROM resources WHERE target = ? ORDER BY id", "i", id) < 0)
        return -1;
    sty_walk_own(walk, rows);
    facts->inventory_count = json_array_size(rows);
    struct sty_plan_row *inventory = sty_arena_alloc(walk->arena, (facts->inventory_count + 1) * sizeof(*inventory));
    for (size_t i = 0; i < facts->inventory_count; i++) {
        const json_t *row = json_array_get(rows, i);
        inventory[i] = (struct sty_plan_row){sty_json_text(row, "id", ""), sty_json_text(row, "component", ""),
                                             sty_json_text(row, "instance", "")};
    }
    facts->inventory = inventory;
    return 0;
}

static int read_run_states(struct sty_plan_target *facts, struct sty_walk *walk, int64_t id, struct sty_error *err)
{
    json_t *rows = NULL;
    if (sty_ledger_rows(&rows, walk->ledger, err, "SELECT component, running FROM run_states WHERE target = ?", "i",
                        id) < 0)
        return -1;
    sty_walk_own(walk, rows);
    facts->run_state_count = json_array_size(rows);
    struct sty_plan_run_state *states = sty_arena_alloc(walk->arena, (facts->run_state_count + 1) * sizeof(*states));
    for (size_t i = 0; i < facts->run_state_count; i++) {
        const json_t *row = json_array_get(rows, i);
        states[i] = (struct sty_plan_run_state){sty_json_text(row, "component", ""), sty_json_int(row, "running", 0)};
    }
    facts->run_states = states;
    return 0;
}

/* "by anna: reason", of the request that a row's column names. */
static int by_whom(const char **out, struct sty_walk *walk, const char *request, struct sty_error *err)
{
    json_auto_t *row = NULL;
    *out = "by hand";
    if (!request)
        return 0;
    if (sty_ledger_row(&row, walk->ledger, err, "SELECT actor, reason FROM requests WHERE id = ?", "s", request) < 0)
        return -1;
    if (row)
        *out = sty_arena_printf(walk->arena, "by %s: \"%s\"", sty_json_text(row, "actor", ""),
                                sty_json_text(row, "reason", ""));
    return 0;
}

static int read_suspension(struct sty_plan_target *facts, struct sty_walk *walk, const json_t *row,
                           struct sty_error *err)
{
    int64_t until = sty_json_int(row, "suspended_until", 0);
    const char *whom = NULL;
    char text[32];
    if (until <= sty_ledger_now(walk->ledger))
        return 0;
    if (by_whom(&whom, walk, sty_json_text(row, "suspend_request", NULL), err) < 0)
        return -1;
    facts->suspended = until == INT64_MAX
                           ? sty_arena_printf(walk->arena, "suspended %s", whom)
                           : sty_arena_printf(walk->arena, "suspended until %s %s", sty_time_text(text, until), whom);
    return 0;
}

static int read_pin(struct sty_plan_target *facts, struct sty_walk *walk, const json_t *row, struct sty_error *err)
{
    const char *digest = sty_json_text(row, "pinned", NULL), *whom = NULL;
    if (!digest)
        return 0;
    if (by_whom(&whom, walk, sty_json_text(row, "pin_request", NULL), err) < 0)
        return -1;
    facts->pinned = sty_arena_printf(walk->arena, "pinned to %.6s %s", digest + strlen("sha256:"), whom);
    return 0;
}

static int read_row(struct sty_plan_target *facts, struct sty_subject *subject, struct sty_walk *walk,
                    struct sty_error *err)
{
    const json_t *row = subject->row;
    const char *policy = sty_json_text(row, "policy", "{}");
    subject->id = sty_json_int(row, "id", 0);
    facts->tainted = sty_json_int(row, "tainted", 0);
    facts->quarantined = sty_json_text(row, "quarantined", NULL);
    if (sty_json_parse(&subject->policy, policy, strlen(policy), err) < 0)
        return sty_error_wrap(err, "ledger: policy of target %lld", (long long)subject->id);
    sty_walk_own(walk, subject->policy);
    facts->depends_on = json_object_get(subject->policy, "depends_on");
    facts->retain = sty_streq(sty_json_text(subject->policy, "deletion", ""), "retain");
    json_t *open = NULL;
    if (sty_ledger_rows(&open, walk->ledger, err,
                        "SELECT id, kind, state, due, wait_reason, parent, request, digest FROM remediations WHERE "
                        "target = ? AND state IN"
                        " ('planned', 'running', 'waiting') ORDER BY seq",
                        "i", subject->id) < 0)
        return -1;
    subject->open = sty_walk_own(walk, open);
    if (optional_instance(&facts->active, walk, sty_json_text(row, "active", NULL), err) < 0 ||
        optional_instance(&facts->tried, walk, sty_json_text(row, "tried", NULL), err) < 0)
        return -1;
    if (read_inventory(facts, walk, subject->id, err) < 0 || read_run_states(facts, walk, subject->id, err) < 0)
        return -1;
    return read_suspension(facts, walk, row, err) < 0 ? -1 : read_pin(facts, walk, row, err);
}

static void grow(struct sty_walk *walk)
{
    if (walk->count < walk->capacity)
        return;
    size_t capacity = walk->capacity ? walk->capacity * 2 : 64;
    struct sty_plan_target *facts = sty_arena_alloc(walk->arena, capacity * sizeof(*facts));
    struct sty_subject *subjects = sty_arena_alloc(walk->arena, capacity * sizeof(*subjects));
    if (walk->count) {
        memcpy(facts, walk->facts, walk->count * sizeof(*facts));
        memcpy(subjects, walk->subjects, walk->count * sizeof(*subjects));
    }
    walk->facts = facts;
    walk->subjects = subjects;
    walk->capacity = capacity;
}

int sty_walk_add(size_t *at, struct sty_walk *walk, const struct sty_target *names, const json_t *row,
                 struct sty_error *err)
{
    grow(walk);
    struct sty_plan_target *facts = &walk->facts[walk->count];
    struct sty_subject *subject = &walk->subjects[walk->count];
    *facts = (struct sty_plan_target){.names = {sty_arena_strdup(walk->arena, names->cluster),
                                                sty_arena_strdup(walk->arena, names->environment),
                                                sty_arena_strdup(walk->arena, names->deployment)},
                                      .place = "host"};
    *subject = (struct sty_subject){.row = row};
    if (row && read_row(facts, subject, walk, err) < 0)
        return sty_error_wrap(err, "%s", sty_target_text(walk->arena, names));
    *at = walk->count++;
    return 0;
}
