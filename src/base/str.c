/* SPDX-License-Identifier: Apache-2.0 */
/*
 * str: the growing byte string. An all-zero struct sty_str works like STY_STR_INIT, because results of other modules
 * are often zeroed as a whole.
 */
#include "base/str.h"
#include "base/memory.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char sty_str_empty[1] = "";

void sty_str_clear(struct sty_str *str)
{
    if (str->capacity)
        free(str->data);
    *str = (struct sty_str)STY_STR_INIT;
}

void sty_str_reset(struct sty_str *str)
{
    str->length = 0;
    if (str->capacity)
        str->data[0] = '\0';
    else
        str->data = sty_str_empty;
}

char *sty_str_reserve(struct sty_str *str, size_t extra)
{
    if (extra > SIZE_MAX / 4 || str->length > SIZE_MAX / 4)
        abort();
    size_t wanted = str->length + extra + 1;
    if (wanted > str->capacity) {
        size_t capacity = str->capacity ? str->capacity : 32;
        while (capacity < wanted)
            capacity *= 2;
        char *old = str->capacity ? str->data : NULL;
        str->data = sty_realloc(old, capacity);
        str->capacity = capacity;
        str->data[str->length] = '\0';
    }
    return str->data + str->length;
}

void sty_str_append_bytes(struct sty_str *str, const void *bytes, size_t length)
{
    if (!length)
        return;
    memcpy(sty_str_reserve(str, length), bytes, length);
    str->length += length;
    str->data[str->length] = '\0';
}

void sty_str_append(struct sty_str *str, const char *text)
{
    sty_str_append_bytes(str, text, strlen(text));
}

void sty_str_append_char(struct sty_str *str, char c)
{
    sty_str_append_bytes(str, &c, 1);
}

void sty_str_appendf(struct sty_str *str, const char *format, ...)
{
    char small[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(small, sizeof(small), format, arguments);
    va_end(arguments);
    if (length < 0)
        abort();
    if ((size_t)length < sizeof(small)) {
        sty_str_append_bytes(str, small, (size_t)length);
        return;
    }
    char *end = sty_str_reserve(str, (size_t)length);
    va_start(arguments, format);
    vsnprintf(end, (size_t)length + 1, format, arguments);
    va_end(arguments);
    str->length += (size_t)length;
}

char *sty_str_take(struct sty_str *str)
{
    char *taken = str->capacity ? str->data : sty_strdup("");
    *str = (struct sty_str)STY_STR_INIT;
    return taken;
}
