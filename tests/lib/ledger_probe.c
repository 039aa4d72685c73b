/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ledger as syncs leave it, for tests and measurements of what reads one: every target of a folder of definitions is
 * resolved for real, recorded as deployed with success by a commit, and made active.
 *
 *     ledger_probe STATE_DIR FOLDER COMMIT [COPIES]
 *
 * Run again with another commit it goes on where it was. COPIES: so many more deployments, each the folder's first one
 * under another name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "activate/activate.h"
#include "cli/cli_internal.h"
#include "run/run.h"

struct probe {
    struct sty_arena *arena;
    struct sty_ledger *ledger;
    struct sty_view view;
    const char *folder, *commit;
};

static int write_commit(const struct probe *probe, struct sty_error *err)
{
    int64_t now = sty_ledger_now(probe->ledger);
    if (sty_ledger_exec(probe->ledger, err,
                        "INSERT INTO commits (oid, seq, time, author, subject, state, seen_at, finished_at) VALUES (?1,"
                        " (SELECT count(*) + 1 FROM commits), ?2, 'Anna', 'commit ' || ?1, 'succeeded', ?2, ?2)",
                        "si", probe->commit, now) < 0)
        return -1;
    return sty_ledger_exec(probe->ledger, err,
                           "INSERT INTO sources (id, url, branch, path, name, accepted, walked, fetched_at) VALUES (1,"
                           " 'https://anna:secret@git.example.com/platform.git', 'main', '.', 'probe', ?1, ?1, ?2) ON"
                           " CONFLICT (id) DO UPDATE SET accepted = ?1, walked = ?1, fetched_at = ?2",
                           "si", probe->commit, now);
}

static int policy_of(json_t **out, const struct probe *probe, const struct sty_target *target, struct sty_error *err)
{
    const struct sty_document *document = NULL;
    struct sty_deployment deployment;
    bool twice = false;
    const char *key = sty_arena_printf(probe->arena, "%s/%s", target->environment, target->deployment);
    if (sty_catalog_find(&document, &twice, probe->view.catalog, STY_KIND_DEPLOYMENT, key, err) < 0)
        return -1;
    if (!document)
        return sty_error_set(err, STY_NOT_FOUND, "no deployment %s", key);
    sty_deployment_read(&deployment, document);
    *out = json_pack("{s:n, s:O, s:s, s:b, s:O, s:s, s:b, s:s}", "suspend", "depends_on", deployment.depends_on,
                     "deletion", deployment.retain ? "retain" : "delete", "allow_downgrade", deployment.allow_downgrade,
                     "labels", deployment.labels, "lifecycle", deployment.stopped ? "stopped" : "running", "observe",
                     false, "path", document->path);
    return 0;
}

static int write_target(int64_t *id, const struct probe *probe, const struct sty_target *target,
                        const struct sty_instance *instance, const json_t *policy, struct sty_error *err)
{
    size_t length = 0;
    const char *bytes = sty_instance_bytes(&length, instance), *digest = sty_instance_digest(instance);
    if (sty_ledger_instance_put(probe->ledger, digest, bytes, length, err) < 0 ||
        sty_ledger_exec(probe->ledger, err,
                        "INSERT INTO targets (cluster, environment, deployment, wanted, desired, desired_commit,"
                        " policy) VALUES (?, ?, ?, 1, ?, ?, ?) ON CONFLICT (cluster, environment, deployment) DO UPDATE"
                        " SET desired = excluded.desired, desired_commit = excluded.desired_commit, policy ="
                        " excluded.policy",
                        "sssssj", target->cluster, target->environment, target->deployment, digest, probe->commit,
                        policy) < 0)
        return -1;
    return sty_ledger_number(id, probe->ledger, err,
                             "SELECT id FROM targets WHERE cluster = ? AND environment = ? AND deployment = ?", "sss",
                             target->cluster, target->environment, target->deployment);
}

/* One step per component, as a plan of built-in steps has them. */
static json_t *document_of(const struct probe *probe, const struct sty_target *target, const char *from,
                           const struct sty_instance *to)
{
    json_t *steps = json_array();
    const char **names = sty_instance_component_order(probe->arena, to);
    for (size_t i = 0; names[i]; i++)
        json_array_append_new(steps,
                              json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:{s:[]}}", "seq", (int)i + 1, "hook",
                                        from ? "update" : "create", "mode", "core", "action", "builtin", "type",
                                        "apply", "component", names[i], "instance", "to", "args", "resources"));
    return json_pack("{s:s, s:s, s:s, s:s?, s:s, s:s, s:[], s:o, s:s}", "target", sty_target_text(probe->arena, target),
                     "deployment", target->deployment, "kind", from ? "update" : "create", "from", from, "to",
                     sty_instance_digest(to), "reason", from ? "it differs" : "nothing is there", "resources", "steps",
                     steps, "digest", sty_instance_digest(to));
}

