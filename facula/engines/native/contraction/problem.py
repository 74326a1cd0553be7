"""Problem: a contraction as nested loops with strides, whichever primitive it came from.

Each axis says how far one index moves in the left operand, the right operand, and the result, whose
elements have coordinates (batch, row, column). A convolution is the same thing as a matrix product
then: its right operand's elements are found by strides instead of being copied to a matrix.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import gcd, prod
from typing import NamedTuple

from facula.engines.native.kernel import Ref

BATCH, ROW, COLUMN = 0, 1, 2


class Axis(NamedTuple):
    """``size`` indices; strides in elements; one index moves ``step`` in coordinate ``to``."""

    size: int
    left: int = 0
    right: int = 0
    to: int = -1
    step: int = 0


class Operand(NamedTuple):
    """Where an operand begins: a buffer and an offset in elements."""

    ref: Ref
    offset: int = 0


@dataclass(frozen=True)
class Problem:
    """``result[batch, rows, columns] = sum over summed of left[batch, rows] * right[...]``.

    ``shape`` is the result's extent in each coordinate, ``corner`` where this problem begins in
    it: a strided input gradient is several problems that share a result.
    """

    left: Operand
    right: Operand
    batch: tuple[Axis, ...]
    rows: tuple[Axis, ...]
    columns: tuple[Axis, ...]
    summed: tuple[Axis, ...]
    shape: tuple[int, int, int]
    corner: tuple[int, int, int] = (0, 0, 0)


class Strided(NamedTuple):
    """An operand in memory."""

    ref: Ref
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0


def merged(axes: Sequence[Axis]) -> tuple[Axis, ...]:
    """Fewer, longer axes: neighbours that are one run in both operands and the result."""
    found: list[Axis] = []
    for axis in axes:
        if axis.size == 1:
            continue
        if found:
            outer, n = found[-1], axis.size
            joined = Axis(outer.size * n, *axis[1:])
            if outer[1:] == (axis.left * n, axis.right * n, axis.to, axis.step * n):
                found[-1] = joined
                continue
        found.append(axis)
    return tuple(found)


def spatial_steps(sizes: Sequence[int]) -> list[int]:
    """How far one index of each spatial axis moves in the linear position."""
    return [prod(sizes[i + 1 :]) for i in range(len(sizes))]


def matmul(a: Strided, b: Strided, shape: Sequence[int]) -> Problem:
    """(..., m, k) @ (..., k, n); leading axes broadcast."""
    m, n = shape[-2:]
    k = a.shape[-1]
    lead = tuple(shape[:-2])
    steps = spatial_steps(lead)
    batch = []
    for i, (size, step) in enumerate(zip(lead, steps)):
        strides = []
        for operand in (a, b):
            at = i - len(lead) + len(operand.shape) - 2
            there = at >= 0 and operand.shape[at] != 1
            strides.append(operand.strides[at] if there else 0)
        batch.append(Axis(size, *strides, BATCH, step))
    rows = [Axis(m, a.strides[-2], 0, ROW, 1)]
    columns = [Axis(n, 0, b.strides[-1], COLUMN, 1)]
    return _problem(
        a, b, batch, rows, columns, [Axis(k, a.strides[-1], b.strides[-2])], (prod(lead), m, n)
    )


def _problem(left, right, batch, rows, columns, summed, shape, corner=(0, 0, 0)) -> Problem:
    return Problem(
        Operand(left.ref, left.offset),
        Operand(right.ref, right.offset),
        merged(batch),
        merged(rows) or (Axis(1, 1, 0, ROW, 1),),
        merged(columns) or (Axis(1, 0, 1, COLUMN, 1),),
        merged(summed),
        shape,
        corner,
    )


def conv(params, x: Strided, w: Strided, shape: Sequence[int]) -> Problem:
    """Rows are a group's output channels, columns samples and positions; ``x`` is padded."""
    groups, sizes = params["groups"], shape[2:]
    rows, channels = w.shape[0] // groups, w.shape[1]
    batch = [Axis(groups, rows * w.strides[0], channels * x.strides[1], ROW, rows)]
    columns = [Axis(shape[0], 0, x.strides[0], BATCH, 1)]
    for i, step in enumerate(spatial_steps(sizes)):
        columns.append(Axis(sizes[i], 0, x.strides[2 + i] * params["stride"][i], COLUMN, step))
    summed = [Axis(channels, w.strides[1], x.strides[1])]
    for i, taps in enumerate(w.shape[2:]):
        move = x.strides[2 + i] * params["dilation"][i]
        summed.append(Axis(taps, w.strides[2 + i], move))
    result = (shape[0], shape[1], prod(sizes))
    return _problem(w, x, batch, [Axis(rows, w.strides[0], 0, ROW, 1)], columns, summed, result)


