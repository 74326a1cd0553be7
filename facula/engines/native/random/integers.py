"""Integers below a bound, and permutations; see `runtime/streams/integers.py`, `permutation.py`."""

from __future__ import annotations

from facula.engines.native import ir, target
from facula.engines.native.ir import Function
from facula.engines.native.random.twister import ARGUMENTS, CHUNK, Draws, chunks, in_vectors
from facula.engines.native.random.uniforms import wide_draws
from facula.engines.native.scalars.lanes import Lanes


def _remainders(draws: Lanes, divisors: Lanes) -> Lanes:
    """``draws % divisors`` of unsigned 32-bit numbers.

    A quotient that is no whole number is farther from the next one than a double's rounding
    reaches, so cutting the rounded quotient off is exact.
    """
    wide = draws.convert("uitofp", "double")
    quotients = (wide / divisors.convert("uitofp", "double")).convert("fptoui", "i64")
    return draws - quotients.convert("trunc", "i32") * divisors


def narrow(name: str) -> str:
    """``(..., i64 width, i64 low)``: n int64 values ``low + draw % width``, width below 2**32."""
    f = Function(name, [*ARGUMENTS, "i64", "i64"])
    out, n, width, low = f.arguments[3:]
    draws = Draws(f)
    memory = f.array("i32", CHUNK)
    divisor = f.convert("trunc", width, "i32")
    for start, count in chunks(f, n, CHUNK):
        draws.to(memory, count)
        part = f.at(out, start, "i64")
        for i, lanes in in_vectors(f, count, target.lanes("i64")):
            drawn = Lanes(f, f.load(ir.vector("i32", lanes), f.at(memory, i, "i32")))
            rest = _remainders(drawn, Lanes(f, f.splat(divisor, lanes)))
            f.store((rest.convert("zext", "i64") + Lanes(f, low)).value, f.at(part, i, "i64"))
    f.ret()
    return f.text()


def wide(name: str) -> str:
    """``(..., i64 width, i64 low)``: n int64 values ``low + wide draw % width``."""
    f = Function(name, [*ARGUMENTS, "i64", "i64"])
    out, n, width, low = f.arguments[3:]
    draws = Draws(f)
    for start, count in chunks(f, n, CHUNK // 2):
        part = f.at(out, start, "i64")
        draws.to(part, f.mul(count, 2))
        with f.loop(0, count) as i:
            rest = f.op("urem", wide_draws(f, part, i, 1).value, width)
            f.store(f.op("add", rest, low), f.at(part, i, "i64"))
    f.ret()
    return f.text()


def permutation(name: str) -> str:
    """0 ... n as int64, where place i has changed places with ``i + draw % (n + 1 - i)``.

    ``n`` counts the draws, one less than there are places.
    """
    f = Function(name, ARGUMENTS)
    out, n = f.arguments[3:]
    draws = Draws(f)
    memory = f.array("i32", CHUNK)
    with f.loop(0, f.add(n, 1)) as i:
        f.store(i, f.at(out, i, "i64"))
    for start, count in chunks(f, n, CHUNK):
        draws.to(memory, count)
        left = f.convert("trunc", f.op("sub", f.add(n, 1), start), "i32")
        for i, lanes in in_vectors(f, count, target.lanes("i64")):
            place = f.at(memory, i, "i32")
            drawn = Lanes(f, f.load(ir.vector("i32", lanes), place))
            before = f.op("add", f.convert("trunc", i, "i32"), f.lane_numbers(lanes, "i32"))
            rest = _remainders(drawn, Lanes(f, f.op("sub", left, before)))
            f.store(rest.value, place)
        part = f.at(out, start, "i64")
        with f.loop(0, count) as i:
            distance = f.convert("zext", f.load("i32", f.at(memory, i, "i32")), "i64")
            here, there = f.at(part, i, "i64"), f.at(part, f.add(i, distance), "i64")
            a, b = f.load("i64", here), f.load("i64", there)
            f.store(b, here)
            f.store(a, there)
    f.ret()
    return f.text()
