/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drift: every resource of the active Instances looked at and compared. Needs neither git nor network, only the ledger
 * and the machine. What is found is written down only when it differs from what was known, so that a quiet pass costs
 * no transaction.
 */
#include "activate/activate.h"

#include <string.h>

#include "instance/instance.h"

enum { HOUR_MS = 3600000 };

struct look {
    struct sty_ledger *ledger;
    const struct sty_drift_options *options;
    char cluster[256]; /* whose digest_key this is */
    char digest_key[STY_DIGEST_KEY_SIZE];
    /* Of the target being looked at: */
    const json_t *row; /* with its active Instance */
    const struct sty_instance *instance;
    json_t *found;      /* resources, as in the document */
    json_t *run_states; /* rows */
    const char *component;
    const json_t *body;
    bool running; /* wanted run state of the component */
};

static bool ignored(const char *path, const json_t *fields)
{
    for (size_t i = 0; i < json_array_size(fields); i++) {
        const char *field = json_string_value(json_array_get(fields, i));
        size_t n = strlen(field);
        if (strncmp(path, field, n) == 0 && (path[n] == '\0' || path[n] == '/'))
            return true;
    }
    return false;
}

/* The differences that count. */
static json_t *without_ignored(const json_t *diff, const json_t *fields)
{
    json_t *kept = json_array();
    for (size_t i = 0; i < json_array_size(diff); i++) {
        json_t *entry = json_array_get(diff, i);
        if (!ignored(sty_json_text(entry, "path", ""), fields))
            json_array_append(kept, entry);
    }
    return kept;
}

static int heals_lately(int64_t *out, const struct look *look, const char *id, struct sty_error *err)
{
    return sty_ledger_number(out, look->ledger, err,
                             "SELECT count(*) FROM heals WHERE target = ? AND id = ? AND at > ?", "isi",
                             sty_json_int(look->row, "id", 0), id, sty_ledger_now(look->ledger) - HOUR_MS);
}

static const char *state_of(const struct sty_observation *seen, const json_t *diff)
{
    switch (seen->state) {
    case STY_OBSERVED_SAME:
        return "in_sync";
    case STY_OBSERVED_MISSING:
        return "missing";
    case STY_OBSERVED_UNKNOWN:
        return "unknown";
    case STY_OBSERVED_DIFFERENT:
        break;
    }
    return json_array_size(diff) ? "drifted" : "in_sync";
}

/* What the inventory remembers of content with secrets, only asked for where there is any. */
static int recorded_fill(json_t **out, const struct look *look, const json_t *resource, struct sty_error *err)
{
    const json_t *content = json_object_get(json_object_get(resource, "spec"), "content");
    if (json_array_size(json_object_get(content, "holes")) == 0)
        return 0;
    return sty_ledger_row(out, look->ledger, err, "SELECT filled FROM resources WHERE target = ? AND id = ?", "is",
                          sty_json_int(look->row, "id", 0), sty_json_text(resource, "id", ""));
}

static int observe(struct sty_observation *seen, struct look *look, const json_t *resource, struct sty_error *err)
{
    const struct sty_provider *provider = sty_provider_find(sty_json_text(resource, "type", ""));
    const json_t *driver = json_object_get(sty_instance_json(look->instance), "driver");
    json_auto_t *inventory = NULL;
    struct sty_error why;
    if (!provider)
        return sty_error_set(err, STY_INTERNAL, "no provider for '%s'", sty_json_text(resource, "type", ""));
    if (recorded_fill(&inventory, look, resource, err) < 0)
        return -1;
    const struct sty_provider_call call = {.host = look->options->host,
                                           .resource = resource,
                                           .driver_files = sty_json_text(driver, "files", NULL),
                                           .running = look->running,
                                           .filled = sty_json_text(inventory, "filled", NULL),
                                           .digest_key = look->digest_key};
    *seen = (struct sty_observation){.state = STY_OBSERVED_SAME};
    if (provider->observe(seen, &call, &why) < 0) {
        *seen = (struct sty_observation){.state = STY_OBSERVED_UNKNOWN};
        snprintf(seen->message, sizeof(seen->message), "%.255s", why.text);
    }
    return 0;
}

