"""Writes the machine code of a LoopProgram.

Chunks are blocks of rows, or of the last outer dimension. The vector runs along one dimension, the
*lane* dimension: the last outer one, or the last inner one where rows are reduced along memory.
What does not depend on the innermost loops is computed before them.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from facula.base import dtypes
from facula.engines.native import ir, scalars
from facula.engines.native.ir import Value
from facula.engines.native.lowering import short_rows
from facula.engines.native.lowering.division import Division
from facula.engines.native.lowering.expressions import parse_constant
from facula.engines.native.lowering.forms import Form, starts
from facula.engines.native.lowering.loops import LoopProgram, Store, live, operands
from facula.engines.native.lowering.reductions import Accumulator, part

UNROLL = 4  # accumulators of a reduction: additions wait for each other otherwise


class Scope:
    """Values that exist at a place of the code, and the loop dimensions known there."""

    def __init__(self, parent: Scope | None, dims: frozenset[int], mask: Value | None = None):
        self.parent = parent
        self.dims = dims
        self.values: dict[int, Value] = {}
        self.mask: Value | None = mask
        if mask is None and parent is not None:
            self.mask = parent.mask

    def inside(self, dims: frozenset[int], mask: Value | None) -> Scope:
        """A scope within this one."""
        return Scope(self, dims, mask)

    def find(self, instruction: int) -> Value | None:
        scope: Scope | None = self
        while scope is not None:
            value = scope.values.get(instruction)
            if value is not None:
                return value
            scope = scope.parent
        return None


class Evaluator:
    """Emits instructions at the place the function has reached."""

    def __init__(self, f: ir.Function, instructions: Sequence[tuple], pointers: Sequence[Value],
                 lane: int | None, lanes: int):  # fmt: skip
        self.f = f
        self.instructions = instructions
        self.pointers = pointers
        self.lane = lane
        self.lanes = lanes
        self.counters: dict[int, Value | int] = {}
        self.dims: list[frozenset[int]] = [frozenset()] * len(instructions)
        for i, instruction in enumerate(instructions):
            self.dims[i] = self._dims_of(instruction)
        self.starts = {key: self._start(*key) for i in instructions if i[0] == "load"
                       for key in starts(i[3])}  # fmt: skip

    def _dims_of(self, instruction) -> frozenset[int]:
        if instruction[0] == "anchor":
            return frozenset() if self.lane is None else frozenset([self.lane])
        if instruction[0] in ("load", "index"):
            return frozenset([d for d in range(64) if instruction[-1].involves(d)])
        found: frozenset[int] = frozenset()
        for i in operands(instruction):
            found |= self.dims[i]
        return found

    def _start(self, slot: int, last: int) -> Value:
        found = self.f.load("i64", self.pointers[slot])
        found = self.f.intrinsic("smin", found, ir.constant("i64", last))
        return self.f.intrinsic("smax", found, ir.constant("i64", 0))

    def is_vector(self, instruction: int) -> bool:
        return self.lane in self.dims[instruction]

    def ready(self, wanted: Sequence[int], scope: Scope) -> None:
        """Compute what the wanted instructions need and ``scope`` already determines."""
        for i in live(self.instructions, wanted):
            known = self.dims[i] <= scope.dims
            if known and self.instructions[i][0] not in ("reduce", "anchor"):
                needed = operands(self.instructions[i])
                if all(scope.find(o) is not None for o in needed):
                    self.value(i, scope)

    def value(self, i: int, scope: Scope) -> Value:
        """The value of an instruction; vectors where it differs along the lane dimension."""
        found = scope.find(i)
        if found is None:
            instruction = self.instructions[i]
            for operand in operands(instruction):
                self.value(operand, scope)
            found = scope.values[i] = self._emit(i, instruction, scope)
        return found

    def _emit(self, i: int, instruction: tuple, scope: Scope) -> Value:
        what, dtype = instruction[0], dtypes.by_name(instruction[1])
        lanes = self.lanes if self.is_vector(i) else 1
        match what:
            case "const":
                return ir.constant(scalars.compute(dtype), parse_constant(instruction[2]))
            case "number":
                return scalars.number(self.f, dtype, self.pointers[instruction[2]])
            case "index":
                return self._index(instruction[2], dtype, lanes)
            case "load":
                return self._load(instruction, dtype, lanes, scope)
            case "op":
                _, _, name, params, given, given_types = instruction
                values = [self.f.splat(self.value(o, scope), lanes) for o in given]
                types = [dtypes.by_name(t) for t in given_types]
                return scalars.emit(self.f, name, _params(params), values, types, dtype)
        raise AssertionError(f"{what} has no value here")

    def _load(self, instruction, dtype, lanes, scope) -> Value:
        pointer, form = self.pointers[instruction[2]], instruction[3]
        if lanes == 1:
            return scalars.load(self.f, dtype, self._address(pointer, form, dtype), 1)
        along = form.coefficient(self.lane)
        if form.affine or not _lane_in_atoms(form, self.lane):
            address = self._address(pointer, form, dtype)
            if along == 1:
                return scalars.load(self.f, dtype, address, lanes, scope.mask)
            return scalars.load_strided(self.f, dtype, address, along, lanes, scope.mask)
        places = self.f.typed(self.form(form, lanes), "i64")
        return scalars.gather(self.f, dtype, pointer, places, scope.mask)

    def _address(self, pointer: Value, form: Form, dtype) -> Value:
        return self.f.at(pointer, self.form(form, 1), scalars.storage(dtype))

    def _index(self, form: Form, dtype, lanes: int) -> Value:
        place = self.f.splat(self.f.typed(self.form(form, lanes), "i64"), lanes)
        return scalars.emit(
            self.f, "cast", {"dtype": dtype}, [place], [dtypes.int64], dtype
        ) if dtype is not dtypes.int64 else place  # fmt: skip

    def form(self, form: Form, lanes: int) -> Value | int:
        """An index as i64; of the first lane only if ``lanes`` is 1."""
        total: Value | int = form.const
        for s, c in form.terms:
            total = self.sum(total, self.times(self._symbol(s, lanes), c))
        return total

    def sum(self, a, b):
        """The sum of two indices."""
        return a + b if isinstance(a, int) and isinstance(b, int) else self.f.add(a, b)

    def times(self, a, factor: int):
        """An index times a number."""
        return a * factor if isinstance(a, int) else self.f.mul(a, factor)

    def _symbol(self, s, lanes: int) -> Value | int:
        if isinstance(s, int):
            counter = self.counters[s]
            if lanes > 1 and s == self.lane:
                base = self.f.splat(self.f.typed(counter, "i64"), lanes)
                return self.f.op("add nsw", base, self.f.lane_numbers(lanes))
            return counter
        kind, inside, k = s
        if kind == "start":
            return self.starts[k]
        value = self.form(inside, lanes)
        if isinstance(value, int):
            return value // k if kind == "div" else value % k
        return self.f.op("udiv" if kind == "div" else "urem", value, k)

    def store_all(self, stores: Sequence[Store], scope: Scope) -> None:
        """Write results; all are computed first, as one may lie where another still reads."""
        for store in stores:
            self.value(store.value, scope)
        for store in stores:
            self._store(store.slot, store.dtype, store.value, store.place, scope)

    def _store(self, slot: int, dtype_name: str, i: int, place: Form, scope: Scope) -> None:
        """Write an instruction's value; as a vector if the place moves along the lane."""
        dtype = dtypes.by_name(dtype_name)
        value = self.value(i, scope)
        along = place.coefficient(self.lane) if self.lane is not None else 0
        address = self._address(self.pointers[slot], place, dtype)
        if along == 0:  # one element: the vector has a single lane that counts
            scalars.store(self.f, dtype, self.f.extract(value, 0), address, None)
            return
        assert along == 1, "results are written in order"
        scalars.store(self.f, dtype, self.f.splat(value, self.lanes), address, scope.mask)


