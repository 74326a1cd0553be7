"""Adadelta: steps in the units of the weights, from running means of gradients and steps."""

from __future__ import annotations

from typing import Any

from facula import operators as ops
from facula.optim._checks import check_at_least_zero, check_lr
from facula.optim._cohorts import Cohort, Plan
from facula.optim._groupwise import GroupwiseOptimizer, Rule, number
from facula.optim.optimizer import ParamsT
from facula.tensors import Tensor

__all__ = ["Adadelta"]


class Adadelta(GroupwiseOptimizer):
    """``step = sqrt(a + eps) / sqrt(v + eps) * g``, where a and v average step^2 and g^2.

    Source: Zeiler, 2012 (arXiv 1212.5701).
    """

    _sparse_error = "Adadelta does not support sparse gradients"
    _later_options = {
        "foreach": None,
        "maximize": False,
        "differentiable": False,
        "capturable": False,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        check_at_least_zero("epsilon value", eps)
        check_at_least_zero("weight_decay value", weight_decay)
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _buffers(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("square_avg", "acc_delta")

    def _update(
        self, group: dict[str, Any], plan: Plan, cohort: Cohort, grads: list[Tensor]
    ) -> None:
        rho = group["rho"]
        decay = self._decay(group, plan)
        self._apply(
            _RULE,
            group,
            cohort,
            grads,
            (cohort.column("square_avg"), cohort.column("acc_delta")),
            (cohort.values[0] + 1.0,),
            (number(group["lr"]), number(rho), number(1.0 - rho), number(group["eps"]), decay),
            decays=plan.decays,
            maximize=bool(group["maximize"]),
        )


def _rule(
    params: list[Tensor],
    grads: list[Tensor],
    squares: list[Tensor],
    steps: list[Tensor],
    counts: list[Tensor],
    lr: Any,
    rho: Any,
    gain: Any,
    eps: Any,
    decay: Any,
    *,
    decays: bool,
    maximize: bool,
) -> tuple[list[Tensor], ...]:
    new_params, new_squares, new_steps = [], [], []
    for p, g, square, acc in zip(params, grads, squares, steps):
        if maximize:
            g = -g
        if decays:
            g = g + p * decay
        square = square * rho + g * gain * g
        step = ops.sqrt(acc + eps) / ops.sqrt(square + eps) * g
        new_params.append(p - step * lr)
        new_squares.append(square)
        new_steps.append(acc * rho + step * gain * step)
    return new_params, new_squares, new_steps, [count + 1 for count in counts]


_RULE = Rule(_rule)
