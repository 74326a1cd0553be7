"""Views and rearrangements: shapes change, elements do not."""

from __future__ import annotations

import math
from functools import lru_cache

from facula.autograd.storage import contiguous_strides
from facula.base.caches import Cache
from facula.operators import kit
from facula.operators.basic import identity
from facula.operators.operator import operator
from facula.operators.views import View


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
    return _permute(input, _order(tuple(dims), len(_shape(input))))


@lru_cache(1000)
def _order(dims, ndim):
    if len(dims) != ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the "
            f"length of the desired ordering of dimensions i.e. input.dim() = {ndim} is not equal "
            f"to len(dims) = {len(dims)}"
        )
    axes = tuple([kit.axis_of(d, ndim) for d in dims])
    if len(set(axes)) != ndim:
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    return axes


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
    return _transpose(input, _exchanged(len(input._value.spec.shape), dim0, dim1))


@lru_cache(1000)
def _exchanged(ndim, dim0, dim1):
    a, b = kit.axis_of(dim0, ndim), kit.axis_of(dim1, ndim)
    axes = list(range(ndim))
    if ndim:
        axes[a], axes[b] = axes[b], axes[a]
    return tuple(axes)


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
    for label, axes, given in (("source", from_, source), ("destination", to, destination)):
        if len(set(axes)) != len(axes):
            raise RuntimeError(f"movedim: repeated dim in `{label}` ({list(given)})")
    rest = iter([a for a in range(ndim) if a not in from_])
    placed = dict(zip(to, from_, strict=True))
    return _permute(input, tuple([placed[i] if i in placed else next(rest) for i in range(ndim)]))


moveaxis = movedim


# Shapes -----------------------------------------------------------------------------------------


@lru_cache(10_000)
def view_strides(shape, strides, new):
    """Strides of a reshape without copying, or None if there are none.

    Dimensions that lie in memory as one run are merged; each run must be cut into whole
    dimensions of the new shape (the rule behind ``Tensor.view``).
    """
    if strides == contiguous_strides(shape):
        return contiguous_strides(new)
    if math.prod(shape) == 0:
        return contiguous_strides(new) if shape != new else strides
    out = [0] * len(new)
    at = len(new) - 1
    for count, step in _runs(shape, strides):
        done = 1
        while at >= 0 and (done < count or new[at] == 1):
            out[at] = done * step
            done *= new[at]
            at -= 1
        if done != count:
            return None
    return tuple(out) if at < 0 else None


def _runs(shape, strides):
    """(elements, stride of the innermost) of each run of memory, the innermost run first."""
    if not shape:
        return [(1, 1)]
    runs = []
    count, step = 1, strides[-1]
    for d in range(len(shape) - 1, -1, -1):
        count *= shape[d]
        if d == 0 or (shape[d - 1] != 1 and strides[d - 1] != count * step):
            runs.append((count, step))
            count, step = 1, strides[d - 1]
    return runs


@lru_cache(10_000)
def has_plain_strides(shape, strides) -> bool:
    """Whether the strides are those of a row-major tensor; size-1 dimensions do not matter."""
    plain = contiguous_strides(shape)
    return (
        strides == plain
        or 0 in shape
        or all(n == 1 or a == b for n, a, b in zip(shape, strides, plain, strict=True))
    )


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
        derivative={"input": lambda g, call: _view(g, call.in_specs[0].shape)},
        view=_RESHAPE,
    )


_view = _reshaping("View")
_unsafe_view = _reshaping("UnsafeView")
_reshape_alias = _reshaping("ReshapeAlias")
_alias = _reshaping("Alias")


def _without(values, dims):
    return tuple([x for i, x in enumerate(values) if i not in dims])


_squeeze_names = {None: "SqueezeBackward0", int: "SqueezeBackward1", tuple: "SqueezeBackward2"}


@operator(
    derivative={"input": lambda g, call: _view(g, call.in_specs[0].shape)},
    view=View(
        strides=lambda shape, strides, offset, dims, form: (_without(strides, dims), offset),
        write=lambda before, value, dims, form: kit.reshape(value, _shape(before)),
    ),
)
def _squeeze(input, dims: tuple, form: type):
    return kit.reshape(input, _without(_shape(input), dims))


