"""Reading elements at positions: gather, index_select, take, masks, nonzero."""

from __future__ import annotations

import math

import numpy as np

from facula.base import dtypes
from facula.graph.primitives import indexing as ix
from facula.operators import kit, positions
from facula.operators.arithmetic import _select
from facula.operators.basic import expand_copy
from facula.operators.movement import flatten, reshape, unsqueeze
from facula.operators.operator import Operand, operator
from facula.operators.positions import computed, shape_of

# x[i, j] ----------------------------------------------------------------------------------------


@operator(
    name="Index",
    derivative={
        "input": lambda g, call, indices, dims: _index_into(
            g, indices, dims, call.in_specs[0].shape
        )
    },
)
def _index(input, indices, dims: tuple):
    """``input`` at integer tensors (broadcast together) for the dimensions ``dims``."""
    return positions.read_at(input, indices, dims)


@operator(name="IndexPut", derivative={"values": lambda g, indices, dims: _index(g, indices, dims)})
def _index_into(values, indices, dims: tuple, shape: tuple):
    """Zeros of ``shape`` with values added at positions: the gradient of reading there."""
    zeros = kit.full(shape, 0, values._value.spec.dtype)
    return positions.write_at(zeros, values, indices, dims, "add")


def index(input, indices):
    """``input[indices]`` for a tuple of index tensors, masks and Nones.

    >>> import facula as torch
    >>> torch.arange(6).reshape(2, 3)[torch.tensor([1, 0]), torch.tensor([0, 2])]
    tensor([3, 2])
    """
    found, dims = positions.resolve(shape_of(input), indices)
    return _index(input, found, dims) if found else input


def _index_vector(name, input, dim, index):
    """The checked (axis, vector of indices) of index_select and its relatives."""
    axis = kit.axis_of(dim, input._value.spec.ndim)
    if index._value.spec.ndim > 1:
        raise IndexError(f"{name}(): Index is supposed to be a vector")
    if index._value.spec.dtype not in positions.INDEX_DTYPES:
        raise RuntimeError(f"{name}(): Expected dtype int32 or int64 for index")
    return axis, index if index._value.spec.ndim else reshape(index, (1,))


@operator(
    name="IndexSelect",
    derivative={
        "input": lambda g, call, dim, index: _index_select_into(
            g, dim, index, call.in_specs[0].shape
        )
    },
)
def _index_select(input, dim: int, index):
    if not shape_of(input):
        return kit.reshape(positions.read_at(kit.reshape(input, (1,)), [index], (0,)), ())
    return positions.read_at(input, [index], (dim,))


@operator(
    name="IndexAdd", derivative={"values": lambda g, dim, index: _index_select(g, dim, index)}
)
def _index_select_into(values, dim: int, index, shape: tuple):
    zeros = kit.full(shape or (1,), 0, values._value.spec.dtype)
    if not shape:
        values = kit.reshape(values, (1,))
    return kit.reshape(positions.write_at(zeros, values, [index], (dim,), "add"), shape)


def index_select(input, dim, index):
    """Slices of ``input`` along a dimension, in the order of a vector of indices (a copy).

    >>> import facula as torch
    >>> torch.index_select(torch.arange(6).reshape(2, 3), 1, torch.tensor([0, 2]))
    tensor([[0, 2],
            [3, 5]])
    """
    axis, index = _index_vector("index_select", input, dim, index)
    size = shape_of(input)[axis] if shape_of(input) else 1
    if positions.out_of_range(index, 0, size) is not None:
        raise IndexError("index out of range in self")
    return _index_select(input, axis, index)


# gather -----------------------------------------------------------------------------------------


@operator(
    name="Gather",
    derivative={
        "input": lambda g, call, dim, index: _gather_into(g, dim, index, call.in_specs[0].shape)
    },
)
def _gather(input, dim: int, index):
    if not shape_of(index) or not shape_of(input):
        shape = shape_of(index)
        flat = kit.reshape(index, (math.prod(shape),))
        return kit.reshape(kit.bind(ix.gather, kit.reshape(input, (1,)), flat, axis=0), shape)
    return kit.bind(ix.gather, input, index, axis=dim)


