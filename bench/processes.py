"""What can only be seen in fresh processes: the time of importing, and of the first steps."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
from collections.abc import Sequence

from families import find
from libraries import BASE, LIBRARIES, OURS, can_build, python_of
from turns import Effort, Failed, Player, environment

IMPORT = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"
FIRST_STEPS = 10  # compiling may wait until a program is seen again: these show it all


def importing(names: Sequence[str], pythons: Sequence[str], rounds: int) -> dict[str, dict]:
    """Seconds to import each library: median over fresh processes that take turns."""
    runs: dict[str, list[float]] = {}
    modules = {LIBRARIES[name][0]: name for name in reversed(LIBRARIES) if name in names}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds + 1):
            for module, name in reversed(modules.items()):
                python = python_of(name, pythons)
                if python is None:
                    continue
                done = subprocess.run(
                    [python, "-c", IMPORT.format(module)],
                    capture_output=True, text=True, check=False, env=environment(folder),
                )  # fmt: skip
                if done.returncode == 0:
                    runs.setdefault(name, []).append(float(done.stdout.split()[-1]))
    # The first round warmed the file cache.
    return {name: {"seconds": statistics.median(times[1:])} for name, times in runs.items()}


def first_steps(
    row: str, names: Sequence[str], pythons: Sequence[str], rounds: int, notes: dict[str, str]
) -> dict[str, dict]:
    """First step and slowest of the first ten, in fresh processes.

    {"facula, empty cache": {"first", "slowest"}, "facula, filled cache": ..., "PyTorch": ...};
    ``notes`` gets why something failed.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    steps = FIRST_STEPS if row.startswith("lenet") else 3
    for _ in range(rounds):
        for name in [n for n in names if can_build(n, find(row)) and python_of(n, pythons)]:
            ours = name.startswith(OURS)
            with tempfile.TemporaryDirectory(prefix="facula-bench-") as folder:
                for state in ("empty cache", "filled cache") if ours else ("",):
                    title = f"{name}, {state}" if state else name
                    try:
                        times = _fresh(row, name, python_of(name, pythons), folder, steps)
                    except Failed as why:
                        notes[title] = str(why)
                        continue
                    found.setdefault(title, []).append((times[0], max(times)))
    return {
        title: {
            "first": statistics.median([first for first, _ in pairs]),
            "slowest": statistics.median([slowest for _, slowest in pairs]),
        }
        for title, pairs in found.items()
    }


def _fresh(row: str, name: str, python: str, folder: str, steps: int) -> list[float]:
    """Seconds of the first steps in a new process, without importing and building."""
    start = os.path.join(folder, "start.npz")
    if not name.startswith(OURS) and find(row).peer:
        writer = Player(OURS, row, start, python_of(OURS, ()), folder, Effort.limit)
        try:
            writer.answer()
        finally:
            writer.end()
    player = Player(name, row, start, python, folder, Effort.limit)
    try:
        player.answer()
        return player.ask("check", steps)["times"]
    finally:
        player.end()


ROWS = {
    "import": "`import`",
    "first-lenet": "first steps of LeNet, batch 4",
    "first-resnet": "first steps of ResNet-34, 32 px, batch 32",
}


def run(name: str, names: Sequence[str], pythons: Sequence[str], quick: bool) -> dict:
    """One of ROWS: {"title", "libraries", "notes"}."""
    notes: dict[str, str] = {}
    if name == "import":
        found = importing(names, pythons, 3 if quick else 5)
    elif name == "first-lenet":
        found = first_steps("lenet-4", names, pythons, 1 if quick else 3, notes)
    else:
        pair = [n for n in (OURS, BASE) if n in names]
        found = first_steps("resnet34-32-train", pair, pythons, 1, notes)
    return {"title": ROWS[name], "libraries": found, "notes": notes}
