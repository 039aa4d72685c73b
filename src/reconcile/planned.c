/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a sync would do, as the document of design.md section 15. Its remediations are made one at a time, when they are
 * asked for.
 */
#include "reconcile/reconcile_internal.h"

#include <stdlib.h>
#include <string.h>

#define TARGET_NAME "t.cluster || '/' || t.environment || '/' || t.deployment"

struct sty_planned {
    struct sty_walk *walk;
    const struct sty_plan_remediation **items; /* of the named targets */
    size_t count;
};

static bool is_named(const struct sty_target *names, const char *const *patterns)
{
    for (size_t i = 0; patterns && patterns[i]; i++)
        if (sty_target_matches(names, patterns[i]))
            return true;
    return !patterns || !patterns[0];
}

static int check_patterns(const struct sty_walk *walk, const char *const *patterns, struct sty_error *err)
{
    for (size_t p = 0; patterns && patterns[p]; p++) {
        int64_t known = 0;
        bool found = false;
        for (size_t i = 0; i < walk->count && !found; i++)
            found = sty_target_matches(&walk->facts[i].names, patterns[p]);
        if (!found && sty_ledger_number(&known, walk->ledger, err,
                                        "SELECT count(*) FROM targets t WHERE substr('/' || " TARGET_NAME
                                        ", -1 - length(?1)) = '/' || ?1",
                                        "s", patterns[p]) < 0)
            return -1;
        if (!found && !known)
            return sty_error_set(err, STY_NOT_FOUND, "no target '%s'", patterns[p]);
    }
    return 0;
}

static struct sty_planned *planned_new(struct sty_walk *walk, const char *const *patterns)
{
    struct sty_planned *planned = sty_calloc(1, sizeof(*planned));
    const struct sty_plan *plan = walk->plan;
    planned->walk = walk;
    planned->items = sty_arena_alloc(walk->arena, (plan->count + 1) * sizeof(*planned->items));
    for (size_t i = 0; i < plan->count; i++)
        if (is_named(&plan->remediations[i].target->names, patterns))
            planned->items[planned->count++] = &plan->remediations[i];
    return planned;
}

void sty_planned_free(struct sty_planned *planned)
{
    if (!planned)
        return;
    sty_walk_free(planned->walk);
    free(planned);
}

size_t sty_planned_count(const struct sty_planned *planned)
{
    return planned->count;
}

const char *sty_planned_kind(const struct sty_planned *planned, size_t i)
{
    return sty_remedy_name(planned->items[i]->kind);
}

json_t *sty_planned_get(const struct sty_planned *planned, size_t i)
{
    return sty_plan_remediation_json(planned->items[i]);
}

/* The named targets' part; the plan's digest stays that of the whole, which is what a sync would run. */
static void keep_named(json_t *blocked, const char *const *patterns)
{
    for (size_t i = json_array_size(blocked); i > 0; i--) {
        const json_t *entry = json_array_get(blocked, i - 1);
        struct sty_target names = {sty_json_text(entry, "cluster", ""), sty_json_text(entry, "environment", ""),
                                   sty_json_text(entry, "deployment", "")};
        if (!is_named(&names, patterns))
            json_array_remove(blocked, i - 1);
    }
}

/* Settled targets outside the walk are unchanged too. */
static int count_unchanged(json_t *document, const struct sty_walk *walk, struct sty_error *err)
{
    int64_t settled = 0;
    json_int_t inside = json_integer_value(json_object_get(document, "unchanged"));
    if (sty_ledger_number(&settled, walk->ledger, err,
                          "SELECT (SELECT count(*) FROM targets) - (SELECT count(*) FROM targets WHERE wanted = 0)",
                          "") < 0)
        return -1;
    for (size_t i = 0; i < walk->count; i++)
        settled -= walk->subjects[i].row && sty_json_int(walk->subjects[i].row, "wanted", 0);
    return json_object_set_new(document, "unchanged", json_integer(inside + settled));
}

int sty_reconcile_plan(struct sty_outcome *out, const struct sty_installation *installation,
                       const struct sty_plan_options *options, struct sty_error *err)
{
    sty_auto_ptr(walk) walk = NULL;
    struct sty_walk_options what = {.snapshot = options->snapshot, .foreign = options->foreign, .want_diff = true};
    if (sty_walk_make(&walk, installation, &what, err) < 0 || check_patterns(walk, options->targets, err) < 0)
        return -1;
    const char *commit = walk->snapshot.commit[0] ? walk->snapshot.commit : NULL;
    json_auto_t *document = sty_plan_document(walk->plan, commit, sty_json_text(walk->source, "walked", NULL));
    if (count_unchanged(document, walk, err) < 0)
        return -1;
    json_t *blocked = json_object_get(document, "blocked");
    keep_named(blocked, options->targets);
    json_object_set_new(document, "problems", sty_problems_json(&walk->problems));
    for (size_t i = 0; i < json_array_size(blocked); i++)
        out->waits = out->waits || sty_reason_waits(sty_json_text(json_array_get(blocked, i), "reason", ""));
    out->planned = planned_new(sty_take(walk), options->targets);
    out->changes = out->planned->count > 0;
    out->document = json_incref(document);
    return 0;
}
