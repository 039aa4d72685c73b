/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One remediation made from what is known of its target: what comes, changes and goes, the steps, the digest. The
 * document is kept as text, so that the plan of ten thousand targets fits into memory.
 */
#include "plan/plan_internal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct build {
    struct sty_plan_work *work;
    struct sty_plan_item *item;
    struct sty_arena *scratch;
    const struct sty_instance *from, *to;
    bool all;
    struct sty_map touched; /* ids of `to` that come or change */
    json_t *resources, *removals;
};

/* ---- from what, to what ---- */

static void choose_sides(struct build *build)
{
    const struct sty_plan_target *t = build->item->target;
    enum sty_remedy kind = build->item->kind;
    bool stay = kind == STY_REMEDY_RESTORE || kind == STY_REMEDY_HEAL;
    bool end = kind == STY_REMEDY_DELETE || kind == STY_REMEDY_RELEASE;
    build->from = t->active || !end ? t->active : t->tried;
    build->to = stay ? t->active : end ? NULL : t->desired;
    build->all = kind == STY_REMEDY_CREATE || kind == STY_REMEDY_RESTORE || t->tainted;
}

/* ---- what comes or changes ---- */

static bool any_relative(const json_t *argv)
{
    for (size_t i = 0; i < json_array_size(argv); i++) {
        const char *word = json_string_value(json_array_get(argv, i));
        if (word && (sty_starts_with(word, "./") || (i == 0 && word[0] != '/')))
            return true;
    }
    return false;
}

/* Its words name files of the driver, which are not in the resource itself. */
static bool uses_driver_files(const json_t *resource)
{
    static const char *const keys[] = {"command", "check", "apply", "remove"};
    const json_t *spec = json_object_get(resource, "spec");
    for (size_t i = 0; i < STY_COUNT(keys); i++)
        if (any_relative(json_object_get(spec, keys[i])))
            return true;
    return false;
}

static const char *files_of(const struct sty_instance *instance)
{
    return instance ? sty_json_text(json_object_get(sty_instance_json(instance), "driver"), "files", "") : "";
}

static bool is_drifted(const struct sty_plan_target *target, const char *id)
{
    for (const char *const *drifted = target->drifted; drifted && *drifted; drifted++)
        if (strcmp(*drifted, id) == 0)
            return true;
    return false;
}

static bool comes_or_changes(const struct build *build, const json_t *resource, const json_t *old)
{
    if (build->item->kind == STY_REMEDY_HEAL)
        return is_drifted(build->item->target, sty_json_text(resource, "id", ""));
    if (build->all || !old || !json_equal((json_t *)old, (json_t *)resource))
        return true;
    return strcmp(files_of(build->from), files_of(build->to)) != 0 && uses_driver_files(resource);
}

static void list(struct build *build, const char *id, const char *component, const char *action)
{
    json_array_append_new(build->resources,
                          json_pack("{s:s, s:s, s:s}", "id", id, "component", component, "action", action));
}

static void find_touched(struct build *build)
{
    const json_t *components = build->to ? json_object_get(sty_instance_json(build->to), "components") : NULL;
    const char **name = build->to ? sty_instance_component_order(build->scratch, build->to) : NULL;
    for (; name && *name; name++) {
        const json_t *resources = json_object_get(json_object_get(components, *name), "resources");
        for (size_t i = 0; i < json_array_size(resources); i++) {
            const json_t *resource = json_array_get(resources, i), *old = NULL;
            const char *id = sty_json_text(resource, "id", ""), *where = NULL;
            if (build->from)
                old = sty_instance_resource(&where, build->from, id);
            if (!comes_or_changes(build, resource, old))
                continue;
            sty_map_set(&build->touched, id, build);
            list(build, id, *name, old ? "update" : "create");
        }
    }
}

/* ---- what goes: inventory minus desired, in reverse order ---- */

struct ranked {
    const struct sty_plan_row *row;
    uintptr_t rank;
};

