"""Copies of operands: with zeros around them, or packed into panels as tiles read them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import prod

from facula.engines.native import ir, target
from facula.engines.native.contraction.finish import lane_mask, transposed
from facula.engines.native.contraction.indices import Index, minimum, part, plus, times
from facula.engines.native.ir import Function, Value
from facula.engines.native.kernel import Kernel


@dataclass(frozen=True)
class Copy:
    """A dense array of ``sizes`` filled from a strided one.

    Index i of an axis reads element i - ``low`` if that is at least 0 and below ``valid``,
    otherwise the copy holds 0. Axis number ``panel``, if there is one, counts panels of the last
    axis: their elements number ``total`` in all.
    """

    element: str
    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    low: tuple[int, ...]
    valid: tuple[int, ...]
    offset: int = 0
    panel: int = -1
    total: int = 0

    @classmethod
    def simplified(
        cls, element: str, sizes: Sequence[int], strides: Sequence[int], offset: int,
        panel: int = -1, total: int = 0,
    ) -> Copy:  # fmt: skip
        """A copy without padding; neighbouring axes that are one run become one."""
        found: list[tuple[int, int]] = []
        for i, (size, stride) in enumerate(zip(sizes, strides)):
            free = panel < i < len(sizes) - 1 and i - 1 > panel
            if free and found[-1][1] == stride * size:
                found[-1] = (found[-1][0] * size, stride)
            else:
                found.append((size, stride))
        sizes, strides = zip(*found)
        return cls(
            element, sizes, strides, (0,) * len(sizes), sizes, offset, panel, total or sizes[-1]
        )

    @property
    def elements(self) -> int:
        return prod(self.sizes)

    @property
    def cycles(self) -> float:
        """Estimated cycles of one core."""
        if self._turn():
            return self.elements * 0.45 + 100
        if self.strides[-1] != 1:
            return self.elements * 2.0 + 100
        narrow = self.sizes[-1] * ir.align_of(self.element) < 512
        far = max([abs(n) for n in self.strides[-2:-1]], default=0) >= 2048
        return self.elements * (1.5 if narrow and far else 0.35) + 100

    def kernel(self) -> Kernel:
        lanes = target.lanes(self.element)
        turn = self._turn()
        inner = {len(self.sizes) - 1, *(turn or [len(self.sizes) - 2])}
        rows = prod([n for i, n in enumerate(self.sizes) if i not in inner])
        cost = self.cycles / 2  # the source comes from the second-level cache at best
        chunks = max(1, min(rows, 64, int(cost / 700)))
        return Kernel(
            "copy",
            f"contraction copy {self} {lanes} {chunks}",
            lambda name: Writer(name, self, lanes, chunks, turn).text(),
            chunks,
            cost,
        )

    def _turn(self) -> tuple[int, ...]:
        """The axes along which the source is contiguous, innermost first, if not the last."""
        if self.strides[-1] == 1 or self.sizes[-1] == 1:
            return ()
        whole = [
            i
            for i in range(len(self.sizes) - 1)
            if self.low[i] == 0 and self.valid[i] == self.sizes[i] > 1 and i != self.panel
        ]
        found: list[int] = []
        length = 1
        for i in sorted(whole, key=lambda i: self.strides[i]):
            if self.strides[i] == length:
                found.append(i)
                length *= self.sizes[i]
        return tuple(found) if length >= 4 else ()


class Writer:
    """Writes the kernel of a copy; its operands: source, copy."""

    def __init__(self, name: str, copy: Copy, lanes: int, chunks: int, turn: tuple[int, ...]):
        self.copy, self.chunks, self.turn = copy, chunks, turn
        self.lanes = lanes
        self.f = Function(name, ["ptr", "i64", "i64"])
        rank = len(copy.sizes)
        self.dense = [prod(copy.sizes[i + 1 :]) for i in range(rank)]
        inner = turn or (rank - 2,)
        self.outer = [i for i in range(rank - 1) if i not in inner]
        self.second = rank - 2

    def text(self) -> str:
        """The function as LLVM IR."""
        f, copy = self.f, self.copy
        buffers, begin, end = f.arguments
        source = f.at(f.load("ptr", buffers), copy.offset, copy.element)
        made = f.load("ptr", f.at(buffers, 1, "ptr"))
        total = prod([copy.sizes[i] for i in self.outer])
        first, last = (part(f, chunk, total, self.chunks) for chunk in (begin, end))
        with f.loop(first, last) as row:
            indices: dict[int, Index] = {}
            rest: Index = row
            for axis in reversed(self.outer):
                size = copy.sizes[axis]
                indices[axis] = f.op("srem", rest, size) if size > 1 else 0
                rest = f.op("sdiv", rest, size) if size > 1 else rest
            if self.turn:
                self._turned(indices, source, made)
            else:
                self._rows(indices, source, made)
        f.ret()
        return f.text()

    def _place(self, indices: dict[int, Index]) -> tuple[Index, Index, Value | None]:
        """(place in the source, place in the copy, whether the indices are inside the source)."""
        f, copy = self.f, self.copy
        source: Index = 0
        made: Index = 0
        inside: Value | None = None
        for axis, index in indices.items():
            made = plus(f, made, times(f, index, self.dense[axis]))
            shifted = plus(f, index, -copy.low[axis])
            source = plus(f, source, times(f, shifted, copy.strides[axis]))
            if copy.low[axis] or copy.valid[axis] < copy.sizes[axis]:
                place = f.typed(shifted, "i64")
                here = f.compare("icmp ult", place, copy.valid[axis])
                inside = here if inside is None else f.op("and", inside, here)
        return source, made, inside

    def _limit(self, indices: dict[int, Index]) -> Index:
        """How many elements of the last axis exist."""
        f, copy = self.f, self.copy
        if copy.panel < 0:
            return copy.valid[-1]
        width = copy.sizes[-1]
        if copy.total == width * copy.sizes[copy.panel]:
            return width
        done = times(f, indices[copy.panel], width)
        left = copy.total - done if isinstance(done, int) else f.op("sub", copy.total, done)
        return minimum(f, left, width)

    def _rows(self, indices: dict[int, Index], source: Value, made: Value) -> None:
        """Row by row, along the last axis of the copy."""
        f, copy = self.f, self.copy
        with ExitStack() as stack:
            if self.second >= 0:
                count = copy.sizes[self.second]
                indices = dict(indices)
                indices[self.second] = stack.enter_context(f.loop(0, count)) if count > 1 else 0
            at, to, inside = self._place(indices)
            limit = self._limit(indices)
            if inside is not None:
                limit = f.select(inside, f.typed(limit, "i64"), 0)
            start, place = f.at(source, at, copy.element), f.at(made, to, copy.element)
            if copy.strides[-1] == 1:
                self._vectors(start, place, limit)
            else:
                self._singles(start, place, limit, copy.low[-1])

    def _vectors(self, start: Value, place: Value, limit: Index) -> None:
        f, copy = self.f, self.copy
        lanes, size, low = self.lanes, copy.sizes[-1], copy.low[-1]
        while lanes > 1 and lanes // 2 >= size:
            lanes //= 2
        if lanes == 1 or self.lanes * ir.align_of(copy.element) < 64:
            self._singles(start, place, limit, low)
            return
        if isinstance(limit, int) and size <= 4 * lanes:
            self._short_row(start, place, limit, lanes)
            return
        kind = ir.vector(copy.element, lanes)
        plain = isinstance(limit, int) and limit == size and low == 0
        with f.loop(0, size, lanes) as j:
            at = plus(f, j, -low)
            numbers = f.op("add", f.lane_numbers(lanes), at)
            spot = f.at(start, at, copy.element)
            if plain and size % lanes == 0:
                value = f.load(kind, spot)
            else:
                there = f.compare("icmp ult", numbers, limit)
                value = f.masked_load(kind, spot, there)
            target_place = f.at(place, j, copy.element)
            if size % lanes == 0:
                f.store(value, target_place)
            else:
                f.masked_store(value, target_place, f.compare("icmp slt", numbers, size - low))

    def _short_row(self, start: Value, place: Value, limit: int, lanes: int) -> None:
        """A row of a few vectors, written out: their masks are constants."""
        f, copy = self.f, self.copy
        size, low = copy.sizes[-1], copy.low[-1]
        kind = ir.vector(copy.element, lanes)
        for j in range(0, size, lanes):
            there = [0 <= j + i - low < limit for i in range(lanes)]
            spot = f.at(start, j - low, copy.element)
            value = ir.constant(kind, 0)
            if all(there):
                value = f.load(kind, spot)
            elif any(there):
                value = f.masked_load(kind, spot, lane_mask(there))
            if j + lanes <= size:
                f.store(value, f.at(place, j, copy.element))
            else:
                inside = lane_mask([j + i < size for i in range(lanes)])
                f.masked_store(value, f.at(place, j, copy.element), inside)

    def _singles(self, start: Value, place: Value, limit: Index, low: int) -> None:
        """Element by element: zeros, what the source has, zeros."""
        f, copy = self.f, self.copy
        size, zero = copy.sizes[-1], ir.constant(copy.element, 0)
        stop = plus(f, limit, low)
        for first, last, from_source in ((0, low, False), (low, stop, True), (stop, size, False)):
            if isinstance(first, int) and isinstance(last, int) and first >= last:
                continue
            with f.loop(first, last) as j:
                value = zero
                if from_source:
                    at = times(f, plus(f, j, -low), copy.strides[-1])
                    value = f.load(copy.element, f.at(start, at, copy.element))
                f.store(value, f.at(place, j, copy.element))

    def _turned(self, indices: dict[int, Index], source: Value, made: Value) -> None:
        """Squares read along one axis and written along the last one."""
        f, copy = self.f, self.copy
        at, made_at, inside = self._place(indices)
        limit = self._limit(indices)
        if inside is not None:
            limit = f.select(inside, f.typed(limit, "i64"), 0)
        start, place = f.at(source, at, copy.element), f.at(made, made_at, copy.element)
        depth, width = prod([copy.sizes[i] for i in self.turn]), copy.sizes[-1]
        lanes = self.lanes
        while lanes // 2 >= width:
            lanes //= 2
        whole = depth % lanes == 0 and len(self.turn) == 1
        turned = f.array(copy.element, 1 if whole else lanes * lanes)
        with f.loop(0, width, lanes) as j, f.loop(0, depth, lanes) as d:
            lines = transposed(f, self._square(start, j, d, depth, limit, lanes))
            if whole:
                for number, value in enumerate(lines):
                    self._store_line(place, f.add(d, number), j, value)
            else:
                for number, value in enumerate(lines):
                    f.store(value, f.at(turned, number * lanes, copy.element))
                count = minimum(f, f.op("sub", depth, d), lanes)
                with f.loop(0, count) as line:
                    spot = f.at(turned, f.mul(line, lanes), copy.element)
                    value = f.load(ir.vector(copy.element, lanes), spot)
                    self._store_line(place, f.add(d, line), j, value)

    def _square(self, start: Value, j, d, depth: int, limit: Index, lanes: int) -> list[Value]:
        """Vectors along the axis that is contiguous in the source, one for each element."""
        f, copy = self.f, self.copy
        kind = ir.vector(copy.element, lanes)
        all_there = limit == copy.sizes[-1] and not (copy.low[-1] or limit % lanes)
        deep = None
        if depth % lanes:
            deep = f.compare("icmp slt", f.op("add", f.lane_numbers(lanes), d), depth)
        found = []
        for i in range(lanes):
            row = f.add(j, i - copy.low[-1])
            spot = f.at(start, f.add(times(f, row, copy.strides[-1]), d), copy.element)
            mask = deep
            if not all_there:
                exists = f.splat(f.compare("icmp ult", row, limit), lanes)
                mask = exists if deep is None else f.op("and", deep, exists)
            if mask is None:
                found.append(f.load(kind, spot))
            elif lanes > 1:
                found.append(f.masked_load(kind, spot, mask))
            else:
                found.append(self._maybe(spot, mask))
        return found

    def _store_line(self, place: Value, number: Value, j: Value, value: Value) -> None:
        """Write one vector of a square that has been turned over."""
        f, width, lanes = self.f, self.copy.sizes[-1], ir.lanes_of(value.type)
        spot = f.at(place, plus(f, self._turned_place(number), j), self.copy.element)
        if width % lanes == 0:
            f.store(value, spot)
        else:
            numbers = f.op("add", f.lane_numbers(lanes), j)
            f.masked_store(value, spot, f.compare("icmp slt", numbers, width))

    def _turned_place(self, number: Value) -> Index:
        """Where an element counted along the source lies in the copy."""
        f = self.f
        place: Index = 0
        rest = number
        for axis in self.turn[:-1]:
            size = self.copy.sizes[axis]
            place = plus(f, place, times(f, f.op("urem", rest, size), self.dense[axis]))
            rest = f.op("udiv", rest, size)
        return plus(f, place, times(f, rest, self.dense[self.turn[-1]]))

    def _maybe(self, spot: Value, there: Value) -> Value:
        """A single element, or 0 where there is none."""
        f, element = self.f, self.copy.element
        found = f.variable(element, 0)
        with f.when(there):
            f.set(found, f.load(element, spot))
        return f.get(element, found)
