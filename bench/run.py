"""Runs the benchmarks beside PyTorch and whatever other libraries are there; writes RESULTS.md.

usage: python bench/run.py [--only NAME ...] [--quick] [--script] ...

Optional peers are used where they are installed: torch, jax, tensorflow, tinygrad, in this Python
or in others named with --python. Nothing else should run on the machine meanwhile.
"""

from __future__ import annotations

import argparse
import sys
import time

import peak
import processes
import script
from families import ROWS, data
from libraries import BASE, LIBRARIES, OURS, python_of
from results import Results, describe
from tables import seconds
from turns import QUICK, Effort, measure


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Benchmarks beside PyTorch and other libraries.")
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME",
        help="rows whose name begins so, or the rows of a group (again for more)",
    )  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="fewer and shorter turns")
    parser.add_argument(
        "--libraries", default=",".join(LIBRARIES), metavar="A,B",
        help=f"some of {', '.join(LIBRARIES)} (default: all that are installed)",
    )  # fmt: skip
    parser.add_argument(
        "--python", action="append", default=[], metavar="PATH",
        help="another Python in which to look for libraries that this one lacks",
    )  # fmt: skip
    parser.add_argument("--script", action="store_true", help="the whole CIFAR-10 script: minutes")
    parser.add_argument("--seeds", type=int, default=3, help="runs of the script (default 3)")
    parser.add_argument("--print-only", action="store_true", help="leave RESULTS.md as it is")
    parser.add_argument("--list", action="store_true", help="print the names of the rows")
    given = parser.parse_args()
    given.libraries = given.libraries.split(",")
    unknown = set(given.libraries) - set(LIBRARIES)
    if unknown:
        parser.error(f"unknown libraries: {', '.join(sorted(unknown))}")
    return given


def chosen(only: list[str], name: str, group: str = "") -> bool:
    return not only or any(name.startswith(text) or group == text for text in only)


def line(facts: dict) -> str:
    """A row's times, and PyTorch's as multiples of them."""
    parts = []
    for name, found in facts["libraries"].items():
        ratio = f" ({found['ratio']:.2f}x)" if "ratio" in found and name != BASE else ""
        parts.append(f"{name} {seconds(found['seconds'])}{ratio}")
    return ", ".join(parts)


def main() -> int:
    given = arguments()
    if given.list:
        for row in ROWS:
            print(f"{row.name:<26} {row.title}")
        for name, title in processes.ROWS.items():
            print(f"{name:<26} {title}")
        return 0
    pythons = [sys.executable, *given.python]
    where = describe(given.libraries, pythons)
    top = peak.measured()
    results = Results(where, top)
    print(f"{where['machine']}; {', '.join(where['versions'])}")
    print(f"measured peak: {top}")

    def keep(name: str, facts: dict) -> None:
        if not given.print_only:
            results.add(name, facts, given.quick)

    if not (given.script and not given.only):
        _rows(given, pythons, top, keep)
        for name in [n for n in processes.ROWS if chosen(given.only, n)]:
            facts = processes.run(name, given.libraries, pythons, given.quick)
            print(name, facts["libraries"], facts["notes"] or "", flush=True)
            keep(name, facts)
    if given.script:
        torch = python_of(BASE, pythons) if BASE in given.libraries else None
        keep("script", {"title": "script", "runs": script.run(given.seeds, torch)})
    return 0


def _rows(given, pythons, top, keep) -> None:
    """The rows that are measured in turns."""
    failed = 0
    for row in ROWS:
        if not chosen(given.only, row.name, row.group):
            continue
        if row.needs_data and data.folder() is None:
            print(f"{row.name}: left out, there are no image files (set FACULA_DATA)")
            continue
        begun = time.perf_counter()
        facts = measure(row, given.libraries, pythons, QUICK if given.quick else Effort())
        facts |= {
            "title": row.title, "group": row.group,
            "goal": row.goal, "capture_goal": row.capture_goal,
        }  # fmt: skip
        keep(row.name, facts)
        print(f"{row.name} ({time.perf_counter() - begun:.0f} s): {line(facts)}", flush=True)
        for library, why in facts["notes"].items():
            print(f"  {library}: {why}")
        failed += OURS in facts["notes"]
    if failed:
        print(f"{failed} rows could not be measured in facula")


if __name__ == "__main__":
    sys.exit(main())
