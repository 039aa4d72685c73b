/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run: a program of the driver, in a session of its own, known by a token before it begins. When the step is over, for
 * whatever reason, nothing of that session is left.
 */
#include <signal.h>
#include <string.h>
#include "base/process.h"
#include "run/run_internal.h"

#define TIMEOUT_MS (10 * 60 * 1000)
#define GRACE_MS 10000
#define LEFTOVER_GRACE_MS 2000
#define RETRY_FIRST_MS 1000
#define RETRY_MOST_MS 60000
#define OUTPUT_LIMIT 65536

static int run_check(struct sty_step *step, struct sty_error *err)
{
    const char *user = sty_json_text(step->args, "user", NULL), *name;
    json_t *reference;
    if (json_array_size(json_object_get(step->args, "command")) == 0)
        return sty_error_set(err, STY_INVALID, "a step 'run' has a command");
    struct sty_user found;
    if (user && sty_user_find(&found, user, err) < 0)
        return err->code = STY_INVALID, sty_error_wrap(err, "run");
    json_object_foreach (json_object_get(step->args, "secrets"), name, reference)
        if (sty_secret_allowed(step->execution->world->secrets, reference, err) < 0)
            return sty_error_wrap(err, "secret '%s'", name);
    return 0;
}

/* Why a program that ended did not do what it should; -1 unless it ended with 0. */
static int judge(struct sty_step *step, const char *program, const struct sty_launch_status *status,
                 struct sty_error *err)
{
    step->exit_status = status->exit_status;
    step->doubtful = status->exit_status < 0 || (status->exit_status > 128 && status->exit_status <= 128 + SIGRTMAX);
    if (status->exit_status == 0)
        return 0;
    if (status->exit_status < 0)
        return sty_error_set(err, STY_FAILED, "'%s': how it ended is not known", program);
    if (step->doubtful)
        return sty_error_set(err, STY_FAILED, "'%s' was ended by signal %d", program, status->exit_status - 128);
    return sty_error_set(err, STY_FAILED, "'%s' ended with %d", program, status->exit_status);
}

static int launch_and_wait(struct sty_step *step, const struct sty_launch_spec *spec, int64_t timeout_ms,
                           struct sty_error *err)
{
    const struct sty_launch *launch = step->execution->host.launch;
    struct sty_launch_status status;
    if (launch->start(launch->self, spec, err) < 0)
        return -1;
    if (launch->wait(launch->self, &status, spec->token, timeout_ms, step->execution->cancel, err) < 0)
        return -1;
    bool running = status.state == STY_LAUNCH_RUNNING;
    if (launch->end(launch->self, spec->token, SIGTERM, running ? GRACE_MS : LEFTOVER_GRACE_MS, err) < 0)
        return -1;
    if (!running)
        return judge(step, spec->argv[0], &status, err);
    step->doubtful = true;
    if (sty_execution_cancelled(step->execution))
        return sty_error_set(err, STY_CANCELLED, "cancelled while '%s' ran", spec->argv[0]);
    return sty_error_set(err, STY_TIMEOUT, "'%s' did not end within %lld ms and was ended", spec->argv[0],
                         (long long)timeout_ms);
}

int sty_step_program(struct sty_step *step, const json_t *argv, int64_t timeout_ms, struct sty_error *err)
{
    struct sty_execution *execution = step->execution;
    const struct sty_launch *launch = execution->host.launch;
    struct sty_workspace workspace = {0};
    char token[STY_ID_SIZE];
    sty_id_new(token);
    step->exit_status = -1;
    step->doubtful = false;
    sty_str_reset(&step->output);
    if (sty_step_token(execution->ledger, step->row, token, err) < 0 ||
        sty_workspace_make(&workspace, step, token, err) < 0)
        return -1;
    struct sty_launch_spec spec = {.token = token,
                                   .argv = (const char *const *)sty_json_argv(execution->arena, argv),
                                   .environment = (const char *const *)workspace.environment,
                                   .directory = workspace.directory,
                                   .user = sty_json_text(step->args, "user", NULL),
                                   .output = workspace.output,
                                   .output_limit = OUTPUT_LIMIT};
    int result = launch_and_wait(step, &spec, timeout_ms, err);
    sty_workspace_said(&step->output, &workspace);
    launch->forget(launch->self, token);
    sty_workspace_remove(execution->world, token);
    sty_workspace_clear(&workspace);
    return result;
}

int sty_step_end_survivor(bool *done, struct sty_execution *execution, const json_t *row, struct sty_error *err)
{
    const struct sty_launch *launch = execution->host.launch;
    const char *token = sty_json_text(row, "token", NULL);
    struct sty_launch_status status;
    *done = false;
    if (!token)
        return 0;
    if (launch->status(launch->self, &status, token, err) < 0 ||
        launch->end(launch->self, token, SIGTERM, GRACE_MS, err) < 0)
        return -1;
    *done = status.state == STY_LAUNCH_ENDED && status.exit_status == 0;
    launch->forget(launch->self, token);
    sty_workspace_remove(execution->world, token);
    return 0;
}

static int rest(struct sty_step *step, int64_t tried, struct sty_error *err)
{
    const struct sty_world *world = step->execution->world->world;
    int64_t ms = tried < 6 ? (int64_t)RETRY_FIRST_MS << tried : RETRY_MOST_MS;
    for (int64_t slept = 0; slept < ms; slept += 250) {
        if (sty_execution_cancelled(step->execution))
            return sty_error_set(err, STY_CANCELLED, "cancelled between two tries");
        world->sleep_ms(world->self, 250);
    }
    return 0;
}

static int run_act(struct sty_step *step, struct sty_error *err)
{
    const json_t *argv = json_object_get(step->args, "command");
    int64_t timeout = sty_json_int(step->args, "timeout_ms", TIMEOUT_MS);
    int64_t retries = sty_json_int(step->args, "retries", 0);
    bool once = sty_once_wanted(step);
    for (int64_t tried = 0;; tried++) {
        if (sty_step_program(step, argv, timeout, err) == 0)
            return 0;
        bool again = err->code == STY_FAILED && step->exit_status > 0 && !(once && step->doubtful) && tried < retries;
        if (!again)
            break;
        if (rest(step, tried, err) < 0)
            return -1;
    }
    return once && step->doubtful && err->code != STY_CANCELLED ? sty_once_doubt(step, err) : -1;
}

const struct sty_step_kind sty_step_run = {.type = "run",
                                           .check = run_check,
                                           .ask = sty_once_ask,
                                           .begin = sty_once_begin,
                                           .act = run_act,
                                           .settle = sty_once_done,
                                           .spoil = sty_once_clear};
