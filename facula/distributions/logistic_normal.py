"""The logistic-normal distribution."""

from __future__ import annotations

from typing import Any

from facula.distributions import constraints
from facula.distributions.independent import Independent
from facula.distributions.normal import Normal
from facula.distributions.transformed_distribution import TransformedDistribution
from facula.distributions.transforms import StickBreakingTransform


class LogisticNormal(TransformedDistribution):
    """Probabilities made of normal numbers by breaking a stick."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.simplex
    has_rsample = True

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None):
        base = Normal(loc, scale, validate_args=validate_args)
        if not base.batch_shape:
            base = base.expand([1])
        super().__init__(base, StickBreakingTransform(), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> LogisticNormal:
        """The distribution with its parameters expanded."""
        new = self._get_checked_instance(LogisticNormal, _instance)
        return super().expand(batch_shape, _instance=new)

    def _inner(self) -> Any:
        base = self.base_dist
        return base.base_dist if isinstance(base, Independent) else base

    loc = property(lambda self: self._inner().loc)
    scale = property(lambda self: self._inner().scale)
