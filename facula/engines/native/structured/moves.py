"""Movement that no view describes: windows that start anywhere, updates, pad, concat, bitcast."""

from __future__ import annotations

from math import prod

from facula.base import dtypes
from facula.engines.native import ir
from facula.engines.native.ir import Function, Operand, Value
from facula.engines.native.kernel import Kernel, Lowered, Piece, given, result
from facula.engines.native.structured import common
from facula.engines.native.structured.boxes import Box, box_kernel
from facula.engines.native.structured.scatters import fresh

# Windows that start where operands say -----------------------------------------------------------


def place_of_window(x, params, starts):
    """``place(f, pointers)``: the number of the window's first element in an array like ``x``.

    A window always lies inside: a start that would leave the array is moved, as ``slice`` would.
    """
    strides = common.broadcast_strides(x.shape, x.shape)
    known = tuple([(axis, s.dtype.name, s.weak) for axis, s in zip(params["axes"], starts)])

    def place(f: Function, pointers: list[Value]) -> Value:
        terms = []
        for axis, spec, pointer in zip(params["axes"], starts, pointers):
            own = dtypes.int64 if spec.weak else spec.dtype
            first = common.index_load(f, own, pointer, 0)
            reach = (params["sizes"][axis] - 1) * params["steps"][axis] + 1
            last = ir.constant("i64", max(0, x.shape[axis] - max(reach, 0)))
            first = f.intrinsic("smin", first, last)
            first = f.intrinsic("smax", first, ir.constant("i64", 0))
            terms.append((first, strides[axis]))
        return f.typed(common.affine(f, terms), "i64")

    return place, known


def stepped(x, params) -> list[int]:
    strides = common.broadcast_strides(x.shape, x.shape)
    return [s * step for s, step in zip(strides, params["steps"], strict=True)]


def fits(x, params, starts) -> bool:
    reach = [(size - 1) * step + 1 for size, step in zip(params["sizes"], params["steps"])]
    return all(n >= r for n, r in zip(x.shape, reach, strict=True)) and all(
        s.numel == 1 and s.dtype.category in (dtypes.BOOL, dtypes.INTEGER) for s in starts
    )


def window(params, specs, out) -> Lowered | None:
    x, *starts = specs
    if not fits(x, params, starts):
        return None
    place, known = place_of_window(x, params, starts)
    plain = common.broadcast_strides(out.shape, out.shape)
    box, element = Box(out.shape, stepped(x, params), plain), common.raw(x.dtype)

    def places(f: Function, pointers):
        return f.at(pointers[0], place(f, pointers[1:-1]), element), pointers[-1]

    count = 2 + len(starts)
    key = (x.shape, known, params["sizes"], params["steps"])
    kernel = box_kernel("window", key, element, box, count, places)
    inputs = [given(i) for i in range(count - 1)]
    return Lowered([Piece(kernel, (*inputs, result()), (count - 1,))])


def _same(x, value) -> bool:
    return value.dtype is x.dtype and not value.weak


def _update(x, value, sizes, steps, starts, params_key, place, zeros) -> Lowered:
    """The result as operand 0 (or zeros), then a box of it as operand 1."""
    box = Box(sizes, common.broadcast_strides(value.shape, sizes), steps)
    element = common.raw(x.dtype)

    def places(f: Function, pointers):
        return pointers[0], f.at(pointers[-1], place(f, pointers[1:-1]), element)

    count = 2 + len(starts)
    kernel = box_kernel("update", (x.shape, params_key), element, box, count, places)
    operands = (given(1), *[given(2 + i) for i in range(len(starts))], result())
    return Lowered([*fresh(x, zeros), Piece(kernel, operands, (count - 1,))])


def window_update(params, specs, out, zeros: bool = False) -> Lowered | None:
    x, value, *starts = specs
    if not fits(x, params, starts) or not _same(x, value):
        return None
    place, known = place_of_window(x, params, starts)
    key = (known, params["sizes"], params["steps"])
    sizes = params["sizes"]
    return _update(x, value, sizes, stepped(x, params), starts, key, place, zeros)


def slice_update(params, specs, out, zeros: bool = False) -> Lowered | None:
    x, value = specs
    if not _same(x, value):
        return None
    slices = list(zip(params["start"], params["stop"], params["step"], strict=True))
    bounds = [range(n)[slice(*s)] for n, s in zip(x.shape, slices, strict=True)]
    sizes = [len(b) for b in bounds]
    strides = common.broadcast_strides(x.shape, x.shape)
    steps = [s * b.step for s, b in zip(strides, bounds, strict=True)]
    first = sum([s * b.start for s, b in zip(strides, bounds, strict=True) if len(b)])

    def place(f: Function, pointers) -> Value:
        return ir.constant("i64", first)

    return _update(x, value, sizes, steps, (), first, place, zeros)


