/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apply and remove: what the inventory is about. A row says what is about to be applied before it is, and goes only when
 * the thing is gone; so nothing that was ever made is forgotten.
 */
#include <string.h>
#include "base/failpoint.h"
#include "run/run_internal.h"

static const char *id_of(const struct sty_step_resource *item)
{
    return sty_json_text(item->resource, "id", "");
}

static const struct sty_provider *provider_of(const struct sty_step_resource *item, struct sty_error *err)
{
    const char *type = sty_json_text(item->resource, "type", "");
    const struct sty_provider *provider = sty_provider_find(type);
    if (!provider)
        sty_error_set(err, STY_INVALID, "%s: this program knows no resource '%s'", id_of(item), type);
    return provider;
}

static int refuse_cancelled(const struct sty_step *step, struct sty_error *err)
{
    const bool *cancel = step->execution->cancel;
    if (cancel && __atomic_load_n(cancel, __ATOMIC_RELAXED))
        return sty_error_set(err, STY_CANCELLED, "cancelled");
    return 0;
}

/* ---- before the first act ---- */

/* Named after the target: nobody else can have it. */
static bool scoped(const struct sty_step *step, const struct sty_step_resource *item)
{
    sty_auto_free char *prefix =
        sty_sprintf("%s:%s/", sty_json_text(item->resource, "type", ""), step->execution->name);
    return sty_starts_with(id_of(item), prefix);
}

static int owned(bool *out, struct sty_step *step, const char *id, struct sty_error *err)
{
    int64_t found = 0;
    if (sty_ledger_number(&found, step->execution->ledger, err,
                          "SELECT count(*) FROM resources WHERE place = 'host' AND id = ?", "s", id) < 0)
        return -1;
    *out = found > 0;
    return 0;
}

/* "/mode 0644, wanted 0600; ..." */
static void say_difference(struct sty_str *out, const json_t *diff)
{
    size_t i;
    json_t *entry;
    json_array_foreach (diff, i, entry) {
        sty_auto_free char *from = json_dumps(json_object_get(entry, "from"), JSON_ENCODE_ANY | JSON_COMPACT);
        sty_auto_free char *to = json_dumps(json_object_get(entry, "to"), JSON_ENCODE_ANY | JSON_COMPACT);
        if (i == 4) {
            sty_str_append(out, "; ...");
            return;
        }
        sty_str_appendf(out, "%s%s is %.60s, wanted %.60s", i ? "; " : "", sty_json_text(entry, "path", ""),
                        to ? to : "not there", from ? from : "gone");
    }
}

static int judge(const struct sty_step_resource *item, const struct sty_observation *seen, bool adopting,
                 struct sty_error *err)
{
    sty_auto(str) difference = STY_STR_INIT;
    switch (seen->state) {
    case STY_OBSERVED_SAME:
        return 0;
    case STY_OBSERVED_MISSING:
        return adopting ? sty_error_set(err, STY_CONFLICT, "%s is not there", id_of(item)) : 0;
    case STY_OBSERVED_UNKNOWN:
        return sty_error_set(err, STY_UNREACHABLE, "%s: %s", id_of(item), seen->message);
    case STY_OBSERVED_DIFFERENT:
        break;
    }
    say_difference(&difference, seen->diff);
    return sty_error_set(err, STY_CONFLICT, "%s is there, different, and not ours: %s", id_of(item), difference.data);
}

/* What this machine does not let be read is refused before the first act; it would not be there later either. */
static int check_secrets(const json_t *allowed, const json_t *value, struct sty_error *err)
{
    const json_t *reference = json_object_get(value, "reference");
    const char *key;
    json_t *part;
    size_t i;
    if (json_is_object(reference) && sty_secret_allowed(allowed, reference, err) < 0)
        return -1;
    json_object_foreach ((json_t *)value, key, part)
        if (check_secrets(allowed, part, err) < 0)
            return -1;
    json_array_foreach (value, i, part)
        if (check_secrets(allowed, part, err) < 0)
            return -1;
    return 0;
}

static int check_one(struct sty_step *step, const struct sty_step_resource *item, struct sty_error *err)
{
    struct sty_provider_call call;
    struct sty_observation seen = {0};
    bool ours = false, adopting = strcmp(sty_json_text(step->execution->row, "kind", ""), "adopt") == 0;
    const struct sty_provider *provider = provider_of(item, err);
    if (!provider || sty_step_call(&call, step, item, err) < 0 ||
        (provider->check && provider->check(&call, err) < 0) ||
        check_secrets(step->execution->world->secrets, json_object_get(item->resource, "spec"), err) < 0)
        return err->code == STY_DENIED ? sty_error_wrap(err, "%s", id_of(item)) : -1;
    if (owned(&ours, step, id_of(item), err) < 0)
        return -1;
    if (!adopting && (ours || scoped(step, item)))
        return 0;
    if (provider->observe(&seen, &call, err) < 0)
        return sty_error_wrap(err, "%s", id_of(item));
    int result = judge(item, &seen, adopting, err);
    json_decref(seen.diff);
    return result;
}

