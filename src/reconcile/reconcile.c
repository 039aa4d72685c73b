/* SPDX-License-Identifier: Apache-2.0 */
/*
 * START HERE. The way of the data in one function: commit, definitions, Instances, diff, plan (a walk, which only
 * reads), then run, activate and report. Everything else in this folder is one step of it.
 */
#include "reconcile/reconcile_internal.h"

#include <string.h>

#include "activate/activate.h"
#include "base/log.h"
#include "report/report.h"

/* What is open is found by its index, if asked for in its words. */
#define UNBEGUN "state IN ('planned', 'running', 'waiting') AND state = 'planned' AND parent IS NULL"

enum { MOST_ROUNDS = 8 }; /* of one sync */

void sty_run_world_init(struct sty_run_world *out, const struct sty_installation *installation)
{
    *out = (struct sty_run_world){.ledger = installation->ledger,
                                  .world = installation->world,
                                  .state_dir = installation->state_dir,
                                  .allow = installation->allow,
                                  .secrets = installation->secrets,
                                  .program = installation->program,
                                  .activate = sty_activate,
                                  .ended = sty_commit_ended,
                                  .progress = installation->progress,
                                  .self = installation->self};
}

/* ---- source ---- */

static int write_fetched(const struct sty_installation *installation, const char *error, struct sty_error *err)
{
    const struct sty_source_config *source = installation->source;
    return sty_ledger_exec(
        installation->ledger, err,
        "INSERT INTO sources (id, url, branch, path, name, fetched_at, error) VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6) ON"
        " CONFLICT (id) DO UPDATE SET url = ?1, accepted = CASE WHEN branch = ?2 THEN accepted END, branch = ?2,"
        " name = ?4, fetched_at = CASE WHEN ?6 IS NULL THEN ?5 ELSE fetched_at END, error = ?6",
        "ssssis", source->url, source->branch, source->path, source->name, sty_ledger_now(installation->ledger), error);
}

/* The newest tip of this branch that was walked; `row` has no "accepted" where there is none. */
static int last_accepted(json_t **row, const struct sty_installation *installation, struct sty_error *err)
{
    return sty_ledger_row(row, installation->ledger, err, "SELECT accepted FROM sources WHERE id = 1 AND branch = ?",
                          "s", installation->source->branch);
}

static int fetch(const struct sty_installation *installation, struct sty_fetch_result *fetched, struct sty_error *err)
{
    json_auto_t *row = NULL;
    if (last_accepted(&row, installation, err) < 0)
        return -1;
    return sty_repo_fetch(fetched, installation->repo, installation->source, sty_json_text(row, "accepted", NULL), err);
}

/* The mirror may stand where a fetch under another configuration let it go. */
static int check_trust(const struct sty_installation *installation, const char *tip, struct sty_error *err)
{
    json_auto_t *row = NULL;
    if (last_accepted(&row, installation, err) < 0)
        return -1;
    return sty_repo_verify(installation->repo, installation->source, tip, sty_json_text(row, "accepted", NULL), err);
}

/* Whose records are under our name is asked when they can have changed. */
static int check_records(const struct sty_installation *installation, bool fresh, struct sty_error *err)
{
    char last[STY_DIGEST_SIZE];
    if (sty_report_verify(last, installation->ledger, installation->repo, installation->source->name, err) == 0)
        return 0;
    if (err->code != STY_NOT_FOUND || !fresh)
        return -1;
    return sty_ledger_meta_set(installation->ledger, "records_after", last, err);
}

/*
 * A source that is away stops nothing that it is not needed for: what is due still runs, and the mirror is walked as it
 * is. Whoever was never here has nothing to go on with.
 */
