/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A drift pass: look, and where it was asked for, close what may be closed by heals that are planned and run like
 * everything else. Needs neither git nor network.
 */
#include "reconcile/reconcile_internal.h"

#include <string.h>

#include "activate/activate.h"

struct pass {
    const struct sty_installation *installation;
    struct sty_run_world world;
    struct sty_run_host *host;
    json_t *targets; /* ids to look at; NULL: all */
};

static int find_targets(json_t **out, const struct sty_installation *installation, const char *const *names,
                        struct sty_error *err)
{
    json_auto_t *ids = json_array();
    for (size_t i = 0; names[i]; i++) {
        json_auto_t *rows = NULL;
        if (sty_ledger_rows(&rows, installation->ledger, err,
                            "SELECT id FROM targets WHERE substr('/' || cluster || '/' || environment || '/' ||"
                            " deployment, -1 - length(?1)) = '/' || ?1",
                            "s", names[i]) < 0)
            return -1;
        if (json_array_size(rows) == 0)
            return sty_error_set(err, STY_NOT_FOUND, "no target '%s'; `styrmin status` lists them", names[i]);
        for (size_t r = 0; r < json_array_size(rows); r++)
            json_array_append(ids, json_object_get(json_array_get(rows, r), "id"));
    }
    *out = json_incref(ids);
    return 0;
}

/* Whoever names a target that nothing may start on is told; a pass over all of them leaves such out. */
static int refuse_held(const struct pass *pass, struct sty_error *err)
{
    for (size_t i = 0; i < json_array_size(pass->targets); i++) {
        json_auto_t *row = NULL;
        if (sty_ledger_row(&row, pass->installation->ledger, err,
                           "SELECT cluster || '/' || environment || '/' || deployment AS name, environment,"
                           " coalesce(policy ->> 'observe', 0) AS observed FROM targets WHERE id = ?1 AND (observed OR"
                           " policy ->> 'suspend' IS NOT NULL OR coalesce(suspended_until, 0) > ?2)",
                           "ii", json_integer_value(json_array_get(pass->targets, i)),
                           sty_ledger_now(pass->installation->ledger)) < 0)
            return -1;
        if (row && sty_json_int(row, "observed", 0))
            return sty_error_set(err, STY_USAGE, "%s: environment %s is only observed: nothing is healed in it",
                                 sty_json_text(row, "name", ""), sty_json_text(row, "environment", ""));
        if (row)
            return sty_error_set(err, STY_USAGE, "%s is suspended: nothing is healed; `styrmin explain %s` says why",
                                 sty_json_text(row, "name", ""), sty_json_text(row, "name", ""));
    }
    return 0;
}

static int look(json_t **out, struct pass *pass, bool record, struct sty_error *err)
{
    size_t count = json_array_size(pass->targets);
    sty_auto_free int64_t *targets = sty_calloc(count + 1, sizeof(*targets));
    for (size_t i = 0; i < count; i++)
        targets[i] = json_integer_value(json_array_get(pass->targets, i));
    struct sty_drift_options options = {.host = sty_run_host_get(pass->host),
                                        .targets = pass->targets ? targets : NULL,
                                        .target_count = count,
                                        .flap_limit = pass->installation->flap_limit,
                                        .record = record};
    return sty_drift_look(out, pass->installation->ledger, &options, err);
}

/* What may be healed, as wishes for a walk. */
static json_t *wishes_of(const json_t *drift)
{
    json_t *wishes = json_array();
    const json_t *deployments = json_object_get(drift, "deployments");
    for (size_t i = 0; i < json_array_size(deployments); i++) {
        const json_t *deployment = json_array_get(deployments, i),
                     *resources = json_object_get(deployment, "resources");
        json_auto_t *drifted = json_array();
        for (size_t r = 0; r < json_array_size(resources); r++)
            if (sty_json_bool(json_array_get(resources, r), "heal", false))
                json_array_append(drifted, json_object_get(json_array_get(resources, r), "id"));
        if (json_array_size(drifted) && !sty_json_bool(deployment, "busy", false))
            json_array_append_new(
                wishes, json_pack("{s:O, s:O}", "target", json_object_get(deployment, "id"), "drifted", drifted));
    }
    return wishes;
}

