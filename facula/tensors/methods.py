"""Tensor's methods: operators that are methods, their in-place forms, and Python's operators."""

from __future__ import annotations

import functools

import numpy as np

from facula import operators as ops
from facula.autograd.handle import TensorBase
from facula.autograd.modes import modes
from facula.autograd.storage import Alias, contiguous_strides
from facula.base import dtypes
from facula.operators import (
    arithmetic,
    comparison,
    expanding,
    joining,
    movement,
    namespaces,
    pointwise,
    rearranging,
)
from facula.operators.basic import copy as copy_value
from facula.operators.basic import filled as _filled
from facula.operators.basic import full, sum_to_size_copy
from facula.operators.inplace import check_history, write
from facula.tensors import conversion, creation, dlpack, random, sparse, storages
from facula.tensors.build import adopt, to_array
from facula.tensors.reinterpret import view_dtype
from facula.tensors.tensor_class import Tensor


def _in_place(function, name):
    """``x.name_(...)``: compute, then write into x."""

    @functools.wraps(function, updated=())
    def method(self, *args, **kwargs):
        return write(self, function(self, *args, **kwargs))

    method.__name__ = f"{name}_"
    method.__doc__ = f"In-place form of ``{name}``."
    return method


_VIEWS_IN_PLACE = ("transpose", "t", "squeeze", "unsqueeze", "swapaxes", "swapdims")


def _view_in_place(function, name):
    """``x.name_(...)`` for views: the tensor becomes that view of itself."""

    def method(self, *args, **kwargs):
        if modes.grad:
            check_history(self)
        view = function(self, *args, **kwargs)
        own, new = self._own_alias(), view._alias
        self._value = view._value
        self._alias = Alias(
            new.storage, new.chain, own.base, own.depth, new.strides, new.offset, new.seen, own.made
        )
        self._node, self._nr = view._node, view._nr
        return self

    method.__name__ = f"{name}_"
    method.__doc__ = f"In-place form of ``{name}``."
    return method


def _sizes(args, named=None):
    """Sizes given as separate ints, as one sequence, or by name."""
    if named is not None:
        return tuple(named)
    if len(args) == 1 and not isinstance(args[0], (int, np.integer, TensorBase)):
        return tuple(args[0])
    return args


def view(self, *sizes, dtype=None, size=None):
    """The same memory in another shape, or (given a dtype) read as another type."""
    if dtype is None and len(sizes) == 1 and isinstance(sizes[0], (dtypes.dtype, type)):
        dtype = sizes[0]
    if dtype is not None:
        return view_dtype(self, dtypes.meant(dtype))
    return movement.view(self, _sizes(sizes, size))


def reshape(self, *sizes, shape=None):
    """The elements in another shape; a view where possible."""
    return movement.reshape(self, _sizes(sizes, shape))


def permute(self, *axes, dims=None):
    """The dimensions in another order (a view)."""
    return movement.permute(self, _sizes(axes, dims))


def expand(self, *sizes, size=None, implicit=False):
    """Size-1 dimensions repeated without copying."""
    return expanding.expand(self, _sizes(sizes, size))


def repeat(self, *counts, repeats=None):
    """The tensor copied along each dimension."""
    return rearranging.repeat(self, _sizes(counts, repeats))


def tile(self, *counts, dims=None):
    """``repeat`` that puts missing counts of 1 in front."""
    return rearranging.tile(self, _sizes(counts, dims))


def flip(self, *axes, dims=None):
    """Elements in reverse order along dimensions."""
    if not axes and dims is None:
        raise TypeError('flip() missing 1 required positional arguments: "dims"')
    return rearranging.flip(self, _sizes(axes, dims))


def sum_to_size(self, *sizes, size=None):
    """Sum over the dimensions along which ``size`` broadcasts to this shape."""
    size = _sizes(sizes, size)
    if self.dtype.category <= dtypes.INTEGER and (not size or size != self.shape):
        self = self.long()  # as every sum of integers
    return sum_to_size_copy(self, size)


def copy_(self, src, non_blocking=False):
    """Write the elements of ``src``, broadcast and converted, into the tensor."""
    if not isinstance(src, TensorBase):
        src = creation.tensor(src)
    expanding.expand(src, self._value.spec.shape)
    return write(self, copy_value(self, src))


