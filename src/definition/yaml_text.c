/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of a YAML file before and beside libyaml: what it must not be given, because it is quadratic on hostile input,
 * and what it cannot say well, because it does not know what a person meant.
 */
#include <string.h>

#include "definition/definition_internal.h"

enum { SIZE = 1 << 20, OPEN_BRACKETS = 1000 };

static bool refuse(const struct sty_stream *stream, struct sty_problems *problems, size_t at, const char *message)
{
    struct sty_problem where = {.file = stream->file, .line = 1, .column = 1};
    for (size_t i = 0; i < at; i++) {
        bool end = stream->bytes[i] == '\n';
        where.line += end;
        where.column = end ? 1 : where.column + (((unsigned char)stream->bytes[i] & 0xc0) != 0x80);
    }
    sty_problems_add(problems, &where, "%s", message);
    return false;
}

static bool stands(const struct sty_stream *stream, size_t at, const char *text)
{
    size_t length = strlen(text);
    return stream->length - at >= length && memcmp(stream->bytes + at, text, length) == 0;
}

/* Where the bytes end to be UTF-8; length: nowhere. */
static size_t first_invalid(const char *bytes, size_t length)
{
    uint32_t point;
    size_t at = 0, size = 1;
    for (; at < length && size; at += size)
        size = sty_utf8_decode(&point, bytes + at, length - at);
    return at;
}

static bool check_encoding(const struct sty_stream *stream, struct sty_problems *problems)
{
    const char *nul = stream->length ? memchr(stream->bytes, '\0', stream->length) : NULL;
    if (stands(stream, 0, "\xff\xfe") || stands(stream, 0, "\xfe\xff"))
        return refuse(stream, problems, 0, "this is UTF-16: save it as UTF-8");
    if (nul)
        return refuse(stream, problems, (size_t)(nul - stream->bytes), "a NUL character");
    size_t at = first_invalid(stream->bytes, stream->length);
    return at == stream->length || refuse(stream, problems, at, "not UTF-8");
}

bool sty_yaml_harmless(const struct sty_stream *stream, struct sty_problems *problems)
{
    long open = 0;
    if (stream->length > SIZE)
        return refuse(stream, problems, 0, "larger than 1 MiB");
    if (!check_encoding(stream, problems))
        return false;
    for (size_t i = 0; i < stream->length; i++) {
        char c = stream->bytes[i];
        bool first = i == 0 || stream->bytes[i - 1] == '\n';
        open += c == '[' || c == '{' ? 1 : (c == ']' || c == '}') && open ? -1 : 0;
        if (open > OPEN_BRACKETS)
            return refuse(stream, problems, i, "nested deeper than 64");
        if (first && c == '%' && !stands(stream, i, "%YAML"))
            return refuse(stream, problems, i, "directives other than %YAML are not read");
    }
    return true;
}

/* ---- what went wrong, for people ---- */

static const char *line_start(const struct sty_stream *stream, size_t line)
{
    const char *at = stream->bytes, *end = stream->bytes + stream->length;
    for (; line && at < end; line--) {
        const char *next = memchr(at, '\n', (size_t)(end - at));
        at = next ? next + 1 : end;
    }
    return at;
}

/* The character of that column; "" behind the end. */
static const char *character(const char *line, const char *end, size_t column)
{
    uint32_t point;
    for (; column && line < end; column--)
        line += sty_utf8_decode(&point, line, (size_t)(end - line));
    return line < end ? line : "";
}

/* A value on this line begins with '{{' and stands in no quotes. */
static bool naked_template(const char *line, const char *end)
{
    char quote = '\0', before = ':';
    for (; line + 1 < end; line++) {
        if (*line == '\n')
            return false;
        if (quote) {
            quote = *line == quote ? '\0' : quote;
        } else if (strchr(":-[,{", before)) {
            if (line[0] == '{' && line[1] == '{')
                return true;
            quote = *line == '"' || *line == '\'' ? *line : '\0';
        }
        before = *line == ' ' ? before : *line;
    }
    return false;
}

const char *sty_yaml_explain(struct sty_arena *arena, const struct sty_stream *stream, const char *complaint,
                             size_t line, size_t column)
{
    const char *start = line_start(stream, line), *end = stream->bytes + stream->length;
    const char *previous = line ? line_start(stream, line - 1) : start;
    if (naked_template(start, end) || (column == 0 && naked_template(previous, end)))
        return "a value that begins with '{{' has to stand in quotes: \"{{...}}\"";
    const char *at = character(start, end, column);
    if (*at == '\t' || strstr(complaint, "tab"))
        return "a tab where YAML wants spaces";
    if (strstr(complaint, "cannot start any token"))
        return sty_arena_printf(arena, "'%c' cannot begin a value: put the value in quotes", *at);
    if (strstr(complaint, "mapping values are not allowed"))
        return "a ':' where no key can stand: wrong indentation, or a value that has to stand in quotes";
    return complaint;
}
