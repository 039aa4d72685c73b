# SPDX-License-Identifier: Apache-2.0
"""From nothing to a configuration that is known to work: init, git-setup, token, doctor, help, manual, completions."""
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import time

import jsonschema
import pytest
import yaml

import git_servers
from git_servers import git

STYRMIN = os.path.abspath(os.environ.get("STYRMIN", "styrmin"))
ROOT = pathlib.Path(__file__).resolve().parents[2]
IS_ROOT = os.geteuid() == 0
NOBODY = 65534


def run(*arguments, cwd, code=0, program=STYRMIN, prefix=(), **environment):
    clean = {k: v for k, v in git_servers.environment().items() if not k.startswith("STYRMIN_")}
    clean.update(environment)
    done = subprocess.run([*prefix, program, *map(str, arguments)], cwd=cwd, capture_output=True, text=True,
                          timeout=60, env={k: v for k, v in clean.items() if v is not None})
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done


def document(schema, *arguments, **keywords):
    value = json.loads(run(*arguments, "-o", "json", **keywords).stdout)
    jsonschema.validate(value, json.loads((ROOT / "schemas/output" / f"{schema}.json").read_text()))
    return value


def findings(cwd, code=0, **keywords):
    """What doctor found, as {name: [check]}."""
    value = document("doctor", "doctor", cwd=cwd, code=code, **keywords)
    assert value["ok"] is (code == 0)
    out = {}
    for check in value["checks"]:
        assert (check["remedy"] is None) == (check["state"] == "ok"), check
        out.setdefault(check["name"], []).append(check)
    return out


def wrong(found):
    return {name: [c["message"] for c in checks if c["state"] != "ok"] for name, checks in found.items()
            if any(c["state"] != "ok" for c in checks)}


@pytest.fixture
def tmp():
    with git_servers.folder() as path:
        yield path


@pytest.fixture
def demo(tmp):
    run("init", "demo", cwd=tmp)
    return tmp / "demo"


def configure(folder, **changes):
    """Change styrmin.yaml: dotted keys with '__' for the dot."""
    path = folder / "styrmin.yaml"
    value = yaml.safe_load(path.read_text())
    for key, new in changes.items():
        at, *rest = key.split("__")
        where = value
        while rest:
            where = where.setdefault(at, {})
            at, *rest = rest
        where[at] = new
    path.write_text(yaml.safe_dump(value))


# ---- init ----


def test_init_makes_something_that_is_in_order(tmp):
    made = document("init", "init", "demo", cwd=tmp)
    demo = tmp / "demo"
    assert made["repository"] == str(demo / "platform") and made["configuration"] == str(demo / "styrmin.yaml")
    assert git("symbolic-ref", "--short", "HEAD", cwd=demo / "platform") == "main"
    assert git("rev-parse", "HEAD", cwd=demo / "platform") == made["commit"]
    assert git("status", "--porcelain", cwd=demo / "platform") == ""
    assert git("log", "-1", "--format=%an <%ae>", cwd=demo / "platform") == "Anna <anna@example.com>"
    assert sorted(p.name for p in demo.iterdir()) == ["platform", "srv", "styrmin.yaml"]
    assert run("check", "platform", cwd=demo).stdout == "4 documents, no mistakes\n"
    instance = document("instance", "render", "hello", "--tree", "platform", "--content", cwd=demo)
    files = {r["id"]: r.get("content") for c in instance["components"].values() for r in c["resources"]}
    script = files[f"file:{demo}/srv/hello/greeter.sh"]
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)
    assert wrong(findings(demo)) == {}


def test_init_says_what_comes_next(tmp):
    (tmp / "here").mkdir()
    lines = run("init", cwd=tmp / "here").stdout.splitlines()
    assert lines[-4] == "Next:" and [line[:2] for line in lines[-3:]] == ["  "] * 3
    assert "  styrmin sync" in lines
    run(*lines[-3].split()[1:], cwd=tmp / "here")
    assert "Next, in there:" in run("init", "there", cwd=tmp).stdout
    assert run("init", "-q", "quiet", cwd=tmp).stdout == ""


