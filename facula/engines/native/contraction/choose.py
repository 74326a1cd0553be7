"""Chooses how a contraction is computed: which axis the vector runs along, tiles and packing.

Costs are cycles of one core, estimated from what bounds a micro-kernel: multiplications, loads, the
latency of chained additions, instructions decoded. They need only rank the choices.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import gcd, prod

from facula.engines.native import ir, target
from facula.engines.native.contraction.conversion import PAIRS
from facula.engines.native.contraction.copies import Copy
from facula.engines.native.contraction.division import ENOUGH, with_blocks, with_splits
from facula.engines.native.contraction.indices import ceiling
from facula.engines.native.contraction.plan import Bound, Plan, Share, Shared, Summed
from facula.engines.native.contraction.problem import COLUMN, ROW, Problem
from facula.engines.native.contraction.sides import Side, tile_sizes, vector_tiles

LATENCY = 4  # cycles of a fused multiply-add
MOST_CHUNKS = 256
LOADED_TWICE = 32  # terms of a sum above which a vector of each second element is a copy's work
TILE = 20  # cycles between tiles
WAY = 4096  # bytes: lines so far apart share a set of the first-level cache
SHORT = 256  # terms of a sum that is not worth a detour through memory
MOST_DIRECT = 16  # vectors of a tile that the epilogue is written out for
BRIEF = 16  # terms below which fewer are best: the epilogue is most of the work
MOST_BRIEF = 12
CROWDED = 10  # cycles more to load a vector whose lines fight for sets of the first-level cache
CROWDED_DIRECT = 5  # the same where nothing else fights for them
MOST_UNROLLED = 128  # multiplications written out
OFTEN = 24  # cycles of products for each element of a copy that costs less than it may save
MASKED = 9  # cycles to finish a vector in registers if some are not whole: scratch joins them
EXTRA = 0.5  # cycles to read or write a vector of an epilogue
ALONE = 1.4  # how much longer products of pairs take if each scalar is used once: measured


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

    def __init__(self, problem: Problem, memory: str, compute: str, extras: int):
        self.problem, self.memory, self.compute = problem, memory, compute
        self.lanes = target.lanes(compute)
        self.registers = target.registers()
        self.sum_size = sum(problem.works())
        shared = prod([a.size for a in problem.batch])
        self.shared = shared
        self.outputs = shared * prod([a.size for a in (*problem.rows, *problem.columns)])
        self.products = self.outputs * self.sum_size
        self.outputs *= len(problem.parts)
        # What the epilogue reads and writes comes from beyond the first-level cache.
        self.epilogue = self.outputs / self.lanes * extras * EXTRA

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
            scalars, vectors = Side(self.problem, not swapped), Side(self.problem, swapped)
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
        if vectors.stride(line) == 2 and self.sum_size > LOADED_TWICE:
            return False
        return simple and short and plain and line.to == COLUMN and line.step == 1

    def _outer_tiles(self, scalars: Side, vectors: Side, packed: bool, direct: bool = False):
        """(cycles, scalar tile, vector tile) of the cheapest tile that fits the registers."""
        best = None
        sizes = [a.size for a in scalars.axes]
        line_sizes = [a.size for a in vectors.axes]
        most = 6 if prod(sizes) > 2 else 24 // prod(sizes)
        options = vector_tiles(vectors.axes, self.lanes, most, packed, vectors.forced)
        for tile, count in options:
            if direct and not self._divides(line_sizes, tile, self.lanes):
                continue
            load = self._load_cycles(vectors, count, packed or prod(sizes) == 1, direct)
            limit = min((self.registers - 1 - count) // count, 30)
            if direct:
                limit = min(limit, (MOST_BRIEF if self.sum_size < BRIEF else MOST_DIRECT) // count)
            many = count_tiles(line_sizes, tile)
            for rows in tile_sizes(sizes, max(1, limit), scalars.forced):
                if direct and not self._divides(sizes, rows, 1):
                    continue
                fetch = self._fetch_cycles(scalars, rows)
                step = step_cycles(prod(rows), count, load, fetch)
                if self.memory == PAIRS and count == 1:
                    step *= ALONE
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

    def _load_cycles(self, vectors: Side, count: int, packed: bool, direct: bool) -> float:
        """Loading a vector: across a cache line, and from afar if rows fight for cache sets."""
        each = fma_cycles() * (2 if self.memory == "half" else 1)
        if packed or not self.sum_size:
            return each
        load = 1.8 * each
        if vectors.stride(vectors.axes[-1]) == 2:
            load = 2 * load + 1
        bytes_ = ir.align_of(self.memory)
        apart = abs(vectors.stride(self.problem.summed[-1])) * bytes_ if self.problem.summed else 0
        held = self.sum_size * count * self.lanes * bytes_
        if apart >= 256 and held > target.l1() // 4:
            return load + (CROWDED if apart % 1024 == 0 else 2)
        crowded = apart >= 64 and self.sum_size * gcd(apart, WAY) > 8 * WAY
        return load + (CROWDED_DIRECT if direct else CROWDED) if crowded else load

    def _fetch_cycles(self, scalars: Side, rows: Sequence[int]) -> float:
        """Loading a scalar: dear if the tile's lie in so few cache sets that they evict others."""
        bytes_ = ir.align_of(self.memory)
        inner = self.problem.summed[-1] if self.problem.summed else None
        run = inner.size if inner and abs(scalars.stride(inner)) == 1 else 1
        fetch = base = 2.0 if self.memory == "half" else 0.5  # halves are converted one by one
        for axis, tile in zip(scalars.axes, rows):
            apart = abs(scalars.stride(axis)) * bytes_
            if tile == 1 or apart <= 64:
                continue
            if tile * gcd(apart, WAY) > 5 * WAY:
                return 6.0 if run < 64 else 1.5
            fetch = base + 1.0 / min(run, 16)
        return fetch

    def _outer_choice(
        self, scalars: Side, vectors: Side, packed: bool, found, direct: bool = False
    ) -> Choice:
        cycles, rows, tile = found
        transposed = vectors.axes[-1].to == ROW
        if direct:
            masked = tile[-1] > self.lanes and tile[-1] % self.lanes and self.sum_size >= BRIEF
            cycles += self.outputs / self.lanes * (MASKED if masked else 2)
        else:
            cycles += self._finish_cycles(transposed, vectors)
        vector_copy = scalar_copy = None
        if packed:
            vector_copy = vectors.pack(tile[-1], self.memory)
            cycles += vector_copy.cycles
        calm = packed or self._spacing(vectors) <= 512
        if not direct and self._scalars_need_packing(scalars, prod(rows), cycles, calm):
            scalar_copy = scalars.pack(rows[0], self.memory)
            cycles += scalar_copy.cycles
        plan = self._plan("outer", scalars, vectors, rows, tile, transposed)
        if direct:
            vectors_held = prod(rows) * prod(tile) / self.lanes
            plan = replace(
                plan, direct=True, unrolled=vectors_held * self.sum_size <= MOST_UNROLLED
            )
        cycles += self.epilogue
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

    def _spacing(self, side: Side) -> int:
        """Terms of a sum that are so many bytes apart fall into few sets of the cache, if large."""
        if not self.problem.summed:
            return 0
        return gcd(abs(side.stride(self.problem.summed[-1])) * ir.align_of(self.memory), WAY)

    def _scalars_need_packing(self, scalars: Side, rows: int, cycles: float, calm: bool) -> bool:
        """Whether rows read in place would fight for the same cache sets, or lie far apart.

        A few rows have room there if the other operand is ``calm``: spread over all sets. Where a
        copy is read often even those few are copied.
        """
        if not scalars.can_pack or rows < 4 or not self.sum_size:
            return False
        bytes_ = ir.align_of(self.memory)
        apart = abs(scalars.stride(scalars.axes[0])) * bytes_
        steps = [abs(scalars.stride(a)) * bytes_ for a in self.problem.summed]
        scattered = bool(steps) and steps[-1] > 64 and apart > 64
        often = cycles > OFTEN * scalars.elements()
        room = calm and rows * gcd(apart, WAY) <= (3 if often else 5) * WAY
        crowded = apart % 1024 == 0 and apart > 0 and not room
        paged = bool(steps) and steps[-1] >= WAY and self.sum_size >= 1024
        pays = cycles > 4 * scalars.elements()
        return pays and (scattered or crowded or paged)

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
        cycles += self._finish_cycles(False, vectors) + self.epilogue
        plan = with_blocks(self._plan("dot", scalars, vectors, tile, across), cycles)
        yield Choice(with_splits(plan), False, None, None, cycles, self.products)


@functools.lru_cache(maxsize=4096)
def choose(
    problem: Problem, memory: str, compute: str, vector_bits: int, extras: int = 0
) -> Choice:
    """The cheapest way to compute a problem, with vectors of so many bits.

    ``extras`` are the operands that an epilogue reads or writes for each result.
    """
    return Chooser(problem, memory, compute, extras).best()
