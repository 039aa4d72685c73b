# SPDX-License-Identifier: Apache-2.0
"""kill -9 of a sync at every transaction and every act, and what the next sync makes of it."""
import pytest

from crash import TABLE, Scenario, clean, end_all, facts, go, places, walk
from installation import DRIVER, deployment

MIGRATED = "#!/bin/sh\ngrep -qs migrated \"$1\"\n"
FAILS = """    - name: broken
      hook: update
      mode: post
      steps:
        - run: {command: [/bin/false], timeout: 20s}
"""


def start_create(it):
    it.write("deployments/shop.yaml", deployment("shop"))
    it.commit("shop 1.0.0")


def start_update(it):
    start_create(it)
    it.sync()
    it.write("deployments/shop.yaml", deployment("shop", port=81))
    it.commit("another port")


def start_upgrade(it):
    start_create(it)
    it.sync()
    it.driver("2")
    it.write("deployments/shop.yaml", deployment("shop", version="2.0.0", driver="2"))
    it.commit("shop 2.0.0")


def start_verified_upgrade(it):
    start_create(it)
    it.sync()
    it.driver("2")
    text = DRIVER % {"version": "2", "more": ""}
    asks = 'once: true, verify: [./migrated, "{{cluster.config.root}}/{{deployment.name}}.migrations"]'
    it.write("drivers/web/2/driver.styrmin.yml", text.replace("once: true", asks))
    it.write("drivers/web/2/migrated", MIGRATED, 0o755)
    it.write("deployments/shop.yaml", deployment("shop", version="2.0.0", driver="2"))
    it.commit("shop 2.0.0")


def start_failing_update(it):
    it.driver("1", more=FAILS)
    start_update(it)


def start_heal(it):
    start_create(it)
    it.sync()


def spoil(it):
    end_all(it)
    (it.root / "shop/page").write_text("somebody was here")


def start_delete(it):
    start_create(it)
    it.sync()
    it.remove("deployments/shop.yaml")
    it.commit("shop is gone\n\nStyrmin-Allow: delete=1")


SCENARIOS = [
    Scenario("create", start_create),
    Scenario("update", start_update),
    Scenario("upgrade", start_upgrade),
    Scenario("verified upgrade", start_verified_upgrade),
    Scenario("failing update", start_failing_update, code=1),
    Scenario("heal", start_heal, spoil, ("--heal",)),
    Scenario("delete", start_delete),
]


def check_resumed(it, scenario):
    expected = clean(scenario)[1]
    resumed = go(it, scenario)
    assert resumed.returncode == scenario.code, (resumed.stdout, resumed.stderr)
    found = facts(it)
    different = {key: (found[key], value) for key, value in expected.items() if found[key] != value}
    if different:
        raise AssertionError("\n".join(f"{key}: {a!r}\n   wanted {b!r}" for key, (a, b) in different.items()))


def kill_at(it, scenario, place):
    name, turn = place
    killed = go(it, scenario, STYRMIN_FAILPOINT=f"{name}:{turn}:kill")
    assert killed.returncode == -9, (killed.returncode, killed.stdout, killed.stderr)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name.replace(" ", "-"))
def test_killed_anywhere(scenario):
    def check(it, place):
        kill_at(it, scenario, place)
        check_resumed(it, scenario)
    # What dies before BEGIN leaves what dies before COMMIT: its first turn is enough.
    walk(scenario, [("ledger.begin", 1)] + places(scenario, [n for n in TABLE if n != "ledger.begin"]), check)


def test_every_place_is_walked():
    assert set(TABLE) == {name for scenario in SCENARIOS for name in clean(scenario)[0]}
