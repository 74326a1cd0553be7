"""The kernels of a Winograd weight gradient: transformed operands, sums over tiles, taps."""

from __future__ import annotations

from facula.engines.native import ir
from facula.engines.native.contraction.finish import transposed
from facula.engines.native.contraction.indices import Index, minimum, minus, part, plus
from facula.engines.native.contraction.winograd import transforms
from facula.engines.native.contraction.winograd.blocks import (
    Block,
    Image,
    Reader,
    block,
    fill,
    tiles,
)
from facula.engines.native.contraction.winograd.gradient_shape import TOGETHER, Gradient
from facula.engines.native.contraction.winograd.shape import PRODUCTS, TAPS
from facula.engines.native.ir import Function, Value
from facula.engines.native.kernel import Kernel

MOST_CHUNKS = 64


class Operand:
    """Reads and transforms blocks of an operand into planes ``[product][tile][channel]``."""

    def __init__(
        self, f: Function, shape: Gradient, image: Image, source: Value, border: Value, made: Value
    ):
        self.f, self.shape, self.image = f, shape, image
        self.reader = Reader(f, image, shape.blocks, source, border)
        self.made = made
        self.line = transforms.of_input if image.reach else transforms.of_gradient

    def transform(self, here: Block, group: Value, first: Index) -> None:
        """One vector of channels of all tiles of a block; ``first`` is its first tile's number."""
        f, shape, image = self.f, self.shape, self.image
        self.reader.read(here, group)
        made = f.at(self.made, f.mul(group, shape.section(image)), "float")
        with tiles(f, shape.blocks, here) as (number, row, column, tile):
            values = self.reader.tile(number, row, column)
            at = f.mul(f.typed(plus(f, tile, first), "i64"), shape.pitch(image))
            place = f.at(made, at, "float")
            for p, value in enumerate(transforms.square(f, self.line, values)):
                f.store(value, f.at(place, p * shape.plane(image), "float"))


def operand_kernel(shape: Gradient, image: Image) -> Kernel:
    """Transforms all of an operand; operands: it, a border for each chunk, the planes."""
    total = shape.blocks.count * image.groups
    chunks = min(total, MOST_CHUNKS)

    def emit(name: str) -> str:
        f = Function(name, ["ptr", "i64", "i64"])
        buffers, begin, end = f.arguments
        source, borders, made = (f.load("ptr", f.at(buffers, i, "ptr")) for i in range(3))
        border = f.at(borders, f.mul(begin, shape.border), "float")
        one = Operand(f, shape, image, source, border, made)
        one.reader.prepare()
        with f.loop(part(f, begin, total, chunks), part(f, end, total, chunks)) as number:
            at = f.op("sdiv", number, image.groups)
            here = block(f, shape.blocks, at)
            one.reader.begin(here)
            group = f.op("srem", number, image.groups)
            one.transform(here, group, f.mul(at, shape.blocks.tiles))
        f.ret()
        return f.text()

    cycles = shape.tile_cycles * image.groups / (shape.inputs.groups + shape.results.groups)
    return Kernel("tiles", f"winograd tiles {shape} {image} {chunks}", emit, chunks, cycles / 3)


class Sums:
    """Sums over tiles, ``[product][row][column]``, of one split or one part."""

    def __init__(self, f: Function, shape: Gradient, inputs: Value, results: Value, sums: Value):
        self.f, self.shape = f, shape
        self.inputs, self.results, self.sums = inputs, results, sums
        self.kind = ir.vector("float", shape.lanes)

    def add(self, count: Index, rows: Index, panels: Index) -> None:
        """Adds the products of the first ``count`` tiles."""
        f, shape = self.f, self.shape
        inputs, results = shape.inputs, shape.results
        with f.loop(0, PRODUCTS) as p:
            planes = [
                f.at(start, f.mul(p, size), "float")
                for start, size in (
                    (self.inputs, shape.plane(inputs)),
                    (self.results, shape.plane(results)),
                    (self.sums, shape.sums_plane),
                )
            ]
            if not shape.stored:
                self._tiles(planes, count, rows, panels)
                return
            with f.loop(0, count, TOGETHER) as first:
                some = minimum(f, minus(f, count, first), TOGETHER)
                for i, image in enumerate((inputs, results)):
                    planes[i] = f.at(planes[i], f.mul(first, shape.pitch(image)), "float")
                self._tiles(planes, some, rows, panels)

    def _tiles(self, planes: list[Value], count: Index, rows: Index, panels: Index) -> None:
        """One product of some tiles."""
        f, shape = self.f, self.shape
        inputs, results, sums = planes
        down = shape.section(shape.results) if shape.stored else shape.tall
        with f.loop(0, panels) as panel, f.loop(0, rows) as row:
            at = f.mul(f.mul(panel, shape.wide), shape.section(shape.inputs))
            place = f.add(
                f.mul(row, shape.tall * shape.sums_row), f.mul(panel, shape.wide * shape.lanes)
            )
            self._tile(
                f.at(inputs, at, "float"), f.at(results, f.mul(row, down), "float"),
                f.at(sums, place, "float"), count,
            )  # fmt: skip

    def _tile(self, inputs: Value, results: Value, place: Value, count: Index) -> None:
        """One register tile."""
        f, shape = self.f, self.shape
        spots = [
            f.at(place, i * shape.sums_row + j * shape.lanes, "float")
            for i in range(shape.tall)
            for j in range(shape.wide)
        ]
        slots = [f.variable(self.kind) for _ in spots]
        for slot, spot in zip(slots, spots):
            f.set(slot, f.load(self.kind, spot))
        with f.loop(0, count) as tile:
            line = f.at(inputs, f.mul(tile, shape.pitch(shape.inputs)), "float")
            vectors = [
                f.load(self.kind, f.at(line, j * shape.lanes, "float")) for j in range(shape.wide)
            ]
            here = f.at(results, f.mul(tile, shape.pitch(shape.results)), "float")
            for i in range(shape.tall):
                one = f.splat(f.load("float", f.at(here, i, "float")), shape.lanes)
                for j, vector in enumerate(vectors):
                    slot = slots[i * shape.wide + j]
                    f.set(slot, f.intrinsic("fmuladd", one, vector, f.get(self.kind, slot)))
        for slot, spot in zip(slots, spots):
            f.store(f.get(self.kind, slot), spot)


