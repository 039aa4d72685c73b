/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands against doing it. The early guards look at one target's facts; review and budget need the remediations'
 * digests. A guard blocks what it concerns, says why and what to do, and lets everything else pass.
 */
#include "plan/plan_internal.h"

#include <inttypes.h>
#include <string.h>

/* Nothing was wanted here and nothing is there. */
static bool is_nothing(const struct sty_plan_target *t)
{
    return !t->wanted && !t->desired && !t->active && !t->tainted && t->inventory_count == 0;
}

static void guard_driver(struct sty_plan_work *work, struct sty_plan_item *item)
{
    const json_t *driver = json_object_get(sty_instance_json(item->target->desired), "driver");
    sty_plan_block(work, item, "guard", "give the driver a new version and pin that",
                   "driver %s %s changed: a version that was activated stays as it is",
                   sty_json_text(driver, "name", ""), sty_json_text(driver, "version", ""));
}

static void guard_downgrade(struct sty_plan_work *work, struct sty_plan_item *item)
{
    const struct sty_plan_target *t = item->target;
    if (item->kind != STY_REMEDY_DOWNGRADE || t->allow_downgrade || sty_script_has_hook(t->active, "downgrade"))
        return;
    sty_plan_block(work, item, "guard", "spec.allow_downgrade: true in the Deployment",
                   "this is a downgrade, and the active driver has no downgrade hook");
}

/* adopt and release act on the record alone: what keeps work from starting does not keep them. */
static void guard_wish(struct sty_plan_work *work, struct sty_plan_item *item)
{
    const struct sty_plan_target *t = item->target;
    if (t->unfinished)
        sty_plan_block(work, item, "waiting", t->unfinished_remedy, "%s", t->unfinished);
    else if (item->kind == STY_REMEDY_RELEASE && t->wanted && !t->suspended)
        sty_plan_block(work, item, "guard", "suspend it first, or remove its document with deletion: retain",
                       "git still wants this target");
    else if (item->kind == STY_REMEDY_ADOPT && !t->desired && t->found.reason)
        item->block = t->found;
    else if (item->kind == STY_REMEDY_ADOPT && !t->desired)
        sty_plan_block(work, item, "guard", NULL, "git wants nothing here that could be adopted");
}

static void guard_work(struct sty_plan_work *work, struct sty_plan_item *item)
{
    const struct sty_plan_target *t = item->target;
    if (t->unfinished)
        sty_plan_block(work, item, "waiting", t->unfinished_remedy, "%s", t->unfinished);
    if (t->suspended)
        sty_plan_block(work, item, "suspended",
                       t->suspended_in_git ? "suspend: false in the Deployment"
                                           : sty_arena_printf(work->arena, "styrmin resume %s -m REASON", item->name),
                       "%s", t->suspended);
    if (item->environment->observe)
        sty_plan_block(work, item, "observed", "mode: enforce in the Environment", "environment %s is only observed",
                       t->names.environment);
    if (t->desired && t->quarantined && strcmp(t->quarantined, sty_instance_digest(t->desired)) == 0)
        sty_plan_block(
            work, item, "quarantined",
            sty_arena_printf(work->arena, "change it with a commit, or: styrmin retry %s -m REASON", item->name),
            "this Instance was tried and failed");
    if (t->desired && t->driver_changed)
        guard_driver(work, item);
    guard_downgrade(work, item);
}

void sty_plan_guard(struct sty_plan_work *work, struct sty_plan_item *item)
{
    const struct sty_plan_target *t = item->target;
    if (item->kind == STY_REMEDY_ADOPT || (item->kind == STY_REMEDY_RELEASE && t->wish == STY_PLAN_RELEASE)) {
        guard_wish(work, item);
        return;
    }
    if (t->found.reason && !is_nothing(t)) {
        item->block = t->found;
        return;
    }
    if (item->kind != STY_REMEDY_NONE)
        guard_work(work, item);
    else if (t->pinned && t->git_wants && t->desired && strcmp(t->git_wants, sty_instance_digest(t->desired)) != 0)
        sty_plan_block(work, item, "pinned", sty_arena_printf(work->arena, "styrmin resume %s -m REASON", item->name),
                       "%s", t->pinned);
}

/* ---- classes: which kinds a rule is about ---- */

