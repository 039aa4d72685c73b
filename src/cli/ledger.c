/* SPDX-License-Identifier: Apache-2.0 */
/* ledger check, backup, prune, export: care for what Styrmin remembers. */
#include <stdio.h>
#include <string.h>

#include "cli/acting.h"

static int check(struct sty_cli *cli, struct sty_error *err)
{
    json_auto_t *problems = NULL;
    if (sty_ledger_check(&problems, cli->ledger, err) < 0)
        return -1;
    bool ok = json_array_size(problems) == 0;
    if (cli->json) {
        json_auto_t *document = json_pack("{s:s, s:b, s:O}", "kind", "LedgerCheck", "ok", ok, "problems", problems);
        return sty_print_json(document, err) < 0 ? -1 : ok ? STY_EXIT_OK : STY_EXIT_FAILED;
    }
    for (size_t i = 0; i < json_array_size(problems); i++) {
        sty_print_visible(json_string_value(json_array_get(problems, i)));
        putchar('\n');
    }
    if (ok && !cli->quiet)
        puts("chain, foreign keys, contents and file are as they should be");
    return ok ? STY_EXIT_OK : STY_EXIT_FAILED;
}

static int backup(struct sty_cli *cli, struct sty_error *err)
{
    return sty_ledger_backup(cli->ledger, cli->arguments[1], err);
}

static int prune(struct sty_cli *cli, struct sty_error *err)
{
    sty_auto(acting) acting = {.lock = -1};
    json_auto_t *summary = NULL;
    const json_t *retention = json_object_get(cli->configuration.value, "retention");
    int64_t keep_ms = 0;
    if (sty_duration_parse(&keep_ms, sty_json_text(retention, "events", "400d"), err) < 0)
        return err->code = STY_USAGE, sty_error_wrap(err, "retention.events");
    if (sty_acting_open(&acting, cli, 0, err) < 0 ||
        sty_ledger_prune(&summary, acting.ledger, sty_ledger_now(acting.ledger) - keep_ms,
                         sty_json_int(retention, "instances", 50), err) < 0)
        return -1;
    json_object_set_new(summary, "kind", json_string("LedgerPrune"));
    if (cli->json)
        return sty_print_json(summary, err);
    if (!cli->quiet)
        printf("pruned %lld events, %lld remediations, %lld Instances, %lld blobs\n",
               (long long)sty_json_int(summary, "events", 0), (long long)sty_json_int(summary, "remediations", 0),
               (long long)sty_json_int(summary, "instances", 0), (long long)sty_json_int(summary, "blobs", 0));
    return STY_EXIT_OK;
}

/* One JSON object a line, a page at a time: the history may be longer than memory. */
static int export_table(struct sty_cli *cli, const char *kind, const char *sql, struct sty_error *err)
{
    for (int64_t after = 0, more = 1; more;) {
        json_auto_t *rows = NULL;
        if (sty_ledger_rows(&rows, cli->ledger, err, sql, "i", after) < 0)
            return -1;
        more = (int64_t)json_array_size(rows);
        for (size_t i = 0; i < json_array_size(rows); i++) {
            json_t *row = json_array_get(rows, i);
            json_object_set_new(row, "kind_of_row", json_string(kind));
            after = sty_json_int(row, "seq", after);
            sty_auto_free char *line = sty_json_canonical_text(row);
            if (puts(line) == EOF)
                return sty_error_set(err, STY_IO, "writing to stdout: %m");
        }
    }
    return 0;
}

static int export(struct sty_cli *cli, struct sty_error *err)
{
    if (export_table(cli, "record", "SELECT * FROM records WHERE seq > ? ORDER BY seq LIMIT 1000", err) < 0)
        return -1;
    return export_table(cli, "event", "SELECT * FROM events WHERE seq > ? ORDER BY seq LIMIT 1000", err);
}

static const struct {
    const char *name;
    size_t arguments;
    bool reads;
    int (*run)(struct sty_cli *cli, struct sty_error *err);
} kinds[] = {
    {"check", 1, true, check}, {"backup", 2, true, backup}, {"prune", 1, false, prune}, {"export", 1, true, export}};

int sty_command_ledger(struct sty_cli *cli, struct sty_error *err)
{
    const char *what = cli->argument_count ? cli->arguments[0] : "";
    for (size_t i = 0; i < STY_COUNT(kinds); i++)
        if (strcmp(what, kinds[i].name) == 0 && cli->argument_count == kinds[i].arguments)
            return kinds[i].reads && sty_cli_prepare(cli, STY_NEEDS_CONFIGURATION | STY_NEEDS_LEDGER, err) < 0
                       ? -1
                       : kinds[i].run(cli, err);
    return sty_error_set(err, STY_USAGE, "ledger wants: %s", cli->command->synopsis);
}
