"""FloatFunctional: arithmetic as a module, as models prepared for quantization write it."""

from __future__ import annotations

from typing import Any

from facula import operators as ops
from facula.nn.modules.linear import Identity
from facula.nn.modules.module import Module
from facula.tensors import Tensor


class FloatFunctional(Module):
    """Addition, multiplication and the like, with a place to observe the results."""

    def __init__(self) -> None:
        super().__init__()
        self.activation_post_process = Identity()

    def forward(self, x: Tensor) -> Tensor:
        raise RuntimeError(
            "FloatFunctional is not intended to use the 'forward'. Please use the underlying "
            "operation"
        )

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        """``x + y``."""
        return self.activation_post_process(ops.add(x, y))

    def add_scalar(self, x: Tensor, y: float) -> Tensor:
        """``x + y`` with a number."""
        return ops.add(x, y)

    def mul(self, x: Tensor, y: Tensor) -> Tensor:
        """``x * y``."""
        return self.activation_post_process(ops.mul(x, y))

    def mul_scalar(self, x: Tensor, y: float) -> Tensor:
        """``x * y`` with a number."""
        return ops.mul(x, y)

    def cat(self, x: list[Tensor], dim: int = 0) -> Tensor:
        """The tensors joined along an axis."""
        return self.activation_post_process(ops.cat(x, dim))

    def add_relu(self, x: Tensor, y: Tensor) -> Tensor:
        """``max(x + y, 0)``."""
        return self.activation_post_process(ops.relu(ops.add(x, y)))

    def matmul(self, x: Tensor, y: Tensor) -> Any:
        """``x @ y``."""
        return self.activation_post_process(ops.matmul(x, y))
