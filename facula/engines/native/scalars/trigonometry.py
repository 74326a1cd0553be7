"""Trigonometric functions and their inverses, for float and double lanes, within 2 units.

The polynomials are minimax fits, made as those of ``exponentials``.
"""

from __future__ import annotations

from facula.engines.native.scalars.angles import HALF_PI, reduced
from facula.engines.native.scalars.exponentials import DOUBLE, SINGLE, form
from facula.engines.native.scalars.hyperbolic import odd
from facula.engines.native.scalars.lanes import (
    Lanes,
    at_least,
    copysign,
    fma,
    horner,
    muladd,
    where,
)

# All are polynomials in x^2: (sin(x) - x) / x^3, (cos(x) - 1 + x^2 / 2) / x^4 and
# (tan(x) - x) / x^3 for |x| <= pi / 4, (atan(x) - x) / x^3 for |x| <= 1, (asin(x) - x) / x^3 for
# |x| <= 1 / 2.
_SIN = {
    SINGLE: (2.83724671e-6, -0.000198534981, 0.00833338033, -0.166666672),
    DOUBLE: (
        -7.380398812949425e-13, 1.605413830428436e-10, -2.5052069670126927e-08,
        2.7557319069765697e-06, -0.0001984126984095601, 0.008333333333333038,
        -0.16666666666666666,
    ),
}  # fmt: skip
_COS = {
    SINGLE: (2.44306702e-5, -0.00138873013, 0.0416666456),
    DOUBLE: (
        4.579590603775293e-14, -1.1466585723433237e-11, 2.0876719766646173e-09,
        -2.755731905198527e-07, 2.480158730116489e-05, -0.0013888888888888378,
        0.041666666666666664,
    ),
}  # fmt: skip
_TAN_SINGLE = (0.00444183312, -4.61906784e-5, 0.0109455446, 0.0212386101, 0.0540686511,
               0.13332583, 0.333333522)  # fmt: skip
_TAN_DOUBLE = (
    4.537572492576301e-06, -1.2581814051493324e-05, 2.5724086432799895e-05,
    -1.8264262577930834e-05, 3.4111785965157194e-05, 2.966116691602057e-05,
    0.0001006440171989243, 0.0002380607994957003, 0.0005902530020790652,
    0.0014557997334590145, 0.003592131819240779, 0.008863235247699797, 0.021869488549679048,
    0.053968253967878826, 0.13333333333333827, 0.3333333333333333,
)  # fmt: skip
_ATAN = {
    SINGLE: (
        -0.00181871105, 0.0110289538, -0.0313944407, 0.058178056, -0.0841646045, 0.109566577,
        -0.142650917, 0.199986264, -0.333333015,
    ),
    DOUBLE: (
        -8.844307746584582e-06, 0.000105868193019842, -0.0006026263990962992,
        0.0021808330180441912, -0.005673002840333325, 0.011409572624421797, -0.01871976085698533,
        0.02624540348423645, -0.0328505823062402, 0.03824572551441757, -0.04287929523974636,
        0.04745447541435152, -0.05259571476860469, 0.05881744115183883, -0.06666588006433241,
        0.07692300193492199, -0.09090908585500211, 0.11111111088472124, -0.1428571428510204,
        0.19999999999991552, -0.3333333333333329,
    ),
}  # fmt: skip
_ASIN = {
    SINGLE: (0.0422196724, 0.0241481904, 0.0454766527, 0.0749524906, 0.166667536),
    DOUBLE: (
        0.03198247850441375, -0.016327889470221908, 0.01959513777131337, 0.006503214479103617,
        0.012175017120978425, 0.013884338274524928, 0.017359796976704547, 0.022371751840957927,
        0.030381959399925107, 0.04464285682185735, 0.07500000000344956, 0.16666666666665375,
    ),
}  # fmt: skip


def _sin_near(r: Lanes, rest: Lanes) -> Lanes:
    """sin(r + rest) for |r| <= pi / 4."""
    square = r * r
    if form(r) is SINGLE:  # where rest is left out
        return odd(r, square, _SIN[SINGLE])
    return r + muladd(horner(square, _SIN[DOUBLE]) * square, r, rest)


def _cos_near(r: Lanes, rest: Lanes) -> Lanes:
    """cos(r + rest) for |r| <= pi / 4."""
    square = r * r
    tail = horner(square, _COS[form(r)]) * square
    if form(r) is SINGLE:
        return muladd(tail, square, muladd(square, -0.5, 1.0))
    half = square * 0.5
    start = 1.0 - half
    lost = (1.0 - start) - half
    return start + (lost + muladd(tail, square, -(r * rest)))


