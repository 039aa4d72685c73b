# SPDX-License-Identifier: Apache-2.0
"""What a walk decides, with the real binary: targets, claims, budgets, dependencies, renames, guards, modes, the plan."""
import hashlib
import json
import sqlite3

import pytest

from installation import Installation, deployment, git
from plain import FAILS, Plain

DONE = {"create": ("create", "succeeded"), "update": ("update", "succeeded"), "delete": ("delete", "succeeded"),
        "release": ("release", "succeeded"), "upgrade": ("upgrade", "succeeded"),
        "downgrade": ("downgrade", "succeeded")}


@pytest.fixture
def it():
    with Plain() as installation:
        yield installation


def said(done):
    return done.stdout + done.stderr


# ---- targets ----

def test_list_of_clusters_and_labels(it):
    it.cluster("east", "site: oslo")
    it.cluster("west", "site: oslo")
    it.place(spec="clusters: [here, east]")
    it.deploy("a")
    assert it.does("two clusters") == {"a": DONE["create"], "east/production/a": DONE["create"]}
    it.place(spec="clusters: {labels: {site: oslo}}")
    assert it.does("by label") == {"a": DONE["delete"], "west/production/a": DONE["create"]}
    it.cluster("here", "site: oslo")
    assert it.does("a label more") == {"a": DONE["create"]}
    assert set(it.files()) == {"here/a", "east/a", "west/a"}
    # Two labels go: two targets of one Deployment are two deletes.
    it.cluster("east")
    it.cluster("west", "site: bergen")
    assert it.does("labels go", code=4) == {}
    assert it.reasons() == {"east/production/a": "guard", "west/production/a": "guard"}
    assert "budget is 1" in it.blocked["east/production/a"]["message"]
    it.cluster("west", "site: oslo")
    assert it.does("one comes back") == {"east/production/a": DONE["delete"]}
    assert set(it.files()) == {"here/a", "west/a"}
    it.check_ledger()


def test_clusters_of_the_configuration(it):
    it.cluster("east")
    it.place(spec="clusters: [here, east]")
    it.configure("clusters: {here: {}}\n")
    it.deploy("a")
    assert it.does("one is ours") == {"a": DONE["create"]}
    it.configure("")
    assert it.syncs() == {"east/production/a": DONE["create"]}
    it.configure("clusters: {east: {}}\n")
    assert it.syncs() == {"a": DONE["release"]}
    assert set(it.files()) == {"here/a", "east/a"}  # released, never torn down
    assert [r["cluster"] for r in it.rows("SELECT cluster FROM targets")] == ["east"]
    it.deploy("a", text="new")
    assert it.does("not ours any more") == {"east/production/a": DONE["update"]}
    assert it.files()["here/a"] == "a 1.0.0 hello"
    it.deploy("a")
    it.does("as it was")
    it.configure("")
    assert it.syncs() == {"a": DONE["create"]}  # what is there equals it, and is taken over
    assert it.sync()["state"] == "unchanged"


def test_a_cluster_that_is_not_ours_is_released_in_any_mode(it):
    it.cluster("east")
    it.place(spec="clusters: [here, east]")
    it.deploy("a")
    it.deploy("b")
    it.does("begin")
    it.deploy("b", more="  suspend: true\n")
    it.place(spec="clusters: [here, east], review: require, mode: observe, budget: {delete: 0, change: 0}")
    it.does("strict")
    it.configure("clusters: {east: {}}\n")
    assert it.syncs() == {"a": DONE["release"], "b": DONE["release"]}
    assert set(it.files()) == {"here/a", "here/b", "east/a", "east/b"}
    assert {r["cluster"] for r in it.rows("SELECT cluster FROM targets")} == {"east"}


def test_moving_to_another_environment(it):
    it.place("staging")
    it.deploy("a")
    it.does("begin")
    # Another file: create there first, then delete here.
    it.undeploy("a")
    it.deploy("a", "staging", path="a2")
    assert it.does("moved") == {"staging/a": DONE["create"], "a": DONE["delete"]}
    assert it.files() == {"here/a2": "a 1.0.0 hello"}
    order = it.rows("SELECT kind FROM remediations ORDER BY started_at, seq")
    assert [r["kind"] for r in order] == ["create", "create", "delete"]
    # The create fails: what is here stays, until it is put right.
    it.undeploy("a", "staging")
    it.plain("2", FAILS)
    it.deploy("a", driver="2")
    assert it.does("the create fails", code=1)["a"] == ("create", "failed")
    assert it.files() == {"here/a2": "a 1.0.0 hello"}
    assert it.reasons()["staging/a"] == "waiting"
    assert it.syncs(code=1) == {} and it.files() == {"here/a2": "a 1.0.0 hello"}
    (it.root / "here/go").write_text("")
    it.deploy("a", driver="2", text="other")
    assert it.does("put right") == {"a": DONE["create"], "staging/a": DONE["delete"]}
    assert it.files() == {"here/a": "a 1.0.0 other", "here/go": ""}
    it.check_ledger()


def test_moving_with_the_same_claim(it):
    it.place("staging")
    it.deploy("a")
    it.does("begin")
    it.undeploy("a")
    it.deploy("a", "staging", text="there")
    assert it.does("moved") == {"staging/a": DONE["create"], "a": DONE["delete"]}
    assert it.files() == {"here/a": "a 1.0.0 there"}
    assert it.rows("SELECT count(*) AS n FROM resources")[0]["n"] == 1
    assert it.sync()["state"] == "unchanged"
    it.check_ledger()


