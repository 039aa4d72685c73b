/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which values of a context are secrets. They are known by the identity of their node, so that a section, a dotted name
 * and the implicit iterator all find the same secret, and no text that looks like a reference is taken for one.
 */
#include "instance/template.h"

void sty_secret_nodes_find(struct sty_secret_nodes *out, struct sty_arena *arena,
                           const struct sty_template_world *world)
{
    size_t count = json_object_size(world->secrets);
    struct sty_secret_node *items = sty_arena_alloc(arena, (count + 1) * sizeof(*items));
    *out = (struct sty_secret_nodes){.items = items};
    const char *pointer;
    json_t *reference;
    json_object_foreach ((json_t *)world->secrets, pointer, reference) {
        const json_t *node = sty_json_pointer(world->context, pointer);
        if (node)
            items[out->count++] = (struct sty_secret_node){node, reference};
    }
}

const json_t *sty_secret_reference(const struct sty_secret_nodes *secrets, const json_t *node)
{
    for (size_t i = 0; node && i < secrets->count; i++)
        if (secrets->items[i].node == node)
            return secrets->items[i].reference;
    return NULL;
}

static bool inside(const struct sty_secret_nodes *secrets, const json_t *value, int depth)
{
    if (sty_secret_reference(secrets, value))
        return true;
    const char *key;
    json_t *member;
    json_object_foreach ((json_t *)value, key, member) {
        if (depth && inside(secrets, member, depth - 1))
            return true;
    }
    for (size_t i = 0; depth && i < json_array_size(value); i++)
        if (inside(secrets, json_array_get(value, i), depth - 1))
            return true;
    return false;
}

bool sty_secret_inside(const struct sty_secret_nodes *secrets, const json_t *value)
{
    return secrets->count && inside(secrets, value, 128);
}
