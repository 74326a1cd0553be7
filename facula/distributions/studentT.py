"""Student's t distribution."""

from __future__ import annotations

import math
from typing import Any

from facula import operators as ops
from facula.base.size import Size
from facula.distributions import constraints
from facula.distributions.chi2 import Chi2
from facula.distributions.distribution import Distribution
from facula.distributions.utils import broadcast_all, standard_normal
from facula.tensors import Tensor


class StudentT(Distribution):
    """Student's t distribution with ``df`` degrees of freedom, shifted and scaled."""

    arg_constraints = {
        "df": constraints.positive,
        "loc": constraints.real,
        "scale": constraints.positive,
    }
    support = constraints.real
    has_rsample = True

    def __init__(
        self, df: Any, loc: Any = 0.0, scale: Any = 1.0, validate_args: bool | None = None
    ):
        self.df, self.loc, self.scale = broadcast_all(df, loc, scale)
        self._chi2 = Chi2(self.df)
        super().__init__(self.df.size(), validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        """The mean; nan up to one degree of freedom."""
        return ops.where(self.df <= 1, math.nan, self.loc)

    mode = property(lambda self: self.loc)

    @property
    def variance(self) -> Tensor:
        """The variance; infinite up to two degrees of freedom, nan up to one."""
        finite = self.scale.pow(2) * self.df / (self.df - 2)
        found = ops.where(self.df > 2, finite, math.inf)
        return ops.where(self.df <= 1, math.nan, found)

    def expand(self, batch_shape: Any, _instance: Any = None) -> StudentT:
        """The distribution with its parameters expanded."""
        new = self._expanded(StudentT, _instance, batch_shape, ("df", "loc", "scale"))
        new._chi2 = self._chi2.expand(Size(batch_shape))
        return new

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws."""
        noise = standard_normal(self._extended_shape(sample_shape), self.df.dtype)
        squares = self._chi2.rsample(sample_shape)
        return self.loc + self.scale * noise * ops.rsqrt(squares / self.df)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density."""
        self._check(value)
        off = (value - self.loc) / self.scale
        norm = (
            self.scale.log()
            + 0.5 * self.df.log()
            + 0.5 * math.log(math.pi)
            + ops.lgamma(0.5 * self.df)
            - ops.lgamma(0.5 * (self.df + 1.0))
        )
        return -0.5 * (self.df + 1.0) * ops.log1p(off**2.0 / self.df) - norm

    def entropy(self) -> Tensor:
        """Entropy."""
        log_beta = ops.lgamma(0.5 * self.df) + math.lgamma(0.5) - ops.lgamma(0.5 * (self.df + 1))
        slope = ops.digamma(0.5 * (self.df + 1)) - ops.digamma(0.5 * self.df)
        return self.scale.log() + 0.5 * (self.df + 1) * slope + 0.5 * self.df.log() + log_beta
