"""Values added to windows of one array: what the gradients of many slices come to."""

from __future__ import annotations

from facula.base import dtypes
from facula.engines.native.ir import Function, Operand, Value
from facula.engines.native.kernel import Kernel, Lowered, Piece, given, result
from facula.engines.native.scalars import types
from facula.engines.native.structured import common, moves
from facula.engines.native.structured.boxes import Box, box_kernel
from facula.engines.native.structured.scatters import fresh


def window_sum_into(params, specs, out) -> Lowered | None:
    """Operands: what is added to unless that is ``zeros``, then each value and its starts."""
    if out.dtype not in (dtypes.float32, dtypes.float64):
        return None
    pieces = fresh(out, params["zeros"])
    at = 0 if params["zeros"] else 1
    for axes, sizes, steps in params["parts"]:
        starts = specs[at + 1 : at + 1 + len(axes)]
        where = {"axes": axes, "sizes": sizes, "steps": steps}
        if not moves.fits(out, where, starts):
            return None
        count = 1 + len(starts)
        operands = (*[given(at + i) for i in range(count)], result())
        pieces.append(Piece(_add_kernel(where, out, specs[at], starts), operands, (count,)))
        at += count
    return Lowered(pieces)


def _add_kernel(where, out, value, starts) -> Kernel:
    """Adds operand 0 to the window of the last operand that starts where the others say."""
    place, known = moves.place_of_window(out, where, starts)
    element = types.storage(out.dtype)
    sizes = where["sizes"]
    strides = common.broadcast_strides(value.shape, sizes)
    box = Box(sizes, strides, moves.stepped(out, where))

    def places(f: Function, pointers):
        return pointers[0], f.at(pointers[-1], place(f, pointers[1:-1]), element)

    key = (out.shape, known, sizes, where["steps"])
    return box_kernel("window add", key, element, box, 2 + len(starts), places, _add_steps)


def _add_steps(f: Function, element: str, count: Operand, source, to, steps) -> None:
    """Add ``count`` elements to others; they lie ``steps`` apart."""
    if steps != (1, 1):
        with f.loop(0, count) as i:
            place = f.at(to, f.mul(i, steps[1]), element)
            value = f.load(element, f.at(source, f.mul(i, steps[0]), element))
            f.store(f.op("fadd", f.load(element, place), value), place)
        return

    def move(index: Operand, lanes: int, mask: Value | None) -> None:
        type_ = f"<{lanes} x {element}>" if lanes > 1 else element
        place = f.at(to, index, element)
        value = common.raw_load(f, type_, f.at(source, index, element), mask)
        total = f.op("fadd", common.raw_load(f, type_, place, mask), value)
        common.raw_store(f, total, place, mask)

    common.in_vectors(f, element, count, move)
