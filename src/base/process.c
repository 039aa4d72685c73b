/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Run a helper program to its end: posix_spawn in a session of its own, both outputs drained with a cap, the whole
 * session killed when its time is up.
 */
#include "base/process_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"

static int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int sty_program_find(struct sty_str *path, const char *name, struct sty_error *err)
{
    const char *folders = getenv("PATH");
    for (const char *at = folders ? folders : "/usr/bin:/bin"; *at;) {
        size_t n = strcspn(at, ":");
        sty_auto(str) candidate = STY_STR_INIT;
        sty_str_append_bytes(&candidate, at, n);
        sty_str_appendf(&candidate, "/%s", name);
        if (n > 0 && access(candidate.data, X_OK) == 0) {
            sty_str_append(path, candidate.data);
            return 0;
        }
        at += n + (at[n] == ':');
    }
    return sty_error_set(err, STY_NOT_FOUND, "program '%.200s' is not in PATH", name);
}

static int spawn(pid_t *pid, const struct sty_process_spec *spec, const int ends[3], struct sty_error *err)
{
    extern char **environ;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    for (int i = 0; i < 3; i++)
        posix_spawn_file_actions_adddup2(&actions, ends[i], i);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    if (spec->directory)
        posix_spawn_file_actions_addchdir_np(&actions, spec->directory);
    char *const *environment = spec->environment ? (char *const *)spec->environment : environ;
    int number = posix_spawnp(pid, spec->argv[0], &actions, &attributes, (char *const *)spec->argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (number)
        return sty_error_errno(err, number == ENOENT ? STY_NOT_FOUND : STY_IO, number, "starting %s", spec->argv[0]);
    return 0;
}

/* Make the pipe's end for the child one that is not 0..2 (dup2 onto itself would keep close-on-exec). */
static int make_pipe(int ours_and_theirs[2], bool child_reads)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    int ours = child_reads ? ends[1] : ends[0], theirs = child_reads ? ends[0] : ends[1];
    int moved = fcntl(theirs, F_DUPFD_CLOEXEC, 10);
    close(theirs);
    fcntl(ours, F_SETFL, O_NONBLOCK);
    ours_and_theirs[0] = ours;
    ours_and_theirs[1] = moved;
    if (moved < 0)
        close(ours);
    return moved < 0 ? -1 : 0;
}

int sty_child_start(struct sty_child *out, const struct sty_process_spec *spec, bool keep_input, struct sty_error *err)
{
    int pipes[3][2] = {{-1, -1}, {-1, -1}, {-1, -1}};
    bool ok = true;
    if (spec->input || keep_input)
        ok = make_pipe(pipes[0], true) == 0;
    else
        ok = (pipes[0][1] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;
    ok = ok && make_pipe(pipes[1], false) == 0 && make_pipe(pipes[2], false) == 0;
    int result = ok ? 0 : sty_error_errno(err, STY_IO, errno, "pipes for %s", spec->argv[0]);
    struct sty_child child = {0, pipes[0][0], pipes[1][0], pipes[2][0]};
    if (ok)
        result = spawn(&child.pid, spec, (int[]){pipes[0][1], pipes[1][1], pipes[2][1]}, err);
    for (int i = 0; i < 3; i++) {
        sty_close_fd(&pipes[i][1]);
        if (result < 0)
            sty_close_fd(&pipes[i][0]);
    }
    if (result == 0)
        *out = child;
    return result;
}

void sty_child_end(struct sty_child *child)
{
    sty_close_fd(&child->input);
    sty_close_fd(&child->output);
    sty_close_fd(&child->error);
    if (child->pid > 0) {
        kill(-child->pid, SIGKILL);
        while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
            ;
        child->pid = 0;
    }
}

/* Read what is there; closes the end when it is over. */
static void drain(int *fd, struct sty_str *into, size_t limit)
{
    char buffer[16384];
    ssize_t n = read(*fd, buffer, sizeof buffer);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        sty_close_fd(fd);
        return;
    }
    size_t room = into->length < limit ? limit - into->length : 0;
    sty_str_append_bytes(into, buffer, (size_t)n < room ? (size_t)n : room);
}

static void feed(int *fd, const struct sty_process_spec *spec, size_t *fed)
{
    ssize_t n = write(*fd, (const char *)spec->input + *fed, spec->input_length - *fed);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    *fed += n > 0 ? (size_t)n : 0;
    if (n <= 0 || *fed == spec->input_length)
        sty_close_fd(fd);
}

/* Until both outputs are closed; true if time ran out. */
static bool pump(struct sty_child *child, struct sty_process_result *result, const struct sty_process_spec *spec)
{
    int64_t end = monotonic_ms() + spec->timeout_ms;
    size_t fed = 0;
    if (child->input >= 0 && spec->input_length == 0)
        sty_close_fd(&child->input);
    while (child->output >= 0 || child->error >= 0) {
        struct pollfd polls[3] = {{child->output, POLLIN, 0}, {child->error, POLLIN, 0}, {child->input, POLLOUT, 0}};
        int64_t left = end - monotonic_ms();
        if (left <= 0)
            return true;
        if (poll(polls, 3, left > 1000 ? 1000 : (int)left) <= 0)
            continue;
        if (polls[0].revents)
            drain(&child->output, &result->output, spec->output_limit);
        if (polls[1].revents)
            drain(&child->error, &result->error, spec->output_limit);
        if (polls[2].revents)
            feed(&child->input, spec, &fed);
    }
    for (siginfo_t info = {0};;) {
        if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOWAIT | WNOHANG) == 0 && info.si_pid != 0)
            return false;
        if (monotonic_ms() >= end)
            return true;
        usleep(1000);
    }
}

void sty_process_result_clear(struct sty_process_result *result)
{
    sty_str_clear(&result->output);
    sty_str_clear(&result->error);
}

int sty_process_run(struct sty_process_result *result, const struct sty_process_spec *spec, struct sty_error *err)
{
    struct sty_child child;
    if (sty_child_start(&child, spec, false, err) < 0)
        return -1;
    struct sty_process_result r = {0, false, STY_STR_INIT, STY_STR_INIT};
    r.timed_out = pump(&child, &r, spec);
    if (r.timed_out) {
        sty_child_end(&child);
        sty_process_result_clear(&r);
        return sty_error_set(err, STY_TIMEOUT, "%s did not end within %lld ms", spec->argv[0], (long long)spec->timeout_ms);
    }
    int status = 0;
    while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR)
        ;
    kill(-child.pid, SIGKILL);
    child.pid = 0;
    sty_child_end(&child);
    r.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    *result = r;
    return 0;
}
