/* SPDX-License-Identifier: Apache-2.0 */
/*
 * version: Semantic Versioning 2.0.0. Numbers are compared as digits, so that none is too long. No library in reach
 * keeps a pre-release of the next major version out of "<2.0", which is what somebody who writes that means.
 */
#include "base/version.h"
#include "base/memory.h"
#include "base/str.h"
#include <string.h>

struct piece {
    const char *at;
    size_t length;
};

struct version {
    struct piece part[3];
    int parts; /* how many were written */
    struct piece pre;
};

#define DIGITS "0123456789"
#define IDENTIFIER DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-"

static bool take_number(struct piece *out, const char **text)
{
    size_t length = strspn(*text, DIGITS);
    if (!length || (length > 1 && **text == '0'))
        return false;
    *out = (struct piece){*text, length};
    *text += length;
    return true;
}

/* Dot-separated identifiers; numeric ones without a leading zero unless `build`. */
static bool take_identifiers(struct piece *out, const char **text, bool build)
{
    const char *start = *text;
    for (;;) {
        size_t length = strspn(*text, IDENTIFIER);
        bool numeric = strspn(*text, DIGITS) >= length;
        if (!length || (!build && numeric && length > 1 && **text == '0'))
            return false;
        *text += length;
        if (**text != '.')
            break;
        (*text)++;
    }
    *out = (struct piece){start, (size_t)(*text - start)};
    return true;
}

static bool parse(struct version *out, const char *text)
{
    struct piece build;
    *out = (struct version){.part = {{"0", 1}, {"0", 1}, {"0", 1}}};
    text += *text == 'v';
    do {
        if (!take_number(&out->part[out->parts++], &text))
            return false;
    } while (*text == '.' && out->parts < 3 && *text++);
    if (*text == '-' && (text++, !take_identifiers(&out->pre, &text, false)))
        return false;
    if (*text == '+' && (text++, !take_identifiers(&build, &text, true)))
        return false;
    return *text == '\0';
}

static int sign(int n)
{
    return (n > 0) - (n < 0);
}

static int compare_numbers(struct piece a, struct piece b)
{
    if (a.length != b.length)
        return a.length < b.length ? -1 : 1;
    return sign(memcmp(a.at, b.at, a.length));
}

static int compare_identifiers(struct piece a, struct piece b)
{
    bool a_number = strspn(a.at, DIGITS) >= a.length, b_number = strspn(b.at, DIGITS) >= b.length;
    if (a_number && b_number)
        return compare_numbers(a, b);
    if (a_number != b_number)
        return a_number ? -1 : 1;
    int order = sign(memcmp(a.at, b.at, a.length < b.length ? a.length : b.length));
    return order ? order : (a.length > b.length) - (a.length < b.length);
}

static struct piece next_identifier(struct piece *rest)
{
    size_t length = 0;
    while (length < rest->length && rest->at[length] != '.')
        length++;
    struct piece identifier = {rest->at, length};
    size_t step = length < rest->length ? length + 1 : length;
    *rest = (struct piece){rest->at + step, rest->length - step};
    return identifier;
}

static int compare_pre(struct piece a, struct piece b)
{
    if (!a.length || !b.length)
        return (a.length == 0) - (b.length == 0);
    while (a.length && b.length) {
        int order = compare_identifiers(next_identifier(&a), next_identifier(&b));
        if (order)
            return order;
    }
    return (a.length > 0) - (b.length > 0);
}

static int compare_core(const struct version *a, const struct version *b)
{
    for (int i = 0; i < 3; i++) {
        int order = compare_numbers(a->part[i], b->part[i]);
        if (order)
            return order;
    }
    return 0;
}

static int compare(const struct version *a, const struct version *b)
{
    int order = compare_core(a, b);
    return order ? order : compare_pre(a->pre, b->pre);
}

enum sty_version_order sty_version_compare(const char *a, const char *b)
{
    static const enum sty_version_order orders[] = {STY_VERSION_OLDER, STY_VERSION_SAME, STY_VERSION_NEWER};
    struct version old, new;
    if (strcmp(a, b) == 0)
        return STY_VERSION_SAME;
    if (!parse(&old, a) || !parse(&new, b))
        return STY_VERSION_NO_ORDER;
    return orders[compare(&new, &old) + 1];
}

