/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http: one request at a time over connections that are kept for the life of the repository. The answer is handed on
 * as it comes and the transfer paused while nobody reads, so that a pack of any size needs a window of memory. libcurl
 * neither follows redirects nor looks for credentials here: transport_http decides both.
 */
#include "source/source_internal.h"
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW ((size_t)256 * 1024)    /* of the answer, not read yet */
#define POST_BUFFER ((size_t)1 << 20)  /* below: one piece with a Content-Length; above: chunks */
#define ERROR_BODY ((size_t)64 * 1024) /* of an answer that is none: read to keep the connection */
#define DRAIN_MS 100

struct sty_http {
    CURLM *multi;
    CURL *easy;
    struct sty_exchange *current;
};

struct sty_exchange {
    struct sty_http *http;
    struct sty_transfer *transfer; /* NULL: we want no more of it */
    struct curl_slist *headers;
    char *url;
    struct sty_str request, answer;
    size_t sent, taken;
    size_t dropped;                       /* of an answer whose status is not 200 */
    bool post, started, streaming, whole; /* whole: the request has no more to come */
    bool forgotten;                       /* the beginning of the request: it cannot be sent again */
    bool send_paused, receive_paused;
    bool heard; /* a byte moved since somebody looked */
    bool finished;
    CURLcode result;
    long status;
    struct sty_error refusal; /* of our own limits */
    char reason[CURL_ERROR_SIZE];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void start_curl(void)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        abort();
}

static struct sty_http *http_of(struct sty_repo *repo)
{
    if (repo->http)
        return repo->http;
    pthread_once(&once, start_curl);
    struct sty_http *http = sty_calloc(1, sizeof(*http));
    http->multi = curl_multi_init();
    http->easy = curl_easy_init();
    if (!http->multi || !http->easy)
        abort();
    repo->http = http;
    return http;
}

/* ---- what libcurl calls ---- */

