# SPDX-License-Identifier: Apache-2.0
"""The source stage against real git servers: what it fetches, what it refuses, what it never tells."""
import concurrent.futures
import os
import pathlib
import stat
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import git_servers  # noqa: E402

PROBE = os.environ.get("STYRMIN_SOURCE_PROBE", "source_probe")
SECRET = "s3cret-Passw0rd:with/colon"


@pytest.fixture
def tmp():
    with git_servers.folder() as path:
        (path / "password").write_text(SECRET + "\n")
        yield path


@pytest.fixture
def repo(tmp):
    return git_servers.Repository(tmp)


def probe(tmp, url, mirror="mirror", branch="main", env=None, **options):
    """The probe's lines as a dictionary, `code` its exit status, `fetches` the lines of every fetch."""
    argv = [PROBE, str(tmp / mirror), url, branch] + [f"{key}={value}" for key, value in options.items()]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, env=git_servers.environment(**(env or {})))
    assert SECRET not in done.stdout + done.stderr
    assert done.returncode in (0, 1), done.stderr
    lines = [line.partition("=")[::2] for line in done.stdout.splitlines()]
    return dict(lines) | {"code": done.returncode, "changes": [v for k, v in lines if k == "changed"]}


def refused(result, code, text=""):
    assert result["code"] == 1 and result["error"] == code, result
    assert text in result["message"], result["message"]


# ---- http ----

@pytest.mark.parametrize("tls", [False, True])
def test_http_clone_fetch_and_push(tmp, repo, tls):
    with git_servers.HttpServer(tmp, tls=tls) as server:
        options = {"ca_file": server.ca_file} if tls else {}
        first = probe(tmp, server.url("repo.git"), **options)
        assert first["tip"] == repo.ref("main") and first["changed"] == "1"
        newer = repo.commit({"deployments/a.yaml": "x" * 100000})
        second = probe(tmp, server.url("repo.git"), text="went well", records='{"n":1}', push=1, **options)
        assert second["tip"] == newer and second["changed"] == "1" and second["unpushed"] == "0"
        assert repo.note("styrmin/probe", newer) == "went well"
        assert repo.note("styrmin-records/probe", newer) == '{"n":1}'


def test_nothing_new_is_one_request(tmp, repo):
    with git_servers.HttpServer(tmp) as server:
        probe(tmp, server.url("repo.git"), text="t", push=1)
        before = len(server.requests())
        result = probe(tmp, server.url("repo.git"))
        asked = server.requests()[before:]
        assert result["changed"] == "0"
        assert asked == ["GET /repo.git/info/refs?service=git-upload-pack HTTP/1.1"]
        before = len(server.requests())
        assert probe(tmp, server.url("repo.git"), probe=1)["tip"] == repo.ref("main")
        assert len(server.requests()) == before + 1


def test_connections_are_kept(tmp, repo):
    with git_servers.HttpServer(tmp) as server:
        with git_servers.Proxy(tmp) as proxy:
            result = probe(tmp, server.url("repo.git"), proxy=proxy.url, repeat=5)
            assert result["code"] == 0, result
            assert result["changes"] == ["1", "0", "0", "0", "0"]


def test_large_push_is_streamed(tmp, repo):
    with git_servers.HttpServer(tmp) as server:
        import random
        generator = random.Random(1)
        records = "\n".join("%0100x" % generator.getrandbits(400) for _ in range(60000))
        text = tmp / "records"
        text.write_text(records)
        # argv has a limit: several pushes of half a MiB would not be chunked, so the note is made by git itself.
        probe(tmp, server.url("repo.git"))
        tip = repo.ref("main")
        git_servers.git("notes", "--ref=refs/notes/styrmin-records/probe", "add", "-F", text, tip, cwd=tmp / "mirror")
        result = probe(tmp, server.url("repo.git"), push=1)
        assert result["unpushed"] == "0"
        assert repo.note("styrmin-records/probe", tip) == records


def test_large_fetch(tmp, repo):
    blob = os.urandom(8 << 20)
    tip = repo.commit({"drivers/d/1/blob": blob})
    with git_servers.HttpServer(tmp) as server:
        assert probe(tmp, server.url("repo.git"))["tip"] == tip
    out = subprocess.run(["git", "cat-file", "blob", f"{tip}:drivers/d/1/blob"], cwd=tmp / "mirror",
                         capture_output=True, check=True, env=git_servers.environment())
    assert out.stdout == blob


