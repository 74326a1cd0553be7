"""Runs a program block by block: what is seen for the first time is not expanded into nodes.

Most programs that never repeat are made of operations that do. Each operation's block is prepared
once, as a :class:`Piece`; running a program of them costs little more than calling them in order.
A piece runs on the reference engine until it was part of `tiers.OFTEN` such programs; from then on
it is machine code (engines/native/linked.py).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import count
from typing import Any

from facula.engines.protocol import BadIndex
from facula.engines.registry import engine
from facula.graph.composite import Composite
from facula.graph.node import Block
from facula.graph.spec import Spec
from facula.runtime import tiers
from facula.runtime.source import Line

_MOST = 64 << 20  # bytes of results: beyond, memory that is free again must not wait for the end


class Piece:
    """A block prepared to run by itself.

    ``reads`` says which of its operands matter (None: all of them), ``same`` is a block without
    operations: which operands its results are.
    """

    __slots__ = (
        "given", "interpreter", "linked", "native", "nbytes", "nodes", "outputs", "program",
        "reads", "same", "sightings", "specs", "tried", "work",
    )  # fmt: skip

    def __init__(self, block: Block):
        self.nodes, self.outputs, self.specs = block.nodes, block.outputs, block.specs
        self.nbytes = sum([spec.nbytes for spec in block.specs])
        self.work = tiers.work(block.nodes)
        self.same = None if block.nodes else [block.inputs.index(n) for n in block.outputs]
        used = {n for node in block.nodes for n in node.inputs}.union(block.outputs)
        reads = [i for i, node in enumerate(block.inputs) if node in used]
        self.reads = None if len(reads) == len(block.inputs) else reads
        self.given = [block.inputs[i] for i in reads]
        self.interpreter = _reference().compile([*self.given, *block.nodes], block.outputs)
        self.sightings = 0  # programs it was part of
        self.program = -1  # the last of them
        self.linked: Any = None  # what the native engine made of it
        self.native = False  # whether that is machine code
        self.tried = False  # whether that was asked for


class Pieces:
    """A program as pieces that are applied, one after the other, to numbered values."""

    _numbers = count()

    def __init__(self, key: Sequence[int], calls, live: Sequence[int], specs, lines=()):
        self.lines = lines
        self.given = specs
        self.pieces: list[Piece] = []
        self.firsts: list[int] = []  # number of the first result of each
        self.operands: list[int] = []  # of all pieces
        self.ends: list[int] = []  # number of pieces up to each call
        self.specs: list[Spec] = []  # of the values
        self.inputs: list[int] = []
        self.linked = False  # whether most pieces are machine code
        place = self._expand(key, calls)
        self.outputs = [place[position] for position in live]

    def _expand(self, key: Sequence[int], calls: Sequence[Any]) -> list[int]:
        """Fill in the pieces; returns the number of the value at each position of the recording."""
        place: list[int] = []
        specs, inputs, value_at = self.specs, self.inputs, place.__getitem__
        given, at = iter(self.given), 0
        for entry in calls:
            while key[at] < 0:
                place.append(len(specs))
                inputs.append(len(specs))
                specs.append(next(given))
                at += 1
            block = entry.block
            end = at + 1 + len(block.inputs)
            operands = [*map(value_at, key[at + 1 : end])]
            at = end
            if block.__class__ is Composite:
                place += self._append_parts(block, operands)
            else:
                place += self._append(block, operands)
            self.ends.append(len(self.pieces))
        for spec in given:  # of a call that was refused
            inputs.append(len(specs))
            place.append(len(specs))
            specs.append(spec)
        return place

    def _append_parts(self, composite: Composite, found: list[int]) -> list[int]:
        places, at, append, value_at = composite.places, 0, self._append, found.__getitem__
        for part in composite.parts:
            end = at + len(part.inputs)
            found += append(part, [*map(value_at, places[at:end])])
            at = end
        return [*map(value_at, composite.outputs)]

    def _append(self, block: Block, operands: list[int]) -> Sequence[int]:
        piece = block.piece
        if piece is None:
            piece = block.piece = Piece(block)
        if piece.same is not None:
            return [operands[i] for i in piece.same]
        self.operands += operands if piece.reads is None else [operands[i] for i in piece.reads]
        self.pieces.append(piece)
        specs = self.specs
        first = len(specs)
        self.firsts.append(first)
        specs += piece.specs
        return range(first, len(specs))

    def work(self) -> float:
        """As :func:`tiers.work` of the program's nodes."""
        return sum([piece.work for piece in self.pieces])

    def link(self) -> str:
        """Count this program, and make machine code of pieces seen often; what will run it."""
        program, often, native = next(Pieces._numbers), [], 0
        for piece in self.pieces:
            if piece.native:
                native += 1
            elif piece.program != program and not piece.tried:
                piece.program = program
                piece.sightings += 1
                piece.tried = piece.sightings >= tiers.OFTEN
                if piece.tried:
                    often.append(piece)
        if often and tiers.compiler() is not None:
            _link(often, True)
            native = sum([piece.native for piece in self.pieces])
        if native * 2 > len(self.pieces) and sum([piece.nbytes for piece in self.pieces]) < _MOST:
            _link([piece for piece in set(self.pieces) if piece.linked is None], False)
            self.linked = True
        return tiers.BLOCKS if self.linked else "reference"

    def run(self, buffers: Sequence[Any]) -> list[Any]:
        """Run what the outputs depend on."""
        given = dict(zip(self.inputs, buffers, strict=True))
        if self.linked and all(piece.native for piece in self.pieces):
            return self._run_linked(given)
        with _reference().series():
            return self._run_linked(given) if self.linked else self._interpret(given)

    def _run_linked(self, given: dict[int, Any]) -> list[Any]:
        blocks = [piece.linked for piece in self.pieces]
        run = tiers.compiler().blocks(blocks, self.firsts, self.operands, self.specs)
        try:
            return run.run(given, self.outputs)
        except BadIndex as error:
            message, number = error.args
            call = bisect_right(self.ends, number)
            line = self.lines[call] if call < len(self.lines) else None
            raise IndexError(f"{message} ({Line(line)})" if line else message) from None

    def _interpret(self, values: dict[int, Any]) -> list[Any]:
        for piece, operands, first, dying in self._needed():
            found = piece.interpreter.compute([values[i] for i in operands])
            values.update(enumerate(found, first))
            for i in dying:
                del values[i]
        return [values[i] for i in self.outputs]

    def _needed(self) -> list[tuple[Piece, list[int], int, list[int]]]:
        """The pieces that matter: operands, number of the first result, who is not read later."""
        needed = bytearray(len(self.specs))
        for i in self.outputs:
            needed[i] = 1
        kept = []
        end = len(self.operands)
        for piece, first in zip(reversed(self.pieces), reversed(self.firsts), strict=True):
            start = end - len(piece.given)
            operands, end = self.operands[start:end], start
            after = first + len(piece.specs)
            if not any(needed[first:after]):
                continue
            dying = [i for i in range(first, after) if not needed[i]]
            for i in operands:
                if not needed[i]:
                    needed[i] = 1
                    dying.append(i)
            kept.append((piece, operands, first, dying))
        kept.reverse()
        return kept


def _reference() -> Any:
    return engine("reference")


def _link(pieces: list[Piece], native: bool) -> None:
    blocks = [((p.given, p.nodes, p.outputs), p.interpreter) for p in pieces]
    for piece, linked in zip(pieces, tiers.compiler().link(blocks, native), strict=True):
        piece.linked, piece.native = linked, linked.interpreter is None
