/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world: the real clock and network. libcurl is started at the first request, because most commands make none. Proxy
 * and CA settings of the environment hold as they do for curl(1).
 */
#include "styrmin/world.h"
#include "base/memory.h"
#include "base/str.h"
#include <curl/curl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HEADER_LIMIT ((size_t)256 * 1024)

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void start_curl(void)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        abort();
}

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

/* A signal ends it early: who waits asks for the time anyway, and Ctrl-C must not wait for a back-off. */
static void real_sleep_ms(void *self, int64_t ms)
{
    (void)self;
    if (ms <= 0)
        return;
    const struct timespec pause = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    nanosleep(&pause, NULL);
}

/* One request under way. */
struct transfer {
    CURL *curl;
    CURLU *address;
    struct curl_slist *headers;
    struct sty_str body;
    size_t body_limit;
    size_t header_bytes;
    bool cut;
    char reason[CURL_ERROR_SIZE];
};

static void transfer_clear(struct transfer *transfer)
{
    curl_slist_free_all(transfer->headers);
    curl_easy_cleanup(transfer->curl);
    curl_url_cleanup(transfer->address);
    sty_str_clear(&transfer->body);
}

static void transfer_init(struct transfer *transfer)
{
    pthread_once(&curl_once, start_curl);
    transfer->body = (struct sty_str)STY_STR_INIT;
    transfer->curl = curl_easy_init();
    transfer->address = curl_url();
    if (!transfer->curl || !transfer->address)
        abort();
}

static size_t take_body(char *bytes, size_t size, size_t count, void *user)
{
    struct transfer *transfer = user;
    size_t length = size * count;
    size_t room = transfer->body_limit - transfer->body.length;
    transfer->cut = length > room;
    sty_str_append_bytes(&transfer->body, bytes, transfer->cut ? room : length);
    return transfer->cut ? 0 : length; /* 0 ends the transfer: the rest is not wanted */
}

static size_t take_header(char *bytes, size_t size, size_t count, void *user)
{
    struct transfer *transfer = user;
    (void)bytes;
    transfer->header_bytes += size * count;
    return transfer->header_bytes > HEADER_LIMIT ? 0 : size * count;
}

/* "https://host:port": what may be shown of a URL, which may hold a password or a token elsewhere. */
static void append_origin(struct sty_str *out, CURLU *address)
{
    char *scheme = NULL, *host = NULL, *port = NULL;
    curl_url_get(address, CURLUPART_SCHEME, &scheme, 0);
    curl_url_get(address, CURLUPART_HOST, &host, 0);
    curl_url_get(address, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
    sty_str_appendf(out, "%s://%s:%s", scheme ? scheme : "?", host ? host : "?", port ? port : "?");
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
}

static int fail(struct transfer *transfer, CURLcode code, struct sty_error *err)
{
    sty_auto(str) origin = STY_STR_INIT;
    sty_auto(str) reason = STY_STR_INIT;
    const char *text = *transfer->reason ? transfer->reason : curl_easy_strerror(code);
    enum sty_code kind = STY_UNREACHABLE;
    if (code == CURLE_OUT_OF_MEMORY)
        abort();
    if (code == CURLE_OPERATION_TIMEDOUT)
        kind = STY_TIMEOUT;
    if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_URL_MALFORMAT)
        kind = STY_INVALID;
    append_origin(&origin, transfer->address);
    sty_str_append_visible(&reason, text, strlen(text), false);
    return sty_error_set(err, kind, "%s: %s", origin.data, reason.data);
}

static void set_limits(struct transfer *transfer, int64_t timeout_ms)
{
    CURL *curl = transfer->curl;
    long limit = timeout_ms < 1 ? 1 : timeout_ms > 86400000 ? 86400000 : (long)timeout_ms;
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, transfer->reason);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, limit);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, limit);
    curl_easy_setopt(curl, CURLOPT_CURLU, transfer->address);
}

static void set_authorities(CURL *curl)
{
    const char *bundle = getenv("CURL_CA_BUNDLE");
    if (!bundle || !*bundle)
        bundle = getenv("SSL_CERT_FILE");
    if (bundle && *bundle)
        curl_easy_setopt(curl, CURLOPT_CAINFO, bundle);
}

static bool one_line(const char *text)
{
    return !strpbrk(text, "\r\n");
}

static int add_header(struct transfer *transfer, const char *header, struct sty_error *err)
{
    if (!one_line(header))
        return sty_error_set(err, STY_INVALID, "an HTTP header has more than one line");
    struct curl_slist *longer = curl_slist_append(transfer->headers, header);
    if (!longer)
        abort();
    transfer->headers = longer;
    return 0;
}

