"""Applies one primitive to arrays through native code, a vector at a time."""

from __future__ import annotations

import ctypes

import numpy as np

from facula.engines.native import ir, jit, scalars
from facula.engines.native.kernel import Kernel
from facula.engines.reference.bfloat16 import round_to_bfloat16

FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


def call(kernel: Kernel, arrays, count: int) -> None:
    """Run a kernel over chunks 0 .. count - 1 on the memory of arrays."""
    (address,) = jit.load([kernel])
    pointers = (ctypes.c_void_p * len(arrays))(*[a.ctypes.data for a in arrays])
    FUNCTION(address)(ctypes.cast(pointers, ctypes.c_void_p), 0, count)


def apply(name, types, arrays, result, params=None, lanes=16) -> np.ndarray:
    """A primitive's results for one-dimensional arrays, computed ``lanes`` at a time."""
    params = params or {}
    arrays = [np.ascontiguousarray(a) for a in arrays]
    size = arrays[0].size
    whole = -(-size // lanes) * lanes
    padded = [np.resize(a, whole) for a in arrays]
    out = np.zeros(whole, result.numpy)

    def write(symbol: str) -> str:
        f = ir.Function(symbol, ["ptr", "i64", "i64"])
        buffers, begin, end = f.arguments
        pointers = [f.load("ptr", f.at(buffers, i, "ptr")) for i in range(len(types) + 1)]
        with f.loop(begin, end) as chunk:
            i = f.mul(chunk, lanes)
            values = [
                scalars.load(f, t, f.at(p, i, scalars.storage(t)), lanes)
                for t, p in zip(types, pointers[:-1], strict=True)
            ]
            value = scalars.emit(f, name, params, values, types, result)
            scalars.store(f, result, value, f.at(pointers[-1], i, scalars.storage(result)))
        f.ret()
        return f.text()

    shown = sorted((k, str(v)) for k, v in params.items())
    key = f"scalar test {name} {shown} {[t.name for t in types]} {result.name} {lanes}"
    call(Kernel("test", key, write), [*padded, out], whole // lanes)
    return out[:size]


def wanted(primitive, params, arrays, result) -> np.ndarray:
    """The reference's results, rounded as the reference engine rounds."""
    with np.errstate(all="ignore"):
        value = np.asarray(primitive.reference(params, *arrays))
    return round_to_bfloat16(value) if result.name == "bfloat16" else value
