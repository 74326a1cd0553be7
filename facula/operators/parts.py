"""Several parts of a tensor along a dimension: split, chunk, tensor_split."""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate, pairwise

from facula.autograd.handle import TensorBase
from facula.base import dtypes
from facula.graph.primitives import movement as m
from facula.operators import kit
from facula.operators.joining import _cat
from facula.operators.operator import operator
from facula.operators.rename import renamed
from facula.operators.slicing import _several, _whole, slice_axis
from facula.operators.views import View
from facula.operators.window import _window, slice_arguments

_MOST = 16  # parts made at once; a loop over more of them is one program of one part


def _shape(x):
    return x._value.spec.shape


def _starts(sizes):
    return [0, *accumulate(sizes)]


def _layout(shape, strides, offset, axis, sizes, kind, index):
    return strides, offset + strides[axis] * sum(sizes[:index])


def _part(x, axis, start, size):
    sizes = list(_shape(x))
    if size == sizes[axis]:
        return x
    sizes[axis] = size
    place = kit.number(start, kit.spec_of(start).dtype)
    steps = (1,) * len(sizes)
    return kit.bind(m.window, x, place, axes=(axis,), sizes=tuple(sizes), steps=steps)


def _write(before, value, axis, sizes, kind, index):
    if _shape(before) == _shape(value):
        return value
    start = sum(sizes[:index])
    place = kit.number(start, kit.spec_of(start).dtype)
    steps = (1,) * len(_shape(before))
    return kit.bind(
        m.window_update, before, value, place, axes=(axis,), sizes=_shape(value), steps=steps
    )


@operator(
    derivative={"input": lambda gs, axis: _cat(gs, axis)}, view=View(strides=_layout, write=_write)
)
def _parts(input, axis: int, sizes: tuple, kind: str):
    """Parts of these sizes, one after the other; ``kind`` begins the name of their node."""
    return [
        _part(input, axis, start, size) for start, size in zip(_starts(sizes), sizes, strict=False)
    ]


_parts.name = lambda specs, template: f"{template[-1]}Backward0"


def _separate(input, axis, sizes, kind):
    """The same, each by itself."""
    shape = _shape(input)
    parts = []
    for at, size in zip(_starts(sizes), sizes, strict=False):
        start, stop, by = _whole(shape)
        start[axis], stop[axis] = at, at + size
        parts.append(_window(input, *slice_arguments(shape, start, stop, by)[:-1], kind))
    return parts


@lru_cache(1000)
def _sizes(shape, size: int, dim: int) -> tuple[int, tuple[int, ...]]:
    """(axis, sizes): parts of ``size``, the last one of what is left."""
    if not shape:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    axis = kit.axis_of(dim, len(shape))
    n = shape[axis]
    if size < 0 or (size == 0 and n):
        raise RuntimeError(f"split expects split_size be non-negative, but got split_size={size}")
    return axis, tuple([min(size, n - i) for i in range(0, n, size)]) if n else (0,)


def split(tensor, split_size_or_sections, dim=0):
    """Consecutive parts along a dimension: of one size (the last may be less) or of given ones."""
    shape = _shape(tensor)
    if isinstance(split_size_or_sections, TensorBase):
        split_size_or_sections = split_size_or_sections.tolist()
    if isinstance(split_size_or_sections, int):
        axis, sizes = _sizes(shape, split_size_or_sections, dim)
        kind = "Split"
    else:
        if not shape:
            raise RuntimeError("split expects at least a 1-dimensional tensor")
        axis = kit.axis_of(dim, len(shape))
        sizes = tuple([int(s) for s in split_size_or_sections])
        kind = "SplitWithSizes"
        if sum(sizes) != shape[axis]:
            raise RuntimeError(
                "split_with_sizes expects split_sizes to sum exactly to "
                f"{shape[axis]} (input tensor's size at dimension {axis}), but got "
                f"split_sizes={list(sizes)}"
            )
        if min(sizes, default=0) < 0:
            raise RuntimeError(
                "split_with_sizes expects split_sizes have only non-negative entries, but got "
                f"split_sizes={list(sizes)}"
            )
    if 1 < len(sizes) <= _MOST:
        return tuple(_parts(tensor, axis, sizes, kind))
    return _several(_separate(tensor, axis, sizes, kind))


