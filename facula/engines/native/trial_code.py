"""Writes the code that finds out whether several threads help a plan.

Where two cores share no cache, what one wrote takes the other longer to read than a small kernel
takes: then a plan of small kernels is faster on one of them. That depends on the machine, and in a
virtual one on the moment, so now and then a few runs go the other way, and the times decide. The
results are the same bits either way.
"""

from __future__ import annotations

from facula.engines.native.ir import Function, Value
from facula.engines.native.pool_code import read, word

PERIOD, BURST = 256, 4  # so many runs of each period go the other way; the first ones early on
UNSETTLED = 2  # runs of a burst, and after it, whose data still lie with the other core


class Trial:
    """Places in the block of a trial, in i64 words."""

    TRY = 0  # whether to try at all
    RUNS, THREADS = 1, 2  # runs so far; threads that the present one may use
    TEAM, SOLO = 3, 4  # ns that a run takes
    SIZE = 5


def decide(f: Function, trial: Value, limit: Value) -> None:
    """Sets the threads of a run, of which there are at most ``limit``."""
    threads = word(f, trial, Trial.THREADS)
    f.store(limit, threads)
    tries = f.compare("icmp ne", read(f, trial, Trial.TRY), 0)
    with f.when(f.op("and", tries, f.compare("icmp sgt", limit, 1))):
        runs = f.add(read(f, trial, Trial.RUNS), 1)
        f.store(runs, word(f, trial, Trial.RUNS))
        solo = f.compare("icmp slt", read(f, trial, Trial.SOLO), read(f, trial, Trial.TEAM))
        solo = f.op("xor", solo, _other_way(f, runs))
        f.store(f.select(solo, f.typed(1, "i64"), limit), threads)


def _phase(f: Function, runs: Value) -> Value:
    """The place in a period; the first period is short, and ends with a burst as all do."""
    return f.op("and", f.add(runs, PERIOD - 3 * BURST), PERIOD - 1)


def _other_way(f: Function, runs: Value) -> Value:
    return f.compare("icmp sge", _phase(f, runs), PERIOD - BURST)


def learn(f: Function, trial: Value, took: Value) -> None:
    """Takes note of the nanoseconds of a run: at once if it was fast, slowly if it was slow.

    Much can make a run slow, such as a worker that had to be woken, but nothing makes it fast.
    """
    phase = _phase(f, read(f, trial, Trial.RUNS))
    settled = f.compare("icmp sge", phase, UNSETTLED)
    moved = f.compare("icmp slt", f.op("sub", phase, PERIOD - BURST), UNSETTLED)
    moved = f.op("and", moved, f.compare("icmp sge", phase, PERIOD - BURST))
    with f.when(f.op("and", settled, f.op("xor", moved, 1))):
        alone = f.compare("icmp eq", read(f, trial, Trial.THREADS), 1)
        place = f.select(alone, word(f, trial, Trial.SOLO), word(f, trial, Trial.TEAM))
        before = f.load("i64", place)
        most = f.mul(before, 2)
        now = f.select(f.compare("icmp slt", took, most), took, most)
        slower = f.add(before, f.op("ashr", f.op("sub", now, before), 4))
        fast = f.op("or", f.compare("icmp eq", before, 0), f.compare("icmp slt", took, before))
        f.store(f.select(fast, took, slower), place)