@pytest.mark.parametrize("name", ["a b", "it's \"quoted\"", "gr\u00fcn: #1", "{{x}}"])
def test_init_in_folders_with_strange_names(tmp, name):
    run("init", name, cwd=tmp)
    run("check", "platform", cwd=tmp / name)
    text = run("render", "hello", "--tree", "platform", cwd=tmp / name).stdout
    assert f"file:{tmp / name}/srv/hello/page.txt" in text
    assert wrong(findings(tmp / name)) == {}


def test_init_takes_an_empty_folder_only(tmp):
    (tmp / "full").mkdir()
    (tmp / "full/kept").write_text("mine")
    assert "'kept' is there" in run("init", "full", cwd=tmp, code=2).stderr
    assert [p.name for p in (tmp / "full").iterdir()] == ["kept"]
    (tmp / "file").write_text("")
    run("init", "file", cwd=tmp, code=2)
    run("init", "a", "b", cwd=tmp, code=2)
    git("init", "-q", tmp / "repository")
    run("init", "repository", cwd=tmp)
    assert (tmp / "repository/platform/.git").is_dir()


def test_init_for_whoever_never_told_git_their_name(tmp):
    unknown = dict.fromkeys(["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"])
    run("init", "demo", cwd=tmp, HOME=str(tmp), **unknown)
    assert git("log", "-1", "--format=%an <%ae>", cwd=tmp / "demo/platform") == "Styrmin <styrmin@localhost>"
    (tmp / "config").write_text("[user]\n\tname = Bo\n\temail = bo@example.com\n[commit]\n\tgpgsign = true\n")
    run("init", "known", cwd=tmp, **unknown | {"GIT_CONFIG_GLOBAL": str(tmp / "config")})
    assert git("log", "-1", "--format=%an <%ae>", cwd=tmp / "known/platform") == "Bo <bo@example.com>"


def test_init_is_deaf_to_a_repository_around_it(tmp):
    other = git_servers.Repository(tmp)
    before = git("rev-parse", "HEAD", cwd=other.work)
    run("init", "demo", cwd=tmp, GIT_DIR=str(other.work / ".git"), GIT_WORK_TREE=str(other.work),
        GIT_INDEX_FILE=str(other.work / ".git/index"))
    assert git("rev-parse", "HEAD", cwd=other.work) == before
    assert git("rev-parse", "--show-toplevel", cwd=tmp / "demo/platform") == str(tmp / "demo/platform")


def test_init_without_git(tmp):
    assert "git" in run("init", "demo", cwd=tmp, code=1, PATH=str(tmp)).stderr
    assert not (tmp / "demo").exists()


def test_init_that_fails_leaves_nothing(tmp):
    (tmp / "bin").mkdir()
    fake = tmp / "bin/git"
    fake.write_text(f'#!/bin/sh\ncase $* in *commit*) echo "no, thanks" >&2; exit 3 ;; esac\n'
                    f'exec {shutil.which("git")} "$@"\n')
    fake.chmod(0o755)
    path = f"{tmp}/bin:{os.environ['PATH']}"
    assert "no, thanks" in run("init", "demo", cwd=tmp, code=1, PATH=path).stderr
    assert not (tmp / "demo").exists()
    (tmp / "empty").mkdir()
    run("init", cwd=tmp / "empty", code=1, PATH=path)
    assert list((tmp / "empty").iterdir()) == []
    git("init", "-q", tmp / "mine")
    run("init", "mine", cwd=tmp, code=1, PATH=path)
    assert [p.name for p in (tmp / "mine").iterdir()] == [".git"]
    run("init", "mine", cwd=tmp)


def as_nobody(tmp):
    """The program where an unprivileged user may start it, and how."""
    program = tmp / "styrmin"
    shutil.copy(STYRMIN, program)
    program.chmod(0o755)
    home = tmp / "home"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    return home, {"program": str(program), "prefix": prefix, "HOME": str(home)}


