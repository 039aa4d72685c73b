/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking at what was launched, and ending all of it: the program's session, and everything below the launcher, which
 * as a subreaper keeps what ran away from that session. Nothing is signalled that could be somebody else's.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <unistd.h>
#include "base/failpoint.h"
#include "base/file.h"
#include "run/launcher_internal.h"

#define SETTLE_MS 30000
#define KILL_MS 30000

/* True while the launcher that took the claim lives. */
static bool claim_held(const char *path)
{
    sty_auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

static int before_exec(struct sty_launch_status *out, const struct sty_launcher *launcher, const char *token)
{
    sty_auto_free char *claim = sty_launcher_path(launcher->directory, token, "claim");
    if (claim_held(claim))
        *out = (struct sty_launch_status){STY_LAUNCH_RUNNING, -1, 0};
    else
        *out = (struct sty_launch_status){access(claim, F_OK) == 0 ? STY_LAUNCH_ENDED : STY_LAUNCH_ABSENT, -1, 0};
    return 0;
}

int sty_launch_status_of(void *self, struct sty_launch_status *out, const char *token, struct sty_error *err)
{
    struct sty_launcher *launcher = self;
    struct sty_launched launched;
    bool found = false, ended = false;
    int status = -1;
    if (!sty_token_valid(token))
        return sty_error_set(err, STY_INTERNAL, "a launch has a token of 32 hex digits");
    sty_auto_free char *pid_path = sty_launcher_path(launcher->directory, token, "pid");
    sty_auto_free char *exit_path = sty_launcher_path(launcher->directory, token, "exit");
    if (sty_launched_read(&launched, &found, pid_path, err) < 0)
        return -1;
    if (!found)
        return before_exec(out, launcher, token);
    /* Who lives is asked before the exit is read: what ends between the two has written it. */
    bool alive =
        launched.this_boot && (sty_identity_alive(&launched.launcher) || sty_identity_alive(&launched.program));
    if (sty_exit_read(&status, &ended, exit_path, err) < 0)
        return -1;
    *out = (struct sty_launch_status){alive && !ended ? STY_LAUNCH_RUNNING : STY_LAUNCH_ENDED, status,
                                      launched.program.pid};
    return 0;
}

/* ---- who belongs to it ---- */

struct members {
    struct sty_process_stat *all; /* every process there is */
    bool *ours;
    size_t count, capacity, found;
};

static void members_clear(struct members *members)
{
    free(members->all);
    free(members->ours);
}

static void add(struct members *members, const struct sty_process_stat *stat)
{
    if (members->count == members->capacity) {
        members->capacity = members->capacity ? members->capacity * 2 : 256;
        members->all = sty_realloc(members->all, members->capacity * sizeof(*members->all));
    }
    members->all[members->count++] = *stat;
}

static int look_around(struct members *members, struct sty_error *err)
{
    DIR *directory = opendir("/proc");
    if (!directory)
        return sty_error_errno(err, STY_IO, errno, "/proc");
    for (const struct dirent *entry; (entry = readdir(directory));) {
        struct sty_process_stat stat;
        if (isdigit((unsigned char)entry->d_name[0]) && sty_process_stat(&stat, (pid_t)strtol(entry->d_name, NULL, 10)))
            add(members, &stat);
    }
    closedir(directory);
    members->ours = sty_calloc(members->count + 1, sizeof(*members->ours));
    return 0;
}

static bool same(const struct sty_process_stat *stat, const struct sty_identity *identity)
{
    return stat->pid == identity->pid && stat->started == identity->started;
}

/* A session's number is not given out again while one of it lives, unless its leader is somebody else by now. */
static bool session_is_ours(const struct members *members, const struct sty_launched *launched)
{
    for (size_t i = 0; i < members->count; i++)
        if (members->all[i].pid == launched->program.pid)
            return same(&members->all[i], &launched->program);
    return true;
}

static bool parent_is_ours(const struct members *members, const struct sty_launched *launched, pid_t parent)
{
    for (size_t i = 0; i < members->count; i++)
        if (members->all[i].pid == parent)
            return members->ours[i] || same(&members->all[i], &launched->launcher);
    return false;
}

/* The program ended well and may leave daemons: what is in its session is ours to end, and nothing else is. */
static bool lets_go(const struct sty_launcher *launcher, const char *token)
{
    sty_auto_free char *claim = sty_launcher_path(launcher->directory, token, "claim");
    sty_auto_free char *exit_path = sty_launcher_path(launcher->directory, token, "exit");
    sty_auto(str) text = STY_STR_INIT;
    json_auto_t *spec = NULL;
    struct sty_error ignored;
    bool ended = false;
    int status = -1;
    if (sty_exit_read(&status, &ended, exit_path, &ignored) < 0 || !ended || status != 0 ||
        sty_file_read(&text, claim, STY_SPEC_LIMIT, &ignored) < 0 ||
        sty_json_parse(&spec, text.data, text.length, &ignored) < 0)
        return false;
    return sty_json_bool(spec, "leaves_daemons", false);
}

/* Round by round until no child of a member is new; a tree is no deeper than there are processes. */
static void mark(struct members *members, const struct sty_launched *launched)
{
    bool session = session_is_ours(members, launched), more = true;
    while (more) {
        more = false;
        for (size_t i = 0; i < members->count; i++) {
            const struct sty_process_stat *stat = &members->all[i];
            bool in = same(stat, &launched->program) || (session && stat->session == launched->program.pid) ||
                      (!launched->lets_go && parent_is_ours(members, launched, stat->parent));
            if (members->ours[i] || !in || stat->state == 'Z' || stat->state == 'X')
                continue;
            members->ours[i] = more = true;
            members->found++;
        }
    }
}

static void signal_one(const struct sty_process_stat *stat, int number)
{
    struct sty_identity identity = {stat->pid, stat->started};
    sty_auto_fd fd = pidfd_open(stat->pid, 0);
    if (fd >= 0 && sty_identity_alive(&identity))
        pidfd_send_signal(fd, number, NULL, 0);
}

/* Signal what is left (0: only count it); how many there were. */
static int signal_members(size_t *left, const struct sty_launched *launched, int number, struct sty_error *err)
{
    __attribute__((cleanup(members_clear))) struct members members = {0};
    if (look_around(&members, err) < 0)
        return -1;
    mark(&members, launched);
    for (size_t i = 0; number && i < members.count; i++)
        if (members.ours[i])
            signal_one(&members.all[i], number);
    *left = members.found;
    return 0;
}

/* Look until nothing is left or the time is over; `number` is sent each time where `insist`. */
static int drain(size_t *left, const struct sty_launched *launched, int number, bool insist, int64_t time_ms,
                 struct sty_error *err)
{
    int64_t deadline = sty_launch_clock() + time_ms;
    for (int64_t pause = 2;; pause = pause < 100 ? pause * 2 : 100) {
        if (signal_members(left, launched, number, err) < 0)
            return -1;
        if (*left == 0 || sty_launch_clock() >= deadline)
            return 0;
        if (!insist)
            number = 0;
        sty_launch_sleep(pause);
    }
}

/* It ends by itself when it has no child left. */
static void await_launcher(const struct sty_launched *launched)
{
    int64_t deadline = sty_launch_clock() + 5000;
    while (sty_identity_alive(&launched->launcher)) {
        if (sty_launch_clock() >= deadline) {
            struct sty_process_stat stat = {.pid = launched->launcher.pid, .started = launched->launcher.started};
            signal_one(&stat, SIGKILL);
        }
        sty_launch_sleep(2);
    }
}

int sty_claim_settle(struct sty_launcher *launcher, const char *token, struct sty_error *err)
{
    sty_auto_free char *claim = sty_launcher_path(launcher->directory, token, "claim");
    sty_auto_free char *pid_path = sty_launcher_path(launcher->directory, token, "pid");
    int64_t deadline = sty_launch_clock() + SETTLE_MS;
    while (claim_held(claim) && access(pid_path, F_OK) < 0) {
        if (sty_launch_clock() >= deadline)
            return sty_error_set(err, STY_TIMEOUT, "the launcher of %s neither starts its program nor ends", token);
        sty_launch_sleep(2);
    }
    return 0;
}

int sty_launch_end(void *self, const char *token, int signal, int64_t grace_ms, struct sty_error *err)
{
    struct sty_launcher *launcher = self;
    struct sty_launched launched;
    bool found = false;
    size_t left = 0;
    if (!sty_token_valid(token))
        return sty_error_set(err, STY_INTERNAL, "a launch has a token of 32 hex digits");
    sty_auto_free char *spec = sty_launcher_path(launcher->directory, token, "spec");
    sty_auto_free char *pid_path = sty_launcher_path(launcher->directory, token, "pid");
    if (unlink(spec) == 0)
        return 0;
    if (sty_claim_settle(launcher, token, err) < 0 || sty_launched_read(&launched, &found, pid_path, err) < 0)
        return -1;
    if (!found || !launched.this_boot)
        return 0;
    launched.lets_go = lets_go(launcher, token);
    if (drain(&left, &launched, signal, false, grace_ms, err) < 0)
        return -1;
    if (left && drain(&left, &launched, SIGKILL, true, KILL_MS, err) < 0)
        return -1;
    if (left)
        return sty_error_set(err, STY_FAILED, "%zu processes of %s do not end, not even by SIGKILL", left, token);
    await_launcher(&launched);
    (void)sty_failpoint(launch_ended);
    return 0;
}
