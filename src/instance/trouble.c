/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mistakes of one target, each with its place, and how they reach the walk's list: a mistake in a driver is found for
 * every target that uses it, but said once.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "instance/instance_internal.h"

struct sty_problem sty_place_in(const struct sty_document *document, const char *pointer)
{
    struct sty_problem place = {.file = document->path, .line = 1, .column = 1};
    if (document->marks)
        sty_marks_find(&place.line, &place.column, document->marks, pointer);
    return place;
}

/* Reads ":LINE:COLUMN: " at `text`; the message behind it, or NULL. */
static const char *read_place(struct sty_problem *place, const char *text)
{
    char *end = NULL;
    long line = strtol(text + 1, &end, 10);
    if (end == text + 1 || *end != ':')
        return NULL;
    const char *second = end + 1;
    long column = strtol(second, &end, 10);
    if (end == second || end[0] != ':' || end[1] != ' ')
        return NULL;
    place->line = (int)line;
    place->column = (int)column;
    return end + 2;
}

void sty_problem_from_error(struct sty_problems *problems, const char *document, const struct sty_error *err)
{
    for (const char *colon = strchr(err->text, ':'); colon; colon = strchr(colon + 1, ':')) {
        struct sty_problem place = {.document = document};
        const char *message = read_place(&place, colon);
        if (!message)
            continue;
        sty_auto_free char *file = sty_strndup(err->text, (size_t)(colon - err->text));
        place.file = file;
        sty_problems_add(problems, &place, "%s", message);
        return;
    }
    sty_problems_add(problems, &(struct sty_problem){.file = "", .document = document}, "%s", err->text);
}

static bool is_known(const struct sty_problems *problems, const struct sty_problem *problem)
{
    for (size_t i = problems->count; i-- > 0;) {
        const struct sty_problem *known = &problems->items[i];
        if (known->line == problem->line && known->column == problem->column &&
            sty_streq(known->message, problem->message) && sty_streq(known->file, problem->file))
            return true;
    }
    return false;
}

void sty_problems_join(struct sty_problems *to, const struct sty_problems *from)
{
    for (size_t i = 0; i < from->count; i++)
        if (!is_known(to, &from->items[i]))
            sty_problems_add(to, &from->items[i], "%s", from->items[i].message);
}

static bool is_before(const struct sty_problem *a, const struct sty_problem *b)
{
    int file = strcmp(a->file, b->file);
    if (file)
        return file < 0;
    return a->line != b->line ? a->line < b->line : a->column < b->column;
}

const char *sty_problems_first(struct sty_arena *arena, const struct sty_problems *problems)
{
    const struct sty_problem *first = NULL;
    for (size_t i = 0; i < problems->count; i++) {
        const struct sty_problem *problem = &problems->items[i];
        if (!problem->warning && (!first || is_before(problem, first)))
            first = problem;
    }
    if (!first)
        return NULL;
    if (!first->line)
        return sty_arena_printf(arena, "%s: %s", first->file, first->message);
    return sty_arena_printf(arena, "%s:%d:%d: %s", first->file, first->line, first->column, first->message);
}

static void mistake(struct sty_work *work, struct sty_problem *place, const char *format, va_list list)
{
    char message[600];
    vsnprintf(message, sizeof(message), format, list);
    sty_problems_add(&work->problems, place, "%s", message);
}

void sty_work_mistake(struct sty_work *work, const char *pointer, const char *format, ...)
{
    struct sty_problem place = sty_place_in(work->found.document, pointer);
    place.document = work->label;
    va_list list;
    va_start(list, format);
    mistake(work, &place, format, list);
    va_end(list);
}

void sty_driver_mistake(struct sty_work *work, const char *pointer, const char *format, ...)
{
    struct sty_problem place = sty_place_in(work->driver->found.document, pointer);
    place.document = work->label;
    va_list list;
    va_start(list, format);
    mistake(work, &place, format, list);
    va_end(list);
}
