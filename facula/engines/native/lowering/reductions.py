"""Accumulators: what a reduction keeps in registers while a loop runs."""

from __future__ import annotations

import numpy as np

from facula.base import dtypes
from facula.base.dtypes import BOOL, FLOAT, INTEGER
from facula.engines.native import ir, scalars
from facula.engines.native.ir import Value

LONGEST = 128  # additions to a partial sum; then it is carried to another: rounding stays small
_SHORTEST = 16  # from this many on it is also carried at the end of a loop inside others
_COMBINE = {"sum": "add", "prod": "mul", "max": "maximum", "min": "minimum"}


def neutral(kind: str, dtype):
    """The value that changes nothing when it is combined."""
    if kind in ("sum", "prod"):
        return kind == "prod"
    if dtype.category == BOOL:
        return kind == "min"
    if dtype.category == INTEGER:
        info = np.iinfo(dtype.numpy)
        return info.min if kind == "max" else info.max
    return float("-inf") if kind == "max" else float("inf")


def accumulated(dtype):
    """The dtype sums of ``dtype`` are kept in: 16-bit floats are rounded once, at the end."""
    return dtypes.float32 if dtype.category == FLOAT and dtype.itemsize == 2 else dtype


def part(rounds: int) -> int:
    """After how many of so many additions partial sums are carried: about as many parts."""
    found = LONGEST
    while found * found < rounds:
        found *= 2
    return found


class Reduction:
    """One reduction of a loop: its operand's value at a place, and how two are combined."""

    def __init__(self, writer, number: int):
        instruction = writer.program.instructions[number]
        self.writer = writer
        self.f = writer.f
        self.number = number
        self.kind, self.operand = instruction[2], instruction[3]
        self.dtype = dtypes.by_name(instruction[1])
        self.kept = accumulated(self.dtype)
        division = writer.division
        outer_vector = not division.inner_lane and writer.e.is_vector(number)
        self.vector = division.inner_lane or outer_vector
        lanes = division.lanes if self.vector else 1
        self.type = ir.vector(scalars.compute(self.kept), lanes)

    def value(self, scope) -> Value:
        """The operand at the present place; lanes beyond the row change nothing."""
        value = self.writer.e.value(self.operand, scope)
        value = self.f.splat(value, ir.lanes_of(self.type))
        if scope.mask is not None and self.writer.division.inner_lane:
            neutral_ = ir.constant(self.type, neutral(self.kind, self.dtype))
            value = self.f.select(scope.mask, value, neutral_)
        return value

    def combine(self, a: Value, b: Value) -> Value:
        types = [self.kept, self.kept]
        return scalars.emit(self.f, _COMBINE[self.kind], {}, [a, b], types, self.kept)

    def together(self, values: list[Value]) -> Value:
        """The result from partial ones: in pairs, then the lanes of a row."""
        while len(values) > 1:
            pairs = zip(values[::2], values[1::2], strict=False)
            odd = values[-1:] if len(values) % 2 else []
            values = [self.combine(a, b) for a, b in pairs] + odd
        (value,) = values
        if self.writer.division.inner_lane:
            value = self._across(value)
        if self.kept is self.dtype:
            return value
        return scalars.emit(self.f, "cast", {"dtype": self.dtype}, [value], [self.kept], self.dtype)

    def _across(self, value: Value) -> Value:
        """Combine the lanes, by halves."""
        lanes = ir.lanes_of(value.type)
        while lanes > 1:
            lanes //= 2
            low = self.f.shuffle(value, None, list(range(lanes)))
            high = self.f.shuffle(value, None, list(range(lanes, 2 * lanes)))
            value = self.combine(low, high)
        return self.f.extract(value, 0)


class Accumulator(Reduction):
    """A reduction in a loop; ``UNROLL`` partial results, combined in a fixed order."""

    def __init__(self, writer, number: int):
        super().__init__(writer, number)
        division = writer.division
        start = ir.constant(self.type, neutral(self.kind, self.dtype))
        size = writer.program.sizes[-1]
        step = (division.lanes if division.inner_lane else 1) * writer.unroll
        count = writer.unroll if size >= step else 1
        self.slots = [self.f.variable(self.type, start) for _ in range(count)]
        self.totals: list[Value] = []
        nested = len(writer.program.sizes) - writer.program.outer > 1
        long = size // step >= (_SHORTEST if nested else LONGEST)
        if long and self.kind == "sum" and self.kept.category == FLOAT:
            self.totals = [self.f.variable(self.type, start) for _ in range(count)]

    def take(self, scope, which: int) -> None:
        """Combine the operand's value at the present place into partial result ``which``."""
        value, slot = self.value(scope), self.slots[which]
        self.f.set(slot, self.combine(self.f.get(self.type, slot), value))

    def carry(self) -> None:
        """Add the partial sums to the totals and begin new ones."""
        for total, slot in zip(self.totals, self.slots, strict=False):
            sum_ = self.combine(self.f.get(self.type, total), self.f.get(self.type, slot))
            self.f.set(total, sum_)
            self.f.set(slot, ir.constant(self.type, neutral(self.kind, self.dtype)))

    def finish(self) -> Value:
        """The result: the partial ones together, and the lanes of a row."""
        self.carry()
        return self.together([self.f.get(self.type, slot) for slot in self.totals or self.slots])
