"""Reductions along dimensions, cumulative operations, and statistics."""

from __future__ import annotations

import builtins
import math

from facula.autograd.modes import modes
from facula.base import dtypes
from facula.base.dtypes import BOOL, COMPLEX, FLOAT, INTEGER
from facula.graph.primitives import elementwise as e
from facula.graph.primitives import indexing as ix
from facula.graph.primitives import movement as m
from facula.graph.primitives import reduction as p
from facula.operators import kit
from facula.operators.arithmetic import _select, maximum, minimum
from facula.operators.basic import cast, conj, expand_copy, zero_like
from facula.operators.operator import operator
from facula.operators.pointwise import abs as abs_
from facula.operators.pointwise import exp, isinf, log, sgn, sqrt
from facula.operators.results import result


def _shape(x):
    return x._value.spec.shape


def _kept(shape, axes):
    """``shape`` with ``axes`` of size 1."""
    return tuple([1 if i in axes else n for i, n in enumerate(shape)])


def _finish(x, shape, axes, keepdim):
    return kit.reshape(x, _kept(shape, axes)) if keepdim else x


def spread(g, input, dim, keepdim):
    """A reduced gradient repeated over the axes that were reduced."""
    shape = _shape(input)
    axes = kit.axes_of(dim, len(shape))
    if not keepdim:
        g = _reshape(g, _kept(shape, axes))
    return expand_copy(g, shape)


@operator(name="View", derivative={"input": lambda g, input: _reshape(g, _shape(input))})
def _reshape(input, shape: tuple):
    return kit.reshape(input, shape)


def _accumulate_dtype(own):
    """Sums and products of bools and integers are int64."""
    return dtypes.int64 if own.category <= INTEGER else own


@operator(
    name=lambda specs, template: "SumBackward0" if template[1] is None else "SumBackward1",
    derivative={"input": lambda g, input, dim, keepdim: spread(g, input, dim, keepdim)},
)
def _sum(input, dim, keepdim, dtype):
    own = input._value.spec
    input = kit.as_dtype(input, dtype or _accumulate_dtype(own.dtype))
    axes = kit.axes_of(dim, own.ndim)
    return _finish(kit.bind(p.total, input, axes=axes), own.shape, axes, keepdim)


def sum(input, dim=None, keepdim=False, *, dtype=None):  # noqa: A001
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
    return dtype or own


def _count(shape, axes):
    return math.prod([shape[a] for a in axes])


