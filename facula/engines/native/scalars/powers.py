"""Powers of floats: a product where the exponent is 2, 3, -1 or -2, otherwise by logarithms.

Logarithms of floats are computed in double; of doubles as sums of two doubles, since their error
is multiplied by the exponent. The polynomials are minimax fits.
"""

from __future__ import annotations

from collections.abc import Callable

from facula.engines.native import ir
from facula.engines.native.scalars.exponentials import coarse_exp2, exp_of_sum, exponent, split
from facula.engines.native.scalars.lanes import (
    Lanes,
    Variable,
    at_least,
    at_most,
    copysign,
    fma,
    horner,
    muladd,
    where,
)
from facula.engines.native.scalars.rounding import to_half

# log2(1 + f) / s as a polynomial in s^2, s = f / (2 + f), for 1 + f between sqrt(1/2) and sqrt(2);
# error 3e-14
_LOG2 = (
    0.2829547118154402, 0.3199020134977381, 0.41220933870779874, 0.5770779415472028,
    0.9617966941160199, 2.8853900817778486,
)  # fmt: skip
# ((log(1 + f) / s - 2) / s^2 - 2/3) / s^2, likewise; error 7e-24 of log(1 + f)
_LOG_REST = (
    0.12022750955731383, 0.10279691428600102, 0.11777232503422351, 0.13332960784306166,
    0.1538462217364497, 0.18181818106103584, 0.22222222222716273, 0.2857142857142689, 0.4,
)  # fmt: skip
_TWO_THIRDS = (0.6666666666666666, 3.700743415417188e-17)
_LN2 = (0.6931471803691238, 1.9082149292705877e-10)


_CASES = {
    2.0: lambda x, square: square,
    3.0: lambda x, square: square * x,
    0.5: lambda x, square: x.unary("sqrt"),
    -1.0: lambda x, square: 1.0 / x,
    -2.0: lambda x, square: 1.0 / square,
}


def power_of_halves(x: Lanes, y: Lanes) -> Lanes:
    """As :func:`power`; squares are rounded to float16, as the reference rounds each product."""
    return power(x, y, to_half)


def power(x: Lanes, y: Lanes, rounded: Callable[[Lanes], Lanes] = lambda x: x) -> Lanes:
    """x to the power of y; as the reference does it where y is one of ``_CASES`` in all lanes."""
    f = x.f
    first = y if y.count == 1 else Lanes(f, f.extract(y.value, 0))
    uniform = y.equals(Lanes(f, f.splat(first.value, y.count))).all()
    result, end = Variable(x), f.label()
    for number, meaning in _CASES.items():
        yes, no = f.label(), f.label()
        f.branch((uniform & first.equals(number)).value, yes, no)
        f.place(yes)
        result.set(meaning(x, rounded(x * x)))
        f.jump(end)
        f.place(no)
    name = f"facula.power.{ir.mangled(x.type)}"
    result.set(Lanes(f, f.helper(name, x.type, _write, x.value, y.value)))
    f.jump(end)
    f.place(end)
    return result.get()


def _write(f: ir.Function) -> None:
    x, y = [Lanes(f, v) for v in f.arguments]
    size = x.unary("fabs")
    if x.element == "float":
        value = _size_of_single(size.widened(), y.widened()).narrowed()
    else:
        value = _size_of_double(size, y)
    half = y * 0.5
    whole = y.unary("floor").equals(y)
    odd = whole & half.unary("floor").differs(half)
    value = where(odd, copysign(value, x), value)
    invalid = (x < 0.0) & (x > float("-inf")) & ~whole
    value = where(invalid, float("nan"), value)
    ones = y.equals(0.0) | x.equals(1.0)
    ones = ones | (x.equals(-1.0) & y.unary("fabs").equals(float("inf")))
    f.ret(where(ones, 1.0, value).value)


def _with_ends(size: Lanes, logarithm: Lanes) -> Lanes:
    """The logarithm, and what it is of 0, infinity and NaN."""
    return where(size.equals(0.0), float("-inf"), where(size < float("inf"), logarithm, size))


def _size_of_single(size: Lanes, y: Lanes) -> Lanes:
    """For floats given as doubles, so that no number needs scaling."""
    k, m = exponent(size)
    s = (m - 1.0) / (m + 1.0)
    logarithm = _with_ends(size, muladd(horner(s * s, _LOG2), s, k))
    return coarse_exp2(at_least(at_most(y * logarithm, 200.0), -200.0))


def _size_of_double(size: Lanes, y: Lanes) -> Lanes:
    high, low = _logarithm(size)
    high = _with_ends(size, high)
    product = y * high
    low = fma(y, high, -product) + y * low
    low = where(product.unary("fabs") < 1000.0, low, 0.0)  # beyond, it may be NaN
    return exp_of_sum(product, low)


def _logarithm(x: Lanes) -> tuple[Lanes, Lanes]:
    """log(x) as a sum of two doubles; error about 1e-20 of it."""
    k, f = split(x)
    below = f + 2.0
    inverse = 1.0 / below
    s = f * inverse
    s_low = (fma(-s, below, f) - s * (f - (below - 2.0))) * inverse
    z = s * s
    z_low = fma(s, s, -z) + 2.0 * s * s_low
    tail = z * horner(z, _LOG_REST)
    t = tail + _TWO_THIRDS[0]
    t_low = tail - (t - _TWO_THIRDS[0]) + _TWO_THIRDS[1]
    cube = s * z
    cube_low = fma(s, z, -cube) + muladd(s, z_low, s_low * z)
    u = cube * t
    u_low = fma(cube, t, -u) + muladd(cube, t_low, cube_low * t)
    high, low = _quick_sum(s + s, u)
    low = low + (s_low + s_low + u_low)
    start, more = _sum(k * _LN2[0], high)
    return _quick_sum(start, muladd(k, _LN2[1], low + more))


def _quick_sum(a: Lanes, b: Lanes) -> tuple[Lanes, Lanes]:
    """a + b and what its rounding lost, for |a| >= |b|."""
    total = a + b
    return total, b - (total - a)


def _sum(a: Lanes, b: Lanes) -> tuple[Lanes, Lanes]:
    """a + b and what its rounding lost."""
    total = a + b
    moved = total - a
    return total, (a - (total - moved)) + (b - moved)
