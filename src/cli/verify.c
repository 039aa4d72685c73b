/* SPDX-License-Identifier: Apache-2.0 */
/* verify: the records of an installation, checked with nothing but a clone that has its notes. */
#include <stdio.h>
#include <string.h>

#include "cli/cli_internal.h"
#include "report/report.h"

static void say(const struct sty_cli *cli, const char *name, const json_t *document)
{
    const json_t *problems = json_object_get(document, "problems");
    for (size_t i = 0; i < json_array_size(problems); i++) {
        const json_t *problem = json_array_get(problems, i);
        const json_t *sequence = json_object_get(problem, "sequence");
        printf("%.12s", sty_json_text(problem, "commit", ""));
        if (json_is_integer(sequence))
            printf(" record %lld", (long long)json_integer_value(sequence));
        fputs(": ", stdout);
        sty_print_visible(sty_json_text(problem, "message", ""));
        putchar('\n');
    }
    if (cli->quiet || json_array_size(problems))
        return;
    printf("%lld records of %s, from %s to %s, by %zu installation%s: one chain without a gap\n",
           (long long)sty_json_int(document, "records", 0), name, sty_json_text(document, "first", "-"),
           sty_json_text(document, "last", "-"), json_array_size(json_object_get(document, "installations")),
           json_array_size(json_object_get(document, "installations")) == 1 ? "" : "s");
}

int sty_command_verify(struct sty_cli *cli, struct sty_error *err)
{
    sty_auto_ptr(repo) repo = NULL;
    json_auto_t *document = NULL;
    const char *prefix = NULL, *name = sty_cli_option(cli, "name");
    if (cli->argument_count != 1 || !name)
        return sty_error_set(err, STY_USAGE, "verify wants: %s", cli->command->synopsis);
    if (!sty_name_valid(name))
        return sty_error_set(err, STY_USAGE, "--name wants an installation's name, not '%s'", name);
    if (sty_repo_open_existing(&repo, &prefix, cli->arena, cli->arguments[0], err) < 0 ||
        sty_records_verify(&document, repo, name, err) < 0)
        return -1;
    bool ok = json_array_size(json_object_get(document, "problems")) == 0;
    if (ok && sty_json_int(document, "records", 0) == 0)
        return sty_error_set(err, STY_NOT_FOUND,
                             "no records of '%s' there: fetch refs/notes/styrmin/* and refs/notes/styrmin-records/*",
                             name);
    json_object_set_new(document, "kind", json_string("Verification"));
    json_object_set_new(document, "name", json_string(name));
    json_object_set_new(document, "ok", json_boolean(ok));
    if (cli->json && sty_print_json(document, err) < 0)
        return -1;
    if (!cli->json)
        say(cli, name, document);
    return ok ? STY_EXIT_OK : STY_EXIT_FAILED;
}
