/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the records of a commit: parsed or refused, and what was parsed has a digest. */
#include <stdint.h>
#include <stdlib.h>

#include "report/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sty_error err;
    json_auto_t *records = NULL;
    if (sty_records_parse(&records, (const char *)data, size, &err) < 0)
        return 0;
    for (size_t i = 0; i < json_array_size(records); i++) {
        sty_auto(str) text = STY_STR_INIT;
        if (sty_json_canonical(&text, json_array_get(records, i), &err) == 0 && text.length == 0)
            abort();
    }
    return 0;
}
