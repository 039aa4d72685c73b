# SPDX-License-Identifier: Apache-2.0
"""Drift with the real binary: what is found, what is put right, what is only looked at."""
import json
import os
import signal

import pytest

from git_servers import wait_until
from installation import ENVIRONMENT, Installation, deployment

WEB = """apiVersion: styrmin.io/v1
kind: ApplicationDriver
metadata: {name: web}
spec:
  version: "1"
  parameters:
    - {name: port, kind: integer, default: 80}
  components:
    site:
      resources:
        - directory: {path: "{{cluster.config.root}}/{{deployment.name}}"}
        - file: {path: "{{cluster.config.root}}/{{deployment.name}}/page", content: "port {{parameters.port}}\\n", mode: 0640}
    server:
      depends_on: [site]
      restart_on: [site]
      resources:
        - process: {command: [/bin/sleep, "100000"]}
    reported:
      resources:
        - file: {path: "{{cluster.config.root}}/{{deployment.name}}.reported", content: "a\\n"}
      drift: {policy: report}
    ignored:
      resources:
        - file: {path: "{{cluster.config.root}}/{{deployment.name}}.ignored", content: "a\\n"}
      drift: {policy: ignore}
    half:
      resources:
        - file: {path: "{{cluster.config.root}}/{{deployment.name}}.half", content: "a\\n", mode: 0644}
      drift: {ignore_fields: [/mode]}
"""


@pytest.fixture
def it():
    with Installation() as installation:
        installation.write("drivers/web/1/driver.styrmin.yml", WEB)
        installation.write("deployments/shop.yaml", deployment("shop"))
        installation.first = installation.commit("shop")
        installation.sync()
        yield installation


def drift(it, *arguments, **keywords):
    """{resource: (state, healed)}"""
    done = it.document("drift", *arguments, **keywords)
    return {r["id"].replace(str(it.root), ""): (r["state"], r["healed"]) for d in done["deployments"]
            for r in d["resources"]}


def dump(it):
    return {t: it.rows(f"SELECT * FROM {t}") for t in ("events", "drift", "heals", "remediations", "records", "outbox")}


def test_files(it):
    page, before = it.root / "shop/page", dump(it)
    assert drift(it, "--exit-code") == {}
    assert "1 target is as the active Instance says" in it.run("drift").stdout
    page.write_text("edited\n")
    assert drift(it) == {"file:/shop/page": ("drifted", False)}
    assert drift(it, "--exit-code", code=3) == {"file:/shop/page": ("drifted", False)}
    (it.root / "shop.half").chmod(0o600)  # ignored
    (it.root / "shop.ignored").unlink()
    (it.root / "shop.reported").unlink()
    assert drift(it) == {"file:/shop/page": ("drifted", False), "file:/shop.reported": ("missing", False)}
    assert dump(it) == before  # looking writes nothing
    text = it.run("drift", "shop").stdout
    assert "shop/page" in text and "drifted" in text and "missing" in text
    assert "no target 'nothing'" in it.run("drift", "nothing", code=1).stderr

    note, pid = it.note(it.first), it.processes()
    assert drift(it, "--heal", "--exit-code", code=3) == {
        "file:/shop/page": ("drifted", True), "file:/shop.reported": ("missing", False)}
    assert page.read_text() == "port 80\n" and not (it.root / "shop.reported").exists()
    assert len(it.processes()) == 1 and it.processes() != pid  # restart_on
    assert [r["kind"] for r in it.rows("SELECT kind FROM remediations ORDER BY seq")] == ["create", "heal"]
    it.run("sync")
    assert it.note(it.first) == note  # a heal is a record, and no outcome of a commit
    heals = [r for r in it.records() if r["kind"] == "heal"]
    assert len(heals) == 1 and heals[0]["commit"] == it.first and heals[0]["targets"][0]["state"] == "succeeded"
    assert it.state_of()["drift"]["state"] == "found"  # the one that is only reported
    assert it.state_of()["state"] == "degraded"
    (it.root / "shop.reported").write_text("a\n")
    it.sync("--heal")
    assert it.state_of()["state"] == "healthy"

    page.unlink()
    assert drift(it, "--heal", "--exit-code") == {"file:/shop/page": ("missing", True)}
    assert page.stat().st_mode & 0o7777 == 0o640
    page.chmod(0o666)
    assert drift(it) == {"file:/shop/page": ("drifted", False)}
    assert "mode is 0666, wanted 0640" in it.run("drift").stdout
    done = it.sync("--heal")
    assert [(r["kind"], r["state"]) for r in done["remediations"]] == [("heal", "succeeded")]
    assert page.stat().st_mode & 0o7777 == 0o640
    assert it.sync("--heal")["state"] == "unchanged"
    it.check_ledger()


