/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor: the way to the source and back. The remote is asked from a repository of its own in a temp folder, so that
 * the mirror, which belongs to whoever holds the lock, is not touched.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "cli/doctor.h"
#include "ledger/ledger.h"

/* ---- programs ---- */

static bool is_ssh(const char *url)
{
    return sty_starts_with(url, "ssh://") || (!strstr(url, "://") && url[0] != '/');
}

static bool is_local(const char *url)
{
    return url[0] == '/' || sty_starts_with(url, "file://");
}

static bool verifies(const struct sty_doctor *doctor)
{
    return doctor->configuration->source.verify != STY_VERIFY_NONE;
}

static void check_program(struct sty_doctor *doctor, const char *program, const char *remedy)
{
    sty_auto(str) path = STY_STR_INIT;
    struct sty_error err;
    if (sty_program_find(&path, program, &err) < 0)
        sty_finding(doctor, "programs", STY_FINDING_FAILED, remedy, "%s is not in PATH", program);
    else
        sty_finding(doctor, "programs", STY_FINDING_OK, NULL, "%s", path.data);
}

void sty_doctor_programs(struct sty_doctor *doctor)
{
    const char *url = doctor->configuration->source.url;
    if (is_ssh(url))
        check_program(doctor, "ssh", "install OpenSSH's client");
    if (is_local(url))
        check_program(doctor, "git-upload-pack", "install git");
    if (is_local(url) && sty_json_bool(sty_json_pointer(doctor->configuration->value, "/report/notes"), "push", true))
        check_program(doctor, "git-receive-pack", "install git");
    if (verifies(doctor) && doctor->configuration->source.signers_file)
        check_program(doctor, "ssh-keygen", "install OpenSSH's client");
    if (verifies(doctor) && doctor->configuration->source.keyring_file)
        check_program(doctor, "gpgv", "install gpgv");
}

/* ---- files that the source needs ---- */

/* What others may not do with a file. */
enum { SECRET = S_IRWXG | S_IRWXO, OURS = S_IWGRP | S_IWOTH };

static void check_file(struct sty_doctor *doctor, const char *what, const char *path, mode_t closed)
{
    struct stat status;
    if (!path)
        return;
    if (access(path, R_OK) < 0 || stat(path, &status) < 0)
        sty_finding(doctor, what, STY_FINDING_FAILED, "make it readable for this user, or name another one",
                    "%s cannot be read", path);
    else if (!S_ISREG(status.st_mode))
        sty_finding(doctor, what, STY_FINDING_FAILED, "name a file", "%s is no file", path);
    else if (status.st_mode & closed)
        sty_finding(doctor, what, STY_FINDING_WARNING,
                    sty_arena_printf(doctor->arena, "chmod %s %s", closed == SECRET ? "0600" : "go-w", path),
                    "%s is open to others than its owner (mode %04o)", path, status.st_mode & 07777);
    else
        sty_finding(doctor, what, STY_FINDING_OK, NULL, "%s", path);
}

void sty_doctor_auth(struct sty_doctor *doctor)
{
    const struct sty_source_config *source = &doctor->configuration->source;
    check_file(doctor, "password_file", source->password_file, SECRET);
    check_file(doctor, "ssh_key_file", source->ssh_key_file, SECRET);
    check_file(doctor, "known_hosts", source->known_hosts_file, 0);
    check_file(doctor, "ca_file", source->ca_file, 0);
    check_file(doctor, "signers_file", source->signers_file, OURS);
    check_file(doctor, "keyring_file", source->keyring_file, OURS);
}

/* ---- the remote ---- */

static const char *remedy_for(enum sty_code code)
{
    static const struct {
        enum sty_code code;
        const char *remedy;
    } remedies[] = {
        {STY_UNREACHABLE, "is source.url right, the network up, a proxy needed?"},
        {STY_TIMEOUT, "is source.url right, the network up, a proxy needed?"},
        {STY_NOT_FOUND, "correct source.url or source.branch"},
        {STY_DENIED, "correct source.auth, or let this user read there"},
        {STY_USAGE, "correct the configuration"},
    };
    for (size_t i = 0; i < STY_COUNT(remedies); i++)
        if (remedies[i].code == code)
            return remedies[i].remedy;
    return "see the message";
}

