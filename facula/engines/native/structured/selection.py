"""The first few of a row's sorted order, kept sorted while a vector runs along the row.

An element joins them only if it comes before the last of them, which few do: all others cost one
comparison of a vector.
"""

from __future__ import annotations

from math import prod

from facula.engines.native import ir
from facula.engines.native.ir import Function, Operand, Value
from facula.engines.native.kernel import Lowered, Piece, given, result
from facula.engines.native.structured import common
from facula.engines.native.structured.sorting import sort_key

LANES = 16


def first_of_order(params, specs, out) -> Lowered | None:
    """Operand: x, whose last axis is sorted; equal elements stay in their order."""
    (x,) = specs
    n, count, descending = x.shape[-1], params["count"], params["descending"]
    if x.dtype.numpy.itemsize > 4 or n >= 1 << 31 or x.dtype.is_complex:
        return None
    rows = prod(x.shape[:-1])

    def body(f: Function, pointers, unit) -> None:
        row = _Row(f, x.dtype, f.at(pointers[0], f.mul(unit, n), common.raw(x.dtype)), descending)
        row.start(count)
        row.scan(count, n)
        to = f.at(pointers[1], f.mul(unit, count), "i64")
        with f.loop(0, count) as i:
            entry = f.load("i64", f.at(row.best, i, "i64"))
            f.store(f.op("and", entry, 0xFFFFFFFF), f.at(to, i, "i64"))

    key = (x.dtype.name, rows, n, count, descending)
    unit_ns = 10.0 + n * 0.1 + count * 30.0
    kernel = common.kernel("first_of_order", key, 2, rows, unit_ns, body)
    return Lowered([Piece(kernel, (given(0), result()), (1,))])


class _Row:
    """``best`` holds entries, sorted: an element's key in the upper half, its number below."""

    def __init__(self, f: Function, own, pointer: Value, descending: bool):
        self.f, self.own, self.pointer, self.descending = f, own, pointer, descending

    def keys(self, at: Operand, lanes: int) -> Value:
        """Keys of neighbouring elements, as i64 if there is one, otherwise i32."""
        f, element = self.f, common.raw(self.own)
        found = f.load(ir.vector(element, lanes), f.at(self.pointer, at, element))
        return sort_key(f, self.own, found, self.descending)

    def start(self, count: int) -> None:
        """The first elements, by insertion."""
        f = self.f
        self.count = count
        self.best = f.array("i64", count)
        with f.loop(0, count) as i:
            self._insert(self._entry(i), i)

    def scan(self, first: int, stop: int) -> None:
        """The rest: only what comes before the last one kept."""
        f = self.f
        whole = first + (stop - first) // LANES * LANES
        if whole > first:
            with f.loop(first, whole, LANES) as at:
                limit = f.new("i32", f"trunc {f.op('lshr', self._last(), 32)} to i32")
                before = f.compare("icmp ult", self.keys(at, LANES), f.splat(limit, LANES))
                bits = f.new(f"i{LANES}", f"bitcast {before} to i{LANES}")
                with f.when(f.compare("icmp ne", bits, 0)):
                    self._consider(at, f.add(at, LANES))
        if stop > whole:
            self._consider(whole, stop)

    def _consider(self, first: Operand, stop: Operand) -> None:
        f = self.f
        with f.loop(first, stop) as i:
            entry = self._entry(i)
            with f.when(f.compare("icmp ult", entry, self._last())):
                self._insert(entry, ir.constant("i64", self.count - 1))

    def _last(self) -> Value:
        return self.f.load("i64", self.f.at(self.best, self.count - 1, "i64"))

    def _entry(self, i: Value) -> Value:
        return self.f.op("or", self.f.op("shl", self.keys(i, 1), 32), i)

    def _insert(self, entry: Value, place: Value) -> None:
        """Greater entries below ``place`` move up by one."""
        f = self.f
        hole = f.variable("i64", place)
        look, compare, move, done = f.label(), f.label(), f.label(), f.label()
        f.jump(look)
        f.place(look)
        at = f.get("i64", hole)
        f.branch(f.compare("icmp sgt", at, 0), compare, done)
        f.place(compare)
        below = f.op("sub", at, 1)
        other = f.load("i64", f.at(self.best, below, "i64"))
        f.branch(f.compare("icmp ugt", other, entry), move, done)
        f.place(move)
        f.store(other, f.at(self.best, at, "i64"))
        f.set(hole, below)
        f.jump(look)
        f.place(done)
        f.store(entry, f.at(self.best, f.get("i64", hole), "i64"))
