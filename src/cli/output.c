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

void sty_print_visible(const char *text)
{
    sty_auto(str) clean = STY_STR_INIT;
    sty_str_append_visible(&clean, text, strlen(text), true);
    fwrite(clean.data, 1, clean.length, stdout);
}

void sty_print_styled(const struct sty_cli *cli, enum sty_style style, const char *text)
{
    static const char *const codes[] = {"", "\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[31m", "\x1b[33m"};
    bool colored = cli->color && style != STY_STYLE_PLAIN;
    if (colored)
        fputs(codes[style], stdout);
    sty_print_visible(text);
    if (colored)
        fputs("\x1b[0m", stdout);
}

static size_t width_of(const char *text)
{
    sty_auto(str) clean = STY_STR_INIT;
    sty_str_append_visible(&clean, text, strlen(text), false);
    size_t n = 0;
    for (size_t i = 0; i < clean.length; i++)
        n += ((unsigned char)clean.data[i] & 0xc0) != 0x80;
    return n;
}

static size_t column_width(const struct sty_table *table, size_t column)
{
    size_t widest = 0;
    for (size_t row = 0; row < table->rows; row++) {
        size_t n = width_of(table->cells[row * table->columns + column]);
        widest = n > widest ? n : widest;
    }
    return widest;
}

void sty_print_table(const struct sty_cli *cli, const struct sty_table *table)
{
    sty_auto_free size_t *widths = sty_calloc(table->columns, sizeof *widths);
    for (size_t column = 0; column < table->columns; column++)
        widths[column] = column_width(table, column);
    for (size_t row = 0; row < table->rows; row++) {
        for (size_t column = 0; column < table->columns; column++) {
            const char *cell = table->cells[row * table->columns + column];
            bool last = column + 1 == table->columns;
            enum sty_style style = row == 0       ? STY_STYLE_DIM
                                   : table->style ? table->style(column, cell)
                                                  : STY_STYLE_PLAIN;
            sty_print_styled(cli, style, cell);
            printf("%*s", last ? 0 : (int)(widths[column] - width_of(cell) + 2), "");
        }
        putchar('\n');
    }
}