def test_password(tmp, repo):
    (tmp / "wrong").write_text("nope\n")
    with git_servers.HttpServer(tmp, user="anna", password=SECRET) as server:
        url = server.url("repo.git")
        good = probe(tmp, url, username="anna", password_file=tmp / "password", text="t", push=1)
        assert good["tip"] == repo.ref("main") and good["unpushed"] == "0"
        assert probe(tmp, server.url("repo.git", user="anna@"), password_file=tmp / "password")["code"] == 0
        refused(probe(tmp, url, username="anna", password_file=tmp / "wrong"), "denied", "refused username and password")
        refused(probe(tmp, url), "denied", "source.auth")
        refused(probe(tmp, url, username="anna", password_file=tmp / "absent"), "not found", "password_file")
        refused(probe(tmp, f"http://anna:{SECRET}@127.0.0.1:{server.port}/repo.git"), "usage")


def test_absent_things(tmp, repo):
    with git_servers.HttpServer(tmp) as server:
        refused(probe(tmp, server.url("none.git")), "not found")
        refused(probe(tmp, server.url("repo.git"), branch="nope"), "not found", "it has: main")
        port = server.port
    refused(probe(tmp, f"http://127.0.0.1:{port}/repo.git"), "unreachable")
    refused(probe(tmp, "http://styrmin.invalid/repo.git"), "unreachable", "styrmin.invalid")


def test_certificates(tmp, repo):
    other = git_servers.Authority(tmp, "other")
    with git_servers.HttpServer(tmp, tls=True) as server:
        url = server.url("repo.git")
        refused(probe(tmp, url), "denied", "certificate")
        refused(probe(tmp, url, ca_file=other.ca_file), "denied", "certificate")
        refused(probe(tmp, url, ca_file=tmp / "absent.pem"), "usage")
        for name in ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"):
            assert probe(tmp, url, ca_file=server.ca_file, env={name: str(other.ca_file)})["code"] == 0
            refused(probe(tmp, url, env={name: str(server.ca_file)}), "denied", "certificate")


def test_proxy(tmp, repo):
    with git_servers.HttpServer(tmp) as plain, git_servers.HttpServer(tmp, tls=True) as secure, \
            git_servers.Proxy(tmp) as proxy:
        assert probe(tmp, plain.url("repo.git"), proxy=proxy.url)["code"] == 0
        assert any("/repo.git/info/refs" in line for line in proxy.requests())
        assert probe(tmp, secure.url("repo.git"), ca_file=secure.ca_file, proxy=proxy.url)["code"] == 0
        assert any(line.startswith(f"CONNECT 127.0.0.1:{secure.port}") for line in proxy.requests())
        before = len(proxy.requests())
        assert probe(tmp, plain.url("repo.git"), env={"http_proxy": proxy.url})["code"] == 0
        assert len(proxy.requests()) > before
    refused(probe(tmp, plain.url("repo.git"), proxy=f"http://user:{SECRET.replace('/', '')}@127.0.0.1:1"), "unreachable")


# ---- redirects ----

def test_redirect_to_another_host_gets_no_credentials(tmp, repo):
    def ask_for_credentials(request):
        request.send_response(401)
        request.send_header("WWW-Authenticate", 'Basic realm="x"')
        request.send_header("Content-Length", "0")
        request.end_headers()

    with git_servers.Scripted(ask_for_credentials) as thief, \
            git_servers.Scripted(git_servers.redirect(f"http://localhost:{thief.port}")) as server:
        result = probe(tmp, server.url("repo.git"), username="anna", password_file=tmp / "password")
        refused(result, "denied", "only sent to")
        assert "Authorization" in server.seen[0][2]
        assert len(thief.seen) == 1 and not any("Authorization" in headers for _, _, headers in thief.seen)


def test_redirect_to_another_host_is_followed(tmp, repo):
    with git_servers.HttpServer(tmp) as real, \
            git_servers.Scripted(git_servers.redirect(f"http://127.0.0.1:{real.port}")) as server:
        result = probe(tmp, server.url("repo.git"), username="anna", password_file=tmp / "password")
        assert result["tip"] == repo.ref("main")
        assert [method for method, _, _ in server.seen] == ["GET"]


