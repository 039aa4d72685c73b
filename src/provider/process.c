/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Long-running processes, started through the launcher so that they survive us. A resource has one token for ever;
 * beside the launcher's files stands process-TOKEN.json, written before the start: with which spec, and by keyed digest
 * with which secrets, the one that runs was started.
 */
#include "provider/provider_internal.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RECORD_LIMIT ((size_t)16 << 20)
#define SETTLE_MS 200 /* what ends within it never ran */

/* One call's view of its process. */
struct managed {
    const struct sty_provider_call *call;
    const struct sty_launch *launch;
    struct sty_arena *arena;
    const json_t *spec;
    char token[STY_ID_SIZE];
    char *record, *output, *folder;
};

static void sty_managed_clear(struct managed *managed)
{
    sty_arena_free(managed->arena);
}
#define auto_managed __attribute__((cleanup(sty_managed_clear))) struct managed

static struct managed managed_of(const struct sty_provider_call *call)
{
    char digest[STY_DIGEST_SIZE];
    struct managed managed = {
        .call = call, .launch = call->host->launch, .arena = sty_arena_new(), .spec = sty_call_spec(call)};
    const char *id = sty_call_id(call);
    sty_digest(digest, id, strlen(id));
    snprintf(managed.token, sizeof(managed.token), "%.32s", digest + strlen("sha256:"));
    managed.folder = sty_arena_printf(managed.arena, "%s/run", call->host->state_dir);
    managed.record = sty_arena_printf(managed.arena, "%s/process-%s.json", managed.folder, managed.token);
    managed.output = sty_arena_printf(managed.arena, "%s/%s.log", managed.folder, managed.token);
    return managed;
}

