/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files: content with its secrets filled in, mode and owner. A new content is complete, and accepted by the resource's
 * own `validate`, before the name changes. A secret's rotation is seen because the content is filled anew at each look.
 */
#include "provider/provider_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define VALIDATE_MS 60000
#define READ_SIZE ((size_t)32 * 1024)

static const char *path_of(const struct sty_provider_call *call)
{
    return sty_json_text(sty_call_spec(call), "path", "");
}

static const json_t *content_of(const struct sty_provider_call *call)
{
    return json_object_get(sty_call_spec(call), "content");
}

static bool has_secret(const struct sty_provider_call *call)
{
    return sty_text_secret(content_of(call));
}

static int check(const struct sty_provider_call *call, struct sty_error *err)
{
    return sty_place_check(call->host, path_of(call), err);
}

static int wanted_bytes(struct sty_filled *out, const struct sty_provider_call *call, struct sty_error *err)
{
    sty_auto(filled) plain = STY_FILLED_INIT;
    const char *digest = sty_json_text(content_of(call), "digest", "");
    if (call->host->blob(call->host->self, &plain.bytes, &plain.length, digest, err) < 0)
        return sty_error_wrap(err, "content");
    if (sty_holes_fill(out, call->host, &plain, json_object_get(content_of(call), "holes"), err) < 0)
        return sty_error_wrap(err, "content");
    return 0;
}

/* What the file's bytes have to hash to. Without a secret nothing has to be read for that. */
static int wanted_digest(char out[STY_DIGEST_SIZE], const struct sty_provider_call *call, struct sty_error *err)
{
    sty_auto(filled) wanted = STY_FILLED_INIT;
    if (!has_secret(call)) {
        snprintf(out, STY_DIGEST_SIZE, "%s", sty_json_text(content_of(call), "digest", ""));
        return 0;
    }
    if (wanted_bytes(&wanted, call, err) < 0)
        return -1;
    sty_digest(out, wanted.bytes, wanted.length);
    return 0;
}

/* A regular file's size says where it ends, which saves asking. */
static int found_digest(char out[STY_DIGEST_SIZE], int fd, off_t size, const char *path, struct sty_error *err)
{
    char buffer[READ_SIZE];
    struct sty_digest_state *state = sty_digest_begin();
    size_t most = 0;
    off_t left = size;
    ssize_t got = 0;
    while (left > 0 && ((got = read(fd, buffer, sizeof(buffer))) > 0 || (got < 0 && errno == EINTR))) {
        if (got > 0)
            sty_digest_update(state, buffer, (size_t)got);
        most = got > 0 && (size_t)got > most ? (size_t)got : most;
        left -= got > 0 ? got : 0;
    }
    int number = errno;
    explicit_bzero(buffer, most);
    sty_digest_end(out, state);
    return got < 0 ? sty_place_error(err, number, "read", path) : 0;
}

static int compare_content(struct sty_observation *out, int fd, off_t size, const struct sty_provider_call *call,
                           struct sty_error *err)
{
    char wanted[STY_DIGEST_SIZE], found[STY_DIGEST_SIZE];
    if (wanted_digest(wanted, call, err) < 0 || found_digest(found, fd, size, path_of(call), err) < 0)
        return -1;
    if (sty_streq(wanted, found))
        return 0;
    if (has_secret(call))
        sty_observation_differs(out, "/content", NULL, NULL);
    else
        sty_observation_differs(out, "/content", json_string(wanted), json_string(found));
    return 0;
}

static int compare(struct sty_observation *out, const struct sty_place_at *place, const struct sty_provider_call *call,
                   struct sty_error *err)
{
    struct stat status;
    struct sty_file_attributes wanted;
    sty_auto_fd fd = openat(place->directory, place->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0)
        return sty_place_error(err, errno, "open", path_of(call));
    if (!S_ISREG(status.st_mode)) {
        sty_observation_differs(out, "/type", json_string("file"), json_string(sty_file_type_name(status.st_mode)));
        return 0;
    }
    if (sty_attributes_read(&wanted, sty_call_spec(call), err) < 0)
        return -1;
    sty_attributes_compare(out, &wanted, &status);
    return compare_content(out, fd, status.st_size, call, err);
}

