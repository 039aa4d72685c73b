/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people and programs see on stdout: one JSON document, or aligned text whose untrusted parts cannot move the
 * cursor.
 */
#include <stdio.h>
#include <string.h>
#include <errno.h>

#include "cli/cli_internal.h"

int sty_print_json(const json_t *document, struct sty_error *err)
{
    if (json_dumpf(document, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY) < 0 || fputc('\n', stdout) == EOF)
        return sty_error_errno(err, STY_IO, errno, "writing to stdout");
    return STY_EXIT_OK;
}

/* As json_dumpf() would at this depth: strings hold no newline, so what looks like one is one. */
static void print_deep(const json_t *value, int depth)
{
    sty_auto_free char *text = json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        if (*line == '\n')
            printf("\n%*s", 2 * depth, ""), line++;
        fwrite(line, 1, strcspn(line, "\n"), stdout);
    }
}

static void print_entries(const struct sty_json_list *list)
{
    fputs(list->count ? "[\n" : "[]", stdout);
    for (size_t i = 0; i < list->count; i++) {
        json_auto_t *entry = list->entry(list->self, i);
        fputs("    ", stdout);
        print_deep(entry, 2);
        fputs(i + 1 < list->count ? ",\n" : "\n  ]", stdout);
    }
}

int sty_print_json_list(const json_t *document, const struct sty_json_list *list, struct sty_error *err)
{
    const char *name, *before = "{\n  ";
    json_t *value;
    json_object_foreach ((json_t *)document, name, value) {
        json_auto_t *key = json_string(name);
        fputs(before, stdout);
        print_deep(key, 0);
        fputs(": ", stdout);
        if (strcmp(name, list->name) == 0)
            print_entries(list);
        else
            print_deep(value, 1);
        before = ",\n  ";
    }
    fputs("\n}\n", stdout);
    return ferror(stdout) ? sty_error_errno(err, STY_IO, errno, "writing to stdout") : STY_EXIT_OK;
}

void sty_print_visible(const char *text)
{
    sty_auto(str) clean = STY_STR_INIT;
    sty_str_append_visible(&clean, text, strlen(text), true);
    fwrite(clean.data, 1, clean.length, stdout);
}

static const char *const style_codes[] = {"", "\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[31m", "\x1b[33m"};

void sty_print_styled(const struct sty_cli *cli, enum sty_style style, const char *text)
{
    bool colored = cli->color && style != STY_STYLE_PLAIN;
    if (colored)
        fputs(style_codes[style], stdout);
    sty_print_visible(text);
    if (colored)
        fputs("\x1b[0m", stdout);
}

/* ---- lines that can be read ---- */

static size_t columns_of(const char *text, size_t length)
{
    size_t columns = 0;
    for (size_t i = 0; i < length; i++)
        columns += ((unsigned char)text[i] & 0xc0) != 0x80;
    return columns;
}

/* Of visible `text`, from `column` on; further lines begin at `indent`. A word that is too long stays whole. */
static void wrap(struct sty_str *out, const char *text, size_t column, size_t indent)
{
    bool first = true;
    while (*text) {
        size_t length = strcspn(text, " \n"), columns = columns_of(text, length);
        bool fits = column + columns + !first <= STY_TEXT_WIDTH;
        if (!first && !fits) {
            sty_str_appendf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (!first) {
            sty_str_append_char(out, ' ');
            column++;
        }
        sty_str_append_bytes(out, text, length);
        column += columns;
        first = text[length] == '\n';
        if (first) {
            sty_str_appendf(out, "\n%*s", (int)indent, "");
            column = indent;
        }
        text += length + (text[length] != '\0');
    }
}

void sty_print_paragraph(size_t indent, const char *label, const char *text)
{
    sty_auto(str) clean = STY_STR_INIT;
    sty_auto(str) out = STY_STR_INIT;
    sty_str_append_visible(&clean, text, strlen(text), true);
    sty_str_appendf(&out, "%*s%s", (int)indent, "", label);
    wrap(&out, clean.data ? clean.data : "", out.length, out.length);
    sty_str_append_char(&out, '\n');
    fwrite(out.data, 1, out.length, stdout);
}

/* What is printed is made once: cells as they may be shown on one line, and how wide each is. */
struct cell {
    const char *text;
    size_t length, width;
};

static bool plain_ascii(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] < 0x20 || text[i] > 0x7e)
            return false;
    return true;
}