/* Below `limit`; a pre-release of the limit itself is not, unless the limit is a pre-release. */
static bool below(const struct version *version, const struct version *limit)
{
    if (!limit->pre.length && compare_core(version, limit) == 0)
        return false;
    return compare(version, limit) < 0;
}

/* The part that may not change from `low`: behind it everything is free. */
static int fixed_part(const struct version *low, bool caret)
{
    if (!caret)
        return low->parts > 1 ? 1 : 0;
    int i = 0;
    while (i < low->parts - 1 && low->part[i].length == 1 && *low->part[i].at == '0')
        i++;
    return i;
}

static bool within(const struct version *version, const struct version *low, bool caret)
{
    int fixed = fixed_part(low, caret);
    if (compare(version, low) < 0)
        return false;
    for (int i = 0; i <= fixed; i++) {
        if (compare_numbers(version->part[i], low->part[i]) != 0)
            return false;
    }
    return true;
}

enum relation { EQUAL, NOT_EQUAL, LESS, LESS_EQUAL, GREATER, GREATER_EQUAL, TILDE, CARET };

static const struct {
    const char *text;
    enum relation relation;
} relations[] = {{"<=", LESS_EQUAL}, {">=", GREATER_EQUAL}, {"!=", NOT_EQUAL}, {"=", EQUAL},
                 {"<", LESS},        {">", GREATER},        {"~", TILDE},      {"^", CARET}};

static bool holds(enum relation relation, const struct version *version, const struct version *operand)
{
    switch (relation) {
    case EQUAL:
        return compare(version, operand) == 0;
    case NOT_EQUAL:
        return compare(version, operand) != 0;
    case LESS:
        return below(version, operand);
    case LESS_EQUAL:
        return compare(version, operand) <= 0;
    case GREATER:
        return compare(version, operand) > 0;
    case GREATER_EQUAL:
        return compare(version, operand) >= 0;
    case TILDE:
        return within(version, operand, false);
    case CARET:
        return within(version, operand, true);
    }
    return false;
}

/* Moves behind the relation; `by_text` where one was written that also compares what is no version. */
static enum relation take_relation(const char **text, bool *by_text)
{
    *by_text = false;
    for (size_t i = 0; i < STY_COUNT(relations); i++) {
        if (!sty_starts_with(*text, relations[i].text))
            continue;
        *text += strlen(relations[i].text);
        *by_text = relations[i].relation == EQUAL || relations[i].relation == NOT_EQUAL;
        return relations[i].relation;
    }
    return EQUAL;
}

static int satisfies(bool *out, const char *version_text, const char *constraint, struct sty_error *err)
{
    struct version version, operand;
    bool by_text;
    const char *text = constraint;
    enum relation relation = take_relation(&text, &by_text);
    text += strspn(text, " \t");
    bool operand_ordered = parse(&operand, text);
    bool plain = *text && text[strspn(text, IDENTIFIER "._+/")] == '\0';
    if (!operand_ordered && !(by_text && plain))
        return sty_error_set(err, STY_INVALID, "'%.64s' is not a version constraint such as '>=1.4' or '~2.0'",
                             constraint);
    if (parse(&version, version_text) && operand_ordered)
        *out = holds(relation, &version, &operand);
    else
        *out = relation == NOT_EQUAL ? strcmp(version_text, text) != 0
                                     : relation == EQUAL && strcmp(version_text, text) == 0;
    return 0;
}

int sty_version_satisfies(bool *out, const char *version, const char *constraints, struct sty_error *err)
{
    bool all = true;
    for (const char *at = constraints;; at++) {
        size_t length = strcspn(at, ",");
        const char *start = at + strspn(at, " \t");
        const char *end = at + length;
        while (end > start && (end[-1] == ' ' || end[-1] == '\t'))
            end--;
        sty_auto_free char *constraint = sty_strndup(start, end > start ? (size_t)(end - start) : 0);
        bool one = false;
        if (satisfies(&one, version, constraint, err) < 0)
            return -1;
        all = all && one;
        at += length;
        if (!*at)
            break;
    }
    *out = all;
    return 0;
}
