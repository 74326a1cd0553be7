"""The geometry of sliding windows, and strided vector loads along a row of the input."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod

from facula.base.dtypes import dtype
from facula.engines.native.ir import Function, Operand, Value
from facula.engines.native.scalars import types
from facula.engines.native.structured import common
from facula.engines.native.structured.elements import load

UNROLLED = 64  # kernel positions that are written out; larger kernels run in loops
SHUFFLED = 4  # strides up to this are loads and shuffles; larger ones are gathers


@dataclass(frozen=True)
class Geometry:
    """Windows over the last axes of an input: all tuples have an entry for each of those axes."""

    lead: int
    sizes: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    low: tuple[int, ...]
    dilation: tuple[int, ...]
    out: tuple[int, ...]

    @property
    def rank(self) -> int:
        return len(self.out)

    @property
    def rows(self) -> int:
        """Rows of the output: everything but the last axis."""
        return self.lead * prod(self.out[:-1])

    @property
    def positions(self) -> list[tuple[int, ...]]:
        """The kernel's positions, in order."""
        return list(product(*map(range, self.kernel)))

    @property
    def plane(self) -> int:
        return prod(self.sizes)

    def steps(self) -> list[int]:
        """Strides of the input's window axes."""
        return [prod(self.sizes[i + 1 :]) for i in range(self.rank)]

    def inside(self, axis: int) -> bool:
        """Whether no window leaves the input along an axis."""
        last = (self.out[axis] - 1) * self.stride[axis] - self.low[axis]
        reach = (self.kernel[axis] - 1) * self.dilation[axis]
        return self.low[axis] == 0 and last + reach < self.sizes[axis]

    def whole(self) -> bool:
        """Whether there is one window, which is all of the input."""
        return prod(self.out) == 1 and self.kernel == self.sizes and not any(self.low)

    def apart(self) -> bool:
        """Whether windows do not overlap and their elements are neighbours."""
        reach = zip(self.kernel, self.stride, self.dilation, strict=True)
        return all((d == 1 or k == 1) and s >= k for k, s, d in reach)


def geometry(params: dict, shape: tuple[int, ...], sizes: tuple[int, ...] | None = None):
    """Of windows over an input of ``shape``; ``sizes`` if ``shape`` is the output's instead."""
    rank = len(params["out"])
    return Geometry(
        prod(shape[: len(shape) - rank]),
        tuple(sizes if sizes is not None else shape[len(shape) - rank :]),
        tuple(params["kernel"]),
        tuple(params["stride"]),
        tuple([low for low, _ in params["padding"]]),
        tuple(params["dilation"]),
        tuple(params["out"]),
    )


class Row:
    """Loads from one row of the input what kernel columns meet at neighbouring outputs.

    Column ``base`` of the row is where the kernel's first column lies for the vector's first
    output; it may be negative. What lies outside the row reads as ``other``.
    """

    def __init__(
        self, f: Function, own: dtype, pointer: Value, base: Operand, width: int, stride: int,
        lanes: int, used: int, other: float | int,
    ):  # fmt: skip
        self.f, self.own, self.pointer, self.base = f, own, pointer, base
        self.width, self.stride, self.lanes, self.other = width, stride, lanes, other
        self.used = used  # lanes that stand for outputs
        self._pieces: dict[int, Value] = {}

    def piece(self, start: int) -> Value:
        """The ``lanes`` neighbouring elements from column ``base + start``."""
        found = self._pieces.get(start)
        if found is None:
            mask = within(self.f, self.base, start, 1, self.lanes, self.width)
            at = self.f.at(self.pointer, self._column(start), types.storage(self.own))
            found = load(self.f, self.own, at, self.lanes, mask, self.other)
            self._pieces[start] = found
        return found

    def _column(self, offset: Operand) -> Operand:
        if isinstance(self.base, int) and isinstance(offset, int):
            return self.base + offset
        return self.f.add(self.f.typed(self.base, "i64"), offset)

    def at(self, offset: Operand) -> Value:
        """The elements at columns ``base + offset + stride * lane``."""
        f, lanes, stride = self.f, self.lanes, self.stride
        if lanes == 1 or stride == 1 or stride > SHUFFLED or not isinstance(offset, int):
            return self._gathered(offset)
        first, residue = offset // stride * stride, offset % stride
        need = (self.used - 1) * stride + residue + 1
        parts = [self.piece(first + j * lanes) for j in range(-(-need // lanes))]
        return every(f, parts, stride, residue, lanes)

    def _gathered(self, offset: Operand) -> Value:
        f, lanes, stride = self.f, self.lanes, self.stride
        if isinstance(offset, int):
            mask = within(f, self.base, offset, stride, lanes, self.width)
        else:
            mask = within(f, self._column(offset), 0, stride, lanes, self.width)
        at = f.at(self.pointer, self._column(offset), types.storage(self.own))
        if stride == 1 or lanes == 1:
            return load(f, self.own, at, lanes, mask, self.other)
        return load(f, self.own, at, lanes, mask, self.other, stride)


def every(f: Function, parts: list[Value], stride: int, residue: int, lanes: int) -> Value:
    """Elements ``residue``, ``residue + stride``, ... of vectors laid end to end."""
    picks = [residue + stride * lane for lane in range(lanes)]
    if len(parts) <= 2:
        limit = len(parts) * lanes
        other = parts[1] if len(parts) == 2 else None
        return f.shuffle(parts[0], other, [p if p < limit else -1 for p in picks])
    # Halves first: each takes the lanes that it holds; then one of the two is chosen by lane.
    found = every(f, parts[:2], stride, residue, lanes)
    for j in range(2, len(parts), 2):
        pair = parts[j : j + 2]
        inside = [p - j * lanes for p in picks]
        held = [0 <= p < len(pair) * lanes for p in inside]
        other = pair[1] if len(pair) == 2 else None
        part = f.shuffle(pair[0], other, [p if h else -1 for p, h in zip(inside, held)])
        order = [lanes + lane if h else lane for lane, h in enumerate(held)]
        found = f.shuffle(found, part, order)
    return found


def within(
    f: Function, base: Operand, start: int, stride: int, lanes: int, width: int
) -> Value | None:
    """Which of columns ``base + start + stride * lane`` lie in 0 .. width - 1; None if all do."""
    if isinstance(base, int):
        held = [0 <= base + start + stride * lane < width for lane in range(lanes)]
        return None if all(held) else common.bits(held)
    first = f.new("i32", f"trunc {base} to i32")
    offsets = [f"i32 {start + stride * lane}" for lane in range(lanes)]
    if lanes == 1:
        columns = f.op("add", first, start)
    else:
        columns = f.op("add", f.splat(first, lanes), Value(f"<{lanes} x i32>", _list(offsets)))
    return f.compare("icmp ult", columns, width)


def _list(items: list[str]) -> str:
    return f"<{', '.join(items)}>"


def vectors(f: Function, count: int, lanes: int, body) -> None:
    """``body(first, used)`` for each vector of ``count`` outputs; few are written out."""
    if count <= 3 * lanes:
        for first in range(0, count, lanes):
            body(first, min(lanes, count - first))
        return
    whole = count // lanes * lanes
    with f.loop(0, whole, lanes) as first_value:
        body(first_value, lanes)
    if count > whole:
        body(whole, count - whole)


def mask_of(lanes: int, used: int) -> Value | None:
    return None if used == lanes else common.bits([lane < used for lane in range(lanes)])
