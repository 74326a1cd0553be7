"""Measures a row: every library in its own process, results compared, then short turns."""

from __future__ import annotations

import contextlib
import json
import os
import select
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from libraries import BASE, LIBRARIES, OURS, PEER_FILES, can_build, python_of

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
    """Environment of a worker: the checkout first, a disk cache of its own unless one is given."""
    path = [str(HERE.parent), os.environ.get("PYTHONPATH", "")]
    return {
        "FACULA_CACHE": str(Path(folder) / "cache"),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "JAX_PLATFORMS": "cpu",
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, path)),
    }


def distance(found: list[list[float]], want: list[list[float]]) -> float:
    """Largest difference of two results, relative to the size of the step's result."""
    worst = 0.0
    for ours, theirs in zip(found, want, strict=True):
        if len(ours) != len(theirs):
            return float("inf")
        scale = max([abs(x) for x in theirs], default=0.0) or 1.0
        for a, b in zip(ours, theirs, strict=True):
            error = abs(a - b) / scale
            worst = max(worst, error if error == error else float("inf"))
    return worst


def measure(row, names: Sequence[str], pythons: Sequence[str], effort: Effort) -> dict:
    """A row's figures: {"libraries": {name: {...}}, "flops", "notes"}."""
    notes: dict[str, str] = {}
    found: dict[str, dict] = {}
    names = [n for n in LIBRARIES if n in names and can_build(n, row)]
    with tempfile.TemporaryDirectory(prefix="facula-bench-") as folder:
        players: dict[str, Player] = {}
        try:
            for name in names:
                python = python_of(name, pythons)
                if python is None:
                    continue
                try:
                    players[name] = _ready(row, name, python, folder, effort, found)
                except Failed as why:
                    notes[name] = str(why)
            _compare(row, players, found, notes)
            flops = row.flops
            _turns(row, players, found, notes, effort)
            for name, player in list(players.items()):
                found[name].update(player.ask("memory"))
                if name == BASE and flops is None:
                    with contextlib.suppress(Failed):
                        flops = player.ask("flops")["flops"]
        finally:
            for player in players.values():
                player.end()
    _ratios(found)
    timed = {name: facts for name, facts in found.items() if "seconds" in facts}
    return {"libraries": timed, "flops": flops, "notes": notes}


def _ready(row, name: str, python: str, folder: str, effort: Effort, found) -> Player:
    """A library's process, after its first steps."""
    start = str(Path(folder) / "start.npz") if row.peer else ""
    if name in PEER_FILES and not Path(start).exists():
        raise Failed("facula did not get as far as the initial weights")
    player = Player(name, row.name, start, python, folder, effort.limit)
    facts = player.answer()
    facts.update(player.ask("check", row.checks))
    found[name] = facts
    return player


def _compare(row, players: dict[str, Player], found, notes) -> None:
    """Outputs before times: a library whose results differ is not timed."""
    base = BASE if BASE in players else OURS
    if base not in players:
        return
    for name in [n for n in players if n != base]:
        error = distance(found[name]["values"], found[base]["values"])
        found[name]["distance"] = error
        if error > row.tolerance:
            notes[name] = f"results differ from {base}'s by {error:.1e} (at most {row.tolerance})"
            players.pop(name).end()


def _turns(row, players: dict[str, Player], found, notes, effort: Effort) -> None:
    """The libraries take turns; one that fails drops out."""
    plan = {}
    for name, player in list(players.items()):
        try:
            # Six steps: capture and tiers have made up their minds by then.
            taken = player.ask("warm", effort.turn * 2, row.steps or 6)["step"]
        except Failed as why:
            notes[name] = str(why)
            del players[name]
            continue
        steps = row.steps or max(1, int(effort.turn / taken))
        lead = 0 if row.steps or steps == 1 else 1 + steps // 20
        rounds = max(3, min(effort.rounds, int(effort.budget / (taken * steps))))
        plan[name] = (lead, steps, rounds)
        found[name]["turns"] = []
    # Everyone plays as many rounds, so that ratios are of neighbours in time.
    for _ in range(min([rounds for *_, rounds in plan.values()], default=0)):
        for name, player in list(players.items()):
            lead, steps, _ = plan[name]
            time.sleep(effort.settle)
            try:
                found[name]["turns"].append(player.ask("turn", lead, steps)["seconds"])
            except Failed as why:
                notes[name] = str(why)
                del players[name], found[name]["turns"]


def _ratios(found: dict[str, dict]) -> None:
    """Medians, and the median of PyTorch's time over each library's in the same round."""
    base = found.get(BASE, {}).get("turns")
    for facts in found.values():
        turns = facts.pop("turns", None)
        facts["first"] = facts["build"] + facts.pop("times")[0]
        facts.pop("values")
        if not turns:
            continue
        facts["seconds"] = statistics.median(turns)
        facts["spread"] = (max(turns) - min(turns)) / facts["seconds"]
        if base:
            facts["ratio"] = statistics.median([a / b for a, b in zip(base, turns)])