def test_redirect_within_the_host_keeps_credentials(tmp, repo):
    with git_servers.Scripted(lambda request: handler(request)) as server:
        def handler(request):
            if request.path.startswith("/old"):
                return git_servers.redirect(server.url("new").rstrip("/"))(request)
            request.send_response(404)
            request.send_header("Content-Length", "0")
            return request.end_headers()

        refused(probe(tmp, server.url("old"), username="anna", password_file=tmp / "password"), "not found")
        assert [path.split("?")[0] for _, path, _ in server.seen] == ["/old/info/refs", "/new/old/info/refs"]
        assert all("Authorization" in headers for _, _, headers in server.seen)


@pytest.mark.parametrize("target,code,text", [
    ("file:///etc/passwd?x=", "denied", "neither http nor https"),
    ("ftp://127.0.0.1", "denied", "neither http nor https"),
    ("http://127.0.0.1:1/login?next=", "unreachable", ""),
])
def test_redirect_elsewhere(tmp, repo, target, code, text):
    with git_servers.Scripted(git_servers.redirect(target)) as server:
        result = probe(tmp, server.url("repo.git"))
        assert result["code"] == 1
        if text:
            refused(result, code, text)


def test_redirect_to_a_page(tmp, repo):
    def login(request):
        request.send_response(302)
        request.send_header("Location", "/login")
        request.send_header("Content-Length", "0")
        request.end_headers()

    with git_servers.Scripted(login) as server:
        refused(probe(tmp, server.url("repo.git")), "invalid", "source.url may be wrong")
        assert len(server.seen) == 1


def test_redirect_loop(tmp, repo):
    with git_servers.Scripted(lambda request: git_servers.redirect(f"http://127.0.0.1:{server.port}")(request)) as server:
        refused(probe(tmp, server.url("repo.git")), "failed", "more than 5")
        assert len(server.seen) == 6


def test_redirect_from_https_to_http(tmp, repo):
    import ssl
    authority = git_servers.Authority(tmp)
    with git_servers.Scripted(git_servers.redirect("http://127.0.0.1:1")) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.certificate, authority.key)
        server.server.socket = context.wrap_socket(server.server.socket, server_side=True)
        result = probe(tmp, f"https://127.0.0.1:{server.port}/repo.git", ca_file=authority.ca_file)
        refused(result, "denied", "https to http")


# ---- faults ----

@pytest.mark.parametrize("status,code", [(500, "unreachable"), (503, "unreachable"), (403, "denied"), (429, "unreachable"),
                                         (400, "failed"), (407, "denied")])
def test_status(tmp, status, code):
    def handler(request):
        request.send_response(status)
        request.send_header("Content-Length", "5")
        request.end_headers()
        request.wfile.write(b"sorry")

    with git_servers.Scripted(handler) as server:
        refused(probe(tmp, server.url("repo.git")), code)


@pytest.mark.parametrize("body,text", [(b"<html>hello</html>", "smart HTTP"), (b"", "smart HTTP")])
def test_not_git(tmp, body, text):
    def handler(request):
        request.send_response(200)
        request.send_header("Content-Type", "text/html")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    with git_servers.Scripted(handler) as server:
        refused(probe(tmp, server.url("repo.git")), "invalid", text)


@pytest.mark.parametrize("body", [b"", b"zzzz", b"001e# service=git-upload-pack\n0000", b"0004" * 100, b"ffff" + b"x" * 99999,
                                  b"001e# service=git-upload-pack\n0000" + b"003f" + b"0" * 40 + b" refs/heads/main\n0000"])
def test_garbage(tmp, body):
    def handler(request):
        request.send_response(200)
        request.send_header("Content-Type", "application/x-git-upload-pack-advertisement")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    with git_servers.Scripted(handler) as server:
        assert probe(tmp, server.url("repo.git"))["code"] == 1


@pytest.mark.parametrize("words,code", [("Repository not found", "not found"), ("access denied or repository not exported",
                                        "denied"), ("tea break", "failed")])
