/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checking values that templates made, by the same schemas, without a text to point into but the place of the template.
 */
#include <stdio.h>
#include <string.h>

#include "definition/schema_internal.h"

struct check {
    const json_t *root;
    const struct sty_problem *where;
    struct sty_problems *problems; /* NULL: only whether */
    struct sty_str pointer;
    bool exact; /* nothing is converted or filled in, and alternatives are no matter of taste */
    bool ok;
};

static json_t *check_value(struct check *c, json_t *value, const json_t *schema);

static void mistake(struct check *c, const char *message)
{
    c->ok = false;
    if (c->problems)
        sty_problems_add(c->problems, c->where, "%s%s%s", c->pointer.data, c->pointer.length ? ": " : "", message);
}

/* A replacement for the child, or NULL to keep it. */
static json_t *check_child(struct check *c, const char *name, json_t *value, const json_t *schema)
{
    size_t length = c->pointer.length;
    sty_json_pointer_append(&c->pointer, name);
    json_t *other = check_value(c, value, schema);
    c->pointer.length = length;
    c->pointer.data[length] = '\0';
    return other;
}

static void check_field(struct check *c, json_t *object, const char *name, const json_t *schema)
{
    const json_t *found = json_object_get(json_object_get(schema, "properties"), name);
    const json_t *additional = json_object_get(schema, "additionalProperties");
    if (!found && json_is_false(additional)) {
        sty_auto(str) why = STY_STR_INIT;
        sty_schema_unknown(&why, schema, name);
        mistake(c, why.data);
        return;
    }
    json_t *other = check_child(c, name, json_object_get(object, name), found ? found : additional);
    if (other)
        json_object_set_new(object, name, other);
}

static void check_children(struct check *c, json_t *value, const json_t *schema)
{
    const char *name;
    json_t *child;
    void *next;
    json_object_foreach_safe (value, next, name, child)
        check_field(c, value, name, schema);
    const json_t *items = json_object_get(schema, "items");
    for (size_t i = 0; items && i < json_array_size(value); i++) {
        char index[24];
        snprintf(index, sizeof index, "%zu", i);
        json_t *other = check_child(c, index, json_array_get(value, i), items);
        if (other)
            json_array_set_new(value, i, other);
    }
    if (!c->exact)
        sty_schema_fill(value, schema, c->root);
}

static bool fits(const struct check *c, const json_t *value, const json_t *schema)
{
    json_auto_t *copy = json_deep_copy(value);
    struct check quiet = {.root = c->root, .where = c->where, .pointer = STY_STR_INIT, .ok = true};
    json_decref(check_value(&quiet, copy, schema));
    sty_str_clear(&quiet.pointer);
    return quiet.ok;
}

/* The alternative that fits, else the first of the value's type. Templates were rendered: what looks like one is none. */
static const json_t *alternative(const struct check *c, const json_t *value, const json_t *choices)
{
    const json_t *best = NULL;
    for (size_t i = 0; i < json_array_size(choices); i++) {
        const json_t *choice = sty_schema_follow(c->root, json_array_get(choices, i));
        if (sty_schema_is_template(choice))
            continue;
        if (fits(c, value, choice))
            return choice;
        if (!best && sty_schema_allows(choice, sty_schema_type_name(value)))
            best = choice;
    }
    return best ? best : sty_schema_follow(c->root, json_array_get(choices, 0));
}

/* "{{parameters.port}}" as one tag is a number also where only text is allowed. */
static json_t *convert(const json_t *value, const json_t *schema)
{
    sty_auto_free char *text = json_is_number(value) ? sty_json_canonical_text(value) : NULL;
    return text ? sty_schema_number_as(value, schema, text) : NULL;
}

static json_t *check_value(struct check *c, json_t *value, const json_t *schema)
{
    schema = sty_schema_follow(c->root, schema);
    const json_t *choices = json_object_get(schema, "anyOf");
    if (choices && !c->exact && !json_object_get(schema, "type"))
        return check_value(c, value, alternative(c, value, choices));
    json_t *other = c->exact ? NULL : convert(value, schema);
    sty_auto(str) why = STY_STR_INIT;
    if (sty_schema_holds(&why, other ? other : value, schema) &&
        sty_schema_chooses(&why, other ? other : value, schema, c->root))
        check_children(c, value, schema);
    else
        mistake(c, why.data);
    return other;
}

bool sty_schema_fits(const json_t *value, const json_t *schema, const json_t *root)
{
    struct check c = {.root = root, .pointer = STY_STR_INIT, .exact = true, .ok = true};
    check_value(&c, (json_t *)value, schema);
    sty_str_clear(&c.pointer);
    return c.ok;
}

bool sty_schema_check(json_t *value, const char *schema, const struct sty_problem *where, struct sty_problems *problems)
{
    const char *hash = strchr(schema, '#');
    sty_auto_free char *name = sty_strndup(schema, hash ? (size_t)(hash - schema) : strlen(schema));
    const json_t *root = sty_schema_get(name);
    const json_t *part = hash ? sty_json_pointer(root, hash + 1) : root;
    struct check c = {.root = root, .where = where, .problems = problems, .pointer = STY_STR_INIT, .ok = true};
    if (!part) {
        mistake(&c, "there is no such schema");
        return false;
    }
    json_decref(check_value(&c, value, part));
    sty_str_clear(&c.pointer);
    return c.ok;
}

void sty_marks_find(int *line, int *column, const json_t *marks, const char *pointer)
{
    sty_auto_free char *at = sty_strdup(pointer);
    *line = *column = 0;
    for (;;) {
        const json_t *mark = json_object_get(marks, at);
        if (mark) {
            *line = (int)json_integer_value(json_array_get(mark, 0));
            *column = (int)json_integer_value(json_array_get(mark, 1));
            return;
        }
        char *slash = strrchr(at, '/');
        if (!slash)
            return;
        *slash = '\0';
    }
}
