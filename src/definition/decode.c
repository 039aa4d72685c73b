/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A positioned node becomes a value by its schema; every mistake keeps its line.
 */
#include <stdlib.h>
#include <string.h>

#include "definition/schema_internal.h"

/* What a person calls it: the last key of the pointer, with the index behind it: "steps/0". */
static const char *last_name(const char *pointer)
{
    const char *name = pointer + strlen(pointer);
    while (name > pointer) {
        name--;
        if (*name == '/' && (name[1] < '0' || name[1] > '9'))
            return name + 1;
    }
    return name;
}

static void mistake(struct sty_decoding *d, const struct sty_node *node, const char *message)
{
    d->mistakes++;
    if (!d->problems)
        return;
    struct sty_problem where = {.file = d->file, .line = node->line, .column = node->column, .document = d->document};
    const char *name = last_name(d->pointer.data);
    if (*name)
        sty_problems_add(d->problems, &where, "%s: %s", name, message);
    else
        sty_problems_add(d->problems, &where, "%s", message);
}

static void mark(struct sty_decoding *d, const struct sty_node *node, const json_t *value)
{
    if (!d->marks)
        return;
    json_t *place = json_pack("[i, i]", node->line, node->column);
    bool typed =
        node->kind == STY_NODE_SCALAR && node->plain && value && !json_is_string(value) && !json_is_null(value);
    sty_auto_free char *printed = typed ? sty_json_canonical_text(value) : NULL;
    if (typed && strcmp(printed, node->text) != 0)
        json_array_append_new(place, sty_json_string(node->text));
    json_object_set_new(d->marks, d->pointer.data, place);
}

static json_t *decode_scalar(struct sty_decoding *d, const struct sty_node *node, const json_t *schema)
{
    const char *why = NULL;
    bool wants_text = json_object_get(schema, "type") && sty_schema_allows(schema, "string");
    json_t *value = sty_core_value(node, &why);
    bool empty = value && json_is_null(value) && node->length == 0;
    json_t *number = value ? sty_schema_number_as(value, schema, node->text) : NULL;
    bool other = !value || !sty_schema_allows(schema, sty_schema_type_name(value));
    if (number || (wants_text && other && !empty)) {
        json_decref(value);
        value = number ? number : sty_json_string(node->text);
    }
    if (!value)
        mistake(d, node, why);
    return value;
}

/* Decode a child under its name; the pointer is put back. */
static json_t *decode_child(struct sty_decoding *d, const char *name, const struct sty_node *node, const json_t *schema)
{
    size_t length = d->pointer.length;
    sty_json_pointer_append(&d->pointer, name);
    json_t *value = sty_schema_decode(d, node, schema);
    d->pointer.length = length;
    if (d->pointer.capacity)
        d->pointer.data[length] = '\0';
    return value;
}

static const json_t *property(const json_t *schema, const char *name, bool *unknown)
{
    const json_t *found = json_object_get(json_object_get(schema, "properties"), name);
    const json_t *additional = json_object_get(schema, "additionalProperties");
    *unknown = !found && json_is_false(additional);
    return found ? found : json_is_object(additional) ? additional : NULL;
}

static json_t *unknown_field(struct sty_decoding *d, const struct sty_node *key, const json_t *schema)
{
    sty_auto(str) why = STY_STR_INIT;
    sty_schema_unknown(&why, schema, key->text);
    mistake(d, key, why.data);
    return NULL;
}

/* What has a mistake stands as null, so that nobody says it is missing. */
static json_t *decode_map(struct sty_decoding *d, const struct sty_node *node, const json_t *schema)
{
    json_t *object = json_object();
    for (size_t i = 0; i < node->count; i++) {
        bool unknown = false;
        const char *name = node->keys[i]->text;
        const json_t *child = property(schema, name, &unknown);
        json_t *value =
            unknown ? unknown_field(d, node->keys[i], schema) : decode_child(d, name, node->items[i], child);
        json_object_set_new(object, name, value ? value : json_null());
    }
    return object;
}

static json_t *decode_sequence(struct sty_decoding *d, const struct sty_node *node, const json_t *schema)
{
    json_t *array = json_array();
    const json_t *items = json_object_get(schema, "items");
    for (size_t i = 0; i < node->count; i++) {
        char name[24];
        snprintf(name, sizeof name, "%zu", i);
        json_t *value = decode_child(d, name, node->items[i], items);
        json_array_append_new(array, value ? value : json_null());
    }
    return array;
}

static json_t *decode_node(struct sty_decoding *d, const struct sty_node *node, const json_t *schema)
{
    switch (node->kind) {
    case STY_NODE_MAP:
        return decode_map(d, node, schema);
    case STY_NODE_SEQUENCE:
        return decode_sequence(d, node, schema);
    case STY_NODE_SCALAR:
        return decode_scalar(d, node, schema);
    case STY_NODE_BROKEN:
        d->mistakes++;
        return NULL;
    }
    return NULL;
}

static json_t *decode_plain(struct sty_decoding *d, const struct sty_node *node, const json_t *schema)
{
    json_t *value = decode_node(d, node, schema);
    sty_auto(str) why = STY_STR_INIT;
    if (!value)
        return NULL;
    if (!sty_schema_holds(&why, value, schema) || !sty_schema_chooses(&why, value, schema, d->root))
        mistake(d, node, why.data);
    sty_schema_fill(value, schema, d->root);
    mark(d, node, value);
    return value;
}

static bool fits(const struct sty_decoding *d, const struct sty_node *node, const json_t *schema, json_t **value)
{
    struct sty_decoding quiet = {.root = d->root, .pointer = STY_STR_INIT};
    *value = sty_schema_decode(&quiet, node, schema);
    sty_str_clear(&quiet.pointer);
    return *value && quiet.mistakes == 0;
}

/* The alternative of anyOf that fits; else the first whose type is the node's, so that its mistakes are told. */
static const json_t *alternative(const struct sty_decoding *d, const struct sty_node *node, const json_t *choices)
{
    static const char *const types[] = {"string", "array", "object", "broken"};
    const json_t *best = NULL;
    for (size_t i = 0; i < json_array_size(choices); i++) {
        const json_t *choice = sty_schema_follow(d->root, json_array_get(choices, i));
        json_auto_t *value = NULL;
        if (fits(d, node, choice, &value))
            return choice;
        if (!best && !sty_schema_is_template(choice) && sty_schema_allows(choice, types[node->kind]))
            best = choice;
    }
    return best ? best : sty_schema_follow(d->root, json_array_get(choices, 0));
}

json_t *sty_schema_decode(struct sty_decoding *d, const struct sty_node *node, const json_t *schema)
{
    schema = sty_schema_follow(d->root, schema);
    const json_t *choices = json_object_get(schema, "anyOf");
    if (choices && !json_object_get(schema, "type"))
        return sty_schema_decode(d, node, alternative(d, node, choices));
    return decode_plain(d, node, schema);
}
