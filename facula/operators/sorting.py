"""Sorting along a dimension, and elements at given ranks: topk, median, mode, quantile, ..."""

from __future__ import annotations

from facula.base import dtypes
from facula.base.dtypes import BOOL, COMPLEX, FLOAT
from facula.graph.primitives import elementwise as e
from facula.graph.primitives import indexing as ix
from facula.graph.primitives import movement as m
from facula.graph.primitives import reduction as p
from facula.operators import kit
from facula.operators.arithmetic import _select
from facula.operators.basic import cast, expand_copy, zero_like
from facula.operators.indexing import _gather_into
from facula.operators.movement import _view, transpose
from facula.operators.operator import operator
from facula.operators.positions import shape_of
from facula.operators.reduction import sum as sum_
from facula.operators.results import result


def _gather(x, axis, index):
    return kit.bind(ix.gather, x, index, axis=axis)


def _front(x, axis, first, last):
    """``x[first:last]`` along an axis (in a body)."""
    shape = shape_of(x)
    start = tuple([first if i == axis else 0 for i in range(len(shape))])
    stop = tuple([last if i == axis else n for i, n in enumerate(shape)])
    return kit.bind(m.slice_, x, start=start, stop=stop, step=(1,) * len(shape))


def _back(g, call, outs, dim):
    """Gradients of picked elements, added where the elements stood."""
    shape = call.in_specs[0].shape
    if not shape:
        return g
    axis = kit.axis_of(dim, len(shape))
    kept = (*shape[:axis], -1, *shape[axis + 1 :])
    index = outs[1]
    if len(shape_of(index)) < len(shape):
        kept = tuple([1 if n == -1 else n for n in kept])
        index, g = _view(index, kept), _view(g, kept)
    return _gather_into(g, axis, index, shape)


def _scalar_pair(input):
    return kit.reshape(input, ()), kit.full((), 0, dtypes.int64)


def _refuse_complex(name, input):
    if input._value.spec.dtype.category == COMPLEX:
        raise RuntimeError(f"{name} does not support complex dtypes on CPU")


# sort -------------------------------------------------------------------------------------------


@operator(
    name=lambda specs, template: f"SortBackward{int(template[3] is not None)}",
    derivative={"input": _back},
)
def _sort(input, dim: int, descending: bool, stable):
    shape = shape_of(input)
    axis = kit.axis_of(dim, len(shape))
    if not shape:
        return _scalar_pair(input)
    order = kit.bind(p.argsort, input, axis=axis, descending=descending)
    return _gather(input, axis, order), order


def sort(input, dim=-1, descending=False, *, stable=None):
    """(values, indices) sorted along a dimension; equal elements keep their order.

    NaN counts as the greatest value.

    >>> import facula as torch
    >>> torch.sort(torch.tensor([3, 1, 2])).indices
    tensor([1, 2, 0])
    """
    _refuse_complex(" Sort", input)
    return result("sort", _sort(input, dim, bool(descending), stable))


@operator(differentiable=False)
def _argsort(input, dim: int, descending: bool):
    return _sort(input, dim, descending, None)[1]


def argsort(input, dim=-1, descending=False, stable=False):
    """The indices that sort along a dimension."""
    _refuse_complex(" Sort", input)
    return _argsort(input, dim, bool(descending))


def msort(input):
    """Sorted along the first dimension."""
    _refuse_complex(" Sort", input)
    return _sort(input, 0, False, None)[0]


@operator(name="Topk", derivative={"input": _back})
def _topk(input, k: int, dim: int, largest: bool):
    shape = shape_of(input)
    axis = kit.axis_of(dim, len(shape))
    if not shape:
        return _scalar_pair(input)
    order = kit.bind(p.argsort, input, axis=axis, descending=largest)
    order = _front(order, axis, 0, k)
    return _gather(input, axis, order), order


