/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a deployment's name means on which cluster: wanted, no longer wanted, or not to be decided now. A document that
 * cannot be read, a cluster or an environment that is missing, never deletes: it blocks (design.md section 4).
 */
#include "reconcile/reconcile_internal.h"

#include <stdlib.h>
#include <string.h>

#define ROWS                                                                                                           \
    "SELECT t.*, a.instance AS active, a.commit_oid AS active_commit FROM targets t LEFT JOIN active a ON a.target ="  \
    " t.id WHERE t.environment = ? AND t.deployment = ? ORDER BY t.cluster"

/* One deployment's documents as this commit has them. */
struct view {
    struct sty_walk *walk;
    const char *key, *environment, *name;
    const struct sty_document *document; /* NULL: none, or twice */
    struct sty_deployment deployment;    /* where the document is good */
    bool good, twice;
    struct sty_environment rules; /* where environment_good */
    bool environment_good, environment_there;
    const char **clusters;
    size_t cluster_count;
    bool complete; /* `clusters` is all there is */
    json_t *rows;
};

static bool is_good(const struct sty_document *document)
{
    return document && document->valid && !document->stale;
}

static int open_environment(struct view *view, struct sty_error *err)
{
    const struct sty_document *document = NULL;
    bool twice = false;
    if (sty_catalog_find(&document, &twice, view->walk->catalog, STY_KIND_ENVIRONMENT, view->environment, err) < 0)
        return -1;
    view->environment_there = document || twice;
    view->environment_good = is_good(document);
    if (!view->environment_good)
        return 0;
    sty_environment_read(&view->rules, document);
    return sty_catalog_place(&view->clusters, &view->cluster_count, &view->complete, view->walk->catalog, &view->rules,
                             err);
}

static int read_rows(struct view *view, struct sty_error *err)
{
    struct sty_walk *walk = view->walk;
    const char *old = view->good ? view->deployment.renamed_from : NULL;
    json_t *rows = NULL;
    if (sty_ledger_rows(&rows, walk->ledger, err, ROWS, "ss", view->environment, view->name) < 0)
        return -1;
    view->rows = sty_walk_own(walk, rows);
    if (!old || walk->renamed.count == 0)
        return 0;
    json_t *before = NULL;
    if (sty_ledger_rows(&before, walk->ledger, err, ROWS, "ss", view->environment, old) < 0)
        return -1;
    json_array_extend(view->rows, sty_walk_own(walk, before));
    return 0;
}

static int open_view(struct view *view, struct sty_walk *walk, const char *key, struct sty_error *err)
{
    const char *slash = strchr(key, '/');
    *view = (struct view){.walk = walk, .key = key};
    view->environment = sty_arena_strndup(walk->arena, key, (size_t)(slash - key));
    view->name = sty_arena_strdup(walk->arena, slash + 1);
    if (sty_catalog_find(&view->document, &view->twice, walk->catalog, STY_KIND_DEPLOYMENT, key, err) < 0)
        return -1;
    view->good = is_good(view->document);
    if (view->good)
        sty_deployment_read(&view->deployment, view->document);
    return open_environment(view, err) < 0 ? -1 : read_rows(view, err);
}

/* The name under which a row stands in this walk; NULL: it moved to another deployment. */
static bool stands_here(const struct view *view, const json_t *row)
{
    char id[24];
    snprintf(id, sizeof(id), "%lld", (long long)sty_json_int(row, "id", 0));
    const char *renamed = sty_map_get(&view->walk->renamed, id);
    return sty_streq(renamed ? renamed : sty_json_text(row, "deployment", ""), view->name);
}

/* ---- what is wanted ---- */

static json_t *policy_of(const struct view *view)
{
    const struct sty_deployment *deployment = &view->deployment;
    json_t *suspend = json_null();
    if (deployment->suspend) {
        int line = 0, column = 0;
        sty_marks_find(&line, &column, view->document->marks, "/spec/suspend");
        suspend = json_pack("{s:s, s:i}", "file", view->document->path, "line", line);
    }
    return json_pack("{s:o, s:O?, s:s, s:b, s:O?, s:s, s:b, s:s}", "suspend", suspend, "depends_on",
                     deployment->depends_on, "deletion", deployment->retain ? "retain" : "delete", "allow_downgrade",
                     deployment->allow_downgrade, "labels", deployment->labels, "lifecycle",
                     deployment->stopped ? "stopped" : "running", "observe",
                     view->environment_good && view->rules.observe, "path", view->document->path);
}

