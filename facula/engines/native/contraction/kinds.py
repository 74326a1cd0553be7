"""Each primitive as a Problem: what its axes are.

Where a convolution reaches outside its operand there is either a padded copy of the operand, or a
guard for the axis: sums then leave out what would be zeros. ``guarded`` tells which, axis by axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import gcd, prod
from typing import NamedTuple

from facula.engines.native.contraction.problem import (
    BATCH,
    COLUMN,
    ROW,
    Axis,
    Guard,
    Part,
    Problem,
    Strided,
    assembled,
)


def spatial_steps(sizes: Sequence[int]) -> list[int]:
    """How far one index of each spatial axis moves in the linear position."""
    return [prod(sizes[i + 1 :]) for i in range(len(sizes))]


def matmul(a: Strided, b: Strided, shape: Sequence[int]) -> Problem:
    """(..., m, k) @ (..., k, n); leading axes broadcast."""
    m, n = shape[-2:]
    k = a.shape[-1]
    lead = tuple(shape[:-2])
    batch = []
    for i, (size, step) in enumerate(zip(lead, spatial_steps(lead))):
        left, right = (_shared_stride(operand, i - len(lead)) for operand in (a, b))
        batch.append(Axis(size, left, right, BATCH, step))
    rows = [Axis(m, a.strides[-2], 0, ROW, 1)]
    columns = [Axis(n, 0, b.strides[-1], COLUMN, 1)]
    summed = [Axis(k, a.strides[-1], b.strides[-2])]
    return assembled(a, b, batch, rows, columns, summed, (prod(lead), m, n))


def _shared_stride(operand: Strided, back: int) -> int:
    """The stride of a leading axis, counted from the matrix; 0 where it is broadcast."""
    at = back + len(operand.shape) - 2
    return operand.strides[at] if at >= 0 and operand.shape[at] != 1 else 0


def conv(params, x: Strided, w: Strided, shape: Sequence[int], guarded: Sequence[int]) -> Problem:
    """Rows are a group's output channels, columns samples and positions.

    ``x`` is padded along the axes that are not guarded; ``guarded`` holds the others' numbers.
    """
    groups, sizes = params["groups"], shape[2:]
    rows, channels = w.shape[0] // groups, w.shape[1]
    batch = [Axis(groups, rows * w.strides[0], channels * x.strides[1], ROW, rows)]
    columns = [_samples(shape[0], x)]
    summed = [Axis(channels, w.strides[1], x.strides[1])]
    guards, bases, start = [], [], x.offset
    for i, step in enumerate(spatial_steps(sizes)):
        stride, dilation = params["stride"][i], params["dilation"][i]
        columns.append(Axis(sizes[i], 0, x.strides[2 + i] * stride, COLUMN, step))
        summed.append(Axis(w.shape[2 + i], w.strides[2 + i], x.strides[2 + i] * dilation))
        if i in guarded:
            low = max(0, params["padding"][i][0])
            guards.append(Guard(1 + i, 1 + i, stride, dilation, x.shape[2 + i]))
            bases.append(-low)
            start -= low * x.strides[2 + i]
    part = Part((0,) * len(columns), (0,) * len(summed), _sizes(summed), start, tuple(bases))
    result = (shape[0], shape[1], prod(sizes))
    own = [Axis(rows, w.strides[0], 0, ROW, 1)]
    if x.width:
        summed, guards, (part,) = _channels_last(summed, guards, [part])
    return assembled(w, x, batch, own, columns, summed, result, guards, [part])


def _samples(count: int, x: Strided) -> Axis:
    return Axis(count, 0, x.strides[0], BATCH, 1, panel=x.panel, width=x.width)


def _channels_last(summed: list[Axis], guards: Sequence[Guard], parts: Sequence[Part]):
    """Sums with the channels innermost: those of a packed operand lie side by side."""
    return (
        [*summed[1:], summed[0]],
        [g._replace(summed=g.summed - 1) for g in guards],
        [
            p._replace(first=(*p.first[1:], p.first[0]), counts=(*p.counts[1:], p.counts[0]))
            for p in parts
        ],
    )


def _sizes(axes: Sequence[Axis]) -> tuple[int, ...]:
    return tuple([a.size for a in axes])


def weight_grad(
    params, g: Strided, x: Strided, shape: Sequence[int], guarded: Sequence[int]
) -> Problem:
    """Rows are a group's output channels, columns its channels and taps; positions are summed."""
    groups, kernel = params["groups"], shape[2:]
    rows, channels = shape[0] // groups, shape[1]
    batch = [Axis(groups, rows * g.strides[1], channels * x.strides[1], ROW, rows)]
    steps = spatial_steps(shape[1:])
    columns = [Axis(channels, 0, x.strides[1], COLUMN, steps[0])]
    summed = [Axis(g.shape[0], g.strides[0], x.strides[0])]
    guards, bases, start = [], [], x.offset
    for i, taps in enumerate(kernel):
        stride, dilation = params["stride"][i], params["dilation"][i]
        columns.append(Axis(taps, 0, x.strides[2 + i] * dilation, COLUMN, steps[1 + i]))
        summed.append(Axis(g.shape[2 + i], g.strides[2 + i], x.strides[2 + i] * stride))
        if i in guarded:
            low = max(0, params["padding"][i][0])
            guards.append(Guard(1 + i, 1 + i, dilation, stride, x.shape[2 + i]))
            bases.append(-low)
            start -= low * x.strides[2 + i]
    part = Part((0,) * len(columns), (0,) * len(summed), _sizes(summed), start, tuple(bases))
    result = (1, shape[0], prod(shape[1:]))
    own = [Axis(rows, g.strides[1], 0, ROW, 1)]
    return assembled(g, x, batch, own, columns, summed, result, guards, [part])


