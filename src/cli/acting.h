/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * acting: what commands that plan or act share: the installation that the configuration describes, opened for looking or
 * for acting, and what they say of outcomes.
 */
#include "cli/cli_internal.h"
#include "reconcile/reconcile.h"

struct sty_acting {
    int lock; /* on the state directory; -1: not held */
    struct sty_ledger *ledger;
    struct sty_repo *repo;
    const char *program;
    struct sty_installation installation;
};
void sty_acting_clear(struct sty_acting *acting);
/* Make the state directory, take the lock (STY_BUSY after `wait_ms`), open ledger and mirror for writing. */
int sty_acting_open(struct sty_acting *out, struct sty_cli *cli, int64_t wait_ms, struct sty_error *err);
/* The ledger as it is, nothing written; none yet: an empty one. Without the mirror, which not everybody needs. */
int sty_acting_look(struct sty_acting *out, struct sty_cli *cli, struct sty_error *err);

/* ---- what happened and what would, for people (outcome_text.c, plan_text.c) ---- */

void sty_print_sync(const struct sty_cli *cli, const json_t *document);
/* What waits for a person, each with its reason and what to do. */
void sty_print_blocked(const struct sty_cli *cli, const json_t *list);
void sty_print_plan(const struct sty_cli *cli, const struct sty_outcome *plan);
void sty_print_plan_markdown(const struct sty_outcome *plan);
/* "production/shop" of an entry with "environment" and "deployment", or of its full "target". In the arena. */
const char *sty_target_words(const struct sty_cli *cli, const json_t *entry);

/* ---- progress.c: who works on what, on a terminal, while it happens ---- */
struct sty_progress;
struct sty_progress *sty_progress_new(const struct sty_cli *cli); /* NULL: nobody watches */
void sty_progress_free(struct sty_progress *progress);            /* NULL is a no-op */
void sty_progress_tell(void *self, const json_t *remediation, const json_t *step, const char *state);