static struct cell cell_of(struct sty_arena *arena, const char *text)
{
    size_t length = strlen(text);
    if (plain_ascii(text, length))
        return (struct cell){text, length, length};
    sty_auto(str) clean = STY_STR_INIT;
    sty_str_append_visible(&clean, text, length, false);
    return (struct cell){sty_arena_strndup(arena, clean.data, clean.length), clean.length,
                         columns_of(clean.data, clean.length)};
}

/* Where too little room is left, the last cell has lines of its own below. */
static void add_last(struct sty_str *out, const struct cell *cell, size_t column)
{
    enum { BELOW = 4, LEAST_ROOM = 30 };
    if (column + cell->width <= STY_TEXT_WIDTH) {
        sty_str_append_bytes(out, cell->text, cell->length);
    } else if (column + LEAST_ROOM <= STY_TEXT_WIDTH) {
        wrap(out, cell->text, column, column);
    } else {
        while (out->length && out->data[out->length - 1] == ' ')
            out->length--;
        sty_str_appendf(out, "\n%*s", BELOW, "");
        wrap(out, cell->text, BELOW, BELOW);
    }
}

static void print_row(struct sty_str *out, const struct sty_table *table, const struct cell *cells,
                      const size_t *widths, const char *const *styles)
{
    size_t start = 0;
    for (size_t column = 0; column < table->columns; column++) {
        const struct cell *cell = &cells[column];
        bool last = column + 1 == table->columns;
        size_t padding = last ? 0 : widths[column] - cell->width + 2;
        sty_str_append(out, styles[column]);
        if (last)
            add_last(out, cell, start);
        else
            sty_str_append_bytes(out, cell->text, cell->length);
        sty_str_append(out, *styles[column] ? "\x1b[0m" : "");
        memset(sty_str_reserve(out, padding), ' ', padding);
        out->length += padding;
        start += widths[column] + 2;
    }
    while (out->length && out->data[out->length - 1] == ' ')
        out->length--;
    sty_str_append_char(out, '\n');
}

static const char *style_code(const struct sty_cli *cli, const struct sty_table *table, size_t row, size_t column)
{
    if (!cli->color)
        return "";
    return style_codes[row == 0       ? STY_STYLE_DIM
                       : table->style ? table->style(column, table->cells[row * table->columns + column])
                                      : STY_STYLE_PLAIN];
}

void sty_print_table(const struct sty_cli *cli, const struct sty_table *table)
{
    sty_auto_ptr(arena) arena = sty_arena_new();
    sty_auto(str) out = STY_STR_INIT;
    struct cell *cells = sty_arena_alloc(arena, (table->rows * table->columns + 1) * sizeof *cells);
    size_t *widths = sty_arena_alloc(arena, table->columns * sizeof *widths);
    const char **styles = sty_arena_alloc(arena, table->columns * sizeof *styles);
    for (size_t i = 0; i < table->rows * table->columns; i++) {
        cells[i] = cell_of(arena, table->cells[i]);
        size_t *width = &widths[i % table->columns];
        *width = cells[i].width > *width ? cells[i].width : *width;
    }
    for (size_t row = 0; row < table->rows; row++) {
        for (size_t column = 0; column < table->columns; column++)
            styles[column] = style_code(cli, table, row, column);
        print_row(&out, table, cells + row * table->columns, widths, styles);
    }
    fwrite(out.data, 1, out.length, stdout);
}
