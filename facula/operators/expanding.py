"""Tensors shown larger without copying: expand and broadcasting."""

from __future__ import annotations

from facula.base.size import Size
from facula.graph.primitives.kinds import broadcast_shapes as common
from facula.operators import kit
from facula.operators.basic import sum_to_size_copy
from facula.operators.operator import operator
from facula.operators.views import View


def _shape(x):
    return x._value.spec.shape


def _expand_layout(shape, strides, offset, size):
    if not shape:
        return (0,) * len(size), offset
    lead = len(size) - len(shape)
    found = [0 if n == 1 and wide != 1 else s for n, s, wide in zip(shape, strides, size[lead:])]
    for d in range(lead - 1, -1, -1):
        inner = size[d + 1] * found[0] if d + 1 < len(size) else 1
        found.insert(0, inner if size[d] == 1 else 0)
    return tuple(found), offset


def _write_expanded(before, value, size):
    """Writes of elements seen more than once do not come here: what is left has size 1."""
    return kit.reshape(value, _shape(before)) if value._value.spec.numel else before


@operator(
    name="Expand",
    derivative={"input": lambda g, call: sum_to_size_copy(g, call.in_specs[0].shape)},
    view=View(strides=_expand_layout, write=_write_expanded, overlapping=True),
)
def _expand(input, size: tuple):
    return kit.broadcast_to(input, size)


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
                f"non-singleton dimension {i}.  Target sizes: {list(size)}.  "
                f"Tensor sizes: {list(shape)}"
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
    if any(n < 0 for shape in shapes for n in shape):
        raise ValueError("Attempting to broadcast a dimension with negative length!")
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


NAMESPACES = {
    "torch": ["broadcast_to", "broadcast_shapes", "broadcast_tensors"],
    "method": ["broadcast_to", "expand_as"],
}
