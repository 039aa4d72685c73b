/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signature: is this commit signed by somebody whom the local configuration allows? The commit is taken apart here, byte
 * by byte: libgit2's own way reads on into the message and over a NUL, so that what it says was signed is not all that
 * the commit says. The signature itself is judged by ssh-keygen and gpgv, which get files of ours, no configuration of
 * anybody's, and no word of the commit on their command line. A key must be valid now: when a commit was made is known
 * from whoever made it, and a key that expired may be in other hands.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "source/source_internal.h"

#define COMMIT_LIMIT ((size_t)4 << 20)
#define SIGNATURE_LIMIT ((size_t)64 << 10)
#define OUTPUT_LIMIT ((size_t)64 << 10)
#define PROGRAM_MS 20000
#define SIGNATURE_FILE "signature"

/* ---- files ---- */

static int locate(char **out, const char *path, const char *key, struct sty_error *err)
{
    if (!path)
        return 0;
    char *full = realpath(path, NULL);
    *out = full;
    if (!full || access(full, R_OK) < 0)
        return sty_error_errno(err, STY_USAGE, errno, "source.verify.%s %.200s", key, path);
    return 0;
}

/* gpgv would only say that it knows no key. */
static int check_binary(const char *keyring, struct sty_error *err)
{
    char start[5] = {0};
    sty_auto_fd fd = keyring ? open(keyring, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0 && read(fd, start, sizeof start) == sizeof start && memcmp(start, "-----", sizeof start) == 0)
        return sty_error_set(
            err, STY_USAGE,
            "source.verify.keyring_file %.200s is text: make it with `gpg --export` without --armor, or"
            " by `gpg --dearmor`",
            keyring);
    return 0;
}

int sty_verifier_open(struct sty_verifier *out, struct sty_repo *repo, const struct sty_source_config *config,
                      struct sty_error *err)
{
    *out = (struct sty_verifier){.repo = repo, .config = config};
    if (locate(&out->signers, config->signers_file, "signers_file", err) < 0 ||
        locate(&out->keyring, config->keyring_file, "keyring_file", err) < 0 || check_binary(out->keyring, err) < 0)
        return -1;
    out->folder = sty_sprintf("%s/verify", repo->directory);
    if (sty_directory_remove(out->folder, err) < 0)
        return -1;
    return sty_directory_make(out->folder, 0700, err);
}

void sty_verifier_clear(struct sty_verifier *verifier)
{
    struct sty_error ignored;
    if (verifier->folder)
        sty_directory_remove(verifier->folder, &ignored);
    free(verifier->folder);
    free(verifier->signers);
    free(verifier->keyring);
    *verifier = (struct sty_verifier){0};
}

/* ---- taking a commit apart ---- */

struct parts {
    struct sty_str payload, signature; /* what was signed; the armor */
    size_t signatures;
};

static void parts_clear(struct parts *parts)
{
    sty_str_clear(&parts->payload);
    sty_str_clear(&parts->signature);
}

/* A header's further lines begin with a space. The message begins at the first empty line and is never looked into. */
static void split(struct parts *parts, const char *text, size_t length)
{
    static const char field[] = "gpgsig ";
    const char *end = text + length;
    bool inside = false;
    while (text < end && *text != '\n') {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *next = newline ? newline + 1 : end;
        size_t skip = *text == ' ' ? 1 : sizeof field - 1;
        if (*text != ' ') {
            inside = (size_t)(next - text) > skip && memcmp(text, field, skip) == 0;
            parts->signatures += inside;
        }
        if (inside)
            sty_str_append_bytes(&parts->signature, text + skip, (size_t)(next - text) - skip);
        else
            sty_str_append_bytes(&parts->payload, text, (size_t)(next - text));
        text = next;
    }
    sty_str_append_bytes(&parts->payload, text, (size_t)(end - text));
}

