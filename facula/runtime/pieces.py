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
        "given", "interpreter", "linked", "native", "nodes", "outputs", "program", "reads", "same",
        "sightings", "specs", "work",
    )  # fmt: skip

    def __init__(self, block: Block):
        self.nodes, self.outputs, self.specs = block.nodes, block.outputs, block.specs
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


class Pieces:
    """A program as pieces that are applied, one after the other, to numbered values."""

    _numbers = count()

    def __init__(self, key: Sequence[int], calls, live: Sequence[int], specs, lines=()):
        self.lines = lines
        self.given = specs
        self.pieces: list[Piece] = []
        self.firsts: list[int] = []  # number of the first result of each
        self.operands: list[int] = []  # of all pieces
        self.calls: list[int] = []  # number of the call that each piece is from
        self.specs: list[Spec] = []  # of the values
        self.inputs: list[int] = []
        self.linked = False  # whether most pieces are machine code
        place = self._expand(key, calls)
        self.outputs = [place[position] for position in live]

    def _expand(self, key: Sequence[int], calls: Sequence[Any]) -> list[int]:
        """Fill in the pieces; returns the number of the value at each position of the recording."""
        place: list[int] = []
        entries, given, at = enumerate(calls), iter(self.given), 0
        while at < len(key):
            number = key[at]
            at += 1
            if number < 0:
                place.append(len(self.specs))
                self.inputs.append(len(self.specs))
                self.specs.append(next(given))
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
        places, at, append = composite.places, 0, self._append
        for part in composite.parts:
            end = at + len(part.inputs)
            found += append(part, [found[i] for i in places[at:end]], call)
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
        specs = self.specs
        first = len(specs)
        specs += piece.specs
        self.pieces.append(piece)
        self.firsts.append(first)
        self.operands += operands
        self.calls.append(call)
        return range(first, len(specs))

    def work(self) -> float:
        """As :func:`tiers.work` of the program's nodes."""
        return sum([piece.work for piece in self.pieces])

    def link(self) -> str:
        """Count this program, and make machine code of pieces seen often; what will run it."""
        program, often, native = next(Pieces._numbers), [], 0
        for piece in self.pieces:
            if piece.program != program and piece.sightings < tiers.OFTEN:
                piece.program = program
                piece.sightings += 1
                if piece.sightings == tiers.OFTEN:
                    often.append(piece)
            native += piece.native
        if often:
            _link(often, True)
            native = sum([piece.native for piece in self.pieces])
        if native * 2 > len(self.pieces) and sum([spec.nbytes for spec in self.specs]) < _MOST:
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
            call = self.calls[number]
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
