"""Index tensors: range checks, masks as positions, and reading and writing at positions."""

from __future__ import annotations

import numpy as np

from facula.autograd.handle import TensorBase, wrap
from facula.autograd.modes import modes
from facula.base import dtypes
from facula.graph.primitives import elementwise as e
from facula.graph.primitives import indexing as ix
from facula.graph.primitives.kinds import broadcast_shapes
from facula.graph.spec import spec
from facula.operators import kit
from facula.runtime.recorder import recorder
from facula.runtime.value import Value

INDEX_DTYPES = (dtypes.int64, dtypes.int32)
MASK_DTYPES = (dtypes.bool_, dtypes.uint8)
NOT_AN_INDEX = "tensors used as indices must be long, int, byte or bool tensors"


def shape_of(x) -> tuple[int, ...]:
    return x._value.spec.shape


def computed(array: np.ndarray, to=None):
    """A tensor over an array that nobody else will write to."""
    to = to or dtypes.from_numpy(array.dtype)
    return wrap(Value(spec(array.shape, to), array))


def random_tensor(draw, to=None):
    """A tensor over the array that ``draw()`` takes from a stream; replays draw anew."""
    made = computed(draw(), to)
    if recorder.capture is not None:
        recorder.capture.note_draw(made._value, draw)
    return made


def array_of(x) -> np.ndarray:
    """A tensor's elements as an array, for reading; runs what is pending."""
    if modes.trace is not None:
        raise RuntimeError(
            "the shape of this result depends on values, which are not known while a program is "
            "traced; compute it outside"
        )
    return np.asarray(x._buffer())


# Range checks -----------------------------------------------------------------------------------


def _outlier(array, low, high):
    if array.size:
        least, most = array.min(), array.max()
        if least < low:
            return int(least)
        if most >= high:
            return int(most)
    return None


_UNSIGNED = np.dtype(np.uint64)


def clearly_in_range(index, high: int) -> bool:
    """Whether 0 <= i < high is known to hold, by one quick pass over a plain computed index.

    Of a view all of the memory is looked at.
    """
    value = index._value
    if value.spec.dtype is not dtypes.int64:
        return False
    alias = index._alias
    if alias is not None:
        value = alias.storage.value
        if value is None or value.spec.dtype is not dtypes.int64:
            return False
    buffer = value.buffer
    if buffer.__class__ is not np.ndarray:
        return False
    # Seen as unsigned numbers, negative ones are the largest; argmax() is quicker than max().
    return not buffer.size or 0 <= buffer.item(buffer.view(_UNSIGNED).argmax()) < high


def out_of_range(index, low: int, high: int, besides: int | None = None):
    """An element of ``index`` outside ``low <= i < high``, or None.

    Runs pending work only when it must: an index whose whole memory is in range is fine. In a
    captured function each replay checks its own indices; there, ``besides`` is allowed, too.
    """
    if modes.trace is not None:
        return None
    if recorder.capture is not None and recorder.capture.is_mine():
        return recorder.capture.note_range(index, low, high, besides)
    buffer = index._value.buffer
    alias = index._alias
    if alias is not None:
        storage = alias.storage
        if storage.array is not None:
            return _outlier(
                storage.window(index._value.spec, alias.strides, alias.offset), low, high
            )
        whole = storage.value.buffer
        if alias.seen != storage.version or buffer is None:
            if whole.__class__ is np.ndarray and _outlier(whole, low, high) is None:
                return None
            buffer = None
    if buffer is None:
        buffer = index._buffer()
    return _outlier(np.asarray(buffer), low, high)


def check_wrapping(index, size: int, dim: int) -> None:
    """Indices that may be negative; IndexError in the words of ``x[i]``."""
    bad = out_of_range(index, -size, size)
    if bad is not None:
        raise IndexError(f"index {bad} is out of bounds for dimension {dim} with size {size}")


def index_dtype(name: str, index) -> None:
    if index._value.spec.dtype not in INDEX_DTYPES and index._value.spec.numel:
        raise RuntimeError(f"{name}(): Expected dtype int32/int64 for index")


# Masks ------------------------------------------------------------------------------------------


