"""Measures a row: every library in its own process, results compared, then short turns."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import select
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from libraries import BASE, LIBRARIES, OURS, can_build, python_of

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Effort:
    """How long a row is measured."""

    rounds: int = 9
    turn: float = 0.06  # seconds of a turn; at least one step
    budget: float = 10.0  # seconds of one library's turns, as far as three rounds allow
    settle: float = 0.02  # seconds between turns in which the threads of the last one go to sleep
    limit: float = 300.0  # seconds after which an answer is given up


QUICK = Effort(rounds=5, turn=0.03, budget=3.0)


class Failed(Exception):
    """A library could not do the row; the message says why."""


class Player:
    """One library's process."""

    def __init__(self, name: str, row: str, start: str, python: str, folder: str, limit: float):
        self.name = name
        self._limit = limit
        self._log = Path(folder) / f"{name}.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [python, str(HERE / "worker.py"), name, row, start],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment(folder),
            )

    def answer(self) -> dict:
        out = self._process.stdout
        if hasattr(select, "poll") and not select.select([out], [], [], self._limit)[0]:
            self.end()
            raise Failed(f"no answer in {self._limit:.0f} s")
        line = out.readline()
        if not line:
            self.end()
            lines = self._log.read_text(errors="replace").strip().splitlines() or [""]
            raise Failed(f"ended with status {self._process.returncode}: {lines[-1][:200]}")
        found = json.loads(line)
        if "error" in found:
            self.end()
            raise Failed(found["error"])
        return found

    def ask(self, *command) -> dict:
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write((" ".join(map(str, command)) + "\n").encode())
            self._process.stdin.flush()
        return self.answer()

    def end(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def environment(folder: str) -> dict[str, str]:
    """Environment of a worker: the checkout first, a disk cache of its own.

    Python may write its bytecode, as it does for installed packages: the others' was written then.
    """
    path = [str(HERE.parent), os.environ.get("PYTHONPATH", "")]
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {
        **inherited,
        "PYTHONPATH": os.pathsep.join(filter(None, path)),
        "FACULA_CACHE": str(Path(folder) / "cache"),
        "TORCHINDUCTOR_CACHE_DIR": str(Path(folder) / "inductor"),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "JAX_PLATFORMS": "cpu",
    }


def distance(found: list[list[list[float]]], want: list[list[list[float]]]) -> float:
    """Largest difference of two libraries' digests, relative to the size of the array.

    Digests are lists by step, array and number; infinite where they have not the same form.
    """
    if [list(map(len, step)) for step in found] != [list(map(len, step)) for step in want]:
        return math.inf
    worst = 0.0
    for ours, theirs in zip(itertools.chain(*found), itertools.chain(*want)):
        scale = max([abs(x) for x in theirs], default=0.0) or 1.0
        for a, b in zip(ours, theirs):
            error = abs(a - b) / scale
            worst = max(worst, math.inf if math.isnan(error) else error)
    return worst


class Match:
    """One row: its players, what was found about each, and why some dropped out."""

    def __init__(self, row, effort: Effort, folder: str):
        self._row, self._effort, self._folder = row, effort, folder
        self._players: dict[str, Player] = {}
        self.found: dict[str, dict] = {}
        self.notes: dict[str, str] = {}

    def each(self, action: Callable[[str, Player], dict | None]) -> None:
        """Apply ``action`` to every player and keep what it returns; who fails drops out."""
        for name, player in list(self._players.items()):
            try:
                self.found[name].update(action(name, player) or {})
            except Failed as why:
                self.drop(name, str(why))

    def drop(self, name: str, why: str) -> None:
        self.notes[name] = why
        self._players.pop(name).end()
        self.found.pop(name, None)

    def start(self, names: Sequence[str], pythons: Sequence[str]) -> None:
        """Start the processes; facula's first: it writes what the others begin with."""
        start = str(Path(self._folder) / "start.npz") if self._row.peer else ""
        for name in names:
            python = python_of(name, pythons)
            if python is None:
                continue
            player = Player(name, self._row.name, start, python, self._folder, self._effort.limit)
            self._players[name], self.found[name] = player, {}
            if name == OURS:
                self.each(lambda _, player: player.answer())
        for name in [name for name in self._players if name != OURS]:  # they import side by side
            try:
                self.found[name].update(self._players[name].answer())
            except Failed as why:
                self.drop(name, str(why))
        self.each(lambda _, player: player.ask("check", self._row.checks))

    def compare(self) -> None:
        """Outputs before times: a library whose results differ is not timed."""
        base = BASE if BASE in self._players else OURS
        for name in [n for n in self._players if n != base and base in self._players]:
            error = distance(self.found[name]["values"], self.found[base]["values"])
            if error > self._row.tolerance:
                why = f"results differ from {base}'s by {error:.1e} (at most {self._row.tolerance})"
                self.drop(name, why)
            else:
                self.found[name]["distance"] = error

    def play(self) -> None:
        """The libraries take turns, all of them as many, so that ratios are of neighbours."""
        effort, row, plan = self._effort, self._row, {}

        def warm(name, player):
            # Six steps: capture and tiers have made up their minds by then.
            taken = player.ask("warm", effort.turn * 2, row.steps or 6)["step"]
            steps = row.steps or max(1, int(effort.turn / taken))
            lead = 0 if row.steps or steps == 1 else 1 + steps // 20
            plan[name] = (lead, steps)
            return {"turns": [], "rounds": int(effort.budget / (taken * steps))}

        def turn(name, player):
            time.sleep(effort.settle)
            self.found[name]["turns"].append(player.ask("turn", *plan[name])["seconds"])

        self.each(warm)
        affordable = [self.found[name].pop("rounds") for name in self._players]
        for _ in range(max(3, min([effort.rounds, *affordable]))):
            self.each(turn)
        self.each(lambda _, player: player.ask("memory"))

    def flops(self) -> float | None:
        """Stated by the row, or counted by PyTorch."""
        if self._row.flops is not None or BASE not in self._players:
            return self._row.flops
        try:
            return self._players[BASE].ask("flops")["flops"]
        except Failed:
            return None

    def end(self) -> None:
        for player in self._players.values():
            player.end()


def measure(row, names: Sequence[str], pythons: Sequence[str], effort: Effort) -> dict:
    """A row's figures: {"libraries": {name: {...}}, "flops", "notes"}."""
    names = [name for name in LIBRARIES if name in names and can_build(name, row)]
    with tempfile.TemporaryDirectory(prefix="facula-bench-") as folder:
        match = Match(row, effort, folder)
        try:
            match.start(names, pythons)
            match.compare()
            match.play()
            flops = match.flops()
        finally:
            match.end()
    found = {name: _summary(facts, match.found.get(BASE)) for name, facts in match.found.items()}
    return {"libraries": found, "flops": flops, "notes": match.notes}


def _summary(facts: dict, base: dict | None) -> dict:
    """Median of the turns, and the median of PyTorch's time over ours in the same round."""
    turns = facts["turns"]
    middle = statistics.median(turns)
    found = {
        "seconds": middle,
        "spread": (max(turns) - min(turns)) / middle,
        "memory": facts["memory"],
        "distance": facts.get("distance", 0.0),
    }
    if base:
        found["ratio"] = statistics.median([a / b for a, b in zip(base["turns"], turns)])
    return found
