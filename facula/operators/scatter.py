"""Writing elements along a dimension: scatter and its reductions, index_add, index_copy, ..."""

from __future__ import annotations

import numpy as np

from facula.base import dtypes
from facula.graph.primitives import elementwise as e
from facula.graph.primitives import indexing as ix
from facula.graph.primitives import movement as m
from facula.operators import kit, positions
from facula.operators.arithmetic import _select, true_divide
from facula.operators.basic import cast, expand_copy, zero_like
from facula.operators.comparison import eq, logical_and
from facula.operators.indexing import _gather, _index_select, _index_vector, check_gather_range
from facula.operators.movement import reshape
from facula.operators.operator import Operand, operator
from facula.operators.positions import shape_of
from facula.operators.reduction import sum as sum_
from facula.operators.slicing import slice_into

# scatter ----------------------------------------------------------------------------------------


def _check_scatter(name, input, dim, index, src=None):
    positions.index_dtype("scatter", index)
    shape, wanted = shape_of(input), shape_of(index)
    axis = kit.axis_of(dim, len(shape))
    if 0 not in wanted and max(len(shape), 1) != max(len(wanted), 1):
        raise RuntimeError("Index tensor must have the same number of dimensions as self tensor")
    source = wanted if src is None else shape_of(src)
    if 0 not in wanted and max(len(source), 1) != max(len(wanted), 1):
        raise RuntimeError("Index tensor must have the same number of dimensions as src tensor")
    if src is not None and src._value.spec.dtype is not input._value.spec.dtype:
        raise RuntimeError(f"{name}(): Expected self.dtype to be equal to src.dtype")
    over_self = any(
        n > s and d != axis for d, (n, s) in enumerate(zip(wanted, shape, strict=False))
    )
    over_src = any(n > s for n, s in zip(wanted, source, strict=False))
    if over_self or over_src:
        and_src = "" if src is None else f" and to be no larger size than src {list(source)}"
        raise RuntimeError(
            f"Expected index {list(wanted)} to be no larger than self {list(shape)} apart from "
            f"dimension {axis}{and_src}"
        )
    check_gather_range(input, axis, index)
    return axis


def _front(src, shape):
    """The part of ``src`` that an index of this shape reaches (in a body)."""
    if shape_of(src) == shape:
        return src
    if len(shape) != len(shape_of(src)):
        return kit.reshape(src, shape)
    ones = (1,) * len(shape)
    return kit.bind(m.slice_, src, start=(0,) * len(shape), stop=shape, step=ones)


def _source_grad(picked, shape):
    """Gradient for a source of which only the front was used."""
    own = shape_of(picked)
    if own == shape:
        return picked
    if len(own) != len(shape):
        return reshape(picked, shape)
    like = expand_copy(reshape(sum_(zero_like(picked)), (1,) * len(shape)), shape)
    return slice_into(like, picked, (0,) * len(shape), own, (1,) * len(shape))


def _scatter_into(input, dim, index, src, mode):
    """The primitive, with 0-d operands as vectors of one element."""
    shape = shape_of(input)
    count = index._value.spec.numel
    src = _front(src, shape_of(index))
    if not shape or not shape_of(index):
        flat = [kit.reshape(index, (count,)), kit.reshape(src, (count,))]
        out = kit.bind(ix.scatter, kit.reshape(input, shape or (1,)), *flat, axis=0, mode=mode)
        return kit.reshape(out, shape)
    return kit.bind(ix.scatter, input, index, src, axis=dim, mode=mode)


def _scatter_src_grad(g, call, dim, index):
    return _source_grad(_gather(g, dim, index), call.in_specs[-1].shape)


@operator(
    name="Scatter",
    derivative={
        "input": lambda g, dim, index: _scatter_value(g, dim, index, 0),
        "src": _scatter_src_grad,
    },
)
def _scatter(input, dim: int, index, src):
    return _scatter_into(input, dim, index, src, "set")


@operator(
    name="=ScatterBackward1",
    derivative={"input": lambda g, dim, index: _scatter_value(g, dim, index, 0)},
)
def _scatter_value(input, dim: int, index, value: Operand):
    src = kit.full(shape_of(index), value, input._value.spec.dtype)
    return _scatter_into(input, dim, index, src, "set")


@operator(name="ScatterAdd", derivative={"input": lambda g: g, "src": _scatter_src_grad})
def _scatter_add(input, dim: int, index, src):
    return _scatter_into(input, dim, index, src, "add")


