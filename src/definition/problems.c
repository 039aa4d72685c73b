/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mistakes are collected, not thrown: a person sees all of them at once, each with its place.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "definition/definition.h"

enum { MOST = 1000 };

void sty_problems_init(struct sty_problems *problems, struct sty_arena *arena)
{
    *problems = (struct sty_problems){.arena = arena};
}

static const char *copy(struct sty_arena *arena, const char *text)
{
    return text ? sty_arena_strdup(arena, text) : NULL;
}

/* Messages quote what others wrote, cut where it is long: what is shown is text, and stays on its line. */
static const char *visible(struct sty_arena *arena, const char *message)
{
    sty_auto(str) text = STY_STR_INIT;
    sty_str_append_visible(&text, message, strlen(message), false);
    return sty_arena_strdup(arena, text.data);
}

void sty_problems_add(struct sty_problems *problems, const struct sty_problem *where, const char *format, ...)
{
    struct sty_arena *arena = problems->arena;
    problems->errors += !where->warning;
    if (problems->count == MOST) {
        problems->items[MOST - 1] = (struct sty_problem){
            .file = where->file ? copy(arena, where->file) : "",
            .message = sty_arena_printf(arena, "%zu mistakes in all; the rest is not shown", problems->errors)};
        return;
    }
    if (!problems->items)
        problems->items = sty_arena_alloc(arena, MOST * sizeof *problems->items);
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    struct sty_problem problem = *where;
    problem.file = copy(arena, where->file ? where->file : "");
    problem.document = copy(arena, where->document);
    problem.message = visible(arena, message);
    problems->items[problems->count++] = problem;
}

static int compare(const void *a, const void *b)
{
    const struct sty_problem *x = a, *y = b;
    int order = strcmp(x->file, y->file);
    if (order == 0)
        order = (x->line > y->line) - (x->line < y->line);
    if (order == 0)
        order = (x->column > y->column) - (x->column < y->column);
    return order ? order : strcmp(x->message, y->message);
}

void sty_problems_sort(struct sty_problems *problems)
{
    size_t count = problems->count == MOST ? MOST - 1 : problems->count; /* the last one speaks of the rest */
    if (count)
        qsort(problems->items, count, sizeof *problems->items, compare);
}

json_t *sty_problems_json(const struct sty_problems *problems)
{
    json_t *array = json_array();
    for (size_t i = 0; i < problems->count; i++) {
        const struct sty_problem *p = &problems->items[i];
        json_array_append_new(array, json_pack("{s:o, s:i, s:i, s:s, s:o, s:o}", "file", sty_json_string(p->file),
                                               "line", p->line, "column", p->column, "severity",
                                               p->warning ? "warning" : "error", "message", sty_json_string(p->message),
                                               "document", sty_json_string_or_null(p->document)));
    }
    return array;
}
