"""What the structured kernels share: units of work in chunks, coordinates, raw copies, checks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from facula.base.dtypes import dtype
from facula.engines.native import ir, target
from facula.engines.native.ir import Function, Operand, Value
from facula.engines.native.kernel import BAD_INDEX, Kernel

CHUNK_NS = 900.0
MOST_CHUNKS = 96

Body = Callable[[Function, list[Value], Value], None]
Move = Callable[[Operand, int, "Value | None"], None]


def chunked(units: int, unit_ns: float, most: int = MOST_CHUNKS) -> tuple[int, int]:
    """(chunks, units in each): enough work in a chunk to be worth handing to a thread."""
    wanted = max(1, min(units, most, int(units * unit_ns / CHUNK_NS)))
    each = -(-units // wanted) if units else 1
    return max(1, -(-units // each)), each


def kernel(
    kind: str, key: tuple, pointers: int, units: int, unit_ns: float, body: Body, most=MOST_CHUNKS
) -> Kernel:
    """A kernel that calls ``body(f, pointers, unit)`` for each unit of its chunks."""
    chunks, each = chunked(units, unit_ns, most)

    def emit(name: str) -> str:
        f = Function(name, ["ptr", "i64", "i64"])
        buffers, begin, end = f.arguments
        operands = [f.load("ptr", f.at(buffers, i, "ptr")) for i in range(pointers)]
        if units:
            stop = f.mul(end, each)
            if units % each:
                stop = f.intrinsic("smin", stop, ir.constant("i64", units))
            with f.loop(f.mul(begin, each), stop) as unit:
                body(f, operands, unit)
        f.ret()
        return f.text()

    text = repr((kind, key, units, each, chunks, target.vector_bits()))
    return Kernel(kind, text, emit, chunks, max(200.0, units * unit_ns))


def unravel(f: Function, flat: Operand, sizes: Sequence[int]) -> list[Operand]:
    """Coordinates of a position in an array of these sizes."""
    found: list[Operand] = []
    for i, size in enumerate(sizes):
        inner = prod(sizes[i + 1 :])
        if isinstance(flat, int):
            found.append(flat // inner % size)
        elif size == 1:
            found.append(0)
        else:
            at = flat if inner == 1 else f.op("udiv", flat, inner)
            found.append(at if prod(sizes[:i]) == 1 else f.op("urem", at, size))
    return found


def affine(f: Function, terms: Sequence[tuple[Operand, int]], start: int = 0) -> Operand:
    """``start`` plus the sum of index * stride."""
    total: Operand = start
    for index, stride in terms:
        if stride == 0:
            continue
        if isinstance(index, int):
            term: Operand = index * stride
        else:
            term = f.mul(index, stride)
        if isinstance(total, int) and isinstance(term, int):
            total += term
        else:
            total = f.add(total, term)
    return total


def broadcast_strides(shape: Sequence[int], to: Sequence[int]) -> list[int]:
    """Strides, in elements, of a row-major array of ``shape`` broadcast to ``to``."""
    strides = [0] * len(to)
    offset = len(to) - len(shape)
    for i, size in enumerate(shape):
        if size != 1:
            strides[offset + i] = prod(shape[i + 1 :])
    return strides


def vector_lanes(element: str) -> int:
    """Lanes of the CPU's vectors; 16-byte elements are moved one at a time."""
    return 1 if element == "i128" else target.lanes(element)


def fewest_lanes(element: str, count: int) -> int:
    """Lanes of a vector for ``count`` elements: the CPU's, or the fewest that hold them all."""
    full = vector_lanes(element)
    while full > 1 and full // 2 >= count:
        full //= 2
    return full


# Elements that are moved, not computed with -------------------------------------------------------

_RAW = {1: "i8", 2: "i16", 4: "i32", 8: "i64", 16: "i128"}


NONE = "zeroinitializer"  # how the constant mask of no lane is written


def raw(own: dtype) -> str:
    """The integer type that is as wide as an element in memory."""
    return _RAW[own.numpy.itemsize]


def tail_mask(f: Function, lanes: int, left: Operand) -> Value | None:
    """The mask of the first ``left`` lanes; None if that is all of them."""
    if isinstance(left, int):
        if left >= lanes:
            return None
        return bits([lane < left for lane in range(lanes)])
    count = f.new("i32", f"trunc {left} to i32")
    return f.compare("icmp slt", f.lane_numbers(lanes, "i32"), count)


