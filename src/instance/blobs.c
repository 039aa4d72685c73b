/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contents by digest, each once: a thousand targets that render the same file hold it one time.
 */
#include <string.h>
#include "instance/instance.h"

void sty_blobs_init(struct sty_blobs *blobs, struct sty_arena *arena)
{
    *blobs = (struct sty_blobs){.arena = arena, .by_digest = STY_MAP_INIT};
}

void sty_blobs_clear(struct sty_blobs *blobs)
{
    sty_map_clear(&blobs->by_digest);
}

const struct sty_blob *sty_blobs_add(struct sty_blobs *blobs, const void *bytes, size_t length)
{
    char digest[STY_DIGEST_SIZE];
    sty_digest(digest, bytes, length);
    struct sty_blob *blob = sty_map_get(&blobs->by_digest, digest);
    if (blob)
        return blob;
    blob = sty_arena_alloc(blobs->arena, sizeof(*blob));
    memcpy(blob->digest, digest, sizeof(digest));
    char *copy = sty_arena_alloc(blobs->arena, length + 1);
    memcpy(copy, bytes, length);
    blob->bytes = copy;
    blob->length = length;
    sty_map_set(&blobs->by_digest, digest, blob);
    return blob;
}

const struct sty_blob *sty_blobs_get(const struct sty_blobs *blobs, const char *digest)
{
    return sty_map_get(&blobs->by_digest, digest);
}
