"""NAdam: Adam with Nesterov momentum."""

from __future__ import annotations

from typing import Any

from facula import operators as ops
from facula.optim._checks import check_at_least_zero, check_betas, check_lr
from facula.optim._cohorts import Cohort, Plan
from facula.optim._groupwise import GroupwiseOptimizer, Rule, number
from facula.optim.optimizer import ParamsT
from facula.tensors import Tensor

__all__ = ["NAdam"]


class NAdam(GroupwiseOptimizer):
    """Adam that looks one momentum step ahead; the momentum itself follows a schedule.

    Source: Dozat, 2016, "Incorporating Nesterov momentum into Adam".
    """

    _shared = ("step", "mu_product")
    _sparse_error = "NAdam does not support sparse gradients"
    _later_options = {
        "maximize": False,
        "foreach": None,
        "capturable": False,
        "differentiable": False,
        "decoupled_weight_decay": False,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        check_at_least_zero("epsilon value", eps)
        check_betas(betas)
        check_at_least_zero("weight_decay value", weight_decay)
        check_at_least_zero("momentum_decay value", momentum_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _buffers(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq")

    def _initial_value(self, group: dict[str, Any], name: str) -> float:
        return 1.0 if name == "mu_product" else 0.0

    def _update(
        self, group: dict[str, Any], plan: Plan, cohort: Cohort, grads: list[Tensor]
    ) -> None:
        count, product = cohort.values
        count += 1.0
        beta1, beta2 = group["betas"]
        lr = number(group["lr"])
        slowing = group["momentum_decay"]
        mu = beta1 * (1.0 - 0.5 * 0.96 ** (count * slowing))
        mu_next = beta1 * (1.0 - 0.5 * 0.96 ** ((count + 1.0) * slowing))
        product *= mu
        decay = self._decay(group, plan)
        decoupled = bool(group["decoupled_weight_decay"])
        self._apply(
            _RULE,
            group,
            cohort,
            grads,
            (cohort.column("exp_avg"), cohort.column("exp_avg_sq")),
            (count, product),
            (
                lr * ((1.0 - mu) / (1.0 - product)),
                lr * (mu_next / (1.0 - product * mu_next)),
                number(mu),
                number(1.0 - beta1),
                number(beta2),
                number(1.0 - beta2),
                number(1.0 - beta2**count),
                number(group["eps"]),
                1.0 - lr * decay if decoupled else decay,
            ),
            decays=plan.decays,
            decoupled=decoupled,
            maximize=bool(group["maximize"]),
        )


def _rule(
    params: list[Tensor],
    grads: list[Tensor],
    means: list[Tensor],
    squares: list[Tensor],
    shared: list[Tensor],
    grad_size: Any,
    mean_size: Any,
    mu: Any,
    gain1: Any,
    beta2: Any,
    gain2: Any,
    correction2: Any,
    eps: Any,
    decay: Any,
    *,
    decays: bool,
    decoupled: bool,
    maximize: bool,
) -> tuple[list[Tensor], ...]:
    new_params, new_means, new_squares = [], [], []
    for p, g, mean, square in zip(params, grads, means, squares):
        if maximize:
            g = -g
        if decays and decoupled:
            p = p * decay
        elif decays:
            g = g + p * decay
        mean = mean + (g - mean) * gain1
        square = square * beta2 + g * gain2 * g
        spread = ops.sqrt(square / correction2) + eps
        new_params.append(p - g * grad_size / spread - mean * mean_size / spread)
        new_means.append(mean)
        new_squares.append(square)
    count, product = shared
    return new_params, new_means, new_squares, [count + 1, product * mu]


_RULE = Rule(_rule)
