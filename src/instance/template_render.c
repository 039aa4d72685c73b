/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A parsed template to output. Everything a hostile template could make endless has a bound: depth, output, and nodes
 * walked. A variable that does not resolve is an error, because a configuration with a gap in it starts and is wrong;
 * a section that does not resolve is false.
 */
#include <string.h>
#include "instance/template.h"

#define STACK_MAX (STY_TEMPLATE_DEPTH + 1)

struct render {
    struct sty_str *out;
    size_t start, walked;
    const struct sty_rendering *with;
    struct sty_place place;
    const json_t *stack[STACK_MAX];
    size_t depth; /* of sections and partials */
    size_t pushed;
    struct sty_error *err;
};

static int render_nodes(struct render *render, const struct sty_parsed *parsed, size_t begin, size_t end);

static int append(struct render *render, const struct sty_parsed *parsed, const struct sty_node *node,
                  const char *bytes, size_t length)
{
    if (render->out->length - render->start + length > STY_TEMPLATE_OUTPUT)
        return sty_node_error(render->err, parsed, node, "the output is larger than 16 MiB");
    if (render->with->escape == STY_ESCAPE_YAML || render->with->escape == STY_ESCAPE_JSON)
        sty_place_feed(&render->place, bytes, length);
    sty_str_append_bytes(render->out, bytes, length);
    return 0;
}

/* ---- names ---- */

struct lookup {
    const json_t *value; /* NULL: nothing there */
    bool in_secret;      /* the name goes on behind a secret */
};

static struct lookup look_up(const struct render *render, const struct sty_node *node)
{
    const char *const *names = node->names;
    if (!names[0])
        return (struct lookup){.value = render->stack[render->pushed - 1]};
    const json_t *value = NULL;
    for (size_t i = render->pushed; !value && i-- > 0;)
        value = json_object_get(render->stack[i], names[0]);
    for (names++; value && *names; names++) {
        if (sty_secret_reference(render->with->secrets, value))
            return (struct lookup){.in_secret = true};
        value = json_object_get(value, *names);
    }
    return (struct lookup){.value = value};
}

static int resolve_name(const json_t **out, const struct render *render, const struct sty_parsed *parsed,
                        const struct sty_node *node)
{
    struct lookup found = look_up(render, node);
    if (found.in_secret)
        return sty_node_error(render->err, parsed, node, "'%s' goes into a secret, which can only be used as it is",
                              node->text);
    if (!found.value)
        return sty_node_error(render->err, parsed, node, "'%s' is not known", node->text);
    *out = found.value;
    return 0;
}

/* ---- variables ---- */

struct spot {
    const struct sty_parsed *parsed;
    const struct sty_node *node;
};

static int add_hole(struct render *render, const struct spot *spot, const json_t *reference, const char *escape,
                    const char *quote)
{
    if (!render->with->holes)
        return sty_node_error(render->err, spot->parsed, spot->node,
                              "'%s' is a secret: it can stand in file content, in 'env' and in a step's 'secrets' only",
                              spot->node->text);
    if (append(render, spot->parsed, spot->node, quote, strlen(quote)) < 0)
        return -1;
    json_t *hole = json_object();
    json_object_set_new(hole, "n", json_integer((json_int_t)json_array_size(render->with->holes)));
    json_object_set_new(hole, "offset", json_integer((json_int_t)(render->out->length - render->start)));
    json_object_set_new(hole, "reference", json_deep_copy(reference));
    json_object_set_new(hole, "escape", json_string(escape));
    json_array_append_new(render->with->holes, hole);
    return append(render, spot->parsed, spot->node, quote, strlen(quote));
}

static int secret_in_document(struct render *render, const struct spot *spot, const json_t *reference)
{
    size_t index = (size_t)(spot->node - spot->parsed->nodes);
    enum sty_place_kind place = sty_place_now(&render->place);
    if (place == STY_PLACE_VALUE && sty_place_whole(&render->place, spot->parsed, index))
        return add_hole(render, spot, reference, "json", "\"");
    if (place == STY_PLACE_DOUBLE)
        return add_hole(render, spot, reference, "json", "");
    if (place == STY_PLACE_SINGLE)
        return add_hole(render, spot, reference, "yaml", "");
    return sty_node_error(render->err, spot->parsed, spot->node,
                          "the secret '%s' must be a whole value or stand in quotes here", spot->node->text);
}

