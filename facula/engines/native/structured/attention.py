"""Attention: blocks of queries go along the keys with running sums; scores are never stored.

Source: Milakov and Gimelshein 2018 (running softmax), Dao 2023 (blocks, and the gradient's sums).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from facula.base import dtypes
from facula.engines.native import ir
from facula.engines.native.ir import Function, Operand, Value
from facula.engines.native.kernel import Kernel, Lowered, Piece, given, result
from facula.engines.native.scalars.exponentials import LOG2_E, exp2, log2
from facula.engines.native.scalars.lanes import Lanes
from facula.engines.native.structured import common
from facula.engines.native.structured.attention_tiles import (
    Block,
    Mask,
    Matrix,
    Plan,
    Rows,
    add_product,
    fetch,
    in_tiles,
    matrix,
    tile_rows,
)
from facula.engines.native.views import View, row_major
from facula.graph.primitives.attention import Sizes

_MANY = 16  # heads
LOWEST = float("-inf")


def planned(params, views: Sequence[View], own: dtypes.dtype) -> Plan | None:
    """The plan for queries, keys, values and perhaps a mask, or None if they are not for it."""
    if own not in (dtypes.float32, dtypes.float64):
        return None
    q, k, v, *mask = views
    sizes = Sizes.of(q, k, v)
    if not all(view.in_runs for view in views):
        return None
    return Plan.of(sizes, own, bool(params["causal"]), bool(mask))


def finished(kernel: Kernel, plan: Plan, products: int) -> Kernel:
    """The kernel with its arithmetic noted: so many products of keys, queries and widths."""
    s = plan.sizes
    flops = products * s.rows * s.keys * (s.width + s.depth) * (0.5 if plan.causal else 1.0)
    return replace(kernel, flops=flops)


def unit_ns(plan: Plan, queries: int, products: int) -> float:
    """Estimated nanoseconds for some queries of a head."""
    s = plan.sizes
    flops = products * queries * s.keys * (s.width + s.depth) * (0.6 if plan.causal else 1.0)
    return flops / 90 * 16 / plan.lanes


def forward(params, views: Sequence[View], own: dtypes.dtype) -> Lowered | None:
    """Operands: queries, keys, values, perhaps a mask; then the result."""
    plan = planned(params, views, own)
    if plan is None:
        return None
    s, keep = plan.sizes, bool(params["keep"])
    scale = params["scale"] * LOG2_E

    def body(f: Function, operands: list[Value], unit: Value) -> None:
        *head, number = common.unravel(f, unit, (s.batch, s.heads, plan.blocks))
        first = f.typed(common.affine(f, [(number, plan.block)]), "i64")
        pass_ = _Pass(f, plan, views, operands, head, first, scale)
        pass_.run()
        pass_.finish(operands[-1], keep)

    units = s.batch * s.heads * plan.blocks
    key = (plan, tuple(views), repr(scale), keep)
    count = len(views) + 1
    # Where heads are many, each is one chunk: its keys and values stay in the nearest cache.
    most = units // plan.blocks if units // plan.blocks >= _MANY else common.MOST_CHUNKS
    costs = unit_ns(plan, plan.block, 2)
    kernel = common.kernel("attention", key, count, units, costs, body, most)
    inputs = [given(i) for i in range(count - 1)]
    return Lowered([Piece(finished(kernel, plan, 2), (*inputs, result()), (count - 1,))])


class _Pass:
    """One block of queries in a kernel under construction."""

    def __init__(self, f: Function, plan: Plan, views: Sequence[View], operands: list[Value],
                 head: Sequence[Operand], first: Value, scale: float):  # fmt: skip
        self.f, self.plan, self.head, self.scale = f, plan, head, scale
        self.block = Block(f, plan, first)
        self.queries = Rows(f, plan, views[0], operands[0], head, first)
        self.keys, self.values = (
            matrix(f, plan.element, views[i], operands[i], head) for i in (1, 2)
        )
        self.mask = Mask(f, self.block, views[3], operands[3], head) if plan.masked else None
        s, block = plan.sizes, plan.block
        self.turned = f.array(plan.element, s.width * block)
        self.scores = f.array(plan.element, plan.keys * block)
        self.outputs = f.array(plan.element, s.depth * block)
        with f.when(f.compare("icmp eq", first, 0)):
            fetch(f, plan, self.queries.matrix, s.queries, s.width)
            fetch(f, plan, self.keys, s.keys, s.width)
            fetch(f, plan, self.values, s.keys, s.depth)
            outputs = matrix(f, plan.element, outputs_view(s), operands[-1], head)
            fetch(f, plan, outputs, s.queries, s.depth, write=True)
        self.tops = [f.variable(plan.type, LOWEST) for _ in range(plan.vectors)]
        self.totals = [f.variable(plan.type, 0.0) for _ in range(plan.vectors)]

    def run(self) -> None:
        """All keys: tops, totals and outputs that are not divided by the totals yet."""
        f, plan = self.f, self.plan
        self.queries.turned_to(self.turned, self.scale)
        common.fill_run(
            f, ir.constant(plan.element, 0.0), plan.sizes.depth * plan.block, self.outputs
        )
        end = self.block.end
        with f.loop(0, end, plan.keys) as key:
            count: Operand = plan.keys
            if plan.causal or plan.sizes.keys % plan.keys:
                left = f.op("sub", end, key)
                count = f.intrinsic("smin", left, ir.constant("i64", plan.keys))
            before = [self._safe(slot) for slot in self.tops]
            self._score(key, count)
            tops = [self._safe(slot) for slot in self.tops]
            factors = [exp2(a - b) for a, b in zip(before, tops, strict=True)]
            self._weigh(count, tops, factors)
            self._gather(key, count, [factor.value for factor in factors])

    def _safe(self, slot: Value) -> Lanes:
        """A top, 0 where all scores so far are -inf."""
        value = Lanes(self.f, self.f.get(self.plan.type, slot))
        found = self.f.select(value.equals(LOWEST).value, 0.0, value.value)
        return Lanes(self.f, found)

    def _score(self, key: Value, count: Operand) -> None:
        """Scores of a block of keys, and the tops with them."""
        f, plan = self.f, self.plan

        def tile(at: Operand, rows: int, diagonal: bool) -> None:
            here = common.affine(f, [(key, 1), (at, 1)])
            found = self.block.scores(self.keys, self.turned, here, rows, self.mask, diagonal)
            for r, row in enumerate(found):
                self.block.columns.store(f, row, self._row(at, r))
            for v, slot in enumerate(self.tops):
                top = f.get(plan.type, slot)
                for row in found:
                    top = f.select(f.compare("fcmp ogt", row[v], top), row[v], top)
                f.set(slot, top)

        self.block.tiles(key, count, tile)

    def _row(self, at: Operand, more: int = 0) -> Value:
        """The scores of a key of the block."""
        block = self.plan.block
        offset = common.affine(self.f, [(at, block)], more * block)
        return self.f.at(self.scores, offset, self.plan.element)

    def _weigh(self, count: Operand, tops: Sequence[Lanes], factors: Sequence[Lanes]) -> None:
        """Exponentials of the scores, and their sums."""
        f, plan = self.f, self.plan
        zero = ir.constant(plan.type, 0.0)
        slots = [f.variable(plan.type, zero) for _ in tops]
        with f.loop(0, count) as at:
            row = self._row(at)
            found = [Lanes(f, x) for x in self.block.columns.load(f, row)]
            powers = [exp2(x - top).value for x, top in zip(found, tops, strict=True)]
            self.block.columns.store(f, powers, row)
            for power, slot in zip(powers, slots, strict=True):
                f.set(slot, f.op("fadd", f.get(plan.type, slot), power))
        for total, slot, factor in zip(self.totals, slots, factors, strict=True):
            old = f.get(plan.type, total)
            new = f.intrinsic("fmuladd", old, factor.value, f.get(plan.type, slot))
            f.set(total, new)

    def _gather(self, key: Value, count: Operand, factors: Sequence[Value]) -> None:
        """``outputs = outputs * factors + values' @ powers``."""
        f, plan = self.f, self.plan
        values = f.at(self.values.start, f.mul(key, self.values.row), plan.element)

        def tile(column: Operand, rows: int) -> None:
            left = Matrix(f.at(values, column, plan.element), 1, self.values.row)
            place = f.at(self.outputs, common.affine(f, [(column, plan.block)]), plan.element)
            add_product(
                f, left, Matrix(self.scores, plan.block, 1), Matrix(place, plan.block, 1),
                self.block.columns, rows, (0, count), factors,
            )  # fmt: skip

        rows = tile_rows(plan.vectors)
        in_tiles(f, plan.sizes.depth, rows, plan.sizes.depth % rows, tile)

    def finish(self, to: Value, keep: bool) -> None:
        """The outputs, and what the gradient needs to know of each query."""
        f, plan, s = self.f, self.plan, self.plan.sizes
        inverses = f.array(plan.element, plan.block)
        logarithms = []
        for v in range(plan.vectors):
            total = Lanes(f, f.get(plan.type, self.totals[v]))
            empty = total.equals(0.0)
            safe = Lanes(f, f.select(empty.value, 1.0, total.value))
            f.store((1.0 / safe).value, f.at(inverses, v * plan.lanes, plan.element))
            logarithm = self._safe(self.tops[v]) + log2(safe)
            logarithms.append(f.select(empty.value, float("inf"), logarithm.value))
        view = outputs_view(s)
        Rows(f, plan, view, to, self.head, self.block.first).turned_from(self.outputs, inverses)
        if keep:
            place = logarithms_of(f, plan, to, self.head, self.block.first)
            self.block.store_per_query(logarithms, place)


def outputs_view(s: Sizes) -> View:
    """The outputs in the result, as (batch, heads, queries, depth)."""
    n, q, h, d = row_major((s.batch, s.queries, s.heads, s.depth)).strides
    return View((s.batch, s.heads, s.queries, s.depth), (n, h, q, d))


def logarithms_of(
    f: Function, plan: Plan, memory: Value, head: Sequence[Operand], first: Operand
) -> Value:
    """Where the logarithms of the queries from ``first`` on lie."""
    s = plan.sizes
    strides = row_major((s.batch, s.heads, s.queries)).strides
    terms = list(zip((*head, first), strides, strict=True))
    return f.at(memory, common.affine(f, terms, s.outputs), plan.element)
