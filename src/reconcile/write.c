/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk becomes the ledger's, all of it in one transaction: whoever is killed before it has done nothing, whoever is
 * killed after it goes on from here.
 */
#include "reconcile/reconcile_internal.h"

#include <string.h>

#include "activate/activate.h"

/* ---- documents ---- */

static int write_document(struct sty_ledger *ledger, const struct sty_document *document, struct sty_error *err)
{
    const char *slash = document->kind == STY_KIND_DEPLOYMENT ? strchr(document->key, '/') : NULL;
    sty_auto_free char *environment = slash ? sty_strndup(document->key, (size_t)(slash - document->key)) : NULL;
    return sty_ledger_exec(ledger, err,
                           "INSERT INTO documents (path, idx, kind, key, environment, blob, valid, stale, body) VALUES"
                           " (?, ?, ?, ?, ?, ?, ?, 0, ?)",
                           "siisssbs", document->path, (int64_t)document->index, (int64_t)document->kind, document->key,
                           environment, document->blob, document->valid, document->text);
}

/* What could not be read keeps what was last read from it. */
static int write_file(struct sty_ledger *ledger, const struct sty_catalog_file *file, struct sty_error *err)
{
    if (file->blob && !file->readable)
        return sty_ledger_exec(ledger, err, "UPDATE documents SET stale = 1 WHERE path = ?", "s", file->path) < 0 ||
                       sty_ledger_exec(ledger, err,
                                       "INSERT INTO unreadable (path, blob) VALUES (?, ?) ON CONFLICT (path) DO UPDATE"
                                       " SET blob = excluded.blob",
                                       "ss", file->path, file->blob) < 0
                   ? -1
                   : 0;
    if (sty_ledger_exec(ledger, err, "DELETE FROM documents WHERE path = ?", "s", file->path) < 0 ||
        sty_ledger_exec(ledger, err, "DELETE FROM unreadable WHERE path = ?", "s", file->path) < 0)
        return -1;
    for (size_t i = 0; file->blob && i < file->count; i++)
        if (write_document(ledger, &file->documents[i], err) < 0)
            return -1;
    return 0;
}

/* The whole tree was read: what is of no file of it is of the past. */
static int forget_other_files(struct sty_walk *walk, const struct sty_catalog_file *files, size_t count,
                              struct sty_error *err)
{
    json_auto_t *paths = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(paths, sty_json_string(files[i].path));
    if (sty_ledger_exec(walk->ledger, err, "DELETE FROM documents WHERE path NOT IN (SELECT value FROM json_each(?))",
                        "j", paths) < 0)
        return -1;
    return sty_ledger_exec(walk->ledger, err,
                           "DELETE FROM unreadable WHERE path NOT IN (SELECT value FROM json_each(?))", "j", paths);
}