def test_moving_to_another_cluster(it):
    it.cluster("east")
    it.deploy("a")
    it.does("begin")
    it.place(spec="cluster: east")
    assert it.does("moved") == {"east/production/a": DONE["create"], "a": DONE["delete"]}
    assert it.files() == {"east/a": "a 1.0.0 hello"}
    # The same path on both "clusters", which are one place.
    it.write("clusters/here.yaml", (it.work / "clusters/east.yaml").read_text().replace("name: east", "name: here"))
    it.place(spec="cluster: here")
    assert it.does("back, to the same file") == {"a": DONE["create"], "east/production/a": DONE["delete"]}
    assert it.files() == {"east/a": "a 1.0.0 hello"}


def test_moving_to_where_it_may_not_be(it):
    it.place("staging", "cluster: here, mode: observe")
    it.deploy("a")
    it.deploy("b")
    it.does("begin")
    it.undeploy("a")
    it.deploy("a", "staging", path="a2")
    assert it.does("to an observed one") == {}
    assert it.reasons() == {"staging/a": "observed", "a": "waiting"} and "here/a" in it.files()
    it.place("staging", "cluster: here, nonsense: 1")
    assert it.does("to one with a mistake", code=4) == {}
    assert it.reasons() == {"staging/a": "mistake", "a": "waiting"} and "here/a" in it.files()
    it.place("staging", "cluster: here, review: require")
    assert it.does("to a reviewed one", code=4) == {}
    assert it.reasons() == {"staging/a": "review", "a": "waiting"} and "here/a" in it.files()
    it.run("approve", it.blocked["here/staging/a"]["digest"], "-m", "fine")
    assert set(it.files()) == {"here/a2", "here/b"}


def test_moving_more_than_the_budget(it):
    it.place("staging")
    for name in "abc":
        it.deploy(name)
    it.does("begin")
    for name in "abc":
        it.undeploy(name)
        it.deploy(name, "staging", path=name + "2")
    created = {f"staging/{name}": DONE["create"] for name in "abc"}
    assert it.does("too many go", code=4) == created
    assert it.reasons() == {name: "guard" for name in "abc"}
    for name in "abc":
        it.undeploy(name, "staging")
        it.deploy(name, path=name)
    assert len(it.does("back\n\nStyrmin-Allow: delete=3")) == 3
    for name in "abc":
        it.undeploy(name)
        it.deploy(name, "staging", path=name + "3")
    # The trailer holds for the deletes that have to wait for the creates.
    assert it.does("all of them\n\nStyrmin-Allow: delete=3") == created | {name: DONE["delete"] for name in "abc"}
    assert it.rows("SELECT * FROM approvals") == []
    assert set(it.files()) == {"here/a3", "here/b3", "here/c3"}


# ---- claims ----

def test_two_want_one_path(it):
    it.deploy("b", path="page")
    assert it.does("b has it") == {"b": DONE["create"]}
    it.deploy("a", path="page")
    it.deploy("c", path="page")
    assert it.does("a and c want it", code=4) == {}
    assert it.reasons() == {"a": "claim", "c": "claim"}
    assert "production/b" in it.blocked["here/production/a"]["message"]
    assert it.syncs(code=4) == {} and it.files() == {"here/page": "b 1.0.0 hello"}
    it.deploy("b", path="page", text="still")
    assert it.does("the owner goes on", code=4) == {"b": DONE["update"]}
    # b lets go: the first of the others takes it over.
    it.deploy("b", path="b")
    assert it.does("b lets go", code=4) == {"a": DONE["create"], "b": DONE["update"]}
    assert it.files() == {"here/b": "b 1.0.0 hello", "here/page": "a 1.0.0 hello"}
    assert it.reasons() == {"c": "claim"}
    it.undeploy("c")
    it.deploy("b", path="page")
    it.undeploy("a")
    assert it.does("a goes, b takes it") == {"a": DONE["delete"], "b": DONE["update"]}
    assert it.files() == {"here/page": "b 1.0.0 hello"}
    it.check_ledger()


def test_the_first_by_name_where_nobody_has_it(it):
    it.deploy("b", path="page")
    it.deploy("a", path="page")
    assert it.does("both", code=4) == {"a": DONE["create"]}
    assert it.reasons() == {"b": "claim"}
    it.undeploy("a")
    assert it.does("a goes") == {"a": DONE["delete"], "b": DONE["create"]}
    assert it.files() == {"here/page": "b 1.0.0 hello"}


def test_what_is_there_but_not_ours(it):
    (it.root / "here/a").write_text("a 1.0.0 hello\n")
    (it.root / "here/b").write_text("somebody's\n")
    it.deploy("a")
    it.deploy("b")
    assert it.does("one is equal", code=4)["a"] == DONE["create"]
    assert it.reasons() == {"b": "claim"}
    assert it.files()["here/b"] == "somebody's"
    row = it.rows("SELECT tainted, quarantined FROM targets WHERE deployment = 'b'")[0]
    assert (row["tainted"], row["quarantined"]) == (0, None)
    assert it.rows("SELECT * FROM resources r JOIN targets t ON t.id = r.target WHERE t.deployment = 'b'") == []
    it.syncs(code=4)
    assert it.reasons() == {"b": "claim"}
    it.run("adopt", "b", "-m", "ours now", code=None)
    it.run("adopt", "b", "--update", "-m", "ours now")
    assert it.files()["here/b"] == "b 1.0.0 hello"
    assert it.sync()["state"] == "unchanged"
    it.check_ledger()


# ---- budgets ----

