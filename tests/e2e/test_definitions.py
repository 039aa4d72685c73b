# SPDX-License-Identifier: Apache-2.0
"""A document that cannot be read is never a deletion (design.md section 4), with the real binary."""
import os

import pytest

from installation import git
from plain import Plain

BROKEN = "apiVersion: styrmin.io/v1\nkind: Deployment\nmetadata: {name: [\n"


@pytest.fixture
def it():
    with Plain() as installation:
        yield installation


def settled(it, *names):
    for name in names:
        it.deploy(name)
    assert it.does("begin") == {name: ("create", "succeeded") for name in names}


def test_syntax_error_in_a_deployment(it):
    settled(it, "a", "b", "c")
    before = it.files()
    it.write("deployments/production-a.yaml", BROKEN)
    it.undeploy("b")
    it.deploy("c", text="other")
    assert it.does("a is broken, b is gone, c changes", code=4) == {"c": ("update", "succeeded")}
    assert it.reasons() == {"a": "mistake", "b": "waiting"}
    assert it.last["mistakes"] > 0 and it.last["state"] == "blocked"
    assert "deployments/production-a.yaml" in it.blocked["here/production/b"]["message"]
    assert it.files() == {**before, "here/c": "c 1.0.0 other"}

    # Nothing new: it waits on, says so, and does not forget.
    assert it.syncs(code=4) == {} and it.reasons() == {"a": "mistake", "b": "waiting"}
    it.deploy("c", text="more")
    assert it.does("another file", code=4) == {"c": ("update", "succeeded")}
    assert it.reasons() == {"a": "mistake", "b": "waiting"}

    it.deploy("a")
    assert it.does("a can be read again") == {"b": ("delete", "succeeded")}
    assert it.files() == {"here/a": "a 1.0.0 hello", "here/c": "c 1.0.0 more"}
    assert it.sync()["state"] == "unchanged"
    it.check_ledger()


def test_syntax_error_then_the_file_goes(it):
    settled(it, "a", "b")
    it.write("deployments/production-a.yaml", BROKEN)
    assert it.does("broken", code=4) == {}
    it.undeploy("a")
    assert it.does("gone") == {"a": ("delete", "succeeded")}
    assert it.files() == {"here/b": "b 1.0.0 hello"}


def test_unreadable_file_that_names_nobody(it):
    settled(it, "a", "b")
    it.write("deployments/nested/other.yaml", BROKEN)
    it.undeploy("a")
    assert it.does("who knows what is in it", code=4) == {}
    assert it.reasons() == {"a": "waiting"}
    # A document whose names can be read, with a mistake elsewhere, keeps nobody from being deleted.
    it.write("deployments/nested/other.yaml", it.deployment("c") + "  nonsense: 1\n")
    assert it.does("a mistake", code=4) == {"a": ("delete", "succeeded")}
    assert it.reasons() == {"c": "mistake"}
    assert it.files() == {"here/b": "b 1.0.0 hello"}
    it.remove("deployments/nested/other.yaml")
    assert it.does("without it") == {} and it.last["state"] == "unchanged"


@pytest.mark.parametrize("path", ["environments/production.yaml", "clusters/here.yaml"])
def test_syntax_error_in_environment_or_cluster(it, path):
    settled(it, "a", "b")
    before, text = it.files(), (it.work / path).read_text()
    it.write(path, "kind: [")
    it.undeploy("a")
    assert it.does("broken", code=4) == {}
    assert it.reasons() == {"a": "waiting", "b": "mistake"}
    assert it.files() == before
    it.write(path, text)
    assert it.does("whole again") == {"a": ("delete", "succeeded")}
    assert it.files() == {"here/b": "b 1.0.0 hello"}


@pytest.mark.parametrize("spec", ["cluster: here", "clusters: {labels: {site: oslo}}"])
def test_removed_cluster_document(it, spec):
    it.cluster("here", "site: oslo")
    it.cluster("there", "site: oslo")
    it.place(spec=spec)
    it.deploy("a")
    it.does("begin")
    before = it.files()
    assert "here/a" in before
    it.remove("clusters/here.yaml")
    assert it.does("the cluster's document is gone", code=4) == {}
    assert it.reasons() == {"a": "mistake"}
    assert it.files() == before
    assert it.syncs(code=4) == {} and it.files() == before
    # Also when the Deployment changes meanwhile.
    it.deploy("a", text="new")
    it.does("and a changes", code=4)
    assert it.reasons() == {"a": "mistake"}
    assert it.files()["here/a"] == before["here/a"]
    it.cluster("here", "site: oslo")
    assert it.does("back")["a"] == ("update", "succeeded")
    assert it.files()["here/a"] == "a 1.0.0 new"


