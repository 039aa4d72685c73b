/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failpoint: the counters behind the table in failpoint.h. A setting that names no place or no act ends the program:
 * a crash test that does not crash would prove nothing.
 */
#include "base/failpoint.h"
#ifdef STYRMIN_FAILPOINTS
#include "base/memory.h"
#include "base/str.h"
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KILL (-1)

static const char *const names[] = {
#define NAME(id, name) name,
    STY_FAILPOINTS(NAME)
#undef NAME
};

static const struct {
    const char *name;
    int act;
} acts[] = {{"kill", KILL}, {"ENOSPC", ENOSPC}, {"EIO", EIO}, {"EMFILE", EMFILE}, {"EROFS", EROFS}, {"ENOMEM", ENOMEM}};

static pthread_once_t setup_once = PTHREAD_ONCE_INIT;
static atomic_llong reached[STY_FAILPOINT_COUNT];
static int chosen = STY_FAILPOINT_COUNT; /* none */
static int64_t chosen_turn;
static int chosen_act;
static char *count_file;

static void refuse(const char *setting)
{
    fprintf(stderr, "styrmin: STYRMIN_FAILPOINT=%s is not NAME:N:ACT\n", setting);
    abort();
}

static void write_counts(void)
{
    sty_auto_file file = fopen(count_file, "ae");
    for (size_t i = 0; file && i < STY_COUNT(names); i++) {
        long long count = atomic_load(&reached[i]);
        if (count)
            fprintf(file, "%s %lld\n", names[i], count);
    }
}

static void choose(const char *setting)
{
    struct sty_error err;
    const char *turn = strchr(setting, ':');
    const char *act = turn ? strchr(turn + 1, ':') : NULL;
    if (!act)
        refuse(setting);
    sty_auto_free char *name = sty_strndup(setting, (size_t)(turn - setting));
    sty_auto_free char *number = sty_strndup(turn + 1, (size_t)(act - turn - 1));
    for (size_t i = 0; i < STY_COUNT(names); i++) {
        if (sty_streq(name, names[i]))
            chosen = (int)i;
    }
    for (size_t i = 0; i < STY_COUNT(acts); i++) {
        if (sty_streq(act + 1, acts[i].name))
            chosen_act = acts[i].act;
    }
    if (chosen == STY_FAILPOINT_COUNT || !chosen_act || sty_number_parse(&chosen_turn, number, 1, INT32_MAX, &err) < 0)
        refuse(setting);
}

static void setup(void)
{
    const char *setting = getenv("STYRMIN_FAILPOINT");
    const char *file = getenv("STYRMIN_FAILPOINT_COUNT");
    if (setting && *setting)
        choose(setting);
    if (file && *file) {
        count_file = sty_strdup(file);
        atexit(write_counts);
    }
}

int sty_failpoint_reached(enum sty_failpoint_id id)
{
    pthread_once(&setup_once, setup);
    long long turn = atomic_fetch_add(&reached[id], 1) + 1;
    if ((int)id != chosen || turn != chosen_turn)
        return 0;
    if (chosen_act == KILL)
        kill(getpid(), SIGKILL);
    return chosen_act;
}
#endif
