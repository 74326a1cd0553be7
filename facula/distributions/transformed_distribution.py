"""A distribution whose draws are those of another one, transformed."""

from __future__ import annotations

from typing import Any

from facula.autograd.modes import no_grad
from facula.base.size import Size
from facula.distributions import constraints
from facula.distributions.distribution import Distribution
from facula.distributions.independent import Independent
from facula.distributions.transforms import ComposeTransform, Transform
from facula.distributions.utils import sum_rightmost
from facula.tensors import Tensor


class TransformedDistribution(Distribution):
    """Draws of ``base_distribution`` passed through ``transforms``."""

    arg_constraints: dict[str, constraints.Constraint] = {}

    def __init__(
        self,
        base_distribution: Distribution,
        transforms: Transform | list[Transform],
        validate_args: bool | None = None,
    ):
        if isinstance(transforms, Transform):
            self.transforms = [transforms]
        elif isinstance(transforms, list) and all(isinstance(t, Transform) for t in transforms):
            self.transforms = transforms
        else:
            raise ValueError(
                f"transforms must be a Transform or a list of Transforms, but was {transforms}"
            )
        shape = base_distribution.batch_shape + base_distribution.event_shape
        base_event_dim = len(base_distribution.event_shape)
        whole = ComposeTransform(self.transforms)
        if len(shape) < whole.domain.event_dim:
            raise ValueError(
                "base_distribution needs to have shape with size at least "
                f"{whole.domain.event_dim}, but got {Size(shape)}."
            )
        forward = whole.forward_shape(shape)
        wide = whole.inverse_shape(forward)
        if tuple(shape) != tuple(wide):
            batch = tuple(wide)[: len(wide) - base_event_dim]
            base_distribution = base_distribution.expand(batch)
        reinterpreted = whole.domain.event_dim - base_event_dim
        if reinterpreted > 0:
            base_distribution = Independent(base_distribution, reinterpreted)
        self.base_dist = base_distribution
        change = whole.codomain.event_dim - whole.domain.event_dim
        event_dim = max(whole.codomain.event_dim, base_event_dim + change)
        cut = len(forward) - event_dim
        super().__init__(forward[:cut], forward[cut:], validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The distribution with its parameters expanded."""
        new = self._get_checked_instance(TransformedDistribution, _instance)
        shape = Size(batch_shape)
        whole = ComposeTransform(self.transforms)
        inner = whole.inverse_shape((*shape, *self.event_shape))
        cut = len(inner) - len(self.base_dist.event_shape)
        new.base_dist = self.base_dist.expand(tuple(inner)[:cut])
        new.transforms = self.transforms
        Distribution.__init__(new, shape, self.event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    @constraints.dependent_property(is_discrete=False)
    def support(self):
        """Where the last transform leads."""
        if not self.transforms:
            return self.base_dist.support
        found = self.transforms[-1].codomain
        extra = len(self.event_shape) - found.event_dim
        return constraints.independent(found, extra) if extra > 0 else found

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """Whether gradients reach the parameters."""
        return self.base_dist.has_rsample

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws."""
        with no_grad():
            return self._transformed(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws through which gradients reach the parameters."""
        return self._transformed(self.base_dist.rsample(sample_shape))

    def _transformed(self, x: Tensor) -> Tensor:
        for transform in self.transforms:
            x = transform(x)
        return x

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density: that of the base less the logarithms of the volume changes."""
        self._check(value)
        event_dim = len(self.event_shape)
        total: Any = 0.0
        y = value
        for transform in reversed(self.transforms):
            x = transform.inv(y)
            event_dim += transform.domain.event_dim - transform.codomain.event_dim
            own = transform.log_abs_det_jacobian(x, y)
            total = total - sum_rightmost(own, event_dim - transform.domain.event_dim)
            y = x
        base = self.base_dist.log_prob(y)
        return total + sum_rightmost(base, event_dim - len(self.base_dist.event_shape))

    def _falling(self, value: Tensor) -> Tensor:
        """Values of a falling transform count from the other end."""
        sign: Any = 1
        for transform in self.transforms:
            sign = sign * transform.sign
        if isinstance(sign, int) and sign == 1:
            return value
        return sign * (value - 0.5) + 0.5

    def cdf(self, value: Tensor) -> Tensor:
        """Probability of at most ``value``."""
        for transform in self.transforms[::-1]:
            value = transform.inv(value)
        self.base_dist._check(value)
        return self._falling(self.base_dist.cdf(value))

    def icdf(self, value: Tensor) -> Tensor:
        """Inverse of ``cdf``."""
        return self._transformed(self.base_dist.icdf(self._falling(value)))

    def __repr__(self) -> str:
        if type(self) is not TransformedDistribution:
            return super().__repr__()
        return "TransformedDistribution()"
