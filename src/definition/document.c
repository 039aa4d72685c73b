/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML to a positioned tree that knows no kind. libyaml hands out events; limits on depth, nodes and aliases, duplicate
 * keys and tags are ours, as it passes all of them. Reading goes on behind what can be gone past, so that all mistakes
 * are told and the names of a document are found.
 */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/map.h"
#include "definition/definition_internal.h"

enum { DEPTH = 64, NODES = 100000, ALIASED = 10000, DOCUMENTS = 1000 };

struct reader {
    struct sty_arena *arena;
    const struct sty_stream *stream;
    struct sty_problems *problems;
    yaml_parser_t parser;
    struct sty_map anchors;
    size_t nodes, aliased;
    size_t naked; /* the line of the last {{x}} without quotes, from 1 */
    bool failed;  /* nothing more can be read */
};

static void add(struct reader *r, size_t line, size_t column, const char *message)
{
    struct sty_problem where = {.file = r->stream->file, .line = (int)line + 1, .column = (int)column + 1};
    sty_problems_add(r->problems, &where, "%s", message);
}

static void fail(struct reader *r, const yaml_mark_t *at, const char *message)
{
    if (!r->failed)
        add(r, at->line, at->column, message);
    r->failed = true;
}

/* A mistake that the rest can be read past. */
static void spoil(struct reader *r, struct sty_node *node, const char *message)
{
    if (node->kind != STY_NODE_BROKEN)
        add(r, (size_t)node->line - 1, (size_t)node->column - 1, message);
    node->kind = STY_NODE_BROKEN;
}

static struct sty_node *read_node(struct reader *r, const yaml_event_t *event, int depth);

static void complain(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    const yaml_mark_t *at = p->problem_mark.line || p->problem_mark.column ? &p->problem_mark : &p->context_mark;
    r->failed = r->naked == at->line + 1; /* what follows on that line is no second mistake */
    const char *message = p->problem ? p->problem : "not YAML";
    message = sty_yaml_explain(r->arena, r->stream, message, at->line, at->column);
    if (p->context && message == p->problem && p->context_mark.line != at->line)
        message =
            sty_arena_printf(r->arena, "%s, %s that begins on line %zu", message, p->context, p->context_mark.line + 1);
    fail(r, at, message);
}

static bool next(struct reader *r, yaml_event_t *event)
{
    if (r->failed)
        return false;
    if (yaml_parser_parse(&r->parser, event))
        return true;
    complain(r);
    return false;
}

static void append(struct reader *r, struct sty_node *parent, struct sty_node *key, struct sty_node *item)
{
    if ((parent->count & (parent->count - 1)) == 0) {
        size_t capacity = parent->count ? parent->count * 2 : 1;
        struct sty_node **items = sty_arena_alloc(r->arena, capacity * sizeof(struct sty_node *));
        struct sty_node **keys = key ? sty_arena_alloc(r->arena, capacity * sizeof(struct sty_node *)) : NULL;
        if (parent->count)
            memcpy(items, parent->items, parent->count * sizeof(struct sty_node *));
        if (parent->count && keys)
            memcpy(keys, parent->keys, parent->count * sizeof(struct sty_node *));
        parent->items = items;
        parent->keys = keys;
    }
    if (key)
        parent->keys[parent->count] = key;
    parent->items[parent->count++] = item;
    parent->weight += item->weight + 1;
}

/* The core schema's tag for scalars; false: another one. */
static bool scalar_tag(enum sty_node_tag *out, const char *tag)
{
    static const char prefix[] = "tag:yaml.org,2002:";
    static const char *const names[] = {[STY_TAG_STR] = "str",
                                        [STY_TAG_INT] = "int",
                                        [STY_TAG_FLOAT] = "float",
                                        [STY_TAG_BOOL] = "bool",
                                        [STY_TAG_NULL] = "null"};
    *out = !tag ? STY_TAG_NONE : STY_TAG_STR;
    if (!tag || strcmp(tag, "!") == 0)
        return true;
    for (size_t i = STY_TAG_STR; sty_starts_with(tag, prefix) && i < STY_COUNT(names); i++)
        if (strcmp(tag + strlen(prefix), names[i]) == 0) {
            *out = (enum sty_node_tag)i;
            return true;
        }
    return false;
}

static void check_tag(struct reader *r, struct sty_node *node, const yaml_char_t *tag, const char *own)
{
    const char *text = (const char *)tag;
    if (text && strcmp(text, "!") != 0 && strcmp(text, own) != 0)
        spoil(r, node, "tags other than those of the core schema are not read");
}

static struct sty_node *new_node(struct reader *r, const yaml_event_t *event, enum sty_node_kind kind)
{
    struct sty_node *node = sty_arena_alloc(r->arena, sizeof *node);
    node->kind = kind;
    node->line = (int)event->start_mark.line + 1;
    node->column = (int)event->start_mark.column + 1;
    node->weight = 1;
    if (++r->nodes > NODES)
        fail(r, &event->start_mark, "more than 100000 values in one file");
    return node;
}

static void read_scalar(struct reader *r, struct sty_node *node, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value, *tag = (const char *)event->data.scalar.tag;
    bool known = scalar_tag(&node->tag, tag);
    node->length = event->data.scalar.length;
    node->text = sty_arena_strndup(r->arena, text, node->length);
    node->plain =
        node->tag == STY_TAG_NONE ? event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE : node->tag != STY_TAG_STR;
    if (memchr(text, '\0', node->length))
        spoil(r, node, "a NUL character in a value");
    else if (!known)
        spoil(r, node, "tags other than those of the core schema are not read");
}

