/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_number: numbers as ECMAScript prints them (ECMA-262, Number::toString; RFC 8785 section 3.2.2.3): the fewest
 * digits that read back as the same double, and of those the nearest. Digests hang on every digit of this.
 */
#include "base/json_internal.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_DIGITS 17

/* 0.d1d2d3... * 10^point */
struct decimal {
    char digits[MOST_DIGITS + 2];
    int count;
    int point;
};

static double decimal_value(const struct decimal *decimal)
{
    char text[48];
    snprintf(text, sizeof(text), "%se%d", decimal->digits, decimal->point - decimal->count);
    return strtod(text, NULL);
}

/* Correctly rounded to `count` digits. The radix character depends on the locale: everything but digits is skipped. */
static void decimal_round(struct decimal *out, double number, int count)
{
    char text[48];
    snprintf(text, sizeof(text), "%.*e", count - 1, number);
    char *exponent = strchr(text, 'e');
    *exponent = '\0';
    out->count = 0;
    for (const char *at = text; *at && out->count < MOST_DIGITS; at++) {
        if (*at >= '0' && *at <= '9')
            out->digits[out->count++] = *at;
    }
    out->digits[out->count] = '\0';
    out->point = (int)strtol(exponent + 1, NULL, 10) + 1;
}

static void decimal_next(struct decimal *decimal)
{
    int i = decimal->count - 1;
    while (i >= 0 && decimal->digits[i] == '9')
        decimal->digits[i--] = '0';
    if (i >= 0) {
        decimal->digits[i]++;
        return;
    }
    decimal->digits[0] = '1';
    decimal->point++;
}

/*
 * Fewer digits than 15 show as zeros at the end of 15, but for subnormals, which have no 15. Above a power of two the
 * gap to the next double is twice that below it: there the digits rounded down may miss where the next ones up hit.
 */
static void decimal_shortest(struct decimal *out, double number)
{
    for (int count = number < DBL_MIN ? 1 : DBL_DIG; count <= MOST_DIGITS; count++) {
        decimal_round(out, number, count);
        if (decimal_value(out) == number)
            break;
        decimal_next(out);
        if (count < MOST_DIGITS && decimal_value(out) == number)
            break;
    }
    while (out->count > 1 && out->digits[out->count - 1] == '0')
        out->digits[--out->count] = '\0';
}

static void decimal_print(char *out, size_t size, const struct decimal *decimal)
{
    const char *digits = decimal->digits;
    int count = decimal->count, point = decimal->point;
    if (count <= point && point <= 21)
        snprintf(out, size, "%s%.*s", digits, point - count, "000000000000000000000");
    else if (0 < point && point <= 21)
        snprintf(out, size, "%.*s.%s", point, digits, digits + point);
    else if (-6 < point && point <= 0)
        snprintf(out, size, "0.%.*s%s", -point, "000000", digits);
    else if (count == 1)
        snprintf(out, size, "%se%+d", digits, point - 1);
    else
        snprintf(out, size, "%.1s.%se%+d", digits, digits + 1, point - 1);
}

void sty_json_number_text(char out[32], double number)
{
    struct decimal decimal;
    double magnitude = fabs(number);
    if (magnitude <= (double)STY_JSON_SAFE_INTEGER && floor(magnitude) == magnitude) {
        snprintf(out, 32, "%lld", (long long)number);
        return;
    }
    decimal_shortest(&decimal, magnitude);
    if (number < 0)
        *out++ = '-';
    decimal_print(out, 31, &decimal);
}
