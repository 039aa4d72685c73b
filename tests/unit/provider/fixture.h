/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* fixture: a host of our own. A scratch folder with a root, a state directory and driver files; secrets by name; a
 * launcher that either only remembers or runs the program to its end at once. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdbool.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/process.h"
#include "provider/provider_internal.h"

#define KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

struct fixture {
    char path[64], root[96], state[96], driver[96];
    const char *allow[3];
    const char *blob, *secret; /* secret NULL: it cannot be read */
    bool cancel;
    struct {
        bool real, dies;
        enum sty_launch_state state;
        int exit_status, starts, ends, signal;
        char token[40], argv[1024], environment[2048], user[64], output[256], directory[256];
    } launcher;
    int64_t now;
    struct sty_world world;
    struct sty_launch launch;
    struct sty_host host;
};

static inline int fixture_blob(void *self, char **bytes, size_t *length, const char *digest, struct sty_error *err)
{
    struct fixture *fixture = self;
    char own[STY_DIGEST_SIZE];
    sty_digest(own, fixture->blob, strlen(fixture->blob));
    if (!sty_streq(own, digest))
        return sty_error_set(err, STY_CORRUPT, "no blob %s", digest);
    *length = strlen(fixture->blob);
    *bytes = sty_strdup(fixture->blob);
    return 0;
}

static inline int fixture_secret(void *self, char **bytes, size_t *length, const json_t *reference,
                                 struct sty_error *err)
{
    struct fixture *fixture = self;
    if (!fixture->secret)
        return sty_error_set(err, STY_DENIED, "%s is not allowed", sty_json_text(reference, "from_env", "?"));
    *length = strlen(fixture->secret);
    *bytes = sty_strdup(fixture->secret);
    return 0;
}

static inline int fixture_driver(void *self, const char **path, const char *digest, struct sty_error *err)
{
    struct fixture *fixture = self;
    if (!digest)
        return sty_error_set(err, STY_NOT_FOUND, "no driver files");
    *path = fixture->driver;
    return 0;
}

static inline void fixture_join(char *out, size_t size, const char *const *words)
{
    out[0] = '\0';
    for (; *words; words++)
        snprintf(out + strlen(out), size - strlen(out), "%s\n", *words);
}

static inline int fixture_run(struct fixture *fixture, const struct sty_launch_spec *spec, struct sty_error *err)
{
    sty_auto(process_result) result = {0};
    const struct sty_process_spec run = {.argv = spec->argv,
                                         .environment = spec->environment,
                                         .directory = spec->directory,
                                         .output_limit = 1 << 20,
                                         .timeout_ms = 20000};
    if (sty_process_run(&result, &run, err) < 0)
        return -1;
    sty_str_append_bytes(&result.output, result.error.data, result.error.length);
    fixture->launcher.state = STY_LAUNCH_ENDED;
    fixture->launcher.exit_status = result.status;
    return sty_file_replace(spec->output, result.output.data, result.output.length, 0600, err);
}

static inline int fixture_start(void *self, const struct sty_launch_spec *spec, struct sty_error *err)
{
    struct fixture *fixture = self;
    assert_int_equal(strlen(spec->token), 32);
    assert_int_equal(fixture->launcher.state, STY_LAUNCH_ABSENT);
    fixture->launcher.starts++;
    snprintf(fixture->launcher.token, sizeof(fixture->launcher.token), "%s", spec->token);
    snprintf(fixture->launcher.user, sizeof(fixture->launcher.user), "%s", spec->user ? spec->user : "");
    snprintf(fixture->launcher.output, sizeof(fixture->launcher.output), "%s", spec->output);
    snprintf(fixture->launcher.directory, sizeof(fixture->launcher.directory), "%s", spec->directory);
    fixture_join(fixture->launcher.argv, sizeof(fixture->launcher.argv), spec->argv);
    fixture_join(fixture->launcher.environment, sizeof(fixture->launcher.environment), spec->environment);
    if (fixture->launcher.real)
        return fixture_run(fixture, spec, err);
    fixture->launcher.state = fixture->launcher.dies ? STY_LAUNCH_ENDED : STY_LAUNCH_RUNNING;
    fixture->launcher.exit_status = 7;
    if (fixture->launcher.dies)
        return sty_file_replace(spec->output, "cannot bind: top secret\n", 24, 0600, err);
    return 0;
}

static inline int fixture_status(void *self, struct sty_launch_status *out, const char *token, struct sty_error *err)
{
    struct fixture *fixture = self;
    (void)err;
    bool known = sty_streq(token, fixture->launcher.token);
    *out = (struct sty_launch_status){known ? fixture->launcher.state : STY_LAUNCH_ABSENT,
                                      fixture->launcher.exit_status, 42};
    return 0;
}

static inline int fixture_wait(void *self, struct sty_launch_status *out, const char *token, int64_t timeout_ms,
                               const bool *cancel, struct sty_error *err)
{
    (void)timeout_ms, (void)cancel;
    return fixture_status(self, out, token, err);
}

static inline int fixture_end(void *self, const char *token, int number, int64_t grace_ms, struct sty_error *err)
{
    struct fixture *fixture = self;
    (void)err, (void)grace_ms;
    fixture->launcher.ends++;
    fixture->launcher.signal = number;
    if (sty_streq(token, fixture->launcher.token) && fixture->launcher.state == STY_LAUNCH_RUNNING)
        fixture->launcher.state = STY_LAUNCH_ENDED;
    return 0;
}

