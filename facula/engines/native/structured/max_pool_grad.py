"""The gradient of max pooling in one pass: each window's maximum is found again and given g.

No index array is made. Windows that lie apart (most pools) write each element of the result once;
where windows overlap, a plane is zeroed and g is added at the maxima, in the order of the windows.
"""

from __future__ import annotations

from functools import partial
from math import prod

from facula.base import dtypes
from facula.base.dtypes import dtype
from facula.engines.native import ir
from facula.engines.native.ir import Function, Value
from facula.engines.native.kernel import Kernel, Lowered, Piece, given, result, temporary
from facula.engines.native.scalars import types
from facula.engines.native.structured import common, elements
from facula.engines.native.structured.geometry import (
    SHUFFLED,
    UNROLLED,
    Geometry,
    Row,
    geometry,
    mask_of,
    vectors,
)  # fmt: skip
from facula.engines.native.structured.windows import (
    Windows,
    argmax_vector,
    better,
    first_inside,
    place_in_plane,
    store_interleaved,
)  # fmt: skip


def max_pool_grad(params, x, relu: bool) -> Lowered | None:
    """Operands x and g; the result is like x. ``relu``: 0 where x is not positive."""
    g, own = geometry(params, x.shape), x.dtype
    if g.plane >= 1 << 31 or not elements.is_float(own):
        return None
    place = place_in_plane(g, own) if g.whole() else None
    if place is not None:
        put = _plane_kernel(g, own, relu)
        find = Piece(place, (given(0), temporary(0)), (1,))
        write = Piece(put, (given(0), given(1), temporary(0), result()), (3,))
        return Lowered([find, write], [8 * g.lead])
    return Lowered([Piece(_kernel(g, own, relu), (given(0), given(1), result()), (2,))])