@operator(name="ScatterAdd", derivative={"values": lambda g, dim, index: _gather(g, dim, index)})
def _gather_into(values, dim: int, index, shape: tuple):
    count = math.prod(shape_of(index))
    if not shape or not shape_of(index):
        index, values = kit.reshape(index, (count,)), kit.reshape(values, (count,))
    zeros = kit.full(shape or (1,), 0, values._value.spec.dtype)
    return kit.reshape(kit.bind(ix.scatter, zeros, index, values, axis=dim, mode="add"), shape)


def check_gather_range(input, axis, index) -> None:
    """gather and scatter take no negative indices; they raise RuntimeError."""
    shape = shape_of(input)
    size = shape[axis] if shape else 1
    bad = positions.out_of_range(index, 0, size)
    if bad is not None:
        raise RuntimeError(f"index {bad} is out of bounds for dimension {axis} with size {size}")


def gather(input, dim, index, *, sparse_grad=False):
    """``out[i][j] = input[index[i][j]][j]`` (for dim 0): one index for each result element.

    >>> import facula as torch
    >>> torch.gather(torch.tensor([[1, 2], [3, 4]]), 1, torch.tensor([[0, 0], [1, 0]]))
    tensor([[1, 1],
            [4, 3]])
    """
    positions.index_dtype("gather", index)
    shape, wanted = shape_of(input), shape_of(index)
    axis = kit.axis_of(dim, len(shape))
    if 0 in wanted:  # whatever the other sizes are
        return _gather(input.reshape(-1)[:0].reshape(wanted), 0, index)
    if max(len(shape), 1) != max(len(wanted), 1):
        raise RuntimeError("Index tensor must have the same number of dimensions as input tensor")
    for d, (n, size) in enumerate(zip(wanted, shape, strict=False)):
        if d != axis and n > size:
            raise RuntimeError(
                f"Size does not match at dimension {d} expected index {list(wanted)} to be no "
                "larger "
                f"than self {list(shape)} apart from dimension {axis}"
            )
    check_gather_range(input, axis, index)
    return _gather(input, axis, index)


def take_along_dim(input, indices, dim=None):
    """``gather`` whose operands broadcast; without ``dim`` from the flattened input."""
    if indices._value.spec.dtype is not dtypes.int64:
        raise RuntimeError(
            "torch.take_along_dim(): dtype of indices should be Long but got "
            f"{indices._value.spec.dtype.legacy}"
        )
    if dim is None:
        return gather(reshape(input, (-1,)), 0, reshape(indices, (-1,)))
    shape, wanted = shape_of(input), shape_of(indices)
    if len(shape) != len(wanted):
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of "
            "dimensions, but "
            f"got {len(shape)} dimensions for input, and {len(wanted)} dimensions for indices"
        )
    axis = kit.axis_of(dim, len(shape))
    indices = _select(indices < 0, indices + shape[axis], indices)
    one = (1,)
    wide = positions.broadcast_shapes(
        "take_along_dim",
        shape[:axis] + one + shape[axis + 1 :],
        wanted[:axis] + one + wanted[axis + 1 :],
    )
    input_shape = wide[:axis] + shape[axis : axis + 1] + wide[axis + 1 :]
    index_shape = wide[:axis] + wanted[axis : axis + 1] + wide[axis + 1 :]
    if input_shape != shape:
        input = expand_copy(input, input_shape)
    if index_shape != wanted:
        indices = expand_copy(indices, index_shape)
    return gather(input, axis, indices)


# take -------------------------------------------------------------------------------------------


