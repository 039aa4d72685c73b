/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * failpoint: places where tests kill Styrmin or make a call fail. One table names them all, so that a test can walk
 * them. Compiled in with -DSTYRMIN_FAILPOINTS=ON only; otherwise each is nothing.
 *
 * STYRMIN_FAILPOINT=NAME:N:kill     SIGKILL to ourselves the N-th time (from 1) NAME is reached
 * STYRMIN_FAILPOINT=NAME:N:ENOSPC   the N-th call fails with this errno (also EIO EMFILE EROFS ENOMEM)
 * STYRMIN_FAILPOINT_COUNT=FILE      at exit, append "NAME count" per line: what a run passed through
 */
#define STY_FAILPOINTS(X)                                                                                              \
    X(ledger_begin, "ledger.begin")         /* before a write transaction begins */                                    \
    X(ledger_commit, "ledger.commit")       /* before COMMIT */                                                        \
    X(ledger_committed, "ledger.committed") /* after COMMIT */                                                         \
    X(mirror_write, "mirror.write")         /* before a fetch stores what it got */                                    \
    X(notes_write, "notes.write")           /* before a notes ref moves */                                             \
    X(notes_push, "notes.push")             /* before notes are pushed */                                              \
    X(file_stage, "file.stage")             /* before a temp file is written */                                        \
    X(file_commit, "file.commit")           /* before its rename */                                                    \
    X(file_committed, "file.committed")     /* after its rename */                                                     \
    X(resource_apply, "resource.apply")     /* before a resource is applied */                                         \
    X(resource_applied, "resource.applied")                                                                            \
    X(resource_remove, "resource.remove") /* before a resource is removed */                                           \
    X(resource_removed, "resource.removed")                                                                            \
    X(launch_spawn, "launch.spawn")     /* before a step's or managed process' launcher starts */                      \
    X(launch_spawned, "launch.spawned") /* when it runs */                                                             \
    X(launch_ended, "launch.ended")     /* when its end was seen, before that is recorded */                           \
    X(step_begin, "step.begin")         /* when a step is recorded as running, before it acts */                       \
    X(step_acted, "step.acted")         /* when it has acted, before the result is recorded */

enum sty_failpoint_id {
#define STY_FAILPOINT_ENUM(id, name) STY_FAILPOINT_##id,
    STY_FAILPOINTS(STY_FAILPOINT_ENUM)
#undef STY_FAILPOINT_ENUM
        STY_FAILPOINT_COUNT
};

#ifdef STYRMIN_FAILPOINTS
/* 0, or the errno that this call shall fail with. */
int sty_failpoint_reached(enum sty_failpoint_id id);
#define sty_failpoint(id) sty_failpoint_reached(STY_FAILPOINT_##id)
#else
#define sty_failpoint(id) 0
#endif
