"""The Cauchy distribution."""

from __future__ import annotations

import math
from typing import Any

from facula import tensors
from facula.base.size import Size
from facula.distributions import constraints
from facula.distributions.distribution import Distribution
from facula.distributions.utils import broadcast_all
from facula.tensors import Tensor


class Cauchy(Distribution):
    """The Cauchy (Lorentz) distribution with median ``loc`` and half width ``scale``."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None):
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.size(), validate_args=validate_args)

    def _constant(self, value: float) -> Tensor:
        return tensors.full(Size(self._batch_shape), value, dtype=self.loc.dtype)

    mean = property(lambda self: self._constant(math.nan))
    mode = property(lambda self: self.loc)
    variance = property(lambda self: self._constant(math.inf))

    def expand(self, batch_shape: Any, _instance: Any = None) -> Cauchy:
        """The distribution with its parameters expanded."""
        return self._expanded(Cauchy, _instance, batch_shape, ("loc", "scale"))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws."""
        shape = self._extended_shape(sample_shape)
        return self.loc + tensors.empty(shape, dtype=self.loc.dtype).cauchy_() * self.scale

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density."""
        self._check(value)
        off = (value - self.loc) / self.scale
        return -math.log(math.pi) - self.scale.log() - (off**2).log1p()

    def cdf(self, value: Tensor) -> Tensor:
        """Probability of at most ``value``."""
        self._check(value)
        return ((value - self.loc) / self.scale).atan() / math.pi + 0.5

    def icdf(self, value: Tensor) -> Tensor:
        """Inverse of ``cdf``."""
        return (math.pi * (value - 0.5)).tan() * self.scale + self.loc

    def entropy(self) -> Tensor:
        """Entropy."""
        return math.log(4 * math.pi) + self.scale.log()