def test_delete_budget(it):
    for name in ("a", "b", "c", "d", "e"):
        it.deploy(name)
    assert len(it.does("five")) == 5  # creates do not count
    it.undeploy("a")
    it.undeploy("b")
    it.deploy("f")
    it.deploy("e", text="new")
    assert it.does("two go", code=4) == {"e": DONE["update"], "f": DONE["create"]}
    assert it.reasons() == {"a": "guard", "b": "guard"}
    assert "Styrmin-Allow: delete=2" in it.blocked["here/production/a"]["remedy"]
    # One more: those that are blocked count.
    it.undeploy("c")
    assert it.does("one more", code=4) == {} and set(it.reasons()) == {"a", "b", "c"}
    it.commit("too few\n\nStyrmin-Allow: delete=2")
    assert it.syncs(code=4) == {}
    # An approved one counts no more.
    digest = it.blocked["here/production/a"]["digest"]
    it.run("approve", digest, "-m", "a may go", code=4)
    assert "here/a" not in it.files() and "here/b" in it.files()
    # A count within the limit.
    it.deploy("b")
    assert it.does("b stays") == {"c": DONE["delete"]}
    assert set(it.files()) == {"here/b", "here/d", "here/e", "here/f"}
    it.undeploy("b")
    it.undeploy("d")
    assert it.does("two\n\nStyrmin-Allow: delete=2, change=1") == {"b": DONE["delete"], "d": DONE["delete"]}
    # The trailer is used up.
    it.undeploy("e")
    it.undeploy("f")
    it.deploy("g")
    assert it.does("two again", code=4) == {"g": DONE["create"]}
    assert it.reasons() == {"e": "guard", "f": "guard"}


def test_change_budget_in_percent(it):
    it.place(spec='cluster: here, budget: {change: "25%", delete: 50%}')
    names = ["a", "b", "c", "d", "e"]
    for name in names:
        it.deploy(name)
    assert len(it.does("five")) == 5
    for name in names[:2]:
        it.deploy(name, text="two")
    assert it.does("a quarter of five, rounded up, is two") == {"a": DONE["update"], "b": DONE["update"]}
    for name in names[:3]:
        it.deploy(name, text="three")
    assert it.does("three", code=4) == {}
    assert it.reasons() == {name: "guard" for name in names[:3]}
    assert "Styrmin-Allow: change=3" in it.blocked["here/production/a"]["remedy"]
    plan = it.document("plan")
    assert plan["remediations"] == [] and len(plan["blocked"]) == 3
    assert it.does("all three\n\nStyrmin-Allow: change=3") == {name: DONE["update"] for name in names[:3]}
    for name in names[:3]:
        it.undeploy(name)
    assert it.does("half of five, rounded up, is three") == {name: DONE["delete"] for name in names[:3]}
    # A quarter of two is at least one.
    it.deploy("d", text="four")
    assert it.does("one") == {"d": DONE["update"]}


def test_approve_a_plan(it):
    it.place(spec="cluster: here, review: require")
    it.deploy("a")
    it.deploy("b")
    assert it.does("shown nowhere", code=4) == {}
    assert it.reasons() == {"a": "review", "b": "review"}
    it.run("approve", it.blocked["here/production/a"]["digest"][:20], "-m", "fine", code=4)
    assert set(it.files()) == {"here/a"}
    assert "styrmin approve" in it.blocked["here/production/b"]["remedy"]
    it.run(*it.blocked["here/production/b"]["remedy"].split()[1:])  # ready to paste
    assert set(it.files()) == {"here/a", "here/b"}
    assert it.sync()["state"] == "unchanged"


# ---- dependencies ----

def depends(*names):
    return f"  depends_on: [{', '.join(names)}]\n"


def test_depends_on_order(it):
    it.deploy("a", more=depends("b"))
    it.deploy("b", more=depends("c"))
    it.deploy("c")
    assert len(it.does("in order")) == 3
    done = it.rows("SELECT deployment, started_at, finished_at FROM remediations ORDER BY started_at, finished_at")
    assert [r["deployment"] for r in done] == ["c", "b", "a"]
    assert all(one["finished_at"] <= two["started_at"] for one, two in zip(done, done[1:]))
    it.undeploy("c")
    assert it.does("b needs it", code=4) == {} and it.reasons() == {"c": "dependency"}
    assert "here/c" in it.files()
    it.undeploy("b")
    it.undeploy("a")
    it.deploy("z")
    result = it.does("all go\n\nStyrmin-Allow: delete=3")
    assert result == {"z": DONE["create"], **{name: DONE["delete"] for name in "abc"}}
    done = it.rows("SELECT deployment FROM remediations WHERE kind = 'delete' ORDER BY started_at, finished_at")
    assert [r["deployment"] for r in done] == ["a", "b", "c"]


def test_depends_on_mistakes(it):
    it.deploy("a", more=depends("b"))
    it.deploy("b", more=depends("a"))
    it.deploy("c", more=depends("nowhere"))
    it.deploy("d", more=depends("d"))
    it.deploy("e", more=depends("a"))
    it.deploy("f")
    assert it.does("cycles", code=4) == {"f": DONE["create"]}
    assert it.reasons() == {name: "dependency" for name in "abcde"}
    assert "nowhere" in it.blocked["here/production/c"]["message"]
    for name in "abde":
        it.deploy(name)
    it.deploy("c", more=depends("f"))
    assert len(it.does("put right")) == 5 and it.reasons() == {}


