"""Sparse tensors in coordinate form: making them, and their methods that follow from a table."""

from __future__ import annotations

import numpy as np

from facula import operators as ops
from facula.autograd.handle import TensorBase
from facula.base import devices, dtypes
from facula.tensors import conversion, creation
from facula.tensors.build import adopt
from facula.tensors.sparse_tensor import SparseTensor, at_places, build, empty, marked


def _binary(name, reverse=False):
    def method(self, other):
        return getattr(self, name)(other)

    return method


def _unary(name):
    """A function with f(0) = 0 acts on the stored values."""

    def method(self, *args, **kwargs):
        function = getattr(ops, name)
        return self.coalesce()._mapped(lambda values: function(values, *args, **kwargs))

    method.__name__ = name
    method.__doc__ = f"``{name}`` of the stored values."
    return method


def _in_place(name):
    def method(self, *args, **kwargs):
        return self._replace(getattr(self, name)(*args, **kwargs))

    method.__name__ = f"{name}_"
    method.__doc__ = f"In-place form of ``{name}``."
    return method


_ZERO_KEEPING = (
    "abs", "neg", "sqrt", "sin", "tan", "asin", "atan", "sinh", "tanh", "asinh", "atanh", "expm1",
    "log1p", "floor", "ceil", "round", "trunc", "sign", "relu", "erf", "square",
)  # fmt: skip
_CONVERSIONS = ("float", "double", "half", "bfloat16", "int", "long", "short", "bool")


def _install() -> None:
    for name in _ZERO_KEEPING:
        if hasattr(ops, name):
            setattr(SparseTensor, name, _unary(name))
            setattr(SparseTensor, f"{name}_", _in_place(name))
    for name in ("add", "sub", "mul", "div", "pow", "coalesce"):
        setattr(SparseTensor, f"{name}_", _in_place(name))
    for name in _CONVERSIONS:
        convert = conversion.CONVERTERS[name]
        setattr(SparseTensor, name, lambda self, convert=convert: self._mapped(convert))
    for symbol, name in {"add": "add", "sub": "sub", "mul": "mul", "truediv": "div"}.items():
        setattr(SparseTensor, f"__{symbol}__", _binary(name))
        setattr(SparseTensor, f"__i{symbol}__", _in_place(name))
    SparseTensor.__radd__ = lambda self, other: other + self.to_dense()
    SparseTensor.__rmul__ = _binary("mul")
    SparseTensor.__matmul__ = _binary("matmul")
    SparseTensor.__pow__ = _binary("pow")
    SparseTensor.__neg__ = SparseTensor.neg
    SparseTensor.__abs__ = SparseTensor.abs
    SparseTensor.divide = SparseTensor.true_divide = SparseTensor.div
    SparseTensor.multiply, SparseTensor.subtract = SparseTensor.mul, SparseTensor.sub
    SparseTensor._coalesced_ = lambda self, flag: marked(self, flag)


def _refused(name, text, error=RuntimeError):
    def method(self, *args, **kwargs):
        raise error(text)

    method.__name__ = name
    method.__doc__ = "Only sparse tensors have it."
    return method


_NEEDS = "{} expected sparse coordinate tensor layout but got Strided"
OF_DENSE = {
    name: _refused(name, _NEEDS.format(name)) for name in ("coalesce", "is_coalesced", "indices")
}
OF_DENSE["values"] = _refused("values", "values expected sparse tensor layout but got Strided")
OF_DENSE |= {
    name: _refused(
        name,
        f"Could not run 'aten::{name}' with arguments from the 'CPU' backend: only sparse tensors "
        "have it.",
        NotImplementedError,
    )
    for name in ("_indices", "_values", "_nnz")
}
OF_DENSE["sparse_dim"] = lambda self: 0
OF_DENSE["dense_dim"] = lambda self: self.ndim
_install()


def _rows(indices) -> tuple:
    """Indices as one array per sparse dimension."""
    return tuple(np.asarray(indices._buffer()))


def _as_values(values, dtype):
    if isinstance(values, TensorBase):
        return values if dtype is None else values.to(dtype)
    return creation.tensor(values, dtype=dtype)


