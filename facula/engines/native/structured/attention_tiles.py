"""What the kernels of attention are made of: queries in lanes, tiles of products, rows turned over.

A block of queries stands in the lanes of a few vectors. What is known of each pair of a key and a
query is a row of such vectors for each key, so a softmax goes down the columns, lane by lane.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from facula.base.dtypes import dtype
from facula.engines.native import ir, target
from facula.engines.native.contraction.finish import first_lanes, lane_sums, transposed
from facula.engines.native.ir import Function, Operand, Value
from facula.engines.native.scalars import types
from facula.engines.native.scalars.exponentials import LOG2_E
from facula.engines.native.structured import common
from facula.engines.native.views import View
from facula.graph.primitives.attention import Sizes

_KEYS = 64  # of a block: its scores and what is made of them stay in the first-level cache
_SHORT = 256  # queries
_LINE = 64  # bytes that come together
_FETCHED = 1 << 15  # bytes of a head's rows that are asked for at once
_MOST_COLUMNS = 4  # vectors of a row that a tile has sums for
Body = Callable[[Operand, int], None]


@dataclass(frozen=True)
class Plan:
    """Sizes of the problem and of the blocks: what the code depends on, with the views."""

    sizes: Sizes
    element: str
    lanes: int
    vectors: int  # of a block of queries
    causal: bool
    masked: bool

    @classmethod
    def of(cls, sizes: Sizes, own: dtype, causal: bool, masked: bool) -> Plan:
        element = types.compute(own)
        lanes = target.lanes(element)
        needed = -(-sizes.queries // lanes)
        # Few vectors waste less where the diagonal is, and at the end.
        short = (causal and sizes.queries <= _SHORT) or needed % 2
        return cls(sizes, element, lanes, 1 if short else 2, causal, masked)

    @property
    def block(self) -> int:
        """Queries of a block."""
        return self.vectors * self.lanes

    @property
    def blocks(self) -> int:
        return -(-self.sizes.queries // self.block)

    @property
    def ragged(self) -> bool:
        """Whether the last block has lanes without a query."""
        return self.sizes.queries % self.block != 0

    @property
    def keys(self) -> int:
        """Keys of a block; a multiple of all tiles."""
        return min(_KEYS, -(-self.sizes.keys // self.step) * self.step)

    @property
    def step(self) -> int:
        """A causal block ends at a multiple of it."""
        return tile_rows(1)

    @property
    def type(self) -> str:
        return ir.vector(self.element, self.lanes)


def tile_rows(vectors: int) -> int:
    """Rows of a tile with sums for some vectors of columns: a power of two, so that rows fit."""
    return (16 if target.registers() >= 32 else 8) // min(
        _MOST_COLUMNS, 1 << (vectors - 1).bit_length()
    )


def in_tiles(f: Function, count: Operand, tile: int, rest: int, body: Body) -> None:
    """``body(first, rows)`` for tiles of rows; ``rest`` rows are left at the end, if any are."""
    if isinstance(count, int):
        whole: Operand = count - count % tile
    else:
        whole = f.op("and", count, -tile)
    if not isinstance(whole, int) or whole:
        with f.loop(0, whole, tile) as first:
            body(first, tile)
    if rest and isinstance(count, int):
        body(whole, rest)
    elif rest:
        with f.when(f.compare("icmp slt", whole, count)):
            body(whole, rest)


@dataclass(frozen=True)
class Matrix:
    """Elements (r, k) at ``r * row + k * step`` behind an address."""

    start: Value
    row: int
    step: int


@dataclass(frozen=True)
class Columns:
    """Vectors of a row: how far each is from the first, and how many lanes it has."""

    type: str
    counts: tuple[int, ...]

    @classmethod
    def of(cls, element: str, lanes: int, width: int) -> Columns:
        """All vectors of a row of ``width``; the last may be short."""
        counts = [min(lanes, width - at) for at in range(0, width, lanes)]
        return cls(ir.vector(element, lanes), tuple(counts))

    @property
    def lanes(self) -> int:
        return ir.lanes_of(self.type)

    def groups(self) -> list[tuple[int, Columns]]:
        """(first vector, some vectors): as many at a time as a tile takes."""
        steps = range(0, len(self.counts), _MOST_COLUMNS)
        return [(i, Columns(self.type, self.counts[i : i + _MOST_COLUMNS])) for i in steps]

    def _mask(self, number: int) -> Value | None:
        count = self.counts[number]
        return None if count == self.lanes else first_lanes(count, self.lanes)

    def load(self, f: Function, row: Value) -> list[Value]:
        return [
            common.raw_load(f, self.type, self._at(f, row, i), self._mask(i))
            for i in range(len(self.counts))
        ]

    def store(self, f: Function, values: Sequence[Value], row: Value) -> None:
        for i, value in enumerate(values):
            common.raw_store(f, value, self._at(f, row, i), self._mask(i))

    def _at(self, f: Function, row: Value, number: int) -> Value:
        return f.at(row, number * self.lanes, ir.element_of(self.type))


def sums(
    f: Function, left: Matrix, right: Matrix, columns: Columns, span: tuple[Operand, Operand],
    starts: Sequence[Sequence[Value]],
) -> list[list[Value]]:  # fmt: skip
    """``starts[r] + sum(left[r, k] * right[k] for k in range(*span))`` for rows r.

    Of ``right``, k is the row; its columns are the vectors.
    """
    kind, element = columns.type, ir.element_of(columns.type)
    slots = [[f.variable(kind, value) for value in row] for row in starts]
    with f.loop(*span) as k:
        vectors = columns.load(f, f.at(right.start, f.mul(k, right.row), element))
        line = f.at(left.start, f.mul(k, left.step), element)
        for r, row in enumerate(slots):
            one = f.splat(f.load(element, f.at(line, r * left.row, element)), columns.lanes)
            for vector, slot in zip(vectors, row, strict=True):
                f.set(slot, f.intrinsic("fmuladd", one, vector, f.get(kind, slot)))
    return [[f.get(kind, slot) for slot in row] for row in slots]


def add_product(
    f: Function, left: Matrix, right: Matrix, to: Matrix, columns: Columns, rows: int,
    span: tuple[Operand, Operand], factors: Sequence[Value] = (),
) -> None:  # fmt: skip
    """``to = to * factors + left @ right`` for rows from the start of ``left`` and ``to``."""
    element = ir.element_of(columns.type)
    for number, part in columns.groups():
        at = number * columns.lanes
        own = [f.at(to.start, r * to.row, element) for r in range(rows)]
        own = [f.at(place, at, element) for place in own]
        starts = [part.load(f, place) for place in own]
        if factors:
            scaled = factors[number : number + _MOST_COLUMNS]
            starts = [[f.op("fmul", x, s) for x, s in zip(row, scaled)] for row in starts]
        shifted = Matrix(f.at(right.start, at, element), right.row, right.step)
        for row, place in zip(sums(f, left, shifted, part, span, starts), own, strict=True):
            part.store(f, row, place)


class Rows:
    """Rows of queries (batch, heads, queries, width) that a view shows, for one block of them."""

    def __init__(self, f: Function, plan: Plan, view: View, pointer: Value, unit: Sequence[Operand],
                 first: Operand):  # fmt: skip
        self.f, self.plan, self.view, self.first = f, plan, view, first
        self.width = view.shape[3]
        self.matrix = matrix(f, plan.element, view, pointer, unit)
        self.start = self.matrix.start

    def at(self, number: Operand) -> Value:
        """The address of a row of the block; those after the last query are the last."""
        f, query = self.f, common.affine(self.f, [(self.first, 1), (number, 1)])
        if self.plan.ragged:
            last = ir.constant("i64", self.plan.sizes.queries - 1)
            query = f.intrinsic("smin", f.typed(query, "i64"), last)
        return f.at(
            self.start, common.affine(f, [(query, self.view.strides[2])]), self.plan.element
        )

    def _squares(self, body: Callable[[Value, list[Value], Operand, int], None]) -> None:
        """``body(vector, rows, column, columns)``: squares, the last vector of queries first."""
        f, plan = self.f, self.plan
        with f.loop(0, plan.vectors) as count:
            vector = f.op("sub", plan.vectors - 1, count)
            begin = f.mul(vector, plan.lanes)
            rows = [self.at(f.add(begin, i)) for i in range(plan.lanes)]
            in_tiles(
                f, self.width, plan.lanes, self.width % plan.lanes,
                lambda column, columns: body(vector, rows, column, columns),
            )  # fmt: skip

    def turned_to(self, to: Value, factor: float = 1.0) -> None:
        """``to[e, query] = rows[query, e] * factor``."""
        f, plan = self.f, self.plan

        def square(vector: Value, rows: list[Value], column: Operand, columns: int) -> None:
            part = Columns(plan.type, (columns,))
            loaded = [part.load(f, f.at(row, column, plan.element))[0] for row in rows]
            for j, value in enumerate(transposed(f, loaded)[:columns]):
                if factor != 1.0:
                    value = f.op("fmul", value, factor)
                f.store(value, self._place(to, vector, column, j))

        self._squares(square)

    def turned_from(self, source: Value, factors: Value | None = None) -> None:
        """``rows[query, e] = source[e, query] * factors[query]``.

        Lanes without a query go to the last row, before what belongs there.
        """
        f, plan = self.f, self.plan

        def square(vector: Value, rows: list[Value], column: Operand, columns: int) -> None:
            part = Columns(plan.type, (columns,))
            loaded = []
            for j in range(columns):
                value = f.load(plan.type, self._place(source, vector, column, j))
                if factors is not None:
                    place = f.at(factors, f.mul(vector, plan.lanes), plan.element)
                    value = f.op("fmul", value, f.load(plan.type, place))
                loaded.append(value)
            loaded += [ir.constant(plan.type, 0.0)] * (plan.lanes - columns)
            turned = list(zip(transposed(f, loaded), rows, strict=True))
            for value, row in reversed(turned):
                part.store(f, [value], f.at(row, column, plan.element))

        self._squares(square)

    def _place(self, scratch: Value, vector: Value, column: Operand, more: int) -> Value:
        f, plan = self.f, self.plan
        terms = [(vector, plan.lanes), (column, plan.block)]
        at = common.affine(f, terms, more * plan.block)
        return f.at(scratch, at, plan.element)

    def dots(self, other: Rows, to: Value) -> None:
        """``to[query] = sum(rows[query] * others[query])``."""
        f, plan = self.f, self.plan
        with f.loop(0, plan.vectors) as vector:
            begin = f.mul(vector, plan.lanes)
            numbers = [f.add(begin, i) for i in range(plan.lanes)]
            pairs = [(self.at(n), other.at(n)) for n in numbers]
            slots = [f.variable(plan.type, 0.0) for _ in pairs]

            def step(column: Operand, columns: int) -> None:
                part = Columns(plan.type, (columns,))
                for (a, b), slot in zip(pairs, slots, strict=True):
                    (x,) = part.load(f, f.at(a, column, plan.element))
                    (y,) = part.load(f, f.at(b, column, plan.element))
                    f.set(slot, f.intrinsic("fmuladd", x, y, f.get(plan.type, slot)))

            in_tiles(f, self.width, plan.lanes, self.width % plan.lanes, step)
            total = lane_sums(f, [f.get(plan.type, slot) for slot in slots], plan.lanes)
            f.store(total, f.at(to, begin, plan.element))


def matrix(
    f: Function, element: str, view: View, pointer: Value, unit: Sequence[Operand]
) -> Matrix:
    """The rows (keys, width) of a head."""
    terms = list(zip(unit, view.strides, strict=False))
    start = f.at(pointer, common.affine(f, terms, view.offset), element)
    return Matrix(start, view.strides[2], 1)


def fetch(
    f: Function, plan: Plan, rows: Matrix, count: int, width: int, write: bool = False
) -> None:
    """Ask for rows of a head, which lie far apart, before they are read or written."""
    size = ir.align_of(plan.element)
    if count * width * size > _FETCHED:
        return
    with f.loop(0, count) as row:
        start = f.at(rows.start, f.mul(row, rows.row), plan.element)
        for at in range(0, width, _LINE // size):
            f.prefetch(start, at, plan.element, write)


class Block:
    """A block of queries of one head, from ``first`` on: its scores, masks and last key."""

    def __init__(self, f: Function, plan: Plan, first: Operand):
        self.f, self.plan, self.first = f, plan, first
        self.columns = Columns(plan.type, (plan.lanes,) * plan.vectors)
        self.valid: list[Value | None] = [None] * plan.vectors
        if plan.ragged:
            left = f.op("sub", plan.sizes.queries, first)
            lanes = [f.op("sub", left, v * plan.lanes) for v in range(plan.vectors)]
            self.valid = [common.tail_mask(f, plan.lanes, n) for n in lanes]
            if plan.lanes == 1:
                self.valid = [f.compare("icmp sgt", n, 0) for n in lanes]
        self.queries = [
            f.op("add", f.splat(f.new("i32", f"trunc {f.typed(first, 'i64')} to i32"), plan.lanes),
                 _numbers(f, plan.lanes, v * plan.lanes))
            for v in range(plan.vectors)
        ]  # fmt: skip

    @property
    def count(self) -> Operand:
        """Queries that the block has."""
        f, plan = self.f, self.plan
        if not plan.ragged:
            return plan.block
        left = f.op("sub", plan.sizes.queries, self.first)
        return f.intrinsic("smin", left, ir.constant("i64", plan.block))

    @property
    def end(self) -> Operand:
        """How many keys the block's queries attend to, up to a multiple of ``plan.step``."""
        f, plan = self.f, self.plan
        if not plan.causal:
            return plan.sizes.keys
        after = f.op("and", f.add(self.first, plan.block + plan.step - 1), -plan.step)
        return f.intrinsic("smin", after, ir.constant("i64", plan.sizes.keys))

    def per_query(self, pointer: Value) -> list[Value]:
        """Numbers of the block's queries, 0 in lanes without one."""
        return [
            common.raw_load(self.f, self.plan.type, self._lane(pointer, v), mask)
            for v, mask in enumerate(self.valid)
        ]

    def store_per_query(self, values: Sequence[Value], pointer: Value) -> None:
        for v, (value, mask) in enumerate(zip(values, self.valid, strict=True)):
            common.raw_store(self.f, value, self._lane(pointer, v), mask)

    def _lane(self, pointer: Value, vector: int) -> Value:
        return self.f.at(pointer, vector * self.plan.lanes, self.plan.element)

    def scores(
        self,
        keys: Matrix,
        turned: Value,
        key: Operand,
        rows: int,
        mask: Mask | None,
        diagonal: bool,
    ) -> list[list[Value]]:
        """Scores in units of ln 2 of some keys from ``key`` on; ``turned`` are the queries."""
        f, plan = self.f, self.plan
        zeros = [[ir.constant(plan.type, 0.0)] * plan.vectors for _ in range(rows)]
        start = f.at(keys.start, common.affine(f, [(key, keys.row)]), plan.element)
        right = Matrix(turned, plan.block, 1)
        span = (0, plan.sizes.width)
        found = sums(f, Matrix(start, keys.row, 1), right, self.columns, span, zeros)
        if mask is not None:
            found = [mask.added(row, f.add(key, r)) for r, row in enumerate(found)]
        return [self._hidden(row, key, r) for r, row in enumerate(found)] if diagonal else found

    def _hidden(self, row: list[Value], key: Operand, more: int) -> list[Value]:
        """A key's scores, -inf for the queries before it."""
        f, plan = self.f, self.plan
        short = f.new("i32", f"trunc {f.typed(f.add(key, more), 'i64')} to i32")
        later = f.splat(short, plan.lanes)
        return [
            f.select(f.compare("icmp slt", own, later), float("-inf"), value)
            for value, own in zip(row, self.queries, strict=True)
        ]

    def tiles(
        self, key: Operand, count: Operand, body: Callable[[Operand, int, bool], None]
    ) -> None:
        """``body(first, rows, diagonal)`` for tiles of ``count`` keys from ``key`` on.

        ``diagonal`` says that some keys may come after queries.
        """
        f, plan = self.f, self.plan
        tile = tile_rows(plan.vectors)
        rest = plan.sizes.keys % tile
        if not plan.causal:
            in_tiles(f, count, tile, rest, lambda first, rows: body(first, rows, False))
            return
        free = f.op("and", f.op("sub", f.add(self.first, 1), key), -tile)
        free = f.intrinsic("smin", f.op("and", count, -tile), free)
        free = f.intrinsic("smax", free, ir.constant("i64", 0))
        in_tiles(f, free, tile, 0, lambda first, rows: body(first, rows, False))
        left = f.op("sub", count, free)
        in_tiles(f, left, tile, rest, lambda at, rows: body(f.add(free, at), rows, True))


