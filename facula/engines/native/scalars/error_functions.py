"""erf, erfc and the inverse of erf for float and double lanes.

erf of floats has polynomials of its own (minimax fits); the rest follows the formulas of the
reference engine in double.
"""

from __future__ import annotations

import math

from facula.engines.native.scalars.exponentials import SINGLE, exp, exp_of_sum, form, log1p
from facula.engines.native.scalars.lanes import (
    Lanes,
    at_most,
    copysign,
    fma,
    has_lookup,
    horner,
    in_double,
    lookup,
    muladd,
    outlined,
    where,
)
from facula.graph.primitives import special

# erf(x) / x - 1 as a polynomial in x^2 for |x| <= 1 (of floats 0.9)
_NEAR_DOUBLE = (
    -7.88489693522933e-10, 1.3766651050821017e-08, -1.6218828122517565e-07, 1.64486876489149e-06,
    -1.4924828431756486e-05, 0.00012055298826953074, -0.0008548326064957891, 0.005223977607716033,
    -0.0268661706430879, 0.11283791670942125, -0.3761263890318341, 0.12837916709551256,
)  # fmt: skip
_NEAR = (-0.000607954687, 0.0050095059, -0.0267768633, 0.112820663, -0.376125127, 0.128379151)
# -log(1 - erf(x)) for 0.9 <= x <= 3.95
_FAR = (-0.000198235939, 0.00306557608, -0.0223153643, 0.104113743, 0.636976182, 1.12779713,
        0.000166482059)  # fmt: skip

# For tables of 16: erf(c + t) = a + t p(t), around points c near i / _PER_UNIT at which erf is
# almost a float; the highest power of p comes first. Around 0 it is t + t p(t).
_PER_UNIT = 3.875
_CENTRES = (
    0.0,
    0.25806442,
    0.5161275,
    0.77419484,
    1.0322642,
    1.2903224,
    1.5483868,
    1.8064514,
    2.0645175,
    2.3225758,
    2.5806375,
    2.838754,
    3.0964487,
    3.3551054,
    3.6138566,
    3.8700142,
)
_ERF_AT_CENTRES = (
    0.0,
    0.2848574,
    0.5345576,
    0.7264294,
    0.8556665,
    0.9319675,
    0.9714576,
    0.9893723,
    0.99649596,
    0.9989788,
    0.9997373,
    0.99994045,
    0.9999881,
    0.9999979,
    0.9999997,
    0.99999994,
)
_AROUND_CENTRES = (
    (
        0.11220536,
        0.07782699,
        0.0027775795,
        -0.056258515,
        -0.06753573,
        -0.04182845,
        -0.009696612,
        0.009079792,
        0.012932528,
        0.009331976,
        0.004856939,
        0.0019920806,
        0.0006670468,
        0.00018617297,
        0.00019227002,
        0.00010893278,
    ),
    (
        0.0,
        0.1292378,
        0.18234114,
        0.14348446,
        0.0582844,
        -0.014634428,
        -0.04712797,
        -0.045683347,
        -0.030256597,
        -0.015522463,
        -0.0064894347,
        -0.002233244,
        -0.0006748883,
        -0.00014620868,
        0.000616404,
        -0.00044433278,
    ),
    (
        -0.37612295,
        -0.30502567,
        -0.13464189,
        0.041045908,
        0.14657752,
        0.16580187,
        0.1298169,
        0.0795385,
        0.039879456,
        0.016723292,
        0.0059381635,
        0.0017988812,
        0.00046857545,
        0.00010451927,
        1.886467e-05,
        2.5717281e-06,
    ),
    (
        0.0,
        -0.27242887,
        -0.44618583,
        -0.47972968,
        -0.40130615,
        -0.2754779,
        -0.15889806,
        -0.07799512,
        -0.032825056,
        -0.011903446,
        -0.0037312594,
        -0.001013531,
        -0.00023915489,
        -4.9172875e-05,
        -1.9530988e-05,
        5.938779e-06,
    ),
    (
        0.12837917,
        1.0556799,
        0.8644988,
        0.61965317,
        0.3887623,
        0.21349333,
        0.102620296,
        0.043175388,
        0.015899776,
        0.005125249,
        0.0014460676,
        0.00035701183,
        7.734675e-05,
        1.4578685e-05,
        2.4020765e-06,
        3.5320133e-07,
    ),
)


def erf(x: Lanes) -> Lanes:
    if form(x) is not SINGLE:
        return _erf_of_double(x)
    return _erf_by_table(x) if has_lookup(x) else _erf_of_single(x)


def _erf_by_table(x: Lanes) -> Lanes:
    """A polynomial for each sixteenth of the range: half the work of :func:`_erf_of_single`."""
    size = at_most(x.unary("fabs"), 3.99)
    place = muladd(size, _PER_UNIT, SINGLE.magic).bits()
    t = size - lookup(place, _CENTRES)
    start = where((place & 15).equals(0), t, lookup(place, _ERF_AT_CENTRES))
    total = lookup(place, _AROUND_CENTRES[0])
    for powers in _AROUND_CENTRES[1:]:
        total = muladd(total, t, lookup(place, powers))
    return copysign(muladd(total, t, start), x)


def _erf_of_single(x: Lanes) -> Lanes:
    size = at_most(x.unary("fabs"), 3.95)
    near = muladd(horner(size * size, _NEAR), size, size)
    far = 1.0 - exp(-horner(size, _FAR), bounded=True)
    return copysign(where(size < 0.9, near, far), x)


def _near(x: Lanes) -> Lanes:
    """erf(x) of doubles up to 1."""
    return muladd(horner(x * x, _NEAR_DOUBLE), x, x)


def _rest(size: Lanes) -> Lanes:
    """erfc(size) of doubles from 0.46 on: Cody's approximations."""
    middle = at_most(size, 4.0)
    middle = horner(middle, special.CODY_C) / horner(middle, special.CODY_D)
    y = at_most(size, 30.0)
    square = y * y
    inverse = 1.0 / square
    series = inverse * (horner(inverse, special.CODY_P) / horner(inverse, special.CODY_Q))
    far = (1 / math.sqrt(math.pi) - series) / y
    return where(y > 4.0, far, middle) * exp_of_sum(-square, -fma(y, y, -square))


@outlined
def _erf_of_double(x: Lanes) -> Lanes:
    size = x.unary("fabs")
    return where(size < 1.0, _near(x), copysign(1.0 - _rest(size), x))


@in_double
@outlined
def erfc(x: Lanes) -> Lanes:
    size = x.unary("fabs")
    rest = _rest(size)
    return where(size < 0.46875, 1.0 - _near(x), where(x < 0.0, 2.0 - rest, rest))


@in_double
@outlined
def erfinv(x: Lanes) -> Lanes:
    """Giles' start, then two Newton steps."""
    w = -log1p(-x * x)
    near = horner(w - 2.5, special.GILES_NEAR)
    far = horner(w.unary("sqrt") - 3.0, special.GILES_FAR)
    y = where(w < 5.0, near, far) * x
    size = x.unary("fabs")
    for _ in range(2):
        tail = where(x < 0.0, -1.0, x.like(1.0)) * ((1.0 - size) - erfc(y.unary("fabs")))
        error = where(size < 0.5, erf(y) - x, tail)
        y = y - error / (2 / math.sqrt(math.pi) * exp(-(y * y)))
    y = where(size.equals(1.0), copysign(x.like(float("inf")), x), y)
    return where(size > 1.0, float("nan"), y)
