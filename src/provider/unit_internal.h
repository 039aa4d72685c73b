/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * unit_internal: systemd, as the unit provider needs it. Each operation opens a connection of its own to the system bus
 * and closes it: nothing is remembered between calls, and threads share nothing.
 */
#include <systemd/sd-bus.h>
#include "provider/provider_internal.h"

/* ---- unit_name.c ---- */

/* What systemd takes for a unit's name, of a kind that has a file. */
bool sty_unit_name_valid(const char *name);
/* "x@.service": only its instances run. */
bool sty_unit_is_template(const char *name);
bool sty_drop_in_name_valid(const char *name);
/* Sections, assignments, comments and nothing else; STY_INVALID names the line, never its text. */
int sty_unit_text_check(const char *text, size_t length, struct sty_error *err);

/* ---- unit_files.c: what is ours in /etc/systemd/system ---- */

/* What the spec says about the files; *out is DIFFERENT, MISSING (the first that is not there), or as it was. */
int sty_unit_files_look(struct sty_observation *out, const struct sty_provider_call *call, struct sty_error *err);
/* Make them so, and take away those that an earlier spec had. `filled`: see struct sty_applied. */
int sty_unit_files_apply(struct sty_applied *out, const struct sty_provider_call *call, struct sty_error *err);
int sty_unit_files_remove(const struct sty_provider_call *call, struct sty_error *err);
/* Names and texts are acceptable. */
int sty_unit_files_check(const struct sty_provider_call *call, struct sty_error *err);

/* ---- systemd.c ---- */

struct sty_systemd {
    sd_bus *bus;
    const struct sty_host *host;
};
#define STY_SYSTEMD_INIT                                                                                               \
    {                                                                                                                  \
        NULL, NULL                                                                                                     \
    }
/* STY_UNREACHABLE where there is no system bus, or nobody answers. */
int sty_systemd_open(struct sty_systemd *out, const struct sty_host *host, struct sty_error *err);
void sty_systemd_clear(struct sty_systemd *systemd);
/* STY_UNREACHABLE, STY_NOT_FOUND (no such unit), STY_DENIED or STY_FAILED. */
int sty_systemd_error(struct sty_error *err, const sd_bus_error *error, int number, const char *what);
/* Call the manager; the reply may be NULL. */
int sty_systemd_call(struct sty_systemd *systemd, sd_bus_message **reply, struct sty_error *err, const char *member,
                     const char *types, ...);

struct sty_unit_state {
    char load[32];             /* "loaded", "not-found", "masked", "bad-setting", ... */
    char active[32];           /* "active", "inactive", "failed", "activating", ... */
    char sub[32];              /* "running", "dead", "auto-restart", ... */
    char type[32], result[32]; /* of a service: "oneshot"; "success", "exit-code" */
    char problem[256];         /* why it is not loaded; "" */
    int exit_status;
    bool stale; /* it is other on disk than in systemd's memory */
};
int sty_unit_state_read(struct sty_unit_state *out, struct sty_systemd *systemd, const char *name,
                        struct sty_error *err);
/* "enabled", "disabled", "static", ...; "" for what is not there. */
int sty_unit_file_state(char out[32], struct sty_systemd *systemd, const char *name, struct sty_error *err);
int sty_systemd_reload(struct sty_systemd *systemd, struct sty_error *err);
int sty_systemd_enable(struct sty_systemd *systemd, const char *name, bool enabled, struct sty_error *err);

/* ---- systemd_job.c ---- */

/* Ask for a job ("StartUnit") and wait until it is done. STY_TIMEOUT, STY_CANCELLED, STY_FAILED; what is not loaded and is
 * to be stopped is done. */
int sty_systemd_job(struct sty_systemd *systemd, const char *member, const char *name, int64_t timeout_ms,
                    struct sty_error *err);
/* Append the last that the unit said since `since_ms` (of the world's clock) to err, where it can be read. */
void sty_unit_last_words(struct sty_error *err, const char *name, int64_t since_ms);
