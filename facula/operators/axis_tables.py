"""Reading an axis at positions from a table, and adding back to them: padding and resampling."""

from __future__ import annotations

import numpy as np

from facula.base import dtypes
from facula.graph.primitives import indexing as ix
from facula.operators import kit


def _to_front(ndim, axis):
    """Axis order with ``axis`` first, and the order that undoes it."""
    order = (axis, *[i for i in range(ndim) if i != axis])
    inverse = [0] * ndim
    for i, a in enumerate(order):
        inverse[a] = i
    return order, tuple(inverse)


def read_axis(x, axis: int, places: np.ndarray):
    """In a body: the elements of one axis at ``places``."""
    n = x._value.spec.shape[axis]
    if len(places) == n and np.array_equal(places, np.arange(n)):
        return x
    order, inverse = _to_front(x._value.spec.ndim, axis)
    found = kit.bind(ix.index, kit.permute(x, order), kit.table(places, dtypes.int64))
    return kit.permute(found, inverse)


def add_axis(x, axis: int, places: np.ndarray, size: int):
    """In a body: zeros of ``size`` along an axis, with ``x`` added at ``places``."""
    shape = x._value.spec.shape
    if len(places) == size and np.array_equal(places, np.arange(size)):
        return x
    order, inverse = _to_front(len(shape), axis)
    front = kit.permute(x, order)
    zeros = kit.full((size, *front._value.spec.shape[1:]), 0, x._value.spec.dtype)
    found = kit.bind(ix.index_put, zeros, front, kit.table(places, dtypes.int64), mode="add")
    return kit.permute(found, inverse)


def read_last_axes(x, tables):
    """``read_axis`` for the last axes, one table each."""
    first = x._value.spec.ndim - len(tables)
    for axis, places in enumerate(tables, first):
        x = read_axis(x, axis, places)
    return x


def add_last_axes(x, tables, sizes):
    """``add_axis`` for the last axes, one table and size each."""
    first = x._value.spec.ndim - len(tables)
    for axis, (places, size) in enumerate(zip(tables, sizes, strict=True), first):
        x = add_axis(x, axis, places, size)
    return x
