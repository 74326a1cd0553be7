"""SparseTensor: indices and values of what is not zero; everything else can be done densely.

A :class:`SparseTensor` computes with its values where PyTorch keeps the result sparse. Given to any
other operator it stands for its dense value, so results are right although they may be dense.
"""

from __future__ import annotations

import numpy as np

from facula import operators as ops
from facula.autograd.handle import TensorBase
from facula.base import dtypes
from facula.base.size import Size
from facula.tensors import conversion, creation, printing
from facula.tensors.build import adopt
from facula.tensors.tensor_class import Tensor


class SparseTensor(Tensor):
    """``torch.sparse_coo_tensor``: what is not listed in ``indices`` is zero.

    ``values`` keeps the gradient history, so gradients flow through the sparse tensor to whatever
    made it, or (for a leaf) arrive as the sparse ``grad``.
    """

    __slots__ = ()

    def __new__(cls, indices, values, size, coalesced=False):
        return build(indices, values, size, coalesced)

    # What operators that know nothing of sparse tensors see: the dense value.

    @property
    def _value(self):
        return self.to_dense()._value

    @property
    def _node(self):
        return self.to_dense()._node if self._entries._node is not None else None

    @property
    def _nr(self):
        return self.to_dense()._nr

    _alias = property(lambda self: None)

    def _sync(self) -> None:
        self._entries._sync()

    # Facts.

    shape = property(lambda self: self._size)
    dtype = property(lambda self: self._entries.dtype)
    ndim = property(lambda self: len(self._size))
    layout = property(lambda self: conversion.sparse_coo)
    is_sparse = property(lambda self: True)
    nbytes = property(lambda self: self._places.nbytes + self._entries.nbytes)
    _version = property(lambda self: self._entries._version)

    def dim(self) -> int:
        """Number of dimensions."""
        return len(self._size)

    ndimension = dim

    def size(self, dim=None):
        """The shape, or the size of one dimension."""
        return self._size if dim is None else self._size[dim]

    def numel(self) -> int:
        """Number of elements, zeros included."""
        return self._size.numel()

    nelement = numel

    def sparse_dim(self) -> int:
        """How many leading dimensions the indices address."""
        return self._places.shape[0]

    def dense_dim(self) -> int:
        """How many trailing dimensions each stored value has."""
        return len(self._size) - self.sparse_dim()

    def stride(self, dim=None):
        """Sparse tensors have no strides: zeros."""
        return (0,) * self.ndim if dim is None else 0

    def storage(self):
        """Sparse tensors have no storage."""
        raise NotImplementedError("Cannot access storage of SparseTensorImpl")

    untyped_storage = data_ptr = storage

    def is_contiguous(self, memory_format=None) -> bool:
        """Sparse tensors have no order in memory."""
        return False

    def _nnz(self) -> int:
        return self._places.shape[1]

    def is_coalesced(self) -> bool:
        """Whether indices are sorted and unique."""
        return self._unique

    def _indices(self):
        return self._places

    def _values(self):
        return self._entries.detach()

    def indices(self):
        """The indices, one row per sparse dimension; only of a coalesced tensor."""
        self._require_coalesced("indices")
        return self._places

    def values(self):
        """The stored values, first dimension = entry; only of a coalesced tensor."""
        self._require_coalesced("values")
        return self._entries

    def _require_coalesced(self, what: str) -> None:
        if not self._unique:
            raise RuntimeError(
                f"Cannot get {what} on an uncoalesced tensor, please call .coalesce() first"
            )

    def __repr__(self, *, tensor_contents=None) -> str:
        node = self.grad_fn
        return printing.format_sparse_coo(
            np.asarray(self._places._buffer()),
            np.asarray(self._entries.detach()._buffer()),
            self._size,
            self.dtype.name,
            default_dtype=dtypes.default_float().name,
            requires_grad=self.requires_grad,
            grad_fn_name=None if node is None else node.name(),
        )

    __str__ = __repr__

    # Gradients: those of the values.

    requires_grad = property(
        lambda self: self._entries.requires_grad,
        lambda self, wanted: creation.set_requires_grad(self._entries, wanted),
    )

    def requires_grad_(self, requires_grad: bool = True):
        """Set ``requires_grad`` and return the tensor."""
        self._entries.requires_grad_(requires_grad)
        return self

    is_leaf = property(lambda self: self._entries.is_leaf)
    grad_fn = property(lambda self: self._entries.grad_fn)

    @property
    def grad(self):
        """The gradient at the stored entries, as a sparse tensor."""
        found = self._entries.grad
        return None if found is None else build(self._places, found, self._size, self._unique)

    @grad.setter
    def grad(self, value) -> None:
        if value is None:
            self._entries.grad = None
        else:
            self._entries.grad = at_places(value, self)

    def detach(self):
        """The same entries outside the gradient graph."""
        return build(self._places, self._entries.detach(), self._size, self._unique)

    data = property(detach)

    def retain_grad(self) -> None:
        """Keep the gradient of a tensor that is not a leaf."""
        self._entries.retain_grad()

    # Conversions.

    def to_dense(self, dtype=None, *, masked_grad=None):
        """All elements, zeros included, as an ordinary tensor."""
        values = self._entries
        base = creation.zeros(self._size, dtype=values.dtype)
        if self._places.shape[0] == 0:
            dense = base + values.sum(0)
        else:
            dense = ops.index_put(base, tuple(self._places.unbind(0)), values, True)
        return dense if dtype is None else dense.to(dtype)

    def to_sparse(self, sparse_dim=None, *, layout=None):
        """The tensor itself: it is sparse already."""
        return self

    def coalesce(self):
        """Entries in order of their indices, those at one place added up."""
        if self._unique:
            return self
        keys = keys_of(self._places, self._size)
        kept, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        places = adopt(np.ascontiguousarray(self._places._buffer()[:, first]))
        values = self._entries
        base = creation.zeros(len(kept), *values.shape[1:], dtype=values.dtype)
        total = ops.index_add(base, 0, adopt(inverse.reshape(-1).astype(np.int64)), values)
        return build(places, total, self._size, True)

    def to(self, *args, **kwargs):
        """The tensor in another dtype."""
        return self._mapped(lambda values: values.to(*args, **kwargs))

    def type(self, dtype=None, non_blocking=False):
        """Without arguments the type's name; else the tensor in that type."""
        if dtype is None:
            return f"torch.sparse.{self.dtype.legacy}Tensor"
        return self._mapped(lambda values: values.type(dtype))

    def cpu(self, memory_format=None):
        """The tensor on the CPU: itself."""
        return self

    def clone(self, *, memory_format=None):
        """A copy of indices and values."""
        return build(self._places.clone(), self._entries.clone(), self._size, self._unique)

    def numpy(self, *, force=False):
        """Refused: NumPy has no sparse arrays."""
        raise TypeError("can't convert Sparse layout tensor to numpy. Use Tensor.to_dense() first.")

    def tolist(self):
        """The dense values as nested lists."""
        return self.to_dense().tolist()

    def item(self):
        """The value of a tensor with one element."""
        return self.to_dense().item()

    def __deepcopy__(self, memo):
        made = memo[id(self)] = self.detach().clone().requires_grad_(self.requires_grad)
        return made

    def __reduce_ex__(self, protocol):
        parts = (self._places.clone(), self._entries.detach().clone(), tuple(self._size))
        return _restore, (*parts, self._unique, self.requires_grad)

    def _mapped(self, function):
        """The same places with values passed through a function that keeps zero."""
        return build(self._places, function(self._entries), self._size, self._unique)

    # Computing.

    def transpose(self, dim0, dim1):
        """Two sparse dimensions exchanged."""
        n = self.ndim
        dim0, dim1 = dim0 % n, dim1 % n
        if max(dim0, dim1) >= self.sparse_dim():
            return self.to_dense().transpose(dim0, dim1).to_sparse()
        order = list(range(n))
        order[dim0], order[dim1] = dim1, dim0
        places = np.asarray(self._places._buffer())[order[: self.sparse_dim()]]
        size = tuple([self._size[i] for i in order])
        return build(adopt(np.ascontiguousarray(places)), self._entries, size, False)

    def t(self):
        """The transpose of a matrix."""
        return self if self.ndim < 2 else self.transpose(0, 1)

    T = property(t)

    def add(self, other, *, alpha=1):
        """Sum with a sparse tensor of the same shape."""
        if not isinstance(other, SparseTensor):
            if isinstance(other, TensorBase) and other.ndim:
                raise RuntimeError(
                    "add(sparse, dense) is not supported. Use add(dense, sparse) instead."
                )
            raise NotImplementedError("a number cannot be added to a sparse tensor")
        if self._size != other._size:
            raise RuntimeError(
                "add: expected sizes of 'self' and 'other' to match, but "
                f"{list(self._size)} != {list(other._size)}"
            )
        second = other._entries if alpha == 1 else other._entries * alpha
        places = ops.cat([self._places, other._places], 1)
        made = build(places, ops.cat([self._entries, second], 0), self._size, False).coalesce()
        return marked(made, self._unique and other._unique)

    def sub(self, other, *, alpha=1):
        """Difference with a sparse tensor of the same shape."""
        return self.add(other, alpha=-alpha)

    def mul(self, other):
        """Product with a number, a dense tensor or a sparse tensor; sparse."""
        if isinstance(other, SparseTensor):
            return _intersection(self, other)
        if isinstance(other, TensorBase) and other.ndim:
            return build(
                self._places, self._entries * at_places(other, self), self._size, self._unique
            )
        return self._mapped(lambda values: values * other)

    def div(self, other, *, rounding_mode=None):
        """Quotient by a number."""
        if isinstance(other, TensorBase) and other.ndim:
            raise RuntimeError("Sparse division requires a scalar or zero-dim dense tensor divisor")
        return self._mapped(lambda values: ops.div(values, other, rounding_mode=rounding_mode))

    def matmul(self, other):
        """Product of a sparse matrix with a dense (or sparse) matrix or vector."""
        return multiply(self, other)

    mm = mv = smm = matmul

    def pow(self, exponent):
        """Each value to a power."""
        return self.coalesce()._mapped(lambda values: values**exponent)

    def sum(self, dim=None, keepdim=False, dtype=None):
        """The sum of everything (dense), or over dimensions (sparse)."""
        if dim is None:
            return self._entries.sum(dtype=dtype)
        return sum_over(self, dim, dtype)

    def index_select(self, dim, index):
        """Rows picked by index, sparse."""
        return self.to_dense().index_select(dim, index).to_sparse()

    def __getitem__(self, key):
        found = self.to_dense()[key]
        return found.to_sparse() if found.ndim else found

    def _replace(self, other):
        """Become ``other``: how in-place operations write."""
        if self.requires_grad and self.is_leaf and not other.is_leaf:
            raise RuntimeError(
                "a leaf Variable that requires grad is being used in an in-place operation."
            )
        self._places, self._entries, self._unique = other._places, other._entries, other._unique
        self._size = other._size
        return self

    def zero_(self):
        """Remove every entry."""
        return self._replace(empty(self._size, self.dtype, self.sparse_dim()))

    def copy_(self, src, non_blocking=False):
        """Take over the entries of another sparse tensor."""
        return self._replace(src.to(self.dtype))

    def __hash__(self) -> int:
        return id(self)


