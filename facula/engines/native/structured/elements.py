"""Elements in registers: loads with a fill value, order and extremes, as NumPy compares."""

from __future__ import annotations

from facula.base import dtypes
from facula.base.dtypes import dtype
from facula.engines.native import ir
from facula.engines.native.ir import Function, Value
from facula.engines.native.scalars import types
from facula.engines.native.scalars.lanes import Lanes
from facula.engines.native.scalars.rounding import to_bfloat16
from facula.engines.native.structured.common import NONE


def load(
    f: Function, own: dtype, pointer: Value, lanes: int, mask: Value | None = None,
    other: float | int = 0, stride: int = 1,
) -> Value:  # fmt: skip
    """A vector in its compute type; the lanes outside ``mask`` are ``other`` and not touched."""
    fill = ir.constant(ir.vector(types.compute(own), lanes), other)
    if mask is not None and mask.name in (NONE, "false"):
        return fill
    if lanes == 1:
        if mask is None:
            return types.load(f, own, pointer, 1)
        slot = f.variable(fill.type, fill)
        with f.when(mask):
            f.set(slot, types.load(f, own, pointer, 1))
        return f.get(fill.type, slot)
    if stride == 1:
        value = types.load(f, own, pointer, lanes, mask)
    else:
        value = types.load_strided(f, own, pointer, stride, lanes, mask)
    return value if mask is None else f.select(mask, value, fill)


def store(f: Function, own: dtype, value: Value, pointer: Value, mask: Value | None = None) -> None:
    """Write a computed vector; bfloat16 is rounded here, as after every primitive."""
    if own is dtypes.bfloat16:
        value = to_bfloat16(Lanes(f, value)).value
    types.store(f, own, value, pointer, mask)


def is_float(own: dtype) -> bool:
    return own.category == dtypes.FLOAT


def lowest(own: dtype) -> float | int:
    """What no element lies below."""
    if is_float(own):
        return float("-inf")
    if own.category == dtypes.BOOL:
        return 0
    return -(1 << (8 * own.itemsize - 1)) if own.is_signed else 0


def highest(own: dtype) -> float | int:
    """What no element lies above."""
    if is_float(own):
        return float("inf")
    if own.category == dtypes.BOOL:
        return 1
    return (1 << (8 * own.itemsize - own.is_signed)) - 1


def compare(f: Function, own: dtype, name: str, a, b) -> Value:
    """``lt``, ``gt``, ``le`` or ``ge``; false where either is NaN."""
    if is_float(own):
        return f.compare(f"fcmp o{name}", a, b)
    return f.compare(f"icmp {'s' if own.is_signed else 'u'}{name}", a, b)


def is_nan(f: Function, value: Value) -> Value:
    return f.compare("fcmp uno", value, value)


def extreme(f: Function, own: dtype, name: str, value: Value, best: Value) -> Value:
    """The greater (``gt``) or lesser (``lt``) of two; NaN if either is."""
    chosen = f.select(compare(f, own, name, value, best), value, best)
    return f.select(is_nan(f, value), value, chosen) if is_float(own) else chosen


def add(f: Function, own: dtype, a: Value, b: Value) -> Value:
    """a + b in the compute type; integers wrap, and bools are joined by "or"."""
    if is_float(own):
        return f.op("fadd", a, b)
    return f.op("or" if own.category == dtypes.BOOL else "add", a, b)


def multiply(f: Function, own: dtype, a: Value, b: Value) -> Value:
    if is_float(own):
        return f.op("fmul", a, b)
    return f.op("and" if own.category == dtypes.BOOL else "mul", a, b)
