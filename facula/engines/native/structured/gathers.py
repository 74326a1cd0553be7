"""gather and index: elements and rows read at positions that index arrays give."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from facula.base import dtypes
from facula.engines.native import ir
from facula.engines.native.ir import Function, Value
from facula.engines.native.kernel import STATUS, Kernel, Lowered, Piece, Ref, given, result
from facula.engines.native.structured import common


def integers(specs) -> bool:
    """Whether all are arrays of integers, as indices must be."""
    return all(s.dtype.category == dtypes.INTEGER and not s.weak for s in specs)


AT_ONCE = 8  # indices that are checked together


def gather(params, specs, out) -> Lowered | None:
    """Each element of the index picks one of its column: x[i, index[i, j, k], k]."""
    x, index = specs
    if not integers([index]):
        return None
    axis, shape = params["axis"], index.shape
    element = common.raw(x.dtype)
    strides = common.broadcast_strides(x.shape, x.shape)
    along, size = strides[axis], x.shape[axis]
    strides[axis] = 0
    last, lines = shape[-1], prod(shape[:-1])
    block = max(1, min(lines, 64 // max(1, last)))

    def body(f: Function, pointers, unit) -> None:
        start = f.mul(unit, block)
        stop = f.intrinsic("smin", f.add(start, block), f.typed(lines, "i64"))
        with f.loop(start, stop) as line:
            around = common.affine(f, list(zip(common.unravel(f, line, shape[:-1]), strides)))
            source = f.at(pointers[0], around, element)
            flat = f.mul(line, last)

            def pick(column, number: Value) -> None:
                from_ = common.affine(f, [(number, along), (column, strides[-1])])
                value = f.load(element, f.at(source, from_, element))
                f.store(value, f.at(pointers[2], f.add(flat, column), element))

            _checked_columns(f, index.dtype, pointers[1], flat, last, pointers[3], size, pick)

    key = (element, index.dtype.name, x.shape, shape, axis)
    units = -(-lines // block) if index.numel else 0
    unit_ns = block * (3.0 + last * 0.6)
    kernel = common.kernel("gather", key, 4, units, unit_ns, body)
    operands = (given(0), given(1), result(), STATUS)
    return Lowered([Piece(kernel, operands, (2,), ((given(1), size),))])


def _checked_columns(
    f: Function, own, pointer: Value, flat: Value, count: int, status: Value, size: int, pick
) -> None:
    """``pick(column, index)`` for a line of indices, all but the bad ones, which are reported."""

    def one_by_one(first, stop) -> None:
        with f.loop(first, stop) as column:
            skip = f.label()
            number = common.index_load(f, own, pointer, f.add(flat, column))
            common.checked(f, status, number, size, skip)
            pick(column, number)
            f.jump(skip)
            f.place(skip)

    whole = count // AT_ONCE * AT_ONCE
    if whole:
        with f.loop(0, whole, AT_ONCE) as first:
            element = common.raw(own)
            place = f.at(pointer, f.add(flat, first), element)
            numbers = f.load(ir.vector(element, AT_ONCE), place)
            numbers = f.convert("sext" if own.is_signed else "zext", numbers, "i64")
            bad = f.compare("icmp uge", numbers, size)
            bits = f.new(f"i{AT_ONCE}", f"bitcast {bad} to i{AT_ONCE}")
            good, mixed, done = f.label(), f.label(), f.label()
            f.branch(f.compare("icmp eq", bits, 0), good, mixed)
            f.place(good)
            for i in range(AT_ONCE):
                column = f.add(first, i)
                pick(column, common.index_load(f, own, pointer, f.add(flat, column)))
            f.jump(done)
            f.place(mixed)
            one_by_one(first, f.add(first, AT_ONCE))
            f.jump(done)
            f.place(done)
    if count > whole:
        one_by_one(whole, count)


class Rows:
    """Where index arrays point: x[i0, i1, ...] as numbers of rows, for each position of them."""

    def __init__(self, x, indices):
        self.count = len(indices)
        self.sizes = x.shape[: self.count]
        self.row = prod(x.shape[self.count :])
        self.lead = _joined([i.shape for i in indices])
        self.positions = prod(self.lead)
        self.indices = indices
        self.strides = [common.broadcast_strides(i.shape, self.lead) for i in indices]

    @property
    def key(self) -> tuple:
        return (self.sizes, self.row, *[(i.dtype.name, i.shape) for i in self.indices])

    def checks(self, indices: Sequence[Ref]) -> tuple[tuple[Ref, int], ...]:
        """What :meth:`at` has checked when all positions are done."""
        return tuple(zip(indices, self.sizes))

    def at(self, f: Function, pointers, status: Value, position, skip: str) -> Value:
        """The number of the row at a position; a bad index is reported and leads to ``skip``."""
        found = ir.constant("i64", 0)
        plain = common.broadcast_strides(self.lead, self.lead)
        coordinates = None
        for i, spec in enumerate(self.indices):
            place = position
            if self.strides[i] != plain:
                coordinates = coordinates or common.unravel(f, position, self.lead)
                place = common.affine(f, list(zip(coordinates, self.strides[i])))
            index = common.index_load(f, spec.dtype, pointers[i], place)
            common.checked(f, status, index, self.sizes[i], skip)
            found = index if i == 0 else f.add(f.mul(found, self.sizes[i]), index)
        return found


def _joined(shapes) -> tuple[int, ...]:
    ndim = max(map(len, shapes))
    padded = [(1,) * (ndim - len(s)) + tuple(s) for s in shapes]
    return tuple([max(sizes) if 0 not in sizes else 0 for sizes in zip(*padded)])


def index(params, specs, out) -> Lowered | None:
    """x[i0, i1, ...]: a row is copied with vectors for each position of the indices."""
    x, *indices = specs
    if not indices or not integers(indices):
        return None
    return Lowered([_index_piece(x, indices)])


def _index_piece(x, indices) -> Piece:
    rows = Rows(x, indices)
    element, status = common.raw(x.dtype), 2 + rows.count

    def body(f: Function, pointers, unit) -> None:
        skip = f.label()
        number = rows.at(f, pointers[1 : 1 + rows.count], pointers[status], unit, skip)
        source = f.at(pointers[0], f.mul(number, rows.row), element)
        to = f.at(pointers[1 + rows.count], f.mul(unit, rows.row), element)
        common.copy_run(f, element, rows.row, source, to)
        f.jump(skip)
        f.place(skip)

    unit_ns = 2.0 * rows.count + rows.row * x.dtype.numpy.itemsize / 20
    units = rows.positions if rows.row else 0
    kernel: Kernel = common.kernel("index", (element, rows.key), status + 1, units, unit_ns, body)
    inputs = [given(i) for i in range(1 + rows.count)]
    operands = (*inputs, result(), STATUS)
    return Piece(kernel, operands, (1 + rows.count,), rows.checks(inputs[1:]))
