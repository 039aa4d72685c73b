/* SPDX-License-Identifier: Apache-2.0 */
/* How targets are written and how a person's shorter word for one is recognised. */
#include <string.h>
#include "instance/instance.h"

const char *sty_target_text(struct sty_arena *arena, const struct sty_target *target)
{
    return sty_arena_printf(arena, "%s/%s/%s", target->cluster, target->environment, target->deployment);
}

bool sty_target_matches(const struct sty_target *target, const char *text)
{
    sty_auto_free char *full = sty_sprintf("%s/%s/%s", target->cluster, target->environment, target->deployment);
    size_t length = strlen(text), whole = strlen(full);
    if (!length || length > whole || strcmp(full + whole - length, text) != 0)
        return false;
    return length == whole || full[whole - length - 1] == '/';
}
