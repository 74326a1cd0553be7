"""erf, erfc and the inverse of erf for float and double lanes.

erf of floats has two polynomials of its own (minimax fits); the rest follows the formulas of the
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
    horner,
    in_double,
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


def erf(x: Lanes) -> Lanes:
    return _erf_of_single(x) if form(x) is SINGLE else _erf_of_double(x)


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