static int run_steps(const struct probe *probe, const char *id, struct sty_error *err)
{
    json_auto_t *steps = NULL;
    json_auto_t *result = json_pack("{s:i, s:s}", "exit_status", 0, "output", "applied\n\x1b[31mred\n");
    if (sty_ledger_rows(&steps, probe->ledger, err, "SELECT * FROM steps WHERE remediation = ? ORDER BY seq", "s", id) <
        0)
        return -1;
    for (size_t i = 0; i < json_array_size(steps); i++)
        if (sty_step_move(probe->ledger, json_array_get(steps, i), "running", NULL, err) < 0 ||
            sty_step_move(probe->ledger, json_array_get(steps, i), "succeeded", result, err) < 0)
            return -1;
    return 0;
}

static int deploy(const struct probe *probe, const struct sty_target *target, const struct sty_instance *instance,
                  const json_t *policy, struct sty_error *err)
{
    int64_t id = 0;
    char remediation[STY_ID_SIZE];
    json_auto_t *active = NULL, *row = NULL;
    if (write_target(&id, probe, target, instance, policy, err) < 0 ||
        sty_ledger_row(&active, probe->ledger, err, "SELECT instance FROM active WHERE target = ?", "i", id) < 0)
        return -1;
    const char *from = sty_json_text(active, "instance", NULL);
    if (sty_streq(from, sty_instance_digest(instance)))
        return 0;
    json_auto_t *document = document_of(probe, target, from, instance);
    struct sty_remediation_new fresh = {id, target, document, probe->commit, NULL, NULL};
    if (sty_remediation_record(remediation, probe->ledger, &fresh, err) < 0 ||
        sty_remediation_move(probe->ledger, remediation, "running", NULL, err) < 0 ||
        run_steps(probe, remediation, err) < 0 ||
        sty_remediation_move(probe->ledger, remediation, "succeeded", NULL, err) < 0 ||
        sty_ledger_row(&row, probe->ledger, err, "SELECT * FROM remediations WHERE id = ?", "s", remediation) < 0)
        return -1;
    return sty_activate(probe->ledger, row, err);
}

static int deploy_copies(const struct probe *probe, const struct sty_target *like, const struct sty_instance *instance,
                         const json_t *policy, int64_t count, struct sty_error *err)
{
    for (int64_t i = 1; i <= count; i++) {
        sty_auto_free char *name = sty_sprintf("copy-%05lld", (long long)i);
        json_auto_t *tree = json_deep_copy(sty_instance_json(instance));
        sty_auto_ptr(instance) copy = NULL;
        struct sty_target target = {like->cluster, like->environment, name};
        json_object_set_new(tree, "deployment", json_string(name));
        sty_auto_free char *bytes = sty_json_canonical_text(tree);
        if (sty_instance_parse(&copy, bytes, strlen(bytes), NULL, err) < 0 ||
            deploy(probe, &target, copy, policy, err) < 0)
            return -1;
    }
    return 0;
}

static int deploy_all(const struct probe *probe, int64_t copies, struct sty_error *err)
{
    sty_auto(blobs) blobs;
    sty_blobs_init(&blobs, probe->arena);
    sty_auto_ptr(resolver) resolver = NULL;
    struct sty_problems problems;
    struct sty_target *targets = NULL;
    size_t count = 0;
    sty_problems_init(&problems, probe->arena);
    if (sty_resolver_new(&resolver, probe->view.catalog, &blobs, err) < 0 ||
        sty_view_targets(&targets, &count, probe->arena, &probe->view, NULL, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        sty_auto(resolved) resolved = {0};
        json_auto_t *policy = NULL;
        if (sty_resolve(&resolved, resolver, &targets[i], false, &problems, err) < 0)
            return -1;
        if (!resolved.instance)
            return sty_error_set(err, STY_INVALID, "%s", resolved.message);
        if (policy_of(&policy, probe, &targets[i], err) < 0 ||
            deploy(probe, &targets[i], resolved.instance, policy, err) < 0 ||
            (i == 0 && deploy_copies(probe, &targets[i], resolved.instance, policy, copies, err) < 0))
            return -1;
    }
    return 0;
}

static int run(struct probe *probe, const char *state_dir, int64_t copies, struct sty_error *err)
{
    sty_auto_ptr(ledger) ledger = NULL;
    if (sty_ledger_open(&ledger, state_dir, STY_LEDGER_WRITE, err) < 0 ||
        sty_view_open(&probe->view, probe->arena, probe->folder, NULL, err) < 0)
        return -1;
    probe->ledger = ledger;
    if (sty_ledger_begin(ledger, err) < 0 || write_commit(probe, err) < 0 || deploy_all(probe, copies, err) < 0)
        return -1;
    return sty_ledger_commit(ledger, err);
}

int main(int argc, char **argv)
{
    struct sty_error err;
    int64_t copies = 0;
    if (argc < 4 || (argc > 4 && sty_number_parse(&copies, argv[4], 0, 1000000, &err) < 0)) {
        fprintf(stderr, "usage: ledger_probe STATE_DIR FOLDER COMMIT [COPIES]\n");
        return 2;
    }
    struct probe probe = {.arena = sty_arena_new(), .folder = argv[2], .commit = argv[3]};
    int result = run(&probe, argv[1], copies, &err);
    if (result < 0)
        fprintf(stderr, "ledger_probe: %s\n", err.text);
    sty_view_clear(&probe.view);
    sty_arena_free(probe.arena);
    return result < 0;
}
