/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The documents of one file: which kind each is, its names, and whether it holds what its schema wants. Names are read
 * first, because a document with a mistake elsewhere still says who it is.
 */
#include <stdlib.h>
#include <string.h>

#include "definition/schema_internal.h"

static const struct {
    const char *kind, *schema;
} kinds[] = {{"Cluster", "cluster"},
             {"Environment", "environment"},
             {"Deployment", "deployment"},
             {"ApplicationDriver", "driver"},
             {"Configuration", "configuration"}};

static const char *schema_of(const char *kind)
{
    for (size_t i = 0; kind && i < STY_COUNT(kinds); i++)
        if (strcmp(kinds[i].kind, kind) == 0)
            return kinds[i].schema;
    return NULL;
}

static const struct sty_node *member(const struct sty_node *map, const char *name)
{
    for (size_t i = 0; map && map->kind == STY_NODE_MAP && i < map->count; i++)
        if (strcmp(map->keys[i]->text, name) == 0)
            return map->items[i];
    return NULL;
}

static const char *name_at(const struct sty_node *node)
{
    bool text = node && node->kind == STY_NODE_SCALAR && sty_name_valid(node->text);
    return text ? node->text : NULL;
}

static void release(void *json)
{
    json_decref(json);
}

static void read_names(struct sty_stream_document *out, const struct sty_node *root)
{
    const struct sty_node *kind = member(root, "kind");
    out->kind = kind && kind->kind == STY_NODE_SCALAR && schema_of(kind->text) ? kind->text : NULL;
    out->name = name_at(member(member(root, "metadata"), "name"));
    if (sty_streq(out->kind, "Deployment"))
        out->environment = name_at(member(member(root, "spec"), "environment"));
    if (sty_streq(out->kind, "Configuration"))
        out->name = name_at(member(root, "name"));
}

static void add_problem(struct sty_problems *problems, const struct sty_stream *stream, const struct sty_node *node,
                        const char *message)
{
    struct sty_problem where = {.file = stream->file, .line = node->line, .column = node->column};
    sty_problems_add(problems, &where, "%s", message);
}

static const char *label(struct sty_arena *arena, const struct sty_stream_document *document)
{
    if (!document->kind || !document->name)
        return NULL;
    return document->environment
               ? sty_arena_printf(arena, "%s %s/%s", document->kind, document->environment, document->name)
               : sty_arena_printf(arena, "%s %s", document->kind, document->name);
}

static void decode_one(struct sty_stream_document *out, const struct sty_node *root, const struct sty_stream *stream,
                       const char *schema, struct sty_problems *problems)
{
    read_names(out, root);
    out->decoded.line = root->line;
    schema = schema ? schema : schema_of(out->kind);
    if (!schema) {
        add_problem(problems, stream, root,
                    "wanted a map with kind: Cluster, Environment, Deployment or ApplicationDriver");
        return;
    }
    struct sty_decoding decoding = {.problems = problems,
                                    .file = stream->file,
                                    .document = label(problems->arena, out),
                                    .root = sty_schema_get(schema),
                                    .marks = json_object(),
                                    .pointer = STY_STR_INIT};
    sty_arena_own(problems->arena, decoding.marks, release);
    out->decoded.marks = decoding.marks;
    out->decoded.value = sty_schema_decode(&decoding, root, decoding.root);
    sty_str_clear(&decoding.pointer);
    if (out->decoded.value)
        sty_arena_own(problems->arena, out->decoded.value, release);
    out->valid = out->decoded.value && decoding.mistakes == 0;
}

bool sty_stream_decode(struct sty_stream_document **out, size_t *count, const struct sty_stream *stream,
                       const char *schema, struct sty_problems *problems)
{
    struct sty_yaml yaml;
    bool read = sty_yaml_parse(&yaml, problems->arena, stream, problems);
    struct sty_stream_document *documents = sty_arena_alloc(problems->arena, (yaml.count + 1) * sizeof *documents);
    for (size_t i = 0; i < yaml.count; i++) {
        decode_one(&documents[i], yaml.documents[i], stream, schema, problems);
        bool deployment = sty_streq(documents[i].kind, "Deployment");
        read = read && documents[i].kind && documents[i].name && (!deployment || documents[i].environment);
    }
    *out = documents;
    *count = yaml.count;
    return read;
}