static int close_all(struct pass *pass, const json_t *wishes, struct sty_error *err)
{
    sty_auto_ptr(walk) walk = NULL;
    struct sty_walk_options options = {.wishes = wishes};
    if (sty_walk_make(&walk, pass->installation, &options, err) < 0 || sty_walk_write(walk, err) < 0)
        return -1;
    return sty_engine_run(&pass->world, pass->installation->parallelism, err);
}

static const json_t *deployment_in(const json_t *drift, const json_t *id)
{
    const json_t *deployments = json_object_get(drift, "deployments");
    for (size_t i = 0; i < json_array_size(deployments); i++)
        if (json_equal(json_object_get(json_array_get(deployments, i), "id"), (json_t *)id))
            return json_array_get(deployments, i);
    return NULL;
}

static bool still_there(const json_t *deployment, const char *id)
{
    const json_t *resources = json_object_get(deployment, "resources");
    for (size_t i = 0; i < json_array_size(resources); i++)
        if (sty_streq(sty_json_text(json_array_get(resources, i), "id", ""), id))
            return true;
    return false;
}

/* What was found first and is not found any more was healed. */
static void mark_healed(json_t *before, const json_t *after)
{
    json_t *deployments = json_object_get(before, "deployments");
    for (size_t i = 0; i < json_array_size(deployments); i++) {
        json_t *deployment = json_array_get(deployments, i), *resources = json_object_get(deployment, "resources");
        const json_t *now = deployment_in(after, json_object_get(deployment, "id"));
        for (size_t r = 0; r < json_array_size(resources); r++) {
            json_t *resource = json_array_get(resources, r);
            if (now && !still_there(now, sty_json_text(resource, "id", "")))
                json_object_set_new(resource, "healed", json_true());
        }
        if (now)
            json_object_set(deployment, "state", json_object_get(now, "state"));
    }
}

static json_t *ids_of(const json_t *wishes)
{
    json_t *ids = json_array();
    for (size_t i = 0; i < json_array_size(wishes); i++)
        json_array_append(ids, json_object_get(json_array_get(wishes, i), "target"));
    return ids;
}

static int heal(struct pass *pass, json_t *drift, struct sty_error *err)
{
    json_auto_t *wishes = wishes_of(drift), *after = NULL;
    if (json_array_size(wishes) == 0)
        return 0;
    if (close_all(pass, wishes, err) < 0)
        return -1;
    json_decref(pass->targets);
    pass->targets = ids_of(wishes);

    if (look(&after, pass, true, err) < 0)
        return -1;
    mark_healed(drift, after);
    return 0;
}

static void judge(struct sty_outcome *out)
{
    const json_t *deployments = json_object_get(out->document, "deployments");
    for (size_t i = 0; i < json_array_size(deployments); i++) {
        const json_t *resources = json_object_get(json_array_get(deployments, i), "resources");
        for (size_t r = 0; r < json_array_size(resources); r++)
            out->changes = out->changes || !sty_json_bool(json_array_get(resources, r), "healed", false);
    }
}

static void pass_clear(struct pass *pass)
{
    sty_run_host_free(pass->host);
    json_decref(pass->targets);
}

int sty_reconcile_drift(struct sty_outcome *out, const struct sty_installation *installation,
                        const struct sty_drift_wish *wish, struct sty_error *err)
{
    __attribute__((cleanup(pass_clear))) struct pass pass = {.installation = installation};
    json_auto_t *drift = NULL;
    sty_run_world_init(&pass.world, installation);
    if (wish->targets && wish->targets[0] && find_targets(&pass.targets, installation, wish->targets, err) < 0)
        return -1;
    if (wish->heal && refuse_held(&pass, err) < 0)
        return -1;
    if (sty_run_host_open(&pass.host, &pass.world, err) < 0 || look(&drift, &pass, wish->heal, err) < 0)
        return -1;
    if (wish->heal && heal(&pass, drift, err) < 0)
        return -1;
    out->document = json_incref(drift);
    judge(out);
    return 0;
}
