/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * world: clock, sleep and HTTP as the way sees them. The program passes sty_world_real(); tests pass one of their own,
 * so that a day of back-off runs in a millisecond. Whoever needs time or the network takes a `const struct sty_world *`.
 */
#include <stdint.h>
#include <stddef.h>
#include "styrmin/error.h"

struct sty_http_request {
    const char *method;         /* NULL: GET */
    const char *url;            /* http or https */
    const char *const *headers; /* "Name: value", NULL-terminated; may be NULL */
    const void *body;
    size_t body_length;
    int64_t timeout_ms;
    size_t body_limit; /* of the answer: what is longer is cut, not an error */
};
struct sty_http_response {
    long status;
    char *body; /* terminated; malloc'd, the caller frees */
    size_t body_length;
};

struct sty_world {
    void *self;
    int64_t (*now_ms)(void *self);       /* wall clock, milliseconds since the epoch */
    int64_t (*monotonic_ms)(void *self); /* never goes back */
    void (*sleep_ms)(void *self, int64_t ms);
    /* Redirects are not followed. STY_UNREACHABLE, STY_TIMEOUT. Thread-safe. */
    int (*http)(void *self, struct sty_http_response *out, const struct sty_http_request *request,
                struct sty_error *err);
    /* Connect to host:port within timeout_ms and close again. STY_UNREACHABLE, STY_TIMEOUT. Thread-safe. */
    int (*connect)(void *self, const char *host, int port, int64_t timeout_ms, struct sty_error *err);
};

const struct sty_world *sty_world_real(void);
