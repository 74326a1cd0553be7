"""Views and rearrangements: shapes change, elements do not."""

from __future__ import annotations

import math

import numpy as np

from facula.autograd.handle import TensorBase
from facula.autograd.storage import contiguous_strides
from facula.base import dtypes
from facula.base.size import Size
from facula.graph.primitives import elementwise as e
from facula.graph.primitives import indexing as ix
from facula.graph.primitives import movement as m
from facula.graph.primitives.kinds import broadcast_shapes as common
from facula.operators import kit
from facula.operators.basic import identity, sum_to_size_copy
from facula.operators.operator import operator
from facula.operators.views import View
from facula.operators.window import _window, _window_into, select_arguments, slice_arguments


def _shape(x):
    return x._value.spec.shape


def strides_of(x) -> tuple[int, ...]:
    """Strides PyTorch would report, in elements."""
    return x._alias.strides if x._alias is not None else contiguous_strides(_shape(x))


# Permutations -----------------------------------------------------------------------------------


def _inverse(axes):
    order = [0] * len(axes)
    for i, axis in enumerate(axes):
        order[axis] = i
    return tuple(order)


@operator(
    name="Permute",
    derivative={"input": lambda g, dims: _permute(g, _inverse(dims))},
    view=View(
        strides=lambda shape, strides, offset, dims: (tuple([strides[d] for d in dims]), offset),
        write=lambda before, value, dims: kit.permute(value, _inverse(dims)),
    ),
)
def _permute(input, dims: tuple):
    return kit.permute(input, dims)


def permute(input, dims):
    """The dimensions in another order (a view)."""
    ndim = len(_shape(input))
    if len(dims) != ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the "
            f"length of the desired ordering of dimensions i.e. input.dim() = {ndim} is not equal "
            f"to len(dims) = {len(dims)}"
        )
    axes = tuple([kit.axis_of(d, ndim) for d in dims])
    if len(set(axes)) != ndim:
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    return _permute(input, axes)


def _transposition(name, doc):
    """transpose and t are permutations under their own gradient names."""

    def body(input, dims: tuple):
        return kit.permute(input, dims)

    body.__name__ = f"_{name.lower()}"
    return operator(
        body,
        name=name,
        derivative={"input": lambda g, dims: _permute(g, _inverse(dims))},
        view=_permute.view,
    )


_transpose = _transposition("Transpose", "")
_t = _transposition("T", "")


def transpose(input, dim0, dim1):
    """Two dimensions exchanged (a view)."""
    ndim = len(_shape(input))
    a, b = kit.axis_of(dim0, ndim), kit.axis_of(dim1, ndim)
    axes = list(range(ndim))
    if ndim:
        axes[a], axes[b] = axes[b], axes[a]
    return _transpose(input, tuple(axes))


swapaxes = swapdims = transpose


def t(input):
    """Transpose of a matrix (a view); vectors and scalars are returned as they are."""
    ndim = len(_shape(input))
    if ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {ndim}D")
    return _t(input, (1, 0)) if ndim == 2 else _t(input, tuple(range(ndim)))


def adjoint(input):
    """Conjugate transpose of the last two dimensions."""
    return transpose(input, -2, -1).conj()


def movedim(input, source, destination):
    """Dimensions moved to other places, the others keeping their order."""
    ndim = len(_shape(input))
    source = (source,) if isinstance(source, int) else tuple(source)
    destination = (destination,) if isinstance(destination, int) else tuple(destination)
    if len(source) != len(destination):
        raise RuntimeError(
            "movedim: Invalid source or destination dims: source and destination must have the "
            f"same number of elements, got {len(source)} and {len(destination)}"
        )
    from_ = [kit.axis_of(d, ndim) for d in source]
    to = [kit.axis_of(d, ndim) for d in destination]
    rest = iter([a for a in range(ndim) if a not in from_])
    placed = dict(zip(to, from_, strict=True))
    return _permute(input, tuple([placed[i] if i in placed else next(rest) for i in range(ndim)]))


moveaxis = movedim


# Shapes -----------------------------------------------------------------------------------------


