"""MT19937 in LLVM IR: a block of draws is renewed in vectors, and draws are copied from it.

The state is where NumPy's generator has it, 624 words that become the next 624 in place; `block`
holds the draws that belong to them. A function that draws takes ``(ptr key, ptr block, i64 place,
ptr out, i64 n, ...)``, where ``place`` draws of the block are used up.
"""

from __future__ import annotations

from facula.engines.native import ir, target
from facula.engines.native.ir import Function, Operand, Value
from facula.engines.native.scalars.lanes import Lanes

BLOCK = 624
CHUNK = 1024  # draws at a time, so that they are still in the nearest cache when they are used
ARGUMENTS = ("ptr", "ptr", "i64", "ptr", "i64")
_MIDDLE = 397
_UPPER, _LOWER = -(1 << 31), (1 << 31) - 1
_MATRIX = 0x9908B0DF - (1 << 32)
_TEMPER_B, _TEMPER_C = 0x9D2C5680 - (1 << 32), 0xEFC60000 - (1 << 32)


class Draws:
    """The draws of a function under construction, whose first arguments say where they are."""

    def __init__(self, f: Function):
        self.f = f
        self._key, self._block, place = f.arguments[:3]
        self._place = f.variable("i64", place)

    def to(self, out: Value, count: Operand) -> None:
        """Write the next ``count`` draws, each of 32 bits, to memory."""
        f = self.f
        place, count = f.get("i64", self._place), f.typed(count, "i64")
        arguments = self._key, self._block, place, out, count
        f.set(self._place, f.helper("facula.draw", "i64", _draw, *arguments))


def chunks(f: Function, n: Value, each: int):
    """A loop over parts of ``n``: yields where a part begins and how much of it there is."""
    with f.loop(0, n, each) as start:
        yield start, f.intrinsic("smin", f.op("sub", n, start), ir.constant("i64", each))


def in_vectors(f: Function, count: Operand, lanes: int):
    """A loop over ``count`` elements in vectors, then one by one: yields index and lanes."""
    whole = f.op("sub", count, f.op("urem", count, lanes)) if lanes > 1 else count
    if lanes > 1:
        with f.loop(0, whole, lanes) as i:
            yield i, lanes
    with f.loop(whole if lanes > 1 else 0, count) as i:
        yield i, 1


def raw(name: str) -> str:
    """The function that writes draws as they are."""
    f = Function(name, ARGUMENTS)
    Draws(f).to(f.arguments[3], f.arguments[4])
    f.ret()
    return f.text()


def _draw(f: Function) -> None:
    """``place = draw(key, block, place, out, count)``."""
    key, block, place, out, count = f.arguments
    left = f.op("sub", BLOCK, place)
    first = f.intrinsic("smin", left, count)
    _copy(f, f.at(block, place, "i32"), out, first)
    rest = f.op("sub", count, first)
    used = f.variable("i64", f.op("add", place, first))
    with f.loop(0, rest, BLOCK) as done:
        f.helper("facula.renew", "void", _renew, key, block)
        now = f.intrinsic("smin", f.op("sub", rest, done), ir.constant("i64", BLOCK))
        _copy(f, block, f.at(out, f.add(first, done), "i32"), now)
        f.set(used, now)
    f.ret(f.get("i64", used))


def _copy(f: Function, source: Value, to: Value, count: Value) -> None:
    for i, lanes in in_vectors(f, count, target.lanes("i32")):
        kind = ir.vector("i32", lanes)
        f.store(f.load(kind, f.at(source, i, "i32")), f.at(to, i, "i32"))


def _renew(f: Function) -> None:
    """``renew(key, block)``: the next 624 words of the state, and their draws."""
    key, block = f.arguments
    _twist(f, key, 0, BLOCK - _MIDDLE, _MIDDLE)
    _twist(f, key, BLOCK - _MIDDLE, BLOCK - 1, _MIDDLE - BLOCK)
    last = ir.constant("i64", BLOCK - 1)
    _twist_at(f, key, last, f.load("i32", key), _MIDDLE - BLOCK, 1)
    lanes = target.lanes("i32")  # divides 624
    with f.loop(0, BLOCK, lanes) as i:
        y = Lanes(f, f.load(ir.vector("i32", lanes), f.at(key, i, "i32")))
        y = y ^ (y >> 11)
        y = y ^ ((y << 7) & _TEMPER_B)
        y = y ^ ((y << 15) & _TEMPER_C)
        f.store((y ^ (y >> 18)).value, f.at(block, i, "i32"))
    f.ret()


def _twist(f: Function, key: Value, first: int, stop: int, distance: int) -> None:
    """Renew the words ``first`` to ``stop - 1``; none needs one that is less than 227 before."""
    for lanes in (target.lanes("i32"), 4, 1):
        end = stop - (stop - first) % lanes
        if lanes > target.lanes("i32") or first == end:
            continue
        with f.loop(first, end, lanes) as i:
            following = f.load(ir.vector("i32", lanes), f.at(key, f.add(i, 1), "i32"))
            _twist_at(f, key, i, following, distance, lanes)
        first = end


def _twist_at(
    f: Function, key: Value, i: Value, following: Value, distance: int, lanes: int
) -> None:
    kind, place = ir.vector("i32", lanes), f.at(key, i, "i32")
    after = Lanes(f, following)
    mixed = (Lanes(f, f.load(kind, place)) & _UPPER) | (after & _LOWER)
    other = Lanes(f, f.load(kind, f.at(key, f.add(i, distance), "i32")))
    f.store((other ^ (mixed >> 1) ^ (-(after & 1) & _MATRIX)).value, place)
