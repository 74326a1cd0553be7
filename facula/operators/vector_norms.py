"""Norms of vectors."""

from __future__ import annotations

import math

from facula.base.dtypes import FLOAT
from facula.graph.primitives import reduction as p
from facula.operators import kit
from facula.operators.arithmetic import _select
from facula.operators.basic import cast, zero_like
from facula.operators.operator import operator
from facula.operators.pointwise import abs as abs_
from facula.operators.pointwise import sgn
from facula.operators.precision import narrowed, widened
from facula.operators.reduction import _finish, _sum, spread
from facula.operators.transcendental import sqrt


@operator(name="LinalgVectorNorm", derivative={
    "input": lambda g, input, out, ord, dim, keepdim: _norm_grad(g, input, out, ord, dim, keepdim),
})  # fmt: skip
def _vector_norm(input, ord, dim, keepdim, dtype):
    own = input._value.spec
    input = kit.as_dtype(input, dtype or own.dtype)
    if input._value.spec.dtype.category < FLOAT:
        raise RuntimeError(
            "linalg.vector_norm: Expected a floating point or complex tensor as input. Got "
            f"{own.dtype.legacy}"
        )
    size = abs_(input)
    to = size._value.spec.dtype
    size = widened(size)
    axes = kit.axes_of(dim, own.ndim)
    (kind,) = ord
    if kind == math.inf:
        out = kit.bind(p.maximum, size, axes=axes)
    elif kind == -math.inf:
        out = kit.bind(p.minimum, size, axes=axes)
    elif kind == 0:
        out = _sum(cast(size != 0, size._value.spec.dtype), axes, False, None)
    elif kind == 1:
        out = _sum(size, axes, False, None)
    elif kind == 2:
        out = sqrt(_sum(size * size, axes, False, None))
    else:
        out = _sum(size**kind, axes, False, None) ** (1.0 / kind)
    return _finish(narrowed(out, to), own.shape, axes, keepdim)


def _norm_grad(g, input, out, ord, dim, keepdim):
    (kind,) = ord
    wide_g, wide = spread(g, input, dim, keepdim), spread(out, input, dim, keepdim)
    if kind == 0:
        return zero_like(input)
    if kind == 2:
        return _select(wide == 0, zero_like(input), input * (wide_g / wide))
    if kind == 1:
        return sgn(input) * wide_g
    size = abs_(input)
    if kind in (math.inf, -math.inf):
        hit = cast(size == wide, g._value.spec.dtype)
        count = spread(_sum(hit, dim, keepdim, None), input, dim, keepdim)
        return sgn(input) * (hit / count * wide_g)
    grad = sgn(input) * size ** (kind - 1) * (wide_g / wide ** (kind - 1))
    return _select(wide == 0, zero_like(input), grad)


def vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None):
    """The ``ord``-norm of vectors: (sum |x|^ord)^(1/ord)."""
    return _vector_norm(x, (float(ord),), dim, keepdim, dtype)


NAMESPACES = {}