def fill_(self, value):
    """Set every element to ``value``."""
    if isinstance(value, TensorBase):
        if value.ndim:
            raise RuntimeError(
                "fill_ only supports 0-dimension value tensor but got tensor with "
                f"{value.ndim} dimensions."
            )
        return copy_(self, value)
    own = self._value.spec
    if self._alias is not None:
        self._sync()
    if self._node is not None:
        return write(self, _filled(self, value), constant=True)
    return write(self, full(own.shape, value, own.dtype), constant=True)


def fill_diagonal_(self, fill_value, wrap=False):
    """Set the main diagonal to a value; in tall matrices ``wrap`` starts it anew below."""
    shape = self._value.spec.shape
    if len(shape) < 2:
        raise RuntimeError("dimensions must larger than 1")
    if len(shape) > 2 and len(set(shape)) > 1:
        raise RuntimeError("all dimensions of input must be of equal length")
    mask = np.zeros(shape, bool)
    np.fill_diagonal(mask, True, wrap=wrap)
    return write(self, ops.masked_fill(self, adopt(mask), fill_value))


def zero_(self):
    """Set every element to zero."""
    return fill_(self, 0)


def new_tensor(self, data, *, dtype=None, device=None, requires_grad=False):
    """A tensor of the data with this tensor's dtype."""
    return creation.tensor(
        data, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad
    )


def _new(make):
    def method(
        self,
        *size,
        dtype=None,
        device=None,
        requires_grad=False,
        layout=None,
        pin_memory=False,
        **named,
    ):
        return make(
            *size, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad, **named
        )

    return method


def new_full(
    self,
    size,
    fill_value,
    *,
    dtype=None,
    device=None,
    requires_grad=False,
    layout=None,
    pin_memory=False,
):
    """A tensor of one value with this tensor's dtype."""
    return creation.full(
        size, fill_value, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad
    )


def new_empty_strided(
    self,
    size,
    stride,
    *,
    dtype=None,
    layout=None,
    device=None,
    requires_grad=False,
    pin_memory=False,
):
    """An empty tensor with given strides and this tensor's dtype."""
    return creation.empty_strided(
        size, stride, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad
    )


def new(self, *args, size=None, device=None):
    """Old constructor: a tensor of this tensor's dtype from sizes or data."""
    if size is not None:
        return creation.empty(size, dtype=self.dtype)
    if not args:
        return creation.empty(0, dtype=self.dtype)
    if isinstance(args[0], (int, np.integer, type(self.shape))):
        return creation.empty(*args, dtype=self.dtype)
    array, own = to_array(args[0], self.dtype)
    return adopt(array, own)


def resize_(self, *sizes, size=None, memory_format=None):
    """Change the size in place; new elements are zero."""
    size = _sizes(sizes, size)
    own = self._value.spec
    if size == own.shape:
        return self
    made = creation.zeros(size, dtype=own.dtype)
    keep = min(made.numel(), own.numel)
    if keep:
        flat = made.view(-1)
        flat[:keep] = self.detach().reshape(-1)[:keep]
    conversion.set_data(self, made)
    return self


def resize_as_(self, other):
    """Change the size to that of another tensor."""
    return resize_(self, other.shape)


def set_(self, source=None, storage_offset=0, size=None, stride=None):
    """Point the tensor at another tensor's memory, or at a window on it."""
    if source is None:
        source = creation.empty(0, dtype=self.dtype)
    elif isinstance(source, (storages.UntypedStorage, storages.TypedStorage)):
        source = source._flat(self.dtype)
    if size is not None:
        stride = contiguous_strides(tuple(size)) if stride is None else stride
        source = source.detach().as_strided(size, stride, storage_offset)
    conversion.set_data(self, source)
    return self


def type_as(self, other):
    """The tensor in another's dtype."""
    return conversion.to(self, other.dtype)


def apply_(self, function):
    """Replace each element by ``function(element)``; slow, for small tensors."""
    array = np.array(self._buffer())
    flat = array.reshape(-1)
    for i, value in enumerate(flat.tolist()):
        flat[i] = function(value)
    return write(self, adopt(array, self.dtype))


