"""Time of ``import facula`` in a fresh process; the goal is 0.2 s."""

from __future__ import annotations

import statistics
import subprocess
import sys

from common import machine, optional, report

CODE = "import time; t = time.perf_counter(); import {0}; print(time.perf_counter() - t)"


def imported(name: str) -> float:
    """Median seconds over five fresh processes, after one that warms the file cache."""
    found = []
    for _ in range(6):
        run = subprocess.run(
            [sys.executable, "-c", CODE.format(name)], capture_output=True, text=True
        )
        found.append(float(run.stdout.split()[-1]))
    return statistics.median(found[1:])


def main() -> None:
    print(f"import ({machine()})")
    torch = imported("torch") if optional("torch") else None
    report([("import", imported("facula"), torch, "s")])


if __name__ == "__main__":
    main()
