/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instances, plans and records are named by the digest of their canonical form: whatever parses must have one, and
 * that form must parse to the same value and be its own canonical form.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_auto_t *first = NULL, *second = NULL;
    sty_auto(str) once = STY_STR_INIT;
    sty_auto(str) twice = STY_STR_INIT;
    struct sty_error err;
    if (sty_json_parse(&first, (const char *)data, size, &err) < 0 || sty_json_canonical(&once, first, &err) < 0)
        return 0;
    if (sty_json_parse(&second, once.data, once.length, &err) < 0)
        abort();
    if (sty_json_canonical(&twice, second, &err) < 0 || !sty_streq(once.data, twice.data))
        abort();
    return 0;
}
