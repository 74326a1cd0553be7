"""Shape and dtype rules shared by the primitives of one kind."""

from __future__ import annotations

from facula.base.dtypes import dtype
from facula.graph.spec import Spec, spec


class RuleError(RuntimeError):
    """A primitive was applied to operands it does not take; names the primitive and the rule."""


def broadcast_shapes(name: str, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The common shape, with PyTorch's message when there is none."""
    ndim = max(map(len, shapes))
    out = [1] * ndim
    for shape in shapes:
        offset = ndim - len(shape)
        # From the last dimension to the first: PyTorch names the first mismatch in that order.
        for axis in range(ndim - 1, offset - 1, -1):
            size = shape[axis - offset]
            if size == 1 or size == out[axis]:
                continue
            if out[axis] != 1:
                raise RuntimeError(
                    f"The size of tensor a ({out[axis]}) must match the size of tensor b ({size}) "
                    f"at non-singleton dimension {axis}"
                )
            out[axis] = size
    return tuple(out)


def same_dtype(name: str, specs) -> dtype:
    """The one dtype of all operands; operators cast before they apply a primitive."""
    first = specs[0].dtype
    for other in specs[1:]:
        if other.dtype is not first:
            raise RuleError(f"{name}: operands must have one dtype, got {list(specs)}")
    return first


def elementwise(name: str, result: dtype | None = None):
    """Operands of one dtype broadcast together; the result has that dtype, or ``result``."""

    def infer(specs, params) -> Spec:
        own = same_dtype(name, specs)
        if len(specs) == 1 or (len(specs) == 2 and specs[0].shape == specs[1].shape):
            shape = specs[0].shape
        else:
            shape = broadcast_shapes(name, *[s.shape for s in specs])
        return spec(shape, result or own, all(s.weak for s in specs))

    return infer


def reduced_shape(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """``shape`` without ``axes``."""
    return tuple([size for axis, size in enumerate(shape) if axis not in axes])


def halves_in_float32(function):
    """Let a reference compute 16-bit floats in float32, as PyTorch's kernels accumulate."""
    import numpy as np

    def wrapped(params, *arrays):
        if arrays[0].dtype == np.float16:
            arrays = [a.astype(np.float32) if a.dtype == np.float16 else a for a in arrays]
            return function(params, *arrays).astype(np.float16)
        return function(params, *arrays)

    return wrapped
