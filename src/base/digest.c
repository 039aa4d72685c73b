/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digest: SHA-256 and randomness. The algorithm is fetched once per process: OpenSSL 3 otherwise searches its providers
 * at every call, which costs more than hashing a small file.
 */
#include "base/digest.h"
#include "base/memory.h"
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define RAW_SIZE 32

struct sty_digest_state {
    EVP_MD_CTX *context;
};

static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;
static EVP_MD *fetched;

static void must(bool good)
{
    if (!good)
        abort();
}

static void fetch(void)
{
    fetched = EVP_MD_fetch(NULL, "SHA256", NULL);
    must(fetched);
}

static const EVP_MD *sha256(void)
{
    pthread_once(&fetch_once, fetch);
    return fetched;
}

static void write_hex(char *out, const unsigned char *raw, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < length; i++) {
        out[2 * i] = digits[raw[i] >> 4];
        out[2 * i + 1] = digits[raw[i] & 15];
    }
    out[2 * length] = '\0';
}

static void write_digest(char out[STY_DIGEST_SIZE], const unsigned char raw[RAW_SIZE])
{
    memcpy(out, "sha256:", 7);
    write_hex(out + 7, raw, RAW_SIZE);
}

void sty_digest(char out[STY_DIGEST_SIZE], const void *bytes, size_t length)
{
    unsigned char raw[RAW_SIZE];
    must(EVP_Digest(length ? bytes : "", length, raw, NULL, sha256(), NULL) == 1);
    write_digest(out, raw);
}

void sty_digest_keyed(char out[STY_DIGEST_SIZE], const void *key, size_t key_length, const void *bytes, size_t length)
{
    unsigned char raw[RAW_SIZE];
    unsigned size = sizeof(raw);
    must(key_length <= 4096);
    must(HMAC(sha256(), key_length ? key : "", (int)key_length, length ? bytes : (const void *)"", length, raw, &size));
    write_digest(out, raw);
}

bool sty_digest_valid(const char *text)
{
    return strncmp(text, "sha256:", 7) == 0 && strspn(text + 7, "0123456789abcdef") == 2 * RAW_SIZE &&
           text[7 + 2 * RAW_SIZE] == '\0';
}

struct sty_digest_state *sty_digest_begin(void)
{
    struct sty_digest_state *state = sty_calloc(1, sizeof(*state));
    state->context = EVP_MD_CTX_new();
    must(state->context && EVP_DigestInit_ex2(state->context, sha256(), NULL) == 1);
    return state;
}

void sty_digest_update(struct sty_digest_state *state, const void *bytes, size_t length)
{
    if (length)
        must(EVP_DigestUpdate(state->context, bytes, length) == 1);
}

void sty_digest_end(char out[STY_DIGEST_SIZE], struct sty_digest_state *state)
{
    unsigned char raw[RAW_SIZE];
    must(EVP_DigestFinal_ex(state->context, raw, NULL) == 1);
    write_digest(out, raw);
    EVP_MD_CTX_free(state->context);
    free(state);
}

void sty_random_bytes(void *out, size_t length)
{
    unsigned char *at = out;
    while (length) {
        ssize_t got = getrandom(at, length, 0);
        if (got < 0 && errno == EINTR)
            continue;
        must(got > 0);
        at += got;
        length -= (size_t)got;
    }
}

void sty_id_new(char out[STY_ID_SIZE])
{
    unsigned char raw[(STY_ID_SIZE - 1) / 2];
    sty_random_bytes(raw, sizeof(raw));
    write_hex(out, raw, sizeof(raw));
}