def bits(values: Sequence[bool]) -> Value:
    """A constant mask."""
    if len(values) == 1:
        return ir.constant("i1", values[0])
    if not any(values):
        return Value(f"<{len(values)} x i1>", NONE)
    text = ", ".join(["i1 true" if v else "i1 false" for v in values])
    return Value(f"<{len(values)} x i1>", f"<{text}>")


def raw_load(f: Function, type_: str, pointer: Value, mask: Value | None) -> Value:
    """A vector of memory; the lanes outside ``mask`` are 0 and not touched."""
    return f.load(type_, pointer) if mask is None else f.masked_load(type_, pointer, mask)


def raw_store(f: Function, value: Value, pointer: Value, mask: Value | None) -> None:
    if mask is None:
        f.store(value, pointer)
    else:
        f.masked_store(value, pointer, mask)


def in_vectors(f: Function, element: str, count: Operand, move: Move) -> None:
    """``move(first, lanes, mask)`` for vectors that cover ``count`` neighbouring elements."""
    if isinstance(count, int):
        lanes = fewest_lanes(element, count)
        whole = count // lanes * lanes
        if whole <= 4 * lanes:
            for i in range(0, whole, lanes):
                move(i, lanes, None)
        else:
            with f.loop(0, whole, lanes) as at:
                move(at, lanes, None)
        if count > whole:
            move(whole, lanes, tail_mask(f, lanes, count - whole))
        return
    lanes = vector_lanes(element)
    stop = count if lanes == 1 else f.op("and", count, -lanes)
    with f.loop(0, stop, lanes) as at:
        move(at, lanes, None)
    if lanes > 1:
        with f.when(f.compare("icmp slt", stop, count)):
            move(stop, lanes, tail_mask(f, lanes, f.op("sub", count, stop)))


def copy_run(f: Function, element: str, count: Operand, source: Value | None, to: Value) -> None:
    """Copy ``count`` neighbouring elements; without a source, write zeros."""

    def move(index: Operand, lanes: int, mask: Value | None) -> None:
        type_ = ir.vector(element, lanes)
        if source is None:
            value = ir.constant(type_, 0)
        else:
            value = raw_load(f, type_, f.at(source, index, element), mask)
        raw_store(f, value, f.at(to, index, element), mask)

    in_vectors(f, element, count, move)


def fill_run(f: Function, value: Value, count: Operand, to: Value) -> None:
    """Write a scalar to ``count`` neighbouring elements."""

    def move(index: Operand, lanes: int, mask: Value | None) -> None:
        raw_store(f, f.splat(value, lanes), f.at(to, index, value.type), mask)

    in_vectors(f, value.type, count, move)


def copy_kernel(own: dtype, count: int, zeros: bool = False) -> Kernel:
    """Copies ``count`` elements from operand 0 to operand 1, or writes zeros to operand 0."""
    element = raw(own)
    block = max(1, 4096 // own.numpy.itemsize)
    blocks = -(-count // block)

    def body(f, pointers, unit):
        start = f.mul(unit, block)
        size: Operand = block
        if count % block:
            size = f.intrinsic("smin", f.op("sub", count, start), ir.constant("i64", block))
        source = None if zeros else f.at(pointers[0], start, element)
        copy_run(f, element, size, source, f.at(pointers[-1], start, element))

    key = (element, count, zeros)
    return kernel("copy", key, 1 if zeros else 2, blocks, 60.0 if zeros else 100.0, body)


# Indices ------------------------------------------------------------------------------------------


def index_load(f: Function, own: dtype, pointer: Value, at: Operand) -> Value:
    """An index as i64."""
    element = raw(own)
    value = f.load(element, f.at(pointer, at, element))
    return f.convert("sext" if own.is_signed else "zext", value, "i64")


def report(f: Function, status: Value, index: Value, size: int) -> None:
    """Say that an index is out of bounds; the first one found is kept."""
    with f.when(f.compare("icmp eq", f.load("i64", status), 0)):
        f.store(index, f.at(status, 1, "i64"))
        f.store(ir.constant("i64", size), f.at(status, 2, "i64"))
        f.store(ir.constant("i64", BAD_INDEX), status)


def checked(f: Function, status: Value, index: Value, size: int, skip: str) -> None:
    """Report an index that is negative or not below ``size``, and go to ``skip``."""
    good, bad = f.label(), f.label()
    f.branch(f.compare("icmp ult", index, size), good, bad)
    f.place(bad)
    report(f, status, index, size)
    f.jump(skip)
    f.place(good)
