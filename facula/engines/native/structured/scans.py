"""Scans along an axis: cumsum, cumprod, logcumsumexp, and where the running extreme stands.

Neighbouring columns share a vector; along the last axis a row is done element by element, in the
order of the definition.
"""

from __future__ import annotations

import math
from math import prod

from facula.base import dtypes
from facula.base.dtypes import dtype
from facula.engines.native import ir
from facula.engines.native.ir import Function, Value
from facula.engines.native.kernel import Kernel
from facula.engines.native.scalars import emit as apply
from facula.engines.native.scalars import types
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


_STEPS = {
    "cumsum": elements.add,
    "cumprod": elements.multiply,
    "logcumsumexp": _log_add_exp,
}


def scan(name: str):
    """The maker of the kernel of a scan whose carry is its last result."""
    step = _STEPS[name]

    def make(params, x) -> Kernel | None:
        own = x.dtype
        if not x.ndim or (name == "logcumsumexp" and not elements.is_float(own)):
            return None
        element, storage = types.compute(own), types.storage(own)
        columns = Columns(x.shape, params["axis"], element)
        type_ = ir.vector(element, columns.lanes)

        def body(f: Function, pointers, unit) -> None:
            start, mask = columns.start(f, unit)
            carry = f.variable(type_, 0)

            def put(i, value: Value) -> None:
                f.set(carry, value)
                place = columns.place(f, pointers[1], start, i, storage)
                elements.store(f, own, value, place, mask)

            def get(i) -> Value:
                place = columns.place(f, pointers[0], start, i, storage)
                return elements.load(f, own, place, columns.lanes, mask)

            put(0, get(0))
            with f.loop(1, columns.along) as i:
                put(i, step(f, own, f.get(type_, carry), get(i)))

        each = 40.0 if name == "logcumsumexp" else 1.2
        unit_ns = 2.0 + each * columns.along
        return common.kernel(name, (own.name, columns.key), 2, columns.units, unit_ns, body)

    return make


def running_place(name: str):
    """cumargmax and cumargmin: later equals win, and a NaN stays."""
    order = "ge" if name == "cumargmax" else "le"

    def make(params, x) -> Kernel | None:
        own = x.dtype
        if not x.ndim or x.shape[params["axis"]] >= 1 << 31:
            return None
        element, storage = types.compute(own), types.storage(own)
        columns = Columns(x.shape, params["axis"], element)
        type_, at_type = ir.vector(element, columns.lanes), ir.vector("i32", columns.lanes)

        def body(f: Function, pointers, unit) -> None:
            start, mask = columns.start(f, unit)
            best, place = f.variable(type_), f.variable(at_type, 0)

            def get(i) -> Value:
                at = columns.place(f, pointers[0], start, i, storage)
                return elements.load(f, own, at, columns.lanes, mask)

            def put(i) -> None:
                to = columns.place(f, pointers[1], start, i, "i64")
                index = f.convert("sext", f.get(at_type, place), "i64")
                types.store(f, dtypes.int64, index, to, mask)

            f.set(best, get(0))
            put(0)
            with f.loop(1, columns.along) as i:
                value, now = get(i), f.get(type_, best)
                take = elements.compare(f, own, order, value, now)
                if elements.is_float(own):
                    take = f.op("or", take, elements.is_nan(f, value))
                f.set(best, f.select(take, value, now))
                number = f.splat(f.new("i32", f"trunc {i} to i32"), columns.lanes)
                f.set(place, f.select(take, number, f.get(at_type, place)))
                put(i)

        unit_ns = 2.0 + 2.0 * columns.along
        return common.kernel(name, (own.name, columns.key), 2, columns.units, unit_ns, body)

    return make
