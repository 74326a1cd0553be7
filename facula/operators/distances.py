"""Distances and similarities between vectors."""

from __future__ import annotations

import numpy as np

from facula.base import dtypes
from facula.graph.primitives import indexing as ix
from facula.operators import kit
from facula.operators.arithmetic import maximum
from facula.operators.movement import broadcast_tensors
from facula.operators.operator import Number, operator
from facula.operators.precision import require_real
from facula.operators.reduction import _sum, _vector_norm


def _shape(x):
    return x._value.spec.shape


@operator(name="=SumBackward1")
def _cosine_similarity(x1, x2, dim: int, eps: Number):
    first = x1 / _limited_norm(x1, dim, eps)
    return _sum(first * (x2 / _limited_norm(x2, dim, eps)), dim, False, None)


def _limited_norm(x, dim, eps):
    """The norm, but at least eps; where eps takes over it counts as a constant."""
    norm = _vector_norm(x, (2.0,), dim, True, None)
    return norm + _rise(norm, eps)


@operator(differentiable=False)
def _rise(norm, eps: Number):
    return maximum(norm, eps) - norm


def cosine_similarity(x1, x2, dim=1, eps=1e-08):
    """Cosine of the angle between vectors along ``dim``."""
    to = kit.result_type(x1, x2)
    if to.category < dtypes.FLOAT:
        raise RuntimeError(f"expected common dtype to be floating point, yet common dtype is {to.legacy}")
    ndim = len(kit.broadcast_shapes(x1, x2))
    if _shape(x1) != _shape(x2):
        x1, x2 = broadcast_tensors(x1, x2)
    return _cosine_similarity(x1, x2, kit.axis_of(dim, ndim), float(eps))


def _norm_name(specs, template):
    return "NormBackward1"


@operator(name=_norm_name)
def _pairwise_distance(x1, x2, p: tuple, eps: Number, keepdim: bool):
    difference = x1 - x2 + eps
    return _vector_norm(difference, p, -1, keepdim, None)


def pairwise_distance(x1, x2, p=2.0, eps=1e-06, keepdim=False):
    """The p-norm of ``x1 - x2 + eps`` along the last dimension."""
    return _pairwise_distance(x1, x2, (float(p),), float(eps), bool(keepdim))


# All pairs of rows ------------------------------------------------------------------------------


def _pair_rows(n):
    """Row numbers of all pairs i < j, in order."""
    return np.triu_indices(n, 1)


@operator(name="PdistRows", derivative={"input": lambda g, input, which: _pair_rows_into(g, input, which)})
def _rows_of_pairs(input, which: int):
    rows = _pair_rows(_shape(input)[0])[which]
    return kit.bind(ix.index, input, kit.table(rows, dtypes.int64))


@operator(name="PdistRowsInto", derivative={"values": lambda g, which: _rows_of_pairs(g, which)})
def _pair_rows_into(values, like, which: int):
    rows = _pair_rows(_shape(like)[0])[which]
    zeros = kit.full(_shape(like), 0, values._value.spec.dtype)
    return kit.bind(ix.index_put, zeros, values, kit.table(rows, dtypes.int64), mode="add")


@operator(name="Pdist")
def _pdist(input, p: tuple):
    return _vector_norm(_rows_of_pairs(input, 0) - _rows_of_pairs(input, 1), p, 1, False, None)


def pdist(input, p=2.0):
    """The p-norm distances between all pairs of rows, as a vector."""
    own = input._value.spec
    if own.ndim != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {own.ndim}D")
    require_real("pdist", input)
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")
    return _pdist(input, (float(p),))


NAMESPACES = {
    "torch": ["cosine_similarity", "pairwise_distance", "pdist"],
    "functional": ["cosine_similarity", "pairwise_distance", "pdist"],
}
