/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The side of the launcher that asks. It writes down what is to start before it starts anything, so that whoever comes
 * after a crash finds either nothing, or a file that names what runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/failpoint.h"
#include "base/file.h"
#include "run/launcher_internal.h"

#define READY_FD 3
#define READY_MS 30000
#define LOOK_MS 50

static json_t *argv_json(const char *const *argv)
{
    json_t *out = json_array();
    for (; *argv; argv++)
        json_array_append_new(out, sty_json_string(*argv));
    return out;
}

static int check_spec(const struct sty_launch_spec *spec, struct sty_error *err)
{
    if (!sty_token_valid(spec->token))
        return sty_error_set(err, STY_INTERNAL, "a launch wants a token of 32 hex digits");
    if (!spec->argv[0] || !spec->argv[0][0])
        return sty_error_set(err, STY_INVALID, "the program has no name");
    for (size_t i = 0; spec->argv[i]; i++)
        if (!sty_utf8_valid(spec->argv[i], strlen(spec->argv[i])))
            return sty_error_set(err, STY_INVALID, "argument %zu of '%s' is no UTF-8", i, spec->argv[0]);
    return 0;
}

/* Without the environment: it may hold secrets, and is inherited. */
static int write_spec(const char *path, const struct sty_launch_spec *spec, struct sty_error *err)
{
    json_auto_t *json = json_object();
    json_object_set_new(json, "argv", argv_json(spec->argv));
    json_object_set_new(json, "directory", sty_json_string_or_null(spec->directory));
    json_object_set_new(json, "user", sty_json_string_or_null(spec->user));
    json_object_set_new(json, "output", sty_json_string_or_null(spec->output));
    json_object_set_new(json, "output_limit", json_integer(spec->output_limit));
    json_object_set_new(json, "leaves_daemons", json_boolean(spec->leaves_daemons));
    sty_auto_free char *text = sty_json_canonical_text(json);
    return sty_file_replace(path, text, strlen(text), 0600, err);
}

static int describe(posix_spawn_file_actions_t *actions, int ready)
{
    int number = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
    if (!number)
        number = posix_spawn_file_actions_addopen(actions, 1, "/dev/null", O_WRONLY, 0);
    if (!number)
        number = posix_spawn_file_actions_adddup2(actions, 1, 2);
    if (!number)
        number = posix_spawn_file_actions_adddup2(actions, ready, READY_FD);
    if (!number)
        number = posix_spawn_file_actions_addclosefrom_np(actions, READY_FD + 1);
    return number;
}

static int spawn(pid_t *pid, const char *program, const char *path, const struct sty_launch_spec *spec, int ready)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    char *const argv[] = {"styrmin", "launch", (char *)path, NULL};
    if (posix_spawn_file_actions_init(&actions) != 0 || posix_spawnattr_init(&attributes) != 0)
        abort();
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int number = describe(&actions, ready);
    if (!number)
        number = posix_spawn(pid, program, &actions, &attributes, argv, (char *const *)spec->environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return number;
}

