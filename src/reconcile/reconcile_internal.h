/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* reconcile_internal: a walk while it is made, and what the files of reconcile share. */
#include "definition/definition.h"
#include "instance/instance.h"
#include "plan/plan.h"
#include "reconcile/reconcile.h"

/* A target of a walk, beside its facts for the plan (same index). */
struct sty_subject {
    int64_t id;               /* its row; 0: it has none */
    const json_t *row;        /* of `targets`, with "active", "active_commit"; NULL: none */
    json_t *open;             /* rows of remediations that have not ended */
    bool renamed;             /* its row stands under another name until the walk is written */
    bool unpinned;            /* its pin ends with this commit */
    bool read;                /* its documents were looked at: inputs and git are as of this commit */
    bool rewritten;           /* git wants what it wanted, in another format */
    bool moved;               /* what is wanted is another than when the open ones were planned */
    struct sty_instance *git; /* what git wants, if it could be resolved; owned by the walk */
    struct sty_input inputs[4];
    size_t input_count;
    json_t *policy; /* for its row */
};

struct sty_walk_options {
    const struct sty_snapshot *snapshot; /* NULL: no git, only what the ledger knows (heals) */
    bool foreign;                        /* of another repository than the mirror: nothing known of it applies */
    bool want_diff;
    /* [{"target":id,"wish","drifted":[..],"requested","allow_downgrade","own","pinned","pin_request"}]; NULL:
     * none. own: what stands against it answers whoever asked, and is no finding of the commit; pinned: a rollback, and
     * what its pin replaces. */
    const json_t *wishes;
};
struct sty_walk {
    const struct sty_installation *installation;
    struct sty_ledger *ledger;
    const struct sty_walk_options *options;
    struct sty_arena *arena;
    struct sty_snapshot snapshot;
    struct sty_problems problems;
    struct sty_catalog *catalog; /* NULL: without git */
    struct sty_blobs blobs;
    struct sty_resolver *resolver;
    json_t *source;              /* the row of `sources`; NULL: none yet */
    const char *setting;         /* what it depends on beside the commit */
    bool all;                    /* everything is resolved again */
    bool whole;                  /* the catalog read the whole tree: the store begins anew */
    const char *unreadable;      /* a file that cannot be read: deletes wait; NULL: none */
    struct sty_map changed;      /* "env/deployment" whose inputs changed */
    struct sty_map renamed;      /* id of a row -> its new deployment name; "": another takes its place */
    struct sty_map driver_files; /* "name/version" -> digest it was activated with, "" where never */
    struct sty_plan_target *facts;
    struct sty_subject *subjects;
    size_t count, capacity;
    struct sty_plan_environment *environments;
    size_t environment_count;
    struct sty_commit *commits; /* from after the last walked one to this, oldest first */
    size_t commit_count;
    bool no_owners, no_approvals; /* the tables are empty: nothing is looked up */
    bool whole_approved;          /* someone approved all of it */
    struct sty_plan *plan;
};

/* ---- walk.c ---- */
int sty_walk_make(struct sty_walk **out, const struct sty_installation *installation,
                  const struct sty_walk_options *options, struct sty_error *err);
void sty_walk_free(struct sty_walk *walk);
STY_DEFINE_AUTO_PTR(walk)
/* What a walk depends on beside the commit: when it changes, everything is looked at again. */
char *sty_setting_text(const struct sty_installation *installation); /* malloc'd */
/* What stands beside these facts of the walk. */
struct sty_subject *sty_walk_subject(const struct sty_walk *walk, const struct sty_plan_target *facts);
/* json in the walk's arena. */
json_t *sty_walk_own(struct sty_walk *walk, json_t *value);

/* ---- store.c: the documents of the last walk ---- */
void sty_store_init(struct sty_document_store *out, struct sty_ledger *ledger);

/* ---- select.c: which deployments a walk considers ---- */
/* Keys "environment/name" into `keys`. */
int sty_walk_select(struct sty_map *keys, struct sty_walk *walk, struct sty_error *err);