static int render_secret(struct render *render, const struct spot *spot, const json_t *reference)
{
    if (spot->node->type == STY_NODE_RAW)
        return add_hole(render, spot, reference, "none", "");
    switch (render->with->escape) {
    case STY_ESCAPE_YAML:
    case STY_ESCAPE_JSON:
        return secret_in_document(render, spot, reference);
    case STY_ESCAPE_SHELL:
        return add_hole(render, spot, reference, "shell", "'");
    case STY_ESCAPE_HTML:
        return add_hole(render, spot, reference, "html", "");
    case STY_ESCAPE_NONE:
        break;
    }
    return add_hole(render, spot, reference, "none", "");
}

static int append_escaped(struct render *render, const struct spot *spot, const json_t *value, const char *how)
{
    if (json_is_object(value) || json_is_array(value))
        return sty_node_error(render->err, spot->parsed, spot->node, "'%s' is a %s and cannot be written as text",
                              spot->node->text, json_is_object(value) ? "map" : "list");
    sty_auto(str) text = STY_STR_INIT;
    sty_auto(str) escaped = STY_STR_INIT;
    sty_escape_text(&text, value);
    if (sty_streq(how, "shell"))
        sty_str_append(&escaped, "'");
    sty_escape_append(&escaped, how, text.data, text.length);
    if (sty_streq(how, "shell"))
        sty_str_append(&escaped, "'");
    return append(render, spot->parsed, spot->node, escaped.data, escaped.length);
}

static bool all_of(const char *text, const char *allowed)
{
    return text[strspn(text, allowed)] == 0;
}

static int append_plain(struct render *render, const struct spot *spot, const json_t *value)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-";
    if (json_is_string(value) && !all_of(json_string_value(value), allowed))
        return sty_node_error(render->err, spot->parsed, spot->node,
                              "the text of '%s' needs quotes around the tag: it has other characters than letters, "
                              "digits and ._/-",
                              spot->node->text);
    return append_escaped(render, spot, value, "none");
}

static int append_line(struct render *render, const struct spot *spot, const json_t *value, const char *how)
{
    if (json_is_string(value) && strpbrk(json_string_value(value), "\r\n"))
        return sty_node_error(render->err, spot->parsed, spot->node,
                              "the text of '%s' has a line break, which cannot "
                              "stand here",
                              spot->node->text);
    return append_escaped(render, spot, value, how);
}

static int append_in_document(struct render *render, const struct spot *spot, const json_t *value)
{
    switch (sty_place_now(&render->place)) {
    case STY_PLACE_VALUE:
        if (sty_place_whole(&render->place, spot->parsed, (size_t)(spot->node - spot->parsed->nodes))) {
            sty_auto(str) text = STY_STR_INIT;
            sty_escape_value(&text, value);
            return append(render, spot->parsed, spot->node, text.data, text.length);
        }
        return append_plain(render, spot, value);
    case STY_PLACE_PLAIN:
        return append_plain(render, spot, value);
    case STY_PLACE_DOUBLE:
        return append_escaped(render, spot, value, "json");
    case STY_PLACE_SINGLE:
        return append_line(render, spot, value, "yaml");
    case STY_PLACE_BLOCK:
    case STY_PLACE_COMMENT:
        break;
    }
    return append_line(render, spot, value, "none");
}

static int append_value(struct render *render, const struct spot *spot, const json_t *value)
{
    if (spot->node->type == STY_NODE_RAW) {
        sty_auto(str) text = STY_STR_INIT;
        sty_escape_text(&text, value);
        return append(render, spot->parsed, spot->node, text.data, text.length);
    }
    switch (render->with->escape) {
    case STY_ESCAPE_YAML:
    case STY_ESCAPE_JSON:
        return append_in_document(render, spot, value);
    case STY_ESCAPE_SHELL:
        return append_escaped(render, spot, value, "shell");
    case STY_ESCAPE_HTML:
        return append_escaped(render, spot, value, "html");
    case STY_ESCAPE_NONE:
        break;
    }
    return append_escaped(render, spot, value, "none");
}