def weight_grad(params, g: Strided, x: Strided, shape: Sequence[int]) -> Problem:
    """Rows are a group's output channels, columns its channels and taps; positions are summed."""
    groups, kernel = params["groups"], shape[2:]
    rows, channels = shape[0] // groups, shape[1]
    batch = [Axis(groups, rows * g.strides[1], channels * x.strides[1], ROW, rows)]
    steps = spatial_steps(shape[1:])
    columns = [Axis(channels, 0, x.strides[1], COLUMN, steps[0])]
    summed = [Axis(g.shape[0], g.strides[0], x.strides[0])]
    for i, taps in enumerate(kernel):
        move = x.strides[2 + i]
        columns.append(Axis(taps, 0, move * params["dilation"][i], COLUMN, steps[1 + i]))
        summed.append(Axis(g.shape[2 + i], g.strides[2 + i], move * params["stride"][i]))
    result = (1, shape[0], prod(shape[1:]))
    return _problem(g, x, batch, [Axis(rows, g.strides[1], 0, ROW, 1)], columns, summed, result)


class Phase(NamedTuple):
    """The places ``first, first + stride, ...`` of an input gradient along one axis.

    Place number j receives gradient ``base - t * back + j`` through kernel tap ``tap + t * hop``.
    """

    first: int
    places: int
    tap: int
    hop: int
    taps: int
    base: int
    back: int


def phases(size: int, taps: int, stride: int, low: int, dilation: int) -> list[Phase]:
    """An input gradient's places along one axis, by which taps reach them."""
    common = gcd(stride, dilation)
    hop, back = stride // common, dilation // common
    found = []
    for first in range(min(stride, size)):
        at = first + low
        tap = next((t for t in range(min(hop, taps)) if (at - t * dilation) % stride == 0), None)
        places = (size - first + stride - 1) // stride
        if tap is None:
            found.append(Phase(first, places, 0, 1, 0, 0, 0))
        else:
            count = (taps - tap + hop - 1) // hop
            base = (at - tap * dilation) // stride
            found.append(Phase(first, places, tap, hop, count, base, back))
    return found


def input_grad_phases(params, kernel: Sequence[int]) -> list[list[Phase]]:
    """For each spatial axis its phases."""
    sizes = params["shape"][2:]
    facts = zip(sizes, kernel, params["stride"], params["padding"], params["dilation"])
    return [phases(n, k, s, low, d) for n, k, s, (low, _), d in facts]


def input_grad_padding(along: Sequence[Sequence[Phase]], sizes: Sequence[int]):
    """Zeros needed before and after each spatial axis of the gradient so that no tap leaves it."""
    found = []
    for options, size in zip(along, sizes):
        reached = [p for p in options if p.taps]
        low = max([(p.taps - 1) * p.back - p.base for p in reached], default=0)
        high = max([p.base + p.places - size for p in reached], default=0)
        found.append((max(0, low), max(0, high)))
    return found


def input_grads(params, g: Strided, w: Strided, along, padding) -> Iterator[Problem]:
    """One problem for each combination of phases; ``g`` is padded by ``padding``."""
    samples, channels, *sizes = params["shape"]
    groups = params["groups"]
    rows, outs = channels // groups, w.shape[0] // groups
    steps = spatial_steps(sizes)
    batch = [Axis(groups, outs * w.strides[0], outs * g.strides[1], ROW, rows)]
    for chosen in product(*along):
        columns = [Axis(samples, 0, g.strides[0], BATCH, 1)]
        summed = [Axis(outs, w.strides[0], g.strides[1])]
        at_w, at_g, corner = w.offset, g.offset, 0
        for i, phase in enumerate(chosen):
            stride_w, stride_g = w.strides[2 + i], g.strides[2 + i]
            at_w += phase.tap * stride_w
            at_g += (phase.base + padding[i][0]) * stride_g
            corner += phase.first * steps[i]
            step = steps[i] * params["stride"][i]
            columns.append(Axis(phase.places, 0, stride_g, COLUMN, step))
            summed.append(Axis(phase.taps, phase.hop * stride_w, -phase.back * stride_g))
        if not all(p.taps for p in chosen):
            summed = [Axis(0)]  # no tap reaches these places
        yield _problem(
            Strided(w.ref, (), (), at_w),
            Strided(g.ref, (), (), at_g),
            batch,
            [Axis(rows, w.strides[1], 0, ROW, 1)],
            columns,
            summed,
            (samples, channels, prod(sizes)),
            (0, 0, corner),
        )
