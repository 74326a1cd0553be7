"""Rebuilds NumPy arrays, scalars and dtypes from a file after checking what the file claims.

NumPy's own `__setstate__` methods trust their input; a forged state could make an array that
reaches outside its memory. Only plain numbers, strings, bytes and dates are accepted.
"""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np

_KINDS = "?biufcSUMmV"


def _refuse(what: str) -> pickle.UnpicklingError:
    return pickle.UnpicklingError(f"the file holds {what}, which weights_only=True does not load")


def make_dtype(code: Any, align: Any = False, copy: Any = True) -> np.dtype:
    """Make a dtype from its short code, e.g. "f4"."""
    if not isinstance(code, str) or code[:1] in ("O", "V"):
        raise _refuse(f"the NumPy dtype {code!r}")
    try:
        # A fresh object: its byte order is set on it afterwards.
        return np.dtype(code, False, True)
    except TypeError:
        raise _refuse(f"the NumPy dtype {code!r}") from None


def set_dtype_state(dtype: Any, state: Any) -> None:
    """Set a dtype's byte order (and date unit); refuses structured and object dtypes."""
    plain = (
        isinstance(state, tuple)
        and len(state) in (8, 9)
        and state[0] in (3, 4)
        and state[1] in ("<", ">", "|", "=")
        and state[2:5] == (None, None, None)
        and state[5] in (-1, dtype.itemsize)
        and state[6] in (-1, 1, dtype.alignment)
        and (len(state) == 8 or dtype.kind in "mM")
    )
    if not plain or dtype.kind not in _KINDS or dtype.hasobject:
        raise _refuse(f"a NumPy dtype with the state {state!r}")
    dtype.__setstate__(state)


def _array(data: Any, dtype: Any, shape: Any, fortran: bool) -> np.ndarray:
    if not isinstance(dtype, np.dtype) or dtype.hasobject or dtype.kind not in _KINDS:
        raise _refuse(f"a NumPy array of {dtype!r}")
    if not isinstance(data, (bytes, bytearray)) or not isinstance(shape, tuple):
        raise _refuse("a NumPy array without plain bytes")
    if not all(type(length) is int and length >= 0 for length in shape):
        raise _refuse(f"a NumPy array of shape {shape}")
    if math.prod(shape) * dtype.itemsize != len(data):
        raise _refuse(f"a NumPy array of shape {shape} and {dtype} in {len(data)} bytes")
    flat = np.frombuffer(bytearray(data), dtype) if dtype.itemsize and data else np.empty(0, dtype)
    return flat.reshape(shape, order="F" if fortran else "C")


def reconstruct(cls: Any, shape: Any, code: Any) -> np.ndarray:
    """Make the empty array that `set_array_state` fills."""
    if cls is not np.ndarray:
        raise _refuse(f"an array of type {cls!r}")
    return np.ndarray((0,), np.int8)


def set_array_state(array: np.ndarray, state: Any) -> None:
    """Fill an array made by `reconstruct` with the file's values."""
    if not isinstance(state, tuple) or len(state) != 5:
        raise _refuse("a NumPy array in an unknown form")
    _, shape, dtype, fortran, data = state
    made = _array(data, dtype, shape, bool(fortran))
    restore: Any = array.__setstate__  # its declared type is narrower than what it takes
    restore((1, made.shape, made.dtype, bool(fortran), bytes(data)))


def scalar(dtype: Any, data: Any) -> Any:
    """Make a NumPy scalar."""
    return _array(data, dtype, (), False)[()]


def from_buffer(data: Any, dtype: Any, shape: Any, order: Any, axis_order: Any = None) -> Any:
    """Make an array from the form of pickle protocol 5."""
    if axis_order is not None:
        raise _refuse("a NumPy array with permuted axes")
    return _array(data, dtype, shape, order == "F")
