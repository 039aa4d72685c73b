/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* scratch: a folder per test that is empty at its start and gone after it. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/file.h"
#include "base/memory.h"

static inline int scratch_make(void **state)
{
    static char path[64];
    snprintf(path, sizeof(path), "%s", "/tmp/styrmin-unit-XXXXXX");
    *state = mkdtemp(path);
    return *state && chdir(path) == 0 ? 0 : -1;
}

static inline int scratch_remove(void **state)
{
    struct sty_error err;
    return chdir("/") == 0 ? sty_directory_remove(*state, &err) : -1;
}
