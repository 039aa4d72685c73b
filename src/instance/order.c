/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Components in dependency order: whoever depends, restarts or reloads on another stands behind it, so that a change
 * is there before somebody is restarted for it. Ties go by name: the order is part of what makes two walks equal.
 */
#include "instance/instance_internal.h"

static const char *const edges[] = {"depends_on", "restart_on", "reload_on"};

static bool is_ready(const json_t *component, const struct sty_map *done)
{
    for (size_t e = 0; e < STY_COUNT(edges); e++) {
        const json_t *names = json_object_get(component, edges[e]);
        for (size_t i = 0; i < json_array_size(names); i++)
            if (!sty_map_has(done, json_string_value(json_array_get(names, i))))
                return false;
    }
    return true;
}

static const char *next_ready(const char **names, const json_t *components, const struct sty_map *done)
{
    for (size_t i = 0; names[i]; i++)
        if (!sty_map_has(done, names[i]) && is_ready(json_object_get(components, names[i]), done))
            return names[i];
    return NULL;
}

static const char *first_open(const char **names, const struct sty_map *done)
{
    for (size_t i = 0; names[i]; i++)
        if (!sty_map_has(done, names[i]))
            return names[i];
    return NULL;
}

const char **sty_order(struct sty_arena *arena, const char **names, const json_t *components, const char **cycle)
{
    struct sty_map done = STY_MAP_INIT;
    size_t count = 0;
    while (names[count])
        count++;
    const char **order = sty_arena_alloc(arena, (count + 1) * sizeof(*order));
    for (size_t i = 0; i < count; i++) {
        order[i] = next_ready(names, components, &done);
        if (!order[i]) {
            *cycle = first_open(names, &done);
            order = NULL;
            break;
        }
        sty_map_set(&done, order[i], (void *)order[i]);
    }
    sty_map_clear(&done);
    return order;
}
