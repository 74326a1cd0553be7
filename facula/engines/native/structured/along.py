"""index and index_put behind some leading axes: the same positions in every plane.

Where what an index picks is a single element, several planes go together: an index is read and
checked once for all of them, and sums into one place do not wait for each other.
"""

from __future__ import annotations

from math import prod

from facula.engines.native.ir import Function, Value, constant, vector
from facula.engines.native.kernel import STATUS, Kernel, Lowered, Piece, given, result
from facula.engines.native.scalars import types
from facula.engines.native.structured import common
from facula.engines.native.structured.gathers import Rows, integers
from facula.engines.native.structured.scatters import fresh, rounded, update
from facula.graph.spec import Spec, spec

TOGETHER = (8, 4, 2)  # planes whose single elements are moved side by side
RUN_BYTES = 2048  # what a unit of work moves at least


class Planes:
    """The leading axes of ``x`` and, in each plane behind them, the rows that indices pick."""

    def __init__(self, x: Spec, indices, lead: int):
        self.count = prod(x.shape[:lead])
        self.rows = Rows(spec(x.shape[lead:], x.dtype), indices)
        self.inside = prod(x.shape[lead:])
        self.picked = self.rows.positions * self.rows.row
        together = [n for n in TOGETHER if self.count % n == 0]
        self.together = together[0] if self.rows.row == 1 and together else 1

    @property
    def key(self) -> tuple:
        return (self.count, self.together, self.rows.key)

    def starts(self, f: Function, pointer: Value, group, size: int, element: str) -> list[Value]:
        """Where the planes of a group begin in an array that has ``size`` elements for each."""
        first = common.affine(f, [(group, self.together * size)])
        at = f.at(pointer, first, element)
        return [f.at(at, i * size, element) for i in range(self.together)]


