"""The Poisson distribution."""

from __future__ import annotations

from typing import Any

from facula import operators as ops
from facula import tensors
from facula.autograd.modes import no_grad
from facula.distributions import constraints
from facula.distributions.exp_family import ExponentialFamily
from facula.distributions.utils import broadcast_all
from facula.tensors import Tensor


class Poisson(ExponentialFamily):
    """Numbers of events that happen ``rate`` times on average."""

    arg_constraints = {"rate": constraints.nonnegative}
    support = constraints.nonnegative_integer

    def __init__(self, rate: Any, validate_args: bool | None = None):
        (self.rate,) = broadcast_all(rate)
        super().__init__(self.rate.size(), validate_args=validate_args)

    mean = property(lambda self: self.rate)
    mode = property(lambda self: self.rate.floor())
    variance = property(lambda self: self.rate)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Poisson:
        """The distribution with its parameters expanded."""
        return self._expanded(Poisson, _instance, batch_shape, ("rate",))

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws."""
        with no_grad():
            return tensors.poisson(self.rate.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-probability."""
        self._check(value)
        rate, value = broadcast_all(self.rate, value)
        return ops.xlogy(value, rate) - rate - (value + 1).lgamma()