class Taps:
    """Sums to gradients of taps, and those to the epilogue."""

    def __init__(self, f: Function, shape: Gradient, epilogue, pointers):
        self.f, self.shape, self.epilogue, self.pointers = f, shape, epilogue, pointers
        self.kind = ir.vector("float", shape.lanes)
        # Each store of a vector's nine taps spills into the next one's.
        self.line = f.array("float", shape.columns * shape.lanes * TAPS + shape.lanes)

    def row(self, sums: Value, splits: int, row: Index, first: Index, vectors: Index) -> None:
        """One channel of the results; ``first`` is the part's first vector of the inputs'."""
        f, shape = self.f, self.shape
        lanes = shape.lanes
        with f.loop(0, vectors) as vector:
            place = f.at(sums, f.mul(vector, lanes), "float")
            total: list[Value] = []
            for p in range(PRODUCTS):
                here = f.at(place, p * shape.sums_plane, "float")
                value = f.load(self.kind, here)
                for split in range(1, splits):
                    more = f.load(self.kind, f.at(here, split * shape.partial, "float"))
                    value = f.op("fadd", value, more)
                total.append(value)
            taps = transforms.square(f, transforms.to_taps, total)
            self._lay(taps, f.mul(vector, lanes * TAPS))
        total_columns = shape.inputs.channels * TAPS
        start = f.mul(f.typed(first, "i64"), lanes * TAPS)
        last = f.mul(f.typed(vectors, "i64"), lanes * TAPS)
        ragged = total_columns % lanes != 0
        if shape.inputs.channels % lanes:
            last = f.typed(minimum(f, last, minus(f, total_columns, start)), "i64")
        with f.loop(0, last, lanes) as at:
            value = f.load(self.kind, f.at(self.line, at, "float"))
            mask = None
            if ragged:
                mask = f.compare("icmp slt", f.op("add", f.lane_numbers(lanes), at), last)
            self.epilogue.emit(f, self.pointers, value, (0, row, f.add(start, at)), mask)

    def _lay(self, taps: list[Value], at: Value) -> None:
        """The taps of a vector of channels, channel by channel."""
        f, lanes = self.f, self.shape.lanes
        zero = ir.constant(self.kind, 0.0)
        columns: list[list[Value]] = []
        for first in range(0, TAPS, lanes):
            some = taps[first : first + lanes]
            columns.append(transposed(f, some + [zero] * (lanes - len(some))))
        for lane in range(lanes):
            for number, column in enumerate(columns):
                place = f.add(at, lane * TAPS + number * lanes)
                f.store(column[lane], f.at(self.line, place, "float"))


def _tail(f: Function, shape: Gradient, epilogue, buffers: Value, before: int):
    """The epilogue's pointers, which follow ``before`` operands."""
    count = epilogue.keeps + epilogue.extras
    loaded = [f.load("ptr", f.at(buffers, before + i, "ptr")) for i in range(count)]
    return [*([] if epilogue.keeps else [None]), *loaded]


