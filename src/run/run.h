/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * run: executes one remediation over the ledger, step by step, so that a crash at any instant is survived
 * (design.md section 7). Write the intention, act, write the result.
 *
 * States, moved by sty_remediation_move() and sty_step_move() alone, each in a transaction with its event:
 *
 *   remediation:  planned -> running -> succeeded | failed | cancelled
 *                 running <-> waiting, planned | waiting -> superseded, failed | cancelled -> waiting by a person's retry
 *   step:         pending -> running -> succeeded | failed | unknown; pending -> skipped; unknown -> running | succeeded
 *
 * Calling sequence: sty_remediation_record() for each remediation of a plan (one transaction for all), then
 * sty_engine_run() which executes what is open and returns when nothing more can be done now.
 */
#include "base/json.h"
#include "ledger/ledger.h"
#include "instance/instance.h"
#include "provider/provider.h"
#include "styrmin/error.h"
#include "styrmin/provider.h"

/* What executing needs from outside. Borrowed, constant while an engine runs. */
struct sty_run_world {
    struct sty_ledger *ledger;
    const struct sty_world *world;
    const char *state_dir;    /* run/ below it holds launcher and driver files */
    const char *const *allow; /* host.allow */
    const json_t *secrets;    /* {"files":[dirs],"env":[names],"commands":[paths]} */
    const char *program;      /* our own binary: the launcher is `styrmin launch ...` */
    /*
     * Called inside the transaction that ends a remediation with success: makes the Instance active
     * (activate/activation). Behind a pointer because run may not know activation.
     */
    int (*activate)(struct sty_ledger *ledger, const json_t *remediation_row, struct sty_error *err);
    /* Called inside the transaction that ends one in any way: outbox, commit state. May be NULL. */
    int (*ended)(struct sty_ledger *ledger, const json_t *remediation_row, void *self, struct sty_error *err);
    /* A person's progress: called without locks when a remediation or step moves. May be NULL. */
    void (*progress)(void *self, const json_t *remediation_row, const json_t *step, const char *state);
    void *self;
};

/* Insert remediation and steps as planned, with its Instances' digests already stored. Inside the caller's transaction. */
struct sty_remediation_new {
    int64_t target;
    const struct sty_target *names;
    const json_t *document;                /* the remediation as sty_plan made it */
    const char *commit, *request, *parent; /* request, parent may be NULL */
};
int sty_remediation_record(char id[STY_ID_SIZE], struct sty_ledger *ledger, const struct sty_remediation_new *fresh,
                           struct sty_error *err);

/* The only mover: checks the move against the table, writes row and event. Inside the caller's transaction. */
int sty_remediation_move(struct sty_ledger *ledger, const char *id, const char *state, const char *error,
                         struct sty_error *err);
int sty_step_move(struct sty_ledger *ledger, const json_t *step_row, const char *state, const json_t *result,
                  struct sty_error *err);

/*
 * Execute one remediation from its first step that is not done to its end: the one function of the embedded engine and
 * of agents. 0: it was ended or waits, whatever its state; -1 only when the ledger cannot be written.
 */
int sty_remediation_execute(const struct sty_run_world *world, const char *id, struct sty_error *err);

/*
 * The embedded engine: a thread pool of `parallelism` that executes every planned, running (crashed) or due waiting
 * remediation, in depends_on order (deletes reversed), one per target at a time. A restore that on_failure asks for is recorded
 * and run too.
 */
int sty_engine_run(const struct sty_run_world *world, int parallelism, struct sty_error *err);
/* Only what a crash interrupted, and what answers a failure: what comes before a newer commit is walked. */
int sty_engine_resume(const struct sty_run_world *world, int parallelism, struct sty_error *err);

/* A failed or cancelled one gets one attempt more: it waits, due at once. Inside the caller's transaction. */
int sty_remediation_retry(struct sty_ledger *ledger, const char *id, struct sty_error *err);
/*
 * End one that has not begun (superseded) or waits (cancelled: as a failure with hold). Inside the caller's transaction.
 * One that is being executed looks at its row's `cancel`, and at pending requests of kind cancel, by itself.
 */
int sty_remediation_cancel(const struct sty_run_world *world, const char *id, const char *why, struct sty_error *err);

/* The launcher's own main, `styrmin launch FILE`: never returns to the caller's logic; exit status. */
int sty_launcher_main(int argc, char **argv);
/* A launcher over <state_dir>/run, for sty_host. */
struct sty_launcher;
int sty_launcher_open(struct sty_launcher **out, const char *state_dir, const char *program, struct sty_error *err);
const struct sty_launch *sty_launcher_interface(struct sty_launcher *launcher);
void sty_launcher_free(struct sty_launcher *launcher);
STY_DEFINE_AUTO_PTR(launcher)
/* A host for providers over a ledger: blobs, secrets, driver files, launcher. Also used by drift. */
struct sty_run_host;
int sty_run_host_open(struct sty_run_host **out, const struct sty_run_world *world, struct sty_error *err);
const struct sty_host *sty_run_host_get(struct sty_run_host *host);
void sty_run_host_free(struct sty_run_host *host);
STY_DEFINE_AUTO_PTR(run_host)
