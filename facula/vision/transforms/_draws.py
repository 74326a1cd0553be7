"""Scalar random draws of the transforms, from the default generator and in PyTorch's order."""

from __future__ import annotations

import numpy as np

from facula import operators, tensors
from facula.base import dtypes

__all__: list[str] = []


def chance(p: float) -> bool:
    """Tells whether one uniform float32 falls below `p`, itself rounded to float32."""
    return bool(tensors.rand(1).item() < float(np.float32(p)))


def uniform(low: float, high: float) -> float:
    """Draws one float32 from [low, high)."""
    return float(tensors.empty(1).uniform_(float(low), float(high)).item())


def integer(low: int, high: int) -> int:
    """Draws one integer from [low, high)."""
    return int(tensors.randint(low, high, size=(1,)).item())


def log_bounds(ratio: tuple[float, float]) -> tuple[float, float]:
    """Logarithms of a range's ends in float32, as the aspect-ratio draws use them."""
    low, high = operators.log(tensors.tensor(ratio, dtype=dtypes.float32)).tolist()
    return float(low), float(high)


def exp_uniform(low: float, high: float) -> float:
    """Draws exp(u) with u uniform in [low, high), in float32."""
    return float(operators.exp(tensors.empty(1).uniform_(low, high)).item())
