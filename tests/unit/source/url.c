/* SPDX-License-Identifier: Apache-2.0 */
#include "git_fixture.h"
#include "source/source_internal.h"

static const struct {
    const char *url;
    enum sty_remote_kind kind;
    const char *text, *origin, *user, *host, *port, *path;
} good[] = {
    {"https://git.example.com/a/b.git", STY_REMOTE_HTTP, "https://git.example.com/a/b.git",
     "https://git.example.com:443", NULL, "git.example.com", "443", "/a/b.git"},
    {"http://anna@h:81/r/", STY_REMOTE_HTTP, "http://h:81/r", "http://h:81", "anna", "h", "81", "/r/"},
    {"http://an%40na@h/r", STY_REMOTE_HTTP, "http://h/r", "http://h:80", "an@na", "h", "80", "/r"},
    {"ssh://git@h:22/srv/r.git", STY_REMOTE_SSH, "ssh://h:22/srv/r.git", "ssh://h:22", "git", "h", "22", "/srv/r.git"},
    {"ssh://h/~anna/r", STY_REMOTE_SSH, "ssh://h/~anna/r", "ssh://h:", NULL, "h", NULL, "~anna/r"},
    {"ssh://[::1]/a%20b", STY_REMOTE_SSH, "ssh://[::1]/a%20b", "ssh://[::1]:", NULL, "::1", NULL, "/a b"},
    {"git@h:org/r.git", STY_REMOTE_SSH, "h:org/r.git", NULL, "git", "h", NULL, "org/r.git"},
    {"h:r", STY_REMOTE_SSH, "h:r", NULL, NULL, "h", NULL, "r"},
    {"git@[::1]:/r", STY_REMOTE_SSH, "[::1]:/r", NULL, "git", "::1", NULL, "/r"},
    {"h:a@b:c", STY_REMOTE_SSH, "h:a@b:c", NULL, NULL, "h", NULL, "a@b:c"},
    {"file:///srv/a%20b.git", STY_REMOTE_LOCAL, "/srv/a b.git", NULL, NULL, NULL, NULL, "/srv/a b.git"},
    {"file://localhost/srv/r", STY_REMOTE_LOCAL, "/srv/r", NULL, NULL, NULL, NULL, "/srv/r"},
    {"/srv/r:x", STY_REMOTE_LOCAL, "/srv/r:x", NULL, NULL, NULL, NULL, "/srv/r:x"},
};

static void same(const char *got, const char *expected)
{
    if (!expected)
        assert_null(got);
    else
        assert_string_equal(got, expected);
}

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < STY_COUNT(good); i++) {
        struct sty_remote_url url;
        struct sty_error err;
        if (sty_remote_url_parse(&url, good[i].url, &err) < 0)
            fail_msg("%s: %s", good[i].url, err.text);
        assert_int_equal(url.kind, good[i].kind);
        same(url.text, good[i].text);
        same(url.origin, good[i].origin);
        same(url.user, good[i].user);
        same(url.host, good[i].host);
        same(url.port, good[i].port);
        same(url.path, good[i].path);
        sty_remote_url_clear(&url);
    }
}

static void test_bad(void **state)
{
    static const char *const bad[] = {
        NULL,
        "",
        "https://u:s3cret@h/r",
        "ssh://u:s3cret@h/r",
        "http://u:s3cret@h:99999/r",
        "http://h/r?token=s3cret",
        "http://",
        "ssh://h",
        "ssh://h/",
        "ssh://-oProxyCommand=x/r",
        "ssh://-l@h/r",
        "-oX:r",
        "-u@h:r",
        "h:-x",
        "h:",
        "ext::sh -c s3cret",
        "ftp://u:s3cret@h/r",
        "git://h/r",
        "relative/path",
        "relative",
        "file://other/r",
        "file://r",
        "file:///a%00b",
        "file:///a%0ab",
        "ssh://h/a%0ab",
        "h:a\nb",
        "http://h/\x01",
    };
    (void)state;
    for (size_t i = 0; i < STY_COUNT(bad); i++) {
        struct sty_remote_url url;
        struct sty_error err;
        if (sty_remote_url_parse(&url, bad[i], &err) == 0)
            fail_msg("'%s' was taken", bad[i]);
        assert_int_equal(err.code, STY_USAGE);
        assert_null(strstr(err.text, "s3cret"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_bad)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
