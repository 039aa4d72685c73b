/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* embed: files that the program carries (CMake's styrmin_embed): an array ended by a row whose name is NULL. */
#include <stddef.h>

struct sty_embedded {
    const char *name;  /* path in the repository */
    const char *bytes; /* terminated by a NUL that length does not count */
    size_t length;
};
