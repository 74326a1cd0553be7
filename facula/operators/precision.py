"""16-bit floats are computed in float32 and rounded once, as PyTorch's kernels do."""

from __future__ import annotations

import numpy as np

from facula.base import dtypes
from facula.base.dtypes import FLOAT, dtype
from facula.operators import kit
from facula.operators.basic import cast

_HALVES = (dtypes.float16, dtypes.bfloat16)


def widened(x):
    """A float16 or bfloat16 tensor in float32; anything else as it is."""
    return cast(x, dtypes.float32) if x._value.spec.dtype in _HALVES else x


def narrowed(x, to: dtype):
    """The result of a computation on widened tensors, in the dtype it should have."""
    return x if x._value.spec.dtype is to else cast(x, to)


def wide_dtype(own: dtype) -> dtype:
    """The dtype that values of ``own`` are summed and transformed in."""
    return dtypes.float32 if own in _HALVES else own


def largest(own: dtype) -> float:
    """The largest finite number of a floating dtype."""
    return 3.3895313892515355e38 if own is dtypes.bfloat16 else float(np.finfo(own.numpy).max)


def require_real(kernel: str, *tensors) -> None:
    """Refuse integers, bools and complex numbers with PyTorch's message."""
    for x in tensors:
        own = kit.spec_of(x).dtype
        if own.category != FLOAT:
            raise NotImplementedError(f"\"{kernel}\" not implemented for '{own.legacy}'")
