"""Cumulative operations along a dimension."""

from __future__ import annotations

import math

from facula.base.dtypes import COMPLEX
from facula.graph.primitives import indexing as ix
from facula.graph.primitives import movement as m
from facula.graph.primitives import reduction as p
from facula.operators import kit
from facula.operators.arithmetic import _select
from facula.operators.basic import conj, zero_like
from facula.operators.operator import operator
from facula.operators.precision import wide_dtype
from facula.operators.reduction import (
    _accumulate_dtype,
    _flip,
    _shape,
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
    """d out_j / d x_i is the product of the others up to j; right with zeros, too.

    Those before i are a running product. With those behind, ``s_i = g_i + x_(i+1) s_(i+1)`` sums
    up what reaches i: doubling how far each term looks ahead takes log2(n) rounds.
    """
    shape = _shape(input)
    if not shape or not shape[kit.axis_of(dim, len(shape))]:
        return g
    axis = kit.axis_of(dim, len(shape))
    others = conj(input)
    before = _shifted(_cumprod(others, axis, None), axis, -1, 1)
    found, factor, reach = g, _shifted(others, axis, 1), 1
    while reach < shape[axis]:
        found = found + factor * _shifted(found, axis, reach)
        factor = factor * _shifted(factor, axis, reach)
        reach *= 2
    return before * found


@operator(derivative={"input": lambda g, axis, by: _shifted(g, axis, -by)})
def _shifted(input, axis: int, by: int, fill: int = 0):
    """Element i + ``by`` in place of element i, ``fill`` where there is none."""
    own = input._value.spec
    start, low, high = [0] * own.ndim, [0] * own.ndim, [0] * own.ndim
    stop = list(own.shape)
    if by > 0:
        start[axis], high[axis] = by, by
    else:
        stop[axis], low[axis] = stop[axis] + by, -by
    step = (1,) * own.ndim
    kept = kit.bind(m.slice_, input, start=tuple(start), stop=tuple(stop), step=step)
    return kit.bind(m.pad, kept, kit.number(fill, own.dtype), low=tuple(low), high=tuple(high))


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
