"""What the kernels of recurrent layers share: sizes, where rows lie, packed weights, columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from facula.base.dtypes import dtype
from facula.engines.native import ir, target
from facula.engines.native.ir import Function, Operand, Value
from facula.engines.native.kernel import Kernel, Lowered, Piece, Ref, constant, given, temporary
from facula.engines.native.scalars import types
from facula.engines.native.scalars.lanes import Lanes
from facula.engines.native.structured import common
from facula.engines.native.structured.recurrent_rows import Panels, Rows, Tiles
from facula.graph.primitives.recurrence import CELLS, Cell

_CELL_NS = 0.5  # the functions of a cell for one unit, with vectors of 16
Body = Callable[[Function, list[Value], Value, Rows], None]


class Layer:
    """Sizes of a layer, and where things lie in a kernel under construction.

    ``inputs`` are the columns of inputs that are multiplied in the kernel, 0 if none are.
    """

    def __init__(
        self, params, own: dtype, batch: int, hidden: int, backward: bool, inputs: int = 0
    ):
        self.name: str = params["cell"]
        self.cell: Cell = CELLS[self.name]
        self.reverse: bool = params["reverse"]
        self.started: bool = params["started"]
        self.batch, self.hidden, self.own, self.inputs = batch, hidden, own, inputs
        self.element = types.compute(own)
        rows = self.cell.gates * hidden
        self.tiles = Tiles.of(batch)
        depth, width = (rows, hidden) if backward else (hidden, rows)
        self.panels = Panels.of(depth, width, self.tiles.most, self.element)
        self.input_panels = Panels(inputs, width, self.panels.vectors, self.element)

    @property
    def scratch(self) -> int:
        """Elements of the products of all tiles, and of what each begins with."""
        return self.tiles.count * (self.tiles.most + 1) * self.panels.pitch

    def kernel(self, name: str, options: tuple, pointers: int, steps: int, body: Body) -> Kernel:
        """Each chunk is some rows; the last operand is the number of steps."""

        def emit(symbol: str) -> str:
            f = Function(symbol, ["ptr", "i64", "i64"])
            buffers, begin, end = f.arguments
            operands = [f.load("ptr", f.at(buffers, i, "ptr")) for i in range(pointers)]
            length = f.load("i64", operands.pop())
            with f.loop(begin, end) as tile:
                body(f, operands, length, Rows(f, self.tiles, tile))
            f.ret()
            return f.text()

        vectors = 16 / target.lanes(self.element)
        depth = self.panels.depth + self.inputs
        flops = 2.0 * steps * self.batch * depth * self.panels.width
        cost = flops / 105 * vectors + steps * self.batch * self.hidden * _CELL_NS * vectors
        sizes = (self.own.name, self.batch, self.hidden, self.inputs)
        key = (options, self.name, self.reverse, self.started, sizes)
        text = repr((name, key, self.tiles, self.panels, target.vector_bits()))
        return Kernel(name, text, emit, self.tiles.count, max(200.0, cost), flops)

    def lowered(
        self, kernel: Kernel, packings: Sequence[Piece], operands: Sequence[Ref],
        writes: Sequence[Ref], temps: Sequence[int], steps: int,
    ) -> Lowered:  # fmt: skip
        """The packings of weights and the kernel; ``temps`` are elements of the temporaries."""
        refs = (*operands, *writes, constant(0))
        main = Piece(kernel, refs, tuple(range(len(operands), len(refs) - 1)))
        sizes = [n * self.own.itemsize for n in temps]
        return Lowered([*packings, main], sizes, [np.array([steps], np.int64)])

    # In a kernel ----------------------------------------------------------------------------------

    def row(
        self, f: Function, pointer: Value, time: Operand, row: Operand, width: int = 1
    ) -> Value:
        """Where a row of (T, B, width * hidden) begins."""
        return self.place(f, pointer, time, row, width * self.hidden)

    def place(self, f: Function, pointer: Value, time: Operand, row: Operand, size: int) -> Value:
        """Where a row of (T, B, size) begins."""
        terms = [(time, self.batch * size), (row, size)]
        return f.at(pointer, common.affine(f, terms), self.element)

    def memory(self, f: Function, memory: Value, steps: Value) -> tuple[list[Value], list[Value]]:
        """Where each state and each kept value begins."""
        states = self.cell.states
        size = f.mul(f.add(steps, 1), self.batch * self.hidden)
        places = [f.at(memory, f.mul(size, n), self.element) for n in range(states + 1)]
        size = f.mul(steps, self.batch * self.hidden)
        kept = [f.at(places[-1], f.mul(size, n), self.element) for n in range(self.cell.kept)]
        return places[:-1], kept

    def times(self, f: Function, step: Value, steps: Value) -> tuple[Value, Value, Value]:
        """As :func:`facula.graph.primitives.recurrence.times`."""
        after = f.add(step, 1)
        if not self.reverse:
            return step, step, after
        now = f.op("sub", steps, after)
        return now, f.op("sub", steps, step), now


class Columns:
    """Loads and stores of some columns, in rows that begin at addresses."""

    def __init__(self, f: Function, element: str, at: Operand, lanes: int, mask: Value | None):
        self.f, self.element, self.at = f, element, at
        self.type, self.mask = ir.vector(element, lanes), mask

    def load(self, row: Value, offset: int = 0) -> Lanes:
        value = common.raw_load(self.f, self.type, self._place(row, offset), self.mask)
        return Lanes(self.f, value)

    def loads(self, rows: Sequence[Value]) -> list[Lanes]:
        return [self.load(row) for row in rows]

    def later(self, rows: Sequence[Value]) -> list[Callable[[], Lanes]]:
        """Loads for those that ask for them."""
        return [lambda row=row: self.load(row) for row in rows]  # type: ignore[misc]

    def store(self, value: Lanes, row: Value, offset: int = 0) -> None:
        common.raw_store(self.f, value.value, self._place(row, offset), self.mask)

    def zero(self) -> Lanes:
        return Lanes(self.f, ir.constant(self.type, 0.0))

    def _place(self, row: Value, offset: int) -> Value:
        return self.f.at(row, common.affine(self.f, [(self.at, 1)], offset), self.element)


def is_ragged(specs) -> bool:
    """Whether the last operand is the lengths of sequences."""
    return not specs[-1].dtype.is_floating_point


def pack(panels: Panels, weights: int, to: int, transposed: bool) -> Piece:
    """The packing of an operand into a temporary."""
    return Piece(panels.packing(transposed), (given(weights), temporary(to)), (1,))