@operator(name="Scatter")
def _scatter_multiply(input, dim: int, index, src):
    return _scatter_into(input, dim, index, src, "multiply")


def _source(input, index, src):
    if positions.is_tensor(src):
        return src
    return expand_copy(cast(_scalar_like(input, src), input._value.spec.dtype), shape_of(index))


@operator(differentiable=False)
def _scalar_like(input, value: Operand):
    return kit.as_dtype(value, input._value.spec.dtype)


def scatter(input, dim, index, src=None, *, value=None, reduce=None):
    """``out[index[i][j]][j] = src[i][j]`` (for dim 0); ``src`` is a tensor or a number.

    ``reduce="add"`` or ``"multiply"`` combines with what is there.

    >>> import facula as torch
    >>> torch.zeros(2, 3).scatter(1, torch.tensor([[2], [0]]), 1.0)
    tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """
    src = value if src is None else src
    if src is None:
        raise TypeError("scatter(): expected a tensor 'src' or a number 'value'")
    tensor = positions.is_tensor(src)
    axis = _check_scatter("scatter", input, dim, index, src if tensor else None)
    if reduce is None:
        return (_scatter if tensor else _scatter_value)(input, axis, index, src)
    if reduce not in ("add", "multiply"):
        raise RuntimeError("reduce argument must be either add or multiply.")
    src = _source(input, index, src)
    return (_scatter_add if reduce == "add" else _scatter_multiply)(input, axis, index, src)


def scatter_add(input, dim, index, src):
    """``out[index[i][j]][j] += src[i][j]`` (for dim 0); equal indices add up.

    >>> import facula as torch
    >>> torch.zeros(2).scatter_add(0, torch.tensor([0, 0, 1]), torch.tensor([1.0, 2.0, 3.0]))
    tensor([3., 3.])
    """
    axis = _check_scatter("scatter", input, dim, index, src)
    return _scatter_add(input, axis, index, src)


# scatter_reduce ---------------------------------------------------------------------------------

_MODES = {"sum": "add", "mean": "add", "prod": "multiply", "amax": "maximum", "amin": "minimum"}


def _neutral(reduce, to):
    """What a reduction starts from where the input is left out."""
    if reduce in ("sum", "mean"):
        return 0
    if reduce == "prod":
        return 1
    if to.category >= dtypes.FLOAT:
        return float("-inf") if reduce == "amax" else float("inf")
    if to.category == dtypes.BOOL:
        return reduce == "amin"
    limits = np.iinfo(to.numpy)
    return limits.min if reduce == "amax" else limits.max


def _reduce_grads(g, call, input, dim, index, src, out, reduce, include_self, needs):
    size = call.in_specs[-1].shape
    part = _front_operator(src, shape_of(index))
    if reduce == "sum":
        into, picked = g, _gather(g, dim, index)
    elif reduce == "mean":
        each = true_divide(g, _counts(g, dim, index, include_self))
        into, picked = each, _gather(each, dim, index)
    elif reduce == "prod":
        into, picked = _prod_grads(g, input, dim, index, part, out, include_self)
    else:
        into, picked = _extreme_grads(g, input, dim, index, part, out)
    if not include_self:
        into = _scatter_value(into, dim, index, 0)
    return {"input": into, "src": _source_grad(picked, size)}


def _front_operator(src, shape):
    return src if shape_of(src) == shape else _front_copy(src, shape)


@operator(name="Slice", derivative={"src": lambda g, call: _source_grad(g, call.in_specs[0].shape)})
def _front_copy(src, shape: tuple):
    return _front(src, shape)


def _counts(g, dim, index, include_self):
    """How many values each mean is of (at least one)."""
    ones = _ones(g, shape_of(index))
    start = zero_like(g) + 1 if include_self else zero_like(g)
    count = _scatter_add(start, dim, index, ones)
    return _select(eq(count, 0), zero_like(g) + 1, count)


@operator(differentiable=False)
def _ones(like, shape: tuple):
    return kit.full(shape, 1, like._value.spec.dtype)


def _extreme_grads(g, input, dim, index, src, out):
    """The gradient is shared equally between all elements that equal the extreme."""
    to = g._value.spec.dtype
    self_hit = cast(eq(input, out), to)
    src_hit = cast(eq(src, _gather(out, dim, index)), to)
    share = true_divide(g, _scatter_add(self_hit, dim, index, src_hit))
    share = _select(eq(self_hit, 0) & eq(share, share).logical_not(), zero_like(g), share)
    return self_hit * share, src_hit * _gather(share, dim, index)


