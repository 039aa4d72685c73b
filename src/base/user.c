/* SPDX-License-Identifier: Apache-2.0 */
/* user: who a name stands for, asked in a way that several threads may use at once. */
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/process.h"

#define BUFFER_SIZE 16384

int sty_user_find(struct sty_user *out, const char *name, struct sty_error *err)
{
    struct passwd entry, *found = NULL;
    sty_auto_free char *buffer = sty_malloc(BUFFER_SIZE);
    if (name)
        getpwnam_r(name, &entry, buffer, BUFFER_SIZE, &found);
    else
        getpwuid_r(geteuid(), &entry, buffer, BUFFER_SIZE, &found);
    if (!found && name)
        return sty_error_set(err, STY_NOT_FOUND, "there is no user '%s'", name);
    *out = (struct sty_user){.uid = found ? found->pw_uid : geteuid(), .gid = found ? found->pw_gid : getegid()};
    snprintf(out->home, sizeof(out->home), "%s",
             found && found->pw_dir && *found->pw_dir == '/' ? found->pw_dir : "/");
    return 0;
}
