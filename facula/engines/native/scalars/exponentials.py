"""exp and log and what is made of them, for float and double lanes, within 2 units.

The polynomials are minimax fits (Remez) of relative error below 0.1 unit in the last place, their
coefficients rounded one after another with the rest fitted again; the highest power comes first.
"""

from __future__ import annotations

from dataclasses import dataclass

from facula.engines.native import ir, target
from facula.engines.native.scalars.lanes import (
    Lanes,
    at_least,
    at_most,
    horner,
    muladd,
    where,
)


@dataclass(frozen=True)
class Format:
    """What formulas need to know of a float format."""

    digits: int  # bits of precision, with the hidden one
    bias: int
    magic: float  # adding it rounds to a whole number, which stands in the low bits
    lowest: float  # exp of less is 0
    highest: float  # exp of more is infinite
    smallest: float  # normal number
    tiny: float  # below it x + x * x / 2 rounds to x

    @property
    def shift(self) -> int:
        return self.digits - 1


SINGLE = Format(24, 127, 1.5 * 2**23, -104.0, 88.8, 2.0**-126, 2.0**-13)
DOUBLE = Format(53, 1023, 1.5 * 2**52, -746.0, 710.0, 2.0**-1022, 2.0**-27)


def form(x: Lanes) -> Format:
    return SINGLE if x.element == "float" else DOUBLE


# ln 2 in two parts; the high one has so few digits that multiples up to 2^11 of it are exact.
_LN2_HIGH = {SINGLE: 0.693359375, DOUBLE: 0.6931471803691238}
_LN2_LOW = {SINGLE: -0.00021219444, DOUBLE: 1.9082149292705877e-10}
LOG2_E = 1.4426950408889634

# (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2
_EXP = {
    SINGLE: (0.00138380041, 0.0083691664, 0.0416681021, 0.166665167, 0.49999994),
    DOUBLE: (
        2.5058058026554738e-08, 2.763097249458732e-07, 2.75574809304287e-06,
        2.4801491555276848e-05, 0.00019841269568465357, 0.001388888894489018,
        0.00833333333347384, 0.041666666666525756, 0.16666666666666435, 0.5000000000000011,
    ),
}  # fmt: skip
# (2^r - 1) / r for |r| <= 1/2
_EXP2 = {
    SINGLE: (0.000133345617, 0.00133879134, 0.00962544233, 0.0555036627, 0.240225941, 0.693147182),
    DOUBLE: (
        4.516807231608719e-10, 7.0755421709084115e-09, 1.0177666485510387e-07,
        1.3215424745870577e-06, 1.525273472198271e-05, 0.00015403530478499104,
        0.0013333558145576462, 0.009618129107577205, 0.05550410866482456, 0.24022650695910172,
        0.6931471805599453,
    ),
}  # fmt: skip
# 2^r in double for |r| <= 1/2 with an error of 4e-11, for results that are floats
_EXP2_COARSE = (
    1.5201846561534538e-05, 0.00015469422766493146, 0.001333392389313422, 0.00961802684650499,
    0.0555041035055178, 0.24022651201158982, 0.6931471807297305, 0.9999999999613712,
)  # fmt: skip
# (log(1 + f) - f + f^2 / 2) / f^3 for 1 + f between sqrt(1/2) and sqrt(2)
_LOG_SINGLE = (-0.0764244422, 0.127663776, -0.131593883, 0.142009571, -0.166233376, 0.200012609,
               -0.250008225, 0.333333313)  # fmt: skip
# (log(1 + f) / s - 2) / s^2 as a polynomial in s^2, s = f / (2 + f), in the same range
_LOG_DOUBLE = (
    0.14798863101477452, 0.1531377777064567, 0.18183574218718684, 0.22222198398934048,
    0.285714287439107, 0.3999999999940875, 0.6666666666666735,
)  # fmt: skip

# Constants in two parts; multiples of the high part of log10(2) are exact.
_LOG2_E = {
    SINGLE: (1.4426950216293335, 1.9259629911266175e-08),
    DOUBLE: (1.4426950408889634, 2.0355273740931033e-17),
}
_LOG10_E = {
    SINGLE: (0.4342944920063019, -1.0103050052231683e-08),
    DOUBLE: (0.4342944819032518, 1.098319650216765e-17),
}
_LOG10_2 = {
    SINGLE: (0.301025390625, 4.605038981195214e-06),
    DOUBLE: (0.301029995663157, 8.241712586023572e-13),
}


