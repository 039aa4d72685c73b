/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* file_internal: shared by the file_*.c, lock.c and path.c files. */
#include "styrmin/error.h"

/* err from errno `number`: STY_NOT_FOUND, STY_DENIED or STY_IO, with "what 'path'" before it. */
int sty_file_error(struct sty_error *err, int number, const char *what, const char *path);
