"""Integer division that never traps, and remainders of integers and floats."""

from __future__ import annotations

from facula.engines.native import ir
from facula.engines.native.scalars.arithmetic import width
from facula.engines.native.scalars.lanes import Lanes, Variable, copysign, fma, where

# Integers --------------------------------------------------------------------------------------


def _quotient(signed: bool, a: Lanes, b: Lanes) -> Lanes:
    """Towards zero, for b that is not 0 (nor -1 where a is the smallest number).

    CPUs divide vectors of floats only; a quotient of integers of at most half the digits of a
    float is on the right side of every whole number.
    """
    bits = width(a)
    if bits == 64 or a.count == 1:
        return Lanes(a.f, a.f.op("sdiv" if signed else "udiv", a.value, b.value))
    element = "double" if bits == 32 else "float"
    up, down = ("sitofp", "fptosi") if signed else ("uitofp", "fptoui")
    return (a.convert(up, element) / b.convert(up, element)).convert(down, a.element)


def _safe(signed: bool, a: Lanes, b: Lanes) -> tuple[Lanes, Lanes]:
    """A divisor that does not trap, and where that is not b itself: 0, or -1."""
    odd = b.equals(0) | b.equals(-1) if signed else b.equals(0)
    return where(odd, 1, b), odd


def integer_floor_divide(signed: bool, a: Lanes, b: Lanes) -> Lanes:
    """Towards minus infinity; 0 for division by 0."""
    divisor, odd = _safe(signed, a, b)
    q = _quotient(signed, a, divisor)
    if signed:
        rest = a - q * divisor
        below = rest.differs(0) & ((rest ^ divisor) < 0)
        q = where(below, q - 1, q)
        return where(odd, where(b.equals(0), 0, -a), q)
    return where(odd, 0, q)


def integer_fmod(signed: bool, a: Lanes, b: Lanes) -> Lanes:
    """The rest of division towards zero; 0 for division by 0."""
    divisor, odd = _safe(signed, a, b)
    return where(odd, 0, a - _quotient(signed, a, divisor) * divisor)


def integer_remainder(signed: bool, a: Lanes, b: Lanes) -> Lanes:
    """The rest of floor division, which has the sign of b."""
    rest = integer_fmod(signed, a, b)
    if not signed:
        return rest
    return where(rest.differs(0) & ((rest ^ b) < 0), rest + b, rest)


def gcd(signed: bool, a: Lanes, b: Lanes) -> Lanes:
    """Euclid's algorithm, until no lane has a rest."""
    name = f"facula.gcd.{'signed' if signed else 'unsigned'}.{ir.mangled(a.type)}"
    return Lanes(a.f, a.f.helper(name, a.type, _write_gcd(signed), a.value, b.value))


def _write_gcd(signed: bool):
    def write(f: ir.Function) -> None:
        a, b = [Lanes(f, v) for v in f.arguments]
        if signed:  # as unsigned numbers, for the smallest has no opposite
            a, b = where(a < 0, -a, a), where(b < 0, -b, b)
        large, small = Variable(a), Variable(b)
        head, body, end = f.label(), f.label(), f.label()
        f.jump(head)
        f.place(head)
        f.branch(small.get().differs(0).any().value, body, end)
        f.place(body)
        a, b = large.get(), small.get()
        done = b.equals(0)
        rest = integer_fmod(False, a, b)
        large.set(where(done, a, b))
        small.set(where(done, b, rest))
        f.jump(head)
        f.place(end)
        f.ret(large.get().value)

    return write


# Floats ----------------------------------------------------------------------------------------


def fmod(a: Lanes, b: Lanes) -> Lanes:
    """a less the multiple of b towards zero, exact.

    One step does where the quotient has as many digits as a float; otherwise steps are repeated.
    """
    size, step = a.unary("fabs"), b.unary("fabs")
    quotient = (size / step).unary("trunc")
    rest = Variable(_not_negative(fma(-quotient, step, size), step))
    many = quotient > 2.0 ** (22 if a.element == "float" else 51)
    with a.f.when(many.any().value):
        name = f"facula.fmod.{ir.mangled(a.type)}"
        rest.set(Lanes(a.f, a.f.helper(name, a.type, _write_fmod, size.value, step.value)))
    found = where(step.equals(float("inf")) & (size < float("inf")), size, rest.get())
    return copysign(found, a)


def _not_negative(rest: Lanes, step: Lanes) -> Lanes:
    """A rest of a quotient that was rounded up is brought into [0, step)."""
    return where(rest < 0.0, rest + step, rest)


def _write_fmod(f: ir.Function) -> None:
    """Each turn takes off nearly as many digits as a double has, without rounding."""
    size, step = [Lanes(f, v) for v in f.arguments]
    single = size.element == "float"
    if single:
        size, step = size.widened(), step.widened()
    usual = (size < float("inf")) & (step > 0.0)
    rest, turn, end = Variable(where(usual, size, float("nan"))), f.label(), f.label()
    f.jump(turn)
    f.place(turn)
    now = rest.get()
    ratio = now / step
    # a quotient that overflows is taken of a large multiple of the step
    far = ratio.unary("fabs").equals(float("inf"))
    furthest = (step < 2.0**-600) & (now.unary("fabs") >= 2.0**500)
    multiple = step * 2.0**1000 * where(furthest, 2.0**90, step.like(1.0))
    step_now = where(far, multiple, step)
    ratio = where(far, now / step_now, ratio)
    after = fma(-ratio.unary("trunc"), step_now, now)
    after = where(now.unary("fabs") >= step, after, now)
    rest.set(after)
    f.branch((after.unary("fabs") >= step).any().value, turn, end)
    f.place(end)
    found = _not_negative(rest.get(), step)
    f.ret((found.narrowed() if single else found).value)


def remainder(a: Lanes, b: Lanes) -> Lanes:
    """The rest of floor division, with the sign of b; zeros have that of a."""
    rest = fmod(a, b)
    return where(rest.differs(0.0) & ((rest < 0.0) ^ (b < 0.0)), rest + b, rest)


def floor_divide(a: Lanes, b: Lanes) -> Lanes:
    """floor(a / b) of the exact quotient; a / b for division by 0."""
    rest = fmod(a, b)
    ratio = (a - rest) / b
    uneven = rest.differs(0.0) & ((rest < 0.0) ^ (b < 0.0))
    ratio = where(uneven, ratio - 1.0, ratio)
    whole = ratio.unary("floor")
    whole = where(ratio - whole > 0.5, whole + 1.0, whole)
    whole = where(ratio.equals(0.0), copysign(ratio, a / b), whole)
    return where(b.equals(0.0), a / b, whole)
