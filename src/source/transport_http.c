/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport_http: git's smart HTTP. A redirect is followed only where git does, at the first question, and the address
 * it leads to serves the rest of the transfer; credentials go to the scheme, host and port that the configuration
 * names and nowhere else, whoever asks for them.
 */
#include "source/source_internal.h"
#include <stdlib.h>
#include <string.h>

#define REDIRECT_LIMIT 5

struct http_transport {
    git_smart_subtransport parent;
    git_smart_subtransport_stream stream;
    struct sty_transfer *transfer;
    struct sty_exchange *exchange;
    char *base;       /* where the repository is, after redirects */
    bool credentials; /* base is at the configured origin */
    const char *service;
    bool checked; /* the answer to what was posted is one */
};

static struct http_transport *of_stream(git_smart_subtransport_stream *stream)
{
    return (struct http_transport *)(void *)((char *)stream - offsetof(struct http_transport, stream));
}

static bool has_credentials(const struct sty_transfer *transfer)
{
    return transfer->config->username || transfer->url.user || transfer->password.length;
}

/* ---- statuses ---- */

static int refuse_unauthorized(const struct http_transport *transport, struct sty_error *err)
{
    if (!transport->credentials)
        return sty_error_set(err, STY_DENIED,
                             "redirected to %.200s, which wants credentials: they are only sent to %s; if that is "
                             "right, set source.url to the new address",
                             transport->base, transport->transfer->url.origin);
    if (has_credentials(transport->transfer))
        return sty_error_set(err, STY_DENIED, "the server refused username and password");
    return sty_error_set(err, STY_DENIED, "the server wants a username and password: set source.auth");
}

static int refuse_status(const struct http_transport *transport, long status, struct sty_error *err)
{
    switch (status) {
    case 401:
        return refuse_unauthorized(transport, err);
    case 403:
        return sty_error_set(err, STY_DENIED, "the server does not allow %s (HTTP status 403)", transport->service);
    case 404:
    case 410:
        return sty_error_set(err, STY_NOT_FOUND,
                             "there is no such repository, or it is hidden from us (HTTP status %ld)", status);
    case 407:
        return sty_error_set(err, STY_DENIED, "the proxy wants a username and password");
    default:
        break;
    }
    if (status >= 300 && status < 400)
        return sty_error_set(err, STY_DENIED, "redirected where redirects are not followed (HTTP status %ld)", status);
    bool later = status >= 500 || status == 408 || status == 425 || status == 429;
    return sty_error_set(err, later ? STY_UNREACHABLE : STY_FAILED, "HTTP status %ld", status);
}

/* ---- redirects ---- */

static char *listing_url(const struct http_transport *transport)
{
    return sty_sprintf("%s/info/refs?service=%s", transport->base, transport->service);
}

/* Where the repository is when its listing is at `target`. */
static int follow(struct http_transport *transport, const char *target, struct sty_error *err)
{
    sty_auto(remote_url) url = {0};
    sty_auto_free char *tail = sty_sprintf("/info/refs?service=%s", transport->service);
    sty_auto(str) shown = STY_STR_INIT;
    struct sty_error reason;
    bool secure = sty_starts_with(transport->base, "https://");
    if (!sty_starts_with(target, "http://") && !sty_starts_with(target, "https://"))
        return sty_error_set(err, STY_DENIED, "redirected to something that is neither http nor https");
    if (secure && !sty_starts_with(target, "https://"))
        return sty_error_set(err, STY_DENIED, "redirected from https to http: not followed");
    if (!sty_ends_with(target, tail))
        return sty_error_set(err, STY_INVALID,
                             "redirected to a page that is no git repository (a login?): source.url may be wrong");
    sty_str_append_bytes(&shown, target, strlen(target) - strlen(tail));
    if (sty_remote_url_parse(&url, shown.data, &reason) < 0)
        return sty_error_set(err, STY_INVALID, "redirected to an address that cannot be used");
    free(transport->base);
    transport->base = sty_strdup(url.text);
    transport->credentials = sty_streq(url.origin, transport->transfer->url.origin);
    return 0;
}

static int ask(struct sty_exchange_answer *answer, struct http_transport *transport, struct sty_error *err)
{
    sty_auto_free char *url = listing_url(transport);
    struct sty_exchange_spec spec = {.url = url, .accept = "*/*", .credentials = transport->credentials};
    transport->exchange = sty_exchange_begin(transport->transfer, &spec);
    return sty_exchange_answer(answer, transport->exchange, err);
}

static int check_type(const struct http_transport *transport, const char *type, const char *kind, struct sty_error *err)
{
    sty_auto_free char *wanted = sty_sprintf("application/x-%s-%s", transport->service, kind);
    size_t length = strlen(wanted);
    if (strncmp(type, wanted, length) == 0 && (type[length] == '\0' || type[length] == ';'))
        return 0;
    return sty_error_set(err, STY_INVALID, "no git repository answers here (smart HTTP is required)");
}

