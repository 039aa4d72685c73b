/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories. Folders above one that are not there are made too; what is in it is nobody's business here, so it is
 * only taken away when it is empty.
 */
#include "provider/provider_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static const char *path_of(const struct sty_provider_call *call)
{
    return sty_json_text(sty_call_spec(call), "path", "");
}

static int check(const struct sty_provider_call *call, struct sty_error *err)
{
    return sty_place_check(call->host, path_of(call), err);
}

static int look(struct sty_observation *out, const struct sty_provider_call *call, struct sty_error *err)
{
    struct sty_file_attributes wanted;
    sty_auto(place_at) place = STY_PLACE_AT_INIT;
    if (sty_place_look(&place, call->host, path_of(call), err) < 0)
        return -1;
    if (!place.found)
        sty_observation_missing(out, "");
    else if (!S_ISDIR(place.status.st_mode))
        sty_observation_differs(out, "/type", json_string("directory"),
                                json_string(sty_file_type_name(place.status.st_mode)));
    else if (sty_attributes_read(&wanted, sty_call_spec(call), err) < 0)
        return -1;
    else
        sty_attributes_compare(out, &wanted, &place.status);
    return 0;
}

static int observe(struct sty_observation *out, const struct sty_provider_call *call, struct sty_error *err)
{
    *out = (struct sty_observation){.state = STY_OBSERVED_SAME};
    return look(out, call, err) < 0 ? sty_observation_unknown(out, err) : 0;
}

static int set_attributes(const struct sty_place_at *place, const struct sty_file_attributes *wanted, const char *path,
                          struct sty_error *err)
{
    sty_auto_fd fd = openat(place->directory, place->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return sty_place_error(err, errno, "open", path);
    bool own = wanted->uid != (uid_t)-1 || wanted->gid != (gid_t)-1;
    if ((own && fchown(fd, wanted->uid, wanted->gid) < 0) || fchmod(fd, wanted->mode) < 0 || fsync(fd) < 0)
        return sty_place_error(err, errno, "set mode and owner of", path);
    return 0;
}

static int make(const struct sty_provider_call *call, struct sty_error *err)
{
    const char *path = path_of(call);
    struct sty_file_attributes wanted;
    sty_auto(place_at) place = STY_PLACE_AT_INIT;
    if (sty_attributes_read(&wanted, sty_call_spec(call), err) < 0 || sty_place_make(&place, call->host, path, err) < 0)
        return -1;
    if (mkdirat(place.directory, place.name, 0700) < 0 && errno != EEXIST)
        return sty_place_error(err, errno, "make", path);
    if (set_attributes(&place, &wanted, path, err) < 0)
        return -1;
    if (fsync(place.directory) < 0 && errno != EINVAL)
        return sty_place_error(err, errno, "sync the folder of", path);
    return 0;
}

static int apply(struct sty_applied *out, const struct sty_provider_call *call, struct sty_error *err)
{
    sty_auto(observation) found = {.state = STY_OBSERVED_SAME};
    if (look(&found, call, err) < 0)
        return -1;
    bool change = found.state != STY_OBSERVED_SAME;
    if (change && make(call, err) < 0)
        return -1;
    *out = (struct sty_applied){.changed = change};
    return 0;
}

static int take_away(const struct sty_provider_call *call, struct sty_error *err)
{
    return sty_place_remove(call->host, path_of(call), S_IFDIR, err);
}

const struct sty_provider sty_provider_directory = {
    .type = "directory", .check = check, .observe = observe, .apply = apply, .remove = take_away};
