/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * str: a growing byte string, always terminated by NUL (which `length` does not count), and small helpers on text.
 *
 *     sty_auto(str) line = STY_STR_INIT;
 *     sty_str_appendf(&line, "%s: %d", name, n);
 *     return sty_str_take(&line);
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "styrmin/error.h"

struct sty_str {
    char *data; /* "" when empty, never NULL after STY_STR_INIT */
    size_t length;
    size_t capacity; /* 0: data is not ours yet */
};
extern char sty_str_empty[];
#define STY_STR_INIT                                                                                                   \
    {                                                                                                                  \
        sty_str_empty, 0, 0                                                                                            \
    }

void sty_str_clear(struct sty_str *str); /* frees, usable again */
void sty_str_reset(struct sty_str *str); /* length 0, keeps the memory */
void sty_str_append(struct sty_str *str, const char *text);
void sty_str_append_bytes(struct sty_str *str, const void *bytes, size_t length);
void sty_str_append_char(struct sty_str *str, char c);
void sty_str_appendf(struct sty_str *str, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Room for `extra` bytes (and a NUL) behind length: where they begin. Who writes there adds to length and ends with NUL. */
char *sty_str_reserve(struct sty_str *str, size_t extra);
/* The bytes, owned by the caller; str is empty and usable again. */
char *sty_str_take(struct sty_str *str);

bool sty_streq(const char *a, const char *b); /* NULL equals NULL only */
bool sty_starts_with(const char *text, const char *prefix);
bool sty_ends_with(const char *text, const char *suffix);
/* The first code point of bytes (RFC 3629); how many bytes it takes, 0 where they are no UTF-8. */
size_t sty_utf8_decode(uint32_t *point, const char *bytes, size_t length);
/* Valid UTF-8 without surrogates (RFC 3629). */
bool sty_utf8_valid(const char *bytes, size_t length);
/* DNS-1123 label (RFC 1123): a-z 0-9 and inner '-', 1 to 63. */
bool sty_name_valid(const char *name);

/*
 * Append untrusted bytes so that they are harmless on a terminal and in a log line: control characters (C0 but for
 * '\n' and '\t' where `multiline`, DEL, C1) and invalid UTF-8 become \xNN, bidirectional controls \u{202e}.
 */
void sty_str_append_visible(struct sty_str *str, const char *bytes, size_t length, bool multiline);

/* "30s", "10m", "1h30m", "250ms", "400d" (units ms s m h d, whole numbers) to milliseconds. STY_INVALID. */
int sty_duration_parse(int64_t *ms, const char *text, struct sty_error *err);
/* 4200 -> "4.2s", 90000 -> "1m30s": short text for people; out is at least 24 bytes. */
const char *sty_duration_text(char *out, size_t size, int64_t ms);
/* Milliseconds since the epoch <-> "2026-03-01T10:00:00.123Z" (RFC 3339, UTC). Parses "2026-03-01" too. */
const char *sty_time_text(char out[32], int64_t epoch_ms);
int sty_time_parse(int64_t *epoch_ms, const char *text, struct sty_error *err);
/* Whole decimal number in [minimum, maximum], nothing behind it. STY_INVALID. */
int sty_number_parse(int64_t *out, const char *text, int64_t minimum, int64_t maximum, struct sty_error *err);
