"""Cumulative operations along a dimension."""

from __future__ import annotations

import math

from facula.base import dtypes
from facula.base.dtypes import COMPLEX
from facula.graph.primitives import indexing as ix
from facula.graph.primitives import movement as m
from facula.graph.primitives import reduction as p
from facula.operators import kit
from facula.operators.arithmetic import _select
from facula.operators.basic import conj, expand_copy, zero_like
from facula.operators.operator import operator
from facula.operators.precision import wide_dtype
from facula.operators.reduction import (
    _accumulate_dtype,
    _flip,
    _shape,
    _sum,
    identity_pair,
    scatter_into,
)
from facula.operators.results import result
from facula.operators.transcendental import exp, log


@operator(derivative={"input": lambda g, dim: _flip_cumsum(g, dim)})
def _cumsum(input, dim, dtype):
    return _scan(p.cumsum, input, dim, dtype)


def _scan(primitive, input, dim, dtype=None):
    own = input._value.spec
    to = dtype or _accumulate_dtype(own.dtype)
    axis = kit.axis_of(dim, own.ndim)
    if not own.ndim:
        return kit.as_dtype(input, to)
    scanned = kit.bind(primitive, kit.as_dtype(input, wide_dtype(to)), axis=axis)
    return kit.as_dtype(scanned, to)


_cumsum.name = lambda specs, template: "CumsumBackward0"


def _flip_cumsum(g, dim):
    if not _shape(g):
        return g
    axis = kit.axis_of(dim, len(_shape(g)))
    return _flip(_cumsum(_flip(g, axis), axis, None), axis)


def cumsum(input, dim, *, dtype=None):
    """Running sum along a dimension."""
    return _cumsum(input, dim, dtype)


@operator(derivative={"input": lambda g, input, dim: _cumprod_grad(g, input, dim)})
def _cumprod(input, dim, dtype):
    return _scan(p.cumprod, input, dim, dtype)


_cumprod.name = lambda specs, template: "CumprodBackward0"


def _cumprod_grad(g, input, dim):
    """d out_j / d x_i = prod of the others up to j: computed pairwise, right with zeros too."""
    if not _shape(input):
        return g
    axis = kit.axis_of(dim, len(_shape(input)))
    n = _shape(input)[axis]
    total = None
    ndim = len(_shape(input))
    for i in range(n):
        ones = _one_at(input, axis, i)
        others = _cumprod(_select(ones, zero_like(input) + 1, input), axis, None)
        late = _from(input, axis, i)
        part = _sum(_select(late, g * conj(others), zero_like(g)), axis, True, None)
        placed = _select(ones, expand_copy(part, _shape(input)), zero_like(input))
        total = placed if total is None else total + placed
    return zero_like(input) if total is None or ndim == 0 else total


def _positions(input, axis):
    shape = [1] * len(_shape(input))
    shape[axis] = _shape(input)[axis]
    return _iota(_shape(input)[axis], tuple(shape))


@operator(differentiable=False)
def _iota(size, shape: tuple):
    return kit.reshape(kit.bind(m.iota, size=size, dtype=dtypes.int64), shape)


def _one_at(input, axis, i):
    return _positions(input, axis) == i


def _from(input, axis, i):
    return _positions(input, axis) >= i


def cumprod(input, dim, *, dtype=None):
    """Running product along a dimension."""
    return _cumprod(input, dim, dtype)


@operator(derivative={"input": lambda g, input, out, dim: _logcumsumexp_grad(g, input, out, dim)})
def logcumsumexp(input, dim):
    """Running ``log(sum(exp(input)))`` along a dimension."""
    axis = kit.axis_of(dim, len(_shape(input)))
    return kit.bind(p.logcumsumexp, input, axis=axis) if _shape(input) else input


def _logcumsumexp_grad(g, input, out, dim):
    if input._value.spec.dtype.category == COMPLEX:
        return conj(exp(input)) * _flip_cumsum(g * conj(exp(-out)), dim)
    # In logarithms, the positive and the negative part apart, so that nothing overflows.
    return _log_part(g, input, out, dim) - _log_part(-g, input, out, dim)


def _log_part(g, input, out, dim):
    """Gradient from the positive elements of ``g``."""
    if not _shape(g):
        return _select(g > 0, g, zero_like(g))
    logs = _select(g > 0, log(_select(g > 0, g, zero_like(g) + 1)) - out, -math.inf)
    axis = kit.axis_of(dim, len(_shape(g)))
    back = _flip(logcumsumexp(_flip(logs, axis), axis), axis)
    return exp(back + input)


def _cumulative_extreme(name, primitive):
    def body(input, dim):
        own = input._value.spec
        if own.ndim == 0:
            return identity_pair(input)
        axis = kit.axis_of(dim, own.ndim)
        index = kit.bind(primitive, input, axis=axis)
        return kit.bind(ix.gather, input, index, axis=axis), index

    body.__name__ = f"_{name}"

    def rule(g, call, outs, dim):
        shape = call.in_specs[0].shape
        return scatter_into(shape, kit.axis_of(dim, len(shape)), outs[1], g) if shape else g

    return operator(body, name=name.capitalize(), derivative={"input": rule})


_cummax = _cumulative_extreme("cummax", p.cumargmax)
_cummin = _cumulative_extreme("cummin", p.cumargmin)


def cummax(input, dim):
    """(running maximum, its index) along a dimension."""
    return result("cummax", _cummax(input, dim))


def cummin(input, dim):
    """(running minimum, its index) along a dimension."""
    return result("cummin", _cummin(input, dim))


NAMESPACES = {
    "torch": [
        "cumsum",
        "cumprod",
        "logcumsumexp",
        "cummax",
        "cummin",
    ],
    "method": [
        "cumsum",
        "cumprod",
        "logcumsumexp",
        "cummax",
        "cummin",
    ],
    "inplace": [
        "cumsum",
        "cumprod",
    ],
}
