/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * log: an entry is an event with a stable id and fields, written to stderr as one line of text or JSON.
 *
 *     sty_log(STY_LOG_WARNING, "notes.push", "notes were not pushed: %s", err.text);
 *
 * Only reconcile/ and cli/ log; stages return errors and may log at debug. Untrusted text in the message is made
 * visible, so that a line stays a line. Thread-safe.
 */
#include <stdbool.h>

enum sty_log_level { STY_LOG_ERROR, STY_LOG_WARNING, STY_LOG_INFO, STY_LOG_DEBUG };

/* Entries above `level` are dropped. Default: warnings, text. */
void sty_log_configure(enum sty_log_level level, bool json);
void sty_log(enum sty_log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
