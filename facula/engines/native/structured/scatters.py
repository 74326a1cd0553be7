"""scatter and index_put: values written at positions that index arrays give.

Several values may go to one place: they are taken in the order of the indices, whatever the number
of threads, because a chunk owns columns of the result and goes through all the indices for them.
"""

from __future__ import annotations

from math import prod

from facula.base import dtypes
from facula.base.dtypes import dtype
from facula.engines.native import ir
from facula.engines.native.ir import Function, Operand, Value
from facula.engines.native.kernel import STATUS, Lowered, Piece, given, result
from facula.engines.native.scalars import types
from facula.engines.native.structured import common, elements
from facula.engines.native.structured.gathers import Rows, integers


def fresh(x, zeros: bool) -> list[Piece]:
    """The result as a copy of operand 0, or as zeros."""
    kernel = common.copy_kernel(x.dtype, x.numel, zeros)
    operands = (result(),) if zeros else (given(0), result())
    return [Piece(kernel, operands, (len(operands) - 1,))]


def rounded(x, mode: str) -> list[Piece]:
    """Sums of bfloat16 are kept in float32 until they are complete, then rounded."""
    if x.dtype is not dtypes.bfloat16 or mode not in ("add", "multiply"):
        return []
    lanes, block = common.fewest_lanes("float", x.numel), 1024

    def body(f: Function, pointers, unit) -> None:
        start = f.mul(unit, block)
        stop = f.intrinsic("smin", f.add(start, block), f.typed(x.numel, "i64"))
        with f.loop(start, stop, lanes) as at:
            left = f.op("sub", stop, at)
            mask = common.tail_mask(f, lanes, left) if lanes > 1 else None
            place = f.at(pointers[0], at, "float")
            elements.store(f, x.dtype, types.load(f, x.dtype, place, lanes, mask), place, mask)

    units = -(-x.numel // block)
    kernel = common.kernel("round", (x.numel, lanes), 1, units, 100.0, body)
    return [Piece(kernel, (result(),), (0,))]


def update(f: Function, own: dtype, mode: str, place: Value, value: Value, mask, lanes) -> None:
    """Combine a vector in memory with values in their storage type."""
    storage = types.storage(own)
    if mode == "set":
        common.raw_store(f, value, place, mask)
        return
    now = common.raw_load(f, ir.vector(storage, lanes), place, mask)
    if own.category == dtypes.BOOL:
        name = "or" if mode in ("add", "maximum") else "and"
        found = f.op(name, now, value)
    else:
        if storage == "half":
            now, value = f.convert("fpext", now, "float"), f.convert("fpext", value, "float")
        found = _combined(f, own, mode, value, now)
        if storage == "half":
            found = f.convert("fptrunc", found, "half")
    common.raw_store(f, found, place, mask)


def _combined(f: Function, own: dtype, mode: str, value: Value, now: Value) -> Value:
    if mode == "add":
        return elements.add(f, own, now, value)
    if mode == "multiply":
        return elements.multiply(f, own, now, value)
    return elements.extreme(f, own, "gt" if mode == "maximum" else "lt", value, now)


def scatter(params, specs, out, zeros: bool = False) -> Lowered | None:
    """Columns along the axis never meet each other: they are the units of work."""
    x, index, values = specs
    if not integers([index]) or values.weak or values.dtype is not x.dtype:
        return None
    pieces = fresh(x, zeros)
    if index.numel:
        pieces.append(_scatter_piece(params, x, index, values))
        pieces += rounded(x, params["mode"])
    return Lowered(pieces)


def _scatter_piece(params, x, index, values) -> Piece:
    axis, mode = params["axis"], params["mode"]
    own, storage = x.dtype, types.storage(x.dtype)
    shape = index.shape
    others = [n for i, n in enumerate(shape) if i != axis]
    strides_of = {
        0: common.broadcast_strides(shape, shape),
        1: common.broadcast_strides(values.shape, shape),
        2: common.broadcast_strides(x.shape, x.shape),
    }
    along = [s[axis] for s in strides_of.values()]
    across = [[s for i, s in enumerate(t) if i != axis] for t in strides_of.values()]

    def body(f: Function, pointers, unit) -> None:
        at = common.unravel(f, unit, others)
        index_at, value_at, place_at = (common.affine(f, list(zip(at, s))) for s in across)
        with f.loop(0, shape[axis]) as i:
            skip = f.label()
            number = f.add(f.mul(i, along[0]), index_at)
            to = common.index_load(f, index.dtype, pointers[0], number)
            common.checked(f, pointers[3], to, x.shape[axis], skip)
            from_ = common.affine(f, [(i, along[1]), (value_at, 1)])
            value = f.load(storage, f.at(pointers[1], from_, storage))
            place = f.at(pointers[2], f.add(f.mul(to, along[2]), place_at), storage)
            update(f, own, mode, place, value, None, 1)
            f.jump(skip)
            f.place(skip)

    key = (own.name, index.dtype.name, x.shape, shape, values.shape, axis, mode)
    unit_ns = 2.0 + 2.0 * shape[axis]
    kernel = common.kernel("scatter", key, 4, prod(others), unit_ns, body)
    operands = (given(1), given(2), result(), STATUS)
    return Piece(kernel, operands, (2,), ((given(1), x.shape[axis]),))


def index_put(params, specs, out, zeros: bool = False) -> Lowered | None:
    x, values, *indices = specs
    if not indices or not integers(indices) or values.weak or values.dtype is not x.dtype:
        return None
    rows = Rows(x, indices)
    pieces = fresh(x, zeros)
    if rows.positions and rows.row:
        pieces.append(_index_put_piece(params["mode"], x, values, rows))
        pieces += rounded(x, params["mode"])
    return Lowered(pieces)


def _index_put_piece(mode: str, x, values, rows: Rows) -> Piece:
    """A unit is a block of columns of the rows, for all positions of the indices in order."""
    own, storage = x.dtype, types.storage(x.dtype)
    lanes = common.fewest_lanes(storage, rows.row)
    block = _column_block(rows, lanes, 64 // own.numpy.itemsize)
    shape = (*rows.lead, *x.shape[rows.count :])
    strides = common.broadcast_strides(values.shape, shape)
    inner, lead = strides[len(rows.lead) :], strides[: len(rows.lead)]
    # The row of values is one run of memory, one value for all, or (rarely) neither.
    wide = common.broadcast_strides(x.shape[rows.count :], x.shape[rows.count :])
    spread = not any(inner)
    if not spread and inner != wide:
        lanes = 1
    status = 2 + rows.count

    def body(f: Function, pointers, unit) -> None:
        first = f.mul(unit, block)
        stop: Operand = block
        if rows.row % block:
            stop = f.intrinsic("smin", f.op("sub", ir.constant("i64", rows.row), first),
                               ir.constant("i64", block))  # fmt: skip
        with f.loop(0, rows.positions) as position:
            skip = f.label()
            number = rows.at(f, pointers[1 : 1 + rows.count], pointers[status], position, skip)
            at = common.unravel(f, position, rows.lead)
            source = common.affine(f, list(zip(at, lead)))
            with f.loop(0, stop, lanes) as column:
                place = f.add(first, column)
                mask = None
                if lanes > 1 and (rows.row % block or block % lanes):
                    mask = common.tail_mask(f, lanes, f.op("sub", stop, column))
                from_ = source if spread else _value_place(f, x, rows, inner, wide, source, place)
                pointer = f.at(pointers[0], from_, storage)
                if spread:
                    value = f.splat(f.load(storage, pointer), lanes)
                else:
                    value = common.raw_load(f, ir.vector(storage, lanes), pointer, mask)
                to = f.at(pointers[1 + rows.count], f.add(f.mul(number, rows.row), place), storage)
                update(f, own, mode, to, value, mask, lanes)
            f.jump(skip)
            f.place(skip)

    key = (own.name, rows.key, values.shape, mode, lanes, block)
    unit_ns = rows.positions * (2.0 * rows.count + 1.0 + 1.0 * -(-block // lanes))
    units = -(-rows.row // block)
    kernel = common.kernel("index_put", key, status + 1, units, unit_ns, body)
    inputs = [given(1), *[given(2 + i) for i in range(rows.count)]]
    operands = (*inputs, result(), STATUS)
    return Piece(kernel, operands, (1 + rows.count,), rows.checks(inputs[1:]))


def _column_block(rows: Rows, lanes: int, line: int) -> int:
    """Columns of a chunk: whole cache lines, about 16 chunks at most."""
    least = -(-max(line, lanes) // lanes) * lanes
    return max(least, -(-rows.row // (16 * least)) * least)


def _value_place(f, x, rows: Rows, inner, wide, source: Operand, column: Value) -> Operand:
    if inner == wide:
        return common.affine(f, [(source, 1), (column, 1)])
    at = common.unravel(f, column, x.shape[rows.count :])
    return common.affine(f, [(source, 1), *zip(at, inner)])
