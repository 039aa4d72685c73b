/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* provider_internal: what the providers share. */
#include <sys/stat.h>
#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "provider/provider.h"

extern const struct sty_provider sty_provider_directory, sty_provider_file, sty_provider_symlink, sty_provider_unit,
    sty_provider_process, sty_provider_command;

const json_t *sty_call_spec(const struct sty_provider_call *call);
/* The resource's id, for messages. */
const char *sty_call_id(const struct sty_provider_call *call);

/* ---- observation.c ---- */

/* Add a difference; steals both values, either may be NULL (not shown). The state becomes DIFFERENT. */
void sty_observation_differs(struct sty_observation *out, const char *path, json_t *wanted, json_t *found);
void sty_observation_missing(struct sty_observation *out, const char *message);
/* We could not look; always 0. */
int sty_observation_unknown(struct sty_observation *out, const struct sty_error *why);
void sty_observation_clear(struct sty_observation *observation);

/* ---- path_root.c: files below the roots of host.allow ---- */

/* Where a path's last segment stands: the folder, reached without following a symlink below the allowed root. */
struct sty_place_at {
    int directory;      /* -1: not open */
    const char *name;   /* borrowed from the path */
    bool found;         /* it was there when its folder was opened, */
    struct stat status; /* as this says, a symlink as such */
};
#define STY_PLACE_AT_INIT                                                                                              \
    {                                                                                                                  \
        .directory = -1                                                                                                \
    }
void sty_place_at_clear(struct sty_place_at *place);
/* The check by name alone; touches nothing. STY_DENIED. */
int sty_place_check(const struct sty_host *host, const char *path, struct sty_error *err);
/* Open its folder. STY_NOT_FOUND: the folder is not there. STY_DENIED: a symlink on the way, or not allowed. */
int sty_place_open(struct sty_place_at *out, const struct sty_host *host, const char *path, struct sty_error *err);
/* The same; folders that are not there are made below the root. */
int sty_place_make(struct sty_place_at *out, const struct sty_host *host, const char *path, struct sty_error *err);
/* As sty_place_open(), but without the folder: not found, and not open. */
int sty_place_look(struct sty_place_at *out, const struct sty_host *host, const char *path, struct sty_error *err);
/* Unlink it if it is of this type (S_IFMT) and make that durable; anything else and absence are left alone. */
int sty_place_remove(const struct sty_host *host, const char *path, mode_t type, struct sty_error *err);
/* Take away what a crash left beside it; sty_place_remove() does so too. */
int sty_place_tidy(const struct sty_host *host, const char *path, struct sty_error *err);
/* An errno as an error about `path`. */
int sty_place_error(struct sty_error *err, int number, const char *what, const char *path);

/* ---- attributes.c: mode, owner and group by name ---- */

int sty_attributes_read(struct sty_file_attributes *out, const json_t *spec, struct sty_error *err);
/* Differences of mode, owner, group. */
void sty_attributes_compare(struct sty_observation *out, const struct sty_file_attributes *wanted,
                            const struct stat *found);
const char *sty_file_type_name(mode_t mode);

/* ---- fill.c ---- */

/* Bytes that may hold secrets: wiped when cleared. */
struct sty_filled {
    char *bytes; /* terminated */
    size_t length;
};
#define STY_FILLED_INIT                                                                                                \
    {                                                                                                                  \
        NULL, 0                                                                                                        \
    }
void sty_filled_clear(struct sty_filled *filled);
int sty_holes_fill(struct sty_filled *out, const struct sty_host *host, const struct sty_filled *plain,
                   const json_t *holes, struct sty_error *err);
/* True if a TEXT or an env of TEXTs has a hole. */
bool sty_text_secret(const json_t *text);
bool sty_env_secret(const json_t *env);
/* Keyed digest of bytes with secrets. */
int sty_filled_digest(char out[STY_DIGEST_SIZE], const struct sty_provider_call *call, const void *bytes, size_t length,
                      struct sty_error *err);
/* The same of an environment as it is for the program. */
int sty_environment_digest(char out[STY_DIGEST_SIZE], const struct sty_provider_call *call, char *const *environment,
                           struct sty_error *err);

/* ---- program.c: a program that runs to its end ---- */

struct sty_program {
    const struct sty_provider_call *call;
    const json_t *argv;
    const char *last;    /* replaces words "{}", or stands behind the others; NULL: none */
    const json_t *env;   /* NAME: TEXT; may be NULL */
    const char *user;    /* NULL: ours */
    const char *purpose; /* "apply": one of these runs at a time per resource, a survivor is ended; NULL: any number */
    int64_t timeout_ms;
    bool secret; /* its output may hold secrets: never shown */
};
struct sty_program_result {
    int status;       /* exit status, or 128 + signal */
    char output[400]; /* the end of what it said, made visible */
};
/* Fails when it could not be started (STY_NOT_FOUND, STY_FAILED, ...), ran out of time, or STY_CANCELLED. */
int sty_program_run(struct sty_program_result *out, const struct sty_program *program, struct sty_error *err);
/* "exit status 3: words": the text for people. */
int sty_program_failed(const struct sty_program_result *result, const char *what, struct sty_error *err);
/* The end of `text` that fits, made visible, in one line, without white space at its end. */
void sty_tail_visible(char *out, size_t size, const char *text, size_t length);

/* ---- health.c ---- */

bool sty_host_cancelled(const struct sty_host *host);
/* Sleep, but not past a cancel. */
void sty_host_pause(const struct sty_host *host, int64_t ms);
