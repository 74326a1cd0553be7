"""Random yes/no decisions, bit for bit PyTorch's `bernoulli_`, `bernoulli` and dropout masks."""

from __future__ import annotations

import math

import numpy as np

from facula.runtime.streams.convert import from_reals
from facula.runtime.streams.mt19937 import Stream
from facula.runtime.streams.uniform import uniform24

__all__ = ["bernoulli_scalar", "bernoulli_tensor", "rrelu_slopes"]

_HIGH_MASK = np.uint32((1 << 21) - 1)


def bernoulli_scalar(stream: Stream, n: int, p: float) -> np.ndarray:
    """Return `n` booleans that are true with probability `p`, from two draws each.

    The test is "53-bit uniform < p". The upper 21 bits decide it except once in two million.
    """
    limit = math.ceil(p * 2.0**53)
    out = np.empty(n, np.bool_)
    if stream.filled("decisions", out, n, 2 * n, limit):
        return out
    limit_high, limit_low = limit >> 32, limit & 0xFFFFFFFF
    raw = stream.draw32(2 * n)
    high = raw[0::2] & _HIGH_MASK
    np.less(high, np.uint32(limit_high), out=out)
    if limit_low:
        undecided = high == np.uint32(limit_high)
        if undecided.any():
            out |= undecided & (raw[1::2] < np.uint32(limit_low))
    return out


def bernoulli_tensor(stream: Stream, probs: np.ndarray, probs_dtype: str) -> np.ndarray:
    """Return a boolean per probability: from two draws if float64, else from one."""
    if probs_dtype == "float64":
        uniforms = stream.draw53(probs.size)
    else:
        uniforms = uniform24(stream, probs.size)
        probs = probs.astype(np.float32, copy=False)
    return uniforms.reshape(probs.shape) < probs


def rrelu_slopes(
    stream: Stream, n: int, lower: float, upper: float, dtype: str = "float32"
) -> np.ndarray:
    """Return the slopes `rrelu` draws for its `n` elements that are not positive.

    The arithmetic is float64 without fused multiply-add; only for float64 tensors do the ends
    keep more than float32 precision.
    """
    if dtype != "float64":
        lower, upper = float(np.float32(lower)), float(np.float32(upper))
    return from_reals(stream.draw53(n) * (upper - lower) + lower, dtype)
