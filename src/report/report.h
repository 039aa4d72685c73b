/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * report: what happened, written back onto the commit (design.md section 11): a text note for people, a chained record
 * for programs. Everything goes through the outbox, whose rows are written in the transaction that ends the work, so
 * that a report can be sent again after a crash and is never lost.
 *
 * Calling sequence: sty_report_*() inside the transaction that ends the work; later, outside any, sty_report_deliver().
 */
#include "base/json.h"
#include "ledger/ledger.h"
#include "source/source.h"
#include "styrmin/error.h"

/*
 * A commit was dealt with: its state (of `commits`), the remediations it first planned and the blocked targets go into
 * a record, and its text is written anew. Call again after a retry: the text is rewritten, a record appended.
 */
int sty_report_commit(struct sty_ledger *ledger, const char *commit, const json_t *blocked, struct sty_error *err);
/* A commit that a newer one overtook before it was walked. */
int sty_report_superseded(struct sty_ledger *ledger, const char *commit, const char *by, struct sty_error *err);
/*
 * Something that belongs to no commit's outcome (a heal, a restore, a request): a record on the last walked commit that
 * changes no text. `body` (borrowed) stands beside format, kind, commit and time, which it cannot replace. Before the
 * first walk there is no commit to carry it: nothing is written.
 */
int sty_report_event(struct sty_ledger *ledger, const char *kind, const json_t *body, struct sty_error *err);

/* A remediation (a row) that belongs to no commit's outcome has ended: a record with all of it. */
int sty_report_remediation(struct sty_ledger *ledger, const json_t *remediation, struct sty_error *err);

struct sty_delivery {
    int written;     /* rows of the outbox that were written to the mirror */
    bool pushed;     /* the remote has them all */
    char error[512]; /* why it could not be asked to take them; "" */
};
/*
 * Write every undelivered note to the mirror, if any is due, and push (`push`: report.notes.push; without it a note is
 * delivered when the mirror has it, and pushed when that is wanted again). A remote that is away or read only is no
 * failure: the rows are due later, longer each time up to an hour, out->error says why. Fails where ledger or mirror
 * cannot be written.
 */
int sty_report_deliver(struct sty_delivery *out, struct sty_ledger *ledger, struct sty_repo *repo,
                       const struct sty_source_config *config, bool push, struct sty_error *err);

/*
 * Check the records under `name` in the mirror against the ledger before anything is added: STY_CONFLICT when records
 * of another installation stand under our name that our chain does not carry on (two installations with one name), or
 * one of ours that this ledger does not know (it was put back from a copy); STY_NOT_FOUND when the ledger is empty and
 * records are there (it was lost). `last` gets the newest record's digest also then, "" when there is none; as meta
 * `records_after` it makes an empty ledger carry that chain on.
 */
int sty_report_verify(char last[STY_DIGEST_SIZE], struct sty_ledger *ledger, struct sty_repo *repo, const char *name,
                      struct sty_error *err);
/*
 * Check one commit's record lines: canonical, and chained where one follows the one above it. Used on bytes that
 * came from outside (fuzzed). `records` gets the parsed objects. STY_CORRUPT.
 */
int sty_records_parse(json_t **records, const char *bytes, size_t length, struct sty_error *err);
/*
 * Check every record under `name` in any repository that has them, without a ledger: form, digests, chains, and that
 * each commit's text names a record of that commit. `out`: {"records":n,"installations":[ids in the order of their
 * chains],"first","last":times or null,"problems":[{"commit","sequence","message"}]}. Fails where the repository
 * cannot be read. A new reference.
 */
int sty_records_verify(json_t **out, struct sty_repo *repo, const char *name, struct sty_error *err);
