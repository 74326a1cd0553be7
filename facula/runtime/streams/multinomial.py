"""Random choices by weight, bit for bit PyTorch's `multinomial`."""

from __future__ import annotations

import numpy as np

from facula.runtime.streams.continuous import exponential
from facula.runtime.streams.convert import from_reals
from facula.runtime.streams.mt19937 import Stream

__all__ = ["multinomial"]

_MANY = 16  # times the samples: then most of the order is of no interest


def multinomial(
    stream: Stream,
    probs: np.ndarray,
    dtype: str,
    num_samples: int,
    replacement: bool = False,
) -> np.ndarray:
    """Return int64 indices of shape (num_samples,) or (rows, num_samples).

    The caller has checked that the weights are finite, not negative and not all zero. Where
    weights divided by their random numbers tie exactly, the earlier index comes first
    (PyTorch leaves the order of such ties to its sorting).
    """
    if num_samples == 1 or not replacement:
        return _by_race(stream, probs, dtype, num_samples)
    if probs.ndim == 1:
        return _by_inversion(stream, probs, dtype, num_samples)
    rows = [_by_inversion(stream, row, dtype, num_samples) for row in probs]
    return np.array(rows, np.int64).reshape(probs.shape[0], num_samples)


def _by_race(stream: Stream, probs: np.ndarray, dtype: str, num_samples: int) -> np.ndarray:
    """Divide by exponential times: the largest quotients belong to the first arrivals."""
    times = exponential(stream, probs.size, dtype).reshape(probs.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        if dtype == "float16":
            quotient = probs.astype(np.float32) / times.astype(np.float32)
        else:
            quotient = probs / times
    quotient = from_reals(quotient, dtype)
    if num_samples == 1:
        return quotient.argmax(axis=-1, keepdims=True)
    if quotient.shape[-1] < _MANY * num_samples:
        return np.argsort(-quotient, axis=-1, kind="stable")[..., :num_samples]
    rows = [_first(row, num_samples) for row in quotient.reshape(-1, quotient.shape[-1])]
    return np.array(rows, np.int64).reshape(*quotient.shape[:-1], num_samples)


def _first(row: np.ndarray, count: int) -> np.ndarray:
    """The places of the largest numbers; those that are as large as the last of them count too."""
    last = np.partition(row, row.size - count)[row.size - count]
    places = np.flatnonzero(row >= last)
    return places[np.argsort(-row[places], kind="stable")[:count]]


def _by_inversion(stream: Stream, probs: np.ndarray, dtype: str, num_samples: int) -> np.ndarray:
    """Look uniforms up in the cumulative distribution."""
    work = np.float64 if dtype == "float64" else np.float32
    cumulative: np.ndarray = np.cumsum(probs, dtype=work)
    cumulative /= cumulative[-1]
    cumulative[-1] = 1
    return np.searchsorted(cumulative.astype(np.float64), stream.draw53(num_samples), "left")