static inline void fixture_forget(void *self, const char *token)
{
    struct fixture *fixture = self;
    if (sty_streq(token, fixture->launcher.token))
        fixture->launcher.state = STY_LAUNCH_ABSENT;
}

static inline int64_t fixture_now(void *self)
{
    return ((struct fixture *)self)->now;
}

static inline void fixture_sleep(void *self, int64_t ms)
{
    ((struct fixture *)self)->now += ms;
}

static inline int fixture_make(void **state)
{
    struct fixture *f = sty_calloc(1, sizeof(*f));
    struct sty_error err;
    snprintf(f->path, sizeof(f->path), "%s", "/tmp/styrmin-provider-XXXXXX");
    if (!mkdtemp(f->path))
        return -1;
    snprintf(f->root, sizeof(f->root), "%s/root", f->path);
    snprintf(f->state, sizeof(f->state), "%s/root/state", f->path);
    snprintf(f->driver, sizeof(f->driver), "%s/driver", f->path);
    f->allow[0] = f->root;
    f->blob = "", f->secret = "top secret";
    f->world = *sty_world_real();
    f->launch = (struct sty_launch){f, fixture_start, fixture_status, fixture_wait, fixture_end, fixture_forget};
    f->host = (struct sty_host){.world = &f->world,
                                .state_dir = f->state,
                                .allow = f->allow,
                                .blob = fixture_blob,
                                .secret = fixture_secret,
                                .driver_files = fixture_driver,
                                .self = f,
                                .launch = &f->launch,
                                .cancel = &f->cancel};
    *state = f;
    return sty_directory_make(f->state, 0700, &err) < 0 || sty_directory_make(f->driver, 0700, &err) < 0 ? -1 : 0;
}

static inline int fixture_remove(void **state)
{
    struct fixture *f = *state;
    struct sty_error err;
    int failed = sty_directory_remove(f->path, &err);
    free(f);
    return failed;
}

/* Time that only sleeping moves. */
static inline void fixture_fake_time(struct fixture *f)
{
    f->world.self = f;
    f->world.now_ms = f->world.monotonic_ms = fixture_now;
    f->world.sleep_ms = fixture_sleep;
}

/* "root/x" -> below the scratch folder; valid until the next but three calls. */
static inline const char *at(const struct fixture *f, const char *path)
{
    static char paths[4][256];
    static int next;
    char *out = paths[next++ % 4];
    snprintf(out, sizeof(paths[0]), "%s/%s", f->path, path);
    return out;
}

static inline void put_file(const char *path, const char *text, mode_t mode)
{
    struct sty_error err;
    assert_int_equal(sty_file_replace(path, text, strlen(text), mode, &err), 0);
}

static inline void assert_file(const char *path, const char *text)
{
    sty_auto(str) found = STY_STR_INIT;
    struct sty_error err = {0};
    if (sty_file_read(&found, path, 1 << 20, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(found.data, text);
}

static inline bool exists(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

static inline struct sty_provider_call call_of(struct fixture *f, const json_t *resource)
{
    return (struct sty_provider_call){&f->host, resource, "sha256:driver", true, NULL, KEY};
}

static inline const struct sty_provider *provider_of(const struct sty_provider_call *call)
{
    const struct sty_provider *provider = sty_provider_find(sty_json_text(call->resource, "type", ""));
    assert_non_null(provider);
    return provider;
}

/* Steals spec. */
static inline json_t *resource_of(const char *type, json_t *spec)
{
    assert_non_null(spec);
    return json_pack("{s:s, s:s, s:o}", "id", "the:resource", "type", type, "spec", spec);
}

/* The state, and the paths of differences joined by blanks. */
static inline void assert_observed(const struct sty_provider_call *call, enum sty_observed state, const char *paths)
{
    struct sty_error err = {0};
    sty_auto(observation) seen = {.state = STY_OBSERVED_UNKNOWN};
    sty_auto(str) found = STY_STR_INIT;
    size_t index;
    const json_t *entry;
    assert_int_equal(provider_of(call)->observe(&seen, call, &err), 0);
    json_array_foreach (seen.diff, index, entry)
        sty_str_appendf(&found, "%s%s", index ? " " : "", sty_json_text(entry, "path", ""));
    if (seen.state != state)
        fail_msg("state %d, not %d: %s", seen.state, state, seen.message);
    assert_string_equal(found.data, paths);
    sty_auto_free char *text = seen.diff ? json_dumps(seen.diff, 0) : NULL;
    assert_true(!text || !strstr(text, "secret"));
    assert_null(strstr(seen.message, "top secret"));
}

static inline void assert_applied(const struct sty_provider_call *call, bool changed)
{
    struct sty_error err = {0};
    struct sty_applied done = {0};
    if (provider_of(call)->apply(&done, call, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(done.changed, changed);
    assert_observed(call, STY_OBSERVED_SAME, "");
}

/* apply fails with this code, and with words that hold `part` and no secret. */
static inline void assert_refused(const struct sty_provider_call *call, enum sty_code code, const char *part)
{
    struct sty_error err = {0};
    struct sty_applied done = {0};
    assert_int_equal(provider_of(call)->apply(&done, call, &err), -1);
    if (err.code != code || !strstr(err.text, part) || strstr(err.text, "top secret"))
        fail_msg("%s: %s", sty_code_name(err.code), err.text);
}
