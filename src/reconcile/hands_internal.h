/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * hands_internal: one request while it is carried out. Its arguments, by kind:
 *
 *   retry    {"done":bool,"again":bool}                  rollback {"to":digest|null,"allow_downgrade":bool}
 *   suspend  {"until":ms|null}                           adopt    {"update":bool}
 *   approve  {"digest":digest or its beginning}          cancel   {"id":id or its beginning}
 *   resume, release {}
 */
#include "reconcile/reconcile_internal.h"

enum sty_hand_verdict { STY_HAND_DONE, STY_HAND_REFUSED, STY_HAND_WALK }; /* WALK: answered after the walk it needs */

struct sty_hand {
    const struct sty_installation *installation;
    struct sty_ledger *ledger;
    const json_t *request, *arguments;
    json_t *target; /* its row, or NULL */
    json_t *policy;
    json_t *wish; /* what the walk is to do; target and request are set */
    char answer[512];
};

/* Sets the answer; returns `verdict`. */
enum sty_hand_verdict sty_hand_answer(struct sty_hand *hand, enum sty_hand_verdict verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The kinds, inside the caller's transaction; those on a target have one. */
int sty_hand_retry(enum sty_hand_verdict *out, struct sty_hand *hand, struct sty_error *err);
int sty_hand_rollback(enum sty_hand_verdict *out, struct sty_hand *hand, struct sty_error *err);
int sty_hand_suspend(enum sty_hand_verdict *out, struct sty_hand *hand, struct sty_error *err);
int sty_hand_resume(enum sty_hand_verdict *out, struct sty_hand *hand, struct sty_error *err);
int sty_hand_approve(enum sty_hand_verdict *out, struct sty_hand *hand, struct sty_error *err);
int sty_hand_adopt(enum sty_hand_verdict *out, struct sty_hand *hand, struct sty_error *err);
int sty_hand_cancel(enum sty_hand_verdict *out, struct sty_hand *hand, struct sty_error *err);
int sty_hand_release(enum sty_hand_verdict *out, struct sty_hand *hand, struct sty_error *err);
