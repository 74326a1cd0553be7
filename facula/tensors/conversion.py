"""Conversions of a whole tensor: dtype, device, memory format, detaching, copying, printing."""

from __future__ import annotations

import copy

import numpy as np

from facula import operators as ops
from facula.autograd.handle import TensorBase, wrap
from facula.autograd.modes import modes
from facula.autograd.node import AccumulateGrad
from facula.autograd.storage import Alias, contiguous_strides
from facula.base import devices, dtypes
from facula.runtime.value import Value
from facula.tensors import creation, legacy, printing
from facula.tensors.build import adopt


class layout:
    """How a tensor's elements are stored: ``torch.strided`` or ``torch.sparse_coo``."""

    __module__ = "facula"  # its public place, and what type() shows

    def __init__(self, name: str):
        self._name = name

    def __repr__(self) -> str:
        return f"torch.{self._name}"

    def __reduce__(self):
        return (_layout, (self._name,))


class memory_format:
    """In which order a tensor's dimensions lie in memory."""

    __module__ = "facula"  # its public place, and what type() shows

    def __init__(self, name: str):
        self._name = name

    def __repr__(self) -> str:
        return f"torch.{self._name}"

    def __reduce__(self):
        return (_memory_format, (self._name,))


strided, sparse_coo = layout("strided"), layout("sparse_coo")
contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")
_formats = (contiguous_format, preserve_format, channels_last, channels_last_3d)


def _layout(name):
    return next(x for x in (strided, sparse_coo) if x._name == name)


def _memory_format(name):
    return next(x for x in _formats if x._name == name)


_CHANNEL_ORDER = {channels_last: (0, 2, 3, 1), channels_last_3d: (0, 2, 3, 4, 1)}


def _strides_in_order(shape, order) -> tuple[int, ...]:
    inner = contiguous_strides(tuple([shape[i] for i in order]))
    return tuple([inner[order.index(i)] for i in range(len(shape))])


def is_contiguous(tensor, format=None) -> bool:
    """Whether the strides are those of the format; strides of size-1 dimensions do not matter."""
    own = tensor._value.spec
    if format in _CHANNEL_ORDER:
        if own.ndim != len(_CHANNEL_ORDER[format]):
            return False
        wanted = _strides_in_order(own.shape, _CHANNEL_ORDER[format])
    else:
        if tensor._alias is None:
            return True
        wanted = contiguous_strides(own.shape)
    if own.numel == 0:
        return True
    strides = ops.strides_of(tensor)
    return all(n == 1 or a == b for n, a, b in zip(own.shape, strides, wanted, strict=True))


def contiguous(self, memory_format=contiguous_format):
    """The tensor itself if its memory is in order, else a copy that is."""
    if is_contiguous(self, memory_format):
        return self
    order = _CHANNEL_ORDER.get(memory_format)
    if order is None:
        return ops.identity(self)
    back = tuple(np.argsort(order).tolist())
    return ops.identity(self.permute(order)).permute(back)


def clone(input, *, memory_format=preserve_format):
    """A copy with a memory of its own; gradients flow through it."""
    if memory_format in _CHANNEL_ORDER:
        return contiguous(ops.identity(input), memory_format)
    return ops.identity(input)


def detach(input):
    """The same memory outside the gradient graph."""
    alias = input._own_alias()
    made = wrap(input._value)
    made._alias = Alias(
        alias.storage, alias.chain, None, 0, alias.strides, alias.offset, alias.seen
    )
    return made


def set_data(tensor, new) -> None:
    """``tensor.data = new``: point the tensor at another memory."""
    alias = new._own_alias()
    new._sync()
    node = tensor._node
    tensor._value = new._value
    tensor._alias = Alias(
        alias.storage, alias.chain, None, 0, alias.strides, alias.offset, alias.seen
    )
    if isinstance(node, AccumulateGrad):
        node.spec = new._value.spec


def root_view(tensor):
    """A tensor over the whole storage."""
    alias = tensor._alias
    if alias.base is not None:
        base = alias.base
        return base if not base._alias.chain else root_view(base)
    made = wrap(alias.storage.value or Value(alias.storage.spec))
    made._alias = Alias(
        alias.storage,
        (),
        None,
        0,
        contiguous_strides(alias.storage.spec.shape),
        0,
        alias.storage.version,
    )
    return made


def _parse_to(args, kwargs):
    """(dtype, memory format, copy) from the many forms of ``Tensor.to``."""
    own = dtypes.meant(kwargs.get("dtype"))
    format = kwargs.get("memory_format")
    copy = kwargs.get("copy", False)
    device = kwargs.get("device")
    for position, argument in enumerate(args):
        if isinstance(argument, dtypes.dtype):
            own = argument
        elif isinstance(argument, TensorBase):
            own = argument._value.spec.dtype
        elif isinstance(argument, (str, devices.device)) or type(argument) is int:
            device = argument
        elif isinstance(argument, memory_format):
            format = argument
        elif isinstance(argument, bool):
            # positional order is (..., non_blocking, copy)
            copy = argument if position and isinstance(args[position - 1], bool) else copy
        elif argument.__class__ is type:
            own = dtypes.meant(argument)
        elif argument is not None:
            raise TypeError(f"to() received an invalid argument: {type(argument).__name__}")
    if device is not None:
        devices.usable(device)
    return own, format, copy


def to(self, *args, **kwargs):
    """The tensor in another dtype (or memory format); itself where nothing changes.

    >>> import facula as torch
    >>> torch.ones(1).to(torch.int64)
    tensor([1])
    """
    own, format, copy = _parse_to(args, kwargs)
    out = self
    if own is not None and own is not self._value.spec.dtype:
        out = ops.cast(self, own)
    elif copy:
        out = ops.identity(self)
    return contiguous(out, format) if format in _CHANNEL_ORDER else out


