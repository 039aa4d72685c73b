/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text: comparing, validating and showing text. What comes from git, the network or a command is bytes until it passed
 * here: only valid UTF-8 is text, and nothing reaches a terminal that could move its cursor or turn its direction.
 */
#include "base/str.h"
#include <string.h>

bool sty_streq(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool sty_starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool sty_ends_with(const char *text, const char *suffix)
{
    size_t length = strlen(text);
    size_t tail = strlen(suffix);
    return length >= tail && memcmp(text + length - tail, suffix, tail) == 0;
}

size_t sty_utf8_decode(uint32_t *point, const char *bytes, size_t length)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (!length)
        return 0;
    unsigned char lead = (unsigned char)bytes[0];
    size_t size = lead < 0x80 ? 1 : lead >= 0xC2 && lead < 0xE0 ? 2 : lead >= 0xE0 && lead < 0xF0 ? 3 : 4;
    if (size == 1) {
        *point = lead;
        return 1;
    }
    if ((lead >= 0x80 && lead < 0xC2) || lead > 0xF4 || size > length)
        return 0;
    uint32_t value = lead & (0x7Fu >> size);
    for (size_t i = 1; i < size; i++) {
        unsigned char next = (unsigned char)bytes[i];
        if ((next & 0xC0) != 0x80)
            return 0;
        value = value << 6 | (next & 0x3Fu);
    }
    if (value < smallest[size] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
        return 0;
    *point = value;
    return size;
}

bool sty_utf8_valid(const char *bytes, size_t length)
{
    uint32_t point;
    for (size_t i = 0; i < length;) {
        size_t size = sty_utf8_decode(&point, bytes + i, length - i);
        if (!size)
            return false;
        i += size;
    }
    return true;
}

static bool label_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool sty_name_valid(const char *name)
{
    size_t length = strlen(name);
    if (length < 1 || length > 63 || !label_char(name[0]) || !label_char(name[length - 1]))
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!label_char(name[i]) && name[i] != '-')
            return false;
    }
    return true;
}

/* Marks that turn or break a line without being seen: bidirectional controls, line and paragraph separator. */
static bool invisible_control(uint32_t point)
{
    return point == 0x061C || point == 0x200E || point == 0x200F || (point >= 0x2028 && point <= 0x202E) ||
           (point >= 0x2066 && point <= 0x2069);
}

static bool harmless(uint32_t point, bool multiline)
{
    if (point == '\n' || point == '\t')
        return multiline;
    return point >= 0x20 && (point < 0x7F || point > 0x9F) && !invisible_control(point);
}

void sty_str_append_visible(struct sty_str *str, const char *bytes, size_t length, bool multiline)
{
    size_t plain = 0; /* where the bytes start that were not appended yet */
    for (size_t i = 0; i < length;) {
        uint32_t point = (unsigned char)bytes[i];
        size_t size = sty_utf8_decode(&point, bytes + i, length - i);
        if (size && harmless(point, multiline)) {
            i += size;
            continue;
        }
        sty_str_append_bytes(str, bytes + plain, i - plain);
        sty_str_appendf(str, size && point > 0xFF ? "\\u{%04x}" : "\\x%02x", (unsigned)point);
        i += size ? size : 1;
        plain = i;
    }
    sty_str_append_bytes(str, bytes + plain, length - plain);
}
