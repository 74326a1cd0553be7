"""What a Winograd convolution is cut into, and whether it is worth it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from facula.engines.native import ir, target
from facula.engines.native.contraction.choose import TILE, fma_cycles, step_cycles
from facula.engines.native.contraction.indices import ceiling
from facula.engines.native.contraction.winograd.blocks import Blocks, Image
from facula.engines.native.views import View

PRODUCTS = 16  # of one tile of 4 x 4 elements, which makes 2 x 2 results
TAPS = 9
INPUT_CYCLES = 90  # of a tile: one vector of channels read, turned over and transformed
RESULT_CYCLES = 110  # the same for the way back and the epilogue
TAPS_CYCLES = 200  # of one vector of kernels
WORTH = 0.85  # the share of the direct method's cycles from which on it pays
LEAST_CHUNKS, MOST_CHUNKS = 8, 32
MEMORY = 12 << 20  # bytes of all chunks together, if there are more than the least
MOST_MEMORY = 4 << 20  # bytes of a chunk: rows of very wide images do not fit into a cache


@dataclass(frozen=True)
class Winograd:
    """A convolution, or an input gradient, which is one of flipped kernels.

    ``outer`` channels of ``height`` by ``width`` places result. Kernels are ``kernel_lane`` apart
    for neighbouring result channels and ``kernel_sum`` for summed ones. Register tiles are
    ``tall`` tiles by ``wide`` vectors of result channels.
    """

    image: Image
    blocks: Blocks
    outer: int
    height: int
    width: int
    kernel_lane: int
    kernel_sum: int
    kernel_offset: int
    flipped: bool
    tall: int = 1
    wide: int = 1

    @property
    def lanes(self) -> int:
        return self.image.lanes

    @property
    def inner(self) -> int:
        """Channels that are summed."""
        return self.image.channels

    @property
    def tiles(self) -> int:
        """Tiles of a block, filled up to whole register tiles."""
        return ceiling(self.blocks.tiles, self.tall) * self.tall

    @property
    def panel(self) -> int:
        """Result channels that are summed together."""
        return self.wide * self.lanes

    @property
    def panels(self) -> int:
        return ceiling(self.outer, self.panel)

    # Memory, in elements. Planes are apart by a bit more than they hold: at powers of two they
    # would share sets of the caches.

    @property
    def input_plane(self) -> int:
        return self.tiles * self.image.pitch + self.lanes

    @property
    def sums_plane(self) -> int:
        return self.tiles * self.panel + self.lanes

    @property
    def kernel_plane(self) -> int:
        return self.panels * self.inner * self.panel + self.lanes

    @property
    def result_row(self) -> int:
        return 2 * self.blocks.tile_columns * self.lanes

    @property
    def result_image(self) -> int:
        return 2 * self.blocks.rows * self.result_row

    @property
    def places(self) -> tuple[int, int, int, int]:
        """Where in a chunk's memory are: input, sums, image with border, results."""
        sums = PRODUCTS * self.input_plane
        border = sums + PRODUCTS * self.sums_plane
        return 0, sums, border, border + self.blocks.images * self.image.image(self.blocks)

    @property
    def scratch(self) -> int:
        """Elements a chunk needs."""
        return self.places[3] + self.blocks.images * self.result_image

    @property
    def chunks(self) -> int:
        return chunks_of(self.scratch, self.blocks.count)

    @property
    def cycles(self) -> float:
        """Of one core for everything but the kernels' transform."""
        steps = self.panels * self.tiles // self.tall * PRODUCTS
        sums = steps * (self.inner * step_cycles(self.tall, self.wide, 1.0, 0.5) + TILE)
        around = INPUT_CYCLES * self.image.groups + RESULT_CYCLES * self.panels * self.wide
        return self.blocks.count * (sums + self.blocks.tiles * around)

    @property
    def kernel_cycles(self) -> float:
        return float(self.panels * self.wide * self.inner * TAPS_CYCLES)

    @property
    def products(self) -> float:
        """Multiplications of the direct method, those with the border's zeros left out."""
        held = self.blocks.samples * self.inner * self.outer
        return float(held * taps_in(self.image, self.height, self.width))

    @property
    def pays(self) -> bool:
        fits = self.scratch * ir.align_of("float") <= MOST_MEMORY
        return fits and worth(self.cycles + self.kernel_cycles, self.products)


def worth(cycles: float, products: float) -> bool:
    """Whether so many cycles are fewer than the direct method's multiplications take."""
    return cycles < WORTH * products / target.lanes("float") * fma_cycles()


def chunks_of(elements: int, blocks: int) -> int:
    """How many chunks there are, with memory for so many elements each."""
    enough = MEMORY // (elements * ir.align_of("float"))
    return min(blocks, max(LEAST_CHUNKS, min(enough, MOST_CHUNKS)))


def taps_in(image: Image, height: int, width: int) -> int:
    """How often a tap of one kernel meets an element of one image, not its border."""
    sides = (height, image.height, image.top), (width, image.width, image.left)
    return prod([
        sum([0 <= i + t - low < limit for i in range(size) for t in range(3)])
        for size, limit, low in sides
    ])  # fmt: skip


def plain(params, a: View, kernel: Sequence[int]) -> bool:
    """Whether a convolution of images ``a`` is of the kind this method is for."""
    return (
        len(a.shape) == 4
        and tuple(kernel) == (3, 3)
        and params["groups"] == 1
        and {*params["stride"], *params["dilation"]} == {1}
        and all(0 <= x <= 2 for pair in params["padding"] for x in pair)
        and dense(a)
        and target.lanes("float") >= 4
    )


def dense(a: View) -> bool:
    """Whether the places of an image are neighbours."""
    return a.strides[2:] == (a.shape[3], 1)


def image_of(a: View, top: int, left: int, reach: int) -> Image:
    """An operand whose places of an image are neighbours."""
    _, channels, height, width = a.shape
    samples_apart, channels_apart = a.strides[:2]
    return Image(
        channels, height, width, samples_apart, channels_apart, a.offset, top, left, reach,
        target.lanes("float"),
    )  # fmt: skip


def fitting(kind: str, params, a: View, b: View, shape: Sequence[int]) -> Winograd | None:
    """How to compute a node in float32 this way, or None where the direct way is better."""
    if kind not in ("conv", "conv_input_grad") or not plain(params, a, b.shape[2:]):
        return None
    if b.strides[2:] != (3, 1):
        return None
    gradient = kind == "conv_input_grad"
    top, left = [2 - low if gradient else low for low, _ in params["padding"]]
    outer, inner = (1, 0) if gradient else (0, 1)
    image = image_of(a, top, left, 2)
    most = max(8, int(target.l2() * 0.6) // (PRODUCTS * image.pitch * ir.align_of("float")))
    samples, channels, height, width = shape
    found = Winograd(
        image, Blocks.within(samples, height, width, most), channels, height, width,
        b.strides[outer], b.strides[inner], b.offset, gradient,
    )  # fmt: skip
    found = _with_registers(found)
    return found if found.pays else None


def _with_registers(found: Winograd) -> Winograd:
    """The register tile that wastes least; panels of one vector read the input most often."""
    options = [
        replace(found, tall=tall, wide=wide)
        for wide in (1, 2, 3, 4)
        for tall in range(1, 17)
        if tall * wide + wide + 1 <= target.registers()
    ]
    return min(options, key=lambda option: option.cycles * (1.08 if option.wide == 1 else 1.0))
