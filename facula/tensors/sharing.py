"""Memory shared with NumPy: both sides see what the other writes."""

from __future__ import annotations

from sys import getrefcount

import numpy as np

from facula.autograd.handle import wrap
from facula.autograd.storage import Alias, Storage, contiguous_strides
from facula.base import dtypes
from facula.engines.registry import lets_go
from facula.graph.spec import spec
from facula.operators.strided import _as_strided
from facula.operators.views import Step
from facula.runtime.recorder import host
from facula.runtime.value import Value


def from_numpy(array: np.ndarray):
    """A tensor over the array's own memory.

    >>> import numpy as np, facula as torch
    >>> a = np.zeros(2, dtype=np.float32)
    >>> t = torch.from_numpy(a)
    >>> t[0] = 5
    >>> a
    array([5., 0.], dtype=float32)
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(array).__name__})")
    own = dtypes.from_numpy(array.dtype)
    if any(s < 0 for s in array.strides):
        raise ValueError(
            "At least one stride in the given numpy array is negative, and tensors with negative "
            "strides are not currently supported. (You can probably work around this by making a "
            "copy of your array  with array.copy().) "
        )
    if not array.flags.writeable or not array.dtype.isnative:
        array = np.array(array, own.numpy)
    item = array.dtype.itemsize
    strides = tuple([s // item for s in array.strides])
    contiguous = array.flags.c_contiguous
    length = array.size
    if not contiguous and array.size:
        length = 1 + sum([(n - 1) * s for n, s in zip(array.shape, strides, strict=True)])
    if contiguous:
        flat = np.ndarray((length,), array.dtype, array) if array.size else np.empty(0, array.dtype)
    else:
        flat = np.lib.stride_tricks.as_strided(array, (length,), (item,))
    tensor = wrap(Value(spec(array.shape, own)))
    if contiguous:
        storage = Storage(tensor._value.spec, None)
        tensor._alias = Alias(storage, (), None, 0, contiguous_strides(array.shape), 0, -1)
    else:
        storage = Storage(spec((length,), own), None)
        step = Step(_as_strided, (array.shape, strides, 0), None)
        tensor._alias = Alias(storage, (step,), None, 0, strides, 0, -1)
    storage.share(flat, source=array)
    return tensor


def to_numpy(tensor) -> np.ndarray:
    """An array over the tensor's memory: shared from now on, both ways."""
    own = tensor._value.spec
    if own.dtype is dtypes.bfloat16:
        raise TypeError("Got unsupported ScalarType BFloat16")
    alias = tensor._own_alias()
    storage = alias.storage
    if storage.array is None:
        buffer = host(storage.value)
        if _only_ours(storage, buffer):
            storage.value.buffer = None  # only then can be seen when nobody shares it any more
        else:
            buffer = np.array(buffer, storage.spec.dtype.numpy)
        storage.share(buffer.reshape(-1))
    return storage.window(own, alias.strides, alias.offset)


def peek(tensor) -> np.ndarray:
    """The numbers of a tensor as they are now, without copying memory that NumPy shares.

    For who reads them at once: they must not be written, and may change after the next operation.
    """
    alias = tensor._alias
    if alias is not None:
        storage = alias.storage
        if storage.array is not None and storage.still_shared():
            return storage.window(tensor._value.spec, alias.strides, alias.offset)
    return tensor._buffer()


def _only_ours(storage, buffer) -> bool:
    """Whether nothing but this storage (and one handle on all of it) can see the computed memory.

    Then it can be shown to NumPy as it is. Otherwise NumPy gets a copy: somebody (a saved value, a
    pending program, another value over the same array) relies on the numbers staying as they are.
    """
    if not isinstance(buffer, np.ndarray) or not buffer.flags.writeable:
        return False
    if not buffer.flags.c_contiguous:
        return False
    owner = buffer.base
    if owner is not None:
        # Memory that NumPy saw before comes back as a view of the array that owns it.
        if type(owner) is not np.ndarray or owner.base is not None or not owner.flags.writeable:
            return False
        if getrefcount(owner) > 3:  # the buffer's slot, the name, the argument
            return False
    # the storage's slot, a handle's slot, the argument; the value's slot, two names, the argument
    held = getrefcount(buffer)
    return getrefcount(storage.value) <= 3 and (held <= 4 or (held == 5 and lets_go(buffer)))
