# SPDX-License-Identifier: Apache-2.0
"""The way from a commit to a running, recorded deployment, with the real binary over a local remote."""
import os
import re
import signal

import pytest

from installation import DRIVER, Installation, deployment


@pytest.fixture
def it():
    with Installation() as installation:
        yield installation


def test_create_update_upgrade_delete(it):
    it.write("deployments/shop.yaml", deployment("shop"))
    first = it.commit("shop 1.0.0")
    assert it.kinds() == {"shop": ("create", "succeeded")}
    assert it.read("shop/page") == "shop 1.0.0 port 80"
    assert len(it.processes()) == 1
    assert it.note(first).startswith("succeeded: 1 created\ncreated production/shop in ")

    it.write("deployments/shop.yaml", deployment("shop", port=81))
    it.commit("another port")
    before = it.processes()
    assert it.kinds() == {"shop": ("update", "succeeded")}
    assert it.read("shop/page") == "shop 1.0.0 port 81"
    assert len(it.processes()) == 1 and it.processes() != before  # restart_on

    it.driver("2")
    it.write("deployments/shop.yaml", deployment("shop", version="2.0.0", driver="2", port=81))
    third = it.commit("shop 2.0.0")
    assert it.kinds() == {"shop": ("upgrade", "succeeded")}
    assert it.read("shop.migrations") == "migrated"
    assert "upgraded production/shop 1.0.0 -> 2.0.0 in " in it.note(third)
    assert it.sync()["state"] == "unchanged"
    assert it.state_of()["state"] == "healthy"

    it.remove("deployments/shop.yaml")
    it.commit("shop is gone\n\nStyrmin-Allow: delete=1")
    assert it.kinds() == {"shop": ("delete", "succeeded")}
    assert not (it.root / "shop").exists() and not it.processes()
    assert it.rows("SELECT * FROM resources") == [] and it.rows("SELECT * FROM targets") == []
    it.check_ledger()
    assert [r["sequence"] for r in it.records()] == [1, 2, 3, 4]


COMMAND = """apiVersion: styrmin.io/v1
kind: ApplicationDriver
metadata: {name: door}
spec:
  version: "1"
  components:
    all:
      resources:
        - file: {path: "{{cluster.config.root}}/list", content: "one"}
        - command:
            check: [test, -e, "{{cluster.config.root}}/copy"]
            apply: [./daemon, "{{cluster.config.root}}"]
            remove: [mv, "{{cluster.config.root}}/list", "{{cluster.config.root}}/copy", "{{cluster.config.root}}/away"]
"""
# One that makes itself a daemon, as what starts containers does.
DAEMON = """#!/bin/sh
cp "$1/list" "$1/copy"
setsid sh -c 'echo $$ > "$1/pid"; exec sleep 100' daemon "$1" >/dev/null 2>&1 &
until [ -s "$1/pid" ]; do sleep 0.01; done
"""


def test_a_command_stands_on_the_files_beside_it_and_leaves_daemons(it):
    it.write("drivers/door/1/driver.styrmin.yml", COMMAND)
    it.write("drivers/door/1/daemon", DAEMON, 0o755)
    it.write("deployments/door.yaml", "apiVersion: styrmin.io/v1\nkind: Deployment\nmetadata: {name: door}\n"
             "spec: {environment: production, driver: {name: door, version: \"1\"}, version: 1.0.0}\n")
    it.commit("door")
    assert it.kinds() == {"door": ("create", "succeeded")}
    daemon = int(it.read("pid"))
    os.kill(daemon, 0)  # it lives
    os.kill(daemon, signal.SIGKILL)
    (it.root / "away").mkdir()
    it.remove("deployments/door.yaml")
    it.commit("no door\n\nStyrmin-Allow: delete=1")
    assert it.kinds() == {"door": ("delete", "succeeded")}
    assert sorted(p.name for p in (it.root / "away").iterdir()) == ["copy", "list"]  # while its file was there


def test_text_can_be_read(it):
    """At a hundred columns, an error told once, values without a wall of hex, commands whole."""
    bad = DRIVER % {"version": "1", "more": ""}
    it.write("drivers/web/1/driver.styrmin.yml", bad.replace('/bin/sleep, "100000"', '/bin/sh, -c, "exit {{parameters.port}}"'))
    it.write("deployments/shop.yaml", deployment("shop", port=0))
    it.commit("a server that ends at once")
    failed = it.run("sync", code=1).stdout
    assert failed.count("ended with status 0") == 1 and "to go on: a commit that changes it, or styrmin retry" in failed
    texts = [failed] + [it.run(*words, code=None).stdout for words in (["status"], ["history"], ["explain", "shop"])]
    it.driver("1")
    it.write("deployments/shop.yaml", deployment("shop"))
    it.commit("one that stays")
    texts.append(it.run("plan", "--tree", it.work).stdout)
    it.sync()
    (it.root / "shop/page").write_text("another\n")
    texts.append(it.run("drift").stdout)
    assert re.search(r"content is [0-9a-f]{8}, wanted [0-9a-f]{8}\n", texts[-1])
    it.write("deployments/shop.yaml", deployment("shop", port=81))
    it.commit("another port")
    texts.append(it.run("plan", "--tree", it.work).stdout)
    assert "  ~ parameters.port  80 -> 81   deployments/shop.yaml:8\n" in texts[-1]
    it.sync()
    texts.append(it.run("diff", "shop@{1}", "shop@active").stdout)
    assert re.search(r"/page\n  content  [0-9a-f]{8} -> [0-9a-f]{8}\n", texts[-1])
    for text in texts:
        assert text and max(map(len, text.splitlines())) <= 100, text
