/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three argvs of the driver's: `check` says whether all is as wanted, `apply` makes it so, `remove` takes it away.
 * What check denies is missing, not different: nobody but the driver knows what else is there.
 */
#include "provider/provider_internal.h"
#include <stdio.h>

static int check(const struct sty_provider_call *call, struct sty_error *err)
{
    const json_t *spec = sty_call_spec(call);
    if (json_array_size(json_object_get(spec, "check")) == 0 || json_array_size(json_object_get(spec, "apply")) == 0)
        return sty_error_set(err, STY_INVALID, "a command has a check and an apply");
    return 0;
}

static int run(struct sty_program_result *out, const struct sty_provider_call *call, const char *which,
               struct sty_error *err)
{
    const json_t *spec = sty_call_spec(call);
    const struct sty_program program = {.call = call,
                                        .argv = json_object_get(spec, which),
                                        .env = json_object_get(spec, "env"),
                                        .user = sty_json_text(spec, "user", NULL),
                                        .purpose = sty_streq(which, "check") ? NULL : which,
                                        .timeout_ms = sty_json_int(spec, "timeout_ms", 300000),
                                        .secret = sty_env_secret(json_object_get(spec, "env"))};
    return sty_program_run(out, &program, err) < 0 ? sty_error_wrap(err, "%s", which) : 0;
}

/* "" where the environment holds no secret. */
static int filled_digest(char out[STY_DIGEST_SIZE], const struct sty_provider_call *call, struct sty_error *err)
{
    char **environment;
    const json_t *env = json_object_get(sty_call_spec(call), "env");
    sty_auto_ptr(arena) arena = sty_arena_new();
    out[0] = '\0';
    if (!sty_env_secret(env))
        return 0;
    if (sty_environment_make(&environment, arena, call->host, env, err) < 0)
        return -1;
    return sty_environment_digest(out, call, environment, err);
}

static int look(struct sty_observation *out, char filled[STY_DIGEST_SIZE], const struct sty_provider_call *call,
                struct sty_error *err)
{
    struct sty_program_result result;
    if (filled_digest(filled, call, err) < 0 || run(&result, call, "check", err) < 0)
        return -1;
    if (result.status != 0) {
        struct sty_error words;
        sty_program_failed(&result, "check", &words);
        words.text[sizeof(out->message) - 1] = '\0';
        sty_observation_missing(out, words.text);
    } else if (filled[0] && call->filled && !sty_streq(filled, call->filled)) {
        sty_observation_differs(out, "/env", NULL, NULL);
    }
    return 0;
}

static int observe(struct sty_observation *out, const struct sty_provider_call *call, struct sty_error *err)
{
    char filled[STY_DIGEST_SIZE];
    *out = (struct sty_observation){.state = STY_OBSERVED_SAME};
    return look(out, filled, call, err) < 0 ? sty_observation_unknown(out, err) : 0;
}

static int run_well(const struct sty_provider_call *call, const char *which, struct sty_error *err)
{
    struct sty_program_result result;
    if (run(&result, call, which, err) < 0)
        return -1;
    return result.status == 0 ? 0 : sty_program_failed(&result, which, err);
}

static int apply(struct sty_applied *out, const struct sty_provider_call *call, struct sty_error *err)
{
    struct sty_applied done = {0};
    sty_auto(observation) found = {.state = STY_OBSERVED_SAME};
    if (look(&found, done.filled, call, err) < 0)
        return -1;
    done.changed = found.state != STY_OBSERVED_SAME;
    if (done.changed && run_well(call, "apply", err) < 0)
        return -1;
    *out = done;
    return 0;
}

static int take_away(const struct sty_provider_call *call, struct sty_error *err)
{
    if (json_array_size(json_object_get(sty_call_spec(call), "remove")) == 0)
        return 0;
    return run_well(call, "remove", err);
}

const struct sty_provider sty_provider_command = {
    .type = "command", .check = check, .observe = observe, .apply = apply, .remove = take_away};
