"""Problem: a contraction as nested loops with strides, whichever primitive it came from.

Each axis says how far one index moves in the left operand, the right operand, and the result, whose
elements have coordinates (batch, row, column). A convolution is the same thing as a matrix product
then: its right operand's elements are found by strides instead of being copied to a matrix.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from facula.engines.native.kernel import Ref

BATCH, ROW, COLUMN = 0, 1, 2


class Axis(NamedTuple):
    """``size`` indices; strides in elements; one index moves ``step`` in coordinate ``to``.

    With ``phases`` > 1 an index stands for so many neighbours in the result, ``whole`` in all. A
    summed axis may use only each ``hop``-th of the ``stored`` elements of the left operand. With
    ``width`` the axis is packed: so many elements are neighbours, and then ``panel`` apart.
    """

    size: int
    left: int = 0
    right: int = 0
    to: int = -1
    step: int = 0
    phases: int = 1
    whole: int = 0
    hop: int = 1
    stored: int = 0
    panel: int = 0
    width: int = 0


class Operand(NamedTuple):
    """Where an operand begins: a buffer and an offset in elements."""

    ref: Ref
    offset: int = 0


class Guard(NamedTuple):
    """Element t of a summed axis exists for index i of a column axis only inside the operand.

    That is where ``0 <= base + move * i + tap * t < limit``; each part has its ``base``.
    """

    column: int
    summed: int
    move: int
    tap: int
    limit: int


class Part(NamedTuple):
    """A share of the sums: all results of one phase of each column axis.

    ``first`` is the first stored element of each summed axis, ``counts`` how many are used,
    ``right`` an offset in the right operand, ``bases`` belong to the guards.
    """

    phase: tuple[int, ...]
    first: tuple[int, ...]
    counts: tuple[int, ...]
    right: int
    bases: tuple[int, ...]


@dataclass(frozen=True)
class Problem:
    """``result[batch, rows, columns] = sum over summed of left[batch, rows] * right[...]``.

    ``shape`` is the result's extent in each coordinate. A strided input gradient has a part for
    each phase, since different kernel taps reach it; all else has a single part.
    """

    left: Operand
    right: Operand
    batch: tuple[Axis, ...]
    rows: tuple[Axis, ...]
    columns: tuple[Axis, ...]
    summed: tuple[Axis, ...]
    shape: tuple[int, int, int]
    parts: tuple[Part, ...]
    guards: tuple[Guard, ...] = ()

    def works(self) -> list[float]:
        """For each part, how many products a result is the sum of, on average."""
        found = []
        for part in self.parts:
            counts: list[float] = list(part.counts)
            for guard, base in zip(self.guards, part.bases):
                size, taps = self.columns[guard.column].size, range(part.counts[guard.summed])
                places = [base + guard.move * i + guard.tap * t for i in range(size) for t in taps]
                counts[guard.summed] = sum([0 <= x < guard.limit for x in places]) / size
            found.append(prod(counts))
        return found


class Strided(NamedTuple):
    """An operand in memory; with ``width`` its first axis is packed (see :class:`Axis`)."""

    ref: Ref
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0
    panel: int = 0
    width: int = 0


def merged(axes: Sequence[Axis], kept: Collection[int] = ()) -> tuple[tuple[Axis, ...], list[int]]:
    """Fewer, longer axes: neighbours that are one run in both operands and the result.

    Those numbered in ``kept`` stay as they are. Also returns the old number of each axis.
    """
    found: list[Axis] = []
    numbers: list[int] = []
    for number, axis in enumerate(axes):
        n = axis.size
        if n == 1 and number not in kept:
            continue
        if found and number not in kept and numbers[-1] not in kept:
            outer = found[-1]
            if outer[1:5] == (axis.left * n, axis.right * n, axis.to, axis.step * n):
                found[-1] = Axis(outer.size * n, *axis[1:5])
                continue
        found.append(axis)
        numbers.append(number)
    return tuple(found), numbers


def assembled(
    left: Strided, right: Strided, batch: Sequence[Axis], rows: Sequence[Axis],
    columns: Sequence[Axis], summed: Sequence[Axis], shape: tuple[int, int, int],
    guards: Sequence[Guard] = (), parts: Sequence[Part] = (),
) -> Problem:  # fmt: skip
    """A problem with as few axes as possible; guards and parts speak of the axes given."""
    fixed_columns = {g.column for g in guards}
    fixed_columns |= {i for i, a in enumerate(columns) if a.phases > 1 or a.width}
    fixed_summed = {g.summed for g in guards} | {i for i, a in enumerate(summed) if a.stored}
    if not parts:
        bases = tuple([0] * len(guards))
        sizes = tuple([a.size for a in summed])
        parts = [Part((0,) * len(columns), (0,) * len(summed), sizes, right.offset, bases)]
    columns, of_columns = merged(columns, fixed_columns)
    summed, of_summed = merged(summed, fixed_summed)
    if not columns:
        columns, of_columns = (Axis(1, 0, 1, COLUMN, 1),), [0]
    new_parts = []
    for part in parts:
        counts = [
            part.counts[i] if i in fixed_summed else axis.size for i, axis in zip(of_summed, summed)
        ]
        first = tuple([part.first[i] for i in of_summed])
        phase = tuple([part.phase[i] for i in of_columns])
        new_parts.append(part._replace(phase=phase, first=first, counts=tuple(counts)))
    return Problem(
        Operand(left.ref, left.offset),
        Operand(right.ref),
        merged(batch)[0],
        merged(rows)[0] or (Axis(1, 1, 0, ROW, 1),),
        columns,
        summed,
        shape,
        tuple(new_parts),
        tuple(
            [
                g._replace(column=of_columns.index(g.column), summed=of_summed.index(g.summed))
                for g in guards
            ]
        ),
    )