static int update_source(struct sty_error *trouble, const struct sty_installation *installation,
                         const struct sty_sync_options *options, struct sty_error *err)
{
    struct sty_fetch_result fetched = {.notes_changed = true};
    int64_t walked = 0, records = 0;
    int result = options->no_fetch ? 0 : fetch(installation, &fetched, err);
    if (result < 0 && err->code == STY_USAGE) /* the configuration is wrong, and may hold what no row may */
        return -1;
    *trouble = result < 0 ? *err : (struct sty_error){STY_OK, ""};
    if (!options->no_fetch && write_fetched(installation, result < 0 ? trouble->text : NULL, err) < 0)
        return -1;
    if (sty_ledger_number(&walked, installation->ledger, err, "SELECT count(*) FROM sources WHERE walked IS NOT NULL",
                          "") < 0 ||
        sty_ledger_number(&records, installation->ledger, err, "SELECT EXISTS (SELECT 1 FROM records)", "") < 0)
        return -1;
    if (result < 0 && !walked) {
        *err = *trouble;
        return -1;
    }
    if (result < 0)
        sty_log(STY_LOG_WARNING, "source.fetch", "%s; going on with what the mirror has", trouble->text);
    bool look = result == 0 && !options->no_fetch && (fetched.notes_changed || !records);
    return look ? check_records(installation, options->fresh, err) : 0;
}

/* ---- one round: walk, write, run ---- */

static int last_event(int64_t *out, const struct sty_installation *installation, struct sty_error *err)
{
    return sty_ledger_number(out, installation->ledger, err, "SELECT coalesce(max(seq), 0) FROM events", "");
}

static int anything_to_walk(bool *out, const struct sty_installation *installation, const char *tip,
                            const json_t *wishes, struct sty_error *err)
{
    int64_t unsettled = 0;
    json_auto_t *source = NULL;
    sty_auto_free char *setting = sty_setting_text(installation);
    if (sty_ledger_row(&source, installation->ledger, err, "SELECT walked, setting FROM sources WHERE id = 1", "") <
            0 ||
        sty_ledger_number(&unsettled, installation->ledger, err,
                          "SELECT EXISTS (SELECT 1 FROM targets WHERE unsettled = 1)", "") < 0)
        return -1;
    *out = unsettled || json_array_size(wishes) || !sty_streq(sty_json_text(source, "walked", NULL), tip) ||
           !sty_streq(sty_json_text(source, "setting", NULL), setting);
    return 0;
}

static int refuse_other_plan(const struct sty_walk *walk, const char *wanted, struct sty_error *err)
{
    if (!wanted || sty_streq(wanted, walk->plan->digest))
        return 0;
    return sty_error_set(err, STY_BLOCKED,
                         "the plan is %s now, not %s: look at it with `styrmin plan`; nothing was started",
                         walk->plan->digest, wanted);
}

static int walk_once(struct sty_walk **out, const struct sty_installation *installation,
                     const struct sty_walk_options *options, const char *plan, struct sty_error *err)
{
    sty_auto_ptr(walk) walk = NULL;
    if (sty_walk_make(&walk, installation, options, err) < 0 || refuse_other_plan(walk, plan, err) < 0 ||
        sty_walk_write(walk, err) < 0)
        return -1;
    *out = sty_take(walk);
    return 0;
}

/*
 * The mirror's branch may be ahead of what was accepted, moved by a plan of somebody who accepts more: what `fetch` would
 * refuse is not walked either.
 */
static int check_descent(const struct sty_installation *installation, const char *tip, struct sty_error *err)
{
    const struct sty_source_config *source = installation->source;
    json_auto_t *row = NULL;
    bool descends = true;
    if (source->accept_rewind)
        return 0;
    if (sty_ledger_row(&row, installation->ledger, err, "SELECT accepted FROM sources WHERE id = 1 AND branch = ?", "s",
                       source->branch) < 0)
        return -1;
    const char *accepted = sty_json_text(row, "accepted", NULL);
    if (accepted && sty_repo_descends(&descends, installation->repo, tip, accepted, err) < 0)
        return -1;
    return descends ? 0
                    : sty_error_set(err, STY_REWOUND,
                                    "branch '%s' was rewritten: %s does not descend from %s, the last accepted commit;"
                                    " set source.rewind: accept once if that was meant",
                                    source->branch, tip, accepted);
}

