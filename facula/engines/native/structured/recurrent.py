"""Recurrent layers: one kernel goes through all time steps.

The number of steps is an operand, so that sequences of any length share the code. The weights of a
step come from the cache; the states stay there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from facula.base import dtypes
from facula.engines.native import ir
from facula.engines.native.ir import Function, Operand, Value
from facula.engines.native.kernel import Lowered, given, result, temporary
from facula.engines.native.structured import common, recurrent_cells
from facula.engines.native.structured.recurrent_layer import Columns, Layer, is_ragged, pack
from facula.engines.native.structured.recurrent_rows import Ends, Factor, Rows, in_columns


def recurrence(params, specs, out) -> Lowered | None:
    """All steps, with what their gradients need if that is to be kept."""
    if specs[0].dtype not in (dtypes.float32, dtypes.float64):
        return None
    direct, ragged = bool(params["direct"]), is_ragged(specs)
    steps, batch, columns = specs[0].shape
    inputs = columns if direct else 0
    layer = Layer(params, specs[0].dtype, batch, specs[1 + direct].shape[1], False, inputs)
    others = [given(i) for i in range(len(specs)) if i != 1 and i != 1 + direct]
    states = layer.cell.states if layer.started else 0
    biased = len(others) - ragged > 1 + states
    body = _Body(layer, states, biased, ragged, bool(params["keep"]))
    packings = [pack(layer.panels, 1 + direct, 0, True)]
    operands, temps = [*others, temporary(0)], [layer.panels.elements]
    if direct:
        packings.append(pack(layer.input_panels, 1, 1, True))
        operands.append(temporary(1))
        temps.append(layer.input_panels.elements)
    writes = [temporary(len(temps)), result()]
    temps.append(layer.scratch)
    options = (direct, biased, ragged, body.keep)
    count = len(operands) + len(writes) + 1
    kernel = layer.kernel("recurrence", options, count, steps, body.write)
    return layer.lowered(kernel, packings, operands, writes, temps, steps)


@dataclass(frozen=True)
class _Body:
    """Writes what a chunk does: all steps of the rows of a tile."""

    layer: Layer
    states: int  # that are given
    biased: bool
    ragged: bool
    keep: bool

    def write(self, f: Function, operands: list[Value], length: Value, rows: Rows) -> None:
        layer = self.layer
        *operands, scratch, memory = operands
        from_input = operands.pop() if layer.inputs else None
        source, *first, packed = operands
        states, kept = layer.memory(f, memory, length)
        products, begin = rows.scratch(scratch, layer.panels)
        ends = Ends(rows, first.pop() if self.ragged else None)
        self._begin(f, rows, first, states, length, begin)
        with f.loop(0, length) as step:
            now, before, after = layer.times(f, step, length)
            factors = [Factor(lambda r: layer.row(f, states[0], before, r), packed, layer.panels,
                              self._depth(f, step))]  # fmt: skip
            if from_input is not None:
                place = partial(layer.place, f, source, now, size=layer.inputs)
                panels = layer.input_panels
                factors.insert(0, Factor(place, from_input, panels, layer.inputs))
            with ends.any_running(now):
                rows.multiply(factors, begin, products)
            with rows.each() as (row, line):
                read = [f.at(products, f.mul(line, layer.panels.pitch), layer.element)]
                if from_input is None:
                    read.insert(0, layer.row(f, source, now, row, layer.cell.gates))
                old = [layer.row(f, s, before, row) for s in states]
                to = [layer.row(f, s, after, row) for s in states]
                to += [layer.row(f, s, now, row) for s in kept] if self.keep else []
                ends.either(
                    row, now, partial(_step, f, layer, read, old, to),
                    partial(_stay, f, layer, old, to),
                )  # fmt: skip

    def _begin(self, f: Function, rows: Rows, first: Sequence[Value], states: Sequence[Value],
               length: Value, begin: Value) -> None:  # fmt: skip
        """The first states, and what products begin with: the bias, and zeros."""
        layer = self.layer
        bias = first[self.states] if self.biased else None
        width, pitch = layer.panels.width, layer.panels.pitch
        common.copy_run(f, layer.element, width, bias, begin)
        if pitch > width:
            rest = f.at(begin, width, layer.element)
            common.copy_run(f, layer.element, pitch - width, None, rest)
        count = f.mul(f.op("sub", rows.last, rows.first), layer.hidden)
        for i, state in enumerate(states):
            place = layer.row(f, state, length if layer.reverse else 0, rows.first)
            source = layer.row(f, first[i], 0, rows.first) if self.states else None
            common.copy_run(f, layer.element, count, source, place)

    def _depth(self, f: Function, step: Value) -> Operand:
        """How much of the state before a step there is: nothing of one that is all zeros."""
        depth = self.layer.panels.depth
        if self.states:
            return depth
        return f.select(f.compare("icmp eq", step, 0), 0, ir.constant("i64", depth))


def _step(
    f: Function, layer: Layer, read: Sequence[Value], before: Sequence[Value], to: Sequence[Value]
) -> None:
    """One step of the cell in a row: reads its gates in one or two parts."""
    offsets = [i * layer.hidden for i in range(layer.cell.gates)]

    def columns(at: Operand, lanes: int, mask: Value | None) -> None:
        c = Columns(f, layer.element, at, lanes, mask)
        parts = [[c.load(row, n) for n in offsets] for row in read]
        if not layer.cell.summed:
            from_input, from_state = parts
            new, kept = recurrent_cells.gru(from_input, from_state, c.loads(before))
        else:
            first, *others = parts
            gates = [a + b for a, b in zip(first, others[0])] if others else first
            new, kept = recurrent_cells.SUMMED[layer.name](gates, c.loads(before))
        for value, place in zip([*new, *kept], to):
            c.store(value, place)

    in_columns(f, layer.element, layer.hidden, columns)


def _stay(f: Function, layer: Layer, before: Sequence[Value], to: Sequence[Value]) -> None:
    """After the end of a sequence: the states stay, and nothing is kept."""

    def columns(at: Operand, lanes: int, mask: Value | None) -> None:
        c = Columns(f, layer.element, at, lanes, mask)
        values = c.loads(before)
        for i, place in enumerate(to):
            c.store(values[i] if i < len(values) else c.zero(), place)

    in_columns(f, layer.element, layer.hidden, columns)
