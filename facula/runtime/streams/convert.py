"""Conversions from the working type of a distribution to the type that was asked for."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

__all__ = ["DIGITS", "INTEGER_MAX", "REAL_OF_COMPLEX", "from_integers", "from_reals", "libm"]

# Number of bits of the significand, the hidden one included.
DIGITS = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}
REAL_OF_COMPLEX = {"complex64": "float32", "complex128": "float64"}
INTEGER_MAX = {
    name: int(np.iinfo(name).max)
    for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
}


def round_bfloat16(values: np.ndarray) -> np.ndarray:
    """Round float32 values to the nearest bfloat16, ties to even, and keep them as float32."""
    bits = values.view(np.uint32)
    bits = bits + (((bits >> np.uint32(16)) & np.uint32(1)) + np.uint32(0x7FFF))
    bits &= np.uint32(0xFFFF0000)
    return bits.view(np.float32)


def from_reals(values: np.ndarray, dtype: str) -> np.ndarray:
    """Convert float32 or float64 values; halves are rounded twice, through float32.

    What is too large becomes infinite without a warning.
    """
    if values.dtype == np.float64:
        if dtype == "float64":
            return values
        with np.errstate(over="ignore", invalid="ignore"):
            if dtype not in DIGITS:
                return values.astype(np.int64).astype(dtype, copy=False)
            values = values.astype(np.float32)
    if dtype == "float32":
        return values
    if dtype == "bfloat16":
        return round_bfloat16(values)
    with np.errstate(over="ignore"):
        return values.astype(dtype)


def from_integers(values: np.ndarray, dtype: str) -> np.ndarray:
    """Convert int64 values; halves go through float32, narrow integers wrap around."""
    if dtype == "float16" or dtype == "bfloat16":
        return from_reals(values.astype(np.float32), dtype)
    return values.astype(dtype, copy=False)


def libm(function: Callable[[float], float], values: np.ndarray) -> np.ndarray:
    """Apply a function of `math` to float64 values.

    NumPy's vector code differs from the C library in the last bit for some functions and
    processors; `math` calls the C library, as PyTorch does.
    """
    return np.fromiter(map(function, values.tolist()), np.float64, values.size)


def safe_log(value: float) -> float:
    """Return log(value), with minus infinity at zero instead of an error."""
    return math.log(value) if value else -math.inf
