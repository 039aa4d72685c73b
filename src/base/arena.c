/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena: memory that dies together, in blocks that double up to a cap, so that a small pass stays small and a large
 * one makes few calls. What needs an end of its own (a JSON value, a handle) is registered and ended in reverse order.
 */
#include "base/memory.h"
#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BLOCK ((size_t)1024)
#define LARGEST_BLOCK ((size_t)256 * 1024)

struct block {
    struct block *next;
    size_t used;
    size_t size;
    alignas(max_align_t) unsigned char bytes[];
};

struct owned {
    struct owned *next;
    void *object;
    void (*destroy)(void *);
};

struct sty_arena {
    struct block *blocks; /* the first one is being filled */
    struct owned *owned;
    size_t next_size;
    size_t handed_out;
};

struct sty_arena *sty_arena_new(void)
{
    struct sty_arena *arena = sty_calloc(1, sizeof(*arena));
    arena->next_size = FIRST_BLOCK;
    return arena;
}

void sty_arena_free(struct sty_arena *arena)
{
    if (!arena)
        return;
    for (struct owned *owned = arena->owned; owned; owned = owned->next)
        owned->destroy(owned->object);
    for (struct block *block = arena->blocks; block;) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
    free(arena);
}

static struct block *block_new(size_t size)
{
    if (size > SIZE_MAX / 2)
        abort();
    struct block *block = sty_calloc(1, sizeof(*block) + size);
    block->size = size;
    return block;
}

/* A block with `size` bytes free. One that is large goes behind the block being filled, whose rest is not lost. */
static struct block *block_for(struct sty_arena *arena, size_t size)
{
    struct block *first = arena->blocks;
    if (first && first->size - first->used >= size)
        return first;
    if (first && size > arena->next_size / 4) {
        struct block *large = block_new(size);
        large->next = first->next;
        first->next = large;
        return large;
    }
    struct block *block = block_new(size > arena->next_size ? size : arena->next_size);
    if (arena->next_size < LARGEST_BLOCK)
        arena->next_size *= 2;
    block->next = first;
    arena->blocks = block;
    return block;
}

void *sty_arena_alloc(struct sty_arena *arena, size_t size)
{
    size_t step = alignof(max_align_t);
    if (size > SIZE_MAX / 2)
        abort();
    size_t rounded = size ? (size + step - 1) / step * step : step;
    struct block *block = block_for(arena, rounded);
    void *p = block->bytes + block->used;
    block->used += rounded;
    arena->handed_out += rounded;
    return p;
}

char *sty_arena_strndup(struct sty_arena *arena, const char *text, size_t length)
{
    size_t n = strnlen(text, length);
    char *copy = sty_arena_alloc(arena, n + 1);
    memcpy(copy, text, n);
    return copy;
}

void *sty_arena_memdup(struct sty_arena *arena, const void *bytes, size_t length)
{
    void *copy = sty_arena_alloc(arena, length);
    if (length)
        memcpy(copy, bytes, length);
    return copy;
}

char *sty_arena_strdup(struct sty_arena *arena, const char *text)
{
    return sty_arena_memdup(arena, text, strlen(text) + 1);
}

char *sty_arena_printf(struct sty_arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0)
        abort();
    char *text = sty_arena_alloc(arena, (size_t)length + 1);
    va_start(arguments, format);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return text;
}

void sty_arena_own(struct sty_arena *arena, void *object, void (*destroy)(void *))
{
    struct owned *owned = sty_arena_alloc(arena, sizeof(*owned));
    owned->object = object;
    owned->destroy = destroy;
    owned->next = arena->owned;
    arena->owned = owned;
}

size_t sty_arena_used(const struct sty_arena *arena)
{
    return arena->handed_out;
}
