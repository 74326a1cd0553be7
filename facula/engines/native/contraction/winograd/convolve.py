"""The kernel of a Winograd convolution: block by block, all in a core's own caches.

For a block of tiles: read the image, turn it so that channels are vectors, transform each tile; sum
the products over the channels, sixteen matrix products; transform the sums to results, turn them
back and hand them to the epilogue.
"""

from __future__ import annotations

from collections.abc import Sequence

from facula.engines.native import ir
from facula.engines.native.contraction.finish import first_lanes, transposed
from facula.engines.native.contraction.indices import Index, minimum, minus, part, plus
from facula.engines.native.contraction.winograd import transforms
from facula.engines.native.contraction.winograd.blocks import Block, Reader, block, tiles
from facula.engines.native.contraction.winograd.shape import PRODUCTS, Winograd
from facula.engines.native.ir import Function, Value
from facula.engines.native.kernel import Kernel


def kernel(shape: Winograd, epilogue) -> Kernel:
    """Operands: image, transformed kernels, memory of the chunks, [result], the epilogue's."""
    return Kernel(
        "winograd",
        f"winograd {shape} {epilogue.key}",
        lambda name: Writer(name, shape, epilogue).text(),
        shape.chunks,
        shape.cycles / 3,
        2.0 * shape.products,
    )


