"""How images are cut into tiles and blocks of tiles, and how a block is read.

A tile is 2 x 2 places of a convolution's result, with the 4 x 4 elements of its input that they
depend on. A block holds whole images, or some rows of tiles of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from facula.engines.native import ir
from facula.engines.native.contraction.finish import first_lanes, transposed
from facula.engines.native.contraction.indices import Index, ceiling, maximum, minimum, minus, plus
from facula.engines.native.ir import Function, Value


@dataclass(frozen=True)
class Blocks:
    """``images`` images a block, or ``rows`` rows of tiles of one."""

    samples: int
    tile_rows: int
    tile_columns: int
    images: int
    rows: int

    @classmethod
    def within(cls, samples: int, height: int, width: int, most: int, least: int = 8) -> Blocks:
        """Blocks of about ``most`` tiles, at least ``least`` in number if there are samples."""
        rows, columns = ceiling(height, 2), ceiling(width, 2)
        if rows * columns <= most:
            wanted = max(1, min(most // (rows * columns), samples // least))
            return cls(samples, rows, columns, ceiling(samples, ceiling(samples, wanted)), rows)
        options = range(1, max(1, most // columns) + 1)
        # Rows beyond the image are wasted; each block reads two rows that others read too.
        best = min(options, key=lambda n: ceiling(rows, n) * (n + 0.2))
        return cls(samples, rows, columns, 1, best)

    @property
    def split(self) -> bool:
        """Whether images are cut into blocks."""
        return self.rows < self.tile_rows

    @property
    def parts(self) -> int:
        """Blocks of an image, if images are cut."""
        return ceiling(self.tile_rows, self.rows)

    @property
    def count(self) -> int:
        return ceiling(self.samples, self.images) * self.parts

    @property
    def tiles(self) -> int:
        """Tiles of a block."""
        return self.images * self.rows * self.tile_columns


class Block(NamedTuple):
    """The images of a block and its first row of tiles; the last block may have fewer images."""

    sample: Value
    samples: Index
    row: Index


def block(f: Function, blocks: Blocks, number: Value) -> Block:
    """Block number ``number``."""
    if blocks.split:
        row = f.mul(f.op("srem", number, blocks.parts), blocks.rows)
        return Block(f.op("sdiv", number, blocks.parts), 1, row)
    sample = f.mul(number, blocks.images)
    samples: Index = blocks.images
    if blocks.samples % blocks.images:
        samples = minimum(f, minus(f, blocks.samples, sample), blocks.images)
    return Block(sample, samples, 0)


@contextmanager
def tiles(f: Function, blocks: Blocks, here: Block) -> Iterator[tuple[Value, Value, Value, Value]]:
    """Loops over a block's tiles: image, row, column, and the tile's number in the block."""
    with ExitStack() as stack:
        image = stack.enter_context(f.loop(0, here.samples))
        row = stack.enter_context(f.loop(0, blocks.rows))
        column = stack.enter_context(f.loop(0, blocks.tile_columns))
        line = f.add(f.mul(image, blocks.rows), row)
        yield image, row, column, f.add(f.mul(line, blocks.tile_columns), column)


@dataclass(frozen=True)
class Image:
    """An operand: where its elements are, and how it lies in its border.

    Its first place is ``top`` rows and ``left`` columns inside; tiles reach ``reach`` places
    into those that follow. In the border vectors of ``lanes`` channels stand at each place.
    """

    channels: int
    height: int
    width: int
    sample_stride: int
    channel_stride: int
    offset: int
    top: int
    left: int
    reach: int
    lanes: int

    @property
    def groups(self) -> int:
        """Vectors of channels."""
        return ceiling(self.channels, self.lanes)

    @property
    def pitch(self) -> int:
        """Elements of all channels, not a power of two: rows would share sets of a cache."""
        return (self.groups + 1) * self.lanes

    def row(self, blocks: Blocks) -> int:
        """Elements of a row of the border."""
        return (2 * blocks.tile_columns + self.reach) * self.lanes

    def image(self, blocks: Blocks) -> int:
        """Elements of the border of one image."""
        return (2 * blocks.rows + self.reach) * self.row(blocks)


def channel(f: Function, first: Index, number: int, count: int, covered: int) -> Index:
    """Channel ``number`` of a vector from ``first`` on: the last one beyond it.

    There are ``count`` channels, and vectors for ``covered``.
    """
    at = plus(f, first, number)
    return at if count == covered else minimum(f, at, count - 1)


def turned(f: Function, rows: Sequence[Value], count: int, lanes: int) -> list[Value]:
    """``count`` vectors: number i holds element i of every row; rows are addresses of floats."""
    kind = ir.vector("float", lanes)
    if count == lanes:
        loaded = [f.load(kind, row) for row in rows]
    else:
        held = first_lanes(count, lanes)
        loaded = [f.masked_load(kind, row, held) for row in rows]
    return transposed(f, loaded)[:count]


def fill(f: Function, start: Value, elements: Index, lanes: int) -> None:
    """Zeros, a whole number of vectors."""
    with f.loop(0, elements, lanes) as at:
        f.store(ir.constant(ir.vector("float", lanes), 0.0), f.at(start, at, "float"))


class Reader:
    """Reads vectors of channels of a block's images into ``border``."""

    def __init__(self, f: Function, image: Image, blocks: Blocks, source: Value, border: Value):
        self.f, self.image, self.blocks = f, image, blocks
        self.source = f.at(source, image.offset, "float")
        self.border = border
        self.row, self.size = image.row(blocks), image.image(blocks)

    def prepare(self) -> None:
        """Zeros everywhere: before the first block."""
        fill(self.f, self.border, self.blocks.images * self.size, self.image.lanes)

    def begin(self, here: Block) -> None:
        """Zeros above and below the image: other blocks have others."""
        if not self.blocks.split:
            return
        f, lanes = self.f, self.image.lanes
        start, first, last = self._rows(here)
        fill(f, self.border, f.mul(f.typed(minus(f, first, start), "i64"), self.row), lanes)
        filled = f.mul(f.typed(minus(f, last, start), "i64"), self.row)
        below = minus(f, self.size, filled)
        fill(f, f.at(self.border, filled, "float"), below, lanes)

    def _rows(self, here: Block) -> tuple[Index, Index, Index]:
        """The first row of the image in the border, and which rows of the image there are."""
        f, image = self.f, self.image
        if not self.blocks.split:
            return -image.top, 0, image.height
        start = plus(f, f.mul(f.typed(here.row, "i64"), 2), -image.top)
        last = plus(f, start, 2 * self.blocks.rows + image.reach)
        return start, maximum(f, start, 0), minimum(f, last, image.height)

    def read(self, here: Block, group: Value) -> None:
        """One vector of channels at each place."""
        f, image = self.f, self.image
        start, first, last = self._rows(here)
        lines = max(1, min(image.lanes // image.width, image.height))
        lines = 1 if self.blocks.split else lines
        first_channel = f.mul(group, image.lanes)
        numbers = [
            channel(f, first_channel, i, image.channels, image.groups * image.lanes)
            for i in range(image.lanes)
        ]
        channels = [f.mul(f.typed(n, "i64"), image.channel_stride) for n in numbers]
        with f.loop(0, here.samples) as number:
            sample = f.mul(f.add(here.sample, number), image.sample_stride)
            source = f.at(self.source, sample, "float")
            rows = [f.at(source, c, "float") for c in channels]
            border = f.at(self.border, f.mul(number, self.size), "float")
            with f.loop(first, last, lines) as y:
                top = y
                if lines > 1 and image.height % lines:
                    top = f.typed(minimum(f, y, image.height - lines), "i64")
                at = [f.at(row, f.mul(top, image.width), "float") for row in rows]
                line = f.at(border, f.mul(f.typed(minus(f, top, start), "i64"), self.row), "float")
                self._lines(at, f.at(line, image.left * image.lanes, "float"), lines)

    def _lines(self, rows: Sequence[Value], target: Value, lines: int) -> None:
        """Some whole lines that fit into a vector together, or one line."""
        f, width, lanes = self.f, self.image.width, self.image.lanes
        whole = width // lanes * lanes if lines == 1 else 0
        if whole:
            with f.loop(0, whole, lanes) as at:
                values = turned(f, [f.at(row, at, "float") for row in rows], lanes, lanes)
                place = f.at(target, f.mul(at, lanes), "float")
                for i, value in enumerate(values):
                    f.store(value, f.at(place, i * lanes, "float"))
        count = lines * width - whole
        if count:
            values = turned(f, [f.at(row, whole, "float") for row in rows], count, lanes)
            for i, value in enumerate(values):
                y, x = divmod(i, width) if lines > 1 else (0, whole + i)
                f.store(value, f.at(target, y * self.row + x * lanes, "float"))

    def tile(self, image: Value, row: Value, column: Value) -> list[Value]:
        """The elements of a tile, row by row: as many as it reaches."""
        f, size, lanes = self.f, 2 + self.image.reach, self.image.lanes
        at = f.add(f.mul(image, self.size), f.mul(row, 2 * self.row))
        corner = f.at(self.border, f.add(at, f.mul(column, 2 * lanes)), "float")
        kind = ir.vector("float", lanes)
        return [
            f.load(kind, f.at(corner, y * self.row + x * lanes, "float"))
            for y in range(size)
            for x in range(size)
        ]
