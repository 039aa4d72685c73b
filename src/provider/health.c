/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Health of a component: asked by http, tcp or a command of the driver's, or else each resource's own state. Waiting is
 * looking again, with the world's clock, until it is well, time is up, or somebody cancels.
 */
#include "provider/provider_internal.h"

#define LOOK_MS 5000
#define INTERVAL_MS 1000
#define SLICE_MS 200
#define BODY_LIMIT 4096

bool sty_host_cancelled(const struct sty_host *host)
{
    return host->cancel && __atomic_load_n(host->cancel, __ATOMIC_RELAXED);
}

void sty_host_pause(const struct sty_host *host, int64_t ms)
{
    const struct sty_world *world = host->world;
    while (ms > 0 && !sty_host_cancelled(host)) {
        int64_t slice = ms < SLICE_MS ? ms : SLICE_MS;
        world->sleep_ms(world->self, slice);
        ms -= slice;
    }
}

/* What is asked, once. */
struct question {
    const struct sty_host *host;
    const char *url, *method;
    int64_t status, timeout_ms;
};

static int ask(bool *well, const struct question *question, struct sty_error *err)
{
    const struct sty_world *world = question->host->world;
    struct sty_http_response response = {0};
    const struct sty_http_request request = {
        .method = question->method, .url = question->url, .timeout_ms = question->timeout_ms, .body_limit = BODY_LIMIT};
    *well = false;
    if (world->http(world->self, &response, &request, err) < 0)
        return err->code == STY_INVALID ? -1 : 0;
    free(response.body);
    *well = response.status == question->status;
    if (!*well)
        sty_error_set(err, STY_FAILED, "%s answered %ld, not %lld", question->url, response.status,
                      (long long)question->status);
    return 0;
}

static int64_t limit_of(const json_t *health)
{
    int64_t timeout = sty_json_int(health, "timeout_ms", LOOK_MS);
    return timeout > 0 && timeout < LOOK_MS ? timeout : LOOK_MS;
}

static int look_http(bool *healthy, const struct sty_health_call *call, struct sty_error *err)
{
    const json_t *http = json_object_get(call->health, "http");
    const struct question question = {call->host, sty_json_text(http, "url", ""), NULL,
                                      sty_json_int(http, "status", 200), limit_of(call->health)};
    return ask(healthy, &question, err);
}

static int look_tcp(bool *healthy, const struct sty_health_call *call, struct sty_error *err)
{
    const struct sty_world *world = call->host->world;
    const json_t *tcp = json_object_get(call->health, "tcp");
    const char *host = sty_json_text(tcp, "host", "127.0.0.1");
    int port = (int)sty_json_int(tcp, "port", 0);
    *healthy = world->connect(world->self, host, port, limit_of(call->health), err) == 0;
    return 0;
}

static struct sty_provider_call call_for(const struct sty_health_call *call, const json_t *resource)
{
    return (struct sty_provider_call){.host = call->host,
                                      .resource = resource,
                                      .driver_files = call->driver_files,
                                      .running = true,
                                      .digest_key = call->digest_key};
}

static int look_command(bool *healthy, const struct sty_health_call *call, struct sty_error *err)
{
    const struct sty_provider_call own = call_for(call, NULL);
    struct sty_program_result result;
    const struct sty_program program = {.call = &own,
                                        .argv = json_object_get(call->health, "command"),
                                        .timeout_ms = sty_json_int(call->health, "timeout_ms", LOOK_MS)};
    *healthy = false;
    if (sty_program_run(&result, &program, err) < 0)
        return err->code == STY_TIMEOUT ? 0 : -1;
    *healthy = result.status == 0;
    if (!*healthy)
        sty_program_failed(&result, "the health command", err);
    return 0;
}

static int look_own(bool *healthy, const struct sty_health_call *call, struct sty_error *err)
{
    size_t index;
    const json_t *resource;
    *healthy = true;
    json_array_foreach (call->resources, index, resource) {
        const struct sty_provider_call own = call_for(call, resource);
        const struct sty_provider *provider = sty_provider_find(sty_json_text(resource, "type", ""));
        if (!provider || !provider->health)
            continue;
        if (provider->health(healthy, &own, err) < 0)
            *healthy = false;
        if (!*healthy)
            return 0;
    }
    return 0;
}

static int look(bool *healthy, const struct sty_health_call *call, struct sty_error *err)
{
    static const struct {
        const char *key;
        int (*look)(bool *healthy, const struct sty_health_call *call, struct sty_error *err);
    } kinds[] = {{"http", look_http}, {"tcp", look_tcp}, {"command", look_command}};
    for (size_t i = 0; i < STY_COUNT(kinds); i++)
        if (json_object_get(call->health, kinds[i].key))
            return kinds[i].look(healthy, call, err);
    return look_own(healthy, call, err);
}

int sty_health_look(bool *healthy, const struct sty_health_call *call, struct sty_error *err)
{
    bool well = false;
    if (look(&well, call, err) < 0)
        return sty_error_wrap(err, "health");
    *healthy = well;
    return 0;
}

/* Ask again and again: the loop of all that waits for an answer. */
struct patience {
    const struct sty_host *host;
    int64_t deadline, interval_ms, timeout_ms;
};

static struct patience patience_of(const struct sty_host *host, int64_t timeout_ms, int64_t interval_ms)
{
    int64_t now = host->world->monotonic_ms(host->world->self);
    return (struct patience){host, now + timeout_ms, interval_ms > 0 ? interval_ms : INTERVAL_MS, timeout_ms};
}

/* After an answer that was not it: true when it is worth asking again; else err is complete. */
static bool again(const struct patience *patience, const char *what, struct sty_error *err)
{
    const struct sty_world *world = patience->host->world;
    char text[24];
    int64_t left = patience->deadline - world->monotonic_ms(world->self);
    if (left > 0)
        sty_host_pause(patience->host, left < patience->interval_ms ? left : patience->interval_ms);
    if (sty_host_cancelled(patience->host)) {
        sty_error_set(err, STY_CANCELLED, "cancelled");
        return false;
    }
    if (left > 0)
        return true;
    err->code = STY_FAILED;
    sty_error_wrap(err, "%s after %s", what, sty_duration_text(text, sizeof(text), patience->timeout_ms));
    return false;
}

int sty_health_wait(const struct sty_health_call *call, int64_t timeout_ms, struct sty_error *err)
{
    const struct patience patience =
        patience_of(call->host, timeout_ms, sty_json_int(call->health, "interval_ms", INTERVAL_MS));
    bool healthy = false;
    do {
        if (sty_health_look(&healthy, call, err) < 0)
            return -1;
        if (healthy)
            return 0;
    } while (again(&patience, "not healthy", err));
    return -1;
}

int sty_http_wait(const struct sty_host *host, const json_t *arguments, struct sty_error *err)
{
    const struct patience patience = patience_of(host, sty_json_int(arguments, "timeout_ms", 60000),
                                                 sty_json_int(arguments, "interval_ms", INTERVAL_MS));
    const struct question question = {host, sty_json_text(arguments, "url", ""),
                                      sty_json_text(arguments, "method", NULL), sty_json_int(arguments, "status", 200),
                                      limit_of(arguments)};
    bool well = false;
    do {
        if (ask(&well, &question, err) < 0)
            return -1;
        if (well)
            return 0;
    } while (again(&patience, "no such answer", err));
    return -1;
}
