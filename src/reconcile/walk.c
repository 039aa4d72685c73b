/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A walk: from a commit to a plan, read only. sty_walk_make() is the first half of the way; who is considered stands in
 * select.c, what each means in targets.c, what is known of it in facts.c.
 */
#include "reconcile/reconcile_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum { MOST_COMMITS = 10000 };

json_t *sty_walk_own(struct sty_walk *walk, json_t *value)
{
    return sty_json_own(walk->arena, value);
}

bool sty_installation_keeps(const struct sty_installation *installation, const char *cluster)
{
    return !installation->clusters || json_object_get(installation->clusters, cluster);
}

char *sty_setting_text(const struct sty_installation *installation)
{
    json_auto_t *clusters = json_array();
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)installation->clusters, name, value)
        json_array_append_new(clusters, json_string(name));
    json_auto_t *setting = json_pack("{s:i, s:O?, s:s?, s:s}", "format", STY_INSTANCE_FORMAT, "clusters",
                                     installation->clusters ? clusters : NULL, "path", installation->source->path,
                                     "branch", installation->source->branch);
    return sty_json_canonical_text(setting);
}

static int read_source(struct sty_walk *walk, struct sty_error *err)
{
    json_t *row = NULL;
    sty_auto_free char *setting = sty_setting_text(walk->installation);
    walk->setting = sty_arena_strdup(walk->arena, setting);
    if (sty_ledger_row(&row, walk->ledger, err, "SELECT * FROM sources WHERE id = 1", "") < 0)
        return -1;
    walk->source = row ? sty_walk_own(walk, row) : NULL;
    return 0;
}

/* The tree of the last walk, where it is still there to be compared with. */
static const char *base_tree(struct sty_walk *walk)
{
    const char *commit = sty_json_text(walk->source, "walked", NULL);
    struct sty_error absent;
    struct sty_commit found;
    if (!commit || walk->options->foreign ||
        sty_repo_commit(&found, walk->arena, walk->snapshot.repo, commit, &absent) < 0)
        return NULL;
    bool same_path = sty_streq(sty_json_text(walk->source, "path", NULL), walk->installation->source->path);
    return same_path ? sty_json_text(walk->source, "walked_tree", NULL) : NULL;
}

static int load_catalog(struct sty_walk *walk, struct sty_error *err)
{
    struct sty_document_store *store = sty_arena_alloc(walk->arena, sizeof(*store));
    struct sty_catalog_base base = {.tree = base_tree(walk)};
    size_t count = 0;
    sty_store_init(store, walk->ledger);
    if (base.tree)
        base.store = store;
    walk->whole = base.tree == NULL;
    walk->all = walk->whole || !sty_streq(sty_json_text(walk->source, "setting", NULL), walk->setting);
    if (sty_catalog_load(&walk->catalog, walk->arena, &walk->snapshot, &base, &walk->problems, err) < 0)
        return -1;
    const char *const *unreadable = sty_catalog_unreadable(&count, walk->catalog);
    walk->unreadable = count ? unreadable[0] : NULL;
    return sty_resolver_new(&walk->resolver, walk->catalog, &walk->blobs, err);
}

/* The commits this walk is about: those since the last one, on the line of first parents. */
static int find_commits(struct sty_walk *walk, struct sty_error *err)
{
    const char *walked = sty_json_text(walk->source, "walked", NULL);
    struct sty_commit_range range = {
        .from = walk->options->foreign ? NULL : walked, .to = walk->snapshot.commit, .limit = MOST_COMMITS};
    if (walk->snapshot.commit[0] == '\0' || sty_streq(walked, walk->snapshot.commit))
        return 0;
    return sty_repo_commits_between(&walk->commits, &walk->commit_count, walk->arena, walk->snapshot.repo, &range, err);
}

