/* SPDX-License-Identifier: Apache-2.0 */
/*
 * time: numbers, durations and points in time, from text and to text. Independent of locale and time zone, so that the
 * same commit means the same on every machine.
 */
#include "base/str.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits at *text, at least one; moves *text behind them. False on overflow, too. */
static bool take_number(int64_t *out, const char **text)
{
    int64_t value = 0;
    const char *at = *text;
    for (; is_digit(*at); at++) {
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *at - '0', &value))
            return false;
    }
    if (at == *text)
        return false;
    *text = at;
    *out = value;
    return true;
}

int sty_number_parse(int64_t *out, const char *text, int64_t minimum, int64_t maximum, struct sty_error *err)
{
    const char *at = text;
    int64_t value = 0;
    bool negative = *at == '-';
    at += negative;
    if (!take_number(&value, &at) || *at)
        return sty_error_set(err, STY_INVALID, "'%.64s' is not a whole number", text);
    value = negative ? -value : value;
    if (value < minimum || value > maximum)
        return sty_error_set(err, STY_INVALID, "%.64s is not between %" PRId64 " and %" PRId64, text, minimum, maximum);
    *out = value;
    return 0;
}

static const struct {
    const char *name;
    int64_t ms;
} units[] = {{"d", DAY_MS}, {"h", HOUR_MS}, {"ms", 1}, {"m", MINUTE_MS}, {"s", SECOND_MS}};

/* The unit at *text, shorter than `below`. */
static int64_t take_unit(const char **text, int64_t below)
{
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (sty_starts_with(*text, units[i].name) && units[i].ms < below) {
            *text += strlen(units[i].name);
            return units[i].ms;
        }
    }
    return 0;
}

int sty_duration_parse(int64_t *ms, const char *text, struct sty_error *err)
{
    int64_t total = 0;
    int64_t unit = INT64_MAX;
    const char *at = text;
    bool good = *at != '\0';
    while (good && *at) {
        int64_t count = 0;
        good = take_number(&count, &at) && (unit = take_unit(&at, unit)) &&
               !__builtin_mul_overflow(count, unit, &count) && !__builtin_add_overflow(total, count, &total);
    }
    if (!good)
        return sty_error_set(err, STY_INVALID, "'%.64s' is not a duration such as 30s, 10m, 1h30m or 250ms", text);
    *ms = total;
    return 0;
}

const char *sty_duration_text(char *out, size_t size, int64_t ms)
{
    uint64_t n = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    const char *sign = ms < 0 ? "-" : "";
    const char *large = "m", *small = "s";
    uint64_t step = SECOND_MS;
    if (n < SECOND_MS) {
        snprintf(out, size, "%s%" PRIu64 "ms", sign, n);
        return out;
    }
    if (n < MINUTE_MS) {
        snprintf(out, size, n % 1000 < 100 ? "%s%" PRIu64 "s" : "%s%" PRIu64 ".%" PRIu64 "s", sign, n / 1000,
                 n % 1000 / 100);
        return out;
    }
    uint64_t per = 60;
    if (n >= DAY_MS) {
        large = "d", small = "h", step = HOUR_MS, per = 24;
    } else if (n >= HOUR_MS) {
        large = "h", small = "m", step = MINUTE_MS;
    }
    n /= step;
    if (n % per)
        snprintf(out, size, "%s%" PRIu64 "%s%" PRIu64 "%s", sign, n / per, large, n % per, small);
    else
        snprintf(out, size, "%s%" PRIu64 "%s", sign, n / per, large);
    return out;
}

/* First and last millisecond that RFC 3339 can write: years 0000 to 9999. */
#define FIRST_MS INT64_C(-62167219200000)
#define LAST_MS INT64_C(253402300799999)

const char *sty_time_text(char out[32], int64_t epoch_ms)
{
    if (epoch_ms < FIRST_MS)
        epoch_ms = FIRST_MS;
    if (epoch_ms > LAST_MS)
        epoch_ms = LAST_MS;
    int64_t ms = (epoch_ms % 1000 + 1000) % 1000;
    time_t seconds = (time_t)((epoch_ms - ms) / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    snprintf(out, 32, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", (unsigned)(tm.tm_year + 1900) % 10000,
             (unsigned)(tm.tm_mon + 1) % 100, (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100,
             (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100, (unsigned)ms);
    return out;
}

/* Exactly `count` digits between the limits, then the character `after` if it is not NUL. */
static bool take_field(int *out, const char **text, size_t count, int maximum, char after)
{
    int value = 0;
    for (size_t i = 0; i < count; i++, (*text)++) {
        if (!is_digit(**text))
            return false;
        value = value * 10 + (**text - '0');
    }
    if (value > maximum || (after && *(*text)++ != after))
        return false;
    *out = value;
    return true;
}

static bool take_date(struct tm *tm, const char **text)
{
    if (!take_field(&tm->tm_year, text, 4, 9999, '-') || !take_field(&tm->tm_mon, text, 2, 12, '-') ||
        !take_field(&tm->tm_mday, text, 2, 31, '\0'))
        return false;
    tm->tm_year -= 1900;
    tm->tm_mon -= 1;
    struct tm there = *tm;
    timegm(&there); /* moves 30 February to March: no such day */
    return tm->tm_mon >= 0 && tm->tm_mday > 0 && there.tm_mday == tm->tm_mday && there.tm_mon == tm->tm_mon;
}

static bool take_fraction(int64_t *ms, const char **text)
{
    int64_t weight = 100;
    if (**text != '.')
        return true;
    if (!is_digit(*++*text))
        return false;
    for (; is_digit(**text); (*text)++, weight /= 10)
        *ms += (**text - '0') * weight;
    return true;
}

static bool take_offset(int64_t *ms, const char **text)
{
    int hours, minutes;
    char sign = *(*text)++;
    if (sign == 'Z' || sign == 'z')
        return true;
    if ((sign != '+' && sign != '-') || !take_field(&hours, text, 2, 23, ':') ||
        !take_field(&minutes, text, 2, 59, '\0'))
        return false;
    int64_t offset = hours * HOUR_MS + minutes * MINUTE_MS;
    *ms += sign == '+' ? -offset : offset;
    return true;
}

static bool take_clock(struct tm *tm, int64_t *ms, const char **text)
{
    char separator = *(*text)++;
    return (separator == 'T' || separator == 't' || separator == ' ') && take_field(&tm->tm_hour, text, 2, 23, ':') &&
           take_field(&tm->tm_min, text, 2, 59, ':') && take_field(&tm->tm_sec, text, 2, 60, '\0') &&
           take_fraction(ms, text) && take_offset(ms, text);
}

int sty_time_parse(int64_t *epoch_ms, const char *text, struct sty_error *err)
{
    struct tm tm = {0};
    int64_t ms = 0;
    const char *at = text;
    if (!take_date(&tm, &at) || (*at && !take_clock(&tm, &ms, &at)) || *at)
        return sty_error_set(err, STY_INVALID, "'%.64s' is not a time such as 2026-03-01T10:00:00Z or 2026-03-01",
                             text);
    *epoch_ms = (int64_t)timegm(&tm) * 1000 + ms;
    return 0;
}
