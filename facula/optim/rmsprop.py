"""RMSprop: gradients divided by a running mean of their size."""

from __future__ import annotations

from typing import Any

from facula import operators as ops
from facula.optim._checks import check_at_least_zero, check_lr
from facula.optim._cohorts import Cohort, Plan
from facula.optim._groupwise import GroupwiseOptimizer, Rule, number
from facula.optim.optimizer import ParamsT
from facula.tensors import Tensor

__all__ = ["RMSprop"]


class RMSprop(GroupwiseOptimizer):
    """``v = alpha v + (1 - alpha) g^2``; ``p -= lr * g / (sqrt(v) + eps)``.

    ``centered`` subtracts the squared mean gradient from ``v``; ``momentum`` sums up the steps.
    Note that ``eps`` is added after the root. Source: Hinton, lecture 6 of "Neural networks for
    machine learning", 2012; Graves, 2013 (arXiv 1308.0850) for the centered form.
    """

    _sparse_error = "RMSprop does not support sparse gradients"
    _later_options = {
        "momentum": 0,
        "centered": False,
        "foreach": None,
        "maximize": False,
        "differentiable": False,
        "capturable": False,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        check_at_least_zero("epsilon value", eps)
        check_at_least_zero("momentum value", momentum)
        check_at_least_zero("weight_decay value", weight_decay)
        check_at_least_zero("alpha value", alpha)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _buffers(self, group: dict[str, Any]) -> tuple[str, ...]:
        names: tuple[str, ...] = ("square_avg",)
        if group["momentum"] > 0:
            names += ("momentum_buffer",)
        if group["centered"]:
            names += ("grad_avg",)
        return names

    def _update(
        self, group: dict[str, Any], plan: Plan, cohort: Cohort, grads: list[Tensor]
    ) -> None:
        alpha, momentum = group["alpha"], group["momentum"]
        decay = self._decay(group, plan)
        self._apply(
            _RULE,
            group,
            cohort,
            grads,
            tuple([cohort.column(name) for name in self._buffers(group)]),
            (cohort.values[0] + 1.0,),
            (
                number(group["lr"]),
                number(alpha),
                number(1.0 - alpha),
                number(momentum),
                number(group["eps"]),
                decay,
            ),
            momentum=momentum > 0,
            centered=bool(group["centered"]),
            decays=plan.decays,
            maximize=bool(group["maximize"]),
        )


def _rule(
    params: list[Tensor],
    grads: list[Tensor],
    squares: list[Tensor],
    *rest: Any,
    momentum: bool,
    centered: bool,
    decays: bool,
    maximize: bool,
) -> tuple[list[Tensor], ...]:
    counts, lr, alpha, gain, speed, eps, decay = rest[-7:]
    buffers = rest[0] if momentum else grads
    means = rest[int(momentum)] if centered else grads
    new: list[list[Tensor]] = [[], [], [], []]
    for p, g, square, buffer, mean in zip(params, grads, squares, buffers, means):
        if maximize:
            g = -g
        if decays:
            g = g + p * decay
        square = square * alpha + g * gain * g
        if centered:
            mean = mean + (g - mean) * gain
            size = ops.sqrt(square - mean * mean) + eps
        else:
            size = ops.sqrt(square) + eps
        if momentum:
            buffer = buffer * speed + g / size
            p = p - buffer * lr
        else:
            p = p - g * lr / size
        for values, value in zip(new, (p, square, buffer, mean)):
            values.append(value)
    new_params, new_squares, new_buffers, new_means = new
    extra = ([new_buffers] if momentum else []) + ([new_means] if centered else [])
    return (new_params, new_squares, *extra, [count + 1 for count in counts])


_RULE = Rule(_rule)
