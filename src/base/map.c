/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map: open addressing over an array kept in insertion order, so that walking is deterministic and digests made from a
 * walk are, too. The hash is SipHash-1-3 under a random key: keys come from documents that others wrote.
 */
#include "base/map.h"
#include "base/digest.h"
#include "base/memory.h"
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static pthread_once_t seed_once = PTHREAD_ONCE_INIT;
static uint64_t seed[2];

static void make_seed(void)
{
    sty_random_bytes(seed, sizeof(seed));
}

static uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1], v[1] = rotate(v[1], 13) ^ v[0], v[0] = rotate(v[0], 32);
    v[2] += v[3], v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3], v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1], v[1] = rotate(v[1], 17) ^ v[2], v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
}

static size_t hash(const char *key)
{
    pthread_once(&seed_once, make_seed);
    uint64_t v[4] = {seed[0] ^ UINT64_C(0x736f6d6570736575), seed[1] ^ UINT64_C(0x646f72616e646f6d),
                     seed[0] ^ UINT64_C(0x6c7967656e657261), seed[1] ^ UINT64_C(0x7465646279746573)};
    size_t length = strlen(key), at = 0;
    uint64_t word;
    for (; at + 8 <= length; at += 8) {
        memcpy(&word, key + at, 8);
        sip_word(v, word);
    }
    word = 0;
    memcpy(&word, key + at, length - at);
    sip_word(v, word | (uint64_t)length << 56);
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return (size_t)(v[0] ^ v[1] ^ v[2] ^ v[3]);
}

void sty_map_clear(struct sty_map *map)
{
    for (size_t i = 0; i < map->used; i++)
        free(map->entries[i].key);
    free(map->entries);
    free(map->slots);
    *map = (struct sty_map)STY_MAP_INIT;
}

/* The slot that holds `key`, or the free one where it would go. A slot holds an entry's number plus one. */
static size_t *slot_of(const struct sty_map *map, const char *key)
{
    size_t mask = map->slot_count - 1;
    for (size_t i = hash(key) & mask;; i = (i + 1) & mask) {
        size_t *slot = &map->slots[i];
        if (!*slot)
            return slot;
        const char *there = map->entries[*slot - 1].key;
        if (there && strcmp(there, key) == 0)
            return slot;
    }
}

static struct sty_map_entry *find(const struct sty_map *map, const char *key)
{
    if (!map->count)
        return NULL;
    size_t slot = *slot_of(map, key);
    return slot ? &map->entries[slot - 1] : NULL;
}

static void drop_removed(struct sty_map *map)
{
    size_t kept = 0;
    for (size_t i = 0; i < map->used; i++) {
        if (map->entries[i].key)
            map->entries[kept++] = map->entries[i];
    }
    map->used = kept;
}

/* Room for one more: removed entries go first; the slots stay at most half full, so that a search always ends. */
static void make_room(struct sty_map *map)
{
    drop_removed(map);
    if (map->used >= map->capacity / 2) {
        map->capacity = map->capacity ? map->capacity * 2 : 8;
        map->entries = sty_realloc(map->entries, map->capacity * sizeof(*map->entries));
        map->slot_count = map->capacity * 2;
        free(map->slots);
        map->slots = sty_calloc(map->slot_count, sizeof(*map->slots));
    } else {
        memset(map->slots, 0, map->slot_count * sizeof(*map->slots));
    }
    for (size_t i = 0; i < map->used; i++)
        *slot_of(map, map->entries[i].key) = i + 1;
}

void *sty_map_get(const struct sty_map *map, const char *key)
{
    struct sty_map_entry *entry = find(map, key);
    return entry ? entry->value : NULL;
}

bool sty_map_has(const struct sty_map *map, const char *key)
{
    return find(map, key) != NULL;
}

void *sty_map_set(struct sty_map *map, const char *key, void *value)
{
    struct sty_map_entry *entry = find(map, key);
    if (entry) {
        void *before = entry->value;
        entry->value = value;
        return before;
    }
    if (map->used == map->capacity)
        make_room(map);
    *slot_of(map, key) = map->used + 1;
    map->entries[map->used++] = (struct sty_map_entry){sty_strdup(key), value};
    map->count++;
    return NULL;
}

bool sty_map_remove(struct sty_map *map, const char *key)
{
    struct sty_map_entry *entry = find(map, key);
    if (!entry)
        return false;
    free(entry->key);
    *entry = (struct sty_map_entry){NULL, NULL};
    map->count--;
    return true;
}
