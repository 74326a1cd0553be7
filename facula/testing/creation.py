"""``make_tensor``: a random tensor of any dtype within bounds, for tests."""

from __future__ import annotations

import math
from typing import Any

from facula import tensors
from facula.base import dtypes
from facula.tensors import Tensor


def _bounds(dtype: dtypes.dtype, low: Any, high: Any) -> tuple[Any, Any]:
    if dtype is dtypes.bool_:
        default, limits = (0, 2), (0, 2)
    elif dtype.category <= dtypes.INTEGER:
        smallest = 0 if not dtype.is_signed else -(2 ** (dtype.itemsize * 8 - 1))
        largest = 2 ** (dtype.itemsize * 8 - (1 if dtype.is_signed else 0)) - 1
        default, limits = ((0, 10) if not dtype.is_signed else (-9, 10)), (smallest, largest)
    else:
        default, limits = (-9, 9), (-math.inf, math.inf)
    low = default[0] if low is None else max(low, limits[0])
    high = default[1] if high is None else min(high, limits[1])
    if not low <= high or (low == high and dtype.category >= dtypes.FLOAT and low != high):
        raise ValueError(f"make_tensor: `low` must be less than `high`, but got {low} >= {high}")
    return low, high


def make_tensor(
    *shape: int | tuple[int, ...],
    dtype: dtypes.dtype,
    device: Any,
    low: float | None = None,
    high: float | None = None,
    requires_grad: bool = False,
    noncontiguous: bool = False,
    exclude_zero: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """A tensor of uniform random values in [low, high) (by default about -9 to 9).

    ``exclude_zero`` replaces zeros by the smallest positive number; ``noncontiguous`` takes every
    second element of a larger tensor.

    >>> import facula as torch
    >>> torch.testing.make_tensor(2, 3, dtype=torch.int64, device='cpu', low=1, high=2)
    tensor([[1, 1, 1],
            [1, 1, 1]])
    """
    size: Any = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
    size = tuple(size)
    if noncontiguous and size and size[-1] > 1:
        size = (*size[:-1], 2 * size[-1])
    low, high = _bounds(dtype, low, high)
    if dtype is dtypes.bool_:
        made = tensors.randint(0, 2, size, dtype=dtype)
    elif dtype.category <= dtypes.INTEGER:
        made = tensors.randint(math.floor(low), max(math.ceil(high), math.floor(low) + 1), size)
        made = made.to(dtype)
    elif dtype.is_complex:
        parts = tensors.empty((*size, 2), dtype=dtype.to_real()).uniform_(low, high)
        made = (parts[..., 0] + 1j * parts[..., 1]).to(dtype)
    else:
        made = tensors.empty(size, dtype=dtype).uniform_(low, high)
    if noncontiguous and size and size[-1] > 1:
        made = made[..., ::2]
    if exclude_zero:
        smallest = 1 if dtype.category <= dtypes.INTEGER else 1e-6
        made[made == 0] = smallest
    return made.requires_grad_(requires_grad) if requires_grad else made
