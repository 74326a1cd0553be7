"""Chooses how a contraction is computed: which axis the vector runs along, tiles and packing.

Costs are cycles of one core, estimated from what bounds a micro-kernel: multiplications, loads, the
latency of chained additions, instructions decoded. They need only rank the choices.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import gcd, prod

from facula.engines.native import ir, target
from facula.engines.native.contraction.copies import Copy
from facula.engines.native.contraction.indices import ceiling
from facula.engines.native.contraction.plan import Bound, Plan, Share, Shared, Summed, Tiled
from facula.engines.native.contraction.problem import COLUMN, ROW, Axis, Problem

LATENCY = 4  # cycles of a fused multiply-add
ENOUGH = 8000  # cycles: a block of this much work makes its own bookkeeping negligible
MOST_CHUNKS = 256
TILE = 20  # cycles between tiles
WAY = 4096  # bytes: lines so far apart share a set of the first-level cache
SHORT = 32  # terms of a sum that is not worth a detour through memory
MOST_DIRECT = 12  # vectors of a tile that the epilogue is written out for
MOST_UNROLLED = 128  # multiplications written out
PANEL_BYTES = 384 << 10  # a panel this large stays in the second-level cache


@dataclass(frozen=True)
class Choice:
    """A plan; copies of its scalar and vector operands, if they are packed; whether left is which.

    ``swapped``: the vector operand is the left one.
    """

    plan: Plan
    swapped: bool
    scalar_copy: Copy | None
    vector_copy: Copy | None
    cycles: float
    products: float

    @property
    def chunks(self) -> int:
        work = max(1, int(self.cycles / ENOUGH))
        return max(1, min(self.plan.blocks * self.plan.splits, work, MOST_CHUNKS))


class Side:
    """One operand of a problem as the chooser sees it, packed or not."""

    def __init__(self, problem: Problem, left: bool):
        self.problem, self.left = problem, left
        self.axes = problem.rows if left else problem.columns
        self.forced = {} if left else {g.column: 1 for g in problem.guards}
        self.forced.update({i: a.width for i, a in enumerate(self.axes) if a.width})
        self.width = self.panel = 0

    def stride(self, axis: Axis) -> int:
        return axis.left if self.left else axis.right

    @property
    def can_pack(self) -> bool:
        """One axis, and summed elements that lie where their numbers say."""
        simple = self.left or (len(self.problem.parts) == 1 and not self.problem.guards)
        return len(self.axes) == 1 and simple and not self.axes[0].width

    def _stored(self) -> list[int]:
        return [(a.stored if self.left else 0) or a.size for a in self.problem.summed]

    def elements(self) -> int:
        """Elements that a packed copy has, filling up apart."""
        shared = [a.size for a in self.problem.batch if self.stride(a)]
        return prod(shared) * self.axes[0].size * prod(self._stored())

    def pack(self, width: int, memory: str) -> Copy:
        """A copy ``[batch][panel][summed][width]``, which the strides are then those of."""
        (axis,) = self.axes
        shared = [a for a in self.problem.batch if self.stride(a)]
        stride, stored = self.stride(axis), self._stored()
        sizes = [*[a.size for a in shared], ceiling(axis.size, width), *stored, width]
        strides = [*[self.stride(a) for a in shared], width * stride]
        strides += [self.stride(a) // self.hop(a) for a in self.problem.summed]
        offset = self.problem.left.offset if self.left else self.problem.parts[0].right
        self.width, self.panel = width, prod(stored) * width
        return Copy.simplified(
            memory, sizes, [*strides, stride], offset, panel=len(shared), total=axis.size
        )

    def hop(self, axis: Axis) -> int:
        return axis.hop if self.left else 1

    def tiled(self, tiles: Sequence[int]) -> tuple[Tiled, ...]:
        """The axes with tiles; their blocks are set later."""
        return tuple([
            Tiled(a.size, self.stride(a), a.to, a.step, t, t, a.panel or self.panel, a.phases,
                  a.whole or a.size)
            for a, t in zip(self.axes, tiles)
        ])  # fmt: skip

    def single_steps(self) -> list[int]:
        """The stride of one stored element of each summed axis."""
        if not self.width:
            return [self.stride(a) // self.hop(a) for a in self.problem.summed]
        sizes = self._stored()
        return [prod(sizes[i + 1 :]) * self.width for i in range(len(sizes))]

    def summed_strides(self) -> list[int]:
        steps = zip(self.single_steps(), self.problem.summed)
        return [step * self.hop(axis) for step, axis in steps]

    def batch_strides(self) -> list[int]:
        """Strides of the batch axes; those that a packed operand lacks stay 0."""
        strides = [self.stride(a) for a in self.problem.batch]
        if not self.width:
            return strides
        step = ceiling(self.axes[0].size, self.width) * self.panel
        for i in reversed(range(len(strides))):
            if strides[i]:
                strides[i] = step
                step *= self.problem.batch[i].size
        return strides

    def starts(self) -> list[int]:
        """The offset of each part."""
        parts = self.problem.parts
        if not self.left:
            return [0 if self.width else part.right for part in parts]
        base = 0 if self.width else self.problem.left.offset
        steps = self.single_steps()
        return [base + sum([n * step for n, step in zip(p.first, steps)]) for p in parts]


def tile_sizes(
    sizes: Sequence[int], limit: int, forced: Mapping[int, int]
) -> Iterator[tuple[int, ...]]:
    """Tiles of at most ``limit`` elements: an axis is cut only if those outside it are not tiled.

    The tiles of some axes, by number, are ``forced``.
    """
    if not sizes:
        yield ()
        return
    *outer, size = sizes
    if len(outer) in forced:
        own = forced[len(outer)]
        if own <= limit:
            for rest in tile_sizes(outer, limit // own, forced):
                yield (*rest, own)
        return
    seen = set()
    for most in range(1, min(size, limit) + 1):
        even = ceiling(size, ceiling(size, most))
        if even in seen:
            continue
        seen.add(even)
        if even < size:
            yield (*[1] * len(outer), even)
        else:
            for rest in tile_sizes(outer, limit // size, forced):
                yield (*rest, even)


def vector_tiles(
    axes: Sequence[Axis], lanes: int, limit: int, packed: bool, forced: Mapping[int, int]
) -> Iterator[tuple[tuple[int, ...], int]]:
    """(tile, number of vectors) for the operand whose last axis is the vector."""
    *outer, line = axes
    across = ceiling(line.size, lanes)
    seen = set()
    for most in range(1, min(across, limit) + 1):
        even = ceiling(across, ceiling(across, most))
        if even in seen:
            continue
        seen.add(even)
        tile = even * lanes if packed else min(line.size, even * lanes)
        if even < across or packed:
            yield (*[1] * len(outer), tile), even
        else:
            for rest in tile_sizes([a.size for a in outer], limit // even, forced):
                yield (*rest, tile), even * prod(rest)


def fma_cycles() -> float:
    """Cycles of one vector multiply-add: the widest vectors often run at half the rate."""
    return 1.0 if target.vector_bits() >= 512 else 0.5


def step_cycles(rows: int, vectors: int, load: float, fetch: float) -> float:
    """One summed index of a tile; ``load`` cycles for each vector, ``fetch`` for each scalar."""
    return max(
        rows * vectors * fma_cycles(),
        vectors * load + rows * fetch,
        (rows * vectors + vectors + (rows if vectors > 1 else 0) + 3) / 5,
        LATENCY,
    )


def count_tiles(sizes: Sequence[int], tiles: Sequence[int]) -> int:
    return prod([ceiling(n, t) for n, t in zip(sizes, tiles)])


class Chooser:
    """All ways to compute a problem, and the cheapest of them."""

    def __init__(self, problem: Problem, memory: str, compute: str):
        self.problem, self.memory, self.compute = problem, memory, compute
        self.lanes = target.lanes(compute)
        self.registers = target.registers()
        self.sum_size = sum(problem.works())
        shared = prod([a.size for a in problem.batch])
        self.shared = shared
        self.outputs = shared * prod([a.size for a in (*problem.rows, *problem.columns)])
        self.products = self.outputs * self.sum_size
        self.outputs *= len(problem.parts)

    def best(self) -> Choice:
        """The cheapest choice."""
        return min(self._options(), key=lambda choice: choice.cycles)

    def _options(self) -> Iterator[Choice]:
        for vectors_left in (False, True):
            yield from self._outer(vectors_left)
        yield from self._dot()

    # Products of single elements and vectors ------------------------------------------------------

    def _outer(self, swapped: bool) -> Iterator[Choice]:
        for packed in (False, True):
            scalars, vectors = Side(self.problem, not swapped), Side(self.problem, swapped)
            line = vectors.axes[-1]
            if packed and not vectors.can_pack:
                continue
            if not packed and vectors.stride(line) not in (1, 2) and line.size > 1:
                continue
            if len(vectors.axes) - 1 in vectors.forced:
                continue
            if line.to == ROW and (len(vectors.axes) > 1 or line.step != 1):
                continue
            found = self._outer_tiles(scalars, vectors, packed)
            if found is not None:
                yield self._outer_choice(scalars, vectors, packed, found)
            if not packed and self._can_be_direct(scalars, vectors):
                found = self._outer_tiles(scalars, vectors, packed, direct=True)
                if found is not None:
                    yield self._outer_choice(scalars, vectors, packed, found, direct=True)

    def _can_be_direct(self, scalars: Side, vectors: Side) -> bool:
        """Short sums: storing them costs as much as making them."""
        line, problem = vectors.axes[-1], self.problem
        simple = len(problem.parts) == 1 and not problem.guards
        short = 0 < self.sum_size <= SHORT
        plain = not any(a.width for a in (*scalars.axes, *vectors.axes))
        return simple and short and plain and line.to == COLUMN and line.step == 1

    def _outer_tiles(self, scalars: Side, vectors: Side, packed: bool, direct: bool = False):
        """(cycles, scalar tile, vector tile) of the cheapest tile that fits the registers."""
        best = None
        sizes = [a.size for a in scalars.axes]
        line_sizes = [a.size for a in vectors.axes]
        options = vector_tiles(vectors.axes, self.lanes, 6, packed, vectors.forced)
        for tile, count in options:
            if direct and not self._divides(line_sizes, tile, self.lanes):
                continue
            load = self._load_cycles(vectors, count, packed)
            limit = min((self.registers - 1 - count) // count, 30)
            if direct:
                limit = min(limit, MOST_DIRECT // count)
            many = count_tiles(line_sizes, tile)
            for rows in tile_sizes(sizes, max(1, limit), scalars.forced):
                if direct and not self._divides(sizes, rows, 1):
                    continue
                fetch = self._fetch_cycles(scalars, rows)
                step = step_cycles(prod(rows), count, load, fetch)
                if direct and prod(rows) * count * self.sum_size <= MOST_UNROLLED:
                    step /= 2  # neighbours share what they load, nothing waits
                tiles = many * count_tiles(sizes, rows) * self.shared
                cycles = tiles * (step * self.sum_size + TILE * len(self.problem.parts))
                if best is None or cycles < best[0]:
                    best = (cycles, rows, tile)
        return best

    @staticmethod
    def _divides(sizes: Sequence[int], tile: Sequence[int], lanes: int) -> bool:
        """Whether tiles are whole; one that is the axis may have a last short vector."""
        cut = tile[-1] < sizes[-1] and tile[-1] % lanes
        return not cut and all(n % t == 0 for n, t in zip(sizes, tile))

    def _load_cycles(self, vectors: Side, count: int, packed: bool) -> float:
        """Loading a vector: across a cache line, and from afar if rows fight for cache sets."""
        each = fma_cycles()
        if packed or not self.sum_size:
            return each
        load = 1.8 * each
        if vectors.stride(vectors.axes[-1]) == 2:
            load = 2 * load + 1
        bytes_ = ir.align_of(self.memory)
        apart = abs(vectors.stride(self.problem.summed[-1])) * bytes_ if self.problem.summed else 0
        held = self.sum_size * count * self.lanes * bytes_
        if apart >= 256 and held > target.l1() // 4:
            load += 10 if apart % 1024 == 0 else 2
        return load

    def _fetch_cycles(self, scalars: Side, rows: Sequence[int]) -> float:
        """Loading a scalar: dear if the tile's lie in so few cache sets that they evict others."""
        bytes_ = ir.align_of(self.memory)
        inner = self.problem.summed[-1] if self.problem.summed else None
        run = inner.size if inner and abs(scalars.stride(inner)) == 1 else 1
        fetch = 0.5
        for axis, tile in zip(scalars.axes, rows):
            apart = abs(scalars.stride(axis)) * bytes_
            if tile == 1 or apart <= 64:
                continue
            if tile * gcd(apart, WAY) > 5 * WAY:
                return 6.0 if run < 64 else 1.5
            fetch = 0.5 + 1.0 / min(run, 16)
        return fetch

    def _outer_choice(
        self, scalars: Side, vectors: Side, packed: bool, found, direct: bool = False
    ) -> Choice:
        cycles, rows, tile = found
        transposed = vectors.axes[-1].to == ROW
        cycles += (
            self.outputs / self.lanes * 2 if direct else self._finish_cycles(transposed, vectors)
        )
        vector_copy = scalar_copy = None
        if packed:
            vector_copy = vectors.pack(tile[-1], self.memory)
            cycles += vector_copy.cycles
        if not direct and self._scalars_need_packing(scalars, prod(rows), cycles):
            scalar_copy = scalars.pack(rows[0], self.memory)
            cycles += scalar_copy.cycles
        plan = self._plan("outer", scalars, vectors, rows, tile, transposed)
        if direct:
            vectors_held = prod(rows) * prod(tile) / self.lanes
            plan = replace(
                plan, direct=True, unrolled=vectors_held * self.sum_size <= MOST_UNROLLED
            )
        plan = with_splits(with_blocks(plan, cycles))
        if plan.splits > 1:
            cycles += self.outputs * plan.splits / self.lanes * 3
        return Choice(plan, vectors.left, scalar_copy, vector_copy, cycles, self.products)

    def _plan(self, form: str, scalars: Side, vectors: Side, rows, tile, transposed=False) -> Plan:
        problem = self.problem
        batch = zip(problem.batch, scalars.batch_strides(), vectors.batch_strides())
        sums = zip(problem.summed, scalars.summed_strides(), vectors.summed_strides())
        side = "v" if scalars.left else "s"
        parts = []
        for part, scalar, vector in zip(problem.parts, scalars.starts(), vectors.starts()):
            still = (0,) * len(problem.rows)
            phases = (still, part.phase) if scalars.left else (part.phase, still)
            parts.append(Share(scalar, vector, part.counts, part.bases, *phases))
        return Plan(
            form, self.memory, self.compute, self.lanes,
            tuple([Shared(a.size, s, v, a.to, a.step) for a, s, v in batch]),
            scalars.tiled(rows), vectors.tiled(tile),
            tuple([Summed(a.size, s, v) for a, s, v in sums]),
            tuple(parts),
            tuple([Bound(side, *guard) for guard in problem.guards]),
            problem.shape, (), transposed,
        )  # fmt: skip

    def _scalars_need_packing(self, scalars: Side, rows: int, cycles: float) -> bool:
        """Whether rows read in place would fight for the same cache sets, or lie far apart."""
        if not scalars.can_pack or rows < 4 or not self.sum_size:
            return False
        bytes_ = ir.align_of(self.memory)
        apart = abs(scalars.stride(scalars.axes[0])) * bytes_
        steps = [abs(scalars.stride(a)) * bytes_ for a in self.problem.summed]
        scattered = bool(steps) and steps[-1] > 64 and apart > 64
        crowded = apart % 1024 == 0 and apart > 0
        pays = cycles > 4 * scalars.elements()
        return pays and (scattered or crowded)

    def _finish_cycles(self, transposed: bool, vectors: Side) -> float:
        if not transposed and vectors.axes[-1].phases > 1:
            return self.outputs * 1.5
        return self.outputs / self.lanes * (14 if transposed else 7)

    # Dot products ---------------------------------------------------------------------------------

    def _dot(self) -> Iterator[Choice]:
        problem = self.problem
        if not problem.summed or self.lanes == 1 or problem.guards or len(problem.parts) > 1:
            return
        line = problem.summed[-1]
        if line.left not in (1, 2) or line.right not in (1, 2):
            return
        scalars, vectors = Side(problem, True), Side(problem, False)
        rows, columns = [a.size for a in scalars.axes], [a.size for a in vectors.axes]
        steps = ceiling(line.size, self.lanes) * prod([a.size for a in problem.summed[:-1]])
        best = None
        each = fma_cycles()
        for tile in tile_sizes(rows, 8, {}):
            limit = (self.registers - 2 - prod(tile)) // prod(tile)
            for across in tile_sizes(columns, max(1, min(limit, 8)), {}):
                m, n = prod(tile), prod(across)
                loads = m * (1.5 if line.left == 1 else 4) + n * (1.5 if line.right == 1 else 4)
                step = max(m * n * each, loads * each, LATENCY)
                many = count_tiles(rows, tile) * count_tiles(columns, across) * self.shared
                cycles = many * (step * steps + 4 * m * n + TILE)
                if best is None or cycles < best[0]:
                    best = (cycles, tile, across)
        assert best is not None
        cycles, tile, across = best
        cycles += self._finish_cycles(False, vectors)
        plan = with_blocks(self._plan("dot", scalars, vectors, tile, across), cycles)
        yield Choice(with_splits(plan), False, None, None, cycles, self.products)


