"""The Fisher-Snedecor distribution."""

from __future__ import annotations

from typing import Any

from facula import operators as ops
from facula.base.size import Size
from facula.distributions import constraints
from facula.distributions.distribution import Distribution
from facula.distributions.gamma import Gamma
from facula.distributions.utils import broadcast_all
from facula.settings import finfo
from facula.tensors import Tensor


class FisherSnedecor(Distribution):
    """The ratio of two chi-squared numbers over their degrees of freedom ``df1``, ``df2``."""

    arg_constraints = {"df1": constraints.positive, "df2": constraints.positive}
    support = constraints.positive
    has_rsample = True

    def __init__(self, df1: Any, df2: Any, validate_args: bool | None = None):
        self.df1, self.df2 = broadcast_all(df1, df2)
        self._gamma1 = Gamma(self.df1 * 0.5, self.df1)
        self._gamma2 = Gamma(self.df2 * 0.5, self.df2)
        super().__init__(self.df1.size(), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> FisherSnedecor:
        """The distribution with its parameters expanded."""
        new = self._expanded(FisherSnedecor, _instance, batch_shape, ("df1", "df2"))
        new._gamma1 = self._gamma1.expand(Size(batch_shape))
        new._gamma2 = self._gamma2.expand(Size(batch_shape))
        return new

    @property
    def mean(self) -> Tensor:
        """The mean; nan up to two degrees of freedom."""
        df2 = ops.where(self.df2 <= 2, float("nan"), self.df2)
        return df2 / (df2 - 2)

    @property
    def mode(self) -> Tensor:
        """The most likely value."""
        found = (self.df1 - 2) / self.df1 * self.df2 / (self.df2 + 2)
        return ops.where(self.df1 <= 2, float("nan"), found)

    @property
    def variance(self) -> Tensor:
        """The variance; nan up to four degrees of freedom."""
        df2 = ops.where(self.df2 <= 4, float("nan"), self.df2)
        top = 2 * df2.pow(2) * (self.df1 + df2 - 2)
        return top / (self.df1 * (df2 - 2).pow(2) * (df2 - 4))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws."""
        shape = Size(sample_shape)
        first = self._gamma1.rsample(shape)
        second = self._gamma2.rsample(shape)
        second = second.clamp(min=finfo(second.dtype).tiny)
        return (first / second).clamp(min=finfo(second.dtype).tiny)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density."""
        self._check(value)
        half1, half2, ratio = self.df1 * 0.5, self.df2 * 0.5, self.df1 / self.df2
        front = ops.lgamma(half1 + half2) - ops.lgamma(half1) - ops.lgamma(half2)
        middle = half1 * ratio.log() + (half1 - 1) * value.log()
        return front + middle - (half1 + half2) * ops.log1p(ratio * value)
