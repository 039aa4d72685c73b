/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan as a whole: every target classified, guarded, claimed, ordered, built, reviewed and counted, in this order.
 * Blocks found late (review, budget) can leave others without what they wait for or take over, so the last stage is
 * repeated until nothing moves; it only ever adds blocks and therefore ends.
 */
#include "plan/plan_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sty_plan_block(struct sty_plan_work *work, struct sty_plan_item *item, const char *reason, const char *remedy,
                    const char *format, ...)
{
    if (item->block.reason)
        return;
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0)
        abort();
    item->block = (struct sty_plan_block){reason, sty_arena_strdup(work->arena, text),
                                          remedy ? sty_arena_strdup(work->arena, remedy) : NULL};
    free(text);
}

bool sty_plan_starts(const struct sty_plan_item *item)
{
    return item->kind != STY_REMEDY_NONE && !item->block.reason;
}

static const struct sty_plan_environment no_rules = {
    .name = "", .budget = {.deletes = -1, .changes = -1}, .allow_deletes = -1, .allow_changes = -1};

static const struct sty_plan_environment *environment_of(const struct sty_plan_input *input, const char *name)
{
    for (size_t i = 0; i < input->environment_count; i++)
        if (strcmp(input->environments[i].name, name) == 0)
            return &input->environments[i];
    return &no_rules;
}

/* The ids that an Instance holds, kept: the Instance may be folded then. */
static const char **ids_of(struct sty_arena *arena, const struct sty_instance *instance)
{
    const char *name = NULL;
    json_t *body = NULL, *components = json_object_get(sty_instance_json(instance), "components");
    size_t count = 0;
    json_object_foreach (components, name, body)
        count += json_array_size(json_object_get(body, "resources"));
    const char **ids = sty_arena_alloc(arena, (count + 1) * sizeof(*ids));
    count = 0;
    json_object_foreach (components, name, body) {
        const json_t *resources = json_object_get(body, "resources");
        for (size_t i = 0; i < json_array_size(resources); i++)
            ids[count++] = sty_arena_strdup(arena, sty_json_text(json_array_get(resources, i), "id", ""));
    }
    return ids;
}

static enum sty_remedy by_table(struct sty_plan_item *item)
{
    const struct sty_plan_target *t = item->target;
    struct sty_facts facts = {.active = t->active != NULL,
                              .desired = t->desired != NULL,
                              .inventory = t->inventory_count > 0,
                              .tainted = t->tainted,
                              .retain = t->retain};
    if (t->active && t->desired) {
        if (strcmp(sty_instance_digest(t->active), sty_instance_digest(t->desired)) != 0)
            sty_diff(&item->diff, t->active, t->desired, t->origins);
        facts.change = sty_diff_class(&item->diff);
        facts.stopping = sty_streq(sty_json_text(sty_instance_json(t->desired), "lifecycle", ""), "stopped");
        item->restamp = item->diff.entries && facts.change == STY_CHANGE_NONE && !t->tainted;
    }
    if (t->wanted && !t->desired)
        return STY_REMEDY_NONE;
    return sty_classify(&facts);
}

static enum sty_remedy remedy_of(struct sty_plan_item *item)
{
    const struct sty_plan_target *t = item->target;
    switch (t->wish) {
    case STY_PLAN_ADOPT:
        return STY_REMEDY_ADOPT;
    case STY_PLAN_RELEASE:
        return STY_REMEDY_RELEASE;
    case STY_PLAN_TABLE:
    case STY_PLAN_HEAL:
        break;
    }
    return by_table(item);
}

static void fold(const struct sty_plan_target *target)
{
    struct sty_instance *all[] = {target->active, target->desired, target->tried};
    for (size_t i = 0; i < STY_COUNT(all); i++)
        if (all[i])
            sty_instance_fold(all[i]);
}

static void consider(struct sty_plan_work *work, struct sty_plan_item *item)
{
    item->kind = remedy_of(item);
    if (item->target->desired)
        item->wants = ids_of(work->arena, item->target->desired);
    sty_plan_guard(work, item);
    fold(item->target);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct sty_plan_item *)a)->name, ((const struct sty_plan_item *)b)->name);
}

static void take_in(struct sty_plan_work *work)
{
    const struct sty_plan_input *input = work->input;
    work->count = input->target_count;
    work->items = sty_arena_alloc(work->arena, (work->count + 1) * sizeof(*work->items));
    for (size_t i = 0; i < work->count; i++) {
        const struct sty_plan_target *target = &input->targets[i];
        work->items[i].target = target;
        work->items[i].name = sty_target_text(work->arena, &target->names);
        work->items[i].environment = environment_of(input, target->names.environment);
    }
    qsort(work->items, work->count, sizeof(*work->items), by_name);
    for (size_t i = 0; i < work->count; i++)
        sty_map_set(&work->by_name, work->items[i].name, &work->items[i]);
}

