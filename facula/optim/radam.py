"""RAdam: Adam that trusts its mean square only once enough gradients went into it."""

from __future__ import annotations

from typing import Any

from facula import operators as ops
from facula.optim._checks import check_at_least_zero, check_betas, check_lr
from facula.optim._cohorts import Cohort, Plan
from facula.optim._groupwise import GroupwiseOptimizer, Rule, number
from facula.optim.optimizer import ParamsT
from facula.tensors import Tensor

__all__ = ["RAdam"]


class RAdam(GroupwiseOptimizer):
    """Plain momentum for the first steps, then Adam scaled by a rectification term.

    Source: Liu et al., 2020 (arXiv 1908.03265).
    """

    _sparse_error = "RAdam does not support sparse gradients"
    _later_options = {
        "foreach": None,
        "maximize": False,
        "differentiable": False,
        "decoupled_weight_decay": False,
        "capturable": False,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
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
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _buffers(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq")

    def _update(
        self, group: dict[str, Any], plan: Plan, cohort: Cohort, grads: list[Tensor]
    ) -> None:
        count = cohort.values[0] + 1.0
        beta1, beta2 = group["betas"]
        lr = number(group["lr"])
        size = lr / (1.0 - beta1**count)
        rectification = _rectification(beta2, count)
        if rectification is not None:
            size = size * rectification
        decay = self._decay(group, plan)
        decoupled = bool(group["decoupled_weight_decay"])
        self._apply(
            _RULE,
            group,
            cohort,
            grads,
            (cohort.column("exp_avg"), cohort.column("exp_avg_sq")),
            (count,),
            (
                size,
                number(1.0 - beta1),
                number(beta2),
                number(1.0 - beta2),
                number(group["eps"]),
                1.0 - lr * decay if decoupled else decay,
            ),
            adapts=rectification is not None,
            decays=plan.decays,
            decoupled=decoupled,
            maximize=bool(group["maximize"]),
        )


def _rectification(beta2: float, count: float) -> float | None:
    """The factor of the adaptive step; None while the mean square is too uncertain to use."""
    correction2 = 1.0 - beta2**count
    longest = 2.0 / (1.0 - beta2) - 1.0
    length = longest - 2.0 * count * beta2**count / correction2
    if length <= 5.0:
        return None
    ratio = (length - 4.0) * (length - 2.0) * longest
    ratio /= (longest - 4.0) * (longest - 2.0) * length
    return float(ratio**0.5 * correction2**0.5)


def _rule(
    params: list[Tensor],
    grads: list[Tensor],
    means: list[Tensor],
    squares: list[Tensor],
    counts: list[Tensor],
    size: Any,
    gain1: Any,
    beta2: Any,
    gain2: Any,
    eps: Any,
    decay: Any,
    *,
    adapts: bool,
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
        step = mean * size
        new_params.append(p - (step / (ops.sqrt(square) + eps) if adapts else step))
        new_means.append(mean)
        new_squares.append(square)
    return new_params, new_means, new_squares, [count + 1 for count in counts]


_RULE = Rule(_rule)
