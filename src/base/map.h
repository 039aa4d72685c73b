/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * map: strings to pointers, by hash; insertion order is kept for walking. Keys are copied, values borrowed.
 * Hashing is seeded per process: an attacker's keys cannot be made to collide.
 */
#include <stdbool.h>
#include <stddef.h>

struct sty_map_entry {
    char *key;
    void *value;
};
struct sty_map {
    struct sty_map_entry *entries; /* in insertion order; key is NULL where removed */
    size_t used;                   /* entries in use or removed: walk i = 0 .. used-1, skip key == NULL */
    size_t count;                  /* live entries */
    size_t capacity;
    size_t *slots;
    size_t slot_count;
};
#define STY_MAP_INIT                                                                                                   \
    {                                                                                                                  \
        0                                                                                                              \
    }

void sty_map_clear(struct sty_map *map);
void *sty_map_get(const struct sty_map *map, const char *key); /* NULL: absent */
bool sty_map_has(const struct sty_map *map, const char *key);
void *sty_map_set(struct sty_map *map, const char *key, void *value); /* returns the value it replaced, or NULL */
bool sty_map_remove(struct sty_map *map, const char *key);
