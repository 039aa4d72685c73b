/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * error: how every function of Styrmin fails.
 *
 * A function that can fail returns 0 or -1 and takes `struct sty_error *err` last. On -1 it has filled err and left
 * its out-parameters untouched; on 0 err is not looked at. The struct lives on the caller's stack: setting it needs no
 * memory and cannot fail. err is never NULL.
 *
 * Each layer that knows more wraps: sty_error_wrap(err, "deployment '%s'", name) turns "inner" into "outer: inner".
 * A text says where and what to do, and never holds a secret. Log or return, never both: only reconcile/ and cli/ log.
 *
 *     if (sty_file_read(&text, path, limit, err) < 0)
 *         return sty_error_wrap(err, "configuration");
 *     if (n > limit)
 *         return sty_error_set(err, STY_LIMIT, "%zu entries, at most %zu", n, limit);
 */

/* The codes decide what happens next (retry, wait, block, exit code), the text is for people. */
#define STY_CODES(X)                                                                                                   \
    X(STY_OK, "ok")                                                                                                    \
    X(STY_INVALID, "invalid") /* a document, a template, a request is wrong; trying again will not help */             \
    X(STY_USAGE, "usage")     /* command line or configuration */                                                      \
    X(STY_NOT_FOUND, "not found")                                                                                      \
    X(STY_EXISTS, "exists")                                                                                            \
    X(STY_DENIED, "denied")     /* not allowed: host.allow, secrets, credentials, permissions */                       \
    X(STY_CONFLICT, "conflict") /* somebody else changed it first, or it is not ours */                                \
    X(STY_BLOCKED, "blocked")   /* waits for a person */                                                               \
    X(STY_LIMIT, "limit")       /* too big, too deep, too many */                                                      \
    X(STY_TIMEOUT, "timeout")                                                                                          \
    X(STY_UNREACHABLE, "unreachable") /* the other side is away; later it may be there: wait, do not fail */           \
    X(STY_FAILED, "failed")           /* it was tried and did not work */                                              \
    X(STY_CANCELLED, "cancelled")                                                                                      \
    X(STY_BUSY, "busy")         /* another process holds the state directory */                                        \
    X(STY_REWOUND, "rewound")   /* the branch was rewritten */                                                         \
    X(STY_CORRUPT, "corrupt")   /* our own files are not what we wrote */                                              \
    X(STY_IO, "io")             /* disk, descriptors, permissions of our own files */                                  \
    X(STY_INTERNAL, "internal") /* a mistake in Styrmin */

enum sty_code {
#define STY_CODE_ENUM(code, name) code,
    STY_CODES(STY_CODE_ENUM)
#undef STY_CODE_ENUM
};

struct sty_error {
    enum sty_code code;
    char text[512]; /* always terminated; longer texts end in "..." */
};

/* Fill err; always returns -1, so that it can stand behind `return`. */
int sty_error_set(struct sty_error *err, enum sty_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As sty_error_set() with ": " and the text of errno `number` behind; ENOSPC and friends stay recognisable by text. */
int sty_error_errno(struct sty_error *err, enum sty_code code, int number, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Put "context: " before the text; the code stays. Always returns -1. */
int sty_error_wrap(struct sty_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "not found" for STY_NOT_FOUND: a static string. */
const char *sty_code_name(enum sty_code code);