static int render_variable(struct render *render, const struct sty_parsed *parsed, const struct sty_node *node)
{
    const json_t *value = NULL;
    if (resolve_name(&value, render, parsed, node) < 0)
        return -1;
    struct spot spot = {parsed, node};
    const json_t *reference = sty_secret_reference(render->with->secrets, value);
    if (reference)
        return render_secret(render, &spot, reference);
    if (sty_secret_inside(render->with->secrets, value))
        return sty_node_error(render->err, parsed, node, "'%s' holds a secret, which can only be used by its own name",
                              node->text);
    return append_value(render, &spot, value);
}

/* ---- sections and partials ---- */

static bool is_true(const json_t *value)
{
    bool empty = json_is_array(value) && !json_array_size(value);
    return value && !json_is_false(value) && !json_is_null(value) && !empty;
}

static int enter(struct render *render, const struct sty_parsed *parsed, const struct sty_node *node)
{
    if (render->depth == STY_TEMPLATE_DEPTH)
        return sty_node_error(render->err, parsed, node,
                              "sections and partials are nested deeper than 32: does '%s' include itself?", node->text);
    render->depth++;
    return 0;
}

static int render_pushed(struct render *render, const struct sty_parsed *parsed, size_t index, const json_t *value)
{
    render->stack[render->pushed++] = value;
    int status = render_nodes(render, parsed, index + 1, parsed->nodes[index].end);
    render->pushed--;
    return status;
}

static int render_items(struct render *render, const struct sty_parsed *parsed, size_t index, const json_t *value)
{
    if (!json_is_array(value))
        return render_pushed(render, parsed, index, value);
    for (size_t i = 0; i < json_array_size(value); i++)
        if (render_pushed(render, parsed, index, json_array_get(value, i)) < 0)
            return -1;
    return 0;
}

static int render_section(struct render *render, const struct sty_parsed *parsed, size_t index)
{
    const struct sty_node *node = &parsed->nodes[index];
    struct lookup found = look_up(render, node);
    if (found.in_secret || sty_secret_reference(render->with->secrets, found.value))
        return sty_node_error(render->err, parsed, node, "'%s' is a secret and cannot be a section", node->text);
    bool inverted = node->type == STY_NODE_INVERTED;
    if (is_true(found.value) == inverted)
        return 0;
    if (enter(render, parsed, node) < 0)
        return -1;
    int status = inverted ? render_nodes(render, parsed, index + 1, node->end)
                          : render_items(render, parsed, index, found.value);
    render->depth--;
    return status;
}

/* The partial's text with every line indented; NULL: too long. */
static const char *indented(struct sty_arena *arena, struct sty_template *partial, const char *indent)
{
    sty_auto(str) out = STY_STR_INIT;
    for (size_t i = 0; i < partial->length && out.length <= STY_TEMPLATE_OUTPUT; i++) {
        if (i == 0 || partial->text[i - 1] == '\n')
            sty_str_append(&out, indent);
        sty_str_append_char(&out, partial->text[i]);
    }
    partial->length = out.length;
    return out.length > STY_TEMPLATE_OUTPUT ? NULL : sty_arena_memdup(arena, out.data, out.length);
}

static int read_partial(struct sty_template *out, const struct render *render, const struct spot *spot)
{
    const struct sty_template_world *world = render->with->world;
    struct sty_partials *partials = render->with->partials;
    const char *name = spot->node->text;
    if (!world->partial)
        return sty_node_error(render->err, spot->parsed, spot->node, "there are no partials here ('%s')", name);
    if (world->partial(world->self, &out->text, &out->length, name, render->err) < 0) {
        sty_auto_free char *why = sty_strdup(render->err->text);
        return sty_node_error(render->err, spot->parsed, spot->node, "%s", why);
    }
    *out = (struct sty_template){.file = sty_arena_printf(partials->arena, "%s%s", partials->folder, name),
                                 .line = 1,
                                 .column = 1,
                                 .text = out->text,
                                 .length = out->length};
    if (*spot->node->indent)
        out->text = indented(partials->arena, out, spot->node->indent);
    partials->bytes += out->length;
    if (!out->text || partials->bytes > STY_PARTIALS_BYTES)
        return sty_node_error(render->err, spot->parsed, spot->node, "partials are larger than 64 MiB in all ('%s')",
                              name);
    return 0;
}

