"""Runs a program block by block: what is seen for the first time is not expanded into nodes.

Most programs that never repeat are made of operations that do. Each operation's block is prepared
once, as a :class:`Piece`; running a program of them costs little more than calling them in order.
Results are those of the reference engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from facula.engines.protocol import Executable
from facula.engines.registry import engine
from facula.graph.composite import Composite
from facula.graph.node import Block
from facula.runtime import tiers


class Piece:
    """A block prepared to run by itself: what it reads, what it costs, and what runs it."""

    __slots__ = ("count", "executable", "given", "reads", "work")

    def __init__(self, block: Block):
        self.given = len(block.inputs)
        self.count = len(block.outputs)
        self.work = tiers.work(block.nodes)
        used = {n for node in block.nodes for n in node.inputs}.union(block.outputs)
        # which of its operands matter; None: all of them
        reads = [i for i, node in enumerate(block.inputs) if node in used]
        self.reads = None if len(reads) == self.given else reads
        nodes = [*block.inputs, *block.nodes]
        self.executable: Executable = engine("reference").compile(nodes, block.outputs)


def piece(block: Block) -> Piece:
    """What was made of a block; made when it is first needed."""
    found = block.piece
    if found is None:
        found = block.piece = Piece(block)
    return found


class Pieces:
    """A program as a list of pieces over numbered values."""

    def __init__(self, key: Sequence[int], calls: Sequence[Any], live: Sequence[int]):
        self.size = 0
        self.steps: list[tuple[Piece, list[int], int]] = []  # piece, operands, first result
        self.place: list[int] = []  # number of the value at each position of the recording
        self.inputs: list[int] = []
        self._expand(key, calls)
        self.outputs = [self.place[position] for position in live]

    def _expand(self, key: Sequence[int], calls: Sequence[Any]) -> None:
        place, entries, at = self.place, iter(calls), 0
        while at < len(key):
            number = key[at]
            at += 1
            if number < 0:
                place.append(self.size)
                self.inputs.append(self.size)
                self.size += 1
                continue
            block = next(entries).block
            end = at + len(block.inputs)
            operands = [place[position] for position in key[at:end]]
            at = end
            if block.__class__ is Composite:
                place += self._expand_parts(block, operands)
            else:
                place += self._append(block, operands)

    def _expand_parts(self, composite: Composite, found: list[int]) -> list[int]:
        places, at = composite.places, 0
        for part in composite.parts:
            end = at + len(part.inputs)
            found += self._append(part, [found[i] for i in places[at:end]])
            at = end
        return [found[i] for i in composite.outputs]

    def _append(self, block: Block, operands: list[int]) -> range:
        made = block.piece or piece(block)
        first = self.size
        self.steps.append((made, operands, first))
        self.size = end = first + made.count
        return range(first, end)

    def work(self) -> float:
        """As :func:`tiers.work` of the program's nodes."""
        return sum([made.work for made, _, _ in self.steps])

    def run(self, buffers: Sequence[Any]) -> list[Any]:
        """Run what the outputs depend on."""
        values: list[Any] = [None] * self.size
        for number, buffer in zip(self.inputs, buffers, strict=True):
            values[number] = buffer
        with np.errstate(all="ignore"):
            for made, operands, first, dying in self._needed():
                found = made.executable.compute([values[i] for i in operands])
                values[first : first + made.count] = found
                for i in dying:
                    values[i] = None
        return [values[i] for i in self.outputs]

    def _needed(self) -> list[tuple[Piece, list[int], int, list[int]]]:
        """The steps that matter, and the values that nobody needs after each."""
        needed = bytearray(self.size)
        for i in self.outputs:
            needed[i] = 1
        kept = []
        for made, operands, first in reversed(self.steps):
            end = first + made.count
            if not any(needed[first:end]):
                continue
            dying = [i for i in range(first, end) if not needed[i]] if made.count > 1 else []
            for i in operands if made.reads is None else [operands[k] for k in made.reads]:
                if not needed[i]:
                    needed[i] = 1
                    dying.append(i)
            kept.append((made, operands, first, dying))
        kept.reverse()
        return kept
