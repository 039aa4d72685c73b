/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * version: order and constraints of Semantic Versioning 2.0.0, read kindly: a leading 'v' is optional and missing parts
 * are 0 ("1.4" is 1.4.0). A text that is no version has no order.
 */
#include <stdbool.h>
#include "styrmin/error.h"

enum sty_version_order {
    STY_VERSION_OLDER = -1,
    STY_VERSION_SAME = 0,
    STY_VERSION_NEWER = 1,
    STY_VERSION_NO_ORDER = 2
};

/* How `b` stands to `a`. Texts that are equal are SAME even when they are no versions. Build metadata is ignored. */
enum sty_version_order sty_version_compare(const char *a, const char *b);

/*
 * Constraints joined by ',' (all must hold): = != < <= > >= ~ ^ and a bare version (=). Pre-releases count by
 * precedence, but "<2.0" excludes 2.0.0-rc. STY_INVALID names the piece that is wrong. A version that is no version
 * satisfies only "=" and "!=" by text.
 */
int sty_version_satisfies(bool *out, const char *version, const char *constraints, struct sty_error *err);
