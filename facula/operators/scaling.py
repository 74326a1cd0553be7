"""Scaling by a norm: unit vectors, and normalisation across neighbouring channels."""

from __future__ import annotations

from facula.operators import kit
from facula.operators.basic import full
from facula.operators.inplace import write
from facula.operators.joining import _cat
from facula.operators.operator import Number, operator
from facula.operators.pointwise import clamp, square
from facula.operators.precision import narrowed, widened
from facula.operators.slicing import slice_axis
from facula.operators.vector_norms import _vector_norm


def _shape(x):
    return x._value.spec.shape


@operator(name="Div")
def _normalize(input, p: tuple, dim, eps: Number):
    return input / clamp(_vector_norm(input, p, dim, True, None), eps)


def normalize(input, p=2.0, dim=1, eps=1e-12, out=None):
    """Vectors along ``dim`` divided by their p-norm (by ``eps`` where the norm is smaller).

    >>> import facula as torch
    >>> torch.nn.functional.normalize(torch.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """
    dims = dim if isinstance(dim, int) else tuple(dim)
    result = _normalize(input, (float(p),), dims, float(eps))
    return result if out is None else write(out, result)


@operator(name="Div")
def _local_response_norm(input, size: int, alpha: Number, beta: Number, k: Number):
    x = widened(input)
    shape = _shape(x)
    squares = square(x)
    parts = [squares]
    for place, count in enumerate((size // 2, (size - 1) // 2)):
        if count:
            zeros = full((shape[0], count, *shape[2:]), 0, squares._value.spec.dtype)
            parts.insert(place * len(parts), zeros)
    padded = _cat(parts, 1) if len(parts) > 1 else squares
    total = None
    for shift in range(size):
        window = slice_axis(padded, 1, shift, shift + shape[1])
        total = window if total is None else total + window
    out = x / (total * (alpha / size) + k) ** beta
    return narrowed(out, kit.floating(input._value.spec.dtype))


def local_response_norm(input, size, alpha=1e-04, beta=0.75, k=1.0):
    """Each value divided by a power of the squares in ``size`` neighbouring channels."""
    ndim = len(_shape(input))
    if ndim < 3:
        raise ValueError(f"Expected 3D or higher dimensionality input (got {ndim} dimensions)")
    if input._value.spec.numel == 0:
        return input
    kit.axis_of(1, ndim)
    return _local_response_norm(input, int(size), float(alpha), float(beta), float(k))


NAMESPACES = {"functional": ["normalize", "local_response_norm"]}
