# SPDX-License-Identifier: Apache-2.0
"""Records checked with nothing but a clone."""
import json

import pytest

from git_servers import git
from installation import Installation, deployment

RECORDS = "refs/notes/styrmin-records/edge"


@pytest.fixture
def it():
    with Installation() as installation:
        for port in (80, 81, 82):
            installation.write("deployments/shop.yaml", deployment("shop", port=port))
            installation.commit(f"port {port}")
            installation.sync()
        yield installation


def rewrite(it, commit, change):
    """Put other record lines on a commit, as somebody with write access could."""
    lines = git("-C", it.remote, "notes", "--ref", RECORDS, "show", commit).splitlines()
    file = it.path / "lines"
    file.write_text("\n".join(change(lines)) + "\n")
    git("-C", it.remote, "notes", "--ref", RECORDS, "add", "-f", "-F", file, commit)


def canonical(record):
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def problems(it):
    return [p["message"] for p in it.document("verify", it.remote, "--name", "edge", code=1)["problems"]]


def test_a_sound_chain(it):
    found = it.document("verify", it.remote, "--name", "edge")
    assert found["ok"] and found["records"] == 3 and len(found["installations"]) == 1
    assert "one chain without a gap" in it.run("verify", it.remote, "--name", "edge").stdout
    it.run("verify", it.remote, "--name", "other", code=1)
    it.run("verify", it.remote, code=2)


def test_a_changed_record_breaks_the_chain(it):
    middle = git("-C", it.work, "rev-parse", "HEAD~1")
    rewrite(it, middle, lambda lines: [canonical({**json.loads(lines[0]), "state": "unchanged"})])
    assert problems(it) == ["the note's text names no record of this commit", "the record before it is missing"]


def test_a_missing_and_a_moved_record(it):
    middle, tip = git("-C", it.work, "rev-parse", "HEAD~1", "HEAD").split()
    line = git("-C", it.remote, "notes", "--ref", RECORDS, "show", middle)
    rewrite(it, tip, lambda lines: lines + [line])
    assert "the record speaks of another commit than the one it stands on" in problems(it)
    rewrite(it, tip, lambda lines: lines[:1])
    git("-C", it.remote, "notes", "--ref", RECORDS, "remove", middle)
    assert "the record before it is missing" in problems(it)


def test_what_is_no_record(it):
    tip = git("-C", it.work, "rev-parse", "HEAD")
    rewrite(it, tip, lambda lines: ["{\"sequence\": 3}"])
    assert problems(it)[0].startswith("record line 1")
