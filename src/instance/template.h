/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * template: the inside of Mustache here: a parsed template, where its output stands in YAML or JSON, and escaping.
 *
 * Parsing and rendering are apart, so that a driver's templates are parsed once and rendered for each of its targets.
 * Calling sequence: sty_template_parse() into an arena that outlives the use, then sty_parsed_render() or, for a
 * manifest's scalar, sty_parsed_single().
 */
#include "base/map.h"
#include "instance/instance.h"

#define STY_TEMPLATE_DEPTH 32
#define STY_TEMPLATE_OUTPUT ((size_t)16 << 20)
#define STY_TEMPLATE_NODES ((size_t)10 << 20) /* nodes walked in one rendering: loops without output end too */
#define STY_TEMPLATE_TAGS 100000              /* in one text */
#define STY_PARTIALS_BYTES ((size_t)64 << 20) /* of all parsed partials of one driver */

enum sty_node_type {
    STY_NODE_TEXT,
    STY_NODE_VARIABLE,
    STY_NODE_RAW,
    STY_NODE_SECTION,
    STY_NODE_INVERTED,
    STY_NODE_PARTIAL
};

struct sty_node {
    enum sty_node_type type;
    int line, column;
    const char *text;         /* TEXT: the bytes; PARTIAL: its name; else the name as written */
    size_t length;            /* TEXT only */
    const char *const *names; /* the name's parts, NULL-terminated; empty for the implicit iterator "." */
    const char *indent;       /* PARTIAL on a line of its own: what stands before it */
    size_t end;               /* sections: index behind the last node inside */
};

/* A parsed template; everything lives in the arena it was parsed into. */
struct sty_parsed {
    struct sty_node *nodes; /* one more than count: it has the template's own place */
    size_t count;
    const char *file;
};
/* `template->text` is copied. STY_INVALID: "file:line:column: message". */
int sty_template_parse(struct sty_parsed **out, struct sty_arena *arena, const struct sty_template *template,
                       struct sty_error *err);
/* The one variable that the template is, or NULL: then a manifest's scalar keeps the value's type. */
const struct sty_node *sty_parsed_single(const struct sty_parsed *parsed);

/* The values in a context that are secrets: a node of the context itself and its reference. */
struct sty_secret_node {
    const json_t *node, *reference;
};
struct sty_secret_nodes {
    const struct sty_secret_node *items;
    size_t count;
};
/* What world->secrets names in world->context; the array is in arena. */
void sty_secret_nodes_find(struct sty_secret_nodes *out, struct sty_arena *arena,
                           const struct sty_template_world *world);
/* NULL: not a secret. */
const json_t *sty_secret_reference(const struct sty_secret_nodes *secrets, const json_t *node);
/* True if the value is a secret or holds one. */
bool sty_secret_inside(const struct sty_secret_nodes *secrets, const json_t *value);

struct sty_partials { /* parsed partials by name and indentation */
    struct sty_arena *arena;
    const char *folder; /* where they are, for messages; "" where that is not known */
    struct sty_map parsed;
    size_t bytes;
};
/* One rendering. `holes` NULL: a secret is an error. */
struct sty_rendering {
    const struct sty_template_world *world;
    const struct sty_secret_nodes *secrets;
    struct sty_partials *partials;
    enum sty_escape escape;
    json_t *holes;
};
int sty_parsed_render(struct sty_str *out, const struct sty_parsed *parsed, const struct sty_rendering *rendering,
                      struct sty_error *err);
/* The value of sty_parsed_single()'s variable, borrowed from the context. STY_INVALID with its place. */
int sty_parsed_value(const json_t **out, const struct sty_parsed *parsed, const struct sty_node *node,
                     const struct sty_rendering *rendering, struct sty_error *err);
/* Fails with "file:line:column: message". */
int sty_node_error(struct sty_error *err, const struct sty_parsed *parsed, const struct sty_node *node,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));

/* ---- where the output stands (place.c) ---- */

enum sty_place_kind {
    STY_PLACE_VALUE,
    STY_PLACE_PLAIN,
    STY_PLACE_DOUBLE,
    STY_PLACE_SINGLE,
    STY_PLACE_BLOCK,
    STY_PLACE_COMMENT
};
/* A lexer of YAML or JSON output: only as much as is needed to know what a tag stands in. */
struct sty_place {
    bool json;
    int state;
    int flow; /* open brackets and braces */
    int column;
    bool indenting;              /* only spaces on this line so far */
    int key_column, dash_column; /* of this line; -1: none */
    int block_parent;            /* a block scalar's lines stand deeper than this */
    char previous;
};
void sty_place_init(struct sty_place *place, bool json);
void sty_place_feed(struct sty_place *place, const char *bytes, size_t length);
enum sty_place_kind sty_place_now(const struct sty_place *place);
/* True if node `index` is followed by the end of a value, so that it is a whole one where a value begins. */
bool sty_place_whole(const struct sty_place *place, const struct sty_parsed *parsed, size_t index);

/* ---- escaping (escape.c) ---- */

/* The value as text without escaping; maps and lists come out as canonical JSON. */
void sty_escape_text(struct sty_str *out, const json_t *value);
/* As a JSON value whose text is also good YAML. */
void sty_escape_value(struct sty_str *out, const json_t *value);
