"""The half-Cauchy distribution."""

from __future__ import annotations

import math
from typing import Any

from facula import operators as ops
from facula import tensors
from facula.distributions import constraints
from facula.distributions.cauchy import Cauchy
from facula.distributions.transformed_distribution import TransformedDistribution
from facula.distributions.transforms import AbsTransform
from facula.tensors import Tensor


class HalfCauchy(TransformedDistribution):
    """Absolute values of Cauchy numbers around 0."""

    arg_constraints = {"scale": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True

    def __init__(self, scale: Any, validate_args: bool | None = None):
        base = Cauchy(0, scale, validate_args=False)
        super().__init__(base, AbsTransform(), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> HalfCauchy:
        """The distribution with its parameters expanded."""
        new = self._get_checked_instance(HalfCauchy, _instance)
        return super().expand(batch_shape, _instance=new)

    scale = property(lambda self: self.base_dist.scale)
    mean = property(lambda self: tensors.full_like(self.scale, math.inf))
    mode = property(lambda self: tensors.zeros_like(self.scale))
    variance = property(lambda self: self.base_dist.variance)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density."""
        self._check(value)
        off = value / self.scale
        found = math.log(2 / math.pi) - self.scale.log() - (off**2).log1p()
        return ops.where(value >= 0, found, -math.inf)

    def cdf(self, value: Tensor) -> Tensor:
        """Probability of at most ``value``."""
        self._check(value)
        return 2 * self.base_dist.cdf(value) - 1

    def icdf(self, value: Tensor) -> Tensor:
        """Inverse of ``cdf``."""
        return self.base_dist.icdf((value + 1) / 2)

    def entropy(self) -> Tensor:
        """Entropy."""
        return self.base_dist.entropy() - math.log(2)