def marked(tensor, flag):
    tensor._unique = bool(flag)
    return tensor


def build(indices, values, size, coalesced=False) -> SparseTensor:
    """A sparse tensor over checked parts."""
    made = object.__new__(SparseTensor)
    made._places, made._entries = indices, values
    made._size, made._unique = Size(size), bool(coalesced)
    return made


def _restore(indices, values, size, coalesced, requires_grad):
    return build(indices, values, size, coalesced).requires_grad_(requires_grad)


def empty(size, dtype, sparse_dim=None):
    count = len(size) if sparse_dim is None else sparse_dim
    places = creation.zeros(count, 0, dtype=dtypes.int64)
    return build(places, creation.zeros(0, *size[count:], dtype=dtype), size, True)


def keys_of(indices, size) -> np.ndarray:
    """One number per entry that orders entries by their indices."""
    rows = np.asarray(indices._buffer())
    if rows.shape[0] == 0:
        return np.zeros(rows.shape[1], np.int64)
    keys = np.zeros(rows.shape[1], np.int64)
    for row, length in zip(rows, size, strict=False):
        keys = keys * length + row
    return keys


def at_places(dense, sparse):
    """Elements of a dense (or sparse) tensor at the places of a sparse one."""
    if isinstance(dense, SparseTensor):
        dense = dense.to_dense()
    wide = dense.expand(sparse._size)
    return wide[tuple(sparse._places.unbind(0))]