def view_strides(shape, strides, new):
    """Strides of a reshape without copying, or None if there are none.

    Dimensions that lie in memory as one run are merged; each run must be cut into whole
    dimensions of the new shape (the rule behind ``Tensor.view``).
    """
    if strides == contiguous_strides(shape):
        return contiguous_strides(new)
    if math.prod(shape) == 0:
        return contiguous_strides(new) if shape != new else strides
    runs = []  # (number of elements, stride of the innermost)
    for n, s in zip(shape, strides, strict=True):
        if n == 1:
            continue
        if runs and runs[-1][1] == n * s:
            runs[-1] = (runs[-1][0] * n, s)
        else:
            runs.append((n, s))
    out = [0] * len(new)
    at = len(new) - 1
    for count, stride in reversed(runs or [(1, 1)]):
        step = stride
        while count > 1 or (at >= 0 and new[at] == 1):
            if at < 0 or (new[at] > 1 and count % new[at]):
                return None
            out[at] = step
            step *= new[at]
            count //= new[at]
            at -= 1
            if count == 1:
                break
    while at >= 0:
        if new[at] != 1:
            return None
        out[at] = out[at + 1] * new[at + 1] if at + 1 < len(new) else 1
        at -= 1
    return tuple(out)


def _view_layout(shape, strides, offset, size):
    found = view_strides(shape, strides, size)
    return None if found is None else (found, offset)


_RESHAPE = View(
    strides=_view_layout, write=lambda before, value, size: kit.reshape(value, _shape(before))
)


def _reshaping(node):
    """One of the operators that only change the shape, under its own gradient name."""

    def body(input, size: tuple):
        return kit.reshape(input, size)

    body.__name__ = f"_{node.lower()}"
    return operator(
        body,
        name=node,
        derivative={"input": lambda g, input: _reshape_grad(g, _shape(input))},
        view=_RESHAPE,
    )


def _reshape_grad(g, shape):
    return _view(g, shape)


_view = _reshaping("View")
_unsafe_view = _reshaping("UnsafeView")
_alias = _reshaping("Alias")
_squeeze = _reshaping("Squeeze")
_unsqueeze = _reshaping("Unsqueeze")


def infer_size(size, numel) -> tuple[int, ...]:
    """``size`` with its -1 worked out."""
    size = tuple([int(n) for n in size])
    if math.prod(size) == numel and (not size or min(size) >= 0):
        return size
    unknown = [i for i, n in enumerate(size) if n == -1]
    if len(unknown) > 1:
        raise RuntimeError("only one dimension can be inferred")
    negative = next((n for n in size if n < -1), None)
    if negative is not None:
        raise RuntimeError(f"invalid shape dimension {negative}")
    known = math.prod([n for n in size if n != -1])
    if unknown:
        if known == 0:
            raise RuntimeError(
                f"cannot reshape tensor of {numel} elements into shape {list(size)} because the "
                "unspecified dimension size -1 can be any value and is ambiguous"
            )
        if numel % known:
            raise RuntimeError(f"shape '{list(size)}' is invalid for input of size {numel}")
        size = size[: unknown[0]] + (numel // known,) + size[unknown[0] + 1 :]
    elif known != numel:
        raise RuntimeError(f"shape '{list(size)}' is invalid for input of size {numel}")
    return size


def view(input, size):
    """The same memory in another shape; refused where the strides do not allow it."""
    size = infer_size(size, input._value.spec.numel)
    alias = input._alias
    if alias is not None and view_strides(_shape(input), alias.strides, size) is None:
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one "
            "dimension spans across two contiguous subspaces). Use .reshape(...) instead."
        )
    return _view(input, size)


def reshape(input, shape):
    """The elements in another shape: a view where possible, else a copy.

    >>> import facula as torch
    >>> torch.arange(4).reshape(2, -1)
    tensor([[0, 1],
            [2, 3]])
    """
    size = infer_size(shape, input._value.spec.numel)
    alias = input._alias
    if alias is not None and view_strides(_shape(input), alias.strides, size) is None:
        return _unsafe_view(identity(input), size)
    return _view(input, size)


def view_as(input, other):
    """``input.view(other.size())``."""
    return view(input, _shape(other))


def reshape_as(input, other):
    """``input.reshape(other.size())``."""
    return reshape(input, _shape(other))


