/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Progress on a terminal: a line for each step that has ended, with how long it took, and one that changes for what is
 * being done now. On stderr, so that stdout stays what was asked for. Called from the engine's threads.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/map.h"
#include "cli/acting.h"

enum { TICK_MS = 500 };

struct doing {
    char *words;
    int64_t since;
};
struct sty_progress {
    pthread_mutex_t lock;
    pthread_cond_t over;
    pthread_t ticker;
    bool ended;
    const struct sty_world *world;
    struct sty_map doing; /* remediation -> struct doing */
};

static int64_t now_ms(const struct sty_progress *progress)
{
    return progress->world->monotonic_ms(progress->world->self);
}

/* The line that changes: what has been going on for the longest time. */
static void draw(const struct sty_progress *progress)
{
    char took[24];
    const struct doing *oldest = NULL;
    for (size_t i = 0; i < progress->doing.used; i++) {
        const struct doing *doing = progress->doing.entries[i].value;
        if (progress->doing.entries[i].key && (!oldest || doing->since < oldest->since))
            oldest = doing;
    }
    fputs("\r\x1b[K", stderr);
    if (oldest)
        fprintf(stderr, "%s  %s", oldest->words,
                sty_duration_text(took, sizeof(took), now_ms(progress) - oldest->since));
    if (oldest && progress->doing.count > 1)
        fprintf(stderr, "  (and %zu more)", progress->doing.count - 1);
    fflush(stderr);
}

static void *tick(void *self)
{
    struct sty_progress *progress = self;
    pthread_mutex_lock(&progress->lock);
    while (!progress->ended) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += TICK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        pthread_cond_timedwait(&progress->over, &progress->lock, &until);
        draw(progress);
    }
    pthread_mutex_unlock(&progress->lock);
    return NULL;
}

struct sty_progress *sty_progress_new(const struct sty_cli *cli)
{
    if (cli->json || cli->quiet || !isatty(STDERR_FILENO))
        return NULL;
    struct sty_progress *progress = sty_calloc(1, sizeof(*progress));
    progress->world = sty_world_real();
    pthread_mutex_init(&progress->lock, NULL);
    pthread_cond_init(&progress->over, NULL);
    if (pthread_create(&progress->ticker, NULL, tick, progress) == 0)
        return progress;
    free(progress);
    return NULL;
}

static void forget(struct sty_progress *progress, const char *id)
{
    struct doing *doing = sty_map_get(&progress->doing, id);
    if (!doing)
        return;
    sty_map_remove(&progress->doing, id);
    free(doing->words);
    free(doing);
}

static void begin(struct sty_progress *progress, const char *id, const char *words)
{
    struct doing *doing = sty_calloc(1, sizeof(*doing));
    forget(progress, id);
    *doing = (struct doing){sty_strdup(words), now_ms(progress)};
    sty_map_set(&progress->doing, id, doing);
}

static void end(struct sty_progress *progress, const char *id, const char *words, const char *state)
{
    char took[24];
    const struct doing *doing = sty_map_get(&progress->doing, id);
    int64_t since = doing ? doing->since : now_ms(progress);
    fprintf(stderr, "\r\x1b[K%s  %s %s\n", words, state,
            sty_duration_text(took, sizeof(took), now_ms(progress) - since));
    forget(progress, id);
}

static void describe(struct sty_str *out, const json_t *remediation, const json_t *step)
{
    sty_auto(str) text = STY_STR_INIT;
    sty_str_appendf(&text, "%s %s/%s", sty_json_text(remediation, "kind", ""),
                    sty_json_text(remediation, "environment", ""), sty_json_text(remediation, "deployment", ""));
    if (step)
        sty_str_appendf(&text, "  %lld %s %s", (long long)sty_json_int(step, "seq", 0), sty_json_text(step, "type", ""),
                        sty_json_text(step, "component", ""));
    sty_str_append_visible(out, text.data, text.length, false);
}

void sty_progress_tell(void *self, const json_t *remediation, const json_t *step, const char *state)
{
    struct sty_progress *progress = self;
    const char *id = sty_json_text(remediation, "id", "");
    sty_auto(str) words = STY_STR_INIT;
    describe(&words, remediation, step);
    pthread_mutex_lock(&progress->lock);
    if (step && strcmp(state, "running") == 0)
        begin(progress, id, words.data);
    else if (step)
        end(progress, id, words.data, state);
    draw(progress);
    pthread_mutex_unlock(&progress->lock);
}

void sty_progress_free(struct sty_progress *progress)
{
    if (!progress)
        return;
    pthread_mutex_lock(&progress->lock);
    progress->ended = true;
    pthread_cond_broadcast(&progress->over);
    pthread_mutex_unlock(&progress->lock);
    pthread_join(progress->ticker, NULL);
    for (size_t i = 0; i < progress->doing.used; i++)
        if (progress->doing.entries[i].key)
            forget(progress, progress->doing.entries[i].key);
    fputs("\r\x1b[K", stderr);
    sty_map_clear(&progress->doing);
    pthread_cond_destroy(&progress->over);
    pthread_mutex_destroy(&progress->lock);
    free(progress);
}