def topk(input, k, dim=-1, largest=True, sorted=True):
    """(values, indices) of the k largest (or smallest) elements along a dimension, in order.

    Among equal elements the first ones are taken; PyTorch leaves that open.

    >>> import facula as torch
    >>> torch.topk(torch.tensor([1, 5, 3]), 2).values
    tensor([5, 3])
    """
    if input._value.spec.dtype.category in (BOOL, COMPLEX):
        kind = "bool" if input._value.spec.dtype.category == BOOL else "complex"
        raise RuntimeError(f"topk does not support {kind} dtypes on CPU")
    shape = shape_of(input)
    axis = kit.axis_of(dim, len(shape))
    k = int(k)
    if not 0 <= k <= (shape[axis] if shape else 1):
        raise RuntimeError("selected index k out of range")
    return result("topk", _topk(input, k, dim, bool(largest)))


# kthvalue, median, mode -------------------------------------------------------------------------


def _at_rank(input, dim, keepdim, find):
    """(value, index) of one element along a dimension; ``find(sorted, order, axis)`` its index."""
    shape = shape_of(input)
    if not shape:
        return _scalar_pair(input)
    axis = kit.axis_of(dim, len(shape))
    order = kit.bind(p.argsort, input, axis=axis, descending=False)
    index = find(_gather(input, axis, order), order, axis)
    value = _gather(input, axis, index)
    if keepdim:
        return value, index
    short = shape[:axis] + shape[axis + 1 :]
    return kit.reshape(value, short), kit.reshape(index, short)


def _require_size(name, input, dim):
    shape = shape_of(input)
    axis = kit.axis_of(dim, len(shape))
    if shape and shape[axis] == 0:
        raise IndexError(f"{name}(): Expected reduction dim {axis} to have non-zero size.")
    return shape[axis] if shape else 1


@operator(name="Kthvalue", derivative={"input": _back})
def _kthvalue(input, k: int, dim: int, keepdim: bool):
    return _at_rank(input, dim, keepdim, lambda s, order, axis: _front(order, axis, k - 1, k))


def kthvalue(input, k, dim=-1, keepdim=False):
    """(value, index) of the k-th smallest element along a dimension; k counts from 1.

    >>> import facula as torch
    >>> torch.kthvalue(torch.tensor([5, 1, 3]), 2).values
    tensor(3)
    """
    shape = shape_of(input)
    axis = kit.axis_of(dim, len(shape))
    size = shape[axis] if shape else 1
    if not 1 <= k <= size:
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {axis}")
    return result("kthvalue", _kthvalue(input, int(k), dim, bool(keepdim)))


def _is_float(x):
    return x._value.spec.dtype.category == FLOAT


def _nan_count(s, axis):
    """How many NaN a sorted row holds, with the dimension kept."""
    hit = kit.as_dtype(kit.bind(e.is_nan, s), dtypes.int64)
    total = kit.bind(p.total, hit, axes=(axis,))
    shape = shape_of(s)
    return kit.reshape(total, (*shape[:axis], 1, *shape[axis + 1 :]))


