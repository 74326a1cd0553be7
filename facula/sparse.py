"""``torch.sparse``: functions of sparse tensors that are not methods."""

from __future__ import annotations

import numpy as np

from facula import operators as ops
from facula import tensors
from facula.base import dtypes
from facula.tensors import Tensor
from facula.tensors.build import adopt
from facula.tensors.legacy import LegacyType
from facula.tensors.sparse import sparse_coo_tensor
from facula.tensors.sparse_tensor import SparseTensor, build, keys_of, multiply, sum_over

__all__ = ["addmm", "log_softmax", "mm", "softmax", "sum"]

_TYPES = "BFloat16 Byte Char Double Float Half Int Long Short"


class SparseType(LegacyType):
    """``torch.sparse.FloatTensor`` and friends: names for sparse tensors of one dtype."""

    def __instancecheck__(cls, instance) -> bool:
        return isinstance(instance, SparseTensor) and instance.dtype is cls.dtype

    def __repr__(cls) -> str:
        return f"<class 'torch.sparse.{cls.__name__}'>"

    __str__ = __repr__


def _built(own, args) -> Tensor:
    """From indices and values, and a size if given; or empty, of a size."""
    if len(args) in (2, 3) and isinstance(args[0], Tensor):
        if not isinstance(args[1], Tensor):
            raise TypeError(
                "new() received an invalid combination of arguments: the values of a sparse "
                f"tensor are a tensor, not {type(args[1]).__name__}"
            )
        return sparse_coo_tensor(*args)
    sizes = args[0] if len(args) == 1 and isinstance(args[0], (tuple, list)) else args
    return sparse_coo_tensor(size=tuple(sizes) or (0,), dtype=own)


globals().update(
    {
        f"{own.legacy}Tensor": SparseType(
            f"{own.legacy}Tensor",
            (),
            {"dtype": own, "build": staticmethod(_built), "is_cuda": False},
        )
        for own in dtypes.ALL
        if own.legacy in _TYPES.split()
    }
)


def mm(mat1: Tensor, mat2: Tensor) -> Tensor:
    """Product of a sparse matrix with a dense (result dense) or sparse (result sparse) matrix.

    >>> import facula as torch
    >>> a = torch.eye(2).to_sparse()
    >>> torch.sparse.mm(a, torch.ones(2, 1))
    tensor([[1.],
            [1.]])
    """
    return multiply(mat1, mat2)


def spmm(mat1: Tensor, mat2: Tensor) -> Tensor:
    """``torch.spmm``: the product of two matrices, the first of which is usually sparse."""
    if mat2.ndim != 2:
        raise RuntimeError("mat2 must be a matrix")
    return multiply(mat1, mat2)


def addmm(mat: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1.0, alpha: float = 1.0):
    """``beta * mat + alpha * (mat1 @ mat2)`` with a sparse ``mat1``."""
    return mat * beta + multiply(mat1, mat2) * alpha


def sum(input: Tensor, dim=None, dtype=None) -> Tensor:
    """Sum of a sparse tensor's entries, or over dimensions."""
    if not isinstance(input, SparseTensor):
        raise RuntimeError("torch.sparse.sum expects a sparse tensor")
    return input.sum(dtype=dtype) if dim is None else sum_over(input, dim, dtype)


def _normalised(input, dim, dtype, log):
    """Softmax over the stored entries of each slice; missing entries count as minus infinity."""
    if not isinstance(input, SparseTensor):
        raise RuntimeError("torch.sparse.softmax expects a sparse tensor")
    input = input.coalesce()
    values = input.values() if dtype is None else input.values().to(dtype)
    dim = dim % input.ndim
    if dim >= input.sparse_dim():
        function = ops.log_softmax if log else ops.softmax
        return build(
            input.indices(), function(values, dim - input.sparse_dim() + 1), input.shape, True
        )
    others = [d for d in range(input.sparse_dim()) if d != dim]
    rows = np.asarray(input.indices()._buffer())[others]
    keys = keys_of(adopt(np.ascontiguousarray(rows)), [input.shape[d] for d in others])
    kept, inverse = np.unique(keys, return_inverse=True)
    group = adopt(inverse.reshape(-1).astype(np.int64))
    data = np.asarray(values.detach()._buffer())
    largest = np.full((len(kept), *data.shape[1:]), -np.inf, data.dtype)
    np.maximum.at(largest, inverse.reshape(-1), data)
    shifted = values - adopt(largest)[group]
    base = tensors.zeros(*largest.shape, dtype=values.dtype)
    totals = ops.index_add(base, 0, group, ops.exp(shifted))[group]
    found = shifted - ops.log(totals) if log else ops.exp(shifted) / totals
    return build(input.indices(), found, input.shape, True)


def softmax(input: Tensor, dim: int, *, dtype=None) -> Tensor:
    """Softmax along a dimension of a sparse tensor; what is not stored stays zero."""
    return _normalised(input, dim, dtype, log=False)


def log_softmax(input: Tensor, dim: int, *, dtype=None) -> Tensor:
    """Logarithm of :func:`softmax`."""
    return _normalised(input, dim, dtype, log=True)
