"""What a Winograd weight gradient is cut into, and whether it is worth it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from facula.engines.native import ir, target
from facula.engines.native.contraction.choose import TILE, step_cycles
from facula.engines.native.contraction.indices import ceiling
from facula.engines.native.contraction.winograd.blocks import Blocks, Image
from facula.engines.native.contraction.winograd.shape import (
    INPUT_CYCLES,
    MOST_MEMORY,
    PRODUCTS,
    TAPS,
    chunks_of,
    dense,
    image_of,
    plain,
    taps_in,
    worth,
)
from facula.engines.native.views import View

OUTPUT_CYCLES = 80  # of a tile: one vector of the results' gradient, read and transformed
TAPS_CYCLES = 200  # of the gradient of one vector of kernels
MOST_PARTIAL = 1200 << 10  # bytes of sums that a chunk may keep for itself
MOST_STORED = 128 << 20  # bytes of transformed operands that may lie in memory
MOST_SPLITS = 16
PART = 4, 8  # register tiles of a part of the sums, along rows and columns
TOGETHER = 128  # tiles of stored operands that are used together, from the cache


@dataclass(frozen=True)
class Gradient:
    """The gradient of the kernels: sums over tiles of ``inputs`` times the results' gradients.

    With few channels each chunk transforms blocks of tiles and adds their products to sums of
    its own, ``splits`` in all, which another kernel adds up. With many channels those sums
    would not fit into a cache: both operands are ``stored`` transformed, and a chunk makes a part
    of the sums. Register tiles are ``tall`` channels of the results by ``wide`` vectors of the
    inputs' channels.
    """

    inputs: Image
    results: Image
    blocks: Blocks
    stored: bool
    tall: int = 1
    wide: int = 1

    @property
    def lanes(self) -> int:
        return self.inputs.lanes

    @property
    def shape(self) -> tuple[int, int, int]:
        """The gradient's, as an epilogue sees it."""
        return 1, self.results.channels, self.inputs.channels * TAPS

    @property
    def tiles(self) -> int:
        """Tiles that a plane of a transformed operand holds."""
        return self.blocks.tiles * (self.blocks.count if self.stored else 1)

    @property
    def row_tiles(self) -> int:
        return ceiling(self.results.channels, self.tall)

    @property
    def panels(self) -> int:
        return ceiling(self.inputs.groups, self.wide)

    @property
    def part(self) -> tuple[int, int]:
        """Register tiles of a part of the sums: along rows and along columns."""
        if not self.stored:
            return self.row_tiles, self.panels
        return min(self.row_tiles, PART[0]), min(self.panels, PART[1])

    @property
    def parts(self) -> tuple[int, int]:
        rows, panels = self.part
        return ceiling(self.row_tiles, rows), ceiling(self.panels, panels)

    @property
    def splits(self) -> int:
        """Sums of their own that chunks have."""
        held = self.scratch + self.partial
        return 1 if self.stored else min(chunks_of(held, self.blocks.count), MOST_SPLITS)

    @property
    def chunks(self) -> int:
        rows, columns = self.parts
        return rows * columns if self.stored else self.splits

    # Memory, in elements; see the forward shape.

    def pitch(self, image: Image) -> int:
        """From tile to tile in a transformed operand; stored ones are packed for register tiles."""
        return self.lanes if self.stored else image.pitch

    def section(self, image: Image) -> int:
        """From one vector of channels to the next."""
        return self.tiles * self.lanes if self.stored else self.lanes

    def plane(self, image: Image) -> int:
        """From product to product."""
        return (image.groups if self.stored else 1) * self.tiles * self.pitch(image) + self.lanes

    @property
    def sums_row(self) -> int:
        return self.part[1] * self.wide * self.lanes + self.lanes

    @property
    def sums_plane(self) -> int:
        return self.part[0] * self.tall * self.sums_row + self.lanes

    @property
    def partial(self) -> int:
        """Sums of one split, or of one part."""
        return PRODUCTS * self.sums_plane

    @property
    def columns(self) -> int:
        """Vectors of a part along its columns."""
        return self.part[1] * self.wide

    @property
    def border(self) -> int:
        """The larger of both operands'."""
        return self.blocks.images * max(x.image(self.blocks) for x in (self.inputs, self.results))

    @property
    def scratch(self) -> int:
        """Elements a chunk needs besides its sums: both operands and a border."""
        planes = self.plane(self.inputs) + self.plane(self.results)
        return PRODUCTS * planes + 2 * self.border

    @property
    def sums_cycles(self) -> float:
        """Of one core for all products."""
        runs = 1 if self.stored else self.blocks.count
        each = self.tiles * step_cycles(self.tall, self.wide, 1.0, 0.5) + TILE
        moves = 0 if self.stored else 4 * self.tall * self.wide
        return PRODUCTS * runs * self.row_tiles * self.panels * (each + moves)

    @property
    def tile_cycles(self) -> float:
        """Of one core for transforming both operands."""
        each = INPUT_CYCLES * self.inputs.groups + OUTPUT_CYCLES * self.results.groups
        return self.blocks.count * self.blocks.tiles * each * (1.5 if self.stored else 1.0)

    @property
    def taps_cycles(self) -> float:
        """Of one core for making results of sums."""
        each = TAPS_CYCLES + 2 * PRODUCTS * self.splits
        return float(self.results.channels * self.inputs.groups * each)

    @property
    def products(self) -> float:
        """Multiplications of the direct method, those with the border's zeros left out."""
        held = self.blocks.samples * self.inputs.channels * self.results.channels
        return float(held * taps_in(self.inputs, self.results.height, self.results.width))

    @property
    def cycles(self) -> float:
        return self.sums_cycles + self.tile_cycles + self.taps_cycles

    @property
    def pays(self) -> bool:
        size = ir.align_of("float")
        held = MOST_STORED if self.stored else MOST_MEMORY
        return self.scratch * size <= held and worth(self.cycles, self.products)


def fitting(kind: str, params, a: View, b: View, shape: Sequence[int]) -> Gradient | None:
    """How to compute a node in float32 this way, or None where the direct way is better."""
    if kind != "conv_weight_grad" or not plain(params, b, shape[2:]) or not dense(a):
        return None
    (top, _), (left, _) = params["padding"]
    inputs, results = image_of(b, top, left, 2), image_of(a, 0, 0, 0)
    size = ir.align_of("float")
    stored = PRODUCTS * inputs.channels * results.channels * size > MOST_PARTIAL
    most = max(8, int(target.l2() * 0.65) // (PRODUCTS * (inputs.pitch + results.pitch) * size))
    blocks = Blocks.within(*_sizes(a), most, 16)
    found = _with_registers(Gradient(inputs, results, blocks, stored))
    return found if found.pays else None


def _sizes(a: View) -> tuple[int, int, int]:
    samples, _, height, width = a.shape
    return samples, height, width


def _with_registers(found: Gradient) -> Gradient:
    """The register tile that wastes least."""
    options = [
        replace(found, tall=tall, wide=wide)
        for wide in (1, 2, 3, 4)
        for tall in range(1, found.lanes + 1)
        if tall * wide + wide + 1 <= target.registers()
        if found.inputs.groups % wide == 0
        if not found.stored or (tall == found.lanes and wide == 1)
    ]
    return min(options, key=lambda option: option.cycles)
