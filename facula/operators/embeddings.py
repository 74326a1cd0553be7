"""Embeddings: rows of a table picked by index, one by one or reduced in bags."""

from __future__ import annotations

import warnings

import numpy as np

from facula.autograd.modes import modes, no_grad
from facula.base import dtypes
from facula.graph.primitives import elementwise as p
from facula.graph.primitives import indexing as ix
from facula.graph.primitives import movement as m
from facula.operators import kit
from facula.operators.arithmetic import _select
from facula.operators.basic import cast
from facula.operators.inplace import write
from facula.operators.movement import _view
from facula.operators.operator import Number, operator
from facula.operators.pointwise import clamp
from facula.operators.positions import array_of, clearly_in_range, computed, out_of_range
from facula.operators.reduction import _sum, scatter_into
from facula.operators.vector_norms import _vector_norm


def _shape(x):
    return x._value.spec.shape


# Rows by index ----------------------------------------------------------------------------------


@operator(
    name="EmbeddingDenseBackward",
    derivative={"values": lambda g, indices: _rows(g, indices)},
)
def _add_rows(values, indices, count: int):
    """Zeros of ``count`` rows with ``values`` added at ``indices``."""
    width = _shape(values)[len(_shape(indices)) :]
    zeros = kit.full((count, *width), 0, values._value.spec.dtype)
    return kit.bind(ix.index_put, zeros, values, indices, mode="add")


@operator(
    name="Embedding",
    derivative={"weight": lambda g, weight, indices: _add_rows(g, indices, _shape(weight)[0])},
)
def _rows(weight, indices):
    return kit.bind(ix.index, weight, indices)


@operator(differentiable=False)
def _kept_rows(indices, padding_idx, count, scale_by_count: bool, to):
    """What each row's gradient is multiplied by: 0 for padding, 1 / how often it occurs."""
    one = kit.number(1, to)
    kept = kit.broadcast_to(one, _shape(indices))
    if scale_by_count:
        ones = kit.broadcast_to(one, _shape(indices))
        zeros = kit.full((count,), 0, to)
        often = kit.bind(ix.index_put, zeros, ones, indices, mode="add")
        kept = kit.bind(p.div, one, kit.bind(ix.index, often, indices))
    if padding_idx is not None:
        kept = _select(indices == padding_idx, 0.0, kept)
    return kit.reshape(kept, (*_shape(indices), 1))


def _embedding_grad(g, weight, indices, padding_idx, scale_grad_by_freq):
    count = _shape(weight)[0]
    if padding_idx is not None or scale_grad_by_freq:
        g = g * _kept_rows(indices, padding_idx, count, scale_grad_by_freq, g._value.spec.dtype)
    return _add_rows(g, indices, count)


@operator(name="Embedding", derivative={"weight": _embedding_grad})
def _embedding(weight, indices, padding_idx, scale_grad_by_freq: bool):
    return kit.bind(ix.index, weight, indices)


def _checked_indices(input, rows, refuse):
    """The indices as int64, all of them rows of the table; ``refuse`` raises otherwise."""
    own = input._value.spec.dtype
    if own not in (dtypes.int64, dtypes.int32):
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: "
            f"Long, Int; but got torch.{own.legacy}Tensor instead (while checking arguments for "
            "embedding)"
        )
    if modes.trace is None and not clearly_in_range(input, rows):
        bad = out_of_range(input, 0, rows)
        if bad is not None:
            refuse(input, bad, rows)
    return input if own is dtypes.int64 else cast(input, dtypes.int64)


def _refuse_index(input, bad, rows):
    raise IndexError("index out of range in self")


def _refuse_bag_index(input, bad, rows):
    place = int(np.flatnonzero(array_of(input) == bad)[0])
    raise RuntimeError(
        f"Index {place} of input takes value {bad} which is not in the valid range [0, {rows})"
    )


def _padding_row(padding_idx, rows):
    if padding_idx is None:
        return None
    if not -rows <= padding_idx < rows:
        raise AssertionError("Padding_idx must be within num_embeddings")
    return padding_idx + rows if padding_idx < 0 else padding_idx


def embedding(
    input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False,
    sparse=False,
):  # fmt: skip
    """Rows of ``weight`` at the indices ``input``; the gradient is dense, also with ``sparse``.

    ``max_norm`` rescales the rows used, in place. IndexError for an index out of range.

    >>> import facula as torch
    >>> table = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> torch.nn.functional.embedding(torch.tensor([1, 1]), table)
    tensor([[3., 4.],
            [3., 4.]])
    """
    if weight._value.spec.ndim != 2:
        raise RuntimeError("'weight' must be 2-D")
    rows = _shape(weight)[0]
    padding_idx = _padding_row(padding_idx, rows)
    input = _checked_indices(input, rows, _refuse_index)
    if max_norm is not None:
        _renormalize(weight, input, max_norm, norm_type)
    return _embedding(weight, input, padding_idx, bool(scale_grad_by_freq))