static int set_headers(struct transfer *transfer, const char *const *headers, struct sty_error *err)
{
    if (add_header(transfer, "Expect:", err) < 0) /* an answer is not worth waiting a second for a "100 Continue" */
        return -1;
    for (; headers && *headers; headers++) {
        if (add_header(transfer, *headers, err) < 0)
            return -1;
    }
    curl_easy_setopt(transfer->curl, CURLOPT_HTTPHEADER, transfer->headers);
    curl_easy_setopt(transfer->curl, CURLOPT_USERAGENT, "styrmin/" STYRMIN_VERSION);
    return 0;
}

static int set_method(CURL *curl, const struct sty_http_request *request, struct sty_error *err)
{
    const char *method = request->method ? request->method : "GET";
    if (!*method || method[strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-")])
        return sty_error_set(err, STY_INVALID, "'%.32s' is not an HTTP method", method);
    bool bodiless = !request->body && (sty_streq(method, "GET") || sty_streq(method, "HEAD"));
    if (!bodiless) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(request->body ? request->body_length : 0));
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body ? request->body : "");
    }
    if (sty_streq(method, "HEAD"))
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    return 0;
}

static int set_address(struct transfer *transfer, const char *url, struct sty_error *err)
{
    if (curl_url_set(transfer->address, CURLUPART_URL, url, 0) != CURLUE_OK)
        return sty_error_set(err, STY_INVALID, "the URL is not one of http or https");
    return 0;
}

static int real_http(void *self, struct sty_http_response *out, const struct sty_http_request *request,
                     struct sty_error *err)
{
    (void)self;
    __attribute__((cleanup(transfer_clear))) struct transfer transfer = {.body_limit = request->body_limit};
    transfer_init(&transfer);
    if (set_address(&transfer, request->url, err) < 0 || set_method(transfer.curl, request, err) < 0 ||
        set_headers(&transfer, request->headers, err) < 0)
        return -1;
    set_limits(&transfer, request->timeout_ms);
    set_authorities(transfer.curl);
    curl_easy_setopt(transfer.curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(transfer.curl, CURLOPT_WRITEDATA, &transfer);
    curl_easy_setopt(transfer.curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(transfer.curl, CURLOPT_HEADERDATA, &transfer);
    CURLcode code = curl_easy_perform(transfer.curl);
    if (code != CURLE_OK && !transfer.cut)
        return fail(&transfer, code, err);
    long status = 0;
    curl_easy_getinfo(transfer.curl, CURLINFO_RESPONSE_CODE, &status);
    size_t length = transfer.body.length;
    *out = (struct sty_http_response){status, sty_str_take(&transfer.body), length};
    return 0;
}

static int set_peer(struct transfer *transfer, const char *host, int port, struct sty_error *err)
{
    sty_auto(str) name = STY_STR_INIT;
    char number[16];
    bool bare_ipv6 = strchr(host, ':') && host[0] != '[';
    sty_str_appendf(&name, bare_ipv6 ? "[%s]" : "%s", host);
    snprintf(number, sizeof(number), "%d", port);
    if (curl_url_set(transfer->address, CURLUPART_URL, "http://localhost/", 0) != CURLUE_OK ||
        curl_url_set(transfer->address, CURLUPART_HOST, name.data, 0) != CURLUE_OK || port < 1 || port > 65535 ||
        curl_url_set(transfer->address, CURLUPART_PORT, number, 0) != CURLUE_OK)
        return sty_error_set(err, STY_INVALID, "'%.128s', port %d, is not an address", host, port);
    return 0;
}

/* libcurl connects for us: it bounds the look-up of the name, too, and tries IPv6 and IPv4 side by side. */
static int real_connect(void *self, const char *host, int port, int64_t timeout_ms, struct sty_error *err)
{
    (void)self;
    __attribute__((cleanup(transfer_clear))) struct transfer transfer = {0};
    transfer_init(&transfer);
    if (set_peer(&transfer, host, port, err) < 0)
        return -1;
    set_limits(&transfer, timeout_ms);
    curl_easy_setopt(transfer.curl, CURLOPT_PROXY, "");
    curl_easy_setopt(transfer.curl, CURLOPT_CONNECT_ONLY, 1L);
    CURLcode code = curl_easy_perform(transfer.curl);
    return code == CURLE_OK ? 0 : fail(&transfer, code, err);
}

const struct sty_world *sty_world_real(void)
{
    static const struct sty_world real = {NULL, real_now_ms, real_monotonic_ms, real_sleep_ms, real_http, real_connect};
    return &real;
}
