/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The restore that answers a failure. It is planned as any other, from what the ledger knows, in the transaction of the
 * failure: there may be no walk for a long time.
 */
#include <string.h>
#include "plan/plan.h"
#include "run/run_internal.h"

/* Everything else is settled: nobody takes from us, nobody waits. */
static int no_owner(void *self, struct sty_plan_owner *out, const char *place, const char *id, struct sty_error *err)
{
    (void)self;
    (void)place;
    (void)id;
    (void)err;
    *out = (struct sty_plan_owner){0};
    return 0;
}

static int no_other(void *self, struct sty_plan_other *out, const char *target, struct sty_error *err)
{
    (void)self;
    (void)target;
    (void)err;
    *out = (struct sty_plan_other){0};
    return 0;
}

static int no_dependents(void *self, const char *const **out, const char *target, struct sty_error *err)
{
    static const char *const none[] = {NULL};
    (void)self;
    (void)target;
    (void)err;
    *out = none;
    return 0;
}

static int not_approved(void *self, enum sty_plan_approval *out, const char *digest, struct sty_error *err)
{
    (void)self;
    (void)digest;
    (void)err;
    *out = STY_PLAN_UNAPPROVED;
    return 0;
}

static int not_shown(void *self, bool *out, const char *digest, struct sty_error *err)
{
    (void)self;
    (void)digest;
    (void)err;
    *out = false;
    return 0;
}

static const struct sty_plan_lookup lookup = {NULL, no_owner, no_other, no_dependents, not_approved, not_shown};

static int parse(struct sty_instance **out, struct sty_execution *execution, const char *digest, struct sty_error *err)
{
    sty_auto_free char *bytes = NULL;
    size_t length = 0;
    if (sty_ledger_instance_get(&bytes, &length, execution->ledger, digest, err) < 0)
        return -1;
    return sty_instance_parse(out, bytes, length, digest, err);
}

static void take_inventory(struct sty_plan_target *target, struct sty_arena *arena, const json_t *rows)
{
    target->inventory_count = json_array_size(rows);
    struct sty_plan_row *inventory = sty_arena_alloc(arena, (target->inventory_count + 1) * sizeof(*inventory));
    for (size_t i = 0; i < target->inventory_count; i++) {
        const json_t *row = json_array_get(rows, i);
        inventory[i] = (struct sty_plan_row){sty_json_text(row, "id", ""), sty_json_text(row, "component", ""),
                                             sty_json_text(row, "instance", "")};
    }
    target->inventory = inventory;
}

static void take_run_states(struct sty_plan_target *target, struct sty_arena *arena, const json_t *rows)
{
    target->run_state_count = json_array_size(rows);
    struct sty_plan_run_state *states = sty_arena_alloc(arena, (target->run_state_count + 1) * sizeof(*states));
    for (size_t i = 0; i < target->run_state_count; i++) {
        const json_t *row = json_array_get(rows, i);
        states[i] = (struct sty_plan_run_state){sty_json_text(row, "component", ""), sty_json_int(row, "running", 0)};
    }
    target->run_states = states;
}

static int plan_restore(json_t **out, struct sty_execution *execution, struct sty_plan_target *target,
                        struct sty_error *err)
{
    sty_auto_ptr(plan) plan = NULL;
    json_auto_t *rows = NULL, *states = NULL;
    if (sty_ledger_rows(&rows, execution->ledger, err,
                        "SELECT id, component, instance FROM resources WHERE target = ? ORDER BY id", "i",
                        execution->target) < 0 ||
        sty_ledger_rows(&states, execution->ledger, err, "SELECT component, running FROM run_states WHERE target = ?",
                        "i", execution->target) < 0)
        return -1;
    take_inventory(target, execution->arena, rows);
    take_run_states(target, execution->arena, states);
    struct sty_plan_input input = {.targets = target, .target_count = 1, .lookup = &lookup};
    if (sty_plan_make(&plan, &input, err) < 0)
        return -1;
    if (plan->count != 1)
        return sty_error_set(err, STY_INTERNAL, "no restore can be planned: %s",
                             plan->blocked_count ? plan->blocked[0].why.message : "nothing to do");
    *out = sty_plan_remediation_json(&plan->remediations[0]);
    return 0;
}

static int record(struct sty_execution *execution, const struct sty_plan_target *target, const json_t *document,
                  const char *commit, struct sty_error *err)
{
    char id[STY_ID_SIZE];
    struct sty_remediation_new fresh = {.target = execution->target,
                                        .names = &target->names,
                                        .document = document,
                                        .commit = commit,
                                        .request = sty_json_text(execution->row, "request", NULL),
                                        .parent = execution->id};
    return sty_remediation_record(id, execution->ledger, &fresh, err);
}

int sty_restore_record(struct sty_execution *execution, struct sty_error *err)
{
    json_auto_t *row = NULL, *document = NULL;
    sty_auto_ptr(instance) active = NULL;
    sty_auto_ptr(instance) desired = NULL;
    if (sty_ledger_row(&row, execution->ledger, err, "SELECT instance, commit_oid FROM active WHERE target = ?", "i",
                       execution->target) < 0)
        return -1;
    if (!row)
        return 0;
    const char *digest = sty_json_text(row, "instance", "");
    if (parse(&active, execution, digest, err) < 0 || parse(&desired, execution, digest, err) < 0)
        return -1;
    struct sty_plan_target target = {.names = {sty_json_text(execution->row, "cluster", ""),
                                               sty_json_text(execution->row, "environment", ""),
                                               sty_json_text(execution->row, "deployment", "")},
                                     .place = "host",
                                     .active = active,
                                     .desired = desired,
                                     .wanted = true,
                                     .tainted = true,
                                     .requested = true};
    if (plan_restore(&document, execution, &target, err) < 0)
        return -1;
    return record(execution, &target, document, sty_json_text(row, "commit_oid", ""), err);
}
