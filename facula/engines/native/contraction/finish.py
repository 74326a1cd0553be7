"""From a block of sums to the result: through the epilogue, transposed if need be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from facula.engines.native import ir
from facula.engines.native.contraction.indices import Index, minimum, minus, plus, times
from facula.engines.native.contraction.plan import Plan, Tiled
from facula.engines.native.contraction.problem import COLUMN
from facula.engines.native.ir import Function, Value


@dataclass(frozen=True)
class Store:
    """The plain epilogue: convert to the result's type and store.

    ``rounds`` names 16-bit floats that are kept as float32: their values are rounded.
    """

    shape: tuple[int, int, int]
    memory: str
    rounds: str = ""
    extras: int = 0
    writes: tuple[int, ...] = ()
    keeps: bool = True

    @property
    def key(self) -> str:
        return f"store {self.shape} {self.memory} {self.rounds}"

    def begin(self, f: Function, pointers) -> None:
        """Nothing need be computed beforehand."""

    def ask(self, f: Function, pointers, coordinates) -> None:
        """Ask for the memory of a place: a result that leaves the cache waits for it."""
        f.prefetch(pointers[0], self._place(f, coordinates), self.memory, write=True)

    def emit(self, f: Function, pointers, value: Value, coordinates, mask: Value | None) -> None:
        """Store one vector of results at its place in a C-contiguous array."""
        if self.rounds:
            value = bfloat16_rounded(f, value)
        value = converted(f, value, self.memory)
        pointer = f.at(pointers[0], self._place(f, coordinates), self.memory)
        if mask is None:
            f.store(value, pointer)
        else:
            f.masked_store(value, pointer, mask)

    def _place(self, f: Function, coordinates) -> Index:
        b, r, c = coordinates
        rows, columns = self.shape[1:]
        return plus(f, times(f, plus(f, times(f, b, rows), r), columns), c)


def lane_mask(lanes: Sequence[bool]) -> Value:
    """A constant mask."""
    if len(lanes) == 1:
        return ir.constant("i1", lanes[0])
    bits = ", ".join(["i1 true" if held else "i1 false" for held in lanes])
    return Value(ir.vector("i1", len(lanes)), f"<{bits}>")


def first_lanes(count: int, lanes: int) -> Value:
    """A mask of the first ``count`` lanes."""
    return lane_mask([i < count for i in range(lanes)])


def converted(f: Function, value: Value, element: str) -> Value:
    """To a floating type of another width."""
    widths = {"half": 16, "bfloat": 16, "float": 32, "double": 64}
    grows = widths[element] > widths[ir.element_of(value.type)]
    return f.convert("fpext" if grows else "fptrunc", value, element)


def bfloat16_rounded(f: Function, value: Value) -> Value:
    """float32 with the precision of bfloat16: to the nearest, ties to even; NaN stays NaN."""
    bits = f.convert("bitcast", value, "i32")
    odd = f.op("and", f.op("lshr", bits, 16), 1)
    up = f.op("add", bits, f.op("add", odd, 0x7FFF))
    kept = f.convert("bitcast", f.op("and", up, -65536), "float")
    return f.select(f.compare("fcmp uno", value, value), value, kept)


class Span:
    """The part of an axis that a block holds.

    The block begins at index ``begin``, in the result at ``start``; of the results in scratch
    those from ``first`` to ``last`` are its own.
    """

    def __init__(self, axis: Tiled, begin: Index, start: Index, first: Index, last: Index):
        self.axis, self.begin, self.start, self.first, self.last = axis, begin, start, first, last


@contextmanager
def loops(f: Function, spans: Sequence[Span]) -> Iterator[list[Index]]:
    """Nested loops over the spans' elements; an axis of one element makes none."""
    with ExitStack() as stack:
        indices: list[Index] = []
        for span in spans:
            if span.axis.extent == 1:
                indices.append(0)
            else:
                indices.append(stack.enter_context(f.loop(span.first, span.last)))
        yield indices


