/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One remediation, from its first step that is not done to its end. Each step is recorded as running before it acts and
 * as ended after; what a crash leaves between the two is looked at, ended and run again by whoever comes next.
 */
#include <string.h>
#include "base/failpoint.h"
#include "run/run_internal.h"

/* ---- what an execution knows ---- */

int sty_execution_instance(const struct sty_instance **out, struct sty_execution *execution, const char *digest,
                           struct sty_error *err)
{
    struct sty_instance *instance = sty_map_get(&execution->instances, digest);
    if (!instance) {
        sty_auto_free char *bytes = NULL;
        size_t length = 0;
        if (sty_ledger_instance_get(&bytes, &length, execution->ledger, digest, err) < 0 ||
            sty_instance_parse(&instance, bytes, length, digest, err) < 0)
            return -1;
        sty_map_set(&execution->instances, digest, instance);
    }
    *out = instance;
    return 0;
}

static int load_side(const struct sty_instance **out, struct sty_execution *execution, const char *column,
                     struct sty_error *err)
{
    const char *digest = sty_json_text(execution->row, column, NULL);
    return digest ? sty_execution_instance(out, execution, digest, err) : 0;
}

static int load(struct sty_execution *execution, struct sty_error *err)
{
    if (sty_remediation_row(&execution->row, execution->ledger, execution->id, err) < 0)
        return -1;
    const char *text = sty_json_text(execution->row, "document", "");
    const char *cluster = sty_json_text(execution->row, "cluster", "");
    execution->target = sty_json_int(execution->row, "target", 0);
    execution->name =
        sty_arena_printf(execution->arena, "%s/%s/%s", cluster, sty_json_text(execution->row, "environment", ""),
                         sty_json_text(execution->row, "deployment", ""));
    if (sty_json_parse(&execution->document, text, strlen(text), err) < 0)
        return sty_error_wrap(err, "ledger: remediation %s", execution->id);
    if (load_side(&execution->from, execution, "from_instance", err) < 0 ||
        load_side(&execution->to, execution, "to_instance", err) < 0)
        return -1;
    return sty_ledger_digest_key(execution->digest_key, execution->ledger, cluster, err);
}

static void execution_clear(struct sty_execution *execution)
{
    for (size_t i = 0; i < execution->instances.used; i++)
        if (execution->instances.entries[i].key)
            sty_instance_free(execution->instances.entries[i].value);
    sty_map_clear(&execution->instances);
    json_decref(execution->row);
    json_decref(execution->document);
    sty_arena_free(execution->arena);
}

bool sty_execution_cancelled(struct sty_execution *execution)
{
    struct sty_error ignored;
    int64_t wish = 0;
    if (execution->cancel && __atomic_load_n(execution->cancel, __ATOMIC_RELAXED))
        return true;
    sty_ledger_number(&wish, execution->ledger, &ignored, STY_CANCEL_WISH, "s", execution->id);
    return wish != 0;
}

void sty_execution_tell(struct sty_execution *execution, const json_t *step, const char *state)
{
    if (execution->world->progress)
        execution->world->progress(execution->world->self, execution->row, step, state);
}

/* ---- transactions ---- */

typedef int (*writer)(struct sty_execution *execution, struct sty_step *step, const struct sty_error *why,
                      struct sty_error *err);

static int in_transaction(writer write, struct sty_execution *execution, struct sty_step *step,
                          const struct sty_error *why, struct sty_error *err)
{
    if (sty_ledger_begin(execution->ledger, err) < 0)
        return -1;
    if (write(execution, step, why, err) < 0) {
        sty_ledger_rollback(execution->ledger);
        return -1;
    }
    return sty_ledger_commit(execution->ledger, err);
}

static json_t *result_of(const struct sty_step *step, const struct sty_error *why)
{
    json_t *result = json_object();
    if (step->exit_status >= 0)
        json_object_set_new(result, "exit_status", json_integer(step->exit_status));
    if (step->output.length > 0)
        json_object_set_new(result, "output", sty_json_string(step->output.data));
    if (why)
        json_object_set_new(result, "error", sty_json_string(why->text));
    return result;
}

static int move_step(struct sty_step *step, const char *state, const struct sty_error *why, struct sty_error *err)
{
    json_auto_t *result = result_of(step, why);
    return sty_step_move(step->execution->ledger, step->row, state, result, err);
}

static int write_running(struct sty_execution *execution, struct sty_step *step, const struct sty_error *why,
                         struct sty_error *err)
{
    const struct sty_step_kind *kind = sty_step_kind_find(step->type);
    (void)execution;
    (void)why;
    if (kind->begin && kind->begin(step, err) < 0)
        return -1;
    return move_step(step, "running", NULL, err);
}

static int write_succeeded(struct sty_execution *execution, struct sty_step *step, const struct sty_error *why,
                           struct sty_error *err)
{
    const struct sty_step_kind *kind = sty_step_kind_find(step->type);
    (void)execution;
    (void)why;
    if (kind->settle && kind->settle(step, err) < 0)
        return -1;
    return move_step(step, "succeeded", NULL, err);
}

