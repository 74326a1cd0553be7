"""Tensors joined along a dimension: cat, stack and their relatives."""

from __future__ import annotations

from facula.autograd.handle import TensorBase
from facula.base.caches import Cache
from facula.graph.primitives import movement as m
from facula.operators import kit
from facula.operators.movement import _view, reshape
from facula.operators.operator import operator
from facula.operators.rename import renamed
from facula.operators.slicing import _select_at, _slice, _whole


def _shape(x):
    return x._value.spec.shape


# Joining, repeating, flipping -------------------------------------------------------------------


def _cat_grad(g, call, dim):
    axis = kit.axis_of(dim, len(_shape(g)))
    grads, at = [], 0
    for spec in call.in_specs:
        n = spec.shape[axis]
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


def _several(tensors, name):
    """A list of the operands; a single tensor is none, although one can iterate over it."""
    if isinstance(tensors, TensorBase):
        raise TypeError(
            f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not Tensor"
        )
    return list(tensors)


def cat(tensors, dim=0):
    """Tensors joined along an existing dimension.

    >>> import facula as torch
    >>> torch.cat((torch.zeros(1, 2), torch.ones(1, 2)))
    tensor([[0., 0.],
            [1., 1.]])
    """
    tensors = _several(tensors, "cat")
    try:
        kinds = (dim, *[x._value.spec for x in tensors])
        if kinds in _passed:
            return _cat(tensors, _passed[kinds])
    except (AttributeError, TypeError):  # no tensors, which the checks refuse
        kinds = ()
    if not tensors:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    for i, x in enumerate(tensors):
        if not isinstance(x, TensorBase):
            raise TypeError(
                f"expected Tensor as element {i} in argument 0, but got {type(x).__name__}"
            )
    # An empty vector joins with anything (an old rule that scripts rely on); its dtype counts.
    kept = [x for x in tensors if _shape(x) != (0,)] or tensors[:1]
    ndim = len(_shape(kept[0]))
    if ndim == 0:
        raise RuntimeError("zero-dimensional tensor (at position 0) cannot be concatenated")
    if all(_shape(x) == (0,) for x in tensors):
        return _cat(tensors, 0)
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
                    f"{_shape(kept[0])[d]} but got size {shape[d]} for tensor number {i} in the "
                    "list."
                )
    if len(kept) < len(tensors) and ndim:
        first = _shape(kept[0])
        empty = (*first[:axis], 0, *first[axis + 1 :])
        kept = [_view(x, empty) if _shape(x) == (0,) else x for x in tensors]
    else:
        _passed.put(kinds, axis)
    return _cat(kept, axis)


_passed = Cache(1000)  # kinds of calls that passed all checks, and their axis


concat = concatenate = cat


@operator(
    name="Stack",
    derivative=lambda g, call, dim: {
        "tensors": [_select_at(g, dim, i) for i in range(call.input_count)]
    },
)
def _stack(tensors, dim: int):
    to = kit.result_type(*tensors)
    shape = _shape(tensors[0])
    lifted = [kit.reshape(kit.as_dtype(x, to), (*shape[:dim], 1, *shape[dim:])) for x in tensors]
    return kit.bind(m.concat, *lifted, axis=dim)


def stack(tensors, dim=0):
    """Tensors of one shape joined along a new dimension."""
    tensors = _several(tensors, "stack")
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


def _some(tensors, name):
    tensors = _several(tensors, name)
    if not tensors:
        raise RuntimeError(f"{name} expects a non-empty TensorList")
    return tensors


def hstack(tensors):
    """Joined side by side: along dimension 1 (0 for vectors)."""
    tensors = [atleast_1d(x) for x in _some(tensors, "hstack")]
    return cat(tensors, 0 if len(_shape(tensors[0])) == 1 else 1)


def vstack(tensors):
    """Joined one above the other."""
    return cat([atleast_2d(x) for x in _some(tensors, "vstack")], 0)


row_stack = vstack


def dstack(tensors):
    """Joined along the third dimension."""
    return cat([atleast_3d(x) for x in _some(tensors, "dstack")], 2)


def column_stack(tensors):
    """Vectors as columns, joined side by side."""
    tensors = _several(tensors, "column_stack")
    return cat([reshape(x, (-1, 1)) if len(_shape(x)) <= 1 else x for x in tensors], 1)


def _at_least(name, lift):
    def function(*tensors):
        if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
            return tuple([lift(x) for x in tensors[0]])
        return lift(tensors[0]) if len(tensors) == 1 else tuple([lift(x) for x in tensors])

    return renamed(function, name, f"Views with at least {name[8]} dimensions.")


def _lift3(x):
    shape = _shape(x)
    if len(shape) >= 3:
        return x
    return reshape(x, {0: (1, 1, 1), 1: (1, *shape, 1), 2: (*shape, 1)}[len(shape)])


atleast_1d = _at_least("atleast_1d", lambda x: x if _shape(x) else reshape(x, (1,)))
atleast_2d = _at_least("atleast_2d", lambda x: x if len(_shape(x)) >= 2 else reshape(x, (1, -1)))
atleast_3d = _at_least("atleast_3d", _lift3)


NAMESPACES = {
    "torch": [
        "cat",
        "concat",
        "concatenate",
        "stack",
        "hstack",
        "vstack",
        "row_stack",
        "dstack",
        "column_stack",
        "atleast_1d",
        "atleast_2d",
        "atleast_3d",
    ],
}