def _prod_grads(g, input, dim, index, src, out, include_self):
    """Products of all the others, also where a single factor is zero."""
    one_self, one_src = zero_like(input) + 1, zero_like(src) + 1
    whole = _select(eq(input, 0), one_self, input)
    into = g * _scatter_reduce(whole, dim, index, src, "prod", include_self) / whole
    zero = eq(src, 0)
    zeros = _gather(
        _scatter_add(zero_like(input), dim, index, cast(zero, src._value.spec.dtype)), dim, index
    )
    single = logical_and(zero, eq(zeros, 1))
    others = _scatter_reduce(input, dim, index, _select(single, one_src, src), "prod", include_self)
    usual = _gather(g * out, dim, index) / _select(zero, one_src, src)
    return into, _select(single, _gather(g * others, dim, index), usual)


@operator(name="ScatterReduce", derivative=_reduce_grads)
def _scatter_reduce(input, dim: int, index, src, reduce: str, include_self: bool):
    to = input._value.spec.dtype
    start = input
    if not include_self:
        start = _scatter_value(input, dim, index, _neutral_handle(reduce, to))
    out = _scatter_into(start, dim, index, src, _MODES[reduce])
    if reduce != "mean":
        return out
    counts = _scatter_add(
        kit.full(shape_of(input), int(include_self), dtypes.int64),
        dim, index, kit.full(shape_of(index), 1, dtypes.int64),
    )  # fmt: skip
    one = kit.full(shape_of(input), 1, dtypes.int64)
    counts = kit.as_dtype(kit.bind(e.maximum, counts, one), to)
    return kit.bind(e.floor_div if to.category == dtypes.INTEGER else e.div, out, counts)


def _neutral_handle(reduce, to):
    return kit.number(_neutral(reduce, to), to)


def scatter_reduce(input, dim, index, src, reduce, *, include_self=True):
    """``scatter`` that combines equal indices: sum, prod, mean, amax or amin.

    ``include_self=False`` leaves the input out where something is written.

    >>> import facula as torch
    >>> index, src = torch.tensor([0, 0, 1]), torch.tensor([1.0, 5.0, 3.0])
    >>> torch.zeros(2).scatter_reduce(0, index, src, "amax")
    tensor([5., 3.])
    """
    if reduce not in _MODES:
        raise RuntimeError(
            f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}"
        )
    axis = _check_scatter("scatter", input, dim, index, src)
    return _scatter_reduce(input, axis, index, src, reduce, bool(include_self))


# index_add, index_copy, index_fill, index_reduce ------------------------------------------------


def _along(input, dim, index, values, mode):
    """Write slices along one dimension (in a body); a 0-d input counts as one slice."""
    shape = shape_of(input)
    if shape:
        return positions.write_at(input, values, [index], (dim,), mode)
    if values._value.spec.ndim == 0:
        values = kit.reshape(values, (1,))
    return kit.reshape(
        positions.write_at(kit.reshape(input, (1,)), values, [index], (0,), mode), ()
    )


def _index_source(g, call, dim, index):
    return reshape(_index_select(g, dim, index), call.in_specs[-1].shape)


@operator(name="IndexAdd", derivative={"input": lambda g: g, "source": _index_source})
def _index_add(input, dim: int, index, source):
    return _along(input, dim, index, source, "add")


@operator(
    name="IndexCopy",
    derivative={
        "input": lambda g, dim, index: _index_fill(g, dim, index, 0),
        "source": _index_source,
    },
)
def _index_copy(input, dim: int, index, source):
    return _along(input, dim, index, source, "set")


@operator(
    name=lambda specs, template: f"IndexFillBackward{int(not specs[-1].weak)}",
    derivative={
        "input": lambda g, dim, index: _index_fill(g, dim, index, 0),
        "value": lambda g, dim, index: sum_(g - _index_fill(g, dim, index, 0)),
    },
)
def _index_fill(input, dim: int, index, value: Operand):
    value = kit.as_dtype(value, input._value.spec.dtype)
    if not shape_of(input):
        return _along(input, dim, index, kit.reshape(value, (1,)), "set")
    return _along(input, dim, index, value, "set")


