/* SPDX-License-Identifier: Apache-2.0 */
/* ledger check, ledger backup: care for what Styrmin remembers. */
#include <stdio.h>
#include <string.h>

#include "cli/cli_internal.h"

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

int sty_command_ledger(struct sty_cli *cli, struct sty_error *err)
{
    const char *what = cli->argument_count ? cli->arguments[0] : "";
    if (strcmp(what, "check") == 0 && cli->argument_count == 1)
        return check(cli, err);
    if (strcmp(what, "backup") == 0 && cli->argument_count == 2)
        return sty_ledger_backup(cli->ledger, cli->arguments[1], err);
    return sty_error_set(err, STY_USAGE, "ledger wants: %s", cli->command->synopsis);
}
