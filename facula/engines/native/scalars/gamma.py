"""lgamma and digamma by the reference engine's formulas, in double."""

from __future__ import annotations

import math

from facula.engines.native.scalars.exponentials import log, log1p
from facula.engines.native.scalars.lanes import Lanes, horner, in_double, outlined, where
from facula.engines.native.scalars.trigonometry import sin, tan
from facula.graph.primitives import special


def _positive(x: Lanes) -> Lanes:
    """lgamma of x >= 0: a polynomial on [1, 2], recurrence up to 8, then Stirling's series."""
    below_one, small = x < 1.0, x < 8.0
    y, product = where(small, x, 2.0), x.like(1.0)
    for _ in range(5):
        high = y >= 3.0
        y = where(high, y - 1.0, y)
        product = where(high, product * y, product)
    two = (y >= 2.0) & ~below_one
    t = where(below_one, y, where(two, y - 2.0, y - 1.0))
    near = t * (t - 1.0) * horner(t - 0.5, special.LGAMMA)
    near = where(below_one, near - log(where(below_one, y, 1.0)), near)
    near = where(two, near + log1p(where(two, t, 0.0)), near) + log(product)
    inverse = 1.0 / x
    series = horner(inverse * inverse, special.STIRLING) * inverse
    far = ((x - 0.5) * log(x) - x + 0.5 * math.log(2 * math.pi)) + series
    return where(small, near, where(x.equals(float("inf")), x, far))


@in_double
@outlined
def lgamma(x: Lanes) -> Lanes:
    """log |gamma(x)|; by reflection below 0."""
    size = x.unary("fabs")
    value = _positive(size)
    sine = sin((size - size.unary("roundeven")) * math.pi).unary("fabs")
    mirrored = log(math.pi / (sine * size)) - value
    value = where(x < 0.0, mirrored, value)
    pole = (x <= 0.0) & x.equals(x.unary("floor"))
    value = where(pole, float("inf"), value)
    return where(x.is_nan(), x, value)


@in_double
@outlined
def digamma(x: Lanes) -> Lanes:
    """psi(x): reflection below 0, recurrence up to 10, then the asymptotic series."""
    negative = x < 0.0
    y, total = where(negative, 1.0 - x, x), x.like(0.0)
    for _ in range(10):
        small = y < 10.0
        total = where(small, total - 1.0 / y, total)
        y = where(small, y + 1.0, y)
    inverse = 1.0 / y
    square = inverse * inverse
    total = total + log(y) - 0.5 * inverse - square * horner(square, special.DIGAMMA)
    mirrored = total - math.pi / tan((x - x.unary("roundeven")) * math.pi)
    total = where(negative, mirrored, total)
    total = where(negative & x.equals(x.unary("floor")), float("nan"), total)
    return where(x.equals(0.0), -1.0 / x, total)
