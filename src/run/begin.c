/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Before the first act. Everything that can be refused is refused here, while nothing has been touched; then the
 * inventory of old and new, the taint and the move to running are written in one transaction, so that from the first act
 * on the ledger knows of everything that may be there.
 */
#include <string.h>
#include "run/run_internal.h"

static bool acts(const struct sty_execution *execution)
{
    const char *kind = sty_json_text(execution->row, "kind", "");
    return strcmp(kind, "adopt") != 0 && strcmp(kind, "release") != 0;
}

static int check_step(struct sty_execution *execution, const json_t *document, struct sty_error *err)
{
    struct sty_step step;
    int result = sty_step_init(&step, execution, document, NULL, err);
    const struct sty_step_kind *kind = result == 0 ? sty_step_kind_find(step.type) : NULL;
    if (kind && kind->check)
        result = kind->check(&step, err);
    sty_step_clear(&step);
    return result;
}

/* Taking over runs no step: all that would be applied is looked at. */
static int check_adoption(struct sty_execution *execution, struct sty_error *err)
{
    const char **names = sty_instance_component_order(execution->arena, execution->to);
    for (size_t i = 0; names[i]; i++) {
        json_auto_t *step = json_object();
        json_object_set_new(step, "type", json_string("apply"));
        json_object_set_new(step, "component", json_string(names[i]));
        if (check_step(execution, step, err) < 0)
            return -1;
    }
    return 0;
}

static int check_all(struct sty_execution *execution, struct sty_error *err)
{
    size_t i;
    json_t *document;
    if (!acts(execution) && execution->to && check_adoption(execution, err) < 0)
        return -1;
    json_array_foreach (json_object_get(execution->document, "steps"), i, document)
        if (check_step(execution, document, err) < 0)
            return -1;
    return 0;
}

/* ---- refused ---- */

static json_t *blocked_document(const struct sty_execution *execution, const struct sty_error *why)
{
    bool claim = why->code == STY_CONFLICT;
    sty_auto_free char *remedy =
        claim ? sty_sprintf("styrmin adopt %s --update -m REASON, or take it away", execution->name)
              : sty_sprintf("correct the driver, or the configuration of this machine; then: styrmin sync");
    json_t *out = json_object();
    json_object_set_new(out, "reason", json_string(claim ? "claim" : "guard"));
    json_object_set_new(out, "message", sty_json_string(why->text));
    json_object_set_new(out, "remedy", sty_json_string(remedy));
    json_object_set(out, "kind", json_object_get(execution->row, "kind"));
    json_object_set(out, "digest", json_object_get(execution->row, "digest"));
    return out;
}

static int block(struct sty_execution *execution, const struct sty_error *why, struct sty_error *err)
{
    json_auto_t *blocked = blocked_document(execution, why);
    if (sty_remediation_move(execution->ledger, execution->id, "superseded", why->text, err) < 0 ||
        sty_ledger_exec(execution->ledger, err, "UPDATE targets SET blocked = ?, unsettled = 1 WHERE id = ?", "ji",
                        blocked, execution->target) < 0)
        return -1;
    return sty_execution_ended(execution, err);
}

/* What cannot be looked at now may be there later. */
static int postpone(struct sty_execution *execution, const struct sty_error *why, struct sty_error *err)
{
    int64_t now = sty_ledger_now(execution->ledger);
    int64_t since = sty_json_int(execution->row, "started_at", now);
    if (sty_remediation_move(execution->ledger, execution->id, "running", NULL, err) < 0)
        return -1;
    return sty_remediation_wait(execution->ledger, execution->id, now + sty_unreachable_delay(now, since), why->text,
                                err);
}

static bool passes_by(enum sty_code code)
{
    return code == STY_UNREACHABLE || code == STY_TIMEOUT || code == STY_IO || code == STY_CANCELLED;
}