@operator(differentiable=False)
def _limited_rows(weight, indices, max_norm: Number, norm_type: tuple):
    """The table with the rows in use scaled down to ``max_norm``."""
    norms = _vector_norm(weight, norm_type, 1, True, None)
    rows = _shape(weight)[0]
    used = kit.bind(
        ix.index_put,
        kit.full((rows,), False, dtypes.bool_),
        kit.full(_shape(indices), True, dtypes.bool_),
        indices,
        mode="set",
    )
    over = kit.bind(p.bit_and, norms > max_norm, kit.reshape(used, (rows, 1)))
    return _select(over, weight * (max_norm / (norms + 1e-7)), weight)


def _renormalize(weight, indices, max_norm, norm_type):
    with no_grad():
        write(weight, _limited_rows(weight, indices, float(max_norm), (float(norm_type),)))


# Bags -------------------------------------------------------------------------------------------


def _bag_numbers(offsets, count, include_last_offset):
    """For each index the number of its bag, and how many bags there are."""
    starts = array_of(offsets).astype(np.int64)
    if starts.size and starts[0] != 0:
        raise RuntimeError(
            "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from "
            f"position 0. However, got {starts[0]}"
        )
    if starts.size and starts[-1] > count:
        raise RuntimeError(
            f"offsets[-1] can not be greater than input's length {count} but got offsets[-1] of "
            f"{starts[-1]}"
        )
    if include_last_offset:
        starts = starts[:-1]
    bags = np.searchsorted(starts, np.arange(count), side="right") - 1
    return bags.astype(np.int64), len(starts)


def _bag_weights(indices, bags, count, mode, padding_idx, per_sample, to):
    """How much each index counts in its bag."""
    kept = np.ones(len(bags), np.float64)
    if padding_idx is not None:
        kept[array_of(indices) == padding_idx] = 0.0
    if mode == "mean":
        size = np.bincount(bags, kept, count)
        kept = kept / np.maximum(size[bags], 1)
    factors = computed(kept.astype(to.numpy), to)
    return factors if per_sample is None else factors * per_sample


def _bag_grads(g, weight, indices, factors, bags, by_frequency, needs):
    found = {}
    spread = _rows(g, bags)
    if "weight" in needs:
        wide = spread * _view(factors, (*_shape(factors), 1))
        if by_frequency:
            rows = _shape(weight)[0]
            wide = wide * _kept_rows(indices, None, rows, True, wide._value.spec.dtype)
        found["weight"] = _add_rows(wide, indices, _shape(weight)[0])
    if "factors" in needs:
        found["factors"] = _sum(spread * _rows(weight, indices), -1, False, None)
    return found


@operator(name="EmbeddingBag", derivative=_bag_grads)
def _embedding_bag(weight, indices, factors, bags, count: int, by_frequency: bool):
    picked = kit.bind(ix.index, weight, indices) * kit.reshape(factors, (*_shape(factors), 1))
    zeros = kit.full((count, *_shape(weight)[1:]), 0, weight._value.spec.dtype)
    return kit.bind(ix.index_put, zeros, picked, bags, mode="add")


@operator(
    name="EmbeddingBag",
    derivative={
        "weight": lambda g, call, outs: scatter_into(
            call.in_specs[0].shape, 0, outs[1], _masked(g, outs)
        )
    },
)
def _embedding_bag_max(weight, indices, bags, kept, count: int):
    """Largest value of each bag, the row it came from, and whether the bag has any rows."""
    to = weight._value.spec.dtype
    width = _shape(weight)[1]
    lowest = kit.full((count, width), -np.inf, to)
    picked = _select(
        kit.reshape(kept, (*_shape(kept), 1)), kit.bind(ix.index, weight, indices), -np.inf
    )
    top = kit.bind(ix.index_put, lowest, picked, bags, mode="maximum")
    # The row it came from: that of the first index whose value is the bag's largest.
    number = _shape(indices)[0]
    places = kit.reshape(kit.bind(m.iota, size=number, dtype=dtypes.int64), (number, 1))
    hit = kit.bind(p.equal, picked, kit.bind(ix.index, top, bags))
    beyond = kit.full((count, width), number, dtypes.int64)
    first = kit.bind(ix.index_put, beyond, _select(hit, places, number), bags, mode="minimum")
    rows = kit.bind(ix.index, indices, clamp(first, None, number - 1))
    full = kit.bind(p.less, kit.number(-np.inf, to), top)
    return _select(full, top, 0.0), rows, kit.as_dtype(full, to)


def _masked(g, outs):
    return g * outs[2]


