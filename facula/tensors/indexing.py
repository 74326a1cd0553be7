"""``x[index]`` and ``x[index] = value``.

Basic indexing (integers, slices, None, Ellipsis) makes a view, advanced indexing (tensors, masks,
lists) a copy. Where the memory is computed already and no gradient is recorded, both read and
write it at once: nothing has to be recorded, and a program does not depend on which rows a loop
looks at.
"""

from __future__ import annotations

from sys import getrefcount

import numpy as np

from facula.autograd.handle import TensorBase, wrap
from facula.autograd.modes import modes
from facula.autograd.storage import Alias
from facula.autograd.storage import window as memory_window
from facula.base import dtypes
from facula.graph.spec import spec
from facula.operators import placement, positions, views
from facula.operators.basic import copy, filled, write_view
from facula.operators.indexing import _index
from facula.operators.inplace import OVERLAP, check_writable
from facula.operators.window import _window, select_arguments, slice_arguments
from facula.runtime.value import Value
from facula.tensors.subscripts import bounds, parse

_ndarray = np.ndarray


def getitem(self, index):
    """``self[index]``; called as ``Tensor.__getitem__``."""
    cls = index.__class__
    shape = self._value.spec.shape
    if cls is int and shape:
        n = shape[0]
        if not -n <= index < n:
            raise IndexError(f"index {index} is out of bounds for dimension 0 with size {n}")
        index = index + n if index < 0 else index
        return _leading(self, shape[1:], shape, index, index + 1, 1, index)
    if cls is slice and shape:
        first, last, step = bounds(index, shape[0])
        size = last - first if step == 1 else -(-(last - first) // step)
        return _leading(self, (size, *shape[1:]), shape, first, last, step, None)
    found = parse(shape, index)
    if not found.advanced:
        return _view(self, _window, found.statics(), tuple(found.array), found.view_shape())
    array = _readable(self)
    if array is not None:
        return _read(array, found, self._value.spec.dtype)
    if found.kind:
        self = _window(self, *found.statics())
    indices, dims = positions.resolve(self._value.spec.shape, found.advanced)
    return _index(self, indices, dims)


class _LeadingStep(views.Step):
    """Indexing of the first dimension as a step of a chain; its arguments are rarely looked at."""

    __slots__ = ("bounds", "shape")

    def __init__(self, shape, bounds):
        self.operator = _window
        self.index = None
        self.shape = shape
        self.bounds = bounds

    @property
    def arguments(self):
        return _leading_arguments(self.shape, *self.bounds)


def _leading_arguments(shape, first, last, step, index):
    """Arguments of the window operator for ``x[index]`` or ``x[first:last:step]``."""
    if index is not None:
        return select_arguments(shape, 0, index)
    rest = shape[1:]
    start, by = (first, *[0] * len(rest)), (step, *[1] * len(rest))
    return slice_arguments(shape, start, (last, *rest), by)


def _leading(self, out_shape, shape, first, last, step, index):
    """A view of computed memory along the first dimension, or the recorded operator."""
    alias = self._alias
    if modes.trace is not None or (self._node is not None and modes.grad):
        return _window(self, *_leading_arguments(shape, first, last, step, index))
    own = spec(out_shape, self._value.spec.dtype)
    shared = False
    if alias is None:
        alias = self._own_alias()
    elif alias.storage.array is not None:
        shared = True
    else:
        self._sync()
    buffer = self._value.buffer
    if shared:
        value = Value(own)  # read from the shared memory when it is needed
    elif buffer.__class__ is not _ndarray or (self._node is not None and modes.grad):
        return _window(self, *_leading_arguments(shape, first, last, step, index))
    else:
        where = index if index is not None else slice(first, last, step)
        value = Value(own, buffer[where].copy())
    out = wrap(value)
    storage, strides, chain = alias.storage, alias.strides, alias.chain
    base, depth = None, 0
    if modes.grad and not modes.inference:
        base, depth = alias.base, alias.depth
        if base is None:
            base, depth = self, len(chain)
    out._alias = Alias(
        storage,
        (*chain, _LeadingStep(shape, (first, last, step, index))),
        base,
        depth,
        strides[1:] if index is not None else (strides[0] * step, *strides[1:]),
        alias.offset if own.numel == 0 else alias.offset + first * strides[0],
        -1 if shared else storage.version,
    )
    return out


def _view(self, operator, statics, where, shape):
    """A view by ``operator``; ``where`` is the same as a NumPy index, ``shape`` its shape."""
    if modes.trace is not None or (self._node is not None and modes.grad):
        return operator(self, *statics)
    alias = self._alias
    own = spec(shape, self._value.spec.dtype)
    if alias is not None and alias.storage.array is not None:
        value = Value(own)  # read from the shared memory when it is needed
    else:
        if alias is not None:
            self._sync()
            if self._node is not None and modes.grad:
                return operator(self, *statics)
        buffer = self._value.buffer
        if buffer.__class__ is not _ndarray:
            return operator(self, *statics)
        value = Value(own, buffer[where].copy())
    return views.attach(wrap(value), self, operator, (self, *statics))


def _readable(self):
    """The elements as an array to read from at once, or None if reading has to be recorded."""
    if modes.trace is not None:
        return None
    alias = self._alias
    if alias is not None and alias.storage.array is not None:
        if self._node is not None and modes.grad:
            return None
        return alias.storage.window(self._value.spec, alias.strides, alias.offset)
    self._sync()
    if self._node is not None and modes.grad:
        return None
    buffer = self._value.buffer
    return buffer if buffer.__class__ is _ndarray else None


def _read(array, found, own):
    """Advanced indexing of computed memory."""
    if found.kind:
        array = array[tuple(found.array)]
    indices, dims = positions.resolve(array.shape, found.advanced)
    places = [i._buffer() for i in indices]
    if len(places) == 1:
        out = np.take(array, places[0], axis=dims[0])
    else:
        out = array[_numpy_index(places, dims)]
    return wrap(Value(spec(out.shape, own), np.asarray(out)))


def _numpy_index(places, dims):
    where = [slice(None)] * (dims[-1] + 1)
    for i, d in zip(places, dims, strict=True):
        where[d] = i
    return tuple(where)


# Writing ----------------------------------------------------------------------------------------


def setitem(self, index, value):
    """``self[index] = value``; called as ``Tensor.__setitem__``."""
    own = self._value.spec
    if value.__class__ in _QUICK and _write_number(self, index, value):
        return
    tensor = isinstance(value, TensorBase)
    if not tensor:
        value = _number(value, own.dtype)
    found = parse(own.shape, index)
    if found.advanced and tensor and value._value.spec.dtype is not own.dtype:
        _check_dtype(found, own, value)
    if _write_at_once(self, found, value):
        return
    if found.kind:
        target = _window(self, *found.statics())
    elif found.advanced:
        target = self
    else:
        target = _window(self, *found.statics()) if _needs_view(self, value) else self
    check_writable(target)
    if found.advanced:
        if target._alias is not None:
            target._sync()
        value = placement.put_at(target, found.advanced, _cast(value, own.dtype))
    elif tensor:
        value = copy(target, _broadcast(value, target._value.spec.shape))
    else:
        value = filled(target, value)
    views.assign(target, value, write_view)


_QUICK = (float, int)


def _write_number(self, index, value) -> bool:
    """``x[i] = number`` and the like on memory that is computed; False where more has to be done."""
    if not (index.__class__ is int or _all_ints(index)) or modes.trace is not None:
        return False
    own = self._value.spec
    if own.dtype is dtypes.bfloat16 or not -60000 < value < 60000 or _has_history(self):
        return False
    alias = self._own_alias()
    storage = alias.storage
    if alias.chain or storage.array is not None or storage.value.buffer.__class__ is not _ndarray:
        return False
    memory = _own_memory(self, alias, storage)
    try:
        memory[index] = value
    except (IndexError, OverflowError):
        return False  # the long way raises PyTorch's error, or wraps around
    storage.version += 1
    alias.seen = storage.version
    self._value = storage.value
    return True


def _all_ints(index) -> bool:
    return index.__class__ is tuple and all([i.__class__ is int for i in index])


def _needs_view(self, value):
    """Writing a whole tensor that has a gradient history keeps that history as CopySlices."""
    return modes.grad and self._node is not None


def _number(value, own):
    """The value to be written, as a Python number that fits the dtype."""
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, (bool, int, float, complex)):
        raise TypeError(f"can't assign a {type(value).__name__} to a torch.{own.legacy}Tensor")
    placement.check_number(value, own)
    return value


