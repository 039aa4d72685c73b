/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * plan: what is to be done about every target of a walk, as data, before anything is touched (design.md section 6).
 *
 * A pure function: the facts come in as structs and a few lookups, the plan comes out, and the same facts give the same
 * bytes on any machine. A target gets a remediation, or a block that says why not and what to do, or nothing.
 *
 * Calling sequence: fill sty_plan_input, sty_plan_make(), read the struct, sty_plan_remediation_json() for what run
 * records, sty_plan_document() for what people see, sty_plan_free().
 *
 * A remediation's document:
 *   {"digest","target","deployment","environment","cluster","kind","from","to","reason","after":[targets],
 *    "resources":[{"id","component","action":"create|update|delete|release"}],
 *    "removals":[{"id","component","instance"}], "steps":[STEP], "diff":[..] where it was asked for}
 * The digest covers exactly {target, kind, from, to, removals, steps}; the plan's digest covers the array of these
 * digests ordered by target. from, to: Instance digests or null. restore and heal go from the active Instance to itself;
 * a delete without an active one goes from the one last tried.
 *
 * STEP: {"seq":1.., "hook":"update", "mode":"pre|core|post", "action":"builtin" or the driver's name for it,
 *   "type", "component":NAME|null, "instance":"from"|"to"|"inventory", "args":{..}}: one component each, so that a step's
 * number is final. `instance` says whose component it acts on; for run and http: whose action it is.
 *   apply   {"resources":[ids]}                         remove  {"resources":[ids]}, specs from the inventory's rows
 *   stop    {}, or with instance "inventory" {"resources":[ids]}: just these        start, restart, reload {}
 *   wait    {"timeout_ms"} for the component's health, or {"duration_ms"} with component null
 *   run, http  as in instance.h; run with once has "once_digest" beside: SHA-256 of the step and its driver's files
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/json.h"
#include "base/memory.h"
#include "diff/diff.h"
#include "instance/instance.h"
#include "styrmin/error.h"

/* ---- what is known ---- */

struct sty_plan_row { /* of the inventory */
    const char *id, *component;
    const char *instance; /* digest of the Instance it was last applied from */
};
struct sty_plan_run_state {
    const char *component;
    bool running;
};
/* Why nothing is done. Reasons: quarantined suspended pinned observed waiting guard review claim mistake dependency. */
struct sty_plan_block {
    const char *reason; /* NULL: no block */
    const char *message;
    const char *remedy; /* what to do, ready to paste; may be NULL */
};
/* What a person or the drift loop asks for instead of what the table says. */
enum sty_plan_wish {
    STY_PLAN_TABLE,
    STY_PLAN_HEAL,   /* where the table has nothing to do, or it is blocked: re-apply `drifted` */
    STY_PLAN_ADOPT,  /* make the desired Instance active, touching nothing */
    STY_PLAN_RELEASE /* forget, touching nothing: by hand, or as the cluster is not ours any more */
};

struct sty_plan_target {
    struct sty_target names;
    const char *place; /* where its resource ids are claims: "host", or the cluster's name */
    /* Any may be NULL: none. Read and folded here (sty_instance_fold), never changed. */
    struct sty_instance *active, *tried;
    struct sty_instance *desired; /* git's, or the pinned one */
    const json_t *origins;        /* of desired; may be NULL */
    bool wanted;                  /* a document wants it; desired may be NULL all the same: see `found` */
    bool tainted;
    const struct sty_plan_row *inventory;
    size_t inventory_count;
    const struct sty_plan_run_state *run_states;
    size_t run_state_count;
    bool retain, allow_downgrade;
    const json_t *depends_on;      /* names in the same environment and cluster; of a removed target: as last read */
    const char *suspended;         /* why, by whom; NULL: not suspended */
    bool suspended_in_git;         /* by its document, which no `resume` undoes */
    const char *pinned;            /* "pinned to 3fa9c1 by anna: ..."; NULL: no pin */
    const char *git_wants;         /* with a pin: the digest git would have; may be NULL */
    const char *quarantined;       /* digest that failed; may be NULL */
    const char *unfinished;        /* what runs or waits for this target and stays; NULL: nothing */
    const char *unfinished_remedy; /* where that waits for a person; else NULL */
    bool driver_changed;           /* the driver's files differ from those this version was activated with */
    struct sty_plan_block found;   /* found before planning: mistakes, guards of resolving, deletes that wait */
    enum sty_plan_wish wish;
    bool requested;             /* a person's retry or rollback: no review, no budget */
    const char *const *drifted; /* STY_PLAN_HEAL: resource ids, NULL-terminated */
};

