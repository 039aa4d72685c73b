/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts of a driver's manifest as patterns: its templates are parsed when the driver is loaded and rendered for each
 * target. What holds no template stays the document's own value. A scalar that is one single tag keeps the value's
 * type. Map keys are no templates.
 */
#include <string.h>
#include "instance/instance_internal.h"

static void compile(struct sty_pattern *out, const struct sty_pattern_source *source, const json_t *value,
                    struct sty_str *pointer, bool keep_map);

static void truncate_to(struct sty_str *text, size_t length)
{
    if (text->length > length) {
        text->length = length;
        text->data[length] = 0;
    }
}

static void compile_text(struct sty_pattern *out, const struct sty_pattern_source *source, const json_t *value,
                         const char *pointer)
{
    const char *text = json_string_value(value);
    if (!strstr(text, "{{"))
        return;
    struct sty_problem place = sty_place_in(source->document, pointer);
    bool block = strchr(text, '\n'); /* a block scalar's text begins on the line below its mark */
    struct sty_template template = {.file = place.file,
                                    .line = place.line + block,
                                    .column = block ? 1 : place.column,
                                    .text = text,
                                    .length = json_string_length(value)};
    struct sty_parsed *parsed = NULL;
    struct sty_error err;
    if (sty_template_parse(&parsed, source->arena, &template, &err) < 0) {
        sty_problem_from_error(source->problems, source->label, &err);
        return;
    }
    out->kind = STY_PATTERN_SCALAR;
    out->parsed = parsed;
}

static void compile_list(struct sty_pattern *out, const struct sty_pattern_source *source, const json_t *value,
                         struct sty_str *pointer)
{
    size_t length = pointer->length, templates = 0;
    out->count = json_array_size(value);
    out->items = sty_arena_alloc(source->arena, (out->count + 1) * sizeof(*out->items));
    for (size_t i = 0; i < out->count; i++) {
        sty_str_appendf(pointer, "/%zu", i);
        compile(&out->items[i], source, json_array_get(value, i), pointer, false);
        truncate_to(pointer, length);
        templates += out->items[i].kind != STY_PATTERN_LITERAL;
    }
    out->kind = templates ? STY_PATTERN_LIST : STY_PATTERN_LITERAL;
}

static void compile_map(struct sty_pattern *out, const struct sty_pattern_source *source, const json_t *value,
                        struct sty_str *pointer)
{
    size_t length = pointer->length, templates = 0;
    out->count = json_object_size(value);
    out->keys = sty_json_keys(source->arena, value);
    out->items = sty_arena_alloc(source->arena, (out->count + 1) * sizeof(*out->items));
    for (size_t i = 0; i < out->count; i++) {
        sty_json_pointer_append(pointer, out->keys[i]);
        compile(&out->items[i], source, json_object_get(value, out->keys[i]), pointer, false);
        truncate_to(pointer, length);
        templates += out->items[i].kind != STY_PATTERN_LITERAL;
    }
    out->kind = templates ? STY_PATTERN_MAP : STY_PATTERN_LITERAL;
}

static void compile(struct sty_pattern *out, const struct sty_pattern_source *source, const json_t *value,
                    struct sty_str *pointer, bool keep_map)
{
    *out = (struct sty_pattern){.literal = value};
    if (json_is_string(value))
        compile_text(out, source, value, pointer->data);
    else if (json_is_array(value))
        compile_list(out, source, value, pointer);
    else if (json_is_object(value))
        compile_map(out, source, value, pointer);
    out->fixed = out->kind == STY_PATTERN_LITERAL;
    if (keep_map && json_is_object(value))
        out->kind = STY_PATTERN_MAP;
}

void sty_pattern_compile(struct sty_pattern *out, const struct sty_pattern_source *source, const json_t *value,
                         const char *pointer)
{
    sty_auto(str) at = STY_STR_INIT;
    sty_str_append(&at, pointer);
    compile(out, source, value, &at, false);
}

void sty_pattern_compile_map(struct sty_pattern *out, const struct sty_pattern_source *source, const json_t *value,
                             const char *pointer)
{
    sty_auto(str) at = STY_STR_INIT;
    sty_str_append(&at, pointer);
    compile(out, source, value, &at, true);
}

const struct sty_pattern *sty_pattern_get(const struct sty_pattern *map, const char *key)
{
    for (size_t i = 0; map->kind == STY_PATTERN_MAP && i < map->count; i++)
        if (sty_streq(map->keys[i], key))
            return &map->items[i];
    return NULL;
}

static json_t *mistake(const struct sty_pattern_use *use, const struct sty_error *err)
{
    sty_problem_from_error(use->problems, use->label, err);
    return NULL;
}

static json_t *render_text(const struct sty_pattern *pattern, const struct sty_pattern_use *use, json_t *holes)
{
    struct sty_rendering rendering = *use->rendering;
    rendering.holes = holes;
    sty_auto(str) text = STY_STR_INIT;
    struct sty_error err;
    if (sty_parsed_render(&text, pattern->parsed, &rendering, &err) < 0)
        return mistake(use, &err);
    return sty_json_string(text.data);
}

