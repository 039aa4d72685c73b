/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A walk on the table: targets are put on it, planned, and what came out is read as one line each. */
#include "instances.h"
#include "plan/plan.h"

enum { ROOM = 16 };
struct bench {
    struct sty_plan_target targets[ROOM];
    struct sty_plan_row rows[ROOM][ROOM];
    size_t count;
    struct sty_plan_environment environment;
    json_t *owners;                     /* "place id" -> "target" (or "target!" where its active Instance holds it) */
    json_t *others;                     /* target -> "sound" | "tainted" | "absent" */
    json_t *needy;                      /* target -> dependent's name */
    json_t *approved, *granted, *shown; /* arrays of digests */
    bool broken;                        /* every lookup fails */
    const char *dependents[2];
    char owner[64];
    struct sty_instance *owned[ROOM * 3];
    size_t owned_count;
    json_t *json[ROOM * 2];
    size_t json_count;
    struct sty_plan *plan;
};

static inline int fails(const struct bench *b, struct sty_error *err)
{
    return b->broken ? sty_error_set(err, STY_IO, "broken") : 0;
}

static inline int bench_owner(void *self, struct sty_plan_owner *out, const char *place, const char *id,
                              struct sty_error *err)
{
    struct bench *b = self;
    sty_auto_free char *key = sty_sprintf("%s %s", place, id);
    const char *owner = sty_json_text(b->owners, key, NULL);
    *out = (struct sty_plan_owner){0};
    if (owner) {
        snprintf(b->owner, sizeof b->owner, "%.*s", (int)strcspn(owner, "!"), owner);
        *out = (struct sty_plan_owner){b->owner, strchr(owner, '!') != NULL};
    }
    return fails(b, err);
}

static inline int bench_other(void *self, struct sty_plan_other *out, const char *target, struct sty_error *err)
{
    struct bench *b = self;
    const char *state = sty_json_text(b->others, target, NULL);
    *out = (struct sty_plan_other){
        .known = state, .active = state && strcmp(state, "absent") != 0, .tainted = sty_streq(state, "tainted")};
    return fails(b, err);
}

static inline int bench_dependents(void *self, const char *const **out, const char *target, struct sty_error *err)
{
    struct bench *b = self;
    b->dependents[0] = sty_json_text(b->needy, target, NULL);
    *out = b->dependents;
    return fails(b, err);
}

static inline int bench_approved(void *self, enum sty_plan_approval *out, const char *digest, struct sty_error *err)
{
    const struct bench *b = self;
    *out = sty_json_has(b->approved, digest)  ? STY_PLAN_APPROVED
           : sty_json_has(b->granted, digest) ? STY_PLAN_GRANTED
                                              : STY_PLAN_UNAPPROVED;
    return fails(self, err);
}

static inline int bench_shown(void *self, bool *out, const char *digest, struct sty_error *err)
{
    *out = sty_json_has(((struct bench *)self)->shown, digest);
    return fails(self, err);
}

static inline int bench_setup(void **state)
{
    struct bench *b = sty_calloc(1, sizeof(*b));
    b->environment = (struct sty_plan_environment){
        .name = "e", .budget = {.deletes = -1, .changes = -1}, .active = 10, .allow_deletes = -1, .allow_changes = -1};
    b->owners = json_object();
    b->others = json_object();
    b->needy = json_object();
    b->approved = json_array();
    b->granted = json_array();
    b->shown = json_array();
    *state = b;
    return 0;
}

static inline int bench_teardown(void **state)
{
    struct bench *b = *state;
    sty_plan_free(b->plan);
    for (size_t i = 0; i < b->owned_count; i++)
        sty_instance_free(b->owned[i]);
    for (size_t i = 0; i < b->json_count; i++)
        json_decref(b->json[i]);
    json_decref(b->owners);
    json_decref(b->others);
    json_decref(b->needy);
    json_decref(b->approved);
    json_decref(b->granted);
    json_decref(b->shown);
    free(b);
    return 0;
}

static inline struct sty_instance *bench_instance(struct bench *b, const char *name, const char *text)
{
    if (!text)
        return NULL;
    return b->owned[b->owned_count++] = instance_of(name, text);
}

