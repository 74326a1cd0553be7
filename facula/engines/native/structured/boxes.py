"""Copies of boxes: a block of an array, its rows any distance apart, to another such block."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from facula.engines.native import ir
from facula.engines.native.ir import Function, Operand
from facula.engines.native.kernel import Kernel
from facula.engines.native.structured import common

RUN_BYTES = 1 << 14  # longer runs are split into several units of work


class Box:
    """Sizes and, for the source and the target, strides; neighbouring axes are joined."""

    def __init__(self, sizes: Sequence[int], source: Sequence[int], target: Sequence[int]):
        axes = [t for t in zip(sizes, source, target, strict=True) if t[0] != 1]
        joined: list[tuple[int, int, int]] = []
        for axis in axes:
            size, a, b = axis
            if joined and joined[-1][1] == size * a and joined[-1][2] == size * b:
                joined[-1] = (joined[-1][0] * size, a, b)
            else:
                joined.append(axis)
        outer, inner = joined[:-1], joined[-1] if joined else (1, 1, 1)
        self.sizes = tuple([size for size, _, _ in outer])
        self.strides = [tuple([t[i] for t in outer]) for i in (1, 2)]
        self.run, self.steps = inner[0], inner[1:]

    @property
    def key(self) -> tuple:
        return (self.sizes, self.strides, self.run, self.steps)


def box_kernel(
    kind: str, key: tuple, element: str, box: Box, pointers: int, places, move=None
) -> Kernel:
    """``places(f, pointers)`` gives the addresses of the box's first elements.

    ``move`` does something else with a run of them than :func:`copy_steps`.
    """
    nbytes = ir.align_of(element)
    block = min(box.run, RUN_BYTES // nbytes)
    blocks = -(-box.run // block) if box.run else 0

    def body(f: Function, operands, unit) -> None:
        *at, part = common.unravel(f, unit, (*box.sizes, blocks))
        first = common.affine(f, [(part, block)])
        count: Operand = block
        if box.run % block:
            left = f.op("sub", ir.constant("i64", box.run), first)
            count = f.intrinsic("smin", left, ir.constant("i64", block))
        ends = []
        for start, strides, step in zip(places(f, operands), box.strides, box.steps):
            offset = common.affine(f, [*zip(at, strides), (first, step)])
            ends.append(f.at(start, offset, element))
        (move or copy_steps)(f, element, count, ends[0], ends[1], box.steps)

    units = prod(box.sizes) * blocks
    contiguous = box.steps[1] == 1 and box.steps[0] in (0, 1)
    unit_ns = 3.0 + block * (nbytes / 30 if contiguous else 1.0)
    return common.kernel(kind, (key, element, box.key), pointers, units, unit_ns, body)


def copy_steps(f: Function, element: str, count: Operand, source, to, steps) -> None:
    """Copy ``count`` elements that lie ``steps`` apart in the source and in the target."""
    if steps == (1, 1):
        common.copy_run(f, element, count, source, to)
        return
    if steps == (0, 1):
        common.fill_run(f, f.load(element, source), count, to)
        return
    with f.loop(0, count) as i:
        value = f.load(element, f.at(source, f.mul(i, steps[0]), element))
        f.store(value, f.at(to, f.mul(i, steps[1]), element))
