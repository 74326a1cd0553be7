"""Memory that an epilogue reads and writes is asked for while its tile's products are summed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod

from facula.engines.native.contraction.finish import Finish, Span
from facula.engines.native.contraction.indices import Index, plus
from facula.engines.native.contraction.plan import Plan, Tiled
from facula.engines.native.contraction.problem import COLUMN

LONG = 16  # terms of a sum that takes longer than asking


class Ahead:
    """The rows of results of a tile, asked for in portions between the tile's products.

    Asked for all at once they would keep the products' operands waiting.
    """

    def __init__(
        self, finish: Finish, coordinates: Sequence[Index], sides: Sequence[Sequence[Span]]
    ):
        """``sides`` are a block's spans of scalars and vectors."""
        self.finish, self.coordinates = finish, coordinates
        self.turned = finish.plan.transposed
        self.rows, self.columns = reversed(sides) if self.turned else sides
        size, many = finish.plan.summed[0].size, self.rows[-1].axis.tile
        self.portions = max([n for n in range(1, many + 1) if size % n == 0])
        self.corners: tuple[Sequence[Index], Sequence[Index]] = ((), ())

    def begin(self, corners: Sequence[Sequence[Index]]) -> None:
        """A tile begins there in the block, along the axes of scalars and vectors."""
        rows, columns = reversed(corners) if self.turned else corners
        self.corners = rows, columns

    @staticmethod
    def pays(plan: Plan) -> bool:
        """Whether the sums are long enough, and results lie where that can be told simply."""
        if plan.form != "outer" or plan.splits > 1 or not plan.summed:
            return False
        if any(bound.summed == 0 for bound in plan.bounds):
            return False
        rows = plan.vectors if plan.transposed else plan.scalars
        simple = all(axis.phases == 1 for axis in (*plan.scalars, *plan.vectors))
        simple = simple and all(axis.tile == 1 for axis in rows[:-1]) and len(plan.parts) == 1
        return simple and prod([axis.size for axis in plan.summed]) >= LONG

    def ask(self, portion: Index) -> None:
        """Ask for the rows of one portion."""
        f, many = self.finish.f, self.rows[-1].axis.tile
        if self.portions == many:
            self._row(portion)
            return
        numbers = [f.typed(plus(f, portion, i), "i64") for i in (0, 1)]
        first, last = [f.op("sdiv", f.mul(n, many), self.portions) for n in numbers]
        with f.loop(first, last) as row:
            self._row(row)

    def _row(self, row: Index) -> None:
        f, finish = self.finish.f, self.finish
        rows, columns = self.corners
        places = [*rows[:-1], plus(f, rows[-1], row)]
        start = finish.moved(self.coordinates, self.rows, places)
        for indices in line_starts([span.axis for span in self.columns], finish.plan.lanes):
            places = [plus(f, corner, i) for corner, i in zip(columns, indices)]
            here = finish.moved(start, self.columns, places)
            finish.epilogue.ask(f, finish.pointers, here)


def line_starts(axes: Sequence[Tiled], lanes: int) -> list[tuple[int, ...]]:
    """Indices of elements of a tile, one for each run of ``lanes`` neighbours in the result."""

    def place(indices: tuple[int, ...]) -> tuple[int, int]:
        inside = sum([i * a.step for i, a in zip(indices, axes) if a.to == COLUMN])
        outside = sum([i * a.step for i, a in zip(indices, axes) if a.to != COLUMN])
        return outside, inside

    found: list[tuple[int, ...]] = []
    last: dict[int, int] = {}
    for indices in sorted(product(*[range(axis.tile) for axis in axes]), key=place):
        outside, inside = place(indices)
        if outside not in last or inside >= last[outside] + lanes:
            last[outside] = inside
            found.append(indices)
    return found