def even_block(axis: Tiled, tiles: int, most: int) -> int:
    """A block of about so many tiles, that wastes little at the end of the axis."""
    count = ceiling(axis.size, axis.tile)
    if axis.size % axis.tile:
        block = ceiling(ceiling(axis.size, ceiling(count, tiles)), axis.tile) * axis.tile
        return min(block, axis.size)
    whole = [n for n in range(1, min(count, most) + 1) if count % n == 0]
    below = max([n for n in whole if n <= tiles])
    above = [n for n in whole if n >= tiles]
    return axis.tile * (above[0] if 2 * below <= tiles and above else below)


def grown(
    axes: Sequence[Tiled], times: float, least: int, most: int
) -> tuple[tuple[Tiled, ...], float]:
    """Axes with blocks of several tiles, inner axes first, until a block has work enough.

    ``times`` is by how much the work must grow, ``least`` how many elements a block must have and
    ``most`` how many it may have.
    """
    found: list[Tiled] = []
    whole, elements = True, 1
    most = max(1, most // prod([a.tile * a.phases for a in axes]))
    for axis in reversed(axes):
        block = axis.tile
        if whole and not axis.panel:
            tiles = max(times, least / (elements * axis.tile * axis.phases))
            block = even_block(axis, max(1, min(math.ceil(tiles), most)), most)
            times *= axis.tile / block
            most = max(1, most // ceiling(block, axis.tile))
        whole = whole and block == axis.size
        elements *= block * axis.phases
        found.insert(0, axis._replace(block=block))
    return tuple(found), times


MOST_SCRATCH = 32 << 10  # elements


def with_blocks(plan: Plan, cycles: float) -> Plan:
    """The plan with blocks and the order of their loops."""
    b, s, v = (
        [f"{letter}{i}" for i in range(len(axes))]
        for letter, axes in (("b", plan.batch), ("s", plan.scalars), ("v", plan.vectors))
    )
    order = (*b, *v, *s)
    plan = replace(plan, order=order)
    times = ENOUGH / max(1.0, cycles / max(1, plan.blocks))
    if plan.direct:
        vectors, times = grown(plan.vectors, times, 1, plan.vectors[-1].size * 64)
        return replace(plan, vectors=vectors)
    rows = prod([a.extent for a in plan.scalars])
    if plan.transposed:
        scalars, _ = grown(plan.scalars, times, plan.lanes, MOST_SCRATCH // plan.pitch)
        return replace(plan, scalars=scalars)
    least = plan.lanes if plan.form == "dot" else 1
    vectors, times = grown(plan.vectors, times, least, MOST_SCRATCH // rows - plan.lanes)
    plan = replace(plan, vectors=vectors)
    if times > 1:
        scalars, _ = grown(plan.scalars, times, 1, MOST_SCRATCH // plan.pitch)
        plan = replace(plan, scalars=scalars)
    return plan


def with_splits(plan: Plan) -> Plan:
    """Cuts the first summed axis where there are few blocks, or panels outgrow the cache."""
    if len(plan.summed) < 2 or plan.direct or len(plan.parts) > 1:
        return plan
    sizes = [a.size for a in plan.summed]
    line = plan.vectors[-1]
    wanted = 1
    if plan.form == "outer" and line.panel:
        panel = prod(sizes) * line.tile * ir.align_of(plan.memory)
        wanted = ceiling(panel, PANEL_BYTES)
    if plan.blocks < 8 and prod(sizes) >= 4096:
        wanted = max(wanted, 8 // max(1, plan.blocks))
    return replace(plan, splits=max(1, min(sizes[0], wanted)))


@functools.lru_cache(maxsize=4096)
def choose(problem: Problem, memory: str, compute: str, vector_bits: int) -> Choice:
    """The cheapest way to compute a problem, with vectors of so many bits."""
    return Chooser(problem, memory, compute).best()