def test_removed_environment_document(it):
    settled(it, "a")
    before, text = it.files(), (it.work / "environments/production.yaml").read_text()
    it.remove("environments/production.yaml")
    assert it.does("gone", code=4) == {} and it.reasons() == {"a": "mistake"}
    assert it.files() == before
    it.write("environments/production.yaml", text)
    assert it.does("back") == {} and it.last["state"] == "unchanged"
    # Both gone is an answer: no file names the Deployment.
    it.place("other")
    it.deploy("b", "other")
    it.remove("environments/production.yaml")
    it.undeploy("a")
    assert it.does("both gone") == {"a": ("delete", "succeeded"), "other/b": ("create", "succeeded")}
    assert it.files() == {"here/b": "b 1.0.0 hello"}


def test_symlink_and_submodule_instead_of_a_document(it):
    settled(it, "a", "b")
    before = it.files()
    it.undeploy("a")
    os.symlink("production-b.yaml", it.work / "deployments/production-a.yaml")
    assert it.does("a symlink", code=4) == {} and it.reasons() == {"a": "mistake"}
    it.undeploy("a")
    commit = it.commit("no symlink", push=False)
    git("-C", str(it.work), "update-index", "--add", "--cacheinfo", f"160000,{commit},deployments/production-a.yaml")
    git("-C", str(it.work), "commit", "-q", "-m", "a submodule")
    git("-C", str(it.work), "push", "-q", "origin", "main")
    assert it.syncs(code=4) == {} and it.reasons() == {"a": "mistake"}
    git("-C", str(it.work), "rm", "-q", "--cached", "deployments/production-a.yaml")
    # The folder itself replaced by a link: nothing of it can be read.
    os.rename(it.work / "deployments", it.work / "elsewhere")
    os.symlink("elsewhere", it.work / "deployments")
    assert it.does("a link instead of the folder", code=4) == {}
    assert it.reasons() == {"a": "waiting", "b": "waiting"}
    assert it.files() == before


def test_two_files_name_one_deployment(it):
    settled(it, "a", "b")
    it.deploy("a", text="second", file="deployments/again.yaml")
    assert it.does("twice", code=4) == {} and it.reasons() == {"a": "mistake"}
    it.undeploy("a")
    assert it.does("once again") == {"a": ("update", "succeeded")}
    assert it.files()["here/a"] == "a 1.0.0 second"
    os.rename(it.work / "deployments/again.yaml", it.work / "deployments/moved.yml")
    assert it.does("the file's name is free") == {} and it.last["state"] == "unchanged"


def test_missing_path_and_empty_tree(it):
    settled(it, "a", "b")
    before = it.files()
    it.undeploy("a")
    it.undeploy("b")
    it.commit("not one left")
    failed = it.run("sync", code=1)
    assert "Styrmin-Allow: delete=2" in failed.stderr and it.files() == before
    it.commit("delete, but too few\n\nStyrmin-Allow: delete=1")
    it.run("sync", code=1)
    assert it.files() == before
    assert it.does("meant\n\nStyrmin-Allow: delete=2") == {"a": ("delete", "succeeded"), "b": ("delete", "succeeded")}
    assert it.files() == {}
    assert it.does("still nothing") == {}
    settled(it, "c")
    it.configure()
    configuration = (it.path / "styrmin.yaml").read_text()
    (it.path / "styrmin.yaml").write_text(configuration.replace("source: {", "source: {path: nowhere, "))
    assert "nowhere" in it.run("sync", code=1).stderr
    assert it.files() == {"here/c": "c 1.0.0 hello"}
    (it.path / "styrmin.yaml").write_text(configuration)
    assert it.sync()["state"] == "unchanged"


