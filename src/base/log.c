/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line per event on stderr, as text or JSON, harmless whatever the message holds.
 */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum sty_log_level threshold = STY_LOG_WARNING;
static bool as_json;

void sty_log_configure(enum sty_log_level level, bool json)
{
    pthread_mutex_lock(&lock);
    threshold = level;
    as_json = json;
    pthread_mutex_unlock(&lock);
}

static void put_line(enum sty_log_level level, const char *event, const char *message, bool json)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    sty_auto(str) line = STY_STR_INIT;
    if (json) {
        struct timespec now;
        char at[32];
        clock_gettime(CLOCK_REALTIME, &now);
        sty_time_text(at, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
        json_auto_t *entry = json_pack("{s:s, s:s, s:s, s:o}", "time", at, "level", names[level], "event", event,
                                       "message", sty_json_string(message));
        sty_auto_free char *text = sty_json_canonical_text(entry);
        sty_str_append(&line, text);
    } else {
        sty_str_appendf(&line, "%s: ", names[level]);
        sty_str_append_visible(&line, message, strlen(message), false);
    }
    sty_str_append_char(&line, '\n');
    fwrite(line.data, 1, line.length, stderr);
}

void sty_log(enum sty_log_level level, const char *event, const char *format, ...)
{
    pthread_mutex_lock(&lock);
    bool wanted = level <= threshold, json = as_json;
    pthread_mutex_unlock(&lock);
    if (!wanted)
        return;
    sty_auto_free char *message = NULL;
    va_list arguments;
    va_start(arguments, format);
    int n = vasprintf(&message, format, arguments);
    va_end(arguments);
    if (n >= 0)
        put_line(level, event, message, json);
}
