"""From a convolution to the kernels of Winograd's method, where that pays."""

from __future__ import annotations

from collections.abc import Callable

from facula.engines.native.contraction.finish import Store
from facula.engines.native.contraction.winograd import (
    convolve,
    gradient,
    gradient_shape,
    kernels,
)
from facula.engines.native.contraction.winograd import shape as shapes
from facula.engines.native.contraction.winograd.gradient_shape import Gradient
from facula.engines.native.contraction.winograd.shape import PRODUCTS, Winograd
from facula.engines.native.kernel import Kernel, Piece, Ref, given, result
from facula.engines.native.views import View

Memory = Callable[[int, str], Ref]  # finds elements of a type that live between kernels


def convolution(shape: Winograd, epilogue, memory: Memory) -> list[Piece]:
    """The kernels of a convolution or an input gradient."""
    transformed = memory(PRODUCTS * shape.kernel_plane, "float")
    scratch = memory(shape.chunks * shape.scratch, "float")
    return [
        Piece(kernels.kernel(shape), (given(1), transformed), (1,)),
        _last(convolve.kernel(shape, epilogue), (given(0), transformed, scratch), (2,), epilogue),
    ]


def weight_gradient(shape: Gradient, epilogue, memory: Memory) -> list[Piece]:
    """The kernels of a weight gradient."""
    sums = memory(shape.chunks * shape.partial, "float")
    if not shape.stored:
        scratch = memory(shape.chunks * shape.scratch, "float")
        return [
            Piece(gradient.blockwise_kernel(shape), (given(0), given(1), scratch, sums), (2, 3)),
            _last(gradient.taps_kernel(shape, epilogue), (sums,), (), epilogue),
        ]
    border = memory(gradient.MOST_CHUNKS * shape.border, "float")
    made, planes = [], []
    for number, image in enumerate((shape.results, shape.inputs)):
        planes.append(memory(PRODUCTS * shape.plane(image), "float"))
        kernel = gradient.operand_kernel(shape, image)
        made.append(Piece(kernel, (given(number), border, planes[-1]), (1, 2)))
    last = gradient.partwise_kernel(shape, epilogue)
    return [*made, _last(last, (*planes, sums), (2,), epilogue)]


def _last(kernel: Kernel, operands: tuple[Ref, ...], writes: tuple[int, ...], epilogue) -> Piece:
    """A kernel that has the epilogue's operands after its own."""
    outputs = [result()] if epilogue.keeps else []
    extras = [given(2 + i) for i in range(epilogue.extras)]
    first = len(operands)
    written = [*range(first, first + len(outputs))]
    written += [first + len(outputs) + i for i in epilogue.writes]
    return Piece(kernel, (*operands, *outputs, *extras), (*writes, *written))


def pieces(
    kind: str, params, a: View, b: View, shape, epilogue, memory: Memory, rounds: str = ""
) -> list[Piece] | None:
    """The kernels of a node in float32, or None where the direct way is better.

    ``rounds`` is what :class:`Store` says.
    """
    found = shapes.fitting(kind, params, a, b, shape)
    if found is not None:
        plain = (*shape[:2], shape[2] * shape[3])
        return convolution(found, epilogue or Store(plain, "float", rounds), memory)
    grown = gradient_shape.fitting(kind, params, a, b, shape)
    if grown is not None:
        return weight_gradient(grown, epilogue or Store(grown.shape, "float", rounds), memory)
    return None
