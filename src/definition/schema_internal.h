/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* schema_internal: what decoding and checking know about a schema. */
#include "definition/definition_internal.h"

/* Where $ref leads. */
const json_t *sty_schema_follow(const json_t *root, const json_t *schema);
bool sty_schema_allows(const json_t *schema, const char *type);
/* The alternative that lets a template stand where another type is wanted: never what a person is told about. */
bool sty_schema_is_template(const json_t *schema);
bool sty_schema_matches(const char *pattern, const char *text);
const char *sty_schema_type_name(const json_t *value);
const char *sty_schema_people(const char *type); /* "a list" for "array" */
/* The property whose name is nearest; NULL: none is near. */
const char *sty_schema_nearest(const json_t *properties, const char *name);

/*
 * What a value breaks of the keywords that look at a value alone (type, enum, const, pattern, bounds, counts, required):
 * appended to `why`, false. Children are not looked at.
 */
bool sty_schema_holds(struct sty_str *why, const json_t *value, const json_t *schema);
