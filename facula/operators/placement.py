"""Writing elements selected by indices, masks or views: index_put, masked_fill, put, ..."""

from __future__ import annotations

import math

import numpy as np

from facula.base import dtypes
from facula.graph.primitives import elementwise as e
from facula.operators import kit, movement, positions
from facula.operators.arithmetic import _select
from facula.operators.basic import cast, expand_copy, write_view, zero_like
from facula.operators.indexing import _index, _masked_select, _take, check_flat_index
from facula.operators.operator import Operand, operator
from facula.operators.positions import computed, shape_of
from facula.operators.reduction import sum as sum_
from facula.operators.slicing import slice_axis
from facula.operators.strided import _diagonal, _diagonal_size
from facula.operators.views import Step
from facula.operators.window import _window, select_arguments, slice_arguments

# index_put --------------------------------------------------------------------------------------


@operator(
    name="IndexPut",
    derivative={
        "input": lambda g, indices, dims, accumulate: _put_input_grad(g, indices, dims, accumulate),
        "values": lambda g, indices, dims: _index(g, indices, dims),
    },
)
def _index_put(input, values: Operand, indices, dims: tuple, accumulate: bool):
    values = kit.as_dtype(values, input._value.spec.dtype)
    return positions.write_at(input, values, indices, dims, "add" if accumulate else "set")


def _put_input_grad(g, indices, dims, accumulate):
    return g if accumulate else _index_put(g, 0, indices, dims, False)


def check_put_shape(shape, wanted) -> None:
    """Values written at indices must broadcast to the shape of what is indexed."""
    lead = len(wanted) - len(shape)
    while lead < 0 and shape[0] == 1:
        shape, lead = shape[1:], lead + 1
    if lead < 0 or any(n not in (1, w) for n, w in zip(shape, wanted[lead:], strict=True)):
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {list(shape)} cannot be broadcast to indexing "
            f"result of shape {list(wanted)}"
        )


def put_at(input, indices, values, accumulate=False):
    """``index_put`` for values that are a number or a tensor of the right dtype.

    ``indices`` has an index tensor, a mask or None for each dimension.
    """
    given = [i for i in indices if i is not None]
    one = not positions.is_tensor(values) or values._value.spec.numel == 1
    if (
        len(given) == 1
        and one
        and given[0]._value.spec.dtype is dtypes.bool_
        and indices[0] is not None
    ):
        return _fill_mask(input, given[0], values, accumulate)
    found, dims = positions.resolve(shape_of(input), indices)
    if not found:
        return input
    if positions.is_tensor(values):
        wanted = positions.result_shape(shape_of(input), found, dims)
        check_put_shape(shape_of(values), wanted)
        extra = values._value.spec.ndim - len(wanted)
        if extra > 0:
            values = movement.reshape(values, shape_of(values)[extra:])
    return _index_put(input, values, found, dims, bool(accumulate))


def _fill_mask(input, mask, value, accumulate):
    """One value written at a mask over the leading dimensions: no positions are needed."""
    shape, own = shape_of(input), shape_of(mask)
    positions._check_mask(own, shape, 0)
    mask = (
        movement.reshape(mask, own + (1,) * (len(shape) - len(own)))
        if len(own) < len(shape)
        else mask
    )
    if positions.is_tensor(value) and value._value.spec.ndim:
        value = movement.reshape(value, ())
    return _put_mask(input, mask, value, bool(accumulate))


@operator(
    name="IndexPut",
    derivative={
        "input": lambda g, mask, accumulate: g if accumulate else _put_mask(g, mask, 0, False),
        "value": lambda g, mask: sum_(_select(mask, g, zero_like(g))),
    },
)
def _put_mask(input, mask, value: Operand, accumulate: bool):
    shape, to = shape_of(input), input._value.spec.dtype
    value = kit.as_dtype(value, to)
    if accumulate:
        value = kit.bind(e.add, input, kit.broadcast_to(value, shape))
    return kit.bind(e.select, mask, kit.broadcast_to(value, shape), input)


def index_put(input, indices, values, accumulate=False):
    """``input`` with ``values`` written (or added, with ``accumulate``) at a tuple of indices.

    >>> import facula as torch
    >>> torch.zeros(3).index_put((torch.tensor([2, 0]),), torch.tensor([5.0, 6.0]))
    tensor([6., 0., 5.])
    """
    a, b = input._value.spec.dtype, values._value.spec.dtype
    if a is not b:
        raise RuntimeError(
            "Index put requires the source and destination dtypes match, got "
            f"{a.legacy} for the destination and {b.legacy} for the source."
        )
    return put_at(input, tuple(indices), values, accumulate)


