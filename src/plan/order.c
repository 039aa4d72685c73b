/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who goes before whom. What somebody depends on comes first and has to be sound; deletes go the other way round; what
 * moved to another environment or cluster is deleted here only after it was created there.
 */
#include "plan/plan_internal.h"

#include <stdlib.h>
#include <string.h>

struct order {
    struct sty_plan_work *work;
    struct sty_map creates;    /* deployment -> a wanted item without an active Instance */
    struct sty_map dependents; /* target -> struct dependent: items of the walk that depend on it */
};
struct dependent {
    struct sty_plan_item *item;
    struct dependent *next;
};

static char *full_name(const struct sty_plan_work *work, const struct sty_plan_item *item, const char *deployment)
{
    struct sty_target there = item->target->names;
    there.deployment = deployment;
    return (char *)sty_target_text(work->arena, &there);
}

static bool waits_for_dependencies(enum sty_remedy kind)
{
    return kind == STY_REMEDY_CREATE || kind == STY_REMEDY_UPDATE || kind == STY_REMEDY_UPGRADE ||
           kind == STY_REMEDY_DOWNGRADE || kind == STY_REMEDY_START;
}

static bool ends(enum sty_remedy kind)
{
    return kind == STY_REMEDY_DELETE || kind == STY_REMEDY_RELEASE;
}

static bool is_sound(const struct sty_plan_target *t)
{
    return t->active && !t->tainted && !t->unfinished;
}

static const char *name_at(const json_t *names, size_t i)
{
    const char *name = json_string_value(json_array_get(names, i));
    return name ? name : "";
}

static void index_items(struct order *order)
{
    struct sty_plan_work *work = order->work;
    for (size_t i = 0; i < work->count; i++) {
        struct sty_plan_item *item = &work->items[i];
        const char *deployment = item->target->names.deployment;
        if (item->target->wanted && !item->target->active && !sty_map_has(&order->creates, deployment))
            sty_map_set(&order->creates, deployment, item);
        for (size_t d = 0; d < json_array_size(item->target->depends_on); d++) {
            const char *name = full_name(work, item, name_at(item->target->depends_on, d));
            struct dependent *link = sty_arena_alloc(work->arena, sizeof(*link));
            *link = (struct dependent){item, sty_map_get(&order->dependents, name)};
            sty_map_set(&order->dependents, name, link);
        }
    }
}

static void go_behind(struct sty_plan_work *work, struct sty_plan_item *item, struct sty_plan_item *first)
{
    size_t count = 0;
    while (item->before && item->before[count])
        count++;
    struct sty_plan_item **list = sty_arena_alloc(work->arena, (count + 2) * sizeof(*list));
    if (count)
        memcpy(list, item->before, count * sizeof(*list));
    list[count] = first;
    item->before = list;
}

/* ---- cycles ---- */

struct search {
    struct sty_plan_work *work;
    struct sty_map seen;
    const char **queue; /* names still to be looked at */
    size_t length, capacity;
};

static void enqueue(struct search *search, const struct sty_plan_item *from, const json_t *names)
{
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = full_name(search->work, from, name_at(names, i));
        if (sty_map_has(&search->seen, name))
            continue;
        sty_map_set(&search->seen, name, search);
        if (search->length == search->capacity) {
            search->capacity = search->capacity ? search->capacity * 2 : 16;
            search->queue = sty_realloc(search->queue, search->capacity * sizeof(*search->queue));
        }
        search->queue[search->length++] = name;
    }
}

/* Does the way along depends_on lead back to where it began? */
static int find_cycle(bool *out, struct sty_plan_work *work, const struct sty_plan_item *item, struct sty_error *err)
{
    const struct sty_plan_lookup *lookup = work->input->lookup;
    struct search search = {.work = work, .seen = STY_MAP_INIT};
    int failed = 0;
    enqueue(&search, item, item->target->depends_on);
    for (size_t i = 0; !failed && i < search.length && !sty_map_has(&search.seen, item->name); i++) {
        const struct sty_plan_item *next = sty_map_get(&work->by_name, search.queue[i]);
        struct sty_plan_other other = {0};
        if (!next)
            failed = lookup->other(lookup->self, &other, search.queue[i], err);
        if (!failed)
            enqueue(&search, item, next ? next->target->depends_on : other.depends_on);
    }
    *out = sty_map_has(&search.seen, item->name);
    sty_map_clear(&search.seen);
    free(search.queue);
    return failed;
}

/* ---- what stands before whom ---- */

