/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * memory: the three rules.
 *
 * (a) Out of memory aborts: no caller of these checks for NULL.
 * (b) Each pass of the way has one arena; what a stage returns lives in it and dies with it.
 * (c) Anything else is freed by sty_auto(type) and handed on by sty_take(p): no manual frees, no goto.
 *
 *     sty_auto(str) text = STY_STR_INIT;         calls sty_str_clear(&text) when the scope ends
 *     sty_auto_free char *name = sty_strdup(x);  calls free(name)
 *     return sty_take(name);                     the caller owns it now
 */
#include <stddef.h>

void *sty_malloc(size_t size);
void *sty_calloc(size_t count, size_t size);
void *sty_realloc(void *p, size_t size);
char *sty_strdup(const char *text);
char *sty_strndup(const char *text, size_t length);
/* printf into fresh memory; the caller frees. */
char *sty_sprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* sty_auto(thing) name: a `struct sty_thing` cleared by sty_thing_clear() at the end of the scope. */
#define sty_auto(thing) __attribute__((cleanup(sty_##thing##_clear))) struct sty_##thing
#define sty_auto_free __attribute__((cleanup(sty_free_pointer)))
#define sty_auto_fd __attribute__((cleanup(sty_close_fd))) int
#define sty_auto_file __attribute__((cleanup(sty_close_file))) FILE *
/* A pointer to a heap object of its own: sty_auto_ptr(repo) r = NULL; calls sty_repo_free(r). Each header that has a
 * _free says STY_DEFINE_AUTO_PTR(thing) behind it. */
#define sty_auto_ptr(thing) __attribute__((cleanup(sty_##thing##_free_pointer))) struct sty_##thing *
#define STY_DEFINE_AUTO_PTR(thing)                                                                                     \
    static inline void sty_##thing##_free_pointer(struct sty_##thing **p)                                              \
    {                                                                                                                  \
        sty_##thing##_free(*p);                                                                                        \
    }
#define sty_take(p)                                                                                                    \
    ({                                                                                                                 \
        __typeof__(p) sty_taken_ = (p);                                                                                \
        (p) = NULL;                                                                                                    \
        sty_taken_;                                                                                                    \
    })

void sty_free_pointer(void *pointer_to_pointer);
void sty_close_fd(int *fd); /* closes unless negative; keeps errno */
void sty_close_file(void *file_pointer);

#define STY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/*
 * arena: memory that dies together. Not thread-safe: one arena belongs to one thread at a time.
 */
struct sty_arena;
struct sty_arena *sty_arena_new(void);
void sty_arena_free(struct sty_arena *arena); /* NULL is a no-op */
STY_DEFINE_AUTO_PTR(arena)
void *sty_arena_alloc(struct sty_arena *arena, size_t size); /* zeroed, aligned for anything */
char *sty_arena_strdup(struct sty_arena *arena, const char *text);
char *sty_arena_strndup(struct sty_arena *arena, const char *text, size_t length);
void *sty_arena_memdup(struct sty_arena *arena, const void *bytes, size_t length);
char *sty_arena_printf(struct sty_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Call destroy(object) when the arena is freed, in reverse order of registration. */
void sty_arena_own(struct sty_arena *arena, void *object, void (*destroy)(void *));
/* Bytes handed out so far: what budgets and tests look at. */
size_t sty_arena_used(const struct sty_arena *arena);
