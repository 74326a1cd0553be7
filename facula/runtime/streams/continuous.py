"""Exponential, geometric, Cauchy and log-normal numbers, bit for bit PyTorch's."""

from __future__ import annotations

import math

import numpy as np

from facula.runtime.streams.convert import from_reals, libm, safe_log
from facula.runtime.streams.fma import fma64
from facula.runtime.streams.mt19937 import Stream
from facula.runtime.streams.normal import normal_one_by_one

__all__ = ["cauchy", "exponential", "geometric", "log_normal"]


def exponential(stream: Stream, n: int, dtype: str, rate: float = 1.0) -> np.ndarray:
    """Return `n` exponential values of the given rate."""
    negative = -stream.draw53(n)
    # One unit of double precision does not survive the rounding to the narrower types.
    logs = libm(math.log1p, negative) if dtype == "float64" else np.log1p(negative)
    logs *= -1.0 / rate
    return from_reals(logs, dtype)


def geometric(stream: Stream, n: int, dtype: str, p: float) -> np.ndarray:
    """Return `n` numbers of trials up to the first success of probability `p`."""
    uniforms = stream.draw53(n)
    scale = math.log1p(-p)
    with np.errstate(divide="ignore"):
        quotient = np.log(uniforms) / scale
    # Near a whole number the last bit of the logarithm decides, so ask the C library there.
    distance = np.abs(quotient - np.rint(quotient))
    close = np.flatnonzero(distance <= 1e-14 * quotient)
    if close.size:
        quotient[close] = libm(safe_log, uniforms[close]) / scale
    return from_reals(np.ceil(quotient), dtype)


def cauchy(
    stream: Stream, n: int, dtype: str, median: float = 0.0, sigma: float = 1.0
) -> np.ndarray:
    """Return `n` values of the Cauchy distribution."""
    angle = math.pi * (stream.draw53(n) - 0.5)
    tangent = libm(math.tan, angle) if dtype == "float64" else np.tan(angle)
    return from_reals(fma64(tangent, sigma, median), dtype)


def log_normal(
    stream: Stream, n: int, dtype: str, mean: float = 1.0, std: float = 2.0
) -> np.ndarray:
    """Return `n` values whose logarithm is normal with the given mean and deviation."""
    exact = dtype == "float64"
    logs = normal_one_by_one(stream, n, mean, std, exact)
    return from_reals(libm(math.exp, logs) if exact else np.exp(logs), dtype)
