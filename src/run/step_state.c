/* SPDX-License-Identifier: Apache-2.0 */
/*
 * start, stop, restart and reload: the only steps that move a component's wanted run state. The wish is recorded before
 * the act, so that what is found after a crash is measured against it.
 */
#include "run/run_internal.h"

static int wish(struct sty_step *step, bool running, struct sty_error *err)
{
    if (!step->component)
        return sty_error_set(err, STY_INVALID, "a step '%s' names a component", step->type);
    return sty_ledger_exec(step->execution->ledger, err,
                           "INSERT INTO run_states (target, component, running) VALUES (?, ?, ?)"
                           " ON CONFLICT (target, component) DO UPDATE SET running = excluded.running",
                           "isb", step->execution->target, step->component, running);
}

static int wish_running(struct sty_step *step, struct sty_error *err)
{
    return wish(step, true, err);
}

/* Stopping single resources, because they go, is no wish about their component. */
static int wish_stopped(struct sty_step *step, struct sty_error *err)
{
    return json_object_get(step->args, "resources") ? 0 : wish(step, false, err);
}

enum what { START, STOP, RELOAD };

static int do_one(struct sty_step *step, const struct sty_step_resource *item, enum what what, struct sty_error *err)
{
    struct sty_provider_call call;
    const struct sty_provider *provider = sty_provider_find(sty_json_text(item->resource, "type", ""));
    if (!provider)
        return sty_error_set(err, STY_INVALID, "%s: this program knows no such resource",
                             sty_json_text(item->resource, "id", ""));
    if (!provider->has_run_state)
        return 0;
    if (sty_step_call(&call, step, item, err) < 0)
        return -1;
    call.running = what != STOP;
    int result = what == START      ? provider->start(&call, err)
                 : what == STOP     ? provider->stop(&call, err)
                 : provider->reload ? provider->reload(&call, err)
                                    : (provider->stop(&call, err) < 0 || provider->start(&call, err) < 0 ? -1 : 0);
    return result < 0 ? sty_error_wrap(err, "%s", sty_json_text(item->resource, "id", "")) : 0;
}

/* Stopping goes the other way round. */
static int do_all(struct sty_step *step, enum what what, struct sty_error *err)
{
    struct sty_step_resources resources;
    if (sty_step_resources(&resources, step, err) < 0)
        return -1;
    for (size_t i = 0; i < resources.count; i++)
        if (do_one(step, &resources.items[what == STOP ? resources.count - 1 - i : i], what, err) < 0)
            return -1;
    return 0;
}

static int start(struct sty_step *step, struct sty_error *err)
{
    return do_all(step, START, err);
}

static int stop(struct sty_step *step, struct sty_error *err)
{
    return do_all(step, STOP, err);
}

static int restart(struct sty_step *step, struct sty_error *err)
{
    return do_all(step, STOP, err) < 0 ? -1 : do_all(step, START, err);
}

/* What is stopped reads its configuration when it starts. */
static int reload(struct sty_step *step, struct sty_error *err)
{
    bool running;
    if (sty_run_state_get(&running, step->execution, step->component, err) < 0)
        return -1;
    return running ? do_all(step, RELOAD, err) : 0;
}

const struct sty_step_kind sty_step_start = {.type = "start", .begin = wish_running, .act = start};
const struct sty_step_kind sty_step_stop = {.type = "stop", .begin = wish_stopped, .act = stop};
const struct sty_step_kind sty_step_restart = {.type = "restart", .begin = wish_running, .act = restart};
const struct sty_step_kind sty_step_reload = {.type = "reload", .act = reload};
