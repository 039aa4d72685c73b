/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* engine_internal: the order in which targets are worked on. */
#include "run/run_internal.h"

/* May this planned or waiting remediation begin: neither suspended nor observed, and what has to come before it is done? */
int sty_engine_ready(bool *out, struct sty_ledger *ledger, const json_t *row, struct sty_error *err);
