# SPDX-License-Identifier: Apache-2.0
"""A walk's cost follows the commit: who is considered, and what is read, is said by -v and by the plan."""
import json
import re

import pytest

from installation import Installation, deployment

NAMES = [f"shop-{number}" for number in range(12)]

QUIET_DRIVER = """apiVersion: styrmin.io/v1
kind: ApplicationDriver
metadata: {name: web}
spec:
  version: "1"
  parameters:
    - {name: port, kind: integer, default: 80}
  components:
    site:
      resources:
        - file: {path: "{{cluster.config.root}}/{{deployment.name}}", content: "{{app.version}} {{parameters.port}}"}
"""


@pytest.fixture
def it():
    with Installation() as installation:
        yield installation


def walked(it, *arguments):
    """(targets considered, documents parsed); None where nothing had to be walked"""
    said = it.run("-v", *arguments, code=None).stderr
    found = re.search(r"walk: (\d+) targets? considered, (\d+) documents? parsed", said)
    return found and tuple(map(int, found.groups()))


def test_only_what_the_commit_touched_is_parsed(it):
    it.write("drivers/web/1/driver.styrmin.yml", QUIET_DRIVER)
    for name in NAMES:
        it.write(f"deployments/{name}.yaml", deployment(name))
    it.commit("a fleet")
    assert walked(it, "sync") == (len(NAMES), len(NAMES) + 3)  # a cluster, an environment and a driver beside them

    it.write("deployments/shop-3.yaml", deployment("shop-3", port=81))
    it.commit("another port")
    assert walked(it, "plan") == (1, 1)
    assert walked(it, "sync") == (1, 1)
    assert it.read("shop-3") == "1.0.0 81"
    assert walked(it, "sync") is None

    it.write("README", "not a document")
    it.commit("a word to the reader")
    assert walked(it, "sync") == (0, 0)

    it.write("drivers/web/1/note.txt", "of no use to anybody")
    it.commit("a file of the driver")
    assert walked(it, "sync") == (len(NAMES), 0)  # looked at again, from what the ledger has of them


def test_deployments_considered_again_are_those_of_the_ledger(it):
    """What was folded into the ledger is resolved to the same Instances that its YAML was."""
    it.write("drivers/web/1/driver.styrmin.yml", QUIET_DRIVER)
    for name in NAMES:
        it.write(f"deployments/{name}.yaml", deployment(name, more="  depends_on: [shop-0]\n" if name != "shop-0" else ""))
    it.commit("a fleet")
    it.sync()
    before = it.rows("SELECT deployment, desired, policy FROM targets ORDER BY 1")
    it.write("clusters/here.yaml", (it.work / "clusters/here.yaml").read_text() + "# a comment\n")
    it.commit("the same cluster")
    assert walked(it, "sync") == (len(NAMES), 1)
    assert it.rows("SELECT deployment, desired, policy FROM targets ORDER BY 1") == before


def test_plan_is_printed_as_one_document(it):
    """Its remediations are printed one at a time; what comes out is what printing it whole would give."""
    it.write("drivers/web/1/driver.styrmin.yml", QUIET_DRIVER)
    for count in (0, 1, len(NAMES)):
        for name in NAMES[:count]:
            it.write(f"deployments/{name}.yaml", deployment(name))
        it.commit(f"{count} deployments")
        printed = it.run("plan", "-o", "json").stdout
        plan = it.document("plan")
        assert [r["deployment"] for r in plan["remediations"]] == sorted(NAMES[:count])
        assert printed == json.dumps(plan, indent=2, ensure_ascii=False) + "\n"
    named = it.document("plan", "shop-3")
    assert [r["deployment"] for r in named["remediations"]] == ["shop-3"]
    assert f"{len(NAMES)} to create, 0 unchanged" in it.run("plan").stdout
