"""Rounding of results to 16-bit floats, kept in float32 registers."""

from __future__ import annotations

from facula.engines.native.scalars.lanes import Lanes, where


def to_half(x: Lanes) -> Lanes:
    """float16's nearest value of a float.

    The fence keeps LLVM from rounding a double at once where the float was rounded from one: that
    gives other numbers, and on most CPUs it is a call of a function that nothing provides.
    """
    fenced = x.unary("arithmetic.fence")
    return fenced.convert("fptrunc", "half").convert("fpext", "float")


def to_bfloat16(x: Lanes) -> Lanes:
    """bfloat16's nearest value of a float, ties to even."""
    bits = x.bits()
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & -65536
    return where(x.is_nan(), float("nan"), rounded.as_float())


def to_odd_float(x: Lanes) -> Lanes:
    """A double as the float that loses nothing when it is rounded again to float16.

    Where the double lies between two floats it is the one whose last bit is 1.
    """
    near = x.narrowed()
    back = near.widened()
    beyond = back.unary("fabs") > x.unary("fabs")
    bits = near.bits()
    bits = where(beyond, bits - 1, bits)
    return where(back.differs(x), bits | 1, bits).as_float()
