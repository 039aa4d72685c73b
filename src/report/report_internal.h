/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* report_internal: what records and notes share. */
#include "base/json.h"
#include "ledger/ledger.h"

/* The part of a record that speaks of one remediation (a row) and its target as it is now. A new reference. */
int sty_record_target(json_t **out, struct sty_ledger *ledger, const json_t *remediation, struct sty_error *err);
/* The text note of a commit (its row). Remediations are rows too, with "from_version" and "to_version" where the
 * application's version may have moved, and "good", "good_since", "good_commit": what is active. */
void sty_note_text(struct sty_str *out, const json_t *commit, const json_t *remediations, const json_t *blocked,
                   const char *record_digest);