/* It had happened before: nothing is done now. */
static int write_known(struct sty_execution *execution, struct sty_step *step, const struct sty_error *why,
                       struct sty_error *err)
{
    bool pending = strcmp(sty_json_text(step->row, "state", ""), "pending") == 0;
    (void)execution;
    (void)why;
    return move_step(step, pending ? "skipped" : "succeeded", NULL, err);
}

static int write_survived(struct sty_execution *execution, struct sty_step *step, const struct sty_error *why,
                          struct sty_error *err)
{
    (void)execution;
    (void)why;
    if (sty_once_survived(step, err) < 0)
        return -1;
    return strcmp(sty_json_text(step->row, "state", ""), "running") == 0 ? move_step(step, "unknown", NULL, err) : 0;
}

static int write_waiting(struct sty_execution *execution, struct sty_step *step, const struct sty_error *why,
                         struct sty_error *err)
{
    int64_t now = sty_ledger_now(execution->ledger), due = 0;
    if (why->code == STY_UNREACHABLE)
        due = now + sty_unreachable_delay(now, sty_json_int(execution->row, "started_at", now));
    /* Asked before it began: it stays as it is. */
    if (strcmp(sty_json_text(step->row, "now", ""), "running") == 0 && move_step(step, "unknown", why, err) < 0)
        return -1;
    return sty_remediation_wait(execution->ledger, execution->id, due, why->text, err);
}

static int write_failed(struct sty_execution *execution, struct sty_step *step, const struct sty_error *why,
                        struct sty_error *err)
{
    const struct sty_step_kind *kind = sty_step_kind_find(step->type);
    if (kind->spoil && kind->spoil(step, err) < 0)
        return -1;
    if (move_step(step, "failed", why, err) < 0)
        return -1;
    return sty_execution_fail(execution, why, err);
}

static int write_cancelled(struct sty_execution *execution, struct sty_step *step, const struct sty_error *why,
                           struct sty_error *err)
{
    if (strcmp(sty_json_text(step->row, "now", ""), "running") == 0 && move_step(step, "failed", why, err) < 0)
        return -1;
    return sty_execution_cancel(execution, why, err);
}

/* Run states of components that are no more. */
static int forget_run_states(struct sty_execution *execution, struct sty_error *err)
{
    const json_t *components = execution->to ? json_object_get(sty_instance_json(execution->to), "components") : NULL;
    json_auto_t *rows = NULL;
    size_t i;
    json_t *row;
    if (sty_ledger_rows(&rows, execution->ledger, err, "SELECT component FROM run_states WHERE target = ?", "i",
                        execution->target) < 0)
        return -1;
    json_array_foreach (rows, i, row) {
        const char *name = sty_json_text(row, "component", "");
        if (!json_object_get(components, name) &&
            sty_ledger_exec(execution->ledger, err, "DELETE FROM run_states WHERE target = ? AND component = ?", "is",
                            execution->target, name) < 0)
            return -1;
    }
    return 0;
}

static int write_success(struct sty_execution *execution, struct sty_step *step, const struct sty_error *why,
                         struct sty_error *err)
{
    json_auto_t *row = NULL;
    (void)step;
    (void)why;
    if (forget_run_states(execution, err) < 0 ||
        sty_remediation_move(execution->ledger, execution->id, "succeeded", NULL, err) < 0 ||
        sty_remediation_row(&row, execution->ledger, execution->id, err) < 0 ||
        execution->world->activate(execution->ledger, row, err) < 0)
        return -1;
    return sty_execution_ended(execution, err);
}

/* ---- one step ---- */

/* After a crash: what it started is ended before anything else, and its end, if it had one, counts. */
static int recover(struct sty_step *step, struct sty_error *err)
{
    if (strcmp(sty_json_text(step->row, "state", ""), "pending") == 0 && !sty_json_text(step->row, "token", NULL))
        return 0;
    if (sty_step_end_survivor(step, err) < 0 || in_transaction(write_survived, step->execution, step, NULL, err) < 0)
        return -1;
    sty_step_forget(step);
    return 0;
}

/* It did not work: *go becomes false, the ledger knows why. */
static int stop_at(bool *go, struct sty_step *step, const struct sty_error *why, struct sty_error *err)
{
    struct sty_execution *execution = step->execution;
    struct sty_error cancelled = *why;
    writer write = write_failed;
    const char *state = "failed";
    *go = false;
    /* Whoever finds it gone runs it again, which is right wherever it is known not to have happened, or may be repeated. */
    if (!step->doubtful || !sty_once_wanted(step))
        sty_step_forget(step);
    if (why->code == STY_CANCELLED || sty_execution_cancelled(execution)) {
        cancelled.code = STY_CANCELLED;
        write = write_cancelled;
        state = "cancelled";
    } else if (why->code == STY_UNREACHABLE || why->code == STY_BLOCKED) {
        write = write_waiting;
        state = "waiting";
    }
    if (in_transaction(write, execution, step, &cancelled, err) < 0)
        return -1;
    sty_execution_tell(execution, step->document, "failed");
    sty_execution_tell(execution, NULL, state);
    return 0;
}

