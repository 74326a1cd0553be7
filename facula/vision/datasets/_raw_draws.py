"""Raw 32-bit draws of the default generator for many samples at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facula import tensors
from facula.base import dtypes
from facula.vision._arrays import read

__all__ = ["raw_draws"]

_INT64_MIN = -(2**63)


def raw_draws(samples: int, kinds: Sequence[int]) -> np.ndarray:
    """Returns an int64 array (samples, len(kinds)) that stands for scalar draws made in that order.

    A kind is 0 for a float32 uniform (use the low 24 bits) or n > 0 for an integer below n (use the
    value modulo n). The generator moves exactly as the scalar draws would move it.
    """
    total = samples * len(kinds)
    out = np.empty(total, dtype=np.int64)
    whole = total // 2
    if whole:
        # A full-range int64 is two raw draws, the first one in its high half.
        words = read(tensors.empty(whole, dtype=dtypes.int64).random_(_INT64_MIN, None))
        words = words.view(np.uint64)
        out[0 : 2 * whole : 2] = words >> np.uint64(32)
        out[1 : 2 * whole : 2] = words & np.uint64(0xFFFFFFFF)
    if total % 2:
        if kinds[-1]:
            out[-1] = tensors.randint(0, kinds[-1], (1,)).item()
        else:
            out[-1] = int(tensors.rand(1, dtype=dtypes.float32).item() * 2**24)
    return out.reshape(samples, len(kinds))
