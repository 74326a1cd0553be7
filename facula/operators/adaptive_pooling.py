"""Adaptive pooling: windows chosen so that the output has a wanted size."""

from __future__ import annotations

from math import prod

import numpy as np

from facula.base import dtypes
from facula.base.dtypes import FLOAT
from facula.graph.primitives import contraction as c
from facula.graph.primitives import elementwise as e
from facula.graph.primitives import indexing as ix
from facula.graph.primitives import reduction as r
from facula.operators import kit
from facula.operators.axis_tables import read_axis
from facula.operators.operator import operator
from facula.operators.pooling import _flat, _put_places, _take_places
from facula.operators.reduction import mean


def _shape(x):
    return x._value.spec.shape


def _dtype(x):
    return x._value.spec.dtype


def bounds(n: int, m: int):
    """Where each of ``m`` windows over ``n`` elements starts and stops."""
    return [(i * n // m, -(-(i + 1) * n // m)) for i in range(m)]


# Along one axis at a time ------------------------------------------------------------------------


def along_axis(x, axis, matrix):
    """In a body: a matrix (new, old) applied to one axis."""
    shape = _shape(x)
    if axis == len(shape) - 1:
        rows = kit.reshape(x, (prod(shape[:-1]), shape[-1]))
        out = kit.bind(c.matmul, rows, kit.permute(matrix, (1, 0)))
        return kit.reshape(out, (*shape[:-1], _shape(matrix)[0]))
    inner = prod(shape[axis + 1 :])
    planes = kit.reshape(x, (prod(shape[:axis]), shape[axis], inner))
    out = kit.bind(c.matmul, matrix, planes)
    return kit.reshape(out, (*shape[:axis], _shape(matrix)[0], *shape[axis + 1 :]))


def apply_matrices(x, matrices, transposed=False):
    """In a body: NumPy matrices (new, old) applied to the last axes, one after the other."""
    own = _dtype(x)
    wide = dtypes.float32 if own in (dtypes.float16, dtypes.bfloat16) else own
    x = kit.as_dtype(x, wide)
    first = len(_shape(x)) - len(matrices)
    for axis, matrix in enumerate(matrices, first):
        if matrix is not None:
            matrix = matrix.T if transposed else matrix
            few = _sparsely(x, axis, matrix, wide)
            if few is None:
                few = along_axis(x, axis, kit.table(np.ascontiguousarray(matrix), wide))
            x = few
    return kit.as_dtype(x, own)


_ROW = 12  # products of a matrix that take as long as reading an element of a row that is chosen
_ELEMENT = 40  # ... or each element by its own number


def _sparsely(x, axis, matrix, own):
    """In a body: a matrix with few numbers in a row applied to one axis; None if it has many."""
    kept = matrix != 0
    terms = int(kept.sum(1).max(initial=0))
    worth = _ELEMENT if axis == len(_shape(x)) - 1 else _ROW
    if not 0 < terms * worth < matrix.shape[1]:
        return None
    places = np.argsort(~kept, axis=1, kind="stable")[:, :terms]
    places = np.where(np.take_along_axis(kept, places, 1), places, places[:, :1])
    numbers = np.take_along_axis(matrix, places, 1)
    numbers[:, 1:] *= places[:, 1:] != places[:, :1]
    behind = (1,) * (len(_shape(x)) - axis - 1)
    total = None
    for place, weight in zip(places.T, numbers.T, strict=True):
        weights = kit.table(np.ascontiguousarray(weight).reshape(-1, *behind), own)
        part = kit.bind(e.mul, read_axis(x, axis, place), weights)
        total = part if total is None else kit.bind(e.add, total, part)
    return total


def _averaging(n, m):
    matrix = np.zeros((m, n))
    for i, (start, stop) in enumerate(bounds(n, m)):
        matrix[i, start:stop] = 1 / (stop - start)
    return matrix


def _matrices(sizes, output):
    return [None if n == m else _averaging(n, m) for n, m in zip(sizes, output, strict=True)]


def _average_name(specs, template):
    rank = len(template[1])
    return "SqueezeBackward1" if rank == 1 else f"AdaptiveAvgPool{rank}DBackward0"


@operator(
    name=_average_name,
    derivative={
        "input": lambda g, call, output: _average_grad(
            g, call.in_specs[0].shape[-len(output) :], output
        )
    },
)
def _average(input, output: tuple):
    return apply_matrices(input, _matrices(_shape(input)[-len(output) :], output))


@operator(
    name="AdaptiveAvgPoolBackward",
    derivative={"grad": lambda g, output: _average(g, output)},
)
def _average_grad(grad, sizes: tuple, output: tuple):
    return apply_matrices(grad, _matrices(sizes, output), transposed=True)


def _output_size(name, rank, input, output_size):
    """``output_size`` for each dimension; None keeps the input's size."""
    shape = _shape(input)
    several = not isinstance(output_size, int)
    output_size = tuple(output_size) if several else (output_size,) * rank
    if len(output_size) == 1:
        output_size = output_size * rank
    if several and len(shape) <= len(output_size):
        raise ValueError(f"Input dimension should be at least {len(output_size) + 1}")
    if len(output_size) != rank:
        raise RuntimeError(f"{name}: output_size must be {rank}")
    if len(shape) not in (rank + 1, rank + 2):
        raise RuntimeError(
            f"{name}(): Expected {rank + 1}D or {rank + 2}D tensor, but got: {list(shape)}"
        )
    sizes = [n if m is None else int(m) for n, m in zip(shape[-rank:], output_size, strict=True)]
    if any(m < 0 for m in sizes):
        told = ", ".join(map(str, sizes))
        raise RuntimeError(
            f"{name}: elements of output_size must be greater than or equal to 0 but received "
            f"{{{told}}}"
        )
    return tuple(sizes)


def _check_not_empty(name, rank, input):
    for axis in range(-rank, 0):
        if _shape(input)[axis] == 0:
            raise RuntimeError(
                f"{name}(): Expected input to have non-zero size for non-batch dimensions, but "
                f"input has sizes {list(_shape(input))} with dimension {len(_shape(input)) + axis} "
                "being empty"
            )


@operator(name="=SqueezeBackward1")
def _mean_last(input):
    return mean(input, (-1,), True)


def _adaptive_average(name, rank, input, output_size):
    sizes = _output_size(name, rank, input, output_size)
    if _dtype(input).category < FLOAT:
        raise NotImplementedError(f"\"{name}\" not implemented for '{_dtype(input).legacy}'")
    if sizes == (1,) * rank:
        # One window: a plain mean, which is what PyTorch records too.
        return _mean_last(input) if rank == 1 else mean(input, tuple(range(-rank, 0)), True)
    _check_not_empty(name, rank, input)
    return _average(input, sizes)


def adaptive_avg_pool1d(input, output_size):
    """Means of ``output_size`` windows that cover the last dimension of (N, C, L) or (C, L)."""
    return _adaptive_average("adaptive_avg_pool1d", 1, input, output_size)


def adaptive_avg_pool2d(input, output_size):
    """Means of windows that cover images (N, C, H, W) or (C, H, W); None keeps a size.

    >>> import facula as torch
    >>> torch.nn.functional.adaptive_avg_pool2d(torch.ones(1, 3, 7, 5), (2, None)).shape
    torch.Size([1, 3, 2, 5])
    """
    return _adaptive_average("adaptive_avg_pool2d", 2, input, output_size)


def adaptive_avg_pool3d(input, output_size):
    """Means of windows that cover volumes (N, C, D, H, W) or (C, D, H, W); None keeps a size."""
    return _adaptive_average("adaptive_avg_pool3d", 3, input, output_size)


# Maxima ------------------------------------------------------------------------------------------


def _window_places(sizes, output):
    """For each window the places in the flattened plane of its elements, in order.

    Windows that are smaller than the largest repeat their last element; the first of equals wins,
    so the repeats are never chosen.
    """
    places = np.zeros((1, 1), np.int64)
    for n, m in zip(sizes, output, strict=True):
        windows = bounds(n, m)
        width = max((stop - start for start, stop in windows), default=0)
        axis = np.array(
            [np.minimum(np.arange(start, start + width), stop - 1) for start, stop in windows]
        ).reshape(m, width)
        outer = places[:, None, :, None] * n + axis[None, :, None, :]
        places = outer.reshape(places.shape[0] * m, places.shape[1] * width)
    return places


def _maxima_name(specs, template):
    rank = len(template[1])
    return "SqueezeBackward1" if rank == 1 else f"AdaptiveMaxPool{rank}DBackward0"


def _maxima_grad(g, outs, input, output):
    return _put_places(g, outs[1], True, _shape(input)[-len(output) :])


@operator(name=_maxima_name, derivative={"input": _maxima_grad})
def _maxima(input, output: tuple):
    rank = len(output)
    lead = _shape(input)[:-rank]
    places = _window_places(_shape(input)[-rank:], output)
    flat = kit.permute(_flat(input, rank), (1, 0))  # elements first: one gather for all rows
    windows = kit.bind(ix.index, flat, kit.table(places, dtypes.int64))
    best = kit.bind(r.argmax, windows, axis=1)  # (windows, rows)
    table = kit.table(places.reshape(-1), dtypes.int64)
    start = kit.table(np.arange(len(places))[:, None] * places.shape[1], dtypes.int64)
    index = kit.bind(ix.index, table, best + start)
    index = kit.reshape(kit.permute(index, (1, 0)), (*lead, *output))
    return _take_places(input, index, _shape(input)[-rank:]), index


def _adaptive_max(name, rank, input, output_size, return_indices):
    sizes = _output_size(name, rank, input, output_size)
    _check_not_empty(name, rank, input)
    values, index = _maxima(input, sizes)
    return (values, index) if return_indices else values


def adaptive_max_pool1d(input, output_size, return_indices=False):
    """Maxima of ``output_size`` windows that cover the last dimension of (N, C, L) or (C, L)."""
    return _adaptive_max("adaptive_max_pool1d", 1, input, output_size, return_indices)


def adaptive_max_pool2d(input, output_size, return_indices=False):
    """Maxima of windows that cover images (N, C, H, W) or (C, H, W); None keeps a size."""
    return _adaptive_max("adaptive_max_pool2d", 2, input, output_size, return_indices)


def adaptive_max_pool3d(input, output_size, return_indices=False):
    """Maxima of windows that cover volumes (N, C, D, H, W) or (C, D, H, W); None keeps a size."""
    return _adaptive_max("adaptive_max_pool3d", 3, input, output_size, return_indices)


def adaptive_max_pool1d_with_indices(input, output_size, return_indices=False):
    """``adaptive_max_pool1d`` with each maximum's place."""
    return adaptive_max_pool1d(input, output_size, True)


def adaptive_max_pool2d_with_indices(input, output_size, return_indices=False):
    """``adaptive_max_pool2d`` with each maximum's place in its flattened plane."""
    return adaptive_max_pool2d(input, output_size, True)


def adaptive_max_pool3d_with_indices(input, output_size, return_indices=False):
    """``adaptive_max_pool3d`` with each maximum's place in its flattened volume."""
    return adaptive_max_pool3d(input, output_size, True)


_ALL = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d",
    "adaptive_max_pool2d", "adaptive_max_pool3d", "adaptive_max_pool1d_with_indices",
    "adaptive_max_pool2d_with_indices", "adaptive_max_pool3d_with_indices",
]  # fmt: skip
NAMESPACES = {"torch": ["adaptive_avg_pool1d"], "functional": _ALL}
