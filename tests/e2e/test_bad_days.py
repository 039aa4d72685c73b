# SPDX-License-Identifier: Apache-2.0
"""The bad days of a deployment: half-way failures, mistakes, two at once, killed processes, a reboot, an impatient hand."""
import json
import os
import signal
import subprocess
import time

import pytest

import git_servers
from crash import check_chain, end_all, facts
from git_servers import wait_until
from installation import STYRMIN, Installation, deployment

# The port 81 is one that nothing works with, the version 9 one that does not even come up.
REFUSES = """    - name: try
      hook: %s
      mode: post
      steps:
        - run: {command: [/usr/bin/test, "{{parameters.port}}", "!=", "81"], timeout: 20s}
"""
HOLD = "  on_failure: {update: hold}\n"
SLOW = "#!/bin/sh\necho begun >> \"$1.begun\"\nsleep %s\necho migrated >> \"$1\"\n"


@pytest.fixture
def it():
    with Installation() as installation:
        yield installation


def wish(it, port=80, **more):
    it.write("deployments/shop.yaml", deployment("shop", port=port, **more))
    return it.commit(f"port {port}")


def page(it):
    return it.read("shop/page") if (it.root / "shop/page").exists() else None


def lines(it, name="shop.migrations"):
    file = it.root / name
    return len(file.read_text().splitlines()) if file.exists() else 0


