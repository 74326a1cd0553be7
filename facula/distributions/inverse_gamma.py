"""The inverse gamma distribution."""

from __future__ import annotations

from typing import Any

from facula import operators as ops
from facula.distributions import constraints
from facula.distributions.gamma import Gamma
from facula.distributions.transformed_distribution import TransformedDistribution
from facula.distributions.transforms import PowerTransform
from facula.tensors import Tensor, tensor


class InverseGamma(TransformedDistribution):
    """Reciprocals of gamma numbers."""

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.positive
    has_rsample = True

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None):
        base = Gamma(concentration, rate, validate_args=validate_args)
        power = PowerTransform(tensor(-1.0, dtype=base.rate.dtype))
        super().__init__(base, power, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> InverseGamma:
        """The distribution with its parameters expanded."""
        new = self._get_checked_instance(InverseGamma, _instance)
        return super().expand(batch_shape, _instance=new)

    concentration = property(lambda self: self.base_dist.concentration)
    rate = property(lambda self: self.base_dist.rate)
    mode = property(lambda self: self.rate / (self.concentration + 1))

    @property
    def mean(self) -> Tensor:
        """The mean; infinite up to concentration 1."""
        found = self.rate / (self.concentration - 1)
        return ops.where(self.concentration > 1, found, float("inf"))

    @property
    def variance(self) -> Tensor:
        """The variance; infinite up to concentration 2."""
        c = self.concentration
        found = self.rate.square() / ((c - 1).square() * (c - 2))
        return ops.where(c > 2, found, float("inf"))

    def entropy(self) -> Tensor:
        """Entropy."""
        c = self.concentration
        return c + self.rate.log() + ops.lgamma(c) - (1 + c) * ops.digamma(c)
