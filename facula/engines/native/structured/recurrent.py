"""Recurrent layers: one kernel goes through all time steps, another one back.

The number of steps is an operand, so that sequences of any length share the code. The weights of a
step come from the cache; the states stay there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from facula.base import dtypes
from facula.base.dtypes import dtype
from facula.engines.native import ir, target
from facula.engines.native.ir import Function, Operand, Value
from facula.engines.native.kernel import Kernel, Lowered, Piece, constant, given, result, temporary
from facula.engines.native.scalars import types
from facula.engines.native.scalars.lanes import Lanes
from facula.engines.native.structured import common, recurrent_cells
from facula.engines.native.structured.recurrent_rows import Ends, Panels, Rows, Tiles, in_columns
from facula.graph.primitives.recurrence import CELLS, Cell

_CELL_NS = 0.6  # the functions of a cell for one unit, with vectors of 16
Body = Callable[[Function, list[Value], Value, Rows], None]


class Layer:
    """Sizes of a layer, and where things lie in a kernel under construction."""

    def __init__(self, params, own: dtype, batch: int, hidden: int, backward: bool):
        self.name: str = params["cell"]
        self.cell: Cell = CELLS[self.name]
        self.reverse: bool = params["reverse"]
        self.batch, self.hidden, self.own = batch, hidden, own
        self.element = types.compute(own)
        rows = self.cell.gates * hidden
        self.tiles = Tiles.of(batch)
        depth, width = (rows, hidden) if backward else (hidden, rows)
        self.panels = Panels.of(depth, width, self.tiles.most, self.element)

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
        flops = 2.0 * steps * self.batch * self.panels.depth * self.panels.width
        cost = flops / 100 * vectors + steps * self.batch * self.hidden * _CELL_NS * vectors
        key = (options, self.name, self.reverse, self.own.name, self.batch, self.hidden)
        text = repr((name, key, self.tiles, self.panels, target.vector_bits()))
        return Kernel(name, text, emit, self.tiles.count, max(200.0, cost), flops)

    def lowered(self, kernel: Kernel, operands: int, steps: int, transposed: bool) -> Lowered:
        """The packing of the weights, operand 1, and the kernel.

        Its operands: the others, carried gradients, packed weights, products, result, steps.
        """
        packing = Piece(self.panels.packing(transposed), (given(1), temporary(0)), (1,))
        others = [given(i) for i in range(operands) if i != 1]
        own = (temporary(2), temporary(0), temporary(1), result(), constant(0))
        first = len(others)
        main = Piece(kernel, (*others, *own), (first, first + 2, first + 3))
        products = self.tiles.count * self.tiles.most * self.panels.pitch
        sizes = (self.panels.elements, products, self.batch * self.hidden)
        temps = [n * self.own.itemsize for n in sizes]
        return Lowered([packing, main], temps, [np.array([steps], np.int64)])

    # In a kernel ----------------------------------------------------------------------------------

    def row(
        self, f: Function, pointer: Value, time: Operand, row: Operand, width: int = 1
    ) -> Value:
        """Where a row of (T, B, width * hidden) begins."""
        size = width * self.hidden
        return f.at(
            pointer, common.affine(f, [(time, self.batch * size), (row, size)]), self.element
        )

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

    def copy_states(
        self, f: Function, rows: Rows, source: Sequence[Value], to: Sequence[Value]
    ) -> None:
        """Copy the chunk's rows of states (B, H)."""
        count = f.mul(f.op("sub", rows.last, rows.first), self.hidden)
        start = f.mul(rows.first, self.hidden)
        for pair in zip(source, to, strict=True):
            common.copy_run(f, self.element, count, *[f.at(p, start, self.element) for p in pair])


class Columns:
    """Loads and stores of one vector of columns, in rows that begin at addresses."""

    def __init__(self, f: Function, element: str, at: Operand, lanes: int, mask: Value | None):
        self.f, self.element, self.at = f, element, at
        self.type, self.mask = ir.vector(element, lanes), mask

    def load(self, row: Value, offset: int = 0) -> Lanes:
        value = common.raw_load(self.f, self.type, self._place(row, offset), self.mask)
        return Lanes(self.f, value)

    def loads(self, rows: Sequence[Value]) -> list[Lanes]:
        return [self.load(row) for row in rows]

    def store(self, value: Lanes, row: Value, offset: int = 0) -> None:
        common.raw_store(self.f, value.value, self._place(row, offset), self.mask)

    def _place(self, row: Value, offset: int) -> Value:
        return self.f.at(row, common.affine(self.f, [(self.at, 1)], offset), self.element)


