/* SPDX-License-Identifier: Apache-2.0 */
/* http and wait: steps that only look, and may therefore be repeated at will. */
#include "run/run_internal.h"

#define HEALTH_MS 60000
#define SLICE_MS 200

static int http_act(struct sty_step *step, struct sty_error *err)
{
    return sty_http_wait(&step->execution->host, step->args, err);
}

static bool cancelled(const struct sty_step *step)
{
    return step->execution->cancel && __atomic_load_n(step->execution->cancel, __ATOMIC_RELAXED);
}

static int wait_time(struct sty_step *step, int64_t ms, struct sty_error *err)
{
    const struct sty_world *world = step->execution->world->world;
    while (ms > 0) {
        int64_t slice = ms < SLICE_MS ? ms : SLICE_MS;
        if (cancelled(step))
            return sty_error_set(err, STY_CANCELLED, "cancelled");
        world->sleep_ms(world->self, slice);
        ms -= slice;
    }
    return 0;
}

static int wait_health(struct sty_step *step, struct sty_error *err)
{
    const struct sty_instance *instance = step->instance ? step->instance : step->execution->to;
    const json_t *whole = instance ? sty_instance_json(instance) : NULL;
    const json_t *component = json_object_get(json_object_get(whole, "components"), step->component);
    if (!component)
        return sty_error_set(err, STY_INVALID, "there is no component '%s' to wait for", step->component);
    const json_t *health = json_object_get(component, "health");
    struct sty_health_call call = {.host = &step->execution->host,
                                   .health = health,
                                   .resources = json_object_get(component, "resources"),
                                   .driver_files = sty_json_text(json_object_get(whole, "driver"), "files", ""),
                                   .digest_key = step->execution->digest_key};
    int64_t timeout = sty_json_int(step->args, "timeout_ms", sty_json_int(health, "timeout_ms", HEALTH_MS));
    return sty_health_wait(&call, timeout, err) < 0 ? sty_error_wrap(err, "health of %s", step->component) : 0;
}

static int wait_act(struct sty_step *step, struct sty_error *err)
{
    int64_t duration = sty_json_int(step->args, "duration_ms", -1);
    if (duration >= 0)
        return wait_time(step, duration, err);
    if (!step->component)
        return sty_error_set(err, STY_INVALID, "a step 'wait' names a component or a duration");
    return wait_health(step, err);
}

const struct sty_step_kind sty_step_http = {.type = "http", .act = http_act};
const struct sty_step_kind sty_step_wait = {.type = "wait", .act = wait_act};
