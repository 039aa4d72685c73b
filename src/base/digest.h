/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * digest: SHA-256 by OpenSSL (fetched once), written "sha256:" and 64 lower-case hex digits, and random ids.
 */
#include <stddef.h>
#include <stdbool.h>

#define STY_DIGEST_SIZE 72 /* with the NUL */

void sty_digest(char out[STY_DIGEST_SIZE], const void *bytes, size_t length);
/* HMAC-SHA-256, same form: what stands in the inventory for content with a secret. */
void sty_digest_keyed(char out[STY_DIGEST_SIZE], const void *key, size_t key_length, const void *bytes, size_t length);
/* Well-formed "sha256:<64 hex>". */
bool sty_digest_valid(const char *text);

/* A digest in pieces. */
struct sty_digest_state;
struct sty_digest_state *sty_digest_begin(void);
void sty_digest_update(struct sty_digest_state *state, const void *bytes, size_t length);
void sty_digest_end(char out[STY_DIGEST_SIZE], struct sty_digest_state *state); /* frees state */

#define STY_ID_SIZE 33 /* 128 random bits, hex, with the NUL */
void sty_id_new(char out[STY_ID_SIZE]);
/* `length` bytes from the kernel's generator; aborts when there is none. */
void sty_random_bytes(void *out, size_t length);
