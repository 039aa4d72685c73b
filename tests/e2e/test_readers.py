# SPDX-License-Identifier: Apache-2.0
"""status, history, show, diff, logs and explain of the real binary over a ledger as syncs leave it."""
import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess
import time

import jsonschema
import pytest

STYRMIN = os.environ.get("STYRMIN", "styrmin")
PROBE = os.environ.get("STYRMIN_LEDGER_PROBE", "ledger_probe")
ROOT = pathlib.Path(__file__).resolve().parents[2]
FIRST, SECOND = "11" * 20, "22" * 20
SHOP, API = "deployments/production/shop.yaml", "deployments/production/api.yaml"
CONFIGURATION = """apiVersion: styrmin.io/v1
kind: Configuration
name: edge
source: {url: /nowhere}
state_dir: state
"""


class Installation:
    def __init__(self, folder):
        self.folder = folder
        self.state = folder / "state"
        self.tree = folder / "platform"
        self.state.mkdir()
        (folder / "styrmin.yaml").write_text(CONFIGURATION)
        shutil.copytree(ROOT / "examples/quickstart/platform", self.tree)

    def deploy(self, commit, copies=0):
        subprocess.run([PROBE, self.state, self.tree, commit, str(copies)], check=True, timeout=300)

    def run(self, *arguments, code=0, cwd=None, **environment):
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("STYRMIN_", "GIT_"))}
        done = subprocess.run([STYRMIN, *map(str, arguments)], cwd=cwd or self.folder, capture_output=True, text=True,
                              timeout=60, env={**clean, **environment})
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done

    def document(self, schema, *arguments, **keywords):
        value = json.loads(self.run(*arguments, "-o", "json", **keywords).stdout)
        jsonschema.validate(value, json.loads((ROOT / "schemas/output" / f"{schema}.json").read_text()))
        return value

    def sql(self, statement, *values):
        with sqlite3.connect(self.state / "ledger.db") as connection:
            rows = connection.execute(statement, values).fetchall()
        connection.close()
        return rows

    def status(self, *arguments):
        return self.document("status", "status", *arguments)["deployments"]


def change(folder, old, new, path=SHOP):
    text = (folder / path).read_text()
    assert old in text
    (folder / path).write_text(text.replace(old, new))


@pytest.fixture
def edge(tmp_path):
    """shop and api, both deployed by FIRST; shop updated by SECOND."""
    edge = Installation(tmp_path)
    shutil.copy(edge.tree / SHOP, edge.tree / API)
    change(edge.tree, "name: shop, labels: {team: web}", "name: api, labels: {tier: back, app.x/kind: web}", API)
    edge.deploy(FIRST)
    change(edge.tree, "1.4.0", "1.5.0")
    edge.deploy(SECOND)
    return edge


def names(entries):
    return [entry["name"] for entry in entries]


# ---- status ----

def test_status_for_people(edge):
    lines = edge.run("status").stdout.splitlines()
    assert re.fullmatch(r"https://git\.example\.com/platform\.git  main at 22222222, fetched (now|\d+s ago)", lines[0])
    assert lines[1].split() == ["TARGET", "STATE", "DRIVER", "VERSION", "SINCE", "REASON"]
    assert lines[2].split()[:4] == ["production/api", "healthy", "web/1", "1.4.0"]
    assert lines[3].split()[:4] == ["production/shop", "healthy", "web/1", "1.5.0"]
    assert lines[2].index("healthy") == lines[3].index("healthy") == lines[1].index("STATE")
    assert lines[4] == "2 targets: 2 healthy"


def test_status_for_programs(edge):
    value = edge.document("status", "status")
    assert value["source"]["url"] == "https://git.example.com/platform.git" and value["source"]["commit"] == SECOND
    api, shop = value["deployments"]
    assert shop["target"] == "here/production/shop" and shop["state"] == "healthy" and shop["reason"] is None
    assert shop["active"]["version"] == "1.5.0" and shop["active"]["driver"] == "web/1"
    assert shop["active"]["instance"] == shop["desired"]["instance"] != api["active"]["instance"]


