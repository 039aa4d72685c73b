/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real world: clocks, and HTTP by libcurl, set up when first used because that costs milliseconds at start.
 */
#include "styrmin/world.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/str.h"

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t real_now_ms(void *self)
{
    (void)self;
    return clock_ms(CLOCK_REALTIME);
}

static int64_t real_monotonic_ms(void *self)
{
    (void)self;
    return clock_ms(CLOCK_MONOTONIC);
}

static void real_sleep_ms(void *self, int64_t ms)
{
    (void)self;
    struct timespec wait = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    while (nanosleep(&wait, &wait) < 0)
        ;
}

static void curl_setup(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct answer {
    struct sty_str body;
    size_t limit;
};

static size_t take_body(char *bytes, size_t size, size_t count, void *self)
{
    struct answer *answer = self;
    size_t n = size * count, room = answer->limit - answer->body.length;
    sty_str_append_bytes(&answer->body, bytes, n < room ? n : room);
    return n;
}

static CURL *new_handle(int64_t timeout_ms)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, curl_setup);
    CURL *curl = curl_easy_init();
    if (!curl)
        abort();
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    return curl;
}

static int failure(CURLcode code, const char *what, struct sty_error *err)
{
    return sty_error_set(err, code == CURLE_OPERATION_TIMEDOUT ? STY_TIMEOUT : STY_UNREACHABLE, "%s: %s", what,
                         curl_easy_strerror(code));
}

static int real_http(void *self, struct sty_http_response *out, const struct sty_http_request *request,
                     struct sty_error *err)
{
    (void)self;
    struct answer answer = {STY_STR_INIT, request->body_limit};
    struct curl_slist *headers = NULL;
    CURL *curl = new_handle(request->timeout_ms);
    for (const char *const *h = request->headers; h && *h; h++)
        headers = curl_slist_append(headers, *h);
    curl_easy_setopt(curl, CURLOPT_URL, request->url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    if (request->body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
    }
    if (request->method && strcmp(request->method, "HEAD") == 0)
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    else if (request->method)
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    CURLcode code = curl_easy_perform(curl);
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    if (code != CURLE_OK) {
        sty_str_clear(&answer.body);
        return failure(code, request->url, err);
    }
    size_t length = answer.body.length;
    *out = (struct sty_http_response){status, sty_str_take(&answer.body), length};
    return 0;
}

static int real_connect(void *self, const char *host, int port, int64_t timeout_ms, struct sty_error *err)
{
    (void)self;
    sty_auto_free char *url = sty_sprintf(strchr(host, ':') ? "http://[%s]:%d" : "http://%s:%d", host, port);
    CURL *curl = new_handle(timeout_ms);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    CURLcode code = curl_easy_perform(curl);
    curl_easy_cleanup(curl);
    return code == CURLE_OK ? 0 : failure(code, url + strlen("http://"), err);
}

const struct sty_world *sty_world_real(void)
{
    static const struct sty_world world = {NULL, real_now_ms, real_monotonic_ms, real_sleep_ms, real_http, real_connect};
    return &world;
}