_squeeze.name = lambda specs, template: _squeeze_names[template[-1]]


def _unsqueezed(shape, strides, offset, dim):
    inner = shape[dim] * strides[dim] if dim < len(shape) else 1
    return (*strides[:dim], inner, *strides[dim:]), offset


@operator(
    name="Unsqueeze",
    derivative={"input": lambda g, dim: _squeeze(g, (dim,), int)},
    view=View(
        strides=_unsqueezed,
        write=lambda before, value, dim: kit.reshape(value, _shape(before)),
    ),
)
def _unsqueeze(input, dim: int):
    shape = _shape(input)
    return kit.reshape(input, (*shape[:dim], 1, *shape[dim:]))


_inferred = Cache(5000)


def infer_size(size, numel) -> tuple[int, ...]:
    """``size`` with its -1 worked out."""
    try:
        found = _inferred.get((size, numel))
    except TypeError:  # a list
        found = None
    if found is None:
        found = _infer_size(size, numel)
        if size.__class__ is tuple and all(n.__class__ is int for n in size):
            _inferred.put((size, numel), found)
    return found


def _infer_size(size, numel) -> tuple[int, ...]:
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
    if alias is None or has_plain_strides(_shape(input), alias.strides):
        return _view(input, size)
    if view_strides(_shape(input), alias.strides, size) is None:
        return _unsafe_view(identity(input), size)
    return _reshape_alias(input, size)


def view_as(input, other):
    """``input.view(other.size())``."""
    return view(input, _shape(other))


def reshape_as(input, other):
    """``input.reshape(other.size())``."""
    return reshape(input, _shape(other))


def flatten(input, start_dim=0, end_dim=-1):
    """Dimensions start_dim to end_dim merged into one."""
    size = _flattened(input._value.spec.shape, start_dim, end_dim)
    if size is None:
        return input
    return _view(input, size) if input._alias is None else reshape(input, size)


@lru_cache(5000, typed=True)
def _flattened(shape, start_dim, end_dim):
    """The shape after ``flatten``; None if it stays the same."""
    if not shape:
        kit.axis_of(start_dim, 0), kit.axis_of(end_dim, 0)
        return (1,)
    start, end = kit.axis_of(start_dim, len(shape)), kit.axis_of(end_dim, len(shape))
    if start > end:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if start == end:
        return None
    return (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :])


def ravel(input):
    """All elements in one dimension: a view if they lie in memory in order, else a copy."""
    alias = input._alias
    if alias is not None and not has_plain_strides(_shape(input), alias.strides):
        input = identity(input)
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
        return _squeeze(input, tuple([i for i, n in enumerate(shape) if n == 1]), None)
    axes = kit.axes_of(dim, len(shape)) if shape else ()
    if not shape:
        kit.axis_of(dim if isinstance(dim, int) else 0, 0)
    if dim.__class__ in (tuple, list) and not dim:
        axes = ()  # no dimension named, none dropped
    axes = tuple([i for i in axes if shape[i] == 1])
    return _squeeze(input, axes, int if isinstance(dim, int) else tuple)


def unsqueeze(input, dim):
    """A dimension of size 1 put in at ``dim``."""
    return _unsqueeze(input, kit.axis_of(dim, len(_shape(input)) + 1))


_FUNCTIONS = [
    "permute",
    "transpose",
    "swapaxes",
    "swapdims",
    "t",
    "adjoint",
    "movedim",
    "moveaxis",
    "reshape",
    "flatten",
    "ravel",
    "unflatten",
    "squeeze",
    "unsqueeze",
]  # methods too

NAMESPACES = {
    "torch": _FUNCTIONS,
    "method": [*_FUNCTIONS, "view_as", "reshape_as"],
    "inplace": ["transpose", "t", "squeeze", "unsqueeze", "swapaxes", "swapdims"],
}
