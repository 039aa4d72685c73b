/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log: one line per entry, written with one write(), so that lines of threads and processes sharing stderr do not mix.
 */
#include "base/log.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/str.h"
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_LIMIT 4096

static atomic_int threshold = STY_LOG_WARNING;
static atomic_bool as_json;
static pthread_mutex_t writing = PTHREAD_MUTEX_INITIALIZER;

void sty_log_configure(enum sty_log_level level, bool json)
{
    atomic_store(&threshold, (int)level);
    atomic_store(&as_json, json);
}

static const char *level_name(enum sty_log_level level)
{
    switch (level) {
    case STY_LOG_ERROR:
        return "error";
    case STY_LOG_WARNING:
        return "warning";
    case STY_LOG_INFO:
        return "info";
    case STY_LOG_DEBUG:
        return "debug";
    }
    return "unknown";
}

static void render_text(struct sty_str *line, enum sty_log_level level, const char *event, const char *message)
{
    sty_str_appendf(line, "styrmin: %s: ", level_name(level));
    sty_str_append(line, message);
    sty_str_appendf(line, " [%s]\n", event);
}

static void render_json(struct sty_str *line, enum sty_log_level level, const char *event, const char *message)
{
    char when[32];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    sty_time_text(when, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
    json_auto_t *entry = json_object();
    json_object_set_new(entry, "time", sty_json_string(when));
    json_object_set_new(entry, "level", sty_json_string(level_name(level)));
    json_object_set_new(entry, "event", sty_json_string(event));
    json_object_set_new(entry, "message", sty_json_string(message));
    sty_auto_free char *text = sty_json_canonical_text(entry);
    sty_str_append(line, text);
    sty_str_append_char(line, '\n');
}

static void put(const struct sty_str *line)
{
    const char *at = line->data;
    size_t left = line->length;
    pthread_mutex_lock(&writing);
    while (left) {
        ssize_t done = write(STDERR_FILENO, at, left);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            break;
        at += done;
        left -= (size_t)done;
    }
    pthread_mutex_unlock(&writing);
}

void sty_log(enum sty_log_level level, const char *event, const char *format, ...)
{
    char message[MESSAGE_LIMIT];
    int kept = errno;
    if ((int)level > atomic_load(&threshold))
        return;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    sty_auto(str) visible = STY_STR_INIT;
    sty_auto(str) line = STY_STR_INIT;
    if (length > 0)
        sty_str_append_visible(&visible, message, strlen(message), false);
    if (length >= (int)sizeof(message))
        sty_str_append(&visible, "...");
    (atomic_load(&as_json) ? render_json : render_text)(&line, level, event, visible.data);
    put(&line);
    errno = kept;
}
