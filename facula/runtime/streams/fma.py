"""Fused multiply-add, a*b + c with one rounding, from ordinary NumPy arithmetic."""

from __future__ import annotations

import math
import struct
from fractions import Fraction

import numpy as np

__all__ = ["fma32", "fma64", "fma64_short", "multiply_add32"]

_SPLIT = 134217729.0  # 2**27 + 1 cuts a double into two halves of 26 bits
_CHUNK = 1 << 14
_SAFE_LOW, _SAFE_HIGH = 2.0**-400, 2.0**400
_ONE = np.int64(1)
_LOST_BITS, _HALFWAY = np.int64((1 << 29) - 1), np.int64(1 << 28)  # of float64 in float32


def _two_sum(a, b):
    total = a + b
    shadow = total - a
    return total, (a - (total - shadow)) + (b - shadow)


def _two_product(a, b):
    product = a * b
    scaled = _SPLIT * a
    a_high = scaled - (scaled - a)
    a_low = a - a_high
    scaled = _SPLIT * b
    b_high = scaled - (scaled - b)
    b_low = b - b_high
    error = a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)
    return product, error


def _round_to_odd(total: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Return the double next to total + error whose last bit is set, unless error is zero.

    A value rounded to odd keeps enough information to be rounded once more without harm.
    """
    bits = total.view(np.int64)
    step = np.where((error > 0) == (total > 0), _ONE, -_ONE)
    step[(error == 0) | ((bits & _ONE) != 0)] = 0
    return (bits + step).view(np.float64)


def _fma64_chunk(a: np.ndarray, b: float, c: float) -> np.ndarray:
    high, low = _two_product(a, b)
    middle, lowest = _two_sum(low, c)
    top, rest = _two_sum(high, middle)
    return top + _round_to_odd(*_two_sum(rest, lowest))


def _fma64_one(a: float, b: float, c: float) -> float:
    high, low = _two_product(a, b)
    middle, lowest = _two_sum(low, c)
    top, rest = _two_sum(high, middle)
    odd, error = _two_sum(rest, lowest)
    if error and not struct.pack("<d", odd)[0] & 1:
        odd = math.nextafter(odd, math.copysign(math.inf, error))
    return top + odd


def _fma64_exact(a: float, b: float, c: float) -> float:
    try:
        return float(Fraction(a) * Fraction(b) + Fraction(c))
    except OverflowError:  # the result is too large for a double
        return a * b + c


def _safe(value: float) -> bool:
    """Tell whether no step of the error-free transformations can over- or underflow."""
    return _SAFE_LOW < abs(value) < _SAFE_HIGH


def fma64_short(values: list[float], b: float, c: float) -> list[float]:
    """Return a*b + c, rounded once, for each of a few numbers."""
    if c == 0.0 or not (_safe(b) and _safe(c)):
        return fma64(np.array(values), b, c).tolist()
    return [_fma64_one(a, b, c) for a in values]


def fma64(a: np.ndarray, b: float, c: float) -> np.ndarray:
    """Return a*b + c in float64, rounded once; `a` is an array, `b` and `c` are numbers."""
    if c == 0.0:
        return a * b + 0.0
    if b == 1.0 or b == 0.0:
        return a * b + c
    if _safe(b) and _safe(c):
        if a.size <= _CHUNK:
            return _fma64_chunk(a, b, c)
        out = np.empty(a.shape)
        for start in range(0, a.size, _CHUNK):
            stop = start + _CHUNK
            out[start:stop] = _fma64_chunk(a[start:stop], b, c)
        return out
    if not (np.isfinite(b) and np.isfinite(c)):
        return a * b + c
    return np.array([_fma64_exact(x, b, c) for x in a.tolist()], np.float64)


def fma32(counts: np.ndarray, b: float, c: float) -> np.ndarray:
    """Return counts*b + c in float32, rounded once.

    `counts` holds integers of at most 24 bits, `b` and `c` are numbers with at most 24
    significant bits. Their product is exact in float64; only the sum may need help.
    """
    product = counts * b
    if b != 0.0 and 2.0**-4 <= abs(c / b) <= 2.0**28:
        # The bits of c and of every product fit into 53 together: the float64 sum is exact.
        product += c
        return product.astype(np.float32)
    return _round_sum32(product, c)


def multiply_add32(a: np.ndarray, b: float, c: float) -> np.ndarray:
    """Return a*b + c in float32, rounded once; `b` and `c` are numbers float32 can hold."""
    return _round_sum32(a.astype(np.float64) * b, c)


def _round_sum32(product: np.ndarray, c: float) -> np.ndarray:
    """Round an exact product plus `c` to float32.

    Rounding to float64 on the way does harm only where that leaves a value exactly between
    two float32 numbers; those values are rounded to odd first.
    """
    total = product + c
    halfway = (total.view(np.int64) & _LOST_BITS) == _HALFWAY
    if halfway.any():
        total = _round_to_odd(*_two_sum(product, c))
    with np.errstate(over="ignore"):
        return total.astype(np.float32)