# Joining and padding ------------------------------------------------------------------------------


def pad(params, specs, out) -> Lowered | None:
    """A row of the result is low elements, a row of the operand and high ones, or all fill."""
    x, fill = specs
    if not _same(x, fill) or fill.numel != 1:
        return None
    return Lowered([Piece(_pad_kernel(params, x, out), (given(0), given(1), result()), (2,))])


def _pad_kernel(params, x, out) -> Kernel:
    low, high = params["low"], params["high"]
    padded = [i for i in range(x.ndim) if low[i] or high[i]]
    last = padded[-1] if padded else 0
    row = prod(x.shape[last + 1 :])
    inner = [n * row for n in (low[last], x.shape[last], high[last])] if x.ndim else [0, 1, 0]
    outer_x, outer, lows = x.shape[:last], out.shape[:last], low[:last]
    element = common.raw(x.dtype)

    def body(f: Function, pointers, unit) -> None:
        at = common.unravel(f, unit, outer)
        to = f.at(pointers[2], f.mul(unit, sum(inner)), element)
        value = f.load(element, pointers[1])
        terms, held = [], ir.constant("i1", True)
        for i, n in enumerate(outer_x):
            place = f.op("sub", f.typed(at[i], "i64"), lows[i])
            if outer[i] != n:
                held = f.op("and", held, f.compare("icmp ult", place, n))
            terms.append((place, inner[1] * prod(outer_x[i + 1 :])))
        with f.when(held):
            source = f.at(pointers[0], common.affine(f, terms), element)
            common.fill_run(f, value, inner[0], to)
            common.copy_run(f, element, inner[1], source, f.at(to, inner[0], element))
            common.fill_run(f, value, inner[2], f.at(to, inner[0] + inner[1], element))
        with f.when(f.op("xor", held, True)):
            common.fill_run(f, value, sum(inner), to)

    key = (element, x.shape, tuple(low), tuple(high))
    units = prod(outer) if sum(inner) else 0
    unit_ns = 3.0 + sum(inner) * x.dtype.numpy.itemsize / 20
    return common.kernel("pad", key, 3, units, unit_ns, body)


def concat(params, specs, out) -> Lowered | None:
    if any(not _same(specs[0], s) for s in specs):
        return None
    axis = params["axis"]
    runs = tuple([prod(s.shape[axis:]) for s in specs])
    outer = prod(out.shape[:axis])
    element, count = common.raw(out.dtype), len(specs)
    total = sum(runs)
    equal = runs.count(runs[0]) == count

    def one(f: Function, row, which: Operand, run: Operand, offset) -> None:
        source = f.load("ptr", f.at(f.arguments[0], which, "ptr"))
        source = f.at(source, common.affine(f, [(row, 1)]) if equal else f.mul(row, run), element)
        result_ = f.load("ptr", f.at(f.arguments[0], count, "ptr"))
        common.copy_run(f, element, run, source, f.at(result_, offset, element))

    def body(f: Function, pointers, unit) -> None:
        if equal:
            row, operand = common.unravel(f, unit, (outer, count))
            offset = f.mul(unit, runs[0])
            one(f, common.affine(f, [(row, runs[0])]), operand, runs[0], offset)
            return
        start = f.mul(unit, total)
        if count <= 4:
            for which in range(count):
                one(f, unit, which, runs[which], f.add(start, sum(runs[:which])))
            return
        sizes = f.table(f"{f.name}.runs", "i64", runs)
        starts = f.table(f"{f.name}.starts", "i64", [sum(runs[:i]) for i in range(count)])
        with f.loop(0, count) as i:
            offset = f.load("i64", f.at(starts, i, "i64"))
            one(f, unit, i, f.load("i64", f.at(sizes, i, "i64")), f.add(start, offset))

    units = (outer * count if equal else outer) if total else 0
    run_ns = 3.0 + total / count * out.dtype.numpy.itemsize / 20
    key = (element, runs, outer)
    kernel = common.kernel("concat", key, 0, units, run_ns * (1 if equal else count), body)
    operands = (*[given(i) for i in range(count)], result())
    return Lowered([Piece(kernel, operands, (count,))])


def bitcast(params, specs, out) -> Lowered | None:
    (x,) = specs
    if x.weak or x.numel * x.dtype.numpy.itemsize != out.numel * out.dtype.numpy.itemsize:
        return None
    kernel = common.copy_kernel(dtypes.uint8, out.numel * out.dtype.numpy.itemsize)
    return Lowered([Piece(kernel, (given(0), result()), (1,))])