static int write_documents(struct sty_walk *walk, struct sty_error *err)
{
    size_t count = 0;
    const struct sty_catalog_file *files = sty_catalog_files(&count, walk->catalog);
    if (walk->whole && forget_other_files(walk, files, count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (write_file(walk->ledger, &files[i], err) < 0)
            return -1;
    return 0;
}

/* ---- source ---- */

static int write_source(struct sty_walk *walk, struct sty_error *err)
{
    return sty_ledger_exec(walk->ledger, err,
                           "UPDATE sources SET accepted = ?1, walked = ?1, walked_tree = ?2, setting = ?3, path = ?4"
                           " WHERE id = 1",
                           "ssss", walk->snapshot.commit, walk->snapshot.tree, walk->setting,
                           walk->installation->source->path);
}

/* ---- Instances ---- */

static int link_blob(struct sty_walk *walk, const char *instance, const char *digest, struct sty_error *err)
{
    const struct sty_blob *blob = sty_blobs_get(&walk->blobs, digest);
    if (blob && sty_ledger_blob_put(walk->ledger, digest, blob->bytes, blob->length, err) < 0)
        return -1;
    return sty_ledger_instance_blob(walk->ledger, instance, digest, err);
}

/* The list of a driver's files is a blob; what it lists are others. */
static int link_driver_files(struct sty_walk *walk, const char *instance, const char *list, struct sty_error *err)
{
    const struct sty_blob *blob = sty_blobs_get(&walk->blobs, list);
    json_auto_t *files = NULL;
    if (!blob)
        return 0;
    if (sty_json_parse(&files, blob->bytes, blob->length, err) < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(files); i++)
        if (link_blob(walk, instance, json_string_value(json_array_get(json_array_get(files, i), 2)), err) < 0)
            return -1;
    return 0;
}

static int link_blobs(struct sty_walk *walk, const struct sty_instance *instance, struct sty_error *err)
{
    const char *digest = sty_instance_digest(instance);
    sty_auto_ptr(arena) arena = sty_arena_new();
    for (const char **blob = sty_instance_blobs(arena, instance); *blob; blob++)
        if (link_blob(walk, digest, *blob, err) < 0)
            return -1;
    const json_t *driver = json_object_get(sty_instance_json(instance), "driver");
    return link_driver_files(walk, digest, sty_json_text(driver, "files", ""), err);
}

static int write_instance(struct sty_walk *walk, struct sty_instance *instance, struct sty_error *err)
{
    size_t length = 0;
    const char *bytes = sty_instance_bytes(&length, instance);
    if (sty_ledger_instance_put(walk->ledger, sty_instance_digest(instance), bytes, length, err) < 0)
        return -1;
    if (sty_ledger_changed(walk->ledger) == 0)
        return 0;
    int result = link_blobs(walk, instance, err);
    sty_instance_fold(instance);
    return result;
}

/* ---- targets ---- */

static int insert_target(int64_t *id, struct sty_walk *walk, const struct sty_target *names, struct sty_error *err)
{
    if (sty_ledger_exec(walk->ledger, err, "INSERT INTO targets (cluster, environment, deployment) VALUES (?, ?, ?)",
                        "sss", names->cluster, names->environment, names->deployment) < 0)
        return -1;
    return sty_ledger_number(id, walk->ledger, err, "SELECT last_insert_rowid()", "");
}

/* What stands under the new name already is empty (sty_walk_renames saw to it). */
static int make_room(struct sty_walk *walk, const struct sty_target *names, int64_t id, struct sty_error *err)
{
    return sty_ledger_exec(walk->ledger, err,
                           "DELETE FROM targets WHERE cluster = ? AND environment = ? AND deployment = ? AND id <> ?",
                           "sssi", names->cluster, names->environment, names->deployment, id);
}

static int write_inputs(struct sty_walk *walk, const struct sty_subject *subject, struct sty_error *err)
{
    if (!subject->read)
        return 0;
    if (sty_ledger_exec(walk->ledger, err, "DELETE FROM inputs WHERE target = ?", "i", subject->id) < 0)
        return -1;
    for (size_t i = 0; i < subject->input_count; i++)
        if (sty_ledger_exec(walk->ledger, err,
                            "INSERT INTO inputs (target, kind, key, oid) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                            "iiss", subject->id, (int64_t)subject->inputs[i].kind, subject->inputs[i].key,
                            subject->inputs[i].oid) < 0)
            return -1;
    return 0;
}

/*
 * Planned before a crash, not begun, and planned again as it was: the older one, which knows where its values come from,
 * stands.
 */
static bool stands(const struct sty_walk *walk, const struct sty_subject *subject, const char *digest)
{
    for (size_t i = 0; !subject->moved && !sty_walk_wish(walk, subject->id) && i < json_array_size(subject->open);
         i++) {
        const json_t *row = json_array_get(subject->open, i);
        if (sty_streq(sty_json_text(row, "state", ""), "planned") && !sty_json_text(row, "parent", NULL) &&
            !sty_json_text(row, "request", NULL) && sty_streq(sty_json_text(row, "digest", ""), digest))
            return true;
    }
    return false;
}

static bool is_planned_again(const struct sty_walk *walk, const struct sty_subject *subject, const json_t *row)
{
    const char *digest = sty_json_text(row, "digest", "");
    const struct sty_plan_target *facts = &walk->facts[subject - walk->subjects];
    for (size_t i = 0; i < walk->plan->count; i++)
        if (walk->plan->remediations[i].target == facts && sty_streq(walk->plan->remediations[i].digest, digest))
            return stands(walk, subject, digest);
    return false;
}

/* What was planned and not begun is planned anew, what waits for an older wish is given up. */
static int supersede(struct sty_walk *walk, const struct sty_subject *subject, struct sty_error *err)
{
    for (size_t i = 0; i < json_array_size(subject->open); i++) {
        const json_t *row = json_array_get(subject->open, i);
        const char *state = sty_json_text(row, "state", "");
        bool answer = sty_json_text(row, "parent", NULL) != NULL;
        bool planned = strcmp(state, "planned") == 0 && (subject->moved || !answer);
        bool waiting = strcmp(state, "waiting") == 0 && subject->moved;
        if ((planned || waiting) && !is_planned_again(walk, subject, row) &&
            sty_remediation_move(walk->ledger, sty_json_text(row, "id", ""), "superseded", NULL, err) < 0)
            return -1;
    }
    return 0;
}

static int write_target(struct sty_walk *walk, size_t at, struct sty_error *err)
{
    const struct sty_plan_target *facts = &walk->facts[at];
    struct sty_subject *subject = &walk->subjects[at];
    if (subject->renamed && make_room(walk, &facts->names, subject->id, err) < 0)
        return -1;
    if (subject->id == 0 && insert_target(&subject->id, walk, &facts->names, err) < 0)
        return -1;
    if (subject->git && write_instance(walk, subject->git, err) < 0)
        return -1;
    const char *before = sty_json_text(subject->row, "desired", NULL);
    const char *git = subject->git ? sty_instance_digest(subject->git) : facts->wanted ? before : NULL;
    bool changed = git && !sty_streq(git, before) && !subject->rewritten;
    bool pinned = facts->pinned != NULL;
    bool stays = !facts->wanted ? false : !subject->git || pinned || sty_streq(facts->quarantined, git);
    if (sty_ledger_exec(
            walk->ledger, err,
            "UPDATE targets SET deployment = ?1, wanted = ?2, desired = ?3,"
            " desired_commit = CASE WHEN ?4 OR desired_commit IS NULL THEN ?5 ELSE desired_commit END,"
            " policy = coalesce(?6, policy), blocked = NULL,"
            " quarantined = ?7,"
            " pinned = CASE WHEN ?8 THEN pinned END, pin_request = CASE WHEN ?8 THEN pin_request END,"
            " unsettled = NOT ?2 OR tainted OR (CASE WHEN ?8 THEN pinned ELSE ?3 END) IS NOT (SELECT instance"
            " FROM active WHERE target = targets.id) OR (?8 AND pinned IS NOT ?3) WHERE id = ?9",
            "sbsbsjsbi", facts->names.deployment, facts->wanted, git, changed, walk->snapshot.commit, subject->policy,
            stays ? facts->quarantined : NULL, pinned, subject->id) < 0)
        return -1;
    return supersede(walk, subject, err) < 0 ? -1 : write_inputs(walk, subject, err);
}

static int write_targets(struct sty_walk *walk, struct sty_error *err)
{
    /* Renamed rows first: their old names may be wanted by others. */
    for (int renamed = 1; renamed >= 0; renamed--)
        for (size_t i = 0; i < walk->count; i++)
            if (walk->subjects[i].renamed == renamed && write_target(walk, i, err) < 0)
                return sty_error_wrap(err, "%s", sty_target_text(walk->arena, &walk->facts[i].names));
    return 0;
}

struct sty_subject *sty_walk_subject(const struct sty_walk *walk, const struct sty_plan_target *facts)
{
    return &walk->subjects[facts - walk->facts];
}

static int write_block(struct sty_walk *walk, const struct sty_plan_blocked *entry, struct sty_error *err)
{
    static const char *const names[] = {"target", "deployment", "environment", "cluster"};
    const struct sty_subject *subject = sty_walk_subject(walk, entry->target);
    json_auto_t *blocked = sty_plan_blocked_json(entry);
    for (size_t n = 0; n < STY_COUNT(names); n++)
        json_object_del(blocked, names[n]);
    sty_auto_free char *text = sty_json_canonical_text(blocked);
    struct sty_event event = {
        .kind = "target.blocked", .target = entry->name, .commit = walk->snapshot.commit, .data = blocked};
    if (!sty_streq(text, sty_json_text(subject->row, "blocked", NULL)) &&
        sty_ledger_event(walk->ledger, &event, err) < 0)
        return -1;
    return sty_ledger_exec(walk->ledger, err, "UPDATE targets SET blocked = ?, unsettled = 1 WHERE id = ?", "si", text,
                           subject->id);
}

/* A trailer counts once; what it covers and what has to wait for something else first is remembered. */
static int remember_grant(struct sty_walk *walk, const struct sty_plan_blocked *blocked, struct sty_error *err)
{
    if (!blocked->granted || !blocked->digest)
        return 0;
    return sty_ledger_exec(walk->ledger, err,
                           "INSERT INTO approvals (digest, request, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", "ssi",
                           blocked->digest, walk->snapshot.commit, sty_ledger_now(walk->ledger));
}

static int write_blocked(struct sty_walk *walk, struct sty_error *err)
{
    for (size_t i = 0; i < walk->plan->blocked_count; i++)
        if (write_block(walk, &walk->plan->blocked[i], err) < 0 ||
            remember_grant(walk, &walk->plan->blocked[i], err) < 0)
            return -1;
    return 0;
}

/* Nothing is there and nothing is wanted. */
static int forget_empty(struct sty_walk *walk, struct sty_error *err)
{
    for (size_t i = 0; i < walk->count; i++)
        if (!walk->facts[i].wanted &&
            sty_ledger_exec(
                walk->ledger, err,
                "DELETE FROM targets WHERE id = ?1 AND wanted = 0 AND NOT tainted AND NOT EXISTS (SELECT 1"
                " FROM active WHERE target = ?1) AND NOT EXISTS (SELECT 1 FROM resources WHERE target = ?1)",
                "i", walk->subjects[i].id) < 0)
            return -1;
    return 0;
}

/* ---- what is to be done ---- */

/* Its digest is another, it is the same: as if it had been adopted, without a remediation. */
static int restamp(struct sty_walk *walk, const struct sty_plan_target *facts, struct sty_error *err)
{
    const struct sty_subject *subject = sty_walk_subject(walk, facts);
    json_auto_t *active = NULL;
    const char *digest = sty_instance_digest(facts->desired);
    if (sty_ledger_row(&active, walk->ledger, err, "SELECT * FROM active WHERE target = ?", "i", subject->id) < 0)
        return -1;
    json_auto_t *row = json_pack("{s:I, s:s, s:s, s:s, s:s}", "target", (json_int_t)subject->id, "kind", "adopt",
                                 "to_instance", digest, "commit_oid", sty_json_text(active, "commit_oid", ""), "id",
                                 sty_json_text(active, "remediation", ""));
    json_auto_t *data = json_pack("{s:s, s:s}", "from", sty_json_text(active, "instance", ""), "to", digest);
    struct sty_event event = {.kind = "target.restamped",
                              .target = sty_target_text(walk->arena, &facts->names),
                              .commit = walk->snapshot.commit,
                              .data = data};
    if (sty_activate(walk->ledger, row, err) < 0 ||
        sty_ledger_exec(walk->ledger, err, "UPDATE active SET since = ? WHERE target = ?", "ii",
                        sty_json_int(active, "since", 0), subject->id) < 0)
        return -1;
    return sty_ledger_event(walk->ledger, &event, err);
}

/* The commit that first wanted this; what only keeps or ends what is there belongs to what it is about. */
static const char *commit_of(const struct sty_walk *walk, const struct sty_plan_remediation *remediation,
                             const json_t *row)
{
    const struct sty_subject *subject = sty_walk_subject(walk, remediation->target);
    bool keeps = remediation->kind == STY_REMEDY_HEAL || remediation->kind == STY_REMEDY_RESTORE;
    if (keeps && sty_json_text(subject->row, "active_commit", NULL))
        return sty_json_text(subject->row, "active_commit", NULL);
    if (remediation->target->wanted && sty_json_text(row, "desired_commit", NULL))
        return sty_json_text(row, "desired_commit", NULL);
    return walk->snapshot.commit;
}

static int write_remediation(struct sty_walk *walk, const struct sty_plan_remediation *remediation,
                             struct sty_error *err)
{
    const struct sty_subject *subject = sty_walk_subject(walk, remediation->target);
    const json_t *wish = sty_walk_wish(walk, subject->id);
    json_auto_t *document = sty_plan_remediation_json(remediation), *row = NULL;
    char id[STY_ID_SIZE];
    if (stands(walk, subject, remediation->digest))
        return 0;
    if (sty_ledger_row(&row, walk->ledger, err, "SELECT desired_commit FROM targets WHERE id = ?", "i", subject->id) <
        0)
        return -1;
    if (!walk->no_approvals && sty_ledger_exec(walk->ledger, err,
                                               "DELETE FROM approvals WHERE digest = ? AND NOT EXISTS (SELECT 1 FROM"
                                               " requests q WHERE q.id = request)",
                                               "s", remediation->digest) < 0)
        return -1;
    struct sty_remediation_new fresh = {.target = subject->id,
                                        .names = &remediation->target->names,
                                        .document = document,
                                        .commit = commit_of(walk, remediation, row),
                                        .request = sty_json_text(wish, "request", NULL)};
    return sty_remediation_record(id, walk->ledger, &fresh, err);
}

static int hand_over(struct sty_walk *walk, const struct sty_plan_handover *handover, struct sty_error *err)
{
    return sty_ledger_exec(walk->ledger, err, "UPDATE resources SET target = ? WHERE place = ? AND id = ?", "iss",
                           sty_walk_subject(walk, handover->to)->id, handover->to->place, handover->id);
}

static int write_work(struct sty_walk *walk, struct sty_error *err)
{
    for (size_t i = 0; i < walk->plan->handover_count; i++)
        if (hand_over(walk, &walk->plan->handovers[i], err) < 0)
            return -1;
    for (size_t i = 0; i < walk->plan->restamped_count; i++)
        if (restamp(walk, walk->plan->restamped[i], err) < 0)
            return -1;
    for (size_t i = 0; i < walk->plan->count; i++)
        if (write_remediation(walk, &walk->plan->remediations[i], err) < 0)
            return sty_error_wrap(err, "%s", walk->plan->remediations[i].name);
    return 0;
}

static int write_all(void *self, struct sty_ledger *ledger, struct sty_error *err)
{
    struct sty_walk *walk = self;
    if (!walk->catalog)
        return write_work(walk, err);
    if (write_documents(walk, err) < 0 || sty_walk_write_commits(walk, err) < 0 || write_targets(walk, err) < 0 ||
        write_blocked(walk, err) < 0 || write_work(walk, err) < 0 || sty_walk_write_findings(walk, err) < 0 ||
        forget_empty(walk, err) < 0 || write_source(walk, err) < 0)
        return -1;
    return sty_commit_settle(ledger, walk->snapshot.commit, false, err);
}

int sty_in_transaction(struct sty_ledger *ledger, sty_writer *write, void *self, struct sty_error *err)
{
    if (sty_ledger_begin(ledger, err) < 0)
        return -1;
    if (write(self, ledger, err) < 0) {
        sty_ledger_rollback(ledger);
        return -1;
    }
    return sty_ledger_commit(ledger, err);
}

int sty_walk_write(struct sty_walk *walk, struct sty_error *err)
{
    return sty_in_transaction(walk->ledger, write_all, walk, err);
}
