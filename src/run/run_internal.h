/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * run_internal: what the files of run share. An execution is one remediation while it is executed, a step one of its
 * steps while it acts.
 */
#include "instance/instance.h"
#include "run/run.h"

/* ---- states.c ---- */

struct sty_state {
    const char *name;
    bool ended;          /* nothing goes on by itself from here */
    const char *next[5]; /* NULL-terminated */
};
extern const struct sty_state sty_remediation_states[], sty_step_states[]; /* end with a NULL name */
bool sty_state_allows(const struct sty_state *table, const char *from, const char *to);
bool sty_state_ended(const struct sty_state *table, const char *name);

/* ---- record.c ---- */

/* Move to waiting until `due` (0: until a person says). Inside the caller's transaction, as all of these. */
int sty_remediation_wait(struct sty_ledger *ledger, const char *id, int64_t due, const char *reason,
                         struct sty_error *err);
/* Rows of steps for one attempt, all pending. */
int sty_steps_record(struct sty_ledger *ledger, const char *id, int64_t attempt, const json_t *steps,
                     struct sty_error *err);
/* The token under which the step's program is about to start. */
int sty_step_token(struct sty_ledger *ledger, const json_t *step_row, const char *token, struct sty_error *err);
int sty_remediation_row(json_t **out, struct sty_ledger *ledger, const char *id, struct sty_error *err);

/* ---- execute.c ---- */

struct sty_execution {
    const struct sty_run_world *world;
    struct sty_ledger *ledger;
    struct sty_host host;    /* a copy with our cancel */
    const bool *cancel;      /* of the engine; may be NULL */
    struct sty_arena *arena; /* dies with the execution */
    const char *id;
    json_t *row; /* as it was when the execution began */
    json_t *document;
    int64_t target;
    const char *name;                     /* the target's full name */
    const struct sty_instance *from, *to; /* NULL: none */
    struct sty_map instances;             /* digest -> Instance, each parsed once */
    char digest_key[STY_DIGEST_KEY_SIZE];
};
/* Execute with a host of the caller's and a cancel of the caller's. */
int sty_execute(const struct sty_run_world *world, const struct sty_host *host, const char *id, const bool *cancel,
                struct sty_error *err);
bool sty_execution_cancelled(struct sty_execution *execution);
/* Does a person want it cancelled? By its row, or by a request that nobody has taken yet. */
#define STY_CANCEL_WISH                                                                                                \
    "SELECT cancel OR EXISTS (SELECT 1 FROM requests q WHERE q.state = 'pending' AND q.kind = 'cancel' AND"            \
    " substr(remediations.id, 1, length(json_extract(q.arguments, '$.id'))) = json_extract(q.arguments, '$.id'))"      \
    " FROM remediations WHERE id = ?"
/* By digest, from the ledger; borrowed. */
int sty_execution_instance(const struct sty_instance **out, struct sty_execution *execution, const char *digest,
                           struct sty_error *err);
/* A person's progress; `step` may be NULL. */
void sty_execution_tell(struct sty_execution *execution, const json_t *step, const char *state);

/* ---- begin.c: before the first act ---- */

/*
 * Refuse what cannot work or is not ours, then write inventory, taint and the move to running in one transaction.
 * *go is false where it was refused (superseded, blocked) or has to wait.
 */
int sty_execution_begin(bool *go, struct sty_execution *execution, struct sty_error *err);

/* ---- step.c: the table ---- */

/* What the program of an earlier life of a step says about it. */
enum sty_survivor {
    STY_SURVIVOR_DOUBT,  /* nobody knows what it did: it had not ended, or not by itself */
    STY_SURVIVOR_DONE,   /* it had ended with 0 */
    STY_SURVIVOR_FAILED, /* it had ended with something else */
    STY_SURVIVOR_ABSENT, /* it never began */
};

struct sty_step {
    struct sty_execution *execution;
    const json_t *document; /* {"seq","type","component","instance","args",...} */
    const json_t *row;      /* of `steps` */
    const json_t *args;
    const char *type, *component;
    const struct sty_instance *instance; /* whose step it is; NULL: the inventory's */
    int64_t exit_status;                 /* of its program; -1: there is none */
    bool doubtful;                       /* its program ended in a way that does not tell what it did */
    struct sty_str output;
    json_t *filled;          /* keyed digests by resource id */
    char token[STY_ID_SIZE]; /* of its last program; the launcher knows of it until the result is recorded */
    enum sty_survivor survivor;
};
struct sty_step_kind {
    const char *type;
    /* Before the remediation's first act, touching nothing; may be NULL. */
    int (*check)(struct sty_step *step, struct sty_error *err);
    /* Before the step acts: *done where that is known to have happened. STY_BLOCKED: nobody knows. May be NULL. */
    int (*ask)(bool *done, struct sty_step *step, struct sty_error *err);
    /* In the transaction that records the step as running; may be NULL. */
    int (*begin)(struct sty_step *step, struct sty_error *err);
    /* STY_UNREACHABLE: wait and run it again; STY_BLOCKED: a person decides; STY_CANCELLED; else it failed. */
    int (*act)(struct sty_step *step, struct sty_error *err);
    /* In the transaction that records its success; may be NULL. */
    int (*settle)(struct sty_step *step, struct sty_error *err);
    /* In the transaction that records its failure; may be NULL. */
    int (*spoil)(struct sty_step *step, struct sty_error *err);
};
const struct sty_step_kind *sty_step_kind_find(const char *type);
int sty_step_init(struct sty_step *step, struct sty_execution *execution, const json_t *document, const json_t *row,
                  struct sty_error *err);