/* The value of a scalar that is one tag; its secret's reference, if it is one, in *reference. */
static const json_t *single_value(const json_t **reference, const struct sty_pattern *pattern,
                                  const struct sty_pattern_use *use)
{
    const struct sty_node *node = sty_parsed_single(pattern->parsed);
    const json_t *value = NULL;
    struct sty_error err;
    if (sty_parsed_value(&value, pattern->parsed, node, use->rendering, &err) < 0) {
        mistake(use, &err);
        return NULL;
    }
    *reference = sty_secret_reference(use->rendering->secrets, value);
    if (*reference || !sty_secret_inside(use->rendering->secrets, value))
        return value;
    sty_node_error(&err, pattern->parsed, node, "'%s' holds a secret, which can only be used by its own name",
                   node->text);
    mistake(use, &err);
    return NULL;
}

static json_t *render_scalar(const struct sty_pattern *pattern, const struct sty_pattern_use *use)
{
    const json_t *reference = NULL;
    if (!sty_parsed_single(pattern->parsed))
        return render_text(pattern, use, NULL);
    const json_t *value = single_value(&reference, pattern, use);
    return reference ? render_text(pattern, use, NULL) : json_deep_copy(value);
}

static json_t *render_list(const struct sty_pattern *pattern, const struct sty_pattern_use *use)
{
    json_auto_t *list = json_array();
    bool whole = true;
    for (size_t i = 0; i < pattern->count; i++) {
        json_t *item = sty_pattern_render(&pattern->items[i], use);
        whole = whole && item;
        json_array_append_new(list, item ? item : json_null());
    }
    return whole ? sty_take(list) : NULL;
}

static json_t *render_map(const struct sty_pattern *pattern, const struct sty_pattern_use *use)
{
    json_auto_t *map = json_object();
    bool whole = true;
    for (size_t i = 0; i < pattern->count; i++) {
        json_t *item = sty_pattern_render(&pattern->items[i], use);
        whole = whole && item;
        json_object_set_new(map, pattern->keys[i], item ? item : json_null());
    }
    return whole ? sty_take(map) : NULL;
}

json_t *sty_pattern_render(const struct sty_pattern *pattern, const struct sty_pattern_use *use)
{
    switch (pattern->kind) {
    case STY_PATTERN_SCALAR:
        return render_scalar(pattern, use);
    case STY_PATTERN_LIST:
        return render_list(pattern, use);
    case STY_PATTERN_MAP:
        return render_map(pattern, use);
    case STY_PATTERN_LITERAL:
        break;
    }
    return json_deep_copy(pattern->literal);
}

static json_t *render_env_value(const struct sty_pattern *pattern, const struct sty_pattern_use *use, json_t *texts,
                                const char *name)
{
    const json_t *reference = NULL;
    if (pattern->kind != STY_PATTERN_SCALAR)
        return sty_pattern_render(pattern, use);
    if (sty_parsed_single(pattern->parsed)) {
        const json_t *value = single_value(&reference, pattern, use);
        if (!reference)
            return json_deep_copy(value);
    }
    json_auto_t *holes = json_array();
    json_t *text = render_text(pattern, use, holes);
    if (text && json_array_size(holes))
        json_object_set_new(texts, name, json_pack("{s:O, s:O}", "text", text, "holes", holes));
    return text;
}

json_t *sty_pattern_render_env(const struct sty_pattern *pattern, const struct sty_pattern_use *use, json_t *texts)
{
    if (pattern->kind != STY_PATTERN_MAP)
        return sty_pattern_render(pattern, use);
    json_auto_t *map = json_object();
    bool whole = true;
    for (size_t i = 0; i < pattern->count; i++) {
        json_t *item = render_env_value(&pattern->items[i], use, texts, pattern->keys[i]);
        whole = whole && item;
        json_object_set_new(map, pattern->keys[i], item ? item : json_null());
    }
    return whole ? sty_take(map) : NULL;
}

static json_t *render_reference(const struct sty_pattern *pattern, const struct sty_pattern_use *use)
{
    const json_t *reference = NULL;
    if (pattern->kind == STY_PATTERN_LITERAL)
        return json_deep_copy(pattern->literal);
    if (pattern->kind != STY_PATTERN_SCALAR)
        return sty_pattern_render(pattern, use);
    if (sty_parsed_single(pattern->parsed) && !single_value(&reference, pattern, use))
        return NULL;
    if (reference)
        return json_deep_copy(reference);
    struct sty_error err;
    sty_node_error(&err, pattern->parsed, &pattern->parsed->nodes[0],
                   "a step's secret is one tag that names a parameter of kind secret");
    return mistake(use, &err);
}

json_t *sty_pattern_render_secrets(const struct sty_pattern *pattern, const struct sty_pattern_use *use)
{
    if (pattern->kind != STY_PATTERN_MAP)
        return sty_pattern_render(pattern, use);
    json_auto_t *map = json_object();
    bool whole = true;
    for (size_t i = 0; i < pattern->count; i++) {
        json_t *item = render_reference(&pattern->items[i], use);
        whole = whole && item;
        json_object_set_new(map, pattern->keys[i], item ? item : json_null());
    }
    return whole ? sty_take(map) : NULL;
}