@operator(
    name="Take",
    derivative={"input": lambda g, call, index: _take_into(g, index, call.in_specs[0].shape)},
)
def _take(input, index):
    return positions.read_at(kit.reshape(input, (input._value.spec.numel,)), [index], (0,))


@operator(name="Put", derivative={"values": lambda g, index: _take(g, index)})
def _take_into(values, index, shape: tuple):
    zeros = kit.full((math.prod(shape),), 0, values._value.spec.dtype)
    return kit.reshape(positions.write_at(zeros, values, [index], (0,), "add"), shape)


def check_flat_index(name, input, index) -> None:
    """take and put address the flattened input; negative indices count from the end."""
    own = index._value.spec.dtype
    if own is not dtypes.int64:
        raise RuntimeError(f"{name}(): Expected a long tensor for index, but got {own.legacy}")
    n = input._value.spec.numel
    bad = positions.out_of_range(index, -n, n)
    if bad is not None:
        raise IndexError(f"out of range: tried to access index {bad} on a tensor of {n} elements.")


def take(input, index):
    """Elements of the flattened input.

    >>> import facula as torch
    >>> torch.take(torch.tensor([[4, 3], [5, 2]]), torch.tensor([0, 3]))
    tensor([4, 2])
    """
    check_flat_index("take", input, index)
    return _take(input, index)


# Masks and nonzero ------------------------------------------------------------------------------


def masked_select(input, mask):
    """The elements where a bool mask is true, as a vector.

    >>> import facula as torch
    >>> torch.masked_select(torch.arange(4), torch.tensor([True, False, False, True]))
    tensor([0, 3])
    """
    if mask._value.spec.dtype is not dtypes.bool_:
        raise RuntimeError("masked_select: expected BoolTensor for mask")
    shape = kit.broadcast_shapes(input, mask)
    array = np.broadcast_to(positions.array_of(mask), shape)
    if shape_of(input) != shape:
        input = expand_copy(input, shape)
    return _masked_select(input, computed(np.flatnonzero(array)))


@operator(
    name="MaskedSelect",
    derivative={"input": lambda g, call, places: _take_into(g, places, call.in_specs[0].shape)},
)
def _masked_select(input, places):
    flat = kit.reshape(input, (input._value.spec.numel,))
    return kit.bind(ix.index, flat, places)


def nonzero(input, *, as_tuple=False):
    """Indices of the nonzero elements: one row for each, or one vector for each dimension.

    >>> import facula as torch
    >>> torch.nonzero(torch.tensor([[0, 1], [2, 0]]))
    tensor([[0, 1],
            [1, 0]])
    """
    array = positions.array_of(input)
    if as_tuple:
        return tuple([computed(i) for i in np.nonzero(np.atleast_1d(array))])
    if array.ndim == 0:
        return computed(np.zeros((int(bool(array)), 0), np.int64))
    return computed(np.stack(np.nonzero(array), -1))


def argwhere(input):
    """Indices of the nonzero elements, one row for each."""
    return nonzero(input)


# where ------------------------------------------------------------------------------------------


def where(condition, input=None, other=None):
    """Elements of ``input`` where the condition is true, else of ``other``.

    With the condition alone: the indices of its nonzero elements, one tensor for each dimension.

    >>> import facula as torch
    >>> torch.where(torch.tensor([True, False]), 1.0, 0.0)
    tensor([1., 0.])
    """
    if input is None and other is None:
        return nonzero(condition, as_tuple=True)
    own = condition._value.spec.dtype
    if own not in positions.MASK_DTYPES:
        raise RuntimeError(
            "where expected condition to be a boolean tensor, but got a tensor with dtype "
            f"{own.legacy}"
        )
    if positions.is_tensor(input) or positions.is_tensor(other):
        return _select(condition, input, other)
    return _where_numbers(condition, input, other)


@operator(differentiable=False)
def _where_numbers(condition, input: Operand, other: Operand):
    """Two Python numbers chosen from: the result has the dtype a tensor of them would have."""
    to = kit.result_type(input, other)
    return _select(condition, kit.as_dtype(input, to), kit.as_dtype(other, to))


