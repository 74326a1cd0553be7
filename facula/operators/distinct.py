"""Distinct values, membership, places in sorted sequences, counts and histograms."""

from __future__ import annotations

import math

import numpy as np

from facula.base import dtypes
from facula.base.dtypes import BOOL, FLOAT, INTEGER
from facula.graph.primitives import elementwise as e
from facula.graph.primitives import indexing as ix
from facula.graph.primitives import reduction as p
from facula.operators import kit
from facula.operators.operator import Operand, operator
from facula.operators.positions import array_of, computed, is_tensor, shape_of
from facula.operators.results import result

# unique -----------------------------------------------------------------------------------------


def _differs(rows):
    """True where a row is not equal to the row before it (the first row always)."""
    flags = np.ones(len(rows), bool)
    if len(rows) > 1:
        flags[1:] = (rows[1:] != rows[:-1]).reshape(len(rows) - 1, -1).any(axis=1)
    return flags


def _runs(rows):
    """(first row of each run of equal rows, number of each row's run, lengths of the runs)."""
    flags = _differs(rows)
    firsts = np.flatnonzero(flags)
    return firsts, np.cumsum(flags) - 1, np.diff(np.append(firsts, len(rows)))


def _rows_of(array, dim, name):
    """(the array with ``dim`` in front, its rows to compare)."""
    if dim is None:
        flat = array.reshape(-1)
        return flat, flat
    axis = kit.axis_of(dim, array.ndim)
    front = np.moveaxis(array, axis, 0) if array.ndim else array.reshape(1)
    if front.size == 0 and front.shape[0]:
        raise RuntimeError(
            f"{name}: there are 0 sized dimensions, and they aren't selected, so unique cannot be "
            "applied"
        )
    return front, front.reshape(len(front), math.prod(front.shape[1:]))


def _results(kept, inverse, counts, return_inverse, return_counts, own, dim):
    if dim is not None and kept.ndim:
        kept = np.ascontiguousarray(np.moveaxis(kept, 0, dim))
    found = [computed(np.array(kept), own)]
    if return_inverse:
        found.append(computed(np.asarray(inverse, np.int64)))
    if return_counts:
        found.append(computed(np.asarray(counts, np.int64)))
    return found[0] if len(found) == 1 else tuple(found)


def unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """The distinct elements (or slices along ``dim``) in order, with inverse and counts if asked.

    >>> import facula as torch
    >>> torch.unique(torch.tensor([3, 1, 3]), return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    """
    array = array_of(input)
    front, rows = _rows_of(array, dim, "unique_dim")
    order = np.argsort(rows, kind="stable") if rows.ndim == 1 else np.lexsort(rows.T[::-1])
    firsts, numbers, counts = _runs(rows[order])
    inverse = np.empty(len(rows), np.int64)
    inverse[order] = numbers
    if dim is None:
        inverse = inverse.reshape(array.shape)
    own = input._value.spec.dtype
    axis = None if dim is None else kit.axis_of(dim, array.ndim)
    return _results(front[order[firsts]], inverse, counts, return_inverse, return_counts, own, axis)


def unique_consecutive(input, return_inverse=False, return_counts=False, dim=None):
    """The elements (or slices) that differ from the one before."""
    array = array_of(input)
    front, rows = _rows_of(array, dim, "unique_consecutive")
    firsts, inverse, counts = _runs(rows)
    if dim is None:
        inverse = inverse.reshape(array.shape)
    own = input._value.spec.dtype
    axis = None if dim is None else kit.axis_of(dim, array.ndim)
    return _results(front[firsts], inverse, counts, return_inverse, return_counts, own, axis)


# searchsorted, bucketize, isin ------------------------------------------------------------------


@operator(differentiable=False)
def _searchsorted(edges, values: Operand, right: bool, int32: bool):
    values = kit.as_dtype(values, kit.spec_of(values).dtype)
    to = dtypes.promote_types(edges._value.spec.dtype, values._value.spec.dtype)
    shape = shape_of(values)
    if shape_of(edges) and len(shape_of(edges)) > 1 and not shape:
        values = kit.reshape(values, (1,))
    found = kit.bind(p.searchsorted, kit.as_dtype(edges, to), kit.as_dtype(values, to), right=right)
    return (
        kit.as_dtype(kit.reshape(found, shape), dtypes.int32)
        if int32
        else kit.reshape(found, shape)
    )


def searchsorted(
    sorted_sequence, input, *, out_int32=False, right=False, side=None, sorter=None
):  # fmt: skip
    """Where values would have to be put into a sorted sequence (its last dimension) to keep it so.

    >>> import facula as torch
    >>> torch.searchsorted(torch.tensor([1, 3, 5]), torch.tensor([3, 6]))
    tensor([1, 3])
    """
    if side not in (None, "left", "right"):
        raise RuntimeError(
            f"torch.searchsorted(): side can only be 'left' or 'right' but got {side}"
        )
    if side == "left" and right:
        raise RuntimeError(
            "torch.searchsorted(): side and right can't be set to opposites, got side of left "
            "while "
            "right was True"
        )
    if sorter is not None:
        sorted_sequence = sorted_sequence.gather(-1, sorter)
    edges = shape_of(sorted_sequence)
    shape = shape_of(input) if is_tensor(input) else ()
    if len(edges) != 1 and (len(edges) != len(shape) or edges[:-1] != shape[:-1]):
        raise RuntimeError(
            "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 "
            "dimensions "
            "of boundaries tensor and input value tensor must match, but we got boundaries tensor "
            f"{list(edges)} and input value tensor {list(shape)}"
        )
    return _searchsorted(sorted_sequence, input, bool(right or side == "right"), bool(out_int32))