static void read_sequence(struct reader *r, struct sty_node *node, int depth)
{
    yaml_event_t event;
    for (bool more = true; more && next(r, &event); yaml_event_delete(&event)) {
        more = event.type != YAML_SEQUENCE_END_EVENT;
        struct sty_node *item = more ? read_node(r, &event, depth + 1) : NULL;
        if (item)
            append(r, node, NULL, item);
    }
}

/* "{{x}}" without quotes is a map whose key is a map. */
static const char *naked(struct reader *r, const struct sty_node *key)
{
    r->naked = (size_t)key->line;
    bool single = key->count == 1 && key->keys[0]->kind == STY_NODE_SCALAR;
    const char *name = single ? key->keys[0]->text : "...";
    return sty_arena_printf(r->arena, "{{%.100s}} without quotes is a map in YAML: put the value in quotes", name);
}

static void add_pair(struct reader *r, struct sty_node *map, struct sty_map *seen, struct sty_node *key,
                     struct sty_node *value)
{
    if (key->kind == STY_NODE_MAP) {
        spoil(r, map, naked(r, key));
    } else if (key->kind == STY_NODE_SEQUENCE) {
        spoil(r, map, "a key is text, not a list");
    } else if (key->kind == STY_NODE_BROKEN) {
        map->kind = STY_NODE_BROKEN;
    } else if (sty_map_has(seen, key->text)) {
        struct sty_node twice = *key; /* an alias may share the key */
        spoil(r, &twice, sty_arena_printf(r->arena, "key '%.100s' stands twice", key->text));
        size_t first = (size_t)(uintptr_t)sty_map_get(seen, key->text) - 1;
        map->items[first] = sty_arena_memdup(r->arena, &twice, sizeof twice);
    } else {
        append(r, map, key, value);
        sty_map_set(seen, key->text, (void *)(uintptr_t)map->count);
    }
}

static void read_map(struct reader *r, struct sty_node *node, int depth)
{
    struct sty_map seen = STY_MAP_INIT;
    struct sty_node *key = NULL;
    yaml_event_t event;
    for (bool more = true; more && next(r, &event); yaml_event_delete(&event)) {
        more = event.type != YAML_MAPPING_END_EVENT;
        struct sty_node *item = more ? read_node(r, &event, depth + 1) : NULL;
        if (item && key)
            add_pair(r, node, &seen, key, item);
        key = key ? NULL : item;
    }
    sty_map_clear(&seen);
}

static struct sty_node *read_alias(struct reader *r, const yaml_event_t *event)
{
    struct sty_node *node = sty_map_get(&r->anchors, (const char *)event->data.alias.anchor);
    if (!node) {
        fail(r, &event->start_mark, "an alias to an anchor that is not there");
        return NULL;
    }
    r->aliased += node->weight;
    if (r->aliased > ALIASED)
        fail(r, &event->start_mark, "aliases stand for more than 10000 values");
    return node;
}

static struct sty_node *read_node(struct reader *r, const yaml_event_t *event, int depth)
{
    struct sty_node *node = NULL;
    const yaml_char_t *anchor = NULL;
    if (depth > DEPTH) {
        fail(r, &event->start_mark, "nested deeper than 64");
        return NULL;
    }
    if (event->type == YAML_ALIAS_EVENT)
        return read_alias(r, event);
    if (event->type == YAML_SCALAR_EVENT) {
        node = new_node(r, event, STY_NODE_SCALAR);
        anchor = event->data.scalar.anchor;
        read_scalar(r, node, event);
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        node = new_node(r, event, STY_NODE_SEQUENCE);
        anchor = event->data.sequence_start.anchor;
        check_tag(r, node, event->data.sequence_start.tag, YAML_SEQ_TAG);
        read_sequence(r, node, depth);
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        node = new_node(r, event, STY_NODE_MAP);
        anchor = event->data.mapping_start.anchor;
        check_tag(r, node, event->data.mapping_start.tag, YAML_MAP_TAG);
        read_map(r, node, depth);
    }
    if (node && anchor)
        sty_map_set(&r->anchors, (const char *)anchor, node);
    return node;
}

static void read_stream(struct reader *r, struct sty_yaml *out)
{
    yaml_event_t event;
    for (bool more = true; more && next(r, &event); yaml_event_delete(&event)) {
        more = event.type != YAML_STREAM_END_EVENT;
        bool structure = !more || event.type == YAML_STREAM_START_EVENT || event.type == YAML_DOCUMENT_START_EVENT ||
                         event.type == YAML_DOCUMENT_END_EVENT;
        struct sty_node *node = structure ? NULL : read_node(r, &event, 1);
        bool empty = node && node->kind == STY_NODE_SCALAR && node->plain && node->length == 0;
        if (out->count == DOCUMENTS && node && !empty)
            fail(r, &event.start_mark, "more than 1000 documents in one file");
        if (node && !empty && !r->failed)
            out->documents[out->count++] = node;
        sty_map_clear(&r->anchors);
    }
}

bool sty_yaml_parse(struct sty_yaml *out, struct sty_arena *arena, const struct sty_stream *stream,
                    struct sty_problems *problems)
{
    struct reader r = {.arena = arena, .stream = stream, .problems = problems};
    *out = (struct sty_yaml){.documents = sty_arena_alloc(arena, DOCUMENTS * sizeof(struct sty_node *))};
    if (!sty_yaml_harmless(stream, problems))
        return false;
    if (!yaml_parser_initialize(&r.parser))
        abort();
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    size_t mark = stream->length >= 3 && memcmp(stream->bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)stream->bytes + mark, stream->length - mark);
    read_stream(&r, out);
    yaml_parser_delete(&r.parser);
    sty_map_clear(&r.anchors);
    return !r.failed;
}