class Finish:
    """Emits what happens to a block's sums, which lie in ``scratch``."""

    def __init__(self, f: Function, plan: Plan, epilogue, pointers, scratch: Value):
        self.f, self.plan, self.epilogue = f, plan, epilogue
        self.pointers, self.scratch = pointers, scratch
        epilogue.begin(f, pointers)

    def block(self, coordinates: Sequence[Index], scalars, vectors) -> None:
        """``coordinates`` are those of the block's batch; spans tell the rest."""
        if self.plan.transposed:
            self._transposed(list(coordinates), scalars, vectors)
        else:
            self._straight(list(coordinates), scalars, vectors)

    def vector(self, value: Value, coordinates, spans, indices, count: int) -> None:
        """A vector of a direct plan; ``indices`` tell where in the block it begins."""
        here = self.moved(coordinates, spans, indices)
        if count == self.plan.lanes:
            self._emit(value, here, None)
        else:
            self._emit(value, here, first_lanes(count, self.plan.lanes))

    def moved(self, coordinates, spans, indices) -> list:
        """Coordinates of the element of a block that has these indices along the spans."""
        f, found = self.f, list(coordinates)
        for span, index in zip(spans, indices):
            move = times(f, plus(f, span.start, index), span.axis.step)
            found[span.axis.to] = plus(f, found[span.axis.to], move)
        return found

    def _linear(self, spans, indices) -> Index:
        place: Index = 0
        for span, index in zip(spans, indices):
            place = plus(self.f, times(self.f, place, span.axis.extent), index)
        return place

    def _straight(self, coordinates, scalars, vectors) -> None:
        f, plan = self.f, self.plan
        outer, run = dense_run(vectors)
        with loops(f, scalars) as rows:
            at = times(f, self._linear(scalars, rows), plan.pitch)
            now = self.moved(coordinates, scalars, rows)
            with loops(f, outer) as heads:
                here = self.moved(now, outer, heads)
                here = self.moved(here, run, [0] * len(run))
                skip = times(f, self._linear(outer, heads), size_of(run))
                base = f.at(self.scratch, plus(f, at, skip), plan.compute)
                first, last = bounds(f, run)
                self._row(base, here, first, last, bool(run))

    def _row(self, base: Value, here, first: Index, last: Index, dense: bool) -> None:
        """One run of results with consecutive columns."""
        f, plan = self.f, self.plan
        if not dense:
            self._emit(f.load(plan.compute, base), here, None)
            return
        lanes, length = plan.lanes, minus(f, last, first)
        while isinstance(length, int) and lanes > 1 and lanes // 2 >= length:
            lanes //= 2
        kind = ir.vector(plan.compute, lanes)
        tail = lanes > 1 and not (isinstance(length, int) and length % lanes == 0)
        if tail and plan.lanes * ir.align_of(plan.compute) < 64:
            self._vectors_then_singles(base, here, first, last)
            return
        with f.loop(first, last, lanes) as j:
            mask = None
            if tail:
                mask = f.compare("icmp slt", f.op("add", f.lane_numbers(lanes), j), last)
            column = plus(f, here[COLUMN], j)
            value = f.load(kind, f.at(base, j, plan.compute))
            self._emit(value, [*here[:2], column], mask)

    def _vectors_then_singles(self, base: Value, here, first: Index, last: Index) -> None:
        """For CPUs whose masked stores are slow."""
        f, plan = self.f, self.plan
        count = f.op("sub", f.typed(last, "i64"), first)
        middle = f.add(f.op("sub", count, f.op("srem", count, plan.lanes)), first)
        for start, stop, lanes in ((first, middle, plan.lanes), (middle, last, 1)):
            with f.loop(start, stop, lanes) as j:
                value = f.load(ir.vector(plan.compute, lanes), f.at(base, j, plan.compute))
                self._emit(value, [*here[:2], plus(f, here[COLUMN], j)], None)

    def _emit(self, value: Value, coordinates, mask: Value | None) -> None:
        self.epilogue.emit(self.f, self.pointers, value, tuple(coordinates), mask)

    def _transposed(self, coordinates, scalars, vectors) -> None:
        """Rows of scratch are columns of the result: squares are turned over one by one."""
        f, plan = self.f, self.plan
        lanes = plan.lanes
        kind = ir.vector(plan.compute, lanes)
        outer, run = dense_run(scalars)
        turned = f.array(plan.compute, lanes * lanes)
        (line,) = vectors
        with loops(f, outer) as heads:
            here = self.moved(coordinates, outer, heads)
            here = self.moved(here, [*run, line], [0] * (len(run) + 1))
            skip = times(f, self._linear(outer, heads), size_of(run))
            first, last = bounds(f, run)
            with f.loop(first, last, lanes) as p, f.loop(line.first, line.last, lanes) as q:
                at = plus(f, times(f, plus(f, skip, p), plan.pitch), q)
                corner = f.at(self.scratch, at, plan.compute)
                taken = [
                    f.load(kind, f.at(corner, i * plan.pitch, plan.compute)) for i in range(lanes)
                ]
                for row, value in enumerate(transposed(f, taken)):
                    f.store(value, f.at(turned, row * lanes, plan.compute))
                count = minimum(f, f.op("sub", f.typed(line.last, "i64"), q), lanes)
                mask = None
                if lanes > 1:
                    mask = f.compare("icmp slt", f.op("add", f.lane_numbers(lanes), p), last)
                with f.loop(0, count) as i:
                    value = f.load(kind, f.at(turned, f.mul(i, lanes), plan.compute))
                    places = [here[0], plus(f, here[1], plus(f, q, i)), plus(f, here[2], p)]
                    self._emit(value, places, mask)