static void take_policy(struct sty_plan_target *facts, struct sty_subject *subject, const struct view *view)
{
    const struct sty_deployment *deployment = &view->deployment;
    subject->policy = sty_walk_own(view->walk, policy_of(view));
    facts->retain = deployment->retain;
    facts->allow_downgrade = deployment->allow_downgrade;
    facts->depends_on = json_object_get(subject->policy, "depends_on");
    const json_t *suspend = json_object_get(subject->policy, "suspend");
    facts->suspended_in_git = json_is_object(suspend);
    if (facts->suspended_in_git)
        facts->suspended = sty_arena_printf(view->walk->arena, "suspended in %s:%d", view->document->path,
                                            (int)sty_json_int(suspend, "line", 0));
}

/* Nothing that it is made of has changed since it was resolved, and it could be. */
static bool is_known(const struct view *view, const struct sty_subject *subject)
{
    const char *blocked = sty_json_text(subject->row, "blocked", NULL);
    return view->good && subject->row && !subject->renamed && !view->walk->all &&
           !sty_map_has(&view->walk->changed, view->key) && sty_json_text(subject->row, "desired", NULL) &&
           (!blocked || (!strstr(blocked, "\"reason\":\"mistake\"") && !strstr(blocked, "\"reason\":\"guard\"")));
}

static void drop_instance(void *instance)
{
    sty_instance_free(instance);
}

static int resolve(struct sty_plan_target *facts, struct sty_subject *subject, struct sty_walk *walk,
                   struct sty_error *err)
{
    struct sty_resolved resolved = {0};
    if (sty_resolve(&resolved, walk->resolver, &facts->names, walk->options->want_diff && subject->row, &walk->problems,
                    err) < 0)
        return -1;
    subject->read = true;
    subject->git = resolved.instance;
    memcpy(subject->inputs, resolved.inputs, sizeof(subject->inputs));
    subject->input_count = resolved.input_count;
    if (resolved.instance)
        sty_arena_own(walk->arena, resolved.instance, drop_instance);
    if (resolved.origins)
        sty_json_own(walk->arena, resolved.origins);
    facts->origins = resolved.origins;
    if (!resolved.instance)
        facts->found = (struct sty_plan_block){"mistake", resolved.message, resolved.remedy};
    else if (resolved.guard)
        facts->found = (struct sty_plan_block){"guard", resolved.message, resolved.remedy};
    return 0;
}

/* Were the driver's files others when this version was first activated? */
static int check_driver(struct sty_plan_target *facts, struct sty_walk *walk, struct sty_error *err)
{
    const json_t *driver = json_object_get(sty_instance_json(facts->desired), "driver");
    const char *name = sty_json_text(driver, "name", ""), *version = sty_json_text(driver, "version", "");
    const char *key = sty_arena_printf(walk->arena, "%s/%s", name, version);
    const char *files = sty_map_get(&walk->driver_files, key);
    if (!files) {
        json_auto_t *row = NULL;
        if (sty_ledger_row(&row, walk->ledger, err, "SELECT files FROM drivers WHERE name = ? AND version = ?", "ss",
                           name, version) < 0)
            return -1;
        files = sty_arena_strdup(walk->arena, sty_json_text(row, "files", ""));
        sty_map_set(&walk->driver_files, key, (void *)files);
    }
    facts->driver_changed = *files && !sty_streq(files, sty_json_text(driver, "files", ""));
    return 0;
}

/* ---- git and pin make one wish ---- */

/* Another program writes the same down differently: no change, for a quarantine and for a pin (design.md section 7). */
static int carry_over(struct sty_plan_target *facts, struct sty_subject *subject, struct sty_walk *walk,
                      struct sty_error *err)
{
    const char *before = sty_json_text(subject->row, "desired", NULL);
    struct sty_instance *old = NULL;
    struct sty_diff diff = {0};
    if (!before || !subject->git || sty_streq(before, sty_instance_digest(subject->git)) ||
        (!facts->quarantined && !sty_json_text(subject->row, "pinned", NULL)))
        return 0;
    if (sty_walk_instance(&old, walk, before, err) < 0)
        return -1;
    sty_diff(&diff, old, subject->git, NULL);
    subject->rewritten = sty_diff_class(&diff) == STY_CHANGE_NONE;
    sty_diff_clear(&diff);
    sty_instance_fold(old);
    if (subject->rewritten && sty_streq(facts->quarantined, before))
        facts->quarantined = sty_instance_digest(subject->git);
    return 0;
}

