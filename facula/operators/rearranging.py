"""Elements repeated, reversed, shifted, or kept in a triangle or on a diagonal."""

from __future__ import annotations

import numpy as np

from facula.base import dtypes
from facula.graph.primitives import elementwise as e
from facula.graph.primitives import movement as m
from facula.operators import kit
from facula.operators.basic import identity, sum_to_size_copy
from facula.operators.expanding import _expand
from facula.operators.joining import _cat
from facula.operators.movement import _view, ravel, reshape, transpose
from facula.operators.operator import operator
from facula.operators.slicing import slice_axis
from facula.operators.strided import _diagonal, _diagonal_into, diagonal


def _shape(x):
    return x._value.spec.shape


def repeat(input, sizes):
    """The tensor copied ``sizes`` times along each dimension."""
    shape = _shape(input)
    sizes = tuple([int(n) for n in sizes])
    if len(sizes) < len(shape):
        raise RuntimeError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions "
            "of tensor"
        )
    return _repeat(input, sizes)


def _repeat_grad(g, shape, sizes):
    """The sum over all copies."""
    shape = (1,) * (len(sizes) - len(shape)) + shape
    pairs = [x for n, times in zip(shape, sizes, strict=True) for x in (times, n)]
    one = [x for n in shape for x in (1, n)]
    return sum_to_size_copy(_view(g, tuple(pairs)), tuple(one))


@operator(
    name="Repeat",
    derivative={
        "input": lambda g, call, sizes: _view(
            _repeat_grad(g, call.in_specs[0].shape, sizes), call.in_specs[0].shape
        )
    },
)
def _repeat(input, sizes: tuple):
    shape = _shape(input)
    shape = (1,) * (len(sizes) - len(shape)) + shape
    split_shape = [x for n in shape for x in (1, n)]
    wide = [x for n, times in zip(shape, sizes, strict=True) for x in (times, n)]
    out = _expand(_view(input, tuple(split_shape)), tuple(wide))
    return _view(out, tuple([n * times for n, times in zip(shape, sizes, strict=True)]))


def tile(input, dims):
    """``repeat`` that puts missing counts of 1 in front."""
    dims = tuple(dims)
    return repeat(input, (1,) * (len(_shape(input)) - len(dims)) + dims)


@operator(name="Flip", derivative={"input": lambda g, dims: _flip(g, dims)})
def _flip(input, dims: tuple):
    return kit.bind(m.flip, input, axes=kit.axes_of(dims, len(_shape(input)))) if dims else input


def flip(input, dims):
    """Elements in reverse order along dimensions."""
    dims = (dims,) if isinstance(dims, int) else tuple(dims)
    return _flip(input, dims)


def fliplr(input):
    """Reversed left to right."""
    if len(_shape(input)) < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return flip(input, (1,))


def flipud(input):
    """Reversed top to bottom."""
    if not _shape(input):
        raise RuntimeError("Input must be >= 1-d.")
    return flip(input, (0,))


def roll(input, shifts, dims=None):
    """Elements shifted along dimensions, coming in again at the other end."""
    if not isinstance(shifts, int) and not len(shifts):
        raise RuntimeError("`shifts` required")
    if dims is None or dims == ():
        if not isinstance(shifts, int) and len(shifts) != 1:
            raise RuntimeError(f"shifts and dimensions must align. shifts: {len(shifts)}, dims:0")
        flat = roll(ravel(input), shifts if isinstance(shifts, int) else shifts[0], 0)
        return reshape(flat, _shape(input))
    shifts = (shifts,) if isinstance(shifts, int) else tuple(shifts)
    dims = (dims,) if isinstance(dims, int) else tuple(dims)
    if len(shifts) != len(dims):
        raise RuntimeError(
            f"shifts and dimensions must align. shifts: {len(shifts)}, dims:{len(dims)}"
        )
    return _roll(input, shifts, dims)


