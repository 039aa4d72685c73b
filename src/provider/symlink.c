/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Symbolic links. The target is only text: Styrmin itself never follows it.
 */
#include "provider/provider_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static const char *path_of(const struct sty_provider_call *call)
{
    return sty_json_text(sty_call_spec(call), "path", "");
}

static const char *target_of(const struct sty_provider_call *call)
{
    return sty_json_text(sty_call_spec(call), "target", "");
}

static int check(const struct sty_provider_call *call, struct sty_error *err)
{
    return sty_place_check(call->host, path_of(call), err);
}

static int compare(struct sty_observation *out, const struct sty_place_at *place, const struct sty_provider_call *call,
                   struct sty_error *err)
{
    char target[PATH_MAX];
    ssize_t length = readlinkat(place->directory, place->name, target, sizeof(target) - 1);
    if (length < 0)
        return sty_place_error(err, errno, "read", path_of(call));
    target[length] = '\0';
    if (!sty_streq(target, target_of(call)))
        sty_observation_differs(out, "/target", sty_json_string(target_of(call)), sty_json_string(target));
    return 0;
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
    if (!S_ISLNK(place.status.st_mode)) {
        sty_observation_differs(out, "/type", json_string("symlink"),
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

static int make(const struct sty_provider_call *call, struct sty_error *err)
{
    const char *path = path_of(call);
    char temp[STY_TEMP_SIZE];
    sty_auto(place_at) place = STY_PLACE_AT_INIT;
    if (sty_place_open(&place, call->host, path, err) < 0)
        return -1;
    sty_file_temp_name(temp, place.name);
    sty_file_drop_at(place.directory, temp);
    if (symlinkat(target_of(call), place.directory, temp) < 0)
        return sty_place_error(err, errno, "make", path);
    return sty_file_commit_at(place.directory, temp, place.name, err);
}

static int apply(struct sty_applied *out, const struct sty_provider_call *call, struct sty_error *err)
{
    sty_auto(observation) found = {.state = STY_OBSERVED_SAME};
    if (look(&found, call, err) < 0)
        return -1;
    bool change = found.state != STY_OBSERVED_SAME;
    if ((change ? make(call, err) : sty_place_tidy(call->host, path_of(call), err)) < 0)
        return -1;
    *out = (struct sty_applied){.changed = change};
    return 0;
}

static int take_away(const struct sty_provider_call *call, struct sty_error *err)
{
    return sty_place_remove(call->host, path_of(call), S_IFLNK, err);
}

const struct sty_provider sty_provider_symlink = {
    .type = "symlink", .check = check, .observe = observe, .apply = apply, .remove = take_away};