/* The launcher forks and its first half ends at once: it is nobody's child that has to wait for it. */
static void reap(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* What is said on the pipe until all hold of it is gone (exec closes it): nothing is good news. */
static int hear(int ready, const struct sty_launch_spec *spec, struct sty_error *err)
{
    char words[256];
    size_t length = 0;
    int64_t deadline = sty_launch_clock() + READY_MS;
    while (length < sizeof(words) - 1) {
        struct pollfd polled = {ready, POLLIN, 0};
        int64_t left = deadline - sty_launch_clock();
        if (left <= 0)
            return sty_error_set(err, STY_TIMEOUT, "the launcher of '%s' does not answer", spec->argv[0]);
        if (poll(&polled, 1, (int)left) <= 0)
            continue;
        ssize_t got = read(ready, words + length, sizeof(words) - 1 - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        length += (size_t)got;
    }
    words[length] = '\0';
    return length ? sty_error_set(err, STY_FAILED, "%s", words) : 0;
}

static int make_ready(int ends[2], struct sty_error *err)
{
    if (pipe2(ends, O_CLOEXEC) < 0)
        return sty_error_errno(err, STY_IO, errno, "launcher");
    /* Not READY_FD itself: dup2 onto itself would keep close-on-exec. */
    int high = fcntl(ends[1], F_DUPFD_CLOEXEC, READY_FD + 1);
    if (high < 0) {
        int number = errno;
        close(ends[0]);
        close(ends[1]);
        return sty_error_errno(err, STY_IO, number, "launcher");
    }
    close(ends[1]);
    ends[1] = high;
    return 0;
}

static int begin(struct sty_launcher *launcher, const char *path, const struct sty_launch_spec *spec,
                 struct sty_error *err)
{
    int ends[2];
    pid_t pid;
    if (make_ready(ends, err) < 0)
        return -1;
    sty_auto_fd ours = ends[0];
    sty_auto_fd theirs = ends[1];
    int number = spawn(&pid, launcher->program, path, spec, theirs);
    sty_close_fd(&theirs);
    theirs = -1;
    if (number)
        return sty_error_errno(err, STY_FAILED, number, "start the launcher '%s'", launcher->program);
    reap(pid);
    return hear(ours, spec, err);
}

static void forget(void *self, const char *token)
{
    static const char *const suffixes[] = {"spec", "claim", "pid", "exit"};
    struct sty_launcher *launcher = self;
    for (size_t i = 0; sty_token_valid(token) && i < STY_COUNT(suffixes); i++) {
        sty_auto_free char *path = sty_launcher_path(launcher->directory, token, suffixes[i]);
        unlink(path);
    }
}

static int check_started(struct sty_launcher *launcher, const struct sty_launch_spec *spec, struct sty_error *err)
{
    struct sty_launch_status status;
    if (sty_launch_status_of(launcher, &status, spec->token, err) < 0)
        return -1;
    if (status.state == STY_LAUNCH_ABSENT)
        return sty_error_set(err, STY_FAILED, "the launcher '%s' did not start '%s'", launcher->program, spec->argv[0]);
    return 0;
}

static int start(void *self, const struct sty_launch_spec *spec, struct sty_error *err)
{
    struct sty_launcher *launcher = self;
    if (check_spec(spec, err) < 0)
        return -1;
    sty_auto_free char *path = sty_launcher_path(launcher->directory, spec->token, "spec");
    if (write_spec(path, spec, err) < 0)
        return sty_error_wrap(err, "start '%s'", spec->argv[0]);
    int failed = sty_failpoint(launch_spawn);
    if (failed)
        sty_error_errno(err, STY_FAILED, failed, "start '%s'", spec->argv[0]);
    if (failed || begin(launcher, path, spec, err) < 0 || check_started(launcher, spec, err) < 0) {
        struct sty_error ignored;
        sty_launch_end(launcher, spec->token, SIGKILL, 0, &ignored);
        forget(launcher, spec->token);
        return -1;
    }
    (void)sty_failpoint(launch_spawned);
    return 0;
}

static bool cancelled(const bool *cancel)
{
    return cancel && __atomic_load_n(cancel, __ATOMIC_RELAXED);
}

/* Until the program's end wakes us, or it is time to look at *cancel again. */
static void doze(int64_t pid, int64_t left)
{
    int most = (int)(left < LOOK_MS ? left : LOOK_MS);
    sty_auto_fd fd = pid > 0 ? pidfd_open((pid_t)pid, 0) : -1;
    struct pollfd polled = {fd, POLLIN, 0};
    /* Its end is written down a moment after it ends. */
    if (fd < 0 || poll(&polled, 1, most) > 0)
        sty_launch_sleep(1);
}

static int wait_for(void *self, struct sty_launch_status *out, const char *token, int64_t timeout_ms,
                    const bool *cancel, struct sty_error *err)
{
    int64_t now = sty_launch_clock(), deadline = timeout_ms > INT64_MAX - now ? INT64_MAX : now + timeout_ms;
    struct sty_launch_status status;
    for (;;) {
        if (sty_launch_status_of(self, &status, token, err) < 0)
            return -1;
        int64_t left = deadline - sty_launch_clock();
        if (status.state != STY_LAUNCH_RUNNING || left <= 0 || cancelled(cancel))
            break;
        doze(status.pid, left);
    }
    if (status.state == STY_LAUNCH_ENDED)
        (void)sty_failpoint(launch_ended);
    *out = status;
    return 0;
}

int sty_launcher_open(struct sty_launcher **out, const char *state_dir, const char *program, struct sty_error *err)
{
    sty_auto_free char *directory = sty_sprintf("%s/run", state_dir);
    char whole[PATH_MAX];
    if (sty_directory_make(directory, 0700, err) < 0)
        return -1;
    if (!realpath(directory, whole))
        return sty_error_errno(err, STY_IO, errno, "%s", directory);
    struct sty_launcher *launcher = sty_calloc(1, sizeof(*launcher));
    launcher->directory = sty_strdup(whole);
    launcher->program = sty_strdup(program);
    launcher->interface = (struct sty_launch){launcher, start, sty_launch_status_of, wait_for, sty_launch_end, forget};
    *out = launcher;
    return 0;
}

const struct sty_launch *sty_launcher_interface(struct sty_launcher *launcher)
{
    return &launcher->interface;
}

void sty_launcher_free(struct sty_launcher *launcher)
{
    if (!launcher)
        return;
    free(launcher->directory);
    free(launcher->program);
    free(launcher);
}
