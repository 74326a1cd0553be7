"""Grids, products and choices of vectors' elements, and block-diagonal matrices."""

from __future__ import annotations

import itertools
import warnings

import numpy as np

from facula.autograd.handle import TensorBase
from facula.base import dtypes
from facula.graph.primitives import indexing as ix
from facula.operators import kit
from facula.operators.basic import full, identity
from facula.operators.expanding import _expand
from facula.operators.joining import cat, stack
from facula.operators.movement import _view, ravel, reshape
from facula.operators.operator import operator
from facula.operators.slicing import narrow


def _shape(x):
    return x._value.spec.shape


def _dtype(x):
    return x._value.spec.dtype


def _listed(tensors) -> list:
    """Tensors given one by one or as one sequence."""
    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
        tensors = tensors[0]
    return list(tensors)


def meshgrid(*tensors, indexing=None):
    """Coordinates of all points of a grid: one tensor for each vector, all of the grid's shape.

    With ``indexing="ij"`` the first vector runs along the first dimension, with "xy" along the
    second.

    >>> import facula as torch
    >>> rows, columns = torch.meshgrid(torch.arange(2), torch.arange(3), indexing="ij")
    >>> rows
    tensor([[0, 0, 0],
            [1, 1, 1]])
    """
    vectors = _listed(tensors)
    if not vectors:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    for x in vectors:
        if len(_shape(x)) > 1:
            raise RuntimeError(
                f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {x}"
            )
        if _dtype(x) is not _dtype(vectors[0]):
            raise RuntimeError("meshgrid expects all tensors to have the same dtype")
    if indexing is None:
        warnings.warn(
            "torch.meshgrid: in an upcoming release, it will be required to pass the indexing "
            "argument.",
            UserWarning,
            stacklevel=2,
        )
    elif indexing not in ("xy", "ij"):
        raise RuntimeError(
            f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}'
        )
    swap = indexing == "xy" and len(vectors) >= 2
    if swap:
        vectors[0], vectors[1] = vectors[1], vectors[0]
    grids = _grids(vectors)
    if swap:
        grids[0], grids[1] = grids[1], grids[0]
    return tuple(grids)


def _grids(vectors) -> list:
    shape = tuple([x._value.spec.numel for x in vectors])
    found = []
    for i, x in enumerate(vectors):
        lifted = tuple([n if j == i else 1 for j, n in enumerate(shape)])
        found.append(_expand(_view(x, lifted), shape))
    return found


def _check_vector(x) -> None:
    if len(_shape(x)) != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(_shape(x))}")


def cartesian_prod(*tensors):
    """All combinations of one element of each vector, as rows."""
    vectors = _listed(tensors)
    for x in vectors:
        _check_vector(x)
    if len(vectors) == 1:
        return identity(vectors[0])
    return stack([ravel(x) for x in _grids(vectors)], 1)


@operator(
    name="IndexSelect", derivative={"input": lambda g, input, index: _spread(g, input, index)}
)
def _taken(input, index: tuple):
    return kit.bind(ix.index, input, kit.table(np.array(index, np.int64), dtypes.int64))


@operator(name="IndexAdd", derivative={"value": lambda g, index: _taken(g, index)})
def _spread(value, like, index: tuple):
    zeros = kit.full(_shape(like), 0, _dtype(value))
    table = kit.table(np.array(index, np.int64), dtypes.int64)
    return kit.bind(ix.index_put, zeros, value, table, mode="add")


def combinations(input, r=2, with_replacement=False):
    """All choices of ``r`` elements of a vector, as rows, in order."""
    _check_vector(input)
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return narrow(input, 0, 0, 0)
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = list(choose(range(_shape(input)[0]), r))
    if not rows:
        return reshape(narrow(input, 0, 0, 0), (0, r))
    return stack([_taken(input, tuple(column)) for column in zip(*rows, strict=True)], 1)


@operator(name="BlockDiag")
def _block_diag(blocks):
    own = kit.result_type(*blocks)
    width = sum(_shape(x)[1] for x in blocks)
    rows, left = [], 0
    for x in blocks:
        height, own_width = _shape(x)
        parts = [_zeros(height, left, own), x, _zeros(height, width - left - own_width, own)]
        rows.append(cat([p for p in parts if _shape(p)[1] or p is x], 1))
        left += own_width
    return cat(rows, 0)


def _zeros(rows, columns, own):
    return full((rows, columns), 0, own)


def block_diag(*tensors):
    """A matrix with the given matrices along its diagonal and zeros elsewhere."""
    blocks = _listed(tensors) if tensors else []
    if not blocks:
        return full((1, 0), 0, dtypes.default_float())
    lifted = []
    for i, x in enumerate(blocks):
        if not isinstance(x, TensorBase):
            raise TypeError(
                f"expected Tensor as element {i} in argument 0, but got {type(x).__name__}"
            )
        shape = _shape(x)
        if len(shape) > 2:
            raise RuntimeError(
                "torch.block_diag: Input tensors must have 2 or fewer dimensions. Input "
                f"{i} has {len(shape)} dimensions"
            )
        lifted.append(x if len(shape) == 2 else _view(x, (1, x._value.spec.numel)))
    return _block_diag(lifted)


NAMESPACES = {"torch": ["meshgrid", "cartesian_prod", "combinations", "block_diag"]}
