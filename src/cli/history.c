/* SPDX-License-Identifier: Apache-2.0 */
/* history: what was done, the newest first. */
#include <stdio.h>
#include <string.h>

#include "cli/ledger_view_internal.h"

json_t *sty_history_entry(struct sty_arena *arena, const json_t *row)
{
    static const char *const copied[][2] = {
        {"id", "id"},          {"deployment", "deployment"}, {"environment", "environment"}, {"cluster", "cluster"},
        {"kind", "kind"},      {"state", "state"},           {"commit", "commit_oid"},       {"from", "from_instance"},
        {"to", "to_instance"}, {"attempt", "attempt"},       {"parent", "parent"},           {"request", "request"},
        {"error", "error"}};
    static const char *const times[] = {"created_at", "started_at", "finished_at"};
    json_t *entry = json_object();
    for (size_t i = 0; i < STY_COUNT(copied); i++)
        json_object_set(entry, copied[i][0], json_object_get(row, copied[i][1]));
    for (size_t i = 0; i < STY_COUNT(times); i++)
        json_object_set_new(entry, times[i], sty_people_when(row, times[i]));
    json_object_set_new(entry, "target", sty_json_string(sty_people_target(arena, row, true)));
    return entry;
}

enum { ID, TARGET, KIND, STATE, WHEN, TOOK, COMMIT, TO, ERROR, COLUMNS };

static enum sty_style style_of(size_t column, const char *cell)
{
    return column == STATE ? sty_people_style(cell) : STY_STYLE_PLAIN;
}

static void fill(const char **cells, struct sty_arena *arena, const json_t *row, bool full, int64_t now)
{
    char text[40];
    int64_t created = sty_json_int(row, "created_at", 0), started = sty_json_int(row, "started_at", created);
    const json_t *finished = json_object_get(row, "finished_at");
    const char *error = sty_json_text(row, "error", "");
    cells[ID] = sty_people_short(arena, sty_json_text(row, "id", NULL));
    cells[TARGET] = sty_people_target(arena, row, full);
    cells[KIND] = sty_json_text(row, "kind", "");
    cells[STATE] = sty_json_text(row, "state", "");
    cells[WHEN] = sty_arena_strdup(arena, sty_people_time(text, now, started));
    cells[TOOK] =
        json_is_integer(finished)
            ? sty_arena_strdup(arena, sty_duration_text(text, sizeof text, json_integer_value(finished) - started))
            : "-";
    cells[COMMIT] = sty_people_short(arena, sty_json_text(row, "commit_oid", NULL));
    cells[TO] = sty_people_short(arena, sty_json_text(row, "to_instance", NULL));
    cells[ERROR] = sty_arena_strndup(arena, error, strcspn(error, "\n"));
}

static void print_rows(const struct sty_cli *cli, struct sty_arena *arena, const json_t *rows)
{
    static const char *const heading[COLUMNS] = {"ID",   "TARGET", "KIND", "STATE", "WHEN",
                                                 "TOOK", "COMMIT", "TO",   "ERROR"};
    size_t count = json_array_size(rows), i;
    const char **cells = sty_arena_alloc(arena, (count + 1) * COLUMNS * sizeof *cells);
    const char *cluster = sty_json_text(json_array_get(rows, 0), "cluster", "");
    bool full = false;
    json_t *row;
    memcpy(cells, heading, sizeof heading);
    json_array_foreach (rows, i, row)
        full = full || strcmp(cluster, sty_json_text(row, "cluster", "")) != 0;
    json_array_foreach (rows, i, row)
        fill(cells + (i + 1) * COLUMNS, arena, row, full, sty_ledger_now(cli->ledger));
    if (count)
        sty_print_table(cli, &(struct sty_table){COLUMNS, count + 1, cells, style_of});
    else if (!cli->quiet)
        puts("nothing was done");
}

static int print(struct sty_cli *cli, const struct sty_listing *listing, struct sty_error *err)
{
    sty_auto_ptr(arena) arena = sty_arena_new();
    json_auto_t *rows = NULL;
    if (sty_view_history(&rows, cli->ledger, listing, err) < 0)
        return -1;
    if (cli->json) {
        json_t *entries = json_array(), *row;
        size_t i;
        json_array_foreach (rows, i, row)
            json_array_append_new(entries, sty_history_entry(arena, row));
        json_auto_t *document = json_pack("{s:s, s:o}", "kind", "History", "entries", entries);
        return sty_print_json(document, err);
    }
    print_rows(cli, arena, rows);
    return STY_EXIT_OK;
}

int sty_command_history(struct sty_cli *cli, struct sty_error *err)
{
    static const char *const states[] = {"planned", "running",   "waiting",    "succeeded",
                                         "failed",  "cancelled", "superseded", NULL};
    struct sty_listing listing;
    return sty_listing_read(&listing, cli, states, err) < 0 ? -1 : sty_listing_run(cli, &listing, print, err);
}