@pytest.mark.parametrize("statement, state, reason", [
    ("UPDATE remediations SET state = 'running', finished_at = NULL WHERE deployment = 'shop' AND kind = 'update'",
     "progressing", "update running"),
    ("INSERT INTO drift SELECT id, 'file:/x', 'unknown', '[]', 'heal', 0, 1 FROM targets WHERE deployment = 'shop'",
     "unknown", "cannot be looked at: file:/x"),
    ("UPDATE targets SET suspended_until = 9223372036854775807 WHERE deployment = 'shop'",
     "suspended", 'ends with resume'),
    ("UPDATE targets SET suspended_until = 1 WHERE deployment = 'shop'", "healthy", None),
    ("UPDATE targets SET policy = json_set(policy, '$.suspend', json('{\"file\":\"deployments/a.yaml\",\"line\":7}'))"
     " WHERE deployment = 'shop'", "suspended", "suspend: true in deployments/a.yaml:7"),
    ("UPDATE targets SET blocked = '{\"reason\":\"claim\",\"message\":\"/srv is taken\"}' WHERE deployment = 'shop'",
     "blocked", "/srv is taken"),
    ("UPDATE targets SET blocked = '{\"reason\":\"observed\",\"message\":\"m\"}' WHERE deployment = 'shop'",
     "healthy", None),
    ("UPDATE remediations SET state = 'waiting', wait_reason = 'host away', due = 1, finished_at = NULL"
     " WHERE deployment = 'shop' AND kind = 'update'", "blocked", "update waiting: host away; again "),
    ("UPDATE targets SET tainted = 1 WHERE deployment = 'shop'", "degraded", "between two Instances"),
    ("UPDATE targets SET quarantined = desired WHERE deployment = 'shop'", "degraded", "failed and is quarantined"),
    ("UPDATE targets SET quarantined = desired, blocked = '{\"reason\":\"quarantined\",\"message\":\"m\"}'"
     " WHERE deployment = 'shop'", "degraded", "failed and is quarantined"),
    ("INSERT INTO drift SELECT id, 'file:/x', 'drifted', '[]', 'report', 0, 1 FROM targets WHERE deployment = 'shop'",
     "degraded", "drift: file:/x"),
    ("INSERT INTO drift SELECT id, 'file:/x', 'drifted', '[]', 'ignore', 0, 1 FROM targets WHERE deployment = 'shop'",
     "healthy", None),
    ("UPDATE active SET lifecycle = 'stopped' WHERE target = (SELECT id FROM targets WHERE deployment = 'shop')",
     "stopped", None),
    ("UPDATE remediations SET state = 'planned', finished_at = NULL WHERE deployment = 'shop' AND kind = 'update'",
     "progressing", "update planned"),
    ("DELETE FROM active WHERE target = (SELECT id FROM targets WHERE deployment = 'shop')", "unknown",
     "not deployed yet"),
    ("UPDATE targets SET wanted = 0 WHERE deployment = 'shop'", "healthy", "git does not want it any more"),
])
def test_every_state_and_its_reason(edge, statement, state, reason):
    edge.sql(statement)
    api, shop = edge.status()
    assert (api["state"], shop["state"]) == ("healthy", state)
    assert shop["reason"] is None if reason is None else reason in shop["reason"]
    text = edge.run("status").stdout
    assert f"1 {state}" in text or state == "healthy"
    assert reason is None or reason in text