# Repeating and unravelling ----------------------------------------------------------------------


def repeat_interleave(input, repeats=None, dim=None, *, output_size=None):
    """Every element (or slice along ``dim``) repeated in place.

    >>> import facula as torch
    >>> torch.repeat_interleave(torch.tensor([1, 2]), 2)
    tensor([1, 1, 2, 2])
    """
    if repeats is None:
        return _counted(input, output_size)
    if dim is None:
        input, dim = flatten(input), 0
    shape = shape_of(input)
    axis = kit.axis_of(dim, len(shape))
    if not positions.is_tensor(repeats):
        return _repeat_evenly(input, int(repeats), axis)
    n = shape[axis] if shape else 1
    if repeats._value.spec.ndim == 0 or shape_of(repeats) == (1,):
        repeats = expand_copy(reshape(repeats, (1,)), (n,))
    elif shape_of(repeats) != (n,):
        raise RuntimeError(
            "repeats must have the same size as input along dim, but got repeats.size(0) = "
            f"{shape_of(repeats)[0]} and input.size({axis}) = {n}"
        )
    return _index_select(input, axis, _counted(repeats, output_size))


def _repeat_evenly(input, times: int, axis: int):
    if times < 0:
        raise RuntimeError("Repeats must be non-negative")
    shape = shape_of(input)
    if not shape:
        return expand_copy(reshape(input, (1,)), (times,))
    wide = (*shape[: axis + 1], times, *shape[axis + 1 :])
    repeated = expand_copy(unsqueeze(input, axis + 1), wide)
    return reshape(repeated, (*shape[:axis], shape[axis] * times, *shape[axis + 1 :]))


def _counted(repeats, output_size):
    """0, 1, ... each as often as ``repeats`` says."""
    own = repeats._value.spec
    if own.dtype not in positions.INDEX_DTYPES:
        raise NotImplementedError(
            f"\"repeat_interleave_cpu\" not implemented for '{own.dtype.legacy}'"
        )
    if own.ndim != 1:
        raise RuntimeError("repeat_interleave only accept 1D vector as repeat")
    counts = positions.array_of(repeats)
    if counts.size and counts.min() < 0:
        raise RuntimeError("repeats can not be negative")
    found = np.repeat(np.arange(counts.size), counts).astype(own.dtype.numpy)
    if output_size is not None and output_size != found.size:
        raise RuntimeError("allocated size does not match required size")
    return computed(found)


def unravel_index(indices, shape):
    """Positions in a flattened tensor as one index for each dimension of ``shape``.

    >>> import facula as torch
    >>> torch.unravel_index(torch.tensor([3, 5]), (2, 3))
    (tensor([1, 1]), tensor([0, 2]))
    """
    own = indices._value.spec.dtype
    if own.category != dtypes.INTEGER:
        raise ValueError(f"expected 'indices' to be integer dtype, but got torch.{own.name}")
    shape = (int(shape),) if isinstance(shape, int) else tuple([int(n) for n in shape])
    if any(n < 0 for n in shape):
        raise ValueError(f"'shape' cannot have negative values, but got {shape}")
    return tuple(_unravel(indices, shape))


@operator(differentiable=False)
def _unravel(indices, shape: tuple):
    indices = kit.as_dtype(indices, dtypes.int64)
    step, found = 1, []
    for n in reversed(shape):
        found.append((indices // step) % n)
        step *= n
    return found[::-1]


NAMESPACES = {
    "torch": [
        "argwhere", "gather", "index_select", "masked_select", "nonzero", "repeat_interleave",
        "take", "take_along_dim", "unravel_index", "where",
    ],
    "method": [
        "argwhere", "gather", "index_select", "masked_select", "nonzero", "repeat_interleave",
        "take", "take_along_dim",
    ],
}  # fmt: skip