static void rank_resources(struct sty_map *ranks, struct build *build, const struct sty_instance *instance)
{
    const json_t *components = json_object_get(sty_instance_json(instance), "components");
    uintptr_t rank = 0;
    for (const char **name = sty_instance_component_order(build->scratch, instance); *name; name++) {
        const json_t *resources = json_object_get(json_object_get(components, *name), "resources");
        for (size_t i = 0; i < json_array_size(resources); i++) {
            const char *id = sty_json_text(json_array_get(resources, i), "id", "");
            if (!sty_map_has(ranks, id))
                sty_map_set(ranks, id, (void *)++rank);
        }
    }
}

static int backwards(const void *a, const void *b)
{
    const struct ranked *left = a, *right = b;
    if (left->rank != right->rank)
        return left->rank < right->rank ? 1 : -1;
    return strcmp(right->row->id, left->row->id);
}

/* What no Instance at hand explains goes first; files before the directories that hold them. */
static struct ranked *rank_rows(struct build *build)
{
    const struct sty_plan_target *t = build->item->target;
    struct ranked *rows = sty_arena_alloc(build->scratch, (t->inventory_count + 1) * sizeof(*rows));
    struct sty_map ranks = STY_MAP_INIT;
    if (t->active)
        rank_resources(&ranks, build, t->active);
    if (t->tried)
        rank_resources(&ranks, build, t->tried);
    for (size_t i = 0; i < t->inventory_count; i++) {
        void *rank = sty_map_get(&ranks, t->inventory[i].id);
        rows[i] = (struct ranked){&t->inventory[i], rank ? (uintptr_t)rank : UINTPTR_MAX};
    }
    qsort(rows, t->inventory_count, sizeof(*rows), backwards);
    sty_map_clear(&ranks);
    return rows;
}

static void find_removals(struct build *build)
{
    const struct ranked *rows = rank_rows(build);
    bool forgotten = build->item->kind == STY_REMEDY_RELEASE;
    for (size_t i = 0; i < build->item->target->inventory_count; i++) {
        const struct sty_plan_row *row = rows[i].row;
        const char *where = NULL;
        if (build->to && sty_instance_resource(&where, build->to, row->id))
            continue;
        if (forgotten || sty_plan_handed_over(build->work, build->item, row->id)) {
            list(build, row->id, row->component, "release");
            continue;
        }
        list(build, row->id, row->component, "delete");
        json_array_append_new(build->removals, json_pack("{s:s, s:s, s:s}", "id", row->id, "component", row->component,
                                                         "instance", row->instance));
    }
}

/* ---- words ---- */

static const char *text_at(const struct sty_instance *instance, const char *object, const char *key)
{
    return sty_json_text(json_object_get(sty_instance_json(instance), object), key, "");
}

static char *versions_text(const struct build *build)
{
    const char *app[] = {text_at(build->from, "application", "version"), text_at(build->to, "application", "version")};
    const char *driver[] = {text_at(build->from, "driver", "version"), text_at(build->to, "driver", "version")};
    const char *name[] = {text_at(build->from, "driver", "name"), text_at(build->to, "driver", "name")};
    sty_auto(str) text = STY_STR_INIT;
    if (strcmp(app[0], app[1]) != 0)
        sty_str_appendf(&text, "%s -> %s", app[0], app[1]);
    if (strcmp(name[0], name[1]) != 0 || strcmp(driver[0], driver[1]) != 0)
        sty_str_appendf(&text, "%sdriver %s %s -> %s %s", text.length ? ", " : "", name[0], driver[0], name[1],
                        driver[1]);
    return sty_str_take(&text);
}

static char *update_text(const struct build *build)
{
    size_t values = 0, resources = json_array_size(build->resources);
    for (size_t i = 0; i < json_array_size(build->item->diff.entries); i++)
        values += sty_starts_with(sty_json_text(json_array_get(build->item->diff.entries, i), "path", ""), "/context/");
    return sty_sprintf("%zu %s, %zu %s", values, values == 1 ? "value" : "values", resources,
                       resources == 1 ? "resource" : "resources");
}

