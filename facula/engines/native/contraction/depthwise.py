"""Convolutions with one channel to a group: plane by plane, from a padded copy in the cache.

What a kernel position reads is loaded once for all rows of a tile that need it. With a stride of
2 the copy holds even and odd columns apart, so that vectors are neighbours again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from facula.engines.native import ir, target
from facula.engines.native.contraction.finish import Store, first_lanes
from facula.engines.native.contraction.indices import Index, ceiling, part, plus, times
from facula.engines.native.ir import Function, Value
from facula.engines.native.kernel import Kernel, Piece, given, result
from facula.engines.native.views import View

MOST_BYTES = 256 << 10  # of a plane's copy
MOST_TAPS = 81
FEW_TAPS = 9  # weights that stay in registers
MOST_WRITTEN = 400  # multiplications of a tile, which are all written out
CHUNK_CYCLES = 8000
MOST_CHUNKS = 96


@dataclass(frozen=True)
class Depthwise:
    """A convolution of planes; all pairs are (rows, columns).

    ``image`` are the strides of samples, channels and rows, ``weights`` those of channels, rows and
    columns; ``flipped``: the kernel is read from its end.
    """

    samples: int
    channels: int
    sizes: tuple[int, int]
    image: tuple[int, int, int]
    weights: tuple[int, int, int]
    offsets: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    low: tuple[int, int]
    out: tuple[int, int]
    flipped: bool
    lanes: int
    registers: int

    @property
    def rows(self) -> int:
        """Rows of the copy."""
        return (self.out[0] - 1) * self.stride[0] + (self.kernel[0] - 1) * self.dilation[0] + 1

    @property
    def pitch(self) -> int:
        """Elements from row to row of the copy, of those in one phase of the columns."""
        reach = (self.kernel[1] - 1) * self.dilation[1] // self.stride[1] + 1
        read = self.across * self.lanes + reach
        given = ceiling(self.sizes[1] + self.low[1], self.stride[1]) + 1
        return ceiling(max(read, given), 16) * 16

    @property
    def across(self) -> int:
        """Vectors in a row of results."""
        return ceiling(self.out[1], self.lanes)

    @property
    def scratch(self) -> int:
        return self.stride[1] * self.rows * self.pitch + 2 * self.lanes

    @property
    def tile(self) -> tuple[int, int]:
        """Rows and vectors whose sums are in registers together."""
        held = min(self.kernel[0] * self.kernel[1], FEW_TAPS)
        most = min(16, max(4, self.registers - held - 4))
        wide = min(2, self.across)
        written = MOST_WRITTEN // (self.kernel[0] * self.kernel[1] * wide)
        tall = min(8, most // wide, max(2, written), self.out[0])
        even = [n for n in range(tall, 3, -1) if self.out[0] % n == 0]
        return (even[0] if even else tall), wide

    @property
    def cycles(self) -> float:
        """Estimated cycles of one core."""
        taps = self.kernel[0] * self.kernel[1]
        sums = self.out[0] * self.across * (taps + 3)
        copied = self.sizes[0] * (ceiling(self.sizes[1], self.lanes) * 2 + 2)
        return self.samples * self.channels * (sums + copied + 30)


def pieces(
    kind: str, params, a: View, b: View, shape, epilogue, rounds: str = ""
) -> list[Piece] | None:
    """The kernel of a node in float32, or None where there is none."""
    found = fitting(kind, params, a, b, shape)
    if found is None:
        return None
    last = epilogue or Store((*shape[:2], shape[2] * shape[3]), "float", rounds)
    outputs = [result()] if last.keeps else []
    extras = [given(2 + i) for i in range(last.extras)]
    writes = [*range(len(outputs)), *[len(outputs) + i for i in last.writes]]
    operands = (given(0), given(1), *outputs, *extras)
    return [Piece(_kernel(found, last), operands, tuple([2 + i for i in writes]))]


def fitting(kind: str, params, a: View, b: View, shape) -> Depthwise | None:
    """The node as a depthwise convolution of ``a`` by ``b``, if it is one."""
    if kind not in ("conv", "conv_input_grad") or len(shape) != 4 or b.shape[1] != 1:
        return None
    kernel, stride, dilation = (
        _pair(p) for p in (b.shape[2:], params["stride"], params["dilation"])
    )
    low = _pair([first for first, _ in params["padding"]])
    if kind == "conv_input_grad":
        low = _pair([(k - 1) * d - n for k, d, n in zip(kernel, dilation, low)])
    groups = params["groups"]
    plain = b.shape[0] == groups == a.shape[1] == shape[1] and a.strides[3] == 1
    negative = any(n < 0 for pair in params["padding"] for n in pair) or min(low) < 0
    if not plain or negative or kernel[0] * kernel[1] > MOST_TAPS:
        return None
    if stride[0] > 2 or stride[1] > 2 or (kind == "conv_input_grad" and stride != (1, 1)):
        return None
    lanes = target.lanes("float")
    while lanes > 4 and lanes // 2 >= shape[3]:
        lanes //= 2
    (samples, channels, down, _), (across, _, *between) = a.strides, b.strides
    found = Depthwise(
        shape[0], groups, _pair(a.shape[2:]), (samples, channels, down), (across, *_pair(between)),
        (a.offset, b.offset), kernel, stride, dilation, low, _pair(shape[2:]),
        kind == "conv_input_grad", lanes, target.registers(),
    )  # fmt: skip
    fits = lanes >= 4 and found.scratch * 4 <= MOST_BYTES
    return found if fits and kernel[0] * kernel[1] > 1 else None


def _pair(numbers: Sequence[int]) -> tuple[int, int]:
    rows, columns = numbers
    return rows, columns


def _kernel(shape: Depthwise, epilogue) -> Kernel:
    planes = shape.samples * shape.channels
    chunks = max(1, min(planes, MOST_CHUNKS, int(shape.cycles / CHUNK_CYCLES)))
    taps = shape.kernel[0] * shape.kernel[1]
    return Kernel(
        "contraction",
        f"depthwise {shape} {chunks} {epilogue.key}",
        lambda name: _Writer(name, shape, epilogue, chunks).text(),
        chunks,
        shape.cycles / 3,
        2.0 * planes * shape.out[0] * shape.out[1] * taps,
    )


class _Writer:
    """Writes the kernel; its operands: image, weights, [result], the epilogue's extras."""

    def __init__(self, name: str, shape: Depthwise, epilogue, chunks: int):
        self.shape, self.epilogue, self.chunks = shape, epilogue, chunks
        self.f = Function(name, ["ptr", "i64", "i64"])
        self.type = ir.vector("float", shape.lanes)

    def text(self) -> str:
        """The function as LLVM IR."""
        f, shape = self.f, self.shape
        buffers, begin, end = f.arguments
        count = 2 + self.epilogue.keeps + self.epilogue.extras
        image, weights, *rest = [f.load("ptr", f.at(buffers, i, "ptr")) for i in range(count)]
        self.pointers = [*([] if self.epilogue.keeps else [None]), *rest]
        self.scratch = f.array("float", shape.scratch)
        self.epilogue.begin(f, self.pointers)
        # Every plane fills the same part: what surrounds it stays zero.
        with f.loop(0, shape.scratch - shape.lanes + 1, shape.lanes) as i:
            f.store(ir.constant(self.type, 0), f.at(self.scratch, i, "float"))
        total = shape.samples * shape.channels
        first, last = (part(f, chunk, total, self.chunks) for chunk in (begin, end))
        with f.loop(first, last) as plane:
            sample = f.op("udiv", plane, shape.channels)
            channel = f.op("urem", plane, shape.channels)
            at = plus(f, times(f, sample, shape.image[0]), times(f, channel, shape.image[1]))
            self._fill(f.at(image, plus(f, at, shape.offsets[0]), "float"))
            at = plus(f, times(f, channel, shape.weights[0]), shape.offsets[1])
            self.weights = f.at(weights, at, "float")
            self.held: dict[tuple[int, int], Value] = {}
            if shape.kernel[0] * shape.kernel[1] <= FEW_TAPS:
                taps = product(range(shape.kernel[0]), range(shape.kernel[1]))
                self.held = {tap: self._weight(tap) for tap in taps}
            self._sums(sample, channel)
        f.ret()
        return f.text()

    # The copy -------------------------------------------------------------------------------------

    def _fill(self, image: Value) -> None:
        """Copy the part of a plane that windows meet."""
        f, shape = self.f, self.shape
        step = shape.lanes * shape.stride[1]
        width = shape.sizes[1]
        whole = width // step * step
        with f.loop(0, min(shape.sizes[0], shape.rows - shape.low[0])) as y:
            source = f.at(image, times(f, y, shape.image[2]), "float")
            row = f.mul(f.add(y, shape.low[0]), shape.pitch)
            if whole > 4 * step:
                with f.loop(0, whole, step) as column:
                    self._move(source, row, column, step)
            else:
                for x in range(0, whole, step):
                    self._move(source, row, x, step)
            if width > whole:
                self._move(source, row, whole, width - whole)

    def _move(self, source: Value, row: Value, x: Index, count: int) -> None:
        """``count`` elements from column x on: a vector, or two that are sorted by parity."""
        f, shape, lanes = self.f, self.shape, self.shape.lanes
        first = self._read(source, x, min(count, lanes))
        if shape.stride[1] == 1:
            self._put(first, row, plus(f, x, shape.low[1]), count)
            return
        second = self._read(source, plus(f, x, lanes), count - lanes) if count > lanes else None
        half = f.op("lshr", x, 1) if isinstance(x, Value) else x // 2
        for parity in (0, 1):
            here = (count + 1 - parity) // 2
            if not here:
                continue
            picks = [2 * i + parity for i in range(lanes)]
            limit = lanes if second is None else 2 * lanes
            value = f.shuffle(first, second, [p if p < limit else -1 for p in picks])
            place, phase = divmod(shape.low[1] + parity, 2)
            to = plus(f, row, phase * shape.rows * shape.pitch)
            self._put(value, to, plus(f, half, place), here)

    def _read(self, source: Value, x: Index, count: int) -> Value:
        f, place = self.f, self.f.at(source, x, "float")
        if count == self.shape.lanes:
            return f.load(self.type, place)
        return f.masked_load(self.type, place, first_lanes(count, self.shape.lanes))

    def _put(self, value: Value, row: Index, column: Index, count: int) -> None:
        f, place = self.f, self.f.at(self.scratch, plus(self.f, row, column), "float")
        if count == self.shape.lanes:
            f.store(value, place)
        else:
            f.masked_store(value, place, first_lanes(count, self.shape.lanes))

    # The sums -------------------------------------------------------------------------------------

    def _sums(self, sample: Value, channel: Value) -> None:
        f, shape = self.f, self.shape
        _, wide = shape.tile
        lanes = shape.lanes
        full = shape.out[1] // (wide * lanes)
        if full > 2:
            with f.loop(0, full * wide * lanes, wide * lanes) as column:
                self._columns(sample, channel, column, [lanes] * wide)
        for v in range(0 if full <= 2 else full * wide, shape.across, wide):
            group = range(v, min(v + wide, shape.across))
            counts = [min(lanes, shape.out[1] - i * lanes) for i in group]
            self._columns(sample, channel, v * lanes, counts)

    def _columns(self, sample: Value, channel: Value, column: Index, counts: list[int]) -> None:
        """All rows of some vectors of the results, which have so many elements."""
        f, shape = self.f, self.shape
        tall, _ = shape.tile
        whole = shape.out[0] // tall * tall
        with f.loop(0, whole, tall) as y:
            self._tile((sample, channel), y, tall, column, counts)
        if whole < shape.out[0]:
            self._tile((sample, channel), whole, shape.out[0] - whole, column, counts)

    def _tile(self, plane, y: Index, tall: int, column: Index, counts: list[int]) -> None:
        """Rows from ``y`` on of some vectors of the results."""
        f, shape, lanes = self.f, self.shape, self.shape.lanes
        group = range(len(counts))
        (down, _), (skip, _) = shape.stride, shape.dilation
        sums = dict.fromkeys(product(range(tall), group), ir.constant(self.type, 0))
        top = plus(f, times(f, y, down * shape.pitch), column)
        for line in range((tall - 1) * down + (shape.kernel[0] - 1) * skip + 1):
            users = [
                (row, dy)
                for row, dy in product(range(tall), range(shape.kernel[0]))
                if row * down + dy * skip == line
            ]
            for dx in range(shape.kernel[1] if users else 0):
                move, phase = divmod(dx * shape.dilation[1], shape.stride[1])
                start = (phase * shape.rows + line) * shape.pitch + move
                read = {}
                for v in group:
                    place = f.at(self.scratch, plus(f, top, start + v * lanes), "float")
                    read[v] = f.load(self.type, place)
                for row, dy in users:
                    weight = self.held.get((dy, dx)) or self._weight((dy, dx))
                    for v in group:
                        sums[row, v] = f.intrinsic("fmuladd", weight, read[v], sums[row, v])
        for (row, v), value in sums.items():
            at = plus(f, times(f, plus(f, y, row), shape.out[1]), plus(f, column, v * lanes))
            mask = None if counts[v] == lanes else first_lanes(counts[v], lanes)
            self.epilogue.emit(f, self.pointers, value, (*plane, at), mask)

    def _weight(self, tap: tuple[int, int]) -> Value:
        f, shape = self.f, self.shape
        if shape.flipped:
            tap = (shape.kernel[0] - 1 - tap[0], shape.kernel[1] - 1 - tap[1])
        at = tap[0] * shape.weights[1] + tap[1] * shape.weights[2]
        return f.splat(f.load("float", f.at(self.weights, at, "float")), shape.lanes)
