# SPDX-License-Identifier: Apache-2.0
"""Real servers for tests, on loopback, each a context manager that waits until it answers and cleans up after itself.

    with git_servers.folder() as tmp:
        repo = git_servers.Repository(tmp)              # bare `repo.bare`, work tree `repo.work`, one commit
        with git_servers.HttpServer(tmp, user="u", password="p") as server:
            server.url("repo.git"), server.ca_file      # https: HttpServer(tmp, tls=True)
        with git_servers.SshServer(tmp) as server:
            server.url(repo.bare), server.key, server.known_hosts
        with git_servers.Proxy(tmp) as proxy: proxy.url, proxy.requests()
        with git_servers.Scripted(handler) as server: server.port

Python's standard library only.
"""
import contextlib
import http.server
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

# Settings of the machine that would override what a test configures.
UNWANTED = ("SSL_CERT_", "CURL_CA_", "REQUESTS_CA_", "GIT_", "SSH_AUTH_SOCK", "http_proxy", "https_proxy", "all_proxy",
            "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


def environment(**more):
    """The environment for tools and for Styrmin: ours without what would change their behaviour."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(UNWANTED)}
    clean.update(GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_NOSYSTEM="1", GIT_TERMINAL_PROMPT="0", LC_ALL="C",
                 GIT_AUTHOR_NAME="Anna", GIT_AUTHOR_EMAIL="anna@example.com", GIT_COMMITTER_NAME="Anna",
                 GIT_COMMITTER_EMAIL="anna@example.com")
    clean.update(more)
    return clean


@contextlib.contextmanager
def folder():
    """A temp folder that programs of other users (nginx's workers) may enter."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="styrmin-test-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(check, what, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if check():
            return
        time.sleep(0.02)
    raise TimeoutError(f"{what} is not there after {seconds} s")


def answers(port):
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def git(*arguments, cwd=None, check=True, **more):
    done = subprocess.run(["git", *map(str, arguments)], cwd=cwd, env=environment(**more), text=True,
                          capture_output=True)
    if check and done.returncode:
        raise RuntimeError(f"git {' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout.strip()


class Repository:
    """A bare repository and a work tree that pushes to it."""

    def __init__(self, tmp, name="repo.git", branch="main"):
        self.bare, self.work, self.branch = tmp / name, tmp / (name + ".work"), branch
        git("init", "-q", "--bare", "-b", branch, self.bare)
        git("config", "http.receivepack", "true", cwd=self.bare)
        git("init", "-q", "-b", branch, self.work)
        git("remote", "add", "origin", self.bare, cwd=self.work)
        self.commit({"README": "hello\n"})

    def commit(self, files, message="change", push=True, **env):
        """Write files (None removes one), commit, push; the new commit's id. env: e.g. GIT_COMMITTER_DATE."""
        for path, text in files.items():
            full = self.work / path
            if text is None:
                full.unlink()
                continue
            full.parent.mkdir(parents=True, exist_ok=True)
            full.write_bytes(text if isinstance(text, bytes) else text.encode())
        git("add", "-A", cwd=self.work)
        git("commit", "-q", "--allow-empty", "-m", message, cwd=self.work, **env)
        if push:
            git("push", "-q", "-f", "origin", self.branch, cwd=self.work)
        return git("rev-parse", "HEAD", cwd=self.work)

    def ref(self, name):
        return git("rev-parse", "-q", "--verify", name, cwd=self.bare, check=False)

    def note(self, ref, commit):
        return git("notes", f"--ref={ref}", "show", commit, cwd=self.bare, check=False)


class Process:
    """A server process in a session of its own."""

    def __init__(self, tmp, argv, ready, name):
        self.log = tmp / f"{name}.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(list(map(str, argv)), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=environment(), start_new_session=True)
        try:
            wait_until(lambda: self.process.poll() is not None or ready(), name)
            if self.process.poll() is not None:
                raise RuntimeError(f"{name} ended: {self.log.read_text(errors='replace')}")
        except BaseException:
            self.stop()
            raise

    def stop(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(3)
                return


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, env=environment())


class Authority:
    """A CA and a certificate of it for 127.0.0.1 and localhost."""

    def __init__(self, tmp, name="ca"):
        base = tmp / name
        base.mkdir()
        self.ca_file, self.certificate, self.key = base / "ca.pem", base / "server.pem", base / "server.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                f"/CN=Styrmin test {name}", "-keyout", base / "ca.key", "-out", self.ca_file)
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
                "-keyout", self.key, "-out", base / "server.csr")
        (base / "ext").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        openssl("x509", "-req", "-days", "2", "-in", base / "server.csr", "-CA", self.ca_file, "-CAkey",
                base / "ca.key", "-CAcreateserial", "-extfile", base / "ext", "-out", self.certificate)


NGINX = """
daemon off; worker_processes 1; pid {base}/nginx.pid; error_log {base}/error.log; {user}
events {{ worker_connections 64; }}
http {{
  access_log {base}/access.log; client_max_body_size 0;
  client_body_temp_path {base}/body; fastcgi_temp_path {base}/fastcgi; proxy_temp_path {base}/proxy;
  uwsgi_temp_path {base}/uwsgi; scgi_temp_path {base}/scgi;
  server {{
    listen 127.0.0.1:{port}{ssl};
    {certificate}
    location ~ ^(/.*)$ {{
      {auth}
      fastcgi_pass unix:{base}/fcgi.sock;
      fastcgi_param SCRIPT_FILENAME {backend};
      fastcgi_param GIT_HTTP_EXPORT_ALL "";
      fastcgi_param GIT_PROJECT_ROOT {root};
      fastcgi_param PATH_INFO $1;
      fastcgi_param QUERY_STRING $query_string;
      fastcgi_param REQUEST_METHOD $request_method;
      fastcgi_param CONTENT_TYPE $content_type;
      fastcgi_param CONTENT_LENGTH $content_length;
      fastcgi_param REMOTE_USER $remote_user;
      fastcgi_param HTTP_CONTENT_ENCODING $http_content_encoding;
      fastcgi_param GIT_CONFIG_COUNT 1;
      fastcgi_param GIT_CONFIG_KEY_0 safe.directory;
      fastcgi_param GIT_CONFIG_VALUE_0 "*";
    }}
  }}
}}
"""


class HttpServer:
    """nginx and fcgiwrap in front of `git http-backend`; every repository in `tmp` is served."""

    def __init__(self, tmp, tls=False, user=None, password=None, authority=None):
        self.tmp, self.tls, self.user, self.password = tmp, tls, user, password
        self.authority, self.processes = authority, []

    def __enter__(self):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="http-", dir=self.tmp))
        self.base.chmod(0o755)
        self.port = free_port()
        if self.tls and not self.authority:
            self.authority = Authority(self.base)
        self.ca_file = self.authority.ca_file if self.authority else None
        self.write_configuration()
        sock = self.base / "fcgi.sock"
        try:
            self.processes.append(Process(self.base, ["fcgiwrap", "-c", "2", "-s", f"unix:{sock}"], sock.exists,
                                          "fcgiwrap"))
            sock.chmod(0o666)
            self.processes.append(Process(self.base, ["nginx", "-e", self.base / "error.log", "-c",
                                                      self.base / "nginx.conf"], lambda: answers(self.port), "nginx"))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.stop()

    def write_configuration(self):
        auth = certificate = ""
        if self.user:
            digest = subprocess.run(["openssl", "passwd", "-apr1", self.password], capture_output=True, text=True,
                                    check=True).stdout.strip()
            (self.base / "htpasswd").write_text(f"{self.user}:{digest}\n")
            auth = f'auth_basic "git"; auth_basic_user_file {self.base}/htpasswd;'
        if self.tls:
            certificate = f"ssl_certificate {self.authority.certificate}; ssl_certificate_key {self.authority.key};"
        backend = pathlib.Path(git("--exec-path")) / "git-http-backend"
        (self.base / "nginx.conf").write_text(NGINX.format(
            base=self.base, port=self.port, ssl=" ssl" if self.tls else "", certificate=certificate, auth=auth,
            backend=backend, root=self.tmp, user="user root;" if os.geteuid() == 0 else ""))

    def url(self, name, user=""):
        return f"http{'s' if self.tls else ''}://{user}127.0.0.1:{self.port}/{name}"

    def requests(self):
        """Request lines so far, e.g. 'GET /repo.git/info/refs?service=git-upload-pack HTTP/1.1'."""
        log = self.base / "access.log"
        return [line.split('"')[1] for line in log.read_text().splitlines()] if log.exists() else []


