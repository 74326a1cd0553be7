"""The gamma distribution."""

from __future__ import annotations

from typing import Any

from facula import operators as ops
from facula.distributions import constraints
from facula.distributions._gamma_draws import standard_gamma
from facula.distributions.exp_family import ExponentialFamily
from facula.distributions.utils import broadcast_all
from facula.settings import finfo
from facula.tensors import Tensor


class Gamma(ExponentialFamily):
    """The gamma distribution with shape ``concentration`` and inverse scale ``rate``."""

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None):
        self.concentration, self.rate = broadcast_all(concentration, rate)
        super().__init__(self.concentration.size(), validate_args=validate_args)

    mean = property(lambda self: self.concentration / self.rate)
    mode = property(lambda self: ((self.concentration - 1) / self.rate).clamp(min=0))
    variance = property(lambda self: self.concentration / self.rate.pow(2))

    def expand(self, batch_shape: Any, _instance: Any = None) -> Gamma:
        """The distribution with its parameters expanded."""
        return self._expanded(Gamma, _instance, batch_shape, ("concentration", "rate"))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws; unlike PyTorch's, number by number, though of the same distribution."""
        shape = self._extended_shape(sample_shape)
        drawn = standard_gamma(self.concentration.expand(shape)) / self.rate.expand(shape)
        return drawn.clamp(min=finfo(drawn.dtype).tiny)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density."""
        self._check(value)
        return (
            ops.xlogy(self.concentration, self.rate)
            + ops.xlogy(self.concentration - 1, value)
            - self.rate * value
            - ops.lgamma(self.concentration)
        )

    def cdf(self, value: Tensor) -> Tensor:
        """Probability of at most ``value``."""
        self._check(value)
        return ops.igamma(self.concentration, self.rate * value)

    def entropy(self) -> Tensor:
        """Entropy."""
        return (
            self.concentration
            - self.rate.log()
            + ops.lgamma(self.concentration)
            + (1.0 - self.concentration) * ops.digamma(self.concentration)
        )