/* The pin ends with the commit that changes what git wants. */
static int choose_desired(struct sty_plan_target *facts, struct sty_subject *subject, struct sty_walk *walk,
                          struct sty_error *err)
{
    const char *pinned = sty_json_text(subject->row, "pinned", NULL);
    const char *before = sty_json_text(subject->row, "desired", NULL);
    const char *now = subject->git ? sty_instance_digest(subject->git) : before;
    facts->desired = subject->git;
    if (!pinned || !facts->wanted)
        return 0;
    subject->unpinned = before && now && strcmp(before, now) != 0 && !subject->rewritten;
    if (subject->unpinned) {
        facts->pinned = NULL;
        return 0;
    }
    facts->git_wants = now;
    facts->desired = NULL;
    facts->found = (struct sty_plan_block){0};
    return sty_walk_instance(&facts->desired, walk, pinned, err);
}

static void judge_open(struct sty_plan_target *facts, struct sty_subject *subject, struct sty_walk *walk)
{
    const char *pinned = sty_json_text(subject->row, "pinned", NULL);
    const char *before = pinned ? pinned : sty_json_text(subject->row, "desired", NULL);
    const char *now = facts->desired ? sty_instance_digest(facts->desired) : NULL;
    bool wanted_before = sty_json_int(subject->row, "wanted", 0);
    subject->moved =
        subject->row && (wanted_before != facts->wanted || (facts->wanted && now && !sty_streq(before, now)));
    for (size_t i = 0; i < json_array_size(subject->open); i++) {
        const json_t *row = json_array_get(subject->open, i);
        bool planned = sty_streq(sty_json_text(row, "state", ""), "planned");
        bool stays = sty_streq(sty_json_text(row, "state", ""), "running") ||
                     (!subject->moved && (!planned || sty_json_text(row, "parent", NULL)));
        if (stays)
            facts->unfinished = sty_arena_printf(walk->arena, "%s %.8s is not finished%s%s",
                                                 sty_json_text(row, "kind", ""), sty_json_text(row, "id", ""),
                                                 planned ? "" : ": ", sty_json_text(row, "wait_reason", ""));
        if (stays && sty_streq(sty_json_text(row, "state", ""), "waiting") && !sty_json_int(row, "due", 0))
            facts->unfinished_remedy = sty_arena_printf(
                walk->arena,
                "look whether it happened, then: styrmin retry %1$s --done -m REASON, or: styrmin retry %1$s --again"
                " -m REASON",
                sty_target_text(walk->arena, &facts->names));
    }
}

static void take_wish(struct sty_plan_target *facts, const struct sty_subject *subject, const struct sty_walk *walk)
{
    static const struct {
        const char *name;
        enum sty_plan_wish wish;
    } names[] = {{"adopt", STY_PLAN_ADOPT}, {"release", STY_PLAN_RELEASE}};
    const json_t *wish = sty_walk_wish(walk, subject->id);
    for (size_t i = 0; wish && i < STY_COUNT(names); i++)
        if (sty_streq(sty_json_text(wish, "wish", ""), names[i].name))
            facts->wish = names[i].wish;
    facts->requested = facts->requested || sty_json_bool(wish, "requested", false);
    facts->allow_downgrade = facts->allow_downgrade || sty_json_bool(wish, "allow_downgrade", false);
}

static int conclude(struct sty_plan_target *facts, struct sty_subject *subject, struct sty_walk *walk,
                    struct sty_error *err)
{
    if (carry_over(facts, subject, walk, err) < 0 || choose_desired(facts, subject, walk, err) < 0)
        return -1;
    if (facts->desired && check_driver(facts, walk, err) < 0)
        return -1;
    judge_open(facts, subject, walk);
    take_wish(facts, subject, walk);
    if (facts->desired)
        sty_instance_fold(facts->desired);
    return 0;
}

static int find_place(struct sty_plan_target *facts, struct sty_walk *walk, struct sty_error *err)
{
    const struct sty_document *document = NULL;
    bool twice = false;
    struct sty_cluster cluster;
    if (sty_catalog_find(&document, &twice, walk->catalog, STY_KIND_CLUSTER, facts->names.cluster, err) < 0)
        return -1;
    if (!document || !document->value)
        return 0;
    sty_cluster_read(&cluster, document);
    if (cluster.kubernetes) {
        facts->place = facts->names.cluster;
        facts->found = (struct sty_plan_block){
            "guard",
            sty_arena_printf(walk->arena, "cluster %s is of kind kubernetes, which this Styrmin cannot act on",
                             facts->names.cluster),
            "list the clusters that this installation keeps under `clusters` in its configuration"};
    }
    return 0;
}

