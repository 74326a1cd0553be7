"""The multinomial distribution."""

from __future__ import annotations

from typing import Any

from facula import operators as ops
from facula import tensors
from facula.base.size import Size
from facula.distributions import constraints
from facula.distributions.binomial import Binomial
from facula.distributions.categorical import Categorical
from facula.distributions.distribution import Distribution
from facula.distributions.utils import broadcast_all
from facula.tensors import Tensor


class Multinomial(Distribution):
    """How often each category comes up in ``total_count`` draws."""

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}

    def __init__(
        self,
        total_count: int = 1,
        probs: Any = None,
        logits: Any = None,
        validate_args: bool | None = None,
    ):
        if not isinstance(total_count, int):
            raise NotImplementedError("inhomogeneous total_count is not supported")
        self.total_count = total_count
        self._categorical = Categorical(probs=probs, logits=logits)
        self._binomial = Binomial(total_count=total_count, probs=self.probs)
        shape = self._categorical.param_shape
        super().__init__(self._categorical.batch_shape, shape[-1:], validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Multinomial:
        """The distribution with its parameters expanded."""
        new = self._get_checked_instance(Multinomial, _instance)
        shape = Size(batch_shape)
        new.total_count = self.total_count
        new._categorical = self._categorical.expand(shape)
        new._binomial = Binomial(self.total_count, probs=new._categorical.probs)
        Distribution.__init__(new, shape, self.event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    @constraints.dependent_property(is_discrete=True, event_dim=1)
    def support(self):
        """Counts that add up to ``total_count``."""
        return constraints.multinomial(self.total_count)

    probs = property(lambda self: self._categorical.probs)
    logits = property(lambda self: self._categorical.logits)
    param_shape = property(lambda self: self._categorical.param_shape)
    mean = property(lambda self: self.probs * self.total_count)
    variance = property(lambda self: self.total_count * self.probs * (1 - self.probs))

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws."""
        shape = Size(sample_shape)
        drawn = self._categorical.sample((self.total_count, *shape))
        order = (*range(1, drawn.dim()), 0)
        drawn = drawn.permute(order)
        counts = tensors.zeros(self._extended_shape(shape), dtype=self.probs.dtype)
        return counts.scatter_add(-1, drawn, tensors.ones_like(drawn, dtype=counts.dtype))

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-probability."""
        self._check(value)
        logits, value = broadcast_all(self.logits, value)
        ways = ops.lgamma(value.sum(-1) + 1) - ops.lgamma(value + 1).sum(-1)
        logits = ops.where((value == 0) & (logits == -float("inf")), 0.0, logits)
        return ways + (logits * value).sum(-1)

    def entropy(self) -> Tensor:
        """Entropy."""
        n = tensors.tensor(self.total_count)
        own = self.total_count * self._categorical.entropy() - ops.lgamma(n + 1)
        support = self._binomial.enumerate_support(expand=False)[1:]
        chance = self._binomial.log_prob(support).exp()
        return own + (chance * ops.lgamma(support + 1)).sum([0, -1])
