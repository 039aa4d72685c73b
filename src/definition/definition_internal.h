/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* definition_internal: the positioned tree that document.c makes and schema.c decodes. */
#include "definition/definition.h"

enum sty_node_kind { STY_NODE_SCALAR, STY_NODE_SEQUENCE, STY_NODE_MAP };
struct sty_node {
    enum sty_node_kind kind;
    int line, column; /* from 1 */
    const char *text; /* scalar */
    size_t length;
    bool plain;              /* a plain scalar without a tag: its type is read off its text */
    struct sty_node **items; /* sequence; map: values */
    struct sty_node **keys;  /* map */
    size_t count;
    size_t weight; /* nodes in it: what an alias costs */
};
struct sty_yaml {
    struct sty_node **documents;
    size_t count;
};
/* False when the text is no YAML within the limits: one problem added; `out` holds the documents before that. */
bool sty_yaml_parse(struct sty_yaml *out, struct sty_arena *arena, const struct sty_stream *stream,
                    struct sty_problems *problems);

/* The value of a plain scalar by the YAML 1.2 core schema; NULL with *why where it cannot be one. */
json_t *sty_core_value(const struct sty_node *node, const char **why);

/* The schema embedded as schemas/<name>.json; NULL: none. */
const json_t *sty_schema_get(const char *name);

struct sty_decoding {
    struct sty_problems *problems; /* NULL: only whether */
    const char *file, *document;
    const json_t *root; /* of the schema, for $ref */
    json_t *marks;      /* NULL: none wanted */
    struct sty_str pointer;
    size_t mistakes;
};
/* The node decoded by `schema`; NULL after a mistake that leaves no value. A new reference. */
json_t *sty_schema_decode(struct sty_decoding *decoding, const struct sty_node *node, const json_t *schema);
