"""The exponential distribution."""

from __future__ import annotations

from typing import Any

from facula import tensors
from facula.distributions import constraints
from facula.distributions.exp_family import ExponentialFamily
from facula.distributions.utils import broadcast_all
from facula.tensors import Tensor


class Exponential(ExponentialFamily):
    """Waiting times of events that happen ``rate`` times per unit."""

    arg_constraints = {"rate": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True

    def __init__(self, rate: Any, validate_args: bool | None = None):
        (self.rate,) = broadcast_all(rate)
        super().__init__(self.rate.size(), validate_args=validate_args)

    mean = property(lambda self: self.rate.reciprocal())
    mode = property(lambda self: tensors.zeros_like(self.rate))
    stddev = property(lambda self: self.rate.reciprocal())
    variance = property(lambda self: self.rate.pow(-2))

    def expand(self, batch_shape: Any, _instance: Any = None) -> Exponential:
        """The distribution with its parameters expanded."""
        return self._expanded(Exponential, _instance, batch_shape, ("rate",))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws."""
        shape = self._extended_shape(sample_shape)
        return tensors.empty(shape, dtype=self.rate.dtype).exponential_() / self.rate

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density."""
        self._check(value)
        return self.rate.log() - self.rate * value

    def cdf(self, value: Tensor) -> Tensor:
        """Probability of at most ``value``."""
        self._check(value)
        return 1 - (-self.rate * value).exp()

    def icdf(self, value: Tensor) -> Tensor:
        """Inverse of ``cdf``."""
        return -(-value).log1p() / self.rate

    def entropy(self) -> Tensor:
        """Entropy."""
        return 1.0 - self.rate.log()
