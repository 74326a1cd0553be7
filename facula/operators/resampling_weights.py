"""Where resized elements come from: positions and weights along one axis, as NumPy tables."""

from __future__ import annotations

import math

import numpy as np


def _step(n, m, scale, align_corners, precision):
    """Distance in the input between neighbours in the output."""
    if align_corners:
        return precision((n - 1) / (m - 1)) if m > 1 else precision(0)
    if scale is not None and scale[0] > 0:
        return precision(1.0 / scale[0])
    return precision(n) / precision(m)


def nearest_places(n: int, m: int, scale, exact: bool, whole: bool = False) -> np.ndarray:
    """For each of ``m`` outputs the input it copies; positions as float32, as PyTorch does."""
    if whole and m in (n, 2 * n):
        return np.arange(m) // (m // n)
    step = _step(n, m, scale, False, np.float32)
    at = np.arange(m, dtype=np.float32)
    at = (at + np.float32(0.5)) * step if exact else at * step
    return np.minimum(np.floor(at).astype(np.int64), n - 1)


def matrix(kind, n, m, scale, align_corners, antialias, precision):
    """(m, n) weights of the inputs in each output; None if they change nothing."""
    if n == m and kind == "linear" and not antialias:
        return None  # whatever factor was asked for
    if antialias:
        table = _antialiased(kind, n, m, scale, align_corners)
    else:
        step = _step(n, m, scale, align_corners, precision)
        at = np.arange(m).astype(precision)
        if align_corners:
            at = at * step
        else:
            at = (at + precision(0.5)) * step - precision(0.5)
        table = _linear(at, n) if kind == "linear" else _cubic(at, n)
    return None if n == m and np.array_equal(table, np.eye(n)) else table


def _linear(at, n):
    """Two neighbours, weighted by nearness; positions before the first count as the first."""
    at = np.maximum(at, 0)
    low = np.minimum(at.astype(np.int64), n - 1)
    high = np.minimum(low + 1, n - 1)
    part = np.clip(at - low.astype(at.dtype), 0, 1)
    table = np.zeros((len(at), n))
    rows = np.arange(len(at))
    np.add.at(table, (rows, low), 1 - part)
    np.add.at(table, (rows, high), part)
    return table


def cubic_weights(t, a):
    """Keys' cubic convolution: weights of the four neighbours at distances 1+t, t, 1-t, 2-t."""

    def near(x):
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x):
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return far(t + 1), near(t), near(1 - t), far(2 - t)


def _cubic(at, n):
    low = np.floor(at)
    part = (at - low).astype(at.dtype)
    table = np.zeros((len(at), n))
    rows = np.arange(len(at))
    for shift, weight in enumerate(cubic_weights(part, at.dtype.type(-0.75)), -1):
        place = np.clip(low.astype(np.int64) + shift, 0, n - 1)
        np.add.at(table, (rows, place), weight)
    return table


def _triangle(x):
    x = abs(x)
    return 1 - x if x < 1 else 0.0


def _keys(x):
    a = -0.5
    x = abs(x)
    if x < 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a if x < 2 else 0.0


def _lanczos(x):
    if x == 0:
        return 1.0
    if not -3 <= x < 3:
        return 0.0
    return math.sin(math.pi * x) / (math.pi * x) * math.sin(math.pi * x / 3) / (math.pi * x / 3)


_FILTERS = {"linear": (_triangle, 1.0), "cubic": (_keys, 2.0), "lanczos": (_lanczos, 3.0)}


def _antialiased(kind, n, m, scale, align_corners):
    """A filter as wide as the reduction, normalised over the inputs it covers."""
    weight, reach = _FILTERS[kind]
    step = float(_step(n, m, scale, align_corners, np.float64))
    support = reach * step if step >= 1 else reach
    inverse = 1 / step if step >= 1 else 1.0
    table = np.zeros((m, n))
    for i in range(m):
        center = step * (i + 0.5)
        first = max(int(center - support + 0.5), 0)
        last = min(int(center + support + 0.5), n)
        weights = [weight((j - center + 0.5) * inverse) for j in range(first, last)]
        total = sum(weights)
        table[i, first:last] = np.array(weights) / total if total else weights
    return table
