"""Products along dimensions; their gradient is right with zeros among the factors."""

from __future__ import annotations

import math

from facula.graph.primitives import movement as m
from facula.graph.primitives import reduction as p
from facula.operators import kit
from facula.operators.basic import conj
from facula.operators.operator import operator
from facula.operators.reduction import _accumulate_dtype, _finish, _flip, _reshape, _shape, spread
from facula.operators.scans import cumprod


@operator(
    name=lambda specs, template: "ProdBackward0" if template[1] is None else "ProdBackward1",
    derivative={"input": lambda g, input, dim, keepdim: _prod_grad(g, input, dim, keepdim)},
)
def _prod(input, dim, keepdim, dtype):
    own = input._value.spec
    input = kit.as_dtype(input, dtype or _accumulate_dtype(own.dtype))
    axes = kit.axes_of(dim, own.ndim)
    return _finish(kit.bind(p.product, input, axes=axes), own.shape, axes, keepdim)


def _prod_grad(g, input, dim, keepdim):
    """Product of all the others: exclusive products from both ends, right even with zeros."""
    shape = _shape(input)
    if dim is None:
        flat = _reshape(input, (math.prod(shape),))
        return _reshape(g * conj(_others(flat, 0)), shape)
    if not shape:
        return g
    axis = kit.axis_of(dim, len(shape))
    return spread(g, input, dim, keepdim) * conj(_others(input, axis))


def _others(x, axis):
    """For each element the product of all others along the axis."""
    before = _exclusive(x, axis)
    after = _flip(_exclusive(_flip(x, axis), axis), axis)
    return before * after


def _exclusive(x, axis):
    return _shifted(cumprod(x, axis), axis)


@operator(name="Shift", derivative={"input": lambda g, axis: _unshifted(g, axis)})
def _shifted(input, axis, fill: int = 1):
    """1 (or ``fill``) in front, the last element dropped."""
    from_ = kit.reshape(kit.number(fill, input._value.spec.dtype), ())
    return _shift(input, axis, from_, low=1)


@operator(name="Shift", derivative={"input": lambda g, axis: _shifted(g, axis, 0)})
def _unshifted(input, axis):
    return _shift(input, axis, kit.number(0, input._value.spec.dtype), low=0)


def _shift(input, axis, value, low):
    shape = _shape(input)
    zero = tuple([0] * len(shape))
    at = tuple([1 if i == axis else 0 for i in range(len(shape))])
    padded = kit.bind(m.pad, input, value, low=at if low else zero, high=zero if low else at)
    start = zero if low else at
    stop = tuple([n + s for n, s in zip(shape, start, strict=True)])
    return kit.bind(m.slice_, padded, start=start, stop=stop, step=tuple([1] * len(shape)))


def prod(input, dim=None, keepdim=False, *, dtype=None):
    """Product of all elements, or along one dimension."""
    if isinstance(dim, (tuple, list)):
        raise TypeError("prod(): argument 'dim' must be int, not tuple")
    return _prod(input, dim, keepdim, dtype)


NAMESPACES = {
    "torch": [
        "prod",
    ],
    "method": [
        "prod",
    ],
}
