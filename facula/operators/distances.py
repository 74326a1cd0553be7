"""Distances and similarities between vectors, pair by pair or all with all."""

from __future__ import annotations

from math import inf

import numpy as np

from facula.base.dtypes import FLOAT
from facula.graph.primitives import elementwise as e
from facula.graph.primitives import reduction as r
from facula.operators import kit
from facula.operators.arithmetic import _add, _select, _sub, maximum, mul, pow_, true_divide
from facula.operators.axis_tables import add_axis, read_axis
from facula.operators.basic import cast, zero_like
from facula.operators.expanding import _expand
from facula.operators.movement import _view
from facula.operators.operator import operator
from facula.operators.pointwise import abs as abs_
from facula.operators.pointwise import sgn
from facula.operators.reduction import sum as sum_
from facula.operators.vector_norms import _vector_norm


def _shape(x):
    return x._value.spec.shape


def _dtype(x):
    return x._value.spec.dtype


# Between all pairs -------------------------------------------------------------------------------


def _distance(difference, p):
    """In a body: the p-norm over the last dimension."""
    size = kit.bind(e.absolute, difference)
    own = _dtype(difference)
    axes = (len(_shape(difference)) - 1,)
    if p == 0:
        hit = kit.bind(e.equal, size, kit.number(0, own))
        return kit.bind(r.total, kit.as_dtype(kit.bind(e.bit_not, hit), own), axes=axes)
    if p == inf:
        return kit.bind(r.maximum, size, axes=axes)
    if p == 1:
        return kit.bind(r.total, size, axes=axes)
    if p == 2:
        return kit.bind(e.sqrt, kit.bind(r.total, kit.bind(e.mul, size, size), axes=axes))
    total = kit.bind(r.total, kit.bind(e.power, size, kit.number(p, own)), axes=axes)
    return kit.bind(e.power, total, kit.number(1 / p, own))


def _slopes(difference, distance, p):
    """Derivative of the distance for each coordinate of the difference; 0 where it is 0."""
    if p == 0:
        return zero_like(difference)
    if p == 1:
        return sgn(difference)
    wide = _expand(_view(distance, (*_shape(distance), 1)), _shape(difference))
    if p == inf:
        hit = abs_(difference) == wide
        return _select(hit, sgn(difference), zero_like(difference))
    safe = _select(wide == 0, zero_like(wide) + 1, wide)
    if p == 2:
        slope = true_divide(difference, safe)
    else:
        size = pow_(abs_(difference), p - 1)
        slope = true_divide(mul(sgn(difference), size), pow_(safe, p - 1))
    return _select(wide == 0, zero_like(difference), slope)


def _differences(x1, x2):
    """(..., P, 1, M) - (..., 1, R, M)."""
    a, b = _shape(x1), _shape(x2)
    left = _view(x1, (*a[:-1], 1, a[-1]))
    right = _view(x2, (*b[:-2], 1, *b[-2:]))
    return _sub(left, right, None)


def _cdist_grads(g, x1, x2, out, p, needs):
    slopes = mul(_view(g, (*_shape(g), 1)), _slopes(_differences(x1, x2), out, p[0]))
    last = len(_shape(slopes)) - 1
    found = {}
    if "x1" in needs:
        found["x1"] = sum_(slopes, (last - 1,))
    if "x2" in needs:
        found["x2"] = -sum_(slopes, (last - 2,))
    return found


@operator(name="Cdist", derivative=_cdist_grads)
def _cdist(x1, x2, p: tuple):
    """``p`` in a tuple: a float of its own would be an input of the program."""
    return _distance(_differences(x1, x2), p[0])


def cdist(x1, x2, p=2.0, compute_mode="use_mm_for_euclid_dist_if_necessary"):
    """The p-norm distances between all rows of (..., P, M) and of (..., R, M): (..., P, R).

    ``compute_mode`` is accepted and checked; distances are always computed from differences.
    """
    if compute_mode not in (
        "use_mm_for_euclid_dist_if_necessary",
        "use_mm_for_euclid_dist",
        "donot_use_mm_for_euclid_dist",
    ):
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode")
    for name, x in (("X1", x1), ("X2", x2)):
        if len(_shape(x)) < 2:
            raise RuntimeError(
                f"cdist only supports at least 2D tensors, {name} got: {len(_shape(x))}D"
            )
    if _shape(x1)[-1] != _shape(x2)[-1]:
        raise RuntimeError(
            "X1 and X2 must have the same number of columns. "
            f"X1: {_shape(x1)[-1]} X2: {_shape(x2)[-1]}"
        )
    for name, x in (("X1", x1), ("X2", x2)):
        if _dtype(x).category != FLOAT:
            raise RuntimeError(
                f"cdist only supports floating-point dtypes, {name} got: {_dtype(x).legacy}"
            )
    if p < 0:
        raise RuntimeError("cdist only supports non-negative p values")
    return _cdist(x1, x2, (float(p),))


