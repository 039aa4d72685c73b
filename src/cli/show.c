/* SPDX-License-Identifier: Apache-2.0 */
/* show: one thing by the beginning of its id, or an Instance by what it is to a target. */
#include <stdio.h>
#include <string.h>

#include "cli/ledger_view_internal.h"

/* ---- steps, also for logs ---- */

json_t *sty_step_entry(const json_t *row)
{
    static const char *const planned[] = {"hook", "mode", "action", "type", "component", "args"};
    static const char *const recorded[] = {"attempt", "seq", "state", "exit_status", "error", "output"};
    const json_t *plan = json_object_get(row, "plan");
    json_t *entry = json_object();
    for (size_t i = 0; i < STY_COUNT(planned); i++) {
        json_t *value = json_object_get(plan, planned[i]);
        json_object_set_new(entry, planned[i], value ? json_incref(value) : json_null());
    }
    for (size_t i = 0; i < STY_COUNT(recorded); i++)
        json_object_set(entry, recorded[i], json_object_get(row, recorded[i]));
    json_object_set_new(entry, "started_at", sty_people_when(row, "started_at"));
    json_object_set_new(entry, "finished_at", sty_people_when(row, "finished_at"));
    return entry;
}

const char *sty_step_words(struct sty_arena *arena, const json_t *row)
{
    const json_t *plan = json_object_get(row, "plan");
    const char *action = sty_json_text(plan, "action", "builtin"), *component = sty_json_text(plan, "component", "");
    return sty_arena_printf(arena, "%s%s%s%s%s", sty_json_text(plan, "type", "?"), *component ? " " : "", component,
                            strcmp(action, "builtin") == 0 ? "" : ", action ",
                            strcmp(action, "builtin") == 0 ? "" : action);
}

enum { SEQ, WHAT, STATE, TOOK, ERROR, COLUMNS };

static enum sty_style style_of(size_t column, const char *cell)
{
    return column == STATE ? sty_people_style(cell) : STY_STYLE_PLAIN;
}

static void print_steps(const struct sty_cli *cli, const json_t *steps)
{
    static const char *const heading[COLUMNS] = {"STEP", "WHAT", "STATE", "TOOK", "ERROR"};
    size_t count = json_array_size(steps), i;
    const char **cells = sty_arena_alloc(cli->arena, (count + 1) * COLUMNS * sizeof *cells), **at = cells + COLUMNS;
    json_t *row;
    memcpy(cells, heading, sizeof heading);
    json_array_foreach (steps, i, row) {
        char text[32];
        const json_t *end = json_object_get(row, "finished_at");
        int64_t attempt = sty_json_int(row, "attempt", 1), took = sty_json_int(row, "started_at", 0);
        at[SEQ] = sty_arena_printf(cli->arena, attempt > 1 ? "%lld (attempt %lld)" : "%lld",
                                   (long long)sty_json_int(row, "seq", 0), (long long)attempt);
        at[WHAT] = sty_step_words(cli->arena, row);
        at[STATE] = sty_json_text(row, "state", "");
        at[TOOK] =
            json_is_integer(end)
                ? sty_arena_strdup(cli->arena, sty_duration_text(text, sizeof text, json_integer_value(end) - took))
                : "-";
        at[ERROR] = sty_json_text(row, "error", "");
        at += COLUMNS;
    }
    sty_print_table(cli, &(struct sty_table){COLUMNS, count + 1, cells, style_of});
}

/* ---- a remediation ---- */

static void print_line(const char *label, const char *text)
{
    if (!text || !*text)
        return;
    printf("  %-10s ", label);
    sty_print_visible(text);
    putchar('\n');
}

static const char *moment(const struct sty_cli *cli, const json_t *row, const char *key)
{
    char when[40], text[32];
    const json_t *value = json_object_get(row, key);
    if (!json_is_integer(value))
        return NULL;
    return sty_arena_printf(cli->arena, "%s (%s)", sty_time_text(text, json_integer_value(value)),
                            sty_people_time(when, sty_ledger_now(cli->ledger), json_integer_value(value)));
}

static void print_remediation(const struct sty_cli *cli, const json_t *row, const json_t *document, const json_t *steps)
{
    const char *state = sty_json_text(row, "state", "");
    sty_print_styled(cli, STY_STYLE_BOLD, sty_json_text(row, "kind", ""));
    printf(" of ");
    sty_print_styled(cli, STY_STYLE_BOLD, sty_people_target(cli->arena, row, true));
    fputs("  ", stdout);
    sty_print_styled(cli, sty_people_style(state), state);
    putchar('\n');
    print_line("id", sty_json_text(row, "id", ""));
    print_line("commit", sty_json_text(row, "commit_oid", ""));
    print_line("from", sty_json_text(row, "from_instance", NULL));
    print_line("to", sty_json_text(row, "to_instance", NULL));
    print_line("why", sty_json_text(document, "reason", NULL));
    print_line("request", sty_json_text(row, "request", NULL));
    print_line("answers", sty_json_text(row, "parent", NULL));
    print_line("planned", moment(cli, row, "created_at"));
    print_line("started", moment(cli, row, "started_at"));
    print_line("ended", moment(cli, row, "finished_at"));
    print_line("waits for", sty_json_text(row, "wait_reason", NULL));
    print_line("due", moment(cli, row, "due"));
    print_line("error", sty_json_text(row, "error", NULL));
    if (json_array_size(steps)) {
        putchar('\n');
        print_steps(cli, steps);
    }
}

