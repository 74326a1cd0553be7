"""Plan: how a contraction is cut into blocks (units of work) and tiles (what registers hold)."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from facula.engines.native.contraction.indices import Index, ceiling


class Tiled(NamedTuple):
    """A result axis of one operand.

    An axis is cut into blocks, a block into tiles; the last of each begins earlier rather than
    being shorter, so that some elements may be computed twice. Where ``panel`` is not 0 the
    operand is packed: tiles lie ``panel`` elements apart and the last is filled up with zeros.
    An index stands for ``phases`` neighbours in the result, of which there are ``whole``.
    """

    size: int
    stride: int
    to: int
    step: int
    tile: int
    block: int
    panel: int = 0
    phases: int = 1
    whole: int = 0

    @property
    def blocks(self) -> int:
        return ceiling(self.size, self.block)

    @property
    def tiles(self) -> int:
        return ceiling(self.block, self.tile)

    @property
    def extent(self) -> int:
        """Elements of the result that a block holds."""
        return self.block * self.phases


class Shared(NamedTuple):
    """A batch axis: a stride in each operand and a step in the result."""

    size: int
    scalar: int
    vector: int
    to: int
    step: int


class Summed(NamedTuple):
    """A summed axis: a stride in each operand."""

    size: int
    scalar: int
    vector: int


class Bound(NamedTuple):
    """A guard (see :class:`Guard`): the result axis is number ``axis`` of side ``s`` or ``v``."""

    side: str
    axis: int
    summed: int
    move: int
    tap: int
    limit: int


class Share(NamedTuple):
    """A part: offsets in both operands, counts of the summed axes, bases of the bounds, phases."""

    scalar: Index
    vector: Index
    counts: tuple[Index, ...]
    bases: tuple[Index, ...]
    scalar_phase: tuple[int, ...]
    vector_phase: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """All that the code of a contraction depends on, besides its epilogue.

    Forms: ``outer`` multiplies single elements of one operand (*scalars*) with vectors of the
    other (*vectors*), whose last axis is the vector; ``dot`` has the vector along the last summed
    axis. With ``transposed`` the vector runs along the result's rows. ``order`` lists
    the block loops from the outermost: ``b0``, ``s1``, ``v0`` ... With ``splits`` > 1 the
    first summed axis is cut and partial results are added up by another kernel. ``unrolled``
    writes out all products, for short sums. ``direct`` hands a tile's sums to the epilogue from
    registers; blocks and tiles divide their axes then.
    """

    form: str
    memory: str
    compute: str
    lanes: int
    batch: tuple[Shared, ...]
    scalars: tuple[Tiled, ...]
    vectors: tuple[Tiled, ...]
    summed: tuple[Summed, ...]
    parts: tuple[Share, ...]
    bounds: tuple[Bound, ...]
    shape: tuple[int, int, int]
    order: tuple[str, ...]
    transposed: bool = False
    splits: int = 1
    unrolled: bool = False
    direct: bool = False

    def blocks_along(self, name: str) -> int:
        """Blocks along the axis that ``order`` calls so."""
        number = int(name[1:])
        if name[0] == "b":
            return self.batch[number].size
        return (self.scalars if name[0] == "s" else self.vectors)[number].blocks

    @property
    def blocks(self) -> int:
        return prod([self.blocks_along(name) for name in self.order])

    @property
    def pitch(self) -> int:
        """Elements between rows of a block's results: a row may spill one vector into the gap."""
        row = prod([v.extent for v in self.vectors])
        return ceiling(row, self.lanes) * self.lanes + (self.lanes if self.lanes > 1 else 0)

    @property
    def scratch(self) -> int:
        """Elements of a block's results; a transposition may read some rows more."""
        rows = prod([s.extent for s in self.scalars])
        return (rows + (self.lanes - 1 if self.transposed else 0)) * self.pitch


def vector_offsets(tile: int, lanes: int, packed: bool, direct: bool) -> list[tuple[int, int]]:
    """(first element, elements) of each vector of a tile.

    A vector that would reach beyond the tile begins earlier, if there are others or its elements
    are not stored right away.
    """
    if packed:
        return [(at, lanes) for at in range(0, tile, lanes)]
    if direct:
        return [(at, min(lanes, tile - at)) for at in range(0, tile, lanes)]
    if tile < lanes:
        return [(0, tile)]
    full = [(at, lanes) for at in range(0, tile - lanes + 1, lanes)]
    if tile % lanes:
        full.append((tile - lanes, lanes))
    return full