static int want(struct view *view, const struct sty_target *names, const json_t *row, struct sty_error *err)
{
    struct sty_walk *walk = view->walk;
    size_t at = 0;
    if (sty_walk_add(&at, walk, names, row, err) < 0)
        return -1;
    struct sty_plan_target *facts = &walk->facts[at];
    struct sty_subject *subject = &walk->subjects[at];
    facts->wanted = true;
    subject->renamed = row && !sty_streq(sty_json_text(row, "deployment", ""), view->name);
    if (view->good)
        take_policy(facts, subject, view);
    if (is_known(view, subject)) {
        if (sty_walk_instance(&subject->git, walk, sty_json_text(row, "desired", NULL), err) < 0)
            return -1;
    } else if (resolve(facts, subject, walk, err) < 0) {
        return -1;
    }
    return find_place(facts, walk, err) < 0 ? -1 : conclude(facts, subject, walk, err);
}

/* ---- what is no longer wanted ---- */

/* The document is gone, and with it the hand that could change what it said: it holds until `resume`. */
static void keep_policy(struct sty_plan_target *facts, struct sty_subject *subject, const struct view *view)
{
    const json_t *suspend = json_object_get(subject->policy, "suspend");
    if (json_is_object(suspend) && !facts->suspended)
        facts->suspended = sty_arena_printf(view->walk->arena, "suspended in %s:%d, as last read",
                                            sty_json_text(suspend, "file", ""), (int)sty_json_int(suspend, "line", 0));
    if (view->environment_good)
        json_object_set_new(subject->policy, "observe", json_boolean(view->rules.observe));
}

static int end(struct view *view, const json_t *row, const struct sty_plan_block *found, bool kept,
               struct sty_error *err)
{
    struct sty_walk *walk = view->walk;
    struct sty_target names = {sty_json_text(row, "cluster", ""), view->environment, view->name};
    size_t at = 0;
    if (sty_walk_add(&at, walk, &names, row, err) < 0)
        return -1;
    struct sty_plan_target *facts = &walk->facts[at];
    facts->found = *found;
    keep_policy(facts, &walk->subjects[at], view);
    if (!kept) {
        facts->wish = STY_PLAN_RELEASE;
        facts->found = (struct sty_plan_block){0};
    }
    return conclude(facts, &walk->subjects[at], walk, err);
}

static const char *unreadable_reason(const struct view *view)
{
    struct sty_walk *walk = view->walk;
    if (walk->unreadable)
        return sty_arena_printf(walk->arena, "no delete while %s cannot be read", walk->unreadable);
    if (view->environment_there && !view->environment_good)
        return sty_arena_printf(walk->arena, "no delete while Environment %s has mistakes", view->environment);
    return view->environment_good && view->document && !view->complete
               ? "no delete while a Cluster document cannot be read"
               : NULL;
}

/* The document is there, but places it elsewhere now; a cluster whose document is gone does not count as elsewhere. */
static int displaced(struct view *view, const json_t *row, struct sty_error *err)
{
    struct sty_walk *walk = view->walk;
    const struct sty_document *cluster = NULL;
    const char *name = sty_json_text(row, "cluster", "");
    struct sty_plan_block found = {0};
    bool twice = false;
    if (sty_catalog_find(&cluster, &twice, walk->catalog, STY_KIND_CLUSTER, name, err) < 0)
        return -1;
    if (unreadable_reason(view))
        found = (struct sty_plan_block){"waiting", unreadable_reason(view), "styrmin check"};
    else if (!is_good(cluster))
        found = (struct sty_plan_block){
            "mistake", sty_arena_printf(walk->arena, "Cluster %s has no document that can be read", name),
            sty_arena_printf(walk->arena,
                             "put clusters/%s.yaml back, or take the cluster out of Environment %s by name", name,
                             view->environment)};
    return end(view, row, &found, true, err);
}

static int consider_row(struct view *view, const json_t *row, bool placed, struct sty_error *err)
{
    struct sty_target names = {sty_json_text(row, "cluster", ""), view->environment, view->name};
    struct sty_plan_block found = {0};
    if (!sty_installation_keeps(view->walk->installation, names.cluster))
        return end(view, row, &found, false, err);
    if (view->twice || (view->document && (placed || !view->good || !view->environment_good)))
        return want(view, &names, row, err);
    if (view->document)
        return displaced(view, row, err);
    const char *misplaced = NULL;
    if (sty_walk_misplaced(&misplaced, view->walk, view->name, err) < 0)
        return -1;
    if (unreadable_reason(view))
        found = (struct sty_plan_block){"waiting", unreadable_reason(view), "styrmin check"};
    else if (misplaced)
        found = (struct sty_plan_block){"mistake", misplaced, "write that Environment, or correct its name"};
    return end(view, row, &found, true, err);
}