def _intersection(a, b):
    """The product of two sparse tensors: entries that both have."""
    if a._size != b._size:
        raise RuntimeError(
            "mul operands have incompatible sizes: "
            f"expected {list(a._size)} but got {list(b._size)}"
        )
    a, b = a.coalesce(), b.coalesce()
    _, left, right = np.intersect1d(
        keys_of(a._places, a._size), keys_of(b._places, b._size), True, return_indices=True
    )
    places = adopt(np.ascontiguousarray(np.asarray(a._places._buffer())[:, left]))
    values = a._entries[adopt(left.astype(np.int64))] * b._entries[adopt(right.astype(np.int64))]
    return build(places, values, a._size, True)


def multiply(sparse, other):
    """Sparse matrix times dense matrix or vector (dense), or times sparse matrix (sparse).

    The dense product costs one row of ``other`` per stored value and is differentiable in both.
    """
    if not isinstance(sparse, SparseTensor):
        if isinstance(other, SparseTensor):
            return multiply(other.t(), sparse.t()).t()
        return ops.matmul(sparse, other)
    if sparse.ndim != 2 or sparse.dense_dim():
        return ops.matmul(sparse.to_dense(), other)
    if sparse._size[1] != other.shape[0]:
        raise RuntimeError(
            "mat1 and mat2 shapes cannot be multiplied "
            f"({'x'.join(map(str, sparse._size))} and {'x'.join(map(str, other.shape))})"
        )
    if isinstance(other, SparseTensor):
        return multiply(sparse, other.to_dense()).to_sparse()
    rows, columns = sparse._places.unbind(0)
    weights = sparse._entries
    picked = ops.index_select(other, 0, columns)
    scaled = picked * (weights.unsqueeze(1) if other.ndim == 2 else weights)
    base = creation.zeros(sparse._size[0], *other.shape[1:], dtype=scaled.dtype)
    return ops.index_add(base, 0, rows, scaled)


def sum_over(sparse, dim, dtype=None):
    """Sum over dimensions; sparse while a sparse dimension is left, else dense."""
    dims = sorted({d % sparse.ndim for d in ([dim] if isinstance(dim, int) else dim)})
    count = sparse.sparse_dim()
    values = sparse._entries if dtype is None else sparse._entries.to(dtype)
    dense = [d - count + 1 for d in dims if d >= count]
    if dense:
        values = values.sum(dense)
    kept = [d for d in range(count) if d not in dims]
    size = [n for d, n in enumerate(sparse._size) if d not in dims]
    if not kept:
        return values.sum(0)
    places = adopt(np.ascontiguousarray(np.asarray(sparse._places._buffer())[kept]))
    return build(places, values, size, False).coalesce()
