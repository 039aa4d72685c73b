/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A document as text, as the store keeps it, and as a tree only while somebody reads it: the trees of ten thousand
 * Deployments would not fit into what a walk may use.
 */
#include <string.h>

#include "definition/definition_internal.h"

static void drop(void *self)
{
    struct sty_document *document = self;
    json_decref(document->value);
    json_decref(document->marks);
    document->value = document->marks = NULL;
}

static void own(struct sty_document *document, struct sty_arena *arena)
{
    if (!document->owned)
        sty_arena_own(arena, document, drop);
    document->owned = true;
}

void sty_document_adopt(struct sty_document *document, struct sty_arena *arena, struct sty_decoded *decoded)
{
    own(document, arena);
    document->marks = sty_take(decoded->marks);
    if (document->valid)
        document->value = sty_take(decoded->value);
}

void sty_document_pack(struct sty_document *document, struct sty_arena *arena)
{
    if (document->text || !document->value)
        return;
    json_auto_t *both = json_object();
    json_object_set(both, "value", document->value);
    json_object_set(both, "marks", document->marks);
    sty_auto_free char *text = json_dumps(both, JSON_COMPACT);
    document->text = sty_arena_strdup(arena, text);
}

void sty_document_fold(const struct sty_document *document)
{
    if (document->text)
        drop((struct sty_document *)document);
}

int sty_document_open(struct sty_document *document, struct sty_arena *arena, struct sty_error *err)
{
    json_auto_t *both = NULL;
    if (document->value || !document->text)
        return 0;
    if (sty_json_parse(&both, document->text, strlen(document->text), err) < 0)
        return sty_error_wrap(err, "stored document %s", document->path);
    own(document, arena);
    document->value = json_incref(json_object_get(both, "value"));
    document->marks = json_incref(json_object_get(both, "marks"));
    if (document->kind == STY_KIND_DRIVER)
        document->folder =
            sty_arena_strndup(arena, document->path, (size_t)(strrchr(document->path, '/') - document->path));
    return 0;
}
