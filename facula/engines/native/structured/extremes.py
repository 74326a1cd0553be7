"""argmax and argmin: the first of equals; a NaN beats everything, and the first NaN counts."""

from __future__ import annotations

from facula.base import dtypes
from facula.base.dtypes import dtype
from facula.engines.native import ir
from facula.engines.native.ir import Function, Value
from facula.engines.native.kernel import Kernel
from facula.engines.native.scalars import types
from facula.engines.native.structured import common, elements
from facula.engines.native.structured.scans import Columns


def place_of_extreme(name: str, last_nan: bool = False):
    """The maker of the kernel of ``argmax`` or ``argmin``; ``last_nan``: the last NaN counts."""
    order = ("gt" if name == "argmax" else "lt") + ("+" if last_nan else "")
    name += "_last_nan" if last_nan else ""

    def make(params, x) -> Kernel | None:
        if not x.ndim or not 0 < x.shape[params["axis"]] < 1 << 31:
            return None
        element = types.compute(x.dtype)
        columns = Columns(x.shape, params["axis"], element)
        lanes = common.vector_lanes(element)
        if columns.inner == 1 and lanes > 1 and columns.along >= 2 * lanes:
            return _row_kernel(name, order, x.dtype, columns, lanes)
        if columns.inner == 1 and 1 < lanes <= columns.outer:
            return _short_rows_kernel(name, order, x.dtype, columns, lanes)
        return _column_kernel(name, order, x.dtype, columns)

    return make


def _better(f: Function, own: dtype, order: str, value: Value, best: Value) -> Value:
    """Whether a later element replaces the best so far; orders with + take the last NaN."""
    wins = elements.compare(f, own, order[:2], value, best)
    if not elements.is_float(own):
        return wins
    wins = f.op("or", wins, elements.is_nan(f, value))
    return wins if order[2:] else f.op("and", wins, f.compare("fcmp ord", best, best))


class _Running:
    """The best values and their places, in the lanes of two variables."""

    def __init__(self, f: Function, own: dtype, order: str, lanes: int, value, places):
        self.f, self.own, self.order = f, own, order
        self.type, self.at_type = value.type, ir.vector("i32", lanes)
        self.best, self.place = f.variable(value.type), f.variable(self.at_type)
        f.set(self.best, value)
        f.set(self.place, places)

    def offer(self, value: Value, places: Value, mask: Value | None) -> None:
        f, now = self.f, self.f.get(self.type, self.best)
        take = _better(f, self.own, self.order, value, now)
        take = take if mask is None else f.op("and", take, mask)
        f.set(self.best, f.select(take, value, now))
        f.set(self.place, f.select(take, places, f.get(self.at_type, self.place)))


def _column_kernel(name: str, order: str, own: dtype, columns: Columns) -> Kernel:
    """Neighbouring columns in the lanes of a vector, or one row at a time."""
    storage, lanes = types.storage(own), columns.lanes

    def body(f: Function, pointers, unit) -> None:
        start, mask = columns.start(f, unit)

        def get(i) -> Value:
            at = columns.place(f, pointers[0], start, i, storage)
            return elements.load(f, own, at, lanes, mask)

        zero = ir.constant(ir.vector("i32", lanes), 0)
        running = _Running(f, own, order, lanes, get(0), zero)
        with f.loop(1, columns.along) as i:
            number = f.splat(f.new("i32", f"trunc {i} to i32"), lanes)
            running.offer(get(i), number, None)
        row, block = common.unravel(f, unit, (columns.outer, columns.blocks))
        to = common.affine(f, [(row, columns.inner), (block, lanes)])
        found = f.convert("sext", f.get(running.at_type, running.place), "i64")
        types.store(f, dtypes.int64, found, f.at(pointers[1], to, "i64"), mask)

    unit_ns = 2.0 + 3.0 * columns.along
    return common.kernel(name, (own.name, columns.key), 2, columns.units, unit_ns, body)


