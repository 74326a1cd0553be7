"""Emits a contraction's kernel: loops over blocks and tiles around a micro-kernel."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import product

from facula.engines.native.contraction.ahead import Ahead
from facula.engines.native.contraction.finish import Finish, Span
from facula.engines.native.contraction.indices import Index, minimum, minus, part, plus, times
from facula.engines.native.contraction.micro import (
    Tile,
    tile_indices,
    vector_indices,
    vector_places,
)
from facula.engines.native.contraction.plan import Plan, Share, Tiled
from facula.engines.native.ir import Function, Value


class Writer:
    """Writes one kernel; its operands: scalars, vectors, [result], the epilogue's extras."""

    def __init__(self, name: str, plan: Plan, epilogue, chunks: int):
        self.plan, self.epilogue, self.chunks = plan, epilogue, chunks
        self.f = Function(name, ["ptr", "i64", "i64"])

    def text(self) -> str:
        """The function as LLVM IR."""
        f, plan = self.f, self.plan
        buffers, begin, end = f.arguments
        count = 2 + self.epilogue.keeps + self.epilogue.extras
        loaded = [f.load("ptr", f.at(buffers, i, "ptr")) for i in range(count)]
        pointers = [*([] if self.epilogue.keeps else [None]), *loaded[2:]]
        scratch = f.array(plan.compute, 1 if plan.direct else plan.scratch)
        finish = Finish(f, plan, self.epilogue, pointers, scratch)
        total = plan.blocks * plan.splits
        first, last = (part(f, chunk, total, self.chunks) for chunk in (begin, end))
        with f.loop(first, last) as block:
            self._block(block, loaded[:2], finish)
        f.ret()
        return f.text()

    def _block(self, block: Value, bases: Sequence[Value], finish: Finish) -> None:
        """Decodes a block's number, sums it up and finishes it."""
        f, plan = self.f, self.plan
        at: list[Index] = [0, 0]
        coordinates: list[Index] = [0, 0, 0]
        indices: dict[str, Index] = {}
        rest = block
        for name in reversed(plan.order):
            count = plan.blocks_along(name)
            if count > 1:
                indices[name] = f.op("srem", rest, count)
                rest = f.op("sdiv", rest, count)
            else:
                indices[name] = 0
        for i, shared in enumerate(plan.batch):
            index = indices[f"b{i}"]
            at[0] = plus(f, at[0], times(f, index, shared.scalar))
            at[1] = plus(f, at[1], times(f, index, shared.vector))
            move = times(f, index, shared.step)
            coordinates[shared.to] = plus(f, coordinates[shared.to], move)
        spans = []
        for side, axes in enumerate((plan.scalars, plan.vectors)):
            found = [self._span(axis, indices["sv"[side] + str(i)]) for i, axis in enumerate(axes)]
            for _, place in found:
                at[side] = plus(f, at[side], place)
            spans.append([span for span, _ in found])
        split = None
        if plan.splits > 1:
            split = rest
            coordinates[0] = plus(f, coordinates[0], f.mul(rest, plan.shape[0]))
        starts = [f.at(base, place, plan.memory) for base, place in zip(bases, at)]
        if plan.direct:
            self._direct(starts, spans, coordinates, finish)
            return
        self._parts(starts, spans, split, finish, coordinates)
        finish.block(coordinates, *spans)

    def _direct(self, starts, spans, coordinates: Sequence[Index], finish: Finish) -> None:
        """Tiles whose sums go to the epilogue as they are."""
        f, plan = self.f, self.plan
        (share,) = plan.parts
        with ExitStack() as stack:
            at: list[Value] = []
            corners: list[list[Index]] = [[], []]
            for side, axes in enumerate((plan.scalars, plan.vectors)):
                place: Index = (share.scalar, share.vector)[side]
                for axis in axes:
                    local, move = self._tile_place(axis, stack)
                    place = plus(f, place, move)
                    corners[side].append(local)
                at.append(f.at(starts[side], place, plan.memory))
            columns = vector_places(plan)
            ahead = self._ahead(finish, coordinates, spans)
            if ahead is not None:
                ahead.begin(corners)
            sums = Tile(f, plan, at[0], at[1], share.counts, (), None, ahead).sums(columns)
            inside = product(tile_indices(plan.scalars), vector_indices(plan))
            for value, (row, (column, count)) in zip(sums, inside):
                corner = (*corners[0], *corners[1])
                indices = [plus(f, a, b) for a, b in zip(corner, (*row, *column))]
                finish.vector(value, coordinates, [*spans[0], *spans[1]], indices, count)

    def _ahead(self, finish: Finish, coordinates: Sequence[Index], spans) -> Ahead | None:
        return Ahead(finish, coordinates, spans) if Ahead.pays(self.plan) else None

    def _span(self, axis: Tiled, index: Index) -> tuple[Span, Index]:
        """Where a block lies on an axis, and its place in the operand."""
        f = self.f
        begin = times(f, index, axis.block)
        if axis.panel:
            left: Index = axis.block
            if axis.size % axis.block:
                left = minimum(f, minus(f, axis.size, begin), axis.block)
            return Span(axis, begin, begin, 0, left), times(f, index, axis.tiles * axis.panel)
        start = begin
        if axis.size % axis.block:
            start = minimum(f, begin, axis.size - axis.block)
        skipped: Index = 0 if start is begin else minus(f, begin, start)
        place = times(f, start, axis.stride)
        if axis.phases == 1:
            return Span(axis, start, start, skipped, axis.block), place
        real = times(f, start, axis.phases)
        last: Index = axis.extent
        if axis.whole < axis.size * axis.phases:
            last = minimum(f, minus(f, axis.whole, real), axis.extent)
        return Span(axis, start, real, times(f, skipped, axis.phases), last), place

    def _parts(self, starts, spans, split: Index | None, finish: Finish, coordinates) -> None:
        """Each part's tiles; what parts differ in comes from a table if there are several."""
        f, plan = self.f, self.plan
        if len(plan.parts) == 1:
            ahead = self._ahead(finish, coordinates, spans)
            self._tiles(starts, spans, plan.parts[0], 0, finish.scratch, split, ahead)
            return
        rows = [self._numbers(share) for share in plan.parts]
        width = len(rows[0])
        table = f.table(f"{f.name}.parts", "i64", [x for row in rows for x in row])
        with f.loop(0, len(rows)) as number:
            line = f.at(table, f.mul(number, width), "i64")
            loaded = [f.load("i64", f.at(line, i, "i64")) for i in range(width)]
            shift, scalar, vector, *rest = loaded
            count = len(plan.summed)
            share = Share(scalar, vector, tuple(rest[:count]), tuple(rest[count:]), (), ())
            self._tiles(starts, spans, share, shift, finish.scratch, split)

    def _numbers(self, share: Share) -> list[int]:
        """A part's line of the table."""
        phases = (*share.scalar_phase, *share.vector_phase)
        shift = sum([p * step for p, step in zip(phases, scratch_strides(self.plan))])
        numbers = (shift, share.scalar, share.vector, *share.counts, *share.bases)
        return [x for x in numbers if isinstance(x, int)]

    def _tiles(
        self, starts, spans, share: Share, shift: Index, scratch: Value, split,
        ahead: Ahead | None = None,
    ) -> None:  # fmt: skip
        """Loops over the tiles of a block; each leaves its sums in scratch."""
        f, plan = self.f, self.plan
        with ExitStack() as stack:
            at, rows, indices = [], [], {}
            corners: list[list[Index]] = [[], []]
            for side, axes in enumerate((plan.scalars, plan.vectors)):
                place: Index = (share.scalar, share.vector)[side]
                row: Index = 0
                for i, axis in enumerate(axes):
                    local, move = self._tile_place(axis, stack)
                    corners[side].append(local)
                    place = plus(f, place, move)
                    row = plus(f, times(f, row, axis.extent), times(f, local, axis.phases))
                    indices["sv"[side], i] = plus(f, spans[side][i].begin, local)
                at.append(f.at(starts[side], place, plan.memory))
                rows.append(row)
            corner = plus(f, plus(f, times(f, rows[0], plan.pitch), rows[1]), shift)
            bases = [
                plus(f, base, times(f, indices[bound.side, bound.axis], bound.move))
                for base, bound in zip(share.bases, plan.bounds)
            ]
            if ahead is not None:
                ahead.begin(corners)
            tile = Tile(f, plan, at[0], at[1], share.counts, bases, split, ahead)
            tile.store(f.at(scratch, corner, plan.compute))

    def _tile_place(self, axis: Tiled, stack: ExitStack) -> tuple[Index, Index]:
        """(first element in the block, its place in the operand) of the tile."""
        f = self.f
        if axis.tiles == 1:
            return 0, 0
        index = stack.enter_context(f.loop(0, axis.tiles))
        local: Index = f.mul(index, axis.tile)
        if axis.panel:
            return local, f.mul(index, axis.panel)
        if axis.block % axis.tile:
            local = minimum(f, local, axis.block - axis.tile)
        return local, times(f, local, axis.stride)


def scratch_strides(plan: Plan) -> list[int]:
    """How far one result lies from the next in scratch, along each axis."""
    found: list[int] = []
    for axes, unit in ((plan.scalars, plan.pitch), (plan.vectors, 1)):
        strides: list[int] = []
        step = unit
        for axis in reversed(axes):
            strides.insert(0, step)
            step *= axis.extent
        found.extend(strides)
    return found
