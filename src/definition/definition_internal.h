/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* definition_internal: the positioned tree that document.c makes and schema.c decodes. */
#include "definition/definition.h"

/* BROKEN: what stands here has a mistake that was told already; whatever it is, it is no value and no name. */
enum sty_node_kind { STY_NODE_SCALAR, STY_NODE_SEQUENCE, STY_NODE_MAP, STY_NODE_BROKEN };
enum sty_node_tag { STY_TAG_NONE, STY_TAG_STR, STY_TAG_INT, STY_TAG_FLOAT, STY_TAG_BOOL, STY_TAG_NULL };
struct sty_node {
    enum sty_node_kind kind;
    int line, column; /* from 1 */
    const char *text; /* scalar */
    size_t length;
    bool plain;              /* its type is read off its text */
    enum sty_node_tag tag;   /* scalar */
    struct sty_node **items; /* sequence; map: values */
    struct sty_node **keys;  /* map */
    size_t count;
    size_t weight; /* nodes in it: what an alias costs */
};
struct sty_yaml {
    struct sty_node **documents;
    size_t count;
};
/*
 * False when the text is no YAML within the limits, of which a problem tells; `out` holds the documents before that.
 * What can be gone past (a key that stands twice, an unquoted {{x}}, a foreign tag) is a problem and a BROKEN node.
 * Strings of nodes live in `arena`, problems in their own.
 */
bool sty_yaml_parse(struct sty_yaml *out, struct sty_arena *arena, const struct sty_stream *stream,
                    struct sty_problems *problems);

/* What libyaml must not be given, as it takes seconds on kilobytes of it: false, and one problem. */
bool sty_yaml_harmless(const struct sty_stream *stream, struct sty_problems *problems);
/* A parser's complaint in words that help; `line` and `column` from 0. In `arena` or static. */
const char *sty_yaml_explain(struct sty_arena *arena, const struct sty_stream *stream, const char *complaint,
                             size_t line, size_t column);

/* The value of a plain scalar by the YAML 1.2 core schema; NULL with *why where it cannot be one. */
json_t *sty_core_value(const struct sty_node *node, const char **why);

/* Take what was decoded: the marks, and the value where the document is valid. */
void sty_document_adopt(struct sty_document *document, struct sty_arena *arena, struct sty_decoded *decoded);

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