static int show_remediation(struct sty_cli *cli, const char *id, struct sty_error *err)
{
    json_auto_t *row = NULL, *steps = NULL;
    json_t *document = NULL;
    if (sty_ledger_row(&row, cli->ledger, err, "SELECT * FROM remediations WHERE id = ?", "s", id) < 0 ||
        sty_view_steps(&steps, cli->ledger, row, err) < 0)
        return -1;
    const char *text = sty_json_text(row, "document", "");
    if (sty_json_parse(&document, text, strlen(text), err) < 0)
        return -1;
    sty_json_own(cli->arena, document);
    if (!cli->json) {
        print_remediation(cli, row, document, steps);
        return STY_EXIT_OK;
    }
    json_auto_t *out = sty_history_entry(cli->arena, row);
    json_t *entries = json_array(), *step;
    json_t *resources = json_object_get(document, "resources"), *reason = json_object_get(document, "reason");
    size_t i;
    json_array_foreach (steps, i, step)
        json_array_append_new(entries, sty_step_entry(step));
    json_object_set(out, "remediation", json_object_get(out, "kind"));
    json_object_set_new(out, "kind", json_string("Remediation"));
    json_object_set(out, "digest", json_object_get(row, "digest"));
    json_object_set_new(out, "reason", reason ? json_incref(reason) : json_null());
    json_object_set(out, "wait_reason", json_object_get(row, "wait_reason"));
    json_object_set_new(out, "due", sty_people_when(row, "due"));
    json_object_set_new(out, "resources", resources ? json_incref(resources) : json_array());
    json_object_set_new(out, "steps", entries);
    return sty_print_json(out, err);
}

/* ---- a commit ---- */

static int show_commit(struct sty_cli *cli, const char *oid, struct sty_error *err)
{
    json_auto_t *row = NULL, *done = NULL;
    if (sty_ledger_row(&row, cli->ledger, err,
                       "SELECT oid, time, author, subject, state, plan, seen_at, finished_at FROM commits"
                       " WHERE oid = ?",
                       "s", oid) < 0 ||
        sty_ledger_rows(&done, cli->ledger, err, "SELECT * FROM remediations WHERE commit_oid = ? ORDER BY seq", "s",
                        oid) < 0)
        return -1;
    json_t *entries = sty_json_own(cli->arena, json_array()), *remediation;
    size_t i;
    json_array_foreach (done, i, remediation)
        json_array_append_new(entries, sty_history_entry(cli->arena, remediation));
    if (cli->json) {
        json_auto_t *out = json_pack("{s:s, s:O, s:O, s:O, s:O, s:O, s:o, s:o, s:o, s:O}", "kind", "Commit", "commit",
                                     json_object_get(row, "oid"), "author", json_object_get(row, "author"), "subject",
                                     json_object_get(row, "subject"), "state", json_object_get(row, "state"), "plan",
                                     json_object_get(row, "plan"), "time", sty_people_when(row, "time"), "seen_at",
                                     sty_people_when(row, "seen_at"), "finished_at",
                                     sty_people_when(row, "finished_at"), "remediations", entries);
        return sty_print_json(out, err);
    }
    const char *state = sty_json_text(row, "state", "");
    sty_print_styled(cli, STY_STYLE_BOLD, sty_json_text(row, "subject", ""));
    fputs("  ", stdout);
    sty_print_styled(cli, sty_people_style(state), state);
    putchar('\n');
    print_line("commit", sty_json_text(row, "oid", ""));
    print_line("author", sty_json_text(row, "author", ""));
    print_line("made", moment(cli, row, "time"));
    print_line("seen", moment(cli, row, "seen_at"));
    print_line("dealt with", moment(cli, row, "finished_at"));
    json_array_foreach (done, i, remediation)
        print_line(sty_json_text(remediation, "kind", ""),
                   sty_arena_printf(cli->arena, "%s  %s  %s", sty_people_target(cli->arena, remediation, true),
                                    sty_json_text(remediation, "state", ""),
                                    sty_people_short(cli->arena, sty_json_text(remediation, "id", NULL))));
    return STY_EXIT_OK;
}

/* ---- an Instance ---- */

static int show_instance(struct sty_cli *cli, const char *name, struct sty_error *err)
{
    sty_auto_ptr(instance) instance = NULL;
    json_auto_t *source = NULL;
    if (sty_name_instance_open(&instance, cli->ledger, name, err) < 0 || sty_view_source(&source, cli->ledger, err) < 0)
        return -1;
    json_auto_t *document = sty_instance_document(instance, NULL, sty_json_text(source, "path", "."));
    if (cli->json)
        return sty_print_json(document, err);
    sty_print_instance(cli, document);
    return STY_EXIT_OK;
}

int sty_command_show(struct sty_cli *cli, struct sty_error *err)
{
    json_auto_t *found = NULL;
    if (cli->argument_count != 1)
        return sty_error_set(err, STY_USAGE, "show wants one id, or an Instance such as shop@active");
    if (strchr(cli->arguments[0], '@'))
        return show_instance(cli, cli->arguments[0], err);
    if (sty_name_id(&found, cli->ledger, cli->arguments[0], err) < 0)
        return -1;
    const char *kind = sty_json_text(found, "kind", ""), *id = sty_json_text(found, "id", "");
    return strcmp(kind, "remediation") == 0 ? show_remediation(cli, id, err)
           : strcmp(kind, "commit") == 0    ? show_commit(cli, id, err)
                                            : show_instance(cli, id, err);
}
