"""The functions that files call to rebuild tensors; they check everything the file claims.

Their names in files are PyTorch's (`torch._utils._rebuild_tensor_v2` ...); `REBUILDERS` maps them.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Sequence
from typing import Any

from facula.serialization import tensor_io
from facula.serialization.storages import ITEM_SIZES, LoadedStorage


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise pickle.UnpicklingError(f"the file describes an impossible tensor: {message}")


def _checked_view(
    storage: LoadedStorage,
    dtype_name: str | None,
    offset: int,
    size: Sequence[int],
    stride: Sequence[int],
    requires_grad: bool,
) -> Any:
    """Make the tensor, after checking that it lies inside its storage."""
    _require(isinstance(storage, LoadedStorage), f"its storage is a {type(storage).__name__}")
    _require(dtype_name in ITEM_SIZES, f"its dtype {dtype_name} is unknown here")
    numbers = [offset, *size, *stride]
    _require(len(size) == len(stride), f"{len(size)} sizes but {len(stride)} strides")
    _require(
        all(type(number) is int and number >= 0 for number in numbers),
        f"offset {offset}, size {tuple(size)}, stride {tuple(stride)}",
    )
    assert dtype_name is not None
    available = storage.data.nbytes // ITEM_SIZES[dtype_name]
    needed = offset + 1 + sum((n - 1) * step for n, step in zip(size, stride))
    _require(
        math.prod(size) == 0 or needed <= available,
        f"size {tuple(size)} with stride {tuple(stride)} and offset {offset} needs {needed} "
        f"elements, its storage has {available}",
    )
    return tensor_io.rebuild(
        storage, dtype_name, offset, tuple(size), tuple(stride), bool(requires_grad)
    )


def rebuild_tensor(storage: Any, offset: int, size: Any, stride: Any) -> Any:
    """Rebuild a tensor as the oldest files describe it."""
    return _checked_view(storage, storage.dtype_name, offset, size, stride, False)


def rebuild_tensor_v2(
    storage: Any,
    offset: int,
    size: Any,
    stride: Any,
    requires_grad: bool,
    hooks: Any,
    metadata: Any = None,
) -> Any:
    """Rebuild a tensor whose storage class states the dtype."""
    dtype_name = getattr(storage, "dtype_name", None)
    tensor = _checked_view(storage, dtype_name, offset, size, stride, requires_grad)
    return tensor_io.apply_metadata(tensor, metadata) if metadata else tensor


def rebuild_tensor_v3(
    storage: Any,
    offset: int,
    size: Any,
    stride: Any,
    requires_grad: bool,
    hooks: Any,
    dtype: Any,
    metadata: Any = None,
) -> Any:
    """Rebuild a tensor over untyped bytes, with the dtype given beside."""
    dtype_name = tensor_io.dtype_name(dtype)
    tensor = _checked_view(storage, dtype_name, offset, size, stride, requires_grad)
    return tensor_io.apply_metadata(tensor, metadata) if metadata else tensor


def rebuild_parameter(data: Any, requires_grad: bool, hooks: Any) -> Any:
    """Wrap a rebuilt tensor as a Parameter."""
    _require(tensor_io.is_tensor(data), f"a Parameter of a {type(data).__name__}")
    return tensor_io.make_parameter(data, bool(requires_grad))


def rebuild_parameter_with_state(data: Any, requires_grad: bool, hooks: Any, state: Any) -> Any:
    """Wrap a rebuilt tensor as a Parameter that carries the user's attributes."""
    return _with_attributes(rebuild_parameter(data, requires_grad, hooks), state)


def rebuild_from_type_v2(function: Callable[..., Any], cls: type, args: Any, state: Any) -> Any:
    """Rebuild a tensor that is of a subclass or carries attributes."""
    _require(
        any(function is known for known in REBUILDERS.values()),
        f"it is built by {function!r}",
    )
    tensor = function(*args)
    if type(tensor) is not cls:
        tensor = tensor_io.as_subclass(tensor, cls)
    return _with_attributes(tensor, state)


def _with_attributes(tensor: Any, state: Any) -> Any:
    """Set the attributes that were on the tensor object when it was saved."""
    parts = state if isinstance(state, tuple) else (state,)
    for part in parts:
        for name, value in (part or {}).items():
            _require(isinstance(name, str), f"an attribute called {name!r}")
            # Only the instance's own dictionary: never methods, properties or class attributes.
            tensor.__dict__[name] = value
    return tensor


REBUILDERS: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor": rebuild_tensor,
    "torch._utils._rebuild_tensor_v2": rebuild_tensor_v2,
    "torch._utils._rebuild_tensor_v3": rebuild_tensor_v3,
    "torch._utils._rebuild_parameter": rebuild_parameter,
    "torch._utils._rebuild_parameter_with_state": rebuild_parameter_with_state,
    "torch._tensor._rebuild_from_type_v2": rebuild_from_type_v2,
}
