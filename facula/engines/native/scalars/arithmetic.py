"""Arithmetic, comparisons, rounding and bits: what one or two instructions compute."""

from __future__ import annotations

from facula.engines.native import ir
from facula.engines.native.scalars.lanes import Lanes, copysign, where

# Floats ----------------------------------------------------------------------------------------


def is_constant(x: Lanes) -> bool:
    """Whether a value is written in the code and is a number."""
    return x.value.name[0] != "%"


def maximum(a: Lanes, b: Lanes) -> Lanes:
    """The larger; NaN if either is. Against a constant it is one instruction."""
    if is_constant(a):
        a, b = b, a
    larger = where(b > a, b, a)  # a where either is NaN
    return larger if is_constant(b) else where(b.is_nan(), b, larger)


def minimum(a: Lanes, b: Lanes) -> Lanes:
    """The smaller; NaN if either is."""
    if is_constant(a):
        a, b = b, a
    smaller = where(b < a, b, a)
    return smaller if is_constant(b) else where(b.is_nan(), b, smaller)


def sign(x: Lanes) -> Lanes:
    """-1, 0 or 1; 0 for NaN."""
    one = copysign(x.like(1.0), x)
    return where(x.equals(0.0), 0.0, where(x.is_nan(), 0.0, one))


def absolute(x: Lanes) -> Lanes:
    return x.unary("fabs")


def reciprocal_root(x: Lanes) -> Lanes:
    return 1.0 / x.unary("sqrt")


def next_after(x: Lanes, goal: Lanes) -> Lanes:
    """The next number towards ``goal``: numbers of one sign are in the order of their bits."""
    bits, rising = x.bits(), goal > x
    away = rising.f.op("xor", rising.value, (x < 0.0).value)  # towards larger bits
    moved = where(Lanes(x.f, away), bits + 1, bits - 1).as_float()
    tiny = copysign(bits.like(1).as_float(), goal)
    moved = where(x.equals(0.0), tiny, moved)
    moved = where(x.equals(goal), goal, moved)
    return where(Lanes(x.f, x.f.compare("fcmp uno", x.value, goal.value)), x + goal, moved)


def next_half(x: Lanes, goal: Lanes) -> Lanes:
    """:func:`next_after` among the numbers of float16, which are given as floats."""
    narrow = next_after(x.convert("fptrunc", "half"), goal.convert("fptrunc", "half"))
    return narrow.convert("fpext", "float")


# Integers --------------------------------------------------------------------------------------


def width(x: Lanes) -> int:
    return int(x.element[1:])


def larger(signed: bool, a: Lanes, b: Lanes) -> Lanes:
    return Lanes(a.f, _pick(a.f, "smax" if signed else "umax", a, b))


def smaller(signed: bool, a: Lanes, b: Lanes) -> Lanes:
    return Lanes(a.f, _pick(a.f, "smin" if signed else "umin", a, b))


def _pick(f: ir.Function, name: str, a: Lanes, b: Lanes) -> ir.Value:
    return f.intrinsic(name, a.value, b.value)


def integer_absolute(signed: bool, x: Lanes) -> Lanes:
    """The smallest number stays itself."""
    return where(x < 0, -x, x) if signed else x


def integer_sign(signed: bool, x: Lanes) -> Lanes:
    one = where(x.differs(0), 1, x)
    return where(x < 0, -1, one) if signed else one


def less(signed: bool, a: Lanes, b: Lanes) -> Lanes:
    return a < b if signed else a.below(b)


def less_equal(signed: bool, a: Lanes, b: Lanes) -> Lanes:
    return ~less(signed, b, a)


def shift_left(signed: bool, a: Lanes, count: Lanes) -> Lanes:
    """0 where the count is negative or as large as the type."""
    fits = count.below(width(a))
    return where(fits, a << where(fits, count, 0), 0)


def shift_right(signed: bool, a: Lanes, count: Lanes) -> Lanes:
    """As often as the type allows where the count is larger, or negative."""
    fits, most = count.below(width(a)), width(a) - 1
    if signed:
        return a.shift_signed(where(fits, count, most))
    return where(fits, a >> where(fits, count, 0), 0)


def integer_power(signed: bool, x: Lanes, y: Lanes) -> Lanes:
    """By squaring, wrapping; a negative exponent gives what rounds to 0 except for 1 and -1."""
    kind = "signed" if signed else "unsigned"
    name = f"facula.power.{kind}.{ir.mangled(x.type)}"
    return Lanes(x.f, x.f.helper(name, x.type, _write_power(signed), x.value, y.value))


def _write_power(signed: bool):
    def write(f: ir.Function) -> None:
        x, y = [Lanes(f, v) for v in f.arguments]
        start, left = x.like(1), y
        if signed:
            is_one = x.differs(0) & (x + 1).below(3)
            start = where((y < 0) & ~is_one, 0, start)
            left = where(y < 0, y & 1, y)
        f.ret(_squaring(f, start, x, left).value)

    return write


def _squaring(f: ir.Function, start: Lanes, base: Lanes, left: Lanes) -> Lanes:
    slots = [f.variable(v.type) for v in (start, base, left)]
    for slot, v in zip(slots, (start, base, left), strict=True):
        f.set(slot, v.value)
    head, body, end = f.label(), f.label(), f.label()
    f.jump(head)
    f.place(head)
    total, power, rest = [Lanes(f, f.get(base.type, slot)) for slot in slots]
    f.branch(rest.differs(0).any().value, body, end)
    f.place(body)
    f.set(slots[0], where((rest & 1).differs(0), total * power, total).value)
    f.set(slots[1], (power * power).value)
    f.set(slots[2], (rest >> 1).value)
    f.jump(head)
    f.place(end)
    return Lanes(f, f.get(base.type, slots[0]))
