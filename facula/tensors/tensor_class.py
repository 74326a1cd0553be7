"""Tensor: what users hold. Its state is TensorBase's; here: attributes, Python's protocols."""

from __future__ import annotations

import numpy as np

from facula import operators as ops
from facula.autograd import public as autograd
from facula.autograd.backward import repeated
from facula.autograd.handle import TensorBase, classes
from facula.autograd.node import AccumulateGrad, hooks_of
from facula.base import devices, dtypes
from facula.base.size import Size
from facula.tensors import conversion, creation, legacy, sharing
from facula.tensors.assignment import setitem
from facula.tensors.build import adopt, to_array
from facula.tensors.indexing import getitem


class _TensorType(type):
    """Lets ``Tensor.__new__`` construct while operations make their results without it."""


class Tensor(TensorBase, metaclass=_TensorType):
    """A multi-dimensional array that records what is computed with it.

    >>> import facula as torch
    >>> torch.Tensor([[1, 2], [3, 4]]).sum()
    tensor(10.)
    """

    __module__ = "facula"  # its public place, and what type() shows

    __slots__ = ()

    def __new__(cls, *args, device=None, dtype=None, **kwargs):
        made = legacy_tensor(dtypes.default_float(), args)
        return made if cls is Tensor else made.as_subclass(cls)

    def __init__(self, *args, **kwargs):
        pass

    # What it is ---------------------------------------------------------------------------------

    @property
    def shape(self) -> Size:
        """The size of each dimension."""
        return self._value.spec.size

    @property
    def dtype(self) -> dtypes.dtype:
        """The type of the elements."""
        return self._value.spec.dtype

    @property
    def device(self) -> devices.device:
        """Where the tensor lives."""
        return devices.CPU

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return self._value.spec.ndim

    def dim(self) -> int:
        """Number of dimensions."""
        return self._value.spec.ndim

    ndimension = dim

    def size(self, dim=None):
        """The shape, or the size of one dimension."""
        shape = self._value.spec.size
        if dim is None:
            return shape
        try:
            return tuple.__getitem__(shape, dim)
        except IndexError:
            low, high = (-len(shape), len(shape) - 1) if shape else (-1, 0)
            raise IndexError(
                "Dimension out of range (expected to be in range of "
                f"[{low}, {high}], but got {dim})"
            ) from None

    def numel(self) -> int:
        """Number of elements."""
        return self._value.spec.numel

    nelement = numel

    def element_size(self) -> int:
        """Bytes of one element."""
        return self._value.spec.dtype.itemsize

    itemsize = property(element_size)
    nbytes = property(lambda self: self._value.spec.nbytes)
    layout = property(lambda self: conversion.strided)
    is_cuda = property(lambda self: False)
    is_cpu = property(lambda self: True)
    is_mps = is_xpu = is_meta = is_quantized = is_mkldnn = is_vulkan = is_nested = is_cuda
    is_sparse = is_sparse_csr = is_cuda
    names = property(lambda self: (None,) * self.ndim)

    def stride(self, dim=None):
        """Elements between neighbours along each dimension."""
        strides = ops.strides_of(self)
        return strides if dim is None else strides[dim]

    def storage_offset(self) -> int:
        """Where in its storage the tensor starts, in elements."""
        return self._alias.offset if self._alias is not None else 0

    def is_contiguous(self, memory_format=None) -> bool:
        """Whether the elements lie in memory in the order of their indices."""
        return conversion.is_contiguous(self, memory_format)

    def is_floating_point(self) -> bool:
        """Whether the dtype is a real floating type."""
        return self.dtype.is_floating_point

    def is_complex(self) -> bool:
        """Whether the dtype is complex."""
        return self.dtype.is_complex

    def is_signed(self) -> bool:
        """Whether the dtype has negative numbers."""
        return self.dtype.is_signed

    def is_inference(self) -> bool:
        """Whether it was made in inference mode."""
        return False

    def is_conj(self) -> bool:
        """Conjugation is never delayed here."""
        return False

    is_neg = is_conj

    def is_shared(self) -> bool:
        """Whether the memory is shared between processes."""
        return False

    def share_memory_(self):
        """Values travel between processes by copy; returns the tensor."""
        return self

    def is_pinned(self, device=None) -> bool:
        """Whether the memory is page-locked."""
        return False

    def pin_memory(self, device=None):
        """Page-locked memory has no use on a CPU; returns the tensor."""
        return self

    def get_device(self) -> int:
        """-1 for the CPU."""
        return -1

    def is_set_to(self, tensor) -> bool:
        """Whether both tensors are the same window on the same memory."""
        return (
            self.data_ptr() == tensor.data_ptr()
            and self.shape == tensor.shape
            and self.stride() == tensor.stride()
        )

    def data_ptr(self) -> int:
        """A number that is equal for tensors that start at the same place of one storage."""
        alias = self._own_alias()
        return id(alias.storage) + alias.offset * self.element_size()

    @property
    def _version(self) -> int:
        return 0 if self._alias is None else self._alias.storage.version

    @property
    def _base(self):
        return None if self._alias is None else self._alias.base

    def _is_view(self) -> bool:
        return self._base is not None

    # Gradients ----------------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether gradients are computed for it."""
        alias = self._alias
        # Reading all that NumPy shares would take long, and says nothing about gradients unless
        # they flow through the tensor that this is a view of.
        if alias is not None and not (
            alias.storage.array is not None and (alias.base is None or alias.base._node is None)
        ):
            self._sync()
        return self._node is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        creation.set_requires_grad(self, wanted)

    def requires_grad_(self, requires_grad: bool = True):
        """Set ``requires_grad`` and return the tensor."""
        creation.set_requires_grad(self, requires_grad)
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether it was made by the user rather than by a recorded operation."""
        self._sync()
        return self._node is None or isinstance(self._node, AccumulateGrad)

    @property
    def grad_fn(self):
        """The gradient function of the operation that made it; None for leaves."""
        self._sync()
        return None if isinstance(self._node, AccumulateGrad) else self._node

    @property
    def output_nr(self) -> int:
        return self._nr if self._node is not None else 0

    @property
    def grad(self):
        """The gradient accumulated by ``backward``; None before."""
        return self._grad

    @grad.setter
    def grad(self, value) -> None:
        autograd.check_grad(self, value)
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    @property
    def data(self):
        """The same memory outside the gradient graph."""
        return self.detach()

    @data.setter
    def data(self, new) -> None:
        conversion.set_data(self, new)

    def detach(self):
        """A tensor over the same memory that takes no part in gradients."""
        return conversion.detach(self)

    def detach_(self):
        """Leave the gradient graph."""
        self._sync()
        if self._is_view():
            raise RuntimeError("Can't detach views in-place. Use detach() instead.")
        self._node = None
        return self

    def backward(self, gradient=None, retain_graph=None, create_graph=False, inputs=None):
        """Add the gradients of this (scalar) tensor to the leaves it was computed from.

        >>> import facula as torch
        >>> x = torch.ones(2, requires_grad=True)
        >>> (x * 3).sum().backward()
        >>> x.grad
        tensor([3., 3.])
        """
        plain = gradient is None and inputs is None and not create_graph
        if not (plain and repeated(self, retain_graph)):
            autograd.backward((self,), gradient, retain_graph, create_graph, inputs=inputs)

    def retain_grad(self) -> None:
        """Keep the gradient of a tensor that is not a leaf."""
        if not self.requires_grad:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        if not self.is_leaf:
            hooks_of(self._node).retained[self._nr] = autograd.weak(self)

    @property
    def retains_grad(self) -> bool:
        """Whether ``retain_grad`` was called."""
        hooks = getattr(self._node, "hooks", None)
        if hooks is None or isinstance(self._node, AccumulateGrad):
            return False
        kept = hooks.retained.get(self._nr)
        return kept is not None and kept() is self

    def register_hook(self, hook):
        """Call ``hook(grad)`` when the gradient is known; a returned tensor replaces it."""
        if not self.requires_grad:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        return hooks_of(self._node).add_output(self._nr, hook)

    def register_post_accumulate_grad_hook(self, hook):
        """Call ``hook(param)`` after a leaf's gradient was accumulated."""
        return autograd.register_post_accumulate(self, hook)

    # Reading ------------------------------------------------------------------------------------

    def item(self):
        """The value of a tensor with one element as a Python number."""
        if self._value.spec.numel != 1:
            raise RuntimeError(
                f"a Tensor with {self.numel()} elements cannot be converted to Scalar"
            )
        return self._buffer().item()

    def tolist(self):
        """The values as (nested lists of) Python numbers."""
        return np.asarray(self._buffer()).tolist()

    def numpy(self, *, force=False) -> np.ndarray:
        """The values as a NumPy array that shares the memory."""
        if force:
            return sharing.to_numpy(self.detach())
        if self.requires_grad:
            raise RuntimeError(
                "Can't call numpy() on Tensor that requires grad. "
                "Use tensor.detach().numpy() instead."
            )
        return sharing.to_numpy(self)

    def __array__(self, dtype=None, copy=None):
        array = self.numpy()
        if dtype is not None and array.dtype != np.dtype(dtype):
            return array.astype(dtype)
        return array.copy() if copy else array

    __array_priority__ = 1000

    def __repr__(self, *, tensor_contents=None) -> str:
        return conversion.text(self)

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        if self.ndim == 0 and type(self) is Tensor:
            return self.item().__format__(spec)
        return object.__format__(self, spec)

    def __bool__(self) -> bool:
        if self.numel() == 1:
            return bool(self.item())
        if self.numel() == 0:
            raise RuntimeError("Boolean value of Tensor with no values is ambiguous")
        raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")

    def __float__(self) -> float:
        return float(self._scalar())

    def __int__(self) -> int:
        found = self._scalar()
        if isinstance(found, complex):
            if found.imag:
                raise RuntimeError("value cannot be converted to type int64_t without overflow")
            found = found.real
        return int(found)

    def __complex__(self) -> complex:
        return complex(self._scalar())

    def _scalar(self):
        """What Python's own conversions see."""
        if self._value.spec.numel != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        return self.item()

    def __index__(self) -> int:
        if self.numel() != 1 or self.dtype.category > dtypes.INTEGER:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self.item())

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return self._value.spec.shape[0]

    def __iter__(self):
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        if self.requires_grad:
            return iter(ops.unbind(self, 0))
        return (getitem(self, i) for i in range(len(self)))

    def __reversed__(self):
        """The tensor in reverse order along its first dimension."""
        return ops.flip(self, 0) if self.ndim else self

    def __contains__(self, element) -> bool:
        if not isinstance(element, (TensorBase, bool, int, float, complex, np.generic)):
            raise RuntimeError(
                "Tensor.__contains__ only supports Tensor or scalar, but you passed in a "
                f"{type(element)}."
            )
        return bool((self == element).any().item())

    def __hash__(self) -> int:
        return id(self)

    def __dir__(self):
        return sorted(set(object.__dir__(self)))

    __getitem__ = getitem
    __setitem__ = setitem

    def __delitem__(self, index) -> None:
        raise TypeError("Tensor does not support deleting items")

    # Copies -------------------------------------------------------------------------------------

    def __copy__(self):
        return conversion.shallow_copy(self)

    def __deepcopy__(self, memo):
        return conversion.deepcopy(self, memo)

    def __reduce_ex__(self, protocol):
        return conversion.reduce(self)

    def as_subclass(self, cls):
        """The same memory and gradient history as an instance of a subclass."""
        return conversion.as_subclass(self, cls)

    @staticmethod
    def _make_subclass(cls, data, require_grad=False):
        made = conversion.as_subclass(data.detach(), cls)
        if require_grad:
            creation.set_requires_grad(made, True)
        return made

    def _like_layout(self, dtype):
        """Zeros with this tensor's shape and, where it is dense, its order in memory."""
        strides = self.stride()
        order = sorted(range(self.ndim), key=lambda i: -strides[i])
        sizes = [self.shape[i] for i in order]
        made = creation.zeros(sizes, dtype=dtype)
        return made.permute(tuple(np.argsort(order).tolist())).detach()

    def _root_view(self):
        """A tensor over the whole storage that this tensor is a view of."""
        return conversion.root_view(self)


def legacy_tensor(own, args):
    """``torch.FloatTensor(2, 3)``, ``torch.Tensor([1, 2])``, ``torch.Tensor()``."""
    if not args:
        return creation.zeros(0, dtype=own)
    first = args[0]
    if len(args) == 1 and not isinstance(first, (int, np.integer)):
        if isinstance(first, Size):
            return creation.zeros(first, dtype=own)
        if isinstance(first, TensorBase):
            return first.detach().to(own)
        if hasattr(first, "untyped"):  # a storage
            return first._tensor(own)
        if isinstance(first, float):
            raise TypeError(f"new(): data must be a sequence (got {type(first).__name__})")
        array, own = to_array(first, own)
        return adopt(array, own)
    return creation.zeros(*args, dtype=own)


classes.tensor = Tensor
legacy_types = legacy.make_types(legacy_tensor)
