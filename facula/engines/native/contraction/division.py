"""Cuts a plan into blocks: units of work large enough, in numbers that threads can share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from math import prod

from facula.engines.native import ir
from facula.engines.native.contraction.indices import ceiling
from facula.engines.native.contraction.plan import Plan, Tiled

ENOUGH = 8000  # cycles: a block of this much work makes its own bookkeeping negligible
BUSY = 2500  # cycles: while so much is computed the results of the block before leave the core
PANEL_BYTES = 384 << 10  # a panel this large stays in the second-level cache


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
    times = BUSY / max(1.0, cycles / max(1, plan.blocks))
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
