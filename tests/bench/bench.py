# SPDX-License-Identifier: Apache-2.0
"""The performance budgets of design.md section 17 that one machine can show, each beside its floor or peer of this run.

A benchmark is a function that yields rows (what, figure, beside what, its figure, ratio or limit, kept or not). They are
run by tests/bench/run; none of them is a test of ctest, as the machine may have others to serve.
"""
import re
import os
import resource
import statistics
import subprocess
import sys
import time

import git_servers
import installation
from fleet import COMMAND, ONE_FILE, THREE, Fleet
from git_servers import git

RUNS = 31


def seconds(argv, codes=(0,)):
    """Wall seconds of one process."""
    begin = time.perf_counter()
    done = subprocess.run(list(map(str, argv)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=clean())
    took = time.perf_counter() - begin
    assert done.returncode in codes, (argv, done.returncode, done.stderr)
    return took


def clean():
    return {k: v for k, v in git_servers.environment().items() if not k.startswith("STYRMIN_")}


def medians(*commands, runs=RUNS, before=lambda: None, codes=(0,)):
    """Median seconds of each command, taken in turns, so that whatever else the machine does meets all of them."""
    times = [[] for _ in commands]
    for command in commands:
        seconds(command, codes)
    for _ in range(runs):
        for command, taken in zip(commands, times):
            before()
            taken.append(seconds(command, codes))
    return [statistics.median(taken) for taken in times]


def peak(argv, codes=(0,)):
    """(wall seconds, CPU seconds, peak resident MiB) of one process."""
    begin = time.perf_counter()
    process = subprocess.Popen(list(map(str, argv)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=clean())
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - begin
    assert os.waitstatus_to_exitcode(status) in codes, (argv, status)
    return took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def instructions(argv):
    """Instructions that one process executes, as callgrind counts them."""
    done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *map(str, argv)],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=clean())
    assert done.returncode == 0, done.stderr
    return int(re.search(r"Collected : (\d+)", done.stderr).group(1))


def considered(it, *arguments):
    """(targets considered, documents parsed) of a walk, as -v says."""
    said = it.run("-v", *arguments, timeout=600, code=None).stderr
    return tuple(map(int, re.search(r"walk: (\d+) targets? considered, (\d+) documents? parsed", said).groups()))


def ms(value):
    return f"{value * 1000:.1f} ms"


def at_most(ratio, limit):
    return f"{ratio:.2f}x, at most {limit}x", ratio <= limit


# ---- the benchmarks

def unchanged():
    """sync when nothing changed upstream, beside git fetch of the same remote; http."""
    with Fleet(100, ONE_FILE) as it:
        it.run("sync", "-q", timeout=600)
        clone = it.path / "clone"
        git("clone", "-q", it.url, clone)
        ours, peer = medians(it.argv("sync"), ["git", "-C", clone, "fetch", "-q"])
        yield "sync, nothing new", ms(ours), "git fetch", ms(peer), *at_most(ours / peer, 1)


def one_file():
    """One document changed among 10,000 settled deployments, beside the same among 100: the plan, and the whole sync."""
    sizes = (100, 10000)
    with Fleet(sizes[0], COMMAND) as small, Fleet(sizes[1], COMMAND) as large:
        fleets = (small, large)
        for it in fleets:
            it.run("sync", "-q", timeout=900)
            it.touch(7, 81)
            it.fetch()
        plans = [it.argv("plan", "--revision", "main") for it in fleets]
        planned = medians(*plans)
        counted = [instructions(plan) for plan in plans]
        parsed = [considered(it, "plan", "--revision", "main") for it in fleets]
        times = ([], [])
        for port in range(100, 100 + RUNS):
            for it, taken in zip(fleets, times):
                it.touch(port % sizes[0], port)
                it.fetch()
                taken.append(seconds(it.argv("sync", "--no-fetch", "-q")))
        synced = [statistics.median(taken) for taken in times]
    yield ("plan of a one-file commit, 10,000 deployments", ms(planned[1]), "with 100", ms(planned[0]),
           *at_most(planned[1] / planned[0], 1.3))
    yield ("the same in instructions", f"{counted[1] / 1e6:.1f} M", "with 100", f"{counted[0] / 1e6:.1f} M",
           *at_most(counted[1] / counted[0], 1.3))
    yield ("documents parsed for it", str(parsed[1][1]), "touched", "1", f"of {parsed[1][0]} target", parsed[1] == (1, 1))
    yield ("sync --no-fetch of a one-file commit, 10,000 deployments", ms(synced[1]), "with 100", ms(synced[0]),
           *at_most(synced[1] / synced[0], 1.3))