/* What was looked at and not blocked for a reason that also forbids healing is healed. */
static bool may_heal(const struct sty_plan_item *item)
{
    static const char *const forbidden[] = {"suspended", "observed", "waiting", "claim"};
    const struct sty_plan_target *t = item->target;
    if (t->wish != STY_PLAN_HEAL || !t->active || t->tainted || sty_plan_starts(item) || !t->drifted || !t->drifted[0])
        return false;
    for (size_t i = 0; i < STY_COUNT(forbidden); i++)
        if (sty_streq(item->block.reason, forbidden[i]))
            return false;
    return !t->suspended && !t->unfinished && !item->environment->observe;
}

static void put_blocked(struct sty_plan *plan, const struct sty_plan_item *item)
{
    plan->blocked[plan->blocked_count++] = (struct sty_plan_blocked){
        item->target, item->name, item->kind, item->made ? item->made->digest : NULL, item->block, item->granted};
}

/* The text goes with it; that of what is blocked is not kept. */
static void take_made(struct sty_plan *plan, struct sty_plan_item *item)
{
    plan->remediations[plan->count++] = *item->made;
    item->made->text = NULL;
}

/* Sort what was found into the plan; heals are built only now, when it is known what else does not start. */
static void collect(struct sty_plan *plan, struct sty_plan_work *work)
{
    for (size_t i = 0; i < work->count; i++) {
        struct sty_plan_item *item = &work->items[i];
        if (item->block.reason)
            put_blocked(plan, item);
        if (may_heal(item)) {
            item->kind = STY_REMEDY_HEAL;
            item->block = (struct sty_plan_block){0};
            item->before = NULL;
            sty_plan_build(work, item);
            fold(item->target);
        }
        if (sty_plan_starts(item))
            take_made(plan, item);
        else if (item->restamp)
            plan->restamped[plan->restamped_count++] = item->target;
        else if (item->target->wanted && !item->block.reason)
            plan->unchanged++;
    }
}

static void collect_handovers(struct sty_plan *plan, const struct sty_plan_work *work)
{
    plan->handovers = sty_arena_alloc(plan->arena, (work->take_count + 1) * sizeof(*plan->handovers));
    for (size_t i = 0; i < work->take_count; i++)
        if (sty_plan_starts(work->takes[i].taker))
            plan->handovers[plan->handover_count++] =
                (struct sty_plan_handover){work->takes[i].taker->target, work->takes[i].id};
}

/* Items are in the order of their targets. */
static void digest_plan(struct sty_plan *plan, const struct sty_plan_work *work)
{
    json_auto_t *digests = json_array(), *whole = json_array();
    for (size_t i = 0; i < plan->count; i++)
        json_array_append_new(digests, json_string(plan->remediations[i].digest));
    for (size_t i = 0; i < work->count; i++)
        if (work->items[i].made)
            json_array_append_new(whole, json_string(work->items[i].made->digest));
    sty_json_digest(plan->digest, digests);
    sty_json_digest(plan->whole, whole);
}

static int think(struct sty_plan_work *work, struct sty_error *err)
{
    take_in(work);
    for (size_t i = 0; i < work->count; i++)
        consider(work, &work->items[i]);
    if (sty_plan_claim(work, err) < 0 || sty_plan_order(work, err) < 0)
        return -1;
    for (size_t i = 0; i < work->count; i++)
        if (work->items[i].kind != STY_REMEDY_NONE) {
            sty_plan_build(work, &work->items[i]);
            fold(work->items[i].target);
        }
    if (sty_plan_review(work, err) < 0)
        return -1;
    sty_plan_budget(work);
    for (bool moved = true; moved;) {
        moved = sty_plan_claim_settle(work);
        moved = sty_plan_order_settle(work) || moved;
    }
    sty_plan_order_write(work);
    return 0;
}

static void forget(struct sty_plan_work *work)
{
    for (size_t i = 0; i < work->count; i++) {
        sty_diff_clear(&work->items[i].diff);
        if (work->items[i].made)
            free(work->items[i].made->text);
    }
    free(work->takes);
    sty_map_clear(&work->by_name);
    sty_map_clear(&work->claims);
}

int sty_plan_make(struct sty_plan **out, const struct sty_plan_input *input, struct sty_error *err)
{
    struct sty_plan *plan = sty_calloc(1, sizeof(*plan));
    plan->arena = sty_arena_new();
    struct sty_plan_work work = {.input = input, .arena = plan->arena, .by_name = STY_MAP_INIT, .claims = STY_MAP_INIT};
    size_t room = input->target_count + 1;
    plan->remediations = sty_arena_alloc(plan->arena, room * sizeof(*plan->remediations));
    plan->blocked = sty_arena_alloc(plan->arena, room * sizeof(*plan->blocked));
    plan->restamped = sty_arena_alloc(plan->arena, room * sizeof(*plan->restamped));
    int failed = think(&work, err);
    if (failed == 0) {
        collect(plan, &work);
        collect_handovers(plan, &work);
        digest_plan(plan, &work);
    }
    forget(&work);
    if (failed < 0)
        sty_plan_free(plan);
    else
        *out = plan;
    return failed;
}

void sty_plan_free(struct sty_plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < plan->count; i++)
        free(plan->remediations[i].text);
    sty_arena_free(plan->arena);
    free(plan);
}
