"""The gradient of attention: for each head, blocks of queries go along the keys once more.

Weights come from the scores and the logarithms that the forward pass kept. With queries in lanes,
gradients of scores go to queries as they are, and row by row to keys and values.
"""

from __future__ import annotations

from collections.abc import Sequence

from facula.base.dtypes import dtype
from facula.engines.native import ir
from facula.engines.native.ir import Function, Operand, Value
from facula.engines.native.kernel import Kernel, Lowered, Piece, given, result, temporary
from facula.engines.native.scalars.exponentials import LOG2_E, exp2
from facula.engines.native.scalars.lanes import Lanes
from facula.engines.native.structured import common
from facula.engines.native.structured.attention import (
    finished,
    logarithms_of,
    outputs_view,
    planned,
    unit_ns,
)
from facula.engines.native.structured.attention_tiles import (
    Block,
    Columns,
    Mask,
    Matrix,
    Plan,
    Rows,
    add_product,
    fetch,
    in_tiles,
    matrix,
    sums,
    tile_rows,
)
from facula.engines.native.views import View
from facula.graph.primitives.attention import Sizes

_FEWEST = 8  # units of work that threads can share
_LEAST = 128  # keys that are worth a unit


def backward(params, views: Sequence[View], own: dtype) -> Lowered | None:
    """Operands: what attention kept, queries, keys, values, gradients, perhaps a mask; result.

    Where heads are few, the keys of each are shared out; what the parts give to queries is added.
    """
    memory, q, k, v, grad, *mask = views
    plan = planned(params, [q, k, v, *mask], own)
    if plan is None or not grad.in_runs or not memory.contiguous:
        return None
    s, scale = plan.sizes, float(params["scale"])
    each = _keys_of_a_part(plan)
    parts = -(-s.keys // each)

    def body(f: Function, operands: list[Value], unit: Value) -> None:
        *head, part = common.unravel(f, unit, (s.batch, s.heads, parts))
        _Head(f, plan, views, operands, head, part, each, scale).run()

    count = len(views) + 2
    key = (plan, tuple(views), repr(scale), each)
    costs = unit_ns(plan, s.queries, 5) / parts
    kernel = common.kernel("attention_grad", key, count, s.batch * s.heads * parts, costs, body)
    inputs = [given(i) for i in range(count - 2)]
    kernel, writes = finished(kernel, plan, 5), (count - 2, count - 1)
    if parts == 1:
        return Lowered([Piece(kernel, (*inputs, result(), result()), writes)])
    adding = Piece(_adding(plan, parts), (temporary(0), result()), (1,))
    shares = parts * s.grads[0] * ir.align_of(plan.element)
    return Lowered([Piece(kernel, (*inputs, temporary(0), result()), writes), adding], [shares])


def _keys_of_a_part(plan: Plan) -> int:
    """How many keys of a head are one unit of work."""
    s = plan.sizes
    wanted = min(-(-_FEWEST // (s.batch * s.heads)), s.keys // _LEAST)
    if wanted <= 1:
        return s.keys
    return -(-s.keys // (wanted * plan.keys)) * plan.keys


def _adding(plan: Plan, parts: int) -> Kernel:
    """Adds up what the parts of the keys give to the queries."""
    s, to = plan.sizes, gradients_of(plan.sizes)[0]
    run = s.heads * s.width

    def body(f: Function, operands: list[Value], unit: Value) -> None:
        batch, query = common.unravel(f, unit, (s.batch, s.queries))
        terms = [(batch, to.strides[0]), (query, to.strides[2])]
        goal = f.at(operands[1], common.affine(f, terms), plan.element)
        source = f.at(operands[0], f.mul(unit, run), plan.element)

        def move(at: Operand, lanes: int, mask: Value | None) -> None:
            place, kind = f.at(source, at, plan.element), ir.vector(plan.element, lanes)
            total = common.raw_load(f, kind, place, mask)
            for part in range(1, parts):
                share = f.at(place, part * s.grads[0], plan.element)
                total = f.op("fadd", total, common.raw_load(f, kind, share, mask))
            common.raw_store(f, total, f.at(goal, at, plan.element), mask)

        common.in_vectors(f, plan.element, run, move)

    unit = run * (parts + 1) / 20
    return common.kernel("add", (plan, parts), 2, s.batch * s.queries, unit, body)


def gradients_of(s: Sizes) -> list[View]:
    """How the gradients of queries, keys and values lie in the result."""
    found, start = [], 0
    for number, (count, width) in enumerate(
        ((s.queries, s.width), (s.keys, s.width), (s.keys, s.depth))
    ):
        row = s.heads * width
        step = 3 * row if s.joined else row
        shape = (s.batch, s.heads, count, width)
        found.append(
            View(shape, (count * step, width, step, 1), number * row if s.joined else start)
        )
        start += s.grads[number]
    return found


class _Head:
    """One head in a kernel under construction."""

    def __init__(self, f: Function, plan: Plan, views: Sequence[View], operands: list[Value],
                 head: Sequence[Operand], part: Operand, each: int, scale: float):  # fmt: skip
        self.f, self.plan, self.views, self.operands = f, plan, views, operands
        self.head, self.scale = head, scale
        self.begin = f.typed(common.affine(f, [(part, each)]), "i64")
        last = ir.constant("i64", plan.sizes.keys)
        self.stop = f.intrinsic("smin", f.add(self.begin, each), last)
        self.keys = matrix(f, plan.element, views[2], operands[2], head)
        self.values = matrix(f, plan.element, views[3], operands[3], head)
        s, block = plan.sizes, plan.block
        self.turned, self.turned_grads = self._array(s.width * block), self._array(s.depth * block)
        self.powers, self.slopes = self._array(plan.keys * block), self._array(plan.keys * block)
        self.sums, self.inner = self._array(s.width * block), self._array(block)
        self.grads = gradients_of(s)
        self.to_queries = operands[-1]
        if each < s.keys:
            self.to_queries = f.at(
                operands[-2], common.affine(f, [(part, s.grads[0])]), plan.element
            )
            row = s.heads * s.width
            strides = (s.queries * row, s.width, row, 1)
            self.grads[0] = View(self.grads[0].shape, strides)
        for number, (count, width) in enumerate(
            ((s.queries, s.width), (s.keys, s.width), (s.keys, s.depth), (s.queries, s.depth)), 1
        ):
            rows = matrix(f, plan.element, views[number], operands[number], head)
            fetch(f, plan, rows, count, width)
        outputs = matrix(f, plan.element, outputs_view(s), operands[0], head)
        fetch(f, plan, outputs, s.queries, s.depth)
        for view, to in zip(self.grads, (self.to_queries, *operands[-1:] * 2), strict=True):
            rows = matrix(f, plan.element, view, to, head)
            fetch(f, plan, rows, view.shape[2], view.shape[3], write=True)
        self.to_keys, self.to_values = (
            matrix(f, plan.element, view, operands[-1], head) for view in self.grads[1:]
        )

    def _array(self, count: int) -> Value:
        return self.f.array(self.plan.element, count)

    def run(self) -> None:
        """All blocks of queries; each adds its part to the gradients of keys and values."""
        f, plan, s = self.f, self.plan, self.plan.sizes
        zero = ir.constant(plan.element, 0.0)
        with f.loop(self.begin, self.stop) as key:
            for to, width in ((self.to_keys, s.width), (self.to_values, s.depth)):
                common.fill_run(f, zero, width, f.at(to.start, f.mul(key, to.row), plan.element))
        with f.loop(0, plan.blocks) as number:
            first = f.mul(number, plan.block)
            _Pass(self, f, first).run()


class _Pass:
    """One block of queries of a head."""

    def __init__(self, head: _Head, f: Function, first: Value):
        self.own, self.f, self.plan, self.first = head, f, head.plan, first
        self.block = Block(f, head.plan, first)
        self.queries, self.grads = self._rows(1), self._rows(4)
        self.mask = None
        if head.plan.masked:
            self.mask = Mask(f, self.block, head.views[5], head.operands[5], head.head)
        memory = head.operands[0]
        outputs = Rows(f, head.plan, outputs_view(head.plan.sizes), memory, head.head, first)
        self.queries.turned_to(head.turned, head.scale * LOG2_E)
        self.grads.turned_to(head.turned_grads)
        self.grads.dots(outputs, head.inner)
        place = logarithms_of(f, head.plan, memory, head.head, first)
        self.logarithms = [Lanes(f, x) for x in self.block.per_query(place)]
        self.inner = [Lanes(f, x) for x in self.block.columns.load(f, head.inner)]

    def _rows(self, number: int) -> Rows:
        own = self.own
        view, pointer = own.views[number], own.operands[number]
        return Rows(self.f, self.plan, view, pointer, own.head, self.first)

    def run(self) -> None:
        f, plan, own = self.f, self.plan, self.own
        zero = ir.constant(plan.element, 0.0)
        common.fill_run(f, zero, plan.sizes.width * plan.block, own.sums)
        end = f.intrinsic("smin", f.typed(self.block.end, "i64"), own.stop)
        with f.loop(own.begin, end, plan.keys) as key:
            count: Operand = plan.keys
            if plan.causal or plan.sizes.keys % plan.keys:
                left = f.op("sub", end, key)
                count = f.intrinsic("smin", left, ir.constant("i64", plan.keys))
            self._weigh(key, count)
            self._to_queries(key, count)
            self._to_rows(key, count, own.powers, self.grads, own.to_values)
            self._to_rows(key, count, own.slopes, self.queries, own.to_keys)
        view = own.grads[0]
        Rows(f, plan, view, own.to_queries, own.head, self.first).turned_from(own.sums)

    def _weigh(self, key: Value, count: Operand) -> None:
        """The weights of a block of keys, and the gradients of their scores."""
        f, plan, own = self.f, self.plan, self.own
        columns = self.block.columns
        right = Matrix(own.turned_grads, plan.block, 1)

        def tile(at: Operand, rows: int, diagonal: bool) -> None:
            here = common.affine(f, [(key, 1), (at, 1)])
            found = self.block.scores(own.keys, own.turned, here, rows, self.mask, diagonal)
            for r, row in enumerate(found):
                pairs = zip(row, self.logarithms, strict=True)
                powers = [exp2(Lanes(f, x) - logarithm).value for x, logarithm in pairs]
                columns.store(f, powers, self._row(own.powers, at, r))
            values = f.at(
                own.values.start, common.affine(f, [(here, own.values.row)]), plan.element
            )
            zeros = [[ir.constant(plan.type, 0.0)] * plan.vectors for _ in range(rows)]
            left = Matrix(values, own.values.row, 1)
            inner = sums(f, left, right, columns, (0, plan.sizes.depth), zeros)
            for r, row in enumerate(inner):
                powers = columns.load(f, self._row(own.powers, at, r))
                slopes = [
                    ((Lanes(f, x) - total) * (Lanes(f, power) * own.scale)).value
                    for x, total, power in zip(row, self.inner, powers, strict=True)
                ]
                columns.store(f, slopes, self._row(own.slopes, at, r))

        self.block.tiles(key, count, tile)

    def _row(self, scratch: Value, at: Operand, more: int) -> Value:
        block = self.plan.block
        offset = common.affine(self.f, [(at, block)], more * block)
        return self.f.at(scratch, offset, self.plan.element)

    def _to_queries(self, key: Value, count: Operand) -> None:
        """``sums += keys' @ slopes``."""
        f, plan, own = self.f, self.plan, self.own
        keys = f.at(own.keys.start, f.mul(key, own.keys.row), plan.element)
        width, rows = plan.sizes.width, tile_rows(plan.vectors)

        def tile(column: Operand, rows: int) -> None:
            left = Matrix(f.at(keys, column, plan.element), 1, own.keys.row)
            place = f.at(own.sums, common.affine(f, [(column, plan.block)]), plan.element)
            add_product(
                f, left, Matrix(own.slopes, plan.block, 1), Matrix(place, plan.block, 1),
                self.block.columns, rows, (0, count),
            )  # fmt: skip

        in_tiles(f, width, rows, width % rows, tile)

    def _to_rows(self, key: Value, count: Operand, scratch: Value, rows: Rows, to: Matrix) -> None:
        """``to[keys] += scratch @ rows``: what a block of queries gives to keys or values."""
        f, plan = self.f, self.plan
        columns = Columns.of(plan.element, plan.lanes, rows.width)
        tile, step = tile_rows(len(columns.counts)), rows.view.strides[2]
        right = Matrix(f.at(rows.start, f.mul(self.first, step), plan.element), step, 1)

        def part(at: Operand, number: int) -> None:
            here = common.affine(f, [(key, 1), (at, 1)])
            begin: Operand = 0
            if plan.causal:  # earlier queries do not know these keys
                before = f.op("sub", here, self.first)
                begin = f.intrinsic("smax", before, ir.constant("i64", 0))
            place = f.at(to.start, f.mul(here, to.row), plan.element)
            left = Matrix(self._row(scratch, at, 0), plan.block, 1)
            goal = Matrix(place, to.row, 1)
            add_product(f, left, right, goal, columns, number, (begin, self.block.count))

        in_tiles(f, count, tile, plan.sizes.keys % tile, part)
