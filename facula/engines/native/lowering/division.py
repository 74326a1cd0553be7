"""Division: how the loops of a LoopProgram are cut into chunks, and which way its vectors run."""

from __future__ import annotations

from math import prod

from facula.base import dtypes
from facula.engines.native import target
from facula.engines.native.lowering.expressions import HEAVY
from facula.engines.native.lowering.loops import LoopProgram

BLOCK = 8192  # elements that one unit of work covers, about
MOST_CELLS = 8  # vectors of a row that is written out
MOST_WRITTEN = 640  # operations written out, about


class Division:
    """How the loops are shared out: which dimension is the lane, and the units of work."""

    def __init__(self, program: LoopProgram):
        sizes, outer = program.sizes, program.outer
        self.lanes = lanes_of(program)
        self.inner_lane = outer < len(sizes) and _rows_lie_along_memory(program)
        last = sizes[outer - 1] if outer else 1
        if self.inner_lane:
            self.lane: int | None = len(sizes) - 1
            self.block, self.blocks = 1, 1
            self.rows = program.rows
        else:
            self.lane = outer - 1 if outer else None
            self.block = -(-max(self.lanes, BLOCK // program.row) // self.lanes) * self.lanes
            self.blocks = -(-last // self.block)
            self.rows = prod(sizes[: max(0, outer - 1)])
        self.short = self.inner_lane and self._is_short(program)
        self.group = self._rows_together(program) if self.short else 1
        self.units = self.rows // self.group * self.blocks
        width = program.row * (self.group if self.inner_lane else min(self.block, last))
        self.per_chunk = max(1, BLOCK // max(1, width))
        self.chunks = max(1, -(-self.units // self.per_chunk))

    def _is_short(self, program: LoopProgram) -> bool:
        """Whether a row is few vectors, which stay in registers from one stage to the next."""
        if self.lanes == 1 or program.outer != len(program.sizes) - 1:
            return False
        self.cells = -(-program.row // self.lanes)
        return self.cells <= MOST_CELLS and self.cells * _length(program) <= MOST_WRITTEN

    def _rows_together(self, program: LoopProgram) -> int:
        """Rows that are computed at the same time: their sums wait for nothing else."""
        if not any(i[0] == "reduce" for i in program.instructions):
            return 1
        for rows in (4, 3, 2):
            held = rows * self.cells
            few = held <= 2 * MOST_CELLS and held * _length(program) <= MOST_WRITTEN
            if few and program.rows % rows == 0:
                return rows
        return 1


def _length(program: LoopProgram) -> int:
    """About how much code one element takes, in tenths of an exponential function."""
    dear = [i[0] == "op" and i[2] in HEAVY for i in program.instructions]
    return sum([8 if each else 1 for each in dear])


def lanes_of(program: LoopProgram) -> int:
    """Lanes of its vectors: as many as a register has of its widest elements."""
    names = [i[1] for i in program.instructions if i[0] == "load"]
    names += [s.dtype for s in program.stores]
    widest = max([dtypes.by_name(n).itemsize for n in names], default=4)
    return target.lanes("double" if widest == 8 else "float")


def _rows_lie_along_memory(program: LoopProgram) -> bool:
    """Whether the vector runs along the last inner dimension rather than the last outer one."""
    lane = len(program.sizes) - 1
    if program.outer == 0:
        return True
    for store in program.stores:
        if store.full:
            return store.place.coefficient(lane) == 1
    inner = range(program.outer, len(program.sizes))
    forms = [i[-1] for i in program.instructions if i[0] == "load"]
    # What is read once a row does not matter beside what is read for each element.
    forms = [form for form in forms if any(form.involves(d) for d in inner)]
    scattered = [
        sum([form.involves(d) and form.coefficient(d) != 1 for form in forms])
        for d in (lane, program.outer - 1)
    ]
    if scattered[0] == scattered[1]:
        return program.sizes[lane] >= program.sizes[program.outer - 1]
    return scattered[0] < scattered[1]