static int list(struct http_transport *transport, struct sty_error *err)
{
    struct sty_exchange_answer answer = {0};
    free(transport->base);
    transport->base = sty_strdup(transport->transfer->url.text);
    transport->credentials = true;
    for (int redirects = 0;; redirects++) {
        if (ask(&answer, transport, err) < 0)
            return -1;
        bool redirected = answer.status >= 301 && answer.status <= 308 && *answer.redirect;
        if (!redirected)
            break;
        if (redirects == REDIRECT_LIMIT)
            return sty_error_set(err, STY_FAILED, "redirected more than %d times", REDIRECT_LIMIT);
        sty_auto_free char *target = sty_strdup(answer.redirect);
        if (follow(transport, target, err) < 0)
            return -1;
    }
    if (answer.status != 200)
        return refuse_status(transport, answer.status, err);
    return check_type(transport, answer.type, "advertisement", err);
}

static void post(struct http_transport *transport)
{
    sty_auto_free char *url = sty_sprintf("%s/%s", transport->base, transport->service);
    sty_auto_free char *type = sty_sprintf("application/x-%s-request", transport->service);
    sty_auto_free char *accept = sty_sprintf("application/x-%s-result", transport->service);
    struct sty_exchange_spec spec = {
        .url = url, .content_type = type, .accept = accept, .credentials = transport->credentials};
    transport->exchange = sty_exchange_begin(transport->transfer, &spec);
    transport->checked = false;
}

/* ---- stream ---- */

static int check_posted(struct http_transport *transport, struct sty_error *err)
{
    struct sty_exchange_answer answer = {0};
    if (transport->checked)
        return 0;
    if (sty_exchange_answer(&answer, transport->exchange, err) < 0)
        return -1;
    if (answer.status != 200)
        return refuse_status(transport, answer.status, err);
    transport->checked = true;
    return check_type(transport, answer.type, "result", err);
}

static int stream_read(git_smart_subtransport_stream *stream, char *buffer, size_t size, size_t *got)
{
    struct http_transport *transport = of_stream(stream);
    struct sty_error error;
    if (check_posted(transport, &error) < 0 || sty_exchange_read(got, transport->exchange, buffer, size, &error) < 0)
        return sty_transfer_fail(transport->transfer, &error);
    return 0;
}

static int stream_write(git_smart_subtransport_stream *stream, const char *buffer, size_t length)
{
    struct http_transport *transport = of_stream(stream);
    struct sty_error error;
    if (sty_exchange_write(transport->exchange, buffer, length, &error) < 0)
        return sty_transfer_fail(transport->transfer, &error);
    return 0;
}

static void stream_free(git_smart_subtransport_stream *stream)
{
    struct http_transport *transport = of_stream(stream);
    if (transport->exchange)
        sty_exchange_end(sty_take(transport->exchange));
}

/* ---- subtransport ---- */

static int transport_action(git_smart_subtransport_stream **out, git_smart_subtransport *parent, const char *url,
                            git_smart_service_t action)
{
    struct http_transport *transport = (struct http_transport *)parent;
    bool listing = action == GIT_SERVICE_UPLOADPACK_LS || action == GIT_SERVICE_RECEIVEPACK_LS;
    bool fetch = action == GIT_SERVICE_UPLOADPACK_LS || action == GIT_SERVICE_UPLOADPACK;
    struct sty_error error;
    (void)url;
    transport->service = fetch ? "git-upload-pack" : "git-receive-pack";
    if (listing && list(transport, &error) < 0)
        return sty_transfer_fail(transport->transfer, &error);
    if (!listing)
        post(transport);
    else
        transport->checked = true;
    transport->stream = (git_smart_subtransport_stream){parent, stream_read, stream_write, stream_free};
    *out = &transport->stream;
    return 0;
}

static int transport_close(git_smart_subtransport *parent)
{
    struct http_transport *transport = (struct http_transport *)parent;
    if (transport->exchange)
        sty_exchange_end(sty_take(transport->exchange));
    return 0;
}

static void transport_free(git_smart_subtransport *parent)
{
    struct http_transport *transport = (struct http_transport *)parent;
    transport_close(parent);
    free(transport->base);
    free(transport);
}

int sty_transport_http(git_smart_subtransport **out, git_transport *owner, void *transfer)
{
    struct http_transport *transport = sty_calloc(1, sizeof(*transport));
    (void)owner;
    transport->parent = (git_smart_subtransport){transport_action, transport_close, transport_free};
    transport->transfer = transfer;
    *out = &transport->parent;
    return 0;
}