def _converter(own):
    def convert(self, memory_format=None):
        return self if self._value.spec.dtype is own else ops.cast(self, own)

    convert.__doc__ = f"The tensor as {own!r}."
    return convert


CONVERTERS = {
    "float": _converter(dtypes.float32),
    "double": _converter(dtypes.float64),
    "half": _converter(dtypes.float16),
    "bfloat16": _converter(dtypes.bfloat16),
    "int": _converter(dtypes.int32),
    "long": _converter(dtypes.int64),
    "short": _converter(dtypes.int16),
    "char": _converter(dtypes.int8),
    "byte": _converter(dtypes.uint8),
    "bool": _converter(dtypes.bool_),
    "cfloat": _converter(dtypes.complex64),
    "cdouble": _converter(dtypes.complex128),
}


def type_(self, dtype=None, non_blocking=False, **kwargs):
    """Without arguments the legacy type's name; else the tensor in that type."""
    if dtype is None:
        return f"torch.{self._value.spec.dtype.legacy}Tensor"
    if isinstance(dtype, str):
        found = legacy.dtype_of_name(dtype)
        if found is None:
            raise ValueError(f"invalid type: '{dtype}'")
        dtype = found
    elif isinstance(dtype, legacy.LegacyType):
        dtype = dtype.dtype
    elif dtype is type(self):
        dtype = dtypes.default_float()
    return to(self, dtype)


def cpu(self, memory_format=None):
    """The tensor on the CPU: itself."""
    return self


def cuda(self, device=None, non_blocking=False, memory_format=None):
    """Refused, as by a PyTorch without CUDA."""
    devices.usable("cuda")


def text(tensor) -> str:
    """What ``repr`` shows."""
    tensor._sync()
    own = tensor._value.spec
    node = tensor._node
    name = None if node is None or isinstance(node, AccumulateGrad) else node.name()
    return printing.format_tensor(
        np.asarray(tensor._buffer()),
        own.dtype.name,
        default_dtype=dtypes.default_float().name,
        requires_grad=node is not None,
        grad_fn_name=name,
        class_name="tensor"
        if type(tensor).__name__ in ("Tensor", "Parameter")
        else type(tensor).__name__,
    )


def shallow_copy(tensor):
    """A leaf over the same memory, with the same attributes and gradient flag."""
    made = detach(tensor)
    if type(tensor) is not type(made):
        made = as_subclass(made, type(tensor))
    made.__dict__.update(tensor.__dict__)
    if tensor.requires_grad:
        creation.set_requires_grad(made, True)
    return made


def deepcopy(tensor, memo):
    """A copy of a leaf with its gradient; views of one storage stay views of one copy."""
    if id(tensor) in memo:
        return memo[id(tensor)]
    if not tensor.is_leaf:
        raise RuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy "
            "protocol at the moment.  If you were attempting to deepcopy a module, this may be "
            "because of a torch.nn.utils.weight_norm usage, see https://github.com/pytorch/pytorch/pull/103001"
        )
    before, modes.grad = modes.grad, False
    try:
        made = _copied(tensor, memo)
    finally:
        modes.grad = before
    memo[id(tensor)] = made
    return made


def _copied(tensor, memo):
    alias = tensor._alias
    if alias is not None:
        key = ("storage", id(alias.storage))
        storage = memo.get(key)
        if storage is None:
            storage = memo[key] = _copied_storage(alias.storage)
        tensor._sync()
        made = wrap(tensor._value)
        made._alias = Alias(
            storage, alias.chain, None, 0, alias.strides, alias.offset, storage.version
        )
    else:
        made = ops.identity(tensor.detach())
    if type(tensor) is not type(made):
        made = as_subclass(made, type(tensor))
    for name, value in tensor.__dict__.items():
        made.__dict__[name] = copy.deepcopy(value, memo)
    if tensor.requires_grad:
        creation.set_requires_grad(made, True)
    if tensor._grad is not None:
        made._grad = deepcopy(tensor._grad, memo)
    return made


def _copied_storage(storage):
    """A storage with the same values; what NumPy sees is copied, other values never change."""
    value = storage.value
    if storage.array is not None:
        value = Value(storage.spec, storage.array.reshape(storage.spec.shape).copy())
    return type(storage)(storage.spec, value)


def as_subclass(tensor, cls):
    """The tensor's memory and history as an instance of ``cls``."""
    made = object.__new__(cls)
    alias = tensor._own_alias()
    tensor._sync()
    made._value = tensor._value
    made._alias = Alias(
        alias.storage,
        alias.chain,
        alias.base,
        alias.depth,
        alias.strides,
        alias.offset,
        alias.seen,
        alias.made,
    )
    made._node, made._nr, made._grad = tensor._node, tensor._nr, None
    return made


def reduce(tensor):
    """Pickling: values, dtype, gradient flag, subclass and attributes; the graph is left out."""
    array = np.array(tensor.detach()._buffer())
    state = (array, tensor.dtype, tensor.requires_grad, type(tensor), dict(tensor.__dict__))
    return rebuild, state


def rebuild(array, dtype, requires_grad, cls, attributes):
    """Undo :func:`reduce`."""
    made = adopt(array, dtype)
    if cls is not type(made):
        made = as_subclass(made, cls)
    made.__dict__.update(attributes)
    if requires_grad:
        creation.set_requires_grad(made, True)
    return made
