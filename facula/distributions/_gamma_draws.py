"""Draws from the standard gamma distribution, with the gradient in its shape parameter."""

from __future__ import annotations

import numpy as np

from facula import operators as ops
from facula import tensors
from facula.autograd.function import Function
from facula.autograd.modes import no_grad
from facula.base import dtypes
from facula.tensors import Tensor, adopt


def _numbers(draw: str, count: int) -> np.ndarray:
    made = tensors.empty(count, dtype=dtypes.float64)
    return np.asarray(getattr(made, draw)()._buffer())


def _draw(shape: np.ndarray) -> np.ndarray:
    """Standard gamma numbers by Marsaglia and Tsang's method (ACM TOMS 26, 2000).

    Shapes below 1 use a draw for shape + 1 times U**(1 / shape), formed as logarithms so that tiny
    shapes do not underflow before they have to.
    """
    flat = shape.astype(np.float64).reshape(-1)
    small = flat < 1
    d = np.where(small, flat + 1, flat) - 1 / 3
    c = 1 / np.sqrt(9 * d)
    found = np.empty(flat.size)
    left = np.arange(flat.size)
    while left.size:
        x = _numbers("normal_", left.size)
        u = _numbers("uniform_", left.size)
        v = (1 + c[left] * x) ** 3
        with np.errstate(invalid="ignore", divide="ignore"):
            good = (v > 0) & (np.log(u) < 0.5 * x * x + d[left] * (1 - v + np.log(v)))
        found[left[good]] = (d[left] * v)[good]
        left = left[~good]
    if small.any():
        u = 1 - _numbers("uniform_", int(small.sum()))
        found[small] *= np.exp(np.log(u) / flat[small])
    return found.reshape(shape.shape)


def _shape_gradient(alpha: np.ndarray, x: np.ndarray) -> np.ndarray:
    """d x / d alpha at fixed probability: -(dP(alpha, x)/d alpha) / density."""
    alpha, x = alpha.astype(np.float64), np.maximum(x.astype(np.float64), 1e-300)
    step = 1e-4 * np.maximum(alpha, 1e-2)
    upper = x > alpha

    def tail(a: np.ndarray) -> np.ndarray:
        below = np.asarray(ops.igamma(adopt(a), adopt(x.copy()))._buffer())
        above = np.asarray(ops.igammac(adopt(a), adopt(x.copy()))._buffer())
        return np.where(upper, -above, below)

    slope = (tail(alpha + step) - tail(alpha - step)) / (2 * step)
    log_gamma = np.asarray(ops.lgamma(adopt(alpha.copy()))._buffer())
    density = np.exp((alpha - 1) * np.log(x) - x - log_gamma)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = -slope / density
    # Where both vanish: for small x, P is x**alpha / (alpha Gamma(alpha)), whose slope is known.
    digamma = np.asarray(ops.digamma(adopt(alpha + 1))._buffer())
    limit = -x * (np.log(x) - digamma) / alpha
    return np.where(np.isfinite(found) & (x > 1e-20), found, limit)


class _StandardGamma(Function):
    @staticmethod
    def forward(ctx, concentration):
        """Draws for each shape parameter."""
        array = np.asarray(concentration._buffer())
        drawn = _draw(array).astype(array.dtype)
        made = adopt(drawn, concentration.dtype)
        ctx.save_for_backward(concentration, made)
        return made

    @staticmethod
    def backward(ctx, grad):
        """The gradient in the shape parameter."""
        concentration, made = ctx.saved_tensors
        alpha = np.asarray(concentration.detach()._buffer())
        slope = _shape_gradient(alpha, np.asarray(made.detach()._buffer()))
        return grad * adopt(slope.astype(alpha.dtype), concentration.dtype)


def standard_gamma(concentration: Tensor) -> Tensor:
    """Draws from the gamma distribution of rate 1; gradients reach the shape parameter.

    The values are as PyTorch's in distribution, not number by number.
    """
    if not concentration.requires_grad:
        with no_grad():
            return _StandardGamma.apply(concentration)
    return _StandardGamma.apply(concentration)
