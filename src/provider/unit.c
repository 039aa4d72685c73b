/* SPDX-License-Identifier: Apache-2.0 */
/*
 * systemd units: ours, or those of others with drop-ins, enablement and run state of ours. Files and enablement are
 * apply's; running is start's and stop's, and a oneshot that has succeeded is as good as one that runs.
 */
#include <stdio.h>
#include <string.h>
#include "provider/unit_internal.h"

static const char *name_of(const struct sty_provider_call *call)
{
    return sty_json_text(sty_call_spec(call), "name", "");
}

static bool is_ours(const struct sty_provider_call *call)
{
    return json_is_object(json_object_get(sty_call_spec(call), "content"));
}

static bool has_files(const struct sty_provider_call *call)
{
    return is_ours(call) || json_array_size(json_object_get(sty_call_spec(call), "drop_ins"));
}

static bool has_secret(const struct sty_provider_call *call)
{
    const json_t *spec = sty_call_spec(call), *drop_ins = json_object_get(spec, "drop_ins");
    bool secret = sty_text_secret(json_object_get(spec, "content"));
    for (size_t i = 0; i < json_array_size(drop_ins); i++)
        secret = secret || sty_text_secret(json_object_get(json_array_get(drop_ins, i), "content"));
    return secret;
}

/* KEEP: what it does is not our matter. */
enum wanted { KEEP, ACTIVE, INACTIVE };

static enum wanted state_wanted(const struct sty_provider_call *call)
{
    const char *state = sty_json_text(sty_call_spec(call), "state", "keep");
    if (sty_streq(state, "keep"))
        return KEEP;
    return sty_streq(state, "started") && call->running ? ACTIVE : INACTIVE;
}

static bool is_active(const struct sty_unit_state *state)
{
    return !sty_streq(state->active, "inactive") && !sty_streq(state->active, "failed") &&
           !sty_streq(state->active, "deactivating");
}

static bool has_run(const struct sty_unit_state *state)
{
    return sty_streq(state->type, "oneshot") && sty_streq(state->active, "inactive") &&
           sty_streq(state->result, "success");
}

static bool is_enabled(const char *file_state)
{
    return sty_streq(file_state, "enabled") || sty_streq(file_state, "alias");
}

static bool is_loaded(const struct sty_unit_state *state)
{
    return sty_streq(state->load, "loaded");
}

static int check(const struct sty_provider_call *call, struct sty_error *err)
{
    sty_auto(systemd) systemd = STY_SYSTEMD_INIT;
    const char *name = name_of(call);
    if (!sty_unit_name_valid(name))
        return sty_error_set(err, STY_INVALID, "'%s' cannot be the name of a unit", name);
    if (sty_unit_is_template(name) && state_wanted(call) != KEEP)
        return sty_error_set(err, STY_INVALID, "%s is a template: only its instances run", name);
    return sty_unit_files_check(call, err) < 0 ? -1 : sty_systemd_open(&systemd, call->host, err);
}

/* ---- observe ---- */

static void compare_loaded(struct sty_observation *out, const struct sty_provider_call *call,
                           const struct sty_unit_state *state)
{
    if (!is_loaded(state))
        sty_observation_differs(out, "/load_state", json_string("loaded"), sty_json_string(state->load));
    else if (state->stale && has_files(call))
        sty_observation_differs(out, "/need_daemon_reload", json_false(), json_true());
}

static void compare_active(struct sty_observation *out, const struct sty_provider_call *call,
                           const struct sty_unit_state *state)
{
    enum wanted wanted = state_wanted(call);
    if (wanted == ACTIVE && !is_active(state) && !has_run(state))
        sty_observation_differs(out, "/active", json_string("active"), sty_json_string(state->active));
    if (wanted == INACTIVE && is_active(state))
        sty_observation_differs(out, "/active", json_string("inactive"), sty_json_string(state->active));
}

static int compare_enabled(struct sty_observation *out, struct sty_systemd *systemd,
                           const struct sty_provider_call *call, struct sty_error *err)
{
    const json_t *enabled = json_object_get(sty_call_spec(call), "enabled");
    char found[32];
    if (!json_is_boolean(enabled))
        return 0;
    if (sty_unit_file_state(found, systemd, name_of(call), err) < 0)
        return -1;
    bool instances = sty_unit_is_template(name_of(call)) && sty_streq(found, "indirect");
    if (json_is_true(enabled) != (is_enabled(found) || instances))
        sty_observation_differs(out, "/enabled", json_string(json_is_true(enabled) ? "enabled" : "disabled"),
                                sty_json_string(found));
    return 0;
}

/* Of a unit that is not ours and holds nothing of ours, what is not yet started or enabled is missing, not different:
 * nobody else's thing stands where ours would. */
