/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The launcher: a small process between Styrmin and a program, which lives as long as anything the program started. It
 * writes down who they are before the program begins, keeps what it says, and writes down how it ended; whether Styrmin
 * still lives makes no difference.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/file.h"
#include "run/launcher_internal.h"

#define READY_FD 3

/* What is meant for a terminal's or a group's processes is not meant for us. */
static const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGTSTP, SIGUSR1, SIGUSR2};

struct job {
    char *stem; /* the spec's path without ".spec" */
    json_t *spec;
    struct passwd *user;
    char **argv;
    int claim, go[2], said[2], signals;
    pid_t program;
    bool lets_go; /* it is over though something still runs below us */
    struct sty_launch_output output;
};

/* The only way to complain: who asked reads it, until the program runs. */
static int complain(const struct sty_error *err)
{
    ssize_t put = write(READY_FD, err->text, strlen(err->text));
    return put < 0 ? 2 : 1;
}

static char *path_of(const struct job *job, const char *suffix)
{
    return sty_sprintf("%s.%s", job->stem, suffix);
}

/* Exactly one takes the spec: we, or whoever unlinks it because the start is not wanted any more. */
static int claim(struct job *job, const char *path, struct sty_error *err)
{
    sty_auto_free char *claimed = path_of(job, "claim");
    job->claim = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (job->claim < 0 || flock(job->claim, LOCK_EX | LOCK_NB) < 0 || rename(path, claimed) < 0)
        return sty_error_errno(err, STY_FAILED, errno, "take %s", path);
    sty_auto(str) text = STY_STR_INIT;
    if (sty_file_read(&text, claimed, STY_SPEC_LIMIT, err) < 0)
        return -1;
    return sty_json_parse(&job->spec, text.data, text.length, err);
}

static int find_user(struct job *job, struct sty_error *err)
{
    const char *name = sty_json_text(job->spec, "user", NULL);
    if (!name)
        return 0;
    job->user = getpwnam(name);
    if (!job->user)
        return sty_error_set(err, STY_FAILED, "there is no user '%s'", name);
    return 0;
}

static int become(const struct passwd *user)
{
    if (!user || (user->pw_uid == geteuid() && geteuid() != 0))
        return 0;
    if (initgroups(user->pw_name, user->pw_gid) < 0 || setgid(user->pw_gid) < 0 || setuid(user->pw_uid) < 0)
        return -1;
    return 0;
}

static void die(const char *what, const char *name)
{
    struct sty_error err;
    sty_error_errno(&err, STY_FAILED, errno, "%s '%s'", what, name);
    complain(&err);
    _exit(127);
}

