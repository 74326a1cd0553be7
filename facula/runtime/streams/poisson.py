"""Poisson random numbers, bit for bit PyTorch's `poisson`."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from facula.runtime.streams.mt19937 import Stream

__all__ = ["poisson"]

_FEW = 10.0  # below this rate counting arrivals is cheaper than rejection


def poisson(stream: Stream, rates: np.ndarray) -> np.ndarray:
    """Return a float64 count for each rate, in the shape of `rates`."""
    feed = _Feed(stream)
    counts = [_one(feed, rate) for rate in rates.reshape(-1).tolist()]
    feed.close()
    return np.array(counts, np.float64).reshape(rates.shape)


class _Feed:
    """Hands out 53-bit uniforms one by one and gives back what it did not need.

    How many are needed depends on the values, so they are drawn in blocks; at the end the
    stream is put back to the start and moved on by what was really used.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._mark = stream.mark()
        self._drawn = 0
        self._pending: Iterator[float] = iter(())

    def __call__(self) -> float:
        for value in self._pending:
            return value
        self._pending = iter(self._stream.draw53(312).tolist())
        self._drawn += 312
        return next(self._pending)

    def close(self) -> None:
        used = self._drawn - sum(1 for _ in self._pending)
        self._stream.rewind(self._mark)
        self._stream.skip(2 * used)


def _one(feed: _Feed, rate: float) -> float:
    if rate >= _FEW:
        return _by_rejection(feed, rate)
    return _by_arrivals(feed, rate) if rate else 0.0


def _by_arrivals(feed: _Feed, rate: float) -> float:
    """Count how many uniforms can be multiplied before the product falls to exp(-rate)."""
    limit = math.exp(-rate)
    count = 0
    product = feed()
    while product > limit:
        count += 1
        product *= feed()
    return float(count)


def _by_rejection(feed: _Feed, rate: float) -> float:
    """Return one value by transformed rejection.

    Source: W. Hoermann, The transformed rejection method for generating Poisson random
    variables, 1993 (algorithm PTRS).
    """
    root, log_rate = math.sqrt(rate), math.log(rate)
    b = 0.931 + 2.53 * root
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    squeeze = 0.9277 - 3.6224 / (b - 2.0)
    while True:
        u = feed() - 0.5
        v = feed()
        edge = 0.5 - abs(u)
        if edge == 0.0:
            continue  # the proposal is infinite, and minus infinity is always refused
        k = math.floor((2.0 * a / edge + b) * u + rate + 0.43)
        if edge >= 0.07 and v <= squeeze:
            return float(k)
        if k < 0 or (edge < 0.013 and v > edge):
            continue
        density = -rate + k * log_rate - math.lgamma(k + 1.0)
        if v == 0.0 or (
            math.log(v) + math.log(inverse_alpha) - math.log(a / (edge * edge) + b) <= density
        ):
            return float(k)
