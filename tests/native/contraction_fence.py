"""Runs contractions whose buffers end, or begin, at memory that must not be touched.

Reading or writing outside a buffer ends the process: ``python -m tests.native.contraction_fence``.
"""

from __future__ import annotations

import ctypes
import mmap
import sys

import numpy as np

from facula.engines.native import jit
from facula.engines.native.contraction.lower import ways
from facula.engines.native.views import row_major
from tests.native.contraction_cases import (
    CONVS,
    MATMULS,
    broadcast_shape,
    check_close,
    conv_operands,
    conv_params,
    numbers,
)  # fmt: skip
from tests.native.widths import vector_bits

_FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
_PAGE = mmap.PAGESIZE


class Fenced:
    """Memory between two pages that nobody may touch, right after the first or before the last."""

    def __init__(self, size: int, at_end: bool, align: int):
        pages = -(-max(size, 1) // _PAGE)
        self.map = mmap.mmap(-1, (pages + 2) * _PAGE)
        self.base = ctypes.addressof(ctypes.c_char.from_buffer(self.map))
        protect = ctypes.CDLL(None).mprotect
        for page in (self.base, self.base + (pages + 1) * _PAGE):
            assert protect(ctypes.c_void_p(page), ctypes.c_size_t(_PAGE), 0) == 0
        self.address = self.base + _PAGE
        if at_end:
            self.address += (pages * _PAGE - size) // align * align

    def array(self, shape, dtype) -> np.ndarray:
        count = int(np.prod(shape))
        kind = ctypes.c_char * (count * np.dtype(dtype).itemsize)
        return np.frombuffer(kind.from_address(self.address), dtype, count).reshape(shape)


def fenced_run(kind, params, arrays, shape, dtype: str, at_end: bool) -> None:
    for lowered in ways(kind, params, dtype, *[row_major(a.shape) for a in arrays], shape):
        run_fenced(lowered, kind, params, arrays, shape, dtype, at_end)


def run_fenced(lowered, kind, params, arrays, shape, dtype: str, at_end: bool) -> None:
    held = {"input": [], "output": [], "temp": []}
    for array in arrays:
        held["input"].append(Fenced(array.nbytes, at_end, array.itemsize))
        held["input"][-1].array(array.shape, array.dtype)[...] = array
    size = int(np.prod(shape)) * arrays[0].itemsize
    held["output"].append(Fenced(size, at_end, arrays[0].itemsize))
    held["temp"] = [Fenced(n, at_end, 64) for n in lowered.temps]
    for piece in lowered.pieces:
        (address,) = jit.load([piece.kernel])
        pointers = [held[r.role][r.number].address for r in piece.operands]
        table = (ctypes.c_void_p * len(pointers))(*pointers)
        _FUNCTION(address)(ctypes.addressof(table), 0, piece.kernel.chunks)
    check_close(held["output"][0].array(shape, arrays[0].dtype), kind, params, arrays, dtype)


def main() -> None:
    rng = np.random.default_rng(5)
    for dtype in ("float32", "float16", "bfloat16"):
        for at_end in (True, False):
            for a, b in MATMULS[:-1]:
                arrays = [numbers(rng, a, dtype), numbers(rng, b, dtype)]
                fenced_run("matmul", {}, arrays, broadcast_shape(a, b), dtype, at_end)
            for case in CONVS if dtype == "float32" else CONVS[::4]:
                for kind in ("conv", "conv_input_grad", "conv_weight_grad"):
                    shapes, params, out = conv_operands(kind, case, conv_params(*case[2:]))
                    arrays = [numbers(rng, s, dtype) for s in shapes]
                    fenced_run(kind, params, arrays, out, dtype, at_end)


if __name__ == "__main__":
    with vector_bits(int(sys.argv[1])):
        main()
    print("inside")
