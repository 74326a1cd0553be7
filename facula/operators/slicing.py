"""Parts of a tensor along a dimension: narrow, select, split, chunk."""

from __future__ import annotations

from itertools import pairwise

from facula.operators import kit
from facula.operators.rename import renamed
from facula.operators.window import _window, _window_into, select_arguments, slice_arguments


def _shape(x):
    return x._value.spec.shape


# Slices -----------------------------------------------------------------------------------------


def _slice(input, start, stop, step):
    """``input[start:stop:step, ...]`` (a view)."""
    return _window(input, *slice_arguments(_shape(input), start, stop, step))


def slice_into(like, value, start, stop, step):
    """Zeros shaped as ``like`` with ``value`` written at a slice."""
    shape = _shape(like)
    return _window_into(value, *slice_arguments(shape, start, stop, step), shape)


def _whole(shape):
    return [0] * len(shape), list(shape), [1] * len(shape)


def slice_axis(input, axis, first, last, step=1):
    """``input[first:last:step]`` along one axis; bounds as in Python slices of that axis."""
    shape = _shape(input)
    start, stop, by = _whole(shape)
    start[axis], stop[axis], by[axis] = first, max(last, first), step
    return _slice(input, tuple(start), tuple(stop), tuple(by))


def narrow(input, dim, start, length):
    """``length`` elements from ``start`` along a dimension (a view)."""
    shape = _shape(input)
    if not shape:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    axis = kit.axis_of(dim, len(shape))
    start = int(start)
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    if not -shape[axis] <= start <= shape[axis]:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-shape[axis]}, {shape[axis]}], "
            f"but got {start})"
        )
    start = start + shape[axis] if start < 0 else start
    if start + length > shape[axis]:
        raise RuntimeError(
            f"start ({start}) + length ({length}) exceeds dimension size ({shape[axis]})."
        )
    return slice_axis(input, axis, start, start + length)


def _select_at(input, axis, index, node="Select"):
    """``input`` at a (non-negative) index of an axis, which is dropped (a view)."""
    return _window(input, *select_arguments(_shape(input), axis, index)[:-1], node)


def _several(parts):
    """Views that one function made: PyTorch does not let gradients follow writes into them."""
    for part in parts:
        if part._alias is not None:
            part._alias.made = "several"
    return tuple(parts)


def select(input, dim, index):
    """The slice at ``index`` along a dimension, which is dropped (a view)."""
    shape = _shape(input)
    if not shape:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    axis = kit.axis_of(dim, len(shape))
    index = int(index)
    n = shape[axis]
    if not -n <= index < n:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(shape)} at dimension "
            f"{axis}"
        )
    return _select_at(input, axis, index + n if index < 0 else index)


def unbind(input, dim=0):
    """All slices along a dimension, as a tuple (views)."""
    shape = _shape(input)
    if not shape:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    axis = kit.axis_of(dim, len(shape))
    return _several([_select_at(input, axis, i, "Unbind") for i in range(shape[axis])])


def split(tensor, split_size_or_sections, dim=0):
    """Consecutive parts along a dimension: of one size (the last may be less) or of given ones."""
    size = split_size_or_sections
    parts = _parts(tensor, size, dim, "Split" if isinstance(size, int) else "SplitWithSizes")
    return _several(parts)


def _parts(tensor, split_size_or_sections, dim, node):
    shape = _shape(tensor)
    if not shape:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    axis = kit.axis_of(dim, len(shape))
    n = shape[axis]
    if isinstance(split_size_or_sections, int):
        size = split_size_or_sections
        if size < 0 or (size == 0 and n):
            raise RuntimeError(
                f"split expects split_size be non-negative, but got split_size={size}"
            )
        sizes = [min(size, n - i) for i in range(0, n, size)] if n else [0]
    else:
        sizes = [int(s) for s in split_size_or_sections]
        if sum(sizes) != n:
            raise RuntimeError(
                f"split_with_sizes expects split_sizes to sum exactly to {n} (input tensor's size "
                f"at dimension {axis}), but got split_sizes={sizes}"
            )
    parts, at = [], 0
    for size in sizes:
        start, stop, by = _whole(shape)
        start[axis], stop[axis] = at, at + size
        parts.append(_window(tensor, *slice_arguments(shape, start, stop, by)[:-1], node))
        at += size
    return parts


split_with_sizes = split


def chunk(input, chunks, dim=0):
    """About ``chunks`` equal consecutive parts along a dimension."""
    shape = _shape(input)
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    axis = kit.axis_of(dim, len(shape))
    return (
        split(input, max(1, -(-shape[axis] // chunks)), axis) if shape[axis] else (input,) * chunks
    )


def tensor_split(input, indices_or_sections, dim=0):
    """Parts along a dimension: a number of nearly equal ones, or cut at given indices."""
    axis = kit.axis_of(dim, len(_shape(input)))
    n = _shape(input)[axis]
    if hasattr(indices_or_sections, "tolist"):
        indices_or_sections = indices_or_sections.tolist()
    if isinstance(indices_or_sections, int):
        if indices_or_sections <= 0:
            raise RuntimeError(
                f"number of sections must be larger than 0, got {indices_or_sections}"
            )
        small, extra = divmod(n, indices_or_sections)
        sizes = [small + (i < extra) for i in range(indices_or_sections)]
        return tuple(_parts(input, sizes, axis, "Slice"))
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
    "narrow",
    "select",
    "unbind",
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