def _numbers(f: Function, lanes: int, first: int) -> Value:
    if lanes == 1:
        return ir.constant("i32", first)
    items = ", ".join([f"i32 {first + i}" for i in range(lanes)])
    return Value(f"<{lanes} x i32>", f"<{items}>")


class Mask:
    """What is added to the scores of a block: a view (batch, heads, keys, queries)."""

    def __init__(self, f: Function, block: Block, view: View, pointer: Value,
                 unit: Sequence[Operand]):  # fmt: skip
        self.f, self.block = f, block
        self.element = block.plan.element
        pairs = zip(view.strides, view.shape, strict=True)
        self.strides = [stride if size > 1 else 0 for stride, size in pairs]
        terms = [*zip(unit, self.strides, strict=False), (block.first, self.strides[3])]
        self.start = f.at(pointer, common.affine(f, terms, view.offset), self.element)

    def added(self, row: list[Value], key: Operand) -> list[Value]:
        """The scores of a key with its part of the mask."""
        f, plan = self.f, self.block.plan
        place = f.at(self.start, common.affine(f, [(key, self.strides[2])]), self.element)
        if self.strides[3]:
            given = self.block.per_query(place)
        else:
            given = [f.splat(f.load(self.element, place), plan.lanes)] * plan.vectors
        factor = ir.constant(plan.type, LOG2_E)
        return [f.intrinsic("fmuladd", g, factor, x) for g, x in zip(given, row, strict=True)]
