# SPDX-License-Identifier: Apache-2.0
"""The way from a commit to a running, recorded deployment, with the real binary over a local remote."""
import pytest

from installation import Installation, deployment


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
