/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * ledger_view: what the reading commands ask of the ledger, and how its answers look to people. Nothing here writes,
 * takes a lock or waits for whoever holds one. Rows are JSON objects of the ledger's columns, new references.
 */
#include "cli/cli_internal.h"

/* ---- what a listing is about (listing.c) ---- */

/* The options that listing commands share; everything lives in the arena. */
struct sty_listing {
    const json_t *targets; /* patterns, each known to name something; NULL: all */
    const char *environment, *cluster, *state;
    const json_t *labels; /* {"tier":"web"}: all of them; NULL: any */
    int64_t since, until; /* milliseconds since the epoch */
    int64_t limit;
    bool watch;
};
/* `states`, NULL-terminated: what --state may be. */
int sty_listing_read(struct sty_listing *out, struct sty_cli *cli, const char *const *states, struct sty_error *err);
/* Print once, or with --watch again every 2 seconds until someone ends it. */
typedef int sty_listing_print(struct sty_cli *cli, const struct sty_listing *listing, struct sty_error *err);
int sty_listing_run(struct sty_cli *cli, const struct sty_listing *listing, sty_listing_print *print,
                    struct sty_error *err);

/* ---- queries (ledger_view.c) ---- */

/*
 * A target and the state it shows; texts of what is absent are NULL. `more`: NULL, or JSON of what is out of the
 * ordinary {"id","wanted","tainted","quarantined","pin","suspend","suspended","blocked","remediation","drift",
 * "observe","healed"}.
 */
struct sty_view_row {
    struct sty_target names;
    const char *state, *lifecycle;
    const char *active, *active_commit, *driver, *version;
    int64_t since; /* 0 without an active Instance */
    const char *desired, *desired_commit;
    const char *more;
};
struct sty_view_rows {
    struct sty_arena *arena; /* set by the caller; holds items and texts */
    struct sty_view_row *items;
    size_t count, capacity;
};
/* Ordered by full name. */
int sty_view_status(struct sty_view_rows *rows, struct sty_ledger *ledger, const struct sty_listing *listing,
                    struct sty_error *err);
/* Remediations, the newest first, without their documents. */
int sty_view_history(json_t **rows, struct sty_ledger *ledger, const struct sty_listing *listing,
                     struct sty_error *err);
/* Row 1 of sources; NULL in *row when nothing was fetched yet. */
int sty_view_source(json_t **row, struct sty_ledger *ledger, struct sty_error *err);
/* Steps of a remediation with the planned step of its document in "plan", ordered by attempt. */
int sty_view_steps(json_t **rows, struct sty_ledger *ledger, const json_t *remediation, struct sty_error *err);

/* ---- names (names.c) ---- */

/* The one target that a pattern names. STY_NOT_FOUND, or STY_USAGE listing what it could mean. */
int sty_name_target(json_t **row, struct sty_ledger *ledger, const char *pattern, struct sty_error *err);
/* What an id's beginning means: rows of {"kind":"remediation|instance|commit","id","words"}; never none or several. */
int sty_name_id(json_t **row, struct sty_ledger *ledger, const char *prefix, struct sty_error *err);
/*
 * An Instance: a digest's beginning, a target (its active one), target@active, @desired, @{N} (N before the active
 * one), @{TIME} (the active one then).
 */
int sty_name_instance(char digest[STY_DIGEST_SIZE], struct sty_ledger *ledger, const char *name, struct sty_error *err);
/* As above, read and parsed. */
int sty_name_instance_open(struct sty_instance **out, struct sty_ledger *ledger, const char *name,
                           struct sty_error *err);
/* The remediation that a target (its newest) or an id names, a whole row. */
int sty_name_remediation(json_t **row, struct sty_ledger *ledger, const char *name, struct sty_error *err);

/* ---- for people (people.c) ---- */

/* "3m ago", "in 2h", "now". */
const char *sty_people_time(char out[40], int64_t now_ms, int64_t then_ms);
/* Eight digits of a digest or id, without "sha256:"; "-" for NULL. In the arena. */
const char *sty_people_short(struct sty_arena *arena, const char *id);
/* "environment/deployment" of a row with these columns, with the cluster in front where `full`. In the arena. */
const char *sty_people_target(struct sty_arena *arena, const json_t *row, bool full);
/* Colours of states, whatever the state is of. */
enum sty_style sty_people_style(const char *state);
/* Milliseconds as RFC 3339, null for what did not happen. New references. */
json_t *sty_people_when(const json_t *row, const char *key);
/* A URL without user and password, in the arena. */
const char *sty_people_url(struct sty_arena *arena, const char *url);
/* Why the target of a row of sty_view_status() is in its state; "" where there is nothing to say. In the arena. */
const char *sty_people_reason(struct sty_arena *arena, const struct sty_view_row *row, const json_t *more,
                              int64_t now_ms);
/* `more` of such a row, parsed; an empty object where there is none. In the arena. */
const json_t *sty_people_more(struct sty_arena *arena, const struct sty_view_row *row);
/* The entry of "deployments" in the Status document. A new reference. */
json_t *sty_status_entry(struct sty_arena *arena, const struct sty_view_row *row, int64_t now_ms);

/* The entry of "entries" in the History document, from a row of remediations. A new reference. */
json_t *sty_history_entry(struct sty_arena *arena, const json_t *row);

/* A row of sty_view_steps() as programs see it (new reference), and in a few words for people (in the arena). */
json_t *sty_step_entry(const json_t *row);
const char *sty_step_words(struct sty_arena *arena, const json_t *row);

/* explain without a path (explain_target.c). */
int sty_explain_target(struct sty_cli *cli, const char *pattern, struct sty_error *err);