def _lane_in_atoms(form: Form, lane) -> bool:
    return any(not isinstance(s, int) and s[1].involves(lane) for s, _ in form.terms)


def _params(static: tuple) -> dict:
    found = {}
    for key, text in static:
        found[key] = dtypes.by_name(text) if key == "dtype" else ast.literal_eval(text)
    return found


class Writer:
    """The function of one loop program."""

    unroll = UNROLL

    def __init__(self, program: LoopProgram, division: Division):
        self.program = program
        self.division = division

    def function(self, name: str) -> ir.Function:
        program, division = self.program, self.division
        f = self.f = ir.Function(name, ["ptr", "i64", "i64"])
        table, begin, end = f.arguments
        pointers = [f.load("ptr", f.at(table, i, "ptr")) for i in range(program.slots)]
        self.e = Evaluator(f, program.instructions, pointers, division.lane, division.lanes)
        inner = frozenset(range(program.outer, len(program.sizes)))
        for i, instruction in enumerate(program.instructions):
            if instruction[0] == "reduce":
                self.e.dims[i] -= inner
            else:
                self.e.dims[i] = self.e._dims_of(instruction)
        self._assign_stages()
        uniform = Scope(None, frozenset())
        self.e.ready(self.roots(), uniform)
        first = f.mul(begin, division.per_chunk)
        last = f.mul(end, division.per_chunk)
        last = f.select(f.compare("icmp slt", last, division.units), last, division.units)
        with f.loop(first, last) as unit:
            self._unit(unit, uniform)
        f.ret()
        return f

    def roots(self) -> list[int]:
        return [s.value for s in self.program.stores]

    def _assign_stages(self) -> None:
        """Reductions and full stores by the number of reductions that must come before."""
        depth = [0] * len(self.program.instructions)
        self.reductions: dict[int, list[int]] = {}
        for i in live(self.program.instructions, self.roots()):
            instruction = self.program.instructions[i]
            depth[i] = max([depth[o] for o in operands(instruction)], default=0)
            if instruction[0] == "reduce":
                self.reductions.setdefault(depth[i], []).append(i)
                depth[i] += 1
        self.full: dict[int, list] = {}
        for store in self.program.stores:
            if store.full:
                self.full.setdefault(depth[store.value], []).append(store)
        self.stages = max([*self.reductions, *self.full], default=-1) + 1

    def _unit(self, unit: Value, uniform: Scope) -> None:
        f, division = self.f, self.division
        if division.short:
            first = f.mul(unit, division.group)
            rows = []
            for i in range(division.group):
                rows.append(short_rows.Row(self, self._place(f.add(first, i), uniform)))
            short_rows.emit(self, rows)
            return
        row, block = unit, None
        if division.blocks > 1:
            row = f.op("udiv", unit, division.blocks)
            block = f.op("sub", unit, f.mul(row, division.blocks))
        scope = self._place(row, uniform)
        if division.inner_lane or division.lane is None:
            self._row(scope)
        else:
            self._along_lane(scope, block)

    def _place(self, row: Value, uniform: Scope) -> Scope:
        """Make a row the present one: its place along the outer dimensions, what depends on it."""
        f, sizes = self.f, self.program.sizes
        outer = self.program.outer - (not self.division.inner_lane)
        self.e.counters = {}
        for d in reversed(range(max(0, outer))):
            if d == 0:
                self.e.counters[d] = row
                break
            above = f.op("udiv", row, sizes[d])
            self.e.counters[d] = f.op("sub", row, f.mul(above, sizes[d]))
            row = above
        scope = Scope(uniform, frozenset(range(max(0, outer))))
        self.e.ready(self.roots(), scope)
        return scope

    def _along_lane(self, scope: Scope, block: Value | None) -> None:
        """Vectors along the last outer dimension: full ones, then one that is masked."""
        size, division = self.program.sizes[self.program.outer - 1], self.division
        start: Value | int = 0
        stop: Value | int = size
        if block is not None:
            start = self.f.mul(block, division.block)
            stop = self.f.add(start, division.block)
            stop = self.f.select(self.f.compare("icmp slt", stop, size), stop, size)
        self.vectors(
            start, stop, size, scope, self.program.outer - 1, lambda inside: self._row(inside)
        )

    def vectors(self, start, stop, size: int, scope: Scope, lane: int, body: Callable) -> None:
        """Run ``body`` for vectors of the lane dimension from ``start`` to ``stop``."""
        f, lanes = self.f, self.division.lanes
        dims = scope.dims | {lane}
        if isinstance(stop, int):
            full: Value | int = stop - stop % lanes
        else:
            count = f.op("sub", stop, start)
            full = f.add(start, f.op("and", count, -lanes))
        if not isinstance(full, int) or full > 0:
            with f.loop(start, full, lanes) as at:
                self.e.counters[lane] = at
                body(Scope(scope, dims))
        if size % lanes == 0:
            return
        self.e.counters[lane] = full
        if isinstance(full, int):
            body(Scope(scope, dims, self.tail(full, size)))
            return
        with f.when(f.compare("icmp slt", full, stop)):
            body(Scope(scope, dims, self.tail(full, size)))

    def tail(self, at: Value | int, size: int) -> Value | None:
        if self.division.lanes == 1:
            return None
        lanes = self.division.lanes
        if isinstance(at, int):
            return ir.mask([at + lane < size for lane in range(lanes)])
        left = self.f.op("sub", size, at)
        return self.f.compare("icmp slt", self.f.lane_numbers(lanes), self.f.splat(left, lanes))

    def _row(self, scope: Scope) -> None:
        """One row, or a vector of rows: stages of reductions, then what is stored once a row."""
        if self.program.outer < len(self.program.sizes):
            for stage in range(self.stages):
                self._stage(self.reductions.get(stage, []), self.full.get(stage, []), scope)
        everywhere = self.program.outer == len(self.program.sizes)
        self.e.store_all([s for s in self.program.stores if everywhere or not s.full], scope)

    def _stage(self, reductions: list[int], stores: list, scope: Scope) -> None:
        """One pass over the inner dimensions."""
        wanted = [self.program.instructions[r][3] for r in reductions]
        wanted += [s.value for s in stores]
        self.e.ready(wanted, scope)
        accumulators = [Accumulator(self, r) for r in reductions]
        self._inner(self.program.outer, accumulators, stores, scope)
        for accumulator in accumulators:
            scope.values[accumulator.number] = accumulator.finish()
        self.e.ready(self.roots(), scope)

    def _inner(self, dim: int, accumulators, stores, scope: Scope) -> None:
        """Nested loops over the inner dimensions from ``dim`` on."""
        sizes = self.program.sizes
        wanted = [a.operand for a in accumulators] + [s.value for s in stores]
        if dim == len(sizes) - 1:
            self._innermost(dim, accumulators, stores, scope)
            return
        with self.f.loop(0, sizes[dim]) as at:
            self.e.counters[dim] = at
            inside = Scope(scope, scope.dims | {dim})
            self.e.ready(wanted, inside)
            self._inner(dim + 1, accumulators, stores, inside)

    def _innermost(self, dim: int, accumulators, stores, scope: Scope) -> None:
        size = self.program.sizes[dim]
        lanes = self.division.lanes if self.division.inner_lane else 1

        def body(inside: Scope, which: int) -> None:
            for accumulator in accumulators:
                accumulator.take(inside, which)
            self.e.store_all(stores, inside)

        step = lanes * UNROLL
        rounds = size // step if accumulators else 0
        dims = scope.dims | {dim}

        def several(start, stop) -> None:
            with self.f.loop(start, stop, step) as at:
                for i in range(UNROLL):
                    self.e.counters[dim] = self.f.add(at, i * lanes)
                    body(Scope(scope, dims), i)

        if rounds:
            self._in_parts(rounds * step, part(rounds) * step, several, accumulators)
        if rounds * step < size and self.division.inner_lane:
            self._rest(rounds * step, size, scope, dim, body)
        elif rounds * step < size:
            with self.f.loop(rounds * step, size) as at:
                self.e.counters[dim] = at
                body(Scope(scope, dims), 0)
        if dim > self.program.outer:
            for accumulator in accumulators:
                accumulator.carry()

    def _in_parts(self, stop: int, part: int, several: Callable, accumulators) -> None:
        """A loop from 0 to ``stop`` that carries partial sums over after each part."""
        if stop <= part or not any(a.totals for a in accumulators):
            several(0, stop)
            return
        whole = stop - stop % part
        with self.f.loop(0, whole, part) as start:
            several(start, self.f.add(start, part))
            for accumulator in accumulators:
                accumulator.carry()
        if whole < stop:
            several(whole, stop)

    def _rest(self, start: int, size: int, scope: Scope, dim: int, body: Callable) -> None:
        lanes = self.division.lanes
        full = start + (size - start) // lanes * lanes
        dims = scope.dims | {dim}
        if full > start:
            with self.f.loop(start, full, lanes) as at:
                self.e.counters[dim] = at
                body(Scope(scope, dims), 0)
        if full < size:
            self.e.counters[dim] = full
            body(Scope(scope, dims, self.tail(full, size)), 0)