def _kernel(g: Geometry, own: dtype, relu: bool) -> Kernel:
    element = types.compute(own)
    if g.apart() and len(g.positions) <= UNROLLED and g.stride[-1] <= SHUFFLED:
        make, width = _plane_apart, _groups(g)
    else:
        make, width = _plane_overlapping, g.out[-1]
    lanes = common.fewest_lanes(element, width)

    def body(f, pointers, unit):
        make(f, g, own, pointers, unit, lanes, relu)

    vectors_in_plane = prod(g.out[:-1]) * -(-width // lanes)
    unit_ns = 5.0 + vectors_in_plane * (2.0 + 2.0 * prod(g.kernel)) + g.plane * 0.03
    if make is _plane_overlapping:
        unit_ns += prod(g.out) * 1.0
    key = (own.name, g, lanes, relu)
    return common.kernel("max_pool_grad", key, 3, g.lead, unit_ns, body)


def _plane_kernel(g: Geometry, own: dtype, relu: bool) -> Kernel:
    """One window for each plane: its maximum gets all of g. Operands x, g, places, the result."""
    storage = types.storage(own)

    def body(f: Function, pointers, unit) -> None:
        first = f.mul(unit, g.plane)
        to = f.at(pointers[3], first, storage)
        common.copy_run(f, common.raw(own), g.plane, None, to)
        at = f.load("i64", f.at(pointers[2], unit, "i64"))
        share = f.load(storage, f.at(pointers[1], unit, storage))
        if relu:
            seen = types.load(f, own, f.at(pointers[0], f.add(first, at), storage), 1)
            share = f.select(f.compare("fcmp ole", seen, 0), ir.constant(storage, 0), share)
        f.store(share, f.at(to, at, storage))

    unit_ns = 3.0 + g.plane * own.numpy.itemsize / 30
    return common.kernel("max_plane_grad", (own.name, g, relu), 4, g.lead, unit_ns, body)


# Windows that lie apart ---------------------------------------------------------------------------


def _groups(g: Geometry) -> int:
    """Vectors of windows cover the whole row of the input, also what no window meets."""
    return -(-(g.sizes[-1] + g.low[-1]) // g.stride[-1])


def _tiled(g: Geometry) -> bool:
    """Whether windows meet every row of the plane."""
    return all(
        g.low[i] == 0 and g.kernel[i] == g.stride[i] and g.out[i] * g.stride[i] == g.sizes[i]
        for i in range(g.rank - 1)
    )


def _plane_apart(f: Function, g: Geometry, own: dtype, pointers, plane: Value, lanes, relu) -> None:
    if not _tiled(g):
        element = common.raw(own)
        start = f.at(pointers[2], f.mul(plane, g.plane), element)
        common.copy_run(f, element, g.plane, None, start)
    with f.loop(0, prod(g.out[:-1])) as row:
        at = [plane, *common.unravel(f, row, g.out[:-1])]
        from_row = f.mul(f.add(f.mul(plane, prod(g.out[:-1])), row), g.out[-1])
        grad = f.at(pointers[1], from_row, types.storage(own))

        def one(first, used, at=at, grad=grad):
            _vector_apart(f, g, own, pointers, at, grad, first, lanes, relu)

        vectors(f, _groups(g), lanes, one)


def _vector_apart(f, g: Geometry, own, pointers, at, grad, first, lanes, relu) -> None:
    value = Row(f, own, grad, first, g.out[-1], 1, lanes, lanes, 0).piece(0)
    windows = Windows(f, own, g, pointers[0], at, first, lanes, lanes, elements.lowest(own))
    which = _which(f, g, own, windows) if value.name[0] == "%" else None
    zero = ir.constant(value.type, 0)

    def write(number: int, row: Row, start) -> None:
        shares = [zero] * g.stride[-1]
        for k in range(g.kernel[-1] if which else 0):
            hit = f.compare("icmp eq", which, number + k)
            shares[k] = f.select(hit, value, zero)

        def keep(j: int, share: Value) -> Value:
            dead = f.compare("fcmp ole", row.piece(j * lanes), 0)
            return f.select(dead, zero, share)

        store_interleaved(
            f, own, shares, pointers[2], start, windows.base(), g.sizes[-1], keep if relu else None
        )

    for number, place in enumerate(windows.places()):
        windows.at_row(place, partial(write, number * g.kernel[-1]))


def _which(f: Function, g: Geometry, own: dtype, windows: Windows) -> Value:
    """The number of the kernel position that holds each window's maximum, as i32."""
    lanes = windows.lanes
    best = f.variable(ir.vector(types.compute(own), lanes), elements.lowest(own))
    which = f.variable(ir.vector("i32", lanes), _first_position(f, g, windows))

    def visit(value, place, column):
        now = f.get(value.type, best)
        take = better(f, own, value, now)
        f.set(best, f.select(take, value, now))
        number = column
        for axis, k in enumerate(place):
            number += k * prod(g.kernel[axis + 1 :])
        f.set(which, f.select(take, number, f.get(ir.vector("i32", lanes), which)))

    windows.visit(visit)
    return f.get(ir.vector("i32", lanes), which)


def _first_position(f: Function, g: Geometry, windows: Windows) -> Value:
    """The kernel position of each window's first element inside the input."""
    lanes = windows.lanes
    found = ir.constant(ir.vector("i32", lanes), 0)
    for axis in range(g.rank - 1):
        if g.low[axis]:
            skipped = first_inside(f, windows.input_row(axis, 0), 1)
            number = f.mul(f.typed(skipped, "i64"), prod(g.kernel[axis + 1 :]))
            found = f.op("add", found, f.new("i32", f"trunc {number} to i32"))
    if g.low[-1]:
        base = windows.base()
        if isinstance(base, Value):
            base = f.new("i32", f"trunc {base} to i32")
        start = f.op("add", f.op("mul", f.lane_numbers(lanes, "i32"), g.stride[-1]), base)
        found = f.op("add", found, first_inside(f, start, 1))
    return found


# Windows that overlap -----------------------------------------------------------------------------


def _plane_overlapping(f, g: Geometry, own: dtype, pointers, plane: Value, lanes, relu) -> None:
    storage = types.storage(own)
    start = f.mul(plane, g.plane)
    to = f.at(pointers[2], start, storage)
    common.copy_run(f, common.raw(own), g.plane, None, to)
    places, shares = f.array("i32", lanes), f.array(storage, lanes)
    with f.loop(0, prod(g.out[:-1])) as row:
        at = [plane, *common.unravel(f, row, g.out[:-1])]
        from_row = f.mul(f.add(f.mul(plane, prod(g.out[:-1])), row), g.out[-1])
        grad = f.at(pointers[1], from_row, storage)

        def one(first, used, at=at, grad=grad):
            windows = Windows(f, own, g, pointers[0], at, first, lanes, used, elements.lowest(own))
            f.store(argmax_vector(windows), places)
            mask, vector = mask_of(lanes, used), ir.vector(storage, lanes)
            share = common.raw_load(f, vector, f.at(grad, first, storage), mask)
            f.store(share, shares)
            with f.loop(0, used) as lane:
                place = f.load("i32", f.at(places, lane, "i32"))
                place = f.at(to, f.convert("zext", place, "i64"), storage)
                _accumulate(f, own, place, f.load(storage, f.at(shares, lane, storage)))

        vectors(f, g.out[-1], lanes, one)
    if relu or own is dtypes.bfloat16:
        _finish(f, own, f.at(pointers[0], start, storage), to, g.plane, relu)


def _accumulate(f: Function, own: dtype, place: Value, share: Value) -> None:
    """Add in the type in memory: bfloat16 sums are kept in float32 until they are complete."""
    now = f.load(share.type, place)
    f.store(f.op("fadd", now, share), place)


def _finish(f: Function, own: dtype, x: Value, to: Value, count: int, relu: bool) -> None:
    storage = types.storage(own)
    lanes = common.fewest_lanes(types.compute(own), count)

    def one(first, used):
        mask, place = mask_of(lanes, used), f.at(to, first, storage)
        value = elements.load(f, own, place, lanes, mask)
        if relu:
            seen = elements.load(f, own, f.at(x, first, storage), lanes, mask)
            value = f.select(f.compare("fcmp ole", seen, 0), 0, value)
        elements.store(f, own, value, place, mask)

    vectors(f, count, lanes, one)