def test_a_dependency_that_fails(it):
    it.plain("2", FAILS)
    it.deploy("a", more=depends("b"))
    it.deploy("b", driver="2")
    it.deploy("c", more=depends("a"))
    it.deploy("d")
    assert it.does("b fails", code=1) == {"b": ("create", "failed"), "d": DONE["create"]}
    assert it.last["state"] == "partial"
    assert it.reasons() == {"a": "dependency", "c": "dependency"}
    assert [s["deployment"] for s in it.last["standing"]] == ["b"]
    assert it.syncs(code=1) == {} and it.reasons() == {"a": "dependency", "c": "dependency"}
    assert it.state_of("a")["state"] == "blocked"
    (it.root / "here/go").write_text("")
    it.run("retry", "b", "-m", "go is there")
    assert set(it.files()) == {"here/a", "here/b", "here/c", "here/d", "here/go"}
    assert it.sync()["state"] == "unchanged"
    # An update of what depends waits for what is unsound.
    it.plain("3", FAILS.replace("setup", "upgrade"))
    (it.root / "here/go").unlink()
    it.deploy("b", driver="3")
    it.deploy("a", more=depends("b"), text="new")
    assert it.does("b fails again", code=1) == {"b": ("upgrade", "failed")}
    assert it.reasons() == {"a": "dependency"}
    (it.root / "here/go").write_text("")
    it.deploy("b", driver="3", text="right")
    assert it.does("b is put right") == {"b": DONE["upgrade"], "a": DONE["update"]}


# ---- renames ----

def test_renamed_from(it):
    it.deploy("store", path="page")
    it.does("begin")
    since = it.rows("SELECT since, instance FROM active")[0]
    it.run("suspend", "store", "-m", "a holiday")
    it.undeploy("store")
    it.deploy("shop", path="page", metadata=", renamed_from: store")
    assert it.does("renamed") == {} and it.reasons() == {"shop": "suspended"}
    assert it.rows("SELECT since, instance FROM active")[0] == since
    assert [r["deployment"] for r in it.rows("SELECT deployment FROM targets")] == ["shop"]
    it.run("resume", "shop", "-m", "back")
    assert it.files() == {"here/page": "shop 1.0.0 hello"}
    assert [r["kind"] for r in it.rows("SELECT kind FROM remediations ORDER BY seq")] == ["create", "update"]
    assert it.sync()["state"] == "unchanged"
    # No effect any more, and none when the old name never was.
    it.deploy("shop", path="page", metadata=", renamed_from: nobody")
    assert it.does("another") == {} and it.last["state"] == "unchanged"
    it.deploy("other", metadata=", renamed_from: shop")
    assert it.does("shop is still there", code=4) == {} and it.reasons() == {"other": "mistake"}
    assert "production-other.yaml:3:" in it.blocked["here/production/other"]["message"] and it.last["mistakes"] == 1
    assert "which is still there" in it.run("check", it.work, code=2).stderr
    it.undeploy("shop")
    assert it.does("now it is not") == {"other": DONE["update"]}
    assert it.files() == {"here/other": "other 1.0.0 hello"}
    it.check_ledger()


# ---- guards ----

def test_driver_changed_in_place(it):
    it.write("drivers/plain/1/README.md", "one")
    it.deploy("a")
    it.does("begin")
    it.write("drivers/plain/1/README.md", "two")
    assert it.does("words about it") == {} and it.last["state"] == "unchanged"
    it.plain("1", page="changed {{parameters.text}}\n")
    assert it.does("changed in place", code=4) == {} and it.reasons() == {"a": "guard"}
    assert it.blocked["here/production/a"]["message"].startswith("driver plain 1 changed: ")
    assert "new version" in it.blocked["here/production/a"]["remedy"]
    it.deploy("b")
    assert it.does("also for others", code=4) == {} and it.reasons() == {"a": "guard", "b": "guard"}
    it.plain("1")
    assert it.does("as it was") == {"b": DONE["create"]}


def test_versions(it):
    it.plain("2", more='  supported_versions: ">=1.0,<2.0"\n')
    it.deploy("a", driver="2", version="2.0.0")
    assert it.does("outside", code=4) == {} and it.reasons() == {"a": "guard"}
    assert "2.0.0" in it.blocked["here/production/a"]["message"]
    it.deploy("a", driver="2", version="1.10")
    assert it.does("inside") == {"a": DONE["create"]}
    it.deploy("a", driver="2", version="1.9")
    assert it.does("older", code=4) == {} and it.reasons() == {"a": "guard"}
    assert "allow_downgrade" in it.blocked["here/production/a"]["remedy"]
    it.deploy("a", driver="2", version="1.9", more="  allow_downgrade: true\n")
    assert it.does("meant") == {"a": DONE["downgrade"]}
    it.plain("3", more="  actions:\n    - name: back\n      hook: downgrade\n      mode: pre\n      steps:\n"
             "        - run: {command: [/usr/bin/touch, \"{{cluster.config.root}}/back\"]}\n")
    it.deploy("a", driver="3", version="1.9")
    assert it.does("a newer driver") == {"a": DONE["upgrade"]}
    it.deploy("a", driver="2", version="1.9")
    assert it.does("the active driver knows the way back") == {"a": DONE["downgrade"]}
    assert "here/back" in it.files()


