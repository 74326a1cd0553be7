"""Runs a program block by block: what is seen for the first time is not expanded into nodes.

Most programs that never repeat are made of operations that do. Each operation's block is prepared
once, as a :class:`Piece`; running a program of them costs little more than calling them in order.
A piece runs on the reference engine until it was part of `tiers.OFTEN` such programs; from then on
it is machine code (engines/native/linked.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np

from facula.engines.protocol import BadIndex, Executable
from facula.engines.registry import engine
from facula.graph.composite import Composite
from facula.graph.node import Block
from facula.runtime import tiers
from facula.runtime.source import Line

_PASSED, _SOLID = 1, 2  # what happens to a value: a piece reads it; it has to be an array


class Piece:
    """A block prepared to run by itself.

    ``reads`` says which of its operands matter (None: all of them), ``same`` is a block without
    operations: which operands its results are. ``constant`` are the results of a block that
    reads nothing.
    """

    __slots__ = (
        "block", "constant", "count", "executable", "given", "linked", "program", "reads", "same",
        "sightings", "work",
    )  # fmt: skip

    def __init__(self, block: Block):
        self.block = block
        self.count = len(block.outputs)
        self.work = tiers.work(block.nodes)
        self.same = None if block.nodes else [block.inputs.index(n) for n in block.outputs]
        used = {n for node in block.nodes for n in node.inputs}.union(block.outputs)
        reads = [i for i, node in enumerate(block.inputs) if node in used]
        self.reads = None if len(reads) == len(block.inputs) else reads
        self.given = [block.inputs[i] for i in reads]
        nodes = [*self.given, *block.nodes]
        self.executable: Executable = engine("reference").compile(nodes, block.outputs)
        self.constant = None if reads else self.executable.run([])
        self.sightings = 0  # programs it was part of
        self.program = -1  # the last of them
        self.linked: Any = None  # its machine code; False if there is none


class Pieces:
    """A program as a list of pieces over numbered values."""

    _numbers = count()

    def __init__(self, key: Sequence[int], calls: Sequence[Any], live: Sequence[int], lines=()):
        self.recorded = calls, lines
        self.linked = False  # whether some pieces are machine code
        self.size = 0
        # (piece, operands, number of the first result, number of the call)
        self.steps: list[tuple[Piece, list[int], int, int]] = []
        self.inputs: list[int] = []
        place = self._expand(key, calls)
        self.outputs = [place[position] for position in live]

    def _expand(self, key: Sequence[int], calls: Sequence[Any]) -> list[int]:
        """The steps; returns the number of the value at each position of the recording."""
        place: list[int] = []
        entries, at = enumerate(calls), 0
        while at < len(key):
            number = key[at]
            at += 1
            if number < 0:
                place.append(self.size)
                self.inputs.append(self.size)
                self.size += 1
                continue
            call, entry = next(entries)
            block = entry.block
            end = at + len(block.inputs)
            operands = [place[position] for position in key[at:end]]
            at = end
            if block.__class__ is Composite:
                place += self._expand_parts(block, operands, call)
            else:
                place += self._append(block, operands, call)
        return place

    def _expand_parts(self, composite: Composite, found: list[int], call: int) -> list[int]:
        places, at = composite.places, 0
        for part in composite.parts:
            end = at + len(part.inputs)
            found += self._append(part, [found[i] for i in places[at:end]], call)
            at = end
        return [found[i] for i in composite.outputs]

    def _append(self, block: Block, operands: list[int], call: int) -> Sequence[int]:
        piece = block.piece
        if piece is None:
            piece = block.piece = Piece(block)
        if piece.same is not None:
            return [operands[i] for i in piece.same]
        if piece.reads is not None:
            operands = [operands[i] for i in piece.reads]
        first = self.size
        self.steps.append((piece, operands, first, call))
        self.size = end = first + piece.count
        return range(first, end)

    def work(self) -> float:
        """As :func:`tiers.work` of the program's nodes."""
        return sum([step[0].work for step in self.steps])

    def link(self) -> str:
        """Count this program, and make machine code of pieces seen often; what will run it."""
        program, often = next(Pieces._numbers), []
        for piece, _, _, _ in self.steps:
            if piece.program != program and piece.linked is None:
                piece.program = program
                piece.sightings += 1
                if piece.sightings >= tiers.OFTEN and piece.constant is None:
                    often.append(piece)
        if often:
            blocks = [(p.given, p.block.nodes, p.block.outputs) for p in often]
            for piece, linked in zip(often, tiers.compiler().link(blocks), strict=True):
                piece.linked = linked or False
        self.linked = any(step[0].linked for step in self.steps)
        return tiers.BLOCKS if self.linked else "reference"

    def run(self, buffers: Sequence[Any]) -> list[Any]:
        """Run what the outputs depend on."""
        values: list[Any] = [None] * self.size
        for number, buffer in zip(self.inputs, buffers, strict=True):
            values[number] = buffer
        use, steps = self._needed()
        with np.errstate(all="ignore"):
            if self.linked:
                self._run_linked(steps, use, values)
            else:
                self._run_all(steps, values)
        return [values[i] for i in self.outputs]

    def _run_all(self, steps, values: list[Any]) -> None:
        for piece, operands, first, _, dying in steps:
            if piece.constant is not None:
                values[first : first + piece.count] = [np.array(x) for x in piece.constant]
                continue
            found = piece.executable.compute([values[i] for i in operands])
            values[first : first + piece.count] = found
            for i in dying:
                values[i] = None

    def _run_linked(self, steps, use: bytearray, values: list[Any]) -> None:
        chain = tiers.compiler().chain(values)
        try:
            for piece, operands, first, call, dying in steps:
                if piece.linked:
                    chain.call(piece.linked, operands, first, use, dying, call)
                elif piece.constant is not None:
                    for number, value in enumerate(piece.constant, first):
                        values[number] = np.array(value) if use[number] == _SOLID else value
                else:
                    chain.run()
                    found = piece.executable.compute([values[i] for i in operands])
                    values[first : first + piece.count] = found
                    for i in dying:
                        values[i] = None
            chain.run()
        except BadIndex as error:
            message, call = error.args
            line = self.recorded[1][call] if call < len(self.recorded[1]) else None
            raise IndexError(f"{message} ({Line(line)})" if line else message) from None
        finally:
            chain.close()

    def _needed(self):
        """(use of each value, the steps that matter with the values nobody needs after each)."""
        use = bytearray(self.size)
        for i in self.outputs:
            use[i] = _SOLID
        kept = []
        for piece, operands, first, call in reversed(self.steps):
            end = first + piece.count
            if not any(use[first:end]):
                continue
            dying = [i for i in range(first, end) if not use[i]] if piece.count > 1 else []
            mark = _PASSED if piece.linked else _SOLID
            for i in operands:
                if not use[i]:
                    use[i] = mark
                    dying.append(i)
                elif mark > use[i]:
                    use[i] = mark
            kept.append((piece, operands, first, call, dying))
        kept.reverse()
        return use, kept
