"""Chooses how a contraction is computed: which axis the vector runs along, tiles and packing.

Costs are cycles of one core, estimated from what bounds a micro-kernel: multiplications, loads, the
latency of chained additions, instructions decoded. They need only rank the choices.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

from facula.engines.native import ir, target
from facula.engines.native.contraction.copies import Copy
from facula.engines.native.contraction.plan import Plan, Shared, Summed, Tiled, vector_offsets
from facula.engines.native.contraction.problem import COLUMN, ROW, Axis, Problem

LATENCY = 4  # cycles of a fused multiply-add
ENOUGH = 8000  # cycles: a block of this much work makes its own bookkeeping negligible
MOST_CHUNKS = 256
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

    @property
    def chunks(self) -> int:
        work = max(1, int(self.cycles / ENOUGH))
        return max(1, min(self.plan.blocks * self.plan.splits, work, MOST_CHUNKS))


class Side:
    """One operand of a problem as the chooser sees it."""

    def __init__(self, problem: Problem, left: bool):
        self.left = left
        self.axes = problem.rows if left else problem.columns
        self.stride = (lambda a: a.left) if left else (lambda a: a.right)
        self.batch, self.summed = problem.batch, problem.summed
        self.offset = (problem.left if left else problem.right).offset

    def tiled(self, tiles: Sequence[int], panel: int = 0) -> list[Tiled]:
        """The axes with tiles; their blocks are set later."""
        return [
            Tiled(a.size, self.stride(a), a.to, a.step, t, t, panel)
            for a, t in zip(self.axes, tiles)
        ]

    def elements(self) -> int:
        """Elements that a packed copy has, filling up apart."""
        shared = [a.size for a in self.batch if self.stride(a)]
        return prod(shared) * prod([a.size for a in (*self.axes, *self.summed)])

    def packed(self, width: int, memory: str) -> Copy:
        """A copy ``[batch][panel][summed][width]`` for the only axis."""
        (axis,) = self.axes
        shared = [a for a in self.batch if self.stride(a)]
        panels = -(-axis.size // width)
        stride = self.stride(axis)
        sizes = [a.size for a in shared] + [panels] + [a.size for a in self.summed] + [width]
        strides = [self.stride(a) for a in shared] + [width * stride]
        strides += [self.stride(a) for a in self.summed] + [stride]
        return Copy.simplified(
            memory, sizes, strides, self.offset, panel=len(shared), total=axis.size
        )


def tile_sizes(sizes: Sequence[int], limit: int) -> Iterator[tuple[int, ...]]:
    """Tiles of at most ``limit`` elements: an axis is cut only if those outside it are not tiled."""
    if not sizes:
        yield ()
        return
    *outer, size = sizes
    seen = set()
    for most in range(1, min(size, limit) + 1):
        even = -(-size // -(-size // most))
        if even in seen:
            continue
        seen.add(even)
        if even < size:
            yield (*[1] * len(outer), even)
        else:
            for rest in tile_sizes(outer, limit // size):
                yield (*rest, even)


def vector_tiles(axes: Sequence[Axis], lanes: int, limit: int, packed: bool):
    """(tile, number of vectors) for the operand whose last axis is the vector."""
    *outer, line = axes
    across = -(-line.size // lanes)
    seen = set()
    for most in range(1, min(across, limit) + 1):
        even = -(-across // -(-across // most))
        if even in seen:
            continue
        seen.add(even)
        tile = even * lanes if packed else min(line.size, even * lanes)
        if even < across or packed:
            yield (*[1] * len(outer), tile), even
        else:
            for rest in tile_sizes([a.size for a in outer], limit // even):
                yield (*rest, tile), even * prod(rest)


def fma_cycles(element: str) -> float:
    """Cycles of one vector multiply-add: the widest vectors often run at half the rate."""
    return 1.0 if target.vector_bits() >= 512 else 0.5


def step_cycles(rows: int, vectors: int, load: float, compute: str) -> float:
    """One summed index of a tile; ``load`` cycles for each vector."""
    each = fma_cycles(compute)
    return max(
        rows * vectors * each,
        vectors * load + rows * 0.5,
        (rows * vectors + vectors + (rows if vectors > 1 else 0) + 3) / 5,
        LATENCY,
    )


def count_tiles(sizes: Sequence[int], tiles: Sequence[int]) -> int:
    return prod([-(-n // t) for n, t in zip(sizes, tiles)])


class Chooser:
    """All ways to compute a problem, and the cheapest of them."""

    def __init__(self, problem: Problem, memory: str, compute: str):
        self.problem, self.memory, self.compute = problem, memory, compute
        self.lanes = target.lanes(compute)
        self.registers = target.registers()
        self.sum_size = prod([a.size for a in problem.summed])
        self.shared = prod([a.size for a in problem.batch])
        self.outputs = prod([a.size for a in (*problem.batch, *problem.rows, *problem.columns)])

    def best(self) -> Choice:
        """The cheapest choice."""
        options = list(self._options())
        return min(options, key=lambda choice: choice.cycles)

    def _options(self) -> Iterator[Choice]:
        for vectors_left in (False, True):
            yield from self._outer(vectors_left)
        yield from self._dot()

    # Products of single elements and vectors ------------------------------------------------------

    def _outer(self, swapped: bool) -> Iterator[Choice]:
        problem = self.problem
        scalars, vectors = Side(problem, not swapped), Side(problem, swapped)
        if not vectors.axes:
            return
        line = vectors.axes[-1]
        transposed = line.to == ROW
        if transposed and not self._can_turn(vectors):
            return
        for packed in (False, True):
            if (packed and len(vectors.axes) > 1) or (not packed and vectors.stride(line) != 1):
                continue
            found = self._outer_tiles(scalars, vectors, packed)
            if found is not None:
                yield self._outer_choice(scalars, vectors, packed, transposed, *found)

    def _can_turn(self, vectors: Side) -> bool:
        return len(vectors.axes) == 1 and vectors.axes[0].step == 1

    def _outer_tiles(self, scalars: Side, vectors: Side, packed: bool):
        """(cycles, scalar tile, vector tile) of the cheapest tile that fits the registers."""
        best = None
        sizes = [a.size for a in scalars.axes]
        line_sizes = [a.size for a in vectors.axes]
        for tile, count in vector_tiles(vectors.axes, self.lanes, 6, packed):
            load = self._load_cycles(vectors, count, packed)
            limit = (self.registers - 1 - count) // count
            many = count_tiles(line_sizes, tile)
            for rows in tile_sizes(sizes, max(1, min(limit, 30))):
                step = step_cycles(prod(rows), count, load, self.compute)
                cycles = step * many * count_tiles(sizes, rows) * self.sum_size * self.shared
                if best is None or cycles < best[0]:
                    best = (cycles, rows, tile)
        return best

    def _load_cycles(self, vectors: Side, count: int, packed: bool) -> float:
        """Loading a vector: across a cache line, and from afar if rows fight for cache sets."""
        each = fma_cycles(self.compute)
        if packed or not self.sum_size:
            return each
        load = 1.8 * each
        bytes_ = ir.align_of(self.memory)
        apart = abs(vectors.stride(self.problem.summed[-1])) * bytes_ if self.problem.summed else 0
        if apart >= 256 and self.sum_size * count * self.lanes * bytes_ > target.l1() // 2:
            load += 10 if apart % 1024 == 0 else 2
        return load

    def _outer_choice(
        self, scalars: Side, vectors: Side, packed: bool, transposed: bool, cycles: float,
        rows: Sequence[int], tile: Sequence[int],
    ) -> Choice:  # fmt: skip
        cycles += self._finish_cycles(transposed)
        vector_copy = scalar_copy = None
        summed = list(self.problem.summed)
        vector_strides = [vectors.stride(a) for a in summed]
        scalar_strides = [scalars.stride(a) for a in summed]
        batch_vector = [vectors.stride(a) for a in self.problem.batch]
        batch_scalar = [scalars.stride(a) for a in self.problem.batch]
        vector_panel = scalar_panel = 0
        vector_offset, scalar_offset = vectors.offset, scalars.offset
        if packed:
            vector_copy = vectors.packed(tile[-1], self.memory)
            cycles += vector_copy.cycles
            vector_panel = self.sum_size * tile[-1]
            vector_strides = dense_strides([a.size for a in summed], tile[-1])
            panels = -(-vectors.axes[0].size // tile[-1])
            batch_vector = self._packed_batch(batch_vector, panels * vector_panel)
            vector_offset = 0
        if self._scalars_need_packing(scalars, prod(rows), cycles):
            scalar_copy = scalars.packed(rows[0], self.memory)
            cycles += scalar_copy.cycles
            scalar_panel = self.sum_size * rows[0]
            scalar_strides = dense_strides([a.size for a in summed], rows[0])
            panels = -(-scalars.axes[0].size // rows[0])
            batch_scalar = self._packed_batch(batch_scalar, panels * scalar_panel)
            scalar_offset = 0
        plan = Plan(
            "outer", self.memory, self.compute, self.lanes,
            self._batch(batch_scalar, batch_vector),
            tuple(scalars.tiled(rows, scalar_panel)),
            tuple(vectors.tiled(tile, vector_panel)),
            tuple(map(Summed, [a.size for a in summed], scalar_strides, vector_strides)),
            (scalar_offset, vector_offset),
            self.problem.shape, self.problem.corner, (), transposed,
        )  # fmt: skip
        plan = with_splits(with_blocks(plan, cycles))
        if plan.splits > 1:
            cycles += self.outputs * plan.splits / self.lanes * 3
        return Choice(plan, vectors.left, scalar_copy, vector_copy, cycles)

    def _packed_batch(self, strides: Sequence[int], size: int) -> list[int]:
        """Strides of the batch axes once an operand is packed; those it lacks stay 0."""
        found, step = [], size
        for axis, stride in reversed(list(zip(self.problem.batch, strides))):
            found.insert(0, step if stride else 0)
            step *= axis.size if stride else 1
        return found

    def _batch(self, scalar: Sequence[int], vector: Sequence[int]) -> tuple[Shared, ...]:
        axes = self.problem.batch
        return tuple([Shared(a.size, s, v, a.to, a.step) for a, s, v in zip(axes, scalar, vector)])

    def _scalars_need_packing(self, scalars: Side, rows: int, cycles: float) -> bool:
        """Whether rows read in place would fight for the same cache sets, or lie far apart."""
        if len(scalars.axes) != 1 or rows < 4 or not self.sum_size:
            return False
        bytes_ = ir.align_of(self.memory)
        apart = abs(scalars.stride(scalars.axes[0])) * bytes_
        steps = [abs(scalars.stride(a)) * bytes_ for a in self.problem.summed]
        scattered = bool(steps) and steps[-1] > 64 and apart > 64
        crowded = apart % 1024 == 0 and apart > 0
        pays = cycles > 4 * scalars.elements()
        return pays and (scattered or crowded)

    def _finish_cycles(self, transposed: bool) -> float:
        return self.outputs / self.lanes * (14 if transposed else 7)

    # Dot products ---------------------------------------------------------------------------------

    def _dot(self) -> Iterator[Choice]:
        problem = self.problem
        if not problem.summed or self.lanes == 1:
            return
        line = problem.summed[-1]
        if line.left != 1 or line.right != 1:
            return
        scalars, vectors = Side(problem, True), Side(problem, False)
        rows, columns = [a.size for a in scalars.axes], [a.size for a in vectors.axes]
        steps = -(-line.size // self.lanes) * prod([a.size for a in problem.summed[:-1]])
        best = None
        for tile in tile_sizes(rows, 8):
            limit = (self.registers - 2 - prod(tile)) // prod(tile)
            for across in tile_sizes(columns, max(1, min(limit, 8))):
                m, n = prod(tile), prod(across)
                each = fma_cycles(self.compute)
                step = max(m * n * each, (m + n) * 1.5 * each, LATENCY)
                many = count_tiles(rows, tile) * count_tiles(columns, across) * self.shared
                cycles = many * (step * steps + 4 * m * n + 10)
                if best is None or cycles < best[0]:
                    best = (cycles, tile, across)
        assert best is not None
        cycles, tile, across = best
        plan = Plan(
            "dot", self.memory, self.compute, self.lanes,
            self._batch([a.left for a in problem.batch], [a.right for a in problem.batch]),
            tuple(scalars.tiled(tile)), tuple(vectors.tiled(across)),
            tuple([Summed(a.size, a.left, a.right) for a in problem.summed]),
            (scalars.offset, vectors.offset), problem.shape, problem.corner, (),
        )  # fmt: skip
        cycles += self._finish_cycles(False)
        yield Choice(with_splits(with_blocks(plan, cycles)), False, None, None, cycles)


def dense_strides(sizes: Sequence[int], last: int) -> list[int]:
    """Strides of summed axes in a panel."""
    return [prod(sizes[i + 1 :]) * last for i in range(len(sizes))]


def grown(axes: Sequence[Tiled], times: float, least: int) -> tuple[tuple[Tiled, ...], float]:
    """Axes with blocks of several tiles, inner axes first, until a block has work enough.

    ``times`` is by how much the work must grow, ``least`` how many elements a block must have.
    """
    found: list[Tiled] = []
    whole, elements = True, 1
    for axis in reversed(axes):
        block = axis.tile
        if whole and not axis.panel:
            while block < axis.size and (times > 1 or elements * block < least):
                more = min(axis.size, block + axis.tile)
                times *= block / more
                block = more
            pieces = -(-axis.size // block)
            even = -(-(-(-axis.size // pieces)) // axis.tile) * axis.tile
            block = min(block, even)
        whole = whole and block == axis.size
        elements *= block
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
    least = 2 * plan.lanes if plan.transposed else 1
    if plan.transposed:
        scalars, times = grown(plan.scalars, times, least)
        made = replace(plan, scalars=scalars)
    else:
        vectors, times = grown(plan.vectors, times, plan.lanes if plan.form == "dot" else 1)
        made = replace(plan, vectors=vectors)
        if times > 1:
            scalars, times = grown(plan.scalars, times, 1)
            made = replace(made, scalars=scalars)
    return made if made.scratch <= MOST_SCRATCH else plan


def with_splits(plan: Plan) -> Plan:
    """Cuts the first summed axis where there are few blocks, or panels outgrow the cache."""
    if len(plan.summed) < 2 or plan.unrolled:
        return plan
    sizes = [a.size for a in plan.summed]
    line = plan.vectors[-1]
    wanted = 1
    if plan.form == "outer" and line.panel:
        panel = prod(sizes) * line.tile * ir.align_of(plan.memory)
        wanted = -(-panel // PANEL_BYTES)
    if plan.blocks < 8 and prod(sizes) >= 4096:
        wanted = max(wanted, 8 // max(1, plan.blocks))
    return replace(plan, splits=max(1, min(sizes[0], wanted)))


@functools.lru_cache(maxsize=4096)
def choose(problem: Problem, memory: str, compute: str, vector_bits: int) -> Choice:
    """The cheapest way to compute a problem, with vectors of so many bits."""
    return Chooser(problem, memory, compute).best()