def _check_dtype(found, own, value):
    """Indexed writes want the tensor's dtype; only one value for a mask may have another."""
    given = [i for i in found.advanced if i is not None]
    lone_mask = len(given) == 1 and given[0]._value.spec.dtype in positions.MASK_DTYPES
    if not (lone_mask and value._value.spec.numel == 1):
        raise RuntimeError(
            "Index put requires the source and destination dtypes match, got "
            f"{own.dtype.legacy} for the destination and {value._value.spec.dtype.legacy} for "
            "the source."
        )


def _cast(value, own):
    if isinstance(value, TensorBase) and value._value.spec.dtype is not own:
        return copy(wrap(Value(spec(value._value.spec.shape, own))), value)
    return value


def _broadcast(value, shape):
    """``value`` without superfluous leading dimensions of size 1, if it fits into ``shape``."""
    given = value._value.spec.shape
    extra = len(given) - len(shape)
    if extra > 0 and all(n == 1 for n in given[:extra]):
        value = value.reshape(given[extra:])
        given = given[extra:]
    lead = len(shape) - len(given)
    if lead < 0:
        raise RuntimeError(
            f"expand(torch.{value._value.spec.dtype.legacy}Tensor{{{list(given)}}}, "
            f"size={list(shape)}): the number of sizes provided ({len(shape)}) must be greater or "
            f"equal to the number of dimensions in the tensor ({len(given)})"
        )
    for d in range(len(given) - 1, -1, -1):
        if given[d] not in (1, shape[d + lead]):
            raise RuntimeError(
                f"The expanded size of the tensor ({shape[d + lead]}) must match the existing size "
                f"({given[d]}) at non-singleton dimension {d + lead}.  Target sizes: "
                f"{list(shape)}.  Tensor sizes: {list(given)}"
            )
    return value


