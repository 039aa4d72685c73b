/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* setup: git as init and git-setup use it: spawned, deaf to the repository that our own environment may name. */
#include <stddef.h>
#include "base/json.h"
#include "base/str.h"
#include "styrmin/error.h"

/*
 * `arguments` end with NULL; stdout without its last newline goes to `output` (may be NULL). The exit status, or -1
 * with err when git cannot be run.
 */
int sty_git_run(struct sty_str *output, const char *directory, const char *const *arguments, struct sty_error *err);
/* The same where anything but exit status 0 is a failure: STY_FAILED with what git said. */
int sty_git_must(struct sty_str *output, const char *directory, const char *const *arguments, struct sty_error *err);

/*
 * Make `git log` in the clone at `directory` show notes: notes.displayRef and, where there is a remote, its fetch
 * refspec, added where they are not there yet. `name` NULL: of every installation. `*changes` gets a new array of
 * {"key", "value", "added"}.
 */
int sty_git_show_notes(json_t **changes, const char *directory, const char *name, struct sty_error *err);
