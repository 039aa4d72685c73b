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
    """(wall seconds, peak resident MiB) of one process."""
    begin = time.perf_counter()
    process = subprocess.Popen(list(map(str, argv)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=clean())
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - begin
    assert os.waitstatus_to_exitcode(status) in codes, (argv, status)
    return took, usage.ru_maxrss / 1024


def instructions(argv):
    """Instructions that one process executes, as valgrind counts them."""
    done = subprocess.run(["valgrind", "--tool=none", "--stats=yes", *map(str, argv)], stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, env=clean())
    assert done.returncode == 0, done.stderr
    return int(re.search(r"guest insns:?\s+([\d,]+)|([\d,]+) guest instructions", done.stderr).group(1).replace(",", ""))


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


BENCHMARKS = {f.__name__: f for f in (unchanged,)}


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
