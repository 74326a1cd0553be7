"""What recurrent layers share: rows of the batch in tiles, and products with packed weights.

Rows of a batch do not meet in a recurrence, so each chunk takes some of them through all time
steps. Weights are packed once into panels of a few vectors, as the tiles of the products read them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from math import ceil

from facula.engines.native import ir, target
from facula.engines.native.contraction.copies import Copy
from facula.engines.native.ir import Function, Operand, Value
from facula.engines.native.kernel import Kernel
from facula.engines.native.structured import common
from facula.graph.primitives.recurrence import SMALL

_FEW = 4  # rows that make reading the weights of a step worth while
_CHAINS = 8  # sums at a time that keep the multipliers busy


@dataclass(frozen=True)
class Tiles:
    """How the rows of a batch are divided: ``count`` tiles of ``most`` rows, or one less."""

    batch: int
    count: int

    @classmethod
    def of(cls, batch: int) -> Tiles:
        """Few enough for the sums to stay in registers; an even number, unless rows are few."""
        least = ceil(batch / (12 if target.registers() >= 32 else 6))
        if batch < 2 * _FEW:
            return cls(batch, least)

        def cost(count: int) -> float:  # rows computed, and the weights read for each tile
            return count * (ceil(batch / count) + 0.5)

        least += least % 2
        return cls(batch, min(range(least, 2 * least + 1, 2), key=cost))

    @property
    def most(self) -> int:
        return ceil(self.batch / self.count)

    def first(self, f: Function, tile: Value) -> Value:
        """The first row of a tile."""
        if self.batch % self.count == 0:
            return f.mul(tile, self.most)
        return f.op("udiv", f.mul(tile, self.batch), self.count)


@dataclass(frozen=True)
class Panels:
    """A matrix (depth, width) of weights in panels of ``vectors`` vectors of columns."""

    depth: int
    width: int
    vectors: int
    element: str

    @classmethod
    def of(cls, depth: int, width: int, rows: int, element: str) -> Panels:
        """As many vectors as fill the registers with sums, if the last panel is full too."""
        needed = ceil(width / target.lanes(element))
        most = max(1, min(8, needed, (target.registers() - 2) // (rows + 1)))

        def cost(vectors: int) -> int:
            columns = ceil(needed / vectors) * vectors
            return columns * (2 if vectors * rows < _CHAINS else 1)

        return cls(depth, width, min(range(most, 0, -1), key=cost), element)

    @property
    def lanes(self) -> int:
        return target.lanes(self.element)

    @property
    def columns(self) -> int:
        """Columns of a panel."""
        return self.vectors * self.lanes

    @property
    def count(self) -> int:
        return ceil(self.width / self.columns)

    @property
    def pitch(self) -> int:
        """Elements of a row of results: a whole number of panels."""
        return self.count * self.columns

    @property
    def elements(self) -> int:
        return self.pitch * self.depth

    @property
    def in_place(self) -> bool:
        """Whether a matrix can be read as it lies: no panel reaches over its edge, and it is small.

        The lines of a panel then lie far apart, which large ones would pay for.
        """
        small = self.depth * self.width * ir.align_of(self.element) <= SMALL
        return small and self.width % self.columns == 0

    def packing(self, transposed: bool) -> Kernel:
        """The kernel that packs a matrix, or the transposed of a matrix."""
        across, down = (self.depth, 1) if transposed else (1, self.width)
        copy = Copy.simplified(
            self.element, (self.count, self.depth, self.columns),
            (self.columns * across, down, across), 0, panel=0, total=self.width,
        )  # fmt: skip
        return copy.kernel()


@dataclass(frozen=True)
class Factor:
    """Rows, by where each begins, and the weights that they are multiplied with.

    ``depth`` of their elements take part. Weights are packed, or a matrix ``in_place``.
    """

    rows: Callable[[Value], Value]
    weights: Value
    panels: Panels
    depth: Operand
    in_place: bool = False


class Rows:
    """The rows of one tile in a kernel under construction: a chunk of its work."""

    def __init__(self, f: Function, tiles: Tiles, tile: Value):
        self.f, self.tiles, self.tile = f, tiles, tile
        self.first, self.last = tiles.first(f, tile), tiles.first(f, f.add(tile, 1))

    def scratch(self, pointer: Value, panels: Panels) -> tuple[Value, Value]:
        """Where the tile's products lie, and what they begin with."""
        products = self.tiles.most * panels.pitch
        size = products + panels.pitch
        start = self.f.at(pointer, self.f.mul(self.tile, size), panels.element)
        return start, self.f.at(start, products, panels.element)

    def multiply(self, factors: Sequence[Factor], first: Value, products: Value) -> None:
        """The sum of a row of the products' beginning, ``first``, and each factor's product."""
        panels = factors[0].panels
        rows = [[factor.rows(n) for n in self._numbers()] for factor in factors]
        with self.f.loop(0, panels.count) as panel:
            self._panel(panel, factors, rows, first, products)

    def _numbers(self) -> list[Value]:
        """The rows of the batch that are multiplied together."""
        f, most = self.f, self.tiles.most
        numbers = [f.add(self.first, j) for j in range(most)]
        if self.tiles.batch % self.tiles.count:  # a tile of one row less computes its last twice
            last = f.add(self.last, -1)
            numbers[-1] = f.intrinsic("smin", f.add(self.first, most - 1), last)
        return numbers

    def _panel(
        self, panel: Value, factors: Sequence[Factor], rows: Sequence[Sequence[Value]],
        first: Value, products: Value,
    ) -> None:  # fmt: skip
        """The columns of one panel: their sums stay in registers."""
        f, panels = self.f, factors[0].panels
        element, lanes = panels.element, panels.lanes
        kind = ir.vector(element, lanes)
        column = f.mul(panel, panels.columns)
        places = range(0, panels.columns, lanes)
        begin = f.at(first, column, element)
        starts = [f.load(kind, f.at(begin, v, element)) for v in places]
        sums = [[f.variable(kind, start) for start in starts] for _ in rows[0]]
        for factor, addresses in zip(factors, rows, strict=True):
            size = panels.columns * (1 if factor.in_place else factor.panels.depth)
            pitch = panels.width if factor.in_place else panels.columns
            start = f.at(factor.weights, f.mul(panel, size), element)
            with f.loop(0, factor.depth) as k:
                line = f.at(start, f.mul(k, pitch), element)
                weights = [f.load(kind, f.at(line, v, element)) for v in places]
                for address, slots in zip(addresses, sums, strict=True):
                    one = f.splat(f.load(element, f.at(address, k, element)), lanes)
                    for weight, slot in zip(weights, slots, strict=True):
                        f.set(slot, f.intrinsic("fmuladd", one, weight, f.get(kind, slot)))
        corner = f.at(products, column, element)
        for j, slots in enumerate(sums):
            for v, slot in zip(places, slots, strict=True):
                f.store(f.get(kind, slot), f.at(corner, j * panels.pitch + v, element))

    @contextmanager
    def each(self) -> Iterator[tuple[Value, Value]]:
        """A loop over (row of the batch, row of the tile)."""
        with self.f.loop(self.first, self.last) as row:
            yield row, self.f.op("sub", row, self.first)


