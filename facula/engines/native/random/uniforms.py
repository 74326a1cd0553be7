"""Uniform numbers and yes/no decisions from raw draws; see `runtime/streams/uniform.py`."""

from __future__ import annotations

from facula.engines.native import ir, target
from facula.engines.native.ir import Function, Operand, Value
from facula.engines.native.random.twister import ARGUMENTS, CHUNK, Draws, chunks, in_vectors
from facula.engines.native.scalars.lanes import Lanes, fma, where

_BITS24, _BITS53 = (1 << 24) - 1, (1 << 53) - 1


def uniform24(f: Function, draws: Value) -> Lanes:
    """Floats in [0, 1) from the low 24 bits of draws."""
    return (Lanes(f, draws) & _BITS24).convert("sitofp", "float") * 2.0**-24


def wide_draws(f: Function, memory: Value, first: Operand, lanes: int) -> Lanes:
    """Draws of 64 bits from pairs: the first draw of a pair is the high word."""
    pairs = f.load(ir.vector("i64", lanes), f.at(memory, first, "i64"))
    return Lanes(f, f.intrinsic("fshl", pairs, pairs, ir.constant(pairs.type, 32)))


def uniform53(f: Function, memory: Value, first: Operand, lanes: int) -> Lanes:
    """Doubles in [0, 1) from the low 53 bits of pairs of draws."""
    kept = wide_draws(f, memory, first, lanes) & _BITS53
    return kept.convert("uitofp", "double") * 2.0**-53


def _within(uniform: Lanes, low: Value, width: Value, high: Value) -> Lanes:
    """``low + uniform * width``; what was rounded up to ``high`` becomes ``low``."""
    value = fma(uniform, Lanes(uniform.f, width), Lanes(uniform.f, low))
    return where(value.equals(Lanes(uniform.f, high)), Lanes(uniform.f, low), value)


def floats(name: str) -> str:
    """``(..., float low, float width, float high)``: n floats, made where their draws were put."""
    f = Function(name, [*ARGUMENTS, "float", "float", "float"])
    out, n, *ends = f.arguments[3:]
    draws = Draws(f)
    for start, count in chunks(f, n, CHUNK):
        part = f.at(out, start, "float")
        draws.to(part, count)
        for i, lanes in in_vectors(f, count, target.lanes("float")):
            place = f.at(part, i, "float")
            uniform = uniform24(f, f.load(ir.vector("i32", lanes), place))
            f.store(_within(uniform, *ends).value, place)
    f.ret()
    return f.text()


def doubles(name: str) -> str:
    """``(..., double low, double width, double high)``: n doubles, made where their draws were."""
    f = Function(name, [*ARGUMENTS, "double", "double", "double"])
    out, n, *ends = f.arguments[3:]
    draws = Draws(f)
    for start, count in chunks(f, n, CHUNK // 2):
        part = f.at(out, start, "double")
        draws.to(part, f.mul(count, 2))
        for i, lanes in in_vectors(f, count, target.lanes("double")):
            value = _within(uniform53(f, part, i, lanes), *ends)
            f.store(value.value, f.at(part, i, "double"))
    f.ret()
    return f.text()


def wide(name: str) -> str:
    """n draws of 64 bits."""
    f = Function(name, ARGUMENTS)
    out, n = f.arguments[3:]
    draws = Draws(f)
    for start, count in chunks(f, n, CHUNK // 2):
        part = f.at(out, start, "i64")
        draws.to(part, f.mul(count, 2))
        for i, lanes in in_vectors(f, count, target.lanes("i64")):
            f.store(wide_draws(f, part, i, lanes).value, f.at(part, i, "i64"))
    f.ret()
    return f.text()


def decisions(name: str) -> str:
    """``(..., i64 limit)``: n bytes, 1 where the low 53 bits of a wide draw are below the limit."""
    f = Function(name, [*ARGUMENTS, "i64"])
    out, n, limit = f.arguments[3:]
    draws = Draws(f)
    memory = f.array("i32", CHUNK)
    for start, count in chunks(f, n, CHUNK // 2):
        draws.to(memory, f.mul(count, 2))
        part = f.at(out, start, "i8")
        for i, lanes in in_vectors(f, count, target.lanes("i64")):
            below = (wide_draws(f, memory, i, lanes) & _BITS53) < Lanes(f, limit)
            f.store(below.convert("zext", "i8").value, f.at(part, i, "i8"))
    f.ret()
    return f.text()
