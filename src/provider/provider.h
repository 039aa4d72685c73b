/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * provider: the list of providers, what they share, and health checks. What a provider is: styrmin/provider.h.
 */
#include "base/memory.h"
#include "styrmin/provider.h"

/* The provider of a resource type; NULL: none. */
const struct sty_provider *sty_provider_find(const char *type);

/*
 * Look at a component's health once: http, tcp, command, or, with health null, every resource's own state. *healthy is
 * false with the reason in err->text. -1 only for what can never work (a health command that cannot be started).
 */
struct sty_health_call {
    const struct sty_host *host;
    const json_t *health;    /* HEALTH of instance.h, or null */
    const json_t *resources; /* the component's */
    const char *driver_files;
    const char *digest_key;
};
int sty_health_look(bool *healthy, const struct sty_health_call *call, struct sty_error *err);
/* Look until it is healthy or timeout_ms passed: STY_FAILED with the last reason; STY_CANCELLED. */
int sty_health_wait(const struct sty_health_call *call, int64_t timeout_ms, struct sty_error *err);
/* A step's `http`: ask until the status is as wanted or time is up. STY_FAILED names the last answer. */
int sty_http_wait(const struct sty_host *host, const json_t *arguments, struct sty_error *err);

/* TEXT of instance.h with its secrets filled in; malloc'd. */
int sty_text_fill(char **out, const struct sty_host *host, const json_t *text, struct sty_error *err);
/*
 * The clean environment of steps, commands and processes: PATH HOME LANG STYRMIN_* and `env` (NAME: TEXT), secrets filled
 * in. NULL-terminated, in `arena`.
 */
int sty_environment_make(char ***out, struct sty_arena *arena, const struct sty_host *host, const json_t *env,
                         struct sty_error *err);
/* `env` for a program that runs as `user` (NULL: as ourselves): with that user's HOME. A new reference. */
json_t *sty_environment_of(struct sty_arena *arena, const json_t *env, const char *user);
/* An argv whose relative first word and "./" words are made absolute below the driver's files. In `arena`. */
int sty_argv_make(char ***out, struct sty_arena *arena, const struct sty_provider_call *call, const json_t *argv,
                  struct sty_error *err);