def flatten(input, start_dim=0, end_dim=-1):
    """Dimensions start_dim to end_dim merged into one."""
    shape = _shape(input)
    if not shape:
        return reshape(input, (1,))
    start, end = kit.axis_of(start_dim, len(shape)), kit.axis_of(end_dim, len(shape))
    if start > end:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if start == end:
        return input
    return reshape(input, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


def ravel(input):
    """All elements in one dimension."""
    return reshape(input, (input._value.spec.numel,))


def unflatten(input, dim, sizes):
    """One dimension split into several."""
    shape = _shape(input)
    axis = kit.axis_of(dim, len(shape))
    sizes = infer_size(sizes, shape[axis])
    return view(input, (*shape[:axis], *sizes, *shape[axis + 1 :]))


def squeeze(input, dim=None):
    """Dimensions of size 1 dropped (all of them, or those named)."""
    shape = _shape(input)
    if dim is None:
        return _squeeze(input, tuple([n for n in shape if n != 1]))
    axes = kit.axes_of(dim, len(shape)) if shape else ()
    if not shape:
        kit.axis_of(dim if isinstance(dim, int) else 0, 0)
    return _squeeze(input, tuple([n for i, n in enumerate(shape) if not (i in axes and n == 1)]))


def unsqueeze(input, dim):
    """A dimension of size 1 put in at ``dim``."""
    shape = _shape(input)
    axis = kit.axis_of(dim, len(shape) + 1)
    return _unsqueeze(input, (*shape[:axis], 1, *shape[axis:]))


# Expanding --------------------------------------------------------------------------------------


def _expand_layout(shape, strides, offset, size):
    lead = len(size) - len(shape)
    found = [0] * lead
    for n, s, wide in zip(shape, strides, size[lead:], strict=True):
        found.append(0 if n == 1 and wide != 1 else s)
    return tuple(found), offset


def _no_write(before, value, *statics):
    raise RuntimeError(
        "unsupported operation: more than one element of the written-to tensor refers to a single "
        "memory location. Please clone() the tensor before performing the operation."
    )


@operator(
    name="Expand",
    derivative={"input": lambda g, input: _sum_to(g, _shape(input))},
    view=View(strides=_expand_layout, write=_no_write),
)
def _expand(input, size: tuple):
    return kit.broadcast_to(input, size)


def _sum_to(g, shape):
    return sum_to_size_copy(g, shape)


def expand(input, size):
    """Dimensions of size 1 repeated without copying; -1 keeps a size."""
    shape = _shape(input)
    size = tuple([int(n) for n in size])
    if len(size) < len(shape):
        raise RuntimeError(
            f"expand({_describe(input)}, size={list(size)}): the number of sizes provided "
            f"({len(size)}) must be greater or equal to the number of dimensions in the tensor "
            f"({len(shape)})"
        )
    lead = len(size) - len(shape)
    wanted = []
    for i, n in enumerate(size):
        own = shape[i - lead] if i >= lead else None
        if n == -1:
            if own is None:
                raise RuntimeError(
                    f"expand({_describe(input)}, size={list(size)}): the expanded size of the "
                    f"tensor (-1) isn't allowed in a leading, non-existing dimension {i}"
                )
            n = own
        if own is not None and own not in (1, n):
            raise RuntimeError(
                f"The expanded size of the tensor ({n}) must match the existing size ({own}) at "
                f"non-singleton dimension {i}.  Target sizes: {list(size)}.  Tensor sizes: {list(shape)}"
            )
        wanted.append(n)
    return _expand(input, tuple(wanted))


def _describe(x):
    return f"torch.{x._value.spec.dtype.legacy}Tensor{{{list(_shape(x))}}}"


def expand_as(input, other):
    """``input.expand(other.size())``."""
    return expand(input, _shape(other))


def broadcast_to(input, size):
    """``input`` broadcast to ``size`` (a view)."""
    return expand(input, size)


def broadcast_shapes(*shapes):
    """The shape that operands of these shapes broadcast to."""
    shapes = [(s,) if isinstance(s, int) else tuple(s) for s in shapes]
    try:
        return Size(common("broadcast", *shapes)) if shapes else Size()
    except RuntimeError:
        raise RuntimeError(
            "Shape mismatch: objects cannot be broadcast to a single shape"
        ) from None


def broadcast_tensors(*tensors):
    """The tensors expanded to their common shape."""
    shape = kit.broadcast_shapes(*tensors)
    return tuple([expand(t, shape) for t in tensors])


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
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({shape[axis]}).")
    return slice_axis(input, axis, start, start + length)


def _select_at(input, axis, index):
    """``input`` at a (non-negative) index of an axis, which is dropped (a view)."""
    return _window(input, *select_arguments(_shape(input), axis, index))


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
            f"select(): index {index} out of range for tensor of size {list(shape)} at dimension {axis}"
        )
    return _select_at(input, axis, index + n if index < 0 else index)