@operator(
    name="Roll",
    derivative={"input": lambda g, shifts, dims: _roll(g, tuple([-s for s in shifts]), dims)},
)
def _roll(input, shifts: tuple, dims: tuple):
    shape = _shape(input)
    for shift, dim in zip(shifts, dims, strict=True):
        axis = kit.axis_of(dim, len(shape))
        n = shape[axis]
        if n == 0 or shift % n == 0:
            continue
        cut = n - shift % n
        input = _cat([slice_axis(input, axis, cut, n), slice_axis(input, axis, 0, cut)], axis)
    return input


def rot90(input, k=1, dims=(0, 1)):
    """Rotated by k right angles in the plane of two dimensions."""
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    ndim = len(_shape(input))
    if ndim < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {ndim}")
    a, b = dims
    if a == b or abs(a - b) == ndim:
        raise RuntimeError(
            f"expected rotation dims to be different, but got dim0 = {a} and dim1 = {b}"
        )
    for i, dim in enumerate(dims):
        if not -ndim <= dim < ndim:
            raise RuntimeError(f"Rotation dim{i} out of range, dim{i} = {dim}")
    k = k % 4
    if k == 1:
        return flip(transpose(input, a, b), (a,))
    if k == 2:
        return flip(input, (a, b))
    return flip(transpose(input, a, b), (b,)) if k == 3 else identity(input)


@operator(name="Tril", derivative={"input": lambda g, diagonal: tril(g, diagonal)})
def tril(input, diagonal=0):
    """The lower triangle of matrices; zeros above the ``diagonal``-th diagonal."""
    return _triangle(input, lambda rows, columns: columns <= rows + diagonal)


@operator(name="Triu", derivative={"input": lambda g, diagonal: triu(g, diagonal)})
def triu(input, diagonal=0):
    """The upper triangle of matrices; zeros below the ``diagonal``-th diagonal."""
    return _triangle(input, lambda rows, columns: columns >= rows + diagonal)


def _triangle(input, keep):
    shape = _shape(input)
    if len(shape) < 2:
        raise RuntimeError("triu, tril: input tensor must have at least 2 dimensions")
    mask = keep(np.arange(shape[-2])[:, None], np.arange(shape[-1])[None, :])
    zeros = kit.full(shape, 0, input._value.spec.dtype)
    return kit.bind(e.select, kit.broadcast_to(kit.table(mask, dtypes.bool_), shape), input, zeros)


@operator(name="DiagEmbed")
def diag_embed(input, offset=0, dim1=-2, dim2=-1):
    """Matrices with the last dimension as their diagonal."""
    shape = _shape(input)
    ndim = len(shape) + 1
    a, b = kit.axis_of(dim1, ndim), kit.axis_of(dim2, ndim)
    if a == b:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    n = shape[-1] + (offset if offset >= 0 else -offset)
    rest = iter(shape[:-1])
    full_shape = tuple([n if i in (a, b) else next(rest) for i in range(ndim)])
    return _diagonal_into(input, full_shape, offset, a, b)


def diag(input, diagonal=0):
    """The diagonal of a matrix, or a matrix with a vector as its diagonal."""
    ndim = len(_shape(input))
    if ndim == 1:
        return diag_embed(input, diagonal)
    if ndim != 2:
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {ndim}D")
    return identity(_diagonal(input, diagonal, 0, 1))


def diagflat(input, offset=0):
    """A matrix with the elements as its diagonal."""
    return diag_embed(ravel(input), offset)


def trace(input):
    """Sum of a matrix's diagonal."""
    if len(_shape(input)) != 2:
        raise RuntimeError(
            "trace: expected a matrix, but got tensor with dim " + str(len(_shape(input)))
        )
    return diagonal(input).sum()


_FUNCTIONS = [
    "tile",
    "flip",
    "fliplr",
    "flipud",
    "roll",
    "rot90",
    "tril",
    "triu",
    "diag_embed",
    "diag",
    "trace",
    "diagflat",
]  # methods too

NAMESPACES = {
    "torch": _FUNCTIONS,
    "method": _FUNCTIONS,
    "inplace": ["tril", "triu"],
}