class Phase(NamedTuple):
    """The places ``first, first + stride, ...`` of an input gradient along one axis.

    Place number j receives gradient ``base - t * back + j`` through kernel tap ``tap + t * hop``.
    """

    first: int
    tap: int
    taps: int
    base: int


class Along(NamedTuple):
    """One spatial axis of an input gradient: its phases, all with ``places`` places at most."""

    phases: list[Phase]
    places: int
    hop: int
    back: int


def along(size: int, taps: int, stride: int, low: int, dilation: int) -> Along:
    """By which taps the places along one axis are reached."""
    common = gcd(stride, dilation)
    hop, back = stride // common, dilation // common
    found = []
    for first in range(min(stride, size)):
        at = first + low
        tap = next((t for t in range(min(hop, taps)) if (at - t * dilation) % stride == 0), None)
        if tap is None:
            found.append(Phase(first, 0, 0, 0))
        else:
            count = (taps - tap + hop - 1) // hop
            found.append(Phase(first, tap, count, (at - tap * dilation) // stride))
    return Along(found, -(-size // stride), hop, back)


def input_grad_axes(params, kernel: Sequence[int]) -> list[Along]:
    """What there is to know about each spatial axis."""
    sizes = params["shape"][2:]
    facts = zip(sizes, kernel, params["stride"], params["padding"], params["dilation"])
    return [along(n, k, s, low, d) for n, k, s, (low, _), d in facts]


def input_grad_padding(axes: Sequence[Along], sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Zeros needed before and after each spatial axis of the gradient so that no tap leaves it."""
    found = []
    for axis, size in zip(axes, sizes):
        reached = [p for p in axis.phases if p.taps]
        low = max([(p.taps - 1) * axis.back - p.base for p in reached], default=0)
        high = max([p.base + axis.places - size for p in reached], default=0)
        found.append((max(0, low), max(0, high)))
    return found


def input_grad(
    params, g: Strided, w: Strided, axes: Sequence[Along], guarded: Sequence[int], padding
) -> Problem:
    """Rows are a group's input channels, columns samples and places, phase by phase.

    ``g`` is padded by ``padding`` along the axes that are not guarded.
    """
    samples, channels, *sizes = params["shape"]
    groups = params["groups"]
    rows, outs = channels // groups, w.shape[0] // groups
    batch = [Axis(groups, outs * w.strides[0], outs * g.strides[1], ROW, rows)]
    columns = [_samples(samples, g)]
    summed = [Axis(outs, w.strides[0], g.strides[1])]
    guards = []
    several = any(len(axis.phases) > 1 or axis.hop > 1 for axis in axes)
    for i, (axis, step) in enumerate(zip(axes, spatial_steps(sizes))):
        stride_g, stride_w = g.strides[2 + i], w.strides[2 + i]
        phases, taps = len(axis.phases), max([p.taps for p in axis.phases])
        columns.append(Axis(axis.places, 0, stride_g, COLUMN, step, phases, sizes[i]))
        stored = w.shape[2 + i] if several else 0
        move = -axis.back * stride_g
        summed.append(Axis(taps, axis.hop * stride_w, move, hop=axis.hop, stored=stored))
        if i in guarded:
            guards.append(Guard(1 + i, 1 + i, 1, -axis.back, g.shape[2 + i]))
    parts = [
        _input_grad_part(g, outs, chosen, guarded, padding)
        for chosen in product(*[axis.phases for axis in axes])
    ]
    if g.width:
        summed, guards, parts = _channels_last(summed, guards, parts)
    result = (samples, channels, prod(sizes))
    own = [Axis(rows, w.strides[1], 0, ROW, 1)]
    return assembled(w, g, batch, own, columns, summed, result, guards, parts)


def _input_grad_part(g: Strided, outs: int, chosen: Sequence[Phase], guarded, padding) -> Part:
    start = g.offset
    for i, phase in enumerate(chosen):
        border = 0 if i in guarded else padding[i][0]
        start += (phase.base + border) * g.strides[2 + i]
    return Part(
        (0, *[p.first for p in chosen]),
        (0, *[p.tap for p in chosen]),
        (outs, *[p.taps for p in chosen]),
        start,
        tuple([chosen[i].base for i in guarded]),
    )