def test_parameter_mistakes(it):
    it.deploy("a")
    it.does("begin")
    it.write("deployments/production-a.yaml",
             it.deployment("a").replace("{path: a, text: hello}", "{path: 1.5, text: [x]}"))
    it.write("deployments/b.yaml", it.deployment("b").replace("text: hello", "nobody: 1"))
    it.write("deployments/c.yaml", it.deployment("c").replace("path: c, ", ""))
    it.deploy("d", driver="9")
    it.deploy("e", "nowhere")
    assert it.does("mistakes", code=4) == {}
    assert it.reasons() == {name: "mistake" for name in ("a", "b", "c", "d")}
    assert "driver plain 9" in it.blocked["here/production/d"]["message"]
    assert "deployments/production-a.yaml" in it.blocked["here/production/a"]["message"]
    assert "nobody" in it.blocked["here/production/b"]["message"]
    assert "path" in it.blocked["here/production/c"]["message"]
    assert it.files() == {"here/a": "a 1.0.0 hello"}
    checked = it.document("check", it.work, code=2)
    assert it.last["mistakes"] == sum(p["severity"] == "error" for p in checked["problems"])
    # What was missing comes, without a word about who waits for it.
    it.plain("9")
    it.place("nowhere")
    assert it.does("a driver, an environment", code=4) == {"d": DONE["create"], "nowhere/e": DONE["create"]}
    for name in "ac":
        it.deploy(name)
    it.remove("deployments/b.yaml")
    it.remove("deployments/c.yaml")
    assert it.does("put right") == {"c": DONE["create"]} and it.last["mistakes"] == 0


# ---- modes, review, suspension, lifecycle, retain ----

def test_observe(it):
    it.deploy("a")
    it.does("begin")
    it.place(spec="cluster: here, mode: observe")
    it.deploy("a", text="new")
    it.deploy("b")
    assert it.does("observed") == {} and it.last["state"] == "unchanged"
    assert it.reasons() == {"a": "observed", "b": "observed"}
    assert it.files() == {"here/a": "a 1.0.0 hello"}
    plan = it.document("plan", "--exit-code")
    assert plan["remediations"] == [] and {b["kind"] for b in plan["blocked"]} == {"create", "update"}
    assert it.state_of("a")["reason"] and it.state_of("a")["active"]
    for hand in (["retry", "a"], ["rollback", "a", "--to", "a@active"]):
        assert "observed" in said(it.run(*hand, "-m", "now", code=2))
    (it.root / "here/a").write_text("by hand\n")
    drift = it.document("drift", code=None)
    assert [d["state"] for d in drift["deployments"] if d["name"] == "a"] == ["drifted"]
    assert "observed" in said(it.run("drift", "a", "--heal", code=2))
    assert it.document("drift", "--heal")["deployments"][0]["resources"][0]["healed"] is False
    it.run("sync", "--heal", code=None)
    assert it.files() == {"here/a": "by hand"}
    it.undeploy("b")
    assert it.does("b goes") == {}
    assert it.reasons() == {"a": "observed"}
    it.deploy("b")
    it.place()
    assert it.does("enforced") == {"a": DONE["update"], "b": DONE["create"]}
    it.place(spec="cluster: here, mode: observe")
    it.undeploy("b")
    assert it.does("b goes again") == {} and it.reasons() == {"b": "observed"}
    it.place()
    assert it.does("enforced again") == {"b": DONE["delete"]}


def test_suspend_in_git(it):
    it.deploy("a")
    it.does("begin")
    it.deploy("a", text="new", more="  suspend: true\n")
    assert it.does("suspended") == {} and it.reasons() == {"a": "suspended"}
    where = "deployments/production-a.yaml:9"
    assert where in it.blocked["here/production/a"]["message"]
    assert it.state_of("a")["state"] == "suspended"
    assert "suspended" in said(it.run("drift", "a", "--heal", code=2))
    assert where in said(it.run("resume", "a", "-m", "go on", code=2))
    assert "suspend" in said(it.run("retry", "a", "-m", "go on", code=2))
    assert it.files() == {"here/a": "a 1.0.0 hello"}
    # Removing the document of a suspended one: nothing is deleted until it is resumed.
    it.deploy("a", text="new")
    assert it.does("no longer") == {"a": DONE["update"]}
    it.run("suspend", "a", "-m", "a holiday")
    it.undeploy("a")
    it.deploy("b")
    assert it.does("a goes") == {"b": DONE["create"]} and it.reasons() == {"a": "suspended"}
    assert "here/a" in it.files()
    it.run("resume", "a", "-m", "back")
    assert set(it.files()) == {"here/b"}
    # In git, and then the document goes: it holds until somebody says otherwise.
    it.deploy("b", more="  suspend: true\n")
    assert it.does("suspended") == {}
    it.undeploy("b")
    it.deploy("c")
    assert it.does("b goes") == {"c": DONE["create"]} and it.reasons() == {"b": "suspended"}
    it.run("resume", "b", "-m", "it may go")
    assert set(it.files()) == {"here/c"}
    it.deploy("b")
    it.undeploy("c")
    it.does("b again")
    # By hand, then git: released while it is suspended.
    it.run("suspend", "b", "-m", "give it away")
    it.run("release", "b", "-m", "not ours")
    assert set(it.files()) == {"here/b"} and it.rows("SELECT * FROM active") == []


def test_review_and_rounds(it):
    it.place(spec="cluster: here, review: require")
    it.deploy("a")
    it.does("begin", code=4)
    it.run("approve", it.blocked["here/production/a"]["digest"], "-m", "fine")
    it.deploy("a", text="new")
    assert it.does("not yet shown", code=4) == {} and it.reasons() == {"a": "review"}
    first = it.blocked["here/production/a"]["digest"]
    # Another change: another digest, which nobody approved.
    it.deploy("a", text="newer")
    it.run("approve", first, "-m", "fine")
    assert it.does("another", code=4) in ({}, {"a": DONE["update"]})
    assert it.files() == {"here/a": "a 1.0.0 new"} and it.reasons() == {"a": "review"}
    (it.root / "here/a").write_text("by hand\n")
    it.run("sync", "--heal", code=4)  # heals need no review
    assert it.files() == {"here/a": "a 1.0.0 new"}