def map_(self, other, function):
    """Replace each element by ``function(own, other)``."""
    array = np.array(self._buffer())
    wide = np.broadcast_to(other._buffer(), array.shape)
    values = [
        function(a, b)
        for a, b in zip(array.reshape(-1).tolist(), wide.reshape(-1).tolist(), strict=True)
    ]
    return write(self, adopt(np.asarray(values, array.dtype).reshape(array.shape), self.dtype))


class _Operands(dict):
    """type -> whether Python's operators take it beside a tensor; each type is examined once."""

    def __missing__(self, cls: type) -> bool:
        taken = issubclass(cls, (TensorBase, int, float, complex, np.generic))
        self[cls] = taken
        return taken


_operands = _Operands()


def _comparison(function):
    """Comparisons with foreign objects are Python's business."""

    def method(self, other):
        if _operands[other.__class__]:
            return function(self, other)
        if isinstance(other, np.ndarray):
            return function(self, adopt(np.array(other)))
        return NotImplemented

    return method


def _arithmetic(function, *rest):
    def method(self, other):
        if _operands[other.__class__]:
            return function(self, other, *rest)
        if isinstance(other, np.ndarray):
            return function(self, adopt(np.array(other)), *rest)
        return NotImplemented

    return method


def _augmented(function, *rest):
    """``x += y``; as in PyTorch, ``x += array`` makes a new tensor, through ``x + array``."""

    def method(self, other):
        if _operands[other.__class__]:
            return write(self, function(self, other, *rest))
        return NotImplemented

    return method


def _matrix_product(swapped):
    """``a @ b``; beside an array of another dtype both are promoted, as NumPy does."""

    def method(self, other):
        if isinstance(other, np.ndarray):
            other = adopt(np.array(other))
            own = dtypes.promote_types(self.dtype, other.dtype)
            self, other = conversion.to(self, own), conversion.to(other, own)
        elif not isinstance(other, TensorBase):
            return NotImplemented
        return ops.matmul(other, self) if swapped else ops.matmul(self, other)

    return method


_add = arithmetic._add
_sub = arithmetic._sub
_rsub = arithmetic._rsub

DUNDERS = {
    "__add__": _arithmetic(_add, None),
    "__radd__": _arithmetic(_add, None),
    "__iadd__": _augmented(_add, None),
    "__sub__": _arithmetic(_sub, None),
    "__rsub__": _arithmetic(_rsub, None),
    "__isub__": _augmented(_sub, None),
    "__mul__": _arithmetic(arithmetic.mul),
    "__rmul__": _arithmetic(arithmetic.mul),
    "__imul__": _augmented(arithmetic.mul),
    "__truediv__": _arithmetic(arithmetic.true_divide),
    "__rtruediv__": _arithmetic(lambda a, b: arithmetic.mul(pointwise.reciprocal(a), b)),
    "__rdiv__": _arithmetic(lambda a, b: arithmetic.mul(pointwise.reciprocal(a), b)),
    "__itruediv__": _augmented(arithmetic.true_divide),
    "__floordiv__": _arithmetic(arithmetic.floor_divide),
    "__rfloordiv__": _arithmetic(lambda a, b: arithmetic.floor_divide(b, a)),
    "__ifloordiv__": _augmented(arithmetic.floor_divide),
    "__mod__": _arithmetic(arithmetic.remainder),
    "__rmod__": _arithmetic(lambda a, b: arithmetic.remainder(b, a)),
    "__imod__": _augmented(arithmetic.remainder),
    "__pow__": _arithmetic(arithmetic.power),
    "__rpow__": _arithmetic(lambda a, b: arithmetic.pow_(b, a)),
    "__ipow__": _augmented(arithmetic.power),
    "__matmul__": _matrix_product(swapped=False),
    "__rmatmul__": _matrix_product(swapped=True),
    "__neg__": lambda a: pointwise.neg(a),
    "__pos__": pointwise.positive,
    "__abs__": lambda a: pointwise.abs(a),
    "__invert__": lambda a: comparison.bitwise_not(a),
    "__and__": _arithmetic(comparison.bitwise_and),
    "__rand__": _arithmetic(comparison.bitwise_and),
    "__iand__": _augmented(comparison.bitwise_and),
    "__or__": _arithmetic(comparison.bitwise_or),
    "__ror__": _arithmetic(comparison.bitwise_or),
    "__ior__": _augmented(comparison.bitwise_or),
    "__xor__": _arithmetic(comparison.bitwise_xor),
    "__rxor__": _arithmetic(comparison.bitwise_xor),
    "__ixor__": _augmented(comparison.bitwise_xor),
    "__lshift__": _arithmetic(comparison.bitwise_left_shift),
    "__rlshift__": _arithmetic(lambda a, b: comparison.bitwise_left_shift(b, a)),
    "__ilshift__": _augmented(comparison.bitwise_left_shift),
    "__rshift__": _arithmetic(comparison.bitwise_right_shift),
    "__rrshift__": _arithmetic(lambda a, b: comparison.bitwise_right_shift(b, a)),
    "__irshift__": _augmented(comparison.bitwise_right_shift),
    "__eq__": _comparison(comparison.eq),
    "__ne__": _comparison(comparison.ne),
    "__lt__": _comparison(comparison.lt),
    "__le__": _comparison(comparison.le),
    "__gt__": _comparison(comparison.gt),
    "__ge__": _comparison(comparison.ge),
}