def test_the_first_state_that_holds_is_shown(edge):
    order = [
        "UPDATE active SET lifecycle = 'stopped'", "UPDATE targets SET tainted = 1",
        "UPDATE targets SET blocked = '{\"reason\":\"guard\"}'",
        "UPDATE targets SET suspended_until = 9223372036854775807",
        "INSERT INTO drift SELECT id, 'file:/x', 'unknown', '[]', 'heal', 0, 1 FROM targets",
        "UPDATE remediations SET state = 'running', finished_at = NULL WHERE seq IN (SELECT max(seq) FROM remediations"
        " GROUP BY target)"]
    shown = []
    for statement in order:
        edge.sql(statement)
        shown.append(edge.status("shop")[0]["state"])
    assert shown == ["stopped", "degraded", "blocked", "suspended", "unknown", "progressing"]


def test_a_pin_is_shown_beside(edge):
    request = "ab" * 16
    first = edge.sql("SELECT to_instance FROM remediations WHERE kind = 'create' AND deployment = 'shop'")[0][0]
    edge.sql("INSERT INTO requests VALUES (?, 1, 'rollback', 'here/production/shop', '{}', 'anna', 'cli', 'too slow',"
             " 1, 'done', NULL, 2)", request)
    edge.sql("UPDATE targets SET pinned = ?, pin_request = ? WHERE deployment = 'shop'", first, request)
    shop = edge.status("shop")[0]
    assert shop["pinned"] == {"instance": first, "actor": "anna", "reason": "too slow"} and shop["state"] == "healthy"
    assert f'pinned to {first[7:15]} by anna: "too slow"; git wants' in edge.run("status").stdout


def test_drift_in_short(edge):
    edge.sql("INSERT INTO heals SELECT id, 'file:/x', unixepoch() * 1000 FROM targets WHERE deployment = 'shop'")
    assert edge.status("shop")[0]["drift"] == {"state": "healed", "resources": []}
    edge.sql("INSERT INTO drift SELECT id, 'file:/x', 'drifted', '[]', 'heal', 0, 1 FROM targets")
    assert edge.status("shop")[0]["drift"] == {"state": "found", "resources": ["file:/x"]}
    edge.sql("UPDATE drift SET flapping = 1")
    shop = edge.status("shop")[0]
    assert shop["drift"]["state"] == "flapping" and shop["reason"] == "drifts again and again: file:/x"


def test_a_failing_fetch_is_told(edge):
    edge.sql("UPDATE sources SET error = 'no route to host'")
    assert edge.run("status").stdout.splitlines()[0].endswith("  no route to host")
    assert edge.document("status", "status")["source"]["error"] == "no route to host"


def test_what_is_gone_is_not_shown(edge):
    edge.sql("DELETE FROM active WHERE target = (SELECT id FROM targets WHERE deployment = 'shop')")
    edge.sql("UPDATE targets SET wanted = 0 WHERE deployment = 'shop'")
    assert names(edge.status()) == ["api"]
    edge.sql("INSERT INTO resources SELECT 'host', 'file:/x', id, 'site', desired, NULL FROM targets"
             " WHERE deployment = 'shop'")
    assert names(edge.status()) == ["api", "shop"]
    assert "gone" not in edge.run("explain", "shop").stdout


@pytest.mark.parametrize("arguments, expected", [
    (["shop"], ["shop"]), (["production/shop", "here/production/api"], ["api", "shop"]),
    (["-e", "production"], ["api", "shop"]), (["-e", "staging"], []), (["--cluster", "there"], []),
    (["-l", "tier=back"], ["api"]), (["-l", "tier=back", "-l", "app.x/kind=web"], ["api"]),
    (["-l", "tier=back", "-l", "app.x/kind=db"], []), (["--state", "healthy"], ["api", "shop"]),
    (["--state", "blocked"], []),
])
def test_which_targets_are_listed(edge, arguments, expected):
    assert names(edge.status(*arguments)) == expected


