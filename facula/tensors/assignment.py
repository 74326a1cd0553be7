"""``x[index] = value``: written at once where that needs no recording, else as an in-place write.

Computed memory that no other value shares is changed where it is; otherwise it is copied first,
because everything recorded earlier must keep the values it has seen.
"""

from __future__ import annotations

from sys import getrefcount

import numpy as np

from facula.autograd.handle import TensorBase
from facula.autograd.modes import modes
from facula.autograd.storage import window as memory_window
from facula.base import dtypes
from facula.operators import placement, positions, views
from facula.operators.basic import cast, copy, filled, write_view
from facula.operators.inplace import OVERLAP, check_writable
from facula.operators.window import _window
from facula.runtime.recorder import host
from facula.runtime.value import Value
from facula.tensors.indexing import numpy_index
from facula.tensors.subscripts import parse

_ndarray = np.ndarray


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
    if not _fills_mask(self, found, value) and _write_at_once(self, found, value):
        return
    if found.kind:
        target = _window(self, *found.statics())
    elif found.advanced:
        target = self
    else:
        target = _window(self, *found.statics()) if _needs_view(self, value) else self
    check_writable(target, value)
    if found.advanced:
        if target._alias is not None:
            target._sync()
        if tensor and value._value.spec.dtype is not own.dtype:
            value = cast(value, own.dtype)
        value = placement.put_at(target, found.advanced, value)
    elif tensor:
        value = copy(target, _broadcast(value, target._value.spec.shape))
    else:
        value = filled(target, value)
    views.assign(target, value, write_view)


def _fills_mask(self, found, value) -> bool:
    """Whether one number goes where a mask says, and choosing elements beats looking for them."""
    if len(found.advanced) != 1 or isinstance(value, TensorBase):
        return False
    (mask,) = found.advanced
    if mask is None or mask._value.spec.dtype is not dtypes.bool_ or modes.trace is not None:
        return False
    alias = self._alias
    if alias is not None and alias.storage.array is not None:
        return False
    count = self._value.spec.numel
    return count > _MANY and mask._value.spec.numel * _SHARE >= count


_MANY = 4096  # elements; of fewer those that a mask marks are soon found
_SHARE = 8  # elements to one of the mask; more are not copied for a mask of rows
_QUICK = (float, int)


def _write_number(self, index, value) -> bool:
    """``x[i] = number`` on computed memory; False where more has to be done."""
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
    return index.__class__ is tuple and all(i.__class__ is int for i in index)


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


_SMALL = 65536  # bytes; larger memory is written at once, for a recorded write copies all of it


def _write_at_once(self, found, value) -> bool:
    """Write into computed memory if that needs no recording; False if it has to be recorded."""
    if modes.trace is not None or self._value.spec.dtype is dtypes.bfloat16:
        return False
    if _has_history(self):
        return False
    alias = self._own_alias()
    storage = alias.storage
    if storage.spec.dtype is not self._value.spec.dtype:
        return False
    large = storage.spec.nbytes > _SMALL
    array = _plain_value(value, large)
    if array is None:
        return False
    memory = storage.array
    if memory is None:
        if large:
            host(storage.value)
        if storage.value.buffer.__class__ is not _ndarray:
            return False
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
    where = (*found.array, ...)
    window = memory_window(memory, own, alias.strides, alias.offset)[where]
    _store(window, array, indices, dims)
    storage.version += 1
    if storage.array is None and not alias.chain:
        self._value = storage.value
        alias.seen = storage.version
    return True


def _plain_value(value, large):
    """The values to write as an array, if they are known and carry no gradient; else None."""
    if not isinstance(value, TensorBase):
        return np.asarray(value)
    value._sync()
    if value._node is not None and modes.grad:
        return None
    buffer = value._buffer() if large else value._value.buffer
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
    if array.dtype != window.dtype:
        if array.dtype.kind == "c" and window.dtype.kind not in "cb":
            array = array.real
        with np.errstate(all="ignore"):
            array = array.astype(window.dtype)
    if indices is None:
        window[...] = array
        return
    where = numpy_index([i._buffer() for i in indices], dims)
    if array.ndim:
        extra = array.ndim - len(positions.result_shape(window.shape, indices, dims))
        array = array.reshape(array.shape[extra:]) if extra > 0 else array
    window[where] = array
