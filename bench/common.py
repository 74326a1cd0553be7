"""What the benchmarks share: medians, interleaved runs, the machine's description."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable


def optional(name: str):
    """A module if it is installed, else None."""
    try:
        return __import__(name)
    except ImportError:
        return None


def seconds(function: Callable[[], object], times: int) -> float:
    """Time of one call, over ``times`` calls in a row."""
    start = time.perf_counter()
    for _ in range(times):
        function()
    return (time.perf_counter() - start) / times


def interleaved(functions: dict[str, Callable], times: int, rounds: int = 9) -> dict[str, float]:
    """Median seconds of each function; they take turns, so that a slow moment hits all of them."""
    found: dict[str, list[float]] = {name: [] for name in functions}
    for function in functions.values():
        seconds(function, max(2, times // 5))
    for _ in range(rounds):
        for name, function in functions.items():
            found[name].append(seconds(function, times))
    return {name: statistics.median(values) for name, values in found.items()}


def machine() -> str:
    """One line about where the figures come from."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as file:
            name = next(
                line.split(":")[1].strip() for line in file if line.startswith("model name")
            )
    except (OSError, StopIteration):
        pass
    return f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}"


def report(rows: list[tuple[str, float, float | None, str]]) -> None:
    """Rows of (what, ours, PyTorch's or None, unit) with the ratio."""
    width = max(len(row[0]) for row in rows)
    for what, ours, theirs, unit in rows:
        line = f"{what:<{width}}  facula {ours:9.3f} {unit}"
        if theirs is not None:
            line += f"   PyTorch {theirs:9.3f} {unit}   PyTorch/facula {theirs / ours:5.2f}"
        print(line)