def _flat_bags(input, offsets, per_sample_weights):
    """Indices, offsets and weights as vectors; a matrix of indices has one bag in each row."""
    ndim = input._value.spec.ndim
    if ndim == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch "
                f"of fixed length sequences. However, found offsets of type {type(offsets)}"
            )
        rows, length = _shape(input)
        offsets = computed(np.arange(rows, dtype=np.int64) * length)
        flat = (rows * length,)
        input = _view(input, flat)
        if per_sample_weights is not None:
            per_sample_weights = _view(per_sample_weights, flat)
    elif ndim != 1:
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {ndim}")
    elif offsets is None:
        raise ValueError("offsets has to be a 1D Tensor but got None")
    elif offsets._value.spec.ndim != 1:
        raise ValueError("offsets has to be a 1D Tensor")
    return input, offsets, per_sample_weights


def _check_bag_options(input, weight, mode, scale_grad_by_freq, sparse, per_sample_weights):
    if per_sample_weights is not None and _shape(input) != _shape(per_sample_weights):
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({per_sample_weights._value.spec.size}) is not "
            f"None, then it must have the same shape as the input ({input._value.spec.size})"
        )
    if weight._value.spec.ndim != 2:
        raise ValueError(
            f"weight has to be a 2D Tensor, but got Tensor of dimension {weight._value.spec.ndim}"
        )
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    if mode == "max" and scale_grad_by_freq:
        raise ValueError("max mode does not support scaling the gradient by the frequency")
    if mode == "max" and sparse:
        raise ValueError("max mode does not support sparse weights")


def embedding_bag(
    input, weight, offsets=None, max_norm=None, norm_type=2, scale_grad_by_freq=False,
    mode="mean", sparse=False, per_sample_weights=None, include_last_offset=False,
    padding_idx=None,
):  # fmt: skip
    """Sum, mean or maximum of the rows of each bag of indices.

    ``scale_grad_by_freq`` divides the gradient of a row by how often the row occurs; PyTorch's CPU
    kernel divides by the count of another row when indices repeat.
    """
    if weight._value.spec.dtype is dtypes.int64 and input._value.spec.dtype.category > 1:
        warnings.warn(
            "Argument order of nn.functional.embedding_bag was changed. Usage "
            "`embedding_bag(weight, input, ...)` is deprecated, and should now be "
            "`embedding_bag(input, weight, ...)`.",
            stacklevel=2,
        )
        weight, input = input, weight
    _check_bag_options(input, weight, mode, scale_grad_by_freq, sparse, per_sample_weights)
    if input._value.spec.ndim == 2:
        include_last_offset = False
    input, offsets, per_sample_weights = _flat_bags(input, offsets, per_sample_weights)
    rows = _shape(weight)[0]
    padding_idx = _padding_row(padding_idx, rows)
    input = _checked_indices(input, rows, _refuse_bag_index)
    if max_norm is not None:
        _renormalize(weight, input, max_norm, norm_type)
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported "
            f"for mode='sum' (got mode='{mode}'). Please open a feature request on GitHub."
        )
    numbers, count = _bag_numbers(offsets, _shape(input)[0], include_last_offset)
    to, bags = weight._value.spec.dtype, computed(numbers)
    if mode == "max" and len(numbers):
        kept = (
            np.ones(len(numbers), bool) if padding_idx is None else array_of(input) != padding_idx
        )
        return _embedding_bag_max(weight, input, bags, computed(kept), count)[0]
    factors = _bag_weights(input, numbers, count, mode, padding_idx, per_sample_weights, to)
    return _embedding_bag(weight, input, factors, bags, count, bool(scale_grad_by_freq))


def one_hot(input, num_classes=-1):
    """Class indices as rows with a single 1.

    >>> import facula as torch
    >>> torch.nn.functional.one_hot(torch.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    own = input._value.spec
    if own.dtype is not dtypes.int64:
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    if own.numel == 0:
        if num_classes <= 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        return computed(np.zeros((*own.shape, num_classes), np.int64))
    if num_classes < -1:
        raise RuntimeError("num_classes should be positive")
    array = array_of(input)
    if array.min() < 0:
        raise RuntimeError("Class values must be non-negative.")
    if num_classes == -1:
        num_classes = int(array.max()) + 1
    elif array.max() >= num_classes:
        raise RuntimeError("Class values must be smaller than num_classes.")
    return _one_hot(input, num_classes)


@operator(differentiable=False)
def _one_hot(tensor, num_classes: int):
    classes = kit.bind(m.iota, size=num_classes, dtype=dtypes.int64)
    hit = kit.bind(p.equal, kit.reshape(tensor, (*_shape(tensor), 1)), classes)
    return kit.as_dtype(hit, dtypes.int64)


NAMESPACES = {"torch": [], "functional": ["embedding", "embedding_bag", "one_hot"]}