def blockwise_kernel(shape: Gradient) -> Kernel:
    """Sums of blocks of tiles; operands: results' gradient, inputs, memory, sums by chunk."""

    def emit(name: str) -> str:
        f = Function(name, ["ptr", "i64", "i64"])
        buffers, begin, end = f.arguments
        g, x, memory, sums = (f.load("ptr", f.at(buffers, i, "ptr")) for i in range(4))
        memory = f.at(memory, f.mul(begin, shape.scratch), "float")
        operands, at = [], 0
        for image, source in ((shape.inputs, x), (shape.results, g)):
            made = f.at(memory, at, "float")
            at += PRODUCTS * shape.plane(image)
            border = f.at(memory, at, "float")
            at += shape.border
            operands.append(Operand(f, shape, image, source, border, made))
            operands[-1].reader.prepare()
        with f.loop(begin, end) as chunk:
            own = f.at(sums, f.mul(chunk, shape.partial), "float")
            fill(f, own, shape.partial, shape.lanes)
            adder = Sums(f, shape, operands[0].made, operands[1].made, own)
            total = shape.blocks.count
            first = part(f, chunk, total, shape.chunks)
            last = part(f, f.add(chunk, 1), total, shape.chunks)
            with f.loop(first, last) as number:
                here = block(f, shape.blocks, number)
                for one in operands:
                    one.reader.begin(here)
                    with f.loop(0, one.image.groups) as group:
                        one.transform(here, group, 0)
                each = shape.blocks.rows * shape.blocks.tile_columns
                count = f.mul(f.typed(here.samples, "i64"), each)
                adder.add(count, *shape.part)
        f.ret()
        return f.text()

    cycles = shape.sums_cycles + shape.tile_cycles
    flops = 2.0 * shape.products
    return Kernel("winograd", f"winograd sums {shape}", emit, shape.chunks, cycles / 3, flops)


def partwise_kernel(shape: Gradient, epilogue) -> Kernel:
    """All of a part; operands: both transformed operands, sums by chunk, the epilogue's."""

    def emit(name: str) -> str:
        f = Function(name, ["ptr", "i64", "i64"])
        buffers, begin, end = f.arguments
        g, x, sums = (f.load("ptr", f.at(buffers, i, "ptr")) for i in range(3))
        taps = Taps(f, shape, epilogue, _tail(f, shape, epilogue, buffers, 3))
        own = f.at(sums, f.mul(begin, shape.partial), "float")
        tall, wide = shape.part
        blocks = shape.blocks
        images = blocks.count if blocks.split else blocks.samples
        count = images * blocks.rows * blocks.tile_columns
        with f.loop(begin, end) as chunk:
            across, along = (f.op(name, chunk, shape.parts[1]) for name in ("sdiv", "srem"))
            row, panel = f.mul(across, tall), f.mul(along, wide)
            first, vector = f.mul(row, shape.tall), f.mul(panel, shape.wide)
            inputs = f.at(x, f.mul(vector, shape.section(shape.inputs)), "float")
            results = f.at(g, f.mul(row, shape.section(shape.results)), "float")
            adder = Sums(f, shape, inputs, results, own)
            rows = minimum(f, minus(f, shape.row_tiles, row), tall)
            panels = minimum(f, minus(f, shape.panels, panel), wide)
            fill(f, own, shape.partial, shape.lanes)
            adder.add(count, rows, panels)
            channels = minimum(f, minus(f, shape.results.channels, first), tall * shape.tall)
            with f.loop(0, channels) as number:
                here = f.at(own, f.mul(number, shape.sums_row), "float")
                vectors = f.mul(f.typed(panels, "i64"), shape.wide)
                taps.row(here, 1, f.add(first, number), vector, vectors)
        f.ret()
        return f.text()

    cycles = shape.sums_cycles + shape.taps_cycles
    flops = 2.0 * shape.products
    key = f"winograd parts {shape} {epilogue.key}"
    return Kernel("winograd", key, emit, shape.chunks, cycles / 3, flops)


def taps_kernel(shape: Gradient, epilogue) -> Kernel:
    """Adds up the sums of all splits; operands: they, the epilogue's."""
    rows = shape.results.channels
    chunks = max(1, min(rows, MOST_CHUNKS, int(shape.taps_cycles / 8000)))

    def emit(name: str) -> str:
        f = Function(name, ["ptr", "i64", "i64"])
        buffers, begin, end = f.arguments
        sums = f.load("ptr", buffers)
        taps = Taps(f, shape, epilogue, _tail(f, shape, epilogue, buffers, 1))
        with f.loop(part(f, begin, rows, chunks), part(f, end, rows, chunks)) as row:
            here = f.at(sums, f.mul(row, shape.sums_row), "float")
            taps.row(here, shape.splits, row, 0, shape.inputs.groups)
        f.ret()
        return f.text()

    key = f"winograd gradient taps {shape} {chunks} {epilogue.key}"
    return Kernel("taps", key, emit, chunks, shape.taps_cycles / 3)
