# SPDX-License-Identifier: Apache-2.0
"""What is written back to git: the text below a commit, the chain of records, and how they get there."""
import hashlib
import json
import re

import pytest

import git_servers
from git_servers import git
from installation import Installation, deployment

RECORDS = "refs/notes/styrmin-records/edge"
NOTES = "refs/notes/styrmin/edge"
FAILING = """    - name: look
      hook: update
      mode: pre
      steps:
        - run: {command: [/usr/bin/test, -e, "{{cluster.config.root}}/fixed"]}
"""


@pytest.fixture
def it():
    with Installation() as installation:
        yield installation


def put(it, name="shop", message="change", **keywords):
    it.write(f"deployments/{name}.yaml", deployment(name, **keywords))
    return it.commit(message)


def verify(it):
    """The chain, checked without Styrmin: canonical lines, each naming the one before, in order on the commits."""
    listed = git("-C", str(it.remote), "notes", "--ref", RECORDS, "list")
    lines = []
    for entry in listed.splitlines():
        blob, commit = entry.split()
        for line in git("-C", str(it.remote), "cat-file", "-p", blob).splitlines():
            record = json.loads(line)
            assert json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False) == line
            assert record["commit"] == commit
            lines.append((record["sequence"], record["previous"], "sha256:" + hashlib.sha256(line.encode()).hexdigest()))
    lines.sort()
    previous = "sha256:" + "0" * 64
    for number, (sequence, before, digest) in enumerate(lines, 1):
        assert (sequence, before) == (number, previous)
        previous = digest
    return {digest for _, _, digest in lines}


def text_of(it, commit):
    """The note with times and digests made plain; its record has to be one of the chain."""
    text = it.note(commit)
    digest, = re.findall(r"^Styrmin-Record: (sha256:[0-9a-f]{64})$", text, re.M)
    assert digest in verify(it)
    text = re.sub(r"sha256:[0-9a-f]+", "sha256:X", text)
    text = re.sub(r"in \d+(\.\d+)?(ms|s)\b", "in T", text)
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "DATE", text) + "\n"


def test_text(it):
    it.driver("1", more=FAILING)
    first = put(it, message="first")
    it.write("deployments/other.yaml", deployment("other"))
    second = it.commit("two at once")
    it.sync()
    assert it.note(first) == ""  # on the first sync the tip alone
    assert text_of(it, second) == ("succeeded: 2 created\ncreated production/other in T\ncreated production/shop in T\n"
                                   "\nStyrmin-Record: sha256:X\n")
    it.driver("2")
    one, two = put(it, message="superseded", port=90), put(it, version="2.0.0", driver="2", message="two")
    assert it.sync()["superseded"] == [one]
    assert text_of(it, one) == f"superseded by {two[:12]}\n\nStyrmin-Record: sha256:X\n"
    assert text_of(it, two) == ("succeeded: 1 upgraded\nupgraded production/shop 1.0.0 -> 2.0.0 in T\n"
                                "\nStyrmin-Record: sha256:X\n")
    nothing = it.commit("nothing for us")
    it.sync()
    assert text_of(it, nothing) == "unchanged: nothing to do\n\nStyrmin-Record: sha256:X\n"

    red = put(it, "other", message="breaks", port=81)
    assert it.sync(code=1)["state"] == "partial"
    origin = "deployments/other.yaml:8"
    assert text_of(it, red) == (
        "failed: 1 failed\nupdate production/other failed: '/usr/bin/test' ended with 1\n"
        f"  last good: sha256:X since DATE, commit {second[:12]}\n"
        f"  changed since, up to commit {red[:12]} by Anna:\n"
        f"    /context/parameters/port: 80 -> 81 ({origin})\n\nStyrmin-Record: sha256:X\n")
    before = text_of(it, red)
    it.sync(code=1)
    it.sync(code=1)
    assert text_of(it, red) == before
    (it.root / "fixed").touch()
    other = it.commit("in between")
    it.sync(code=1)
    assert text_of(it, red) == before
    assert text_of(it, other) == ("unchanged: 1 blocked\nblocked production/other (quarantined): this Instance was"
                                  " tried and failed\n\nStyrmin-Record: sha256:X\n")
    it.run("retry", "other", "-m", "the host was wrong")
    assert text_of(it, red) == "succeeded: 1 updated\nupdated production/other in T\n\nStyrmin-Record: sha256:X\n"

    it.remove("deployments/other.yaml")
    it.remove("deployments/shop.yaml")
    it.write("deployments/third.yaml", deployment("third", driver="2"))
    blocked = it.commit("two go")
    it.sync(code=4)
    assert text_of(it, blocked) == (
        "blocked: 1 created, 2 blocked\ncreated production/third in T\nblocked production/other (guard): 2 to delete in production, its budget is 1\n"
        "blocked production/shop (guard): 2 to delete in production, its budget is 1\n\nStyrmin-Record: sha256:X\n")

    git("-C", str(it.work), "config", "user.name", "x")
    it.run("git-setup", it.work)
    git("-C", str(it.work), "fetch", "-q")
    shown = git("-C", str(it.work), "log", "-3", two)
    assert "upgraded production/shop 1.0.0 -> 2.0.0" in shown and f"superseded by {two[:12]}" in shown
    records = it.records()
    assert records[0]["targets"] and {"remediation", "from", "to", "tainted", "quarantined", "pinned", "suspended_until",
                                      "marks", "steps", "duration_ms", "error"} <= set(records[0]["targets"][0])
    assert len({r["installation"] for r in records}) == 1
    it.check_ledger()