def test_lifecycle():
    with Installation() as it:
        it.write("deployments/shop.yaml", deployment("shop", more="  lifecycle: stopped\n"))
        it.commit("stopped")
        assert it.kinds() == {"shop": ("create", "succeeded")}
        assert it.processes() == [] and it.state_of()["state"] == "stopped"
        it.write("deployments/shop.yaml", deployment("shop"))
        it.commit("running")
        assert it.kinds() == {"shop": ("start", "succeeded")}
        assert len(it.processes()) == 1
        assert {r["running"] for r in it.rows("SELECT running FROM run_states WHERE component = 'server'")} == {1}
        it.write("deployments/shop.yaml", deployment("shop", port=81, more="  lifecycle: stopped\n"))
        it.commit("stopped, and another port")
        assert it.kinds() == {"shop": ("update", "succeeded")}
        assert it.processes() == [] and it.read("shop/page").endswith("81")
        it.write("deployments/shop.yaml", deployment("shop", port=81))
        it.commit("running")
        it.kinds()
        it.write("deployments/shop.yaml", deployment("shop", port=81, more="  lifecycle: stopped\n"))
        it.commit("stopped")
        assert it.kinds() == {"shop": ("stop", "succeeded")}
        assert it.processes() == [] and it.read("shop/page")
        assert {r["running"] for r in it.rows("SELECT running FROM run_states WHERE component = 'server'")} == {0}


def test_retain(it):
    it.deploy("a", more="  deletion: retain\n")
    it.deploy("b")
    it.does("begin")
    it.undeploy("a")
    it.undeploy("b")
    it.deploy("c")
    assert it.does("a stays where it is") == {"a": DONE["release"], "b": DONE["delete"], "c": DONE["create"]}
    assert set(it.files()) == {"here/a", "here/c"}
    assert [r["deployment"] for r in it.rows("SELECT deployment FROM targets")] == ["c"]


# ---- the plan ----

def commits(it):
    return {row["oid"]: row["state"] for row in it.rows("SELECT oid, state FROM commits")}


def test_one_plan_however_it_is_merged(it):
    it.deploy("a")
    it.deploy("b")
    it.does("begin")
    work = ("-C", str(it.work))
    git(*work, "checkout", "-q", "-b", "proposal")
    it.deploy("a", text="new")
    it.commit("one", push=False)
    it.undeploy("b")
    it.commit("two", push=False)
    git(*work, "push", "-q", "origin", "proposal")
    head = git(*work, "rev-parse", "HEAD")
    digests = {it.document("plan", "--tree", it.work)["digest"]}
    git(*work, "checkout", "-q", "main")
    base = git(*work, "rev-parse", "HEAD")
    for merge in (["merge", "-q", "--no-ff", "-m", "merged", "proposal"], ["merge", "-q", "--squash", "proposal"],
                  ["cherry-pick", f"{base}..proposal"]):
        git(*work, "reset", "-q", "--hard", base)
        it.write("elsewhere.md", " ".join(merge))
        it.commit("unrelated", push=False)
        git(*work, *merge)
        it.commit("on top", push=False)
        git(*work, "push", "-q", "--force", "origin", "main")
        assert it.plans() == {"a": "update", "b": "delete"}
        digests.add(it.planned["digest"])
        assert it.planned["base"] == base and it.planned["commit"] == git(*work, "rev-parse", "HEAD") != head
    assert len(digests) == 1
    digest = digests.pop()
    other = "sha256:" + "0" * 64
    refused = it.run("sync", "--plan", other, code=4)
    assert digest in refused.stderr and other in refused.stderr
    assert it.files()["here/a"] == "a 1.0.0 hello" and "here/b" in it.files()
    assert it.rows("SELECT walked FROM sources")[0]["walked"] == base
    assert it.syncs("--plan", digest) == {"a": DONE["update"], "b": DONE["delete"]}
    assert it.last["plan"] == digest
    # It was the plan then; now nothing is to be done, which is another.
    it.run("sync", "--plan", digest, code=4)


def test_plan_reads_only(it):
    it.deploy("a")
    assert it.plans("--tree", it.work) == {"a": "create"}
    assert not it.state.exists()
    assert it.run("plan", "--tree", it.work, "--exit-code", code=3).stdout
    first = it.commit("begin")
    assert it.plans() == {"a": "create"}  # fetched, but nothing is walked
    assert not (it.state / "ledger.db").exists()
    digest = it.planned["digest"]
    it.syncs()
    assert it.last["plan"] == digest
    it.deploy("a", text="new")
    it.deploy("b")
    it.commit("second")
    before = (it.state / "ledger.db").read_bytes()
    assert it.plans("--exit-code", code=3) == {"a": "update", "b": "create"}
    diff = {d["path"]: d for d in it.planned["remediations"][0]["diff"]}
    text = diff["/context/parameters/text"]
    assert (text["op"], text["from"], text["to"]) == ("replace", "hello", "new")
    assert (text["origin"]["file"], text["origin"]["line"]) == ("deployments/production-a.yaml", 8)
    assert it.plans("a") == {"a": "update"}
    assert it.plans("production/b") == {"b": "create"}
    assert it.plans("--revision", first) == {}
    it.run("plan", "--revision", first, "--exit-code")
    assert "no target 'nobody'" in it.run("plan", "nobody", code=1).stderr
    text = it.run("plan").stdout
    assert "update" in text and "production/a" in text
    markdown = it.run("plan", "-o", "markdown").stdout
    assert it.document("plan")["digest"] in markdown and "production/b" in markdown
    # What comes or goes as a whole is told by its resources.
    assert text.count("~ parameters.text  \"hello\" -> \"new\"") == 1 and markdown.count("/context/parameters/text") == 1
    assert "format" not in text + markdown
    assert (it.state / "ledger.db").read_bytes() == before
    assert not (it.state / "ledger.db-wal").exists() or (it.state / "ledger.db-wal").stat().st_size == 0
    assert it.rows("SELECT count(*) AS n FROM commits")[0]["n"] == 1
    it.remove("deployments/production-b.yaml")
    assert it.plans("--tree", it.work) == {"a": "update"}


