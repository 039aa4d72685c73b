/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML to a positioned tree that knows no kind. libyaml hands out events; depth, size, node and alias limits, duplicate
 * keys and directives are ours, because it is quadratic on hostile input and says nothing about either.
 */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/map.h"
#include "definition/definition_internal.h"

enum { SIZE = 1 << 20, DEPTH = 64, NODES = 100000, ALIASED = 10000, OPEN_BRACKETS = 1000 };

struct reader {
    struct sty_arena *arena;
    const struct sty_stream *stream;
    struct sty_problems *problems;
    yaml_parser_t parser;
    struct sty_map anchors;
    size_t nodes, aliased;
    bool failed;
};

static void fail(struct reader *r, size_t line, size_t column, const char *message)
{
    struct sty_problem where = {.file = r->stream->file, .line = (int)line + 1, .column = (int)column + 1};
    if (!r->failed)
        sty_problems_add(r->problems, &where, "%s", message);
    r->failed = true;
}

static void fail_at(struct reader *r, const struct sty_node *node, const char *message)
{
    fail(r, (size_t)node->line - 1, (size_t)node->column - 1, message);
}

static struct sty_node *read_node(struct reader *r, const yaml_event_t *event, int depth);

static bool next(struct reader *r, yaml_event_t *event)
{
    if (r->failed)
        return false;
    if (!yaml_parser_parse(&r->parser, event)) {
        const yaml_mark_t *at = r->parser.problem_mark.line || r->parser.problem_mark.column ? &r->parser.problem_mark
                                                                                             : &r->parser.context_mark;
        fail(r, at->line, at->column, r->parser.problem ? r->parser.problem : "not YAML");
        return false;
    }
    return true;
}

static void append(struct reader *r, struct sty_node *parent, struct sty_node *key, struct sty_node *item)
{
    if ((parent->count & (parent->count - 1)) == 0) {
        size_t capacity = parent->count ? parent->count * 2 : 1;
        struct sty_node **items = sty_arena_alloc(r->arena, capacity * sizeof(struct sty_node *));
        struct sty_node **keys = sty_arena_alloc(r->arena, capacity * sizeof(struct sty_node *));
        if (parent->count) {
            memcpy(items, parent->items, parent->count * sizeof(struct sty_node *));
            memcpy(keys, parent->keys, parent->count * sizeof(struct sty_node *));
        }
        parent->items = items;
        parent->keys = keys;
    }
    parent->keys[parent->count] = key;
    parent->items[parent->count++] = item;
    parent->weight += item->weight + 1;
}

static bool core_tag(const char *tag)
{
    static const char *const known[] = {"!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"};
    for (size_t i = 0; tag && i < STY_COUNT(known); i++)
        if (strcmp(tag, known[i]) == 0)
            return true;
    return tag == NULL;
}

static struct sty_node *new_node(struct reader *r, const yaml_event_t *event, enum sty_node_kind kind)
{
    struct sty_node *node = sty_arena_alloc(r->arena, sizeof *node);
    node->kind = kind;
    node->line = (int)event->start_mark.line + 1;
    node->column = (int)event->start_mark.column + 1;
    node->weight = 1;
    if (++r->nodes > NODES)
        fail_at(r, node, "more than 100000 values in one file");
    return node;
}

