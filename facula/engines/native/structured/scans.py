"""Scans along an axis: cumsum, cumprod, logcumsumexp, and where the running extreme stands.

Neighbouring columns share a vector. Along the last axis several rows do: squares of elements are
turned over in registers, so that a vector holds one element of each row. Either way elements are
taken in the order of the definition.
"""

from __future__ import annotations

import math
from math import prod

from facula.base import dtypes
from facula.base.dtypes import dtype
from facula.engines.native import ir
from facula.engines.native.contraction.finish import transposed
from facula.engines.native.ir import Function, Value
from facula.engines.native.kernel import Kernel
from facula.engines.native.scalars import emit as apply
from facula.engines.native.scalars import types
from facula.engines.native.scalars.lanes import Lanes
from facula.engines.native.structured import common, elements


class Columns:
    """(outer, along, inner) of an axis, and units of work that are vectors of columns."""

    def __init__(self, shape, axis: int, element: str):
        self.outer, self.along = prod(shape[:axis]), shape[axis]
        self.inner = prod(shape[axis + 1 :])
        self.lanes = common.fewest_lanes(element, self.inner)
        self.blocks = -(-self.inner // self.lanes)
        self.units = self.outer * self.blocks if self.along else 0

    @property
    def key(self) -> tuple:
        return (self.outer, self.along, self.inner, self.lanes)

    def start(self, f: Function, unit: Value):
        """(number of the unit's first element, the mask of its columns)."""
        row, block = common.unravel(f, unit, (self.outer, self.blocks))
        first = common.affine(f, [(block, self.lanes)])
        mask = None
        if self.inner % self.lanes:
            left = f.op("sub", ir.constant("i64", self.inner), f.typed(first, "i64"))
            mask = common.tail_mask(f, self.lanes, left)
        return common.affine(f, [(row, self.along * self.inner), (first, 1)]), mask

    def place(self, f: Function, pointer: Value, start, i, element: str) -> Value:
        return f.at(pointer, common.affine(f, [(i, self.inner), (start, 1)]), element)


def _log_add_exp(f: Function, own: dtype, a: Value, b: Value) -> Value:
    """log(exp(a) + exp(b)) without overflow; equal operands also when they are infinite."""
    wide = dtypes.float64 if own is dtypes.float64 else dtypes.float32
    difference = f.op("fsub", a, b)
    size = f.intrinsic("fabs", difference)
    small = apply(f, "exp", {}, [f.fneg(size)], [wide], wide)
    more = apply(f, "log1p", {}, [small], [wide], wide)
    greater = f.select(f.compare("fcmp ogt", a, b), a, b)
    doubled = f.op("fadd", a, math.log(2.0))
    return f.select(f.compare("fcmp oeq", a, b), doubled, f.op("fadd", greater, more))


class Running:
    """What a scan carries from one element to the next; ``to`` is the dtype of its results."""

    cost = 1.2  # ns an element

    def __init__(self, own: dtype, to: dtype):
        self.own, self.to = own, to

    def begin(self, f: Function, lanes: int) -> None:
        """Before the first element."""
        raise NotImplementedError

    def step(self, f: Function, number: Value, value: Value) -> Value:
        """The result for element ``number`` of each lane, in the compute type of ``to``."""
        raise NotImplementedError


class _Total(Running):
    """A carry that is its last result."""

    def __init__(self, own: dtype, name: str):
        super().__init__(own, own)
        self.name = name
        self.cost = 40.0 if name == "logcumsumexp" else 1.2

    def begin(self, f: Function, lanes: int) -> None:
        neutral = {"cumsum": -0.0, "cumprod": 1.0, "logcumsumexp": -math.inf}[self.name]
        start = neutral if elements.is_float(self.own) else int(neutral)
        self.carry = f.variable(ir.vector(types.compute(self.own), lanes), start)

    def step(self, f: Function, number: Value, value: Value) -> Value:
        found = _STEPS[self.name](f, self.own, f.get(value.type, self.carry), value)
        f.set(self.carry, found)
        return found


class _Place(Running):
    """Where the greatest or least element so far stands: later equals win, and a NaN stays."""

    cost = 2.0

    def __init__(self, own: dtype, name: str):
        super().__init__(own, dtypes.int64)
        self.greatest = name == "cumargmax"

    def begin(self, f: Function, lanes: int) -> None:
        beaten = elements.lowest(self.own) if self.greatest else elements.highest(self.own)
        self.best = f.variable(ir.vector(types.compute(self.own), lanes), beaten)
        self.place = f.variable(ir.vector("i32", lanes), 0)

    def step(self, f: Function, number: Value, value: Value) -> Value:
        now = f.get(value.type, self.best)
        take = self.takes(f, value, now)
        f.set(self.best, f.select(take, value, now))
        lanes = ir.lanes_of(value.type)
        at = f.splat(f.new("i32", f"trunc {number} to i32"), lanes)
        found = f.select(take, at, f.get(ir.vector("i32", lanes), self.place))
        f.set(self.place, found)
        return f.convert("sext", found, "i64")

    def takes(self, f: Function, value: Value, now: Value) -> Value:
        """Whether a value comes in the place of the best so far."""
        take = elements.compare(f, self.own, "ge" if self.greatest else "le", value, now)
        if elements.is_float(self.own):
            take = f.op("or", take, elements.is_nan(f, value))
        return take


_STEPS = {
    "cumsum": elements.add,
    "cumprod": elements.multiply,
    "logcumsumexp": _log_add_exp,
}


def scan(name: str):
    """The maker of the kernel of a scan whose carry is its last result."""

    def make(params, x) -> Kernel | None:
        own = x.dtype
        if not x.ndim or (name == "logcumsumexp" and not elements.is_float(own)):
            return None
        return _kernel(name, _Total(own, name), x, params["axis"])

    return make


def running_place(name: str):
    """cumargmax and cumargmin."""

    def make(params, x) -> Kernel | None:
        if not x.ndim or x.shape[params["axis"]] >= 1 << 31:
            return None
        running = _Place(x.dtype, name)
        columns = Columns(x.shape, params["axis"], types.compute(x.dtype))
        if columns.inner == 1 and columns.outer < _FEWEST:
            return _few_rows_kernel(name, running, columns)
        return _kernel(name, running, x, params["axis"])

    return make


def _kernel(name: str, running: Running, x, axis: int) -> Kernel:
    columns = Columns(x.shape, axis, types.compute(running.own))
    lanes = min(_WIDEST, common.vector_lanes(types.compute(running.own)))
    if columns.inner == 1 and columns.outer >= _FEWEST and lanes > 1:
        return _rows_kernel(name, running, columns, lanes)
    own, to = running.own, running.to

    def body(f: Function, pointers, unit) -> None:
        start, mask = columns.start(f, unit)
        running.begin(f, columns.lanes)
        with f.loop(0, columns.along) as i:
            place = columns.place(f, pointers[0], start, i, types.storage(own))
            value = running.step(f, i, elements.load(f, own, place, columns.lanes, mask))
            place = columns.place(f, pointers[1], start, i, types.storage(to))
            elements.store(f, to, value, place, mask)

    unit_ns = 2.0 + running.cost * columns.along
    return common.kernel(name, (own.name, columns.key), 2, columns.units, unit_ns, body)


_WIDEST = 16  # rows that are turned over together
_FEWEST = 4  # rows that are worth it


def _rows_kernel(name: str, running: Running, columns: Columns, lanes: int) -> Kernel:
    """A unit is as many rows as a vector has lanes."""
    own, to, along = running.own, running.to, columns.along

    def body(f: Function, pointers, unit) -> None:
        rows = [f.add(f.mul(unit, lanes), i) for i in range(lanes)]
        there = [_exists(f, row, i, columns.outer, lanes) for i, row in enumerate(rows)]
        running.begin(f, lanes)
        taken = f.array(types.compute(own), lanes * lanes)
        made = f.array(types.compute(to), lanes * lanes)
        with f.loop(0, along, lanes) as first:
            left = f.op("sub", ir.constant("i64", along), first)
            tail = common.tail_mask(f, lanes, left) if along % lanes else None
            masks = [_both(f, tail, mask) for mask in there]
            starts = [f.add(f.mul(row, along), first) for row in rows]
            read = [
                elements.load(f, own, f.at(pointers[0], at, types.storage(own)), lanes, mask)
                for at, mask in zip(starts, masks)
            ]
            for i, value in enumerate(transposed(f, read)):
                f.store(value, f.at(taken, i * lanes, types.compute(own)))
            count = f.intrinsic("smin", left, ir.constant("i64", lanes))
            with f.loop(0, count) as number:
                at, kind = f.mul(number, lanes), ir.vector(types.compute(own), lanes)
                value = f.load(kind, f.at(taken, at, types.compute(own)))
                found = running.step(f, f.add(first, number), value)
                f.store(found, f.at(made, at, types.compute(to)))
            kind = ir.vector(types.compute(to), lanes)
            done = [f.load(kind, f.at(made, i * lanes, types.compute(to))) for i in range(lanes)]
            for value, at, mask in zip(transposed(f, done), starts, masks):
                elements.store(f, to, value, f.at(pointers[1], at, types.storage(to)), mask)

    units = -(-columns.outer // lanes) if along else 0
    unit_ns = 5.0 + along * (running.cost + 0.15 * lanes)
    return common.kernel(name, (own.name, columns.key, "rows", lanes), 2, units, unit_ns, body)


def _few_rows_kernel(name: str, running: _Place, columns: Columns) -> Kernel:
    """A unit is a row. Most vectors of it have no element that takes the place of the best."""
    own, along = running.own, columns.along
    lanes = min(_WIDEST, common.vector_lanes(types.compute(own)))

    def body(f: Function, pointers, unit) -> None:
        start = f.mul(unit, along)
        running.begin(f, 1)

        def one_by_one(first, stop) -> None:
            with f.loop(first, stop) as i:
                place = f.at(pointers[0], f.add(start, i), types.storage(own))
                found = running.step(f, i, elements.load(f, own, place, 1, None))
                f.store(found, f.at(pointers[1], f.add(start, i), "i64"))

        whole = along - along % lanes if lanes > 1 else 0
        if whole:
            with f.loop(0, whole, lanes) as at:
                place = f.at(pointers[0], f.add(start, at), types.storage(own))
                value = elements.load(f, own, place, lanes, None)
                best = f.get(types.compute(own), running.best)
                take = Lanes(f, running.takes(f, value, f.splat(best, lanes))).any().value
                with f.when(take):
                    one_by_one(at, f.add(at, lanes))
                with f.when(f.op("xor", take, True)):
                    number = f.convert("sext", f.get("i32", running.place), "i64")
                    f.store(f.splat(number, lanes), f.at(pointers[1], f.add(start, at), "i64"))
        if whole < along:
            one_by_one(whole, along)

    unit_ns = 10.0 + 0.3 * along
    units = columns.outer if along else 0
    return common.kernel(name, (own.name, columns.key, "few", lanes), 2, units, unit_ns, body)


def _exists(f: Function, row: Value, number: int, rows: int, lanes: int) -> Value | None:
    """The mask of a row that may lie beyond the last one; None if it cannot."""
    if rows % lanes == 0 or number < rows % lanes:
        return None
    return f.splat(f.compare("icmp slt", row, rows), lanes)


def _both(f: Function, a: Value | None, b: Value | None) -> Value | None:
    if a is None or b is None:
        return b if a is None else a
    return f.op("and", a, b)