class Ends:
    """When the sequences of a tile end; without ``lengths`` they all run through."""

    def __init__(self, rows: Rows, lengths: Value | None):
        self.f, self.lengths = rows.f, lengths
        self.longest: Value | None = None
        if lengths is not None:
            slot = self.f.variable("i64", 0)
            with rows.each() as (row, _):
                longest = self.f.intrinsic("smax", self.f.get("i64", slot), self.of(row))
                self.f.set(slot, longest)
            self.longest = self.f.get("i64", slot)

    def of(self, row: Value) -> Value:
        """The length of a row's sequence, where there are lengths."""
        assert self.lengths is not None
        return self.f.load("i64", self.f.at(self.lengths, row, "i64"))

    def any_running(self, now: Value) -> AbstractContextManager[None]:
        """Within it there is a row that has not ended."""
        if self.longest is None:
            return nullcontext()
        return self.f.when(self.f.compare("icmp slt", now, self.longest))

    def either(
        self, row: Value, now: Value, running: Callable[[], None], ended: Callable[[], None]
    ) -> None:
        """Code for a row that is running at a time, and for one that has ended."""
        if self.lengths is None:
            running()
            return
        with self.f.when(self.f.compare("icmp slt", now, self.of(row))):
            running()
        with self.f.when(self.f.compare("icmp sge", now, self.of(row))):
            ended()

    def at_last(self, row: Value, now: Value, then: Value, otherwise: Value) -> Value:
        """``then`` at a row's last time; without lengths ``otherwise`` always."""
        if self.lengths is None:
            return otherwise
        last = self.f.compare("icmp eq", self.f.add(now, 1), self.of(row))
        return self.f.select(last, then, otherwise)


def in_columns(
    f: Function, element: str, count: int, body: Callable[[Operand, int, Value | None], None]
) -> None:
    """``body(first, lanes, mask)`` for vectors over ``count`` columns.

    Two at a time where registers allow it: a cell is a long chain of instructions, of which one
    vector's waits for itself.
    """
    lanes = common.fewest_lanes(element, count)
    whole = count - count % lanes
    pairs = whole - whole % (2 * lanes) if target.registers() >= 32 else 0
    if pairs:
        with f.loop(0, pairs, 2 * lanes) as at:
            body(at, 2 * lanes, None)
    if pairs < whole:
        with f.loop(pairs, whole, lanes) as at:
            body(at, lanes, None)
    if whole < count:
        body(whole, lanes, common.tail_mask(f, lanes, count - whole))