static void read_scalar(struct reader *r, struct sty_node *node, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value, *tag = (const char *)event->data.scalar.tag;
    node->length = event->data.scalar.length;
    node->text = sty_arena_strndup(r->arena, text, node->length);
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !tag;
    if (memchr(text, '\0', node->length))
        fail_at(r, node, "a NUL character in a value");
    if (!core_tag(tag))
        fail_at(r, node, "tags other than those of the core schema are not read");
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

static void check_key(struct reader *r, struct sty_map *seen, const struct sty_node *key)
{
    if (key->kind == STY_NODE_MAP)
        fail_at(r, key, "'{{...}}' without quotes is a map in YAML: write it in quotes, '\"{{...}}\"'");
    else if (key->kind == STY_NODE_SEQUENCE)
        fail_at(r, key, "a key is text");
    else if (sty_map_set(seen, key->text, (void *)key))
        fail_at(r, key, sty_arena_printf(r->arena, "key '%.100s' stands twice", key->text));
}

static void read_map(struct reader *r, struct sty_node *node, int depth)
{
    struct sty_map seen = STY_MAP_INIT;
    struct sty_node *key = NULL;
    yaml_event_t event;
    for (bool more = true; more && next(r, &event); yaml_event_delete(&event)) {
        more = event.type != YAML_MAPPING_END_EVENT;
        struct sty_node *item = more ? read_node(r, &event, depth + 1) : NULL;
        if (item && !key) {
            check_key(r, &seen, item);
            key = item;
        } else if (item) {
            append(r, node, key, item);
            key = NULL;
        }
    }
    sty_map_clear(&seen);
}

static struct sty_node *read_alias(struct reader *r, const yaml_event_t *event)
{
    struct sty_node *node = sty_map_get(&r->anchors, (const char *)event->data.alias.anchor);
    if (!node) {
        fail(r, event->start_mark.line, event->start_mark.column, "an alias to an anchor that is not there");
        return NULL;
    }
    r->aliased += node->weight;
    if (r->aliased > ALIASED)
        fail(r, event->start_mark.line, event->start_mark.column, "aliases stand for more than 10000 values");
    return node;
}

static struct sty_node *read_node(struct reader *r, const yaml_event_t *event, int depth)
{
    struct sty_node *node = NULL;
    const yaml_char_t *anchor = NULL;
    if (depth > DEPTH) {
        fail(r, event->start_mark.line, event->start_mark.column, "nested deeper than 64");
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
        read_sequence(r, node, depth);
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        node = new_node(r, event, STY_NODE_MAP);
        anchor = event->data.mapping_start.anchor;
        read_map(r, node, depth);
    }
    if (node && anchor)
        sty_map_set(&r->anchors, (const char *)anchor, node);
    return node;
}

/* What libyaml must not be given: it takes seconds on kilobytes of these. */
static bool harmless(struct reader *r)
{
    const char *bytes = r->stream->bytes;
    size_t length = r->stream->length, line = 0, start = 0;
    long open = 0;
    if (length > SIZE)
        fail(r, 0, 0, "larger than 1 MiB");
    else if (!sty_utf8_valid(bytes, length))
        fail(r, 0, 0, "not UTF-8");
    for (size_t i = 0; i < length && !r->failed; i++) {
        char c = bytes[i];
        open += (c == '[' || c == '{') - (c == ']' || c == '}');
        if (open > OPEN_BRACKETS)
            fail(r, line, i - start, "nested deeper than 64");
        if (i == start && c == '%' && strncmp(bytes + i, "%YAML", 5) != 0)
            fail(r, line, 0, "directives other than %YAML are not read");
        if (c == '\0')
            fail(r, line, i - start, "a NUL character");
        if (c == '\n') {
            line++;
            start = i + 1;
        }
    }
    return !r->failed;
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
        if (node && !empty && !r->failed)
            out->documents[out->count++] = node;
        sty_map_clear(&r->anchors);
        if (out->count == 1000) {
            fail(r, event.start_mark.line, 0, "more than 1000 documents in one file");
            more = false;
        }
    }
}

bool sty_yaml_parse(struct sty_yaml *out, struct sty_arena *arena, const struct sty_stream *stream,
                    struct sty_problems *problems)
{
    struct reader r = {.arena = arena, .stream = stream, .problems = problems};
    *out = (struct sty_yaml){.documents = sty_arena_alloc(arena, 1001 * sizeof(struct sty_node *))};
    if (!harmless(&r))
        return false;
    if (!yaml_parser_initialize(&r.parser))
        abort();
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    size_t mark = sty_starts_with(stream->bytes, "\xef\xbb\xbf") ? 3 : 0;
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)stream->bytes + mark, stream->length - mark);
    read_stream(&r, out);
    yaml_parser_delete(&r.parser);
    sty_map_clear(&r.anchors);
    return !r.failed;
}
