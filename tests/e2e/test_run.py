# SPDX-License-Identifier: Apache-2.0
"""What acts, with the real binary: every type of step, hooks and their order, run states, health, failures, secrets."""
import http.server
import json
import os
import pathlib
import pwd
import subprocess
import threading
import time

import pytest

from git_servers import free_port, git, wait_until
from installation import Installation, deployment, process_table

HEAD = """apiVersion: styrmin.io/v1
kind: ApplicationDriver
metadata: {name: web}
spec:
  version: "%s"
  parameters:
    - {name: port, kind: integer, default: 80}
"""
SITE = """    site:
      resources:
        - directory: {path: "{{cluster.config.root}}/{{deployment.name}}"}
        - file: {path: "{{cluster.config.root}}/{{deployment.name}}/page", content: "{{app.version}} {{parameters.port}}"}
"""
SERVER = """    server:
      depends_on: [site]
      resources:
        - process: {command: [/bin/sleep, "100000"]}
"""
SAY = """#!/bin/sh
# say LOG PAGE WORDS: the words, and what the page says when they are said
log=$1 page=$2; shift 2
echo "$* page=$(cat $page 2>/dev/null)" >> $log
"""


@pytest.fixture
def it():
    with Installation() as installation:
        yield installation


def say(*words):
    words = ", ".join(f'"{word}"' for word in words)
    return f'- run: {{command: [./say, "{{{{cluster.config.root}}}}/log", "{{{{cluster.config.root}}}}/shop/page", {words}]}}'


def action(name, hook, mode, *steps):
    lines = "\n".join("        " + step for step in steps)
    return f"    - name: {name}\n      hook: {hook}\n      mode: {mode}\n      steps:\n{lines}\n"


def driver(it, version="1", components=SITE + SERVER, actions="", more="", files=()):
    it.write(f"drivers/web/{version}/driver.styrmin.yml",
             HEAD % version + "  components:\n" + components + ("  actions:\n" + actions if actions else "") + more)
    it.write(f"drivers/web/{version}/say", SAY, 0o755)
    for path in ("page.mustache", "migrate"):
        (it.work / f"drivers/web/{version}" / path).unlink(missing_ok=True)
    for path, text in dict(files).items():
        it.write(f"drivers/web/{version}/{path}", text, 0o755)


def put(it, message="change", **keywords):
    it.write("deployments/shop.yaml", deployment("shop", **keywords))
    return it.commit(message)


def steps(it):
    """Types and components of the newest remediation's steps, as planned."""
    row = it.rows("SELECT document FROM remediations ORDER BY seq DESC LIMIT 1")[0]
    return [" ".join(filter(None, (s["type"], s.get("component")))) for s in json.loads(row["document"])["steps"]]


def log(it):
    lines = (it.root / "log").read_text().splitlines()
    (it.root / "log").write_text("")
    return lines


def test_hooks_and_their_order(it):
    hooks = ("setup", "update", "upgrade", "start", "stop", "teardown")
    actions = "".join(action(f"{hook}-{mode}", hook, mode, say(hook, mode, "{{driver.version}}"))
                      for hook in hooks for mode in ("post", "pre"))
    actions += action("pre-2", "setup", "pre", say("second"))
    driver(it, actions=actions)
    put(it)
    it.sync()
    assert log(it) == ["setup pre 1 page=", "second page=", "setup post 1 page=1.0.0 80"]
    put(it, port=81)
    it.sync()
    assert log(it) == ["update pre 1 page=1.0.0 80", "update post 1 page=1.0.0 81"]
    assert it.processes()
    pid = it.processes()
    put(it, port=82)
    it.sync()
    assert it.processes() == pid  # nothing asks for a restart
    log(it)

    # A declared core replaces the built-in one; what the planner adds comes after it and before `post`.
    core = action("own", "upgrade", "core", "- stop: [server]", say("core {{app.version}}"), "- apply: all",
                  "- start: [server]", "- wait: {component: server, timeout: 5s}", "- wait: {duration: 100ms}")
    down = action("down", "downgrade", "core", say("down", "{{driver.version}}"), "- apply: all")
    driver(it, "2", actions=actions + core + down)
    put(it, driver="2", version="2.0.0", port=82)
    it.sync()
    assert log(it) == ["upgrade pre 2 page=1.0.0 82", "core 2.0.0 page=1.0.0 82", "upgrade post 2 page=2.0.0 82"]
    planned = steps(it)
    assert planned[:7] == ["run", "stop server", "run", "apply site", "apply server", "start server", "wait server"]
    assert planned[-1] == "run" and it.processes() != pid

    put(it, driver="2", version="2.0.0", port=82, more="  lifecycle: stopped\n")
    it.sync()
    assert log(it) == ["stop pre 2 page=2.0.0 82", "stop post 2 page=2.0.0 82"] and not it.processes()
    put(it, driver="2", version="2.0.0", port=82)
    it.sync()
    assert log(it) == ["start pre 2 page=2.0.0 82", "start post 2 page=2.0.0 82"] and it.processes()
    # Down: the active, newer driver knows the way back, and its context is its own.
    put(it, driver="1", version="1.0.0", port=82)
    assert it.kinds() == {"shop": ("downgrade", "succeeded")}
    assert log(it) == ["down 2 page=2.0.0 82"] and it.read("shop/page") == "1.0.0 82"

    it.remove("deployments/shop.yaml")
    it.commit("gone\n\nStyrmin-Allow: delete=1")
    it.sync()
    assert log(it) == ["teardown pre 1 page=1.0.0 82", "teardown post 1 page="]
    assert not it.processes() and not (it.root / "shop").exists()
    it.check_ledger()


