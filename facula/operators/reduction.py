"""Reductions along dimensions, cumulative operations, and statistics."""

from __future__ import annotations

import builtins
import math

from facula.base import dtypes
from facula.base.dtypes import BOOL, COMPLEX, FLOAT, INTEGER
from facula.graph.primitives import elementwise as e
from facula.graph.primitives import indexing as ix
from facula.graph.primitives import movement as m
from facula.graph.primitives import reduction as p
from facula.operators import kit
from facula.operators.arithmetic import _select, maximum, minimum
from facula.operators.basic import cast, expand_copy, zero_like
from facula.operators.operator import operator
from facula.operators.results import result


def _shape(x):
    return x._value.spec.shape


def _kept(shape, axes):
    """``shape`` with ``axes`` of size 1."""
    return tuple([1 if i in axes else n for i, n in enumerate(shape)])


def _finish(x, shape, axes, keepdim):
    return kit.reshape(x, _kept(shape, axes)) if keepdim else x


def spread(g, input, dim, keepdim):
    """A reduced gradient repeated over the axes of ``input`` that were reduced."""
    return spread_to(g, _shape(input), dim, keepdim)


def spread_to(g, shape, dim, keepdim):
    """A reduced gradient repeated over the axes of ``shape`` that were reduced."""
    axes = kit.axes_of(dim, len(shape))
    if not keepdim:
        g = _reshape(g, _kept(shape, axes))
    return expand_copy(g, shape)


@operator(name="View", derivative={"input": lambda g, call: _reshape(g, call.in_specs[0].shape)})
def _reshape(input, shape: tuple):
    return kit.reshape(input, shape)


def _accumulate_dtype(own):
    """Sums and products of bools and integers are int64."""
    return dtypes.int64 if own.category <= INTEGER else own


@operator(
    name=lambda specs, template: "SumBackward0" if template[1] is None else "SumBackward1",
    derivative={
        "input": lambda g, call, dim, keepdim: spread_to(g, call.in_specs[0].shape, dim, keepdim)
    },
)
def _sum(input, dim, keepdim, dtype):
    own = input._value.spec
    input = kit.as_dtype(input, dtype or _accumulate_dtype(own.dtype))
    axes = kit.axes_of(dim, own.ndim)
    return _finish(kit.bind(p.total, input, axes=axes), own.shape, axes, keepdim)


def sum(input, dim=None, keepdim=False, *, dtype=None):
    """Sum of all elements, or along dimensions.

    >>> import facula as torch
    >>> torch.sum(torch.ones(2, 3), dim=1)
    tensor([3., 3.])
    """
    return _sum(input, dim, keepdim, dtype)


def _mean_dtype(own, dtype):
    if dtype is None and own.category < FLOAT:
        raise RuntimeError(
            "mean(): could not infer output dtype. Input dtype must be either a floating point or "
            f"complex dtype. Got: {own.legacy}"
        )
    if dtype is not None and dtype.category < FLOAT:
        raise RuntimeError(
            "mean(): could not infer output dtype. Optional dtype must be either a floating point "
            f"or complex dtype. Got: {dtype.legacy}"
        )
    return dtype or own


def _count(shape, axes):
    return math.prod([shape[a] for a in axes])


def _mean_grad(g, shape, dim, keepdim):
    count = builtins.max(_count(shape, kit.axes_of(dim, len(shape))), 1)
    return spread_to(g, shape, dim, keepdim) / count


@operator(
    name=lambda specs, template: "MeanBackward0" if template[1] is None else "MeanBackward1",
    derivative={
        "input": lambda g, call, dim, keepdim: _mean_grad(g, call.in_specs[0].shape, dim, keepdim)
    },
)
def _mean(input, dim, keepdim, dtype):
    own = input._value.spec
    to = _mean_dtype(own.dtype, dtype)
    axes = kit.axes_of(dim, own.ndim)
    input = kit.as_dtype(input, to)
    wide = dtypes.float32 if to in (dtypes.float16, dtypes.bfloat16) else to
    total = kit.bind(p.total, kit.as_dtype(input, wide), axes=axes)
    count = kit.number(_count(own.shape, axes), wide)
    return _finish(kit.as_dtype(kit.bind(e.div, total, count), to), own.shape, axes, keepdim)


def mean(input, dim=None, keepdim=False, *, dtype=None):
    """Arithmetic mean of all elements, or along dimensions."""
    return _mean(input, dim, keepdim, dtype)


@operator(name="Flip", derivative={"input": lambda g, axis: _flip(g, axis)})
def _flip(input, axis):
    return kit.bind(m.flip, input, axes=(axis,))