struct sty_plan_environment {
    const char *name;
    struct sty_budget budget;
    int64_t active; /* its active targets, in the walk or not; only looked at where the budget is of percents */
    int64_t allow_deletes, allow_changes; /* by trailers; -1: none */
    bool review_required, observe;
};

/* A target that is not in the walk, which means it is settled. */
struct sty_plan_other {
    bool known, active, tainted, unfinished;
    const json_t *depends_on; /* may be NULL */
};
/* Who has a resource. `holds`: the owner's active Instance still has it in it; otherwise it may be taken over. */
struct sty_plan_owner {
    const char *target; /* NULL: nobody */
    bool holds;
};
enum sty_plan_approval {
    STY_PLAN_UNAPPROVED,
    STY_PLAN_GRANTED, /* its budget, by the trailer of an earlier commit; it had to wait for something else */
    STY_PLAN_APPROVED /* by somebody */
};
/* What has to be looked up. Texts are borrowed until the next call of the same function. Targets by full name. */
struct sty_plan_lookup {
    void *self;
    int (*owner)(void *self, struct sty_plan_owner *out, const char *place, const char *id, struct sty_error *err);
    int (*other)(void *self, struct sty_plan_other *out, const char *target, struct sty_error *err);
    /* Who depends on it, NULL-terminated; those in the walk are judged by their facts instead. */
    int (*dependents)(void *self, const char *const **out, const char *target, struct sty_error *err);
    /* What lets this remediation pass? Was it shown on a pull request? */
    int (*approved)(void *self, enum sty_plan_approval *out, const char *digest, struct sty_error *err);
    int (*shown)(void *self, bool *out, const char *digest, struct sty_error *err);
};

struct sty_plan_input {
    const struct sty_plan_target *targets; /* in any order, each once; borrowed while the plan lives */
    size_t target_count;
    const struct sty_plan_environment *environments;
    size_t environment_count;
    const struct sty_plan_lookup *lookup;
    bool want_diff; /* keep the entries of each diff for people */
};

/* ---- what is to be done ---- */

struct sty_plan_remediation {
    const struct sty_plan_target *target;
    const char *name; /* full */
    enum sty_remedy kind;
    char digest[STY_DIGEST_SIZE];
    const char *from, *to; /* digests; NULL: none */
    const char *reason;
    const char *const *after; /* targets whose remediations of this plan have to succeed first; NULL-terminated */
    bool shown;               /* on a pull request, or approved; only asked where review could matter */
    char *text;               /* the document but for "after": canonical JSON; freed with the plan */
};
struct sty_plan_blocked {
    const struct sty_plan_target *target;
    const char *name;
    enum sty_remedy kind; /* STY_REMEDY_NONE: not known */
    const char *digest;   /* of the remediation that would be; NULL: none could be made */
    struct sty_plan_block why;
    bool granted; /* a trailer covers it: to be remembered until it starts */
};
/* A resource goes from one target to another: the row moves, the thing stays. */
struct sty_plan_handover {
    const struct sty_plan_target *to;
    const char *id;
};
struct sty_plan {
    struct sty_arena *arena; /* owns everything below */
    char digest[STY_DIGEST_SIZE];
    char whole
        [STY_DIGEST_SIZE]; /* as if everything blocked that has a digest started too: what one approval lets pass */
    struct sty_plan_remediation *remediations; /* ordered by target */
    size_t count;
    struct sty_plan_blocked *blocked; /* ordered by target */
    size_t blocked_count;
    /* Desired differs from active in its digest alone: to be recorded as active, without a remediation. */
    const struct sty_plan_target **restamped;
    size_t restamped_count;
    /* To be recorded before anything starts, so that whoever gives first is known to have nothing left. */
    struct sty_plan_handover *handovers;
    size_t handover_count;
    size_t unchanged; /* wanted, and nothing to do */
};

/* Fails only where a lookup fails. */
int sty_plan_make(struct sty_plan **out, const struct sty_plan_input *input, struct sty_error *err);
void sty_plan_free(struct sty_plan *plan);
STY_DEFINE_AUTO_PTR(plan)

/* The remediation's document: a new reference. */
json_t *sty_plan_remediation_json(const struct sty_plan_remediation *remediation);
/* One entry of "blocked" of section 15: a new reference. */
json_t *sty_plan_blocked_json(const struct sty_plan_blocked *blocked);
/*
 * The Plan document of section 15, but with its remediations left out: all of ten thousand at once would not fit.
 * commit and base (the commit it is compared with) may be NULL. A new reference.
 */
json_t *sty_plan_document(const struct sty_plan *plan, const char *commit, const char *base);