static int depend_on(struct order *order, struct sty_plan_item *item, const char *name, struct sty_error *err)
{
    struct sty_plan_work *work = order->work;
    struct sty_plan_item *there = sty_map_get(&work->by_name, name);
    struct sty_plan_other other = {0};
    if (there && there->target->wanted) {
        go_behind(work, item, there);
        return 0;
    }
    if (!there && work->input->lookup->other(work->input->lookup->self, &other, name, err) < 0)
        return -1;
    if (item->kind == STY_REMEDY_RESTORE)
        return 0;
    if (!other.known)
        sty_plan_block(work, item, "dependency", "add it, or take it out of depends_on",
                       "it depends on %s, which is not there", name);
    else if (!other.active || other.tainted || other.unfinished)
        sty_plan_block(work, item, "dependency", NULL, "it depends on %s, which is not deployed soundly", name);
    return 0;
}

static int order_wanted(struct order *order, struct sty_plan_item *item, struct sty_error *err)
{
    bool cycle = false;
    const json_t *names = item->target->depends_on;
    if (json_array_size(names) == 0)
        return 0;
    if (find_cycle(&cycle, order->work, item, err) < 0)
        return -1;
    if (cycle)
        sty_plan_block(order->work, item, "dependency", "take one of them out of depends_on",
                       "what it depends on depends on it");
    for (size_t i = 0; i < json_array_size(names); i++)
        if (depend_on(order, item, full_name(order->work, item, name_at(names, i)), err) < 0)
            return -1;
    return 0;
}

static void needed_by(struct sty_plan_work *work, struct sty_plan_item *item, const char *dependent)
{
    sty_plan_block(work, item, "dependency",
                   sty_arena_printf(work->arena, "remove %s first, or its depends_on", dependent), "%s depends on it",
                   dependent);
}

static int order_end(struct order *order, struct sty_plan_item *item, struct sty_error *err)
{
    struct sty_plan_work *work = order->work;
    const struct sty_plan_lookup *lookup = work->input->lookup;
    const struct sty_plan_item *create = sty_map_get(&order->creates, item->target->names.deployment);
    const char *const *others = NULL;
    if (create && item->kind == STY_REMEDY_DELETE)
        sty_plan_block(work, item, "waiting", NULL, "it goes when %s was created", create->name);
    for (struct dependent *d = sty_map_get(&order->dependents, item->name); d; d = d->next) {
        if (d->item->target->wanted)
            needed_by(work, item, d->item->name);
        else if (d->item->kind != STY_REMEDY_NONE && d->item != item)
            go_behind(work, item, d->item);
    }
    if (lookup->dependents(lookup->self, &others, item->name, err) < 0)
        return -1;
    for (; others && *others; others++)
        if (!sty_map_has(&work->by_name, *others))
            needed_by(work, item, *others);
    return 0;
}

static int order_item(struct order *order, struct sty_plan_item *item, struct sty_error *err)
{
    if (!sty_plan_starts(item))
        return 0;
    if (ends(item->kind))
        return order_end(order, item, err);
    if (waits_for_dependencies(item->kind) || item->kind == STY_REMEDY_RESTORE)
        return order_wanted(order, item, err);
    return 0;
}

int sty_plan_order(struct sty_plan_work *work, struct sty_error *err)
{
    struct order order = {work, STY_MAP_INIT, STY_MAP_INIT};
    int failed = 0;
    index_items(&order);
    for (size_t i = 0; !failed && i < work->count; i++)
        failed = order_item(&order, &work->items[i], err);
    sty_map_clear(&order.creates);
    sty_map_clear(&order.dependents);
    return failed;
}

static void settle(struct sty_plan_work *work, struct sty_plan_item *item)
{
    for (struct sty_plan_item **first = item->before; first && *first; first++) {
        if (sty_plan_starts(*first))
            continue;
        if (ends(item->kind))
            sty_plan_block(work, item, "dependency", NULL, "%s depends on it and is not deleted", (*first)->name);
        else if (waits_for_dependencies(item->kind) && !is_sound((*first)->target))
            sty_plan_block(work, item, "dependency", NULL, "it depends on %s, which is not deployed soundly",
                           (*first)->name);
    }
}

bool sty_plan_order_settle(struct sty_plan_work *work)
{
    bool moved = false;
    for (size_t i = 0; i < work->count; i++)
        if (sty_plan_starts(&work->items[i])) {
            settle(work, &work->items[i]);
            moved = moved || work->items[i].block.reason;
        }
    return moved;
}

static void write_after(struct sty_plan_work *work, struct sty_plan_item *item)
{
    size_t room = 1, count = 0;
    for (struct sty_plan_item **first = item->before; first && *first; first++)
        room++;
    const char **names = sty_arena_alloc(work->arena, room * sizeof(*names));
    for (struct sty_plan_item **first = item->before; first && *first; first++)
        if (sty_plan_starts(*first))
            names[count++] = (*first)->name;
    item->made->after = names;
}

void sty_plan_order_write(struct sty_plan_work *work)
{
    for (size_t i = 0; i < work->count; i++)
        if (sty_plan_starts(&work->items[i]))
            write_after(work, &work->items[i]);
}
