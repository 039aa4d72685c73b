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
        const char *near = sty_schema_nearest(json_object_get(schema, "properties"), name);
        char text[300];
        snprintf(text, sizeof text, "unknown field '%.100s'%s%s%s", name, near ? "; did you mean '" : "",
                 near ? near : "", near ? "'?" : "");
        mistake(c, text);
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
    for (size_t i = 0; i < json_array_size(value); i++) {
        char index[24];
        snprintf(index, sizeof index, "%zu", i);
        json_t *other = check_child(c, index, json_array_get(value, i), json_object_get(schema, "items"));
        if (other)
            json_array_set_new(value, i, other);
    }
    json_object_foreach (json_object_get(schema, "properties"), name, child) {
        const json_t *otherwise = json_object_get(child, "default");
        if (json_is_object(value) && otherwise && !json_object_get(value, name))
            json_object_set_new(value, name, json_deep_copy(otherwise));
    }
}

static bool fits(const struct check *c, const json_t *value, const json_t *schema)
{
    json_auto_t *copy = json_deep_copy(value);
    struct check quiet = {c->root, c->where, NULL, STY_STR_INIT, true};
    json_decref(check_value(&quiet, copy, schema));
    sty_str_clear(&quiet.pointer);
    return quiet.ok;
}

static const json_t *alternative(const struct check *c, const json_t *value, const json_t *choices)
{
    const json_t *best = NULL;
    for (size_t i = 0; i < json_array_size(choices); i++) {
        const json_t *choice = sty_schema_follow(c->root, json_array_get(choices, i));
        if (fits(c, value, choice))
            return choice;
        if (!best && !sty_schema_is_template(choice) && sty_schema_allows(choice, sty_schema_type_name(value)))
            best = choice;
    }
    return best ? best : sty_schema_follow(c->root, json_array_get(choices, 0));
}

/* Numbers become text where only text is allowed: "{{parameters.port}}" as one tag keeps its type. */
static json_t *as_text(const json_t *value, const json_t *schema)
{
    bool text_only = json_object_get(schema, "type") && sty_schema_allows(schema, "string") &&
                     !sty_schema_allows(schema, sty_schema_type_name(value));
    if (!json_is_number(value) || !text_only)
        return NULL;
    sty_auto_free char *text = sty_json_canonical_text(value);
    return json_string(text);
}

static json_t *check_value(struct check *c, json_t *value, const json_t *schema)
{
    schema = sty_schema_follow(c->root, schema);
    const json_t *choices = json_object_get(schema, "anyOf");
    if (choices && !json_object_get(schema, "type"))
        return check_value(c, value, alternative(c, value, choices));
    json_t *text = as_text(value, schema);
    sty_auto(str) why = STY_STR_INIT;
    if (!sty_schema_holds(&why, text ? text : value, schema)) {
        mistake(c, why.data);
        return text;
    }
    bool any = choices == NULL;
    for (size_t i = 0; i < json_array_size(choices) && !any; i++) {
        sty_str_reset(&why);
        any = sty_schema_holds(&why, value, sty_schema_follow(c->root, json_array_get(choices, i)));
    }
    if (!any)
        mistake(c, why.data);
    check_children(c, value, schema);
    return text;
}

bool sty_schema_check(json_t *value, const char *schema, const struct sty_problem *where, struct sty_problems *problems)
{
    const char *hash = strchr(schema, '#');
    sty_auto_free char *name = sty_strndup(schema, hash ? (size_t)(hash - schema) : strlen(schema));
    const json_t *root = sty_schema_get(name);
    const json_t *part = hash ? sty_json_pointer(root, hash + 1) : root;
    struct check c = {root, where, problems, STY_STR_INIT, true};
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
