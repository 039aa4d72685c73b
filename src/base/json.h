/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * json: what Styrmin needs beyond jansson.
 *
 * jansson's own rules hold: `_new` functions steal references, _get borrows. json_auto_t frees at the end of the scope.
 */
#include <jansson.h>
#include <stdbool.h>
#include "base/memory.h"
#include "base/str.h"
#include "styrmin/error.h"

/*
 * Append the canonical form of RFC 8785: keys sorted by UTF-16 code units, no white space, numbers as ECMAScript
 * prints them. Integers outside +-(2^53-1), NaN and lone surrogates are STY_INVALID; depth is limited to 128 (STY_LIMIT).
 */
int sty_json_canonical(struct sty_str *out, const json_t *value, struct sty_error *err);

/* As above for a value we made ourselves, which cannot fail (aborts if it does): a fresh string, the caller frees. */
char *sty_json_canonical_text(const json_t *value);

/*
 * Parse one JSON document: duplicate keys refused, NUL refused, depth at most 128, nothing behind it. A new reference.
 * STY_INVALID with line and column in the text.
 */
int sty_json_parse(json_t **out, const char *bytes, size_t length, struct sty_error *err);

/* "sha256:" and 64 hex digits over the canonical form; out holds 72 bytes. Aborts where canonical_text would. */
void sty_json_digest(char out[72], const json_t *value);

/* RFC 7396: a new value, `target` changed by `patch`; neither is touched. target may be NULL. */
json_t *sty_json_merge_patch(const json_t *target, const json_t *patch);

/* RFC 6901: borrowed, or NULL where nothing stands. "" is the whole. */
json_t *sty_json_pointer(const json_t *value, const char *pointer);
/* Append "/" and the escaped token. */
void sty_json_pointer_append(struct sty_str *pointer, const char *token);
/* Take what the pointer names out of `value`; true if something stood there. */
bool sty_json_pointer_remove(json_t *value, const char *pointer);

/* Getters that never fail: borrowed text, or `otherwise`. */
const char *sty_json_text(const json_t *object, const char *key, const char *otherwise);
int64_t sty_json_int(const json_t *object, const char *key, int64_t otherwise);
bool sty_json_bool(const json_t *object, const char *key, bool otherwise);

/* The arena frees it in the end; borrowed from then on. */
json_t *sty_json_own(struct sty_arena *arena, json_t *value);

/* An array of strings as a NULL-terminated argv in `arena` (strings copied). NULL array: {NULL}. */
char **sty_json_argv(struct sty_arena *arena, const json_t *array);

/* json_string() that cannot fail: invalid UTF-8 is replaced by U+FFFD. A new reference. */
json_t *sty_json_string(const char *text);
json_t *sty_json_string_or_null(const char *text);
/* True if `array` holds this string. */
bool sty_json_has(const json_t *array, const char *text);
/* Keys of an object in canonical order: NULL-terminated, array in `arena`, strings borrowed from the object. */
const char **sty_json_keys(struct sty_arena *arena, const json_t *object);