def test_blocked_and_waiting(it):
    put(it)
    it.sync()
    it.driver("2")
    it.write("drivers/web/1/page.mustache", "changed in place\n")
    noted = it.commit("a driver changed in place")
    it.sync(code=4)
    assert text_of(it, noted) == (
        "blocked: 1 blocked\nblocked production/shop (guard): driver web 1 changed: a version that was activated"
        " stays as it is\n\nStyrmin-Record: sha256:X\n")
    it.run("suspend", "shop", "-m", "for good")
    it.sync()
    assert "suspended_until" in json.dumps(it.records())
    fine = put(it, driver="2", version="2.0.0")
    it.sync()
    assert text_of(it, fine).startswith("unchanged: 1 blocked\nblocked production/shop (suspended): ")
    it.run("resume", "shop", "-m", "now")
    assert text_of(it, fine).startswith("succeeded: 1 upgraded\nupgraded production/shop 1.0.0 -> 2.0.0 in T\n\n")


def foreign_note(it, commit, words):
    """As if somebody else wrote below our name, by hand and from another clone."""
    git("-C", str(it.work), "fetch", "-q", "origin", "+refs/notes/*:refs/notes/*")
    git("-C", str(it.work), "-c", "user.name=Bo", "-c", "user.email=bo@example.com", "notes", "--ref", NOTES, "add",
        "-f", "-m", words, commit)
    git("-C", str(it.work), "push", "-q", "origin", f"{NOTES}:{NOTES}")


def test_somebody_else_pushes(it):
    first = put(it)
    it.sync()
    older = git("-C", str(it.work), "commit-tree", "HEAD^{tree}", "-m", "of nobody's line")
    foreign_note(it, older, "words of Bo")
    second = put(it, port=81)
    it.sync()
    assert it.note(older) == "words of Bo" and it.note(first).startswith("succeeded: 1 created\n")
    assert text_of(it, second).startswith("succeeded: 1 updated\n")
    verify(it)


def test_another_installation_with_our_name(it):
    put(it)
    it.sync()
    own = it.state
    it.state = it.path / "state2"
    it.configure()
    done = it.run("sync", code=1)
    assert "--fresh" in done.stderr
    it.state = own
    it.configure()
    assert it.sync()["state"] == "unchanged"


def test_remote_away_and_push_off(it):
    put(it)
    it.sync()
    away = it.path / "away.git"
    (it.root / "shop/page").write_text("edited\n")
    it.remote.rename(away)
    done = it.document("sync", "--heal", code=1)
    assert str(it.remote) in done["error"]
    assert it.read("shop/page") == "shop 1.0.0 port 80"
    assert it.state_of()["state"] == "healthy"
    away.rename(it.remote)
    assert [r["kind"] for r in it.records()] == ["commit"]
    later = put(it, port=81)
    it.sync()
    assert text_of(it, later).startswith("succeeded: 1 updated\n")
    assert [r["kind"] for r in it.records()] == ["commit", "heal", "commit"]
    assert it.rows("SELECT * FROM outbox WHERE delivered_at IS NULL") == []

    it.configure("report: {notes: {push: false}}\n")
    quiet = put(it, port=82)
    assert it.kinds() == {"shop": ("update", "succeeded")}
    assert it.note(quiet) == ""
    mirror = git("-C", str(it.state / "source.git"), "notes", "--ref", NOTES, "show", quiet)
    assert mirror.startswith("succeeded: 1 updated\n")
    it.configure()
    it.sync()
    assert text_of(it, quiet).startswith("succeeded: 1 updated\n")


def test_over_http_also_read_only(it):
    put(it)
    with git_servers.HttpServer(str(it.path)) as server:
        it.path.chmod(0o755)
        git("-C", str(it.remote), "config", "http.receivepack", "false")
        it.configure(url=server.url("remote.git"))
        done = it.run("sync")
        assert "not pushed" in done.stderr
        assert it.read("shop/page") == "shop 1.0.0 port 80" and it.records() == []
        assert it.run("sync", "-q").stdout == ""
        git("-C", str(it.remote), "config", "http.receivepack", "true")
        git("-C", str(it.remote), "config", "core.sharedRepository", "0666")
        later = put(it, port=81)
        it.sync()
        assert text_of(it, later).startswith("succeeded: 1 updated\n")
        assert [r["sequence"] for r in it.records()] == [1, 2]


def test_over_ssh(it):
    commit = put(it)
    with git_servers.SshServer(str(it.path)) as server:
        it.configure(url=server.url(str(it.remote)),
                     source=f", auth: {{ssh_key_file: {server.key}, known_hosts_file: {server.known_hosts}}}")
        it.sync()
        assert text_of(it, commit).startswith("succeeded: 1 created\n")
        it.run("suspend", "shop", "-m", "over ssh")
        assert [r["kind"] for r in it.records()] == ["commit", "request"]
        verify(it)
