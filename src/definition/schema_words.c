/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mistyped name and the one that was meant.
 */
#include <string.h>

#include "definition/schema_internal.h"

enum { LONGEST = 64 };

static size_t least(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

/* Levenshtein's distance; two letters that changed places count as one. */
static size_t distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b), rows[3][LONGEST + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    if (n > LONGEST || m > LONGEST)
        return LONGEST;
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *spare = before;
        before = above, above = row, row = spare;
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            row[j] = least(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
    }
    return row[m];
}

struct search {
    const char *name, *best;
    size_t limit;
};

static void offer(struct search *search, const char *candidate)
{
    size_t d = candidate ? distance(search->name, candidate) : LONGEST;
    if (d < search->limit) {
        search->limit = d;
        search->best = candidate;
    }
}

void sty_schema_suggest(struct sty_str *why, const json_t *names, const char *name)
{
    struct search search = {.name = name, .limit = strlen(name) / 3 + 2};
    const char *key;
    json_t *property;
    for (size_t i = 0; i < json_array_size(names); i++)
        offer(&search, json_string_value(json_array_get(names, i)));
    json_object_foreach ((json_t *)names, key, property)
        offer(&search, json_object_get(property, "not") ? NULL : key);
    if (search.best && strlen(name) > 1)
        sty_str_appendf(why, "; did you mean '%s'?", search.best);
}

void sty_schema_unknown(struct sty_str *why, const json_t *schema, const char *name)
{
    sty_str_appendf(why, "unknown field '%.100s'", name);
    sty_schema_suggest(why, json_object_get(schema, "properties"), name);
}
