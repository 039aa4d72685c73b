/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The difference of two Instances as data. Objects are descended into in canonical order, everything else is compared
 * whole, so that the list is ordered by path and the same on every machine.
 */
#include "diff/diff.h"

#include <string.h>

#include "base/version.h"

void sty_diff_clear(struct sty_diff *diff)
{
    json_decref(diff->entries);
    json_decref(diff->resources);
    *diff = (struct sty_diff){0};
}

struct walk {
    struct sty_arena *arena;
    json_t *entries;
    const json_t *origins;
    struct sty_str pointer;
};

/* An array is compared whole: its first element says where it stands, or else what holds it. */
static const json_t *origin_of(const struct walk *walk)
{
    sty_auto_free char *pointer = sty_sprintf("%s/0", walk->pointer.data);
    const json_t *origin = json_object_get(walk->origins, walk->pointer.data);
    for (char *slash = pointer; !origin && slash; slash = strrchr(pointer, '/')) {
        origin = json_object_get(walk->origins, pointer);
        *strrchr(pointer, '/') = '\0';
    }
    return origin;
}

static void add_entry(struct walk *walk, const json_t *from, const json_t *to)
{
    const json_t *origin = to ? origin_of(walk) : NULL;
    json_t *place = json_null();
    if (json_is_array(origin))
        place = json_pack("{s:O, s:O, s:O}", "file", json_array_get(origin, 0), "line", json_array_get(origin, 1),
                          "column", json_array_get(origin, 2));
    json_t *entry = json_pack("{s:s, s:s}", "path", walk->pointer.data, "op",
                              !from ? "add"
                              : !to ? "remove"
                                    : "replace");
    json_object_set_new(entry, "from", from ? json_deep_copy(from) : json_null());
    json_object_set_new(entry, "to", to ? json_deep_copy(to) : json_null());
    json_object_set_new(entry, "origin", place);
    json_array_append_new(walk->entries, entry);
}

static void compare(struct walk *walk, const json_t *from, const json_t *to);

/* Keys of both, each once, in canonical order. */
static const char **keys_of_both(struct sty_arena *arena, const json_t *from, const json_t *to)
{
    json_auto_t *both = json_object();
    json_object_update(both, (json_t *)from);
    json_object_update_missing(both, (json_t *)to);
    const char **borrowed = sty_json_keys(arena, both);
    for (const char **key = borrowed; *key; key++)
        *key = sty_arena_strdup(arena, *key);
    return borrowed;
}

static void compare_objects(struct walk *walk, const json_t *from, const json_t *to)
{
    for (const char **key = keys_of_both(walk->arena, from, to); *key; key++) {
        size_t length = walk->pointer.length;
        sty_json_pointer_append(&walk->pointer, *key);
        compare(walk, json_object_get(from, *key), json_object_get(to, *key));
        walk->pointer.length = length;
        walk->pointer.data[length] = '\0';
    }
}

static void compare(struct walk *walk, const json_t *from, const json_t *to)
{
    if (from && to && json_equal((json_t *)from, (json_t *)to))
        return;
    if (json_is_object(from) && json_is_object(to))
        compare_objects(walk, from, to);
    else if (from || to)
        add_entry(walk, from, to);
}

static const json_t *tree_of(const struct sty_instance *instance)
{
    return instance ? sty_instance_json(instance) : NULL;
}

static json_t *change_of(const char *id, const char *component, const char *action)
{
    return json_pack("{s:s, s:s, s:s}", "id", id, "component", component, "action", action);
}

/* Creates and updates in component order. */
static void wanted_resources(json_t *out, struct sty_arena *arena, const struct sty_instance *from,
                             const struct sty_instance *to)
{
    for (const char **name = sty_instance_component_order(arena, to); *name; name++) {
        const json_t *body = json_object_get(json_object_get(sty_instance_json(to), "components"), *name);
        const json_t *resources = json_object_get(body, "resources");
        for (size_t i = 0; i < json_array_size(resources); i++) {
            const json_t *resource = json_array_get(resources, i);
            const char *id = sty_json_text(resource, "id", ""), *before = NULL;
            const json_t *old = from ? sty_instance_resource(&before, from, id) : NULL;
            if (!old || !json_equal((json_t *)old, (json_t *)resource))
                json_array_append_new(out, change_of(id, *name, old ? "update" : "create"));
        }
    }
}

