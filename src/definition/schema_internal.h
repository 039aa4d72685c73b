/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* schema_internal: what decoding and checking know about a schema. */
#include "definition/definition_internal.h"

/* Where $ref leads; beside it stand annotations only. */
const json_t *sty_schema_follow(const json_t *root, const json_t *schema);
bool sty_schema_allows(const json_t *schema, const char *type);
/* The alternative that lets a template stand where another type is wanted: never what a person is told about. */
bool sty_schema_is_template(const json_t *schema);
bool sty_schema_matches(const char *pattern, const char *text);
const char *sty_schema_type_name(const json_t *value);
const char *sty_schema_people(const char *type); /* "a list" for "array" */

/* "unknown field 'prot'; did you mean 'port'?" */
void sty_schema_unknown(struct sty_str *why, const json_t *schema, const char *name);
/* Append "; did you mean 'x'?" where one of `names` (an array of strings, or the keys of an object) is near. */
void sty_schema_suggest(struct sty_str *why, const json_t *names, const char *name);

/*
 * A number as the type that is wanted, where that loses nothing: text where `schema` allows text only, an integer for
 * 200.0. NULL: it stays as it is.
 */
json_t *sty_schema_number_as(const json_t *value, const json_t *schema, const char *text);

/* Put in the defaults of what an object does not hold. */
void sty_schema_fill(json_t *object, const json_t *schema, const json_t *root);

/*
 * What a value breaks of the keywords that look at a value alone (type, enum, const, pattern, bounds, counts, required):
 * appended to `why`, false. Children are not looked at.
 */
bool sty_schema_holds(struct sty_str *why, const json_t *value, const json_t *schema);
/* The same for anyOf, oneOf and not. */
bool sty_schema_chooses(struct sty_str *why, const json_t *value, const json_t *schema, const json_t *root);

/* Draft 2020-12 to the letter, for the keywords we know: nothing is converted, filled in or told. */
bool sty_schema_fits(const json_t *value, const json_t *schema, const json_t *root);
