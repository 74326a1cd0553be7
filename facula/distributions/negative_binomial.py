"""The negative binomial distribution."""

from __future__ import annotations

from typing import Any

from facula import operators as ops
from facula import tensors
from facula.autograd.modes import no_grad
from facula.base.size import Size
from facula.distributions import constraints
from facula.distributions.binary import Binary
from facula.distributions.gamma import Gamma
from facula.distributions.utils import broadcast_all
from facula.tensors import Tensor


class NegativeBinomial(Binary):
    """Successes (probability ``probs``) before ``total_count`` failures."""

    arg_constraints = {
        "total_count": constraints.greater_than_eq(0),
        "probs": constraints.half_open_interval(0.0, 1.0),
        "logits": constraints.real,
    }
    support = constraints.nonnegative_integer

    def __init__(
        self,
        total_count: Any,
        probs: Any = None,
        logits: Any = None,
        validate_args: bool | None = None,
    ):
        if (probs is None) == (logits is None):
            raise ValueError("Either `probs` or `logits` must be specified, but not both.")
        self.total_count, given = broadcast_all(total_count, logits if probs is None else probs)
        self.total_count = self.total_count.type_as(given)
        of_probs = logits is None
        super().__init__(given if of_probs else None, None if of_probs else given, validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> NegativeBinomial:
        """The distribution with its parameters expanded."""
        new = self._expand_binary(NegativeBinomial, _instance, batch_shape)
        new.total_count = self.total_count.expand(Size(batch_shape))
        return new

    mean = property(lambda self: self.total_count * self.logits.exp())
    variance = property(lambda self: self.mean / ops.sigmoid(-self.logits))

    @property
    def mode(self) -> Tensor:
        """The most likely number."""
        return ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0.0)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws; unlike PyTorch's number by number, though of the same distribution."""
        with no_grad():
            rate = Gamma(self.total_count, (-self.logits).exp(), validate_args=False)
            return tensors.poisson(rate.sample(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-probability."""
        self._check(value)
        chance = self.total_count * ops.logsigmoid(-self.logits) + value * ops.logsigmoid(
            self.logits
        )
        ways = (
            -ops.lgamma(self.total_count + value)
            + ops.lgamma(1.0 + value)
            + ops.lgamma(self.total_count)
        )
        return chance - ops.where(self.total_count + value == 0.0, 0.0, ways)
