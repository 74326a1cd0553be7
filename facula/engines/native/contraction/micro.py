"""The micro-kernels: sums of one tile of results, kept in registers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import product

from facula.engines.native import ir
from facula.engines.native.contraction.ahead import Ahead
from facula.engines.native.contraction.conversion import PAIRS
from facula.engines.native.contraction.finish import converted, first_lanes, lane_sums
from facula.engines.native.contraction.indices import Index, maximum, minimum, plus, times
from facula.engines.native.contraction.plan import Plan, Summed, Tiled, vector_offsets
from facula.engines.native.ir import Function, Value

FAR = 2048  # bytes: neighbouring terms lie on pages of their own, or nearly
NEAR = 256  # bytes: terms so far apart share no lines; asking for them is free in a larger tile
AHEAD = 16  # steps after which what was asked for has come
LINE = 64  # bytes of a line of memory


def places(axes: Sequence[Tiled]) -> list[tuple[int, int]]:
    """(offset in the operand, row of scratch) of each element of a tile."""
    found = []
    for indices in product(*[range(axis.tile) for axis in axes]):
        offset = row = 0
        for axis, index in zip(axes, indices):
            offset += index * (1 if axis.panel else axis.stride)
            row = row * axis.extent + index * axis.phases
        found.append((offset, row))
    return found


def vector_places(plan: Plan) -> list[tuple[int, int, int]]:
    """(offset in the operand, column of scratch, elements) of each vector of a tile."""
    line = plan.vectors[-1]
    inside = vector_offsets(line.tile, plan.lanes, bool(line.panel), plan.direct)
    step = 1 if line.panel else line.stride
    return [
        (offset + at * step, row * line.extent + at * line.phases, count)
        for offset, row in places(plan.vectors[:-1])
        for at, count in inside
    ]


def tile_indices(axes: Sequence[Tiled]) -> list[tuple[int, ...]]:
    """The index of each element of a tile along each axis."""
    return list(product(*[range(axis.tile) for axis in axes]))


def vector_indices(plan: Plan) -> list[tuple[tuple[int, ...], int]]:
    """(index of its first element along each axis, elements) of each vector of a tile."""
    line = plan.vectors[-1]
    inside = vector_offsets(line.tile, plan.lanes, bool(line.panel), plan.direct)
    outer = tile_indices(plan.vectors[:-1])
    return [((*head, at), count) for head in outer for at, count in inside]


class Tile:
    """A tile whose operands begin at two addresses.

    ``counts`` are the sizes of the summed axes, ``bases`` belong to the plan's bounds, ``split``
    is the number of the part of the first summed axis, if that is split.
    """

    def __init__(
        self, f: Function, plan: Plan, scalar: Value, vector: Value, counts: Sequence[Index],
        bases: Sequence[Index], split: Index | None, ahead: Ahead | None = None,
    ):  # fmt: skip
        self.f, self.plan, self.split = f, plan, split
        self.starts = (scalar, vector)
        self.counts, self.bases = counts, bases
        self.ahead = ahead
        self.rows = places(plan.scalars)

    def store(self, corner: Value) -> None:
        """Computes the sums and stores them in scratch from ``corner`` on."""
        if self.plan.form == "dot":
            self._dot(corner)
        else:
            self._outer(corner)

    # Products of single elements and vectors ------------------------------------------------------

    def _outer(self, corner: Value) -> None:
        f, plan = self.f, self.plan
        columns = vector_places(plan)
        sums = self.sums(columns)
        phases = plan.vectors[-1].phases
        for i, (_, row) in enumerate(self.rows):
            for j, (_, column, count) in enumerate(columns):
                value, place = sums[i * len(columns) + j], row * plan.pitch + column
                if phases == 1:
                    spot = f.at(corner, place, plan.compute)
                    if count == plan.lanes:
                        f.store(value, spot)
                    else:
                        f.masked_store(value, spot, first_lanes(count, plan.lanes))
                    continue
                for lane in range(count):
                    one = f.extract(value, lane) if plan.lanes > 1 else value
                    f.store(one, f.at(corner, place + lane * phases, plan.compute))

    def sums(self, columns) -> list[Value]:
        """The tile's sums, vector by vector of each row."""
        f, plan = self.f, self.plan
        kind = ir.vector(plan.compute, plan.lanes)
        if plan.unrolled:
            return self._unrolled(columns, kind)
        slots = [f.variable(kind) for _ in range(len(self.rows) * len(columns))]
        for slot in slots:
            f.set(slot, ir.constant(kind, 0.0))
        with ExitStack() as stack:
            at = self._walk(stack, plan.summed)
            sums = [f.get(kind, slot) for slot in slots]
            for slot, value in zip(slots, self._step(at, columns, sums)):
                f.set(slot, value)
        return [f.get(kind, slot) for slot in slots]

    def _walk(self, stack: ExitStack, axes: Sequence[Summed]) -> list[Value]:
        """Opens loops over summed axes; the addresses of both operands inside."""
        f, plan = self.f, self.plan
        at = list(self.starts)
        for number, axis in enumerate(axes):
            first, last = self._range(number)
            if number == 0 and self.ahead is not None:
                first, last = self._portion(stack, self.ahead, axis.size)
            index = stack.enter_context(f.loop(first, last))
            at[0] = f.at(at[0], times(f, index, axis.scalar), plan.memory)
            at[1] = f.at(at[1], times(f, index, axis.vector), plan.memory)
        return at

    def _range(self, number: int) -> tuple[Index, Index]:
        """Which elements of a summed axis there are: within the split, inside the operand."""
        f, plan = self.f, self.plan
        first: Index = 0
        last: Index = self.counts[number]
        if number == 0 and self.split is not None:
            size = plan.summed[0].size
            first = f.op("sdiv", f.mul(self.split, size), plan.splits)
            last = f.op("sdiv", f.mul(f.op("add", self.split, 1), size), plan.splits)
        for bound, base in zip(plan.bounds, self.bases):
            if bound.summed == number:
                base = f.typed(base, "i64")
                if bound.tap > 0:  # 0 <= base + tap * t < limit
                    low = self._quotient(f.op("sub", bound.tap - 1, base), bound.tap)
                    high = self._quotient(f.op("sub", bound.limit - 1, base), bound.tap)
                else:
                    low = self._quotient(f.add(base, -bound.limit - bound.tap), -bound.tap)
                    high = self._quotient(base, -bound.tap)
                first = maximum(f, first, low)
                last = minimum(f, last, f.add(high, 1))
        return first, last

    def _portion(self, stack: ExitStack, ahead: Ahead, count: int) -> tuple[Index, Index]:
        """Opens a loop over portions of a summed axis, before each of which memory is asked for."""
        size = count // ahead.portions
        portion = stack.enter_context(self.f.loop(0, ahead.portions))
        ahead.ask(portion)
        first = times(self.f, portion, size)
        return first, plus(self.f, first, size)

    def _quotient(self, value: Value, by: int) -> Value:
        """Rounded down, also below zero."""
        f = self.f
        if by == 1:
            return value
        far = 1 << 20  # no axis reaches that far below zero
        return f.op("sub", f.op("sdiv", f.add(value, far * by), by), far)

    def _step(self, at: Sequence[Value], columns, sums: Sequence[Value]) -> list[Value]:
        """One index of all summed axes: the sums with its products added."""
        f = self.f
        self._fetch_ahead(at, columns)
        stride = self._vector_stride
        vectors = [
            self._load_vector(f.at(at[1], o, self.plan.memory), n, stride) for o, _, n in columns
        ]
        found: list[Value] = []
        for i, (offset, _) in enumerate(self.rows):
            one = self._load_scalar(f.at(at[0], offset, self.plan.memory))
            for j, vector in enumerate(vectors):
                old = sums[i * len(vectors) + j]
                found.append(self._added(one, vector, old))
        return found

    def _fetch_ahead(self, at: Sequence[Value], columns) -> None:
        """Ask for operands that lie across the walk of a sum: the CPU foresees no steps so far.

        Vectors are asked for some steps ahead. Elements of the scalar operand that are neighbours
        in memory share lines: those of the next tile are asked for while this one is summed.
        """
        f, plan = self.f, self.plan
        if not plan.summed:
            return
        step, bytes_ = plan.summed[-1], ir.align_of(plan.memory)
        many = len(self.rows) > 2
        far = NEAR if many and step.size >= 4 * AHEAD else FAR
        if not plan.vectors[-1].panel and abs(step.vector) * bytes_ >= far:
            for offset, *_ in columns:
                f.prefetch(at[1], offset + AHEAD * step.vector, plan.memory)
        axis = plan.scalars[-1]
        width = axis.tile * abs(axis.stride)
        dense = not axis.panel and 4 * LINE >= width * bytes_ > 0
        if many and dense and axis.tile < axis.size and abs(step.scalar) * bytes_ >= NEAR:
            for offset in range(0, width, LINE // bytes_):
                f.prefetch(at[0], offset + axis.tile * axis.stride, plan.memory)

    def _load_scalar(self, place: Value) -> Value:
        return self.f.splat(self._ready(self.f.load(self.plan.memory, place)), self.plan.lanes)

    def _load_vector(self, place: Value, count: int, stride: int = 1) -> Value:
        """``count`` elements, and zeros in the other lanes; each second one if ``stride`` is 2."""
        f, plan = self.f, self.plan
        lanes = plan.lanes
        if stride == 2 and lanes > 1:
            # Two loads that overlap in an element, so that none reaches beyond the last one.
            low = self._load_run(place, min(lanes, 2 * count - 1))
            high = ir.constant(low.type, 0.0)
            if 2 * count > lanes:
                high = self._load_run(f.at(place, lanes - 1, plan.memory), 2 * count - lanes)
            picks = [2 * i if 2 * i < lanes else 2 * i + 1 for i in range(lanes)]
            value = f.shuffle(low, high, picks)
        else:
            value = self._load_run(place, count)
        return self._ready(value)

    def _ready(self, value: Value) -> Value:
        """In the type that is multiplied; pairs stay what they are."""
        plan = self.plan
        return value if plan.memory == PAIRS else converted(self.f, value, plan.compute)

    def _added(self, one: Value, two: Value, total: Value) -> Value:
        """``one * two + total``; of pairs, both products."""
        f, lanes = self.f, self.plan.lanes
        if self.plan.memory != PAIRS:
            return f.intrinsic("fmuladd", one, two, total)
        kind = ir.vector("bfloat", 2 * lanes)
        pairs = [f.new(kind, f"bitcast {value} to {kind}") for value in (one, two)]
        name = f"llvm.x86.avx512bf16.dpbf16ps.{32 * lanes}"
        return f.call(name, total.type, total, *pairs)

    def _load_run(self, place: Value, count: int) -> Value:
        f, plan = self.f, self.plan
        kind = ir.vector(plan.memory, plan.lanes)
        if count == plan.lanes:
            return f.load(kind, place)
        return f.masked_load(kind, place, first_lanes(count, plan.lanes))

    @property
    def _vector_stride(self) -> int:
        line = self.plan.vectors[-1]
        return 1 if line.panel else line.stride

    def _unrolled(self, columns, kind: str) -> list[Value]:
        """All products in a row; what several of them read is loaded once."""
        f, plan = self.f, self.plan
        sums = [ir.constant(kind, 0.0)] * (len(self.rows) * len(columns))
        scalars: dict[int, Value] = {}
        vectors: dict[tuple[int, int], Value] = {}
        for indices in product(*[range(axis.size) for axis in plan.summed]):
            here = [
                sum(i * axis[1 + side] for i, axis in zip(indices, plan.summed)) for side in (0, 1)
            ]
            for j, (offset, _, count) in enumerate(columns):
                spot = (here[1] + offset, count)
                if spot not in vectors:
                    place = f.at(self.starts[1], spot[0], plan.memory)
                    vectors[spot] = self._load_vector(place, count, self._vector_stride)
                for i, (offset, _) in enumerate(self.rows):
                    at = here[0] + offset
                    if at not in scalars:
                        scalars[at] = self._load_scalar(f.at(self.starts[0], at, plan.memory))
                    k = i * len(columns) + j
                    sums[k] = self._added(scalars[at], vectors[spot], sums[k])
        return sums

    # Dot products ---------------------------------------------------------------------------------

    def _dot(self, corner: Value) -> None:
        f, plan = self.f, self.plan
        columns = places(plan.vectors)
        kind = ir.vector(plan.compute, plan.lanes)
        slots = [f.variable(kind) for _ in range(len(self.rows) * len(columns))]
        for slot in slots:
            f.set(slot, ir.constant(kind, 0.0))
        *outer, line = plan.summed
        whole = line.size - line.size % plan.lanes
        with ExitStack() as stack:
            at = self._walk(stack, outer)
            if whole:
                with f.loop(0, whole, plan.lanes) as index:
                    moves = [times(f, index, n) for n in (line.scalar, line.vector)]
                    here = [f.at(p, m, plan.memory) for p, m in zip(at, moves)]
                    self._dot_step(here, columns, slots, kind, plan.lanes)
            if whole < line.size:
                done = (whole * line.scalar, whole * line.vector)
                here = [f.at(p, m, plan.memory) for p, m in zip(at, done)]
                self._dot_step(here, columns, slots, kind, line.size - whole)
        self._store_dots(corner, columns, [f.get(kind, slot) for slot in slots])

    def _dot_step(self, at, columns, slots, kind: str, count: int) -> None:
        f, memory = self.f, self.plan.memory
        sums = [f.get(kind, slot) for slot in slots]
        line = self.plan.summed[-1]
        spots = [f.at(at[0], o, memory) for o, _ in self.rows]
        ones = [self._load_vector(spot, count, line.scalar) for spot in spots]
        spots = [f.at(at[1], o, memory) for o, _ in columns]
        twos = [self._load_vector(spot, count, line.vector) for spot in spots]
        for i, (one, two) in enumerate(product(ones, twos)):
            f.set(slots[i], self._added(one, two, sums[i]))

    def _store_dots(self, corner: Value, columns, sums: Sequence[Value]) -> None:
        f, plan = self.f, self.plan
        spots = [row * plan.pitch + c for (_, row), (_, c) in product(self.rows, columns)]
        for begin in range(0, len(sums), plan.lanes):
            part = lane_sums(f, sums[begin : begin + plan.lanes], plan.lanes)
            for i, spot in enumerate(spots[begin : begin + plan.lanes]):
                value = f.extract(part, i) if plan.lanes > 1 else part
                f.store(value, f.at(corner, spot, plan.compute))
