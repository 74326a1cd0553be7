"""Gather and scatter: read and write elements at positions given by index arrays."""

from __future__ import annotations

import numpy as np

from facula.graph.primitive import Primitive, register
from facula.graph.primitives import kinds
from facula.graph.spec import spec


def _infer_gather(specs, params):
    return spec(specs[1].shape, specs[0].dtype)


def _axis_grid(index, axis):
    """Open index arrays that address every element of ``index``, with ``index`` on ``axis``."""
    grid = list(np.ogrid[tuple([slice(n) for n in index.shape])])
    grid[axis] = index
    return tuple(grid)


def _checked(index, size):
    """NumPy would wrap negative indices that the operator has already normalised: refuse them."""
    if index.size and (index.min() < 0 or index.max() >= size):
        bad = index.min() if index.min() < 0 else index.max()
        raise IndexError(f"index {bad} is out of bounds for dimension with size {size}")
    return index


gather = register(
    Primitive(
        "gather",
        "gather",
        infer=_infer_gather,
        reference=lambda p, x, index: x[_axis_grid(_checked(index, x.shape[p["axis"]]), p["axis"])],
        doc="x[i][index[i,j]] and so on: torch.gather.",
    )
)

_UPDATES = {
    "add": np.add,
    "multiply": np.multiply,
    "maximum": np.maximum,
    "minimum": np.minimum,
}


def _write(out, where, values, mode):
    if mode == "set":
        out[where] = values
    else:
        _UPDATES[mode].at(out, where, values)
    return out


def _scatter(params, x, index, values):
    """Written through one flat index: NumPy is several times faster with it than with a grid."""
    axis = params["axis"]
    _checked(index, x.shape[axis])
    flat = np.zeros(index.shape, np.int64)
    step = 1
    for i in reversed(range(x.ndim)):
        along = np.arange(index.shape[i]).reshape([-1 if j == i else 1 for j in range(x.ndim)])
        flat += (index if i == axis else along) * step
        step *= x.shape[i]
    out = x.copy()
    values = np.broadcast_to(values, index.shape)
    _write(out.reshape(-1), flat.reshape(-1), values.reshape(-1), params["mode"])
    return out


scatter = register(
    Primitive(
        "scatter",
        "scatter",
        infer=lambda specs, params: specs[0],
        reference=_scatter,
        doc="Write values at torch.scatter's positions; mode set, add, multiply, maximum, minimum.",
    )
)


def _index_shape(specs):
    x, *indices = specs
    count = len(indices)
    lead = kinds.broadcast_shapes("index", *[s.shape for s in indices])
    return lead + x.shape[count:]


def _checked_all(x, indices):
    return tuple([_checked(i, n) for i, n in zip(indices, x.shape, strict=False)])


index = register(
    Primitive(
        "index",
        "gather",
        infer=lambda specs, params: spec(_index_shape(specs), specs[0].dtype),
        reference=lambda p, x, *indices: x[_checked_all(x, indices)],
        doc="x[i0, i1, ...] with integer arrays for the leading axes.",
    )
)


def _index_put(params, x, values, *indices):
    where = _checked_all(x, indices)
    mode = params["mode"]
    if (
        mode == "add"
        and x.dtype != np.bool_
        and len(where) == 1
        and x.ndim >= 2
        and values.shape == where[0].shape + x.shape[1:]
    ):
        return _add_rows(x, where[0], values)
    return _write(x.copy(), where, values, mode)


def _add_rows(x, rows, values):
    """Sum rows that go to the same place with one sorted pass; np.add.at is far slower."""
    flat = rows.reshape(-1)
    out = x.copy()
    if flat.size == 0:
        return out
    order = np.argsort(flat, kind="stable")
    ordered = flat[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    sums = np.add.reduceat(values.reshape(flat.shape + x.shape[1:])[order], starts, axis=0)
    out[ordered[starts]] += sums
    return out


index_put = register(
    Primitive(
        "index_put",
        "scatter",
        infer=lambda specs, params: specs[0],
        reference=_index_put,
        doc="The first operand with the second written at x[i0, i1, ...]; mode as in scatter.",
    )
)