def unbind(input, dim=0):
    """All slices along a dimension, as a tuple (views)."""
    shape = _shape(input)
    if not shape:
        raise RuntimeError("Dimension specified as 0 but tensor has no dimensions")
    axis = kit.axis_of(dim, len(shape))
    return tuple([_select_at(input, axis, i) for i in range(shape[axis])])


def split(tensor, split_size_or_sections, dim=0):
    """Consecutive parts along a dimension: of one size (the last may be smaller) or of given sizes."""
    shape = _shape(tensor)
    if not shape:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    axis = kit.axis_of(dim, len(shape))
    n = shape[axis]
    if isinstance(split_size_or_sections, int):
        size = split_size_or_sections
        if size < 0 or (size == 0 and n):
            raise RuntimeError(f"split expects split_size be non-negative, but got split_size={size}")
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
        parts.append(slice_axis(tensor, axis, at, at + size))
        at += size
    return tuple(parts)


split_with_sizes = split


def chunk(input, chunks, dim=0):
    """About ``chunks`` equal consecutive parts along a dimension."""
    shape = _shape(input)
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    axis = kit.axis_of(dim, len(shape))
    return split(input, max(1, -(-shape[axis] // chunks)), axis) if shape[axis] else (input,) * chunks


def tensor_split(input, indices_or_sections, dim=0):
    """Parts along a dimension: a number of nearly equal ones, or cut at given indices."""
    axis = kit.axis_of(dim, len(_shape(input)))
    n = _shape(input)[axis]
    if isinstance(indices_or_sections, int):
        small, extra = divmod(n, indices_or_sections)
        return split(input, [small + (i < extra) for i in range(indices_or_sections)], axis)
    cuts = [int(i) for i in indices_or_sections]
    bounds = [0, *[max(0, min(c + n if c < 0 else c, n)) for c in cuts], n]
    return tuple(
        [slice_axis(input, axis, a, max(a, b)) for a, b in zip(bounds, bounds[1:], strict=False)]
    )


# General strided views --------------------------------------------------------------------------


def _flat_places(shape, strides, offset):
    places = np.full(shape, offset, np.int64)
    for axis, (n, s) in enumerate(zip(shape, strides, strict=True)):
        places = places + (np.arange(n) * s).reshape([-1 if i == axis else 1 for i in range(len(shape))])
    return places


@operator(
    name="AsStrided",
    derivative={
        "input": lambda g, input, size, stride, offset: _scatter_strided(input, g, size, stride, offset)
    },
    view=View(
        strides=lambda shape, strides, offset0, size, stride, offset: (stride, offset),
        write=lambda before, value, size, stride, offset: _write_strided(before, value, size, stride, offset),
        absolute=True,
    ),
)
def _as_strided(input, size: tuple, stride: tuple, offset: int):
    flat = kit.reshape(input, (input._value.spec.numel,))
    return kit.bind(ix.index, flat, kit.table(_flat_places(size, stride, offset), dtypes.int64))


def _write_strided(before, value, size, stride, offset):
    flat = kit.reshape(before, (before._value.spec.numel,))
    places = kit.table(_flat_places(size, stride, offset), dtypes.int64)
    return kit.reshape(kit.bind(ix.index_put, flat, value, places, mode="set"), _shape(before))


@operator(
    name="AsStridedScatter",
    derivative={"value": lambda g, size, stride, offset: _as_strided(g, size, stride, offset)},
)
def _scatter_strided(like, value, size: tuple, stride: tuple, offset: int):
    flat = kit.full((like._value.spec.numel,), 0, value._value.spec.dtype)
    places = kit.table(_flat_places(size, stride, offset), dtypes.int64)
    return kit.reshape(kit.bind(ix.index_put, flat, value, places, mode="add"), _shape(like))


def as_strided(input, size, stride, storage_offset=None):
    """A view of the storage with any size, strides (in elements) and offset."""
    size, stride = tuple(size), tuple(stride)
    alias = input._alias
    offset = storage_offset
    if offset is None:
        offset = alias.offset if alias is not None else 0
    last = offset + sum([(n - 1) * s for n, s in zip(size, stride, strict=True)])
    room = (alias.storage.spec if alias is not None else input._value.spec).numel
    if math.prod(size) and last >= room:
        raise RuntimeError(
            f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {offset}, "
            f"requiring a storage size of {last + 1} elements are out of bounds for storage of size {room}"
        )
    if alias is not None and alias.chain:
        root = input._root_view()
        return _as_strided(root, size, stride, offset)
    return _as_strided(input, size, stride, offset)


@operator(
    name="Diagonal",
    derivative={"input": lambda g, input, offset, dim1, dim2: _diagonal_into(input, g, offset, dim1, dim2)},
    view=View(
        strides=lambda shape, strides, at, offset, dim1, dim2: _diagonal_layout(
            shape, strides, at, offset, dim1, dim2
        ),
        write=lambda before, value, offset, dim1, dim2: _write_diagonal(before, value, offset, dim1, dim2),
    ),
)
def _diagonal(input, offset: int, dim1: int, dim2: int):
    moved, rows, columns = _diagonal_places(input, offset, dim1, dim2)
    picked = kit.bind(ix.index, moved, rows, columns)
    return kit.permute(picked, (*range(1, picked._value.spec.ndim), 0))


def _diagonal_layout(shape, strides, at, offset, dim1, dim2):
    n = _diagonal_size(shape, offset, dim1, dim2)
    if n:
        at += offset * strides[dim2] if offset >= 0 else -offset * strides[dim1]
    rest = [s for i, s in enumerate(strides) if i not in (dim1, dim2)]
    return (*rest, strides[dim1] + strides[dim2]), at


def _diagonal_size(shape, offset, dim1, dim2):
    return max(0, min(shape[dim1], shape[dim2] - offset) if offset >= 0 else min(shape[dim1] + offset, shape[dim2]))


def _diagonal_places(input, offset, dim1, dim2):
    shape = _shape(input)
    n = _diagonal_size(shape, offset, dim1, dim2)
    steps = np.arange(n)
    rows = kit.table(steps + max(-offset, 0), dtypes.int64)
    columns = kit.table(steps + max(offset, 0), dtypes.int64)
    rest = [i for i in range(len(shape)) if i not in (dim1, dim2)]
    return kit.permute(input, (dim1, dim2, *rest)), rows, columns


def _write_diagonal(before, value, offset, dim1, dim2):
    moved, rows, columns = _diagonal_places(before, offset, dim1, dim2)
    ndim = value._value.spec.ndim
    front = kit.permute(value, (ndim - 1, *range(ndim - 1)))
    out = kit.bind(ix.index_put, moved, front, rows, columns, mode="set")
    rest = [i for i in range(before._value.spec.ndim) if i not in (dim1, dim2)]
    return kit.permute(out, _inverse((dim1, dim2, *rest)))


@operator(
    name="DiagonalBackward",
    derivative={"value": lambda g, offset, dim1, dim2: _diagonal(g, offset, dim1, dim2)},
)
def _diagonal_into(like, value, offset: int, dim1: int, dim2: int):
    zeros = kit.full(_shape(like), 0, value._value.spec.dtype)
    return _write_diagonal(zeros, value, offset, dim1, dim2)


def diagonal(input, offset=0, dim1=0, dim2=1):
    """The diagonal of two dimensions, as the last dimension (a view)."""
    ndim = len(_shape(input))
    a, b = kit.axis_of(dim1, ndim), kit.axis_of(dim2, ndim)
    if a == b:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return _diagonal(input, offset, a, b)


def _unfold_layout(shape, strides, offset, axis, size, step):
    if not shape:
        return (1,), offset
    return (*strides[:axis], strides[axis] * step, *strides[axis + 1 :], strides[axis]), offset


@operator(
    name="Unfold",
    derivative={"input": lambda g, input, axis, size, step: _fold(input, g, axis, size, step)},
    view=View(strides=_unfold_layout, write=_no_write),
)
def _unfold(input, axis: int, size: int, step: int):
    shape = _shape(input)
    if not shape:
        return kit.reshape(input, (1,))
    moved = kit.permute(input, (axis, *[i for i in range(len(shape)) if i != axis]))
    count = (shape[axis] - size) // step + 1
    places = np.arange(count)[:, None] * step + np.arange(size)[None, :]
    picked = kit.bind(ix.index, moved, kit.table(places, dtypes.int64))
    order = list(range(2, len(shape) + 1))
    order.insert(axis, 0)
    return kit.permute(picked, (*order, 1))


@operator(name="UnfoldBackward", derivative={"value": lambda g, axis, size, step: _unfold(g, axis, size, step)})
def _fold(like, value, axis: int, size: int, step: int):
    shape = _shape(like)
    if not shape:
        return kit.reshape(value, ())
    count = (shape[axis] - size) // step + 1
    ndim = len(shape)
    front = kit.permute(value, (axis, ndim, *[i for i in range(ndim) if i != axis]))
    places = np.arange(count)[:, None] * step + np.arange(size)[None, :]
    rest = [i for i in range(ndim) if i != axis]
    zeros = kit.full((shape[axis], *[shape[i] for i in rest]), 0, value._value.spec.dtype)
    out = kit.bind(ix.index_put, zeros, front, kit.table(places, dtypes.int64), mode="add")
    return kit.permute(out, _inverse((axis, *rest)))


def unfold(input, dimension, size, step):
    """All windows of ``size`` along a dimension, ``step`` apart, as a new last dimension (a view)."""
    shape = _shape(input)
    axis = kit.axis_of(dimension, len(shape))
    n = shape[axis] if shape else 1
    if size > n:
        raise RuntimeError(
            f"maximum size for tensor at dimension {axis} is {n} but size is {size}"
        )
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    return _unfold(input, axis, size, step)


# Joining, repeating, flipping -------------------------------------------------------------------


def _cat_grad(g, tensors, dim):
    axis = kit.axis_of(dim, len(_shape(g)))
    grads, at = [], 0
    for tensor in tensors:
        n = _shape(tensor)[axis]
        start, stop, step = _whole(_shape(g))
        start[axis], stop[axis] = at, at + n
        grads.append(_slice(g, tuple(start), tuple(stop), tuple(step)))
        at += n
    return {"tensors": grads}


@operator(name="Cat", derivative=_cat_grad)
def _cat(tensors, dim: int):
    to = kit.result_type(*tensors)
    axis = kit.axis_of(dim, len(_shape(tensors[0])))
    return kit.bind(m.concat, *[kit.as_dtype(t, to) for t in tensors], axis=axis)


def cat(tensors, dim=0):
    """Tensors joined along an existing dimension.

    >>> import facula as torch
    >>> torch.cat((torch.zeros(1, 2), torch.ones(1, 2)))
    tensor([[0., 0.],
            [1., 1.]])
    """
    tensors = list(tensors)
    if not tensors:
        raise ValueError("expected a non-empty list of Tensors")
    for i, x in enumerate(tensors):
        if not isinstance(x, TensorBase):
            raise TypeError(f"expected Tensor as element {i} in argument 0, but got {type(x).__name__}")
    # An empty vector joins with anything: an old rule that scripts rely on.
    kept = [x for x in tensors if _shape(x) != (0,)] or tensors[:1]
    ndim = len(_shape(kept[0]))
    if ndim == 0:
        raise RuntimeError("zero-dimensional tensor (at position 0) cannot be concatenated")
    axis = kit.axis_of(dim, ndim)
    for i, x in enumerate(kept):
        shape = _shape(x)
        if len(shape) != ndim:
            raise RuntimeError(
                f"Tensors must have same number of dimensions: got {ndim} and {len(shape)}"
            )
        for d in range(ndim):
            if d != axis and shape[d] != _shape(kept[0])[d]:
                raise RuntimeError(
                    f"Sizes of tensors must match except in dimension {axis}. Expected size "
                    f"{_shape(kept[0])[d]} but got size {shape[d]} for tensor number {i} in the list."
                )
    return _cat(kept, axis)


concat = concatenate = cat


@operator(name="Stack", derivative=lambda g, tensors, dim: {"tensors": [_select_at(g, dim, i) for i in range(len(tensors))]})
def _stack(tensors, dim: int):
    to = kit.result_type(*tensors)
    shape = _shape(tensors[0])
    lifted = [kit.reshape(kit.as_dtype(x, to), (*shape[:dim], 1, *shape[dim:])) for x in tensors]
    return kit.bind(m.concat, *lifted, axis=dim)


def stack(tensors, dim=0):
    """Tensors of one shape joined along a new dimension."""
    tensors = list(tensors)
    if not tensors:
        raise RuntimeError("stack expects a non-empty TensorList")
    shape = _shape(tensors[0])
    for i, x in enumerate(tensors):
        if _shape(x) != shape:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(shape)} at entry 0 and "
                f"{list(_shape(x))} at entry {i}"
            )
    return _stack(tensors, kit.axis_of(dim, len(shape) + 1))


def hstack(tensors):
    """Joined side by side: along dimension 1 (0 for vectors)."""
    tensors = [atleast_1d(x) for x in tensors]
    return cat(tensors, 0 if len(_shape(tensors[0])) == 1 else 1)


def vstack(tensors):
    """Joined one above the other."""
    return cat([atleast_2d(x) for x in tensors], 0)


row_stack = vstack


def dstack(tensors):
    """Joined along the third dimension."""
    return cat([atleast_3d(x) for x in tensors], 2)


def column_stack(tensors):
    """Vectors as columns, joined side by side."""
    return cat([reshape(x, (-1, 1)) if len(_shape(x)) <= 1 else x for x in tensors], 1)


def _at_least(name, lift):
    def function(*tensors):
        if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
            return tuple([lift(x) for x in tensors[0]])
        return lift(tensors[0]) if len(tensors) == 1 else tuple([lift(x) for x in tensors])

    function.__name__ = name
    function.__doc__ = f"Views with at least {name[8]} dimensions."
    return function


def _lift3(x):
    shape = _shape(x)
    if len(shape) >= 3:
        return x
    return reshape(x, {0: (1, 1, 1), 1: (1, *shape, 1), 2: (*shape, 1)}[len(shape)])


atleast_1d = _at_least("atleast_1d", lambda x: x if _shape(x) else reshape(x, (1,)))
atleast_2d = _at_least(
    "atleast_2d", lambda x: x if len(_shape(x)) >= 2 else reshape(x, (1, max(1, x._value.spec.numel)) if _shape(x) == () else (1, *_shape(x)))
)
atleast_3d = _at_least("atleast_3d", _lift3)


def repeat(input, sizes):
    """The tensor copied ``sizes`` times along each dimension."""
    shape = _shape(input)
    sizes = tuple([int(n) for n in sizes])
    if len(sizes) < len(shape):
        raise RuntimeError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor"
        )
    return _repeat(input, sizes)