@pytest.mark.skipif(not IS_ROOT, reason="becomes nobody")
def test_everything_as_an_unprivileged_user(tmp):
    home, nobody = as_nobody(tmp)
    run("init", "demo", cwd=home, **nobody)
    assert {p.stat().st_uid for p in (home / "demo").rglob("*")} == {NOBODY}
    run("check", "platform", cwd=home / "demo", **nobody)
    assert wrong(findings(home / "demo", **nobody)) == {}
    run("git-setup", "platform", cwd=home / "demo", **nobody)
    (tmp / "closed").mkdir(mode=0o755)
    run("init", "closed/demo", cwd=tmp, code=1, **nobody)


# ---- git-setup ----


def test_git_log_in_a_clone_shows_notes(tmp, demo):
    clone = tmp / "clone"
    git("clone", "-q", demo / "platform", clone)
    git("config", "--add", "remote.origin.fetch", "+refs/pull/*:refs/pull/*", cwd=clone)
    git("config", "notes.displayRef", "refs/notes/review", cwd=clone)
    value = document("git-setup", "git-setup", "clone", cwd=tmp)
    assert [change["added"] for change in value["changes"]] == [True, True]
    assert git("config", "--get-all", "notes.displayRef", cwd=clone).split() == ["refs/notes/review",
                                                                                 "refs/notes/styrmin/*"]
    before = (clone / ".git/config").read_text()
    assert [change["added"] for change in document("git-setup", "git-setup", cwd=clone)["changes"]] == [False, False]
    assert (clone / ".git/config").read_text() == before
    git("fetch", "-q", cwd=clone)  # before there is any note
    for name in ("edge-1", "edge-2"):
        git("notes", f"--ref=refs/notes/styrmin/{name}", "add", "-m", f"succeeded on {name}", cwd=demo / "platform")
    git("fetch", "-q", cwd=clone)
    log = git("log", "-1", cwd=clone)
    assert "succeeded on edge-1" in log and "succeeded on edge-2" in log
    assert "succeeded on edge-1" in git("log", "-1", cwd=demo / "platform")


def test_git_setup_of_one_installation(tmp, demo):
    clone = tmp / "clone"
    git("notes", "--ref=refs/notes/styrmin/edge-1", "add", "-m", "from one", cwd=demo / "platform")
    git("notes", "--ref=refs/notes/styrmin/edge-2", "add", "-m", "from two", cwd=demo / "platform")
    git("clone", "-q", "-o", "upstream", demo / "platform", clone)
    assert "added    remote.upstream.fetch" in run("git-setup", "--name", "edge-1", cwd=clone).stdout
    git("fetch", "-q", cwd=clone)
    log = git("log", "-1", cwd=clone)
    assert "from one" in log and "from two" not in log


def test_git_setup_refuses(tmp, demo):
    assert "no remote" in run("git-setup", cwd=demo / "platform").stdout
    assert "not a git repository" in run("git-setup", cwd=tmp, code=1).stderr
    run("git-setup", "--name", "a/b", cwd=demo / "platform", code=2)
    run("git-setup", "a", "b", cwd=demo / "platform", code=2)


# ---- token ----


def test_token_and_its_row(tmp):
    value = document("token", "token", "anna", "--scope", "operate", cwd=tmp)
    assert value["row"] == {"name": "anna", "scope": "operate",
                            "sha256": hashlib.sha256(value["token"].encode()).hexdigest()}
    text = run("token", "edge-1-a", "--scope", "agent", "--cluster", "edge-1", cwd=tmp).stdout
    token = next(line for line in text.splitlines() if line.startswith("sty_"))
    rows = yaml.safe_load(text[text.index("- {"):])
    assert rows == [{"name": "edge-1-a", "scope": "agent", "cluster": "edge-1",
                     "sha256": hashlib.sha256(token.encode()).hexdigest()}]
    assert token != value["token"] and len(token) == 4 + 64


@pytest.mark.parametrize("arguments", [
    ["anna"], ["--scope", "read"], ["anna", "--scope", "write"], ["anna", "bo", "--scope", "read"],
    ["a b", "--scope", "read"], ["anna", "--scope", "agent"], ["anna", "--scope", "read", "--cluster", "edge-1"],
    ["anna", "--scope", "agent", "--cluster", "a: b"]])