/* ---- targets.c: what a deployment's key means on which cluster ---- */
int sty_walk_consider(struct sty_walk *walk, const char *key, struct sty_error *err);
int sty_walk_renames(struct sty_walk *walk, const struct sty_map *keys, struct sty_error *err);

/* ---- misplaced.c ---- */
/* Where a Deployment of this name stands in an Environment without a document, in words; NULL: nowhere. */
int sty_walk_misplaced(const char **out, struct sty_walk *walk, const char *name, struct sty_error *err);

/* ---- facts.c: what the ledger knows of a target ---- */
/* A new subject with its facts; row may be NULL. The index in *at. */
int sty_walk_add(size_t *at, struct sty_walk *walk, const struct sty_target *names, const json_t *row,
                 struct sty_error *err);
int sty_walk_instance(struct sty_instance **out, struct sty_walk *walk, const char *digest, struct sty_error *err);
/* The wish of the walk's options for this target; NULL: none. */
const json_t *sty_walk_wish(const struct sty_walk *walk, int64_t target);

/* ---- rules.c: environments: budgets, modes, trailers ---- */
struct sty_allowance {
    int64_t deletes, changes; /* -1: nothing said */
};
/* Add what a commit's message allows; of several the largest counts. */
void sty_allowance_read(struct sty_allowance *allowance, const char *message);
int sty_walk_rules(struct sty_walk *walk, struct sty_error *err);

/* ---- lookup.c ---- */
int sty_walk_lookup(struct sty_plan_lookup *out, struct sty_walk *walk, struct sty_error *err);

/* ---- write.c: the walk becomes the ledger's ---- */
/* In one transaction: documents, targets, Instances, remediations, the commit, and what can be reported at once. */
int sty_walk_write(struct sty_walk *walk, struct sty_error *err);

/* ---- write_commits.c: a part of it ---- */
int sty_walk_write_commits(struct sty_walk *walk, struct sty_error *err);
int sty_walk_write_findings(struct sty_walk *walk, struct sty_error *err);

/* ---- commit.c: how a commit stands ---- */
/* Where nothing of it is open, or `pause`, and it is not as it was last reported: report it. Inside a transaction. */
int sty_commit_settle(struct sty_ledger *ledger, const char *oid, bool pause, struct sty_error *err);
/* Blocks that a walk of the commit found, in place of those of an earlier one; of what has "own" the earlier one stays.
 * Inside the transaction of the walk, after its remediations. */
int sty_commit_findings(struct sty_ledger *ledger, const char *oid, const json_t *blocked, const char *plan,
                        struct sty_error *err);
/* run's `ended`. */
int sty_commit_ended(struct sty_ledger *ledger, const json_t *remediation, void *self, struct sty_error *err);

/* ---- requests.c ---- */
/* Carry out what people asked for; wishes for the walk are appended to `wishes`. */
int sty_requests_take(json_t *wishes, const struct sty_installation *installation, struct sty_error *err);
/* After the run: answers to requests that a walk had to carry out. */
int sty_requests_answer(const json_t *wishes, const struct sty_installation *installation, struct sty_error *err);

/* ---- reconcile.c ---- */
void sty_run_world_init(struct sty_run_world *out, const struct sty_installation *installation);

/* ---- outcome.c ---- */
/* Does what is blocked for this reason wait for a person? */
bool sty_reason_waits(const char *reason);
struct sty_before { /* where the ledger stood when the sync began */
    int64_t event, started;
};
int sty_outcome_sync(struct sty_outcome *out, const struct sty_installation *installation,
                     const struct sty_before *before, const struct sty_walk *walk, struct sty_error *err);

/* Is this cluster ours? */
bool sty_installation_keeps(const struct sty_installation *installation, const char *cluster);
/* Run `write` in a transaction of its own. */
typedef int sty_writer(void *self, struct sty_ledger *ledger, struct sty_error *err);
int sty_in_transaction(struct sty_ledger *ledger, sty_writer *write, void *self, struct sty_error *err);
