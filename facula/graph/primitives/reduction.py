"""Reductions and scans: combine the elements along axes."""

from __future__ import annotations

import numpy as np

from facula.base import dtypes
from facula.base.dtypes import BOOL, FLOAT, INTEGER
from facula.graph.primitive import Primitive, register
from facula.graph.primitives import kinds
from facula.graph.spec import spec

NUMERIC = frozenset((1, 2, 3))
ORDERED = frozenset((BOOL, INTEGER, FLOAT))


def _reduce(name, reference, categories):
    def infer(specs, params):
        (x,) = specs
        return spec(kinds.reduced_shape(x.shape, params["axes"]), x.dtype)

    return register(
        Primitive(name, "reduce", infer=infer, reference=reference, categories=categories)
    )


def _axes(params):
    return params["axes"]


total = _reduce(
    "sum",
    kinds.halves_in_float32(
        lambda p, x: np.asarray(np.add.reduce(x, axis=p["axes"], dtype=x.dtype))
    ),
    NUMERIC,
)
product = _reduce(
    "prod",
    kinds.halves_in_float32(
        lambda p, x: np.asarray(np.multiply.reduce(x, axis=p["axes"], dtype=x.dtype))
    ),
    NUMERIC,
)
maximum = _reduce("max", lambda p, x: np.asarray(np.maximum.reduce(x, axis=p["axes"])), ORDERED)
minimum = _reduce("min", lambda p, x: np.asarray(np.minimum.reduce(x, axis=p["axes"])), ORDERED)


def _arg_reduce(name, reference):
    def infer(specs, params):
        return spec(kinds.reduced_shape(specs[0].shape, (params["axis"],)), dtypes.int64)

    return register(
        Primitive(
            name,
            "reduce",
            infer=infer,
            reference=lambda p, x: np.asarray(reference(x, axis=p["axis"])),
            categories=ORDERED,
            doc="Index of the extreme element along an axis: the first of equals; NaN wins.",
        )
    )


argmax = _arg_reduce("argmax", np.argmax)
argmin = _arg_reduce("argmin", np.argmin)


def _scan(name, reference, categories=NUMERIC):
    return register(
        Primitive(
            name,
            "scan",
            infer=lambda specs, params: specs[0],
            reference=reference,
            categories=categories,
        )
    )


cumsum = _scan("cumsum", lambda p, x: np.cumsum(x, axis=p["axis"], dtype=x.dtype))
cumprod = _scan("cumprod", lambda p, x: np.cumprod(x, axis=p["axis"], dtype=x.dtype))
logcumsumexp = _scan(
    "logcumsumexp",
    lambda p, x: np.logaddexp.accumulate(x, axis=p["axis"]),
    frozenset((FLOAT,)),
)


def _cumulative_arg(best):
    """Index of the running extreme; later equals win, and a NaN stays (as torch.cummax does)."""

    def reference(params, x):
        axis = params["axis"]
        moved = np.moveaxis(x, axis, 0)
        index = np.zeros(moved.shape, np.int64)
        if moved.shape[0] == 0:
            return np.moveaxis(index, 0, axis)
        value, at = moved[0].copy(), np.zeros(moved.shape[1:], np.int64)
        for i in range(1, moved.shape[0]):
            new = moved[i]
            take = best(new, value)
            if x.dtype.kind == "f":
                take = (take & ~np.isnan(value)) | np.isnan(new)
            value = np.where(take, new, value)
            at = np.where(take, i, at)
            index[i] = at
        return np.moveaxis(index, 0, axis)

    return reference


def _cumulative_arg_primitive(name, best):
    return register(
        Primitive(
            name,
            "scan",
            infer=lambda specs, params: spec(specs[0].shape, dtypes.int64),
            reference=_cumulative_arg(best),
            categories=ORDERED,
        )
    )


cumargmax = _cumulative_arg_primitive("cumargmax", np.greater_equal)
cumargmin = _cumulative_arg_primitive("cumargmin", np.less_equal)


def _argsort(params, x):
    axis = params["axis"]
    if not params["descending"]:
        return np.argsort(x, axis=axis, kind="stable").astype(np.int64)
    # A stable descending order is the reverse of a stable ascending order of the reversed array.
    flipped = np.argsort(np.flip(x, axis), axis=axis, kind="stable")
    return (x.shape[axis] - 1 - np.flip(flipped, axis)).astype(np.int64)


argsort = register(
    Primitive(
        "argsort",
        "sort",
        infer=lambda specs, params: spec(specs[0].shape, dtypes.int64),
        reference=_argsort,
        categories=ORDERED,
        doc="Stable order along an axis; NaN counts as the greatest value.",
    )
)


def _searchsorted(params, edges, values):
    side = "right" if params["right"] else "left"
    if edges.ndim == 1:
        return np.searchsorted(edges, values, side).astype(np.int64)
    if not values.size:
        return np.zeros(values.shape, np.int64)
    rows = edges.reshape(values[..., 0].size, edges.shape[-1])
    wanted = values.reshape(rows.shape[0], -1)
    found = [np.searchsorted(row, want, side) for row, want in zip(rows, wanted, strict=True)]
    return np.asarray(found, np.int64).reshape(values.shape)


searchsorted = register(
    Primitive(
        "searchsorted",
        "sort",
        infer=lambda specs, params: spec(specs[1].shape, dtypes.int64),
        reference=_searchsorted,
        categories=ORDERED,
    )
)