static void soften(struct sty_observation *out, const struct sty_provider_call *call)
{
    char message[200] = "";
    for (size_t i = 0; i < json_array_size(out->diff); i++) {
        const json_t *entry = json_array_get(out->diff, i);
        const char *wanted = sty_json_text(entry, "from", "");
        if (has_files(call) || (!sty_streq(wanted, "active") && !sty_streq(wanted, "enabled")))
            return;
        snprintf(message, sizeof(message), "it is %s, not %s", sty_json_text(entry, "to", ""), wanted);
    }
    if (out->state == STY_OBSERVED_DIFFERENT)
        sty_observation_missing(out, message);
}

static int look(struct sty_observation *out, struct sty_systemd *systemd, const struct sty_provider_call *call,
                struct sty_error *err)
{
    struct sty_unit_state state = {0};
    const char *name = name_of(call);
    bool template = sty_unit_is_template(name);
    if (sty_unit_files_look(out, call, err) < 0)
        return -1;
    if (out->state == STY_OBSERVED_MISSING)
        return 0;
    if (!template && sty_unit_state_read(&state, systemd, name, err) < 0)
        return -1;
    if (!template && !is_ours(call) && sty_streq(state.load, "not-found")) {
        sty_observation_missing(out, "there is no such unit");
        return 0;
    }
    if (!template) {
        compare_loaded(out, call, &state);
        compare_active(out, call, &state);
    }
    if (compare_enabled(out, systemd, call, err) < 0)
        return -1;
    soften(out, call);
    return 0;
}

static int observe(struct sty_observation *out, const struct sty_provider_call *call, struct sty_error *err)
{
    sty_auto(systemd) systemd = STY_SYSTEMD_INIT;
    *out = (struct sty_observation){.state = STY_OBSERVED_SAME};
    if (sty_systemd_open(&systemd, call->host, err) < 0 || look(out, &systemd, call, err) < 0)
        return sty_observation_unknown(out, err);
    return 0;
}

/* ---- running ---- */

static int64_t timeout_of(const struct sty_provider_call *call)
{
    return sty_json_int(sty_call_spec(call), "timeout_ms", 300000);
}

/* How it is, for people. */
static int say_state(struct sty_error *err, enum sty_code code, const char *name, const struct sty_unit_state *state)
{
    if (!is_loaded(state))
        return sty_error_set(err, code, "%s cannot be used: %s%s%s", name, state->load, state->problem[0] ? ": " : "",
                             state->problem);
    if (state->result[0] && !sty_streq(state->result, "success"))
        return sty_error_set(err, code, "%s is %s: %s, status %d", name, state->active, state->result,
                             state->exit_status);
    return sty_error_set(err, code, "%s is %s (%s)", name, state->active, state->sub);
}

/* A job failed: what is known of why. */
static void explain(struct sty_systemd *systemd, const struct sty_provider_call *call, int64_t since_ms,
                    struct sty_error *err)
{
    struct sty_unit_state state;
    struct sty_error ignored;
    if (err->code == STY_FAILED && sty_unit_state_read(&state, systemd, name_of(call), &ignored) == 0)
        say_state(err, STY_FAILED, name_of(call), &state);
    if ((err->code == STY_FAILED || err->code == STY_TIMEOUT) && !has_secret(call))
        sty_unit_last_words(err, name_of(call), since_ms);
}

/* `act`: "start", "stop" or "reload"; what cannot reload is restarted, and what does not run is left alone then. */
static int job(struct sty_systemd *systemd, const char *act, const struct sty_provider_call *call,
               struct sty_error *err)
{
    const struct sty_world *world = call->host->world;
    const char *member = sty_streq(act, "start")  ? "StartUnit"
                         : sty_streq(act, "stop") ? "StopUnit"
                                                  : "ReloadOrTryRestartUnit";
    int64_t since = world->now_ms(world->self);
    if (sty_systemd_job(systemd, member, name_of(call), timeout_of(call), err) == 0)
        return 0;
    explain(systemd, call, since, err);
    return sty_error_wrap(err, "%s", act);
}

/* A unit that failed too often may be tried again: somebody decided so. */
static void forgive(struct sty_systemd *systemd, const char *name)
{
    struct sty_error ignored;
    sty_systemd_call(systemd, NULL, &ignored, "ResetFailedUnit", "s", name);
}

static int start(const struct sty_provider_call *call, struct sty_error *err)
{
    sty_auto(systemd) systemd = STY_SYSTEMD_INIT;
    enum wanted wanted = state_wanted(call);
    if (wanted == KEEP)
        return 0;
    if (sty_systemd_open(&systemd, call->host, err) < 0)
        return -1;
    if (wanted == ACTIVE)
        forgive(&systemd, name_of(call));
    return job(&systemd, wanted == ACTIVE ? "start" : "stop", call, err);
}

static int stop(const struct sty_provider_call *call, struct sty_error *err)
{
    sty_auto(systemd) systemd = STY_SYSTEMD_INIT;
    if (state_wanted(call) == KEEP)
        return 0;
    return sty_systemd_open(&systemd, call->host, err) < 0 ? -1 : job(&systemd, "stop", call, err);
}

static int reload(const struct sty_provider_call *call, struct sty_error *err)
{
    sty_auto(systemd) systemd = STY_SYSTEMD_INIT;
    if (sty_unit_is_template(name_of(call)))
        return 0;
    return sty_systemd_open(&systemd, call->host, err) < 0 ? -1 : job(&systemd, "reload", call, err);
}

