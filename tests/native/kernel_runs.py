"""Runs lowered pieces: operands by role, chunks split anywhere and in any order."""

from __future__ import annotations

import ctypes
import itertools
import random
from collections.abc import Sequence

import numpy as np

from facula.engines.native import jit
from facula.engines.native.kernel import Lowered

_FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
_GUARD = 64
_PAINT = 0xA5


class Guarded:
    """Memory of an array between painted borders that nobody may write to."""

    def __init__(self, like: np.ndarray):
        self.bytes = np.full(like.nbytes + 3 * _GUARD, _PAINT, np.uint8)
        self.start = _GUARD + -self.bytes.ctypes.data % 64
        inner = self.bytes[self.start : self.start + like.nbytes]
        self.array = inner.view(like.dtype).reshape(like.shape)
        self.array[...] = like

    def untouched_around(self) -> bool:
        after = self.bytes[self.start + self.array.nbytes :]
        return bool((self.bytes[: self.start] == _PAINT).all() and (after == _PAINT).all())


def unwritten(shape: Sequence[int], dtype) -> np.ndarray:
    """What a result holds before it is computed: values that no test expects."""
    made = np.empty(shape, dtype)
    made.view(np.uint8).reshape(-1)[:] = _PAINT if made.size else 0
    return made


def run_pieces(
    lowered: Lowered, inputs: Sequence[np.ndarray], shape, dtype, seed: int = 0
) -> tuple[np.ndarray, list[int]]:
    """(result, status) of pieces with one result; nothing around any buffer may change."""
    shuffled = random.Random(seed)
    operands = {
        "input": [Guarded(np.asarray(a)) for a in inputs],
        "output": [Guarded(unwritten(tuple(shape), dtype) if shape else np.empty((), dtype))],
        "temp": [Guarded(np.empty(n, np.uint8)) for n in lowered.temps],
        "constant": [Guarded(array) for array in lowered.constants],
        "status": [Guarded(np.zeros(3, np.int64))],
    }
    addresses = jit.load([piece.kernel for piece in lowered.pieces])
    for piece, address in zip(lowered.pieces, addresses, strict=True):
        pointers = [operands[r.role][r.number].array.ctypes.data for r in piece.operands]
        table = (ctypes.c_void_p * len(pointers))(*pointers)
        count = piece.kernel.chunks
        cuts = sorted({0, count, *[shuffled.randrange(count + 1) for _ in range(2)]})
        parts = list(itertools.pairwise(cuts))
        shuffled.shuffle(parts)
        for begin, end in parts:
            _FUNCTION(address)(ctypes.addressof(table), begin, end)
    for guarded, given in zip(operands["input"], inputs, strict=True):
        assert guarded.array.tobytes() == np.asarray(given).tobytes(), "an operand was written to"
    assert all(g.untouched_around() for group in operands.values() for g in group)
    return operands["output"][0].array, operands["status"][0].array.tolist()