/* Not as it should be, once what is ignored is taken off. */
static int judge(struct look *look, const json_t *resource, const struct sty_observation *seen, struct sty_error *err)
{
    const json_t *drift = json_object_get(look->body, "drift");
    json_auto_t *diff = without_ignored(seen->diff, json_object_get(drift, "ignore_fields"));
    const char *id = sty_json_text(resource, "id", ""), *policy = sty_json_text(drift, "policy", "heal");
    const char *state = state_of(seen, diff);
    int64_t heals = 0;
    if (strcmp(state, "in_sync") == 0)
        return 0;
    if (heals_lately(&heals, look, id, err) < 0)
        return -1;
    bool flapping = heals >= look->options->flap_limit, free = sty_json_int(look->row, "free", 0);
    bool heal = free && !flapping && strcmp(policy, "heal") == 0 && strcmp(state, "unknown") != 0;
    return json_array_append_new(look->found, json_pack("{s:s, s:s, s:O, s:b, s:s, s:s, s:b, s:b, s:o}", "id", id,
                                                        "state", state, "diff", diff, "healed", 0, "component",
                                                        look->component, "policy", policy, "flapping", flapping, "heal",
                                                        heal, "message", sty_json_string(seen->message)));
}

static int look_at_resource(struct look *look, const json_t *resource, struct sty_error *err)
{
    struct sty_observation seen;
    if (observe(&seen, look, resource, err) < 0)
        return -1;
    json_auto_t *diff = seen.diff;
    return seen.state == STY_OBSERVED_SAME ? 0 : judge(look, resource, &seen, err);
}

/* As its row says, else as the Instance. */
static bool is_to_run(const struct look *look, const char *component)
{
    size_t i;
    json_t *row;
    json_array_foreach (look->run_states, i, row)
        if (strcmp(sty_json_text(row, "component", ""), component) == 0)
            return sty_json_int(row, "running", 0) != 0;
    return !sty_streq(sty_json_text(sty_instance_json(look->instance), "lifecycle", ""), "stopped");
}

static int look_at_component(struct look *look, const char *name, const json_t *body, struct sty_error *err)
{
    const json_t *resources = json_object_get(body, "resources");
    if (sty_streq(sty_json_text(json_object_get(body, "drift"), "policy", ""), "ignore"))
        return 0;
    look->component = name;
    look->body = body;
    look->running = is_to_run(look, name);
    for (size_t i = 0; i < json_array_size(resources); i++)
        if (look_at_resource(look, json_array_get(resources, i), err) < 0)
            return -1;
    return 0;
}

static int look_at_target(struct look *look, struct sty_error *err)
{
    sty_auto_ptr(arena) arena = sty_arena_new();
    json_auto_t *run_states = NULL;
    const json_t *components = json_object_get(sty_instance_json(look->instance), "components");
    if (sty_ledger_rows(&run_states, look->ledger, err, "SELECT component, running FROM run_states WHERE target = ?",
                        "i", sty_json_int(look->row, "id", 0)) < 0)
        return -1;
    look->run_states = run_states;
    for (const char **name = sty_instance_component_order(arena, look->instance); *name; name++)
        if (look_at_component(look, *name, json_object_get(components, *name), err) < 0)
            return -1;
    return 0;
}

/* What the drift table would hold for these findings, to compare with what it holds. */
static json_t *as_rows(const json_t *found)
{
    json_t *rows = json_object();
    for (size_t i = 0; i < json_array_size(found); i++) {
        json_t *f = json_array_get(found, i);
        sty_auto_free char *diff = sty_json_canonical_text(json_object_get(f, "diff"));
        json_object_set_new(rows, sty_json_text(f, "id", ""),
                            json_pack("{s:s, s:s, s:s, s:i}", "state", sty_json_text(f, "state", ""), "diff", diff,
                                      "policy", sty_json_text(f, "policy", ""), "flapping",
                                      (int)sty_json_bool(f, "flapping", false)));
    }
    return rows;
}

static int known_rows(json_t **out, const struct look *look, struct sty_error *err)
{
    json_auto_t *rows = NULL;
    if (sty_ledger_rows(&rows, look->ledger, err,
                        "SELECT id, state, diff, policy, flapping FROM drift WHERE target = ?", "i",
                        sty_json_int(look->row, "id", 0)) < 0)
        return -1;
    *out = json_object();
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        sty_auto_free char *id = sty_strdup(sty_json_text(row, "id", ""));
        json_object_del(row, "id");
        json_object_set(*out, id, row);
    }
    return 0;
}

static int write_rows(const struct look *look, const char *name, json_t *rows, struct sty_error *err)
{
    int64_t target = sty_json_int(look->row, "id", 0);
    if (sty_ledger_exec(look->ledger, err, "DELETE FROM drift WHERE target = ?", "i", target) < 0)
        return -1;
    const char *id;
    json_t *row;
    json_object_foreach (rows, id, row) {
        if (sty_ledger_exec(look->ledger, err,
                            "INSERT INTO drift (target, id, state, diff, policy, flapping, found_at)"
                            " VALUES (?, ?, ?, ?, ?, ?, ?)",
                            "issssii", target, id, sty_json_text(row, "state", ""), sty_json_text(row, "diff", ""),
                            sty_json_text(row, "policy", ""), sty_json_int(row, "flapping", 0),
                            sty_ledger_now(look->ledger)) < 0)
            return -1;
    }
    struct sty_event event = {json_object_size(rows) ? "drift.found" : "drift.closed", name, NULL, NULL, rows};
    return sty_ledger_event(look->ledger, &event, err);
}