def test_apply_restart_and_reload(it):
    other = """    other:
      resources:
        - file: {path: "{{cluster.config.root}}/other", content: "{{app.version}}"}
"""
    own = """    own:
      reload_on: [site]
      resources:
        - process: {command: [./own, "{{cluster.config.root}}/ups"]}
    again:
      restart_on: [other]
      resources:
        - process: {command: [/bin/sleep, "100001"]}
"""
    script = '#!/bin/sh\necho up >> $1\nexec /bin/sleep 100003\n'
    actions = (action("a", "update", "core", "- apply: changed", "- reload: [own]", "- restart: [again]")
               + action("b", "upgrade", "core", "- apply: [other]"))
    driver(it, components=SITE + other + own, actions=actions, files={"own": script})
    put(it)
    it.sync()
    wait_until((it.root / "ups").exists, "it is up")
    put(it, port=81)
    it.sync()
    assert [s for s in steps(it) if s.startswith("apply")] == ["apply site"]
    wait_until(lambda: (it.root / "ups").read_text() == "up\nup\n", "a reload, which is a restart for a process")
    put(it, version="2.0.0", port=81)
    it.sync()
    assert it.read("other") == "2.0.0" and it.read("shop/page") == "1.0.0 81"  # the core said only that


def test_reload_on_and_restart_on(it):
    parts = """    own:
      depends_on: [site]
      reload_on: [site]
      resources:
        - process: {command: [./own, "{{cluster.config.root}}/ups"]}
    again:
      restart_on: [site]
      resources:
        - process: {command: [/bin/sleep, "100001"]}
    apart:
      resources:
        - process: {command: [/bin/sleep, "100002"]}
"""
    script = '#!/bin/sh\necho up >> $1\nexec /bin/sleep 100003\n'
    driver(it, components=SITE + parts, files={"own": script})
    put(it)
    it.sync()
    wait_until((it.root / "ups").exists, "it is up")

    def pids():
        table = process_table()
        return [sorted(pid for pid in it.processes() if table[pid][1].startswith(f"/bin/sleep {n}")) for n in (100001, 100002)]
    again, apart = pids()
    put(it, port=81)
    it.sync()
    wait_until(lambda: (it.root / "ups").read_text() == "up\nup\n", "a reload, which is a restart for a process")
    assert pids()[0] != again and pids()[1] == apart and len(pids()[0]) == 1


CONTEXT = """#!/bin/sh
cp "$STYRMIN_CONTEXT" "$1.context"
env | sort > "$1.env"
pwd > "$1.pwd"
find . | sort > "$1.files"
cat "$0" > "$1.self"
"""


