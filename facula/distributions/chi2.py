"""The chi-squared distribution."""

from __future__ import annotations

from typing import Any

from facula.distributions import constraints
from facula.distributions.gamma import Gamma
from facula.tensors import Tensor


class Chi2(Gamma):
    """The sum of squares of ``df`` standard normal numbers."""

    arg_constraints = {"df": constraints.positive}

    def __init__(self, df: Any, validate_args: bool | None = None):
        super().__init__(0.5 * df, 0.5, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Chi2:
        """The distribution with its parameters expanded."""
        new = self._get_checked_instance(Chi2, _instance)
        return super().expand(batch_shape, new)

    @property
    def df(self) -> Tensor:
        """Degrees of freedom."""
        return self.concentration * 2
