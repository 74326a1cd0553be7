"""From a Winograd convolution to kernels."""

from __future__ import annotations

from facula.engines.native.contraction.winograd import convolve, kernels
from facula.engines.native.contraction.winograd.shape import PRODUCTS, Winograd
from facula.engines.native.kernel import Piece, Ref, given, result


def pieces(shape: Winograd, epilogue, temporary) -> list[Piece]:
    """Two kernels; ``temporary(elements, "float")`` finds memory that lives between them."""
    transformed: Ref = temporary(PRODUCTS * shape.kernel_plane, "float")
    memory: Ref = temporary(shape.chunks * shape.scratch, "float")
    outputs = [result()] if epilogue.keeps else []
    extras = [given(2 + i) for i in range(epilogue.extras)]
    writes = [2, *range(3, 3 + len(outputs)), *[3 + len(outputs) + i for i in epilogue.writes]]
    return [
        Piece(kernels.kernel(shape), (given(1), transformed), (1,)),
        Piece(
            convolve.kernel(shape, epilogue),
            (given(0), transformed, memory, *outputs, *extras),
            tuple(writes),
        ),
    ]
