"""Conversion between dtypes, with the results NumPy gives on x86 where C leaves them open."""

from __future__ import annotations

from facula.base import dtypes
from facula.base.dtypes import dtype
from facula.engines.native.scalars.arithmetic import width
from facula.engines.native.scalars.lanes import Lanes, where
from facula.engines.native.scalars.rounding import to_odd_float
from facula.engines.native.scalars.types import compute

_EDGE = 2.0**63


def cast(x: Lanes, own: dtype, to: dtype) -> Lanes:
    """The same numbers in another dtype; the caller rounds to a 16-bit float."""
    goal = compute(to)
    if to is dtypes.bool_:
        return x if own is dtypes.bool_ else x.differs(0)
    if own.is_floating_point and to.is_floating_point:
        return _float_to_float(x, to, goal)
    if own.is_floating_point:
        wide = _to_unsigned(x) if to is dtypes.uint64 else _to_signed(x)
        return _resized(wide, goal, False)
    if to.is_floating_point:
        return x.convert("sitofp" if own.is_signed else "uitofp", goal)
    return _resized(x, goal, own.is_signed)


def _float_to_float(x: Lanes, to: dtype, goal: str) -> Lanes:
    if x.element == goal:
        return x
    if goal == "double":
        return x.widened()
    return to_odd_float(x) if to is dtypes.float16 else x.narrowed()


def _resized(x: Lanes, goal: str, signed: bool) -> Lanes:
    if x.element == goal:
        return x
    if width(x) > int(goal[1:]):
        return x.convert("trunc", goal)
    return x.convert("sext" if signed else "zext", goal)


def _to_signed(x: Lanes) -> Lanes:
    """Towards zero as i64; the smallest i64 for NaN and all that does not fit."""
    fits = x.unary("fabs") < _EDGE
    return where(fits, where(fits, x, 0.0).convert("fptosi", "i64"), -(1 << 63))


def _to_unsigned(x: Lanes) -> Lanes:
    """As u64; negative numbers wrap."""
    big = x >= _EDGE
    low = _to_signed(where(big, x - _EDGE, x))
    return where(big, low ^ -(1 << 63), low)