class Writer:
    """Writes one kernel."""

    def __init__(self, name: str, shape: Winograd, epilogue):
        self.shape, self.epilogue = shape, epilogue
        self.f = Function(name, ["ptr", "i64", "i64"])
        self.kind = ir.vector("float", shape.lanes)

    def text(self) -> str:
        """The function as LLVM IR."""
        f, shape = self.f, self.shape
        buffers, begin, end = f.arguments
        count = 3 + self.epilogue.keeps + self.epilogue.extras
        loaded = [f.load("ptr", f.at(buffers, i, "ptr")) for i in range(count)]
        self.pointers = [*([] if self.epilogue.keeps else [None]), *loaded[3:]]
        image, self.kernels, memory = loaded[:3]
        # Whoever runs several chunks does so in the memory of the first.
        memory = f.at(memory, f.mul(begin, shape.scratch), "float")
        places = [f.at(memory, place, "float") for place in shape.places]
        self.input, self.sums, border, self.results = places
        self.turned = f.array("float", shape.lanes * shape.lanes)
        reader = Reader(f, shape.image, shape.blocks, image, border)
        reader.prepare()
        total = shape.blocks.count
        first, last = (part(f, chunk, total, shape.chunks) for chunk in (begin, end))
        with f.loop(first, last) as number:
            here = block(f, shape.blocks, number)
            reader.begin(here)
            with f.loop(0, shape.image.groups) as group:
                reader.read(here, group)
                self._transform(reader, here, group)
            with f.loop(0, shape.panels) as panel:
                self._multiply(panel)
                with f.loop(0, shape.wide) as vector:
                    self._results(here, vector)
                    first_channel = f.mul(f.add(f.mul(panel, shape.wide), vector), shape.lanes)
                    self._finish(here, first_channel)
        f.ret()
        return f.text()

    def _transform(self, reader: Reader, here: Block, group: Value) -> None:
        f, shape = self.f, self.shape
        with tiles(f, shape.blocks, here) as (image, row, column, number):
            values = reader.tile(image, row, column)
            at = f.add(f.mul(number, shape.image.pitch), f.mul(group, shape.lanes))
            place = f.at(self.input, at, "float")
            for p, value in enumerate(transforms.square(f, transforms.of_input, values)):
                f.store(value, f.at(place, p * shape.input_plane, "float"))

    # The sums -------------------------------------------------------------------------------------

    def _multiply(self, panel: Value) -> None:
        """The sums of products of all tiles with a panel of kernels."""
        f, shape = self.f, self.shape
        kernels = f.at(self.kernels, f.mul(panel, shape.inner * shape.panel), "float")
        with f.loop(0, PRODUCTS) as product, f.loop(0, shape.tiles, shape.tall) as tile:
            plane = f.at(kernels, f.mul(product, shape.kernel_plane), "float")
            at = f.add(f.mul(product, shape.input_plane), f.mul(tile, shape.image.pitch))
            sums = self._tile_sums(f.at(self.input, at, "float"), plane)
            at = f.add(f.mul(product, shape.sums_plane), f.mul(tile, shape.panel))
            place = f.at(self.sums, at, "float")
            for i, value in enumerate(sums):
                f.store(value, f.at(place, i * shape.lanes, "float"))

    def _tile_sums(self, tiles: Value, kernels: Value) -> list[Value]:
        """``tall`` times ``wide`` vectors of sums over the channels."""
        f, shape = self.f, self.shape
        slots = [f.variable(self.kind) for _ in range(shape.tall * shape.wide)]
        for slot in slots:
            f.set(slot, ir.constant(self.kind, 0.0))
        with f.loop(0, shape.inner) as c:
            line = f.at(kernels, f.mul(c, shape.panel), "float")
            vectors = [
                f.load(self.kind, f.at(line, j * shape.lanes, "float")) for j in range(shape.wide)
            ]
            here = f.at(tiles, c, "float")
            for i in range(shape.tall):
                one = f.splat(
                    f.load("float", f.at(here, i * shape.image.pitch, "float")), shape.lanes
                )
                for j, vector in enumerate(vectors):
                    slot = slots[i * shape.wide + j]
                    f.set(slot, f.intrinsic("fmuladd", one, vector, f.get(self.kind, slot)))
        return [f.get(self.kind, slot) for slot in slots]

    # The results ----------------------------------------------------------------------------------

    def _results(self, here: Block, vector: Value) -> None:
        """Sums to results, a vector of channels at each place."""
        f, shape = self.f, self.shape
        lanes = shape.lanes
        with tiles(f, shape.blocks, here) as (image, row, column, number):
            at = f.add(f.mul(number, shape.panel), f.mul(vector, lanes))
            place = f.at(self.sums, at, "float")
            values = [
                f.load(self.kind, f.at(place, p * shape.sums_plane, "float"))
                for p in range(PRODUCTS)
            ]
            at = f.add(f.mul(image, shape.result_image), f.mul(row, 2 * shape.result_row))
            corner = f.at(self.results, f.add(at, f.mul(column, 2 * lanes)), "float")
            found = transforms.square(f, transforms.to_results, values)
            for value, (y, x) in zip(found, ((0, 0), (0, 1), (1, 0), (1, 1))):
                f.store(value, f.at(corner, y * shape.result_row + x * lanes, "float"))

    def _finish(self, here: Block, first: Value) -> None:
        """Results to the epilogue; ``first`` is the vector's first channel."""
        f, shape = self.f, self.shape
        height, width = shape.height, shape.width
        lines = 1 if shape.blocks.split else max(1, min(shape.lanes // width, height))
        whole: Index = height - height % lines
        top = f.mul(f.typed(here.row, "i64"), 2)
        if shape.blocks.split:
            whole = minimum(f, minus(f, height, top), 2 * shape.blocks.rows)
        with f.loop(0, here.samples) as image:
            results = f.at(self.results, f.mul(image, shape.result_image), "float")
            sample = f.add(here.sample, image)
            with f.loop(0, whole, lines) as y:
                places = f.at(results, f.mul(y, shape.result_row), "float")
                column = f.mul(f.add(y, top), width)
                self._finish_lines(places, lines, (sample, first, column))
            if height % lines:
                begin = height - height % lines
                places = f.at(results, begin * shape.result_row, "float")
                self._finish_lines(places, height % lines, (sample, first, begin * width))

    def _finish_lines(self, places: Value, lines: int, at: tuple[Value, Value, Index]) -> None:
        """Lines that fit into a vector together, or one line."""
        f, shape = self.f, self.shape
        width, lanes = shape.width, shape.lanes
        whole = width // lanes * lanes if lines == 1 else 0
        if whole:
            with f.loop(0, whole, lanes) as x:
                start = f.at(places, f.mul(x, lanes), "float")
                self._hand_over([f.at(start, i * lanes, "float") for i in range(lanes)], at, x)
        count = lines * width - whole
        if count:
            spots = [divmod(i, width) if lines > 1 else (0, whole + i) for i in range(count)]
            rows = [f.at(places, y * shape.result_row + x * lanes, "float") for y, x in spots]
            self._hand_over(rows, at, whole)

    def _hand_over(self, places: Sequence[Value], at, x: Index) -> None:
        """Turns vectors of channels into vectors of places, and gives those to the epilogue."""
        f, shape = self.f, self.shape
        lanes, count = shape.lanes, len(places)
        loaded = [f.load(self.kind, place) for place in places]
        loaded += [ir.constant(self.kind, 0.0)] * (lanes - count)
        for i, value in enumerate(transposed(f, loaded)):
            f.store(value, f.at(self.turned, i * lanes, "float"))
        while lanes // 2 >= count:
            lanes //= 2
        mask = None if count == lanes else first_lanes(count, lanes)
        sample, first, column = at
        channels: Index = shape.lanes
        if shape.panels * shape.panel > shape.outer:
            channels = minimum(f, minus(f, shape.outer, first), shape.lanes)
        with f.loop(0, channels) as lane:
            place = f.at(self.turned, f.mul(lane, shape.lanes), "float")
            value = f.load(ir.vector("float", lanes), place)
            here = (sample, f.add(first, lane), plus(f, column, x))
            self.epilogue.emit(f, self.pointers, value, here, mask)
