/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose a resource is. A resource's id is a claim at its place: who has it and wants it keeps it, who wants what another
 * no longer wants takes it over, and everybody else is blocked. Where nobody has it the first by name gets it.
 */
#include "plan/plan_internal.h"

#include <string.h>

static bool has(const char *const *ids, const char *id)
{
    for (; ids && *ids; ids++)
        if (strcmp(*ids, id) == 0)
            return true;
    return false;
}

/* Blocked: it stays what it is, and keeps what it has. A delete that waits for the create elsewhere is no such block. */
static bool stays(const struct sty_plan_item *item)
{
    return item->block.reason && !(item->kind == STY_REMEDY_DELETE && strcmp(item->block.reason, "waiting") == 0 &&
                                   !item->target->unfinished);
}

static bool in_inventory(const struct sty_plan_item *item, const char *id)
{
    for (size_t i = 0; i < item->target->inventory_count; i++)
        if (strcmp(item->target->inventory[i].id, id) == 0)
            return true;
    return false;
}

static bool keeps(const struct sty_plan_item *item, const char *id)
{
    return has(item->wants, id) || stays(item);
}

static char *key_of(const struct sty_plan_item *item, const char *id)
{
    return sty_sprintf("%s\n%s", item->target->place, id);
}

static void refuse(struct sty_plan_work *work, struct sty_plan_item *item, const char *id, const char *owner)
{
    sty_plan_block(work, item, "claim",
                   sty_arena_printf(work->arena, "take it out of one of %s and %s", owner, item->name),
                   "%s belongs to %s", id, owner);
}

static void take(struct sty_plan_work *work, struct sty_plan_item *taker, struct sty_plan_item *giver, const char *id)
{
    if (work->take_count == work->take_capacity) {
        work->take_capacity = work->take_capacity ? work->take_capacity * 2 : 16;
        work->takes = sty_realloc(work->takes, work->take_capacity * sizeof(*work->takes));
    }
    work->takes[work->take_count++] = (struct sty_plan_take){taker, giver, id};
}

/* Who else has it: in the walk *giver, or else *owner. Both NULL: it is free. */
static int find_owner(struct sty_plan_item **giver, const char **owner, const struct sty_plan_work *work,
                      const struct sty_plan_item *item, const char *id, struct sty_error *err)
{
    const struct sty_plan_lookup *lookup = work->input->lookup;
    struct sty_plan_owner found = {0};
    if (in_inventory(item, id))
        return 0;
    if (lookup->owner(lookup->self, &found, item->target->place, id, err) < 0)
        return -1;
    if (!found.target || strcmp(found.target, item->name) == 0)
        return 0;
    *giver = sty_map_get(&work->by_name, found.target);
    if (!*giver && found.holds)
        *owner = sty_arena_strdup(work->arena, found.target);
    return 0;
}

/* Owners first: then whoever still finds the claim free may have it. */
static void claim_own(struct sty_plan_work *work)
{
    for (size_t i = 0; i < work->count; i++) {
        struct sty_plan_item *item = &work->items[i];
        for (size_t r = 0; r < item->target->inventory_count; r++) {
            const char *id = item->target->inventory[r].id;
            sty_auto_free char *key = key_of(item, id);
            if (keeps(item, id))
                sty_map_set(&work->claims, key, item);
        }
    }
}

static int claim_one(struct sty_plan_work *work, struct sty_plan_item *item, const char *id, struct sty_error *err)
{
    sty_auto_free char *key = key_of(item, id);
    struct sty_plan_item *holder = sty_map_get(&work->claims, key), *giver = NULL;
    const char *owner = NULL;
    if (holder == item)
        return 0;
    if (!holder && find_owner(&giver, &owner, work, item, id, err) < 0)
        return -1;
    if (holder || owner) {
        refuse(work, item, id, holder ? holder->name : owner);
        return 0;
    }
    sty_map_set(&work->claims, key, item);
    if (giver)
        take(work, item, giver, id);
    return 0;
}

/* `may_act`: first those that could start now, then those that are blocked anyway, for handing over. */
static int claim_wanted(struct sty_plan_work *work, bool may_act, struct sty_error *err)
{
    for (size_t i = 0; i < work->count; i++) {
        struct sty_plan_item *item = &work->items[i];
        if (!item->block.reason != may_act)
            continue;
        for (const char **id = item->wants; id && *id; id++)
            if (claim_one(work, item, *id, err) < 0)
                return -1;
    }
    return 0;
}

int sty_plan_claim(struct sty_plan_work *work, struct sty_error *err)
{
    claim_own(work);
    return claim_wanted(work, true, err) < 0 || claim_wanted(work, false, err) < 0 ? -1 : 0;
}

bool sty_plan_handed_over(const struct sty_plan_work *work, const struct sty_plan_item *item, const char *id)
{
    sty_auto_free char *key = key_of(item, id);
    const struct sty_plan_item *holder = sty_map_get(&work->claims, key);
    return holder && holder != item;
}

bool sty_plan_claim_settle(struct sty_plan_work *work)
{
    bool moved = false;
    for (size_t i = 0; i < work->take_count; i++) {
        const struct sty_plan_take *t = &work->takes[i];
        if (sty_plan_starts(t->taker) && stays(t->giver)) {
            refuse(work, t->taker, t->id, t->giver->name);
            moved = true;
        }
    }
    return moved;
}