void sty_step_clear(struct sty_step *step);

/* One resource that a step works on. */
struct sty_step_resource {
    const json_t *resource;
    const char *driver_files, *instance; /* digests */
    const char *filled;                  /* or NULL */
};
struct sty_step_resources {
    struct sty_step_resource *items; /* in the execution's arena, in the order of the Instance */
    size_t count;
};
/* The component's resources, as its Instance holds them, or else as the inventory does. */
int sty_step_resources(struct sty_step_resources *out, struct sty_step *step, struct sty_error *err);
/* What the inventory has of the component, in reverse order, without what the wanted Instance holds. */
int sty_step_leftovers(struct sty_step_resources *out, struct sty_step *step, struct sty_error *err);
/* What a provider is called with. */
int sty_step_call(struct sty_provider_call *out, struct sty_step *step, const struct sty_step_resource *resource,
                  struct sty_error *err);
/* Is the component to run? From `run_states`; without a row: the wanted Instance's lifecycle. */
int sty_run_state_get(bool *running, struct sty_execution *execution, const char *component, struct sty_error *err);

/* The kinds, in step_*.c. */
extern const struct sty_step_kind sty_step_apply, sty_step_remove, sty_step_start, sty_step_stop, sty_step_restart,
    sty_step_reload, sty_step_run, sty_step_http, sty_step_wait;

/* ---- once.c: steps that must not happen twice ---- */

bool sty_once_wanted(const struct sty_step *step);
/* What its mark and, where that is open, its `verify` say. STY_BLOCKED: only a person knows. */
int sty_once_ask(bool *done, struct sty_step *step, struct sty_error *err);
int sty_once_begin(struct sty_step *step, struct sty_error *err); /* inside a transaction, as the next two */
int sty_once_done(struct sty_step *step, struct sty_error *err);
int sty_once_clear(struct sty_step *step, struct sty_error *err);
/* What the survivor of an earlier life says, as far as that is known. */
int sty_once_survived(struct sty_step *step, struct sty_error *err);
/* The act ended in doubt with `err`: 0 if `verify` says that it is done, else -1; `err` becomes STY_BLOCKED where nobody
 * can say. */
int sty_once_doubt(struct sty_step *step, struct sty_error *err);

/* ---- step_run.c, workspace.c: programs ---- */

/* Run argv as the step's program would be: same folder, environment and user, its end waited for. */
int sty_step_program(struct sty_step *step, const json_t *argv, int64_t timeout_ms, struct sty_error *err);
/* End what an earlier life of this step started, and take its folders away. */
int sty_step_end_survivor(struct sty_step *step, struct sty_error *err);
/* Its result is recorded: the launcher need not know of its program any more. */
void sty_step_forget(struct sty_step *step);
/* The same for a step of an earlier life, where a crash came between the two. */
void sty_step_forget_done(struct sty_execution *execution, const json_t *row);

/* Where a program runs: its driver's files, its context, its secrets; all of it is gone when the program is. */
struct sty_workspace {
    char *base;      /* folder of the rest */
    char *directory; /* the driver's files: where it begins */
    char *context;   /* the file behind STYRMIN_CONTEXT */
    char *secrets;   /* folder of secret files; NULL: none wanted */
    char *output;    /* what it says */
    char **environment;
    json_t *hidden; /* values that must not be kept of what it says */
};
int sty_workspace_make(struct sty_workspace *out, struct sty_step *step, const char *token, struct sty_error *err);
/* Folders and files that `token` may have, whether or not they are there. */
void sty_workspace_remove(const struct sty_run_world *world, const char *token);
void sty_workspace_clear(struct sty_workspace *workspace);
/* What the program said, as text that may be kept: valid UTF-8, its last 64 KiB, without the values of secrets. */
void sty_workspace_said(struct sty_str *out, const struct sty_workspace *workspace);

/* ---- failure.c ---- */

/* What a failure of this kind of remediation means; the table is failure.c's. */
struct sty_verdict {
    bool again; /* waits for a new attempt, after delay_ms */
    int64_t delay_ms;
    bool quarantine;
    bool restore;
};
struct sty_failure {
    const char *kind;
    const json_t *on_failure; /* of the wanted Instance, or NULL */
    int64_t attempt;
    bool answers; /* a restore that answers a failure */
    bool active;  /* there is something to restore */
};
struct sty_verdict sty_failure_judge(const struct sty_failure *failure);
/* Record a failed step's remediation as the verdict says. Inside the caller's transaction. */
int sty_execution_fail(struct sty_execution *execution, const struct sty_error *why, struct sty_error *err);
int sty_execution_cancel(struct sty_execution *execution, const struct sty_error *why, struct sty_error *err);
/* How long to wait for what could not be reached since `since`. */
int64_t sty_unreachable_delay(int64_t now, int64_t since);
/* world.ended with the row as it is now. */
int sty_execution_ended(struct sty_execution *execution, struct sty_error *err);

/* ---- restore.c ---- */

/* Record the restore that answers this execution's failure; nothing where no Instance is active. Inside the caller's
 * transaction. */
int sty_restore_record(struct sty_execution *execution, struct sty_error *err);

/* ---- secrets.c, driver_files.c ---- */

int sty_secret_allowed(const json_t *allowed, const json_t *reference, struct sty_error *err);
int sty_secret_read(char **bytes, size_t *length, const json_t *allowed, const json_t *reference,
                    struct sty_error *err);
/* Write the driver's files into the new folder `path`. */
int sty_driver_files_write(const char *path, struct sty_ledger *ledger, const char *digest, struct sty_error *err);
