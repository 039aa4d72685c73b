/* SPDX-License-Identifier: Apache-2.0 */
/* The program. What it can do stands in src/cli/command.c; what it is for in README.md. */
#include "cli/cli.h"

int main(int argc, char **argv)
{
    return sty_cli_main(argc, argv);
}
