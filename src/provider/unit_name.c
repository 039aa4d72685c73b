/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be said of a unit without systemd: whether its name can be one, and whether its text has the form of a unit
 * file. What the words mean only systemd knows, and says when it has read them.
 */
#include <ctype.h>
#include <string.h>
#include "provider/unit_internal.h"

#define NAME_MAX_LENGTH 255

static bool made_of(const char *name, const char *more)
{
    for (const char *c = name; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || strchr(more, *c)))
            return false;
    return *name && strlen(name) <= NAME_MAX_LENGTH;
}

bool sty_unit_name_valid(const char *name)
{
    static const char *const kinds[] = {".service", ".socket", ".timer",     ".path", ".target",
                                        ".mount",   ".swap",   ".automount", ".slice"};
    for (size_t i = 0; i < STY_COUNT(kinds); i++)
        if (sty_ends_with(name, kinds[i]) && strlen(name) > strlen(kinds[i]))
            return *name != '@' && made_of(name, ":-_.\\@");
    return false;
}

bool sty_unit_is_template(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && dot > name && dot[-1] == '@';
}

bool sty_drop_in_name_valid(const char *name)
{
    return *name != '.' && *name != '-' && sty_ends_with(name, ".conf") && made_of(name, ":-_.@");
}

struct reading {
    const char *at, *end;
    int line;
    bool section, continued;
};

static bool next_line(const char **line, size_t *length, struct reading *reading)
{
    if (reading->at >= reading->end)
        return false;
    const char *end = memchr(reading->at, '\n', (size_t)(reading->end - reading->at));
    *line = reading->at;
    *length = (size_t)((end ? end : reading->end) - reading->at);
    reading->at = end ? end + 1 : reading->end;
    reading->line++;
    while (*length && isspace((unsigned char)**line))
        (*line)++, (*length)--;
    while (*length && isspace((unsigned char)(*line)[*length - 1]))
        (*length)--;
    return true;
}

static const char *mistake_in(struct reading *reading, const char *line, size_t length)
{
    bool continued = reading->continued, comment = length && (*line == '#' || *line == ';');
    if (comment || (length == 0 && !continued))
        return NULL;
    reading->continued = length && line[length - 1] == '\\';
    if (continued)
        return NULL;
    if (*line == '[') {
        reading->section = true;
        return length > 2 && line[length - 1] == ']' ? NULL : "a section is [Name]";
    }
    if (!reading->section)
        return "a section such as [Unit] comes first";
    return memchr(line, '=', length) && *line != '=' ? NULL : "wanted Name=value";
}

int sty_unit_text_check(const char *text, size_t length, struct sty_error *err)
{
    struct reading reading = {.at = text, .end = text + length};
    const char *line;
    size_t size;
    if (memchr(text, '\0', length))
        return sty_error_set(err, STY_INVALID, "a zero byte");
    while (next_line(&line, &size, &reading)) {
        const char *mistake = mistake_in(&reading, line, size);
        if (mistake)
            return sty_error_set(err, STY_INVALID, "line %d: %s", reading.line, mistake);
    }
    return reading.section ? 0 : sty_error_set(err, STY_INVALID, "no section");
}
