/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The YAML 1.2 core schema (section 10.3.2 of its specification): what a plain scalar is when nobody says what is wanted.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "definition/definition_internal.h"

#define LARGEST 9007199254740991LL

static bool one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

static bool only(const char *text, const char *characters)
{
    return *text && text[strspn(text, characters)] == '\0';
}

/* [-+]?[0-9]+ | 0o[0-7]+ | 0x[0-9a-fA-F]+ */
static int base_of(const char *text)
{
    if (strncmp(text, "0o", 2) == 0)
        return only(text + 2, "01234567") ? 8 : 0;
    if (strncmp(text, "0x", 2) == 0)
        return only(text + 2, "0123456789abcdefABCDEF") ? 16 : 0;
    return only(text + (*text == '-' || *text == '+'), "0123456789") ? 10 : 0;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_float(const char *text)
{
    const char *at = text + (*text == '-' || *text == '+');
    size_t whole = strspn(at, "0123456789"), fraction = 0;
    at += whole;
    if (*at == '.') {
        fraction = strspn(at + 1, "0123456789");
        at += 1 + fraction;
    }
    if (whole + fraction == 0)
        return false;
    if (*at == 'e' || *at == 'E') {
        at += 1 + (at[1] == '-' || at[1] == '+');
        return only(at, "0123456789");
    }
    return *at == '\0';
}

static json_t *integer(const char *text, int base, const char **why)
{
    errno = 0;
    long long value = strtoll(base == 10 ? text : text + 2, NULL, base);
    if (!errno && value <= LARGEST && value >= -LARGEST)
        return json_integer(value);
    *why = "an integer beyond 2^53-1: put it in quotes if it is text";
    return NULL;
}

static json_t *untagged(const char *text, const char **why)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const truths[] = {"true", "True", "TRUE", NULL};
    static const char *const lies[] = {"false", "False", "FALSE", NULL};
    static const char *const infinite[] = {".inf",  ".Inf",  ".INF", "+.inf", "+.Inf", "+.INF", "-.inf",
                                           "-.Inf", "-.INF", ".nan", ".NaN",  ".NAN",  NULL};
    if (one_of(text, nulls))
        return json_null();
    if (one_of(text, truths) || one_of(text, lies))
        return json_boolean(one_of(text, truths));
    int base = base_of(text);
    if (base)
        return integer(text, base, why);
    bool real = is_float(text);
    double value = real ? strtod(text, NULL) : 0;
    if (one_of(text, infinite) || !isfinite(value)) {
        *why = "a number that is not finite";
        return NULL;
    }
    return real ? json_real(value) : sty_json_string(text);
}

static bool fits_tag(const json_t *value, enum sty_node_tag tag)
{
    switch (tag) {
    case STY_TAG_INT:
        return json_is_integer(value);
    case STY_TAG_FLOAT:
        return json_is_number(value);
    case STY_TAG_BOOL:
        return json_is_boolean(value);
    case STY_TAG_NULL:
        return json_is_null(value);
    case STY_TAG_NONE:
    case STY_TAG_STR:
        return true;
    }
    return false;
}

json_t *sty_core_value(const struct sty_node *node, const char **why)
{
    if (!node->plain)
        return sty_json_string(node->text);
    json_t *value = untagged(node->text, why);
    if (!value || fits_tag(value, node->tag))
        return value;
    json_decref(value);
    *why = "not what its tag says";
    return NULL;
}