def test_token_refuses(tmp, arguments):
    assert "sty_" not in run("token", *arguments, cwd=tmp, code=2).stdout


# ---- doctor ----


def test_doctor_prints_a_line_each(demo):
    done = run("doctor", cwd=demo)
    assert all(line.startswith("ok    ") for line in done.stdout.splitlines())
    assert run("doctor", "-q", cwd=demo).stdout == ""
    configure(demo, source__branch="trunk")
    lines = run("doctor", "-q", cwd=demo, code=1).stdout.splitlines()
    assert len(lines) == 1 and lines[0].startswith("FAIL  source") and "source.branch" in lines[0]


def test_doctor_leaves_nothing(tmp, demo):
    refs = git("for-each-ref", cwd=demo / "platform")
    (tmp / "temp").mkdir()
    findings(demo, TMPDIR=str(tmp / "temp"))
    assert list((tmp / "temp").iterdir()) == [] and not (demo / "state").exists()
    assert git("for-each-ref", cwd=demo / "platform") == refs
    found = findings(demo, code=1, TMPDIR=str(tmp / "absent"))
    assert "absent" in wrong(found)["source"][0]


def test_doctor_on_configurations_with_mistakes(tmp, demo):
    with (demo / "styrmin.yaml").open("a") as file:
        file.write("statedir: /x\n")
    done = run("doctor", cwd=demo, code=1)
    assert "statedir" in done.stderr and done.stdout.startswith("FAIL  configuration")
    found = findings(tmp, code=1, HOME=str(tmp))
    assert list(found) == ["configuration"]
    assert "no configuration" in found["configuration"][0]["message"]
    run("doctor", "x", cwd=demo, code=2)


def test_doctor_on_files_that_others_can_change(demo):
    (demo / "styrmin.yaml").chmod(0o666)
    (demo / "state").mkdir(mode=0o755)
    (demo / "state").chmod(0o777)
    bad = wrong(findings(demo, code=1))
    assert "changed by others" in bad["configuration"][0] and "written by others" in bad["state_dir"][0]


def test_doctor_on_remotes_that_cannot_be_used(tmp, demo):
    configure(demo, source__url=f"http://127.0.0.1:{git_servers.free_port()}/x.git")
    found = findings(demo, code=1)
    assert "127.0.0.1" in wrong(found)["source"][0] and "network" in found["source"][0]["remedy"]
    assert "notes" not in found
    configure(demo, source__url=str(tmp / "absent.git"))
    assert "absent.git" in wrong(findings(demo, code=1))["source"][0]
    configure(demo, source__url="ssh://127.0.0.1/x.git")
    assert "known_hosts_file" in wrong(findings(demo, code=1))["source"][0]
    bad = wrong(findings(demo, code=1, PATH=str(tmp)))
    assert bad["programs"] == ["ssh is not in PATH"]
    configure(demo, source__url="./platform")
    assert len(wrong(findings(demo, code=1, PATH=str(tmp)))["programs"]) == 2


def test_doctor_on_a_remote_that_is_read_only(tmp, demo):
    repository = git_servers.Repository(tmp)
    with git_servers.HttpServer(tmp) as server:
        configure(demo, source__url=server.url("repo.git"))
        assert wrong(findings(demo)) == {}
        assert repository.ref("refs/notes/styrmin-probe/" + yaml.safe_load(
            (demo / "styrmin.yaml").read_text())["name"]) == ""
        git("config", "http.receivepack", "false", cwd=repository.bare)
        found = findings(demo, code=1)
        assert list(wrong(found)) == ["notes"] and "report.notes.push" in found["notes"][0]["remedy"]
        configure(demo, report__notes__push=False)
        assert wrong(findings(demo)) == {}


