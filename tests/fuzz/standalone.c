/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzzer's function over the files named on the command line, and over each of them cut at many places and with
 * bytes flipped (seeded, so that a failure is the same next time): a smoke run where libFuzzer is not compiled in.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LARGEST = 1 << 20, ROUNDS = 200 };

static void one(const char *bytes, size_t length)
{
    uint8_t *copy = sty_malloc(length);
    memcpy(copy, bytes, length);
    LLVMFuzzerTestOneInput(copy, length);
    free(copy);
}

static void mutated(const struct sty_str *text, uint32_t *seed)
{
    sty_auto(str) changed = STY_STR_INIT;
    sty_str_append_bytes(&changed, text->data, text->length);
    for (int flips = 0; flips < 4 && changed.length; flips++) {
        *seed = *seed * 1664525u + 1013904223u;
        changed.data[(*seed >> 8) % changed.length] ^= (char)(1u << (*seed >> 5 & 7));
    }
    one(changed.data, (*seed >> 7) % (changed.length + 1));
    one(changed.data, changed.length);
}

int main(int argc, char **argv)
{
    uint32_t seed = 1;
    for (int i = 1; i < argc; i++) {
        struct sty_error err;
        sty_auto(str) text = STY_STR_INIT;
        if (sty_file_read(&text, argv[i], LARGEST, &err) < 0) {
            fprintf(stderr, "%s\n", err.text);
            return 1;
        }
        one(text.data, text.length);
        for (int round = 0; round < ROUNDS; round++)
            mutated(&text, &seed);
    }
    printf("%d inputs, each whole and in %d mutations\n", argc - 1, 2 * ROUNDS);
    return argc < 2;
}