split_with_sizes = split


def chunk(input, chunks, dim=0):
    """About ``chunks`` equal consecutive parts along a dimension."""
    shape, chunks = _shape(input), int(chunks)
    if not shape:
        raise RuntimeError("chunk expects at least a 1-dimensional tensor")
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    axis = kit.axis_of(dim, len(shape))
    return (
        split(input, max(1, -(-shape[axis] // chunks)), axis) if shape[axis] else (input,) * chunks
    )


def tensor_split(input, indices_or_sections, dim=0):
    """Parts along a dimension: a number of nearly equal ones, or cut at given indices."""
    if not _shape(input):
        raise RuntimeError(
            "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims"
        )
    axis = kit.axis_of(dim, len(_shape(input)))
    n = _shape(input)[axis]
    if isinstance(indices_or_sections, TensorBase):
        own = indices_or_sections._value.spec
        if own.dtype is not dtypes.int64 or own.ndim > 1:
            raise RuntimeError(
                "tensor_split expected tensor_indices_or_sections to be a zero-dimensional or "
                f"one-dimensional tensor of dtype long, but got {own.ndim} dims of {own.dtype!r}"
            )
    if hasattr(indices_or_sections, "tolist"):
        indices_or_sections = indices_or_sections.tolist()
    if isinstance(indices_or_sections, int):
        if indices_or_sections <= 0:
            raise RuntimeError(
                f"number of sections must be larger than 0, got {indices_or_sections}"
            )
        small, extra = divmod(n, indices_or_sections)
        sizes = [small + (i < extra) for i in range(indices_or_sections)]
        return tuple(_separate(input, axis, sizes, "Slice"))
    cuts = [int(i) for i in indices_or_sections]
    bounds = [0, *[max(0, min(c + n if c < 0 else c, n)) for c in cuts], n]
    return tuple([slice_axis(input, axis, a, max(a, b)) for a, b in pairwise(bounds)])


def _split_along(name, doc, least, dim_of):
    """hsplit, vsplit or dsplit: ``tensor_split`` along a dimension, into equal parts only."""

    def function(input, indices_or_sections):
        shape = _shape(input)
        if len(shape) < least:
            raise RuntimeError(
                f"torch.{name} requires a tensor with at least {least} dimension, but got a tensor "
                f"with {len(shape)} dimensions!"
            )
        dim = dim_of(len(shape))
        if isinstance(indices_or_sections, int):
            count = indices_or_sections
            if count <= 0 or shape[dim] % count:
                raise RuntimeError(
                    f"torch.{name} attempted to split along dimension {dim}, but the size of the "
                    f"dimension {shape[dim]} is not divisible by the split_size {count}!"
                )
        return tensor_split(input, indices_or_sections, dim)

    return renamed(function, name, doc)


hsplit = _split_along(
    "hsplit",
    "Parts side by side (along dimension 1; of a vector, 0): a number, or cut at indices.",
    1,
    lambda ndim: 0 if ndim == 1 else 1,
)
vsplit = _split_along(
    "vsplit",
    "Parts one below the other (along dimension 0): a number, or cut at indices.",
    2,
    lambda ndim: 0,
)
dsplit = _split_along(
    "dsplit",
    "Parts along dimension 2: a number of equal ones, or cut at indices.",
    3,
    lambda ndim: 2,
)

_FUNCTIONS = [
    "split",
    "chunk",
    "tensor_split",
    "split_with_sizes",
    "hsplit",
    "vsplit",
    "dsplit",
]  # methods too

NAMESPACES = {
    "torch": _FUNCTIONS,
    "method": _FUNCTIONS,
}