def recurrence(params, specs, out) -> Lowered | None:
    """All steps, with what their gradients need if that is to be kept."""
    if specs[0].dtype not in (dtypes.float32, dtypes.float64):
        return None
    steps, batch, _ = specs[0].shape
    layer = Layer(params, specs[0].dtype, batch, specs[1].shape[1], False)
    ragged, keep = _ragged(specs), bool(params["keep"])
    biased = len(specs) - 2 - ragged > layer.cell.states

    def body(f: Function, operands: list[Value], length: Value, rows: Rows) -> None:
        gates, *first, _, packed, scratch, memory = operands
        states, kept = layer.memory(f, memory, length)
        products = rows.scratch(scratch, layer.panels)
        ends = Ends(rows, first.pop() if ragged else None)
        bias = first.pop() if biased else None
        beginning = length if layer.reverse else 0
        layer.copy_states(f, rows, first, [layer.row(f, s, beginning, 0) for s in states])
        with f.loop(0, length) as step:
            now, before, after = layer.times(f, step, length)
            with ends.any_running(now):
                rows.multiply(
                    layer.panels, packed, lambda r: layer.row(f, states[0], before, r), products
                )
            with rows.each() as (row, line):
                read = [
                    layer.row(f, gates, now, row, layer.cell.gates),
                    f.at(products, f.mul(line, layer.panels.pitch), layer.element),
                    *([] if bias is None else [bias]),
                ]
                old = [layer.row(f, s, before, row) for s in states]
                to = [layer.row(f, s, after, row) for s in states]
                to += [layer.row(f, s, now, row) for s in kept] if keep else []
                ends.either(
                    row, now, partial(_step, f, layer, read, old, to),
                    partial(_stay, f, layer, old, to),
                )  # fmt: skip

    kernel = layer.kernel("recurrence", (keep, biased, ragged), len(specs) + 4, steps, body)
    return layer.lowered(kernel, len(specs), steps, transposed=True)


def _ragged(specs) -> bool:
    """Whether the last operand is the lengths of sequences."""
    return specs[-1].dtype is dtypes.int64


def _step(
    f: Function, layer: Layer, read: Sequence[Value], before: Sequence[Value], to: Sequence[Value]
) -> None:
    """One step of the cell in a row: reads its gates, its product and perhaps a bias."""
    offsets = [i * layer.hidden for i in range(layer.cell.gates)]
    gates, *others = read

    def columns(at: Operand, lanes: int, mask: Value | None) -> None:
        c = Columns(f, layer.element, at, lanes, mask)
        from_input = [c.load(gates, n) for n in offsets]
        from_state = [_sum([c.load(x, n) for x in others]) for n in offsets]
        new, kept = recurrent_cells.FORWARD[layer.name](from_input, from_state, c.loads(before))
        for value, place in zip([*new, *kept], to):
            c.store(value, place)

    in_columns(f, layer.element, layer.hidden, columns)


def _sum(values: list[Lanes]) -> Lanes:
    return values[0] if len(values) == 1 else values[0] + values[1]


def _stay(f: Function, layer: Layer, before: Sequence[Value], to: Sequence[Value]) -> None:
    """After the end of a sequence: the states stay, and nothing is kept."""

    def columns(at: Operand, lanes: int, mask: Value | None) -> None:
        c = Columns(f, layer.element, at, lanes, mask)
        values = c.loads(before)
        for i, place in enumerate(to):
            c.store(values[i] if i < len(values) else values[0].like(0.0), place)

    in_columns(f, layer.element, layer.hidden, columns)


