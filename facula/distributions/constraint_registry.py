"""``biject_to`` and ``transform_to``: a transform from all real numbers onto a constraint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from facula.distributions import constraints, transforms
from facula.distributions.constraints import Constraint


class ConstraintRegistry:
    """Finds the transform that leads onto a constraint."""

    def __init__(self) -> None:
        self._registry: dict[type, Callable[[Any], Any]] = {}

    def register(self, constraint: Any, factory: Callable[[Any], Any] | None = None) -> Any:
        """Register how a transform for a kind of constraint is made; works as a decorator."""
        if factory is None:
            return lambda made: self.register(constraint, made)
        if isinstance(constraint, Constraint):
            constraint = type(constraint)
        if not isinstance(constraint, type) or not issubclass(constraint, Constraint):
            raise TypeError(
                "Expected constraint to be either a Constraint subclass or instance, but got "
                f"{constraint}"
            )
        self._registry[constraint] = factory
        return factory

    def __call__(self, constraint: Constraint) -> Any:
        factory = self._registry.get(type(constraint))
        if factory is None:
            raise NotImplementedError(f"Cannot transform {type(constraint).__name__} constraints")
        return factory(constraint)


biject_to = ConstraintRegistry()
transform_to = ConstraintRegistry()


def _interval(c: Any) -> Any:
    low, high = c.lower_bound, c.upper_bound
    if isinstance(low, (int, float)) and (low, high) == (0, 1):
        return transforms.SigmoidTransform()
    scale = high - low
    parts = [transforms.SigmoidTransform(), transforms.AffineTransform(low, scale)]
    return transforms.ComposeTransform(parts)


def _above(c: Any) -> Any:
    parts = [transforms.ExpTransform(), transforms.AffineTransform(c.lower_bound, 1)]
    return transforms.ComposeTransform(parts)


def _below(c: Any) -> Any:
    parts = [transforms.ExpTransform(), transforms.AffineTransform(c.upper_bound, -1)]
    return transforms.ComposeTransform(parts)


def _both(constraint: Any, factory: Callable[[Any], Any]) -> None:
    biject_to.register(constraint, factory)
    transform_to.register(constraint, factory)


_both(constraints.real, lambda c: transforms.identity_transform)
_both(constraints.greater_than, _above)
_both(constraints.greater_than_eq, _above)
_both(constraints.less_than, _below)
_both(constraints.interval, _interval)
_both(constraints.half_open_interval, _interval)
_both(constraints.corr_cholesky, lambda c: transforms.CorrCholeskyTransform())
biject_to.register(constraints.simplex, lambda c: transforms.StickBreakingTransform())
transform_to.register(constraints.simplex, lambda c: transforms.SoftmaxTransform())
transform_to.register(constraints.lower_cholesky, lambda c: transforms.LowerCholeskyTransform())
transform_to.register(
    constraints.positive_definite, lambda c: transforms.PositiveDefiniteTransform()
)


@biject_to.register(constraints.independent)
def _biject_independent(c: Any) -> Any:
    base = biject_to(c.base_constraint)
    return transforms.IndependentTransform(base, c.reinterpreted_batch_ndims)


@transform_to.register(constraints.independent)
def _transform_independent(c: Any) -> Any:
    base = transform_to(c.base_constraint)
    return transforms.IndependentTransform(base, c.reinterpreted_batch_ndims)


def _of_parts(registry: ConstraintRegistry) -> None:
    registry.register(
        constraints.cat,
        lambda c: transforms.CatTransform([registry(p) for p in c.cseq], c.dim, c.lengths),
    )
    registry.register(
        constraints.stack,
        lambda c: transforms.StackTransform([registry(p) for p in c.cseq], c.dim),
    )


_of_parts(biject_to)
_of_parts(transform_to)
