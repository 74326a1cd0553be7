"""Elementwise kernels that read an operand across the direction in which they write.

``x.t() + y`` writes along one dimension and reads ``x`` along another: element by element that is
one access for each. Here squares of such an operand, as many vectors as a vector has lanes, are
turned over in registers and kept on the stack, from where they are read like any other operand.
"""

from __future__ import annotations

from math import prod

from facula.base import dtypes
from facula.engines.native import ir, scalars
from facula.engines.native.contraction.finish import transposed
from facula.engines.native.ir import Value
from facula.engines.native.lowering.division import BLOCK, Division, lanes_of
from facula.engines.native.lowering.forms import Form
from facula.engines.native.lowering.loop_code import Scope, Writer
from facula.engines.native.lowering.loops import LoopProgram
from facula.engines.native.scalars.types import loaded

ALONG = 512  # elements of the lane dimension that one unit of work covers at most


class Squares(Division):
    """How the loops are shared out: a unit is as many rows along ``across`` as there are lanes.

    ``turned`` are the instructions that are read as squares; ``inner_lane``, ``short`` and the
    like are what `Division` says of other programs.
    """

    def __init__(self, program: LoopProgram, lane: int, across: int, turned: list[int]):
        sizes = program.sizes
        self.lanes, self.lane, self.along = lanes_of(program), lane, lane
        self.across, self.turned = across, turned
        self.others = [d for d in range(len(sizes)) if d not in (lane, across)]
        self.high = -(-sizes[across] // self.lanes)
        self.wide = -(-sizes[lane] // ALONG)
        self.units = prod([sizes[d] for d in self.others]) * self.high * self.wide
        self.per_chunk = max(1, BLOCK // (self.lanes * min(ALONG, sizes[lane])))
        self.chunks = -(-self.units // self.per_chunk)
        self.inner_lane = False


def find(program: LoopProgram) -> Squares | None:
    """How to compute the program in squares; None where that does not pay."""
    sizes, lane, lanes = program.sizes, program.outer - 1, lanes_of(program)
    if program.outer != len(sizes) or len(sizes) < 2 or lanes < 4 or sizes[lane] < lanes // 2:
        return None
    instructions = program.instructions
    if not all(_has_strides(i[-1]) for i in instructions if i[0] in ("load", "index")):
        return None
    best: list[int] = []
    across = 0
    for d in range(lane):
        found = [
            number
            for number, i in enumerate(instructions)
            if i[0] == "load"
            and i[3].coefficient(d) in (1, -1)
            and i[3].coefficient(lane) not in (0, 1)
        ]
        if len(found) > len(best) and sizes[d] >= lanes // 2:
            best, across = found, d
    return Squares(program, lane, across, best) if best else None


def _has_strides(form: Form) -> bool:
    return all(isinstance(s, int) or s[0] == "start" for s, _ in form.terms)


class SquareWriter(Writer):
    """The function of such a program."""

    division: Squares

    def _unit(self, unit: Value, uniform: Scope) -> None:
        division, sizes = self.division, self.program.sizes
        if not hasattr(self, "stacks"):
            self.stacks = {i: self._stack(i) for i in division.turned}
        counters: dict[int, Value | int] = {}
        unit, block = self._split(unit, division.wide)
        unit, high = self._split(unit, division.high)
        for d in reversed(division.others):
            unit, counters[d] = self._split(unit, sizes[d])
        self.e.counters = counters
        scope = Scope(uniform, frozenset(division.others))
        self.e.ready(self.roots(), scope)
        self.first = self.e.times(high, division.lanes)
        left = self._less(sizes[division.across], self.first)
        self.count = self._smaller(left, division.lanes)
        start = self.e.times(block, ALONG)
        stop = self._smaller(self.e.sum(start, ALONG), sizes[division.along])
        self.vectors(start, stop, sizes[division.along], scope, division.along, self._square)

    def _split(self, number: Value, size: int) -> tuple[Value, Value | int]:
        """Quotient and remainder."""
        if size == 1:
            return number, 0
        above = self.f.op("udiv", number, size)
        return above, self.f.op("sub", number, self.f.mul(above, size))

    def _less(self, a: int, b: Value | int) -> Value | int:
        return a - b if isinstance(b, int) else self.f.op("sub", a, b)

    def _smaller(self, a: Value | int, b: int) -> Value | int:
        if isinstance(a, int):
            return min(a, b)
        return self.f.select(self.f.compare("icmp slt", a, b), a, b)

    def _element(self, instruction: int) -> str:
        return scalars.storage(dtypes.by_name(self.program.instructions[instruction][1]))

    def _stack(self, instruction: int) -> Value:
        return self.f.array(self._element(instruction), self.division.lanes**2)

    def _square(self, scope: Scope) -> None:
        """One square: the operands that need it are turned over, then row by row."""
        f, division, counters = self.f, self.division, self.e.counters
        at = counters[division.along]
        for instruction in division.turned:
            self._turn(instruction, at, scope.mask is not None)
        counters[division.along] = at
        self.e.ready(self.roots(), scope)
        with f.loop(0, self.count) as row:
            counters[division.across] = self.e.sum(self.first, row)
            inside = Scope(scope, scope.dims | {division.across})
            for instruction in division.turned:
                dtype = dtypes.by_name(self.program.instructions[instruction][1])
                element = self._element(instruction)
                place = f.at(self.stacks[instruction], f.mul(row, division.lanes), element)
                value = f.load(ir.vector(element, division.lanes), place)
                inside.values[instruction] = loaded(f, dtype, value)
            self.e.store_all(self.program.stores, inside)

    def _turn(self, instruction: int, at: Value | int, is_last: bool) -> None:
        """Put a square of an operand on the stack, lines along the lane dimension."""
        f, division, sizes = self.f, self.division, self.program.sizes
        pointer = self.e.pointers[self.program.instructions[instruction][2]]
        form, lanes = self.program.instructions[instruction][3], division.lanes
        element = self._element(instruction)
        type_ = ir.vector(element, lanes)
        backwards = form.coefficient(division.across) < 0
        mask = self._lines_mask(backwards) if sizes[division.across] % lanes else None
        lines = []
        self.e.counters[division.across] = self.e.sum(self.first, lanes - 1 if backwards else 0)
        for lane in range(lanes):
            place = self.e.sum(at, lane)
            if is_last:  # there are fewer lines: the last one again, whose copies nobody reads
                place = self._smaller(place, sizes[division.along] - 1)
            self.e.counters[division.along] = place
            address = f.at(pointer, self.e.form(form, 1), element)
            lines.append(f.load(type_, address) if mask is None else
                         f.masked_load(type_, address, mask))  # fmt: skip
        del self.e.counters[division.across]
        for number, value in enumerate(transposed(f, lines)):
            line = lanes - 1 - number if backwards else number
            f.store(value, f.at(self.stacks[instruction], line * lanes, element))

    def _lines_mask(self, backwards: bool) -> Value:
        """Which elements of a vector across belong to lines that exist."""
        f, lanes = self.f, self.division.lanes
        count = f.splat(f.typed(self.count, "i64"), lanes)
        numbers = f.lane_numbers(lanes)
        if backwards:
            numbers = f.op("sub", f.splat(f.typed(lanes - 1, "i64"), lanes), numbers)
        return f.compare("icmp slt", numbers, count)