static int look(struct sty_observation *out, const struct sty_provider_call *call, struct sty_error *err)
{
    sty_auto(place_at) place = STY_PLACE_AT_INIT;
    if (sty_place_look(&place, call->host, path_of(call), err) < 0)
        return -1;
    if (!place.found) {
        sty_observation_missing(out, "");
        return 0;
    }
    if (!S_ISREG(place.status.st_mode)) {
        sty_observation_differs(out, "/type", json_string("file"),
                                json_string(sty_file_type_name(place.status.st_mode)));
        return 0;
    }
    return compare(out, &place, call, err);
}

static int observe(struct sty_observation *out, const struct sty_provider_call *call, struct sty_error *err)
{
    *out = (struct sty_observation){.state = STY_OBSERVED_SAME};
    return look(out, call, err) < 0 ? sty_observation_unknown(out, err) : 0;
}

static int validate(const struct sty_provider_call *call, const char *temp, struct sty_error *err)
{
    const json_t *argv = json_object_get(sty_call_spec(call), "validate");
    const char *path = path_of(call);
    struct sty_program_result result;
    if (json_array_size(argv) == 0)
        return 0;
    sty_auto_free char *file = sty_sprintf("%.*s%s", (int)(strrchr(path, '/') + 1 - path), path, temp);
    const struct sty_program program = {
        .call = call, .argv = argv, .last = file, .timeout_ms = VALIDATE_MS, .secret = has_secret(call)};
    if (sty_program_run(&result, &program, err) < 0)
        return sty_error_wrap(err, "validate '%s'", path);
    if (result.status == 0)
        return 0;
    sty_program_failed(&result, "validate", err);
    return sty_error_wrap(err, "'%s' stays as it was", path);
}

/* What the spec does not name stays: root would otherwise take the file over from its owner. */
static void keep_owner(struct sty_file_attributes *attributes, const struct sty_place_at *place)
{
    struct stat status;
    if (geteuid() != 0 || fstatat(place->directory, place->name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
        !S_ISREG(status.st_mode))
        return;
    if (attributes->uid == (uid_t)-1)
        attributes->uid = status.st_uid;
    if (attributes->gid == (gid_t)-1)
        attributes->gid = status.st_gid;
}

static int put(const struct sty_provider_call *call, const struct sty_filled *bytes, struct sty_error *err)
{
    char temp[STY_TEMP_SIZE];
    struct sty_file_attributes attributes;
    sty_auto(place_at) place = STY_PLACE_AT_INIT;
    if (sty_attributes_read(&attributes, sty_call_spec(call), err) < 0 ||
        sty_place_open(&place, call->host, path_of(call), err) < 0)
        return -1;
    keep_owner(&attributes, &place);
    sty_file_temp_name(temp, place.name);
    if (sty_file_stage_at(temp, place.directory, bytes->bytes, bytes->length, &attributes, err) < 0)
        return sty_error_wrap(err, "'%s'", path_of(call));
    if (validate(call, temp, err) < 0) {
        sty_file_drop_at(place.directory, temp);
        return -1;
    }
    return sty_file_commit_at(place.directory, temp, place.name, err) < 0 ? sty_error_wrap(err, "'%s'", path_of(call))
                                                                          : 0;
}

static int apply(struct sty_applied *out, const struct sty_provider_call *call, struct sty_error *err)
{
    struct sty_applied done = {0};
    sty_auto(observation) found = {.state = STY_OBSERVED_SAME};
    sty_auto(filled) bytes = STY_FILLED_INIT;
    if (look(&found, call, err) < 0)
        return -1;
    done.changed = found.state != STY_OBSERVED_SAME;
    if ((done.changed || has_secret(call)) && wanted_bytes(&bytes, call, err) < 0)
        return -1;
    if (has_secret(call) && sty_filled_digest(done.filled, call, bytes.bytes, bytes.length, err) < 0)
        return -1;
    if ((done.changed ? put(call, &bytes, err) : sty_place_tidy(call->host, path_of(call), err)) < 0)
        return -1;
    *out = done;
    return 0;
}

static int take_away(const struct sty_provider_call *call, struct sty_error *err)
{
    return sty_place_remove(call->host, path_of(call), S_IFREG, err);
}

const struct sty_provider sty_provider_file = {
    .type = "file", .check = check, .observe = observe, .apply = apply, .remove = take_away};