static size_t on_body(char *bytes, size_t size, size_t count, void *user)
{
    struct sty_exchange *exchange = user;
    size_t length = size * count;
    exchange->heard = true;
    if (!exchange->transfer)
        return length;
    curl_easy_getinfo(exchange->http->easy, CURLINFO_RESPONSE_CODE, &exchange->status);
    if (exchange->status != 200) {
        exchange->dropped += length;
        return exchange->dropped > ERROR_BODY ? 0 : length;
    }
    if (exchange->answer.length - exchange->taken >= WINDOW) {
        exchange->receive_paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    if (sty_transfer_received(exchange->transfer, length, &exchange->refusal) < 0)
        return 0;
    sty_str_append_bytes(&exchange->answer, bytes, length);
    return length;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *user)
{
    struct sty_exchange *exchange = user;
    (void)bytes;
    exchange->heard = true;
    return size * count;
}

static size_t on_upload(char *room, size_t size, size_t count, void *user)
{
    struct sty_exchange *exchange = user;
    size_t length = exchange->request.length - exchange->sent;
    exchange->heard = true;
    if (!length && !exchange->whole) {
        exchange->send_paused = true;
        return CURL_READFUNC_PAUSE;
    }
    length = length < size * count ? length : size * count;
    if (length)
        memcpy(room, exchange->request.data + exchange->sent, length);
    exchange->sent += length;
    return length;
}

/* A kept connection may turn out to be dead: libcurl then begins again on a new one. */
static int on_rewind(void *user, curl_off_t offset, int origin)
{
    struct sty_exchange *exchange = user;
    if (exchange->forgotten || origin != SEEK_SET || offset < 0 || (uint64_t)offset > exchange->request.length)
        return CURL_SEEKFUNC_FAIL;
    exchange->sent = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* ---- moving ---- */

/* libcurl must not take our signals over, and OpenSSL writes to a socket that is gone. */
static void perform(struct sty_http *http)
{
    const struct timespec at_once = {0};
    sigset_t pipe_signal, before, pending;
    int running;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    curl_multi_perform(http->multi, &running);
    if (!sigismember(&pending, SIGPIPE))
        sigtimedwait(&pipe_signal, NULL, &at_once);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void collect(struct sty_exchange *exchange)
{
    int left;
    for (const CURLMsg *message; (message = curl_multi_info_read(exchange->http->multi, &left));) {
        if (message->msg != CURLMSG_DONE)
            continue;
        exchange->finished = true;
        exchange->result = message->data.result;
        curl_easy_getinfo(exchange->http->easy, CURLINFO_RESPONSE_CODE, &exchange->status);
    }
}

static void go_on(struct sty_exchange *exchange)
{
    bool receive = exchange->receive_paused && exchange->answer.length - exchange->taken < WINDOW;
    bool send = exchange->send_paused && (exchange->whole || exchange->sent < exchange->request.length);
    if (!receive && !send)
        return;
    exchange->receive_paused = exchange->receive_paused && !receive;
    exchange->send_paused = exchange->send_paused && !send;
    curl_easy_pause(exchange->http->easy,
                    (exchange->receive_paused ? CURLPAUSE_RECV : 0) | (exchange->send_paused ? CURLPAUSE_SEND : 0));
}

typedef bool ready(const struct sty_exchange *exchange);

static bool has_answer(const struct sty_exchange *exchange)
{
    return exchange->answer.length > exchange->taken || exchange->dropped;
}

static bool has_sent(const struct sty_exchange *exchange)
{
    return exchange->sent == exchange->request.length;
}

static int pump(struct sty_exchange *exchange, ready *enough, struct sty_error *err)
{
    struct sty_transfer *transfer = exchange->transfer;
    int64_t heard = sty_monotonic_ms();
    go_on(exchange);
    for (;;) {
        perform(exchange->http);
        collect(exchange);
        if (enough(exchange) || exchange->finished)
            return 0;
        int64_t patience, now = sty_monotonic_ms();
        if (sty_transfer_patience(&patience, transfer, err) < 0)
            return -1;
        heard = exchange->heard ? now : heard;
        exchange->heard = false;
        int64_t left = heard + transfer->stall_ms - now;
        if (left <= 0)
            return sty_error_set(err, STY_TIMEOUT, "nothing was heard for %lld ms", (long long)transfer->stall_ms);
        left = left < patience ? left : patience;
        curl_multi_poll(exchange->http->multi, NULL, 0, left < 1000 ? (int)left : 1000, NULL);
    }
}

/* ---- beginning and ending ---- */

static void exchange_free(struct sty_exchange *exchange)
{
    if (exchange->started)
        curl_multi_remove_handle(exchange->http->multi, exchange->http->easy);
    curl_slist_free_all(exchange->headers);
    sty_str_clear(&exchange->request);
    sty_str_clear(&exchange->answer);
    free(exchange->url);
    free(exchange);
}

/* libgit2 stops reading before the last byte: let that come, or the connection is lost with it. */
static void finish_current(struct sty_http *http)
{
    struct sty_exchange *exchange = sty_take(http->current);
    if (!exchange)
        return;
    int64_t end = sty_monotonic_ms() + DRAIN_MS;
    bool worth = exchange->started && exchange->whole && !exchange->finished;
    exchange->transfer = NULL;
    exchange->taken = exchange->answer.length;
    go_on(exchange);
    while (worth && !exchange->finished && sty_monotonic_ms() < end) {
        perform(http);
        collect(exchange);
        if (!exchange->finished)
            curl_multi_poll(http->multi, NULL, 0, 10, NULL);
    }
    exchange_free(exchange);
}

void sty_http_free(struct sty_http *http)
{
    if (!http)
        return;
    if (http->current)
        exchange_free(http->current);
    curl_easy_cleanup(http->easy);
    curl_multi_cleanup(http->multi);
    free(http);
}

static void add_header(struct sty_exchange *exchange, const char *name, const char *value)
{
    sty_auto(str) line = STY_STR_INIT;
    sty_str_appendf(&line, *value ? "%s: %s" : "%s:", name, value);
    struct curl_slist *longer = curl_slist_append(exchange->headers, line.data);
    if (!longer)
        abort();
    exchange->headers = longer;
}

static void set_peer(CURL *easy, const struct sty_transfer *transfer)
{
    const struct sty_source_config *config = transfer->config;
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)transfer->connect_ms);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "git/2.0 (styrmin " STYRMIN_VERSION ")");
    if (config->ca_file) { /* instead of the system's, not beside it */
        curl_easy_setopt(easy, CURLOPT_CAINFO, config->ca_file);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    if (config->proxy) {
        curl_easy_setopt(easy, CURLOPT_PROXY, config->proxy);
        curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    }
}

static void set_credentials(CURL *easy, const struct sty_transfer *transfer)
{
    const char *user = transfer->config->username ? transfer->config->username : transfer->url.user;
    if (!user && !transfer->password.length)
        return;
    curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    curl_easy_setopt(easy, CURLOPT_USERNAME, user ? user : "");
    curl_easy_setopt(easy, CURLOPT_PASSWORD, transfer->password.data);
}

struct sty_exchange *sty_exchange_begin(struct sty_transfer *transfer, const struct sty_exchange_spec *spec)
{
    struct sty_http *http = http_of(transfer->repo);
    finish_current(http);
    struct sty_exchange *exchange = sty_calloc(1, sizeof(*exchange));
    *exchange = (struct sty_exchange){.http = http, .transfer = transfer, .url = sty_strdup(spec->url)};
    exchange->request = exchange->answer = (struct sty_str)STY_STR_INIT;
    exchange->post = spec->content_type != NULL;
    exchange->whole = !exchange->post;
    curl_easy_reset(http->easy);
    set_peer(http->easy, transfer);
    if (spec->credentials)
        set_credentials(http->easy, transfer);
    add_header(exchange, "Accept", spec->accept);
    add_header(exchange, "Expect", "");
    add_header(exchange, exchange->post ? "Content-Type" : "Pragma", exchange->post ? spec->content_type : "no-cache");
    http->current = exchange;
    return exchange;
}

void sty_exchange_end(struct sty_exchange *exchange)
{
    exchange->transfer = NULL; /* stays the current one until the next begins */
}

static void start(struct sty_exchange *exchange)
{
    CURL *easy = exchange->http->easy;
    curl_easy_setopt(easy, CURLOPT_URL, exchange->url);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->reason);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
    if (exchange->post) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_upload);
        curl_easy_setopt(easy, CURLOPT_READDATA, exchange);
        curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_rewind);
        curl_easy_setopt(easy, CURLOPT_SEEKDATA, exchange);
        curl_off_t length = exchange->streaming ? -1 : (curl_off_t)exchange->request.length;
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, length);
        if (exchange->streaming)
            add_header(exchange, "Transfer-Encoding", "chunked");
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, exchange->headers);
    if (curl_multi_add_handle(exchange->http->multi, easy) != CURLM_OK)
        abort();
    exchange->started = true;
}