def test_doctor_on_credentials(tmp, demo):
    git_servers.Repository(tmp)
    (demo / "password").write_text("wrong\n")
    (demo / "password").chmod(0o644)
    with git_servers.HttpServer(tmp, user="u", password="p") as server:
        configure(demo, source__url=server.url("repo.git"),
                  source__auth={"username": "u", "password_file": "password"})
        found = findings(demo, code=1)
        assert "mode 0644" in wrong(found)["password_file"][0] and "chmod 0600" in found["password_file"][0]["remedy"]
        assert "source.auth" in found["source"][0]["remedy"]
        (demo / "password").write_text("p\n")
        (demo / "password").chmod(0o600)
        assert wrong(findings(demo)) == {}
        (demo / "password").unlink()
        assert "cannot be read" in wrong(findings(demo, code=1))["password_file"][0]


def test_doctor_over_ssh(tmp, demo):
    repository = git_servers.Repository(tmp)
    with git_servers.SshServer(tmp) as server:
        configure(demo, source__url=server.url(repository.bare),
                  source__auth={"ssh_key_file": str(server.key), "known_hosts_file": str(server.known_hosts)})
        assert wrong(findings(demo)) == {}
        server.key.chmod(0o640)
        assert "ssh_key_file" in wrong(findings(demo, code=1 if IS_ROOT else 0))


def test_doctor_on_folders(tmp, demo):
    configure(demo, host__allow=["./srv", "./absent", "."])
    found = findings(demo, code=1)
    bad = wrong(found)["host.allow"]
    assert any("absent is not there" in message for message in bad)
    assert any("one in the other" in message for message in bad)
    configure(demo, host__allow=["./state/run"])
    (demo / "state/run").mkdir(parents=True, mode=0o700)
    assert "one in the other" in wrong(findings(demo, code=1))["host.allow"][0]
    (demo / "link").symlink_to("state")
    configure(demo, host__allow=["./srv"], state_dir="./srv/../srv/sub")
    assert "one in the other" in wrong(findings(demo, code=1))["host.allow"][0]
    configure(demo, host__allow=["./link"], state_dir="./state")
    bad = wrong(findings(demo, code=1))["host.allow"]
    assert any("is no folder" in message for message in bad) and any("one in the other" in m for m in bad)
    (demo / "file").write_text("")
    configure(demo, host__allow=["./srv"], state_dir="./file")
    assert "is no folder" in wrong(findings(demo, code=1))["state_dir"][0]


@pytest.mark.skipif(not IS_ROOT, reason="becomes nobody")
def test_doctor_where_one_may_not_write(tmp):
    home, nobody = as_nobody(tmp)
    run("init", "demo", cwd=home, **nobody)
    demo = home / "demo"
    for name in ("closed", "shut"):
        (tmp / name).mkdir(mode=0o755)
    configure(demo, state_dir=str(tmp / "closed/state"), host__allow=[str(tmp / "shut")])
    bad = wrong(findings(demo, code=1, **nobody))
    assert "cannot be made" in bad["state_dir"][0] and "cannot be written" in bad["host.allow"][0]
    configure(demo, state_dir=str(tmp / "closed"), host__allow=["./srv"])
    bad = wrong(findings(demo, code=1, **nobody))
    assert "cannot be written" in bad["state_dir"][0] and "belongs to user 0" in bad["state_dir"][1]


def test_doctor_names_who_holds_the_lock(demo):
    (demo / "state").mkdir(mode=0o700)
    with (demo / "state/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4711\n")
        lock.flush()
        found = findings(demo)
        assert "held by process 4711" in found["lock"][0]["message"]
    assert findings(demo)["lock"][0]["message"] == "free"


def make_ledger(folder):
    folder.mkdir(mode=0o700)
    ledger = sqlite3.connect(folder / "ledger.db")
    ledger.executescript((ROOT / "src/ledger/schema.sql").read_text())
    ledger.execute("PRAGMA user_version = 1")
    ledger.execute("INSERT INTO meta VALUES ('installation', 'one')")
    ledger.commit()
    return ledger


