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

enum { CONFIGURATION = 4 };

/* The row of that kind: a configuration is no document of a desired state, nor the other way round. */
static int kind_row(const char *kind, const char *schema)
{
    for (int i = 0; kind && i < (int)STY_COUNT(kinds); i++)
        if (strcmp(kinds[i].kind, kind) == 0 && (schema ? strcmp(kinds[i].schema, schema) == 0 : i != CONFIGURATION))
            return i;
    return -1;
}

static const struct sty_node *member(const struct sty_node *map, const char *name)
{
    for (size_t i = 0; map && map->kind == STY_NODE_MAP && i < map->count; i++)
        if (strcmp(map->keys[i]->text, name) == 0)
            return map->items[i];
    return NULL;
}

static const char *name_at(struct sty_arena *arena, const struct sty_node *node)
{
    bool text = node && node->kind == STY_NODE_SCALAR && sty_name_valid(node->text);
    return text ? sty_arena_strdup(arena, node->text) : NULL;
}

static void release(void *decoded)
{
    json_decref(((struct sty_decoded *)decoded)->value);
    json_decref(((struct sty_decoded *)decoded)->marks);
}

static void read_names(struct sty_stream_document *out, struct sty_arena *arena, const struct sty_node *root, int row)
{
    bool configuration = row == CONFIGURATION;
    out->kind = kinds[row].kind;
    out->name = name_at(arena, configuration ? member(root, "name") : member(member(root, "metadata"), "name"));
    if (sty_streq(out->kind, "Deployment"))
        out->environment = name_at(arena, member(member(root, "spec"), "environment"));
}

/* What is to be said of a document whose kind is none of ours. */
static void unknown_kind(const struct sty_node *root, const struct sty_stream *stream, struct sty_problems *problems)
{
    const struct sty_node *kind = member(root, "kind"), *at = kind ? kind : root;
    struct sty_problem where = {.file = stream->file, .line = at->line, .column = at->column};
    sty_auto(str) why = STY_STR_INIT;
    if (at->kind == STY_NODE_BROKEN)
        return;
    if (kind && kind->kind == STY_NODE_SCALAR) {
        json_auto_t *names = json_pack("[s, s, s, s]", kinds[0].kind, kinds[1].kind, kinds[2].kind, kinds[3].kind);
        sty_str_appendf(&why, "there is no kind '%.100s' of document", kind->text);
        sty_schema_suggest(&why, names, kind->text);
    } else {
        sty_str_append(&why, "wanted a map with kind: Cluster, Environment, Deployment or ApplicationDriver");
    }
    sty_problems_add(problems, &where, "%s", why.data);
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
    const struct sty_node *kind = member(root, "kind");
    int row = kind_row(kind && kind->kind == STY_NODE_SCALAR ? kind->text : NULL, schema);
    out->decoded.line = root->line;
    if (row >= 0)
        read_names(out, problems->arena, root, row);
    if (row < 0 && !schema) {
        unknown_kind(root, stream, problems);
        return;
    }
    struct sty_decoding decoding = {.problems = problems,
                                    .file = stream->file,
                                    .document = label(problems->arena, out),
                                    .root = sty_schema_get(schema ? schema : kinds[row].schema),
                                    .marks = json_object(),
                                    .pointer = STY_STR_INIT};
    sty_arena_own(problems->arena, &out->decoded, release);
    out->decoded.marks = decoding.marks;
    out->decoded.value = sty_schema_decode(&decoding, root, decoding.root);
    sty_str_clear(&decoding.pointer);
    out->valid = out->decoded.value && decoding.mistakes == 0;
}

bool sty_stream_decode(struct sty_stream_document **out, size_t *count, const struct sty_stream *stream,
                       const char *schema, struct sty_problems *problems)
{
    sty_auto_ptr(arena) nodes = sty_arena_new();
    struct sty_yaml yaml;
    bool read = sty_yaml_parse(&yaml, nodes, stream, problems);
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
