/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mode, owner and group of a file resource: read from its spec, names looked up here and now, and compared with what
 * is there. What the spec does not name is not looked at.
 */
#include "provider/provider_internal.h"
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>

#define LOOKUP_BUFFER 65536

static bool number_of(int64_t *out, const char *name)
{
    struct sty_error ignored;
    return sty_number_parse(out, name, 0, UINT32_MAX - 1, &ignored) == 0;
}

static int find_user(uid_t *out, const char *name, struct sty_error *err)
{
    struct passwd entry, *found = NULL;
    int64_t number;
    sty_auto_free char *buffer = sty_malloc(LOOKUP_BUFFER);
    getpwnam_r(name, &entry, buffer, LOOKUP_BUFFER, &found);
    if (!found && !number_of(&number, name))
        return sty_error_set(err, STY_FAILED, "there is no user '%s'", name);
    *out = found ? found->pw_uid : (uid_t)number;
    return 0;
}

static int find_group(gid_t *out, const char *name, struct sty_error *err)
{
    struct group entry, *found = NULL;
    int64_t number;
    sty_auto_free char *buffer = sty_malloc(LOOKUP_BUFFER);
    getgrnam_r(name, &entry, buffer, LOOKUP_BUFFER, &found);
    if (!found && !number_of(&number, name))
        return sty_error_set(err, STY_FAILED, "there is no group '%s'", name);
    *out = found ? found->gr_gid : (gid_t)number;
    return 0;
}

static json_t *user_name(uid_t uid)
{
    struct passwd entry, *found = NULL;
    char number[24];
    sty_auto_free char *buffer = sty_malloc(LOOKUP_BUFFER);
    getpwuid_r(uid, &entry, buffer, LOOKUP_BUFFER, &found);
    snprintf(number, sizeof(number), "%u", uid);
    return sty_json_string(found ? found->pw_name : number);
}

static json_t *group_name(gid_t gid)
{
    struct group entry, *found = NULL;
    char number[24];
    sty_auto_free char *buffer = sty_malloc(LOOKUP_BUFFER);
    getgrgid_r(gid, &entry, buffer, LOOKUP_BUFFER, &found);
    snprintf(number, sizeof(number), "%u", gid);
    return sty_json_string(found ? found->gr_name : number);
}

static json_t *mode_text(mode_t mode)
{
    char text[16];
    snprintf(text, sizeof(text), "%04o", mode & 07777);
    return json_string(text);
}

int sty_attributes_read(struct sty_file_attributes *out, const json_t *spec, struct sty_error *err)
{
    struct sty_file_attributes attributes = {0, (uid_t)-1, (gid_t)-1};
    const char *mode = sty_json_text(spec, "mode", "");
    const char *owner = sty_json_text(spec, "owner", NULL);
    const char *group = sty_json_text(spec, "group", NULL);
    char *end = NULL;
    unsigned long value = strtoul(mode, &end, 8);
    if (end == mode || *end || value > 07777)
        return sty_error_set(err, STY_INVALID, "'%s' is no mode", mode);
    attributes.mode = (mode_t)value;
    if (owner && find_user(&attributes.uid, owner, err) < 0)
        return -1;
    if (group && find_group(&attributes.gid, group, err) < 0)
        return -1;
    *out = attributes;
    return 0;
}

void sty_attributes_compare(struct sty_observation *out, const struct sty_file_attributes *wanted,
                            const struct stat *found)
{
    if ((found->st_mode & 07777) != wanted->mode)
        sty_observation_differs(out, "/mode", mode_text(wanted->mode), mode_text(found->st_mode));
    if (wanted->uid != (uid_t)-1 && wanted->uid != found->st_uid)
        sty_observation_differs(out, "/owner", user_name(wanted->uid), user_name(found->st_uid));
    if (wanted->gid != (gid_t)-1 && wanted->gid != found->st_gid)
        sty_observation_differs(out, "/group", group_name(wanted->gid), group_name(found->st_gid));
}

const char *sty_file_type_name(mode_t mode)
{
    static const struct {
        mode_t type;
        const char *name;
    } names[] = {{S_IFREG, "file"}, {S_IFDIR, "directory"}, {S_IFLNK, "symlink"},
                 {S_IFIFO, "fifo"}, {S_IFSOCK, "socket"},   {S_IFBLK, "device"}};
    for (size_t i = 0; i < STY_COUNT(names); i++)
        if ((mode & S_IFMT) == names[i].type)
            return names[i].name;
    return "device";
}
