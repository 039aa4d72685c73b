/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mustache text to nodes. One pass over the text; a tag on a line of its own takes the line with it, as the
 * specification says of sections, comments, partials and delimiters. Nodes of a section stand behind it in the same
 * array, up to its `end`.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "instance/template.h"

#define DELIMITER_MAX 16

struct parser {
    const char *text;
    size_t length, at;
    const struct sty_template *template;
    struct sty_arena *arena;
    struct sty_node *nodes;
    size_t count, capacity;
    size_t open[STY_TEMPLATE_DEPTH];
    size_t depth, tags;
    char left[DELIMITER_MAX + 1], right[DELIMITER_MAX + 1];
    size_t counted; /* line and column are those of this offset */
    int line, column;
    struct sty_error *err;
};

struct tag {
    size_t begin, end; /* with delimiters */
    char sigil;        /* 0: a variable */
    const char *name;
    size_t length;
    bool alone; /* nothing else on its line */
    size_t line_begin, line_end;
};

static void count_to(struct parser *parser, size_t offset)
{
    for (; parser->counted < offset; parser->counted++) {
        unsigned char c = (unsigned char)parser->text[parser->counted];
        if (c == '\n') {
            parser->line++;
            parser->column = 1;
        } else if ((c & 0xc0) != 0x80) {
            parser->column++;
        }
    }
}

static int fail(struct parser *parser, size_t offset, const char *message)
{
    count_to(parser, offset);
    return sty_error_set(parser->err, STY_INVALID, "%s:%d:%d: %s", parser->template->file, parser->line, parser->column,
                         message);
}

static struct sty_node *add_node(struct parser *parser, enum sty_node_type type, size_t offset)
{
    if (parser->count == parser->capacity) {
        parser->capacity = parser->capacity ? parser->capacity * 2 : 8;
        parser->nodes = sty_realloc(parser->nodes, parser->capacity * sizeof(*parser->nodes));
    }
    count_to(parser, offset);
    struct sty_node *node = &parser->nodes[parser->count++];
    *node = (struct sty_node){.type = type, .line = parser->line, .column = parser->column};
    return node;
}

