"""``x.view(dtype)``: the same bits as numbers of another type."""

from __future__ import annotations

import numpy as np

from facula.base import dtypes
from facula.operators import movement
from facula.tensors.build import adopt
from facula.tensors.sharing import from_numpy, to_numpy


def view_dtype(self, dtype):
    """The tensor's memory read as numbers of another dtype; writes are seen through both."""
    own = self._value.spec
    if dtype is own.dtype:
        return movement.view(self, own.shape)
    if dtypes.bfloat16 in (dtype, own.dtype):
        return _view_bfloat16(self, dtype)
    ratio = own.dtype.itemsize, dtype.itemsize
    if ratio[0] != ratio[1] and (own.ndim == 0 or own.shape[-1] * ratio[0] % ratio[1]):
        raise RuntimeError(
            f"self.size(-1) must be divisible by {max(ratio) // min(ratio)} to view "
            f"{own.dtype.legacy} as {dtype.legacy} (different element sizes), "
            f"but got {own.shape[-1:]}"
        )
    if ratio[0] != ratio[1] and own.shape[-1] > 1 and self.stride(-1) != 1:
        raise RuntimeError(
            f"self.stride(-1) must be 1 to view {own.dtype.legacy} as {dtype.legacy} (different "
            f"element sizes), but got {self.stride(-1)}"
        )
    return from_numpy(to_numpy(self.detach()).view(dtype.numpy))


def _view_bfloat16(self, dtype):
    """The bits of bfloat16 numbers, which are kept as float32: copied, not shared."""
    array = np.ascontiguousarray(self._buffer())
    if self.dtype is dtypes.bfloat16:
        bits = (array.view(np.uint32) >> 16).astype(np.uint16)
        return adopt(bits.view(np.int16), dtypes.int16).view(dtype)
    bits = array.view(np.uint16).astype(np.uint32) << 16
    return adopt(bits.view(np.float32), dtypes.bfloat16)
