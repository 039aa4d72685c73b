/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * plan_internal: what the files of plan share. An item is one target while it is thought about; a script is one
 * remediation's steps while they are written.
 */
#include "base/map.h"
#include "plan/plan.h"

struct sty_plan_item {
    const struct sty_plan_target *target;
    const char *name;
    const struct sty_plan_environment *environment; /* never NULL */
    enum sty_remedy kind;
    bool restamp;
    struct sty_diff diff; /* of active and desired, where both are there */
    const char **wants;   /* ids of desired, NULL-terminated */
    struct sty_plan_block block;
    struct sty_plan_item **before; /* in the walk, to be done first; NULL-terminated */
    struct sty_plan_remediation *made;
    enum sty_plan_approval approved;
    bool granted; /* more than the budget, covered by a trailer */
};
struct sty_plan_take { /* an id goes from one target to another */
    struct sty_plan_item *taker, *giver;
    const char *id;
};
struct sty_plan_work {
    const struct sty_plan_input *input;
    struct sty_arena *arena;     /* the plan's */
    struct sty_plan_item *items; /* ordered by name */
    size_t count;
    struct sty_map by_name; /* -> item */
    struct sty_map claims;  /* "place\nid" -> the item that is to have it */
    struct sty_plan_take *takes;
    size_t take_count, take_capacity;
};

/* Block unless something blocks it already. */
void sty_plan_block(struct sty_plan_work *work, struct sty_plan_item *item, const char *reason, const char *remedy,
                    const char *format, ...) __attribute__((format(printf, 5, 6)));
bool sty_plan_starts(const struct sty_plan_item *item); /* it has a remedy and nothing blocks it */

/* ---- guard.c: what may not be done ---- */

/* Before anything is built: unfinished, suspended, observed, found, quarantined, driver, downgrade, pin. */
void sty_plan_guard(struct sty_plan_work *work, struct sty_plan_item *item);
/* With digests: review and budgets. */
int sty_plan_review(struct sty_plan_work *work, struct sty_error *err);
void sty_plan_budget(struct sty_plan_work *work);

/* ---- claim.c: whose a resource is ---- */

int sty_plan_claim(struct sty_plan_work *work, struct sty_error *err);
/* Another target is to have it. */
bool sty_plan_handed_over(const struct sty_plan_work *work, const struct sty_plan_item *item, const char *id);
/* Who takes from somebody that is blocked has to wait. True: something was blocked. */
bool sty_plan_claim_settle(struct sty_plan_work *work);

/* ---- order.c: who goes before whom ---- */

int sty_plan_order(struct sty_plan_work *work, struct sty_error *err);
bool sty_plan_order_settle(struct sty_plan_work *work);
/* Fill `after` of what starts. */
void sty_plan_order_write(struct sty_plan_work *work);

/* ---- remediation.c ---- */

void sty_plan_build(struct sty_plan_work *work, struct sty_plan_item *item);

/* ---- script.c, steps.c, declared.c ---- */

enum sty_script_state { STY_SCRIPT_STOPPED, STY_SCRIPT_RUNNING, STY_SCRIPT_UNKNOWN };
struct sty_script_component {
    const char *name;
    const json_t *old, *fresh; /* in from, in to; NULL: not in it */
    bool runs;                 /* has resources with a run state */
    bool touched;              /* resources of it come, change or go */
    bool wanted;               /* it is to run */
    bool waited;               /* for its health, since something was done to it */
    enum sty_script_state state;
};
struct sty_script {
    struct sty_arena *arena;
    const struct sty_plan_item *item;
    const struct sty_instance *from, *to;
    const json_t *removals;
    const struct sty_map *touched;           /* ids that come or change */
    bool all;                                /* as if every resource had changed */
    struct sty_script_component *components; /* in the order of `to`, then those of `from` alone */
    size_t count;
    const char *hook, *mode, *action;
    json_t *steps;
};
void sty_script_init(struct sty_script *script);
struct sty_script_component *sty_script_find(struct sty_script *script, const char *name);
bool sty_script_id_runs(const char *id);
const char *sty_script_side(const struct sty_script *script); /* whose components are applied and started */
void sty_script_add(struct sty_script *script, const char *type, const struct sty_script_component *component,
                    const char *instance, json_t *args);
void sty_script_apply(struct sty_script *script, struct sty_script_component *component, bool whole);
void sty_script_stop(struct sty_script *script, struct sty_script_component *component);
/* start, restart or reload */
void sty_script_move(struct sty_script *script, struct sty_script_component *component, const char *type);
void sty_script_wait(struct sty_script *script, struct sty_script_component *component);

/* Write the whole remediation: a new reference to its steps. */
json_t *sty_script_write(struct sty_script *script);
/* The driver's own actions of this hook and mode; false: there are none. */
bool sty_script_declared(struct sty_script *script, const char *mode);
/* True if `instance` has an action for the hook. */
bool sty_script_has_hook(const struct sty_instance *instance, const char *hook);
