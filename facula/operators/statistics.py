"""Variance, standard deviation, counts, and sums that ignore NaN."""

from __future__ import annotations

import builtins
import math

from facula.base import dtypes
from facula.base.dtypes import COMPLEX, FLOAT
from facula.graph.primitives import elementwise as e
from facula.graph.primitives import reduction as p
from facula.operators import kit
from facula.operators.arithmetic import _select
from facula.operators.basic import cast, conj, real_part, zero_like
from facula.operators.operator import operator
from facula.operators.pointwise import isinf
from facula.operators.reduction import _count, _finish, _kept, _mean, _shape, _sum, spread
from facula.operators.transcendental import exp, log, sqrt


def _nan_free(input):
    return (
        _select(input != input, zero_like(input), input)
        if input._value.spec.dtype.category >= FLOAT
        else input
    )


def nansum(input, dim=None, keepdim=False, *, dtype=None):
    """Sum that treats NaN as zero."""
    if input._value.spec.dtype.category == COMPLEX:
        raise RuntimeError("nansum on CPU does not support complex inputs")
    return _sum(_nan_free(input), dim, keepdim, dtype)


def nanmean(input, dim=None, keepdim=False, *, dtype=None):
    """Mean of the elements that are not NaN."""
    count = _sum(cast(input == input, input._value.spec.dtype), dim, keepdim, None)
    return nansum(input, dim, keepdim, dtype=dtype) / count


def count_nonzero(input, dim=None):
    """Number of nonzero elements."""
    return _sum(cast(input, dtypes.bool_), dim, False, None)


def _correction(unbiased, correction):
    if correction is None:
        return (1,) if unbiased is None or unbiased else (0,)
    return (correction,)  # in a tuple it is part of the program, whatever its type


def _var_args(dim, unbiased, correction):
    """var(x, True) means unbiased, var(x, 1) a dimension."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    return dim, _correction(unbiased, correction)


@operator(
    name="Var",
    derivative={
        "input": lambda g, input, dim, correction, keepdim: _var_grad(
            g, input, dim, correction, keepdim
        )
    },
)
def _var(input, dim, correction, keepdim):
    own = input._value.spec
    if own.dtype.category < FLOAT:
        raise RuntimeError("std and var only support floating point and complex dtypes")
    axes = kit.axes_of(dim, own.ndim)
    wide = dtypes.float32 if own.dtype in (dtypes.float16, dtypes.bfloat16) else own.dtype
    input = kit.as_dtype(input, wide)
    count = _count(own.shape, axes)
    middle = kit.bind(e.div, kit.bind(p.total, input, axes=axes), kit.number(count, wide))
    centred = kit.bind(e.sub, input, kit.reshape(middle, _kept(own.shape, axes)))
    if own.dtype.category == COMPLEX:
        centred = kit.bind(e.complex_abs, centred)
        wide = wide.to_real()
    squares = kit.bind(p.total, kit.bind(e.mul, centred, centred), axes=axes)
    divisor = builtins.max(count - correction[0], 0)
    out = kit.bind(e.div, squares, kit.number(divisor, wide))
    return _finish(kit.as_dtype(out, own.dtype.to_real()), own.shape, axes, keepdim)


def _var_grad(g, input, dim, correction, keepdim):
    axes = kit.axes_of(dim, len(_shape(input)))
    divisor = builtins.max(_count(_shape(input), axes) - correction[0], 0)
    scale = 2.0 / divisor if divisor else math.nan
    return spread(g, input, dim, keepdim) * scale * (input - _mean(input, dim, True, None))


def var(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """Variance along dimensions; divides by N - correction (1 unless said otherwise)."""
    dim, correction = _var_args(dim, unbiased, correction)
    return _var(input, dim, correction, keepdim)


@operator(
    name="Std",
    derivative={
        "input": lambda g, input, out, dim, correction, keepdim: _var_grad(
            _select(out == 0, zero_like(g), g / (2 * out)), input, dim, correction, keepdim
        )
    },
)
def _std(input, dim, correction, keepdim):
    return sqrt(_var(input, dim, correction, keepdim))


def std(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """Standard deviation along dimensions; divides by N - correction (1 unless said otherwise)."""
    dim, correction = _var_args(dim, unbiased, correction)
    return _std(input, dim, correction, keepdim)


def var_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """(variance, mean)."""
    dim, correction = _var_args(dim, unbiased, correction)
    return _var(input, dim, correction, keepdim), _mean(input, dim, keepdim, None)


def std_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """(standard deviation, mean)."""
    dim, correction = _var_args(dim, unbiased, correction)
    return _std(input, dim, correction, keepdim), _mean(input, dim, keepdim, None)


@operator(
    derivative={
        "input": lambda g, input, out, dim, keepdim: (
            spread(g, input, dim, keepdim) * conj(exp(input - spread(out, input, dim, keepdim)))
        )
    }
)
def logsumexp(input, dim, keepdim=False):
    """``log(sum(exp(input)))`` along dimensions, without overflow."""
    own = input._value.spec
    input = kit.as_dtype(input, kit.floating(own.dtype))
    axes = kit.axes_of(dim, own.ndim)
    if own.numel == 0:
        return log(_sum(exp(input), axes, keepdim, None))
    top = kit.reshape(kit.bind(p.maximum, input, axes=axes), _kept(own.shape, axes))
    top = _select(isinf(top), zero_like(top), top)
    if input._value.spec.dtype.category == COMPLEX:  # only the size can overflow, not the phase
        top = cast(real_part(top), input._value.spec.dtype)
    total = log(_sum(exp(input - top), axes, True, None)) + top
    return total if keepdim else kit.reshape(total, _shape(kit.bind(p.total, input, axes=axes)))


NAMESPACES = {
    "torch": [
        "nansum",
        "nanmean",
        "count_nonzero",
        "var",
        "std",
        "var_mean",
        "std_mean",
        "logsumexp",
    ],
    "method": [
        "nansum",
        "nanmean",
        "count_nonzero",
        "var",
        "std",
        "logsumexp",
    ],
}