def _ends(n, which):
    """The first (0) or second (1) row of each pair of ``n`` rows."""
    return np.triu_indices(n, 1)[which]


@operator(
    name="IndexSelect",
    derivative={"input": lambda g, call, which: _add_ends(g, which, call.in_specs[0].shape[0])},
)
def _end_rows(input, which: int):
    return read_axis(input, 0, _ends(_shape(input)[0], which))


@operator(name="IndexAdd", derivative={"values": lambda g, which: _end_rows(g, which)})
def _add_ends(values, which: int, n: int):
    return add_axis(values, 0, _ends(n, which), n)


def _pair_differences(input):
    return _sub(_end_rows(input, 0), _end_rows(input, 1), None)


def _pdist_grads(g, input, out, p):
    n = _shape(input)[0]
    slopes = mul(_view(g, (*_shape(g), 1)), _slopes(_pair_differences(input), out, p[0]))
    return _sub(_add_ends(slopes, 0, n), _add_ends(slopes, 1, n), None)


@operator(name="Pdist", derivative={"input": _pdist_grads})
def _pdist(input, p: tuple):
    return _distance(_pair_differences(input), p[0])


def pdist(input, p=2.0):
    """The p-norm distances between all pairs of rows of a matrix (N, M), i < j."""
    if len(_shape(input)) != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {len(_shape(input))}D")
    if _dtype(input).category != FLOAT:
        raise RuntimeError("pdist only supports floating-point dtypes")
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")
    return _pdist(input, (float(p),))


# Between pairs -----------------------------------------------------------------------------------


@operator(name="=NormBackward1")
def _pairwise_distance(x1, x2, p: tuple, eps, keepdim: bool):
    difference = _add(_sub(x1, x2, None), eps, None)
    return _vector_norm(difference, p, len(_shape(difference)) - 1, keepdim, None)


def pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False):
    """The p-norm of ``x1 - x2 + eps`` over the last dimension."""
    return _pairwise_distance(x1, x2, (float(p),), float(eps), keepdim)


@operator(differentiable=False)
def _rise(norm, eps):
    return maximum(norm, eps) - norm


def _limited_norm(x, dim, eps):
    """The norm, but at least eps; where eps takes over it counts as a constant."""
    norm = _vector_norm(x, (2.0,), dim, True, None)
    return _add(norm, _rise(norm, eps), None)


@operator(name="=SumBackward1")
def _cosine(x1, x2, dim: int, eps):
    shape = kit.broadcast_shapes(x1, x2)
    x1, x2 = _expand(x1, shape), _expand(x2, shape)
    # Each norm is limited on its own, so that the product of two small ones cannot vanish.
    unit1 = true_divide(x1, _limited_norm(x1, dim, eps))
    unit2 = true_divide(x2, _limited_norm(x2, dim, eps))
    return sum_(mul(unit1, unit2), (dim,))


def cosine_similarity(x1, x2, dim=1, eps=1e-8):
    """``x1 . x2 / (max(|x1|, eps) * max(|x2|, eps))`` along a dimension."""
    common = kit.result_type(x1, x2)
    if common.category < FLOAT:
        raise RuntimeError(
            f"expected common dtype to be floating point, yet common dtype is {common.legacy}"
        )
    if eps < 0:
        raise RuntimeError(f"eps must be non-negative, got: {eps}")
    ndim = len(kit.broadcast_shapes(x1, x2))
    x1, x2 = [x if x._value.spec.dtype is common else cast(x, common) for x in (x1, x2)]
    return _cosine(x1, x2, kit.axis_of(dim, ndim), float(eps))


_NAMES = ["pdist", "pairwise_distance", "cosine_similarity"]
NAMESPACES = {"torch": ["cdist", *_NAMES], "functional": _NAMES}