def start_sync(it, *arguments):
    clean = {k: v for k, v in git_servers.environment().items() if not k.startswith("STYRMIN_")}
    return subprocess.Popen([STYRMIN, "sync", *arguments], cwd=it.path, env=clean, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def begin_slow_upgrade(it, seconds):
    """A sync that is in the middle of its migration, and the upgrade's commit."""
    wish(it)
    it.sync()
    it.driver("2", migrate=SLOW % seconds)
    it.write("deployments/shop.yaml", deployment("shop", version="2.0.0", driver="2"))
    commit = it.commit("shop 2.0.0")
    running = start_sync(it)
    wait_until(lambda: lines(it, "shop.migrations.begun"), "the migration")
    return running, commit


# ---- failures

def test_failed_create_leaves_nothing_when_it_is_unwished(it):
    it.driver("1", more=REFUSES % "setup")
    wish(it, 81)
    assert it.kinds(code=1) == {"shop": ("create", "failed")}
    assert page(it) and it.state_of()["quarantined"] and it.state_of()["tainted"]
    it.remove("deployments/shop.yaml")
    it.commit("no shop\n\nStyrmin-Allow: delete=1")
    assert it.kinds() == {"shop": ("delete", "succeeded")}
    assert list(it.root.iterdir()) == [] and it.processes() == []
    assert it.rows("SELECT * FROM resources") == it.rows("SELECT * FROM targets") == []


def test_failed_update_is_restored(it):
    it.driver("1", more=REFUSES % "update")
    wish(it)
    it.sync()
    failed = wish(it, 81)
    done = it.sync(code=1)
    assert [(r["kind"], r["state"]) for r in done["remediations"]] == [("update", "failed"), ("restore", "succeeded")]
    assert page(it) == "shop 1.0.0 port 80" and len(it.processes()) == 1
    state = it.state_of()
    assert state["state"] == "degraded" and state["quarantined"] and not state["tainted"]
    note, records = it.note(failed), it.records()
    assert it.sync(code=1)["remediations"] == []
    assert it.note(failed) == note and it.records() == records, "nothing new is told"
    wish(it)
    assert it.sync()["remediations"] == []
    assert it.state_of()["state"] == "healthy"
    check_chain(it)


def test_held_update_is_never_in_sync(it):
    it.driver("1", more=REFUSES % "update" + HOLD)
    wish(it)
    it.sync()
    wish(it, 81)
    assert it.kinds(code=1) == {"shop": ("update", "failed")}
    assert page(it) == "shop 1.0.0 port 81"
    state = it.state_of()
    assert state["state"] == "degraded" and state["tainted"] and state["quarantined"]
    wish(it)
    assert it.kinds() == {"shop": ("restore", "succeeded")}
    assert page(it) == "shop 1.0.0 port 80" and len(it.processes()) == 1
    assert it.state_of()["state"] == "healthy" and not it.state_of()["tainted"]


@pytest.mark.parametrize("more", ["", HOLD], ids=["restored", "held"])
def test_failed_wish_is_tried_again_after_another(it, more):
    it.driver("1", more=REFUSES % "update" + more)
    wish(it)
    it.sync()
    wish(it, 81)
    it.sync(code=1)
    wish(it, 82)
    assert it.kinds() == {"shop": ("update", "succeeded")}
    assert page(it) == "shop 1.0.0 port 82" and it.state_of()["state"] == "healthy"
    wish(it, 81)
    assert ("update", "failed") in [(r["kind"], r["state"]) for r in it.sync(code=1)["remediations"]]


def test_mistake_deletes_nothing(it):
    wish(it)
    it.write("deployments/other.yaml", deployment("other"))
    it.commit("two")
    it.sync()
    before = it.processes()
    it.write("deployments/shop.yaml", deployment("shop") + "  : [\n")
    it.remove("deployments/other.yaml")
    it.commit("a mistake\n\nStyrmin-Allow: delete=2")
    done = it.sync(code=4)
    assert done["remediations"] == [] and done["mistakes"]
    assert it.processes() == before and page(it) and it.read("other/page")
    wish(it)
    assert it.kinds() == {"other": ("delete", "succeeded")}
    assert page(it) and len(it.processes()) == 1


# ---- two at once

def test_one_sync_at_a_time(it):
    running, _ = begin_slow_upgrade(it, 3)
    began = time.monotonic()
    assert it.run("sync", code=75).stderr
    assert time.monotonic() - began < 2 and running.poll() is None
    it.run("sync", "--wait", "30s", code=0)
    assert time.monotonic() - began > 0.5 and running.wait(10) == 0
    assert lines(it) == lines(it, "shop.migrations.begun") == 1 and it.state_of()["state"] == "healthy"
    assert [r["sequence"] for r in it.records()] == [1, 2]


# ---- killed

@pytest.mark.parametrize("number, word", [(signal.SIGTERM, "--again"), (signal.SIGINT, "--done"),
                                          (signal.SIGHUP, "--again"), (signal.SIGKILL, "--done")])
def test_stopped_in_the_middle_of_a_migration(it, number, word):
    running, commit = begin_slow_upgrade(it, 30)
    os.kill(running.pid, number)
    running.wait(10)
    assert it.state_of()["state"] == "progressing"
    waiting = it.sync(code=1)
    assert [(r["kind"], r["state"]) for r in waiting["remediations"]] == [("upgrade", "waiting")]
    assert len(it.processes()) == 1 and lines(it) == 0, "what ran of the migration was ended"
    assert it.note(commit).startswith("blocked")
    assert it.sync(code=1)["remediations"] == []
    said = it.run("sync", code=1).stdout
    assert "styrmin retry here/production/shop --done -m REASON\n" in said
    assert "styrmin retry here/production/shop --again -m REASON\n" in said
    if word == "--done":
        it.run("retry", "shop", "--done", "-m", "done by hand")
        assert lines(it, "shop.migrations.begun") == 1
    else:
        again = subprocess.Popen([STYRMIN, "retry", "shop", "--again", "-m", "nothing had happened"], cwd=it.path)
        wait_until(lambda: lines(it, "shop.migrations.begun") == 2, "the second try")
        subprocess.run(["pkill", "-x", "sleep", "-P", str(migration(it))], check=True)
        assert again.wait(20) == 0 and lines(it) == 1
    assert page(it) == "shop 2.0.0 port 80" and it.state_of()["state"] == "healthy"
    assert it.note(commit).startswith("succeeded: 1 upgraded\nupgraded"), it.note(commit)
    facts(it)


def migration(it):
    """The pid of the migration's shell."""
    return next(pid for pid in it.processes() if b"migrate" in open(f"/proc/{pid}/cmdline", "rb").read())


def test_killed_process_is_healed(it):
    wish(it)
    it.sync()
    os.kill(it.processes()[0], signal.SIGKILL)
    wait_until(lambda: not it.launchers(), "the launcher's end")
    assert it.run("drift", "--exit-code", code=3)
    assert it.sync()["remediations"] == []
    assert it.kinds("--heal") == {"shop": ("heal", "succeeded")}
    assert len(it.processes()) == 1 and it.run("drift", "--exit-code", code=0)


def test_killed_launcher(it):
    wish(it)
    it.sync()
    program = it.processes()[0]
    os.kill(it.launchers()[0], signal.SIGKILL)
    wait_until(lambda: not it.launchers(), "the launcher's end")
    assert it.sync("--heal")["remediations"] == [] and os.path.exists(f"/proc/{program}")
    wish(it, 81)
    assert it.kinds() == {"shop": ("update", "succeeded")}
    assert len(it.processes()) == 1 and not runs(program)


def runs(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_killed_launcher_of_a_step(it):
    running, _ = begin_slow_upgrade(it, 1)
    shell = migration(it)
    parent = int(open(f"/proc/{shell}/stat").read().rpartition(")")[2].split()[1])
    os.kill(parent, signal.SIGKILL)
    assert running.wait(20) == 1, running.communicate()
    assert not runs(shell) and it.state_of()["state"] != "healthy"
    it.run("retry", "shop", "--done" if lines(it) else "--again", "-m", "looked")
    assert lines(it) == 1 and it.state_of()["state"] == "healthy"


# ---- a reboot

def reboot(it):
    """Everything is gone, and what is written down of processes is of another boot: their numbers are others' now."""
    end_all(it)
    own = open("/proc/self/stat").read().rpartition(")")[2].split()
    somebody = {"pid": os.getpid(), "started": int(own[19])}
    for file in (it.state / "run").glob("*.pid"):
        file.write_text(json.dumps({"boot": "another", "launcher": somebody, "program": somebody}))


def test_reboot_of_a_quiet_host(it):
    wish(it)
    it.sync()
    reboot(it)
    assert it.sync()["remediations"] == []
    assert it.kinds("--heal") == {"shop": ("heal", "succeeded")}
    assert len(it.processes()) == 1 and it.state_of()["state"] == "healthy"


def test_reboot_in_the_middle_of_a_migration(it):
    running, _ = begin_slow_upgrade(it, 30)
    running.kill()
    running.wait(10)
    reboot(it)
    assert it.kinds(code=1) == {"shop": ("upgrade", "waiting")}
    it.run("retry", "shop", "--done", "-m", "done by hand")
    assert page(it) == "shop 2.0.0 port 80" and len(it.processes()) == 1 and it.state_of()["state"] == "healthy"


# ---- what a trailer allowed

def test_crash_takes_no_allowance_back(it):
    """The commit that allows it is walked once; that its deletes die before they start changes nothing of that."""
    it.write("deployments/other.yaml", deployment("other"))
    wish(it)
    it.sync()
    for name in ("shop", "other"):
        it.remove(f"deployments/{name}.yaml")
    it.commit("all of it\n\nStyrmin-Allow: delete=2")
    killed = it.run("sync", code=None, STYRMIN_FAILPOINT="ledger.committed:1:kill")
    assert killed.returncode == -9 and it.rows("SELECT id FROM remediations WHERE state = 'planned'")
    assert it.kinds() == {"shop": ("delete", "succeeded"), "other": ("delete", "succeeded")}
    assert list(it.root.iterdir()) == [] and it.processes() == []
