"""Window functions: ``hann(M, sym=True)`` and so on, symmetric by default.

All take ``M``, the length, and by name ``sym`` (False: one period of a window of length M + 1),
``dtype`` (float32 or float64), ``layout``, ``device`` and ``requires_grad``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from facula.base import dtypes
from facula.tensors import conversion
from facula.tensors.build import adopt
from facula.tensors.creation import finish


def _window(name: str, M: int, values, named: dict):
    """``values(k, steps)`` of the points k = 0 ... M-1 of a window with that many steps."""
    sym = named.pop("sym", True)
    own = dtypes.meant(named.pop("dtype", None)) or dtypes.default_float()
    device, grad = named.pop("device", None), named.pop("requires_grad", False)
    layout = named.pop("layout", None)
    if layout not in (None, conversion.strided):
        raise ValueError(f"{name} is implemented for strided tensors only, got: {layout}")
    if named:
        raise TypeError(f"{name}() got an unexpected keyword argument {next(iter(named))!r}")
    if M < 0:
        raise ValueError(f"{name} requires non-negative window length, got M={M}")
    if own not in (dtypes.float32, dtypes.float64):
        raise ValueError(f"{name} expects float32 or float64 dtypes, got: {own}")
    if M <= 1:
        found = np.ones(M)
    else:
        found = values(np.arange(M, dtype=np.float64), M - 1 if sym else M)
    return finish(adopt(found.astype(own.numpy), own), device, grad)


def _positive(name: str, value: float) -> None:
    if value <= 0:
        raise ValueError(f"{name} must be positive, got: {value} instead.")


def bartlett(M: int, **named: Any):
    """A triangle: ``1 - |2 k / steps - 1|``."""
    return _window("bartlett", M, lambda k, steps: 1 - np.abs(2 * k / steps - 1), named)


def cosine(M: int, **named: Any):
    """Half a sine wave: ``sin(pi (k + 1/2) / (steps + 1))``."""
    return _window("cosine", M, lambda k, steps: np.sin(np.pi * (k + 0.5) / (steps + 1)), named)


def exponential(M: int, *, center: float | None = None, tau: float = 1.0, **named: Any):
    """``exp(-|k - center| / tau)``; only a periodic window may have a center of its own."""
    _positive("Tau", tau)
    if named.get("sym", True) and center is not None:
        raise ValueError("Center must be None for symmetric windows")

    def values(k, steps):
        return np.exp(-np.abs(k - (steps / 2 if center is None else center)) / tau)

    return _window("exponential", M, values, named)


def gaussian(M: int, *, std: float = 1.0, **named: Any):
    """A normal distribution's curve whose greatest value is 1."""
    _positive("Standard deviation", std)
    return _window(
        "gaussian", M, lambda k, steps: np.exp(-(((k - steps / 2) / std) ** 2) / 2), named
    )


def kaiser(M: int, *, beta: float = 12.0, **named: Any):
    """Ratios of the modified Bessel function of order 0; ``beta`` says how narrow it is."""
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")

    def values(k, steps):
        inside = np.maximum(1 - (2 * k / steps - 1) ** 2, 0)
        return np.i0(beta * np.sqrt(inside)) / np.i0(beta)

    return _window("kaiser", M, values, named)


def _cosines(name: str, M: int, a: Iterable[float], named: dict):
    def values(k, steps):
        waves = [c * (-1) ** i * np.cos(2 * np.pi * i * k / steps) for i, c in enumerate(a)]
        return np.sum(waves, 0)

    return _window(name, M, values, named)


def general_cosine(M: int, *, a: Iterable[float], **named: Any):
    """``a[0] - a[1] cos(2 pi k / steps) + a[2] cos(4 pi k / steps) - ...``."""
    if not isinstance(a, Iterable):
        raise TypeError("Coefficients must be a list/tuple")
    a = list(a)
    if not a:
        raise ValueError("Coefficients cannot be empty")
    return _cosines("general_cosine", M, a, named)


def general_hamming(M: int, *, alpha: float = 0.54, **named: Any):
    """``alpha - (1 - alpha) cos(2 pi k / steps)``."""
    return _cosines("general_hamming", M, [alpha, 1 - alpha], named)


def hamming(M: int, **named: Any):
    """``0.54 - 0.46 cos(2 pi k / steps)``."""
    return _cosines("hamming", M, [0.54, 0.46], named)


def hann(M: int, **named: Any):
    """``(1 - cos(2 pi k / steps)) / 2``."""
    return _cosines("hann", M, [0.5, 0.5], named)


def blackman(M: int, **named: Any):
    """A sum of three cosines with small side lobes."""
    return _cosines("blackman", M, [0.42, 0.5, 0.08], named)


def nuttall(M: int, **named: Any):
    """A sum of four cosines with very small side lobes."""
    return _cosines("nuttall", M, [0.3635819, 0.4891775, 0.1365995, 0.0106411], named)


__all__ = [
    "bartlett", "blackman", "cosine", "exponential", "gaussian", "general_cosine",
    "general_hamming", "hamming", "hann", "kaiser", "nuttall",
]  # fmt: skip