def test_what_a_program_gets(it):
    step = '- run: {command: [./context, "{{cluster.config.root}}/c"], env: {WORD: "{{app.version}}"}}'
    actions = "".join(action(f"look-{hook}", hook, "pre", step) for hook in ("setup", "upgrade"))
    driver(it, actions=actions, files={"context": CONTEXT, "lib/a.txt": "a"})
    it.write("drivers/web/1/README.md", "read me\n")
    put(it)
    it.environment = {"LEAK": "leaks", "STYRMIN_TOKEN": "leaks"}
    it.sync()
    seen = json.loads((it.root / "c.context").read_text())
    assert seen["from"] is None and seen["to"]["application"] == {"name": "web", "version": "1.0.0"}
    assert seen["to"]["driver"]["version"] == "1" and seen["to"]["instance"].startswith("sha256:")
    assert seen["context"]["parameters"] == {"port": 80} and seen["context"]["deployment"]["name"] == "shop"
    environment = dict(line.split("=", 1) for line in (it.root / "c.env").read_text().splitlines())
    environment = {k: v for k, v in environment.items() if k not in ("PWD", "OLDPWD", "SHLVL", "_")}
    assert set(environment) == {"PATH", "HOME", "LANG", "STYRMIN_CONTEXT", "WORD"} and environment["WORD"] == "1.0.0"
    files = (it.root / "c.files").read_text().split()
    assert files == [".", "./context", "./driver.styrmin.yml", "./lib", "./lib/a.txt", "./say"]
    place = pathlib.Path((it.root / "c.pwd").read_text().strip())
    assert not place.exists() and not pathlib.Path(environment["STYRMIN_CONTEXT"]).exists()
    assert (it.root / "c.self").read_text() == CONTEXT

    driver(it, "2", actions=actions, files={"context": CONTEXT})
    put(it, driver="2", version="2.0.0")
    it.sync()
    seen = json.loads((it.root / "c.context").read_text())
    assert (seen["from"]["driver"]["version"], seen["to"]["driver"]["version"]) == ("1", "2")
    assert seen["from"]["application"]["version"] == "1.0.0"
    assert list((it.state / "run/work").iterdir()) == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root may be somebody else")
def test_another_user(it):
    actions = action("who", "setup", "pre", '- run: {command: [./who, "{{cluster.config.root}}/who"], user: nobody,'
                     " secrets: {word: {from_file: %s}}}" % (it.path / "secrets/word"))
    driver(it, actions=actions, files={
        "who": '#!/bin/sh\n{ id -un; id -Gn; echo "$HOME"; cat "$STYRMIN_SECRETS/word"; test -s "$STYRMIN_CONTEXT" && echo context; ls; } > $1\n'})
    (it.path / "secrets").mkdir()
    (it.path / "secrets/word").write_text("hush-hush\n")
    it.configure(f"secrets: {{files: [{it.path}/secrets]}}\n")
    it.root.chmod(0o777)
    put(it)
    it.sync()
    group = subprocess.run(["id", "-Gn", "nobody"], capture_output=True, text=True).stdout.strip()
    home = pwd.getpwnam("nobody").pw_dir
    assert (it.root / "who").read_text().splitlines() == [
        "nobody", group, home, "hush-hushcontext", "driver.styrmin.yml", "say", "who"]
    assert not list(pathlib.Path("/var/tmp").glob("styrmin-*")) and not list(pathlib.Path("/dev/shm").glob("styrmin-*"))


def test_output_timeout_and_retries(it):
    loud = """#!/bin/sh
i=0
while [ $i -lt 3000 ]; do echo "line $i of a text that is long enough"; i=$((i+1)); done
printf 'odd \\001\\377 bytes\\n'
echo "to stderr" >&2
"""
    slow = """#!/bin/sh
(setsid /bin/sleep 4711 &)
/bin/sleep 4712 &
echo begun
wait
"""
    twice = '#!/bin/sh\necho try >> $1\ntest $(wc -l < $1) -ge 3\n'
    actions = (action("a", "setup", "pre", "- run: {command: [./loud]}",
                      '- run: {command: [./twice, "{{cluster.config.root}}/tries"], retries: 2}')
               + action("b", "update", "pre", "- run: {command: [./slow], timeout: 1s}"))
    driver(it, actions=actions, files={"loud": loud, "slow": slow, "twice": twice}, more="  on_failure: {update: hold}\n")
    put(it)
    it.sync()
    row, = it.rows("SELECT output FROM steps WHERE seq = 1")
    assert 60000 < len(row["output"]) <= 65536 + 8
    assert row["output"].endswith("to stderr\n") and "line 2999" in row["output"] and "line 0 of" not in row["output"]
    assert it.rows("SELECT count(*) AS n FROM outbox WHERE payload LIKE '%line 2999%'") == [{"n": 0}]
    text = it.run("logs", "shop", "--step", "1").stdout
    assert "line 2999" in text and "\x01" not in text
    assert len((it.root / "tries").read_text().split()) == 3

    put(it, port=81)
    begun = time.monotonic()
    assert it.kinds(code=1) == {"shop": ("update", "failed")}
    assert time.monotonic() - begun < 8
    error = it.rows("SELECT error FROM remediations WHERE kind = 'update'")[0]["error"]
    assert "did not end within" in error
    assert not [line for _, line in process_table().values() if line.strip() in ("/bin/sleep 4711", "/bin/sleep 4712")]
    assert "begun" in it.run("logs", "shop").stdout
    said = it.run("sync", "--no-fetch", code=1).stdout
    assert "production/shop" in said and "did not end" in said and "styrmin retry" in said
    assert "did not end" in it.run("history", "shop").stdout and "did not end" in it.run("explain", "shop").stdout


