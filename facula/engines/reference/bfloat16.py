"""bfloat16 in NumPy: float32 arrays rounded to the 8 bits of precision bfloat16 keeps."""

from __future__ import annotations

import numpy as np


def round_to_bfloat16(x: np.ndarray) -> np.ndarray:
    """Round to nearest even; NaN stays NaN."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
    return np.where(np.isnan(x), np.float32(np.nan), rounded.view(np.float32)).reshape(x.shape)


def to_bits(x: np.ndarray) -> np.ndarray:
    """The 16-bit patterns of float32 values that are representable in bfloat16."""
    return (np.ascontiguousarray(x, np.float32).view(np.uint32) >> 16).astype(np.uint16)


def from_bits(bits: np.ndarray) -> np.ndarray:
    """float32 values of 16-bit bfloat16 patterns."""
    return (bits.astype(np.uint32) << 16).view(np.float32)
