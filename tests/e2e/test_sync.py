# SPDX-License-Identifier: Apache-2.0
"""The way from a commit to a running, recorded deployment, with the real binary over a local remote."""
import os
import re
import signal

import pytest

from installation import DRIVER, ENVIRONMENT, Installation, deployment


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


def test_state_directory_is_out_of_reach(it):
    text = (it.path / "styrmin.yaml").read_text()
    (it.path / "styrmin.yaml").write_text(text.replace(f"[{it.root}]", f"[{it.path}/]"))
    done = it.run("sync", code=2)
    assert "host.allow" in done.stderr and "contains the state directory" in done.stderr
    assert not it.state.exists()


def test_secret_folders_are_relative_to_the_configuration(it):
    (it.path / "secrets").mkdir()
    (it.path / "secrets" / "key").write_text("canary\n")
    it.configure(more="secrets: {files: [secrets]}\n")
    it.write("drivers/web/3/driver.styrmin.yml", "apiVersion: styrmin.io/v1\nkind: ApplicationDriver\n"
             "metadata: {name: web}\nspec:\n  version: \"3\"\n  parameters: [{name: port, kind: integer, default: 1},"
             " {name: key, kind: secret}]\n  components:\n    site:\n      resources:\n"
             "        - file: {path: \"{{cluster.config.root}}/key\", template: key.mustache, mode: 0600}\n")
    it.write("drivers/web/3/key.mustache", "key={{parameters.key}}\n")
    it.write("deployments/shop.yaml", deployment("shop", driver="3").rstrip().rstrip("}") +
             ", key: {from_file: \"%s\"}}\n" % (it.path / "secrets" / "key"))
    it.commit("a secret")
    assert it.kinds() == {"shop": ("create", "succeeded")}
    assert it.read("key") == "key=canary"


def test_explain_names_file_line_commit_and_author(it):
    it.write("deployments/shop.yaml", deployment("shop"))
    first = it.commit("shop")
    it.write("deployments/shop.yaml", deployment("shop", port=81))
    second = it.commit("another port")
    it.sync()
    value = it.document("explain", "shop", "parameters.port")
    assert value["value"] == 81
    assert value["origin"] == {"file": "deployments/shop.yaml", "line": 8, "column": 22, "commit": second,
                               "author": "Anna"}
    assert it.document("explain", "shop", "cluster.config.root")["origin"]["commit"] == first
    assert f"deployments/shop.yaml:8:22  ({second[:8]} by Anna)" in it.run("explain", "shop", "parameters.port").stdout


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


def test_a_slip_in_the_name_of_an_environment(it):
    """Nothing is deleted for it, and it is said: now, later and on the commit."""
    it.write("deployments/shop.yaml", deployment("shop"))
    it.commit("shop")
    it.sync()
    it.write("deployments/shop.yaml", deployment("shop", environment="prodution"))
    slip = it.commit("a slip")
    assert "deployments/shop.yaml:5:16: there is no Environment 'prodution'" in it.run("check", it.work, code=2).stderr
    for _ in range(2):
        done = it.sync(code=4)
        assert done["remediations"] == [] and done["mistakes"] == 1
        assert [(b["target"], b["reason"]) for b in done["blocked"]] == [("here/production/shop", "mistake")]
        assert it.note(slip).startswith("blocked: ") and "deployments/shop.yaml" in it.note(slip)
    it.write("deployments/other.yaml", deployment("other"))
    it.commit("another")
    assert it.kinds(code=4) == {"other": ("create", "succeeded")}
    assert it.read("shop/page") == "shop 1.0.0 port 80"

    # Alone it is a mistake as well, and stays one.
    it.write("deployments/third.yaml", deployment("third", environment="nowhere"))
    it.commit("a new one")
    assert it.sync(code=4)["mistakes"] == 2
    it.remove("deployments/third.yaml")
    it.commit("not that")
    assert it.sync(code=4)["mistakes"] == 1

    # It comes to be: then it was a move, a create there and a delete here.
    it.write("environments/prodution.yaml", ENVIRONMENT.replace("production", "prodution") % "")
    it.commit("meant")
    done = it.sync()
    assert [(r["target"], r["kind"], r["state"]) for r in done["remediations"]] == [
        ("here/prodution/shop", "create", "succeeded"), ("here/production/shop", "delete", "succeeded")]
    assert done["mistakes"] == 0 and it.read("shop/page") == "shop 1.0.0 port 80" and len(it.processes()) == 2


def test_text_can_be_read(it):
    """At a hundred columns, an error told once, values without a wall of hex, commands whole."""
    bad = DRIVER % {"version": "1", "more": ""}
    it.write("drivers/web/1/driver.styrmin.yml", bad.replace('/bin/sleep, "100000"', '/bin/sh, -c, "exit {{parameters.port}}"'))
    it.write("deployments/shop.yaml", deployment("shop", port=0))
    it.commit("a server that ends at once")
    failed = it.run("sync", code=1).stdout
    assert failed.count("ended with status 0") == 1 and "to go on: a commit that changes it\n" in failed
    assert re.search(r"or: styrmin retry \S+ -m REASON\n", failed)
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


def test_a_secret_that_may_not_be_read_is_refused_before_anything_is_done(it):
    (it.path / "key").write_text("canary\n")
    it.write("drivers/web/3/driver.styrmin.yml", "apiVersion: styrmin.io/v1\nkind: ApplicationDriver\n"
             "metadata: {name: web}\nspec:\n  version: \"3\"\n  parameters: [{name: port, kind: integer, default: 1},"
             " {name: key, kind: secret}]\n  components:\n    site:\n      resources:\n"
             "        - file: {path: \"{{cluster.config.root}}/key\", template: key.mustache, mode: 0600}\n")
    it.write("drivers/web/3/key.mustache", "key={{parameters.key}}\n")
    it.write("deployments/shop.yaml", deployment("shop", driver="3").rstrip().rstrip("}") +
             ", key: {from_file: \"%s\"}}\n" % (it.path / "key"))
    it.commit("a secret")
    blocked, = it.sync(code=4)["blocked"]
    assert blocked["reason"] == "guard" and "is not allowed here" in blocked["message"]
    assert not (it.root / "key").exists() and it.rows("SELECT tainted, quarantined FROM targets") == [
        {"tainted": 0, "quarantined": None}]
    it.configure(more="secrets: {files: [.]}\n")
    assert it.kinds() == {"shop": ("create", "succeeded")}


def test_a_commit_does_not_wait_for_what_has_ended(it):
    """One that is walked while another's work waits says so, until it has ended."""
    it.driver("2", migrate="#!/bin/sh\nexit 1\n", more="  on_failure: {attempts: 2}\n")
    it.write("deployments/shop.yaml", deployment("shop"))
    it.commit("shop")
    it.sync()
    it.write("deployments/shop.yaml", deployment("shop", version="2.0.0", driver="2"))
    it.commit("an upgrade that fails at first")
    it.sync(code=1)
    it.write("deployments/other.yaml", deployment("other"))
    other = it.commit("another one")
    it.sync(code=1)
    assert it.note(other).startswith("blocked: ")
    it.document("retry", "shop", "-m", "once more", code=1)
    assert it.note(other).startswith("succeeded: 1 created")
