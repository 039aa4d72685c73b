/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git-setup: after it, `git log` in a person's clone shows what became of each commit. The refspec is a pattern even
 * for one name, because git refuses to fetch a ref that is not there yet.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli_internal.h"
#include "cli/setup.h"

static void print_changes(const json_t *changes, bool remote)
{
    for (size_t i = 0; i < json_array_size(changes); i++) {
        const json_t *change = json_array_get(changes, i);
        printf("%-8s %s = ", sty_json_bool(change, "added", false) ? "added" : "is there",
               sty_json_text(change, "key", ""));
        sty_print_visible(sty_json_text(change, "value", ""));
        putchar('\n');
    }
    if (!remote)
        puts("there is no remote to fetch notes from: run it again when there is");
}

int sty_command_git_setup(struct sty_cli *cli, struct sty_error *err)
{
    const char *name = sty_cli_option(cli, "name");
    const char *directory = cli->argument_count ? cli->arguments[0] : ".";
    json_auto_t *changes = NULL;
    if (cli->argument_count > 1)
        return sty_error_set(err, STY_USAGE, "git-setup takes one folder");
    if (name && !sty_name_valid(name))
        return sty_error_set(err, STY_USAGE, "--name '%s' is no name of an installation", name);
    if (sty_git_show_notes(&changes, directory, name, err) < 0)
        return -1;
    if (cli->json) {
        json_auto_t *document = json_pack("{s:s, s:o, s:O}", "kind", "GitSetup", "directory",
                                          sty_json_string(directory), "changes", changes);
        return sty_print_json(document, err);
    }
    if (!cli->quiet)
        print_changes(changes, json_array_size(changes) > 1);
    return STY_EXIT_OK;
}