def _extreme_grad(g, input, out, dim, keepdim):
    """amax/amin: the gradient is shared equally between all equal extremes."""
    wide = spread(out, input, dim, keepdim)
    hit = input == wide
    count = _sum(cast(hit, g._value.spec.dtype), dim, keepdim, None)
    return _select(hit, spread(g / count, input, dim, keepdim), zero_like(input))


def _amaxmin(name, primitive):
    def body(input, dim, keepdim):
        own = input._value.spec
        axes = kit.axes_of(dim, own.ndim)
        _refuse_complex(own.dtype, name)
        _refuse_empty(own.shape, axes, name, dim)
        return _finish(kit.bind(primitive, input, axes=axes), own.shape, axes, keepdim)

    body.__name__ = f"_{name}"
    return operator(
        body,
        name=name.capitalize(),
        derivative={
            "input": lambda g, input, out, dim, keepdim: _extreme_grad(g, input, out, dim, keepdim)
        },
    )


def _refuse_complex(own, name):
    """Complex numbers have no order."""
    if own.category == COMPLEX:
        raise NotImplementedError(f"\"{name}_cpu\" not implemented for '{own.legacy}'")


def _refuse_empty(shape, axes, name, dim):
    if builtins.any(shape[a] == 0 for a in axes):
        if dim is None or dim == ():
            raise RuntimeError(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify "
                "the reduction dim with the 'dim' argument."
            )
        raise IndexError(f"{name}(): Expected reduction dim {axes[0]} to have non-zero size.")


_amax = _amaxmin("amax", p.maximum)
_amin = _amaxmin("amin", p.minimum)


def amax(input, dim=(), keepdim=False):
    """Largest element along dimensions; equal ones share the gradient."""
    return _amax(input, dim, keepdim)


def amin(input, dim=(), keepdim=False):
    """Smallest element along dimensions; equal ones share the gradient."""
    return _amin(input, dim, keepdim)


def aminmax(input, *, dim=None, keepdim=False):
    """(min, max) along a dimension or of all elements."""
    dims = () if dim is None else dim
    return result("aminmax", (amin(input, dims, keepdim), amax(input, dims, keepdim)))


def _global_extreme(name, primitive):
    def body(input):
        own = input._value.spec
        _refuse_complex(own.dtype, name)
        _refuse_empty(own.shape, tuple(range(own.ndim)), name, None)
        return kit.bind(primitive, input, axes=tuple(range(own.ndim)))

    body.__name__ = f"_{name}_all"
    return operator(
        body,
        name="=" + name.capitalize() + "Backward1",
        derivative={"input": lambda g, input, out: _extreme_grad(g, input, out, None, False)},
    )


_max_all = _global_extreme("max", p.maximum)
_min_all = _global_extreme("min", p.minimum)


def _take_grad(g, shape, index, dim, keepdim):
    """Scatter the gradient of selected elements back to where they stood."""
    if not shape:
        return g
    axis = kit.axis_of(dim, len(shape))
    if not keepdim:
        kept = _kept(shape, (axis,))
        g, index = _reshape(g, kept), _reshape(index, kept)
    return scatter_into(shape, axis, index, g)


@operator(
    name="ScatterAdd",
    derivative={"values": lambda g, axis, index: pick_along(g, axis, index)},
)
def scatter_into(shape: tuple, axis, index, values):
    """Zeros of ``shape`` with ``values`` added at ``index`` along the axis."""
    zeros = kit.full(shape, 0, values._value.spec.dtype)
    return kit.bind(ix.scatter, zeros, index, values, axis=axis, mode="add")


@operator(
    name="Gather",
    derivative={
        "input": lambda g, call, axis, index: scatter_into(call.in_specs[0].shape, axis, index, g)
    },
)
def pick_along(input, axis, index):
    """Elements of ``input`` at ``index`` along the axis."""
    return kit.bind(ix.gather, input, index, axis=axis)


def _dim_extreme(name, primitive):
    def body(input, dim, keepdim):
        own = input._value.spec
        if own.ndim == 0:
            return identity_pair(input)
        axis = kit.axis_of(dim, own.ndim)
        _refuse_empty(own.shape, (axis,), name, dim)
        index = kit.bind(primitive, input, axis=axis)
        kept = kit.reshape(index, _kept(own.shape, (axis,)))
        value = kit.bind(ix.gather, input, kept, axis=axis)
        if keepdim:
            return value, kept
        return kit.reshape(value, _shape(index)), index

    body.__name__ = f"_{name}_dim"

    def rule(g, call, outs, dim, keepdim):
        return _take_grad(g, call.in_specs[0].shape, outs[1], dim, keepdim)

    return operator(body, name=f"={name.capitalize()}Backward0", derivative={"input": rule})


