/* SPDX-License-Identifier: Apache-2.0 */
/* world: clocks that go on, and HTTP against a scripted peer: limits, faults, and what error texts must not hold. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdbool.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/memory.h"
#include "base/str.h"
#include "styrmin/world.h"

/* A peer that reads one request, answers with these bytes, and may then stay silent without closing. */
struct peer {
    int listener;
    int port;
    const char *answer;
    bool hang;
    bool flood; /* goes on with the body until the other side closes */
    int count;
    char seen[8192];
    pthread_t thread;
};

static void read_request(struct peer *peer, int fd)
{
    size_t length = 0;
    for (;;) {
        ssize_t got = recv(fd, peer->seen + length, sizeof(peer->seen) - 1 - length, 0);
        if (got <= 0)
            return;
        length += (size_t)got;
        peer->seen[length] = '\0';
        const char *end = strstr(peer->seen, "\r\n\r\n");
        const char *body = strstr(peer->seen, "Content-Length: ");
        if (end && (!body || strlen(end + 4) >= strtoul(body + 16, NULL, 10)))
            return;
    }
}

static void *serve(void *argument)
{
    struct peer *peer = argument;
    static const char filler[4096];
    for (int i = 0; i < peer->count; i++) {
        int fd = accept(peer->listener, NULL, NULL);
        read_request(peer, fd);
        send(fd, peer->answer, strlen(peer->answer), MSG_NOSIGNAL);
        while (peer->flood && send(fd, filler, sizeof(filler), MSG_NOSIGNAL) > 0)
            ;
        char byte;
        while (peer->hang && recv(fd, &byte, 1, 0) > 0)
            ;
        close(fd);
    }
    return NULL;
}

static void listen_on(struct peer *peer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(peer->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(peer->listener, 16), 0);
    assert_int_equal(getsockname(peer->listener, (struct sockaddr *)&address, &size), 0);
    peer->port = ntohs(address.sin_port);
}

static void start(struct peer *peer)
{
    if (!peer->count)
        peer->count = 1;
    listen_on(peer);
    assert_int_equal(pthread_create(&peer->thread, NULL, serve, peer), 0);
}

static void stop(struct peer *peer)
{
    pthread_join(peer->thread, NULL);
    close(peer->listener);
}

static int request(struct sty_http_response *out, const struct peer *peer, const struct sty_http_request *like,
                   struct sty_error *err)
{
    const struct sty_world *world = sty_world_real();
    sty_auto_free char *url = sty_sprintf("http://user:hunter2@127.0.0.1:%d/path?token=s3cret", peer->port);
    struct sty_http_request full = *like;
    full.url = url;
    if (!full.timeout_ms)
        full.timeout_ms = 10000;
    return world->http(world->self, out, &full, err);
}

