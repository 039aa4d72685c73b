/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor: the state directory and what stands in it. SQLite's WAL needs a local file system; a state directory that
 * files of the repository can reach would let a commit rewrite what Styrmin remembers.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/doctor.h"
#include "report/report.h"
#include "styrmin/world.h"

#define NAME "state_dir"
#define SPACE_FAILED ((uint64_t)16 << 20)
#define SPACE_WARNING ((uint64_t)256 << 20)

static const struct {
    unsigned long type;
    const char *name;
} remote_systems[] = {{0x6969, "nfs"},      {0x517b, "smb"},      {0xff534d42, "cifs"}, {0xfe534d42, "smb2"},
                      {0x01021997, "9p"},   {0x00c36400, "ceph"}, {0x5346414f, "afs"},  {0x0bd00bd0, "lustre"},
                      {0x47504653, "gpfs"}, {0x01161970, "gfs2"}, {0x73757245, "coda"}};

/* The directory itself, or the nearest folder above it that is there; real path, in the arena. */
static const char *nearest(const struct sty_doctor *doctor)
{
    sty_auto_free char *path = sty_strdup(doctor->configuration->state_dir);
    for (;;) {
        sty_auto_free char *real = realpath(path, NULL);
        if (real)
            return sty_arena_strdup(doctor->arena, real);
        if (errno != ENOENT)
            return sty_arena_strdup(doctor->arena, path);
        sty_auto_free char *copy = sty_strdup(path);
        char *above = sty_strdup(dirname(copy));
        free(path);
        path = above;
    }
}

static bool is_within(const char *path, const char *root)
{
    size_t length = strlen(root);
    while (length && root[length - 1] == '/')
        length--;
    return strncmp(path, root, length) == 0 && (!path[length] || path[length] == '/');
}

static void check_overlap(struct sty_doctor *doctor)
{
    const char *const *allow = doctor->configuration->allow;
    sty_auto_free char *real_state = realpath(doctor->configuration->state_dir, NULL);
    const char *state = real_state ? real_state : doctor->configuration->state_dir;
    for (size_t i = 0; allow[i]; i++) {
        sty_auto_free char *real_root = realpath(allow[i], NULL);
        const char *root = real_root ? real_root : allow[i];
        if (is_within(state, root) || is_within(root, state))
            sty_finding(doctor, "host.allow", STY_FINDING_FAILED, "give the two folders of their own, side by side",
                        "%s and the state directory %s are one in the other", allow[i], state);
    }
}

static void check_owner(struct sty_doctor *doctor, const char *directory)
{
    struct stat status;
    if (stat(directory, &status) < 0)
        return;
    if (status.st_mode & (S_IWGRP | S_IWOTH))
        sty_finding(doctor, NAME, STY_FINDING_FAILED, sty_arena_printf(doctor->arena, "chmod 0700 %s", directory),
                    "%s can be written by others (mode %04o)", directory, status.st_mode & 07777);
    if (status.st_uid != geteuid())
        sty_finding(doctor, NAME, STY_FINDING_WARNING, "run Styrmin always as the same user",
                    "%s belongs to user %u, this is user %u", directory, status.st_uid, geteuid());
}

static void check_file_system(struct sty_doctor *doctor, const char *directory)
{
    struct statfs system;
    if (statfs(directory, &system) < 0)
        return;
    for (size_t i = 0; i < STY_COUNT(remote_systems); i++)
        if (((unsigned long)system.f_type & 0xffffffffUL) == remote_systems[i].type)
            sty_finding(doctor, NAME, STY_FINDING_FAILED, "the ledger needs a disk of this machine: move state_dir",
                        "%s is on a file system of the network (%s)", directory, remote_systems[i].name);
    uint64_t free_bytes = (uint64_t)system.f_bavail * (uint64_t)system.f_bsize;
    if (free_bytes < SPACE_WARNING)
        sty_finding(doctor, NAME, free_bytes < SPACE_FAILED ? STY_FINDING_FAILED : STY_FINDING_WARNING,
                    "make room, or run `styrmin ledger prune`", "%s has %llu MiB left", directory,
                    (unsigned long long)(free_bytes >> 20));
}