static char *reason_text(const struct build *build)
{
    switch (build->item->kind) {
    case STY_REMEDY_CREATE:
        return sty_strdup("nothing is active");
    case STY_REMEDY_UPGRADE:
    case STY_REMEDY_DOWNGRADE:
        return versions_text(build);
    case STY_REMEDY_UPDATE:
        return update_text(build);
    case STY_REMEDY_START:
        return sty_strdup("lifecycle is running");
    case STY_REMEDY_STOP:
        return sty_strdup("lifecycle is stopped");
    case STY_REMEDY_DELETE:
    case STY_REMEDY_NONE:
        break;
    case STY_REMEDY_RESTORE:
        return sty_strdup("what was tried did not succeed");
    case STY_REMEDY_HEAL:
        return sty_sprintf("%zu drifted", json_array_size(build->resources));
    case STY_REMEDY_ADOPT:
        return sty_strdup("adopted by hand");
    case STY_REMEDY_RELEASE:
        return sty_strdup(build->item->target->wish == STY_PLAN_RELEASE ? "released" : "deletion: retain");
    }
    return sty_strdup("git does not want it");
}

/* ---- the document ---- */

static json_t *write_steps(struct build *build)
{
    struct sty_script script = {.arena = build->scratch,
                                .item = build->item,
                                .from = build->from,
                                .to = build->to,
                                .removals = build->removals,
                                .touched = &build->touched,
                                .all = build->all};
    return sty_script_write(&script);
}

static void add_diff(json_t *document, const struct build *build)
{
    if (build->item->diff.entries && build->from != build->to) {
        json_object_set(document, "diff", build->item->diff.entries);
        return;
    }
    sty_auto(diff) diff = {0};
    if (build->from != build->to)
        sty_diff(&diff, build->from, build->to, build->to ? build->item->target->origins : NULL);
    json_object_set_new(document, "diff", diff.entries ? json_incref(diff.entries) : json_array());
}

static char *write_document(struct sty_plan_remediation *made, const struct build *build, json_t *covered)
{
    const struct sty_target *names = &made->target->names;
    sty_json_digest(made->digest, covered);
    json_object_set_new(covered, "digest", json_string(made->digest));
    json_object_set_new(covered, "deployment", json_string(names->deployment));
    json_object_set_new(covered, "environment", json_string(names->environment));
    json_object_set_new(covered, "cluster", json_string(names->cluster));
    json_object_set_new(covered, "reason", sty_json_string(made->reason));
    json_object_set(covered, "resources", build->resources);
    if (build->work->input->want_diff)
        add_diff(covered, build);
    return sty_json_canonical_text(covered);
}

static const char *digest_of(struct sty_arena *arena, const struct sty_instance *instance)
{
    return instance ? sty_arena_strdup(arena, sty_instance_digest(instance)) : NULL;
}

static void write_remediation(struct build *build)
{
    struct sty_arena *arena = build->work->arena;
    struct sty_plan_item *item = build->item;
    struct sty_plan_remediation *made = sty_arena_alloc(arena, sizeof(*made));
    *made = (struct sty_plan_remediation){.target = item->target, .name = item->name, .kind = item->kind};
    made->from = digest_of(arena, build->from);
    made->to = digest_of(arena, build->to);
    made->after = sty_arena_alloc(arena, sizeof(*made->after));
    sty_auto_free char *reason = reason_text(build);
    made->reason = sty_arena_strdup(arena, reason);
    json_auto_t *covered =
        json_pack("{s:s, s:s, s:s?, s:s?, s:O, s:o}", "target", made->name, "kind", sty_remedy_name(made->kind), "from",
                  made->from, "to", made->to, "removals", build->removals, "steps", write_steps(build));
    made->text = write_document(made, build, covered);
    if (item->made)
        free(item->made->text);
    item->made = made;
}

void sty_plan_build(struct sty_plan_work *work, struct sty_plan_item *item)
{
    sty_auto_ptr(arena) scratch = sty_arena_new();
    json_auto_t *resources = json_array();
    json_auto_t *removals = json_array();
    struct build build = {.work = work,
                          .item = item,
                          .scratch = scratch,
                          .touched = STY_MAP_INIT,
                          .resources = resources,
                          .removals = removals};
    choose_sides(&build);
    if (item->kind != STY_REMEDY_ADOPT)
        find_touched(&build);
    if (item->kind != STY_REMEDY_ADOPT && item->kind != STY_REMEDY_HEAL)
        find_removals(&build);
    write_remediation(&build);
    sty_map_clear(&build.touched);
}
