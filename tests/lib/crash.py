# SPDX-License-Identifier: Apache-2.0
"""Walks over everything that a run passes: kill Styrmin (or fail a call) there, start it again, look at what came of it.

A scenario is a state (`prepare`, made once and copied), what is done to it (`spoil`, `change`) and a sync. `clean()` says
what an undisturbed run passes and leads to; `walk()` disturbs a run at each of these places, in several installations
at once, and hands each to a check.
"""
import collections
import functools
import hashlib
import json
import queue
import re
import shutil
import subprocess
import threading
import time

from installation import ROOT, STYRMIN, Installation, process_table

WORKERS = 4
TABLE = re.findall(r'X\(\w+, "([a-z.]+)"\)', (ROOT / "src/base/failpoint.h").read_text())
KEPT = ("srv", "state", "remote.git")

Scenario = collections.namedtuple("Scenario", "name prepare spoil arguments code", defaults=[lambda it: None, (), 0])


class Snapshot:
    """The state of an installation, with what ran in it."""

    def __init__(self, it):
        self.it, self.copy = it, it.path / "copy"
        it.state.mkdir(mode=0o700, exist_ok=True)
        for name in KEPT:
            shutil.copytree(it.path / name, self.copy / name, symlinks=True)

    def restore(self):
        end_all(self.it)
        for name in KEPT:
            shutil.rmtree(self.it.path / name)
        subprocess.run(["cp", "-a", *(str(self.copy / name) for name in KEPT), str(self.it.path)], check=True)
        for claim in (self.it.state / "run").glob("*.claim"):
            relaunch(claim)


def end_all(it):
    end = time.monotonic() + 10
    while it.end_processes():
        assert time.monotonic() < end, "processes do not end"
        time.sleep(0.002)


def relaunch(claim):
    """Start a managed process again as it was started, so that it is there as if it had never ended."""
    spec, pid = claim.with_suffix(".spec"), claim.with_suffix(".pid")
    pid.unlink()
    claim.rename(spec)
    subprocess.run(["/bin/sh", "-c", 'exec "$0" launch "$1" 3>/dev/null', STYRMIN, str(spec)], check=True, env={},
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    end = time.monotonic() + 10
    while not pid.exists():
        assert time.monotonic() < end, "the launcher does not launch"
        time.sleep(0.002)


# ---- what came of it

def check_chain(it):
    """Records of the remote: numbered without a gap, each naming the digest of the one before; notes name theirs."""
    previous, digests = "sha256:" + "0" * 64, set()
    for number, record in enumerate(it.records(), 1):
        assert record["sequence"] == number
        assert record["previous"] == previous, (number, previous, record)
        canonical = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        previous = "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()
        digests.add(previous)
    return digests


def shape(record):
    """What a record says, without ids, digests and times."""
    return (record["kind"], record.get("state"),
            [(t["target"], t["kind"], t["state"], bool(t.get("quarantined")), bool(t.get("tainted"))) for t in record.get("targets", [])])


def facts(it):
    """Everything that must be the same whether or not a run was disturbed."""
    commit = it.rows("SELECT walked FROM sources")[0]["walked"]
    digests = check_chain(it)
    it.check_ledger()
    note = it.note(commit)
    for digest in re.findall(r"Styrmin-Record: (\S+)", note):
        assert digest in digests
    note = re.sub(r"\bcommit [0-9a-f]{12}\b", "commit ID", re.sub(r"since 2\S+", "since TIME", note))
    note = re.sub(r"sha256:[0-9a-f]+", "DIGEST", re.sub(r" in [0-9.]+(ms|s)\b", " in TIME", note))
    table = process_table()
    processes = it.processes(table)
    assert len(it.launchers(table)) == len(processes)
    return {
        "files": {str(p.relative_to(it.root)): p.read_text() if p.is_file() else None for p in it.root.rglob("*")},
        "processes": len(processes),
        "note": note,
        "records": [shape(r) for r in it.records() if r["kind"] != "request"],
        "remediations": [(r["kind"], r["state"]) for r in it.rows("SELECT kind, state FROM remediations WHERE state <> 'superseded' ORDER BY seq")],
        "target": it.rows("SELECT tainted, quarantined IS NOT NULL AS quarantined, unsettled FROM targets"),
        "inventory": [r["id"].replace(str(it.root), "") for r in it.rows("SELECT id FROM resources ORDER BY id")],
        "marks": it.rows("SELECT state FROM marks"),
        "outbox": it.rows("SELECT key FROM outbox WHERE delivered_at IS NULL"),
        "run": collections.Counter(re.sub("[0-9a-f]{32}", "TOKEN", str(p.relative_to(it.state)))
                                   for p in (it.state / "run").rglob("*")),
    }


# ---- runs

def go(it, scenario, code=None, **environment):
    return it.run("sync", "-o", "json", *scenario.arguments, code=code, **environment)


def read_counts(file):
    return {name: int(count) for name, count in (line.split() for line in file.read_text().splitlines())}


@functools.lru_cache(maxsize=None)
def clean(scenario):
    """({name: how often an undisturbed run passes it}, what it leads to)"""
    with Installation() as it:
        scenario.prepare(it)
        scenario.spoil(it)
        counts = it.path / "counts"
        go(it, scenario, code=scenario.code, STYRMIN_FAILPOINT_COUNT=counts)
        return read_counts(counts), facts(it)


def places(scenario, names):
    counts, _ = clean(scenario)
    return [(name, turn) for name in names for turn in range(1, counts.get(name, 0) + 1)]


def walk(scenario, jobs, check):
    """check(it, job) for each job, over the scenario's state."""
    jobs, left, broken = list(jobs), queue.Queue(), []
    assert jobs
    for job in jobs:
        left.put(job)

    def work():
        with Installation() as it:
            scenario.prepare(it)
            snapshot = Snapshot(it)
            while True:
                try:
                    job = left.get_nowait()
                except queue.Empty:
                    return
                try:
                    snapshot.restore()
                    scenario.spoil(it)
                    check(it, job)
                except Exception as error:
                    broken.append(f"{scenario.name}, disturbed at {job}: {error}")

    threads = [threading.Thread(target=work) for _ in range(min(WORKERS, len(jobs)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert left.empty(), "no installation could be prepared"
    assert not broken, f"{len(broken)} of {len(jobs)}:\n" + "\n".join(broken[:20])