void sty_doctor_state_dir(struct sty_doctor *doctor)
{
    const char *directory = doctor->configuration->state_dir, *found = nearest(doctor);
    struct stat status;
    bool there = access(directory, F_OK) == 0;
    if (stat(found, &status) < 0 || !S_ISDIR(status.st_mode))
        sty_finding(doctor, NAME, STY_FINDING_FAILED, "name another state_dir", "%s is no folder", found);
    else if (faccessat(AT_FDCWD, found, W_OK | X_OK, AT_EACCESS) < 0)
        sty_finding(doctor, NAME, STY_FINDING_FAILED,
                    there ? "make it writable for this user, or name another state_dir"
                          : "make the folder for this user, or name another state_dir",
                    there ? "%s cannot be written" : "%s is not there and cannot be made", directory);
    else
        sty_finding(doctor, NAME, STY_FINDING_OK, NULL, there ? "%s" : "%s will be made", directory);
    if (there)
        check_owner(doctor, found);
    check_file_system(doctor, found);
    check_overlap(doctor);
}

void sty_doctor_lock(struct sty_doctor *doctor)
{
    char holder[24];
    sty_auto_free char *path = sty_sprintf("%s/lock", doctor->configuration->state_dir);
    if (!sty_lock_is_held(holder, path))
        sty_finding(doctor, "lock", STY_FINDING_OK, NULL, "free");
    else
        sty_finding(doctor, "lock", STY_FINDING_OK, NULL,
                    "held by %s%s, a server always or a sync until its end: another sync exits 75 meanwhile",
                    *holder ? "process " : "another process", holder);
}

/* ---- ledger ---- */

static void check_contents(struct sty_doctor *doctor, struct sty_ledger *ledger)
{
    json_auto_t *problems = NULL;
    struct sty_error err;
    const char *remedy = "`styrmin ledger check` says all; a backup or `ledger rebuild` puts it right";
    if (sty_ledger_check(&problems, ledger, &err) < 0)
        sty_finding(doctor, "ledger", STY_FINDING_FAILED, remedy, "%s", err.text);
    else if (json_array_size(problems) > 0)
        sty_finding(doctor, "ledger", STY_FINDING_FAILED, remedy, "%s", json_string_value(json_array_get(problems, 0)));
    else
        sty_finding(doctor, "ledger", STY_FINDING_OK, NULL, "whole, of installation %s",
                    sty_ledger_installation(ledger));
}

/* Times order everything that the ledger holds. */
static void check_clock(struct sty_doctor *doctor, struct sty_ledger *ledger)
{
    const struct sty_world *world = sty_world_real();
    int64_t newest = 0, now = world->now_ms(world->self);
    struct sty_error err;
    char then_text[32], now_text[32];
    if (sty_ledger_number(&newest, ledger, &err, "SELECT coalesce(max(at), 0) FROM events", "") < 0)
        return;
    if (newest > now)
        sty_finding(doctor, "clock", STY_FINDING_FAILED, "set the clock (NTP)",
                    "it is %s, before the newest event of the ledger at %s", sty_time_text(now_text, now),
                    sty_time_text(then_text, newest));
    else
        sty_finding(doctor, "clock", STY_FINDING_OK, NULL, "not before the newest event of the ledger");
}

static void check_records(struct sty_doctor *doctor, struct sty_ledger *ledger)
{
    sty_auto_ptr(repo) repo = NULL;
    sty_auto_free char *mirror = sty_sprintf("%s/source.git", doctor->configuration->state_dir);
    const char *name = doctor->configuration->source.name;
    char last[STY_DIGEST_SIZE];
    struct sty_error err;
    if (sty_repo_open(&repo, mirror, true, &err) < 0 && err.code == STY_NOT_FOUND)
        return;
    if (!repo)
        sty_finding(doctor, "records", STY_FINDING_FAILED, "move the mirror away: it is fetched again", "%s", err.text);
    else if (sty_report_verify(last, ledger, repo, name, &err) == 0)
        sty_finding(doctor, "records", STY_FINDING_OK, NULL, "those under '%s' are ours", name);
    else
        sty_finding(doctor, "records", STY_FINDING_FAILED,
                    err.code == STY_CONFLICT    ? "give each installation a name of its own"
                    : err.code == STY_NOT_FOUND ? "the ledger was lost: restore a backup, or `styrmin ledger rebuild`"
                                                : "see `styrmin ledger check`",
                    "%s", err.text);
}

void sty_doctor_ledger(struct sty_doctor *doctor)
{
    sty_auto_ptr(ledger) ledger = NULL;
    struct sty_error err;
    if (sty_ledger_open(&ledger, doctor->configuration->state_dir, STY_LEDGER_READ, &err) < 0) {
        if (err.code == STY_NOT_FOUND)
            sty_finding(doctor, "ledger", STY_FINDING_OK, NULL, "none yet: the first sync makes it");
        else
            sty_finding(doctor, "ledger", STY_FINDING_FAILED, "restore a backup, or run the program that wrote it",
                        "%s", err.text);
        return;
    }
    check_contents(doctor, ledger);
    check_clock(doctor, ledger);
    check_records(doctor, ledger);
}
