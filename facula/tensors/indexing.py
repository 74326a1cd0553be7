"""``x[index]``: basic indexing gives views, advanced indexing copies.

Where the memory is computed already and no gradient is recorded, it is read at once: that is
cheaper than recording, and a program does not depend on which rows a loop looks at.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from facula.autograd.handle import TensorBase, wrap
from facula.autograd.modes import modes
from facula.autograd.storage import Alias
from facula.base import dtypes
from facula.graph.spec import spec
from facula.operators import positions, views
from facula.operators.indexing import _index
from facula.operators.window import _window, select_arguments, slice_arguments
from facula.runtime.value import Value
from facula.tensors.subscripts import basic, bounds, parse

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
    if cls is tuple:
        known = basic(shape, index)
        if known is not None:
            return _view(self, _window, *known)
    elif isinstance(index, TensorBase) and index._value.spec.dtype is dtypes.int64:
        rows = _rows(self, index)
        if rows is not None:
            return rows
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


@lru_cache(4096)
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
    if modes.trace is not None or self._node is not None:
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
    elif buffer.__class__ is not _ndarray or self._node is not None:
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
        alias.offset + first * strides[0],
        -1 if shared else storage.version,
        alias.made if modes.grad else alias.made or "no_grad",
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


def _rows(self, index):
    """``self[index]`` for one tensor of integers and computed memory, or None."""
    own = self._value.spec
    if not index._value.spec.ndim or not own.ndim:
        return None
    array = _readable(self)
    if array is None:
        return None
    try:
        out = np.take(array, index._buffer(), axis=0)
    except IndexError:
        return None  # the long way raises PyTorch's error
    return wrap(Value(spec(out.shape, own.dtype), out))


def _read(array, found, own):
    """Advanced indexing of computed memory."""
    if found.kind:
        array = array[tuple(found.array)]
    indices, dims = positions.resolve(array.shape, found.advanced)
    places = [i._buffer() for i in indices]
    if len(places) == 1:
        out = np.take(array, places[0], axis=dims[0])
    else:
        out = array[numpy_index(places, dims)]
    return wrap(Value(spec(out.shape, own), np.asarray(out)))


def numpy_index(places, dims):
    """Index arrays for some dimensions as what NumPy takes."""
    where = [slice(None)] * (dims[-1] + 1)
    for i, d in zip(places, dims, strict=True):
        where[d] = i
    return tuple(where)