@operator(
    name=lambda specs, template: "MeanBackward0" if template[1] is None else "MeanBackward1",
    derivative={
        "input": lambda g, input, dim, keepdim: spread(g, input, dim, keepdim)
        / builtins.max(_count(_shape(input), kit.axes_of(dim, len(_shape(input)))), 1)
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
def _shifted(input, axis):
    """1 in front, the last element dropped."""
    from_ = kit.reshape(kit.number(1, input._value.spec.dtype), ())
    return _shift(input, axis, from_, low=1)


@operator(name="Shift")
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


@operator(name="Flip", derivative={"input": lambda g, axis: _flip(g, axis)})
def _flip(input, axis):
    return kit.bind(m.flip, input, axes=(axis,))


def prod(input, dim=None, keepdim=False, *, dtype=None):
    """Product of all elements, or along one dimension."""
    return _prod(input, dim, keepdim, dtype)


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
        _refuse_empty(own.shape, axes, name, dim)
        return _finish(kit.bind(primitive, input, axes=axes), own.shape, axes, keepdim)

    body.__name__ = f"_{name}"
    return operator(
        body,
        name=name.capitalize(),
        derivative={"input": lambda g, input, out, dim, keepdim: _extreme_grad(g, input, out, dim, keepdim)},
    )


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


def _take_grad(g, input, index, dim, keepdim):
    """Scatter the gradient of selected elements back to where they stood."""
    if input._value.spec.ndim == 0:
        return g
    axis = kit.axis_of(dim, input._value.spec.ndim)
    if not keepdim:
        shape = _kept(_shape(input), (axis,))
        g, index = _reshape(g, shape), _reshape(index, shape)
    return scatter_into(input, axis, index, g)


@operator(
    name="ScatterAdd",
    derivative={"values": lambda g, axis, index: pick_along(g, axis, index)},
)
def scatter_into(like, axis, index, values):
    """Zeros shaped as ``like`` with ``values`` added at ``index`` along the axis."""
    zeros = kit.full(_shape(like), 0, values._value.spec.dtype)
    return kit.bind(ix.scatter, zeros, index, values, axis=axis, mode="add")


@operator(
    name="Gather",
    derivative={"input": lambda g, input, axis, index: scatter_into(input, axis, index, g)},
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

    def rule(g, input, outs, dim, keepdim):
        return _take_grad(g, input, outs[1], dim, keepdim)

    return operator(body, name=f"={name.capitalize()}Backward0", derivative={"input": rule})


def identity_pair(input):
    """A 0-d tensor as its own extreme, at index 0."""
    return kit.reshape(input, ()), kit.full((), 0, dtypes.int64)


_max_dim = _dim_extreme("max", p.argmax)
_min_dim = _dim_extreme("min", p.argmin)


def _is_tensor(x):
    return hasattr(x, "_value")


def max(input, dim=None, keepdim=False, *, other=None):  # noqa: A001
    """Largest element; (values, indices) along ``dim``; or the larger of two tensors.

    >>> import facula as torch
    >>> torch.max(torch.tensor([[1.0, 3.0], [2.0, 0.0]]), dim=1).indices
    tensor([1, 0])
    """
    return _extreme(input, dim, keepdim, other, "max")


def min(input, dim=None, keepdim=False, *, other=None):  # noqa: A001
    """Smallest element; (values, indices) along ``dim``; or the smaller of two tensors."""
    return _extreme(input, dim, keepdim, other, "min")


def _extreme(input, dim, keepdim, other, name):
    if other is not None or _is_tensor(dim):
        return (maximum if name == "max" else minimum)(input, dim if other is None else other)
    if dim is None:
        return (_max_all if name == "max" else _min_all)(input)
    if input._value.spec.dtype.category == COMPLEX:
        raise RuntimeError(f"{name} is not implemented for complex tensors")
    return result(name, (_max_dim if name == "max" else _min_dim)(input, dim, keepdim))


def _arg(name, primitive):
    def body(input, dim, keepdim):
        own = input._value.spec
        if own.dtype.category == BOOL:
            input = kit.as_dtype(input, dtypes.uint8)
        if dim is None:
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
            from_empty = kit.full(tuple([n for i, n in enumerate(own.shape) if i not in axes]), name == "all", dtypes.bool_)
            out = from_empty
        else:
            out = kit.bind(primitive, hit, axes=axes)
        out = _finish(out, own.shape, axes, keepdim)
        return kit.as_dtype(out, dtypes.uint8) if own.dtype is dtypes.uint8 else out

    body.__name__ = f"_{name}"
    return operator(body, differentiable=False)


_all = _truth("all", p.minimum)
_any = _truth("any", p.maximum)


def all(input, dim=None, keepdim=False):  # noqa: A001
    """Whether all elements are nonzero."""
    return _all(input, dim, keepdim)


def any(input, dim=None, keepdim=False):  # noqa: A001
    """Whether any element is nonzero."""
    return _any(input, dim, keepdim)


def _nan_free(input):
    return _select(input != input, zero_like(input), input) if input._value.spec.dtype.category >= FLOAT else input


def nansum(input, dim=None, keepdim=False, *, dtype=None):
    """Sum that treats NaN as zero."""
    return _sum(_nan_free(input), dim, keepdim, dtype)


def nanmean(input, dim=None, keepdim=False, *, dtype=None):
    """Mean of the elements that are not NaN."""
    count = _sum(cast(input == input, input._value.spec.dtype), dim, keepdim, None)
    return nansum(input, dim, keepdim, dtype=dtype) / count


def count_nonzero(input, dim=None):
    """Number of nonzero elements."""
    return _sum(cast(input, dtypes.bool_), dim, False, None)


def _correction(unbiased, correction):
    return (1 if unbiased is None or unbiased else 0) if correction is None else correction


def _var_args(dim, unbiased, correction):
    """var(x, True) means unbiased, var(x, 1) a dimension."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    return dim, _correction(unbiased, correction)


@operator(
    name="Var",
    derivative={"input": lambda g, input, dim, correction, keepdim: _var_grad(g, input, dim, correction, keepdim)},
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
    divisor = builtins.max(count - correction, 0)
    out = kit.bind(e.div, squares, kit.number(divisor, wide))
    return _finish(kit.as_dtype(out, own.dtype.to_real()), own.shape, axes, keepdim)


def _var_grad(g, input, dim, correction, keepdim):
    axes = kit.axes_of(dim, len(_shape(input)))
    divisor = builtins.max(_count(_shape(input), axes) - correction, 0)
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
        "input": lambda g, input, out, dim, keepdim: spread(g, input, dim, keepdim)
        * exp(input - spread(out, input, dim, keepdim))
    }
)
def logsumexp(input, dim, keepdim=False):
    """``log(sum(exp(input)))`` along dimensions, without overflow."""
    own = input._value.spec
    input = kit.as_dtype(input, kit.floating(own.dtype))
    axes = kit.axes_of(dim, own.ndim)
    top = kit.reshape(kit.bind(p.maximum, input, axes=axes), _kept(own.shape, axes))
    top = _select(isinf(top), zero_like(top), top)
    total = log(_sum(exp(input - top), axes, True, None)) + top
    return total if keepdim else kit.reshape(total, _shape(kit.bind(p.total, input, axes=axes)))


@operator(derivative={"input": lambda g, dim: _flip_cumsum(g, dim)})
def _cumsum(input, dim, dtype):
    return _scan(p.cumsum, input, dim, dtype)


def _scan(primitive, input, dim, dtype=None):
    own = input._value.spec
    input = kit.as_dtype(input, dtype or _accumulate_dtype(own.dtype))
    axis = kit.axis_of(dim, own.ndim)
    return kit.bind(primitive, input, axis=axis) if own.ndim else input


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
    return exp(input) * _flip_cumsum(g * exp(-out), dim)


def _cumulative_extreme(name, primitive):
    def body(input, dim):
        own = input._value.spec
        if own.ndim == 0:
            return identity_pair(input)
        axis = kit.axis_of(dim, own.ndim)
        index = kit.bind(primitive, input, axis=axis)
        return kit.bind(ix.gather, input, index, axis=axis), index

    body.__name__ = f"_{name}"

    def rule(g, input, outs, dim):
        return g if input._value.spec.ndim == 0 else scatter_into(input, kit.axis_of(dim, len(_shape(input))), outs[1], g)

    return operator(body, name=name.capitalize(), derivative={"input": rule})


_cummax = _cumulative_extreme("cummax", p.cumargmax)
_cummin = _cumulative_extreme("cummin", p.cumargmin)


def cummax(input, dim):
    """(running maximum, its index) along a dimension."""
    return result("cummax", _cummax(input, dim))


def cummin(input, dim):
    """(running minimum, its index) along a dimension."""
    return result("cummin", _cummin(input, dim))


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
    return _finish(out, own.shape, axes, keepdim)


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


NAMESPACES = {
    "torch": [
        "sum", "mean", "prod", "amax", "amin", "aminmax", "max", "min", "argmax", "argmin", "all",
        "any", "nansum", "nanmean", "count_nonzero", "var", "std", "var_mean", "std_mean",
        "logsumexp", "cumsum", "cumprod", "logcumsumexp", "cummax", "cummin",
    ],
    "method": [
        "sum", "mean", "prod", "amax", "amin", "aminmax", "max", "min", "argmax", "argmin", "all",
        "any", "nansum", "nanmean", "count_nonzero", "var", "std", "logsumexp", "cumsum",
        "cumprod", "logcumsumexp", "cummax", "cummin",
    ],
    "inplace": [
        "cumsum", "cumprod",
    ],
}
