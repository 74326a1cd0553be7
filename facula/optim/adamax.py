"""Adamax: Adam with the largest recent gradient in the place of the mean square."""

from __future__ import annotations

from typing import Any

from facula import operators as ops
from facula.optim._checks import check_at_least_zero, check_betas, check_lr
from facula.optim._cohorts import Cohort, Plan
from facula.optim._groupwise import GroupwiseOptimizer, Rule, number
from facula.optim.optimizer import ParamsT
from facula.tensors import Tensor

__all__ = ["Adamax"]


class Adamax(GroupwiseOptimizer):
    """``u = max(b2 u, |g| + eps)``; ``p -= lr / (1 - b1^t) * m / u`` with Adam's ``m``.

    Source: Kingma and Ba, 2015 (arXiv 1412.6980), section 7.1.
    """

    _sparse_error = "Adamax does not support sparse gradients"
    _later_options = {
        "foreach": None,
        "maximize": False,
        "differentiable": False,
        "capturable": False,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_lr(lr)
        check_at_least_zero("epsilon value", eps)
        check_betas(betas)
        check_at_least_zero("weight_decay value", weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _buffers(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("exp_avg", "exp_inf")

    def _update(
        self, group: dict[str, Any], plan: Plan, cohort: Cohort, grads: list[Tensor]
    ) -> None:
        count = cohort.values[0] + 1.0
        beta1, beta2 = group["betas"]
        decay = self._decay(group, plan)
        self._apply(
            _RULE,
            group,
            cohort,
            grads,
            (cohort.column("exp_avg"), cohort.column("exp_inf")),
            (count,),
            (
                number(group["lr"]) / (1.0 - beta1**count),
                number(1.0 - beta1),
                number(beta2),
                number(group["eps"]),
                decay,
            ),
            decays=plan.decays,
            maximize=bool(group["maximize"]),
        )


def _rule(
    params: list[Tensor],
    grads: list[Tensor],
    means: list[Tensor],
    peaks: list[Tensor],
    counts: list[Tensor],
    step_size: Any,
    gain1: Any,
    beta2: Any,
    eps: Any,
    decay: Any,
    *,
    decays: bool,
    maximize: bool,
) -> tuple[list[Tensor], ...]:
    new_params, new_means, new_peaks = [], [], []
    for p, g, mean, peak in zip(params, grads, means, peaks):
        if maximize:
            g = -g
        if decays:
            g = g + p * decay
        mean = mean + (g - mean) * gain1
        peak = ops.maximum(peak * beta2, ops.abs(g) + eps)
        new_params.append(p - mean * step_size / peak)
        new_means.append(mean)
        new_peaks.append(peak)
    return new_params, new_means, new_peaks, [count + 1 for count in counts]


_RULE = Rule(_rule)