def size_of(spans: Sequence[Span]) -> int:
    size = 1
    for span in spans:
        size *= span.axis.extent
    return size


def dense_run(spans: Sequence[Span]) -> tuple[list[Span], list[Span]]:
    """The outer axes, and the innermost ones that together are consecutive columns."""
    run: list[Span] = []
    length = 1
    for span in reversed(spans):
        axis = span.axis
        whole = not run or run[0].axis.extent == run[0].axis.whole
        if axis.to != COLUMN or axis.step != length or not whole:
            break
        run.insert(0, span)
        length *= axis.extent
    return list(spans[: len(spans) - len(run)]), run


def bounds(f: Function, run: Sequence[Span]) -> tuple[Index, Index]:
    """First and last element of a dense run: only its outermost axis may be cut."""
    if not run:
        return 0, 1
    inner = size_of(run[1:])
    return times(f, run[0].first, inner), times(f, run[0].last, inner)


def transposed(f: Function, rows: list[Value]) -> list[Value]:
    """A square of lanes turned over, in log2(lanes) rounds of shuffles of two vectors."""
    rows, lanes, half = list(rows), range(len(rows)), 1
    while half < len(rows):
        upper = [len(rows) + (i ^ half) if i & half else i for i in lanes]
        lower = [len(rows) + i if i & half else i | half for i in lanes]
        for i in lanes:
            if not i & half:
                a, b = rows[i], rows[i | half]
                rows[i], rows[i | half] = f.shuffle(a, b, upper), f.shuffle(a, b, lower)
        half *= 2
    return rows


def lane_sums(f: Function, values: Sequence[Value], lanes: int) -> Value:
    """A vector whose lane i is the sum of the lanes of ``values[i]``; at most ``lanes`` values.

    Each round adds two vectors into one that has the groups of both, half as wide.
    """
    level, width = list(values), lanes
    while width > 1:
        half = width // 2
        places = [(i // half, i % half) for i in range(lanes)]
        # Groups of the second vector follow those of the first: its lanes are numbered on.
        low = [group * width + inside for group, inside in places]
        high = [i + half for i in low]
        pairs = [
            (level[i], level[i + 1] if i + 1 < len(level) else None)
            for i in range(0, len(level), 2)
        ]
        level = [f.op("fadd", f.shuffle(a, b, low), f.shuffle(a, b, high)) for a, b in pairs]
        width = half
    return level[0]
