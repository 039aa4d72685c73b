/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logs: what the steps of a remediation printed, as the ledger has it. A step's output is there when the step has
 * ended, because only then are secrets taken out of it; following therefore tells step by step, not line by line.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/ledger_view_internal.h"

static bool ended(const json_t *remediation)
{
    static const char *const open[] = {"planned", "running", "waiting"};
    for (size_t i = 0; i < STY_COUNT(open); i++)
        if (strcmp(sty_json_text(remediation, "state", ""), open[i]) == 0)
            return false;
    return true;
}

static void print_output(const char *text)
{
    size_t length = strlen(text);
    sty_print_visible(text);
    if (length && text[length - 1] != '\n')
        putchar('\n');
}

static void print_step(const struct sty_cli *cli, const json_t *row)
{
    const char *state = sty_json_text(row, "state", ""), *error = sty_json_text(row, "error", "");
    sty_print_styled(cli, STY_STYLE_BOLD,
                     sty_arena_printf(cli->arena, "== %lld.%lld %s", (long long)sty_json_int(row, "attempt", 1),
                                      (long long)sty_json_int(row, "seq", 0), sty_step_words(cli->arena, row)));
    putchar(' ');
    sty_print_styled(cli, sty_people_style(state), state);
    putchar('\n');
    print_output(sty_json_text(row, "output", ""));
    if (*error) {
        sty_print_styled(cli, STY_STYLE_BAD, error);
        putchar('\n');
    }
}

struct logs {
    const char *id;
    int64_t step;         /* 0: all */
    int64_t attempt, seq; /* the last one told */
};

static bool is_asked_for(const struct logs *logs, const json_t *row)
{
    return logs->step == 0 || sty_json_int(row, "seq", 0) == logs->step;
}

static bool is_over(const json_t *row)
{
    static const char *const states[] = {"succeeded", "failed", "unknown", "skipped"};
    for (size_t i = 0; i < STY_COUNT(states); i++)
        if (strcmp(sty_json_text(row, "state", ""), states[i]) == 0)
            return true;
    return false;
}

static int look(json_t **remediation, json_t **steps, const struct sty_cli *cli, const char *id, struct sty_error *err)
{
    json_auto_t *row = NULL;
    if (sty_ledger_row(&row, cli->ledger, err, "SELECT * FROM remediations WHERE id = ?", "s", id) < 0)
        return -1;
    if (!row)
        return sty_error_set(err, STY_NOT_FOUND, "remediation %s is no longer kept", id);
    if (sty_view_steps(steps, cli->ledger, row, err) < 0)
        return -1;
    *remediation = json_incref(row);
    return 0;
}

/* Tell every step that is over and was not told yet, in order. */
static void tell(const struct sty_cli *cli, struct logs *logs, const json_t *steps, bool all)
{
    size_t i;
    json_t *row;
    json_array_foreach (steps, i, row) {
        int64_t attempt = sty_json_int(row, "attempt", 1), seq = sty_json_int(row, "seq", 0);
        bool told = attempt < logs->attempt || (attempt == logs->attempt && seq <= logs->seq);
        if (told)
            continue;
        if (!all && !is_over(row))
            return;
        if (is_asked_for(logs, row) && (is_over(row) || strcmp(sty_json_text(row, "state", ""), "running") == 0))
            print_step(cli, row);
        logs->attempt = attempt;
        logs->seq = seq;
    }
}

static int follow(struct sty_cli *cli, struct logs *logs, struct sty_error *err)
{
    for (;;) {
        json_auto_t *remediation = NULL, *steps = NULL;
        const struct timespec rest = {0, 250 * 1000 * 1000};
        if (look(&remediation, &steps, cli, logs->id, err) < 0)
            return -1;
        bool last = ended(remediation);
        tell(cli, logs, steps, last);
        if (fflush(stdout) != 0)
            return sty_error_set(err, STY_IO, "nobody reads stdout any more");
        if (last)
            return STY_EXIT_OK;
        nanosleep(&rest, NULL);
    }
}

static int print_document(struct sty_cli *cli, const struct logs *logs, const json_t *remediation, const json_t *steps,
                          struct sty_error *err)
{
    json_t *entries = json_array(), *row;
    size_t i;
    json_array_foreach (steps, i, row)
        if (is_asked_for(logs, row))
            json_array_append_new(entries, sty_step_entry(row));
    json_auto_t *document = json_pack(
        "{s:s, s:O, s:s, s:O, s:O, s:o}", "kind", "Logs", "remediation", json_object_get(remediation, "id"), "target",
        sty_people_target(cli->arena, remediation, true), "deployment", json_object_get(remediation, "deployment"),
        "state", json_object_get(remediation, "state"), "steps", entries);
    return sty_print_json(document, err);
}

static int check_step(const struct logs *logs, const json_t *steps, struct sty_error *err)
{
    size_t i;
    json_t *row;
    json_array_foreach (steps, i, row)
        if (is_asked_for(logs, row))
            return 0;
    return logs->step
               ? sty_error_set(err, STY_NOT_FOUND, "remediation %s has no step %lld", logs->id, (long long)logs->step)
               : 0;
}

int sty_command_logs(struct sty_cli *cli, struct sty_error *err)
{
    const char *step = sty_cli_option(cli, "step");
    bool following = sty_cli_option(cli, "follow") != NULL;
    struct logs logs = {0};
    json_auto_t *remediation = NULL, *steps = NULL;
    if (cli->argument_count != 1)
        return sty_error_set(err, STY_USAGE, "logs wants one target or one remediation's id");
    if (following && cli->json)
        return sty_error_set(err, STY_USAGE, "-f and -o json: one document cannot be followed");
    if (step && sty_number_parse(&logs.step, step, 1, INT32_MAX, err) < 0)
        return err->code = STY_USAGE, sty_error_wrap(err, "--step");
    if (sty_name_remediation(&remediation, cli->ledger, cli->arguments[0], err) < 0 ||
        sty_view_steps(&steps, cli->ledger, remediation, err) < 0)
        return -1;
    logs.id = sty_json_text(remediation, "id", "");
    if (check_step(&logs, steps, err) < 0)
        return -1;
    if (cli->json)
        return print_document(cli, &logs, remediation, steps, err);
    if (following)
        return follow(cli, &logs, err);
    tell(cli, &logs, steps, true);
    return STY_EXIT_OK;
}