def test_doctor_on_the_ledger_and_the_clock(demo):
    ledger = make_ledger(demo / "state")
    found = findings(demo)
    assert "installation one" in found["ledger"][0]["message"] and "clock" in found
    ledger.execute("INSERT INTO events (seq, at, kind, data, previous, hash) VALUES (1, ?, 'x', '{}', '', '')",
                   (int(time.time() * 1000) + 3600000,))
    ledger.commit()
    bad = wrong(findings(demo, code=1))
    assert "before the newest event" in bad["clock"][0] and "ledger" in bad  # its hash is none
    ledger.close()
    for leftover in (demo / "state").iterdir():
        leftover.unlink()
    (demo / "state/ledger.db").write_text("no ledger, but long enough to be taken for a file of its own " * 20)
    assert "ledger" in wrong(findings(demo, code=1))


def test_doctor_finds_two_installations_with_one_name(demo):
    name = yaml.safe_load((demo / "styrmin.yaml").read_text())["name"]
    ledger = make_ledger(demo / "state")
    record = json.dumps({"installation": "other", "previous": "", "sequence": 1}, separators=(",", ":"))
    git("clone", "-q", "--mirror", demo / "platform", demo / "state/source.git")
    mirror = demo / "state/source.git"
    git("notes", f"--ref=refs/notes/styrmin-records/{name}", "add", "-m", record, "main", cwd=mirror)
    found = findings(demo, code=1)
    assert "lost" in wrong(found)["records"][0] and "backup" in found["records"][0]["remedy"]
    columns = [row[1:4] for row in ledger.execute("PRAGMA table_info(records)")]
    values = ["0" if kind == "INTEGER" else "x" for _, kind, _ in columns]
    ledger.execute(f"INSERT INTO records VALUES ({','.join('?' * len(columns))})", values)
    ledger.commit()
    found = findings(demo, code=1)
    assert "share one name" in wrong(found)["records"][0] and "name of its own" in found["records"][0]["remedy"]


def test_doctor_on_secrets_and_clusters(tmp, demo):
    configure(demo, secrets={"files": [str(tmp / "absent"), str(tmp)], "env": ["STY_TEST_A", "STY_TEST_B"],
                             "commands": [str(tmp / "none"), str(tmp), "/bin/sh"]}, clusters={"here": {}, "her": {}})
    found = findings(demo, code=1, STY_TEST_A="x")
    bad = wrong(found)["secrets"]
    assert len(bad) == 4 and any("STY_TEST_B is not set" in message for message in bad)
    assert len(found["secrets"]) == 7 and "clusters" not in wrong(found)
    git("clone", "-q", "--mirror", demo / "platform", demo / "state/source.git")
    (demo / "state").chmod(0o700)
    bad = wrong(findings(demo, code=1, STY_TEST_A="x"))["clusters"]
    assert bad == ["her is not in the source as last fetched"]


# ---- help, manual, completions ----


def commands():
    out = run("help", cwd="/").stdout
    lines = out[out.index("Commands:"):out.index("Options of")].splitlines()[1:]
    return [line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "]


def test_every_command_has_help():
    names = commands()
    assert {"init", "doctor", "token", "git-setup", "help"} <= set(names)
    for name in names:
        text = run("help", name, cwd="/").stdout
        assert text.startswith(f"styrmin {name}")
        assert name == "help" or run(name, "--help", cwd="/").stdout == text
    assert run("--help", cwd="/").stdout == run("help", cwd="/").stdout
    assert all(len(line) <= 100 for line in run("help", cwd="/").stdout.splitlines())
    run("help", "nothing", cwd="/", code=2)
    run("help", "init", "doctor", cwd="/", code=2)


def test_manual_is_clean_and_complete(tmp):
    page = run("help", "--man", cwd="/", SOURCE_DATE_EPOCH="86400").stdout
    (tmp / "styrmin.1").write_text(page)
    assert page.startswith(".Dd January 02, 1970\n")
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", tmp / "styrmin.1"], capture_output=True, text=True)
    assert done.stdout + done.stderr == ""
    text = subprocess.run(["mandoc", "-T", "utf8", tmp / "styrmin.1"], capture_output=True, text=True).stdout
    for name in commands():
        assert f"s\bst\bty\byr\brm\bmi\bin\bn {''.join(f'{c}{chr(8)}{c}' for c in name)}" in text, name


def complete_in_bash(tmp, *words):
    (tmp / "completion").write_text(run("completion", "bash", cwd="/").stdout)
    script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _styrmin; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-c", script, "bash", str(tmp / "completion"), *words], capture_output=True,
                          text=True, check=True)
    return done.stdout.split()