def test_process(it):
    pid, = it.processes()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not it.processes(), "it is gone")
    id = "process:here/production/shop/server"
    assert list(drift(it)) == [id]
    assert drift(it, "--heal", "--exit-code") == {id: ("missing", True)}
    assert len(it.processes()) == 1

    # A launcher that is killed as well, with what it attends to.
    for victim in it.launchers() + it.processes():
        os.kill(victim, signal.SIGKILL)
    wait_until(lambda: not it.processes(), "it is gone")
    assert drift(it, "--heal", "--exit-code") == {id: ("missing", True)}
    assert len(it.processes()) == 1

    it.write("deployments/shop.yaml", deployment("shop", more="  lifecycle: stopped\n"))
    it.commit("stop")
    assert it.kinds() == {"shop": ("stop", "succeeded")}
    assert it.processes() == [] and drift(it, "--exit-code") == {} and it.state_of()["state"] == "stopped"
    (it.root / "shop/page").write_text("edited")
    assert drift(it, "--heal", "--exit-code") == {"file:/shop/page": ("drifted", True)}
    assert it.processes() == []  # a heal does not start what is stopped
    it.write("deployments/shop.yaml", deployment("shop"))
    it.commit("start")
    assert it.kinds() == {"shop": ("start", "succeeded")}
    assert len(it.processes()) == 1 and drift(it, "--exit-code") == {}


def test_runs_though_stopped(it):
    it.write("drivers/web/2/driver.styrmin.yml", WEB.replace('"1"', '"2"').replace("  actions:", "") + """
  actions:
    - name: go
      hook: update
      mode: post
      steps:
        - start: [server]
        - run: {command: [/usr/bin/test, "!", -e, "{{cluster.config.root}}/kill"]}
""")
    it.write("deployments/shop.yaml", deployment("shop", driver="2", more="  lifecycle: stopped\n"))
    it.commit("stopped")
    it.sync()
    assert it.processes() == [] and it.state_of()["state"] == "stopped"
    # Started by a post action, and brought back to its lifecycle after it.
    it.write("deployments/shop.yaml", deployment("shop", driver="2", port=81, more="  lifecycle: stopped\n"))
    it.commit("81")
    assert it.kinds() == {"shop": ("update", "succeeded")}
    assert it.processes() == [] and drift(it, "--exit-code") == {}


def test_flapping():
    with Installation("drift: {flap_limit: 2}\n") as it:
        it.write("drivers/web/1/driver.styrmin.yml", WEB)
        it.write("deployments/shop.yaml", deployment("shop"))
        it.commit("shop")
        it.sync()
        for round in range(3):
            (it.root / "shop/page").write_text(f"edited {round}\n")
            assert drift(it, "--heal") == {"file:/shop/page": ("drifted", round < 2)}
        done = it.document("drift")
        resource, = done["deployments"][0]["resources"]
        assert resource["flapping"]
        assert "flapping" in it.run("drift").stdout
        state = it.state_of()
        assert state["drift"]["state"] == "flapping" and state["state"] == "degraded"
        assert (it.root / "shop/page").read_text() == "edited 2\n"


