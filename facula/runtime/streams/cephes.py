"""The float32 logarithm, sine and cosine that PyTorch's vectorised normals are made with.

The polynomials are those of the Cephes library (S. Moshier), evaluated with fused multiply-adds.
A fused step is one float64 multiply and add followed by one rounding to float32: that no result
suffers from the double rounding was checked for every one of the 2**24 possible inputs.
"""

from __future__ import annotations

import numpy as np

__all__ = ["log32", "sincos32"]


def _exactly(*values: float) -> tuple[float, ...]:
    return tuple(float(np.float32(value)) for value in values)


_LOG = _exactly(
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
    -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
)  # fmt: skip
_LN2_LOW, _LN2_HIGH = np.float32(-2.12194440e-4), np.float32(0.693359375)
_SIN = _exactly(-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
_COS = _exactly(2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
_QUARTER_PI = _exactly(-0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8)

_HALF, _ONE = np.float32(0.5), np.float32(1)
_TWO_PI, _FOUR_OVER_PI = np.float32(2 * np.pi), np.float32(4 / np.pi)
_ROOT_HALF_BITS = np.float32(0.70710678118654752).view(np.int32)
_MANTISSA_BITS = np.int32(23)
_INT_ONE, _INT_TWO, _INT_FOUR, _EVEN = (np.int32(k) for k in (1, 2, 4, -2))
_TO_SIGN_BIT = np.int32(29)


def _horner(start: np.ndarray | float, x: np.ndarray, coefficients: tuple) -> np.ndarray:
    """Continue a polynomial in float64 `x` by fused steps; values stay float32-representable."""
    wide = start * x
    wide += coefficients[0]
    narrow = wide.astype(np.float32)
    for coefficient in coefficients[1:]:
        wide[...] = narrow
        wide *= x
        wide += coefficient
        narrow[...] = wide
    return narrow


def _fused(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Return a*b + c for float32 `a`, float32 `c` and float64 `b`, as float32."""
    wide = a * b
    wide += c
    return wide.astype(np.float32)


def log32(x: np.ndarray) -> np.ndarray:
    """Return log(x) for a contiguous float32 array of values in (0, 1]."""
    bits = x.view(np.int32)
    exponent = bits - _ROOT_HALF_BITS
    exponent >>= _MANTISSA_BITS
    t = (bits - (exponent << _MANTISSA_BITS)).view(np.float32)  # in [sqrt(1/2), sqrt(2))
    t -= _ONE
    e = exponent.astype(np.float32)
    z = t * t
    y = _horner(_LOG[0], t.astype(np.float64), _LOG[1:])
    y *= t
    y = _fused(y, z.astype(np.float64), e * _LN2_LOW)
    z *= _HALF
    y -= z
    y += t
    e *= _LN2_HIGH
    y += e
    return y


def sincos32(turn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return sine and cosine of 2*pi*turn for float32 values in [0, 1)."""
    theta = turn * _TWO_PI
    octant = (theta * _FOUR_OVER_PI).astype(np.int32)
    octant += _INT_ONE
    octant &= _EVEN
    j = octant.astype(np.float64)
    x = theta
    for part in _QUARTER_PI:
        wide = j * part
        wide += x
        x = wide.astype(np.float32)
    z = x * x
    wide_z = z.astype(np.float64)
    sine = _horner(_SIN[0], wide_z, _SIN[1:])
    sine *= z
    sine = _fused(sine, x.astype(np.float64), x)
    cosine = _horner(_COS[0], wide_z, _COS[1:])
    cosine *= z
    z *= _HALF
    cosine = _fused(cosine, wide_z, -z)
    cosine += _ONE
    swap = (octant & _INT_TWO) != 0
    first = np.where(swap, cosine, sine)
    second = np.where(swap, sine, cosine)
    _flip(first, octant)
    octant += _INT_TWO
    _flip(second, octant)
    return first, second


def _flip(values: np.ndarray, octant: np.ndarray) -> None:
    bits = values.view(np.int32)
    bits ^= (octant & _INT_FOUR) << _TO_SIGN_BIT
