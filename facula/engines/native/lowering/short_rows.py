"""Reductions of rows that are a few vectors long.

Each vector's values stay in registers from one stage to the next: nothing is read or computed
twice. Several rows are computed at the same time, since the sums of one wait for each other.
"""

from __future__ import annotations

from collections.abc import Sequence

from facula.engines.native.ir import Value
from facula.engines.native.lowering.reductions import Reduction


class Row:
    """A row of several: where it lies, what is known of it, and of each of its vectors."""

    def __init__(self, writer, scope):
        self.writer, self.scope = writer, scope
        self.counters = writer.e.counters
        size, lanes = writer.program.sizes[-1], writer.division.lanes
        dims = scope.dims | {writer.program.outer}
        self.cells = []
        for at in range(0, size, lanes):
            mask = writer.tail(at, size) if at + lanes > size else None
            self.cells.append((at, scope.inside(dims, mask)))

    def pass_over(self, made: Sequence[Reduction], stores: Sequence) -> list[list[Value]]:
        """Stores what a stage stores, and returns the vectors that its reductions combine."""
        evaluator = self.writer.e
        parts: list[list[Value]] = [[] for _ in made]
        for at, cell in self.cells:
            evaluator.counters = {**self.counters, self.writer.program.outer: at}
            for reduction, values in zip(made, parts, strict=True):
                values.append(reduction.value(cell))
            evaluator.store_all(stores, cell)
        return parts

    def know(self, made: Sequence[Reduction], parts: list[list[Value]]) -> None:
        """Combine the vectors; what follows from the results alone is computed."""
        for reduction, values in zip(made, parts, strict=True):
            self.scope.values[reduction.number] = reduction.together(values)
        self.writer.e.counters = self.counters
        self.writer.e.ready(self.writer.roots(), self.scope)


def emit(writer, rows: Sequence[Row]) -> None:
    """All stages of some rows, and what is stored once a row."""
    for stage in range(writer.stages):
        made = [Reduction(writer, number) for number in writer.reductions.get(stage, [])]
        parts = [row.pass_over(made, writer.full.get(stage, [])) for row in rows]
        for row, found in zip(rows, parts, strict=True):
            row.know(made, found)
    for row in rows:
        writer.e.counters = row.counters
        writer.e.store_all([s for s in writer.program.stores if not s.full], row.scope)
