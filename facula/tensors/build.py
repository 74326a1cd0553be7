"""From Python data and NumPy arrays to tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from facula.autograd.handle import TensorBase, wrap
from facula.base import dtypes
from facula.base.dtypes import dtype
from facula.engines.reference.bfloat16 import round_to_bfloat16
from facula.graph.spec import spec
from facula.runtime.value import Value


def adopt(array: np.ndarray, own: dtype | None = None):
    """A tensor that takes the array over; nobody may write to the array afterwards."""
    own = own or dtypes.from_numpy(array.dtype)
    if array.dtype != own.numpy:
        array = array.astype(own.numpy)
    return wrap(Value(spec(array.shape, own), array))


def infer_dtype(data: Any) -> dtype:
    """The dtype of nested Python data: the highest category among its numbers."""
    if isinstance(data, TensorBase):
        return data._value.spec.dtype
    if isinstance(data, (np.ndarray, np.generic)):
        return dtypes.from_numpy(data.dtype)
    if isinstance(data, (bool, int, float, complex)):
        return dtypes.python_scalar_dtype(data)
    if isinstance(data, str):
        raise TypeError("new(): invalid data type 'str'")
    if not _is_sequence(data):
        raise RuntimeError(f"Could not infer dtype of {type(data).__name__}")
    found = None
    for item in data:
        own = infer_dtype(item)
        found = own if found is None else dtypes.promote_types(found, own)
    return found or dtypes.default_float()


def _is_sequence(data) -> bool:
    return hasattr(data, "__len__") and hasattr(data, "__getitem__") and not isinstance(data, dict)


def _plain(data: Any) -> Any:
    """Nested data with tensors, which count as numbers there, replaced by arrays."""
    if isinstance(data, TensorBase):
        if data._value.spec.numel != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        return np.asarray(data.detach()._buffer()).reshape(())
    if isinstance(data, (np.ndarray, np.generic, bool, int, float, complex)):
        return data
    if isinstance(data, str) or not _is_sequence(data):
        raise TypeError(f"new(): invalid data type '{type(data).__name__}'")
    return [_plain(data[i]) for i in range(len(data))]


def _check_rectangular(data: Any, depth: int = 0) -> tuple[int, ...]:
    if not isinstance(data, list):
        return np.shape(data)
    if not data:
        return (0,)
    first = _check_rectangular(data[0], depth + 1)
    for item in data[1:]:
        other = _check_rectangular(item, depth + 1)
        if other != first:
            if bool(first) != bool(other):
                kind = "sequence" if first else "number"
                raise TypeError(f"expected {kind} as element at dim {depth + 1}")
            at = next((i for i, (a, b) in enumerate(zip(first, other, strict=False)) if a != b), 0)
            raise ValueError(
                f"expected sequence of length {first[at]} at dim {depth + 1 + at} (got {other[at]})"
            )
    return (len(data), *first)


def to_array(data: Any, own: dtype | None) -> tuple[np.ndarray, dtype]:
    """A fresh array with the data, and its dtype."""
    if isinstance(data, np.ndarray):
        own = own or dtypes.from_numpy(data.dtype)
        array = _converted(data, own)
        return (array.copy() if array is data or array.base is not None else array), own
    wanted = own
    if own is None:
        own = infer_dtype(data)
    plain = _plain(data)
    if isinstance(plain, list):
        _check_rectangular(plain)
    try:
        raw = np.array(plain)
    except ValueError as error:
        raise ValueError(f"could not build a tensor: {error}") from None
    if raw.dtype == object:  # whole numbers beyond 64 bits
        if own.category in (dtypes.INTEGER, dtypes.COMPLEX):
            raise ValueError("Overflow when unpacking long long: a number does not fit into int64")
        raw = raw.astype(np.float64)
    if wanted is not None and own.category == dtypes.INTEGER and raw.dtype != own.numpy:
        _check_range(raw, own)
    return np.array(_converted(raw, own)), own


def _check_range(array: np.ndarray, own: dtype) -> None:
    """Refuse numbers that the integer type does not hold; negative ones may wrap around."""
    limits = np.iinfo(own.numpy.name)
    low, top = limits.min or -limits.max, limits.max
    if array.dtype.kind in "iuf" and not np.all((array >= low) & (array <= top)):
        raise RuntimeError(f"value cannot be converted to type {own.name} without overflow")


def _converted(array: np.ndarray, own: dtype) -> np.ndarray:
    if array.dtype == own.numpy and own is not dtypes.bfloat16:
        return array
    with np.errstate(all="ignore"):
        if array.dtype.kind == "c" and own.category < dtypes.COMPLEX:
            if own.category == dtypes.BOOL:
                return array.astype(np.bool_)
            raise RuntimeError(
                "value cannot be converted to type without overflow: complex to real"
            )
        array = array.astype(own.numpy)
    return round_to_bfloat16(array) if own is dtypes.bfloat16 else array