@operator(name="Repeat")
def _repeat(input, sizes: tuple):
    shape = _shape(input)
    shape = (1,) * (len(sizes) - len(shape)) + shape
    split_shape = [x for n in shape for x in (1, n)]
    wide = [x for n, times in zip(shape, sizes, strict=True) for x in (times, n)]
    out = _expand(_view(input, tuple(split_shape)), tuple(wide))
    return _view(out, tuple([n * times for n, times in zip(shape, sizes, strict=True)]))


def tile(input, dims):
    """``repeat`` that puts missing counts of 1 in front."""
    dims = tuple(dims)
    return repeat(input, (1,) * (len(_shape(input)) - len(dims)) + dims)


@operator(name="Flip", derivative={"input": lambda g, dims: _flip(g, dims)})
def _flip(input, dims: tuple):
    return kit.bind(m.flip, input, axes=kit.axes_of(dims, len(_shape(input)))) if dims else input


def flip(input, dims):
    """Elements in reverse order along dimensions."""
    dims = (dims,) if isinstance(dims, int) else tuple(dims)
    return _flip(input, dims)


def fliplr(input):
    """Reversed left to right."""
    return flip(input, (1,))


def flipud(input):
    """Reversed top to bottom."""
    return flip(input, (0,))


def roll(input, shifts, dims=None):
    """Elements shifted along dimensions, coming in again at the other end."""
    if dims is None or dims == ():
        flat = roll(ravel(input), shifts if isinstance(shifts, int) else shifts[0], 0)
        return reshape(flat, _shape(input))
    shifts = (shifts,) if isinstance(shifts, int) else tuple(shifts)
    dims = (dims,) if isinstance(dims, int) else tuple(dims)
    if len(shifts) != len(dims):
        raise RuntimeError(
            f"shifts and dimensions must align. shifts: {len(shifts)}, dims:{len(dims)}"
        )
    return _roll(input, shifts, dims)


