"""The plan cache: from the key of a program to what runs it."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from typing import Any

from facula.base.flags import flags
from facula.base.picking import picker
from facula.graph.node import Node, input_node
from facula.graph.passes import Flattener, live_nodes
from facula.graph.text import program_text
from facula.runtime import tiers
from facula.runtime.compare import Compared
from facula.runtime.pieces import Pieces
from facula.runtime.source import Line

_LIMIT = 200_000  # nodes kept in all: programs that never repeat must not fill the memory
_cache: dict[tuple, Plan] = {}
# By the key alone: which values were seen how often in the last run, and the plan. A loop does the
# same again, and need not find out anew what is still needed.
_latest: dict[tuple, tuple[list[int], Plan]] = {}
_kept = {"nodes": 0}
# How often an engine was chosen for a program: a number that stands still while a loop is steady.
_choices = itertools.count()
_MOST_LATEST = 256


class Plan:
    """A program ready to run, and how often it has been seen."""

    __slots__ = (
        "_donors_in", "_expanded", "_recorded", "chosen", "donors", "early", "engine", "executable",
        "late", "pick_early", "pick_late", "pick_targets", "sightings",
    )  # fmt: skip

    def __init__(self, key, live, specs, calls, lines):
        self._recorded = key, live, specs, calls, lines
        self._expanded: tuple[list[Node], list[Node]] | None = None
        self.sightings = 0
        self.chosen = 0  # which choice of an engine was the last for this program
        self.executable: Any = None
        self.engine = ""
        # Pairs of (input, output): the input's memory serves for the output if nobody needs it.
        self.donors: Sequence[tuple[int, int]] = ()
        self._donors_in: Any = None
        self.late: Sequence[int] = ()  # results that the engine may compute while Python goes on
        self.early: Sequence[int] = ()  # the others, if there are any late ones
        self.pick_targets = picker(live)  # from all values those that are computed
        self.pick_early = self.pick_late = picker(())  # from results

    @property
    def nodes(self) -> list[Node]:
        """The program as nodes, in order; not made before somebody asks for them."""
        return self._expand()[0]

    @property
    def outputs(self) -> list[Node]:
        """The nodes of the results."""
        return self._expand()[1]

    def _expand(self) -> tuple[list[Node], list[Node]]:
        found = self._expanded
        if found is None:
            key, live, specs, calls, lines = self._recorded
            nodes, place = decode(key, specs, calls, lines)
            outputs = [place[position] for position in live]
            found = self._expanded = live_nodes(nodes, outputs), outputs
            _kept["nodes"] += len(found[0])
        return found

    def run(self, buffers: list[Any]) -> list[Any]:
        self.sightings += 1
        if self.executable is None:
            self.compile()
        executable = self.executable
        if tiers.is_for_now(self.engine):
            self.executable = None  # most programs that are interpreted never come again
        return executable.run(buffers)

    def run_over(self, buffers: list[Any], dying, results: list[Any], leave=False) -> bool:
        """Run; ``dying`` inputs, which nobody else needs, may be written over.

        Only where there are :attr:`donors` or :attr:`late` results. With ``leave``, True means
        that the late results are complete after :meth:`finish`.
        """
        self.sightings += 1
        return self.executable.run_over(buffers, dying, results, leave)

    def dying(self, inputs: Sequence, counts: list[int], last: int) -> Sequence[tuple[int, int]]:
        """The donors whose input is held ``last`` times; ``counts`` are by position."""
        if not self.donors:
            return ()
        if self._donors_in is None:  # positions are those of the key: the same in every run
            self._donors_in = picker([inputs[i].position for i, _ in self.donors])
        found = self._donors_in(counts)
        if found.count(last) == len(found):
            return self.donors
        return [donor for donor, held in zip(self.donors, found) if held == last]

    def finish(self) -> None:
        """Return when late results are complete."""
        self.executable.finish()

    def compile(self) -> None:
        """Choose an engine by how often the program has been seen, and compile for it."""
        before, self.chosen = self.chosen, next(_choices)
        since = self.chosen - before
        if tiers.may_be_last(self.sightings, since):
            key, live, specs, calls, lines = self._recorded
            pieces = Pieces(key, calls, live, specs, lines)
            count = len(pieces.pieces)
            if not tiers.is_worth_compiling(pieces.work(), count, self.sightings):
                self.executable, self.engine = pieces, pieces.link()
                if tiers.is_enough(self.engine, self.sightings, since):
                    return
        chosen = tiers.engine_for(self.nodes, self.sightings)
        self.executable = chosen.compile(self.nodes, self.outputs)
        if flags.compare and chosen.name != "reference":
            self.executable = Compared(self.executable, chosen, self.nodes, self.outputs)
        self.engine = chosen.name
        self.donors = getattr(self.executable, "donors", ())
        self.late = getattr(self.executable, "late", ())
        if self.late:
            self.early = sorted(set(range(len(self.outputs))) - set(self.late))
            self.pick_early, self.pick_late = picker(self.early), picker(self.late)

    def text(self) -> str:
        return program_text(self.nodes, self.outputs)


def decode(key: Sequence[int], specs, calls, lines) -> tuple[list[Node], list[Node]]:
    """Expand a recorded program: (all nodes in order, node of each position).

    ``specs`` are those of the inputs, ``calls`` the entries whose numbers stand in the key,
    ``lines`` where each was recorded.
    """
    flat = Flattener()
    place: list[Node] = []
    arguments: list[Node] = []
    entries, sources = iter(calls), iter(lines)
    at = 0
    # Inputs come first in the program whatever their place in the recording, so that an
    # engine finds its buffers in order.
    for spec in specs:
        arguments.append(flat.add_input(input_node(spec)))
    given = iter(arguments)
    while at < len(key):
        number = key[at]
        at += 1
        if number < 0:
            place.append(next(given))
            continue
        entry = next(entries)
        count = len(entry.block.inputs)
        operands = [place[position] for position in key[at : at + count]]
        at += count
        line = next(sources, None)
        place.extend(flat.inline(entry.block, operands, line and Line(line)))
    return flat.nodes, place


def find(key, live, inputs, calls, lines) -> Plan:
    """The plan of a program; made when it is first seen."""
    found = _cache.get((key, live))
    if found is None:
        found = Plan(key, live, [value.spec for value in inputs], calls, lines)
        _kept["nodes"] += len(key)
        if _kept["nodes"] > _LIMIT:
            _make_room()
        _cache[(key, live)] = found
        if flags.debug:
            print(f"facula: new program, {len(found.nodes)} nodes", file=sys.stderr)
            if flags.debug > 1:
                print(found.text(), file=sys.stderr)
    return found


def _make_room() -> None:
    """Forget programs that were seen once; if the others alone are many, those as well."""
    kept = {key: plan for key, plan in _cache.items() if plan.sightings > 1}
    _cache.clear()
    _kept["nodes"] = sum([len(key[0]) + len(plan.nodes) for key, plan in kept.items()])
    if _kept["nodes"] > _LIMIT // 2:
        _kept["nodes"] = 0
    else:
        _cache.update(kept)


def find_latest(key: tuple, counts: list[int]) -> Plan | None:
    """The plan of the last run of these calls, if all values are seen as often as then."""
    found = _latest.get(key)
    return found[1] if found is not None and found[0] == counts else None


def note_latest(key: tuple, counts: list[int], plan: Plan) -> None:
    """Remember a run for :func:`find_latest`, if its program is known to come again."""
    if plan.sightings > 1:
        if len(_latest) >= _MOST_LATEST:
            _latest.clear()
        _latest[key] = counts, plan


def count() -> int:
    """How many distinct programs are known: constant in a steady training loop."""
    return len(_cache)


def known() -> list[Plan]:
    """All programs that are known."""
    return list(_cache.values())


def forget() -> None:
    """Forget all programs; those that run again are made anew."""
    _cache.clear()
    _latest.clear()
    _kept["nodes"] = 0