SSHD = """
Port {port}
ListenAddress 127.0.0.1
HostKey {base}/host
PidFile {base}/sshd.pid
AuthorizedKeysFile {base}/authorized
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AcceptEnv GIT_PROTOCOL
"""


class SshServer:
    """sshd with a host key and a user key of its own; a path given to url() is served as it is."""

    def __init__(self, tmp, kind="ed25519"):
        self.tmp, self.kind = tmp, kind

    def __enter__(self):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="ssh-", dir=self.tmp))
        self.port, self.key, self.known_hosts = free_port(), self.base / "user", self.base / "known_hosts"
        for name in ("host", "user"):
            keygen(self.base / name, self.kind)
        shutil.copy(self.base / "user.pub", self.base / "authorized")
        self.write_known_hosts()
        with contextlib.suppress(PermissionError):
            os.makedirs("/run/sshd", exist_ok=True)
        (self.base / "sshd_config").write_text(SSHD.format(port=self.port, base=self.base))
        self.process = Process(self.base, ["/usr/sbin/sshd", "-D", "-e", "-f", self.base / "sshd_config"],
                               lambda: answers(self.port), "sshd")
        return self

    def __exit__(self, *_):
        self.process.stop()

    def write_known_hosts(self, public="host.pub"):
        key = (self.base / public).read_text().split()[:2]
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {' '.join(key)}\n")

    def url(self, path):
        return f"ssh://{os.environ.get('USER', 'root') if os.geteuid() else 'root'}@127.0.0.1:{self.port}{path}"


