/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which deployments a walk considers: those whose inputs the commit touched, by index, and those that are not settled.
 * Everything else is not looked at, so that the cost follows the change.
 */
#include "reconcile/reconcile_internal.h"

#include <string.h>

struct selection {
    struct sty_walk *walk;
    struct sty_map *keys;
};

static void take(struct selection *selection, const char *key, bool changed)
{
    if (!sty_map_has(selection->keys, key))
        sty_map_set(selection->keys, key, selection->walk);
    if (changed && !sty_map_has(&selection->walk->changed, key))
        sty_map_set(&selection->walk->changed, key, selection->walk);
}

static void take_rows(struct selection *selection, const json_t *rows, bool changed)
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        sty_auto_free char *key =
            sty_sprintf("%s/%s", sty_json_text(row, "environment", ""), sty_json_text(row, "deployment", ""));
        take(selection, key, changed);
    }
}

static int take_deployments(struct selection *selection, const char *environment, struct sty_error *err)
{
    const struct sty_document **documents = NULL;
    size_t count = 0;
    if (sty_catalog_list(&documents, &count, selection->walk->catalog, STY_KIND_DEPLOYMENT, environment, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        take(selection, documents[i]->key, true);
    return 0;
}

static int take_environment(struct selection *selection, const char *name, struct sty_error *err)
{
    json_auto_t *rows = NULL;
    if (sty_ledger_rows(&rows, selection->walk->ledger, err,
                        "SELECT environment, deployment FROM targets WHERE environment = ?", "s", name) < 0)
        return -1;
    take_rows(selection, rows, true);
    return take_deployments(selection, name, err);
}

static bool names_cluster(const struct sty_environment *environment, const char *cluster)
{
    if (environment->cluster_labels)
        return true;
    if (json_is_string(environment->clusters))
        return sty_streq(json_string_value(environment->clusters), cluster);
    return sty_json_has(environment->clusters, cluster);
}

static int take_cluster(struct selection *selection, const char *name, struct sty_error *err)
{
    struct sty_walk *walk = selection->walk;
    const struct sty_document **documents = NULL;
    json_auto_t *rows = NULL;
    size_t count = 0;
    if (sty_ledger_rows(&rows, walk->ledger, err, "SELECT environment, deployment FROM targets WHERE cluster = ?", "s",
                        name) < 0 ||
        sty_catalog_list(&documents, &count, walk->catalog, STY_KIND_ENVIRONMENT, NULL, err) < 0)
        return -1;
    take_rows(selection, rows, true);
    for (size_t i = 0; i < count; i++) {
        struct sty_environment environment;
        if (!documents[i]->value)
            continue;
        sty_environment_read(&environment, documents[i]);
        if (names_cluster(&environment, name) && take_deployments(selection, environment.name, err) < 0)
            return -1;
    }
    return 0;
}

/* Whoever looked for it at the last walk, found or not. */
static int take_inputs(struct selection *selection, const struct sty_catalog_change *change, struct sty_error *err)
{
    json_auto_t *rows = NULL;
    if (sty_ledger_rows(
            &rows, selection->walk->ledger, err,
            "SELECT t.environment, t.deployment FROM inputs i JOIN targets t ON t.id = i.target WHERE i.kind"
            " = ? AND i.key = ?",
            "is", (int64_t)change->kind, change->key) < 0)
        return -1;
    take_rows(selection, rows, true);
    return 0;
}

static int take_change(struct selection *selection, const struct sty_catalog_change *change, struct sty_error *err)
{
    switch (change->kind) {
    case STY_KIND_DEPLOYMENT:
        take(selection, change->key, true);
        return 0;
    case STY_KIND_ENVIRONMENT:
        return take_environment(selection, change->key, err);
    case STY_KIND_CLUSTER:
        return take_cluster(selection, change->key, err);
    case STY_KIND_DRIVER:
        return take_inputs(selection, change, err);
    }
    return 0;
}

static int take_everything(struct selection *selection, struct sty_error *err)
{
    json_auto_t *rows = NULL;
    if (sty_ledger_rows(&rows, selection->walk->ledger, err, "SELECT environment, deployment FROM targets", "") < 0)
        return -1;
    take_rows(selection, rows, true);
    return take_deployments(selection, NULL, err);
}

static int take_unsettled(struct selection *selection, struct sty_error *err)
{
    json_auto_t *rows = NULL;
    if (sty_ledger_rows(&rows, selection->walk->ledger, err,
                        "SELECT environment, deployment FROM targets WHERE unsettled = 1", "") < 0)
        return -1;
    take_rows(selection, rows, false);
    return 0;
}

static int take_wished(struct selection *selection, struct sty_error *err)
{
    const json_t *wishes = selection->walk->options->wishes;
    for (size_t i = 0; i < json_array_size(wishes); i++) {
        json_auto_t *rows = NULL;
        if (sty_ledger_rows(&rows, selection->walk->ledger, err,
                            "SELECT environment, deployment FROM targets WHERE id = ?", "i",
                            sty_json_int(json_array_get(wishes, i), "target", 0)) < 0)
            return -1;
        take_rows(selection, rows, false);
    }
    return 0;
}

int sty_walk_select(struct sty_map *keys, struct sty_walk *walk, struct sty_error *err)
{
    struct selection selection = {walk, keys};
    size_t count = 0;
    if (take_wished(&selection, err) < 0)
        return -1;
    if (walk->all)
        return take_everything(&selection, err);
    const struct sty_catalog_change *changes = sty_catalog_changes(&count, walk->catalog);
    for (size_t i = 0; i < count; i++)
        if (take_change(&selection, &changes[i], err) < 0)
            return -1;
    return take_unsettled(&selection, err);
}