static int apply_check(struct sty_step *step, struct sty_error *err)
{
    struct sty_step_resources resources;
    if (sty_step_resources(&resources, step, err) < 0)
        return -1;
    for (size_t i = 0; i < resources.count; i++)
        if (check_one(step, &resources.items[i], err) < 0)
            return -1;
    return 0;
}

/* ---- apply ---- */

static int apply_begin(struct sty_step *step, struct sty_error *err)
{
    struct sty_step_resources resources;
    if (sty_step_resources(&resources, step, err) < 0)
        return -1;
    for (size_t i = 0; i < resources.count; i++)
        if (sty_ledger_exec(step->execution->ledger, err,
                            "INSERT INTO resources (place, id, target, component, instance) VALUES ('host', ?, ?, ?, ?)"
                            " ON CONFLICT (place, id) DO UPDATE SET target = excluded.target, component ="
                            " excluded.component, instance = excluded.instance",
                            "siss", id_of(&resources.items[i]), step->execution->target, step->component,
                            resources.items[i].instance) < 0)
            return -1;
    return 0;
}

static int apply_one(struct sty_step *step, const struct sty_step_resource *item, struct sty_error *err)
{
    struct sty_provider_call call;
    struct sty_applied applied = {0};
    const struct sty_provider *provider = provider_of(item, err);
    if (!provider || refuse_cancelled(step, err) < 0 || sty_step_call(&call, step, item, err) < 0)
        return -1;
    int failed = sty_failpoint(resource_apply);
    if (failed)
        return sty_error_errno(err, STY_FAILED, failed, "%s", id_of(item));
    if (provider->apply(&applied, &call, err) < 0)
        return sty_error_wrap(err, "%s", id_of(item));
    (void)sty_failpoint(resource_applied);
    json_object_set_new(step->filled, id_of(item), applied.filled[0] ? json_string(applied.filled) : json_null());
    return 0;
}

static int apply_act(struct sty_step *step, struct sty_error *err)
{
    struct sty_step_resources resources;
    if (sty_step_resources(&resources, step, err) < 0)
        return -1;
    for (size_t i = 0; i < resources.count; i++)
        if (apply_one(step, &resources.items[i], err) < 0)
            return -1;
    return 0;
}

static int apply_settle(struct sty_step *step, struct sty_error *err)
{
    const char *id;
    json_t *filled;
    json_object_foreach (step->filled, id, filled)
        if (sty_ledger_exec(step->execution->ledger, err,
                            "UPDATE resources SET filled = ?1 WHERE place = 'host' AND id = ?2 AND filled IS NOT ?1",
                            "ss", json_string_value(filled), id) < 0)
            return -1;
    return 0;
}

/* ---- remove ---- */

static int remove_one(struct sty_step *step, const struct sty_step_resource *item, struct sty_error *err)
{
    struct sty_provider_call call;
    const struct sty_provider *provider = provider_of(item, err);
    if (!provider || refuse_cancelled(step, err) < 0 || sty_step_call(&call, step, item, err) < 0)
        return -1;
    int failed = sty_failpoint(resource_remove);
    if (failed)
        return sty_error_errno(err, STY_FAILED, failed, "%s", id_of(item));
    if (provider->remove(&call, err) < 0)
        return sty_error_wrap(err, "%s", id_of(item));
    (void)sty_failpoint(resource_removed);
    json_object_set_new(step->filled, id_of(item), json_null());
    return 0;
}

static int remove_act(struct sty_step *step, struct sty_error *err)
{
    struct sty_step_resources resources;
    if (sty_step_leftovers(&resources, step, err) < 0)
        return -1;
    for (size_t i = 0; i < resources.count; i++)
        if (remove_one(step, &resources.items[i], err) < 0)
            return -1;
    return 0;
}

static int remove_settle(struct sty_step *step, struct sty_error *err)
{
    const char *id;
    json_t *value;
    json_object_foreach (step->filled, id, value)
        if (sty_ledger_exec(step->execution->ledger, err,
                            "DELETE FROM resources WHERE place = 'host' AND id = ? AND target = ?", "si", id,
                            step->execution->target) < 0)
            return -1;
    return 0;
}

const struct sty_step_kind sty_step_apply = {
    .type = "apply", .check = apply_check, .begin = apply_begin, .act = apply_act, .settle = apply_settle};
const struct sty_step_kind sty_step_remove = {.type = "remove", .act = remove_act, .settle = remove_settle};
