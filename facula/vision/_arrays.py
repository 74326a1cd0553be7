"""Between tensors and NumPy arrays without sharing memory: the cheap way in and out of both."""

from __future__ import annotations

from typing import Any

import numpy as np

from facula.base import dtypes
from facula.tensors import Tensor, adopt
from facula.tensors.sharing import peek

__all__ = ["computed", "read", "row", "tensor_of"]


def tensor_of(array: np.ndarray) -> Tensor:
    """Makes a tensor of a fresh array, which nobody may write to afterwards."""
    return adopt(np.ascontiguousarray(array))


def read(tensor: Tensor) -> np.ndarray:
    """Returns the values of a tensor, on the CPU, as an array that must not be written to."""
    return peek(tensor.detach().cpu())


def computed(tensor: Tensor) -> np.ndarray | None:
    """Returns the values if they are there already and nothing about them needs recording."""
    if tensor.requires_grad or tensor.device.type != "cpu" or tensor.dtype is dtypes.bfloat16:
        return None
    alias = tensor._alias
    shared = alias is not None and alias.storage.array is not None
    if not shared and not isinstance(getattr(tensor._value, "buffer", None), np.ndarray):
        return None
    return peek(tensor)


def row(source: Any, index: Any) -> np.ndarray:
    """Returns source[index] of a tensor or an array as an array."""
    if not isinstance(source, Tensor):
        return np.asarray(source[index])
    values = computed(source) if isinstance(index, (int, np.integer)) else None
    return read(source[index]) if values is None else values[index]