static int record(const struct look *look, const char *name, struct sty_error *err)
{
    json_auto_t *now = as_rows(look->found);
    json_auto_t *before = NULL;
    if (known_rows(&before, look, err) < 0)
        return -1;
    if (json_equal(now, before))
        return 0;
    if (sty_ledger_begin(look->ledger, err) < 0)
        return -1;
    if (write_rows(look, name, now, err) < 0) {
        sty_ledger_rollback(look->ledger);
        return -1;
    }
    return sty_ledger_commit(look->ledger, err);
}

static const char *summary(const json_t *found)
{
    bool unknown = false;
    for (size_t i = 0; i < json_array_size(found); i++)
        unknown = unknown || sty_streq(sty_json_text(json_array_get(found, i), "state", ""), "unknown");
    return json_array_size(found) == 0 ? "in_sync" : unknown ? "unknown" : "drifted";
}

/* Rows come by cluster: each key is read once. */
static int take_digest_key(struct look *look, struct sty_error *err)
{
    const char *cluster = sty_json_text(look->row, "cluster", "");
    if (strcmp(look->cluster, cluster) == 0)
        return 0;
    snprintf(look->cluster, sizeof(look->cluster), "%s", cluster);
    return sty_ledger_digest_key(look->digest_key, look->ledger, cluster, err);
}

static int look_at_row(json_t *out, struct look *look, struct sty_error *err)
{
    const char *digest = sty_json_text(look->row, "instance", "");
    sty_auto_free char *bytes = NULL;
    size_t length = 0;
    sty_auto_ptr(instance) instance = NULL;
    if (take_digest_key(look, err) < 0 || sty_ledger_instance_get(&bytes, &length, look->ledger, digest, err) < 0 ||
        sty_instance_parse(&instance, bytes, length, digest, err) < 0)
        return -1;
    json_auto_t *found = json_array();
    look->instance = instance;
    look->found = found;
    sty_auto_free char *name =
        sty_sprintf("%s/%s/%s", sty_json_text(look->row, "cluster", ""), sty_json_text(look->row, "environment", ""),
                    sty_json_text(look->row, "deployment", ""));
    bool busy = sty_json_int(look->row, "busy", 0) != 0;
    if (look_at_target(look, err) < 0 || (look->options->record && !busy && record(look, name, err) < 0))
        return sty_error_wrap(err, "%s", name);
    return json_array_append_new(out, json_pack("{s:s, s:s, s:I, s:b, s:s, s:O}", "target", name, "name",
                                                sty_json_text(look->row, "deployment", ""), "id",
                                                (json_int_t)sty_json_int(look->row, "id", 0), "busy", busy, "state",
                                                summary(found), "resources", found));
}

static bool wanted(const struct sty_drift_options *options, int64_t id)
{
    for (size_t i = 0; options->targets && i < options->target_count; i++)
        if (options->targets[i] == id)
            return true;
    return options->targets == NULL;
}

/* busy: in a remediation. free: nothing forbids healing. */
static int active_targets(json_t **out, struct sty_ledger *ledger, struct sty_error *err)
{
    return sty_ledger_rows(
        out, ledger, err,
        "SELECT *, NOT (busy OR tainted OR suspended OR observed OR claimed) AS free FROM (SELECT t.id, t.cluster,"
        " t.environment, t.deployment, t.tainted, a.instance, EXISTS (SELECT 1 FROM remediations r WHERE r.target ="
        " t.id AND r.state IN ('planned', 'running', 'waiting')) AS busy, coalesce(t.suspended_until, 0) > ? OR"
        " coalesce(t.policy ->> 'suspend', 0) <> 0 AS suspended, coalesce(t.policy ->> 'observe', 0) <> 0 AS observed,"
        " coalesce(t.blocked ->> 'reason', '') = 'claim' AS claimed FROM targets t JOIN active a ON a.target = t.id)"
        " ORDER BY cluster, environment, deployment",
        "i", sty_ledger_now(ledger));
}

int sty_drift_look(json_t **out, struct sty_ledger *ledger, const struct sty_drift_options *options,
                   struct sty_error *err)
{
    json_auto_t *rows = NULL;
    json_auto_t *deployments = json_array();
    struct look look = {.ledger = ledger, .options = options};
    if (active_targets(&rows, ledger, err) < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        look.row = json_array_get(rows, i);
        if (wanted(options, sty_json_int(look.row, "id", 0)) && look_at_row(deployments, &look, err) < 0)
            return -1;
    }
    *out = json_pack("{s:s, s:O}", "kind", "Drift", "deployments", deployments);
    return 0;
}