def test_commits_are_noted(it):
    it.write("README.md", "one")
    before = it.commit("before Styrmin")
    it.deploy("a")
    first = it.commit("begin")
    it.syncs()
    assert it.note(before) == "" and it.note(first).startswith("succeeded: 1 created")
    it.deploy("a", text="two")
    second = it.commit("second")
    it.deploy("a", text="three")
    third = it.commit("third")
    assert it.syncs() == {"a": DONE["update"]} and it.last["superseded"] == [second]
    assert it.note(second).startswith("superseded") and third[:7] in it.note(second)
    assert it.note(third).startswith("succeeded: 1 updated")
    it.write("README.md", "two")
    fourth = it.commit("words")
    assert it.syncs() == {} and it.last["state"] == "unchanged"
    assert it.note(fourth).startswith("unchanged")
    it.write("deployments/production-a.yaml", "# A comment.\n" + it.deployment("a", text="three"))
    fifth = it.commit("a comment")
    desired = it.rows("SELECT desired, desired_commit FROM targets")[0]
    assert it.plans() == {} and it.planned["unchanged"] == 1
    assert it.syncs() == {} and it.last["state"] == "unchanged" and it.note(fifth).startswith("unchanged")
    assert it.rows("SELECT desired, desired_commit FROM targets")[0] == desired
    assert commits(it) == {first: "succeeded", second: "superseded", third: "succeeded", fourth: "unchanged",
                           fifth: "unchanged"}
    it.deploy("a", text="four")
    it.write("deployments/b.yaml", "kind: [")
    sixth = it.commit("a mistake")
    it.syncs(code=4)
    note = it.note(sixth)
    assert note.startswith("blocked: 1 updated, 1 blocked\n") and "deployments/b.yaml:2:" in note
    assert it.sync(code=4)["mistakes"] == 1 and it.note(sixth) == note
    it.run("suspend", "a", "-m", "walk again", code=4)
    it.syncs(code=4)
    assert "deployments/b.yaml:2:" in it.note(sixth)
    it.remove("deployments/b.yaml")
    it.commit("without it")
    assert it.sync()["mistakes"] == 0
    records = it.records()
    assert [r["sequence"] for r in records] == list(range(1, len(records) + 1))
    it.check_ledger()


def test_cost_follows_the_change(it):
    for i in range(30):
        it.deploy(f"d{i}")
    it.plain("2")
    it.deploy("other", driver="2")
    it.does("many")
    with sqlite3.connect(it.state / "ledger.db") as db:
        # Whoever writes a row of another target is caught.
        db.execute("CREATE TRIGGER only BEFORE UPDATE ON targets WHEN old.deployment <> 'd7' BEGIN SELECT"
                   " RAISE(ABORT, 'another target was walked'); END")
    it.deploy("d7", text="new")
    assert it.does("one file") == {"d7": DONE["update"]}
    with sqlite3.connect(it.state / "ledger.db") as db:
        db.execute("DROP TRIGGER only")
    it.plain("2", page="x\n")
    assert it.does("the driver of one", code=4) == {} and it.reasons() == {"other": "guard"}


# ---- the source ----

def test_rewritten_branch(it):
    it.deploy("a")
    first = it.commit("begin")
    it.deploy("a", text="two")
    second = it.commit("second")
    it.syncs()
    git("-C", str(it.work), "reset", "-q", "--hard", first)
    it.deploy("a", text="three")
    rewritten = it.commit("rewritten", push=False)
    git("-C", str(it.work), "push", "-q", "--force", "origin", "main")
    refused = it.run("sync", code=1)
    assert second[:12] in refused.stdout + refused.stderr and rewritten[:12] in refused.stdout + refused.stderr
    assert it.files() == {"here/a": "a 1.0.0 two"}
    it.run("sync", code=1)
    # Who only plans does not open the door for who syncs.
    planned = it.run("plan")
    assert "was rewritten" in planned.stderr and "three" not in planned.stdout
    it.run("sync", "--no-fetch")
    assert it.files() == {"here/a": "a 1.0.0 two"}
    configuration = (it.path / "styrmin.yaml").read_text()
    (it.path / "styrmin.yaml").write_text(configuration.replace("source: {", "source: {rewind: accept, "))
    assert it.plans() == {"a": "update"}
    (it.path / "styrmin.yaml").write_text(configuration)
    for arguments in ((), ("--no-fetch",)):
        assert "was rewritten" in it.run("sync", *arguments, code=1).stderr
        assert it.files() == {"here/a": "a 1.0.0 two"}
    (it.path / "styrmin.yaml").write_text(configuration.replace("source: {", "source: {rewind: accept, "))
    assert it.syncs() == {"a": DONE["update"]}
    assert it.files() == {"here/a": "a 1.0.0 three"}
    (it.path / "styrmin.yaml").write_text(configuration)
    assert it.sync()["state"] == "unchanged"


