/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The embedded engine: workers that take what may begin and execute it to its end. One remediation per target at a time,
 * and none before what its target depends on stands (deletes: before what depends on it is gone). Each is taken at most
 * once: what waits after that is not for now.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include "base/map.h"
#include "run/engine_internal.h"

#define CANCEL_LOOK_MS 250
#define WORKERS_MOST 64

struct job {
    const char *id;
    bool cancel;
};
struct engine {
    const struct sty_run_world *world;
    const struct sty_host *host;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    json_t *open;         /* rows of remediations, by seq */
    size_t first;         /* those before it are taken */
    struct sty_map taken; /* ids, of this run */
    struct sty_map busy;  /* target -> struct job */
    struct sty_map held;  /* targets whose remediation was taken and waits */
    int running, workers;
    bool resume; /* only what was interrupted, and what answers a failure */
    bool stale;  /* something ended since `open` was read */
    bool failed;
    struct sty_error error;
};

static void fail(struct engine *engine, const struct sty_error *err)
{
    if (!engine->failed)
        engine->error = *err;
    engine->failed = true;
}

static int read_open(struct engine *engine, struct sty_error *err)
{
    json_t *rows = NULL;
    if (sty_ledger_rows(&rows, engine->world->ledger, err,
                        "SELECT id, target, cluster, environment, deployment, kind, state, due,"
                        " json_extract(document, '$.after') AS after FROM remediations"
                        " WHERE state IN ('planned', 'running', 'waiting') AND (NOT ? OR state = 'running' OR"
                        " (state = 'planned' AND parent IS NOT NULL)) ORDER BY seq",
                        "b", engine->resume) < 0)
        return -1;
    json_decref(engine->open);
    engine->open = rows;
    engine->first = 0;
    engine->stale = false;
    return 0;
}

static bool due_now(const struct engine *engine, const json_t *row)
{
    if (strcmp(sty_json_text(row, "state", ""), "waiting") != 0)
        return true;
    int64_t due = sty_json_int(row, "due", INT64_MAX);
    return due <= sty_ledger_now(engine->world->ledger);
}

/* One remediation of a target stands before all later ones of it, whatever it waits for. */
static int may_begin(bool *out, struct engine *engine, const json_t *row, struct sty_map *passed, struct sty_error *err)
{
    char target[24];
    snprintf(target, sizeof(target), "%lld", (long long)sty_json_int(row, "target", 0));
    *out = false;
    if (sty_map_has(passed, target) || sty_map_has(&engine->busy, target) || sty_map_has(&engine->held, target))
        return 0;
    sty_map_set(passed, target, engine);
    if (!due_now(engine, row))
        return 0;
    if (strcmp(sty_json_text(row, "state", ""), "running") == 0) {
        *out = true;
        return 0;
    }
    return sty_engine_ready(out, engine->world->ledger, row, err);
}

static void drop_taken(struct engine *engine)
{
    while (engine->first < json_array_size(engine->open) &&
           sty_map_has(&engine->taken, sty_json_text(json_array_get(engine->open, engine->first), "id", "")))
        engine->first++;
}

/* A row that may begin now; NULL in *out: none. A new reference. */
static int find(json_t **out, struct engine *engine, struct sty_error *err)
{
    struct sty_map passed = STY_MAP_INIT;
    bool ready = false;
    int result = 0;
    drop_taken(engine);
    for (size_t i = engine->first; result == 0 && !ready && i < json_array_size(engine->open); i++) {
        json_t *row = json_array_get(engine->open, i);
        if (sty_map_has(&engine->taken, sty_json_text(row, "id", "")))
            continue;
        result = may_begin(&ready, engine, row, &passed, err);
        if (ready)
            *out = json_incref(row);
    }
    sty_map_clear(&passed);
    return result;
}

static int next(json_t **out, struct engine *engine, struct sty_error *err)
{
    *out = NULL;
    if (find(out, engine, err) < 0)
        return -1;
    if (*out || !engine->stale)
        return 0;
    return read_open(engine, err) < 0 ? -1 : find(out, engine, err);
}

static int still_open(bool *out, struct engine *engine, const char *id, struct sty_error *err)
{
    json_auto_t *row = NULL;
    if (sty_remediation_row(&row, engine->world->ledger, id, err) < 0)
        return -1;
    *out = !sty_state_ended(sty_remediation_states, sty_json_text(row, "state", ""));
    return 0;
}