static int consider(struct sty_walk *walk, struct sty_error *err)
{
    struct sty_map keys = STY_MAP_INIT;
    int result = sty_walk_select(&keys, walk, err);
    if (result == 0)
        result = sty_walk_renames(walk, &keys, err);
    for (size_t i = 0; result == 0 && i < keys.used; i++)
        if (keys.entries[i].key)
            result = sty_walk_consider(walk, keys.entries[i].key, err);
    sty_map_clear(&keys);
    return result;
}

/* How many Deployments this commit has, without opening those that it did not touch. */
static int count_deployments(int64_t *out, struct sty_walk *walk, struct sty_error *err)
{
    size_t count = 0;
    const struct sty_catalog_file *files = sty_catalog_files(&count, walk->catalog);
    *out = 0;
    if (!walk->whole && sty_ledger_number(out, walk->ledger, err, "SELECT count(*) FROM documents WHERE kind = ?", "i",
                                          (int64_t)STY_KIND_DEPLOYMENT) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        int64_t before = 0;
        if (files[i].blob && !files[i].readable)
            continue;
        if (!walk->whole &&
            sty_ledger_number(&before, walk->ledger, err, "SELECT count(*) FROM documents WHERE path = ? AND kind = ?",
                              "si", files[i].path, (int64_t)STY_KIND_DEPLOYMENT) < 0)
            return -1;
        *out -= before;
        for (size_t d = 0; files[i].blob && d < files[i].count; d++)
            *out += files[i].documents[d].kind == STY_KIND_DEPLOYMENT;
    }
    return 0;
}

/* What was allowed to go before, and could not yet. */
static bool ends_already(const struct sty_subject *subject)
{
    for (size_t i = 0; i < json_array_size(subject->open); i++)
        if (sty_streq(sty_json_text(json_array_get(subject->open, i), "kind", ""), "delete"))
            return true;
    return false;
}

/*
 * A tree without one Deployment where there were some is a mistake of somebody's hand, unless a trailer covers it. With a
 * file that cannot be read nobody knows whether there is one, and deletes wait anyway.
 */
static int refuse_emptiness(struct sty_walk *walk, struct sty_error *err)
{
    int64_t ends = 0, allowed = 0, there = 0, before = 0;
    for (size_t i = 0; i < walk->count; i++)
        ends += !walk->facts[i].wanted && (walk->facts[i].active || walk->facts[i].inventory_count) &&
                !ends_already(&walk->subjects[i]);
    for (size_t i = 0; i < walk->environment_count; i++)
        if (walk->environments[i].allow_deletes > allowed)
            allowed = walk->environments[i].allow_deletes;
    if (ends == 0 || ends <= allowed || !walk->catalog || walk->unreadable)
        return 0;
    if (count_deployments(&there, walk, err) < 0 ||
        sty_ledger_number(&before, walk->ledger, err, "SELECT EXISTS (SELECT 1 FROM documents WHERE kind = ?)", "i",
                          (int64_t)STY_KIND_DEPLOYMENT) < 0)
        return -1;
    if (there > 0 || !before)
        return 0;
    return sty_error_set(err, STY_FAILED,
                         "commit %.12s has not one Deployment, where there were some: nothing is deleted. If that is"
                         " meant, commit with the trailer Styrmin-Allow: delete=%lld",
                         walk->snapshot.commit, (long long)ends);
}

static int think(struct sty_walk *walk, struct sty_error *err)
{
    struct sty_plan_lookup lookup;
    if (sty_walk_rules(walk, err) < 0 || refuse_emptiness(walk, err) < 0 || sty_walk_lookup(&lookup, walk, err) < 0)
        return -1;
    struct sty_plan_input input = {.targets = walk->facts,
                                   .target_count = walk->count,
                                   .environments = walk->environments,
                                   .environment_count = walk->environment_count,
                                   .lookup = &lookup,
                                   .want_diff = walk->options->want_diff};
    if (sty_plan_make(&walk->plan, &input, err) < 0)
        return -1;
    enum sty_plan_approval whole = STY_PLAN_UNAPPROVED;
    if (lookup.approved(walk, &whole, walk->plan->whole, err) < 0)
        return -1;
    walk->whole_approved = whole == STY_PLAN_APPROVED;
    if (!walk->whole_approved)
        return 0;
    sty_plan_free(sty_take(walk->plan));
    return sty_plan_make(&walk->plan, &input, err);
}

