"""The only place of this package that touches Tensor: takes tensors apart, puts them together."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from facula import tensors
from facula.autograd.handle import TensorBase, wrap
from facula.autograd.modes import modes
from facula.autograd.storage import contiguous_strides
from facula.base import dtypes
from facula.base.devices import device
from facula.base.size import Size
from facula.graph.spec import spec as spec_for
from facula.nn.parameter import (
    Buffer,
    Parameter,
    UninitializedBuffer,
    UninitializedParameter,
)
from facula.operators.namespaces import FUNCTIONAL, TORCH
from facula.operators.operator import Operator
from facula.runtime.recorder import host
from facula.runtime.value import Value
from facula.serialization.storages import LoadedStorage, TorchGlobal
from facula.tensors import conversion, return_types

Tensor = tensors.Tensor
_GET_LAYOUT = TorchGlobal("torch.serialization", "_get_layout")


class TensorFacts(NamedTuple):
    """Everything a file must know about a tensor."""

    storage_key: Any  # equal for tensors that share memory, as long as they are alive
    storage_bytes: Callable[[], np.ndarray]  # the whole storage as uint8, not only this view of it
    dtype_name: str
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]
    requires_grad: bool
    is_parameter: bool
    attributes: dict[str, Any]  # set by the user on the tensor object


def is_tensor(item: Any) -> bool:
    """Whether the item is saved as a tensor."""
    return isinstance(item, TensorBase)


def _to_bits(buffer: Any, dtype_name: str) -> np.ndarray:
    """The bytes of an array as PyTorch stores them; bfloat16 lives in float32 arrays here."""
    flat = np.ascontiguousarray(buffer).reshape(-1)
    if dtype_name == "bfloat16":
        flat = (flat.view(np.uint32) >> 16).astype(np.uint16)
    return flat.view(np.uint8)


def _from_bits(data: np.ndarray, dtype: dtypes.dtype) -> np.ndarray:
    if dtype.name == "bfloat16":
        return (data.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    if dtype.name == "bool":
        # Any other byte than 0 and 1 would be a value that no bool can have.
        return data != 0 if data.size and data.max() > 1 else data.view(np.bool_)
    flat = data.view(dtype.numpy)
    return flat if flat.flags.aligned else flat.copy()


def describe(tensor: Any) -> TensorFacts:
    """Take a tensor apart."""
    tensor._sync()
    spec, alias = tensor._value.spec, tensor._alias
    name = spec.dtype.name
    if alias is None:
        key: Any = ("tensor", id(tensor))
        offset, stride = 0, contiguous_strides(spec.shape)
        source = tensor._buffer
    else:
        storage = alias.storage
        key = ("storage", id(storage))
        if storage.array is not None and storage.array.nbytes:  # several may share one memory
            key = ("memory", storage.array.__array_interface__["data"][0], storage.array.nbytes)
        offset, stride = alias.offset, tuple(alias.strides)

        def source() -> Any:
            return host(storage.value) if storage.array is None else storage.array

    return TensorFacts(
        key,
        lambda: _to_bits(source(), name),
        name,
        offset,
        tuple(spec.shape),
        stride,
        bool(tensor.requires_grad),
        isinstance(tensor, Parameter),
        dict(tensor.__dict__),
    )


def _over(array: np.ndarray, dtype: dtypes.dtype) -> Any:
    return wrap(Value(spec_for(array.shape, dtype), array))


def rebuild(
    storage: LoadedStorage,
    dtype_name: str,
    offset: int,
    size: tuple[int, ...],
    stride: tuple[int, ...],
    requires_grad: bool,
) -> Any:
    """Make a tensor over a loaded storage; all tensors over one storage share its memory."""
    dtype = dtypes.by_name(dtype_name)
    owner: Any = storage.owners.get(dtype_name)
    first = owner is None
    if first:
        flat = _from_bits(storage.data, dtype)
        whole = offset == 0 and stride == contiguous_strides(size) and math.prod(size) == flat.size
        owner = storage.owners[dtype_name] = _over(flat.reshape(size) if whole else flat, dtype)
    # The usual tensor owns all of its storage: it need not be a view of anything.
    if first and whole:
        tensor = owner
    else:
        before, modes.grad = modes.grad, False
        try:
            tensor = owner.detach().as_strided(size, stride, offset)
        finally:
            modes.grad = before
    return tensor.requires_grad_(True) if requires_grad else tensor


def make_parameter(data: Any, requires_grad: bool) -> Any:
    """Wrap a tensor as a Parameter."""
    return Parameter(data, requires_grad)


def as_subclass(tensor: Any, cls: type) -> Any:
    """The tensor as an instance of a subclass of Tensor."""
    return tensor.as_subclass(cls)


def apply_metadata(tensor: Any, metadata: Any) -> Any:
    """Carry out what PyTorch keeps pending on complex tensors: conjugation and negation."""
    if metadata.get("conj"):
        tensor = tensor.conj()
    return tensor.neg() if metadata.get("neg") else tensor


def dtype_name(item: Any) -> str | None:
    """The name of a dtype object, None for everything else."""
    return item.name if isinstance(item, dtypes.dtype) else None


def public_name(function: Any) -> tuple[str, str] | None:
    """The module and name under which users know an operator; None for everything else."""
    name = getattr(function, "__name__", None)
    for module, table in (("torch.nn.functional", FUNCTIONAL), ("torch", TORCH)):
        if name is not None and table.get(name) is function:
            return module, name
    return None


def reduce_special(tensor: Any) -> Any:
    """How tensors without values are saved; None for ordinary ones."""
    if isinstance(tensor, (UninitializedParameter, UninitializedBuffer)):
        return type(tensor), (bool(tensor.requires_grad),)
    return None


def reduce_other(item: Any) -> Any:
    """How the library's other objects are saved, in PyTorch's form."""
    if isinstance(item, dtypes.dtype):
        return item.name
    if isinstance(item, Operator):
        if public_name(item) is None:
            raise pickle.PicklingError(f"{item!r} is internal and cannot be saved")
        return item.__name__
    if isinstance(item, tensors.Generator):
        state = (item.initial_seed(), None, item.get_state())
        return tensors.Generator, (item.device,), state
    if isinstance(item, conversion.layout):
        return _GET_LAYOUT, (repr(item),)
    return NotImplemented


def _layout_named(name: Any) -> Any:
    """Undo the form in which layouts are saved, e.g. "torch.strided"."""
    for layout in (conversion.strided, conversion.sparse_coo):
        if name == repr(layout):
            return layout
    raise pickle.UnpicklingError(f"unknown tensor layout {name!r}")


def callables() -> dict[str, Callable[..., Any]]:
    """What any file may call, beside the functions that rebuild tensors."""
    found: dict[str, Callable[..., Any]] = {
        "torch.Size": Size,
        "torch.device": device,
        "torch._C.Generator": tensors.Generator,
        "torch.serialization._get_layout": _layout_named,
        "torch.nn.parameter.UninitializedParameter": UninitializedParameter,
    }
    for kind in return_types.all_return_types:
        found[f"torch.return_types.{kind.__name__}"] = kind
    return found


def values() -> dict[str, Any]:
    """What any file may mention."""
    found: dict[str, Any] = {f"torch.{dtype.name}": dtype for dtype in dtypes.ALL}
    found["torch.Tensor"] = Tensor
    found["torch.nn.parameter.Parameter"] = Parameter
    found["torch.nn.parameter.Buffer"] = Buffer
    return found


def set_state(target: Any, state: Any) -> bool:
    """Restore a generator's state; False when the target is something else."""
    if not isinstance(target, tensors.Generator):
        return False
    seed, _, values = state
    target.manual_seed(seed)
    target.set_state(values)
    return True