@operator(name="Roll")
def _roll(input, shifts: tuple, dims: tuple):
    shape = _shape(input)
    for shift, dim in zip(shifts, dims, strict=True):
        axis = kit.axis_of(dim, len(shape))
        n = shape[axis]
        if n == 0 or shift % n == 0:
            continue
        cut = n - shift % n
        input = _cat([slice_axis(input, axis, cut, n), slice_axis(input, axis, 0, cut)], axis)
    return input


def rot90(input, k=1, dims=(0, 1)):
    """Rotated by k right angles in the plane of two dimensions."""
    a, b = dims
    k = k % 4
    if k == 1:
        return flip(transpose(input, a, b), (a,))
    if k == 2:
        return flip(input, (a, b))
    return flip(transpose(input, a, b), (b,)) if k == 3 else identity(input)


@operator(name="Tril", derivative={"input": lambda g, diagonal: tril(g, diagonal)})
def tril(input, diagonal=0):
    """The lower triangle of matrices; zeros above the ``diagonal``-th diagonal."""
    return _triangle(input, lambda rows, columns: columns <= rows + diagonal)


@operator(name="Triu", derivative={"input": lambda g, diagonal: triu(g, diagonal)})
def triu(input, diagonal=0):
    """The upper triangle of matrices; zeros below the ``diagonal``-th diagonal."""
    return _triangle(input, lambda rows, columns: columns >= rows + diagonal)