def test_bash_completes(tmp):
    assert complete_in_bash(tmp, "styrmin", "git") == ["git-setup"]
    assert complete_in_bash(tmp, "styrmin", "-C", "/", "doc") == ["doctor"]
    assert complete_in_bash(tmp, "styrmin", "check", "-o", "") == ["text", "json"]
    assert complete_in_bash(tmp, "styrmin", "token", "x", "--scope", "o") == ["operate"]
    assert complete_in_bash(tmp, "styrmin", "token", "--cl") == ["--cluster"]
    assert complete_in_bash(tmp, "styrmin", "check", "--cl") == []
    assert complete_in_bash(tmp, "styrmin", "help", "doc") == ["doctor"]
    assert complete_in_bash(tmp, "styrmin", "completion", "") == ["bash", "zsh", "fish"]
    (tmp / "folder").mkdir()
    assert complete_in_bash(tmp, "styrmin", "-C", f"{tmp}/fo") == [f"{tmp}/folder"]


@pytest.mark.parametrize("shell", [s for s in ("bash", "zsh", "fish") if shutil.which(s)])
def test_completions_are_well_formed(tmp, shell):
    (tmp / "completion").write_text(run("completion", shell, cwd="/").stdout)
    done = subprocess.run([shell, "-n", tmp / "completion"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    run("completion", "tcsh", cwd="/", code=2)


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
def test_fish_completes(tmp):
    (tmp / "completion").write_text(run("completion", "fish", cwd="/").stdout)

    def complete(line):
        done = subprocess.run(["fish", "--no-config", "-c", f"source {tmp}/completion; complete -C '{line}'"],
                              capture_output=True, text=True, check=True, env={**os.environ, "HOME": str(tmp)})
        return [row.split("\t")[0] for row in done.stdout.splitlines()]

    assert complete("styrmin git") == ["git-setup"]
    assert sorted(complete("styrmin token --scope ")) == ["agent", "operate", "read"]
    assert sorted(complete("styrmin -o ")) == ["json", "text"]


# ---- the example, deployed ----


def greeters(folder):
    """Processes that the example started below `folder`."""
    out = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if f"{folder}/srv/hello/greeter.sh".encode() in path.read_bytes():
                out.append(int(path.parent.name))
        except OSError:
            continue
    return out


@pytest.mark.skipif("sync" not in commands(), reason="this program has no sync")
@pytest.mark.skipif(not IS_ROOT, reason="becomes nobody")
def test_the_example_is_deployed_by_an_unprivileged_user(tmp):
    home, nobody = as_nobody(tmp)
    demo = home / "demo"
    run("init", "demo", cwd=home, **nobody)
    try:
        run("sync", cwd=demo, **nobody)
        assert (demo / "srv/hello/page.txt").read_text().startswith("Hello from git\nhello 1.0.0, in demo on here\n")
        assert greeters(demo)
        assert wrong(findings(demo, **nobody)) == {}
        as_them = [*nobody["prefix"], "env", "-C", str(demo / "platform"), "git"]
        assert "succeeded" in subprocess.run([*as_them, "log", "-1"], capture_output=True, text=True).stdout
        (demo / "platform/deployments/demo/hello.yaml").unlink()
        subprocess.run([*as_them, "commit", "-qam", "no more\n\nStyrmin-Allow: delete=1"], check=True,
                       env=git_servers.environment())
        run("sync", cwd=demo, **nobody)
        assert not greeters(demo) and not (demo / "srv/hello").exists()
    finally:
        for pid in greeters(demo):
            os.kill(pid, 9)