def sparse_coo_tensor(
    indices=None, values=None, size=None, *, dtype=None, device=None, pin_memory=False,
    requires_grad=False, check_invariants=None, is_coalesced=None,
):  # fmt: skip
    """A tensor given by the places (``indices``, one column per entry) and values of its entries.

    Entries at the same place add up. RuntimeError if an index does not fit ``size``.

    >>> import facula as torch
    >>> torch.sparse_coo_tensor([[0, 1], [2, 0]], [3.0, 4.0], (2, 3)).to_dense()
    tensor([[0., 0., 3.],
            [4., 0., 0.]])
    """
    devices.usable(device)
    if values is None:
        shape = creation.size_of((indices,)) if size is None else tuple(size)
        return empty(shape, dtype or dtypes.default_float()).requires_grad_(requires_grad)
    values = _as_values(values, dtype)
    indices = _as_values(indices, dtypes.int64)
    if indices.ndim == 1:
        indices = indices.reshape(1, -1)
    if indices.ndim != 2:
        raise RuntimeError(f"indices must be sparse_dim x nnz, but got: {list(indices.shape)}")
    if not values.ndim:
        values = values.reshape(1)
    if indices.shape[1] != values.shape[0]:
        raise RuntimeError(
            "indices and values must have same nnz, but got nnz from indices: "
            f"{indices.shape[1]}, nnz from values: {values.shape[0]}"
        )
    size = _checked_size(indices, values, size)
    if requires_grad:
        values = values.detach().clone()
    made = build(indices.detach(), values, size, bool(is_coalesced))
    return made.requires_grad_() if requires_grad else made


def _checked_size(indices, values, size):
    rows = _rows(indices)
    largest = [int(row.max()) + 1 if row.size else 0 for row in rows]
    if size is None:
        size = (*largest, *values.shape[1:])
    size = tuple([int(n) for n in size])
    if len(size) != len(rows) + values.ndim - 1:
        raise RuntimeError(
            "number of dimensions must be sparse_dim "
            f"({len(rows)}) + dense_dim ({values.ndim - 1}), but got {len(size)}"
        )
    for d, (row, top) in enumerate(zip(rows, largest, strict=True)):
        if row.size and row.min() < 0:
            raise RuntimeError(f"found negative index {row.min()} for dim {d}")
        if top > size[d]:
            raise RuntimeError(
                f"size is inconsistent with indices: for dim {d}, size is {size[d]} but found "
                f"index {top - 1}"
            )
    for d, n in enumerate(values.shape[1:]):
        if size[len(rows) + d] != n:
            raise RuntimeError(
                f"values has incorrect size, expected {[indices.shape[1], *size[len(rows) :]]}, "
                f"got {list(values.shape)}"
            )
    return size


def to_sparse(self, sparse_dim=None, *, layout=None):
    """The non-zero elements in coordinate form; the first ``sparse_dim`` dimensions are indexed.

    >>> import facula as torch
    >>> torch.tensor([0.0, 5.0]).to_sparse()
    tensor(indices=tensor([[1]]),
           values=tensor([5.]),
           size=(2,), nnz=1, layout=torch.sparse_coo)
    """
    if layout is not None and layout is not conversion.sparse_coo:
        raise RuntimeError(f"to_sparse: only layout torch.sparse_coo is supported, got {layout}")
    count = self.ndim if sparse_dim is None else sparse_dim
    if not 0 <= count <= self.ndim or (count == 0 and self.ndim):
        raise RuntimeError(f"sparse_dim must be in [1, {self.ndim}], but got {count}")
    found = np.asarray(self.detach()._buffer()) != 0
    mask = found.reshape(*found.shape[:count], -1).any(-1) if count < self.ndim else found
    places = adopt(np.array(np.nonzero(mask), np.int64).reshape(count, -1))
    if not count:
        values = self.reshape(1)[: int(mask.sum())]
        return build(creation.zeros(0, values.shape[0], dtype=dtypes.int64), values, (), True)
    values = self[tuple(places.unbind(0))]
    return build(places, values, self.shape, True)


def to_dense(self, dtype=None, *, masked_grad=None):
    """An ordinary tensor is dense already."""
    return self if dtype is None else self.to(dtype)


def sparse_mask(self, mask):
    """The elements at the places where a sparse tensor has entries."""
    mask = mask.coalesce()
    return build(mask._places, at_places(self, mask), mask._size, True)