static int stop_signal(const struct managed *managed)
{
    static const struct {
        const char *name;
        int number;
    } signals[] = {{"TERM", SIGTERM}, {"INT", SIGINT},   {"QUIT", SIGQUIT}, {"HUP", SIGHUP},
                   {"KILL", SIGKILL}, {"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"WINCH", SIGWINCH}};
    const char *name = sty_json_text(managed->spec, "stop_signal", "SIGTERM");
    name += sty_starts_with(name, "SIG") ? 3 : 0;
    for (size_t i = 0; i < STY_COUNT(signals); i++)
        if (sty_streq(signals[i].name, name))
            return signals[i].number;
    return 0;
}

static int check(const struct sty_provider_call *call, struct sty_error *err)
{
    auto_managed managed = managed_of(call);
    if (json_array_size(json_object_get(managed.spec, "command")) == 0)
        return sty_error_set(err, STY_INVALID, "a process has a command");
    if (!stop_signal(&managed))
        return sty_error_set(err, STY_INVALID, "'%s' is no signal that stops a process",
                             sty_json_text(managed.spec, "stop_signal", ""));
    return 0;
}

static int status_of(struct sty_launch_status *out, const struct managed *managed, struct sty_error *err)
{
    return managed->launch->status(managed->launch->self, out, managed->token, err);
}

/* {"spec","digest"}: what is wanted, or what the running one was started with. */
static int record_make(json_t **out, char ***environment, const struct managed *managed, struct sty_error *err)
{
    char digest[STY_DIGEST_SIZE] = "";
    const char *user = sty_json_text(managed->spec, "user", NULL);
    json_auto_t *env = sty_environment_of(managed->arena, json_object_get(managed->spec, "env"), user);
    if (sty_environment_make(environment, managed->arena, managed->call->host, env, err) < 0)
        return -1;
    if (sty_env_secret(env) && sty_environment_digest(digest, managed->call, *environment, err) < 0)
        return -1;
    *out = json_pack("{s:O, s:s}", "spec", managed->spec, "digest", digest);
    return 0;
}

/* NULL where there is none that can be read: then nobody knows with what the process runs. */
static json_t *record_read(const struct managed *managed)
{
    struct sty_error ignored;
    json_t *record = NULL;
    sty_auto(str) text = STY_STR_INIT;
    if (sty_file_read(&text, managed->record, RECORD_LIMIT, &ignored) < 0 ||
        sty_json_parse(&record, text.data, text.length, &ignored) < 0)
        return NULL;
    return record;
}

static void compare_specs(struct sty_observation *out, const json_t *wanted, const json_t *found)
{
    static const char *const keys[] = {"command", "env", "user", "directory"};
    for (size_t i = 0; i < STY_COUNT(keys); i++) {
        json_t *a = json_object_get(wanted, keys[i]), *b = json_object_get(found, keys[i]);
        char path[32];
        if (json_equal(a, b))
            continue;
        bool shown = !sty_streq(keys[i], "env") || !(sty_env_secret(a) || sty_env_secret(b));
        snprintf(path, sizeof(path), "/%s", keys[i]);
        sty_observation_differs(out, path, shown ? json_incref(a) : NULL, shown ? json_incref(b) : NULL);
    }
}

/* How it was to be stopped may change while it runs; anything else needs a new start. */
static void compare_records(struct sty_observation *out, const json_t *wanted, const json_t *found)
{
    compare_specs(out, json_object_get(wanted, "spec"), json_object_get(found, "spec"));
    if (out->state == STY_OBSERVED_SAME &&
        !sty_streq(sty_json_text(wanted, "digest", ""), sty_json_text(found, "digest", "")))
        sty_observation_differs(out, "/env", NULL, NULL);
}

static void say_ended(struct sty_observation *out, const struct sty_launch_status *status)
{
    sty_observation_missing(out, "it does not run");
    if (status->state == STY_LAUNCH_ENDED && status->exit_status >= 0)
        snprintf(out->message, sizeof(out->message), "it ended with status %d", status->exit_status);
}

static int look(struct sty_observation *out, struct managed *managed, struct sty_error *err)
{
    struct sty_launch_status status;
    char **environment;
    json_auto_t *wanted = NULL;
    if (status_of(&status, managed, err) < 0)
        return -1;
    bool runs = status.state == STY_LAUNCH_RUNNING;
    if (managed->call->running && !runs)
        say_ended(out, &status);
    if (!managed->call->running && runs)
        sty_observation_differs(out, "/running", json_false(), json_true());
    if (!managed->call->running || !runs)
        return 0;
    if (record_make(&wanted, &environment, managed, err) < 0)
        return -1;
    json_auto_t *found = record_read(managed);
    if (found)
        compare_records(out, wanted, found);
    else
        sty_observation_differs(out, "/command", json_incref(json_object_get(managed->spec, "command")), NULL);
    return 0;
}

static int observe(struct sty_observation *out, const struct sty_provider_call *call, struct sty_error *err)
{
    auto_managed managed = managed_of(call);
    *out = (struct sty_observation){.state = STY_OBSERVED_SAME};
    return look(out, &managed, err) < 0 ? sty_observation_unknown(out, err) : 0;
}

static int end(const struct managed *managed, struct sty_error *err)
{
    int number = stop_signal(managed);
    int64_t grace = sty_json_int(managed->spec, "stop_timeout_ms", 10000);
    if (managed->launch->end(managed->launch->self, managed->token, number ? number : SIGTERM, grace, err) < 0)
        return sty_error_wrap(err, "stop");
    return 0;
}

static int write_record(const struct managed *managed, const json_t *record, struct sty_error *err)
{
    sty_auto_free char *text = sty_json_canonical_text(record);
    if (sty_directory_make(managed->folder, 0700, err) < 0)
        return -1;
    return sty_file_replace(managed->record, text, strlen(text), 0600, err);
}

/* It runs, or the error says how it ended. */
static int settle(const struct managed *managed, struct sty_error *err)
{
    struct sty_launch_status status;
    struct sty_error ignored;
    sty_auto(str) said = STY_STR_INIT;
    struct sty_program_result result = {.status = -1};
    if (managed->launch->wait(managed->launch->self, &status, managed->token, SETTLE_MS, managed->call->host->cancel,
                              err) < 0)
        return -1;
    if (status.state == STY_LAUNCH_RUNNING)
        return 0;
    result.status = status.exit_status;
    if (!sty_env_secret(json_object_get(managed->spec, "env")) &&
        sty_file_read(&said, managed->output, RECORD_LIMIT, &ignored) == 0)
        sty_tail_visible(result.output, sizeof(result.output), said.data, said.length);
    return sty_program_failed(&result, "the process", err);
}

/* Start it as `record` says; what is left of an earlier one, which may hold its port, ends first. */
static int begin(struct managed *managed, const json_t *record, char *const *environment, struct sty_error *err)
{
    char **argv;
    const json_t *command = json_object_get(managed->spec, "command");
    if (sty_argv_make(&argv, managed->arena, managed->call, command, err) < 0 || end(managed, err) < 0)
        return -1;
    managed->launch->forget(managed->launch->self, managed->token);
    const struct sty_launch_spec spec = {.token = managed->token,
                                         .argv = (const char *const *)argv,
                                         .environment = (const char *const *)environment,
                                         .directory = sty_json_text(managed->spec, "directory", "/"),
                                         .user = sty_json_text(managed->spec, "user", NULL),
                                         .output = managed->output};
    if (write_record(managed, record, err) < 0 || managed->launch->start(managed->launch->self, &spec, err) < 0)
        return sty_error_wrap(err, "start '%s'", argv[0]);
    return settle(managed, err);
}

static int begin_anew(struct managed *managed, struct sty_error *err)
{
    char **environment;
    json_auto_t *record = NULL;
    if (record_make(&record, &environment, managed, err) < 0)
        return -1;
    return begin(managed, record, environment, err);
}

static int applied_digest(struct sty_applied *done, struct managed *managed, struct sty_error *err)
{
    char **environment;
    json_auto_t *record = NULL;
    if (!sty_env_secret(json_object_get(managed->spec, "env")))
        return 0;
    if (record_make(&record, &environment, managed, err) < 0)
        return -1;
    snprintf(done->filled, sizeof(done->filled), "%s", sty_json_text(record, "digest", ""));
    return 0;
}

static int apply(struct sty_applied *out, const struct sty_provider_call *call, struct sty_error *err)
{
    auto_managed managed = managed_of(call);
    struct sty_applied done = {0};
    sty_auto(observation) found = {.state = STY_OBSERVED_SAME};
    if (look(&found, &managed, err) < 0 || applied_digest(&done, &managed, err) < 0)
        return -1;
    done.changed = found.state != STY_OBSERVED_SAME;
    if (done.changed && (call->running ? begin_anew(&managed, err) : end(&managed, err)) < 0)
        return -1;
    *out = done;
    return 0;
}

static int start(const struct sty_provider_call *call, struct sty_error *err)
{
    auto_managed managed = managed_of(call);
    struct sty_launch_status status;
    if (status_of(&status, &managed, err) < 0)
        return -1;
    return status.state == STY_LAUNCH_RUNNING ? 0 : begin_anew(&managed, err);
}

static int stop(const struct sty_provider_call *call, struct sty_error *err)
{
    auto_managed managed = managed_of(call);
    return end(&managed, err);
}

static int take_away(const struct sty_provider_call *call, struct sty_error *err)
{
    auto_managed managed = managed_of(call);
    if (end(&managed, err) < 0)
        return -1;
    managed.launch->forget(managed.launch->self, managed.token);
    unlink(managed.record);
    unlink(managed.output);
    sty_auto_free char *rotated = sty_sprintf("%s.1", managed.output);
    unlink(rotated);
    return 0;
}

static int health(bool *healthy, const struct sty_provider_call *call, struct sty_error *err)
{
    auto_managed managed = managed_of(call);
    struct sty_launch_status status;
    struct sty_observation words = {.state = STY_OBSERVED_SAME};
    if (status_of(&status, &managed, err) < 0)
        return -1;
    *healthy = status.state == STY_LAUNCH_RUNNING;
    if (!*healthy) {
        say_ended(&words, &status);
        sty_error_set(err, STY_FAILED, "%s: %s", sty_call_id(call), words.message);
    }
    return 0;
}

const struct sty_provider sty_provider_process = {.type = "process",
                                                  .has_run_state = true,
                                                  .check = check,
                                                  .observe = observe,
                                                  .apply = apply,
                                                  .remove = take_away,
                                                  .start = start,
                                                  .stop = stop,
                                                  .health = health};