@pytest.mark.parametrize("arguments, code, words", [
    (["status", "shopp"], 1, "no target 'shopp'"),
    (["status", "-l", "tier"], 2, "KEY=VALUE"),
    (["status", "--state", "well"], 2, "ever 'well'"),
    (["history", "--state", "healthy"], 2, "ever 'healthy'"),
    (["history", "--since", "yesterday"], 2, "--since"),
    (["history", "--limit", "0"], 2, "--limit"),
    (["show"], 2, "one id"),
    (["show", "xyz"], 2, "no id"),
    (["show", "abcdef123456"], 1, "begins with"),
    (["diff", "shop"], 2, "two Instances"),
    (["diff", "shop@{9}", "shop"], 1, "so far back"),
    (["diff", "shop@best", "shop"], 2, "@active"),
    (["logs", "nothing"], 1, "no remediation"),
    (["logs", "shop", "--step", "9"], 1, "no step 9"),
    (["logs", "shop", "-f", "-o", "json"], 2, "-f"),
    (["explain", "shopp"], 1, "here/production/shop"),
])
def test_what_cannot_be_answered(edge, arguments, code, words):
    assert words in edge.run(*arguments, code=code).stderr


def test_nothing_was_synced_yet(tmp_path):
    edge = Installation(tmp_path)
    for command in (["status"], ["history"], ["explain", "shop"], ["logs", "shop"]):
        done = edge.run(*command, code=1)
        assert f"nothing was synced yet: styrmin sync (state directory {edge.state})" in done.stderr


def test_untrusted_text_stays_on_its_line(edge):
    edge.sql("UPDATE targets SET blocked = json_object('reason', 'guard', 'message', char(27) || '[31mred' || char(10)"
             " || 'second') WHERE deployment = 'shop'")
    text = edge.run("status").stdout
    assert "\x1b" not in text and "\\x1b[31mred\\x0asecond" in text
    assert "\x1b" not in edge.run("logs", "shop").stdout and "\x1b" not in edge.run("explain", "shop").stdout


