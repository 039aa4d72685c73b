# SPDX-License-Identifier: Apache-2.0
"""A person's hand: what each request does, what it answers, and that who and why is kept."""
import json
import os
import pwd
import subprocess
import time

import pytest

import git_servers
from git_servers import git, wait_until
from installation import STYRMIN, Installation, deployment

LOOK = """    - name: look
      hook: update
      mode: pre
      steps:
        - run: {command: [/usr/bin/test, -e, "{{cluster.config.root}}/fixed"]}
  on_failure: {update: %s}
"""
ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def it():
    with Installation() as installation:
        yield installation


def put(it, message="change", **keywords):
    it.write("deployments/shop.yaml", deployment("shop", **keywords))
    return it.commit(message)


def hand(it, *arguments, why="because", code=0, **environment):
    """A request's document; `sync` in it is checked too."""
    return it.document(*arguments, "-m", why, code=code, **environment)


def background(it, *arguments):
    environment = {k: v for k, v in git_servers.environment().items() if not k.startswith("STYRMIN_")}
    return subprocess.Popen([STYRMIN, *arguments], cwd=it.path, env=environment, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def status(it):
    return " ".join(it.run("status", code=None).stdout.split())  # it wraps


def test_usage(it):
    put(it)
    it.sync()
    for command in ("retry", "rollback", "suspend", "resume", "adopt", "release"):
        assert "-m REASON" in it.run(command, "shop", code=2).stderr
        assert "no target 'nothing'" in it.run(command, "nothing", "-m", "x", code=1).stderr
    assert "-m REASON" in it.run("approve", "sha256:00", code=2).stderr
    assert "-m REASON" in it.run("cancel", "00", code=2).stderr
    assert "--for" in it.run("suspend", "shop", "--for", "soon", "-m", "x", code=2).stderr
    assert "--done or --again" in it.run("retry", "shop", "--done", "--again", "-m", "x", code=2).stderr
    assert it.rows("SELECT * FROM requests") == []


def test_retry(it):
    it.driver("1", more=LOOK % "hold")
    put(it)
    it.sync()
    refused = hand(it, "retry", "shop", code=2)
    assert refused["state"] == "refused" and refused["answer"] == "nothing of it failed or waits"

    failed = put(it, "another port", port=81)
    assert it.kinds(code=1) == {"shop": ("update", "failed")}
    text = it.note(failed)
    assert text.startswith("failed: 1 failed\nupdate production/shop failed: '/usr/bin/test' ended with 1\n")
    it.sync(code=1)
    assert it.note(failed) == text  # a quarantine is not said again
    assert hand(it, "retry", "shop", code=1)["answer"] == "update failed: '/usr/bin/test' ended with 1"
    assert it.state_of()["quarantined"]

    (it.root / "fixed").touch()
    done = hand(it, "retry", "shop", why="disk was full", SUDO_USER="anna")
    assert (done["state"], done["answer"]) == ("done", "update succeeded")
    assert [(r["kind"], r["state"]) for r in done["sync"]["remediations"]] == [("update", "succeeded")]
    assert it.note(failed).startswith("succeeded: 1 updated\nupdated production/shop in ")
    assert "blocked" not in it.note(failed)
    assert it.read("shop/page") == "shop 1.0.0 port 81" and it.state_of()["state"] == "healthy"
    row, = it.rows("SELECT * FROM remediations WHERE kind = 'update'")
    assert row["attempt"] == 3
    request = it.rows("SELECT * FROM requests ORDER BY seq DESC")[0]
    assert (request["actor"], request["via"], request["reason"]) == ("anna", "command line", "disk was full")
    record = [r for r in it.records() if r["kind"] == "request"][-1]
    assert (record["actor"], record["via"], record["reason"], record["what"], record["state"]) == (
        "anna", "command line", "disk was full", "retry", "done")
    event, = it.rows("SELECT * FROM events WHERE kind = 'request.done' AND json_extract(data, '$.actor') = 'anna'")
    assert json.loads(event["data"])["reason"] == "disk was full"
    assert it.rows("SELECT * FROM requests WHERE actor = ?", ME)
    it.check_ledger()


def test_rollback_and_pin(it):
    put(it)
    it.sync()
    first = it.state_of()["active"]["instance"]
    assert hand(it, "rollback", "shop", code=2)["answer"] == "there is no earlier Instance of it in the ledger"
    noted = put(it, "81", port=81)
    it.sync()
    second, text = it.state_of()["active"]["instance"], it.note(noted)

    assert hand(it, "rollback", "shop", why="81 is wrong", SUDO_USER="anna")["answer"].startswith("update succeeded")
    assert it.read("shop/page") == "shop 1.0.0 port 80"
    pin = f'pinned to {first[7:13]} by anna: "81 is wrong"; git wants {second[7:13]}'
    assert pin in status(it).replace(first[7:15], first[7:13]).replace(second[7:15], second[7:13])
    assert it.state_of()["pinned"]
    assert it.sync()["remediations"] == []
    assert it.note(noted) == text  # requests change no text
    assert [r["reason"] for r in it.document("plan")["blocked"]] == ["pinned"]

    put(it, "only a comment", more="# nothing\n", port=81)
    assert it.sync()["remediations"] == [] and it.state_of()["pinned"]
    put(it, "back to 80")  # what is pinned
    assert it.sync()["remediations"] == [] and not it.state_of()["pinned"]
    put(it, "82", port=82)
    assert it.kinds() == {"shop": ("update", "succeeded")}

    assert hand(it, "rollback", "shop", "--to", second)["state"] == "done"
    assert it.read("shop/page") == "shop 1.0.0 port 81"
    assert hand(it, "resume", "shop")["answer"] == "no longer pinned"
    assert it.read("shop/page") == "shop 1.0.0 port 82" and not it.state_of()["pinned"]
    assert hand(it, "rollback", "shop", "--to", "shop@{1}")["state"] == "done"
    assert it.read("shop/page") == "shop 1.0.0 port 81"
    put(it, "83", port=83)
    assert it.kinds() == {"shop": ("update", "succeeded")}
    assert it.read("shop/page") == "shop 1.0.0 port 83" and not it.state_of()["pinned"]


def test_rollback_across_a_version(it):
    put(it)
    it.sync()
    it.driver("2")
    put(it, "2.0.0", version="2.0.0", driver="2")
    it.sync()
    refused = hand(it, "rollback", "shop", code=2)
    assert refused["state"] == "refused" and "downgrade" in refused["answer"]
    assert "--allow-downgrade" in refused["answer"]
    assert not it.state_of()["pinned"] and it.state_of()["state"] == "healthy"
    assert it.sync()["state"] == "unchanged"
    assert hand(it, "rollback", "shop", "--allow-downgrade")["state"] == "done"
    assert it.read("shop/page") == "shop 1.0.0 port 80"
    # A refused one keeps the pin that there was.
    pinned = it.state_of()["pinned"]
    put(it, "3.0.0", version="3.0.0", driver="2")
    it.sync()
    hand(it, "rollback", "shop", code=2)
    assert pinned and not it.state_of()["pinned"]


def test_suspend_and_resume(it):
    put(it)
    it.sync()
    assert hand(it, "suspend", "shop", why="moving house", SUDO_USER="anna")["answer"] == "suspended until `resume`"
    put(it, "81", port=81)
    assert it.sync()["remediations"] == [] and it.read("shop/page") == "shop 1.0.0 port 80"
    assert it.run("sync").stdout == ""  # whoever suspended it knows
    assert it.state_of()["state"] == "suspended" and 'by anna: "moving house"' in status(it)
    (it.root / "shop/page").write_text("edited")
    it.run("drift", "--heal")
    assert it.read("shop/page") == "edited"
    for command in (["retry", "shop"], ["rollback", "shop"], ["adopt", "shop", "--update"]):
        assert "suspended" in hand(it, *command, code=2)["answer"]
    assert hand(it, "resume", "shop")["answer"] == "no longer suspended"
    assert it.read("shop/page") == "shop 1.0.0 port 81"
    assert "neither" in hand(it, "resume", "shop", code=2)["answer"]

    hand(it, "suspend", "shop", "--for", "1s")
    put(it, "82", port=82)
    assert it.sync()["remediations"] == []
    time.sleep(1.1)
    assert it.kinds() == {"shop": ("update", "succeeded")}

    put(it, "suspended", port=83, more="  suspend: true\n")
    assert it.sync()["remediations"] == [] and it.state_of()["state"] == "suspended"
    assert hand(it, "resume", "shop", code=2)["answer"].startswith("deployments/shop.yaml:9 suspends it")
    assert "deployments/shop.yaml:9" in hand(it, "retry", "shop", code=2)["answer"]


def test_the_last_deployment_goes_while_it_is_suspended(it):
    put(it)
    it.sync()
    hand(it, "suspend", "shop")
    it.remove("deployments/shop.yaml")
    it.commit("gone\n\nStyrmin-Allow: delete=1")
    assert it.sync()["remediations"] == [] and it.read("shop/page") == "shop 1.0.0 port 80"
    assert it.sync()["state"] == "unchanged"  # the trailer was of a commit that is walked already
    assert hand(it, "resume", "shop")["sync"]["remediations"][0]["kind"] == "delete"
    assert not (it.root / "shop").exists()


def test_observed(it):
    put(it)
    it.sync()
    it.write("environments/production.yaml", "apiVersion: styrmin.io/v1\nkind: Environment\nmetadata: {name: production}\n"
             "spec: {cluster: here, mode: observe}\n")
    put(it, "81", port=81)
    assert it.sync()["remediations"] == []
    for command in (["retry", "shop"], ["rollback", "shop"]):
        assert "environment production is only observed" in hand(it, *command, code=2)["answer"]


def test_approve(it):
    for name in ("a", "b", "c"):
        it.write(f"deployments/{name}.yaml", deployment(name))
    it.commit("three")
    it.sync()
    it.remove("deployments/a.yaml")
    it.remove("deployments/b.yaml")
    noted = it.commit("two are gone")
    blocked = it.sync(code=4)["blocked"]
    assert [b["reason"] for b in blocked] == ["guard", "guard"] and it.note(noted).startswith("blocked: 2 blocked\n")
    text = " ".join(it.run("sync", code=4).stdout.split())
    assert f"styrmin approve {blocked[0]['digest']} -m REASON" in text
    assert "nothing that is blocked" in hand(it, "approve", "0" * 12, code=2)["answer"]
    done = hand(it, "approve", blocked[0]["digest"][7:19])
    assert done["answer"].startswith("approved sha256:")
    assert not (it.root / "a").exists() and not (it.root / "b").exists()  # what is left is within the budget
    assert it.note(noted).startswith("succeeded: 2 deleted\n")


def test_adopt(it):
    (it.root / "shop").mkdir()
    (it.root / "shop/page").write_text("something else\n")
    noted = put(it)
    done = it.sync(code=4)
    assert [b["reason"] for b in done["blocked"]] == ["claim"]
    assert "styrmin adopt here/production/shop --update -m REASON" in it.run("sync", code=4).stdout
    different = hand(it, "adopt", "shop", code=2)
    assert different["state"] == "refused" and "shop/page" in different["answer"]
    assert it.read("shop/page") == "something else"
    assert it.note(noted).startswith("blocked: ")
    assert hand(it, "adopt", "shop", "--update")["state"] == "done"
    assert it.read("shop/page") == "shop 1.0.0 port 80" and it.state_of()["state"] == "healthy"


def test_adopt_what_is_equal(it):
    """No hook runs and nothing is started or written."""
    it.driver("1", more="""    - name: mark
      hook: setup
      mode: pre
      steps:
        - run: {command: [/usr/bin/touch, "{{cluster.config.root}}/setup"]}
""")
    it.write("drivers/web/1/driver.styrmin.yml", (it.work / "drivers/web/1/driver.styrmin.yml").read_text().replace(
        """    server:
      depends_on: [site]
      restart_on: [site]
      resources:
        - process: {command: [/bin/sleep, "100000"]}
""", ""))
    put(it, more="  suspend: true\n")
    it.sync()
    (it.root / "shop").mkdir()
    (it.root / "shop/page").write_text("shop 1.0.0 port 80\n")
    before = (it.root / "shop/page").stat()
    assert hand(it, "adopt", "shop")["answer"] == "adopt succeeded"
    assert (it.root / "shop/page").stat().st_ino == before.st_ino and not (it.root / "setup").exists()
    assert it.state_of()["active"] and it.rows("SELECT kind FROM remediations") == [{"kind": "adopt"}]


SLOW = """    - name: slow
      hook: update
      mode: pre
      steps:
        - run: {command: [/bin/sh, -c, "touch {{cluster.config.root}}/begun; /bin/sleep 30 & wait"]}
"""


def test_cancel_and_requests_while_another_acts(it):
    it.driver("1", more=SLOW)
    put(it)
    it.write("deployments/other.yaml", deployment("other"))
    it.commit("other")
    it.sync()
    noted = put(it, "81", port=81)
    sync = background(it, "sync", "-o", "json")
    wait_until((it.root / "begun").exists, "the step begins")
    it.run("sync", code=75)
    suspended = hand(it, "suspend", "other", SUDO_USER="anna")
    assert (suspended["state"], suspended["answer"], suspended["sync"]) == ("pending", None, None)
    assert "left to the process that holds" in it.run("release", "other", "-m", "x").stdout
    running, = it.rows("SELECT id FROM remediations WHERE state = 'running'")
    begun = time.monotonic()
    assert hand(it, "cancel", running["id"][:8])["state"] == "pending"
    output, errors = sync.communicate(timeout=20)
    assert time.monotonic() - begun < 3
    done = json.loads(output)
    assert [(r["deployment"], r["kind"], r["state"]) for r in done["remediations"]
            ][0] == ("shop", "update", "cancelled"), (output, errors)
    assert sync.returncode == 1
    assert {r["kind"]: r["state"] for r in it.rows("SELECT kind, state FROM requests")} == {
        "suspend": "done", "release": "done", "cancel": "done"}
    assert not [line for line in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout.splitlines()
                if line == "/bin/sleep 30"]
    state = it.state_of()
    assert state["quarantined"] and state["tainted"]  # held, not restored
    assert it.note(noted).startswith("failed: 1 cancelled\nupdate production/shop cancelled: ")
    assert "has cancelled already" not in hand(it, "cancel", running["id"], code=None)["answer"]
    assert "nothing in the ledger" in it.run("cancel", "ffffffff", "-m", "x", code=1).stderr


def test_cancel_of_a_waiting_one_and_retry_of_one(it):
    it.driver("1", more=LOOK.replace("{update: %s}", "{update: hold, attempts: 3}"))
    put(it)
    it.sync()
    put(it, "81", port=81)
    assert it.kinds(code=None) == {"shop": ("update", "waiting")}
    assert it.sync(code=None)["remediations"] == []  # not due
    again = hand(it, "retry", "shop", code=None)
    assert "waiting" in again["answer"]
    row, = it.rows("SELECT * FROM remediations WHERE state = 'waiting'")
    assert row["attempt"] == 2
    assert "again in" in status(it)
    assert hand(it, "cancel", row["id"], code=1)["answer"] == "cancelled"
    assert it.state_of()["state"] == "degraded" and "not finished" not in status(it)
    assert it.state_of()["quarantined"]
    assert it.rows("SELECT state FROM remediations WHERE id = ?", row["id"]) == [{"state": "cancelled"}]
    (it.root / "fixed").touch()
    assert hand(it, "retry", "shop")["answer"] == "update succeeded"


def test_a_step_in_doubt(it):
    """A step that must happen once and was killed: nobody knows, so a person says."""
    kill = "#!/bin/sh\necho try >> \"$1\"\ntest -e \"$1.ok\" || kill -9 $$\n"
    for answer, expected in (("--again", 2), ("--done", 1)):
        name = answer[2:]
        it.driver("2", migrate=kill)
        it.write(f"deployments/{name}.yaml", deployment(name))
        it.commit("first")
        it.sync(code=None)
        it.write(f"deployments/{name}.yaml", deployment(name, version="2.0.0", driver="2"))
        it.commit("second")
        assert it.kinds(code=1)[name] == ("upgrade", "waiting")
        said = it.run("sync", code=1).stdout
        assert "--done" in said and "--again" in said
        assert "--done or --again" in hand(it, "retry", name, code=2)["answer"]
        (it.root / f"{name}.migrations.ok").touch()
        assert hand(it, "retry", name, answer)["answer"] == "upgrade succeeded"
        assert it.read(f"{name}.migrations").count("try") == expected
        assert it.rows("SELECT * FROM marks") == []


def test_release(it):
    put(it)
    it.sync()
    noted = it.commit("nothing")
    it.sync()
    text = it.note(noted)
    refused = hand(it, "release", "shop", code=2)
    assert refused["state"] == "refused" and "git still wants" in refused["answer"]
    assert it.note(noted) == text and it.state_of()["state"] == "healthy"
    assert it.sync()["blocked"] == []
    hand(it, "suspend", "shop")
    before = it.processes()
    assert hand(it, "release", "shop")["answer"] == "release succeeded"
    assert it.read("shop/page") == "shop 1.0.0 port 80" and it.processes() == before
    assert it.rows("SELECT * FROM resources") == []
    it.remove("deployments/shop.yaml")
    it.commit("gone")
    it.sync()
    assert it.read("shop/page") == "shop 1.0.0 port 80" and it.rows("SELECT * FROM targets") == []
    for pid in before:
        os.kill(pid, 9)
    it.check_ledger()
    git("-C", str(it.remote), "fsck", "--strict")
