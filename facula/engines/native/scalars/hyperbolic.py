"""Hyperbolic functions and their inverses, for float and double lanes, within 2 units.

The polynomials are minimax fits, made as those of ``exponentials``.
"""

from __future__ import annotations

from facula.engines.native.scalars.exponentials import DOUBLE, SINGLE, exp, exponent, form, log1p
from facula.engines.native.scalars.lanes import (
    Lanes,
    at_most,
    copysign,
    horner,
    in_double,
    muladd,
    where,
)

LN2 = 0.6931471805599453

# (tanh(x) - x) / x^3 as a polynomial in x^2 for |x| <= 0.55
_TANH = {
    SINGLE: (-0.00629547611, 0.0210882332, -0.0538568422, 0.133326367, -0.333333194),
    DOUBLE: (
        5.10832525616607e-05, -0.00021039580256250242, 0.0005791969477134142,
        -0.0014532380024192592, 0.0035917242348198703, -0.008863195100947028,
        0.021869486022213537, -0.05396825387820943, 0.133333333331734, -0.3333333333333235,
    ),
}  # fmt: skip
# (sinh(x) - x) / x^3 as a polynomial in x^2 for |x| <= 1
_SINH = {
    SINGLE: (2.78606285e-6, 0.000198423426, 0.00833331235, 0.166666672),
    DOUBLE: (
        6.077125387723735e-15, 7.51731786489079e-13, 1.606114323703339e-10,
        2.5052090777123613e-08, 2.755731930517438e-06, 0.00019841269841069622,
        0.008333333333333567, 0.16666666666666666,
    ),
}  # fmt: skip


def odd(x: Lanes, square: Lanes, coefficients) -> Lanes:
    """x + x^3 p(x^2)."""
    return muladd(horner(square, coefficients) * square, x, x)


def tanh(x: Lanes) -> Lanes:
    """A polynomial near 0, 1 - 2 / (e^(2|x|) + 1) elsewhere."""
    size = at_most(x.unary("fabs"), 10.0 if form(x) is SINGLE else 20.0)
    far = 1.0 - 2.0 / (exp(size + size, bounded=True) + 1.0)
    near = odd(size, size * size, _TANH[form(x)])
    return copysign(where(size < 0.55, near, far), x)


def sinh(x: Lanes) -> Lanes:
    size = x.unary("fabs")
    half = exp(size, less_two=1)
    near = odd(size, size * size, _SINH[form(x)])
    return copysign(where(size < 1.0, near, half - 0.25 / half), x)


def cosh(x: Lanes) -> Lanes:
    half = exp(x.unary("fabs"), less_two=1)
    return half + 0.25 / half


@in_double
def asinh(x: Lanes) -> Lanes:
    """log1p of |x| + x^2 / (1 + sqrt(1 + x^2)); of very large numbers the square is left out."""
    size = x.unary("fabs")
    square = size * size
    big = size > 2.0**30
    t = where(big, size - 1.0, size + square / (1.0 + (square + 1.0).unary("sqrt")))
    return copysign(log1p(t) + where(big, LN2, t.like(0.0)), x)


@in_double
def acosh(x: Lanes) -> Lanes:
    t = x - 1.0
    big = x > 2.0**30
    root = muladd(t, t, t + t).unary("sqrt")
    near = root + t
    lost = (t - (near - root)) / (near + 1.0)  # what the rounding of the sum costs the logarithm
    value = log1p(where(big, t, near)) + where(big, LN2, lost)
    return where(x < 1.0, float("nan"), value)


# (atanh(z) / z - 1) / z^2 as a polynomial in z^2 for |z| <= 0.34, with an error of 1.3e-10: for
# results that are floats
_ATANH_COARSE = (
    0.10591926793186947, 0.0868148167172354, 0.11136868635839342, 0.14284992113397413,
    0.20000007345565257, 0.3333333332129999,
)  # fmt: skip


def atanh(x: Lanes) -> Lanes:
    return _atanh_of_double(x) if form(x) is DOUBLE else _atanh_of_single(x.widened()).narrowed()


def _atanh_of_double(x: Lanes) -> Lanes:
    """Half of log1p of 2|x| / (1 - |x|)."""
    size = x.unary("fabs")
    twice = size + size
    value = copysign(log1p(twice + twice * size / (1.0 - size)) * 0.5, x)
    return where(size > 1.0, float("nan"), value)


def _atanh_of_single(x: Lanes) -> Lanes:
    """Of floats as doubles: (1 + |x|) / (1 - |x|) is 2^k times (1 + z) / (1 - z) for a small z."""
    size = x.unary("fabs")
    above, m = exponent(size + 1.0)
    below, n = exponent(1.0 - size)
    k = above - below
    z = where(k.equals(0.0), size, (m - n) / (m + n))
    value = muladd(k, LN2 / 2, odd(z, z * z, _ATANH_COARSE))
    value = where(size.equals(1.0), float("inf"), value)
    return where(size > 1.0, float("nan"), copysign(value, x))
