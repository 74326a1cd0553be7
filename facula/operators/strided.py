"""General strided views: as_strided, diagonal, unfold."""

from __future__ import annotations

import math

import numpy as np

from facula.base import dtypes
from facula.graph.primitives import indexing as ix
from facula.operators import kit
from facula.operators.basic import identity
from facula.operators.movement import _inverse
from facula.operators.operator import operator
from facula.operators.views import View, general


def _shape(x):
    return x._value.spec.shape


# General strided views --------------------------------------------------------------------------


def _flat_places(shape, strides, offset):
    places = np.full(shape, offset, np.int64)
    for axis, (n, s) in enumerate(zip(shape, strides, strict=True)):
        places = places + (np.arange(n) * s).reshape(
            [-1 if i == axis else 1 for i in range(len(shape))]
        )
    return places


@operator(
    name="AsStrided",
    derivative={
        "input": lambda g, call, size, stride, offset: _scatter_strided(
            g, size, stride, offset, call.in_specs[0].shape
        )
    },
    view=View(
        strides=lambda shape, strides, offset0, size, stride, offset: (stride, offset),
        write=lambda before, value, size, stride, offset: _write_strided(
            before, value, size, stride, offset
        ),
        absolute=True,
    ),
)
def _as_strided(input, size: tuple, stride: tuple, offset: int):
    flat = kit.reshape(input, (input._value.spec.numel,))
    return kit.bind(ix.index, flat, kit.table(_flat_places(size, stride, offset), dtypes.int64))


general.operator = _as_strided


def _write_strided(before, value, size, stride, offset):
    flat = kit.reshape(before, (before._value.spec.numel,))
    places = kit.table(_flat_places(size, stride, offset), dtypes.int64)
    return kit.reshape(kit.bind(ix.index_put, flat, value, places, mode="set"), _shape(before))


@operator(
    name="AsStridedScatter",
    derivative={"value": lambda g, size, stride, offset: _as_strided(g, size, stride, offset)},
)
def _scatter_strided(value, size: tuple, stride: tuple, offset: int, shape: tuple):
    flat = kit.full((math.prod(shape),), 0, value._value.spec.dtype)
    places = kit.table(_flat_places(size, stride, offset), dtypes.int64)
    return kit.reshape(kit.bind(ix.index_put, flat, value, places, mode="add"), shape)


def as_strided(input, size, stride, storage_offset=None):
    """A view of the storage with any size, strides (in elements) and offset."""
    size, stride = tuple(size), tuple(stride)
    if len(size) != len(stride):
        raise RuntimeError("mismatch in length of strides and shape")
    if any(s < 0 for s in stride):
        raise RuntimeError(
            "as_strided: Negative strides are not supported at the moment, got strides: "
            f"{list(stride)}"
        )
    alias = input._alias
    if alias is not None and alias.storage.spec.dtype is not input._value.spec.dtype:
        input = identity(input)  # a part of complex numbers: there is no memory of its own dtype
        alias = None
    offset = storage_offset
    if offset is None:
        offset = alias.offset if alias is not None else 0
    last = offset + sum([(n - 1) * s for n, s in zip(size, stride, strict=True)])
    room = (alias.storage.spec if alias is not None else input._value.spec).numel
    if math.prod(size) and last >= room:
        raise RuntimeError(
            f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {offset}, "
            f"requiring a storage size of {last + 1} elements are out of bounds for storage of "
            f"size {room}"
        )
    if alias is not None and alias.chain:
        root = input._root_view()
        return _as_strided(root, size, stride, offset)
    return _as_strided(input, size, stride, offset)


@operator(
    name="Diagonal",
    derivative={
        "input": lambda g, call, offset, dim1, dim2: _diagonal_into(
            g, call.in_specs[0].shape, offset, dim1, dim2
        )
    },
    view=View(
        strides=lambda shape, strides, at, offset, dim1, dim2: _diagonal_layout(
            shape, strides, at, offset, dim1, dim2
        ),
        write=lambda before, value, offset, dim1, dim2: _write_diagonal(
            before, value, offset, dim1, dim2
        ),
    ),
)
def _diagonal(input, offset: int, dim1: int, dim2: int):
    moved, rows, columns = _diagonal_places(input, offset, dim1, dim2)
    picked = kit.bind(ix.index, moved, rows, columns)
    return kit.permute(picked, (*range(1, picked._value.spec.ndim), 0))


def _diagonal_layout(shape, strides, at, offset, dim1, dim2):
    n = _diagonal_size(shape, offset, dim1, dim2)
    if n:
        at += offset * strides[dim2] if offset >= 0 else -offset * strides[dim1]
    rest = [s for i, s in enumerate(strides) if i not in (dim1, dim2)]
    return (*rest, strides[dim1] + strides[dim2]), at


