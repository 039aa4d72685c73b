/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Escaping by target. A secret's value is escaped by the same function when its hole is filled, so that what an
 * executing machine writes is what a template would have written.
 */
#include <string.h>
#include "instance/template.h"

enum sty_escape sty_escape_for(const char *path)
{
    static const struct {
        const char *suffix;
        enum sty_escape escape;
    } table[] = {{".yaml", STY_ESCAPE_YAML}, {".yml", STY_ESCAPE_YAML},  {".json", STY_ESCAPE_JSON},
                 {".sh", STY_ESCAPE_SHELL},  {".html", STY_ESCAPE_HTML}, {".htm", STY_ESCAPE_HTML},
                 {".xml", STY_ESCAPE_HTML}};
    static const char ending[] = ".mustache";
    size_t length = strlen(path);
    if (sty_ends_with(path, ending))
        length -= sizeof(ending) - 1;
    for (size_t i = 0; i < STY_COUNT(table); i++) {
        size_t suffix = strlen(table[i].suffix);
        if (length >= suffix && memcmp(path + length - suffix, table[i].suffix, suffix) == 0)
            return table[i].escape;
    }
    return STY_ESCAPE_NONE;
}

void sty_escape_text(struct sty_str *out, const json_t *value)
{
    if (json_is_string(value)) {
        sty_str_append_bytes(out, json_string_value(value), json_string_length(value));
        return;
    }
    if (json_is_null(value))
        return;
    sty_auto_free char *text = sty_json_canonical_text(value);
    sty_str_append(out, text);
}

/* What JSON may hold as it is but YAML may not: DEL, C1, the byte order mark, line separators. */
static size_t unprintable(unsigned *code, const unsigned char *text, size_t left)
{
    if (text[0] == 0x7f) {
        *code = 0x7f;
        return 1;
    }
    if (left >= 2 && text[0] == 0xc2 && text[1] < 0xa0) {
        *code = text[1];
        return 2;
    }
    bool separator = left >= 3 && text[0] == 0xe2 && text[1] == 0x80 && (text[2] == 0xa8 || text[2] == 0xa9);
    bool mark = left >= 3 && text[0] == 0xef && text[1] == 0xbb && text[2] == 0xbf;
    if (!separator && !mark)
        return 0;
    *code = mark ? 0xfeff : 0x2000U + (text[2] & 0x3fU);
    return 3;
}

static void append_printable(struct sty_str *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length;) {
        unsigned code = 0;
        size_t taken = unprintable(&code, (const unsigned char *)text + i, length - i);
        if (taken)
            sty_str_appendf(out, "\\u%04x", code);
        else
            sty_str_append_char(out, text[i]);
        i += taken ? taken : 1;
    }
}

void sty_escape_value(struct sty_str *out, const json_t *value)
{
    sty_auto_free char *text = sty_json_canonical_text(value);
    append_printable(out, text, strlen(text));
}

static void append_json(struct sty_str *out, const char *text, size_t length)
{
    static const char special[] = "\b\t\n\f\r\"\\";
    sty_auto(str) escaped = STY_STR_INIT;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        const char *named = c ? strchr(special, c) : NULL;
        if (named)
            sty_str_appendf(&escaped, "\\%c", "btnfr\"\\"[named - special]);
        else if (c < 0x20)
            sty_str_appendf(&escaped, "\\u%04x", c);
        else
            sty_str_append_char(&escaped, text[i]);
    }
    append_printable(out, escaped.data, escaped.length);
}

static void append_replaced(struct sty_str *out, const char *text, size_t length, const char *const table[256])
{
    for (size_t i = 0; i < length; i++) {
        const char *with = table[(unsigned char)text[i]];
        if (with)
            sty_str_append(out, with);
        else
            sty_str_append_char(out, text[i]);
    }
}

void sty_escape_append(struct sty_str *out, const char *how, const char *text, size_t length)
{
    static const char *const shell[256] = {['\''] = "'\\''"};
    static const char *const yaml[256] = {['\''] = "''"};
    static const char *const html[256] = {
        ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;", ['\''] = "&#39;"};
    if (sty_streq(how, "json"))
        append_json(out, text, length);
    else if (sty_streq(how, "shell"))
        append_replaced(out, text, length, shell);
    else if (sty_streq(how, "yaml"))
        append_replaced(out, text, length, yaml);
    else if (sty_streq(how, "html"))
        append_replaced(out, text, length, html);
    else
        sty_str_append_bytes(out, text, length);
}