static int act(bool *go, struct sty_step *step, struct sty_error *err)
{
    const struct sty_step_kind *kind = sty_step_kind_find(step->type);
    struct sty_error why;
    if (in_transaction(write_running, step->execution, step, NULL, err) < 0)
        return -1;
    json_object_set_new((json_t *)step->row, "now", json_string("running"));
    sty_execution_tell(step->execution, step->document, "running");
    (void)sty_failpoint(step_begin);
    int result = kind->act(step, &why);
    (void)sty_failpoint(step_acted);
    if (result < 0)
        return stop_at(go, step, &why, err);
    if (in_transaction(write_succeeded, step->execution, step, NULL, err) < 0)
        return -1;
    sty_execution_tell(step->execution, step->document, "succeeded");
    return 0;
}

static int take(bool *go, struct sty_step *step, struct sty_error *err)
{
    const struct sty_step_kind *kind = sty_step_kind_find(step->type);
    struct sty_error why;
    bool known = false;
    int result = recover(step, &why);
    if (result == 0 && sty_execution_cancelled(step->execution))
        result = sty_error_set(&why, STY_CANCELLED, "cancelled");
    if (result == 0 && kind->ask)
        result = kind->ask(&known, step, &why);
    if (result < 0) {
        if (why.code != STY_BLOCKED && why.code != STY_CANCELLED)
            why.code = STY_UNREACHABLE;
        return stop_at(go, step, &why, err);
    }
    if (!known)
        return act(go, step, err);
    if (in_transaction(write_known, step->execution, step, NULL, err) < 0)
        return -1;
    sty_execution_tell(step->execution, step->document, "skipped");
    return 0;
}

/* ---- all steps ---- */

static const json_t *document_of(const struct sty_execution *execution, int64_t seq)
{
    size_t i;
    json_t *document;
    json_array_foreach (json_object_get(execution->document, "steps"), i, document)
        if (sty_json_int(document, "seq", (int64_t)i + 1) == seq)
            return document;
    return NULL;
}

static int take_row(bool *go, struct sty_execution *execution, const json_t *row, struct sty_error *err)
{
    struct sty_step step;
    const char *state = sty_json_text(row, "state", "");
    if (strcmp(state, "succeeded") == 0 || strcmp(state, "skipped") == 0) {
        sty_step_forget_done(execution, row);
        return 0;
    }
    const json_t *document = document_of(execution, sty_json_int(row, "seq", 0));
    if (!document)
        return sty_error_set(err, STY_CORRUPT, "ledger: remediation %s has no step %lld", execution->id,
                             (long long)sty_json_int(row, "seq", 0));
    int result = sty_step_init(&step, execution, document, row, err);
    if (result == 0)
        result = take(go, &step, err);
    if (result == 0)
        sty_step_forget(&step);
    sty_step_clear(&step);
    return result;
}

static int take_all(struct sty_execution *execution, struct sty_error *err)
{
    json_auto_t *rows = NULL;
    bool go = true;
    size_t i;
    json_t *row;
    if (sty_ledger_rows(&rows, execution->ledger, err,
                        "SELECT * FROM steps WHERE remediation = ?1 AND attempt = (SELECT attempt FROM remediations"
                        " WHERE id = ?1) ORDER BY seq",
                        "s", execution->id) < 0)
        return -1;
    json_array_foreach (rows, i, row) {
        if (take_row(&go, execution, row, err) < 0)
            return -1;
        if (!go)
            return 0;
    }
    if (in_transaction(write_success, execution, NULL, NULL, err) < 0)
        return -1;
    sty_execution_tell(execution, NULL, "succeeded");
    return 0;
}

int sty_execute(const struct sty_run_world *world, const struct sty_host *host, const char *id, const bool *cancel,
                struct sty_error *err)
{
    __attribute__((cleanup(execution_clear))) struct sty_execution execution = {
        .world = world, .ledger = world->ledger, .host = *host, .cancel = cancel, .id = id, .arena = sty_arena_new()};
    execution.host.cancel = cancel;
    bool go = true;
    if (load(&execution, err) < 0)
        return -1;
    const char *state = sty_json_text(execution.row, "state", "");
    if (sty_state_ended(sty_remediation_states, state))
        return 0;
    if (strcmp(state, "running") != 0 && sty_execution_begin(&go, &execution, err) < 0)
        return -1;
    return go ? take_all(&execution, err) : 0;
}

int sty_remediation_execute(const struct sty_run_world *world, const char *id, struct sty_error *err)
{
    sty_auto_ptr(run_host) host = NULL;
    if (sty_run_host_open(&host, world, err) < 0)
        return -1;
    return sty_execute(world, sty_run_host_get(host), id, NULL, err);
}
