"""Rprop: step sizes that grow while the gradient keeps its sign and shrink when it turns."""

from __future__ import annotations

from typing import Any

from facula import operators as ops
from facula import tensors
from facula.optim._checks import check_lr
from facula.optim._cohorts import Cohort, Plan
from facula.optim._groupwise import GroupwiseOptimizer, Rule, number
from facula.optim.optimizer import ParamsT
from facula.tensors import Tensor

__all__ = ["Rprop"]


class Rprop(GroupwiseOptimizer):
    """Only the sign of the gradient counts; each weight has a step size of its own.

    ``etas`` are the factors after a change of sign and without one, ``step_sizes`` the limits.
    Source: Riedmiller and Braun, 1993, "A direct adaptive method for faster backpropagation".
    """

    _sparse_error = "Rprop does not support sparse gradients"
    _later_options = {
        "foreach": None,
        "maximize": False,
        "differentiable": False,
        "capturable": False,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _buffers(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("prev", "step_size")

    def _new_buffer(self, group: dict[str, Any], param: Tensor, name: str) -> Tensor:
        if name == "prev":
            return tensors.zeros_like(param.detach())
        start: Any = float(group["lr"])
        if param.is_complex():
            start = complex(start, start)
        return tensors.full_like(param.detach(), start)

    def _update(
        self, group: dict[str, Any], plan: Plan, cohort: Cohort, grads: list[Tensor]
    ) -> None:
        shrink, grow = group["etas"]
        lowest, highest = group["step_sizes"]
        self._apply(
            _RULE,
            group,
            cohort,
            grads,
            (cohort.column("prev"), cohort.column("step_size")),
            (cohort.values[0] + 1.0,),
            (number(shrink), number(grow)),
            limits=(lowest, highest),
            maximize=bool(group["maximize"]),
        )


def _rule(
    params: list[Tensor],
    grads: list[Tensor],
    previous: list[Tensor],
    sizes: list[Tensor],
    counts: list[Tensor],
    shrink: Any,
    grow: Any,
    *,
    limits: tuple[float, float],
    maximize: bool,
) -> tuple[list[Tensor], ...]:
    new_params, new_previous, new_sizes = [], [], []
    for p, g, before, size in zip(params, grads, previous, sizes):
        if maximize:
            g = -g
        agreement = g * before
        turned = agreement < 0
        size = ops.where(turned, size * shrink, ops.where(agreement > 0, size * grow, size))
        size = ops.clamp(size, limits[0], limits[1])
        # after a change of sign the weight rests for one step
        g = ops.masked_fill(g, turned, 0)
        new_params.append(p - ops.sign(g) * size)
        new_previous.append(g + 0)
        new_sizes.append(size)
    return new_params, new_previous, new_sizes, [count + 1 for count in counts]


_RULE = Rule(_rule)
