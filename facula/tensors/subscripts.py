"""What stands between the brackets of ``x[...]``, sorted into basic and advanced indexing."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from facula.autograd.handle import TensorBase
from facula.base import dtypes
from facula.operators.positions import NOT_AN_INDEX, computed
from facula.operators.window import new_place, sliced

_WHOLE = slice(None)
_ZERO_DIM = (
    "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in "
    "C++ to "
    "convert a 0-dim tensor to a number"
)


class Subscript:
    """An index, taken apart.

    ``start``, ``stop``, ``step`` per dimension of the tensor and ``places`` per dimension of the
    view are what the window operator takes; ``array`` indexes a NumPy array in the same way;
    ``kind`` names the last step ("Select", "Slice", "Unsqueeze" or "" for none);
    ``advanced`` holds an index tensor or None for the leading dimensions of the view.
    """

    __slots__ = ("advanced", "array", "kind", "places", "shape", "start", "step", "stop")

    def __init__(self, shape):
        self.shape = shape
        self.start = [0] * len(shape)
        self.stop = list(shape)
        self.step = [1] * len(shape)
        self.places: list[int] = []
        self.array: list[Any] = []
        self.kind = ""
        self.advanced: list[Any] = []

    def statics(self):
        """The arguments of the window operator after the tensor."""
        slices = sliced(self.shape, self.start, self.stop, self.step)
        return (*slices, tuple(self.places), self.kind or "Alias")

    def view_shape(self):
        """Shape after the basic part."""
        shape = []
        for p in self.places:
            if p < 0:
                shape.append(1)
            else:
                shape.append(max(0, -(-(self.stop[p] - self.start[p]) // self.step[p])))
        return tuple(shape)


_LIMIT = 1024  # indices remembered; a loop over all x[i, j] must not fill the memory
_known: dict[tuple, tuple] = {}


def basic(shape: tuple[int, ...], index: tuple):
    """(window arguments, NumPy index, view's shape) of ints, slices, None and Ellipsis, or None.

    Programs use few such indices again and again: they are remembered.
    """
    key: list[Any] = [shape]
    for item in index:
        cls = item.__class__
        if cls is slice:
            start, stop, step = item.start, item.stop, item.step
            for bound in (start, stop, step):
                if bound is not None and bound.__class__ is not int:
                    return None
            key.append((start, stop, step))
        elif cls is int or item is None or item is Ellipsis:
            key.append(item)
        else:
            return None
    found = _known.get(tuple(key))
    if found is None:
        parsed = parse(shape, index)
        found = parsed.statics(), tuple(parsed.array), parsed.view_shape()
        if len(_known) >= _LIMIT:
            _known.clear()
        _known[tuple(key)] = found
    return found


def parse(shape: tuple[int, ...], index) -> Subscript:
    """Take ``index`` apart for a tensor of this shape; IndexError as PyTorch raises it."""
    items = [_plain(item) for item in _as_tuple(index)]
    found = Subscript(shape)
    room = len(shape) - sum([_width(item) for item in items])
    if room < 0:
        if not shape and len(items) == 1 and isinstance(items[0], int):
            raise IndexError(_ZERO_DIM)
        if not shape and isinstance(items[0], slice):
            raise IndexError("slice() cannot be applied to a 0-dim tensor.")
        raise IndexError(f"too many indices for tensor of dimension {len(shape)}")
    if not shape and isinstance(index, int) and not isinstance(index, bool):
        raise IndexError(_ZERO_DIM)
    axis = 0
    for item in items:
        if item is Ellipsis:
            count, room = room, 0
            for _ in range(count):
                axis = _keep(found, axis)
            continue
        axis = _take(found, shape, axis, item)
    while axis < len(shape):
        axis = _keep(found, axis)
    return found


def _keep(found, axis):
    found.places.append(axis)
    found.array.append(_WHOLE)
    return axis + 1


def _take(found, shape, axis, item):
    """Enter one item; returns the next dimension of the tensor."""
    cls = item.__class__
    if cls is int:
        n = shape[axis]
        if not -n <= item < n:
            raise IndexError(f"index {item} is out of bounds for dimension {axis} with size {n}")
        item = item + n if item < 0 else item
        found.start[axis], found.stop[axis] = item, item + 1
        found.array.append(item)
        found.kind = "Select"
        return axis + 1
    if cls is slice:
        first, last, step = bounds(item, shape[axis])
        if (first, last, step) != (0, shape[axis], 1):
            found.kind = "Slice"
        found.start[axis], found.stop[axis], found.step[axis] = first, last, step
        found.places.append(axis)
        found.array.append(slice(first, last, step))
        return axis + 1
    if item is None:
        found.places.append(new_place(axis))
        found.array.append(None)
        found.kind = "Unsqueeze"
        return axis
    return _take_tensor(found, axis, item)


def _take_tensor(found, axis, item):
    own = item._value.spec
    mask = own.dtype.category == dtypes.BOOL or own.dtype is dtypes.uint8
    if mask and own.ndim == 0:
        item = computed(np.asarray(item._buffer()).reshape(1).astype(np.bool_))
        found.places.append(new_place(axis))
        found.array.append(None)
        found.kind = "Unsqueeze"
        width = 0
    else:
        width = own.ndim if mask else 1
        for i in range(width):
            found.places.append(axis + i)
            found.array.append(_WHOLE)
    if mask and own.dtype is dtypes.uint8:
        warnings.warn(
            "indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool "
            "instead.",
            stacklevel=6,
        )
    view_dim = len(found.places) - max(width, 1)
    taken = sum([_view_width(i) for i in found.advanced])
    found.advanced.extend([None] * (view_dim - taken))
    found.advanced.append(item)
    return axis + width


def _view_width(item):
    if item is None:
        return 1
    own = item._value.spec
    return own.ndim if own.dtype.category == dtypes.BOOL or own.dtype is dtypes.uint8 else 1


def bounds(item: slice, size: int) -> tuple[int, int, int]:
    """(first, last, step) of a slice of a dimension; steps must be positive."""
    if item.step is not None and item.step.__class__ is int and item.step < 0:
        raise ValueError("step must be greater than zero")
    first, last, step = item.indices(size)
    if step < 0:
        raise ValueError("step must be greater than zero")
    return first, max(first, last), step


def _width(item) -> int:
    """How many dimensions of the tensor an item takes."""
    if item is None or item is Ellipsis:
        return 0
    if isinstance(item, TensorBase):
        return _mask_width(item)
    return 1


def _mask_width(item):
    own = item._value.spec
    return own.ndim if own.dtype.category == dtypes.BOOL or own.dtype is dtypes.uint8 else 1


def _as_tuple(index) -> tuple:
    if index.__class__ is tuple:
        return index
    if isinstance(index, TensorBase) or not _is_sequence(index):
        return (index,)
    if isinstance(index, tuple):
        return tuple(index)
    if len(index) < 32 and any(_makes_tuple(item) for item in index):
        if not all(isinstance(item, TensorBase) for item in index):
            warnings.warn(
                "Using a non-tuple sequence for multidimensional indexing is deprecated; use "
                "x[tuple(seq)] instead of x[seq].",
                stacklevel=4,
            )
        return tuple(index)
    return (index,)


def _is_sequence(item) -> bool:
    return isinstance(item, (list, tuple, range))


def _makes_tuple(item) -> bool:
    return (
        item is None
        or item is Ellipsis
        or isinstance(item, (TensorBase, slice))
        or _is_sequence(item)
    )


def _plain(item):
    """One item as an int, a slice, None, Ellipsis or an index tensor."""
    cls = item.__class__
    if cls is int or cls is slice or item is None or item is Ellipsis:
        return item
    if isinstance(item, TensorBase):
        own = item._value.spec
        integer = own.dtype.category == dtypes.INTEGER
        if own.ndim == 0 and integer and own.dtype is not dtypes.uint8:
            return int(item._buffer())
        if own.dtype.category > dtypes.INTEGER or own.dtype in _NEVER:
            raise IndexError(NOT_AN_INDEX)
        return item
    if isinstance(item, (bool, np.bool_)):
        return computed(np.array(bool(item)))
    if _is_sequence(item):
        return _from_sequence(item)
    if isinstance(item, np.ndarray):
        if item.ndim == 0 and item.dtype.kind in "iu":
            return int(item)
        return _plain(computed(np.array(item)))
    if isinstance(item, str):
        raise TypeError("new(): invalid data type 'str'")
    if hasattr(item, "__index__"):
        return item.__index__()
    raise IndexError(
        "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid "
        f"indices (got {cls.__name__})"
    )


_NEVER = (dtypes.int8, dtypes.int16, dtypes.uint16, dtypes.uint32, dtypes.uint64)


def _from_sequence(items):
    nested = [_numbers(item) for item in items]
    array = np.array(nested) if nested else np.zeros(0, np.int64)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"an index sequence must hold numbers, got {items!r}")
    if array.size == 0 or array.dtype.kind != "b":
        array = array.astype(np.int64)
    return computed(array)


def _numbers(item):
    if isinstance(item, TensorBase):
        return np.asarray(item._buffer())
    if isinstance(item, str):
        raise TypeError("new(): invalid data type 'str'")
    return [_numbers(i) for i in item] if _is_sequence(item) else item