class Web:
    """A server that says 503 a few times, then 200."""

    def __init__(self, bad=0):
        web = self
        self.bad, self.asked = bad, []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                web.asked.append((self.command, self.path))
                web.bad -= 1
                self.send_response(503 if web.bad >= 0 else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_POST = do_GET

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def test_http_and_health(it):
    health = SERVER + """      health: {http: {url: "http://127.0.0.1:{{parameters.port}}/health"}, timeout: 3s, interval: 200ms}
    tcp:
      resources:
        - file: {path: "{{cluster.config.root}}/tcp", content: "{{parameters.port}}"}
      health: {tcp: {host: 127.0.0.1, port: "{{parameters.port}}"}, timeout: 2s, interval: 200ms}
    command:
      resources:
        - file: {path: "{{cluster.config.root}}/command", content: "{{parameters.port}}"}
      health: {command: [./well, "{{cluster.config.root}}/well"], timeout: 2s, interval: 200ms}
"""
    actions = action("ask", "setup", "post", '- http: {url: "http://127.0.0.1:{{parameters.port}}/up", method: POST, status: 200, timeout: 5s, interval: 100ms}')
    driver(it, components=SITE + health, actions=actions, files={"well": "#!/bin/sh\ntest -e $1 || { echo not yet; exit 1; }\n"},
           more="  on_failure: {update: hold}\n")
    (it.root / "well").touch()
    with Web(bad=2) as web:
        put(it, port=web.port)
        assert it.kinds() == {"shop": ("create", "succeeded")}
        assert web.asked.count(("GET", "/health")) >= 2 and ("POST", "/up") in web.asked
    closed = free_port()
    put(it, port=closed)
    assert it.kinds(code=1) == {"shop": ("update", "failed")}
    error = it.rows("SELECT error FROM remediations ORDER BY seq DESC LIMIT 1")[0]["error"]
    assert "health of " in error and str(closed) in error and "not healthy after" in error
    with Web() as web:
        (it.root / "well").unlink()
        put(it, port=web.port)
        assert it.kinds(code=1) == {"shop": ("update", "failed")}
        error = it.rows("SELECT error FROM remediations ORDER BY seq DESC LIMIT 1")[0]["error"]
        assert "health of command" in error and "not yet" in error
        (it.root / "well").touch()
        assert it.document("retry", "shop", "-m", "well again")["answer"] == "update succeeded"


def test_a_process_that_dies(it):
    driver(it, components=SITE + SERVER.replace('[/bin/sleep, "100000"]', "[./dies]") + "      health: {timeout: 2s}\n",
           files={"dies": "#!/bin/sh\necho no configuration >&2\nexit 7\n"})
    put(it)
    assert it.kinds(code=1) == {"shop": ("create", "failed")}
    error = it.rows("SELECT error FROM remediations")[0]["error"]
    assert "server" in error and "7" in error
    state = it.state_of()
    assert state["tainted"] and state["quarantined"] and state["active"] is None
    # A fixed driver has another version; what was half done is not in the way.
    driver(it, "2")
    put(it, driver="2")
    assert it.kinds() == {"shop": ("create", "succeeded")} and len(it.processes()) == 1


def test_lifecycle_stopped(it):
    actions = action("go", "update", "pre", "- start: [server]", say("up"))
    driver(it, actions=actions)
    put(it, more="  lifecycle: stopped\n")
    it.sync()
    assert it.processes() == [] and it.state_of()["state"] == "stopped" and it.read("shop/page") == "1.0.0 80"
    assert it.rows("SELECT running FROM run_states WHERE component = 'server'") == [{"running": 0}]
    put(it, port=81, more="  lifecycle: stopped\n")
    it.sync()  # started as written, and set to its lifecycle at its turn in the built-in core
    assert it.processes() == [] and log(it) == ["up page=1.0.0 80"]
    put(it, port=81)
    assert it.kinds() == {"shop": ("start", "succeeded")} and len(it.processes()) == 1
    put(it, port=82, more="  lifecycle: stopped\n")
    assert it.kinds() == {"shop": ("update", "succeeded")} and it.processes() == []


def test_failures(it):
    """on_failure, attempts and due times; what is quarantined stays until something changes."""
    fail = action("try", "update", "post", '- run: {command: [/usr/bin/test, -e, "{{cluster.config.root}}/ok{{parameters.port}}"]}')
    up = action("up", "upgrade", "post", '- run: {command: [/usr/bin/test, -e, "{{cluster.config.root}}/up"]}')
    driver(it, actions=fail + up)  # update: restore, upgrade: hold
    put(it)
    it.sync()
    put(it, port=81)
    done = it.sync(code=1)
    assert [(r["kind"], r["state"]) for r in done["remediations"]] == [("update", "failed"), ("restore", "succeeded")]
    assert it.read("shop/page") == "1.0.0 80"
    state = it.state_of()
    assert state["quarantined"] and not state["tainted"] and state["state"] == "degraded"
    for _ in range(2):
        again = it.sync(code=1)
        assert again["remediations"] == [] and again["standing"][0]["quarantined"]
    put(it, port=82)
    (it.root / "ok82").touch()
    assert it.kinds() == {"shop": ("update", "succeeded")} and not it.state_of()["quarantined"]

    put(it, port=82, version="2.0.0")
    assert it.kinds(code=1) == {"shop": ("upgrade", "failed")}
    state = it.state_of()
    assert state["quarantined"] and state["tainted"] and it.read("shop/page") == "2.0.0 82"  # held
    put(it, port=82)  # back: what was tried is undone by a restore
    assert it.kinds() == {"shop": ("restore", "succeeded")} and it.read("shop/page") == "1.0.0 82"
    assert it.state_of()["state"] == "healthy"

    driver(it, "3", actions=fail + up, more="  on_failure: {upgrade: restore, attempts: 2}\n")
    put(it, driver="3", version="3.0.0", port=82)
    begun = time.monotonic()
    assert it.kinds(code=1) == {"shop": ("upgrade", "waiting")}
    assert time.monotonic() - begun < 5
    row = it.rows("SELECT * FROM remediations ORDER BY seq DESC LIMIT 1")[0]
    assert row["attempt"] == 1 and 20000 < row["due"] - time.time() * 1000 < 40000
    said = it.run("sync", "--no-fetch", code=1).stdout
    assert "tried again at" in said and it.rows("SELECT count(*) AS n FROM steps WHERE state = 'running'") == [{"n": 0}]
    assert it.state_of()["remediation"]["state"] == "waiting"
    it.environment = {}
    assert it.document("retry", "shop", "-m", "now", code=1)["answer"].startswith("upgrade failed")
    assert it.rows("SELECT kind, state FROM remediations ORDER BY seq DESC LIMIT 1") == [{"kind": "restore", "state": "succeeded"}]
    assert it.read("shop/page") == "1.0.0 82"
    # A newer wish supersedes what waits.
    driver(it, "4", actions=fail + up, more="  on_failure: {attempts: 5}\n")
    put(it, driver="4", version="4.0.0", port=82)
    assert it.kinds(code=1) == {"shop": ("upgrade", "waiting")}
    (it.root / "up").touch()
    put(it, driver="4", version="4.0.1", port=82)
    assert it.kinds() == {"shop": ("upgrade", "succeeded")}
    assert it.rows("SELECT count(*) AS n FROM remediations WHERE state = 'superseded'") == [{"n": 1}]
    it.check_ledger()


def test_once(it):
    """Done once, it is not done again by another attempt, nor by the next Instance, until one becomes active."""
    once = action("migrate", "upgrade", "pre", '- run: {command: [./migrate, "{{cluster.config.root}}/m"], once: true}',
                  '- run: {command: [/usr/bin/test, -e, "{{cluster.config.root}}/ok"]}')
    files = {"migrate": '#!/bin/sh\necho migrated >> $1\n'}
    driver(it, actions=once, files=files)
    put(it)
    it.sync()
    put(it, version="2.0.0")
    it.kinds(code=1)
    assert it.document("retry", "shop", "-m", "x", code=1)["state"] == "done"
    assert it.read("m") == "migrated"
    put(it, version="2.0.0", port=81)
    it.kinds(code=1)
    assert it.read("m") == "migrated"
    (it.root / "ok").touch()
    assert it.document("retry", "shop", "-m", "x")["state"] == "done"
    assert it.read("m") == "migrated" and it.rows("SELECT * FROM marks") == []
    put(it, version="3.0.0", port=81)
    it.sync()
    assert it.read("m") == "migrated\nmigrated"


def test_verify(it):
    """Killed in the middle: `verify` says whether it happened."""
    for name, really in (("did", 1), ("didnot", 2)):
        step = ('- run: {command: [./migrate, "{{cluster.config.root}}/{{deployment.name}}.m"], once: true,'
                ' verify: [/usr/bin/test, -e, "{{cluster.config.root}}/{{deployment.name}}.m.done"]}')
        driver(it, "2", actions=action("m", "upgrade", "pre", step), files={
            "migrate": '#!/bin/sh\necho x >> $1\ncase $1 in *did.m) touch $1.done;; esac\ntest $(wc -l < $1) -ge 2 || kill -9 $$\n'})
        it.write(f"deployments/{name}.yaml", deployment(name, driver="2"))
        it.commit("first")
        it.sync()
        it.write(f"deployments/{name}.yaml", deployment(name, driver="2", version="2.0.0"))
        it.commit("second")
        done = it.sync(code=None)
        state = done["remediations"][0]["state"]
        if really == 1:
            assert state == "succeeded"
        else:
            assert state == "failed" and it.document("retry", name, "-m", "x")["state"] == "done"
        assert it.read(f"{name}.m").count("x") == really


CANARIES = {"file": "canary-of-a-file-41b7", "env": "canary-of-a-variable-77c0", "command": "canary-of-a-command-9a02"}
SECRET = """apiVersion: styrmin.io/v1
kind: ApplicationDriver
metadata: {name: web}
spec:
  version: "1"
  parameters:
    - {name: port, kind: integer, default: 80}
    - {name: key, kind: secret}
    - {name: word, kind: secret}
    - {name: phrase, kind: secret}
  components:
    site:
      resources:
        - file: {path: "{{cluster.config.root}}/{{deployment.name}}.conf", mode: 0600, content: "key={{parameters.key}} word={{parameters.word}} phrase={{parameters.phrase}}\\n"}
    server:
      depends_on: [site]
      restart_on: [site]
      resources:
        - process: {command: [./serve, "{{cluster.config.root}}/serve"], env: {KEY: "{{parameters.key}}", PHRASE: "{{parameters.phrase}}"}}
  actions:
    - name: use
      hook: setup
      mode: pre
      steps:
        - run: {command: [./use, "{{cluster.config.root}}/use"], env: {KEY: "{{parameters.key}}"}, secrets: {word: "{{parameters.word}}", phrase: "{{parameters.phrase}}"}}
"""


def test_secrets(it):
    secrets = it.path / "secrets"
    secrets.mkdir()
    (secrets / "key").write_text(CANARIES["file"] + "\n")
    teller = it.path / "teller"
    teller.write_text(f"#!/bin/sh\necho {CANARIES['command']}\n")
    teller.chmod(0o700)
    it.write("drivers/web/1/driver.styrmin.yml", SECRET)
    it.write("drivers/web/1/serve", '#!/bin/sh\necho "$KEY $PHRASE" >> $1\nexec /bin/sleep 100000\n', 0o755)
    it.write("drivers/web/1/use", '#!/bin/sh\n{ echo "$KEY"; cat $STYRMIN_SECRETS/word $STYRMIN_SECRETS/phrase; } > $1\n'
             'cat $1\necho "fails with $KEY" >&2\ntest -e $1.ok\n', 0o755)
    it.write("deployments/shop.yaml", deployment("shop").replace("{port: 80}", "{port: 80, key: {from_file: %s}, word:"
             " {from_env: WORD}, phrase: {from_command: [%s]}}" % (secrets / "key", teller)))
    it.commit("secrets")
    it.environment = {"WORD": CANARIES["env"]}

    done = it.sync(code=4)  # nothing is allowed yet
    assert "not allowed here" in done["blocked"][0]["message"] and not (it.root / "shop.conf").exists()
    it.configure(f"secrets: {{files: [{secrets}], env: [WORD], commands: [{teller}]}}\n")
    assert it.kinds(code=1) == {"shop": ("create", "failed")}
    assert "***" in it.run("logs", "shop").stdout
    (it.root / "use.ok").touch()
    assert it.document("retry", "shop", "-m", "now")["answer"] == "create succeeded"
    assert it.read("use") == CANARIES["file"] + "\n" + CANARIES["env"] + CANARIES["command"]
    assert it.read("shop.conf") == "key={file} word={env} phrase={command}".format(**CANARIES)
    wait_until((it.root / "serve").exists, "it serves")
    assert it.read("serve") == CANARIES["file"] + " " + CANARIES["command"]

    # Rotation is drift, and heals with restarts.
    assert it.document("drift", "--exit-code")["deployments"][0]["resources"] == []
    CANARIES["rotated"] = "canary-of-a-rotation-5d1e"
    (secrets / "key").write_text(CANARIES["rotated"])
    drifted = it.document("drift", "--exit-code", code=3)["deployments"][0]["resources"]
    assert f"file:{it.root}/shop.conf" in [r["id"] for r in drifted]
    it.run("drift", "--heal")
    assert CANARIES["rotated"] in it.read("shop.conf")
    wait_until(lambda: CANARIES["rotated"] in it.read("serve"), "a restart with the new one")
    assert len(it.processes()) == 1
    assert it.document("drift", "--exit-code")["deployments"][0]["resources"] == []
    (it.root / "shop.conf").write_text("edited " + CANARIES["rotated"])
    said = it.run("drift").stdout + it.run("drift", "-o", "json").stdout + it.run("drift", "-v").stdout
    it.sync("--heal")

    # Nowhere else.
    texts = {"drift": said}
    for command in (["plan"], ["plan", "-o", "json"], ["plan", "--tree", it.work], ["status"], ["show", "shop@active"],
                    ["show", "shop@active", "-o", "json"], ["render", "shop"], ["render", "shop", "--content"], ["logs", "shop"],
                    ["explain", "shop", "parameters.key"], ["history", "-o", "json"], ["logs", "shop", "-o", "json"]):
        done = it.run(*command, code=None)
        texts[" ".join(map(str, command))] = done.stdout + done.stderr
    for file in it.state.rglob("*"):
        if file.is_file():
            texts[str(file)] = file.read_bytes().decode("latin-1")
    for line in git("-C", str(it.remote), "cat-file", "--batch-check", "--batch-all-objects").splitlines():
        texts["object " + line] = git("-C", str(it.remote), "cat-file", "-p", line.split()[0])
    for pid, (_, line) in process_table().items():
        texts[f"command line of {pid}"] = line
    for table in ("events", "steps", "remediations", "records", "outbox", "resources", "drift", "requests"):
        texts[table] = json.dumps(it.rows(f"SELECT * FROM {table}"))
    for name, text in texts.items():
        for canary in CANARIES.values():
            assert canary not in text, name
    del CANARIES["rotated"]


def test_secrets_where_they_may_not_be(it):
    driver(it)
    base = SECRET.replace("[./serve, \"{{cluster.config.root}}/serve\"]", '[/bin/sleep, "{{parameters.key}}"]')
    it.write("drivers/web/1/driver.styrmin.yml", base)
    it.write("drivers/web/1/use", "#!/bin/sh\n", 0o755)
    it.write("deployments/shop.yaml", deployment("shop").replace(
        "{port: 80}", "{port: 80, key: {from_file: /x/a}, word: {from_env: W}, phrase: {from_env: W}}"))
    it.commit("in an argv")
    said = it.run("check", it.work, code=None)
    assert "secret" in said.stdout + said.stderr
    assert it.sync(code=4)["remediations"] == []