def identity_pair(input):
    """A 0-d tensor as its own extreme, at index 0."""
    return kit.reshape(input, ()), kit.full((), 0, dtypes.int64)


_max_dim = _dim_extreme("max", p.argmax)
_min_dim = _dim_extreme("min", p.argmin)


def _is_tensor(x):
    return hasattr(x, "_value")


def max(input, dim=None, keepdim=False, *, other=None):
    """Largest element; (values, indices) along ``dim``; or the larger of two tensors.

    >>> import facula as torch
    >>> torch.max(torch.tensor([[1.0, 3.0], [2.0, 0.0]]), dim=1).indices
    tensor([1, 0])
    """
    return _extreme(input, dim, keepdim, other, "max")


def min(input, dim=None, keepdim=False, *, other=None):
    """Smallest element; (values, indices) along ``dim``; or the smaller of two tensors."""
    return _extreme(input, dim, keepdim, other, "min")


def _extreme(input, dim, keepdim, other, name):
    if other is not None or _is_tensor(dim):
        return (maximum if name == "max" else minimum)(input, dim if other is None else other)
    if dim is None:
        return (_max_all if name == "max" else _min_all)(input)
    if input._value.spec.dtype.category == COMPLEX:
        _refuse_complex(input._value.spec.dtype, name)
    kit.axis_of(dim, input._value.spec.ndim)
    return result(name, (_max_dim if name == "max" else _min_dim)(input, dim, keepdim))


def _arg(name, primitive):
    def body(input, dim, keepdim):
        own = input._value.spec
        if own.dtype.category == COMPLEX:
            raise RuntimeError(f"\"{name}_cpu\" not implemented for '{own.dtype.legacy}'")
        if own.dtype.category == BOOL:
            input = kit.as_dtype(input, dtypes.uint8)
        if dim is None:
            if not own.numel:
                raise IndexError(
                    f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
                    "Specify the reduction dim with the 'dim' argument."
                )
            _refuse_empty(own.shape, tuple(range(own.ndim)), name, None)
            flat = kit.reshape(input, (own.numel,))
            index = kit.bind(primitive, flat, axis=0)
            return kit.reshape(index, (1,) * own.ndim) if keepdim else index
        if own.ndim == 0:
            kit.axis_of(dim, 0)
            return kit.full((), 0, dtypes.int64)
        axis = kit.axis_of(dim, own.ndim)
        _refuse_empty(own.shape, (axis,), name, dim)
        index = kit.bind(primitive, input, axis=axis)
        return kit.reshape(index, _kept(own.shape, (axis,))) if keepdim else index

    body.__name__ = f"_{name}"
    return operator(body, differentiable=False)


_argmax = _arg("argmax", p.argmax)
_argmin = _arg("argmin", p.argmin)


def argmax(input, dim=None, keepdim=False):
    """Index of the largest element, of all (flattened) or along a dimension."""
    return _argmax(input, dim, keepdim)


def argmin(input, dim=None, keepdim=False):
    """Index of the smallest element, of all (flattened) or along a dimension."""
    return _argmin(input, dim, keepdim)


def _truth(name, primitive):
    def body(input, dim, keepdim):
        own = input._value.spec
        axes = kit.axes_of(dim, own.ndim)
        hit = kit.as_dtype(input, dtypes.bool_)
        if own.numel == 0:
            from_empty = kit.full(
                tuple([n for i, n in enumerate(own.shape) if i not in axes]),
                name == "all",
                dtypes.bool_,
            )
            out = from_empty
        else:
            out = kit.bind(primitive, hit, axes=axes)
        out = _finish(out, own.shape, axes, keepdim)
        return kit.as_dtype(out, dtypes.uint8) if own.dtype is dtypes.uint8 else out

    body.__name__ = f"_{name}"
    return operator(body, differentiable=False)


_all = _truth("all", p.minimum)
_any = _truth("any", p.maximum)


def all(input, dim=None, keepdim=False):
    """Whether all elements are nonzero; each for itself over no dimension, ``dim=()``."""
    return input != 0 if dim == () and _shape(input) else _all(input, dim, keepdim)


def any(input, dim=None, keepdim=False):
    """Whether any element is nonzero; each for itself over no dimension, ``dim=()``."""
    return input != 0 if dim == () and _shape(input) else _any(input, dim, keepdim)


_FUNCTIONS = [
    "sum",
    "mean",
    "amax",
    "amin",
    "aminmax",
    "max",
    "min",
    "argmax",
    "argmin",
    "all",
    "any",
]  # methods too

NAMESPACES = {
    "torch": _FUNCTIONS,
    "method": _FUNCTIONS,
}
