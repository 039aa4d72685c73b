/* SPDX-License-Identifier: Apache-2.0 */
/* status: declared and observed state, side by side. */
#include <stdio.h>
#include <string.h>

#include "cli/ledger_view_internal.h"

/* ---- for programs ---- */

static json_t *text_of(const json_t *row, const char *key)
{
    json_t *value = json_object_get(row, key);
    return value ? json_incref(value) : json_null();
}

static json_t *source_json(struct sty_arena *arena, const json_t *source)
{
    if (!source)
        return json_null();
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "url",
                     sty_json_string(sty_people_url(arena, sty_json_text(source, "url", ""))), "branch",
                     text_of(source, "branch"), "commit", text_of(source, "walked"), "fetched_at",
                     sty_people_when(source, "fetched_at"), "error", text_of(source, "error"));
}

static json_t *active_json(const struct sty_view_row *row)
{
    char since[32];
    if (!row->active)
        return json_null();
    return json_pack("{s:s, s:s?, s:o, s:o, s:s}", "instance", row->active, "commit", row->active_commit, "driver",
                     sty_json_string_or_null(row->driver), "version", sty_json_string_or_null(row->version), "since",
                     sty_time_text(since, row->since));
}

static json_t *desired_json(const struct sty_view_row *row)
{
    return row->desired ? json_pack("{s:s, s:s?}", "instance", row->desired, "commit", row->desired_commit)
                        : json_null();
}

static json_t *drift_json(const json_t *more)
{
    const json_t *drift = json_object_get(more, "drift");
    const char *state = sty_json_int(drift, "flapping", 0) ? "flapping"
                        : json_is_object(drift)            ? "found"
                        : sty_json_int(more, "healed", 0)  ? "healed"
                                                           : "none";
    json_t *ids = json_object_get(drift, "ids");
    return json_pack("{s:s, s:o}", "state", state, "resources", ids ? json_incref(ids) : json_array());
}

static json_t *remediation_json(const json_t *more)
{
    const json_t *open = json_object_get(more, "remediation");
    if (!json_is_object(open))
        return json_null();
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "id", text_of(open, "id"), "kind", text_of(open, "kind"), "state",
                     text_of(open, "state"), "reason", text_of(open, "reason"), "due", sty_people_when(open, "due"));
}

json_t *sty_status_entry(struct sty_arena *arena, const struct sty_view_row *row, int64_t now_ms)
{
    const json_t *more = sty_people_more(arena, row);
    const char *reason = sty_people_reason(arena, row, more, now_ms);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:b, s:b, s:o, s:b, s:o, s:o}", "target",
                     sty_target_text(arena, &row->names), "name", row->names.deployment, "environment",
                     row->names.environment, "cluster", row->names.cluster, "lifecycle", row->lifecycle, "state",
                     row->state, "reason", sty_json_string_or_null(*reason ? reason : NULL), "active", active_json(row),
                     "desired", desired_json(row), "tainted", sty_json_int(more, "tainted", 0) != 0, "quarantined",
                     json_is_string(json_object_get(more, "quarantined")), "pinned", text_of(more, "pin"), "observe",
                     sty_json_int(more, "observe", 0) != 0, "remediation", remediation_json(more), "drift",
                     drift_json(more));
}

/* ---- for people ---- */

static void print_source(const struct sty_cli *cli, const json_t *source)
{
    char when[40];
    if (!source) {
        puts("nothing was fetched yet");
        return;
    }
    sty_print_styled(cli, STY_STYLE_BOLD, sty_people_url(cli->arena, sty_json_text(source, "url", "")));
    fputs("  ", stdout);
    sty_print_visible(sty_json_text(source, "branch", ""));
    printf(" at %s", sty_people_short(cli->arena, sty_json_text(source, "walked", NULL)));
    if (json_is_integer(json_object_get(source, "fetched_at")))
        printf(", fetched %s",
               sty_people_time(when, sty_ledger_now(cli->ledger), sty_json_int(source, "fetched_at", 0)));
    if (json_is_string(json_object_get(source, "error"))) {
        fputs("  ", stdout);
        sty_print_styled(cli, STY_STYLE_BAD, sty_json_text(source, "error", ""));
    }
    putchar('\n');
}