def first():
    """The first look at 10,000 deployments of three resources each, one of them a rendered file of 2 KB."""
    for what, more, command, codes in (("plan on an empty ledger", "", "plan", (0,)),
                                       ("sync, everything observed", ", mode: observe", "sync", (0,))):
        with Fleet(10000, THREE, more) as it:
            walk, busy, mib = peak(it.argv(command, "-q"), codes)
            files = sum(1 for _ in (it.work / "deployments").rglob("*.yaml"))
            yield (f"{what}, {files:,} deployments", f"{walk:.2f} s", "its CPU", f"{busy:.2f} s", "under 10 s", walk < 10)
            yield (f"{what}: peak resident", f"{mib:.0f} MiB", "", "", "under 200 MiB", mib < 200)


def drift():
    """A drift pass over 1,000 files of 2 KB, beside rsync -rc without a change and a bare loop that hashes them."""
    resources = "".join(f'        - file: {{path: "{{{{cluster.config.root}}}}/files/f{n:04}", template: page.mustache}}\n'
                        for n in range(1000))
    many = {"components": "    site:\n      resources:\n"
                          '        - directory: {path: "{{cluster.config.root}}/files"}\n' + resources}
    with Fleet(1, many) as it:
        it.run("sync", "-q", timeout=600)
        copy = it.path / "copy"
        subprocess.run(["cp", "-a", it.root / "files", copy], check=True)
        ours, peer, floor = medians(it.argv("drift", "-q"), ["rsync", "-rc", f"{copy}/", f"{it.root}/files/"],
                                    [os.environ["STYRMIN_HASH_FLOOR"], it.root / "files"])
        yield "drift over 1,000 files", ms(ours), "rsync -rc", ms(peer), *at_most(ours / peer, 1)
        yield "", "", "hash loop", ms(floor), *at_most(ours / floor, 4)


def reading():
    """status with 10,000 deployments in the ledger, and the start of the program."""
    with Fleet(10000, COMMAND) as it:
        it.run("sync", "-q", timeout=900)
        status, version, bare = medians(it.argv("status"), [installation.STYRMIN, "--version"], ["/bin/true"])
        yield "status, 10,000 deployments", ms(status), "", "", "under 50 ms", status < 0.05
        yield "--version", ms(version), "/bin/true", ms(bare), "under 12 ms", version < 0.012


def applied():
    """A one-file commit pushed, to applied and recorded, beside git pull and rsync; 100 deployments; http."""
    with Fleet(100, ONE_FILE) as it:
        it.run("sync", "-q", timeout=600)
        clone, place = it.path / "clone", it.path / "place"
        git("clone", "-q", it.url, clone)
        pull = ["sh", "-c", f"git -C {clone} pull -q && rsync -rc --delete {clone}/deployments/ {place}/"]
        seconds(pull)
        times = ([], [])
        for port in range(100, 100 + RUNS):
            it.touch(port % 100, port)
            for command, taken in zip((it.argv("sync", "-q"), pull), times):
                taken.append(seconds(command))
        ours, peer = map(statistics.median, times)
        yield "sync of a one-file commit, notes pushed", ms(ours), "git pull && rsync -rc", ms(peer), "information", True


def deployed():
    """A first sync that really deploys 1,000 targets of one file each."""
    with Fleet(1000, ONE_FILE) as it:
        took, busy, mib = peak(it.argv("sync", "-q"))
        yield "first sync of 1,000 targets, four at a time", f"{took:.2f} s", "its CPU", f"{busy:.2f} s", "information", True
        yield "", f"{mib:.0f} MiB", "", "", "information", True


BENCHMARKS = {f.__name__: f for f in (unchanged, one_file, first, drift, reading, applied, deployed)}


def main(names):
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    kept = True
    print(f"{'what':58} {'figure':>12}  {'beside':30} {'figure':>12}  budget")
    for name in names or BENCHMARKS:
        for what, figure, beside, other, budget, good in BENCHMARKS[name]():
            print(f"{what:58} {figure:>12}  {beside:30} {other:>12}  {budget}{'' if good else '  MISSED'}", flush=True)
            kept = kept and good
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main(sys.argv[1:])