enum class { CLASS_FREE, CLASS_DELETE, CLASS_CHANGE };
static const struct {
    enum class budget;
    bool reviewed;
} rules[] = {
    [STY_REMEDY_NONE] = {CLASS_FREE, false},       [STY_REMEDY_CREATE] = {CLASS_FREE, true},
    [STY_REMEDY_UPDATE] = {CLASS_CHANGE, true},    [STY_REMEDY_UPGRADE] = {CLASS_CHANGE, true},
    [STY_REMEDY_DOWNGRADE] = {CLASS_CHANGE, true}, [STY_REMEDY_START] = {CLASS_CHANGE, true},
    [STY_REMEDY_STOP] = {CLASS_CHANGE, true},      [STY_REMEDY_DELETE] = {CLASS_DELETE, true},
    [STY_REMEDY_RESTORE] = {CLASS_FREE, false},    [STY_REMEDY_HEAL] = {CLASS_FREE, false},
    [STY_REMEDY_ADOPT] = {CLASS_FREE, false},      [STY_REMEDY_RELEASE] = {CLASS_FREE, true},
};

static bool by_hand(const struct sty_plan_target *t)
{
    return t->requested || t->wish == STY_PLAN_ADOPT || t->wish == STY_PLAN_RELEASE;
}

static int review(struct sty_plan_work *work, struct sty_plan_item *item, struct sty_error *err)
{
    const struct sty_plan_lookup *lookup = work->input->lookup;
    if (lookup->approved(lookup->self, &item->approved, item->made->digest, err) < 0 ||
        lookup->shown(lookup->self, &item->made->shown, item->made->digest, err) < 0)
        return -1;
    item->made->shown = item->made->shown || item->approved == STY_PLAN_APPROVED;
    if (item->environment->review_required && !item->made->shown && !by_hand(item->target))
        sty_plan_block(work, item, "review",
                       sty_arena_printf(work->arena, "styrmin approve %s -m REASON", item->made->digest),
                       "this remediation was on no pull request");
    return 0;
}

int sty_plan_review(struct sty_plan_work *work, struct sty_error *err)
{
    for (size_t i = 0; i < work->count; i++)
        if (work->items[i].made && rules[work->items[i].kind].reviewed && review(work, &work->items[i], err) < 0)
            return -1;
    return 0;
}

/* Blocked because of others is still meant, and counts; blocked for itself is not. */
static bool counts(const struct sty_plan_item *item, const struct sty_plan_environment *env, enum class class)
{
    static const char *const meant[] = {"review", "claim", "dependency", "waiting"};
    if (item->environment != env || rules[item->kind].budget != class || item->approved || by_hand(item->target))
        return false;
    bool still = !item->block.reason;
    for (size_t i = 0; !still && i < STY_COUNT(meant); i++)
        still = strcmp(item->block.reason, meant[i]) == 0;
    return still && !item->target->unfinished;
}

static int64_t limit_of(int64_t number, bool percent, int64_t active)
{
    if (number < 0)
        return INT64_MAX;
    if (!percent)
        return number;
    int64_t part = (active / 100) * number + ((active % 100) * number + 99) / 100;
    return part < 1 ? 1 : part;
}

static void grant(struct sty_plan_work *work, const struct sty_plan_environment *env, enum class class)
{
    for (size_t i = 0; i < work->count; i++)
        work->items[i].granted = work->items[i].granted || counts(&work->items[i], env, class);
}

static void spend(struct sty_plan_work *work, const struct sty_plan_environment *env, enum class class)
{
    bool deletes = class == CLASS_DELETE;
    int64_t limit = deletes ? limit_of(env->budget.deletes, env->budget.deletes_percent, env->active)
                            : limit_of(env->budget.changes, env->budget.changes_percent, env->active);
    int64_t allowed = deletes ? env->allow_deletes : env->allow_changes, count = 0;
    for (size_t i = 0; i < work->count; i++)
        count += counts(&work->items[i], env, class);
    if (count > limit && count <= allowed) {
        grant(work, env, class);
        return;
    }
    limit = allowed > limit ? allowed : limit;
    const char *word = deletes ? "delete" : "change";
    for (size_t i = 0; count > limit && i < work->count; i++) {
        struct sty_plan_item *item = &work->items[i];
        if (counts(item, env, class) && !item->block.reason)
            sty_plan_block(work, item, "guard",
                           sty_arena_printf(
                               work->arena,
                               "styrmin approve %s -m REASON, or: a commit with the trailer Styrmin-Allow: %s=%" PRId64,
                               item->made->digest, word, count),
                           "%" PRId64 " to %s in %s, its budget is %" PRId64, count, word, env->name, limit);
    }
}

void sty_plan_budget(struct sty_plan_work *work)
{
    for (size_t i = 0; i < work->input->environment_count; i++) {
        spend(work, &work->input->environments[i], CLASS_DELETE);
        spend(work, &work->input->environments[i], CLASS_CHANGE);
    }
}
