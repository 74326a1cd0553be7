"""Reduction of angles to within a quarter of pi, right for every float and double.

Up to a limit the multiple of pi/2 is subtracted in three parts. Beyond it the lanes go one by one
through Payne and Hanek's method: of the bits of 2/pi only those that matter are multiplied.
"""

from __future__ import annotations

from itertools import pairwise

from facula.engines.native import ir
from facula.engines.native.scalars.exponentials import DOUBLE, SINGLE, form
from facula.engines.native.scalars.lanes import Lanes, Variable, fma, muladd, where

# pi/2 as a sum
HALF_PI = {
    SINGLE: (1.5707963705062866, -4.371138828673793e-08, -1.7151245100058819e-15),
    DOUBLE: (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33),
}
_TWO_OVER_PI = 0.6366197723675814
_LIMIT = {SINGLE: 2.0**17, DOUBLE: 2.0**30}

# 64 zero bits, then the bits of 2/pi after the point
_BITS = (
    0x0, 0xA2F9836E4E441529, 0xFC2757D1F534DDC0, 0xDB6295993C439041, 0xFE5163ABDEBBC561,
    0xB7246E3A424DD2E0, 0x06492EEA09D1921C, 0xFE1DEB1CB129A73E, 0xE88235F52EBB4484,
    0xE99C7026B45F7E41, 0x3991D639835339F4, 0x9C845F8BBDF9283B, 0x1FF897FFDE05980F,
    0xEF2F118B5A0A6D1F, 0x6D367ECF27CB09B7, 0x4F463F669E5FEA2D, 0x7527BAC7EBE5F17B,
    0x3D0739F78A5292EA, 0x6BFB5FB11F8D5D08, 0x56033046FC7B6BAB, 0xF0CFBC209AF4361D,
)  # fmt: skip


def reduced(x: Lanes) -> tuple[Lanes, Lanes, Lanes]:
    """x as quarter * pi/2 + r + rest: r, the small rest, and bits that end with the quarter's.

    The rest is only given for doubles.
    """
    kind = form(x)
    kept = muladd(x, _TWO_OVER_PI, kind.magic)
    n = kept - kind.magic
    first, second, third = HALF_PI[kind]
    start = fma(n, -first, x)  # exact
    if kind is SINGLE:
        r, rest = fma(n, -third, fma(n, -second, start)), start.like(0.0)
    else:
        r, rest = _in_two_parts(n, start)
    found = [Variable(v) for v in (r, rest, kept.bits())]
    beyond = x.unary("fabs") > _LIMIT[kind]
    with x.f.when(beyond.any().value):
        for variable, value in zip(found, _large(x, [v.get() for v in found]), strict=True):
            variable.set(value)
    r, rest, quarter = [v.get() for v in found]
    return r, rest, quarter


def _in_two_parts(n: Lanes, start: Lanes) -> tuple[Lanes, Lanes]:
    """start - n * (pi/2 less its first part), as a sum."""
    _, second, third = HALF_PI[DOUBLE]
    product = n * second
    near = start - product
    moved = start - near
    lost = (start - (near + moved)) + (moved - product)  # by the rounding of near
    rest = fma(n, -third, lost - fma(n, second, -product))
    r = near + rest
    return r, rest - (r - near)


def _large(x: Lanes, found: list[Lanes]) -> list[Lanes]:
    """What :func:`reduced` gives, corrected in the lanes of large angles."""
    f = x.f
    slots = [f.array(v.element, v.count) for v in (x, *found)]
    for slot, value in zip(slots, (x, *found), strict=True):
        f.store(value.value, slot)
    f.helper(f"facula.large_angles.{ir.mangled(x.type)}", "void", _write_lanes(x), *slots)
    return [Lanes(f, f.load(v.type, slot)) for v, slot in zip(found, slots[1:], strict=True)]


def _write_lanes(like: Lanes):
    element, count, limit = like.element, like.count, _LIMIT[form(like)]

    def write(f: ir.Function) -> None:
        with f.loop(0, count) as lane:
            places = [f.at(p, lane, element) for p in f.arguments]
            size = Lanes(f, f.load(element, places[0])).unary("fabs")
            with f.when(((size > limit) & (size < float("inf"))).value):
                x = Lanes(f, f.load(element, places[0]))
                _one(x, places[1:])
        f.ret()

    return write