def test_failed_heal_is_followed_by_a_restore(it):
    page = it.root / "shop/page"
    page.unlink()
    page.mkdir()
    (page / "in the way").touch()
    done = it.sync("--heal", code=1)
    assert [(r["kind"], r["state"]) for r in done["remediations"]] == [("heal", "failed")]
    state = it.state_of()
    assert state["tainted"] and not state["quarantined"]
    said = it.run("sync", "--no-fetch", code=1).stdout  # the restore is due at once, and fails too
    assert "restore" in said and "page" in said
    row = it.rows("SELECT * FROM remediations ORDER BY seq DESC")[0]
    assert (row["kind"], row["state"]) == ("restore", "waiting") and row["due"]
    assert drift(it, "--heal")["file:/shop/page"] == ("drifted", False)  # tainted: looked at only
    (page / "in the way").unlink()
    page.rmdir()
    done = it.document("retry", "shop", "-m", "made room")
    assert done["answer"] == "restore succeeded"
    assert page.read_text() == "port 80\n" and it.state_of()["state"] == "healthy"


def test_looked_at_not_healed(it):
    page = it.root / "shop/page"
    page.write_text("edited\n")
    it.run("suspend", "shop", "-m", "hands off")
    assert drift(it, "--heal", "--exit-code", code=3) == {"file:/shop/page": ("drifted", False)}
    assert it.state_of()["drift"]["state"] == "found"
    it.run("resume", "shop", "-m", "go on")
    it.write("environments/production.yaml", ENVIRONMENT % ", mode: observe")
    it.commit("only look")
    it.sync()
    assert drift(it, "--heal", "--exit-code", code=3) == {"file:/shop/page": ("drifted", False)}
    assert page.read_text() == "edited\n"
    it.write("environments/production.yaml", ENVIRONMENT % "")
    it.commit("act again")
    it.sync("--heal")
    assert page.read_text() == "port 80\n"
    # Without git and without a remote.
    it.remote.rename(it.path / "away")
    page.write_text("edited\n")
    assert drift(it, "--heal", "--exit-code") == {"file:/shop/page": ("drifted", True)}
    page.write_text("edited\n")
    assert str(it.remote) in it.run("sync", "--heal", code=1).stderr
    assert page.read_text() == "port 80\n"


def test_driver_files_of_what_is_active(it):
    """A command resource is healed from the ledger, with the driver's files as they were."""
    it.write("drivers/own/1/driver.styrmin.yml", """apiVersion: styrmin.io/v1
kind: ApplicationDriver
metadata: {name: own}
spec:
  version: "1"
  components:
    all:
      resources:
        - command:
            check: [./own, check, "{{cluster.config.root}}/own"]
            apply: [./own, apply, "{{cluster.config.root}}/own"]
            remove: [./own, remove, "{{cluster.config.root}}/own"]
""")
    it.write("drivers/own/1/own", "#!/bin/sh\ncase $1 in check) test -e $2 ;; apply) cp words $2 ;; remove) rm -f $2 ;; esac\n",
             0o755)
    it.write("drivers/own/1/words", "words of version 1\n")
    it.write("deployments/own.yaml", """apiVersion: styrmin.io/v1
kind: Deployment
metadata: {name: own}
spec: {environment: production, driver: {name: own, version: "1"}, version: 1.0.0}
""")
    it.commit("own")
    it.sync()
    (it.root / "own").unlink()
    it.remote.rename(it.path / "away")
    assert drift(it, "own", "--heal", "--exit-code") == {"command:here/production/own/all": ("missing", True)}
    assert (it.root / "own").read_text() == "words of version 1\n"
    (it.path / "away").rename(it.remote)
    it.remove("deployments/own.yaml")
    it.commit("gone")
    it.sync()
    assert not (it.root / "own").exists()
    assert json.loads(it.run("history", "-o", "json").stdout)["entries"]