static int load_partial(struct sty_parsed **out, const struct render *render, const struct spot *spot)
{
    struct sty_partials *partials = render->with->partials;
    sty_auto_free char *key = sty_sprintf("%s\n%s", spot->node->indent, spot->node->text);
    *out = sty_map_get(&partials->parsed, key);
    if (*out)
        return 0;
    struct sty_template template = {0};
    if (read_partial(&template, render, spot) < 0 ||
        sty_template_parse(out, partials->arena, &template, render->err) < 0)
        return -1;
    partials->bytes += (*out)->count * sizeof(*(*out)->nodes);
    sty_map_set(&partials->parsed, key, *out);
    return 0;
}

static int render_partial(struct render *render, const struct sty_parsed *parsed, const struct sty_node *node)
{
    struct sty_parsed *partial = NULL;
    if (enter(render, parsed, node) < 0 || load_partial(&partial, render, &(struct spot){parsed, node}) < 0)
        return -1;
    int status = render_nodes(render, partial, 0, partial->count);
    render->depth--;
    return status;
}

static int render_node(struct render *render, const struct sty_parsed *parsed, size_t index)
{
    const struct sty_node *node = &parsed->nodes[index];
    if (++render->walked > STY_TEMPLATE_NODES)
        return sty_node_error(render->err, parsed, node, "this template takes too many steps");
    switch (node->type) {
    case STY_NODE_TEXT:
        return append(render, parsed, node, node->text, node->length);
    case STY_NODE_SECTION:
    case STY_NODE_INVERTED:
        return render_section(render, parsed, index);
    case STY_NODE_PARTIAL:
        return render_partial(render, parsed, node);
    case STY_NODE_VARIABLE:
    case STY_NODE_RAW:
        break;
    }
    return render_variable(render, parsed, node);
}

static int render_nodes(struct render *render, const struct sty_parsed *parsed, size_t begin, size_t end)
{
    for (size_t i = begin; i < end;) {
        const struct sty_node *node = &parsed->nodes[i];
        if (render_node(render, parsed, i) < 0)
            return -1;
        bool section = node->type == STY_NODE_SECTION || node->type == STY_NODE_INVERTED;
        i = section ? node->end : i + 1;
    }
    return 0;
}

/* ---- entries ---- */

int sty_parsed_value(const json_t **out, const struct sty_parsed *parsed, const struct sty_node *node,
                     const struct sty_rendering *rendering, struct sty_error *err)
{
    struct render render = {.with = rendering, .stack = {rendering->world->context}, .pushed = 1, .err = err};
    return resolve_name(out, &render, parsed, node);
}

int sty_parsed_render(struct sty_str *out, const struct sty_parsed *parsed, const struct sty_rendering *rendering,
                      struct sty_error *err)
{
    sty_auto(str) text = STY_STR_INIT;
    struct render render = {
        .out = &text, .with = rendering, .stack = {rendering->world->context}, .pushed = 1, .err = err};
    sty_place_init(&render.place, rendering->escape == STY_ESCAPE_JSON);
    if (render_nodes(&render, parsed, 0, parsed->count) < 0)
        return -1;
    sty_str_append_bytes(out, text.data, text.length);
    return 0;
}

int sty_template_render(struct sty_str *out, json_t *holes, const struct sty_template *template,
                        const struct sty_template_world *world, struct sty_error *err)
{
    sty_auto_ptr(arena) arena = sty_arena_new();
    struct sty_parsed *parsed = NULL;
    if (sty_template_parse(&parsed, arena, template, err) < 0)
        return -1;
    struct sty_secret_nodes secrets;
    sty_secret_nodes_find(&secrets, arena, world);
    struct sty_partials partials = {.arena = arena, .folder = "", .parsed = STY_MAP_INIT};
    struct sty_rendering rendering = {
        .world = world, .secrets = &secrets, .partials = &partials, .escape = template->escape, .holes = holes};
    int status = sty_parsed_render(out, parsed, &rendering, err);
    sty_map_clear(&partials.parsed);
    return status;
}