static const char *const states[] = {"progressing", "unknown", "suspended", "blocked",
                                     "degraded",    "stopped", "healthy",   NULL};

static void print_counts(const struct sty_cli *cli, const struct sty_view_rows *rows)
{
    size_t counts[STY_COUNT(states)] = {0};
    for (size_t i = 0; i < rows->count; i++)
        for (size_t s = 0; states[s]; s++)
            counts[s] += strcmp(states[s], rows->items[i].state) == 0;
    printf("%zu target%s", rows->count, rows->count == 1 ? "" : "s");
    const char *before = ": ";
    for (size_t s = STY_COUNT(states) - 1; s > 0; s--) {
        if (counts[s - 1] == 0)
            continue;
        printf("%s%zu ", before, counts[s - 1]);
        sty_print_styled(cli, sty_people_style(states[s - 1]), states[s - 1]);
        before = ", ";
    }
    putchar('\n');
}

enum { TARGET, STATE, DRIVER, VERSION, SINCE, REASON, COLUMNS };

static enum sty_style style_of(size_t column, const char *cell)
{
    return column == STATE ? sty_people_style(cell) : STY_STYLE_PLAIN;
}

static bool several_clusters(const struct sty_view_rows *rows)
{
    for (size_t i = 1; i < rows->count; i++)
        if (strcmp(rows->items[0].names.cluster, rows->items[i].names.cluster) != 0)
            return true;
    return false;
}

static void fill(const char **cells, struct sty_arena *arena, const struct sty_view_row *row, int64_t now)
{
    char when[40];
    cells[STATE] = row->state;
    cells[DRIVER] = row->driver ? row->driver : "-";
    cells[VERSION] = row->version ? row->version : "-";
    cells[SINCE] = row->since ? sty_arena_strdup(arena, sty_people_time(when, now, row->since)) : "-";
    cells[REASON] = row->more ? sty_people_reason(arena, row, sty_people_more(arena, row), now) : "";
}

static void print_rows(const struct sty_cli *cli, const struct sty_view_rows *rows)
{
    static const char *const heading[COLUMNS] = {"TARGET", "STATE", "DRIVER", "VERSION", "SINCE", "REASON"};
    const char **cells = sty_arena_alloc(rows->arena, (rows->count + 1) * COLUMNS * sizeof *cells);
    bool full = several_clusters(rows);
    int64_t now = sty_ledger_now(cli->ledger);
    memcpy(cells, heading, sizeof heading);
    for (size_t i = 0; i < rows->count; i++) {
        const char *name = sty_target_text(rows->arena, &rows->items[i].names);
        cells[(i + 1) * COLUMNS + TARGET] = full ? name : strchr(name, '/') + 1;
        fill(cells + (i + 1) * COLUMNS, rows->arena, &rows->items[i], now);
    }
    if (rows->count)
        sty_print_table(cli, &(struct sty_table){COLUMNS, rows->count + 1, cells, style_of});
}

static int print_document(const struct sty_cli *cli, const json_t *source, const struct sty_view_rows *rows,
                          struct sty_error *err)
{
    json_t *entries = json_array();
    for (size_t i = 0; i < rows->count; i++)
        json_array_append_new(entries, sty_status_entry(rows->arena, &rows->items[i], sty_ledger_now(cli->ledger)));
    json_auto_t *document = json_pack("{s:s, s:o, s:o}", "kind", "Status", "source", source_json(rows->arena, source),
                                      "deployments", entries);
    return sty_print_json(document, err);
}

static int print(struct sty_cli *cli, const struct sty_listing *listing, struct sty_error *err)
{
    sty_auto_ptr(arena) arena = sty_arena_new();
    struct sty_view_rows rows = {.arena = arena};
    json_auto_t *source = NULL;
    if (sty_view_source(&source, cli->ledger, err) < 0 || sty_view_status(&rows, cli->ledger, listing, err) < 0)
        return -1;
    if (cli->json)
        return print_document(cli, source, &rows, err);
    print_source(cli, source);
    print_rows(cli, &rows);
    print_counts(cli, &rows);
    return STY_EXIT_OK;
}

int sty_command_status(struct sty_cli *cli, struct sty_error *err)
{
    struct sty_listing listing;
    return sty_listing_read(&listing, cli, states, err) < 0 ? -1 : sty_listing_run(cli, &listing, print, err);
}