/* Only what the ledger knows: the active Instance is what is wanted, and what drifted is applied again. */
static int take_drifted(struct sty_walk *walk, struct sty_error *err)
{
    const json_t *wishes = walk->options->wishes;
    for (size_t i = 0; i < json_array_size(wishes); i++) {
        const json_t *wish = json_array_get(wishes, i);
        json_t *row = NULL;
        size_t at = 0;
        if (sty_ledger_row(&row, walk->ledger, err,
                           "SELECT t.*, a.instance AS active, a.commit_oid AS active_commit FROM targets t JOIN active"
                           " a ON a.target = t.id WHERE t.id = ?",
                           "i", sty_json_int(wish, "target", 0)) < 0)
            return -1;
        if (!row)
            continue;
        sty_walk_own(walk, row);
        struct sty_target names = {sty_json_text(row, "cluster", ""), sty_json_text(row, "environment", ""),
                                   sty_json_text(row, "deployment", "")};
        if (sty_walk_add(&at, walk, &names, row, err) < 0)
            return -1;
        struct sty_plan_target *facts = &walk->facts[at];
        facts->wanted = true;
        facts->wish = STY_PLAN_HEAL;
        facts->drifted = (const char *const *)sty_json_argv(walk->arena, json_object_get(wish, "drifted"));
        if (json_is_object(json_object_get(walk->subjects[at].policy, "suspend")))
            facts->suspended = "suspended in git";
        if (json_array_size(walk->subjects[at].open))
            facts->unfinished = "a remediation is not finished";
        if (sty_walk_instance(&facts->desired, walk, sty_json_text(row, "active", ""), err) < 0)
            return -1;
    }
    return 0;
}

static int make(struct sty_walk *walk, struct sty_error *err)
{
    if (read_source(walk, err) < 0)
        return -1;
    if (!walk->options->snapshot)
        return take_drifted(walk, err) < 0 ? -1 : think(walk, err);
    walk->snapshot = *walk->options->snapshot;
    if (load_catalog(walk, err) < 0 || find_commits(walk, err) < 0 || consider(walk, err) < 0)
        return -1;
    sty_log(STY_LOG_INFO, "walk", "walk: %zu target%s considered, %zu document%s parsed", walk->count,
            walk->count == 1 ? "" : "s", sty_catalog_parsed(walk->catalog),
            sty_catalog_parsed(walk->catalog) == 1 ? "" : "s");
    return think(walk, err);
}

int sty_walk_make(struct sty_walk **out, const struct sty_installation *installation,
                  const struct sty_walk_options *options, struct sty_error *err)
{
    sty_auto_ptr(walk) walk = sty_calloc(1, sizeof(*walk));
    *walk = (struct sty_walk){
        .installation = installation, .ledger = installation->ledger, .options = options, .arena = sty_arena_new()};
    sty_problems_init(&walk->problems, walk->arena);
    sty_blobs_init(&walk->blobs, walk->arena);
    if (make(walk, err) < 0)
        return -1;
    sty_problems_sort(&walk->problems);
    *out = sty_take(walk);
    return 0;
}

void sty_walk_free(struct sty_walk *walk)
{
    if (!walk)
        return;
    sty_plan_free(walk->plan);
    sty_resolver_free(walk->resolver);
    sty_blobs_clear(&walk->blobs);
    sty_map_clear(&walk->changed);
    sty_map_clear(&walk->renamed);
    sty_map_clear(&walk->driver_files);
    sty_arena_free(walk->arena);
    free(walk);
}