# Exponentials ----------------------------------------------------------------------------------


def _whole_part(x: Lanes, factor: float) -> tuple[Lanes, Lanes]:
    """x * factor rounded to a whole number: as a float, and with it in the low bits."""
    kept = muladd(x, factor, form(x).magic)
    return kept - form(x).magic, kept.bits()


def _less_multiple_of_ln2(x: Lanes, n: Lanes) -> Lanes:
    """x - n ln 2."""
    r = muladd(n, -_LN2_HIGH[form(x)], x)
    return muladd(n, -_LN2_LOW[form(x)], r)


def power_of_two(n: Lanes) -> Lanes:
    """2^n for a whole number in the low bits, while that is a normal number."""
    kind = SINGLE if n.element == "i32" else DOUBLE
    return ((n << kind.shift) + (kind.bias << kind.shift)).as_float()


def scaled(x: Lanes, n: Lanes, bits: Lanes) -> Lanes:
    """x * 2^n for x near 1; ``bits`` has n in its low bits. Rounds once, also to subnormals."""
    if _has_scalef(x):
        return _scalef(x, n)
    kind = form(x)
    half = (kind.bias + 1) // 2  # two factors, since 2^n alone may not be a normal number
    down = n < 0.0
    start = where(
        down, bits.like((kind.bias + half) << kind.shift), (kind.bias - half) << kind.shift
    )
    return (
        x * ((bits << kind.shift) + start).as_float() * where(down, 2.0**-half, x.like(2.0**half))
    )


def _has_scalef(x: Lanes) -> bool:
    return x.count * (32 if x.element == "float" else 64) == 512 and target.has("avx512f")


def _scalef(x: Lanes, n: Lanes) -> Lanes:
    """AVX-512's own scaling."""
    f, name = x.f, "ps" if x.element == "float" else "pd"
    arguments = (x.value, n.value, x.value, ir.constant(f"i{x.count}", -1), ir.constant("i32", 4))
    symbol = f"llvm.x86.avx512.mask.scalef.{name}.512"
    types = f"{x.type}, {x.type}, {x.type}, i{x.count}, i32 immarg"
    f.declared.setdefault(symbol, f"declare {x.type} @{symbol}({types})")
    return Lanes(f, f.call(symbol, x.type, *arguments))


def exp(x: Lanes, less_two: int = 0, bounded: bool = False) -> Lanes:
    """e^x; ``less_two`` = k gives e^x / 2^k, which overflows later.

    ``bounded`` promises that e^x is a normal number.
    """
    kind = form(x)
    if not bounded:
        x = at_least(at_most(x, kind.highest + less_two), kind.lowest)
    n, bits = _whole_part(x, LOG2_E)
    r = _less_multiple_of_ln2(x, n)
    value = muladd(horner(r, _EXP[kind]) * r, r, r) + 1.0
    if bounded:
        return value * power_of_two(bits)
    return (
        scaled(value, n - float(less_two), bits - less_two) if less_two else scaled(value, n, bits)
    )


def exp2(x: Lanes) -> Lanes:
    kind = form(x)
    x = at_least(at_most(x, float(kind.bias + 1)), -float(kind.bias + kind.digits))
    n, bits = _whole_part(x, 1.0)
    return scaled(muladd(horner(x - n, _EXP2[kind]), x - n, 1.0), n, bits)


def exp_of_sum(x: Lanes, rest: Lanes) -> Lanes:
    """e^(x + rest) of doubles for a rest that is small, with little error."""
    x = at_least(at_most(x, DOUBLE.highest), DOUBLE.lowest)
    n, bits = _whole_part(x, LOG2_E)
    high = muladd(n, -_LN2_HIGH[DOUBLE], x)
    r = muladd(n, -_LN2_LOW[DOUBLE], high)
    lost = muladd(n, -_LN2_LOW[DOUBLE], high - r) + rest
    bent = horner(r, _EXP[DOUBLE]) * r * r
    value = r + muladd(1.0 + (r + bent), lost, bent) + 1.0
    return scaled(value, n, bits)


def coarse_exp2(x: Lanes) -> Lanes:
    """2^x of doubles with an error of 4e-11, where it is a normal number."""
    n, bits = _whole_part(x, 1.0)
    return horner(x - n, _EXP2_COARSE) * power_of_two(bits)


