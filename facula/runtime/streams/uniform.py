"""Uniform random numbers, bit for bit PyTorch's `uniform_` and `rand`."""

from __future__ import annotations

import numpy as np

from facula.runtime.streams.convert import REAL_OF_COMPLEX, from_reals
from facula.runtime.streams.fma import fma32, fma64
from facula.runtime.streams.mt19937 import Stream

__all__ = ["uniform", "uniform24"]

_MASK24 = np.uint32((1 << 24) - 1)
_SCALE24 = np.float32(2.0**-24)


def uniform24(stream: Stream, n: int) -> np.ndarray:
    """Return `n` float32 uniforms in [0, 1): the low 24 bits of one draw each, exactly."""
    out = (stream.draw32(n) & _MASK24).astype(np.float32)
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
        values = stream.draw53(n)
        if low == 0.0 and high == 1.0:
            return values
        return _exclude_end(fma64(values, high - low, low), low, high)
    if low == 0.0 and high == 1.0:
        values = uniform24(stream, n)
        if dtype == "float32":
            return values
        low32, high32 = np.float32(0), np.float32(1)
    else:
        low32, high32 = np.float32(low), np.float32(high)
        # A plain float keeps the product with the raw bits in float64, where it is exact.
        width = float(high32 - low32) * 2.0**-24
        values = fma32(stream.draw32(n) & _MASK24, width, float(low32))
        if dtype == "float32":
            return _exclude_end(values, low32, high32)
    ends = from_reals(np.array((low32, high32)), dtype)
    return _exclude_end(from_reals(values, dtype), ends[0], ends[1])


def _exclude_end(
    values: np.ndarray, low: float | np.floating, high: float | np.floating
) -> np.ndarray:
    """Replace values that rounding carried up to the excluded end by the lower end."""
    touching = values == high
    if touching.any():
        values[touching] = low
    return values
