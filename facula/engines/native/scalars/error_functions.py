"""erf, erfc and the inverse of erf for float and double lanes.

Floats have polynomials of their own (minimax fits), some of them in double; the rest follows the
formulas of the reference engine.
"""

from __future__ import annotations

import math

from facula.engines.native.scalars.exponentials import (
    DOUBLE,
    LOG2_E,
    SINGLE,
    coarse_exp2,
    exp,
    exp_of_sum,
    form,
    log,
)
from facula.engines.native.scalars.lanes import (
    Lanes,
    at_most,
    copysign,
    fma,
    has_lookup,
    horner,
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


# log(erfc(x) / t) + x^2 for t = 1 / (1 + x / 2) between 0.16 and 1, with an error of 1.4e-10: for
# results that are floats
_ERFC_COARSE = (
    -0.03509069391487331, 0.45113130310071137, -2.2782811376446097, 6.238071164400939,
    -10.370609214632694, 10.898240315377503, -7.3630146656310975, 3.4618858621536814,
    -1.3600256188544178, 0.20941774246900138, 0.03363495684003297, 0.38050114555260867,
    0.9996404781853866, -1.265501637333006,
)  # fmt: skip


def erfc(x: Lanes) -> Lanes:
    return _erfc_of_double(x) if form(x) is DOUBLE else _erfc_of_single(x.widened()).narrowed()


@outlined
def _erfc_of_double(x: Lanes) -> Lanes:
    size = x.unary("fabs")
    rest = _rest(size)
    return where(size < 0.46875, 1.0 - _near(x), where(x < 0.0, 2.0 - rest, rest))


@outlined
def _erfc_of_single(x: Lanes) -> Lanes:
    """Of floats as doubles; those above 10.3 have results that are no floats."""
    size = at_most(x.unary("fabs"), 10.3)
    t = 1.0 / muladd(size, 0.5, 1.0)
    power = muladd(-size, size, horner(t, _ERFC_COARSE))
    rest = t * coarse_exp2(power * LOG2_E)
    return where(x < 0.0, 2.0 - rest, rest)


# erfinv(x) / x by w = -log(1 - x^2). For floats it is a polynomial in w - 1 up to 5, then one in
# sqrt(w) - 3 (errors 1.3e-8 and 2e-8); for doubles in w - 2.5 and in sqrt(w) - 4 (4e-9, 7e-7).
_INVERSE = {
    SINGLE: (
        -8.931925970244222e-09, 1.439169677940051e-07, -5.35386261882938e-07,
        -4.3769974763206066e-06, 3.82147038366021e-05, 0.00010025087743139696,
        -0.0023764059218931302, 0.004250649751238458, 0.24783287746290628, 1.1273743985796687,
    ),
    DOUBLE: (
        4.671932509038665e-10, -8.739010702830122e-09, 1.598430613390006e-08,
        4.6541741050231655e-07, -3.4234142742220455e-06, -4.9596917942159365e-06,
        0.00021825772396383332, -0.0012527485028416628, -0.004177320040540122,
        0.24664028942745514, 1.501409351110792,
    ),
}  # fmt: skip
_INVERSE_FAR = {
    SINGLE: (
        0.00012924187859511348, -0.000319926843493444, -7.604800498887059e-05,
        0.0014972226978086057, -0.0035878157516908205, 0.005682678456334495,
        -0.007639139033005019, 0.009445743827914105, 1.0016750658408062, 2.8329767944737343,
    ),
    DOUBLE: (
        7.325182868231935e-07, -2.060073835169195e-06, -7.974933512153653e-06,
        3.747478595532468e-05, -4.540490617910535e-05, 2.5474803845848924e-05,
        -9.397925888389905e-05, 0.0003427051709324686, -0.0008843413645546367,
        0.001254085974410264, 1.0094958558176517, 3.8397840470528064,
    ),
}  # fmt: skip


@outlined
def erfinv(x: Lanes) -> Lanes:
    """Polynomials, which suffice for floats; of doubles one step of Halley's method as well."""
    kind, size = form(x), x.unary("fabs")
    square = fma(-x, x, 1.0) if kind is SINGLE else (1.0 - size) * (1.0 + size)
    w = -log(square)
    near = horner(w - (1.0 if kind is SINGLE else 2.5), _INVERSE[kind])
    far = horner(w.unary("sqrt") - (3.0 if kind is SINGLE else 4.0), _INVERSE_FAR[kind])
    y = where(w < 5.0, near, far) * x
    if kind is DOUBLE:
        y = _closer(y, x, size)
    y = where(size.equals(1.0), copysign(x.like(float("inf")), x), y)
    return where(size > 1.0, float("nan"), y)


def _closer(y: Lanes, x: Lanes, size: Lanes) -> Lanes:
    """A step from y towards where erf is x."""
    tail = (1.0 - size) - _rest(y.unary("fabs"))
    error = where(size < 0.5, _near(y) - x, where(x < 0.0, -tail, tail))
    step = error * (math.sqrt(math.pi) / 2) * exp(y * y)
    return y - step / muladd(step, y, 1.0)
