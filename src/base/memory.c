/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory: allocation that aborts instead of failing. A deployment tool that runs on with a lost allocation would
 * record half of what it did; after an abort the ledger knows where to resume.
 */
#include "base/memory.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *checked(void *p)
{
    static const char text[] = "styrmin: out of memory\n";
    if (p)
        return p;
    ssize_t ignored = write(STDERR_FILENO, text, sizeof(text) - 1);
    (void)ignored;
    abort();
}

void *sty_malloc(size_t size)
{
    return checked(malloc(size ? size : 1));
}

void *sty_calloc(size_t count, size_t size)
{
    return count && size ? checked(calloc(count, size)) : checked(calloc(1, 1));
}

void *sty_realloc(void *p, size_t size)
{
    return checked(realloc(p, size ? size : 1));
}

char *sty_strdup(const char *text)
{
    return checked(strdup(text));
}

char *sty_strndup(const char *text, size_t length)
{
    return checked(strndup(text, length));
}

char *sty_sprintf(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    return checked(length < 0 ? NULL : text);
}

void sty_free_pointer(void *pointer_to_pointer)
{
    void *p;
    memcpy(&p, pointer_to_pointer, sizeof(p));
    free(p);
}

void sty_close_fd(int *fd)
{
    int kept = errno;
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    errno = kept;
}

void sty_close_file(void *file_pointer)
{
    int kept = errno;
    FILE *file;
    memcpy(&file, file_pointer, sizeof(file));
    if (file)
        fclose(file);
    errno = kept;
}
