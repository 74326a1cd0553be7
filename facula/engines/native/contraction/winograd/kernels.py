"""The transform of the convolution's kernels: nine taps become sixteen numbers."""

from __future__ import annotations

from collections.abc import Sequence

from facula.engines.native.contraction.indices import part, times
from facula.engines.native.contraction.winograd import transforms
from facula.engines.native.contraction.winograd.blocks import channel, turned
from facula.engines.native.contraction.winograd.shape import TAPS, Winograd
from facula.engines.native.ir import Function, Value
from facula.engines.native.kernel import Kernel

MOST_CHUNKS = 64


def kernel(shape: Winograd) -> Kernel:
    """Operands: kernels, and ``[product][panel][summed channel][lane of the panel]``."""
    chunks = max(1, min(shape.panels * shape.inner, MOST_CHUNKS, int(shape.kernel_cycles / 8000)))
    return Kernel(
        "taps",
        f"winograd taps {shape} {chunks}",
        lambda name: _text(name, shape, chunks),
        chunks,
        shape.kernel_cycles / 3,
    )


def _text(name: str, shape: Winograd, chunks: int) -> str:
    f = Function(name, ["ptr", "i64", "i64"])
    buffers, begin, end = f.arguments
    source = f.at(f.load("ptr", buffers), shape.kernel_offset, "float")
    made = f.load("ptr", f.at(buffers, 1, "ptr"))
    total = shape.panels * shape.inner
    with f.loop(part(f, begin, total, chunks), part(f, end, total, chunks)) as row:
        panel, summed = f.op("sdiv", row, shape.inner), f.op("srem", row, shape.inner)
        here = f.at(source, times(f, summed, shape.kernel_sum), "float")
        target = f.at(made, f.mul(row, shape.panel), "float")
        with f.loop(0, shape.wide) as number:
            first = f.mul(f.add(f.mul(panel, shape.wide), number), shape.lanes)
            covered = shape.panels * shape.panel
            outers = [channel(f, first, i, shape.outer, covered) for i in range(shape.lanes)]
            rows = [f.at(here, times(f, k, shape.kernel_lane), "float") for k in outers]
            place = f.at(target, f.mul(number, shape.lanes), "float")
            found = transforms.square(f, transforms.of_taps, _taps(f, shape, rows))
            for p, value in enumerate(found):
                f.store(value, f.at(place, p * shape.kernel_plane, "float"))
    f.ret()
    return f.text()


def _taps(f: Function, shape: Winograd, rows: Sequence[Value]) -> list[Value]:
    """Nine vectors of the taps of as many kernels as there are lanes."""
    found: list[Value] = []
    for first in range(0, TAPS, shape.lanes):
        here = [f.at(row, first, "float") for row in rows]
        found += turned(f, here, min(shape.lanes, TAPS - first), shape.lanes)
    return found[::-1] if shape.flipped else found