/* A target c/e/NAME at place "host"; its inventory is what its active Instance holds. NULL: no such Instance. */
static inline struct sty_plan_target *bench_target(struct bench *b, const char *name, const char *active,
                                                   const char *desired)
{
    size_t n = b->count++;
    struct sty_plan_target *t = &b->targets[n];
    *t = (struct sty_plan_target){.names = {"c", "e", name}, .place = "host", .wanted = desired != NULL};
    t->active = bench_instance(b, name, active);
    t->desired = bench_instance(b, name, desired);
    t->inventory = b->rows[n];
    const char *component = NULL;
    json_t *body = NULL, *kept = t->active ? json_deep_copy(sty_instance_json(t->active)) : json_object();
    json_t *all = json_object_get(b->json[b->json_count++] = kept, "components");
    json_object_foreach (all, component, body) {
        const json_t *resources = json_object_get(body, "resources");
        for (size_t i = 0; i < json_array_size(resources); i++)
            b->rows[n][t->inventory_count++] =
                (struct sty_plan_row){json_string_value(json_object_get(json_array_get(resources, i), "id")), component,
                                      sty_instance_digest(t->active)};
    }
    return t;
}

static inline const json_t *bench_json(struct bench *b, const char *text)
{
    return b->json[b->json_count++] = relaxed_json(text);
}

static inline struct sty_plan *bench_plan(struct bench *b)
{
    struct sty_plan_lookup lookup = {b, bench_owner, bench_other, bench_dependents, bench_approved, bench_shown};
    struct sty_plan_input input = {b->targets, b->count, &b->environment, 1, &lookup, true};
    struct sty_error err;
    sty_plan_free(b->plan);
    b->plan = NULL;
    assert_int_equal(sty_plan_make(&b->plan, &input, &err), 0);
    return b->plan;
}

static inline void expect_text(const struct sty_str *got, const char *wanted)
{
    if (strcmp(got->data, wanted) != 0)
        fail_msg("\n--- got\n%s\n--- wanted\n%s", got->data, wanted);
}

/* "name kind[<before,..]" of what starts, "name kind!reason" of what is blocked, each followed by a blank. */
static inline void expect_plan(struct bench *b, const char *wanted)
{
    struct sty_plan *plan = bench_plan(b);
    sty_auto(str) got = STY_STR_INIT;
    for (size_t i = 0; i < plan->count; i++) {
        const struct sty_plan_remediation *r = &plan->remediations[i];
        sty_str_appendf(&got, "%s %s", r->target->names.deployment, sty_remedy_name(r->kind));
        for (const char *const *after = r->after; *after; after++)
            sty_str_appendf(&got, "<%s", strrchr(*after, '/') + 1);
        sty_str_append(&got, "; ");
    }
    for (size_t i = 0; i < plan->blocked_count; i++)
        sty_str_appendf(&got, "%s %s!%s; ", plan->blocked[i].target->names.deployment,
                        sty_remedy_name(plan->blocked[i].kind), plan->blocked[i].why.reason);
    expect_text(&got, wanted);
}

/* The steps of the only remediation, a line each: "mode type component instance args". */
static inline void expect_steps(struct bench *b, const char *wanted)
{
    struct sty_plan *plan = bench_plan(b);
    sty_auto(str) got = STY_STR_INIT;
    assert_int_equal(plan->count, 1);
    json_auto_t *document = sty_plan_remediation_json(&plan->remediations[0]);
    const json_t *steps = json_object_get(document, "steps");
    for (size_t i = 0; i < json_array_size(steps); i++) {
        const json_t *step = json_array_get(steps, i), *args = json_object_get(step, "args");
        assert_int_equal(sty_json_int(step, "seq", 0), i + 1);
        sty_str_appendf(&got, "%s %s %s %s", sty_json_text(step, "mode", "?"), sty_json_text(step, "type", "?"),
                        sty_json_text(step, "component", "-"), sty_json_text(step, "instance", "?"));
        for (size_t r = 0; r < json_array_size(json_object_get(args, "resources")); r++)
            sty_str_appendf(&got, " %s", json_string_value(json_array_get(json_object_get(args, "resources"), r)));
        sty_str_append(&got, "\n");
    }
    expect_text(&got, wanted);
}