static int walk_tip(struct sty_walk **out, const struct sty_installation *installation, const char *plan,
                    const json_t *wishes, struct sty_error *err)
{
    char tip[STY_OID_SIZE];
    struct sty_snapshot snapshot;
    bool needed = false;
    if (sty_repo_tip(tip, installation->repo, installation->source->branch, err) < 0 ||
        anything_to_walk(&needed, installation, tip, wishes, err) < 0)
        return -1;
    if (!needed && !plan)
        return 0;
    if (check_descent(installation, tip, err) < 0 || check_trust(installation, tip, err) < 0 ||
        sty_repo_snapshot(&snapshot, installation->repo, tip, installation->source->path, err) < 0)
        return -1;
    struct sty_walk_options options = {.snapshot = &snapshot, .want_diff = true, .wishes = wishes};
    return walk_once(out, installation, &options, plan, err);
}

/* What was planned but could not begin, as what it depends on did not come about, is planned anew by the next walk. */
static int give_up_unbegun(void *self, struct sty_ledger *ledger, struct sty_error *err)
{
    json_auto_t *rows = NULL;
    (void)self;
    if (sty_ledger_rows(&rows, ledger, err, "SELECT * FROM remediations WHERE " UNBEGUN, "") < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        json_auto_t *blocked = json_pack("{s:s, s:s, s:n, s:O, s:O}", "reason", "dependency", "message",
                                         "what it depends on did not succeed", "remedy", "kind",
                                         json_object_get(row, "kind"), "digest", json_object_get(row, "digest"));
        if (sty_ledger_exec(ledger, err, "UPDATE targets SET blocked = ?, unsettled = 1 WHERE id = ?", "ji", blocked,
                            sty_json_int(row, "target", 0)) < 0 ||
            sty_remediation_move(ledger, sty_json_text(row, "id", ""), "superseded", NULL, err) < 0)
            return -1;
        json_object_set_new(row, "state", json_string("superseded"));
        if (sty_commit_ended(ledger, row, NULL, err) < 0)
            return -1;
    }
    return 0;
}

static int run(const struct sty_installation *installation, struct sty_error *err)
{
    struct sty_run_world world;
    int64_t unbegun = 0;
    sty_run_world_init(&world, installation);
    if (sty_engine_run(&world, installation->parallelism, err) < 0 ||
        sty_ledger_number(&unbegun, installation->ledger, err, "SELECT count(*) FROM remediations WHERE " UNBEGUN, "") <
            0)
        return -1;
    return unbegun ? sty_in_transaction(installation->ledger, give_up_unbegun, NULL, err) : 0;
}

/*
 * Something came about that others had to wait for: a create elsewhere before the delete here, a dependency, whoever had
 * a claim. They go on in the same sync.
 */
static int others_go_on(bool *out, struct sty_ledger *ledger, int64_t event, struct sty_error *err)
{
    int64_t found = 0;
    if (sty_ledger_number(&found, ledger, err,
                          "SELECT EXISTS (SELECT 1 FROM events WHERE seq > ? AND kind = 'remediation.succeeded') AND"
                          " EXISTS (SELECT 1 FROM targets WHERE unsettled = 1 AND blocked ->> 'reason' IN ('waiting',"
                          " 'dependency', 'claim'))",
                          "i", event) < 0)
        return -1;
    *out = found;
    return 0;
}

