"""Poisson random numbers, bit for bit PyTorch's `poisson`."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from facula.runtime.streams import machine
from facula.runtime.streams.convert import libm
from facula.runtime.streams.mt19937 import Stream

__all__ = ["poisson"]

_FEW = 10.0  # below this rate counting arrivals is cheaper than rejection
_SHORT = 100  # numbers that are made in plain Python


def poisson(stream: Stream, rates: np.ndarray) -> np.ndarray:
    """Return a float64 count for each rate, in the shape of `rates`."""
    if not (rates >= _FEW).any():
        return _by_arrivals(stream, rates.reshape(-1)).reshape(rates.shape)
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
    return _arrivals(feed, rate) if rate else 0.0


def _arrivals(feed: _Feed, rate: float) -> float:
    """Count how many uniforms can be multiplied before the product falls to exp(-rate)."""
    limit = math.exp(-rate)
    count = 0
    product = feed()
    while product > limit:
        count += 1
        product *= feed()
    return float(count)


def _by_arrivals(stream: Stream, rates: np.ndarray) -> np.ndarray:
    """The same for all of many rates; none is drawn for a rate of 0."""
    some = np.flatnonzero(rates)
    found = rates[some].astype(np.float64)
    n = found.size
    if n and (found == found[0]).all():
        limits = np.full(n, math.exp(-found[0]))
    else:
        limits = libm(math.exp, -found)
    counts = np.zeros(n + 3)  # and how many are complete, the product and the count of the next
    counts[n + 1] = 1.0
    while left := n - int(counts[n]):
        if left <= _SHORT and stream.at_hand() >= 2 * left:
            uniforms = stream.draw53(min(stream.at_hand() // 2, 8 * left))
            used = _count(uniforms.tolist(), limits, counts)
            stream.give_back(2 * (uniforms.size - used))
            continue
        # Each that is left needs one more at least: so many can be drawn without any to spare.
        uniforms = stream.draw53(left)
        function = machine.function("arrivals", left)
        if function is None:
            _count(uniforms.tolist(), limits, counts)
        else:
            function(uniforms.ctypes.data, limits.ctypes.data, left, counts.ctypes.data, n)
    out = np.zeros(rates.shape)
    out[some] = counts[:n]
    return out


def _count(uniforms: list[float], limits: np.ndarray, counts: np.ndarray) -> int:
    """What the machine code called "arrivals" does; returns how many uniforms were needed."""
    n = limits.size
    place, product, count = int(counts[n]), float(counts[n + 1]), float(counts[n + 2])
    edges = limits[place:].tolist()
    found: list[float] = []
    used = 0
    for uniform in uniforms:
        if len(found) == len(edges):
            break
        used += 1
        product *= uniform
        if product > edges[len(found)]:
            count += 1.0
        else:
            found.append(count)
            product, count = 1.0, 0.0
    counts[place : place + len(found)] = found
    counts[n:] = place + len(found), product, count
    return used


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