def test_source_path(it):
    it.deploy("a")
    for folder in ("clusters", "environments", "deployments", "drivers"):
        (it.work / "fleet").mkdir(exist_ok=True)
        os.rename(it.work / folder, it.work / "fleet" / folder)
    it.configure()
    configuration = (it.path / "styrmin.yaml").read_text()
    (it.path / "styrmin.yaml").write_text(configuration.replace("source: {", "source: {path: fleet, "))
    assert it.does("below a folder") == {"a": ("create", "succeeded")}
    commit = it.commit("nothing")
    git("-C", str(it.work), "mv", "fleet", "other")
    it.commit("moved away")
    assert "fleet" in it.run("sync", code=1).stderr
    assert it.files() == {"here/a": "a 1.0.0 hello"} and it.rows("SELECT walked FROM sources")[0]["walked"] != commit
    (it.path / "styrmin.yaml").write_text(configuration.replace("source: {", "source: {path: other, "))
    assert it.syncs() == {}
    assert it.state_of("a")["state"] == "healthy"


def test_a_document_outside_its_folder(it):
    settled(it, "a", "b")
    os.rename(it.work / "deployments/production-a.yaml", it.work / "environments/a.yaml")
    assert it.does("a file still names it", code=4) == {} and it.reasons() == {"a": "mistake"}
    assert it.syncs(code=4) == {} and it.files() == {"here/a": "a 1.0.0 hello", "here/b": "b 1.0.0 hello"}
    os.rename(it.work / "environments/a.yaml", it.work / "a.yaml")
    assert it.does("none does") == {"a": ("delete", "succeeded")}


def test_renamed_and_broken_at_once(it):
    settled(it, "a", "b")
    before = it.files()
    it.undeploy("a")
    it.write("deployments/elsewhere.yaml", BROKEN)
    assert it.does("moved and broken", code=4) == {} and it.reasons() == {"a": "waiting"}
    it.write("deployments/elsewhere.yaml", it.deployment("a").replace("environment: production", "environment: [x]"))
    assert it.does("without its environment", code=4) == {} and it.reasons() == {"a": "waiting"}
    it.write("deployments/elsewhere.yaml", "version https://git-lfs.github.com/spec/v1\n"
             f"oid sha256:{'0' * 64}\nsize 100\n")
    assert it.does("somewhere else", code=4) == {} and it.reasons() == {"a": "waiting"}
    it.write("deployments/elsewhere.yaml", it.deployment("a"))
    assert it.does("there it is") == {} and it.last["state"] == "unchanged" and it.files() == before


def test_labels_while_a_cluster_cannot_be_read(it):
    it.cluster("here", "site: oslo")
    it.cluster("east", "site: oslo")
    it.place(spec="clusters: {labels: {site: oslo}}")
    it.deploy("a")
    assert len(it.does("begin")) == 2
    before = it.files()
    it.cluster("here")
    it.write("clusters/other.yaml", "kind: [")
    assert it.does("here loses its label", code=4) == {} and it.reasons() == {"a": "waiting"}
    it.write("clusters/other.yaml", "")
    # A cluster with a mistake in it may have any labels.
    (it.work / "clusters/east.yaml").write_text((it.work / "clusters/east.yaml").read_text() + "nonsense: 1\n")
    it.does("east has a mistake", code=4)
    assert it.reasons()["east/production/a"] == "waiting" and "east/a" in it.files()
    it.cluster("here", "site: oslo")
    it.cluster("east", "site: oslo")
    it.does("as it was")
    assert it.files() == before and it.sync()["state"] == "unchanged"


def test_everything_is_read_again_while_one_file_is_broken(it):
    settled(it, "a", "b")
    before = it.files()
    it.write("deployments/production-a.yaml", BROKEN)
    assert it.does("broken", code=4) == {}
    # The configuration changes, and with it everything is looked at anew.
    it.configure("clusters: {here: {}}\n")
    assert it.syncs(code=4) == {} and set(it.reasons()) == {"a"} and it.files() == before
    # The mirror is lost, and with it what the last walk saw.
    for name in ("source.git",):
        os.rename(it.state / name, it.path / name)
    assert it.syncs(code=4) == {} and set(it.reasons()) == {"a"} and it.files() == before
    it.deploy("a")
    assert it.does("whole") == {} and it.last["state"] == "unchanged"


def test_environment_and_cluster_twice(it):
    settled(it, "a", "b")
    before = it.files()
    for kind in ("environments/production", "clusters/here"):
        it.write(f"{kind}-again.yaml", (it.work / f"{kind}.yaml").read_text())
        it.undeploy("b")
        it.does("twice", code=4)
        assert "a" in it.reasons() and it.files()["here/a"] == before["here/a"]
        it.remove(f"{kind}-again.yaml")
        it.deploy("b")
        it.does("once")
        assert it.files() == before
