"""Operands in the form in which they are multiplied: pairs of bfloat16, halves as floats.

bfloat16 values are kept as floats that hold them exactly. CPUs with AVX-512-BF16 multiply two
pairs of them in one step: a copy has the halves of two floats, neighbours along a summed axis, in
32 bits (`PAIRS`), and is then an operand like others with half as many terms. Halves are
converted once instead of each time they are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from facula.engines.native import ir, target
from facula.engines.native.contraction.finish import bfloat16_rounded, converted, first_lanes
from facula.engines.native.contraction.indices import Index, ceiling, part, plus, times
from facula.engines.native.ir import Function, Value
from facula.engines.native.kernel import Kernel
from facula.engines.native.views import View, row_major

PAIRS = "i32"  # two neighbours along a summed axis; the first one is in the low half
_UPPER = -65536
_MANY = 16  # rows from which an axis need not be shared among threads

# The summed axis of both operands that becomes pairs, and the axis that is cut into groups.
_SUMMED = {
    "matmul": (-1, -2),
    "conv": (1, 1),
    "conv_input_grad": (1, 0),
    "conv_weight_grad": (0, 0),
}


def multiplies_pairs() -> bool:
    """Whether the CPU multiplies pairs of bfloat16."""
    return target.has("avx512bf16") and target.vector_bits() == 512


def pair_axes(kind: str, params, a: View, b: View) -> tuple[int, int] | None:
    """Which axes of both operands become pairs, or None where that is not possible."""
    first, second = _SUMMED[kind]
    if kind in ("conv", "conv_input_grad") and params["groups"] > 1:
        terms = b.shape[second] // (params["groups"] if second == 0 else 1)
        if terms % 2:  # a pair would reach into the next group
            return None
    return first % len(a.shape), second % len(b.shape)


class Rounded:
    """An epilogue that is given sums with no more precision than a 16-bit result has."""

    def __init__(self, epilogue, dtype: str):
        self._epilogue, self._dtype = epilogue, dtype
        self.extras, self.writes, self.keeps = epilogue.extras, epilogue.writes, epilogue.keeps
        self.key = f"{dtype} {epilogue.key}"

    def begin(self, f: Function, pointers) -> None:
        self._epilogue.begin(f, pointers)

    def ask(self, f: Function, pointers, coordinates) -> None:
        self._epilogue.ask(f, pointers, coordinates)

    def emit(self, f: Function, pointers, value: Value, coordinates, mask: Value | None) -> None:
        if self._dtype == "bfloat16":
            value = bfloat16_rounded(f, value)
        else:
            value = converted(f, converted(f, value, "half"), "float")
        self._epilogue.emit(f, pointers, value, coordinates, mask)


@dataclass(frozen=True)
class Conversion:
    """A dense array filled from a strided one, axis ``pair`` (if not -1) two elements at a time.

    ``sizes`` are those of the source, from the outermost axis in memory to the innermost.
    """

    source: str
    made: str
    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    pair: int

    @classmethod
    def of(cls, view: View, pair: int | None, source: str) -> tuple[Conversion, View] | None:
        """The conversion of an operand, and how its result is seen; None for odd strides.

        Without ``pair`` the elements become floats. Broadcast axes stay as they are.
        """
        kept = [i for i, n in enumerate(view.shape) if i == pair or n == 1 or view.strides[i]]
        many = [i for i in kept if i == pair or view.shape[i] > 1]
        if not many or min(view.strides) < 0 or (pair is not None and view.shape[pair] < 2):
            return None
        kept.sort(key=lambda i: -view.strides[i])
        halved = [ceiling(n, 2) if i == pair else n for i, n in enumerate(view.shape)]
        steps = row_major(tuple([halved[i] for i in kept])).strides
        strides = [0] * len(halved)
        for i, step in zip(kept, steps):
            strides[i] = step
        merged: list[tuple[int, int, bool]] = []
        for i in sorted(many, key=kept.index):
            size, stride, own = view.shape[i], view.strides[i], i == pair
            if merged and not own and merged[-1][1:] == (size * stride, False):
                merged[-1] = (merged[-1][0] * size, stride, False)
            else:
                merged.append((size, stride, own))
        sizes, found, is_pair = zip(*merged)
        at = is_pair.index(True) if pair is not None else -1
        made = "float" if pair is None else PAIRS
        return cls(source, made, sizes, found, view.offset, at), View(tuple(halved), tuple(strides))

    @property
    def made_sizes(self) -> list[int]:
        return [ceiling(n, 2) if i == self.pair else n for i, n in enumerate(self.sizes)]

    @property
    def elements(self) -> int:
        return prod(self.made_sizes)

    @property
    def cycles(self) -> float:
        """Estimated cycles of one core."""
        rows = self.elements / self.made_sizes[-1]
        each = 0.6 if self.strides[-1] == 1 else 3.0
        return self.elements * each + rows * 10 + 100

    def kernel(self) -> Kernel:
        """Operands: source, copy."""
        cost = self.cycles / 3
        outer = self.made_sizes[:-1]
        nested = len(outer) > 1 and prod(outer[:-1]) >= _MANY
        rows = prod(outer[:-1] if nested else outer)
        chunks = max(1, min(rows, 64, int(cost / 2000)))
        return Kernel(
            "copy",
            f"contraction conversion {self} {target.vector_bits()} {chunks}",
            lambda name: _Writer(name, self, rows, chunks, nested).text(),
            chunks,
            cost,
        )


class _Writer:
    """Writes the kernel of a conversion, row by row of its last axis."""

    def __init__(self, name: str, conversion: Conversion, rows: int, chunks: int, nested: bool):
        self.it, self.rows, self.chunks, self.nested = conversion, rows, chunks, nested
        self.f = Function(name, ["ptr", "i64", "i64"])
        self.dense = row_major(tuple(conversion.made_sizes)).strides

    def text(self) -> str:
        f, it = self.f, self.it
        buffers, begin, end = f.arguments
        source = f.at(f.load("ptr", buffers), it.offset, it.source)
        made = f.load("ptr", f.at(buffers, 1, "ptr"))
        *outer, _ = range(len(it.sizes))
        last = outer.pop() if self.nested else -1
        first, stop = (part(f, chunk, self.rows, self.chunks) for chunk in (begin, end))
        with f.loop(first, stop) as row:
            indices: dict[int, Index] = {}
            rest: Index = row
            for axis in reversed(outer):
                size = it.made_sizes[axis]
                indices[axis] = f.op("srem", rest, size) if axis else rest
                rest = f.op("sdiv", rest, size) if axis else rest
            if last < 0:
                self._row(indices, source, made)
            else:
                with f.loop(0, it.made_sizes[last]) as index:
                    self._row({**indices, last: index}, source, made)
        f.ret()
        return f.text()

    def _row(self, indices: dict[int, Index], source: Value, made: Value) -> None:
        f, it = self.f, self.it
        at: Index = 0
        to: Index = 0
        for axis, index in indices.items():
            stride = it.strides[axis] * (2 if axis == it.pair else 1)
            at = plus(f, at, times(f, index, stride))
            to = plus(f, to, times(f, index, self.dense[axis]))
        start, place = f.at(source, at, it.source), f.at(made, to, it.made)
        other, keep = start, ir.constant("i32", _UPPER)
        if it.pair in indices:
            stride, size = it.strides[it.pair], it.sizes[it.pair]
            step: Index = stride
            if size % 2:  # the last one has no partner
                partner = f.add(times(f, indices[it.pair], 2), 1)
                exists = f.compare("icmp slt", partner, size)
                step = f.select(exists, ir.constant("i64", stride), 0)
                keep = f.select(exists, keep, 0)
            other = f.at(start, step, it.source)
        count, lanes = it.made_sizes[-1], target.lanes("float") if it.strides[-1] == 1 else 1
        for width, first, stop in ((lanes, 0, count - count % lanes), (1, count, count)):
            if first < stop:
                with f.loop(first, stop, width) as j:
                    self._piece(start, other, keep, place, j, width, width)
        if count % lanes:
            self._piece(start, other, keep, place, count - count % lanes, lanes, count % lanes)

    def _piece(self, start, other, keep: Value, place: Value, j: Index, lanes: int, n: int) -> None:
        """Elements ``j`` to ``j + n - 1`` of a row of the copy, in vectors of ``lanes``."""
        f, it = self.f, self.it
        if it.pair == len(it.sizes) - 1:
            value = self._neighbours(start, j, lanes, n)
        else:
            where = times(f, j, it.strides[-1])
            value = self._loaded(start, where, lanes, n)
            if it.pair < 0:
                value = converted(f, value, it.made)
            else:
                value = self._paired(value, self._loaded(other, where, lanes, n), keep)
        spot = f.at(place, j, it.made)
        if n == lanes:
            f.store(value, spot)
        else:
            f.masked_store(value, spot, first_lanes(n, lanes))

    def _loaded(self, start: Value, where: Index, lanes: int, n: int) -> Value:
        f, it = self.f, self.it
        kind = ir.vector(it.source, lanes)
        spot = f.at(start, where, it.source)
        return (
            f.load(kind, spot) if n == lanes else f.masked_load(kind, spot, first_lanes(n, lanes))
        )

    def _paired(self, low: Value, high: Value, keep: Value) -> Value:
        f = self.f
        low = f.op("lshr", f.convert("bitcast", low, "i32"), 16)
        return f.op("or", low, f.op("and", f.convert("bitcast", high, "i32"), keep))

    def _neighbours(self, start: Value, j: Index, lanes: int, n: int) -> Value:
        """Pairs of elements that follow one another in a row of the source."""
        f, it = self.f, self.it
        stride, size = it.strides[-1], it.sizes[-1]
        if lanes == 1:
            where = times(f, j, 2 * stride)
            low = f.load(it.source, f.at(start, where, it.source))
            return self._paired(low, self._partner(start, j, where), ir.constant("i32", _UPPER))
        first = times(f, j, 2)
        elements = min(2 * n, size - j * 2) if isinstance(j, int) else 2 * n
        both = self._loaded(start, first, 2 * lanes, elements)
        even = f.shuffle(both, None, range(0, 2 * lanes, 2))
        odd = f.shuffle(both, None, range(1, 2 * lanes, 2))
        return self._paired(even, odd, ir.constant("i32", _UPPER))

    def _partner(self, start: Value, j: Index, where: Index) -> Value:
        """The second element of a pair; 0 where there is none."""
        f, it = self.f, self.it
        size, stride = it.sizes[-1], it.strides[-1]
        if size % 2 == 0:
            return f.load(it.source, f.at(start, plus(f, where, stride), it.source))
        exists = f.compare("icmp slt", f.add(times(f, j, 2), 1), size)
        step = f.select(f.typed(exists, "i1"), ir.constant("i64", stride), 0)
        found = f.load(it.source, f.at(start, plus(f, where, step), it.source))
        return f.select(exists, found, 0.0)
