"""The functions that make random numbers, compiled and callable from Python.

``load(name)`` gives a function of ``(key, block, place, out, n, ...)``: addresses of the state,
of the block of its draws and of the results, then numbers (``arrivals`` reads uniforms instead).
Python's lock is kept during a call.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable

from facula.engines.native import jit, target
from facula.engines.native.kernel import Kernel
from facula.engines.native.random import arrivals, integers, normals, twister, uniforms
from facula.engines.registry import Unavailable

_INT, _FLOAT, _DOUBLE = ctypes.c_int64, ctypes.c_float, ctypes.c_double
_TABLE: dict[str, tuple[Callable[[str], str], list]] = {
    "draws": (twister.raw, []),
    "wide draws": (uniforms.wide, []),
    "floats": (uniforms.floats, [_FLOAT] * 3),
    "doubles": (uniforms.doubles, [_DOUBLE] * 3),
    "decisions": (uniforms.decisions, [_INT]),
    "normal floats": (normals.floats, [_INT, _FLOAT, _FLOAT]),
    "normal doubles": (normals.doubles, [_DOUBLE, _DOUBLE]),
    "normal pairs": (normals.pairs, []),
    "integers": (integers.narrow, [_INT, _INT]),
    "wide integers": (integers.wide, [_INT, _INT]),
    "permutation": (integers.permutation, []),
    "arrivals": (arrivals.arrivals, []),
}


@functools.cache
def load(name: str) -> Callable[..., None]:
    """The function called ``name``; raises Unavailable where it cannot be had."""
    if not _fuses():
        raise Unavailable("the CPU cannot multiply and add with one rounding")
    emit, numbers = _TABLE[name]
    key = f"random {name} {target.vector_bits()}"
    (address,) = jit.load([Kernel("random", key, emit)])
    kinds = ctypes.c_void_p, ctypes.c_void_p, _INT, ctypes.c_void_p, _INT, *numbers
    return ctypes.PYFUNCTYPE(None, *kinds)(address)


def _fuses() -> bool:
    features = target.host().features
    return not features or bool(features & {"fma", "avx512f", "neon"})