static const json_t *row_of(const struct view *view, const char *cluster)
{
    for (size_t i = 0; i < json_array_size(view->rows); i++) {
        const json_t *row = json_array_get(view->rows, i);
        if (stands_here(view, row) && sty_streq(sty_json_text(row, "cluster", ""), cluster))
            return row;
    }
    return NULL;
}

static bool is_placed(const struct view *view, const char *cluster)
{
    for (size_t i = 0; i < view->cluster_count; i++)
        if (strcmp(view->clusters[i], cluster) == 0)
            return true;
    return false;
}

static int consider_view(struct view *view, struct sty_error *err)
{
    bool homeless = false;
    if (view->good && json_array_size(view->rows) == 0 &&
        sty_catalog_homeless(&homeless, view->walk->catalog, view->document, &view->walk->problems, err) < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(view->rows); i++) {
        const json_t *row = json_array_get(view->rows, i);
        bool placed = is_placed(view, sty_json_text(row, "cluster", ""));
        if (stands_here(view, row) && consider_row(view, row, placed, err) < 0)
            return -1;
    }
    for (size_t i = 0; (view->document || view->twice) && i < view->cluster_count; i++) {
        struct sty_target names = {view->clusters[i], view->environment, view->name};
        if (!row_of(view, names.cluster) && sty_installation_keeps(view->walk->installation, names.cluster) &&
            want(view, &names, NULL, err) < 0)
            return -1;
    }
    return 0;
}

int sty_walk_consider(struct sty_walk *walk, const char *key, struct sty_error *err)
{
    struct view view;
    if (open_view(&view, walk, key, err) < 0)
        return -1;
    int result = consider_view(&view, err);
    if (view.document)
        sty_document_fold(view.document);
    return result;
}

/* ---- renames ---- */

/* Where the old name is still there, resolving says so. */
static void move_row(struct sty_walk *walk, const json_t *row, const char *name)
{
    char id[24];
    snprintf(id, sizeof(id), "%lld", (long long)sty_json_int(row, "id", 0));
    sty_map_set(&walk->renamed, id, (void *)name);
}

/* It was wanted, but nothing ever came of it: as good as no row. */
static int is_empty_row(bool *out, const struct sty_walk *walk, const json_t *row, struct sty_error *err)
{
    int64_t id = sty_json_int(row, "id", 0), found = 0;
    if (sty_ledger_number(&found, walk->ledger, err,
                          "SELECT EXISTS (SELECT 1 FROM resources WHERE target = ?1) OR EXISTS (SELECT 1 FROM"
                          " remediations WHERE target = ?1 AND state IN ('planned', 'running', 'waiting'))",
                          "i", id) < 0)
        return -1;
    *out = !found && !sty_json_int(row, "tainted", 0) && !sty_json_text(row, "active", NULL);
    return 0;
}

static int note_rename(struct view *view, struct sty_error *err)
{
    struct sty_walk *walk = view->walk;
    const struct sty_document *old = NULL;
    bool twice = false;
    const char *from = view->deployment.renamed_from;
    const char *key = sty_arena_printf(walk->arena, "%s/%s", view->environment, from);
    json_auto_t *rows = NULL;
    if (sty_catalog_find(&old, &twice, walk->catalog, STY_KIND_DEPLOYMENT, key, err) < 0)
        return -1;
    if (old || twice)
        return 0;
    if (sty_ledger_rows(&rows, walk->ledger, err, ROWS, "ss", view->environment, from) < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i), *there = row_of(view, sty_json_text(row, "cluster", ""));
        bool empty = true;
        if (there && is_empty_row(&empty, walk, there, err) < 0)
            return -1;
        if (!empty)
            continue;
        if (there)
            move_row(walk, there, "");
        move_row(walk, row, view->name);
    }
    return 0;
}

int sty_walk_renames(struct sty_walk *walk, const struct sty_map *keys, struct sty_error *err)
{
    for (size_t i = 0; i < keys->used; i++) {
        const char *key = keys->entries[i].key;
        const struct sty_document *document = NULL;
        struct view view;
        bool twice = false;
        if (!key)
            continue;
        if (sty_catalog_find(&document, &twice, walk->catalog, STY_KIND_DEPLOYMENT, key, err) < 0)
            return -1;
        bool renamed = is_good(document) && sty_json_pointer(document->value, "/metadata/renamed_from");
        if (renamed && (open_view(&view, walk, key, err) < 0 || note_rename(&view, err) < 0))
            return -1;
        if (document)
            sty_document_fold(document);
    }
    return 0;
}
