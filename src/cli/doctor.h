/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * doctor: what is tried, in groups; each finding is one line with a remedy. Nothing is left behind and no lock is
 * taken, so that it can be asked while a sync runs.
 */
#include "cli/cli.h"

enum sty_finding_state { STY_FINDING_OK, STY_FINDING_WARNING, STY_FINDING_FAILED };

struct sty_doctor {
    struct sty_arena *arena;
    const struct sty_configuration *configuration;
    json_t *checks; /* {"name","state","message","remedy"} */
    int worst;      /* enum sty_finding_state */
};

/* A finding; `remedy` is NULL where nothing is wrong. */
void sty_finding(struct sty_doctor *doctor, const char *name, enum sty_finding_state state, const char *remedy,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));

/* What every group of checks is: it adds its findings and never fails itself. */
typedef void sty_doctor_check(struct sty_doctor *doctor);

sty_doctor_check sty_doctor_state_dir, sty_doctor_lock, sty_doctor_ledger;  /* doctor_state.c */
sty_doctor_check sty_doctor_auth, sty_doctor_programs, sty_doctor_source;   /* doctor_source.c */
sty_doctor_check sty_doctor_allow, sty_doctor_secrets, sty_doctor_clusters; /* doctor_host.c */
sty_doctor_check sty_doctor_launcher;