def index_along(params, specs, out) -> Lowered | None:
    """Operands: x and the indices for the axes after the first ``lead``."""
    x, *indices = specs
    if not indices or not integers(indices) or x.weak:
        return None
    planes = Planes(x, indices, params["lead"])
    rows, element = planes.rows, common.raw(x.dtype)
    row_bytes = rows.row * x.dtype.numpy.itemsize * planes.together
    block = min(rows.positions, max(1, RUN_BYTES // max(1, row_bytes))) or 1
    blocks = -(-rows.positions // block)
    status = 2 + rows.count

    def body(f: Function, pointers, unit) -> None:
        group, part = common.unravel(f, unit, (planes.count // planes.together, blocks))
        sources = planes.starts(f, pointers[0], group, planes.inside, element)
        targets = planes.starts(f, pointers[1 + rows.count], group, planes.picked, element)
        first = f.typed(common.affine(f, [(part, block)]), "i64")
        stop = f.intrinsic("smin", f.add(first, block), constant("i64", rows.positions))
        with f.loop(first, stop) as position:
            skip = f.label()
            number = rows.at(f, pointers[1 : 1 + rows.count], pointers[status], position, skip)
            at, to = f.mul(number, rows.row), f.mul(position, rows.row)
            for source, target in zip(sources, targets):
                here, there = f.at(source, at, element), f.at(target, to, element)
                common.copy_run(f, element, rows.row, here, there)
            f.jump(skip)
            f.place(skip)

    key = (element, planes.key, block)
    unit_ns = 3.0 + block * planes.together * (0.4 + rows.row * x.dtype.numpy.itemsize / 20)
    units = planes.count // planes.together * blocks if rows.row else 0
    kernel = common.kernel("index_along", key, status + 1, units, unit_ns, body)
    inputs = [given(i) for i in range(1 + rows.count)]
    operands = (*inputs, result(), STATUS)
    return Lowered([Piece(kernel, operands, (1 + rows.count,), rows.checks(inputs[1:]))])


def index_put_along(params, specs, out, zeros: bool = False) -> Lowered | None:
    """Operands: x unless it is zeros, values of the full shape, and the indices."""
    x, values, *indices = specs
    if not indices or not integers(indices) or values.weak or values.dtype is not x.dtype:
        return None
    planes = Planes(x, indices, params["lead"])
    pieces = fresh(x, zeros)
    if planes.count and planes.picked:
        kernel = _put_kernel(params["mode"], x, planes)
        inputs = [given(1), *[given(2 + i) for i in range(planes.rows.count)]]
        operands, place = (*inputs, result(), STATUS), 1 + planes.rows.count
        piece = Piece(kernel, operands, (place,), planes.rows.checks(inputs[1:]))
        pieces += [piece, *rounded(x, params["mode"])]
    return Lowered(pieces)


def _put_kernel(mode: str, x: Spec, planes: Planes) -> Kernel:
    """A unit is a block of columns in one group of planes, for all positions in their order."""
    rows, own, storage = planes.rows, x.dtype, types.storage(x.dtype)
    lanes = common.fewest_lanes(storage, rows.row)
    groups = planes.count // planes.together
    wanted = max(1, 16 // groups)  # blocks in a plane
    line = max(lanes, 64 // own.numpy.itemsize)
    block = min(rows.row, -(-rows.row // (wanted * line)) * line)
    blocks = -(-rows.row // block)
    status = 2 + rows.count

    def body(f: Function, pointers, unit) -> None:
        group, part = common.unravel(f, unit, (groups, blocks))
        sources = planes.starts(f, pointers[0], group, planes.picked, storage)
        targets = planes.starts(f, pointers[1 + rows.count], group, planes.inside, storage)
        first = common.affine(f, [(part, block)])
        stop = f.intrinsic("smin", f.add(f.typed(first, "i64"), block), constant("i64", rows.row))
        with f.loop(0, rows.positions) as position:
            skip = f.label()
            number = rows.at(f, pointers[1 : 1 + rows.count], pointers[status], position, skip)
            at, to = f.mul(position, rows.row), f.mul(number, rows.row)

            def move(column, mask) -> None:
                for source, target in zip(sources, targets):
                    here = f.at(source, f.add(at, column), storage)
                    there = f.at(target, f.add(to, column), storage)
                    value = common.raw_load(f, vector(storage, lanes), here, mask)
                    update(f, own, mode, there, value, mask, lanes)

            if rows.row == 1:
                move(0, None)
            else:
                with f.loop(first, stop, lanes) as column:
                    whole = lanes == 1 or (block % lanes == 0 and rows.row % block == 0)
                    left = None if whole else f.op("sub", stop, column)
                    move(column, None if left is None else common.tail_mask(f, lanes, left))
            f.jump(skip)
            f.place(skip)

    key = (own.name, mode, planes.key, block, lanes)
    each = 1.0 * planes.together if rows.row == 1 else 1.0 + -(-block // lanes)
    unit_ns = 3.0 + rows.positions * (1.0 + each)
    return common.kernel("index_put_along", key, status + 1, groups * blocks, unit_ns, body)


# Known indices that come in few runs, as padding has ---------------------------------------------


def index_runs(params, specs, out) -> Lowered | None:
    """Operand: x; each run is copied."""
    (x,) = specs
    return None if x.weak else _runs(params, x, out, _copied_runs)


def add_runs(params, specs, out) -> Lowered | None:
    """Operand: the values, which are added run by run to zeros."""
    (values,) = specs
    return None if values.weak else _runs(params, values, out, _added_runs)


def _runs(params, x: Spec, out: Spec, move) -> Lowered:
    """A kernel whose units are a few planes each; ``move`` does one of them."""
    lead, runs = params["lead"], params["runs"]
    count, row = prod(x.shape[:lead]), prod(x.shape[lead + 1 :])
    sizes = (prod(x.shape[lead:]), prod(out.shape[lead:]))
    element = types.storage(x.dtype) if move is _added_runs else common.raw(x.dtype)

    def body(f: Function, pointers, unit) -> None:
        source = f.at(pointers[0], f.mul(unit, sizes[0]), element)
        target = f.at(pointers[1], f.mul(unit, sizes[1]), element)
        move(f, element, [(a * row, n * row) for a, n in runs], source, target, sizes[1])

    key = (element, count, row, sizes, runs)
    unit_ns = 2.0 + sum(sizes) * x.dtype.numpy.itemsize / 60 + len(runs)
    name = move.__name__.strip("_")
    kernel = common.kernel(name, key, 2, count if prod(sizes) else 0, unit_ns, body)
    return Lowered([Piece(kernel, (given(0), result()), (1,))])


def _copied_runs(f: Function, element: str, runs, source: Value, target: Value, size: int) -> None:
    at = 0
    for start, count in runs:
        here, there = f.at(source, start, element), f.at(target, at, element)
        common.copy_run(f, element, count, here, there)
        at += count


def _added_runs(f: Function, element: str, runs, source: Value, target: Value, size: int) -> None:
    common.copy_run(f, element, size, None, target)
    at = 0
    for start, count in runs:

        def move(index, lanes, mask, at=at, start=start) -> None:
            type_ = vector(element, lanes)
            place = f.at(f.at(target, start, element), index, element)
            value = common.raw_load(f, type_, f.at(f.at(source, at, element), index, element), mask)
            total = f.op("fadd", common.raw_load(f, type_, place, mask), value)
            common.raw_store(f, total, place, mask)

        common.in_vectors(f, element, count, move)
        at += count