static int one_round(struct sty_walk **walk, bool *more, const struct sty_installation *installation, const char *plan,
                     struct sty_error *err)
{
    json_auto_t *wishes = json_array();
    int64_t pending = 0, event = 0;
    if (last_event(&event, installation, err) < 0 || sty_requests_take(wishes, installation, err) < 0 ||
        walk_tip(walk, installation, plan, wishes, err) < 0 || run(installation, err) < 0 ||
        sty_requests_answer(wishes, installation, err) < 0 ||
        sty_ledger_number(&pending, installation->ledger, err, "SELECT count(*) FROM requests WHERE state = 'pending'",
                          "") < 0 ||
        others_go_on(more, installation->ledger, event, err) < 0)
        return -1;
    *more = pending || (*more && !plan);
    return 0;
}

/*
 * Requests may come while others are carried out, and what waited may go on; each round takes what is there. The first
 * walk is the sync's, the others only follow it. Where one plan was asked for, nothing else begins.
 */
static int work(struct sty_walk **walk, const struct sty_installation *installation,
                const struct sty_sync_options *options, struct sty_error *err)
{
    bool more = true;
    for (int round = 0; more && round < MOST_ROUNDS; round++) {
        sty_auto_ptr(walk) again = NULL;
        if (one_round(&again, &more, installation, round ? NULL : options->plan, err) < 0)
            return -1;
        if (!*walk)
            *walk = sty_take(again);
    }
    return 0;
}

/* ---- report ---- */

static int pause_commits(void *self, struct sty_ledger *ledger, struct sty_error *err)
{
    const json_t *rows = self;
    for (size_t i = 0; i < json_array_size(rows); i++)
        if (sty_commit_settle(ledger, sty_json_text(json_array_get(rows, i), "oid", ""), true, err) < 0)
            return -1;
    return 0;
}

/* What waits when the sync ends is said to wait. */
static int report(const struct sty_installation *installation, struct sty_error *err)
{
    json_auto_t *rows = NULL;
    struct sty_delivery delivery;
    if (sty_ledger_rows(&rows, installation->ledger, err, "SELECT oid FROM commits WHERE state = 'running'", "") < 0)
        return -1;
    if (json_array_size(rows) && sty_in_transaction(installation->ledger, pause_commits, rows, err) < 0)
        return -1;
    if (sty_report_deliver(&delivery, installation->ledger, installation->repo, installation->source,
                           installation->push_notes, err) < 0)
        return -1;
    if (delivery.error[0])
        sty_log(STY_LOG_WARNING, "notes.push", "notes are in the mirror, but were not pushed: %s", delivery.error);
    return 0;
}

static int look_before(struct sty_before *out, const struct sty_installation *installation, struct sty_error *err)
{
    *out = (struct sty_before){.event = 0, .started = installation->world->monotonic_ms(installation->world->self)};
    return last_event(&out->event, installation, err);
}

static int resume(const struct sty_installation *installation, struct sty_error *err)
{
    struct sty_run_world world;
    sty_run_world_init(&world, installation);
    return sty_engine_resume(&world, installation->parallelism, err);
}

static int heal(const struct sty_installation *installation, struct sty_error *err)
{
    sty_auto(outcome) outcome = {0};
    const struct sty_drift_wish wish = {.heal = true};
    return sty_reconcile_drift(&outcome, installation, &wish, err);
}

int sty_reconcile(struct sty_outcome *out, const struct sty_installation *installation,
                  const struct sty_sync_options *options, struct sty_error *err)
{
    struct sty_before before;
    struct sty_error trouble;
    sty_auto_ptr(walk) walk = NULL;
    if (look_before(&before, installation, err) < 0)
        return -1;
    if (resume(installation, err) < 0 || update_source(&trouble, installation, options, err) < 0)
        return -1;
    if (work(&walk, installation, options, err) < 0)
        return -1;
    if (options->heal && heal(installation, err) < 0)
        return -1;
    if (report(installation, err) < 0)
        return -1;
    if (sty_outcome_sync(out, installation, &before, walk, err) < 0)
        return -1;
    if (trouble.code != STY_OK) {
        json_object_set_new(out->document, "error", sty_json_string(trouble.text));
        out->failed = true;
    }
    return 0;
}