def _one(x: Lanes, places: list[ir.Value]) -> None:
    f = x.f
    wide = x.widened() if x.element == "float" else x
    answer = f.array("double", 3)
    f.helper("facula.large_angle", "void", _write_one, wide.value, answer)
    r, rest, quarter = [Lanes(f, f.load("double", f.at(answer, i, "double"))) for i in range(3)]
    whole = quarter.convert("fptosi", "i32" if x.element == "float" else "i64")
    if x.element == "float":
        r, rest = r.narrowed(), rest.narrowed()
    for value, place in zip((r, rest, whole), places, strict=True):
        f.store(value.value, place)


def _write_one(f: ir.Function) -> None:
    """void(double x, ptr answer): r, rest and quarter of one large number."""
    x, answer = Lanes(f, f.arguments[0]), f.arguments[1]
    bits = x.unary("fabs").bits()
    exponent = (bits >> 52) - 1075  # |x| = whole * 2^exponent
    whole = bits & ((1 << 52) - 1) | (1 << 52)
    high, low = _fraction(whole, exponent)
    negative = high < 0  # the fraction of a quarter is taken to the nearest
    quarter_up = negative.convert("zext", "i64")
    flipped = where(negative, -1, high.like(0))
    high, low = high ^ flipped, low ^ flipped  # the magnitude, but for the last of 128 bits
    zeros = Lanes(f, f.call("llvm.ctlz.i64", "i64", high.value, ir.constant("i1", False)))
    top = _funnel(high, low, zeros)
    coarse = (top & -2048).convert("uitofp", "double")
    fine = (top & 2047).convert("uitofp", "double")
    scale = ((1023 - 64 - zeros) << 52).as_float()
    coarse, fine = coarse * scale, fine * scale
    first, second, _ = HALF_PI[DOUBLE]
    r = coarse * first
    rest = fma(coarse, first, -r) + muladd(coarse, second, fine * first)
    both_signs = negative.f.op("xor", negative.value, (x < 0.0).value)
    flip = where(Lanes(f, both_signs), -1.0, x.like(1.0))
    turns = (quarter_up + _quarter(whole, exponent)).convert("sitofp", "double")
    turns = where(x < 0.0, -turns, turns)
    for i, value in enumerate((r * flip, rest * flip, turns)):
        f.store(value.value, f.at(answer, i, "double"))
    f.ret()


def _funnel(high: Lanes, low: Lanes, count: Lanes) -> Lanes:
    """The upper 64 of 128 bits after a shift to the left by less than 64."""
    return Lanes(high.f, high.f.intrinsic("fshl", high.value, low.value, count.value))


def _product(whole: Lanes, exponent: Lanes) -> tuple[Lanes, Lanes, Lanes]:
    """192 bits of whole * 2^exponent * 2/pi, from the multiple of 2 down: 2 bits are whole."""
    f = whole.f
    table = f.table("facula.two_over_pi", "i64", _BITS)
    start = exponent + 62  # of the bits that are worth less than 4
    word, count = start >> 6, start & 63
    words = [Lanes(f, f.load("i64", f.at(table, (word + i).value, "i64"))) for i in range(4)]
    parts = [_funnel(a, b, count) for a, b in pairwise(words)]
    wide = whole.convert("zext", "i128")
    third = wide * parts[2].convert("zext", "i128")
    second = wide * parts[1].convert("zext", "i128") + (third >> 64)
    first = whole * parts[0] + (second >> 64).convert("trunc", "i64")
    return first, second.convert("trunc", "i64"), third.convert("trunc", "i64")


def _fraction(whole: Lanes, exponent: Lanes) -> tuple[Lanes, Lanes]:
    """The part of the product behind the point, 128 bits."""
    first, second, third = _product(whole, exponent)
    two = first.like(2)
    return _funnel(first, second, two), _funnel(second, third, two)


def _quarter(whole: Lanes, exponent: Lanes) -> Lanes:
    return _product(whole, exponent)[0] >> 62