def _median_place(s, order, axis, ignore_nan):
    """Index of the lower median; a NaN wins unless NaN are ignored."""
    n = shape_of(s)[axis]
    if not _is_float(s):
        return _front(order, axis, (n - 1) // 2, (n - 1) // 2 + 1)
    nans = _nan_count(s, axis)
    left = kit.bind(e.sub, kit.number(n, dtypes.int64), nans)
    one, zero, two = (kit.number(k, dtypes.int64) for k in (1, 0, 2))
    if ignore_nan:
        rank = kit.bind(e.floor_div, kit.bind(e.maximum, kit.bind(e.sub, left, one), zero), two)
    else:
        some = kit.bind(e.less, zero, nans)
        rank = kit.bind(e.select, some, left, kit.number((n - 1) // 2, dtypes.int64))
    return _gather(order, axis, rank)


def _median_operator(name, ignore_nan):
    def along(input, dim: int, keepdim: bool):
        return _at_rank(
            input, dim, keepdim, lambda s, order, axis: _median_place(s, order, axis, ignore_nan)
        )

    def whole(input):
        flat = kit.reshape(input, (input._value.spec.numel,))
        return along(flat, 0, False)[0]

    along.__name__, whole.__name__ = f"_{name}_dim", f"_{name}"
    return (
        operator(along, name=f"={name.capitalize()}Backward1", derivative={"input": _back}),
        operator(whole, name=name.capitalize(), derivative={"input": _shared_grad}),
    )


def _shared_grad(g, input, out):
    """The gradient shared equally by all elements that equal the result."""
    hit = (input == out) | (input.isnan() & out.isnan())
    count = cast(sum_(hit), g._value.spec.dtype)
    return _select(hit, expand_copy(g / count, shape_of(input)), zero_like(input))


_median_dim, _median = _median_operator("median", False)
_nanmedian_dim, _nanmedian = _median_operator("nanmedian", True)


def _any_median(name, input, dim, keepdim, along, whole):
    own = input._value.spec
    _refuse_complex(name, input)
    if own.dtype.category == BOOL:
        raise NotImplementedError(f"\"{name}_cpu\" not implemented for 'Bool'")
    if dim is None:
        if own.numel == 0 and own.dtype.category == FLOAT:
            return _nan(input)
        return whole(input)
    _require_size("median", input, dim)
    return result(name, along(input, dim, bool(keepdim)))


@operator(differentiable=False)
def _nan(like):
    return kit.full((), float("nan"), like._value.spec.dtype)


def median(input, dim=None, keepdim=False):
    """The lower median of all elements, or (values, indices) along a dimension; NaN wins.

    >>> import facula as torch
    >>> torch.median(torch.tensor([4.0, 1.0, 3.0, 2.0]))
    tensor(2.)
    """
    return _any_median("median", input, dim, keepdim, _median_dim, _median)


def nanmedian(input, dim=None, keepdim=False):
    """``median`` of the elements that are not NaN."""
    return _any_median("nanmedian", input, dim, keepdim, _nanmedian_dim, _nanmedian)


def _mode_place(s, order, axis):
    """Index of the last element of the longest run of equals, the smallest value first."""
    shape = shape_of(s)
    n = shape[axis]
    steps = kit.bind(m.iota, size=n, dtype=dtypes.int64)
    steps = kit.broadcast_to(
        kit.reshape(steps, tuple([n if i == axis else 1 for i in range(len(shape))])), shape
    )
    same = kit.bind(e.equal, _front(s, axis, 1, n), _front(s, axis, 0, n - 1))
    first = kit.full((*shape[:axis], 1, *shape[axis + 1 :]), False, dtypes.bool_)
    same = kit.bind(m.concat, first, same, axis=axis)
    starts = kit.bind(e.select, same, kit.full(shape, 0, dtypes.int64), steps)
    begin = _gather(starts, axis, kit.bind(p.cumargmax, starts, axis=axis))
    length = kit.bind(e.sub, steps, begin)
    best = kit.bind(p.argmax, length, axis=axis)
    return _gather(order, axis, kit.reshape(best, (*shape[:axis], 1, *shape[axis + 1 :])))


@operator(name="Mode", derivative={"input": _back})
def _mode(input, dim: int, keepdim: bool):
    return _at_rank(input, dim, keepdim, _mode_place)


def mode(input, dim=-1, keepdim=False):
    """(values, indices) of the most frequent element along a dimension; the smallest of equals.

    >>> import facula as torch
    >>> torch.mode(torch.tensor([2, 1, 2, 1, 3])).values
    tensor(1)
    """
    _refuse_complex("mode", input)
    _require_size("mode", input, dim)
    return result("mode", _mode(input, dim, bool(keepdim)))


# quantile ---------------------------------------------------------------------------------------

_INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def _check_quantile(name, input, q, interpolation):
    own = input._value.spec
    if own.numel == 0:
        raise RuntimeError(f"{name}() input tensor must be non-empty")
    if own.dtype not in (dtypes.float32, dtypes.float64):
        raise RuntimeError(f"{name}() input tensor must be either float or double dtype")
    if interpolation not in _INTERPOLATIONS:
        raise RuntimeError(
            f"{name}() interpolation must be one of linear, lower, higher, midpoint or "
            "nearest, but "
            f"got {interpolation}"
        )
    if not hasattr(q, "_value"):
        if not 0 <= q <= 1:
            raise RuntimeError(f"{name}() q must be in the range [0, 1] but got {q}")
        return
    if q._value.spec.ndim > 1:
        raise RuntimeError(f"{name}() q must be a scalar or 1D tensor")
    if q._value.spec.dtype is not own.dtype:
        raise RuntimeError(f"{name}() q tensor must be same dtype as the input tensor")
    values = q._buffer()
    if ((values < 0) | (values > 1)).any():
        raise RuntimeError(f"{name}() q values must be in the range [0, 1]")


def _picked(s, index):
    """Elements of sorted rows (last dimension) at ranks."""
    return s.gather(-1, cast(index, dtypes.int64))


def _ranks(s, q, ignore_nan):
    """The (fractional) ranks of the quantiles in each sorted row."""
    n = shape_of(s)[-1]
    nan = s.isnan()
    if not ignore_nan:
        last = sum_(nan, -1, True) > 0
        return _select(last, float(n - 1), (zero_like(s[..., :1]) + (n - 1)) * q)
    left = cast(n - sum_(nan, -1, True), s._value.spec.dtype)
    return ((left - 1) * q).clamp(0.0)


def _interpolated(s, ranks, interpolation):
    if interpolation == "lower":
        return _picked(s, ranks.floor())
    if interpolation == "higher":
        return _picked(s, ranks.ceil())
    if interpolation == "nearest":
        return _picked(s, ranks.round())
    low = ranks.floor()
    weight = ranks - low if interpolation == "linear" else zero_like(ranks) + 0.5
    return _picked(s, low).lerp(_picked(s, ranks.ceil()), weight)


def _quantile(name, input, q, dim, keepdim, interpolation):
    _check_quantile(name, input, q, interpolation)
    shape = shape_of(input)
    if dim is None:
        rows, kept = input.reshape(-1), (1,) * len(shape)
    else:
        axis = kit.axis_of(dim, len(shape))
        rows = transpose(input.reshape(shape or (1,)), axis, -1)
        kept = tuple([1 if i == axis else n for i, n in enumerate(shape)])
    s = _sort(rows, -1, False, None)[0]
    many = hasattr(q, "_value") and q._value.spec.ndim == 1
    wide = q.detach() if hasattr(q, "_value") else q
    found = _interpolated(s, _ranks(s, wide, name == "nanquantile"), interpolation)
    if not keepdim:
        kept = () if dim is None else shape[:axis] + shape[axis + 1 :]
    if dim is not None and shape:
        # The ranks stand last, and what was last stands where the rows were.
        found = transpose(found, axis, -1)
        found = found.movedim(axis, 0)
    elif many:
        found = found.movedim(-1, 0)
    return found.reshape((shape_of(q)[0], *kept) if many else kept)


def quantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """The q-quantiles of all elements or along a dimension; several q come first in the shape.

    >>> import facula as torch
    >>> torch.quantile(torch.tensor([0.0, 1.0, 2.0, 3.0]), 0.5)
    tensor(1.5000)
    """
    return _quantile("quantile", input, q, dim, keepdim, interpolation)


def nanquantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """``quantile`` of the elements that are not NaN."""
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation)


_METHODS = [
    "argsort", "kthvalue", "median", "mode", "msort", "nanmedian", "nanquantile", "quantile",
    "sort", "topk",
]  # fmt: skip
NAMESPACES = {"torch": _METHODS, "method": _METHODS}
