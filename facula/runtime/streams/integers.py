"""Random integers, bit for bit PyTorch's `randint` and `random_`."""

from __future__ import annotations

import numpy as np

from facula.runtime.streams.convert import DIGITS, INTEGER_MAX, from_integers
from facula.runtime.streams.mt19937 import Stream

__all__ = ["randint", "random_from", "random_full", "seed_draw"]

_WORD = 1 << 64
_INT64_MIN = -(1 << 63)
_SWITCH = 1 << 28  # wider ranges take two raw draws per value


def _as_int64(value: int) -> int:
    return (value + (1 << 63)) % _WORD - (1 << 63)


def _ranged(stream: Stream, n: int, width: int, low: int) -> np.ndarray:
    """Return `low` + draw % `width` as int64, wrapping around as C++ does."""
    values = np.empty(n, np.int64)
    if width < _SWITCH:
        if stream.filled("integers", values, n, n, width, low):
            return values
        values = (stream.draw32(n) % np.uint32(width)).astype(np.int64)
    else:
        if stream.filled("wide integers", values, n, 2 * n, width, low):
            return values
        values = (stream.draw64(n) % np.uint64(width)).view(np.int64)
    if low:
        values += np.int64(low)
    return values


def _round_to_digits(value: int, digits: int) -> int:
    """Round an integer to `digits` significant bits, ties to even, as a float type would."""
    shift = max(abs(value).bit_length() - digits, 0)
    half = 1 << shift >> 1
    size = abs(value)
    kept, lost = size >> shift, size & ((1 << shift) - 1)
    kept += lost > half or (lost == half and half > 0 and kept & 1)
    return (kept << shift) * (1 if value >= 0 else -1)


def _pull_inward(low: int, high: int, digits: int) -> tuple[int, int]:
    """Move ends that a float type cannot hold to the next value inside that it can."""
    rounded = _round_to_digits(low + 1, digits)
    if rounded < low:
        low = rounded + (1 << max(abs(low + 1).bit_length() - digits, 0))
    rounded = _round_to_digits(high - 1, digits)
    if high <= rounded < 1 << 63:  # a larger one turns negative in C++ and is left alone
        high = rounded - (1 << max(abs(high - 1).bit_length() - digits, 0))
    return low, high


def randint(stream: Stream, n: int, low: int, high: int, dtype: str = "int64") -> np.ndarray:
    """Return `n` integers of `low <= x < high`; the caller has checked that low < high."""
    digits = DIGITS.get(dtype)
    if digits is not None:
        low, high = _pull_inward(low, high, digits)
    width = (high - low) % _WORD
    return from_integers(_ranged(stream, n, width, _as_int64(low)), dtype)


def random_full(stream: Stream, n: int, dtype: str) -> np.ndarray:
    """Return `n` integers from zero to the largest the type holds without gaps."""
    if dtype == "bool":
        return (stream.draw32(n) & np.uint32(1)).astype(np.bool_)
    digits = DIGITS.get(dtype)
    top = INTEGER_MAX[dtype] if digits is None else 1 << digits
    if top >= 1 << 32:
        values = (stream.draw64(n) % np.uint64(top + 1)).view(np.int64)
    else:
        values = (stream.draw32(n).astype(np.int64)) % np.int64(top + 1)
    return from_integers(values, dtype)


def random_from(stream: Stream, n: int, low: int, high: int | None, dtype: str) -> np.ndarray:
    """Return `n` integers of `low <= x < high`; without `high`, up to the type's largest."""
    if high is not None:
        return randint(stream, n, low, high, dtype)
    if low == _INT64_MIN:
        return from_integers(stream.draw64(n).view(np.int64), dtype)
    digits = DIGITS.get(dtype)
    if digits is not None:
        high = (1 << digits) + 1
        low, _ = _pull_inward(low, high, digits)
    elif dtype == "bool":
        high = 2
    else:
        high = min(INTEGER_MAX[dtype] + 1, 1 << 63)
    return from_integers(_ranged(stream, n, (high - low) % _WORD, low), dtype)


def seed_draw(stream: Stream) -> int:
    """Return one int64 `random_()` value, which data loaders and samplers use as a seed."""
    high, low = stream.draw32(2).tolist()
    return (high << 32 | low) & ((1 << 63) - 1)
