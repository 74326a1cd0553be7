"""Special functions that NumPy lacks, vectorised, for the reference engine."""

from __future__ import annotations

import math

import numpy as np


def _by_libm(function):
    """Apply a function of the C library to every element, in double precision."""
    vectorised = np.frompyfunc(function, 1, 1)

    def apply(x):
        x = np.asarray(x)
        return np.asarray(vectorised(x.astype(np.float64))).astype(x.dtype)

    return apply


def _lgamma(x: float) -> float:
    if math.isnan(x):
        return math.nan
    try:
        return math.lgamma(x)
    except (ValueError, OverflowError):
        return math.inf


erf = _by_libm(math.erf)
erfc = _by_libm(math.erfc)
lgamma = _by_libm(_lgamma)


def erfinv(x):
    """Inverse of erf: Giles' rational start (2012), then two Newton steps in float64."""
    x = np.asarray(x)
    wide = x.astype(np.float64)
    w = -np.log1p(-wide * wide)
    near = _horner(w - 2.5, (2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06,
                             0.00021858087, -0.00125372503, -0.00417768164, 0.246640727,
                             1.50140941))  # fmt: skip
    far = _horner(np.sqrt(w) - 3.0, (-0.000200214257, 0.000100950558, 0.00134934322,
                                     -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047,
                                     1.00167406, 2.83297682))  # fmt: skip
    y = np.where(w < 5, near, far) * wide
    for _ in range(2):
        error = np.where(np.abs(wide) < 0.5, erf(y) - wide, np.sign(wide) * (1 - np.abs(wide) - erfc(np.abs(y))))
        y = y - error / (2 / math.sqrt(math.pi) * np.exp(-y * y))
    y = np.where(np.abs(wide) == 1, np.copysign(np.inf, wide), y)
    return np.where(np.abs(wide) > 1, np.nan, y).astype(x.dtype)


def _horner(x, coefficients):
    total = np.zeros_like(x)
    for c in coefficients:
        total = total * x + c
    return total


def digamma(x):
    """psi(x): reflection for x < 0, recurrence up to 10, then the asymptotic series."""
    x = np.asarray(x)
    wide = x.astype(np.float64)
    negative = wide < 0
    pole = negative & (wide == np.floor(wide))
    y = np.where(negative, 1 - wide, wide)
    total = np.zeros_like(y)
    for _ in range(10):
        small = y < 10
        total = total - np.where(small, 1 / np.where(small, y, 1), 0)
        y = np.where(small, y + 1, y)
    inverse = 1 / (y * y)
    series = _horner(inverse, (1 / 12, -691 / 32760, 1 / 132, -1 / 240, 1 / 252, -1 / 120, 1 / 12))
    total = total + np.log(y) - 0.5 / y - inverse * series
    fraction = wide - np.floor(wide)
    total = np.where(negative, total - math.pi / np.tan(math.pi * np.where(pole, 0.5, fraction)), total)
    total = np.where(pole, np.nan, total)
    total = np.where(wide == 0, np.copysign(np.inf, -wide), total)
    return total.astype(x.dtype)
