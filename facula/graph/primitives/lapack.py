"""Routines of the BLAS and LAPACK that NumPy brings along but does not offer.

Each function returns None where the routine cannot be had (another library, complex numbers).
"""

from __future__ import annotations

import ctypes
import functools
import sys
from typing import Any

import numpy as np

_MODULES = "numpy._core._multiarray_umath", "numpy.core._multiarray_umath"
_LETTERS = {"f": "s", "d": "d"}
_ROW_MAJOR, _LEFT, _PLAIN = 101, 141, 111
_UPPER, _LOWER, _GENERAL, _UNIT = 121, 122, 131, 132


@functools.cache
def _routine(names: tuple[str, str]) -> tuple[Any, Any] | None:
    """A routine and its type of integers; the first name has 64-bit ones."""
    module = next((sys.modules[name] for name in _MODULES if name in sys.modules), None)
    try:
        library = ctypes.CDLL(getattr(module, "__file__", None) or "")
    except OSError:
        return None
    for name, integer in zip(names, (ctypes.c_int64, ctypes.c_int32), strict=True):
        for prefix in ("scipy_", ""):
            found = getattr(library, prefix + name, None)
            if found is not None:
                found.restype = None
                return found, integer
    return None


def solve_triangular(a: np.ndarray, b: np.ndarray, upper: bool, unit: bool) -> np.ndarray | None:
    """A^-1 B for batches of triangular matrices."""
    letter = _LETTERS.get(a.dtype.char)
    name = f"cblas_{letter}trsm"
    found = _routine((f"{name}64_", name)) if letter else None
    if found is None or a.dtype != b.dtype:
        return None
    routine, integer = found
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    m, n = b.shape[-2:]
    out = np.array(np.broadcast_to(b, (*batch, m, n)), order="C")
    wide = np.ascontiguousarray(np.broadcast_to(a, (*batch, m, m)))
    if not out.size:
        return out
    real = ctypes.c_float if letter == "s" else ctypes.c_double
    kind = _UPPER if upper else _LOWER, _PLAIN, _UNIT if unit else _GENERAL
    for at in np.ndindex(*batch):
        left, right = (ctypes.c_void_p(x[at].ctypes.data) for x in (wide, out))
        routine(
            _ROW_MAJOR, _LEFT, *kind, integer(m), integer(n), real(1.0),
            left, integer(m), right, integer(n),
        )  # fmt: skip
    return out


def lu(a: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """(packed LU, 1-based pivots, info) with partial pivoting."""
    letter = _LETTERS.get(a.dtype.char)
    found = _routine((f"{letter}getrf_64_", f"{letter}getrf_")) if letter else None
    if found is None:
        return None
    routine, integer = found
    *batch, m, n = a.shape
    columns = np.array(a.swapaxes(-1, -2), order="C")  # LAPACK counts down columns
    pivots = np.zeros((*batch, min(m, n)), np.dtype(integer))
    info = np.zeros(batch, np.dtype(integer))
    rows, width = integer(m), integer(n)
    for at in np.ndindex(*batch) if a.size else ():
        matrix, exchanges = (ctypes.c_void_p(x[at].ctypes.data) for x in (columns, pivots))
        code = integer(0)
        counts = ctypes.byref(rows), ctypes.byref(width)
        routine(*counts, matrix, ctypes.byref(rows), exchanges, ctypes.byref(code))
        info[at] = code.value
    packed = np.ascontiguousarray(columns.swapaxes(-1, -2))
    return packed, pivots.astype(np.int32), info.astype(np.int32)
