"""Gradients of recurrent layers: one kernel goes back through all time steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from facula.base import dtypes
from facula.engines.native import ir, target
from facula.engines.native.ir import Function, Operand, Value
from facula.engines.native.kernel import (
    Kernel,
    Lowered,
    Piece,
    constant,
    given,
    result,
    temporary,
)
from facula.engines.native.scalars.lanes import Lanes, Variable
from facula.engines.native.structured import common, recurrent_cells
from facula.engines.native.structured.recurrent_layer import Columns, Layer, is_ragged, pack
from facula.engines.native.structured.recurrent_rows import Ends, Factor, Rows, in_columns
from facula.graph.primitives.recurrence import CELLS, Places


def recurrence_grad(params, specs, out) -> Lowered | None:
    """From the last step to the first: the gradients of the gates, at last those of the states."""
    if specs[0].dtype not in (dtypes.float32, dtypes.float64):
        return None
    at = bool(params["at"])
    _, batch, hidden = specs[2].shape
    steps = Places.of(CELLS[params["cell"]], specs[0].numel, batch, hidden).steps
    layer = Layer(params, specs[0].dtype, batch, hidden, True)
    ragged = is_ragged(specs)
    in_place = layer.panels.in_place
    weights = given(1) if in_place else temporary(0)
    operands = [given(i) for i in range(len(specs)) if i != 1] + [weights]
    partials = layer.tiles.count * layer.cell.wide * hidden
    temps = [0 if in_place else layer.panels.elements, layer.scratch, batch * hidden, partials]
    writes = [temporary(1), temporary(2), temporary(3), result()]
    count = len(operands) + len(writes) + 1
    body = _Body(layer, ragged, at)
    kernel = layer.kernel("recurrence_grad", (ragged, at), count, steps, body.write)
    packings = [] if in_place else [pack(layer.panels, 1, 0, False)]
    lowered = layer.lowered(kernel, packings, operands, writes, temps, steps)
    lowered.pieces.append(Piece(_sums(layer), (temporary(3), result(), constant(0)), (1,)))
    return lowered


def _sums(layer: Layer) -> Kernel:
    """Adds up what the tiles found; the sums lie at the end of the result."""
    tiles, width = layer.tiles.count, layer.cell.wide * layer.hidden

    def emit(symbol: str) -> str:
        f = Function(symbol, ["ptr", "i64", "i64"])
        parts, to, length = [f.load("ptr", f.at(f.arguments[0], i, "ptr")) for i in range(3)]
        to = layer.row(f, to, f.load("i64", length), 0, layer.cell.wide)
        if layer.started:
            to = layer.row(f, to, layer.cell.states, 0)

        def columns(at: Operand, lanes: int, mask: Value | None) -> None:
            c = Columns(f, layer.element, at, lanes, mask)
            total = Variable(c.load(parts))
            with f.loop(1, tiles) as tile:
                total.set(total.get() + c.load(f.at(parts, f.mul(tile, width), layer.element)))
            c.store(total.get(), to)

        in_columns(f, layer.element, width, columns)
        f.ret()
        return f.text()

    sizes = (layer.name, layer.own.name, layer.batch, layer.hidden, layer.started)
    key = repr(("recurrence_sums", *sizes, layer.tiles, target.vector_bits()))
    return Kernel("recurrence_sums", key, emit, 1, 100 + tiles * width / 32)


@dataclass(frozen=True)
class _Body:
    """Writes what a chunk does: all steps of the rows of a tile."""

    layer: Layer
    ragged: bool
    at: bool  # only the output of one time, which is an operand, has a gradient

    def write(self, f: Function, operands: list[Value], length: Value, rows: Rows) -> None:
        layer, wide = self.layer, self.layer.cell.wide
        memory, outputs, *last, weights, scratch, carry, sums, grads = operands
        only = self._only_time(f, last.pop(0), length) if self.at else None
        states, kept = layer.memory(f, memory, length)
        products, begin = rows.scratch(scratch, layer.panels)
        ends = Ends(rows, last.pop() if self.ragged else None)
        sums = f.at(sums, f.mul(rows.tile, wide * layer.hidden), layer.element)
        common.copy_run(f, layer.element, layer.panels.pitch, None, begin)
        common.copy_run(f, layer.element, wide * layer.hidden, None, sums)
        _begin(f, layer, rows, last, products, carry)
        with f.loop(0, length) as number:
            step = f.op("sub", f.add(length, -1), number)
            now, before, after = layer.times(f, step, length)

            def places(row: Value, line: Value) -> _Row:
                product = f.at(products, f.mul(line, layer.panels.pitch), layer.element)
                from_after = ends.at_last(row, now, layer.row(f, last[0], 0, row), product)
                output = layer.row(f, outputs, 0 if self.at else now, row)
                if only is not None:
                    output = f.select(f.compare("icmp eq", now, only), output, begin)  # or zeros
                return _Row(
                    [output, from_after], layer.row(f, carry, 0, row),
                    [layer.row(f, s, now, row) for s in kept],
                    [layer.row(f, s, before, row) for s in states],
                    [layer.row(f, s, after, row) for s in states],
                    layer.row(f, grads, now, row, wide),
                )  # fmt: skip

            _step_back(f, layer, rows, ends, now, places, sums)
            needed = ir.constant("i1", True) if layer.started else f.compare("icmp ne", step, 0)
            with ends.any_running(now), f.when(needed):
                source = Factor(lambda r: layer.row(f, grads, now, r, wide), weights, layer.panels,
                                layer.panels.depth, layer.panels.in_place)  # fmt: skip
                rows.multiply([source], begin, products)
        if layer.started:
            _end(f, layer, rows, products, carry, layer.row(f, grads, length, 0, wide))

    @staticmethod
    def _only_time(f: Function, pointer: Value, length: Value) -> Value:
        """The time whose output has a gradient, moved into the sequence as slices are."""
        last = f.intrinsic("smin", f.load("i64", pointer), f.add(length, -1))
        return f.intrinsic("smax", last, ir.constant("i64", 0))


@dataclass(frozen=True)
class _Row:
    """Where the parts of a row at one time begin."""

    grads: Sequence[Value]  # of the output, in parts
    carry: Value
    kept: Sequence[Value]
    before: Sequence[Value]
    after: Sequence[Value]
    to: Value


def _step_back(
    f: Function, layer: Layer, rows: Rows, ends: Ends, now: Value,
    places: Callable[[Value, Value], _Row], sums: Value,
) -> None:  # fmt: skip
    """The gradients of one step of all rows, and their sums added to ``sums``."""
    offsets = [i * layer.hidden for i in range(layer.cell.wide)]

    def columns(at: Operand, lanes: int, mask: Value | None) -> None:
        c = Columns(f, layer.element, at, lanes, mask)
        totals = [Variable(c.zero()) for _ in offsets]
        with rows.each() as (row, line):
            place = places(row, line)

            def running() -> None:
                for total, value in zip(totals, _gradients(c, layer, place), strict=True):
                    total.set(total.get() + value)

            def ended() -> None:
                for offset in offsets:
                    c.store(c.zero(), place.to, offset)

            ends.either(row, now, running, ended)
        for total, offset in zip(totals, offsets, strict=True):
            c.store(c.load(sums, offset) + total.get(), sums, offset)

    in_columns(f, layer.element, layer.hidden, columns)


def _gradients(c: Columns, layer: Layer, place: _Row) -> Sequence[Lanes]:
    """Of one step in some columns of a row."""
    (carry,) = c.later([place.carry])
    kept, before, after = [c.later(rows) for rows in (place.kept, place.before, place.after)]
    output, from_after = c.loads(place.grads)
    found, left = recurrent_cells.BACKWARD[layer.name](
        output + from_after, carry, kept, before, after
    )
    for i, value in enumerate(found):
        c.store(value, place.to, i * layer.hidden)
    if left is not None:
        c.store(left, place.carry)
    return found


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
                c.store(c.load(places[1]) if len(last) > 1 else c.zero(), places[-1])

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