def _short_rows_kernel(name: str, order: str, own: dtype, columns: Columns, lanes: int) -> Kernel:
    """A row in each lane."""
    storage, rows, along = types.storage(own), columns.outer, columns.along

    def body(f: Function, pointers, unit) -> None:
        first = f.mul(unit, lanes)
        mask = None
        if rows % lanes:
            mask = common.tail_mask(f, lanes, f.op("sub", ir.constant("i64", rows), first))
        start = f.at(pointers[0], f.mul(first, along), storage)

        def get(i) -> Value:
            return elements.load(f, own, f.at(start, i, storage), lanes, mask, 0, along)

        zero = ir.constant(ir.vector("i32", lanes), 0)
        running = _Running(f, own, order, lanes, get(0), zero)
        with f.loop(1, along) as i:
            running.offer(get(i), f.splat(f.new("i32", f"trunc {i} to i32"), lanes), None)
        found = f.convert("sext", f.get(running.at_type, running.place), "i64")
        types.store(f, dtypes.int64, found, f.at(pointers[1], first, "i64"), mask)

    key, unit_ns = (own.name, rows, along, lanes), 5.0 + 0.7 * along * lanes
    return common.kernel(name + "_short", key, 2, -(-rows // lanes), unit_ns, body)


def _row_kernel(name: str, order: str, own: dtype, columns: Columns, lanes: int) -> Kernel:
    """Along long rows: each lane finds its best, then the lanes are compared."""
    storage, along = types.storage(own), columns.along
    type_ = ir.vector(types.compute(own), lanes)
    whole = along // lanes * lanes

    def body(f: Function, pointers, unit) -> None:
        row = f.at(pointers[0], f.mul(unit, along), storage)
        numbers = f.lane_numbers(lanes, "i32")
        running = _Running(f, own, order, lanes, elements.load(f, own, row, lanes), numbers)

        def offer(first, mask) -> None:
            value = elements.load(f, own, f.at(row, first, storage), lanes, mask)
            at = first if isinstance(first, int) else f.new("i32", f"trunc {first} to i32")
            running.offer(value, f.op("add", numbers, at), mask)

        with f.loop(lanes, whole, lanes) as i:
            offer(i, None)
        if whole < along:
            offer(whole, common.tail_mask(f, lanes, along - whole))
        found = _across(f, own, order, f.get(type_, running.best),
                        f.get(running.at_type, running.place))  # fmt: skip
        f.store(f.convert("sext", found, "i64"), f.at(pointers[1], unit, "i64"))

    unit_ns = 10.0 + 4.0 * lanes + 1.5 * along / lanes
    key = (own.name, along, columns.outer, lanes)
    return common.kernel(name + "_row", key, 2, columns.outer, unit_ns, body)


def _across(f: Function, own: dtype, order: str, best: Value, places: Value) -> Value:
    """The place of the best lane; of equal lanes, the one that stands first."""
    lanes = ir.lanes_of(best.type)
    while lanes > 1:
        lanes //= 2
        a, b = _halves(f, best, lanes)
        at_a, at_b = _halves(f, places, lanes)
        take = _better(f, own, order[:2], b, a)
        first = f.compare("icmp slt", at_b, at_a)
        if elements.is_float(own):
            earlier = f.op("and", f.compare("fcmp oeq", a, b), first)
            lost = f.op("and", elements.is_nan(f, a), elements.is_nan(f, b))
            here = f.op("xor", first, True) if order[2:] else first
            earlier = f.op("or", earlier, f.op("and", lost, here))
        else:
            earlier = f.op("and", f.compare("icmp eq", a, b), first)
        take = f.op("or", take, earlier)
        best, places = f.select(take, b, a), f.select(take, at_b, at_a)
    return places


def _halves(f: Function, value: Value, lanes: int) -> tuple[Value, Value]:
    if lanes == 1:
        return f.extract(value, 0), f.extract(value, 1)
    low, high = list(range(lanes)), list(range(lanes, 2 * lanes))
    return f.shuffle(value, None, low), f.shuffle(value, None, high)