static int refuse(struct sty_execution *execution, const struct sty_error *why, struct sty_error *err)
{
    bool later = passes_by(why->code);
    if (sty_ledger_begin(execution->ledger, err) < 0)
        return -1;
    if ((later ? postpone(execution, why, err) : block(execution, why, err)) < 0) {
        sty_ledger_rollback(execution->ledger);
        return -1;
    }
    if (sty_ledger_commit(execution->ledger, err) < 0)
        return -1;
    sty_execution_tell(execution, NULL, later ? "waiting" : "superseded");
    return 0;
}

/* ---- the intention ---- */

/* What another target hands over becomes ours; what is ours already keeps the Instance it was last applied from. */
static int write_inventory(struct sty_execution *execution, struct sty_error *err)
{
    const json_t *components = json_object_get(sty_instance_json(execution->to), "components");
    const char *name;
    json_t *component, *resource;
    size_t i;
    json_object_foreach ((json_t *)components, name, component)
        json_array_foreach (json_object_get(component, "resources"), i, resource)
            if (sty_ledger_exec(
                    execution->ledger, err,
                    "INSERT INTO resources (place, id, target, component, instance) VALUES ('host', ?, ?, ?,"
                    " ?) ON CONFLICT (place, id) DO UPDATE SET target = excluded.target, component ="
                    " excluded.component, instance = excluded.instance WHERE target <> excluded.target",
                    "siss", sty_json_text(resource, "id", ""), execution->target, name,
                    sty_instance_digest(execution->to)) < 0)
                return -1;
    return 0;
}

static int write_run_states(struct sty_execution *execution, struct sty_error *err)
{
    const json_t *whole = sty_instance_json(execution->to);
    bool running = strcmp(sty_json_text(whole, "lifecycle", "running"), "running") == 0;
    const char *name;
    json_t *component;
    json_object_foreach (json_object_get(whole, "components"), name, component)
        if (sty_ledger_exec(execution->ledger, err,
                            "INSERT INTO run_states (target, component, running) VALUES (?, ?, ?) ON CONFLICT DO"
                            " NOTHING",
                            "isb", execution->target, name, running) < 0)
            return -1;
    return 0;
}

/* A failed step is behind it: from step 1 again, with rows of their own, so that the history keeps both. */
static int next_attempt(struct sty_execution *execution, struct sty_error *err)
{
    int64_t attempt = sty_json_int(execution->row, "attempt", 1), failed = 0;
    if (sty_ledger_number(&failed, execution->ledger, err,
                          "SELECT count(*) FROM steps WHERE remediation = ? AND attempt = ? AND state = 'failed'", "si",
                          execution->id, attempt) < 0)
        return -1;
    if (!failed)
        return 0;
    if (sty_ledger_exec(execution->ledger, err, "UPDATE remediations SET attempt = ? WHERE id = ?", "is", attempt + 1,
                        execution->id) < 0)
        return -1;
    return sty_steps_record(execution->ledger, execution->id, attempt + 1,
                            json_object_get(execution->document, "steps"), err);
}

static int write_intention(struct sty_execution *execution, struct sty_error *err)
{
    if (execution->to && (write_inventory(execution, err) < 0 || write_run_states(execution, err) < 0))
        return -1;
    if (acts(execution) &&
        sty_ledger_exec(
            execution->ledger, err,
            "UPDATE targets SET tainted = 1, tried = coalesce(?, tried), blocked = NULL, unsettled = 1 WHERE id = ?",
            "si", sty_json_text(execution->row, "to_instance", NULL), execution->target) < 0)
        return -1;
    if (next_attempt(execution, err) < 0)
        return -1;
    return sty_remediation_move(execution->ledger, execution->id, "running", NULL, err);
}

int sty_execution_begin(bool *go, struct sty_execution *execution, struct sty_error *err)
{
    struct sty_error why;
    *go = false;
    if (check_all(execution, &why) < 0)
        return refuse(execution, &why, err);
    if (sty_ledger_begin(execution->ledger, err) < 0)
        return -1;
    if (write_intention(execution, err) < 0) {
        sty_ledger_rollback(execution->ledger);
        return -1;
    }
    if (sty_ledger_commit(execution->ledger, err) < 0)
        return -1;
    sty_execution_tell(execution, NULL, "running");
    *go = true;
    return 0;
}
