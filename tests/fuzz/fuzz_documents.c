/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a stream of documents: decoded or refused, never more than the limits. What decoding calls valid is what
 * the schema says to the letter, and packs and unpacks to the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "definition/schema_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *schema_of(const char *kind)
{
    static const char *const rows[][2] = {{"Cluster", "cluster"},
                                          {"Environment", "environment"},
                                          {"Deployment", "deployment"},
                                          {"ApplicationDriver", "driver"}};
    for (size_t i = 0; i < STY_COUNT(rows); i++)
        if (strcmp(rows[i][0], kind) == 0)
            return rows[i][1];
    abort();
}

static void look_at(const struct sty_stream_document *document, struct sty_arena *arena)
{
    struct sty_error err;
    const json_t *value = document->decoded.value;
    if (!value || !document->kind || !document->name)
        abort();
    const json_t *schema = sty_schema_get(schema_of(document->kind));
    if (!sty_schema_fits(value, schema, schema))
        abort();
    struct sty_document packed = {
        .path = "drivers/a/1/driver.styrmin.yml", .value = document->decoded.value, .marks = document->decoded.marks};
    sty_document_pack(&packed, arena);
    struct sty_document *again = sty_arena_alloc(arena, sizeof *again);
    *again = (struct sty_document){.path = packed.path, .text = packed.text};
    if (!packed.text || sty_document_open(again, arena, &err) < 0 || !json_equal(again->value, packed.value))
        abort();
}

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
        if (documents[i].valid)
            look_at(&documents[i], arena);
    if (!read && problems.errors == 0)
        abort();
    return 0;
}