def _check_source(name, input, axis, index, source):
    shape, given = shape_of(input), shape_of(source)
    count = index._value.spec.numel
    size = given[axis] if given else 1
    if count != size:
        raise RuntimeError(
            f"{name}_(): Number of indices ({count}) should be equal to source.size(dim): "
            f"({size}), for dim: {axis}"
        )
    if shape[:axis] + shape[axis + 1 :] != given[:axis] + given[axis + 1 :]:
        raise RuntimeError(
            "source tensor shape must match self tensor shape, excluding the specified dimension. "
            f"Got self.shape = {list(shape)} source.shape = {list(given)}"
        )


def _same_dtype(name, input, source):
    a, b = input._value.spec.dtype, source._value.spec.dtype
    if a is not b:
        raise RuntimeError(
            f"{name}_(): self ({a.legacy}) and source ({b.legacy}) must have the same scalar type"
        )


def index_add(input, dim, index, source, *, alpha=1):
    """Slices of ``source`` times ``alpha`` added at indices along a dimension.

    >>> import facula as torch
    >>> torch.zeros(3).index_add(0, torch.tensor([0, 0, 2]), torch.ones(3))
    tensor([2., 0., 1.])
    """
    axis, index = _index_vector("index_add", input, dim, index)
    _same_dtype("index_add", input, source)
    _check_source("index_add", input, axis, index, source)
    check_gather_range(input, axis, index)
    if not (alpha.__class__ is int and alpha == 1):
        source = cast(source * alpha, source._value.spec.dtype)
    return _index_add(input, axis, index, source)


def index_copy(input, dim, index, source):
    """Slices along a dimension replaced by those of ``source``."""
    axis, index = _index_vector("index_copy", input, dim, index)
    _same_dtype("index_copy", input, source)
    size = shape_of(source)[axis] if shape_of(source) else 1
    if index._value.spec.numel != size:
        raise IndexError(
            f"index_copy_(): Number of indices ({index._value.spec.numel}) should be equal to "
            f"source.size(dim) ({size})"
        )
    _check_source("index_copy", input, axis, index, source)
    n = shape_of(input)[axis] if shape_of(input) else 1
    bad = positions.out_of_range(index, 0, n)
    if bad is not None:
        raise IndexError(
            f"index_copy_(): index {bad} is out of bounds for dimension {axis} with size {n}"
        )
    return _index_copy(input, axis, index, source)


def index_fill(input, dim, index, value):
    """Slices along a dimension filled with a number (or a 0-d tensor)."""
    axis, index = _index_vector("index_fill", input, dim, index)
    if positions.is_tensor(value) and value._value.spec.ndim:
        raise RuntimeError(
            "index_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{value._value.spec.ndim} dimension(s)."
        )
    positions.check_wrapping(index, shape_of(input)[axis] if shape_of(input) else 1, axis)
    return _index_fill(input, axis, index, value)


@operator(name="IndexReduce")
def _index_reduce(input, dim: int, index, source, reduce: str, include_self: bool):
    shape = tuple([-1 if i == dim else 1 for i in range(len(shape_of(source)))])
    sizes = tuple([index._value.spec.numel if n == -1 else 1 for n in shape])
    wide = expand_copy(reshape(index, sizes), shape_of(source)) if sizes else reshape(index, ())
    return _scatter_reduce(input, dim, wide, source, reduce, include_self)


def index_reduce(input, dim, index, source, reduce, *, include_self=True):
    """Slices of ``source`` combined at indices along a dimension: prod, mean, amax or amin."""
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise RuntimeError(
            "index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got "
            f"{reduce}."
        )
    axis, index = _index_vector("index_reduce", input, dim, index)
    _check_source("index_reduce", input, axis, index, source)
    _same_dtype("index_reduce", input, source)
    check_gather_range(input, axis, index)
    return _index_reduce(input, axis, index, source, reduce, bool(include_self))


NAMESPACES = {
    "torch": [
        "index_add", "index_copy", "index_fill", "index_reduce", "scatter", "scatter_add",
        "scatter_reduce",
    ],
    "method": [
        "index_add", "index_copy", "index_fill", "index_reduce", "scatter", "scatter_add",
        "scatter_reduce",
    ],
    "inplace": [
        "index_add", "index_copy", "index_fill", "index_reduce", "scatter", "scatter_add",
        "scatter_reduce",
    ],
}  # fmt: skip