def bucketize(input, boundaries, *, out_int32=False, right=False):
    """Number of the bucket between sorted boundaries that each value falls into."""
    if boundaries._value.spec.ndim != 1:
        raise RuntimeError(
            f"boundaries tensor must be 1 dimension, but got dim({boundaries._value.spec.ndim})"
        )
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


@operator(differentiable=False)
def _isin(elements: Operand, tests: Operand, invert: bool):
    a, b = kit.promoted(elements, tests)
    count = b._value.spec.numel
    shape = shape_of(a)
    if count == 0:
        return kit.full(shape, invert, dtypes.bool_)
    flat = kit.reshape(b, (count,))
    order = kit.bind(p.argsort, flat, axis=0, descending=False)
    edges = kit.bind(ix.gather, flat, order, axis=0)
    values = kit.reshape(a, (a._value.spec.numel,))
    at = kit.bind(p.searchsorted, edges, values, right=False)
    at = kit.bind(e.minimum, at, kit.number(count - 1, dtypes.int64))
    hit = kit.bind(e.equal, kit.bind(ix.gather, edges, at, axis=0), values)
    return kit.reshape(kit.bind(e.bit_not, hit) if invert else hit, shape)


def isin(elements, test_elements, *, assume_unique=False, invert=False):
    """Whether each element occurs among the test elements.

    >>> import facula as torch
    >>> torch.isin(torch.tensor([1, 2, 3]), torch.tensor([2]))
    tensor([False,  True, False])
    """
    for given in (elements, test_elements):
        own = kit.spec_of(given).dtype
        if own.category == BOOL or own.category > FLOAT:
            raise RuntimeError(f"Unsupported input type encountered for isin(): {own.legacy}")
    return _isin(elements, test_elements, bool(invert))


# Counts and histograms --------------------------------------------------------------------------


def bincount(input, weights=None, minlength=0):
    """How often (or with which total weight) each non-negative integer occurs.

    >>> import facula as torch
    >>> torch.bincount(torch.tensor([0, 2, 2]))
    tensor([1, 0, 2])
    """
    own = input._value.spec
    if own.dtype.category >= FLOAT or own.dtype.category == BOOL:
        raise NotImplementedError(f"\"bincount_cpu\" not implemented for '{own.dtype.legacy}'")
    if minlength < 0:
        raise RuntimeError("minlength should be >= 0")
    array = array_of(input)
    if array.ndim != 1 or (array.size and array.min() < 0):
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    array = array.astype(np.int64)
    if weights is None:
        return computed(np.bincount(array, minlength=minlength).astype(np.int64))
    if shape_of(weights) != own.shape:
        raise RuntimeError("weights should be 1-d and have the same length as input")
    found = np.bincount(array, array_of(weights), minlength)
    single = weights._value.spec.dtype is dtypes.float32
    return computed(found.astype(np.float32 if single else np.float64))


def _finite_range(name, array, low, high, widen=1):
    """The range of a histogram: the data's own if none is given, never empty."""
    if low == high and array.size:
        low, high = float(array.min()), float(array.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise RuntimeError(f"{name}: range of [{low}, {high}] is not finite")
    if low > high:
        raise RuntimeError(f"{name}: max must be larger than min")
    return (low - widen, high + widen) if low == high else (low, high)


def _require_bins(bins):
    if bins <= 0:
        raise RuntimeError(f"torch.histogram(): bins must be > 0, but got {bins} for dimension 0")


def histc(input, bins=100, min=0, max=0):
    """Counts of the elements in equal bins between min and max (of the data if both are 0)."""
    own = input._value.spec.dtype
    if own.category <= INTEGER:
        raise NotImplementedError(f"\"histogram_cpu\" not implemented for '{own.legacy}'")
    _require_bins(bins)
    array = array_of(input).reshape(-1)
    low, high = _finite_range("torch.histc", array, min, max)
    kind = array.dtype.type
    inside = array[(array >= low) & (array <= high)]
    place = ((inside - kind(low)) * kind(bins) / (kind(high) - kind(low))).astype(np.int64)
    counts = np.bincount(np.minimum(place, bins - 1), minlength=bins)
    return computed(counts.astype(own.numpy), own)


def histogram(input, bins, *, range=None, weight=None, density=False):
    """(counts, edges) of the elements in equal bins, or between given edges.

    >>> import facula as torch
    >>> torch.histogram(torch.tensor([1.0, 2.0, 1.0]), bins=2, range=(0.0, 4.0)).hist
    tensor([2., 1.])
    """
    own = input._value.spec.dtype
    array = array_of(input).reshape(-1)
    if is_tensor(bins):
        edges = array_of(bins)
    else:
        _require_bins(bins)
        low, high = range if range is not None else (0, 0)
        low, high = _finite_range("torch.histogram", array, low, high, widen=0.5)
        edges = np.linspace(low, high, bins + 1).astype(own.numpy)
    weights = None if weight is None else array_of(weight).reshape(-1).astype(np.float64)
    hist, _ = np.histogram(array, edges, weights=weights, density=bool(density))
    return result(
        "histogram", (computed(hist.astype(own.numpy), own), computed(np.array(edges), own))
    )


NAMESPACES = {
    "torch": [
        "bincount", "bucketize", "histc", "histogram", "isin", "searchsorted", "unique",
        "unique_consecutive",
    ],
    "method": ["bincount", "histc", "histogram", "unique", "unique_consecutive"],
}  # fmt: skip