/* `*why` is NULL where there is one signature to look at. */
static int take_apart(const char **why, struct parts *parts, struct sty_repo *repo, const git_oid *oid,
                      struct sty_error *err)
{
    sty_auto_git(odb_object) object = NULL;
    size_t size = 0;
    git_object_t type = GIT_OBJECT_INVALID;
    if (git_odb_read_header(&size, &type, repo->odb, oid) < 0 ||
        (size <= COMMIT_LIMIT && git_odb_read(&object, repo->odb, oid) < 0))
        return sty_git_error(err, STY_CORRUPT, "commit %s in %s", git_oid_tostr_s(oid), repo->directory);
    if (object)
        split(parts, git_odb_object_data(object), git_odb_object_size(object));
    *why = !object                                        ? "it is larger than any that is signed"
           : memchr(git_odb_object_data(object), 0, size) ? "it holds a NUL"
           : parts->signatures == 0                       ? "it carries no signature"
           : parts->signatures > 1                        ? "it carries several signatures"
           : parts->signature.length > SIGNATURE_LIMIT    ? "its signature is huge"
                                                          : NULL;
    return 0;
}

/* ---- the two programs ---- */

struct meaning {
    const char *words, *why;
};

/* The first row whose words were said; else `otherwise`. */
static const char *meaning_of(const struct meaning *rows, const char *said, const char *otherwise)
{
    for (; rows->words; rows++)
        if (strstr(said, rows->words))
            return rows->why;
    return otherwise;
}

#define UNKNOWN_SIGNER "its signer is not among those that are allowed here"
#define UNREADABLE "its signature cannot be read"
#define OTHER_BYTES "its signature is not right: what was signed is not this commit"
#define NOT_NOW "the key of its signer expired, or is not valid yet"

static int run(struct sty_process_result *result, const struct sty_verifier *verifier, const char *const *argv,
               const struct sty_str *input, struct sty_error *err)
{
    const char *places = getenv("PATH");
    sty_auto_free char *path = sty_sprintf("PATH=%s", places ? places : "/usr/local/bin:/usr/bin:/bin");
    const char *const environment[] = {path, "LC_ALL=C", "HOME=/nonexistent", NULL};
    const struct sty_process_spec spec = {.argv = argv,
                                          .environment = environment,
                                          .directory = verifier->folder,
                                          .input = input ? input->data : NULL,
                                          .input_length = input ? input->length : 0,
                                          .output_limit = OUTPUT_LIMIT,
                                          .timeout_ms = PROGRAM_MS};
    return sty_process_run(result, &spec, err) < 0 ? sty_error_wrap(err, "source.verify") : 0;
}

static int ask_ssh(const char **why, const struct sty_verifier *verifier, const char *principal,
                   const struct sty_str *payload, struct sty_error *err)
{
    static const struct meaning meanings[] = {
        {"namespace does not match", "its signature was made for something else than git"},
        {"not permitted for use in signature namespace", "its signer is not allowed to sign for git"},
        {"key has expired", NOT_NOW},
        {"key is not yet valid", NOT_NOW},
        {"incorrect signature", OTHER_BYTES},
        {NULL, NULL},
    };
    const char *const argv[] = {"ssh-keygen", "-Y", "verify", "-f", verifier->signers, "-I",
                                principal,    "-n", "git",    "-s", SIGNATURE_FILE,    NULL};
    sty_auto(process_result) result = {0, false, STY_STR_INIT, STY_STR_INIT};
    if (run(&result, verifier, argv, payload, err) < 0)
        return -1;
    *why = result.status == 0 ? NULL : meaning_of(meanings, result.error.data, UNKNOWN_SIGNER);
    return 0;
}