def test_branch_and_remote_away(it):
    it.plain("2", "  on_failure: {attempts: 5}\n" + FAILS)
    it.deploy("a")
    it.deploy("b", driver="2")
    it.does("b fails", code=1)
    aside = it.path / "aside.git"
    it.remote.rename(aside)
    (it.root / "here/go").write_text("")
    with sqlite3.connect(it.state / "ledger.db") as db:
        db.execute("UPDATE remediations SET due = 1 WHERE state = 'waiting'")
    # What is due runs without the remote; the sync says that it could not look.
    assert it.syncs(code=1) == {"b": DONE["create"]} and it.last["error"]
    assert "here/b" in it.files()
    # The mirror is planned as it is.
    assert it.plans() == {}
    aside.rename(it.remote)
    assert it.syncs() == {}
    git("-C", str(it.remote), "update-ref", "-d", "refs/heads/main")
    gone = it.sync(code=1)
    assert "main" in gone["error"] and set(it.files()) == {"here/a", "here/b", "here/go"}
    it.configure(url="http://anna:sesame@127.0.0.1:9/none.git")
    assert "password_file" in it.run("sync", code=2).stderr
    for command in (["sync", "-v"], ["plan"], ["sync", "-o", "json"], ["status", "-o", "json"], ["doctor"]):
        assert "sesame" not in said(it.run(*command, code=None)), command
    assert not any(b"sesame" in file.read_bytes() for file in it.state.rglob("*") if file.is_file())


# ---- whose records ----

def test_two_installations_with_one_name(it):
    it.deploy("a")
    it.does("begin")
    before = it.records()
    with Plain() as twin:
        twin.configure(url=it.remote)
        refused = twin.run("sync", code=1)
        assert "--fresh" in refused.stderr and twin.files() == {}
    # The ledger is lost.
    for file in it.state.glob("ledger.db*"):
        file.unlink()
    refused = it.run("sync", code=1)
    assert "sync --fresh" in refused.stderr
    assert it.syncs("--fresh") == {"a": DONE["create"]}  # what is there is equal, and taken over
    after = it.records()
    assert len(after) == len(before) + 1
    assert it.rows("SELECT seq, previous FROM records ORDER BY seq")[0]["previous"] == \
        record_digest(before[-1])
    assert it.sync()["state"] == "unchanged"
    it.check_ledger()
    # Somebody else writes records under our name.
    with Plain() as twin:
        twin.configure(url=it.remote)
        twin.deploy("a")
        twin.syncs("--fresh", code=None)
    it.deploy("a", text="new")
    it.commit("next")
    refused = it.run("sync", code=1)
    assert "name" in refused.stderr and it.files() == {"here/a": "a 1.0.0 hello"}


def record_digest(record):
    return "sha256:" + hashlib.sha256(canonical(record)).hexdigest()


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_pinned_until_git_wants_another(it):
    it.deploy("a")
    it.deploy("b")
    it.does("begin")
    it.deploy("a", text="bad")
    it.does("bad")
    it.run("rollback", "a", "-m", "it was bad")
    assert it.files()["here/a"] == "a 1.0.0 hello"
    for message in ("nothing new", None):
        done = it.does("elsewhere") if message else it.syncs()
        assert done == {} and it.reasons() == {"a": "pinned"} and it.last["state"] == "unchanged"
    assert it.plans() == {} and [b["reason"] for b in it.planned["blocked"]] == ["pinned"]
    it.run(*it.planned["blocked"][0]["remedy"].split()[1:])
    assert it.files()["here/a"] == "a 1.0.0 bad"
    it.run("rollback", "a", "-m", "it was bad")
    # The revert gives what is pinned: nothing runs, and the pin is over.
    it.deploy("a")
    assert it.does("revert") == {} and it.reasons() == {}
    assert it.rows("SELECT DISTINCT unsettled, pinned FROM targets") == [{"unsettled": 0, "pinned": None}]


def test_paths_change_hands(it):
    it.deploy("a", path="p")
    it.deploy("b", path="q")
    it.does("begin")
    it.deploy("a", path="q")
    it.deploy("b", path="p")
    assert it.does("swapped") == {"a": DONE["update"], "b": DONE["update"]}
    assert it.files() == {"here/p": "b 1.0.0 hello", "here/q": "a 1.0.0 hello"}
    it.deploy("b", path="s", more="  suspend: true\n")
    it.deploy("a", path="p")
    assert it.does("b may not let go", code=4) == {} and it.reasons() == {"a": "claim", "b": "suspended"}
    it.deploy("b", path="s")
    assert it.does("now it may") == {"a": DONE["update"], "b": DONE["update"]}
    assert it.files() == {"here/p": "a 1.0.0 hello", "here/s": "b 1.0.0 hello"}
    # Whoever was to have it fails: the file is known to be its own, and goes with it.
    it.plain("2", FAILS)
    it.undeploy("b")
    it.deploy("c", path="s", driver="2")
    assert it.does("c fails", code=1) == {"b": DONE["delete"], "c": ("create", "failed")}
    assert it.files()["here/s"] == "b 1.0.0 hello"
    it.undeploy("c")
    assert it.does("c goes") == {"c": DONE["delete"]} and it.files() == {"here/p": "a 1.0.0 hello"}
    it.check_ledger()
