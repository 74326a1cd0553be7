"""window_max, window_argmax, window_sum and window_spread: a vector runs along an output row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from math import prod

from facula.base import dtypes
from facula.base.dtypes import dtype
from facula.engines.native import ir
from facula.engines.native.ir import Function, Operand, Value
from facula.engines.native.kernel import Kernel
from facula.engines.native.scalars import types
from facula.engines.native.structured import common, elements
from facula.engines.native.structured.extremes import place_of_extreme
from facula.engines.native.structured.geometry import (
    SHUFFLED,
    UNROLLED,
    Geometry,
    Row,
    geometry,
    mask_of,
    vectors,
    within,
)  # fmt: skip
from facula.graph.spec import spec

Place = Sequence[Operand]
Visit = Callable[[Value, Place, Operand], None]


class Windows:
    """The windows of one vector of outputs: visits the elements at each kernel position."""

    def __init__(self, f, own: dtype, g: Geometry, pointer, at, first, lanes, used, other):
        self.f, self.own, self.g, self.pointer = f, own, g, pointer
        self.at, self.first, self.lanes, self.used, self.other = at, first, lanes, used, other

    def visit(self, body: Visit) -> None:
        """``body(values, position of the kernel's row, kernel column)``, in the kernel's order."""
        f, g = self.f, self.g
        unrolled = prod(g.kernel) <= UNROLLED

        def columns(place: Place, row: Row, start: Operand) -> None:
            if unrolled:
                for k in range(g.kernel[-1]):
                    body(row.at(k * g.dilation[-1]), place, k)
                return
            with f.loop(0, g.kernel[-1]) as column:
                body(row.at(f.mul(column, g.dilation[-1])), place, column)

        if unrolled:
            for place in self.places():
                self.at_row(place, partial(columns, place))
            return
        with f.loop(0, prod(g.kernel[:-1])) as flat:
            at = common.unravel(f, flat, g.kernel[:-1])
            self.at_row(at, partial(columns, at))

    def places(self) -> list[tuple[int, ...]]:
        """The kernel's rows, in order."""
        return list(product(*map(range, self.g.kernel[:-1])))

    def at_row(self, place: Place, body: Callable[[Row, Operand], None]) -> None:
        """``body(row of the input, its first element's number)`` unless the row is outside."""
        f, g = self.f, self.g
        rows = [self.input_row(axis, k) for axis, k in enumerate(place)]
        held = None
        for axis, row in enumerate(rows):
            if not g.inside(axis):
                test = f.compare("icmp ult", f.typed(row, "i64"), g.sizes[axis])
                held = test if held is None else f.op("and", held, test)
        start = common.affine(f, list(zip([self.at[0], *rows], [g.plane, *g.steps()[:-1]])))

        def inside() -> None:
            pointer = f.at(self.pointer, start, types.storage(self.own))
            base, width, stride = self.base(), g.sizes[-1], g.stride[-1]
            body(
                Row(f, self.own, pointer, base, width, stride, self.lanes, self.used, self.other),
                start,
            )

        if held is None:
            inside()
        else:
            with f.when(held):
                inside()

    def input_row(self, axis: int, k: Operand) -> Operand:
        g = self.g
        terms = [(self.at[1 + axis], g.stride[axis]), (k, g.dilation[axis])]
        return common.affine(self.f, terms, -g.low[axis])

    def base(self) -> Operand:
        """The input column that the kernel's first column meets at the first output."""
        return common.affine(self.f, [(self.first, self.g.stride[-1])], -self.g.low[-1])


def _forward(name, g: Geometry, own: dtype, to: dtype, element: str, unit_ns: float, each_vector):
    """A kernel over the rows of the output; ``each_vector`` gives a vector of results."""
    lanes = common.fewest_lanes(element, g.out[-1])

    def body(f, pointers, unit):
        at = common.unravel(f, unit, (g.lead, *g.out[:-1]))
        row = f.mul(unit, g.out[-1])

        def one(first, used):
            value = each_vector(f, pointers[0], at, first, lanes, used)
            place = f.at(pointers[1], f.add(row, first), types.storage(to))
            elements.store(f, to, value, place, mask_of(lanes, used))

        vectors(f, g.out[-1], lanes, one)

    return common.kernel(name, (own.name, g, lanes), 2, g.rows, unit_ns, body)


def _row_ns(g: Geometry, lanes: int, per_position: float) -> float:
    return 3.0 + -(-g.out[-1] // lanes) * prod(g.kernel) * per_position * g.stride[-1]


def window_max(params, x) -> Kernel:
    g, own = geometry(params, x.shape), x.dtype
    element = types.compute(own)
    lanes = common.fewest_lanes(element, g.out[-1])

    def each(f, pointer, at, first, lanes, used):
        best = f.variable(ir.vector(element, lanes), elements.lowest(own))

        def visit(value, place, column):
            now = f.get(value.type, best)
            f.set(best, elements.extreme(f, own, "gt", value, now))

        Windows(f, own, g, pointer, at, first, lanes, used, elements.lowest(own)).visit(visit)
        return f.get(ir.vector(element, lanes), best)

    return _forward("window_max", g, own, own, element, _row_ns(g, lanes, 1.0), each)


def window_sum(params, x) -> Kernel:
    g, own = geometry(params, x.shape), x.dtype
    element = types.compute(own)
    lanes = common.fewest_lanes(element, g.out[-1])

    def each(f, pointer, at, first, lanes, used):
        total = f.variable(ir.vector(element, lanes), 0)

        def visit(value, place, column):
            f.set(total, elements.add(f, own, f.get(value.type, total), value))

        Windows(f, own, g, pointer, at, first, lanes, used, 0).visit(visit)
        return f.get(ir.vector(element, lanes), total)

    return _forward("window_sum", g, own, own, element, _row_ns(g, lanes, 0.7), each)


def better(f: Function, own: dtype, value: Value, best: Value) -> Value:
    """Whether a later element replaces the maximum: it is greater, or NaN."""
    greater = elements.compare(f, own, "gt", value, best)
    if not elements.is_float(own):
        return greater
    return f.op("or", greater, elements.is_nan(f, value))


def first_inside(f: Function, start: Operand, dilation: int) -> Operand:
    """The kernel position, along one axis, of the first element that is not before the input."""
    if not isinstance(start, Value):
        return max(0, -(int(start) // dilation))
    # ceil(-start / dilation), and 0 where start is not negative
    before = f.op("sub", ir.constant(start.type, dilation - 1), start)
    before = f.intrinsic("smax", before, ir.constant(start.type, 0))
    return before if dilation == 1 else f.op("udiv", before, dilation)


def argmax_vector(windows: Windows) -> Value:
    """i32 positions, in the plane, of the first maximum of each window of a vector; NaN wins."""
    f, own, g, lanes = windows.f, windows.own, windows.g, windows.lanes
    steps = g.steps()
    best = f.variable(ir.vector(types.compute(own), lanes), elements.lowest(own))
    start = f.op("mul", f.lane_numbers(lanes, "i32"), g.stride[-1])
    base = windows.base()
    if isinstance(base, Value):
        base = f.new("i32", f"trunc {base} to i32")
    start = f.op("add", start, base)

    def flat(rows, columns: Value) -> Value:
        at = common.affine(f, list(zip(rows, steps[:-1])))
        if isinstance(at, Value):
            at = f.new("i32", f"trunc {at} to i32")
        return f.op("add", columns, at)

    # Until an element beats the lowest value, the answer is the first one inside the input.
    rows = []
    for axis in range(g.rank - 1):
        row = windows.input_row(axis, 0)
        skipped = 0 if g.inside(axis) else first_inside(f, row, g.dilation[axis])
        rows.append(common.affine(f, [(row, 1), (skipped, g.dilation[axis])]))
    columns = start
    if g.low[-1]:
        skipped = first_inside(f, start, g.dilation[-1])
        columns = f.op("add", start, f.op("mul", skipped, g.dilation[-1]))
    index = f.variable(start.type, flat(rows, columns))

    def visit(value, place, column):
        now = f.get(value.type, best)
        take = better(f, own, value, now)
        f.set(best, f.select(take, value, now))
        met = [windows.input_row(axis, k) for axis, k in enumerate(place)]
        offset = common.affine(f, [(column, g.dilation[-1])])
        if isinstance(offset, Value):
            offset = f.new("i32", f"trunc {offset} to i32")
        here = flat(met, f.op("add", start, offset))
        f.set(index, f.select(take, here, f.get(here.type, index)))

    windows.visit(visit)
    return f.get(start.type, index)


def place_in_plane(g: Geometry, own: dtype) -> Kernel | None:
    """Of the maximum of a window that is the whole plane."""
    return place_of_extreme("argmax", last_nan=True)({"axis": 1}, spec((g.lead, g.plane), own))


def window_argmax(params, x) -> Kernel | None:
    g, own = geometry(params, x.shape), x.dtype
    if g.plane >= 1 << 31:
        return None
    if g.whole():
        return place_in_plane(g, own)
    element = types.compute(own)
    lanes = common.fewest_lanes(element, g.out[-1])

    def each(f, pointer, at, first, lanes, used):
        windows = Windows(f, own, g, pointer, at, first, lanes, used, elements.lowest(own))
        return f.convert("sext", argmax_vector(windows), "i64")

    unit_ns = _row_ns(g, lanes, 2.0)
    return _forward("window_argmax", g, own, dtypes.int64, element, unit_ns, each)


# The gradient of window_sum -----------------------------------------------------------------------


def window_spread(params, grad) -> Kernel:
    """Each row of the result gathers, from the windows that meet it, what they spread there.

    Result columns are taken ``stride`` at a time: column ``u * stride + r`` of the padded input
    meets, at kernel column k, output ``u - q`` where ``k * dilation = q * stride + r``.
    """
    g = geometry(params, grad.shape, params["sizes"])
    own, stride = grad.dtype, g.stride[-1]
    element = types.compute(own)
    groups = -(-(g.sizes[-1] + g.low[-1]) // stride)
    lanes = common.fewest_lanes(element, groups) if stride <= SHUFFLED else 1
    outer = g.sizes[:-1]

    def body(f, pointers, unit):
        at = common.unravel(f, unit, (g.lead, *outer))
        row = f.mul(unit, g.sizes[-1])

        def one(first, used):
            sums = [f.variable(ir.vector(element, lanes), 0) for _ in range(stride)]
            _gather_rows(f, g, own, pointers[0], at, first, lanes, sums)
            found = [f.get(ir.vector(element, lanes), s) for s in sums]
            base = common.affine(f, [(first, stride)], -g.low[-1])
            store_interleaved(f, own, found, pointers[1], row, base, g.sizes[-1])

        vectors(f, groups, lanes, one)

    met = prod([-(-k // s) for k, s in zip(g.kernel, g.stride)])
    unit_ns = 5.0 + -(-groups // lanes) * (met + 1) * stride * 1.0
    key = (own.name, g, lanes)
    return common.kernel("window_spread", key, 2, g.lead * prod(outer), unit_ns, body)


def _gather_rows(f, g: Geometry, own, pointer, at, first, lanes, sums) -> None:
    def at_position(place) -> None:
        rows, held = [], None
        for axis, k in enumerate(place):
            reach = common.affine(f, [(at[1 + axis], 1), (k, -g.dilation[axis])], g.low[axis])
            reach = f.typed(reach, "i64")
            row = reach if g.stride[axis] == 1 else f.op("sdiv", reach, g.stride[axis])
            test = f.compare("icmp ult", row, g.out[axis])
            if g.stride[axis] > 1:
                exact = f.compare("icmp eq", f.mul(row, g.stride[axis]), reach)
                test = f.op("and", test, exact)
            held = test if held is None else f.op("and", held, test)
            rows.append(row)
        strides = [prod(g.out[i:]) for i in range(1, g.rank)]
        start = common.affine(f, list(zip([at[0], *rows], [prod(g.out), *strides])))
        from_row = f.at(pointer, start, types.storage(own))
        if held is None:
            _gather_columns(f, g, own, from_row, first, lanes, sums)
        else:
            with f.when(held):
                _gather_columns(f, g, own, from_row, first, lanes, sums)

    if prod(g.kernel) <= UNROLLED:
        for place in product(*map(range, g.kernel[:-1])):
            at_position(place)
    else:
        with f.loop(0, prod(g.kernel[:-1])) as row:
            at_position(common.unravel(f, row, g.kernel[:-1]))


def _gather_columns(f, g: Geometry, own, pointer, first, lanes, sums) -> None:
    row = Row(f, own, pointer, first, g.out[-1], 1, lanes, lanes, 0)
    for k in range(g.kernel[-1]):
        back, residue = divmod(k * g.dilation[-1], g.stride[-1])
        value = row.at(-back)
        total = f.get(value.type, sums[residue])
        f.set(sums[residue], elements.add(f, own, total, value))


def store_interleaved(
    f: Function, own: dtype, values: list[Value], pointer: Value, row: Operand, base: Operand,
    width: int, keep: Callable[[int, Value], Value] | None = None,
) -> None:  # fmt: skip
    """Store lane l of value r at column ``base + l * len(values) + r`` of a row, if it has it.

    ``keep(piece, vector)`` may change a vector of neighbouring columns before it is stored.
    """
    lanes = ir.lanes_of(values[0].type)
    for j, vector in enumerate(interleave(f, values)):
        mask = within(f, base, j * lanes, 1, lanes, width)
        if mask is not None and mask.name in (common.NONE, "false"):
            continue
        vector = keep(j, vector) if keep else vector
        column = common.affine(f, [(row, 1), (base, 1)], j * lanes)
        place = f.at(pointer, column, types.storage(own))
        elements.store(f, own, vector, place, mask)


def interleave(f: Function, values: list[Value]) -> list[Value]:
    """Vectors whose lanes, laid end to end, are lane 0 of each value, then lane 1, and so on."""
    count, lanes = len(values), ir.lanes_of(values[0].type)
    if count == 1 or lanes == 1:
        return values
    found = []
    for j in range(count):
        places = [divmod(j * lanes + lane, count) for lane in range(lanes)]
        picks = [(value, lane) for lane, value in places]
        vector = f.shuffle(
            values[0], values[1], [lane + lanes * v if v < 2 else -1 for v, lane in picks]
        )
        for v in range(2, count):
            order = [lanes + lane if own == v else i for i, (own, lane) in enumerate(picks)]
            vector = f.shuffle(vector, values[v], order)
        found.append(vector)
    return found