OWN = {
    "where": lambda self, condition, other: ops.where(condition, self, other),
    "view": view, "reshape": reshape, "permute": permute, "expand": expand, "repeat": repeat,
    "tile": tile, "flip": flip, "sum_to_size": sum_to_size, "copy_": copy_, "fill_": fill_,
    "zero_": zero_, "new_tensor": new_tensor, "new_zeros": _new(creation.zeros),
    "new_ones": _new(creation.ones), "new_empty": _new(creation.empty), "new_full": new_full,
    "new": new, "new_empty_strided": new_empty_strided, "fill_diagonal_": fill_diagonal_,
    "as_strided_": _view_in_place(ops.as_strided, "as_strided"), "resize_": resize_,
    "resize_as_": resize_as_, "set_": set_, "type_as": type_as,
    "apply_": apply_, "map_": map_, "to": conversion.to, "type": conversion.type_,
    "cpu": conversion.cpu, "cuda": conversion.cuda, "contiguous": conversion.contiguous,
    "clone": conversion.clone, "uniform_": random.uniform_, "normal_": random.normal_,
    "random_": random.random_, "bernoulli_": random.bernoulli_, "bernoulli": random.bernoulli,
    "exponential_": random.exponential_, "geometric_": random.geometric_,
    "cauchy_": random.cauchy_, "log_normal_": random.log_normal_,
    "multinomial": random.multinomial, "to_sparse": sparse.to_sparse,
    "to_sparse_coo": sparse.to_sparse, "to_dense": sparse.to_dense,
    "sparse_mask": sparse.sparse_mask, **sparse.OF_DENSE,
    "untyped_storage": storages.untyped_storage,
    "storage": storages.typed_storage, "_typed_storage": storages.typed_storage,
    "__dlpack__": dlpack.export, "__dlpack_device__": dlpack.device_of, **conversion.CONVERTERS,
}  # fmt: skip


def _set_part(name):
    def setter(self, value):
        part = getattr(self, name)
        part.copy_(value) if isinstance(value, TensorBase) else part.fill_(value)

    return setter


SETTERS = {"real": _set_part("real"), "imag": _set_part("imag")}

PROPERTIES = {
    "T": lambda self: movement.permute(self, tuple(range(self.ndim))[::-1]),
    "mT": lambda self: movement.transpose(self, -2, -1),
    "H": lambda self: movement.transpose(self, -2, -1).conj(),
    "mH": lambda self: movement.transpose(self, -2, -1).conj(),
    "real": lambda self: ops.real(self),
    "imag": lambda self: ops.imag(self),
}


def install() -> None:
    """Put every method on Tensor."""
    for name, function in namespaces.METHODS.items():
        setattr(Tensor, name, function)
    for name, function in namespaces.INPLACE.items():
        make = _view_in_place if name in _VIEWS_IN_PLACE else _in_place
        setattr(Tensor, f"{name}_", make(function, name))
    for table in (DUNDERS, OWN):
        for name, function in table.items():
            setattr(Tensor, name, function)
    for name, getter in PROPERTIES.items():
        setattr(Tensor, name, property(getter, SETTERS.get(name)))
    Tensor._from_array = staticmethod(adopt)
    Tensor.stack = staticmethod(joining.stack)


install()
