"""Runs one row in one library, in a process of its own, a turn at a time.

usage: python worker.py LIBRARY ROW START    (started by turns.py)

Commands come as lines on standard input; each answer is one line of JSON on what was standard
output. Libraries whose threads spin while they wait cannot disturb each other this way.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
import traceback
from collections.abc import Callable

import numpy as np

LONG = 2.0  # seconds of warming up after which two steps are enough


def digest(result) -> list[list[float]]:
    """A few numbers for each array of a result: its norm, and projections on fixed directions."""
    if isinstance(result, tuple | list):
        return [numbers for part in result for numbers in digest(part)]
    values = np.asarray(result, np.float64).ravel()
    if values.size <= 8:
        return [values.tolist()]
    directions = np.random.default_rng(0).standard_normal((3, values.size))
    scale = 1 / math.sqrt(values.size)
    return [[float(np.linalg.norm(values) * scale), *(directions @ values * scale).tolist()]]


def memory() -> float:
    """MB this process has held at most."""
    try:
        with open("/proc/self/status") as file:
            line = next(line for line in file if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return math.nan
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1024)


def counted(step: Callable) -> float:
    """Arithmetic of the contractions in one step, by PyTorch's counter (PyTorch only)."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        step()
    return float(counter.get_total_flops())


class Worker:
    """One row in one library."""

    def __init__(self, library: str, row: str, start: str):
        from families import find
        from libraries import build, finisher

        self._step = build(find(row), library, start)
        self._finish = finisher(library)

    def check(self, steps: str) -> dict:
        """The digests of the first steps, and what each took."""
        values, times = [], []
        for _ in range(int(steps)):
            begun = time.perf_counter()
            result = self._step()
            self._finish()
            times.append(time.perf_counter() - begun)
            values.append(digest(result))
        return {"values": values, "times": times}

    def warm(self, seconds: str, steps: str) -> dict:
        """Run for a while, fewer steps where they are long; what the last step took."""
        begun, taken, done = time.perf_counter(), 0.0, 0
        while True:
            last = time.perf_counter()
            self._step()
            self._finish()
            done += 1
            taken = time.perf_counter() - last
            spent = time.perf_counter() - begun
            if spent > float(seconds) and done >= (2 if spent > LONG else int(steps)):
                return {"step": taken}

    def turn(self, lead: str, steps: str) -> dict:
        """Mean seconds of ``steps`` steps, after ``lead`` untimed ones that wake the threads."""
        for _ in range(int(lead)):
            self._step()
        self._finish()
        begun = time.perf_counter()
        for _ in range(int(steps)):
            self._step()
        self._finish()
        return {"seconds": (time.perf_counter() - begun) / int(steps)}

    def flops(self) -> dict:
        return {"flops": counted(self._step)}

    def memory(self) -> dict:
        return {"memory": memory()}


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints must not mix with the answers
    worker: Worker | None = None
    try:
        begun = time.perf_counter()
        worker = Worker(*sys.argv[1:4])
        answers.write(json.dumps({"build": time.perf_counter() - begun}) + "\n")
        for line in sys.stdin:
            name, *arguments = line.split()
            answers.write(json.dumps(getattr(worker, name)(*arguments)) + "\n")
    except Exception as error:
        traceback.print_exc()
        why = " ".join(str(error).split())[:300]
        answers.write(json.dumps({"error": f"{type(error).__name__}: {why}"}) + "\n")


if __name__ == "__main__":
    main()
