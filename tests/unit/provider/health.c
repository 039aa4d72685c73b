/* SPDX-License-Identifier: Apache-2.0 */
/* health: a real server that answers 503 a few times and then 200; time that runs out; what can never work. */
#include <arpa/inet.h>
#include <pthread.h>
#include "fixture.h"

struct server {
    int fd, port, failures;
    pthread_t thread;
};

static void *serve(void *self)
{
    struct server *server = self;
    for (;;) {
        char request[4096];
        sty_auto_fd client = accept(server->fd, NULL, NULL);
        if (client < 0)
            return NULL;
        if (read(client, request, sizeof(request)) <= 0)
            continue;
        const char *answer = server->failures-- > 0
                                 ? "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                                 : "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
        assert_true(write(client, answer, strlen(answer)) > 0);
    }
}

static void server_start(struct server *server, int failures)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    *server = (struct server){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .failures = failures};
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(server->fd, 16), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &length), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_stop(struct server *server)
{
    shutdown(server->fd, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->fd);
}

static struct sty_health_call health_of(struct fixture *f, const json_t *health, const json_t *resources)
{
    return (struct sty_health_call){&f->host, health, resources, "sha256:driver", KEY};
}

static json_t *http_health(int port)
{
    sty_auto_free char *url = sty_sprintf("http://127.0.0.1:%d/health", port);
    return json_pack("{s:{s:s, s:i}, s:i, s:i}", "http", "url", url, "status", 200, "timeout_ms", 3000, "interval_ms",
                     20);
}

static void test_http(void **state)
{
    struct fixture *f = *state;
    struct server server;
    struct sty_error err;
    bool healthy = true;
    server_start(&server, 3);
    json_auto_t *health = http_health(server.port);
    struct sty_health_call call = health_of(f, health, NULL);
    unsetenv("http_proxy");
    assert_int_equal(sty_health_look(&healthy, &call, &err), 0);
    assert_false(healthy);
    assert_non_null(strstr(err.text, "answered 503, not 200"));
    assert_int_equal(sty_health_wait(&call, 5000, &err), 0);
    assert_int_equal(sty_http_wait(&f->host, json_object_get(health, "http"), &err), 0);
    server_stop(&server);
    assert_int_equal(sty_health_look(&healthy, &call, &err), 0);
    assert_false(healthy);
}

static void test_tcp(void **state)
{
    struct fixture *f = *state;
    struct server server;
    struct sty_error err;
    bool healthy = false;
    server_start(&server, 0);
    json_auto_t *health =
        json_pack("{s:{s:s, s:i}, s:i}", "tcp", "host", "127.0.0.1", "port", server.port, "timeout_ms", 1000);
    struct sty_health_call call = health_of(f, health, NULL);
    assert_int_equal(sty_health_look(&healthy, &call, &err), 0);
    assert_true(healthy);
    server_stop(&server);
    assert_int_equal(sty_health_look(&healthy, &call, &err), 0);
    assert_false(healthy);
}

static int answer_503(void *self, struct sty_http_response *out, const struct sty_http_request *request,
                      struct sty_error *err)
{
    (void)self, (void)request, (void)err;
    *out = (struct sty_http_response){.status = 503, .body = sty_strdup("")};
    return 0;
}

static void test_time_runs_out(void **state)
{
    struct fixture *f = *state;
    struct sty_error err;
    json_auto_t *health = http_health(1);
    struct sty_health_call call = health_of(f, health, NULL);
    fixture_fake_time(f);
    f->world.http = answer_503;
    assert_int_equal(sty_health_wait(&call, 3600000, &err), -1);
    assert_int_equal(err.code, STY_FAILED);
    assert_non_null(strstr(err.text, "not healthy after 1h"));
    assert_non_null(strstr(err.text, "503"));
    assert_int_equal(f->now, 3600000);
    json_auto_t *step = json_pack("{s:s, s:i, s:i, s:i}", "url", "http://127.0.0.1:1/", "status", 204, "timeout_ms",
                                  100, "interval_ms", 10);
    assert_int_equal(sty_http_wait(&f->host, step, &err), -1);
    assert_int_equal(err.code, STY_FAILED);
    assert_non_null(strstr(err.text, "answered 503, not 204"));
    f->cancel = true;
    assert_int_equal(sty_health_wait(&call, 3600000, &err), -1);
    assert_int_equal(err.code, STY_CANCELLED);
}

static void test_command(void **state)
{
    static const struct {
        const char *argv;
        int result;
        bool healthy;
    } rows[] = {{"[\"true\"]", 0, true},
                {"[\"./ok\"]", 0, true},
                {"[\"false\"]", 0, false},
                {"[\"sh\",\"-c\",\"sleep 60\"]", 0, false},
                {"[\"/no/such/program\"]", -1, false}};
    struct fixture *f = *state;
    put_file(at(f, "driver/ok"), "#!/bin/sh\nexit 0\n", 0755);
    for (size_t i = 0; i < STY_COUNT(rows); i++) {
        json_auto_t *health = json_pack("{s:o, s:i}", "command", json_loads(rows[i].argv, 0, NULL), "timeout_ms", 300);
        struct sty_health_call call = health_of(f, health, NULL);
        struct sty_error err;
        bool healthy = false;
        assert_int_equal(sty_health_look(&healthy, &call, &err), rows[i].result);
        assert_int_equal(healthy, rows[i].healthy);
    }
}

static void test_own_state(void **state)
{
    struct fixture *f = *state;
    struct sty_error err;
    bool healthy = false;
    json_auto_t *process = resource_of("process", json_pack("{s:[s], s:{}, s:n}", "command", "/x", "env", "user"));
    json_auto_t *resources =
        json_pack("[o, O]", resource_of("directory", json_pack("{s:s}", "path", "/nowhere")), process);
    struct sty_health_call call = health_of(f, json_null(), resources);
    assert_int_equal(sty_health_look(&healthy, &call, &err), 0);
    assert_false(healthy);
    assert_non_null(strstr(err.text, "the:resource"));
    struct sty_provider_call own = call_of(f, process);
    assert_int_equal(sty_provider_process.start(&own, &err), 0);
    assert_int_equal(sty_health_look(&healthy, &call, &err), 0);
    assert_true(healthy);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_make, fixture_remove)
    const struct CMUnitTest tests[] = {TEST(test_http), TEST(test_tcp), TEST(test_time_runs_out), TEST(test_command),
                                       TEST(test_own_state)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
