/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * reconcile: the whole way in one function. START HERE: sty_reconcile() in reconcile.c.
 *
 * A walk is what is thought: commit, definitions, Instances, diff, plan. Nothing is written, spawned or connected to
 * while it is made, so `plan` makes one and throws it away. A sync writes the walk into the ledger in one transaction,
 * and only then acts. Whoever changes anything here holds the lock on the state directory.
 *
 * Calling sequence: fill sty_installation; sty_reconcile(), sty_reconcile_plan() or sty_reconcile_drift(). A person's
 * hand: sty_request_add(), then sty_reconcile() if the lock could be taken.
 */
#include <stdbool.h>
#include "base/json.h"
#include "ledger/ledger.h"
#include "run/run.h"
#include "source/source.h"
#include "styrmin/error.h"
#include "styrmin/world.h"

/* What an installation is made of. Borrowed, constant during a call. */
struct sty_installation {
    struct sty_ledger *ledger;
    struct sty_repo *repo; /* the mirror; plans may be given another repository */
    const struct sty_source_config *source;
    const json_t *clusters; /* {NAME: settings} that this installation keeps; NULL: every one */
    const struct sty_world *world;
    const char *state_dir;
    const char *const *allow; /* host.allow */
    const json_t *secrets;
    const char *program; /* our own binary */
    int parallelism;
    int64_t flap_limit; /* heals of one resource in an hour */
    bool push_notes;
    /* Progress, as in run.h; may be NULL. */
    void (*progress)(void *self, const json_t *remediation, const json_t *step, const char *state);
    void *self;
};

/* ---- sync ---- */

struct sty_sync_options {
    bool no_fetch;
    bool heal;        /* one drift pass afterwards */
    bool fresh;       /* the ledger was lost: begin a new chain of records */
    const char *plan; /* only this plan may run; NULL: whatever comes */
};
/*
 * How it stands: `failed` where something failed now or still (also quarantined, tainted), else `waits` where something
 * waits for a person.
 */
struct sty_outcome {
    json_t *document;            /* Sync, Plan or Drift of design.md section 15; owned by the caller */
    struct sty_planned *planned; /* what a Plan's document has an empty list for; NULL for others */
    bool failed, waits, changes;
};
void sty_outcome_clear(struct sty_outcome *outcome);
/*
 * One full walk: what a crash left is finished, requests are carried out, the source is fetched, the newest commit is
 * walked, what is due is run, what happened is reported. Fails where source or ledger fail (STY_REWOUND, STY_DENIED,
 * STY_UNREACHABLE, ...), where `plan` is another than the walk's (STY_BLOCKED), where nothing can be trusted (STY_CONFLICT,
 * STY_NOT_FOUND of sty_report_verify). What was running goes on and what was written is written also then.
 */
int sty_reconcile(struct sty_outcome *out, const struct sty_installation *installation,
                  const struct sty_sync_options *options, struct sty_error *err);

/* ---- plan ---- */

struct sty_plan_options {
    const struct sty_snapshot *snapshot; /* what is looked at: any commit or folder */
    bool foreign;                        /* it is of another repository than the mirror */
    const char *const *targets;          /* names or suffixes, NULL-terminated; NULL: all */
};
/* What a sync would do, as data; the ledger is only read. STY_NOT_FOUND: a name that names nothing. */
int sty_reconcile_plan(struct sty_outcome *out, const struct sty_installation *installation,
                       const struct sty_plan_options *options, struct sty_error *err);
/* The entries of a Plan's "remediations", each made when it is asked for, as all of a large plan would not fit. */
void sty_planned_free(struct sty_planned *planned); /* NULL is a no-op */
size_t sty_planned_count(const struct sty_planned *planned);
const char *sty_planned_kind(const struct sty_planned *planned, size_t i); /* "create" */
json_t *sty_planned_get(const struct sty_planned *planned, size_t i);      /* a new reference */

/* ---- drift ---- */

/*
 * Look at every resource of active Instances, or of those targets'; with `heal`, close what may be closed by
 * remediations of their own. Only looking writes nothing and needs no lock. STY_USAGE: a target that was named to be
 * healed is suspended or only observed.
 */
struct sty_drift_wish {
    const char *const *targets; /* names or suffixes, NULL-terminated; NULL: all */
    bool heal;
};
int sty_reconcile_drift(struct sty_outcome *out, const struct sty_installation *installation,
                        const struct sty_drift_wish *wish, struct sty_error *err);

/* ---- a person's hand ---- */

struct sty_request {
    const char *kind;   /* retry rollback suspend resume approve adopt cancel release */
    const char *target; /* full name, or NULL (approve, cancel) */
    const char *actor, *via, *reason;
    const json_t *arguments; /* an object; see hands_internal.h for each kind's */
};
/* Write the row; needs no lock (STY_LEDGER_HAND). `id` names it. */
int sty_request_add(char id[STY_ID_SIZE], struct sty_ledger *ledger, const struct sty_request *request,
                    struct sty_error *err);
/* The row's state and answer: a new reference. */
int sty_request_get(json_t **out, struct sty_ledger *ledger, const char *id, struct sty_error *err);
/* The one target that `name` names, as full name in `out`. STY_NOT_FOUND, STY_USAGE (more than one: all are listed). */
int sty_target_find(char **out, struct sty_ledger *ledger, const char *name, struct sty_error *err);
