# SPDX-License-Identifier: Apache-2.0
"""What a walk decides, with the real binary: targets, claims, budgets, dependencies, renames, guards, modes, the plan."""
import pytest

from installation import git
from plain import FAILS, Plain

DONE = {"create": ("create", "succeeded"), "update": ("update", "succeeded"), "delete": ("delete", "succeeded"),
        "release": ("release", "succeeded"), "upgrade": ("upgrade", "succeeded"),
        "downgrade": ("downgrade", "succeeded")}


@pytest.fixture
def it():
    with Plain() as installation:
        yield installation


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
    assert it.does("shop is still there", code=4) in ({}, {"other": DONE["create"]})
    assert it.last["mistakes"] == 1 and "here/page" in it.files()
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
    assert it.reasons() == {name: "mistake" for name in ("a", "b", "c", "d")} | {} \
        or set(it.reasons()) >= {"a", "b", "c", "d"}
    assert "deployments/production-a.yaml" in it.blocked["here/production/a"]["message"]
    assert "nobody" in it.blocked["here/production/b"]["message"]
    assert "path" in it.blocked["here/production/c"]["message"]
    assert it.files() == {"here/a": "a 1.0.0 hello"}
    checked = it.document("check", it.work, code=2)
    assert it.last["mistakes"] == sum(p["severity"] == "error" for p in checked["problems"])