static int health(bool *healthy, const struct sty_provider_call *call, struct sty_error *err)
{
    sty_auto(systemd) systemd = STY_SYSTEMD_INIT;
    struct sty_unit_state state;
    enum wanted wanted = state_wanted(call);
    *healthy = wanted == KEEP;
    if (*healthy)
        return 0;
    if (sty_systemd_open(&systemd, call->host, err) < 0 ||
        sty_unit_state_read(&state, &systemd, name_of(call), err) < 0)
        return -1;
    bool runs = sty_streq(state.active, "active") || sty_streq(state.active, "reloading");
    *healthy = wanted == ACTIVE ? runs || has_run(&state) : !is_active(&state);
    if (!*healthy)
        say_state(err, STY_FAILED, name_of(call), &state);
    return 0;
}

/* ---- apply and remove ---- */

/* systemd has read what is on disk, and could make sense of it. */
static int load(bool *changed, struct sty_systemd *systemd, const struct sty_provider_call *call, struct sty_error *err)
{
    struct sty_unit_state state;
    const char *name = name_of(call);
    if (sty_unit_is_template(name))
        return sty_systemd_reload(systemd, err);
    if (!*changed && sty_unit_state_read(&state, systemd, name, err) < 0)
        return -1;
    if (*changed || (has_files(call) && (state.stale || !is_loaded(&state)))) {
        *changed = true;
        if (sty_systemd_reload(systemd, err) < 0)
            return -1;
    }
    if (sty_unit_state_read(&state, systemd, name, err) < 0)
        return -1;
    return is_loaded(&state) ? 0 : say_state(err, STY_FAILED, name, &state);
}

static int enable(bool *changed, struct sty_systemd *systemd, const struct sty_provider_call *call,
                  struct sty_error *err)
{
    sty_auto(observation) found = {.state = STY_OBSERVED_SAME};
    if (compare_enabled(&found, systemd, call, err) < 0)
        return -1;
    if (found.state == STY_OBSERVED_SAME)
        return 0;
    *changed = true;
    return sty_systemd_enable(systemd, name_of(call), json_is_true(json_object_get(sty_call_spec(call), "enabled")),
                              err);
}

static int quieten(bool *changed, struct sty_systemd *systemd, const struct sty_provider_call *call,
                   struct sty_error *err)
{
    struct sty_unit_state state;
    if (state_wanted(call) != INACTIVE)
        return 0;
    if (sty_unit_state_read(&state, systemd, name_of(call), err) < 0)
        return -1;
    if (!is_active(&state))
        return 0;
    *changed = true;
    return job(systemd, "stop", call, err);
}

static int apply(struct sty_applied *out, const struct sty_provider_call *call, struct sty_error *err)
{
    sty_auto(systemd) systemd = STY_SYSTEMD_INIT;
    struct sty_applied done = {0};
    if (sty_systemd_open(&systemd, call->host, err) < 0 || sty_unit_files_apply(&done, call, err) < 0 ||
        load(&done.changed, &systemd, call, err) < 0 || enable(&done.changed, &systemd, call, err) < 0 ||
        quieten(&done.changed, &systemd, call, err) < 0)
        return -1;
    *out = done;
    return 0;
}

/* Disabled while its file is there: without it nobody knows its links. */
static int disable(struct sty_systemd *systemd, const struct sty_provider_call *call, struct sty_error *err)
{
    char found[32];
    bool enabled = json_is_true(json_object_get(sty_call_spec(call), "enabled"));
    if (!enabled && !is_ours(call))
        return 0;
    if (sty_unit_file_state(found, systemd, name_of(call), err) < 0)
        return -1;
    bool linked = is_enabled(found) || sty_streq(found, "indirect") || sty_streq(found, "enabled-runtime");
    return linked ? sty_systemd_enable(systemd, name_of(call), false, err) : 0;
}

static int take_away(const struct sty_provider_call *call, struct sty_error *err)
{
    sty_auto(systemd) systemd = STY_SYSTEMD_INIT;
    bool stops = !sty_unit_is_template(name_of(call)) &&
                 (is_ours(call) || sty_streq(sty_json_text(sty_call_spec(call), "state", ""), "started"));
    if (sty_systemd_open(&systemd, call->host, err) < 0 || (stops && job(&systemd, "stop", call, err) < 0) ||
        disable(&systemd, call, err) < 0 || sty_unit_files_remove(call, err) < 0)
        return -1;
    if (!has_files(call))
        return 0;
    if (sty_systemd_reload(&systemd, err) < 0)
        return -1;
    forgive(&systemd, name_of(call));
    return 0;
}

const struct sty_provider sty_provider_unit = {.type = "unit",
                                               .has_run_state = true,
                                               .check = check,
                                               .observe = observe,
                                               .apply = apply,
                                               .remove = take_away,
                                               .start = start,
                                               .stop = stop,
                                               .reload = reload,
                                               .health = health};
