/* SPDX-License-Identifier: Apache-2.0 */
/* The program. What it can do stands in src/cli/command.c; what it is for in README.md. */
#include <string.h>

#include "cli/cli.h"
#include "run/run.h"

int main(int argc, char **argv)
{
    /* How Styrmin starts steps and processes; no command for people. */
    if (argc > 2 && strcmp(argv[1], "launch") == 0)
        return sty_launcher_main(argc - 1, argv + 1);
    return sty_cli_main(argc, argv);
}