/* Whose key it is by signers_file comes first; then each of those names, as one line of the file may have several. */
static int judge_ssh(const char **why, const struct sty_verifier *verifier, const struct sty_str *payload,
                     struct sty_error *err)
{
    static const struct meaning meanings[] = {
        {"key has expired", NOT_NOW},
        {"key is not yet valid", NOT_NOW},
        {"parse signature", UNREADABLE},
        {"invalid format", UNREADABLE},
        {NULL, NULL},
    };
    const char *const argv[] = {"ssh-keygen",      "-Y", "find-principals", "-f",
                                verifier->signers, "-s", SIGNATURE_FILE,    NULL};
    sty_auto(process_result) result = {0, false, STY_STR_INIT, STY_STR_INIT};
    if (run(&result, verifier, argv, NULL, err) < 0)
        return -1;
    *why = meaning_of(meanings, result.error.data, UNKNOWN_SIGNER);
    if (result.status != 0)
        return 0;
    char *rest = result.output.data;
    for (const char *principal; *why && (principal = strtok_r(rest, "\n", &rest));)
        if (ask_ssh(why, verifier, principal, payload, err) < 0)
            return -1;
    return 0;
}

static size_t count_status(const char *output, const char *keyword)
{
    sty_auto_free char *line = sty_sprintf("[GNUPG:] %s ", keyword);
    size_t count = 0;
    while (output) {
        count += sty_starts_with(output, line);
        output = strchr(output, '\n');
        output += output ? 1 : 0;
    }
    return count;
}

/* gpgv ends with 0 also where the key was revoked or expired: only its status lines tell. */
static int judge_gpg(const char **why, const struct sty_verifier *verifier, const struct sty_str *payload,
                     struct sty_error *err)
{
    static const struct meaning meanings[] = {
        {"[GNUPG:] REVKEYSIG ", "the key of its signer was revoked"},
        {"[GNUPG:] EXPKEYSIG ", NOT_NOW},
        {"[GNUPG:] EXPSIG ", "its signature expired"},
        {"[GNUPG:] BADSIG ", OTHER_BYTES},
        {"[GNUPG:] NO_PUBKEY ", UNKNOWN_SIGNER},
        {NULL, NULL},
    };
    const char *const argv[] = {"gpgv", "--homedir",    ".", "--status-fd", "1", "--keyring", verifier->keyring,
                                "--",   SIGNATURE_FILE, "-", NULL};
    sty_auto(process_result) result = {0, false, STY_STR_INIT, STY_STR_INIT};
    if (run(&result, verifier, argv, payload, err) < 0)
        return -1;
    const char *said = result.output.data;
    bool good = result.status == 0 && count_status(said, "NEWSIG") <= 1 && count_status(said, "GOODSIG") == 1 &&
                count_status(said, "VALIDSIG") == 1;
    *why = good ? NULL : meaning_of(meanings, said, UNREADABLE);
    return 0;
}

static int judge(const char **why, const struct sty_verifier *verifier, const struct parts *parts,
                 struct sty_error *err)
{
    bool ssh = sty_starts_with(parts->signature.data, "-----BEGIN SSH SIGNATURE-----");
    bool gpg = sty_starts_with(parts->signature.data, "-----BEGIN PGP SIGNATURE-----");
    *why = ssh && !verifier->signers   ? "it is signed by SSH, and there is no source.verify.signers_file"
           : gpg && !verifier->keyring ? "it is signed by GPG, and there is no source.verify.keyring_file"
           : !ssh && !gpg              ? UNREADABLE
                                       : NULL;
    if (*why)
        return 0;
    sty_auto_free char *file = sty_sprintf("%s/" SIGNATURE_FILE, verifier->folder);
    if (sty_file_replace(file, parts->signature.data, parts->signature.length, 0600, err) < 0)
        return -1;
    return (ssh ? judge_ssh : judge_gpg)(why, verifier, &parts->payload, err);
}

int sty_verifier_judge(const char **why, const struct sty_verifier *verifier, const git_oid *oid, struct sty_error *err)
{
    __attribute__((cleanup(parts_clear))) struct parts parts = {STY_STR_INIT, STY_STR_INIT, 0};
    if (take_apart(why, &parts, verifier->repo, oid, err) < 0)
        return -1;
    return *why ? 0 : judge(why, verifier, &parts, err);
}