# Masks ------------------------------------------------------------------------------------------

_SPOKEN = {
    "int64": "long int", "int32": "int", "uint8": "unsigned char", "int8": "signed char",
    "int16": "short", "float64": "double", "float32": "float",
}  # fmt: skip


@operator(
    name=lambda specs, template: f"MaskedFillBackward{int(not specs[-1].weak)}",
    derivative={
        "input": lambda g, mask: _masked_fill(g, mask, 0),
        "value": lambda g, mask: sum_(_select(mask, g, zero_like(g))),
    },
)
def _masked_fill(input, mask, value: Operand):
    shape = kit.broadcast_shapes(mask, input)
    value = kit.full(shape, value, input._value.spec.dtype)
    return kit.bind(e.select, kit.broadcast_to(mask, shape), value, kit.broadcast_to(input, shape))


def _check_mask_dtype(name, mask) -> None:
    own = mask._value.spec.dtype
    if own is not dtypes.bool_:
        raise RuntimeError(
            f"{name} only supports boolean masks, but got mask with dtype "
            f"{_SPOKEN.get(own.name, own.name)}"
        )


def check_number(value, to) -> None:
    """Refuse a number that the dtype cannot hold: complex for real, or too large an integer."""
    if isinstance(value, complex):
        bad = to.category < dtypes.COMPLEX
    elif isinstance(value, (int, float)) and to.category == dtypes.INTEGER:
        limits = np.iinfo(to.numpy)
        bad = not (limits.min if limits.min else -limits.max) <= value <= limits.max
    else:
        return
    if bad:
        name = {"float32": "float", "float64": "double"}.get(to.name, to.name + "_t")
        raise RuntimeError(f"value cannot be converted to type {name} without overflow")


def masked_fill(input, mask, value):
    """``value`` where the mask is true, else ``input``; the dtype stays the input's.

    >>> import facula as torch
    >>> torch.zeros(3).masked_fill(torch.tensor([True, False, True]), 7)
    tensor([7., 0., 7.])
    """
    _check_mask_dtype("masked_fill_", mask)
    if positions.is_tensor(value):
        if value._value.spec.ndim:
            raise RuntimeError(
                "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
                f"{value._value.spec.ndim} dimension(s)."
            )
    else:
        check_number(value, input._value.spec.dtype)
    return _masked_fill(input, mask, value)


@operator(
    name="MaskedScatter",
    derivative={
        "input": lambda g, places: _fill_flat(g, places),
        "source": lambda g, call, places: _spread_front(
            _masked_select(g, places), call.in_specs[2].shape
        ),
    },
)
def _masked_scatter(input, places, source):
    count = places._value.spec.numel
    flat = kit.reshape(source, (source._value.spec.numel,))
    return _write_flat(input, places, _first(flat, count))


def _first(flat, count):
    return slice_axis(flat, 0, 0, count)


def _write_flat(input, places, values, mode="set"):
    flat = kit.reshape(input, (input._value.spec.numel,))
    return kit.reshape(positions.write_at(flat, values, [places], (0,), mode), shape_of(input))


@operator(name="MaskedFill", derivative={"input": lambda g, places: _fill_flat(g, places)})
def _fill_flat(input, places):
    return _write_flat(input, places, kit.number(0, input._value.spec.dtype))


@operator(name="Pad", derivative={"values": lambda g, call: _front_of(g, call.in_specs[0].numel)})
def _spread_front(values, shape: tuple):
    """A vector as the first elements of zeros of a shape."""
    zeros = kit.full((math.prod(shape),), 0, values._value.spec.dtype)
    steps = kit.table(np.arange(values._value.spec.numel), dtypes.int64)
    return kit.reshape(positions.write_at(zeros, values, [steps], (0,), "set"), shape)


def _front_of(g, count):
    return _first(movement.reshape(g, (-1,)), count)


def masked_scatter(input, mask, source):
    """Elements of ``source``, in order, where the mask is true."""
    _check_mask_dtype("masked_scatter_", mask)
    a, b = input._value.spec.dtype, source._value.spec.dtype
    if a is not b:
        raise RuntimeError(
            "masked_scatter: expected self and source to have same dtypes but got"
            f"{a.legacy} and {b.legacy}"
        )
    shape = kit.broadcast_shapes(input, mask)
    places = np.flatnonzero(np.broadcast_to(positions.array_of(mask), shape))
    if places.size > source._value.spec.numel:
        raise RuntimeError("Number of elements of source < number of ones in mask")
    if shape_of(input) != shape:
        input = expand_copy(input, shape)
    return _masked_scatter(input, computed(places), source)