def resolve(shape, indices):
    """(integer tensors, dimensions they index) from tensors, masks and Nones, one per dimension.

    A mask of n dimensions takes n places and becomes n vectors of positions.
    """
    found, dims = [], []
    at = 0
    for index in indices:
        if index is None:
            at += 1
            continue
        own = index._value.spec
        if own.dtype in MASK_DTYPES:
            _check_mask(own.shape, shape, at)
            for positions in np.nonzero(array_of(index)):
                found.append(computed(positions))
                dims.append(at)
                at += 1
            continue
        if own.dtype not in INDEX_DTYPES:
            raise IndexError(NOT_AN_INDEX)
        if at >= len(shape):
            raise IndexError(f"too many indices for tensor of dimension {len(shape)}")
        check_wrapping(index, shape[at], at)
        found.append(index)
        dims.append(at)
        at += 1
    if at > len(shape):
        raise IndexError(f"too many indices for tensor of dimension {len(shape)}")
    if len(found) > 1:
        _check_broadcast(found)
    return found, tuple(dims)


def _check_mask(mask_shape, shape, at) -> None:
    for i, n in enumerate(mask_shape):
        if at + i >= len(shape):
            raise IndexError(f"too many indices for tensor of dimension {len(shape)}")
        if shape[at + i] != n:
            raise IndexError(
                f"The shape of the mask {list(mask_shape)} at index {i} does not match the "
                "shape of "
                f"the indexed tensor {list(shape)} at index {at + i}"
            )


def _check_broadcast(indices) -> None:
    try:
        broadcast_shapes("index", *[shape_of(i) for i in indices])
    except RuntimeError:
        shapes = ", ".join(str(list(shape_of(i))) for i in indices)
        raise IndexError(
            f"shape mismatch: indexing tensors could not be broadcast together with shapes {shapes}"
        ) from None


# Reading and writing inside operator bodies -----------------------------------------------------


def _wrapped(index, size: int):
    """Negative indices counted from the end."""
    own = index._value.spec.dtype
    negative = kit.bind(e.less, index, kit.number(0, own))
    return kit.bind(e.select, negative, kit.bind(e.add, index, kit.number(size, own)), index)


def _fronted(ndim: int, dims):
    """(axes with ``dims`` first, how many axes stay in front of the indexed ones in a result).

    Indexed dimensions that stand side by side stay where they are; otherwise they go first.
    """
    rest = [a for a in range(ndim) if a not in dims]
    together = dims == tuple(range(dims[0], dims[0] + len(dims)))
    return (*dims, *rest), dims[0] if together else 0


def _inverse(axes):
    order = [0] * len(axes)
    for i, axis in enumerate(axes):
        order[axis] = i
    return tuple(order)


def _placing(result_ndim: int, lead: int, before: int):
    """Axes that bring ``lead`` leading axes behind the next ``before`` ones."""
    return (
        *range(lead, lead + before),
        *range(lead),
        *range(lead + before, result_ndim),
    )


def result_shape(shape, indices, dims) -> tuple[int, ...]:
    """Shape of ``x[indices]``."""
    lead = broadcast_shapes("index", *[shape_of(i) for i in indices])
    axes, before = _fronted(len(shape), dims)
    rest = [shape[a] for a in axes[len(dims) :]]
    return (*rest[:before], *lead, *rest[before:])


def read_at(input, indices, dims):
    """Elements of ``input`` at integer tensors for some dimensions (in a body)."""
    shape = shape_of(input)
    axes, before = _fronted(len(shape), dims)
    wrapped = [_wrapped(i, shape[d]) for i, d in zip(indices, dims, strict=True)]
    out = kit.bind(ix.index, kit.permute(input, axes), *wrapped)
    ndim = out._value.spec.ndim
    lead = ndim - (len(shape) - len(dims))
    return kit.permute(out, _placing(ndim, lead, before))


def write_at(input, values, indices, dims, mode: str):
    """``input`` with ``values``, broadcast to the shape of ``input[indices]``, written there."""
    shape = shape_of(input)
    axes, before = _fronted(len(shape), dims)
    wide = result_shape(shape, indices, dims)
    lead = len(wide) - (len(shape) - len(dims))
    values = kit.permute(
        kit.broadcast_to(values, wide), _inverse(_placing(len(wide), lead, before))
    )
    wrapped = [_wrapped(i, shape[d]) for i, d in zip(indices, dims, strict=True)]
    out = kit.bind(ix.index_put, kit.permute(input, axes), values, *wrapped, mode=mode)
    return kit.permute(out, _inverse(axes))


def is_tensor(x) -> bool:
    return isinstance(x, TensorBase)