def test_readers_do_not_wait_for_a_writer(edge):
    writer = sqlite3.connect(edge.state / "ledger.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("UPDATE targets SET tainted = 1")
    began = time.monotonic()
    assert [entry["state"] for entry in edge.status()] == ["healthy", "healthy"]
    edge.run("history")
    edge.run("explain", "shop")
    assert time.monotonic() - began < 4
    writer.execute("COMMIT")
    writer.close()
    assert [entry["state"] for entry in edge.status()] == ["degraded", "degraded"]


def test_watching(edge):
    process = subprocess.Popen([STYRMIN, "status", "-w"], cwd=edge.folder, stdout=subprocess.PIPE, text=True)
    counts = [process.stdout.readline() for _ in range(5)][4]
    edge.sql("UPDATE targets SET tainted = 1")
    again = [process.stdout.readline() for _ in range(5)][4]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert (counts, again) == ("2 targets: 2 healthy\n", "2 targets: 2 degraded\n")


# ---- history, show, logs ----

def test_history(edge):
    entries = edge.document("history", "history")["entries"]
    assert [(e["deployment"], e["kind"]) for e in entries] == [("shop", "update"), ("shop", "create"),
                                                               ("api", "create")]
    assert entries[0]["from"] == entries[1]["to"] and entries[0]["commit"] == SECOND
    text = edge.run("history").stdout.splitlines()
    assert text[0].split()[:4] == ["ID", "TARGET", "KIND", "STATE"] and entries[0]["id"][:8] in text[1]


@pytest.mark.parametrize("arguments, count", [
    (["shop"], 2), (["--limit", "1"], 1), (["-l", "tier=back"], 1), (["--state", "failed"], 0),
    (["--since", "1h"], 2), (["--until", "1h"], 1), (["--since", "2020-01-01", "--until", "2021-01-01"], 1),
])
def test_which_history(edge, arguments, count):
    edge.sql("UPDATE remediations SET created_at = 1577923200000 WHERE deployment = 'api'")
    assert len(edge.document("history", "history", *arguments)["entries"]) == count


def test_show_by_the_beginning_of_an_id(edge):
    first = edge.document("history", "history", "shop")["entries"][0]
    value = edge.document("remediation", "show", first["id"][:10])
    assert value["id"] == first["id"] and value["remediation"] == "update" and value["reason"] == "it differs"
    assert [step["state"] for step in value["steps"]] == ["succeeded"] * 2
    text = edge.run("show", first["id"]).stdout
    assert "update of here/production/shop  succeeded" in text and "apply site" in text
    assert edge.document("instance", "show", first["to"])["digest"] == first["to"]
    assert edge.document("instance", "show", first["to"][7:17])["digest"] == first["to"]
    commit = edge.document("commit", "show", SECOND[:6])
    assert commit["subject"].startswith("commit") and [r["id"] for r in commit["remediations"]] == [first["id"]]
    assert "update" in edge.run("show", SECOND[:6]).stdout


def test_an_ambiguous_id_lists_what_it_could_be(edge):
    edge.sql("UPDATE commits SET oid = ? WHERE oid = ?", "1111" + "3" * 36, SECOND)
    done = edge.run("show", "1111", code=2)
    assert FIRST in done.stderr and "1111333" in done.stderr and "(commit)" in done.stderr


def test_logs(edge):
    value = edge.document("logs", "logs", "shop")
    assert [step["output"] for step in value["steps"]] == ["applied\n\x1b[31mred\n"] * 2
    only = edge.document("logs", "logs", value["remediation"][:8], "--step", "2")
    assert [step["seq"] for step in only["steps"]] == [2]
    text = edge.run("logs", "shop").stdout.splitlines()
    assert text[:3] == ["== 1.1 apply site succeeded", "applied", "\\x1b[31mred"]


def test_logs_follow_until_the_end(edge):
    edge.sql("UPDATE remediations SET state = 'running', finished_at = NULL WHERE deployment = 'shop' AND seq = 3")
    last = edge.sql("SELECT id FROM remediations WHERE seq = 3")[0][0]
    edge.sql("UPDATE steps SET state = 'running' WHERE remediation = ? AND seq = 2", last)
    process = subprocess.Popen([STYRMIN, "logs", "shop", "-f"], cwd=edge.folder, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "== 1.1 apply site succeeded\n"
    assert process.poll() is None
    edge.sql("UPDATE steps SET state = 'failed', output = 'late', error = 'it broke' WHERE remediation = ? AND seq = 2",
             last)
    edge.sql("UPDATE remediations SET state = 'failed' WHERE id = ?", last)
    rest = process.communicate(timeout=20)[0]
    assert rest.endswith("== 1.2 apply server failed\nlate\nit broke\n") and process.returncode == 0


# ---- diff and Instances by what they are ----

def test_diff(edge):
    value = edge.document("diff", "diff", "shop@{1}", "shop@active")
    version = {"path": "/application/version", "op": "replace", "from": "1.4.0", "to": "1.5.0", "origin": None}
    assert version in value["diff"]
    assert {"id": "file:/srv/quickstart/shop/index.html", "component": "site", "action": "update"} in value["resources"]
    assert edge.document("diff", "diff", "production/shop", "shop@desired")["diff"] == []
    assert edge.run("diff", "shop", "shop@{0}").stdout == "no difference\n"
    text = edge.run("diff", value["from"]["instance"][7:19], "shop").stdout
    assert '/application/version\n  - "1.4.0"\n  + "1.5.0"\n' in text
    assert re.search(r'update file:/srv/quickstart/shop/index.html\n  content  [0-9a-f]{8} -> [0-9a-f]{8}\n', text)
    assert '[{"id"' not in text
    assert edge.document("diff", "diff", "api", "shop")["from"]["target"] == "here/production/api"


def test_instances_by_time(edge):
    edge.sql("UPDATE remediations SET finished_at = 1577923200000 WHERE deployment = 'shop' AND kind = 'create'")
    first, = edge.sql("SELECT to_instance FROM remediations WHERE deployment = 'shop' AND kind = 'create'")[0]
    assert edge.document("instance", "show", "shop@{2020-03-01}")["digest"] == first
    assert edge.document("instance", "show", "shop@{2099-01-01T00:00:00Z}")["digest"] != first
    assert "had no active Instance then" in edge.run("show", "shop@{2019-01-01}", code=1).stderr


def test_an_instance_that_is_no_longer_kept(edge):
    edge.sql("UPDATE remediations SET to_instance = 'sha256:" + "0" * 64 + "' WHERE deployment = 'shop' AND kind ="
             " 'create'")
    assert "no longer kept" in edge.run("show", "shop@{1}", code=1).stderr


# ---- explain ----

def test_why_a_target_is_as_it_is(edge):
    edge.sql("UPDATE remediations SET state = 'failed', error = 'no disk' WHERE seq = 3")
    edge.sql("UPDATE steps SET state = 'failed' WHERE seq = 2 AND remediation ="
             " (SELECT id FROM remediations WHERE seq = 3)")
    edge.sql("UPDATE targets SET quarantined = desired, tainted = 1 WHERE deployment = 'shop'")
    edge.sql("INSERT INTO drift SELECT id, 'file:/x', 'drifted', '[{\"path\":\"/mode\"}]', 'report', 0, 1 FROM targets")
    value = edge.document("target", "explain", "shop")
    assert value["state"] == "degraded" and value["document"] == SHOP and value["tainted"] is True
    assert value["quarantined"] == value["desired"]["instance"]
    assert "styrmin retry here/production/shop" in value["remedy"]
    assert value["last_failure"]["error"] == "no disk" and value["last_failure"]["step"] == "apply server"
    assert value["drift"][0]["diff"] == [{"path": "/mode"}]
    text = edge.run("explain", "shop").stdout
    for words in ("degraded", f"declared in  {SHOP}", "no disk", "at apply server", "file:/x: drifted"):
        assert words in text
    assert edge.document("target", "explain", "api")["labels"] == {"tier": "back", "app.x/kind": "web"}


def test_why_work_is_not_done(edge):
    edge.sql("UPDATE remediations SET state = 'running', finished_at = NULL WHERE seq = 3")
    edge.sql("UPDATE steps SET state = 'running' WHERE seq = 2 AND remediation ="
             " (SELECT id FROM remediations WHERE seq = 3)")
    edge.sql("UPDATE targets SET blocked = '{\"reason\":\"guard\",\"message\":\"too old\",\"remedy\":\"styrmin x\"}'"
             " WHERE deployment = 'api'")
    assert edge.document("target", "explain", "shop")["remediation"]["step"]["component"] == "server"
    assert "at step apply server" in edge.run("explain", "shop").stdout
    value = edge.document("target", "explain", "api")
    assert (value["remedy"], value["blocked"]["reason"]) == ("styrmin x", "guard")


def test_values_come_from_what_was_synced_where_there_are_no_definitions(edge):
    git = ["git", "-c", "user.name=Anna", "-c", "user.email=a@b", "-C", str(edge.tree)]
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *command], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    subprocess.run(["git", "clone", "-q", "--mirror", edge.tree, edge.state / "source.git"], check=True)
    edge.sql("UPDATE sources SET walked = ?", head)
    change(edge.tree, "1.5.0", "1.6.0")
    assert edge.document("explanation", "explain", "shop", "app.version")["value"] == "1.5.0"
    assert edge.document("explanation", "explain", "shop", "app.version", cwd=edge.tree)["value"] == "1.6.0"
    elsewhere = edge.folder / "elsewhere"
    elsewhere.mkdir()
    done = edge.run("explain", "shop", "app.version", cwd=elsewhere, HOME=str(elsewhere), code=2)
    assert "no clusters/ in this folder" in done.stderr


def test_thousands_of_targets(edge):
    edge.deploy("33" * 20, copies=2000)
    assert edge.run("status").stdout.splitlines()[-1] == "2002 targets: 2002 healthy"
    assert len(edge.status("--state", "healthy")) == 2002