# put --------------------------------------------------------------------------------------------


@operator(
    name="Put",
    derivative={
        "input": lambda g, index, accumulate: g if accumulate else _fill_wrapped(g, index),
        "source": lambda g, call, index: movement.reshape(_take(g, index), call.in_specs[2].shape),
    },
)
def _put(input, index, source, accumulate: bool):
    values = kit.reshape(source, shape_of(index))
    return _write_flat(input, index, values, "add" if accumulate else "set")


@operator(name="Put", derivative={"input": lambda g, index: _fill_wrapped(g, index)})
def _fill_wrapped(input, index):
    return _write_flat(input, index, kit.number(0, input._value.spec.dtype))


def put(input, index, source, accumulate=False):
    """Elements of the flattened input replaced by (or increased by) those of ``source``."""
    if index._value.spec.numel != source._value.spec.numel:
        raise IndexError(
            "put_(): Expected source and index to have the same number of elements, but got "
            f"source.numel() = {source._value.spec.numel}, "
            f"index.numel() = {index._value.spec.numel}"
        )
    a, b = input._value.spec.dtype, source._value.spec.dtype
    if a is not b:
        raise RuntimeError(
            "put_(): self and source expected to have the same dtype, but got self.dtype = "
            f"{a.legacy} and source.dtype = {b.legacy}"
        )
    check_flat_index("put", input, index)
    return _put(input, index, source, bool(accumulate))


# Views replaced ---------------------------------------------------------------------------------


def _replaced(input, src, view, arguments):
    """``input`` with what a view operator selects replaced by ``src``."""
    if src._value.spec.dtype is not input._value.spec.dtype:
        src = cast(src, input._value.spec.dtype)
    return write_view(input, src, (Step(view, arguments, None),))


def _check_view_source(src, wanted) -> None:
    if shape_of(src) != wanted:
        raise RuntimeError(
            "expected src to have a size equal to the slice of self. src size = "
            f"{list(shape_of(src))}, slice size = {list(wanted)}"
        )


def select_scatter(input, src, dim, index):
    """``input`` with ``src`` at one index of a dimension."""
    shape = shape_of(input)
    axis = kit.axis_of(dim, len(shape))
    n = shape[axis]
    if not -n <= index < n:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(shape)} at "
            f"dimension {axis}"
        )
    _check_view_source(src, shape[:axis] + shape[axis + 1 :])
    return _replaced(input, src, _window, select_arguments(shape, axis, int(index) % n))


def slice_scatter(input, src, dim=0, start=None, end=None, step=1):
    """``input`` with ``src`` at ``start:end:step`` of a dimension."""
    shape = shape_of(input)
    axis = kit.axis_of(dim, len(shape))
    if step <= 0:
        raise RuntimeError("slice step must be positive")
    first, last, step = slice(start, end, step).indices(shape[axis])
    last = max(first, last)
    begin, stop, by = [0] * len(shape), list(shape), [1] * len(shape)
    begin[axis], stop[axis], by[axis] = first, last, step
    size = -(-(last - first) // step)
    _check_view_source(src, (*shape[:axis], size, *shape[axis + 1 :]))
    return _replaced(input, src, _window, slice_arguments(shape, begin, stop, by))


def diagonal_scatter(input, src, offset=0, dim1=0, dim2=1):
    """``input`` with ``src`` on a diagonal."""
    ndim = len(shape_of(input))
    a, b = kit.axis_of(dim1, ndim), kit.axis_of(dim2, ndim)
    if a == b:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    rest = [n for i, n in enumerate(shape_of(input)) if i not in (a, b)]
    size = _diagonal_size(shape_of(input), offset, a, b)
    _check_view_source(src, (*rest, size))
    return _replaced(input, src, _diagonal, (offset, a, b))


NAMESPACES = {
    "torch": [
        "diagonal_scatter", "index_put", "masked_fill", "masked_scatter", "put", "select_scatter",
        "slice_scatter",
    ],
    "method": [
        "diagonal_scatter", "index_put", "masked_fill", "masked_scatter", "put", "select_scatter",
        "slice_scatter",
    ],
    "inplace": ["index_put", "masked_fill", "masked_scatter", "put"],
}  # fmt: skip
