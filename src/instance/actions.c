/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver's actions: each step's templates rendered, checked, and brought into its one form {type, args}. One row of
 * the table is one type of step.
 */
#include <string.h>
#include "instance/instance_internal.h"

#define RUN_TIMEOUT_MS 600000
#define WAIT_TIMEOUT_MS 60000
#define INTERVAL_MS 1000

/* "server" and [server] are the same; `apply` also knows two words. */
static json_t *names_normal(json_t *value)
{
    bool word = json_is_string(value);
    return json_pack("{s:o}", "components", word ? json_pack("[O]", value) : json_incref(value));
}

static json_t *apply_normal(json_t *value, struct sty_error *err)
{
    const char *word = json_string_value(value);
    (void)err;
    if (sty_streq(word, "all") || sty_streq(word, "changed"))
        return json_pack("{s:O}", "components", value);
    return names_normal(value);
}

static json_t *move_normal(json_t *value, struct sty_error *err)
{
    (void)err;
    return names_normal(value);
}

static json_t *run_normal(json_t *args, struct sty_error *err)
{
    static const struct sty_typed typed[] = {
        {"command", JSON_ARRAY}, {"verify", JSON_ARRAY}, {"once", JSON_TRUE}, {"retries", JSON_INTEGER}};
    if (sty_normal_types(args, typed, STY_COUNT(typed), err) < 0 ||
        sty_normal_env(json_object_get(args, "env"), err) < 0 ||
        sty_normal_secrets(json_object_get(args, "secrets"), err) < 0)
        return NULL;
    sty_normal_default(args, "once", json_false());
    sty_normal_default(args, "env", json_object());
    sty_normal_default(args, "secrets", json_object());
    sty_normal_default(args, "retries", json_integer(0));
    sty_normal_null(args, "verify");
    sty_normal_null(args, "user");
    return sty_normal_duration(args, "timeout", "timeout_ms", RUN_TIMEOUT_MS, err) < 0 ? NULL : json_incref(args);
}

static json_t *http_normal(json_t *args, struct sty_error *err)
{
    static const struct sty_typed typed[] = {{"status", JSON_INTEGER}};
    if (sty_normal_types(args, typed, STY_COUNT(typed), err) < 0)
        return NULL;
    sty_normal_default(args, "status", json_integer(200));
    sty_normal_default(args, "method", json_string("GET"));
    if (sty_normal_duration(args, "timeout", "timeout_ms", WAIT_TIMEOUT_MS, err) < 0 ||
        sty_normal_duration(args, "interval", "interval_ms", INTERVAL_MS, err) < 0)
        return NULL;
    return json_incref(args);
}

static json_t *wait_normal(json_t *args, struct sty_error *err)
{
    bool component = json_object_get(args, "component");
    if (sty_normal_duration(args, "timeout", "timeout_ms", component ? WAIT_TIMEOUT_MS : -1, err) < 0 ||
        sty_normal_duration(args, "duration", "duration_ms", -1, err) < 0)
        return NULL;
    return json_incref(args);
}

static const struct step_type {
    const char *name;
    json_t *(*normal)(json_t *args, struct sty_error *err); /* a new reference */
} types[] = {
    {"apply", apply_normal}, {"start", move_normal}, {"stop", move_normal}, {"restart", move_normal},
    {"reload", move_normal}, {"run", run_normal},    {"http", http_normal}, {"wait", wait_normal},
};

static const struct step_type *find_type(const char *name)
{
    for (size_t i = 0; i < STY_COUNT(types); i++)
        if (sty_streq(types[i].name, name))
            return &types[i];
    return NULL;
}