static void test_get(void **state)
{
    struct sty_error err;
    struct peer peer = {.answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"};
    struct sty_http_request get = {.body_limit = 100};
    struct sty_http_response response = {0};
    (void)state;
    start(&peer);
    assert_int_equal(request(&response, &peer, &get, &err), 0);
    stop(&peer);
    assert_int_equal(response.status, 200);
    assert_int_equal(response.body_length, 5);
    assert_string_equal(response.body, "hello");
    assert_non_null(strstr(peer.seen, "GET /path?token=s3cret HTTP/1.1\r\n"));
    assert_non_null(strstr(peer.seen, "User-Agent: styrmin/"));
    free(response.body);
}

static void test_post(void **state)
{
    static const char *const headers[] = {"Content-Type: application/json", "X-Id: 7", NULL};
    struct sty_error err;
    struct peer peer = {.answer = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"};
    struct sty_http_request post = {
        .method = "POST", .headers = headers, .body = "{\"a\":1}", .body_length = 7, .body_limit = 100};
    struct sty_http_response response = {0};
    (void)state;
    start(&peer);
    assert_int_equal(request(&response, &peer, &post, &err), 0);
    stop(&peer);
    assert_int_equal(response.status, 201);
    assert_string_equal(response.body, "");
    assert_non_null(strstr(peer.seen, "POST /path"));
    assert_non_null(strstr(peer.seen, "Content-Length: 7\r\n"));
    assert_non_null(strstr(peer.seen, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(peer.seen, "X-Id: 7\r\n"));
    assert_null(strstr(peer.seen, "Expect:"));
    assert_true(sty_ends_with(peer.seen, "\r\n\r\n{\"a\":1}"));
    free(response.body);
}

static void test_methods(void **state)
{
    static const struct {
        const char *method, *answer;
        long status;
    } rows[] = {{"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", 200},
                {"DELETE", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 404},
                {"PATCH", "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", 500},
                {"GET", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", 302}};
    (void)state;
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        struct sty_error err;
        struct peer peer = {.answer = rows[i].answer};
        struct sty_http_request like = {.method = rows[i].method, .body_limit = 10};
        struct sty_http_response response = {0};
        start(&peer);
        assert_int_equal(request(&response, &peer, &like, &err), 0);
        stop(&peer);
        assert_int_equal(response.status, rows[i].status);
        assert_true(sty_starts_with(peer.seen, rows[i].method));
        free(response.body);
    }
}

/* Longer than wanted, and then without an end: cut, not an error, and no waiting for the rest. */
static void test_body_is_cut(void **state)
{
    struct sty_error err;
    struct peer peer = {.answer = "HTTP/1.1 200 OK\r\n\r\n", .flood = true};
    struct sty_http_request get = {.body_limit = 10};
    struct sty_http_response response = {0};
    (void)state;
    start(&peer);
    assert_int_equal(request(&response, &peer, &get, &err), 0);
    stop(&peer);
    assert_int_equal(response.status, 200);
    assert_int_equal(response.body_length, 10);
    free(response.body);
}

static void fails(struct peer *peer, const struct sty_http_request *like, enum sty_code code)
{
    struct sty_error err = {0};
    struct sty_http_response response = {.status = -1};
    assert_int_equal(request(&response, peer, like, &err), -1);
    assert_int_equal(err.code, code);
    assert_int_equal(response.status, -1);
    assert_null(response.body);
    assert_null(strstr(err.text, "hunter2"));
    assert_null(strstr(err.text, "s3cret"));
}

static void test_faults(void **state)
{
    struct sty_http_request get = {.body_limit = 100, .timeout_ms = 300};
    struct peer silent = {.answer = "", .hang = true};
    struct peer half = {.answer = "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf"};
    struct peer closes = {.answer = ""};
    struct peer nobody = {0};
    (void)state;
    start(&silent);
    fails(&silent, &get, STY_TIMEOUT);
    stop(&silent);
    start(&half);
    fails(&half, &get, STY_UNREACHABLE);
    stop(&half);
    start(&closes);
    fails(&closes, &get, STY_UNREACHABLE);
    stop(&closes);
    listen_on(&nobody);
    close(nobody.listener);
    fails(&nobody, &get, STY_UNREACHABLE);
}

static void test_endless_headers(void **state)
{
    struct sty_http_request get = {.body_limit = 100};
    sty_auto(str) answer = STY_STR_INIT;
    (void)state;
    sty_str_append(&answer, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 10000; i++)
        sty_str_append(&answer, "X-Filler: 0123456789012345678901234567890123456789\r\n");
    struct peer peer = {.answer = answer.data};
    start(&peer);
    fails(&peer, &get, STY_UNREACHABLE);
    stop(&peer);
}

static void test_invalid_requests(void **state)
{
    static const char *const split[] = {"X: a\r\nY: b", NULL};
    static const struct sty_http_request rows[] = {{.url = "ftp://127.0.0.1/"},
                                                   {.url = "file:///etc/passwd"},
                                                   {.url = "not a url"},
                                                   {.url = ""},
                                                   {.url = "http://127.0.0.1/", .method = "GET /\r\nX"},
                                                   {.url = "http://127.0.0.1/", .method = ""},
                                                   {.url = "http://127.0.0.1/", .headers = split}};
    const struct sty_world *world = sty_world_real();
    (void)state;
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        struct sty_error err = {0};
        struct sty_http_response response = {0};
        struct sty_http_request like = rows[i];
        like.timeout_ms = 2000;
        assert_int_equal(world->http(world->self, &response, &like, &err), -1);
        assert_int_equal(err.code, STY_INVALID);
    }
}

static void test_connect(void **state)
{
    const struct sty_world *world = sty_world_real();
    struct sty_error err = {0};
    struct peer peer = {.answer = ""};
    (void)state;
    setenv("http_proxy", "http://127.0.0.1:1", 1); /* must not be asked */
    listen_on(&peer);
    assert_int_equal(world->connect(world->self, "127.0.0.1", peer.port, 5000, &err), 0);
    assert_int_equal(world->connect(world->self, "localhost", peer.port, 5000, &err), 0);
    close(peer.listener);
    assert_int_equal(world->connect(world->self, "127.0.0.1", peer.port, 5000, &err), -1);
    assert_int_equal(err.code, STY_UNREACHABLE);
    unsetenv("http_proxy");
}

static void test_connect_invalid(void **state)
{
    static const struct {
        const char *host;
        int port;
    } rows[] = {{"127.0.0.1", 0}, {"127.0.0.1", 65536}, {"127.0.0.1", -1}, {"a b", 80}, {"", 80}, {"host/path", 80}};
    const struct sty_world *world = sty_world_real();
    (void)state;
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        struct sty_error err = {0};
        assert_int_equal(world->connect(world->self, rows[i].host, rows[i].port, 500, &err), -1);
        assert_int_equal(err.code, STY_INVALID);
    }
}

static void *ask(void *argument)
{
    struct sty_error err;
    struct sty_http_request get = {.body_limit = 100};
    struct sty_http_response response = {0};
    int result = request(&response, argument, &get, &err);
    free(response.body);
    return result == 0 && response.status == 200 ? NULL : argument;
}

static void test_threads(void **state)
{
    struct peer peer = {.answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", .count = 8};
    pthread_t threads[8];
    (void)state;
    start(&peer);
    for (size_t i = 0; i < STY_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &peer), 0);
    for (size_t i = 0; i < STY_COUNT(threads); i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    stop(&peer);
}

static void test_clocks(void **state)
{
    const struct sty_world *world = sty_world_real();
    (void)state;
    assert_true(world->now_ms(world->self) > 1700000000000);
    int64_t start_ms = world->monotonic_ms(world->self);
    world->sleep_ms(world->self, 30);
    world->sleep_ms(world->self, 0);
    world->sleep_ms(world->self, -5);
    int64_t slept = world->monotonic_ms(world->self) - start_ms;
    assert_true(slept >= 29 && slept < 5000);
}

int main(void)
{
    static const char *const proxies[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
    for (size_t i = 0; i < STY_COUNT(proxies); i++)
        unsetenv(proxies[i]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_post),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_body_is_cut),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_endless_headers),
        cmocka_unit_test(test_invalid_requests),
        cmocka_unit_test(test_connect),
        cmocka_unit_test(test_connect_invalid),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_clocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
