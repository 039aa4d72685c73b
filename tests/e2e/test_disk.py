# SPDX-License-Identifier: Apache-2.0
"""Disks that are full or broken: the error says where, nothing is lost, and with room again the next sync converges."""
import os
import subprocess

import pytest

from crash import Scenario, clean, facts, go, places, walk
from installation import Installation, deployment
from test_crash import start_create, start_update

# A place, and what its error names.
WHERE = {"ledger.begin": "ledger", "ledger.commit": "ledger", "mirror.write": "source.git", "notes.write": "notes",
         "file.stage": "/", "file.commit": "/", "resource.apply": "production/shop"}
SAME = ("files", "processes", "target", "inventory", "marks", "outbox", "run")


def check_converges(it, scenario):
    done = go(it, scenario)
    if it.rows("SELECT id FROM targets WHERE quarantined IS NOT NULL"):
        done = it.run("retry", "shop", "-m", "there is room again", code=None)
    assert done.returncode == 0, (done.stdout, done.stderr)
    found, expected = facts(it), clean(scenario)[1]
    for key in SAME:
        assert found[key] == expected[key], (key, found[key], expected[key])
    assert "failed" not in found["note"]


@pytest.mark.parametrize("scenario", [Scenario("create", start_create), Scenario("update", start_update)],
                         ids=lambda s: s.name)
def test_calls_that_fail(scenario):
    def check(it, job):
        name, turn, error = job
        failed = go(it, scenario, STYRMIN_FAILPOINT=f"{name}:{turn}:{error}")
        said = failed.stdout + failed.stderr
        reason = "No space left on device" if error == "ENOSPC" else "Input/output error"
        assert reason in said and WHERE[name] in said, said
        assert failed.returncode == 1, said
        check_converges(it, scenario)
    walk(scenario, [(name, turn, "ENOSPC") for name, turn in places(scenario, WHERE)] +
         [(name, 1, "EIO") for name in WHERE], check)


class Disk:
    """A small file system of its own at `path`."""

    def __init__(self, path, size):
        self.path, self.size = path, size

    def __enter__(self):
        self.path.mkdir(mode=0o700, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.size}k,mode=0700", "styrmin-test", str(self.path)], check=True)
        return self

    def __exit__(self, *error):
        subprocess.run(["umount", "-l", str(self.path)], check=True)

    def fill(self, left):
        """Everything but `left` KiB."""
        free = os.statvfs(self.path)
        size = free.f_bavail * free.f_frsize - left * 1024
        with open(self.path / "filler", "wb") as filler:
            os.posix_fallocate(filler.fileno(), 0, max(size, 1))

    def clear(self):
        (self.path / "filler").unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
@pytest.mark.parametrize("left", [0, 8, 64, 128, 192, 256])
def test_full_state_directory(left):
    with Installation() as it, Disk(it.state, 4096) as disk:
        it.write("deployments/shop.yaml", deployment("shop"))
        it.commit("shop 1.0.0")
        it.sync()
        it.write("deployments/shop.yaml", deployment("shop", port=81))
        it.commit("another port")
        disk.fill(left)
        full = it.run("sync", "-o", "json", code=None)
        if full.returncode:
            said = full.stdout + full.stderr
            assert "No space left on device" in said or "disk full" in said, said
        disk.clear()
        it.run("sync", code=None)
        if it.rows("SELECT id FROM targets WHERE quarantined IS NOT NULL"):
            it.run("retry", "shop", "-m", "there is room again")
        assert it.read("shop/page") == "shop 1.0.0 port 81"
        assert it.state_of()["state"] == "healthy" and len(it.processes()) == 1
        assert left or full.returncode == 1
        facts(it)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_full_deploy_root():
    with Installation() as it, Disk(it.root, 256) as disk:
        it.write("deployments/shop.yaml", deployment("shop"))
        it.commit("shop 1.0.0")
        it.sync()
        page = (it.root / "shop/page").read_text()
        it.driver("2", page="{{deployment.name}} " + "long " * 4000)
        it.write("deployments/shop.yaml", deployment("shop", driver="2"))
        it.commit("a long page")
        disk.fill(8)
        full = it.run("sync", "-o", "json", code=1)
        assert f"{it.root}/shop/page" in full.stdout and "No space left on device" in full.stdout
        assert (it.root / "shop/page").read_text() == page and len(it.processes()) == 1
        assert sorted(p.name for p in (it.root / "shop").iterdir()) == ["page"]
        disk.clear()
        it.run("retry", "shop", "-m", "there is room again")
        assert it.read("shop/page").startswith("shop long long")
        assert it.state_of()["state"] == "healthy"
        facts(it)
