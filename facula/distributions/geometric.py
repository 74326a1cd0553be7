"""The geometric distribution."""

from __future__ import annotations

from typing import Any

from facula import operators as ops
from facula import tensors
from facula.autograd.modes import no_grad
from facula.distributions import constraints
from facula.distributions.binary import Binary
from facula.settings import finfo
from facula.tensors import Tensor


class Geometric(Binary):
    """Failures before the first success of trials with probability ``probs``."""

    support = constraints.nonnegative_integer

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None):
        super().__init__(probs, logits, validate_args)
        if self._validate_args and probs is not None and not (self.probs > 0).all():
            value = self.probs
            raise ValueError(
                f"Expected parameter probs ({type(value).__name__} of shape {tuple(value.shape)}) "
                f"of distribution {self!r} to be positive but found invalid values:\n{value}"
            )

    mean = property(lambda self: 1.0 / self.probs - 1.0)
    mode = property(lambda self: tensors.zeros_like(self.probs))
    variance = property(lambda self: (1.0 / self.probs - 1.0) / self.probs)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Geometric:
        """The distribution with its parameters expanded."""
        return self._expand_binary(Geometric, _instance, batch_shape)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws."""
        shape = self._extended_shape(sample_shape)
        with no_grad():
            tiny = finfo(self.probs.dtype).tiny
            drawn = tensors.empty(shape, dtype=self.probs.dtype).uniform_(tiny, 1)
            return (drawn.log() / (-self.probs).log1p()).floor()

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-probability."""
        self._check(value)
        value, probs = ops.broadcast_tensors(value, self.probs)
        base = ops.where((probs == 1) & (value == 0), 0.0, probs)
        return value * (-base).log1p() + self.probs.log()

    def entropy(self) -> Tensor:
        """Entropy."""
        return (
            ops.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")
            / self.probs
        )
