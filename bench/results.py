"""Keeps the figures in results.json and writes them as tables in RESULTS.md."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from common import machine
from families import ROWS
from libraries import BASE, LIBRARIES, OURS, python_of
from tables import seconds, table

HERE = Path(__file__).resolve().parent
STORE, REPORT = HERE / "results.json", HERE / "RESULTS.md"
CAPTURE = "facula.capture"
PEERS = [name for name in LIBRARIES if name not in (OURS, CAPTURE, BASE)]
GROUPS = (
    "small networks", "convolutional networks", "sequences", "worst cases", "data", "sweeps",
)  # fmt: skip

INTRODUCTION = """\
# Measured speed

Written by `python bench/run.py` (`make bench`). Every library runs in a process of its own; they
take short turns, so that a slow moment hits all of them. Their results are compared before
anything is timed. Times are medians of turns; ratios are medians of the ratios within a round, and
above one where facula is the faster. "Of peak" is the arithmetic of the contractions over time and
over the measured peak of all cores; arithmetic is that of the direct methods, so Winograd's, which
multiplies less, can be above 100 %. Goals are from the design.
"""


def commit() -> str:
    """The checkout's commit, with + where files differ from it."""
    command = ["git", "-C", str(HERE), "describe", "--always", "--dirty=+"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _version(name: str, python: str) -> str:
    module = LIBRARIES[name][0]
    names = [module, f"{module}_cpu"]
    code = (
        "import importlib.metadata as m\n"
        f"for name in {names}:\n"
        "    try:\n        print(m.version(name)); break\n"
        "    except m.PackageNotFoundError: pass"
    )
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return f"{module} {done.stdout.strip() or '(unknown version)'}"


def describe(names: Iterable[str], pythons: Sequence[str]) -> dict:
    """The machine and the versions: figures of different ones never stand in one table."""
    found = {_version(n, python) for n in names if (python := python_of(n, pythons))}
    return {
        "machine": machine(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": sorted(found),
        "threads": os.environ.get("OMP_NUM_THREADS", "each library's default"),
    }


class Results:
    """All rows measured on this machine so far."""

    def __init__(self, where: dict, peak: dict | None):
        kept = json.loads(STORE.read_text()) if STORE.is_file() else {}
        same = kept.get("where", {}).get("machine") == where["machine"]
        self.rows: dict[str, dict] = kept["rows"] if same else {}
        versions = sorted({*where["versions"], *(kept["where"]["versions"] if same else ())})
        # The peak is the machine's; a lower one was measured while something else ran.
        peaks = [p for p in (peak, kept["where"]["peak"] if same else None) if p]
        best = max(peaks, key=lambda p: p["all"], default=None)
        self.where = {**where, "versions": versions, "peak": best}

    def add(self, name: str, facts: dict, quick: bool) -> None:
        """Keep a row's figures in place of older ones, and write both files."""
        stamp = {"date": datetime.date.today().isoformat(), "commit": commit(), "quick": quick}
        self.rows[name] = {**facts, **stamp}
        text = {"where": self.where, "rows": self.rows}
        STORE.write_text(json.dumps(text, indent=1, sort_keys=True) + "\n")
        REPORT.write_text(self.report())

    def report(self) -> str:
        order = {row.name: i for i, row in enumerate(ROWS)}
        names = sorted(self.rows, key=lambda name: order.get(name, len(order)))
        rows = [self.rows[name] for name in names]
        parts = [INTRODUCTION, self._where(rows)]
        for group in GROUPS:
            chosen = [row for row in rows if row.get("group") == group]
            if chosen:
                parts.append(f"## {group.capitalize()}\n\n{main_table(chosen, self.where['peak'])}")
        parts.append(_others(rows))
        parts.append(_first(rows))
        parts.append(_script(self.rows.get("script")))
        parts.append(_memory(rows))
        parts.append(_notes(self.rows))
        return "\n".join([part.rstrip() + "\n" for part in parts if part])

    def _where(self, rows) -> str:
        dates = sorted({row["date"] for row in rows})
        quick = sum(row["quick"] for row in rows)
        peak = self.where["peak"]
        lines = [
            f"- Machine: {self.where['machine']}; {self.where['system']}",
            f"- Versions: {', '.join(self.where['versions'])}",
            f"- Commits: {', '.join(sorted({row['commit'] for row in rows}))}",
            f"- Dates: {' to '.join(dict.fromkeys([dates[0], dates[-1]]))}",
            f"- Threads (OMP_NUM_THREADS): {self.where['threads']}",
        ]
        if peak:
            one, every = peak["one"], peak["all"]
            lines.append(
                f"- Measured float32 peak: {one:.0f} GFLOP/s on one core, {every:.0f} on all "
                f"(vectors of {peak['lanes']})"
            )
        if quick:
            lines.append(f"- {quick} of {len(rows)} rows come from a quick run: rougher medians")
        return "\n".join(lines) + "\n"


def _ratio(facts: dict | None, goal: float | None = None) -> str:
    if not facts or "ratio" not in facts:
        return ""
    text = f"{facts['ratio']:.2f}x"
    if goal is None:
        return text
    return f"{text} ({'reached' if facts['ratio'] >= goal else 'missed'}: {goal:g}x)"


def _of_peak(row: dict, facts: dict | None, peak: dict | None) -> str:
    if not (facts and row.get("flops") and peak):
        return ""
    return f"{row['flops'] / facts['seconds'] / peak['all'] / 1e9:.0%}"


def fastest_peer(row: dict) -> tuple[str, float] | None:
    """Name and seconds of the quickest library besides facula and PyTorch."""
    found = {n: row["libraries"][n]["seconds"] for n in PEERS if n in row["libraries"]}
    best = min(found, key=found.__getitem__, default=None)
    return (best, found[best]) if best else None


def main_table(rows: list[dict], peak: dict | None) -> str:
    """The rows of one group; columns that none of them fills are left out."""
    head = [
        "work", "PyTorch", "facula", "PyTorch / facula", "facula.capture", "PyTorch / capture",
        "of peak: facula", "of peak: PyTorch", "fastest other", "other / facula",
    ]  # fmt: skip
    lines = []
    for row in rows:
        ours, captured, base = (row["libraries"].get(n) for n in (OURS, CAPTURE, BASE))
        best = fastest_peer(row)
        lines.append([
            row["title"],
            seconds(base and base["seconds"]),
            seconds(ours and ours["seconds"]),
            _ratio(ours, row.get("goal")),
            seconds(captured and captured["seconds"]),
            _ratio(captured, row.get("capture_goal")),
            _of_peak(row, ours, peak),
            _of_peak(row, base, peak),
            f"{best[0]} {seconds(best[1])}" if best else "",
            f"{best[1] / ours['seconds']:.2f}x" if best and ours else "",
        ])  # fmt: skip
    return table(head, lines)


def _others(rows: list[dict]) -> str:
    chosen = [r for r in rows if r.get("group") and fastest_peer(r)]
    if not chosen:
        return ""
    names = [OURS, CAPTURE, BASE, *PEERS]
    lines = [
        [r["title"], *[seconds(r["libraries"].get(n, {}).get("seconds")) for n in names]]
        for r in chosen
    ]
    return f"## Other libraries\n\n{table(['work', *names], lines)}"


def _first(rows: list[dict]) -> str:
    lines = []
    for row in [r for r in rows if not r.get("group") and "libraries" in r]:
        for name, facts in row["libraries"].items():
            first = facts.get("first", facts.get("seconds"))
            lines.append([row["title"], name, seconds(first), seconds(facts.get("slowest"))])
    if not lines:
        return ""
    head = ["what", "library", "time", "slowest of the first ten"]
    return (
        "## Starting\n\nIn fresh processes. A small program is interpreted when it is first seen "
        "and compiled when it comes again, so the slowest of the first ten steps counts. "
        "Goals: importing in 0.2 s; LeNet in 0.5 s with an empty cache and 0.1 s with a filled "
        "one; ResNet-34 in 5 s with an empty cache.\n\n" + table(head, lines)
    )


def _script(found: dict | None) -> str:
    if not found:
        return ""
    lines = []
    ours, theirs = found["runs"].get(OURS, []), found["runs"].get(BASE, [])
    for seed in range(max(len(ours), len(theirs))):
        for name, runs in ((OURS, ours), (BASE, theirs)):
            if seed < len(runs):
                run = runs[seed]
                accuracy = f"{run['accuracy']} %"
                lines.append([str(seed), name, seconds(run["seconds"]), run["loss"], accuracy])
    text = table(["seed", "library", "whole process", "final running loss", "accuracy"], lines)
    if ours and theirs:
        ratio = sum(r["seconds"] for r in theirs) / sum(r["seconds"] for r in ours)
        text += f"\nPyTorch / facula: {ratio:.1f}x (goal 12x).\n"
    if any(run["stand_in"] for run in theirs):
        text += (
            "torchvision is not installed; `bench/standins` does its work a picture at a time.\n"
        )
    return f"## The whole CIFAR-10 tutorial script\n\n{text}"


def _memory(rows: list[dict]) -> str:
    chosen = [r for r in rows if r.get("group") and r["group"] != "sweeps"]
    names = [n for n in LIBRARIES if any(n in r["libraries"] for r in chosen)]
    lines = []
    for row in chosen:
        held = [row["libraries"].get(n, {}).get("memory") for n in names]
        lines.append([row["title"], *["" if m is None else f"{m:,.0f}" for m in held]])
    if not lines:
        return ""
    return f"## Peak memory of the process, MB\n\n{table(['work', *names], lines)}"


def _notes(rows: dict[str, dict]) -> str:
    lines = [
        f"- {row['title']}, {library}: {why}"
        for row in rows.values()
        for library, why in row.get("notes", {}).items()
    ]
    return "## Not measured\n\n" + "\n".join(lines) if lines else ""
