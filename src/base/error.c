/* SPDX-License-Identifier: Apache-2.0 */
/*
 * error: the texts of a failure. Everything is put together in a buffer on the stack first, because callers pass the
 * text they already hold as an argument of the new one.
 */
#include "styrmin/error.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TEXT_SIZE sizeof(((struct sty_error *)0)->text)

/* `text` was cut to `size`: end it in "..." and never inside a UTF-8 sequence. */
static void mark_cut(char *text, size_t size)
{
    size_t end = size - 4;
    while (end > 0 && ((unsigned char)text[end] & 0xC0) == 0x80)
        end--;
    memcpy(text + end, "...", 4);
}

static void format_text(char *out, size_t size, const char *format, va_list arguments)
{
    int length = vsnprintf(out, size, format, arguments);
    if (length < 0)
        snprintf(out, size, "(text could not be formatted)");
    else if ((size_t)length >= size)
        mark_cut(out, size);
}

/* "a: b" into err; a is cut so that at least `keep` bytes of b stay. */
static void join(struct sty_error *err, const char *a, const char *b, size_t keep)
{
    char front[TEXT_SIZE];
    char whole[TEXT_SIZE * 2];
    size_t room = TEXT_SIZE - 3 - keep;
    snprintf(front, sizeof(front), "%s", a);
    if (strlen(front) > room)
        mark_cut(front, room + 1);
    snprintf(whole, sizeof(whole), "%s: %s", front, b);
    if (strlen(whole) >= TEXT_SIZE)
        mark_cut(whole, TEXT_SIZE);
    snprintf(err->text, TEXT_SIZE, "%.*s", (int)TEXT_SIZE - 1, whole);
}

int sty_error_set(struct sty_error *err, enum sty_code code, const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    format_text(text, sizeof(text), format, arguments);
    va_end(arguments);
    memcpy(err->text, text, sizeof(text));
    err->code = code;
    return -1;
}

int sty_error_errno(struct sty_error *err, enum sty_code code, int number, const char *format, ...)
{
    char text[TEXT_SIZE];
    char unknown[32];
    va_list arguments;
    va_start(arguments, format);
    format_text(text, sizeof(text), format, arguments);
    va_end(arguments);
    const char *reason = strerrordesc_np(number);
    if (!reason) {
        snprintf(unknown, sizeof(unknown), "errno %d", number);
        reason = unknown;
    }
    join(err, text, reason, strlen(reason));
    err->code = code;
    return -1;
}

int sty_error_wrap(struct sty_error *err, const char *format, ...)
{
    char context[TEXT_SIZE];
    char inner[TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    format_text(context, sizeof(context), format, arguments);
    va_end(arguments);
    snprintf(inner, sizeof(inner), "%s", err->text);
    size_t length = strlen(inner);
    join(err, context, inner, length < TEXT_SIZE / 2 ? length : TEXT_SIZE / 2);
    return -1;
}

const char *sty_code_name(enum sty_code code)
{
    switch (code) {
#define CODE_CASE(id, name)                                                                                            \
    case id:                                                                                                           \
        return name;
        STY_CODES(CODE_CASE)
#undef CODE_CASE
    }
    return "unknown";
}
