"""lgamma and digamma for float and double lanes, both computed in double."""

from __future__ import annotations

import math

from facula.engines.native.scalars.exponentials import DOUBLE, SINGLE, Format, form, log
from facula.engines.native.scalars.lanes import (
    Lanes,
    Variable,
    horner,
    in_double,
    muladd,
    outlined,
    where,
)
from facula.engines.native.scalars.trigonometry import tan
from facula.graph.primitives import special

# Minimax fits, of doubles and with an error below 1e-9 for results that are floats:
# lgamma(2 + t) / t for |t| <= 1/2
_SHAPE = {
    DOUBLE: (
        6.379047507619774e-08, -1.3412819758517287e-07, 2.0304806751615227e-07,
        -4.303558760359961e-07, 9.578663334114758e-07, -2.0449201467015115e-06,
        4.374374916915131e-06, -9.438458716242811e-06, 2.050726741605779e-05,
        -4.4926351103833334e-05, 9.945750909889392e-05, -0.00022315475074520367,
        0.0005096695248853096, -0.0011927539120010226, 0.002890510330738737,
        -0.0073855510286681535, 0.02058080842778457, -0.06735230105319814, 0.3224670334241132,
        0.42278433509846713,
    ),
    SINGLE: (
        0.00011347281994554691, -0.0002538170956727826, 0.0005065171429518161,
        -0.0011858600344983208, 0.002890795321559696, -0.007386174155633413,
        0.020580799471518252, -0.0673522814721006, 0.3224670334689425, 0.4227843350004583,
    ),
}  # fmt: skip
# sin(pi r) / r as a polynomial in r^2 for |r| <= 1/2
_SINE = {
    DOUBLE: (
        7.697826768224191e-07, -2.1903497074626018e-05, 0.0004662998161898394,
        -0.007370430505916944, 0.0821458865731029, -0.5992645293189447, 2.5501640398773007,
        -5.167712780049969, 3.141592653589793,
    ),
    SINGLE: (
        -0.007028303855203096, 0.08205035020147247, -0.599252186531583, 2.550163317938427,
        -5.167712764593, 3.141592653536132,
    ),
}  # fmt: skip
_STIRLING = {DOUBLE: special.STIRLING, SINGLE: special.STIRLING[-4:]}
_FAR = 8  # from here on Stirling's series


def lgamma(x: Lanes) -> Lanes:
    """log |gamma(x)|; by reflection below 0."""
    if form(x) is DOUBLE:
        return _lgamma_of_double(x)
    return _lgamma_of_single(x.widened()).narrowed()


@outlined
def _lgamma_of_double(x: Lanes) -> Lanes:
    return _lgamma(x, DOUBLE)


@outlined
def _lgamma_of_single(x: Lanes) -> Lanes:
    return _lgamma(x, SINGLE)


def _lgamma(x: Lanes, kind: Format) -> Lanes:
    size = x.unary("fabs")
    value = Variable(_positive(size, kind))
    negative = x < 0.0
    with x.f.when(negative.any().value):
        rest = size - size.unary("roundeven")
        sine = (rest * horner(rest * rest, _SINE[kind])).unary("fabs")
        mirrored = log(math.pi / (sine * size)) - value.get()
        value.set(where(negative, mirrored, value.get()))
    pole = (x <= 0.0) & x.equals(x.unary("floor"))
    return where(x.is_nan(), x, where(pole, float("inf"), value.get()))


def _positive(x: Lanes, kind: Format) -> Lanes:
    """lgamma of x >= 0, from lgamma between 1.5 and 2.5 by factors, up to 8: then Stirling."""
    t = x - (x + 0.5).unary("floor")
    product = x.like(1.0)
    for below in range(1, _FAR - 1):
        factor = x - float(below)
        product = where(factor >= 1.5, product * factor, product)
    small, far = x < 1.5, x >= float(_FAR)
    product = where(small, x * where(x < 0.5, x + 1.0, x.like(1.0)), where(far, x, product))
    logarithm = log(product)
    near = muladd(t, horner(t, _SHAPE[kind]), where(small, -logarithm, logarithm))
    inverse = 1.0 / x
    series = horner(inverse * inverse, _STIRLING[kind]) * inverse
    more = ((x - 0.5) * logarithm - x + 0.5 * math.log(2 * math.pi)) + series
    return where(far, where(x.equals(float("inf")), x, more), near)


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