/* In the child: nothing of ours but its three descriptors, its own session, and no step before we are told to. */
static void become_program(struct job *job)
{
    char word = 0;
    sigset_t none;
    close(job->go[1]);
    setsid();
    if (read(job->go[0], &word, 1) != 1)
        _exit(127);
    for (size_t i = 0; i < STY_COUNT(ignored); i++)
        signal(ignored[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    const char *directory = sty_json_text(job->spec, "directory", NULL);
    if (directory && chdir(directory) < 0)
        die("enter", directory);
    if (dup2(job->said[1], STDOUT_FILENO) < 0 || dup2(job->said[1], STDERR_FILENO) < 0 ||
        fcntl(READY_FD, F_SETFD, FD_CLOEXEC) < 0)
        die("start", job->argv[0]);
    umask(022);
    if (become(job->user) < 0)
        die("become", job->user->pw_name);
    execvp(job->argv[0], job->argv);
    die("start", job->argv[0]);
}

static int identify(struct sty_identity *out, pid_t pid, struct sty_error *err)
{
    struct sty_process_stat stat;
    if (!sty_process_stat(&stat, pid))
        return sty_error_set(err, STY_IO, "/proc/%d cannot be read", (int)pid);
    *out = (struct sty_identity){pid, stat.started};
    return 0;
}

static int write_identities(const struct job *job, struct sty_error *err)
{
    struct sty_launched launched = {0};
    sty_auto_free char *path = path_of(job, "pid");
    if (identify(&launched.launcher, getpid(), err) < 0 || identify(&launched.program, job->program, err) < 0)
        return -1;
    return sty_launched_write(path, &launched, err);
}

static int start_program(struct job *job, struct sty_error *err)
{
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, NULL);
    job->signals = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
    if (job->signals < 0 || pipe2(job->go, O_CLOEXEC) < 0 || pipe2(job->said, O_CLOEXEC) < 0 ||
        fcntl(job->said[0], F_SETFL, O_NONBLOCK) < 0)
        return sty_error_errno(err, STY_FAILED, errno, "launcher");
    job->program = fork();
    if (job->program < 0)
        return sty_error_errno(err, STY_FAILED, errno, "fork");
    if (job->program == 0)
        become_program(job);
    close(job->go[0]);
    close(job->said[1]);
    /* Nobody who is not written down runs: without the word it ends by itself. */
    if (write_identities(job, err) < 0)
        return -1;
    if (write(job->go[1], "g", 1) != 1)
        return sty_error_errno(err, STY_FAILED, errno, "launcher");
    close(job->go[1]);
    return 0;
}

/* Reads what is there; false at the end. */
static bool listen_to(struct job *job)
{
    char buffer[16384];
    for (int rounds = 0; rounds < 16; rounds++) {
        ssize_t got = read(job->said[0], buffer, sizeof(buffer));
        if (got < 0)
            return errno == EAGAIN || errno == EINTR;
        if (got == 0)
            return false;
        sty_launch_output_write(&job->output, buffer, (size_t)got);
    }
    return true;
}

static void write_exit(struct job *job, int status)
{
    sty_auto_free char *path = path_of(job, "exit");
    int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    sty_auto_free char *text = sty_sprintf("{\"status\":%d}", code);
    struct sty_error err;
    listen_to(job); /* more than a pipe holds: all that the program itself said */
    if (sty_file_replace(path, text, strlen(text), 0600, &err) < 0)
        _exit(2);
    job->lets_go = code == 0 && sty_json_bool(job->spec, "leaves_daemons", false);
}

/* Ours and what ran away from it and was given to us; false when there is none left, or none that is ours to keep. */
static bool reap(struct job *job)
{
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid < 0 && errno == EINTR)
            continue;
        if (pid <= 0)
            return pid == 0;
        if (pid == job->program)
            write_exit(job, status);
        if (job->lets_go)
            return false;
    }
}

static void attend(struct job *job)
{
    bool talking = true;
    while (reap(job)) {
        struct pollfd polled[] = {{job->signals, POLLIN, 0}, {talking ? job->said[0] : -1, POLLIN, 0}};
        struct signalfd_siginfo info;
        poll(polled, STY_COUNT(polled), -1);
        while (read(job->signals, &info, sizeof(info)) > 0)
            ;
        if (polled[1].revents)
            talking = listen_to(job);
    }
    listen_to(job);
    sty_launch_output_close(&job->output);
}

static int launch(struct job *job, const char *path, struct sty_arena *arena, struct sty_error *err)
{
    if (claim(job, path, err) < 0 || find_user(job, err) < 0)
        return -1;
    job->argv = sty_json_argv(arena, json_object_get(job->spec, "argv"));
    if (!job->argv[0])
        return sty_error_set(err, STY_INVALID, "%s names no program", path);
    sty_launch_output_open(&job->output, sty_json_text(job->spec, "output", NULL),
                           sty_json_int(job->spec, "output_limit", 0));
    return start_program(job, err);
}

static void stand_apart(void)
{
    setsid();
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    for (size_t i = 0; i < STY_COUNT(ignored); i++)
        signal(ignored[i], SIG_IGN);
    if (chdir("/") < 0)
        _exit(2);
}

int sty_launcher_main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[argc - 1] : "";
    if (!sty_ends_with(path, ".spec") || path[0] != '/')
        return 2;
    pid_t first = fork();
    if (first != 0)
        _exit(first < 0 ? 2 : 0);
    stand_apart();
    struct job job = {.stem = sty_strndup(path, strlen(path) - strlen(".spec")), .claim = -1};
    struct sty_arena *arena = sty_arena_new();
    struct sty_error err;
    if (launch(&job, path, arena, &err) < 0)
        _exit(complain(&err));
    close(READY_FD);
    attend(&job);
    _exit(0);
}
