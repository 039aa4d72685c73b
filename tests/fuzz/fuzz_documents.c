/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a stream of documents: decoded or refused, never more than the limits. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "definition/definition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sty_auto_ptr(arena) arena = sty_arena_new();
    struct sty_problems problems;
    struct sty_stream_document *documents = NULL;
    size_t count = 0;
    sty_problems_init(&problems, arena);
    char *bytes = sty_arena_alloc(arena, size + 1);
    if (size)
        memcpy(bytes, data, size);
    struct sty_stream stream = {"fuzz.yaml", bytes, size};
    bool read = sty_stream_decode(&documents, &count, &stream, NULL, &problems);
    for (size_t i = 0; i < count; i++)
        if (documents[i].valid && (!documents[i].decoded.value || !documents[i].kind))
            abort();
    if (!read && problems.errors == 0)
        abort();
    return 0;
}