static json_t *render_run(struct sty_work *work, const struct sty_step_pattern *step, json_t *texts)
{
    struct sty_pattern_use use = sty_work_use(work);
    json_auto_t *args = json_object();
    bool whole = true;
    for (size_t i = 0; i < step->args.count; i++) {
        const char *key = step->args.keys[i];
        const struct sty_pattern *pattern = &step->args.items[i];
        json_t *value = sty_streq(key, "env")       ? sty_pattern_render_env(pattern, &use, texts)
                        : sty_streq(key, "secrets") ? sty_pattern_render_secrets(pattern, &use)
                                                    : sty_pattern_render(pattern, &use);
        whole = whole && value;
        json_object_set_new(args, key, value ? value : json_null());
    }
    return whole ? sty_take(args) : NULL;
}

static json_t *render_args(struct sty_work *work, const struct sty_step_pattern *step, json_t *texts)
{
    struct sty_pattern_use use = sty_work_use(work);
    return sty_streq(step->type, "run") ? render_run(work, step, texts) : sty_pattern_render(&step->args, &use);
}

static void check_component(struct sty_work *work, const struct sty_step_pattern *step, const char *name)
{
    for (size_t i = 0; i < work->driver->component_count; i++)
        if (sty_streq(work->driver->components[i].name, name))
            return;
    sty_driver_mistake(work, step->pointer, "there is no component '%s' in this driver", name);
}

static void check_names(struct sty_work *work, const struct sty_step_pattern *step, const json_t *args)
{
    const json_t *names = json_object_get(args, "components");
    for (size_t i = 0; i < json_array_size(names); i++)
        check_component(work, step, json_string_value(json_array_get(names, i)));
    const char *component = sty_json_text(args, "component", NULL);
    if (component)
        check_component(work, step, component);
}

static json_t *normal_args(struct sty_work *work, const struct sty_step_pattern *step, json_t *raw,
                           const struct step_type *type)
{
    struct sty_problem place = sty_place_in(work->driver->found.document, step->pointer);
    place.document = work->label;
    json_auto_t *whole = json_pack("{s:O}", step->type, raw);
    if (!sty_schema_check(whole, "driver#/$defs/stepSpec", &place, &work->problems))
        return NULL;
    struct sty_error err;
    json_t *args = type->normal(json_object_get(whole, step->type), &err);
    if (!args)
        sty_problems_add(&work->problems, &place, "%s", err.text);
    return args;
}

static json_t *build_step(struct sty_work *work, const struct sty_step_pattern *step)
{
    const struct step_type *type = find_type(step->type);
    if (!type) {
        sty_driver_mistake(work, step->pointer, "steps of type '%s' cannot be run by this program", step->type);
        return NULL;
    }
    json_auto_t *texts = json_object();
    json_auto_t *raw = render_args(work, step, texts);
    json_t *args = raw ? normal_args(work, step, raw, type) : NULL;
    if (!args)
        return NULL;
    if (json_object_size(texts))
        json_object_update(json_object_get(args, "env"), texts);
    check_names(work, step, args);
    return json_pack("{s:s, s:o}", "type", step->type, "args", args);
}

static json_t *step_of(struct sty_work *work, struct sty_step_pattern *step)
{
    if (step->built)
        return json_incref(step->built);
    size_t before = work->problems.errors;
    json_t *built = build_step(work, step);
    if (built && step->args.fixed && work->problems.errors == before)
        sty_work_keep(work, &step->built, built);
    return built;
}

static json_t *build_action(struct sty_work *work, const struct sty_action_pattern *action)
{
    json_t *steps = json_array();
    for (size_t i = 0; i < action->count; i++) {
        json_t *step = step_of(work, &action->steps[i]);
        json_array_append_new(steps, step ? step : json_null());
    }
    return json_pack("{s:s, s:s, s:s, s:o}", "name", sty_json_text(action->manifest, "name", ""), "hook",
                     sty_json_text(action->manifest, "hook", ""), "mode",
                     sty_json_text(action->manifest, "mode", "core"), "steps", steps);
}

json_t *sty_actions_build(struct sty_work *work)
{
    json_t *actions = json_array();
    for (size_t i = 0; i < work->driver->action_count; i++)
        json_array_append_new(actions, build_action(work, &work->driver->actions[i]));
    return actions;
}
