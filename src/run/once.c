/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps that must not happen twice. A mark outlives attempts and Instances: `begun` is written with the intention,
 * `done` with the result. What stands between the two after a crash is answered by the step's `verify`, or by a person;
 * never by guessing.
 */
#include <string.h>
#include "run/run_internal.h"

#define VERIFY_MS 60000

bool sty_once_wanted(const struct sty_step *step)
{
    return strcmp(step->type, "run") == 0 && sty_json_bool(step->args, "once", false);
}

/* The step as resolved, and the files it runs from: with either changed it is another step. */
static void mark_digest(char out[STY_DIGEST_SIZE], const struct sty_step *step)
{
    const char *given = sty_json_text(step->document, "once_digest", sty_json_text(step->args, "once_digest", NULL));
    if (given && sty_digest_valid(given)) {
        snprintf(out, STY_DIGEST_SIZE, "%s", given);
        return;
    }
    const json_t *driver = step->instance ? json_object_get(sty_instance_json(step->instance), "driver") : NULL;
    json_auto_t *identity = json_object();
    json_object_set(identity, "args", (json_t *)step->args);
    json_object_set_new(identity, "files", sty_json_string(sty_json_text(driver, "files", "")));
    sty_json_digest(out, identity);
}

static int set_mark(struct sty_step *step, const char *state, struct sty_error *err)
{
    char digest[STY_DIGEST_SIZE];
    struct sty_execution *execution = step->execution;
    mark_digest(digest, step);
    return sty_ledger_exec(execution->ledger, err,
                           "INSERT INTO marks (target, digest, state, at) VALUES (?, ?, ?, ?)"
                           " ON CONFLICT (target, digest) DO UPDATE SET state = excluded.state, at = excluded.at",
                           "issi", execution->target, digest, state, sty_ledger_now(execution->ledger));
}

int sty_once_begin(struct sty_step *step, struct sty_error *err)
{
    return sty_once_wanted(step) ? set_mark(step, "begun", err) : 0;
}

int sty_once_done(struct sty_step *step, struct sty_error *err)
{
    return sty_once_wanted(step) ? set_mark(step, "done", err) : 0;
}

int sty_once_clear(struct sty_step *step, struct sty_error *err)
{
    char digest[STY_DIGEST_SIZE];
    if (!sty_once_wanted(step))
        return 0;
    mark_digest(digest, step);
    return sty_ledger_exec(step->execution->ledger, err, "DELETE FROM marks WHERE target = ? AND digest = ?", "is",
                           step->execution->target, digest);
}

/*
 * A `verify` has its turn under the same token: that one never began says nothing about the step, and verify is asked
 * again.
 */
int sty_once_survived(struct sty_step *step, struct sty_error *err)
{
    bool running = strcmp(sty_json_text(step->row, "state", ""), "running") == 0;
    bool verified = json_array_size(json_object_get(step->args, "verify")) > 0;
    switch (step->survivor) {
    case STY_SURVIVOR_DONE:
        return sty_once_done(step, err);
    case STY_SURVIVOR_FAILED:
        return sty_once_clear(step, err);
    case STY_SURVIVOR_ABSENT:
        return running && !verified ? sty_once_clear(step, err) : 0;
    case STY_SURVIVOR_DOUBT:
        break;
    }
    return 0;
}

/* 1 it is done, 0 it is not, -1 `err` says why that is not known. What the step itself said is kept. */
static int verify(struct sty_step *step, struct sty_error *err)
{
    const json_t *argv = json_object_get(step->args, "verify");
    if (json_array_size(argv) == 0)
        return sty_error_set(err, STY_BLOCKED, "it is not known whether this step, which must happen once, did happen");
    struct sty_str said = step->output;
    int64_t status = step->exit_status;
    step->output = (struct sty_str)STY_STR_INIT;
    int result = sty_step_program(step, argv, VERIFY_MS, err);
    bool told = result == 0 || (err->code == STY_FAILED && step->exit_status > 0 && !step->doubtful);
    sty_str_clear(&step->output);
    step->output = said;
    step->exit_status = status;
    if (result == 0)
        return 1;
    if (told || err->code == STY_CANCELLED)
        return told ? 0 : -1;
    err->code = STY_BLOCKED;
    return sty_error_wrap(err, "it is not known whether this step, which must happen once, did happen: verify");
}

int sty_once_ask(bool *done, struct sty_step *step, struct sty_error *err)
{
    char digest[STY_DIGEST_SIZE];
    json_auto_t *row = NULL;
    *done = false;
    if (!sty_once_wanted(step))
        return 0;
    mark_digest(digest, step);
    if (sty_ledger_row(&row, step->execution->ledger, err, "SELECT state FROM marks WHERE target = ? AND digest = ?",
                       "is", step->execution->target, digest) < 0)
        return -1;
    if (!row)
        return 0;
    *done = strcmp(sty_json_text(row, "state", ""), "done") == 0;
    if (*done)
        return 0;
    int answer = verify(step, err);
    if (answer < 0)
        return -1;
    *done = answer == 1;
    return *done ? sty_once_done(step, err) : sty_once_clear(step, err);
}

int sty_once_doubt(struct sty_step *step, struct sty_error *err)
{
    struct sty_error why;
    int answer = verify(step, &why);
    if (answer == 1)
        return 0;
    if (answer < 0)
        *err = why;
    else
        step->doubtful = false;
    return -1;
}