def test_words_of_the_server(tmp, words, code):
    def handler(request):
        body = b"001e# service=git-upload-pack\n0000" + b"%04xERR %s\n" % (len(words) + 9, words.encode())
        request.send_response(200)
        request.send_header("Content-Type", "application/x-git-upload-pack-advertisement")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    with git_servers.Scripted(handler) as server:
        refused(probe(tmp, server.url("repo.git")), code, words)


def test_cut_short(tmp, repo):
    tip = repo.commit({"blob": os.urandom(1 << 20)})
    with git_servers.HttpServer(tmp) as real:
        def handler(request):
            import http.client
            length = int(request.headers.get("Content-Length", 0))
            upstream = http.client.HTTPConnection("127.0.0.1", real.port)
            upstream.request(request.command, request.path, request.rfile.read(length),
                             {"Content-Type": request.headers.get("Content-Type", "")})
            answer = upstream.getresponse()
            body = answer.read()
            request.send_response(answer.status)
            request.send_header("Content-Type", answer.headers["Content-Type"])
            request.send_header("Content-Length", str(len(body)))
            request.end_headers()
            request.wfile.write(body[:len(body) // 2] if request.command == "POST" else body)
            request.close_connection = True

        with git_servers.Scripted(handler) as server:
            refused(probe(tmp, server.url("repo.git")), "unreachable")
        assert not list((tmp / "mirror/objects/pack").iterdir())
        assert probe(tmp, real.url("repo.git"))["tip"] == tip


def test_silent_server(tmp, repo):
    with git_servers.Silent() as server:
        begin = time.monotonic()
        refused(probe(tmp, f"http://127.0.0.1:{server.port}/repo.git", stall_ms=300), "timeout")
        refused(probe(tmp, f"http://127.0.0.1:{server.port}/repo.git", total_ms=300), "timeout")
        assert time.monotonic() - begin < 5


def test_trickle_meets_the_total_limit(tmp, repo):
    def handler(request):
        request.send_response(200)
        request.send_header("Content-Type", "application/x-git-upload-pack-advertisement")
        request.send_header("Content-Length", "100000")
        request.end_headers()
        try:
            for _ in range(100):
                request.wfile.write(b"0")
                request.wfile.flush()
                time.sleep(0.1)
        except OSError:
            pass

    with git_servers.Scripted(handler) as server:
        begin = time.monotonic()
        result = probe(tmp, server.url("repo.git"), stall_ms=5000, total_ms=700)
        assert result["code"] == 1 and time.monotonic() - begin < 4


def test_shallow_and_sha256_remotes(tmp, repo):
    repo.commit({"a": "1"})
    git_servers.git("clone", "-q", "--bare", "--depth=1", f"file://{repo.bare}", tmp / "shallow.git")
    git_servers.git("init", "-q", "--bare", "-b", "main", "--object-format=sha256", tmp / "sha256.git")
    git_servers.git("init", "-q", "-b", "main", "--object-format=sha256", tmp / "work256")
    git_servers.git("commit", "-q", "--allow-empty", "-m", "x", cwd=tmp / "work256")
    git_servers.git("push", "-q", tmp / "sha256.git", "main", cwd=tmp / "work256")
    with git_servers.HttpServer(tmp) as server:
        for name in ("shallow.git", "sha256.git"):
            refused(probe(tmp, server.url(name)), "invalid", "not supported")
            refused(probe(tmp, f"file://{tmp}/{name}"), "invalid", "not supported")


# ---- ssh ----

@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_ssh(tmp, kind):
    repo = git_servers.Repository(tmp, "it's a repo.git")
    with git_servers.SshServer(tmp, kind) as server:
        keys = {"ssh_key_file": server.key, "known_hosts_file": server.known_hosts}
        url = server.url(str(repo.bare).replace(" ", "%20"))
        result = probe(tmp, url, text="by ssh", push=1, **keys)
        assert result["tip"] == repo.ref("main") and result["unpushed"] == "0"
        assert repo.note("styrmin/probe", result["tip"]) == "by ssh"
        assert probe(tmp, url, env={"GIT_PROTOCOL": "version=2", "GIT_DIR": "/nowhere"}, **keys)["changed"] == "0"


def test_ssh_refuses_what_it_does_not_know(tmp, repo):
    with git_servers.SshServer(tmp) as server:
        url = server.url(repo.bare)
        keys = {"ssh_key_file": server.key, "known_hosts_file": server.known_hosts}
        refused(probe(tmp, url, ssh_key_file=server.key), "usage", "known_hosts_file is required")
        (tmp / "empty").write_text("")
        refused(probe(tmp, url, ssh_key_file=server.key, known_hosts_file=tmp / "empty"), "denied", "Host key")
        assert (tmp / "empty").read_text() == ""
        git_servers.keygen(server.base / "stranger")
        refused(probe(tmp, url, ssh_key_file=server.base / "stranger", known_hosts_file=server.known_hosts), "denied",
                "Permission denied")
        refused(probe(tmp, server.url("/none.git"), **keys), "not found")
        server.write_known_hosts("stranger.pub")
        refused(probe(tmp, url, **keys), "denied")
        server.write_known_hosts()
        server.known_hosts.write_text("@revoked " + server.known_hosts.read_text())
        refused(probe(tmp, url, **keys), "denied")
        port = server.port
    refused(probe(tmp, url, **keys), "unreachable")
    with git_servers.Silent() as silent:
        begin = time.monotonic()
        result = probe(tmp, url.replace(str(port), str(silent.port)), stall_ms=500, **keys)
        refused(result, "timeout")
        assert time.monotonic() - begin < 8


@pytest.mark.parametrize("url", ["ssh://-oProxyCommand=touch$IFS/x@127.0.0.1/r", "ssh://-oProxyCommand=x/r", "-oX:r",
                                 "host:-x", "ext::sh -c x", "ftp://h/r", "relative/path", "", "http://h/r?x=1",
                                 "file://other/r", "file:///a%00b", "ssh://h", "http://"])
def test_addresses_that_are_none(tmp, url):
    refused(probe(tmp, url, known_hosts_file="/dev/null"), "usage")


# ---- paths, notes, races ----

def test_local_paths(tmp, repo):
    for url in (f"file://{repo.bare}", str(repo.bare), f"file://localhost{repo.bare}"):
        assert probe(tmp, url)["tip"] == repo.ref("main")
    refused(probe(tmp, str(tmp / "none.git")), "not found")


def test_rewritten_branch(tmp, repo):
    url = str(repo.bare)
    old = probe(tmp, url)["tip"]
    git_servers.git("commit", "-q", "--amend", "-m", "other", cwd=repo.work)
    git_servers.git("push", "-q", "-f", "origin", "main", cwd=repo.work)
    for _ in range(2):
        refused(probe(tmp, url, accepted=old), "rewound", old)
        assert git_servers.git("rev-parse", "main", cwd=tmp / "mirror") == old
    refused(probe(tmp, url, mirror="another", accepted=old), "rewound")
    accepted = probe(tmp, url, accepted=old, rewind=1)
    assert accepted["changed"] == "1" and accepted["tip"] == repo.ref("main")
    newer = repo.commit({"x": "1"})
    assert probe(tmp, url, accepted=accepted["tip"])["tip"] == newer


def test_pushes_that_race_lose_nothing(tmp, repo):
    """Six installations of the same name push at once: every record is there at the end."""
    url = f"file://{repo.bare}"
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        def one(n):
            for _ in range(10):
                result = probe(tmp, url, mirror=f"m{n}", records=f'{{"n":{n}}}', push=1)
                if result["code"] == 0:
                    return result
                assert result["error"] == "conflict", result
            return result
        assert all(result["unpushed"] == "0" for result in pool.map(one, range(6)))
    lines = repo.note("styrmin-records/probe", repo.ref("main")).splitlines()
    assert sorted(lines) == [f'{{"n":{n}}}' for n in range(6)]


def hook(repo, text):
    path = repo.bare / "hooks/pre-receive"
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


def test_read_only_remote(tmp, repo):
    with git_servers.HttpServer(tmp) as server:
        git_servers.git("config", "http.receivepack", "false", cwd=repo.bare)
        result = probe(tmp, server.url("repo.git"), text="t", push=1)
        refused(result, "denied", "git-receive-pack")
        git_servers.git("config", "http.receivepack", "true", cwd=repo.bare)
        hook(repo, "echo notes are frozen >&2\nexit 1\n")
        refused(probe(tmp, server.url("repo.git"), push=1), "denied", "notes are frozen")
        hook(repo, "exit 0\n")
        assert probe(tmp, server.url("repo.git"), push=1)["unpushed"] == "0"


def test_somebody_pushes_in_between(tmp, repo):
    """The remote's notes move after our list and before our push: seen as late, not as refused."""
    url = f"file://{repo.bare}"
    tip = probe(tmp, url, text="first", push=1)["tip"]
    flag = tmp / "raced"
    hook(repo, f"""[ -e {flag} ] && exit 0
touch {flag}
unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES
git notes --ref=refs/notes/styrmin-records/probe add -f -m '{{"other":1}}' {tip}
""")
    result = probe(tmp, url, records='{"ours":1}', push=1)
    assert result["code"] == 0 and result["unpushed"] == "0", result
    assert repo.note("styrmin-records/probe", tip).splitlines() == ['{"other":1}', '{"ours":1}']


def test_lost_mirror_learns_its_notes_again(tmp, repo):
    url = f"file://{repo.bare}"
    probe(tmp, url, records='{"a":1}', text="t", push=1)
    result = probe(tmp, url, mirror="fresh", records='{"b":2}', push=1)
    assert result["unpushed"] == "0" and result["notes_changed"] == "1"
    assert repo.note("styrmin-records/probe", repo.ref("main")).splitlines() == ['{"a":1}', '{"b":2}']


@pytest.mark.parametrize("transport", ["http", "file"])
def test_many_notes_do_not_make_a_fetch_a_clone(tmp, repo, transport):
    """Notes are newer than the branch: offered as what we have, they would hide from the server that we have that."""
    repo.commit({"drivers/d/1/blob": os.urandom(3 << 20)}, GIT_COMMITTER_DATE="2026-01-01T00:00:00Z")
    with git_servers.HttpServer(tmp) as server:
        url = server.url("repo.git") if transport == "http" else str(repo.bare)
        probe(tmp, url)
        for n in range(40):
            probe(tmp, url, records=f'{{"n":{n}}}', push=int(n % 10 == 9))
        before = sum(path.stat().st_size for path in (tmp / "mirror/objects/pack").iterdir())
        newer = repo.commit({"deployments/a.yaml": "small"})
        git_servers.git("notes", "--ref=refs/notes/styrmin-records/probe", "append", "-m", "theirs", newer, cwd=repo.bare)
        result = probe(tmp, url)
        assert result["tip"] == newer and result["notes_changed"] == "1"
        after = sum(path.stat().st_size for path in (tmp / "mirror/objects/pack").iterdir())
        assert after - before < 200000


def test_kept_connection_that_died(tmp, repo):
    """The server closes after every answer without having said so: the post begins again on a new connection."""
    import socket
    import threading
    with git_servers.HttpServer(tmp) as real:
        posts = []

        def relay(client):
            with client, socket.create_connection(("127.0.0.1", real.port)) as upstream:
                client.settimeout(5)
                request = b""
                while b"\r\n\r\n" not in request:
                    piece = client.recv(65536)
                    if not piece:
                        return
                    request += piece
                head, _, body = request.partition(b"\r\n\r\n")
                length = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
                while length and len(body) < int(length[0].split(b":")[1]):
                    body += client.recv(65536)
                posts.append(head.split(b" ")[0])
                upstream.sendall(head + b"\r\nConnection: close\r\n\r\n" + body)
                answer = b""
                while piece := upstream.recv(65536):
                    answer += piece
                client.sendall(answer.replace(b"Connection: close\r\n", b""))
                time.sleep(0.02)  # the client believes that it may go on with this connection

        with socket.create_server(("127.0.0.1", 0)) as listener:
            def accept():
                while True:
                    try:
                        threading.Thread(target=relay, args=(listener.accept()[0],), daemon=True).start()
                    except OSError:
                        return
            threading.Thread(target=accept, daemon=True).start()
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/repo.git"
            for n in range(10):
                tip = repo.commit({"n": str(n)})
                result = probe(tmp, url, text=f"t{n}", push=1)
                assert result["code"] == 0 and result["tip"] == tip and result["unpushed"] == "0", result
            assert b"POST" in posts
