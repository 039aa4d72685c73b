/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * provider: code that can check, observe, apply and remove one kind of resource.
 *
 * A provider is one const struct, listed in src/provider/provider.c. Every operation is idempotent, takes the resource
 * as it stands in an Instance ({"id","type","spec"}, include the head comment of instance/instance.h), and may be called
 * from several threads for different resources. Nothing is remembered between calls.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include "styrmin/error.h"
#include "styrmin/world.h"

/* What an operation may use. All borrowed; functions behind pointers are thread-safe. */
struct sty_host {
    const struct sty_world *world;
    const char *state_dir; /* its real path; run files of processes live below it, no file resource may */
    const struct stat
        *state; /* what stands there: known once for all paths that must not lead to it; NULL: looked up */
    const char *const *allow; /* host.allow: roots of file resources; NULL-terminated */
    /* A blob's bytes by digest; malloc'd. */
    int (*blob)(void *self, char **bytes, size_t *length, const char *digest, struct sty_error *err);
    /* A secret's value by reference, if the configuration allows it; malloc'd, wiped by whoever frees it. */
    int (*secret)(void *self, char **bytes, size_t *length, const json_t *reference, struct sty_error *err);
    /* The driver's files of this Instance (its `driver.files` digest) in a private folder; path borrowed until the
     * process ends. */
    int (*driver_files)(void *self, const char **path, const char *files_digest, struct sty_error *err);
    void *self;
    const struct sty_launch *launch; /* how steps and managed processes start */
    const bool *cancel;              /* becomes true when the operation should end early; may be NULL */
};

/* A program to start through the launcher: in a session of its own, known by token before it runs. */
struct sty_launch_spec {
    const char *token;              /* 32 hex digits, recorded before the call */
    const char *const *argv;        /* argv[0] absolute, or looked up in PATH */
    const char *const *environment; /* NULL-terminated, complete */
    const char *directory;
    const char *user;     /* NULL: ours */
    const char *output;   /* file that takes stdout and stderr, appended; NULL: /dev/null */
    int64_t output_limit; /* the file is kept to its last so many bytes; 0: rotated at 1 MiB */
    bool leaves_daemons;  /* what left the program's session is on its own once the program ended with 0 */
};
enum sty_launch_state { STY_LAUNCH_ABSENT, STY_LAUNCH_RUNNING, STY_LAUNCH_ENDED };
struct sty_launch_status {
    enum sty_launch_state state;
    int exit_status; /* ENDED: 0..255, 128 + signal; -1: not known (power loss, killed launcher) */
    int64_t pid;
};
struct sty_launch {
    void *self;
    /* Start; returns when the program runs or could not be started (STY_FAILED). */
    int (*start)(void *self, const struct sty_launch_spec *spec, struct sty_error *err);
    int (*status)(void *self, struct sty_launch_status *out, const char *token, struct sty_error *err);
    /* Wait until it ended or `timeout_ms` passed (then status is RUNNING) or *cancel. */
    int (*wait)(void *self, struct sty_launch_status *out, const char *token, int64_t timeout_ms, const bool *cancel,
                struct sty_error *err);
    /* End its whole session: `signal`, then SIGKILL after grace_ms; returns when nothing of it is left. Absent: done. */
    int (*end)(void *self, const char *token, int signal, int64_t grace_ms, struct sty_error *err);
    /* Forget an ended one's files. */
    void (*forget)(void *self, const char *token);
};

struct sty_provider_call {
    const struct sty_host *host;
    const json_t *resource;   /* {"id","type","spec"} */
    const char *driver_files; /* digest: what "./x" in argv is relative to */
    bool running;             /* the component's wanted run state */
    const char *filled;       /* keyed digest recorded in the inventory; NULL: none */
    const char *digest_key;   /* the cluster's key for keyed digests, 64 hex digits */
};

enum sty_observed { STY_OBSERVED_SAME, STY_OBSERVED_DIFFERENT, STY_OBSERVED_MISSING, STY_OBSERVED_UNKNOWN };
struct sty_observation {
    enum sty_observed state;
    json_t *diff;      /* [{"path","op","from","to"}], from: wanted, to: found; owned by the caller; never a secret */
    char message[256]; /* why it is unknown, or a word for people; "" */
};
struct sty_applied {
    bool changed;    /* something was done */
    char filled[72]; /* keyed digest of content with secrets; "" where there is none */
};

struct sty_provider {
    const char *type;   /* "file" */
    bool has_run_state; /* can be started and stopped */
    /* Is the spec acceptable here? Touches nothing. STY_DENIED (host.allow), STY_INVALID. */
    int (*check)(const struct sty_provider_call *call, struct sty_error *err);
    /* What is really there. A failure to look is STY_OBSERVED_UNKNOWN, not -1. */
    int (*observe)(struct sty_observation *out, const struct sty_provider_call *call, struct sty_error *err);
    /* Make it so. Never starts what is stopped; a running process whose spec changed is started anew. */
    int (*apply)(struct sty_applied *out, const struct sty_provider_call *call, struct sty_error *err);
    /* Take it away; absent is done. */
    int (*remove)(const struct sty_provider_call *call, struct sty_error *err);
    /* NULL without a run state: */
    int (*start)(const struct sty_provider_call *call, struct sty_error *err);
    int (*stop)(const struct sty_provider_call *call, struct sty_error *err);
    int (*reload)(const struct sty_provider_call *call, struct sty_error *err); /* NULL: restart instead */
    /* Is it well (the provider's own state)? *healthy false with the reason in err->text otherwise. NULL: applied is well. */
    int (*health)(bool *healthy, const struct sty_provider_call *call, struct sty_error *err);
};
