"""Normal numbers from raw draws; see `runtime/streams/normal.py` and `cephes.py`.

The float32 polynomials are those of the Cephes library (S. Moshier); where a product and a sum
are rounded together and where they are not decides about the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from facula.engines.native import ir, target
from facula.engines.native.ir import Function, Value
from facula.engines.native.random.twister import ARGUMENTS, CHUNK, Draws, chunks
from facula.engines.native.random.uniforms import uniform24, uniform53
from facula.engines.native.scalars.lanes import Lanes, fma, where

_BLOCK, _HALF = 16, 8  # a block of 16 uniforms becomes 16 normals: 8 radii and 8 angles
_LOG = (
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
    -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
)  # fmt: skip
_LN2_LOW, _LN2_HIGH = -2.12194440e-4, 0.693359375
_SIN = -1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1
_COS = 2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2
_QUARTER_PI = -0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8
_ROOT_HALF_BITS = 0x3F3504F3  # of float32's sqrt(1/2)
_TWO_PI = 2.0 * math.pi


def _polynomial(x: Lanes, coefficients: Sequence[float]) -> Lanes:
    total = x.like(coefficients[0])
    for coefficient in coefficients[1:]:
        total = fma(total, x, coefficient)
    return total


def _log(x: Lanes) -> Lanes:
    """The logarithm of floats in (0, 1]."""
    bits = x.bits()
    exponent = (bits - _ROOT_HALF_BITS).shift_signed(23)
    t = (bits - (exponent << 23)).as_float() - 1.0
    e = exponent.convert("sitofp", "float")
    z = t * t
    y = _polynomial(t, _LOG) * t
    y = fma(y, z, e * _LN2_LOW) - z * 0.5
    return (y + t) + e * _LN2_HIGH


def _sine_and_cosine(turn: Lanes) -> tuple[Lanes, Lanes]:
    """Of 2 * pi * turn, for floats in [0, 1)."""
    x = turn * _TWO_PI
    octant = ((x * (4 / math.pi)).convert("fptosi", "i32") + 1) & -2
    j = octant.convert("sitofp", "float")
    for part in _QUARTER_PI:
        x = fma(j, part, x)
    z = x * x
    sine = fma(_polynomial(z, _SIN) * z, x, x)
    cosine = fma(_polynomial(z, _COS) * z, z, -(z * 0.5)) + 1.0
    swapped = (octant & 2).differs(0)
    first, second = where(swapped, cosine, sine), where(swapped, sine, cosine)
    return _flipped(first, octant), _flipped(second, octant + 2)


def _flipped(value: Lanes, octant: Lanes) -> Lanes:
    return (value.bits() ^ ((octant & 4) << 29)).as_float()


def _made(f: Function, first: Value, second: Value, mean: Value, std: Value) -> tuple[Value, Value]:
    """The normals of the lanes of two vectors of draws."""
    radius = (_log(1.0 - uniform24(f, first)) * -2.0).unary("sqrt")
    sine, cosine = _sine_and_cosine(uniform24(f, second))
    scale, shift = Lanes(f, std), Lanes(f, mean)
    made = fma(radius * cosine, scale, shift), fma(radius * sine, scale, shift)
    return made[0].value, made[1].value


def _two_blocks(f: Function, at: Value, mean: Value, std: Value) -> None:
    kind = ir.vector("i32", _BLOCK)
    a, b = f.load(kind, at), f.load(kind, f.at(at, _BLOCK, "i32"))
    lower = [*range(_HALF), *range(_BLOCK, _BLOCK + _HALF)]
    upper = [lane + _HALF for lane in lower]
    c, s = _made(f, f.shuffle(a, b, lower), f.shuffle(a, b, upper), mean, std)
    f.store(f.shuffle(c, s, lower), at)
    f.store(f.shuffle(c, s, upper), f.at(at, _BLOCK, "i32"))


def _one_block(f: Function, at: Value, mean: Value, std: Value) -> None:
    lanes = min(_HALF, target.lanes("float"))
    for k in range(0, _HALF, lanes):
        places = f.at(at, k, "i32"), f.at(at, k + _HALF, "i32")
        first, second = [f.load(ir.vector("i32", lanes), place) for place in places]
        for value, place in zip(_made(f, first, second, mean, std), places):
            f.store(value, place)


def _transform(f: Function) -> None:
    """``transform(draws, count, mean, std)``: whole blocks of draws become normals in place."""
    draws, count, mean, std = f.arguments
    first: Value | int = 0
    if target.lanes("float") >= _BLOCK:
        first = f.op("and", count, -2 * _BLOCK)
        with f.loop(0, first, 2 * _BLOCK) as i:
            _two_blocks(f, f.at(draws, i, "i32"), mean, std)
    with f.loop(first, count, _BLOCK) as i:
        _one_block(f, f.at(draws, i, "i32"), mean, std)
    f.ret()


def floats(name: str) -> str:
    """``(..., i64 skipped, float mean, float std)``: n >= 16 floats, blocks of 16 at a time.

    If n is no multiple of 16, ``skipped`` draws are passed over and the last 16 places overwritten
    by a block of their own.
    """
    f = Function(name, [*ARGUMENTS, "i64", "float", "float"])
    out, n, skipped, mean, std = f.arguments[3:]
    draws = Draws(f)
    memory = f.array("i32", _BLOCK)

    def transform(memory: Value, count: Value) -> None:
        f.helper("facula.normals", "void", _transform, memory, count, mean, std)

    for start, count in chunks(f, f.op("and", n, -_BLOCK), CHUNK):
        part = f.at(out, start, "float")
        draws.to(part, count)
        transform(part, count)
    with f.when(f.compare("icmp ne", f.op("and", n, _BLOCK - 1), 0)):
        draws.to(memory, skipped)
        draws.to(memory, _BLOCK)
        transform(memory, ir.constant("i64", _BLOCK))
        last = f.at(out, f.op("sub", n, _BLOCK), "float")
        f.store(f.load(ir.vector("float", _BLOCK), memory), last)
    f.ret()
    return f.text()


def _double_block(f: Function) -> None:
    """``block(ptr, mean, std)``: 32 draws become 16 doubles in place, by the C library."""
    memory, mean, std = f.arguments
    with f.loop(0, _HALF) as k:
        other = f.add(k, _HALF)
        u1, u2 = uniform53(f, memory, k, 1), uniform53(f, memory, other, 1)
        log = Lanes(f, f.call("log", "double", (1.0 - u1).value))
        _store_polar(f, (log * -2.0).unary("sqrt"), u2, (memory, k, other), mean, std)
    f.ret()


def _store_polar(f: Function, radius: Lanes, turn: Lanes, places, mean: Value, std: Value) -> None:
    memory, *indices = places
    theta = turn * _TWO_PI
    for function, index in zip(("cos", "sin"), indices):
        value = radius * Lanes(f, f.call(function, "double", theta.value))
        f.store(fma(value, Lanes(f, std), Lanes(f, mean)).value, f.at(memory, index, "double"))


def doubles(name: str) -> str:
    """``(..., double mean, double std)``: n >= 16 doubles, blocks of 16 at a time."""
    f = Function(name, [*ARGUMENTS, "double", "double"])
    out, n, mean, std = f.arguments[3:]
    draws = Draws(f)

    def block(first: Value) -> None:
        part = f.at(out, first, "double")
        draws.to(part, 2 * _BLOCK)
        f.helper("facula.block", "void", _double_block, part, mean, std)

    rest = f.op("and", n, _BLOCK - 1)
    with f.loop(0, f.op("sub", n, rest), _BLOCK) as start:
        block(start)
    with f.when(f.compare("icmp ne", rest, 0)):
        draws.to(f.at(out, f.op("and", n, -_BLOCK), "double"), f.mul(rest, 2))
        block(f.op("sub", n, _BLOCK))
    f.ret()
    return f.text()


def pairs(name: str) -> str:
    """``(...)``: n pairs of doubles, one pair after the other from four draws each."""
    f = Function(name, ARGUMENTS)
    out, n = f.arguments[3:]
    draws = Draws(f)
    one, none = ir.constant("double", 1.0), ir.constant("double", -0.0)
    with f.loop(0, n) as i:
        at = f.at(out, f.mul(i, 2), "double")
        draws.to(at, 4)
        u1, u2 = uniform53(f, at, 0, 1), uniform53(f, at, 1, 1)
        log = Lanes(f, f.call("log1p", "double", (-u2).value))
        _store_polar(f, (log * -2.0).unary("sqrt"), u1, (at, 0, 1), none, one)
    f.ret()
    return f.text()