def keygen(path, kind="ed25519"):
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(path)], check=True, env=environment())


class Proxy:
    """tinyproxy on loopback."""

    def __init__(self, tmp):
        self.tmp = tmp

    def __enter__(self):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="proxy-", dir=self.tmp))
        self.base.chmod(0o777)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        (self.base / "tinyproxy.conf").write_text(
            f'Port {self.port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 20\nLogFile "{self.base}/log"\n'
            f'LogLevel Connect\nAllow 127.0.0.1\nDisableViaHeader Yes\n')
        self.process = Process(self.base, ["tinyproxy", "-d", "-c", self.base / "tinyproxy.conf"],
                               lambda: answers(self.port), "tinyproxy")
        return self

    def __exit__(self, *_):
        self.process.stop()

    def requests(self):
        """What clients asked the proxy for, e.g. 'CONNECT 127.0.0.1:443 HTTP/1.1'."""
        log = (self.base / "log").read_text(errors="replace") if (self.base / "log").exists() else ""
        return [line.split("): ", 1)[1] for line in log.splitlines() if "Request (file descriptor" in line]


class Scripted:
    """An HTTP server for faults that real ones cannot be made to show. `handler(request)` gets a
    BaseHTTPRequestHandler for every method; what was asked is kept in `seen` as (method, path, headers)."""

    def __init__(self, handler):
        self.handler, self.seen = handler, []

    def __enter__(self):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                outer.seen.append((self.command, self.path, dict(self.headers)))
                outer.handler(self)

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def url(self, name):
        return f"http://127.0.0.1:{self.port}/{name}"


def redirect(target):
    """A handler for Scripted: every path is moved to `target` + path."""
    def handler(request):
        request.send_response(302)
        request.send_header("Location", target + request.path)
        request.send_header("Content-Length", "0")
        request.end_headers()
    return handler


class Silent:
    """Accepts connections and never says anything."""

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        return self

    def __exit__(self, *_):
        self.listener.close()
