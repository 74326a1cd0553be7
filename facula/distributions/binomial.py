"""The binomial distribution."""

from __future__ import annotations

from typing import Any

import numpy as np

from facula import operators as ops
from facula import tensors
from facula.autograd.modes import no_grad
from facula.base.size import Size
from facula.distributions import constraints
from facula.distributions.binary import Binary
from facula.distributions.utils import broadcast_all
from facula.tensors import Tensor, adopt


class Binomial(Binary):
    """Successes among ``total_count`` trials with probability ``probs``."""

    has_enumerate_support = True
    arg_constraints = {
        "total_count": constraints.nonnegative_integer,
        "probs": constraints.unit_interval,
        "logits": constraints.real,
    }

    def __init__(
        self,
        total_count: Any = 1,
        probs: Any = None,
        logits: Any = None,
        validate_args: bool | None = None,
    ):
        given = logits if probs is None else probs
        if (probs is None) == (logits is None):
            raise ValueError("Either `probs` or `logits` must be specified, but not both.")
        self.total_count, given = broadcast_all(total_count, given)
        self.total_count = self.total_count.type_as(given)
        of_probs = logits is None
        super().__init__(given if of_probs else None, None if of_probs else given, validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Binomial:
        """The distribution with its parameters expanded."""
        new = self._expand_binary(Binomial, _instance, batch_shape)
        new.total_count = self.total_count.expand(Size(batch_shape))
        return new

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self):
        """0 to the number of trials."""
        return constraints.integer_interval(0, self.total_count)

    mean = property(lambda self: self.total_count * self.probs)
    variance = property(lambda self: self.total_count * self.probs * (1 - self.probs))

    @property
    def mode(self) -> Tensor:
        """The most likely number."""
        found = ((self.total_count + 1) * self.probs).floor()
        return ops.minimum(found, self.total_count)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws; unlike PyTorch's number by number, though of the same distribution."""
        shape = self._extended_shape(sample_shape)
        with no_grad():
            counts = np.broadcast_to(np.asarray(self.total_count.detach()._buffer()), shape)
            probs = np.broadcast_to(np.asarray(self.probs.detach()._buffer()), shape)
            seed = int(tensors.randint(0, 2**63 - 1, (1,)).item())
            drawn = np.random.Generator(np.random.PCG64(seed)).binomial(
                counts.astype(np.int64), probs.astype(np.float64)
            )
            return adopt(np.asarray(drawn, probs.dtype), self._param.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-probability."""
        self._check(value)
        ways = (
            ops.lgamma(self.total_count + 1)
            - ops.lgamma(value + 1)
            - ops.lgamma(self.total_count - value + 1)
        )
        largest = self.logits.clamp(min=0)
        odds = self.total_count * (largest + ops.log1p((-self.logits.abs()).exp()))
        return value * self.logits + ways - odds

    def entropy(self) -> Tensor:
        """Entropy; all entries must have the same number of trials."""
        total = int(self.total_count.max().item())
        if not self.total_count.min().item() == total:
            raise NotImplementedError("Inhomogeneous total count not supported by `entropy`.")
        log_prob = self.log_prob(self.enumerate_support(False))
        return -(log_prob.exp() * log_prob).sum(0)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """0 to the number of trials; all entries must have the same."""
        total = int(self.total_count.max().item())
        if not self.total_count.min().item() == total:
            raise NotImplementedError(
                "Inhomogeneous total count not supported by `enumerate_support`."
            )
        values = tensors.arange(1 + total, dtype=self._param.dtype)
        values = values.view((-1,) + (1,) * len(self._batch_shape))
        return values.expand((-1, *self._batch_shape)) if expand else values
