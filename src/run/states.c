/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The states of remediations and steps. Each table says what may follow what; nobody else knows. A test prints the
 * tables and compares them with these drawings, so that neither can lie:
 *
 * digraph remediation {
 *   planned -> running
 *   planned -> superseded
 *   running -> waiting
 *   running -> succeeded
 *   running -> failed
 *   running -> cancelled
 *   waiting -> running
 *   waiting -> superseded
 *   failed -> waiting
 *   cancelled -> waiting
 * }
 *
 * digraph step {
 *   pending -> running
 *   pending -> skipped
 *   running -> succeeded
 *   running -> failed
 *   running -> unknown
 *   unknown -> running
 *   unknown -> succeeded
 * }
 */
#include "run/run_internal.h"

#include <string.h>

const struct sty_state sty_remediation_states[] = {
    {"planned", false, {"running", "superseded"}},
    {"running", false, {"waiting", "succeeded", "failed", "cancelled"}},
    {"waiting", false, {"running", "superseded"}},
    {"succeeded", true, {NULL}},
    {"failed", true, {"waiting"}},
    {"cancelled", true, {"waiting"}},
    {"superseded", true, {NULL}},
    {NULL, true, {NULL}},
};

const struct sty_state sty_step_states[] = {
    {"pending", false, {"running", "skipped"}},
    {"running", false, {"succeeded", "failed", "unknown"}},
    {"unknown", false, {"running", "succeeded"}},
    {"succeeded", true, {NULL}},
    {"failed", true, {NULL}},
    {"skipped", true, {NULL}},
    {NULL, true, {NULL}},
};

static const struct sty_state *find(const struct sty_state *table, const char *name)
{
    for (; table->name; table++)
        if (strcmp(table->name, name) == 0)
            return table;
    return NULL;
}

bool sty_state_allows(const struct sty_state *table, const char *from, const char *to)
{
    const struct sty_state *state = find(table, from);
    for (size_t i = 0; state && state->next[i]; i++)
        if (strcmp(state->next[i], to) == 0)
            return true;
    return false;
}

bool sty_state_ended(const struct sty_state *table, const char *name)
{
    const struct sty_state *state = find(table, name);
    return !state || state->ended;
}