def _write_at_once(self, found, value) -> bool:
    """Write into computed memory if that needs no recording; False if it has to be recorded."""
    if modes.trace is not None or self._value.spec.dtype is dtypes.bfloat16:
        return False
    array = _plain_value(value)
    if array is None or _has_history(self):
        return False
    alias = self._own_alias()
    storage = alias.storage
    if storage.spec.dtype is not self._value.spec.dtype:
        return False
    if storage.array is None:
        if storage.value.buffer.__class__ is not _ndarray:
            return False
        memory = None
    else:
        memory = storage.array
    own = self._value.spec
    for size, stride in zip(own.shape, alias.strides, strict=True):
        if stride == 0 and size > 1:
            if found.kind:
                return False
            raise RuntimeError(OVERLAP)
    shape = found.view_shape()
    indices, dims = None, ()
    if found.advanced:
        indices, dims = _places(found, shape)
        if indices is None:
            return False
        _check_put(array, shape, indices, dims)
    elif array.ndim:
        array = _fit(value, array, shape)
    if memory is None:
        memory = _own_memory(self, alias, storage)
    window = memory_window(memory, own, alias.strides, alias.offset)[(*found.array, ...)]
    _store(window, array, indices, dims)
    storage.version += 1
    if storage.array is None and not alias.chain:
        self._value = storage.value
        alias.seen = storage.version
    return True


def _plain_value(value):
    """The values to write as an array, if they are known and carry no gradient; else None."""
    if not isinstance(value, TensorBase):
        return np.asarray(value)
    value._sync()
    if value._node is not None and modes.grad:
        return None
    buffer = value._value.buffer
    return None if buffer is None else np.asarray(buffer)


def _has_history(self) -> bool:
    """Whether writing to ``self`` concerns the gradient graph."""
    if not modes.grad:
        return False
    if self._alias is not None:
        self._sync()
        base = self._alias.base
        if base is not None and base._node is not None:
            return True
    return self._node is not None


def _places(found, shape):
    """Positions of advanced indices as arrays; (None, ()) if a mask is not computed yet."""
    for item in found.advanced:
        if item is not None and item._value.spec.dtype in positions.MASK_DTYPES:
            item._sync()
            if item._value.buffer is None:
                return None, ()
    return positions.resolve(shape, found.advanced)


def _check_put(array, shape, indices, dims):
    if array.ndim:
        placement.check_put_shape(array.shape, positions.result_shape(shape, indices, dims))


def _fit(value, array, shape):
    fitted = _broadcast(value, shape)
    return array.reshape(fitted._value.spec.shape)


def _own_memory(self, alias, storage):
    """The storage's memory, writable: the very buffer if nobody else can see it, else a copy."""
    value = storage.value
    known = 3 + (self._value is value)
    base = alias.base
    if base is not None and base is not self and base._value is value:
        known += 1
    buffer = value.buffer
    base = None
    alone = getrefcount(value) <= known and getrefcount(buffer) <= 3
    if alone and buffer.flags.owndata and buffer.flags.c_contiguous and buffer.flags.writeable:
        return buffer
    own = storage.spec
    fresh = np.array(buffer, own.dtype.numpy, order="C")
    storage.value = Value(own, fresh)
    return fresh


def _store(window, array, indices, dims):
    """``window[indices] = array`` with C's conversion of numbers."""
    with np.errstate(all="ignore"):
        if array.dtype != window.dtype:
            if array.dtype.kind == "c" and window.dtype.kind not in "cb":
                array = array.real
            array = array.astype(window.dtype)
    if indices is None:
        window[...] = array
        return
    where = _numpy_index([i._buffer() for i in indices], dims)
    if array.ndim:
        extra = array.ndim - len(positions.result_shape(window.shape, indices, dims))
        array = array.reshape(array.shape[extra:]) if extra > 0 else array
    window[where] = array