def _quarter_turn(x: Lanes, ahead: int) -> Lanes:
    """sin(x + ahead pi / 2)."""
    r, rest, quarter = reduced(x)
    quarter = quarter + ahead if ahead else quarter
    value = where((quarter & 1).differs(0), _cos_near(r, rest), _sin_near(r, rest))
    shift = 30 if form(x) is SINGLE else 62
    return (value.bits() ^ ((quarter & 2) << shift)).as_float()


def sin(x: Lanes) -> Lanes:
    # -0 would come back as 0, since 0 * pi/2 is added to it
    return where(x.equals(0.0), x, _quarter_turn(x, 0))


def cos(x: Lanes) -> Lanes:
    return _quarter_turn(x, 1)


def tan(x: Lanes) -> Lanes:
    """In double also for floats: a tangent grows faster than the error of its argument."""
    single = form(x) is SINGLE
    r, rest, quarter = reduced(x.widened() if single else x)
    turned = (quarter & 1).differs(0)
    square = r * r
    p = horner(square, _TAN_SINGLE if single else _TAN_DOUBLE)
    t = r + muladd(p * square, r, muladd(rest, square, rest))
    value = where(turned, -1.0, t) / where(turned, t, 1.0)
    return where(x.equals(0.0), x, value.narrowed() if single else value)


def _atan_of_ratio(small: Lanes, large: Lanes) -> Lanes:
    """atan(small / large) for 0 <= small <= large."""
    t = small / large
    return odd(t, t * t, _ATAN[form(t)])


def _from_half_pi(value: Lanes, times: int = 1) -> Lanes:
    """times * pi / 2 - value."""
    high, low, _ = HALF_PI[form(value)]
    return times * high - (value - times * low)


def atan(x: Lanes) -> Lanes:
    size = x.unary("fabs")
    steep = size > 1.0
    value = _atan_of_ratio(where(steep, 1.0, size), where(steep, size, 1.0))
    return copysign(where(steep, _from_half_pi(value), value), x)


def atan2(y: Lanes, x: Lanes) -> Lanes:
    """The angle of the point (x, y); signs of zeros count."""
    up, along = y.unary("fabs"), x.unary("fabs")
    steep = up > along
    small, large = where(steep, along, up), where(steep, up, along)
    same = small.equals(large)  # then both may be 0 or infinite
    one = where(small.equals(0.0), small, 1.0)
    value = _atan_of_ratio(where(same, one, small), where(same, 1.0, large))
    value = where(steep, _from_half_pi(value), value)
    value = where(x.bits() < 0, _from_half_pi(value, 2), value)
    neither = x.f.compare("fcmp uno", x.value, y.value)
    return where(Lanes(x.f, neither), x + y, copysign(value, y))


def _asin_parts(size: Lanes) -> tuple[Lanes, Lanes, Lanes]:
    """Whether |x| > 1/2, and asin as a sum: of |x|, or of sqrt((1 - |x|) / 2) for large |x|."""
    large = size > 0.5
    square = where(large, (1.0 - size) * 0.5, size * size)
    root = square.unary("sqrt")
    s = where(large, root, size)
    lost = fma(-root, root, square) * 0.5 / at_least(root, 1e-30)
    tail = muladd(horner(square, _ASIN[form(size)]) * square, s, where(large, lost, 0.0))
    return large, s, tail


def asin(x: Lanes) -> Lanes:
    """For |x| > 1/2 it is pi / 2 - 2 asin(sqrt((1 - |x|) / 2))."""
    large, s, tail = _asin_parts(x.unary("fabs"))
    high, low, _ = HALF_PI[form(x)]
    start = high - (s + s)
    lost = (high - start) - (s + s)
    far = start - ((tail + tail) - (lost + low))
    return copysign(where(large, far, s + tail), x)


def acos(x: Lanes) -> Lanes:
    large, s, tail = _asin_parts(x.unary("fabs"))
    high, low, _ = HALF_PI[form(x)]
    signed_s, signed_tail = copysign(s, x), copysign(tail, x)
    middle = high - (signed_s - (low - signed_tail))
    twice = (s + s) + (tail + tail)
    far = where(x < 0.0, _from_half_pi(twice, 2), twice)
    return where(large, far, middle)
