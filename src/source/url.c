/* SPDX-License-Identifier: Apache-2.0 */
/*
 * url: a remote's address taken apart. It comes from the configuration, yet it ends up in arguments of ssh and git and
 * in requests with credentials, so what could be read as something else (an option, a second line, a password) is
 * refused here, once.
 */
#include "source/source_internal.h"
#include <curl/curl.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

void sty_remote_url_clear(struct sty_remote_url *url)
{
    free(url->text);
    free(url->origin);
    free(url->user);
    free(url->host);
    free(url->port);
    free(url->path);
    *url = (struct sty_remote_url){0};
}

static void curlu_free(CURLU **url)
{
    curl_url_cleanup(*url);
}
#define auto_curlu __attribute__((cleanup(curlu_free))) CURLU *

/* A part of its own, or NULL. */
static char *part(CURLU *url, CURLUPart what, unsigned flags)
{
    char *text = NULL;
    if (curl_url_get(url, what, &text, flags) != CURLUE_OK)
        return NULL;
    char *own = sty_strdup(text);
    curl_free(text);
    return own;
}

static bool has_control(const char *text)
{
    for (; text && *text; text++) {
        if (iscntrl((unsigned char)*text))
            return true;
    }
    return false;
}

static bool like_option(const char *text)
{
    return text && text[0] == '-';
}

static int check_parts(const struct sty_remote_url *url, struct sty_error *err)
{
    if (has_control(url->user) || has_control(url->host) || has_control(url->path))
        return sty_error_set(err, STY_USAGE, "source.url holds control characters");
    if (like_option(url->user) || like_option(url->host) || like_option(url->path))
        return sty_error_set(err, STY_USAGE, "source.url: user, host and path may not begin with '-'");
    if (url->kind != STY_REMOTE_LOCAL && (!url->host || !*url->host))
        return sty_error_set(err, STY_USAGE, "source.url names no host");
    if (!url->path || !*url->path || (url->kind == STY_REMOTE_SSH && sty_streq(url->path, "/")))
        return sty_error_set(err, STY_USAGE, "source.url names no path");
    return 0;
}

static int parse_network(struct sty_remote_url *out, const char *text, struct sty_error *err)
{
    auto_curlu url = curl_url();
    CURLUcode code = curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME);
    if (code != CURLUE_OK)
        return sty_error_set(err, STY_USAGE, "source.url cannot be read: %s", curl_url_strerror(code));
    sty_auto_free char *password = part(url, CURLUPART_PASSWORD, 0);
    sty_auto_free char *query = part(url, CURLUPART_QUERY, 0);
    if (password)
        return sty_error_set(err, STY_USAGE, "source.url holds a password: use source.auth.password_file");
    if (query)
        return sty_error_set(err, STY_USAGE, "source.url has a '?'");
    out->user = part(url, CURLUPART_USER, CURLU_URLDECODE);
    out->host = part(url, CURLUPART_HOST, 0);
    out->port = part(url, CURLUPART_PORT, out->kind == STY_REMOTE_HTTP ? CURLU_DEFAULT_PORT : 0);
    out->path = part(url, CURLUPART_PATH, CURLU_URLDECODE);
    sty_auto_free char *scheme = part(url, CURLUPART_SCHEME, 0);
    curl_url_set(url, CURLUPART_USER, NULL, 0);
    curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0);
    out->text = part(url, CURLUPART_URL, 0);
    out->origin = sty_sprintf("%s://%s:%s", scheme, out->host ? out->host : "", out->port ? out->port : "");
    for (size_t end = strlen(out->text); end && out->text[end - 1] == '/'; end--)
        out->text[end - 1] = '\0';
    return 0;
}

/* ssh://host/~user/x means the home of user, as git takes it; "[::1]" is brackets for a URL only. */
static void adapt_ssh(struct sty_remote_url *url)
{
    if (url->path && sty_starts_with(url->path, "/~"))
        memmove(url->path, url->path + 1, strlen(url->path));
    size_t length = url->host ? strlen(url->host) : 0;
    if (length > 2 && url->host[0] == '[') {
        memmove(url->host, url->host + 1, length - 2);
        url->host[length - 2] = '\0';
    }
}

static int parse_file(struct sty_remote_url *out, const char *path, struct sty_error *err)
{
    if (sty_starts_with(path, "localhost/"))
        path += strlen("localhost");
    int length = 0;
    char *decoded = curl_easy_unescape(NULL, path, 0, &length);
    out->path = sty_strdup(decoded ? decoded : "");
    curl_free(decoded);
    if (out->path[0] != '/' || strlen(out->path) != (size_t)length)
        return sty_error_set(err, STY_USAGE, "source.url: file:// wants an absolute path on this machine");
    out->text = sty_strdup(out->path);
    return 0;
}

/* [user@]host:path, where no '/' stands before the colon; an IPv6 host stands in brackets. */
static int parse_short(struct sty_remote_url *out, const char *text, struct sty_error *err)
{
    const char *at = strchr(text, '@');
    const char *host = at && at < text + strcspn(text, ":/[") ? at + 1 : text;
    const char *end = host[0] == '[' ? strchr(host, ']') : host;
    const char *colon = end ? end + strcspn(end, ":/") : NULL;
    if (!colon || colon[0] != ':' || colon[1] == ':')
        return sty_error_set(err, STY_USAGE,
                             "source.url is none of https://, http://, ssh://, user@host:path, file:// and /path");
    out->kind = STY_REMOTE_SSH;
    out->user = host == text ? NULL : sty_strndup(text, (size_t)(host - 1 - text));
    out->host = sty_strndup(host, (size_t)(colon - host));
    out->path = sty_strdup(colon + 1);
    out->text = sty_strdup(host);
    return 0;
}

static int parse_any(struct sty_remote_url *out, const char *url, struct sty_error *err)
{
    if (sty_starts_with(url, "http://") || sty_starts_with(url, "https://"))
        return parse_network(out, url, err);
    if (sty_starts_with(url, "ssh://")) {
        out->kind = STY_REMOTE_SSH;
        return parse_network(out, url, err);
    }
    out->kind = STY_REMOTE_LOCAL;
    if (sty_starts_with(url, "file://"))
        return parse_file(out, url + strlen("file://"), err);
    if (strstr(url, "://"))
        return sty_error_set(err, STY_USAGE, "source.url: git is fetched over https, http, ssh or file, not %.*s",
                             (int)(strcspn(url, ":") < 16 ? strcspn(url, ":") : 16), url);
    if (url[0] != '/')
        return parse_short(out, url, err);
    out->path = sty_strdup(url);
    out->text = sty_strdup(url);
    return 0;
}

int sty_remote_url_parse(struct sty_remote_url *out, const char *url, struct sty_error *err)
{
    sty_auto(remote_url) parsed = {0};
    if (!url || !*url)
        return sty_error_set(err, STY_USAGE, "source.url is not set");
    if (parse_any(&parsed, url, err) < 0)
        return -1;
    if (parsed.kind == STY_REMOTE_SSH)
        adapt_ssh(&parsed);
    if (check_parts(&parsed, err) < 0)
        return -1;
    *out = parsed;
    parsed = (struct sty_remote_url){0};
    return 0;
}