static void run_one(struct engine *engine, const json_t *row)
{
    struct sty_error err;
    char target[24];
    struct job job = {.id = sty_json_text(row, "id", "")};
    snprintf(target, sizeof(target), "%lld", (long long)sty_json_int(row, "target", 0));
    sty_map_set(&engine->taken, job.id, engine);
    sty_map_set(&engine->busy, target, &job);
    engine->running++;
    pthread_mutex_unlock(&engine->lock);
    bool open = false;
    int result = sty_execute(engine->world, engine->host, job.id, &job.cancel, &err);
    if (result == 0)
        result = still_open(&open, engine, job.id, &err);
    pthread_mutex_lock(&engine->lock);
    if (result < 0)
        fail(engine, &err);
    if (open)
        sty_map_set(&engine->held, target, engine);
    sty_map_remove(&engine->busy, target);
    engine->running--;
    engine->stale = true;
    pthread_cond_broadcast(&engine->moved);
}

static void *work(void *self)
{
    struct engine *engine = self;
    struct sty_error err;
    pthread_mutex_lock(&engine->lock);
    while (!engine->failed) {
        json_t *row = NULL;
        if (next(&row, engine, &err) < 0) {
            fail(engine, &err);
        } else if (row) {
            run_one(engine, row);
            json_decref(row);
        } else if (engine->running > 0) {
            pthread_cond_wait(&engine->moved, &engine->lock);
        } else {
            break;
        }
    }
    engine->workers--;
    pthread_cond_broadcast(&engine->moved);
    pthread_mutex_unlock(&engine->lock);
    return NULL;
}

/* A person's wish comes as a row; who executes is busy. */
static void pass_on_cancels(struct engine *engine)
{
    struct sty_error ignored;
    for (size_t i = 0; i < engine->busy.used; i++) {
        struct job *job = engine->busy.entries[i].value;
        int64_t wish = 0;
        if (!engine->busy.entries[i].key || job->cancel)
            continue;
        sty_ledger_number(&wish, engine->world->ledger, &ignored, STY_CANCEL_WISH, "s", job->id);
        if (wish)
            __atomic_store_n(&job->cancel, true, __ATOMIC_RELAXED);
    }
}

static struct timespec next_look(void)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += CANCEL_LOOK_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    return until;
}

/* The time of the next look stands, however often something moves before it. */
static void watch(struct engine *engine)
{
    struct timespec until = next_look();
    pthread_mutex_lock(&engine->lock);
    while (engine->workers > 0) {
        if (pthread_cond_timedwait(&engine->moved, &engine->lock, &until) != ETIMEDOUT)
            continue;
        pass_on_cancels(engine);
        until = next_look();
    }
    pthread_mutex_unlock(&engine->lock);
}

static void run_workers(struct engine *engine, int parallelism)
{
    pthread_t threads[WORKERS_MOST];
    int wanted = parallelism < 1 ? 1 : parallelism < WORKERS_MOST ? parallelism : WORKERS_MOST, started = 0;
    engine->workers = wanted;
    while (started < wanted && pthread_create(&threads[started], NULL, work, engine) == 0)
        started++;
    pthread_mutex_lock(&engine->lock);
    engine->workers -= wanted - started;
    if (started == 0) {
        struct sty_error err;
        sty_error_set(&err, STY_IO, "no thread can be started");
        fail(engine, &err);
    }
    pthread_mutex_unlock(&engine->lock);
    watch(engine);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
}

static void engine_clear(struct engine *engine)
{
    json_decref(engine->open);
    sty_map_clear(&engine->taken);
    sty_map_clear(&engine->busy);
    sty_map_clear(&engine->held);
    pthread_cond_destroy(&engine->moved);
    pthread_mutex_destroy(&engine->lock);
}

static int run_open(const struct sty_run_world *world, int parallelism, bool resume, struct sty_error *err)
{
    sty_auto_ptr(run_host) host = NULL;
    __attribute__((cleanup(engine_clear))) struct engine engine = {.world = world, .resume = resume};
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&engine.moved, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&engine.lock, NULL);
    if (read_open(&engine, err) < 0)
        return -1;
    if (json_array_size(engine.open) == 0)
        return 0;
    if (sty_run_host_open(&host, world, err) < 0)
        return -1;
    engine.host = sty_run_host_get(host);
    run_workers(&engine, parallelism);
    if (!engine.failed)
        return 0;
    *err = engine.error;
    return -1;
}

int sty_engine_run(const struct sty_run_world *world, int parallelism, struct sty_error *err)
{
    return run_open(world, parallelism, false, err);
}

int sty_engine_resume(const struct sty_run_world *world, int parallelism, struct sty_error *err)
{
    return run_open(world, parallelism, true, err);
}
