/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where tests kill Styrmin or make a call fail: the wish is read once from the environment, passes are counted per name
 * and written down at exit.
 */
#include "base/failpoint.h"

#ifdef STYRMIN_FAILPOINTS

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const char *const names[] = {
#define NAME(id, name) name,
    STY_FAILPOINTS(NAME)
#undef NAME
};

static struct {
    pthread_mutex_t lock;
    long counts[STY_FAILPOINT_COUNT];
    char name[64];
    long number;
    int error; /* 0: kill */
    bool armed;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const struct {
    const char *name;
    int number;
} errors[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO}, {"EMFILE", EMFILE}, {"EROFS", EROFS}, {"ENOMEM", ENOMEM}};

static void report(void)
{
    const char *path = getenv("STYRMIN_FAILPOINT_COUNT");
    FILE *file = path ? fopen(path, "a") : NULL;
    if (!file)
        return;
    for (int i = 0; i < STY_FAILPOINT_COUNT; i++)
        if (state.counts[i])
            fprintf(file, "%s %ld\n", names[i], state.counts[i]);
    fclose(file);
}

static void arm(void)
{
    atexit(report);
    const char *wish = getenv("STYRMIN_FAILPOINT");
    char what[16];
    if (!wish || sscanf(wish, "%63[^:]:%ld:%15s", state.name, &state.number, what) != 3)
        return;
    for (size_t i = 0; i < STY_COUNT(errors); i++)
        if (strcmp(what, errors[i].name) == 0)
            state.error = errors[i].number;
    state.armed = true;
}

int sty_failpoint_reached(enum sty_failpoint_id id)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, arm);
    pthread_mutex_lock(&state.lock);
    long count = ++state.counts[id];
    pthread_mutex_unlock(&state.lock);
    if (!state.armed || count != state.number || strcmp(state.name, names[id]) != 0)
        return 0;
    if (state.error == 0)
        raise(SIGKILL);
    return state.error;
}

#endif
