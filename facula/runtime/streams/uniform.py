"""Uniform random numbers, bit for bit PyTorch's `uniform_` and `rand`."""

from __future__ import annotations

import math

import numpy as np

from facula.runtime.streams.convert import REAL_OF_COMPLEX, from_reals
from facula.runtime.streams.fma import fma32, fma64
from facula.runtime.streams.mt19937 import Stream

__all__ = ["uniform", "uniform24"]

_MASK24 = np.uint32((1 << 24) - 1)
_SCALE24 = np.float32(2.0**-24)


def uniform24(stream: Stream, n: int) -> np.ndarray:
    """Return `n` float32 uniforms in [0, 1): the low 24 bits of one draw each, exactly."""
    out = np.empty(n, np.float32)
    if stream.filled("floats", out, n, n, 0.0, 1.0, 1.0):
        return out
    out[...] = stream.draw32(n) & _MASK24
    out *= _SCALE24
    return out


def uniform(stream: Stream, n: int, dtype: str, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """Return `n` values of `low <= x < high`.

    For complex types both parts are uniform and `n` counts complex numbers.
    """
    real = REAL_OF_COMPLEX.get(dtype)
    if real is not None:
        return uniform(stream, 2 * n, real, low, high).view(dtype)
    if dtype == "float64":
        if low == 0.0 and high == 1.0:
            return stream.draw53(n)
        values = np.empty(n)
        if stream.filled("doubles", values, n, 2 * n, low, high - low, high):
            return values
        values = stream.draw53(n)
        return _exclude_end(fma64(values, high - low, low), low, high)
    if low == 0.0 and high == 1.0:
        values = uniform24(stream, n)
        if dtype == "float32":
            return values
        low32, high32 = np.float32(0), np.float32(1)
    else:
        low32, high32 = np.float32(low), np.float32(high)
        values = np.empty(n, np.float32)
        # Halves are compared with the end when they have been rounded.
        ends = float(low32), float(high32) if dtype == "float32" else math.nan
        if stream.filled("floats", values, n, n, ends[0], float(high32 - low32), ends[1]):
            return values if dtype == "float32" else _narrowed(values, dtype, low32, high32)
        # A plain float keeps the product with the raw bits in float64, where it is exact.
        width = float(high32 - low32) * 2.0**-24
        values = fma32(stream.draw32(n) & _MASK24, width, float(low32))
        if dtype == "float32":
            return _exclude_end(values, low32, high32)
    return _narrowed(values, dtype, low32, high32)


def _narrowed(values: np.ndarray, dtype: str, low: np.floating, high: np.floating) -> np.ndarray:
    ends = from_reals(np.array((low, high)), dtype)
    return _exclude_end(from_reals(values, dtype), ends[0], ends[1])


def _exclude_end(
    values: np.ndarray, low: float | np.floating, high: float | np.floating
) -> np.ndarray:
    """Replace values that rounding carried up to the excluded end by the lower end."""
    touching = values == high
    if touching.any():
        values[touching] = low
    return values