def expm1(x: Lanes) -> Lanes:
    """e^x - 1, accurate near 0."""
    kind = form(x)
    low = at_least(at_most(x, kind.highest), -float(kind.digits))
    half = _halved_expm1(low)
    return where(x.unary("fabs") < kind.smallest * 2.0**60, x, half + half)


def _halved_expm1(x: Lanes) -> Lanes:
    """(e^x - 1) / 2, which does not overflow where e^x - 1 does not."""
    n, bits = _whole_part(x, LOG2_E)
    high = muladd(n, -_LN2_HIGH[form(x)], x)
    r = muladd(n, -_LN2_LOW[form(x)], high)
    lost = muladd(n, -_LN2_LOW[form(x)], high - r)  # what the rounding of r lost
    p = r + muladd(horner(r, _EXP[form(x)]) * r, r, lost)
    size = power_of_two(bits - 1)
    return muladd(p, size, size - 0.5)


# Logarithms ------------------------------------------------------------------------------------


def split(x: Lanes) -> tuple[Lanes, Lanes]:
    """x > 0 as 2^k (1 + f) with 1 + f between sqrt(1/2) and sqrt(2): k as a float, and f."""
    kind = form(x)
    below = x < kind.smallest
    normal = where(below, x * 2.0**kind.digits, x)
    k, m = exponent(normal)
    return where(below, k - float(kind.digits), k), m - 1.0


def exponent(x: Lanes) -> tuple[Lanes, Lanes]:
    """A normal x as 2^k m with m between sqrt(1/2) and sqrt(2): k as a float, and m."""
    kind = form(x)
    root = x.like(0.5**0.5).bits()
    steps = (x.bits() - root).shift_signed(kind.shift)
    m = (x.bits() - (steps << kind.shift)).as_float()
    return steps.convert("sitofp", x.element), m


def log_of_1_plus(f: Lanes, k: Lanes | None = None, factor: float | None = None) -> Lanes:
    """log(1 + f) + k ln 2 for 1 + f between sqrt(1/2) and sqrt(2)."""
    kind = form(f)
    if kind is SINGLE:
        square = f * f
        rest = horner(f, _LOG_SINGLE) * f * square
        if k is not None:
            rest = muladd(k, _LN2_LOW[kind], rest)
        low = f + muladd(square, -0.5, rest)
    else:
        s = f / (f + 2.0)
        square = s * s
        half = f * f * 0.5
        rest = s * (half + square * horner(square, _LOG_DOUBLE))
        if k is not None:
            rest = muladd(k, _LN2_LOW[kind], rest)
        low = f - (half - rest)
    return low if k is None else muladd(k, _LN2_HIGH[kind], low)


def _at_the_ends(x: Lanes, value: Lanes) -> Lanes:
    """Logarithms of 0, of infinity, of NaN and of negative numbers."""
    value = where(x < float("inf"), value, x)  # infinity and NaN
    value = where(x.equals(0.0), float("-inf"), value)
    return where(x < 0.0, float("nan"), value)


def log(x: Lanes) -> Lanes:
    k, f = split(x)
    return _at_the_ends(x, log_of_1_plus(f, k))


def log1p(x: Lanes) -> Lanes:
    """log(1 + x): what the rounding of 1 + x loses is added to f."""
    kind = form(x)
    u = x + 1.0
    lost = where(x.unary("fabs") > 1.0, 1.0 - (u - x), x - (u - 1.0))
    k, m = exponent(u)
    whole = at_most(k, float(kind.bias - 1)).convert("fptosi", k.bits().element)
    shrink = power_of_two(-whole)
    f = where(k.equals(0.0), x, muladd(lost, shrink, m - 1.0))
    value = where(x.unary("fabs") < kind.smallest, x, log_of_1_plus(f, k))
    return _at_the_ends(u, where(x.equals(0.0), x, value))


def _times_constant(x: Lanes, constant: tuple[float, float]) -> Lanes:
    """x times a constant that is given as a sum of two."""
    return muladd(x, constant[0], x * constant[1])


def log2(x: Lanes) -> Lanes:
    k, f = split(x)
    return _at_the_ends(x, k + _times_constant(log_of_1_plus(f), _LOG2_E[form(x)]))


def log10(x: Lanes) -> Lanes:
    high, low = _LOG10_2[form(x)]
    k, f = split(x)
    part = _times_constant(log_of_1_plus(f), _LOG10_E[form(x)])
    return _at_the_ends(x, muladd(k, high, muladd(k, low, part)))
