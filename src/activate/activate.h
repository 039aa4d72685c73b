/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * activate: what is true once work succeeded, and whether it still is.
 *
 * Activation makes an Instance the active one inside the transaction that ends its remediation. Drift observes the
 * resources of active Instances and compares; healing is planned and run like everything else.
 */
#include "base/json.h"
#include "ledger/ledger.h"
#include "provider/provider.h"
#include "styrmin/error.h"
#include "styrmin/provider.h"

/*
 * Write down what the success of this remediation (a row of `remediations`) means: active Instance, taint, quarantine,
 * marks, inventory, the driver's files as immutable, heals against the flap limit, and whether anything is left to do
 * about the target (`unsettled`). Inside the caller's transaction. A kind that nobody knows is STY_INTERNAL.
 */
int sty_activate(struct sty_ledger *ledger, const json_t *remediation, struct sty_error *err);

struct sty_drift_options {
    const struct sty_host *host;
    const int64_t *targets; /* ids of targets to look at; NULL: every active one */
    size_t target_count;
    int64_t flap_limit; /* heals of one resource an hour */
    bool record;        /* write the drift table and events; false: look only */
};
/*
 * Observe. `out`: the Drift document of section 15, with "component", "policy", "flapping" and "message" beside each
 * resource that is not in sync, and "heal": true where healing is allowed: policy heal, not flapping, and the target
 * free (not tainted, suspended, observed, blocked by a claim or in a remediation; for the last also "busy"). Unchanged
 * findings write nothing. Targets with an open remediation are looked at, not recorded. Components whose policy is
 * `ignore` are not looked at. What cannot be looked at is "unknown", which is no failure; fails where the ledger does.
 */
int sty_drift_look(json_t **out, struct sty_ledger *ledger, const struct sty_drift_options *options,
                   struct sty_error *err);