/* ---- failing ---- */

static const struct {
    CURLcode result;
    enum sty_code code;
} results[] = {
    {CURLE_OPERATION_TIMEDOUT, STY_TIMEOUT}, {CURLE_PEER_FAILED_VERIFICATION, STY_DENIED},
    {CURLE_SSL_CERTPROBLEM, STY_DENIED},     {CURLE_SSL_CACERT_BADFILE, STY_USAGE},
    {CURLE_URL_MALFORMAT, STY_USAGE},        {CURLE_UNSUPPORTED_PROTOCOL, STY_USAGE},
    {CURLE_WEIRD_SERVER_REPLY, STY_INVALID}, {CURLE_FILESIZE_EXCEEDED, STY_LIMIT},
};

static int check_result(struct sty_exchange *exchange, struct sty_error *err)
{
    if (!exchange->finished || exchange->result == CURLE_OK)
        return 0;
    if (exchange->dropped)
        return 0; /* the status tells */
    if (exchange->refusal.code != STY_OK) {
        *err = exchange->refusal;
        return -1;
    }
    if (exchange->result == CURLE_OUT_OF_MEMORY)
        abort();
    enum sty_code code = STY_UNREACHABLE;
    for (size_t i = 0; i < STY_COUNT(results); i++)
        code = results[i].result == exchange->result ? results[i].code : code;
    sty_auto(str) reason = STY_STR_INIT;
    const char *text = *exchange->reason ? exchange->reason : curl_easy_strerror(exchange->result);
    sty_str_append_visible(&reason, text, strlen(text), false);
    return sty_error_set(err, code, "%s%s", reason.data,
                         exchange->result == CURLE_PEER_FAILED_VERIFICATION ? " (source.ca_file names the CA)" : "");
}

/* ---- the body there and back ---- */

int sty_exchange_write(struct sty_exchange *exchange, const void *bytes, size_t length, struct sty_error *err)
{
    if (exchange->sent && exchange->sent == exchange->request.length) {
        sty_str_reset(&exchange->request);
        exchange->sent = 0;
        exchange->forgotten = true;
    }
    sty_str_append_bytes(&exchange->request, bytes, length);
    if (exchange->request.length - exchange->sent <= POST_BUFFER)
        return 0;
    if (!exchange->started) {
        exchange->streaming = true;
        start(exchange);
    }
    if (pump(exchange, has_sent, err) < 0 || check_result(exchange, err) < 0)
        return -1;
    if (exchange->finished && exchange->status != 200)
        return sty_error_set(err, STY_FAILED, "HTTP status %ld while it was sent to", exchange->status);
    return 0;
}

static int send_rest(struct sty_exchange *exchange, ready *enough, struct sty_error *err)
{
    exchange->whole = true;
    if (!exchange->started)
        start(exchange);
    if (!enough(exchange) && !exchange->finished && pump(exchange, enough, err) < 0)
        return -1;
    return check_result(exchange, err);
}

int sty_exchange_answer(struct sty_exchange_answer *out, struct sty_exchange *exchange, struct sty_error *err)
{
    char *redirect = NULL, *type = NULL;
    if (send_rest(exchange, has_answer, err) < 0)
        return -1;
    curl_easy_getinfo(exchange->http->easy, CURLINFO_REDIRECT_URL, &redirect);
    curl_easy_getinfo(exchange->http->easy, CURLINFO_CONTENT_TYPE, &type);
    *out = (struct sty_exchange_answer){exchange->status, redirect ? redirect : "", type ? type : ""};
    return 0;
}

int sty_exchange_read(size_t *got, struct sty_exchange *exchange, void *buffer, size_t size, struct sty_error *err)
{
    if (send_rest(exchange, has_answer, err) < 0 && exchange->answer.length == exchange->taken)
        return -1;
    size_t length = exchange->answer.length - exchange->taken;
    length = length < size ? length : size;
    memcpy(buffer, exchange->answer.data + exchange->taken, length);
    exchange->taken += length;
    if (exchange->taken == exchange->answer.length) {
        sty_str_reset(&exchange->answer);
        exchange->taken = 0;
    }
    *got = length;
    return 0;
}
