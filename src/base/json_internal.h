/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* json_internal: shared by the json_*.c files. */
#include "base/json.h"

#define STY_JSON_DEPTH 128
#define STY_JSON_SAFE_INTEGER INT64_C(9007199254740991) /* 2^53 - 1 */

/* A finite number as ECMAScript's Number::toString prints it, which RFC 8785 prescribes; out holds 32 bytes. */
void sty_json_number_text(char out[32], double number);
/* Order of keys by UTF-16 code units. Both are valid UTF-8. */
int sty_json_key_compare(const char *a, const char *b);