def _triangle(input, keep):
    shape = _shape(input)
    mask = keep(np.arange(shape[-2])[:, None], np.arange(shape[-1])[None, :])
    zeros = kit.full(shape, 0, input._value.spec.dtype)
    return kit.bind(e.select, kit.broadcast_to(kit.table(mask, dtypes.bool_), shape), input, zeros)


@operator(name="DiagEmbed")
def diag_embed(input, offset=0, dim1=-2, dim2=-1):
    """Matrices with the last dimension as their diagonal."""
    shape = _shape(input)
    ndim = len(shape) + 1
    a, b = kit.axis_of(dim1, ndim), kit.axis_of(dim2, ndim)
    n = shape[-1] + (offset if offset >= 0 else -offset)
    rest = iter(shape[:-1])
    full_shape = tuple([n if i in (a, b) else next(rest) for i in range(ndim)])
    zeros = kit.full(full_shape, 0, input._value.spec.dtype)
    return _diagonal_into(zeros, input, offset, a, b)


def diag(input, diagonal=0):
    """The diagonal of a matrix, or a matrix with a vector as its diagonal."""
    ndim = len(_shape(input))
    if ndim == 1:
        return diag_embed(input, diagonal)
    if ndim != 2:
        raise RuntimeError(
            f"diag(): Supports 1D or 2D tensors. Got {ndim}D"
        )
    return identity(_diagonal(input, diagonal, 0, 1))