static void check_notes(struct sty_doctor *doctor, struct sty_repo *repo)
{
    struct sty_error err;
    if (!sty_json_bool(sty_json_pointer(doctor->configuration->value, "/report/notes"), "push", true))
        sty_finding(doctor, "notes", STY_FINDING_OK, NULL, "not pushed, as report.notes.push says");
    else if (sty_notes_probe(repo, &doctor->configuration->source, &err) == 0)
        sty_finding(doctor, "notes", STY_FINDING_OK, NULL, "can be written");
    else if (err.code == STY_CONFLICT)
        sty_finding(doctor, "notes", STY_FINDING_WARNING, "delete it by hand; notes themselves can be written", "%s",
                    err.text);
    else
        sty_finding(doctor, "notes", STY_FINDING_FAILED,
                    "let this user push refs/notes/*, or set report.notes.push: false", "%s", err.text);
}

static bool was_accepted(struct sty_doctor *doctor, const char *tip)
{
    sty_auto_ptr(ledger) ledger = NULL;
    int64_t found = 0;
    struct sty_error ignored;
    return sty_ledger_open(&ledger, doctor->configuration->state_dir, STY_LEDGER_READ, &ignored) == 0 &&
           sty_ledger_number(&found, ledger, &ignored, "SELECT count(*) FROM sources WHERE accepted = ?", "s", tip) ==
               0 &&
           found;
}

/* By a fetch as the first of all: what a sync would meet is found out by what a sync does. */
static void check_signature(struct sty_doctor *doctor, struct sty_repo *repo, const char *tip)
{
    struct sty_fetch_result fetched;
    struct sty_error err;
    if (!verifies(doctor))
        return;
    if (sty_repo_fetch(&fetched, repo, &doctor->configuration->source, NULL, &err) == 0)
        sty_finding(doctor, "signature", STY_FINDING_OK, NULL, "of %.12s: by an allowed signer", fetched.tip);
    else if (err.code == STY_DENIED && was_accepted(doctor, tip))
        sty_finding(doctor, "signature", STY_FINDING_WARNING, "the next commit has to be signed",
                    "%.12s would not be accepted now, but was before", tip);
    else
        sty_finding(doctor, "signature", STY_FINDING_FAILED,
                    err.code == STY_DENIED      ? "have it signed, or allow its signer in source.verify"
                    : err.code == STY_NOT_FOUND ? "install what is missing"
                                                : remedy_for(err.code),
                    "%s", err.text);
}

static void ask_remote(struct sty_doctor *doctor, struct sty_repo *repo)
{
    const struct sty_source_config *source = &doctor->configuration->source;
    char tip[STY_OID_SIZE];
    struct sty_error err;
    if (sty_repo_probe(tip, repo, source, &err) < 0) {
        sty_finding(doctor, "source", STY_FINDING_FAILED, remedy_for(err.code), "%s", err.text);
        return;
    }
    sty_finding(doctor, "source", STY_FINDING_OK, NULL, "%s is at %.12s", source->branch, tip);
    check_signature(doctor, repo, tip);
    check_notes(doctor, repo);
}

void sty_doctor_source(struct sty_doctor *doctor)
{
    sty_auto_ptr(repo) repo = NULL;
    struct sty_error err;
    const char *temp = getenv("TMPDIR");
    char *folder = sty_arena_printf(doctor->arena, "%s/styrmin-doctor-XXXXXX", temp && *temp ? temp : "/tmp");
    if (!mkdtemp(folder)) {
        sty_finding(doctor, "source", STY_FINDING_FAILED, "make $TMPDIR writable", "no folder %s: %m", folder);
        return;
    }
    const char *scratch = sty_arena_printf(doctor->arena, "%s/scratch.git", folder);
    if (sty_repo_open(&repo, scratch, false, &err) < 0)
        sty_finding(doctor, "source", STY_FINDING_FAILED, "make $TMPDIR writable", "%s", err.text);
    else
        ask_remote(doctor, repo);
    if (sty_directory_remove(folder, &err) < 0)
        sty_finding(doctor, "source", STY_FINDING_WARNING, "remove it by hand", "%s", err.text);
}