static void add_text(struct parser *parser, size_t begin, size_t end)
{
    if (begin >= end)
        return;
    struct sty_node *node = add_node(parser, STY_NODE_TEXT, begin);
    node->text = parser->text + begin;
    node->length = end - begin;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_space(char c)
{
    return is_blank(c) || c == '\n' || c == '\r';
}

/* Whether the tag has its line for itself, and where that line begins and ends. */
static void find_line(const struct parser *parser, struct tag *tag)
{
    size_t begin = tag->begin, end = tag->end;
    while (begin > 0 && is_blank(parser->text[begin - 1]))
        begin--;
    while (end < parser->length && is_blank(parser->text[end]))
        end++;
    bool opens = begin == 0 || parser->text[begin - 1] == '\n';
    bool closes = end == parser->length || parser->text[end] == '\n' ||
                  (parser->text[end] == '\r' && end + 1 < parser->length && parser->text[end + 1] == '\n');
    if (end < parser->length && closes)
        end += parser->text[end] == '\r' ? 2 : 1;
    tag->alone = opens && closes && tag->sigil && !strchr("{&", tag->sigil);
    tag->line_begin = begin;
    tag->line_end = end;
}

static int unclosed(struct parser *parser, size_t begin)
{
    return fail(parser, begin, "this tag is not closed");
}

/* Read the tag whose left delimiter stands at `begin`. */
static int read_tag(struct parser *parser, struct tag *tag, size_t begin)
{
    size_t at = begin + strlen(parser->left);
    while (at < parser->length && is_space(parser->text[at]))
        at++;
    char sigil = at < parser->length ? parser->text[at] : 0;
    *tag = (struct tag){.begin = begin, .sigil = sigil && strchr("#^/!>={&", sigil) ? sigil : 0};
    if (tag->sigil)
        at++;
    char close[DELIMITER_MAX + 3];
    snprintf(close, sizeof(close), "%s%s", tag->sigil == '{' ? "}" : tag->sigil == '=' ? "=" : "", parser->right);
    const char *end = memmem(parser->text + at, parser->length - at, close, strlen(close));
    if (!end)
        return unclosed(parser, begin);
    size_t stop = (size_t)(end - parser->text);
    tag->end = stop + strlen(close);
    while (at < stop && is_space(parser->text[at]))
        at++;
    while (stop > at && is_space(parser->text[stop - 1]))
        stop--;
    tag->name = parser->text + at;
    tag->length = stop - at;
    if (memchr(tag->name, 0, tag->length))
        return fail(parser, begin, "a tag has a NUL byte in it");
    find_line(parser, tag);
    return 0;
}

/* "a.b.c" to its parts; "." to none. */
static int split_name(struct parser *parser, struct sty_node *node, const struct tag *tag)
{
    char *name = sty_arena_strndup(parser->arena, tag->name, tag->length);
    node->text = name;
    size_t parts = 1;
    for (size_t i = 0; i < tag->length; i++) {
        if (is_space(name[i]))
            return fail(parser, tag->begin, "a name in a tag has no spaces in it");
        parts += name[i] == '.';
    }
    const char **names = sty_arena_alloc(parser->arena, (parts + 1) * sizeof(*names));
    node->names = names;
    if (sty_streq(name, "."))
        return 0;
    char *rest = sty_arena_strdup(parser->arena, name);
    for (size_t i = 0; i < parts; i++) {
        names[i] = strsep(&rest, ".");
        if (!*names[i])
            return fail(parser, tag->begin, "a name is missing in this tag");
    }
    return 0;
}

static int open_section(struct parser *parser, const struct tag *tag)
{
    if (parser->depth == STY_TEMPLATE_DEPTH)
        return fail(parser, tag->begin, "sections are nested deeper than 32");
    enum sty_node_type type = tag->sigil == '#' ? STY_NODE_SECTION : STY_NODE_INVERTED;
    parser->open[parser->depth++] = parser->count;
    return split_name(parser, add_node(parser, type, tag->begin), tag);
}

static int close_section(struct parser *parser, const struct tag *tag)
{
    if (!parser->depth)
        return fail(parser, tag->begin, "no section is open here");
    struct sty_node *node = &parser->nodes[parser->open[--parser->depth]];
    if (strlen(node->text) != tag->length || memcmp(node->text, tag->name, tag->length) != 0) {
        char message[256];
        snprintf(message, sizeof(message), "the section open here is '%.100s' (line %d)", node->text, node->line);
        return fail(parser, tag->begin, message);
    }
    node->end = parser->count;
    return 0;
}

static int set_delimiters(struct parser *parser, const struct tag *tag)
{
    size_t left = 0, right = 0;
    while (left < tag->length && !is_space(tag->name[left]))
        left++;
    while (right < tag->length - left && !is_space(tag->name[tag->length - 1 - right]))
        right++;
    bool whole = left + right < tag->length && left && right && left <= DELIMITER_MAX && right <= DELIMITER_MAX;
    for (size_t i = left; whole && i < tag->length - right; i++)
        whole = is_space(tag->name[i]);
    if (!whole || memchr(tag->name, '=', tag->length))
        return fail(parser, tag->begin, "new delimiters are two words without '=', as in {{=<% %>=}}");
    memcpy(parser->left, tag->name, left);
    parser->left[left] = 0;
    memcpy(parser->right, tag->name + tag->length - right, right);
    parser->right[right] = 0;
    return 0;
}

static int add_partial(struct parser *parser, const struct tag *tag)
{
    if (!tag->length)
        return fail(parser, tag->begin, "a name is missing in this tag");
    struct sty_node *node = add_node(parser, STY_NODE_PARTIAL, tag->begin);
    node->text = sty_arena_strndup(parser->arena, tag->name, tag->length);
    node->indent = "";
    if (tag->alone)
        node->indent = sty_arena_strndup(parser->arena, parser->text + tag->line_begin, tag->begin - tag->line_begin);
    return 0;
}

static int add_tag(struct parser *parser, const struct tag *tag)
{
    switch (tag->sigil) {
    case '!':
        return 0;
    case '#':
    case '^':
        return open_section(parser, tag);
    case '/':
        return close_section(parser, tag);
    case '>':
        return add_partial(parser, tag);
    case '=':
        return set_delimiters(parser, tag);
    case '{':
    case '&':
        return split_name(parser, add_node(parser, STY_NODE_RAW, tag->begin), tag);
    default:
        return split_name(parser, add_node(parser, STY_NODE_VARIABLE, tag->begin), tag);
    }
}

static int parse_all(struct parser *parser)
{
    while (parser->at < parser->length) {
        const char *found =
            memmem(parser->text + parser->at, parser->length - parser->at, parser->left, strlen(parser->left));
        if (!found)
            break;
        struct tag tag;
        if (read_tag(parser, &tag, (size_t)(found - parser->text)) < 0)
            return -1;
        if (++parser->tags > STY_TEMPLATE_TAGS)
            return fail(parser, tag.begin, "more than 100000 tags");
        add_text(parser, parser->at, tag.alone ? tag.line_begin : tag.begin);
        if (add_tag(parser, &tag) < 0)
            return -1;
        parser->at = tag.alone ? tag.line_end : tag.end;
    }
    add_text(parser, parser->at, parser->length);
    if (!parser->depth)
        return 0;
    struct sty_node *node = &parser->nodes[parser->open[parser->depth - 1]];
    return sty_error_set(parser->err, STY_INVALID, "%s:%d:%d: the section '%.100s' is not closed",
                         parser->template->file, node->line, node->column, node->text);
}

int sty_template_parse(struct sty_parsed **out, struct sty_arena *arena, const struct sty_template *template,
                       struct sty_error *err)
{
    struct parser parser = {.text = sty_arena_memdup(arena, template->text, template->length),
                            .length = template->length,
                            .template = template,
                            .arena = arena,
                            .left = "{{",
                            .right = "}}",
                            .line = template->line,
                            .column = template->column,
                            .err = err};
    int status = parse_all(&parser);
    sty_auto_free struct sty_node *nodes = parser.nodes;
    if (status < 0)
        return -1;
    struct sty_parsed *parsed = sty_arena_alloc(arena, sizeof(*parsed));
    parsed->nodes = sty_arena_alloc(arena, (parser.count + 1) * sizeof(*nodes));
    if (nodes)
        memcpy(parsed->nodes, nodes, parser.count * sizeof(*nodes));
    parsed->nodes[parser.count] = (struct sty_node){.line = template->line, .column = template->column};
    parsed->count = parser.count;
    parsed->file = sty_arena_strdup(arena, template->file);
    *out = parsed;
    return 0;
}

const struct sty_node *sty_parsed_single(const struct sty_parsed *parsed)
{
    if (parsed->count != 1)
        return NULL;
    enum sty_node_type type = parsed->nodes[0].type;
    return type == STY_NODE_VARIABLE || type == STY_NODE_RAW ? &parsed->nodes[0] : NULL;
}

int sty_node_error(struct sty_error *err, const struct sty_parsed *parsed, const struct sty_node *node,
                   const char *format, ...)
{
    char message[400];
    va_list list;
    va_start(list, format);
    vsnprintf(message, sizeof(message), format, list);
    va_end(list);
    return sty_error_set(err, STY_INVALID, "%s:%d:%d: %s", parsed->file, node->line, node->column, message);
}