def recurrence_grad(params, specs, out) -> Lowered | None:
    """From the last step to the first: the gradients of the gates, at last those of the states."""
    if specs[0].dtype not in (dtypes.float32, dtypes.float64):
        return None
    steps, batch, hidden = specs[2].shape
    layer = Layer(params, specs[0].dtype, batch, hidden, True)
    wide, ragged = layer.cell.wide, _ragged(specs)

    def body(f: Function, operands: list[Value], length: Value, rows: Rows) -> None:
        memory, outputs, *last, carry, packed, scratch, grads = operands
        states, kept = layer.memory(f, memory, length)
        products = rows.scratch(scratch, layer.panels)
        ends = Ends(rows, last.pop() if ragged else None)
        _begin(f, layer, rows, last, products, carry)
        with f.loop(0, length) as number:
            step = f.op("sub", f.add(length, -1), number)
            now, before, after = layer.times(f, step, length)
            with rows.each() as (row, line):
                product = f.at(products, f.mul(line, layer.panels.pitch), layer.element)
                from_after = ends.at_last(row, now, layer.row(f, last[0], 0, row), product)
                read = [layer.row(f, outputs, now, row), from_after, layer.row(f, carry, 0, row)]
                saved = [[layer.row(f, s, time, row) for s in values] for values, time in
                         ((kept, now), (states, before), (states, after))]  # fmt: skip
                to = layer.row(f, grads, now, row, wide)
                zeros = ir.constant(layer.element, 0)
                ends.either(
                    row, now, partial(_step_back, f, layer, read, saved, to),
                    partial(common.fill_run, f, zeros, wide * hidden, to),
                )  # fmt: skip
            with ends.any_running(now):
                rows.multiply(
                    layer.panels, packed, lambda r: layer.row(f, grads, now, r, wide), products
                )
        _end(f, layer, rows, products, carry, layer.row(f, grads, length, 0, wide))

    kernel = layer.kernel("recurrence_grad", (ragged,), len(specs) + 4, steps, body)
    return layer.lowered(kernel, len(specs), steps, transposed=False)


def _step_back(f: Function, layer: Layer, read: Sequence[Value], saved, to: Value) -> None:
    """The gradients of one step of a row."""

    def columns(at: Operand, lanes: int, mask: Value | None) -> None:
        c = Columns(f, layer.element, at, lanes, mask)
        output, product, carry = read
        kept, before, after = [[_later(c, place) for place in places] for places in saved]
        found, left = recurrent_cells.BACKWARD[layer.name](
            c.load(output) + c.load(product), _later(c, carry), kept, before, after
        )
        for i, value in enumerate(found):
            c.store(value, to, i * layer.hidden)
        if left is not None:
            c.store(left, carry)

    in_columns(f, layer.element, layer.hidden, columns)


def _later(c: Columns, place: Value) -> Callable[[], Lanes]:
    return lambda: c.load(place)


def _begin(f: Function, layer: Layer, rows: Rows, last: Sequence[Value], products: Value,
           carry: Value) -> None:  # fmt: skip
    """The gradients of the last states are what comes from the step after the last."""
    with rows.each() as (row, line):
        product = f.at(products, f.mul(line, layer.panels.pitch), layer.element)
        places = [layer.row(f, x, 0, row) for x in [*last, carry]]

        def columns(at: Operand, lanes: int, mask: Value | None) -> None:
            c = Columns(f, layer.element, at, lanes, mask)
            grad = c.load(places[0])
            c.store(grad, product)
            if layer.name in recurrent_cells.CARRYING:
                c.store(c.load(places[1]) if len(last) > 1 else grad.like(0.0), places[-1])

        in_columns(f, layer.element, layer.hidden, columns)


def _end(f: Function, layer: Layer, rows: Rows, products: Value, carry: Value,
         grads: Value) -> None:  # fmt: skip
    """What comes from the first step is the gradient of the first states."""
    with rows.each() as (row, line):
        product = f.at(products, f.mul(line, layer.panels.pitch), layer.element)
        carried = layer.row(f, carry, 0, row)
        places = [layer.row(f, grads, n, row) for n in range(layer.cell.states)]

        def columns(at: Operand, lanes: int, mask: Value | None) -> None:
            c = Columns(f, layer.element, at, lanes, mask)
            found = [c.load(product)]
            if layer.name in recurrent_cells.CARRYING:
                found.append(c.load(carried))
            if len(found) > len(places):
                found = [found[0] + found[1]]
            for value, place in zip(found, places, strict=True):
                c.store(value, place)

        in_columns(f, layer.element, layer.hidden, columns)
