"""One operand of a contraction as the chooser sees it, and the tiles it may be cut into."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod

from facula.engines.native.contraction.copies import Copy
from facula.engines.native.contraction.indices import ceiling
from facula.engines.native.contraction.plan import Tiled
from facula.engines.native.contraction.problem import Axis, Problem


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
            still = [forced.get(i, 1) for i in range(len(outer))]
            if even * prod(still) <= limit:
                yield (*still, even)
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
            still = [forced.get(i, 1) for i in range(len(outer))]
            if even * prod(still) <= limit:
                yield (*still, tile), even * prod(still)
        else:
            for rest in tile_sizes([a.size for a in outer], limit // even, forced):
                yield (*rest, tile), even * prod(rest)
