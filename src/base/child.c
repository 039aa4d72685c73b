/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child: starting and ending a program. It gets a session of its own, so that a time-out can end all it started, no
 * descriptor but its three, default signals, and no blocked ones, whatever we have set for ourselves.
 */
#include "base/process_internal.h"
#include "base/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define POLL_MS 5

int64_t sty_child_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool executable(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

/* Entries that are not absolute are passed over: what runs must not depend on the folder we stand in. */
static int find_program(struct sty_str *out, const char *name, const char *places, struct sty_error *err)
{
    sty_auto(str) candidate = STY_STR_INIT;
    for (const char *at = places; *at;) {
        size_t length = strcspn(at, ":");
        sty_str_reset(&candidate);
        sty_str_append_bytes(&candidate, at, length);
        sty_str_append_char(&candidate, '/');
        sty_str_append(&candidate, name);
        if (*at == '/' && executable(candidate.data)) {
            sty_str_append(out, candidate.data);
            return 0;
        }
        at += length + (at[length] == ':');
    }
    return sty_error_set(err, STY_NOT_FOUND, "program '%s' is not in PATH", name);
}

static int locate(struct sty_str *out, const char *name, const char *places, struct sty_error *err)
{
    if (!*name)
        return sty_error_set(err, STY_INVALID, "the program has no name");
    if (!strchr(name, '/'))
        return find_program(out, name, places ? places : DEFAULT_PATH, err);
    sty_str_append(out, name);
    return 0;
}

int sty_program_find(struct sty_str *path, const char *name, struct sty_error *err)
{
    if (strchr(name, '/') && !executable(name))
        return sty_error_set(err, STY_NOT_FOUND, "'%s' is not a program", name);
    return locate(path, name, getenv("PATH"), err);
}

static const char *path_of(const char *const *environment)
{
    for (; *environment; environment++) {
        if (sty_starts_with(*environment, "PATH="))
            return *environment + strlen("PATH=");
    }
    return NULL;
}

/* Both ends above 2, so that putting one on 0, 1 or 2 never closes another. */
static int make_pipe(int ends[2])
{
    int raw[2];
    if (pipe2(raw, O_CLOEXEC) < 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        ends[i] = raw[i] > STDERR_FILENO ? raw[i] : fcntl(raw[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        if (ends[i] != raw[i])
            close(raw[i]);
    }
    return ends[0] < 0 || ends[1] < 0 ? -1 : 0;
}

struct pipes {
    int ends[3][2]; /* stdin, stdout, stderr: read end, write end */
};

static void pipes_clear(struct pipes *pipes)
{
    for (int i = 0; i < 3; i++) {
        sty_close_fd(&pipes->ends[i][0]);
        sty_close_fd(&pipes->ends[i][1]);
    }
}

static int open_pipes(struct pipes *pipes, bool input)
{
    for (int i = input ? 0 : 1; i < 3; i++) {
        if (make_pipe(pipes->ends[i]) < 0)
            return -1;
        int ours = pipes->ends[i][i == 0];
        if (fcntl(ours, F_SETFL, O_NONBLOCK) < 0)
            return -1;
    }
    return 0;
}

static int describe(posix_spawn_file_actions_t *actions, const struct pipes *pipes, const char *directory)
{
    int number = pipes->ends[0][0] >= 0 ? posix_spawn_file_actions_adddup2(actions, pipes->ends[0][0], 0)
                                        : posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
    if (!number)
        number = posix_spawn_file_actions_adddup2(actions, pipes->ends[1][1], 1);
    if (!number)
        number = posix_spawn_file_actions_adddup2(actions, pipes->ends[2][1], 2);
    if (!number)
        number = posix_spawn_file_actions_addclosefrom_np(actions, 3);
    if (!number && directory)
        number = posix_spawn_file_actions_addchdir_np(actions, directory);
    return number;
}

static int describe_signals(posix_spawnattr_t *attributes)
{
    static const int defaults[] = {SIGPIPE, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGCHLD};
    sigset_t none, reset;
    sigemptyset(&none);
    sigemptyset(&reset);
    for (size_t i = 0; i < STY_COUNT(defaults); i++)
        sigaddset(&reset, defaults[i]);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &reset);
    return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

static int spawn(pid_t *pid, const char *program, const struct sty_process_spec *spec, const struct pipes *pipes)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char *const *environment = spec->environment ? (char *const *)spec->environment : environ;
    if (posix_spawn_file_actions_init(&actions) != 0 || posix_spawnattr_init(&attributes) != 0)
        abort();
    int number = describe(&actions, pipes, spec->directory);
    if (!number)
        number = describe_signals(&attributes);
    if (!number)
        number = posix_spawn(pid, program, &actions, &attributes, (char *const *)spec->argv, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return number;
}

int sty_child_start(struct sty_child *child, const struct sty_process_spec *spec, bool input, struct sty_error *err)
{
    sty_auto(str) program = STY_STR_INIT;
    __attribute__((cleanup(pipes_clear))) struct pipes pipes = {{{-1, -1}, {-1, -1}, {-1, -1}}};
    const char *places = spec->environment ? path_of(spec->environment) : getenv("PATH");
    if (spec->timeout_ms <= 0)
        return sty_error_set(err, STY_INTERNAL, "program '%s' would run without a time limit", spec->argv[0]);
    if (locate(&program, spec->argv[0], places, err) < 0)
        return -1;
    if (open_pipes(&pipes, input) < 0)
        return sty_error_errno(err, STY_IO, errno, "start '%s'", spec->argv[0]);
    pid_t pid;
    int number = spawn(&pid, program.data, spec, &pipes);
    if (number)
        return sty_error_errno(err, number == ENOENT || number == ENOTDIR ? STY_NOT_FOUND : STY_IO, number,
                               "start '%s'", spec->argv[0]);
    *child = (struct sty_child){pid, pidfd_open(pid, 0), pipes.ends[0][1], pipes.ends[1][0], pipes.ends[2][0]};
    pipes.ends[0][1] = pipes.ends[1][0] = pipes.ends[2][0] = -1;
    return 0;
}

ssize_t sty_child_write(int fd, const void *bytes, size_t length)
{
    const struct timespec at_once = {0};
    sigset_t pipe_signal, before, pending;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    ssize_t put = write(fd, bytes, length);
    int kept = errno;
    if (put < 0 && kept == EPIPE && !sigismember(&pending, SIGPIPE))
        sigtimedwait(&pipe_signal, NULL, &at_once);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = kept;
    return put;
}

bool sty_child_ended(const struct sty_child *child)
{
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
        return errno != EINTR;
    return info.si_pid == child->pid;
}

int sty_child_patience(const struct sty_child *child, int64_t deadline)
{
    int64_t left = deadline - sty_child_clock();
    int64_t most = child->pidfd < 0 ? POLL_MS : 60000;
    return (int)(left < 0 ? 0 : left < most ? left : most);
}

bool sty_child_wait(const struct sty_child *child, int64_t deadline)
{
    struct pollfd end = {child->pidfd, POLLIN, 0};
    while (!sty_child_ended(child)) {
        if (sty_child_clock() >= deadline)
            return false;
        poll(&end, 1, sty_child_patience(child, deadline));
    }
    return true;
}

void sty_child_signal(const struct sty_child *child, int number)
{
    if (child->pid > 1)
        kill(-child->pid, number);
}

int sty_child_reap(struct sty_child *child)
{
    int status = 0;
    pid_t got;
    do
        got = waitpid(child->pid, &status, 0);
    while (got < 0 && errno == EINTR);
    child->pid = 0;
    if (got < 0)
        return 255;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void sty_child_close(struct sty_child *child)
{
    sty_close_fd(&child->pidfd);
    sty_close_fd(&child->input);
    sty_close_fd(&child->output);
    sty_close_fd(&child->error);
}