def _diagonal_size(shape, offset, dim1, dim2):
    return max(
        0,
        min(shape[dim1], shape[dim2] - offset)
        if offset >= 0
        else min(shape[dim1] + offset, shape[dim2]),
    )


def _diagonal_places(input, offset, dim1, dim2):
    shape = _shape(input)
    n = _diagonal_size(shape, offset, dim1, dim2)
    steps = np.arange(n)
    rows = kit.table(steps + max(-offset, 0), dtypes.int64)
    columns = kit.table(steps + max(offset, 0), dtypes.int64)
    rest = [i for i in range(len(shape)) if i not in (dim1, dim2)]
    return kit.permute(input, (dim1, dim2, *rest)), rows, columns


def _write_diagonal(before, value, offset, dim1, dim2):
    moved, rows, columns = _diagonal_places(before, offset, dim1, dim2)
    ndim = value._value.spec.ndim
    front = kit.permute(value, (ndim - 1, *range(ndim - 1)))
    out = kit.bind(ix.index_put, moved, front, rows, columns, mode="set")
    rest = [i for i in range(before._value.spec.ndim) if i not in (dim1, dim2)]
    return kit.permute(out, _inverse((dim1, dim2, *rest)))


@operator(
    name="DiagonalBackward",
    derivative={"value": lambda g, offset, dim1, dim2: _diagonal(g, offset, dim1, dim2)},
)
def _diagonal_into(value, shape: tuple, offset: int, dim1: int, dim2: int):
    zeros = kit.full(shape, 0, value._value.spec.dtype)
    return _write_diagonal(zeros, value, offset, dim1, dim2)


def diagonal(input, offset=0, dim1=0, dim2=1):
    """The diagonal of two dimensions, as the last dimension (a view)."""
    ndim = len(_shape(input))
    a, b = kit.axis_of(dim1, ndim), kit.axis_of(dim2, ndim)
    if a == b:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return _diagonal(input, offset, a, b)


def _unfold_layout(shape, strides, offset, axis, size, step):
    if not shape:
        return (1,), offset
    return (*strides[:axis], strides[axis] * step, *strides[axis + 1 :], strides[axis]), offset


@operator(
    name="Unfold",
    derivative={
        "input": lambda g, call, axis, size, step: _fold(
            g, call.in_specs[0].shape, axis, size, step
        )
    },
    view=View(strides=_unfold_layout, write=lambda *args: _write_windows(*args), overlapping=True),
)
def _unfold(input, axis: int, size: int, step: int):
    shape = _shape(input)
    if not shape:
        return kit.reshape(input, (1,))
    moved = kit.permute(input, (axis, *[i for i in range(len(shape)) if i != axis]))
    count = (shape[axis] - size) // step + 1
    places = np.arange(count)[:, None] * step + np.arange(size)[None, :]
    picked = kit.bind(ix.index, moved, kit.table(places, dtypes.int64))
    order = list(range(2, len(shape) + 1))
    order.insert(axis, 0)
    return kit.permute(picked, (*order, 1))


def _write_windows(before, value, axis, size, step):
    """Windows that overlap are written one after another, like PyTorch's loop over memory."""
    shape = _shape(before)
    if not shape:
        return kit.reshape(value, ())
    return _put_windows(before, value, axis, size, step, "set")


@operator(
    name="UnfoldBackward",
    derivative={"value": lambda g, axis, size, step: _unfold(g, axis, size, step)},
)
def _fold(value, shape: tuple, axis: int, size: int, step: int):
    if not shape:
        return kit.reshape(value, ())
    zeros = kit.full(shape, 0, value._value.spec.dtype)
    return _put_windows(zeros, value, axis, size, step, "add")


def _put_windows(before, value, axis, size, step, mode):
    shape = _shape(before)
    count = (shape[axis] - size) // step + 1
    ndim = len(shape)
    front = kit.permute(value, (axis, ndim, *[i for i in range(ndim) if i != axis]))
    places = np.arange(count)[:, None] * step + np.arange(size)[None, :]
    rest = [i for i in range(ndim) if i != axis]
    moved = kit.permute(before, (axis, *rest))
    out = kit.bind(ix.index_put, moved, front, kit.table(places, dtypes.int64), mode=mode)
    return kit.permute(out, _inverse((axis, *rest)))


def unfold(input, dimension, size, step):
    """All windows of ``size`` along a dimension, ``step`` apart: a view, its new dimension last."""
    shape = _shape(input)
    axis = kit.axis_of(dimension, len(shape))
    n = shape[axis] if shape else 1
    if size > n:
        raise RuntimeError(f"maximum size for tensor at dimension {axis} is {n} but size is {size}")
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    return _unfold(input, axis, size, step)


NAMESPACES = {
    "torch": [
        "as_strided",
        "diagonal",
    ],
    "method": [
        "as_strided",
        "diagonal",
        "unfold",
    ],
}