/* What only the old one holds, in reverse order. */
static void vanished_resources(json_t *out, struct sty_arena *arena, const struct sty_instance *from,
                               const struct sty_instance *to)
{
    json_auto_t *gone = json_array();
    for (const char **name = sty_instance_component_order(arena, from); *name; name++) {
        const json_t *body = json_object_get(json_object_get(sty_instance_json(from), "components"), *name);
        const json_t *resources = json_object_get(body, "resources");
        for (size_t i = 0; i < json_array_size(resources); i++) {
            const char *id = sty_json_text(json_array_get(resources, i), "id", ""), *there = NULL;
            if (!to || !sty_instance_resource(&there, to, id))
                json_array_append_new(gone, change_of(id, *name, "delete"));
        }
    }
    for (size_t i = json_array_size(gone); i > 0; i--)
        json_array_append(out, json_array_get(gone, i - 1));
}

static const char *text_at(const json_t *tree, const char *object, const char *key)
{
    return sty_json_text(json_object_get(tree, object), key, "");
}

static void compare_versions(struct sty_diff *diff, const json_t *from, const json_t *to)
{
    const char *old_driver = text_at(from, "driver", "version"), *new_driver = text_at(to, "driver", "version");
    const char *old_app = text_at(from, "application", "version"), *new_app = text_at(to, "application", "version");
    diff->driver_replaced = strcmp(text_at(from, "driver", "name"), text_at(to, "driver", "name")) != 0;
    diff->version_changed =
        diff->driver_replaced || strcmp(old_driver, new_driver) != 0 || strcmp(old_app, new_app) != 0;
    diff->older = sty_version_compare(old_app, new_app) == STY_VERSION_OLDER ||
                  (!diff->driver_replaced && sty_version_compare(old_driver, new_driver) == STY_VERSION_OLDER);
}

/* An entry is of the versions or the lifecycle when the field that says so, or its copy in the context, is all it is. */
static bool is_rest(const char *path)
{
    static const char *const told_apart[] = {"/format",      "/lifecycle",   "/driver",
                                             "/application", "/context/app", "/context/driver"};
    for (size_t i = 0; i < STY_COUNT(told_apart); i++) {
        size_t n = strlen(told_apart[i]);
        if (strncmp(path, told_apart[i], n) == 0 && (path[n] == '\0' || path[n] == '/'))
            return strcmp(path, "/driver/files") == 0;
    }
    return true;
}

void sty_diff(struct sty_diff *out, const struct sty_instance *from, const struct sty_instance *to,
              const json_t *origins)
{
    sty_auto_ptr(arena) arena = sty_arena_new();
    struct walk walk = {arena, json_array(), origins, STY_STR_INIT};
    *out = (struct sty_diff){.entries = walk.entries, .resources = json_array()};
    const json_t *before = tree_of(from), *after = tree_of(to);
    if (before || after) {
        json_auto_t *nothing = json_object();
        compare_objects(&walk, before ? before : nothing, after ? after : nothing);
    }
    sty_str_clear(&walk.pointer);
    if (to)
        wanted_resources(out->resources, arena, from, to);
    if (from)
        vanished_resources(out->resources, arena, from, to);
    if (!from || !to)
        return;
    compare_versions(out, before, after);
    for (size_t i = 0; i < json_array_size(out->entries); i++) {
        const char *path = sty_json_text(json_array_get(out->entries, i), "path", "");
        out->lifecycle_changed = out->lifecycle_changed || strcmp(path, "/lifecycle") == 0;
        out->rest_changed = out->rest_changed || is_rest(path);
    }
}