def trace(input):
    """Sum of a matrix's diagonal."""
    if len(_shape(input)) != 2:
        raise RuntimeError("trace: expected a matrix, but got tensor with dim " + str(len(_shape(input))))
    return diagonal(input).sum()


NAMESPACES = {
    "torch": [
        "permute", "transpose", "swapaxes", "swapdims", "t", "adjoint", "movedim", "moveaxis",
        "reshape", "flatten", "ravel", "unflatten", "squeeze", "unsqueeze", "broadcast_to",
        "broadcast_shapes", "broadcast_tensors", "narrow", "select", "unbind", "split", "chunk",
        "tensor_split", "as_strided", "diagonal", "cat", "concat", "concatenate", "stack",
        "hstack", "vstack", "row_stack", "dstack", "column_stack", "atleast_1d", "atleast_2d",
        "atleast_3d", "tile", "flip", "fliplr", "flipud", "roll", "rot90", "tril", "triu",
        "diag_embed", "diag", "trace", "split_with_sizes",
    ],
    "method": [
        "permute", "transpose", "swapaxes", "swapdims", "t", "adjoint", "movedim", "moveaxis",
        "reshape", "flatten", "ravel", "unflatten", "squeeze", "unsqueeze", "broadcast_to",
        "narrow", "select", "unbind", "split", "chunk", "tensor_split", "as_strided", "diagonal",
        "tile", "flip", "fliplr", "flipud", "roll", "rot90", "tril", "triu", "diag_embed", "diag",
        "trace", "view_as", "reshape_as", "expand_as", "unfold", "split_with_sizes",
    ],
    "inplace": [
        "tril", "triu", "transpose", "t", "squeeze", "unsqueeze", "swapaxes", "swapdims",
    ],
}
